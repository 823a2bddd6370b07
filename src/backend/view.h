/* Views: row-major matrices in device memory. A view owns nothing and is passed by value.
 *
 *     element (i, j) = buffer[offset + i ld + j],   0 <= i < rows, 0 <= j < cols <= ld
 *
 * The buffer is opaque: only a backend may look inside. Vectors are views with one row or one
 * column. A view with rows = 0 or cols = 0 is empty; `pls_no_view()` stands for "not given". */
#ifndef PLSTAR_BACKEND_VIEW_H
#define PLSTAR_BACKEND_VIEW_H

#include "plstar/types.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct pls_buffer pls_buffer;

typedef struct pls_view {
    pls_buffer *buffer;
    int64_t offset; /* elements */
    int64_t rows;
    int64_t cols;
    int64_t ld; /* elements between the starts of two rows */
    pls_dtype dtype;
} pls_view;

static inline pls_view pls_no_view(void) {
    pls_view none = {NULL, 0, 0, 0, 0, PLS_F64};
    return none;
}

static inline bool pls_view_is_none(pls_view view) {
    return view.buffer == NULL;
}

/* rows * cols; the allocation of the buffer has checked that it does not overflow. */
static inline int64_t pls_view_count(pls_view view) {
    return view.rows * view.cols;
}

static inline bool pls_view_is_contiguous(pls_view view) {
    return view.ld == view.cols || view.rows <= 1;
}

/* Rows first .. first+count-1. */
static inline pls_view pls_view_rows(pls_view view, int64_t first, int64_t count) {
    view.offset += first * view.ld;
    view.rows = count;
    return view;
}

/* Columns first .. first+count-1. */
static inline pls_view pls_view_cols(pls_view view, int64_t first, int64_t count) {
    view.offset += first;
    view.cols = count;
    return view;
}

/* The same elements as another shape; the view must be contiguous and of rows*cols elements. */
static inline pls_view pls_view_reshape(pls_view view, int64_t rows, int64_t cols) {
    view.rows = rows;
    view.cols = cols;
    view.ld = cols;
    return view;
}

/* A contiguous block cut from a contiguous view: elements first .. first + rows*cols - 1. */
static inline pls_view pls_view_slice(pls_view view, int64_t first, int64_t rows, int64_t cols) {
    view.offset += first;
    return pls_view_reshape(view, rows, cols);
}

#endif
