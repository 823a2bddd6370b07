/* Equal inputs: they make the tangent kernel singular. */
#ifndef PLSTAR_DATA_DUPLICATES_H
#define PLSTAR_DATA_DUPLICATES_H

#include "base/error.h"

#include <stdint.h>

/* *duplicates = inputs equal to an earlier one; pair = {earlier, later} of the first of them (by
 * the later one), both 0 without any. inputs: samples x dimension, finite. */
pls_status pls_find_duplicates(pls_context *context, const double *inputs, int64_t samples,
                               int64_t dimension, int64_t *duplicates, int64_t pair[2]);

#endif
