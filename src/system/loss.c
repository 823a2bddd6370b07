/* Losses and the PL ratio; the formulas stand in loss.h. */
#include "system/loss.h"

#include "backend/phase.h"

#include <math.h>

const char *pls_loss_name(pls_loss loss) {
    return loss == PLS_LOSS_SQUARE ? "square" : "cross_entropy";
}

static pls_status evaluate(pls_system *system, pls_loss loss, pls_view f, pls_view y,
                           pls_view residual, pls_view losses, pls_view total, double *value) {
    pls_device *device = system->device;
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    if (loss == PLS_LOSS_SQUARE) {
        PLS_TRY(context, pls_square_loss(device, f, y, residual, losses));
    } else if (system->targets_are_probabilities) {
        PLS_TRY(context, pls_cross_entropy_loss(device, f, y, residual, losses));
    } else {
        status = pls_fail(context, PLS_ERROR_CONFIG,
                          "train.loss: cross_entropy needs targets that are probabilities "
                          "(non-negative rows that sum to 1), and these are not; use data.targets: "
                          "one_hot with at least two classes, or train.loss: square");
        goto cleanup;
    }
    PLS_TRY(context, pls_sum(device, losses, total));
    PLS_TRY(context, pls_download(device, total, value, 1));
cleanup:
    return status;
}

pls_status pls_loss_gradient(pls_system *system, pls_loss loss, pls_view f, pls_view y,
                             pls_view residual, pls_view losses, pls_view total, pls_view gradient,
                             double *value) {
    pls_device *device = system->device;
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_GRADIENT));
    PLS_TRY(context, evaluate(system, loss, f, y, residual, losses, total, value));
    PLS_TRY(context, system->kind->pullback(system, residual, gradient));
cleanup:
    return pls_phase_end(device, status);
}

pls_status pls_gradient_norm(pls_device *device, pls_view gradient, pls_view total, double *norm) {
    double squared = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_phase_begin(device, PLS_PHASE_NORMS));
    PLS_TRY(device->context, pls_dot(device, gradient, gradient, total));
    PLS_TRY(device->context, pls_download(device, total, &squared, 1));
    *norm = sqrt(squared);
cleanup:
    return pls_phase_end(device, status);
}

double pls_pl_ratio(const pls_system *system, pls_loss loss, double value, double gradient_norm) {
    bool defined = loss == PLS_LOSS_SQUARE || system->targets_are_one_hot;
    if (!defined || !(value > 0.0)) {
        return NAN;
    }
    return 0.5 * gradient_norm * gradient_norm / value;
}
