/* gnuplot's SVG files made fit for the inside of a page. */
#ifndef PLSTAR_REPORT_DRAWING_H
#define PLSTAR_REPORT_DRAWING_H

#include "report/text.h"

/* Appends the SVG in `bytes` as an inline element: without prologue, namespaces, title and fixed
 * font; ids made unique by `name`; black and grey follow currentColor; colours written "#RRGGBB",
 * so that a style sheet can replace them. `label` (plain text) is what a screen reader says.
 * Returns false, with nothing appended, if the bytes are not a whole SVG file. */
bool pls_drawing_append(pls_text *text, const char *bytes, int64_t size, const char *name,
                        const char *label);

#endif
