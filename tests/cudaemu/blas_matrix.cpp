/* Products and solves with one triangle, and transposed sums: syrk, trsm, geam. */
#include "blas.h"

#include <algorithm>

using namespace cudaemu;

/* The triangle alone: beta = 0 must not read C, and its other half is not syrk's. */
template <typename T>
static void clear_triangle(T *c, int64_t n, int64_t ld, cublasFillMode_t uplo) {
    for (int64_t j = 0; j < n; j++) {
        bool lower = uplo == CUBLAS_FILL_MODE_LOWER;
        std::fill(c + j * ld + (lower ? j : 0), c + j * ld + (lower ? n : j + 1), T(0));
    }
}

/* C = alpha op(A) op(A)T + beta C, one triangle of n x n; op(A): n x k */
template <typename T>
static cublasStatus_t syrk(const char *function, cublasHandle_t handle, cublasFillMode_t uplo,
                           cublasOperation_t trans, int64_t n, int64_t k, const T *alpha,
                           const T *a, int64_t lda, const T *beta, T *c, int64_t ldc) {
    entry call(function);
    cublasStatus_t status = blas_begin(call, handle);
    if (status != CUBLAS_STATUS_SUCCESS) {
        return status;
    }
    if (!is_operation(trans) || !is_fill(uplo) || alpha == nullptr || beta == nullptr) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    int64_t a_rows = trans == CUBLAS_OP_N ? n : k, a_cols = trans == CUBLAS_OP_N ? k : n;
    if (!is_shape(a_rows, a_cols, lda) || !is_shape(n, n, ldc)) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    require_matrix(function, "A", a, a_rows, a_cols, lda, sizeof(T));
    require_matrix(function, "C", c, n, n, ldc, sizeof(T));
    scalar<T> alpha_value(handle, alpha), beta_value(handle, beta);
    return blas_submit(handle, function, [=] {
        if (beta_value.get() == T(0)) {
            clear_triangle(c, n, ldc, uplo);
        }
        CBLAS_UPLO stored = triangle(uplo);
        CBLAS_TRANSPOSE op = transpose(trans);
        int rows = blas_int(n), inner = blas_int(k), a_ld = blas_int(lda), c_ld = blas_int(ldc);
        if constexpr (std::is_same_v<T, float>) {
            cblas_ssyrk(CblasColMajor, stored, op, rows, inner, alpha_value.get(), a, a_ld,
                        beta_value.get(), c, c_ld);
        } else {
            cblas_dsyrk(CblasColMajor, stored, op, rows, inner, alpha_value.get(), a, a_ld,
                        beta_value.get(), c, c_ld);
        }
    });
}

#define SYRK(symbol, name, T, size)                                                                \
    cublasStatus_t symbol(cublasHandle_t handle, cublasFillMode_t uplo, cublasOperation_t trans,   \
                          size n, size k, const T *alpha, const T *A, size lda, const T *beta,     \
                          T *C, size ldc) {                                                        \
        return syrk<T>(name, handle, uplo, trans, n, k, alpha, A, lda, beta, C, ldc);              \
    }
SYRK(cublasSsyrk_v2, "cublasSsyrk", float, int)
SYRK(cublasSsyrk_v2_64, "cublasSsyrk", float, int64_t)
SYRK(cublasDsyrk_v2, "cublasDsyrk", double, int)
SYRK(cublasDsyrk_v2_64, "cublasDsyrk", double, int64_t)
#undef SYRK

/* B = alpha op(A)^-1 B, or alpha B op(A)^-1; B: m x n */
template <typename T>
static cublasStatus_t trsm(const char *function, cublasHandle_t handle, cublasSideMode_t where,
                           cublasFillMode_t uplo, cublasOperation_t trans, cublasDiagType_t diag,
                           int64_t m, int64_t n, const T *alpha, const T *a, int64_t lda, T *b,
                           int64_t ldb) {
    entry call(function);
    cublasStatus_t status = blas_begin(call, handle);
    if (status != CUBLAS_STATUS_SUCCESS) {
        return status;
    }
    int64_t order = where == CUBLAS_SIDE_LEFT ? m : n;
    if (!is_operation(trans) || !is_fill(uplo) || alpha == nullptr ||
        !is_shape(order, order, lda) || !is_shape(m, n, ldb)) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    require_matrix(function, "A", a, order, order, lda, sizeof(T));
    require_matrix(function, "B", b, m, n, ldb, sizeof(T));
    scalar<T> alpha_value(handle, alpha);
    return blas_submit(handle, function, [=] {
        CBLAS_SIDE left = side(where);
        CBLAS_UPLO stored = triangle(uplo);
        CBLAS_TRANSPOSE op = transpose(trans);
        CBLAS_DIAG unit = diagonal(diag);
        int rows = blas_int(m), cols = blas_int(n), a_ld = blas_int(lda), b_ld = blas_int(ldb);
        if constexpr (std::is_same_v<T, float>) {
            cblas_strsm(CblasColMajor, left, stored, op, unit, rows, cols, alpha_value.get(), a,
                        a_ld, b, b_ld);
        } else {
            cblas_dtrsm(CblasColMajor, left, stored, op, unit, rows, cols, alpha_value.get(), a,
                        a_ld, b, b_ld);
        }
    });
}

