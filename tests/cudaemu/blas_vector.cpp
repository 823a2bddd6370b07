/* Products and solves with a vector: gemv, symv, trsv; and vectors alone: dot, nrm2, scal, axpy. */
#include "blas.h"

using namespace cudaemu;

/* beta = 0 must not read y. */
template <typename T>
static void clear(T *y, int64_t n, int64_t increment) {
    int64_t step = increment < 0 ? -increment : increment;
    for (int64_t i = 0; i < n; i++) {
        y[i * step] = T(0);
    }
}

static bool is_vector(int64_t n, int64_t increment) {
    return n >= 0 && n <= INT32_MAX && increment != 0 && increment <= INT32_MAX &&
           increment >= -INT32_MAX;
}

/* y = alpha op(A) x + beta y; A: m x n */
template <typename T>
static cublasStatus_t gemv(const char *function, cublasHandle_t handle, cublasOperation_t trans,
                           int64_t m, int64_t n, const T *alpha, const T *a, int64_t lda,
                           const T *x, int64_t incx, const T *beta, T *y, int64_t incy) {
    entry call(function);
    cublasStatus_t status = blas_begin(call, handle);
    if (status != CUBLAS_STATUS_SUCCESS) {
        return status;
    }
    int64_t in = trans == CUBLAS_OP_N ? n : m, out = trans == CUBLAS_OP_N ? m : n;
    if (!is_operation(trans) || !is_shape(m, n, lda) || !is_vector(in, incx) ||
        !is_vector(out, incy) || alpha == nullptr || beta == nullptr) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    require_matrix(function, "A", a, m, n, lda, sizeof(T));
    require_vector(function, "x", x, in, incx, sizeof(T));
    require_vector(function, "y", y, out, incy, sizeof(T));
    scalar<T> s(handle, alpha), t(handle, beta);
    return blas_submit(handle, function, [=] {
        if (t.get() == T(0)) {
            clear(y, out, incy);
        }
        CBLAS_TRANSPOSE op = transpose(trans);
        int rows = blas_int(m), cols = blas_int(n), ld = blas_int(lda);
        int dx = blas_int(incx), dy = blas_int(incy);
        if constexpr (std::is_same_v<T, float>) {
            cblas_sgemv(CblasColMajor, op, rows, cols, s.get(), a, ld, x, dx, t.get(), y, dy);
        } else {
            cblas_dgemv(CblasColMajor, op, rows, cols, s.get(), a, ld, x, dx, t.get(), y, dy);
        }
    });
}

#define GEMV(symbol, name, T, size)                                                                \
    cublasStatus_t symbol(cublasHandle_t handle, cublasOperation_t trans, size m, size n,          \
                          const T *alpha, const T *A, size lda, const T *x, size incx,             \
                          const T *beta, T *y, size incy) {                                        \
        return gemv<T>(name, handle, trans, m, n, alpha, A, lda, x, incx, beta, y, incy);          \
    }
GEMV(cublasSgemv_v2, "cublasSgemv", float, int)
GEMV(cublasSgemv_v2_64, "cublasSgemv", float, int64_t)
GEMV(cublasDgemv_v2, "cublasDgemv", double, int)
GEMV(cublasDgemv_v2_64, "cublasDgemv", double, int64_t)
#undef GEMV

/* y = alpha A x + beta y; A symmetric, one triangle read */
template <typename T>
static cublasStatus_t symv(const char *function, cublasHandle_t handle, cublasFillMode_t uplo,
                           int64_t n, const T *alpha, const T *a, int64_t lda, const T *x,
                           int64_t incx, const T *beta, T *y, int64_t incy) {
    entry call(function);
    cublasStatus_t status = blas_begin(call, handle);
    if (status != CUBLAS_STATUS_SUCCESS) {
        return status;
    }
    if (!is_fill(uplo) || !is_shape(n, n, lda) || !is_vector(n, incx) || !is_vector(n, incy) ||
        alpha == nullptr || beta == nullptr) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    require_matrix(function, "A", a, n, n, lda, sizeof(T));
    require_vector(function, "x", x, n, incx, sizeof(T));
    require_vector(function, "y", y, n, incy, sizeof(T));
    scalar<T> s(handle, alpha), t(handle, beta);
    return blas_submit(handle, function, [=] {
        if (t.get() == T(0)) {
            clear(y, n, incy);
        }
        CBLAS_UPLO stored = triangle(uplo);
        int order = blas_int(n), ld = blas_int(lda), dx = blas_int(incx), dy = blas_int(incy);
        if constexpr (std::is_same_v<T, float>) {
            cblas_ssymv(CblasColMajor, stored, order, s.get(), a, ld, x, dx, t.get(), y, dy);
        } else {
            cblas_dsymv(CblasColMajor, stored, order, s.get(), a, ld, x, dx, t.get(), y, dy);
        }
    });
}

