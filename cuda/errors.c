/* Return codes of CUDA, cuBLAS and cuSOLVER as statuses with sentences.
 *
 * Most errors concern one call. A few (an illegal address, say) stay with the process: every later
 * call returns them again. Then the device is lost, and the sentence says so. */
#include "cuda.h"

#include "base/memory.h"

#include <stdio.h>

/* "gemm of 16 x 2048 (cublasSgemm)" */
static const char *describe(pls_cuda_call call, char *text, size_t size) {
    snprintf(text, size, "%s%s%s%s", call.operation, call.name != NULL ? " (" : "",
             call.name != NULL ? call.name : "", call.name != NULL ? ")" : "");
    if (call.rows > 0) {
        snprintf(text, size, "%s of %lld x %lld%s%s%s", call.operation, (long long)call.rows,
                 (long long)call.cols, call.name != NULL ? " (" : "",
                 call.name != NULL ? call.name : "", call.name != NULL ? ")" : "");
    }
    return text;
}

/* Whether the error is still there when the last one has been taken back. While the device is being
 * opened there is nothing to lose: a GPU that another process holds fails the same way each time.
 */
static bool is_sticky(pls_device *device) {
    if (pls_cuda(device)->stream == NULL) {
        return false;
    }
    (void)cudaGetLastError();
    cudaError_t code = cudaStreamQuery(pls_cuda(device)->stream);
    (void)cudaGetLastError();
    return code != cudaSuccess && code != cudaErrorNotReady;
}

static pls_status fail_lost(pls_device *device, const char *reason, const char *what) {
    return pls_fail(device->context, PLS_ERROR_DEVICE,
                    "the device %s (%s) is lost: %s, noticed at %s; what was computed since the "
                    "last measurement is void. Start the program again; a run goes on from its "
                    "last checkpoint with --resume",
                    device->name, pls_cuda(device)->gpu, reason, what);
}

pls_status pls_cuda_fail_memory(pls_device *device, const char *what, int64_t bytes) {
    size_t available = 0, total = 0;
    char need[32], have[32], all[32];
    (void)cudaGetLastError();
    bool known = cudaMemGetInfo(&available, &total) == cudaSuccess;
    pls_format_bytes(bytes, need);
    if (!known) {
        return pls_fail(device->context, PLS_ERROR_MEMORY,
                        "%s on %s: %s (%lld bytes) were asked for and are not there", what,
                        device->name, need, (long long)bytes);
    }
    return pls_fail(device->context, PLS_ERROR_MEMORY,
                    "%s on %s: %s (%lld bytes) were asked for, %s of %s are free; take fewer "
                    "samples, a narrower network or --precision f32",
                    what, device->name, need, (long long)bytes,
                    pls_format_bytes((int64_t)available, have),
                    pls_format_bytes((int64_t)total, all));
}

/* The sentence of an error of CUDA itself. */
static pls_status fail_call(pls_device *device, cudaError_t code, pls_cuda_call call) {
    char what[160], reason[192];
    describe(call, what, sizeof what);
    snprintf(reason, sizeof reason, "%s (%s)", cudaGetErrorString(code), cudaGetErrorName(code));
    if (code == cudaErrorNoKernelImageForDevice || code == cudaErrorUnsupportedPtxVersion) {
        return pls_fail(device->context, PLS_ERROR_DEVICE,
                        "%s: this build has no code for a GPU of compute capability %s (%s); "
                        "build plstar with that architecture in CMAKE_CUDA_ARCHITECTURES",
                        device->name, pls_cuda(device)->capability, pls_cuda(device)->gpu);
    }
    if (is_sticky(device)) {
        return fail_lost(device, reason, what);
    }
    if (code == cudaErrorMemoryAllocation) {
        return pls_fail(device->context, PLS_ERROR_MEMORY,
                        "%s: there is not enough memory for %s: %s", device->name, what, reason);
    }
    return pls_fail(device->context, PLS_ERROR_DEVICE, "%s: %s failed: %s", device->name, what,
                    reason);
}

