/* Text that grows, and numbers as people read them. */
#include "report/text.h"

#include "base/memory.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pls_text pls_text_start(pls_context *context) {
    return (pls_text){.context = context, .status = PLS_OK};
}

void pls_text_release(pls_text *text) {
    pls_release(text->context, text->bytes);
    text->bytes = NULL;
    text->size = text->capacity = 0;
}

pls_status pls_text_status(const pls_text *text) {
    return text->status;
}

const char *pls_text_string(const pls_text *text) {
    return text->bytes != NULL ? text->bytes : "";
}

/* Room for `count` more bytes and the closing zero. */
static bool make_room(pls_text *text, int64_t count) {
    if (text->status != PLS_OK) {
        return false;
    }
    int64_t needed = text->size + count + 1;
    if (needed <= text->capacity) {
        return true;
    }
    int64_t capacity = text->capacity > 0 ? text->capacity : 512;
    while (capacity < needed) {
        capacity *= 2;
    }
    char *bytes = NULL;
    text->status = pls_allocate(text->context, capacity, 1, "the text of a report", &bytes);
    if (text->status != PLS_OK) {
        return false;
    }
    if (text->size > 0) {
        memcpy(bytes, text->bytes, (size_t)text->size);
    }
    pls_release(text->context, text->bytes);
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void pls_text_bytes(pls_text *text, const char *bytes, int64_t count) {
    if (count > 0 && make_room(text, count)) {
        memcpy(text->bytes + text->size, bytes, (size_t)count);
        text->size += count;
        text->bytes[text->size] = '\0';
    }
}

void pls_text_append(pls_text *text, const char *string) {
    pls_text_bytes(text, string, (int64_t)strlen(string));
}

void pls_text_format(pls_text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length > 0 && make_room(text, length)) {
        va_start(arguments, format);
        vsnprintf(text->bytes + text->size, (size_t)length + 1, format, arguments);
        va_end(arguments);
        text->size += length;
    }
}

void pls_text_escape(pls_text *text, const char *bytes, int64_t count) {
    int64_t plain = 0; /* start of the stretch that needs no escape */
    for (int64_t i = 0; i < count; i++) {
        const char *replacement = NULL;
        switch (bytes[i]) {
        case '&':
            replacement = "&amp;";
            break;
        case '<':
            replacement = "&lt;";
            break;
        case '>':
            replacement = "&gt;";
            break;
        case '"':
            replacement = "&quot;";
            break;
        case '\'':
            replacement = "&#39;";
            break;
        case '\n':
        case '\t':
            break;
        default:
            replacement =
                (unsigned char)bytes[i] < 0x20 || bytes[i] == 0x7f ? "\xEF\xBF\xBD" : NULL;
            break;
        }
        if (replacement != NULL) {
            pls_text_bytes(text, bytes + plain, i - plain);
            pls_text_append(text, replacement);
            plain = i + 1;
        }
    }
    pls_text_bytes(text, bytes + plain, count - plain);
}

/* value = mantissa * 10^exponent with `digits` digits, rounded as asked. */
static void split(double value, int digits, pls_rounding rounding, char *mantissa, size_t size,
                  int *exponent) {
    char text[PLS_NUMBER_SIZE];
    snprintf(text, sizeof text, "%.*e", digits - 1, value);
    double rounded = strtod(text, NULL);
    if ((rounding == PLS_ROUND_DOWN && rounded > value) ||
        (rounding == PLS_ROUND_UP && rounded < value)) {
        int power = atoi(strchr(text, 'e') + 1);
        double unit = pow(10.0, power - digits + 1);
        rounded += rounding == PLS_ROUND_DOWN ? -unit : unit;
        snprintf(text, sizeof text, "%.*e", digits - 1, rounded);
    }
    char *e = strchr(text, 'e');
    *exponent = atoi(e + 1);
    *e = '\0';
    bool exact = fabs(rounded - value) <= 1e-12 * fabs(value);
    if (exact && strchr(text, '.') != NULL) {
        while (e[-1] == '0') {
            *--e = '\0';
        }
        if (e[-1] == '.') {
            *--e = '\0';
        }
    }
    snprintf(mantissa, size, "%s", text);
}

