/* The quadratic system F_i(w) = wT Q_i w / 2 + a_iT w, Q_i symmetric.
 *
 *     row i of J       s_i = Q_i w + a_i,      F_i = (s_i + a_i)T w / 2
 *     second order     (sum over i of u_i Q_i) v, the same at every w
 *     beta_F = sup over unit v of ||(vT Q_i v)_i||: ||Q_1|| for one equation, in general at most
 *         sqrt(sum of ||Q_i||^2)   and   sqrt(lambda_max(M)), M_ij = tr Q_i Q_j,
 *     the latter because (vT Q_i v)_i is linear in v vT, whose norm is 1.
 *
 * All Q_i lie under one another, (N P) x P, so that all Q_i w are one product with a vector. */
#include "backend/phase.h"
#include "base/memory.h"
#include "system/system.h"

#include <lapacke.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct quadratic_system {
    pls_system base;
    pls_arena arena;
    double *q_host, *a_host, *y_host, *start; /* N P x P, N x P, N, P */
    pls_view q;                               /* N P x P */
    pls_view a;                               /* N x P */
    pls_view listed_a;                        /* N x P: rows of listed samples */
    pls_view slopes;                          /* N x P: rows of J of the samples last evaluated */
    int64_t *selection;                       /* N: these, if they were listed */
    int64_t selected;
    bool listed;
} quadratic_system;

static void destroy(pls_system *base) {
    quadratic_system *system = (quadratic_system *)base;
    pls_context *context = base->device->context;
    pls_arena_destroy(&system->arena);
    pls_release(context, system->q_host);
    pls_release(context, system->a_host);
    pls_release(context, system->y_host);
    pls_release(context, system->start);
    pls_release(context, system->selection);
    pls_release(context, system);
}

static pls_status initialize(pls_system *base) {
    return pls_upload_f64(base->device, ((quadratic_system *)base)->start, base->weights);
}

/* Row r of products = v_r Q of the r-th sample last evaluated; v: 1 x P (the same for all) or
 * count x P. */
static pls_status multiply(quadratic_system *system, pls_view v, pls_view products) {
    pls_system *base = &system->base;
    pls_context *context = base->device->context;
    int64_t p = base->parameters;
    pls_status status = PLS_OK;
    if (!system->listed && v.rows == 1) {
        return pls_gemm(base->device, PLS_PLAIN, PLS_TRANSPOSED, 1.0, system->q, v, 0.0,
                        pls_view_reshape(products, base->samples * p, 1));
    }
    for (int64_t r = 0; r < system->selected; r++) {
        int64_t i = system->listed ? system->selection[r] : r;
        PLS_TRY(context,
                pls_gemm(base->device, PLS_PLAIN, PLS_PLAIN, 1.0,
                         v.rows == 1 ? v : pls_view_rows(v, r, 1),
                         pls_view_rows(system->q, i * p, p), 0.0, pls_view_rows(products, r, 1)));
    }
cleanup:
    return status;
}

static pls_view current_slopes(const quadratic_system *system) {
    return pls_view_rows(system->slopes, 0, system->selected);
}

static pls_status evaluate(pls_system *base, const int64_t *samples, int64_t count, pls_view out) {
    quadratic_system *system = (quadratic_system *)base;
    pls_device *device = base->device;
    pls_context *context = device->context;
    pls_view a = system->a;
    pls_status status = PLS_OK;
    system->listed = samples != NULL;
    system->selected = count;
    if (samples != NULL) {
        memcpy(system->selection, samples, (size_t)count * sizeof *samples);
        a = pls_view_rows(system->listed_a, 0, count);
        PLS_TRY(context, pls_gather_rows(device, system->a, samples, a));
    }
    pls_view slopes = current_slopes(system);
    PLS_TRY(context, multiply(system, base->weights, slopes));
    PLS_TRY(context,
            pls_gemm(device, PLS_PLAIN, PLS_TRANSPOSED, 0.5, slopes, base->weights, 0.0, out));
    PLS_TRY(context, pls_gemm(device, PLS_PLAIN, PLS_TRANSPOSED, 1.0, a, base->weights, 1.0, out));
    PLS_TRY(context, pls_axpby(device, 1.0, a, 1.0, slopes));
cleanup:
    return status;
}

