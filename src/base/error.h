/* How a function of the library fails.
 *
 *     pls_status status = PLS_OK;
 *     PLS_TRY(context, step_one(context, ...));
 *     PLS_TRY(context, step_two(context, ...));
 * cleanup:
 *     release(...);
 *     return status;
 *
 * The place that finds the fault calls pls_fail() once with a whole sentence: what is wrong,
 * where, what was expected, what to do. Everybody above only passes the status on; PLS_TRY adds
 * its own place to the trace. */
#ifndef PLSTAR_BASE_ERROR_H
#define PLSTAR_BASE_ERROR_H

#include "plstar/context.h"

#if defined(__GNUC__)
#define PLS_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
#else
#define PLS_PRINTF(format_index, first)
#endif

/* Records the sentence and returns `status`, so that `return pls_fail(...)` works. The text is
 * kept in a fixed buffer: failing never allocates. */
pls_status pls_fail(pls_context *context, pls_status status, const char *format, ...)
    PLS_PRINTF(3, 4);

/* Adds a place to the trace of the last error. */
void pls_trace(pls_context *context, const char *function, int line);

/* Evaluates a call; on failure leaves through the local label `cleanup` with the local variable
 * `status` set. */
#define PLS_TRY(context, call)                                                                     \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != PLS_OK) {                                                                    \
            pls_trace((context), __func__, __LINE__);                                              \
            goto cleanup;                                                                          \
        }                                                                                          \
    } while (0)

/* Logs one line through the hook; does nothing without one. */
void pls_log(pls_context *context, pls_log_level level, const char *format, ...) PLS_PRINTF(3, 4);

/* PLS_CANCELLED with its sentence if the caller asked to stop, else PLS_OK. */
pls_status pls_check_cancelled(pls_context *context);

#endif
