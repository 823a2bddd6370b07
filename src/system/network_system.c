/* The system of a network with data: F_(i,a)(w) = f_a(w; x_i), N = n k equations.
 *
 * All passes work on blocks of U consecutive samples, U a function of the architecture alone, and
 * every product is formed block by block. So what is kept in memory, how large a tile is and how
 * many threads run can change the speed but no bit of a result.
 *
 * Tangent kernel: for two blocks u, v and one layer after the other from the top,
 *     D^L = phi'(z^L) for unit cotangents,   D^(l-1) = phi'(z^(l-1)) * (s_l D^l W^l)
 *     K[u, v] += contribution of layer l from (alpha^(l-1), D^l) of u and of v,
 * either structured (model/dense.c) or by Jacobian columns (the explicit way). A tile is as many
 * blocks as the memory option allows to keep side by side; pairs of tiles are walked through. */
#include "backend/operations.h"
#include "base/memory.h"
#include "model/network.h"
#include "system/system.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Rows of derivatives (samples times outputs) and elements that a block aims at. */
enum { BLOCK_ROWS = 2048, BLOCK_SMALLEST = 16 };
static const int64_t BLOCK_ELEMENTS = (int64_t)1 << 25;

typedef struct network_system {
    pls_system base;
    pls_network network;
    pls_model model; /* layers owned */
    uint64_t seed;
    double *inputs_host;  /* n x d */
    double *targets_host; /* n x k */
    pls_arena arena;
    pls_view inputs;   /* n x d */
    pls_view gathered; /* U x d: inputs of a block of listed samples */
    int64_t block;     /* U */

    /* The point: activations of all samples last evaluated, or of one block at a time. */
    pls_activations point;
    bool keeps_all;
    int64_t present;    /* the block whose activations are there if only one is kept */
    int64_t *selection; /* n: the samples last evaluated, if they were listed */
    int64_t selected;   /* how many */
    bool listed;
    pls_view d[2]; /* 1 x U widest: derivatives of the pullback, in turn */

    pls_activations tile_u, tile_v; /* views of kernel tiles, when not everything is kept */
} network_system;

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t block_samples(const pls_network *network) {
    int64_t samples = BLOCK_ROWS;
    while (samples > BLOCK_SMALLEST &&
           (samples * network->outputs > BLOCK_ROWS ||
            samples * network->outputs > BLOCK_ELEMENTS / network->widest)) {
        samples /= 2;
    }
    return samples;
}

static int64_t block_count(const network_system *system, int64_t samples) {
    return (samples + system->block - 1) / system->block;
}

/* ---- evaluation ------------------------------------------------------------------------------ */

static int64_t selected_in_block(const network_system *system, int64_t block) {
    return smaller(system->block, system->selected - block * system->block);
}

/* Where the block's rows start in `point`. */
static int64_t point_row(const network_system *system, int64_t block) {
    return system->keeps_all ? block * system->block : 0;
}

static pls_status block_inputs(network_system *system, int64_t block, pls_view *x) {
    int64_t first = block * system->block;
    int64_t count = selected_in_block(system, block);
    if (!system->listed) {
        *x = pls_view_rows(system->inputs, first, count);
        return PLS_OK;
    }
    *x = pls_view_rows(system->gathered, 0, count);
    return pls_gather_rows(system->base.device, system->inputs, system->selection + first, *x);
}

static pls_status forward_block(network_system *system, int64_t block, pls_view x) {
    system->present = block;
    return pls_network_forward(system->base.device, &system->network, system->base.weights, x,
                               system->point, point_row(system, block));
}

static pls_status evaluate(pls_system *base, const int64_t *samples, int64_t count, pls_view out) {
    network_system *system = (network_system *)base;
    pls_context *context = base->device->context;
    pls_status status = PLS_OK;
    system->listed = samples != NULL;
    system->selected = count;
    if (samples != NULL) {
        memcpy(system->selection, samples, (size_t)count * sizeof *samples);
    }
    for (int64_t b = 0; b < block_count(system, count); b++) {
        pls_view x;
        int64_t rows = selected_in_block(system, b);
        PLS_TRY(context, block_inputs(system, b, &x));
        PLS_TRY(context, forward_block(system, b, x));
        pls_view f = system->point.alpha[system->network.depth - 1];
        PLS_TRY(context, pls_copy(base->device, pls_view_rows(f, point_row(system, b), rows),
                                  pls_view_rows(out, b * system->block, rows)));
    }
cleanup:
    return status;
}

