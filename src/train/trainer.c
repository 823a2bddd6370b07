/* The training loop.
 *
 *     for t = 0, 1, ...:
 *         (recorded steps)  L, grad L, rho, ||w_t - w_0||; the monitor measures K when it is due
 *         (checkpoints)     w_t, before t is recorded
 *         w_(t+1) = step(w_t), and the linearised twin, if there is one, takes its own
 *
 * A step of Levenberg-Marquardt also depends on its damping, which is in the checkpoint.
 * Whatever a record holds is a function of w_t, w_0, K_0 and the options; so an interrupted run
 * that is resumed gives the same records and weights as one that was not. */
#include "backend/phase.h"
#include "base/clock.h"
#include "base/memory.h"
#include "train/checkpoint.h"
#include "train/linear_twin.h"
#include "train/lm.h"
#include "train/monitor.h"
#include "train/step.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A loss this many times the first one that still grows is not coming back. */
static const double DIVERGED = 1e6;

typedef struct trainer {
    pls_system *system;
    const pls_train_options *options;
    pls_train_result *result;
    pls_arena arena;
    pls_train_views views;
    pls_monitor monitor;
    pls_linear_twin *twin; /* NULL = none */
    pls_lm lm;
    int64_t *indices; /* of a batch */
    double initial_loss, initial_norm;
    double previous_loss;
    double eta;
    pls_checkpoint before; /* where a checkpoint would stand now */
    int64_t started_at;    /* the step at which this run began */
    double start;          /* seconds */
    double last_checkpoint;
} trainer;

pls_train_options pls_train_options_defaults(void) {
    pls_train_options options = {0};
    options.batch = 1;
    options.step_rule = PLS_STEP_CRITICAL;
    options.step_size = 0.5;
    options.damping = 1e-3;
    options.steps = 100;
    options.record_every = 1;
    options.measure_every = 10;
    options.kernel = pls_kernel_options_defaults();
    options.spectrum = pls_spectrum_options_defaults();
    options.checkpoint_seconds = 60.0;
    return options;
}

void pls_train_result_destroy(pls_context *context, pls_train_result *result) {
    pls_spectrum_destroy(context, &result->spectrum);
    pls_spectrum_destroy(context, &result->first_spectrum);
    pls_bottom_destroy(context, &result->bottom);
    pls_bottom_destroy(context, &result->first_bottom);
    memset(result, 0, sizeof *result);
}

static pls_status check_options(const pls_system *system, const pls_train_options *o) {
    pls_context *context = system->device->context;
    if (o->optimizer == PLS_OPTIMIZER_SGD && (o->batch < 1 || o->batch > system->samples)) {
        return pls_fail(context, PLS_ERROR_CONFIG,
                        "train.batch: is %lld, but must lie between 1 and the number of samples, "
                        "%lld",
                        (long long)o->batch, (long long)system->samples);
    }
    if (!(o->step_size > 0.0) || !isfinite(o->step_size)) {
        return pls_fail(context, PLS_ERROR_CONFIG,
                        "train.step_size: is %g, but must be a positive number", o->step_size);
    }
    if (o->optimizer != PLS_OPTIMIZER_LM && o->step_rule == PLS_STEP_CRITICAL && o->kernel.trace) {
        return pls_fail(
            context, PLS_ERROR_CONFIG,
            "train.step_size: critical is made from lambda_max of the full kernel, "
            "which monitor.trace does not form; give a number, or monitor.trace: false");
    }
    if (o->optimizer == PLS_OPTIMIZER_LM && o->loss != PLS_LOSS_SQUARE) {
        return pls_fail(
            context, PLS_ERROR_CONFIG,
            "train.optimizer: lm solves F(w) = y in least squares and needs train.loss: "
            "square");
    }
    if (o->optimizer == PLS_OPTIMIZER_LM && (!(o->damping > 0.0) || !isfinite(o->damping))) {
        return pls_fail(context, PLS_ERROR_CONFIG,
                        "train.damping: is %g, but must be a positive number", o->damping);
    }
    if (o->steps < 0 || o->record_every < 1 || o->measure_every < 0) {
        return pls_fail(context, PLS_ERROR_CONFIG,
                        "train.steps must not be negative, train.record_every must be at least 1 "
                        "and monitor.every must not be negative");
    }
    if (!(o->measure_budget >= 0.0 && o->measure_budget <= 1.0)) {
        return pls_fail(context, PLS_ERROR_CONFIG,
                        "monitor.budget: is %g, but must lie between 0 and 1", o->measure_budget);
    }
    if (!(o->stop_at >= 0.0)) {
        return pls_fail(context, PLS_ERROR_CONFIG, "train.stop_at: is %g, but must not be negative",
                        o->stop_at);
    }
    if (o->resume && o->checkpoint == NULL) {
        return pls_fail(context, PLS_ERROR_ARGUMENT, "resuming needs a checkpoint folder");
    }
    return PLS_OK;
}

