/* Running gnuplot. */
#ifndef PLSTAR_REPORT_GNUPLOT_H
#define PLSTAR_REPORT_GNUPLOT_H

#include "base/error.h"

enum { PLS_GNUPLOT_REASON_SIZE = 320 };

typedef enum pls_gnuplot_outcome {
    PLS_GNUPLOT_DONE,
    PLS_GNUPLOT_MISSING, /* the program cannot be started: no use in asking again */
    PLS_GNUPLOT_FAILED
} pls_gnuplot_outcome;

/* Runs `program script` (no shell; `program` is looked for on the PATH unless it has a slash) with
 * `folder` as gnuplot's folder and waits for at most `timeout_seconds`. `reason` gets a phrase when
 * it was not done: the system's reason, or what the program said. */
pls_gnuplot_outcome pls_gnuplot_run(const char *program, const char *folder, const char *script,
                                    int timeout_seconds, char reason[PLS_GNUPLOT_REASON_SIZE]);

#endif
