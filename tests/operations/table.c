/* The table: operands, calls, naive references and shapes of every operation. */
#include "operations.h"

#include <math.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

static pls_view view(const trial *t, int index) {
    return t->operands[index].view;
}

static double size_of(long double x) {
    return fabs((double)x);
}

/* ---- dense products: variant bit 0, 1: transposes, bit 2: beta --------------------------------
 */

static const shape gemm_shapes[] = {{1, 1, 1},     {1, 7, 3},     {7, 1, 129},    {2, 3, 1},
                                    {17, 19, 23},  {65, 63, 130}, {128, 128, 64}, {127, 131, 257},
                                    {300, 33, 40}, {3, 529, 31}};
static const shape gemm_bench[] = {{16, 2048, 3072},  {128, 2048, 2048}, {2048, 2048, 128},
                                   {512, 512, 2048},  {128, 10, 2048},   {2048, 2048, 2048},
                                   {4096, 4096, 4096}};

static const double gemm_alpha = -1.25;

static double gemm_beta(const trial *t) {
    return t->given.variant & 4 ? 0.5 : 0.0;
}

static pls_transpose gemm_ta(const trial *t) {
    return t->given.variant & 1 ? PLS_TRANSPOSED : PLS_PLAIN;
}

static pls_transpose gemm_tb(const trial *t) {
    return t->given.variant & 2 ? PLS_TRANSPOSED : PLS_PLAIN;
}

static void gemm_declare(trial *t) {
    const operation_case *g = &t->given;
    bool ta = gemm_ta(t) == PLS_TRANSPOSED, tb = gemm_tb(t) == PLS_TRANSPOSED;
    trial_operand(t, "a", OPERAND_INPUT, g->dtype, ta ? g->p : g->m, ta ? g->m : g->p);
    trial_operand(t, "b", OPERAND_INPUT, g->dtype, tb ? g->n : g->p, tb ? g->p : g->n);
    trial_operand(t, "c", g->variant & 4 ? OPERAND_INOUT : OPERAND_OUTPUT, g->dtype, g->m, g->n);
}

static pls_status gemm_call(trial *t) {
    return pls_gemm(t->device, gemm_ta(t), gemm_tb(t), gemm_alpha, view(t, 0), view(t, 1),
                    gemm_beta(t), view(t, 2));
}

static void gemm_reference(trial *t) {
    bool ta = gemm_ta(t) == PLS_TRANSPOSED, tb = gemm_tb(t) == PLS_TRANSPOSED;
    for (int64_t i = 0; i < t->given.m; i++) {
        for (int64_t j = 0; j < t->given.n; j++) {
            long double sum = 0.0L, scale = 0.0L;
            for (int64_t q = 0; q < t->given.p; q++) {
                long double term =
                    (long double)(ta ? trial_before(t, 0, q, i) : trial_before(t, 0, i, q)) *
                    (tb ? trial_before(t, 1, j, q) : trial_before(t, 1, q, j));
                sum += term;
                scale += fabsl(term);
            }
            sum *= gemm_alpha;
            scale *= fabs(gemm_alpha);
            if (gemm_beta(t) != 0.0) {
                sum += gemm_beta(t) * trial_before(t, 2, i, j);
                scale += size_of(gemm_beta(t) * trial_before(t, 2, i, j));
            }
            trial_expect(t, 2, i, j, sum, scale);
        }
    }
}

static double gemm_flops(const trial *t) {
    return 2.0 * (double)t->given.m * (double)t->given.n * (double)t->given.p;
}

/* Three problems: a one after the other, b shared, c side by side (variant 0) or one after the
 * other (1). */
enum { BATCH = 3 };

static void batched_declare(trial *t) {
    const operation_case *g = &t->given;
    bool side = g->variant == 0;
    trial_operand(t, "a", OPERAND_INPUT, g->dtype, BATCH * g->m, g->p);
    trial_operand(t, "b", OPERAND_INPUT, g->dtype, g->p, g->n);
    trial_operand(t, "c", OPERAND_OUTPUT, g->dtype, side ? g->m : BATCH * g->m,
                  side ? BATCH * g->n : g->n);
}

static pls_status batched_call(trial *t) {
    pls_view a = view(t, 0), c = view(t, 2);
    a.rows = c.rows = t->given.m;
    c.cols = t->given.n;
    return pls_gemm_batched(t->device, PLS_PLAIN, PLS_PLAIN, 2.0, a, t->given.m * a.ld, view(t, 1),
                            0, 0.0, c, t->given.variant == 0 ? t->given.n : t->given.m * c.ld,
                            BATCH);
}

static void batched_reference(trial *t) {
    for (int64_t i = 0; i < BATCH * t->given.m; i++) {
        for (int64_t j = 0; j < t->given.n; j++) {
            long double sum = 0.0L, scale = 0.0L;
            for (int64_t q = 0; q < t->given.p; q++) {
                long double term = (long double)trial_before(t, 0, i, q) * trial_before(t, 1, q, j);
                sum += 2.0L * term;
                scale += 2.0L * fabsl(term);
            }
            bool side = t->given.variant == 0;
            trial_expect(t, 2, side ? i % t->given.m : i,
                         side ? i / t->given.m * t->given.n + j : j, sum, scale);
        }
    }
}

static double batched_flops(const trial *t) {
    return BATCH * gemm_flops(t);
}

/* syrk, m x p; variant 1: beta */
static const shape syrk_shapes[] = {{1, 0, 1},   {3, 0, 7},    {64, 0, 33}, {65, 0, 20},
                                    {131, 0, 9}, {260, 0, 11}, {600, 0, 5}};
static const shape syrk_bench[] = {{1024, 0, 2048}, {2048, 0, 4096}};

static void keep_upper(trial *t, int index) {
    for (int64_t i = 0; i < t->operands[index].rows; i++) {
        for (int64_t j = i + 1; j < t->operands[index].cols; j++) {
            trial_keep(t, index, i, j, true);
        }
    }
}

static void syrk_declare(trial *t) {
    const operation_case *g = &t->given;
    trial_operand(t, "a", OPERAND_INPUT, g->dtype, g->m, g->p);
    trial_operand(t, "c", g->variant ? OPERAND_INOUT : OPERAND_OUTPUT, g->dtype, g->m, g->m);
}

static void syrk_prepare(trial *t) {
    keep_upper(t, 1);
}

static pls_status syrk_call(trial *t) {
    return pls_syrk(t->device, 0.75, view(t, 0), t->given.variant ? -2.0 : 0.0, view(t, 1));
}

/* alpha sum_q x(i,q) y(j,q) + beta c(i,j) */
static void expect_product(trial *t, int x, int y, int c, int64_t i, int64_t j, double alpha,
                           double beta) {
    long double sum = 0.0L, scale = 0.0L;
    for (int64_t q = 0; q < t->operands[x].cols; q++) {
        long double term = (long double)trial_before(t, x, i, q) * trial_before(t, y, j, q);
        sum += alpha * term;
        scale += fabsl(alpha * term);
    }
    if (beta != 0.0) {
        sum += beta * trial_before(t, c, i, j);
        scale += size_of(beta * trial_before(t, c, i, j));
    }
    trial_expect(t, c, i, j, sum, scale);
}

static void syrk_reference(trial *t) {
    for (int64_t i = 0; i < t->given.m; i++) {
        for (int64_t j = 0; j <= i; j++) {
            expect_product(t, 0, 0, 1, i, j, 0.75, t->given.variant ? -2.0 : 0.0);
        }
    }
}

static double syrk_flops(const trial *t) {
    return (double)t->given.m * (double)(t->given.m + 1) * (double)t->given.p;
}

/* Bytes of what lies on and below the diagonal of a square operand. */
static double lower_bytes(const trial *t, int index) {
    double n = (double)t->operands[index].rows;
    return 0.5 * (n + 1.0) / n * trial_operand_bytes(t, index);
}

static double syrk_bytes(const trial *t) {
    return trial_operand_bytes(t, 0) + lower_bytes(t, 1);
}

/* gram; variant bit 0: beta, bit 1: b given */
static const shape gram_shapes[] = {{1, 1, 1},      {5, 3, 7},      {65, 64, 130}, {70, 9, 4096},
                                    {12, 20, 4097}, {33, 17, 9000}, {300, 130, 12}};
/* And across the edges of strips, tiles and parts of chunks of the split product. */
static const shape split_shapes[] = {{1, 1, 1},      {5, 3, 7},   {65, 64, 130}, {12, 20, 4097},
                                     {33, 17, 9000}, {530, 9, 6}, {2056, 9, 2},  {9, 2056, 2}};