static pls_status layout(trainer *t) {
    pls_system *system = t->system;
    pls_context *context = system->device->context;
    pls_train_views *views = &t->views;
    pls_arena *arena = &t->arena;
    pls_dtype dtype = system->precision;
    int64_t n = system->samples, k = system->outputs, p = system->parameters;
    int64_t s = t->options->optimizer == PLS_OPTIMIZER_SGD ? t->options->batch : 0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, dtype, n, k, &views->f));
    PLS_TRY(context, pls_arena_take(arena, dtype, n, k, &views->residual));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, n, 1, &views->losses));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, 1, &views->total));
    PLS_TRY(context, pls_arena_take(arena, dtype, 1, p, &views->gradient));
    PLS_TRY(context, pls_arena_take(arena, dtype, 1, p, &views->first));
    PLS_TRY(context, pls_arena_take(arena, dtype, s, k, &views->batch_f));
    PLS_TRY(context, pls_arena_take(arena, dtype, s, k, &views->batch_y));
    PLS_TRY(context, pls_arena_take(arena, dtype, s, k, &views->batch_residual));
cleanup:
    return status;
}

static pls_record empty_record(int64_t step) {
    pls_record record = {0};
    record.step = step;
    record.loss = record.gradient_norm = record.pl_ratio = record.distance = NAN;
    record.lambda_min = record.lambda_min_lower = record.lambda_min_upper = NAN;
    record.lambda_max = record.kernel_change = record.kernel_floor = NAN;
    record.condition_number = record.kernel_alignment = record.effective_rank = NAN;
    record.linear_distance = record.linear_loss = NAN;
    return record;
}

static pls_status reserve(trainer *t) {
    pls_system *system = t->system;
    pls_context *context = system->device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_linear_twin_create(system, t->options, &t->twin));
    PLS_TRY(context, layout(t));
    PLS_TRY(context, pls_arena_reserve(&t->arena, "training"));
    PLS_TRY(context, layout(t));
    PLS_TRY(context,
            pls_allocate(context, t->options->batch, sizeof *t->indices, "a batch", &t->indices));
    PLS_TRY(context, pls_monitor_create(system, t->options, &t->monitor));
    if (t->options->optimizer == PLS_OPTIMIZER_LM) {
        pls_kernel *shared = t->options->kernel.trace ? NULL : t->monitor.kernel;
        PLS_TRY(context, pls_lm_create(system, t->options, shared, &t->lm));
    }
cleanup:
    return status;
}

/* ||w_t - w_0|| */
static pls_status measure_distance(const trainer *t, double *distance) {
    pls_device *device = t->system->device;
    pls_context *context = device->context;
    double squared = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_NORMS));
    PLS_TRY(context,
            pls_squared_distance(device, t->system->weights, t->views.first, t->views.total));
    PLS_TRY(context, pls_download(device, t->views.total, &squared, 1));
    *distance = sqrt(squared);
cleanup:
    return pls_phase_end(device, status);
}

/* L and grad L at w_t, and how far it is from w_0. */
static pls_status record_point(trainer *t, pls_record *record) {
    pls_context *context = t->system->device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_full_gradient(t->system, t->options->loss, &t->views, record));
    PLS_TRY(context, measure_distance(t, &record->distance));
    record->loss = isnan(record->loss) ? NAN : record->loss; /* without a sign */
cleanup:
    return status;
}

