/* Options: one table for parsing and for the help. */
#include "cli/options.h"

#include "cli/ready.h"
#include "plstar/audit.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRAIN = 1 << COMMAND_TRAIN,
    SOLVE = 1 << COMMAND_SOLVE,
    KERNEL = 1 << COMMAND_KERNEL,
    AUDIT = 1 << COMMAND_AUDIT,
    STUDY = 1 << COMMAND_STUDY,
    REPORT = 1 << COMMAND_REPORT,
    INFO = 1 << COMMAND_INFO,
    TRAINS = TRAIN | SOLVE,
    NETWORKS = TRAIN | KERNEL,
    RUNS = TRAINS | KERNEL,
    FOLDERS = RUNS | AUDIT | STUDY,
    ALL = FOLDERS | REPORT | INFO
};

enum { LONG_OPTION = 256, OPTION_LIMIT = 40 };

typedef struct option_entry {
    const char *name;
    char letter;
    const char *argument; /* as shown in the help; NULL if it takes none */
    int commands;
    const char *key;  /* the setting that it sets */
    const char *text; /* to this, where it takes no argument */
    const char *group, *help;
} option_entry;

/* Options of a group stand together. */
static const option_entry table[] = {
    {"type", 0, "NAME", SOLVE | AUDIT, "system.type", NULL, "System",
     "linear, quadratic, factorization, circle, phase_retrieval"},
    {"step-size", 0, "X", TRAINS, "train.step_size", NULL, "Training",
     "a number; critical:C = C times 2/lambda_max(K_0); theorem"},
    {"steps", 0, "N", TRAINS, "train.steps", NULL, "Training", "where training ends"},
    {"optimizer", 0, "NAME", TRAINS, "train.optimizer", NULL, "Training", "gd, sgd or lm"},
    {"batch", 0, "S", TRAINS, "train.batch", NULL, "Training", "sgd: samples a step"},
    {"linearized", 0, NULL, TRAINS, "train.linearized", "true", "Training",
     "carry F linearised at the start along"},
    {"resume", 0, "DIR", TRAINS, NULL, NULL, "Training",
     "go on with an interrupted run; --steps N may reach further"},
    {"claims", 0, "LIST", AUDIT, "audit.claims", NULL, "Audit",
     "some of them: 7,8; a number takes its primed parts along"},
    {"size", 0, "NAME", STUDY, "study.size", NULL, "Study",
     "of a ready study: quick (minutes on two cores) or full"},
    {"widths", 0, "LIST", STUDY, "study.widths", NULL, "Study", "such as 64,128,256"},
    {"seeds", 0, "N", STUDY, "study.seeds", NULL, "Study", "networks a width"},
    {"resume", 0, "DIR", STUDY, NULL, NULL, "Study", "go on there; widths and seeds may be added"},
    {"spectrum", 0, "WHAT", RUNS, "monitor.spectrum", NULL, "Tangent kernel",
     "extremes, or full: all eigenvalues"},
    {"method", 0, "NAME", RUNS, "monitor.method", NULL, "Tangent kernel",
     "structured, explicit (Jacobian rows) or matrix_free"},
    {"trace", 0, NULL, RUNS, "monitor.trace", "true", "Tangent kernel",
     "the n x n kernel summed over outputs"},
    {"hessian", 0, "WHAT", KERNEL, "hessian.of", NULL, "Tangent kernel",
     "Hessian norms: loss, outputs, or loss,outputs"},
    {"hessian-samples", 0, "M", KERNEL, "hessian.samples", NULL, "Tangent kernel",
     "of outputs: the first M samples"},
    {"infinite", 0, NULL, KERNEL, "output.infinite", "true", "Tangent kernel",
     "the limit at infinite width, and the distance from it"},
    {"gradient", 0, NULL, KERNEL, "output.gradient", "true", "Tangent kernel",
     "write gradient.npy"},
    {"jacobian", 0, NULL, KERNEL, "output.jacobian", "true", "Tangent kernel",
     "write jacobian.npy"},
    {"set", 0, "KEY=VALUE", FOLDERS, NULL, NULL, "Settings and weights",
     "any setting, as in the file; repeatable, the last one wins"},
    {"tensors", 0, "FILE", NETWORKS | AUDIT, "model.tensors", NULL, "Settings and weights",
     "weights (and inputs, targets) from a safetensors file"},
    {"tensor-order", 0, NULL, NETWORKS | AUDIT, "model.tensor_order", "true",
     "Settings and weights", "take its tensors in order of appearance"},
    {"precision", 0, "TYPE", RUNS, "precision", NULL, "Settings and weights", "f32 or f64"},
    {"seed", 0, "N", FOLDERS, "seed", NULL, "Settings and weights",
     "of weights, batches, data and start vectors"},
    {"out", 'o', "DIR", FOLDERS, NULL, NULL, "Output",
     "folder for results; by default runs/COMMAND-1, -2, ..."},
    {"overwrite", 0, NULL, FOLDERS, NULL, NULL, "Output", "replace a run that is there"},
    {"json", 0, NULL, ALL, NULL, NULL, "Output", "print the result as JSON, and nothing else"},
    {"quiet", 'q', NULL, ALL, NULL, NULL, "Output", "print errors only"},
    {"device", 0, "NAME", FOLDERS | INFO, "device", NULL, "Machine", "auto, cpu, cuda or cuda:N"},
    {"threads", 0, "N", FOLDERS | INFO, "threads", NULL, "Machine",
     "of the CPU; results do not depend on it"},
    {"help", 'h', NULL, ALL, NULL, NULL, "Help", "this text; `--help settings` lists all settings"},
    {"version", 0, NULL, ALL, NULL, NULL, "Help", "the version"},
};