static const shape gram_bench[] = {{128, 0, 2048},  {1024, 0, 2048},  {1024, 0, 16384},
                                   {2048, 0, 4096}, {2048, 0, 16384}, {4096, 0, 4096},
                                   {4096, 0, 16384}};

static void gram_operands(trial *t, pls_gram_arithmetic arithmetic) {
    const operation_case *g = &t->given;
    bool full = g->variant & 2;
    int64_t n = full ? g->n : g->m;
    trial_operand(t, "a", OPERAND_INPUT, g->dtype, g->m, g->p);
    trial_operand(t, "c", g->variant & 1 ? OPERAND_INOUT : OPERAND_OUTPUT, PLS_F64, g->m, n);
    trial_operand(t, "workspace", OPERAND_SCRATCH, PLS_F64, 1,
                  pls_gram_workspace(arithmetic, g->dtype, g->m, full ? n : 0, g->p));
    if (full) {
        trial_operand(t, "b", OPERAND_INPUT, g->dtype, n, g->p);
    }
}

static void gram_declare(trial *t) {
    gram_operands(t, PLS_GRAM_F64);
}

/* Rows of zeros, of denormal, of huge and of small numbers, and rows that fall off steeply, so that
 * their norm says little about most of their elements. */
static void grade_rows(trial *t, int index) {
    static const int exponents[] = {0, -138, 100, -60, -120};
    for (int64_t i = 0; i < t->operands[index].rows; i++) {
        int kind = (int)((i + index) % 7);
        for (int64_t j = 0; j < t->operands[index].cols; j++) {
            double value = trial_before(t, index, i, j);
            value = kind == 5 ? 0.0 : ldexp(value, kind == 6 ? -(int)(j % 60) : exponents[kind]);
            trial_set(t, index, i, j, value);
        }
    }
}

static void gram_prepare(trial *t) {
    bool full = t->given.variant & 2, graded = t->given.variant & 4;
    if (!full) {
        keep_upper(t, 1);
    }
    if (graded) {
        grade_rows(t, 0);
    }
    if (graded && full) {
        grade_rows(t, 3);
    }
}

static pls_status gram_product(trial *t, pls_gram_arithmetic arithmetic) {
    return pls_gram(t->device, arithmetic, view(t, 0),
                    t->given.variant & 2 ? view(t, 3) : pls_no_view(),
                    t->given.variant & 1 ? 1.0 : 0.0, view(t, 1), view(t, 2));
}

static pls_status gram_call(trial *t) {
    return gram_product(t, PLS_GRAM_F64);
}

static void gram_reference(trial *t) {
    bool full = t->given.variant & 2;
    for (int64_t i = 0; i < t->given.m; i++) {
        for (int64_t j = 0; j < (full ? t->given.n : i + 1); j++) {
            expect_product(t, 0, full ? 3 : 0, 1, i, j, 1.0, t->given.variant & 1 ? 1.0 : 0.0);
        }
    }
}

static double gram_flops(const trial *t) {
    return t->given.variant & 2 ? gemm_flops(t) : syrk_flops(t);
}

static double gram_bytes(const trial *t) {
    return t->given.variant & 2
               ? trial_operand_bytes(t, 0) + trial_operand_bytes(t, 1) + trial_operand_bytes(t, 3)
               : syrk_bytes(t);
}

/* gram_split: the same in the arithmetic of that name, bit 2: rows of very different magnitudes. A
 * residual of SPLIT_LIMIT is the error that
 * it may have on float32 data, PLS_SPLIT_ERROR |a_i| |b_j|; with sums that round it is a sixteenth
 * of that. */
enum { SPLIT_LIMIT = 256 };

static void split_declare(trial *t) {
    gram_operands(t, PLS_GRAM_SPLIT);
}

static pls_status split_call(trial *t) {
    return gram_product(t, PLS_GRAM_SPLIT);
}

static double row_norm(const trial *t, int index, int64_t i) {
    double squares = 0.0;
    for (int64_t q = 0; q < t->operands[index].cols; q++) {
        squares += trial_before(t, index, i, q) * trial_before(t, index, i, q);
    }
    return sqrt(squares);
}

static void split_reference(trial *t) {
    operand *c = &t->operands[1];
    bool full = t->given.variant & 2;
    gram_reference(t);
    for (int64_t e = 0; t->given.dtype == PLS_F32 && e < c->size; e++) {
        double a = row_norm(t, 0, e / c->cols), b = row_norm(t, full ? 3 : 0, e % c->cols);
        c->scale[e] += a * b * PLS_SPLIT_ERROR / (0x1p-53 * SPLIT_LIMIT);
    }
}

/* symv */
static const shape symv_shapes[] = {{1, 0, 0}, {5, 0, 0}, {64, 0, 0}, {129, 0, 0}, {333, 0, 0}};
static const shape symv_bench[] = {{4096, 0, 0}};

static void symv_declare(trial *t) {
    int64_t n = t->given.m;
    trial_operand(t, "a", OPERAND_INPUT, PLS_F64, n, n);
    trial_operand(t, "x", OPERAND_INPUT, PLS_F64, n, 1);
    trial_operand(t, "y", t->given.variant ? OPERAND_INOUT : OPERAND_OUTPUT, PLS_F64, n, 1);
}

static void symmetric_prepare(trial *t) {
    for (int64_t i = 0; i < t->given.m; i++) {
        for (int64_t j = i + 1; j < t->given.m; j++) {
            trial_set(t, 0, i, j, trial_before(t, 0, j, i));
        }
    }
}

static pls_status symv_call(trial *t) {
    return pls_symv(t->device, 1.5, view(t, 0), view(t, 1), t->given.variant ? -0.5 : 0.0,
                    view(t, 2));
}

static void symv_reference(trial *t) {
    for (int64_t i = 0; i < t->given.m; i++) {
        double before = t->given.variant ? -0.5 * trial_before(t, 2, i, 0) : 0.0;
        long double sum = before, scale = fabs(before);
        for (int64_t j = 0; j < t->given.m; j++) {
            long double term = 1.5L * trial_before(t, 0, i, j) * trial_before(t, 1, j, 0);
            sum += term;
            scale += fabsl(term);
        }
        trial_expect(t, 2, i, 0, sum, scale);
    }
}

static double symv_flops(const trial *t) {
    return 2.0 * (double)t->given.m * (double)t->given.m;
}

/* ---- copies and fills ------------------------------------------------------------------------ */

static const shape flat_shapes[] = {{1, 1, 0},   {3, 5, 0},     {1, 8193, 0}, {8191, 1, 0},
                                    {97, 89, 0}, {130, 127, 0}, {2, 9000, 0}};
static const shape flat_bench[] = {{128, 2048, 0}, {4096, 4096, 0}};

/* Variant 1: to the other dtype. */
static pls_dtype copy_dtype(const trial *t) {
    return t->given.variant == 0 ? t->given.dtype : t->given.dtype == PLS_F32 ? PLS_F64 : PLS_F32;
}

static void copy_declare(trial *t) {
    trial_operand(t, "src", OPERAND_INPUT, t->given.dtype, t->given.m, t->given.n);
    trial_operand(t, "dst", OPERAND_OUTPUT, copy_dtype(t), t->given.m, t->given.n);
}

static pls_status copy_call(trial *t) {
    return pls_copy(t->device, view(t, 0), view(t, 1));
}

static void copy_reference(trial *t) {
    for (int64_t i = 0; i < t->given.m; i++) {
        for (int64_t j = 0; j < t->given.n; j++) {
            double value = trial_before(t, 0, i, j);
            trial_expect(t, 1, i, j, copy_dtype(t) == PLS_F32 ? (double)(float)value : value, 0.0L);
        }
    }
}

static void fill_declare(trial *t) {
    trial_operand(t, "dst", OPERAND_OUTPUT, t->given.dtype, t->given.m, t->given.n);
}

static pls_status fill_call(trial *t) {
    return pls_fill(t->device, 0.25, view(t, 0));
}

static void fill_reference(trial *t) {
    for (int64_t i = 0; i < t->given.m; i++) {
        for (int64_t j = 0; j < t->given.n; j++) {
            trial_expect(t, 0, i, j, 0.25L, 0.0L);
        }
    }
}

enum { GATHERED = 8192 };

static void gather_declare(trial *t) {
    trial_operand(t, "src", OPERAND_INPUT, t->given.dtype, t->given.n, t->given.p);
    trial_operand(t, "dst", OPERAND_OUTPUT, t->given.dtype, t->given.m, t->given.p);
}

