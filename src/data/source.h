/* Sources of samples: what there is, before anything is selected, coded or normalised.
 *
 * Opening a source finds out how many samples it has, their shape and their labels or targets;
 * inputs are read only for the samples that were picked, so that a few samples of a large file
 * cost little memory. */
#ifndef PLSTAR_DATA_SOURCE_H
#define PLSTAR_DATA_SOURCE_H

#include "base/error.h"
#include "plstar/dataset.h"

#include <stdint.h>

/* A sample that was picked: its row in the source, its place in the data set, and the class of its
 * label (0 where there are no labels). */
typedef struct pls_pick {
    int64_t row, position, column;
} pls_pick;

typedef struct pls_source pls_source;
struct pls_source {
    pls_context *context;
    char *noun; /* "built-in digits", "samples of idx:PREFIX" */
    int64_t samples;
    int64_t dimension; /* product of input_shape */
    int input_rank;
    int64_t input_shape[3];
    double pixel_maximum; /* 0 without a pixel range */
    int64_t *labels;      /* samples, or NULL */
    double *targets;      /* samples x outputs where there are no labels */
    int64_t outputs;
    /* Samples drawn on demand: there are as many as were asked for, and the classes are 0 ..
     * class_count-1 (or those of the options) whether they occur or not. */
    bool made_to_order;
    int64_t class_count;
    /* What `read` works on, of a type of its own; released by `close` (NULL where nothing is to
     * do). `picks` have ascending rows. inputs: count x dimension, written at `position`. */
    void *state;
    pls_status (*read)(pls_source *source, const pls_pick *picks, int64_t count, double *inputs);
    void (*close)(pls_source *source);
};

/* Opens the source that the options name; *source is zeroed before. On error nothing is owned. */
pls_status pls_source_open(pls_context *context, const pls_data_options *options,
                           pls_source *source);
void pls_source_close(pls_source *source);

/* One opener a kind; `argument` is what follows the colon. They may leave the source half open on
 * error: pls_source_open closes it. */
typedef pls_status pls_source_opener(pls_source *source, const pls_data_options *options,
                                     const char *argument);
pls_source_opener pls_open_digits, pls_open_idx, pls_open_cifar10, pls_open_npy,
    pls_open_safetensors, pls_open_csv, pls_open_sphere, pls_open_gaussian;

/* Samples and input shape from an array of n x d, n x h x w or n x c x h x w. `path` is for the
 * sentence. Errors: PLS_ERROR_DATA. */
pls_status pls_source_shape(pls_source *source, const char *path, int rank, const int64_t *shape);

/* Fills labels or, where there are several columns or not only whole numbers that float64 holds
 * exactly (`whole` false: decided by the type of the file), targets from rows x columns values
 * that lie `stride` apart. */
pls_status pls_source_take_targets(pls_source *source, const double *values, int64_t columns,
                                   int64_t stride, bool whole);

/* *out = zeroed memory for rows x columns objects. */
pls_status pls_allocate_matrix(pls_context *context, int64_t rows, int64_t columns, size_t size,
                               const char *what, void *out);

/* A count as a person reads it, "1,797", into `text` of at least 32 bytes. Returns `text`. */
const char *pls_format_count(int64_t count, char *text);

#endif
