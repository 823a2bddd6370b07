/* The inside of the audit: what a check gets, and how it says what it found.
 *
 * A check makes comparisons; the result keeps the one of least margin relative to
 * max(error, |bound|). Every constant and every measurement that a law depends on passes through
 * pls_audit_seen(), where a test plants a falsehood to see the check fail. */
#ifndef PLSTAR_AUDIT_AUDIT_H
#define PLSTAR_AUDIT_AUDIT_H

#include "base/error.h"
#include "plstar/audit.h"
#include "plstar/plstar.h"
#include "system/system.h"

/* A falsehood: what is called `name` is taken to be `factor` times its value. */
typedef struct pls_audit_plant {
    const char *name; /* "mu", "L_F", "beta_F", "step", "kernel", "hessian", ... */
    double factor;
} pls_audit_plant;

typedef struct pls_audit {
    const pls_audit_subject *subject;
    const pls_audit_options *options;
    const pls_audit_plant *plant; /* NULL: none */
    pls_context *context;
    pls_system *system; /* float64 copy of the subject's, at w_0, its first samples */
    pls_dataset data;   /* of these samples, where the subject is a network; borrows */
    bool sampled;       /* samples of the subject were left out */
    pls_kernel *kernel; /* of the system */
    int64_t parameters, equations;
    double *origin;  /* P: w_0 */
    double *outputs; /* N: F(w_0) */
    double *point;   /* P, scratch */
    double residual; /* ||r_0|| */
    double rounding; /* relative error of F and J by rounding */
    double block;    /* of claim 9: the largest trace of a sample's block of K(w_0) */
} pls_audit;

typedef struct pls_claim {
    const char *claim, *title;
    pls_claim_kind kind;
    pls_status (*check)(pls_audit *audit, pls_claim_result *result);
} pls_claim;

/* Back to w_0. */
pls_status pls_audit_return(pls_audit *audit);

/* The spectrum of K at the system's present weights; to be destroyed. */
pls_status pls_audit_spectrum(pls_audit *audit, pls_spectrum *spectrum);

/* lambda_min as far as it is known: 0 where it lies below its floor. */
double pls_known_minimum(const pls_spectrum *spectrum);

/* ||F - F computed|| at most, near w_0. */
double pls_output_error(const pls_audit *audit);

/* What rounding may have changed a loss ||r||^2/2 by, r known to error_of_f. */
double pls_loss_error(const pls_audit *audit, double loss);

/* beta_F of the system; *known is false where it is not known. */
pls_status pls_audit_smoothness(pls_audit *audit, pls_smoothness *smoothness, bool *known);

/* *smooth is false where F has no second derivatives, and the claim is then told that it does not
 * apply. */
pls_status pls_audit_require_smooth(pls_audit *audit, pls_claim_result *result, bool *smooth);

/* value, or what was planted in its stead. */
double pls_audit_seen(const pls_audit *audit, const char *name, double value);

/* Both take part in the verdict: measured <= bound, and measured >= bound. `error` bounds the
 * numerical error of the difference. A number that is not finite counts as a violation, but an
 * infinite bound of the right sign holds. */
void pls_claim_at_most(pls_claim_result *result, const char *formula, double measured, double bound,
                       double error);
void pls_claim_at_least(pls_claim_result *result, const char *formula, double measured,
                        double bound, double error);

/* An entry of a kernel behind tanh: |mapped - phi'(zi) phi'(zj) plain| relative to
 * phi'(zi) phi'(zj) scale, which must be 0 but for rounding. */
void pls_compare_mapped_entry(const pls_audit *audit, pls_claim_result *result, const char *formula,
                              double mapped, double plain, double scale, double zi, double zj);

/* Records a constant, once a name: a second value replaces the first. */
void pls_claim_constant_is(pls_claim_result *result, const char *name, double value,
                           pls_evidence evidence);

/* The verdict that the claim does not apply, and why; wins over comparisons. Returns PLS_OK. */
pls_status pls_claim_does_not_apply(pls_claim_result *result, const char *format, ...)
    PLS_PRINTF(2, 3);

/* How it was measured. */
void pls_claim_describe(pls_claim_result *result, const char *format, ...) PLS_PRINTF(2, 3);

/* pls_audit_check() with a falsehood planted; plant may be NULL. */
pls_status pls_audit_check_planted(const pls_audit_subject *subject,
                                   const pls_audit_options *options, int index,
                                   const pls_audit_plant *plant, pls_claim_result *result);

/* ---- checks, a file each --------------------------------------------------------------------- */

pls_status pls_check_hessian_scaling(pls_audit *audit, pls_claim_result *result);      /* 1 */
pls_status pls_check_gradient_scaling(pls_audit *audit, pls_claim_result *result);     /* 2 */
pls_status pls_check_taylor(pls_audit *audit, pls_claim_result *result);               /* 3 */
pls_status pls_check_linearity_scaling(pls_audit *audit, pls_claim_result *result);    /* 3' */
pls_status pls_check_kernel_scaling(pls_audit *audit, pls_claim_result *result);       /* 4 */
pls_status pls_check_output_scaling(pls_audit *audit, pls_claim_result *result);       /* 5 */
pls_status pls_check_output_map(pls_audit *audit, pls_claim_result *result);           /* 5' */
pls_status pls_check_bottleneck_scaling(pls_audit *audit, pls_claim_result *result);   /* 6 */
pls_status pls_check_bottleneck_width(pls_audit *audit, pls_claim_result *result);     /* 6' */
pls_status pls_check_pl_identity(pls_audit *audit, pls_claim_result *result);          /* 7 */
pls_status pls_check_gradient_descent(pls_audit *audit, pls_claim_result *result);     /* 8 */
pls_status pls_check_smooth_loss(pls_audit *audit, pls_claim_result *result);          /* 8' */
pls_status pls_check_cross_entropy(pls_audit *audit, pls_claim_result *result);        /* 8'' */
pls_status pls_check_stochastic_descent(pls_audit *audit, pls_claim_result *result);   /* 9 */
pls_status pls_check_conditioning(pls_audit *audit, pls_claim_result *result);         /* 10 */
pls_status pls_check_conditioning_scaling(pls_audit *audit, pls_claim_result *result); /* 11 */
pls_status pls_check_nonconvexity(pls_audit *audit, pls_claim_result *result);         /* 12 */
pls_status pls_check_threshold(pls_audit *audit, pls_claim_result *result);            /* 13 */
pls_status pls_check_generic_conditioning(pls_audit *audit, pls_claim_result *result); /* 14 */
pls_status pls_check_transformations(pls_audit *audit, pls_claim_result *result);      /* 15 */
pls_status pls_check_almost(pls_audit *audit, pls_claim_result *result);               /* 16 */
pls_status pls_check_constancy(pls_audit *audit, pls_claim_result *result);            /* 17 */
pls_status pls_check_critical_step(pls_audit *audit, pls_claim_result *result);        /* 18 */

#endif
