/* plstar study: a grid of networks, measured and fitted. */
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/progress.h"
#include "cli/ready.h"
#include "cli/run.h"
#include "cli/summary.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct study_run {
    cli *program;
    settings settings;
    experiment experiment; /* device, data and model alone */
    const char *whole;     /* the folder that goes on after an interruption; NULL: `folder` */
    bool part;             /* of `all`, which prints for its parts */
    pls_study study;
    int64_t *axes[PLS_AXIS_COUNT]; /* values made here */
    char *folder;
    progress line;
    pls_study_progress done;
    char *grid; /* in words */
} study_run;

/* ---- from settings -----------------------------------------------------------------------------
 */

/* Values of an axis from a list; an empty one leaves the axis as it is. `shift` is added. */
static pls_status take_axis(study_run *run, pls_axis_kind axis, const integer_list *list,
                            int64_t shift) {
    pls_status status = PLS_OK;
    if (list->count == 0) {
        return PLS_OK;
    }
    CLI_TRY(cli_allocate(run->program, list->count, sizeof(int64_t), "an axis of the study",
                         &run->axes[axis]));
    for (int64_t i = 0; i < list->count; i++) {
        run->axes[axis][i] = list->values[i] + shift;
    }
    run->study.axes[axis] = (pls_axis_values){run->axes[axis], list->count};
cleanup:
    return status;
}

static pls_status take_seeds(study_run *run) {
    int64_t count = run->settings.study.seeds;
    pls_status status = PLS_OK;
    if (run->settings.seed > (uint64_t)(INT64_MAX - count)) {
        return cli_fail(run->program, PLS_ERROR_CONFIG,
                        "seed: a study counts its seeds from there, up to 2^63; choose a smaller "
                        "one");
    }
    CLI_TRY(cli_allocate(run->program, count, sizeof(int64_t), "the seeds of the study",
                         &run->axes[PLS_AXIS_SEED]));
    for (int64_t i = 0; i < count; i++) {
        run->axes[PLS_AXIS_SEED][i] = (int64_t)run->settings.seed + i;
    }
    run->study.axes[PLS_AXIS_SEED] = (pls_axis_values){run->axes[PLS_AXIS_SEED], count};
cleanup:
    return status;
}

static pls_status make_study(study_run *run) {
    const settings *all = &run->settings;
    pls_study *study = &run->study;
    pls_status status = PLS_OK;
    *study = pls_study_defaults();
    study->model = &run->experiment.model;
    study->data = &run->experiment.data;
    CLI_TRY(take_axis(run, PLS_AXIS_WIDTH, &all->study.widths, 0));
    CLI_TRY(take_axis(run, PLS_AXIS_DEPTH, &all->study.depths, 0));
    CLI_TRY(take_axis(run, PLS_AXIS_ACTIVATION, &all->study.activations, -1));
    CLI_TRY(take_axis(run, PLS_AXIS_OUTPUT, &all->study.outputs, -1));
    CLI_TRY(take_axis(run, PLS_AXIS_BOTTLENECK, &all->study.bottlenecks, 0));
    CLI_TRY(take_axis(run, PLS_AXIS_STEP, &all->study.step_sizes, 0));
    CLI_TRY(take_seeds(run));
    for (int64_t i = 0; i < all->study.quantities.count; i++) {
        study->quantities[all->study.quantities.values[i]] = true;
    }
    study->hessian_samples = all->study.hessian_samples;
    study->radius = all->study.radius;
    study->directions = all->study.directions;
    study->steps = all->study.steps;
    study->measure_every = all->study.every;
    study->until = all->study.until;
    CLI_TRY(pls_study_check(run->program->context, study));
cleanup:
    return status;
}

/* ---- the folder
 * ---------------------------------------------------------------------------------- */

