/* The inside of a context, for src/base alone. */
#ifndef PLSTAR_BASE_CONTEXT_INTERNAL_H
#define PLSTAR_BASE_CONTEXT_INTERNAL_H

#include "plstar/context.h"

enum { PLS_ERROR_TEXT_SIZE = 1024, PLS_ERROR_TRACE_SIZE = 2048 };

struct pls_context {
    pls_hooks hooks;
    char error_text[PLS_ERROR_TEXT_SIZE];
    char error_trace[PLS_ERROR_TRACE_SIZE];
};

#endif
