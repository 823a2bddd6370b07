/* plstar kernel: F, loss, gradient, K = J J^T and its spectrum at the initial weights. */
#include "cli/bottom.h"
#include "cli/commands.h"
#include "cli/density.h"
#include "cli/hessian.h"
#include "cli/run.h"

#include <math.h>
#include <stdlib.h>

/* Bytes of Jacobian rows that are held at a time. */
static const double JACOBIAN_PIECE = 64e6;

typedef struct kernel_run {
    cli *program;
    settings settings;
    experiment experiment;
    summary summary;
    char *folder;
    pls_point point;
    pls_kernel *kernel;
    pls_spectrum spectrum;
    pls_infinite_width limit; /* no kernel in it where it was not asked for */
    double distance;          /* of the kernel from it */
    pls_bottom bottom;
    double alignment;
    hessian_norms hessian;
    pls_quadrature density; /* of a kernel that is not held */
} kernel_run;

/* The limit of the kernel. Made before the folder, so that a model without one leaves nothing. */
static pls_status find_limit(kernel_run *run) {
    pls_status status = PLS_OK;
    double start = cli_seconds();
    CLI_TRY(pls_infinite_width_compute(run->experiment.device, &run->experiment.model,
                                       &run->experiment.data,
                                       run->settings.output.infinite_tolerance, &run->limit));
    summary_seconds(&run->summary, "infinite_width", cli_seconds() - start);
cleanup:
    return status;
}

static pls_status write_limit(kernel_run *run) {
    int64_t shape[2] = {run->limit.samples, run->limit.samples};
    return run_write_array(run->program, run->folder, "kernel_infinite.npy", run->limit.kernel, 2,
                           shape);
}

/* F, loss and gradient; outputs.npy and, where asked for, gradient.npy. */
static pls_status measure_point(kernel_run *run) {
    pls_system *system = run->experiment.system;
    int64_t shape[2] = {pls_system_samples(system), pls_system_outputs(system)};
    int64_t parameters = pls_system_parameters(system);
    double *outputs = NULL, *gradient = NULL;
    pls_status status = PLS_OK;
    double start = cli_seconds();
    CLI_TRY(cli_allocate(run->program, pls_system_equations(system), sizeof *outputs, "the outputs",
                         &outputs));
    if (run->settings.output.gradient) {
        CLI_TRY(
            cli_allocate(run->program, parameters, sizeof *gradient, "the gradient", &gradient));
    }
    CLI_TRY(pls_system_measure(system, (pls_loss)run->settings.train.loss, &run->point, outputs,
                               gradient));
    summary_seconds(&run->summary, "gradient", cli_seconds() - start);
    CLI_TRY(run_write_array(run->program, run->folder, "outputs.npy", outputs, 2, shape));
    if (gradient != NULL) {
        CLI_TRY(
            run_write_array(run->program, run->folder, "gradient.npy", gradient, 1, &parameters));
    }
cleanup:
    free(gradient);
    free(outputs);
    return status;
}

/* What is done with the kernel's elements: kernel.npy, and the distance from the limit. */
static pls_status take_elements(kernel_run *run) {
    int64_t size = pls_kernel_size(run->kernel);
    int64_t shape[2] = {size, size};
    bool limit = run->limit.kernel != NULL;
    double *matrix = NULL; /* size x size */
    pls_status status = PLS_OK;
    CLI_TRY(cli_allocate(run->program, size, (size_t)size * sizeof *matrix,
                         limit ? "a copy of the kernel (output.kernel and output.infinite: false "
                                 "do without)"
                               : "a copy of the kernel (output.kernel: false does without)",
                         &matrix));
    CLI_TRY(pls_kernel_download(run->kernel, matrix));
    if (run->settings.output.kernel) {
        CLI_TRY(run_write_array(run->program, run->folder, "kernel.npy", matrix, 2, shape));
    }
    if (limit) {
        run->distance =
            pls_infinite_width_distance(&run->limit, pls_system_outputs(run->experiment.system),
                                        run->settings.monitor.trace, matrix);
    }
cleanup:
    free(matrix);
    return status;
}

/* What takes the kernel itself: its alignment, and who sets mu. */
static pls_status measure_matrix(kernel_run *run) {
    double start = cli_seconds();
    pls_status status = PLS_OK;
    CLI_TRY(pls_kernel_alignment(run->kernel, &run->alignment));
    CLI_TRY(pls_kernel_bottom(run->kernel, &run->spectrum, &run->bottom));
    CLI_TRY(bottom_write_samples(run->program, run->folder, &run->bottom, &run->experiment));
    summary_seconds(&run->summary, "bottom", cli_seconds() - start);
cleanup:
    return status;
}

