/* The table of layer kinds, and what follows from the product W . alpha for all of them.
 *
 *     z = s W . alpha + t b,      alpha' = [alpha +] phi(z)
 *     D = D' * phi'(z),           dF/dalpha = [D' +] s WT . D         (* is elementwise)
 *     dF/db_c = t sum of D over rows and over the positions of channel c
 *
 * The bias of an image's channel is shared by its positions. It is brought to all of them by the
 * product with a row of ones, and its gradient comes from them by the transpose. */
#include "model/layer.h"

#include <math.h>

typedef struct layer_entry {
    const char *name;
    const pls_layer_kind *kind;
    bool residual;
} layer_entry;

static const layer_entry entries[PLS_LAYER_TYPE_COUNT] = {
    [PLS_LAYER_DENSE] = {"dense", &pls_dense_kind, false},
    [PLS_LAYER_CONV] = {"conv", &pls_convolution_kind, false},
    [PLS_LAYER_RESIDUAL_DENSE] = {"residual_dense", &pls_dense_kind, true},
    [PLS_LAYER_RESIDUAL_CONV] = {"residual_conv", &pls_convolution_kind, true},
    [PLS_LAYER_AVERAGE_POOL] = {"average_pool", &pls_average_pool_kind, false},
    [PLS_LAYER_GLOBAL_AVERAGE_POOL] = {"global_average_pool", &pls_global_average_pool_kind, false},
    [PLS_LAYER_FLATTEN] = {"flatten", &pls_flatten_kind, false},
};

const char *pls_layer_type_name(pls_layer_type type) {
    return entries[type].name;
}

/* ---- resolving ------------------------------------------------------------------------------- */

/* channels x height x width, if 64 bits can count them. */
static bool count_of(pls_shape shape, int64_t *count) {
    int64_t area = 0;
    return pls_multiply(shape.image.height, shape.image.width, &area) &&
           pls_multiply(shape.image.channels, area, count);
}

static pls_status check_residual(pls_context *context, const pls_layer *layer) {
    if (!layer->residual || layer->outputs == layer->inputs) {
        return PLS_OK;
    }
    bool dense = layer->out.is_vector;
    return pls_fail(context, PLS_ERROR_CONFIG,
                    "model.layers[%lld].%s: is %lld, but a %s layer adds its input, which has %s "
                    "%lld; make them equal",
                    (long long)layer->index, dense ? "width" : "channels",
                    (long long)layer->out.image.channels, pls_layer_type_name(layer->type),
                    dense ? "width" : "channels", (long long)layer->in.image.channels);
}

static void scale(const pls_model *model, pls_layer *layer) {
    bool ntk = model->parameterization == PLS_PARAMETERIZATION_NTK;
    double deviation = model->sigma_w / sqrt((double)layer->weight_cols);
    layer->s = ntk ? deviation : 1.0;
    layer->t = ntk ? model->sigma_b : 1.0;
    layer->weight_deviation = ntk ? 1.0 : deviation;
    layer->bias_deviation = ntk ? 1.0 : model->sigma_b;
    layer->biases = model->bias ? layer->out.image.channels : 0;
}

/* The kind's scratch, or a bias at all positions beside a row of ones. */
static bool add_scratch(pls_layer *layer) {
    int64_t needed = 0;
    bool spreads = layer->biases > 0 && pls_layer_positions(layer) > 1;
    if (spreads && !pls_add(layer->outputs, pls_layer_positions(layer), &needed)) {
        return false;
    }
    layer->scratch = pls_larger(layer->scratch, needed);
    return true;
}