/* Results of a former study, which --overwrite gives up. */
static pls_status remove_results(study_run *run) {
    char *jobs = NULL, *path = NULL;
    DIR *folder = NULL;
    pls_status status = PLS_OK;
    CLI_TRY(file_path(run->program, run->folder, "jobs", &jobs));
    folder = opendir(jobs);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        if (strstr(entry->d_name, ".json") == NULL) {
            continue;
        }
        CLI_TRY(file_path(run->program, jobs, entry->d_name, &path));
        if (unlink(path) != 0) {
            status = cli_fail(run->program, PLS_ERROR_FILE, "%s: cannot be replaced: %s", path,
                              strerror(errno));
            goto cleanup;
        }
        free(path);
        path = NULL;
    }
cleanup:
    if (folder != NULL) {
        closedir(folder);
    }
    free(path);
    free(jobs);
    return status;
}

/* ---- what is told
 * ---------------------------------------------------------------------------------- */

static void observe(void *user, const pls_study_progress *state) {
    study_run *run = user;
    run->done = *state;
    progress_count(run->program, &run->line, "networks", state->found + state->measured,
                   state->cells, state->remaining);
}

static void print_value(FILE *stream, pls_axis_kind axis, int64_t number) {
    bool is_activation = axis == PLS_AXIS_ACTIVATION || axis == PLS_AXIS_OUTPUT;
    if (is_activation) {
        fputs(number < 0 ? "model" : pls_activation_name((pls_activation)number), stream);
    } else if (axis == PLS_AXIS_STEP) { /* thousandths */
        fprintf(stream, "%g", (double)number / 1000.0);
    } else {
        fprintf(stream, "%lld", (long long)number);
    }
}

/* "width 64, 128, 256; 3 seeds": what the network of the settings becomes in the cells. */
static pls_status describe_grid(const study_run *run, char **text) {
    static const char *const names[PLS_AXIS_COUNT] = {
        "width", "hidden layers", "activation", "output", "bottleneck", "step size", "seed"};
    size_t size = 0;
    int64_t seeds = run->study.axes[PLS_AXIS_SEED].count;
    FILE *stream = open_memstream(text, &size);
    if (stream == NULL) {
        return cli_fail(run->program, PLS_ERROR_MEMORY, "there is not enough memory for a text");
    }
    for (int a = 0; a < PLS_AXIS_SEED; a++) {
        const pls_axis_values *values = &run->study.axes[a];
        if (run->axes[a] == NULL || (a == PLS_AXIS_STEP && values->count == 1)) {
            continue; /* as the settings of the network have it */
        }
        fprintf(stream, "%s ", names[a]);
        for (int64_t i = 0; i < values->count; i++) {
            print_value(stream, (pls_axis_kind)a, values->values[i]);
            fputs(i + 1 < values->count ? ", " : "; ", stream);
        }
    }
    fprintf(stream, "%lld seed%s", (long long)seeds, seeds == 1 ? "" : "s");
    if (fclose(stream) != 0) {
        free(*text);
        *text = NULL;
        return cli_fail(run->program, PLS_ERROR_MEMORY, "there is not enough memory for a text");
    }
    return PLS_OK;
}

/* A table of text: no cell of it holds a comma. Calls `take` for every row after the first. */
typedef struct csv_row {
    char *cells[24];
    int count;
} csv_row;

static void split(char *line, csv_row *row) {
    row->count = 0;
    line[strcspn(line, "\n")] = '\0';
    for (char *at = line; row->count < 24; at++) {
        row->cells[row->count++] = at;
        at = strchr(at, ',');
        if (at == NULL) {
            return;
        }
        *at = '\0';
    }
}

static const char *cell_of(const csv_row *heads, const csv_row *row, const char *name) {
    for (int i = 0; i < heads->count && i < row->count; i++) {
        if (strcmp(heads->cells[i], name) == 0) {
            return row->cells[i];
        }
    }
    return "";
}

/* What tells a fit from others: the axes that have several values, but the one it goes along. */
static void describe_place(const study_run *run, const csv_row *heads, const csv_row *row,
                           char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (int a = 0; a < PLS_AXIS_SEED; a++) {
        const char *name = pls_axis_name((pls_axis_kind)a), *word = cell_of(heads, row, name);
        if (run->study.axes[a].count > 1 && word[0] != '\0' && used < size) {
            used += (size_t)snprintf(text + used, size - used, ", %s %s", name, word);
        }
    }
}

