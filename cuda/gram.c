/* Gram products with sums in float64, over chunks of the inner dimension in order.
 *
 * PLS_GRAM_F64: a chunk of float32 data is converted to float64 and multiplied there.
 *
 * PLS_GRAM_SPLIT: a chunk of float32 data becomes sums of two float16 numbers,
 *     s_i x = high + 2^-11 low,   s_i a power of two for the row,   error <= 2^-22 |x|,
 *     s_i s_j <x_i, x_j> = <high_i, high_j> + 2^-11 (<high_i, low_j> + <low_i, high_j>)
 *                          + 2^-22 <low_i, low_j>,    the last term is left out,
 * three products on the matrix units, whose sums over PLS_SPLIT_CHUNK numbers are float32 and are
 * added up in float64. (Splitting: Markidis et al., IPDPSW 2018; scaling of the low part: Ootomo,
 * Yokota, IJHPCA 36, 2022.) The result is made tile by tile, so that the float32 products of a tile
 * stay small beside it; below the diagonal only. */
#include "cuda.h"

static bool is_split(pls_gram_arithmetic arithmetic, pls_dtype dtype) {
    return arithmetic == PLS_GRAM_SPLIT && dtype == PLS_F32;
}

const char *pls_cuda_gram_description(pls_gram_arithmetic arithmetic, pls_dtype dtype) {
    return is_split(arithmetic, dtype) ? "products of f32 split into two f16 on matrix units, sums "
                                         "of 1,024 in f32, then f64"
                                       : "products and sums in f64";
}

/* ---- float64 --------------------------------------------------------------------------------- */

/* Columns first .. first+count-1 in float64: the view itself, or converted at *place, which then
 * moves on. */
static pls_status chunk_in_f64(pls_device *device, pls_view x, int64_t first, int64_t count,
                               pls_view workspace, int64_t *place, pls_view *chunk) {
    *chunk = pls_view_cols(x, first, count);
    if (x.dtype == PLS_F64 || pls_view_is_none(x)) {
        return PLS_OK;
    }
    pls_view narrow = *chunk;
    *chunk = pls_view_slice(workspace, *place, x.rows, count);
    *place += x.rows * count;
    return pls_cuda_copy(device, narrow, *chunk);
}

static pls_status gram_f64(pls_device *device, pls_view a, pls_view b, double beta, pls_view c,
                           pls_view workspace) {
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    for (int64_t first = 0; first < a.cols; first += PLS_GRAM_CHUNK) {
        int64_t count = pls_smaller(PLS_GRAM_CHUNK, a.cols - first), place = 0;
        double chunk_beta = first > 0 ? 1.0 : beta;
        pls_view a_chunk, b_chunk;
        PLS_TRY(context, chunk_in_f64(device, a, first, count, workspace, &place, &a_chunk));
        PLS_TRY(context, chunk_in_f64(device, b, first, count, workspace, &place, &b_chunk));
        if (pls_view_is_none(b)) {
            PLS_TRY(context, pls_cuda_syrk(device, 1.0, a_chunk, chunk_beta, c));
        } else {
            PLS_TRY(context, pls_cuda_gemm(device, PLS_PLAIN, PLS_TRANSPOSED, 1.0, a_chunk, b_chunk,
                                           chunk_beta, c));
        }
    }
cleanup:
    return status;
}

/* ---- split ----------------------------------------------------------------------------------- */

/* A chunk of float32 rows as scaled sums of two float16 numbers; ld in float16 elements. */
typedef struct split_rows {
    uint16_t *high, *low;
    double *scale;
    int64_t ld;
} split_rows;

/* Where the parts of the workspace are (pls_gram_workspace counts them). */
typedef struct split_workspace {
    split_rows a, b;
    float *high, *cross; /* SPLIT_PRODUCTS tiles each */
} split_workspace;

enum {
    SPLIT_PRODUCTS = PLS_GRAM_CHUNK / PLS_SPLIT_CHUNK,
    SPLIT_STRIP = 512 /* rows of a tile on the diagonal at a time */
};

static split_rows place_rows(double **next, int64_t rows, int64_t ld) {
    int64_t scales = (rows + 1) / 2 * 2; /* so that what follows is aligned to 16 bytes */
    split_rows placed = {NULL, NULL, *next, ld};
    placed.high = (uint16_t *)(*next + scales);
    placed.low = placed.high + rows * ld;
    *next += scales + rows * ld / 2; /* two float16 numbers in half a float64 */
    return placed;
}

static split_workspace place_workspace(pls_view a, pls_view b, pls_view c, pls_view workspace) {
    double *next = pls_cuda_address(workspace);
    int64_t ld = pls_split_ld(a.cols), tile = pls_split_tile(c.rows) * pls_split_tile(c.cols);
    split_workspace placed;
    placed.a = placed.b = place_rows(&next, a.rows, ld);
    if (!pls_view_is_none(b)) {
        placed.b = place_rows(&next, b.rows, ld);
    }
    placed.high = (float *)next;
    placed.cross = placed.high + SPLIT_PRODUCTS * tile;
    return placed;
}

static pls_status split_chunk(pls_device *device, pls_view chunk, split_rows to) {
    cudaError_t code = pls_launch_split_rows(pls_cuda_stream(device), pls_cuda_matrix(chunk),
                                             to.high, to.low, to.ld, to.scale);
    return pls_cuda_launched(device, code, "gram", chunk);
}

/* The float32 products of a tile: one (rows x cols, contiguous) for every part of a chunk, one
 * after the other. Of a tile on the diagonal only strips up to the diagonal are computed. */
