/* Norms, traces and densities of Hessians from their products; the methods stand in
 * tangent/lanczos.h and plstar/quadrature.h. */
#include "backend/phase.h"
#include "base/memory.h"
#include "second/hessian.h"
#include "tangent/quadrature.h"

#include <math.h>

/* Slots and vectors of a basis where memory allows; halved, in turn, until they fit. Neither looks
 * at how many problems there are: that would let the company change the bits. */
enum { MOST_SLOTS = 8, LONGEST_BASIS = 48, SHORTEST_BASIS = 12 };

/* Products that one eigenvalue may take. */
enum { MOST_PRODUCTS = 20000 };

/* What Lanczos vectors may take unless the options say so: a constant, since what happens to be
 * free must not change the bits. */
static const int64_t DEFAULT_MEMORY = (int64_t)4 << 30;

/* Vectors beside the basis: x and its product. */
enum { VECTORS_BESIDE = 2 };

static pls_status resolve(pls_context *context, const pls_second_options *options,
                          pls_second_options *resolved) {
    *resolved = options != NULL ? *options : pls_second_options_defaults();
    if (!(resolved->tolerance > 0.0 && resolved->tolerance < 1.0) || resolved->memory < 0) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "norms of Hessians need a tolerance between 0 and 1 and a memory of at "
                        "least 0 bytes, not %g and %lld",
                        resolved->tolerance, (long long)resolved->memory);
    }
    resolved->memory = resolved->memory > 0 ? resolved->memory : DEFAULT_MEMORY;
    return PLS_OK;
}

/* ---- how large ------------------------------------------------------------------------------- */

/* Whether so many slots with such bases fit. */
static bool fits(int64_t size, int64_t slots, int64_t basis, int64_t memory) {
    int64_t vectors = pls_smaller(size, basis) + VECTORS_BESIDE;
    return size <= memory / (int64_t)sizeof(double) / slots / vectors;
}

static pls_status choose_slots(pls_context *context, int64_t size, int64_t most, int64_t memory,
                               int64_t *slots, int64_t *basis) {
    *slots = most;
    *basis = LONGEST_BASIS;
    while (!fits(size, *slots, *basis, memory)) {
        if (*slots > 1 && *basis < LONGEST_BASIS) {
            *slots /= 2;
        } else if (*basis > SHORTEST_BASIS) {
            *basis /= 2;
        } else {
            double least = 8.0 * (double)size * (SHORTEST_BASIS + VECTORS_BESIDE);
            return pls_fail(context, PLS_ERROR_MEMORY,
                            "the norm of a Hessian of %lld parameters needs %.0f bytes for "
                            "Lanczos vectors, and the memory option allows %lld",
                            (long long)size, least, (long long)memory);
        }
    }
    return PLS_OK;
}

static pls_status take(pls_context *context, int64_t size, int64_t slots, int64_t basis,
                       pls_arena *arena, pls_lanczos *lanczos) {
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_lanczos_take_slots(arena, size, slots, basis, lanczos));
    PLS_TRY(context, pls_arena_reserve(arena, "the norm of a Hessian"));
    PLS_TRY(context, pls_lanczos_take_slots(arena, size, slots, basis, lanczos));
cleanup:
    return status;
}

static pls_lanczos_options lanczos_options(const pls_second_options *options, pls_lanczos_end end) {
    pls_lanczos_options lanczos = {
        end, options->tolerance, MOST_PRODUCTS, {options->seed, PLS_RANDOM_LANCZOS, 2}};
    return lanczos;
}

/* The residual measured may exceed its estimate by what rounding adds; more than twice is more. */
static pls_eigenvalue eigenvalue_of(const pls_ritz *ritz, double tolerance) {
    pls_eigenvalue eigenvalue = {ritz->value, ritz->residual, ritz->products,
                                 ritz->converged &&
                                     ritz->residual <= 2.0 * tolerance * ritz->scale};
    return eigenvalue;
}

static void warn(pls_context *context, const char *what, const pls_eigenvalue *found) {
    if (!found->converged) {
        pls_log(context, PLS_LOG_WARNING,
                "%s is %.6g with a residual of %.1e after %lld products, which is more than the "
                "tolerance asks for",
                what, found->value, found->residual, (long long)found->iterations);
    }
}

/* ---- the loss -------------------------------------------------------------------------------- */

static pls_status loss_end(pls_lanczos *lanczos, const pls_second_options *options,
                           pls_lanczos_end end, pls_loss_curvature *curvature, const char *what,
                           pls_eigenvalue *found) {
    pls_context *context = lanczos->device->context;
    pls_lanczos_options how = lanczos_options(options, end);
    pls_ritz ritz = {0};
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_lanczos_solve(lanczos, &how, 1, pls_loss_curvature_apply_row, curvature,
                                       &ritz, pls_no_view()));
    *found = eigenvalue_of(&ritz, options->tolerance);
    warn(context, what, found);
cleanup:
    return status;
}

