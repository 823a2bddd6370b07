/* What all of the emulated cuBLAS shares: the handle, scalars, operands, and the way into the
 * stream. Matrices are column-major, as in cuBLAS and CBLAS. */
#ifndef CUDAEMU_BLAS_H
#define CUDAEMU_BLAS_H

#include "device_memory.h"
#include "entry.h"
#include "queue.h"

#include <cstdint>
#include <functional>
#include <string>

#include <cblas.h>
#include <cublas_v2.h>

/* What a cublasHandle_t points to. */
struct cublasContext {
    cudaStream_t stream;
    cublasPointerMode_t scalars;
    cublasMath_t math;
    void *workspace;
    size_t workspace_bytes;
};

namespace cudaemu {

/* The beginning of every call: CUBLAS_STATUS_SUCCESS, or why it cannot be. */
cublasStatus_t blas_begin(const entry &call, cublasHandle_t handle);

/* Puts work into the handle's stream; it runs with one thread of BLAS. */
cublasStatus_t blas_submit(cublasHandle_t handle, const char *function, std::function<void()> work);

/* alpha or beta: a host scalar is read at the call, a device scalar when the work runs. */
template <typename T>
class scalar {
  public:
    scalar(cublasHandle_t handle, const T *address)
        : device_(handle->scalars == CUBLAS_POINTER_MODE_DEVICE ? address : nullptr),
          value_(device_ == nullptr ? *address : T(0)) {
    }
    T get() const {
        return device_ == nullptr ? value_ : *device_;
    }

  private:
    const T *device_;
    T value_;
};

/* Faults unless rows x cols numbers with leading dimension ld lie in device memory. */
void require_matrix(const char *function, const char *name, const void *data, int64_t rows,
                    int64_t cols, int64_t ld, size_t size);
void require_vector(const char *function, const char *name, const void *data, int64_t n,
                    int64_t increment, size_t size);

inline bool is_operation(cublasOperation_t operation) {
    return operation == CUBLAS_OP_N || operation == CUBLAS_OP_T || operation == CUBLAS_OP_C;
}
inline bool is_fill(cublasFillMode_t uplo) {
    return uplo == CUBLAS_FILL_MODE_LOWER || uplo == CUBLAS_FILL_MODE_UPPER;
}
/* Whether the sizes can be handed to BLAS, and ld covers the rows. */
inline bool is_shape(int64_t rows, int64_t cols, int64_t ld) {
    return rows >= 0 && cols >= 0 && ld >= (rows > 1 ? rows : 1) && cols <= INT32_MAX &&
           ld <= INT32_MAX;
}

inline CBLAS_TRANSPOSE transpose(cublasOperation_t operation) {
    return operation == CUBLAS_OP_N ? CblasNoTrans : CblasTrans;
}
inline CBLAS_UPLO triangle(cublasFillMode_t uplo) {
    return uplo == CUBLAS_FILL_MODE_LOWER ? CblasLower : CblasUpper;
}
inline CBLAS_SIDE side(cublasSideMode_t where) {
    return where == CUBLAS_SIDE_LEFT ? CblasLeft : CblasRight;
}
inline CBLAS_DIAG diagonal(cublasDiagType_t diag) {
    return diag == CUBLAS_DIAG_UNIT ? CblasUnit : CblasNonUnit;
}
/* Sizes that is_shape() let through. */
inline int blas_int(int64_t size) {
    return static_cast<int>(size);
}

} // namespace cudaemu

#endif
