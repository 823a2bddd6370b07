/* Cholesky factorisation, solves and eigenvalues.
 *
 * Cholesky, right-looking by blocks of b columns:
 *     A = | A11      |    L11 = chol(A11),  L21 = A21 L11^-T,  A22 -= L21 L21T,  and so on in A22.
 *         | A21  A22 |
 * The rows of L21 and the tiles of A22 are shared out among the threads. The lower triangle of a
 * row-major matrix is the upper one of a column-major matrix, which is how LAPACK is called. */
#include "backend/cpu/cpu.h"
#include "base/memory.h"

#include <cblas.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>

enum { FACTOR_BLOCK = 128, PANEL_ROWS = 128, SOLVE_COLS = 64 };

/* Factors one diagonal block; returns the order of the first minor that fails, or 0. A pivot that
 * is not a number passes the library's test "<= 0" in some versions, so the factor's diagonal is
 * looked at here. */
static int64_t factor_diagonal(pls_view a) {
    int info =
        LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', (int)a.rows, pls_f64_at(a, 0, 0), (int)a.ld);
    int64_t sound = info > 0 ? info - 1 : a.rows;
    for (int64_t i = 0; i < sound; i++) {
        double pivot = *pls_f64_at(a, i, i);
        if (!(pivot > 0.0 && pivot <= 0x1.fffffffffffffp1023)) {
            return i + 1;
        }
    }
    return info;
}

/* panel = panel L^-T */
static void solve_panel(pls_device *device, pls_view l, pls_view panel) {
    int threads =
        pls_cpu_threads(device, 0.5 * (double)panel.rows * (double)panel.cols * (double)panel.cols);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t i = 0; i < panel.rows; i += PANEL_ROWS) {
        cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit,
                    (int)pls_least(PANEL_ROWS, panel.rows - i), (int)panel.cols, 1.0,
                    pls_f64_at(l, 0, 0), (int)l.ld, pls_f64_at(panel, i, 0), (int)panel.ld);
    }
}

pls_status pls_cpu_potrf(pls_device *device, pls_view a, int64_t *failed_minor) {
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_cpu_check_blas(device, "potrf", a));
    pls_cpu_own_threads();
    *failed_minor = 0;
    for (int64_t first = 0; first < a.rows; first += FACTOR_BLOCK) {
        int64_t width = pls_least(FACTOR_BLOCK, a.rows - first), next = first + width;
        int64_t left = a.rows - next;
        pls_view columns = pls_view_cols(a, first, width);
        pls_view diagonal = pls_view_rows(columns, first, width);
        pls_view panel = pls_view_rows(columns, next, left);
        int64_t failed = factor_diagonal(diagonal);
        if (failed > 0) {
            *failed_minor = first + failed;
            return PLS_OK;
        }
        if (left > 0) {
            pls_view rest = pls_view_cols(pls_view_rows(a, next, left), next, left);
            solve_panel(device, diagonal, panel);
            pls_cpu_run_syrk(device, -1.0, panel, 1.0, rest);
        }
    }
cleanup:
    return status;
}

/* x = L^-1 x or L^-T x for a diagonal block, groups of columns in parallel. */
static void solve_block(pls_device *device, CBLAS_TRANSPOSE transpose, pls_view l, pls_view x) {
    int threads = pls_cpu_threads(device, 0.5 * (double)x.rows * (double)x.rows * (double)x.cols);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t first = 0; first < x.cols; first += SOLVE_COLS) {
        cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, transpose, CblasNonUnit, (int)x.rows,
                    (int)pls_least(SOLVE_COLS, x.cols - first), 1.0, pls_f64_at(l, 0, 0), (int)l.ld,
                    pls_f64_at(x, 0, first), (int)x.ld);
    }
}

/* One column: what the time goes into is reading the factor. */
static void solve_column(pls_view l, pls_view x) {
    int n = (int)l.rows, step = n == 1 ? 1 : (int)x.ld;
    const double *factor = pls_f64_at(l, 0, 0);
    double *column = pls_f64_at(x, 0, 0);
    cblas_dtrsv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, n, factor, (int)l.ld, column,
                step);
    cblas_dtrsv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, n, factor, (int)l.ld, column,
                step);
}

/* By blocks of rows of x: solve with the diagonal block, then take its part out of the rows below
 * (first pass, L) or above (second pass, LT), which is a product on tiles. */
