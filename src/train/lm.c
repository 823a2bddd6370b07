/* Levenberg-Marquardt; the formulas stand in lm.h. */
#include "train/lm.h"

#include "backend/phase.h"

#include <math.h>

static const double FIRST_GROWTH = 2.0;

static pls_status layout(pls_lm *lm) {
    pls_system *system = lm->system;
    pls_context *context = system->device->context;
    pls_dtype dtype = system->precision;
    int64_t n = system->samples, k = system->outputs, p = system->parameters;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(&lm->arena, PLS_F64, n * k, 1, &lm->solution));
    PLS_TRY(context, pls_arena_take(&lm->arena, dtype, n, k, &lm->cotangent));
    PLS_TRY(context, pls_arena_take(&lm->arena, dtype, 1, p, &lm->step));
    PLS_TRY(context, pls_arena_take(&lm->arena, dtype, 1, p, &lm->kept));
cleanup:
    return status;
}

pls_status pls_lm_create(pls_system *system, const pls_train_options *options, pls_kernel *shared,
                         pls_lm *lm) {
    pls_context *context = system->device->context;
    pls_kernel_options whole = options->kernel;
    pls_status status = PLS_OK;
    lm->system = system;
    lm->arena = pls_arena_measuring(system->device);
    lm->damping.growth = FIRST_GROWTH;
    lm->kernel = shared;
    if (shared == NULL) {
        whole.trace = false;
        PLS_TRY(context, pls_kernel_create(system, &whole, &lm->kernel));
        lm->owns_kernel = true;
    }
    PLS_TRY(context, pls_kernel_require_matrix(lm->kernel, "train.optimizer: lm"));
    PLS_TRY(context, layout(lm));
    PLS_TRY(context, pls_arena_reserve(&lm->arena, "Levenberg-Marquardt steps"));
    PLS_TRY(context, layout(lm));
cleanup:
    return status;
}

void pls_lm_destroy(pls_lm *lm) {
    if (lm->system != NULL) {
        pls_arena_destroy(&lm->arena);
    }
    if (lm->owns_kernel) {
        pls_kernel_destroy(lm->kernel);
    }
    *lm = (pls_lm){0};
}

/* K at the present weights, and its mean eigenvalue. */
static pls_status measure_kernel(pls_lm *lm, const pls_train_views *views) {
    pls_device *device = lm->system->device;
    pls_context *context = device->context;
    pls_view diagonal = lm->kernel->matrix;
    pls_status status = PLS_OK;
    diagonal.cols = 1;
    diagonal.ld += 1;
    PLS_TRY(context, pls_kernel_compute(lm->kernel));
    PLS_TRY(context, pls_sum(device, diagonal, views->total));
    PLS_TRY(context, pls_download(device, views->total, &lm->scale, 1));
    lm->scale /= (double)lm->kernel->size;
    lm->is_current = isfinite(lm->scale);
    if (!lm->is_current) {
        status =
            pls_fail(context, PLS_ERROR_NUMERIC,
                     "train.optimizer: lm: the tangent kernel has entries that are not finite; "
                     "the weights are too large for the precision");
    }
cleanup:
    return status;
}

/* The damping that this kernel asks for at least. */
static void settle_damping(pls_lm *lm, const pls_train_options *options) {
    if (lm->damping.lambda == 0.0) {
        lm->damping.lambda = options->damping * lm->scale;
    }
    lm->damping.lambda = fmax(lm->damping.lambda, pls_dtype_roundoff(PLS_F64) * lm->scale);
}

static void accept(pls_damping *damping, double gain) {
    double bend = 2.0 * gain - 1.0;
    damping->lambda *= fmax(1.0 / 3.0, 1.0 - bend * bend * bend);
    damping->growth = FIRST_GROWTH;
}

static void reject(pls_damping *damping) {
    damping->lambda *= damping->growth;
    damping->growth *= 2.0;
    damping->rejected++;
}

/* solution = (K + lambda I)^-1 r; *solved tells whether the factorisation went through. */
static pls_status solve(pls_lm *lm, pls_view residual, bool *solved) {
    pls_device *device = lm->system->device;
    pls_context *context = device->context;
    pls_view factor = lm->kernel->factor;
    int64_t failed_minor = 0, equations = lm->kernel->size;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_FACTOR));
    PLS_TRY(context, pls_copy(device, lm->kernel->matrix, factor));
    PLS_TRY(context, pls_add_diagonal(device, lm->damping.lambda, factor));
    PLS_TRY(context, pls_potrf(device, factor, &failed_minor));
    *solved = failed_minor == 0;
    if (*solved) {
        PLS_TRY(context, pls_copy(device, pls_view_reshape(residual, equations, 1), lm->solution));
        PLS_TRY(context, pls_potrs(device, factor, lm->solution));
    } else if (!isfinite(lm->damping.lambda)) {
        status = pls_fail(context, PLS_ERROR_NUMERIC,
                          "train.optimizer: lm: the tangent kernel cannot be factorised whatever "
                          "the damping (leading minor %lld)",
                          (long long)failed_minor);
    }
