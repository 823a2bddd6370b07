/* The convolution: stride 1, zero padding that keeps the size of the image, an odd kernel.
 *
 * With C_i the patches of image i, a row for each of the h positions and a column for each of the
 * c_in kernel^2 numbers under the kernel (im2col), and images as matrices of channels x positions,
 *
 *     (W . alpha)_i = W C_iT,          WT . D:  patches DT W, added up where they overlap (col2im)
 *     dF/dW = s sum_i D_i C_i,         J[(i,a), W] = s D_(i,a) C_i                    W: c_out x c
 *     K[(i,a), (j,b)] = sum over positions p, q of
 *                       (s^2 <C_i[p], C_j[q]> + t^2 [bias]) <D_(i,a)[p], D_(j,b)[q]>
 *
 * The last line is J JT of the line above it with the sums exchanged: cheaper than rows of the
 * Jacobian where channels are many and positions few. */
#include "model/layer.h"

#include <math.h>

/* Patches that are held at a time aim at so many numbers and images; so do Gram matrices of
 * positions. */
enum { CHUNK_IMAGES = 256 };
static const int64_t CHUNK_ELEMENTS = (int64_t)1 << 22;

static int64_t positions_of(const pls_layer *layer) {
    return layer->in.image.height * layer->in.image.width;
}

/* Numbers of scratch for each position of an image: its patch, and beside it a channel of either
 * side, where results wait to be added or are brought into the order of positions. */
static int64_t scratch_width(const pls_layer *layer) {
    return layer->weight_cols + pls_larger(layer->in.image.channels, layer->out.image.channels);
}

static int64_t chunk_images(const pls_layer *layer) {
    int64_t fitting = CHUNK_ELEMENTS / scratch_width(layer) / positions_of(layer);
    return pls_larger(1, pls_smaller(CHUNK_IMAGES, fitting));
}

static pls_status check_spec(pls_context *context, const pls_layer_spec *spec,
                             const pls_layer *layer) {
    if (layer->in.is_vector) {
        return pls_fail(context, PLS_ERROR_CONFIG,
                        "model.layers[%lld]: a %s layer takes images, but its input is a vector of "
                        "%lld numbers; give model.input as [channels, height, width], and put it "
                        "before flatten and dense layers",
                        (long long)layer->index, pls_layer_type_name(layer->type),
                        (long long)layer->inputs);
    }
    if (spec->channels <= 0) {
        return pls_fail(context, PLS_ERROR_CONFIG,
                        "model.layers[%lld].channels: is %lld, but a %s layer needs at least 1",
                        (long long)layer->index, (long long)spec->channels,
                        pls_layer_type_name(layer->type));
    }
    if (spec->kernel <= 0 || spec->kernel % 2 == 0) {
        return pls_fail(context, PLS_ERROR_CONFIG,
                        "model.layers[%lld].kernel: is %lld, but must be odd and positive, so that "
                        "the image keeps its size",
                        (long long)layer->index, (long long)spec->kernel);
    }
    return PLS_OK;
}

static pls_status resolve(pls_context *context, const pls_layer_spec *spec, pls_layer *layer) {
    pls_image in = layer->in.image;
    int64_t patch = 0, scratch = 0;
    pls_status status = PLS_OK;
    PLS_TRY(context, check_spec(context, spec, layer));
    if (!pls_multiply(spec->kernel, spec->kernel, &patch) ||
        !pls_multiply(patch, in.channels, &patch) ||
        !pls_add(patch, pls_larger(in.channels, spec->channels), &scratch) ||
        !pls_multiply(scratch, positions_of(layer), &scratch)) {
        status = pls_fail(context, PLS_ERROR_CONFIG,
                          "model.layers[%lld]: patches of %lld channels under a kernel of %lld x "
                          "%lld at %lld x %lld positions are more numbers than 64 bits can count",
                          (long long)layer->index, (long long)in.channels, (long long)spec->kernel,
                          (long long)spec->kernel, (long long)in.height, (long long)in.width);
        goto cleanup;
    }
    layer->edge = spec->kernel;
    layer->out = (pls_shape){{spec->channels, in.height, in.width}, false};
    layer->weight_rows = spec->channels;
    layer->weight_cols = patch;
    layer->scratch = scratch;
    if (scratch < CHUNK_ELEMENTS) {
        layer->scratch *= chunk_images(layer);
    }
cleanup:
    return status;
}

