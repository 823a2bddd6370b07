/* Checkpoints; what they hold is said in checkpoint.h. */
#include "train/checkpoint.h"

#include "base/memory.h"
#include "base/output.h"
#include "system/weights.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char FILE_NAME[] = "state.safetensors";
static const char LINEAR_TENSOR[] = "checkpoint.linear_outputs";

/* What the metadata say of f_lin. */
static const char LINEAR_KEY[] = "linear_outputs";
static const char KEPT[] = "kept", LOST[] = "not finite", NONE[] = "none";

static const char *state_of(const double *linear, int64_t count) {
    if (linear == NULL) {
        return NONE;
    }
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(linear[i])) {
            return LOST;
        }
    }
    return KEPT;
}

pls_status pls_checkpoint_save(pls_system *system, const char *folder,
                               const pls_checkpoint *checkpoint) {
    pls_context *context = system->device->context;
    int64_t n = system->samples, k = system->outputs;
    const char *linear = state_of(checkpoint->linear, n * k);
    const pls_beside_weights beside = {LINEAR_TENSOR, n, k,
                                       linear == KEPT ? checkpoint->linear : NULL};
    char text[11][40];
    char *path = NULL;
    pls_status status = PLS_OK;
    snprintf(text[0], sizeof text[0], "%lld", (long long)checkpoint->step);
    snprintf(text[1], sizeof text[1], "%.17g", checkpoint->initial_loss);
    snprintf(text[2], sizeof text[2], "%.17g", checkpoint->initial_norm);
    snprintf(text[3], sizeof text[3], "%.17g", checkpoint->lambda_min_infimum);
    snprintf(text[4], sizeof text[4], "%.17g", checkpoint->infimum_floor);
    snprintf(text[5], sizeof text[5], "%lld", (long long)checkpoint->violations);
    snprintf(text[6], sizeof text[6], "%lld", (long long)checkpoint->measurements);
    const pls_damping *damping = &checkpoint->damping;
    snprintf(text[7], sizeof text[7], "%.17g", damping->lambda);
    snprintf(text[8], sizeof text[8], "%.17g", damping->growth);
    snprintf(text[9], sizeof text[9], "%lld", (long long)damping->rejected);
    snprintf(text[10], sizeof text[10], "%d", (int)damping->stalled);
    const pls_metadata metadata[] = {
        {"step", text[0]},           {"initial_loss", text[1]},
        {"initial_norm", text[2]},   {"lambda_min_infimum", text[3]},
        {"infimum_floor", text[4]},  {"violations", text[5]},
        {"measurements", text[6]},   {"damping", text[7]},
        {"damping_growth", text[8]}, {"rejected", text[9]},
        {"stalled", text[10]},       {LINEAR_KEY, linear},
    };
    PLS_TRY(context, pls_make_directory(context, folder));
    PLS_TRY(context, pls_join_path(context, folder, FILE_NAME, &path));
    PLS_TRY(context, pls_weights_write(system, path, metadata, sizeof metadata / sizeof metadata[0],
                                       &beside));
cleanup:
    pls_release(context, path);
    return status;
}

/* A number of the metadata; absent or unreadable ones are errors that name the file and key. */
static pls_status metadata_number(pls_context *context, const pls_safetensors *file,
                                  const char *path, const char *key, double *value) {
    const char *text = pls_safetensors_metadata(file, key);
    char *end = NULL;
    if (text != NULL) {
        *value = strtod(text, &end);
    }
    if (text == NULL || end == text || *end != '\0') {
        return pls_fail(context, PLS_ERROR_DATA,
                        "%s: is not a checkpoint of plstar: its metadata has no number '%s'", path,
                        key);
    }
    return PLS_OK;
}

