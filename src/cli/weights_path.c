/* path.csv: step,w0,w1; %.17g carries every double. */
#include "cli/weights_path.h"

#include "cli/files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char header[] = "step,w0,w1\n";

static pls_status fail_writing(cli *program, const weights_path *path) {
    return cli_fail(program, PLS_ERROR_FILE, "%s: cannot be written: %s", path->name,
                    strerror(errno));
}

/* Rewrites the file with the whole rows before `step`. */
static pls_status keep_rows(cli *program, const char *name, int64_t step) {
    char *text = NULL;
    int64_t size = 0;
    pls_status status = PLS_OK;
    CLI_TRY(file_read(program, name, &text, &size));
    if (strncmp(text, header, sizeof header - 1) != 0) {
        status = cli_fail(program, PLS_ERROR_DATA, "%s:1: the columns are not step,w0,w1", name);
        goto cleanup;
    }
    char *line = text + sizeof header - 1;
    for (char *end = strchr(line, '\n'); end != NULL && strtoll(line, NULL, 10) < step;
         end = strchr(line, '\n')) {
        line = end + 1;
    }
    CLI_TRY(file_replace(program, name, text, line - text));
cleanup:
    free(text);
    return status;
}

pls_status weights_path_start(cli *program, const char *folder, const pls_system *system,
                              int64_t step, weights_path *path) {
    pls_status status = PLS_OK;
    if (pls_system_parameters(system) != 2) {
        return PLS_OK;
    }
    CLI_TRY(file_path(program, folder, "path.csv", &path->name));
    if (step >= 0) {
        CLI_TRY(keep_rows(program, path->name, step));
    }
    path->stream = fopen(path->name, step >= 0 ? "ab" : "wb");
    if (path->stream == NULL) {
        status = fail_writing(program, path);
    } else if (step < 0 && fputs(header, path->stream) == EOF) {
        status = fail_writing(program, path);
    }
cleanup:
    return status;
}

pls_status weights_path_append(cli *program, weights_path *path, int64_t step, pls_system *system) {
    double w[2];
    if (path->stream == NULL) {
        return PLS_OK;
    }
    pls_status status = pls_system_get_weights(system, w);
    if (status == PLS_OK &&
        (fprintf(path->stream, "%" PRId64 ",%.17g,%.17g\n", step, w[0], w[1]) < 0 ||
         fflush(path->stream) != 0)) {
        status = fail_writing(program, path);
    }
    return status;
}

pls_status weights_path_close(cli *program, weights_path *path) {
    pls_status status = PLS_OK;
    if (path->stream != NULL && fclose(path->stream) != 0) {
        status = fail_writing(program, path);
    }
    path->stream = NULL;
    free(path->name);
    path->name = NULL;
    return status;
}
