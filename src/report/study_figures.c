/* The figures of a study: a quantity against the first axis that varies, a curve a combination of
 * the others. Points are geometric means over seeds, bars go from the least to the largest value.
 * Where the theory names a slope, a line of that slope starts at the first point of each curve. */
#include "report/study_figures.h"

#include "base/memory.h"
#include "plstar/study.h"
#include "report/axis.h"
#include "report/slopes.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 4 };

static const char *const along[] = {"width", "bottleneck", "depth", "step"};

enum { ALONG = sizeof along / sizeof along[0], AXES = PLS_AXIS_SEED };

static const char *const colours[PLS_FIGURE_BLOCKS] = {"#0072B2", "#D55E00", "#009E73", "#767676"};

/* Discs, squares, triangles, diamonds: curves can be told apart without their colours. */
static const int points[PLS_FIGURE_BLOCKS] = {7, 5, 9, 13};

/* Titles of vertical axes; what the letters mean stands above the figure. */
static const char *const formulas[PLS_QUANTITY_COUNT] = {
    [PLS_QUANTITY_GRADIENT_NORM] = "max ‖∇{/:Italic F_i}‖",
    [PLS_QUANTITY_HESSIAN_NORM] = "max ‖{/:Italic H_i}‖",
    [PLS_QUANTITY_HESSIAN_SPHERE] = "max ‖{/:Italic H_i}‖",
    [PLS_QUANTITY_NONLINEARITY] = "max |{/:Italic F_i} − {/:Italic F}_{lin,{/:Italic i}}|",
    [PLS_QUANTITY_TAYLOR_RATIO] = "distance over its bound",
    [PLS_QUANTITY_LAMBDA_MIN] = "λ_{min}({/:Italic K}_0)",
    [PLS_QUANTITY_LAMBDA_MAX] = "λ_{max}({/:Italic K}_0)",
    [PLS_QUANTITY_KERNEL_CHANGE] = "max ‖{/:Italic K_t} − {/:Italic K}_0‖_F / ‖{/:Italic K}_0‖_F",
    [PLS_QUANTITY_MU_LOSS] = "1 − inf μ / μ_0",
    [PLS_QUANTITY_MU_CHANGE] = "max |μ / μ_0 − 1|",
    [PLS_QUANTITY_DISTANCE] = "‖{/:Italic w_T} − {/:Italic w}_0‖",
    [PLS_QUANTITY_STEPS] = "steps",
    [PLS_QUANTITY_FINAL_LOSS] = "{/:Italic L_T} / {/:Italic L}_0",
    [PLS_QUANTITY_LOSS_PEAK] = "max {/:Italic L_t} / {/:Italic L}_0",
    [PLS_QUANTITY_RATE] = "decrease of log {/:Italic L} a step",
    [PLS_QUANTITY_PL_RATIO_END] = "PL ratio",
    [PLS_QUANTITY_FLATNESS] = "λ_{max}({/:Italic K_T}) / λ_{max}({/:Italic K}_0)",
    [PLS_QUANTITY_INFINITE_DISTANCE] = "‖{/:Italic K}_0 − Θ‖_F / ‖Θ‖_F",
    [PLS_QUANTITY_FILLING] = "{/:Italic P} / {/:Italic N}",
};

/* The horizontal axis, by the name that the axis has in tables. */
static const char *label_of_axis(const char *name) {
    return strcmp(name, "step") == 0         ? "step size, times 2/λ_{max}({/:Italic K}_0)"
           : strcmp(name, "width") == 0      ? "width {/:Italic m}"
           : strcmp(name, "bottleneck") == 0 ? "width of the bottleneck"
                                             : "hidden layers";
}

typedef struct drawing {
    const pls_table *table;
    int quantity, value; /* columns */
    int columns[AXES];
    int x;       /* column along which curves go; -1 if none varies */
    double unit; /* of x */
    const char *name;
} drawing;

