/* Dense products on tiles of the result, each tile one serial BLAS call with the whole inner
 * dimension.
 *
 * The edge of a tile is a function of the result's shape alone: the largest of a few for which
 * there are enough tiles to share out. Large tiles spare the BLAS copying (a tile of edge e copies
 * 2 e p numbers for 2 e^2 p operations); many tiles feed many threads. */
#include "backend/cpu/cpu.h"

#include <cblas.h>
#include <limits.h>

typedef struct tile_size {
    int64_t edge, least_tiles;
} tile_size;

static const tile_size tile_sizes[] = {{1024, 64}, {512, 10}, {256, 3}, {128, 3}};

enum { TILE_SIZES = sizeof tile_sizes / sizeof tile_sizes[0], SMALLEST_EDGE = 64, SYMV_ROWS = 64 };

static int64_t tiles_of(int64_t extent, int64_t edge) {
    return (extent + edge - 1) / edge;
}

/* For `count` results of m x n. */
static int64_t full_edge(int64_t m, int64_t n, int64_t count) {
    for (int i = 0; i < TILE_SIZES; i++) {
        int64_t edge = tile_sizes[i].edge;
        if (tiles_of(m, edge) * tiles_of(n, edge) >=
            (tile_sizes[i].least_tiles + count - 1) / count) {
            return edge;
        }
    }
    return SMALLEST_EDGE;
}

/* For the lower triangle of n x n. */
static int64_t lower_edge(int64_t n) {
    for (int i = 0; i < TILE_SIZES; i++) {
        int64_t tiles = tiles_of(n, tile_sizes[i].edge);
        if (tiles * (tiles + 1) / 2 >= tile_sizes[i].least_tiles) {
            return tile_sizes[i].edge;
        }
    }
    return SMALLEST_EDGE;
}

pls_status pls_cpu_check_blas(pls_device *device, const char *operation, pls_view view) {
    if (view.cols > INT_MAX || view.rows > INT_MAX || (view.rows > 1 && view.ld > INT_MAX)) {
        return pls_fail(device->context, PLS_ERROR_UNSUPPORTED,
                        "%s: a matrix of %lld x %lld with ld %lld is beyond the 32-bit sizes of "
                        "the CPU's BLAS; cut it into parts",
                        operation, (long long)view.rows, (long long)view.cols, (long long)view.ld);
    }
    return PLS_OK;
}

/* The ld that the BLAS gets: that of a single row says nothing. */
static int blas_ld(pls_view view) {
    return (int)(view.rows == 1 ? view.cols : view.ld);
}

static CBLAS_TRANSPOSE blas_transpose(pls_transpose transpose) {
    return transpose == PLS_PLAIN ? CblasNoTrans : CblasTrans;
}

/* y = alpha op(matrix) x + beta y, with strides as they lie in memory. */
static void gemv(pls_transpose transpose, double alpha, pls_view matrix, pls_view x, int64_t x_step,
                 double beta, pls_view y, int64_t y_step) {
    if (y.dtype == PLS_F32) {
        cblas_sgemv(CblasRowMajor, blas_transpose(transpose), (int)matrix.rows, (int)matrix.cols,
                    (float)alpha, pls_f32_at(matrix, 0, 0), blas_ld(matrix), pls_f32_at(x, 0, 0),
                    (int)x_step, (float)beta, pls_f32_at(y, 0, 0), (int)y_step);
    } else {
        cblas_dgemv(CblasRowMajor, blas_transpose(transpose), (int)matrix.rows, (int)matrix.cols,
                    alpha, pls_f64_at(matrix, 0, 0), blas_ld(matrix), pls_f64_at(x, 0, 0),
                    (int)x_step, beta, pls_f64_at(y, 0, 0), (int)y_step);
    }
}

/* From one element of a row of op(x) to the next, or of a column. */
static int64_t row_step(pls_transpose transpose, pls_view x) {
    return transpose == PLS_PLAIN || x.rows == 1 ? 1 : x.ld;
}

static int64_t column_step(pls_transpose transpose, pls_view x) {
    return row_step(transpose == PLS_PLAIN ? PLS_TRANSPOSED : PLS_PLAIN, x);
}

/* A result of one row or one column: reading the matrix is the work, and a product of matrices
 * would copy it first. */
static void thin_tile(pls_transpose ta, pls_transpose tb, double alpha, pls_view a, pls_view b,
                      double beta, pls_view c) {
    if (c.rows == 1) {
        pls_transpose turned = tb == PLS_PLAIN ? PLS_TRANSPOSED : PLS_PLAIN;
        gemv(turned, alpha, b, a, row_step(ta, a), beta, c, 1);
    } else {
        gemv(ta, alpha, a, b, column_step(tb, b), beta, c, c.ld);
    }
}