pls_status pls_layer_resolve(pls_context *context, const pls_model *model, int64_t index,
                             pls_shape in, pls_layer *layer) {
    const pls_layer_spec *spec = &model->layers[index];
    pls_status status = PLS_OK;
    layer->kind = entries[spec->type].kind;
    layer->type = spec->type;
    layer->residual = entries[spec->type].residual;
    layer->index = index;
    layer->in = in;
    layer->edge = 1;
    if (!count_of(in, &layer->inputs)) {
        return pls_fail(context, PLS_ERROR_CONFIG,
                        "model.input: its numbers multiply to more than 64 bits can count");
    }
    PLS_TRY(context, layer->kind->resolve(context, spec, layer));
    if (!count_of(layer->out, &layer->outputs)) {
        status = pls_fail(context, PLS_ERROR_CONFIG,
                          "model.layers[%lld]: %lld channels of %lld x %lld are more outputs than "
                          "64 bits can count",
                          (long long)index, (long long)layer->out.image.channels,
                          (long long)layer->out.image.height, (long long)layer->out.image.width);
        goto cleanup;
    }
    PLS_TRY(context, check_residual(context, layer));
    if (layer->weight_rows > 0) {
        layer->activation = spec->activation;
        scale(model, layer);
    } else if (spec->activation != PLS_IDENTITY) {
        status = pls_fail(context, PLS_ERROR_CONFIG,
                          "model.layers[%lld].activation: is %s, but a %s layer has none; give it "
                          "to the layer before",
                          (long long)index, pls_activation_name(spec->activation),
                          pls_layer_type_name(layer->type));
        goto cleanup;
    }
    if (!add_scratch(layer)) {
        status = pls_fail(context, PLS_ERROR_CONFIG, "model.layers[%lld]: the layer is too large",
                          (long long)index);
    }
cleanup:
    return status;
}

/* ---- parameters ------------------------------------------------------------------------------ */

pls_view pls_layer_weight(const pls_layer *layer, pls_view w) {
    return pls_view_slice(w, layer->offset, layer->weight_rows, layer->weight_cols);
}

static int64_t bias_offset(const pls_layer *layer) {
    return layer->offset + layer->weight_rows * layer->weight_cols;
}

pls_view pls_layer_bias(const pls_layer *layer, pls_view w) {
    return layer->biases == 0 ? pls_no_view()
                              : pls_view_slice(w, bias_offset(layer), 1, layer->biases);
}

pls_status pls_layer_initialize(pls_device *device, const pls_layer *layer, uint64_t seed,
                                pls_view w) {
    pls_context *context = device->context;
    pls_random_stream stream = {seed, PLS_RANDOM_WEIGHTS, (uint32_t)(2 * layer->index)};
    pls_status status = PLS_OK;
    if (layer->weight_rows > 0) {
        PLS_TRY(context, pls_random_normal(device, stream, 0, layer->weight_deviation,
                                           pls_layer_weight(layer, w)));
    }
    if (layer->biases > 0) {
        stream.tensor++;
        PLS_TRY(context, pls_random_normal(device, stream, 0, layer->bias_deviation,
                                           pls_layer_bias(layer, w)));
    }
cleanup:
    return status;
}

/* ---- bias ------------------------------------------------------------------------------------ */

/* A row of ones, one for each position, at the end of scratch. */
static pls_status take_ones(pls_device *device, const pls_layer *layer, pls_view scratch,
                            pls_view *ones) {
    int64_t positions = pls_layer_positions(layer);
    *ones = pls_view_slice(scratch, pls_view_count(scratch) - positions, 1, positions);
    return pls_fill(device, 1.0, *ones);
}

/* A row with the bias of every output; of w's one row. */
static pls_status bias_row(pls_device *device, const pls_layer *layer, pls_view w, pls_view scratch,
                           pls_view *row) {
    pls_context *context = device->context;
    int64_t positions = pls_layer_positions(layer);
    pls_view ones;
    pls_status status = PLS_OK;
    *row = pls_layer_bias(layer, w);
    if (layer->biases == 0 || positions == 1) {
        return PLS_OK;
    }
    pls_view spread = pls_view_slice(scratch, 0, layer->biases, positions);
    PLS_TRY(context, take_ones(device, layer, scratch, &ones));
    PLS_TRY(context, pls_gemm(device, PLS_TRANSPOSED, PLS_PLAIN, 1.0, *row, ones, 0.0, spread));
    *row = pls_view_reshape(spread, 1, layer->outputs);
cleanup:
    return status;
}

