/* The inside of the CUDA backend, for the C files of cuda/ alone.
 *
 * A device is one stream. Everything is put into it in order; the host waits only where the seam
 * says so, and where a staging buffer has to be free again. Every return code of CUDA, cuBLAS and
 * cuSOLVER goes through one of the checks below, which turn it into a status and a sentence. */
#ifndef PLSTAR_CUDA_CUDA_H
#define PLSTAR_CUDA_CUDA_H

#include "backend/backend.h"
#include "base/memory.h"
#include "kernels.h"

#include <cublas_v2.h>
#include <cusolverDn.h>

enum { PLS_STAGES = 2, PLS_STAGE_BYTES = 8 << 20 };

/* Page-locked host memory on the way to or from the device. */
typedef struct pls_stage {
    void *memory;       /* PLS_STAGE_BYTES */
    cudaEvent_t copied; /* recorded after the last copy into or out of it */
} pls_stage;

/* Device memory that grows to the largest request and stays until the device is closed. */
typedef struct pls_workspace {
    void *memory;
    int64_t bytes;
} pls_workspace;

typedef struct pls_cuda_state {
    int ordinal;
    char gpu[64];        /* as its maker calls it */
    char capability[16]; /* "9.0" */
    cudaError_t current; /* the error of making the device current that is yet to be reported */
    cudaStream_t stream;
    cublasHandle_t blas;
    cusolverDnHandle_t solver;
    cusolverDnParams_t solver_parameters;
    pls_stage stages[PLS_STAGES];
    int next_stage;
    void *blas_workspace;
    void *small;      /* one allocation for the next three */
    double *scratch;  /* PLS_REDUCE_BLOCKS */
    int64_t *indices; /* PLS_GATHER_ROWS; [0] also takes the result of first_not_finite */
    int *info;        /* of a solver call */
    pls_workspace solver_workspace;
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

/* Makes the device current in the calling thread and gives its stream, or a library's handle. An
 * error of making it current is reported by the next check. */
void pls_cuda_make_current(pls_device *device);
cudaStream_t pls_cuda_stream(pls_device *device);
cublasHandle_t pls_cuda_blas(pls_device *device);
cusolverDnHandle_t pls_cuda_solver(pls_device *device);

/* errors.c: PLS_OK, or a status and a sentence with call, operation, shape and device. A code after
 * which the process has no usable device is reported as a lost device, by every later call too. */
typedef struct pls_cuda_call {
    const char *name;      /* of the library's function; NULL for a kernel of our own */
    const char *operation; /* of the seam */
    int64_t rows, cols;    /* of its result */
} pls_cuda_call;

pls_status pls_cuda_check(pls_device *device, cudaError_t code, pls_cuda_call call);
pls_status pls_cuda_check_blas(pls_device *device, cublasStatus_t code, pls_cuda_call call);
pls_status pls_cuda_check_solver(pls_device *device, cusolverStatus_t code, pls_cuda_call call);

/* The launch of a kernel for the operation whose result is `out`. */
pls_status pls_cuda_launched(pls_device *device, cudaError_t code, const char *operation,
                             pls_view out);

/* Memory that could not be had: what for, how much, and how much is free of how much. */
pls_status pls_cuda_fail_memory(pls_device *device, const char *what, int64_t bytes);

/* Why no device could be opened: no driver, one that is too old, no GPU. */
pls_status pls_cuda_fail_start(pls_device *device, cudaError_t code);

/* memory.c: *memory = device memory for `what`. */
pls_status pls_cuda_take(pls_device *device, const char *what, int64_t bytes, void **memory);
pls_status pls_cuda_grow(pls_device *device, const char *what, int64_t bytes,
                         pls_workspace *workspace);

/* stages.c: two page-locked buffers between host and device. */
pls_status pls_cuda_open_stages(pls_device *device);
void pls_cuda_close_stages(pls_device *device);
/* host = device memory; waits. */
pls_status pls_cuda_read(pls_device *device, const char *operation, const void *memory,
                         int64_t bytes, void *host);
/* device memory = host, which may be reused on return; bytes <= PLS_STAGE_BYTES. */
pls_status pls_cuda_write(pls_device *device, const char *operation, const void *host,
                          int64_t bytes, void *memory);
/* Rows of bytes from one place to another, in the stream. */
pls_status pls_cuda_move(pls_device *device, const char *operation, const void *src,
                         int64_t src_pitch, void *dst, int64_t dst_pitch, int64_t width,
                         int64_t rows, enum cudaMemcpyKind kind);

#define PLS_CUDA_SLOT(name, ...) pls_status pls_cuda_##name(pls_device *device, __VA_ARGS__)

/* memory.c */
PLS_CUDA_SLOT(allocate, int64_t bytes, pls_buffer **buffer);
void pls_cuda_release(pls_device *device, pls_buffer *buffer);
PLS_CUDA_SLOT(memory_info, int64_t *available, int64_t *total);
PLS_CUDA_SLOT(copy, pls_view src, pls_view dst);
PLS_CUDA_SLOT(gather_rows, pls_view src, const int64_t *rows, pls_view dst);

/* stages.c */
PLS_CUDA_SLOT(upload, const void *host, int64_t host_ld, pls_view dst);
PLS_CUDA_SLOT(download, pls_view src, void *host, int64_t host_ld);

/* events.c */
PLS_CUDA_SLOT(event_create, pls_event **event);
void pls_cuda_event_destroy(pls_device *device, pls_event *event);
PLS_CUDA_SLOT(event_record, pls_event *event);
PLS_CUDA_SLOT(event_elapsed, pls_event *first, pls_event *second, double *seconds);
void pls_cuda_range_begin(pls_device *device, const char *name);
void pls_cuda_range_end(pls_device *device);

/* dense.c */
PLS_CUDA_SLOT(gemm, pls_transpose ta, pls_transpose tb, double alpha, pls_view a, pls_view b,
              double beta, pls_view c);
PLS_CUDA_SLOT(gemm_batched, pls_transpose ta, pls_transpose tb, double alpha, pls_view a,
              int64_t stride_a, pls_view b, int64_t stride_b, double beta, pls_view c,
              int64_t stride_c, int64_t count);
PLS_CUDA_SLOT(syrk, double alpha, pls_view a, double beta, pls_view c);
PLS_CUDA_SLOT(symv, double alpha, pls_view a, pls_view x, double beta, pls_view y);

/* gram.c */
PLS_CUDA_SLOT(gram, pls_gram_arithmetic arithmetic, pls_view a, pls_view b, double beta, pls_view c,
              pls_view workspace);
const char *pls_cuda_gram_description(pls_gram_arithmetic arithmetic, pls_dtype dtype);

/* kernels.c: one launch each */
PLS_CUDA_SLOT(fill, double value, pls_view dst);
PLS_CUDA_SLOT(axpby, double alpha, pls_view x, double beta, pls_view y);
PLS_CUDA_SLOT(multiply_accumulate, double alpha, pls_view x, pls_view y, pls_view out);
PLS_CUDA_SLOT(bias_activation, pls_activation phi, double t, pls_view bias, pls_view z, pls_view a);
PLS_CUDA_SLOT(activation_derivative, pls_activation phi, int order, int64_t repeat, pls_view z,
              pls_view d);
PLS_CUDA_SLOT(position_accumulate, double alpha, pls_view g, double gamma, int64_t k, int64_t h,
              pls_view d, pls_view c, bool lower);
PLS_CUDA_SLOT(hadamard_accumulate, double alpha, pls_view g, double gamma, int64_t k, pls_view d,
              pls_view c, bool lower);
PLS_CUDA_SLOT(outer_rows, double alpha, int64_t k, pls_view d, pls_view a, pls_view rows);
PLS_CUDA_SLOT(unit_rows, int64_t k, pls_view d);
PLS_CUDA_SLOT(add_diagonal, double alpha, pls_view a);
PLS_CUDA_SLOT(symmetrize, pls_view a);
PLS_CUDA_SLOT(square_loss, pls_view f, pls_view y, pls_view residual, pls_view losses);
PLS_CUDA_SLOT(cross_entropy_loss, pls_view f, pls_view y, pls_view residual, pls_view losses);
PLS_CUDA_SLOT(softmax_product, pls_view f, pls_view y, pls_view v, pls_view out);
PLS_CUDA_SLOT(sum, pls_view x, pls_view out);
PLS_CUDA_SLOT(dot, pls_view x, pls_view y, pls_view out);
PLS_CUDA_SLOT(squared_distance, pls_view x, pls_view y, pls_view out);
PLS_CUDA_SLOT(max_abs, pls_view x, pls_view out);
PLS_CUDA_SLOT(column_sum, double alpha, pls_view x, double beta, pls_view out);
PLS_CUDA_SLOT(random_uniform, pls_random_stream stream, int64_t first, double low, double high,
              pls_view dst);
PLS_CUDA_SLOT(random_normal, pls_random_stream stream, int64_t first, double scale, pls_view dst);
PLS_CUDA_SLOT(im2col, pls_image image, int64_t kernel, pls_view src, pls_view dst);
PLS_CUDA_SLOT(col2im, pls_image image, int64_t kernel, pls_view src, pls_view dst);
PLS_CUDA_SLOT(average_pool, pls_image image, int64_t size, pls_view src, pls_view dst);
PLS_CUDA_SLOT(average_pool_backward, pls_image image, int64_t size, pls_view src, pls_view dst);

/* factor.c */
PLS_CUDA_SLOT(potrf, pls_view a, int64_t *failed_minor);
PLS_CUDA_SLOT(potrs, pls_view l, pls_view x);
PLS_CUDA_SLOT(syevd, bool vectors, pls_view a, pls_view values);

#undef PLS_CUDA_SLOT

#endif
