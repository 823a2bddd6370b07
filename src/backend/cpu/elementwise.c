/* Elementwise operations: biases, activations and their derivatives, and the element by element
 * parts of the Gram matrix and of Jacobian rows. The formulas stand above the slots in backend.h,
 * those of the activations in activation.h. */
#include "backend/activation.h"
#include "backend/cpu/cpu.h"

typedef struct axpby_arguments {
    double alpha, beta;
    pls_view x, y;
} axpby_arguments;

/* beta = 0 does not read y, which may hold NaN. */
static void axpby_piece(const void *arguments, int64_t row, int64_t col, int64_t count) {
    const axpby_arguments *given = arguments;
    if (given->x.dtype == PLS_F32) {
        const float *x = pls_f32_at(given->x, row, col);
        float *y = pls_f32_at(given->y, row, col);
        float alpha = (float)given->alpha, beta = (float)given->beta;
        for (int64_t j = 0; j < count; j++) {
            y[j] = given->beta == 0.0 ? alpha * x[j] : alpha * x[j] + beta * y[j];
        }
    } else {
        const double *x = pls_f64_at(given->x, row, col);
        double *y = pls_f64_at(given->y, row, col);
        for (int64_t j = 0; j < count; j++) {
            y[j] =
                given->beta == 0.0 ? given->alpha * x[j] : given->alpha * x[j] + given->beta * y[j];
        }
    }
}

pls_status pls_cpu_axpby(pls_device *device, double alpha, pls_view x, double beta, pls_view y) {
    pls_cpu_flatten(&x, &y);
    axpby_arguments given = {alpha, beta, x, y};
    pls_cpu_for_elements(device, y.rows, y.cols, axpby_piece, &given);
    return PLS_OK;
}

typedef struct multiply_arguments {
    double alpha;
    pls_view x, y, out;
} multiply_arguments;

static void multiply_piece(const void *arguments, int64_t row, int64_t col, int64_t count) {
    const multiply_arguments *given = arguments;
    if (given->out.dtype == PLS_F32) {
        const float *x = pls_f32_at(given->x, row, col), *y = pls_f32_at(given->y, row, col);
        float *out = pls_f32_at(given->out, row, col), alpha = (float)given->alpha;
        for (int64_t j = 0; j < count; j++) {
            out[j] += alpha * x[j] * y[j];
        }
    } else {
        const double *x = pls_f64_at(given->x, row, col), *y = pls_f64_at(given->y, row, col);
        double *out = pls_f64_at(given->out, row, col);
        for (int64_t j = 0; j < count; j++) {
            out[j] += given->alpha * x[j] * y[j];
        }
    }
}

pls_status pls_cpu_multiply_accumulate(pls_device *device, double alpha, pls_view x, pls_view y,
                                       pls_view out) {
    multiply_arguments given = {alpha, x, y, out};
    pls_cpu_for_elements(device, out.rows, out.cols, multiply_piece, &given);
    return PLS_OK;
}

typedef struct activation_arguments {
    pls_activation phi;
    int order;
    int64_t repeat;
    double t;
    pls_view bias, z, other; /* other: a or d */
} activation_arguments;

static void bias_activation_piece(const void *arguments, int64_t row, int64_t col, int64_t count) {
    const activation_arguments *given = arguments;
    pls_activation phi = given->phi;
    bool biased = !pls_view_is_none(given->bias);
    if (given->z.dtype == PLS_F32) {
        float *z = pls_f32_at(given->z, row, col), *a = pls_f32_at(given->other, row, col);
        const float *bias = biased ? pls_f32_at(given->bias, 0, col) : NULL;
        float t = (float)given->t;
        for (int64_t j = 0; biased && j < count; j++) {
            z[j] += t * bias[j];
        }
        for (int64_t j = 0; j < count; j++) {
            a[j] = pls_activate_f32(phi, z[j]);
        }
    } else {
        double *z = pls_f64_at(given->z, row, col), *a = pls_f64_at(given->other, row, col);
        const double *bias = biased ? pls_f64_at(given->bias, 0, col) : NULL;
        for (int64_t j = 0; biased && j < count; j++) {
            z[j] += given->t * bias[j];
        }
        for (int64_t j = 0; j < count; j++) {
            a[j] = pls_activate_f64(phi, z[j]);
        }
    }
}

pls_status pls_cpu_bias_activation(pls_device *device, pls_activation phi, double t, pls_view bias,
                                   pls_view z, pls_view a) {
    activation_arguments given = {phi, 0, 1, t, bias, z, a};
    pls_cpu_for_elements(device, z.rows, z.cols, bias_activation_piece, &given);
    return PLS_OK;
}

static void derivative_piece(const void *arguments, int64_t row, int64_t col, int64_t count) {
    const activation_arguments *given = arguments;
    pls_activation phi = given->phi;
    int64_t z_row = row / given->repeat;
    if (given->z.dtype == PLS_F32) {
        const float *z = pls_f32_at(given->z, z_row, col);
        float *d = pls_f32_at(given->other, row, col);
        for (int64_t j = 0; j < count; j++) {
            d[j] *= given->order == 1 ? pls_activation_slope_f32(phi, z[j])
                                      : pls_activation_curvature_f32(phi, z[j]);
        }
    } else {
        const double *z = pls_f64_at(given->z, z_row, col);
        double *d = pls_f64_at(given->other, row, col);
        for (int64_t j = 0; j < count; j++) {
            d[j] *= given->order == 1 ? pls_activation_slope_f64(phi, z[j])
                                      : pls_activation_curvature_f64(phi, z[j]);
        }
    }
}

