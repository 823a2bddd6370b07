/* What all commands share: the context, how to fail, how to talk to the person outside. */
#ifndef PLSTAR_CLI_CLI_H
#define PLSTAR_CLI_CLI_H

#include "plstar/context.h"

#include <stdint.h>
#include <stdio.h>

typedef enum command {
    COMMAND_TRAIN,
    COMMAND_SOLVE,
    COMMAND_KERNEL,
    COMMAND_AUDIT,
    COMMAND_STUDY,
    COMMAND_REPORT,
    COMMAND_INFO
} command;

enum { COMMAND_COUNT = COMMAND_INFO + 1, CLI_ERROR_SIZE = 2048, CLI_NOTE_SIZE = 256 };

typedef struct cli {
    pls_context *context;
    bool quiet;                 /* only errors on stderr */
    bool json;                  /* stdout carries summary.json's object alone */
    bool listening;             /* an interrupt stops the work in progress */
    bool line_shown;            /* the progress line stands on the screen */
    char error[CLI_ERROR_SIZE]; /* the program's own last error; before the context's */
    char note[CLI_NOTE_SIZE];   /* the library's last note, which is not said twice */
} cli;

/* "train", ... */
const char *cli_command_name(command which);

/* Exit status of a result: 0 done; 1 diverged or no convergence; 2 usage or configuration; 3 bad
 * data or file; 4 memory or device; 130 interrupted. */
int cli_exit_status(pls_status status);

/* Records the sentence and returns `status`. */
pls_status cli_fail(cli *program, pls_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A call that fails leaves through `cleanup` with `status` set. */
#define CLI_TRY(call)                                                                              \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != PLS_OK) {                                                                    \
            goto cleanup;                                                                          \
        }                                                                                          \
    } while (0)

/* The sentence of the last error, the program's own or the library's. */
const char *cli_error_text(const cli *program, pls_status status);

/* A line on stderr, "plstar: ..." and "plstar: warning: ..."; nothing when quiet. */
void cli_say(cli *program, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_warn(cli *program, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Takes the progress line off the screen before other text goes there. */
void cli_clear_line(cli *program);

/* *out = zeroed memory for count objects; `what` names it in the error text. Free by free(). */
pls_status cli_allocate(cli *program, int64_t count, size_t size, const char *what, void *out);

/* *out = formatted text, to be freed by free(). */
pls_status cli_format(cli *program, char **out, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Words in lines of at most `width` columns. The first line goes on at column `margin`, where the
 * others begin. */
void cli_write_wrapped(FILE *stream, const char *text, int margin, int width);

/* Seconds of a clock that only moves forward. */
double cli_seconds(void);

/* Number of edits (insert, delete, replace, swap of neighbours) that turn a into b. */
int cli_edit_distance(const char *a, const char *b);

#endif