static pls_status pullback(pls_system *base, pls_view u, pls_view g) {
    network_system *system = (network_system *)base;
    const pls_network *network = &system->network;
    pls_device *device = base->device;
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    for (int64_t b = 0; b < block_count(system, system->selected); b++) {
        int64_t rows = selected_in_block(system, b);
        int64_t row = point_row(system, b);
        pls_view x;
        PLS_TRY(context, block_inputs(system, b, &x));
        if (!system->keeps_all && system->present != b) {
            PLS_TRY(context, forward_block(system, b, x));
        }
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
            PLS_TRY(context, layer->kind->backward(device, layer, 1, base->weights, z, d, d_alpha));
            PLS_TRY(context, layer->kind->gradient(device, layer, alpha, d, b == 0 ? 0.0 : 1.0, g));
            d = d_alpha;
        }
    }
cleanup:
    return status;
}

/* ---- tangent kernel -------------------------------------------------------------------------- */

/* A run of consecutive samples whose derivatives lie side by side, one layer at a time. */
typedef struct tile {
    int64_t first, samples;
    pls_activations activations;
    int64_t row;   /* of the first sample in the activations */
    pls_view d[2]; /* 1 x capacity k widest, in turn */
    int side;
} tile;

static pls_view tile_alpha(const network_system *system, const tile *t, int64_t l, int64_t first,
                           int64_t count) {
    return l > 0 ? pls_view_rows(t->activations.alpha[l - 1], t->row + first, count)
                 : pls_view_rows(system->inputs, t->first + first, count);
}

static pls_view tile_derivatives(const network_system *system, const tile *t, int64_t l) {
    const pls_network *network = &system->network;
    return pls_view_slice(t->d[t->side], 0, t->samples * network->outputs,
                          network->layers[l].outputs);
}

static pls_status tile_take(const network_system *system, pls_arena *arena, int64_t capacity,
                            pls_activations activations, tile *t) {
    const pls_network *network = &system->network;
    pls_context *context = arena->device->context;
    pls_dtype dtype = system->base.precision;
    pls_status status = PLS_OK;
    t->activations = system->keeps_all ? system->point : activations;
    if (!system->keeps_all) {
        PLS_TRY(context, pls_activations_take(network, arena, dtype, capacity, &t->activations));
    }
    for (int i = 0; i < 2; i++) {
        PLS_TRY(context, pls_arena_take(arena, dtype, capacity * network->outputs, network->widest,
                                        &t->d[i]));
        t->d[i] = pls_view_reshape(t->d[i], 1, t->d[i].rows * t->d[i].cols);
    }
cleanup:
    return status;
}

/* Puts samples first .. first+count-1 into the tile and their unit cotangents on top. */
static pls_status tile_load(network_system *system, tile *t, int64_t first, int64_t count) {
    const pls_network *network = &system->network;
    pls_device *device = system->base.device;
    pls_status status = PLS_OK;
    t->first = first;
    t->samples = count;
    t->row = system->keeps_all ? first : 0;
    t->side = 0;
    for (int64_t b = 0; !system->keeps_all && b < block_count(system, count); b++) {
        int64_t start = b * system->block;
        pls_view x =
            pls_view_rows(system->inputs, first + start, smaller(system->block, count - start));
        PLS_TRY(device->context, pls_network_forward(device, network, system->base.weights, x,
                                                     t->activations, start));
    }
    PLS_TRY(device->context, pls_unit_rows(device, network->outputs,
                                           tile_derivatives(system, t, network->depth - 1)));
cleanup:
    return status;
}

/* dF/dalpha^l -> dF/dz^l of the tile, in place; the next layer's dF/dalpha into the other side. */
static pls_status tile_backward(network_system *system, tile *t, int64_t l, pls_view *d) {
    const pls_network *network = &system->network;
    const pls_layer *layer = &network->layers[l];
    pls_device *device = system->base.device;
    int64_t k = network->outputs;
    pls_status status = PLS_OK;
    *d = tile_derivatives(system, t, l);
    pls_view below = pls_no_view();
    if (l > 0) {
        below = pls_view_slice(t->d[1 - t->side], 0, t->samples * k, layer->inputs);
    }
    for (int64_t b = 0; b < block_count(system, t->samples); b++) {
        int64_t start = b * system->block;
        int64_t count = smaller(system->block, t->samples - start);
        pls_view z = pls_view_rows(t->activations.z[l], t->row + start, count);
        pls_view d_alpha = l > 0 ? pls_view_rows(below, start * k, count * k) : pls_no_view();
        PLS_TRY(device->context,
                layer->kind->backward(device, layer, k, system->base.weights, z,
                                      pls_view_rows(*d, start * k, count * k), d_alpha));
    }
    t->side = 1 - t->side;
cleanup:
    return status;
}