/* Numbers from 0.001 to 9,999 are written out. */
static bool written_out(int exponent) {
    return exponent >= -3 && exponent <= 3;
}

/* Plain decimals of mantissa * 10^exponent: the digits of the mantissa and no others. */
static void write_plain(const char *mantissa, int exponent, char *out, size_t size) {
    int decimals = (int)strlen(mantissa) - (strchr(mantissa, '.') != NULL ? 2 : 1);
    decimals = decimals > exponent ? decimals - exponent : 0;
    char exact[PLS_NUMBER_SIZE];
    snprintf(exact, sizeof exact, "%.32se%d", mantissa, exponent);
    snprintf(out, size, "%.*f", decimals, strtod(exact, NULL));
}

static const char *not_finite(double value) {
    return isnan(value) ? "not a number" : value > 0 ? "∞" : "−∞";
}

const char *pls_number(double value, int digits, pls_rounding rounding, char *out) {
    static const char *const superscripts[10] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    if (!isfinite(value)) {
        snprintf(out, PLS_NUMBER_SIZE, "%s", not_finite(value));
        return out;
    }
    if (value == 0.0) {
        snprintf(out, PLS_NUMBER_SIZE, "0");
        return out;
    }
    if (value < 0.0) { /* rounding down a negative number enlarges it */
        rounding = rounding == PLS_ROUND_DOWN ? PLS_ROUND_UP
                   : rounding == PLS_ROUND_UP ? PLS_ROUND_DOWN
                                              : PLS_ROUND_NEAREST;
    }
    char mantissa[PLS_NUMBER_SIZE];
    int exponent;
    split(fabs(value), digits, rounding, mantissa, sizeof mantissa, &exponent);
    const char *sign = value < 0.0 ? "−" : "";
    if (written_out(exponent)) {
        char plain[PLS_NUMBER_SIZE / 2];
        write_plain(mantissa, exponent, plain, sizeof plain);
        snprintf(out, PLS_NUMBER_SIZE, "%s%s", sign, plain);
        return out;
    }
    int used =
        snprintf(out, PLS_NUMBER_SIZE, "%s%.24s×10%s", sign, mantissa, exponent < 0 ? "⁻" : "");
    char power[16];
    snprintf(power, sizeof power, "%d", abs(exponent));
    for (const char *c = power; *c != '\0'; c++) {
        used +=
            snprintf(out + used, (size_t)(PLS_NUMBER_SIZE - used), "%s", superscripts[*c - '0']);
    }
    return out;
}

const char *pls_integer(double value, char *out) {
    if (!isfinite(value) || fabs(value) >= 1e15) {
        return pls_number(value, 4, PLS_ROUND_NEAREST, out);
    }
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%.0f", fabs(value));
    int used = snprintf(out, PLS_NUMBER_SIZE, "%s", value <= -0.5 ? "−" : "");
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            out[used++] = ',';
        }
        out[used++] = digits[i];
    }
    out[used] = '\0';
    return out;
}

const char *pls_number_enhanced(double value, int digits, bool plain, char *out) {
    if (value == 0.0 || !isfinite(value)) {
        snprintf(out, PLS_NUMBER_SIZE, "%s", value == 0.0 ? "0" : not_finite(value));
        return out;
    }
    if (plain && fabs(value) >= 1000.0 && value == rint(value)) {
        return pls_integer(value, out);
    }
    char mantissa[PLS_NUMBER_SIZE];
    int exponent;
    split(fabs(value), digits, PLS_ROUND_NEAREST, mantissa, sizeof mantissa, &exponent);
    const char *sign = value < 0.0 ? "−" : "";
    if (plain) {
        char decimals[PLS_NUMBER_SIZE / 2];
        write_plain(mantissa, exponent, decimals, sizeof decimals);
        snprintf(out, PLS_NUMBER_SIZE, "%s%s", sign, decimals);
        return out;
    }
    bool is_power = strcmp(mantissa, "1") == 0;
    snprintf(out, PLS_NUMBER_SIZE, "%s%.24s%s10^{%s%d}", sign, is_power ? "" : mantissa,
             is_power ? "" : "·", exponent < 0 ? "−" : "", abs(exponent));
    return out;
}

