/* The line that says how far training has come: on a terminal it is written over itself ten times
 * a second, elsewhere a line comes every ten seconds. */
#include "cli/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

progress progress_start(void) {
    progress line = {.terminal = isatty(STDERR_FILENO) != 0, .measured = {.lambda_min = NAN}};
    line.shown = line.terminal ? 0.0 : cli_seconds();
    return line;
}

static size_t columns(void) {
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) {
        return size.ws_col;
    }
    return 80;
}

static void append(char *text, size_t size, const char *addition) {
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", addition);
}

static void append_number(char *text, size_t size, const char *before, double number) {
    char piece[64];
    snprintf(piece, sizeof piece, "%s%.3g", before, number);
    append(text, size, isfinite(number) ? piece : "");
}

static void append_time(char *text, size_t size, double seconds) {
    char piece[64] = "";
    if (isfinite(seconds) && seconds >= 0.0 && seconds < 1e8) {
        long whole = (long)(seconds + 0.5);
        if (whole >= 3600) {
            snprintf(piece, sizeof piece, "  %ld:%02ld:%02ld left", whole / 3600, whole / 60 % 60,
                     whole % 60);
        } else {
            snprintf(piece, sizeof piece, "  %ld:%02ld left", whole / 60, whole % 60);
        }
    }
    append(text, size, piece);
}

/* Whether it is time for another line. */
static bool is_due(const cli *program, progress *line, bool last) {
    double now = cli_seconds();
    if (program->quiet ||
        (now - line->shown < (line->terminal ? 0.1 : 10.0) && !(last && line->terminal))) {
        return false;
    }
    line->shown = now;
    return true;
}

static void write_line(cli *program, const progress *line, const char *text) {
    if (line->terminal) {
        fprintf(stderr, "\r\033[K%.*s", (int)columns() - 1, text);
        fflush(stderr);
        program->line_shown = true;
    } else {
        cli_say(program, "%s", text);
    }
}

void progress_show(cli *program, progress *line, const pls_record *record,
                   const pls_progress *state) {
    char text[400];
    bool last = record->step >= state->steps;
    if (record->measured) {
        line->measured = *record;
    }
    if (!is_due(program, line, last)) {
        return;
    }
    snprintf(text, sizeof text, "step %lld/%lld", (long long)record->step, (long long)state->steps);
    append_number(text, sizeof text, "  loss ", record->loss);
    append_number(text, sizeof text, "  mu ", line->measured.lambda_min);
    if (isfinite(line->measured.lambda_min)) {
        append_number(text, sizeof text, " [", line->measured.lambda_min_lower);
        append_number(text, sizeof text, ", ", line->measured.lambda_min_upper);
        append(text, sizeof text, "]");
    }
    append_number(text, sizeof text, "  PL ratio ", record->pl_ratio);
    append_time(text, sizeof text, state->remaining);
    write_line(program, line, text);
}

void progress_count(cli *program, progress *line, const char *what, int64_t done, int64_t all,
                    double remaining) {
    char text[400];
    if (is_due(program, line, done >= all)) {
        snprintf(text, sizeof text, "%lld/%lld %s", (long long)done, (long long)all, what);
        append_time(text, sizeof text, remaining);
        write_line(program, line, text);
    }
}
