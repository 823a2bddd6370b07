/* A system as functions of a user in float64 on the host: F(w), J(w) v, J(w)T u and, where there
 * are second derivatives, (sum over i of u_i H_i(w)) v.
 *
 * Weights are downloaded, results uploaded. The functions always compute all N equations; with a
 * list of samples S, repetitions allowed,
 *     F_S = gather(F),   J_ST u = JT scatter(u),   scatter(u)_i = sum of u_r over r with S_r = i,
 * so that a list is exact whatever the functions do inside. A system and its duplicates share one
 * core; it is gone when the last of them is. */
#include "backend/phase.h"
#include "base/memory.h"
#include "system/system.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Weights larger than this have run away: cubes and fourth powers of them are no numbers. */
static const double RUN_AWAY = 1e75;

typedef struct callback_core {
    int64_t references;
    pls_user_system functions; /* start, targets, smoothness: copies below */
    double *start, *targets;   /* P, N */
    pls_smoothness smoothness;
} callback_core;

typedef struct callback_system {
    pls_system base;
    pls_system_kind kind; /* of its own: name and smoothness are the user's */
    pls_arena arena;
    callback_core *core;
    int64_t *chosen;    /* base.samples: which of the core's samples this system has */
    int64_t *selection; /* base.samples: those last evaluated, as samples of the core */
    int64_t selected;
    double *weights;            /* P: where the system stands */
    double *vector, *slope;     /* P: what goes into a function and what comes out of it */
    double *values, *cotangent; /* N of the core */
    double *block;              /* base.samples k: rows of the samples last evaluated */
} callback_system;

/* ---- what a function gave ------------------------------------------------------------------ */

static pls_status check_returned(const callback_system *system, const char *function, int code) {
    if (code == 0) {
        return PLS_OK;
    }
    return pls_fail(system->base.device->context, PLS_ERROR_CALLBACK,
                    "the %s system's function %s failed with %d (it returns 0 when all is well)",
                    system->base.kind->name, function, code);
}

static double largest_weight(const callback_system *system) {
    double largest = 0.0;
    for (int64_t i = 0; i < system->base.parameters; i++) {
        if (!isfinite(system->weights[i])) {
            return INFINITY;
        }
        largest = fmax(largest, fabs(system->weights[i]));
    }
    return largest;
}

static pls_status check_weights(const callback_system *system) {
    if (isfinite(largest_weight(system))) {
        return PLS_OK;
    }
    return pls_fail(system->base.device->context, PLS_DIVERGED,
                    "the weights of the %s system are not finite any more; choose a smaller step "
                    "size",
                    system->base.kind->name);
}

/* A number that is none is the function's fault, unless the weights have run away. */
static pls_status check_values(const callback_system *system, const char *function,
                               const char *entry, const double *values, int64_t count) {
    pls_context *context = system->base.device->context;
    int64_t i = 0;
    while (i < count && isfinite(values[i])) {
        i++;
    }
    if (i == count) {
        return PLS_OK;
    }
    double largest = largest_weight(system);
    if (!(largest < RUN_AWAY)) {
        return pls_fail(
            context, PLS_DIVERGED,
            "the weights have grown to %.3g, where the %s system's %s %lld is %g; choose "
            "a smaller step size",
            largest, system->base.kind->name, entry, (long long)i, values[i]);
    }
    return pls_fail(context, PLS_ERROR_NUMERIC,
                    "the %s system's function %s gave %g for %s %lld (counted from 0), at finite "
                    "weights; a finite number was expected",
                    system->base.kind->name, function, values[i], entry, (long long)i);
}

/* ---- calls --------------------------------------------------------------------------------- */

static pls_status call_apply(callback_system *system) {
    const pls_user_system *functions = &system->core->functions;
    pls_status status = check_returned(
        system, "apply", functions->apply(functions->user, system->weights, system->values));
    return status != PLS_OK ? status
                            : check_values(system, "apply", "equation", system->values,
                                           functions->samples * functions->outputs);
}

