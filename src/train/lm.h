/* Levenberg-Marquardt: a Gauss-Newton step through the tangent kernel, with damping.
 *
 *     r = F(w) - y,   d = JT (K + lambda I)^-1 r,   w <- w - d                       (square loss)
 *
 * One step is one trial. Its gain is the decrease of the loss over the one that the linearised F
 * promises, gT d / 2 + lambda |d|^2 / 2. A positive gain accepts it, and
 *     lambda <- lambda max(1/3, 1 - (2 gain - 1)^3),   nu <- 2
 * else the weights go back, and lambda <- lambda nu, nu <- 2 nu (H. B. Nielsen, Damping parameter
 * in Marquardt's method, IMM-REP-1999-05). lambda starts as the option `damping` times tr K / N,
 * the mean eigenvalue, and is never smaller than its rounding, u tr K / N. */
#ifndef PLSTAR_TRAIN_LM_H
#define PLSTAR_TRAIN_LM_H

#include "plstar/train.h"
#include "tangent/kernel.h"
#include "train/step.h"

/* What goes from one step to the next; part of a checkpoint. */
typedef struct pls_damping {
    double lambda; /* 0 before the first step */
    double growth; /* nu */
    int64_t rejected;
    bool stalled; /* no step can lower the loss by more than its rounding */
} pls_damping;

typedef struct pls_lm {
    pls_system *system;
    pls_kernel *kernel;
    bool owns_kernel;
    bool is_current; /* the kernel is that of the present weights */
    double scale;    /* tr K / N */
    pls_arena arena;
    pls_view solution;   /* N x 1, f64: (K + lambda I)^-1 r */
    pls_view cotangent;  /* n x k: the same, rounded */
    pls_view step, kept; /* 1 x P: d, and the weights before it */
    pls_damping damping;
} pls_lm;

/* shared: an N x N kernel of the system that may be overwritten, or NULL. *lm must be zeroed;
 * destroy it even on error. */
pls_status pls_lm_create(pls_system *system, const pls_train_options *options, pls_kernel *shared,
                         pls_lm *lm);
void pls_lm_destroy(pls_lm *lm);

/* One step from weights whose loss, residual and gradient (in `views`) have just been computed.
 * When it fails the weights are where they were. Errors: PLS_ERROR_NUMERIC (K is not finite), those
 * of the system; a trial whose outputs are not finite is rejected, not an error. */
pls_status pls_lm_step(pls_lm *lm, const pls_train_options *options, const pls_train_views *views,
                       double loss);

#endif
