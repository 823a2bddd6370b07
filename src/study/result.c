/* Results of cells as files, and what makes two of them comparable.
 *
 * The fingerprint of a study holds everything that a value depends on beside the cell: the base
 * model, the data (FNV-1a of its numbers), the options and the version. Axes are not in it, so a
 * study can grow. */
#include "study/study.h"

#include "base/memory.h"
#include "base/output.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = 512, DIGITS = 17 };

static const char STUDY_NAME[] = "jobs/study.json";

const char *pls_axis_word(pls_axis_kind axis, int64_t value, char *text) {
    bool is_activation = axis == PLS_AXIS_ACTIVATION || axis == PLS_AXIS_OUTPUT;
    bool as_the_model = is_activation ? value < 0 : axis <= PLS_AXIS_DEPTH && value == 0;
    if (as_the_model) {
        snprintf(text, 32, "model");
    } else if (is_activation) {
        snprintf(text, 32, "%s", pls_activation_name((pls_activation)value));
    } else {
        snprintf(text, 32, "%lld", (long long)value);
    }
    return text;
}

/* ---- the fingerprint ----------------------------------------------------------------------------
 */

static uint64_t hash(uint64_t state, const void *bytes, size_t count) {
    const unsigned char *at = bytes;
    for (size_t i = 0; i < count; i++) {
        state = (state ^ at[i]) * UINT64_C(0x100000001b3);
    }
    return state;
}

static void hash_data(const pls_dataset *data, char text[32]) {
    uint64_t state = UINT64_C(0xcbf29ce484222325);
    size_t inputs = (size_t)(data->samples * data->dimension);
    size_t targets = (size_t)(data->samples * data->outputs);
    state = hash(state, &data->samples, sizeof data->samples);
    state = hash(state, data->inputs, inputs * sizeof *data->inputs);
    state = hash(state, data->targets, targets * sizeof *data->targets);
    snprintf(text, 32, "%016llx", (unsigned long long)state);
}

static json_t *model_json(const pls_model *model) {
    json_t *layers = json_array();
    for (int64_t l = 0; layers != NULL && l < model->layer_count; l++) {
        const pls_layer_spec *layer = &model->layers[l];
        json_t *item = json_pack(
            "{s:s, s:I, s:s, s:I, s:I, s:I}", "type", pls_layer_type_name(layer->type), "width",
            (json_int_t)layer->width, "activation", pls_activation_name(layer->activation),
            "channels", (json_int_t)layer->channels, "kernel", (json_int_t)layer->kernel, "size",
            (json_int_t)layer->size);
        if (item == NULL || json_array_append_new(layers, item) != 0) {
            json_decref(layers);
            return NULL;
        }
    }
    return json_pack("{s:[I,I,I], s:i, s:f, s:f, s:b, s:o}", "input",
                     (json_int_t)model->input_shape[0], (json_int_t)model->input_shape[1],
                     (json_int_t)model->input_shape[2], "parameterization",
                     (int)model->parameterization, "sigma_w", model->sigma_w, "sigma_b",
                     model->sigma_b, "bias", (int)model->bias, "layers", layers);
}

pls_status pls_study_fingerprint(pls_context *context, const pls_study *study, json_t **made) {
    char data[32];
    hash_data(study->data, data);
    *made = json_pack("{s:o, s:s, s:I, s:f, s:I, s:I, s:I, s:f, s:s}", "model",
                      model_json(study->model), "data", data, "hessian_samples",
                      (json_int_t)study->hessian_samples, "radius", study->radius, "directions",
                      (json_int_t)study->directions, "steps", (json_int_t)study->steps,
                      "measure_every", (json_int_t)study->measure_every, "until", study->until,
                      "version", pls_version());
    return *made != NULL ? PLS_OK
                         : pls_fail(context, PLS_ERROR_MEMORY,
                                    "there is not enough memory for the description of a study");
}

/* The first key that differs, NULL if none does. */
static const char *difference(const json_t *expected, const json_t *found) {
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)expected, key, value) {
        if (!json_equal(value, json_object_get(found, key))) {
            return key;
        }
    }
    return NULL;
}

/* ---- files
 * ---------------------------------------------------------------------------------------- */

static void file_name(const pls_cell *cell, char name[NAME_SIZE]) {
    size_t used = (size_t)snprintf(name, NAME_SIZE, "jobs/");
    for (int a = 0; a < PLS_AXIS_COUNT; a++) {
        char word[32];
        used += (size_t)snprintf(name + used, NAME_SIZE - used, "%s%s-%s", a == 0 ? "" : "_",
                                 pls_axis_name((pls_axis_kind)a),
                                 pls_axis_word((pls_axis_kind)a, cell->at[a], word));
    }
    snprintf(name + used, NAME_SIZE - used, ".json");
}

/* One of the phrases that measuring gives, which outlive everything. */
static const char *known_reason(const char *text) {
    for (int i = 0; text != NULL && i < PLS_REASON_COUNT; i++) {
        if (strcmp(pls_reasons[i], text) == 0) {
            return pls_reasons[i];
        }
    }
    return NULL;
}

static bool take_value(const json_t *entry, pls_measured *value) {
    const json_t *number = json_object_get(entry, "value");
    const char *reason = known_reason(json_string_value(json_object_get(entry, "reason")));
    if (!json_is_number(number) && reason == NULL) {
        return false;
    }
    value->value = json_is_number(number) ? json_number_value(number) : NAN;
    value->reason = json_is_number(number) ? NULL : reason;
    value->error = json_number_value(json_object_get(entry, "error"));
    return true;
}

