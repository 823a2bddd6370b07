/* What `plstar train`, `solve` and `kernel` do alike. */
#include "cli/run.h"

#include "cli/files.h"
#include "cli/ready.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Steps of a resumed run must follow from those that are there. */
static pls_status check_unchanged(cli *program, const char *path, const settings *all) {
    pls_status status = PLS_OK;
    settings before = {0};
    CLI_TRY(settings_defaults(program, all->command, &before));
    CLI_TRY(settings_read(program, &before, path));
    CLI_TRY(settings_settle(program, &before));
    const char *key = settings_fixed_difference(&before, all);
    if (key != NULL) {
        status = cli_fail(program, PLS_ERROR_CONFIG,
                          "%s cannot change when a run is resumed; leave it as in %s, or start a "
                          "new run: plstar %s %s --out DIR",
                          key, path, cli_command_name(all->command), path);
    }
cleanup:
    settings_release(&before);
    return status;
}

/* What `plstar train` shows to somebody who asks for nothing in particular: a network that is wide
 * enough to see the theory at work, and weights large enough for mu to be far from zero. */
static const struct {
    const char *key, *text;
} demonstration[] = {
    {"model.layers", "[{width: 4096, activation: tanh}, {width: 4096, activation: tanh}, "
                     "{width: outputs}]"},
    {"model.sigma_w", "2"},
    {"train.step_size", "critical:0.9"},
    {"train.steps", "250"},
    {"monitor.spectrum", "full"},
};

enum { DEMONSTRATION = sizeof demonstration / sizeof demonstration[0] };

static bool model_is_given(const settings *all) {
    for (int i = 0; settings_key(i) != NULL; i++) {
        const char *key = settings_key(i);
        if (strncmp(key, "model.", 6) == 0 && settings_origin(all, key) != ORIGIN_DEFAULT) {
            return true;
        }
    }
    return false;
}

/* Every part of the demonstration that was not asked for otherwise. */
static pls_status demonstrate(cli *program, settings *all) {
    pls_status status = PLS_OK;
    for (int i = 0; i < DEMONSTRATION; i++) {
        const char *key = demonstration[i].key;
        if (settings_origin(all, key) == ORIGIN_DEFAULT) {
            CLI_TRY(settings_assign(program, all, key, key, demonstration[i].text));
        }
    }
cleanup:
    return status;
}

/* A word that is no ready study may be one misspelt, or a file. */
static pls_status check_study_word(cli *program, const char *word) {
    const char *nearest = ready_name(0);
    for (int i = 1; ready_name(i) != NULL; i++) {
        if (cli_edit_distance(word, ready_name(i)) < cli_edit_distance(word, nearest)) {
            nearest = ready_name(i);
        }
    }
    if (access(word, F_OK) == 0) {
        return PLS_OK;
    }
    return cli_fail(program, PLS_ERROR_FILE,
                    "%s is neither a file nor a ready study, of which the nearest is %s (`plstar "
                    "study --help` lists all)",
                    word, nearest);
}

/* A study goes on in a folder of its own kind; its results say whether they belong to it. */
static pls_status check_study_folder(cli *program, const command_line *given) {
    const char *folder = given->resume != NULL ? given->resume : given->out;
    char *jobs = NULL;
    pls_status status = PLS_OK;
    if (folder == NULL || given->overwrite) {
        return PLS_OK;
    }
    CLI_TRY(file_path(program, folder, "jobs", &jobs));
    if (access(jobs, F_OK) != 0) {
        if (given->resume != NULL) {
            status = cli_fail(program, PLS_ERROR_FILE, "%s holds no study to go on with", folder);
        } else {
            status = folder_is_free(program, given->command, folder);
        }
    }
cleanup:
    free(jobs);
    return status;
}

/* What says which settings to take has no place where they are there already. */
static pls_status check_resume(cli *program, const command_line *given) {
    if (given->argument != NULL || given->out != NULL || given->overwrite) {
        return cli_fail(program, PLS_ERROR_CONFIG,
                        "--resume %s goes on in that folder with the settings there; it takes "
                        "neither CONFIG nor --out nor --overwrite",
                        given->resume);
    }
    return given->command == COMMAND_STUDY ? check_study_folder(program, given) : PLS_OK;
}

/* The settings of a ready study are drawn when it starts: a name or a size that comes later would
 * change nothing but what the results are called. */
static pls_status check_study_goes_on(cli *program, const char *path, const settings *all) {
    pls_status status = PLS_OK;
    settings before = {0};
    CLI_TRY(settings_defaults(program, all->command, &before));
    CLI_TRY(settings_read(program, &before, path));
    const char *former = before.study.name;
    if (strcmp(all->study.name, former) != 0) {
        status = cli_fail(program, PLS_ERROR_CONFIG,
                          "study.name: %s is that of %s%s; leave the name out, or start %s in "
                          "another folder with --out",
                          path, former[0] != '\0' ? "the study " : "a study without a name", former,
                          all->study.name[0] != '\0' ? all->study.name : "the other one");
    } else if (all->study.size != before.study.size) {
        status = cli_fail(program, PLS_ERROR_CONFIG,
                          "study.size: %s is that of another size, which cannot change any more; "
                          "add to it by --widths and --seeds, or start the other size in another "
                          "folder with --out",
                          path);
    }
cleanup:
    settings_release(&before);
    return status;
}