static int64_t gather_row(const trial *t, int64_t i) {
    return (i * 7 + 3) % t->given.n;
}

static pls_status gather_call(trial *t) {
    int64_t rows[GATHERED];
    for (int64_t i = 0; i < t->given.m; i++) {
        rows[i] = gather_row(t, i);
    }
    return pls_gather_rows(t->device, view(t, 0), rows, view(t, 1));
}

static double gather_bytes(const trial *t) {
    return 2.0 * trial_operand_bytes(t, 1) + 8.0 * (double)t->given.m;
}

static void gather_reference(trial *t) {
    for (int64_t i = 0; i < t->given.m; i++) {
        for (int64_t j = 0; j < t->given.p; j++) {
            trial_expect(t, 1, i, j, trial_before(t, 0, gather_row(t, i), j), 0.0L);
        }
    }
}

static const shape gather_shapes[] = {{1, 1, 1}, {5, 3, 7}, {3, 50, 8193}, {100, 97, 101}};
static const shape gather_bench[] = {{128, 4096, 3072}};

/* ---- elementwise ----------------------------------------------------------------------------- */

static void axpby_declare(trial *t) {
    trial_operand(t, "x", OPERAND_INPUT, t->given.dtype, t->given.m, t->given.n);
    trial_operand(t, "y", t->given.variant ? OPERAND_INOUT : OPERAND_OUTPUT, t->given.dtype,
                  t->given.m, t->given.n);
}

static pls_status axpby_call(trial *t) {
    return pls_axpby(t->device, 1.5, view(t, 0), t->given.variant ? -0.75 : 0.0, view(t, 1));
}

static void axpby_reference(trial *t) {
    for (int64_t i = 0; i < t->given.m; i++) {
        for (int64_t j = 0; j < t->given.n; j++) {
            double x = 1.5 * trial_before(t, 0, i, j);
            double y = t->given.variant ? -0.75 * trial_before(t, 1, i, j) : 0.0;
            trial_expect(t, 1, i, j, (long double)x + y, fabs(x) + fabs(y));
        }
    }
}

static void multiply_declare(trial *t) {
    trial_operand(t, "x", OPERAND_INPUT, t->given.dtype, t->given.m, t->given.n);
    trial_operand(t, "y", OPERAND_INPUT, t->given.dtype, t->given.m, t->given.n);
    trial_operand(t, "out", OPERAND_INOUT, t->given.dtype, t->given.m, t->given.n);
}

static pls_status multiply_call(trial *t) {
    return pls_multiply_accumulate(t->device, -1.5, view(t, 0), view(t, 1), view(t, 2));
}

static void multiply_reference(trial *t) {
    for (int64_t i = 0; i < t->given.m; i++) {
        for (int64_t j = 0; j < t->given.n; j++) {
            double product = -1.5 * trial_before(t, 0, i, j) * trial_before(t, 1, i, j);
            double out = trial_before(t, 2, i, j);
            trial_expect(t, 2, i, j, (long double)out + product, fabs(out) + fabs(product));
        }
    }
}

/* phi and its derivatives in extended precision, by formulas of their own. */
static long double phi_reference(pls_activation phi, int order, long double z) {
    const long double pi = 3.14159265358979323846264338328L;
    long double sigmoid = 1.0L / (1.0L + expl(-z)), slope = sigmoid / (1.0L + expl(z));
    long double cosh_z = coshl(z), density = expl(-0.5L * z * z) / sqrtl(2.0L * pi);
    long double cumulative = 0.5L * erfcl(-z / sqrtl(2.0L));
    switch (phi) {
    case PLS_TANH:
        return order == 0   ? tanhl(z)
               : order == 1 ? 1.0L / (cosh_z * cosh_z)
                            : -2.0L * tanhl(z) / (cosh_z * cosh_z);
    case PLS_SIGMOID:
        return order == 0 ? sigmoid : order == 1 ? slope : slope * -tanhl(0.5L * z);
    case PLS_ERF:
        return order == 0   ? erfl(z)
               : order == 1 ? 2.0L / sqrtl(pi) * expl(-z * z)
                            : -4.0L / sqrtl(pi) * z * expl(-z * z);
    case PLS_SOFTPLUS:
        return order == 0   ? (z > 30.0L ? z + log1pl(expl(-z)) : log1pl(expl(z)))
               : order == 1 ? sigmoid
                            : slope;
    case PLS_SWISH:
        return order == 0   ? z * sigmoid
               : order == 1 ? sigmoid + z * slope
                            : slope * (2.0L - z * tanhl(0.5L * z));
    case PLS_GELU:
        return order == 0   ? z * cumulative
               : order == 1 ? cumulative + z * density
                            : density * (2.0L - z * z);
    case PLS_SIN:
        return order == 0 ? sinl(z) : order == 1 ? cosl(z) : -sinl(z);
    case PLS_RELU:
        return order == 0 ? (z > 0.0L ? z : 0.0L) : order == 1 ? (z > 0.0L ? 1.0L : 0.0L) : 0.0L;
    default:
        return order == 0 ? z : order == 1 ? 1.0L : 0.0L;
    }
}

/* What may cancel: the size of the terms of which phi is a sum. */
static long double phi_scale(pls_activation phi, int order, long double z) {
    long double value = fabsl(phi_reference(phi, order, z));
    if ((phi == PLS_SWISH && order > 0) || (phi == PLS_GELU && order > 0)) {
        long double slope = phi_reference(phi == PLS_SWISH ? PLS_SIGMOID : PLS_ERF, 1,
                                          phi == PLS_SWISH ? z : z / sqrtl(2.0L));
        return value + slope * (order == 1 ? fabsl(z) : 2.0L + z * z);
    }
    return value;
}

/* What a factor that underflows costs the product z times it. */
static long double underflow(const trial *t, long double z) {
    return fabsl(z) * (t->given.dtype == PLS_F32 ? 0x1p-126L : 0x1p-1022L);
}

/* Moderate numbers, large ones of both signs, and zero. */
static double preactivation(int64_t e) {
    static const double special[] = {0.0,   -0.0, 1e-9,  8.0,   -8.0,  30.0,
                                     -30.0, 90.0, -90.0, 800.0, -800.0};
    return e % 23 < COUNT(special) ? special[e % 23] : 4.0 * trial_number((uint64_t)e + 77);
}

static void set_preactivations(trial *t, int index) {
    for (int64_t e = 0; e < t->operands[index].size; e++) {
        trial_set(t, index, 0, e, preactivation(e));
    }
}

/* Variants: activations without a bias, then with one. */
static void bias_declare(trial *t) {
    trial_operand(t, "z", OPERAND_INOUT, t->given.dtype, t->given.m, t->given.n);
    trial_operand(t, "a", OPERAND_OUTPUT, t->given.dtype, t->given.m, t->given.n);
    if (t->given.variant >= PLS_ACTIVATION_COUNT) {
        trial_operand(t, "bias", OPERAND_INPUT, t->given.dtype, 1, t->given.n);
    }
}

static void bias_prepare(trial *t) {
    set_preactivations(t, 0);
}

static pls_activation bias_phi(const trial *t) {
    return (pls_activation)(t->given.variant % PLS_ACTIVATION_COUNT);
}

static pls_status bias_call(trial *t) {
    return pls_bias_activation(t->device, bias_phi(t), 0.5,
                               t->given.variant >= PLS_ACTIVATION_COUNT ? view(t, 2)
                                                                        : pls_no_view(),
                               view(t, 0), view(t, 1));
}

/* Without a bias z is only read. */
static double bias_bytes(const trial *t) {
    double z = trial_operand_bytes(t, 0), a = trial_operand_bytes(t, 1);
    return t->given.variant < PLS_ACTIVATION_COUNT ? 0.5 * z + a
                                                   : z + a + trial_operand_bytes(t, 2);
}

/* a is compared with phi of the z that was computed, so that both errors are seen apart. */
static void bias_reference(trial *t) {
    bool biased = t->given.variant >= PLS_ACTIVATION_COUNT;
    for (int64_t i = 0; i < t->given.m; i++) {
        for (int64_t j = 0; j < t->given.n; j++) {
            double z = trial_before(t, 0, i, j),
                   shift = biased ? 0.5 * trial_before(t, 2, 0, j) : 0;
            double computed = trial_after(t, 0, i, j);
            trial_expect(t, 0, i, j, (long double)z + shift, fabs(z) + fabs(shift));
            trial_expect(t, 1, i, j, phi_reference(bias_phi(t), 0, computed),
                         phi_scale(bias_phi(t), 0, computed) + underflow(t, computed));
        }
    }
}

