/* The monitor: when to measure the tangent kernel along training, and what to make of it.
 *
 * A measurement uses the activations that the step has just computed. It gives the extreme
 * eigenvalues, the change ||K_t - K_0||_F / ||K_0||_F, the alignment of K with the targets, at the
 * first and the last measurement who sets mu, and the check of the identity
 *     lambda_min(K) <= rho(w_t) <= lambda_max(K)                       (square loss, full kernel)
 * whose slack is the rounding of rho and K in the system's precision. */
#ifndef PLSTAR_TRAIN_MONITOR_H
#define PLSTAR_TRAIN_MONITOR_H

#include "plstar/train.h"
#include "tangent/kernel.h"

typedef struct pls_monitor {
    pls_system *system;
    const pls_train_options *options;
    pls_kernel *kernel; /* NULL when nothing is ever measured */
    pls_arena arena;
    pls_view first; /* K_0 */
    pls_view scalar;
    double first_norm; /* ||K_0||_F */
    bool has_first;
    pls_spectrum first_spectrum, latest;
    pls_bottom first_bottom, last_bottom;
    int64_t measurements, violations;
    double lambda_min_infimum; /* NaN before the first measurement */
    double infimum_floor;      /* the floor of that measurement */
    double seconds;            /* spent measuring */
    double last_cost;          /* of the last measurement */
} pls_monitor;

/* Reserves what measuring needs, if the options ask for any or need lambda_max(K_0). */
pls_status pls_monitor_create(pls_system *system, const pls_train_options *options,
                              pls_monitor *monitor);
void pls_monitor_destroy(pls_monitor *monitor);

/* Whether to measure at this step; `elapsed` seconds have passed. The first and last steps are
 * measured whenever any is. */
bool pls_monitor_due(const pls_monitor *monitor, int64_t step, bool last, double elapsed);

/* Measures at the system's point and completes the record. The first measurement sets K_0. The
 * first and the last one also find out who sets mu, and all eigenvalues where the options ask for
 * them. */
pls_status pls_monitor_measure(pls_monitor *monitor, bool last, pls_record *record);

/* Whether the step size is made from lambda_max(K_0). */
bool pls_step_is_critical(const pls_train_options *options);

/* Whether the options ask for any measurement. */
bool pls_monitor_wanted(const pls_train_options *options);

#endif
