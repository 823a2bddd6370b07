/* Images in rows: patches for convolutions and average pooling, with their transposes.
 *
 *     im2col:  dst((i, y, x), (c, dy, dx)) = src(i, (c, y + dy - r, x + dx - r)),  r = kernel/2,
 *              0 outside the image
 *     col2im:  dst(i, (c, y, x)) = sum over dy, dx of
 *              src((i, y - dy + r, x - dx + r), (c, dy, dx))
 *     average_pool:           dst(i, (c, y, x)) = mean of a window of src
 *     average_pool_backward:  dst(i, (c, y, x)) = src(i, (c, y/size, x/size)) / size^2
 * All gather: an output element is one sum in a fixed order, in float64. A thread stays in its
 * column, which it takes apart once, and goes down the rows. */
#include "division.cuh"
#include "elements.cuh"

using namespace plstar;

namespace {

/* A pixel of a channel. */
struct place {
    int64_t channel, y, x;
};

/* column = (channel * height + y) * width + x */
__device__ place place_of(int64_t column, int64_t height, int64_t width) {
    divided line = divide(column, width), at = divide(line.quotient, height);
    return {at.quotient, at.remainder, line.remainder};
}

__device__ int64_t pixel(const pls_image &image, const place &at) {
    return (at.channel * image.height + at.y) * image.width + at.x;
}

__device__ bool inside(const pls_image &image, int64_t y, int64_t x) {
    return y >= 0 && y < image.height && x >= 0 && x < image.width;
}

/* ---- patches --------------------------------------------------------------------------------- */

constexpr int patch_depth = 8;

template <typename T>
__global__ void __launch_bounds__(block_threads, resident_blocks)
    im2col_kernel(extent shape, pls_image image, int64_t kernel, const T *__restrict__ src,
                  int64_t src_ld, T *__restrict__ dst, int64_t dst_ld) {
    constexpr int depth = patch_depth;
    for (int64_t j = first_column<1>(false); j < shape.cols; j += column_step<1>()) {
        place tap = place_of(j, kernel, kernel);
        for (int64_t top = first_row<depth>(); top < shape.rows; top += row_step<depth>()) {
            divided line = divide(top, image.width), sample = divide(line.quotient, image.height);
            for (int64_t row = top; row < top + depth && row < shape.rows; row++) {
                place from = {tap.channel, sample.remainder + tap.y - kernel / 2,
                              line.remainder + tap.x - kernel / 2};
                bool real = inside(image, from.y, from.x);
                dst[row * dst_ld + j] =
                    real ? src[sample.quotient * src_ld + pixel(image, from)] : static_cast<T>(0);
                line.count_up(image.width);
                if (line.remainder == 0) {
                    sample.count_up(image.height);
                }
            }
        }
    }
}

/* Taps t of a kernel, first <= t < end, whose pixel at - t + kernel/2 lies in 0 .. size-1. */
struct taps {
    int64_t first, end;
};

__device__ taps taps_of(int64_t at, int64_t size, int64_t kernel) {
    int64_t last = at + kernel / 2, first = last - size + 1;
    return {first > 0 ? first : 0, last + 1 < kernel ? last + 1 : kernel};
}

template <typename T>
__device__ double patch_sum(const pls_image &image, int64_t kernel, const T *src, int64_t ld,
                            int64_t sample, const place &at) {
    taps down = taps_of(at.y, image.height, kernel), right = taps_of(at.x, image.width, kernel);
    double sum = 0.0;
    for (int64_t dy = down.first; dy < down.end; dy++) {
        int64_t y = at.y - dy + kernel / 2, x = at.x + kernel / 2;
        const T *line = src + ((sample * image.height + y) * image.width + x) * ld +
                        (at.channel * kernel + dy) * kernel;
        for (int64_t dx = right.first; dx < right.end; dx++) {
            sum += static_cast<double>(line[dx - dx * ld]);
        }
    }
    return sum;
}

template <typename T>
__global__ void __launch_bounds__(block_threads, resident_blocks)
    col2im_kernel(extent shape, pls_image image, int64_t kernel, const T *__restrict__ src,
                  int64_t src_ld, T *__restrict__ dst, int64_t dst_ld) {
    for (int64_t j = first_column<1>(false); j < shape.cols; j += column_step<1>()) {
        place at = place_of(j, image.height, image.width);
        for (int64_t i = first_row(); i < shape.rows; i += row_step()) {
            dst[i * dst_ld + j] = static_cast<T>(patch_sum(image, kernel, src, src_ld, i, at));
        }
    }
}

/* ---- pooling --------------------------------------------------------------------------------- */

/* Sum of size x size pixels from `corner` on. */
template <typename T>
__device__ double window_sum(const T *corner, int64_t width, int64_t size) {
    double sum = 0.0;
    for (int64_t dy = 0; dy < size; dy++) {
        for (int64_t dx = 0; dx < size; dx++) {
            sum += static_cast<double>(corner[dy * width + dx]);
        }
    }
    return sum;
}

template <typename T>
__global__ void __launch_bounds__(block_threads, resident_blocks)
    average_pool_kernel(extent shape, pls_image image, pls_image coarse, int64_t size,
                        double weight, const T *__restrict__ src, int64_t src_ld,
                        T *__restrict__ dst, int64_t dst_ld) {
    for (int64_t j = first_column<1>(false); j < shape.cols; j += column_step<1>()) {
        place at = place_of(j, coarse.height, coarse.width);
        const T *corner = src + pixel(image, {at.channel, at.y * size, at.x * size});
        for (int64_t i = first_row(); i < shape.rows; i += row_step()) {
            double sum = window_sum(corner + i * src_ld, image.width, size);
            dst[i * dst_ld + j] = static_cast<T>(sum * weight);
        }
    }
}

template <typename T>
__global__ void __launch_bounds__(block_threads, resident_blocks)
    average_pool_backward_kernel(extent shape, pls_image image, pls_image coarse, int64_t size,
                                 double weight, const T *__restrict__ src, int64_t src_ld,
                                 T *__restrict__ dst, int64_t dst_ld) {
    for (int64_t j = first_column<1>(false); j < shape.cols; j += column_step<1>()) {
        place at = place_of(j, image.height, image.width);
        int64_t from =
            pixel(coarse, {at.channel, quotient_of(at.y, size), quotient_of(at.x, size)});
        for (int64_t i = first_row(); i < shape.rows; i += row_step()) {
            double value = static_cast<double>(src[i * src_ld + from]);
            dst[i * dst_ld + j] = static_cast<T>(value * weight);
        }
    }
}

/* ---- launchers ------------------------------------------------------------------------------- */

constexpr int samples_a_thread = 4;

extent extent_of(const pls_matrix &dst) {
    return {dst.rows, dst.cols, false};
}

pls_image coarse_image(pls_image image, int64_t size) {
    return {image.channels, image.height / size, image.width / size};
}

double weight_of(int64_t size) {
    return 1.0 / static_cast<double>(size * size);
}

template <typename T>
cudaError_t im2col(cudaStream_t stream, pls_image image, int64_t kernel, const pls_matrix &src,
                   const pls_matrix &dst) {
    return launch(stream, element_geometry(dst.rows, dst.cols, 1, patch_depth), im2col_kernel<T>,
                  extent_of(dst), image, kernel, data_of<T>(src), src.ld, data_of<T>(dst), dst.ld);
}

template <typename T>
cudaError_t col2im(cudaStream_t stream, pls_image image, int64_t kernel, const pls_matrix &src,
                   const pls_matrix &dst) {
    return launch(stream, element_geometry(dst.rows, dst.cols, 1), col2im_kernel<T>, extent_of(dst),
                  image, kernel, data_of<T>(src), src.ld, data_of<T>(dst), dst.ld);
}

template <typename T>
cudaError_t average_pool(cudaStream_t stream, pls_image image, int64_t size, const pls_matrix &src,
                         const pls_matrix &dst) {
    return launch(stream, element_geometry(dst.rows, dst.cols, 1, samples_a_thread),
                  average_pool_kernel<T>, extent_of(dst), image, coarse_image(image, size), size,
                  weight_of(size), data_of<T>(src), src.ld, data_of<T>(dst), dst.ld);
}

template <typename T>
cudaError_t average_pool_backward(cudaStream_t stream, pls_image image, int64_t size,
                                  const pls_matrix &src, const pls_matrix &dst) {
    return launch(stream, element_geometry(dst.rows, dst.cols, 1, samples_a_thread),
                  average_pool_backward_kernel<T>, extent_of(dst), image, coarse_image(image, size),
                  size, weight_of(size), data_of<T>(src), src.ld, data_of<T>(dst), dst.ld);
}

} // namespace

