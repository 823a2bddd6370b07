/* Claims 1, 2, 3', 4, 5, 6, 6', 11: exponents of the width m, by a small study of the subject's
 * network with other widths.
 *
 * The theory gives upper bounds O(m^-1/2), so a slope is at most -1/2, within its interval. Norms
 * of Hessians and what follows from them carry a factor sqrt(log m), the largest of m Gaussian
 * output weights, which is divided out. With a non-linear output or a bottleneck there is no such
 * bound, and the slopes of Hessian and kernel change are flat within 0.2; then only the width of
 * the bottleneck helps.
 *
 * The interval of few seeds may be so wide that it would hold whatever the slope. Such a comparison
 * is not made: a slope of at most -1/2 must be told from 0, and a flat one from +-1/2. */
#include "audit/audit.h"
#include "base/memory.h"
#include "study/study.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static const int64_t BOTTLENECKS[] = {1, 4, 16, 64};
enum { RESAMPLES = 1000, HESSIAN_SAMPLES = 1, NARROW = 4, DEEP = 3 };

/* A study in the making; all of it lives in one call. */
typedef struct scaling {
    pls_audit *audit;
    pls_claim_result *result;
    pls_study study;
    pls_model model;
    int64_t *seeds;
    double *x;            /* a number a cell: its place on the axis of the fit */
    pls_measured *values; /* PLS_QUANTITY_COUNT a cell */
    pls_axis_kind axis;
    bool silent;              /* a comparison was not made, since */
    char why[PLS_CLAIM_TEXT]; /* ... */
} scaling;

static void set_axis(scaling *s, pls_axis_kind axis, const int64_t *values, int64_t count) {
    s->study.axes[axis] = (pls_axis_values){values, count};
}

/* The study along the widths; quantities and other axes are to be chosen. */
static pls_status begin(scaling *s, pls_audit *audit, pls_claim_result *result) {
    const pls_audit_options *options = audit->options;
    pls_status status = PLS_OK;
    *s = (scaling){.audit = audit, .result = result, .axis = PLS_AXIS_WIDTH};
    if (audit->subject->model == NULL) {
        return pls_claim_does_not_apply(result, "the system is not a network: it has no width");
    }
    if (audit->subject->model->parameterization != PLS_PARAMETERIZATION_NTK) {
        return pls_claim_does_not_apply(
            result, "exponents of the width are those of the ntk parameterization; set "
                    "model.parameterization: ntk");
    }
    s->study = pls_study_defaults();
    s->model = *audit->subject->model;
    s->study.model = &s->model;
    s->study.data = &audit->data;
    s->study.radius = options->radius;
    s->study.directions = options->directions;
    s->study.steps = options->steps;
    s->study.hessian_samples = HESSIAN_SAMPLES;
    PLS_TRY(audit->context, pls_allocate(audit->context, options->seeds, sizeof *s->seeds,
                                         "the seeds of a claim", &s->seeds));
    for (int64_t i = 0; i < options->seeds; i++) {
        s->seeds[i] = (int64_t)(options->seed % 1000000007) + i;
    }
    set_axis(s, PLS_AXIS_WIDTH, options->widths, options->width_count);
    set_axis(s, PLS_AXIS_SEED, s->seeds, options->seeds);
cleanup:
    return status;
}

static void end(scaling *s) {
    if (s->audit != NULL) {
        pls_release(s->audit->context, s->seeds);
        pls_release(s->audit->context, s->x);
        pls_release(s->audit->context, s->values);
    }
}

static void ask(scaling *s, pls_quantity quantity) {
    s->study.quantities[quantity] = true;
}

static bool is_claimed(const scaling *s, pls_quantity quantity) {
    pls_cell cell = pls_study_cell(&s->study, 0);
    return pls_study_expectation(&s->study, &cell, quantity, false, s->axis).trend !=
               PLS_TREND_NONE ||
           pls_study_expectation(&s->study, &cell, quantity, true, s->axis).trend != PLS_TREND_NONE;
}

