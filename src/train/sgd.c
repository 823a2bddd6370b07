/* Stochastic gradient descent with replacement: w_(t+1) = w_t - eta sum_(i in S_t) grad l_i(w_t),
 * S_t = s samples drawn uniformly; the expected step is (s/n) eta grad L. */
#include "train/step.h"

pls_status pls_sgd_step(pls_system *system, const pls_train_options *options,
                        const pls_train_views *views, int64_t step, int64_t *indices, double eta) {
    pls_device *device = system->device;
    pls_context *context = device->context;
    pls_random_stream stream = {options->seed, PLS_RANDOM_BATCH, 0};
    int64_t batch = options->batch;
    double loss = 0.0;
    pls_status status = PLS_OK;
    for (int64_t i = 0; i < batch; i++) {
        indices[i] = pls_random_integer_at(stream, (uint64_t)(step * batch + i), system->samples);
    }
    PLS_TRY(context, pls_system_evaluate(system, indices, batch, views->batch_f));
    PLS_TRY(context, pls_gather_rows(device, system->targets, indices, views->batch_y));
    PLS_TRY(context,
            pls_loss_gradient(system, options->loss, views->batch_f, views->batch_y,
                              views->batch_residual, pls_view_rows(views->losses, 0, batch),
                              views->total, views->gradient, &loss));
    PLS_TRY(context, pls_gd_step(system, views, eta));
cleanup:
    return status;
}
