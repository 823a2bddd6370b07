/* Texts as numbers. */
#include "cli/scalar.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* strtod and its kin skip spaces and know hexadecimal and "nan": none of it is meant here. */
static bool starts_like_a_number(const char *text) {
    const char *c = text + (*text == '-' || *text == '+');
    return isdigit((unsigned char)*c) != 0 || (*c == '.' && isdigit((unsigned char)c[1]) != 0);
}

static bool leading_number(const char *text, double *out, const char **rest) {
    if (!starts_like_a_number(text) || strpbrk(text, "xX") != NULL) {
        return false;
    }
    char *end = NULL;
    *out = strtod(text, &end);
    *rest = end;
    return isfinite(*out);
}

bool scalar_integer(const char *text, int64_t *out) {
    char *end = NULL;
    if (!starts_like_a_number(text)) {
        return false;
    }
    errno = 0;
    long long value = strtoll(text, &end, 10);
    *out = value;
    return errno == 0 && *end == '\0';
}

bool scalar_seed(const char *text, uint64_t *out) {
    char *end = NULL;
    if (!isdigit((unsigned char)*text)) {
        return false;
    }
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    *out = value;
    return errno == 0 && *end == '\0';
}

bool scalar_number(const char *text, double *out) {
    const char *rest = NULL;
    return leading_number(text, out, &rest) && *rest == '\0';
}

bool scalar_boolean(const char *text, bool *out) {
    *out = strcmp(text, "true") == 0;
    return *out || strcmp(text, "false") == 0;
}

bool scalar_bytes(const char *text, int64_t *out) {
    static const struct {
        const char *name;
        double bytes;
    } units[] = {
        {"", 1.0},    {"B", 1.0},      {"kB", 1e3},     {"MB", 1e6},     {"GB", 1e9},
        {"TB", 1e12}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40},
    };
    double number = 0.0;
    const char *rest = NULL;
    if (!leading_number(text, &number, &rest) || number < 0.0) {
        return false;
    }
    rest += strspn(rest, " ");
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcasecmp(rest, units[i].name) == 0) {
            double bytes = number * units[i].bytes;
            *out = bytes < 0x1p62 ? (int64_t)bytes : INT64_MAX;
            return bytes < 0x1p62;
        }
    }
    return false;
}

bool scalar_share(const char *text, double *out) {
    const char *rest = NULL;
    if (!leading_number(text, out, &rest)) {
        return false;
    }
    if (strcmp(rest, "%") == 0) {
        *out /= 100.0;
        return true;
    }
    return *rest == '\0';
}

void scalar_write_number(double number, char text[32]) {
    if (number == floor(number) && fabs(number) < 1e15) {
        snprintf(text, 32, "%.0f", number);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, number);
        if (strtod(text, NULL) == number) {
            return;
        }
    }
}
