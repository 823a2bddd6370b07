/* The constants of the paper's theorems and the step size they promise convergence for.
 *
 * Theorem (GD under PL*, arXiv 2003.00307; see docs/theory.md): with L_F = sup ||DF||,
 * beta_F the smoothness of F and mu = inf lambda_min(K) over the ball B(w_0, R),
 *     R = 2 L_F ||r_0|| / mu,   eta <= 1 / (L_F^2 + beta_F ||r_0||)
 * keep GD in the ball, with L_t <= (1 - eta mu)^t L_0. */
#ifndef PLSTAR_THEORY_H
#define PLSTAR_THEORY_H

#include "plstar/tangent.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct pls_constants {
    pls_evidence evidence;
    double residual_norm;  /* ||r_0|| */
    double mu;             /* of lambda_min(K); 0 where it is below its floor */
    double lipschitz;      /* L_F */
    double smoothness;     /* beta_F */
    double radius;         /* R; infinite when mu is 0 */
    double sampled_radius; /* of the ball that was sampled; R unless that kept growing */
    double step_size;      /* 1 / (L_F^2 + beta_F ||r_0||) */
    int64_t points;        /* at which the constants were sampled */
} pls_constants;

/* Estimates the constants for the square loss at the system's weights, which are restored.
 * beta_F at a point is max over unit v of ||D^2 F(v, v)||, found by the symmetric higher-order
 * power iteration with finite differences of F and J^T u; points: w_0 and both ends of the ball
 * along the steepest and the most curved direction, and again where the ball has grown by what
 * was found. The trace option of `kernel` is passed over. Errors: those of kernel and spectrum. */
pls_status pls_constants_estimate(pls_system *system, const pls_kernel_options *kernel,
                                  uint64_t seed, pls_constants *constants);

/* Constants over a ball B(w_0, R) around the system's weights, for systems whose smoothness is
 * known (pls_system_smoothness). With J_0 = J(w_0) and sigma its least singular value,
 *     L_F <= ||J_0|| + beta_F R,    lambda_min(K(w)) >= max(0, sigma - beta_F R)^2,
 * since J is Lipschitz with constant beta_F. Both hold with equality where beta_F R = 0. The
 * extreme eigenvalues of K(w_0) are measured in float64 and taken up to their floor. */
typedef struct pls_ball_constants {
    double radius;     /* R */
    double mu;         /* lambda_min(K) in the ball; 0 where it may be singular */
    double lipschitz;  /* L_F */
    double smoothness; /* beta_F */
    pls_evidence mu_evidence, lipschitz_evidence, smoothness_evidence; /* exact or bounded */
} pls_ball_constants;

/* radius: finite, not negative. The trace option of `kernel` (may be NULL) is passed over. Errors:
 * PLS_ERROR_ARGUMENT, PLS_ERROR_UNSUPPORTED (beta_F is not known), those of kernel and spectrum. */
pls_status pls_constants_in_ball(pls_system *system, const pls_kernel_options *kernel,
                                 double radius, pls_ball_constants *constants);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