/* ---- pieces of scratch ------------------------------------------------------------------------
 */

/* Patches of `count` images: (count positions) x weight_cols. */
static pls_view patches(const pls_layer *layer, pls_view scratch, int64_t count) {
    return pls_view_slice(scratch, 0, count * positions_of(layer), layer->weight_cols);
}

/* What lies beside them: rows x cols numbers, at most count positions channels. */
static pls_view beside(const pls_layer *layer, pls_view scratch, int64_t count, int64_t rows,
                       int64_t cols) {
    return pls_view_slice(scratch, count * positions_of(layer) * layer->weight_cols, rows, cols);
}

/* The first row of a view of images as a matrix of channels x positions. */
static pls_view as_image(const pls_layer *layer, pls_view row, int64_t channels) {
    int64_t positions = positions_of(layer);
    pls_view image = {row.buffer, row.offset, channels, positions, positions, row.dtype};
    return image;
}

/* The patches of the first image. */
static pls_view one_patches(const pls_layer *layer, pls_view all) {
    return pls_view_rows(all, 0, positions_of(layer));
}

/* The weights for row `first` and those after it. */
static pls_view weights_from(const pls_layer *layer, pls_view w, int64_t first) {
    return pls_layer_weight(layer, w.rows == 1 ? w : pls_view_rows(w, first, w.rows - first));
}

/* ---- the product and its transposes -----------------------------------------------------------
 */

static pls_status apply(pls_device *device, const pls_layer *layer, pls_view w, pls_view alpha,
                        pls_view scratch, double beta, pls_view z) {
    pls_context *context = device->context;
    int64_t chunk = chunk_images(layer), n = alpha.rows;
    int64_t stride = positions_of(layer) * layer->weight_cols;
    pls_status status = PLS_OK;
    for (int64_t i = 0, count; i < n; i += count) {
        count = pls_smaller(chunk, n - i);
        pls_view columns = patches(layer, scratch, count);
        pls_view to = as_image(layer, pls_view_rows(z, i, 1), layer->out.image.channels);
        PLS_TRY(context, pls_im2col(device, layer->in.image, layer->edge,
                                    pls_view_rows(alpha, i, count), columns));
        PLS_TRY(context,
                pls_gemm_batched(device, PLS_PLAIN, PLS_TRANSPOSED, layer->s,
                                 weights_from(layer, w, i), pls_weights_stride(w),
                                 one_patches(layer, columns), stride, beta, to, z.ld, count));
    }
cleanup:
    return status;
}

static pls_status apply_transposed(pls_device *device, const pls_layer *layer, pls_view w,
                                   pls_view d, pls_view scratch, double beta, pls_view d_alpha) {
    pls_context *context = device->context;
    int64_t chunk = chunk_images(layer), n = d.rows;
    int64_t stride = positions_of(layer) * layer->weight_cols;
    pls_status status = PLS_OK;
    for (int64_t i = 0, count; i < n; i += count) {
        count = pls_smaller(chunk, n - i);
        pls_view columns = patches(layer, scratch, count);
        pls_view from = as_image(layer, pls_view_rows(d, i, 1), layer->out.image.channels);
        pls_view to = pls_view_rows(d_alpha, i, count);
        PLS_TRY(context, pls_gemm_batched(device, PLS_TRANSPOSED, PLS_PLAIN, layer->s, from, d.ld,
                                          weights_from(layer, w, i), pls_weights_stride(w), 0.0,
                                          one_patches(layer, columns), stride, count));
        if (beta == 0.0) {
            PLS_TRY(context, pls_col2im(device, layer->in.image, layer->edge, columns, to));
        } else {
            pls_view sum = beside(layer, scratch, count, count, layer->inputs);
            PLS_TRY(context, pls_col2im(device, layer->in.image, layer->edge, columns, sum));
            PLS_TRY(context, pls_axpby(device, 1.0, sum, beta, to));
        }
    }
cleanup:
    return status;
}

