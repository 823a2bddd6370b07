/* Host memory through the context's hook, with sizes checked for overflow. */
#ifndef PLSTAR_BASE_MEMORY_H
#define PLSTAR_BASE_MEMORY_H

#include "base/error.h"

#include <stdint.h>

/* *out = zeroed memory for count objects of `size` bytes (never NULL on success, also for
 * count 0). `what` names it in the error text. Errors: PLS_ERROR_MEMORY (also on overflow),
 * PLS_ERROR_ARGUMENT for a negative count. */
pls_status pls_allocate(pls_context *context, int64_t count, size_t size, const char *what,
                        void *out);

/* The same with undefined contents: for device buffers, which may be larger than what one wants to
 * touch. */
pls_status pls_allocate_raw(pls_context *context, int64_t count, size_t size, const char *what,
                            void *out);

/* Releases what pls_allocate() gave; NULL is allowed. */
void pls_release(pls_context *context, void *memory);

/* *out = a copy of a string in memory of the context. */
pls_status pls_copy_string(pls_context *context, const char *text, char **out);

/* *product = a * b for non-negative a, b; false on overflow of int64_t. */
bool pls_multiply(int64_t a, int64_t b, int64_t *product);

/* *sum = a + b for non-negative a, b; false on overflow of int64_t. */
bool pls_add(int64_t a, int64_t b, int64_t *sum);

static inline int64_t pls_smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static inline int64_t pls_larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Bytes as a person reads them, "1.5 GB" (powers of 1,000), into `text` of at least 32 bytes.
 * Returns `text`. */
const char *pls_format_bytes(int64_t bytes, char *text);

#endif