#define SYMV(symbol, name, T, size)                                                                \
    cublasStatus_t symbol(cublasHandle_t handle, cublasFillMode_t uplo, size n, const T *alpha,    \
                          const T *A, size lda, const T *x, size incx, const T *beta, T *y,        \
                          size incy) {                                                             \
        return symv<T>(name, handle, uplo, n, alpha, A, lda, x, incx, beta, y, incy);              \
    }
SYMV(cublasSsymv_v2, "cublasSsymv", float, int)
SYMV(cublasSsymv_v2_64, "cublasSsymv", float, int64_t)
SYMV(cublasDsymv_v2, "cublasDsymv", double, int)
SYMV(cublasDsymv_v2_64, "cublasDsymv", double, int64_t)
#undef SYMV

/* x = op(A)^-1 x; A triangular */
template <typename T>
static cublasStatus_t trsv(const char *function, cublasHandle_t handle, cublasFillMode_t uplo,
                           cublasOperation_t trans, cublasDiagType_t diag, int64_t n, const T *a,
                           int64_t lda, T *x, int64_t incx) {
    entry call(function);
    cublasStatus_t status = blas_begin(call, handle);
    if (status != CUBLAS_STATUS_SUCCESS) {
        return status;
    }
    if (!is_fill(uplo) || !is_operation(trans) || !is_shape(n, n, lda) || !is_vector(n, incx)) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    require_matrix(function, "A", a, n, n, lda, sizeof(T));
    require_vector(function, "x", x, n, incx, sizeof(T));
    return blas_submit(handle, function, [=] {
        CBLAS_UPLO stored = triangle(uplo);
        CBLAS_TRANSPOSE op = transpose(trans);
        CBLAS_DIAG unit = diagonal(diag);
        int order = blas_int(n), ld = blas_int(lda), dx = blas_int(incx);
        if constexpr (std::is_same_v<T, float>) {
            cblas_strsv(CblasColMajor, stored, op, unit, order, a, ld, x, dx);
        } else {
            cblas_dtrsv(CblasColMajor, stored, op, unit, order, a, ld, x, dx);
        }
    });
}

#define TRSV(symbol, name, T, size)                                                                \
    cublasStatus_t symbol(cublasHandle_t handle, cublasFillMode_t uplo, cublasOperation_t trans,   \
                          cublasDiagType_t diag, size n, const T *A, size lda, T *x, size incx) {  \
        return trsv<T>(name, handle, uplo, trans, diag, n, A, lda, x, incx);                       \
    }
TRSV(cublasStrsv_v2, "cublasStrsv", float, int)
TRSV(cublasStrsv_v2_64, "cublasStrsv", float, int64_t)
TRSV(cublasDtrsv_v2, "cublasDtrsv", double, int)
TRSV(cublasDtrsv_v2_64, "cublasDtrsv", double, int64_t)
#undef TRSV

/* *result = <x, y> or ||x||: waits if the result is wanted on the host. */
template <typename T, typename Work>
static cublasStatus_t reduce(const char *function, cublasHandle_t handle, T *result, Work work) {
    bool to_host = handle->scalars == CUBLAS_POINTER_MODE_HOST;
    if (!to_host) {
        require_vector(function, "the result", result, 1, 1, sizeof(T));
    }
    cublasStatus_t status = blas_submit(handle, function, [=] { *result = work(); });
    if (status == CUBLAS_STATUS_SUCCESS && to_host) {
        synchronize(find_stream(handle->stream));
    }
    return status;
}

static float dot_product(int n, const float *x, int dx, const float *y, int dy) {
    return cblas_sdot(n, x, dx, y, dy);
}
static double dot_product(int n, const double *x, int dx, const double *y, int dy) {
    return cblas_ddot(n, x, dx, y, dy);
}
static float norm(int n, const float *x, int dx) {
    return cblas_snrm2(n, x, dx);
}
static double norm(int n, const double *x, int dx) {
    return cblas_dnrm2(n, x, dx);
}

