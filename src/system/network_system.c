/* The system of a network with data: F_(i,a)(w) = f_a(w; x_i), N = n k equations.
 *
 *     evaluate   F of the samples, block by block; activations are kept for what follows
 *     pullback   JT u: from u = dL/df down the layers,
 *                D^L = u * phi'(z^L),  D^(l-1) = (s_l D^l W^l) * phi'(z^(l-1)),
 *                the gradient of layer l from (alpha^(l-1), D^l), summed over blocks in order */
#include "system/network_system.h"

#include "backend/phase.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Rows of derivatives (samples times outputs) and elements that a block aims at. */
enum { BLOCK_ROWS = 2048, BLOCK_SMALLEST = 16 };
static const int64_t BLOCK_ELEMENTS = (int64_t)1 << 25;

static int64_t block_samples(const pls_network *network) {
    int64_t rows = pls_smaller(BLOCK_ROWS, BLOCK_ELEMENTS / network->widest);
    int64_t samples = BLOCK_ROWS;
    while (samples > BLOCK_SMALLEST && samples > rows / network->outputs) {
        samples /= 2;
    }
    return samples;
}

/* ---- evaluation ------------------------------------------------------------------------------ */

int64_t pls_network_block_rows(const pls_network_system *system, int64_t block) {
    return pls_smaller(system->block, system->selected - block * system->block);
}

int64_t pls_network_point_row(const pls_network_system *system, int64_t block) {
    return system->keeps_all ? block * system->block : 0;
}

static pls_status block_inputs(pls_network_system *system, int64_t block, pls_view *x) {
    int64_t first = block * system->block;
    int64_t count = pls_network_block_rows(system, block);
    if (!system->listed) {
        *x = pls_view_rows(system->inputs, first, count);
        return PLS_OK;
    }
    *x = pls_view_rows(system->gathered, 0, count);
    return pls_gather_rows(system->base.device, system->inputs, system->selection + first, *x);
}

static pls_status forward_block(pls_network_system *system, int64_t block, pls_view x) {
    system->present = block;
    return pls_network_forward(system->base.device, &system->network, system->base.weights, x,
                               system->scratch, system->point,
                               pls_network_point_row(system, block));
}

pls_status pls_network_block(pls_network_system *system, int64_t block, pls_view *x) {
    pls_status status = PLS_OK;
    PLS_TRY(system->base.device->context, block_inputs(system, block, x));
    if (!system->keeps_all && system->present != block) {
        PLS_TRY(system->base.device->context, forward_block(system, block, *x));
    }
cleanup:
    return status;
}

static pls_status evaluate(pls_system *base, const int64_t *samples, int64_t count, pls_view out) {
    pls_network_system *system = (pls_network_system *)base;
    pls_context *context = base->device->context;
    pls_status status = PLS_OK;
    system->listed = samples != NULL;
    system->selected = count;
    if (samples != NULL) {
        memcpy(system->selection, samples, (size_t)count * sizeof *samples);
    }
    for (int64_t b = 0; b < pls_block_count(system, count); b++) {
        pls_view x;
        int64_t rows = pls_network_block_rows(system, b);
        PLS_TRY(context, block_inputs(system, b, &x));
        PLS_TRY(context, forward_block(system, b, x));
        pls_view f = system->point.alpha[system->network.depth - 1];
        PLS_TRY(context,
                pls_copy(base->device, pls_view_rows(f, pls_network_point_row(system, b), rows),
                         pls_view_rows(out, b * system->block, rows)));
    }
cleanup:
    return status;
}

static pls_status pullback(pls_system *base, pls_view u, pls_view g) {
    pls_network_system *system = (pls_network_system *)base;
    const pls_network *network = &system->network;
    pls_device *device = base->device;
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    for (int64_t b = 0; b < pls_block_count(system, system->selected); b++) {
        int64_t rows = pls_network_block_rows(system, b);
        int64_t row = pls_network_point_row(system, b);
        pls_view x;
        PLS_TRY(context, pls_network_block(system, b, &x));
        int side = 0;
        pls_view d = pls_view_slice(system->d[side], 0, rows, network->outputs);
        PLS_TRY(context, pls_copy(device, pls_view_rows(u, b * system->block, rows), d));
        for (int64_t l = network->depth - 1; l >= 0; l--) {
            const pls_layer *layer = &network->layers[l];
            pls_view z = pls_view_rows(system->point.z[l], row, rows);
            pls_view alpha = l > 0 ? pls_view_rows(system->point.alpha[l - 1], row, rows) : x;
            side = 1 - side;
            pls_view d_alpha =
                l > 0 ? pls_view_slice(system->d[side], 0, rows, layer->inputs) : pls_no_view();
            PLS_TRY(context, pls_layer_backward(device, layer, 1, base->weights, z, d,
                                                system->scratch, d_alpha));
            PLS_TRY(context, pls_layer_gradient(device, layer, alpha, d, system->scratch,
                                                b == 0 ? 0.0 : 1.0, g));
            d = d_alpha;
        }
    }
cleanup:
    return status;
}

