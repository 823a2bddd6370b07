/* Files that appear whole or not at all. */
#include "base/output.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pls_output {
    pls_context *context;
    char *path;
    char *temporary;
    FILE *stream;
    int reason; /* of the first write that failed */
};

static void output_free(pls_output *output) {
    pls_context *context = output->context;
    if (output->stream != NULL) {
        fclose(output->stream);
    }
    if (output->temporary != NULL) {
        unlink(output->temporary);
    }
    pls_release(context, output->temporary);
    pls_release(context, output->path);
    pls_release(context, output);
}

static pls_status write_failure(pls_output *output, int reason) {
    return pls_fail(output->context, PLS_ERROR_FILE, "%s: cannot be written: %s%s", output->path,
                    strerror(reason),
                    reason == ENOSPC ? "; free some space or choose another folder with --out"
                                     : "");
}

pls_status pls_output_open(pls_context *context, const char *path, pls_output **out) {
    pls_output *output = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, 1, sizeof *output, "an output file", &output));
    output->context = context;
    PLS_TRY(context, pls_copy_string(context, path, &output->path));
    char *temporary = NULL;
    size_t size = strlen(path) + sizeof ".XXXXXX";
    PLS_TRY(context, pls_allocate(context, (int64_t)size, 1, "a file name", &temporary));
    snprintf(temporary, size, "%s.XXXXXX", path);
    int descriptor = mkstemp(temporary);
    if (descriptor < 0) {
        int reason = errno;
        pls_release(context, temporary);
        status = write_failure(output, reason);
        goto cleanup;
    }
    output->temporary = temporary;
    fchmod(descriptor, 0644);
    output->stream = fdopen(descriptor, "wb");
    if (output->stream == NULL) {
        int reason = errno;
        close(descriptor);
        status = write_failure(output, reason);
        goto cleanup;
    }
    *out = output;
    return PLS_OK;
cleanup:
    if (output != NULL) {
        output_free(output);
    }
    return status;
}

FILE *pls_output_stream(pls_output *output) {
    return output->stream;
}

void pls_output_write(pls_output *output, const void *data, size_t bytes) {
    errno = 0;
    if (fwrite(data, 1, bytes, output->stream) != bytes && output->reason == 0) {
        output->reason = errno;
    }
}

/* A rename is durable only once its folder is synced; a folder that cannot be opened for that
 * (some network file systems) is no error. */
static void sync_folder(const char *path) {
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL) {
        strcpy(folder, ".");
    } else if (slash == folder) {
        strcpy(folder, "/");
    } else {
        *slash = '\0';
    }
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY);
    if (descriptor >= 0) {
        fsync(descriptor);
        close(descriptor);
    }
}

pls_status pls_output_commit(pls_output *output) {
    pls_status status = PLS_OK;
    errno = 0;
    bool written = ferror(output->stream) == 0 && fflush(output->stream) == 0 &&
                   fsync(fileno(output->stream)) == 0;
    int reason = output->reason != 0 ? output->reason : errno != 0 ? errno : EIO;
    bool closed = fclose(output->stream) == 0;
    output->stream = NULL;
    if (!written || !closed) {
        status = write_failure(output, reason);
    } else if (rename(output->temporary, output->path) != 0) {
        status = write_failure(output, errno);
    } else {
        pls_release(output->context, output->temporary);
        output->temporary = NULL;
        sync_folder(output->path);
    }
    output_free(output);
    return status;
}

void pls_output_discard(pls_output *output) {
    if (output != NULL) {
        output_free(output);
    }
}

pls_status pls_make_directory(pls_context *context, const char *path) {
    char *partial = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_copy_string(context, path, &partial));
    for (char *c = partial + 1; *partial != '\0'; c++) {
        if (*c != '/' && *c != '\0') {
            continue;
        }
        char separator = *c;
        *c = '\0';
        if (mkdir(partial, 0755) != 0 && errno != EEXIST) {
            status = pls_fail(context, PLS_ERROR_FILE, "%s: the folder cannot be created: %s", path,
                              strerror(errno));
            goto cleanup;
        }
        *c = separator;
        if (separator == '\0') {
            break;
        }
    }
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        status = pls_fail(context, PLS_ERROR_FILE, "%s: is not a folder", path);
    }
cleanup:
    pls_release(context, partial);
    return status;
}

pls_status pls_join_path(pls_context *context, const char *folder, const char *name, char **out) {
    size_t length = strlen(folder);
    const char *separator = length > 0 && folder[length - 1] == '/' ? "" : "/";
    size_t size = length + strlen(name) + 2;
    char *path = NULL;
    pls_status status = pls_allocate(context, (int64_t)size, 1, "a file name", &path);
    if (status == PLS_OK) {
        snprintf(path, size, "%s%s%s", folder, separator, name);
        *out = path;
    }
    return status;
}