/* Images (rows x channels positions) with a row for each position: im2col under a kernel of 1. */
static pls_status by_positions(pls_device *device, const pls_layer *layer, int64_t channels,
                               pls_view images, pls_view out) {
    pls_image image = {channels, layer->in.image.height, layer->in.image.width};
    return pls_im2col(device, image, 1, images, out);
}

static pls_status weight_gradient(pls_device *device, const pls_layer *layer, pls_view alpha,
                                  pls_view d, pls_view scratch, double beta, pls_view g) {
    pls_context *context = device->context;
    int64_t chunk = chunk_images(layer), n = alpha.rows, channels = layer->out.image.channels;
    int64_t positions = positions_of(layer);
    pls_status status = PLS_OK;
    for (int64_t i = 0, count; i < n; i += count) {
        count = pls_smaller(chunk, n - i);
        pls_view columns = patches(layer, scratch, count);
        PLS_TRY(context, pls_im2col(device, layer->in.image, layer->edge,
                                    pls_view_rows(alpha, i, count), columns));
        if (g.rows > 1) {
            pls_view from = as_image(layer, pls_view_rows(d, i, 1), channels);
            PLS_TRY(context,
                    pls_gemm_batched(device, PLS_PLAIN, PLS_PLAIN, layer->s, from, d.ld,
                                     one_patches(layer, columns), positions * layer->weight_cols,
                                     beta, weights_from(layer, g, i), g.ld, count));
            continue;
        }
        pls_view turned = beside(layer, scratch, count, count * positions, channels);
        PLS_TRY(context, by_positions(device, layer, channels, pls_view_rows(d, i, count), turned));
        PLS_TRY(context, pls_gemm(device, PLS_TRANSPOSED, PLS_PLAIN, layer->s, turned, columns,
                                  i == 0 ? beta : 1.0, pls_layer_weight(layer, g)));
    }
cleanup:
    return status;
}

static pls_status weight_jacobian(pls_device *device, const pls_layer *layer, int64_t k,
                                  pls_layer_rows rows, int64_t first, int64_t count,
                                  pls_view scratch, pls_view out) {
    pls_context *context = device->context;
    int64_t chunk = chunk_images(layer), n = rows.alpha.rows, positions = positions_of(layer);
    int64_t channel = first / layer->weight_cols, channels = count / layer->weight_cols;
    pls_status status = PLS_OK;
    for (int64_t i = 0, images; i < n; i += images) {
        images = pls_smaller(chunk, n - i);
        pls_view columns = patches(layer, scratch, images);
        PLS_TRY(context, pls_im2col(device, layer->in.image, layer->edge,
                                    pls_view_rows(rows.alpha, i, images), columns));
        for (int64_t j = 0; j < images; j++) {
            pls_view d = pls_view_cols(pls_view_rows(rows.d, (i + j) * k, 1), channel * positions,
                                       channels * positions);
            pls_view row = pls_view_rows(out, (i + j) * k, 1);
            pls_view to = {row.buffer,         row.offset,         channels,
                           layer->weight_cols, layer->weight_cols, row.dtype};
            PLS_TRY(context, pls_gemm_batched(device, PLS_PLAIN, PLS_PLAIN, layer->s,
                                              as_image(layer, d, channels), rows.d.ld,
                                              pls_view_rows(columns, j * positions, positions), 0,
                                              0.0, to, out.ld, k));
        }
    }
cleanup:
    return status;
}

/* ---- the kernel as a sum over pairs of positions ----------------------------------------------
 */

/* One side of a pair of blocks of images. */
typedef struct position_rows {
    pls_view patches; /* (n positions) x weight_cols */
    pls_view d;       /* (n k positions) x channels of z; summed over outputs (n positions) x k
                         channels */
} position_rows;

