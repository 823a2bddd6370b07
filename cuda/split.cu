/* float32 numbers as sums of two float16, for products on matrix units.
 *
 *     s_i = 2^e,  2^14 <= s_i max_j |x(i,j)| < 2^15;   s_i = 1 for a row of zeros
 *     high = f16(s_i x),   low = f16(2^11 (s_i x - high))
 *     c(i,j) = beta c(i,j) + sum_q (high_q(i,j) + 2^-11 cross_q(i,j)) / (scale_a(i) scale_b(j))
 * s_i x - high is exact, and so is every product with a power of two: with max |x| = f 2^q,
 * 1/2 <= f < 1, e is 15 - q, from -113 to 163. Beyond the range of float32 such a factor is applied
 * in two halves; what falls under it on the way is far below the last bit of `low`. */
#include "elements.cuh"
#include "lanes.cuh"

#include <cuda_fp16.h>

using namespace plstar;

namespace {

constexpr int split_width = 4;
constexpr unsigned split_rows_a_block = block_threads / warp_size;

/* 2^e = first second */
struct power {
    float first, second;
};

__device__ power power_of(int e) {
    return {ldexpf(1.0f, e / 2), ldexpf(1.0f, e - e / 2)};
}

/* max_j |x_j|, NaN if any is NaN; the same in all lanes. */
__device__ double row_maximum(const float *x, int64_t count, bool packed) {
    double largest = 0.0;
    for (int64_t j = lane_column<split_width>(packed); j < count; j += warp_size * split_width) {
        float values[split_width];
        load(x, j, count, packed, values);
        for (int e = 0; e < split_width; e++) {
            largest = larger()(largest, static_cast<double>(fabsf(values[e])));
        }
    }
    return combine_lanes(largest, warp_size, larger());
}

/* Exponent of the scale of a row: 0 where there is nothing to scale or what is not finite. */
__device__ int scale_exponent(double largest) {
    int exponent = 0;
    if (largest > 0.0 && isfinite(largest)) {
        frexp(largest, &exponent);
        exponent = 15 - exponent;
    }
    return exponent;
}

/* One warp a row. */
__global__ void __launch_bounds__(block_threads, resident_blocks)
    split_rows_kernel(extent shape, const float *__restrict__ x, int64_t ld,
                      __half *__restrict__ high, __half *__restrict__ low, int64_t split_ld,
                      double *__restrict__ scale) {
    constexpr int width = split_width;
    int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.y;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y; i < shape.rows;
         i += step) {
        const float *row = x + i * ld;
        int exponent = scale_exponent(row_maximum(row, shape.cols, shape.packed));
        power factor = power_of(exponent);
        if (threadIdx.x == 0) {
            scale[i] = ldexp(1.0, exponent);
        }
        for (int64_t j = lane_column<width>(shape.packed); j < shape.cols; j += warp_size * width) {
            float values[width];
            __half above[width], below[width];
            load(row, j, shape.cols, shape.packed, values);
            for (int e = 0; e < width; e++) {
                float scaled = values[e] * factor.first * factor.second;
                above[e] = __float2half_rn(scaled);
                float rest = scaled - __half2float(above[e]);
                below[e] = __float2half_rn(isfinite(rest) ? 2048.0f * rest : 0.0f);
            }
            store(high + i * split_ld, j, shape.cols, shape.packed, above);
            store(low + i * split_ld, j, shape.cols, shape.packed, below);
        }
    }
}

/* ---- products -------------------------------------------------------------------------------- */

constexpr int accumulate_width = 2, accumulate_depth = 8;

/* 1/s of a power of two s: the biased exponents add up to 2046. */
__device__ double reciprocal(double s) {
    return __longlong_as_double((2046LL << 52) - __double_as_longlong(s));
}

/* sum_q (high_q + 2^-11 cross_q) at the thread's elements of row i, q in order. */
__device__ void sum_products(extent shape, int64_t products, const float *high, const float *cross,
                             int64_t i, int64_t j, int64_t end, double (&total)[accumulate_width]) {
    for (int64_t q = 0; q < products; q++) {
        int64_t row = (q * shape.rows + i) * shape.cols;
        float product[accumulate_width], correction[accumulate_width];
        load(high + row, j, end, shape.packed, product);
        load(cross + row, j, end, shape.packed, correction);
        for (int e = 0; e < accumulate_width; e++) {
            total[e] +=
                static_cast<double>(product[e]) + 0x1p-11 * static_cast<double>(correction[e]);
        }
    }
}

__global__ void __launch_bounds__(block_threads, few_resident_blocks)
    split_accumulate_kernel(extent shape, bool lower, int64_t products,
                            const float *__restrict__ high, const float *__restrict__ cross,
                            const double *__restrict__ scale_a, const double *__restrict__ scale_b,
                            double beta, double *__restrict__ c, int64_t ld) {
    constexpr int width = accumulate_width, depth = accumulate_depth;
    for (int64_t j = first_column<width>(shape.packed); j < shape.cols; j += column_step<width>()) {
        double column_factor[width];
        for (int e = 0; e < width; e++) {
            int64_t column = j + e * spacing(shape.packed);
            column_factor[e] = column < shape.cols ? reciprocal(scale_b[column]) : 0.0;
        }
        for (int64_t top = first_row<depth>(); top < shape.rows; top += row_step<depth>()) {
            for (int64_t i = top; i < top + depth && i < shape.rows; i++) {
                int64_t end = lower && i + 1 < shape.cols ? i + 1 : shape.cols;
                if (j >= end) {
                    continue; /* above the diagonal */
                }
                double factor = reciprocal(scale_a[i]), total[width] = {}, sum[width] = {};
                sum_products(shape, products, high, cross, i, j, end, total);
                if (beta != 0.0) {
                    load(c + i * ld, j, end, shape.packed, sum);
                }
                for (int e = 0; e < width; e++) {
                    double scaled = total[e] * (factor * column_factor[e]);
                    sum[e] = beta != 0.0 ? beta * sum[e] + scaled : scaled;
                }
                store(c + i * ld, j, end, shape.packed, sum);
            }
        }
    }
}

} // namespace

cudaError_t pls_launch_split_rows(cudaStream_t stream, pls_matrix x, void *high, void *low,
                                  int64_t ld, double *scale) {
    bool packed = is_packed<float, split_width>(x) &&
                  is_packed<__half, split_width>(high, x.rows, ld) &&
                  is_packed<__half, split_width>(low, x.rows, ld);
    geometry shape = {dim3(grid_size(ceiling(x.rows, split_rows_a_block), grid_x)),
                      dim3(warp_size, split_rows_a_block), 0};
    return launch(stream, shape, split_rows_kernel, extent{x.rows, x.cols, packed},
                  data_of<float>(x), x.ld, static_cast<__half *>(high), static_cast<__half *>(low),
                  ld, scale);
}

cudaError_t pls_launch_split_accumulate(cudaStream_t stream, int64_t products, const float *high,
                                        const float *cross, const double *scale_a,
                                        const double *scale_b, double beta, pls_matrix c,
                                        bool lower) {
    constexpr int64_t several_rows = 2;
    bool packed = is_packed<double, accumulate_width>(c) &&
                  is_packed<float, accumulate_width>(high, several_rows, c.cols) &&
                  is_packed<float, accumulate_width>(cross, several_rows, c.cols);
    return launch(stream, element_geometry(c.rows, c.cols, accumulate_width, accumulate_depth),
                  split_accumulate_kernel, extent{c.rows, c.cols, packed}, lower, products, high,
                  cross, scale_a, scale_b, beta, data_of<double>(c), c.ld);
}
