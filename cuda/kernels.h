/* What the C files of the module know of its kernels: one launcher a kernel.
 *
 * A launcher puts work into a stream and returns at once; its code is that of the launch. Shapes,
 * dtypes and overlap have been checked (src/backend/operations.c), views are not empty, and the
 * formulas stand above the slots of the same names in src/backend/backend.h. Kernels use no
 * floating-point atomics; what a reduction adds in which order depends on shapes alone. */
#ifndef PLSTAR_CUDA_KERNELS_H
#define PLSTAR_CUDA_KERNELS_H

#include "backend/backend.h"

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A view as kernels see it: element (i, j) = data[i ld + j] in device memory. data = NULL: not
 * given. */
typedef struct pls_matrix {
    void *data;
    int64_t rows, cols, ld;
    pls_dtype dtype;
} pls_matrix;

enum {
    PLS_REDUCE_BLOCKS = 1024, /* doubles of scratch that a reduction needs */
    PLS_GATHER_ROWS = 8192    /* rows of a gather_rows launch at most */
};

#define PLS_LAUNCHER(name, ...) cudaError_t pls_launch_##name(cudaStream_t stream, __VA_ARGS__)

/* copy.cu. convert: the dtypes differ. gather_rows: `rows` is device memory of dst.rows indices. */
PLS_LAUNCHER(convert, pls_matrix src, pls_matrix dst);
PLS_LAUNCHER(fill, double value, pls_matrix dst);
PLS_LAUNCHER(gather_rows, pls_matrix src, const int64_t *rows, pls_matrix dst);
PLS_LAUNCHER(unit_rows, int64_t k, pls_matrix d);

/* elementwise.cu */
PLS_LAUNCHER(axpby, double alpha, pls_matrix x, double beta, pls_matrix y);
PLS_LAUNCHER(multiply_accumulate, double alpha, pls_matrix x, pls_matrix y, pls_matrix out);
PLS_LAUNCHER(hadamard_accumulate, double alpha, pls_matrix g, double gamma, int64_t k, pls_matrix d,
             pls_matrix c, bool lower);
PLS_LAUNCHER(outer_rows, double alpha, int64_t k, pls_matrix d, pls_matrix a, pls_matrix rows);

/* activation.cu */
PLS_LAUNCHER(bias_activation, pls_activation phi, double t, pls_matrix bias, pls_matrix z,
             pls_matrix a);
PLS_LAUNCHER(activation_derivative, pls_activation phi, int order, int64_t repeat, pls_matrix z,
             pls_matrix d);

/* square.cu: square matrices. first_not_finite: *index = i n + j of the first element of the lower
 * triangle (f64) that is not finite, INT64_MAX if all are; index is device memory. */
PLS_LAUNCHER(add_diagonal, double alpha, pls_matrix a);
PLS_LAUNCHER(symmetrize, pls_matrix a);
PLS_LAUNCHER(first_not_finite, pls_matrix a, int64_t *index);

/* loss.cu */
PLS_LAUNCHER(square_loss, pls_matrix f, pls_matrix y, pls_matrix residual, pls_matrix losses);
PLS_LAUNCHER(cross_entropy_loss, pls_matrix f, pls_matrix y, pls_matrix residual,
             pls_matrix losses);
PLS_LAUNCHER(softmax_product, pls_matrix f, pls_matrix y, pls_matrix v, pls_matrix out);

/* reduce.cu: scratch is device memory of PLS_REDUCE_BLOCKS doubles, out of one double. */
PLS_LAUNCHER(sum, pls_matrix x, double *scratch, double *out);
PLS_LAUNCHER(dot, pls_matrix x, pls_matrix y, double *scratch, double *out);
PLS_LAUNCHER(squared_distance, pls_matrix x, pls_matrix y, double *scratch, double *out);
PLS_LAUNCHER(max_abs, pls_matrix x, double *scratch, double *out);
PLS_LAUNCHER(column_sum, double alpha, pls_matrix x, double beta, pls_matrix out);

/* random.cu */
PLS_LAUNCHER(random_uniform, pls_random_stream random, int64_t first, double low, double high,
             pls_matrix dst);
PLS_LAUNCHER(random_normal, pls_random_stream random, int64_t first, double scale, pls_matrix dst);

/* positions.cu */
PLS_LAUNCHER(position_accumulate, double alpha, pls_matrix g, double gamma, int64_t k, int64_t h,
             pls_matrix d, pls_matrix c, bool lower);

/* image.cu */
PLS_LAUNCHER(im2col, pls_image image, int64_t kernel, pls_matrix src, pls_matrix dst);
PLS_LAUNCHER(col2im, pls_image image, int64_t kernel, pls_matrix src, pls_matrix dst);
PLS_LAUNCHER(average_pool, pls_image image, int64_t size, pls_matrix src, pls_matrix dst);
PLS_LAUNCHER(average_pool_backward, pls_image image, int64_t size, pls_matrix src, pls_matrix dst);

/* split.cu: float32 numbers as sums of two float16 (the fast Gram product).
 *     s_i = 2^e with 2^14 <= s_i max_j |x(i,j)| < 2^15 (s_i = 1 for a row of zeros),
 *     high(i,j) = f16(s_i x(i,j)),  low(i,j) = f16(2^11 (s_i x(i,j) - high(i,j)))
 * x: m x p f32; high, low: m x p f16 with rows ld apart; scale: m f64 (s_i). A row with an element
 * that is not finite has s_i = 1 and its elements are passed on as they are, so that they stay
 * visible. */
PLS_LAUNCHER(split_rows, pls_matrix x, void *high, void *low, int64_t ld, double *scale);
/* c(i,j) = beta c(i,j) + sum_q (high_q(i,j) + 2^-11 cross_q(i,j)) / (scale_a(i) scale_b(j)), q in
 * order, in float64; high, cross: `products` contiguous matrices of c's shape, f32, one after the
 * other; c: f64; beta = 0 does not read c; lower: only i >= j is read and written. */
PLS_LAUNCHER(split_accumulate, int64_t products, const float *high, const float *cross,
             const double *scale_a, const double *scale_b, double beta, pls_matrix c, bool lower);

#undef PLS_LAUNCHER

#ifdef __cplusplus
}
#endif

#endif