/* z (n x outputs) += t times the bias, a row of w for each row of z. */
static pls_status add_own_bias(pls_device *device, const pls_layer *layer, pls_view w,
                               pls_view scratch, pls_view z) {
    pls_context *context = device->context;
    int64_t positions = pls_layer_positions(layer);
    pls_view ones;
    pls_status status = PLS_OK;
    if (positions == 1) {
        return pls_axpby(device, layer->t, pls_view_cols(w, bias_offset(layer), layer->biases), 1.0,
                         z);
    }
    pls_view one_z = {z.buffer, z.offset, layer->biases, positions, positions, z.dtype};
    PLS_TRY(context, take_ones(device, layer, scratch, &ones));
    PLS_TRY(context,
            pls_gemm_batched(device, PLS_TRANSPOSED, PLS_PLAIN, layer->t, pls_layer_bias(layer, w),
                             w.ld, ones, 0, 1.0, one_z, z.ld, z.rows));
cleanup:
    return status;
}

/* One number for each row of d (rows x channels positions) and channel: t times the sum over its
 * positions, to `out`, whose rows are out_stride apart; += beta out. */
static pls_status sum_positions(pls_device *device, const pls_layer *layer, pls_view d,
                                pls_view scratch, double beta, pls_view out, int64_t out_stride) {
    pls_context *context = device->context;
    int64_t positions = pls_layer_positions(layer), channels = d.cols / positions;
    pls_view ones;
    pls_view one_d = {d.buffer, d.offset, channels, positions, positions, d.dtype};
    pls_view one_out = {out.buffer, out.offset, channels, 1, 1, out.dtype};
    pls_status status = PLS_OK;
    PLS_TRY(context, take_ones(device, layer, scratch, &ones));
    PLS_TRY(context, pls_gemm_batched(device, PLS_PLAIN, PLS_TRANSPOSED, layer->t, one_d, d.ld,
                                      ones, 0, beta, one_out, out_stride, d.rows));
cleanup:
    return status;
}

/* The bias' part of g = beta times it + t sum of D. */
static pls_status bias_gradient(pls_device *device, const pls_layer *layer, pls_view d,
                                pls_view scratch, double beta, pls_view g) {
    pls_context *context = device->context;
    int64_t positions = pls_layer_positions(layer);
    pls_view bias = pls_layer_bias(layer, g);
    pls_status status = PLS_OK;
    if (g.rows > 1) {
        pls_view own = pls_view_cols(g, bias_offset(layer), layer->biases);
        return positions == 1 ? pls_axpby(device, layer->t, d, beta, own)
                              : sum_positions(device, layer, d, scratch, beta, own, g.ld);
    }
    if (positions == 1) {
        return pls_column_sum(device, layer->t, d, beta, bias);
    }
    pls_view sum = pls_view_slice(scratch, 0, 1, layer->outputs);
    PLS_TRY(context, pls_column_sum(device, 1.0, d, 0.0, sum));
    PLS_TRY(context, sum_positions(device, layer, sum, scratch, beta, bias, layer->biases));
cleanup:
    return status;
}

/* ---- first order ----------------------------------------------------------------------------- */

pls_status pls_layer_forward(pls_device *device, const pls_layer *layer, pls_view w, pls_view alpha,
                             pls_view scratch, pls_view z, pls_view out) {
    pls_context *context = device->context;
    pls_view bias = pls_no_view();
    pls_status status = PLS_OK;
    PLS_TRY(context, layer->kind->apply(device, layer, w, alpha, scratch, 0.0, z));
    if (pls_layer_is_linear(layer)) {
        goto cleanup;
    }
    PLS_TRY(context, bias_row(device, layer, w, scratch, &bias));
    PLS_TRY(context, pls_bias_activation(device, layer->activation, layer->t, bias, z, out));
    if (layer->residual) {
        PLS_TRY(context, pls_axpby(device, 1.0, alpha, 1.0, out));
    }
cleanup:
    return status;
}

