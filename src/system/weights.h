/* Weights of a system as safetensors files. */
#ifndef PLSTAR_SYSTEM_WEIGHTS_H
#define PLSTAR_SYSTEM_WEIGHTS_H

#include "data/safetensors.h"
#include "system/system.h"

/* A float64 matrix beside the weights of a file. Readers of weights pass over tensors whose name
 * starts with "checkpoint.". */
typedef struct pls_beside_weights {
    const char *name;
    int64_t rows, columns;
    const double *values; /* NULL: nothing is to be written */
} pls_beside_weights;

/* Writes all weight tensors with metadata, atomically; `beside` may be NULL. */
pls_status pls_weights_write(pls_system *system, const char *path, const pls_metadata *metadata,
                             int64_t metadata_count, const pls_beside_weights *beside);

/* Reads all weight tensors from an open file: by name, or in order of appearance (`inputs`,
 * `targets` and `checkpoint.*` are passed over). */
pls_status pls_weights_read(pls_system *system, pls_safetensors *file, const char *path,
                            bool in_order);

#endif
