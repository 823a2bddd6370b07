/* The folder of a run and small files in it. */
#ifndef PLSTAR_CLI_FILES_H
#define PLSTAR_CLI_FILES_H

#include "cli/cli.h"

/* *path = "folder/name", to be freed by free(). */
pls_status file_path(cli *program, const char *folder, const char *name, char **path);

/* Reads a whole file; *text gets a zero byte after its end. To be freed by free(). */
pls_status file_read(cli *program, const char *path, char **text, int64_t *size);

/* Replaces a file as a whole or not at all: written beside it, synced, renamed. */
pls_status file_replace(cli *program, const char *path, const char *text, int64_t size);

/* PLS_ERROR_CONFIG when a folder already holds a run. */
pls_status folder_is_free(cli *program, command which, const char *folder);

/* Creates a folder in a folder; one that is there is fine. */
pls_status folder_add(cli *program, const char *folder, const char *name);

/* *folder = the folder for a run, created: `wanted`, or runs/COMMAND-N with the first N that is
 * free. Files of a former run in it are removed. To be freed by free(). */
pls_status folder_create(cli *program, command which, const char *wanted, char **folder);

#endif