/* What a checkpoint at this step says, before the step is recorded. */
static pls_checkpoint standing(const trainer *t, int64_t step) {
    const pls_monitor *monitor = &t->monitor;
    pls_checkpoint checkpoint = {step,
                                 t->initial_loss,
                                 t->initial_norm,
                                 monitor->lambda_min_infimum,
                                 monitor->infimum_floor,
                                 monitor->violations,
                                 monitor->measurements,
                                 NULL, /* f_lin is fetched when it is saved */
                                 t->lm.damping};
    return checkpoint;
}

/* What does not depend on how far training has come: w_0, L_0, K_0, eta. The point is left
 * standing at w_0 with its record filled in. */
static pls_status begin(trainer *t, pls_record *record) {
    pls_system *system = t->system;
    pls_device *device = system->device;
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    *record = empty_record(0);
    PLS_TRY(context, pls_copy(device, system->weights, t->views.first));
    PLS_TRY(context, pls_dot(device, system->weights, system->weights, t->views.total));
    PLS_TRY(context, pls_download(device, t->views.total, &t->initial_norm, 1));
    t->initial_norm = sqrt(t->initial_norm);
    PLS_TRY(context, record_point(t, record));
    t->initial_loss = record->loss;
    t->previous_loss = record->loss;
    if (!isfinite(record->loss)) {
        status = pls_fail(context, PLS_DIVERGED,
                          "the loss is %g before the first step; the data or the initial weights "
                          "are too large for the precision",
                          record->loss);
        goto cleanup;
    }
    PLS_TRY(context, pls_linear_twin_start(t->twin, t->views.f));
    PLS_TRY(context, pls_linear_twin_compare(t->twin, t->views.f, record));
    t->before = standing(t, 0);
    if (t->monitor.kernel != NULL) {
        PLS_TRY(context, pls_monitor_measure(&t->monitor, t->options->steps == 0, record));
    }
    t->eta = t->options->optimizer == PLS_OPTIMIZER_LM ? 1.0 : t->options->step_size;
    if (pls_step_is_critical(t->options)) {
        t->eta *= 2.0 / record->lambda_max;
        if (!(t->eta > 0.0) || !isfinite(t->eta)) {
            status = pls_fail(context, PLS_ERROR_NUMERIC,
                              "train.step_size: critical needs lambda_max(K_0) > 0, but it is %g",
                              record->lambda_max);
        }
    }
cleanup:
    return status;
}

static pls_status save_checkpoint(trainer *t) {
    pls_context *context = t->system->device->context;
    double start = pls_clock();
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_linear_twin_read(t->twin, &t->before.linear));
    PLS_TRY(context, pls_checkpoint_save(t->system, t->options->checkpoint, &t->before));
cleanup:
    t->last_checkpoint = pls_clock();
    t->result->seconds_checkpoints += t->last_checkpoint - start;
    return status;
}

static pls_status resume(trainer *t, int64_t *step) {
    pls_context *context = t->system->device->context;
    pls_checkpoint checkpoint = {0};
    pls_status status = PLS_OK;
    checkpoint.initial_loss = t->initial_loss;
    checkpoint.initial_norm = t->initial_norm;
    PLS_TRY(context, pls_linear_twin_read(t->twin, &checkpoint.linear));
    PLS_TRY(context, pls_checkpoint_load(t->system, t->options->checkpoint, &checkpoint));
    PLS_TRY(context, pls_linear_twin_write(t->twin));
    *step = checkpoint.step;
    t->lm.damping = checkpoint.damping;
    if (checkpoint.measurements > 0) { /* else it was made before step 0 was measured */
        t->monitor.lambda_min_infimum = checkpoint.lambda_min_infimum;
        t->monitor.infimum_floor = checkpoint.infimum_floor;
        t->monitor.violations = checkpoint.violations;
        t->monitor.measurements = checkpoint.measurements;
    }
cleanup:
    return status;
}

