/* Elementwise operations on two and three matrices.
 *
 *     axpby:                y = alpha x + beta y
 *     multiply_accumulate:  out += alpha x * y
 *     hadamard_accumulate:  c(i,j) += (alpha g(i/k, j/k) + gamma) d(i,j)
 *     outer_rows:           rows(r, p q_n + q) = alpha d(r,p) a(r/k, q) */
#include "division.cuh"
#include "elements.cuh"

using namespace plstar;

namespace {

/* ---- axpby: beta = 0 does not read y, which may hold NaN ------------------------------------- */

template <typename T>
__global__ void __launch_bounds__(block_threads, resident_blocks)
    axpby_kernel(extent shape, T alpha, const T *__restrict__ x, int64_t x_ld, bool accumulates,
                 T beta, T *__restrict__ y, int64_t y_ld) {
    constexpr int width = pack_width<T>;
    for (int64_t j = first_column<width>(shape.packed); j < shape.cols; j += column_step<width>()) {
        for (int64_t i = first_row(); i < shape.rows; i += row_step()) {
            T values[width];
            load(x + i * x_ld, j, shape.cols, shape.packed, values);
            for (int e = 0; e < width; e++) {
                values[e] *= alpha;
            }
            if (accumulates) {
                T before[width];
                load(y + i * y_ld, j, shape.cols, shape.packed, before);
                for (int e = 0; e < width; e++) {
                    values[e] += beta * before[e];
                }
            }
            store(y + i * y_ld, j, shape.cols, shape.packed, values);
        }
    }
}

template <typename T>
cudaError_t axpby(cudaStream_t stream, double alpha, const pls_matrix &x, double beta,
                  const pls_matrix &y) {
    bool packed = is_packed<T>(x) && is_packed<T>(y);
    return launch(stream, element_geometry(y.rows, y.cols, pack_width<T>), axpby_kernel<T>,
                  extent{y.rows, y.cols, packed}, static_cast<T>(alpha), data_of<T>(x), x.ld,
                  beta != 0.0, static_cast<T>(beta), data_of<T>(y), y.ld);
}

/* ---- multiply_accumulate --------------------------------------------------------------------- */

template <typename T>
__global__ void __launch_bounds__(block_threads, resident_blocks)
    multiply_kernel(extent shape, T alpha, const T *__restrict__ x, int64_t x_ld,
                    const T *__restrict__ y, int64_t y_ld, T *__restrict__ out, int64_t out_ld) {
    constexpr int width = pack_width<T>;
    for (int64_t j = first_column<width>(shape.packed); j < shape.cols; j += column_step<width>()) {
        for (int64_t i = first_row(); i < shape.rows; i += row_step()) {
            T left[width], right[width], sum[width];
            load(x + i * x_ld, j, shape.cols, shape.packed, left);
            load(y + i * y_ld, j, shape.cols, shape.packed, right);
            load(out + i * out_ld, j, shape.cols, shape.packed, sum);
            for (int e = 0; e < width; e++) {
                sum[e] += alpha * left[e] * right[e];
            }
            store(out + i * out_ld, j, shape.cols, shape.packed, sum);
        }
    }
}

template <typename T>
cudaError_t multiply(cudaStream_t stream, double alpha, const pls_matrix &x, const pls_matrix &y,
                     const pls_matrix &out) {
    bool packed = is_packed<T>(x) && is_packed<T>(y) && is_packed<T>(out);
    return launch(stream, element_geometry(out.rows, out.cols, pack_width<T>), multiply_kernel<T>,
                  extent{out.rows, out.cols, packed}, static_cast<T>(alpha), data_of<T>(x), x.ld,
                  data_of<T>(y), y.ld, data_of<T>(out), out.ld);
}

/* ---- hadamard_accumulate: a thread keeps its columns for several rows ------------------------ */

constexpr int hadamard_width = 2, hadamard_depth = 8;

__global__ void __launch_bounds__(block_threads, resident_blocks)
    hadamard_kernel(extent shape, bool lower, double alpha, const double *__restrict__ g,
                    int64_t g_ld, double gamma, int64_t k, const double *__restrict__ d,
                    int64_t d_ld, double *__restrict__ c, int64_t c_ld) {
    constexpr int width = hadamard_width, depth = hadamard_depth;
    for (int64_t j = first_column<width>(shape.packed); j < shape.cols; j += column_step<width>()) {
        int64_t column[width], g_column[width];
        for (int e = 0; e < width; e++) {
            column[e] = j + e * spacing(shape.packed);
            g_column[e] = quotient_of(column[e], k);
        }
        for (int64_t top = first_row<depth>(); top < shape.rows; top += row_step<depth>()) {
            int64_t bottom = top + depth < shape.rows ? top + depth : shape.rows;
            if (lower && bottom <= j) {
                continue; /* above the diagonal */
            }
            divided row = divide(top, k);
            for (int64_t i = top; i < bottom; i++, row.count_up(k)) {
                int64_t end = lower && i + 1 < shape.cols ? i + 1 : shape.cols;
                const double *g_row = g + row.quotient * g_ld;
                double factor[width], product[width], sum[width];
                for (int e = 0; e < width; e++) {
                    factor[e] = column[e] < end ? alpha * g_row[g_column[e]] + gamma : 0.0;
                }
                load(d + i * d_ld, j, end, shape.packed, product);
                load(c + i * c_ld, j, end, shape.packed, sum);
                for (int e = 0; e < width; e++) {
                    sum[e] += factor[e] * product[e];
                }
                store(c + i * c_ld, j, end, shape.packed, sum);
            }
        }
    }
}

/* ---- outer_rows: a thread keeps its part of a's row for several p ---------------------------- */

constexpr int outer_reuse = 4;

template <typename T>
__global__ void __launch_bounds__(block_threads, resident_blocks)
    outer_rows_kernel(extent shape, int64_t samples, T alpha, int64_t k, const T *__restrict__ d,
                      int64_t d_ld, const T *__restrict__ a, int64_t a_ld, T *__restrict__ rows,
                      int64_t ld) {
    constexpr int width = pack_width<T>;
    for (int64_t r = blockIdx.z; r < samples; r += gridDim.z) {
        const T *a_row = a + quotient_of(r, k) * a_ld, *d_row = d + r * d_ld;
        T *out = rows + r * ld;
        for (int64_t q = first_column<width>(shape.packed); q < shape.cols;
             q += column_step<width>()) {
            T right[width];
            load(a_row, q, shape.cols, shape.packed, right);
            for (int64_t p = first_row(); p < shape.rows; p += row_step()) {
                T factor = alpha * d_row[p], product[width];
                for (int e = 0; e < width; e++) {
                    product[e] = factor * right[e];
                }
                store(out + p * shape.cols, q, shape.cols, shape.packed, product);
            }
        }
    }
}

/* Every row of `rows` is a matrix p_n x q_n of its own. */
template <typename T>
cudaError_t outer_rows(cudaStream_t stream, double alpha, int64_t k, const pls_matrix &d,
                       const pls_matrix &a, const pls_matrix &rows) {
    geometry shape = element_geometry(ceiling(d.cols, outer_reuse), a.cols, pack_width<T>);
    shape.grid.z = grid_size(d.rows, grid_z);
    bool packed = is_packed<T>(a) && is_packed<T>(rows) && is_packed<T>(rows.data, d.cols, a.cols);
    return launch(stream, shape, outer_rows_kernel<T>, extent{d.cols, a.cols, packed}, d.rows,
                  static_cast<T>(alpha), k, data_of<T>(d), d.ld, data_of<T>(a), a.ld,
                  data_of<T>(rows), rows.ld);
}

} // namespace

