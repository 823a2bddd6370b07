/* The figures of a report.
 *
 * Curves against the step hold at most MOST_POINTS rows: longer runs are cut into stretches, and
 * of each stretch the rows of the smallest and the largest value stay, so that no extreme is
 * lost. Spectra keep every index up to KEPT_INDICES and then indices in a geometric sequence.
 *
 * Colours are those of Okabe and Ito that keep their contrast on white; each curve also has a
 * dash of its own. */
#include "report/figures.h"

#include "base/memory.h"
#include "report/axis.h"
#include "report/path_figure.h"
#include "report/study_figures.h"

#include <math.h>
#include <string.h>

enum { MOST_POINTS = 1200, KEPT_INDICES = 400, MOST_TRIANGLES = 30 };

#define BLUE "#0072B2"
#define VERMILION "#D55E00"
#define GREEN "#009E73"
#define GREY "#767676"

#define LINE_MAIN "with lines linecolor rgb \"" BLUE "\" linewidth 2.2"
#define LINE_UPPER "with lines linecolor rgb \"" VERMILION "\" linewidth 1.8 dashtype (10,5)"
#define LINE_LOWER "with lines linecolor rgb \"" GREEN "\" linewidth 1.8 dashtype (10,4,2,4)"
#define LINE_FLOOR "with lines linecolor rgb \"" GREY "\" linewidth 1.4 dashtype (2,3)"
#define POINTS_MAIN                                                                                \
    "with linespoints linecolor rgb \"" BLUE "\" linewidth 2.2 pointtype 7 pointsize 0.35"
#define BAND_MAIN                                                                                  \
    "with filledcurves fillcolor rgb \"" BLUE "\" fillstyle transparent solid 0.16 noborder"

const char *pls_figure_name(int which) {
    static const char *const of_runs[PLS_RUN_FIGURES] = {
        "loss",     "linear_loss",   "linear_distance",  "mu",   "pl_ratio",
        "distance", "kernel_change", "kernel_alignment", "path", "spectrum"};
    return which < PLS_RUN_FIGURES ? of_runs[which]
                                   : pls_quantity_name((pls_quantity)(which - PLS_RUN_FIGURES));
}

void pls_text_eigenvalue(pls_text *text, double value, double floor_value) {
    if (!pls_below_floor(value, floor_value)) {
        pls_text_number(text, value);
    } else if (isnan(floor_value)) {
        pls_text_append(text, "not above zero");
    } else {
        pls_text_append(text, "below the floor (");
        pls_text_number(text, floor_value);
        pls_text_append(text, ")");
    }
}

/* ---- rows -------------------------------------------------------------------------------- */

/* Of the rows where `main` was measured those to draw; *rows is owned by the caller. */
static pls_status choose_rows(pls_context *context, const pls_metrics *metrics, pls_metric main,
                              int64_t **rows, int64_t *count, int64_t *all) {
    const double *values = metrics->column[main];
    int64_t *chosen = NULL;
    pls_status status =
        pls_allocate(context, metrics->rows, sizeof *chosen, "the rows of a figure", &chosen);
    if (status != PLS_OK) {
        return status;
    }
    int64_t measured = 0;
    for (int64_t i = 0; i < metrics->rows; i++) {
        if (!isnan(values[i])) {
            chosen[measured++] = i;
        }
    }
    *all = measured;
    if (measured > MOST_POINTS) {
        int64_t kept = 1; /* the first and the last row stay */
        int64_t stretches = MOST_POINTS / 2 - 1, inner = measured - 2;
        for (int64_t s = 0; s < stretches; s++) {
            int64_t begin = 1 + s * inner / stretches, end = 1 + (s + 1) * inner / stretches;
            int64_t least = begin, most = begin;
            for (int64_t i = begin; i < end; i++) {
                least = values[chosen[i]] < values[chosen[least]] ? i : least;
                most = values[chosen[i]] > values[chosen[most]] ? i : most;
            }
            int64_t one = least < most ? least : most, two = least < most ? most : least;
            int64_t row_one = chosen[one], row_two = chosen[two];
            chosen[kept++] = row_one;
            if (row_two != row_one) {
                chosen[kept++] = row_two;
            }
        }
        chosen[kept++] = chosen[measured - 1];
        measured = kept;
    }
    *rows = chosen;
    *count = measured;
    return PLS_OK;
}

static pls_status make_values(pls_context *context, pls_figure_block *block) {
    return pls_allocate(context, block->rows * block->columns, sizeof(double),
                        "the data of a figure", &block->values);
}

/* Fills the next block with the step and the given columns of metrics.csv; columns of the metric
 * PLS_METRIC_COUNT are left for the caller. */
