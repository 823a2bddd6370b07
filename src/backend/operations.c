/* The checked entrance to a backend's table.
 *
 * A `checker` carries the name of the operation and the first fault found; every check after a
 * fault is skipped, so that a wrapper reads as the list of its conditions and then dispatches.
 *
 * Two views overlap when a byte belongs to an element of both. A view is a set of rows, each an
 * interval of bytes, at equal distances; so it is enough to ask for each row of the view with fewer
 * rows whether the other one, a comb of intervals, meets it. That is exact: two column blocks of
 * one matrix, interleaved in memory, do not overlap. */
#include "backend/operations.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct checker {
    pls_device *device;
    const char *operation;
    pls_status status;
} checker;

static checker begin(pls_device *device, const char *operation) {
    checker check = {device, operation, PLS_OK};
    return check;
}

/* Records a fault in an argument: "gemm: b: ...". */
static void refuse(checker *check, const char *argument, const char *format, ...) PLS_PRINTF(3, 4);

static void refuse(checker *check, const char *argument, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    check->status = pls_fail(check->device->context, PLS_ERROR_ARGUMENT, "%s: %s: %s",
                             check->operation, argument, text);
}

static bool is_empty(pls_view view) {
    return view.rows == 0 || view.cols == 0;
}

/* *elements = distance from the first element of a view to one past its last; false when that is
 * more than 64 bits can count. */
static bool view_extent(pls_view view, int64_t *elements) {
    *elements = 0;
    return is_empty(view) || (pls_multiply(view.rows - 1, view.ld, elements) &&
                              pls_add(*elements, view.cols, elements));
}

/* A view that lies inside its buffer. */
static void check_view(checker *check, const char *name, pls_view view) {
    if (check->status != PLS_OK) {
        return;
    }
    if (view.buffer == NULL) {
        refuse(check, name, "no view was given");
        return;
    }
    if (view.dtype != PLS_F32 && view.dtype != PLS_F64) {
        refuse(check, name, "its dtype is %d, neither f32 nor f64", (int)view.dtype);
        return;
    }
    if (view.offset < 0 || view.rows < 0 || view.cols < 0) {
        refuse(check, name, "offset %lld, rows %lld and cols %lld must not be negative",
               (long long)view.offset, (long long)view.rows, (long long)view.cols);
        return;
    }
    if (view.ld < view.cols) {
        refuse(check, name, "ld %lld is less than its %lld columns", (long long)view.ld,
               (long long)view.cols);
        return;
    }
    int64_t end = 0;
    bool counted = view_extent(view, &end) && pls_add(end, view.offset, &end) &&
                   pls_multiply(end, pls_dtype_size(view.dtype), &end);
    if (!counted || end > view.buffer->bytes) {
        refuse(check, name,
               "%lld x %lld %s with ld %lld at offset %lld end outside their buffer of %lld bytes",
               (long long)view.rows, (long long)view.cols, pls_dtype_name(view.dtype),
               (long long)view.ld, (long long)view.offset, (long long)view.buffer->bytes);
    }
}

static void check_dtype(checker *check, const char *name, pls_view view, pls_dtype dtype) {
    if (check->status == PLS_OK && view.dtype != dtype) {
        refuse(check, name, "it is %s where %s was expected", pls_dtype_name(view.dtype),
               pls_dtype_name(dtype));
    }
}

/* The product of two sizes, for an expected shape; a fault when it overflows. */
static int64_t check_product(checker *check, const char *name, int64_t a, int64_t b) {
    int64_t product = 0;
    if (check->status == PLS_OK && !pls_multiply(a, b, &product)) {
        refuse(check, name, "%lld times %lld is more than 64 bits can count", (long long)a,
               (long long)b);
    }
    return product;
}

/* A valid view of a given dtype and shape. */
static void check_matrix(checker *check, const char *name, pls_view view, pls_dtype dtype,
                         int64_t rows, int64_t cols) {
    check_view(check, name, view);
    check_dtype(check, name, view, dtype);
    if (check->status == PLS_OK && (view.rows != rows || view.cols != cols)) {
        refuse(check, name, "it is %lld x %lld where %lld x %lld was expected",
               (long long)view.rows, (long long)view.cols, (long long)rows, (long long)cols);
    }
}

static void check_square(checker *check, const char *name, pls_view view) {
    if (check->status == PLS_OK && view.rows != view.cols) {
        refuse(check, name, "it is %lld x %lld where a square matrix was expected",
               (long long)view.rows, (long long)view.cols);
    }
}

static void check_number(checker *check, const char *name, int64_t value, int64_t least) {
    if (check->status == PLS_OK && value < least) {
        refuse(check, name, "it is %lld where at least %lld was expected", (long long)value,
               (long long)least);
    }
}