void pls_text_number(pls_text *text, double value) {
    char number[PLS_NUMBER_SIZE];
    bool whole = isfinite(value) && fabs(value) < 1e7 && value == rint(value);
    pls_text_append(text, whole ? pls_integer(value, number)
                                : pls_number(value, 4, PLS_ROUND_NEAREST, number));
}

void pls_text_integer(pls_text *text, double value) {
    char number[PLS_NUMBER_SIZE];
    pls_text_append(text, pls_integer(value, number));
}

/* Length of an index, "0", "max", "lin,i", "(i,a)", behind an underscore or a caret. */
static size_t index_length(const char *string) {
    size_t length = 0;
    if (*string == '(') {
        return strcspn(string, ")") + (strchr(string, ')') != NULL);
    }
    for (; isalnum((unsigned char)string[length]) != 0 ||
           (string[length] == ',' && length > 0 && isalnum((unsigned char)string[length + 1]) != 0);
         length++) {
    }
    return length;
}

/* The sign that stands for what begins here: `length` bytes of it. Names of letters that are parts
 * of other words ("eta" of beta) count as whole words alone. */
static const char *sign_at(const char *start, const char *at, size_t *length) {
    static const char *const signs[][2] = {
        {"||", "‖"},    {"<=", "≤"},    {">=", "≥"},   {"lambda", "λ"}, {"grad ", "∇"},
        {"Theta", "Θ"}, {"beta", "β"},  {"sqrt", "√"}, {" - ", " − "},  {" o ", " ∘ "},
        {"kappa", "κ"}, {"phi'", "φ′"}, {"Phi", "Φ"},  {"Psi", "Ψ"},    {"delta", "δ"},
        {"rho", "ρ"},   {"sigma", "σ"}, {"Khat", "K̂"},
    };
    static const char *const words[][2] = {{"eta", "η"}, {"mu", "μ"}, {"eps", "ε"}, {"phi", "φ"}};
    bool begins = at == start || isalnum((unsigned char)at[-1]) == 0;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        *length = strlen(signs[i][0]);
        if (strncmp(at, signs[i][0], *length) == 0) {
            return signs[i][1];
        }
    }
    for (size_t i = 0; begins && i < sizeof words / sizeof *words; i++) {
        *length = strlen(words[i][0]);
        if (strncmp(at, words[i][0], *length) == 0 && isalnum((unsigned char)at[*length]) == 0) {
            return words[i][1];
        }
    }
    *length = 1;
    bool is_minus = *at == '-' && isdigit((unsigned char)at[1]) != 0 &&
                    (at == start || at[-1] == ' ' || at[-1] == '[');
    return is_minus ? "−" : NULL;
}

/* The first `size` bytes of a formula. */
static void append_formula(pls_text *text, const char *string, size_t size) {
    for (const char *at = string; at < string + size;) {
        size_t length = 1;
        const char *sign = sign_at(string, at, &length);
        size_t index = *at == '_' || *at == '^' ? index_length(at + 1) : 0;
        if (sign != NULL) {
            pls_text_append(text, sign);
        } else if (index > 0) {
            length = 1 + index;
            pls_text_append(text, *at == '_' ? "<sub>" : "<sup>");
            append_formula(text, at + 1, index);
            pls_text_append(text, *at == '_' ? "</sub>" : "</sup>");
        } else {
            pls_text_escape(text, at, 1);
        }
        at += length;
    }
}

void pls_text_formula(pls_text *text, const char *string) {
    append_formula(text, string, strlen(string));
}