/* Measures all cells. A network for which there is no such study is a claim that does not apply. */
static pls_status measure(scaling *s) {
    pls_context *context = s->audit->context;
    int64_t cells = pls_study_cells(&s->study);
    pls_status status = pls_study_check(context, &s->study);
    for (int q = 0; q < PLS_QUANTITY_COUNT && status == PLS_OK; q++) {
        if (s->study.quantities[q] && !is_claimed(s, (pls_quantity)q)) {
            return pls_claim_does_not_apply(
                s->result, "the theory names no such exponent for a network whose output is not "
                           "linear; claim 5 is about these");
        }
    }
    if (status == PLS_ERROR_UNSUPPORTED || status == PLS_ERROR_CONFIG) {
        status = pls_claim_does_not_apply(s->result, "%s", pls_error_text(context));
        pls_error_clear(context);
        return status;
    }
    PLS_TRY(context, status);
    PLS_TRY(context, pls_allocate(context, cells, sizeof *s->x, "a claim", &s->x));
    PLS_TRY(context, pls_allocate(context, cells, PLS_QUANTITY_COUNT * sizeof *s->values, "a claim",
                                  &s->values));
    for (int64_t c = 0; c < cells; c++) {
        pls_cell cell = pls_study_cell(&s->study, c);
        s->x[c] = (double)cell.at[s->axis];
        PLS_TRY(context, pls_study_measure(s->audit->system->device, &s->study, &cell,
                                           s->values + c * PLS_QUANTITY_COUNT));
    }
cleanup:
    return status;
}

static pls_status fit(const scaling *s, pls_quantity quantity, bool divide_log, pls_fit *found) {
    pls_context *context = s->audit->context;
    int64_t cells = pls_study_cells(&s->study);
    double *y = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, cells, sizeof *y, "a fit", &y));
    for (int64_t c = 0; c < cells; c++) {
        y[c] = s->values[c * PLS_QUANTITY_COUNT + quantity].value;
    }
    PLS_TRY(context, pls_fit_power(context, s->x, y, cells, divide_log, RESAMPLES,
                                   s->audit->options->seed, found));

cleanup:
    pls_release(context, y);
    return status;
}

static bool applies(const scaling *s) {
    return s->result->verdict != PLS_VERDICT_NOT_APPLICABLE;
}

/* Ends a claim. Where a comparison was not made, and no other is violated, it does not hold. */
static void describe(const scaling *s, const char *what) {
    const pls_axis_values *axis = &s->study.axes[s->axis];
    if (s->silent && s->result->verdict == PLS_VERDICT_HOLDS) {
        pls_claim_does_not_apply(s->result, "%s", s->why);
        return;
    }
    pls_claim_describe(s->result,
                       "%s; %s %lld to %lld, %lld seeds each, %lld samples%s; the error is half a "
                       "95 %% interval%s%s",
                       what, pls_axis_name(s->axis), (long long)axis->values[0],
                       (long long)axis->values[axis->count - 1],
                       (long long)s->study.axes[PLS_AXIS_SEED].count,
                       (long long)s->study.data->samples,
                       pls_study_asks_hessians(&s->study) ? ", Hessians of the first one" : "",
                       s->silent ? "; " : "", s->why);
}

static void not_compared(scaling *s, const char *format, ...) PLS_PRINTF(2, 3);
static void not_compared(scaling *s, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(s->why, sizeof s->why, format, arguments);
    va_end(arguments);
    s->silent = true;
}

/* Why a quantity has no value: that of the first network without one. */
static const char *reason_of(const scaling *s, pls_quantity quantity) {
    for (int64_t c = 0; c < pls_study_cells(&s->study); c++) {
        const pls_measured *value = &s->values[c * PLS_QUANTITY_COUNT + quantity];
        if (value->reason != NULL) {
            return value->reason;
        }
    }
    return "it is 0";
}

/* The fit of a quantity; *told is false where there is none with an interval. */
static pls_status find(scaling *s, pls_quantity quantity, bool divide_log, pls_fit *found,
                       bool *told) {
    pls_status status = PLS_OK;
    PLS_TRY(s->audit->context, fit(s, quantity, divide_log, found));
    *told = isfinite(found->low) && isfinite(found->high);
    if (!*told) {
        not_compared(s, "%s has a value in %lld networks of %lld, too few for a slope: %s",
                     pls_quantity_name(quantity), (long long)found->points,
                     (long long)pls_study_cells(&s->study), reason_of(s, quantity));
    }
    double seen = pls_audit_seen(s->audit, "slope", found->slope), moved = seen - found->slope;
    found->slope = seen;
    found->low += moved;
    found->high += moved;
cleanup:
    return status;
}

