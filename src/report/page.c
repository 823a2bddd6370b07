/* The page report.html: verdict, key numbers, figures, notes, configuration, machine, times, and
 * how to repeat the run. Everything that comes from a file passes through pls_text_escape(). */
#include "report/page.h"

#include "report/bottom.h"
#include "report/claims.h"
#include "report/page_style.h"
#include "report/slopes.h"
#include "report/study_figures.h"
#include "report/verdict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_ROWS = 12, MOST_OBJECTS = 32 };

/* Keys of the summary that have a place of their own in the page. */
static const char *const placed_keys[] = {"command",
                                          "title",
                                          "loss",
                                          "gradient_norm",
                                          "pl_ratio",
                                          "lambda_min",
                                          "lambda_min_lower",
                                          "lambda_min_upper",
                                          "lambda_max",
                                          "condition_number",
                                          "kernel_floor",
                                          "loss_hessian_norm",
                                          "loss_hessian_lambda_min",
                                          "loss_hessian_trace",
                                          "loss_hessian_trace_error",
                                          "output_hessian_norm_max",
                                          "infinite_width_distance",
                                          "infinite_width_lambda_min",
                                          "infinite_width_lambda_max",
                                          "infinite_width_floor",
                                          "device",
                                          "precision",
                                          "gram",
                                          "version",
                                          "seconds",
                                          "device_seconds",
                                          "notes",
                                          "steps",
                                          "step_size",
                                          "optimizer",
                                          "initial_loss",
                                          "stopped",
                                          "samples",
                                          "outputs",
                                          "equations",
                                          "parameters",
                                          "model",
                                          "system",
                                          "system_type",
                                          "data",
                                          "mu_infimum",
                                          "mu_infimum_floor",
                                          "monitor_share",
                                          "kernel_alignment",
                                          "effective_rank",
                                          "linear_loss",
                                          "linear_distance",
                                          "study",
                                          "purpose",
                                          "grid",
                                          "cells",
                                          "cells_done",
                                          "audited_samples",
                                          "audited_equations",
                                          "claims_checked",
                                          "claims_hold",
                                          "claims_violated",
                                          "claims_not_applicable",
                                          "laws_violated",
                                          PLS_BOTTOM_KEY,
                                          PLS_BOTTOM_INITIAL_KEY};

static void escape(pls_text *page, const char *string) {
    pls_text_escape(page, string, (int64_t)strlen(string));
}

static void append_json(pls_text *page, const json_t *value);

/* "name value, name value" */
static void append_object(pls_text *page, const json_t *object) {
    const char *key = NULL;
    json_t *member = NULL;
    bool first = true;
    json_object_foreach((json_t *)object, key, member) {
        pls_text_append(page, first ? "" : ", ");
        escape(page, key);
        pls_text_append(page, " ");
        append_json(page, member);
        first = false;
    }
}

/* "name value, name value; name value, name value" */
static void append_objects(pls_text *page, const json_t *list) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        pls_text_append(page, i > 0 ? "; " : "");
        append_json(page, json_array_get(list, i));
    }
}

/* Any JSON value as escaped text. */
static void append_json(pls_text *page, const json_t *value) {
    if (json_is_string(value)) {
        pls_text_escape(page, json_string_value(value), (int64_t)json_string_length(value));
    } else if (json_is_number(value)) {
        pls_text_number(page, json_number_value(value));
    } else if (json_is_boolean(value)) {
        pls_text_append(page, json_is_true(value) ? "yes" : "no");
    } else if (json_is_object(value)) {
        append_object(page, value);
    } else if (json_is_object(json_array_get(value, 0)) && json_array_size(value) <= MOST_OBJECTS) {
        append_objects(page, value);
    } else {
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(4));
        if (text != NULL) {
            size_t most = 600, length = strlen(text);
            while (length > most && most > 0 && ((unsigned char)text[most] & 0xC0) == 0x80) {
                most--; /* not inside a character */
            }
            pls_text_escape(page, text, (int64_t)(length < most ? length : most));
            pls_text_append(page, length > most ? " …" : "");
        }
        free(text);
    }
}