static void check_pointer(checker *check, const char *name, const void *pointer) {
    if (check->status == PLS_OK && pointer == NULL) {
        refuse(check, name, "it is NULL");
    }
}

static void check_transpose(checker *check, const char *name, pls_transpose transpose) {
    if (check->status == PLS_OK && transpose != PLS_PLAIN && transpose != PLS_TRANSPOSED) {
        refuse(check, name, "it is %d, neither plain nor transposed", (int)transpose);
    }
}

static void check_activation(checker *check, pls_activation phi) {
    if (check->status == PLS_OK && ((int)phi < 0 || phi >= PLS_ACTIVATION_COUNT)) {
        refuse(check, "phi", "%d is no activation", (int)phi);
    }
}

/* Does the byte interval [begin, end) meet a row of the view? All numbers fit: the view lies inside
 * its buffer. */
static bool interval_meets_view(int64_t begin_byte, int64_t end_byte, pls_view view) {
    int64_t size = pls_dtype_size(view.dtype);
    int64_t start = view.offset * size, width = view.cols * size;
    if (end_byte <= start) {
        return false;
    }
    if (view.rows == 1) {
        return begin_byte < start + width;
    }
    /* The first row that ends after `begin_byte` is the only candidate that may start before
     * `end_byte` when any does. */
    int64_t stride = view.ld * size;
    int64_t row = begin_byte < start + width ? 0 : (begin_byte - start - width) / stride + 1;
    return row < view.rows && start + row * stride < end_byte;
}

static bool views_overlap(pls_view a, pls_view b) {
    if (a.buffer != b.buffer || is_empty(a) || is_empty(b)) {
        return false;
    }
    pls_view few = a.rows <= b.rows ? a : b, many = a.rows <= b.rows ? b : a;
    int64_t size = pls_dtype_size(few.dtype);
    for (int64_t i = 0; i < few.rows; i++) {
        int64_t start = (few.offset + i * few.ld) * size;
        if (interval_meets_view(start, start + few.cols * size, many)) {
            return true;
        }
    }
    return false;
}

static void check_apart(checker *check, const char *output, pls_view a, const char *other,
                        pls_view b) {
    if (check->status == PLS_OK && views_overlap(a, b)) {
        refuse(check, output, "it overlaps %s in memory", other);
    }
}

/* ---- memory and order ------------------------------------------------------------------------ */

pls_status pls_buffer_allocate(pls_device *device, int64_t bytes, pls_buffer **buffer) {
    checker check = begin(device, "allocate");
    check_number(&check, "bytes", bytes, 1);
    check_pointer(&check, "buffer", buffer);
    return check.status != PLS_OK ? check.status : device->backend->allocate(device, bytes, buffer);
}

void pls_buffer_release(pls_device *device, pls_buffer *buffer) {
    if (buffer != NULL) {
        device->backend->release(device, buffer);
    }
}

pls_status pls_upload(pls_device *device, const void *host, int64_t host_ld, pls_view dst) {
    checker check = begin(device, "upload");
    check_view(&check, "dst", dst);
    if (check.status != PLS_OK || is_empty(dst)) {
        return check.status;
    }
    check_pointer(&check, "host", host);
    check_number(&check, "host_ld", host_ld, dst.cols);
    return check.status != PLS_OK ? check.status
                                  : device->backend->upload(device, host, host_ld, dst);
}

pls_status pls_download(pls_device *device, pls_view src, void *host, int64_t host_ld) {
    checker check = begin(device, "download");
    check_view(&check, "src", src);
    if (check.status != PLS_OK || is_empty(src)) {
        return check.status;
    }
    check_pointer(&check, "host", host);
    check_number(&check, "host_ld", host_ld, src.cols);
    return check.status != PLS_OK ? check.status
                                  : device->backend->download(device, src, host, host_ld);
}

pls_status pls_copy(pls_device *device, pls_view src, pls_view dst) {
    checker check = begin(device, "copy");
    check_view(&check, "src", src);
    check_matrix(&check, "dst", dst, dst.dtype, src.rows, src.cols);
    check_apart(&check, "dst", dst, "src", src);
    if (check.status != PLS_OK || is_empty(dst)) {
        return check.status;
    }
    return device->backend->copy(device, src, dst);
}

pls_status pls_fill(pls_device *device, double value, pls_view dst) {
    checker check = begin(device, "fill");
    check_view(&check, "dst", dst);
    if (check.status != PLS_OK || is_empty(dst)) {
        return check.status;
    }
    return device->backend->fill(device, value, dst);
}

pls_status pls_synchronize(pls_device *device) {
    return device->backend->synchronize(device);
}

