/* Tables of numbers separated by commas, split into cells by libcsv. The file is given to it line
 * by line, so that every fault has its line. */
#include "data/csv.h"

#include "base/memory.h"
#include "data/bytes.h"
#include "data/input.h"

#include <csv.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CELL_BYTES = 1 << 20, SHOWN_CELL_BYTES = 48 };

/* The table as it grows; the callbacks stop working once `status` is an error. */
typedef struct parser {
    pls_context *context;
    const char *path;
    pls_status status;
    int64_t line, column;    /* of the cell to come; lines from 1, columns from 0 */
    int64_t rows, columns;   /* complete rows; columns of the first one */
    int64_t count, capacity; /* values */
    double *values;
    bool first_done;                     /* the first line, be it a header */
    int64_t numbers;                     /* in the first line */
    int64_t bad_column;                  /* first cell of the first line that is no number, or -1 */
    char bad_cell[SHOWN_CELL_BYTES + 1]; /* and its text */
} parser;

static pls_status not_a_number(parser *table, int64_t column, const char *cell) {
    return pls_fail(table->context, PLS_ERROR_DATA, "%s:%lld:%lld: \"%.48s\" is not a number%s",
                    table->path, (long long)table->line, (long long)column + 1, cell,
                    table->first_done ? "" : " (a header line has no numbers at all)");
}

/* A decimal number and nothing else; "inf" and "nan" are numbers here, hexadecimals are not. */
static bool parse_number(const char *cell, size_t length, double *value) {
    char *end = NULL;
    *value = strtod(cell, &end);
    return length > 0 && end == cell + length && strpbrk(cell, "xX(") == NULL;
}

static pls_status add_value(parser *table, double value) {
    pls_status status = PLS_OK;
    if (table->count == table->capacity) {
        int64_t capacity = table->capacity > 0 ? 2 * table->capacity : 1024;
        double *grown = NULL;
        PLS_TRY(table->context,
                pls_allocate(table->context, capacity, sizeof *grown, table->path, &grown));
        if (table->count > 0) {
            memcpy(grown, table->values, (size_t)table->count * sizeof *grown);
        }
        pls_release(table->context, table->values);
        table->values = grown;
        table->capacity = capacity;
    }
    table->values[table->count++] = value;
cleanup:
    return status;
}

static pls_status add_cell(parser *table, const char *cell, size_t length) {
    double value = 0;
    bool is_number = parse_number(cell, length, &value);
    if (!is_number && table->first_done) {
        return not_a_number(table, table->column, cell);
    }
    if (!is_number) {
        if (table->bad_column < 0) {
            table->bad_column = table->column;
            strncpy(table->bad_cell, cell, SHOWN_CELL_BYTES);
        }
        return PLS_OK;
    }
    if (!isfinite(value)) {
        return pls_fail(table->context, PLS_ERROR_DATA,
                        "%s:%lld:%lld: \"%.48s\" is not a finite number", table->path,
                        (long long)table->line, (long long)table->column + 1, cell);
    }
    table->numbers++;
    return add_value(table, value);
}

/* libcsv's callback for a cell; `text` is NULL for an empty one. */
static void on_cell(void *text, size_t length, void *user) {
    parser *table = user;
    if (table->status == PLS_OK) {
        table->status = add_cell(table, text != NULL ? text : "", length);
    }
    table->column++;
}

/* libcsv's callback for the end of a line with cells. */
static void on_row(int terminator, void *user) {
    (void)terminator;
    parser *table = user;
    const int64_t cells = table->column;
    table->column = 0;
    if (table->status != PLS_OK) {
        return;
    }
    if (table->columns == 0) {
        table->columns = cells;
    }
    if (cells != table->columns) {
        table->status = pls_fail(
            table->context, PLS_ERROR_DATA, "%s:%lld: has %lld cells, but the first line has %lld",
            table->path, (long long)table->line, (long long)cells, (long long)table->columns);
        return;
    }
    bool header = !table->first_done && table->numbers == 0;
    if (!header && table->bad_column >= 0) {
        table->status = not_a_number(table, table->bad_column, table->bad_cell);
        return;
    }
    table->bad_column = -1;
    table->first_done = true;
    table->rows += header ? 0 : 1;
}

