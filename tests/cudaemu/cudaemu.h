/* What a test may ask of the emulated CUDA, and the environment that steers it.
 *
 *   EMU_SEED=n              order of threads and blocks (1)
 *   EMU_MEMORY=bytes        device memory (2 GiB)
 *   EMU_DEVICES=n           number of devices (1); 0: cudaErrorNoDevice
 *   EMU_DRIVER=none         cudaErrorInsufficientDriver
 *   EMU_ARCHITECTURE=missing  launches give cudaErrorNoKernelImageForDevice
 *   EMU_FAIL=function:n     the n-th call of this entry point fails; *:n the n-th of any. Versions
 *                           count as one function: cublasSgemm stands for cublasSgemm_v2_64 too
 *   EMU_FAIL_STICKY=1       that failure is an illegal address: nothing works afterwards
 *
 * The environment is read at the first call into the emulation and by cudaemu_configure(). */
#ifndef CUDAEMU_H
#define CUDAEMU_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Reads the environment again; counts of calls and a sticky error are forgotten. */
void cudaemu_configure(void);

/* Calls of entry points so far. Those that only read out an error or a text do not count. */
int64_t cudaemu_calls(void);

/* The entry point that the n-th of these calls went to, counted from 1; "" where there is none. */
const char *cudaemu_function(int64_t n);

/* Allocations of device memory, of page-locked memory, streams, events and handles that live. */
int64_t cudaemu_live_allocations(void);
int64_t cudaemu_live_objects(void);

#ifdef __cplusplus
}
#endif

#endif
