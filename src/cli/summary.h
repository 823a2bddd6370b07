/* summary.json: what a run found, as one object. NaN and infinity are never written: they become
 * null, and a note says why. */
#ifndef PLSTAR_CLI_SUMMARY_H
#define PLSTAR_CLI_SUMMARY_H

#include "cli/experiment.h"

#include <jansson.h>

typedef struct summary {
    cli *program;
    json_t *object, *notes, *seconds;
    bool incomplete; /* memory ran out on the way */
} summary;

/* *made must be destroyed even on error. */
pls_status summary_create(cli *program, summary *made);
void summary_destroy(summary *made);

void summary_text(summary *made, const char *key, const char *text);
void summary_integer(summary *made, const char *key, int64_t number);
/* A number that is not finite is null and noted: "KEY is null because WHY". */
void summary_number(summary *made, const char *key, double number, const char *why);
/* Any JSON value, which is taken; NULL stands for memory that ran out. */
pls_status summary_object(summary *made, const char *key, json_t *item);
void summary_seconds(summary *made, const char *phase, double seconds);
void summary_note(summary *made, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* device_seconds: what the device spent on each phase that it passed through. */
pls_status summary_device_seconds(summary *made, pls_device *device);

/* Command, model, data, device, precision, versions; notes on equal inputs. */
void summary_describe(summary *made, const settings *all, const experiment *built);

/* The spectrum's keys, with a note where mu is not known. */
void summary_spectrum(summary *made, double lambda_min, double lower, double upper,
                      double lambda_max, double condition_number, double floor_value,
                      const char *why_missing);

/* Versions of the program and its libraries. */
json_t *summary_versions(void);

/* Writes folder/summary.json, and stdout with --json. */
pls_status summary_write(summary *made, const char *folder);

/* Prints a JSON value on stdout. */
pls_status summary_print(cli *program, const json_t *item);

#endif
