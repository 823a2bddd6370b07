/* cuSOLVER's factorization, solve and eigenvalues by LAPACK.
 *
 * Workspaces are longer than nothing, on the device and on the host, and what is in them is lost;
 * `info` is device memory that is written when the work runs. */
#include "device_memory.h"
#include "entry.h"
#include "library_handles.h"
#include "queue.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <cblas.h>
#include <cusolverDn.h>
#include <lapacke.h>

using namespace cudaemu;

/* What a cusolverDnHandle_t points to. */
struct cusolverDnContext {
    cudaStream_t stream;
};

struct cusolverDnParams {};

namespace {

struct workspace {
    void *device;
    size_t device_bytes;
    void *host;
    size_t host_bytes;
};

} // namespace

static cusolverStatus_t begin(const entry &call, cusolverDnHandle_t handle) {
    if (!library_handles().holds(handle)) {
        return CUSOLVER_STATUS_NOT_INITIALIZED;
    }
    return call.refused() ? CUSOLVER_STATUS_EXECUTION_FAILED : CUSOLVER_STATUS_SUCCESS;
}

/* Runs `work`, which returns LAPACK's code, in the handle's stream. */
template <typename Work>
static cusolverStatus_t submit_solver(cusolverDnHandle_t handle, const char *function, int *info,
                                      Work work) {
    CUstream_st *stream = find_stream(handle->stream);
    if (stream == nullptr) {
        return CUSOLVER_STATUS_EXECUTION_FAILED;
    }
    require_allocated(info, sizeof *info, "info", function);
    submit(stream, function, [=] {
        int threads = openblas_get_num_threads();
        openblas_set_num_threads(1);
        *info = work();
        openblas_set_num_threads(threads);
    });
    return CUSOLVER_STATUS_SUCCESS;
}

static bool is_matrix(int64_t rows, int64_t cols, int64_t ld) {
    return rows >= 0 && cols >= 0 && ld >= std::max<int64_t>(rows, 1) && ld <= INT32_MAX &&
           cols <= INT32_MAX;
}

static bool is_real(cudaDataType type) {
    return type == CUDA_R_32F || type == CUDA_R_64F;
}

static size_t size_of(cudaDataType type) {
    return type == CUDA_R_32F ? 4 : 8;
}

static char letter(cublasFillMode_t uplo) {
    return uplo == CUBLAS_FILL_MODE_LOWER ? 'L' : 'U';
}

static void require_matrix(const char *function, const char *name, const void *data, int64_t rows,
                           int64_t cols, int64_t ld, cudaDataType type) {
    if (rows > 0 && cols > 0) {
        require_allocated(data, static_cast<size_t>((cols - 1) * ld + rows) * size_of(type), name,
                          function);
    }
}

/* What a factorization (columns = 1) or the eigenvalues (columns = 3) of order n are told to need.
 */
static workspace needed(int64_t n, int64_t columns, cudaDataType type) {
    size_t rows = static_cast<size_t>(n) + 32;
    return {nullptr, rows * static_cast<size_t>(columns) * 32 * size_of(type), nullptr,
            rows * size_of(type)};
}

/* Faults if the device's part is not allocated; false if a part is too short. */
static bool suffices(const char *function, const workspace &given, const workspace &need) {
    if (given.device == nullptr || given.device_bytes < need.device_bytes ||
        given.host == nullptr || given.host_bytes < need.host_bytes) {
        return false;
    }
    require_allocated(given.device, given.device_bytes, "the workspace", function);
    return true;
}

/* ---- handles -------------------------------------------------------------------------------- */

