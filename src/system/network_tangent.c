/* Forward tangents and second derivatives of a network.
 *
 *     J v               z_dot, alpha_dot from layer to layer along w_dot = v
 *     sum u H v         the derivative along v of the pullback JT u: forwards z_dot and alpha_dot,
 *                       then backwards D and D_dot together (the R-operator)
 *
 * block by block of the samples last evaluated. A direction is shared by all samples, or each
 * sample has one of its own; then so are the results. */
#include "base/memory.h"
#include "system/network_system.h"

#include <stdio.h>

/* Rows of the block in w_dot or g_dot: its own, or the one that all share. */
static pls_view own_rows(pls_view rows, int64_t first, int64_t count) {
    return rows.rows == 1 ? rows : pls_view_rows(rows, first, count);
}

const char *pls_network_kink(const pls_system *base) {
    const pls_network_system *system = (const pls_network_system *)base;
    return system->kink[0] != '\0' ? system->kink : NULL;
}

/* ---- forwards -------------------------------------------------------------------------------- */

/* Tangents of one layer after the other: its z_dot and alpha_dot in turn. */
typedef struct turns {
    pls_view z_dot, alpha_dot[2]; /* 1 x U widest */
} turns;

static pls_status take_turns(const pls_network_system *system, pls_arena *arena, turns *t) {
    pls_context *context = arena->device->context;
    int64_t rows = pls_smaller(system->block, system->base.samples);
    int64_t count = rows * system->network.widest;
    pls_dtype dtype = system->base.precision;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, dtype, 1, count, &t->z_dot));
    for (int i = 0; i < 2; i++) {
        PLS_TRY(context, pls_arena_take(arena, dtype, 1, count, &t->alpha_dot[i]));
    }
cleanup:
    return status;
}

static pls_view point_alpha(const pls_network_system *system, int64_t l, int64_t row, int64_t rows,
                            pls_view x) {
    return l > 0 ? pls_view_rows(system->point.alpha[l - 1], row, rows) : x;
}

static pls_status push_block(pls_network_system *system, int64_t block, pls_view v, const turns *t,
                             pls_view out) {
    pls_device *device = system->base.device;
    pls_context *context = device->context;
    int64_t rows = pls_network_block_rows(system, block);
    int64_t row = pls_network_point_row(system, block);
    pls_view x, alpha_dot = pls_no_view();
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_network_block(system, block, &x));
    for (int64_t l = 0; l < system->network.depth; l++) {
        const pls_layer *layer = &system->network.layers[l];
        pls_view next = pls_view_slice(t->alpha_dot[l % 2], 0, rows, layer->outputs);
        pls_view z_dot =
            pls_layer_is_linear(layer) ? next : pls_view_slice(t->z_dot, 0, rows, layer->outputs);
        PLS_TRY(context, pls_layer_forward_tangent(device, layer, system->base.weights, v,
                                                   point_alpha(system, l, row, rows, x), alpha_dot,
                                                   pls_view_rows(system->point.z[l], row, rows),
                                                   system->scratch, z_dot, next));
        alpha_dot = next;
    }
    PLS_TRY(context, pls_copy(device, alpha_dot, out));
cleanup:
    return status;
}

pls_status pls_network_pushforward(pls_system *base, pls_view v, pls_arena *arena, pls_view out) {
    pls_network_system *system = (pls_network_system *)base;
    pls_context *context = base->device->context;
    int64_t mark = pls_arena_mark(arena);
    turns t;
    pls_status status = PLS_OK;
    PLS_TRY(context, take_turns(system, arena, &t));
    if (arena->buffer == NULL) {
        goto cleanup;
    }
    for (int64_t b = 0; b < pls_block_count(system, system->selected); b++) {
        pls_view part = pls_view_rows(out, b * system->block, pls_network_block_rows(system, b));
        PLS_TRY(context, pls_check_cancelled(context));
        PLS_TRY(context, push_block(system, b, v, &t, part));
    }
cleanup:
    pls_arena_release(arena, mark);
    return status;
}

/* ---- forwards and backwards -------------------------------------------------------------------
 */

/* Tangents of all layers for a block, and derivatives of two layers in turn. */
typedef struct tangents {
    pls_activations dot;     /* z_dot, alpha_dot; U rows */
    pls_view d[2], d_dot[2]; /* 1 x U widest */
} tangents;

static pls_status take_tangents(const pls_network_system *system, pls_arena *arena, tangents *t) {
    pls_context *context = arena->device->context;
    int64_t rows = pls_smaller(system->block, system->base.samples);
    int64_t count = rows * system->network.widest;
    pls_dtype dtype = system->base.precision;
    pls_status status = PLS_OK;
    t->dot = system->tangent;
    PLS_TRY(context, pls_activations_take(&system->network, arena, dtype, rows, &t->dot));
    for (int i = 0; i < 2; i++) {
        PLS_TRY(context, pls_arena_take(arena, dtype, 1, count, &t->d[i]));
        PLS_TRY(context, pls_arena_take(arena, dtype, 1, count, &t->d_dot[i]));
    }
cleanup:
    return status;
}