/* values = J vector */
static pls_status call_pushforward(callback_system *system) {
    const pls_user_system *functions = &system->core->functions;
    pls_status status = check_returned(
        system, "pushforward",
        functions->pushforward(functions->user, system->weights, system->vector, system->values));
    return status != PLS_OK ? status
                            : check_values(system, "pushforward", "equation", system->values,
                                           functions->samples * functions->outputs);
}

/* slope = JT cotangent */
static pls_status call_pullback(callback_system *system) {
    const pls_user_system *functions = &system->core->functions;
    pls_status status = check_returned(
        system, "pullback",
        functions->pullback(functions->user, system->weights, system->cotangent, system->slope));
    return status != PLS_OK
               ? status
               : check_values(system, "pullback", "weight", system->slope, functions->parameters);
}

/* slope = (sum over i of cotangent_i H_i) vector */
static pls_status call_curvature(callback_system *system) {
    const pls_user_system *functions = &system->core->functions;
    pls_status status =
        check_returned(system, "curvature",
                       functions->curvature(functions->user, system->weights, system->cotangent,
                                            system->vector, system->slope));
    return status != PLS_OK
               ? status
               : check_values(system, "curvature", "weight", system->slope, functions->parameters);
}

/* ---- lists of samples ---------------------------------------------------------------------- */

/* out (count x k) = the rows of `values` of the samples last evaluated. */
static pls_status gather(callback_system *system, pls_view out) {
    int64_t k = system->base.outputs;
    for (int64_t r = 0; r < system->selected; r++) {
        memcpy(system->block + r * k, system->values + system->selection[r] * k,
               (size_t)k * sizeof(double));
    }
    return pls_upload_f64(system->base.device, system->block, out);
}

/* cotangent += rows first .. first+count-1 of `block` */
static void scatter(callback_system *system, int64_t first, int64_t count) {
    int64_t k = system->base.outputs;
    for (int64_t r = first; r < first + count; r++) {
        for (int64_t a = 0; a < k; a++) {
            system->cotangent[system->selection[r] * k + a] += system->block[r * k + a];
        }
    }
}

static void clear_cotangent(callback_system *system) {
    const pls_user_system *functions = &system->core->functions;
    memset(system->cotangent, 0,
           (size_t)(functions->samples * functions->outputs) * sizeof(double));
}

/* ---- the table ------------------------------------------------------------------------------ */

static void release_core(pls_context *context, callback_core *core) {
    if (core == NULL || --core->references > 0) {
        return;
    }
    if (core->functions.release != NULL) {
        core->functions.release(core->functions.user);
    }
    pls_release(context, core->start);
    pls_release(context, core->targets);
    pls_release(context, core);
}

static void destroy(pls_system *base) {
    callback_system *system = (callback_system *)base;
    pls_context *context = base->device->context;
    pls_arena_destroy(&system->arena);
    release_core(context, system->core);
    pls_release(context, system->chosen);
    pls_release(context, system->selection);
    pls_release(context, system->weights);
    pls_release(context, system->vector);
    pls_release(context, system->slope);
    pls_release(context, system->values);
    pls_release(context, system->cotangent);
    pls_release(context, system->block);
    pls_release(context, system);
}

static pls_status initialize(pls_system *base) {
    const callback_system *system = (const callback_system *)base;
    return pls_upload_f64(base->device, system->core->start, base->weights);
}

static pls_status evaluate(pls_system *base, const int64_t *samples, int64_t count, pls_view out) {
    callback_system *system = (callback_system *)base;
    pls_context *context = base->device->context;
    pls_status status = PLS_OK;
    for (int64_t r = 0; r < count; r++) {
        system->selection[r] = system->chosen[samples != NULL ? samples[r] : r];
    }
    system->selected = count;
    PLS_TRY(context, pls_download_f64(base->device, base->weights, system->weights));
    PLS_TRY(context, check_weights(system));
    PLS_TRY(context, call_apply(system));
    PLS_TRY(context, gather(system, out));
cleanup:
    return status;
}