/* What products with the kernel tell instead: kernel_density.npy, and its trace. */
static pls_status measure_density(kernel_run *run) {
    const settings *all = &run->settings;
    pls_quadrature_options options = pls_quadrature_options_defaults();
    double start = cli_seconds();
    pls_status status = PLS_OK;
    run->alignment = run->distance = NAN;
    options.probes = all->monitor.probes;
    options.seed = all->seed;
    if (options.probes > 0) {
        CLI_TRY(pls_kernel_density(run->kernel, &options, &run->density));
        CLI_TRY(density_write(run->program, run->folder, "kernel_density.npy", &run->density));
        summary_seconds(&run->summary, "density", cli_seconds() - start);
        run->spectrum.trace = run->density.trace;
    }
cleanup:
    return status;
}

static pls_status measure_kernel(kernel_run *run) {
    pls_kernel_options kernel = experiment_kernel_options(&run->settings);
    pls_spectrum_options spectrum = experiment_spectrum_options(&run->settings);
    pls_status status = PLS_OK;
    double start = cli_seconds();
    CLI_TRY(pls_kernel_create(run->experiment.system, &kernel, &run->kernel));
    CLI_TRY(pls_kernel_compute(run->kernel));
    summary_seconds(&run->summary, "kernel", cli_seconds() - start);
    bool held = pls_kernel_is_matrix_free(run->kernel) == NULL;
    if (held && (run->settings.output.kernel || run->limit.kernel != NULL)) {
        CLI_TRY(take_elements(run));
    }
    start = cli_seconds();
    spectrum.next = held;
    CLI_TRY(pls_kernel_spectrum(run->kernel, &spectrum, &run->spectrum));
    summary_seconds(&run->summary, "spectrum", cli_seconds() - start);
    CLI_TRY(held ? measure_matrix(run) : measure_density(run));
    if (run->spectrum.eigenvalues != NULL) {
        CLI_TRY(run_write_array(run->program, run->folder, "eigenvalues.npy",
                                run->spectrum.eigenvalues, 1, &run->spectrum.size));
    }
cleanup:
    return status;
}

/* Rows of J, a few samples at a time: N x P numbers may be more than the memory holds. */
static pls_status write_jacobian(kernel_run *run) {
    pls_system *system = run->experiment.system;
    int64_t samples = pls_system_samples(system), outputs = pls_system_outputs(system);
    int64_t shape[2] = {pls_system_equations(system), pls_system_parameters(system)};
    double row_bytes = 8.0 * (double)outputs * (double)shape[1];
    int64_t piece = row_bytes < JACOBIAN_PIECE ? (int64_t)(JACOBIAN_PIECE / row_bytes) : 1;
    double *rows = NULL; /* piece k x P */
    char *path = NULL;
    pls_npy_writer *writer = NULL;
    pls_status status = PLS_OK;
    double start = cli_seconds();
    piece = piece < samples ? piece : samples;
    CLI_TRY(cli_allocate(run->program, piece * outputs, (size_t)shape[1] * sizeof *rows,
                         "rows of the Jacobian", &rows));
    CLI_TRY(cli_format(run->program, &path, "%s/jacobian.npy", run->folder));
    CLI_TRY(pls_npy_create(run->program->context, path, 2, shape, &writer));
    for (int64_t first = 0; first < samples; first += piece) {
        int64_t count = samples - first < piece ? samples - first : piece;
        CLI_TRY(pls_system_jacobian(system, first, count, rows));
        CLI_TRY(pls_npy_append(writer, rows, count * outputs * shape[1]));
    }
    status = pls_npy_commit(writer);
    writer = NULL;
    summary_seconds(&run->summary, "jacobian", cli_seconds() - start);
cleanup:
    pls_npy_discard(writer);
    free(path);
    free(rows);
    return status;
}

static bool limit_is_below_floor(const pls_infinite_width *limit) {
    return !(limit->lambda_min > limit->floor);
}

