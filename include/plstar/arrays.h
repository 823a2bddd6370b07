/* Arrays as files: NumPy's .npy (format version 1.0, float64, C order). */
#ifndef PLSTAR_ARRAYS_H
#define PLSTAR_ARRAYS_H

#include "plstar/context.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Writes an array of the given shape (values: product of the shape, C order). The file appears
 * whole or not at all. Errors: PLS_ERROR_FILE (path and system reason), PLS_ERROR_MEMORY. */
pls_status pls_npy_write(pls_context *context, const char *path, const double *values, int rank,
                         const int64_t *shape);

/* The same in pieces, for arrays larger than memory: header now, values by appending. */
typedef struct pls_npy_writer pls_npy_writer;

pls_status pls_npy_create(pls_context *context, const char *path, int rank, const int64_t *shape,
                          pls_npy_writer **writer);
pls_status pls_npy_append(pls_npy_writer *writer, const double *values, int64_t count);

/* Makes the file appear once all values are there. Always takes the writer. */
pls_status pls_npy_commit(pls_npy_writer *writer);

/* Gives the file up; NULL is allowed. */
void pls_npy_discard(pls_npy_writer *writer);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
