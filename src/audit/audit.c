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
    {"1", "Hessians fall with the width", PLS_CLAIM_SCALING, pls_check_hessian_scaling},
    {"2", "Gradients do not fall with the width", PLS_CLAIM_SCALING, pls_check_gradient_scaling},
    {"3", "F is close to linear where its Hessians are small", PLS_CLAIM_LAW, pls_check_taylor},
    {"3'", "Wide networks become linear", PLS_CLAIM_SCALING, pls_check_linearity_scaling},
    {"4", "The kernel of a wide network changes little", PLS_CLAIM_SCALING,
     pls_check_kernel_scaling},
    {"5", "With a non-linear output the kernel changes at every width", PLS_CLAIM_SCALING,
     pls_check_output_scaling},
    {"5'", "The kernel of a non-linear output", PLS_CLAIM_LAW, pls_check_output_map},
    {"6", "With a bottleneck the kernel changes at every width", PLS_CLAIM_SCALING,
     pls_check_bottleneck_scaling},
    {"6'", "A wider bottleneck lets Hessians fall", PLS_CLAIM_SCALING, pls_check_bottleneck_width},
    {"7", "The PL ratio lies between the extreme eigenvalues", PLS_CLAIM_LAW,
     pls_check_pl_identity},
    {"8", "Gradient descent stays in the ball and converges", PLS_CLAIM_LAW,
     pls_check_gradient_descent},
    {"8'", "Gradient descent with the constants of a smooth loss", PLS_CLAIM_LAW,
     pls_check_smooth_loss},
    {"8''", "Gradient descent on cross entropy, down to a loss", PLS_CLAIM_LAW,
     pls_check_cross_entropy},
    {"9", "Stochastic gradient descent converges", PLS_CLAIM_LAW, pls_check_stochastic_descent},
    {"10", "Hessians bound how fast mu can fall", PLS_CLAIM_LAW, pls_check_conditioning},
    {"11", "In a wide network mu changes little", PLS_CLAIM_SCALING,
     pls_check_conditioning_scaling},
    {"12", "Beside a solution the loss is not convex", PLS_CLAIM_PICTURE, pls_check_nonconvexity},
    {"13", "The interpolation threshold P = N", PLS_CLAIM_PICTURE, pls_check_threshold},
    {"14", "Generic matrices are well conditioned", PLS_CLAIM_LAW, pls_check_generic_conditioning},
    {"15", "Kernels of transformed and composed systems", PLS_CLAIM_LAW, pls_check_transformations},
    {"16", "Almost over-parameterised: PL* down to a loss", PLS_CLAIM_PICTURE, pls_check_almost},
    {"17", "Constancy of the kernel is not needed", PLS_CLAIM_PICTURE, pls_check_constancy},
    {"18", "Steps below, between and above the critical ones", PLS_CLAIM_PICTURE,
     pls_check_critical_step},
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
    bool holds = margin >= -error && isfinite(error);
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
    result->formula = "";
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

int64_t pls_audit_samples(const pls_audit_options *options, int64_t samples, int64_t outputs) {
    int64_t limit = pls_larger(options->equations / outputs, 1);
    return options->equations > 0 ? pls_smaller(samples, limit) : samples;
}

/* The first samples of the subject in float64, as many as `equations` allows. */
static pls_status copy_subject(pls_audit *audit) {
    pls_system *system = audit->subject->system;
    pls_context *context = audit->context;
    int64_t count = pls_audit_samples(audit->options, system->samples, system->outputs);
    int64_t *samples = NULL;
    pls_status status = PLS_OK;
    audit->sampled = count < system->samples;
    PLS_TRY(context, pls_allocate(context, count, sizeof *samples, "the audit", &samples));
    for (int64_t i = 0; i < count; i++) {
        samples[i] = i;
    }
    PLS_TRY(context, pls_system_duplicate(system, samples, count, PLS_F64, &audit->system));
    if (audit->subject->data != NULL) {
        audit->data = *audit->subject->data;
        audit->data.samples = count;
    }
cleanup:
    pls_release(context, samples);
    return status;
}

