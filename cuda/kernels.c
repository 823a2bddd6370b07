/* Operations that are one launch of a kernel: the slots of the table in front of the launchers. */
#include "cuda.h"

pls_status pls_cuda_fill(pls_device *device, double value, pls_view dst) {
    cudaError_t code = pls_launch_fill(pls_cuda_stream(device), value, pls_cuda_matrix(dst));
    return pls_cuda_launched(device, code, "fill", dst);
}

pls_status pls_cuda_unit_rows(pls_device *device, int64_t k, pls_view d) {
    cudaError_t code = pls_launch_unit_rows(pls_cuda_stream(device), k, pls_cuda_matrix(d));
    return pls_cuda_launched(device, code, "unit_rows", d);
}

/* ---- elementwise ----------------------------------------------------------------------------- */

pls_status pls_cuda_axpby(pls_device *device, double alpha, pls_view x, double beta, pls_view y) {
    cudaError_t code = pls_launch_axpby(pls_cuda_stream(device), alpha, pls_cuda_matrix(x), beta,
                                        pls_cuda_matrix(y));
    return pls_cuda_launched(device, code, "axpby", y);
}

pls_status pls_cuda_multiply_accumulate(pls_device *device, double alpha, pls_view x, pls_view y,
                                        pls_view out) {
    cudaError_t code =
        pls_launch_multiply_accumulate(pls_cuda_stream(device), alpha, pls_cuda_matrix(x),
                                       pls_cuda_matrix(y), pls_cuda_matrix(out));
    return pls_cuda_launched(device, code, "multiply_accumulate", out);
}

pls_status pls_cuda_bias_activation(pls_device *device, pls_activation phi, double t, pls_view bias,
                                    pls_view z, pls_view a) {
    cudaError_t code =
        pls_launch_bias_activation(pls_cuda_stream(device), phi, t, pls_cuda_matrix(bias),
                                   pls_cuda_matrix(z), pls_cuda_matrix(a));
    return pls_cuda_launched(device, code, "bias_activation", a);
}

pls_status pls_cuda_activation_derivative(pls_device *device, pls_activation phi, int order,
                                          int64_t repeat, pls_view z, pls_view d) {
    cudaError_t code = pls_launch_activation_derivative(pls_cuda_stream(device), phi, order, repeat,
                                                        pls_cuda_matrix(z), pls_cuda_matrix(d));
    return pls_cuda_launched(device, code, "activation_derivative", d);
}

pls_status pls_cuda_hadamard_accumulate(pls_device *device, double alpha, pls_view g, double gamma,
                                        int64_t k, pls_view d, pls_view c, bool lower) {
    cudaError_t code =
        pls_launch_hadamard_accumulate(pls_cuda_stream(device), alpha, pls_cuda_matrix(g), gamma, k,
                                       pls_cuda_matrix(d), pls_cuda_matrix(c), lower);
    return pls_cuda_launched(device, code, "hadamard_accumulate", c);
}

pls_status pls_cuda_position_accumulate(pls_device *device, double alpha, pls_view g, double gamma,
                                        int64_t k, int64_t h, pls_view d, pls_view c, bool lower) {
    cudaError_t code =
        pls_launch_position_accumulate(pls_cuda_stream(device), alpha, pls_cuda_matrix(g), gamma, k,
                                       h, pls_cuda_matrix(d), pls_cuda_matrix(c), lower);
    return pls_cuda_launched(device, code, "position_accumulate", c);
}

pls_status pls_cuda_outer_rows(pls_device *device, double alpha, int64_t k, pls_view d, pls_view a,
                               pls_view rows) {
    cudaError_t code = pls_launch_outer_rows(pls_cuda_stream(device), alpha, k, pls_cuda_matrix(d),
                                             pls_cuda_matrix(a), pls_cuda_matrix(rows));
    return pls_cuda_launched(device, code, "outer_rows", rows);
}

/* ---- square matrices ------------------------------------------------------------------------- */

pls_status pls_cuda_add_diagonal(pls_device *device, double alpha, pls_view a) {
    cudaError_t code = pls_launch_add_diagonal(pls_cuda_stream(device), alpha, pls_cuda_matrix(a));
    return pls_cuda_launched(device, code, "add_diagonal", a);
}

pls_status pls_cuda_symmetrize(pls_device *device, pls_view a) {
    cudaError_t code = pls_launch_symmetrize(pls_cuda_stream(device), pls_cuda_matrix(a));
    return pls_cuda_launched(device, code, "symmetrize", a);
}

/* ---- losses ---------------------------------------------------------------------------------- */

pls_status pls_cuda_square_loss(pls_device *device, pls_view f, pls_view y, pls_view residual,
                                pls_view losses) {
    cudaError_t code =
        pls_launch_square_loss(pls_cuda_stream(device), pls_cuda_matrix(f), pls_cuda_matrix(y),
                               pls_cuda_matrix(residual), pls_cuda_matrix(losses));
    return pls_cuda_launched(device, code, "square_loss", residual);
}