static bool is_shown(const json_t *value) {
    return value != NULL && !json_is_null(value) &&
           !(json_is_string(value) && json_string_length(value) == 0);
}

/* ---- key numbers ------------------------------------------------------------------------- */

/* A row of a table whose value the caller appends before end_value(). */
static void start_value(pls_text *page, const char *name, const char *meaning) {
    pls_text_format(page, "<tr><th scope=\"row\">%s<small>%s</small></th><td>", name, meaning);
}

static void end_value(pls_text *page) {
    pls_text_append(page, "</td></tr>\n");
}

static void number_row(pls_text *page, const char *name, const char *meaning, double value) {
    if (!isnan(value)) {
        start_value(page, name, meaning);
        pls_text_number(page, value);
        end_value(page);
    }
}

/* An end of an interval, rounded outwards, with as many digits as tell it from the other end. */
static void append_end(pls_text *page, double value, double width, double floor_value,
                       pls_rounding rounding) {
    if (pls_below_floor(value, floor_value)) {
        pls_text_append(page, "below the floor");
        return;
    }
    char number[PLS_NUMBER_SIZE];
    double wanted = width > 0.0 ? ceil(log10(value / width)) + 2.0 : 4.0;
    int digits = (int)fmin(fmax(wanted, 4.0), 12.0);
    pls_text_append(page, pls_number(value, digits, rounding, number));
}

static void eigenvalue_row(pls_text *page, const char *name, const char *meaning, double value,
                           double lower, double upper, double floor_value) {
    if (isnan(value)) {
        return;
    }
    start_value(page, name, meaning);
    pls_text_eigenvalue(page, value, floor_value);
    if (!pls_below_floor(value, floor_value) && (!isnan(lower) || !isnan(upper))) {
        double width = upper - lower;
        pls_text_append(page, isnan(upper) ? "<small>at least " : "<small>");
        if (isnan(lower)) {
            pls_text_append(page, "at most ");
        } else {
            pls_text_append(page, isnan(upper) ? "" : "in [");
            append_end(page, lower, width, floor_value, PLS_ROUND_DOWN);
        }
        if (!isnan(upper)) {
            pls_text_append(page, isnan(lower) ? "" : ", ");
            append_end(page, upper, width, floor_value, PLS_ROUND_UP);
            pls_text_append(page, isnan(lower) ? "" : "]");
        }
        pls_text_append(page, "</small>");
    }
    end_value(page);
}

static void condition_row(pls_text *page, const pls_report_run *run) {
    double condition = pls_report_number(run, "condition_number");
    double floor_value = pls_report_number(run, "kernel_floor");
    double low = pls_report_number(run, "lambda_min"), high = pls_report_number(run, "lambda_max");
    bool below = pls_below_floor(low, floor_value);
    if (isnan(condition) && !(below && floor_value > 0.0 && !isnan(high))) {
        return;
    }
    start_value(page, "Condition number <i>κ</i>(<i>K</i>)",
                "<i>λ</i><sub>max</sub> / <i>λ</i><sub>min</sub>");
    if (!below) {
        pls_text_number(page, condition);
    } else if (floor_value > 0.0 && !isnan(high)) {
        pls_text_append(page, "above ");
        pls_text_number(page, high / floor_value);
        pls_text_append(page, "<small><i>λ</i><sub>min</sub> is below the floor</small>");
    } else {
        pls_text_append(page, "not known");
    }
    end_value(page);
}

/* A number of the end of the run, and beneath it the one of the first row that has it. */
static void moving_row(pls_text *page, const pls_report_run *run, const char *key,
                       pls_metric metric, const char *name, const char *meaning) {
    double value = pls_report_number(run, key);
    if (isnan(value)) {
        return;
    }
    start_value(page, name, meaning);
    pls_text_number(page, value);
    for (int64_t i = 0; i < run->metrics.rows; i++) {
        if (!isnan(run->metrics.column[metric][i])) {
            pls_text_append(page, "<small>at the start ");
            pls_text_number(page, run->metrics.column[metric][i]);
            pls_text_append(page, "</small>");
            break;
        }
    }
    end_value(page);
}

