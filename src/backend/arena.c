/* One reservation of device memory from which all views of a computation are taken. */
#include "backend/arena.h"

#include "base/memory.h"

enum { ARENA_ALIGNMENT = 256 };

pls_arena pls_arena_measuring(pls_device *device) {
    pls_arena arena = {device, NULL, 0, 0};
    return arena;
}

pls_status pls_arena_reserve(pls_arena *arena, const char *what) {
    pls_context *context = arena->device->context;
    int64_t available = 0;
    int64_t total = 0;
    int64_t needed = arena->peak > 0 ? arena->peak : ARENA_ALIGNMENT;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_device_memory(arena->device, &available, &total));
    if (needed > available) {
        char need_text[32], have_text[32];
        return pls_fail(context, PLS_ERROR_MEMORY,
                        "%s needs %s (%lld bytes) on %s, but only %s are free; take fewer samples, "
                        "a narrower network, a smaller memory option or --precision f32",
                        what, pls_format_bytes(needed, need_text), (long long)needed,
                        arena->device->name, pls_format_bytes(available, have_text));
    }
    PLS_TRY(context, pls_buffer_allocate(arena->device, needed, &arena->buffer));
    arena->used = 0;
    arena->peak = needed;
cleanup:
    return status;
}

pls_status pls_arena_take(pls_arena *arena, pls_dtype dtype, int64_t rows, int64_t cols,
                          pls_view *view) {
    pls_context *context = arena->device->context;
    int64_t count = 0, bytes = 0, end = 0;
    if (rows < 0 || cols < 0 || !pls_multiply(rows, cols, &count) ||
        !pls_multiply(count, pls_dtype_size(dtype), &bytes) ||
        !pls_add(bytes, ARENA_ALIGNMENT - 1, &bytes) ||
        !pls_add(arena->used, bytes / ARENA_ALIGNMENT * ARENA_ALIGNMENT, &end)) {
        return pls_fail(context, PLS_ERROR_MEMORY,
                        "a matrix of %lld x %lld is larger than 64 bits can count", (long long)rows,
                        (long long)cols);
    }
    if (arena->buffer != NULL && end > arena->buffer->bytes) {
        return pls_fail(context, PLS_ERROR_MEMORY,
                        "a layout took more device memory than it had measured: %lld of %lld bytes",
                        (long long)end, (long long)arena->buffer->bytes);
    }
    view->buffer = arena->buffer;
    view->offset = arena->used / pls_dtype_size(dtype);
    view->rows = rows;
    view->cols = cols;
    view->ld = cols;
    view->dtype = dtype;
    arena->used = end;
    if (end > arena->peak) {
        arena->peak = end;
    }
    return PLS_OK;
}

int64_t pls_arena_mark(const pls_arena *arena) {
    return arena->used;
}

void pls_arena_release(pls_arena *arena, int64_t mark) {
    arena->used = mark;
}

void pls_arena_destroy(pls_arena *arena) {
    if (arena->buffer != NULL) {
        pls_buffer_release(arena->device, arena->buffer);
        arena->buffer = NULL;
    }
}
