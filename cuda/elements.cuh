/* How threads share out the elements of matrices.
 *
 * A thread holds `width` elements of a row, 16 bytes or a multiple. They lie side by side where all
 * rows begin at multiples of 16 bytes ("packed": one access moves them), else blockDim.x apart; so
 * neighbouring threads touch neighbouring memory in both cases, and the arithmetic is compiled
 * once. A block covers blockDim.x width columns and blockDim.y depth rows, `depth` of them one
 * after the other by the same thread; the grid strides in both directions until all is done.
 *
 *     for (int64_t j = first_column<width>(packed); j < cols; j += column_step<width>())
 *         for (int64_t i = first_row(); i < rows; i += row_step())
 *             elements (i, j), (i, j + spacing(packed)), ... */
#ifndef PLSTAR_CUDA_ELEMENTS_CUH
#define PLSTAR_CUDA_ELEMENTS_CUH

#include "launch.cuh"

namespace plstar {

/* Threads of a block, and blocks that a multiprocessor is to hold at least: with a number given the
 * compiler keeps to registers instead of spilling for the sake of more blocks. */
constexpr unsigned block_threads = 256, resident_blocks = 4;
constexpr unsigned few_resident_blocks = 2; /* where arithmetic takes many registers */

/* Elements of type T in 16 bytes. */
template <typename T>
constexpr int pack_width = 16 / sizeof(T);

template <typename T, int width>
constexpr int pack_alignment = width * sizeof(T) < 16 ? width * sizeof(T) : 16;

template <typename T, int width>
struct alignas(pack_alignment<T, width>) pack {
    T element[width];
};

struct extent {
    int64_t rows, cols;
    bool packed;
};

/* ---- device ---------------------------------------------------------------------------------- */

__device__ inline unsigned spacing(bool packed) {
    return packed ? 1 : blockDim.x;
}

/* Of a block's tile of columns. */
template <int width>
__device__ int64_t lane_column(bool packed) {
    return packed ? static_cast<int64_t>(threadIdx.x) * width : threadIdx.x;
}

template <int width>
__device__ int64_t first_column(bool packed) {
    return static_cast<int64_t>(blockIdx.x) * blockDim.x * width + lane_column<width>(packed);
}

template <int width>
__device__ int64_t column_step() {
    return static_cast<int64_t>(gridDim.x) * blockDim.x * width;
}

template <int depth = 1>
__device__ int64_t first_row() {
    return (static_cast<int64_t>(blockIdx.y) * blockDim.y + threadIdx.y) * depth;
}

template <int depth = 1>
__device__ int64_t row_step() {
    return static_cast<int64_t>(gridDim.y) * blockDim.y * depth;
}

/* The thread's elements of row[0 .. end-1] from column j on; zeros past the end. */
template <int width, typename T>
__device__ void load(const T *row, int64_t j, int64_t end, bool packed, T (&values)[width]) {
    if (packed && j + width <= end) {
        pack<T, width> all = *reinterpret_cast<const pack<T, width> *>(row + j);
        for (int e = 0; e < width; e++) {
            values[e] = all.element[e];
        }
    } else {
        for (int e = 0; e < width; e++) {
            int64_t column = j + e * spacing(packed);
            values[e] = column < end ? row[column] : static_cast<T>(0);
        }
    }
}

template <int width, typename T>
__device__ void store(T *row, int64_t j, int64_t end, bool packed, const T (&values)[width]) {
    if (packed && j + width <= end) {
        pack<T, width> all;
        for (int e = 0; e < width; e++) {
            all.element[e] = values[e];
        }
        *reinterpret_cast<pack<T, width> *>(row + j) = all;
    } else {
        for (int e = 0; e < width; e++) {
            int64_t column = j + e * spacing(packed);
            if (column < end) {
                row[column] = values[e];
            }
        }
    }
}

/* ---- host ------------------------------------------------------------------------------------ */

template <typename T>
T *data_of(const pls_matrix &matrix) {
    return static_cast<T *>(matrix.data);
}

inline bool is_contiguous(const pls_matrix &matrix) {
    return matrix.ld == matrix.cols || matrix.rows == 1;
}

/* All elements of a contiguous matrix as one row. */
inline pls_matrix flat(pls_matrix matrix) {
    matrix.cols *= matrix.rows;
    matrix.rows = 1;
    matrix.ld = matrix.cols;
    return matrix;
}

/* Whether `width` elements of type T may be moved at once. */
template <typename T, int width = pack_width<T>>
bool is_packed(const void *data, int64_t rows, int64_t ld) {
    constexpr int64_t alignment = pack_alignment<T, width>;
    bool base = reinterpret_cast<uintptr_t>(data) % alignment == 0;
    return base && (rows == 1 || ld * static_cast<int64_t>(sizeof(T)) % alignment == 0);
}

template <typename T, int width = pack_width<T>>
bool is_packed(const pls_matrix &matrix) {
    return is_packed<T, width>(matrix.data, matrix.rows, matrix.ld);
}

inline int64_t ceiling(int64_t n, int64_t d) {
    return n / d + (n % d != 0);
}

inline unsigned grid_size(int64_t blocks, int64_t limit) {
    return static_cast<unsigned>(blocks < limit ? blocks : limit);
}

/* Blocks that a grid may have. */
constexpr int64_t grid_x = 2147483647, grid_y = 65535, grid_z = 65535;

/* The least power of two that is no less than n, at most `limit`. */
inline unsigned power_of_two(int64_t n, unsigned limit) {
    unsigned power = 1;
    while (power < n && power < limit) {
        power *= 2;
    }
    return power;
}

/* One row takes long blocks; several rows take narrow ones, of which fewer threads stick out. */
inline geometry element_geometry(int64_t rows, int64_t cols, int width, int depth = 1) {
    int64_t packs = ceiling(cols, width), runs = ceiling(rows, depth);
    unsigned x = power_of_two(packs, runs == 1 ? block_threads : block_threads / 4);
    unsigned y = power_of_two(runs, block_threads / x);
    return {dim3(grid_size(ceiling(packs, x), grid_x), grid_size(ceiling(runs, y), grid_y)),
            dim3(x, y), 0};
}

} // namespace plstar

#endif
