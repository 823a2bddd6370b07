/* The audit: the table of claims, and what all checks share; see audit.h.
 *
 * Of two comparisons the one with the smaller
 *     (bound - measured) / max(|bound|, error)
 * is the worse one. A law is violated if bound - measured < -error. */
#include "audit/audit.h"

#include "base/clock.h"
#include "base/memory.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const pls_claim claims[] = {
    {"7", "the PL ratio lies between the extreme eigenvalues", PLS_CLAIM_LAW,
     pls_check_pl_identity},
};

enum { COUNT = sizeof claims / sizeof claims[0] };

int pls_audit_claims(void) {
    return COUNT;
}

const char *pls_audit_claim(int index) {
    return index >= 0 && index < COUNT ? claims[index].claim : NULL;
}

const char *pls_audit_claim_title(int index) {
    return index >= 0 && index < COUNT ? claims[index].title : NULL;
}

pls_claim_kind pls_audit_claim_kind(int index) {
    return index >= 0 && index < COUNT ? claims[index].kind : PLS_CLAIM_LAW;
}

const char *pls_claim_kind_name(pls_claim_kind kind) {
    static const char *const names[] = {"law", "scaling", "picture"};
    return names[kind];
}

const char *pls_verdict_name(pls_verdict verdict) {
    static const char *const names[] = {"holds", "violated", "not applicable"};
    return names[verdict];
}

pls_audit_options pls_audit_options_defaults(void) {
    static const int64_t widths[] = {64, 128, 256, 512};
    return (pls_audit_options){.equations = 64,
                               .steps = 100,
                               .runs = 40,
                               .batch = 4,
                               .delta = 0.1,
                               .radius = 1.0,
                               .directions = 4,
                               .widths = widths,
                               .width_count = sizeof widths / sizeof widths[0],
                               .seeds = 3};
}

/* ---- what checks say ------------------------------------------------------------------------- */

double pls_audit_seen(const pls_audit *audit, const char *name, double value) {
    bool planted = audit->plant != NULL && strcmp(audit->plant->name, name) == 0;
    return planted ? audit->plant->factor * value : value;
}

/* -infinity where the comparison cannot be made. */
static double severity(double margin, double bound, double error) {
    double scale = fmax(fabs(bound), error);
    if (isnan(margin)) {
        return -INFINITY;
    }
    if (isinf(margin)) {
        return margin;
    }
    return scale > 0.0 ? margin / scale : margin;
}

static void compare(pls_claim_result *result, const char *formula, bool at_least, double measured,
                    double bound, double error) {
    double margin = at_least ? measured - bound : bound - measured;
    bool holds = margin >= -error;
    bool worse =
        severity(margin, bound, error) < severity(result->margin, result->bound, result->error);
    if (!holds && result->verdict == PLS_VERDICT_HOLDS) {
        result->verdict = PLS_VERDICT_VIOLATED;
        worse = true;
    } else if (holds && result->verdict == PLS_VERDICT_VIOLATED) {
        worse = false;
    }
    if (result->instances == 0 || worse) {
        result->formula = formula;
        result->at_least = at_least;
        result->measured = measured;
        result->bound = bound;
        result->margin = margin;
        result->error = error;
    }
    result->instances++;
}

void pls_claim_at_most(pls_claim_result *result, const char *formula, double measured, double bound,
                       double error) {
    compare(result, formula, false, measured, bound, error);
}

void pls_claim_at_least(pls_claim_result *result, const char *formula, double measured,
                        double bound, double error) {
    compare(result, formula, true, measured, bound, error);
}

void pls_claim_constant_is(pls_claim_result *result, const char *name, double value,
                           pls_evidence evidence) {
    int at = 0;
    while (at < result->constant_count && strcmp(result->constants[at].name, name) != 0) {
        at++;
    }
    if (at < PLS_CLAIM_CONSTANTS) {
        result->constants[at] = (pls_claim_constant){name, value, evidence};
        result->constant_count += at == result->constant_count;
    }
}

pls_status pls_claim_does_not_apply(pls_claim_result *result, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(result->detail, sizeof result->detail, format, arguments);
    va_end(arguments);
    result->verdict = PLS_VERDICT_NOT_APPLICABLE;
    result->measured = result->bound = result->margin = result->error = NAN;
    result->instances = 0;
    return PLS_OK;
}

void pls_claim_describe(pls_claim_result *result, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(result->detail, sizeof result->detail, format, arguments);
    va_end(arguments);
}

/* ---- running --------------------------------------------------------------------------------- */

static pls_status check_arguments(const pls_audit_subject *subject,
                                  const pls_audit_options *options, int index) {
    pls_context *context = subject->system->device->context;
    if (index < 0 || index >= COUNT) {
        return pls_fail(context, PLS_ERROR_ARGUMENT, "claim %d of the audit; 0 to %d were expected",
                        index, COUNT - 1);
    }
    bool counts = options->equations >= 0 && options->steps >= 1 && options->runs >= 2 &&
                  options->batch >= 1 && options->directions >= 1 && options->width_count >= 2 &&
                  options->seeds >= 2;
    bool numbers = options->radius > 0.0 && isfinite(options->radius) && options->delta > 0.0 &&
                   options->delta < 1.0;
    if (!counts || !numbers) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "options of the audit: steps, batch and directions of at least 1, runs, "
                        "widths and seeds of at least 2, a positive radius and a delta between 0 "
                        "and 1 were expected");
    }
    return PLS_OK;
}

/* The first samples of the subject in float64, as many as `equations` allows. */
static pls_status copy_subject(pls_audit *audit) {
    pls_system *system = audit->subject->system;
    pls_context *context = system->device->context;
    int64_t limit = audit->options->equations / system->outputs, *samples = NULL;
    int64_t count = system->samples;
    pls_status status = PLS_OK;
    if (audit->options->equations > 0 && count > limit) {
        count = pls_larger(limit, 1);
        audit->sampled = true;
    }
    PLS_TRY(context, pls_allocate(context, count, sizeof *samples, "the audit", &samples));
    for (int64_t i = 0; i < count; i++) {
        samples[i] = i;
    }
    PLS_TRY(context, pls_system_duplicate(system, samples, count, PLS_F64, &audit->system));
cleanup:
    pls_release(context, samples);
    return status;
}

pls_status pls_audit_check_planted(const pls_audit_subject *subject,
                                   const pls_audit_options *options, int index,
                                   const pls_audit_plant *plant, pls_claim_result *result) {
    pls_context *context = subject->system->device->context;
    pls_audit audit = {.subject = subject, .options = options, .plant = plant};
    double start = pls_clock();
    pls_status status = PLS_OK;
    memset(result, 0, sizeof *result);
    PLS_TRY(context, check_arguments(subject, options, index));
    result->claim = claims[index].claim;
    result->title = claims[index].title;
    result->kind = claims[index].kind;
    result->formula = "";
    PLS_TRY(context, copy_subject(&audit));
    PLS_TRY(context, claims[index].check(&audit, result));
    result->seconds = pls_clock() - start;
cleanup:
    pls_system_destroy(audit.system);
    return status;
}

pls_status pls_audit_check(const pls_audit_subject *subject, const pls_audit_options *options,
                           int index, pls_claim_result *result) {
    return pls_audit_check_planted(subject, options, index, NULL, result);
}
