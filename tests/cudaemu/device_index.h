/* Where the running thread stands. */
#ifndef CUDAEMU_DEVICE_INDEX_H
#define CUDAEMU_DEVICE_INDEX_H

#include <vector_types.h>

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;

#endif
