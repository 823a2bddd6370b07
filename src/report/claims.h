/* The verdict table of an audit's page. */
#ifndef PLSTAR_REPORT_CLAIMS_H
#define PLSTAR_REPORT_CLAIMS_H

#include "report/run.h"
#include "report/text.h"

/* A sentence: how many claims hold. */
void pls_claims_verdict(pls_text *text, const pls_report_run *run);

/* The table, a claim a row, from claims.json. */
void pls_claims_append(pls_text *page, const pls_report_run *run);

#endif