static void summarize_limit(kernel_run *run) {
    summary *made = &run->summary;
    const pls_infinite_width *limit = &run->limit;
    const char *why = "it is not finite";
    summary_number(made, "infinite_width_distance", run->distance,
                   "the limit is 0, or the kernel itself is not held");
    summary_number(made, "infinite_width_lambda_min", limit->lambda_min, why);
    summary_number(made, "infinite_width_lambda_max", limit->lambda_max, why);
    summary_number(made, "infinite_width_floor", limit->floor, why);
    summary_integer(made, "infinite_width_order", limit->order);
    summary_number(made, "infinite_width_error", limit->error, why);
    if (limit_is_below_floor(limit)) {
        summary_note(made,
                     "infinite_width_lambda_min is below its floor of %.3g: rounding hides its "
                     "value and its sign",
                     limit->floor);
    }
}

/* kernel_ways: how each layer's contribution was computed; counts only where there was a choice. */
static pls_status summarize_ways(kernel_run *run) {
    json_t *list = json_array();
    pls_kernel_way way;
    for (int64_t i = 0; list != NULL && pls_kernel_way_of(run->kernel, i, &way); i++) {
        json_t *item =
            json_pack("{s:I, s:s, s:I}", "layer", (json_int_t)way.layer, "way",
                      way.by_rows ? "rows" : "structured", "samples", (json_int_t)way.samples);
        if (item != NULL && way.rows_operations > 0.0 &&
            (json_object_set_new(item, "structured_operations",
                                 json_real(way.structured_operations)) != 0 ||
             json_object_set_new(item, "rows_operations", json_real(way.rows_operations)) != 0)) {
            json_decref(item);
            item = NULL;
        }
        if (item == NULL || json_array_append_new(list, item) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return summary_object(&run->summary, "kernel_ways", list);
}

/* Of the layers that had a choice. */
static void print_ways(const kernel_run *run) {
    pls_kernel_way way;
    for (int64_t i = 0; pls_kernel_way_of(run->kernel, i, &way); i++) {
        if (way.rows_operations > 0.0) {
            printf("layers.%-4lld by %s: %.3g operations for sums over positions, %.3g for rows "
                   "(%lld samples)\n",
                   (long long)way.layer, way.by_rows ? "rows" : "positions",
                   way.structured_operations, way.rows_operations, (long long)way.samples);
        }
    }
}

static pls_status summarize(kernel_run *run) {
    summary *made = &run->summary;
    const pls_point *point = &run->point;
    const pls_spectrum *spectrum = &run->spectrum;
    const char *matrix_free = pls_kernel_is_matrix_free(run->kernel);
    pls_status status = PLS_OK;
    summary_describe(made, &run->settings, &run->experiment);
    summary_number(made, "loss", point->loss, "the outputs are not finite");
    summary_number(made, "gradient_norm", point->gradient_norm, "the outputs are not finite");
    summary_number(made, "pl_ratio", point->pl_ratio,
                   point->loss == 0.0 ? "the loss is 0" : "the infimum of the loss is not 0");
    summary_spectrum(made, spectrum->lambda_min, spectrum->lambda_min_lower,
                     spectrum->lambda_min_upper, spectrum->lambda_max, spectrum->condition_number,
                     spectrum->floor,
                     "the Lanczos method did not reach it within monitor.products products");
    summary_number(made, "kernel_floor_estimate", spectrum->floor_estimate, "there is none");
    summary_number(made, "kernel_trace", spectrum->trace,
                   "the kernel is not held and monitor.probes is 0");
    if (matrix_free != NULL) {
        summary_text(made, "kernel_matrix_free", matrix_free);
    }
    if (run->density.probes > 0) {
        summary_number(made, "kernel_trace_error", run->density.trace_error,
                       "one probe tells nothing of its own error");
    }
    if (run->limit.kernel != NULL) {
        summarize_limit(run);
    }
    summary_number(made, "effective_rank", pls_effective_rank(spectrum),
                   "the kernel is 0, or its trace is not known");
    summary_number(made, "kernel_alignment", run->alignment,
                   matrix_free != NULL ? "the kernel itself is not held"
                                       : "the kernel or the targets are 0");
    if (spectrum->refined) {
        summary_note(made, "the spectrum was measured on a float64 copy of the network");
    }
    if (spectrum->shift != 0.0) {
        summary_note(made, "%.3g was added to the kernel's diagonal to factorise it",
                     spectrum->shift);
    }
    CLI_TRY(hessian_summarize(made, &run->hessian));
    CLI_TRY(summarize_ways(run));
    CLI_TRY(bottom_summarize(made, "bottom_eigenvector", -1, &run->bottom, &run->experiment,
                             matrix_free != NULL ? "the kernel itself is not held"
                                                 : "the kernel is 0"));
cleanup:
    return status;
}

/* rho = r^T K r / ||r||^2 lies between the extreme eigenvalues for the square loss. */
static void print_ratio(const kernel_run *run) {
    const pls_spectrum *spectrum = &run->spectrum;
    double ratio = run->point.pl_ratio;
    bool applies = run->settings.train.loss == PLS_LOSS_SQUARE && !run->settings.monitor.trace;
    if (isnan(ratio)) {
        printf("PL ratio    not defined at this point\n");
        return;
    }
    double lowest = isnan(spectrum->lambda_min) ? 0.0 : spectrum->lambda_min;
    bool inside = ratio >= lowest - spectrum->lambda_min_residual - spectrum->floor &&
                  ratio <= spectrum->lambda_max + spectrum->lambda_max_residual + spectrum->floor;
    printf("PL ratio    %.6g%s\n", ratio,
           !applies ? ""
           : inside ? ", between the extreme eigenvalues as it must be"
                    : ", OUTSIDE the extreme eigenvalues, which cannot be");
}

static void print_limit(const kernel_run *run) {
    const pls_infinite_width *limit = &run->limit;
    printf(
        "limit       the kernel is %.3g (relative) from that at infinite width, whose lambda_min "
        "is ",
        run->distance);
    if (limit_is_below_floor(limit)) {
        printf("below the floor of %.3g\n", limit->floor);
    } else {
        printf("%.6g\n", limit->lambda_min);
    }
}

static void print_summary(const kernel_run *run, double seconds, const char *report) {
    const pls_spectrum *spectrum = &run->spectrum;
    run_print_head(&run->experiment);
    printf("loss        %.6g, gradient norm %.6g\n", run->point.loss, run->point.gradient_norm);
    run_print_mu(spectrum->lambda_min, spectrum->lambda_min_lower, spectrum->lambda_min_upper,
                 spectrum->floor);
    printf("lambda_max  %.6g", spectrum->lambda_max);
    if (isfinite(spectrum->condition_number)) {
        printf(", condition number %.6g", spectrum->condition_number);
    }
    putchar('\n');
    if (run->density.probes > 0) {
        printf("kernel      not held; ");
        density_print(&run->density);
    }
    bottom_print(&run->bottom);
    print_ratio(run);
    if (run->limit.kernel != NULL) {
        print_limit(run);
    }
    hessian_print(&run->hessian);
    print_ways(run);
    printf("time        %.3g s\n", seconds);
    printf("folder      %s\n", run->folder);
    if (report != NULL) {
        printf("report      %s\n", report);
    }
}

pls_status command_kernel(cli *program, const command_line *given) {
    kernel_run run = {.program = program};
    pls_status status = PLS_OK;
    char *report = NULL;
    double start = cli_seconds();
    CLI_TRY(run_settings(program, given, &run.settings));
    CLI_TRY(summary_create(program, &run.summary));
    CLI_TRY(experiment_create(program, &run.settings, &run.experiment));
    if (run.settings.output.infinite) {
        CLI_TRY(find_limit(&run));
    }
    CLI_TRY(hessian_check(program, &run.settings, &run.experiment));
    CLI_TRY(run_folder(program, given, &run.settings, &run.folder));
    if (run.limit.kernel != NULL) {
        CLI_TRY(write_limit(&run));
    }
    CLI_TRY(measure_point(&run));
    CLI_TRY(measure_kernel(&run));
    CLI_TRY(hessian_measure(program, &run.settings, &run.experiment, run.folder, &run.summary,
                            &run.hessian));
    if (run.settings.output.jacobian) {
        CLI_TRY(write_jacobian(&run));
    }
    CLI_TRY(summarize(&run));
    CLI_TRY(summary_device_seconds(&run.summary, run.experiment.device));
    CLI_TRY(summary_write(&run.summary, run.folder));
    run_report(program, &run.settings, run.folder, &report);
    if (!program->quiet && !program->json) {
        print_summary(&run, cli_seconds() - start, report);
    }
cleanup:
    free(report);
    pls_quadrature_destroy(program->context, &run.density);
    hessian_destroy(program, &run.hessian);
    pls_bottom_destroy(program->context, &run.bottom);
    pls_spectrum_destroy(program->context, &run.spectrum);
    pls_kernel_destroy(run.kernel);
    pls_infinite_width_destroy(program->context, &run.limit);
    experiment_destroy(program, &run.experiment);
    summary_destroy(&run.summary);
    settings_release(&run.settings);
    free(run.folder);
    return status;
}