static void print_fit(const study_run *run, const csv_row *heads, const csv_row *row) {
    char place[200];
    const char *slope = cell_of(heads, row, "slope"), *low = cell_of(heads, row, "low");
    if (slope[0] == '\0') {
        return;
    }
    describe_place(run, heads, row, place, sizeof place);
    printf("%-20s %7.3f", cell_of(heads, row, "quantity"), atof(slope));
    if (low[0] != '\0') {
        printf("  [%.3f, %.3f]", atof(low), atof(cell_of(heads, row, "high")));
    }
    printf("  against %s%s", cell_of(heads, row, "against"), place);
    if (*cell_of(heads, row, "verdict") != '\0') {
        printf("; expected %s: %s", cell_of(heads, row, "expected"),
               cell_of(heads, row, "verdict"));
    }
    printf("\n");
}

static pls_status print_fits(const study_run *run) {
    char *path = NULL, *text = NULL, *rest = NULL;
    int64_t size = 0;
    csv_row heads, row;
    pls_status status = PLS_OK;
    CLI_TRY(file_path(run->program, run->folder, "fits.csv", &path));
    CLI_TRY(file_read(run->program, path, &text, &size));
    char *line = strtok_r(text, "\n", &rest);
    if (line != NULL) {
        split(line, &heads);
    }
    for (bool first = true; line != NULL && (line = strtok_r(NULL, "\n", &rest)) != NULL;
         first = false) {
        if (first) {
            printf("slopes of log-log fits%s\n", run->study.axes[PLS_AXIS_SEED].count > 1
                                                     ? ", with 95 % intervals"
                                                     : " (one seed each: no intervals)");
        }
        split(line, &row);
        print_fit(run, &heads, &row);
    }
cleanup:
    free(text);
    free(path);
    return status;
}

static void print_results(const study_run *run, const char *report) {
    const pls_study_progress *done = &run->done;
    const char *purpose = ready_purpose(run->settings.study.name);
    printf("study       %s%s%s\n",
           run->settings.study.name[0] != '\0' ? run->settings.study.name : "of one's own",
           purpose != NULL ? ": " : "", purpose != NULL ? purpose : "");
    printf("network     %s\n", run->experiment.model_text);
    printf("data        %s\n", run->experiment.data.description);
    printf("varied      %s\n", run->grid);
    printf("networks    %lld measured", (long long)done->measured);
    if (done->found > 0) {
        printf(", %lld were measured before", (long long)done->found);
    }
    putchar('\n');
    print_fits(run);
    printf("time        %.3g s\n", done->elapsed);
    printf("folder      %s\n", run->folder);
    if (report != NULL) {
        printf("report      %s\n", report);
    }
}

static pls_status summarize(study_run *run, pls_status so_far) {
    summary made = {0};
    const pls_study_progress *done = &run->done;
    const char *purpose = ready_purpose(run->settings.study.name);
    pls_status status = PLS_OK;
    CLI_TRY(summary_create(run->program, &made));
    summary_text(&made, "command", "study");
    summary_text(&made, "version", pls_version());
    summary_text(&made, "study", run->settings.study.name);
    summary_text(&made, "purpose", purpose != NULL ? purpose : "");
    summary_text(&made, "model", run->experiment.model_text);
    summary_text(&made, "data", run->experiment.data.description);
    summary_integer(&made, "samples", run->experiment.data.samples);
    summary_text(&made, "precision", "f64");
    summary_text(&made, "grid", run->grid);
    summary_integer(&made, "cells", done->cells);
    summary_integer(&made, "cells_done", done->found + done->measured);
    summary_text(&made, "device", pls_device_name(run->experiment.device));
    summary_text(&made, "device_description", pls_device_description(run->experiment.device));
    CLI_TRY(summary_object(&made, "versions", summary_versions()));
    summary_seconds(&made, "data", run->experiment.seconds_data);
    summary_seconds(&made, "study", done->elapsed);
    if (so_far != PLS_OK) {
        summary_note(&made, "the study ended early: %s", cli_error_text(run->program, so_far));
    }
    CLI_TRY(summary_write(&made, run->folder));
cleanup:
    summary_destroy(&made);
    return status;
}