pls_status pls_event_create(pls_device *device, pls_event **event) {
    checker check = begin(device, "event_create");
    check_pointer(&check, "event", event);
    return check.status != PLS_OK ? check.status : device->backend->event_create(device, event);
}

void pls_event_destroy(pls_device *device, pls_event *event) {
    if (event != NULL) {
        device->backend->event_destroy(device, event);
    }
}

pls_status pls_event_record(pls_device *device, pls_event *event) {
    checker check = begin(device, "event_record");
    check_pointer(&check, "event", event);
    return check.status != PLS_OK ? check.status : device->backend->event_record(device, event);
}

pls_status pls_event_elapsed(pls_device *device, pls_event *first, pls_event *second,
                             double *seconds) {
    checker check = begin(device, "event_elapsed");
    check_pointer(&check, "first", first);
    check_pointer(&check, "second", second);
    check_pointer(&check, "seconds", seconds);
    return check.status != PLS_OK ? check.status
                                  : device->backend->event_elapsed(device, first, second, seconds);
}

void pls_range_begin(pls_device *device, const char *name) {
    if (device->backend->range_begin != NULL) {
        device->backend->range_begin(device, name);
    }
}

void pls_range_end(pls_device *device) {
    if (device->backend->range_end != NULL) {
        device->backend->range_end(device);
    }
}

/* ---- dense products -------------------------------------------------------------------------- */

/* The conditions that gemm and gemm_batched share. */
static void check_gemm(checker *check, pls_transpose ta, pls_transpose tb, pls_view a, pls_view b,
                       pls_view c) {
    check_transpose(check, "ta", ta);
    check_transpose(check, "tb", tb);
    check_view(check, "a", a);
    int64_t m = ta == PLS_PLAIN ? a.rows : a.cols;
    int64_t p = ta == PLS_PLAIN ? a.cols : a.rows;
    int64_t n = tb == PLS_PLAIN ? b.cols : b.rows;
    check_matrix(check, "b", b, a.dtype, tb == PLS_PLAIN ? p : n, tb == PLS_PLAIN ? n : p);
    check_matrix(check, "c", c, a.dtype, m, n);
}

pls_status pls_gemm(pls_device *device, pls_transpose ta, pls_transpose tb, double alpha,
                    pls_view a, pls_view b, double beta, pls_view c) {
    checker check = begin(device, "gemm");
    check_gemm(&check, ta, tb, a, b, c);
    check_apart(&check, "c", c, "a", a);
    check_apart(&check, "c", c, "b", b);
    if (check.status != PLS_OK || is_empty(a) || is_empty(b)) {
        return check.status;
    }
    return device->backend->gemm(device, ta, tb, alpha, a, b, beta, c);
}

/* The view that covers `count` views at a distance of `stride`: a wider matrix when they lie side
 * by side within its ld, else one long row. Checked to lie inside the buffer. */
static pls_view check_batch(checker *check, const char *name, pls_view view, int64_t stride,
                            int64_t count) {
    int64_t shift = 0, extent = 0;
    pls_view hull = view;
    check_number(check, name, stride, 0);
    if (check->status != PLS_OK || is_empty(view)) {
        return view;
    }
    shift = check_product(check, name, stride, count - 1);
    if (check->status != PLS_OK || !view_extent(view, &extent) ||
        !pls_add(shift, view.cols, &hull.cols) || hull.cols > view.ld) {
        hull.rows = 1;
        hull.cols = shift <= INT64_MAX - extent ? shift + extent : INT64_MAX;
        hull.ld = hull.cols;
    }
    check_view(check, name, hull);
    return hull;
}

pls_status pls_gemm_batched(pls_device *device, pls_transpose ta, pls_transpose tb, double alpha,
                            pls_view a, int64_t stride_a, pls_view b, int64_t stride_b, double beta,
                            pls_view c, int64_t stride_c, int64_t count) {
    checker check = begin(device, "gemm_batched");
    check_number(&check, "count", count, 0);
    check_gemm(&check, ta, tb, a, b, c);
    if (check.status != PLS_OK || count == 0) {
        return check.status;
    }
    pls_view all_a = check_batch(&check, "a with its stride", a, stride_a, count);
    pls_view all_b = check_batch(&check, "b with its stride", b, stride_b, count);
    pls_view all_c = check_batch(&check, "c with its stride", c, stride_c, count);
    check_apart(&check, "c", all_c, "a", all_a);
    check_apart(&check, "c", all_c, "b", all_b);
    /* Problems of c lie one after the other or side by side. */
    int64_t extent = 0;
    bool side_by_side = stride_c >= c.cols && all_c.rows == c.rows;
    if (check.status == PLS_OK && count > 1 && view_extent(c, &extent) && stride_c < extent &&
        !side_by_side) {
        refuse(&check, "c with its stride", "a stride of %lld makes outputs of %lld x %lld overlap",
               (long long)stride_c, (long long)c.rows, (long long)c.cols);
    }
    if (check.status != PLS_OK || is_empty(a) || is_empty(b)) {
        return check.status;
    }
    return device->backend->gemm_batched(device, ta, tb, alpha, a, stride_a, b, stride_b, beta, c,
                                         stride_c, count);
}

