/* The tangent kernel and the Jacobian of a network.
 *
 * For two blocks u, v of samples and one layer after the other from the top,
 *     D^L = phi'(z^L) for unit cotangents,   D^(l-1) = phi'(z^(l-1)) * (s_l D^l W^l)
 *     K[u, v] += contribution of layer l from (alpha^(l-1), D^l) of u and of v,
 * by the cheaper of the layer's own structured way and columns of the Jacobian, or by the latter
 * alone where the explicit way is asked for (model/layer_gram.c). A tile is as many blocks as the
 * memory option allows to keep side by side; pairs of tiles are walked through, in the lower
 * triangle only. */
#include "system/network_system.h"

#include "backend/phase.h"
#include "base/memory.h"

/* A run of consecutive samples whose derivatives lie side by side, one layer at a time. */
typedef struct tile {
    int64_t first, samples;
    pls_activations activations;
    int64_t row;   /* of the first sample in the activations */
    pls_view d[2]; /* 1 x capacity k widest, in turn */
    int side;
} tile;

static pls_view tile_alpha(const pls_network_system *system, const tile *t, int64_t l,
                           int64_t first, int64_t count) {
    return l > 0 ? pls_view_rows(t->activations.alpha[l - 1], t->row + first, count)
                 : pls_view_rows(system->inputs, t->first + first, count);
}

static pls_view tile_derivatives(const pls_network_system *system, const tile *t, int64_t l) {
    const pls_network *network = &system->network;
    return pls_view_slice(t->d[t->side], 0, t->samples * network->outputs,
                          network->layers[l].outputs);
}

static pls_status tile_take(const pls_network_system *system, pls_arena *arena, int64_t capacity,
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

/* The activations of the tile, where those of all samples are not kept. */
static pls_status tile_forward(pls_network_system *system, const tile *t) {
    pls_device *device = system->base.device;
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_phase_begin(device, PLS_PHASE_FORWARD));
    for (int64_t b = 0; b < pls_block_count(system, t->samples); b++) {
        int64_t start = b * system->block;
        pls_view x = pls_view_rows(system->inputs, t->first + start,
                                   pls_smaller(system->block, t->samples - start));
        PLS_TRY(device->context, pls_network_forward(device, &system->network, system->base.weights,
                                                     x, system->scratch, t->activations, start));
    }
cleanup:
    return pls_phase_end(device, status);
}

/* Puts samples first .. first+count-1 into the tile and their unit cotangents on top. */
static pls_status tile_load(pls_network_system *system, tile *t, int64_t first, int64_t count) {
    const pls_network *network = &system->network;
    pls_device *device = system->base.device;
    pls_status status = PLS_OK;
    t->first = first;
    t->samples = count;
    t->row = system->keeps_all ? first : 0;
    t->side = 0;
    if (!system->keeps_all) {
        PLS_TRY(device->context, tile_forward(system, t));
    }
    PLS_TRY(device->context, pls_unit_rows(device, network->outputs,
                                           tile_derivatives(system, t, network->depth - 1)));
cleanup:
    return status;
}

/* dF/dalpha^l -> dF/dz^l of the tile, in place; the next layer's dF/dalpha into the other side. */
static pls_status tile_backward(pls_network_system *system, tile *t, int64_t l, pls_view *d) {
    const pls_network *network = &system->network;
    const pls_layer *layer = &network->layers[l];
    pls_device *device = system->base.device;
    int64_t k = network->outputs;
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_phase_begin(device, PLS_PHASE_DERIVATIVES));
    *d = tile_derivatives(system, t, l);
    pls_view below = pls_no_view();
    if (l > 0) {
        below = pls_view_slice(t->d[1 - t->side], 0, t->samples * k, layer->inputs);
    }
    for (int64_t b = 0; b < pls_block_count(system, t->samples); b++) {
        int64_t start = b * system->block;
        int64_t count = pls_smaller(system->block, t->samples - start);
        pls_view z = pls_view_rows(t->activations.z[l], t->row + start, count);
        pls_view d_alpha = l > 0 ? pls_view_rows(below, start * k, count * k) : pls_no_view();
        PLS_TRY(device->context, pls_layer_backward(device, layer, k, system->base.weights, z,
                                                    pls_view_rows(*d, start * k, count * k),
                                                    system->scratch, d_alpha));
    }
    t->side = 1 - t->side;