pls_status pls_layer_backward(pls_device *device, const pls_layer *layer, int64_t k, pls_view w,
                              pls_view z, pls_view d, pls_view scratch, pls_view d_alpha) {
    pls_context *context = device->context;
    bool wanted = !pls_view_is_none(d_alpha);
    pls_status status = PLS_OK;
    if (wanted && layer->residual) {
        PLS_TRY(context, pls_copy(device, d, d_alpha));
    }
    if (layer->activation != PLS_IDENTITY) {
        PLS_TRY(context, pls_activation_derivative(device, layer->activation, 1, k, z, d));
    }
    if (wanted) {
        PLS_TRY(context, layer->kind->apply_transposed(device, layer, w, d, scratch,
                                                       layer->residual ? 1.0 : 0.0, d_alpha));
    }
cleanup:
    return status;
}

pls_status pls_layer_gradient(pls_device *device, const pls_layer *layer, pls_view alpha,
                              pls_view d, pls_view scratch, double beta, pls_view g) {
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    if (layer->weight_rows > 0) {
        PLS_TRY(context, layer->kind->weight_gradient(device, layer, alpha, d, scratch, beta, g));
    }
    if (layer->biases > 0) {
        PLS_TRY(context, bias_gradient(device, layer, d, scratch, beta, g));
    }
cleanup:
    return status;
}

pls_status pls_layer_jacobian(pls_device *device, const pls_layer *layer, int64_t k,
                              pls_layer_rows rows, int64_t first, int64_t count, pls_view scratch,
                              pls_view out) {
    pls_context *context = device->context;
    int64_t weights = layer->weight_rows * layer->weight_cols;
    int64_t in_weights = first >= weights ? 0 : pls_smaller(count, weights - first);
    int64_t positions = pls_layer_positions(layer);
    pls_status status = PLS_OK;
    if (in_weights > 0) {
        PLS_TRY(context, layer->kind->weight_jacobian(device, layer, k, rows, first, in_weights,
                                                      scratch, pls_view_cols(out, 0, in_weights)));
    }
    if (count > in_weights) {
        int64_t channel = first + in_weights - weights, channels = count - in_weights;
        pls_view d = pls_view_cols(rows.d, channel * positions, channels * positions);
        pls_view own = pls_view_cols(out, in_weights, channels);
        PLS_TRY(context, positions == 1
                             ? pls_axpby(device, layer->t, d, 0.0, own)
                             : sum_positions(device, layer, d, scratch, 0.0, own, out.ld));
    }
cleanup:
    return status;
}

/* ---- second order ---------------------------------------------------------------------------- */

/* z_dot += t b_dot, of one direction or of one for each row. */
static pls_status add_bias_tangent(pls_device *device, const pls_layer *layer, pls_view w_dot,
                                   pls_view scratch, pls_view z_dot, pls_view out_dot) {
    pls_context *context = device->context;
    pls_view bias = pls_no_view();
    pls_status status = PLS_OK;
    if (w_dot.rows > 1 && layer->biases > 0) {
        PLS_TRY(context, add_own_bias(device, layer, w_dot, scratch, z_dot));
    } else {
        PLS_TRY(context, bias_row(device, layer, w_dot, scratch, &bias));
    }
    /* Adds the bias, and copies the sum. */
    PLS_TRY(context, pls_bias_activation(device, PLS_IDENTITY, layer->t, bias, z_dot, out_dot));
cleanup:
    return status;
}