/* Whether the device could not be made current before the call; asked once. */
static bool was_not_current(pls_device *device, cudaError_t *code) {
    *code = pls_cuda(device)->current;
    pls_cuda(device)->current = cudaSuccess;
    return *code != cudaSuccess;
}

static pls_status fail_current(pls_device *device, cudaError_t code, pls_cuda_call call) {
    call.name = "cudaSetDevice";
    return fail_call(device, code, call);
}

pls_status pls_cuda_check(pls_device *device, cudaError_t code, pls_cuda_call call) {
    cudaError_t before;
    return was_not_current(device, &before) ? fail_current(device, before, call)
           : code != cudaSuccess            ? fail_call(device, code, call)
                                            : PLS_OK;
}

/* What the two libraries have in common: a text, whether memory was short, and whether it was the
 * device that failed under them. */
static pls_status fail_library(pls_device *device, const char *reason, bool memory,
                               pls_cuda_call call) {
    char what[160];
    describe(call, what, sizeof what);
    if (is_sticky(device)) {
        return fail_lost(device, reason, what);
    }
    return pls_fail(device->context, memory ? PLS_ERROR_MEMORY : PLS_ERROR_DEVICE,
                    memory ? "%s: there is not enough memory for %s: %s" : "%s: %s failed: %s",
                    device->name, what, reason);
}

pls_status pls_cuda_check_blas(pls_device *device, cublasStatus_t code, pls_cuda_call call) {
    cudaError_t before;
    if (was_not_current(device, &before)) {
        return fail_current(device, before, call);
    }
    return code == CUBLAS_STATUS_SUCCESS ? PLS_OK
                                         : fail_library(device, cublasGetStatusName(code),
                                                        code == CUBLAS_STATUS_ALLOC_FAILED, call);
}

pls_status pls_cuda_check_solver(pls_device *device, cusolverStatus_t code, pls_cuda_call call) {
    char reason[48];
    cudaError_t before;
    if (was_not_current(device, &before)) {
        return fail_current(device, before, call);
    }
    if (code == CUSOLVER_STATUS_SUCCESS) {
        return PLS_OK;
    }
    snprintf(reason, sizeof reason, "cuSOLVER status %d", (int)code);
    return fail_library(device, reason, code == CUSOLVER_STATUS_ALLOC_FAILED, call);
}

pls_status pls_cuda_launched(pls_device *device, cudaError_t code, const char *operation,
                             pls_view out) {
    pls_cuda_call call = {NULL, operation, out.rows, out.cols};
    return pls_cuda_check(device, code, call);
}

/* CUDA versions are 1000 major + 10 minor. */
pls_status pls_cuda_fail_start(pls_device *device, cudaError_t code) {
    int driver = 0, runtime = 0;
    (void)cudaGetLastError();
    (void)cudaDriverGetVersion(&driver);
    (void)cudaRuntimeGetVersion(&runtime);
    if (code == cudaErrorInsufficientDriver && driver == 0) {
        return pls_fail(device->context, PLS_ERROR_DEVICE,
                        "no CUDA device: this machine has no NVIDIA driver");
    }
    if (code == cudaErrorInsufficientDriver || code == cudaErrorCompatNotSupportedOnDevice) {
        return pls_fail(device->context, PLS_ERROR_DEVICE,
                        "no CUDA device: the NVIDIA driver knows CUDA %d.%d, and this build needs "
                        "%d.%d; renew the driver",
                        driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    }
    if (code == cudaErrorNoDevice) {
        return pls_fail(device->context, PLS_ERROR_DEVICE,
                        "no CUDA device: the NVIDIA driver is there, but it shows no GPU (is "
                        "CUDA_VISIBLE_DEVICES set?)");
    }
    return pls_fail(device->context, PLS_ERROR_DEVICE, "no CUDA device: %s (%s)",
                    cudaGetErrorString(code), cudaGetErrorName(code));
}
