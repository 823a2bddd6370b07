/* Paths inside settings. */
#include "cli/paths.h"

#include <stdlib.h>
#include <string.h>

static bool needs_folder(const char *folder, const char *path, size_t length) {
    return folder != NULL && folder[0] != '\0' && length > 0 && path[0] != '/';
}

pls_status path_in_folder(cli *program, const char *folder, const char *text, char **out) {
    if (!needs_folder(folder, text, strlen(text))) {
        return cli_format(program, out, "%s", text);
    }
    return cli_format(program, out, "%s/%s", folder, text);
}

pls_status source_in_folder(cli *program, const char *folder, const char *text, char **out) {
    static const char *const with_paths[] = {"idx:", "cifar10:", "npy:", "safetensors:", "csv:"};
    pls_status status = PLS_OK;
    char *first = NULL, *second = NULL;
    size_t kind = 0;
    for (size_t i = 0; i < sizeof with_paths / sizeof *with_paths; i++) {
        size_t length = strlen(with_paths[i]);
        if (strncmp(text, with_paths[i], length) == 0) {
            kind = length;
        }
    }
    const char *comma = strncmp(text, "npy:", 4) == 0 ? strchr(text, ',') : NULL;
    if (kind == 0) {
        CLI_TRY(cli_format(program, out, "%s", text));
    } else if (comma == NULL) {
        CLI_TRY(path_in_folder(program, folder, text + kind, &first));
        CLI_TRY(cli_format(program, out, "%.*s%s", (int)kind, text, first));
    } else {
        char *inputs = NULL;
        CLI_TRY(
            cli_format(program, &inputs, "%.*s", (int)(comma - text - (long)kind), text + kind));
        status = path_in_folder(program, folder, inputs, &first);
        free(inputs);
        CLI_TRY(status);
        CLI_TRY(path_in_folder(program, folder, comma + 1, &second));
        CLI_TRY(cli_format(program, out, "npy:%s,%s", first, second));
    }
cleanup:
    free(first);
    free(second);
    return status;
}

pls_status folder_of(cli *program, const char *path, char **out) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return cli_format(program, out, "%s", "");
    }
    return cli_format(program, out, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}
