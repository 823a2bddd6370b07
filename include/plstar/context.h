/* The context: hooks through which the library reaches its host program, and the last error.
 *
 * The library never prints, never exits and keeps no global state. Every object is made in a
 * context and must be destroyed before it. A context is used by one thread at a time. */
#ifndef PLSTAR_CONTEXT_H
#define PLSTAR_CONTEXT_H

#include "plstar/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct pls_context pls_context;

typedef enum pls_log_level { PLS_LOG_DEBUG, PLS_LOG_INFO, PLS_LOG_WARNING } pls_log_level;

/* All hooks are optional; zero-initialise what is not needed.
 *   allocate/release  both or neither; default malloc/free. allocate returns NULL on failure.
 *   log               one line of text without a newline.
 *   cancelled         asked between steps and between tiles; true makes the call in progress
 *                     stop at the next safe point with PLS_CANCELLED. */
typedef struct pls_hooks {
    void *user;
    void *(*allocate)(void *user, size_t bytes);
    void (*release)(void *user, void *memory);
    void (*log)(void *user, pls_log_level level, const char *text);
    bool (*cancelled)(void *user);
} pls_hooks;

/* Creates a context; hooks may be NULL and are copied. Errors: PLS_ERROR_MEMORY,
 * PLS_ERROR_ARGUMENT when only one of allocate and release is given. */
pls_status pls_context_create(const pls_hooks *hooks, pls_context **context);

/* Destroys a context; NULL is allowed. */
void pls_context_destroy(pls_context *context);

/* The sentence of the last error ("" if none). Owned by the context; valid until the next call. */
const char *pls_error_text(const pls_context *context);

/* The calls that the last error passed through, innermost first, one "function:line" a line. */
const char *pls_error_trace(const pls_context *context);

/* Forgets the last error. */
void pls_error_clear(pls_context *context);

/* Version of the library as "major.minor.patch". */
const char *pls_version(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
