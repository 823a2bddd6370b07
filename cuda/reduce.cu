/* Reductions in float64 in one fixed order.
 *
 * Elements, counted row by row whatever the ld, are cut into packs of four. Of T threads, as many
 * as the count asks for, thread t sums the packs t, t + T, t + 2T, ... in four lanes (element e of
 * a pack in lane e), then its lanes, the warps their threads, the blocks their warps and a last
 * block the blocks, all as trees. Alignment and ld decide how a pack is loaded, not where it is
 * added.
 *
 * Sums of columns: a block has some columns, thread (r, j) sums the rows r, r + R, r + 2R, ... of
 * column j, and a tree adds the R sums. R depends on the shape alone. */
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
    static constexpr bool two_views = false;

    __device__ static double term(double x, double) {
        return x;
    }
};

struct product_sum : add {
    static constexpr bool two_views = true;

    __device__ static double term(double x, double y) {
        return x * y;
    }
};

struct distance_sum : add {
    static constexpr bool two_views = true;

    __device__ static double term(double x, double y) {
        return (x - y) * (x - y);
    }
};

struct largest_size : larger {
    static constexpr bool two_views = false;

    __device__ static double term(double x, double) {
        return fabs(x);
    }
};

/* ---- elements in order ------------------------------------------------------------------------
 */

/* The four elements from column `place.remainder` of row `place.quotient` on, of one row and at a
 * multiple of 16 bytes. */
template <typename T>
__device__ void load_pack(const T *x, int64_t ld, divided place, double (&values)[reduce_width]) {
    auto all =
        *reinterpret_cast<const pack<T, reduce_width> *>(x + place.quotient * ld + place.remainder);
    for (int e = 0; e < reduce_width; e++) {
        values[e] = static_cast<double>(all.element[e]);
    }
}

/* The same wherever they lie; zeros past the last `left` of them. */
template <typename T>
__device__ void load_apart(const T *x, int64_t ld, int64_t cols, divided place, int64_t left,
                           double (&values)[reduce_width]) {
    for (int e = 0; e < reduce_width; e++) {
        values[e] = e < left ? static_cast<double>(x[place.quotient * ld + place.remainder]) : 0.0;
        place.count_up(cols);
    }
}

/* Whether all packs of a view lie within its rows and may be loaded at once. */
template <typename T>
bool has_packs(const pls_matrix &x) {
    return is_packed<T, reduce_width>(x) && (x.rows == 1 || x.cols % reduce_width == 0);
}

/* The packs of a thread, one after the other: pack `first` lies at `place`. */
struct pack_walk {
    int64_t first, stride, cols;
    divided place, step;

    __device__ explicit pack_walk(int64_t row_length) : cols(row_length) {
        first = first_column<reduce_width>(true);
        stride = column_step<reduce_width>();
        place = divide(first, cols);
        step = divide(stride, cols);
    }

    __device__ void advance() {
        first += stride;
        place.quotient += step.quotient;
        place.remainder += step.remainder;
        if (place.remainder >= cols) {
            place.remainder -= cols;
            ++place.quotient;
        }
    }
};

template <typename Reduction>
__device__ void take(double (&lane)[reduce_width], const double (&x)[reduce_width],
                     const double (&y)[reduce_width]) {
    for (int e = 0; e < reduce_width; e++) {
        lane[e] = Reduction()(lane[e], Reduction::term(x[e], y[e]));
    }
}

