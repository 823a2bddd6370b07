/* What sets mu: the samples, layers and outputs that carry the bottom eigenvector, as pictures and
 * bars. Everything comes from files and may be missing or of another type than expected. */
#include "report/bottom.h"

#include "report/picture.h"

#include <math.h>
#include <string.h>

enum { MOST_BARS = 10, MOST_TARGETS = 4 };

/* Samples below it are not worth a picture. */
static const double LEAST_SHARE = 0.001;

static double number_at(const json_t *list, size_t index) {
    const json_t *item = json_array_get(list, index);
    return json_is_number(item) ? json_number_value(item) : NAN;
}

/* "31.8 %"; small ones say no more than that they are. */
static void append_percent(pls_text *page, double share) {
    char number[PLS_NUMBER_SIZE];
    double percent = 100.0 * share;
    if (isnan(share)) {
        pls_text_append(page, "–");
    } else if (percent > 0.0 && percent < 0.1) {
        pls_text_append(page, "&lt; 0.1&nbsp;%");
    } else {
        int digits = percent >= 10.0 ? 3 : percent >= 1.0 ? 2 : 1;
        pls_text_format(page, "%s&nbsp;%%", pls_number(percent, digits, PLS_ROUND_NEAREST, number));
    }
}

static void append_bar(pls_text *page, double share, double longest) {
    double length = share > 0.0 && longest > 0.0 ? 100.0 * fmin(share / longest, 1.0) : 0.0;
    pls_text_format(page, "<td class=\"bar\"><i style=\"width:%.1f%%\"></i></td>", length);
}

/* ---- samples ----------------------------------------------------------------------------- */

/* "label 7", "target 0.25", "target (0.1, 0.9, …)"; nothing where it is not told. */
static void append_target(pls_text *page, const json_t *bottom, size_t which) {
    const json_t *label = json_array_get(json_object_get(bottom, "labels"), which);
    const json_t *target = json_array_get(json_object_get(bottom, "targets"), which);
    size_t count = json_array_size(target);
    if (json_is_number(label)) {
        pls_text_append(page, "label ");
        pls_text_number(page, json_number_value(label));
        return;
    }
    for (size_t a = 0; a < count && a < MOST_TARGETS; a++) {
        char number[PLS_NUMBER_SIZE];
        pls_text_append(page, a > 0 ? ", " : count > 1 ? "target (" : "target ");
        pls_text_append(page, pls_number(number_at(target, a), 3, PLS_ROUND_NEAREST, number));
    }
    pls_text_append(page, count > MOST_TARGETS ? ", …)" : count > 1 ? ")" : "");
}

static void append_sample_name(pls_text *page, const json_t *bottom, size_t which,
                               const char *between) {
    const json_t *sample = json_array_get(json_object_get(bottom, "samples"), which);
    pls_text_append(page, "sample ");
    pls_text_integer(page, number_at(sample, 0));
    if (json_is_number(json_array_get(json_object_get(bottom, "labels"), which)) ||
        json_array_size(json_array_get(json_object_get(bottom, "targets"), which)) > 0) {
        pls_text_append(page, between);
        append_target(page, bottom, which);
    }
}

static double sample_share(const json_t *bottom, size_t which) {
    return number_at(json_array_get(json_object_get(bottom, "samples"), which), 1);
}

static void append_pictures(pls_text *page, const pls_report_run *run, const json_t *bottom,
                            size_t count) {
    pls_picture_shape shape = {run->picture_shape[0], run->picture_shape[1], run->picture_shape[2]};
    int64_t size = shape.channels * shape.height * shape.width;
    pls_text_append(page, "<ol class=\"samples\">\n");
    for (size_t s = 0; s < count; s++) {
        pls_text_append(page, "<li><img alt=\"Picture of ");
        append_sample_name(page, bottom, s, ", ");
        pls_text_append(page, "\" src=\"");
        pls_picture_append(page, shape, run->pictures + (int64_t)s * size);
        pls_text_append(page, "\"><b>");
        append_percent(page, sample_share(bottom, s));
        pls_text_append(page, "</b> ");
        append_sample_name(page, bottom, s, "<br>");
        pls_text_append(page, "</li>\n");
    }
    pls_text_append(page, "</ol>\n");
}