static drawing look_at(const pls_table *table, const char *name) {
    drawing d = {.table = table, .x = -1, .name = name};
    d.quantity = pls_table_column(table, "quantity");
    d.value = pls_table_column(table, "value");
    for (int a = 0; a < AXES; a++) {
        d.columns[a] = pls_table_column(table, pls_axis_name((pls_axis_kind)a));
    }
    for (int a = 0; a < ALONG && d.x < 0; a++) {
        int column = pls_table_column(table, along[a]);
        d.x = pls_table_varies(table, column) ? column : -1;
        d.unit = strcmp(along[a], "step") == 0 ? PLS_STEP_UNIT : 1.0;
    }
    return d;
}

static bool is_shown(const drawing *d, int64_t row) {
    return strcmp(pls_table_word(d->table, row, d->quantity), d->name) == 0 &&
           pls_table_number(d->table, row, d->value) > 0.0 &&
           pls_table_number(d->table, row, d->x) > 0.0;
}

/* Whether two rows belong to one curve. */
static bool is_alike(const drawing *d, int64_t a, int64_t b) {
    for (int i = 0; i < AXES; i++) {
        int column = d->columns[i];
        if (column != d->x &&
            strcmp(pls_table_word(d->table, a, column), pls_table_word(d->table, b, column)) != 0) {
            return false;
        }
    }
    return true;
}

static int by_x(const void *a, const void *b) {
    const double *p = a, *q = b;
    return (p[0] > q[0]) - (p[0] < q[0]);
}

/* One curve: x, mean, least, largest; the mean's column holds sums of logs until the end. */
static void gather(const drawing *d, int64_t like, pls_figure_block *block, double *counts) {
    for (int64_t i = 0; i < d->table->rows; i++) {
        int64_t at = 0;
        if (!is_shown(d, i) || !is_alike(d, i, like)) {
            continue;
        }
        double x = d->unit * pls_table_number(d->table, i, d->x);
        double y = pls_table_number(d->table, i, d->value);
        while (at < block->rows && block->values[at * COLUMNS] != x) {
            at++;
        }
        double *row = block->values + at * COLUMNS;
        if (at == block->rows) {
            block->rows++;
            counts[at] = row[1] = 0.0;
            row[0] = x;
            row[2] = INFINITY;
            row[3] = 0.0;
        }
        counts[at] += 1.0;
        row[1] += log(y);
        row[2] = fmin(row[2], y);
        row[3] = fmax(row[3], y);
    }
    for (int64_t at = 0; at < block->rows; at++) {
        block->values[at * COLUMNS + 1] = exp(block->values[at * COLUMNS + 1] / counts[at]);
    }
    block->all_rows = block->rows;
    qsort(block->values, (size_t)block->rows, COLUMNS * sizeof(double), by_x);
}

/* "output swish, bottleneck 4": what tells the curve from others. It becomes part of a script,
 * where other characters than words have would be commands. */
static void label_of(const drawing *d, int64_t row, char label[PLS_LABEL_SIZE]) {
    size_t used = 0;
    label[0] = '\0';
    for (int i = 0; i < AXES; i++) {
        int column = d->columns[i];
        if (column != d->x && pls_table_varies(d->table, column)) {
            size_t left = PLS_LABEL_SIZE - used;
            char text[PLS_LABEL_SIZE];
            pls_place_describe(pls_axis_name((pls_axis_kind)i),
                               pls_table_word(d->table, row, column), text);
            int written = snprintf(label + used, left, "%s%s", used > 0 ? ", " : "", text);
            if (written < 0 || (size_t)written >= left) {
                break; /* cut off */
            }
            used += (size_t)written;
        }
    }
    for (char *c = label; *c != '\0'; c++) {
        *c = isalnum((unsigned char)*c) != 0 || strchr(" ,.-", *c) != NULL ? *c : '?';
    }
}

