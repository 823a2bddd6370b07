/* Pictures as PNG (ISO/IEC 15948) in base64 (RFC 4648).
 *
 * A PNG file is a signature and chunks, each its length, type, data and the CRC of the latter two:
 * IHDR with the size, IDAT with the rows compressed by zlib, each behind a byte that says that it
 * is not filtered, and IEND. */
#include "report/picture.h"

#include "base/memory.h"

#include <math.h>
#include <zlib.h>

/* Larger ones would make the page heavy and tell no more. */
enum { MOST_PIXELS = 1 << 16 };

bool pls_picture_is_shown(pls_picture_shape shape) {
    return (shape.channels == 1 || shape.channels == 3) && shape.height > 0 && shape.width > 0 &&
           shape.height <= MOST_PIXELS && shape.width <= MOST_PIXELS &&
           shape.height * shape.width <= MOST_PIXELS;
}

/* ---- PNG --------------------------------------------------------------------------------- */

static void append_word(pls_text *file, uint32_t word) {
    const char bytes[] = {(char)(word >> 24), (char)(word >> 16), (char)(word >> 8), (char)word};
    pls_text_bytes(file, bytes, 4);
}

static void append_chunk(pls_text *file, const char *type, const char *data, int64_t size) {
    int64_t start = file->size + 4;
    append_word(file, (uint32_t)size);
    pls_text_bytes(file, type, 4);
    pls_text_bytes(file, data, size);
    if (pls_text_status(file) == PLS_OK) {
        const Bytef *covered = (const Bytef *)file->bytes + start;
        append_word(file, (uint32_t)crc32(0, covered, (uInt)(size + 4)));
    }
}

static void append_header(pls_text *file, pls_picture_shape shape) {
    pls_text fields = pls_text_start(file->context);
    const char rest[] = {8, (char)(shape.channels == 1 ? 0 : 2), 0, 0, 0}; /* 8 bits, grey or RGB */
    append_word(&fields, (uint32_t)shape.width);
    append_word(&fields, (uint32_t)shape.height);
    pls_text_bytes(&fields, rest, sizeof rest);
    if (pls_text_status(&fields) == PLS_OK) {
        append_chunk(file, "IHDR", fields.bytes, fields.size);
    } else {
        file->status = fields.status;
    }
    pls_text_release(&fields);
}

/* The values as rows of bytes, from the smallest to the largest; what is no number is black. */
static void write_rows(pls_picture_shape shape, const double *values, unsigned char *rows) {
    int64_t area = shape.height * shape.width, count = shape.channels * area;
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
    }
    double scale = high > low && isfinite(high - low) ? 255.0 / (high - low) : 0.0;
    for (int64_t y = 0; y < shape.height; y++) {
        *rows++ = 0; /* not filtered */
        for (int64_t x = 0; x < shape.width; x++) {
            for (int64_t c = 0; c < shape.channels; c++) {
                double level = (values[c * area + y * shape.width + x] - low) * scale;
                *rows++ = (unsigned char)(level >= 0.0 ? level + 0.5 : 0.0);
            }
        }
    }
}

static pls_status append_pixels(pls_text *file, pls_picture_shape shape, const double *values) {
    pls_context *context = file->context;
    int64_t size = shape.height * (1 + shape.width * shape.channels);
    uLongf used = compressBound((uLong)size);
    unsigned char *rows = NULL, *packed = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, size, 1, "a picture", &rows));
    PLS_TRY(context, pls_allocate(context, (int64_t)used, 1, "a picture", &packed));
    write_rows(shape, values, rows);
    if (compress2(packed, &used, rows, (uLong)size, Z_BEST_COMPRESSION) != Z_OK) {
        status = pls_fail(context, PLS_ERROR_MEMORY, "there is no memory to compress a picture");
        goto cleanup;
    }
    append_chunk(file, "IDAT", (const char *)packed, (int64_t)used);
cleanup:
    pls_release(context, packed);
    pls_release(context, rows);
    return status;
}

/* ---- base64 ------------------------------------------------------------------------------ */

static void append_base64(pls_text *text, const char *bytes, int64_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int64_t i = 0; i < size; i += 3) {
        uint32_t word = 0;
        char four[4];
        for (int64_t j = 0; j < 3; j++) {
            word = word << 8 | (i + j < size ? (unsigned char)bytes[i + j] : 0U);
        }
        for (int d = 0; d < 4; d++) {
            four[d] = d > size - i ? '=' : digits[word >> (18 - 6 * d) & 63];
        }
        pls_text_bytes(text, four, 4);
    }
}

void pls_picture_append(pls_text *text, pls_picture_shape shape, const double *values) {
    static const char signature[] = "\x89PNG\r\n\x1a\n";
    pls_text file = pls_text_start(text->context);
    pls_text_bytes(&file, signature, sizeof signature - 1);
    append_header(&file, shape);
    pls_status status = append_pixels(&file, shape, values);
    append_chunk(&file, "IEND", "", 0);
    status = status != PLS_OK ? status : pls_text_status(&file);
    if (status == PLS_OK) {
        pls_text_append(text, "data:image/png;base64,");
        append_base64(text, file.bytes, file.size);
    } else {
        text->status = status;
    }
    pls_text_release(&file);
}