pls_status pls_cuda_cross_entropy_loss(pls_device *device, pls_view f, pls_view y,
                                       pls_view residual, pls_view losses) {
    cudaError_t code = pls_launch_cross_entropy_loss(pls_cuda_stream(device), pls_cuda_matrix(f),
                                                     pls_cuda_matrix(y), pls_cuda_matrix(residual),
                                                     pls_cuda_matrix(losses));
    return pls_cuda_launched(device, code, "cross_entropy_loss", residual);
}

pls_status pls_cuda_softmax_product(pls_device *device, pls_view f, pls_view y, pls_view v,
                                    pls_view out) {
    cudaError_t code =
        pls_launch_softmax_product(pls_cuda_stream(device), pls_cuda_matrix(f), pls_cuda_matrix(y),
                                   pls_cuda_matrix(v), pls_cuda_matrix(out));
    return pls_cuda_launched(device, code, "softmax_product", out);
}

/* ---- reductions ------------------------------------------------------------------------------ */

pls_status pls_cuda_sum(pls_device *device, pls_view x, pls_view out) {
    cudaError_t code = pls_launch_sum(pls_cuda_stream(device), pls_cuda_matrix(x),
                                      pls_cuda(device)->scratch, pls_cuda_address(out));
    return pls_cuda_launched(device, code, "sum", x);
}

pls_status pls_cuda_dot(pls_device *device, pls_view x, pls_view y, pls_view out) {
    cudaError_t code =
        pls_launch_dot(pls_cuda_stream(device), pls_cuda_matrix(x), pls_cuda_matrix(y),
                       pls_cuda(device)->scratch, pls_cuda_address(out));
    return pls_cuda_launched(device, code, "dot", x);
}

pls_status pls_cuda_squared_distance(pls_device *device, pls_view x, pls_view y, pls_view out) {
    cudaError_t code =
        pls_launch_squared_distance(pls_cuda_stream(device), pls_cuda_matrix(x), pls_cuda_matrix(y),
                                    pls_cuda(device)->scratch, pls_cuda_address(out));
    return pls_cuda_launched(device, code, "squared_distance", x);
}

pls_status pls_cuda_max_abs(pls_device *device, pls_view x, pls_view out) {
    cudaError_t code = pls_launch_max_abs(pls_cuda_stream(device), pls_cuda_matrix(x),
                                          pls_cuda(device)->scratch, pls_cuda_address(out));
    return pls_cuda_launched(device, code, "max_abs", x);
}

pls_status pls_cuda_column_sum(pls_device *device, double alpha, pls_view x, double beta,
                               pls_view out) {
    cudaError_t code = pls_launch_column_sum(pls_cuda_stream(device), alpha, pls_cuda_matrix(x),
                                             beta, pls_cuda_matrix(out));
    return pls_cuda_launched(device, code, "column_sum", x);
}

/* ---- random fills ---------------------------------------------------------------------------- */

pls_status pls_cuda_random_uniform(pls_device *device, pls_random_stream stream, int64_t first,
                                   double low, double high, pls_view dst) {
    cudaError_t code = pls_launch_random_uniform(pls_cuda_stream(device), stream, first, low, high,
                                                 pls_cuda_matrix(dst));
    return pls_cuda_launched(device, code, "random_uniform", dst);
}

pls_status pls_cuda_random_normal(pls_device *device, pls_random_stream stream, int64_t first,
                                  double scale, pls_view dst) {
    cudaError_t code = pls_launch_random_normal(pls_cuda_stream(device), stream, first, scale,
                                                pls_cuda_matrix(dst));
    return pls_cuda_launched(device, code, "random_normal", dst);
}

/* ---- images ---------------------------------------------------------------------------------- */

pls_status pls_cuda_im2col(pls_device *device, pls_image image, int64_t kernel, pls_view src,
                           pls_view dst) {
    cudaError_t code = pls_launch_im2col(pls_cuda_stream(device), image, kernel,
                                         pls_cuda_matrix(src), pls_cuda_matrix(dst));
    return pls_cuda_launched(device, code, "im2col", dst);
}

pls_status pls_cuda_col2im(pls_device *device, pls_image image, int64_t kernel, pls_view src,
                           pls_view dst) {
    cudaError_t code = pls_launch_col2im(pls_cuda_stream(device), image, kernel,
                                         pls_cuda_matrix(src), pls_cuda_matrix(dst));
    return pls_cuda_launched(device, code, "col2im", dst);
}

pls_status pls_cuda_average_pool(pls_device *device, pls_image image, int64_t size, pls_view src,
                                 pls_view dst) {
    cudaError_t code = pls_launch_average_pool(pls_cuda_stream(device), image, size,
                                               pls_cuda_matrix(src), pls_cuda_matrix(dst));
    return pls_cuda_launched(device, code, "average_pool", dst);
}

pls_status pls_cuda_average_pool_backward(pls_device *device, pls_image image, int64_t size,
                                          pls_view src, pls_view dst) {
    cudaError_t code = pls_launch_average_pool_backward(pls_cuda_stream(device), image, size,
                                                        pls_cuda_matrix(src), pls_cuda_matrix(dst));
    return pls_cuda_launched(device, code, "average_pool_backward", dst);
}
