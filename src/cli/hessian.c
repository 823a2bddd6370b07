/* Hessians in plstar kernel: what is asked for, summary.json, hessian_density.npy, the terminal. */
#include "cli/hessian.h"

#include "cli/run.h"

#include <math.h>
#include <stdlib.h>

/* Points of the density's grid, how many widths of the smoothing it reaches beyond the outermost
 * nodes, and that width as a share of their range. */
enum { GRID_POINTS = 512, GRID_MARGIN = 4 };
static const double GRID_WIDTH = 0.01;

static bool is_of_loss(const settings *all) {
    return all->hessian.of != HESSIAN_NONE && all->hessian.of != HESSIAN_OUTPUTS;
}

static bool is_of_outputs(const settings *all) {
    return all->hessian.of != HESSIAN_NONE && all->hessian.of != HESSIAN_LOSS;
}

static pls_second_options options_of(const settings *all) {
    pls_second_options options = pls_second_options_defaults();
    options.tolerance = all->hessian.tolerance;
    options.seed = all->seed;
    options.kinks_are_zero = all->hessian.kinks != 0;
    options.memory = all->hessian.memory;
    return options;
}

pls_status hessian_check(cli *program, const settings *all, const experiment *built) {
    pls_second_options options = options_of(all);
    int64_t samples = pls_system_samples(built->system);
    if (all->hessian.samples > samples) {
        return cli_fail(program, PLS_ERROR_CONFIG,
                        "hessian.samples: is %lld, but the data has %lld samples",
                        (long long)all->hessian.samples, (long long)samples);
    }
    if (all->hessian.samples > 0 && !is_of_outputs(all)) {
        return cli_fail(program, PLS_ERROR_CONFIG,
                        "hessian.samples: is given, but no Hessians of outputs are asked for; add "
                        "--hessian outputs");
    }
    if (all->hessian.probes > 0 && !is_of_loss(all)) {
        return cli_fail(program, PLS_ERROR_CONFIG,
                        "hessian.probes: is given, but the Hessian of the loss, whose trace and "
                        "density they estimate, is not asked for; add --hessian loss");
    }
    return all->hessian.of == HESSIAN_NONE ? PLS_OK : pls_second_supported(built->system, &options);
}

/* ---- measuring ------------------------------------------------------------------------------- */

/* hessian_density.npy: rows of an eigenvalue and the smoothed density there. */
static pls_status write_density(cli *program, const char *folder, const pls_quadrature *found) {
    const int64_t shape[2] = {GRID_POINTS, 2};
    double grid[GRID_POINTS], density[GRID_POINTS], rows[2 * GRID_POINTS];
    double low = found->nodes[0], high = found->nodes[0];
    for (int64_t j = 1; j < found->count; j++) {
        low = fmin(low, found->nodes[j]);
        high = fmax(high, found->nodes[j]);
    }
    double width = GRID_WIDTH * (high > low ? high - low : fmax(fabs(high), 1.0));
    double start = low - GRID_MARGIN * width, end = high + GRID_MARGIN * width;
    for (int i = 0; i < GRID_POINTS; i++) {
        grid[i] = start + (end - start) * i / (GRID_POINTS - 1);
    }
    pls_quadrature_density(found, width, GRID_POINTS, grid, density);
    for (int i = 0; i < GRID_POINTS; i++) {
        rows[2 * i] = grid[i];
        rows[2 * i + 1] = density[i];
    }
    return run_write_array(program, folder, "hessian_density.npy", rows, 2, shape);
}

static pls_status measure_loss(cli *program, const settings *all, const experiment *built,
                               const char *folder, hessian_norms *found) {
    pls_second_options options = options_of(all);
    pls_quadrature_options quadrature = {all->hessian.probes, all->hessian.steps, all->seed};
    pls_loss loss = (pls_loss)all->train.loss;
    pls_status status = PLS_OK;
    CLI_TRY(pls_loss_hessian_norm(built->system, loss, &options, &found->loss));
    found->of_loss = true;
    if (all->hessian.probes > 0) {
        CLI_TRY(pls_loss_hessian_quadrature(built->system, loss, &quadrature, &options,
                                            &found->density));
        found->has_density = true;
        CLI_TRY(write_density(program, folder, &found->density));
    }
cleanup:
    return status;
}

static pls_status measure_outputs(cli *program, const settings *all, const experiment *built,
                                  hessian_norms *found) {
    pls_second_options options = options_of(all);
    int64_t samples = all->hessian.samples, k = pls_system_outputs(built->system);
    pls_status status = PLS_OK;
    samples = samples > 0 ? samples : pls_system_samples(built->system);
    CLI_TRY(cli_allocate(program, samples * k, sizeof *found->norms, "the norms of Hessians",
                         &found->norms));
    CLI_TRY(pls_output_hessian_norms(built->system, NULL, samples, &options, found->norms));
    found->samples = samples;
    found->outputs = k;
    found->of_outputs = true;
cleanup:
    return status;
}