template <typename T>
static cublasStatus_t dot(const char *function, cublasHandle_t handle, int64_t n, const T *x,
                          int64_t incx, const T *y, int64_t incy, T *result) {
    entry call(function);
    cublasStatus_t status = blas_begin(call, handle);
    if (status != CUBLAS_STATUS_SUCCESS) {
        return status;
    }
    if (!is_vector(n, incx) || !is_vector(n, incy) || result == nullptr) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    require_vector(function, "x", x, n, incx, sizeof(T));
    require_vector(function, "y", y, n, incy, sizeof(T));
    return reduce(function, handle, result,
                  [=] { return dot_product(blas_int(n), x, blas_int(incx), y, blas_int(incy)); });
}

template <typename T>
static cublasStatus_t nrm2(const char *function, cublasHandle_t handle, int64_t n, const T *x,
                           int64_t incx, T *result) {
    entry call(function);
    cublasStatus_t status = blas_begin(call, handle);
    if (status != CUBLAS_STATUS_SUCCESS) {
        return status;
    }
    if (!is_vector(n, incx) || result == nullptr) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    require_vector(function, "x", x, n, incx, sizeof(T));
    return reduce(function, handle, result, [=] { return norm(blas_int(n), x, blas_int(incx)); });
}

/* x = alpha x */
template <typename T>
static cublasStatus_t scale(const char *function, cublasHandle_t handle, int64_t n, const T *alpha,
                            T *x, int64_t incx) {
    entry call(function);
    cublasStatus_t status = blas_begin(call, handle);
    if (status != CUBLAS_STATUS_SUCCESS) {
        return status;
    }
    if (!is_vector(n, incx) || alpha == nullptr) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    require_vector(function, "x", x, n, incx, sizeof(T));
    scalar<T> s(handle, alpha);
    return blas_submit(handle, function, [=] {
        for (int64_t i = 0; i < n; i++) {
            x[i * incx] *= s.get();
        }
    });
}

template <typename T>
static cublasStatus_t axpy(const char *function, cublasHandle_t handle, int64_t n, const T *alpha,
                           const T *x, int64_t incx, T *y, int64_t incy) {
    entry call(function);
    cublasStatus_t status = blas_begin(call, handle);
    if (status != CUBLAS_STATUS_SUCCESS) {
        return status;
    }
    if (!is_vector(n, incx) || !is_vector(n, incy) || alpha == nullptr) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    require_vector(function, "x", x, n, incx, sizeof(T));
    require_vector(function, "y", y, n, incy, sizeof(T));
    scalar<T> s(handle, alpha);
    return blas_submit(handle, function, [=] {
        int order = blas_int(n), dx = blas_int(incx), dy = blas_int(incy);
        if constexpr (std::is_same_v<T, float>) {
            cblas_saxpy(order, s.get(), x, dx, y, dy);
        } else {
            cblas_daxpy(order, s.get(), x, dx, y, dy);
        }
    });
}

#define VECTORS(letter, T, suffix, size)                                                           \
    cublasStatus_t cublas##letter##dot##suffix(cublasHandle_t handle, size n, const T *x,          \
                                               size incx, const T *y, size incy, T *result) {      \
        return dot<T>("cublas" #letter "dot", handle, n, x, incx, y, incy, result);                \
    }                                                                                              \
    cublasStatus_t cublas##letter##nrm2##suffix(cublasHandle_t handle, size n, const T *x,         \
                                                size incx, T *result) {                            \
        return nrm2<T>("cublas" #letter "nrm2", handle, n, x, incx, result);                       \
    }                                                                                              \
    cublasStatus_t cublas##letter##scal##suffix(cublasHandle_t handle, size n, const T *alpha,     \
                                                T *x, size incx) {                                 \
        return scale<T>("cublas" #letter "scal", handle, n, alpha, x, incx);                       \
    }                                                                                              \
    cublasStatus_t cublas##letter##axpy##suffix(cublasHandle_t handle, size n, const T *alpha,     \
                                                const T *x, size incx, T *y, size incy) {          \
        return axpy<T>("cublas" #letter "axpy", handle, n, alpha, x, incx, y, incy);               \
    }
VECTORS(S, float, _v2, int)
VECTORS(S, float, _v2_64, int64_t)
VECTORS(D, double, _v2, int)
VECTORS(D, double, _v2_64, int64_t)
#undef VECTORS
