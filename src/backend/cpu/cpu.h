/* The inside of the CPU backend, for src/backend/cpu alone.
 *
 * Every operation is cut into pieces whose geometry is a function of its shape only; threads take
 * pieces, each piece is worked on by one thread, and pieces are combined in their own order. So the
 * bits do not depend on the number of threads. */
#ifndef PLSTAR_BACKEND_CPU_H
#define PLSTAR_BACKEND_CPU_H

#include "backend/backend.h"

enum { PLS_CPU_PARTIALS = 8192 };

typedef struct pls_cpu_state {
    int threads;
    int blas_threads; /* of the process before the device was opened */
    int64_t reserved; /* bytes of all buffers that are there */
    int64_t resident; /* bytes of the process that were in memory when the device was opened */
    double partials[PLS_CPU_PARTIALS];
} pls_cpu_state;

static inline pls_cpu_state *pls_cpu(const pls_device *device) {
    return device->state;
}

/* Multiply-adds, or numbers read, below which waking other threads costs more than they save. */
enum { PLS_CPU_SMALL_WORK = 1 << 17 };

/* How many threads share so much work. */
static inline int pls_cpu_threads(const pls_device *device, double work) {
    return work < PLS_CPU_SMALL_WORK ? 1 : pls_cpu(device)->threads;
}

static inline int64_t pls_least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Element (i, j) of a view of that dtype. */
static inline float *pls_f32_at(pls_view view, int64_t i, int64_t j) {
    return (float *)view.buffer->memory + view.offset + i * view.ld + j;
}

static inline double *pls_f64_at(pls_view view, int64_t i, int64_t j) {
    return (double *)view.buffer->memory + view.offset + i * view.ld + j;
}

/* Element (i, j) of a view of any dtype, for what is not worth two loops. */
static inline double pls_load(pls_view view, int64_t i, int64_t j) {
    return view.dtype == PLS_F32 ? (double)*pls_f32_at(view, i, j) : *pls_f64_at(view, i, j);
}

static inline void pls_store(pls_view view, int64_t i, int64_t j, double value) {
    if (view.dtype == PLS_F32) {
        *pls_f32_at(view, i, j) = (float)value;
    } else {
        *pls_f64_at(view, i, j) = value;
    }
}

/* Works on elements (row, col) .. (row, col + count - 1). */
typedef void pls_cpu_kernel(const void *arguments, int64_t row, int64_t col, int64_t count);

/* Calls the kernel for pieces of rows that cover rows x cols elements, from one or more threads. */
void pls_cpu_for_elements(pls_device *device, int64_t rows, int64_t cols, pls_cpu_kernel *kernel,
                          const void *arguments);

/* Makes one row of both views if they are contiguous, so that pieces are long. */
void pls_cpu_flatten(pls_view *x, pls_view *y);

/* Bytes of this process that are in memory. */
int64_t pls_cpu_resident_bytes(void);

/* Refuses a matrix that the 32-bit sizes of the BLAS cannot describe. */
pls_status pls_cpu_check_blas(pls_device *device, const char *operation, pls_view view);

/* Makes sure that the BLAS does not start threads of its own. */
void pls_cpu_own_threads(void);

/* Lets every thread of the device take its buffer of the BLAS, or refuses if there is no room.
 * Errors: PLS_ERROR_MEMORY. */
pls_status pls_cpu_reserve_blas(pls_device *device);

/* c = alpha a aT + beta c on and below the diagonal; sizes have been checked. */
void pls_cpu_run_syrk(pls_device *device, double alpha, pls_view a, double beta, pls_view c);

#define PLS_CPU_SLOT(name, ...) pls_status pls_cpu_##name(pls_device *device, __VA_ARGS__)

/* memory.c */
PLS_CPU_SLOT(allocate, int64_t bytes, pls_buffer **buffer);
void pls_cpu_release(pls_device *device, pls_buffer *buffer);
PLS_CPU_SLOT(memory_info, int64_t *available, int64_t *total);
PLS_CPU_SLOT(upload, const void *host, int64_t host_ld, pls_view dst);
PLS_CPU_SLOT(download, pls_view src, void *host, int64_t host_ld);
PLS_CPU_SLOT(copy, pls_view src, pls_view dst);
PLS_CPU_SLOT(fill, double value, pls_view dst);
PLS_CPU_SLOT(gather_rows, pls_view src, const int64_t *rows, pls_view dst);
PLS_CPU_SLOT(event_create, pls_event **event);
void pls_cpu_event_destroy(pls_device *device, pls_event *event);
PLS_CPU_SLOT(event_record, pls_event *event);
PLS_CPU_SLOT(event_elapsed, pls_event *first, pls_event *second, double *seconds);