/* ---- the command
 * --------------------------------------------------------------------------------- */

static pls_status measure(study_run *run) {
    pls_study_run_options options = pls_study_run_options_defaults();
    options.folder = run->folder;
    options.device = run->settings.device;
    options.side_by_side = run->settings.study.side_by_side > 0 ? run->settings.study.side_by_side
                                                                : run->settings.threads;
    options.memory = run->settings.study.memory;
    options.resamples = run->settings.study.resamples;
    options.observer = observe;
    options.observer_user = run;
    run->line = progress_start();
    pls_status status = pls_study_run(run->program->context, &run->study, &options, &run->done);
    cli_clear_line(run->program);
    return status;
}

static void release(study_run *run) {
    for (int a = 0; a < PLS_AXIS_COUNT; a++) {
        free(run->axes[a]);
    }
    experiment_destroy(run->program, &run->experiment);
    settings_release(&run->settings);
    free(run->folder);
    free(run->grid);
}

/* All that comes before the first measurement. */
static pls_status prepare(study_run *run, const command_line *given) {
    cli *program = run->program;
    pls_status status = PLS_OK;
    CLI_TRY(run_settings(program, given, &run->settings));
    if (run->settings.precision != PLS_F64) {
        cli_warn(program, "precision: studies measure in f64; %s is left aside",
                 pls_dtype_name((pls_dtype)run->settings.precision));
    }
    CLI_TRY(experiment_create_plan(program, &run->settings, &run->experiment));
    CLI_TRY(make_study(run));
    CLI_TRY(describe_grid(run, &run->grid));
    const char *former = given->resume != NULL ? given->resume : given->out;
    if (former != NULL && !given->overwrite) { /* before any file there changes */
        CLI_TRY(pls_study_fits_folder(program->context, &run->study, former));
    }
    CLI_TRY(run_folder(program, given, &run->settings, &run->folder));
    if (given->overwrite) {
        CLI_TRY(remove_results(run));
    }
cleanup:
    return status;
}

static pls_status run_one(study_run *run, const command_line *given) {
    cli *program = run->program;
    char *report = NULL, error[CLI_ERROR_SIZE];
    pls_status status = PLS_OK;
    CLI_TRY(prepare(run, given));
    pls_status measured = measure(run);
    program->listening = false; /* what follows is short and must not be cut off */
    snprintf(error, sizeof error, "%s", cli_error_text(program, measured));
    CLI_TRY(summarize(run, measured));
    run_report(program, &run->settings, run->folder, &report);
    program->listening = true;
    status = measured == PLS_OK ? PLS_OK : cli_fail(program, measured, "%s", error);
    if (status == PLS_CANCELLED) {
        status =
            cli_fail(program, PLS_CANCELLED,
                     "interrupted; %lld of %lld networks%s%s are done; go on with: plstar "
                     "study --resume %s",
                     (long long)(run->done.found + run->done.measured), (long long)run->done.cells,
                     run->part ? " of " : "", run->part ? run->settings.study.name : "",
                     run->whole != NULL ? run->whole : run->folder);
    }
    if (status == PLS_OK && !program->json && !program->quiet) {
        print_results(run, report);
    }
cleanup:
    free(report);
    return status;
}

/* ---- all ready studies, each in a folder of its own
 * -------------------------------------------------------------------------------- */

/* Whether a folder holds all of them. */
static pls_status holds_all(cli *program, const char *folder, bool *answer) {
    char *part = NULL, *path = NULL;
    pls_status status = PLS_OK;
    *answer = true;
    for (int i = 0; ready_name(i) != NULL && *answer; i++) {
        CLI_TRY(file_path(program, folder, ready_name(i), &part));
        CLI_TRY(file_path(program, part, "config.yaml", &path));
        *answer = access(path, F_OK) == 0;
        free(path);
        free(part);
        part = path = NULL;
    }
cleanup:
    free(path);
    free(part);
    return status;
}

