/* The public entry: reads a run, writes data and scripts, has gnuplot draw them, writes the page
 * last, so that a page never speaks of files that are not there. */
#include "plstar/report.h"

#include "base/memory.h"
#include "base/output.h"
#include "report/drawing.h"
#include "report/gnuplot.h"
#include "report/page.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIGURE_FILE_SIZE = 64, DEFAULT_TIMEOUT = 30 };

pls_report_options pls_report_options_defaults(void) {
    return (pls_report_options){.gnuplot = NULL, .timeout_seconds = DEFAULT_TIMEOUT};
}

static pls_status write_text(pls_context *context, const char *folder, const char *name,
                             const pls_text *text) {
    char *path = NULL;
    pls_output *output = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_text_status(text));
    PLS_TRY(context, pls_join_path(context, folder, name, &path));
    PLS_TRY(context, pls_output_open(context, path, &output));
    fwrite(pls_text_string(text), 1, (size_t)text->size, pls_output_stream(output));
    PLS_TRY(context, pls_output_commit(output));
cleanup:
    pls_release(context, path);
    return status;
}

/* Removes what an earlier report left of a figure, so that nothing stale stays beside the page. */
static pls_status remove_former(pls_context *context, const char *folder) {
    static const char *const endings[] = {"gp", "dat", "svg"};
    for (int i = 0; i < PLS_FIGURE_COUNT; i++) {
        for (size_t e = 0; e < sizeof endings / sizeof *endings; e++) {
            char name[FIGURE_FILE_SIZE];
            char *path = NULL;
            snprintf(name, sizeof name, "figures/%s.%s", pls_figure_name(i), endings[e]);
            pls_status status = pls_join_path(context, folder, name, &path);
            if (status != PLS_OK) {
                return status;
            }
            unlink(path);
            pls_release(context, path);
        }
    }
    return PLS_OK;
}

static pls_status write_figures(pls_context *context, const char *folder,
                                const pls_figures *figures) {
    char *path = NULL;
    pls_text data = pls_text_start(context);
    pls_status status = PLS_OK;
    PLS_TRY(context, remove_former(context, folder));
    if (figures->count == 0) {
        goto cleanup;
    }
    PLS_TRY(context, pls_join_path(context, folder, "figures", &path));
    PLS_TRY(context, pls_make_directory(context, path));
    for (int i = 0; i < figures->count; i++) {
        const pls_figure *figure = &figures->figure[i];
        char name[FIGURE_FILE_SIZE];
        pls_text_release(&data);
        pls_figure_write_data(&data, figure);
        snprintf(name, sizeof name, "figures/%s.dat", figure->name);
        PLS_TRY(context, write_text(context, folder, name, &data));
        snprintf(name, sizeof name, "figures/%s.gp", figure->name);
        PLS_TRY(context, write_text(context, folder, name, &figure->script));
    }
cleanup:
    pls_text_release(&data);
    pls_release(context, path);
    return status;
}

/* Whether gnuplot left a file of that name. */
static pls_status is_drawn(pls_context *context, const char *folder, const char *name,
                           bool *drawn) {
    char *path = NULL;
    pls_status status = pls_join_path(context, folder, name, &path);
    struct stat info;
    *drawn = status == PLS_OK && stat(path, &info) == 0 && S_ISREG(info.st_mode);
    pls_release(context, path);
    return status;
}

/* Has one figure drawn and takes its drawing into the figure. */
static pls_status draw(pls_context *context, const char *folder, const char *program,
                       int timeout_seconds, pls_figure *figure, pls_gnuplot_outcome *outcome,
                       char reason[PLS_GNUPLOT_REASON_SIZE]) {
    char script[FIGURE_FILE_SIZE], name[FIGURE_FILE_SIZE];
    char *bytes = NULL;
    int64_t size = 0;
    bool drawn = false;
    pls_status status = PLS_OK;
    snprintf(script, sizeof script, "figures/%s.gp", figure->name);
    snprintf(name, sizeof name, "figures/%s.svg", figure->name);
    *outcome = pls_gnuplot_run(program, folder, script, timeout_seconds, reason);
    if (*outcome != PLS_GNUPLOT_DONE) {
        goto cleanup;
    }
    PLS_TRY(context, is_drawn(context, folder, name, &drawn));
    if (drawn) {
        PLS_TRY(context, pls_report_read_file(context, folder, name, &bytes, &size));
        drawn = pls_drawing_append(&figure->drawing, bytes, size, figure->name, figure->title);
        PLS_TRY(context, pls_text_status(&figure->drawing));
    }
    if (!drawn) {
        *outcome = PLS_GNUPLOT_FAILED;
        snprintf(reason, PLS_GNUPLOT_REASON_SIZE, "%s was not made or is no whole SVG file", name);
    }
cleanup:
    pls_release(context, bytes);
    return status;
}

/* Draws all figures; *undrawn tells whether `reason` holds why some were not. */
static pls_status draw_all(pls_context *context, const char *folder,
                           const pls_report_options *options, pls_figures *figures, bool *undrawn,
                           char reason[PLS_GNUPLOT_REASON_SIZE]) {
    const char *program = options->gnuplot != NULL ? options->gnuplot : "gnuplot";
    int timeout = options->timeout_seconds > 0 ? options->timeout_seconds : DEFAULT_TIMEOUT;
    pls_status status = PLS_OK;
    for (int i = 0; i < figures->count; i++) {
        pls_gnuplot_outcome outcome;
        char this_reason[PLS_GNUPLOT_REASON_SIZE] = "";
        PLS_TRY(context, draw(context, folder, program, timeout, &figures->figure[i], &outcome,
                              this_reason));
        if (outcome == PLS_GNUPLOT_DONE) {
            continue;
        }
        pls_log(context, PLS_LOG_WARNING, "figures/%s.gp could not be drawn: %s",
                figures->figure[i].name, this_reason);
        if (!*undrawn) {
            snprintf(reason, PLS_GNUPLOT_REASON_SIZE, "%s", this_reason);
            *undrawn = true;
        }
        if (outcome == PLS_GNUPLOT_MISSING) {
            break;
        }
    }
cleanup:
    return status;
}

pls_status pls_report_write(pls_context *context, const char *folder,
                            const pls_report_options *options) {
    pls_report_options defaults = pls_report_options_defaults();
    pls_report_run run = {0};
    pls_figures figures = {0};
    char reason[PLS_GNUPLOT_REASON_SIZE] = "";
    bool undrawn = false;
    pls_text page = pls_text_start(context);
    pls_status status = PLS_OK;
    options = options != NULL ? options : &defaults;
    if (folder == NULL || *folder == '\0' || options->timeout_seconds < 0) {
        status = pls_fail(context, PLS_ERROR_ARGUMENT,
                          folder == NULL || *folder == '\0'
                              ? "a report needs the folder of a run"
                              : "the time limit of a figure is negative; seconds, or 0 for 30, "
                                "were expected");
        goto cleanup;
    }
    PLS_TRY(context, pls_report_run_read(context, folder, &run));
    pls_report_facts facts = pls_report_find_facts(&run);
    PLS_TRY(context, pls_figures_compose(context, &run, &facts, &figures));
    PLS_TRY(context, write_figures(context, folder, &figures));
    PLS_TRY(context, draw_all(context, folder, options, &figures, &undrawn, reason));
    pls_page_compose(&page, &run, &facts, &figures, undrawn ? reason : NULL);
    PLS_TRY(context, write_text(context, folder, "report.html", &page));
cleanup:
    pls_text_release(&page);
    pls_figures_release(context, &figures);
    pls_report_run_release(context, &run);
    return status;
}