/* The explicit way: kernel += sum over chunks of parameters of J_u[:, chunk] J_v[:, chunk]T. The
 * chunks are whole weight rows, at least PLS_GRAM_CHUNK columns, and do not depend on options. */
static pls_status explicit_gram(pls_device *device, const pls_layer *layer, int64_t k, bool trace,
                                pls_layer_rows u, pls_layer_rows v, pls_arena *arena,
                                pls_view kernel) {
    pls_context *context = device->context;
    int64_t mark = pls_arena_mark(arena);
    int64_t weights = layer->weight_rows * layer->weight_cols;
    int64_t total = pls_layer_parameters(layer);
    int64_t chunk =
        (PLS_GRAM_CHUNK + layer->weight_cols - 1) / layer->weight_cols * layer->weight_cols;
    chunk = smaller(chunk, weights);
    int64_t widest = chunk > layer->biases ? chunk : layer->biases;
    bool own = v.alpha.rows == 0;
    pls_view flat_u = pls_no_view(), flat_v = pls_no_view(), workspace = pls_no_view();
    pls_status status = PLS_OK;
    int64_t needed = pls_gram_workspace(u.d.dtype, u.d.rows, own ? 0 : v.d.rows, widest);
    if (trace) {
        int64_t joined =
            pls_gram_workspace(u.d.dtype, u.d.rows / k, own ? 0 : v.d.rows / k, widest * k);
        needed = needed > joined ? needed : joined;
    }
    PLS_TRY(context, pls_arena_take(arena, u.d.dtype, u.d.rows, widest, &flat_u));
    if (!own) {
        PLS_TRY(context, pls_arena_take(arena, v.d.dtype, v.d.rows, widest, &flat_v));
    }
    if (needed > 0) {
        PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, needed, &workspace));
    }
    if (arena->buffer == NULL) {
        goto cleanup;
    }
    for (int64_t first = 0, count; first < total; first += count) {
        count = first < weights ? smaller(chunk, weights - first) : total - first;
        pls_view j_u = pls_view_slice(flat_u, 0, u.d.rows, count);
        pls_view j_v = pls_no_view();
        PLS_TRY(context, layer->kind->jacobian(device, layer, k, u, first, count, j_u));
        if (!own) {
            j_v = pls_view_slice(flat_v, 0, v.d.rows, count);
            PLS_TRY(context, layer->kind->jacobian(device, layer, k, v, first, count, j_v));
        }
        if (trace) {
            j_u = pls_view_reshape(j_u, u.d.rows / k, count * k);
            j_v = own ? j_v : pls_view_reshape(j_v, v.d.rows / k, count * k);
        }
        PLS_TRY(context, pls_gram(device, j_u, j_v, 1.0, kernel, workspace));
    }
cleanup:
    pls_arena_release(arena, mark);
    return status;
}

static pls_status layer_gram(pls_device *device, const pls_kernel_options *options,
                             const pls_layer *layer, int64_t k, pls_layer_rows u, pls_layer_rows v,
                             pls_arena *arena, pls_view kernel) {
    if (options->method == PLS_KERNEL_EXPLICIT) {
        return explicit_gram(device, layer, k, options->trace, u, v, arena, kernel);
    }
    return layer->kind->gram(device, layer, k, options->trace, u, v, arena, kernel);
}

