/* metrics.csv by libcsv, line by line so that every fault is found with its line. */
#include "report/metrics.h"

#include "base/memory.h"

#include <csv.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    pls_context *context;
    const char *path;
    pls_metrics *metrics;
    int64_t line;
    int64_t capacity;               /* rows that the columns can take */
    int64_t cells;                  /* of the header; 0 before it */
    int64_t cell;                   /* next cell of the row */
    int place[PLS_METRIC_COUNT];    /* index of the metric's cell, -1 if there is none */
    double value[PLS_METRIC_COUNT]; /* of the row being read */
    bool last_is_cut;               /* the line being read has no newline */
    pls_status status;
} reader;

static const char *const metric_names[PLS_METRIC_COUNT] = {
#define METRIC_NAME(enumerator, name) name,
    PLS_METRIC_TABLE(METRIC_NAME)
#undef METRIC_NAME
};

static void read_heading(reader *state, const char *name) {
    for (int metric = 0; metric < PLS_METRIC_COUNT; metric++) {
        if (strcmp(name, metric_names[metric]) == 0) {
            if (state->place[metric] >= 0) {
                state->status =
                    pls_fail(state->context, PLS_ERROR_DATA,
                             "%s:%lld: the column \"%s\" is there twice; every name may occur once",
                             state->path, (long long)state->line, name);
            }
            state->place[metric] = (int)state->cell;
        }
    }
}

static void read_value(reader *state, const char *text) {
    int metric = 0;
    while (metric < PLS_METRIC_COUNT && state->place[metric] != (int)state->cell) {
        metric++;
    }
    if (metric == PLS_METRIC_COUNT || *text == '\0') {
        return;
    }
    char *end;
    double value = strtod(text, &end);
    if (*end != '\0' && !state->last_is_cut) {
        state->status =
            pls_fail(state->context, PLS_ERROR_DATA,
                     "%s:%lld: column \"%s\" holds \"%.40s\"; a number or nothing was expected",
                     state->path, (long long)state->line, metric_names[metric], text);
    }
    state->value[metric] = isfinite(value) ? value : NAN;
}

static void read_cell(void *text, size_t size, void *data) {
    (void)size;
    reader *state = data;
    if (state->status == PLS_OK) {
        if (state->cells == 0) {
            read_heading(state, text);
        } else {
            read_value(state, text);
        }
    }
    state->cell++;
}

static pls_status grow(reader *state) {
    pls_metrics *metrics = state->metrics;
    int64_t capacity = state->capacity > 0 ? 2 * state->capacity : 64;
    for (int metric = 0; metric < PLS_METRIC_COUNT; metric++) {
        double *column = NULL;
        pls_status status = pls_allocate(state->context, capacity, sizeof *column,
                                         "the columns of metrics.csv", &column);
        if (status != PLS_OK) {
            return status;
        }
        if (metrics->rows > 0) {
            memcpy(column, metrics->column[metric], (size_t)metrics->rows * sizeof *column);
        }
        pls_release(state->context, metrics->column[metric]);
        metrics->column[metric] = column;
    }
    state->capacity = capacity;
    return PLS_OK;
}

static pls_status end_heading(reader *state) {
    state->cells = state->cell;
    if (state->place[PLS_METRIC_STEP] < 0) {
        return pls_fail(state->context, PLS_ERROR_DATA,
                        "%s:%lld: the first line names no column \"step\"; the header of a "
                        "training run, step,loss,..., was expected",
                        state->path, (long long)state->line);
    }
    return PLS_OK;
}

static pls_status end_values(reader *state) {
    pls_metrics *metrics = state->metrics;
    if (state->cell != state->cells) {
        if (state->last_is_cut && state->cell < state->cells) {
            metrics->cut_short = true;
            return PLS_OK;
        }
        return pls_fail(state->context, PLS_ERROR_DATA,
                        "%s:%lld: the row has %lld cells, but the header has %lld", state->path,
                        (long long)state->line, (long long)state->cell, (long long)state->cells);
    }
    if (isnan(state->value[PLS_METRIC_STEP])) {
        return pls_fail(state->context, PLS_ERROR_DATA,
                        "%s:%lld: the row does not say its step; a whole number was expected",
                        state->path, (long long)state->line);
    }
    if (metrics->rows == state->capacity) {
        pls_status status = grow(state);
        if (status != PLS_OK) {
            return status;
        }
    }
    for (int metric = 0; metric < PLS_METRIC_COUNT; metric++) {
        metrics->column[metric][metrics->rows] = state->value[metric];
    }
    metrics->rows++;
    return PLS_OK;
}

static void end_row(int character, void *data) {
    (void)character;
    reader *state = data;
    if (state->status == PLS_OK) {
        state->status = state->cells == 0 ? end_heading(state) : end_values(state);
    }
    state->cell = 0;
    for (int metric = 0; metric < PLS_METRIC_COUNT; metric++) {
        state->value[metric] = NAN;
    }
}

pls_status pls_metrics_read(pls_context *context, const char *path, const char *text, int64_t size,
                            pls_metrics *metrics) {
    pls_status status = PLS_OK;
    reader state = {.context = context, .path = path, .metrics = metrics, .status = PLS_OK};
    for (int metric = 0; metric < PLS_METRIC_COUNT; metric++) {
        state.place[metric] = -1;
        state.value[metric] = NAN;
    }
    struct csv_parser parser;
    if (csv_init(&parser, CSV_STRICT | CSV_APPEND_NULL) != 0) {
        return pls_fail(context, PLS_ERROR_MEMORY, "%s: the CSV reader cannot be started", path);
    }
    const char *end = text + size;
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
    }
    while (text < end && state.status == PLS_OK) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((newline != NULL ? newline + 1 : end) - text);
        state.line++;
        state.last_is_cut = newline == NULL;
        if (csv_parse(&parser, text, length, read_cell, end_row, &state) != length) {
            state.status =
                csv_error(&parser) == CSV_EPARSE
                    ? pls_fail(context, PLS_ERROR_DATA,
                               "%s:%lld: a quotation mark is out of place; the line is not CSV",
                               path, (long long)state.line)
                    : pls_fail(context, PLS_ERROR_MEMORY, "%s:%lld: there is not enough memory",
                               path, (long long)state.line);
        }
        text += length;
    }
    if (state.status == PLS_OK) {
        csv_fini(&parser, read_cell, end_row, &state);
    }
    csv_free(&parser);
    PLS_TRY(context, state.status);
    if (state.cells == 0) {
        status =
            pls_fail(context, PLS_ERROR_DATA,
                     "%s:1: the file is empty; a header line step,loss,... was expected", path);
    }
cleanup:
    if (status != PLS_OK) {
        pls_metrics_release(context, metrics);
    }
    return status;
}

void pls_metrics_release(pls_context *context, pls_metrics *metrics) {
    for (int metric = 0; metric < PLS_METRIC_COUNT; metric++) {
        pls_release(context, metrics->column[metric]);
    }
    *metrics = (pls_metrics){0};
}
