/* Text that grows: pages, scripts and captions are composed in memory and written at once.
 *
 * Like a stdio stream a text remembers its first failure; appending to a failed text does
 * nothing, so that only the end of a composition asks pls_text_status(). */
#ifndef PLSTAR_REPORT_TEXT_H
#define PLSTAR_REPORT_TEXT_H

#include "base/error.h"

#include <stdint.h>

typedef struct pls_text {
    pls_context *context;
    char *bytes; /* ends with a zero byte; NULL while empty */
    int64_t size, capacity;
    pls_status status;
} pls_text;

pls_text pls_text_start(pls_context *context);
void pls_text_release(pls_text *text);
pls_status pls_text_status(const pls_text *text);
/* What was written so far, "" if nothing. */
const char *pls_text_string(const pls_text *text);

void pls_text_append(pls_text *text, const char *string);
void pls_text_bytes(pls_text *text, const char *bytes, int64_t count);
void pls_text_format(pls_text *text, const char *format, ...) PLS_PRINTF(2, 3);
/* The same with &, <, >, quotes escaped for HTML and control characters replaced. */
void pls_text_escape(pls_text *text, const char *bytes, int64_t count);

/* The same of a formula in plain letters, with the signs that it stands for: "||H|| <= lambda_min"
 * becomes "‖H‖ ≤ λ<sub>min</sub>". In HTML. */
void pls_text_formula(pls_text *text, const char *string);

enum { PLS_NUMBER_SIZE = 64 };

/* Which way a number is rounded when it is shortened. */
typedef enum pls_rounding { PLS_ROUND_NEAREST, PLS_ROUND_DOWN, PLS_ROUND_UP } pls_rounding;

/* A number as people read it, "3.142", "1.2×10⁻⁴", "−5", into `out` of PLS_NUMBER_SIZE bytes.
 * Trailing zeros stay where they are digits that were rounded to, and go where the value ends.
 * Returns `out`. */
const char *pls_number(double value, int digits, pls_rounding rounding, char *out);
/* An integer with separators, "40,960". */
const char *pls_integer(double value, char *out);
/* A number inside gnuplot's enhanced text, "0.002" (`plain`) or "2·10^{-3}". */
const char *pls_number_enhanced(double value, int digits, bool plain, char *out);

/* Appends pls_number(value, 4, nearest), or an integer as such where the value is one. */
void pls_text_number(pls_text *text, double value);
void pls_text_integer(pls_text *text, double value);

#endif