/* Variants: activations of order 1, then of order 2; p = repeat. */
static void derivative_declare(trial *t) {
    int64_t repeat = t->given.p;
    trial_operand(t, "z", OPERAND_INPUT, t->given.dtype, t->given.m, t->given.n);
    trial_operand(t, "d", OPERAND_INOUT, t->given.dtype, t->given.m * repeat, t->given.n);
}

static int derivative_order(const trial *t) {
    return t->given.variant < PLS_ACTIVATION_COUNT ? 1 : 2;
}

static pls_status derivative_call(trial *t) {
    return pls_activation_derivative(t->device, bias_phi(t), derivative_order(t), t->given.p,
                                     view(t, 0), view(t, 1));
}

static void derivative_reference(trial *t) {
    for (int64_t i = 0; i < t->given.m * t->given.p; i++) {
        for (int64_t j = 0; j < t->given.n; j++) {
            double z = trial_before(t, 0, i / t->given.p, j), d = trial_before(t, 1, i, j);
            trial_expect(t, 1, i, j, d * phi_reference(bias_phi(t), derivative_order(t), z),
                         fabsl(d * phi_scale(bias_phi(t), derivative_order(t), z)) +
                             underflow(t, z));
        }
    }
}

static const shape derivative_shapes[] = {{1, 1, 1}, {1, 46, 3}, {5, 7, 1}, {40, 61, 5}};
static const shape derivative_bench[] = {{128, 2048, 1}, {128, 2048, 10}};

/* hadamard_accumulate: g m x n, p = k; variant 1: lower (m = n) */
static void hadamard_declare(trial *t) {
    const operation_case *g = &t->given;
    int64_t n = g->variant ? g->m : g->n;
    trial_operand(t, "g", OPERAND_INPUT, PLS_F64, g->m, n);
    trial_operand(t, "d", OPERAND_INPUT, PLS_F64, g->m * g->p, n * g->p);
    trial_operand(t, "c", OPERAND_INOUT, PLS_F64, g->m * g->p, n * g->p);
}

static void hadamard_prepare(trial *t) {
    if (t->given.variant) {
        keep_upper(t, 2);
    }
}

static pls_status hadamard_call(trial *t) {
    return pls_hadamard_accumulate(t->device, 1.5, view(t, 0), 0.25, t->given.p, view(t, 1),
                                   view(t, 2), t->given.variant == 1);
}

static double hadamard_bytes(const trial *t) {
    double bytes = 0.0;
    for (int index = 0; index < t->count; index++) {
        bytes += t->given.variant ? lower_bytes(t, index) : trial_operand_bytes(t, index);
    }
    return bytes;
}

static void hadamard_reference(trial *t) {
    int64_t k = t->given.p;
    for (int64_t i = 0; i < t->operands[2].rows; i++) {
        for (int64_t j = 0; j < (t->given.variant ? i + 1 : t->operands[2].cols); j++) {
            double g = trial_before(t, 0, i / k, j / k), d = trial_before(t, 1, i, j);
            double c = trial_before(t, 2, i, j);
            trial_expect(t, 2, i, j, c + (1.5L * g + 0.25L) * d,
                         fabs(c) + (1.5 * fabs(g) + 0.25) * fabs(d));
        }
    }
}

static const shape hadamard_shapes[] = {{1, 1, 1}, {3, 5, 2}, {65, 61, 1}, {31, 40, 10}};
static const shape hadamard_bench[] = {{2048, 2048, 1}, {205, 205, 10}};

/* position_accumulate: m x n samples of p positions; variant bit 0: lower (m = n), bit 1: k = 3,
 * else 1. Above the diagonals, g and d are not to be read. */
static int64_t position_k(const trial *t) {
    return t->given.variant & 2 ? 3 : 1;
}

static bool position_lower(const trial *t) {
    return (t->given.variant & 1) != 0;
}

static void position_declare(trial *t) {
    const operation_case *g = &t->given;
    int64_t n = position_lower(t) ? g->m : g->n, k = position_k(t);
    trial_operand(t, "g", OPERAND_INPUT, PLS_F64, g->m * g->p, n * g->p);
    trial_operand(t, "d", OPERAND_INPUT, PLS_F64, g->m * k * g->p, n * k * g->p);
    trial_operand(t, "c", OPERAND_INOUT, PLS_F64, g->m * k, n * k);
}

static void position_prepare(trial *t) {
    for (int index = 0; position_lower(t) && index < 2; index++) {
        for (int64_t i = 0; i < t->operands[index].rows; i++) {
            for (int64_t j = i + 1; j < t->operands[index].cols; j++) {
                trial_set(t, index, i, j, (double)NAN);
            }
        }
    }
    if (position_lower(t)) {
        keep_upper(t, 2);
    }
}

static pls_status position_call(trial *t) {
    return pls_position_accumulate(t->device, 1.5, view(t, 0), 0.25, position_k(t), t->given.p,
                                   view(t, 1), view(t, 2), position_lower(t));
}

static double position_bytes(const trial *t) {
    double bytes = 0.0;
    for (int index = 0; index < t->count; index++) {
        bytes += position_lower(t) ? lower_bytes(t, index) : trial_operand_bytes(t, index);
    }
    return bytes;
}

static double position_element(const trial *t, int index, int64_t i, int64_t j) {
    bool mirrored = position_lower(t) && j > i;
    return trial_before(t, index, mirrored ? j : i, mirrored ? i : j);
}

static void position_reference(trial *t) {
    int64_t k = position_k(t), h = t->given.p;
    for (int64_t i = 0; i < t->operands[2].rows; i++) {
        for (int64_t j = 0; j < (position_lower(t) ? i + 1 : t->operands[2].cols); j++) {
            long double sum = trial_before(t, 2, i, j), scale = fabsl(sum);
            for (int64_t p = 0; p < h; p++) {
                for (int64_t q = 0; q < h; q++) {
                    long double g = position_element(t, 0, i / k * h + p, j / k * h + q);
                    long double d = position_element(t, 1, i * h + p, j * h + q);
                    sum += (1.5L * g + 0.25L) * d;
                    scale += (1.5L * fabsl(g) + 0.25L) * fabsl(d);
                }
            }
            trial_expect(t, 2, i, j, sum, scale);
        }
    }
}

static const shape position_shapes[] = {{1, 1, 1}, {3, 5, 2},  {9, 4, 4}, {5, 4, 7},
                                        {2, 3, 9}, {1, 2, 33}, {3, 2, 49}};
static const shape position_bench[] = {{24, 24, 49}, {1, 1, 784}};

/* outer_rows: a m x n, d (m 3) x p */
enum { OUTER_K = 3 };

static void outer_declare(trial *t) {
    const operation_case *g = &t->given;
    trial_operand(t, "d", OPERAND_INPUT, g->dtype, g->m * OUTER_K, g->p);
    trial_operand(t, "a", OPERAND_INPUT, g->dtype, g->m, g->n);
    trial_operand(t, "rows", OPERAND_OUTPUT, g->dtype, g->m * OUTER_K, g->p * g->n);
}

static pls_status outer_call(trial *t) {
    return pls_outer_rows(t->device, -0.5, OUTER_K, view(t, 0), view(t, 1), view(t, 2));
}

static void outer_reference(trial *t) {
    for (int64_t r = 0; r < t->given.m * OUTER_K; r++) {
        for (int64_t j = 0; j < t->given.p * t->given.n; j++) {
            long double value = -0.5L * trial_before(t, 0, r, j / t->given.n) *
                                trial_before(t, 1, r / OUTER_K, j % t->given.n);
            trial_expect(t, 2, r, j, value, fabsl(value));
        }
    }
}

/* The third: aligned operands whose parts of a row are not. */
static const shape outer_shapes[] = {{1, 1, 1}, {2, 5, 3}, {1, 7, 4}, {7, 100, 101}};
static const shape outer_bench[] = {{16, 1024, 256}};

/* unit_rows: (m n) x n */
static void unit_declare(trial *t) {
    trial_operand(t, "d", OPERAND_OUTPUT, t->given.dtype, t->given.m * t->given.n, t->given.n);
}

static pls_status unit_call(trial *t) {
    return pls_unit_rows(t->device, t->given.n, view(t, 0));
}

static void unit_reference(trial *t) {
    for (int64_t i = 0; i < t->operands[0].rows; i++) {
        for (int64_t j = 0; j < t->given.n; j++) {
            trial_expect(t, 0, i, j, i % t->given.n == j ? 1.0L : 0.0L, 0.0L);
        }
    }
}