static pls_status pullback(pls_system *base, pls_view u, pls_view g) {
    return pls_gemm(base->device, PLS_TRANSPOSED, PLS_PLAIN, 1.0, u,
                    current_slopes((quadratic_system *)base), 0.0, g);
}

static pls_status jacobian(pls_system *base, int64_t first, int64_t count, pls_arena *arena,
                           pls_view out) {
    if (arena->buffer == NULL) {
        return PLS_OK;
    }
    return pls_copy(base->device, pls_view_rows(((quadratic_system *)base)->slopes, first, count),
                    out);
}

static pls_status pushforward(pls_system *base, pls_view v, pls_arena *arena, pls_view out) {
    if (arena->buffer == NULL) {
        return PLS_OK;
    }
    return pls_gemm(base->device, PLS_PLAIN, PLS_TRANSPOSED, 1.0,
                    current_slopes((quadratic_system *)base), v, 0.0, out);
}

static pls_status curvature(pls_system *base, pls_view u, pls_view v, pls_arena *arena,
                            pls_view out) {
    quadratic_system *system = (quadratic_system *)base;
    pls_device *device = base->device;
    pls_context *context = device->context;
    int64_t mark = pls_arena_mark(arena);
    pls_view products = pls_no_view(); /* count x P */
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, base->precision, u.rows, base->parameters, &products));
    if (arena->buffer == NULL) {
        goto cleanup;
    }
    PLS_TRY(context, multiply(system, v, products));
    if (v.rows == 1) {
        PLS_TRY(context, pls_gemm(device, PLS_TRANSPOSED, PLS_PLAIN, 1.0, u, products, 0.0, out));
    } else {
        PLS_TRY(context, pls_outer_rows(device, 1.0, 1, u, products, out));
    }
cleanup:
    pls_arena_release(arena, mark);
    return status;
}

/* Q_i w adds P products, a_i one; K is quadratic in J. */
static double rounding_growth(const pls_system *base) {
    return 2.0 * (sqrt((double)base->parameters) + 3.0);
}

static bool tensor(const pls_system *base, int64_t i, char name[64], int *rank, int64_t shape[8],
                   int64_t *first) {
    snprintf(name, 64, "weights");
    *rank = 1;
    shape[0] = base->parameters;
    *first = 0;
    return i == 0;
}

/* ---- beta_F -----------------------------------------------------------------------------------
 */

/* Largest absolute eigenvalue of a symmetric matrix, which is destroyed. */
static pls_status symmetric_norm(pls_context *context, int64_t size, double *matrix, double *values,
                                 double *norm) {
    lapack_int order = (lapack_int)size;
    lapack_int info = LAPACKE_dsyev(LAPACK_ROW_MAJOR, 'N', 'L', order, matrix, order, values);
    if (info != 0) {
        return pls_fail(
            context, info == LAPACK_WORK_MEMORY_ERROR ? PLS_ERROR_MEMORY : PLS_ERROR_NUMERIC,
            "the eigenvalues of a quadratic form were not found (LAPACK dsyev: %d)", (int)info);
    }
    *norm = fmax(fabs(values[0]), fabs(values[size - 1]));
    return PLS_OK;
}

/* sum of ||Q_i||^2; matrix: P x P, values: P */
static pls_status sum_of_squares(const quadratic_system *system, double *matrix, double *values,
                                 double *sum) {
    pls_context *context = system->base.device->context;
    int64_t p = system->base.parameters;
    pls_status status = PLS_OK;
    *sum = 0.0;
    for (int64_t i = 0; i < system->base.samples; i++) {
        double norm = 0.0;
        PLS_TRY(context, pls_check_cancelled(context));
        memcpy(matrix, system->q_host + i * p * p, (size_t)(p * p) * sizeof *matrix);
        PLS_TRY(context, symmetric_norm(context, p, matrix, values, &norm));
        *sum += norm * norm;
    }
cleanup:
    return status;
}