/* The settings of all are there before the first one is measured: what was asked for is not asked
 * for again when they go on. */
static pls_status prepare_all(cli *program, const command_line *given, const char *parent) {
    char *folder = NULL;
    pls_status status = PLS_OK;
    for (int i = 0; ready_name(i) != NULL; i++) {
        study_run run = {.program = program};
        command_line one = *given;
        CLI_TRY(file_path(program, parent, ready_name(i), &folder));
        one.study = ready_name(i);
        one.out = folder;
        status = prepare(&run, &one);
        release(&run);
        free(folder);
        folder = NULL;
        if (status != PLS_OK) {
            break;
        }
    }
cleanup:
    free(folder);
    return status;
}

static pls_status add_part(summary *made, json_t *parts, const study_run *run) {
    json_t *item = json_pack("{s:s, s:s, s:I, s:I}", "study", run->settings.study.name, "folder",
                             run->folder, "cells", (json_int_t)run->done.cells, "cells_done",
                             (json_int_t)(run->done.found + run->done.measured));
    summary_seconds(made, run->settings.study.name, run->done.elapsed);
    return item != NULL && json_array_append_new(parts, item) == 0
               ? PLS_OK
               : cli_fail(run->program, PLS_ERROR_MEMORY,
                          "there is not enough memory for the summary");
}

static pls_status run_parts(cli *program, const command_line *given, const char *parent,
                            summary *made, json_t *parts) {
    command_line one = *given;
    char *folder = NULL;
    pls_status status = PLS_OK;
    one.study = NULL;
    if (given->resume == NULL) { /* all that was given is in the folders by now */
        one.argument = one.out = NULL;
        one.overwrite = false;
    }
    for (int i = 0; ready_name(i) != NULL && status == PLS_OK; i++) {
        study_run run = {.program = program, .whole = parent, .part = true};
        CLI_TRY(file_path(program, parent, ready_name(i), &folder));
        one.resume = folder;
        status = run_one(&run, &one);
        if (status == PLS_OK) {
            status = add_part(made, parts, &run);
        }
        release(&run);
        free(folder);
        folder = NULL;
    }
cleanup:
    free(folder);
    return status;
}

static pls_status run_all(cli *program, const command_line *given) {
    char *parent = NULL;
    json_t *parts = json_array();
    summary made = {0};
    bool json = program->json;
    pls_status status = PLS_OK;
    CLI_TRY(summary_create(program, &made));
    if (given->resume != NULL) {
        CLI_TRY(cli_format(program, &parent, "%s", given->resume));
    } else {
        if (given->out != NULL && !given->overwrite) {
            CLI_TRY(folder_is_free(program, given->command, given->out));
        }
        CLI_TRY(folder_create(program, COMMAND_STUDY, given->out, &parent));
        CLI_TRY(prepare_all(program, given, parent));
    }
    program->json = false; /* one object, of all of them, comes at the end */
    program->quiet = program->quiet || json;
    CLI_TRY(run_parts(program, given, parent, &made, parts));
    program->json = json;
    summary_text(&made, "command", "study");
    summary_text(&made, "version", pls_version());
    summary_text(&made, "study", "all");
    CLI_TRY(summary_object(&made, "studies", json_incref(parts)));
    CLI_TRY(summary_write(&made, parent));
cleanup:
    json_decref(parts);
    summary_destroy(&made);
    free(parent);
    return status;
}

pls_status command_study(cli *program, const command_line *given) {
    bool all = given->study != NULL && strcmp(given->study, "all") == 0;
    pls_status status = PLS_OK;
    if (given->study == NULL && given->resume != NULL) {
        CLI_TRY(holds_all(program, given->resume, &all));
    }
    if (all) {
        status = run_all(program, given);
    } else {
        study_run run = {.program = program};
        status = run_one(&run, given);
        release(&run);
    }
cleanup:
    return status;
}