static pls_status tell_observer(const trainer *t, const pls_record *record) {
    if (t->options->observer == NULL) {
        return PLS_OK;
    }
    pls_progress progress = {0};
    int64_t done = record->step - t->started_at;
    progress.steps = t->options->steps;
    progress.elapsed = pls_clock() - t->start;
    progress.remaining =
        done > 0 ? progress.elapsed / (double)done * (double)(t->options->steps - record->step)
                 : NAN;
    progress.monitor_share = progress.elapsed > 0.0 ? t->monitor.seconds / progress.elapsed : 0.0;
    return t->options->observer(t->options->observer_user, record, &progress);
}

static pls_status check_divergence(trainer *t, const pls_record *record) {
    bool grows = record->loss > DIVERGED * t->initial_loss && record->loss > t->previous_loss;
    t->previous_loss = record->loss;
    if (isfinite(record->loss) && !grows) {
        return PLS_OK;
    }
    double edge = isfinite(t->result->first.lambda_max) ? 2.0 / t->result->first.lambda_max : NAN;
    if (isfinite(edge)) {
        return pls_fail(t->system->device->context, PLS_DIVERGED,
                        "training diverged: the loss is %g at step %lld, from %g at the start; the "
                        "step size %g is %.3g times the critical 2/lambda_max(K_0) = %g",
                        record->loss, (long long)record->step, t->initial_loss, t->eta,
                        t->eta / edge, edge);
    }
    return pls_fail(
        t->system->device->context, PLS_DIVERGED,
        "training diverged: the loss is %g at step %lld, from %g at the start; choose a "
        "step size below %g",
        record->loss, (long long)record->step, t->initial_loss, t->eta);
}

/* Records step `step`; *stop when the loss has fallen as far as was asked. */
static pls_status record_step(trainer *t, int64_t step, bool last, bool due, bool *stop) {
    pls_context *context = t->system->device->context;
    pls_record record = empty_record(step);
    pls_status status = PLS_OK;
    PLS_TRY(context, record_point(t, &record));
    PLS_TRY(context, pls_linear_twin_compare(t->twin, t->views.f, &record));
    *stop = record.loss <= t->options->stop_at * t->initial_loss;
    pls_status diverged = check_divergence(t, &record);
    due = due || (*stop && pls_monitor_due(&t->monitor, step, true, 0.0));
    if (due && diverged == PLS_OK) {
        PLS_TRY(context, pls_monitor_measure(&t->monitor, last || *stop, &record));
    }
    t->result->last = record;
    PLS_TRY(context, tell_observer(t, &record));
    PLS_TRY(context, diverged);
cleanup:
    return status;
}

static pls_status take_step(trainer *t, int64_t step, bool has_gradient) {
    pls_record scratch;
    pls_status status = PLS_OK;
    pls_context *context = t->system->device->context;
    if (t->options->optimizer == PLS_OPTIMIZER_SGD) {
        PLS_TRY(context, pls_sgd_step(t->system, t->options, &t->views, step, t->indices, t->eta));
        PLS_TRY(context, pls_linear_twin_step(t->twin, t->monitor.first, t->indices, t->eta));
        goto cleanup;
    }
    scratch.loss = t->previous_loss;
    if (!has_gradient) {
        PLS_TRY(context, pls_full_gradient(t->system, t->options->loss, &t->views, &scratch));
    }
    if (t->options->optimizer == PLS_OPTIMIZER_LM) {
        PLS_TRY(context, pls_lm_step(&t->lm, t->options, &t->views, scratch.loss));
        goto cleanup;
    }
    PLS_TRY(context, pls_gd_step(t->system, &t->views, t->eta));
    PLS_TRY(context, pls_linear_twin_step(t->twin, t->monitor.first, NULL, t->eta));
cleanup:
    return status;
}

/* Whether the weights after a run that ended like this are those that it came to: a function of
 * the system that failed, or a kernel that is not finite, has changed none of them. */
static bool leaves_a_state(pls_status status) {
    return status == PLS_OK || status == PLS_CANCELLED || status == PLS_ERROR_CALLBACK ||
           status == PLS_ERROR_NUMERIC;
}

