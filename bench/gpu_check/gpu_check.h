/* The check of a device: what its sections share.
 *
 *     conformance  every operation against the naive references of the table (tests/operations)
 *     reference    networks against values of an independent automatic differentiation
 *     agreement    a training run on the device against the CPU, and against itself
 *     benchmark    every operation against what the device can do at all */
#ifndef PLSTAR_GPU_CHECK_H
#define PLSTAR_GPU_CHECK_H

#include "plstar/plstar.h"

#include <jansson.h>
#include <stdbool.h>

enum { EXIT_PASSED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_FILE = 3, EXIT_NO_DEVICE = 4 };

enum { SECTION_COUNT = 4, OUTSIDE_CHECKS = 8 };

/* options.c */
typedef struct check_options {
    const char *device, *reference, *json;
    const char *commit, *driver, *toolkit; /* facts that are only recorded, NULL if not known */
    const char *outside[OUTSIDE_CHECKS];   /* "NAME=RESULT" of checks made by others */
    int outside_count;
    bool sections[SECTION_COUNT];
    bool quick, identify, help;
} check_options;

/* False after a sentence on stderr. */
bool options_read(int argument_count, char **arguments, check_options *options);
void options_print_help(void);

/* Everything that a section needs, and what all of them have found. */
typedef struct check_run {
    const check_options *options;
    pls_context *context;
    pls_device *device;
    json_t *checks, *ceilings, *timings;
    int made, failed;
} check_run;

/* results.c: records a check and takes its details (an object, or NULL); a failure is also said on
 * stderr, with the reason if there is one. */
void record_check(check_run *run, const char *section, const char *name, bool passed,
                  json_t *details, const char *reason);
/* The same for a check that an error of the library has ended. */
void record_error(check_run *run, const char *section, const char *name);
/* A number for JSON, which has neither NaN nor infinity: these become null. */
json_t *json_number(double value);
/* Facts, checks, ceilings and timings as one file. */
pls_status write_results(check_run *run, const char *path);

/* The sections; each says in one line on stdout what came out. */
void check_conformance(check_run *run);
void check_reference(check_run *run);
void check_agreement(check_run *run);
void check_benchmark(check_run *run);

#endif
