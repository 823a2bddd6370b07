/* Images in rows: patches for convolutions and average pooling, with their transposes.
 *
 *     im2col:  dst((i, y, x), (c, dy, dx)) = src(i, (c, y + dy - r, x + dx - r)),  r = kernel/2,
 *              0 outside the image
 *     col2im:  dst(i, (c, y, x)) = sum over (dy, dx) of
 *              src((i, y - dy + r, x - dx + r), (c, dy, dx))
 * Both transposes gather: every output element is one sum in a fixed order, in float64. Loops go
 * along the rows of the large matrix, that of patches. */
#include "backend/cpu/cpu.h"

static int64_t pixel(pls_image image, int64_t channel, int64_t y, int64_t x) {
    return (channel * image.height + y) * image.width + x;
}

/* Taps t of a kernel, first <= t < end, whose pixel lies in 0 .. size-1. */
typedef struct taps {
    int64_t first, end;
} taps;

/* Pixels at + t - kernel/2. */
static taps taps_around(int64_t at, int64_t size, int64_t kernel) {
    int64_t first = kernel / 2 - at, end = size + kernel / 2 - at;
    return (taps){first > 0 ? first : 0, pls_least(end, kernel)};
}

/* Pixels at - t + kernel/2. */
static taps taps_back(int64_t at, int64_t size, int64_t kernel) {
    int64_t first = at + kernel / 2 - size + 1;
    return (taps){first > 0 ? first : 0, pls_least(at + kernel / 2 + 1, kernel)};
}

/* ---- im2col ---------------------------------------------------------------------------------- */

static void copy_run(pls_view src, int64_t src_row, int64_t from, pls_view dst, int64_t dst_row,
                     int64_t to, int64_t count) {
    if (src.dtype == PLS_F32) {
        const float *in = pls_f32_at(src, src_row, from);
        float *out = pls_f32_at(dst, dst_row, to);
        for (int64_t e = 0; e < count; e++) {
            out[e] = in[e];
        }
    } else {
        const double *in = pls_f64_at(src, src_row, from);
        double *out = pls_f64_at(dst, dst_row, to);
        for (int64_t e = 0; e < count; e++) {
            out[e] = in[e];
        }
    }
}

static void clear_run(pls_view dst, int64_t row, int64_t to, int64_t count) {
    for (int64_t e = 0; e < count; e++) {
        pls_store(dst, row, to + e, 0.0);
    }
}

/* The row of dst at pixel (y, x) of image i. */
static void patch_row(pls_image image, int64_t kernel, pls_view src, pls_view dst, int64_t row) {
    int64_t area = image.height * image.width, i = row / area;
    int64_t y = row % area / image.width, x = row % image.width, col = 0;
    taps down = taps_around(y, image.height, kernel), right = taps_around(x, image.width, kernel);
    for (int64_t c = 0; c < image.channels; c++) {
        for (int64_t dy = 0; dy < kernel; dy++, col += kernel) {
            if (dy < down.first || dy >= down.end) {
                clear_run(dst, row, col, kernel);
                continue;
            }
            int64_t from = pixel(image, c, y + dy - kernel / 2, x + right.first - kernel / 2);
            clear_run(dst, row, col, right.first);
            copy_run(src, i, from, dst, row, col + right.first, right.end - right.first);
            clear_run(dst, row, col + right.end, kernel - right.end);
        }
    }
}

pls_status pls_cpu_im2col(pls_device *device, pls_image image, int64_t kernel, pls_view src,
                          pls_view dst) {
    int threads = pls_cpu_threads(device, (double)dst.rows * (double)dst.cols);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t row = 0; row < dst.rows; row++) {
        patch_row(image, kernel, src, dst, row);
    }
    return PLS_OK;
}

/* ---- col2im ---------------------------------------------------------------------------------- */

enum { CHANNELS = 64 }; /* that are summed side by side */

