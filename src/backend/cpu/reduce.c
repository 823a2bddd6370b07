/* Reductions in float64 in one fixed order.
 *
 * The elements, counted row by row whatever the ld, are cut into chunks of 4,096. A chunk is summed
 * in eight lanes (element j of the chunk in lane j mod 8), the lanes pairwise, and the chunks one
 * after the other:
 *     sum = ((s_0 + s_1) + s_2) + ...
 * Threads only compute chunks; as many of them at a time as the device has places for. */
#include "backend/cpu/cpu.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 4096, LANES = 8, COLUMN_BLOCK = 128 };

/* Reduces one chunk; y is NULL for reductions of one view. */
typedef double chunk_kernel(const double *x, const double *y, int64_t count);
typedef double combine_kernel(double a, double b);

/* Elements first .. first+count-1 of a view in float64: in place, or copied to `place`. */
static const double *load_chunk(pls_view view, int64_t first, int64_t count, double *place) {
    if (view.dtype == PLS_F64 && pls_view_is_contiguous(view)) {
        return pls_f64_at(view, 0, first);
    }
    for (int64_t done = 0; done < count;) {
        int64_t row = (first + done) / view.cols, col = (first + done) % view.cols;
        int64_t length = pls_least(view.cols - col, count - done);
        if (view.dtype == PLS_F32) {
            const float *from = pls_f32_at(view, row, col);
            for (int64_t j = 0; j < length; j++) {
                place[done + j] = (double)from[j];
            }
        } else {
            memcpy(place + done, pls_f64_at(view, row, col), (size_t)length * sizeof *place);
        }
        done += length;
    }
    return place;
}

static double reduce_chunk(chunk_kernel *kernel, pls_view x, pls_view y, int64_t first,
                           int64_t count) {
    double x_place[CHUNK], y_place[CHUNK];
    const double *x_chunk = load_chunk(x, first, count, x_place);
    const double *y_chunk = pls_view_is_none(y) ? NULL : load_chunk(y, first, count, y_place);
    return kernel(x_chunk, y_chunk, count);
}

static void reduce(pls_device *device, chunk_kernel *kernel, combine_kernel *combine, pls_view x,
                   pls_view y, pls_view out) {
    pls_cpu_state *state = pls_cpu(device);
    int64_t count = pls_view_count(x), chunks = (count + CHUNK - 1) / CHUNK;
    int threads = pls_cpu_threads(device, (double)count);
    double total = 0.0;
    for (int64_t wave = 0; wave < chunks; wave += PLS_CPU_PARTIALS) {
        int64_t end = pls_least(wave + PLS_CPU_PARTIALS, chunks);
#pragma omp parallel for schedule(static) num_threads(threads)
        for (int64_t chunk = wave; chunk < end; chunk++) {
            state->partials[chunk - wave] =
                reduce_chunk(kernel, x, y, chunk * CHUNK, pls_least(CHUNK, count - chunk * CHUNK));
        }
        for (int64_t chunk = wave; chunk < end; chunk++) {
            total = combine(total, state->partials[chunk - wave]);
        }
    }
    pls_store(out, 0, 0, total);
}

static double add(double a, double b) {
    return a + b;
}

/* NaN wins, unlike with fmax. */
static double larger(double a, double b) {
    return isnan(a) || a > b ? a : b;
}

static double add_lanes(const double *lane) {
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
           ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

static double sum_chunk(const double *x, const double *y, int64_t count) {
    double lane[LANES] = {0.0};
    int64_t whole = count / LANES * LANES;
    (void)y;
    for (int64_t j = 0; j < whole; j += LANES) {
        for (int l = 0; l < LANES; l++) {
            lane[l] += x[j + l];
        }
    }
    for (int64_t j = whole; j < count; j++) {
        lane[j - whole] += x[j];
    }
    return add_lanes(lane);
}

static double dot_chunk(const double *x, const double *y, int64_t count) {
    double lane[LANES] = {0.0};
    int64_t whole = count / LANES * LANES;
    for (int64_t j = 0; j < whole; j += LANES) {
        for (int l = 0; l < LANES; l++) {
            lane[l] += x[j + l] * y[j + l];
        }
    }
    for (int64_t j = whole; j < count; j++) {
        lane[j - whole] += x[j] * y[j];
    }
    return add_lanes(lane);
}

static double distance_chunk(const double *x, const double *y, int64_t count) {
    double lane[LANES] = {0.0};
    int64_t whole = count / LANES * LANES;
    for (int64_t j = 0; j < whole; j += LANES) {
        for (int l = 0; l < LANES; l++) {
            lane[l] += (x[j + l] - y[j + l]) * (x[j + l] - y[j + l]);
        }
    }
    for (int64_t j = whole; j < count; j++) {
        lane[j - whole] += (x[j] - y[j]) * (x[j] - y[j]);
    }
    return add_lanes(lane);
}

static double max_chunk(const double *x, const double *y, int64_t count) {
    double largest = 0.0;
    bool not_a_number = false;
    (void)y;
    for (int64_t j = 0; j < count; j++) {
        double size = fabs(x[j]);
        not_a_number |= size != size;
        largest = size > largest ? size : largest;
    }
    return not_a_number ? (double)NAN : largest;
}

pls_status pls_cpu_sum(pls_device *device, pls_view x, pls_view out) {
    reduce(device, sum_chunk, add, x, pls_no_view(), out);
    return PLS_OK;
}

pls_status pls_cpu_dot(pls_device *device, pls_view x, pls_view y, pls_view out) {
    reduce(device, dot_chunk, add, x, y, out);
    return PLS_OK;
}

pls_status pls_cpu_squared_distance(pls_device *device, pls_view x, pls_view y, pls_view out) {
    reduce(device, distance_chunk, add, x, y, out);
    return PLS_OK;
}

pls_status pls_cpu_max_abs(pls_device *device, pls_view x, pls_view out) {
    reduce(device, max_chunk, larger, x, pls_no_view(), out);
    return PLS_OK;
}

/* Blocks of columns, each summed from the first row to the last. */
pls_status pls_cpu_column_sum(pls_device *device, double alpha, pls_view x, double beta,
                              pls_view out) {
    int threads = pls_cpu_threads(device, (double)x.rows * (double)x.cols);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t first = 0; first < x.cols; first += COLUMN_BLOCK) {
        double sums[COLUMN_BLOCK] = {0.0};
        int64_t count = pls_least(COLUMN_BLOCK, x.cols - first);
        for (int64_t i = 0; i < x.rows; i++) {
            for (int64_t j = 0; j < count; j++) {
                sums[j] += x.dtype == PLS_F32 ? (double)pls_f32_at(x, i, first)[j]
                                              : pls_f64_at(x, i, first)[j];
            }
        }
        for (int64_t j = 0; j < count; j++) {
            double sum = alpha * sums[j];
            pls_store(out, 0, first + j,
                      beta == 0.0 ? sum : sum + beta * pls_load(out, 0, first + j));
        }
    }
    return PLS_OK;
}