static pls_status add_block(pls_context *context, const pls_report_run *run, pls_figure *figure,
                            int columns, const pls_metric *metric,
                            const pls_figure_column *column) {
    pls_figure_block *block = &figure->block[figure->blocks++];
    int64_t *rows = NULL;
    pls_status status = PLS_OK;
    block->floor_column = -1;
    block->columns = columns + 1;
    block->column[0] =
        (pls_figure_column){.name = "step", .heading = "step <i>t</i>", .is_count = true};
    PLS_TRY(context,
            choose_rows(context, &run->metrics, metric[0], &rows, &block->rows, &block->all_rows));
    PLS_TRY(context, make_values(context, block));
    for (int c = 0; c < columns; c++) {
        block->column[c + 1] = column[c];
    }
    for (int64_t i = 0; i < block->rows; i++) {
        double *values = block->values + i * block->columns;
        values[0] = run->metrics.column[PLS_METRIC_STEP][rows[i]];
        for (int c = 0; c < columns; c++) {
            if (metric[c] == PLS_METRIC_KERNEL_FLOOR) {
                values[c + 1] = pls_report_floor_at(run, rows[i]);
                block->floor_column = c + 1;
            } else if (metric[c] != PLS_METRIC_COUNT) {
                values[c + 1] = run->metrics.column[metric[c]][rows[i]];
            }
        }
    }
cleanup:
    pls_release(context, rows);
    return status;
}

static double value_at(const pls_figure_block *block, int64_t row, int column) {
    return block->values[row * block->columns + column];
}

static void include_column(pls_axis *axis, const pls_figure_block *block, int column) {
    for (int64_t i = 0; i < block->rows; i++) {
        pls_axis_include(axis, value_at(block, i, column));
    }
}

static bool column_has_values(const pls_figure_block *block, int column) {
    for (int64_t i = 0; i < block->rows; i++) {
        if (!isnan(value_at(block, i, column))) {
            return true;
        }
    }
    return false;
}

void pls_figure_write_data(pls_text *text, const pls_figure *figure) {
    pls_text_format(text, "# %s\n# drawn by: gnuplot figures/%s.gp\n", figure->title, figure->name);
    for (int b = 0; b < figure->blocks; b++) {
        const pls_figure_block *block = &figure->block[b];
        pls_text_append(text, b > 0 ? "\n\n" : "");
        if (block->title != NULL) {
            pls_text_format(text, "# block %d: %s\n", b, block->title);
        }
        if (block->rows < block->all_rows) {
            pls_text_format(text, "# %lld of %lld rows, the extremes among them\n",
                            (long long)block->rows, (long long)block->all_rows);
        }
        pls_text_append(text, "#");
        for (int c = 0; c < block->columns; c++) {
            pls_text_format(text, " %s", block->column[c].name);
        }
        pls_text_append(text, "\n");
        for (int64_t i = 0; i < block->rows; i++) {
            for (int c = 0; c < block->columns; c++) {
                double value = value_at(block, i, c);
                pls_text_append(text, c > 0 ? " " : "");
                if (isnan(value)) {
                    pls_text_append(text, "?");
                } else {
                    pls_text_format(text, "%.17g", value);
                }
            }
            pls_text_append(text, "\n");
        }
    }
}

/* ---- scripts ----------------------------------------------------------------------------- */

void pls_figure_start_script(pls_figure *figure) {
    /* every further line of the key is a line more of the picture */
    int height = 330 + 22 * (figure->blocks > 1 ? figure->blocks - 1 : 0);
    pls_text_format(&figure->script,
                    "# %s\n"
                    "# Run in the folder of report.html: gnuplot figures/%s.gp\n"
                    "reset\n"
                    "set encoding utf8\n"
                    "set terminal svg size 480,%d dynamic enhanced rounded font "
                    "\"sans-serif,13\" name \"%s\"\n"
                    "set output \"figures/%s.svg\"\n"
                    "set datafile missing \"?\"\n"
                    "set border 3\n"
                    "set tics nomirror scale 0.6,0.3\n"
                    "set grid xtics ytics linetype 1 linecolor \"gray\" linewidth 0.6 dashtype 1\n"
                    "set key tmargin left Left reverse maxcols 2 samplen 2.6 spacing 1.15\n",
                    figure->title, figure->name, height, figure->name, figure->name);
}

static void write_step_axis(pls_figure *figure) {
    pls_axis axis = pls_axis_start(false);
    for (int b = 0; b < figure->blocks; b++) {
        include_column(&axis, &figure->block[b], 0);
    }
    /* no margins: curves begin at the axis */
    double wide = axis.high > axis.low ? 0.0 : 1.0;
    axis.low -= wide;
    axis.high += wide;
    axis.whole = true;
    pls_axis_write(&figure->script, &axis, 'x', "step {/:Italic t}");
}

static void end_script(pls_figure *figure) {
    pls_text_append(&figure->script, "unset output\n");
}

