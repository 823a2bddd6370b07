/* Gradient descent: grad L = JT dL/df over all samples, w_(t+1) = w_t - eta grad L(w_t). */
#include "backend/phase.h"
#include "train/step.h"

pls_status pls_full_gradient(pls_system *system, pls_loss loss, const pls_train_views *views,
                             pls_record *record) {
    pls_device *device = system->device;
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_system_evaluate(system, NULL, system->samples, views->f));
    PLS_TRY(context,
            pls_loss_gradient(system, loss, views->f, system->targets, views->residual,
                              views->losses, views->total, views->gradient, &record->loss));
    PLS_TRY(context,
            pls_gradient_norm(device, views->gradient, views->total, &record->gradient_norm));
    record->pl_ratio = pls_pl_ratio(system, loss, record->loss, record->gradient_norm);
cleanup:
    return status;
}

pls_status pls_gd_step(pls_system *system, const pls_train_views *views, double eta) {
    pls_device *device = system->device;
    pls_status status = PLS_OK;
    pls_system_moved(system);
    PLS_TRY(device->context, pls_phase_begin(device, PLS_PHASE_UPDATE));
    PLS_TRY(device->context, pls_axpby(device, -eta, views->gradient, 1.0, system->weights));
cleanup:
    return pls_phase_end(device, status);
}
