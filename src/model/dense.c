/* The dense product.
 *
 *     W . alpha = alpha WT,    WT . D = D W                 W: outputs x inputs
 *     dF/dW = s DT alpha,      J[(i,a), W_pq] = s D[(i,a), p] alpha[i, q]
 *     K[(i,a), (j,b)] = (s^2 <alpha_i, alpha_j> + t^2 [bias]) <D_(i,a), D_(j,b)>
 *
 * The last line is J JT of the line above it: the Gram of P-sized rows factors into two Grams of
 * rows as long as the layer is wide. With weights of its own for each row, a product of matrices
 * becomes one of a vector and a matrix for each of them. */
#include "model/layer.h"

static pls_status resolve(pls_context *context, const pls_layer_spec *spec, pls_layer *layer) {
    if (!layer->in.is_vector) {
        return pls_fail(context, PLS_ERROR_CONFIG,
                        "model.layers[%lld]: a %s layer takes vectors, but its input is an image "
                        "of %lld x %lld x %lld; put {type: flatten} or {type: "
                        "global_average_pool} before it",
                        (long long)layer->index, pls_layer_type_name(layer->type),
                        (long long)layer->in.image.channels, (long long)layer->in.image.height,
                        (long long)layer->in.image.width);
    }
    if (spec->width <= 0) {
        return pls_fail(context, PLS_ERROR_CONFIG,
                        "model.layers[%lld].width: is %lld, but a %s layer needs at least 1",
                        (long long)layer->index, (long long)spec->width,
                        pls_layer_type_name(layer->type));
    }
    layer->out = (pls_shape){{spec->width, 1, 1}, true};
    layer->weight_rows = spec->width;
    layer->weight_cols = layer->inputs;
    return PLS_OK;
}

/* Row i of a n x columns matrix as a matrix of its own. */
static pls_view first_row(pls_view view) {
    return pls_view_rows(view, 0, 1);
}

static pls_status apply(pls_device *device, const pls_layer *layer, pls_view w, pls_view alpha,
                        pls_view scratch, double beta, pls_view z) {
    (void)scratch;
    pls_view weight = pls_layer_weight(layer, w);
    if (w.rows == 1) {
        return pls_gemm(device, PLS_PLAIN, PLS_TRANSPOSED, layer->s, alpha, weight, beta, z);
    }
    return pls_gemm_batched(device, PLS_PLAIN, PLS_TRANSPOSED, layer->s, first_row(alpha), alpha.ld,
                            weight, w.ld, beta, first_row(z), z.ld, z.rows);
}

static pls_status apply_transposed(pls_device *device, const pls_layer *layer, pls_view w,
                                   pls_view d, pls_view scratch, double beta, pls_view d_alpha) {
    (void)scratch;
    pls_view weight = pls_layer_weight(layer, w);
    if (w.rows == 1) {
        return pls_gemm(device, PLS_PLAIN, PLS_PLAIN, layer->s, d, weight, beta, d_alpha);
    }
    return pls_gemm_batched(device, PLS_PLAIN, PLS_PLAIN, layer->s, first_row(d), d.ld, weight,
                            w.ld, beta, first_row(d_alpha), d_alpha.ld, d.rows);
}

static pls_status weight_gradient(pls_device *device, const pls_layer *layer, pls_view alpha,
                                  pls_view d, pls_view scratch, double beta, pls_view g) {
    (void)scratch;
    pls_view weight = pls_layer_weight(layer, g);
    if (g.rows == 1) {
        return pls_gemm(device, PLS_TRANSPOSED, PLS_PLAIN, layer->s, d, alpha, beta, weight);
    }
    return pls_gemm_batched(device, PLS_TRANSPOSED, PLS_PLAIN, layer->s, first_row(d), d.ld,
                            first_row(alpha), alpha.ld, beta, weight, g.ld, g.rows);
}

static pls_status weight_jacobian(pls_device *device, const pls_layer *layer, int64_t k,
                                  pls_layer_rows rows, int64_t first, int64_t count,
                                  pls_view scratch, pls_view out) {
    (void)scratch;
    pls_view d = pls_view_cols(rows.d, first / layer->inputs, count / layer->inputs);
    return pls_outer_rows(device, layer->s, k, d, rows.alpha, out);
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
    needed = pls_larger(needed, needed_d);
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

const pls_layer_kind pls_dense_kind = {
    .resolve = resolve,
    .apply = apply,
    .apply_transposed = apply_transposed,
    .weight_gradient = weight_gradient,
    .weight_jacobian = weight_jacobian,
    .gram = gram,
};