pls_status pls_layer_forward_tangent(pls_device *device, const pls_layer *layer, pls_view w,
                                     pls_view w_dot, pls_view alpha, pls_view alpha_dot, pls_view z,
                                     pls_view scratch, pls_view z_dot, pls_view out_dot) {
    pls_context *context = device->context;
    const pls_layer_kind *kind = layer->kind;
    bool moves = !pls_view_is_none(alpha_dot);
    pls_status status = PLS_OK;
    if (moves) {
        PLS_TRY(context, kind->apply(device, layer, w, alpha_dot, scratch, 0.0, z_dot));
    }
    if (layer->weight_rows > 0) {
        PLS_TRY(context,
                kind->apply(device, layer, w_dot, alpha, scratch, moves ? 1.0 : 0.0, z_dot));
    } else if (!moves) {
        PLS_TRY(context, pls_fill(device, 0.0, z_dot));
    }
    if (pls_layer_is_linear(layer)) {
        goto cleanup;
    }
    PLS_TRY(context, add_bias_tangent(device, layer, w_dot, scratch, z_dot, out_dot));
    if (layer->activation != PLS_IDENTITY) {
        PLS_TRY(context, pls_activation_derivative(device, layer->activation, 1, 1, z, out_dot));
    }
    if (layer->residual && moves) {
        PLS_TRY(context, pls_axpby(device, 1.0, alpha_dot, 1.0, out_dot));
    }
cleanup:
    return status;
}

/* From dF/dalpha' to dF/dz with its derivative: d_dot = d_dot' phi'(z) + d' phi''(z) z_dot. */
static pls_status through_activation(pls_device *device, const pls_layer *layer,
                                     const pls_layer_tangent *at) {
    pls_context *context = device->context;
    pls_activation phi = layer->activation;
    pls_status status = PLS_OK;
    if (phi == PLS_IDENTITY) {
        return PLS_OK;
    }
    PLS_TRY(context, pls_activation_derivative(device, phi, 1, 1, at->z, at->d_dot));
    PLS_TRY(context, pls_activation_derivative(device, phi, 2, 1, at->z, at->z_dot));
    PLS_TRY(context, pls_multiply_accumulate(device, 1.0, at->d, at->z_dot, at->d_dot));
    PLS_TRY(context, pls_activation_derivative(device, phi, 1, 1, at->z, at->d));
cleanup:
    return status;
}

static pls_status to_inputs(pls_device *device, const pls_layer *layer, pls_view w, pls_view w_dot,
                            const pls_layer_tangent *at, pls_view scratch) {
    pls_context *context = device->context;
    const pls_layer_kind *kind = layer->kind;
    double branch = layer->residual ? 1.0 : 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(context, kind->apply_transposed(device, layer, w, at->d, scratch, branch, at->d_alpha));
    PLS_TRY(context,
            kind->apply_transposed(device, layer, w, at->d_dot, scratch, branch, at->d_alpha_dot));
    if (layer->weight_rows > 0) {
        PLS_TRY(context,
                kind->apply_transposed(device, layer, w_dot, at->d, scratch, 1.0, at->d_alpha_dot));
    }
cleanup:
    return status;
}

pls_status pls_layer_backward_tangent(pls_device *device, const pls_layer *layer, pls_view w,
                                      pls_view w_dot, const pls_layer_tangent *at, pls_view scratch,
                                      double beta, pls_view g_dot) {
    pls_context *context = device->context;
    bool wanted = !pls_view_is_none(at->d_alpha);
    pls_status status = PLS_OK;
    if (wanted && layer->residual) {
        PLS_TRY(context, pls_copy(device, at->d, at->d_alpha));
        PLS_TRY(context, pls_copy(device, at->d_dot, at->d_alpha_dot));
    }
    PLS_TRY(context, through_activation(device, layer, at));
    PLS_TRY(context, pls_layer_gradient(device, layer, at->alpha, at->d_dot, scratch, beta, g_dot));
    if (layer->weight_rows > 0 && !pls_view_is_none(at->alpha_dot)) {
        PLS_TRY(context, layer->kind->weight_gradient(device, layer, at->alpha_dot, at->d, scratch,
                                                      1.0, g_dot));
    }
    if (wanted) {
        PLS_TRY(context, to_inputs(device, layer, w, w_dot, at, scratch));
    }
cleanup:
    return status;
}
