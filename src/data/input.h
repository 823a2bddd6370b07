/* Reading of regular files whose size is known before anything is believed. */
#ifndef PLSTAR_DATA_INPUT_H
#define PLSTAR_DATA_INPUT_H

#include "base/error.h"

#include <stdint.h>
#include <stdio.h>

/* *size = bytes of the file. Errors: PLS_ERROR_FILE (missing, a folder, ...). */
pls_status pls_input_size(pls_context *context, const char *path, int64_t *size);

/* Opens a regular file; *stream is owned by the caller (fclose). Errors: PLS_ERROR_FILE. */
pls_status pls_input_open(pls_context *context, const char *path, FILE **stream, int64_t *size);

/* Reads exactly `bytes` bytes from where the stream stands. Errors: PLS_ERROR_FILE. */
pls_status pls_input_read(pls_context *context, const char *path, FILE *stream, void *buffer,
                          int64_t bytes);

#endif