static void write_axes(const drawing *d, int quantity, pls_figure *figure) {
    bool is_step = strcmp(d->table->heads[d->x], "step") == 0;
    pls_axis x = pls_axis_start(!is_step), y = pls_axis_start(true);
    for (int b = 0; b < figure->blocks; b++) {
        for (int64_t i = 0; i < figure->block[b].rows; i++) {
            const double *row = figure->block[b].values + i * COLUMNS;
            pls_axis_include(&x, row[0]);
            pls_axis_include(&y, row[2]);
            pls_axis_include(&y, row[3]);
        }
    }
    pls_axis_finish(&x, false);
    pls_axis_finish(&y, false);
    pls_axis_write(&figure->script, &x, 'x', label_of_axis(d->table->heads[d->x]));
    pls_axis_write(&figure->script, &y, 'y', formulas[quantity]);
}

/* The width at which there are as many weights as equations, between the widths on both sides, by
 * their P / N; NaN where it was not measured or lies outside. */
static double interpolation_threshold(const drawing *d) {
    double below[2] = {0.0, NAN}, above[2] = {INFINITY, NAN};
    const char *filling = pls_quantity_name(PLS_QUANTITY_FILLING);
    for (int64_t i = 0; i < d->table->rows; i++) {
        double x = pls_table_number(d->table, i, d->x);
        double ratio = pls_table_number(d->table, i, d->value);
        if (strcmp(pls_table_word(d->table, i, d->quantity), filling) != 0 || !(x > 0.0)) {
            continue;
        }
        if (ratio < 1.0 && x > below[0]) {
            below[0] = x;
            below[1] = ratio;
        } else if (ratio >= 1.0 && x < above[0]) {
            above[0] = x;
            above[1] = ratio;
        }
    }
    double share = -log(below[1]) / (log(above[1]) - log(below[1]));
    return below[0] * pow(above[0] / below[0], share);
}

/* A vertical line at P = N in the figures of studies that count their weights, if it lies between
 * points: gnuplot draws arrows beyond the axes too. */
static bool has_threshold(const drawing *d, int quantity, const pls_figure *figure, double *x) {
    double least = INFINITY, most = 0.0;
    if (strcmp(d->table->heads[d->x], "width") != 0 || quantity == PLS_QUANTITY_FILLING) {
        return false;
    }
    for (int b = 0; b < figure->blocks; b++) {
        for (int64_t i = 0; i < figure->block[b].rows; i++) {
            least = fmin(least, figure->block[b].values[i * COLUMNS]);
            most = fmax(most, figure->block[b].values[i * COLUMNS]);
        }
    }
    *x = interpolation_threshold(d);
    return *x >= least && *x <= most;
}

/* The theory's slopes, named once each. */
static void write_theory(const pls_report_run *run, const drawing *d, const int64_t *rows,
                         pls_figure *figure) {
    static const char *const names[] = {"slope 0", "slope −1/2", "slope −1/2, times √log m"};
    bool named[] = {false, false, false};
    for (int b = 0; b < figure->blocks; b++) {
        const double *first = figure->block[b].values;
        pls_theory_slope theory;
        if (strcmp(d->table->heads[d->x], "width") != 0 ||
            !pls_slopes_expected(run, d->name, rows[b], &theory)) {
            continue;
        }
        int kind = theory.slope == 0.0 ? 0 : theory.log_factor ? 2 : 1;
        pls_text_format(&figure->script, "%.17g*(x/%.17g)**(%g)", first[1], first[0], theory.slope);
        if (theory.log_factor) {
            pls_text_format(&figure->script, "*sqrt(log(x)/log(%.17g))", first[0]);
        }
        pls_text_format(&figure->script, named[kind] ? " notitle" : " title \"theory: %s\"",
                        names[kind]);
        pls_text_append(&figure->script, " with lines linecolor rgb \"#767676\" linewidth 1.4 "
                                         "dashtype (2,3), \\\n     ");
        named[kind] = true;
    }
}