/* What the theory expects of the slope; nothing where the interval could not have refuted it. */
static pls_status expect(scaling *s, pls_quantity quantity, bool divide_log, const char *formula) {
    pls_cell cell = pls_study_cell(&s->study, 0);
    pls_expectation expected =
        pls_study_expectation(&s->study, &cell, quantity, divide_log, s->axis);
    pls_fit found;
    bool told = false;
    pls_status status = PLS_OK;
    PLS_TRY(s->audit->context, find(s, quantity, divide_log, &found, &told));
    bool flat = expected.trend == PLS_TREND_FLAT;
    if (told && pls_fit_judge(&found, &expected) == PLS_SLOPE_UNDECIDED) {
        not_compared(s,
                     "undecided: the slope of %s is %.2f, with an interval from %.2f to %.2f that "
                     "holds %s; take more seeds or a longer range of widths",
                     pls_quantity_name(quantity), found.slope, found.low, found.high,
                     flat ? "one of 1/2 as well as a flat one" : "0 as well as what is expected");
    } else if (told) {
        pls_claim_at_most(s->result, formula, flat ? fabs(found.slope) : found.slope,
                          expected.bound,
                          flat ? 0.5 * (found.high - found.low) : found.slope - found.low);
    }
cleanup:
    return status;
}

/* ---- the claims --------------------------------------------------------------------------------
 */

pls_status pls_check_hessian_scaling(pls_audit *audit, pls_claim_result *result) {
    scaling s;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, begin(&s, audit, result));
    ask(&s, PLS_QUANTITY_HESSIAN_NORM);
    ask(&s, PLS_QUANTITY_HESSIAN_SPHERE);
    if (applies(&s)) {
        PLS_TRY(audit->context, measure(&s));
    }
    if (applies(&s)) {
        PLS_TRY(audit->context, expect(&s, PLS_QUANTITY_HESSIAN_NORM, true,
                                       "slope of max ||H_i(w_0)|| / sqrt(log m) <= -1/2"));
        PLS_TRY(audit->context, expect(&s, PLS_QUANTITY_HESSIAN_SPHERE, true,
                                       "slope of max ||H_i|| / sqrt(log m) on the sphere <= -1/2"));
        describe(&s, "norms at w_0, and the largest on a sphere around it, sampled");
    }
cleanup:
    end(&s);
    return status;
}

pls_status pls_check_gradient_scaling(pls_audit *audit, pls_claim_result *result) {
    scaling s;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, begin(&s, audit, result));
    ask(&s, PLS_QUANTITY_GRADIENT_NORM);
    if (applies(&s)) {
        PLS_TRY(audit->context, measure(&s));
    }
    if (applies(&s)) {
        PLS_TRY(audit->context, expect(&s, PLS_QUANTITY_GRADIENT_NORM, false,
                                       "|slope| of max ||grad F_i(w_0)|| <= 0.1"));
        describe(&s, "the largest of all gradients");
    }
cleanup:
    end(&s);
    return status;
}

pls_status pls_check_linearity_scaling(pls_audit *audit, pls_claim_result *result) {
    scaling s;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, begin(&s, audit, result));
    ask(&s, PLS_QUANTITY_NONLINEARITY);
    if (applies(&s)) {
        PLS_TRY(audit->context, measure(&s));
    }
    if (applies(&s)) {
        PLS_TRY(audit->context,
                expect(&s, PLS_QUANTITY_NONLINEARITY, true,
                       "slope of max |F_i - F_lin,i| / sqrt(log m) at distance R <= -1/2"));
        describe(&s, "the largest over random, steepest and most curved directions, sampled");
    }
cleanup:
    end(&s);
    return status;
}

