/* Products without weights: averages over windows, averages over whole images, and the image as a
 * vector.
 *
 *     average_pool          z[c, y, x] = mean of alpha over the window (y, x) of channel c
 *     global_average_pool   z[c] = mean of alpha over channel c
 *     flatten               z = alpha, in the order channel, row, column */
#include "model/layer.h"

static pls_status check_image(pls_context *context, const pls_layer *layer) {
    if (!layer->in.is_vector) {
        return PLS_OK;
    }
    return pls_fail(context, PLS_ERROR_CONFIG,
                    "model.layers[%lld]: a %s layer takes images, but its input is a vector of "
                    "%lld numbers; give model.input as [channels, height, width], and put it "
                    "before flatten and dense layers",
                    (long long)layer->index, pls_layer_type_name(layer->type),
                    (long long)layer->inputs);
}

/* ---- average_pool ---------------------------------------------------------------------------- */

static pls_status average_resolve(pls_context *context, const pls_layer_spec *spec,
                                  pls_layer *layer) {
    pls_image in = layer->in.image;
    pls_status status = PLS_OK;
    PLS_TRY(context, check_image(context, layer));
    if (spec->size <= 0) {
        status = pls_fail(context, PLS_ERROR_CONFIG,
                          "model.layers[%lld].size: is %lld, but a window needs at least 1",
                          (long long)layer->index, (long long)spec->size);
        goto cleanup;
    }
    if (in.height % spec->size != 0 || in.width % spec->size != 0) {
        status = pls_fail(context, PLS_ERROR_CONFIG,
                          "model.layers[%lld].size: is %lld, which does not divide the %lld x %lld "
                          "image; choose a common divisor of height and width",
                          (long long)layer->index, (long long)spec->size, (long long)in.height,
                          (long long)in.width);
        goto cleanup;
    }
    layer->edge = spec->size;
    layer->out = (pls_shape){{in.channels, in.height / spec->size, in.width / spec->size}, false};
cleanup:
    return status;
}

/* What a product without weights leaves out: beta, since nothing is ever added to it. */
static pls_status average_apply(pls_device *device, const pls_layer *layer, pls_view w,
                                pls_view alpha, pls_view scratch, double beta, pls_view z) {
    (void)w, (void)scratch, (void)beta;
    return pls_average_pool(device, layer->in.image, layer->edge, alpha, z);
}

static pls_status average_apply_transposed(pls_device *device, const pls_layer *layer, pls_view w,
                                           pls_view d, pls_view scratch, double beta,
                                           pls_view d_alpha) {
    (void)w, (void)scratch, (void)beta;
    return pls_average_pool_backward(device, layer->in.image, layer->edge, d, d_alpha);
}

const pls_layer_kind pls_average_pool_kind = {
    .resolve = average_resolve,
    .apply = average_apply,
    .apply_transposed = average_apply_transposed,
};

/* ---- global_average_pool ----------------------------------------------------------------------
 */

static pls_status global_resolve(pls_context *context, const pls_layer_spec *spec,
                                 pls_layer *layer) {
    (void)spec;
    pls_status status = PLS_OK;
    PLS_TRY(context, check_image(context, layer));
    layer->out = (pls_shape){{layer->in.image.channels, 1, 1}, true};
    layer->scratch = layer->in.image.height * layer->in.image.width;
cleanup:
    return status;
}

/* The average of a channel is its product with a column of ones; scratch holds them. */
static pls_status global_apply(pls_device *device, const pls_layer *layer, pls_view w,
                               pls_view alpha, pls_view scratch, double beta, pls_view z) {
    (void)w, (void)beta;
    pls_context *context = device->context;
    int64_t channels = layer->outputs, area = layer->inputs / channels;
    pls_view ones = pls_view_slice(scratch, 0, area, 1);
    pls_view image = {alpha.buffer, alpha.offset, channels, area, area, alpha.dtype};
    pls_view means = {z.buffer, z.offset, channels, 1, 1, z.dtype};
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_fill(device, 1.0, ones));
    PLS_TRY(context, pls_gemm_batched(device, PLS_PLAIN, PLS_PLAIN, 1.0 / (double)area, image,
                                      alpha.ld, ones, 0, 0.0, means, z.ld, z.rows));
cleanup:
    return status;
}

static pls_status global_apply_transposed(pls_device *device, const pls_layer *layer, pls_view w,
                                          pls_view d, pls_view scratch, double beta,
                                          pls_view d_alpha) {
    (void)w, (void)beta;
    pls_context *context = device->context;
    int64_t channels = layer->outputs, area = layer->inputs / channels;
    pls_view ones = pls_view_slice(scratch, 0, 1, area);
    pls_view means = {d.buffer, d.offset, channels, 1, 1, d.dtype};
    pls_view image = {d_alpha.buffer, d_alpha.offset, channels, area, area, d_alpha.dtype};
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_fill(device, 1.0, ones));
    PLS_TRY(context, pls_gemm_batched(device, PLS_PLAIN, PLS_PLAIN, 1.0 / (double)area, means, d.ld,
                                      ones, 0, 0.0, image, d_alpha.ld, d.rows));
cleanup:
    return status;
}

const pls_layer_kind pls_global_average_pool_kind = {
    .resolve = global_resolve,
    .apply = global_apply,
    .apply_transposed = global_apply_transposed,
};

/* ---- flatten --------------------------------------------------------------------------------- */

static pls_status flatten_resolve(pls_context *context, const pls_layer_spec *spec,
                                  pls_layer *layer) {
    (void)context, (void)spec;
    layer->out = (pls_shape){{layer->inputs, 1, 1}, true};
    return PLS_OK;
}

static pls_status flatten_apply(pls_device *device, const pls_layer *layer, pls_view w,
                                pls_view alpha, pls_view scratch, double beta, pls_view z) {
    (void)layer, (void)w, (void)scratch, (void)beta;
    return pls_copy(device, alpha, z);
}

static pls_status flatten_apply_transposed(pls_device *device, const pls_layer *layer, pls_view w,
                                           pls_view d, pls_view scratch, double beta,
                                           pls_view d_alpha) {
    (void)layer, (void)w, (void)scratch, (void)beta;
    return pls_copy(device, d, d_alpha);
}

const pls_layer_kind pls_flatten_kind = {
    .resolve = flatten_resolve,
    .apply = flatten_apply,
    .apply_transposed = flatten_apply_transposed,
};