static void say_if_thinned(pls_figure *figure) {
    const pls_figure_block *block = &figure->block[0];
    if (block->rows < block->all_rows) {
        pls_text_append(&figure->caption, " Drawn are ");
        pls_text_integer(&figure->caption, (double)block->rows);
        pls_text_append(&figure->caption, " of ");
        pls_text_integer(&figure->caption, (double)block->all_rows);
        pls_text_append(&figure->caption, " rows, the extremes among them.");
    }
}

/* ---- the single figures ------------------------------------------------------------------ */

static pls_figure_column plain(const char *name, const char *heading) {
    return (pls_figure_column){.name = name, .heading = heading};
}

static pls_figure_column eigenvalue(const char *name, const char *heading) {
    return (pls_figure_column){.name = name, .heading = heading, .is_eigenvalue = true};
}

static pls_status compose_loss(pls_context *context, const pls_report_run *run,
                               const pls_report_facts *facts, pls_figure *figure) {
    figure->title = "Loss along training";
    pls_metric metric[] = {PLS_METRIC_LOSS, PLS_METRIC_COUNT};
    pls_figure_column column[] = {
        plain("loss", "<i>L</i>"),
        plain("pl_rate", "(1&nbsp;−&nbsp;<i>ημ</i>)<sup><i>t</i></sup> <i>L</i><sub>0</sub>")};
    pls_status status = add_block(context, run, figure, facts->has_rate ? 2 : 1, metric, column);
    if (status != PLS_OK) {
        return status;
    }
    pls_figure_block *block = &figure->block[0];
    pls_axis axis = pls_axis_start(true);
    include_column(&axis, block, 1);
    if (pls_axis_is_empty(&axis)) {
        block->rows = 0;
        return PLS_OK;
    }
    if (facts->has_rate) {
        for (int64_t i = 0; i < block->rows; i++) {
            block->values[i * 3 + 2] = pls_report_rate(facts, value_at(block, i, 0));
            /* far below the loss the curve may leave the figure */
            if (value_at(block, i, 2) > axis.low / 10.0) {
                pls_axis_include(&axis, value_at(block, i, 2));
            }
        }
    }
    pls_axis_finish(&axis, false);
    pls_figure_start_script(figure);
    write_step_axis(figure);
    pls_axis_write(&figure->script, &axis, 'y', "loss {/:Italic L}");
    pls_text_append(&figure->script, "plot ");
    if (facts->has_rate) {
        char mu[PLS_NUMBER_SIZE];
        pls_text_format(
            &figure->script,
            "\"figures/loss.dat\" using 1:3 title \"rate of PL*, (1 − {/:Italic "
            "ημ})^{/:Italic t} {/:Italic L}_0 with μ = %s\" " LINE_UPPER ", \\\n     ",
            pls_number_enhanced(facts->mu, 4, facts->mu >= 1e-3 && facts->mu < 1e5, mu));
    }
    pls_text_append(&figure->script,
                    "\"figures/loss.dat\" using 1:2 title \"loss {/:Italic L_t}\" " LINE_MAIN "\n");
    end_script(figure);

    pls_text *caption = &figure->caption;
    pls_text_append(caption, facts->square
                                 ? "The loss <i>L</i> = ½‖<i>F</i>(<i>w</i>) − <i>y</i>‖² against "
                                 : "The loss <i>L</i>, a cross entropy, against ");
    pls_text_append(caption,
                    "the step, on a logarithmic axis: a straight line is an exponential rate.");
    if (facts->has_rate) {
        pls_text_append(
            caption, " Dashed: (1&nbsp;−&nbsp;<i>ημ</i>)<sup><i>t</i></sup> <i>L</i><sub>0</sub> "
                     "for the smallest measured μ = ");
        pls_text_number(caption, facts->mu);
        pls_text_append(caption, ", the rate of gradient descent under PL*. It is promised where μ "
                                 "is a bound for the whole ball around the start and "
                                 "<i>η</i> ≤ 1/(<i>L<sub>F</sub></i>² + "
                                 "<i>β<sub>F</sub></i>‖<i>r</i><sub>0</sub>‖), and drawn here "
                                 "for comparison. ");
        if (facts->rate_broken == 0) {
            pls_text_append(caption, "The loss stayed at or below it at all ");
            pls_text_integer(caption, (double)facts->rate_rows);
            pls_text_append(caption, " recorded steps.");
        } else {
            pls_text_append(caption, "The loss lay above it at ");
            pls_text_integer(caption, (double)facts->rate_broken);
            pls_text_append(caption, " of ");
            pls_text_integer(caption, (double)facts->rate_rows);
            pls_text_append(caption, " recorded steps: the step size is too large for it, or "
                                     "μ was smaller in between.");
        }
    } else if (facts->mu_below_floor > 0) {
        pls_text_append(caption, " No rate is drawn beside it, because μ could not be told "
                                 "from zero.");
    }
    return PLS_OK;
}

