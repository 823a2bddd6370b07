/* Status codes: what every function of the library returns.
 *
 * The sentence of a code says what kind of thing went wrong; pls_error_text() (context.h) says
 * what, where, what was expected and what to do. */
#ifndef PLSTAR_STATUS_H
#define PLSTAR_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* X(code, sentence) */
#define PLS_STATUS_TABLE(X)                                                                        \
    X(PLS_OK, "success")                                                                           \
    X(PLS_ERROR_ARGUMENT, "an argument is invalid")                                                \
    X(PLS_ERROR_CONFIG, "the configuration is invalid")                                            \
    X(PLS_ERROR_UNSUPPORTED, "the operation is not defined for this system, layer or device")      \
    X(PLS_ERROR_FILE, "a file or folder could not be read or written")                             \
    X(PLS_ERROR_DATA, "the content of a file or array is not what its format promises")            \
    X(PLS_ERROR_MEMORY, "there is not enough memory")                                              \
    X(PLS_ERROR_DEVICE, "the device or its library failed")                                        \
    X(PLS_ERROR_NUMERIC, "a numerical method did not converge")                                    \
    X(PLS_ERROR_CALLBACK, "a function of the caller's failed")                                     \
    X(PLS_DIVERGED, "the iteration diverged")                                                      \
    X(PLS_CANCELLED, "the caller asked to stop")

typedef enum pls_status {
#define PLS_STATUS_ENUMERATOR(code, sentence) code,
    PLS_STATUS_TABLE(PLS_STATUS_ENUMERATOR)
#undef PLS_STATUS_ENUMERATOR
} pls_status;

/* The sentence of a status; a static string, never NULL. */
const char *pls_status_sentence(pls_status status);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
