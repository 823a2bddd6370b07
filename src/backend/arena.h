/* One reservation of device memory from which all views of a computation are taken.
 *
 * The layout is a function of the caller that takes its views in order. It runs twice: first on a
 * measuring arena, which only adds up, then on a reserved one:
 *
 *     pls_arena arena = pls_arena_measuring(device);
 *     layout(&arena, ...);
 *     pls_arena_reserve(&arena, "training");     (refuses with the bytes needed, before any work)
 *     layout(&arena, ...);
 *
 * mark/release give stack order to temporary views, so that nothing is allocated inside a
 * training step. */
#ifndef PLSTAR_BACKEND_ARENA_H
#define PLSTAR_BACKEND_ARENA_H

#include "backend/operations.h"

typedef struct pls_arena {
    pls_device *device;
    pls_buffer *buffer; /* NULL while measuring */
    int64_t used;       /* bytes */
    int64_t peak;       /* bytes */
} pls_arena;

/* An arena that only measures. */
pls_arena pls_arena_measuring(pls_device *device);

/* Allocates the measured peak and starts again from the beginning. `what` names the computation.
 * Errors: PLS_ERROR_MEMORY, with the bytes needed and available, when the device has less. */
pls_status pls_arena_reserve(pls_arena *arena, const char *what);

/* *view = a contiguous rows x cols view, aligned to 256 bytes; while measuring it must not be
 * used. Errors: PLS_ERROR_MEMORY when sizes overflow or the reservation is exceeded. */
pls_status pls_arena_take(pls_arena *arena, pls_dtype dtype, int64_t rows, int64_t cols,
                          pls_view *view);

/* Frees everything taken after the mark. */
int64_t pls_arena_mark(const pls_arena *arena);
void pls_arena_release(pls_arena *arena, int64_t mark);

/* Returns the memory to the device; an arena that reserved nothing is fine. */
void pls_arena_destroy(pls_arena *arena);

#endif