static pls_view tangent_alpha(const tangents *t, int64_t l, int64_t rows) {
    return l > 0 ? pls_view_rows(t->dot.alpha[l - 1], 0, rows) : pls_no_view();
}

static pls_status forward_block(pls_network_system *system, int64_t block, pls_view x, pls_view v,
                                const tangents *t) {
    pls_device *device = system->base.device;
    int64_t rows = pls_network_block_rows(system, block);
    int64_t row = pls_network_point_row(system, block);
    pls_status status = PLS_OK;
    for (int64_t l = 0; l < system->network.depth; l++) {
        const pls_layer *layer = &system->network.layers[l];
        PLS_TRY(device->context,
                pls_layer_forward_tangent(
                    device, layer, system->base.weights, v, point_alpha(system, l, row, rows, x),
                    tangent_alpha(t, l, rows), pls_view_rows(system->point.z[l], row, rows),
                    system->scratch, pls_view_rows(t->dot.z[l], 0, rows),
                    pls_view_rows(t->dot.alpha[l], 0, rows)));
    }
cleanup:
    return status;
}

static pls_status backward_block(pls_network_system *system, int64_t block, pls_view x, pls_view v,
                                 const tangents *t, double beta, pls_view g_dot) {
    pls_device *device = system->base.device;
    const pls_network *network = &system->network;
    int64_t rows = pls_network_block_rows(system, block);
    int64_t row = pls_network_point_row(system, block);
    pls_status status = PLS_OK;
    int side = 0;
    for (int64_t l = network->depth - 1; l >= 0; l--, side = 1 - side) {
        const pls_layer *layer = &network->layers[l];
        pls_layer_tangent at = {
            .alpha = point_alpha(system, l, row, rows, x),
            .alpha_dot = tangent_alpha(t, l, rows),
            .z = pls_view_rows(system->point.z[l], row, rows),
            .z_dot = pls_view_rows(t->dot.z[l], 0, rows),
            .d = pls_view_slice(t->d[side], 0, rows, layer->outputs),
            .d_dot = pls_view_slice(t->d_dot[side], 0, rows, layer->outputs),
            .d_alpha = pls_no_view(),
            .d_alpha_dot = pls_no_view(),
        };
        if (l > 0) {
            at.d_alpha = pls_view_slice(t->d[1 - side], 0, rows, layer->inputs);
            at.d_alpha_dot = pls_view_slice(t->d_dot[1 - side], 0, rows, layer->inputs);
        }
        PLS_TRY(device->context, pls_layer_backward_tangent(device, layer, system->base.weights, v,
                                                            &at, system->scratch, beta, g_dot));
    }
cleanup:
    return status;
}

static pls_status curve_block(pls_network_system *system, int64_t block, pls_view u, pls_view v,
                              const tangents *t, double beta, pls_view out) {
    pls_device *device = system->base.device;
    pls_context *context = device->context;
    int64_t rows = pls_network_block_rows(system, block), k = system->network.outputs;
    pls_view x;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_network_block(system, block, &x));
    PLS_TRY(context, forward_block(system, block, x, v, t));
    PLS_TRY(context, pls_copy(device, u, pls_view_slice(t->d[0], 0, rows, k)));
    PLS_TRY(context, pls_fill(device, 0.0, pls_view_slice(t->d_dot[0], 0, rows, k)));
    PLS_TRY(context, backward_block(system, block, x, v, t, beta, out));
cleanup:
    return status;
}

pls_status pls_network_curvature(pls_system *base, pls_view u, pls_view v, pls_arena *arena,
                                 pls_view out) {
    pls_network_system *system = (pls_network_system *)base;
    pls_context *context = base->device->context;
    int64_t mark = pls_arena_mark(arena);
    tangents t;
    pls_status status = PLS_OK;
    PLS_TRY(context, take_tangents(system, arena, &t));
    if (arena->buffer == NULL) {
        goto cleanup;
    }
    for (int64_t b = 0; b < pls_block_count(system, system->selected); b++) {
        int64_t first = b * system->block, rows = pls_network_block_rows(system, b);
        bool summed = out.rows == 1 && b > 0;
        PLS_TRY(context, pls_check_cancelled(context));
        PLS_TRY(context,
                curve_block(system, b, pls_view_rows(u, first, rows), own_rows(v, first, rows), &t,
                            summed ? 1.0 : 0.0, own_rows(out, first, rows)));
    }
cleanup:
    pls_arena_release(arena, mark);
    return status;
}
