/* CSV files without quotes; see table.h. */
#include "report/table.h"

#include "base/memory.h"
#include "report/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t count_lines(const char *text) {
    int64_t lines = 0;
    for (const char *c = text; *c != '\0'; c++) {
        lines += *c == '\n';
    }
    return lines;
}

/* Cuts a line into cells at its commas; returns how many there are. */
static int split(char *line, const char **cells) {
    int count = 0;
    for (char *at = line; at != NULL && count < PLS_TABLE_COLUMNS; count++) {
        char *comma = strchr(at, ',');
        cells[count] = at;
        if (comma != NULL) {
            *comma++ = '\0';
        }
        at = comma;
    }
    return count;
}

/* Every whole line; a last one without its end was cut short and is left out. */
static pls_status take_rows(pls_context *context, const char *folder, const char *name,
                            pls_table *table) {
    int64_t lines = count_lines(table->bytes);
    const char *cells[PLS_TABLE_COLUMNS];
    char *line = table->bytes;
    pls_status status = PLS_OK;
    for (int64_t i = 0; i < lines; i++) {
        char *end = strchr(line, '\n');
        *end = '\0';
        int count = split(line, cells);
        if (i == 0) {
            table->columns = count;
            memcpy(table->heads, cells, (size_t)count * sizeof *cells);
            PLS_TRY(context, pls_allocate(context, lines, (size_t)count * sizeof *table->cells,
                                          "a table", &table->cells));
        } else if (count != table->columns) {
            status = pls_fail(context, PLS_ERROR_DATA, "%s/%s:%lld: has %d cells; %d were expected",
                              folder, name, (long long)i + 1, count, table->columns);
            goto cleanup;
        } else {
            memcpy(table->cells + table->rows++ * count, cells, (size_t)count * sizeof *cells);
        }
        line = end + 1;
    }
cleanup:
    return status;
}

pls_status pls_table_read(pls_context *context, const char *folder, const char *name,
                          pls_table *table) {
    int64_t size = 0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_report_read_file(context, folder, name, &table->bytes, &size));
    PLS_TRY(context, take_rows(context, folder, name, table));
cleanup:
    return status;
}

void pls_table_release(pls_context *context, pls_table *table) {
    pls_release(context, table->bytes);
    pls_release(context, (void *)table->cells);
    *table = (pls_table){0};
}

int pls_table_column(const pls_table *table, const char *head) {
    for (int c = 0; c < table->columns; c++) {
        if (strcmp(table->heads[c], head) == 0) {
            return c;
        }
    }
    return -1;
}

const char *pls_table_word(const pls_table *table, int64_t row, int column) {
    return column < 0 ? "" : table->cells[row * table->columns + column];
}

double pls_table_number(const pls_table *table, int64_t row, int column) {
    const char *word = pls_table_word(table, row, column);
    char *end = NULL;
    double number = strtod(word, &end);
    return end == word || *end != '\0' ? NAN : number;
}

bool pls_table_varies(const pls_table *table, int column) {
    for (int64_t i = 1; i < table->rows; i++) {
        if (strcmp(pls_table_word(table, i, column), pls_table_word(table, 0, column)) != 0) {
            return true;
        }
    }
    return false;
}
