/* Biases, activations and their derivatives; the formulas of phi stand in activation.h.
 *
 *     bias_activation:        z(i,j) += t bias(j), then a = phi(z)
 *     activation_derivative:  d(i,j) *= phi^(order)(z(i/repeat, j))
 * phi and order are known when a kernel is compiled, so that nothing of the choice is left in its
 * loops. A derivative is computed once for the `repeat` rows that it scales. */
#include "elements.cuh"

#include "backend/activation.h"

#include <utility>

using namespace plstar;

namespace {

template <pls_activation phi, int order>
__device__ float apply(float z) {
    return order == 0   ? pls_activate_f32(phi, z)
           : order == 1 ? pls_activation_slope_f32(phi, z)
                        : pls_activation_curvature_f32(phi, z);
}

template <pls_activation phi, int order>
__device__ double apply(double z) {
    return order == 0   ? pls_activate_f64(phi, z)
           : order == 1 ? pls_activation_slope_f64(phi, z)
                        : pls_activation_curvature_f64(phi, z);
}

template <typename T, pls_activation phi>
__global__ void __launch_bounds__(block_threads, few_resident_blocks)
    bias_activation_kernel(extent shape, T t, const T *__restrict__ bias, T *__restrict__ z,
                           int64_t z_ld, T *__restrict__ a, int64_t a_ld) {
    constexpr int width = pack_width<T>;
    for (int64_t j = first_column<width>(shape.packed); j < shape.cols; j += column_step<width>()) {
        T shift[width] = {};
        if (bias != nullptr) {
            load(bias, j, shape.cols, shape.packed, shift);
        }
        for (int64_t i = first_row(); i < shape.rows; i += row_step()) {
            T values[width];
            load(z + i * z_ld, j, shape.cols, shape.packed, values);
            if (bias != nullptr) {
                for (int e = 0; e < width; e++) {
                    values[e] += t * shift[e];
                }
                store(z + i * z_ld, j, shape.cols, shape.packed, values);
            }
            for (int e = 0; e < width; e++) {
                values[e] = apply<phi, 0>(values[e]);
            }
            store(a + i * a_ld, j, shape.cols, shape.packed, values);
        }
    }
}

/* shape: of z */
template <typename T, pls_activation phi, int order>
__global__ void __launch_bounds__(block_threads, few_resident_blocks)
    derivative_kernel(extent shape, int64_t repeat, const T *__restrict__ z, int64_t z_ld,
                      T *__restrict__ d, int64_t d_ld) {
    constexpr int width = pack_width<T>;
    for (int64_t j = first_column<width>(shape.packed); j < shape.cols; j += column_step<width>()) {
        for (int64_t i = first_row(); i < shape.rows; i += row_step()) {
            T factor[width];
            load(z + i * z_ld, j, shape.cols, shape.packed, factor);
            for (int e = 0; e < width; e++) {
                factor[e] = apply<phi, order>(factor[e]);
            }
            T *group = d + i * repeat * d_ld;
            for (int64_t r = blockIdx.z; r < repeat; r += gridDim.z) {
                T *row = group + r * d_ld, values[width];
                load(row, j, shape.cols, shape.packed, values);
                for (int e = 0; e < width; e++) {
                    values[e] *= factor[e];
                }
                store(row, j, shape.cols, shape.packed, values);
            }
        }
    }
}

/* ---- the kernels of all activations, by their number ----------------------------------------- */

using activations = std::make_integer_sequence<int, PLS_ACTIVATION_COUNT>;

template <typename T, int... phi>
auto bias_activation_of(pls_activation wanted, std::integer_sequence<int, phi...>) {
    using kernel = void (*)(extent, T, const T *, T *, int64_t, T *, int64_t);
    const kernel kernels[] = {bias_activation_kernel<T, static_cast<pls_activation>(phi)>...};
    return kernels[wanted];
}

template <typename T, int order, int... phi>
auto derivative_of(pls_activation wanted, std::integer_sequence<int, phi...>) {
    using kernel = void (*)(extent, int64_t, const T *, int64_t, T *, int64_t);
    const kernel kernels[] = {derivative_kernel<T, static_cast<pls_activation>(phi), order>...};
    return kernels[wanted];
}

/* ---- launchers ------------------------------------------------------------------------------- */

template <typename T>
cudaError_t bias_activation(cudaStream_t stream, pls_activation phi, double t,
                            const pls_matrix &bias, const pls_matrix &z, const pls_matrix &a) {
    bool packed = is_packed<T>(z) && is_packed<T>(a) &&
                  (bias.data == nullptr || is_packed<T>(bias.data, 1, z.cols));
    return launch(stream, element_geometry(z.rows, z.cols, pack_width<T>),
                  bias_activation_of<T>(phi, activations()), extent{z.rows, z.cols, packed},
                  static_cast<T>(t), data_of<T>(bias), data_of<T>(z), z.ld, data_of<T>(a), a.ld);
}

constexpr int64_t repeats_a_thread = 16;

template <typename T>
cudaError_t derivative(cudaStream_t stream, pls_activation phi, int order, int64_t repeat,
                       const pls_matrix &z, const pls_matrix &d) {
    geometry shape = element_geometry(z.rows, z.cols, pack_width<T>);
    shape.grid.z = grid_size(ceiling(repeat, repeats_a_thread), grid_z);
    auto kernel = order == 1 ? derivative_of<T, 1>(phi, activations())
                             : derivative_of<T, 2>(phi, activations());
    return launch(stream, shape, kernel, extent{z.rows, z.cols, is_packed<T>(z) && is_packed<T>(d)},
                  repeat, data_of<T>(z), z.ld, data_of<T>(d), d.ld);
}

} // namespace

cudaError_t pls_launch_bias_activation(cudaStream_t stream, pls_activation phi, double t,
                                       pls_matrix bias, pls_matrix z, pls_matrix a) {
    if (bias.data == nullptr && is_contiguous(z) && is_contiguous(a)) {
        z = flat(z);
        a = flat(a);
    }
    return z.dtype == PLS_F32 ? bias_activation<float>(stream, phi, t, bias, z, a)
                              : bias_activation<double>(stream, phi, t, bias, z, a);
}

cudaError_t pls_launch_activation_derivative(cudaStream_t stream, pls_activation phi, int order,
                                             int64_t repeat, pls_matrix z, pls_matrix d) {
    if (repeat == 1 && is_contiguous(z) && is_contiguous(d)) {
        z = flat(z);
        d = flat(d);
    }
    return z.dtype == PLS_F32 ? derivative<float>(stream, phi, order, repeat, z, d)
                              : derivative<double>(stream, phi, order, repeat, z, d);
}