/* ---- the rest of the table ------------------------------------------------------------------- */

static void destroy(pls_system *base) {
    pls_network_system *system = (pls_network_system *)base;
    pls_context *context = base->device->context;
    pls_arena_destroy(&system->arena);
    pls_activations_destroy(context, &system->point);
    pls_activations_destroy(context, &system->tile_u);
    pls_activations_destroy(context, &system->tile_v);
    pls_activations_destroy(context, &system->tangent);
    pls_network_destroy(context, &system->network);
    pls_release(context, (void *)system->model.layers);
    pls_release(context, system->inputs_host);
    pls_release(context, system->targets_host);
    pls_release(context, system->selection);
    pls_release(context, system);
}

static pls_status initialize(pls_system *base) {
    pls_network_system *system = (pls_network_system *)base;
    return pls_network_initialize(base->device, &system->network, system->seed, base->weights);
}

/* Lengths of the sums that a number passes through; a pixel of a convolution is a sum over the
 * channels under the kernel, and each of its weights' derivatives one over positions. */
static double rounding_growth(const pls_system *base) {
    const pls_network *network = &((const pls_network_system *)base)->network;
    double growth = 0.0, positions = 1.0;
    for (int64_t l = 0; l < network->depth; l++) {
        const pls_layer *layer = &network->layers[l];
        double window = (double)(layer->edge * layer->edge);
        growth += sqrt((double)layer->weight_cols) + 2.0; /* forwards, and phi */
        if (l > 0) {                                      /* backwards through it, and phi' */
            growth += sqrt((double)layer->weight_rows * window) + 2.0;
        }
        if (layer->weight_rows > 0) {
            positions = fmax(positions, (double)pls_layer_positions(layer));
        }
    }
    return 2.0 * (growth + (positions > 1.0 ? sqrt(positions) : 0.0));
}

/* The weight as PyTorch shapes it: out x in, or out x in x kernel x kernel. */
static int weight_shape(const pls_layer *layer, int64_t shape[8]) {
    shape[0] = layer->weight_rows;
    shape[1] = layer->in.image.channels;
    shape[2] = shape[3] = layer->edge;
    return layer->out.is_vector ? 2 : 4;
}

static bool tensor(const pls_system *base, int64_t i, char name[64], int *rank, int64_t shape[8],
                   int64_t *first) {
    const pls_network_system *system = (const pls_network_system *)base;
    for (int64_t l = 0; l < system->network.depth; l++) {
        const pls_layer *layer = &system->network.layers[l];
        int64_t here = (layer->weight_rows > 0) + (layer->biases > 0);
        if (i >= here) {
            i -= here;
            continue;
        }
        snprintf(name, 64, "layers.%lld.%s", (long long)l, i == 0 ? "weight" : "bias");
        shape[0] = layer->biases;
        *rank = i == 0 ? weight_shape(layer, shape) : 1;
        *first = layer->offset + (i == 0 ? 0 : layer->weight_rows * layer->weight_cols);
        return true;
    }
    return false;
}

static pls_status duplicate(pls_system *base, const int64_t *samples, int64_t count,
                            pls_dtype precision, pls_system **out);

static const pls_system_kind network_kind = {
    .name = "network",
    .destroy = destroy,
    .initialize = initialize,
    .evaluate = evaluate,
    .pullback = pullback,
    .jacobian = pls_network_jacobian,
    .pushforward = pls_network_pushforward,
    .curvature = pls_network_curvature,
    .kink = pls_network_kink,
    .gram = pls_network_gram,
    .gram_way = pls_network_gram_way,
    .duplicate = duplicate,
    .rounding_growth = rounding_growth,
    .tensor = tensor,
};

/* ---- making ------------------------------------------------------------------------------------
 */

pls_network_options pls_network_options_defaults(void) {
    pls_network_options options = {PLS_F32, 0, 0};
    return options;
}