cleanup:
    return pls_phase_end(device, status);
}

/* d = JT solution, and what the linearised F promises for it: gT d / 2 + lambda |d|^2 / 2. */
static pls_status make_step(pls_lm *lm, const pls_train_views *views, double *promised) {
    pls_system *system = lm->system;
    pls_device *device = system->device;
    pls_context *context = device->context;
    pls_view flat = pls_view_reshape(lm->solution, system->samples, system->outputs);
    double slope = 0.0, squared = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_GRADIENT));
    PLS_TRY(context, pls_copy(device, flat, lm->cotangent));
    PLS_TRY(context, system->kind->pullback(system, lm->cotangent, lm->step));
    PLS_TRY(context, pls_dot(device, lm->step, views->gradient, views->total));
    PLS_TRY(context, pls_download(device, views->total, &slope, 1));
    PLS_TRY(context, pls_dot(device, lm->step, lm->step, views->total));
    PLS_TRY(context, pls_download(device, views->total, &squared, 1));
    *promised = 0.5 * (slope + lm->damping.lambda * squared);
cleanup:
    return pls_phase_end(device, status);
}

static pls_status move(pls_lm *lm) {
    pls_system *system = lm->system;
    pls_device *device = system->device;
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_phase_begin(device, PLS_PHASE_UPDATE));
    PLS_TRY(device->context, pls_copy(device, system->weights, lm->kept));
    pls_system_moved(system);
    PLS_TRY(device->context, pls_axpby(device, -1.0, lm->step, 1.0, system->weights));
cleanup:
    return pls_phase_end(device, status);
}

static pls_status move_back(pls_lm *lm) {
    pls_system *system = lm->system;
    pls_system_moved(system);
    return pls_copy(system->device, lm->kept, system->weights);
}

/* The loss at the trial; NaN where F has no finite value there. */
static pls_status try_loss(pls_lm *lm, const pls_train_views *views, double *loss) {
    pls_system *system = lm->system;
    pls_device *device = system->device;
    pls_context *context = device->context;
    pls_status status = pls_system_evaluate(system, NULL, system->samples, views->f);
    *loss = NAN;
    if (status == PLS_ERROR_NUMERIC || status == PLS_DIVERGED) {
        pls_error_clear(context);
        return PLS_OK;
    }
    PLS_TRY(context, status);
    PLS_TRY(context,
            pls_square_loss(device, views->f, system->targets, views->residual, views->losses));
    PLS_TRY(context, pls_sum(device, views->losses, views->total));
    PLS_TRY(context, pls_download(device, views->total, loss, 1));
cleanup:
    return status;
}

/* Goes there, looks, and stays or comes back. */
static pls_status try_step(pls_lm *lm, const pls_train_views *views, double loss, double promised) {
    pls_context *context = lm->system->device->context;
    double found = NAN;
    pls_status status = PLS_OK;
    PLS_TRY(context, move(lm));
    pls_status tried = try_loss(lm, views, &found);
    double gain = (loss - found) / promised;
    if (tried == PLS_OK && gain > 0.0) {
        accept(&lm->damping, gain);
        lm->is_current = false;
        return PLS_OK;
    }
    PLS_TRY(context, move_back(lm));
    PLS_TRY(context, tried);
    reject(&lm->damping);
cleanup:
    return status;
}

pls_status pls_lm_step(pls_lm *lm, const pls_train_options *options, const pls_train_views *views,
                       double loss) {
    pls_context *context = lm->system->device->context;
    double promised = 0.0;
    bool solved = false;
    pls_status status = PLS_OK;
    if (!lm->is_current) {
        PLS_TRY(context, measure_kernel(lm, views));
        settle_damping(lm, options);
    }
    if (lm->scale == 0.0) {
        lm->damping.stalled = true; /* J = 0: no direction changes F */
        return PLS_OK;
    }
    PLS_TRY(context, solve(lm, views->residual, &solved));
    if (!solved) {
        reject(&lm->damping);
        return PLS_OK;
    }
    PLS_TRY(context, make_step(lm, views, &promised));
    if (!(promised > pls_dtype_roundoff(lm->system->precision) * loss)) {
        lm->damping.stalled = true;
        return PLS_OK;
    }
    PLS_TRY(context, try_step(lm, views, loss, promised));
cleanup:
    return status;
}