pls_status pls_syrk(pls_device *device, double alpha, pls_view a, double beta, pls_view c) {
    checker check = begin(device, "syrk");
    check_view(&check, "a", a);
    check_matrix(&check, "c", c, a.dtype, a.rows, a.rows);
    check_apart(&check, "c", c, "a", a);
    if (check.status != PLS_OK || is_empty(a)) {
        return check.status;
    }
    return device->backend->syrk(device, alpha, a, beta, c);
}

pls_status pls_gram(pls_device *device, pls_gram_arithmetic arithmetic, pls_view a, pls_view b,
                    double beta, pls_view c, pls_view workspace) {
    checker check = begin(device, "gram");
    bool lower = pls_view_is_none(b);
    if (arithmetic != PLS_GRAM_F64 && arithmetic != PLS_GRAM_SPLIT) {
        refuse(&check, "arithmetic", "it is %d, neither f64 nor split", (int)arithmetic);
    }
    check_view(&check, "a", a);
    if (!lower) {
        check_matrix(&check, "b", b, a.dtype, b.rows, a.cols);
    }
    check_matrix(&check, "c", c, PLS_F64, a.rows, lower ? a.rows : b.rows);
    if (check.status == PLS_OK && beta != 0.0 && beta != 1.0) {
        refuse(&check, "beta", "it is %g where 0 or 1 was expected", beta);
    }
    check_apart(&check, "c", c, "a", a);
    check_apart(&check, "c", c, "b", b);
    if (check.status != PLS_OK || is_empty(a) || is_empty(c)) {
        return check.status;
    }
    int64_t needed = pls_gram_workspace(arithmetic, a.dtype, a.rows, b.rows, a.cols);
    if (needed > 0) {
        check_view(&check, "workspace", workspace);
        check_dtype(&check, "workspace", workspace, PLS_F64);
        if (check.status == PLS_OK &&
            (!pls_view_is_contiguous(workspace) || pls_view_count(workspace) < needed)) {
            refuse(&check, "workspace", "%lld contiguous elements are needed, it is %lld x %lld",
                   (long long)needed, (long long)workspace.rows, (long long)workspace.cols);
        }
        check_apart(&check, "workspace", workspace, "a", a);
        check_apart(&check, "workspace", workspace, "b", b);
        check_apart(&check, "workspace", workspace, "c", c);
    }
    if (check.status != PLS_OK) {
        return check.status;
    }
    return device->backend->gram(device, arithmetic, a, b, beta, c, workspace);
}

const char *pls_gram_description(const pls_device *device, pls_gram_arithmetic arithmetic,
                                 pls_dtype dtype) {
    return device->backend->gram_description(arithmetic, dtype);
}

/* ---- elementwise ----------------------------------------------------------------------------- */

pls_status pls_axpby(pls_device *device, double alpha, pls_view x, double beta, pls_view y) {
    checker check = begin(device, "axpby");
    check_view(&check, "x", x);
    check_matrix(&check, "y", y, x.dtype, x.rows, x.cols);
    check_apart(&check, "y", y, "x", x);
    if (check.status != PLS_OK || is_empty(y)) {
        return check.status;
    }
    return device->backend->axpby(device, alpha, x, beta, y);
}

pls_status pls_multiply_accumulate(pls_device *device, double alpha, pls_view x, pls_view y,
                                   pls_view out) {
    checker check = begin(device, "multiply_accumulate");
    check_view(&check, "x", x);
    check_matrix(&check, "y", y, x.dtype, x.rows, x.cols);
    check_matrix(&check, "out", out, x.dtype, x.rows, x.cols);
    check_apart(&check, "out", out, "x", x);
    check_apart(&check, "out", out, "y", y);
    if (check.status != PLS_OK || is_empty(out)) {
        return check.status;
    }
    return device->backend->multiply_accumulate(device, alpha, x, y, out);
}

pls_status pls_bias_activation(pls_device *device, pls_activation phi, double t, pls_view bias,
                               pls_view z, pls_view a) {
    checker check = begin(device, "bias_activation");
    check_activation(&check, phi);
    check_view(&check, "z", z);
    check_matrix(&check, "a", a, z.dtype, z.rows, z.cols);
    if (!pls_view_is_none(bias)) {
        check_matrix(&check, "bias", bias, z.dtype, 1, z.cols);
    }
    check_apart(&check, "a", a, "z", z);
    check_apart(&check, "a", a, "bias", bias);
    check_apart(&check, "z", z, "bias", bias);
    if (check.status != PLS_OK || is_empty(z)) {
        return check.status;
    }
    return device->backend->bias_activation(device, phi, t, bias, z, a);
}

