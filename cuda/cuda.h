/* The inside of the CUDA backend, for the C files of cuda/ alone.
 *
 * A device is one stream. Everything is put into it in order; the host waits only where the seam
 * says so, and where a staging buffer has to be free again. Every return code of CUDA, cuBLAS and
 * cuSOLVER goes through one of the checks below, which turn it into a status and a sentence. */
#ifndef PLSTAR_CUDA_CUDA_H
#define PLSTAR_CUDA_CUDA_H

#include "backend/backend.h"
#include "kernels.h"

#include <cublas_v2.h>
#include <cusolverDn.h>

enum { PLS_STAGES = 2 };

/* Page-locked host memory on the way to or from the device. */
typedef struct pls_stage {
    void *memory;     /* PLS_STAGE_BYTES */
    cudaEvent_t free; /* recorded after the last copy out of it */
    bool used;
} pls_stage;

/* Device memory that grows to the largest request and stays until the device is closed. */
typedef struct pls_workspace {
    void *memory;
    size_t bytes;
} pls_workspace;

typedef struct pls_cuda_state {
    int ordinal;
    char gpu[64];
    cudaStream_t stream;
    cublasHandle_t blas;
    cusolverDnHandle_t solver;
    cusolverDnParams_t solver_parameters;
    pls_stage stages[PLS_STAGES];
    int next_stage;
    void *blas_workspace;
    double *scratch;          /* PLS_REDUCE_BLOCKS doubles */
    int64_t *indices;         /* PLS_GATHER_ROWS */
    int *info;                /* devInfo of a solver call */
    pls_workspace factor;     /* of potrf and syevd, on the device */
    bool lost;                /* a sticky error was seen: nothing works any more */
} pls_cuda_state;

static inline pls_cuda_state *pls_cuda(const pls_device *device) {
    return device->state;
}

/* Address of element (0, 0). */
static inline void *pls_cuda_address(pls_view view) {
    return (char *)view.buffer->memory + view.offset * (view.dtype == PLS_F32 ? 4 : 8);
}

static inline pls_matrix pls_cuda_matrix(pls_view view) {
    pls_matrix matrix = {NULL, view.rows, view.cols, view.ld, view.dtype};
    if (view.buffer != NULL) {
        matrix.data = pls_cuda_address(view);
    }
    return matrix;
}

/* errors.c: PLS_OK, or a sentence with call, sizes and device. `operation` names the slot, `rows`
 * and `cols` the shape of its result. A code that leaves the process without a usable device is
 * reported as such, and so is every later call. */
pls_status pls_cuda_check(pls_device *device, cudaError_t code, const char *call,
                          const char *operation, int64_t rows, int64_t cols);
pls_status pls_cuda_check_blas(pls_device *device, cublasStatus_t code, const char *call,
                               const char *operation, int64_t rows, int64_t cols);
pls_status pls_cuda_check_solver(pls_device *device, cusolverStatus_t code, const char *call,
                                 const char *operation, int64_t rows, int64_t cols);
/* Memory that could not be had: what for, how much, and how much is free of how much. */
pls_status pls_cuda_fail_memory(pls_device *device, const char *what, int64_t bytes);