static pls_status pullback(pls_system *base, pls_view u, pls_view g) {
    callback_system *system = (callback_system *)base;
    pls_context *context = base->device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_download_f64(base->device, u, system->block));
    clear_cotangent(system);
    scatter(system, 0, system->selected);
    PLS_TRY(context, call_pullback(system));
    PLS_TRY(context, pls_upload_f64(base->device, system->slope, g));
cleanup:
    return status;
}

/* Row by row: the pullback of a unit vector. */
static pls_status jacobian(pls_system *base, int64_t first, int64_t count, pls_arena *arena,
                           pls_view out) {
    callback_system *system = (callback_system *)base;
    pls_context *context = base->device->context;
    int64_t k = base->outputs;
    pls_status status = PLS_OK;
    if (arena->buffer == NULL) {
        return PLS_OK;
    }
    clear_cotangent(system);
    for (int64_t row = 0; row < count * k; row++) {
        int64_t equation = system->chosen[first + row / k] * k + row % k;
        PLS_TRY(context, pls_check_cancelled(context));
        system->cotangent[equation] = 1.0;
        PLS_TRY(context, call_pullback(system));
        system->cotangent[equation] = 0.0;
        PLS_TRY(context, pls_upload_f64(base->device, system->slope, pls_view_rows(out, row, 1)));
    }
cleanup:
    return status;
}

static pls_status pushforward(pls_system *base, pls_view v, pls_arena *arena, pls_view out) {
    callback_system *system = (callback_system *)base;
    pls_context *context = base->device->context;
    pls_status status = PLS_OK;
    if (arena->buffer == NULL) {
        return PLS_OK;
    }
    PLS_TRY(context, pls_download_f64(base->device, v, system->vector));
    PLS_TRY(context, call_pushforward(system));
    PLS_TRY(context, gather(system, out));
cleanup:
    return status;
}

static pls_status check_twice_differentiable(const callback_system *system) {
    if (system->core->functions.curvature != NULL) {
        return PLS_OK;
    }
    return pls_fail(system->base.device->context, PLS_ERROR_UNSUPPORTED,
                    "second derivatives were asked for, but the %s system has no function "
                    "`curvature`",
                    system->base.kind->name);
}

/* One direction for all samples, or a direction a sample. */
static pls_status curvature(pls_system *base, pls_view u, pls_view v, pls_arena *arena,
                            pls_view out) {
    callback_system *system = (callback_system *)base;
    pls_context *context = base->device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, check_twice_differentiable(system));
    if (arena->buffer == NULL) {
        return PLS_OK;
    }
    PLS_TRY(context, pls_download_f64(base->device, u, system->block));
    int64_t samples_a_row = v.rows == 1 ? system->selected : 1;
    for (int64_t row = 0; row < v.rows; row++) {
        PLS_TRY(context, pls_check_cancelled(context));
        clear_cotangent(system);
        scatter(system, row, samples_a_row);
        PLS_TRY(context, pls_download_f64(base->device, pls_view_rows(v, row, 1), system->vector));
        PLS_TRY(context, call_curvature(system));
        PLS_TRY(context, pls_upload_f64(base->device, system->slope, pls_view_rows(out, row, 1)));
    }
cleanup:
    return status;
}

static const char *kink(const pls_system *base) {
    const pls_user_system *functions = &((const callback_system *)base)->core->functions;
    return functions->kink != NULL        ? functions->kink
           : functions->curvature == NULL ? "it has no function `curvature`"
                                          : NULL;
}

/* Rows of J are rounded once. */
static double rounding_growth(const pls_system *base) {
    (void)base;
    return 2.0;
}

static pls_status smoothness(const pls_system *base, pls_smoothness *found) {
    *found = ((const callback_system *)base)->core->smoothness;
    return PLS_OK;
}

