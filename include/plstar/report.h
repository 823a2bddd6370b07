/* Reports: the folder of a run as one page for people, with figures that can be drawn again. */
#ifndef PLSTAR_REPORT_H
#define PLSTAR_REPORT_H

#include "plstar/context.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct pls_report_options {
    const char *gnuplot; /* program that draws the figures; NULL = "gnuplot" on the PATH */
    int timeout_seconds; /* for one figure; 0 = 30 */
} pls_report_options;

/* gnuplot = NULL, timeout_seconds = 30. */
pls_report_options pls_report_options_defaults(void);

/* Turns the folder of a finished or interrupted run (train, solve, kernel, audit, study) into
 *     report.html      one page that needs nothing else: no script, no request to anywhere
 *     figures/X.dat    what figure X shows, as columns of text
 *     figures/X.gp     the gnuplot script that draws it (`gnuplot figures/X.gp` in the folder)
 *     figures/X.svg    the figure
 * with X of loss, mu, pl_ratio, distance, kernel_change, spectrum, or a quantity of a study; a
 * figure with nothing to show is left out. Read are summary.json and config.yaml; metrics.csv of a
 * train run; claims.json of an audit; study.csv and fits.csv of a study; and where they are there
 * eigenvalues.npy and eigenvalues_initial.npy. options may be NULL.
 *
 * A gnuplot that is missing or fails is a warning in the log, not an error: the page then shows
 * the numbers and says how to draw the figures. The hook `cancelled` is not asked, so that an
 * interrupted run can still be reported.
 * Errors: PLS_ERROR_FILE (a file that is missing or cannot be read or written), PLS_ERROR_DATA
 * (malformed, with file and line), PLS_ERROR_MEMORY, PLS_ERROR_ARGUMENT. On error a former
 * report.html is untouched. */
pls_status pls_report_write(pls_context *context, const char *folder,
                            const pls_report_options *options);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
