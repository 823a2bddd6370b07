/* Reads the folder of a run. */
#include "report/run.h"

#include "base/memory.h"
#include "base/output.h"
#include "data/npy.h"
#include "report/picture.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

pls_status pls_report_read_file(pls_context *context, const char *folder, const char *name,
                                char **bytes, int64_t *size) {
    char *path = NULL, *content = NULL;
    FILE *stream = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_join_path(context, folder, name, &path));
    struct stat info;
    stream = fopen(path, "rb");
    if (stream == NULL || fstat(fileno(stream), &info) != 0 || !S_ISREG(info.st_mode)) {
        status = stream != NULL
                     ? pls_fail(context, PLS_ERROR_FILE, "%s: is not a file", path)
                     : pls_fail(context, PLS_ERROR_FILE,
                                "%s: cannot be read: %s; the folder of a plstar run was expected",
                                path, strerror(errno));
        goto cleanup;
    }
    PLS_TRY(context, pls_allocate(context, (int64_t)info.st_size + 1, 1, name, &content));
    size_t count = fread(content, 1, (size_t)info.st_size, stream);
    if (ferror(stream)) {
        status = pls_fail(context, PLS_ERROR_FILE, "%s: cannot be read: %s", path, strerror(errno));
        goto cleanup;
    }
    *bytes = content;
    *size = (int64_t)count;
    content = NULL;
cleanup:
    if (stream != NULL) {
        fclose(stream);
    }
    pls_release(context, content);
    pls_release(context, path);
    return status;
}

static pls_status read_summary(pls_context *context, pls_report_run *run) {
    char *bytes = NULL;
    int64_t size = 0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_report_read_file(context, run->folder, "summary.json", &bytes, &size));
    json_error_t fault;
    run->summary = json_loadb(bytes, (size_t)size, 0, &fault);
    if (run->summary == NULL) {
        status = pls_fail(
            context,
            json_error_code(&fault) == json_error_out_of_memory ? PLS_ERROR_MEMORY : PLS_ERROR_DATA,
            "%s/summary.json:%d: is not JSON: %s", run->folder, fault.line, fault.text);
    } else if (!json_is_object(run->summary)) {
        status = pls_fail(context, PLS_ERROR_DATA,
                          "%s/summary.json:1: holds no object; {\"command\": ...} was expected",
                          run->folder);
    }
cleanup:
    pls_release(context, bytes);
    return status;
}

static pls_status read_claims(pls_context *context, pls_report_run *run) {
    char *bytes = NULL;
    int64_t size = 0;
    json_error_t fault;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_report_read_file(context, run->folder, "claims.json", &bytes, &size));
    run->claims = json_loadb(bytes, (size_t)size, 0, &fault);
    if (!json_is_array(run->claims)) {
        status = pls_fail(context, PLS_ERROR_DATA,
                          "%s/claims.json:1: holds no list of claims; the file of an audit was "
                          "expected",
                          run->folder);
    }
cleanup:
    pls_release(context, bytes);
    return status;
}

/* A run is what `command` says; where that is missing, metrics.csv makes it a training run. */
static pls_status find_kind(pls_context *context, pls_report_run *run) {
    const char *command = pls_report_string(run, "command");
    if (command == NULL) {
        char *path = NULL;
        pls_status status = pls_join_path(context, run->folder, "metrics.csv", &path);
        if (status == PLS_OK) {
            run->is_train = access(path, F_OK) == 0;
        }
        pls_release(context, path);
        return status;
    }
    run->is_solve = strcmp(command, "solve") == 0;
    run->is_train = run->is_solve || strcmp(command, "train") == 0;
    run->is_study = strcmp(command, "study") == 0;
    if (strcmp(command, "audit") == 0) {
        return read_claims(context, run);
    }
    if (!run->is_train && !run->is_study && strcmp(command, "kernel") != 0) {
        return pls_fail(context, PLS_ERROR_DATA,
                        "%s/summary.json:1: command is \"%.40s\"; a report can be made of "
                        "\"train\", \"solve\", \"kernel\", \"audit\" and \"study\"",
                        run->folder, command);
    }
    return PLS_OK;
}

static pls_status read_metrics(pls_context *context, pls_report_run *run) {
    char *path = NULL, *bytes = NULL;
    int64_t size = 0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_report_read_file(context, run->folder, "metrics.csv", &bytes, &size));
    PLS_TRY(context, pls_join_path(context, run->folder, "metrics.csv", &path));
    PLS_TRY(context, pls_metrics_read(context, path, bytes, size, &run->metrics));
    if (run->metrics.cut_short) {
        pls_log(context, PLS_LOG_WARNING, "%s: the last line is cut short and was left out", path);
    }
