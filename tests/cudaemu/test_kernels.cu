#include "test_kernels.h"

#include <cstdint>

#define DYNAMIC_SHARED(type, name) type *name = static_cast<type *>(cudaemu::dynamic_shared())

namespace {

constexpr unsigned everyone = 0xffffffffu;

cudaLaunchConfig_t shape(cudaStream_t stream, dim3 grid, dim3 block, size_t shared = 0) {
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = shared;
    config.stream = stream;
    return config;
}

__global__ void sum_with_barriers(const double *x, double *out) {
    DYNAMIC_SHARED(double, part);
    unsigned i = threadIdx.x;
    part[i] = x[blockIdx.x * blockDim.x + i];
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        if (i < half) {
            part[i] += part[i + half];
        }
        __syncthreads();
    }
    if (i == 0) {
        out[blockIdx.x] = part[0];
    }
}

__device__ double warp_sum(double value) {
    for (unsigned step = 16; step > 0; step /= 2) {
        value += __shfl_down_sync(everyone, value, step);
    }
    return value;
}

__global__ void sum_with_shuffles(const double *x, double *out) {
    __shared__ double part[8];
    unsigned i = threadIdx.x;
    double sum = warp_sum(x[blockIdx.x * blockDim.x + i]);
    if (i % warpSize == 0) {
        part[i / warpSize] = sum;
    }
    __syncthreads();
    if (i < 32) {
        sum = warp_sum(i < 8 ? part[i] : 0.0);
        if (i == 0) {
            out[blockIdx.x] = sum;
        }
    }
    __syncthreads();
}

__global__ void reverse(const double *x, double *out, bool with_barrier) {
    DYNAMIC_SHARED(double, all);
    all[threadIdx.x] = x[threadIdx.x];
    if (with_barrier) {
        __syncthreads();
    }
    out[blockIdx.x * blockDim.x + threadIdx.x] = all[blockDim.x - 1 - threadIdx.x];
}

__global__ void order(int *counters, int *before, int *after) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    before[i] = atomicAdd(&counters[0], 1);
    __syncthreads();
    after[i] = atomicAdd(&counters[1], 1);
}

__global__ void nothing() {
}

__global__ void indices(int *out) {
    unsigned i = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    unsigned b = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    out[i] = static_cast<int>(1000 * threadIdx.z + 100 * threadIdx.y + threadIdx.x);
    out[24 + b] = static_cast<int>(b);
}

__global__ void exchanges(int *out) {
    int i = static_cast<int>(threadIdx.x), lane = i % 32, warp = i / 32;
    int64_t wide = (int64_t(i) << 40) + 7;
    bool right = __shfl_sync(everyone, i, 5) == 32 * warp + 5;
    right &= __shfl_sync(everyone, i, 3, 8) == i - i % 8 + 3;
    right &= __shfl_up_sync(everyone, i, 1) == (lane == 0 ? i : i - 1);
    right &= __shfl_up_sync(everyone, i, 3, 8) == (lane % 8 < 3 ? i : i - 3);
    right &= __shfl_down_sync(everyone, i, 2, 16) == (lane % 16 >= 14 ? i : i + 2);
    right &= __shfl_xor_sync(everyone, wide, 9) == (int64_t(i ^ 9) << 40) + 7;
    right &= __shfl_xor_sync(everyone, 0.5f * static_cast<float>(i), 1) ==
             0.5f * static_cast<float>(i ^ 1);
    right &= __ballot_sync(everyone, lane % 3 == 0) == 0x49249249u;
    right &= __any_sync(everyone, i == 40) == (warp == 1);
    right &= __all_sync(everyone, i < 32) == (warp == 0);
    if (lane < 4) {
        right &= __shfl_sync(0xfu, i, 2) == 32 * warp + 2;
    }
    __syncwarp();
    right &= __syncthreads_count(i < 10) == 10;
    right &= __syncthreads_or(i == 63) == 1 && __syncthreads_or(0) == 0;
    right &= __syncthreads_and(i < 63) == 0 && __syncthreads_and(1) == 1;
    out[i] = !right;
}

