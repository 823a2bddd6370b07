/* The slopes of a study; see slopes.h. A row of fits.csv has the axes of its networks in columns of
 * their names, but for the one that the fit goes along. */
#include "report/slopes.h"

#include "plstar/study.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char log_ending[] = "_log";

static const char *word(const pls_table *table, int64_t row, const char *head) {
    return pls_table_word(table, row, pls_table_column(table, head));
}

static double number(const pls_table *table, int64_t row, const char *head) {
    return pls_table_number(table, row, pls_table_column(table, head));
}

static bool has_log_factor(const char *quantity) {
    size_t length = strlen(quantity), ending = sizeof log_ending - 1;
    return length > ending && strcmp(quantity + length - ending, log_ending) == 0;
}

static size_t plain_length(const char *quantity) {
    return strlen(quantity) - (has_log_factor(quantity) ? sizeof log_ending - 1 : 0);
}

static bool is_expected(const pls_table *fits, int64_t row) {
    return *word(fits, row, "verdict") != '\0';
}

static bool varies(const pls_report_run *run, const char *axis) {
    return pls_table_varies(&run->study, pls_table_column(&run->study, axis));
}

/* Whether a fit was made over networks like that of a row of study.csv. */
static bool is_of(const pls_report_run *run, int64_t fit, int64_t row) {
    const char *against = word(&run->fits, fit, "against");
    for (int a = 0; a < PLS_AXIS_SEED; a++) {
        const char *axis = pls_axis_name((pls_axis_kind)a);
        if (strcmp(axis, against) != 0 &&
            strcmp(word(&run->fits, fit, axis), word(&run->study, row, axis)) != 0) {
            return false;
        }
    }
    return true;
}

bool pls_slopes_expected(const pls_report_run *run, const char *quantity, int64_t row,
                         pls_theory_slope *expected) {
    const char *along = pls_axis_name(PLS_AXIS_WIDTH);
    for (int64_t i = 0; i < run->fits.rows; i++) {
        const char *name = word(&run->fits, i, "quantity"), *text = word(&run->fits, i, "expected");
        size_t length = plain_length(name);
        if (*text != '\0' && strlen(quantity) == length && strncmp(name, quantity, length) == 0 &&
            strcmp(word(&run->fits, i, "against"), along) == 0 && is_of(run, i, row)) {
            expected->slope = *text == '|' ? 0.0 : atof(text + strcspn(text, "-0123456789"));
            expected->log_factor = has_log_factor(name);
            return true;
        }
    }
    return false;
}

void pls_slopes_count(const pls_report_run *run, int64_t *spoken_of, int64_t *met) {
    *spoken_of = *met = 0;
    for (int64_t i = 0; i < run->fits.rows; i++) {
        *spoken_of += is_expected(&run->fits, i);
        *met += strcmp(word(&run->fits, i, "verdict"), "holds") == 0;
    }
}

/* ---- words -------------------------------------------------------------------------------------
 */

void pls_place_describe(const char *axis, const char *value, char text[PLS_LABEL_SIZE]) {
    if (strcmp(axis, "step") == 0) {
        snprintf(text, PLS_LABEL_SIZE, "step size %g", PLS_STEP_UNIT * strtod(value, NULL));
    } else if (strcmp(axis, "bottleneck") == 0 && strcmp(value, "0") == 0) {
        snprintf(text, PLS_LABEL_SIZE, "no bottleneck");
    } else {
        snprintf(text, PLS_LABEL_SIZE, "%s %s", axis, value);
    }
}

void pls_slope_append(pls_text *text, double value, int decimals) {
    char digits[PLS_NUMBER_SIZE];
    snprintf(digits, sizeof digits, "%.*f", decimals, fabs(value));
    bool is_zero = strtod(digits, NULL) == 0.0;
    pls_text_format(text, "%s%s", value < 0.0 && !is_zero ? "−" : "", digits);
}

bool pls_slope_group_append(pls_text *text, const pls_report_run *run, int64_t row,
                            const char *before, const char *after) {
    bool any = false;
    for (int a = 0; a < PLS_AXIS_SEED; a++) {
        const char *axis = pls_axis_name((pls_axis_kind)a), *value = word(&run->fits, row, axis);
        if (*value != '\0' && varies(run, axis)) {
            char one[PLS_LABEL_SIZE];
            pls_place_describe(axis, value, one);
            pls_text_append(text, any ? ", " : before);
            pls_text_escape(text, one, (int64_t)strlen(one));
            any = true;
        }
    }
    pls_text_append(text, any ? after : "");
    return any;
}

/* ---- tables ------------------------------------------------------------------------------------
 */

static void escape(pls_text *page, const char *text) {
    pls_text_escape(page, text, (int64_t)strlen(text));
}

