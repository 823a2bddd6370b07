/* The verdict table: what was claimed, both sides of it, and what they rest on. */
#include "report/claims.h"

#include <math.h>
#include <string.h>

static const char *word(const json_t *claim, const char *key) {
    const char *text = json_string_value(json_object_get(claim, key));
    return text != NULL ? text : "";
}

static double number(const json_t *claim, const char *key) {
    const json_t *value = json_object_get(claim, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void escape(pls_text *page, const char *text) {
    pls_text_escape(page, text, (int64_t)strlen(text));
}

static void append_number(pls_text *page, double value) {
    if (isnan(value)) {
        pls_text_append(page, "–");
    } else {
        pls_text_number(page, value);
    }
}

/* "not applicable: why" without the why, which is the detail as well. */
static int verdict_length(const json_t *claim) {
    return (int)strcspn(word(claim, "verdict"), ":");
}

static bool is_found(const json_t *claim, const char *verdict) {
    size_t length = strlen(verdict);
    return verdict_length(claim) == (int)length &&
           strncmp(word(claim, "verdict"), verdict, length) == 0;
}

static int64_t count(const pls_report_run *run, const char *verdict) {
    int64_t found = 0;
    for (size_t i = 0; i < json_array_size(run->claims); i++) {
        found += is_found(json_array_get(run->claims, i), verdict);
    }
    return found;
}

static int64_t violated_laws(const pls_report_run *run) {
    int64_t found = 0;
    for (size_t i = 0; i < json_array_size(run->claims); i++) {
        const json_t *claim = json_array_get(run->claims, i);
        found += strcmp(word(claim, "kind"), "law") == 0 && is_found(claim, "violated");
    }
    return found;
}

/* Whether the numbers agree with the claim, but by less than they are known to. */
static bool is_within_error(const json_t *claim) {
    return is_found(claim, "holds") && number(claim, "margin") < number(claim, "error");
}

static int64_t slopes_within_error(const pls_report_run *run) {
    int64_t found = 0;
    for (size_t i = 0; i < json_array_size(run->claims); i++) {
        const json_t *claim = json_array_get(run->claims, i);
        found += strcmp(word(claim, "kind"), "scaling") == 0 && is_within_error(claim);
    }
    return found;
}

static void say_what_was_audited(pls_text *text, const pls_report_run *run) {
    double samples = pls_report_number(run, "audited_samples");
    double equations = pls_report_number(run, "audited_equations");
    if (isnan(samples) || isnan(equations) || pls_report_string(run, "data") == NULL) {
        return;
    }
    pls_text_append(text, " Audited on the first ");
    pls_text_integer(text, samples);
    pls_text_append(text, samples == 1.0 ? " sample, " : " samples, ");
    pls_text_integer(text, equations);
    pls_text_append(text, equations == 1.0 ? " equation, in float64." : " equations, in float64.");
}

void pls_claims_verdict(pls_text *text, const pls_report_run *run) {
    int64_t holds = count(run, "holds"), violated = count(run, "violated");
    int64_t silent = count(run, "not applicable"), laws = violated_laws(run);
    pls_text_format(text, "Of %lld claims of the theory %lld %s",
                    (long long)json_array_size(run->claims), (long long)holds,
                    holds == 1 ? "holds" : "hold");
    if (violated > 0) {
        pls_text_format(text, ", %lld %s violated", (long long)violated,
                        violated == 1 ? "is" : "are");
    }
    if (silent > 0) {
        pls_text_format(text, ", %lld %s not apply here", (long long)silent,
                        silent == 1 ? "does" : "do");
    }
    int64_t slopes = slopes_within_error(run);
    if (slopes > 0) {
        pls_text_format(text,
                        "; the slope%s of %lld of them %s no more than compatible with the "
                        "bound: the interval reaches beyond it",
                        slopes == 1 ? "" : "s", (long long)slopes, slopes == 1 ? "is" : "are");
    }
    pls_text_append(text, laws == 0 ? ". No law is violated beyond the numerical error."
                                    : ". <strong>A law is violated beyond the numerical error: a "
                                      "premise is false, or this program is wrong.</strong>");
    say_what_was_audited(text, run);
}

static void append_constants(pls_text *page, const json_t *list) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *constant = json_array_get(list, i);
        pls_text_append(page, i == 0 ? "<br>" : ", ");
        pls_text_formula(page, word(constant, "name"));
        pls_text_append(page, "&nbsp;=&nbsp;");
        append_number(page, number(constant, "value"));
        pls_text_append(page, " (");
        escape(page, word(constant, "evidence"));
        pls_text_append(page, ")");
    }
}