/* Gives libcsv what it has to read of one line. */
static pls_status feed(parser *table, struct csv_parser *splitter, const char *text,
                       size_t length) {
    size_t taken = csv_parse(splitter, text, length, on_cell, on_row, table);
    if (table->status != PLS_OK) {
        return table->status;
    }
    if (taken != length && csv_error(splitter) == CSV_ENOMEM) {
        return pls_fail(table->context, PLS_ERROR_MEMORY, "%s: no memory for a cell of line %lld",
                        table->path, (long long)table->line);
    }
    if (taken != length) {
        return pls_fail(table->context, PLS_ERROR_DATA,
                        "%s:%lld:%lld: quotation marks must enclose whole cells", table->path,
                        (long long)table->line, (long long)table->column + 1);
    }
    if (csv_get_buffer_size(splitter) > MAX_CELL_BYTES) {
        return pls_fail(table->context, PLS_ERROR_DATA,
                        "%s:%lld:%lld: the cell has more than a million characters", table->path,
                        (long long)table->line, (long long)table->column + 1);
    }
    return PLS_OK;
}

/* Lines end with LF, CR or CR LF. */
static pls_status feed_lines(parser *table, struct csv_parser *splitter, const char *text,
                             size_t length, char *previous) {
    pls_status status = PLS_OK;
    for (size_t start = 0, at = 0; at < length; at++) {
        bool line_ends = text[at] == '\n' || text[at] == '\r';
        if (line_ends || at + 1 == length) {
            PLS_TRY(table->context, feed(table, splitter, text + start, at + 1 - start));
            start = at + 1;
        }
        table->line += line_ends && !(text[at] == '\n' && *previous == '\r');
        *previous = text[at];
    }
cleanup:
    return status;
}

static pls_status parse(parser *table, struct csv_parser *splitter, FILE *stream,
                        int64_t file_size) {
    pls_context *context = table->context;
    pls_status status = PLS_OK;
    char piece[PLS_PIECE_BYTES];
    char previous = '\0';
    for (int64_t done = 0; done < file_size;) {
        int64_t left = file_size - done;
        size_t now = left < PLS_PIECE_BYTES ? (size_t)left : PLS_PIECE_BYTES;
        PLS_TRY(context, pls_input_read(context, table->path, stream, piece, (int64_t)now));
        /* A byte order mark is no part of the first cell. */
        size_t mark = done == 0 && now >= 3 && memcmp(piece, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
        PLS_TRY(context, feed_lines(table, splitter, piece + mark, now - mark, &previous));
        done += (int64_t)now;
    }
    int fault = csv_fini(splitter, on_cell, on_row, table);
    PLS_TRY(context, table->status);
    if (fault != 0) {
        status = pls_fail(context, PLS_ERROR_DATA, "%s:%lld: ends within quotation marks",
                          table->path, (long long)table->line);
        goto cleanup;
    }
    if (table->rows == 0) {
        status = pls_fail(context, PLS_ERROR_DATA, "%s: has no line of numbers", table->path);
    }
cleanup:
    return status;
}

pls_status pls_csv_read(pls_context *context, const char *path, pls_csv_table *table) {
    pls_status status = PLS_OK;
    FILE *stream = NULL;
    int64_t file_size = 0;
    parser growing = {.context = context, .path = path, .line = 1, .bad_column = -1};
    struct csv_parser splitter;
    memset(table, 0, sizeof *table);
    csv_init(&splitter, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL | CSV_EMPTY_IS_NULL);
    PLS_TRY(context, pls_input_open(context, path, &stream, &file_size));
    PLS_TRY(context, parse(&growing, &splitter, stream, file_size));
    table->rows = growing.rows;
    table->columns = growing.columns;
    table->values = growing.values;
    growing.values = NULL;
cleanup:
    csv_free(&splitter);
    pls_release(context, growing.values);
    if (stream != NULL) {
        fclose(stream);
    }
    return status;
}