typedef struct tile_products {
    int64_t rows, cols, count; /* columns of the chunk */
    bool lower;
} tile_products;

/* out_q = beta out_q + x_q y_qT on rows first .. first+rows-1 and columns 0 .. cols-1 of the tile,
 * for `parts` parts of the chunk, each `inner` long. */
static pls_status multiply(pls_device *device, const tile_products *t, const uint16_t *x,
                           const uint16_t *y, int64_t ld, int64_t first, int64_t rows, int64_t cols,
                           int64_t inner, int64_t parts, float beta, float *out) {
    float one = 1.0f;
    cublasStatus_t code = cublasGemmStridedBatchedEx_64(
        pls_cuda_blas(device), CUBLAS_OP_T, CUBLAS_OP_N, cols, rows, inner, &one, y, CUDA_R_16F, ld,
        PLS_SPLIT_CHUNK, x + first * ld, CUDA_R_16F, ld, PLS_SPLIT_CHUNK, &beta,
        out + first * t->cols, CUDA_R_32F, t->cols, t->rows * t->cols, parts, CUBLAS_COMPUTE_32F,
        CUBLAS_GEMM_DEFAULT);
    return pls_cuda_check_blas(device, code,
                               (pls_cuda_call){"cublasGemmStridedBatchedEx", "gram", rows, cols});
}

/* The same for the whole tile and the whole chunk: its full parts at once, then what is left. */
static pls_status multiply_tile(pls_device *device, const tile_products *t, const uint16_t *x,
                                const uint16_t *y, int64_t ld, float beta, float *out) {
    int64_t full = t->count / PLS_SPLIT_CHUNK, done = full * PLS_SPLIT_CHUNK;
    int64_t strip = t->lower ? SPLIT_STRIP : t->rows;
    pls_status status = PLS_OK;
    for (int64_t first = 0; first < t->rows; first += strip) {
        int64_t rows = pls_smaller(strip, t->rows - first);
        int64_t cols = t->lower ? first + rows : t->cols;
        if (full > 0) {
            PLS_TRY(device->context, multiply(device, t, x, y, ld, first, rows, cols,
                                              PLS_SPLIT_CHUNK, full, beta, out));
        }
        if (done < t->count) {
            PLS_TRY(device->context,
                    multiply(device, t, x + done, y + done, ld, first, rows, cols, t->count - done,
                             1, beta, out + full * t->rows * t->cols));
        }
    }
cleanup:
    return status;
}

/* One tile of the result from one chunk of `count` columns: rows i .. and columns j .. of c. */
static pls_status split_tile(pls_device *device, const split_workspace *w, int64_t i, int64_t j,
                             int64_t count, double beta, pls_view c, bool lower) {
    pls_context *context = device->context;
    tile_products t = {c.rows, c.cols, count, lower};
    const split_rows *a = &w->a, *b = &w->b;
    const uint16_t *a_high = a->high + i * a->ld, *a_low = a->low + i * a->ld;
    const uint16_t *b_high = b->high + j * b->ld, *b_low = b->low + j * b->ld;
    int64_t parts = (count + PLS_SPLIT_CHUNK - 1) / PLS_SPLIT_CHUNK;
    pls_status status = PLS_OK;
    PLS_TRY(context, multiply_tile(device, &t, a_high, b_high, a->ld, 0.0f, w->high));
    PLS_TRY(context, multiply_tile(device, &t, a_high, b_low, a->ld, 0.0f, w->cross));
    PLS_TRY(context, multiply_tile(device, &t, a_low, b_high, a->ld, 1.0f, w->cross));
    PLS_TRY(context,
            pls_cuda_launched(device,
                              pls_launch_split_accumulate(pls_cuda_stream(device), parts, w->high,
                                                          w->cross, a->scale + i, b->scale + j,
                                                          beta, pls_cuda_matrix(c), lower),
                              "gram", c));
cleanup:
    return status;
}

static pls_status gram_split(pls_device *device, pls_view a, pls_view b, double beta, pls_view c,
                             pls_view workspace) {
    pls_context *context = device->context;
    bool lower = pls_view_is_none(b);
    split_workspace w = place_workspace(a, b, c, workspace);
    pls_status status = PLS_OK;
    for (int64_t first = 0; first < a.cols; first += PLS_GRAM_CHUNK) {
        int64_t count = pls_smaller(PLS_GRAM_CHUNK, a.cols - first);
        double chunk_beta = first > 0 ? 1.0 : beta;
        PLS_TRY(context, split_chunk(device, pls_view_cols(a, first, count), w.a));
        if (!lower) {
            PLS_TRY(context, split_chunk(device, pls_view_cols(b, first, count), w.b));
        }
        for (int64_t i = 0; i < c.rows; i += PLS_SPLIT_TILE) {
            int64_t rows = pls_smaller(PLS_SPLIT_TILE, c.rows - i);
            for (int64_t j = 0; j < (lower ? i + rows : c.cols); j += PLS_SPLIT_TILE) {
                int64_t cols = pls_smaller(PLS_SPLIT_TILE, c.cols - j);
                pls_view tile = pls_view_cols(pls_view_rows(c, i, rows), j, cols);
                PLS_TRY(context,
                        split_tile(device, &w, i, j, count, chunk_beta, tile, lower && i == j));
            }
        }
    }
cleanup:
    return status;
}

pls_status pls_cuda_gram(pls_device *device, pls_gram_arithmetic arithmetic, pls_view a, pls_view b,
                         double beta, pls_view c, pls_view workspace) {
    return is_split(arithmetic, a.dtype) ? gram_split(device, a, b, beta, c, workspace)
                                         : gram_f64(device, a, b, beta, c, workspace);
}
