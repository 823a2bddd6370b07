/* The monitor; see monitor.h. */
#include "train/monitor.h"

#include "backend/phase.h"
#include "base/clock.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool pls_monitor_wanted(const pls_train_options *options) {
    return options->measure_every > 0 || options->measure_budget > 0.0;
}

bool pls_step_is_critical(const pls_train_options *options) {
    return options->step_rule == PLS_STEP_CRITICAL && options->optimizer != PLS_OPTIMIZER_LM;
}

static pls_status layout(pls_monitor *monitor) {
    pls_context *context = monitor->system->device->context;
    int64_t size = pls_kernel_size(monitor->kernel);
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(&monitor->arena, PLS_F64, size, size, &monitor->first));
    PLS_TRY(context, pls_arena_take(&monitor->arena, PLS_F64, 1, 1, &monitor->scalar));
cleanup:
    return status;
}

/* Room for K_0. Where there is none beside K, the kernel is not held at all. */
static pls_status hold_first(pls_monitor *monitor) {
    pls_context *context = monitor->system->device->context;
    char reason[PLS_REASON_SIZE];
    pls_status status = PLS_OK;
    PLS_TRY(context, layout(monitor));
    status = pls_arena_reserve(&monitor->arena, "the kernel at the start");
    if (status == PLS_ERROR_MEMORY && pls_kernel_may_let_go(monitor->kernel)) {
        snprintf(reason, sizeof reason, "%s", pls_error_text(context));
        return pls_kernel_let_go(monitor->kernel, reason);
    }
    PLS_TRY(context, status);
    PLS_TRY(context, layout(monitor));
cleanup:
    return status;
}

pls_status pls_monitor_create(pls_system *system, const pls_train_options *options,
                              pls_monitor *monitor) {
    pls_context *context = system->device->context;
    pls_status status = PLS_OK;
    memset(monitor, 0, sizeof *monitor);
    monitor->system = system;
    monitor->options = options;
    monitor->lambda_min_infimum = NAN;
    monitor->infimum_floor = NAN;
    monitor->arena = pls_arena_measuring(system->device);
    if (!pls_monitor_wanted(options) && !pls_step_is_critical(options) && !options->linearized) {
        return PLS_OK;
    }
    PLS_TRY(context, pls_kernel_create(system, &options->kernel, &monitor->kernel));
    if (pls_kernel_is_matrix_free(monitor->kernel) == NULL) {
        PLS_TRY(context, hold_first(monitor));
    }
    if (options->linearized) {
        PLS_TRY(context, pls_kernel_require_matrix(monitor->kernel, "train.linearized"));
    }
cleanup:
    return status;
}

void pls_monitor_destroy(pls_monitor *monitor) {
    if (monitor->system == NULL) {
        return;
    }
    pls_context *context = monitor->system->device->context;
    pls_spectrum_destroy(context, &monitor->first_spectrum);
    pls_spectrum_destroy(context, &monitor->latest);
    pls_bottom_destroy(context, &monitor->first_bottom);
    pls_bottom_destroy(context, &monitor->last_bottom);
    pls_arena_destroy(&monitor->arena);
    pls_kernel_destroy(monitor->kernel);
    memset(monitor, 0, sizeof *monitor);
}

bool pls_monitor_due(const pls_monitor *monitor, int64_t step, bool last, double elapsed) {
    const pls_train_options *options = monitor->options;
    if (!pls_monitor_wanted(options)) {
        return false;
    }
    if (step == 0 || last) {
        return true;
    }
    if (options->measure_every > 0) {
        return step % options->measure_every == 0;
    }
    return monitor->seconds + monitor->last_cost <=
           options->measure_budget * (elapsed + monitor->last_cost);
}

/* ||K_t - K_0||_F / ||K_0||_F; the first kernel becomes K_0. */
static pls_status kernel_change(pls_monitor *monitor, double *change) {
    pls_device *device = monitor->system->device;
    pls_context *context = device->context;
    pls_view matrix = monitor->kernel->matrix;
    double squared = 0.0;
    pls_status status = PLS_OK;
    *change = 0.0;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_CHANGE));
    if (!monitor->has_first) {
        PLS_TRY(context, pls_copy(device, matrix, monitor->first));
        PLS_TRY(context, pls_dot(device, matrix, matrix, monitor->scalar));
        PLS_TRY(context, pls_download(device, monitor->scalar, &squared, 1));
        monitor->first_norm = sqrt(squared);
        monitor->has_first = true;
        goto cleanup;
    }
    PLS_TRY(context, pls_squared_distance(device, matrix, monitor->first, monitor->scalar));
    PLS_TRY(context, pls_download(device, monitor->scalar, &squared, 1));
    *change = sqrt(squared) / monitor->first_norm;
