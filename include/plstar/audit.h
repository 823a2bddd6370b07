/* The audit: every claim of the theory that applies to a system, measured on both sides.
 *
 * Kinds of claims:
 *   law      an inequality that holds exactly; beyond the stated numerical error it cannot fail
 *            unless a premise or this program is wrong
 *   scaling  an exponent over widths, with an interval
 *   picture  a demonstration with a number
 * Formulas, sources and what each check does: docs/audit.md. */
#ifndef PLSTAR_AUDIT_H
#define PLSTAR_AUDIT_H

#include "plstar/study.h"
#include "plstar/system.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef enum pls_claim_kind { PLS_CLAIM_LAW, PLS_CLAIM_SCALING, PLS_CLAIM_PICTURE } pls_claim_kind;

/* "law", "scaling", "picture". */
const char *pls_claim_kind_name(pls_claim_kind kind);

typedef enum pls_verdict {
    PLS_VERDICT_HOLDS,
    PLS_VERDICT_VIOLATED,
    PLS_VERDICT_NOT_APPLICABLE
} pls_verdict;

/* "holds", "violated", "not applicable". */
const char *pls_verdict_name(pls_verdict verdict);

enum { PLS_CLAIM_CONSTANTS = 8, PLS_CLAIM_TEXT = 400 };

typedef struct pls_claim_constant {
    const char *name; /* "L_F", static */
    double value;
    pls_evidence evidence;
} pls_claim_constant;

/* A claim, checked. Of all inequalities that were looked at this is the one of least margin
 * relative to its error and bound. */
typedef struct pls_claim_result {
    const char *claim;   /* "1" ... "18"; with a prime where a number has a second part; static */
    const char *title;   /* static */
    const char *formula; /* what is compared, "||w_t - w_0|| <= R"; static */
    pls_claim_kind kind;
    pls_verdict verdict;
    double measured, bound; /* measured <= bound, or measured >= bound where `at_least` */
    bool at_least;
    double margin;     /* by how much it holds: bound - measured, or measured - bound */
    double error;      /* numerical error of that difference; violated if margin < -error */
    int64_t instances; /* inequalities that were looked at */
    pls_claim_constant constants[PLS_CLAIM_CONSTANTS];
    int constant_count;
    char detail[PLS_CLAIM_TEXT]; /* why it does not apply; else how it was measured */
    double seconds;
} pls_claim_result;

/* What is audited: a system, which stands at w_0. The network it is, if it is one, with which laws
 * about widths and layers are checked. */
typedef struct pls_audit_subject {
    pls_system *system;
    const pls_model *model;  /* NULL: not a network */
    const pls_dataset *data; /* with model */
} pls_audit_subject;

typedef struct pls_audit_options {
    uint64_t seed;     /* of directions, batches, sampled networks */
    int64_t equations; /* most rows N of the kernels that are looked at: samples beyond are
                          left out; 0 = all */
    int64_t steps;     /* of a run */
    int64_t runs;      /* of SGD, and matrices of claim 14 */
    int64_t batch;
    double delta;          /* share of SGD runs that may leave the ball */
    double radius;         /* R of claims about a ball around w_0, where no theorem sets it */
    int64_t directions;    /* in which a ball is sampled */
    const int64_t *widths; /* of scaling claims */
    int64_t width_count;
    int64_t seeds; /* of networks a width */
} pls_audit_options;

/* seed 0, 64 equations, 100 steps, 40 runs, batch 4, delta 0.1, radius 1, 4 directions, widths 64,
 * 128, 256, 512, 3 seeds. */
pls_audit_options pls_audit_options_defaults(void);

/* The claims there are, in order: how many, and the name of the i-th ("8'"). */
int pls_audit_claims(void);
const char *pls_audit_claim(int index);
const char *pls_audit_claim_title(int index);
pls_claim_kind pls_audit_claim_kind(int index);

/* How many of `samples` samples of a system with that many outputs are looked at: the first. */
int64_t pls_audit_samples(const pls_audit_options *options, int64_t samples, int64_t outputs);

/* Checks claim `index`; the system stands where it stood afterwards. A claim that does not apply is
 * a verdict, not an error. Errors: PLS_CANCELLED, PLS_ERROR_MEMORY, PLS_ERROR_DEVICE,
 * PLS_ERROR_NUMERIC, PLS_ERROR_CALLBACK. */
pls_status pls_audit_check(const pls_audit_subject *subject, const pls_audit_options *options,
                           int index, pls_claim_result *result);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
