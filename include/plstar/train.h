/* Gradient descent, stochastic gradient descent and Levenberg-Marquardt on any system, with mu
 * watched on the way.
 *
 *     GD    w_(t+1) = w_t - eta grad L(w_t)
 *     SGD   w_(t+1) = w_t - eta sum_(i in batch) grad l_i(w_t), batch drawn with replacement
 *     LM    w_(t+1) = w_t - J^T (K + lambda I)^-1 r, or w_t where that does not lower the loss
 * with L = sum_i l_i, undivided (arXiv 2003.00307, sections 2 and 5). */
#ifndef PLSTAR_TRAIN_H
#define PLSTAR_TRAIN_H

#include "plstar/tangent.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* lm: the damped Gauss-Newton step through the tangent kernel; square loss only. One step is one
 * trial: lambda falls with its gain, or grows where the weights are put back (Nielsen's rule). Ends
 * early when no step can lower the loss by more than its rounding. Takes no step size. */
typedef enum pls_optimizer { PLS_OPTIMIZER_GD, PLS_OPTIMIZER_SGD, PLS_OPTIMIZER_LM } pls_optimizer;

/* fixed:    eta = step_size
 * critical: eta = step_size * 2 / lambda_max(K(w_0)); 1 is the edge for the square loss */
typedef enum pls_step_rule { PLS_STEP_FIXED, PLS_STEP_CRITICAL } pls_step_rule;

/* One recorded step t; numbers that were not measured are NaN. */
typedef struct pls_record {
    int64_t step;
    double loss, gradient_norm, pl_ratio;
    double distance; /* ||w_t - w_0|| */
    /* with a linearised twin, f_lin its outputs; NaN once these have left the range of numbers */
    double linear_distance; /* ||f - f_lin||, over all samples and outputs, not divided */
    double linear_loss;     /* L(f_lin) */
    bool measured;          /* the kernel was measured at this step: */
    double lambda_min, lambda_min_lower, lambda_min_upper, lambda_max;
    double kernel_change; /* ||K_t - K_0||_F / ||K_0||_F */
    double kernel_floor, condition_number;
    double kernel_alignment; /* of pls_kernel_alignment() */
    double effective_rank;   /* tr K / lambda_max */
} pls_record;

/* What an observer is told beside the record. */
typedef struct pls_progress {
    int64_t steps;        /* where training is to end */
    double elapsed;       /* seconds since the run (or its resumption) began */
    double remaining;     /* seconds to go at the present pace */
    double monitor_share; /* share of the elapsed time spent measuring */
} pls_progress;

/* Called at every recorded step, in order; anything but PLS_OK ends the run with that status. */
typedef pls_status (*pls_observer)(void *user, const pls_record *record,
                                   const pls_progress *progress);

typedef struct pls_train_options {
    pls_optimizer optimizer;
    int64_t batch; /* SGD: samples a step, 1 .. n */
    pls_loss loss;
    pls_step_rule step_rule;
    double step_size;
    double damping; /* LM: lambda at the start, in mean eigenvalues tr K / N; > 0 */
    int64_t steps;
    double stop_at;       /* stop when L <= stop_at * L_0; 0 = never */
    uint64_t seed;        /* of the batches */
    int64_t record_every; /* steps between records */
    bool linearized;      /* carry the network linearised at w_0 along:
                                 f_lin_(t+1) = f_lin_t - eta K_0 dL/df(f_lin_t)
                             with the batches of the network; GD or SGD, N x N kernel. K_0 is then
                             measured even if nothing else is */

    int64_t measure_every; /* steps between measurements of the kernel; 0 = by budget */
    double measure_budget; /* share of the run time that measuring may take, 0 .. 1; with both 0
                              the kernel is never measured */
    pls_kernel_options kernel;
    pls_spectrum_options spectrum;

    const char *checkpoint;    /* folder for checkpoints; NULL = none */
    double checkpoint_seconds; /* least time between two */
    bool resume;               /* continue from the checkpoint in that folder */

    pls_observer observer; /* may be NULL */
    void *observer_user;
} pls_train_options;

/* GD, square loss, critical 0.5, damping 1e-3, 100 steps, no stop_at, record every step, no
 * linearised twin, measure every 10, no checkpoint (60 s when there is a folder). */
pls_train_options pls_train_options_defaults(void);

typedef struct pls_train_result {
    pls_record first, last;      /* records of step 0 and of the last step */
    pls_spectrum spectrum;       /* the last measurement; free by pls_train_result_destroy() */
    pls_spectrum first_spectrum; /* the measurement at step 0 */
    char matrix_free[512];       /* why K was not held (pls_kernel_is_matrix_free); "" if it was */
    pls_bottom bottom;           /* who sets mu at the end; not known if the run ended early */
    pls_bottom first_bottom;     /* and at step 0 */
    double step_size;            /* eta as used; 1 of LM */
    double damping;              /* LM: lambda at the end */
    int64_t rejected;            /* LM: steps whose weights were put back */
    bool stalled;                /* LM: ended because no step lowers the loss any more */
    int64_t steps;               /* done in all, resumed ones included */
    int64_t measurements;        /* of the kernel, this run */
    int64_t violations;          /* measured steps at which lambda_min <= rho <= lambda_max failed
                                    by more than the floor (square loss) */
    double lambda_min_infimum;   /* smallest measured lambda_min ... */
    double infimum_floor;        /* ... and the floor of that measurement */
    double seconds_steps, seconds_measuring, seconds_checkpoints;
} pls_train_result;

/* Trains a system from where its weights are (step 0), or from the checkpoint. The system must
 * have been initialised the same way in both cases: w_0 and K_0 are taken from it. A step and its
 * record do not depend on where a run was interrupted, bit for bit.
 * Errors: PLS_ERROR_ARGUMENT/CONFIG; PLS_DIVERGED (loss not finite or 1e6 times L_0 and growing:
 * the last record says where); PLS_CANCELLED (the step in progress was finished and, with a
 * checkpoint folder, saved); PLS_ERROR_CALLBACK, PLS_ERROR_NUMERIC (a system's function failed, or
 * a number is not finite where it must be: the weights stay where they were and are saved like
 * that); PLS_ERROR_FILE (checkpoint); *result is filled in for these too.
 * *result must be fresh. */
pls_status pls_train(pls_system *system, const pls_train_options *options,
                     pls_train_result *result);

void pls_train_result_destroy(pls_context *context, pls_train_result *result);

/* The step at which a checkpoint stands. Errors: PLS_ERROR_FILE, PLS_ERROR_DATA. */
pls_status pls_checkpoint_step(pls_context *context, const char *folder, int64_t *step);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