cleanup:
    return pls_phase_end(device, status);
}

/* lambda_min <= rho <= lambda_max, as far as rounding lets one say. rho is not defined where the
 * loss is 0; anywhere else a rho that is not a number is a violation too. */
static bool identity_holds(const pls_monitor *monitor, const pls_spectrum *spectrum,
                           const pls_record *record) {
    const pls_system *system = monitor->system;
    double rho = record->pl_ratio;
    if (monitor->options->loss != PLS_LOSS_SQUARE || monitor->options->kernel.trace ||
        record->loss == 0.0) {
        return true;
    }
    double slack = spectrum->floor + system->kind->rounding_growth(system) *
                                         pls_dtype_roundoff(system->precision) *
                                         spectrum->lambda_max;
    bool above = isnan(spectrum->lambda_min)
                     ? rho >= -slack
                     : rho >= spectrum->lambda_min - spectrum->lambda_min_residual - slack;
    return above && rho <= spectrum->lambda_max + spectrum->lambda_max_residual + slack;
}

static pls_status keep_first(pls_monitor *monitor) {
    pls_context *context = monitor->system->device->context;
    pls_spectrum again = monitor->latest;
    again.eigenvalues = NULL;
    pls_spectrum_destroy(context, &monitor->first_spectrum);
    if (monitor->latest.eigenvalues == NULL) {
        monitor->first_spectrum = again;
        return PLS_OK;
    }
    pls_status status =
        pls_allocate(context, again.size, sizeof(double), "the eigenvalues", &again.eigenvalues);
    if (status == PLS_OK) {
        memcpy(again.eigenvalues, monitor->latest.eigenvalues, (size_t)again.size * sizeof(double));
        monitor->first_spectrum = again;
    }
    return status;
}

/* What takes the kernel itself: its change, its alignment, and who sets mu. */
static pls_status measure_matrix(pls_monitor *monitor, bool first, bool last, pls_record *record) {
    pls_context *context = monitor->system->device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, kernel_change(monitor, &record->kernel_change));
    PLS_TRY(context, pls_kernel_alignment(monitor->kernel, &record->kernel_alignment));
    if (first || last) {
        pls_bottom *bottom = first ? &monitor->first_bottom : &monitor->last_bottom;
        pls_bottom_destroy(context, bottom);
        PLS_TRY(context, pls_kernel_bottom(monitor->kernel, &monitor->latest, bottom));
    }
cleanup:
    return status;
}

pls_status pls_monitor_measure(pls_monitor *monitor, bool last, pls_record *record) {
    pls_context *context = monitor->system->device->context;
    double start = pls_clock();
    bool first = !monitor->has_first;
    pls_spectrum *spectrum = &monitor->latest;
    pls_spectrum_options how = monitor->options->spectrum;
    pls_status status = PLS_OK;
    how.full = how.full && (first || last);
    how.next = first || last;
    pls_spectrum_destroy(context, spectrum);
    PLS_TRY(context, pls_kernel_compute(monitor->kernel));
    PLS_TRY(context, pls_kernel_spectrum(monitor->kernel, &how, spectrum));
    record->kernel_change = record->kernel_alignment = NAN;
    if (pls_kernel_is_matrix_free(monitor->kernel) == NULL) {
        PLS_TRY(context, measure_matrix(monitor, first, last, record));
    }
    monitor->has_first = true;
    if (first) {
        PLS_TRY(context, keep_first(monitor));
    }
    record->measured = true;
    record->lambda_min = spectrum->lambda_min;
    record->lambda_min_lower = spectrum->lambda_min_lower;
    record->lambda_min_upper = spectrum->lambda_min_upper;
    record->lambda_max = spectrum->lambda_max;
    record->kernel_floor = spectrum->floor;
    record->condition_number = spectrum->condition_number;
    record->effective_rank = pls_effective_rank(spectrum);
    if (monitor->measurements == 0 || isnan(spectrum->lambda_min) ||
        spectrum->lambda_min < monitor->lambda_min_infimum) { /* once unknown, it stays so */
        monitor->lambda_min_infimum = spectrum->lambda_min;
        monitor->infimum_floor = spectrum->floor;
    }
    monitor->violations += !identity_holds(monitor, spectrum, record);
    monitor->measurements++;
    monitor->last_cost = pls_clock() - start;
    monitor->seconds += monitor->last_cost;
cleanup:
    return status;
}
