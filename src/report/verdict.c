/* The verdict, clause by clause; a clause whose numbers are missing is left out. */
#include "report/verdict.h"

#include "report/figures.h"

#include <math.h>
#include <string.h>

#define LAMBDA_MIN "<i>λ</i><sub>min</sub>"
#define LAMBDA_MAX "<i>λ</i><sub>max</sub>"

/* "3.104 ± 0.002" where the interval is known and clear of the floor. */
static void append_mu(pls_text *text, const pls_report_facts *facts) {
    char number[PLS_NUMBER_SIZE];
    double half = fmax(facts->mu - facts->mu_lower, facts->mu_upper - facts->mu);
    if (!(half > 0.0) || isnan(facts->mu_lower) || isnan(facts->mu_upper)) {
        pls_text_number(text, facts->mu);
        return;
    }
    int digits = (int)fmin(fmax(ceil(log10(facts->mu / half)) + 1.0, 4.0), 12.0);
    pls_text_append(text, pls_number(facts->mu, digits, PLS_ROUND_NEAREST, number));
    pls_text_format(text, "&nbsp;±&nbsp;%s", pls_number(half, 2, PLS_ROUND_UP, number));
}

static void append_steps(pls_text *text, double steps, const char *word) {
    pls_text_integer(text, steps);
    pls_text_format(text, " %s%s", word, steps == 1.0 ? "" : "s");
}

/* How the run ended, then how the loss moved. */
static void append_loss(pls_text *text, const pls_report_run *run, const pls_report_facts *facts) {
    const char *stopped = pls_report_string(run, "stopped");
    bool interrupted = stopped != NULL && strcmp(stopped, "interrupted") == 0;
    bool diverged = stopped != NULL && strcmp(stopped, "diverged") == 0;
    if (interrupted || diverged) {
        pls_text_format(text, "The run %s after ", diverged ? "diverged" : "was interrupted");
        append_steps(text, facts->steps, "step");
        pls_text_append(text, diverged ? "; the loss " : "; until then the loss ");
    } else {
        pls_text_append(text, "The loss ");
    }
    double factor = facts->initial_loss / facts->loss;
    bool counted = interrupted || diverged; /* the steps have been said */
    if (facts->loss == 0.0 && facts->initial_loss > 0.0) {
        pls_text_append(text, "fell to exactly 0");
    } else if (!(factor > 0.0) || !isfinite(factor)) {
        if (!counted) {
            pls_text_append(text, "after ");
            append_steps(text, facts->steps, "step");
            pls_text_append(text, " ");
            counted = true;
        }
        pls_text_append(text, "is ");
        if (isnan(facts->loss)) {
            pls_text_append(text, "not known");
        } else {
            pls_text_number(text, facts->loss);
        }
    } else if (fabs(factor - 1.0) < 5e-4) {
        pls_text_append(text, "stayed where it was, at ");
        pls_text_number(text, facts->loss);
    } else {
        char number[PLS_NUMBER_SIZE];
        bool fell = factor > 1.0;
        double size = fell ? factor : 1.0 / factor;
        pls_text_format(text, "%s by a factor of %s", fell ? "fell" : "rose",
                        pls_number(size, size < 2.0 ? 4 : 2, PLS_ROUND_NEAREST, number));
    }
    if (!counted) {
        pls_text_append(text, " in ");
        append_steps(text, facts->steps, "step");
    }
}

/* "at all 41 measured steps", "at the one measured step" */
static void append_where(pls_text *text, int64_t measured) {
    if (measured == 1) {
        pls_text_append(text, "at the one measured step");
    } else {
        pls_text_append(text, "at all ");
        pls_text_integer(text, (double)measured);
        pls_text_append(text, " measured steps");
    }
}

static void append_train(pls_text *text, const pls_report_run *run, const pls_report_facts *facts) {
    append_loss(text, run, facts);
    bool has_mu = !isnan(facts->mu);
    bool mu_is_zero = has_mu && pls_below_floor(facts->mu, facts->mu_floor);
    if (mu_is_zero) {
        pls_text_append(text, "; μ could not be told from zero");
        if (facts->mu_measured > 1) {
            pls_text_append(text, " at ");
            pls_text_integer(text, (double)facts->mu_below_floor);
            pls_text_append(text, " of ");
            pls_text_integer(text, (double)facts->mu_measured);
            pls_text_append(text, " measured steps");
        }
    } else if (has_mu) {
        pls_text_append(text, "; μ stayed at or above ");
        append_mu(text, facts);
    }
    if (facts->ratio_checked == 0) {
        if (has_mu && !mu_is_zero && facts->mu_measured > 0) {
            pls_text_append(text, " ");
            append_where(text, facts->mu_measured);
        }
        pls_text_append(text, ".");
        return;
    }
    pls_text_append(text, has_mu ? ", and the PL ratio " : "; the PL ratio ");
    if (facts->ratio_outside == 0) {
        pls_text_append(text, "stayed between " LAMBDA_MIN " and " LAMBDA_MAX " ");
        append_where(text, facts->ratio_checked);
    } else {
        pls_text_append(text, "left the range from " LAMBDA_MIN " to " LAMBDA_MAX " at ");
        pls_text_integer(text, (double)facts->ratio_outside);
        pls_text_append(text, " of ");
        pls_text_integer(text, (double)facts->ratio_checked);
        pls_text_append(text, " measured steps, which cannot be: one of the numbers is wrong");
    }
    pls_text_append(text, ".");
}

static void append_kernel(pls_text *text, const pls_report_run *run,
                          const pls_report_facts *facts) {
    if (isnan(facts->mu)) {
        pls_text_append(text, "The run measured no smallest eigenvalue of the tangent kernel.");
        return;
    }
    if (pls_below_floor(facts->mu, facts->mu_floor)) {
        pls_text_append(text, "At this point the smallest eigenvalue of the tangent kernel is ");
        pls_text_eigenvalue(text, facts->mu, facts->mu_floor);
        pls_text_append(text, ": in this precision the kernel cannot be told from a singular one");
    } else {
        pls_text_append(text, "At this point the tangent kernel is positive definite: μ = ");
        append_mu(text, facts);
        double condition = pls_report_number(run, "condition_number");
        if (!isnan(condition)) {
            pls_text_append(text, " with condition number ");
            pls_text_number(text, condition);
        }
    }
    if (facts->ratio_checked > 0) {
        pls_text_append(text, facts->ratio_outside == 0
                                  ? ", and the PL ratio lies between " LAMBDA_MIN " and " LAMBDA_MAX
                                  : ", but the PL ratio lies outside the range from " LAMBDA_MIN
                                    " to " LAMBDA_MAX
                                    ", which cannot be: one of the numbers is wrong");
    }
    pls_text_append(text, ".");
}

void pls_verdict_append(pls_text *text, const pls_report_run *run, const pls_report_facts *facts) {
    if (run->is_train) {
        append_train(text, run, facts);
    } else {
        append_kernel(text, run, facts);
    }
}