static pls_status compose_linear_loss(pls_context *context, const pls_report_run *run,
                                      pls_figure *figure) {
    figure->title = "Loss beside that of the linearised network";
    pls_metric metric[] = {PLS_METRIC_LINEAR_LOSS, PLS_METRIC_LOSS};
    pls_figure_column column[] = {plain("linear_loss", "<i>L</i>(<i>f</i><sub>lin</sub>)"),
                                  plain("loss", "<i>L</i>")};
    pls_status status = add_block(context, run, figure, 2, metric, column);
    if (status != PLS_OK) {
        return status;
    }
    pls_figure_block *block = &figure->block[0];
    pls_axis axis = pls_axis_start(true);
    include_column(&axis, block, 1);
    include_column(&axis, block, 2);
    if (pls_axis_is_empty(&axis)) {
        block->rows = 0;
        return PLS_OK;
    }
    pls_axis_finish(&axis, false);
    pls_figure_start_script(figure);
    write_step_axis(figure);
    pls_axis_write(&figure->script, &axis, 'y', "loss {/:Italic L}");
    pls_text_append(&figure->script,
                    "plot \"figures/linear_loss.dat\" using 1:3 title \"network\" " LINE_MAIN
                    ", \\\n     "
                    "\"\" using 1:2 title \"linearised at the start\" " LINE_UPPER "\n");
    end_script(figure);
    pls_text_append(&figure->caption,
                    "The loss of the network, and of its linearisation at the start, <i>f</i>"
                    "<sub>lin</sub>(<i>w</i>) = <i>f</i>(<i>w</i><sub>0</sub>) + "
                    "<i>J</i><sub>0</sub>(<i>w</i> − <i>w</i><sub>0</sub>), which descends "
                    "by itself with the same step size and batches. As long as the curves lie on "
                    "one another, the constant "
                    "kernel <i>K</i><sub>0</sub> explains the training.");
    say_if_thinned(figure);
    return PLS_OK;
}

static pls_status compose_mu(pls_context *context, const pls_report_run *run,
                             const pls_report_facts *facts, pls_figure *figure) {
    figure->title = "Smallest eigenvalue along training";
    pls_metric metric[] = {PLS_METRIC_LAMBDA_MIN, PLS_METRIC_LAMBDA_MIN_LOWER,
                           PLS_METRIC_LAMBDA_MIN_UPPER, PLS_METRIC_KERNEL_FLOOR};
    pls_figure_column column[] = {eigenvalue("lambda_min", "<i>λ</i><sub>min</sub>"),
                                  eigenvalue("lambda_min_lower", "at least"),
                                  eigenvalue("lambda_min_upper", "at most"),
                                  plain("kernel_floor", "floor")};
    pls_status status = add_block(context, run, figure, 4, metric, column);
    if (status != PLS_OK) {
        return status;
    }
    const pls_figure_block *block = &figure->block[0];
    double least = INFINITY, most = -INFINITY, floor_value = NAN, widest = 0.0;
    int64_t above = 0;
    for (int64_t i = 0; i < block->rows; i++) {
        double mu = value_at(block, i, 1), lower = value_at(block, i, 2),
               upper = value_at(block, i, 3), floor_here = value_at(block, i, 4);
        floor_value = fmax(floor_value, floor_here);
        if (!pls_below_floor(mu, floor_here)) {
            above++;
            least = fmin(least, mu);
            most = fmax(most, fmax(mu, upper));
            widest = fmax(widest, fmax(mu - lower, upper - mu));
        }
    }
    if (above == 0) { /* only the floor could be drawn; the page says so in words */
        figure->block[0].rows = 0;
        return PLS_OK;
    }
    bool floor_is_known = floor_value > 0.0;
    bool some_below = facts->mu_below_floor > 0;
    pls_axis axis = pls_axis_start(most > 10.0 * least);
    pls_axis_include(&axis, least);
    pls_axis_include(&axis, most);
    for (int64_t i = 0; i < block->rows; i++) {
        double lower = value_at(block, i, 2);
        if (lower > least / 3.0) {
            pls_axis_include(&axis, lower);
        }
    }
    bool show_floor =
        floor_is_known && (some_below || (axis.logarithmic ? floor_value > axis.low / 100.0
                                                           : floor_value > axis.high / 100.0));
    if (show_floor) {
        pls_axis_include(&axis, floor_value);
    }
    pls_axis_finish(&axis, true);
    bool show_band = (column_has_values(block, 2) || column_has_values(block, 3)) &&
                     widest > 0.003 * (axis.high - axis.low);

    pls_text *script = &figure->script;
    pls_figure_start_script(figure);
    write_step_axis(figure);
    pls_axis_write(script, &axis, 'y', "μ = λ_{min}({/:Italic K})");
    pls_text_format(script,
                    "bottom = %.12g\n"
                    "shown(v, f) = v > f && v > 0 ? v : NaN\n"
                    "clipped(v) = v > bottom ? v : bottom\n"
                    "plot ",
                    axis.low);
    if (show_band) {
        pls_text_format(script,
                        "\"figures/mu.dat\" using 1:(clipped(%s)):(clipped(%s)) title \"interval "
                        "that holds λ_{min}\" " BAND_MAIN ", \\\n     ",
                        column_has_values(block, 2) ? "$3" : "$2",
                        column_has_values(block, 3) ? "$4" : "$2");
    }
    if (show_floor) {
        pls_text_append(script, "\"figures/mu.dat\" using 1:5 title \"floor of the numerical "
                                "error\" " LINE_FLOOR ", \\\n     ");
    }
    if (some_below && floor_is_known) {
        pls_text_format(
            script,
            "\"figures/mu.dat\" every %lld using 1:($2 > $5 ? NaN : $5) title \"below the "
            "floor\" with points linecolor rgb \"" VERMILION
            "\" pointtype 10 pointsize 0.7, \\\n     ",
            (long long)(1 + facts->mu_below_floor / MOST_TRIANGLES));
    }
    pls_text_format(script,
                    "\"figures/mu.dat\" using 1:(shown($2, %s)) title \"λ_{min}({/:Italic K_t})\" "
                    "%s\n",
                    floor_is_known ? "$5" : "0", block->rows <= 80 ? POINTS_MAIN : LINE_MAIN);
    end_script(figure);

    pls_text *caption = &figure->caption;
    pls_text_append(caption, "μ = <i>λ</i><sub>min</sub>(<i>K</i>) of the tangent kernel at the ");
    pls_text_integer(caption, (double)block->all_rows);
    pls_text_append(caption, " steps where it was measured. PL* needs it to stay away from zero");
    pls_text_append(caption, axis.logarithmic ? "; the axis is logarithmic."
                                              : ", which is where the axis begins.");
    if (show_band) {
        pls_text_append(caption, " The band is the interval that holds it.");
    } else if (widest > 0.0) {
        pls_text_append(caption, " The interval that holds it, at most ±");
        pls_text_number(caption, widest);
        pls_text_append(caption, ", is narrower than the line.");
    }
    if (some_below) {
        pls_text_append(caption, " At ");
        pls_text_integer(caption, (double)facts->mu_below_floor);
        pls_text_append(caption, " of these steps (triangles) it lay below the floor and could not "
                                 "be told from zero.");
    } else if (floor_is_known && !show_floor) {
        pls_text_append(caption, " The floor of the numerical error, ");
        pls_text_number(caption, floor_value);
        pls_text_append(caption, ", lies too far below to be drawn.");
    }
    say_if_thinned(figure);
    return PLS_OK;
}

