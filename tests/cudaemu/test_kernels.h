/* Kernels for the tests of the emulation: right ones, and ones with a planted fault. */
#ifndef CUDAEMU_TEST_KERNELS_H
#define CUDAEMU_TEST_KERNELS_H

#include <cuda_runtime_api.h>

/* out[b] = sum of the 256 numbers of block b, in shared memory */
cudaError_t launch_sum_with_barriers(cudaStream_t stream, unsigned blocks, const double *x,
                                     double *out);
/* The same by shuffles within warps, then within the first warp */
cudaError_t launch_sum_with_shuffles(cudaStream_t stream, unsigned blocks, const double *x,
                                     double *out);
/* Two blocks, in each out[i] = x[n-1-i] through shared memory; n <= 1024 */
cudaError_t launch_reverse(cudaStream_t stream, unsigned n, const double *x, double *out,
                           bool with_barrier);
/* before[i] = how many of the 4 x 32 threads came before thread i, after[i] the same behind a
 * barrier; two counters that start at 0 */
cudaError_t launch_order(cudaStream_t stream, int *counters, int *before, int *after);
/* Nothing, in any shape */
cudaError_t launch_nothing(cudaStream_t stream, dim3 grid, dim3 block, size_t shared);
const void *nothing_kernel();
/* out[i] = 1000 z + 100 y + x of thread i of a 4 x 3 x 2 block; out[24 + b] = the block's index */
cudaError_t launch_indices(cudaStream_t stream, int *out);
/* Every intrinsic that moves values between threads; out[i] = 0 where all are right, 64 threads */
cudaError_t launch_exchanges(cudaStream_t stream, int *out);
/* counters[0] += 1 by atomicAdd, counters[1] = max, counters[2] = min of the thread's number */
cudaError_t launch_atomics(cudaStream_t stream, unsigned blocks, unsigned *counters);
/* out[i] = i for i < n, by `threads` threads in one block */
cudaError_t launch_numbers(cudaStream_t stream, unsigned threads, int n, int *out);

/* Planted faults. */
cudaError_t launch_barrier_of_some(cudaStream_t stream);
cudaError_t launch_two_barriers(cudaStream_t stream);
cudaError_t launch_shuffle_of_some(cudaStream_t stream);
cudaError_t launch_unlike_masks(cudaStream_t stream);
/* 32 threads write 32 floats of shared memory, `offset` away from its begin. */
cudaError_t launch_shared_overrun(cudaStream_t stream, int offset);

#endif
