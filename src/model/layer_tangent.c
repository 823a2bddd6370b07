/* Forward tangents of a layer, and the derivative of its backward pass (the R-operator).
 *
 *     z_dot = s (W_dot . alpha + W . alpha_dot) + t b_dot
 *     alpha'_dot = [alpha_dot +] phi'(z) * z_dot
 *     D_dot = D'_dot * phi'(z) + D' * phi''(z) * z_dot
 *     (dF/dalpha)_dot = [D'_dot] + s (W_dotT . D + WT . D_dot)
 *
 * and the weight's gradient <D, W . alpha> by W, differentiated: once with D_dot for D, once with
 * alpha_dot for alpha. */
#include "model/bias.h"

/* z_dot += t b_dot, of one direction or of one for each row. */
static pls_status add_bias_tangent(pls_device *device, const pls_layer *layer, pls_view w_dot,
                                   pls_view scratch, pls_view z_dot, pls_view out_dot) {
    pls_context *context = device->context;
    pls_view bias = pls_no_view();
    pls_status status = PLS_OK;
    if (w_dot.rows > 1 && layer->biases > 0) {
        PLS_TRY(context, pls_bias_add_own(device, layer, w_dot, scratch, z_dot));
    } else {
        PLS_TRY(context, pls_bias_row(device, layer, w_dot, scratch, &bias));
    }
    /* Adds the bias, and copies the sum. */
    PLS_TRY(context, pls_bias_activation(device, PLS_IDENTITY, layer->t, bias, z_dot, out_dot));
cleanup:
    return status;
}

pls_status pls_layer_forward_tangent(pls_device *device, const pls_layer *layer, pls_view w,
                                     pls_view w_dot, pls_view alpha, pls_view alpha_dot, pls_view z,
                                     pls_view scratch, pls_view z_dot, pls_view out_dot) {
    pls_context *context = device->context;
    const pls_layer_kind *kind = layer->kind;
    bool moves = !pls_view_is_none(alpha_dot);
    pls_status status = PLS_OK;
    if (moves) {
        PLS_TRY(context, kind->apply(device, layer, w, alpha_dot, scratch, 0.0, z_dot));
    }
    if (layer->weight_rows > 0) {
        PLS_TRY(context,
                kind->apply(device, layer, w_dot, alpha, scratch, moves ? 1.0 : 0.0, z_dot));
    } else if (!moves) {
        PLS_TRY(context, pls_fill(device, 0.0, z_dot));
    }
    if (pls_layer_is_linear(layer)) {
        goto cleanup;
    }
    PLS_TRY(context, add_bias_tangent(device, layer, w_dot, scratch, z_dot, out_dot));
    if (layer->activation != PLS_IDENTITY) {
        PLS_TRY(context, pls_activation_derivative(device, layer->activation, 1, 1, z, out_dot));
    }
    if (layer->residual && moves) {
        PLS_TRY(context, pls_axpby(device, 1.0, alpha_dot, 1.0, out_dot));
    }
cleanup:
    return status;
}

/* From dF/dalpha' to dF/dz with its derivative: d_dot = d_dot' phi'(z) + d' phi''(z) z_dot. */
static pls_status through_activation(pls_device *device, const pls_layer *layer,
                                     const pls_layer_tangent *at) {
    pls_context *context = device->context;
    pls_activation phi = layer->activation;
    pls_status status = PLS_OK;
    if (phi == PLS_IDENTITY) {
        return PLS_OK;
    }
    PLS_TRY(context, pls_activation_derivative(device, phi, 1, 1, at->z, at->d_dot));
    PLS_TRY(context, pls_activation_derivative(device, phi, 2, 1, at->z, at->z_dot));
    PLS_TRY(context, pls_multiply_accumulate(device, 1.0, at->d, at->z_dot, at->d_dot));
    PLS_TRY(context, pls_activation_derivative(device, phi, 1, 1, at->z, at->d));
cleanup:
    return status;
}

static pls_status to_inputs(pls_device *device, const pls_layer *layer, pls_view w, pls_view w_dot,
                            const pls_layer_tangent *at, pls_view scratch) {
    pls_context *context = device->context;
    const pls_layer_kind *kind = layer->kind;
    double branch = layer->residual ? 1.0 : 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(context, kind->apply_transposed(device, layer, w, at->d, scratch, branch, at->d_alpha));
    PLS_TRY(context,
            kind->apply_transposed(device, layer, w, at->d_dot, scratch, branch, at->d_alpha_dot));
    if (layer->weight_rows > 0) {
        PLS_TRY(context,
                kind->apply_transposed(device, layer, w_dot, at->d, scratch, 1.0, at->d_alpha_dot));
    }
cleanup:
    return status;
}

pls_status pls_layer_backward_tangent(pls_device *device, const pls_layer *layer, pls_view w,
                                      pls_view w_dot, const pls_layer_tangent *at, pls_view scratch,
                                      double beta, pls_view g_dot) {
    pls_context *context = device->context;
    bool wanted = !pls_view_is_none(at->d_alpha);
    pls_status status = PLS_OK;
    if (wanted && layer->residual) {
        PLS_TRY(context, pls_copy(device, at->d, at->d_alpha));
        PLS_TRY(context, pls_copy(device, at->d_dot, at->d_alpha_dot));
    }
    PLS_TRY(context, through_activation(device, layer, at));
    PLS_TRY(context, pls_layer_gradient(device, layer, at->alpha, at->d_dot, scratch, beta, g_dot));
    if (layer->weight_rows > 0 && !pls_view_is_none(at->alpha_dot)) {
        PLS_TRY(context, layer->kind->weight_gradient(device, layer, at->alpha_dot, at->d, scratch,
                                                      1.0, g_dot));
    }
    if (wanted) {
        PLS_TRY(context, to_inputs(device, layer, w, w_dot, at, scratch));
    }
cleanup:
    return status;
}
