/* Weights of a system as safetensors files. */
#ifndef PLSTAR_SYSTEM_WEIGHTS_H
#define PLSTAR_SYSTEM_WEIGHTS_H

#include "data/safetensors.h"
#include "system/system.h"

/* Writes all weight tensors with metadata, atomically. */
pls_status pls_weights_write(pls_system *system, const char *path, const pls_metadata *metadata,
                             int64_t metadata_count);

/* Reads all weight tensors from an open file: by name, or in order of appearance (`inputs` and
 * `targets` are passed over). */
pls_status pls_weights_read(pls_system *system, pls_safetensors *file, const char *path,
                            bool in_order);

#endif
