/* Contexts: hooks, the last error with its trace, logging and cancellation. */
#include "base/context_internal.h"
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *default_allocate(void *user, size_t bytes) {
    (void)user;
    return malloc(bytes);
}

static void default_release(void *user, void *memory) {
    (void)user;
    free(memory);
}

pls_status pls_context_create(const pls_hooks *hooks, pls_context **context) {
    pls_hooks resolved = {0};
    if (hooks != NULL) {
        resolved = *hooks;
    }
    if ((resolved.allocate == NULL) != (resolved.release == NULL)) {
        return PLS_ERROR_ARGUMENT;
    }
    if (resolved.allocate == NULL) {
        resolved.allocate = default_allocate;
        resolved.release = default_release;
    }
    pls_context *created = resolved.allocate(resolved.user, sizeof *created);
    if (created == NULL) {
        return PLS_ERROR_MEMORY;
    }
    memset(created, 0, sizeof *created);
    created->hooks = resolved;
    *context = created;
    return PLS_OK;
}

void pls_context_destroy(pls_context *context) {
    if (context != NULL) {
        pls_hooks hooks = context->hooks;
        hooks.release(hooks.user, context);
    }
}

const char *pls_error_text(const pls_context *context) {
    return context->error_text;
}

const char *pls_error_trace(const pls_context *context) {
    return context->error_trace;
}

void pls_error_clear(pls_context *context) {
    context->error_text[0] = '\0';
    context->error_trace[0] = '\0';
}

const char *pls_version(void) {
    return PLSTAR_VERSION;
}

const char *pls_status_sentence(pls_status status) {
    switch (status) {
#define PLS_STATUS_CASE(code, sentence)                                                            \
    case code:                                                                                     \
        return sentence;
        PLS_STATUS_TABLE(PLS_STATUS_CASE)
#undef PLS_STATUS_CASE
    }
    return "unknown status";
}

pls_status pls_fail(pls_context *context, pls_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(context->error_text, sizeof context->error_text, format, arguments);
    va_end(arguments);
    context->error_trace[0] = '\0';
    return status;
}

void pls_trace(pls_context *context, const char *function, int line) {
    size_t used = strlen(context->error_trace);
    snprintf(context->error_trace + used, sizeof context->error_trace - used, "%s:%d\n", function,
             line);
}

void pls_log(pls_context *context, pls_log_level level, const char *format, ...) {
    if (context->hooks.log == NULL) {
        return;
    }
    char text[PLS_ERROR_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    context->hooks.log(context->hooks.user, level, text);
}

pls_status pls_check_cancelled(pls_context *context) {
    if (context->hooks.cancelled != NULL && context->hooks.cancelled(context->hooks.user)) {
        return pls_fail(context, PLS_CANCELLED, "stopped because the caller asked to");
    }
    return PLS_OK;
}
