/* The largest eigenvalue of a symmetric operator by the Lanczos method; see lanczos.h. */
#include "tangent/lanczos.h"

#include <lapacke.h>
#include <math.h>

enum { RESTARTS = 20, CHECK_EVERY = 4 };

pls_status pls_lanczos_take(pls_arena *arena, int64_t size, pls_lanczos *lanczos) {
    pls_context *context = arena->device->context;
    pls_status status = PLS_OK;
    lanczos->device = arena->device;
    lanczos->size = size;
    lanczos->capacity = size < PLS_LANCZOS_BASIS ? size : PLS_LANCZOS_BASIS;
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, lanczos->capacity, size, &lanczos->basis));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, size, &lanczos->work));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, lanczos->capacity, &lanczos->coefficients));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, 1, &lanczos->scalar));
cleanup:
    return status;
}

pls_status pls_vector_norm(pls_device *device, pls_view x, pls_view scalar, double *norm) {
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_dot(device, x, x, scalar));
    PLS_TRY(device->context, pls_download(device, scalar, norm, 1));
    *norm = sqrt(*norm);
cleanup:
    return status;
}

/* to = from / ||from||, *norm = ||from||. */
static pls_status normalize(pls_lanczos *lanczos, pls_view from, pls_view to, double *norm) {
    pls_device *device = lanczos->device;
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_vector_norm(device, from, lanczos->scalar, norm));
    if (!(*norm > 0.0) || !isfinite(*norm)) {
        status = pls_fail(device->context, PLS_ERROR_NUMERIC,
                          "the Lanczos method met a vector of norm %g", *norm);
        goto cleanup;
    }
    PLS_TRY(device->context, pls_axpby(device, 1.0 / *norm, from, 0.0, to));
cleanup:
    return status;
}

static pls_view column(pls_view row) {
    return pls_view_reshape(row, row.cols, 1);
}

/* work -= its components along v_0 .. v_j, twice; *alpha = <v_j, B v_j>. */
static pls_status orthogonalize(pls_lanczos *lanczos, int64_t j, double *alpha) {
    pls_device *device = lanczos->device;
    pls_view basis = pls_view_rows(lanczos->basis, 0, j + 1);
    pls_view h = pls_view_cols(lanczos->coefficients, 0, j + 1);
    pls_status status = PLS_OK;
    *alpha = 0.0;
    for (int pass = 0; pass < 2; pass++) {
        double component = 0.0;
        PLS_TRY(device->context,
                pls_gemm(device, PLS_PLAIN, PLS_TRANSPOSED, 1.0, lanczos->work, basis, 0.0, h));
        PLS_TRY(device->context,
                pls_gemm(device, PLS_PLAIN, PLS_PLAIN, -1.0, h, basis, 1.0, lanczos->work));
        PLS_TRY(device->context, pls_download(device, pls_view_cols(h, j, 1), &component, 1));
        *alpha += component;
    }
cleanup:
    return status;
}

/* Largest eigenvalue of the tridiagonal matrix of order m, and its eigenvector. */
static pls_status largest_ritz(pls_context *context, int64_t m, const double *alpha,
                               const double *beta, double *theta, double *s) {
    double d[PLS_LANCZOS_BASIS], e[PLS_LANCZOS_BASIS], w[PLS_LANCZOS_BASIS];
    lapack_int ifail[PLS_LANCZOS_BASIS], found = 0;
    for (int64_t i = 0; i < m; i++) {
        d[i] = alpha[i];
        e[i] = beta[i];
    }
    lapack_int order = (lapack_int)m;
    lapack_int info = LAPACKE_dstevx(LAPACK_COL_MAJOR, 'V', 'I', order, d, e, 0.0, 0.0, order,
                                     order, 0.0, &found, w, s, order, ifail);
    if (info != 0) {
        return pls_fail(context, PLS_ERROR_NUMERIC,
                        "the tridiagonal eigenvalue problem of order %d failed (LAPACK dstevx: %d)",
                        (int)order, (int)info);
    }
    *theta = w[0];
    return PLS_OK;
}

/* One run of the method from basis row 0, to the tolerance or to a full basis; *accuracy is the
 * relative residual. The Ritz vector goes to `vector`. */
static pls_status run(pls_lanczos *lanczos, pls_operator apply, void *user, double tolerance,
                      double *theta, pls_view vector, double *accuracy) {
    pls_device *device = lanczos->device;
    pls_context *context = device->context;
    double alpha[PLS_LANCZOS_BASIS], beta[PLS_LANCZOS_BASIS], s[PLS_LANCZOS_BASIS];
    pls_status status = PLS_OK;
    *accuracy = INFINITY;
    for (int64_t j = 0; j < lanczos->capacity; j++) {
        pls_view v = pls_view_rows(lanczos->basis, j, 1);
        bool last = j + 1 == lanczos->capacity;
        PLS_TRY(context, pls_check_cancelled(context));
        PLS_TRY(context, apply(user, column(v), column(lanczos->work)));
        PLS_TRY(context, orthogonalize(lanczos, j, &alpha[j]));
        PLS_TRY(context, pls_vector_norm(device, lanczos->work, lanczos->scalar, &beta[j]));
        if (!isfinite(alpha[j]) || !isfinite(beta[j])) {
            status = pls_fail(context, PLS_ERROR_NUMERIC,
                              "the Lanczos method met a number that is not finite");
            goto cleanup;
        }
        if (last || j % CHECK_EVERY == CHECK_EVERY - 1 || beta[j] <= tolerance * fabs(alpha[j])) {
            PLS_TRY(context, largest_ritz(context, j + 1, alpha, beta, theta, s));
            *accuracy = fabs(beta[j] * s[j]) / fabs(*theta);
            if (*accuracy <= tolerance || last) {
                pls_view h = pls_view_cols(lanczos->coefficients, 0, j + 1);
                PLS_TRY(context, pls_upload(device, s, j + 1, h));
                PLS_TRY(context,
                        pls_gemm(device, PLS_PLAIN, PLS_PLAIN, 1.0, h,
                                 pls_view_rows(lanczos->basis, 0, j + 1), 0.0, lanczos->work));
                double norm;
                PLS_TRY(context, normalize(lanczos, lanczos->work, vector, &norm));
                break;
            }
        }
        PLS_TRY(context, pls_axpby(device, 1.0 / beta[j], lanczos->work, 0.0,
                                   pls_view_rows(lanczos->basis, j + 1, 1)));
    }
cleanup:
    return status;
}

pls_status pls_lanczos_largest(pls_lanczos *lanczos, pls_operator apply, void *user,
                               pls_random_stream start, double tolerance, double *value,
                               pls_view vector, double *accuracy) {
    pls_device *device = lanczos->device;
    pls_context *context = device->context;
    pls_view first = pls_view_rows(lanczos->basis, 0, 1);
    double norm = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_random_normal(device, start, 0, 1.0, lanczos->work));
    PLS_TRY(context, normalize(lanczos, lanczos->work, first, &norm));
    *accuracy = INFINITY;
    for (int i = 0; i < RESTARTS && !(*accuracy <= tolerance); i++) {
        if (i > 0) {
            PLS_TRY(context, pls_copy(device, vector, first));
        }
        PLS_TRY(context, run(lanczos, apply, user, tolerance, value, vector, accuracy));
    }
    if (!(*accuracy <= tolerance)) {
        pls_log(context, PLS_LOG_WARNING,
                "the Lanczos method reached a relative residual of %.1e, not %.1e, in %d restarts; "
                "the interval of the eigenvalue is the wider for it",
                *accuracy, tolerance, RESTARTS);
    }
cleanup:
    return status;
}