/* The layer's contribution to all pairs of blocks of two tiles (one tile: v = NULL). */
static pls_status pair_gram(network_system *system, const pls_kernel_options *options, int64_t l,
                            const tile *u, pls_view d_u, const tile *v, pls_view d_v,
                            pls_arena *arena, pls_view kernel) {
    pls_device *device = system->base.device;
    const pls_layer *layer = &system->network.layers[l];
    int64_t k = system->network.outputs;
    int64_t entries = options->trace ? 1 : k; /* rows of the kernel a sample */
    const tile *partner = v != NULL ? v : u;
    pls_view d_partner = v != NULL ? d_v : d_u;
    pls_status status = PLS_OK;
    for (int64_t bu = 0; bu < block_count(system, u->samples); bu++) {
        int64_t start_u = bu * system->block;
        int64_t count_u = smaller(system->block, u->samples - start_u);
        pls_layer_rows rows_u = {tile_alpha(system, u, l, start_u, count_u),
                                 pls_view_rows(d_u, start_u * k, count_u * k)};
        int64_t last = v != NULL ? block_count(system, v->samples) - 1 : bu;
        for (int64_t bv = 0; bv <= last; bv++) {
            int64_t start_v = bv * system->block;
            int64_t count_v = smaller(system->block, partner->samples - start_v);
            pls_layer_rows rows_v = {pls_no_view(), pls_no_view()};
            if (v != NULL || bv != bu) {
                rows_v.alpha = tile_alpha(system, partner, l, start_v, count_v);
                rows_v.d = pls_view_rows(d_partner, start_v * k, count_v * k);
            }
            pls_view part = pls_view_cols(
                pls_view_rows(kernel, (u->first + start_u) * entries, count_u * entries),
                (partner->first + start_v) * entries, count_v * entries);
            PLS_TRY(device->context, pls_check_cancelled(device->context));
            PLS_TRY(device->context,
                    layer_gram(device, options, layer, k, rows_u, rows_v, arena, part));
        }
    }
cleanup:
    return status;
}

/* A view that only says its shape, for measuring. */
static pls_view shape_only(pls_dtype dtype, int64_t rows, int64_t cols) {
    pls_view view = {NULL, 0, rows, cols, cols, dtype};
    return view;
}

/* Takes what tiles of `capacity` samples need. */
static pls_status gram_layout(network_system *system, const pls_kernel_options *options,
                              int64_t capacity, pls_arena *arena, tile *u, tile *v) {
    const pls_network *network = &system->network;
    pls_device *device = system->base.device;
    pls_dtype dtype = system->base.precision;
    int64_t n = system->base.samples;
    int64_t block = smaller(system->block, capacity);
    pls_status status = PLS_OK;
    PLS_TRY(device->context, tile_take(system, arena, capacity, system->tile_u, u));
    if (capacity < n) {
        PLS_TRY(device->context, tile_take(system, arena, capacity, system->tile_v, v));
    }
    if (arena->buffer == NULL) {
        for (int64_t l = 0; l < network->depth; l++) {
            const pls_layer *layer = &network->layers[l];
            pls_layer_rows rows = {shape_only(dtype, block, layer->inputs),
                                   shape_only(dtype, block * network->outputs, layer->outputs)};
            PLS_TRY(device->context, layer_gram(device, options, layer, network->outputs, rows,
                                                rows, arena, pls_no_view()));
        }
    }
cleanup:
    return status;
}

static pls_status gram_bytes(network_system *system, const pls_kernel_options *options,
                             int64_t capacity, int64_t *bytes) {
    pls_arena measuring = pls_arena_measuring(system->base.device);
    tile u, v;
    pls_status status = gram_layout(system, options, capacity, &measuring, &u, &v);
    *bytes = measuring.peak;
    return status;
}

/* Samples a tile: what the options say, else the most that the memory allows. */
static pls_status choose_tile(network_system *system, const pls_kernel_options *options,
                              int64_t *capacity) {
    pls_context *context = system->base.device->context;
    int64_t n = system->base.samples;
    int64_t blocks = block_count(system, options->tile > 0 ? smaller(options->tile, n) : n);
    int64_t bytes = 0;
    pls_status status = PLS_OK;
    for (;;) {
        *capacity = smaller(blocks * system->block, n);
        PLS_TRY(context, gram_bytes(system, options, *capacity, &bytes));
        if (options->memory == 0 || bytes <= options->memory) {
            break;
        }
        if (blocks == 1) {
            char need[32], given[32];
            status = pls_fail(context, PLS_ERROR_MEMORY,
                              "monitor.memory: %s were given, but the smallest tile (%lld samples) "
                              "of this kernel needs %s (%lld bytes)",
                              pls_format_bytes(options->memory, given), (long long)*capacity,
                              pls_format_bytes(bytes, need), (long long)bytes);
            break;
        }
        blocks /= 2;
    }
cleanup:
    return status;
}

