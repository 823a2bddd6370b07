/* Reductions in float64 in one fixed order.
 *
 * Elements, counted row by row whatever the ld, are cut into packs of four. Of T threads, as many
 * as the count asks for, thread t sums the packs t, t + T, t + 2T, ... in four lanes (element e of
 * a pack in lane e), then its lanes, the warps their threads, the blocks their warps and a last
 * block the blocks, all as trees. Alignment and ld decide how a pack is loaded, not where it is
 * added.
 *
 * Sums of columns: a block has some columns, thread (r, j) sums the rows r, r + R, r + 2R, ... of
 * column j, and a tree adds the R sums. */
#include "division.cuh"
#include "elements.cuh"
#include "lanes.cuh"

using namespace plstar;

namespace {

constexpr int reduce_width = 4;
constexpr int64_t packs_a_thread = 4; /* at least, before there are more blocks */

/* ---- what is reduced: combine(so far, term(x, y)), beginning with the identity 0 --------------
 */

struct plain_sum : add {
    __device__ double term(double x, double) const {
        return x;
    }
};

struct product_sum : add {
    __device__ double term(double x, double y) const {
        return x * y;
    }
};

struct distance_sum : add {
    __device__ double term(double x, double y) const {
        return (x - y) * (x - y);
    }
};

struct largest_size : larger {
    __device__ double term(double x, double) const {
        return fabs(x);
    }
};

/* ---- elements in order ------------------------------------------------------------------------
 */

/* Elements first .. first + 3, which begin at column `place.remainder` of row `place.quotient`;
 * zeros past the end. */
template <typename T>
__device__ void load_pack(const T *__restrict__ x, int64_t ld, int64_t cols, bool packed,
                          divided place, int64_t left, double (&values)[reduce_width]) {
    const T *row = x + place.quotient * ld;
    if (packed && left >= reduce_width) {
        auto all = *reinterpret_cast<const pack<T, reduce_width> *>(row + place.remainder);
        for (int e = 0; e < reduce_width; e++) {
            values[e] = static_cast<double>(all.element[e]);
        }
        return;
    }
    for (int e = 0; e < reduce_width; e++) {
        values[e] = e < left ? static_cast<double>(row[place.remainder]) : 0.0;
        if (++place.remainder == cols) {
            place.remainder = 0;
            row += ld;
        }
    }
}

/* A view that packs may be loaded from at once has them within its rows. */
template <typename T>
bool has_packs(const pls_matrix &x) {
    return is_packed<T, reduce_width>(x) && (x.rows == 1 || x.cols % reduce_width == 0);
}

/* y: x itself where there is one view. */
template <typename T, typename Reduction>
__global__ void __launch_bounds__(block_threads)
    reduce_kernel(extent shape, const T *__restrict__ x, int64_t x_ld, const T *__restrict__ y,
                  int64_t y_ld, bool two, double *__restrict__ out) {
    PLS_DYNAMIC_SHARED(double, shared);
    const Reduction reduction = {};
    int64_t count = shape.rows * shape.cols;
    int64_t threads = static_cast<int64_t>(gridDim.x) * blockDim.x;
    int64_t first = first_column<reduce_width>(true);
    divided place = divide(first, shape.cols), step = divide(threads * reduce_width, shape.cols);
    double lane[reduce_width] = {};
    for (; first < count; first += threads * reduce_width) {
        double left[reduce_width], right[reduce_width] = {};
        load_pack(x, x_ld, shape.cols, shape.packed, place, count - first, left);
        if (two) {
            load_pack(y, y_ld, shape.cols, shape.packed, place, count - first, right);
        }
        for (int e = 0; e < reduce_width; e++) {
            lane[e] = reduction(lane[e], reduction.term(left[e], right[e]));
        }
        place.quotient += step.quotient;
        place.remainder += step.remainder;
        if (place.remainder >= shape.cols) {
            place.remainder -= shape.cols;
            ++place.quotient;
        }
    }
    double mine = reduction(reduction(lane[0], lane[1]), reduction(lane[2], lane[3]));
    double total = combine_block(mine, 0.0, shared, reduction);
    if (threadIdx.x == 0) {
        out[blockIdx.x] = total;
    }
}

template <typename Reduction>
__global__ void __launch_bounds__(PLS_REDUCE_BLOCKS)
    combine_kernel(const double *__restrict__ partial, int count, double *__restrict__ out) {
    PLS_DYNAMIC_SHARED(double, shared);
    int thread = static_cast<int>(threadIdx.x);
    double total = combine_block(thread < count ? partial[thread] : 0.0, 0.0, shared, Reduction());
    if (thread == 0) {
        *out = total;
    }
}

template <typename T, typename Reduction>
cudaError_t reduce_typed(cudaStream_t stream, const pls_matrix &x, const pls_matrix &y, bool two,
                         double *scratch, double *out) {
    constexpr size_t shared = warp_size * sizeof(double);
    int64_t packs = ceiling(x.rows * x.cols, reduce_width);
    unsigned blocks = grid_size(ceiling(packs, packs_a_thread * block_threads), PLS_REDUCE_BLOCKS);
    cudaError_t code = launch(
        stream, geometry{dim3(blocks), dim3(block_threads), shared}, reduce_kernel<T, Reduction>,
        extent{x.rows, x.cols, has_packs<T>(x) && has_packs<T>(y)}, data_of<T>(x), x.ld,
        data_of<T>(y), y.ld, two, blocks == 1 ? out : scratch);
    if (code != cudaSuccess || blocks == 1) {
        return code;
    }
    return launch(stream, geometry{dim3(1), dim3(PLS_REDUCE_BLOCKS), shared},
                  combine_kernel<Reduction>, scratch, static_cast<int>(blocks), out);
}

template <typename Reduction>
cudaError_t reduce(cudaStream_t stream, pls_matrix x, pls_matrix y, bool two, double *scratch,
                   double *out) {
    if (is_contiguous(x) && is_contiguous(y)) {
        x = flat(x);
        y = flat(y);
    }
    return x.dtype == PLS_F32 ? reduce_typed<float, Reduction>(stream, x, y, two, scratch, out)
                              : reduce_typed<double, Reduction>(stream, x, y, two, scratch, out);
}

/* ---- sums of columns ------------------------------------------------------------------------- */

constexpr int column_threads = 1024, columns_a_block = 16;

template <typename T>
__global__ void __launch_bounds__(column_threads)
    column_sum_kernel(extent shape, int columns, double alpha, const T *__restrict__ x, int64_t ld,
                      double beta, T *__restrict__ out) {
    PLS_DYNAMIC_SHARED(double, sums);
    int thread = static_cast<int>(threadIdx.x), rows = static_cast<int>(blockDim.x) / columns;
    int r = thread / columns;
    int64_t j = static_cast<int64_t>(blockIdx.x) * columns + thread % columns;
    double sum = 0.0;
    if (j < shape.cols) {
#pragma unroll 4
        for (int64_t i = r; i < shape.rows; i += rows) {
            sum += static_cast<double>(x[i * ld + j]);
        }
    }
    sums[thread] = sum;
    for (int half = column_threads / 2; half > 0; half /= 2) {
        __syncthreads();
        if (r < half && r + half < rows) {
            sums[thread] += sums[thread + half * columns];
        }
    }
    if (r == 0 && j < shape.cols) {
        double total = alpha * sums[thread];
        out[j] = static_cast<T>(beta == 0.0 ? total : total + beta * static_cast<double>(out[j]));
    }
}

template <typename T>
cudaError_t column_sum(cudaStream_t stream, double alpha, const pls_matrix &x, double beta,
                       const pls_matrix &out) {
    int columns = static_cast<int>(x.cols < columns_a_block ? x.cols : columns_a_block);
    unsigned threads = static_cast<unsigned>(column_threads / columns * columns);
    geometry shape = {dim3(grid_size(ceiling(x.cols, columns), grid_x)), dim3(threads),
                      threads * sizeof(double)};
    return launch(stream, shape, column_sum_kernel<T>, extent{x.rows, x.cols, false}, columns,
                  alpha, data_of<T>(x), x.ld, beta, data_of<T>(out));
}

} // namespace

cudaError_t pls_launch_sum(cudaStream_t stream, pls_matrix x, double *scratch, double *out) {
    return reduce<plain_sum>(stream, x, x, false, scratch, out);
}

cudaError_t pls_launch_dot(cudaStream_t stream, pls_matrix x, pls_matrix y, double *scratch,
                           double *out) {
    return reduce<product_sum>(stream, x, y, true, scratch, out);
}

cudaError_t pls_launch_squared_distance(cudaStream_t stream, pls_matrix x, pls_matrix y,
                                        double *scratch, double *out) {
    return reduce<distance_sum>(stream, x, y, true, scratch, out);
}

cudaError_t pls_launch_max_abs(cudaStream_t stream, pls_matrix x, double *scratch, double *out) {
    return reduce<largest_size>(stream, x, x, false, scratch, out);
}

cudaError_t pls_launch_column_sum(cudaStream_t stream, double alpha, pls_matrix x, double beta,
                                  pls_matrix out) {
    return x.dtype == PLS_F32 ? column_sum<float>(stream, alpha, x, beta, out)
                              : column_sum<double>(stream, alpha, x, beta, out);
}