static void size_row(pls_text *page, const pls_report_run *run) {
    double samples = pls_report_number(run, "samples"), outputs = pls_report_number(run, "outputs");
    double equations = pls_report_number(run, "equations");
    double parameters = pls_report_number(run, "parameters");
    if (isnan(equations)) {
        equations = samples * outputs;
    }
    if (!isnan(equations)) {
        start_value(page, "Equations <i>N</i>", "samples × outputs");
        pls_text_integer(page, equations);
        if (!isnan(samples) && !isnan(outputs)) {
            pls_text_append(page, "<small>");
            pls_text_integer(page, samples);
            pls_text_append(page, " × ");
            pls_text_integer(page, outputs);
            pls_text_append(page, "</small>");
        }
        end_value(page);
    } else {
        number_row(page, "Samples", "inputs of the data set", samples);
        number_row(page, "Outputs", "of the network", outputs);
    }
    if (!isnan(parameters)) {
        start_value(page, "Parameters <i>P</i>",
                    "more of them than equations is over-parameterized");
        pls_text_integer(page, parameters);
        if (equations > 0.0) {
            char number[PLS_NUMBER_SIZE];
            pls_text_format(page, "<small><i>P</i>/<i>N</i> = %s</small>",
                            pls_number(parameters / equations, 3, PLS_ROUND_NEAREST, number));
        }
        end_value(page);
    }
}

/* Second derivatives, where they were asked for. */
static void hessian_rows(pls_text *page, const pls_report_run *run) {
    double trace = pls_report_number(run, "loss_hessian_trace");
    double error = pls_report_number(run, "loss_hessian_trace_error");
    number_row(page, "Hessian norm ‖<i>H<sub>L</sub></i>‖", "of the loss, spectral",
               pls_report_number(run, "loss_hessian_norm"));
    number_row(page, "<i>λ</i><sub>min</sub>(<i>H<sub>L</sub></i>)",
               "negative: the loss is not convex here",
               pls_report_number(run, "loss_hessian_lambda_min"));
    if (!isnan(trace)) {
        start_value(page, "Trace of <i>H<sub>L</sub></i>", "estimated with random vectors");
        pls_text_number(page, trace);
        if (!isnan(error)) {
            pls_text_append(page, "<small>standard error ");
            pls_text_number(page, error);
            pls_text_append(page, "</small>");
        }
        end_value(page);
    }
    number_row(page, "Largest ‖<i>H<sub>i,a</sub></i>‖",
               "Hessian of one output of one sample; it bounds how fast <i>K</i> changes",
               pls_report_number(run, "output_hessian_norm_max"));
}

static void loss_rows(pls_text *page, const pls_report_run *run, const pls_report_facts *facts) {
    if (!isnan(facts->loss)) {
        start_value(page, "Loss <i>L</i>",
                    facts->square ? "½‖<i>F</i>(<i>w</i>) − <i>y</i>‖², a sum over all equations"
                                  : "cross entropy, a sum over all samples");
        pls_text_number(page, facts->loss);
        if (!isnan(facts->initial_loss)) {
            pls_text_append(page, "<small>at the start ");
            pls_text_number(page, facts->initial_loss);
            pls_text_append(page, "</small>");
        }
        end_value(page);
    }
    moving_row(page, run, "linear_loss", PLS_METRIC_LINEAR_LOSS, "Loss of the linearised network",
               "<i>L</i>(<i>f</i><sub>lin</sub>)");
    number_row(page, "Distance from the linearised network",
               "‖<i>f</i> − <i>f</i><sub>lin</sub>‖, of the outputs",
               pls_report_number(run, "linear_distance"));
    number_row(page, "Gradient norm ‖∇<i>L</i>‖", "Euclidean",
               pls_report_number(run, "gradient_norm"));
    number_row(page, "PL ratio <i>ρ</i>", "½‖∇<i>L</i>‖² / <i>L</i>",
               pls_report_number(run, "pl_ratio"));
    hessian_rows(page, run);
    if (run->is_train) {
        number_row(page, "Steps", "", facts->steps > 0.0 ? facts->steps : NAN);
        number_row(page, "Step size <i>η</i>", "", pls_report_number(run, "step_size"));
    }
    size_row(page, run);
}

