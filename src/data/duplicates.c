/* Equal inputs stand beside one another when the inputs are sorted: O(n log n) comparisons of d
 * numbers. */
#include "data/duplicates.h"

#include "base/memory.h"

#include <stdlib.h>

typedef struct entry {
    const double *input;
    int64_t dimension, index;
} entry;

static int compare_inputs(const entry *a, const entry *b) {
    for (int64_t j = 0; j < a->dimension; j++) {
        if (a->input[j] != b->input[j]) {
            return a->input[j] < b->input[j] ? -1 : 1;
        }
    }
    return 0;
}

/* Lexicographic, equal inputs in the order of the samples. */
static int compare_entries(const void *a, const void *b) {
    const entry *s = a, *t = b;
    const int order = compare_inputs(s, t);
    return order != 0 ? order : (s->index > t->index) - (s->index < t->index);
}

pls_status pls_find_duplicates(pls_context *context, const double *inputs, int64_t samples,
                               int64_t dimension, int64_t *duplicates, int64_t pair[2]) {
    entry *sorted = NULL;
    pls_status status =
        pls_allocate(context, samples, sizeof *sorted, "the order of the inputs", &sorted);
    if (status != PLS_OK) {
        return status;
    }
    for (int64_t i = 0; i < samples; i++) {
        sorted[i] = (entry){inputs + i * dimension, dimension, i};
    }
    qsort(sorted, (size_t)samples, sizeof *sorted, compare_entries);
    *duplicates = pair[0] = pair[1] = 0;
    int64_t first = 0; /* of the group of equal inputs */
    for (int64_t i = 1; i < samples; i++) {
        if (compare_inputs(&sorted[first], &sorted[i]) != 0) {
            first = i;
            continue;
        }
        if (*duplicates == 0 || sorted[i].index < pair[1]) {
            pair[0] = sorted[first].index;
            pair[1] = sorted[i].index;
        }
        ++*duplicates;
    }
    pls_release(context, sorted);
    return PLS_OK;
}
