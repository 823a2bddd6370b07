/* Axes: ranges, ticks and their labels, written as gnuplot settings. */
#ifndef PLSTAR_REPORT_AXIS_H
#define PLSTAR_REPORT_AXIS_H

#include "report/text.h"

typedef struct pls_axis {
    bool logarithmic;
    bool whole;       /* only whole numbers get a tick */
    double low, high; /* of what was included; low > high while there is nothing */
} pls_axis;

pls_axis pls_axis_start(bool logarithmic);
/* Widens the axis to show a value; what it cannot show (NaN; not positive on a logarithmic axis)
 * is passed over. */
void pls_axis_include(pls_axis *axis, double value);
bool pls_axis_is_empty(const pls_axis *axis);
/* Adds the margins; `from_zero` keeps the low end of a linear axis at 0. */
void pls_axis_finish(pls_axis *axis, bool from_zero);

/* Appends range, ticks and title of a finished axis, `which` being 'x' or 'y'. */
void pls_axis_write(pls_text *script, const pls_axis *axis, char which, const char *title);

#endif