/* The limit of infinite width, where it was asked for. */
static void limit_rows(pls_text *page, const pls_report_run *run) {
    double floor_value = pls_report_number(run, "infinite_width_floor");
    number_row(page, "Distance from infinite width",
               "‖<i>K</i> − <i>Θ</i>‖ / ‖<i>Θ</i>‖, <i>Θ</i> the kernel's limit",
               pls_report_number(run, "infinite_width_distance"));
    eigenvalue_row(page, "<i>λ</i><sub>min</sub>(<i>Θ</i>)", "smallest eigenvalue of the limit",
                   pls_report_number(run, "infinite_width_lambda_min"), NAN, NAN, floor_value);
    eigenvalue_row(page, "<i>λ</i><sub>max</sub>(<i>Θ</i>)", "largest eigenvalue of the limit",
                   pls_report_number(run, "infinite_width_lambda_max"), NAN, NAN, floor_value);
    number_row(page, "Floor of the limit", "as above, for <i>Θ</i>", floor_value);
}

static void kernel_rows(pls_text *page, const pls_report_run *run, const pls_report_facts *facts) {
    double floor_value = pls_report_number(run, "kernel_floor");
    eigenvalue_row(page, "μ = <i>λ</i><sub>min</sub>(<i>K</i>)",
                   run->is_train ? "smallest eigenvalue of the tangent kernel, at the end"
                                 : "smallest eigenvalue of the tangent kernel",
                   pls_report_number(run, "lambda_min"), pls_report_number(run, "lambda_min_lower"),
                   pls_report_number(run, "lambda_min_upper"), floor_value);
    if (isnan(pls_report_number(run, "lambda_min"))) {
        number_row(
            page, "Upper bound of μ",
            "a Rayleigh quotient; the kernel is not held, and products with it did not reach μ",
            pls_report_number(run, "lambda_min_upper"));
    }
    if (run->is_train && facts->mu_measured > 0) {
        eigenvalue_row(page, "Smallest measured μ", "over all measured steps", facts->mu,
                       facts->mu_lower, facts->mu_upper, facts->mu_floor);
    }
    eigenvalue_row(page, "<i>λ</i><sub>max</sub>(<i>K</i>)",
                   run->is_train ? "largest eigenvalue, at the end" : "largest eigenvalue",
                   pls_report_number(run, "lambda_max"), NAN, NAN, floor_value);
    condition_row(page, run);
    number_row(page, "Floor of the numerical error",
               "an eigenvalue below it cannot be told from zero", floor_value);
    limit_rows(page, run);
    moving_row(page, run, "effective_rank", PLS_METRIC_EFFECTIVE_RANK, "Effective rank",
               "tr&nbsp;<i>K</i> / <i>λ</i><sub>max</sub>, between 1 and its size");
    moving_row(page, run, "kernel_alignment", PLS_METRIC_KERNEL_ALIGNMENT,
               "Alignment with the targets",
               "cosine of the angle between <i>K</i> and <i>y</i><i>y</i><sup>⊤</sup>");
    double share = pls_report_number(run, "monitor_share");
    if (!isnan(share)) {
        char number[PLS_NUMBER_SIZE];
        start_value(page, "Time spent measuring", "share of the run that went into the kernel");
        pls_text_format(page, "%s %%", pls_number(100.0 * share, 2, PLS_ROUND_NEAREST, number));
        end_value(page);
    }
}

static void key_numbers(pls_text *page, const pls_report_run *run, const pls_report_facts *facts) {
    static const char *const start = "<table class=\"values\"><tbody>\n";
    static const char *const end = "</tbody></table>\n";
    pls_text_append(page, "<section><h2>Key numbers</h2>\n<div class=\"pair\">");
    pls_text_append(page, start);
    kernel_rows(page, run, facts);
    pls_text_append(page, end);
    pls_text_append(page, start);
    loss_rows(page, run, facts);
    pls_text_append(page, end);
    pls_text_append(page, "</div></section>\n");
}

/* ---- figures ----------------------------------------------------------------------------- */

