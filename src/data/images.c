/* Sources of labelled images in IDX files: the built-in digits and idx:PREFIX. */
#include "data/source.h"

#include "base/memory.h"
#include "data/digits.h"
#include "data/idx.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DIGIT_PIXEL_MAXIMUM = 16 };

static void close_images(pls_source *source) {
    pls_idx_close(source->state);
    pls_release(source->context, source->state);
}

static pls_status read_images(pls_source *source, const pls_pick *picks, int64_t count,
                              double *inputs) {
    pls_status status = PLS_OK;
    for (int64_t i = 0; i < count; i++) {
        PLS_TRY(source->context, pls_idx_read_row(source->state, picks[i].row,
                                                  inputs + picks[i].position * source->dimension));
    }
cleanup:
    return status;
}

static pls_status take_labels(pls_source *source, const char *path, pls_idx *labels) {
    pls_context *context = source->context;
    pls_status status = PLS_OK;
    if (!labels->is_integer || labels->row_count != 1 || labels->shape[0] != source->samples) {
        return pls_fail(context, PLS_ERROR_DATA,
                        "%s: holds %lld %s of %lld numbers; expected is one whole number for each "
                        "of the %lld images",
                        path, (long long)labels->shape[0],
                        labels->is_integer ? "labels" : "real targets",
                        (long long)labels->row_count, (long long)source->samples);
    }
    PLS_TRY(context,
            pls_allocate(context, source->samples, sizeof(int64_t), "labels", &source->labels));
    for (int64_t i = 0; i < source->samples; i++) {
        double label = 0;
        PLS_TRY(context, pls_idx_read_row(labels, i, &label));
        source->labels[i] = (int64_t)label;
    }
cleanup:
    return status;
}

static pls_status create_state(pls_source *source, pls_idx **images) {
    pls_status status =
        pls_allocate(source->context, 1, sizeof **images, "the images' file", images);
    if (status == PLS_OK) {
        source->state = *images;
        source->read = read_images;
        source->close = close_images;
    }
    return status;
}

pls_status pls_open_digits(pls_source *source, const pls_data_options *options,
                           const char *argument) {
    (void)options;
    (void)argument;
    pls_context *context = source->context;
    pls_status status = PLS_OK;
    pls_idx *images = NULL, labels = {0};
    PLS_TRY(context, pls_copy_string(context, "built-in digits", &source->noun));
    PLS_TRY(context, create_state(source, &images));
    PLS_TRY(context, pls_idx_open_memory(context, "built-in digits", pls_digits_images,
                                         pls_digits_images_size, images));
    PLS_TRY(context, pls_idx_open_memory(context, "built-in digits", pls_digits_labels,
                                         pls_digits_labels_size, &labels));
    PLS_TRY(context, pls_source_shape(source, "built-in digits", images->rank, images->shape));
    PLS_TRY(context, take_labels(source, "built-in digits", &labels));
    source->pixel_maximum = DIGIT_PIXEL_MAXIMUM;
cleanup:
    pls_idx_close(&labels);
    return status;
}

/* *path = prefix + suffix, with ".gz" where only that is there. Owned by the caller. */
static pls_status find_file(pls_context *context, const char *prefix, const char *suffix,
                            char **path) {
    const size_t size = strlen(prefix) + strlen(suffix) + sizeof ".gz";
    pls_status status = pls_allocate(context, (int64_t)size, 1, "a file name", path);
    if (status != PLS_OK) {
        return status;
    }
    snprintf(*path, size, "%s%s", prefix, suffix);
    if (access(*path, F_OK) == 0) {
        return PLS_OK;
    }
    strcat(*path, ".gz");
    if (access(*path, F_OK) == 0) {
        return PLS_OK;
    }
    return pls_fail(context, PLS_ERROR_FILE,
                    "data.source: neither %s%s nor %s is there; PREFIX of idx:PREFIX is "
                    "what stands before the endings: it needs PREFIX-images-idx3-ubyte and "
                    "PREFIX-labels-idx1-ubyte, plain or .gz",
                    prefix, suffix, *path);
}

pls_status pls_open_idx(pls_source *source, const pls_data_options *options, const char *argument) {
    (void)options;
    pls_context *context = source->context;
    pls_status status = PLS_OK;
    char *images_path = NULL, *labels_path = NULL;
    pls_idx *images = NULL, labels = {0};
    PLS_TRY(context, find_file(context, argument, "-images-idx3-ubyte", &images_path));
    PLS_TRY(context, find_file(context, argument, "-labels-idx1-ubyte", &labels_path));
    PLS_TRY(context, create_state(source, &images));
    PLS_TRY(context, pls_idx_open(context, images_path, images));
    PLS_TRY(context, pls_idx_open(context, labels_path, &labels));
    PLS_TRY(context, pls_source_shape(source, images_path, images->rank, images->shape));
    PLS_TRY(context, take_labels(source, labels_path, &labels));
    source->pixel_maximum = images->pixel_maximum;
cleanup:
    pls_idx_close(&labels);
    pls_release(context, images_path);
    pls_release(context, labels_path);
    return status;
}
