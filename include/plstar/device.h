/* Devices: where weights live and kernels run. A device is an open instance of a backend. */
#ifndef PLSTAR_DEVICE_H
#define PLSTAR_DEVICE_H

#include "plstar/context.h"
#include "plstar/types.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct pls_device pls_device;

typedef struct pls_device_options {
    const char *name; /* "auto", "cpu", "cuda", "cuda:N" */
    int threads;      /* of the CPU; 0 = as many as the process may use */
} pls_device_options;

/* name = "auto", threads = 0. */
pls_device_options pls_device_options_defaults(void);

/* Opens a device; options may be NULL. Results do not depend on `threads`, bit for bit.
 * While a CPU device is open the BLAS of the process is set to one thread: the device itself
 * works on many tiles at a time.
 * Errors: PLS_ERROR_ARGUMENT (unknown name, negative threads), PLS_ERROR_DEVICE (no such device
 * here), PLS_ERROR_MEMORY. */
pls_status pls_device_open(pls_context *context, const pls_device_options *options,
                           pls_device **device);

/* Closes a device; everything made on it must have been destroyed. NULL is allowed. */
void pls_device_close(pls_device *device);

/* "cpu", "cuda:0". Owned by the device. */
const char *pls_device_name(const pls_device *device);

/* One line for people: processor, threads, libraries with versions. Owned by the device. */
const char *pls_device_description(const pls_device *device);

/* Bytes that may still be allocated on the device, and all it has. On a CPU the least of what
 * the system, the control group and the address-space limit leave. */
pls_status pls_device_memory(pls_device *device, int64_t *available, int64_t *total);

/* ---- where the time goes --------------------------------------------------------------------- */

/* One phase of the work: forward, gradient, update, derivatives, gram, factor, extremes, ... */
typedef struct pls_phase_time {
    const char *name;
    double seconds; /* on the device's own clock; what lies between phases is not in any of them */
    int64_t count;  /* how often the phase was passed */
} pls_phase_time;

/* Switches the measuring of phases on, from zero, or off. On a GPU work is queued and clocks around
 * calls say nothing; so time is taken by marks in the queue, for which nothing waits. No time is
 * counted twice: a phase within a phase belongs to the outer one. Not to be called by a hook or
 * an observer. Errors: PLS_ERROR_MEMORY, PLS_ERROR_DEVICE. */
pls_status pls_device_measure_phases(pls_device *device, bool measure);

/* *times: `count` phases in the order in which data flows, owned by the device and there until the
 * next call for it; none where phases were never measured. Waits for the device.
 * Errors: PLS_ERROR_DEVICE. */
pls_status pls_device_phases(pls_device *device, const pls_phase_time **times, int *count);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
