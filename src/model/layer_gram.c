/* A layer's contribution to the tangent kernel, by the cheaper of two ways.
 *
 *     structured   the kind's own sum, which forms no row of the Jacobian
 *     by rows      K_l = sum over ranges of parameters of J_u[:, range] J_v[:, range]T
 *
 * In floating-point operations, for n samples of k outputs and a weight of p numbers that h
 * positions share, rows cost 2 n k h p to form and (n k)^2 p to multiply. A range is whole rows of
 * the weight; how many is a function of the architecture alone. */
#include "model/layer.h"

/* Columns of a range for layers that share weights: each range costs all patches anew, so that it
 * is a long one. */
enum { SHARED_RANGE = 1 << 17 };

pls_gram_way pls_layer_gram_way(const pls_layer *layer, int64_t k, bool trace, int64_t n_u,
                                int64_t n_v) {
    pls_gram_way way = {false, 0.0, 0.0};
    double positions = (double)pls_layer_positions(layer);
    double weights = (double)layer->weight_rows * (double)layer->weight_cols;
    double u = (double)n_u * (double)k, v = (double)n_v * (double)k;
    double parameters = weights + (double)layer->biases;
    double length = trace ? (double)k * parameters : parameters;
    double rows_u = trace ? (double)n_u : u, rows_v = trace ? (double)n_v : v;
    if (layer->kind->gram_operations == NULL) {
        return way;
    }
    way.structured = layer->kind->gram_operations(layer, k, trace, n_u, n_v);
    way.rows = 2.0 * (u + v) * positions * parameters +
               (n_v == 0 ? rows_u * (rows_u + 1.0) : 2.0 * rows_u * rows_v) * length;
    way.by_rows = way.rows < way.structured;
    return way;
}

/* Columns of a range of weights. */
static int64_t range_columns(const pls_layer *layer) {
    int64_t least = pls_layer_positions(layer) > 1 ? SHARED_RANGE : PLS_GRAM_CHUNK;
    int64_t whole = (least + layer->weight_cols - 1) / layer->weight_cols;
    return pls_smaller(whole, layer->weight_rows) * layer->weight_cols;
}

/* Views of one call. */
typedef struct range_views {
    pls_view u, v; /* 1 x rows columns */
    pls_view scratch, workspace;
} range_views;

static pls_status take_range(const pls_layer *layer, int64_t k, bool trace,
                             pls_gram_arithmetic arithmetic, pls_layer_rows u, pls_layer_rows v,
                             int64_t widest, pls_arena *arena, range_views *views) {
    pls_context *context = arena->device->context;
    pls_dtype dtype = u.d.dtype;
    int64_t per_row = trace ? k : 1;
    int64_t needed = pls_gram_workspace(arithmetic, dtype, u.d.rows / per_row, v.d.rows / per_row,
                                        widest * per_row);
    pls_status status = PLS_OK;
    views->v = views->scratch = views->workspace = pls_no_view();
    PLS_TRY(context, pls_arena_take(arena, dtype, u.d.rows, widest, &views->u));
    if (v.d.rows > 0) {
        PLS_TRY(context, pls_arena_take(arena, dtype, v.d.rows, widest, &views->v));
    }
    if (layer->scratch > 0) {
        PLS_TRY(context, pls_arena_take(arena, dtype, 1, layer->scratch, &views->scratch));
    }
    if (needed > 0) {
        PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, needed, &views->workspace));
    }
cleanup:
    return status;
}

/* Columns first .. first+count-1 of one side; summed over outputs, a sample is one long row. */
static pls_status form_rows(pls_device *device, const pls_layer *layer, int64_t k, bool trace,
                            pls_layer_rows side, int64_t first, int64_t count, pls_view scratch,
                            pls_view room, pls_view *rows) {
    pls_view formed = pls_view_slice(room, 0, side.d.rows, count);
    *rows = trace ? pls_view_reshape(formed, side.d.rows / k, count * k) : formed;
    return pls_layer_jacobian(device, layer, k, side, first, count, scratch, formed);
}

static pls_status gram_by_rows(pls_device *device, const pls_layer *layer, int64_t k, bool trace,
                               pls_gram_arithmetic arithmetic, pls_layer_rows u, pls_layer_rows v,
                               pls_arena *arena, pls_view kernel) {
    pls_context *context = device->context;
    int64_t mark = pls_arena_mark(arena);
    int64_t weights = layer->weight_rows * layer->weight_cols;
    int64_t total = pls_layer_parameters(layer), range = range_columns(layer);
    bool own = v.alpha.rows == 0;
    range_views views;
    pls_status status = PLS_OK;
    PLS_TRY(context, take_range(layer, k, trace, arithmetic, u, v, pls_larger(range, layer->biases),
                                arena, &views));
    if (arena->buffer == NULL) {
        goto cleanup;
    }
    for (int64_t first = 0, count; first < total; first += count) {
        pls_view j_u, j_v = pls_no_view();
        count = first < weights ? pls_smaller(range, weights - first) : total - first;
        PLS_TRY(context, pls_check_cancelled(context));
        PLS_TRY(context,
                form_rows(device, layer, k, trace, u, first, count, views.scratch, views.u, &j_u));
        if (!own) {
            PLS_TRY(context, form_rows(device, layer, k, trace, v, first, count, views.scratch,
                                       views.v, &j_v));
        }
        PLS_TRY(context, pls_gram(device, arithmetic, j_u, j_v, 1.0, kernel, views.workspace));
    }
cleanup:
    pls_arena_release(arena, mark);
    return status;
}

pls_status pls_layer_gram(pls_device *device, const pls_layer *layer, int64_t k, bool trace,
                          pls_gram_arithmetic arithmetic, bool by_rows, pls_layer_rows u,
                          pls_layer_rows v, pls_arena *arena, pls_view kernel) {
    if (layer->weight_rows == 0) {
        return PLS_OK;
    }
    if (by_rows) {
        return gram_by_rows(device, layer, k, trace, arithmetic, u, v, arena, kernel);
    }
    return layer->kind->gram(device, layer, k, trace, arithmetic, u, v, arena, kernel);
}
