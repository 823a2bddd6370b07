/* Runs a case of the table: fills operands, plants sentinels, calls and compares. */
#include "operations.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NaN with a mark: a sentinel that is read shows in the results, one that is overwritten in its
 * bits. */
static const uint64_t sentinel_f64 = 0x7ff8dead0000beefu, blank_f64 = 0x7ff8000000000abcu;
static const uint32_t sentinel_f32 = 0x7fc0deadu, blank_f32 = 0x7fc00abcu;

/* Elements of sentinels before and after: an odd number, or one that leaves the operand aligned to
 * 16 bytes, by the padding, so that both ways of a backend to move elements are taken. */
static int64_t margin_of(const trial *t) {
    return t->given.padding % 4 == 0 ? 16 : 13;
}

static void complain(trial *t, const char *format, ...) {
    if (t->message[0] == '\0') {
        const operation_case *c = &t->given;
        int used = snprintf(t->message, sizeof t->message,
                            "%s %s m=%lld n=%lld p=%lld +%lld #%d: ", c->operation->name,
                            pls_dtype_name(c->dtype), (long long)c->m, (long long)c->n,
                            (long long)c->p, (long long)c->padding, c->variant);
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(t->message + used, sizeof t->message - (size_t)used, format, arguments);
        va_end(arguments);
    }
}

