/* gpu_check: opens the device, runs the sections, writes the results. */
#include "gpu_check.h"

#include <stdio.h>

static void (*const sections[SECTION_COUNT])(check_run *) = {check_conformance, check_reference,
                                                             check_agreement, check_benchmark};

static int complain(const check_run *run, int status) {
    fprintf(stderr, "gpu_check: error: %s\n", pls_error_text(run->context));
    return status;
}

static int run_sections(check_run *run) {
    for (int i = 0; i < SECTION_COUNT; i++) {
        if (run->options->sections[i]) {
            sections[i](run);
        }
    }
    if (write_results(run, run->options->json) != PLS_OK) {
        return complain(run, EXIT_FILE);
    }
    printf("%s: %d checks, %d failed\n", pls_device_name(run->device), run->made, run->failed);
    return run->failed == 0 ? EXIT_PASSED : EXIT_FAILED;
}

static int check_device(check_run *run) {
    pls_device_options options = {run->options->device, 0};
    pls_status status = pls_device_open(run->context, &options, &run->device);
    if (status != PLS_OK) {
        return complain(run, status == PLS_ERROR_ARGUMENT ? EXIT_USAGE : EXIT_NO_DEVICE);
    }
    printf("%s\n", pls_device_description(run->device));
    if (run->options->identify) {
        return EXIT_PASSED;
    }
    run->checks = json_array();
    run->ceilings = json_object();
    run->timings = json_array();
    int result = run_sections(run);
    json_decref(run->checks);
    json_decref(run->ceilings);
    json_decref(run->timings);
    return result;
}

int main(int argument_count, char **arguments) {
    check_options options;
    check_run run = {.options = &options};
    setvbuf(stdout, NULL, _IOLBF, 0); /* a check that is stopped has shown how far it came */
    if (!options_read(argument_count, arguments, &options)) {
        return EXIT_USAGE;
    }
    if (options.help) {
        options_print_help();
        return EXIT_PASSED;
    }
    if (pls_context_create(NULL, &run.context) != PLS_OK) {
        fputs("gpu_check: error: there is not enough memory\n", stderr);
        return EXIT_FAILED;
    }
    int result = check_device(&run);
    pls_device_close(run.device);
    pls_context_destroy(run.context);
    return result;
}
