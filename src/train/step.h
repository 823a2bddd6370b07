/* One step of an optimizer: w -= eta times a gradient. */
#ifndef PLSTAR_TRAIN_STEP_H
#define PLSTAR_TRAIN_STEP_H

#include "plstar/train.h"
#include "system/loss.h"

/* Device views of a training run. */
typedef struct pls_train_views {
    pls_view f, residual;                      /* n x k */
    pls_view losses, total;                    /* n x 1, 1 x 1, f64 */
    pls_view gradient, first;                  /* 1 x P: grad L, w_0 */
    pls_view batch_f, batch_y, batch_residual; /* s x k (SGD) */
} pls_train_views;

/* L and grad L of all samples at the system's weights; the norm of the gradient if wanted. */
pls_status pls_full_gradient(pls_system *system, pls_loss loss, const pls_train_views *views,
                             pls_record *record);

/* w -= eta views->gradient */
pls_status pls_gd_step(pls_system *system, const pls_train_views *views, double eta);

/* w -= eta sum over a batch of step t, whose indices are drawn with replacement into `indices`
 * (host, options->batch of them). The same step draws the same batch whatever was run before. */
pls_status pls_sgd_step(pls_system *system, const pls_train_options *options,
                        const pls_train_views *views, int64_t step, int64_t *indices, double eta);

#endif