pls_status pls_activation_derivative(pls_device *device, pls_activation phi, int order,
                                     int64_t repeat, pls_view z, pls_view d) {
    checker check = begin(device, "activation_derivative");
    check_activation(&check, phi);
    if (check.status == PLS_OK && order != 1 && order != 2) {
        refuse(&check, "order", "it is %d where 1 or 2 was expected", order);
    }
    check_number(&check, "repeat", repeat, 1);
    check_view(&check, "z", z);
    int64_t rows = check_product(&check, "z.rows times repeat", z.rows, repeat);
    check_matrix(&check, "d", d, z.dtype, rows, z.cols);
    check_apart(&check, "d", d, "z", z);
    if (check.status != PLS_OK || is_empty(d)) {
        return check.status;
    }
    return device->backend->activation_derivative(device, phi, order, repeat, z, d);
}

pls_status pls_hadamard_accumulate(pls_device *device, double alpha, pls_view g, double gamma,
                                   int64_t k, pls_view d, pls_view c, bool lower) {
    checker check = begin(device, "hadamard_accumulate");
    check_number(&check, "k", k, 1);
    check_view(&check, "g", g);
    check_dtype(&check, "g", g, PLS_F64);
    int64_t rows = check_product(&check, "g.rows times k", g.rows, k);
    int64_t cols = check_product(&check, "g.cols times k", g.cols, k);
    check_matrix(&check, "d", d, PLS_F64, rows, cols);
    check_matrix(&check, "c", c, PLS_F64, rows, cols);
    if (lower) {
        check_square(&check, "c", c);
    }
    check_apart(&check, "c", c, "g", g);
    check_apart(&check, "c", c, "d", d);
    if (check.status != PLS_OK || is_empty(c)) {
        return check.status;
    }
    return device->backend->hadamard_accumulate(device, alpha, g, gamma, k, d, c, lower);
}

pls_status pls_position_accumulate(pls_device *device, double alpha, pls_view g, double gamma,
                                   int64_t k, int64_t h, pls_view d, pls_view c, bool lower) {
    checker check = begin(device, "position_accumulate");
    check_number(&check, "k", k, 1);
    check_number(&check, "h", h, 1);
    check_view(&check, "g", g);
    check_dtype(&check, "g", g, PLS_F64);
    if (check.status == PLS_OK && (g.rows % h != 0 || g.cols % h != 0)) {
        refuse(&check, "g", "it is %lld x %lld, not a multiple of h = %lld", (long long)g.rows,
               (long long)g.cols, (long long)h);
    }
    int64_t rows = check_product(&check, "g.rows times k", g.rows, k);
    int64_t cols = check_product(&check, "g.cols times k", g.cols, k);
    check_matrix(&check, "d", d, PLS_F64, rows, cols);
    if (check.status == PLS_OK) {
        check_matrix(&check, "c", c, PLS_F64, rows / h, cols / h);
    }
    if (lower) {
        check_square(&check, "c", c);
    }
    check_apart(&check, "c", c, "g", g);
    check_apart(&check, "c", c, "d", d);
    if (check.status != PLS_OK || is_empty(c)) {
        return check.status;
    }
    return device->backend->position_accumulate(device, alpha, g, gamma, k, h, d, c, lower);
}

pls_status pls_outer_rows(pls_device *device, double alpha, int64_t k, pls_view d, pls_view a,
                          pls_view rows) {
    checker check = begin(device, "outer_rows");
    check_number(&check, "k", k, 1);
    check_view(&check, "a", a);
    int64_t samples = check_product(&check, "a.rows times k", a.rows, k);
    check_matrix(&check, "d", d, a.dtype, samples, d.cols);
    int64_t parameters = check_product(&check, "d.cols times a.cols", d.cols, a.cols);
    check_matrix(&check, "rows", rows, a.dtype, samples, parameters);
    check_apart(&check, "rows", rows, "d", d);
    check_apart(&check, "rows", rows, "a", a);
    if (check.status != PLS_OK || is_empty(rows)) {
        return check.status;
    }
    return device->backend->outer_rows(device, alpha, k, d, a, rows);
}

