/* Sources made of arrays: npy:X.npy,Y.npy, safetensors:FILE and csv:FILE. */
#include "data/source.h"

#include "base/memory.h"
#include "data/csv.h"
#include "data/npy.h"
#include "data/safetensors.h"

#include <string.h>

/* Inputs in memory: the rows are `stride` apart. */
typedef struct held_inputs {
    double *values;
    int64_t stride;
} held_inputs;

static pls_status read_held(pls_source *source, const pls_pick *picks, int64_t count,
                            double *inputs) {
    const held_inputs *held = source->state;
    const int64_t d = source->dimension;
    for (int64_t i = 0; i < count; i++) {
        memcpy(inputs + picks[i].position * d, held->values + picks[i].row * held->stride,
               (size_t)d * sizeof(double));
    }
    return PLS_OK;
}

static void close_held(pls_source *source) {
    held_inputs *held = source->state;
    pls_release(source->context, held->values);
    pls_release(source->context, held);
}

/* Takes *values on success. */
static pls_status hold(pls_source *source, double **values, int64_t stride) {
    held_inputs *held = NULL;
    pls_status status = pls_allocate(source->context, 1, sizeof *held, "inputs in memory", &held);
    if (status == PLS_OK) {
        *held = (held_inputs){*values, stride};
        *values = NULL;
        source->state = held;
        source->read = read_held;
        source->close = close_held;
    }
    return status;
}

/* *columns of targets of n or n x k. */
static pls_status check_targets(pls_source *source, const char *path, const char *name, int rank,
                                const int64_t *shape, int64_t *columns) {
    if (rank < 1 || rank > 2 || shape[0] != source->samples || (rank == 2 && shape[1] < 1)) {
        return pls_fail(source->context, PLS_ERROR_DATA,
                        "%s: %s must be samples or samples x outputs with %lld samples, as many "
                        "as there are inputs; there are %d dimensions, the first of %lld",
                        path, name, (long long)source->samples, rank,
                        (long long)(rank > 0 ? shape[0] : 0));
    }
    *columns = rank == 2 ? shape[1] : 1;
    return PLS_OK;
}

pls_status pls_open_npy(pls_source *source, const pls_data_options *options, const char *argument) {
    (void)options;
    pls_context *context = source->context;
    pls_status status = PLS_OK;
    char *paths = NULL;
    pls_npy_array inputs = {0}, targets = {0};
    int64_t columns = 0;
    PLS_TRY(context, pls_copy_string(context, argument, &paths));
    char *comma = strchr(paths, ',');
    if (comma == NULL || strchr(comma + 1, ',') != NULL) {
        status = pls_fail(context, PLS_ERROR_ARGUMENT,
                          "data.source: \"npy:%.200s\" must name two files, inputs and targets: "
                          "npy:X.npy,Y.npy",
                          argument);
        goto cleanup;
    }
    *comma = '\0';
    PLS_TRY(context, pls_npy_read(context, paths, &inputs));
    PLS_TRY(context, pls_source_shape(source, paths, inputs.rank, inputs.shape));
    PLS_TRY(context, pls_npy_read(context, comma + 1, &targets));
    PLS_TRY(context,
            check_targets(source, comma + 1, "the targets", targets.rank, targets.shape, &columns));
    PLS_TRY(context,
            pls_source_take_targets(source, targets.values, columns, columns, targets.is_integer));
    PLS_TRY(context, hold(source, &inputs.values, source->dimension));
    source->pixel_maximum = inputs.pixel_maximum;
cleanup:
    pls_release(context, inputs.values);
    pls_release(context, targets.values);
    pls_release(context, paths);
    return status;
}

pls_status pls_open_csv(pls_source *source, const pls_data_options *options, const char *argument) {
    pls_context *context = source->context;
    pls_status status = PLS_OK;
    pls_csv_table table = {0};
    PLS_TRY(context, pls_csv_read(context, argument, &table));
    const int64_t targets = options->target_columns, d = table.columns - targets;
    if (targets < 1 || d < 1) {
        status = pls_fail(context, PLS_ERROR_ARGUMENT,
                          "data.target_columns: %lld were asked for, but %s has %lld columns, of "
                          "which at least one must be an input and one a target",
                          (long long)targets, argument, (long long)table.columns);
        goto cleanup;
    }
    PLS_TRY(context, pls_source_shape(source, argument, 2, (const int64_t[]){table.rows, d}));
    PLS_TRY(context,
            pls_source_take_targets(source, table.values + d, targets, table.columns, true));
    PLS_TRY(context, hold(source, &table.values, table.columns));
cleanup:
    pls_release(context, table.values);
    return status;
}

typedef struct open_tensors {
    pls_safetensors *file;
    const pls_tensor *inputs;
} open_tensors;

static pls_status read_tensors(pls_source *source, const pls_pick *picks, int64_t count,
                               double *inputs) {
    const open_tensors *state = source->state;
    const int64_t d = source->dimension;
    pls_status status = PLS_OK;
    for (int64_t i = 0; i < count; i++) {
        PLS_TRY(source->context, pls_safetensors_read(state->file, state->inputs, picks[i].row * d,
                                                      d, PLS_F64, inputs + picks[i].position * d));
    }
cleanup:
    return status;
}

static void close_tensors(pls_source *source) {
    open_tensors *state = source->state;
    pls_safetensors_close(state->file);
    pls_release(source->context, state);
}

static pls_status find_tensor(pls_context *context, const pls_safetensors *file, const char *path,
                              const char *name, const pls_tensor **tensor) {
    *tensor = pls_safetensors_find(file, name);
    return *tensor != NULL ? PLS_OK
                           : pls_fail(context, PLS_ERROR_DATA,
                                      "%s: has no tensor \"%s\"; `inputs` and `targets` are needed",
                                      path, name);
}

pls_status pls_open_safetensors(pls_source *source, const pls_data_options *options,
                                const char *argument) {
    (void)options;
    pls_context *context = source->context;
    pls_status status = PLS_OK;
    open_tensors *state = NULL;
    const pls_tensor *targets = NULL;
    double *values = NULL;
    int64_t columns = 0;
    PLS_TRY(context, pls_allocate(context, 1, sizeof *state, "a safetensors source", &state));
    source->state = state;
    source->read = read_tensors;
    source->close = close_tensors;
    PLS_TRY(context, pls_safetensors_open(context, argument, &state->file));
    PLS_TRY(context, find_tensor(context, state->file, argument, "inputs", &state->inputs));
    PLS_TRY(context, find_tensor(context, state->file, argument, "targets", &targets));
    PLS_TRY(context, pls_source_shape(source, argument, state->inputs->rank, state->inputs->shape));
    PLS_TRY(context, check_targets(source, argument, "the tensor \"targets\"", targets->rank,
                                   targets->shape, &columns));
    PLS_TRY(context, pls_allocate(context, targets->count, sizeof *values, "targets", &values));
    PLS_TRY(context,
            pls_safetensors_read(state->file, targets, 0, targets->count, PLS_F64, values));
    PLS_TRY(context, pls_source_take_targets(source, values, columns, columns, false));
cleanup:
    pls_release(context, values);
    return status;
}