double trial_number(uint64_t index) {
    uint64_t x = (index + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (double)((x ^ (x >> 31)) >> 11) * 0x1p-52 - 1.0;
}

static double round_to(pls_dtype dtype, double value) {
    return dtype == PLS_F32 ? (double)(float)value : value;
}

static void write_raw(unsigned char *raw, pls_dtype dtype, int64_t index, double value) {
    float single = (float)value;
    if (dtype == PLS_F32) {
        memcpy(raw + index * 4, &single, 4);
    } else {
        memcpy(raw + index * 8, &value, 8);
    }
}

static double read_raw(const unsigned char *raw, pls_dtype dtype, int64_t index) {
    float single = 0.0f;
    double value = 0.0;
    if (dtype == PLS_F32) {
        memcpy(&single, raw + index * 4, 4);
        return (double)single;
    }
    memcpy(&value, raw + index * 8, 8);
    return value;
}

static void mark_raw(unsigned char *raw, pls_dtype dtype, int64_t index, bool blank) {
    if (dtype == PLS_F32) {
        memcpy(raw + index * 4, blank ? &blank_f32 : &sentinel_f32, 4);
    } else {
        memcpy(raw + index * 8, blank ? &blank_f64 : &sentinel_f64, 8);
    }
}

static int64_t raw_index(const operand *o, int64_t element) {
    return o->view.offset + element / o->cols * o->view.ld + element % o->cols;
}

static bool same_raw(const operand *o, int64_t index) {
    int64_t size = pls_dtype_size(o->view.dtype);
    return memcmp(o->raw + index * size, o->raw_after + index * size, (size_t)size) == 0;
}

static pls_view whole(const operand *o) {
    int64_t count = o->raw_bytes / pls_dtype_size(o->view.dtype);
    pls_view view = {o->buffer, 0, 1, count, count, o->view.dtype};
    return view;
}

void trial_operand(trial *t, const char *name, operand_role role, pls_dtype dtype, int64_t rows,
                   int64_t cols) {
    operand *o = &t->operands[t->count++];
    int64_t ld = cols + (role == OPERAND_SCRATCH ? 0 : t->given.padding);
    int64_t margin = t->outline ? 0 : margin_of(t);
    int64_t count = 2 * margin + rows * ld;
    size_t elements = (size_t)(rows * cols) + 1;
    o->name = name;
    o->role = role;
    o->rows = rows;
    o->cols = cols;
    o->size = rows * cols;
    o->raw_bytes = count * pls_dtype_size(dtype);
    o->view = (pls_view){NULL, margin, rows, cols, ld, dtype};
    if (t->outline) {
        return;
    }
    o->before = calloc(elements, sizeof(double));
    o->after = calloc(elements, sizeof(double));
    o->expected = calloc(elements, sizeof(double));
    o->scale = calloc(elements, sizeof(double));
    o->keep = calloc(elements, sizeof(bool));
    o->raw = calloc((size_t)count, (size_t)pls_dtype_size(dtype));
    o->raw_after = calloc((size_t)count, (size_t)pls_dtype_size(dtype));
    bool blank = role == OPERAND_OUTPUT || role == OPERAND_SCRATCH;
    for (int64_t e = 0; e < o->size; e++) {
        o->before[e] = blank ? (double)NAN
                             : round_to(dtype, trial_number((uint64_t)e * 8 + (uint64_t)t->count));
    }
}

double trial_before(const trial *t, int index, int64_t i, int64_t j) {
    return t->operands[index].before[i * t->operands[index].cols + j];
}

double trial_after(const trial *t, int index, int64_t i, int64_t j) {
    return t->operands[index].after[i * t->operands[index].cols + j];
}

void trial_set(trial *t, int index, int64_t i, int64_t j, double value) {
    operand *o = &t->operands[index];
    o->before[i * o->cols + j] = round_to(o->view.dtype, value);
}

void trial_expect(trial *t, int index, int64_t i, int64_t j, long double value, long double scale) {
    operand *o = &t->operands[index];
    o->expected[i * o->cols + j] = (double)value;
    o->scale[i * o->cols + j] = (double)scale;
}

void trial_keep(trial *t, int index, int64_t i, int64_t j, bool as_nan) {
    operand *o = &t->operands[index];
    o->keep[i * o->cols + j] = true;
    if (as_nan) {
        o->before[i * o->cols + j] = (double)NAN;
    }
}

bool trial_open(trial *t, pls_device *device, operation_case given) {
    memset(t, 0, sizeof *t);
    t->device = device;
    t->given = given;
    given.operation->declare(t);
    if (given.operation->prepare != NULL) {
        given.operation->prepare(t);
    }
    for (int index = 0; index < t->count; index++) {
        operand *o = &t->operands[index];
        pls_dtype dtype = o->view.dtype;
        for (int64_t e = 0; e < o->raw_bytes / pls_dtype_size(dtype); e++) {
            mark_raw(o->raw, dtype, e, false);
        }
        for (int64_t e = 0; e < o->size; e++) {
            if (isnan(o->before[e])) {
                mark_raw(o->raw, dtype, raw_index(o, e), true);
            } else {
                write_raw(o->raw, dtype, raw_index(o, e), o->before[e]);
            }
        }
        if (pls_buffer_allocate(device, o->raw_bytes, &o->buffer) != PLS_OK) {
            complain(t, "%s", pls_error_text(device->context));
            return false;
        }
        o->view.buffer = o->buffer;
        pls_view all = whole(o);
        if (pls_upload(device, o->raw, all.ld, all) != PLS_OK) {
            complain(t, "%s", pls_error_text(device->context));
        }
    }
    return t->message[0] == '\0';
}

/* Sentinels around the view and in its padding, and elements that are to stay, kept their bits. */
static void check_untouched(trial *t, operand *o) {
    int64_t size = pls_dtype_size(o->view.dtype);
    int64_t count = o->raw_bytes / size, next = 0;
    for (int64_t e = 0; e <= o->size; e++) {
        int64_t index = e < o->size ? raw_index(o, e) : count;
        for (; next < index; next++) {
            if (!same_raw(o, next)) {
                complain(t, "%s: the sentinel at element %lld of its buffer was overwritten",
                         o->name, (long long)next);
            }
        }
        next = index + 1;
        bool fixed = e < o->size && (o->role == OPERAND_INPUT || o->keep[e]);
        if (fixed && !same_raw(o, index)) {
            complain(t, "%s: element (%lld, %lld) changed", o->name, (long long)(e / o->cols),
                     (long long)(e % o->cols));
        }
    }
}

static void check_results(trial *t, operand *o) {
    double roundoff = pls_dtype_roundoff(o->view.dtype);
    double smallest = o->view.dtype == PLS_F32 ? 0x1p-126 : 0x1p-1022; /* results may underflow */
    for (int64_t e = 0; e < o->size; e++) {
        if (o->keep[e]) {
            continue;
        }
        double error = fabs(o->after[e] - o->expected[e]);
        double residual = error == 0.0 ? 0.0 : error / (roundoff * (o->scale[e] + smallest));
        if (o->after[e] == o->expected[e] || (isnan(o->after[e]) && isnan(o->expected[e]))) {
            residual = 0.0;
        }
        if (!(residual <= t->residual)) {
            t->residual = residual;
        }
        if (!(residual <= t->given.operation->failed_limit)) {
            complain(t, "%s(%lld, %lld) = %.17g, expected %.17g: %.3g times the roundoff", o->name,
                     (long long)(e / o->cols), (long long)(e % o->cols), o->after[e],
                     o->expected[e], residual);
            return;
        }
    }
}

bool trial_run(trial *t) {
    const operation *tested = t->given.operation;
    if (tested->call(t) != PLS_OK) {
        complain(t, "%s", pls_error_text(t->device->context));
        return false;
    }
    for (int index = 0; index < t->count; index++) {
        operand *o = &t->operands[index];
        pls_view all = whole(o);
        if (pls_download(t->device, all, o->raw_after, all.ld) != PLS_OK) {
            complain(t, "%s", pls_error_text(t->device->context));
            return false;
        }
        for (int64_t e = 0; e < o->size; e++) {
            o->after[e] = read_raw(o->raw_after, o->view.dtype, raw_index(o, e));
        }
        check_untouched(t, o);
    }
    if (tested->verify != NULL) {
        t->residual = tested->verify(t);
        if (!(t->residual <= tested->failed_limit)) {
            complain(t, "the residual is %.3g times the roundoff", t->residual);
        }
        return t->message[0] == '\0';
    }
    tested->reference(t);
    for (int index = 0; index < t->count; index++) {
        operand_role role = t->operands[index].role;
        if (role == OPERAND_OUTPUT || role == OPERAND_INOUT) {
            check_results(t, &t->operands[index]);
        }
    }
    return t->message[0] == '\0';
}

void trial_close(trial *t) {
    for (int index = 0; index < t->count; index++) {
        operand *o = &t->operands[index];
        pls_buffer_release(t->device, o->buffer);
        free(o->before);
        free(o->after);
        free(o->expected);
        free(o->scale);
        free(o->keep);
        free(o->raw);
        free(o->raw_after);
    }
    t->count = 0;
}

void trial_outline(trial *t, pls_device *device, operation_case given) {
    memset(t, 0, sizeof *t);
    t->device = device;
    t->given = given;
    t->outline = true;
    given.operation->declare(t);
}

double trial_operand_bytes(const trial *t, int index) {
    const operand *o = &t->operands[index];
    double times = o->role == OPERAND_INOUT ? 2.0 : o->role == OPERAND_SCRATCH ? 0.0 : 1.0;
    return times * (double)o->size * (double)pls_dtype_size(o->view.dtype);
}

double trial_bytes(const trial *t) {
    double bytes = 0.0;
    if (t->given.operation->bytes != NULL) {
        return t->given.operation->bytes(t);
    }
    for (int index = 0; index < t->count; index++) {
        bytes += trial_operand_bytes(t, index);
    }
    return bytes;
}
