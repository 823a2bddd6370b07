/* Samples that are pictures, inside a page. */
#ifndef PLSTAR_REPORT_PICTURE_H
#define PLSTAR_REPORT_PICTURE_H

#include "report/text.h"

/* Channels (1 grey, 3 red, green, blue), rows and columns. */
typedef struct pls_picture_shape {
    int64_t channels, height, width;
} pls_picture_shape;

/* Whether a page can show pictures of that shape: grey or coloured, and of a size for a page. */
bool pls_picture_is_shown(pls_picture_shape shape);

/* Appends a picture as a data URI, "data:image/png;base64,...", so that the page needs no file.
 * values: channels x height x width, in any units: the picture's own smallest value becomes black
 * and its largest white. */
void pls_picture_append(pls_text *text, pls_picture_shape shape, const double *values);

#endif
