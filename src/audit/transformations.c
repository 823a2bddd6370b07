/* Claim 15: systems made from systems.
 *
 *     output map Phi:   K_(Phi o F) = J_Phi K J_Phi^T,   lambda_min >= mu / rho^2
 *     domain map Psi:   K_(F o Psi) = DF J_Psi J_Psi^T DF^T,   lambda_min >= mu / rho^2
 * with rho = ||J^(-1)|| of the map at the point. Both maps are elementwise here, so rho is the
 * largest 1/|phi'|, and both identities are held entry by entry: the second one against rows of DF.
 *     composition h = g o f, each with weights of its own:   K_h - K_g >= 0
 * as a matrix: the row of J for all weights is the one for the last tensor's and the one for the
 * others side by side. */
#include "audit/audit.h"
#include "base/memory.h"

#include <math.h>

/* Numbers of a Jacobian that is formed on the host, and its rows of which all pairs are taken. */
static const int64_t MOST_NUMBERS = (int64_t)1 << 26;
enum { MOST_ROWS = 16 };

/* A kernel of less has no spectrum to be found: products of its elements leave the range of
 * numbers. */
static const double VANISHED = 1e-100;

/* The digits of phi' = 1 - tanh^2 that have to be left. */
static const double LEAST_DIGITS = 0.01;

typedef struct transformation {
    pls_audit *audit;
    pls_claim_result *result;
    int64_t size;
    double *before, *after; /* N x N */
    double *values;         /* of the map's derivative */
} transformation;

/* Whether a kernel on the host is as good as 0, so that no spectrum can be found. */
static bool has_vanished(const transformation *t, const double *kernel) {
    double largest = 0.0;
    for (int64_t i = 0; i < t->size; i++) {
        largest = fmax(largest, kernel[i * t->size + i]);
    }
    return largest < VANISHED;
}

static double tanh_slope(double z) {
    double cosine = cosh(z);
    return 1.0 / (cosine * cosine);
}

/* Khat_ij = phi'_i phi'_j K_ij for phi = tanh. What computes 1 - tanh^2 knows phi' to a rounding of
 * 1, not of phi'. */
void pls_compare_mapped_entry(const pls_audit *audit, pls_claim_result *result, const char *formula,
                              double mapped, double plain, double scale, double zi, double zj) {
    double si = tanh_slope(zi), sj = tanh_slope(zj), all = si * sj * scale;
    double lost = 4.0 * pls_dtype_roundoff(PLS_F64) * (1.0 / si + 1.0 / sj);
    double error = 64.0 * audit->rounding + lost;
    if (!(lost <= LEAST_DIGITS)) {
        return; /* saturated: there is nothing to compare */
    }
    pls_claim_at_most(result, formula, all > 0.0 ? fabs(mapped - si * sj * plain) / all : 0.0, 0.0,
                      error);
}

/* The kernel of a system on the host, and its smallest eigenvalue. */
static pls_status take_kernel(const transformation *t, pls_system *system, double *host,
                              pls_spectrum *spectrum) {
    pls_context *context = t->audit->context;
    pls_kernel *kernel = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_kernel_create(system, NULL, &kernel));
    PLS_TRY(context, pls_kernel_compute(kernel));
    PLS_TRY(context, pls_kernel_download(kernel, host));
    spectrum->below_floor = has_vanished(t, host);
    if (!spectrum->below_floor) {
        PLS_TRY(context, pls_kernel_spectrum(kernel, NULL, spectrum));
    }
cleanup:
    pls_kernel_destroy(kernel);
    return status;
}

/* outer o copy of the subject, or copy of the subject o inner. */
static pls_status compose(pls_system *outer, pls_system *inner, pls_system **composed) {
    pls_status status = pls_composed_system_create(outer, inner, composed);
    if (status != PLS_OK) {
        pls_system_destroy(outer);
        pls_system_destroy(inner);
    }
    return status;
}