/* One BLAS call; the shapes are those of the contract. */
static void gemm_tile(pls_transpose ta, pls_transpose tb, double alpha, pls_view a, pls_view b,
                      double beta, pls_view c) {
    int inner = (int)(ta == PLS_PLAIN ? a.cols : a.rows);
    if (c.dtype == PLS_F32) {
        cblas_sgemm(CblasRowMajor, blas_transpose(ta), blas_transpose(tb), (int)c.rows, (int)c.cols,
                    inner, (float)alpha, pls_f32_at(a, 0, 0), blas_ld(a), pls_f32_at(b, 0, 0),
                    blas_ld(b), (float)beta, pls_f32_at(c, 0, 0), blas_ld(c));
    } else {
        cblas_dgemm(CblasRowMajor, blas_transpose(ta), blas_transpose(tb), (int)c.rows, (int)c.cols,
                    inner, alpha, pls_f64_at(a, 0, 0), blas_ld(a), pls_f64_at(b, 0, 0), blas_ld(b),
                    beta, pls_f64_at(c, 0, 0), blas_ld(c));
    }
}

/* One BLAS call on and below the diagonal. */
static void syrk_tile(double alpha, pls_view a, double beta, pls_view c) {
    if (c.dtype == PLS_F32) {
        cblas_ssyrk(CblasRowMajor, CblasLower, CblasNoTrans, (int)c.rows, (int)a.cols, (float)alpha,
                    pls_f32_at(a, 0, 0), blas_ld(a), (float)beta, pls_f32_at(c, 0, 0), blas_ld(c));
    } else {
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, (int)c.rows, (int)a.cols, alpha,
                    pls_f64_at(a, 0, 0), blas_ld(a), beta, pls_f64_at(c, 0, 0), blas_ld(c));
    }
}

/* Rows first .. of op(x), or columns. */
static pls_view op_rows(pls_transpose transpose, pls_view x, int64_t first, int64_t count) {
    return transpose == PLS_PLAIN ? pls_view_rows(x, first, count) : pls_view_cols(x, first, count);
}

static pls_view op_cols(pls_transpose transpose, pls_view x, int64_t first, int64_t count) {
    return transpose == PLS_PLAIN ? pls_view_cols(x, first, count) : pls_view_rows(x, first, count);
}

/* Multiply-adds of so many products c = op(a) op(b). */
static double product_work(pls_transpose ta, pls_view a, pls_view c, int64_t count) {
    double inner = (double)(ta == PLS_PLAIN ? a.cols : a.rows);
    return (double)count * inner * (double)c.rows * (double)c.cols;
}

pls_status pls_cpu_gemm_batched(pls_device *device, pls_transpose ta, pls_transpose tb,
                                double alpha, pls_view a, int64_t stride_a, pls_view b,
                                int64_t stride_b, double beta, pls_view c, int64_t stride_c,
                                int64_t count) {
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_cpu_check_blas(device, "gemm", a));
    PLS_TRY(device->context, pls_cpu_check_blas(device, "gemm", b));
    PLS_TRY(device->context, pls_cpu_check_blas(device, "gemm", c));
    pls_cpu_own_threads();
    int64_t edge = full_edge(c.rows, c.cols, count);
    int64_t inner = ta == PLS_PLAIN ? a.cols : a.rows;
    bool thin = (c.rows == 1 || c.cols == 1) && inner > 0; /* of the whole, not of a tile */
    int64_t across = tiles_of(c.cols, edge), each = tiles_of(c.rows, edge) * across;
    int threads = pls_cpu_threads(device, product_work(ta, a, c, count));
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t tile = 0; tile < count * each; tile++) {
        int64_t problem = tile / each;
        int64_t i = tile % each / across * edge, j = tile % each % across * edge;
        int64_t rows = pls_least(edge, c.rows - i), cols = pls_least(edge, c.cols - j);
        pls_view a_i = op_rows(ta, a, i, rows), b_j = op_cols(tb, b, j, cols);
        pls_view c_ij = pls_view_cols(pls_view_rows(c, i, rows), j, cols);
        a_i.offset += problem * stride_a;
        b_j.offset += problem * stride_b;
        c_ij.offset += problem * stride_c;
        (thin ? thin_tile : gemm_tile)(ta, tb, alpha, a_i, b_j, beta, c_ij);
    }
cleanup:
    return status;
}

pls_status pls_cpu_gemm(pls_device *device, pls_transpose ta, pls_transpose tb, double alpha,
                        pls_view a, pls_view b, double beta, pls_view c) {
    return pls_cpu_gemm_batched(device, ta, tb, alpha, a, 0, b, 0, beta, c, 0, 1);
}

/* Tile number -> (row, column) below the diagonal first, since those cost twice as much, then on
 * it: (1,0), (2,0), (2,1), ... , (0,0), (1,1), ... */
static void lower_tile(int64_t tile, int64_t tiles, int64_t *row, int64_t *col) {
    int64_t below = tiles * (tiles - 1) / 2;
    if (tile >= below) {
        *row = *col = tile - below;
        return;
    }
    *row = 1;
    while (*row * (*row + 1) / 2 <= tile) {
        (*row)++;
    }
    *col = tile - *row * (*row - 1) / 2;
}

