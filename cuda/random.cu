/* Random fills: element e of a stream is a function of e alone (base/philox.h), so that any split
 * of a fill into views gives the same numbers, and the same as on a CPU, bit for bit.
 *
 * A block of Philox gives the elements 2b and 2b+1; a thread makes whole blocks and writes what of
 * them falls into the row. Row i begins with element first + i cols, which may be odd. */
#include "elements.cuh"

#include "backend/normal.h"

using namespace plstar;

namespace {

/* Both elements of a block from its two units u and v. */
struct uniform {
    double low, range;

    __device__ void operator()(double u, double v, double (&values)[2]) const {
        values[0] = low + range * u;
        values[1] = low + range * v;
    }
};

struct normal {
    double scale;

    __device__ void operator()(double u, double v, double (&values)[2]) const {
        double even, odd;
        pls_box_muller(u, v, &even, &odd);
        values[0] = scale * even;
        values[1] = scale * odd;
    }
};

/* Elements j and j + 1 of a row, j >= -1, as far as they are in it. */
template <typename T>
__device__ void store_pair(T *row, int64_t j, int64_t cols, T even, T odd) {
    bool whole = j >= 0 && j + 1 < cols;
    if (whole && reinterpret_cast<uintptr_t>(row + j) % (2 * sizeof(T)) == 0) {
        *reinterpret_cast<pack<T, 2> *>(row + j) = {{even, odd}};
        return;
    }
    if (j >= 0) {
        row[j] = even;
    }
    if (j + 1 < cols) {
        row[j + 1] = odd;
    }
}

template <typename T, typename Distribution>
__global__ void __launch_bounds__(block_threads, resident_blocks)
    random_kernel(extent shape, pls_random_stream random, uint64_t first, Distribution distribution,
                  T *__restrict__ dst, int64_t ld) {
    for (int64_t i = first_row(); i < shape.rows; i += row_step()) {
        uint64_t start = first + static_cast<uint64_t>(i * shape.cols);
        int64_t skipped = static_cast<int64_t>(start % 2);
        for (int64_t pair = first_column<1>(false); 2 * pair - skipped < shape.cols;
             pair += column_step<1>()) {
            philox4x32_ctr_t w = pls_philox_block(random, start / 2 + static_cast<uint64_t>(pair));
            double values[2];
            distribution(pls_philox_unit(w.v[1], w.v[0]), pls_philox_unit(w.v[3], w.v[2]), values);
            store_pair(dst + i * ld, 2 * pair - skipped, shape.cols, static_cast<T>(values[0]),
                       static_cast<T>(values[1]));
        }
    }
}

template <typename T, typename Distribution>
cudaError_t random_typed(cudaStream_t stream, pls_random_stream random, int64_t first,
                         Distribution distribution, const pls_matrix &dst) {
    return launch(stream, element_geometry(dst.rows, dst.cols / 2 + 1, 1),
                  random_kernel<T, Distribution>, extent{dst.rows, dst.cols, false}, random,
                  static_cast<uint64_t>(first), distribution, data_of<T>(dst), dst.ld);
}

template <typename Distribution>
cudaError_t fill(cudaStream_t stream, pls_random_stream random, int64_t first,
                 Distribution distribution, pls_matrix dst) {
    if (is_contiguous(dst)) {
        dst = flat(dst);
    }
    return dst.dtype == PLS_F32 ? random_typed<float>(stream, random, first, distribution, dst)
                                : random_typed<double>(stream, random, first, distribution, dst);
}

} // namespace

cudaError_t pls_launch_random_uniform(cudaStream_t stream, pls_random_stream random, int64_t first,
                                      double low, double high, pls_matrix dst) {
    return fill(stream, random, first, uniform{low, high - low}, dst);
}

cudaError_t pls_launch_random_normal(cudaStream_t stream, pls_random_stream random, int64_t first,
                                     double scale, pls_matrix dst) {
    return fill(stream, random, first, normal{scale}, dst);
}