pls_status pls_unit_rows(pls_device *device, int64_t k, pls_view d) {
    checker check = begin(device, "unit_rows");
    check_number(&check, "k", k, 1);
    check_view(&check, "d", d);
    if (check.status == PLS_OK && (d.cols != k || d.rows % k != 0)) {
        refuse(&check, "d", "it is %lld x %lld where (n %lld) x %lld was expected",
               (long long)d.rows, (long long)d.cols, (long long)k, (long long)k);
    }
    if (check.status != PLS_OK || is_empty(d)) {
        return check.status;
    }
    return device->backend->unit_rows(device, k, d);
}

pls_status pls_add_diagonal(pls_device *device, double alpha, pls_view a) {
    checker check = begin(device, "add_diagonal");
    check_view(&check, "a", a);
    check_square(&check, "a", a);
    if (check.status != PLS_OK || is_empty(a)) {
        return check.status;
    }
    return device->backend->add_diagonal(device, alpha, a);
}

pls_status pls_symmetrize(pls_device *device, pls_view a) {
    checker check = begin(device, "symmetrize");
    check_view(&check, "a", a);
    check_square(&check, "a", a);
    if (check.status != PLS_OK || is_empty(a)) {
        return check.status;
    }
    return device->backend->symmetrize(device, a);
}

pls_status pls_gather_rows(pls_device *device, pls_view src, const int64_t *rows, pls_view dst) {
    checker check = begin(device, "gather_rows");
    check_view(&check, "src", src);
    check_matrix(&check, "dst", dst, src.dtype, dst.rows, src.cols);
    check_apart(&check, "dst", dst, "src", src);
    if (check.status != PLS_OK || is_empty(dst)) {
        return check.status;
    }
    check_pointer(&check, "rows", rows);
    for (int64_t i = 0; check.status == PLS_OK && i < dst.rows; i++) {
        if (rows[i] < 0 || rows[i] >= src.rows) {
            refuse(&check, "rows", "index %lld is %lld, src has %lld rows", (long long)i,
                   (long long)rows[i], (long long)src.rows);
        }
    }
    if (check.status != PLS_OK) {
        return check.status;
    }
    return device->backend->gather_rows(device, src, rows, dst);
}

/* ---- losses ---------------------------------------------------------------------------------- */

static void check_loss(checker *check, pls_view f, pls_view y, pls_view residual, pls_view losses) {
    check_view(check, "f", f);
    check_matrix(check, "y", y, f.dtype, f.rows, f.cols);
    check_matrix(check, "residual", residual, f.dtype, f.rows, f.cols);
    check_matrix(check, "losses", losses, PLS_F64, f.rows, 1);
    check_apart(check, "residual", residual, "f", f);
    check_apart(check, "residual", residual, "y", y);
    check_apart(check, "losses", losses, "f", f);
    check_apart(check, "losses", losses, "y", y);
    check_apart(check, "losses", losses, "residual", residual);
}

pls_status pls_square_loss(pls_device *device, pls_view f, pls_view y, pls_view residual,
                           pls_view losses) {
    checker check = begin(device, "square_loss");
    check_loss(&check, f, y, residual, losses);
    if (check.status != PLS_OK || is_empty(f)) {
        return check.status;
    }
    return device->backend->square_loss(device, f, y, residual, losses);
}

pls_status pls_cross_entropy_loss(pls_device *device, pls_view f, pls_view y, pls_view residual,
                                  pls_view losses) {
    checker check = begin(device, "cross_entropy_loss");
    check_loss(&check, f, y, residual, losses);
    if (check.status != PLS_OK || is_empty(f)) {
        return check.status;
    }
    return device->backend->cross_entropy_loss(device, f, y, residual, losses);
}

pls_status pls_softmax_product(pls_device *device, pls_view f, pls_view y, pls_view v,
                               pls_view out) {
    checker check = begin(device, "softmax_product");
    check_view(&check, "f", f);
    check_matrix(&check, "y", y, f.dtype, f.rows, f.cols);
    check_matrix(&check, "v", v, f.dtype, f.rows, f.cols);
    check_matrix(&check, "out", out, f.dtype, f.rows, f.cols);
    check_apart(&check, "out", out, "f", f);
    check_apart(&check, "out", out, "y", y);
    check_apart(&check, "out", out, "v", v);
    if (check.status != PLS_OK || is_empty(f)) {
        return check.status;
    }
    return device->backend->softmax_product(device, f, y, v, out);
}

/* ---- reductions ------------------------------------------------------------------------------ */

static void check_reduction(checker *check, pls_view x, pls_view out) {
    check_view(check, "x", x);
    check_matrix(check, "out", out, PLS_F64, 1, 1);
    check_apart(check, "out", out, "x", x);
}

pls_status pls_sum(pls_device *device, pls_view x, pls_view out) {
    checker check = begin(device, "sum");
    check_reduction(&check, x, out);
    if (check.status != PLS_OK || is_empty(x)) {
        return check.status;
    }
    return device->backend->sum(device, x, out);
}

