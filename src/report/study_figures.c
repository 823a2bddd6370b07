/* The figures of a study: a quantity against the first axis that varies, a curve a combination of
 * the others. Points are geometric means over seeds, bars go from the least to the largest value.
 * Where the theory names a slope, a line of that slope starts at the first point. */
#include "report/study_figures.h"

#include "base/memory.h"
#include "plstar/study.h"
#include "report/axis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 4, LABEL_SIZE = 128 };

static const char *const along[] = {"width", "bottleneck", "depth", "step"};
static const char *const axes[] = {"width", "depth", "activation", "output", "bottleneck", "step"};

enum { ALONG = sizeof along / sizeof along[0], AXES = sizeof axes / sizeof axes[0] };

static const char *const colours[PLS_FIGURE_BLOCKS] = {"#0072B2", "#D55E00", "#009E73", "#767676"};

/* What the theory says of a quantity against the width; NaN: nothing. */
static double slope_of(int quantity) {
    switch (quantity) {
    case PLS_QUANTITY_HESSIAN_NORM:
    case PLS_QUANTITY_HESSIAN_SPHERE:
    case PLS_QUANTITY_NONLINEARITY:
    case PLS_QUANTITY_KERNEL_CHANGE:
    case PLS_QUANTITY_MU_LOSS:
    case PLS_QUANTITY_MU_CHANGE:
    case PLS_QUANTITY_INFINITE_DISTANCE:
        return -0.5;
    case PLS_QUANTITY_GRADIENT_NORM:
        return 0.0;
    default:
        return NAN;
    }
}

/* The vertical axis of a quantity's figure, in gnuplot's enhanced text. */
static const char *label_of_quantity(int quantity) {
    static const char *const labels[PLS_QUANTITY_COUNT] = {
        [PLS_QUANTITY_GRADIENT_NORM] = "largest ‖∇{/:Italic F_i}‖",
        [PLS_QUANTITY_HESSIAN_NORM] = "largest ‖{/:Italic H_i}‖",
        [PLS_QUANTITY_HESSIAN_SPHERE] = "largest ‖{/:Italic H_i}‖",
        [PLS_QUANTITY_NONLINEARITY] = "largest |{/:Italic F_i} − {/:Italic F}_{lin,{/:Italic i}}|",
        [PLS_QUANTITY_TAYLOR_RATIO] = "share of the bound",
        [PLS_QUANTITY_LAMBDA_MIN] = "λ_{min}({/:Italic K}_0)",
        [PLS_QUANTITY_LAMBDA_MAX] = "λ_{max}({/:Italic K}_0)",
        [PLS_QUANTITY_KERNEL_CHANGE] = "‖{/:Italic K_t} − {/:Italic K}_0‖ / ‖{/:Italic K}_0‖",
        [PLS_QUANTITY_MU_LOSS] = "1 − inf {/:Italic μ} / {/:Italic μ}_0",
        [PLS_QUANTITY_MU_CHANGE] = "largest |{/:Italic μ} / {/:Italic μ}_0 − 1|",
        [PLS_QUANTITY_DISTANCE] = "‖{/:Italic w_T} − {/:Italic w}_0‖",
        [PLS_QUANTITY_STEPS] = "steps",
        [PLS_QUANTITY_FINAL_LOSS] = "{/:Italic L_T} / {/:Italic L}_0",
        [PLS_QUANTITY_LOSS_PEAK] = "largest {/:Italic L_t} / {/:Italic L}_0",
        [PLS_QUANTITY_RATE] = "decrease of log {/:Italic L} a step",
        [PLS_QUANTITY_PL_RATIO_END] = "PL ratio {/:Italic ρ_T}",
        [PLS_QUANTITY_FLATNESS] = "λ_{max}({/:Italic K_T}) / λ_{max}({/:Italic K}_0)",
        [PLS_QUANTITY_INFINITE_DISTANCE] = "‖{/:Italic K}_0 − Θ‖ / ‖Θ‖",
        [PLS_QUANTITY_FILLING] = "{/:Italic P} / {/:Italic N}",
    };
    return labels[quantity];
}

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