static void append_sample_bars(pls_text *page, const json_t *bottom, size_t count) {
    pls_text_append(page, "<table class=\"values shares\"><tbody>\n");
    for (size_t s = 0; s < count; s++) {
        pls_text_append(page, "<tr><th scope=\"row\">");
        append_sample_name(page, bottom, s, ", ");
        pls_text_append(page, "</th><td>");
        append_percent(page, sample_share(bottom, s));
        pls_text_append(page, "</td>");
        append_bar(page, sample_share(bottom, s), sample_share(bottom, 0));
        pls_text_append(page, "</tr>\n");
    }
    pls_text_append(page, "</tbody></table>\n");
}

static void append_samples(pls_text *page, const pls_report_run *run, const json_t *bottom) {
    size_t all = json_array_size(json_object_get(bottom, "samples")), count = 0;
    while (count < all && count < MOST_BARS && sample_share(bottom, count) >= LEAST_SHARE) {
        count++;
    }
    if (count == 0) {
        return;
    }
    pls_text_append(page, "<h3>Samples with the largest shares</h3>\n");
    if (run->pictures != NULL && (size_t)run->picture_count >= count) {
        append_pictures(page, run, bottom, count);
    } else {
        append_sample_bars(page, bottom, count);
    }
}

/* ---- layers and outputs ------------------------------------------------------------------ */

/* A bar of the table: its name (from a file, or NULL for "output INDEX") and shares. */
typedef struct bar {
    const char *name;
    int64_t index;
    double share, initial; /* NaN where not told */
} bar;

static void append_bars(pls_text *page, const char *title, const bar *bars, int count,
                        bool has_initial) {
    double longest = 0.0;
    for (int i = 0; i < count; i++) {
        longest = fmax(longest, bars[i].share);
    }
    pls_text_format(page, "<div><h3>%s</h3>\n<table class=\"values shares\">", title);
    pls_text_append(page, has_initial ? "<thead><tr><td></td><th scope=\"col\">share</th><td></td>"
                                        "<th scope=\"col\">at the start</th></tr></thead>"
                                      : "");
    pls_text_append(page, "<tbody>\n");
    for (int i = 0; i < count; i++) {
        pls_text_append(page, "<tr><th scope=\"row\">");
        if (bars[i].name != NULL) {
            pls_text_escape(page, bars[i].name, (int64_t)strlen(bars[i].name));
        } else {
            pls_text_append(page, "output ");
            pls_text_integer(page, (double)bars[i].index);
        }
        pls_text_append(page, "</th><td>");
        append_percent(page, bars[i].share);
        pls_text_append(page, "</td>");
        append_bar(page, bars[i].share, longest);
        if (has_initial) {
            pls_text_append(page, "<td>");
            append_percent(page, bars[i].initial);
            pls_text_append(page, "</td>");
        }
        pls_text_append(page, "</tr>\n");
    }
    pls_text_append(page, "</tbody></table></div>\n");
}

/* Puts a bar among those that are kept, the largest first. */
static void keep_largest(bar *bars, int *count, bar added) {
    int place = *count;
    while (place > 0 && bars[place - 1].share < added.share) {
        place--;
    }
    if (place == MOST_BARS) {
        return;
    }
    *count += *count < MOST_BARS;
    memmove(bars + place + 1, bars + place, (size_t)(*count - 1 - place) * sizeof *bars);
    bars[place] = added;
}

static double layer_share(const json_t *bottom, const char *name) {
    const json_t *list = json_object_get(bottom, "layers");
    for (size_t l = 0; l < json_array_size(list); l++) {
        const json_t *layer = json_array_get(list, l);
        const char *this_name = json_string_value(json_object_get(layer, "name"));
        const json_t *share = json_object_get(layer, "share");
        if (this_name != NULL && strcmp(this_name, name) == 0 && json_is_number(share)) {
            return json_number_value(share);
        }
    }
    return NAN;
}