static void append_row(pls_text *page, const json_t *claim) {
    const char *style = is_found(claim, "holds")      ? "holds"
                        : is_found(claim, "violated") ? "violated"
                                                      : "silent";
    bool applies = strcmp(style, "silent") != 0;
    pls_text_append(page, "<tr><th scope=\"row\">");
    escape(page, word(claim, "number"));
    pls_text_append(page, "</th><td>");
    pls_text_formula(page, word(claim, "title"));
    pls_text_append(page, "<small>");
    escape(page, word(claim, "kind"));
    if (applies) {
        pls_text_append(page, ": ");
        pls_text_formula(page, word(claim, "compared"));
    }
    pls_text_append(page, "<br>");
    pls_text_formula(page, word(claim, "detail"));
    append_constants(page, json_object_get(claim, "constants"));
    pls_text_format(page, "</small></td><td class=\"%s\" data-label=\"Verdict\">", style);
    pls_text_escape(page, word(claim, "verdict"), verdict_length(claim));
    pls_text_append(page, is_within_error(claim) ? "<small>within its error</small>" : "");
    pls_text_append(page, "</td><td data-label=\"Measured\">");
    append_number(page, number(claim, "measured"));
    pls_text_append(page, "</td><td data-label=\"Bound\">");
    if (applies) {
        pls_text_append(page, strcmp(word(claim, "relation"), ">=") == 0 ? "≥&nbsp;" : "≤&nbsp;");
    }
    append_number(page, number(claim, "bound"));
    pls_text_append(page, "</td><td data-label=\"Margin\">");
    append_number(page, number(claim, "margin"));
    pls_text_append(page, "</td><td data-label=\"Error\">");
    append_number(page, number(claim, "error"));
    pls_text_append(page, "</td></tr>\n");
}

void pls_claims_append(pls_text *page, const pls_report_run *run) {
    pls_text_append(page, "<section><h2>Verdicts</h2>\n<div class=\"wide\"><table class=\"claims\">"
                          "<thead><tr><th scope=\"col\">#</th><th scope=\"col\">Claim</th>"
                          "<th scope=\"col\">Verdict</th><th scope=\"col\">Measured</th>"
                          "<th scope=\"col\">Bound</th><th scope=\"col\">Margin</th>"
                          "<th scope=\"col\">Error</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < json_array_size(run->claims); i++) {
        append_row(page, json_array_get(run->claims, i));
    }
    pls_text_append(
        page,
        "</tbody></table></div>\n<p><small>A <b>law</b> is an inequality that holds exactly; "
        "a <b>scaling</b> an exponent over widths, with half its 95&nbsp;% interval as error; a "
        "<b>picture</b> a demonstration. Of all comparisons a claim makes, the row is the one "
        "of least margin relative to its bound. A claim is <b>violated</b> where the margin is "
        "below minus the error; it holds <b>within its error</b> where the margin is smaller than "
        "the error, so that the numbers agree with it and do not show more: equalities cannot hold "
        "otherwise. Constants are <b>exact</b>, <b>bounded</b> (proved to be at least as "
        "good) or <b>sampled</b> (the worst found at some points, so that the true one may be "
        "worse). Numbers have no units: data, weights and loss are dimensionless.</small></p>"
        "</section>\n");
}
