/* Square matrices.
 *
 *     add_diagonal:      a(i,i) += alpha
 *     symmetrize:        a(i,j) = a(j,i) for j > i
 *     first_not_finite:  least i n + j, j <= i, at which a is not finite
 * A transposition goes through a tile in shared memory, so that both sides touch whole rows of it;
 * the column beside the tile keeps a column's elements in different banks. */
#include "elements.cuh"

#include <math.h>

using namespace plstar;

namespace {

template <typename T>
__global__ void __launch_bounds__(block_threads, resident_blocks)
    add_diagonal_kernel(int64_t n, T alpha, T *a, int64_t ld) {
    for (int64_t i = first_column<1>(false); i < n; i += column_step<1>()) {
        a[i * ld + i] += alpha;
    }
}

template <typename T>
cudaError_t add_diagonal(cudaStream_t stream, double alpha, const pls_matrix &a) {
    return launch(stream, element_geometry(1, a.rows, 1), add_diagonal_kernel<T>, a.rows,
                  static_cast<T>(alpha), data_of<T>(a), a.ld);
}

/* ---- symmetrize ------------------------------------------------------------------------------ */

constexpr int tile_size = 32, tile_rows = 8; /* rows of a tile that a block moves at a time */

/* The tile at (top, left), on or below the diagonal, goes to (left, top). */
template <typename T>
__device__ void mirror_tile(int64_t n, T *a, int64_t ld, int64_t top, int64_t left, T *tile) {
    int x = static_cast<int>(threadIdx.x);
    for (int y = static_cast<int>(threadIdx.y); y < tile_size; y += tile_rows) {
        int64_t i = top + y, j = left + x;
        if (i < n && j < i) {
            tile[y * (tile_size + 1) + x] = a[i * ld + j];
        }
    }
    __syncthreads();
    for (int y = static_cast<int>(threadIdx.y); y < tile_size; y += tile_rows) {
        int64_t i = left + y, j = top + x;
        if (j < n && i < j) {
            a[i * ld + j] = tile[x * (tile_size + 1) + y];
        }
    }
    __syncthreads();
}

template <typename T>
__global__ void __launch_bounds__(tile_size *tile_rows)
    symmetrize_kernel(int64_t n, T *a, int64_t ld) {
    PLS_DYNAMIC_SHARED(T, tile);
    int64_t left = static_cast<int64_t>(blockIdx.x) * tile_size;
    int64_t step = static_cast<int64_t>(gridDim.y) * tile_size;
    for (int64_t top = static_cast<int64_t>(blockIdx.y) * tile_size; top < n; top += step) {
        if (top >= left) {
            mirror_tile(n, a, ld, top, left, tile);
        }
    }
}

template <typename T>
cudaError_t symmetrize(cudaStream_t stream, const pls_matrix &a) {
    int64_t tiles = ceiling(a.rows, tile_size);
    geometry shape = {dim3(grid_size(tiles, grid_x), grid_size(tiles, grid_y)),
                      dim3(tile_size, tile_rows), tile_size * (tile_size + 1) * sizeof(T)};
    return launch(stream, shape, symmetrize_kernel<T>, a.rows, data_of<T>(a), a.ld);
}

/* ---- first_not_finite ------------------------------------------------------------------------ */

__global__ void set_index_kernel(unsigned long long value, unsigned long long *index) {
    *index = value;
}

__global__ void __launch_bounds__(block_threads, resident_blocks)
    first_not_finite_kernel(int64_t n, const double *__restrict__ a, int64_t ld,
                            unsigned long long *__restrict__ index) {
    for (int64_t i = first_row(); i < n; i += row_step()) {
        for (int64_t j = threadIdx.x; j <= i; j += blockDim.x) {
            if (!isfinite(a[i * ld + j])) {
                atomicMin(index, static_cast<unsigned long long>(i * n + j));
                break; /* what this thread sees later is behind */
            }
        }
    }
}

} // namespace

cudaError_t pls_launch_add_diagonal(cudaStream_t stream, double alpha, pls_matrix a) {
    return a.dtype == PLS_F32 ? add_diagonal<float>(stream, alpha, a)
                              : add_diagonal<double>(stream, alpha, a);
}

cudaError_t pls_launch_symmetrize(cudaStream_t stream, pls_matrix a) {
    return a.dtype == PLS_F32 ? symmetrize<float>(stream, a) : symmetrize<double>(stream, a);
}

cudaError_t pls_launch_first_not_finite(cudaStream_t stream, pls_matrix a, int64_t *index) {
    auto *place = reinterpret_cast<unsigned long long *>(index);
    geometry one = {dim3(1), dim3(1), 0};
    cudaError_t code =
        launch(stream, one, set_index_kernel, static_cast<unsigned long long>(INT64_MAX), place);
    geometry shape = {dim3(1, grid_size(a.rows, grid_y)), dim3(block_threads), 0};
    return code != cudaSuccess ? code
                               : launch(stream, shape, first_not_finite_kernel, a.rows,
                                        data_of<double>(a), a.ld, place);
}