static pls_status gram(pls_system *base, const pls_kernel_options *options, pls_arena *arena,
                       pls_view kernel) {
    network_system *system = (network_system *)base;
    pls_device *device = base->device;
    pls_context *context = device->context;
    int64_t mark = pls_arena_mark(arena);
    int64_t capacity = 0;
    tile u = {0}, v = {0};
    pls_status status = PLS_OK;
    PLS_TRY(context, choose_tile(system, options, &capacity));
    PLS_TRY(context, gram_layout(system, options, capacity, arena, &u, &v));
    if (arena->buffer == NULL) {
        goto cleanup;
    }
    PLS_TRY(context, pls_fill(device, 0.0, kernel));
    for (int64_t first_u = 0; first_u < base->samples; first_u += capacity) {
        for (int64_t first_v = 0; first_v <= first_u; first_v += capacity) {
            bool same = first_u == first_v;
            PLS_TRY(context,
                    tile_load(system, &u, first_u, smaller(capacity, base->samples - first_u)));
            if (!same) {
                PLS_TRY(context, tile_load(system, &v, first_v, capacity));
            }
            for (int64_t l = system->network.depth - 1; l >= 0; l--) {
                pls_view d_u, d_v = pls_no_view();
                PLS_TRY(context, tile_backward(system, &u, l, &d_u));
                if (!same) {
                    PLS_TRY(context, tile_backward(system, &v, l, &d_v));
                }
                PLS_TRY(context, pair_gram(system, options, l, &u, d_u, same ? NULL : &v, d_v,
                                           arena, kernel));
            }
        }
    }
cleanup:
    pls_arena_release(arena, mark);
    return status;
}

static pls_status jacobian(pls_system *base, int64_t first, int64_t count, pls_arena *arena,
                           pls_view out) {
    network_system *system = (network_system *)base;
    const pls_network *network = &system->network;
    pls_device *device = base->device;
    pls_context *context = device->context;
    int64_t mark = pls_arena_mark(arena);
    tile t = {0};
    pls_status status = PLS_OK;
    PLS_TRY(context, tile_take(system, arena, count, system->tile_u, &t));
    if (arena->buffer == NULL) {
        goto cleanup;
    }
    PLS_TRY(context, tile_load(system, &t, first, count));
    for (int64_t l = network->depth - 1; l >= 0; l--) {
        const pls_layer *layer = &network->layers[l];
        int64_t parameters = pls_layer_parameters(layer);
        pls_view d;
        PLS_TRY(context, tile_backward(system, &t, l, &d));
        pls_layer_rows rows = {tile_alpha(system, &t, l, 0, count), d};
        PLS_TRY(context, layer->kind->jacobian(device, layer, network->outputs, rows, 0, parameters,
                                               pls_view_cols(out, layer->offset, parameters)));
    }
cleanup:
    pls_arena_release(arena, mark);
    return status;
}

/* ---- the rest of the table ------------------------------------------------------------------- */

static void destroy(pls_system *base) {
    network_system *system = (network_system *)base;
    pls_context *context = base->device->context;
    pls_arena_destroy(&system->arena);
    pls_activations_destroy(context, &system->point);
    pls_activations_destroy(context, &system->tile_u);
    pls_activations_destroy(context, &system->tile_v);
    pls_network_destroy(context, &system->network);
    pls_release(context, (void *)system->model.layers);
    pls_release(context, system->inputs_host);
    pls_release(context, system->targets_host);
    pls_release(context, system->selection);
    pls_release(context, system);
}

static pls_status initialize(pls_system *base) {
    network_system *system = (network_system *)base;
    return pls_network_initialize(base->device, &system->network, system->seed, base->weights);
}

static double rounding_growth(const pls_system *base) {
    const pls_network *network = &((const network_system *)base)->network;
    double growth = 0.0;
    for (int64_t l = 0; l < network->depth; l++) {
        const pls_layer *layer = &network->layers[l];
        growth += sqrt((double)layer->weight_cols) + 2.0; /* forwards, and phi */
        if (l > 0) {
            growth += sqrt((double)layer->weight_rows) + 2.0; /* backwards through it, and phi' */
        }
    }
    return 2.0 * growth;
}

static bool tensor(const pls_system *base, int64_t i, char name[64], int *rank, int64_t shape[8],
                   int64_t *first) {
    const network_system *system = (const network_system *)base;
    for (int64_t l = 0; l < system->network.depth; l++) {
        const pls_layer *layer = &system->network.layers[l];
        int64_t here = layer->biases > 0 ? 2 : 1;
        if (i >= here) {
            i -= here;
            continue;
        }
        snprintf(name, 64, "layers.%lld.%s", (long long)l, i == 0 ? "weight" : "bias");
        *rank = i == 0 ? 2 : 1;
        shape[0] = layer->weight_rows;
        shape[1] = layer->weight_cols;
        *first = layer->offset + (i == 0 ? 0 : layer->weight_rows * layer->weight_cols);
        return true;
    }
    return false;
}