pls_status pls_loss_hessian_norm(pls_system *system, pls_loss loss, const pls_second_options *given,
                                 pls_loss_hessian *result) {
    pls_device *device = system->device;
    pls_context *context = device->context;
    pls_second_options options;
    pls_loss_curvature curvature = {0};
    pls_arena arena = pls_arena_measuring(device);
    pls_lanczos lanczos;
    int64_t slots = 0, basis = 0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_HESSIAN));
    PLS_TRY(context, resolve(context, given, &options));
    PLS_TRY(context, choose_slots(context, system->parameters, 1, options.memory, &slots, &basis));
    PLS_TRY(context, pls_loss_curvature_open(system, loss, options.kinks_are_zero, &curvature));
    PLS_TRY(context, take(context, system->parameters, slots, basis, &arena, &lanczos));
    PLS_TRY(context, loss_end(&lanczos, &options, PLS_LANCZOS_LARGEST, &curvature,
                              "lambda_max of the loss Hessian", &result->largest));
    PLS_TRY(context, loss_end(&lanczos, &options, PLS_LANCZOS_SMALLEST, &curvature,
                              "lambda_min of the loss Hessian", &result->smallest));
    bool above = fabs(result->largest.value) >= fabs(result->smallest.value);
    result->norm = fabs(above ? result->largest.value : result->smallest.value);
    result->norm_residual = above ? result->largest.residual : result->smallest.residual;
cleanup:
    pls_arena_destroy(&arena);
    pls_loss_curvature_close(&curvature);
    return pls_phase_end(device, status);
}

pls_status pls_loss_hessian_quadrature(pls_system *system, pls_loss loss,
                                       const pls_quadrature_options *quadrature,
                                       const pls_second_options *given, pls_quadrature *result) {
    pls_quadrature_options how =
        quadrature != NULL ? *quadrature : pls_quadrature_options_defaults();
    pls_device *device = system->device;
    pls_context *context = device->context;
    pls_second_options options;
    pls_loss_curvature curvature = {0};
    pls_arena arena = pls_arena_measuring(device);
    pls_quadrature_views views;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_HESSIAN));
    PLS_TRY(context, resolve(context, given, &options));
    PLS_TRY(context, pls_quadrature_check(context, &how));
    if (!fits(system->parameters, 1, how.steps, options.memory)) {
        status = pls_fail(context, PLS_ERROR_MEMORY,
                          "a quadrature of %lld steps keeps as many vectors of %lld parameters, "
                          "and the memory option allows %lld bytes; take fewer steps",
                          (long long)how.steps, (long long)system->parameters,
                          (long long)options.memory);
        goto cleanup;
    }
    PLS_TRY(context, pls_loss_curvature_open(system, loss, options.kinks_are_zero, &curvature));
    PLS_TRY(context, pls_quadrature_take(&arena, system->parameters, &how, &views));
    PLS_TRY(context, pls_arena_reserve(&arena, "the density of the loss Hessian"));
    PLS_TRY(context, pls_quadrature_take(&arena, system->parameters, &how, &views));
    PLS_TRY(context,
            pls_quadrature_compute(&views, &how, pls_loss_curvature_apply, &curvature, result));
cleanup:
    pls_arena_destroy(&arena);
    pls_loss_curvature_close(&curvature);
    return pls_phase_end(device, status);
}

/* ---- outputs --------------------------------------------------------------------------------- */

static pls_status check_samples(const pls_system *system, const int64_t *samples, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        int64_t sample = samples != NULL ? samples[i] : i;
        if (sample < 0 || sample >= system->samples) {
            return pls_fail(system->device->context, PLS_ERROR_ARGUMENT,
                            "the Hessians of sample %lld were asked for, but the system has %lld "
                            "samples",
                            (long long)sample, (long long)system->samples);
        }
    }
    return PLS_OK;
}

static pls_status output_norms(pls_lanczos *lanczos, const pls_second_options *options,
                               int64_t count, pls_output_curvature *curvature,
                               pls_eigenvalue *norms) {
    pls_context *context = lanczos->device->context;
    pls_lanczos_options how = lanczos_options(options, PLS_LANCZOS_MAGNITUDE);
    pls_ritz *ritz = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, count, sizeof *ritz, "norms of Hessians", &ritz));
    PLS_TRY(context, pls_lanczos_solve(lanczos, &how, count, pls_output_curvature_apply, curvature,
                                       ritz, pls_no_view()));
    for (int64_t p = 0; p < count; p++) {
        norms[p] = eigenvalue_of(&ritz[p], options->tolerance);
        norms[p].value = fabs(norms[p].value);
        warn(context, "the norm of an output's Hessian", &norms[p]);
    }
cleanup:
    pls_release(context, ritz);
    return status;
}

pls_status pls_output_hessian_norms(pls_system *system, const int64_t *samples, int64_t count,
                                    const pls_second_options *given, pls_eigenvalue *norms) {
    pls_device *device = system->device;
    pls_context *context = device->context;
    pls_second_options options;
    pls_output_curvature curvature = {0};
    pls_arena arena = pls_arena_measuring(device);
    pls_lanczos lanczos;
    int64_t slots = 0, basis = 0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_HESSIAN));
    PLS_TRY(context, resolve(context, given, &options));
    PLS_TRY(context, check_samples(system, samples, count));
    if (count < 1) {
        goto cleanup;
    }
    PLS_TRY(context,
            choose_slots(context, system->parameters, MOST_SLOTS, options.memory, &slots, &basis));
    PLS_TRY(context, pls_output_curvature_open(system, samples, count, slots,
                                               options.kinks_are_zero, &curvature));
    PLS_TRY(context, take(context, system->parameters, slots, basis, &arena, &lanczos));
    PLS_TRY(context, output_norms(&lanczos, &options, count * system->outputs, &curvature, norms));
cleanup:
    pls_arena_destroy(&arena);
    pls_output_curvature_close(&curvature);
    return pls_phase_end(device, status);
}
