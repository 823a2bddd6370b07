/* Rows of the Jacobian J = DF(w), N x P, and its products, for export and for checks. */
#include "backend/phase.h"
#include "system/system.h"

/* Scratch of one call: outputs when the system has yet to be evaluated, and the rows. */
typedef struct row_views {
    pls_view outputs, rows;
} row_views;

static pls_status layout(pls_system *system, int64_t first, int64_t count, pls_arena *arena,
                         row_views *views) {
    pls_context *context = system->device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, system->precision, system->samples, system->outputs,
                                    &views->outputs));
    PLS_TRY(context, pls_arena_take(arena, system->precision, count * system->outputs,
                                    system->parameters, &views->rows));
    if (arena->buffer == NULL) {
        PLS_TRY(context, system->kind->jacobian(system, first, count, arena, views->rows));
    }
cleanup:
    return status;
}

static pls_status download_rows(pls_system *system, int64_t first, int64_t count, pls_arena *arena,
                                const row_views *views, double *host) {
    pls_device *device = system->device;
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_phase_begin(device, PLS_PHASE_JACOBIAN));
    PLS_TRY(device->context, system->kind->jacobian(system, first, count, arena, views->rows));
    PLS_TRY(device->context, pls_download_f64(device, views->rows, host));
cleanup:
    return pls_phase_end(device, status);
}

pls_status pls_system_jacobian(pls_system *system, int64_t first, int64_t count, double *host) {
    pls_context *context = system->device->context;
    pls_arena arena = pls_arena_measuring(system->device);
    row_views views;
    pls_status status = PLS_OK;
    if (first < 0 || count < 1 || first > system->samples - count) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "samples %lld to %lld were asked for, but the system has %lld",
                        (long long)first, (long long)(first + count - 1),
                        (long long)system->samples);
    }
    PLS_TRY(context, layout(system, first, count, &arena, &views));
    PLS_TRY(context, pls_arena_reserve(&arena, "rows of the Jacobian"));
    PLS_TRY(context, layout(system, first, count, &arena, &views));
    if (!system->stands) {
        PLS_TRY(context, pls_system_evaluate(system, NULL, system->samples, views.outputs));
    }
    PLS_TRY(context, download_rows(system, first, count, &arena, &views, host));
cleanup:
    pls_arena_destroy(&arena);
    return status;
}

/* ---- products -------------------------------------------------------------------------------- */

typedef struct product_views {
    pls_view outputs; /* n x k: F, then J v or u */
    pls_view weights; /* 1 x P: v or JT u */
} product_views;

static pls_status product_layout(pls_system *system, bool forwards, pls_arena *arena,
                                 product_views *views) {
    pls_context *context = system->device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, system->precision, system->samples, system->outputs,
                                    &views->outputs));
    PLS_TRY(context,
            pls_arena_take(arena, system->precision, 1, system->parameters, &views->weights));
    if (arena->buffer == NULL && forwards) {
        PLS_TRY(context, system->kind->pushforward(system, views->weights, arena, views->outputs));
    }
cleanup:
    return status;
}

/* The views of a product, with the system standing. */
static pls_status prepare(pls_system *system, bool forwards, pls_arena *arena,
                          product_views *views) {
    pls_context *context = system->device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, product_layout(system, forwards, arena, views));
    PLS_TRY(context, pls_arena_reserve(arena, "a product with the Jacobian"));
    PLS_TRY(context, product_layout(system, forwards, arena, views));
    if (!system->stands) {
        PLS_TRY(context, pls_system_evaluate(system, NULL, system->samples, views->outputs));
    }
cleanup:
    return status;
}

pls_status pls_system_jacobian_product(pls_system *system, const double *v, double *product) {
    pls_device *device = system->device;
    pls_context *context = device->context;
    pls_arena arena = pls_arena_measuring(device);
    product_views views;
    pls_status status = PLS_OK;
    if (system->kind->pushforward == NULL) {
        return pls_fail(context, PLS_ERROR_UNSUPPORTED, "a %s system does not give J v",
                        system->kind->name);
    }
    PLS_TRY(context, prepare(system, true, &arena, &views));
    PLS_TRY(context, pls_upload_f64(device, v, views.weights));
    PLS_TRY(context, system->kind->pushforward(system, views.weights, &arena, views.outputs));
    PLS_TRY(context, pls_download_f64(device, views.outputs, product));
cleanup:
    pls_arena_destroy(&arena);
    return status;
}

pls_status pls_system_transposed_product(pls_system *system, const double *u, double *product) {
    pls_device *device = system->device;
    pls_context *context = device->context;
    pls_arena arena = pls_arena_measuring(device);
    product_views views;
    pls_status status = PLS_OK;
    PLS_TRY(context, prepare(system, false, &arena, &views));
    PLS_TRY(context, pls_upload_f64(device, u, views.outputs));
    PLS_TRY(context, system->kind->pullback(system, views.outputs, views.weights));
    PLS_TRY(context, pls_download_f64(device, views.weights, product));
cleanup:
    pls_arena_destroy(&arena);
    return status;
}
