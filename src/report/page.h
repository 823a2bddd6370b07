/* The page report.html. */
#ifndef PLSTAR_REPORT_PAGE_H
#define PLSTAR_REPORT_PAGE_H

#include "report/figures.h"

/* Composes the page. `undrawn` is NULL, or a phrase that says why figures could not be drawn. */
void pls_page_compose(pls_text *page, const pls_report_run *run, const pls_report_facts *facts,
                      const pls_figures *figures, const char *undrawn);

#endif
