/* A chain of layers: alpha^0 = x, alpha^l = layer_l(alpha^(l-1)), f = alpha^L. */
#include "model/network.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

pls_model pls_model_defaults(void) {
    pls_model model = {0};
    model.parameterization = PLS_PARAMETERIZATION_NTK;
    model.sigma_w = 1.0;
    return model;
}

static pls_status check_header(pls_context *context, const pls_model *model) {
    int64_t inputs = 1;
    if (model->input_rank != 1 && model->input_rank != 3) {
        return pls_fail(context, PLS_ERROR_CONFIG,
                        "model.input: has %d numbers; expected one (features) or three (channels, "
                        "height, width)",
                        model->input_rank);
    }
    for (int i = 0; i < model->input_rank; i++) {
        if (model->input_shape[i] <= 0 || !pls_multiply(inputs, model->input_shape[i], &inputs)) {
            return pls_fail(context, PLS_ERROR_CONFIG,
                            "model.input: %lld is not a size; every number must be at least 1 and "
                            "their product must fit in 64 bits",
                            (long long)model->input_shape[i]);
        }
    }
    if (!(model->sigma_w > 0.0) || !isfinite(model->sigma_w)) {
        return pls_fail(context, PLS_ERROR_CONFIG,
                        "model.sigma_w: is %g, but must be a positive number", model->sigma_w);
    }
    if (!(model->sigma_b >= 0.0) || !isfinite(model->sigma_b)) {
        return pls_fail(context, PLS_ERROR_CONFIG, "model.sigma_b: is %g, but must not be negative",
                        model->sigma_b);
    }
    if (model->layer_count < 1 || model->layers == NULL) {
        return pls_fail(context, PLS_ERROR_CONFIG,
                        "model.layers: is empty; a network needs at least one layer");
    }
    return PLS_OK;
}

/* offset + parameters of the layer, if they can be counted in bytes of float64. */
static bool next_offset(const pls_layer *layer, int64_t *end) {
    int64_t weights = 0, bytes = 0;
    return pls_multiply(layer->weight_rows, layer->weight_cols, &weights) &&
           pls_add(weights, layer->biases, &weights) && pls_add(layer->offset, weights, end) &&
           pls_multiply(*end, 8, &bytes);
}

static pls_shape input_shape(const pls_model *model) {
    const int64_t *numbers = model->input_shape;
    bool is_vector = model->input_rank == 1;
    pls_shape shape = {{numbers[0], is_vector ? 1 : numbers[1], is_vector ? 1 : numbers[2]},
                       is_vector};
    return shape;
}

pls_status pls_network_create(pls_context *context, const pls_model *model, pls_network *network) {
    pls_status status = PLS_OK;
    memset(network, 0, sizeof *network);
    PLS_TRY(context, check_header(context, model));
    PLS_TRY(context, pls_allocate(context, model->layer_count, sizeof *network->layers,
                                  "the layers", &network->layers));
    network->depth = model->layer_count;
    pls_shape shape = input_shape(model);
    for (int64_t l = 0; l < network->depth; l++) {
        pls_layer *layer = &network->layers[l];
        layer->offset = network->parameters;
        PLS_TRY(context, pls_layer_resolve(context, model, l, shape, layer));
        if (!next_offset(layer, &network->parameters)) {
            status = pls_fail(context, PLS_ERROR_CONFIG,
                              "model.layers[%lld]: a weight of %lld x %lld makes more parameters "
                              "than 64 bits can count; choose smaller widths",
                              (long long)l, (long long)layer->weight_rows,
                              (long long)layer->weight_cols);
            goto cleanup;
        }
        shape = layer->out;
        network->widest = pls_larger(network->widest, layer->outputs);
        network->scratch = pls_larger(network->scratch, layer->scratch);
    }
    if (network->parameters == 0) {
        status =
            pls_fail(context, PLS_ERROR_CONFIG,
                     "model.layers: none of the layers has weights; add a dense or conv layer");
        goto cleanup;
    }
    network->inputs = network->layers[0].inputs;
    network->outputs = network->layers[network->depth - 1].outputs;
cleanup:
    if (status != PLS_OK) {
        pls_network_destroy(context, network);
    }
    return status;
}

void pls_network_destroy(pls_context *context, pls_network *network) {
    pls_release(context, network->layers);
    memset(network, 0, sizeof *network);
}

pls_status pls_model_check(pls_context *context, const pls_model *model, int64_t *parameters,
                           int64_t *outputs) {
    pls_network network;
    pls_status status = pls_network_create(context, model, &network);
    if (status == PLS_OK) {
        if (parameters != NULL) {
            *parameters = network.parameters;
        }
        if (outputs != NULL) {
            *outputs = network.outputs;
        }
        pls_network_destroy(context, &network);
    }
    return status;
}

