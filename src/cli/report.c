/* plstar report: the page of a run, written again. */
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/summary.h"

#include <stdlib.h>

pls_status command_report(cli *program, const command_line *given) {
    pls_status status = PLS_OK;
    char *path = NULL;
    json_t *object = NULL;
    if (given->argument == NULL) {
        return cli_fail(program, PLS_ERROR_CONFIG,
                        "report needs the folder of a run, such as: plstar report runs/train-1");
    }
    CLI_TRY(pls_report_write(program->context, given->argument, NULL));
    CLI_TRY(file_path(program, given->argument, "report.html", &path));
    if (program->json) {
        object = json_pack("{s:s}", "report", path);
        CLI_TRY(summary_print(program, object));
    } else if (!program->quiet) {
        printf("%s\n", path);
    }
cleanup:
    json_decref(object);
    free(path);
    return status;
}
