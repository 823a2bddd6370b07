/* The command line of gpu_check. */
#include "gpu_check.h"

#include <stdio.h>
#include <string.h>

static const char *const section_names[SECTION_COUNT] = {"conformance", "reference", "agreement",
                                                         "benchmark"};

static const char help[] =
    "Usage: gpu_check [options]\n"
    "\n"
    "Checks a device: operations against naive references, networks against values of\n"
    "an independent automatic differentiation, a training run against the CPU, and\n"
    "the time of every operation against what the device can do at all.\n"
    "\n"
    "  --device NAME     cuda (default), cuda:N, cpu\n"
    "  --reference DIR   reference networks (tests/reference)\n"
    "  --json FILE       write checks and timings to FILE\n"
    "  --only LIST       some of conformance,reference,agreement,benchmark\n"
    "  --quick           small sizes: seconds, for trying it out and for sanitizers;\n"
    "                    its timings mean nothing\n"
    "  --identify        say what the device is, check nothing\n"
    "\n"
    "Recorded in FILE as they are given:\n"
    "  --commit TEXT     the commit that was built\n"
    "  --driver TEXT     version of the device's driver\n"
    "  --toolkit TEXT    version of the CUDA toolkit\n"
    "  --outside NAME=RESULT\n"
    "                    a check made by others; RESULT is passed, failed or missing.\n"
    "                    May be given several times; failed counts as a failure\n"
    "\n"
    "Exit status:\n"
    "  0 all checks passed; 1 a check failed; 2 usage; 3 FILE cannot be written;\n"
    "  4 the device is not there\n";

void options_print_help(void) {
    fputs(help, stdout);
}

static bool refuse(const char *option, const char *reason) {
    fprintf(stderr, "gpu_check: error: %s %s; see gpu_check --help\n", option, reason);
    return false;
}

static bool read_sections(const char *list, check_options *options) {
    memset(options->sections, 0, sizeof options->sections);
    while (true) {
        size_t length = strcspn(list, ",");
        bool known = false;
        for (int i = 0; i < SECTION_COUNT; i++) {
            if (strlen(section_names[i]) == length &&
                strncmp(section_names[i], list, length) == 0) {
                options->sections[i] = known = true;
            }
        }
        if (!known) {
            return refuse("--only", "takes some of conformance,reference,agreement,benchmark");
        }
        if (list[length] == '\0') {
            return true;
        }
        list += length + 1;
    }
}

static bool read_outside(const char *text, check_options *options) {
    const char *result = strrchr(text, '=');
    bool known = result != NULL && result != text &&
                 (strcmp(result, "=passed") == 0 || strcmp(result, "=failed") == 0 ||
                  strcmp(result, "=missing") == 0);
    if (!known) {
        return refuse("--outside", "takes NAME=passed, NAME=failed or NAME=missing");
    }
    if (options->outside_count == OUTSIDE_CHECKS) {
        return refuse("--outside", "can be given 8 times at most");
    }
    options->outside[options->outside_count++] = text;
    return true;
}

/* An option with a value; false if it is not one or its value is wrong, after a sentence. */
static bool read_value(const char *option, const char *value, check_options *options) {
    const struct {
        const char *name;
        const char **place;
    } texts[] = {{"--device", &options->device},
                 {"--reference", &options->reference},
                 {"--json", &options->json},
                 {"--commit", &options->commit},
                 {"--driver", &options->driver},
                 {"--toolkit", &options->toolkit},
                 {"--only", NULL},
                 {"--outside", NULL}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(option, texts[i].name) != 0) {
            continue;
        }
        if (value == NULL || value[0] == '\0') {
            return refuse(option, "needs a value");
        }
        if (texts[i].place != NULL) {
            *texts[i].place = value;
            return true;
        }
        return strcmp(option, "--only") == 0 ? read_sections(value, options)
                                             : read_outside(value, options);
    }
    return refuse(option, "is not an option");
}

bool options_read(int argument_count, char **arguments, check_options *options) {
    *options = (check_options){.device = "cuda", .reference = "tests/reference"};
    for (int i = 0; i < SECTION_COUNT; i++) {
        options->sections[i] = true;
    }
    for (int i = 1; i < argument_count; i++) {
        const char *option = arguments[i];
        if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0) {
            options->help = true;
        } else if (strcmp(option, "--quick") == 0) {
            options->quick = true;
        } else if (strcmp(option, "--identify") == 0) {
            options->identify = true;
        } else if (!read_value(option, i + 1 < argument_count ? arguments[i + 1] : NULL, options)) {
            return false;
        } else {
            i++;
        }
    }
    return true;
}
