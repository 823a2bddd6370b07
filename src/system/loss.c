/* Losses and the PL ratio; the formulas stand in loss.h. */
#include "system/loss.h"

#include <math.h>

const char *pls_loss_name(pls_loss loss) {
    return loss == PLS_LOSS_SQUARE ? "square" : "cross_entropy";
}

pls_status pls_loss_evaluate(pls_system *system, pls_loss loss, pls_view f, pls_view y,
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

double pls_pl_ratio(const pls_system *system, pls_loss loss, double value, double gradient_norm) {
    bool defined = loss == PLS_LOSS_SQUARE || system->targets_are_one_hot;
    if (!defined || !(value > 0.0)) {
        return NAN;
    }
    return 0.5 * gradient_norm * gradient_norm / value;
}
