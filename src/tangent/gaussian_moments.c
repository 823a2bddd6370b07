/* The order of the series.
 *
 * An error of quadrature is judged by what doubling the order changes. It is largest where the
 * variables are parallel: there every term of the series counts. So the pairs (i, i) are looked at
 * first, and all others only when these have converged. */
#include "tangent/gaussian_moments.h"

#include "backend/activation.h"
#include "base/memory.h"
#include "tangent/hermite.h"

#include <float.h>
#include <math.h>

enum { FIRST_ORDER = 32, LAST_ORDER = 4096 };

/* ---- coefficients ---------------------------------------------------------------------------- */

static void destroy_coefficients(pls_context *context, pls_coefficients *series) {
    pls_release(context, series->value);
    pls_release(context, series->slope);
    pls_release(context, series->value_norm);
    pls_release(context, series->slope_norm);
    *series = (pls_coefficients){0};
}

static pls_status allocate_coefficients(pls_context *context, int64_t n, pls_coefficients *series) {
    size_t row = (size_t)series->order * sizeof(double);
    const char *what = "the Hermite coefficients of activations";
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, n, row, what, &series->value));
    PLS_TRY(context, pls_allocate(context, n, row, what, &series->slope));
    PLS_TRY(context, pls_allocate(context, n, sizeof(double), what, &series->value_norm));
    PLS_TRY(context, pls_allocate(context, n, sizeof(double), what, &series->slope_norm));
cleanup:
    return status;
}

/* One variable's coefficients; `values` is room for as many numbers as the rule has nodes. */
static void expand(const pls_hermite_rule *rule, pls_activation phi, double deviation, int64_t i,
                   double *values, pls_coefficients *series) {
    int64_t order = rule->order;
    double *value = series->value + i * order, *slope = series->slope + i * order;
    for (int64_t q = 0; q < order; q++) {
        values[q] = pls_activate_f64(phi, deviation * rule->nodes[q]);
    }
    pls_hermite_transform(rule, values, value);
    for (int64_t q = 0; q < order; q++) {
        values[q] = pls_activation_slope_f64(phi, deviation * rule->nodes[q]);
    }
    pls_hermite_transform(rule, values, slope);
    series->value_norm[i] = sqrt(pls_hermite_series(order, value, value, 1.0));
    series->slope_norm[i] = sqrt(pls_hermite_series(order, slope, slope, 1.0));
}

/* *series must be fresh. */
static pls_status create_coefficients(pls_context *context, const pls_gaussian_moments *moments,
                                      int64_t order, pls_coefficients *series) {
    pls_hermite_rule rule = {0};
    double *values = NULL;
    pls_status status = PLS_OK;
    *series = (pls_coefficients){.order = order};
    PLS_TRY(context, pls_hermite_rule_create(context, order, &rule));
    PLS_TRY(context, allocate_coefficients(context, moments->count, series));
    PLS_TRY(context, pls_allocate(context, order, sizeof *values, "values at nodes", &values));
    for (int64_t i = 0; i < moments->count; i++) {
        PLS_TRY(context, pls_check_cancelled(context));
        expand(&rule, moments->phi, moments->deviations[i], i, values, series);
    }
cleanup:
    pls_release(context, values);
    pls_hermite_rule_destroy(context, &rule);
    if (status != PLS_OK) {
        destroy_coefficients(context, series);
    }
    return status;
}

/* ---- expectations ---------------------------------------------------------------------------- */

/* A variable with itself or an equal one is correlated by 1, whatever roots and quotients round
 * to. A constant variable (s = 0) has no term but the first. */
static double correlation(const pls_gaussian_moments *moments, int64_t i, int64_t j, double c) {
    if (c == moments->variances[i] && c == moments->variances[j]) {
        return 1.0;
    }
    if (moments->deviations[i] == 0.0 || moments->deviations[j] == 0.0) {
        return 0.0;
    }
    return fmin(fmax(c / moments->deviations[i] / moments->deviations[j], -1.0), 1.0);
}

static pls_expectations sum(const pls_coefficients *series, int64_t i, int64_t j, double rho) {
    int64_t order = series->order, length = pls_hermite_length(rho, order);
    return (pls_expectations){
        pls_hermite_series(length, series->value + i * order, series->value + j * order, rho),
        pls_hermite_series(length, series->slope + i * order, series->slope + j * order, rho)};
}

pls_expectations pls_gaussian_moments_pair(const pls_gaussian_moments *moments, int64_t i,
                                           int64_t j, double c) {
    if (moments->order == 0) {
        return pls_gaussian_closed(moments->phi, moments->variances[i], moments->variances[j], c);
    }
    return sum(&moments->series, i, j, correlation(moments, i, j, c));
}

double pls_gaussian_moments_mean(const pls_gaussian_moments *moments, int64_t i) {
    return moments->order == 0 ? pls_gaussian_closed_mean(moments->phi, moments->variances[i])
                               : moments->series.value[i * moments->order];
}

/* ---- the order ------------------------------------------------------------------------------- */

/* The larger; NaN if one is. */
static double worse(double a, double b) {
    return a > b || isnan(a) ? a : b;
}