/* lambda_min(after) >= slope^2 lambda_min(before). A minimum below its floor is known to lie
 * between 0 and that floor, which is in the error: a kernel that has lost its rank is found out. */
static void compare_minima(const transformation *t, const char *formula, const pls_spectrum *before,
                           const pls_spectrum *after, double slope) {
    double mu = pls_audit_seen(t->audit, "mu", before->lambda_min);
    if (before->below_floor) {
        return; /* the bound is 0 as far as it is known */
    }
    double error = after->floor + after->lambda_min_residual +
                   slope * slope * (before->floor + before->lambda_min_residual);
    pls_claim_at_least(t->result, formula, pls_known_minimum(after), slope * slope * mu, error);
}

/* ---- output map --------------------------------------------------------------------------------
 */

static void compare_entries(const transformation *t) {
    const double *z = t->audit->outputs;
    for (int64_t i = 0; i < t->size; i++) {
        for (int64_t j = 0; j < t->size; j++) {
            double k = pls_audit_seen(t->audit, "kernel", t->before[i * t->size + j]);
            double scale = sqrt(t->before[i * t->size + i] * t->before[j * t->size + j]);
            pls_compare_mapped_entry(t->audit, t->result,
                                     "|K_(Phi o F) - J_Phi K J_Phi^T|, relative, entry by entry",
                                     t->after[i * t->size + j], k, scale, z[i], z[j]);
        }
    }
}

static pls_status map_outputs(transformation *t) {
    pls_audit *audit = t->audit;
    pls_context *context = audit->context;
    pls_system *outer = NULL, *copy = NULL, *composed = NULL;
    pls_spectrum before = {0}, after = {0};
    double least = INFINITY;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_elementwise_system_create(audit->system->device, PLS_F64,
                                                   audit->system->samples, audit->system->outputs,
                                                   PLS_TANH, NULL, audit->outputs, &outer));
    PLS_TRY(context,
            pls_system_duplicate(audit->system, NULL, audit->system->samples, PLS_F64, &copy));
    status = compose(outer, copy, &composed);
    outer = copy = NULL;
    PLS_TRY(context, status);
    for (int64_t i = 0; i < t->size; i++) {
        t->values[i] = tanh_slope(audit->outputs[i]);
        least = fmin(least, t->values[i]);
    }
    PLS_TRY(context, take_kernel(t, audit->system, t->before, &before));
    PLS_TRY(context, take_kernel(t, composed, t->after, &after));
    compare_entries(t);
    compare_minima(t, "lambda_min(K_(Phi o F)) >= mu / rho^2", &before, &after, least);
    pls_claim_constant_is(t->result, "rho of Phi", 1.0 / least, PLS_EVIDENCE_EXACT);
cleanup:
    pls_system_destroy(outer);
    pls_system_destroy(copy);
    pls_system_destroy(composed);
    pls_spectrum_destroy(context, &before);
    pls_spectrum_destroy(context, &after);
    return status;
}

/* ---- domain map --------------------------------------------------------------------------------
 */

/* |K_ij - sum over weights of J_i s^2 J_j| of the first equations, s = phi' at every weight, J rows
 * of DF. What computes s knows it to a rounding of 1: that changes entries by sum |J_i J_j| s, at
 * most the root of the product of sum J^2 s of i and j. */
