/* The dense layer.
 *
 *     z = s alpha WT + t b,  alpha' = phi(z)                W: outputs x inputs, b: 1 x outputs
 *     D = D' * phi'(z),      dF/dalpha = s D W              (* is elementwise)
 *     dF/dW = s DT alpha,    dF/db = t sum of the rows of D
 *     J[(i,a), W_pq] = s D[(i,a), p] alpha[i, q],           J[(i,a), b_p] = t D[(i,a), p]
 *     K[(i,a), (j,b)] = (s^2 <alpha_i, alpha_j> + t^2 [bias]) <D_(i,a), D_(j,b)>
 *
 * The last line is J JT of the line above it: the Gram of P-sized rows factors into two Grams of
 * rows as long as the layer is wide. */
#include "base/memory.h"
#include "model/layer.h"

#include <math.h>

static pls_status resolve(pls_context *context, const pls_model *model, const pls_layer_spec *spec,
                          pls_layer *layer) {
    if (spec->width <= 0) {
        return pls_fail(context, PLS_ERROR_CONFIG,
                        "model.layers[%lld].width: is %lld, but a dense layer needs at least 1",
                        (long long)layer->index, (long long)spec->width);
    }
    bool ntk = model->parameterization == PLS_PARAMETERIZATION_NTK;
    double scale = model->sigma_w / sqrt((double)layer->inputs);
    layer->activation = spec->activation;
    layer->outputs = spec->width;
    layer->s = ntk ? scale : 1.0;
    layer->t = ntk ? model->sigma_b : 1.0;
    layer->weight_deviation = ntk ? 1.0 : scale;
    layer->bias_deviation = ntk ? 1.0 : model->sigma_b;
    layer->weight_rows = layer->outputs;
    layer->weight_cols = layer->inputs;
    layer->biases = model->bias ? layer->outputs : 0;
    return PLS_OK;
}

static pls_status initialize(pls_device *device, const pls_layer *layer, uint64_t seed,
                             pls_view w) {
    pls_context *context = device->context;
    pls_random_stream stream = {seed, PLS_RANDOM_WEIGHTS, (uint32_t)(2 * layer->index)};
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_random_normal(device, stream, 0, layer->weight_deviation,
                                       pls_layer_weight(layer, w)));
    if (layer->biases > 0) {
        stream.tensor++;
        PLS_TRY(context, pls_random_normal(device, stream, 0, layer->bias_deviation,
                                           pls_layer_bias(layer, w)));
    }
cleanup:
    return status;
}

static pls_status forward(pls_device *device, const pls_layer *layer, pls_view w, pls_view alpha,
                          pls_view z, pls_view out) {
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_gemm(device, PLS_PLAIN, PLS_TRANSPOSED, layer->s, alpha,
                              pls_layer_weight(layer, w), 0.0, z));
    PLS_TRY(context, pls_bias_activation(device, layer->activation, layer->t,
                                         pls_layer_bias(layer, w), z, out));
cleanup:
    return status;
}

static pls_status backward(pls_device *device, const pls_layer *layer, int64_t k, pls_view w,
                           pls_view z, pls_view d, pls_view d_alpha) {
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    if (layer->activation != PLS_IDENTITY) {
        PLS_TRY(context, pls_activation_derivative(device, layer->activation, 1, k, z, d));
    }
    if (!pls_view_is_none(d_alpha)) {
        PLS_TRY(context, pls_gemm(device, PLS_PLAIN, PLS_PLAIN, layer->s, d,
                                  pls_layer_weight(layer, w), 0.0, d_alpha));
    }
cleanup:
    return status;
}

static pls_status gradient(pls_device *device, const pls_layer *layer, pls_view alpha, pls_view d,
                           double beta, pls_view g) {
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_gemm(device, PLS_TRANSPOSED, PLS_PLAIN, layer->s, d, alpha, beta,
                              pls_layer_weight(layer, g)));
    if (layer->biases > 0) {
        PLS_TRY(context, pls_column_sum(device, layer->t, d, beta, pls_layer_bias(layer, g)));
    }
cleanup:
    return status;
}

static pls_status jacobian(pls_device *device, const pls_layer *layer, int64_t k,
                           pls_layer_rows rows, int64_t first, int64_t count, pls_view out) {
    pls_context *context = device->context;
    int64_t weights = layer->weight_rows * layer->weight_cols;
    int64_t in_weights = first >= weights ? 0 : first + count > weights ? weights - first : count;
    pls_status status = PLS_OK;
    if (in_weights > 0) {
        pls_view d = pls_view_cols(rows.d, first / layer->inputs, in_weights / layer->inputs);
        PLS_TRY(context, pls_outer_rows(device, layer->s, k, d, rows.alpha,
                                        pls_view_cols(out, 0, in_weights)));
    }
    if (count > in_weights) {
        pls_view d = pls_view_cols(rows.d, first + in_weights - weights, count - in_weights);
        PLS_TRY(context, pls_axpby(device, layer->t, d, 0.0,
                                   pls_view_cols(out, in_weights, count - in_weights)));
    }
cleanup:
    return status;
}

/* Summed over outputs, <D_(i,a), D_(j,a)> is the product of rows k times as long. */
static pls_view joined_rows(pls_view d, int64_t k) {
    return d.rows == 0 ? d : pls_view_reshape(d, d.rows / k, d.cols * k);
}

static pls_status gram(pls_device *device, const pls_layer *layer, int64_t k, bool trace,
                       pls_gram_arithmetic arithmetic, pls_layer_rows u, pls_layer_rows v,
                       pls_arena *arena, pls_view kernel) {
    pls_context *context = device->context;
    int64_t mark = pls_arena_mark(arena);
    bool own = v.alpha.rows == 0;
    int64_t samples_u = u.alpha.rows;
    int64_t samples_v = own ? samples_u : v.alpha.rows;
    pls_view inputs = pls_no_view(), derivatives = pls_no_view(), workspace = pls_no_view();
    pls_status status = PLS_OK;
    if (trace) {
        u.d = joined_rows(u.d, k);
        v.d = joined_rows(v.d, k);
        k = 1;
    }
    int64_t needed =
        pls_gram_workspace(arithmetic, u.alpha.dtype, samples_u, own ? 0 : samples_v, u.alpha.cols);
    int64_t needed_d =
        pls_gram_workspace(arithmetic, u.d.dtype, u.d.rows, own ? 0 : v.d.rows, u.d.cols);
    needed = needed > needed_d ? needed : needed_d;
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, samples_u, samples_v, &inputs));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, samples_u * k, samples_v * k, &derivatives));
    if (needed > 0) {
        PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, needed, &workspace));
    }
    if (arena->buffer != NULL) {
        PLS_TRY(context, pls_gram(device, arithmetic, u.alpha, v.alpha, 0.0, inputs, workspace));
        PLS_TRY(context, pls_gram(device, arithmetic, u.d, v.d, 0.0, derivatives, workspace));
        PLS_TRY(context, pls_hadamard_accumulate(device, layer->s * layer->s, inputs,
                                                 layer->biases > 0 ? layer->t * layer->t : 0.0, k,
                                                 derivatives, kernel, own));
    }
cleanup:
    pls_arena_release(arena, mark);
    return status;
}

const pls_layer_kind pls_dense_layer = {
    .name = "dense",
    .resolve = resolve,
    .initialize = initialize,
    .forward = forward,
    .backward = backward,
    .gradient = gradient,
    .jacobian = jacobian,
    .gram = gram,
};
