/* Selection: samples whose label is among the classes, in the order of the source; the first ones,
 * or, by a partial Fisher-Yates shuffle, ones drawn at random without replacement:
 *     for i = 0 .. n-1: exchange candidate i with candidate i + floor(u_i (m - i)). */
#include "data/selection.h"

#include "base/memory.h"
#include "base/philox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A class with its column, to be found by its label. */
typedef struct class_column {
    int64_t label, column;
} class_column;

static int compare_numbers(const void *a, const void *b) {
    const int64_t s = *(const int64_t *)a, t = *(const int64_t *)b;
    return (s > t) - (s < t);
}

/* The label is the first member. */
static int compare_labels(const void *a, const void *b) {
    return compare_numbers(&((const class_column *)a)->label, &((const class_column *)b)->label);
}

static int compare_rows(const void *a, const void *b) {
    return compare_numbers(&((const pls_pick *)a)->row, &((const pls_pick *)b)->row);
}

const char *pls_format_classes(const int64_t *classes, int64_t count, char *text, size_t size) {
    bool consecutive = count > 2;
    for (int64_t i = 1; i < count; i++) {
        consecutive = consecutive && classes[i] == classes[i - 1] + 1;
    }
    if (consecutive) {
        snprintf(text, size, "classes %lld-%lld", (long long)classes[0],
                 (long long)classes[count - 1]);
        return text;
    }
    size_t used = (size_t)snprintf(text, size, count == 1 ? "class" : "classes");
    for (int64_t i = 0; i < count; i++) {
        if (used + 32 > size) {
            snprintf(text + used, size - used, ", ...");
            break;
        }
        used += (size_t)snprintf(text + used, size - used, "%s %lld", i > 0 ? "," : "",
                                 (long long)classes[i]);
    }
    return text;
}

/* The labels that occur, ascending. */
static pls_status list_labels(pls_context *context, const pls_source *source, int64_t **labels,
                              int64_t *count) {
    pls_status status = pls_allocate(context, source->samples, sizeof **labels, "labels", labels);
    if (status != PLS_OK) {
        return status;
    }
    memcpy(*labels, source->labels, (size_t)source->samples * sizeof **labels);
    qsort(*labels, (size_t)source->samples, sizeof **labels, compare_numbers);
    *count = 0;
    for (int64_t i = 0; i < source->samples; i++) {
        if (i == 0 || (*labels)[i] != (*labels)[*count - 1]) {
            (*labels)[(*count)++] = (*labels)[i];
        }
    }
    return PLS_OK;
}

/* The classes of the options: each listed once and occurring in the source. */
static pls_status check_classes(pls_context *context, const pls_data_options *options,
                                const pls_source *source, const class_column *sorted,
                                const int64_t *occurring, int64_t occurring_count) {
    char text[256];
    for (int64_t i = 1; i < options->class_count; i++) {
        if (sorted[i].label == sorted[i - 1].label) {
            return pls_fail(context, PLS_ERROR_ARGUMENT,
                            "data.classes: class %lld is listed twice; each has one target column",
                            (long long)sorted[i].label);
        }
    }
    for (int64_t i = 0; i < options->class_count && !source->made_to_order; i++) {
        if (bsearch(&options->classes[i], occurring, (size_t)occurring_count, sizeof *occurring,
                    compare_numbers) == NULL) {
            return pls_fail(context, PLS_ERROR_ARGUMENT,
                            "data.classes: class %lld does not occur in the %s; there are %s",
                            (long long)options->classes[i], source->noun,
                            pls_format_classes(occurring, occurring_count, text, sizeof text));
        }
    }
    return PLS_OK;
}