static const shape unit_shapes[] = {{1, 1, 0}, {5, 3, 0}, {100, 10, 0}};

/* add_diagonal and symmetrize: m x m */
static void square_declare(trial *t) {
    trial_operand(t, "a", OPERAND_INOUT, t->given.dtype, t->given.m, t->given.m);
}

static void diagonal_prepare(trial *t) {
    for (int64_t i = 0; i < t->given.m; i++) {
        for (int64_t j = 0; j < t->given.m; j++) {
            if (i != j) {
                trial_keep(t, 0, i, j, true);
            }
        }
    }
}

static pls_status diagonal_call(trial *t) {
    return pls_add_diagonal(t->device, 0.125, view(t, 0));
}

static double diagonal_bytes(const trial *t) {
    return trial_operand_bytes(t, 0) / (double)t->given.m;
}

static void diagonal_reference(trial *t) {
    for (int64_t i = 0; i < t->given.m; i++) {
        double a = trial_before(t, 0, i, i);
        trial_expect(t, 0, i, i, a + 0.125L, fabs(a) + 0.125);
    }
}

static void symmetrize_prepare(trial *t) {
    for (int64_t i = 0; i < t->given.m; i++) {
        for (int64_t j = i + 1; j < t->given.m; j++) {
            trial_set(t, 0, i, j, (double)NAN);
        }
    }
}

static pls_status symmetrize_call(trial *t) {
    return pls_symmetrize(t->device, view(t, 0));
}

/* The triangle below the diagonal is read, the one above it written. */
static double symmetrize_bytes(const trial *t) {
    return 0.5 * trial_operand_bytes(t, 0) - diagonal_bytes(t) / 2.0;
}

static void symmetrize_reference(trial *t) {
    for (int64_t i = 0; i < t->given.m; i++) {
        for (int64_t j = 0; j < t->given.m; j++) {
            trial_expect(t, 0, i, j, j > i ? trial_before(t, 0, j, i) : trial_before(t, 0, i, j),
                         0.0L);
        }
    }
}

static const shape square_shapes[] = {{1, 0, 0}, {5, 0, 0}, {64, 0, 0}, {65, 0, 0}, {200, 0, 0}};
static const shape square_bench[] = {{4096, 0, 0}};

/* ---- losses: m samples, n outputs -------------------------------------------------------------
 */

static void loss_declare(trial *t) {
    const operation_case *g = &t->given;
    trial_operand(t, "f", OPERAND_INPUT, g->dtype, g->m, g->n);
    trial_operand(t, "y", OPERAND_INPUT, g->dtype, g->m, g->n);
    trial_operand(t, "residual", OPERAND_OUTPUT, g->dtype, g->m, g->n);
    trial_operand(t, "losses", OPERAND_OUTPUT, PLS_F64, g->m, 1);
}

static pls_status square_loss_call(trial *t) {
    return pls_square_loss(t->device, view(t, 0), view(t, 1), view(t, 2), view(t, 3));
}

static void square_loss_reference(trial *t) {
    for (int64_t i = 0; i < t->given.m; i++) {
        long double sum = 0.0L;
        for (int64_t a = 0; a < t->given.n; a++) {
            long double r = (long double)trial_before(t, 0, i, a) - trial_before(t, 1, i, a);
            sum += 0.5L * r * r;
            trial_expect(t, 2, i, a, r, fabsl(r));
        }
        trial_expect(t, 3, i, 0, sum, sum);
    }
}

/* Rows of probabilities, and outputs of which some are large. */
static void entropy_prepare(trial *t) {
    for (int64_t i = 0; i < t->given.m; i++) {
        double sum = 0.0;
        for (int64_t a = 0; a < t->given.n; a++) {
            sum += fabs(trial_before(t, 1, i, a));
            trial_set(t, 0, i, a, (i % 3 == 0 ? 200.0 : 3.0) * trial_before(t, 0, i, a));
        }
        for (int64_t a = 0; a < t->given.n; a++) {
            trial_set(t, 1, i, a,
                      i % 2 == 0 ? (a == i % t->given.n ? 1.0 : 0.0)
                                 : fabs(trial_before(t, 1, i, a)) / sum);
        }
    }
}

static pls_status entropy_call(trial *t) {
    return pls_cross_entropy_loss(t->device, view(t, 0), view(t, 1), view(t, 2), view(t, 3));
}

static void entropy_reference(trial *t) {
    for (int64_t i = 0; i < t->given.m; i++) {
        long double largest = -INFINITY, sum = 0.0L, mass = 0.0L, loss = 0.0L, scale = 1.0L;
        for (int64_t a = 0; a < t->given.n; a++) {
            largest = fmaxl(largest, trial_before(t, 0, i, a));
        }
        for (int64_t a = 0; a < t->given.n; a++) {
            sum += expl(trial_before(t, 0, i, a) - largest);
            mass += trial_before(t, 1, i, a);
        }
        for (int64_t a = 0; a < t->given.n; a++) {
            long double f = trial_before(t, 0, i, a), y = trial_before(t, 1, i, a);
            long double p = expl(f - largest) / sum * mass;
            loss += y * (logl(sum) + largest - f);
            scale += y * fabsl(largest - f);
            trial_expect(t, 2, i, a, p - y, p * (4.0L + fabsl(f - largest)) + y);
        }
        trial_expect(t, 3, i, 0, loss, scale);
    }
}

static void softmax_declare(trial *t) {
    const operation_case *g = &t->given;
    trial_operand(t, "f", OPERAND_INPUT, g->dtype, g->m, g->n);
    trial_operand(t, "y", OPERAND_INPUT, g->dtype, g->m, g->n);
    trial_operand(t, "v", OPERAND_INPUT, g->dtype, g->m, g->n);
    trial_operand(t, "out", OPERAND_OUTPUT, g->dtype, g->m, g->n);
}

static pls_status softmax_call(trial *t) {
    return pls_softmax_product(t->device, view(t, 0), view(t, 1), view(t, 2), view(t, 3));
}

static void softmax_reference(trial *t) {
    for (int64_t i = 0; i < t->given.m; i++) {
        long double largest = -INFINITY, sum = 0.0L, mass = 0.0L, mean = 0.0L, size = 0.0L;
        for (int64_t a = 0; a < t->given.n; a++) {
            largest = fmaxl(largest, trial_before(t, 0, i, a));
            mass += trial_before(t, 1, i, a);
        }
        for (int64_t a = 0; a < t->given.n; a++) {
            sum += expl(trial_before(t, 0, i, a) - largest);
        }
        for (int64_t a = 0; a < t->given.n; a++) {
            long double term =
                expl(trial_before(t, 0, i, a) - largest) / sum * trial_before(t, 2, i, a);
            mean += term;
            size += fabsl(term) * (4.0L + largest - trial_before(t, 0, i, a));
        }
        for (int64_t a = 0; a < t->given.n; a++) {
            long double f = trial_before(t, 0, i, a), v = trial_before(t, 2, i, a);
            long double p = mass * expl(f - largest) / sum;
            trial_expect(t, 3, i, a, p * (v - mean),
                         p * ((4.0L + largest - f) * (fabsl(v) + fabsl(mean)) + size));
        }
    }
}

static const shape loss_shapes[] = {{1, 1, 0}, {7, 3, 0}, {300, 10, 0}, {5, 1000, 0}};
static const shape loss_bench[] = {{4096, 10, 0}};

/* ---- reductions: m x n ------------------------------------------------------------------------
 */

static void one_declare(trial *t) {
    trial_operand(t, "x", OPERAND_INPUT, t->given.dtype, t->given.m, t->given.n);
    trial_operand(t, "out", OPERAND_OUTPUT, PLS_F64, 1, 1);
}

static void two_declare(trial *t) {
    one_declare(t);
    trial_operand(t, "y", OPERAND_INPUT, t->given.dtype, t->given.m, t->given.n);
}

static pls_status sum_call(trial *t) {
    return pls_sum(t->device, view(t, 0), view(t, 1));
}

static pls_status max_call(trial *t) {
    return pls_max_abs(t->device, view(t, 0), view(t, 1));
}

static pls_status dot_call(trial *t) {
    return pls_dot(t->device, view(t, 0), view(t, 2), view(t, 1));
}

static pls_status distance_call(trial *t) {
    return pls_squared_distance(t->device, view(t, 0), view(t, 2), view(t, 1));
}

typedef long double term(double x, double y);

