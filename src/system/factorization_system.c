/* Low-rank matrix factorisation, or completion: F_e = (U VT)_(i, j) for the observed entries
 * e = (i, j); w = (U, V), U: m x r, V: n x r, both row by row.
 *
 *     J v = dU VT + U dVT at the observed entries,      v = (dU, dV)
 *     JT u = (M V, MT U),                               M: m x n with u at the observed entries
 *     (sum over e of u_e H_e) v = (M dV, MT dU)
 *     beta_F = 1: D^2 F(v, v) = 2 (dU dVT), of norm <= 2 |dU| |dV| <= |v|^2, attained where dU and
 *     dV have one entry each, in the row i and the row j of an observed entry.
 *
 * Functions on the host, by the public interface that users have too. */
#include "base/memory.h"
#include "system/system.h"

#include <string.h>

typedef struct factorization {
    pls_context *context;
    int64_t rows, columns, rank, count;
    int64_t *observed; /* count: i columns + j */
} factorization;

/* The factors in a vector of P numbers. */
static const double *left_row(const factorization *f, const double *w, int64_t e) {
    return w + f->observed[e] / f->columns * f->rank;
}

static const double *right_row(const factorization *f, const double *w, int64_t e) {
    return w + (f->rows + f->observed[e] % f->columns) * f->rank;
}

static double product(const double *a, const double *b, int64_t count) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

static int apply(void *user, const double *w, double *out) {
    const factorization *f = user;
    for (int64_t e = 0; e < f->count; e++) {
        out[e] = product(left_row(f, w, e), right_row(f, w, e), f->rank);
    }
    return 0;
}

static int pushforward(void *user, const double *w, const double *v, double *out) {
    const factorization *f = user;
    for (int64_t e = 0; e < f->count; e++) {
        out[e] = product(left_row(f, v, e), right_row(f, w, e), f->rank) +
                 product(left_row(f, w, e), right_row(f, v, e), f->rank);
    }
    return 0;
}

/* out = (M V, MT U) for the factors in w: F is bilinear, so this serves both derivatives. */
static void multiply(const factorization *f, const double *w, const double *u, double *out) {
    memset(out, 0, (size_t)((f->rows + f->columns) * f->rank) * sizeof *out);
    for (int64_t e = 0; e < f->count; e++) {
        const double *left = left_row(f, w, e), *right = right_row(f, w, e);
        double *to_left = out + (left - w), *to_right = out + (right - w);
        for (int64_t q = 0; q < f->rank; q++) {
            to_left[q] += u[e] * right[q];
            to_right[q] += u[e] * left[q];
        }
    }
}

static int pullback(void *user, const double *w, const double *u, double *g) {
    multiply(user, w, u, g);
    return 0;
}

static int curvature(void *user, const double *w, const double *u, const double *v, double *h) {
    (void)w;
    multiply(user, v, u, h);
    return 0;
}

static void release(void *user) {
    factorization *f = user;
    pls_release(f->context, f->observed);
    pls_release(f->context, f);
}

static pls_status check(pls_context *context, int64_t rows, int64_t columns, int64_t rank,
                        int64_t count, const int64_t *observed) {
    int64_t all = 0, left = 0, right = 0;
    if (rows < 1 || columns < 1 || rank < 1 || !pls_multiply(rows, columns, &all) ||
        !pls_multiply(rows, rank, &left) || !pls_multiply(columns, rank, &right)) {
        return pls_fail(
            context, PLS_ERROR_ARGUMENT,
            "a factorisation of %lld x %lld of rank %lld cannot be; sizes of at least 1 "
            "that 64 bits can count were expected",
            (long long)rows, (long long)columns, (long long)rank);
    }
    if (count < 1 || count > all || (observed == NULL && count != all)) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "%lld entries of a %lld x %lld matrix cannot be observed%s",
                        (long long)count, (long long)rows, (long long)columns,
                        observed == NULL ? "; without a list it is all of them" : "");
    }
    for (int64_t e = 0; observed != NULL && e < count; e++) {
        if (observed[e] < 0 || observed[e] >= all) {
            return pls_fail(context, PLS_ERROR_ARGUMENT,
                            "observed entry %lld is number %lld of a matrix that has %lld",
                            (long long)e, (long long)observed[e], (long long)all);
        }
    }
    return PLS_OK;
}

pls_status pls_factorization_system_create(pls_device *device, pls_dtype precision, int64_t rows,
                                           int64_t columns, int64_t rank, int64_t count,
                                           const int64_t *observed, const double *start,
                                           const double *y, pls_system **system) {
    pls_context *context = device->context;
    factorization *f = NULL;
    pls_smoothness smoothness = {1.0, PLS_EVIDENCE_EXACT};
    pls_user_system functions = {.name = "factorization",
                                 .samples = count,
                                 .outputs = 1,
                                 .start = start,
                                 .targets = y,
                                 .smoothness = &smoothness,
                                 .apply = apply,
                                 .pushforward = pushforward,
                                 .pullback = pullback,
                                 .curvature = curvature,
                                 .release = release};
    pls_status status = PLS_OK;
    PLS_TRY(context, check(context, rows, columns, rank, count, observed));
    functions.parameters = (rows + columns) * rank;
    PLS_TRY(context, pls_allocate(context, 1, sizeof *f, "a factorisation", &f));
    *f = (factorization){context, rows, columns, rank, count, NULL};
    PLS_TRY(context,
            pls_allocate(context, count, sizeof(int64_t), "observed entries", &f->observed));
    for (int64_t e = 0; e < count; e++) {
        f->observed[e] = observed != NULL ? observed[e] : e;
    }
    functions.user = f;
    PLS_TRY(context, pls_user_system_create(device, precision, &functions, system));
    f = NULL;
cleanup:
    if (f != NULL) {
        release(f);
    }
    return status;
}
