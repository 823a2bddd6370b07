/* The bytes of the built-in digits, two IDX files (src/data/digits/README.md). */
#ifndef PLSTAR_DATA_DIGITS_H
#define PLSTAR_DATA_DIGITS_H

#include <stddef.h>

extern const unsigned char pls_digits_images[];
extern const size_t pls_digits_images_size;
extern const unsigned char pls_digits_labels[];
extern const size_t pls_digits_labels_size;

#endif