cusolverStatus_t cusolverGetVersion(int *version) {
    *version = CUSOLVER_VERSION;
    return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t *handle) {
    entry call("cusolverDnCreate");
    if (call.refused()) {
        return call.planned() ? CUSOLVER_STATUS_ALLOC_FAILED : CUSOLVER_STATUS_NOT_INITIALIZED;
    }
    *handle = new cusolverDnContext{nullptr};
    library_handles().add(*handle);
    return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnDestroy(cusolverDnHandle_t handle) {
    entry call("cusolverDnDestroy");
    if (!library_handles().remove(handle)) {
        return CUSOLVER_STATUS_NOT_INITIALIZED;
    }
    delete handle;
    return call.refused() ? CUSOLVER_STATUS_INTERNAL_ERROR : CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle, cudaStream_t stream) {
    entry call("cusolverDnSetStream");
    cusolverStatus_t status = begin(call, handle);
    if (status == CUSOLVER_STATUS_SUCCESS) {
        handle->stream = stream;
    }
    return status;
}

/* Results never depend on the order of atomics here. */
cusolverStatus_t cusolverDnSetDeterministicMode(cusolverDnHandle_t handle,
                                                cusolverDeterministicMode_t) {
    entry call("cusolverDnSetDeterministicMode");
    return begin(call, handle);
}

cusolverStatus_t cusolverDnCreateParams(cusolverDnParams_t *params) {
    entry call("cusolverDnCreateParams");
    if (call.refused()) {
        return CUSOLVER_STATUS_ALLOC_FAILED;
    }
    *params = new cusolverDnParams;
    library_handles().add(*params);
    return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnDestroyParams(cusolverDnParams_t params) {
    entry call("cusolverDnDestroyParams");
    if (!library_handles().remove(params)) {
        return CUSOLVER_STATUS_INVALID_VALUE;
    }
    delete params;
    return call.refused() ? CUSOLVER_STATUS_INTERNAL_ERROR : CUSOLVER_STATUS_SUCCESS;
}

/* ---- Cholesky factorization ----------------------------------------------------------------- */

static cusolverStatus_t report_size(workspace need, size_t *device_bytes, size_t *host_bytes) {
    *device_bytes = need.device_bytes;
    *host_bytes = need.host_bytes;
    return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnXpotrf_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t,
                                             cublasFillMode_t, int64_t n, cudaDataType type,
                                             const void *, int64_t lda, cudaDataType compute,
                                             size_t *device_bytes, size_t *host_bytes) {
    entry call("cusolverDnXpotrf_bufferSize");
    cusolverStatus_t status = begin(call, handle);
    if (status != CUSOLVER_STATUS_SUCCESS) {
        return status;
    }
    if (!is_matrix(n, n, lda) || !is_real(type) || compute != type) {
        return CUSOLVER_STATUS_INVALID_VALUE;
    }
    return report_size(needed(n, 1, type), device_bytes, host_bytes);
}

cusolverStatus_t cusolverDnXpotrf(cusolverDnHandle_t handle, cusolverDnParams_t,
                                  cublasFillMode_t uplo, int64_t n, cudaDataType type, void *a,
                                  int64_t lda, cudaDataType compute, void *device_buffer,
                                  size_t device_bytes, void *host_buffer, size_t host_bytes,
                                  int *info) {
    const char *function = "cusolverDnXpotrf";
    entry call(function);
    cusolverStatus_t status = begin(call, handle);
    if (status != CUSOLVER_STATUS_SUCCESS) {
        return status;
    }
    workspace given = {device_buffer, device_bytes, host_buffer, host_bytes};
    if (!is_matrix(n, n, lda) || !is_real(type) || compute != type ||
        !suffices(function, given, needed(n, 1, type))) {
        return CUSOLVER_STATUS_INVALID_VALUE;
    }
    require_matrix(function, "A", a, n, n, lda, type);
    std::memset(host_buffer, 0xff, host_bytes);
    return submit_solver(handle, function, info, [=] {
        std::memset(device_buffer, 0xff, device_bytes);
        lapack_int order = static_cast<lapack_int>(n), ld = static_cast<lapack_int>(lda);
        return type == CUDA_R_32F ? LAPACKE_spotrf_work(LAPACK_COL_MAJOR, letter(uplo), order,
                                                        static_cast<float *>(a), ld)
                                  : LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, letter(uplo), order,
                                                        static_cast<double *>(a), ld);
    });
}

cusolverStatus_t cusolverDnXpotrs(cusolverDnHandle_t handle, cusolverDnParams_t,
                                  cublasFillMode_t uplo, int64_t n, int64_t columns,
                                  cudaDataType a_type, const void *a, int64_t lda,
                                  cudaDataType b_type, void *b, int64_t ldb, int *info) {
    const char *function = "cusolverDnXpotrs";
    entry call(function);
    cusolverStatus_t status = begin(call, handle);
    if (status != CUSOLVER_STATUS_SUCCESS) {
        return status;
    }
    if (!is_matrix(n, n, lda) || !is_matrix(n, columns, ldb) || !is_real(a_type) ||
        a_type != b_type) {
        return CUSOLVER_STATUS_INVALID_VALUE;
    }
    require_matrix(function, "A", a, n, n, lda, a_type);
    require_matrix(function, "B", b, n, columns, ldb, b_type);
    return submit_solver(handle, function, info, [=] {
        lapack_int order = static_cast<lapack_int>(n), right = static_cast<lapack_int>(columns);
        lapack_int a_ld = static_cast<lapack_int>(lda), b_ld = static_cast<lapack_int>(ldb);
        return a_type == CUDA_R_32F ? LAPACKE_spotrs_work(LAPACK_COL_MAJOR, letter(uplo), order,
                                                          right, static_cast<const float *>(a),
                                                          a_ld, static_cast<float *>(b), b_ld)
                                    : LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, letter(uplo), order,
                                                          right, static_cast<const double *>(a),
                                                          a_ld, static_cast<double *>(b), b_ld);
    });
}