pls_status pls_max_abs(pls_device *device, pls_view x, pls_view out) {
    checker check = begin(device, "max_abs");
    check_reduction(&check, x, out);
    if (check.status != PLS_OK || is_empty(x)) {
        return check.status;
    }
    return device->backend->max_abs(device, x, out);
}

pls_status pls_dot(pls_device *device, pls_view x, pls_view y, pls_view out) {
    checker check = begin(device, "dot");
    check_reduction(&check, x, out);
    check_matrix(&check, "y", y, x.dtype, x.rows, x.cols);
    check_apart(&check, "out", out, "y", y);
    if (check.status != PLS_OK || is_empty(x)) {
        return check.status;
    }
    return device->backend->dot(device, x, y, out);
}

pls_status pls_squared_distance(pls_device *device, pls_view x, pls_view y, pls_view out) {
    checker check = begin(device, "squared_distance");
    check_reduction(&check, x, out);
    check_matrix(&check, "y", y, x.dtype, x.rows, x.cols);
    check_apart(&check, "out", out, "y", y);
    if (check.status != PLS_OK || is_empty(x)) {
        return check.status;
    }
    return device->backend->squared_distance(device, x, y, out);
}

pls_status pls_column_sum(pls_device *device, double alpha, pls_view x, double beta, pls_view out) {
    checker check = begin(device, "column_sum");
    check_view(&check, "x", x);
    check_matrix(&check, "out", out, x.dtype, 1, x.cols);
    check_apart(&check, "out", out, "x", x);
    if (check.status != PLS_OK || is_empty(x)) {
        return check.status;
    }
    return device->backend->column_sum(device, alpha, x, beta, out);
}

/* ---- random fills ---------------------------------------------------------------------------- */

pls_status pls_random_uniform(pls_device *device, pls_random_stream stream, int64_t first,
                              double low, double high, pls_view dst) {
    checker check = begin(device, "random_uniform");
    check_number(&check, "first", first, 0);
    check_view(&check, "dst", dst);
    if (check.status != PLS_OK || is_empty(dst)) {
        return check.status;
    }
    return device->backend->random_uniform(device, stream, first, low, high, dst);
}

pls_status pls_random_normal(pls_device *device, pls_random_stream stream, int64_t first,
                             double scale, pls_view dst) {
    checker check = begin(device, "random_normal");
    check_number(&check, "first", first, 0);
    check_view(&check, "dst", dst);
    if (check.status != PLS_OK || is_empty(dst)) {
        return check.status;
    }
    return device->backend->random_normal(device, stream, first, scale, dst);
}

/* ---- factorisation and eigenvalues ----------------------------------------------------------- */

pls_status pls_potrf(pls_device *device, pls_view a, int64_t *failed_minor) {
    checker check = begin(device, "potrf");
    check_pointer(&check, "failed_minor", failed_minor);
    check_view(&check, "a", a);
    check_dtype(&check, "a", a, PLS_F64);
    check_square(&check, "a", a);
    if (check.status != PLS_OK) {
        return check.status;
    }
    *failed_minor = 0;
    return is_empty(a) ? PLS_OK : device->backend->potrf(device, a, failed_minor);
}

pls_status pls_potrs(pls_device *device, pls_view l, pls_view x) {
    checker check = begin(device, "potrs");
    check_view(&check, "l", l);
    check_dtype(&check, "l", l, PLS_F64);
    check_square(&check, "l", l);
    check_matrix(&check, "x", x, PLS_F64, l.rows, x.cols);
    check_apart(&check, "x", x, "l", l);
    if (check.status != PLS_OK || is_empty(x)) {
        return check.status;
    }
    return device->backend->potrs(device, l, x);
}

pls_status pls_syevd(pls_device *device, bool vectors, pls_view a, pls_view values) {
    checker check = begin(device, "syevd");
    check_view(&check, "a", a);
    check_dtype(&check, "a", a, PLS_F64);
    check_square(&check, "a", a);
    check_matrix(&check, "values", values, PLS_F64, 1, a.rows);
    check_apart(&check, "values", values, "a", a);
    if (check.status != PLS_OK || is_empty(a)) {
        return check.status;
    }
    return device->backend->syevd(device, vectors, a, values);
}

pls_status pls_symv(pls_device *device, double alpha, pls_view a, pls_view x, double beta,
                    pls_view y) {
    checker check = begin(device, "symv");
    check_view(&check, "a", a);
    check_dtype(&check, "a", a, PLS_F64);
    check_square(&check, "a", a);
    check_matrix(&check, "x", x, PLS_F64, a.rows, 1);
    check_matrix(&check, "y", y, PLS_F64, a.rows, 1);
    check_apart(&check, "y", y, "a", a);
    check_apart(&check, "y", y, "x", x);
    if (check.status != PLS_OK || is_empty(a)) {
        return check.status;
    }
    return device->backend->symv(device, alpha, a, x, beta, y);
}