/* rows: of study.csv, the first of each curve. */
static void write_script(const pls_report_run *run, const drawing *d, int quantity,
                         const int64_t *rows, pls_figure *figure) {
    pls_text *script = &figure->script;
    double threshold = NAN;
    pls_figure_start_script(figure);
    write_axes(d, quantity, figure);
    if (has_threshold(d, quantity, figure, &threshold)) {
        pls_text_format(script,
                        "set arrow from %.12g, graph 0 to %.12g, graph 1 nohead linecolor rgb "
                        "\"#767676\" linewidth 1.2 dashtype (6,3)\n"
                        "plot NaN title \"{/:Italic P} = {/:Italic N}\" with lines linecolor rgb "
                        "\"#767676\" linewidth 1.2 dashtype (6,3), \\\n     ",
                        threshold, threshold);
    } else {
        pls_text_append(script, "plot ");
    }
    write_theory(run, d, rows, figure);
    for (int b = 0; b < figure->blocks; b++) {
        const char *title = figure->block[b].title;
        pls_text_format(script,
                        "\"figures/%s.dat\" index %d using 1:2:3:4 title \"%s\" with yerrorlines "
                        "linecolor rgb \"%s\" linewidth 1.6 pointtype %d pointsize 0.5%s",
                        figure->name, b, title != NULL ? title : "measured", colours[b], points[b],
                        b + 1 < figure->blocks ? ", \\\n     " : "\n");
    }
    pls_text_append(script, "unset output\n");
}

/* Networks that no point stands for, and the reason of the first one, if it is the only one. */
static void append_missing(pls_text *caption, const drawing *d) {
    int column = pls_table_column(d->table, "reason");
    int64_t all = 0, missing = 0;
    const char *reason = NULL;
    bool same = true;
    for (int64_t i = 0; i < d->table->rows; i++) {
        bool is_other = strcmp(pls_table_word(d->table, i, d->quantity), d->name) != 0;
        all += !is_other;
        if (is_other || is_shown(d, i)) {
            continue;
        }
        const char *why = pls_table_word(d->table, i, column);
        reason = reason == NULL ? why : reason;
        same = same && strcmp(why, reason) == 0;
        missing++;
    }
    if (missing == 0) {
        return;
    }
    pls_text_append(caption, " No point for ");
    pls_text_integer(caption, (double)missing);
    pls_text_append(caption, " of ");
    pls_text_integer(caption, (double)all);
    pls_text_append(caption, " networks: ");
    if (!same) {
        pls_text_append(caption, "<code>study.csv</code> says why");
    } else {
        pls_text_formula(caption, *reason != '\0' ? reason : "their value is 0");
    }
    pls_text_append(caption, ".");
}

static void write_caption(const pls_report_run *run, const drawing *d, int quantity, bool more,
                          pls_text *caption) {
    const pls_table *fits = &run->fits;
    int name = pls_table_column(fits, "quantity"), slope = pls_table_column(fits, "slope");
    int against = pls_table_column(fits, "against");
    int low = pls_table_column(fits, "low"), high = pls_table_column(fits, "high");
    const char *meaning = pls_quantity_meaning((pls_quantity)quantity);
    int shown = 0;
    pls_text_append(caption, "The ");
    pls_text_formula(caption, meaning);
    pls_text_append(caption, ". Geometric means over seeds; bars from the least to the largest.");
    for (int64_t i = 0; i < fits->rows; i++) {
        double value = pls_table_number(fits, i, slope);
        if (strcmp(pls_table_word(fits, i, name), pls_quantity_name((pls_quantity)quantity)) != 0 ||
            strcmp(pls_table_word(fits, i, against), d->table->heads[d->x]) != 0 || isnan(value) ||
            shown == PLS_FIGURE_BLOCKS) {
            continue;
        }
        pls_text_append(caption, shown++ == 0 ? " Slopes: " : "; ");
        pls_slope_append(caption, value, 2);
        pls_text_append(caption, " [");
        pls_slope_append(caption, pls_table_number(fits, i, low), 2);
        pls_text_append(caption, ", ");
        pls_slope_append(caption, pls_table_number(fits, i, high), 2);
        pls_text_append(caption, "]");
        pls_slope_group_append(caption, run, i, " (", ")");
    }
    pls_text_append(caption, shown > 0 ? "." : "");
    append_missing(caption, d);
    if (more) {
        pls_text_append(caption, " There are more curves in <code>study.csv</code>.");
    }
}

