/* summary.json by jansson; 17 digits carry every double. */
#include "cli/summary.h"

#include "cli/files.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { FORMAT = JSON_INDENT(2) | JSON_REAL_PRECISION(17) };

static pls_status fail_memory(cli *program) {
    return cli_fail(program, PLS_ERROR_MEMORY, "there is not enough memory for the summary");
}

pls_status summary_create(cli *program, summary *made) {
    *made = (summary){.program = program,
                      .object = json_object(),
                      .notes = json_array(),
                      .seconds = json_object()};
    bool complete = made->object != NULL && made->notes != NULL && made->seconds != NULL;
    return complete ? PLS_OK : fail_memory(program);
}

void summary_destroy(summary *made) {
    json_decref(made->object);
    json_decref(made->notes);
    json_decref(made->seconds);
    *made = (summary){0};
}

static void set(summary *made, const char *key, json_t *item) {
    if (json_object_set_new(made->object, key, item) != 0) {
        made->incomplete = true;
    }
}

/* File names may be no UTF-8, which JSON has to be. */
static json_t *any_text(const char *text) {
    json_t *item = json_string(text);
    char plain[1024];
    if (item == NULL) {
        snprintf(plain, sizeof plain, "%s", text);
        for (char *c = plain; *c != '\0'; c++) {
            *c = (unsigned char)*c < 0x80 ? *c : '?';
        }
        item = json_string(plain);
    }
    return item;
}

void summary_text(summary *made, const char *key, const char *text) {
    set(made, key, any_text(text));
}

void summary_integer(summary *made, const char *key, int64_t number) {
    set(made, key, json_integer(number));
}

void summary_note(summary *made, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (json_array_append_new(made->notes, any_text(text)) != 0) {
        made->incomplete = true;
    }
}

void summary_number(summary *made, const char *key, double number, const char *why) {
    set(made, key, isfinite(number) ? json_real(number) : json_null());
    if (!isfinite(number)) {
        summary_note(made, "%s is null because %s", key, why);
    }
}

pls_status summary_object(summary *made, const char *key, json_t *item) {
    set(made, key, item);
    return made->incomplete ? fail_memory(made->program) : PLS_OK;
}

void summary_seconds(summary *made, const char *phase, double seconds) {
    if (json_object_set_new(made->seconds, phase, json_real(seconds)) != 0) {
        made->incomplete = true;
    }
}

pls_status summary_device_seconds(summary *made, pls_device *device) {
    const pls_phase_time *times = NULL;
    int count = 0;
    json_t *seconds = NULL;
    pls_status status = pls_device_phases(device, &times, &count);
    if (status != PLS_OK) {
        return status;
    }
    seconds = json_object();
    for (int i = 0; i < count; i++) {
        if (times[i].count > 0 &&
            json_object_set_new(seconds, times[i].name, json_real(times[i].seconds)) != 0) {
            made->incomplete = true;
        }
    }
    set(made, "device_seconds", seconds);
    return PLS_OK;
}

json_t *summary_versions(void) {
    return json_pack("{s:s, s:s, s:s, s:s}", "plstar", pls_version(), "libyaml",
                     yaml_get_version_string(), "jansson", JANSSON_VERSION, "compiler",
                     __VERSION__);
}

static void note_duplicates(summary *made, const settings *all, const pls_dataset *data) {
    if (data->duplicates > 0) {
        summary_note(made,
                     "%lld input%s equal to an earlier one (samples %lld and %lld, counted from "
                     "0)%s",
                     (long long)data->duplicates, data->duplicates == 1 ? " is" : "s are",
                     (long long)data->duplicate_pair[0], (long long)data->duplicate_pair[1],
                     all->monitor.trace ? "" : ": lambda_min of the exact kernel is 0");
    }
}

void summary_describe(summary *made, const settings *all, const experiment *built) {
    const pls_system *system = built->system;
    summary_text(made, "command", cli_command_name(all->command));
    summary_text(made, "version", pls_version());
    if (settings_are_of_system(all)) {
        summary_text(made, "system", built->model_text);
        summary_text(made, "system_type",
                     pls_planted_type_name((pls_planted_type)all->system.type));
    } else {
        summary_text(made, "model", built->model_text);
        summary_text(made, "data", built->data.description);
    }
    summary_integer(made, "samples", pls_system_samples(system));
    summary_integer(made, "outputs", pls_system_outputs(system));
    summary_integer(made, "equations", pls_system_equations(system));
    summary_integer(made, "parameters", pls_system_parameters(system));
    summary_text(made, "device", pls_device_name(built->device));
    summary_text(made, "device_description", pls_device_description(built->device));
    summary_text(made, "precision", pls_dtype_name(pls_system_precision(system)));
    pls_kernel_options kernel = experiment_kernel_options(all);
    summary_text(made, "gram", pls_kernel_arithmetic(system, &kernel));
    summary_text(made, "kernel", all->monitor.trace ? "trace, n x n" : "N x N");
    set(made, "versions", summary_versions());
    if (settings_are_of_system(all)) {
        summary_seconds(made, "system", built->seconds_network);
    } else {
        summary_seconds(made, "data", built->seconds_data);
        summary_seconds(made, "network", built->seconds_network);
    }
    note_duplicates(made, all, &built->data);
}

void summary_spectrum(summary *made, double lambda_min, double lower, double upper,
                      double lambda_max, double condition_number, double floor_value,
                      const char *why_missing) {
    bool known = isfinite(lambda_min);
    bool below = known && !(lambda_min > floor_value);
    const char *why = known ? "it is not finite" : why_missing;
    summary_number(made, "lambda_min", lambda_min, why);
    summary_number(made, "lambda_min_lower", lower, why);
    summary_number(made, "lambda_min_upper", upper, why);
    summary_number(made, "lambda_max", lambda_max, why);
    summary_number(made, "condition_number", condition_number,
                   below ? "lambda_min is below its floor" : why);
    summary_number(made, "kernel_floor", floor_value, why);
    if (below) {
        summary_note(made,
                     "lambda_min is below the floor of %.3g: rounding hides its value and its sign",
                     floor_value);
    }
}

pls_status summary_print(cli *program, const json_t *item) {
    if (json_dumpf(item, stdout, FORMAT) != 0 || putchar('\n') == EOF) {
        return cli_fail(program, PLS_ERROR_FILE, "the result cannot be printed: %s",
                        strerror(errno));
    }
    return PLS_OK;
}

pls_status summary_write(summary *made, const char *folder) {
    pls_status status = PLS_OK;
    char *path = NULL, *text = NULL, *line = NULL;
    set(made, "seconds", json_incref(made->seconds));
    set(made, "notes", json_incref(made->notes));
    text = json_dumps(made->object, FORMAT);
    if (made->incomplete || text == NULL) {
        status = fail_memory(made->program);
        goto cleanup;
    }
    CLI_TRY(file_path(made->program, folder, "summary.json", &path));
    CLI_TRY(cli_format(made->program, &line, "%s\n", text));
    CLI_TRY(file_replace(made->program, path, line, (int64_t)strlen(line)));
    if (made->program->json) {
        CLI_TRY(summary_print(made->program, made->object));
    }
cleanup:
    free(path);
    free(line);
    free(text);
    return status;
}