/* ---- images ---------------------------------------------------------------------------------- */

static void check_offered(checker *check, bool offered) {
    if (check->status == PLS_OK && !offered) {
        check->status = pls_fail(check->device->context, PLS_ERROR_UNSUPPORTED,
                                 "%s: the %s backend has no such operation; take the cpu device",
                                 check->operation, check->device->backend->name);
    }
}

/* Checks the sizes of the image; returns channels * height * width. */
static int64_t check_image(checker *check, pls_image image) {
    check_number(check, "image.channels", image.channels, 1);
    check_number(check, "image.height", image.height, 1);
    check_number(check, "image.width", image.width, 1);
    int64_t area = check_product(check, "image", image.height, image.width);
    return check_product(check, "image", area, image.channels);
}

/* images: n x (c h w), patches: (n h w) x (c kernel^2) */
static void check_patches(checker *check, pls_image image, int64_t kernel, const char *images_name,
                          pls_view images, const char *patches_name, pls_view patches) {
    int64_t size = check_image(check, image);
    check_number(check, "kernel", kernel, 1);
    if (check->status == PLS_OK && kernel % 2 == 0) {
        refuse(check, "kernel", "%lld is even", (long long)kernel);
    }
    int64_t taps = check_product(check, "kernel", kernel, kernel);
    int64_t cols = check_product(check, "kernel", taps, image.channels);
    check_matrix(check, images_name, images, images.dtype, images.rows, size);
    int64_t rows = check_product(check, patches_name, images.rows, image.height * image.width);
    check_matrix(check, patches_name, patches, images.dtype, rows, cols);
}

/* fine: n x (c h w), coarse: n x (c h/size w/size) */
static void check_pool(checker *check, pls_image image, int64_t size, const char *fine_name,
                       pls_view fine, const char *coarse_name, pls_view coarse) {
    int64_t cols = check_image(check, image);
    check_number(check, "size", size, 1);
    if (check->status == PLS_OK && (image.height % size != 0 || image.width % size != 0)) {
        refuse(check, "size", "%lld x %lld pixels are not a multiple of %lld",
               (long long)image.height, (long long)image.width, (long long)size);
    }
    check_matrix(check, fine_name, fine, fine.dtype, fine.rows, cols);
    check_matrix(check, coarse_name, coarse, fine.dtype, fine.rows,
                 check->status == PLS_OK ? cols / size / size : 0);
}

pls_status pls_im2col(pls_device *device, pls_image image, int64_t kernel, pls_view src,
                      pls_view dst) {
    checker check = begin(device, "im2col");
    check_patches(&check, image, kernel, "src", src, "dst", dst);
    check_apart(&check, "dst", dst, "src", src);
    check_offered(&check, device->backend->im2col != NULL);
    if (check.status != PLS_OK || is_empty(src)) {
        return check.status;
    }
    return device->backend->im2col(device, image, kernel, src, dst);
}

pls_status pls_col2im(pls_device *device, pls_image image, int64_t kernel, pls_view src,
                      pls_view dst) {
    checker check = begin(device, "col2im");
    check_patches(&check, image, kernel, "dst", dst, "src", src);
    check_apart(&check, "dst", dst, "src", src);
    check_offered(&check, device->backend->col2im != NULL);
    if (check.status != PLS_OK || is_empty(dst)) {
        return check.status;
    }
    return device->backend->col2im(device, image, kernel, src, dst);
}

pls_status pls_average_pool(pls_device *device, pls_image image, int64_t size, pls_view src,
                            pls_view dst) {
    checker check = begin(device, "average_pool");
    check_pool(&check, image, size, "src", src, "dst", dst);
    check_apart(&check, "dst", dst, "src", src);
    check_offered(&check, device->backend->average_pool != NULL);
    if (check.status != PLS_OK || is_empty(src)) {
        return check.status;
    }
    return device->backend->average_pool(device, image, size, src, dst);
}

pls_status pls_average_pool_backward(pls_device *device, pls_image image, int64_t size,
                                     pls_view src, pls_view dst) {
    checker check = begin(device, "average_pool_backward");
    check_pool(&check, image, size, "dst", dst, "src", src);
    check_apart(&check, "dst", dst, "src", src);
    check_offered(&check, device->backend->average_pool_backward != NULL);
    if (check.status != PLS_OK || is_empty(dst)) {
        return check.status;
    }
    return device->backend->average_pool_backward(device, image, size, src, dst);
}