void pls_cpu_run_syrk(pls_device *device, double alpha, pls_view a, double beta, pls_view c) {
    pls_cpu_own_threads();
    int64_t edge = lower_edge(c.rows), tiles = tiles_of(c.rows, edge);
    int threads = pls_cpu_threads(device, 0.5 * product_work(PLS_PLAIN, a, c, 1));
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t tile = 0; tile < tiles * (tiles + 1) / 2; tile++) {
        int64_t row = 0, col = 0;
        lower_tile(tile, tiles, &row, &col);
        int64_t i = row * edge, j = col * edge;
        int64_t rows = pls_least(edge, c.rows - i), cols = pls_least(edge, c.rows - j);
        pls_view a_i = pls_view_rows(a, i, rows), a_j = pls_view_rows(a, j, cols);
        pls_view c_ij = pls_view_cols(pls_view_rows(c, i, rows), j, cols);
        if (row == col) {
            syrk_tile(alpha, a_i, beta, c_ij);
        } else {
            gemm_tile(PLS_PLAIN, PLS_TRANSPOSED, alpha, a_i, a_j, beta, c_ij);
        }
    }
}

pls_status pls_cpu_syrk(pls_device *device, double alpha, pls_view a, double beta, pls_view c) {
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_cpu_check_blas(device, "syrk", a));
    PLS_TRY(device->context, pls_cpu_check_blas(device, "syrk", c));
    pls_cpu_run_syrk(device, alpha, a, beta, c);
cleanup:
    return status;
}

/* Columns first .. first+count-1 in float64: the view itself, or converted at *place, which then
 * moves on. */
static pls_view chunk_in_f64(pls_device *device, pls_view x, int64_t first, int64_t count,
                             pls_view workspace, int64_t *place) {
    pls_view chunk = pls_view_cols(x, first, count);
    if (x.dtype == PLS_F64 || pls_view_is_none(x)) {
        return chunk;
    }
    pls_view converted = pls_view_slice(workspace, *place, x.rows, count);
    *place += x.rows * count;
    pls_cpu_copy(device, chunk, converted);
    return converted;
}

/* Both dtypes go through the same chunks and tiles, so that float32 data and the same numbers in
 * float64 give the same bits. */
pls_status pls_cpu_gram(pls_device *device, pls_gram_arithmetic arithmetic, pls_view a, pls_view b,
                        double beta, pls_view c, pls_view workspace) {
    pls_status status = PLS_OK;
    (void)arithmetic; /* nothing to gain: there are no matrix units */
    bool lower = pls_view_is_none(b);
    PLS_TRY(device->context, pls_cpu_check_blas(device, "gram", c));
    for (int64_t first = 0; first < a.cols; first += PLS_GRAM_CHUNK) {
        int64_t count = pls_least(PLS_GRAM_CHUNK, a.cols - first), place = 0;
        pls_view a_chunk = chunk_in_f64(device, a, first, count, workspace, &place);
        pls_view b_chunk = chunk_in_f64(device, b, first, count, workspace, &place);
        PLS_TRY(device->context, pls_cpu_check_blas(device, "gram", a_chunk));
        double chunk_beta = first > 0 ? 1.0 : beta;
        if (lower) {
            pls_cpu_run_syrk(device, 1.0, a_chunk, chunk_beta, c);
        } else {
            PLS_TRY(device->context, pls_cpu_gemm(device, PLS_PLAIN, PLS_TRANSPOSED, 1.0, a_chunk,
                                                  b_chunk, chunk_beta, c));
        }
    }
cleanup:
    return status;
}

const char *pls_cpu_gram_description(pls_gram_arithmetic arithmetic, pls_dtype dtype) {
    (void)arithmetic;
    (void)dtype;
    return "products and sums in f64";
}

/* Rows of a times x: one pass over the matrix, which is what the time goes into. */
pls_status pls_cpu_symv(pls_device *device, double alpha, pls_view a, pls_view x, double beta,
                        pls_view y) {
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_cpu_check_blas(device, "symv", a));
    PLS_TRY(device->context, pls_cpu_check_blas(device, "symv", x));
    PLS_TRY(device->context, pls_cpu_check_blas(device, "symv", y));
    pls_cpu_own_threads();
    int x_step = a.rows == 1 ? 1 : (int)x.ld, y_step = a.rows == 1 ? 1 : (int)y.ld;
    int threads = pls_cpu_threads(device, product_work(PLS_PLAIN, a, y, 1));
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t i = 0; i < a.rows; i += SYMV_ROWS) {
        cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)pls_least(SYMV_ROWS, a.rows - i), (int)a.cols,
                    alpha, pls_f64_at(a, i, 0), blas_ld(a), pls_f64_at(x, 0, 0), x_step, beta,
                    pls_f64_at(y, i, 0), y_step);
    }
cleanup:
    return status;
}
