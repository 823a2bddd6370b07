/* How kernels are launched, for the .cu files alone.
 *
 * One template over cudaLaunchKernelEx instead of <<<>>>, and one macro for dynamic shared memory:
 * so the same sources compile as plain C++ against the emulation in tests/cudaemu. */
#ifndef PLSTAR_CUDA_LAUNCH_CUH
#define PLSTAR_CUDA_LAUNCH_CUH

#include <cuda_runtime.h>

/* The formulas that the library shares with kernels (activations, random numbers). */
#define PLS_FUNCTION static inline __host__ __device__
#define R123_CUDA_DEVICE __host__ __device__

#include "kernels.h"

/* `type *name`: the dynamic shared memory of the block, aligned to 16 bytes. */
#ifdef PLS_CUDA_EMULATED
#define PLS_DYNAMIC_SHARED(type, name) type *name = static_cast<type *>(cudaemu::dynamic_shared())
#ifndef __launch_bounds__
#define __launch_bounds__(...)
#endif
#else
#define PLS_DYNAMIC_SHARED(type, name)                                                             \
    extern __shared__ __align__(16) unsigned char pls_dynamic_shared_bytes[];                      \
    type *name = reinterpret_cast<type *>(pls_dynamic_shared_bytes)
#endif

/* Four loads of the following loop under way at a time; the order of its sums stays. */
#ifdef __CUDACC__
#define PLS_UNROLL _Pragma("unroll 4")
#else
#define PLS_UNROLL
#endif

namespace plstar {

struct geometry {
    dim3 grid, block;
    size_t shared; /* bytes of dynamic shared memory a block */
};

template <typename... Parameters, typename... Arguments>
cudaError_t launch(cudaStream_t stream, geometry shape, void (*kernel)(Parameters...),
                   Arguments... arguments) {
    cudaLaunchConfig_t config = {};
    config.gridDim = shape.grid;
    config.blockDim = shape.block;
    config.dynamicSmemBytes = shape.shared;
    config.stream = stream;
    return cudaLaunchKernelEx(&config, kernel, arguments...);
}

} // namespace plstar

#endif
