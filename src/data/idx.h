/* IDX files, the format of MNIST: two zero bytes, the type, the number of dimensions, the sizes
 * (32 bits, big-endian), then the elements, big-endian, in C order. Plain or compressed by gzip. */
#ifndef PLSTAR_DATA_IDX_H
#define PLSTAR_DATA_IDX_H

#include "base/error.h"

#include <stdint.h>

enum { PLS_IDX_MAX_RANK = 8 };

typedef struct pls_idx {
    int rank;
    int64_t shape[PLS_IDX_MAX_RANK];
    int64_t row_count;    /* elements of a row: the product of shape[1..] */
    double pixel_maximum; /* 255 for unsigned bytes, else 0 */
    bool is_integer;
    struct pls_idx_content *content;
} pls_idx;

/* Opens a file. That it holds what its header promises is found out before anything of that size
 * is allocated: a compressed one is decompressed once for it. Errors: PLS_ERROR_FILE,
 * PLS_ERROR_DATA, PLS_ERROR_MEMORY. */
pls_status pls_idx_open(pls_context *context, const char *path, pls_idx *idx);

/* The same from bytes in memory, which must outlive it; `name` is for sentences. */
pls_status pls_idx_open_memory(pls_context *context, const char *name, const unsigned char *bytes,
                               size_t size, pls_idx *idx);

/* Reads row `row` into row_count numbers. Ascending rows are fast, others start over in compressed
 * files. */
pls_status pls_idx_read_row(pls_idx *idx, int64_t row, double *out);

void pls_idx_close(pls_idx *idx);

#endif
