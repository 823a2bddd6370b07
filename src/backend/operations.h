/* The operations of a device: the checked entrance to the table of backend.h.
 *
 * What each computes, its shapes and what may alias stand above the slot of the same name there.
 * Every wrapper verifies its arguments first; on PLS_ERROR_ARGUMENT nothing has been written. */
#ifndef PLSTAR_BACKEND_OPERATIONS_H
#define PLSTAR_BACKEND_OPERATIONS_H

#include "backend/backend.h"

pls_status pls_buffer_allocate(pls_device *device, int64_t bytes, pls_buffer **buffer);
void pls_buffer_release(pls_device *device, pls_buffer *buffer);
pls_status pls_upload(pls_device *device, const void *host, int64_t host_ld, pls_view dst);
pls_status pls_download(pls_device *device, pls_view src, void *host, int64_t host_ld);
pls_status pls_copy(pls_device *device, pls_view src, pls_view dst);
pls_status pls_fill(pls_device *device, double value, pls_view dst);
pls_status pls_synchronize(pls_device *device);
pls_status pls_event_create(pls_device *device, pls_event **event);
void pls_event_destroy(pls_device *device, pls_event *event);
pls_status pls_event_record(pls_device *device, pls_event *event);
pls_status pls_event_elapsed(pls_device *device, pls_event *first, pls_event *second,
                             double *seconds);
/* For a profiler; nothing on a backend without ranges. */
void pls_range_begin(pls_device *device, const char *name);
void pls_range_end(pls_device *device);
pls_status pls_gemm(pls_device *device, pls_transpose ta, pls_transpose tb, double alpha,
                    pls_view a, pls_view b, double beta, pls_view c);
pls_status pls_gemm_batched(pls_device *device, pls_transpose ta, pls_transpose tb, double alpha,
                            pls_view a, int64_t stride_a, pls_view b, int64_t stride_b, double beta,
                            pls_view c, int64_t stride_c, int64_t count);
pls_status pls_syrk(pls_device *device, double alpha, pls_view a, double beta, pls_view c);
pls_status pls_gram(pls_device *device, pls_gram_arithmetic arithmetic, pls_view a, pls_view b,
                    double beta, pls_view c, pls_view workspace);
/* What a Gram product of such data is computed in, for people. */
const char *pls_gram_description(const pls_device *device, pls_gram_arithmetic arithmetic,
                                 pls_dtype dtype);
pls_status pls_axpby(pls_device *device, double alpha, pls_view x, double beta, pls_view y);
pls_status pls_multiply_accumulate(pls_device *device, double alpha, pls_view x, pls_view y,
                                   pls_view out);
pls_status pls_bias_activation(pls_device *device, pls_activation phi, double t, pls_view bias,
                               pls_view z, pls_view a);
pls_status pls_activation_derivative(pls_device *device, pls_activation phi, int order,
                                     int64_t repeat, pls_view z, pls_view d);
pls_status pls_hadamard_accumulate(pls_device *device, double alpha, pls_view g, double gamma,
                                   int64_t k, pls_view d, pls_view c, bool lower);
pls_status pls_position_accumulate(pls_device *device, double alpha, pls_view g, double gamma,
                                   int64_t k, int64_t h, pls_view d, pls_view c, bool lower);
pls_status pls_outer_rows(pls_device *device, double alpha, int64_t k, pls_view d, pls_view a,
                          pls_view rows);
pls_status pls_unit_rows(pls_device *device, int64_t k, pls_view d);
pls_status pls_add_diagonal(pls_device *device, double alpha, pls_view a);
pls_status pls_symmetrize(pls_device *device, pls_view a);
pls_status pls_gather_rows(pls_device *device, pls_view src, const int64_t *rows, pls_view dst);
pls_status pls_square_loss(pls_device *device, pls_view f, pls_view y, pls_view residual,
                           pls_view losses);
pls_status pls_cross_entropy_loss(pls_device *device, pls_view f, pls_view y, pls_view residual,
                                  pls_view losses);
pls_status pls_softmax_product(pls_device *device, pls_view f, pls_view y, pls_view v,
                               pls_view out);
pls_status pls_sum(pls_device *device, pls_view x, pls_view out);
pls_status pls_dot(pls_device *device, pls_view x, pls_view y, pls_view out);
pls_status pls_squared_distance(pls_device *device, pls_view x, pls_view y, pls_view out);
pls_status pls_max_abs(pls_device *device, pls_view x, pls_view out);
pls_status pls_column_sum(pls_device *device, double alpha, pls_view x, double beta, pls_view out);
pls_status pls_random_uniform(pls_device *device, pls_random_stream stream, int64_t first,
                              double low, double high, pls_view dst);
pls_status pls_random_normal(pls_device *device, pls_random_stream stream, int64_t first,
                             double scale, pls_view dst);
pls_status pls_potrf(pls_device *device, pls_view a, int64_t *failed_minor);
pls_status pls_potrs(pls_device *device, pls_view l, pls_view x);
pls_status pls_syevd(pls_device *device, bool vectors, pls_view a, pls_view values);
pls_status pls_symv(pls_device *device, double alpha, pls_view a, pls_view x, double beta,
                    pls_view y);
pls_status pls_im2col(pls_device *device, pls_image image, int64_t kernel, pls_view src,
                      pls_view dst);
pls_status pls_col2im(pls_device *device, pls_image image, int64_t kernel, pls_view src,
                      pls_view dst);
pls_status pls_average_pool(pls_device *device, pls_image image, int64_t size, pls_view src,
                            pls_view dst);
pls_status pls_average_pool_backward(pls_device *device, pls_image image, int64_t size,
                                     pls_view src, pls_view dst);

#endif
