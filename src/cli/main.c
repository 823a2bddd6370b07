/* plstar COMMAND [CONFIG] [options]. */
#include "cli/commands.h"
#include "cli/interrupt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "plstar: tangent kernels, their spectra and the PL* condition of wide networks\n"
    "\n"
    "Examples:\n"
    "  plstar train                  train a wide network on the built-in digits,\n"
    "                                watch mu, write a report\n"
    "  plstar solve                  solve non-linear equations F(w) = y, watching mu\n"
    "  plstar kernel                 the tangent kernel of a network and its spectrum\n"
    "  plstar audit                  check the theory's claims on a network\n"
    "  plstar study transition       what changes with the width, and how fast\n"
    "  plstar report runs/train-1    write the report of a run again\n"
    "\n"
    "Usage: plstar COMMAND [CONFIG] [options]\n"
    "\n"
    "Commands:\n"
    "  train     train, and measure mu = lambda_min of the tangent kernel on the way\n"
    "  solve     the same for a system of equations instead of a network\n"
    "  kernel    measure kernel, spectrum, gradient, Jacobian at one point\n"
    "  audit     check every claim of the theory that applies, both sides measured\n"
    "  study     measure the theory's quantities over widths and seeds\n"
    "  report    write report.html for the folder of a run\n"
    "  info      version, devices, libraries, built-in data, settings\n"
    "\n"
    "`plstar COMMAND --help` explains a command, `plstar train --help settings` all\n"
    "settings. CONFIG is a file of settings in YAML or JSON.\n"
    "\n"
    "Exit status:\n"
    "  0 done; 1 diverged, no convergence, or a law is violated; 2 usage or\n"
    "  configuration; 3 bad data or file; 4 not enough memory, or the device\n"
    "  failed; 130 interrupted, state saved\n";

static pls_status (*const commands[COMMAND_COUNT])(cli *, const command_line *) = {
    [COMMAND_TRAIN] = command_train,   [COMMAND_SOLVE] = command_train,
    [COMMAND_KERNEL] = command_kernel, [COMMAND_AUDIT] = command_audit,
    [COMMAND_STUDY] = command_study,   [COMMAND_REPORT] = command_report,
    [COMMAND_INFO] = command_info,
};

static void take_log(void *user, pls_log_level level, const char *text) {
    cli *program = user;
    if (strncmp(text, program->note, sizeof program->note - 1) == 0) {
        return; /* every worker of a study has a device, and the same to say of it */
    }
    snprintf(program->note, sizeof program->note, "%s", text);
    if (level == PLS_LOG_WARNING) {
        cli_warn(program, "%s", text);
    } else if (level == PLS_LOG_INFO) {
        cli_say(program, "%s", text);
    }
}

static bool cancelled(void *user) {
    const cli *program = user;
    return program->listening && interrupt_came();
}

static pls_status find_command(cli *program, const char *name, command *which) {
    int nearest = 0;
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const char *known = cli_command_name((command)i);
        if (strcmp(name, known) == 0) {
            *which = (command)i;
            return PLS_OK;
        }
        if (cli_edit_distance(name, known) <
            cli_edit_distance(name, cli_command_name((command)nearest))) {
            nearest = i;
        }
    }
    return cli_fail(program, PLS_ERROR_CONFIG,
                    "%s is not a command; the nearest is %s (`plstar --help` lists all)", name,
                    cli_command_name((command)nearest));
}

static pls_status run_command(cli *program, command which, const command_line *given) {
    pls_hooks hooks = {.user = program, .log = take_log, .cancelled = cancelled};
    if (given->version) {
        printf("plstar %s\n", pls_version());
        return PLS_OK;
    }
    if (given->help_settings) {
        settings_help(which, stdout);
        return PLS_OK;
    }
    if (given->help) {
        options_help(which, stdout);
        return PLS_OK;
    }
    program->quiet = given->quiet;
    program->json = given->json;
    pls_status status = pls_context_create(&hooks, &program->context);
    if (status == PLS_OK) {
        interrupt_listen();
        program->listening = true;
        status = commands[which](program, given);
    }
    return status;
}

static pls_status dispatch(cli *program, int argc, char **argv) {
    command which = COMMAND_TRAIN;
    command_line given = {0};
    pls_status status = PLS_OK;
    const char *first = argc > 1 ? argv[1] : "";
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "help") == 0) {
        fputs(usage, stdout);
        return PLS_OK;
    }
    if (strcmp(first, "--version") == 0) {
        printf("plstar %s\n", pls_version());
        return PLS_OK;
    }
    if (argc < 2) {
        return cli_fail(program, PLS_ERROR_CONFIG,
                        "a command is missing: train, solve, kernel, audit, study, report or info "
                        "(`plstar --help`)");
    }
    CLI_TRY(find_command(program, first, &which));
    CLI_TRY(options_parse(program, which, argc - 1, argv + 1, &given));
    CLI_TRY(run_command(program, which, &given));
cleanup:
    options_release(&given);
    return status;
}

/* A full disk behind stdout is found when the last of it is written. */
static pls_status flush_output(cli *program, pls_status status) {
    bool failed = fflush(stdout) != 0 || ferror(stdout) != 0;
    if (failed && status == PLS_OK) {
        return cli_fail(program, PLS_ERROR_FILE, "the output cannot be written: %s",
                        strerror(errno));
    }
    return status;
}

/* OpenMP and OpenBLAS read their settings once, when they are loaded, so the program starts itself
 * again with these:
 *   - Threads that wait must not spin. On a machine that others use too, a spinning thread keeps
 * the core from the one that it waits for, and a run takes three times as long.
 *   - OpenBLAS must not keep threads of its own: the device has its own, and where address space is
 *     short those of OpenBLAS wait for ever for a buffer, at the end of the program too. */
static void settle_libraries(char **argv) {
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    bool settled = getenv("OMP_WAIT_POLICY") != NULL && getenv("OPENBLAS_NUM_THREADS") != NULL;
    if (length > 0 && !settled && setenv("OMP_WAIT_POLICY", "passive", 0) == 0 &&
        setenv("OPENBLAS_NUM_THREADS", "1", 1) == 0) {
        self[length] = '\0';
        execv(self, argv); /* if that fails, this process goes on as it is */
    }
}

int main(int argc, char **argv) {
    settle_libraries(argv);
    cli program = {0};
    pls_status status = flush_output(&program, dispatch(&program, argc, argv));
    if (status != PLS_OK) {
        const char *trace = getenv("PLSTAR_TRACE");
        cli_clear_line(&program);
        fprintf(stderr, "plstar: %s%s\n",
                status == PLS_CANCELLED ? "" : "error: ", cli_error_text(&program, status));
        if (trace != NULL && strcmp(trace, "1") == 0 && program.context != NULL) {
            fputs(pls_error_trace(program.context), stderr);
        }
    }
    pls_context_destroy(program.context);
    return cli_exit_status(status);
}
