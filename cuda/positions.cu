/* The Gram contribution of a layer whose h positions share weights: sums over pairs of positions.
 *
 *     c(i,j) += sum over p, q < h of
 *               (alpha g((i/k) h + p, (j/k) h + q) + gamma) d(i h + p, j h + q)
 * Bound by the bandwidth of reading d. An element of c belongs to a group of lanes of a warp, or to
 * a whole block where its h^2 terms are many; neighbouring threads take neighbouring q. The order
 * of the sum depends on h alone. */
#include "division.cuh"
#include "elements.cuh"
#include "lanes.cuh"

using namespace plstar;

namespace {

struct operands {
    double alpha, gamma;
    int64_t k, h;
    const double *g, *d;
    int64_t g_ld, d_ld;
    bool lower; /* what lies above the diagonals of g and d is not there */
};

__device__ double element(const double *a, int64_t ld, int64_t i, int64_t j, bool lower) {
    return lower && j > i ? a[j * ld + i] : a[i * ld + j];
}

/* Terms first, first + step, ... of the h^2 of element (i, j). */
__device__ double sum_terms(const operands &of, int64_t i, int64_t j, int64_t first, int64_t step) {
    int64_t h = of.h, g_row = quotient_of(i, of.k) * h, g_col = quotient_of(j, of.k) * h;
    divided start = divide(first, h), stride = divide(step, h);
    int64_t p = start.quotient, q = start.remainder;
    double sum = 0.0;
    while (p < h) {
        double g = element(of.g, of.g_ld, g_row + p, g_col + q, of.lower);
        double d = element(of.d, of.d_ld, i * h + p, j * h + q, of.lower);
        sum += (of.alpha * g + of.gamma) * d;
        p += stride.quotient;
        q += stride.remainder;
        if (q >= h) {
            q -= h;
            p++;
        }
    }
    return sum;
}

/* shape: of c. Groups past the last element go along for the shuffles' sake. */
__global__ void __launch_bounds__(block_threads, resident_blocks)
    position_group_kernel(extent shape, int lanes, operands of, double *__restrict__ c,
                          int64_t c_ld) {
    int lane = static_cast<int>(threadIdx.x) % lanes, group = static_cast<int>(threadIdx.x) / lanes;
    int64_t groups = static_cast<int64_t>(blockDim.x) / lanes, count = shape.rows * shape.cols;
    for (int64_t first = blockIdx.x * groups; first < count; first += gridDim.x * groups) {
        divided at = divide(first + group, shape.cols);
        int64_t i = at.quotient, j = at.remainder;
        bool real = first + group < count && !(of.lower && j > i);
        double sum = real ? sum_terms(of, i, j, lane, lanes) : 0.0;
        sum = combine_lanes(sum, lanes, add());
        if (real && lane == 0) {
            c[i * c_ld + j] += sum;
        }
    }
}

__global__ void __launch_bounds__(block_threads, resident_blocks)
    position_block_kernel(extent shape, operands of, double *__restrict__ c, int64_t c_ld) {
    __shared__ double shared[warp_size];
    int64_t count = shape.rows * shape.cols;
    for (int64_t e = blockIdx.x; e < count; e += gridDim.x) {
        divided at = divide(e, shape.cols);
        int64_t i = at.quotient, j = at.remainder;
        if (of.lower && j > i) {
            continue; /* the whole block */
        }
        double sum = sum_terms(of, i, j, threadIdx.x, blockDim.x);
        sum = combine_block(sum, 0.0, shared, add());
        if (threadIdx.x == 0) {
            c[i * c_ld + j] += sum;
        }
        __syncthreads(); /* shared is written again */
    }
}

/* Terms from which on a block shares out one element. */
constexpr int64_t many_terms = 1024;

} // namespace

cudaError_t pls_launch_position_accumulate(cudaStream_t stream, double alpha, pls_matrix g,
                                           double gamma, int64_t k, int64_t h, pls_matrix d,
                                           pls_matrix c, bool lower) {
    operands of = {alpha, gamma, k, h, data_of<double>(g), data_of<double>(d), g.ld, d.ld, lower};
    extent shape = {c.rows, c.cols, false};
    int64_t count = c.rows * c.cols;
    if (h * h >= many_terms) {
        geometry blocks = {dim3(grid_size(count, grid_x)), dim3(block_threads), 0};
        return launch(stream, blocks, position_block_kernel, shape, of, data_of<double>(c), c.ld);
    }
    unsigned lanes = power_of_two(h * h, warp_size);
    geometry groups = {dim3(grid_size(ceiling(count, block_threads / lanes), grid_x)),
                       dim3(block_threads), 0};
    return launch(stream, groups, position_group_kernel, shape, static_cast<int>(lanes), of,
                  data_of<double>(c), c.ld);
}
