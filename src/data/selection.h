/* Which samples of a source make the data set, and which classes they have. */
#ifndef PLSTAR_DATA_SELECTION_H
#define PLSTAR_DATA_SELECTION_H

#include "data/source.h"

typedef struct pls_selection {
    int64_t count;
    pls_pick *picks;  /* count, rows ascending */
    int64_t *classes; /* class_count, in the order of the target columns; NULL without labels */
    int64_t class_count;
} pls_selection;

/* *selection is zeroed before; on error nothing is owned. Errors: PLS_ERROR_ARGUMENT. */
pls_status pls_select(pls_context *context, const pls_data_options *options,
                      const pls_source *source, pls_selection *selection);
void pls_selection_release(pls_context *context, pls_selection *selection);

/* "classes 0-9", "classes 3, 8" into `text` of `size` bytes, cut with "..." where it is long.
 * Returns `text`. */
const char *pls_format_classes(const int64_t *classes, int64_t count, char *text, size_t size);

#endif