static pls_status compose_ratio(pls_context *context, const pls_report_run *run,
                                const pls_report_facts *facts, pls_figure *figure) {
    figure->title = "PL ratio between the extreme eigenvalues";
    pls_metric ratio[] = {PLS_METRIC_PL_RATIO};
    pls_figure_column ratio_column[] = {plain("pl_ratio", "PL ratio <i>ρ</i>")};
    pls_metric ends[] = {PLS_METRIC_LAMBDA_MAX, PLS_METRIC_LAMBDA_MIN, PLS_METRIC_KERNEL_FLOOR};
    pls_figure_column end_columns[] = {eigenvalue("lambda_max", "<i>λ</i><sub>max</sub>"),
                                       eigenvalue("lambda_min", "<i>λ</i><sub>min</sub>"),
                                       plain("kernel_floor", NULL)};
    pls_status status = PLS_OK;
    PLS_TRY(context, add_block(context, run, figure, 1, ratio, ratio_column));
    PLS_TRY(context, add_block(context, run, figure, 3, ends, end_columns));
    figure->block[0].title = "PL ratio";
    figure->block[1].title = "extreme eigenvalues";
    pls_axis axis = pls_axis_start(true);
    include_column(&axis, &figure->block[0], 1);
    const pls_figure_block *extremes = &figure->block[1];
    double floor_value = NAN;
    for (int64_t i = 0; i < extremes->rows; i++) {
        double low = value_at(extremes, i, 2), floor_here = value_at(extremes, i, 3);
        floor_value = fmax(floor_value, floor_here);
        pls_axis_include(&axis, value_at(extremes, i, 1));
        pls_axis_include(&axis, pls_below_floor(low, floor_here) ? floor_here : low);
    }
    if (pls_axis_is_empty(&axis) || figure->block[0].rows < 2) {
        figure->block[0].rows = 0;
        goto cleanup;
    }
    pls_axis_finish(&axis, false);
    pls_text *script = &figure->script;
    pls_figure_start_script(figure);
    write_step_axis(figure);
    pls_axis_write(script, &axis, 'y', "ρ, λ_{min}, λ_{max}");
    pls_text_format(script,
                    "bottom = %.12g\n"
                    "above(v, f) = v > f && v > bottom ? v : f > bottom ? f : bottom\n"
                    "plot ",
                    axis.low);
    if (extremes->rows > 0) {
        const char *floor_name = floor_value > 0.0 ? "$4" : "0";
        pls_text_format(
            script,
            "\"figures/pl_ratio.dat\" index 1 using 1:(above($3, %s)):2 notitle " BAND_MAIN
            ", \\\n     "
            "\"\" index 1 using 1:2 title \"λ_{max}({/:Italic K_t})\" " LINE_UPPER ", \\\n     "
            "\"\" index 1 using 1:(above($3, %s)) title \"λ_{min}({/:Italic K_t})\" " LINE_LOWER
            ", \\\n     ",
            floor_name, floor_name);
    }
    pls_text_append(script, "\"figures/pl_ratio.dat\" index 0 using 1:2 title \"PL ratio "
                            "ρ({/:Italic w_t})\" " LINE_MAIN "\n");
    end_script(figure);

    pls_text *caption = &figure->caption;
    pls_text_append(caption, "The PL ratio <i>ρ</i> = ½‖∇<i>L</i>‖² / <i>L</i>");
    if (extremes->rows == 0 || !facts->identity) {
        pls_text_append(caption, " against the step; the larger it is, the faster the loss falls.");
        say_if_thinned(figure);
        goto cleanup;
    }
    pls_text_append(caption,
                    " can never leave the band between <i>λ</i><sub>min</sub>(<i>K</i>) and "
                    "<i>λ</i><sub>max</sub>(<i>K</i>), so this is a check of all three. It falls "
                    "towards the lower edge when the large eigendirections are fitted first. ");
    if (facts->ratio_checked > 0 && facts->ratio_outside == 0) {
        pls_text_append(caption, "It stayed inside at all ");
        pls_text_integer(caption, (double)facts->ratio_checked);
        pls_text_append(caption, " measured steps.");
    } else if (facts->ratio_outside > 0) {
        pls_text_append(caption, "<strong>It left the band at ");
        pls_text_integer(caption, (double)facts->ratio_outside);
        pls_text_append(caption, " of ");
        pls_text_integer(caption, (double)facts->ratio_checked);
        pls_text_append(caption, " measured steps: one of the numbers is wrong.</strong>");
    }
    if (facts->mu_below_floor > 0) {
        pls_text_append(caption,
                        " Where <i>λ</i><sub>min</sub> lies below the floor of the numerical "
                        "error, the floor is drawn.");
    }
    say_if_thinned(figure);
cleanup:
    return status;
}

