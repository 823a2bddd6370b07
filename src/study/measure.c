/* One cell: its network, what is measured at w_0, and the order of the rest.
 *
 *     ||grad F_i||^2 = K_ii,   lambda_min(K_0), lambda_max(K_0),   max ||H_i||,   ||K_0 - Theta||
 */
#include "study/direction.h"
#include "study/study.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

/* Of norms of Hessians: far below their spread over seeds. */
static const double HESSIAN_TOLERANCE = 1e-4;

const char *const pls_reasons[PLS_REASON_COUNT] = {
    [PLS_REASON_NOT_FINITE] = "the numbers left their range",
    [PLS_REASON_BELOW_FLOOR] = "lambda_min lies below its floor",
    [PLS_REASON_NO_LIMIT] = "there is no limit to compare with",
    [PLS_REASON_DIVERGED] = "gradient descent diverged",
    [PLS_REASON_NOT_REACHED] = "the loss asked for was not reached",
};

/* ---- values ---------------------------------------------------------------------------------- */

void pls_cell_value(pls_cell_run *run, pls_quantity quantity, double value, double error) {
    if (!isfinite(value)) {
        pls_cell_no_value(run, quantity, PLS_REASON_NOT_FINITE);
    } else if (pls_cell_asks(run, quantity)) {
        run->measured[quantity] = (pls_measured){value, NULL, error};
    }
}

void pls_cell_no_value(pls_cell_run *run, pls_quantity quantity, pls_reason reason) {
    if (pls_cell_asks(run, quantity)) {
        run->measured[quantity] = (pls_measured){NAN, pls_reasons[reason], 0.0};
    }
}

void pls_minima_add(pls_minima *minima, double lambda_min, double floor_value) {
    minima->hidden = minima->hidden || !(lambda_min > floor_value);
    minima->first = isnan(minima->first) ? lambda_min : minima->first;
    minima->least = fmin(minima->least, lambda_min);
    minima->most = fmax(minima->most, lambda_min);
}

static void value_minima(pls_cell_run *run) {
    const pls_minima *minima = &run->minima;
    if (minima->hidden || minima->cut) {
        pls_reason why = minima->cut ? PLS_REASON_DIVERGED : PLS_REASON_BELOW_FLOOR;
        pls_cell_no_value(run, PLS_QUANTITY_MU_LOSS, why);
        pls_cell_no_value(run, PLS_QUANTITY_MU_CHANGE, why);
        return;
    }
    double down = 1.0 - minima->least / minima->first, up = minima->most / minima->first - 1.0;
    pls_cell_value(run, PLS_QUANTITY_MU_LOSS, down, 0.0);
    pls_cell_value(run, PLS_QUANTITY_MU_CHANGE, fmax(down, up), 0.0);
}

/* ---- at w_0 ---------------------------------------------------------------------------------- */

pls_second_options pls_cell_hessian_options(const pls_cell_run *run) {
    return pls_quick_second_options(pls_system_parameters(run->system), HESSIAN_TOLERANCE,
                                    (uint64_t)run->cell.at[PLS_AXIS_SEED]);
}

static pls_status measure_spectrum(pls_cell_run *run) {
    pls_context *context = run->context;
    pls_spectrum spectrum = {0};
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_kernel_spectrum(run->kernel, NULL, &spectrum));
    pls_minima_add(&run->minima, spectrum.lambda_min, spectrum.floor);
    if (spectrum.below_floor) {
        pls_cell_no_value(run, PLS_QUANTITY_LAMBDA_MIN, PLS_REASON_BELOW_FLOOR);
    } else {
        pls_cell_value(run, PLS_QUANTITY_LAMBDA_MIN, spectrum.lambda_min, spectrum.floor);
    }
    pls_cell_value(run, PLS_QUANTITY_LAMBDA_MAX, spectrum.lambda_max, spectrum.floor);
cleanup:
    pls_spectrum_destroy(context, &spectrum);
    return status;
}

static pls_status measure_limit(pls_cell_run *run, const double *kernel) {
    pls_context *context = run->context;
    pls_infinite_width limit = {0};
    pls_status status =
        pls_infinite_width_compute(run->device, &run->model, run->study->data, 0.0, &limit);
    if (status == PLS_ERROR_UNSUPPORTED) {
        pls_error_clear(context);
        pls_cell_no_value(run, PLS_QUANTITY_INFINITE_DISTANCE, PLS_REASON_NO_LIMIT);
        return PLS_OK;
    }
    PLS_TRY(context, status);
    pls_cell_value(
        run, PLS_QUANTITY_INFINITE_DISTANCE,
        pls_infinite_width_distance(&limit, pls_system_outputs(run->system), false, kernel), 0.0);
cleanup:
    pls_infinite_width_destroy(context, &limit);
    return status;
}

