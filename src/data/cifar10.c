/* CIFAR-10, binary version (A. Krizhevsky, 2009): records of 3,073 bytes, the label and then
 * 3 x 32 x 32 pixels in the order channel, row, column. */
#include "data/source.h"

#include "base/memory.h"
#include "base/output.h"
#include "data/input.h"

#include <string.h>
#include <unistd.h>

enum { RECORD_BYTES = 3073, PIXELS = 3072, CLASSES = 10, MAX_BATCHES = 5 };

typedef struct batch {
    char *path;
    FILE *stream;
    int64_t first, records; /* rows first .. first+records-1 of the source */
} batch;

typedef struct batches {
    batch list[MAX_BATCHES];
    int count;
} batches;

static void close_batches(pls_source *source) {
    batches *state = source->state;
    for (int i = 0; i < state->count; i++) {
        if (state->list[i].stream != NULL) {
            fclose(state->list[i].stream);
        }
        pls_release(source->context, state->list[i].path);
    }
    pls_release(source->context, state);
}

/* Adds a file of the folder, if it is there. */
static pls_status add_batch(pls_source *source, const char *folder, const char *name) {
    pls_context *context = source->context;
    batches *state = source->state;
    batch *added = &state->list[state->count];
    pls_status status = PLS_OK;
    char *path = NULL;
    PLS_TRY(context, pls_join_path(context, folder, name, &path));
    if (access(path, F_OK) != 0) {
        goto cleanup;
    }
    added->path = path;
    path = NULL;
    state->count++;
    int64_t size = 0;
    PLS_TRY(context, pls_input_open(context, added->path, &added->stream, &size));
    if (size == 0 || size % RECORD_BYTES != 0) {
        status = pls_fail(context, PLS_ERROR_DATA,
                          "%s: has %lld bytes, which is not a whole number of records of %d bytes",
                          added->path, (long long)size, RECORD_BYTES);
        goto cleanup;
    }
    added->first = source->samples;
    added->records = size / RECORD_BYTES;
    source->samples += added->records;
cleanup:
    pls_release(context, path);
    return status;
}

static pls_status read_record(pls_source *source, const batch *from, int64_t row,
                              unsigned char *record, int bytes) {
    if (fseeko(from->stream, (off_t)((row - from->first) * RECORD_BYTES), SEEK_SET) != 0) {
        return pls_fail(source->context, PLS_ERROR_FILE, "%s: record %lld cannot be reached",
                        from->path, (long long)(row - from->first));
    }
    return pls_input_read(source->context, from->path, from->stream, record, bytes);
}

static pls_status read_labels(pls_source *source) {
    pls_context *context = source->context;
    const batches *state = source->state;
    pls_status status = PLS_OK;
    PLS_TRY(context,
            pls_allocate(context, source->samples, sizeof(int64_t), "labels", &source->labels));
    for (int b = 0; b < state->count; b++) {
        const batch *from = &state->list[b];
        for (int64_t row = from->first; row < from->first + from->records; row++) {
            unsigned char label = 0;
            PLS_TRY(context, read_record(source, from, row, &label, 1));
            if (label >= CLASSES) {
                status = pls_fail(context, PLS_ERROR_DATA,
                                  "%s: record %lld has the label %d; 0 to %d were expected",
                                  from->path, (long long)(row - from->first), label, CLASSES - 1);
                goto cleanup;
            }
            source->labels[row] = label;
        }
    }
cleanup:
    return status;
}

static pls_status read_batches(pls_source *source, const pls_pick *picks, int64_t count,
                               double *inputs) {
    const batch *from = ((batches *)source->state)->list;
    pls_status status = PLS_OK;
    unsigned char record[RECORD_BYTES];
    for (int64_t i = 0; i < count; i++) {
        while (picks[i].row >= from->first + from->records) {
            from++;
        }
        PLS_TRY(source->context, read_record(source, from, picks[i].row, record, RECORD_BYTES));
        double *input = inputs + picks[i].position * PIXELS;
        for (int p = 0; p < PIXELS; p++) {
            input[p] = record[1 + p];
        }
    }
cleanup:
    return status;
}

pls_status pls_open_cifar10(pls_source *source, const pls_data_options *options,
                            const char *argument) {
    (void)options;
    static const char *const names[MAX_BATCHES] = {"data_batch_1.bin", "data_batch_2.bin",
                                                   "data_batch_3.bin", "data_batch_4.bin",
                                                   "data_batch_5.bin"};
    pls_context *context = source->context;
    pls_status status = PLS_OK;
    batches *state = NULL;
    PLS_TRY(context, pls_allocate(context, 1, sizeof *state, "a list of files", &state));
    source->state = state;
    source->read = read_batches;
    source->close = close_batches;
    for (int i = 0; i < MAX_BATCHES; i++) {
        PLS_TRY(context, add_batch(source, argument, names[i]));
    }
    if (state->count == 0) {
        PLS_TRY(context, add_batch(source, argument, "test_batch.bin"));
    } else if (state->count < MAX_BATCHES) {
        pls_log(context, PLS_LOG_WARNING, "%s: only %d of the %d files data_batch_*.bin are there",
                argument, state->count, MAX_BATCHES);
    }
    if (state->count == 0) {
        status = pls_fail(context, PLS_ERROR_FILE,
                          "%s: has neither data_batch_1.bin to data_batch_5.bin nor "
                          "test_batch.bin (the binary version of CIFAR-10 is needed)",
                          argument);
        goto cleanup;
    }
    source->input_rank = 3;
    source->input_shape[0] = 3;
    source->input_shape[1] = source->input_shape[2] = 32;
    source->dimension = PIXELS;
    source->pixel_maximum = 255;
    PLS_TRY(context, read_labels(source));
cleanup:
    return status;
}
