/* path.csv: the weights of every recorded step, of a system with two unknowns. */
#ifndef PLSTAR_CLI_WEIGHTS_PATH_H
#define PLSTAR_CLI_WEIGHTS_PATH_H

#include "cli/cli.h"
#include "plstar/system.h"

#include <stdio.h>

typedef struct weights_path {
    char *name;   /* of the file */
    FILE *stream; /* NULL: nothing is recorded */
} weights_path;

/* Starts the file, or goes on with that of an interrupted run, whose rows from `step` on are
 * dropped (step < 0: a new run). Nothing for other systems. Close it even on error. */
pls_status weights_path_start(cli *program, const char *folder, const pls_system *system,
                              int64_t step, weights_path *path);

pls_status weights_path_append(cli *program, weights_path *path, int64_t step, pls_system *system);

/* Errors: PLS_ERROR_FILE. May be called twice. */
pls_status weights_path_close(cli *program, weights_path *path);

#endif