/* "4096", "conv 64 3x3", "residual 64", "average_pool 2", "flatten"; without the activation. */
static void describe_layer(const pls_layer_spec *spec, char text[64]) {
    switch (spec->type) {
    case PLS_LAYER_DENSE:
        snprintf(text, 64, "%lld", (long long)spec->width);
        break;
    case PLS_LAYER_RESIDUAL_DENSE:
        snprintf(text, 64, "residual %lld", (long long)spec->width);
        break;
    case PLS_LAYER_CONV:
    case PLS_LAYER_RESIDUAL_CONV:
        snprintf(text, 64, "%sconv %lld %lldx%lld", spec->type == PLS_LAYER_CONV ? "" : "residual ",
                 (long long)spec->channels, (long long)spec->kernel, (long long)spec->kernel);
        break;
    case PLS_LAYER_AVERAGE_POOL:
        snprintf(text, 64, "average_pool %lld", (long long)spec->size);
        break;
    case PLS_LAYER_GLOBAL_AVERAGE_POOL:
    case PLS_LAYER_FLATTEN:
    case PLS_LAYER_TYPE_COUNT:
        snprintf(text, 64, "%s", pls_layer_type_name(spec->type));
        break;
    }
}

void pls_model_describe(const pls_model *model, char *text, size_t size) {
    size_t used = 0;
    if (size == 0) {
        return;
    }
    text[0] = '\0';
    for (int i = 0; i < model->input_rank && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, i == 0 ? "%lld" : "x%lld",
                                 (long long)model->input_shape[i]);
    }
    for (int64_t l = 0; l < model->layer_count && used < size; l++) {
        const pls_layer_spec *spec = &model->layers[l];
        bool plain = spec->activation == PLS_IDENTITY;
        char layer[64];
        describe_layer(spec, layer);
        used += (size_t)snprintf(text + used, size - used, " -> %s%s%s", layer, plain ? "" : " ",
                                 plain ? "" : pls_activation_name(spec->activation));
    }
    if (used < size) {
        snprintf(text + used, size - used, ", %s%s",
                 model->parameterization == PLS_PARAMETERIZATION_NTK ? "ntk" : "standard",
                 model->bias ? ", bias" : "");
    }
}

pls_status pls_activations_create(pls_context *context, const pls_network *network,
                                  pls_activations *activations) {
    pls_view *views = NULL;
    pls_status status = pls_allocate(context, 2 * network->depth, sizeof *views,
                                     "the views of activations", &views);
    if (status == PLS_OK) {
        activations->z = views;
        activations->alpha = views + network->depth;
    }
    return status;
}

void pls_activations_destroy(pls_context *context, pls_activations *activations) {
    pls_release(context, activations->z);
    activations->z = NULL;
    activations->alpha = NULL;
}

pls_status pls_activations_take(const pls_network *network, pls_arena *arena, pls_dtype dtype,
                                int64_t rows, pls_activations *activations) {
    pls_context *context = arena->device->context;
    pls_status status = PLS_OK;
    for (int64_t l = 0; l < network->depth; l++) {
        const pls_layer *layer = &network->layers[l];
        pls_view *z = &activations->z[l], *alpha = &activations->alpha[l];
        PLS_TRY(context, pls_arena_take(arena, dtype, rows, layer->outputs, z));
        *alpha = *z;
        if (!pls_layer_is_linear(layer)) {
            PLS_TRY(context, pls_arena_take(arena, dtype, rows, layer->outputs, alpha));
        }
    }
cleanup:
    return status;
}

pls_status pls_network_take_scratch(const pls_network *network, pls_arena *arena, pls_dtype dtype,
                                    pls_view *scratch) {
    *scratch = pls_no_view();
    return network->scratch == 0 ? PLS_OK
                                 : pls_arena_take(arena, dtype, 1, network->scratch, scratch);
}

pls_status pls_network_initialize(pls_device *device, const pls_network *network, uint64_t seed,
                                  pls_view w) {
    pls_status status = PLS_OK;
    for (int64_t l = 0; l < network->depth; l++) {
        PLS_TRY(device->context, pls_layer_initialize(device, &network->layers[l], seed, w));
    }
cleanup:
    return status;
}

pls_status pls_network_forward(pls_device *device, const pls_network *network, pls_view w,
                               pls_view x, pls_view scratch, pls_activations activations,
                               int64_t first) {
    pls_status status = PLS_OK;
    pls_view alpha = x;
    for (int64_t l = 0; l < network->depth; l++) {
        pls_view z = pls_view_rows(activations.z[l], first, x.rows);
        pls_view out = pls_view_rows(activations.alpha[l], first, x.rows);
        PLS_TRY(device->context,
                pls_layer_forward(device, &network->layers[l], w, alpha, scratch, z, out));
        alpha = out;
    }
cleanup:
    return status;
}
