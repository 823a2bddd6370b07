/* What a .cu file finds when it is compiled as C++: the language of kernels and their launch.
 *
 *     g++ -x c++ -include device.h -DPLS_CUDA_EMULATED kernels.cu */
#ifndef CUDAEMU_DEVICE_H
#define CUDAEMU_DEVICE_H

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include "device_index.h"

#include "device_atomics.h"
#include "device_math.h"
#include "device_meetings.h"
#include "launch.h"

/* Blocks never run at once: a static array serves them one after another. */
#undef __shared__
#define __shared__ static

#define cudaLaunchKernelEx cudaemu::launch_kernel

#endif