static void block_table(pls_text *page, const pls_figure_block *block) {
    int64_t shown = block->rows < TABLE_ROWS ? block->rows : TABLE_ROWS;
    if (shown == 0) {
        return;
    }
    pls_text_append(page, "<table>");
    if (block->title != NULL) {
        pls_text_append(page, "<caption>");
        escape(page, block->title);
        pls_text_append(page, "</caption>");
    }
    pls_text_append(page, "<thead><tr>");
    for (int c = 0; c < block->columns; c++) {
        if (block->column[c].heading != NULL) {
            pls_text_format(page, "<th scope=\"col\">%s</th>", block->column[c].heading);
        }
    }
    pls_text_append(page, "</tr></thead><tbody>\n");
    for (int64_t s = 0; s < shown; s++) {
        int64_t row = shown > 1 ? s * (block->rows - 1) / (shown - 1) : 0;
        const double *values = block->values + row * block->columns;
        double floor_value = block->floor_column >= 0 ? values[block->floor_column] : NAN;
        pls_text_append(page, "<tr>");
        for (int c = 0; c < block->columns; c++) {
            if (block->column[c].heading == NULL) {
                continue;
            }
            pls_text_append(page, "<td>");
            if (isnan(values[c])) {
                pls_text_append(page, "–");
            } else if (block->column[c].is_count) {
                pls_text_integer(page, values[c]);
            } else if (block->column[c].is_eigenvalue && pls_below_floor(values[c], floor_value)) {
                pls_text_append(page, "below the floor");
            } else {
                pls_text_number(page, values[c]);
            }
            pls_text_append(page, "</td>");
        }
        pls_text_append(page, "</tr>\n");
    }
    pls_text_append(page, "</tbody></table>\n");
}

static void one_figure(pls_text *page, const pls_figure *figure, int number) {
    bool drawn = figure->drawing.size > 0;
    pls_text_format(page, "<figure id=\"figure-%s\"><h3>", figure->name);
    pls_text_formula(page, figure->title);
    pls_text_append(page, "</h3>\n");
    pls_text_append(page, pls_text_string(&figure->drawing));
    pls_text_append(page, drawn ? "\n" : "");
    pls_text_format(page, "<figcaption><b>Figure %d.</b> ", number);
    pls_text_append(page, pls_text_string(&figure->caption));
    pls_text_append(page, "</figcaption>\n");
    int64_t rows = figure->block[0].rows;
    pls_text_format(page, "<details%s><summary>%s in numbers</summary>\n", drawn ? "" : " open",
                    rows > TABLE_ROWS ? "Some rows" : "The rows");
    for (int b = 0; b < figure->blocks; b++) {
        block_table(page, &figure->block[b]);
    }
    pls_text_format(page,
                    "<p><small>All of them: <code>figures/%s.dat</code>, drawn by "
                    "<code>figures/%s.gp</code></small></p></details></figure>\n",
                    figure->name, figure->name);
}

static void all_figures(pls_text *page, const pls_figures *figures, const char *undrawn) {
    if (figures->count == 0) {
        return;
    }
    pls_text_append(page, "<section><h2>Figures</h2>\n");
    if (undrawn != NULL) {
        pls_text_append(page, "<p class=\"remark\">The figures need gnuplot, which could not draw "
                              "them here (");
        escape(page, undrawn);
        pls_text_append(page, "): install it, run <code>gnuplot figures/*.gp</code> in this "
                              "folder to make the SVG files, or make the report again to have them "
                              "on this page. Until then the numbers stand in their place.</p>\n");
    }
    pls_text_append(page, "<div class=\"figures\">\n");
    for (int i = 0; i < figures->count; i++) {
        one_figure(page, &figures->figure[i], i + 1);
    }
    pls_text_append(page, "</div></section>\n");
}

/* ---- the rest ---------------------------------------------------------------------------- */