/* What doubling the order changed in the expectations of one pair. DBL_MIN: numbers at the end of
 * the range have few digits. */
static double change(const pls_gaussian_moments *moments, const pls_coefficients *coarse,
                     const pls_coefficients *fine, int64_t i, int64_t j, double c) {
    double rho = correlation(moments, i, j, c);
    pls_expectations before = sum(coarse, i, j, rho), after = sum(fine, i, j, rho);
    return worse(
        fabs(after.value - before.value) / (fine->value_norm[i] * fine->value_norm[j] + DBL_MIN),
        fabs(after.slope - before.slope) / (fine->slope_norm[i] * fine->slope_norm[j] + DBL_MIN));
}

static pls_status largest_change(pls_context *context, const pls_gaussian_moments *moments,
                                 const double *covariance, const pls_coefficients *coarse,
                                 const pls_coefficients *fine, double tolerance, double *error) {
    int64_t n = moments->count;
    pls_status status = PLS_OK;
    *error = 0.0;
    for (int64_t i = 0; i < n; i++) {
        *error = worse(*error, change(moments, coarse, fine, i, i, moments->variances[i]));
    }
    for (int64_t i = 0; i < n && *error <= tolerance; i++) {
        PLS_TRY(context, pls_check_cancelled(context));
        for (int64_t j = 0; j < i; j++) {
            double c = covariance[i * n + j];
            *error = worse(*error, change(moments, coarse, fine, i, j, c));
        }
    }
cleanup:
    return status;
}

static pls_status fail_order(pls_context *context, const pls_gaussian_moments *moments,
                             int64_t order, double tolerance) {
    double largest = 0.0;
    for (int64_t i = 0; i < moments->count; i++) {
        largest = fmax(largest, moments->deviations[i]);
    }
    return pls_fail(context, PLS_ERROR_NUMERIC,
                    "infinite width: expectations of %s over Gaussian variables of deviation up to "
                    "%.3g still change by %.2g when the Gauss-Hermite rule goes from %lld to %lld "
                    "nodes, and %.2g was asked for; scale the inputs (data.normalize) or "
                    "model.sigma_w down, or allow more (output.infinite_tolerance)",
                    pls_activation_name(moments->phi), largest, moments->error,
                    (long long)(order / 2), (long long)order, tolerance);
}

static pls_status raise_order(pls_context *context, const double *covariance, double tolerance,
                              pls_gaussian_moments *moments) {
    pls_coefficients coarse = {0}, fine = {0};
    pls_status status = PLS_OK;
    PLS_TRY(context, create_coefficients(context, moments, FIRST_ORDER, &coarse));
    do {
        PLS_TRY(context, create_coefficients(context, moments, 2 * coarse.order, &fine));
        PLS_TRY(context, largest_change(context, moments, covariance, &coarse, &fine, tolerance,
                                        &moments->error));
        destroy_coefficients(context, &coarse);
        coarse = fine;
        fine = (pls_coefficients){0};
    } while (!(moments->error <= tolerance) && coarse.order < LAST_ORDER);
    if (!(moments->error <= tolerance)) {
        status = fail_order(context, moments, coarse.order, tolerance);
        goto cleanup;
    }
    moments->order = coarse.order;
    moments->series = coarse;
    coarse = (pls_coefficients){0};
cleanup:
    destroy_coefficients(context, &fine);
    destroy_coefficients(context, &coarse);
    return status;
}

static pls_status take_variances(pls_context *context, const double *covariance,
                                 pls_gaussian_moments *moments) {
    int64_t n = moments->count;
    for (int64_t i = 0; i < n; i++) {
        double variance = covariance[i * n + i];
        if (!(variance >= 0.0) || !isfinite(variance)) {
            return pls_fail(context, PLS_ERROR_NUMERIC,
                            "infinite width: the variance of sample %lld's preactivations is %g; "
                            "scale the inputs (data.normalize) or model.sigma_w down",
                            (long long)i, variance);
        }
        moments->variances[i] = variance;
        moments->deviations[i] = sqrt(variance);
    }
    return PLS_OK;
}

pls_status pls_gaussian_moments_create(pls_context *context, pls_activation phi, int64_t n,
                                       const double *covariance, double tolerance,
                                       pls_gaussian_moments *moments) {
    const char *what = "the variances of preactivations";
    pls_status status = PLS_OK;
    *moments = (pls_gaussian_moments){.phi = phi, .count = n};
    PLS_TRY(context, pls_allocate(context, n, sizeof(double), what, &moments->variances));
    PLS_TRY(context, pls_allocate(context, n, sizeof(double), what, &moments->deviations));
    PLS_TRY(context, take_variances(context, covariance, moments));
    if (!pls_gaussian_is_closed(phi)) {
        PLS_TRY(context, raise_order(context, covariance, tolerance, moments));
    }
cleanup:
    if (status != PLS_OK) {
        pls_gaussian_moments_destroy(context, moments);
    }
    return status;
}

void pls_gaussian_moments_destroy(pls_context *context, pls_gaussian_moments *moments) {
    pls_release(context, moments->variances);
    pls_release(context, moments->deviations);
    destroy_coefficients(context, &moments->series);
    *moments = (pls_gaussian_moments){0};
}