cleanup:
    return pls_phase_end(device, status);
}

/* Whether the layer's contribution is made from rows of the Jacobian: the cheaper way for a whole
 * block with itself, so that it does not depend on tiles. */
static pls_gram_way gram_way(const pls_network_system *system, const pls_kernel_options *options,
                             const pls_layer *layer) {
    int64_t samples = pls_smaller(system->block, system->base.samples);
    pls_gram_way way =
        pls_layer_gram_way(layer, system->network.outputs, options->trace, samples, 0);
    way.by_rows |= options->method == PLS_KERNEL_EXPLICIT;
    return way;
}

bool pls_network_gram_way(const pls_system *base, const pls_kernel_options *options, int64_t i,
                          pls_kernel_way *way) {
    const pls_network_system *system = (const pls_network_system *)base;
    for (int64_t l = 0; l < system->network.depth; l++) {
        const pls_layer *layer = &system->network.layers[l];
        if (layer->weight_rows == 0 || i-- > 0) {
            continue;
        }
        pls_gram_way chosen = gram_way(system, options, layer);
        *way = (pls_kernel_way){l, chosen.by_rows, pls_smaller(system->block, system->base.samples),
                                chosen.structured, chosen.rows};
        return true;
    }
    return false;
}

/* The layer's contribution to all pairs of blocks of two tiles (one tile: v = NULL). */
static pls_status pair_gram(pls_network_system *system, const pls_kernel_options *options,
                            int64_t l, const tile *u, pls_view d_u, const tile *v, pls_view d_v,
                            pls_arena *arena, pls_view kernel) {
    pls_device *device = system->base.device;
    const pls_layer *layer = &system->network.layers[l];
    int64_t k = system->network.outputs;
    int64_t entries = options->trace ? 1 : k; /* rows of the kernel a sample */
    const tile *partner = v != NULL ? v : u;
    pls_view d_partner = v != NULL ? d_v : d_u;
    bool by_rows = gram_way(system, options, layer).by_rows;
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_phase_begin(device, PLS_PHASE_GRAM));
    for (int64_t bu = 0; bu < pls_block_count(system, u->samples); bu++) {
        int64_t start_u = bu * system->block;
        int64_t count_u = pls_smaller(system->block, u->samples - start_u);
        pls_layer_rows rows_u = {tile_alpha(system, u, l, start_u, count_u),
                                 pls_view_rows(d_u, start_u * k, count_u * k)};
        int64_t last = v != NULL ? pls_block_count(system, v->samples) - 1 : bu;
        for (int64_t bv = 0; bv <= last; bv++) {
            int64_t start_v = bv * system->block;
            int64_t count_v = pls_smaller(system->block, partner->samples - start_v);
            pls_layer_rows rows_v = {pls_no_view(), pls_no_view()};
            if (v != NULL || bv != bu) {
                rows_v.alpha = tile_alpha(system, partner, l, start_v, count_v);
                rows_v.d = pls_view_rows(d_partner, start_v * k, count_v * k);
            }
            pls_view part = pls_view_cols(
                pls_view_rows(kernel, (u->first + start_u) * entries, count_u * entries),
                (partner->first + start_v) * entries, count_v * entries);
            PLS_TRY(device->context, pls_check_cancelled(device->context));
            PLS_TRY(device->context, pls_layer_gram(device, layer, k, options->trace, options->gram,
                                                    by_rows, rows_u, rows_v, arena, part));
        }
    }
cleanup:
    return pls_phase_end(device, status);
}

/* A view that only says its shape, for measuring. */
static pls_view shape_only(pls_dtype dtype, int64_t rows, int64_t cols) {
    pls_view view = {NULL, 0, rows, cols, cols, dtype};
    return view;
}

