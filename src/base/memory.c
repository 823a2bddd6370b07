/* Host memory through the context's hook, with sizes checked for overflow. */
#include "base/memory.h"

#include "base/context_internal.h"

#include <stdio.h>
#include <string.h>

bool pls_multiply(int64_t a, int64_t b, int64_t *product) {
    return !__builtin_mul_overflow(a, b, product);
}

bool pls_add(int64_t a, int64_t b, int64_t *sum) {
    return !__builtin_add_overflow(a, b, sum);
}

/* *bytes = count * size, or a sentence about why not. */
static pls_status request_size(pls_context *context, int64_t count, size_t size, const char *what,
                               int64_t *bytes) {
    if (count < 0) {
        return pls_fail(context, PLS_ERROR_ARGUMENT, "a negative count (%lld) of %s was asked for",
                        (long long)count, what);
    }
    if (!pls_multiply(count, (int64_t)size, bytes)) {
        return pls_fail(context, PLS_ERROR_MEMORY,
                        "%s: %lld items of %zu bytes are more than 64 bits can count", what,
                        (long long)count, size);
    }
    *bytes = *bytes > 0 ? *bytes : 1;
    return PLS_OK;
}

pls_status pls_allocate_raw(pls_context *context, int64_t count, size_t size, const char *what,
                            void *out) {
    int64_t bytes = 0;
    pls_status status = request_size(context, count, size, what, &bytes);
    if (status != PLS_OK) {
        return status;
    }
    void *memory = context->hooks.allocate(context->hooks.user, (size_t)bytes);
    if (memory == NULL) {
        char text[32];
        return pls_fail(context, PLS_ERROR_MEMORY,
                        "no memory for %s: %s (%lld bytes) were asked for", what,
                        pls_format_bytes(bytes, text), (long long)bytes);
    }
    memcpy(out, &memory, sizeof memory); /* out is the address of any object pointer */
    return PLS_OK;
}

pls_status pls_allocate(pls_context *context, int64_t count, size_t size, const char *what,
                        void *out) {
    pls_status status = pls_allocate_raw(context, count, size, what, out);
    if (status == PLS_OK) {
        void *memory = NULL;
        memcpy(&memory, out, sizeof memory);
        memset(memory, 0, (size_t)count * size);
    }
    return status;
}

void pls_release(pls_context *context, void *memory) {
    if (memory != NULL) {
        context->hooks.release(context->hooks.user, memory);
    }
}

pls_status pls_copy_string(pls_context *context, const char *text, char **out) {
    size_t size = strlen(text) + 1;
    char *copy = NULL;
    pls_status status = pls_allocate(context, (int64_t)size, 1, "a string", &copy);
    if (status == PLS_OK) {
        memcpy(copy, text, size);
        *out = copy;
    }
    return status;
}

const char *pls_format_bytes(int64_t bytes, char *text) {
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes;
    int unit = 0;
    while (value >= 1000.0 && unit < 6) {
        value /= 1000.0;
        unit++;
    }
    snprintf(text, 32, unit == 0 ? "%.0f %s" : "%.3g %s", value, units[unit]);
    return text;
}