static void describe_kink(pls_network_system *system) {
    for (int64_t l = 0; l < system->network.depth; l++) {
        if (system->network.layers[l].activation == PLS_RELU) {
            snprintf(system->kink, sizeof system->kink,
                     "model.layers[%lld] is relu, whose slope jumps at 0", (long long)l);
            return;
        }
    }
}

static pls_status check_data(pls_context *context, const pls_network *network,
                             const pls_dataset *data) {
    if (data->samples < 1) {
        return pls_fail(context, PLS_ERROR_DATA, "the data set is empty");
    }
    if (data->dimension != network->inputs) {
        return pls_fail(context, PLS_ERROR_DATA,
                        "the data's inputs have %lld numbers each, but model.input asks for %lld",
                        (long long)data->dimension, (long long)network->inputs);
    }
    if (data->outputs != network->outputs) {
        return pls_fail(context, PLS_ERROR_DATA,
                        "the data's targets have %lld numbers each, but the last layer has width "
                        "%lld; make model.layers end with width %lld, or choose data.classes and "
                        "data.targets to match",
                        (long long)data->outputs, (long long)network->outputs,
                        (long long)data->outputs);
    }
    return PLS_OK;
}

static pls_status copy_host(pls_network_system *system, const pls_model *model,
                            const pls_dataset *data) {
    pls_context *context = system->base.device->context;
    int64_t n = data->samples;
    pls_layer_spec *layers = NULL;
    pls_status status = PLS_OK;
    system->model = *model;
    system->model.layers = NULL;
    PLS_TRY(context,
            pls_allocate(context, model->layer_count, sizeof *layers, "the model", &layers));
    memcpy(layers, model->layers, (size_t)model->layer_count * sizeof *layers);
    system->model.layers = layers;
    PLS_TRY(context, pls_allocate(context, n * data->dimension, sizeof(double), "the inputs",
                                  &system->inputs_host));
    PLS_TRY(context, pls_allocate(context, n * data->outputs, sizeof(double), "the targets",
                                  &system->targets_host));
    PLS_TRY(context,
            pls_allocate(context, n, sizeof(int64_t), "a list of samples", &system->selection));
    memcpy(system->inputs_host, data->inputs, (size_t)(n * data->dimension) * sizeof(double));
    memcpy(system->targets_host, data->targets, (size_t)(n * data->outputs) * sizeof(double));
cleanup:
    return status;
}

static pls_status layout(pls_network_system *system, pls_arena *arena) {
    pls_system *base = &system->base;
    const pls_network *network = &system->network;
    pls_context *context = base->device->context;
    pls_dtype dtype = base->precision;
    int64_t n = base->samples;
    int64_t block = pls_smaller(system->block, n);
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, dtype, 1, network->parameters, &base->weights));
    PLS_TRY(context, pls_arena_take(arena, dtype, n, network->inputs, &system->inputs));
    PLS_TRY(context, pls_arena_take(arena, dtype, n, network->outputs, &base->targets));
    PLS_TRY(context, pls_arena_take(arena, dtype, block, network->inputs, &system->gathered));
    PLS_TRY(context, pls_activations_take(network, arena, dtype, system->keeps_all ? n : block,
                                          &system->point));
    for (int i = 0; i < 2; i++) {
        PLS_TRY(context, pls_arena_take(arena, dtype, block, network->widest, &system->d[i]));
        system->d[i] = pls_view_reshape(system->d[i], 1, block * network->widest);
    }
    PLS_TRY(context, pls_network_take_scratch(network, arena, dtype, &system->scratch));
cleanup:
    return status;
}

/* Keeps the activations of all samples if they fit in the memory option, or, without one, in half
 * of what is free. */
static pls_status decide_keeping(pls_network_system *system, int64_t memory) {
    pls_context *context = system->base.device->context;
    pls_status status = PLS_OK;
    pls_arena arena = pls_arena_measuring(system->base.device);
    int64_t total = 0;
    if (memory == 0) {
        PLS_TRY(context, pls_device_memory(system->base.device, &memory, &total));
        memory /= 2;
    }
    PLS_TRY(context, pls_activations_take(&system->network, &arena, system->base.precision,
                                          system->base.samples, &system->point));
    system->keeps_all = arena.peak <= memory;
cleanup:
    return status;
}

static pls_status reserve(pls_network_system *system, int64_t memory) {
    pls_context *context = system->base.device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, decide_keeping(system, memory));
    PLS_TRY(context, layout(system, &system->arena));
    PLS_TRY(context, pls_arena_reserve(&system->arena, "the network with its data"));
    PLS_TRY(context, layout(system, &system->arena));
