/* Second derivatives of a system: the Hessian of the loss and those of single outputs.
 *
 *     H_(i,a) = D^2 F_(i,a)(w)                                                        P x P
 *     H_L     = D^2 L(w) = J^T l''(f) J + sum over i and a of l'(f)_(i,a) H_(i,a)     P x P
 *         square         l' = f - y,             l'' = 1
 *         cross entropy  l' = softmax(f) - y,    l''_i = diag(p) - p p^T, p = softmax(f_i)
 *
 * ||H_(i,a)|| bounds the change of the tangent kernel (arXiv 2003.00307, section 4). The loss of an
 * over-parameterised system is convex in no neighbourhood of a minimum (section 3 there), which
 * shows in a negative lambda_min(H_L).
 *
 * No matrix is formed: products with H are exact to rounding, by a forward tangent and the tangent
 * of its reverse (B. Pearlmutter, Neural Computation 6, 1994), and norms come from the Lanczos
 * method.
 *
 * All functions work at the system's present weights and in float64: a float32 system is measured
 * on a float64 copy of its weights and data, so that no residual ends at the rounding of float32.
 * Results are host arrays of the caller.
 *
 * Errors of all: PLS_ERROR_UNSUPPORTED for systems without second derivatives, and for those with
 * kinks unless options->kinks_are_zero; PLS_ERROR_CONFIG for cross entropy with targets that are
 * not probabilities; PLS_ERROR_NUMERIC for numbers that are not finite; PLS_ERROR_ARGUMENT for
 * options that make no sense; PLS_ERROR_MEMORY (with the bytes needed); PLS_CANCELLED. `options`
 * may be NULL: the defaults. */
#ifndef PLSTAR_SECOND_H
#define PLSTAR_SECOND_H

#include "plstar/quadrature.h"
#include "plstar/system.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct pls_second_options {
    double tolerance;    /* of norms: residual ||H x - theta x|| over the norm of H */
    uint64_t seed;       /* of start vectors */
    bool kinks_are_zero; /* go on where F has kinks (relu), and take phi'' for 0 there, as it is
                            beside them; the numbers then know nothing of the jumps of phi' */
    int64_t memory;      /* bytes that Lanczos vectors may take; 0 = 4 GiB. It decides how many
                            problems are iterated at once and how long their bases are, and so
                            may change the last bits of norms, unlike any other memory option */
} pls_second_options;

/* Tolerance 1e-10, seed 0, kinks refused, memory 0. */
pls_second_options pls_second_options_defaults(void);

/* PLS_OK where the functions below can do their work: of the errors above the first. */
pls_status pls_second_supported(pls_system *system, const pls_second_options *options);

/* product = H_L v; v, product: P numbers. The tolerance is not used. */
pls_status pls_loss_hessian_product(pls_system *system, pls_loss loss,
                                    const pls_second_options *options, const double *v,
                                    double *product);

/* product = H_(sample, output) v; v, product: P numbers. The tolerance is not used.
 * Errors: also PLS_ERROR_ARGUMENT for a sample or output that is not there. */
pls_status pls_output_hessian_product(pls_system *system, int64_t sample, int64_t output,
                                      const pls_second_options *options, const double *v,
                                      double *product);

/* An eigenvalue found by the Lanczos method: an eigenvalue of H lies within `residual` of it
 * (||x|| = 1, H symmetric). That it is the extreme one rests on the random start vector. */
typedef struct pls_eigenvalue {
    double value;       /* Rayleigh quotient */
    double residual;    /* ||H x - value x||, measured by a product of its own */
    int64_t iterations; /* products with H */
    bool converged;     /* the residual asked for was reached; else the library has warned */
} pls_eigenvalue;

typedef struct pls_loss_hessian {
    double norm;                      /* ||H_L||, the larger of the two magnitudes */
    double norm_residual;             /* of the eigenvalue that it is */
    pls_eigenvalue largest, smallest; /* lambda_max and lambda_min */
} pls_loss_hessian;

/* The extreme eigenvalues of H_L. */
pls_status pls_loss_hessian_norm(pls_system *system, pls_loss loss,
                                 const pls_second_options *options, pls_loss_hessian *result);

/* norms[i k + a] = the spectral norm of H_(samples[i], a), for all k outputs of `count` listed
 * samples (host indices, repetitions allowed; NULL: samples 0 .. count-1); count k entries of the
 * caller. Their `value` is the norm, so never negative. Many are iterated at once; which others
 * are asked for at the same time changes no bit of one. Errors: also PLS_ERROR_ARGUMENT for a
 * sample that is not there. */
pls_status pls_output_hessian_norms(pls_system *system, const int64_t *samples, int64_t count,
                                    const pls_second_options *options, pls_eigenvalue *norms);

/* Trace and spectral density of H_L. *result must be zeroed or fresh; free it by
 * pls_quadrature_destroy(). quadrature may be NULL: the defaults. Errors: also
 * PLS_ERROR_ARGUMENT for numbers of probes or steps below 1. */
pls_status pls_loss_hessian_quadrature(pls_system *system, pls_loss loss,
                                       const pls_quadrature_options *quadrature,
                                       const pls_second_options *options, pls_quadrature *result);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