/* A curve of one column from zero. */
static pls_status compose_simple(pls_context *context, const pls_report_run *run,
                                 pls_figure *figure, pls_metric metric, pls_figure_column column,
                                 const char *axis_title, const char *caption) {
    pls_status status = add_block(context, run, figure, 1, &metric, &column);
    if (status != PLS_OK) {
        return status;
    }
    const pls_figure_block *block = &figure->block[0];
    pls_axis axis = pls_axis_start(false);
    include_column(&axis, block, 1);
    if (block->rows < 2) {
        return PLS_OK;
    }
    pls_axis_finish(&axis, true);
    pls_figure_start_script(figure);
    pls_text_append(&figure->script, "unset key\n");
    write_step_axis(figure);
    pls_axis_write(&figure->script, &axis, 'y', axis_title);
    pls_text_format(&figure->script, "plot \"figures/%s.dat\" using 1:2 %s\n", figure->name,
                    block->rows <= 80 ? POINTS_MAIN : LINE_MAIN);
    end_script(figure);
    pls_text_append(&figure->caption, caption);
    pls_text_append(&figure->caption, " At the last measured step it is ");
    pls_text_number(&figure->caption, value_at(block, block->rows - 1, 1));
    pls_text_append(&figure->caption, ".");
    say_if_thinned(figure);
    return PLS_OK;
}

/* A spectrum, ascending, as a block of index and eigenvalue, descending. */
static pls_status add_spectrum(pls_context *context, pls_figure *figure, const double *ascending,
                               int64_t count, double floor_value, const char *title) {
    pls_figure_block *block = &figure->block[figure->blocks++];
    int64_t kept = 0;
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1) {
            block->rows = kept;
            block->all_rows = count;
            block->columns = 3;
            block->title = title;
            block->floor_column = 2;
            block->column[0] =
                (pls_figure_column){.name = "index", .heading = "index <i>i</i>", .is_count = true};
            block->column[1] = eigenvalue("eigenvalue", "<i>λ<sub>i</sub></i>");
            block->column[2] = plain("kernel_floor", NULL);
            pls_status status = make_values(context, block);
            if (status != PLS_OK) {
                return status;
            }
            kept = 0;
        }
        for (int64_t i = 0, next; i < count; i = next) {
            next = i + 1 + i / KEPT_INDICES;
            next = i < count - 1 && next > count - 1 ? count - 1 : next;
            if (pass == 1) {
                double *row = block->values + kept * 3;
                row[0] = (double)(i + 1);
                row[1] = ascending[count - 1 - i];
                row[2] = floor_value;
            }
            kept++;
        }
    }
    return PLS_OK;
}