pls_status pls_cpu_potrs(pls_device *device, pls_view l, pls_view x) {
    pls_status status = PLS_OK;
    int64_t n = l.rows;
    PLS_TRY(device->context, pls_cpu_check_blas(device, "potrs", l));
    PLS_TRY(device->context, pls_cpu_check_blas(device, "potrs", x));
    pls_cpu_own_threads();
    if (x.cols == 1) {
        solve_column(l, x);
        return PLS_OK;
    }
    for (int64_t first = 0; first < n; first += FACTOR_BLOCK) {
        int64_t width = pls_least(FACTOR_BLOCK, n - first), next = first + width;
        pls_view columns = pls_view_cols(l, first, width), part = pls_view_rows(x, first, width);
        solve_block(device, CblasNoTrans, pls_view_rows(columns, first, width), part);
        if (next < n) {
            PLS_TRY(device->context, pls_cpu_gemm(device, PLS_PLAIN, PLS_PLAIN, -1.0,
                                                  pls_view_rows(columns, next, n - next), part, 1.0,
                                                  pls_view_rows(x, next, n - next)));
        }
    }
    for (int64_t first = (n - 1) / FACTOR_BLOCK * FACTOR_BLOCK; first >= 0; first -= FACTOR_BLOCK) {
        int64_t width = pls_least(FACTOR_BLOCK, n - first);
        pls_view rows = pls_view_rows(l, first, width), part = pls_view_rows(x, first, width);
        solve_block(device, CblasTrans, pls_view_cols(rows, first, width), part);
        if (first > 0) {
            PLS_TRY(device->context, pls_cpu_gemm(device, PLS_TRANSPOSED, PLS_PLAIN, -1.0,
                                                  pls_view_cols(rows, 0, first), part, 1.0,
                                                  pls_view_rows(x, 0, first)));
        }
    }
cleanup:
    return status;
}

/* LAPACK may loop or return nonsense on infinities and NaN. */
static pls_status check_finite(pls_device *device, pls_view a) {
    for (int64_t i = 0; i < a.rows; i++) {
        const double *row = pls_f64_at(a, i, 0);
        for (int64_t j = 0; j <= i; j++) {
            if (!isfinite(row[j])) {
                return pls_fail(device->context, PLS_ERROR_NUMERIC,
                                "eigenvalues: element (%lld, %lld) of the matrix is %g, so it has "
                                "none; look for the first step at which the kernel is not finite",
                                (long long)i, (long long)j, row[j]);
            }
        }
    }
    return PLS_OK;
}

/* The workspace that LAPACK's divide and conquer asks for; a size beyond 32 bits is refused. */
static pls_status eigen_workspace(pls_device *device, bool vectors, int64_t n, int64_t *work,
                                  int64_t *integer_work) {
    *work = n <= 1 ? 1 : vectors ? 1 + 6 * n + 2 * n * n : 2 * n + 1;
    *integer_work = n <= 1 || !vectors ? 1 : 3 + 5 * n;
    if (*work > INT_MAX) {
        return pls_fail(device->context, PLS_ERROR_UNSUPPORTED,
                        "eigenvectors of a matrix of order %lld are beyond the 32-bit workspace of "
                        "the CPU's LAPACK (32,766); ask for the eigenvalues or the extremes only",
                        (long long)n);
    }
    return PLS_OK;
}

pls_status pls_cpu_syevd(pls_device *device, bool vectors, pls_view a, pls_view values) {
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    double *work = NULL;
    int *integer_work = NULL;
    int64_t work_size = 0, integer_size = 0;
    PLS_TRY(context, pls_cpu_check_blas(device, "syevd", a));
    PLS_TRY(context, eigen_workspace(device, vectors, a.rows, &work_size, &integer_size));
    PLS_TRY(context, check_finite(device, a));
    PLS_TRY(context, pls_allocate_raw(context, work_size, sizeof *work,
                                      "the workspace of the eigenvalues", &work));
    PLS_TRY(context, pls_allocate_raw(context, integer_size, sizeof *integer_work,
                                      "the workspace of the eigenvalues", &integer_work));
    pls_cpu_own_threads();
    int info = LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, vectors ? 'V' : 'N', 'U', (int)a.rows,
                                   pls_f64_at(a, 0, 0), (int)a.ld, pls_f64_at(values, 0, 0), work,
                                   (int)work_size, integer_work, (int)integer_size);
    if (info != 0) {
        status = pls_fail(context, info > 0 ? PLS_ERROR_NUMERIC : PLS_ERROR_DEVICE,
                          "the eigenvalues of a matrix of order %lld did not converge (LAPACK's "
                          "dsyevd returned %d); ask for the extremes only",
                          (long long)a.rows, info);
    }
cleanup:
    pls_release(context, integer_work);
    pls_release(context, work);
    return status;
}