pls_status run_settings(cli *program, const command_line *given, settings *all) {
    pls_status status = PLS_OK;
    char *path = NULL;
    CLI_TRY(settings_defaults(program, given->command, all));
    if (given->resume != NULL) {
        CLI_TRY(check_resume(program, given));
        CLI_TRY(file_path(program, given->resume, "config.yaml", &path));
    } else if (given->argument != NULL) {
        if (all->command == COMMAND_STUDY) {
            CLI_TRY(check_study_word(program, given->argument));
        }
        CLI_TRY(cli_format(program, &path, "%s", given->argument));
    }
    if (path != NULL) {
        CLI_TRY(settings_read(program, all, path));
    }
    if (given->study != NULL) {
        CLI_TRY(settings_assign(program, all, "NAME", "study.name", given->study));
    }
    CLI_TRY(options_apply(program, given, all));
    if (all->command == COMMAND_TRAIN && path == NULL && !model_is_given(all)) {
        CLI_TRY(demonstrate(program, all));
    }
    if (all->command == COMMAND_STUDY) {
        CLI_TRY(ready_apply(program, all));
    }
    if (all->command == COMMAND_AUDIT) {
        CLI_TRY(settings_settle_subject(program, all));
        CLI_TRY(ready_audit_apply(program, all));
    }
    CLI_TRY(settings_settle(program, all));
    if (all->command == COMMAND_STUDY && given->resume != NULL) {
        CLI_TRY(check_study_goes_on(program, path, all));
    } else if (all->command == COMMAND_STUDY) {
        CLI_TRY(check_study_folder(program, given));
    } else if (given->resume != NULL) {
        CLI_TRY(check_unchanged(program, path, all));
    } else if (given->out != NULL && !given->overwrite) {
        CLI_TRY(folder_is_free(program, given->command, given->out));
    }
cleanup:
    free(path);
    return status;
}

static pls_status write_settings(cli *program, const settings *all, const char *folder) {
    pls_status status = PLS_OK;
    char *text = NULL, *path = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL) {
        return cli_fail(program, PLS_ERROR_MEMORY, "there is not enough memory for config.yaml");
    }
    settings_write(all, pls_version(), stream);
    fclose(stream);
    CLI_TRY(file_path(program, folder, "config.yaml", &path));
    CLI_TRY(file_replace(program, path, text, (int64_t)size));
cleanup:
    free(path);
    free(text);
    return status;
}

pls_status run_folder(cli *program, const command_line *given, const settings *all, char **folder) {
    pls_status status = PLS_OK;
    if (given->resume != NULL) {
        CLI_TRY(cli_format(program, folder, "%s", given->resume));
    } else {
        CLI_TRY(folder_create(program, given->command, given->out, folder));
    }
    if (all->command == COMMAND_STUDY) { /* first: by it a folder is known to be that of a study */
        CLI_TRY(folder_add(program, *folder, "jobs"));
    }
    CLI_TRY(write_settings(program, all, *folder));
cleanup:
    return status;
}

pls_status run_write_array(cli *program, const char *folder, const char *name, const double *values,
                           int rank, const int64_t *shape) {
    pls_status status = PLS_OK;
    char *path = NULL;
    CLI_TRY(file_path(program, folder, name, &path));
    CLI_TRY(pls_npy_write(program->context, path, values, rank, shape));
cleanup:
    free(path);
    return status;
}

void run_report(cli *program, const settings *all, const char *folder, char **path) {
    *path = NULL;
    if (!all->output.report) {
        return;
    }
    pls_status status = pls_report_write(program->context, folder, NULL);
    if (status == PLS_OK) {
        status = file_path(program, folder, "report.html", path);
    }
    if (status != PLS_OK) {
        cli_warn(program, "no report was written: %s", cli_error_text(program, status));
        program->error[0] = '\0';
        pls_error_clear(program->context);
    }
}

void run_print_head(const experiment *built) {
    bool solves = built->data.description == NULL;
    printf("%-11s %s; %lld weights, %s on %s\n", solves ? "system" : "network", built->model_text,
           (long long)pls_system_parameters(built->system),
           pls_dtype_name(pls_system_precision(built->system)), pls_device_name(built->device));
    if (solves) {
        return;
    }
    printf("data        %s; %lld equations\n", built->data.description,
           (long long)pls_system_equations(built->system));
    if (built->data.duplicates > 0) {
        printf("            samples %lld and %lld are equal: lambda_min of the exact kernel is 0\n",
               (long long)built->data.duplicate_pair[0], (long long)built->data.duplicate_pair[1]);
    }
}

void run_print_mu(double lambda_min, double lower, double upper, double floor_value) {
    if (isnan(lambda_min)) {
        printf(
            "mu          not reached by products with the kernel: at most %.6g, and at least 0\n",
            upper);
    } else if (!(lambda_min > floor_value)) {
        printf("mu          below the floor of %.3g: rounding hides its value and its sign\n",
               floor_value);
    } else {
        printf("mu          %.6g in [%.6g, %.6g], floor %.3g\n", lambda_min, lower, upper,
               floor_value);
    }
}
