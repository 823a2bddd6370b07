/* The bias of a layer; see bias.c. Scratch as in layer.h. */
#ifndef PLSTAR_MODEL_BIAS_H
#define PLSTAR_MODEL_BIAS_H

#include "model/layer.h"

/* *row (1 x outputs) = the bias of every output, of w's one row; not given without a bias. */
pls_status pls_bias_row(pls_device *device, const pls_layer *layer, pls_view w, pls_view scratch,
                        pls_view *row);

/* z (n x outputs) += t times the bias, a row of w for each row of z. */
pls_status pls_bias_add_own(pls_device *device, const pls_layer *layer, pls_view w,
                            pls_view scratch, pls_view z);

/* The bias' part of g = beta times it + its gradient; d: n x outputs. g has one row, the sum over
 * all rows of d, or one for each. */
pls_status pls_bias_gradient(pls_device *device, const pls_layer *layer, pls_view d,
                             pls_view scratch, double beta, pls_view g);

/* out (rows of d x count) = the derivatives by biases first .. first+count-1. */
pls_status pls_bias_jacobian(pls_device *device, const pls_layer *layer, pls_view d, int64_t first,
                             pls_view scratch, pls_view out);

#endif