/* ---- eigenvalues ---------------------------------------------------------------------------- */

cusolverStatus_t cusolverDnXsyevd_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t,
                                             cusolverEigMode_t, cublasFillMode_t, int64_t n,
                                             cudaDataType type, const void *, int64_t lda,
                                             cudaDataType values_type, const void *,
                                             cudaDataType compute, size_t *device_bytes,
                                             size_t *host_bytes) {
    entry call("cusolverDnXsyevd_bufferSize");
    cusolverStatus_t status = begin(call, handle);
    if (status != CUSOLVER_STATUS_SUCCESS) {
        return status;
    }
    if (!is_matrix(n, n, lda) || !is_real(type) || values_type != type || compute != type) {
        return CUSOLVER_STATUS_INVALID_VALUE;
    }
    return report_size(needed(n, 3, type), device_bytes, host_bytes);
}

static lapack_int call_syevd(char job, char uplo, lapack_int n, double *a, lapack_int lda,
                             double *w, double *work, lapack_int length, lapack_int *integers,
                             lapack_int integers_length) {
    return LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, job, uplo, n, a, lda, w, work, length, integers,
                               integers_length);
}

static lapack_int call_syevd(char job, char uplo, lapack_int n, float *a, lapack_int lda, float *w,
                             float *work, lapack_int length, lapack_int *integers,
                             lapack_int integers_length) {
    return LAPACKE_ssyevd_work(LAPACK_COL_MAJOR, job, uplo, n, a, lda, w, work, length, integers,
                               integers_length);
}

template <typename T>
static int eigenvalues(bool vectors, char uplo, int64_t n, T *a, int64_t lda, T *values) {
    lapack_int order = static_cast<lapack_int>(n), ld = static_cast<lapack_int>(lda);
    char job = vectors ? 'V' : 'N';
    T length = 0;
    lapack_int integers = 0;
    int info = call_syevd(job, uplo, order, a, ld, values, &length, -1, &integers, -1);
    if (info == 0) {
        std::vector<T> work(static_cast<size_t>(length));
        std::vector<lapack_int> integer_work(static_cast<size_t>(integers));
        info = call_syevd(job, uplo, order, a, ld, values, work.data(),
                          static_cast<lapack_int>(work.size()), integer_work.data(), integers);
    }
    for (int64_t j = 0; j < n && !vectors; j++) { /* destroyed, as documented */
        std::fill(a + j * lda, a + j * lda + n, std::numeric_limits<T>::quiet_NaN());
    }
    return info;
}

cusolverStatus_t cusolverDnXsyevd(cusolverDnHandle_t handle, cusolverDnParams_t,
                                  cusolverEigMode_t job, cublasFillMode_t uplo, int64_t n,
                                  cudaDataType type, void *a, int64_t lda, cudaDataType values_type,
                                  void *values, cudaDataType compute, void *device_buffer,
                                  size_t device_bytes, void *host_buffer, size_t host_bytes,
                                  int *info) {
    const char *function = "cusolverDnXsyevd";
    entry call(function);
    cusolverStatus_t status = begin(call, handle);
    if (status != CUSOLVER_STATUS_SUCCESS) {
        return status;
    }
    workspace given = {device_buffer, device_bytes, host_buffer, host_bytes};
    if (!is_matrix(n, n, lda) || !is_real(type) || values_type != type || compute != type ||
        !suffices(function, given, needed(n, 3, type))) {
        return CUSOLVER_STATUS_INVALID_VALUE;
    }
    require_matrix(function, "A", a, n, n, lda, type);
    require_matrix(function, "W", values, n, 1, std::max<int64_t>(n, 1), type);
    std::memset(host_buffer, 0xff, host_bytes);
    bool vectors = job == CUSOLVER_EIG_MODE_VECTOR;
    return submit_solver(handle, function, info, [=] {
        std::memset(device_buffer, 0xff, device_bytes);
        return type == CUDA_R_32F ? eigenvalues(vectors, letter(uplo), n, static_cast<float *>(a),
                                                lda, static_cast<float *>(values))
                                  : eigenvalues(vectors, letter(uplo), n, static_cast<double *>(a),
                                                lda, static_cast<double *>(values));
    });
}