static void expect_sum(trial *t, term *of) {
    long double sum = 0.0L, scale = 0.0L;
    bool two = t->count == 3;
    for (int64_t e = 0; e < t->operands[0].size; e++) {
        long double value = of(t->operands[0].before[e], two ? t->operands[2].before[e] : 0.0);
        sum += value;
        scale += fabsl(value);
    }
    trial_expect(t, 1, 0, 0, sum, scale);
}

static long double plain_term(double x, double y) {
    return (long double)x + 0.0 * y;
}

static long double dot_term(double x, double y) {
    return (long double)x * y;
}

static long double distance_term(double x, double y) {
    return ((long double)x - y) * ((long double)x - y);
}

static void sum_reference(trial *t) {
    expect_sum(t, plain_term);
}

static void dot_reference(trial *t) {
    expect_sum(t, dot_term);
}

static void distance_reference(trial *t) {
    expect_sum(t, distance_term);
}

/* Variant 1: one element is NaN. */
static void max_prepare(trial *t) {
    if (t->given.variant) {
        trial_set(t, 0, t->given.m / 2, t->given.n / 2, (double)NAN);
    }
}

static void max_reference(trial *t) {
    double largest = 0.0;
    for (int64_t e = 0; e < t->operands[0].size; e++) {
        largest = fmax(largest, fabs(t->operands[0].before[e]));
    }
    trial_expect(t, 1, 0, 0, t->given.variant ? (double)NAN : largest, 0.0L);
}

/* Variant 1: beta */
static void column_declare(trial *t) {
    trial_operand(t, "x", OPERAND_INPUT, t->given.dtype, t->given.m, t->given.n);
    trial_operand(t, "out", t->given.variant ? OPERAND_INOUT : OPERAND_OUTPUT, t->given.dtype, 1,
                  t->given.n);
}

static pls_status column_call(trial *t) {
    return pls_column_sum(t->device, 0.5, view(t, 0), t->given.variant ? 2.0 : 0.0, view(t, 1));
}

static void column_reference(trial *t) {
    for (int64_t j = 0; j < t->given.n; j++) {
        double before = t->given.variant ? 2.0 * trial_before(t, 1, 0, j) : 0.0;
        long double sum = before, scale = fabs(before);
        for (int64_t i = 0; i < t->given.m; i++) {
            sum += 0.5L * trial_before(t, 0, i, j);
            scale += fabs(0.5 * trial_before(t, 0, i, j));
        }
        trial_expect(t, 1, 0, j, sum, scale);
    }
}

static const shape reduce_shapes[] = {{1, 1, 0},    {3, 5, 0},    {1, 4096, 0}, {1, 4097, 0},
                                      {9001, 1, 0}, {97, 128, 0}, {300, 131, 0}};
static const shape reduce_bench[] = {{1, 16777216, 0}, {4096, 4096, 0}};

/* ---- random fills: variant 1 starts at an odd element beyond 32 bits --------------------------
 */

static int64_t random_first(const trial *t) {
    return t->given.variant ? (int64_t)3 * 4294967296 + 12345 : 0;
}

static const pls_random_stream random_stream = {0x0123456789abcdefu, PLS_RANDOM_TEST, 7};

static pls_status uniform_call(trial *t) {
    return pls_random_uniform(t->device, random_stream, random_first(t), -2.0, 3.0, view(t, 0));
}

static void uniform_reference(trial *t) {
    for (int64_t e = 0; e < t->operands[0].size; e++) {
        double u = pls_random_uniform_at(random_stream, (uint64_t)(random_first(t) + e));
        double value = -2.0 + 5.0 * u;
        trial_expect(t, 0, 0, e, t->given.dtype == PLS_F32 ? (double)(float)value : value, 0.0L);
    }
}

static pls_status normal_call(trial *t) {
    return pls_random_normal(t->device, random_stream, random_first(t), 1.5, view(t, 0));
}

/* cos(2 pi v) or sin(2 pi v), the angle reduced in turns, where it is exact. */
static long double circle(double v, bool sine) {
    long double quarter = roundl(4.0L * v);
    long double x = (4.0L * v - quarter) * 1.57079632679489661923132169163975L;
    switch (((int)quarter + (sine ? 3 : 0)) % 4) {
    case 0:
        return cosl(x);
    case 1:
        return -sinl(x);
    case 2:
        return -cosl(x);
    default:
        return sinl(x);
    }
}

static void normal_reference(trial *t) {
    for (int64_t e = 0; e < t->operands[0].size; e++) {
        uint64_t element = (uint64_t)(random_first(t) + e);
        philox4x32_ctr_t w = pls_philox_block(random_stream, element / 2);
        double u = pls_philox_unit(w.v[1], w.v[0]), v = pls_philox_unit(w.v[3], w.v[2]);
        long double value = 1.5L * sqrtl(-2.0L * log1pl(-(long double)u)) * circle(v, element % 2);
        trial_expect(t, 0, 0, e, value, fabsl(value));
    }
}

static const shape random_shapes[] = {
    {1, 1, 0}, {1, 2, 0}, {3, 5, 0}, {129, 127, 0}, {1, 50001, 0}};
static const shape random_bench[] = {{4096, 4096, 0}};

/* ---- factorisation and eigenvalues: m x m -----------------------------------------------------
 */

static const shape factor_shapes[] = {{1, 0, 1},   {2, 0, 3},    {63, 0, 2},  {128, 0, 5},
                                      {129, 0, 1}, {257, 0, 33}, {300, 0, 70}};
static const shape factor_bench[] = {{1024, 0, 1}, {4096, 0, 1}};
static const shape solve_bench[] = {{2048, 0, 1}, {2048, 0, 64}, {2048, 0, 2048}};

static void factor_declare(trial *t) {
    trial_operand(t, "a", OPERAND_INOUT, PLS_F64, t->given.m, t->given.m);
}

/* Diagonally dominant; above the diagonal NaN, which nobody may read. */
static void factor_prepare(trial *t) {
    for (int64_t i = 0; i < t->given.m; i++) {
        trial_set(t, 0, i, i, (double)t->given.m + trial_before(t, 0, i, i));
    }
    keep_upper(t, 0);
}

static pls_status factor_call(trial *t) {
    int64_t failed = 0;
    pls_status status = pls_potrf(t->device, view(t, 0), &failed);
    return status == PLS_OK && failed != 0 ? PLS_ERROR_NUMERIC : status;
}

static double factor_bytes(const trial *t) {
    return lower_bytes(t, 0);
}

static double factor_verify(trial *t) {
    double worst = 0.0;
    for (int64_t i = 0; i < t->given.m; i++) {
        for (int64_t j = 0; j <= i; j++) {
            long double sum = 0.0L, scale = 0.0L;
            for (int64_t q = 0; q <= j; q++) {
                long double product =
                    (long double)trial_after(t, 0, i, q) * trial_after(t, 0, j, q);
                sum += product;
                scale += fabsl(product);
            }
            double residual = (double)(fabsl(sum - trial_before(t, 0, i, j)) / (scale * 0x1p-53L));
            worst = residual <= worst ? worst : residual;
        }
    }
    return worst;
}

static double factor_flops(const trial *t) {
    double n = (double)t->given.m;
    return n * n * n / 3.0;
}

static void solve_declare(trial *t) {
    trial_operand(t, "l", OPERAND_INPUT, PLS_F64, t->given.m, t->given.m);
    trial_operand(t, "x", OPERAND_INOUT, PLS_F64, t->given.m, t->given.p);
}

static void solve_prepare(trial *t) {
    for (int64_t i = 0; i < t->given.m; i++) {
        for (int64_t j = 0; j < i; j++) {
            trial_set(t, 0, i, j, trial_before(t, 0, i, j) / (double)t->given.m);
        }
        trial_set(t, 0, i, i, 1.5 + trial_before(t, 0, i, i));
        for (int64_t j = i + 1; j < t->given.m; j++) {
            trial_set(t, 0, i, j, (double)NAN);
        }
    }
}

static pls_status solve_call(trial *t) {
    return pls_potrs(t->device, view(t, 0), view(t, 1));
}

static double solve_bytes(const trial *t) {
    return lower_bytes(t, 0) + trial_operand_bytes(t, 1);
}