__global__ void atomics(unsigned *counters) {
    unsigned number = blockIdx.x * blockDim.x + threadIdx.x;
    atomicAdd(&counters[0], 1u);
    atomicMax(&counters[1], number);
    atomicMin(&counters[2], number);
}

__global__ void numbers(int n, int *out) {
    for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x)) {
        out[i] = i;
    }
}

__global__ void barrier_of_some() {
    if (threadIdx.x < 16) {
        __syncthreads();
    }
}

__global__ void two_barriers() {
    if (threadIdx.x < 16) {
        __syncthreads();
    } else {
        __syncthreads();
    }
}

__global__ void shuffle_of_some(int) {
    if (threadIdx.x < 16) {
        __shfl_xor_sync(everyone, 1, 1);
    }
}

__global__ void unlike_masks() {
    __syncwarp(threadIdx.x < 16 ? 0x1ffffu : everyone);
}

__global__ void shared_overrun(int offset) {
    DYNAMIC_SHARED(float, all);
    all[static_cast<int>(threadIdx.x) + offset] = 1;
}

} // namespace

cudaError_t launch_sum_with_barriers(cudaStream_t stream, unsigned blocks, const double *x,
                                     double *out) {
    auto config = shape(stream, blocks, 256, 256 * sizeof(double));
    return cudaLaunchKernelEx(&config, sum_with_barriers, x, out);
}

cudaError_t launch_sum_with_shuffles(cudaStream_t stream, unsigned blocks, const double *x,
                                     double *out) {
    auto config = shape(stream, blocks, 256);
    return cudaLaunchKernelEx(&config, sum_with_shuffles, x, out);
}

cudaError_t launch_reverse(cudaStream_t stream, unsigned n, const double *x, double *out,
                           bool with_barrier) {
    auto config = shape(stream, 2, n, n * sizeof(double));
    return cudaLaunchKernelEx(&config, reverse, x, out, with_barrier);
}

cudaError_t launch_order(cudaStream_t stream, int *counters, int *before, int *after) {
    auto config = shape(stream, 4, 32);
    return cudaLaunchKernelEx(&config, order, counters, before, after);
}

cudaError_t launch_nothing(cudaStream_t stream, dim3 grid, dim3 block, size_t shared) {
    auto config = shape(stream, grid, block, shared);
    return cudaLaunchKernelEx(&config, nothing);
}

const void *nothing_kernel() {
    return reinterpret_cast<const void *>(nothing);
}

cudaError_t launch_indices(cudaStream_t stream, int *out) {
    auto config = shape(stream, dim3(2, 3, 4), dim3(4, 3, 2));
    return cudaLaunchKernelEx(&config, indices, out);
}

cudaError_t launch_exchanges(cudaStream_t stream, int *out) {
    auto config = shape(stream, 1, 64);
    return cudaLaunchKernelEx(&config, exchanges, out);
}

cudaError_t launch_atomics(cudaStream_t stream, unsigned blocks, unsigned *counters) {
    auto config = shape(stream, blocks, 96);
    return cudaLaunchKernelEx(&config, atomics, counters);
}

cudaError_t launch_numbers(cudaStream_t stream, unsigned threads, int n, int *out) {
    auto config = shape(stream, 1, threads);
    return cudaLaunchKernelEx(&config, numbers, n, out);
}

cudaError_t launch_barrier_of_some(cudaStream_t stream) {
    auto config = shape(stream, 1, 64);
    return cudaLaunchKernelEx(&config, barrier_of_some);
}

cudaError_t launch_two_barriers(cudaStream_t stream) {
    auto config = shape(stream, 1, 64);
    return cudaLaunchKernelEx(&config, two_barriers);
}

cudaError_t launch_shuffle_of_some(cudaStream_t stream) {
    auto config = shape(stream, 1, 32);
    return cudaLaunchKernelEx(&config, shuffle_of_some, 0);
}

cudaError_t launch_unlike_masks(cudaStream_t stream) {
    auto config = shape(stream, 1, 32);
    return cudaLaunchKernelEx(&config, unlike_masks);
}

cudaError_t launch_shared_overrun(cudaStream_t stream, int offset) {
    auto config = shape(stream, 1, 32, 32 * sizeof(float));
    return cudaLaunchKernelEx(&config, shared_overrun, offset);
}
