/* Random fills: element e of a stream is a function of e alone (base/philox.h), so that any split
 * of a fill into views gives the same numbers.
 *
 * A block of Philox gives the elements 2b and 2b+1. Blocks are made in batches, kind by kind in
 * arrays, so that the compiler can vectorise each step. */
#include "backend/cpu/cpu.h"
#include "backend/normal.h"

enum { BATCH = 64 }; /* blocks */

typedef struct random_arguments {
    pls_random_stream stream;
    uint64_t first;
    bool normal;
    double scale, shift;
    pls_view dst;
} random_arguments;

/* u[i], v[i]: the two units of block first + i. */
static void unit_batch(pls_random_stream stream, uint64_t first, double *u, double *v) {
    for (int i = 0; i < BATCH; i++) {
        philox4x32_ctr_t w = pls_philox_block(stream, first + (uint64_t)i);
        u[i] = pls_philox_unit(w.v[1], w.v[0]);
        v[i] = pls_philox_unit(w.v[3], w.v[2]);
    }
}

/* values[2i], values[2i+1] = scale * the elements of block first + i, + shift */
static void element_batch(const random_arguments *given, uint64_t first, double *values) {
    double u[BATCH], v[BATCH];
    unit_batch(given->stream, first, u, v);
    if (given->normal) {
        double even[BATCH], odd[BATCH];
        for (int i = 0; i < BATCH; i++) {
            pls_box_muller(u[i], v[i], &even[i], &odd[i]);
        }
        for (int i = 0; i < BATCH; i++) {
            values[2 * i] = given->scale * even[i];
            values[2 * i + 1] = given->scale * odd[i];
        }
    } else {
        for (int i = 0; i < BATCH; i++) {
            values[2 * i] = given->shift + given->scale * u[i];
            values[2 * i + 1] = given->shift + given->scale * v[i];
        }
    }
}

static void random_piece(const void *arguments, int64_t row, int64_t col, int64_t count) {
    const random_arguments *given = arguments;
    uint64_t element = given->first + (uint64_t)(row * given->dst.cols + col);
    double values[2 * BATCH];
    for (int64_t done = 0; done < count;) {
        uint64_t skip = element % 2;
        int64_t length = pls_least(2 * BATCH - (int64_t)skip, count - done);
        element_batch(given, element / 2, values);
        if (given->dst.dtype == PLS_F32) {
            float *dst = pls_f32_at(given->dst, row, col + done);
            for (int64_t j = 0; j < length; j++) {
                dst[j] = (float)values[skip + (uint64_t)j];
            }
        } else {
            double *dst = pls_f64_at(given->dst, row, col + done);
            for (int64_t j = 0; j < length; j++) {
                dst[j] = values[skip + (uint64_t)j];
            }
        }
        done += length;
        element += (uint64_t)length;
    }
}

static void fill(pls_device *device, random_arguments given) {
    if (pls_view_is_contiguous(given.dst)) {
        given.dst = pls_view_reshape(given.dst, 1, pls_view_count(given.dst));
    }
    pls_cpu_for_elements(device, given.dst.rows, given.dst.cols, random_piece, &given);
}

pls_status pls_cpu_random_uniform(pls_device *device, pls_random_stream stream, int64_t first,
                                  double low, double high, pls_view dst) {
    random_arguments given = {stream, (uint64_t)first, false, high - low, low, dst};
    fill(device, given);
    return PLS_OK;
}

pls_status pls_cpu_random_normal(pls_device *device, pls_random_stream stream, int64_t first,
                                 double scale, pls_view dst) {
    random_arguments given = {stream, (uint64_t)first, true, scale, 0.0, dst};
    fill(device, given);
    return PLS_OK;
}