static bool varies(const pls_table *table, int column) {
    for (int64_t i = 1; column >= 0 && i < table->rows; i++) {
        if (strcmp(pls_table_word(table, i, column), pls_table_word(table, 0, column)) != 0) {
            return true;
        }
    }
    return false;
}

static drawing look_at(const pls_table *table, const char *name) {
    drawing d = {.table = table, .x = -1, .name = name};
    d.quantity = pls_table_column(table, "quantity");
    d.value = pls_table_column(table, "value");
    for (int a = 0; a < AXES; a++) {
        d.columns[a] = pls_table_column(table, axes[a]);
    }
    for (int a = 0; a < ALONG && d.x < 0; a++) {
        int column = pls_table_column(table, along[a]);
        d.x = varies(table, column) ? column : -1;
        d.unit = strcmp(along[a], "step") == 0 ? 1e-3 : 1.0; /* which is in thousandths */
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

/* "output swish, bottleneck 4": what tells the curve from others. */
static void label_of(const drawing *d, int64_t row, char label[LABEL_SIZE]) {
    size_t used = 0;
    label[0] = '\0';
    for (int i = 0; i < AXES; i++) {
        int column = d->columns[i];
        if (column != d->x && varies(d->table, column) && used < LABEL_SIZE) {
            used +=
                (size_t)snprintf(label + used, LABEL_SIZE - used, "%s%s %s", used > 0 ? ", " : "",
                                 axes[i], pls_table_word(d->table, row, column));
        }
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
    pls_axis_write(&figure->script, &y, 'y', label_of_quantity(quantity));
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

static void write_script(const drawing *d, int quantity, char labels[][LABEL_SIZE],
                         pls_figure *figure) {
    pls_text *script = &figure->script;
    double slope = strcmp(d->table->heads[d->x], "width") == 0 ? slope_of(quantity) : NAN;
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
    if (!isnan(slope)) {
        const double *first = figure->block[0].values;
        pls_text_format(script,
                        "%.17g*(x/%.17g)**(%g) title \"slope %s\" with lines linecolor rgb "
                        "\"#767676\" linewidth 1.4 dashtype (2,3), \\\n     ",
                        first[1], first[0], slope, slope == 0.0 ? "0" : "−1/2");
    }
    for (int b = 0; b < figure->blocks; b++) {
        /* Bars are arrows with blunt heads: behind points of errorbars gnuplot lays white discs. */
        const char *name = figure->name;
        pls_text_format(script,
                        "\"figures/%s.dat\" index %d using 1:3:(0):($4-$3) notitle with vectors "
                        "heads size graph 0.012,90 linecolor rgb \"%s\" linewidth 1.2, \\\n"
                        "     \"figures/%s.dat\" index %d using 1:2 notitle with points "
                        "linecolor rgb \"%s\" pointtype 7 pointsize 0.5, \\\n"
                        "     \"figures/%s.dat\" index %d using 1:2 title \"%s\" with lines "
                        "linecolor rgb \"%s\" linewidth 1.8%s",
                        name, b, colours[b], name, b, colours[b], name, b,
                        labels[b][0] != '\0' ? labels[b] : "measured", colours[b],
                        b + 1 < figure->blocks ? ", \\\n     " : "\n");
    }
    pls_text_append(script, "unset output\n");
}

static void append_decimal(pls_text *text, double x) {
    double shown = fabs(x) < 0.005 ? 0.0 : x; /* no "−0.00" */
    pls_text_format(text, "%s%.2f", shown < 0.0 ? "−" : "", fabs(shown));
}

/* "−0.53 [−0.67, −0.39]"; without an interval where there is none. */
static void append_slope(pls_text *text, const pls_table *fits, int64_t row) {
    double low = pls_table_number(fits, row, pls_table_column(fits, "low"));
    double high = pls_table_number(fits, row, pls_table_column(fits, "high"));
    append_decimal(text, pls_table_number(fits, row, pls_table_column(fits, "slope")));
    if (!isnan(low) && !isnan(high)) {
        pls_text_append(text, "&nbsp;[");
        append_decimal(text, low);
        pls_text_append(text, ",&nbsp;");
        append_decimal(text, high);
        pls_text_append(text, "]");
    }
}

/* "bottleneck 4", what tells the fit from others; returns false if there is nothing. */
static bool append_place(pls_text *text, const pls_report_run *run, int64_t row) {
    const pls_table *fits = &run->fits;
    bool some = false;
    for (int a = 0; a < AXES; a++) {
        const char *value = pls_table_word(fits, row, pls_table_column(fits, axes[a]));
        if (*value != '\0' && varies(&run->study, pls_table_column(&run->study, axes[a]))) {
            pls_text_format(text, "%s%s ", some ? ", " : "", axes[a]);
            pls_text_escape(text, value, (int64_t)strlen(value));
            some = true;
        }
    }
    return some;
}

static void append_slopes(pls_text *caption, const pls_report_run *run, const drawing *d) {
    const pls_table *fits = &run->fits;
    int name = pls_table_column(fits, "quantity"), against = pls_table_column(fits, "against");
    int slope = pls_table_column(fits, "slope"), low = pls_table_column(fits, "low");
    int shown = 0;
    for (int64_t i = 0; i < fits->rows && shown < PLS_FIGURE_BLOCKS; i++) {
        if (strcmp(pls_table_word(fits, i, name), d->name) != 0 ||
            strcmp(pls_table_word(fits, i, against), d->table->heads[d->x]) != 0 ||
            isnan(pls_table_number(fits, i, slope))) {
            continue;
        }
        pls_text_append(caption, shown > 0 ? "; "
                                 : isnan(pls_table_number(fits, i, low))
                                     ? " Slope: "
                                     : " Slope, with its 95&nbsp;% interval: ");
        pls_text_append(caption, append_place(caption, run, i) ? ":&nbsp;" : "");
        append_slope(caption, fits, i);
        shown++;
    }
    pls_text_append(caption, shown > 0 ? "." : "");
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
    pls_text_append(caption, "The ");
    pls_text_formula(caption, pls_quantity_meaning((pls_quantity)quantity));
    pls_text_append(caption, ". Geometric means over seeds; bars from the least to the largest.");
    append_slopes(caption, run, d);
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
    char labels[PLS_FIGURE_BLOCKS][LABEL_SIZE];
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
        label_of(&d, i, labels[figure->blocks]);
        figure->blocks++;
        gather(&d, i, block, counts);
    }
    if (figure->blocks > 0 && figure->block[0].rows > 1) {
        write_script(&d, index, labels, figure);
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
}

/* A quantity of fits, which may be one divided by sqrt(log m): which, and whether it is. */
static int find_quantity(const char *name, bool *divided) {
    for (int q = 0; q < PLS_QUANTITY_COUNT; q++) {
        const char *known = pls_quantity_name((pls_quantity)q);
        size_t length = strlen(known);
        if (strncmp(name, known, length) == 0 &&
            (name[length] == '\0' || strcmp(name + length, "_log") == 0)) {
            *divided = name[length] != '\0';
            return q;
        }
    }
    return -1;
}

static bool carries_log(int quantity) {
    return quantity == PLS_QUANTITY_HESSIAN_NORM || quantity == PLS_QUANTITY_HESSIAN_SPHERE ||
           quantity == PLS_QUANTITY_NONLINEARITY;
}

/* Whether the network that is varied, "64 -> 256 tanh -> 1, ntk", is one that the theory's slopes
 * are about: in the ntk parameterization, with a linear output. */
static bool is_of_theory(const pls_report_run *run) {
    const char *model = pls_report_string(run, "model"), *last = NULL;
    for (const char *at = model; at != NULL && (at = strstr(at, " -> ")) != NULL;) {
        at += strlen(" -> ");
        last = at;
    }
    return last != NULL && strncmp(last + strcspn(last, ", "), ", ntk", 5) == 0;
}

/* The slope that the theory has for the row: of networks with a linear output and no bottleneck,
 * against the width, with the logarithm divided out where there is one. */
static const char *expected(const pls_report_run *run, int64_t row, int quantity, bool divided) {
    const pls_table *fits = &run->fits;
    const char *against = pls_table_word(fits, row, pls_table_column(fits, "against"));
    const char *output = pls_table_word(fits, row, pls_table_column(fits, "output"));
    const char *bottleneck = pls_table_word(fits, row, pls_table_column(fits, "bottleneck"));
    bool is_plain =
        strcmp(output, "model") == 0 && strcmp(bottleneck, "0") == 0 && is_of_theory(run);
    if (quantity < 0 || strcmp(against, "width") != 0 || !is_plain ||
        carries_log(quantity) != divided || isnan(slope_of(quantity))) {
        return "–";
    }
    return slope_of(quantity) == 0.0                    ? "0"
           : quantity == PLS_QUANTITY_INFINITE_DISTANCE ? "−1/2"
                                                        : "≤&nbsp;−1/2";
}

static void append_name(pls_text *page, const char *name, int quantity, bool divided) {
    pls_text_append(page, "<tr><th scope=\"row\"><code>");
    pls_text_escape(page, name, (int64_t)strlen(name));
    pls_text_append(page, "</code>");
    if (quantity >= 0) {
        pls_text_append(page, "<small>");
        pls_text_formula(page, pls_quantity_meaning((pls_quantity)quantity));
        pls_text_append(page, divided ? ", divided by √(log&nbsp;<i>m</i>)</small>" : "</small>");
    }
    pls_text_append(page, "</th>");
}

static void append_fit(pls_text *page, const pls_report_run *run, int64_t row, bool places) {
    const pls_table *fits = &run->fits;
    const char *name = pls_table_word(fits, row, pls_table_column(fits, "quantity"));
    const char *against = pls_table_word(fits, row, pls_table_column(fits, "against"));
    bool divided = false;
    int quantity = find_quantity(name, &divided);
    append_name(page, name, quantity, divided);
    pls_text_append(page, "<td data-label=\"Slope\">");
    append_slope(page, fits, row);
    pls_text_format(page, "</td><td data-label=\"Theory\">%s</td><td data-label=\"Against\">",
                    expected(run, row, quantity, divided));
    pls_text_escape(page, against, (int64_t)strlen(against));
    if (places) {
        pls_text_append(page, "</td><td data-label=\"Networks with\">");
        pls_text_append(page, append_place(page, run, row) ? "" : "–");
    }
    pls_text_append(page, "</td></tr>\n");
}

/* Whether more than one axis varies, so that there are several fits of a quantity. */
static bool has_places(const pls_report_run *run) {
    int count = 0;
    for (int a = 0; a < AXES; a++) {
        count += varies(&run->study, pls_table_column(&run->study, axes[a]));
    }
    return count > 1;
}

void pls_fits_append(pls_text *page, const pls_report_run *run) {
    const pls_table *fits = &run->fits;
    bool places = has_places(run);
    if (fits->rows == 0) {
        return;
    }
    pls_text_append(page, "<section><h2>Slopes</h2>\n<div class=\"wide\"><table class=\"claims\">"
                          "<thead><tr><th scope=\"col\">Quantity</th>"
                          "<th scope=\"col\">Slope [95&nbsp;% interval]</th>"
                          "<th scope=\"col\">Theory</th><th scope=\"col\">Against</th>");
    pls_text_append(page, places ? "<th scope=\"col\">Networks with</th>" : "");
    pls_text_append(page, "</tr></thead><tbody>\n");
    for (int64_t i = 0; i < fits->rows; i++) {
        if (!isnan(pls_table_number(fits, i, pls_table_column(fits, "slope")))) {
            append_fit(page, run, i, places);
        }
    }
    pls_text_append(
        page, "</tbody></table></div>\n<p><small>Slopes are powers, fitted to logarithms by "
              "weighted least squares over the means of seeds; the intervals come from a "
              "bootstrap of the seeds. The theory gives upper bounds for large widths, so "
              "that a slope may be steeper; norms of Hessians and what follows from them are "
              "compared with it after division by √(log&nbsp;<i>m</i>). It is about wide networks "
              "in the ntk parameterization with a linear output, and says nothing "
              "where there is a dash.</small></p></section>\n");
}