/* lambda_max of M_ij = tr Q_i Q_j; matrix: N x N, values: N */
static pls_status gram_of_forms(const quadratic_system *system, double *matrix, double *values,
                                double *norm) {
    int64_t n = system->base.samples, size = system->base.parameters * system->base.parameters;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j <= i; j++) {
            double sum = 0.0;
            for (int64_t e = 0; e < size; e++) {
                sum += system->q_host[i * size + e] * system->q_host[j * size + e];
            }
            matrix[i * n + j] = matrix[j * n + i] = sum;
        }
    }
    return symmetric_norm(system->base.device->context, n, matrix, values, norm);
}

static pls_status smoothness(const pls_system *base, pls_smoothness *found) {
    const quadratic_system *system = (const quadratic_system *)base;
    pls_context *context = base->device->context;
    int64_t larger = pls_larger(base->parameters, base->samples);
    double *matrix = NULL, *values = NULL;
    double sum = 0.0, gram = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(context,
            pls_allocate(context, larger, (size_t)larger * sizeof *matrix, "a form", &matrix));
    PLS_TRY(context, pls_allocate(context, larger, sizeof *values, "eigenvalues", &values));
    PLS_TRY(context, sum_of_squares(system, matrix, values, &sum));
    PLS_TRY(context, gram_of_forms(system, matrix, values, &gram));
    found->beta = sqrt(fmin(sum, gram));
    found->evidence =
        base->samples == 1 || found->beta == 0.0 ? PLS_EVIDENCE_EXACT : PLS_EVIDENCE_BOUNDED;
cleanup:
    pls_release(context, values);
    pls_release(context, matrix);
    return status;
}

/* ---- making -----------------------------------------------------------------------------------
 */

static pls_status duplicate(pls_system *base, const int64_t *samples, int64_t count,
                            pls_dtype precision, pls_system **out) {
    const quadratic_system *system = (const quadratic_system *)base;
    pls_context *context = base->device->context;
    int64_t p = base->parameters;
    double *chosen = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, count, (size_t)(p * p + p + 1) * sizeof *chosen,
                                  "chosen equations", &chosen));
    double *q = chosen, *a = q + count * p * p, *y = a + count * p;
    for (int64_t r = 0; r < count; r++) {
        int64_t i = samples != NULL ? samples[r] : r;
        memcpy(q + r * p * p, system->q_host + i * p * p, (size_t)(p * p) * sizeof *q);
        memcpy(a + r * p, system->a_host + i * p, (size_t)p * sizeof *a);
        y[r] = system->y_host[i];
    }
    PLS_TRY(context, pls_quadratic_system_create(base->device, precision, count, p, q, a,
                                                 system->start, y, out));
cleanup:
    pls_release(context, chosen);
    return status;
}

static const pls_system_kind quadratic_kind = {
    .name = "quadratic",
    .destroy = destroy,
    .initialize = initialize,
    .evaluate = evaluate,
    .pullback = pullback,
    .jacobian = jacobian,
    .pushforward = pushforward,
    .curvature = curvature,
    .duplicate = duplicate,
    .rounding_growth = rounding_growth,
    .smoothness = smoothness,
    .tensor = tensor,
};

static pls_status layout(quadratic_system *system, pls_arena *arena) {
    pls_system *base = &system->base;
    pls_context *context = base->device->context;
    pls_dtype dtype = base->precision;
    int64_t n = base->samples, p = base->parameters;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, dtype, 1, p, &base->weights));
    PLS_TRY(context, pls_arena_take(arena, dtype, n, 1, &base->targets));
    PLS_TRY(context, pls_arena_take(arena, dtype, n * p, p, &system->q));
    PLS_TRY(context, pls_arena_take(arena, dtype, n, p, &system->a));
    PLS_TRY(context, pls_arena_take(arena, dtype, n, p, &system->listed_a));
    PLS_TRY(context, pls_arena_take(arena, dtype, n, p, &system->slopes));
cleanup:
    return status;
}