static bool take_values(const json_t *result, const pls_study *study, pls_measured *values) {
    const json_t *all = json_object_get(result, "values");
    for (int q = 0; q < PLS_QUANTITY_COUNT; q++) {
        const json_t *entry = json_object_get(all, pls_quantity_name((pls_quantity)q));
        if (study->quantities[q] && !take_value(entry, &values[q])) {
            return false;
        }
    }
    return true;
}

/* *object = the JSON object in a file; NULL where there is no file, or a damaged one. */
static pls_status read_object(pls_context *context, const char *path, json_t **object) {
    json_error_t fault;
    FILE *stream = fopen(path, "rb");
    *object = NULL;
    if (stream == NULL) {
        return errno == ENOENT || errno == ENOTDIR
                   ? PLS_OK
                   : pls_fail(context, PLS_ERROR_FILE, "%s: cannot be read: %s", path,
                              strerror(errno));
    }
    *object = json_loadf(stream, 0, &fault);
    fclose(stream);
    if (!json_is_object(*object)) {
        pls_log(context, PLS_LOG_WARNING, "%s is damaged, and made again", path);
        json_decref(*object);
        *object = NULL;
    }
    return PLS_OK;
}

static pls_status compare(pls_context *context, const char *path, const json_t *expected,
                          const json_t *found) {
    const char *key = difference(expected, found);
    return key == NULL
               ? PLS_OK
               : pls_fail(context, PLS_ERROR_CONFIG,
                          "%s: was measured with another choice of %s; go on with that one, or "
                          "choose another folder with --out",
                          path, key);
}

pls_status pls_result_read(pls_context *context, const char *folder, const pls_study *study,
                           const json_t *fingerprint, const pls_cell *cell, pls_measured *values,
                           bool *there) {
    char name[NAME_SIZE];
    char *path = NULL;
    json_t *result = NULL;
    pls_status status = PLS_OK;
    *there = false;
    file_name(cell, name);
    PLS_TRY(context, pls_join_path(context, folder, name, &path));
    PLS_TRY(context, read_object(context, path, &result));
    if (result != NULL) {
        PLS_TRY(context, compare(context, path, fingerprint, json_object_get(result, "study")));
        *there = take_values(result, study, values);
    }
cleanup:
    json_decref(result);
    pls_release(context, path);
    return status;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

/* Writes an object, which is taken; NULL stands for memory that ran out. */
static pls_status write_object(pls_context *context, const char *folder, const char *name,
                               json_t *object) {
    char *path = NULL;
    pls_output *output = NULL;
    pls_status status = PLS_OK;
    char *text =
        object != NULL ? json_dumps(object, JSON_INDENT(1) | JSON_REAL_PRECISION(DIGITS)) : NULL;
    if (text == NULL) {
        status = pls_fail(context, PLS_ERROR_MEMORY, "there is not enough memory for a result");
        goto cleanup;
    }
    PLS_TRY(context, pls_join_path(context, folder, name, &path));
    PLS_TRY(context, pls_output_open(context, path, &output));
    pls_output_write(output, text, strlen(text));
    PLS_TRY(context, pls_output_commit(output));
cleanup:
    json_decref(object);
    free(text);
    pls_release(context, path);
    return status;
}

pls_status pls_study_claim_folder(pls_context *context, const char *folder,
                                  const json_t *fingerprint) {
    char *path = NULL;
    json_t *found = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_join_path(context, folder, STUDY_NAME, &path));
    PLS_TRY(context, read_object(context, path, &found));
    if (found != NULL) {
        PLS_TRY(context, compare(context, path, fingerprint, found));
    } else {
        PLS_TRY(context, write_object(context, folder, STUDY_NAME, json_deep_copy(fingerprint)));
    }
cleanup:
    json_decref(found);
    pls_release(context, path);
    return status;
}

pls_status pls_study_fits_folder(pls_context *context, const pls_study *study, const char *folder) {
    char *path = NULL;
    json_t *found = NULL, *fingerprint = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_join_path(context, folder, STUDY_NAME, &path));
    PLS_TRY(context, read_object(context, path, &found));
    if (found != NULL) {
        PLS_TRY(context, pls_study_fingerprint(context, study, &fingerprint));
        PLS_TRY(context, compare(context, path, fingerprint, found));
    }
cleanup:
    json_decref(found);
    json_decref(fingerprint);
    pls_release(context, path);
    return status;
}

static json_t *values_json(const pls_study *study, const pls_measured *values) {
    json_t *all = json_object();
    for (int q = 0; all != NULL && q < PLS_QUANTITY_COUNT; q++) {
        const pls_measured *value = &values[q];
        if (!study->quantities[q]) {
            continue;
        }
        json_t *entry = value->reason != NULL
                            ? json_pack("{s:n, s:s}", "value", "reason", value->reason)
                            : json_pack("{s:f, s:f}", "value", value->value, "error", value->error);
        if (entry == NULL ||
            json_object_set_new(all, pls_quantity_name((pls_quantity)q), entry) != 0) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

pls_status pls_result_write(pls_context *context, const char *folder, const pls_study *study,
                            const json_t *fingerprint, const pls_cell *cell,
                            const pls_measured *values, double seconds) {
    char name[NAME_SIZE];
    file_name(cell, name);
    json_t *own = json_deep_copy(fingerprint); /* reference counts are not for threads */
    return write_object(context, folder, name,
                        json_pack("{s:o, s:o, s:f}", "study", own, "values",
                                  values_json(study, values), "seconds", seconds));
}