static void add_columns(pls_figure_block *block, const char *x) {
    block->columns = COLUMNS;
    block->floor_column = -1;
    block->column[0] = (pls_figure_column){.name = x, .heading = x};
    block->column[1] = (pls_figure_column){.name = "mean", .heading = "mean"};
    block->column[2] = (pls_figure_column){.name = "least", .heading = "least"};
    block->column[3] = (pls_figure_column){.name = "largest", .heading = "largest"};
}

pls_status pls_study_figure_compose(pls_context *context, const pls_report_run *run, int index,
                                    pls_figure *figure) {
    drawing d = look_at(&run->study, pls_quantity_name((pls_quantity)index));
    int64_t rows[PLS_FIGURE_BLOCKS];
    double *counts = NULL;
    bool more = false;
    pls_status status = PLS_OK;
    figure->title = pls_quantity_meaning((pls_quantity)index);
    if (d.x < 0 || d.value < 0 || d.quantity < 0) {
        return PLS_OK;
    }
    PLS_TRY(context, pls_allocate(context, run->study.rows, sizeof *counts, "a figure", &counts));
    for (int64_t i = 0; i < run->study.rows; i++) {
        bool known = !is_shown(&d, i);
        for (int64_t j = 0; j < i && !known; j++) {
            known = is_shown(&d, j) && is_alike(&d, i, j);
        }
        if (known || figure->blocks == PLS_FIGURE_BLOCKS) {
            more = more || !known;
            continue;
        }
        pls_figure_block *block = &figure->block[figure->blocks];
        PLS_TRY(context, pls_allocate(context, run->study.rows * COLUMNS, sizeof(double),
                                      "a figure", &block->values));
        add_columns(block, run->study.heads[d.x]);
        rows[figure->blocks] = i;
        label_of(&d, i, block->label);
        block->title = block->label[0] != '\0' ? block->label : NULL;
        figure->blocks++;
        gather(&d, i, block, counts);
    }
    if (figure->blocks > 0 && figure->block[0].rows > 1) {
        write_script(run, &d, index, rows, figure);
        write_caption(run, &d, index, more, &figure->caption);
    }
cleanup:
    pls_release(context, counts);
    return status;
}

/* ---- words ------------------------------------------------------------------------------------
 */

void pls_study_verdict(pls_text *text, const pls_report_run *run) {
    const char *purpose = pls_report_string(run, "purpose");
    const char *grid = pls_report_string(run, "grid");
    double cells = pls_report_number(run, "cells"), done = pls_report_number(run, "cells_done");
    int64_t spoken_of, met;
    if (purpose != NULL && *purpose != '\0') {
        pls_text_append(text, "This study looks at ");
        pls_text_formula(text, purpose);
        pls_text_append(text, ". ");
    }
    if (done < cells) {
        pls_text_integer(text, done);
        pls_text_append(text, " of ");
        pls_text_integer(text, cells);
        pls_text_append(text, " networks are measured so far.");
    } else if (cells > 0.0) {
        pls_text_integer(text, cells);
        pls_text_append(text, cells == 1.0 ? " network was measured." : " networks were measured.");
    }
    if (grid != NULL && *grid != '\0') {
        pls_text_append(text, " Varied: ");
        pls_text_escape(text, grid, (int64_t)strlen(grid));
        pls_text_append(text, ".");
    }
    pls_slopes_count(run, &spoken_of, &met);
    if (spoken_of > 0) {
        pls_text_format(text, " Of %lld slopes that the theory names %lld hold.",
                        (long long)spoken_of, (long long)met);
    }
}