/* The layer's rows as the sum needs them: k and the channels of D, with outputs joined or not. */
typedef struct position_sum {
    pls_device *device;
    const pls_layer *layer;
    pls_gram_arithmetic arithmetic;
    int64_t k, channels;
    int64_t chunk; /* images of a block */
    position_rows u, v;
    pls_view inputs, derivatives, workspace;
} position_sum;

static int64_t position_chunk(const pls_layer *layer, int64_t k) {
    double rows = (double)k * (double)positions_of(layer);
    int64_t fitting = (int64_t)(sqrt((double)CHUNK_ELEMENTS) / rows);
    return pls_larger(1, pls_smaller(CHUNK_IMAGES, fitting));
}

static pls_status take_side(const position_sum *sum, pls_dtype dtype, pls_arena *arena,
                            position_rows *side) {
    pls_context *context = sum->device->context;
    int64_t rows = sum->chunk * positions_of(sum->layer);
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, dtype, rows, sum->layer->weight_cols, &side->patches));
    PLS_TRY(context, pls_arena_take(arena, dtype, rows * sum->k, sum->channels, &side->d));
cleanup:
    return status;
}

static pls_status take_sum(position_sum *sum, pls_dtype dtype, pls_arena *arena) {
    pls_context *context = sum->device->context;
    int64_t rows = sum->chunk * positions_of(sum->layer), rows_d = rows * sum->k;
    int64_t needed =
        pls_larger(pls_gram_workspace(sum->arithmetic, dtype, rows, rows, sum->layer->weight_cols),
                   pls_gram_workspace(sum->arithmetic, dtype, rows_d, rows_d, sum->channels));
    pls_status status = PLS_OK;
    PLS_TRY(context, take_side(sum, dtype, arena, &sum->u));
    PLS_TRY(context, take_side(sum, dtype, arena, &sum->v));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, rows, rows, &sum->inputs));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, rows_d, rows_d, &sum->derivatives));
    if (needed > 0) {
        PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, needed, &sum->workspace));
    }
cleanup:
    return status;
}

/* The side for images first .. first+count-1 of a block. */
static pls_status fill_side(const position_sum *sum, pls_layer_rows rows, int64_t first,
                            int64_t count, position_rows *side) {
    pls_device *device = sum->device;
    pls_context *context = device->context;
    const pls_layer *layer = sum->layer;
    int64_t positions = positions_of(layer);
    pls_status status = PLS_OK;
    side->patches = pls_view_rows(side->patches, 0, count * positions);
    side->d = pls_view_rows(side->d, 0, count * sum->k * positions);
    PLS_TRY(context, pls_im2col(device, layer->in.image, layer->edge,
                                pls_view_rows(rows.alpha, first, count), side->patches));
    PLS_TRY(context, by_positions(device, layer, sum->channels,
                                  pls_view_rows(rows.d, first * sum->k, count * sum->k), side->d));
cleanup:
    return status;
}

/* part += the sum for two sides (v not given: u with itself, lower triangle). */
static pls_status add_pair(const position_sum *sum, const position_rows *u, const position_rows *v,
                           pls_view part) {
    pls_device *device = sum->device;
    pls_context *context = device->context;
    const pls_layer *layer = sum->layer;
    bool own = v == NULL;
    pls_view patches_v = own ? pls_no_view() : v->patches, d_v = own ? pls_no_view() : v->d;
    const position_rows *partner = own ? u : v;
    pls_view inputs = pls_view_slice(sum->inputs, 0, u->patches.rows, partner->patches.rows);
    pls_view derivatives = pls_view_slice(sum->derivatives, 0, u->d.rows, partner->d.rows);
    pls_status status = PLS_OK;
    PLS_TRY(context,
            pls_gram(device, sum->arithmetic, u->patches, patches_v, 0.0, inputs, sum->workspace));
    PLS_TRY(context,
            pls_gram(device, sum->arithmetic, u->d, d_v, 0.0, derivatives, sum->workspace));
    PLS_TRY(context, pls_position_accumulate(device, layer->s * layer->s, inputs,
                                             layer->biases > 0 ? layer->t * layer->t : 0.0, sum->k,
                                             positions_of(layer), derivatives, part, own));
cleanup:
    return status;
}