static pls_status promote(pls_system *base, const int64_t *samples, int64_t count,
                          pls_system **promoted);

static const pls_system_kind network_kind = {
    .name = "network",
    .destroy = destroy,
    .initialize = initialize,
    .evaluate = evaluate,
    .pullback = pullback,
    .jacobian = jacobian,
    .gram = gram,
    .promote = promote,
    .rounding_growth = rounding_growth,
    .tensor = tensor,
};

/* ---- making ------------------------------------------------------------------------------------
 */

pls_network_options pls_network_options_defaults(void) {
    pls_network_options options = {PLS_F32, 0, 0};
    return options;
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

static pls_status copy_host(network_system *system, const pls_model *model,
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

static pls_status layout(network_system *system, pls_arena *arena) {
    pls_system *base = &system->base;
    const pls_network *network = &system->network;
    pls_context *context = base->device->context;
    pls_dtype dtype = base->precision;
    int64_t n = base->samples;
    int64_t block = smaller(system->block, n);
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
cleanup:
    return status;
}

/* Keeps the activations of all samples if they fit in the memory option, or, without one, in half
 * of what is free. */
static pls_status decide_keeping(network_system *system, int64_t memory) {
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

static pls_status reserve(network_system *system, int64_t memory) {
    pls_context *context = system->base.device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, decide_keeping(system, memory));
    PLS_TRY(context, layout(system, &system->arena));
    PLS_TRY(context, pls_arena_reserve(&system->arena, "the network with its data"));
    PLS_TRY(context, layout(system, &system->arena));
cleanup:
    return status;
}

pls_status pls_network_system_create(pls_device *device, const pls_model *model,
                                     const pls_dataset *data, const pls_network_options *options,
                                     pls_system **out) {
    pls_network_options resolved = options != NULL ? *options : pls_network_options_defaults();
    pls_context *context = device->context;
    network_system *system = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, 1, sizeof *system, "a network system", &system));
    system->base.kind = &network_kind;
    system->base.device = device;
    system->base.precision = resolved.precision;
    system->seed = resolved.seed;
    system->arena = pls_arena_measuring(device);
    PLS_TRY(context, pls_network_create(context, model, &system->network));
    PLS_TRY(context, check_data(context, &system->network, data));
    system->base.samples = data->samples;
    system->base.outputs = system->network.outputs;
    system->base.parameters = system->network.parameters;
    system->block = block_samples(&system->network);
    PLS_TRY(context, pls_activations_create(context, &system->network, &system->point));
    PLS_TRY(context, pls_activations_create(context, &system->network, &system->tile_u));
    PLS_TRY(context, pls_activations_create(context, &system->network, &system->tile_v));
    PLS_TRY(context, copy_host(system, model, data));
    PLS_TRY(context, reserve(system, resolved.memory));
    pls_system_describe_targets(&system->base, system->targets_host);
    PLS_TRY(context, pls_upload_f64(device, system->inputs_host, system->inputs));
    PLS_TRY(context, pls_upload_f64(device, system->targets_host, system->base.targets));
    *out = &system->base;
    return PLS_OK;
cleanup:
    if (system != NULL) {
        destroy(&system->base);
    }
    return status;
}

static pls_status promote(pls_system *base, const int64_t *samples, int64_t count,
                          pls_system **promoted) {
    network_system *system = (network_system *)base;
    pls_context *context = base->device->context;
    int64_t d = system->network.inputs, k = system->network.outputs;
    pls_network_options options = {PLS_F64, system->seed, 0};
    pls_dataset data = {.samples = count,
                        .dimension = d,
                        .outputs = k,
                        .inputs = system->inputs_host,
                        .targets = system->targets_host};
    double *chosen = NULL;
    pls_system *copy = NULL;
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
    PLS_TRY(context,
            pls_network_system_create(base->device, &system->model, &data, &options, &copy));
    PLS_TRY(context, pls_copy(base->device, base->weights, copy->weights));
    *promoted = copy;
    copy = NULL;
cleanup:
    pls_system_destroy(copy);
    pls_release(context, chosen);
    return status;
}