static void compare_rows(const transformation *t, const double *rows, int64_t count) {
    const pls_audit *audit = t->audit;
    int64_t p = audit->parameters;
    double roundoff = pls_dtype_roundoff(PLS_F64), loss[MOST_ROWS] = {0};
    for (int64_t i = 0; i < count; i++) {
        for (int64_t c = 0; c < p; c++) {
            loss[i] += rows[i * p + c] * rows[i * p + c] * tanh_slope(audit->origin[c]);
        }
    }
    for (int64_t i = 0; i < count; i++) {
        for (int64_t j = 0; j <= i; j++) {
            double sum = 0.0, found = t->after[i * t->size + j];
            for (int64_t c = 0; c < p; c++) {
                double slope = tanh_slope(audit->origin[c]);
                sum += rows[i * p + c] * slope * slope * rows[j * p + c];
            }
            double scale = sqrt(t->after[i * t->size + i] * t->after[j * t->size + j]);
            double error =
                64.0 * audit->rounding * scale + 8.0 * roundoff * sqrt(loss[i] * loss[j]);
            pls_claim_at_most(t->result, "|K_(F o Psi) - DF J_Psi J_Psi^T DF^T|, entry by entry",
                              fabs(found - pls_audit_seen(audit, "domain", sum)), 0.0, error);
        }
    }
}

/* The identity of the domain map, F standing at Psi(w_0). */
static pls_status compare_domain(const transformation *t) {
    pls_audit *audit = t->audit;
    int64_t k = audit->system->outputs, samples = pls_smaller(MOST_ROWS / k, t->size / k);
    double *rows = NULL;
    pls_status status = PLS_OK;
    if (samples == 0 || samples * k > MOST_NUMBERS / audit->parameters) {
        return PLS_OK;
    }
    PLS_TRY(audit->context,
            pls_allocate(audit->context, samples * k, (size_t)audit->parameters * sizeof *rows,
                         "rows of the Jacobian", &rows));
    PLS_TRY(audit->context, pls_system_jacobian(audit->system, 0, samples, rows));
    compare_rows(t, rows, samples * k);
cleanup:
    pls_release(audit->context, rows);
    return status;
}

/* F o Psi stands at v = w_0, F itself at Psi(w_0). */
static pls_status map_domain(transformation *t) {
    pls_audit *audit = t->audit;
    pls_context *context = audit->context;
    pls_system *inner = NULL, *copy = NULL, *composed = NULL;
    pls_spectrum before = {0}, after = {0};
    double least = INFINITY;
    pls_status status = PLS_OK;
    PLS_TRY(context,
            pls_elementwise_system_create(audit->system->device, PLS_F64, audit->parameters, 1,
                                          PLS_TANH, audit->origin, audit->origin, &inner));
    PLS_TRY(context,
            pls_system_duplicate(audit->system, NULL, audit->system->samples, PLS_F64, &copy));
    status = compose(copy, inner, &composed);
    inner = copy = NULL;
    PLS_TRY(context, status);
    for (int64_t i = 0; i < audit->parameters; i++) {
        double w = audit->origin[i];
        audit->point[i] = tanh(w);
        least = fmin(least, tanh_slope(w));
    }
    PLS_TRY(context, pls_system_set_weights(audit->system, audit->point));
    PLS_TRY(context, take_kernel(t, audit->system, t->before, &before));
    PLS_TRY(context, take_kernel(t, composed, t->after, &after));
    compare_minima(t, "lambda_min(K_(F o Psi)) >= mu / rho^2", &before, &after, least);
    PLS_TRY(context, compare_domain(t));
    pls_claim_constant_is(t->result, "rho of Psi", 1.0 / least, PLS_EVIDENCE_EXACT);
    PLS_TRY(context, pls_audit_return(audit));
cleanup:
    pls_system_destroy(inner);
    pls_system_destroy(copy);
    pls_system_destroy(composed);
    pls_spectrum_destroy(context, &before);
    pls_spectrum_destroy(context, &after);
    return status;
}

/* ---- composition -------------------------------------------------------------------------------
 */

/* The first weight of the last tensor; 0 if there is only one. */
static int64_t last_tensor(const pls_system *system) {
    char name[64];
    int rank;
    int64_t shape[8], first = 0, at = 0;
    for (int64_t i = 0; system->kind->tensor(system, i, name, &rank, shape, &first); i++) {
        at = first;
    }
    return at;
}

