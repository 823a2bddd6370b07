/* THE SEAM between the mathematics and the machine: a table of operations.
 *
 * A backend fills in one table (`pls_backend`); a device is an open instance of it. Callers never
 * use the table: they call the checked wrappers of operations.h, which verify shapes, dtypes and
 * aliasing once, leave all outputs untouched when something is wrong, and then dispatch.
 *
 * Contracts that hold for every slot
 *   - A device is one in-order queue. Only `download`, `synchronize`, `potrf`, `syevd` and
 *     `event_elapsed` wait; everything else may return before the work is done.
 *   - Views are row-major with any ld >= cols. An empty view makes the call do nothing.
 *   - Outputs do not overlap inputs or one another unless the slot says "in place".
 *   - Outputs are written without being read first (they may hold NaN) where the contract says
 *     "=", and accumulated into where it says "+=" or has a beta != 0. beta = 0 never reads.
 *   - Elements between cols and ld are never touched.
 *   - The same inputs give the same bits whatever the number of threads, and whatever lies
 *     around the view. Reductions have one fixed order, in float64. (Products of a library that
 *     chooses among kernels by ld and alignment, as cuBLAS may: for the same ld and alignment.)
 *   - Scalars are float64; they are rounded to the dtype of the data.
 *   - No allocation but in `open`, `allocate`, `event_create`, `potrf` and `syevd`.
 *   - dtype: all views of a call have the same dtype unless a slot says otherwise. "f64" means
 *     that this view is float64 whatever the others are.
 *
 * A new backend is one new table; see docs/adding.md for how to add an operation. */
#ifndef PLSTAR_BACKEND_BACKEND_H
#define PLSTAR_BACKEND_BACKEND_H

#include "backend/view.h"
#include "base/error.h"
#include "base/philox.h"
#include "plstar/device.h"

/* Increased whenever a slot changes; a module built for another version is refused. */
enum { PLS_BACKEND_VERSION = 3 };

/* Inner dimension up to which the Gram product of float32 data converts at a time. */
enum { PLS_GRAM_CHUNK = 4096 };

/* Split products: inner dimension summed in float32, and edge of the tiles of the result. */
enum { PLS_SPLIT_CHUNK = 1024, PLS_SPLIT_TILE = 2048 };

/* What a split product may be wrong by, in units of the Euclidean norms of its two rows: 3 2^-22
 * for the splitting, the rest for sums of 1,024 products in float32, which matrix units add 8 or 16
 * at a time and truncate towards zero. Not proved, since nobody documents these units: in a model
 * of them the worst of many trials stays below it, while the worst conceivable sum does not. */
#define PLS_SPLIT_ERROR 0x1p-16

typedef enum pls_transpose { PLS_PLAIN, PLS_TRANSPOSED } pls_transpose;

typedef struct pls_event pls_event;

/* What a view points into. The size is there for the wrappers' checks; `memory` may be host or
 * device memory and is for the backend alone. */
struct pls_buffer {
    int64_t bytes;
    void *memory;
};

/* Images in the columns of a view: row = sample, column = (channel, y, x) in that order. */
typedef struct pls_image {
    int64_t channels, height, width;
} pls_image;