#define TRSM(symbol, name, T, size)                                                                \
    cublasStatus_t symbol(cublasHandle_t handle, cublasSideMode_t where, cublasFillMode_t uplo,    \
                          cublasOperation_t trans, cublasDiagType_t diag, size m, size n,          \
                          const T *alpha, const T *A, size lda, T *B, size ldb) {                  \
        return trsm<T>(name, handle, where, uplo, trans, diag, m, n, alpha, A, lda, B, ldb);       \
    }
TRSM(cublasStrsm_v2, "cublasStrsm", float, int)
TRSM(cublasStrsm_v2_64, "cublasStrsm", float, int64_t)
TRSM(cublasDtrsm_v2, "cublasDtrsm", double, int)
TRSM(cublasDtrsm_v2_64, "cublasDtrsm", double, int64_t)
#undef TRSM

/* C = alpha op(A) + beta op(B); C: m x n. A scalar of 0 leaves its matrix unread. */
template <typename T>
static cublasStatus_t geam(const char *function, cublasHandle_t handle, cublasOperation_t transa,
                           cublasOperation_t transb, int64_t m, int64_t n, const T *alpha,
                           const T *a, int64_t lda, const T *beta, const T *b, int64_t ldb, T *c,
                           int64_t ldc) {
    entry call(function);
    cublasStatus_t status = blas_begin(call, handle);
    if (status != CUBLAS_STATUS_SUCCESS) {
        return status;
    }
    bool a_plain = transa == CUBLAS_OP_N, b_plain = transb == CUBLAS_OP_N;
    if (!is_operation(transa) || !is_operation(transb) || alpha == nullptr || beta == nullptr ||
        !is_shape(m, n, ldc) || !is_shape(a_plain ? m : n, a_plain ? n : m, lda) ||
        !is_shape(b_plain ? m : n, b_plain ? n : m, ldb)) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    scalar<T> alpha_value(handle, alpha), beta_value(handle, beta);
    require_matrix(function, "C", c, m, n, ldc, sizeof(T));
    return blas_submit(handle, function, [=] {
        T s = alpha_value.get(), t = beta_value.get();
        if (s != T(0)) {
            require_matrix(function, "A", a, a_plain ? m : n, a_plain ? n : m, lda, sizeof(T));
        }
        if (t != T(0)) {
            require_matrix(function, "B", b, b_plain ? m : n, b_plain ? n : m, ldb, sizeof(T));
        }
        for (int64_t j = 0; j < n; j++) {
            for (int64_t i = 0; i < m; i++) {
                T x = s == T(0) ? T(0) : s * (a_plain ? a[j * lda + i] : a[i * lda + j]);
                T y = t == T(0) ? T(0) : t * (b_plain ? b[j * ldb + i] : b[i * ldb + j]);
                c[j * ldc + i] = x + y;
            }
        }
    });
}

#define GEAM(symbol, name, T, size)                                                                \
    cublasStatus_t symbol(cublasHandle_t handle, cublasOperation_t transa,                         \
                          cublasOperation_t transb, size m, size n, const T *alpha, const T *A,    \
                          size lda, const T *beta, const T *B, size ldb, T *C, size ldc) {         \
        return geam<T>(name, handle, transa, transb, m, n, alpha, A, lda, beta, B, ldb, C, ldc);   \
    }
GEAM(cublasSgeam, "cublasSgeam", float, int)
GEAM(cublasSgeam_64, "cublasSgeam", float, int64_t)
GEAM(cublasDgeam, "cublasDgeam", double, int)
GEAM(cublasDgeam_64, "cublasDgeam", double, int64_t)
#undef GEAM