static bool tensor(const pls_system *base, int64_t i, char name[64], int *rank, int64_t shape[8],
                   int64_t *first) {
    snprintf(name, 64, "weights");
    *rank = 1;
    shape[0] = base->parameters;
    *first = 0;
    return i == 0;
}

static pls_status duplicate(pls_system *base, const int64_t *samples, int64_t count,
                            pls_dtype precision, pls_system **out);

static pls_system_kind kind_of(const callback_core *core) {
    pls_system_kind kind = {
        .name = core->functions.name,
        .destroy = destroy,
        .initialize = initialize,
        .evaluate = evaluate,
        .pullback = pullback,
        .jacobian = jacobian,
        .pushforward = pushforward,
        .curvature = curvature,
        .kink = kink,
        .duplicate = duplicate,
        .rounding_growth = rounding_growth,
        .smoothness = core->functions.smoothness != NULL ? smoothness : NULL,
        .tensor = tensor,
    };
    return kind;
}

/* ---- making --------------------------------------------------------------------------------- */

static pls_status layout(callback_system *system, pls_arena *arena) {
    pls_system *base = &system->base;
    pls_context *context = base->device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, base->precision, 1, base->parameters, &base->weights));
    PLS_TRY(context,
            pls_arena_take(arena, base->precision, base->samples, base->outputs, &base->targets));
cleanup:
    return status;
}

static pls_status allocate_host(callback_system *system) {
    const pls_user_system *functions = &system->core->functions;
    pls_context *context = system->base.device->context;
    int64_t n = system->base.samples, p = functions->parameters;
    int64_t all = functions->samples * functions->outputs;
    size_t size = sizeof(double);
    const char *what = "a system of functions";
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, n, sizeof(int64_t), what, &system->chosen));
    PLS_TRY(context, pls_allocate(context, n, sizeof(int64_t), what, &system->selection));
    PLS_TRY(context, pls_allocate(context, p, size, what, &system->weights));
    PLS_TRY(context, pls_allocate(context, p, size, what, &system->vector));
    PLS_TRY(context, pls_allocate(context, p, size, what, &system->slope));
    PLS_TRY(context, pls_allocate(context, all, size, what, &system->values));
    PLS_TRY(context, pls_allocate(context, all, size, what, &system->cotangent));
    PLS_TRY(context, pls_allocate(context, n * functions->outputs, size, what, &system->block));
cleanup:
    return status;
}

/* Targets of the chosen samples to the device, and w = start. */
static pls_status set_up(callback_system *system) {
    pls_system *base = &system->base;
    pls_device *device = base->device;
    pls_context *context = device->context;
    int64_t k = base->outputs;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_INITIALISATION));
    for (int64_t r = 0; r < base->samples; r++) {
        memcpy(system->block + r * k, system->core->targets + system->chosen[r] * k,
               (size_t)k * sizeof(double));
    }
    pls_system_describe_targets(base, system->block);
    PLS_TRY(context, pls_upload_f64(device, system->block, base->targets));
    PLS_TRY(context, initialize(base));
cleanup:
    return pls_phase_end(device, status);
}

/* A system of a core's samples (`chosen` of them, NULL = all); holds a reference once it exists. */
static pls_status make(pls_device *device, pls_dtype precision, callback_core *core,
                       const int64_t *chosen, int64_t count, pls_system **out) {
    pls_context *context = device->context;
    callback_system *system = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, 1, sizeof *system, "a system of functions", &system));
    system->base.device = device;
    system->base.precision = precision;
    system->base.samples = count;
    system->base.outputs = core->functions.outputs;
    system->base.parameters = core->functions.parameters;
    system->arena = pls_arena_measuring(device);
    system->core = core;
    core->references++;
    system->kind = kind_of(core);
    system->base.kind = &system->kind;
    PLS_TRY(context, allocate_host(system));
    for (int64_t r = 0; r < count; r++) {
        system->chosen[r] = chosen != NULL ? chosen[r] : r;
    }
    PLS_TRY(context, layout(system, &system->arena));
    PLS_TRY(context, pls_arena_reserve(&system->arena, "the system"));
    PLS_TRY(context, layout(system, &system->arena));
    PLS_TRY(context, set_up(system));
    *out = &system->base;
    return PLS_OK;