pls_status pls_cpu_activation_derivative(pls_device *device, pls_activation phi, int order,
                                         int64_t repeat, pls_view z, pls_view d) {
    activation_arguments given = {phi, order, repeat, 0.0, pls_no_view(), z, d};
    pls_cpu_for_elements(device, d.rows, d.cols, derivative_piece, &given);
    return PLS_OK;
}

typedef struct hadamard_arguments {
    double alpha, gamma;
    int64_t k;
    pls_view g, d, c;
    bool lower;
} hadamard_arguments;

static void hadamard_piece(const void *arguments, int64_t row, int64_t col, int64_t count) {
    const hadamard_arguments *given = arguments;
    int64_t end = given->lower ? pls_least(col + count, row + 1) : col + count;
    const double *g = pls_f64_at(given->g, row / given->k, 0);
    const double *d = pls_f64_at(given->d, row, 0);
    double *c = pls_f64_at(given->c, row, 0);
    if (given->k == 1) {
        for (int64_t j = col; j < end; j++) {
            c[j] += (given->alpha * g[j] + given->gamma) * d[j];
        }
        return;
    }
    for (int64_t j = col; j < end;) {
        double factor = given->alpha * g[j / given->k] + given->gamma;
        int64_t block_end = pls_least((j / given->k + 1) * given->k, end);
        for (; j < block_end; j++) {
            c[j] += factor * d[j];
        }
    }
}

pls_status pls_cpu_hadamard_accumulate(pls_device *device, double alpha, pls_view g, double gamma,
                                       int64_t k, pls_view d, pls_view c, bool lower) {
    hadamard_arguments given = {alpha, gamma, k, g, d, c, lower};
    pls_cpu_for_elements(device, c.rows, c.cols, hadamard_piece, &given);
    return PLS_OK;
}

typedef struct outer_arguments {
    double alpha;
    int64_t k;
    pls_view d, a, rows;
} outer_arguments;

static void outer_piece(const void *arguments, int64_t row, int64_t col, int64_t count) {
    const outer_arguments *given = arguments;
    int64_t width = given->a.cols, sample = row / given->k;
    for (int64_t j = col; j < col + count;) {
        int64_t p = j / width, q = j % width, length = pls_least(width - q, col + count - j);
        if (given->a.dtype == PLS_F32) {
            float factor = (float)given->alpha * *pls_f32_at(given->d, row, p);
            const float *a = pls_f32_at(given->a, sample, q);
            float *out = pls_f32_at(given->rows, row, j);
            for (int64_t i = 0; i < length; i++) {
                out[i] = factor * a[i];
            }
        } else {
            double factor = given->alpha * *pls_f64_at(given->d, row, p);
            const double *a = pls_f64_at(given->a, sample, q);
            double *out = pls_f64_at(given->rows, row, j);
            for (int64_t i = 0; i < length; i++) {
                out[i] = factor * a[i];
            }
        }
        j += length;
    }
}

pls_status pls_cpu_outer_rows(pls_device *device, double alpha, int64_t k, pls_view d, pls_view a,
                              pls_view rows) {
    outer_arguments given = {alpha, k, d, a, rows};
    pls_cpu_for_elements(device, rows.rows, rows.cols, outer_piece, &given);
    return PLS_OK;
}

pls_status pls_cpu_unit_rows(pls_device *device, int64_t k, pls_view d) {
    for (int64_t i = 0; i < d.rows; i++) {
        for (int64_t j = 0; j < k; j++) {
            pls_store(d, i, j, i % k == j ? 1.0 : 0.0);
        }
    }
    (void)device;
    return PLS_OK;
}

pls_status pls_cpu_add_diagonal(pls_device *device, double alpha, pls_view a) {
    for (int64_t i = 0; i < a.rows; i++) {
        if (a.dtype == PLS_F32) {
            *pls_f32_at(a, i, i) += (float)alpha;
        } else {
            *pls_f64_at(a, i, i) += alpha;
        }
    }
    (void)device;
    return PLS_OK;
}

/* By blocks that fit the cache: one side of a transposition strides. */
pls_status pls_cpu_symmetrize(pls_device *device, pls_view a) {
    enum { BLOCK = 64 };
    int64_t blocks = (a.rows + BLOCK - 1) / BLOCK;
    int threads = pls_cpu_threads(device, (double)a.rows * (double)a.cols);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t block = 0; block < blocks; block++) {
        int64_t i_end = pls_least((block + 1) * BLOCK, a.rows);
        for (int64_t j0 = block * BLOCK; j0 < a.cols; j0 += BLOCK) {
            int64_t j_end = pls_least(j0 + BLOCK, a.cols);
            for (int64_t i = block * BLOCK; i < i_end; i++) {
                for (int64_t j = j0 > i ? j0 : i + 1; j < j_end; j++) {
                    if (a.dtype == PLS_F32) {
                        *pls_f32_at(a, i, j) = *pls_f32_at(a, j, i);
                    } else {
                        *pls_f64_at(a, i, j) = *pls_f64_at(a, j, i);
                    }
                }
            }
        }
    }
    return PLS_OK;
}
