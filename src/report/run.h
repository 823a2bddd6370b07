/* The folder of a run, read: what a report is made of. */
#ifndef PLSTAR_REPORT_RUN_H
#define PLSTAR_REPORT_RUN_H

#include "report/metrics.h"
#include "report/table.h"

#include <jansson.h>

typedef struct pls_report_run {
    const char *folder;
    json_t *summary; /* an object */
    bool is_train;   /* a run with steps: train or solve */
    bool is_solve;   /* of these, one on a system of equations */
    json_t *claims;  /* of an audit, an array; NULL of other runs */
    bool is_study;
    pls_table study, fits; /* of a study, else empty */
    pls_metrics metrics;   /* of a train run, else empty */
    char *config;          /* config.yaml */
    int64_t config_size;
    double *spectrum, *initial_spectrum; /* ascending; NULL if not there */
    int64_t spectrum_size, initial_spectrum_size;
    double *pictures; /* of the samples that set mu, as the summary lists them; NULL if not there */
    int64_t picture_count, picture_shape[3]; /* channels, height, width */
} pls_report_run;

/* *run must be zeroed; `folder` must outlive it. Errors: PLS_ERROR_FILE, PLS_ERROR_DATA,
 * PLS_ERROR_MEMORY; then nothing is owned. */
pls_status pls_report_run_read(pls_context *context, const char *folder, pls_report_run *run);
void pls_report_run_release(pls_context *context, pls_report_run *run);

/* A number of the summary; NaN if it is missing, null or no number. */
double pls_report_number(const pls_report_run *run, const char *key);
/* A string of the summary; NULL if it is missing or no string. */
const char *pls_report_string(const pls_report_run *run, const char *key);

/* Whether an eigenvalue cannot be told from zero: at or below its floor (NaN = not known), or
 * not positive. */
bool pls_below_floor(double eigenvalue, double floor_value);

/* The whole of folder/name in memory (with a closing zero). A missing file is PLS_ERROR_FILE. */
pls_status pls_report_read_file(pls_context *context, const char *folder, const char *name,
                                char **bytes, int64_t *size);

#endif