template <typename T, typename Reduction>
__global__ void __launch_bounds__(block_threads, resident_blocks)
    reduce_kernel(extent shape, const T *__restrict__ x, int64_t x_ld, const T *__restrict__ y,
                  int64_t y_ld, double *__restrict__ out) {
    PLS_DYNAMIC_SHARED(double, shared);
    int64_t count = shape.rows * shape.cols;
    double lane[reduce_width] = {}, left[reduce_width], right[reduce_width] = {};
    pack_walk walk(shape.cols);
    if (shape.packed) {
        PLS_UNROLL
        for (; walk.first + reduce_width <= count; walk.advance()) {
            load_pack(x, x_ld, walk.place, left);
            if (Reduction::two_views) {
                load_pack(y, y_ld, walk.place, right);
            }
            take<Reduction>(lane, left, right);
        }
    }
    for (; walk.first < count; walk.advance()) {
        load_apart(x, x_ld, shape.cols, walk.place, count - walk.first, left);
        if (Reduction::two_views) {
            load_apart(y, y_ld, shape.cols, walk.place, count - walk.first, right);
        }
        take<Reduction>(lane, left, right);
    }
    const Reduction combine = {};
    double mine = combine(combine(lane[0], lane[1]), combine(lane[2], lane[3]));
    double total = combine_block(mine, 0.0, shared, combine);
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
cudaError_t reduce_typed(cudaStream_t stream, const pls_matrix &x, const pls_matrix &y,
                         double *scratch, double *out) {
    constexpr size_t shared = warp_size * sizeof(double);
    int64_t packs = ceiling(x.rows * x.cols, reduce_width);
    unsigned blocks = grid_size(ceiling(packs, packs_a_thread * block_threads), PLS_REDUCE_BLOCKS);
    cudaError_t code = launch(
        stream, geometry{dim3(blocks), dim3(block_threads), shared}, reduce_kernel<T, Reduction>,
        extent{x.rows, x.cols, has_packs<T>(x) && has_packs<T>(y)}, data_of<T>(x), x.ld,
        data_of<T>(y), y.ld, blocks == 1 ? out : scratch);
    if (code != cudaSuccess || blocks == 1) {
        return code;
    }
    return launch(stream, geometry{dim3(1), dim3(PLS_REDUCE_BLOCKS), shared},
                  combine_kernel<Reduction>, scratch, static_cast<int>(blocks), out);
}

template <typename Reduction>
cudaError_t reduce(cudaStream_t stream, pls_matrix x, pls_matrix y, double *scratch, double *out) {
    if (is_contiguous(x) && is_contiguous(y)) {
        x = flat(x);
        y = flat(y);
    }
    return x.dtype == PLS_F32 ? reduce_typed<float, Reduction>(stream, x, y, scratch, out)
                              : reduce_typed<double, Reduction>(stream, x, y, scratch, out);
}

/* ---- sums of columns ------------------------------------------------------------------------- */

constexpr int column_threads = 1024; /* of a block, at most */
constexpr int64_t rows_a_thread = 8; /* at least, before a column has more threads */

/* As narrow as coalescing allows, so that there are many blocks; wider where there are few rows. */
int columns_a_block(int64_t rows, int64_t cols) {
    constexpr unsigned narrow = 16, wide = 256;
    unsigned by_rows = wide / power_of_two(ceiling(rows, rows_a_thread), wide / narrow);
    return static_cast<int>(cols < by_rows ? cols : by_rows);
}

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
        PLS_UNROLL
        for (int64_t i = r; i < shape.rows; i += rows) {
            sum += static_cast<double>(x[i * ld + j]);
        }
    }
    sums[thread] = sum;
    for (int half = column_threads / 2; half > 0; half /= 2) {
        if (half < rows) {
            __syncthreads();
            if (r < half && r + half < rows) {
                sums[thread] += sums[thread + half * columns];
            }
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
    int columns = columns_a_block(x.rows, x.cols);
    int64_t rows = ceiling(x.rows, rows_a_thread);
    unsigned threads = static_cast<unsigned>(columns) * grid_size(rows, column_threads / columns);
    geometry shape = {dim3(grid_size(ceiling(x.cols, columns), grid_x)), dim3(threads),
                      threads * sizeof(double)};
    return launch(stream, shape, column_sum_kernel<T>, extent{x.rows, x.cols, false}, columns,
                  alpha, data_of<T>(x), x.ld, beta, data_of<T>(out));
}

} // namespace

cudaError_t pls_launch_sum(cudaStream_t stream, pls_matrix x, double *scratch, double *out) {
    return reduce<plain_sum>(stream, x, x, scratch, out);
}

cudaError_t pls_launch_dot(cudaStream_t stream, pls_matrix x, pls_matrix y, double *scratch,
                           double *out) {
    return reduce<product_sum>(stream, x, y, scratch, out);
}

cudaError_t pls_launch_squared_distance(cudaStream_t stream, pls_matrix x, pls_matrix y,
                                        double *scratch, double *out) {
    return reduce<distance_sum>(stream, x, y, scratch, out);
}

cudaError_t pls_launch_max_abs(cudaStream_t stream, pls_matrix x, double *scratch, double *out) {
    return reduce<largest_size>(stream, x, x, scratch, out);
}

cudaError_t pls_launch_column_sum(cudaStream_t stream, double alpha, pls_matrix x, double beta,
                                  pls_matrix out) {
    return x.dtype == PLS_F32 ? column_sum<float>(stream, alpha, x, beta, out)
                              : column_sum<double>(stream, alpha, x, beta, out);
}
