/* Data sets: inputs x_i and targets y_i on the host, in float64. */
#ifndef PLSTAR_DATASET_H
#define PLSTAR_DATASET_H

#include "plstar/context.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* How a label becomes a target row.
 *   auto        one_hot where the source has labels, regression where it brings real targets
 *   one_hot     k = number of classes, 1 at the label's class, else 0
 *   signed      two classes: k = 1, -1 for the first and +1 for the second;
 *               more: k = number of classes, +1 at the label's class, else -1
 *   regression  k = 1, the label as a number; sources that bring real targets keep them */
typedef enum pls_target_coding {
    PLS_TARGETS_AUTO,
    PLS_TARGETS_ONE_HOT,
    PLS_TARGETS_SIGNED,
    PLS_TARGETS_REGRESSION
} pls_target_coding;

/*   none         as stored
 *   unit_pixels  divided by the largest value a pixel can have (16 for the digits, 255 for bytes)
 *   sphere       each input scaled to Euclidean norm sqrt(d) */
typedef enum pls_normalization {
    PLS_NORMALIZE_NONE,
    PLS_NORMALIZE_UNIT_PIXELS,
    PLS_NORMALIZE_SPHERE
} pls_normalization;

/* Targets of the synthetic sources: a random two-layer tanh network, or random values. */
typedef enum pls_synthetic_labels { PLS_LABELS_TEACHER, PLS_LABELS_RANDOM } pls_synthetic_labels;

/* source:
 *   "digits"              the 1,797 built-in 8 x 8 images
 *   "idx:PREFIX"          PREFIX-images-idx3-ubyte and PREFIX-labels-idx1-ubyte, plain or .gz
 *   "cifar10:DIR"         those there are of data_batch_1.bin ... data_batch_5.bin, or
 *                         test_batch.bin where all of them are missing
 *   "npy:X.npy,Y.npy"     inputs n x ..., targets n or n x k (one integer a sample is a label)
 *   "safetensors:FILE"    tensors `inputs` n x ... and `targets` n x k
 *   "csv:FILE"            one sample a line; the last `target_columns` columns are the target
 *                         (a single one of whole numbers holds labels); a first line without
 *                         any number is a header
 *   "sphere", "gaussian"  synthetic inputs: uniform on the sphere of radius sqrt(dimension), or
 *                         standard normal; with targets one_hot or signed there are
 *                         class_count classes, else max(outputs, 2)
 * Inputs n x d are vectors, n x h x w images of one channel, n x c x h x w images. */
typedef struct pls_data_options {
    const char *source;
    int64_t samples;        /* how many to take; 0 = all there are (synthetic: 64) */
    const int64_t *classes; /* labels to keep, in the order of their target columns */
    int64_t class_count;    /* 0 = all labels that occur, ascending */
    pls_target_coding targets;
    pls_normalization normalize;
    bool shuffle;      /* take samples at random instead of the first ones */
    uint64_t seed;     /* of shuffle and of the synthetic sources */
    int64_t dimension; /* synthetic: input dimension d */
    int64_t outputs;   /* synthetic: k */
    pls_synthetic_labels labels;
    int64_t target_columns; /* csv */
} pls_data_options;

/* digits, all samples, auto, sphere, no shuffle, seed 0, dimension 10, outputs 1, teacher,
 * target_columns 1. */
pls_data_options pls_data_options_defaults(void);

typedef struct pls_dataset {
    int64_t samples;           /* n */
    int64_t dimension;         /* d, product of input_shape */
    int64_t outputs;           /* k */
    int input_rank;            /* 1 or 3 */
    int64_t input_shape[3];    /* (d) or (channels, height, width) */
    double *inputs;            /* n x d */
    double *targets;           /* n x k */
    int64_t *labels;           /* n, NULL where the source has none */
    char *description;         /* one line: what was taken from where */
    int64_t duplicates;        /* inputs that are equal to an earlier one */
    int64_t duplicate_pair[2]; /* first such input and the one it repeats, earlier one first;
                                  lambda_min(K) = 0 if there is one */
} pls_dataset;

/* Reads, selects, codes and normalises. *dataset is owned by the caller and must be zeroed or
 * fresh. Order of the samples: as in the source (or drawn by `shuffle`), whatever the classes.
 * Errors: PLS_ERROR_ARGUMENT (options that contradict the source), PLS_ERROR_FILE (missing or
 * unreadable), PLS_ERROR_DATA (malformed, too few samples, not finite: with file and row),
 * PLS_ERROR_MEMORY. On error nothing is owned. */
pls_status pls_dataset_load(pls_context *context, const pls_data_options *options,
                            pls_dataset *dataset);

/* Copies arrays of the caller: inputs n x d, targets n x k; they must be finite. */
pls_status pls_dataset_from_arrays(pls_context *context, int64_t samples, int64_t dimension,
                                   int64_t outputs, const double *inputs, const double *targets,
                                   pls_dataset *dataset);

/* *have = whether a safetensors file holds tensors `inputs` and `targets`, so that
 * "safetensors:FILE" is a source. Errors: PLS_ERROR_FILE, PLS_ERROR_DATA (malformed). */
pls_status pls_tensors_have_data(pls_context *context, const char *path, bool *have);

/* Frees what the data set owns and zeroes it. */
void pls_dataset_destroy(pls_context *context, pls_dataset *dataset);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
