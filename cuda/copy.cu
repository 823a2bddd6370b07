/* Copies and fills.
 *
 *     convert:      dst(i,j) = src(i,j), rounded to nearest
 *     fill:         dst(i,j) = value
 *     gather_rows:  dst(i,j) = src(rows[i], j)
 *     unit_rows:    d(i,j) = 1 if i mod k = j else 0 */
#include "division.cuh"
#include "elements.cuh"

using namespace plstar;

namespace {

constexpr int convert_width = 4; /* 16 bytes of float32, twice 16 of float64 */

template <typename From, typename To>
__global__ void __launch_bounds__(block_threads, resident_blocks)
    convert_kernel(extent shape, const From *__restrict__ src, int64_t src_ld, To *__restrict__ dst,
                   int64_t dst_ld) {
    constexpr int width = convert_width;
    for (int64_t j = first_column<width>(shape.packed); j < shape.cols; j += column_step<width>()) {
        for (int64_t i = first_row(); i < shape.rows; i += row_step()) {
            From from[width];
            To to[width];
            load(src + i * src_ld, j, shape.cols, shape.packed, from);
            for (int e = 0; e < width; e++) {
                to[e] = static_cast<To>(from[e]);
            }
            store(dst + i * dst_ld, j, shape.cols, shape.packed, to);
        }
    }
}

template <typename From, typename To>
cudaError_t convert(cudaStream_t stream, const pls_matrix &src, const pls_matrix &dst) {
    bool packed = is_packed<From, convert_width>(src) && is_packed<To, convert_width>(dst);
    return launch(stream, element_geometry(dst.rows, dst.cols, convert_width),
                  convert_kernel<From, To>, extent{dst.rows, dst.cols, packed}, data_of<From>(src),
                  src.ld, data_of<To>(dst), dst.ld);
}

template <typename T>
__global__ void __launch_bounds__(block_threads, resident_blocks)
    fill_kernel(extent shape, T value, T *__restrict__ dst, int64_t ld) {
    constexpr int width = pack_width<T>;
    T values[width];
    for (int e = 0; e < width; e++) {
        values[e] = value;
    }
    for (int64_t j = first_column<width>(shape.packed); j < shape.cols; j += column_step<width>()) {
        for (int64_t i = first_row(); i < shape.rows; i += row_step()) {
            store(dst + i * ld, j, shape.cols, shape.packed, values);
        }
    }
}

template <typename T>
cudaError_t fill(cudaStream_t stream, double value, const pls_matrix &dst) {
    return launch(stream, element_geometry(dst.rows, dst.cols, pack_width<T>), fill_kernel<T>,
                  extent{dst.rows, dst.cols, is_packed<T>(dst)}, static_cast<T>(value),
                  data_of<T>(dst), dst.ld);
}

template <typename T>
__global__ void __launch_bounds__(block_threads, resident_blocks)
    gather_rows_kernel(extent shape, const int64_t *__restrict__ rows, const T *__restrict__ src,
                       int64_t src_ld, T *__restrict__ dst, int64_t dst_ld) {
    constexpr int width = pack_width<T>;
    for (int64_t i = first_row(); i < shape.rows; i += row_step()) {
        const T *from = src + rows[i] * src_ld;
        for (int64_t j = first_column<width>(shape.packed); j < shape.cols;
             j += column_step<width>()) {
            T values[width];
            load(from, j, shape.cols, shape.packed, values);
            store(dst + i * dst_ld, j, shape.cols, shape.packed, values);
        }
    }
}

template <typename T>
cudaError_t gather_rows(cudaStream_t stream, const pls_matrix &src, const int64_t *rows,
                        const pls_matrix &dst) {
    bool packed = is_packed<T>(src) && is_packed<T>(dst);
    return launch(stream, element_geometry(dst.rows, dst.cols, pack_width<T>),
                  gather_rows_kernel<T>, extent{dst.rows, dst.cols, packed}, rows, data_of<T>(src),
                  src.ld, data_of<T>(dst), dst.ld);
}

template <typename T>
__global__ void __launch_bounds__(block_threads, resident_blocks)
    unit_rows_kernel(extent shape, int64_t k, T *__restrict__ d, int64_t ld) {
    constexpr int width = pack_width<T>;
    for (int64_t i = first_row(); i < shape.rows; i += row_step()) {
        int64_t output = divide(i, k).remainder;
        for (int64_t j = first_column<width>(shape.packed); j < shape.cols;
             j += column_step<width>()) {
            T values[width];
            for (int e = 0; e < width; e++) {
                values[e] = static_cast<T>(j + e * spacing(shape.packed) == output ? 1 : 0);
            }
            store(d + i * ld, j, shape.cols, shape.packed, values);
        }
    }
}

template <typename T>
cudaError_t unit_rows(cudaStream_t stream, int64_t k, const pls_matrix &d) {
    return launch(stream, element_geometry(d.rows, d.cols, pack_width<T>), unit_rows_kernel<T>,
                  extent{d.rows, d.cols, is_packed<T>(d)}, k, data_of<T>(d), d.ld);
}

} // namespace

cudaError_t pls_launch_convert(cudaStream_t stream, pls_matrix src, pls_matrix dst) {
    if (is_contiguous(src) && is_contiguous(dst)) {
        src = flat(src);
        dst = flat(dst);
    }
    return src.dtype == PLS_F32 ? convert<float, double>(stream, src, dst)
                                : convert<double, float>(stream, src, dst);
}

cudaError_t pls_launch_fill(cudaStream_t stream, double value, pls_matrix dst) {
    if (is_contiguous(dst)) {
        dst = flat(dst);
    }
    return dst.dtype == PLS_F32 ? fill<float>(stream, value, dst)
                                : fill<double>(stream, value, dst);
}

cudaError_t pls_launch_gather_rows(cudaStream_t stream, pls_matrix src, const int64_t *rows,
                                   pls_matrix dst) {
    return dst.dtype == PLS_F32 ? gather_rows<float>(stream, src, rows, dst)
                                : gather_rows<double>(stream, src, rows, dst);
}

cudaError_t pls_launch_unit_rows(cudaStream_t stream, int64_t k, pls_matrix d) {
    return d.dtype == PLS_F32 ? unit_rows<float>(stream, k, d) : unit_rows<double>(stream, k, d);
}
