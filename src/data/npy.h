/* NumPy's .npy files (format versions 1.0, 2.0, 3.0; C order): reading. Writing is public
 * (plstar/arrays.h). */
#ifndef PLSTAR_DATA_NPY_H
#define PLSTAR_DATA_NPY_H

#include "base/error.h"
#include "plstar/arrays.h"

#include <stdint.h>

enum { PLS_NPY_MAX_RANK = 8 };

typedef struct pls_npy_array {
    int rank;
    int64_t shape[PLS_NPY_MAX_RANK];
    int64_t count;
    bool is_integer;      /* the file held integers or booleans */
    double pixel_maximum; /* 255 for 8-bit unsigned integers, else 0 */
    double *values;       /* count, C order; owned by the caller (pls_release) */
} pls_npy_array;

/* Reads an array of little- or big-endian f4, f8, i1..i8, u1..u8 or b1 as float64. Fortran order
 * is refused with a sentence. Errors: PLS_ERROR_FILE, PLS_ERROR_DATA, PLS_ERROR_MEMORY. */
pls_status pls_npy_read(pls_context *context, const char *path, pls_npy_array *array);

#endif
