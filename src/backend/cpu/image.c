/* Images in rows: patches for convolutions and average pooling, with their transposes.
 *
 *     im2col:  dst((i, y, x), (c, dy, dx)) = src(i, (c, y + dy - r, x + dx - r)),  r = kernel/2,
 *              0 outside the image
 *     col2im:  dst(i, (c, y, x)) = sum over (dy, dx) of src((i, y - dy + r, x - dx + r), (c, dy,
 * dx)) Both transposes gather: every output element is one sum in a fixed order, in float64. */
#include "backend/cpu/cpu.h"

static int64_t pixel(pls_image image, int64_t channel, int64_t y, int64_t x) {
    return (channel * image.height + y) * image.width + x;
}

static bool inside(pls_image image, int64_t y, int64_t x) {
    return y >= 0 && y < image.height && x >= 0 && x < image.width;
}

/* The row of dst at pixel (y, x) of image i. */
static void patch_row(pls_image image, int64_t kernel, pls_view src, pls_view dst, int64_t row) {
    int64_t area = image.height * image.width, i = row / area;
    int64_t y = row % area / image.width, x = row % image.width, col = 0;
    for (int64_t c = 0; c < image.channels; c++) {
        for (int64_t dy = 0; dy < kernel; dy++) {
            for (int64_t dx = 0; dx < kernel; dx++, col++) {
                int64_t from_y = y + dy - kernel / 2, from_x = x + dx - kernel / 2;
                bool real = inside(image, from_y, from_x);
                pls_store(dst, row, col,
                          real ? pls_load(src, i, pixel(image, c, from_y, from_x)) : 0.0);
            }
        }
    }
}

pls_status pls_cpu_im2col(pls_device *device, pls_image image, int64_t kernel, pls_view src,
                          pls_view dst) {
#pragma omp parallel for schedule(static) num_threads(pls_cpu(device)->threads)
    for (int64_t row = 0; row < dst.rows; row++) {
        patch_row(image, kernel, src, dst, row);
    }
    return PLS_OK;
}

static double patch_sum(pls_image image, int64_t kernel, pls_view src, int64_t i, int64_t c,
                        int64_t y, int64_t x) {
    double sum = 0.0;
    for (int64_t dy = 0; dy < kernel; dy++) {
        for (int64_t dx = 0; dx < kernel; dx++) {
            int64_t at_y = y - dy + kernel / 2, at_x = x - dx + kernel / 2;
            if (inside(image, at_y, at_x)) {
                sum += pls_load(src, (i * image.height + at_y) * image.width + at_x,
                                (c * kernel + dy) * kernel + dx);
            }
        }
    }
    return sum;
}

pls_status pls_cpu_col2im(pls_device *device, pls_image image, int64_t kernel, pls_view src,
                          pls_view dst) {
    int64_t lines = dst.rows * image.channels * image.height;
#pragma omp parallel for schedule(static) num_threads(pls_cpu(device)->threads)
    for (int64_t line = 0; line < lines; line++) {
        int64_t y = line % image.height, c = line / image.height % image.channels;
        int64_t i = line / image.height / image.channels;
        for (int64_t x = 0; x < image.width; x++) {
            pls_store(dst, i, pixel(image, c, y, x), patch_sum(image, kernel, src, i, c, y, x));
        }
    }
    return PLS_OK;
}

static double window_sum(pls_image image, int64_t size, pls_view src, int64_t i, int64_t c,
                         int64_t y, int64_t x) {
    double sum = 0.0;
    for (int64_t dy = 0; dy < size; dy++) {
        for (int64_t dx = 0; dx < size; dx++) {
            sum += pls_load(src, i, pixel(image, c, y * size + dy, x * size + dx));
        }
    }
    return sum;
}

pls_status pls_cpu_average_pool(pls_device *device, pls_image image, int64_t size, pls_view src,
                                pls_view dst) {
    pls_image coarse = {image.channels, image.height / size, image.width / size};
#pragma omp parallel for schedule(static) num_threads(pls_cpu(device)->threads)
    for (int64_t i = 0; i < dst.rows; i++) {
        for (int64_t c = 0; c < coarse.channels; c++) {
            for (int64_t y = 0; y < coarse.height; y++) {
                for (int64_t x = 0; x < coarse.width; x++) {
                    pls_store(dst, i, pixel(coarse, c, y, x),
                              window_sum(image, size, src, i, c, y, x) / (double)(size * size));
                }
            }
        }
    }
    return PLS_OK;
}

pls_status pls_cpu_average_pool_backward(pls_device *device, pls_image image, int64_t size,
                                         pls_view src, pls_view dst) {
    pls_image coarse = {image.channels, image.height / size, image.width / size};
#pragma omp parallel for schedule(static) num_threads(pls_cpu(device)->threads)
    for (int64_t i = 0; i < dst.rows; i++) {
        for (int64_t c = 0; c < image.channels; c++) {
            for (int64_t y = 0; y < image.height; y++) {
                for (int64_t x = 0; x < image.width; x++) {
                    pls_store(dst, i, pixel(image, c, y, x),
                              pls_load(src, i, pixel(coarse, c, y / size, x / size)) /
                                  (double)(size * size));
                }
            }
        }
    }
    return PLS_OK;
}
