/* metrics.csv: one row a recorded step, on the disk as soon as it is known. */
#ifndef PLSTAR_CLI_METRICS_H
#define PLSTAR_CLI_METRICS_H

#include "cli/cli.h"
#include "plstar/train.h"

#include <stdio.h>

typedef struct metrics {
    char *path;
    FILE *stream;
    int64_t rows;
    pls_record first, last; /* of the rows */
    pls_record measured;    /* the last row with a measurement; step -1 = none */
} metrics;

/* Starts the file of a new run. Close it even on error. */
pls_status metrics_start(cli *program, const char *folder, metrics *made);

/* Goes on with the file of an interrupted one: rows from `step` on are dropped. */
pls_status metrics_resume(cli *program, const char *folder, int64_t step, metrics *made);

pls_status metrics_append(cli *program, metrics *made, const pls_record *record);

/* Errors: PLS_ERROR_FILE. May be called twice. */
pls_status metrics_close(cli *program, metrics *made);

#endif
