/* The Gram contribution of a layer whose h positions share weights: sums over pairs of positions.
 *
 *     c(i,j) += sum over p, q < h of
 *               (alpha g((i/k) h + p, (j/k) h + q) + gamma) d(i h + p, j h + q)
 * An element of c is one sum over the rows p of its block, each of which goes over LANES partial
 * sums, so that the order depends on h alone. On the diagonal, blocks are mirrored where only their
 * lower triangles are there. */
#include "backend/cpu/cpu.h"

enum { LANES = 8 };

typedef struct factors {
    double alpha, gamma;
} factors;

/* The sum over one row of a block: count neighbours in g and d. */
static double row_sum(factors by, const double *g, const double *d, int64_t count) {
    double lane[LANES] = {0.0}, sum = 0.0;
    int64_t whole = count - count % LANES;
    for (int64_t q = 0; q < whole; q += LANES) {
        for (int64_t e = 0; e < LANES; e++) {
            lane[e] += (by.alpha * g[q + e] + by.gamma) * d[q + e];
        }
    }
    for (int64_t q = whole; q < count; q++) {
        lane[q - whole] += (by.alpha * g[q] + by.gamma) * d[q];
    }
    for (int64_t e = 0; e < LANES; e++) {
        sum += lane[e];
    }
    return sum;
}

/* Element (i, j) of a symmetric matrix of which the lower triangle is there. */
static double mirrored(pls_view a, int64_t i, int64_t j) {
    return i >= j ? *pls_f64_at(a, i, j) : *pls_f64_at(a, j, i);
}

/* The sum over the block of row, column in d (and of its own in g) where either crosses the
 * diagonal. */
static double diagonal_sum(factors by, pls_view g, int64_t g_row, int64_t g_col, pls_view d,
                           int64_t d_row, int64_t d_col, int64_t h) {
    double sum = 0.0;
    for (int64_t p = 0; p < h; p++) {
        double row = 0.0;
        for (int64_t q = 0; q < h; q++) {
            row += (by.alpha * mirrored(g, g_row + p, g_col + q) + by.gamma) *
                   mirrored(d, d_row + p, d_col + q);
        }
        sum += row;
    }
    return sum;
}

pls_status pls_cpu_position_accumulate(pls_device *device, double alpha, pls_view g, double gamma,
                                       int64_t k, int64_t h, pls_view d, pls_view c, bool lower) {
    factors by = {alpha, gamma};
    int threads = pls_cpu_threads(device, (double)c.rows * (double)c.cols * (double)h * (double)h);
#pragma omp parallel for collapse(2) schedule(dynamic, 8) num_threads(threads)
    for (int64_t i = 0; i < c.rows; i++) {
        for (int64_t j = 0; j < c.cols; j++) {
            int64_t g_row = i / k * h, g_col = j / k * h;
            double sum = 0.0;
            if (lower && j > i) {
                continue;
            }
            if (lower && g_row == g_col) {
                sum = diagonal_sum(by, g, g_row, g_col, d, i * h, j * h, h);
            } else {
                for (int64_t p = 0; p < h; p++) {
                    sum += row_sum(by, pls_f64_at(g, g_row + p, g_col),
                                   pls_f64_at(d, i * h + p, j * h), h);
                }
            }
            *pls_f64_at(c, i, j) += sum;
        }
    }
    return PLS_OK;
}