/* Layers in the order of the network if there are few, else the largest. */
static void append_layers(pls_text *page, const json_t *bottom, const json_t *initial) {
    const json_t *list = json_object_get(bottom, "layers");
    bar bars[MOST_BARS];
    int count = 0;
    for (size_t l = 0; l < json_array_size(list); l++) {
        const char *name = json_string_value(json_object_get(json_array_get(list, l), "name"));
        if (name == NULL) {
            continue;
        }
        bar added = {name, 0, layer_share(bottom, name), layer_share(initial, name)};
        if (json_array_size(list) <= MOST_BARS) {
            bars[count++] = added;
        } else {
            keep_largest(bars, &count, added);
        }
    }
    if (count > 1) {
        append_bars(page, count < (int)json_array_size(list) ? "Largest layers" : "Layers", bars,
                    count, initial != NULL);
    }
}

static void append_outputs(pls_text *page, const json_t *bottom, const json_t *initial) {
    const json_t *list = json_object_get(bottom, "outputs");
    const json_t *before = json_object_get(initial, "outputs");
    bar bars[MOST_BARS];
    int count = 0;
    for (size_t a = 0; a < json_array_size(list); a++) {
        if (!isnan(number_at(list, a))) {
            bar added = {NULL, (int64_t)a, number_at(list, a), number_at(before, a)};
            keep_largest(bars, &count, added);
        }
    }
    if (count > 1) {
        append_bars(page, count < (int)json_array_size(list) ? "Largest outputs" : "Outputs", bars,
                    count, initial != NULL);
    }
}

/* ---- the section ------------------------------------------------------------------------- */

static void append_doubts(pls_text *page, const pls_report_run *run, const json_t *bottom) {
    const json_t *gap = json_object_get(bottom, "gap");
    if (json_is_false(json_object_get(bottom, "determined"))) {
        pls_text_append(page, "<p class=\"remark\">Rounding may have turned this vector: the next "
                              "eigenvalue ");
        if (!json_is_number(gap)) {
            pls_text_append(page, "is not known. ");
        } else if (json_number_value(gap) <= pls_report_number(run, "kernel_floor")) {
            pls_text_append(page, "cannot be told from the smallest. ");
        } else {
            pls_text_append(page, "is only ");
            pls_text_number(page, json_number_value(gap));
            pls_text_append(page, " away. ");
        }
        pls_text_append(page, "The shares are those of one vector among the smallest "
                              "eigenvectors, not of a single one.</p>\n");
    }
    if (json_is_true(json_object_get(bottom, "below_floor"))) {
        pls_text_append(page,
                        "<p class=\"remark\"><i>λ</i><sub>min</sub> is below the floor of the "
                        "numerical error, so what layers contribute to it is rounding and is "
                        "not shown.</p>\n");
    }
}

void pls_bottom_append(pls_text *page, const pls_report_run *run) {
    const json_t *bottom = json_object_get(run->summary, PLS_BOTTOM_KEY);
    const json_t *initial = json_object_get(run->summary, PLS_BOTTOM_INITIAL_KEY);
    const json_t *step = json_object_get(bottom, "step");
    if (!json_is_object(bottom)) {
        return;
    }
    initial = json_is_object(initial) ? initial : NULL;
    pls_text_append(page,
                    "<section><h2>What sets μ</h2>\n"
                    "<p>μ = <i>v</i><sup>⊤</sup><i>K</i><i>v</i> for the unit eigenvector <i>v</i> "
                    "of the smallest eigenvalue, the combination of outputs that the weights can "
                    "move least and gradient descent fits last. The shares say what carries it");
    if (json_is_number(step)) {
        pls_text_append(page, " at step ");
        pls_text_integer(page, json_number_value(step));
    }
    const char *kernel = pls_report_string(run, "kernel");
    bool trace = kernel != NULL && strncmp(kernel, "trace", 5) == 0;
    pls_text_format(page,
                    ": samples%s by their parts of ‖<i>v</i>‖², %slayers by their parts of "
                    "<i>v</i><sup>⊤</sup><i>K</i><i>v</i>. Samples that share it between them look "
                    "alike to the network.</p>\n",
                    trace ? "" : " and outputs", trace ? "outputs and " : "");
    append_doubts(page, run, bottom);
    append_samples(page, run, bottom);
    pls_text_append(page, "<div class=\"pair\">");
    if (!json_is_true(json_object_get(bottom, "below_floor"))) {
        append_layers(page, bottom, initial);
    }
    append_outputs(page, bottom, initial);
    pls_text_append(page, "</div></section>\n");
}
