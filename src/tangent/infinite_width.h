/* The recursion behind pls_infinite_width_compute(), over a chain of layers. */
#ifndef PLSTAR_TANGENT_INFINITE_WIDTH_H
#define PLSTAR_TANGENT_INFINITE_WIDTH_H

#include "plstar/infinite_width.h"

/* One layer with parameters: alpha' = phi(z), or alpha + phi(z) if it is residual. */
typedef struct pls_chain_layer {
    bool residual;
    pls_activation activation;
} pls_chain_layer;

typedef struct pls_chain {
    double weight_variance; /* sigma_w^2 */
    double bias_variance;   /* sigma_b^2, 0 without biases */
    int64_t depth;
    const pls_chain_layer *layers; /* the last one is linear and gives the outputs */
} pls_chain;

/* Theta, order and error of a chain on inputs n x d (host); lambda_min, lambda_max and floor are
 * left as they are. *limit must be fresh. Errors: as pls_infinite_width_compute(). */
pls_status pls_chain_infinite_width(pls_context *context, const pls_chain *chain, int64_t n,
                                    int64_t d, const double *inputs, double tolerance,
                                    pls_infinite_width *limit);

#endif
