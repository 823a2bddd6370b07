/* The linearised twin of a training run: what the same descent does to the network's linearisation
 * at the start.
 *
 *     f_lin(w) = f(w_0) + J_0 (w - w_0)
 *
 * Its steps never need w, since a step along -JT_0 u moves the outputs by -J_0 JT_0 u:
 *
 *     f_lin_(t+1) = f_lin_t - eta K_0 u_t,    u_t = dL/df at f_lin_t                    (N x 1)
 *
 * with all rows of u for gradient descent, and for SGD those of the batch that the network took,
 * each as often as it was drawn. K_0 is the kernel that was measured at w_0, everything is float64,
 * so only K_0 and f(w_0) carry the rounding of the system's precision.
 *
 * (The companion, arXiv 2010.01092: how far f and f_lin come apart is bounded by the norm of the
 * Hessian, which falls with the width.) */
#ifndef PLSTAR_TRAIN_LINEAR_TWIN_H
#define PLSTAR_TRAIN_LINEAR_TWIN_H

#include "backend/arena.h"
#include "plstar/train.h"

typedef struct pls_linear_twin pls_linear_twin;

/* *twin = one that stands nowhere yet, or NULL if the options ask for none. All functions below
 * take NULL and then do nothing. Errors: PLS_ERROR_CONFIG where there can be none, with the
 * reason; PLS_ERROR_MEMORY. */
pls_status pls_linear_twin_create(pls_system *system, const pls_train_options *options,
                                  pls_linear_twin **twin);
void pls_linear_twin_destroy(pls_linear_twin *twin);

/* f_lin_0 = outputs: n x k, f(w_0). */
pls_status pls_linear_twin_start(pls_linear_twin *twin, pls_view outputs);

/* Fills in linear_distance = ||f - f_lin|| and linear_loss = L(f_lin), where f is `outputs` (n x k)
 * at the same step. Both are NaN once the twin has left the range of numbers. */
pls_status pls_linear_twin_compare(pls_linear_twin *twin, pls_view outputs, pls_record *record);

/* One step; kernel: K_0, N x N. batch: the samples of an SGD step (host, options->batch of them),
 * NULL for gradient descent. */
pls_status pls_linear_twin_step(pls_linear_twin *twin, pls_view kernel, const int64_t *batch,
                                double eta);

/* For checkpoints: *values = f_lin_t (n x k, owned by the twin), or NULL without a twin. */
pls_status pls_linear_twin_read(pls_linear_twin *twin, double **values);

/* f_lin_t = what the twin's values hold, after they were set in place. */
pls_status pls_linear_twin_write(pls_linear_twin *twin);

#endif
