/* The table of layer kinds, and what follows from the product W . alpha for all of them.
 *
 *     z = s W . alpha + t b,      alpha' = [alpha +] phi(z)
 *     D = D' * phi'(z),           dF/dalpha = [D' +] s WT . D         (* is elementwise) */
#include "model/bias.h"

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

pls_view pls_layer_bias(const pls_layer *layer, pls_view w) {
    return layer->biases == 0 ? pls_no_view()
                              : pls_view_slice(w, pls_layer_bias_offset(layer), 1, layer->biases);
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
    PLS_TRY(context, pls_bias_row(device, layer, w, scratch, &bias));
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
        PLS_TRY(context, pls_bias_gradient(device, layer, d, scratch, beta, g));
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
    pls_status status = PLS_OK;
    if (in_weights > 0) {
        PLS_TRY(context, layer->kind->weight_jacobian(device, layer, k, rows, first, in_weights,
                                                      scratch, pls_view_cols(out, 0, in_weights)));
    }
    if (count > in_weights) {
        PLS_TRY(context,
                pls_bias_jacobian(device, layer, rows.d, first + in_weights - weights, scratch,
                                  pls_view_cols(out, in_weights, count - in_weights)));
    }
cleanup:
    return status;
}
