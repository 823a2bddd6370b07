/* Reading of regular files whose size is known before anything is believed. */
#include "data/input.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static pls_status check_info(pls_context *context, const char *path, int result,
                             const struct stat *info, int64_t *size) {
    if (result != 0) {
        return pls_fail(context, PLS_ERROR_FILE, "%s: cannot be read: %s", path, strerror(errno));
    }
    if (!S_ISREG(info->st_mode)) {
        return pls_fail(context, PLS_ERROR_FILE, "%s: is not a regular file", path);
    }
    *size = info->st_size;
    return PLS_OK;
}

pls_status pls_input_size(pls_context *context, const char *path, int64_t *size) {
    struct stat info;
    int result = stat(path, &info);
    return check_info(context, path, result, &info, size);
}

pls_status pls_input_open(pls_context *context, const char *path, FILE **out, int64_t *size) {
    struct stat info;
    /* Before opening, since opening a pipe would wait for its writer. */
    pls_status status = pls_input_size(context, path, size);
    if (status != PLS_OK) {
        return status;
    }
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        return pls_fail(context, PLS_ERROR_FILE, "%s: cannot be read: %s", path, strerror(errno));
    }
    int result = fstat(fileno(stream), &info);
    PLS_TRY(context, check_info(context, path, result, &info, size));
    *out = stream;
    return PLS_OK;
cleanup:
    fclose(stream);
    return status;
}

pls_status pls_input_read(pls_context *context, const char *path, FILE *stream, void *buffer,
                          int64_t bytes) {
    errno = 0;
    if (fread(buffer, 1, (size_t)bytes, stream) == (size_t)bytes) {
        return PLS_OK;
    }
    return pls_fail(context, PLS_ERROR_FILE, "%s: cannot be read: %s", path,
                    ferror(stream) && errno != 0 ? strerror(errno) : "it ended too early");
}