/* sum(e) += src(row, col + e step) */
static void add_run(pls_view src, int64_t row, int64_t col, int64_t step, int64_t count,
                    double *sum) {
    if (src.dtype == PLS_F32) {
        const float *in = pls_f32_at(src, row, col);
        for (int64_t e = 0; e < count; e++) {
            sum[e] += (double)in[e * step];
        }
    } else {
        const double *in = pls_f64_at(src, row, col);
        for (int64_t e = 0; e < count; e++) {
            sum[e] += in[e * step];
        }
    }
}

/* Channels first .. first+count-1 of pixel (y, x) of image i. */
static void sum_pixel(pls_image image, int64_t kernel, pls_view src, pls_view dst, int64_t i,
                      int64_t y, int64_t x, int64_t first, int64_t count) {
    taps down = taps_back(y, image.height, kernel), right = taps_back(x, image.width, kernel);
    double sum[CHANNELS] = {0.0};
    for (int64_t dy = down.first; dy < down.end; dy++) {
        for (int64_t dx = right.first; dx < right.end; dx++) {
            int64_t at_y = y - dy + kernel / 2, at_x = x - dx + kernel / 2;
            add_run(src, (i * image.height + at_y) * image.width + at_x,
                    (first * kernel + dy) * kernel + dx, kernel * kernel, count, sum);
        }
    }
    for (int64_t e = 0; e < count; e++) {
        pls_store(dst, i, pixel(image, first + e, y, x), sum[e]);
    }
}

pls_status pls_cpu_col2im(pls_device *device, pls_image image, int64_t kernel, pls_view src,
                          pls_view dst) {
    int64_t lines = dst.rows * image.height;
    int threads = pls_cpu_threads(device, (double)src.rows * (double)src.cols);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t line = 0; line < lines; line++) {
        int64_t i = line / image.height, y = line % image.height;
        for (int64_t c = 0; c < image.channels; c += CHANNELS) {
            for (int64_t x = 0; x < image.width; x++) {
                sum_pixel(image, kernel, src, dst, i, y, x, c,
                          pls_least(CHANNELS, image.channels - c));
            }
        }
    }
    return PLS_OK;
}

/* ---- pooling --------------------------------------------------------------------------------- */

static double window_sum(pls_image image, int64_t size, pls_view src, int64_t i, int64_t corner) {
    double sum = 0.0;
    for (int64_t dy = 0; dy < size; dy++) {
        for (int64_t dx = 0; dx < size; dx++) {
            sum += pls_load(src, i, corner + dy * image.width + dx);
        }
    }
    return sum;
}

pls_status pls_cpu_average_pool(pls_device *device, pls_image image, int64_t size, pls_view src,
                                pls_view dst) {
    int64_t width = image.width / size, lines = image.channels * (image.height / size);
    double weight = 1.0 / (double)(size * size);
    int threads = pls_cpu_threads(device, (double)src.rows * (double)src.cols);
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
    for (int64_t i = 0; i < dst.rows; i++) {
        for (int64_t line = 0; line < lines; line++) { /* of all channels, one after the other */
            for (int64_t x = 0; x < width; x++) {
                int64_t corner = line * size * image.width + x * size;
                pls_store(dst, i, line * width + x,
                          window_sum(image, size, src, i, corner) * weight);
            }
        }
    }
    return PLS_OK;
}

pls_status pls_cpu_average_pool_backward(pls_device *device, pls_image image, int64_t size,
                                         pls_view src, pls_view dst) {
    int64_t width = image.width / size, lines = image.channels * image.height;
    double weight = 1.0 / (double)(size * size);
    int threads = pls_cpu_threads(device, (double)dst.rows * (double)dst.cols);
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
    for (int64_t i = 0; i < dst.rows; i++) {
        for (int64_t line = 0; line < lines; line++) {
            for (int64_t x = 0; x < width; x++) {
                double spread = pls_load(src, i, line / size * width + x) * weight;
                for (int64_t dx = 0; dx < size; dx++) {
                    pls_store(dst, i, line * image.width + x * size + dx, spread);
                }
            }
        }
    }
    return PLS_OK;
}
