/* Numbers as files store them, put together byte by byte: right on hosts of either byte order. */
#ifndef PLSTAR_DATA_BYTES_H
#define PLSTAR_DATA_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Files are read through pieces of this many bytes on the stack. */
enum { PLS_PIECE_BYTES = 32768 };

/* Whole numbers of this size and more are not all float64 numbers. */
#define PLS_EXACT_INTEGERS 0x1p53

static inline uint64_t pls_decode_bits(const unsigned char *bytes, int size, bool big_endian) {
    uint64_t bits = 0;
    for (int i = 0; i < size; i++) {
        bits = bits << 8 | bytes[big_endian ? i : size - 1 - i];
    }
    return bits;
}

/* kind: 'f' (size 4 or 8), 'i' signed or 'u' unsigned (size 1, 2, 4 or 8). */
static inline double pls_decode_number(const unsigned char *bytes, char kind, int size,
                                       bool big_endian) {
    uint64_t bits = pls_decode_bits(bytes, size, big_endian);
    if (kind == 'f' && size == 4) {
        uint32_t half = (uint32_t)bits;
        float value = 0;
        memcpy(&value, &half, sizeof value);
        return value;
    }
    if (kind == 'f') {
        double value = 0;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    if (kind == 'i') {
        int unused = 64 - 8 * size; /* shifting up and down again extends the sign */
        return (double)((int64_t)(bits << unused) >> unused);
    }
    return (double)bits;
}

#endif
