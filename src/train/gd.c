/* Gradient descent: grad L = JT dL/df over all samples, w_(t+1) = w_t - eta grad L(w_t). */
#include "train/step.h"

#include <math.h>

pls_status pls_full_gradient(pls_system *system, pls_loss loss, const pls_train_views *views,
                             pls_record *record) {
    pls_device *device = system->device;
    pls_context *context = device->context;
    double squared = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_system_evaluate(system, NULL, system->samples, views->f));
    PLS_TRY(context, pls_loss_evaluate(system, loss, views->f, system->targets, views->residual,
                                       views->losses, views->total, &record->loss));
    PLS_TRY(context, system->kind->pullback(system, views->residual, views->gradient));
    PLS_TRY(context, pls_dot(device, views->gradient, views->gradient, views->total));
    PLS_TRY(context, pls_download(device, views->total, &squared, 1));
    record->gradient_norm = sqrt(squared);
    record->pl_ratio = pls_pl_ratio(system, loss, record->loss, record->gradient_norm);
cleanup:
    return status;
}

pls_status pls_gd_step(pls_system *system, const pls_train_views *views, double eta) {
    pls_system_moved(system);
    return pls_axpby(system->device, -eta, views->gradient, 1.0, system->weights);
}
