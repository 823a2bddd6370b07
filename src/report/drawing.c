/* gnuplot's SVG made fit for the inside of a page, by replacing a few fixed phrases. */
#include "report/drawing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bytes from `open` to the end of `close`, if they begin at c; else 0. */
static size_t span(const char *c, const char *open, const char *close) {
    if (strncmp(c, open, strlen(open)) != 0) {
        return 0;
    }
    const char *end = strstr(c + strlen(open), close);
    return end != NULL ? (size_t)(end - c) + strlen(close) : 0;
}

/* Phrases to be replaced; the id's prefix follows the replacement where `names` says so. */
static const struct {
    const char *phrase, *replacement;
    bool names;
} phrases[] = {
    {" id='", " id='", true},
    {" id=\"", " id=\"", true},
    {"xlink:href='#", "href='#", true},
    {"xlink:href=\"#", "href=\"#", true},
    {"url(#", "url(#", true},
    {"'black'", "'currentColor'", false},
    {"\"black\"", "\"currentColor\"", false},
    {"'gray'", "'currentColor'", false},
    {"\"gray\"", "\"currentColor\"", false},
    {" font-family=\"sans-serif\" ", " ", false},
};

/* Replaces what begins at c; returns how many bytes were used up, 0 if nothing is to be done. */
static size_t replace(pls_text *text, const char *c, const char *name) {
    size_t dropped = span(c, "<title>", "</title>");
    dropped = dropped > 0 ? dropped : span(c, "<desc>", "</desc>");
    dropped = dropped > 0 ? dropped : span(c, "<filter", "</filter>");
    if (dropped > 0) {
        return dropped;
    }
    int red, green, blue, length = 0;
    if (strncmp(c, "rgb(", 4) == 0 &&
        sscanf(c, "rgb(%3d,%3d,%3d)%n", &red, &green, &blue, &length) == 3 && length > 0) {
        pls_text_format(text, "#%02X%02X%02X", red & 255, green & 255, blue & 255);
        return (size_t)length;
    }
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
        size_t size = strlen(phrases[i].phrase);
        if (strncmp(c, phrases[i].phrase, size) == 0) {
            pls_text_append(text, phrases[i].replacement);
            if (phrases[i].names) {
                pls_text_format(text, "%s-", name);
            }
            return size;
        }
    }
    return 0;
}

bool pls_drawing_append(pls_text *text, const char *bytes, int64_t size, const char *name,
                        const char *label) {
    const char *start = strstr(bytes, "<svg");
    const char *box = start != NULL ? strstr(start, "viewBox=\"") : NULL;
    const char *inside = box != NULL ? strchr(box, '>') : NULL;
    if (inside == NULL || strlen(bytes) != (size_t)size || strstr(inside, "</svg>") == NULL ||
        strstr(inside, "<script") != NULL) {
        return false;
    }
    box += strlen("viewBox=\"");
    pls_text_format(text, "<svg viewBox=\"%.*s\" role=\"img\" aria-label=\"",
                    (int)strcspn(box, "\"<>"), box);
    pls_text_escape(text, label, (int64_t)strlen(label));
    pls_text_append(text, "\">");
    const char *plain = inside + 1; /* start of the stretch that stays as it is */
    for (const char *c = plain; *c != '\0';) {
        size_t used = 0;
        if (strchr("< xu'\"r", *c) != NULL) {
            pls_text_bytes(text, plain, c - plain);
            plain = c;
            used = replace(text, c, name);
            plain += used;
        }
        c += used > 0 ? used : 1;
    }
    pls_text_append(text, plain);
    return true;
}