/* Copies, each Q_i by its symmetric part. */
static pls_status copy_host(quadratic_system *system, const double *q, const double *a,
                            const double *start, const double *y) {
    pls_context *context = system->base.device->context;
    int64_t n = system->base.samples, p = system->base.parameters;
    size_t size = sizeof(double);
    const char *what = "a quadratic system";
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, n * p * p, size, what, &system->q_host));
    PLS_TRY(context, pls_allocate(context, n * p, size, what, &system->a_host));
    PLS_TRY(context, pls_allocate(context, n, size, what, &system->y_host));
    PLS_TRY(context, pls_allocate(context, p, size, what, &system->start));
    PLS_TRY(context, pls_allocate(context, n, sizeof(int64_t), what, &system->selection));
    for (int64_t row = 0; row < n * p; row++) {
        const double *form = q + row / p * p * p;
        for (int64_t j = 0; j < p; j++) {
            int64_t i = row % p;
            system->q_host[row * p + j] = 0.5 * (form[i * p + j] + form[j * p + i]);
        }
    }
    memcpy(system->y_host, y, (size_t)n * size);
    if (a != NULL) {
        memcpy(system->a_host, a, (size_t)(n * p) * size);
    }
    if (start != NULL) {
        memcpy(system->start, start, (size_t)p * size);
    }
cleanup:
    return status;
}

static pls_status set_up(quadratic_system *system) {
    pls_device *device = system->base.device;
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_INITIALISATION));
    PLS_TRY(context, pls_upload_f64(device, system->q_host, system->q));
    PLS_TRY(context, pls_upload_f64(device, system->a_host, system->a));
    PLS_TRY(context, pls_upload_f64(device, system->y_host, system->base.targets));
    PLS_TRY(context, initialize(&system->base));
cleanup:
    return pls_phase_end(device, status);
}

static pls_status check(pls_context *context, int64_t n, int64_t p, const double *q,
                        const double *a, const double *start, const double *y) {
    int64_t square = 0, count = 0;
    pls_status status = PLS_OK;
    if (n < 1 || p < 1 || !pls_multiply(p, p, &square) || !pls_multiply(n, square, &count)) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "a quadratic system needs at least one equation and one parameter, and 64 "
                        "bits to count N P^2, not %lld x %lld",
                        (long long)n, (long long)p);
    }
    PLS_TRY(context, pls_check_finite(context, q, count, "the forms Q of a quadratic system"));
    PLS_TRY(context, pls_check_finite(context, a, n * p, "the rows a of a quadratic system"));
    PLS_TRY(context, pls_check_finite(context, start, p, "the starting weights"));
    PLS_TRY(context, pls_check_finite(context, y, n, "the targets of a quadratic system"));
cleanup:
    return status;
}

pls_status pls_quadratic_system_create(pls_device *device, pls_dtype precision, int64_t equations,
                                       int64_t parameters, const double *q, const double *a,
                                       const double *start, const double *y, pls_system **out) {
    pls_context *context = device->context;
    quadratic_system *system = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, check(context, equations, parameters, q, a, start, y));
    PLS_TRY(context, pls_allocate(context, 1, sizeof *system, "a quadratic system", &system));
    system->base.kind = &quadratic_kind;
    system->base.device = device;
    system->base.precision = precision;
    system->base.samples = equations;
    system->base.outputs = 1;
    system->base.parameters = parameters;
    system->arena = pls_arena_measuring(device);
    PLS_TRY(context, copy_host(system, q, a, start, y));
    PLS_TRY(context, layout(system, &system->arena));
    PLS_TRY(context, pls_arena_reserve(&system->arena, "the quadratic system"));
    PLS_TRY(context, layout(system, &system->arena));
    pls_system_describe_targets(&system->base, y);
    PLS_TRY(context, set_up(system));
    *out = &system->base;
    return PLS_OK;
cleanup:
    if (system != NULL) {
        destroy(&system->base);
    }
    return status;
}

pls_status pls_circle_system_create(pls_device *device, pls_dtype precision, const double start[2],
                                    pls_system **system) {
    static const double q[4] = {2.0, 0.0, 0.0, 2.0}, y[1] = {1.0};
    return pls_quadratic_system_create(device, precision, 1, 2, q, NULL, start, y, system);
}