static pls_status loop(trainer *t, int64_t first_step, const pls_record *initial) {
    const pls_train_options *options = t->options;
    pls_context *context = t->system->device->context;
    bool stop = false;
    int64_t step = first_step;
    pls_status status = PLS_OK;
    for (;; step++) {
        bool last = step >= options->steps || t->lm.damping.stalled;
        bool due = pls_monitor_due(&t->monitor, step, last, pls_clock() - t->start);
        bool recorded = last || due || step % options->record_every == 0;
        t->result->steps = step;
        t->before = standing(t, step);
        PLS_TRY(context, pls_check_cancelled(context));
        if (options->checkpoint != NULL && step > first_step &&
            pls_clock() - t->last_checkpoint >= options->checkpoint_seconds) {
            PLS_TRY(context, save_checkpoint(t));
        }
        if (step == 0) { /* begin() has measured it */
            t->result->last = *initial;
            stop = initial->loss <= options->stop_at * t->initial_loss;
            PLS_TRY(context, tell_observer(t, initial));
        } else if (recorded) {
            PLS_TRY(context, record_step(t, step, last, due, &stop));
        }
        if (last || stop) {
            break;
        }
        PLS_TRY(context, take_step(t, step, recorded));
    }
cleanup:
    /* A checkpoint stands before the record of its step, so that a longer run can go on from here
     * and an interrupted one records this step again. */
    if (options->checkpoint != NULL && leaves_a_state(status)) {
        pls_status saved = save_checkpoint(t);
        status = saved != PLS_OK ? saved : status;
    }
    return status;
}

static void finish(trainer *t) {
    pls_train_result *result = t->result;
    result->step_size = t->eta;
    result->measurements = t->monitor.measurements;
    result->violations = t->monitor.violations;
    result->damping = t->lm.damping.lambda;
    result->rejected = t->lm.damping.rejected;
    result->stalled = t->lm.damping.stalled;
    result->lambda_min_infimum = t->monitor.lambda_min_infimum;
    result->infimum_floor = t->monitor.infimum_floor;
    result->seconds_measuring = t->monitor.seconds;
    result->seconds_steps =
        pls_clock() - t->start - result->seconds_measuring - result->seconds_checkpoints;
    result->first_spectrum = t->monitor.first_spectrum;
    result->spectrum = t->monitor.latest;
    t->monitor.first_spectrum.eigenvalues = NULL; /* now the result's */
    t->monitor.latest.eigenvalues = NULL;
    if (t->monitor.kernel != NULL && pls_kernel_is_matrix_free(t->monitor.kernel) != NULL) {
        snprintf(result->matrix_free, sizeof result->matrix_free, "%s",
                 pls_kernel_is_matrix_free(t->monitor.kernel));
    }
    result->first_bottom = t->monitor.first_bottom;
    result->bottom = t->monitor.last_bottom;
    t->monitor.first_bottom = t->monitor.last_bottom = (pls_bottom){0};
    pls_arena_destroy(&t->arena);
    pls_release(t->system->device->context, t->indices);
    pls_linear_twin_destroy(t->twin);
    pls_lm_destroy(&t->lm); /* before the kernel that it may share */
    pls_monitor_destroy(&t->monitor);
}

pls_status pls_train(pls_system *system, const pls_train_options *options,
                     pls_train_result *result) {
    pls_context *context = system->device->context;
    trainer t = {.system = system, .options = options, .result = result};
    int64_t first_step = 0;
    pls_record initial = empty_record(0);
    pls_status status = PLS_OK;
    memset(result, 0, sizeof *result);
    result->first = result->last = initial;
    t.arena = pls_arena_measuring(system->device);
    t.start = t.last_checkpoint = pls_clock();
    PLS_TRY(context, check_options(system, options));
    PLS_TRY(context, reserve(&t));
    status = begin(&t, &initial);
    if (status == PLS_CANCELLED && options->checkpoint != NULL && !options->resume &&
        t.before.initial_loss != 0.0) {
        pls_status saved = save_checkpoint(&t);
        status = saved != PLS_OK ? saved : status;
    }
    PLS_TRY(context, status);
    result->first = result->last = initial;
    if (options->resume) {
        PLS_TRY(context, resume(&t, &first_step));
        t.started_at = first_step;
    }
    PLS_TRY(context, loop(&t, first_step, &initial));
cleanup:
    finish(&t);
    return status;
}