/* The classes by column, and *sorted by label. */
static pls_status choose_classes(pls_context *context, const pls_data_options *options,
                                 const pls_source *source, pls_selection *selection,
                                 class_column **sorted) {
    pls_status status = PLS_OK;
    int64_t *occurring = NULL, occurring_count = 0;
    PLS_TRY(context, list_labels(context, source, &occurring, &occurring_count));
    int64_t count = options->class_count;
    if (count == 0) {
        count = source->made_to_order ? source->class_count : occurring_count;
    }
    PLS_TRY(context, pls_allocate(context, count, sizeof *selection->classes, "classes",
                                  &selection->classes));
    PLS_TRY(context, pls_allocate(context, count, sizeof **sorted, "classes", sorted));
    selection->class_count = count;
    for (int64_t i = 0; i < count; i++) {
        int64_t label = source->made_to_order ? i : i < occurring_count ? occurring[i] : 0;
        selection->classes[i] = options->class_count > 0 ? options->classes[i] : label;
        (*sorted)[i] = (class_column){selection->classes[i], i};
    }
    qsort(*sorted, (size_t)count, sizeof **sorted, compare_labels);
    PLS_TRY(context, check_classes(context, options, source, *sorted, occurring, occurring_count));
cleanup:
    pls_release(context, occurring);
    return status;
}

/* Exchanges candidates so that the first n are drawn at random. */
static void draw(pls_pick *candidates, int64_t count, int64_t n, uint64_t seed) {
    const pls_random_stream stream = {seed, PLS_RANDOM_SELECTION, 0};
    for (int64_t i = 0; i < n; i++) {
        int64_t other = i + pls_random_integer_at(stream, (uint64_t)i, count - i);
        pls_pick kept = candidates[i];
        candidates[i] = candidates[other];
        candidates[other] = kept;
    }
}

static pls_status too_few(pls_context *context, const pls_data_options *options,
                          const pls_source *source, int64_t available) {
    char asked[32], total[32], found[32], classes[256];
    pls_format_count(options->samples, asked);
    pls_format_count(source->samples, total);
    if (options->class_count == 0) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "data.samples: %s were asked for, but the source has %s (%s)", asked, total,
                        source->noun);
    }
    return pls_fail(
        context, PLS_ERROR_ARGUMENT,
        "data.samples: %s were asked for, but of the %s %s only %s are of the %s", asked, total,
        source->noun, pls_format_count(available, found),
        pls_format_classes(options->classes, options->class_count, classes, sizeof classes));
}

pls_status pls_select(pls_context *context, const pls_data_options *options,
                      const pls_source *source, pls_selection *selection) {
    pls_status status = PLS_OK;
    class_column *sorted = NULL;
    int64_t available = 0;
    memset(selection, 0, sizeof *selection);
    if (source->labels != NULL) {
        PLS_TRY(context, choose_classes(context, options, source, selection, &sorted));
    } else if (options->class_count > 0) {
        status = pls_fail(context, PLS_ERROR_ARGUMENT,
                          "data.classes: the %s have real targets, no classes to choose from",
                          source->noun);
        goto cleanup;
    }
    PLS_TRY(context, pls_allocate(context, source->samples, sizeof *selection->picks,
                                  "the selection", &selection->picks));
    for (int64_t row = 0; row < source->samples; row++) {
        const class_column *found = NULL;
        if (sorted != NULL) {
            found = bsearch(&source->labels[row], sorted, (size_t)selection->class_count,
                            sizeof *sorted, compare_labels);
        }
        if (sorted == NULL || found != NULL) {
            selection->picks[available++] =
                (pls_pick){.row = row, .column = found != NULL ? found->column : 0};
        }
    }
    if (options->samples > available) {
        status = too_few(context, options, source, available);
        goto cleanup;
    }
    selection->count = options->samples > 0 ? options->samples : available;
    if (options->shuffle) {
        draw(selection->picks, available, selection->count, options->seed);
    }
    for (int64_t i = 0; i < selection->count; i++) {
        selection->picks[i].position = i;
    }
    qsort(selection->picks, (size_t)selection->count, sizeof *selection->picks, compare_rows);
cleanup:
    pls_release(context, sorted);
    if (status != PLS_OK) {
        pls_selection_release(context, selection);
    }
    return status;
}

void pls_selection_release(pls_context *context, pls_selection *selection) {
    pls_release(context, selection->picks);
    pls_release(context, selection->classes);
    memset(selection, 0, sizeof *selection);
}