/* |b - L (LT x)| against |L| (|L|T |x|), column by column */
static double solve_verify(trial *t) {
    double worst = 0.0;
    int64_t n = t->given.m;
    for (int64_t c = 0; c < t->given.p; c++) {
        for (int64_t i = 0; i < n; i += 1 + n / 40) {
            long double sum = 0.0L, scale = 0.0L;
            for (int64_t j = 0; j <= i; j++) {
                for (int64_t q = j; q < n; q++) {
                    long double product = (long double)trial_before(t, 0, i, j) *
                                          trial_before(t, 0, q, j) * trial_after(t, 1, q, c);
                    sum += product;
                    scale += fabsl(product);
                }
            }
            long double residual = fabsl(sum - trial_before(t, 1, i, c)) / (scale * 0x1p-53L);
            worst = residual <= worst ? worst : (double)residual;
        }
    }
    return worst;
}

static double solve_flops(const trial *t) {
    return 2.0 * (double)t->given.m * (double)t->given.m * (double)t->given.p;
}

/* Variant 1: vectors */
static void eigen_declare(trial *t) {
    trial_operand(t, "a", OPERAND_INOUT, PLS_F64, t->given.m, t->given.m);
    trial_operand(t, "values", OPERAND_OUTPUT, PLS_F64, 1, t->given.m);
}

static void eigen_prepare(trial *t) {
    for (int64_t i = 0; i < t->given.m; i++) {
        for (int64_t j = i + 1; j < t->given.m; j++) {
            trial_set(t, 0, i, j, (double)NAN);
        }
    }
}

static pls_status eigen_call(trial *t) {
    return pls_syevd(t->device, t->given.variant == 1, view(t, 0), view(t, 1));
}

/* The lower triangle is read; only with vectors all of the matrix is written. */
static double eigen_bytes(const trial *t) {
    double a = trial_operand_bytes(t, 0), values = trial_operand_bytes(t, 1);
    return 0.5 * lower_bytes(t, 0) + (t->given.variant == 1 ? 0.5 * a : 0.0) + values;
}

/* Order, trace, Frobenius norm; with vectors A v = lambda v and orthogonality; all against the
 * Frobenius norm. */
static double eigen_verify(trial *t) {
    int64_t n = t->given.m;
    long double trace = 0.0L, squares = 0.0L, worst = 0.0L;
    for (int64_t i = 0; i < n; i++) {
        long double value = trial_after(t, 1, 0, i);
        trace += trial_before(t, 0, i, i) - value;
        squares -= value * value;
        for (int64_t j = 0; j < n; j++) {
            long double a = trial_before(t, 0, i > j ? i : j, i > j ? j : i);
            squares += a * a;
        }
        if (i > 0 && value < trial_after(t, 1, 0, i - 1)) {
            return INFINITY;
        }
    }
    long double norm = 0.0L;
    for (int64_t i = 0; i < n; i++) {
        norm += (long double)trial_after(t, 1, 0, i) * trial_after(t, 1, 0, i);
    }
    norm = sqrtl(norm);
    worst = fmaxl(fabsl(trace) / norm, fabsl(squares) / (norm * norm));
    for (int64_t v = 0; t->given.variant == 1 && v < n; v++) {
        for (int64_t i = 0; i < n; i++) {
            long double difference =
                -(long double)trial_after(t, 1, 0, v) * trial_after(t, 0, v, i);
            long double overlap = v == i ? -1.0L : 0.0L;
            for (int64_t j = 0; j < n; j++) {
                long double a = trial_before(t, 0, i > j ? i : j, i > j ? j : i);
                difference += a * trial_after(t, 0, v, j);
                overlap += (long double)trial_after(t, 0, v, j) * trial_after(t, 0, i, j);
            }
            worst = fmaxl(worst, fmaxl(fabsl(difference) / norm, fabsl(overlap)));
        }
    }
    return isnan((double)norm) ? INFINITY : (double)(worst / 0x1p-53L);
}

static const shape eigen_shapes[] = {{1, 0, 0}, {2, 0, 0}, {33, 0, 0}, {130, 0, 0}};
static const shape eigen_bench[] = {{1024, 0, 0}};

static double eigen_flops(const trial *t) {
    return 4.0 * factor_flops(t);
}

/* ---- images: m samples, n channels, p pixels high, p + 2 wide; kernel 3 or 5, size 2 ----------
 */

static pls_image image_of(const trial *t) {
    pls_image image = {t->given.n, t->given.p, t->given.p + 2};
    return image;
}

static int64_t image_kernel(const trial *t) {
    return t->given.variant == 0 ? 1 : t->given.variant == 1 ? 3 : 5;
}

static void patch_declare(trial *t, bool forward) {
    int64_t k = image_kernel(t), area = t->given.p * (t->given.p + 2);
    trial_operand(t, "images", forward ? OPERAND_INPUT : OPERAND_OUTPUT, t->given.dtype, t->given.m,
                  t->given.n * area);
    trial_operand(t, "patches", forward ? OPERAND_OUTPUT : OPERAND_INPUT, t->given.dtype,
                  t->given.m * area, t->given.n * k * k);
}

static void im2col_declare(trial *t) {
    patch_declare(t, true);
}

static void col2im_declare(trial *t) {
    patch_declare(t, false);
}

static pls_status im2col_call(trial *t) {
    return pls_im2col(t->device, image_of(t), image_kernel(t), view(t, 0), view(t, 1));
}

static pls_status col2im_call(trial *t) {
    return pls_col2im(t->device, image_of(t), image_kernel(t), view(t, 1), view(t, 0));
}

/* Visits every (patch element, pixel) pair: both directions from the same loop. */
static void patch_reference(trial *t, bool forward) {
    pls_image image = image_of(t);
    int64_t k = image_kernel(t), width = image.width, area = image.height * width;
    for (int64_t row = 0; row < t->operands[1].rows; row++) {
        for (int64_t col = 0; col < t->operands[1].cols; col++) {
            int64_t c = col / (k * k), y = row % area / width + col % (k * k) / k - k / 2;
            int64_t x = row % width + col % k - k / 2;
            bool in = y >= 0 && y < image.height && x >= 0 && x < width;
            int64_t pixel = row / area * t->operands[0].cols + c * area + y * width + x;
            if (forward) {
                trial_expect(t, 1, row, col, in ? t->operands[0].before[pixel] : 0.0, 0.0L);
            } else if (in) {
                t->operands[0].expected[pixel] += trial_before(t, 1, row, col);
                t->operands[0].scale[pixel] += fabs(trial_before(t, 1, row, col));
            }
        }
    }
}

static void im2col_reference(trial *t) {
    patch_reference(t, true);
}

static void col2im_reference(trial *t) {
    patch_reference(t, false);
}

static const shape image_shapes[] = {{1, 1, 1}, {2, 3, 4}, {3, 2, 8}, {40, 1, 8}};
static const shape image_bench[] = {{128, 16, 32}};

static void pool_declare(trial *t, bool forward) {
    int64_t area = 2 * t->given.p * 2 * (t->given.p + 1);
    trial_operand(t, "fine", forward ? OPERAND_INPUT : OPERAND_OUTPUT, t->given.dtype, t->given.m,
                  t->given.n * area);
    trial_operand(t, "coarse", forward ? OPERAND_OUTPUT : OPERAND_INPUT, t->given.dtype, t->given.m,
                  t->given.n * area / 4);
}

static pls_image pool_image(const trial *t) {
    pls_image image = {t->given.n, 2 * t->given.p, 2 * (t->given.p + 1)};
    return image;
}

static void pool_forward_declare(trial *t) {
    pool_declare(t, true);
}

static void pool_backward_declare(trial *t) {
    pool_declare(t, false);
}

static pls_status pool_forward_call(trial *t) {
    return pls_average_pool(t->device, pool_image(t), 2, view(t, 0), view(t, 1));
}

static pls_status pool_backward_call(trial *t) {
    return pls_average_pool_backward(t->device, pool_image(t), 2, view(t, 1), view(t, 0));
}

static void pool_reference(trial *t, bool forward) {
    pls_image image = pool_image(t);
    for (int64_t e = 0; e < t->operands[0].size; e++) {
        int64_t x = e % image.width, y = e / image.width % image.height;
        int64_t channel = e / image.width / image.height; /* with the sample */
        int64_t coarse = (channel * (image.height / 2) + y / 2) * (image.width / 2) + x / 2;
        if (forward) {
            t->operands[1].expected[coarse] += 0.25 * t->operands[0].before[e];
            t->operands[1].scale[coarse] += 0.25 * fabs(t->operands[0].before[e]);
        } else {
            trial_expect(t, 0, 0, e, 0.25L * t->operands[1].before[coarse], 1.0L);
        }
    }
}

static void pool_forward_reference(trial *t) {
    pool_reference(t, true);
}

static void pool_backward_reference(trial *t) {
    pool_reference(t, false);
}

/* ---- the table --------------------------------------------------------------------------------
 */

