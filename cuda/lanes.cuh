/* Trees over the lanes of a warp and the threads of a block: always the same order, and the same
 * bits in every lane, since a + b = b + a. */
#ifndef PLSTAR_CUDA_LANES_CUH
#define PLSTAR_CUDA_LANES_CUH

#include "launch.cuh"

#include <math.h>

namespace plstar {

constexpr int warp_size = 32;

struct add {
    __device__ double operator()(double a, double b) const {
        return a + b;
    }
};

/* NaN wins, unlike with fmax. */
struct larger {
    __device__ double operator()(double a, double b) const {
        return isnan(a) || a > b ? a : b;
    }
};

/* NaN loses. */
struct larger_number {
    __device__ double operator()(double a, double b) const {
        return fmax(a, b);
    }
};

/* Over groups of `lanes` neighbouring lanes, a power of two up to 32. The whole warp calls. */
template <typename Combine>
__device__ double combine_lanes(double value, int lanes, Combine combine) {
    for (int offset = lanes / 2; offset > 0; offset /= 2) {
        value = combine(value, __shfl_xor_sync(0xffffffffu, value, offset));
    }
    return value;
}

/* Over a block of one row of threads, whole warps; `shared` holds 32 doubles. The result is that of
 * thread 0. */
template <typename Combine>
__device__ double combine_block(double value, double identity, double *shared, Combine combine) {
    unsigned lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
    value = combine_lanes(value, warp_size, combine);
    if (lane == 0) {
        shared[warp] = value;
    }
    __syncthreads();
    if (warp == 0) {
        value = lane < blockDim.x / warp_size ? shared[lane] : identity;
        value = combine_lanes(value, warp_size, combine);
    }
    return value;
}

} // namespace plstar

#endif
