/* What all commands share. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *cli_command_name(command which) {
    static const char *const names[COMMAND_COUNT] = {
        [COMMAND_TRAIN] = "train", [COMMAND_SOLVE] = "solve", [COMMAND_KERNEL] = "kernel",
        [COMMAND_AUDIT] = "audit", [COMMAND_STUDY] = "study", [COMMAND_REPORT] = "report",
        [COMMAND_INFO] = "info",
    };
    return names[which];
}

int cli_exit_status(pls_status status) {
    switch (status) {
    case PLS_OK:
        return 0;
    case PLS_ERROR_NUMERIC:
    case PLS_ERROR_CALLBACK:
    case PLS_DIVERGED:
        return 1;
    case PLS_ERROR_ARGUMENT:
    case PLS_ERROR_CONFIG:
    case PLS_ERROR_UNSUPPORTED:
        return 2;
    case PLS_ERROR_FILE:
    case PLS_ERROR_DATA:
        return 3;
    case PLS_ERROR_MEMORY:
    case PLS_ERROR_DEVICE:
        return 4;
    case PLS_CANCELLED:
        return 130;
    }
    return 1;
}

pls_status cli_fail(cli *program, pls_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(program->error, sizeof program->error, format, arguments);
    va_end(arguments);
    return status;
}

const char *cli_error_text(const cli *program, pls_status status) {
    if (program->error[0] != '\0') {
        return program->error;
    }
    const char *text = program->context != NULL ? pls_error_text(program->context) : "";
    return text[0] != '\0' ? text : pls_status_sentence(status);
}

void cli_clear_line(cli *program) {
    if (program->line_shown) {
        fputs("\r\033[K", stderr);
        program->line_shown = false;
    }
}

static void print_line(cli *program, const char *before, const char *format, va_list arguments) {
    if (!program->quiet) {
        cli_clear_line(program);
        fputs(before, stderr);
        vfprintf(stderr, format, arguments);
        fputc('\n', stderr);
    }
}

void cli_say(cli *program, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_line(program, "plstar: ", format, arguments);
    va_end(arguments);
}

void cli_warn(cli *program, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_line(program, "plstar: warning: ", format, arguments);
    va_end(arguments);
}

pls_status cli_allocate(cli *program, int64_t count, size_t size, const char *what, void *out) {
    size_t bytes = 0;
    void *memory = NULL;
    bool countable = count >= 0 && !__builtin_mul_overflow((size_t)count, size, &bytes);
    if (countable) {
        memory = calloc(bytes > 0 ? bytes : 1, 1);
    }
    if (memory == NULL) {
        return cli_fail(program, PLS_ERROR_MEMORY, "%s: %.0f bytes of memory were not available",
                        what, (double)count * (double)size);
    }
    memcpy(out, &memory, sizeof memory);
    return PLS_OK;
}

pls_status cli_format(cli *program, char **out, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = NULL;
    pls_status status = cli_allocate(program, (int64_t)length + 1, 1, "a text", &text);
    if (status == PLS_OK) {
        vsnprintf(text, (size_t)length + 1, format, again);
        *out = text;
    }
    va_end(again);
    va_end(arguments);
    return status;
}

void cli_write_wrapped(FILE *stream, const char *text, int margin, int width) {
    int column = margin;
    while (*text != '\0') {
        int length = (int)strcspn(text, " ");
        if (column > margin && column + 1 + length > width) {
            fprintf(stream, "\n%*s", margin, "");
            column = margin;
        }
        column += fprintf(stream, "%s%.*s", column > margin ? " " : "", length, text);
        text += length + (int)strspn(text + length, " ");
    }
    fputc('\n', stream);
}

double cli_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int smaller(int a, int b) {
    return a < b ? a : b;
}

/* Three rows of the table of distances between prefixes. Texts longer than any key are cut. */
int cli_edit_distance(const char *a, const char *b) {
    enum { LONGEST = 80 };
    int rows[3][LONGEST + 1] = {{0}};
    int m = (int)strnlen(a, LONGEST), n = (int)strnlen(b, LONGEST);
    for (int j = 0; j <= n; j++) {
        rows[0][j] = j;
    }
    for (int i = 1; i <= m; i++) {
        int *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = smaller(replaced, 1 + smaller(above[j], row[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = smaller(row[j], 1 + two_above[j - 2]);
            }
        }
    }
    return rows[m % 3][n];
}