static pls_status compose_spectrum(pls_context *context, const pls_report_run *run,
                                   pls_figure *figure) {
    figure->title = "Spectrum of the tangent kernel";
    double floor_value = pls_report_number(run, "kernel_floor");
    const char *now = run->is_train ? "end of the run" : "this point";
    pls_status status = PLS_OK;
    if (run->spectrum_size > 0) {
        PLS_TRY(context,
                add_spectrum(context, figure, run->spectrum, run->spectrum_size, floor_value, now));
    }
    if (run->initial_spectrum_size > 0) {
        PLS_TRY(context, add_spectrum(context, figure, run->initial_spectrum,
                                      run->initial_spectrum_size, floor_value, "start"));
    }
    pls_axis axis = pls_axis_start(true);
    int64_t below = 0, longest = 0;
    for (int b = 0; b < figure->blocks; b++) {
        const pls_figure_block *block = &figure->block[b];
        longest = block->all_rows > longest ? block->all_rows : longest;
        for (int64_t i = 0; i < block->rows; i++) {
            double value = value_at(block, i, 1);
            pls_axis_include(&axis, pls_below_floor(value, floor_value) ? NAN : value);
        }
    }
    if (pls_axis_is_empty(&axis) || longest < 2) {
        figure->block[0].rows = 0;
        goto cleanup;
    }
    for (int64_t i = 0; i < run->spectrum_size; i++) {
        below += pls_below_floor(run->spectrum[i], floor_value);
    }
    bool show_floor = floor_value > axis.low / 1e3;
    if (show_floor) {
        pls_axis_include(&axis, floor_value);
    }
    pls_axis_finish(&axis, false);
    pls_axis index = pls_axis_start(longest >= 50);
    pls_axis_include(&index, 1.0);
    pls_axis_include(&index, (double)longest);
    pls_axis_finish(&index, true);
    index.whole = true;

    pls_text *script = &figure->script;
    pls_figure_start_script(figure);
    pls_axis_write(script, &index, 'x', "index {/:Italic i}, from the largest");
    pls_axis_write(script, &axis, 'y', "eigenvalue λ_{/:Italic i}({/:Italic K})");
    pls_text_append(script, "shown(v, f) = v > f && v > 0 ? v : NaN\nplot ");
    const char *floor_name = isnan(floor_value) ? "0" : "$3";
    if (show_floor) {
        pls_text_format(script,
                        "%.17g title \"floor of the numerical error\" " LINE_FLOOR ", \\\n     ",
                        floor_value);
    }
    int drawn = figure->blocks;
    while (drawn-- > 0) { /* the start first, so that the end lies over it */
        bool is_start = run->spectrum_size == 0 || drawn == 1;
        const char *style = is_start ? LINE_UPPER : longest <= 80 ? POINTS_MAIN : LINE_MAIN;
        pls_text_format(script,
                        "\"figures/spectrum.dat\" index %d using 1:(shown($2, %s)) title \"%s\" "
                        "%s%s",
                        drawn, floor_name, figure->block[drawn].title, style,
                        drawn > 0 ? ", \\\n     " : "\n");
    }
    end_script(figure);

    pls_text *caption = &figure->caption;
    pls_text_append(caption, "The eigenvalues of the tangent kernel from the largest to the "
                             "smallest");
    pls_text_append(caption, index.logarithmic ? ", both axes logarithmic" : "");
    pls_text_append(caption, ": the right end of the curve is μ, the left end over the right one "
                             "is the condition number, and a straight fall is ");
    pls_text_append(caption, index.logarithmic ? "a power law." : "exponential.");
    if (figure->blocks == 2) {
        pls_text_append(caption, " Dashed: at the start. Where the two curves agree, training has "
                                 "moved the kernel little.");
    }
    if (below > 0) {
        pls_text_append(caption, " ");
        pls_text_integer(caption, (double)below);
        pls_text_append(caption, " of ");
        pls_text_integer(caption, (double)run->spectrum_size);
        pls_text_append(caption, below == 1 ? " eigenvalues lies" : " eigenvalues lie");
        if (isnan(floor_value)) {
            pls_text_append(caption, " not above zero and cannot be drawn.");
        } else {
            pls_text_append(caption, " below the floor (");
            pls_text_number(caption, floor_value);
            pls_text_append(caption, ") and cannot be told from zero; the curve ends there.");
        }
    }
cleanup:
    return status;
}