enum { COUNT = sizeof table / sizeof *table };
_Static_assert((int)COUNT < (int)OPTION_LIMIT, "the list for getopt_long has room");

/* ---- parsing ------------------------------------------------------------------------------- */

static void list_for_getopt(int commands, struct option list[OPTION_LIMIT]) {
    int used = 0;
    for (int i = 0; i < COUNT; i++) {
        if ((table[i].commands & commands) != 0) {
            int takes = table[i].argument != NULL ? required_argument : no_argument;
            list[used++] = (struct option){table[i].name, takes, NULL, LONG_OPTION + i};
        }
    }
    list[used] = (struct option){0};
}

static const option_entry *entry_of(int code) {
    for (int i = 0; i < COUNT; i++) {
        if (code == LONG_OPTION + i || (table[i].letter != 0 && code == table[i].letter)) {
            return &table[i];
        }
    }
    return NULL;
}

/* An option of other commands, which may be a setting here. */
static pls_status fail_elsewhere(cli *program, command which, const char *name) {
    char key[120];
    snprintf(key, sizeof key, "%s.%s", cli_command_name(which), name);
    for (int i = 0; settings_key(i) != NULL; i++) {
        if (strcmp(settings_key(i), key) == 0) {
            return cli_fail(program, PLS_ERROR_CONFIG,
                            "plstar %s has no option --%s; say it by --set %s=...",
                            cli_command_name(which), name, key);
        }
    }
    return cli_fail(program, PLS_ERROR_CONFIG, "plstar %s has no option --%s",
                    cli_command_name(which), name);
}

/* `written` is the word on the command line, "--stepz=3". */
static pls_status fail_unknown(cli *program, command which, const char *written) {
    char name[80];
    const char *nearest = "help";
    int least = 1000;
    const char *start = written + strspn(written, "-");
    snprintf(name, sizeof name, "%.*s", (int)strcspn(start, "="), start);
    for (int i = 0; i < COUNT; i++) {
        bool here = (table[i].commands & (1 << which)) != 0;
        int distance = cli_edit_distance(name, table[i].name);
        if (!here && distance == 0) {
            return fail_elsewhere(program, which, name);
        }
        if (here && distance < least) {
            least = distance;
            nearest = table[i].name;
        }
    }
    return cli_fail(program, PLS_ERROR_CONFIG,
                    "%s is not an option; the nearest is --%s (`plstar %s --help` lists all)",
                    written, nearest, cli_command_name(which));
}

