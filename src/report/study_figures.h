/* Figures of a study's page. */
#ifndef PLSTAR_REPORT_STUDY_FIGURES_H
#define PLSTAR_REPORT_STUDY_FIGURES_H

#include "report/figures.h"

/* Composes the figure of quantity number `index` (of pls_quantity); one with nothing to show keeps
 * no block. Title, script and caption as for all figures. */
pls_status pls_study_figure_compose(pls_context *context, const pls_report_run *run, int index,
                                    pls_figure *figure);

/* A sentence or two. */
void pls_study_verdict(pls_text *text, const pls_report_run *run);

#endif
