/* Losses, one row a sample, in float64.
 *
 *     square:         l = 1/2 |f - y|^2,                           residual = f - y
 *     cross entropy:  l = sum_a y_a (log sum_b exp f_b - f_a),     residual = softmax(f) sum y - y
 *     and its Hessian in f:        out = sum y (p * v - p <p, v>),  p = softmax(f)
 * With m = max f and S = sum_b exp(f_b - m): log sum exp = m + log S, and the term of class a is
 * y_a (log S + (m - f_a)), where nothing overflows and nothing large cancels.
 *
 * A row belongs to a group of neighbouring lanes of a warp, as many as it has outputs (a power of
 * two, at most all 32), so that sums go over shuffles in an order that depends on k alone. */
#include "elements.cuh"
#include "lanes.cuh"

using namespace plstar;

namespace {

/* What one lane sees of a sample: outputs lane, lane + lanes, ... of k. */
template <typename T>
struct sample {
    const T *f, *y;
    T *residual;
    int64_t k;
    int lane, lanes;
};

struct square {
    template <typename T>
    __device__ double operator()(const sample<T> &s) const {
        double sum = 0.0;
        for (int64_t a = s.lane; a < s.k; a += s.lanes) {
            double difference = static_cast<double>(s.f[a]) - static_cast<double>(s.y[a]);
            s.residual[a] = static_cast<T>(difference);
            sum += difference * difference;
        }
        return 0.5 * combine_lanes(sum, s.lanes, add());
    }
};

struct cross_entropy {
    template <typename T>
    __device__ double operator()(const sample<T> &s) const {
        double largest = -HUGE_VAL, sum = 0.0, mass = 0.0, loss = 0.0;
        for (int64_t a = s.lane; a < s.k; a += s.lanes) {
            largest = fmax(largest, static_cast<double>(s.f[a]));
        }
        largest = combine_lanes(largest, s.lanes, larger_number());
        for (int64_t a = s.lane; a < s.k; a += s.lanes) {
            sum += exp(static_cast<double>(s.f[a]) - largest);
            mass += static_cast<double>(s.y[a]);
        }
        sum = combine_lanes(sum, s.lanes, add());
        mass = combine_lanes(mass, s.lanes, add());
        double log_sum = log(sum);
        for (int64_t a = s.lane; a < s.k; a += s.lanes) {
            double output = static_cast<double>(s.f[a]), target = static_cast<double>(s.y[a]);
            loss += target * (log_sum + (largest - output));
            s.residual[a] = static_cast<T>(exp(output - largest) / sum * mass - target);
        }
        return combine_lanes(loss, s.lanes, add());
    }
};

/* Row i of the Hessian of the cross entropy, times v; `residual` is out. */
template <typename T>
__device__ void softmax_row(const sample<T> &s, const T *v) {
    double largest = -HUGE_VAL, sum = 0.0, mass = 0.0, mean = 0.0;
    for (int64_t a = s.lane; a < s.k; a += s.lanes) {
        largest = fmax(largest, static_cast<double>(s.f[a]));
    }
    largest = combine_lanes(largest, s.lanes, larger_number());
    for (int64_t a = s.lane; a < s.k; a += s.lanes) {
        double weight = exp(static_cast<double>(s.f[a]) - largest);
        sum += weight;
        mean += weight * static_cast<double>(v[a]);
        mass += static_cast<double>(s.y[a]);
    }
    sum = combine_lanes(sum, s.lanes, add());
    mean = combine_lanes(mean, s.lanes, add()) / sum;
    mass = combine_lanes(mass, s.lanes, add());
    for (int64_t a = s.lane; a < s.k; a += s.lanes) {
        double probability = exp(static_cast<double>(s.f[a]) - largest) / sum;
        s.residual[a] = static_cast<T>(mass * probability * (static_cast<double>(v[a]) - mean));
    }
}

template <typename T>
__global__ void __launch_bounds__(block_threads, resident_blocks)
    softmax_kernel(extent shape, int lanes, const T *__restrict__ f, int64_t f_ld,
                   const T *__restrict__ y, int64_t y_ld, const T *__restrict__ v, int64_t v_ld,
                   T *__restrict__ out, int64_t out_ld) {
    int lane = static_cast<int>(threadIdx.x) % lanes, group = static_cast<int>(threadIdx.x) / lanes;
    int64_t groups = static_cast<int64_t>(blockDim.x) / lanes;
    for (int64_t first = blockIdx.x * groups; first < shape.rows; first += gridDim.x * groups) {
        bool real = first + group < shape.rows;
        int64_t i = real ? first + group : first;
        softmax_row(sample<T>{f + i * f_ld, y + i * y_ld, out + i * out_ld, real ? shape.cols : 0,
                              lane, lanes},
                    v + i * v_ld);
    }
}

template <typename T>
cudaError_t launch_softmax(cudaStream_t stream, const pls_matrix &f, const pls_matrix &y,
                           const pls_matrix &v, const pls_matrix &out) {
    unsigned lanes = power_of_two(f.cols, warp_size);
    int64_t blocks = ceiling(f.rows, block_threads / lanes);
    geometry shape = {dim3(grid_size(blocks, grid_x)), dim3(block_threads), 0};
    return launch(stream, shape, softmax_kernel<T>, extent{f.rows, f.cols, false},
                  static_cast<int>(lanes), data_of<T>(f), f.ld, data_of<T>(y), y.ld, data_of<T>(v),
                  v.ld, data_of<T>(out), out.ld);
}

/* shape: of f. Groups past the last sample go along with no outputs, for the shuffles' sake. */
template <typename T, typename Loss>
__global__ void __launch_bounds__(block_threads, resident_blocks)
    loss_kernel(extent shape, int lanes, const T *__restrict__ f, int64_t f_ld,
                const T *__restrict__ y, int64_t y_ld, T *__restrict__ residual,
                int64_t residual_ld, double *__restrict__ losses, int64_t losses_ld) {
    int lane = static_cast<int>(threadIdx.x) % lanes, group = static_cast<int>(threadIdx.x) / lanes;
    int64_t groups = static_cast<int64_t>(blockDim.x) / lanes;
    for (int64_t first = blockIdx.x * groups; first < shape.rows; first += gridDim.x * groups) {
        bool real = first + group < shape.rows;
        int64_t i = real ? first + group : first;
        double loss = Loss()(sample<T>{f + i * f_ld, y + i * y_ld, residual + i * residual_ld,
                                       real ? shape.cols : 0, lane, lanes});
        if (real && lane == 0) {
            losses[i * losses_ld] = loss;
        }
    }
}

template <typename T, typename Loss>
cudaError_t launch_loss(cudaStream_t stream, const pls_matrix &f, const pls_matrix &y,
                        const pls_matrix &residual, const pls_matrix &losses) {
    unsigned lanes = power_of_two(f.cols, warp_size);
    int64_t blocks = ceiling(f.rows, block_threads / lanes);
    geometry shape = {dim3(grid_size(blocks, grid_x)), dim3(block_threads), 0};
    return launch(stream, shape, loss_kernel<T, Loss>, extent{f.rows, f.cols, false},
                  static_cast<int>(lanes), data_of<T>(f), f.ld, data_of<T>(y), y.ld,
                  data_of<T>(residual), residual.ld, data_of<double>(losses), losses.ld);
}

} // namespace

cudaError_t pls_launch_square_loss(cudaStream_t stream, pls_matrix f, pls_matrix y,
                                   pls_matrix residual, pls_matrix losses) {
    return f.dtype == PLS_F32 ? launch_loss<float, square>(stream, f, y, residual, losses)
                              : launch_loss<double, square>(stream, f, y, residual, losses);
}

cudaError_t pls_launch_cross_entropy_loss(cudaStream_t stream, pls_matrix f, pls_matrix y,
                                          pls_matrix residual, pls_matrix losses) {
    return f.dtype == PLS_F32 ? launch_loss<float, cross_entropy>(stream, f, y, residual, losses)
                              : launch_loss<double, cross_entropy>(stream, f, y, residual, losses);
}

cudaError_t pls_launch_softmax_product(cudaStream_t stream, pls_matrix f, pls_matrix y,
                                       pls_matrix v, pls_matrix out) {
    return f.dtype == PLS_F32 ? launch_softmax<float>(stream, f, y, v, out)
                              : launch_softmax<double>(stream, f, y, v, out);
}