static pls_status fail_option(cli *program, command which, int result, const char *written) {
    const option_entry *entry = entry_of(optopt);
    if (result == ':' && entry != NULL) {
        return cli_fail(program, PLS_ERROR_CONFIG, "--%s needs a value: --%s %s", entry->name,
                        entry->name, entry->argument);
    }
    if (entry != NULL && entry->argument == NULL && strchr(written, '=') != NULL) {
        return cli_fail(program, PLS_ERROR_CONFIG, "--%s takes no value", entry->name);
    }
    return fail_unknown(program, which, written);
}

/* --set KEY=VALUE, split at the first '='. */
static pls_status add_set(cli *program, const char *text, command_line *given, assignment *added) {
    pls_status status = PLS_OK;
    const char *equals = strchr(text, '=');
    char **copy = &given->copies[given->assignment_count];
    if (equals == NULL || equals == text) {
        return cli_fail(program, PLS_ERROR_CONFIG,
                        "--set %s: KEY=VALUE was expected, such as --set train.steps=100", text);
    }
    CLI_TRY(cli_format(program, copy, "%.*s", (int)(equals - text), text));
    *added = (assignment){"--set", *copy, equals + 1};
cleanup:
    return status;
}

static pls_status add_key(cli *program, const option_entry *entry, const char *text,
                          command_line *given, assignment *added) {
    char **copy = &given->copies[given->assignment_count];
    pls_status status = cli_format(program, copy, "--%s", entry->name);
    *added = (assignment){*copy, entry->key, entry->argument != NULL ? text : entry->text};
    return status;
}

static pls_status take_option(cli *program, const option_entry *entry, const char *text,
                              command_line *given) {
    pls_status status = PLS_OK;
    const char *name = entry->name;
    if (strcmp(name, "set") == 0 || entry->key != NULL) {
        assignment *added = &given->assignments[given->assignment_count];
        status = entry->key != NULL ? add_key(program, entry, text, given, added)
                                    : add_set(program, text, given, added);
        given->assignment_count++;
    } else if (strcmp(name, "out") == 0) {
        given->out = text;
    } else if (strcmp(name, "resume") == 0) {
        given->resume = text;
    } else if (strcmp(name, "overwrite") == 0) {
        given->overwrite = true;
    } else if (strcmp(name, "json") == 0) {
        given->json = true;
    } else if (strcmp(name, "quiet") == 0) {
        given->quiet = true;
    } else if (strcmp(name, "help") == 0) {
        given->help = true;
    } else {
        given->version = true;
    }
    return status;
}

static pls_status take_arguments(cli *program, int argc, char **argv, command_line *given) {
    for (int i = optind; i < argc; i++) {
        if (given->help && strcmp(argv[i], "settings") == 0) {
            given->help_settings = true;
        } else if (given->command == COMMAND_STUDY && given->study == NULL &&
                   given->argument == NULL && ready_is_name(argv[i])) {
            given->study = argv[i];
        } else if (given->argument != NULL || given->command == COMMAND_INFO) {
            return cli_fail(program, PLS_ERROR_CONFIG, "%s: one argument too many", argv[i]);
        } else {
            given->argument = argv[i];
        }
    }
    if (given->out != NULL && given->out[0] == '\0') {
        return cli_fail(program, PLS_ERROR_CONFIG, "--out needs the name of a folder");
    }
    return PLS_OK;
}

pls_status options_parse(cli *program, command which, int argc, char **argv, command_line *given) {
    struct option list[OPTION_LIMIT];
    pls_status status = PLS_OK;
    int result = 0;
    list_for_getopt(1 << which, list);
    *given = (command_line){.command = which};
    CLI_TRY(cli_allocate(program, argc, sizeof *given->assignments, "the options",
                         &given->assignments));
    CLI_TRY(cli_allocate(program, argc, sizeof *given->copies, "the options", &given->copies));
    opterr = 0;
    for (;;) {
        int at = optind;
        result = getopt_long(argc, argv,
                             which == COMMAND_INFO || which == COMMAND_REPORT ? ":qh" : ":o:qh",
                             list, NULL);
        if (result == -1) {
            break;
        }
        const option_entry *entry = result == ':' || result == '?' ? NULL : entry_of(result);
        if (entry == NULL) {
            /* getopt moves arguments behind the options: the last word it took is the culprit. */
            status = fail_option(program, which, result, argv[optind > at ? optind - 1 : at]);
            goto cleanup;
        }
        CLI_TRY(take_option(program, entry, optarg, given));
    }
    CLI_TRY(take_arguments(program, argc, argv, given));
cleanup:
    return status;
}