/* ---- all of them ------------------------------------------------------------------------- */

static void release_figure(pls_context *context, pls_figure *figure) {
    for (int b = 0; b < PLS_FIGURE_BLOCKS; b++) {
        pls_release(context, figure->block[b].values);
    }
    pls_text_release(&figure->script);
    pls_text_release(&figure->caption);
    pls_text_release(&figure->drawing);
    *figure = (pls_figure){0};
}

static pls_status compose_one(pls_context *context, const pls_report_run *run,
                              const pls_report_facts *facts, int which, pls_figure *figure) {
    switch (which) {
    case 0:
        return compose_loss(context, run, facts, figure);
    case 1:
        return compose_linear_loss(context, run, figure);
    case 2:
        figure->title = "Distance from the linearised network";
        return compose_simple(
            context, run, figure, PLS_METRIC_LINEAR_DISTANCE,
            plain("linear_distance", "‖<i>f</i> − <i>f</i><sub>lin</sub>‖"),
            "‖{/:Italic f_t} − {/:Italic f}_{lin}‖",
            "How far the outputs of the network and of its linearisation have come apart, "
            "‖<i>f</i> − <i>f</i><sub>lin</sub>‖ over all samples and outputs. It shrinks as the "
            "width grows where the kernel becomes constant.");
    case 3:
        return compose_mu(context, run, facts, figure);
    case 4:
        return compose_ratio(context, run, facts, figure);
    case 5:
        figure->title = "Distance from the start";
        return compose_simple(
            context, run, figure, PLS_METRIC_DISTANCE,
            plain("distance", "‖<i>w<sub>t</sub></i> − <i>w</i><sub>0</sub>‖"),
            "‖{/:Italic w_t} − {/:Italic w}_0‖",
            "How far the weights have moved, ‖<i>w<sub>t</sub></i> − <i>w</i><sub>0</sub>‖. It "
            "levels off when the run settles at a solution inside a ball around the start.");
    case 6:
        figure->title = "Change of the tangent kernel";
        return compose_simple(
            context, run, figure, PLS_METRIC_KERNEL_CHANGE,
            plain("kernel_change", "relative change of <i>K</i>"),
            "‖{/:Italic K_t} − {/:Italic K}_0‖_F / ‖{/:Italic K}_0‖_F",
            "How far the tangent kernel has moved, ‖<i>K<sub>t</sub></i> − "
            "<i>K</i><sub>0</sub>‖<sub>F</sub> / ‖<i>K</i><sub>0</sub>‖<sub>F</sub>. The smaller, "
            "the closer F stays to its linearization; of networks with a linear output and no "
            "bottleneck it shrinks as the width grows.");
    case 7:
        figure->title = "Alignment of the kernel with the targets";
        return compose_simple(
            context, run, figure, PLS_METRIC_KERNEL_ALIGNMENT,
            plain("kernel_alignment", "alignment"),
            "{/:Italic y}^⊤{/:Italic K y} / (‖{/:Italic K}‖_F ‖{/:Italic y}‖^2)",
            "The cosine of the angle between the tangent kernel and "
            "<i>y</i><i>y</i><sup>⊤</sup>, the kernel of the targets. It rises when training "
            "turns the kernel towards what it learns, and stays where the kernel is constant.");
    case 8:
        return pls_path_figure_compose(context, run, figure);
    default:
        return compose_spectrum(context, run, figure);
    }
}

pls_status pls_figures_compose(pls_context *context, const pls_report_run *run,
                               const pls_report_facts *facts, pls_figures *figures) {
    pls_status status = PLS_OK;
    for (int which = 0; which < PLS_FIGURE_COUNT; which++) {
        bool of_studies = which >= PLS_RUN_FIGURES;
        bool along = which < PLS_RUN_FIGURES - 1;
        if (of_studies != run->is_study || (along && run->metrics.rows == 0)) {
            continue;
        }
        pls_figure *figure = &figures->figure[figures->count];
        figure->name = pls_figure_name(which);
        figure->script = pls_text_start(context);
        figure->caption = pls_text_start(context);
        figure->drawing = pls_text_start(context);
        figures->count++;
        PLS_TRY(context,
                of_studies ? pls_study_figure_compose(context, run, which - PLS_RUN_FIGURES, figure)
                           : compose_one(context, run, facts, which, figure));
        PLS_TRY(context, pls_text_status(&figure->script));
        PLS_TRY(context, pls_text_status(&figure->caption));
        if (figure->blocks == 0 || figure->block[0].rows < 2) {
            release_figure(context, figure);
            figures->count--;
        }
    }
cleanup:
    return status;
}

void pls_figures_release(pls_context *context, pls_figures *figures) {
    for (int i = 0; i < figures->count; i++) {
        release_figure(context, &figures->figure[i]);
    }
    figures->count = 0;
}