cleanup:
    return status;
}

static pls_status upload_data(pls_network_system *system) {
    pls_device *device = system->base.device;
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_INITIALISATION));
    PLS_TRY(context, pls_upload_f64(device, system->inputs_host, system->inputs));
    PLS_TRY(context, pls_upload_f64(device, system->targets_host, system->base.targets));
cleanup:
    return pls_phase_end(device, status);
}

/* The network's sizes, and no memory of the device yet. On failure *out is what there is of it. */
static pls_status outline(pls_device *device, const pls_model *model, int64_t samples,
                          const pls_network_options *options, pls_network_system **out) {
    pls_context *context = device->context;
    pls_network_system *system = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, 1, sizeof *system, "a network system", &system));
    *out = system;
    system->base.kind = &network_kind;
    system->base.device = device;
    system->base.precision = options->precision;
    system->seed = options->seed;
    system->arena = pls_arena_measuring(device);
    PLS_TRY(context, pls_network_create(context, model, &system->network));
    system->base.samples = samples;
    system->base.outputs = system->network.outputs;
    system->base.parameters = system->network.parameters;
    system->block = block_samples(&system->network);
    PLS_TRY(context, pls_activations_create(context, &system->network, &system->point));
    PLS_TRY(context, pls_activations_create(context, &system->network, &system->tile_u));
    PLS_TRY(context, pls_activations_create(context, &system->network, &system->tile_v));
    PLS_TRY(context, pls_activations_create(context, &system->network, &system->tangent));
cleanup:
    return status;
}

pls_status pls_network_system_create(pls_device *device, const pls_model *model,
                                     const pls_dataset *data, const pls_network_options *options,
                                     pls_system **out) {
    pls_network_options resolved = options != NULL ? *options : pls_network_options_defaults();
    pls_context *context = device->context;
    pls_network_system *system = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, outline(device, model, data->samples, &resolved, &system));
    PLS_TRY(context, check_data(context, &system->network, data));
    describe_kink(system);
    PLS_TRY(context, copy_host(system, model, data));
    PLS_TRY(context, reserve(system, resolved.memory));
    pls_system_describe_targets(&system->base, system->targets_host);
    PLS_TRY(context, upload_data(system));
    *out = &system->base;
    return PLS_OK;
cleanup:
    if (system != NULL) {
        destroy(&system->base);
    }
    return status;
}

pls_status pls_network_system_outline(pls_device *device, const pls_model *model, int64_t samples,
                                      pls_dtype precision, pls_system **out, int64_t *bytes) {
    pls_context *context = device->context;
    pls_network_options options = {.precision = precision};
    pls_network_system *system = NULL;
    pls_arena arena = pls_arena_measuring(device);
    pls_status status = PLS_OK;
    PLS_TRY(context, outline(device, model, samples, &options, &system));
    system->keeps_all = true;
    PLS_TRY(context, layout(system, &arena));
    system->keeps_all = false; /* tiles with activations of their own are the larger ones */
    *bytes = arena.peak;
    *out = &system->base;
    return PLS_OK;
cleanup:
    if (system != NULL) {
        destroy(&system->base);
    }
    return status;
}

static pls_status duplicate(pls_system *base, const int64_t *samples, int64_t count,
                            pls_dtype precision, pls_system **out) {
    pls_network_system *system = (pls_network_system *)base;
    pls_context *context = base->device->context;
    int64_t d = system->network.inputs, k = system->network.outputs;
    pls_network_options options = {precision, system->seed, 0};
    pls_dataset data = {.samples = count,
                        .dimension = d,
                        .outputs = k,
                        .inputs = system->inputs_host,
                        .targets = system->targets_host};
    double *chosen = NULL;
    pls_status status = PLS_OK;
    if (samples != NULL) {
        PLS_TRY(context,
                pls_allocate(context, count * (d + k), sizeof *chosen, "chosen samples", &chosen));
        data.inputs = chosen;
        data.targets = chosen + count * d;
        for (int64_t i = 0; i < count; i++) {
            memcpy(data.inputs + i * d, system->inputs_host + samples[i] * d,
                   (size_t)d * sizeof(double));
            memcpy(data.targets + i * k, system->targets_host + samples[i] * k,
                   (size_t)k * sizeof(double));
        }
    }
    PLS_TRY(context, pls_network_system_create(base->device, &system->model, &data, &options, out));
cleanup:
    pls_release(context, chosen);
    return status;
}