typedef struct pls_backend {
    int version;       /* PLS_BACKEND_VERSION */
    const char *build; /* PLSTAR_VERSION that it was built from */
    const char *name;  /* "cpu", "cuda" */

    /* ---- instances ---------------------------------------------------------------------- */

    /* Sets device->state and device->description. `ordinal` is the N of "cuda:N". */
    pls_status (*open)(pls_device *device, int ordinal, int threads);
    void (*close)(pls_device *device);

    /* ---- memory and order --------------------------------------------------------------- */

    /* Buffers of `bytes` > 0, aligned to 256 bytes, contents undefined. */
    pls_status (*allocate)(pls_device *device, int64_t bytes, pls_buffer **buffer);
    void (*release)(pls_device *device, pls_buffer *buffer);
    pls_status (*memory_info)(pls_device *device, int64_t *available, int64_t *total);

    /* dst(i,j) = host[i host_ld + j]; host data of dst's dtype; may be reused on return. */
    pls_status (*upload)(pls_device *device, const void *host, int64_t host_ld, pls_view dst);
    /* host[i host_ld + j] = src(i,j); waits. */
    pls_status (*download)(pls_device *device, pls_view src, void *host, int64_t host_ld);
    /* dst = src; same shape, dtypes may differ (rounded to nearest). */
    pls_status (*copy)(pls_device *device, pls_view src, pls_view dst);
    /* dst(i,j) = value */
    pls_status (*fill)(pls_device *device, double value, pls_view dst);
    pls_status (*synchronize)(pls_device *device);

    /* Events mark a place in the queue. elapsed: seconds from first to second; waits. */
    pls_status (*event_create)(pls_device *device, pls_event **event);
    void (*event_destroy)(pls_device *device, pls_event *event);
    pls_status (*event_record)(pls_device *device, pls_event *event);
    pls_status (*event_elapsed)(pls_device *device, pls_event *first, pls_event *second,
                                double *seconds);

    /* Optional: a named range of the calling thread for a profiler. Ranges nest. */
    void (*range_begin)(pls_device *device, const char *name);
    void (*range_end)(pls_device *device);

    /* ---- dense products ----------------------------------------------------------------- */

    /* c = alpha op(a) op(b) + beta c;  op(a): m x p, op(b): p x n, c: m x n */
    pls_status (*gemm)(pls_device *device, pls_transpose ta, pls_transpose tb, double alpha,
                       pls_view a, pls_view b, double beta, pls_view c);
    /* The same for `count` problems; problem i is at offset + i stride (elements). A stride of 0
     * shares an input; outputs must not overlap. */
    pls_status (*gemm_batched)(pls_device *device, pls_transpose ta, pls_transpose tb, double alpha,
                               pls_view a, int64_t stride_a, pls_view b, int64_t stride_b,
                               double beta, pls_view c, int64_t stride_c, int64_t count);
    /* c = alpha a aT + beta c on and below the diagonal; a: n x p, c: n x n; what lies above
     * the diagonal is untouched. */
    pls_status (*syrk)(pls_device *device, double alpha, pls_view a, double beta, pls_view c);
    /* The Gram product, accumulated in float64 whatever the data:
     *     c = a bT + beta c,   a: m x p, b: n x p (f32 or f64), c: m x n f64, beta 0 or 1.
     * b not given (pls_no_view()): c = a aT + beta c on and below the diagonal, m = n.
     * f32 data are converted chunk by chunk of the inner dimension into `workspace`, an f64 view
     * of at least pls_gram_workspace(...) contiguous elements (may be not given if that is 0).
     * Sums run over chunks of PLS_GRAM_CHUNK in order.
     * PLS_GRAM_SPLIT allows an error of PLS_SPLIT_ERROR |a_i| |b_j| for f32 data (norms of rows);
     * f64 data, and backends that gain nothing, are computed as with PLS_GRAM_F64. */
    pls_status (*gram)(pls_device *device, pls_gram_arithmetic arithmetic, pls_view a, pls_view b,
                       double beta, pls_view c, pls_view workspace);
    /* What such a product of such data is computed in, for people; a static string. */
    const char *(*gram_description)(pls_gram_arithmetic arithmetic, pls_dtype dtype);

    /* ---- elementwise -------------------------------------------------------------------- */

    /* y = alpha x + beta y (in place in y); same shape */
    pls_status (*axpby)(pls_device *device, double alpha, pls_view x, double beta, pls_view y);
    /* out += alpha x * y, element by element; same shape */
    pls_status (*multiply_accumulate)(pls_device *device, double alpha, pls_view x, pls_view y,
                                      pls_view out);
    /* z(i,j) += t bias(j) (bias 1 x m, may be not given), then a = phi(z); z, a: n x m */
    pls_status (*bias_activation)(pls_device *device, pls_activation phi, double t, pls_view bias,
                                  pls_view z, pls_view a);
    /* d(i,j) *= phi^(order)(z(i/repeat, j)), order 1 or 2; d: (n repeat) x m, z: n x m.
     * relu: phi'(0) = 0, phi'' = 0. */
    pls_status (*activation_derivative)(pls_device *device, pls_activation phi, int order,
                                        int64_t repeat, pls_view z, pls_view d);
    /* c(i,j) += (alpha g(i/k, j/k) + gamma) d(i,j);  d, c: (m k) x (n k) f64, g: m x n f64.
     * The Gram contribution of a layer: g = <A_i, A_j>, d = <D_ia, D_jb>.
     * lower: only elements with i >= j are read and written (m = n). */
    pls_status (*hadamard_accumulate)(pls_device *device, double alpha, pls_view g, double gamma,
                                      int64_t k, pls_view d, pls_view c, bool lower);
    /* c(i,j) += sum over p, q < h of
     *     (alpha g((i/k) h + p, (j/k) h + q) + gamma) d(i h + p, j h + q)
     * g: (m h) x (n h), d: (m k h) x (n k h), c: (m k) x (n k), all f64. The Gram contribution of a
     * layer whose h positions share weights: g, d = inner products of all pairs of positions.
     * lower: only elements of c with i >= j are read and written (m = n); g and d are symmetric
     * matrices of which what lies above the diagonals is not read. */
    pls_status (*position_accumulate)(pls_device *device, double alpha, pls_view g, double gamma,
                                      int64_t k, int64_t h, pls_view d, pls_view c, bool lower);
    /* rows(r, p q_n + q) = alpha d(r, p) a(r/k, q);  d: (n k) x p_n, a: n x q_n,
     * rows: (n k) x (p_n q_n). The rows of a dense layer's per-sample Jacobian. */
    pls_status (*outer_rows)(pls_device *device, double alpha, int64_t k, pls_view d, pls_view a,
                             pls_view rows);
    /* d(i,j) = 1 if i mod k = j else 0; d: (n k) x k: one unit cotangent per sample and output */
    pls_status (*unit_rows)(pls_device *device, int64_t k, pls_view d);
    /* a(i,i) += alpha; square */
    pls_status (*add_diagonal)(pls_device *device, double alpha, pls_view a);
    /* a(i,j) = a(j,i) for j > i; square: the lower triangle is copied to the upper */
    pls_status (*symmetrize)(pls_device *device, pls_view a);
    /* dst(i,:) = src(rows[i],:); `rows` is host memory of dst.rows indices, reusable on return */
    pls_status (*gather_rows)(pls_device *device, pls_view src, const int64_t *rows, pls_view dst);

    /* ---- losses: f, y, residual: n x k; losses: n x 1 f64 --------------------------------- */

    /* residual = f - y, losses(i) = 1/2 sum_a residual(i,a)^2 */
    pls_status (*square_loss)(pls_device *device, pls_view f, pls_view y, pls_view residual,
                              pls_view losses);
    /* y: rows of probabilities. residual = softmax(f) sum_a y(i,a) - y,
     * losses(i) = sum_a y(i,a) (logsumexp_b f(i,b) - f(i,a)), with the row's maximum taken out;
     * computed in float64. */
    pls_status (*cross_entropy_loss)(pls_device *device, pls_view f, pls_view y, pls_view residual,
                                     pls_view losses);

    /* out(i,a) = (sum_b y(i,b)) p_a (v(i,a) - sum_b p_b v(i,b)) with p = softmax(f(i,:)): the
     * Hessian of the cross entropy by f, times v; computed in float64. v, out: n x k */
    pls_status (*softmax_product)(pls_device *device, pls_view f, pls_view y, pls_view v,
                                  pls_view out);

    /* ---- reductions: out is 1 x 1 f64, fixed order, summed in float64 --------------------- */

    pls_status (*sum)(pls_device *device, pls_view x, pls_view out);
    pls_status (*dot)(pls_device *device, pls_view x, pls_view y, pls_view out);
    /* sum of (x - y)^2 */
    pls_status (*squared_distance)(pls_device *device, pls_view x, pls_view y, pls_view out);
    /* max |x|; NaN if any element is NaN */
    pls_status (*max_abs)(pls_device *device, pls_view x, pls_view out);
    /* out(0,j) = alpha sum_i x(i,j) + beta out(0,j); x: n x m, out: 1 x m of x's dtype */
    pls_status (*column_sum)(pls_device *device, double alpha, pls_view x, double beta,
                             pls_view out);

    /* ---- random fills (base/philox.h); element index e = first + i cols + j ---------------- */

    /* dst = low + (high - low) uniform */
    pls_status (*random_uniform)(pls_device *device, pls_random_stream stream, int64_t first,
                                 double low, double high, pls_view dst);
    /* dst = scale * normal, within 4 ulp (of float64, before rounding to dst) of the exact value
     * of the formula in philox.h */
    pls_status (*random_normal)(pls_device *device, pls_random_stream stream, int64_t first,
                                double scale, pls_view dst);

    /* ---- factorisation and eigenvalues: f64 ----------------------------------------------- */

    /* a = L LT: L replaces the lower triangle, above it nothing is touched. *failed_minor = 0,
     * or the order of the first leading minor that is not positive definite (the status is then
     * PLS_OK and a is undefined). */
    pls_status (*potrf)(pls_device *device, pls_view a, int64_t *failed_minor);
    /* x = (L LT)^-1 x in place; l: n x n from potrf (only its lower triangle is read), x: n x m */
    pls_status (*potrs)(pls_device *device, pls_view l, pls_view x);
    /* All eigenvalues, ascending, of a symmetric matrix (lower triangle read); a: n x n,
     * values: 1 x n. vectors: row i of a becomes the eigenvector of values(i); else a is
     * destroyed. PLS_ERROR_NUMERIC if it does not converge. */
    pls_status (*syevd)(pls_device *device, bool vectors, pls_view a, pls_view values);
    /* y = alpha a x + beta y; a: n x n symmetric with both triangles stored, x, y: n x 1 */
    pls_status (*symv)(pls_device *device, double alpha, pls_view a, pls_view x, double beta,
                       pls_view y);

    /* ---- images (optional: NULL if the backend has none) ----------------------------------- */

    /* Stride 1, zero padding kernel/2, kernel odd. src: n x (c h w), dst: (n h w) x (c kernel^2):
     * row (i, y, x), column (c, dy, dx). */
    pls_status (*im2col)(pls_device *device, pls_image image, int64_t kernel, pls_view src,
                         pls_view dst);
    /* The transpose: dst = sum of the src elements that im2col copied from it. */
    pls_status (*col2im)(pls_device *device, pls_image image, int64_t kernel, pls_view src,
                         pls_view dst);
    /* Averages over size x size windows; height and width are multiples of size.
     * src: n x (c h w), dst: n x (c h/size w/size). backward: the transpose. */
    pls_status (*average_pool)(pls_device *device, pls_image image, int64_t size, pls_view src,
                               pls_view dst);
    pls_status (*average_pool_backward)(pls_device *device, pls_image image, int64_t size,
                                        pls_view src, pls_view dst);
} pls_backend;