/* What takes the elements of K_0. */
static pls_status measure_elements(pls_cell_run *run) {
    pls_context *context = run->context;
    int64_t size = pls_kernel_size(run->kernel);
    double *kernel = NULL, largest = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, size, (size_t)size * sizeof *kernel,
                                  "a copy of the kernel", &kernel));
    PLS_TRY(context, pls_kernel_download(run->kernel, kernel));
    for (int64_t i = 0; i < size; i++) {
        largest = fmax(largest, kernel[i * size + i]);
    }
    pls_cell_value(run, PLS_QUANTITY_GRADIENT_NORM, sqrt(largest), 0.0);
    if (pls_cell_asks(run, PLS_QUANTITY_INFINITE_DISTANCE)) {
        PLS_TRY(context, measure_limit(run, kernel));
    }
cleanup:
    pls_release(context, kernel);
    return status;
}

pls_status pls_cell_measure_kernel(pls_cell_run *run) {
    pls_context *context = run->context;
    pls_kernel_options options = pls_kernel_options_defaults();
    pls_status status = PLS_OK;
    options.method = PLS_KERNEL_STRUCTURED;
    PLS_TRY(context, pls_kernel_create(run->system, &options, &run->kernel));
    PLS_TRY(context, pls_kernel_compute(run->kernel));
    if (pls_cell_asks(run, PLS_QUANTITY_GRADIENT_NORM) ||
        pls_cell_asks(run, PLS_QUANTITY_INFINITE_DISTANCE)) {
        PLS_TRY(context, measure_elements(run));
    }
    if (pls_cell_asks(run, PLS_QUANTITY_LAMBDA_MIN) ||
        pls_cell_asks(run, PLS_QUANTITY_LAMBDA_MAX) || pls_study_asks_minima(run->study)) {
        PLS_TRY(context, measure_spectrum(run));
    }
cleanup:
    return status;
}

/* ---- a cell ---------------------------------------------------------------------------------- */

/* The system at w_0, and what is known of it there. */
static pls_status make(pls_device *device, pls_cell_run *run) {
    pls_context *context = run->context;
    const pls_study *study = run->study;
    pls_network_options options = pls_network_options_defaults();
    const char *what = "a cell of a study";
    pls_point point;
    pls_status status = PLS_OK;
    options.precision = PLS_F64;
    options.seed = (uint64_t)run->cell.at[PLS_AXIS_SEED];
    PLS_TRY(context, pls_allocate(context, pls_study_layers(study), sizeof *run->layers, what,
                                  &run->layers));
    PLS_TRY(context, pls_study_model(context, study, &run->cell, run->layers, &run->model));
    PLS_TRY(context,
            pls_network_system_create(device, &run->model, study->data, &options, &run->system));
    PLS_TRY(context, pls_system_initialize(run->system));
    PLS_TRY(context, pls_allocate(context, pls_system_parameters(run->system), sizeof(double), what,
                                  &run->origin));
    PLS_TRY(context, pls_allocate(context, pls_system_equations(run->system), sizeof(double), what,
                                  &run->outputs));
    PLS_TRY(context, pls_system_get_weights(run->system, run->origin));
    PLS_TRY(context, pls_system_measure(run->system, PLS_LOSS_SQUARE, &point, run->outputs, NULL));
    pls_cell_value(run, PLS_QUANTITY_FILLING,
                   (double)pls_system_parameters(run->system) /
                       (double)pls_system_equations(run->system),
                   0.0);
cleanup:
    return status;
}

static void destroy(pls_cell_run *run) {
    pls_kernel_destroy(run->kernel);
    pls_system_destroy(run->system);
    pls_release(run->context, run->layers);
    pls_release(run->context, run->origin);
    pls_release(run->context, run->outputs);
}

pls_status pls_study_measure(pls_device *device, const pls_study *study, const pls_cell *cell,
                             pls_measured *values) {
    pls_context *context = device->context;
    pls_cell_run run = {.device = device,
                        .context = context,
                        .study = study,
                        .cell = *cell,
                        .minima = {NAN, INFINITY, -INFINITY, false, false},
                        .measured = values};
    pls_status status = PLS_OK;
    memset(values, 0, PLS_QUANTITY_COUNT * sizeof *values);
    PLS_TRY(context, make(device, &run));
    if (pls_study_asks_kernel(study)) {
        PLS_TRY(context, pls_cell_measure_kernel(&run));
    }
    if (pls_study_asks_sphere(study) || pls_study_asks_hessians(study)) {
        PLS_TRY(context, pls_cell_measure_sphere(&run));
    }
    pls_kernel_destroy(run.kernel); /* the path has its own */
    run.kernel = NULL;
    if (pls_study_asks_path(study)) {
        PLS_TRY(context, pls_cell_measure_path(&run));
    }
    if (pls_study_asks_minima(study)) {
        value_minima(&run);
    }
cleanup:
    destroy(&run);
    return status;
}
