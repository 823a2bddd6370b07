/* safetensors files (https://github.com/huggingface/safetensors): an 8-byte little-endian header
 * length, a JSON header, then the tensors' bytes back to back.
 *
 * The reader trusts nothing: header length, JSON, dtypes, shapes, offsets (in order, within the
 * file, no overlap, no hole, size = product of the shape) are all checked on opening. */
#ifndef PLSTAR_DATA_SAFETENSORS_H
#define PLSTAR_DATA_SAFETENSORS_H

#include "base/error.h"
#include "plstar/types.h"

#include <stdint.h>

enum { PLS_TENSOR_MAX_RANK = 8 };

typedef struct pls_tensor {
    const char *name;  /* owned by the file */
    const char *dtype; /* as in the header: "F32", "F64", ... */
    int rank;
    int64_t shape[PLS_TENSOR_MAX_RANK];
    int64_t count;  /* elements */
    int64_t offset; /* bytes from the start of the file */
} pls_tensor;

typedef struct pls_safetensors pls_safetensors;

/* Opens and checks. Errors: PLS_ERROR_FILE, PLS_ERROR_DATA (with file and tensor name). */
pls_status pls_safetensors_open(pls_context *context, const char *path, pls_safetensors **file);
void pls_safetensors_close(pls_safetensors *file);

/* Tensors in the order of the header's JSON text (the order of appearance). */
int64_t pls_safetensors_count(const pls_safetensors *file);
const pls_tensor *pls_safetensors_at(const pls_safetensors *file, int64_t index);
/* NULL if there is none of that name. */
const pls_tensor *pls_safetensors_find(const pls_safetensors *file, const char *name);
/* A value of `__metadata__`, NULL if not there. Owned by the file. */
const char *pls_safetensors_metadata(const pls_safetensors *file, const char *key);

/* Reads elements first .. first+count-1 of an F32 or F64 tensor as `dtype` into `out`; other
 * dtypes are PLS_ERROR_DATA. The values must be finite (PLS_ERROR_DATA with tensor and index). */
pls_status pls_safetensors_read(pls_safetensors *file, const pls_tensor *tensor, int64_t first,
                                int64_t count, pls_dtype dtype, void *out);

/* What a new file will hold, in this order. */
typedef struct pls_tensor_plan {
    const char *name;
    pls_dtype dtype;
    int rank;
    int64_t shape[PLS_TENSOR_MAX_RANK];
} pls_tensor_plan;

typedef struct pls_metadata {
    const char *key, *value;
} pls_metadata;

typedef struct pls_safetensors_writer pls_safetensors_writer;

/* Starts a file (atomic: base/output.h), writes the header. */
pls_status pls_safetensors_create(pls_context *context, const char *path,
                                  const pls_tensor_plan *tensors, int64_t tensor_count,
                                  const pls_metadata *metadata, int64_t metadata_count,
                                  pls_safetensors_writer **writer);
/* Appends `count` elements of the planned dtype; tensors follow one another in order. */
pls_status pls_safetensors_append(pls_safetensors_writer *writer, const void *data, int64_t count);
/* Checks that everything planned was appended and makes the file appear. Takes the writer. */
pls_status pls_safetensors_commit(pls_safetensors_writer *writer);
/* Gives the file up; NULL is allowed. */
void pls_safetensors_discard(pls_safetensors_writer *writer);

#endif
