/* The path of a search in the plane: path.csv of a system with two unknowns. */
#ifndef PLSTAR_REPORT_PATH_FIGURE_H
#define PLSTAR_REPORT_PATH_FIGURE_H

#include "report/figures.h"

/* Composes the figure; it stays without blocks where the run has no path.csv. Errors:
 * PLS_ERROR_DATA (file and line), PLS_ERROR_MEMORY. */
pls_status pls_path_figure_compose(pls_context *context, const pls_report_run *run,
                                   pls_figure *figure);

#endif
