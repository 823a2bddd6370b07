/* Handles of cuBLAS, their settings, and the way of its work into a stream. */
#include "blas.h"

#include "fault.h"
#include "library_handles.h"

#include <cstring>
#include <utility>

using namespace cudaemu;

namespace cudaemu {

cublasStatus_t blas_begin(const entry &call, cublasHandle_t handle) {
    if (!library_handles().holds(handle)) {
        return CUBLAS_STATUS_NOT_INITIALIZED;
    }
    return call.refused() ? CUBLAS_STATUS_EXECUTION_FAILED : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t blas_submit(cublasHandle_t handle, const char *function,
                           std::function<void()> work) {
    CUstream_st *stream = find_stream(handle->stream);
    if (stream == nullptr) {
        return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    void *workspace = handle->workspace;
    size_t bytes = handle->workspace_bytes;
    submit(stream, function, [=, work = std::move(work)] {
        require_allocated(workspace, bytes, "the workspace", function);
        int threads = openblas_get_num_threads();
        openblas_set_num_threads(1);
        work();
        openblas_set_num_threads(threads);
    });
    return CUBLAS_STATUS_SUCCESS;
}

void require_matrix(const char *function, const char *name, const void *data, int64_t rows,
                    int64_t cols, int64_t ld, size_t size) {
    if (rows > 0 && cols > 0) {
        auto numbers = static_cast<size_t>((cols - 1) * ld + rows);
        require_allocated(data, numbers * size, name, function);
    }
}

void require_vector(const char *function, const char *name, const void *data, int64_t n,
                    int64_t increment, size_t size) {
    require_matrix(function, name, data, 1, n, increment < 0 ? -increment : increment, size);
}

} // namespace cudaemu

cublasStatus_t cublasCreate_v2(cublasHandle_t *handle) {
    entry call("cublasCreate");
    if (call.refused()) {
        return call.planned() ? CUBLAS_STATUS_ALLOC_FAILED : CUBLAS_STATUS_NOT_INITIALIZED;
    }
    *handle = new cublasContext{nullptr, CUBLAS_POINTER_MODE_HOST, CUBLAS_DEFAULT_MATH, nullptr, 0};
    library_handles().add(*handle);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
    entry call("cublasDestroy");
    if (!library_handles().remove(handle)) {
        return CUBLAS_STATUS_NOT_INITIALIZED;
    }
    synchronize_device();
    delete handle;
    return call.refused() ? CUBLAS_STATUS_EXECUTION_FAILED : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
    entry call("cublasSetStream");
    cublasStatus_t status = blas_begin(call, handle);
    if (status == CUBLAS_STATUS_SUCCESS) {
        handle->stream = stream;
        handle->workspace = nullptr; /* as cuBLAS does */
        handle->workspace_bytes = 0;
    }
    return status;
}

cublasStatus_t cublasGetStream_v2(cublasHandle_t handle, cudaStream_t *stream) {
    entry call("cublasGetStream");
    cublasStatus_t status = blas_begin(call, handle);
    if (status == CUBLAS_STATUS_SUCCESS) {
        *stream = handle->stream;
    }
    return status;
}

/* What lies in the workspace is lost, and shall be seen to be. */
cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void *workspace, size_t bytes) {
    entry call("cublasSetWorkspace");
    cublasStatus_t status = blas_begin(call, handle);
    if (status != CUBLAS_STATUS_SUCCESS) {
        return status;
    }
    if (reinterpret_cast<uintptr_t>(workspace) % 256 != 0) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    require_allocated(workspace, bytes, "the workspace", "cublasSetWorkspace");
    handle->workspace = workspace;
    handle->workspace_bytes = bytes;
    return blas_submit(handle, "cublasSetWorkspace", [=] {
        if (bytes > 0) {
            std::memset(workspace, 0xff, bytes);
        }
    });
}

cublasStatus_t cublasSetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t mode) {
    entry call("cublasSetPointerMode");
    cublasStatus_t status = blas_begin(call, handle);
    if (status == CUBLAS_STATUS_SUCCESS) {
        handle->scalars = mode;
    }
    return status;
}

cublasStatus_t cublasGetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t *mode) {
    entry call("cublasGetPointerMode");
    cublasStatus_t status = blas_begin(call, handle);
    if (status == CUBLAS_STATUS_SUCCESS) {
        *mode = handle->scalars;
    }
    return status;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
    entry call("cublasSetMathMode");
    cublasStatus_t status = blas_begin(call, handle);
    if (status == CUBLAS_STATUS_SUCCESS) {
        handle->math = mode;
    }
    return status;
}

cublasStatus_t cublasGetMathMode(cublasHandle_t handle, cublasMath_t *mode) {
    entry call("cublasGetMathMode");
    cublasStatus_t status = blas_begin(call, handle);
    if (status == CUBLAS_STATUS_SUCCESS) {
        *mode = handle->math;
    }
    return status;
}

/* Sums never depend on atomics here. */
cublasStatus_t cublasSetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t) {
    entry call("cublasSetAtomicsMode");
    return blas_begin(call, handle);
}

cublasStatus_t cublasGetVersion_v2(cublasHandle_t handle, int *version) {
    entry call("cublasGetVersion");
    cublasStatus_t status = blas_begin(call, handle);
    if (status == CUBLAS_STATUS_SUCCESS) {
        *version = CUBLAS_VERSION;
    }
    return status;
}

const char *cublasGetStatusName(cublasStatus_t status) {
    switch (status) {
    case CUBLAS_STATUS_SUCCESS:
        return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
        return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
        return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_ARCH_MISMATCH:
        return "CUBLAS_STATUS_ARCH_MISMATCH";
    case CUBLAS_STATUS_MAPPING_ERROR:
        return "CUBLAS_STATUS_MAPPING_ERROR";
    case CUBLAS_STATUS_EXECUTION_FAILED:
        return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_INTERNAL_ERROR:
        return "CUBLAS_STATUS_INTERNAL_ERROR";
    case CUBLAS_STATUS_NOT_SUPPORTED:
        return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
        return "an unknown status of cuBLAS";
    }
}

const char *cublasGetStatusString(cublasStatus_t status) {
    switch (status) {
    case CUBLAS_STATUS_SUCCESS:
        return "success";
    case CUBLAS_STATUS_NOT_INITIALIZED:
        return "the library was not initialized";
    case CUBLAS_STATUS_ALLOC_FAILED:
        return "the resource allocation failed";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "an unsupported value or parameter was passed to the function";
    case CUBLAS_STATUS_EXECUTION_FAILED:
        return "the function failed to launch on the GPU";
    case CUBLAS_STATUS_NOT_SUPPORTED:
        return "the functionality requested is not supported";
    default:
        return cublasGetStatusName(status);
    }
}
