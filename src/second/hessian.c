/* What all second derivatives share: options, refusals, and products for the host. */
#include "second/hessian.h"

#include "backend/phase.h"
#include "base/memory.h"

#include <math.h>

pls_second_options pls_second_options_defaults(void) {
    pls_second_options options = {1e-10, 0, false, 0};
    return options;
}

pls_status pls_second_check(const pls_system *system, bool kinks_are_zero) {
    pls_context *context = system->device->context;
    const char *kink = pls_system_kink(system);
    if (system->kind->pushforward == NULL || system->kind->curvature == NULL) {
        return pls_fail(context, PLS_ERROR_UNSUPPORTED,
                        "the %s system has no second derivatives: its kind gives no `%s`",
                        system->kind->name,
                        system->kind->curvature == NULL ? "curvature" : "pushforward");
    }
    if (kink != NULL && !kinks_are_zero) {
        return pls_fail(context, PLS_ERROR_UNSUPPORTED,
                        "the %s system is not twice differentiable: %s; take another activation, "
                        "or let second derivatives be 0 there by hessian.kinks: zero "
                        "(kinks_are_zero in the library)",
                        system->kind->name, kink);
    }
    return PLS_OK;
}

pls_status pls_second_supported(pls_system *system, const pls_second_options *options) {
    return pls_second_check(system, options != NULL && options->kinks_are_zero);
}

pls_status pls_second_check_finite(pls_device *device, pls_view x, pls_view scalar) {
    double largest = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_max_abs(device, x, scalar));
    PLS_TRY(device->context, pls_download(device, scalar, &largest, 1));
    if (!isfinite(largest)) {
        status = pls_fail(device->context, PLS_ERROR_NUMERIC,
                          "a product with a Hessian is not finite; the weights or the direction "
                          "are too large, or not finite themselves");
    }
cleanup:
    return status;
}

/* ---- products -------------------------------------------------------------------------------- */

typedef struct direction_views {
    pls_view v, product; /* 1 x P */
    pls_view scalar;
} direction_views;

static pls_status layout(pls_arena *arena, int64_t parameters, direction_views *views) {
    pls_context *context = arena->device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, parameters, &views->v));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, parameters, &views->product));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, 1, &views->scalar));
cleanup:
    return status;
}

/* product = B v on the host, B of one problem of a family. */
static pls_status multiply(pls_device *device, int64_t parameters, pls_operators apply, void *user,
                           int64_t problem, const double *v, double *product) {
    pls_context *context = device->context;
    pls_arena arena = pls_arena_measuring(device);
    direction_views views;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_HESSIAN));
    PLS_TRY(context, layout(&arena, parameters, &views));
    PLS_TRY(context, pls_arena_reserve(&arena, "a product with a Hessian"));
    PLS_TRY(context, layout(&arena, parameters, &views));
    PLS_TRY(context, pls_upload(device, v, parameters, views.v));
    PLS_TRY(context, apply(user, &problem, views.v, views.product));
    PLS_TRY(context, pls_second_check_finite(device, views.product, views.scalar));
    PLS_TRY(context, pls_download(device, views.product, product, parameters));
cleanup:
    pls_arena_destroy(&arena);
    return pls_phase_end(device, status);
}

pls_status pls_loss_hessian_product(pls_system *system, pls_loss loss,
                                    const pls_second_options *options, const double *v,
                                    double *product) {
    pls_second_options resolved = options != NULL ? *options : pls_second_options_defaults();
    pls_context *context = system->device->context;
    pls_loss_curvature curvature;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_loss_curvature_open(system, loss, resolved.kinks_are_zero, &curvature));
    PLS_TRY(context, multiply(system->device, system->parameters, pls_loss_curvature_apply_row,
                              &curvature, 0, v, product));
cleanup:
    pls_loss_curvature_close(&curvature);
    return status;
}

pls_status pls_output_hessian_product(pls_system *system, int64_t sample, int64_t output,
                                      const pls_second_options *options, const double *v,
                                      double *product) {
    pls_second_options resolved = options != NULL ? *options : pls_second_options_defaults();
    pls_context *context = system->device->context;
    pls_output_curvature curvature;
    pls_status status = PLS_OK;
    if (sample < 0 || sample >= system->samples || output < 0 || output >= system->outputs) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "output %lld of sample %lld was asked for, but the system has %lld outputs "
                        "of %lld samples",
                        (long long)output, (long long)sample, (long long)system->outputs,
                        (long long)system->samples);
    }
    PLS_TRY(context,
            pls_output_curvature_open(system, &sample, 1, 1, resolved.kinks_are_zero, &curvature));
    PLS_TRY(context, multiply(system->device, system->parameters, pls_output_curvature_apply,
                              &curvature, output, v, product));
cleanup:
    pls_output_curvature_close(&curvature);
    return status;
}