cudaError_t pls_launch_im2col(cudaStream_t stream, pls_image image, int64_t kernel, pls_matrix src,
                              pls_matrix dst) {
    return dst.dtype == PLS_F32 ? im2col<float>(stream, image, kernel, src, dst)
                                : im2col<double>(stream, image, kernel, src, dst);
}

cudaError_t pls_launch_col2im(cudaStream_t stream, pls_image image, int64_t kernel, pls_matrix src,
                              pls_matrix dst) {
    return dst.dtype == PLS_F32 ? col2im<float>(stream, image, kernel, src, dst)
                                : col2im<double>(stream, image, kernel, src, dst);
}

cudaError_t pls_launch_average_pool(cudaStream_t stream, pls_image image, int64_t size,
                                    pls_matrix src, pls_matrix dst) {
    return dst.dtype == PLS_F32 ? average_pool<float>(stream, image, size, src, dst)
                                : average_pool<double>(stream, image, size, src, dst);
}

cudaError_t pls_launch_average_pool_backward(cudaStream_t stream, pls_image image, int64_t size,
                                             pls_matrix src, pls_matrix dst) {
    return dst.dtype == PLS_F32 ? average_pool_backward<float>(stream, image, size, src, dst)
                                : average_pool_backward<double>(stream, image, size, src, dst);
}