static pls_status read_numbers(pls_context *context, const pls_safetensors *file, const char *path,
                               pls_checkpoint *checkpoint) {
    double step = 0.0, violations = 0.0, measurements = 0.0, rejected = 0.0, stalled = 0.0;
    pls_damping *damping = &checkpoint->damping;
    pls_status status = PLS_OK;
    PLS_TRY(context, metadata_number(context, file, path, "step", &step));
    PLS_TRY(context,
            metadata_number(context, file, path, "initial_loss", &checkpoint->initial_loss));
    PLS_TRY(context,
            metadata_number(context, file, path, "initial_norm", &checkpoint->initial_norm));
    PLS_TRY(context, metadata_number(context, file, path, "lambda_min_infimum",
                                     &checkpoint->lambda_min_infimum));
    PLS_TRY(context,
            metadata_number(context, file, path, "infimum_floor", &checkpoint->infimum_floor));
    PLS_TRY(context, metadata_number(context, file, path, "violations", &violations));
    PLS_TRY(context, metadata_number(context, file, path, "measurements", &measurements));
    PLS_TRY(context, metadata_number(context, file, path, "damping", &damping->lambda));
    PLS_TRY(context, metadata_number(context, file, path, "damping_growth", &damping->growth));
    PLS_TRY(context, metadata_number(context, file, path, "rejected", &rejected));
    PLS_TRY(context, metadata_number(context, file, path, "stalled", &stalled));
    if (!(step >= 0.0 && step < 0x1p53)) {
        status = pls_fail(context, PLS_ERROR_DATA, "%s: the checkpoint's step %g is not a count",
                          path, step);
        goto cleanup;
    }
    checkpoint->step = (int64_t)step;
    checkpoint->violations = (int64_t)violations;
    checkpoint->measurements = (int64_t)measurements;
    damping->rejected = (int64_t)rejected;
    damping->stalled = stalled != 0.0;
cleanup:
    return status;
}

/* f_lin_t as it was saved; NaN where it was lost. */
static pls_status read_linear(pls_system *system, pls_safetensors *file, const char *path,
                              double *linear) {
    pls_context *context = system->device->context;
    int64_t n = system->samples, k = system->outputs;
    const char *state = pls_safetensors_metadata(file, LINEAR_KEY);
    const pls_tensor *tensor = pls_safetensors_find(file, LINEAR_TENSOR);
    if (state != NULL && strcmp(state, LOST) == 0) {
        for (int64_t i = 0; i < n * k; i++) {
            linear[i] = NAN;
        }
        return PLS_OK;
    }
    if (tensor == NULL) {
        return pls_fail(context, PLS_ERROR_DATA,
                        "%s: the run that saved this carried no linearised network along; resume "
                        "it with train.linearized: false",
                        path);
    }
    if (tensor->rank != 2 || tensor->shape[0] != n || tensor->shape[1] != k) {
        return pls_fail(context, PLS_ERROR_DATA,
                        "%s: tensor '%s' is not %lld x %lld, samples x outputs", path,
                        LINEAR_TENSOR, (long long)n, (long long)k);
    }
    return pls_safetensors_read(file, tensor, 0, n * k, PLS_F64, linear);
}

pls_status pls_checkpoint_load(pls_system *system, const char *folder, pls_checkpoint *checkpoint) {
    pls_context *context = system->device->context;
    pls_checkpoint found = {0};
    pls_safetensors *file = NULL;
    char *path = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_join_path(context, folder, FILE_NAME, &path));
    PLS_TRY(context, pls_safetensors_open(context, path, &file));
    PLS_TRY(context, read_numbers(context, file, path, &found));
    if (found.initial_loss != checkpoint->initial_loss ||
        found.initial_norm != checkpoint->initial_norm) {
        status = pls_fail(context, PLS_ERROR_DATA,
                          "%s: the run that saved this started from other weights or data (loss "
                          "%.17g, now %.17g; ||w_0|| %.17g, now %.17g); resume with the settings "
                          "it was started with",
                          path, found.initial_loss, checkpoint->initial_loss, found.initial_norm,
                          checkpoint->initial_norm);
        goto cleanup;
    }
    found.linear = checkpoint->linear;
    if (found.linear != NULL) {
        PLS_TRY(context, read_linear(system, file, path, found.linear));
    }
    PLS_TRY(context, pls_weights_read(system, file, path, false));
    *checkpoint = found;
cleanup:
    pls_safetensors_close(file);
    pls_release(context, path);
    return status;
}

pls_status pls_checkpoint_step(pls_context *context, const char *folder, int64_t *step) {
    pls_checkpoint checkpoint = {0};
    pls_safetensors *file = NULL;
    char *path = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_join_path(context, folder, FILE_NAME, &path));
    PLS_TRY(context, pls_safetensors_open(context, path, &file));
    PLS_TRY(context, read_numbers(context, file, path, &checkpoint));
    *step = checkpoint.step;
cleanup:
    pls_safetensors_close(file);
    pls_release(context, path);
    return status;
}
