/* The tangent kernel of a network at initialisation as all hidden widths go to infinity.
 *
 * With the `ntk` parameterization and a linear output layer of k outputs, K(w_0) -> Theta (x) I_k,
 * where Theta (n x n) depends on the inputs, the activations and sigma_w, sigma_b alone; a trace
 * kernel -> k Theta. (Jacot et al., arXiv 1806.07572; docs/theory.md for residual layers.) */
#ifndef PLSTAR_INFINITE_WIDTH_H
#define PLSTAR_INFINITE_WIDTH_H

#include "plstar/dataset.h"
#include "plstar/device.h"
#include "plstar/model.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct pls_infinite_width {
    int64_t samples; /* n */
    double *kernel;  /* Theta, n x n, both triangles */
    double lambda_min, lambda_max;
    double floor;  /* estimate of what rounding and quadrature may have moved them by */
    int64_t order; /* nodes of the largest Gauss-Hermite rule; 0 where closed forms sufficed */
    double error;  /* the sum over layers of the largest change of an expectation by the last
                      doubling of the rule, relative to sqrt(E[phi(u)^2] E[phi(v)^2]) */
} pls_infinite_width;

/* Theta for a model and the inputs of a data set; widths of hidden layers do not enter. The device
 * finds the eigenvalues. tolerance: of expectations without a closed form, as `error`; 0 stands for
 * 1e-12. *limit must be fresh; free it by pls_infinite_width_destroy(). Errors:
 * PLS_ERROR_UNSUPPORTED (no deterministic limit: standard parameterization, non-linear output),
 * PLS_ERROR_CONFIG, PLS_ERROR_DATA (the data does not fit the model), PLS_ERROR_NUMERIC (tolerance
 * not met, numbers not finite), PLS_ERROR_MEMORY, PLS_CANCELLED. */
pls_status pls_infinite_width_compute(pls_device *device, const pls_model *model,
                                      const pls_dataset *data, double tolerance,
                                      pls_infinite_width *limit);
void pls_infinite_width_destroy(pls_context *context, pls_infinite_width *limit);

/* ||K - Theta (x) I_k||_F / ||Theta (x) I_k||_F for a kernel on the host (n k x n k), or
 * ||K - k Theta||_F / ||k Theta||_F for a trace kernel (n x n). NaN where Theta is 0. */
double pls_infinite_width_distance(const pls_infinite_width *limit, int64_t outputs, bool trace,
                                   const double *kernel);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
