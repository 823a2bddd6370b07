/* Files that appear whole or not at all: written under a temporary name in the same folder,
 * flushed to the disk (fsync), then renamed over the final name. */
#ifndef PLSTAR_BASE_OUTPUT_H
#define PLSTAR_BASE_OUTPUT_H

#include "base/error.h"

#include <stdint.h>
#include <stdio.h>

typedef struct pls_output pls_output;

/* Starts a file that will be called `path`. The folder must exist. Errors: PLS_ERROR_FILE with
 * path and system reason. */
pls_status pls_output_open(pls_context *context, const char *path, pls_output **output);

/* The stream to write to. Errors of single writes may be ignored: commit finds them. */
FILE *pls_output_stream(pls_output *output);

/* Writes bytes and remembers why if that fails; for writes that are larger than the stream's
 * buffer, whose reason commit could no longer tell. */
void pls_output_write(pls_output *output, const void *data, size_t bytes);

/* Flushes, syncs, renames and frees; on failure nothing remains and the former file, if any, is
 * untouched. Errors: PLS_ERROR_FILE (a full disk among others). Always takes `output`. */
pls_status pls_output_commit(pls_output *output);

/* Removes the temporary file and frees; NULL is allowed. */
void pls_output_discard(pls_output *output);

/* Creates a folder and its parents; one that is there already is fine. */
pls_status pls_make_directory(pls_context *context, const char *path);

/* *out = "folder/name", owned by the caller (pls_release). */
pls_status pls_join_path(pls_context *context, const char *folder, const char *name, char **out);

#endif