cleanup:
    if (system != NULL) {
        destroy(&system->base);
    }
    return status;
}

static pls_status duplicate(pls_system *base, const int64_t *samples, int64_t count,
                            pls_dtype precision, pls_system **out) {
    const callback_system *system = (const callback_system *)base;
    pls_context *context = base->device->context;
    int64_t *chosen = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, count, sizeof *chosen, "chosen samples", &chosen));
    for (int64_t r = 0; r < count; r++) {
        chosen[r] = system->chosen[samples != NULL ? samples[r] : r];
    }
    PLS_TRY(context, make(base->device, precision, system->core, chosen, count, out));
cleanup:
    pls_release(context, chosen);
    return status;
}

static pls_status check(pls_context *context, const pls_user_system *functions) {
    const char *name = functions->name != NULL ? functions->name : "user's";
    const char *missing = functions->apply == NULL         ? "apply"
                          : functions->pushforward == NULL ? "pushforward"
                          : functions->pullback == NULL    ? "pullback"
                          : functions->targets == NULL     ? "targets"
                                                           : NULL;
    int64_t equations = 0, entries = 0;
    bool sized = functions->samples > 0 && functions->outputs > 0 && functions->parameters > 0;
    if (!sized || !pls_multiply(functions->samples, functions->outputs, &equations) ||
        !pls_multiply(equations, functions->parameters, &entries)) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "the %s system has %lld samples of %lld outputs and %lld parameters; at "
                        "least one of each was expected, and 64 bits to count their product",
                        name, (long long)functions->samples, (long long)functions->outputs,
                        (long long)functions->parameters);
    }
    if (missing != NULL) {
        return pls_fail(context, PLS_ERROR_ARGUMENT, "the %s system is given without %s", name,
                        missing);
    }
    pls_status status =
        pls_check_finite(context, functions->start, functions->parameters, "the starting weights");
    return status != PLS_OK
               ? status
               : pls_check_finite(context, functions->targets, equations, "the targets");
}

static pls_status create_core(pls_context *context, const pls_user_system *functions,
                              callback_core **out) {
    int64_t p = functions->parameters, n = functions->samples * functions->outputs;
    callback_core *core = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, 1, sizeof *core, "a system of functions", &core));
    core->references = 1;
    core->functions = *functions;
    core->functions.release = NULL; /* until nothing can fail any more */
    core->functions.name = functions->name != NULL ? functions->name : "user's";
    PLS_TRY(context, pls_allocate(context, p, sizeof(double), "starting weights", &core->start));
    PLS_TRY(context, pls_allocate(context, n, sizeof(double), "targets", &core->targets));
    memcpy(core->targets, functions->targets, (size_t)n * sizeof(double));
    if (functions->start != NULL) {
        memcpy(core->start, functions->start, (size_t)p * sizeof(double));
    }
    if (functions->smoothness != NULL) {
        core->smoothness = *functions->smoothness;
    }
    *out = core;
    return PLS_OK;
cleanup:
    release_core(context, core);
    return status;
}

pls_status pls_user_system_create(pls_device *device, pls_dtype precision,
                                  const pls_user_system *functions, pls_system **system) {
    pls_context *context = device->context;
    callback_core *core = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, check(context, functions));
    PLS_TRY(context, create_core(context, functions, &core));
    PLS_TRY(context, make(device, precision, core, NULL, functions->samples, system));
    core->functions.release = functions->release;
cleanup:
    release_core(context, core);
    return status;
}