static pls_status add_pairs(const position_sum *sum, pls_layer_rows u, pls_layer_rows v,
                            pls_view kernel) {
    pls_context *context = sum->device->context;
    bool own = v.alpha.rows == 0;
    pls_layer_rows partner = own ? u : v;
    int64_t k = sum->k;
    pls_status status = PLS_OK;
    for (int64_t i = 0, count_i; i < u.alpha.rows; i += count_i) {
        position_rows side_u = sum->u;
        count_i = pls_smaller(sum->chunk, u.alpha.rows - i);
        PLS_TRY(context, fill_side(sum, u, i, count_i, &side_u));
        int64_t end = own ? i + count_i : v.alpha.rows;
        for (int64_t j = 0, count_j; j < end; j += count_j) {
            position_rows side_v = sum->v;
            bool diagonal = own && i == j;
            count_j = pls_smaller(sum->chunk, end - j);
            pls_view part =
                pls_view_cols(pls_view_rows(kernel, i * k, count_i * k), j * k, count_j * k);
            PLS_TRY(context, pls_check_cancelled(context));
            if (!diagonal) {
                PLS_TRY(context, fill_side(sum, partner, j, count_j, &side_v));
            }
            PLS_TRY(context, add_pair(sum, &side_u, diagonal ? NULL : &side_v, part));
        }
    }
cleanup:
    return status;
}

/* Summed over outputs, the k derivatives of a sample are one image with k times the channels. */
static pls_view joined_images(pls_view d, int64_t k) {
    return d.rows == 0 ? d : pls_view_reshape(d, d.rows / k, d.cols * k);
}

static pls_status gram(pls_device *device, const pls_layer *layer, int64_t k, bool trace,
                       pls_gram_arithmetic arithmetic, pls_layer_rows u, pls_layer_rows v,
                       pls_arena *arena, pls_view kernel) {
    int64_t mark = pls_arena_mark(arena);
    position_sum sum = {.device = device,
                        .layer = layer,
                        .arithmetic = arithmetic,
                        .k = trace ? 1 : k,
                        .channels = layer->out.image.channels * (trace ? k : 1),
                        .chunk = position_chunk(layer, trace ? 1 : k),
                        .workspace = pls_no_view()};
    pls_status status = PLS_OK;
    if (trace) {
        u.d = joined_images(u.d, k);
        v.d = joined_images(v.d, k);
    }
    sum.chunk = pls_smaller(sum.chunk, pls_larger(u.alpha.rows, v.alpha.rows));
    PLS_TRY(device->context, take_sum(&sum, u.alpha.dtype, arena));
    if (arena->buffer != NULL) {
        PLS_TRY(device->context, add_pairs(&sum, u, v, kernel));
    }
cleanup:
    pls_arena_release(arena, mark);
    return status;
}

/* Operations of the inner products of so many rows of length p (v = 0: with themselves). */
static double product_operations(double u, double v, double p) {
    return v == 0.0 ? u * (u + 1.0) * p : 2.0 * u * v * p;
}

/* Two Gram products, and four operations a pair of positions of each element of the kernel. */
static double gram_operations(const pls_layer *layer, int64_t k, bool trace, int64_t n_u,
                              int64_t n_v) {
    double h = (double)positions_of(layer), entries = trace ? 1.0 : (double)k;
    double u = (double)n_u * entries, v = (double)n_v * entries;
    double channels = (double)layer->out.image.channels * (trace ? (double)k : 1.0);
    double elements = n_v == 0 ? u * (u + 1.0) / 2.0 : u * v;
    return product_operations((double)n_u * h, (double)n_v * h, (double)layer->weight_cols) +
           product_operations(u * h, v * h, channels) + 4.0 * elements * h * h;
}

const pls_layer_kind pls_convolution_kind = {
    .resolve = resolve,
    .apply = apply,
    .apply_transposed = apply_transposed,
    .weight_gradient = weight_gradient,
    .weight_jacobian = weight_jacobian,
    .gram = gram,
    .gram_operations = gram_operations,
};