static void append_quantity(pls_text *page, const char *quantity) {
    size_t length = plain_length(quantity);
    pls_text_append(page, "<tr><th scope=\"row\"><code>");
    escape(page, quantity);
    pls_text_append(page, "</code><small>");
    for (int q = 0; q < PLS_QUANTITY_COUNT; q++) {
        const char *name = pls_quantity_name((pls_quantity)q);
        if (strlen(name) == length && strncmp(name, quantity, length) == 0) {
            pls_text_formula(page, pls_quantity_meaning((pls_quantity)q));
        }
    }
    pls_text_append(page, has_log_factor(quantity) ? ", divided by √log&nbsp;m" : "");
    pls_text_append(page, "</small></th>");
}

static void append_networks(pls_text *page, const pls_report_run *run, int64_t row) {
    pls_text_append(page, "<td data-label=\"Against\">");
    escape(page, word(&run->fits, row, "against"));
    pls_text_append(page, "</td><td data-label=\"Of networks with\">");
    bool any = pls_slope_group_append(page, run, row, "", "");
    pls_text_append(page, any ? "</td>" : "–</td>");
}

static void append_interval(pls_text *page, const pls_table *fits, int64_t row) {
    double low = number(fits, row, "low"), high = number(fits, row, "high");
    pls_text_append(page, "<td data-label=\"Slope\">");
    pls_slope_append(page, number(fits, row, "slope"), 3);
    pls_text_append(page, "</td><td data-label=\"Interval\">");
    if (isnan(low)) {
        pls_text_append(page, "–</td>");
        return;
    }
    pls_text_append(page, "[");
    pls_slope_append(page, low, 3);
    pls_text_append(page, ",&nbsp;");
    pls_slope_append(page, high, 3);
    pls_text_append(page, "]</td>");
}

static void append_verdict(pls_text *page, const pls_table *fits, int64_t row) {
    const char *verdict = word(fits, row, "verdict");
    pls_text_append(page, "<td data-label=\"Expected\">");
    pls_text_formula(page, word(fits, row, "expected"));
    const char *style = strcmp(verdict, "holds") == 0      ? "holds"
                        : strcmp(verdict, "violated") == 0 ? "violated"
                                                           : "silent";
    pls_text_format(page, "</td><td class=\"%s\" data-label=\"Verdict\">", style);
    escape(page, verdict);
    pls_text_append(page, "</td>");
}

/* Of the slopes with a verdict, or of those without. */
static void append_table(pls_text *page, const pls_report_run *run, bool verdicts) {
    const pls_table *fits = &run->fits;
    pls_text_append(page, "<div class=\"wide\"><table class=\"claims\"><thead><tr>"
                          "<th scope=\"col\">Quantity</th><th scope=\"col\">Against</th>"
                          "<th scope=\"col\">Of networks with</th>"
                          "<th scope=\"col\">Slope</th><th scope=\"col\">Interval</th>");
    pls_text_append(page, verdicts ? "<th scope=\"col\">Expected</th><th scope=\"col\">Verdict</th>"
                                   : "");
    pls_text_append(page, "</tr></thead><tbody>\n");
    for (int64_t i = 0; i < fits->rows; i++) {
        if (is_expected(fits, i) != verdicts || isnan(number(fits, i, "slope"))) {
            continue;
        }
        append_quantity(page, word(fits, i, "quantity"));
        append_networks(page, run, i);
        append_interval(page, fits, i);
        if (verdicts) {
            append_verdict(page, fits, i);
        }
        pls_text_append(page, "</tr>\n");
    }
    pls_text_append(page, "</tbody></table></div>\n");
    if (varies(run, pls_axis_name(PLS_AXIS_STEP))) {
        pls_text_append(page, "<p><small>Step sizes are in units of 2 / <i>λ</i><sub>max</sub>"
                              "(<i>K</i><sub>0</sub>).</small></p>\n");
    }
}

void pls_verdicts_append(pls_text *page, const pls_report_run *run) {
    int64_t spoken_of, met;
    pls_slopes_count(run, &spoken_of, &met);
    if (spoken_of == 0) {
        return;
    }
    pls_text_append(page, "<section><h2>Verdicts</h2>\n");
    append_table(page, run, true);
    pls_text_append(page,
                    "<p><small>Powers fitted to logarithms by weighted least squares, with 95 % "
                    "bootstrap intervals. The theory gives upper bounds up to logarithms, so that "
                    "a slope may be steeper; it <b>holds</b> where the interval reaches what is "
                    "expected, and is <b>undecided</b> where the interval reaches what would "
                    "refute it as well.</small></p></section>\n");
}

void pls_other_slopes_append(pls_text *page, const pls_report_run *run) {
    bool there = false;
    for (int64_t i = 0; i < run->fits.rows && !there; i++) {
        there = !is_expected(&run->fits, i) && !isnan(number(&run->fits, i, "slope"));
    }
    if (there) {
        pls_text_append(page, "<section><h2>Other slopes</h2>\n<details><summary>Of which the "
                              "theory says nothing, or nothing for so few networks</summary>\n");
        append_table(page, run, false);
        pls_text_append(page, "</details></section>\n");
    }
}