enum { PLS_DEVICE_NAME_SIZE = 32, PLS_DEVICE_DESCRIPTION_SIZE = 256 };

struct pls_device {
    pls_context *context;
    const pls_backend *backend;
    void *state;               /* the backend's own */
    void *module;              /* what the backend was loaded from; NULL if it is built in */
    struct pls_phases *phases; /* of phase.c; NULL until phases are measured */
    char name[PLS_DEVICE_NAME_SIZE];
    char description[PLS_DEVICE_DESCRIPTION_SIZE];
};

static inline int64_t pls_split_tile(int64_t extent) {
    return extent < PLS_SPLIT_TILE ? extent : (int64_t)PLS_SPLIT_TILE;
}

/* Columns that a chunk of split data takes, so that rows start at multiples of 16 bytes. */
static inline int64_t pls_split_ld(int64_t p) {
    return ((p < PLS_GRAM_CHUNK ? p : (int64_t)PLS_GRAM_CHUNK) + 7) / 8 * 8;
}

/* Elements of f64 workspace that `gram` needs for m rows of a, n rows of b (0 if b is not given)
 * and inner dimension p: the chunks in float64; or, split, the chunks with a scale for every row
 * (an even number of them), and two float32 products of a tile for each part of a chunk. */
static inline int64_t pls_gram_workspace(pls_gram_arithmetic arithmetic, pls_dtype dtype, int64_t m,
                                         int64_t n, int64_t p) {
    int64_t chunk = p < PLS_GRAM_CHUNK ? p : (int64_t)PLS_GRAM_CHUNK;
    int64_t tile = pls_split_tile(m) * pls_split_tile(n > 0 ? n : m);
    return dtype == PLS_F64             ? 0
           : arithmetic == PLS_GRAM_F64 ? (m + n) * chunk
                                        : (m + n) * pls_split_ld(p) + (m + 1) + (n + 1) +
                                              PLS_GRAM_CHUNK / PLS_SPLIT_CHUNK * tile;
}

/* The CPU implementation (cpu/). */
extern const pls_backend pls_cpu_backend;

/* A backend in a module of its own is a shared object with one function of this name and type. It
 * is loaded when a device of it is opened, and refused unless version and build are those of
 * the program: it shares the internal types of the library. */
#define PLS_BACKEND_ENTRY "pls_backend_entry"
typedef const pls_backend *pls_backend_entry_function(void);

#endif