#define SHAPES(array) .shapes = (array), .shape_count = COUNT(array)
#define BENCH(array) .bench_shapes = (array), .bench_count = COUNT(array)
#define LIMITS(ok, failed) .ok_limit = (ok), .failed_limit = (failed)
#define ENTRY(text, prefix)                                                                        \
    .name = (text), .declare = prefix##_declare, .call = prefix##_call,                            \
    .reference = prefix##_reference

const operation operations[] = {
    {ENTRY("gemm", gemm), SHAPES(gemm_shapes), BENCH(gemm_bench), LIMITS(8, 64), .variants = 8,
     .flops = gemm_flops},
    {ENTRY("gemm_batched", batched), SHAPES(gemm_shapes), LIMITS(8, 64), .variants = 2,
     .flops = batched_flops},
    {ENTRY("syrk", syrk), .prepare = syrk_prepare, SHAPES(syrk_shapes), BENCH(syrk_bench),
     LIMITS(8, 64), .variants = 2, .flops = syrk_flops, .bytes = syrk_bytes},
    {ENTRY("gram", gram), .prepare = gram_prepare, SHAPES(gram_shapes), BENCH(gram_bench),
     LIMITS(32, 256), .variants = 4, .flops = gram_flops, .bytes = gram_bytes},
    {ENTRY("gram_split", split), .prepare = gram_prepare, SHAPES(split_shapes), BENCH(gram_bench),
     LIMITS(SPLIT_LIMIT / 16, SPLIT_LIMIT), .variants = 8, .flops = gram_flops,
     .bytes = gram_bytes},
    {ENTRY("symv", symv), .prepare = symmetric_prepare, SHAPES(symv_shapes), BENCH(symv_bench),
     LIMITS(8, 64), .variants = 2, .f64_only = true, .flops = symv_flops},
    {ENTRY("copy", copy), SHAPES(flat_shapes), BENCH(flat_bench), .variants = 2},
    {ENTRY("fill", fill), SHAPES(flat_shapes), BENCH(flat_bench), .variants = 1},
    {ENTRY("gather_rows", gather), SHAPES(gather_shapes), BENCH(gather_bench), .variants = 1,
     .bytes = gather_bytes},
    {ENTRY("axpby", axpby), SHAPES(flat_shapes), BENCH(flat_bench), LIMITS(2, 4), .variants = 2},
    {ENTRY("multiply_accumulate", multiply), SHAPES(flat_shapes), BENCH(flat_bench), LIMITS(3, 6),
     .variants = 1},
    {ENTRY("bias_activation", bias), .prepare = bias_prepare, SHAPES(flat_shapes),
     BENCH(flat_bench), LIMITS(8, 16), .variants = 2 * PLS_ACTIVATION_COUNT, .bytes = bias_bytes},
    {.name = "activation_derivative",
     .declare = derivative_declare,
     .prepare = bias_prepare,
     .call = derivative_call,
     .reference = derivative_reference,
     SHAPES(derivative_shapes),
     BENCH(derivative_bench),
     LIMITS(12, 24),
     .variants = 2 * PLS_ACTIVATION_COUNT},
    {ENTRY("hadamard_accumulate", hadamard), .prepare = hadamard_prepare, SHAPES(hadamard_shapes),
     BENCH(hadamard_bench), LIMITS(3, 6), .variants = 2, .f64_only = true, .bytes = hadamard_bytes},
    {ENTRY("position_accumulate", position), .prepare = position_prepare, SHAPES(position_shapes),
     BENCH(position_bench), LIMITS(16, 64), .variants = 4, .f64_only = true,
     .bytes = position_bytes},
    {ENTRY("outer_rows", outer), SHAPES(outer_shapes), BENCH(outer_bench), LIMITS(3, 6),
     .variants = 1},
    {ENTRY("unit_rows", unit), SHAPES(unit_shapes), .variants = 1},
    {.name = "add_diagonal",
     .declare = square_declare,
     .prepare = diagonal_prepare,
     .call = diagonal_call,
     .reference = diagonal_reference,
     .bytes = diagonal_bytes,
     SHAPES(square_shapes),
     LIMITS(1, 2),
     .variants = 1},
    {.name = "symmetrize",
     .declare = square_declare,
     .prepare = symmetrize_prepare,
     .call = symmetrize_call,
     .reference = symmetrize_reference,
     .bytes = symmetrize_bytes,
     SHAPES(square_shapes),
     BENCH(square_bench),
     .variants = 1},
    {.name = "square_loss",
     .declare = loss_declare,
     .call = square_loss_call,
     .reference = square_loss_reference,
     SHAPES(loss_shapes),
     BENCH(loss_bench),
     LIMITS(32, 256),
     .variants = 1},
    {.name = "softmax_product",
     .declare = softmax_declare,
     .prepare = entropy_prepare,
     .call = softmax_call,
     .reference = softmax_reference,
     SHAPES(loss_shapes),
     BENCH(loss_bench),
     LIMITS(4, 8),
     .variants = 1},
    {.name = "cross_entropy_loss",
     .declare = loss_declare,
     .prepare = entropy_prepare,
     .call = entropy_call,
     .reference = entropy_reference,
     SHAPES(loss_shapes),
     BENCH(loss_bench),
     LIMITS(32, 256),
     .variants = 1},
    {.name = "sum",
     .declare = one_declare,
     .call = sum_call,
     .reference = sum_reference,
     SHAPES(reduce_shapes),
     BENCH(reduce_bench),
     LIMITS(4, 32),
     .variants = 1},
    {.name = "dot",
     .declare = two_declare,
     .call = dot_call,
     .reference = dot_reference,
     SHAPES(reduce_shapes),
     BENCH(reduce_bench),
     LIMITS(4, 32),
     .variants = 1},
    {.name = "squared_distance",
     .declare = two_declare,
     .call = distance_call,
     .reference = distance_reference,
     SHAPES(reduce_shapes),
     BENCH(reduce_bench),
     LIMITS(4, 32),
     .variants = 1},
    {.name = "max_abs",
     .declare = one_declare,
     .prepare = max_prepare,
     .call = max_call,
     .reference = max_reference,
     SHAPES(reduce_shapes),
     BENCH(reduce_bench),
     .variants = 2},
    {ENTRY("column_sum", column), SHAPES(reduce_shapes), BENCH(flat_bench), LIMITS(4, 32),
     .variants = 2},
    {.name = "random_uniform",
     .declare = fill_declare,
     .call = uniform_call,
     .reference = uniform_reference,
     SHAPES(random_shapes),
     BENCH(random_bench),
     .variants = 2},
    {.name = "random_normal",
     .declare = fill_declare,
     .call = normal_call,
     .reference = normal_reference,
     SHAPES(random_shapes),
     BENCH(random_bench),
     LIMITS(8, 8),
     .variants = 2},
    {.name = "potrf",
     .declare = factor_declare,
     .prepare = factor_prepare,
     .call = factor_call,
     .verify = factor_verify,
     SHAPES(factor_shapes),
     BENCH(factor_bench),
     LIMITS(8, 64),
     .variants = 1,
     .f64_only = true,
     .dominant = true,
     .flops = factor_flops,
     .bytes = factor_bytes},
    {.name = "potrs",
     .declare = solve_declare,
     .prepare = solve_prepare,
     .call = solve_call,
     .verify = solve_verify,
     SHAPES(factor_shapes),
     BENCH(solve_bench),
     LIMITS(8, 64),
     .variants = 1,
     .f64_only = true,
     .dominant = true,
     .flops = solve_flops,
     .bytes = solve_bytes},
    {.name = "syevd",
     .declare = eigen_declare,
     .prepare = eigen_prepare,
     .call = eigen_call,
     .verify = eigen_verify,
     SHAPES(eigen_shapes),
     BENCH(eigen_bench),
     LIMITS(60, 600),
     .variants = 2,
     .f64_only = true,
     .flops = eigen_flops,
     .bytes = eigen_bytes},
    {ENTRY("im2col", im2col), SHAPES(image_shapes), BENCH(image_bench), .variants = 3},
    {ENTRY("col2im", col2im), SHAPES(image_shapes), BENCH(image_bench), LIMITS(8, 32),
     .variants = 3},
    {ENTRY("average_pool", pool_forward), SHAPES(image_shapes), BENCH(image_bench), LIMITS(2, 8),
     .variants = 1},
    {ENTRY("average_pool_backward", pool_backward), SHAPES(image_shapes), BENCH(image_bench),
     LIMITS(1, 2), .variants = 1},
};

const int operation_count = COUNT(operations);
