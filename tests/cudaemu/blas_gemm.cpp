/* C = alpha op(A) op(B) + beta C, plain, in a batch, and in mixed precision.
 *
 * Inputs in float16 are converted exactly and multiplied and summed in float32. TF32 rounds float32
 * inputs to 10 bits of mantissa, to nearest with ties away from zero. */
#include "blas.h"

#include <cmath>
#include <cstring>
#include <vector>

#include <cuda_fp16.h>

using namespace cudaemu;

namespace {

/* One input, for all products of a batch. */
struct input {
    const void *data;
    cudaDataType type;
    int64_t ld;
    long long stride;
    cublasOperation_t operation;
};

struct output {
    void *data;
    int64_t ld;
    long long stride;
};

struct product {
    int64_t m, n, k;
    input a, b;
    output c;
    int64_t batch;
};

} // namespace

static size_t size_of(cudaDataType type) {
    return type == CUDA_R_16F ? 2 : type == CUDA_R_32F ? 4 : 8;
}

static float to_tf32(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    if (std::isfinite(x)) {
        bits = (bits + 0x1000u) & 0xffffe000u;
    }
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

/* rows x cols numbers of the given type as float32, without gaps. */
static std::vector<float> as_float(const void *data, cudaDataType type, int64_t rows, int64_t cols,
                                   int64_t ld, bool tf32) {
    std::vector<float> dense(static_cast<size_t>(rows * cols));
    for (int64_t j = 0; j < cols; j++) {
        for (int64_t i = 0; i < rows; i++) {
            float x = type == CUDA_R_16F
                          ? __half2float(static_cast<const __half *>(data)[j * ld + i])
                          : static_cast<const float *>(data)[j * ld + i];
            dense[static_cast<size_t>(j * rows + i)] = tf32 ? to_tf32(x) : x;
        }
    }
    return dense;
}

template <typename T>
static void multiply(const product &p, T alpha, const T *a, int64_t lda, const T *b, int64_t ldb,
                     T beta, T *c) {
    CBLAS_TRANSPOSE ta = transpose(p.a.operation), tb = transpose(p.b.operation);
    int m = blas_int(p.m), n = blas_int(p.n), k = blas_int(p.k);
    int a_ld = blas_int(lda), b_ld = blas_int(ldb), c_ld = blas_int(p.c.ld);
    if constexpr (std::is_same_v<T, float>) {
        cblas_sgemm(CblasColMajor, ta, tb, m, n, k, alpha, a, a_ld, b, b_ld, beta, c, c_ld);
    } else {
        cblas_dgemm(CblasColMajor, ta, tb, m, n, k, alpha, a, a_ld, b, b_ld, beta, c, c_ld);
    }
}

/* Rows and columns of an input as it is stored. */
static int64_t stored_rows(const input &x, int64_t rows, int64_t cols) {
    return x.operation == CUBLAS_OP_N ? rows : cols;
}

/* beta = 0 must not read C, whatever BLAS does. */
template <typename T>
static void clear(T *c, int64_t m, int64_t n, int64_t ld) {
    for (int64_t j = 0; j < n; j++) {
        std::fill(c + j * ld, c + j * ld + m, T(0));
    }
}

template <typename T>
static void run_one(const product &p, T alpha, T beta, const void *a, const void *b, T *c,
                    bool tf32) {
    if (beta == T(0)) {
        clear(c, p.m, p.n, p.c.ld);
    }
    if constexpr (std::is_same_v<T, float>) {
        if (tf32 || p.a.type == CUDA_R_16F) {
            int64_t a_rows = stored_rows(p.a, p.m, p.k), b_rows = stored_rows(p.b, p.k, p.n);
            int64_t a_cols = p.m + p.k - a_rows, b_cols = p.k + p.n - b_rows;
            std::vector<float> a32 = as_float(a, p.a.type, a_rows, a_cols, p.a.ld, tf32);
            std::vector<float> b32 = as_float(b, p.b.type, b_rows, b_cols, p.b.ld, tf32);
            multiply<float>(p, alpha, a32.data(), std::max<int64_t>(a_rows, 1), b32.data(),
                            std::max<int64_t>(b_rows, 1), beta, c);
            return;
        }
    }
    multiply<T>(p, alpha, static_cast<const T *>(a), p.a.ld, static_cast<const T *>(b), p.b.ld,
                beta, c);
}

template <typename T>
static void run(const product &p, T alpha, T beta, bool tf32) {
    for (int64_t i = 0; i < p.batch; i++) {
        auto skip = [i](const input &x) {
            return static_cast<const char *>(x.data) + i * x.stride * long(size_of(x.type));
        };
        run_one<T>(p, alpha, beta, skip(p.a), skip(p.b),
                   static_cast<T *>(p.c.data) + i * p.c.stride, tf32);
    }
}

static void require(const char *function, const product &p, size_t c_size) {
    int64_t a_rows = stored_rows(p.a, p.m, p.k), b_rows = stored_rows(p.b, p.k, p.n);
    for (int64_t i = 0; i < p.batch; i++) {
        auto at = [i](const void *data, long long stride, size_t size) {
            return static_cast<const char *>(data) + i * stride * long(size);
        };
        size_t size = size_of(p.a.type);
        require_matrix(function, "A", at(p.a.data, p.a.stride, size), a_rows, p.m + p.k - a_rows,
                       p.a.ld, size);
        require_matrix(function, "B", at(p.b.data, p.b.stride, size), b_rows, p.k + p.n - b_rows,
                       p.b.ld, size);
        require_matrix(function, "C", at(p.c.data, p.c.stride, c_size), p.m, p.n, p.c.ld, c_size);
    }
}

static bool is_valid(const product &p) {
    if (!is_operation(p.a.operation) || !is_operation(p.b.operation) || p.batch < 0 || p.m < 0 ||
        p.n < 0 || p.k < 0) {
        return false;
    }
    int64_t a_rows = stored_rows(p.a, p.m, p.k), b_rows = stored_rows(p.b, p.k, p.n);
    return is_shape(a_rows, p.m + p.k - a_rows, p.a.ld) &&
           is_shape(b_rows, p.k + p.n - b_rows, p.b.ld) && is_shape(p.m, p.n, p.c.ld);
}

template <typename T>
static cublasStatus_t gemm(const char *function, cublasHandle_t handle, const product &p,
                           const T *alpha, const T *beta, bool tf32) {
    entry call(function);
    cublasStatus_t status = blas_begin(call, handle);
    if (status != CUBLAS_STATUS_SUCCESS) {
        return status;
    }
    if (!is_valid(p) || alpha == nullptr || beta == nullptr) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    if (p.m == 0 || p.n == 0 || p.batch == 0) {
        return CUBLAS_STATUS_SUCCESS;
    }
    require(function, p, sizeof(T));
    scalar<T> a(handle, alpha), b(handle, beta);
    return blas_submit(handle, function, [=] { run<T>(p, a.get(), b.get(), tf32); });
}

static bool wants_tf32(cublasHandle_t handle) {
    return handle != nullptr && handle->math == CUBLAS_TF32_TENSOR_OP_MATH;
}

/* Types and arithmetic: all float64, or float32 of float32 or float16 inputs. */
static cublasStatus_t gemm_typed(const char *function, cublasHandle_t handle, const product &p,
                                 const void *alpha, const void *beta, cudaDataType c_type,
                                 cublasComputeType_t compute) {
    auto inputs_are = [&](cudaDataType type) { return p.a.type == type && p.b.type == type; };
    bool plain = compute == CUBLAS_COMPUTE_32F || compute == CUBLAS_COMPUTE_32F_PEDANTIC;
    bool tf32 = compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    bool f64 = compute == CUBLAS_COMPUTE_64F || compute == CUBLAS_COMPUTE_64F_PEDANTIC;
    if (f64 && inputs_are(CUDA_R_64F) && c_type == CUDA_R_64F) {
        return gemm<double>(function, handle, p, static_cast<const double *>(alpha),
                            static_cast<const double *>(beta), false);
    }
    if ((plain || tf32) && c_type == CUDA_R_32F &&
        (inputs_are(CUDA_R_32F) || inputs_are(CUDA_R_16F))) {
        bool rounds = inputs_are(CUDA_R_32F) && (tf32 || (plain && wants_tf32(handle)));
        return gemm<float>(function, handle, p, static_cast<const float *>(alpha),
                           static_cast<const float *>(beta), rounds);
    }
    entry call(function);
    cublasStatus_t status = blas_begin(call, handle);
    return status == CUBLAS_STATUS_SUCCESS ? CUBLAS_STATUS_NOT_SUPPORTED : status;
}

/* ---- entry points: with sizes of 32 and of 64 bits ------------------------------------------- */

template <typename T>
constexpr cudaDataType type_of = std::is_same_v<T, float> ? CUDA_R_32F : CUDA_R_64F;

#define GEMM(symbol, name, T, size)                                                                \
    cublasStatus_t symbol(cublasHandle_t handle, cublasOperation_t transa,                         \
                          cublasOperation_t transb, size m, size n, size k, const T *alpha,        \
                          const T *A, size lda, const T *B, size ldb, const T *beta, T *C,         \
                          size ldc) {                                                              \
        product p = {                                                                              \
            m,           n, k, {A, type_of<T>, lda, 0, transa}, {B, type_of<T>, ldb, 0, transb},   \
            {C, ldc, 0}, 1};                                                                       \
        return gemm<T>(name, handle, p, alpha, beta,                                               \
                       type_of<T> == CUDA_R_32F && wants_tf32(handle));                            \
    }
GEMM(cublasSgemm_v2, "cublasSgemm", float, int)
GEMM(cublasSgemm_v2_64, "cublasSgemm", float, int64_t)
GEMM(cublasDgemm_v2, "cublasDgemm", double, int)
GEMM(cublasDgemm_v2_64, "cublasDgemm", double, int64_t)
#undef GEMM

#define GEMM_BATCHED(symbol, name, T, size)                                                        \
    cublasStatus_t symbol(                                                                         \
        cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, size m, size n, \
        size k, const T *alpha, const T *A, size lda, long long strideA, const T *B, size ldb,     \
        long long strideB, const T *beta, T *C, size ldc, long long strideC, size batch) {         \
        product p = {m,                                                                            \
                     n,                                                                            \
                     k,                                                                            \
                     {A, type_of<T>, lda, strideA, transa},                                        \
                     {B, type_of<T>, ldb, strideB, transb},                                        \
                     {C, ldc, strideC},                                                            \
                     batch};                                                                       \
        return gemm<T>(name, handle, p, alpha, beta,                                               \
                       type_of<T> == CUDA_R_32F && wants_tf32(handle));                            \
    }
GEMM_BATCHED(cublasSgemmStridedBatched, "cublasSgemmStridedBatched", float, int)
GEMM_BATCHED(cublasSgemmStridedBatched_64, "cublasSgemmStridedBatched", float, int64_t)
GEMM_BATCHED(cublasDgemmStridedBatched, "cublasDgemmStridedBatched", double, int)
GEMM_BATCHED(cublasDgemmStridedBatched_64, "cublasDgemmStridedBatched", double, int64_t)
#undef GEMM_BATCHED

#define GEMM_EX(symbol, size)                                                                      \
    cublasStatus_t symbol(                                                                         \
        cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, size m, size n, \
        size k, const void *alpha, const void *A, cudaDataType a_type, size lda, const void *B,    \
        cudaDataType b_type, size ldb, const void *beta, void *C, cudaDataType c_type, size ldc,   \
        cublasComputeType_t compute, cublasGemmAlgo_t) {                                           \
        product p = {m,           n, k, {A, a_type, lda, 0, transa}, {B, b_type, ldb, 0, transb},  \
                     {C, ldc, 0}, 1};                                                              \
        return gemm_typed("cublasGemmEx", handle, p, alpha, beta, c_type, compute);                \
    }
GEMM_EX(cublasGemmEx, int)
GEMM_EX(cublasGemmEx_64, int64_t)
#undef GEMM_EX

#define GEMM_BATCHED_EX(symbol, size)                                                              \
    cublasStatus_t symbol(                                                                         \
        cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, size m, size n, \
        size k, const void *alpha, const void *A, cudaDataType a_type, size lda,                   \
        long long strideA, const void *B, cudaDataType b_type, size ldb, long long strideB,        \
        const void *beta, void *C, cudaDataType c_type, size ldc, long long strideC, size batch,   \
        cublasComputeType_t compute, cublasGemmAlgo_t) {                                           \
        product p = {m,                                                                            \
                     n,                                                                            \
                     k,                                                                            \
                     {A, a_type, lda, strideA, transa},                                            \
                     {B, b_type, ldb, strideB, transb},                                            \
                     {C, ldc, strideC},                                                            \
                     batch};                                                                       \
        return gemm_typed("cublasGemmStridedBatchedEx", handle, p, alpha, beta, c_type, compute);  \
    }
GEMM_BATCHED_EX(cublasGemmStridedBatchedEx, int)
GEMM_BATCHED_EX(cublasGemmStridedBatchedEx_64, int64_t)
#undef GEMM_BATCHED_EX
