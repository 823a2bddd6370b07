/* Losses of a system's outputs, always sums over samples.
 *
 *     square         L = 1/2 ||f - y||^2,                      dL/df = f - y
 *     cross entropy  L = sum_i H(y_i, softmax f_i),            dL/df = softmax f - y
 *
 * PL ratio rho = 1/2 ||grad L||^2 / L (arXiv 2003.00307, Definition of PL*). For the square loss
 * rho = rT K r / ||r||^2 lies between the extreme eigenvalues of K; for cross entropy it is a
 * number on its own, defined only while the infimum of the loss is 0, that is for one-hot
 * targets. */
#ifndef PLSTAR_SYSTEM_LOSS_H
#define PLSTAR_SYSTEM_LOSS_H

#include "system/system.h"

/* residual = dL/df, gradient (1 x P) = JT dL/df and *value = L for the samples last evaluated; f,
 * y, residual: count x k; losses: count x 1 f64 and total: 1 x 1 f64 are scratch. Waits for the
 * loss. Errors: PLS_ERROR_CONFIG for cross entropy with targets that are not probabilities. */
pls_status pls_loss_gradient(pls_system *system, pls_loss loss, pls_view f, pls_view y,
                             pls_view residual, pls_view losses, pls_view total, pls_view gradient,
                             double *value);

/* *norm = ||gradient||; total: 1 x 1 f64 scratch. Waits for the device. */
pls_status pls_gradient_norm(pls_device *device, pls_view gradient, pls_view total, double *norm);

/* The PL ratio, or NaN where it is not defined. */
double pls_pl_ratio(const pls_system *system, pls_loss loss, double value, double gradient_norm);

#endif
