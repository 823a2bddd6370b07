/* The slopes of a study, beside what the theory expects of them. */
#ifndef PLSTAR_REPORT_SLOPES_H
#define PLSTAR_REPORT_SLOPES_H

#include "report/figures.h"
#include "report/run.h"
#include "report/text.h"

#define PLS_STEP_UNIT 1e-3 /* tables have step sizes in thousandths of 2/lambda_max(K_0) */

/* A power of the width that the theory names: y ~ x^slope, times sqrt(log x) where there is a log
 * factor. */
typedef struct pls_theory_slope {
    double slope;
    bool log_factor;
} pls_theory_slope;

/* What the theory says of a quantity along the width, of the networks that are like those of a row
 * of study.csv; false where it says nothing. */
bool pls_slopes_expected(const pls_report_run *run, const char *quantity, int64_t row,
                         pls_theory_slope *expected);

/* "output swish", "step size 0.5", "no bottleneck". */
void pls_place_describe(const char *axis, const char *value, char text[PLS_LABEL_SIZE]);

/* A slope as people write it, with so many decimals. */
void pls_slope_append(pls_text *text, double value, int decimals);

/* "output swish, bottleneck 4": of which networks a fit is, if the study has several kinds; else
 * nothing, and false. */
bool pls_slope_group_append(pls_text *text, const pls_report_run *run, int64_t row,
                            const char *before, const char *after);

/* How many slopes the theory speaks of, and how many of them meet it. */
void pls_slopes_count(const pls_report_run *run, int64_t *spoken_of, int64_t *met);

/* The table of the slopes that the theory speaks of, and that of the others. */
void pls_verdicts_append(pls_text *page, const pls_report_run *run);
void pls_other_slopes_append(pls_text *page, const pls_report_run *run);

#endif