/* Where the system stands, and what is there. */
static pls_status look(pls_audit *audit) {
    pls_context *context = audit->context;
    const char *what = "the audit";
    pls_point at;
    pls_status status = PLS_OK;
    audit->parameters = pls_system_parameters(audit->system);
    audit->equations = pls_system_equations(audit->system);
    audit->rounding =
        audit->system->kind->rounding_growth(audit->system) * pls_dtype_roundoff(PLS_F64);
    PLS_TRY(context,
            pls_allocate(context, audit->parameters, sizeof(double), what, &audit->origin));
    PLS_TRY(context, pls_allocate(context, audit->parameters, sizeof(double), what, &audit->point));
    PLS_TRY(context,
            pls_allocate(context, audit->equations, sizeof(double), what, &audit->outputs));
    PLS_TRY(context, pls_system_get_weights(audit->system, audit->origin));
    PLS_TRY(context, pls_system_measure(audit->system, PLS_LOSS_SQUARE, &at, audit->outputs, NULL));
    PLS_TRY(context, pls_kernel_create(audit->system, NULL, &audit->kernel));
    audit->residual = sqrt(2.0 * at.loss);
cleanup:
    return status;
}

static void leave(pls_audit *audit) {
    pls_kernel_destroy(audit->kernel);
    pls_system_destroy(audit->system);
    pls_release(audit->context, audit->origin);
    pls_release(audit->context, audit->point);
    pls_release(audit->context, audit->outputs);
}

pls_status pls_audit_return(pls_audit *audit) {
    return pls_system_set_weights(audit->system, audit->origin);
}

pls_status pls_audit_spectrum(pls_audit *audit, pls_spectrum *spectrum) {
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, pls_kernel_compute(audit->kernel));
    PLS_TRY(audit->context, pls_kernel_spectrum(audit->kernel, NULL, spectrum));
cleanup:
    return status;
}

double pls_known_minimum(const pls_spectrum *spectrum) {
    return spectrum->below_floor ? 0.0 : spectrum->lambda_min;
}

double pls_output_error(const pls_audit *audit) {
    double size = 0.0;
    for (int64_t i = 0; i < audit->equations; i++) {
        size += audit->outputs[i] * audit->outputs[i];
    }
    return 2.0 * audit->rounding * (sqrt(size) + audit->residual);
}

double pls_loss_error(const pls_audit *audit, double loss) {
    double error = pls_output_error(audit);
    return error * sqrt(2.0 * loss) + 0.5 * error * error;
}

pls_status pls_audit_smoothness(pls_audit *audit, pls_smoothness *smoothness, bool *known) {
    pls_status status = pls_system_smoothness(audit->system, smoothness);
    *known = status == PLS_OK;
    if (status == PLS_ERROR_UNSUPPORTED) {
        pls_error_clear(audit->context);
        status = PLS_OK;
    }
    return status;
}

pls_status pls_audit_require_smooth(pls_audit *audit, pls_claim_result *result, bool *smooth) {
    pls_status status = pls_second_supported(audit->system, NULL);
    *smooth = status == PLS_OK;
    if (status == PLS_ERROR_UNSUPPORTED) {
        status = pls_claim_does_not_apply(result, "%s", pls_error_text(audit->context));
        pls_error_clear(audit->context);
    }
    return status;
}

pls_status pls_audit_check_planted(const pls_audit_subject *subject,
                                   const pls_audit_options *options, int index,
                                   const pls_audit_plant *plant, pls_claim_result *result) {
    pls_context *context = subject->system->device->context;
    pls_audit audit = {.subject = subject, .options = options, .plant = plant, .context = context};
    double start = pls_clock();
    pls_status status = PLS_OK;
    memset(result, 0, sizeof *result);
    PLS_TRY(context, check_arguments(subject, options, index));
    result->claim = claims[index].claim;
    result->title = claims[index].title;
    result->kind = claims[index].kind;
    result->formula = "";
    PLS_TRY(context, copy_subject(&audit));
    PLS_TRY(context, look(&audit));
    PLS_TRY(context, claims[index].check(&audit, result));
    if (result->verdict == PLS_VERDICT_HOLDS && result->instances == 0) {
        pls_claim_does_not_apply(result, "there was nothing to compare");
    }
    result->seconds = pls_clock() - start;
cleanup:
    leave(&audit);
    return status;
}

pls_status pls_audit_check(const pls_audit_subject *subject, const pls_audit_options *options,
                           int index, pls_claim_result *result) {
    return pls_audit_check_planted(subject, options, index, NULL, result);
}
