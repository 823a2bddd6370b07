/* The linearised twin; see linear_twin.h. */
#include "train/linear_twin.h"

#include "backend/phase.h"
#include "base/memory.h"
#include "system/system.h"

#include <math.h>
#include <string.h>

struct pls_linear_twin {
    pls_system *system;
    const pls_train_options *options;
    pls_arena arena;
    pls_view outputs, targets; /* n x k: f_lin, y */
    pls_view residual;         /* n x k: dL/df of every sample; for `compare` also f */
    pls_view repetitions,
        chosen;              /* n x k (SGD): how often each row was drawn; those rows of dL/df */
    pls_view losses, total;  /* n x 1, 1 x 1 */
    double *counts, *values; /* n x k on the host */
};

static pls_status check_options(const pls_system *system, const pls_train_options *options) {
    pls_context *context = system->device->context;
    if (options->kernel.trace) {
        return pls_fail(context, PLS_ERROR_CONFIG,
                        "train.linearized: the linearised network moves by the N x N kernel, which "
                        "monitor.trace does not form; choose one of the two");
    }
    if (options->optimizer != PLS_OPTIMIZER_GD && options->optimizer != PLS_OPTIMIZER_SGD) {
        return pls_fail(context, PLS_ERROR_CONFIG,
                        "train.linearized: the linearised network is carried along for gradient "
                        "descent only; choose train.optimizer: gd or sgd");
    }
    return PLS_OK;
}

static pls_status layout(pls_linear_twin *twin) {
    pls_context *context = twin->system->device->context;
    pls_arena *arena = &twin->arena;
    int64_t n = twin->system->samples, k = twin->system->outputs;
    int64_t drawn = twin->options->optimizer == PLS_OPTIMIZER_SGD ? n : 0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, n, k, &twin->outputs));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, n, k, &twin->targets));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, n, k, &twin->residual));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, drawn, k, &twin->repetitions));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, drawn, k, &twin->chosen));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, n, 1, &twin->losses));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, 1, &twin->total));
cleanup:
    return status;
}

pls_status pls_linear_twin_create(pls_system *system, const pls_train_options *options,
                                  pls_linear_twin **out) {
    pls_device *device = system->device;
    pls_context *context = device->context;
    int64_t count = system->samples * system->outputs;
    pls_linear_twin *twin = NULL;
    pls_status status = PLS_OK;
    *out = NULL;
    if (!options->linearized) {
        return PLS_OK;
    }
    PLS_TRY(context, check_options(system, options));
    PLS_TRY(context, pls_allocate(context, 1, sizeof *twin, "the linearised network", &twin));
    twin->system = system;
    twin->options = options;
    twin->arena = pls_arena_measuring(device);
    PLS_TRY(context,
            pls_allocate(context, count, sizeof(double), "the linearised network", &twin->counts));
    PLS_TRY(context,
            pls_allocate(context, count, sizeof(double), "the linearised network", &twin->values));
    PLS_TRY(context, layout(twin));
    PLS_TRY(context, pls_arena_reserve(&twin->arena, "the linearised network"));
    PLS_TRY(context, layout(twin));
    PLS_TRY(context, pls_copy(device, system->targets, twin->targets));
    *out = twin;
    twin = NULL;
cleanup:
    pls_linear_twin_destroy(twin);
    return status;
}

void pls_linear_twin_destroy(pls_linear_twin *twin) {
    if (twin != NULL) {
        pls_context *context = twin->system->device->context;
        pls_arena_destroy(&twin->arena);
        pls_release(context, twin->counts);
        pls_release(context, twin->values);
        pls_release(context, twin);
    }
}

pls_status pls_linear_twin_start(pls_linear_twin *twin, pls_view outputs) {
    return twin != NULL ? pls_copy(twin->system->device, outputs, twin->outputs) : PLS_OK;
}

/* residual = dL/df, losses = those of the samples, both at f_lin. */
static pls_status derive(pls_linear_twin *twin) {
    pls_device *device = twin->system->device;
    return twin->options->loss == PLS_LOSS_SQUARE
               ? pls_square_loss(device, twin->outputs, twin->targets, twin->residual, twin->losses)
               : pls_cross_entropy_loss(device, twin->outputs, twin->targets, twin->residual,
                                        twin->losses);
}

pls_status pls_linear_twin_compare(pls_linear_twin *twin, pls_view outputs, pls_record *record) {
    if (twin == NULL) {
        return PLS_OK;
    }
    pls_device *device = twin->system->device;
    pls_context *context = device->context;
    double loss = NAN, squared = NAN;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_TWIN));
    PLS_TRY(context, derive(twin));
    PLS_TRY(context, pls_sum(device, twin->losses, twin->total));
    PLS_TRY(context, pls_download(device, twin->total, &loss, 1));
    PLS_TRY(context, pls_copy(device, outputs, twin->residual));
    PLS_TRY(context, pls_squared_distance(device, twin->residual, twin->outputs, twin->total));
    PLS_TRY(context, pls_download(device, twin->total, &squared, 1));
    bool lost = !isfinite(loss) || !isfinite(squared);
    record->linear_loss = lost ? NAN : loss;
    record->linear_distance = lost ? NAN : sqrt(squared);
cleanup:
    return pls_phase_end(device, status);
}

/* *u = the rows of dL/df of the batch, each as often as it was drawn, and 0 elsewhere. */
static pls_status choose(pls_linear_twin *twin, const int64_t *batch, pls_view *u) {
    pls_device *device = twin->system->device;
    pls_context *context = device->context;
    int64_t n = twin->system->samples, k = twin->system->outputs;
    pls_status status = PLS_OK;
    memset(twin->counts, 0, (size_t)(n * k) * sizeof *twin->counts);
    for (int64_t i = 0; i < twin->options->batch; i++) {
        for (int64_t a = 0; a < k; a++) {
            twin->counts[batch[i] * k + a] += 1.0;
        }
    }
    PLS_TRY(context, pls_upload(device, twin->counts, k, twin->repetitions));
    PLS_TRY(context, pls_fill(device, 0.0, twin->chosen));
    PLS_TRY(context, pls_hadamard_accumulate(device, 1.0, twin->repetitions, 0.0, 1, twin->residual,
                                             twin->chosen, false));
    *u = twin->chosen;
cleanup:
    return status;
}

static pls_view as_column(pls_view matrix) {
    return pls_view_reshape(matrix, pls_view_count(matrix), 1);
}

pls_status pls_linear_twin_step(pls_linear_twin *twin, pls_view kernel, const int64_t *batch,
                                double eta) {
    if (twin == NULL) {
        return PLS_OK;
    }
    pls_device *device = twin->system->device;
    pls_context *context = device->context;
    pls_view u = twin->residual;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_TWIN));
    PLS_TRY(context, derive(twin));
    if (batch != NULL) {
        PLS_TRY(context, choose(twin, batch, &u));
    }
    PLS_TRY(context, pls_symv(device, -eta, kernel, as_column(u), 1.0, as_column(twin->outputs)));
cleanup:
    return pls_phase_end(device, status);
}

pls_status pls_linear_twin_read(pls_linear_twin *twin, double **values) {
    *values = twin != NULL ? twin->values : NULL;
    return twin != NULL ? pls_download(twin->system->device, twin->outputs, twin->values,
                                       twin->system->outputs)
                        : PLS_OK;
}

pls_status pls_linear_twin_write(pls_linear_twin *twin) {
    return twin != NULL ? pls_upload(twin->system->device, twin->values, twin->system->outputs,
                                     twin->outputs)
                        : PLS_OK;
}
