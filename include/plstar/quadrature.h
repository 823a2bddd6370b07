/* Traces and spectral densities of symmetric operators that are known by their products alone.
 *
 * Stochastic Lanczos quadrature (S. Ubaru, J. Chen, Y. Saad, SIAM J. Matrix Anal. Appl. 38, 2017):
 * with random signs z (Hutchinson's probes) and m steps of the Lanczos method from z,
 *     zT f(B) z ~ sum_j w_j f(theta_j),   sum_j w_j = ||z||^2 = size,
 * exact for polynomials f of degree below 2 m; the mean over the probes estimates tr f(B). */
#ifndef PLSTAR_QUADRATURE_H
#define PLSTAR_QUADRATURE_H

#include "plstar/context.h"
#include "plstar/types.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct pls_quadrature_options {
    int64_t probes; /* random sign vectors, at least 1 */
    int64_t steps;  /* of the Lanczos method a probe, at least 1; more than the size is the size */
    uint64_t seed;
} pls_quadrature_options;

/* 8 probes, 32 steps, seed 0. */
pls_quadrature_options pls_quadrature_options_defaults(void);

/* tr f(B) ~ sum_j weights[j] f(nodes[j]). */
typedef struct pls_quadrature {
    int64_t size;       /* of the operator */
    int64_t probes;     /* as asked for */
    double trace;       /* mean over the probes of zT B z */
    double trace_error; /* its standard error; NaN for a single probe */
    int64_t count;      /* nodes: probes times steps, less where a probe's Krylov space ended */
    double *nodes;      /* probe after probe, ascending within each */
    double *weights;    /* of tr f(B): they add up to the size */
} pls_quadrature;

/* density[i] = (1/size) sum_j weights[j] g(grid[i] - nodes[j]), g the normal density of standard
 * deviation `width` > 0: the eigenvalues' density, smoothed; its integral is 1. */
void pls_quadrature_density(const pls_quadrature *quadrature, double width, int64_t points,
                            const double *grid, double *density);

/* Frees nodes and weights. */
void pls_quadrature_destroy(pls_context *context, pls_quadrature *quadrature);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
