/* Axes. Ticks are chosen here, not by gnuplot, so that their labels read alike in every figure:
 * linear axes step by 1, 2 or 5 times a power of ten; logarithmic ones show powers of ten, or
 * 1, 2, 5 times them over fewer than two decades, or linear steps over less than one. */
#include "report/axis.h"

#include <math.h>

enum { MOST_TICKS = 7 };

pls_axis pls_axis_start(bool logarithmic) {
    return (pls_axis){.logarithmic = logarithmic, .low = INFINITY, .high = -INFINITY};
}

void pls_axis_include(pls_axis *axis, double value) {
    /* sizes whose products with margins would leave the range of double are as good as these */
    value = fabs(value) < 1e-300 ? 0.0 : value;
    if (fabs(value) <= 1e300 && (value > 0.0 || !axis->logarithmic)) {
        axis->low = fmin(axis->low, value);
        axis->high = fmax(axis->high, value);
    }
}

bool pls_axis_is_empty(const pls_axis *axis) {
    return axis->low > axis->high;
}

void pls_axis_finish(pls_axis *axis, bool from_zero) {
    if (axis->logarithmic) {
        double margin = fmax(0.04 * (log(axis->high) - log(axis->low)), 0.02);
        axis->low = axis->low * exp(-fmin(margin, 10.0));
        axis->high = axis->high * exp(fmin(margin, 10.0));
        return;
    }
    if (from_zero) {
        axis->low = fmin(axis->low, 0.0);
        axis->high = fmax(axis->high, 0.0);
    }
    double margin = 0.06 * (axis->high - axis->low);
    if (!(margin > 0.0)) {
        margin = axis->high != 0.0 ? 0.1 * fabs(axis->high) : 1.0;
    }
    axis->high += axis->high == 0.0 && from_zero && axis->low < 0.0 ? 0.0 : margin;
    axis->low -= axis->low == 0.0 && from_zero ? 0.0 : margin;
}

/* Whether the labels are plain decimals rather than powers of ten. */
static bool is_plain(const pls_axis *axis) {
    double largest = fmax(fabs(axis->low), fabs(axis->high));
    return largest < 1e6 && (axis->logarithmic ? axis->low >= 9e-4 : largest >= 1e-3);
}

static void write_tick(pls_text *script, const pls_axis *axis, double value, int digits, int level,
                       bool *first) {
    char label[PLS_NUMBER_SIZE] = "";
    if (level == 0) {
        pls_number_enhanced(value, digits, is_plain(axis), label);
    }
    pls_text_format(script, "%s\"%s\" %.12g %d", *first ? "" : ", ", label, value, level);
    *first = false;
}

static void write_linear_ticks(pls_text *script, const pls_axis *axis, bool *first) {
    double rough = (axis->high - axis->low) / 6.0;
    double unit = pow(10.0, floor(log10(rough)));
    double step = rough <= unit       ? unit
                  : rough <= 2 * unit ? 2 * unit
                  : rough <= 5 * unit ? 5 * unit
                                      : 10 * unit;
    step = axis->whole ? fmax(step, 1.0) : step;
    /* as many digits as tell neighbouring ticks apart */
    double largest = fmax(fabs(axis->low), fabs(axis->high));
    int digits = (int)(floor(log10(largest)) - floor(log10(step) + 1e-9)) + 1;
    double start = ceil(axis->low / step - 1e-9);
    for (int i = 0; i < 2 * MOST_TICKS; i++) {
        double value = (start + i) * step;
        if (value > axis->high + 1e-9 * step) {
            break;
        }
        write_tick(script, axis, value, digits > 0 ? digits : 1, 0, first);
    }
}

static void write_decades(pls_text *script, const pls_axis *axis, double decades, bool *first) {
    int lowest = (int)floor(log10(axis->low)), highest = (int)floor(log10(axis->high));
    int every = decades > 2.0 ? (int)ceil(decades / MOST_TICKS) : 1;
    for (int power = lowest; power <= highest; power++) {
        for (int mantissa = 1; mantissa <= 9; mantissa++) {
            double value = mantissa * pow(10.0, power);
            bool labelled = decades > 2.0 ? mantissa == 1 && power % every == 0
                                          : mantissa == 1 || mantissa == 2 || mantissa == 5;
            bool marked = labelled || every == 1 || mantissa == 1;
            if (marked && value >= axis->low && value <= axis->high) {
                write_tick(script, axis, value, 1, labelled ? 0 : 1, first);
            }
        }
    }
}

void pls_axis_write(pls_text *script, const pls_axis *axis, char which, const char *title) {
    pls_text_format(script, "set %clabel \"%s\"\n", which, title);
    pls_text_format(script, "%s logscale %c\n", axis->logarithmic ? "set" : "unset", which);
    pls_text_format(script, "set %crange [%.12g:%.12g]\n", which, axis->low, axis->high);
    pls_text_format(script, "set %ctics (", which);
    bool first = true;
    double decades = axis->logarithmic ? log10(axis->high) - log10(axis->low) : 0.0;
    if (decades > 0.9) {
        write_decades(script, axis, decades, &first);
    } else {
        write_linear_ticks(script, axis, &first);
    }
    pls_text_append(script, ")\n");
}