static void notes(pls_text *page, const pls_report_run *run) {
    const json_t *list = json_object_get(run->summary, "notes");
    bool cut = run->metrics.cut_short;
    if (!cut && !(json_is_array(list) ? json_array_size(list) > 0 : is_shown(list))) {
        return;
    }
    pls_text_append(page, "<section><h2>Notes</h2>\n<ul>\n");
    if (json_is_array(list)) {
        for (size_t i = 0; i < json_array_size(list); i++) {
            pls_text_append(page, "<li>");
            append_json(page, json_array_get(list, i));
            pls_text_append(page, "</li>\n");
        }
    } else if (is_shown(list)) {
        pls_text_append(page, "<li>");
        append_json(page, list);
        pls_text_append(page, "</li>\n");
    }
    if (cut) {
        pls_text_append(page, "<li>The last line of <code>metrics.csv</code> is cut short and was "
                              "left out.</li>\n");
    }
    pls_text_append(page, "</ul></section>\n");
}

static void configuration(pls_text *page, const pls_report_run *run) {
    pls_text_append(page, "<section><h2>Configuration</h2>\n<details><summary>"
                          "<code>config.yaml</code>, all settings as resolved</summary>\n<pre>");
    pls_text_escape(page, run->config, run->config_size);
    pls_text_append(page, "</pre></details></section>\n");
}

static void run_row(pls_text *page, const pls_report_run *run, const char *key, const char *name) {
    const json_t *value = json_object_get(run->summary, key);
    if (is_shown(value)) {
        pls_text_format(page, "<tr><th scope=\"row\">%s</th><td>", name);
        append_json(page, value);
        pls_text_append(page, "</td></tr>\n");
    }
}

static void machine(pls_text *page, const pls_report_run *run) {
    static const char *const rows[][2] = {
        {"model", "Model"},         {"system", "System"},      {"data", "Data"},
        {"optimizer", "Optimizer"}, {"stopped", "Ended"},      {"device", "Device"},
        {"precision", "Precision"}, {"gram", "Gram products"}, {"version", "plstar"}};
    bool any = false;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        any = any || is_shown(json_object_get(run->summary, rows[i][0]));
    }
    if (any) {
        pls_text_append(page, "<section><h2>Run and machine</h2>\n"
                              "<table class=\"values run\"><tbody>\n");
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            run_row(page, run, rows[i][0], rows[i][1]);
        }
        pls_text_append(page, "</tbody></table></section>\n");
    }
}

/* An object of seconds as bars, relative to the longest. */
static void times(pls_text *page, const pls_report_run *run, const char *key, const char *heading) {
    json_t *seconds = json_object_get(run->summary, key);
    const char *phase;
    json_t *value;
    double longest = 0.0;
    if (!json_is_object(seconds)) {
        return;
    }
    json_object_foreach(seconds, phase, value) {
        longest = fmax(longest, json_number_value(value));
    }
    if (json_object_size(seconds) == 0) {
        return;
    }
    pls_text_format(page,
                    "<section><h2>%s</h2>\n"
                    "<table class=\"values times\"><tbody>\n",
                    heading);
    json_object_foreach(seconds, phase, value) {
        char number[PLS_NUMBER_SIZE];
        pls_text_append(page, "<tr><td>");
        escape(page, phase);
        pls_text_append(page, "</td><td>");
        if (json_is_number(value)) {
            pls_text_format(page, "%s s",
                            pls_number(json_number_value(value), 3, PLS_ROUND_NEAREST, number));
        } else {
            append_json(page, value);
        }
        double share = longest > 0.0 ? fmax(json_number_value(value), 0.0) / longest : 0.0;
        pls_text_format(page, "</td><td class=\"bar\"><i style=\"width:%.1f%%\"></i></td></tr>\n",
                        100.0 * share);
    }
    pls_text_append(page, "</tbody></table></section>\n");
}

/* Unknown keys, and known ones of another type than expected, are shown as they are. */
static bool is_placed(const char *key, const json_t *value) {
    bool known = false;
    for (size_t i = 0; i < sizeof placed_keys / sizeof *placed_keys; i++) {
        known = known || strcmp(key, placed_keys[i]) == 0;
    }
    if (!known) {
        return false;
    }
    static const char *const texts[] = {
        "command", "title", "device", "precision",   "gram", "version", "notes",  "optimizer",
        "stopped", "model", "system", "system_type", "data", "study",   "purpose"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(key, texts[i]) == 0) {
            return true;
        }
    }
    static const char *const objects[] = {"seconds", "device_seconds", PLS_BOTTOM_KEY,
                                          PLS_BOTTOM_INITIAL_KEY};
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
        if (strcmp(key, objects[i]) == 0) {
            return json_is_object(value);
        }
    }
    return json_is_number(value);
}