cudaError_t pls_launch_axpby(cudaStream_t stream, double alpha, pls_matrix x, double beta,
                             pls_matrix y) {
    if (is_contiguous(x) && is_contiguous(y)) {
        x = flat(x);
        y = flat(y);
    }
    return y.dtype == PLS_F32 ? axpby<float>(stream, alpha, x, beta, y)
                              : axpby<double>(stream, alpha, x, beta, y);
}

cudaError_t pls_launch_multiply_accumulate(cudaStream_t stream, double alpha, pls_matrix x,
                                           pls_matrix y, pls_matrix out) {
    if (is_contiguous(x) && is_contiguous(y) && is_contiguous(out)) {
        x = flat(x);
        y = flat(y);
        out = flat(out);
    }
    return out.dtype == PLS_F32 ? multiply<float>(stream, alpha, x, y, out)
                                : multiply<double>(stream, alpha, x, y, out);
}

cudaError_t pls_launch_hadamard_accumulate(cudaStream_t stream, double alpha, pls_matrix g,
                                           double gamma, int64_t k, pls_matrix d, pls_matrix c,
                                           bool lower) {
    bool packed = is_packed<double>(d) && is_packed<double>(c);
    return launch(stream, element_geometry(c.rows, c.cols, hadamard_width, hadamard_depth),
                  hadamard_kernel, extent{c.rows, c.cols, packed}, lower, alpha, data_of<double>(g),
                  g.ld, gamma, k, data_of<double>(d), d.ld, data_of<double>(c), c.ld);
}

cudaError_t pls_launch_outer_rows(cudaStream_t stream, double alpha, int64_t k, pls_matrix d,
                                  pls_matrix a, pls_matrix rows) {
    return rows.dtype == PLS_F32 ? outer_rows<float>(stream, alpha, k, d, a, rows)
                                 : outer_rows<double>(stream, alpha, k, d, a, rows);
}