/* Takes what tiles of `capacity` samples need. */
static pls_status gram_layout(pls_network_system *system, const pls_kernel_options *options,
                              int64_t capacity, pls_arena *arena, tile *u, tile *v) {
    const pls_network *network = &system->network;
    pls_device *device = system->base.device;
    pls_dtype dtype = system->base.precision;
    int64_t n = system->base.samples;
    int64_t block = pls_smaller(system->block, capacity);
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
            PLS_TRY(device->context,
                    pls_layer_gram(device, layer, network->outputs, options->trace, options->gram,
                                   gram_way(system, options, layer).by_rows, rows, rows, arena,
                                   pls_no_view()));
        }
    }
cleanup:
    return status;
}

static pls_status gram_bytes(pls_network_system *system, const pls_kernel_options *options,
                             int64_t capacity, int64_t *bytes) {
    pls_arena measuring = pls_arena_measuring(system->base.device);
    tile u, v;
    pls_status status = gram_layout(system, options, capacity, &measuring, &u, &v);
    *bytes = measuring.peak;
    return status;
}

/* Samples a tile: what the options say, else the most that the memory allows. */
static pls_status choose_tile(pls_network_system *system, const pls_kernel_options *options,
                              int64_t *capacity) {
    pls_context *context = system->base.device->context;
    int64_t n = system->base.samples;
    int64_t blocks = pls_block_count(system, options->tile > 0 ? pls_smaller(options->tile, n) : n);
    int64_t bytes = 0;
    pls_status status = PLS_OK;
    for (;;) {
        *capacity = pls_smaller(blocks * system->block, n);
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

pls_status pls_network_gram(pls_system *base, const pls_kernel_options *options, pls_arena *arena,
                            pls_view kernel) {
    pls_network_system *system = (pls_network_system *)base;
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
                    tile_load(system, &u, first_u, pls_smaller(capacity, base->samples - first_u)));
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

/* Rows of the wanted samples in one block, which is passed backwards as a whole so that the rows do
 * not depend on which of them are asked for. */
static pls_status block_jacobian(pls_network_system *system, tile *t, int64_t block, int64_t first,
                                 int64_t count, pls_view out) {
    const pls_network *network = &system->network;
    pls_device *device = system->base.device;
    pls_context *context = device->context;
    int64_t start = block * system->block, k = network->outputs;
    pls_status status = PLS_OK;
    PLS_TRY(context,
            tile_load(system, t, start, pls_smaller(system->block, system->base.samples - start)));
    for (int64_t l = network->depth - 1; l >= 0; l--) {
        const pls_layer *layer = &network->layers[l];
        int64_t parameters = pls_layer_parameters(layer);
        pls_view d;
        PLS_TRY(context, tile_backward(system, t, l, &d));
        pls_layer_rows rows = {tile_alpha(system, t, l, first - start, count),
                               pls_view_rows(d, (first - start) * k, count * k)};
        if (parameters > 0) {
            PLS_TRY(context,
                    pls_layer_jacobian(device, layer, k, rows, 0, parameters, system->scratch,
                                       pls_view_cols(out, layer->offset, parameters)));
        }
    }
cleanup:
    return status;
}

pls_status pls_network_jacobian(pls_system *base, int64_t first, int64_t count, pls_arena *arena,
                                pls_view out) {
    pls_network_system *system = (pls_network_system *)base;
    pls_context *context = base->device->context;
    int64_t mark = pls_arena_mark(arena);
    int64_t k = system->network.outputs;
    tile t = {0};
    pls_status status = PLS_OK;
    PLS_TRY(context, tile_take(system, arena, pls_smaller(system->block, base->samples),
                               system->tile_u, &t));
    if (arena->buffer == NULL) {
        goto cleanup;
    }
    for (int64_t done = 0, taken; done < count; done += taken) {
        int64_t block = (first + done) / system->block;
        taken = pls_smaller((block + 1) * system->block - (first + done), count - done);
        PLS_TRY(context, block_jacobian(system, &t, block, first + done, taken,
                                        pls_view_rows(out, done * k, taken * k)));
    }
cleanup:
    pls_arena_release(arena, mark);
    return status;
}