void options_release(command_line *given) {
    for (int i = 0; given->copies != NULL && i < given->assignment_count; i++) {
        free(given->copies[i]);
    }
    free(given->copies);
    free(given->assignments);
    *given = (command_line){0};
}

pls_status options_apply(cli *program, const command_line *given, settings *all) {
    pls_status status = PLS_OK;
    for (int i = 0; i < given->assignment_count; i++) {
        const assignment *one = &given->assignments[i];
        CLI_TRY(settings_assign(program, all, one->spelled, one->key, one->text));
    }
cleanup:
    return status;
}

/* ---- help ---------------------------------------------------------------------------------- */

static const char *introduction(command which) {
    switch (which) {
    case COMMAND_TRAIN:
        return "plstar train: train a network and watch mu = lambda_min of its tangent kernel\n"
               "\n"
               "Examples:\n"
               "  plstar train                         a wide network on the built-in digits\n"
               "  plstar train run.yaml --steps 500    settings from a file, options over it\n"
               "  plstar train --set model.width=8192 --step-size theorem\n"
               "  plstar train --resume runs/train-1   go on after an interruption\n"
               "\n"
               "Usage: plstar train [CONFIG] [options]\n"
               "\n"
               "Without CONFIG and without model settings it is a demonstration: 64 digits,\n"
               "two hidden layers of 4096, sigma_w 2, 250 steps of critical:0.9, full spectrum.\n";
    case COMMAND_SOLVE:
        return "plstar solve: solve F(w) = y and watch mu = lambda_min of its tangent kernel\n"
               "\n"
               "Examples:\n"
               "  plstar solve                         40 quadratic equations in 200 unknowns\n"
               "  plstar solve --type phase_retrieval --optimizer lm\n"
               "  plstar solve --type circle --step-size 0.1    its path is drawn in the report\n"
               "  plstar solve --set system.map=tanh --set system.noise=0.01\n"
               "  plstar solve --set \"system={type: linear, a: A.npy, y: y.npy}\"\n"
               "  plstar solve --resume runs/solve-1   go on after an interruption\n"
               "\n"
               "Usage: plstar solve [CONFIG] [options]\n"
               "\n"
               "The system is drawn from the seed, with a solution planted in it. CONFIG has the\n"
               "section system instead of model and data. A C program can solve a system of its\n"
               "own: pls_user_system_create().\n";
    case COMMAND_KERNEL:
        return "plstar kernel: the tangent kernel of a network and its spectrum, at one point\n"
               "\n"
               "Examples:\n"
               "  plstar kernel                        a network on 64 of the built-in digits\n"
               "  plstar kernel --spectrum full --precision f64\n"
               "  plstar kernel --set model=net.json --tensors weights.safetensors --jacobian\n"
               "  plstar kernel --json | python3 -m json.tool\n"
               "\n"
               "Usage: plstar kernel [CONFIG] [options]\n";
    case COMMAND_AUDIT:
        return "plstar audit: the claims of the theory, both sides measured\n"
               "\n"
               "Examples:\n"
               "  plstar audit                      a network on the built-in digits\n"
               "  plstar audit net.yaml --claims 7,8,10\n"
               "  plstar audit --type quadratic     a system whose constants are known\n"
               "\n"
               "Usage: plstar audit [CONFIG] [options]\n"
               "\n"
               "Each claim gets a row: measured, bound, margin, numerical error, verdict. A\n"
               "law that is violated beyond the error makes the exit status 1 (docs/audit.md).\n";
    case COMMAND_STUDY:
        return "plstar study: how the quantities of the theory change from network to network\n"
               "\n"
               "Examples:\n"
               "  plstar study transition           the transition to linearity, minutes\n"
               "  plstar study transition --size full --device cuda\n"
               "  plstar study --widths 64,256,1024 --set study.quantities=hessian_norm\n"
               "  plstar study --resume runs/study-1 --widths 64,256,1024,4096\n"
               "\n"
               "Usage: plstar study [NAME] [CONFIG] [options]\n"
               "\n"
               "NAME is a ready study; CONFIG and options win over it. Without one, say what is\n"
               "to vary (--widths) and to be measured (study.quantities). Every finished\n"
               "network is kept; a study goes on where it was stopped.\n";
    case COMMAND_REPORT:
        return "plstar report: write report.html for the folder of a run\n"
               "\n"
               "Example:\n"
               "  plstar report runs/train-1\n"
               "\n"
               "Usage: plstar report DIR [options]\n";
    case COMMAND_INFO:
        break;
    }
    return "plstar info: version, devices, libraries, built-in data and settings\n"
           "\n"
           "Usage: plstar info [options]\n";
}

