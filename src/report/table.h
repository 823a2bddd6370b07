/* A CSV file as a table of words: study.csv and fits.csv, whose cells hold no quotes or commas. */
#ifndef PLSTAR_REPORT_TABLE_H
#define PLSTAR_REPORT_TABLE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { PLS_TABLE_COLUMNS = 32 };

typedef struct pls_table {
    char *bytes; /* of the file; the cells point into it */
    int columns;
    const char *heads[PLS_TABLE_COLUMNS];
    int64_t rows;
    const char **cells; /* rows x columns */
} pls_table;

/* Reads folder/name. *table must be zeroed; free it by pls_table_release(). Errors: PLS_ERROR_FILE,
 * PLS_ERROR_DATA (a row of another length than the first, with its line), PLS_ERROR_MEMORY. */
pls_status pls_table_read(pls_context *context, const char *folder, const char *name,
                          pls_table *table);
void pls_table_release(pls_context *context, pls_table *table);

/* The index of a column, -1 if there is none. */
int pls_table_column(const pls_table *table, const char *head);

/* "" where there is no such column. */
const char *pls_table_word(const pls_table *table, int64_t row, int column);

/* NaN where the cell is empty or no number. */
double pls_table_number(const pls_table *table, int64_t row, int column);

/* Whether a column has more than one word. */
bool pls_table_varies(const pls_table *table, int column);

#endif
