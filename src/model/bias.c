/* The bias of a layer: one number for each channel, shared by the channel's positions.
 *
 *     z_cp += t b_c,      dF/db_c = t sum of D_cp over rows and positions p
 *
 * It is brought to all positions by the product with a row of ones, and its derivatives come from
 * them by the transpose; a dense layer has one position. */
#include "model/bias.h"

/* A row of ones, one for each position, at the end of scratch. */
static pls_status take_ones(pls_device *device, const pls_layer *layer, pls_view scratch,
                            pls_view *ones) {
    int64_t positions = pls_layer_positions(layer);
    *ones = pls_view_slice(scratch, pls_view_count(scratch) - positions, 1, positions);
    return pls_fill(device, 1.0, *ones);
}

pls_status pls_bias_row(pls_device *device, const pls_layer *layer, pls_view w, pls_view scratch,
                        pls_view *row) {
    pls_context *context = device->context;
    int64_t positions = pls_layer_positions(layer);
    pls_view ones;
    pls_status status = PLS_OK;
    *row = pls_layer_bias(layer, w);
    if (layer->biases == 0 || positions == 1) {
        return PLS_OK;
    }
    pls_view spread = pls_view_slice(scratch, 0, layer->biases, positions);
    PLS_TRY(context, take_ones(device, layer, scratch, &ones));
    PLS_TRY(context, pls_gemm(device, PLS_TRANSPOSED, PLS_PLAIN, 1.0, *row, ones, 0.0, spread));
    *row = pls_view_reshape(spread, 1, layer->outputs);
cleanup:
    return status;
}

pls_status pls_bias_add_own(pls_device *device, const pls_layer *layer, pls_view w,
                            pls_view scratch, pls_view z) {
    pls_context *context = device->context;
    int64_t positions = pls_layer_positions(layer);
    pls_view ones;
    pls_status status = PLS_OK;
    if (positions == 1) {
        return pls_axpby(device, layer->t,
                         pls_view_cols(w, pls_layer_bias_offset(layer), layer->biases), 1.0, z);
    }
    pls_view one_z = {z.buffer, z.offset, layer->biases, positions, positions, z.dtype};
    PLS_TRY(context, take_ones(device, layer, scratch, &ones));
    PLS_TRY(context,
            pls_gemm_batched(device, PLS_TRANSPOSED, PLS_PLAIN, layer->t, pls_layer_bias(layer, w),
                             w.ld, ones, 0, 1.0, one_z, z.ld, z.rows));
cleanup:
    return status;
}

/* One number for each row of d (rows x channels positions) and channel: t times the sum over its
 * positions, to `out`, whose rows are out_stride apart; += beta out. */
static pls_status sum_positions(pls_device *device, const pls_layer *layer, pls_view d,
                                pls_view scratch, double beta, pls_view out, int64_t out_stride) {
    pls_context *context = device->context;
    int64_t positions = pls_layer_positions(layer), channels = d.cols / positions;
    pls_view ones;
    pls_view one_d = {d.buffer, d.offset, channels, positions, positions, d.dtype};
    pls_view one_out = {out.buffer, out.offset, channels, 1, 1, out.dtype};
    pls_status status = PLS_OK;
    PLS_TRY(context, take_ones(device, layer, scratch, &ones));
    PLS_TRY(context, pls_gemm_batched(device, PLS_PLAIN, PLS_TRANSPOSED, layer->t, one_d, d.ld,
                                      ones, 0, beta, one_out, out_stride, d.rows));
cleanup:
    return status;
}

pls_status pls_bias_gradient(pls_device *device, const pls_layer *layer, pls_view d,
                             pls_view scratch, double beta, pls_view g) {
    pls_context *context = device->context;
    int64_t positions = pls_layer_positions(layer);
    pls_view bias = pls_layer_bias(layer, g);
    pls_status status = PLS_OK;
    if (g.rows > 1) {
        pls_view own = pls_view_cols(g, pls_layer_bias_offset(layer), layer->biases);
        return positions == 1 ? pls_axpby(device, layer->t, d, beta, own)
                              : sum_positions(device, layer, d, scratch, beta, own, g.ld);
    }
    if (positions == 1) {
        return pls_column_sum(device, layer->t, d, beta, bias);
    }
    pls_view sum = pls_view_slice(scratch, 0, 1, layer->outputs);
    PLS_TRY(context, pls_column_sum(device, 1.0, d, 0.0, sum));
    PLS_TRY(context, sum_positions(device, layer, sum, scratch, beta, bias, layer->biases));
cleanup:
    return status;
}

pls_status pls_bias_jacobian(pls_device *device, const pls_layer *layer, pls_view d, int64_t first,
                             pls_view scratch, pls_view out) {
    int64_t positions = pls_layer_positions(layer);
    pls_view own = pls_view_cols(d, first * positions, out.cols * positions);
    return positions == 1 ? pls_axpby(device, layer->t, own, 0.0, out)
                          : sum_positions(device, layer, own, scratch, 0.0, out, out.ld);
}
