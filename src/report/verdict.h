/* The verdict: one sentence that says in plain words what a run showed. */
#ifndef PLSTAR_REPORT_VERDICT_H
#define PLSTAR_REPORT_VERDICT_H

#include "report/facts.h"
#include "report/text.h"

/* Appends the sentence as HTML; it always ends with a full stop. */
void pls_verdict_append(pls_text *text, const pls_report_run *run, const pls_report_facts *facts);

#endif