pls_status hessian_measure(cli *program, const settings *all, const experiment *built,
                           const char *folder, summary *made, hessian_norms *found) {
    double start = cli_seconds();
    pls_status status = PLS_OK;
    if (is_of_loss(all)) {
        CLI_TRY(measure_loss(program, all, built, folder, found));
        summary_seconds(made, "loss_hessian", cli_seconds() - start);
    }
    start = cli_seconds();
    if (is_of_outputs(all)) {
        CLI_TRY(measure_outputs(program, all, built, found));
        summary_seconds(made, "output_hessians", cli_seconds() - start);
    }
cleanup:
    return status;
}

void hessian_destroy(cli *program, hessian_norms *found) {
    pls_quadrature_destroy(program->context, &found->density);
    free(found->norms);
    *found = (hessian_norms){0};
}

/* ---- summary.json ---------------------------------------------------------------------------- */

static void note_convergence(summary *made, const char *key, const pls_eigenvalue *found) {
    if (!found->converged) {
        summary_note(made,
                     "%s has a residual of %.3g after %lld products, more than hessian.tolerance "
                     "asks for",
                     key, found->residual, (long long)found->iterations);
    }
}

static void summarize_loss(summary *made, const hessian_norms *found) {
    const pls_loss_hessian *loss = &found->loss;
    const char *why = "it is not finite";
    summary_number(made, "loss_hessian_norm", loss->norm, why);
    summary_number(made, "loss_hessian_residual", loss->norm_residual, why);
    summary_number(made, "loss_hessian_lambda_max", loss->largest.value, why);
    summary_number(made, "loss_hessian_lambda_min", loss->smallest.value, why);
    summary_number(made, "loss_hessian_lambda_min_residual", loss->smallest.residual, why);
    note_convergence(made, "loss_hessian_lambda_max", &loss->largest);
    note_convergence(made, "loss_hessian_lambda_min", &loss->smallest);
    if (found->has_density) {
        summary_number(made, "loss_hessian_trace", found->density.trace, why);
        summary_number(made, "loss_hessian_trace_error", found->density.trace_error,
                       "one probe tells nothing of its own error");
    }
}

/* The values or the residuals of samples x outputs; NULL when memory ran out. */
static json_t *table_of(const hessian_norms *found, bool residuals) {
    json_t *table = json_array();
    for (int64_t i = 0; table != NULL && i < found->samples; i++) {
        json_t *row = json_array();
        for (int64_t a = 0; row != NULL && a < found->outputs; a++) {
            const pls_eigenvalue *norm = &found->norms[i * found->outputs + a];
            if (json_array_append_new(row, json_real(residuals ? norm->residual : norm->value)) !=
                0) {
                json_decref(row);
                row = NULL;
            }
        }
        if (row == NULL || json_array_append_new(table, row) != 0) {
            json_decref(table);
            table = NULL;
        }
    }
    return table;
}

static const pls_eigenvalue *largest_norm(const hessian_norms *found, int64_t *at) {
    *at = 0;
    for (int64_t p = 1; p < found->samples * found->outputs; p++) {
        *at = found->norms[p].value > found->norms[*at].value ? p : *at;
    }
    return &found->norms[*at];
}

static pls_status summarize_outputs(summary *made, const hessian_norms *found) {
    int64_t at = 0, doubtful = 0;
    pls_status status = PLS_OK;
    for (int64_t p = 0; p < found->samples * found->outputs; p++) {
        doubtful += !found->norms[p].converged;
    }
    CLI_TRY(summary_object(made, "output_hessian_norm", table_of(found, false)));
    CLI_TRY(summary_object(made, "output_hessian_residual", table_of(found, true)));
    summary_number(made, "output_hessian_norm_max", largest_norm(found, &at)->value,
                   "it is not finite");
    if (doubtful > 0) {
        summary_note(made, "%lld of output_hessian_norm have residuals above hessian.tolerance",
                     (long long)doubtful);
    }
cleanup:
    return status;
}

pls_status hessian_summarize(summary *made, const hessian_norms *found) {
    if (found->of_loss) {
        summarize_loss(made, found);
    }
    return found->of_outputs ? summarize_outputs(made, found) : PLS_OK;
}

/* ---- for people ------------------------------------------------------------------------------ */

void hessian_print(const hessian_norms *found) {
    if (found->of_loss) {
        printf("Hessian     of the loss: norm %.6g, eigenvalues from %.6g to %.6g\n",
               found->loss.norm, found->loss.smallest.value, found->loss.largest.value);
    }
    if (found->has_density) {
        printf("            trace %.6g", found->density.trace);
        if (isfinite(found->density.trace_error)) {
            printf(" +- %.2g", found->density.trace_error);
        }
        printf(" from %lld probes\n", (long long)found->density.probes);
    }
    if (found->of_outputs) {
        int64_t at = 0;
        const pls_eigenvalue *largest = largest_norm(found, &at);
        printf("Hessian     of %lld outputs of %lld samples: the largest norm is %.6g (sample "
               "%lld, output %lld)\n",
               (long long)found->outputs, (long long)found->samples, largest->value,
               (long long)(at / found->outputs), (long long)(at % found->outputs));
    }
}