/* before = K - K_last, K_last from rows of J. */
static void take_last_away(transformation *t, const double *rows, int64_t first) {
    int64_t p = t->audit->parameters;
    for (int64_t i = 0; i < t->size; i++) {
        for (int64_t j = 0; j < t->size; j++) {
            double sum = 0.0;
            for (int64_t c = first; c < p; c++) {
                sum += rows[i * p + c] * rows[j * p + c];
            }
            t->before[i * t->size + j] -= pls_audit_seen(t->audit, "kernel", sum);
        }
    }
}

/* lambda_min of a symmetric matrix on the host, as the kernel of a linear system would be too
 * strict: it may be negative. By the full spectrum of the device. */
static pls_status smallest(const transformation *t, double *lambda_min) {
    pls_device *device = t->audit->system->device;
    pls_context *context = device->context;
    pls_arena arena = pls_arena_measuring(device);
    pls_view matrix, values;
    pls_status status = PLS_OK;
    for (int pass = 0; pass < 2; pass++) {
        PLS_TRY(context, pls_arena_take(&arena, PLS_F64, t->size, t->size, &matrix));
        PLS_TRY(context, pls_arena_take(&arena, PLS_F64, 1, t->size, &values));
        if (pass == 0) {
            PLS_TRY(context, pls_arena_reserve(&arena, "claim 15"));
        }
    }
    PLS_TRY(context, pls_upload(device, t->before, t->size, matrix));
    PLS_TRY(context, pls_syevd(device, false, matrix, values));
    PLS_TRY(context, pls_download(device, values, t->values, t->size));
    *lambda_min = t->values[0];
cleanup:
    pls_arena_destroy(&arena);
    return status;
}

static pls_status take_apart(transformation *t) {
    pls_audit *audit = t->audit;
    pls_context *context = audit->context;
    int64_t first = last_tensor(audit->system);
    pls_spectrum whole = {0};
    double *rows = NULL, least = 0.0;
    pls_status status = PLS_OK;
    if (first == 0 || t->size > MOST_NUMBERS / audit->parameters) {
        return PLS_OK;
    }
    PLS_TRY(context, pls_allocate(context, t->size, (size_t)audit->parameters * sizeof *rows,
                                  "rows of the Jacobian", &rows));
    PLS_TRY(context, take_kernel(t, audit->system, t->before, &whole));
    PLS_TRY(context, pls_system_jacobian(audit->system, 0, audit->system->samples, rows));
    take_last_away(t, rows, first);
    PLS_TRY(context, smallest(t, &least));
    pls_claim_at_least(t->result, "lambda_min(K_(g o f) - K_g) >= 0", least, 0.0,
                       2.0 * whole.floor +
                           (double)t->size * pls_dtype_roundoff(PLS_F64) * whole.lambda_max);
cleanup:
    pls_spectrum_destroy(context, &whole);
    pls_release(context, rows);
    return status;
}

/* ---- all of it ----------------------------------------------------------------------------------
 */

pls_status pls_check_transformations(pls_audit *audit, pls_claim_result *result) {
    transformation t = {.audit = audit, .result = result, .size = audit->equations};
    pls_context *context = audit->context;
    size_t row = (size_t)t.size * sizeof(double);
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, t.size, row, "claim 15", &t.before));
    PLS_TRY(context, pls_allocate(context, t.size, row, "claim 15", &t.after));
    PLS_TRY(context, pls_allocate(context, t.size, sizeof(double), "claim 15", &t.values));
    PLS_TRY(context, map_outputs(&t));
    PLS_TRY(context, map_domain(&t));
    PLS_TRY(context, take_apart(&t));
    pls_claim_describe(result, "Phi = tanh on every output, Psi = tanh on every weight, and the "
                               "last tensor of weights as g");
cleanup:
    pls_release(context, t.before);
    pls_release(context, t.after);
    pls_release(context, t.values);
    return status;
}
