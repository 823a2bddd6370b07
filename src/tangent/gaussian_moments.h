/* E[phi(u_i) phi(u_j)], E[phi'(u_i) phi'(u_j)] and E[phi(u_i)] of Gaussian variables u_1 ... u_n of
 * mean 0: closed forms where they exist, else Hermite series whose order is doubled until no
 * expectation changes any more. */
#ifndef PLSTAR_TANGENT_GAUSSIAN_MOMENTS_H
#define PLSTAR_TANGENT_GAUSSIAN_MOMENTS_H

#include "plstar/context.h"
#include "tangent/gaussian_closed.h"

#include <stdint.h>

/* Hermite coefficients of phi(s_i x) and phi'(s_i x), one row a variable. */
typedef struct pls_coefficients {
    int64_t order;
    double *value, *slope;           /* n x order */
    double *value_norm, *slope_norm; /* n: the root of E[phi(u_i)^2], of E[phi'(u_i)^2] */
} pls_coefficients;

typedef struct pls_gaussian_moments {
    pls_activation phi;
    int64_t count;      /* n */
    double *variances;  /* n: s_i^2 */
    double *deviations; /* n: s_i */
    pls_coefficients series;
    int64_t order; /* of the rule; 0 for a closed form */
    double error;  /* the largest change by the last doubling, relative to
                      sqrt(E[phi(u_i)^2] E[phi(u_j)^2]); 0 for a closed form */
} pls_gaussian_moments;

/* Prepares the expectations for a covariance (n x n, lower triangle read). *moments must be fresh.
 * Errors: PLS_ERROR_NUMERIC when `tolerance` is not met by order 4,096, or the covariance is not
 * finite; PLS_ERROR_MEMORY, PLS_CANCELLED. */
pls_status pls_gaussian_moments_create(pls_context *context, pls_activation phi, int64_t n,
                                       const double *covariance, double tolerance,
                                       pls_gaussian_moments *moments);
void pls_gaussian_moments_destroy(pls_context *context, pls_gaussian_moments *moments);

/* The expectations of the pair i, j, whose covariance is c. */
pls_expectations pls_gaussian_moments_pair(const pls_gaussian_moments *moments, int64_t i,
                                           int64_t j, double c);

/* E[phi(u_i)] */
double pls_gaussian_moments_mean(const pls_gaussian_moments *moments, int64_t i);

#endif
