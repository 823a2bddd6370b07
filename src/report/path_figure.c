/* The path w_0, w_1, ... of a search in the plane. Of the circle |w|^2 = 1 the landscape is known:
 * L = (|w|^2 - 1)^2 / 2 is constant on circles around the origin, its solutions are one of them. */
#include "report/path_figure.h"

#include "base/memory.h"
#include "base/output.h"
#include "report/axis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COLUMNS = 3, MOST_ROWS = 1200 };

static const char header[] = "step,w0,w1\n";

static bool parse_row(const char *line, double row[COLUMNS]) {
    char *end = (char *)line;
    for (int c = 0; c < COLUMNS; c++) {
        const char *start = c == 0 ? line : end + 1;
        row[c] = strtod(start, &end);
        if (end == start || !isfinite(row[c]) || *end != (c + 1 < COLUMNS ? ',' : '\n')) {
            return false;
        }
    }
    return true;
}

/* Whole lines of the file; every `stride`-th and the last become rows of the block. */
static pls_status read_rows(pls_context *context, const pls_report_run *run, const char *text,
                            pls_figure_block *block) {
    int64_t lines = 0, stride = 1, at = 0;
    if (strncmp(text, header, sizeof header - 1) != 0) {
        return pls_fail(context, PLS_ERROR_DATA, "%s/path.csv:1: step,w0,w1 was expected",
                        run->folder);
    }
    text += sizeof header - 1;
    for (const char *c = text; (c = strchr(c, '\n')) != NULL; c++) {
        lines++;
    }
    stride = 1 + lines / MOST_ROWS;
    block->all_rows = lines;
    pls_status status =
        pls_allocate(context, lines * COLUMNS, sizeof(double), "the path of a run", &block->values);
    for (const char *line = text; status == PLS_OK && at < lines; at++) {
        double *row = block->values + block->rows * COLUMNS;
        if (!parse_row(line, row)) {
            return pls_fail(context, PLS_ERROR_DATA,
                            "%s/path.csv:%lld: three numbers were expected", run->folder,
                            (long long)at + 2);
        }
        block->rows += at % stride == 0 || at == lines - 1;
        line = strchr(line, '\n') + 1;
    }
    return status;
}

/* Both axes over the path and, of the circle, the circle; equal lengths on both. */
static void write_axes(pls_text *script, const pls_figure_block *block, bool circle) {
    for (int c = 1; c < COLUMNS; c++) {
        pls_axis axis = pls_axis_start(false);
        for (int64_t i = 0; i < block->rows; i++) {
            pls_axis_include(&axis, block->values[i * COLUMNS + c]);
        }
        pls_axis_include(&axis, circle ? -1.5 : NAN);
        pls_axis_include(&axis, circle ? 1.5 : NAN);
        pls_axis_finish(&axis, false);
        pls_axis_write(script, &axis, c == 1 ? 'x' : 'y',
                       c == 1 ? "{/:Italic w}_0" : "{/:Italic w}_1");
    }
    pls_text_append(script, "set size ratio -1\nset key outside right top vertical maxcols 1\n");
}

/* Levels of the loss around the solutions; inside and outside where there are both. */
static void write_landscape(pls_text *script) {
    static const double levels[] = {0.05, 0.2, 0.4, 0.8};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        double half = sqrt(2.0 * levels[i]);
        for (int side = -1; side <= 1; side += 2) {
            if (1.0 + side * half > 0.0) {
                pls_text_format(script,
                                "%.17g*cos(t), %.17g*sin(t) %s with lines linecolor rgb "
                                "\"#B0B0B0\" linewidth 0.9, \\\n     ",
                                sqrt(1.0 + side * half), sqrt(1.0 + side * half),
                                i == 0 && side == 1 ? "title \"levels of {/:Italic L}\""
                                                    : "notitle");
            }
        }
    }
    pls_text_append(script, "cos(t), sin(t) title \"solutions\" with lines linecolor rgb "
                            "\"#009E73\" linewidth 2.2, \\\n     ");
}

static void write_script(pls_figure *figure, bool circle) {
    pls_text *script = &figure->script;
    pls_figure_start_script(figure);
    write_axes(script, &figure->block[0], circle);
    pls_text_append(script, "set parametric\nset trange [0:2*pi]\nset samples 400\nplot ");
    if (circle) {
        write_landscape(script);
    }
    pls_text_append(script,
                    "\"figures/path.dat\" using 2:3 title \"path\" with linespoints "
                    "linecolor rgb \"#0072B2\" linewidth 1.6 pointtype 7 pointsize 0.35, \\\n"
                    "     \"figures/path.dat\" every ::0::0 using 2:3 title \"start\" "
                    "with points linecolor rgb \"#D55E00\" pointtype 7 pointsize 0.8\n"
                    "unset parametric\nunset output\n");
}

pls_status pls_path_figure_compose(pls_context *context, const pls_report_run *run,
                                   pls_figure *figure) {
    const char *type = pls_report_string(run, "system_type");
    bool circle = type != NULL && strcmp(type, "circle") == 0;
    char *path = NULL, *text = NULL;
    int64_t size = 0;
    pls_status status = PLS_OK;
    figure->title = "The path in the plane";
    PLS_TRY(context, pls_join_path(context, run->folder, "path.csv", &path));
    if (access(path, F_OK) != 0) {
        goto cleanup;
    }
    PLS_TRY(context, pls_report_read_file(context, run->folder, "path.csv", &text, &size));
    pls_figure_block *block = &figure->block[figure->blocks++];
    block->columns = COLUMNS;
    block->floor_column = -1;
    block->column[0] =
        (pls_figure_column){.name = "step", .heading = "step <i>t</i>", .is_count = true};
    block->column[1] = (pls_figure_column){.name = "w0", .heading = "<i>w</i><sub>0</sub>"};
    block->column[2] = (pls_figure_column){.name = "w1", .heading = "<i>w</i><sub>1</sub>"};
    PLS_TRY(context, read_rows(context, run, text, block));
    write_script(figure, circle);
    pls_text_append(&figure->caption, "The weights of every recorded step, from the start (large "
                                      "dot) on.");
    if (circle) {
        pls_text_append(
            &figure->caption,
            " The solutions are a whole circle, so the loss has no strictly convex "
            "neighbourhood of any of them: along the circle it is flat, across it steep."
            " That is the landscape of every over-parameterized system; PL* is what "
            "is left of convexity there. Grey: where <i>L</i> is 0.05, 0.2, 0.4, 0.8.");
    }
cleanup:
    pls_release(context, text);
    pls_release(context, path);
    return status;
}