cleanup:
    pls_release(context, path);
    pls_release(context, bytes);
    return status;
}

static pls_status read_spectrum(pls_context *context, const pls_report_run *run, const char *name,
                                double **values, int64_t *count) {
    char *path = NULL;
    pls_npy_array array = {0};
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_join_path(context, run->folder, name, &path));
    if (access(path, F_OK) != 0) {
        goto cleanup;
    }
    PLS_TRY(context, pls_npy_read(context, path, &array));
    if (array.rank != 1) {
        status = pls_fail(context, PLS_ERROR_DATA,
                          "%s: the array has %d dimensions; a list of eigenvalues was expected",
                          path, array.rank);
        goto cleanup;
    }
    for (int64_t i = 0; i < array.count; i++) {
        if (!isfinite(array.values[i]) || (i > 0 && array.values[i] < array.values[i - 1])) {
            status = pls_fail(context, PLS_ERROR_DATA,
                              "%s: element %lld is not finite or less than the one before; "
                              "eigenvalues in ascending order were expected",
                              path, (long long)i);
            goto cleanup;
        }
    }
    *values = array.values;
    *count = array.count;
    array.values = NULL;
cleanup:
    pls_release(context, array.values);
    pls_release(context, path);
    return status;
}

/* bottom_samples.npy, samples x channels x height x width; other shapes are no pictures. */
static pls_status read_pictures(pls_context *context, pls_report_run *run) {
    char *path = NULL;
    pls_npy_array array = {0};
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_join_path(context, run->folder, "bottom_samples.npy", &path));
    if (access(path, F_OK) != 0) {
        goto cleanup;
    }
    PLS_TRY(context, pls_npy_read(context, path, &array));
    if (array.rank != 4) {
        status = pls_fail(context, PLS_ERROR_DATA,
                          "%s: the array has %d dimensions; samples x channels x height x width "
                          "were expected",
                          path, array.rank);
        goto cleanup;
    }
    pls_picture_shape shape = {array.shape[1], array.shape[2], array.shape[3]};
    if (pls_picture_is_shown(shape)) {
        run->pictures = array.values;
        run->picture_count = array.shape[0];
        memcpy(run->picture_shape, array.shape + 1, sizeof run->picture_shape);
        array.values = NULL;
    }
cleanup:
    pls_release(context, array.values);
    pls_release(context, path);
    return status;
}

pls_status pls_report_run_read(pls_context *context, const char *folder, pls_report_run *run) {
    pls_status status = PLS_OK;
    run->folder = folder;
    PLS_TRY(context, read_summary(context, run));
    PLS_TRY(context, find_kind(context, run));
    PLS_TRY(context,
            pls_report_read_file(context, folder, "config.yaml", &run->config, &run->config_size));
    if (run->is_train) {
        PLS_TRY(context, read_metrics(context, run));
    }
    if (run->is_study) {
        PLS_TRY(context, pls_table_read(context, folder, "study.csv", &run->study));
        PLS_TRY(context, pls_table_read(context, folder, "fits.csv", &run->fits));
    }
    PLS_TRY(context,
            read_spectrum(context, run, "eigenvalues.npy", &run->spectrum, &run->spectrum_size));
    PLS_TRY(context, read_spectrum(context, run, "eigenvalues_initial.npy", &run->initial_spectrum,
                                   &run->initial_spectrum_size));
    PLS_TRY(context, read_pictures(context, run));
cleanup:
    if (status != PLS_OK) {
        pls_report_run_release(context, run);
    }
    return status;
}

void pls_report_run_release(pls_context *context, pls_report_run *run) {
    json_decref(run->summary);
    json_decref(run->claims);
    pls_table_release(context, &run->study);
    pls_table_release(context, &run->fits);
    pls_metrics_release(context, &run->metrics);
    pls_release(context, run->config);
    pls_release(context, run->spectrum);
    pls_release(context, run->initial_spectrum);
    pls_release(context, run->pictures);
    *run = (pls_report_run){0};
}

double pls_report_number(const pls_report_run *run, const char *key) {
    const json_t *value = json_object_get(run->summary, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

const char *pls_report_string(const pls_report_run *run, const char *key) {
    return json_string_value(json_object_get(run->summary, key));
}

bool pls_below_floor(double eigenvalue, double floor_value) {
    return eigenvalue <= 0.0 || eigenvalue <= floor_value;
}
