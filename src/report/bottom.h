/* The section of the page about what sets mu. */
#ifndef PLSTAR_REPORT_BOTTOM_H
#define PLSTAR_REPORT_BOTTOM_H

#include "report/run.h"
#include "report/text.h"

/* The keys of the summary that it is made of. */
#define PLS_BOTTOM_KEY "bottom_eigenvector"
#define PLS_BOTTOM_INITIAL_KEY "bottom_eigenvector_initial"

/* Appends the section; nothing where the run told no shares. */
void pls_bottom_append(pls_text *page, const pls_report_run *run);

#endif