pls_status pls_check_kernel_scaling(pls_audit *audit, pls_claim_result *result) {
    scaling s;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, begin(&s, audit, result));
    ask(&s, PLS_QUANTITY_KERNEL_CHANGE);
    if (applies(&s)) {
        PLS_TRY(audit->context, measure(&s));
    }
    if (applies(&s)) {
        PLS_TRY(audit->context, expect(&s, PLS_QUANTITY_KERNEL_CHANGE, false,
                                       "slope of max ||K_t - K_0|| / ||K_0|| <= -1/2"));
        describe(&s, "the largest along gradient descent");
    }
cleanup:
    end(&s);
    return status;
}

pls_status pls_check_conditioning_scaling(pls_audit *audit, pls_claim_result *result) {
    scaling s;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, begin(&s, audit, result));
    ask(&s, PLS_QUANTITY_MU_CHANGE);
    if (applies(&s)) {
        PLS_TRY(audit->context, measure(&s));
    }
    if (applies(&s)) {
        PLS_TRY(audit->context,
                expect(&s, PLS_QUANTITY_MU_CHANGE, false,
                       "slope of max |lambda_min(K) / lambda_min(K_0) - 1| <= -1/2"));
        describe(&s, "along gradient descent and on a sphere around w_0, sampled; mu often rises, "
                     "so that 1 - inf mu/mu_0 would read 0");
    }
cleanup:
    end(&s);
    return status;
}

/* ||H|| and the kernel's change, flat. */
static pls_status check_flat(scaling *s, const char *what) {
    pls_context *context = s->audit->context;
    pls_status status = PLS_OK;
    ask(s, PLS_QUANTITY_HESSIAN_NORM);
    ask(s, PLS_QUANTITY_KERNEL_CHANGE);
    PLS_TRY(context, measure(s));
    if (applies(s)) {
        PLS_TRY(context,
                expect(s, PLS_QUANTITY_HESSIAN_NORM, false, "|slope| of max ||H_i(w_0)|| <= 0.2"));
        PLS_TRY(context, expect(s, PLS_QUANTITY_KERNEL_CHANGE, false,
                                "|slope| of max ||K_t - K_0|| / ||K_0|| <= 0.2"));
        describe(s, what);
    }
cleanup:
    return status;
}

pls_status pls_check_output_scaling(pls_audit *audit, pls_claim_result *result) {
    static const int64_t swish = PLS_SWISH;
    scaling s;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, begin(&s, audit, result));
    set_axis(&s, PLS_AXIS_OUTPUT, &swish, 1);
    if (applies(&s)) {
        PLS_TRY(audit->context, check_flat(&s, "swish on the last layer"));
    }
cleanup:
    end(&s);
    return status;
}

pls_status pls_check_bottleneck_scaling(pls_audit *audit, pls_claim_result *result) {
    static const int64_t narrow = NARROW, deep = DEEP;
    scaling s;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, begin(&s, audit, result));
    set_axis(&s, PLS_AXIS_BOTTLENECK, &narrow, 1);
    set_axis(&s, PLS_AXIS_DEPTH, &deep, 1);
    if (applies(&s)) {
        PLS_TRY(audit->context,
                check_flat(&s, "three hidden layers, the middle one a bottleneck of width 4"));
    }
cleanup:
    end(&s);
    return status;
}

pls_status pls_check_bottleneck_width(pls_audit *audit, pls_claim_result *result) {
    static const int64_t deep = DEEP;
    const pls_audit_options *options = audit->options;
    scaling s;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, begin(&s, audit, result));
    s.axis = PLS_AXIS_BOTTLENECK;
    set_axis(&s, PLS_AXIS_WIDTH, options->widths + options->width_count - 1, 1);
    set_axis(&s, PLS_AXIS_BOTTLENECK, BOTTLENECKS, sizeof BOTTLENECKS / sizeof BOTTLENECKS[0]);
    set_axis(&s, PLS_AXIS_DEPTH, &deep, 1);
    ask(&s, PLS_QUANTITY_HESSIAN_NORM);
    if (applies(&s)) {
        PLS_TRY(audit->context, measure(&s));
    }
    if (applies(&s)) {
        PLS_TRY(audit->context, expect(&s, PLS_QUANTITY_HESSIAN_NORM, false,
                                       "slope of max ||H_i(w_0)|| against the bottleneck's width "
                                       "< 0"));
        describe(&s, "three wide hidden layers but for the middle one");
    }
cleanup:
    end(&s);
    return status;
}