/* dense.c */
PLS_CPU_SLOT(gemm, pls_transpose ta, pls_transpose tb, double alpha, pls_view a, pls_view b,
             double beta, pls_view c);
PLS_CPU_SLOT(gemm_batched, pls_transpose ta, pls_transpose tb, double alpha, pls_view a,
             int64_t stride_a, pls_view b, int64_t stride_b, double beta, pls_view c,
             int64_t stride_c, int64_t count);
PLS_CPU_SLOT(syrk, double alpha, pls_view a, double beta, pls_view c);
PLS_CPU_SLOT(gram, pls_gram_arithmetic arithmetic, pls_view a, pls_view b, double beta, pls_view c,
             pls_view workspace);
const char *pls_cpu_gram_description(pls_gram_arithmetic arithmetic, pls_dtype dtype);
PLS_CPU_SLOT(symv, double alpha, pls_view a, pls_view x, double beta, pls_view y);

/* elementwise.c */
PLS_CPU_SLOT(axpby, double alpha, pls_view x, double beta, pls_view y);
PLS_CPU_SLOT(multiply_accumulate, double alpha, pls_view x, pls_view y, pls_view out);
PLS_CPU_SLOT(bias_activation, pls_activation phi, double t, pls_view bias, pls_view z, pls_view a);
PLS_CPU_SLOT(activation_derivative, pls_activation phi, int order, int64_t repeat, pls_view z,
             pls_view d);
PLS_CPU_SLOT(hadamard_accumulate, double alpha, pls_view g, double gamma, int64_t k, pls_view d,
             pls_view c, bool lower);
PLS_CPU_SLOT(outer_rows, double alpha, int64_t k, pls_view d, pls_view a, pls_view rows);
PLS_CPU_SLOT(unit_rows, int64_t k, pls_view d);
PLS_CPU_SLOT(add_diagonal, double alpha, pls_view a);
PLS_CPU_SLOT(symmetrize, pls_view a);

/* loss.c */
PLS_CPU_SLOT(square_loss, pls_view f, pls_view y, pls_view residual, pls_view losses);
PLS_CPU_SLOT(cross_entropy_loss, pls_view f, pls_view y, pls_view residual, pls_view losses);
PLS_CPU_SLOT(softmax_product, pls_view f, pls_view y, pls_view v, pls_view out);

/* reduce.c */
PLS_CPU_SLOT(sum, pls_view x, pls_view out);
PLS_CPU_SLOT(dot, pls_view x, pls_view y, pls_view out);
PLS_CPU_SLOT(squared_distance, pls_view x, pls_view y, pls_view out);
PLS_CPU_SLOT(max_abs, pls_view x, pls_view out);
PLS_CPU_SLOT(column_sum, double alpha, pls_view x, double beta, pls_view out);

/* random.c */
PLS_CPU_SLOT(random_uniform, pls_random_stream stream, int64_t first, double low, double high,
             pls_view dst);
PLS_CPU_SLOT(random_normal, pls_random_stream stream, int64_t first, double scale, pls_view dst);

/* factor.c */
PLS_CPU_SLOT(potrf, pls_view a, int64_t *failed_minor);
PLS_CPU_SLOT(potrs, pls_view l, pls_view x);
PLS_CPU_SLOT(syevd, bool vectors, pls_view a, pls_view values);

/* positions.c */
PLS_CPU_SLOT(position_accumulate, double alpha, pls_view g, double gamma, int64_t k, int64_t h,
             pls_view d, pls_view c, bool lower);

/* image.c */
PLS_CPU_SLOT(im2col, pls_image image, int64_t kernel, pls_view src, pls_view dst);
PLS_CPU_SLOT(col2im, pls_image image, int64_t kernel, pls_view src, pls_view dst);
PLS_CPU_SLOT(average_pool, pls_image image, int64_t size, pls_view src, pls_view dst);
PLS_CPU_SLOT(average_pool_backward, pls_image image, int64_t size, pls_view src, pls_view dst);

#undef PLS_CPU_SLOT

#endif