static void further_values(pls_text *page, const pls_report_run *run) {
    const char *key;
    json_t *value;
    bool started = false;
    json_object_foreach(run->summary, key, value) {
        if (!is_shown(value) || is_placed(key, value)) {
            continue;
        }
        if (!started) {
            pls_text_append(page, "<section><h2>Further values</h2>\n"
                                  "<table class=\"values\"><tbody>\n");
            started = true;
        }
        pls_text_append(page, "<tr><th scope=\"row\"><code>");
        escape(page, key);
        pls_text_append(page, "</code></th><td>");
        append_json(page, value);
        end_value(page);
    }
    pls_text_append(page, started ? "</tbody></table></section>\n" : "");
}

static const char *command_of(const pls_report_run *run) {
    return run->is_study         ? "study"
           : run->claims != NULL ? "audit"
           : run->is_solve       ? "solve"
           : run->is_train       ? "train"
                                 : "kernel";
}

static void heading(pls_text *page, const pls_report_run *run, const pls_report_facts *facts) {
    const char *title = pls_report_string(run, "title");
    const char *model = pls_report_string(run, "model");
    model = model != NULL ? model : pls_report_string(run, "system");
    const char *fallback = run->is_study         ? "How the theory's quantities scale"
                           : run->claims != NULL ? "The theory's claims, both sides measured"
                           : run->is_solve ? "Solving equations with the tangent kernel in view"
                           : run->is_train ? "Training with the tangent kernel in view"
                                           : "The tangent kernel at a point";
    title = title != NULL && *title != '\0' ? title : fallback;
    pls_text_append(page, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                          "<meta name=\"viewport\" content=\"width=device-width, "
                          "initial-scale=1\">\n<meta name=\"generator\" content=\"plstar\">\n"
                          "<title>");
    escape(page, title);
    pls_text_append(page, " · plstar</title>\n<style>\n");
    pls_text_append(page, page_style);
    pls_text_append(page, "</style></head>\n<body><main>\n<header><p class=\"kind\">");
    pls_text_format(page, "plstar %s", command_of(run));
    if (model != NULL && *model != '\0') {
        pls_text_append(page, run->is_study ? " · varied from " : " · ");
        escape(page, model);
    }
    pls_text_append(page, "</p>\n<h1>");
    escape(page, title);
    pls_text_append(page, "</h1>\n<p class=\"verdict\">");
    if (run->is_study) {
        pls_study_verdict(page, run);
    } else if (run->claims != NULL) {
        pls_claims_verdict(page, run);
    } else {
        pls_verdict_append(page, run, facts);
    }
    pls_text_append(page, "</p></header>\n");
}

void pls_page_compose(pls_text *page, const pls_report_run *run, const pls_report_facts *facts,
                      const pls_figures *figures, const char *undrawn) {
    heading(page, run, facts);
    if (run->claims != NULL) {
        pls_claims_append(page, run);
    } else if (run->is_study) {
        pls_verdicts_append(page, run);
    } else {
        key_numbers(page, run, facts);
        pls_bottom_append(page, run);
    }
    all_figures(page, figures, undrawn);
    if (run->is_study) {
        pls_other_slopes_append(page, run);
    }
    notes(page, run);
    configuration(page, run);
    machine(page, run);
    times(page, run, "seconds", "Time by phase");
    times(page, run, "device_seconds", "Device time by phase");
    further_values(page, run);
    pls_text_format(page,
                    "<section><h2>How to repeat it</h2>\n<pre>plstar %s config.yaml --out "
                    "ANOTHER-FOLDER</pre>\n"
                    "%s</section>\n",
                    command_of(run),
                    figures->count == 0 ? ""
                                        : "<p>The figures alone: <code>gnuplot figures/*.gp</code> "
                                          "in this folder.</p>");
    pls_text_format(page, "<footer>Made by plstar %s.</footer>\n</main></body></html>\n",
                    pls_version());
}
