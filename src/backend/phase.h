/* Phases of the work: named ranges for a profiler, and the device time that each of them takes.
 *
 *     PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_GRAM));
 *     PLS_TRY(context, ...);
 * cleanup:
 *     return pls_phase_end(device, status);
 *
 * A device is a queue, and a call returns before its work is done: clocks of the host say nothing.
 * A phase therefore puts an event into the queue at each end, and its time is what the device's
 * clock shows between the two, once both have been passed. It includes what the queue stood empty
 * for in between, waiting for the host.
 *
 * Phases nest as ranges do, but time counts for the outermost one alone: whatever the measurement
 * of a floor computes is the cost of the floor. So no time is counted twice. */
#ifndef PLSTAR_BACKEND_PHASE_H
#define PLSTAR_BACKEND_PHASE_H

#include "backend/backend.h"

/* In the order in which data flows. */
typedef enum pls_phase {
    PLS_PHASE_INITIALISATION, /* data to the device, weights drawn */
    PLS_PHASE_CONSTANTS,      /* sampling the constants of the theorem */
    PLS_PHASE_FORWARD,        /* F at the weights */
    PLS_PHASE_GRADIENT,       /* L, dL/df and JT dL/df */
    PLS_PHASE_NORMS,          /* ||grad L|| and ||w_t - w_0|| of a record */
    PLS_PHASE_UPDATE,         /* w -= eta g */
    PLS_PHASE_JACOBIAN,       /* rows of J for the host */
    PLS_PHASE_DERIVATIVES,    /* dF/dz of a layer for every output, or rows of J, for K */
    PLS_PHASE_GRAM,           /* their inner products, accumulated into K */
    PLS_PHASE_FACTOR,         /* Cholesky factorisation of K */
    PLS_PHASE_EXTREMES,       /* Lanczos at both ends of the spectrum */
    PLS_PHASE_SPECTRUM,       /* all eigenvalues */
    PLS_PHASE_FLOOR,          /* the sub-sample in the other precision */
    PLS_PHASE_REFINEMENT,     /* the measurement again, in float64 */
    PLS_PHASE_CHANGE,         /* ||K_t - K_0||, and how K lies to the targets */
    PLS_PHASE_BOTTOM,         /* who carries the bottom eigenvector: JT v */
    PLS_PHASE_TWIN,           /* a step of the linearised network, and its distance */
    PLS_PHASE_HESSIAN,        /* products with Hessians, their norms and traces */
    PLS_PHASE_COUNT
} pls_phase;

/* Opens a phase, even when it fails; so whoever begins also ends. */
pls_status pls_phase_begin(pls_device *device, pls_phase phase);

/* Closes the phase opened last and passes `status` on. One that failed is not counted, and leaves
 * the sentence about it alone. */
pls_status pls_phase_end(pls_device *device, pls_status status);

/* Frees what measuring needed; for pls_device_close() alone. */
void pls_phases_destroy(pls_device *device);

#endif
