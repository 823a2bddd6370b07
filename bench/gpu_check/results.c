/* What was found, as JSON. */
#include "gpu_check.h"

#include "base/error.h"
#include "base/output.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

json_t *json_number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *text_or_null(const char *text) {
    return text != NULL ? json_string(text) : json_null();
}

void record_check(check_run *run, const char *section, const char *name, bool passed,
                  json_t *details, const char *reason) {
    json_t *check = json_object();
    json_object_set_new(check, "section", json_string(section));
    json_object_set_new(check, "name", json_string(name));
    json_object_set_new(check, "result", json_string(passed ? "passed" : "failed"));
    if (details != NULL) {
        json_object_update(check, details);
        json_decref(details);
    }
    if (reason != NULL) {
        json_object_set_new(check, "reason", json_string(reason));
    }
    json_array_append_new(run->checks, check);
    run->made++;
    run->failed += !passed;
    if (!passed) {
        fprintf(stderr, "gpu_check: failed: %s: %s%s%s\n", section, name,
                reason != NULL ? ": " : "", reason != NULL ? reason : "");
    }
}

void record_error(check_run *run, const char *section, const char *name) {
    record_check(run, section, name, false, NULL, pls_error_text(run->context));
}

/* Checks made by others; one whose tool was missing was not made. */
static void record_outside(check_run *run, const char *text) {
    const char *result = strrchr(text, '=');
    json_t *check = json_object();
    json_object_set_new(check, "section", json_string("outside"));
    json_object_set_new(check, "name", json_stringn(text, (size_t)(result - text)));
    json_object_set_new(check, "result", json_string(result + 1));
    json_array_append_new(run->checks, check);
    run->made += strcmp(result, "=missing") != 0;
    run->failed += strcmp(result, "=failed") == 0;
}

static json_t *describe_device(check_run *run) {
    int64_t available = 0, total = 0;
    json_t *device = json_object();
    json_object_set_new(device, "name", json_string(pls_device_name(run->device)));
    json_object_set_new(device, "description", json_string(pls_device_description(run->device)));
    if (pls_device_memory(run->device, &available, &total) == PLS_OK) {
        json_object_set_new(device, "memory_bytes", json_integer(total));
    }
    json_object_set_new(device, "driver", text_or_null(run->options->driver));
    json_object_set_new(device, "toolkit", text_or_null(run->options->toolkit));
    return device;
}

/* The CPU backend describes the processor. */
static json_t *describe_host(check_run *run) {
    pls_device_options options = {"cpu", 0};
    pls_device *cpu = NULL;
    if (pls_device_open(run->context, &options, &cpu) != PLS_OK) {
        return json_null();
    }
    json_t *host = json_string(pls_device_description(cpu));
    pls_device_close(cpu);
    return host;
}

static json_t *date_now(void) {
    char text[32];
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return json_string(text);
}

static json_t *gather_results(check_run *run) {
    json_t *all = json_object();
    for (int i = 0; i < run->options->outside_count; i++) {
        record_outside(run, run->options->outside[i]);
    }
    json_object_set_new(all, "version", json_string(pls_version()));
    json_object_set_new(all, "commit", text_or_null(run->options->commit));
    json_object_set_new(all, "date", date_now());
    json_object_set_new(all, "device", describe_device(run));
    json_object_set_new(all, "host", describe_host(run));
    json_object_set_new(all, "quick", json_boolean(run->options->quick));
    json_object_set_new(all, "passed", json_boolean(run->failed == 0));
    json_object_set_new(all, "checks_made", json_integer(run->made));
    json_object_set_new(all, "checks_failed", json_integer(run->failed));
    json_object_set(all, "checks", run->checks);
    json_object_set(all, "ceilings", run->ceilings);
    json_object_set(all, "timings", run->timings);
    return all;
}

pls_status write_results(check_run *run, const char *path) {
    pls_status status = PLS_OK;
    pls_output *output = NULL;
    json_t *all = gather_results(run);
    if (path != NULL) {
        PLS_TRY(run->context, pls_output_open(run->context, path, &output));
        if (json_dumpf(all, pls_output_stream(output), JSON_INDENT(1)) != 0) {
            PLS_TRY(run->context, pls_fail(run->context, PLS_ERROR_FILE,
                                           "%s: the results could not be written as JSON", path));
        }
        fputc('\n', pls_output_stream(output));
        pls_output *finished = output;
        output = NULL;
        PLS_TRY(run->context, pls_output_commit(finished));
    }
cleanup:
    pls_output_discard(output);
    json_decref(all);
    return status;
}