enum { HELP_WIDTH = 79 };

static void list_claims(FILE *stream) {
    fputs("\nClaims:\n", stream);
    for (int i = 0; pls_audit_claim(i) != NULL; i++) {
        fprintf(stream, "  %-4s %-8s ", pls_audit_claim(i),
                pls_claim_kind_name(pls_audit_claim_kind(i)));
        cli_write_wrapped(stream, pls_audit_claim_title(i), 16, HELP_WIDTH);
    }
    fputs("\nA law is an inequality that holds exactly, a scaling an exponent over widths, a\n"
          "picture a demonstration. A claim that holds \"within the error\" has a margin\n"
          "smaller than the error: the numbers agree with it and do not show more.\n",
          stream);
}

static void list_studies(FILE *stream) {
    fputs("\nReady studies:\n", stream);
    for (int i = 0; ready_name(i) != NULL; i++) {
        fprintf(stream, "  %-18s ", ready_name(i));
        cli_write_wrapped(stream, ready_purpose(ready_name(i)), 21, HELP_WIDTH);
    }
    fprintf(stream, "  %-18s one after the other\n", "all");
}

static void list_quantities(FILE *stream) {
    fputs("\nQuantities, for study.quantities:\n", stream);
    for (int q = 0; q < PLS_QUANTITY_COUNT; q++) {
        fprintf(stream, "  %-18s ", pls_quantity_name((pls_quantity)q));
        cli_write_wrapped(stream, pls_quantity_meaning((pls_quantity)q), 21, HELP_WIDTH);
    }
}

void options_help(command which, FILE *stream) {
    const char *group = "";
    fputs(introduction(which), stream);
    if (which == COMMAND_AUDIT) {
        list_claims(stream);
    } else if (which == COMMAND_STUDY) {
        list_studies(stream);
        list_quantities(stream);
    }
    for (int i = 0; i < COUNT; i++) {
        const option_entry *entry = &table[i];
        char name[40];
        if ((entry->commands & (1 << which)) == 0) {
            continue;
        }
        if (strcmp(group, entry->group) != 0) {
            fprintf(stream, "\n%s:\n", entry->group);
            group = entry->group;
        }
        snprintf(name, sizeof name, "%s--%s%s%s",
                 entry->letter == 'o'   ? "-o, "
                 : entry->letter == 'q' ? "-q, "
                 : entry->letter == 'h' ? "-h, "
                                        : "",
                 entry->name, entry->argument != NULL ? " " : "",
                 entry->argument != NULL ? entry->argument : "");
        fprintf(stream, "  %-18s %s\n", name, entry->help);
    }
    fputs("\nExit status:\n"
          "  0 done; 1 diverged, no convergence, or a law is violated; 2 usage or\n"
          "  configuration; 3 bad data or file; 4 not enough memory, or the device\n"
          "  failed; 130 interrupted, state saved\n",
          stream);
}
