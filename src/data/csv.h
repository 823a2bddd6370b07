/* Tables of numbers separated by commas. */
#ifndef PLSTAR_DATA_CSV_H
#define PLSTAR_DATA_CSV_H

#include "base/error.h"

#include <stdint.h>

typedef struct pls_csv_table {
    int64_t rows, columns;
    double *values; /* rows x columns; owned by the caller (pls_release) */
} pls_csv_table;

/* Reads a table of finite numbers. A first line without any number is a header and left out;
 * empty lines are skipped. Errors: PLS_ERROR_FILE, PLS_ERROR_MEMORY, PLS_ERROR_DATA (with
 * file:line:column, columns being those of the table). */
pls_status pls_csv_read(pls_context *context, const char *path, pls_csv_table *table);

#endif
