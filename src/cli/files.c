/* The folder of a run and small files in it. */
#include "cli/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What makes a folder that of a run. */
static const char marker[] = "config.yaml";

pls_status file_path(cli *program, const char *folder, const char *name, char **path) {
    size_t length = strlen(folder);
    const char *separator = length > 0 && folder[length - 1] == '/' ? "" : "/";
    return cli_format(program, path, "%s%s%s", folder, separator, name);
}

pls_status file_read(cli *program, const char *path, char **text, int64_t *size) {
    pls_status status = PLS_OK;
    struct stat information;
    char *bytes = NULL;
    FILE *stream = fopen(path, "rb");
    if (stream == NULL || fstat(fileno(stream), &information) != 0) {
        status = cli_fail(program, PLS_ERROR_FILE, "%s: cannot be read: %s", path, strerror(errno));
        goto cleanup;
    }
    CLI_TRY(cli_allocate(program, (int64_t)information.st_size + 1, 1, path, &bytes));
    *size = (int64_t)fread(bytes, 1, (size_t)information.st_size, stream);
    if (ferror(stream) != 0) {
        status = cli_fail(program, PLS_ERROR_FILE, "%s: cannot be read: %s", path, strerror(errno));
        goto cleanup;
    }
    *text = bytes;
    bytes = NULL;
cleanup:
    free(bytes);
    if (stream != NULL) {
        fclose(stream);
    }
    return status;
}

static pls_status fail_writing(cli *program, const char *path, int reason) {
    return cli_fail(program, PLS_ERROR_FILE, "%s: cannot be written: %s%s", path, strerror(reason),
                    reason == ENOSPC ? "; free some space or choose another folder with --out"
                                     : "");
}

static bool write_all(int descriptor, const char *text, int64_t size) {
    while (size > 0) {
        ssize_t written = write(descriptor, text, (size_t)size);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            text += written;
            size -= written;
        }
    }
    return true;
}

pls_status file_replace(cli *program, const char *path, const char *text, int64_t size) {
    pls_status status = PLS_OK;
    char *temporary = NULL;
    int descriptor = -1;
    CLI_TRY(cli_format(program, &temporary, "%s.XXXXXX", path));
    descriptor = mkstemp(temporary);
    if (descriptor < 0) {
        status = fail_writing(program, path, errno);
        goto cleanup;
    }
    bool written = fchmod(descriptor, 0644) == 0 && write_all(descriptor, text, size) &&
                   fsync(descriptor) == 0;
    int reason = errno;
    if (close(descriptor) != 0 && written) {
        reason = errno;
        written = false;
    }
    if (written && rename(temporary, path) != 0) {
        reason = errno;
        written = false;
    }
    if (!written) {
        unlink(temporary);
        status = fail_writing(program, path, reason);
    }
cleanup:
    free(temporary);
    return status;
}

pls_status folder_is_free(cli *program, command which, const char *folder) {
    char *path = NULL;
    bool goes_on = which == COMMAND_TRAIN || which == COMMAND_SOLVE || which == COMMAND_STUDY;
    pls_status status = file_path(program, folder, marker, &path);
    if (status == PLS_OK && access(path, F_OK) == 0) {
        status = cli_fail(program, PLS_ERROR_CONFIG,
                          "%s already holds a run; choose another folder with --out, %s%s%sor "
                          "replace it with --overwrite",
                          folder, goes_on ? "go on with it by `--resume " : "",
                          goes_on ? folder : "", goes_on ? "`, " : "");
    }
    free(path);
    return status;
}

/* Creates a folder and those above it; one that is there is fine. */
static pls_status make_folders(cli *program, const char *path) {
    pls_status status = PLS_OK;
    char *partial = NULL;
    struct stat information;
    CLI_TRY(cli_format(program, &partial, "%s", path));
    for (char *c = partial; *c != '\0'; c++) {
        if (*c == '/' && c > partial) {
            *c = '\0';
            mkdir(partial, 0755);
            *c = '/';
        }
    }
    if (mkdir(partial, 0755) != 0 && errno != EEXIST) {
        status = cli_fail(program, PLS_ERROR_FILE, "%s: the folder cannot be created: %s", path,
                          strerror(errno));
    } else if (stat(partial, &information) != 0 || !S_ISDIR(information.st_mode)) {
        status = cli_fail(program, PLS_ERROR_FILE, "%s: is not a folder", path);
    } else if (access(partial, W_OK | X_OK) != 0) {
        status = cli_fail(program, PLS_ERROR_FILE, "%s: the folder cannot be written to: %s", path,
                          strerror(errno));
    }
cleanup:
    free(partial);
    return status;
}

pls_status folder_add(cli *program, const char *folder, const char *name) {
    char *path = NULL;
    pls_status status = PLS_OK;
    CLI_TRY(file_path(program, folder, name, &path));
    CLI_TRY(make_folders(program, path));
cleanup:
    free(path);
    return status;
}

/* Results of a former run must not stand beside those of a new one. */
static pls_status remove_run(cli *program, const char *folder) {
    static const char *const names[] = {
        marker,
        "summary.json",
        "metrics.csv",
        "kernel.npy",
        "outputs.npy",
        "gradient.npy",
        "eigenvalues.npy",
        "eigenvalues_initial.npy",
        "kernel_infinite.npy",
        "hessian_density.npy",
        "kernel_density.npy",
        "path.csv",
        "jacobian.npy",
        "report.html",
        "weights.safetensors",
        "checkpoint/state.safetensors",
        "bottom_samples.npy",
    };
    pls_status status = PLS_OK;
    char *path = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CLI_TRY(file_path(program, folder, names[i], &path));
        if (unlink(path) != 0 && errno != ENOENT && errno != ENOTDIR) {
            status = cli_fail(program, PLS_ERROR_FILE, "%s: cannot be replaced: %s", path,
                              strerror(errno));
            goto cleanup;
        }
        free(path);
        path = NULL;
    }
cleanup:
    free(path);
    return status;
}

/* mkdir says who comes first when several runs start at once. */
static pls_status first_free_folder(cli *program, command which, char **folder) {
    pls_status status = PLS_OK;
    char *path = NULL;
    CLI_TRY(make_folders(program, "runs"));
    for (int number = 1;; number++) {
        CLI_TRY(cli_format(program, &path, "runs/%s-%d", cli_command_name(which), number));
        if (mkdir(path, 0755) == 0) {
            *folder = path;
            path = NULL;
            break;
        }
        if (errno != EEXIST) {
            status = cli_fail(program, PLS_ERROR_FILE, "%s: the folder cannot be created: %s", path,
                              strerror(errno));
            break;
        }
        free(path);
        path = NULL;
    }
cleanup:
    free(path);
    return status;
}

pls_status folder_create(cli *program, command which, const char *wanted, char **folder) {
    pls_status status = PLS_OK;
    if (wanted == NULL) {
        return first_free_folder(program, which, folder);
    }
    CLI_TRY(make_folders(program, wanted));
    CLI_TRY(remove_run(program, wanted));
    CLI_TRY(cli_format(program, folder, "%s", wanted));
cleanup:
    return status;
}
