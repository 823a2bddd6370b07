/* Conformance of a backend to the contracts of backend.h: the table of operations/, invalid
 * arguments, bits that do not depend on threads, random numbers, and failures on purpose.
 *
 * PLSTAR_TEST_DEVICE names the device (support.h). */
#include "operations.h"
#include "support.h"

#include "base/memory.h"

#include <math.h>

static pls_device *open_device(pls_context *context, int threads) {
    pls_device_options options = support_device(threads);
    pls_device *device = NULL;
    SUPPORT_EXPECT_OK(context, pls_device_open(context, &options, &device));
    return device;
}

static pls_view new_view(pls_device *device, pls_dtype dtype, int64_t rows, int64_t cols) {
    pls_view view = {NULL, 0, rows, cols, cols, dtype};
    SUPPORT_EXPECT_OK(
        device->context,
        pls_buffer_allocate(device, rows * cols * pls_dtype_size(dtype) + 8, &view.buffer));
    return view;
}

/* ---- the table --------------------------------------------------------------------------------
 */

typedef struct tally {
    int cases, suspect, failed;
} tally;

static void check_case(pls_device *device, operation_case given, void *user) {
    tally *result = user;
    trial t;
    bool ok = trial_open(&t, device, given) && trial_run(&t);
    result->cases++;
    result->failed += !ok;
    if (!ok && result->failed <= 20) {
        cr_log_error("%s", t.message);
    } else if (ok && t.residual > given.operation->ok_limit) {
        result->suspect++;
        cr_log_warn("suspect: %s %s %lld %lld %lld #%d: residual %g", given.operation->name,
                    pls_dtype_name(given.dtype), (long long)given.m, (long long)given.n,
                    (long long)given.p, given.variant, t.residual);
    }
    trial_close(&t);
}

Test(operations, agree_with_naive_references) {
    pls_context *context = support_context(NULL);
    pls_device *device = open_device(context, 0);
    tally result = {0, 0, 0};
    operations_each_case(device, check_case, &result);
    cr_log_info("%d cases, %d suspect, %d failed", result.cases, result.suspect, result.failed);
    cr_assert_gt(result.cases, 1000);
    cr_assert_eq(result.failed, 0, "%d of %d cases failed", result.failed, result.cases);
    cr_assert_eq(result.suspect, 0, "%d of %d cases are suspect", result.suspect, result.cases);
    pls_device_close(device);
    pls_context_destroy(context);
}

/* ---- bits that do not depend on threads -------------------------------------------------------
 */

enum { OTHER_DEVICES = 3 };

static void compare_case(pls_device *device, operation_case given, void *user) {
    pls_device **others = user;
    trial one;
    cr_assert(trial_open(&one, device, given) && given.operation->call(&one) == PLS_OK);
    for (int i = 0; i < OTHER_DEVICES; i++) {
        trial other;
        cr_assert(trial_open(&other, others[i], given) && given.operation->call(&other) == PLS_OK);
        for (int index = 0; index < one.count; index++) {
            operand *a = &one.operands[index], *b = &other.operands[index];
            pls_view whole = {a->buffer, 0, 1, a->raw_bytes / 4, a->raw_bytes / 4, PLS_F32};
            cr_assert_eq(pls_download(device, whole, a->raw_after, whole.ld), PLS_OK);
            whole.buffer = b->buffer;
            cr_assert_eq(pls_download(others[i], whole, b->raw_after, whole.ld), PLS_OK);
            cr_assert_eq(memcmp(a->raw_after, b->raw_after, (size_t)a->raw_bytes), 0,
                         "%s: %s differs between 1 and another number of threads",
                         given.operation->name, a->name);
        }
        trial_close(&other);
    }
    trial_close(&one);
}

Test(operations, give_the_same_bits_with_any_number_of_threads) {
    static const int threads[OTHER_DEVICES] = {2, 3, 5};
    static const operation_case large[] = {{.m = 700, .n = 530, .p = 300},
                                           {.m = 16, .n = 2048, .p = 333},
                                           {.m = 1100, .n = 1100, .p = 50}};
    pls_context *context = support_context(NULL);
    pls_device *device = open_device(context, 1), *others[OTHER_DEVICES];
    for (int i = 0; i < OTHER_DEVICES; i++) {
        others[i] = open_device(context, threads[i]);
    }
    operations_each_case(device, compare_case, others);
    for (int index = 0; index < operation_count; index++) {
        const char *name = operations[index].name;
        bool dense = strcmp(name, "gemm") == 0 || strcmp(name, "syrk") == 0 ||
                     strcmp(name, "gram") == 0 || strcmp(name, "potrf") == 0;
        for (int s = 0; dense && s < 3; s++) {
            operation_case given = large[s];
            given.operation = &operations[index];
            given.dtype = operations[index].f64_only ? PLS_F64 : PLS_F32;
            compare_case(device, given, others);
        }
    }
    for (int i = 0; i < OTHER_DEVICES; i++) {
        pls_device_close(others[i]);
    }
    pls_device_close(device);
    pls_context_destroy(context);
}

/* The Gram matrix of float32 data is that of the same numbers in float64, bit for bit. */
Test(operations, gram_of_both_precisions_is_the_same) {
    enum { N = 150, P = 4500 };
    pls_context *context = support_context(NULL);
    pls_device *device = open_device(context, 2);
    pls_random_stream stream = {1, PLS_RANDOM_TEST, 0};
    pls_view single = new_view(device, PLS_F32, N, P), dual = new_view(device, PLS_F64, N, P + 3);
    pls_view c[2] = {new_view(device, PLS_F64, N, N), new_view(device, PLS_F64, N, N)};
    pls_view workspace =
        new_view(device, PLS_F64, 1, pls_gram_workspace(PLS_GRAM_F64, PLS_F32, N, 0, P));
    dual = pls_view_cols(dual, 0, P);
    pls_random_normal(device, stream, 0, 1.0, single);
    pls_copy(device, single, dual);
    for (int i = 0; i < 2; i++) {
        pls_fill(device, 0.0, c[i]);
        SUPPORT_EXPECT_OK(context,
                          pls_gram(device, PLS_GRAM_F64, i == 0 ? single : dual, pls_no_view(), 0.0,
                                   c[i], i == 0 ? workspace : pls_no_view()));
    }
    static double first[N * N], second[N * N];
    pls_download(device, c[0], first, N);
    pls_download(device, c[1], second, N);
    cr_assert_eq(memcmp(first, second, sizeof first), 0);
    pls_view all[] = {single, dual, c[0], c[1], workspace};
    for (int i = 0; i < 5; i++) {
        pls_buffer_release(device, all[i].buffer);
    }
    pls_device_close(device);
    pls_context_destroy(context);
}

/* ---- derivatives against finite differences ---------------------------------------------------
 */

/* phi or a derivative of it at the points z, from the device. */
static void values_at(pls_device *device, pls_activation phi, int order, pls_view z, pls_view out) {
    pls_fill(device, 1.0, out);
    SUPPORT_EXPECT_OK(device->context,
                      order == 0 ? pls_bias_activation(device, phi, 0.0, pls_no_view(), z, out)
                                 : pls_activation_derivative(device, phi, order, 1, z, out));
}

Test(operations, derivatives_are_those_of_the_activation) {
    enum { N = 101 };
    const double h = 1e-5;
    pls_context *context = support_context(NULL);
    pls_device *device = open_device(context, 1);
    pls_view z = new_view(device, PLS_F64, 1, N), out = new_view(device, PLS_F64, 1, N);
    for (int phi = 0; phi < PLS_ACTIVATION_COUNT; phi++) {
        for (int order = 1; order <= 2; order++) {
            double points[N], moved[N], value[3][N];
            for (int side = 0; side < 3; side++) {
                for (int i = 0; i < N; i++) {
                    points[i] = -5.05 + 0.1013 * i;
                    moved[i] = points[i] + (side - 1) * h;
                }
                pls_upload(device, moved, N, z);
                values_at(device, (pls_activation)phi, side == 1 ? order : order - 1, z, out);
                pls_download(device, out, value[side], N);
            }
            for (int i = 0; i < N; i++) {
                double difference = (value[2][i] - value[0][i]) / (2.0 * h);
                cr_assert_lt(fabs(difference - value[1][i]), 1e-9, "%s, order %d, z = %g: %g %g",
                             pls_activation_name((pls_activation)phi), order, points[i],
                             value[1][i], difference);
            }
        }
    }
    pls_buffer_release(device, z.buffer);
    pls_buffer_release(device, out.buffer);
    pls_device_close(device);
    pls_context_destroy(context);
}

/* ---- invalid arguments ------------------------------------------------------------------------
 */

enum { POOL = 4096 };

/* A view of the pool: every call of this test works inside one buffer, which must not change. */
static pls_view pool_view(pls_buffer *buffer, pls_dtype dtype, int64_t offset, int64_t rows,
                          int64_t cols, int64_t ld) {
    pls_view view = {buffer, offset, rows, cols, ld, dtype};
    return view;
}

#define REFUSED(part, call) SUPPORT_EXPECT_ERROR(context, call, PLS_ERROR_ARGUMENT, part)

/* Bad views of every kind, through one wrapper. */
static void refuse_bad_views(pls_device *d, pls_view a) {
    pls_context *context = d->context;
    pls_view bad = a;
    REFUSED("fill: dst: no view", pls_fill(d, 1.0, pls_no_view()));
    bad.offset = -1;
    REFUSED("fill: dst: offset -1", pls_fill(d, 1.0, bad));
    bad = a, bad.rows = -1;
    REFUSED("rows -1", pls_fill(d, 1.0, bad));
    bad = a, bad.ld = a.cols - 1;
    REFUSED("ld 3 is less than its 4 columns", pls_fill(d, 1.0, bad));
    bad = a, bad.offset = POOL;
    REFUSED("end outside their buffer", pls_fill(d, 1.0, bad));
    bad = a, bad.rows = INT64_MAX / 2;
    REFUSED("end outside their buffer", pls_fill(d, 1.0, bad));
    bad = a, bad.ld = INT64_MAX / 2;
    REFUSED("end outside their buffer", pls_fill(d, 1.0, bad));
    bad = a, bad.dtype = (pls_dtype)7;
    REFUSED("dtype is 7", pls_fill(d, 1.0, bad));
}

static void refuse_bad_products(pls_device *d, pls_view a, pls_view b, pls_view c) {
    pls_context *context = d->context;
    pls_view wide = c, single = b, rows = pls_view_rows(c, 0, 3);
    wide.cols = 3;
    single.dtype = PLS_F32;
    REFUSED("gemm: c: it is 4 x 3 where 4 x 4", pls_gemm(d, 0, 0, 1, a, b, 0, wide));
    REFUSED("gemm: b: it is f32", pls_gemm(d, 0, 0, 1, a, single, 0, c));
    REFUSED("gemm: c: it overlaps a", pls_gemm(d, 0, 0, 1, a, b, 0, a));
    REFUSED("gemm: c: it overlaps b", pls_gemm(d, 0, 0, 1, a, b, 0, b));
    REFUSED("gemm: ta", pls_gemm(d, (pls_transpose)5, 0, 1, a, b, 0, c));
    REFUSED("gemm: b: it is 3 x 4", pls_gemm(d, 0, 0, 1, a, pls_view_rows(b, 0, 3), 0, c));
    REFUSED("count", pls_gemm_batched(d, 0, 0, 1, a, 0, b, 0, 0, c, 16, -1));
    REFUSED("overlap", pls_gemm_batched(d, 0, 0, 1, a, 0, b, 0, 0, c, 3, 2));
    REFUSED("outside", pls_gemm_batched(d, 0, 0, 1, a, POOL, b, 0, 0, c, 16, 2));
    REFUSED("at least 0", pls_gemm_batched(d, 0, 0, 1, a, -1, b, 0, 0, c, 16, 2));
    REFUSED("overlaps a", pls_gemm_batched(d, 0, 0, 1, a, 0, b, 0, 0, a, 16, 2));
    REFUSED("syrk: c", pls_syrk(d, 1, a, 0, rows));
    REFUSED("syrk: c: it overlaps a", pls_syrk(d, 1, a, 0, a));
    REFUSED("gram: arithmetic: it is 2",
            pls_gram(d, (pls_gram_arithmetic)2, a, pls_no_view(), 0, c, pls_no_view()));
    REFUSED("gram: beta", pls_gram(d, PLS_GRAM_F64, a, pls_no_view(), 0.5, c, pls_no_view()));
    REFUSED("gram: c", pls_gram(d, PLS_GRAM_F64, a, pls_view_rows(b, 0, 2), 0, c, pls_no_view()));
    REFUSED("gram: c: it is f32", pls_gram(d, PLS_GRAM_F64, a, b, 0, single, pls_no_view()));
    REFUSED("workspace: no view",
            pls_gram(d, PLS_GRAM_F64, single, pls_no_view(), 0, c, pls_no_view()));
    REFUSED("workspace: it overlaps c", pls_gram(d, PLS_GRAM_F64, single, pls_no_view(), 0, c,
                                                 pool_view(c.buffer, PLS_F64, 210, 1, 16, 16)));
    REFUSED("symv: x", pls_symv(d, 1, a, pls_view_rows(b, 0, 1), 0, pls_view_cols(c, 0, 1)));
    REFUSED("symv: y: it overlaps x",
            pls_symv(d, 1, a, pls_view_cols(b, 0, 1), 0, pls_view_cols(b, 0, 1)));
}

static void refuse_bad_elementwise(pls_device *d, pls_view a, pls_view b, pls_view c) {
    pls_context *context = d->context;
    pls_view narrow = pls_view_cols(b, 0, 3), row = pls_view_rows(b, 0, 1);
    const int64_t indices[] = {0, 1, 2, 4};
    double host[16], seconds = 0.0;
    REFUSED("upload: host: it is NULL", pls_upload(d, NULL, 4, a));
    REFUSED("upload: host_ld", pls_upload(d, host, 3, a));
    REFUSED("download: host_ld", pls_download(d, a, host, 0));
    REFUSED("copy: dst", pls_copy(d, a, narrow));
    REFUSED("copy: dst: it overlaps src", pls_copy(d, a, a));
    REFUSED("axpby: y", pls_axpby(d, 1, a, 1, narrow));
    REFUSED("axpby: y: it overlaps x", pls_axpby(d, 1, a, 1, a));
    REFUSED("y: it is 4 x 3", pls_multiply_accumulate(d, 1, a, narrow, c));
    REFUSED("out: it overlaps y", pls_multiply_accumulate(d, 1, a, b, b));
    REFUSED("phi", pls_bias_activation(d, PLS_ACTIVATION_COUNT, 1, row, a, c));
    REFUSED("bias: it is 4 x 4", pls_bias_activation(d, PLS_TANH, 1, b, a, c));
    REFUSED("a: it overlaps z", pls_bias_activation(d, PLS_TANH, 1, row, a, a));
    REFUSED("order", pls_activation_derivative(d, PLS_TANH, 3, 1, a, b));
    REFUSED("repeat", pls_activation_derivative(d, PLS_TANH, 1, 0, a, b));
    REFUSED("d: it is 4 x 4 where 8 x 4", pls_activation_derivative(d, PLS_TANH, 1, 2, a, b));
    REFUSED("64 bits", pls_activation_derivative(d, PLS_TANH, 1, INT64_MAX, a, b));
    REFUSED("d: it is 4 x 4", pls_hadamard_accumulate(d, 1, a, 0, 2, b, c, false));
    REFUSED("k: it is 0", pls_hadamard_accumulate(d, 1, a, 0, 0, b, c, false));
    REFUSED("c: it overlaps d", pls_hadamard_accumulate(d, 1, a, 0, 1, b, b, true));
    REFUSED("square",
            pls_hadamard_accumulate(d, 1, pls_view_rows(a, 0, 2), 0, 1, pls_view_rows(b, 0, 2),
                                    pls_view_rows(c, 0, 2), true));
    REFUSED("h: it is 0", pls_position_accumulate(d, 1, a, 0, 1, 0, b, c, false));
    REFUSED("g: it is 4 x 4, not a multiple of h = 3",
            pls_position_accumulate(d, 1, a, 0, 1, 3, b, c, false));
    REFUSED("c: it is 4 x 4 where 2 x 2", pls_position_accumulate(d, 1, a, 0, 1, 2, b, c, false));
    REFUSED("d: it is 4 x 4 where 8 x 8", pls_position_accumulate(d, 1, a, 0, 2, 2, b, c, false));
    REFUSED("c: it overlaps g", pls_position_accumulate(d, 1, a, 0, 1, 1, b, a, false));
    REFUSED("rows: it is 4 x 4 where 4 x 16", pls_outer_rows(d, 1, 1, a, b, c));
    REFUSED("d: it is 4 x 4 where", pls_unit_rows(d, 3, a));
    REFUSED("square", pls_add_diagonal(d, 1, narrow));
    REFUSED("square", pls_symmetrize(d, narrow));
    REFUSED("rows: index 3 is 4", pls_gather_rows(d, a, indices, b));
    REFUSED("rows: it is NULL", pls_gather_rows(d, a, NULL, b));
    REFUSED("losses", pls_square_loss(d, a, b, c, row));
    REFUSED("residual: it overlaps f", pls_square_loss(d, a, b, a, pls_view_cols(c, 0, 1)));
    REFUSED("losses: it overlaps residual",
            pls_cross_entropy_loss(d, a, b, c, pls_view_cols(c, 0, 1)));
    REFUSED("v: it is 4 x 3", pls_softmax_product(d, a, b, narrow, c));
    REFUSED("out: it overlaps v", pls_softmax_product(d, a, b, c, c));
    REFUSED("event_record: event", pls_event_record(d, NULL));
    REFUSED("event_elapsed: first", pls_event_elapsed(d, NULL, NULL, &seconds));
    REFUSED("allocate: bytes", pls_buffer_allocate(d, 0, NULL));
}

static void refuse_bad_rest(pls_device *d, pls_view a, pls_view b, pls_view c) {
    pls_context *context = d->context;
    pls_view one = pls_view_cols(pls_view_rows(c, 0, 1), 0, 1), row = pls_view_rows(c, 0, 1);
    pls_view single = one;
    pls_random_stream stream = {0, 0, 0};
    pls_image image = {1, 2, 2}, hollow = {0, 2, 2};
    int64_t failed = -1;
    single.dtype = PLS_F32;
    REFUSED("out: it is 4 x 4", pls_sum(d, a, c));
    REFUSED("out: it is f32", pls_max_abs(d, a, single));
    REFUSED("out: it overlaps x", pls_sum(d, c, one));
    REFUSED("y: it is 1 x 4", pls_dot(d, a, row, pls_view_cols(pls_view_rows(c, 2, 1), 0, 1)));
    REFUSED("y: it is 1 x 4", pls_squared_distance(d, a, pls_view_rows(b, 0, 1), one));
    REFUSED("out: it is 1 x 1", pls_column_sum(d, 1, a, 0, one));
    REFUSED("first", pls_random_uniform(d, stream, -1, 0, 1, a));
    REFUSED("first", pls_random_normal(d, stream, -1, 1, a));
    REFUSED("failed_minor", pls_potrf(d, a, NULL));
    REFUSED("square", pls_potrf(d, row, &failed));
    cr_assert_eq(failed, -1);
    REFUSED("x: it is 1 x 4", pls_potrs(d, a, row));
    REFUSED("x: it overlaps l", pls_potrs(d, a, a));
    REFUSED("values", pls_syevd(d, true, a, one));
    REFUSED("values: it overlaps a", pls_syevd(d, true, a, pls_view_rows(a, 1, 1)));
    REFUSED("kernel: 2 is even", pls_im2col(d, image, 2, a, b));
    REFUSED("image.channels", pls_im2col(d, hollow, 3, a, b));
    REFUSED("dst: it is 4 x 4 where 16 x 9", pls_im2col(d, image, 3, a, b));
    REFUSED("src: it is 4 x 4 where 16 x 9", pls_col2im(d, image, 3, a, b));
    REFUSED("multiple of 3", pls_average_pool(d, image, 3, a, b));
    REFUSED("dst: it is 4 x 4 where 4 x 1", pls_average_pool(d, image, 2, a, b));
    REFUSED("src: it is 4 x 4 where 4 x 1", pls_average_pool_backward(d, image, 2, a, b));
}

Test(operations, refuse_invalid_arguments_and_leave_outputs_alone) {
    pls_context *context = support_context(NULL);
    pls_device *d = open_device(context, 2);
    pls_view all = new_view(d, PLS_F64, 1, POOL / 8);
    static double before[POOL / 8], after[POOL / 8];
    for (int i = 0; i < POOL / 8; i++) {
        before[i] = trial_number((uint64_t)i);
    }
    pls_upload(d, before, all.cols, all);
    pls_view a = pool_view(all.buffer, PLS_F64, 0, 4, 4, 4);
    pls_view b = pool_view(all.buffer, PLS_F64, 100, 4, 4, 5);
    pls_view c = pool_view(all.buffer, PLS_F64, 200, 4, 4, 6);
    refuse_bad_views(d, a);
    refuse_bad_products(d, a, b, c);
    refuse_bad_elementwise(d, a, b, c);
    refuse_bad_rest(d, a, b, c);
    pls_download(d, all, after, all.cols);
    cr_assert_eq(memcmp(before, after, sizeof before), 0);
    pls_buffer_release(d, all.buffer);
    pls_device_close(d);
    pls_context_destroy(context);
}

/* Two column blocks of one matrix do not overlap although they are interleaved in memory; one
 * element in common is an overlap. */
Test(operations, overlap_is_exact) {
    pls_context *context = support_context(NULL);
    pls_device *d = open_device(context, 1);
    pls_view all = new_view(d, PLS_F64, 20, 10);
    pls_fill(d, 1.0, all);
    SUPPORT_EXPECT_OK(context, pls_copy(d, pls_view_cols(all, 0, 5), pls_view_cols(all, 5, 5)));
    REFUSED("overlaps", pls_copy(d, pls_view_cols(all, 0, 5), pls_view_cols(all, 4, 5)));
    SUPPORT_EXPECT_OK(context, pls_copy(d, pls_view_rows(all, 0, 10), pls_view_rows(all, 10, 10)));
    REFUSED("overlaps", pls_copy(d, pls_view_rows(all, 0, 10), pls_view_rows(all, 9, 10)));
    /* other strides */
    pls_view comb = pool_view(all.buffer, PLS_F64, 3, 10, 1, 20);
    pls_view rows = pool_view(all.buffer, PLS_F64, 10, 1, 10, 10);
    pls_view other = pool_view(all.buffer, PLS_F64, 13, 9, 1, 20);
    SUPPORT_EXPECT_OK(context, pls_copy(d, pls_view_rows(comb, 0, 9), other));
    SUPPORT_EXPECT_OK(context, pls_copy(d, pls_view_reshape(rows, 1, 10),
                                        pool_view(all.buffer, PLS_F64, 40, 1, 10, 10)));
    REFUSED("overlaps",
            pls_copy(d, pls_view_rows(comb, 0, 1), pool_view(all.buffer, PLS_F64, 3, 1, 1, 1)));
    /* wrapped around the end of a row: a view whose rows run on into the next ones */
    REFUSED("overlaps", pls_copy(d, pool_view(all.buffer, PLS_F64, 8, 2, 4, 10),
                                 pool_view(all.buffer, PLS_F64, 11, 2, 4, 10)));
    /* f32 and f64 views of the same bytes */
    REFUSED("overlaps", pls_copy(d, pool_view(all.buffer, PLS_F32, 1, 1, 1, 1),
                                 pool_view(all.buffer, PLS_F64, 0, 1, 1, 1)));
    SUPPORT_EXPECT_OK(context, pls_copy(d, pool_view(all.buffer, PLS_F32, 2, 1, 1, 1),
                                        pool_view(all.buffer, PLS_F64, 0, 1, 1, 1)));
    pls_buffer_release(d, all.buffer);
    pls_device_close(d);
    pls_context_destroy(context);
}

Test(operations, empty_views_do_nothing) {
    pls_context *context = support_context(NULL);
    pls_device *d = open_device(context, 2);
    pls_view c = new_view(d, PLS_F64, 3, 3), none = pls_view_cols(c, 0, 0);
    pls_view flat = pls_view_rows(c, 0, 0), one = pls_view_rows(pls_view_cols(c, 0, 1), 0, 1);
    double before[9], after[9];
    int64_t failed = -1;
    pls_fill(d, 2.0, c);
    pls_download(d, c, before, 3);
    SUPPORT_EXPECT_OK(context, pls_fill(d, 1.0, none));
    SUPPORT_EXPECT_OK(context, pls_upload(d, NULL, 0, none));
    SUPPORT_EXPECT_OK(context, pls_gemm(d, 0, 0, 1, none, flat, 0, c));
    SUPPORT_EXPECT_OK(context, pls_gemm_batched(d, 0, 0, 1, none, 0, flat, 0, 0, c, 9, 0));
    SUPPORT_EXPECT_OK(context, pls_syrk(d, 1, none, 0, c));
    SUPPORT_EXPECT_OK(context, pls_gram(d, PLS_GRAM_F64, none, pls_no_view(), 0, c, pls_no_view()));
    SUPPORT_EXPECT_OK(context, pls_sum(d, none, one));
    SUPPORT_EXPECT_OK(context, pls_gather_rows(d, c, NULL, flat));
    SUPPORT_EXPECT_OK(context, pls_potrf(d, pls_view_rows(none, 0, 0), &failed));
    SUPPORT_EXPECT_OK(context, pls_potrs(d, c, none));
    cr_assert_eq(failed, 0);
    pls_download(d, c, after, 3);
    cr_assert_eq(memcmp(before, after, sizeof before), 0);
    pls_buffer_release(d, c.buffer);
    pls_device_close(d);
    pls_context_destroy(context);
}

/* ---- random numbers ---------------------------------------------------------------------------
 */

/* The known answers of Philox4x32-10 from the Random123 distribution (kat_vectors). */
Test(random, philox_gives_the_published_numbers) {
    static const uint32_t known[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
         0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1}};
    for (int i = 0; i < 3; i++) {
        const uint32_t *k = known[i];
        pls_random_stream stream = {k[4] | (uint64_t)k[5] << 32, k[3], k[2]};
        philox4x32_ctr_t w = pls_philox_block(stream, k[0] | (uint64_t)k[1] << 32);
        for (int j = 0; j < 4; j++) {
            cr_assert_eq(w.v[j], k[6 + j]);
        }
    }
}

Test(random, normals_have_the_right_moments) {
    enum { N = 1 << 20 };
    pls_context *context = support_context(NULL);
    pls_device *d = open_device(context, 2);
    pls_view x = new_view(d, PLS_F64, 1, N);
    pls_random_stream stream = {42, PLS_RANDOM_TEST, 1};
    double *values = malloc(N * sizeof *values), moment[5] = {0.0}, largest = 0.0;
    pls_random_normal(d, stream, 0, 1.0, x);
    pls_download(d, x, values, N);
    for (int i = 0; i < N; i++) {
        double power = 1.0;
        for (int m = 1; m <= 4; m++) {
            moment[m] += (power *= values[i]) / N;
        }
        largest = fmax(largest, fabs(values[i]));
    }
    /* five standard errors of each sample moment */
    cr_assert_lt(fabs(moment[1]), 5.0 * sqrt(1.0 / N));
    cr_assert_lt(fabs(moment[2] - 1.0), 5.0 * sqrt(2.0 / N));
    cr_assert_lt(fabs(moment[3]), 5.0 * sqrt(15.0 / N));
    cr_assert_lt(fabs(moment[4] - 3.0), 5.0 * sqrt(96.0 / N));
    cr_assert(largest > 4.3 && largest < 8.6, "%g", largest);
    pls_random_uniform(d, stream, 0, 0.0, 1.0, x);
    pls_download(d, x, values, N);
    for (int i = 0; i < N; i++) {
        cr_assert(values[i] >= 0.0 && values[i] < 1.0);
    }
    free(values);
    pls_buffer_release(d, x.buffer);
    pls_device_close(d);
    pls_context_destroy(context);
}

/* One fill, or the same elements in several views of other shapes. */
Test(random, fills_may_be_split) {
    enum { ROWS = 37, COLS = 511, N = ROWS * COLS };
    pls_context *context = support_context(NULL);
    pls_device *d = open_device(context, 3);
    pls_random_stream stream = {9, PLS_RANDOM_WEIGHTS, 3};
    static float whole[N], split[N];
    for (int normal = 0; normal < 2; normal++) {
        pls_view x = new_view(d, PLS_F32, ROWS, COLS);
        if (normal) {
            pls_random_normal(d, stream, 5, 0.3, x);
        } else {
            pls_random_uniform(d, stream, 5, -1.0, 1.0, x);
        }
        pls_download(d, x, whole, COLS);
        pls_fill(d, 0.0, x);
        static const int64_t cuts[] = {0, 1, 4, 1027, 1028, 9000, N};
        for (int i = 0; i < 6; i++) {
            int64_t count = cuts[i + 1] - cuts[i];
            pls_view part = pls_view_slice(x, cuts[i], 1, count);
            if (normal) {
                pls_random_normal(d, stream, 5 + cuts[i], 0.3, part);
            } else {
                pls_random_uniform(d, stream, 5 + cuts[i], -1.0, 1.0, part);
            }
        }
        pls_download(d, x, split, COLS);
        cr_assert_eq(memcmp(whole, split, sizeof whole), 0);
        pls_buffer_release(d, x.buffer);
    }
    pls_device_close(d);
    pls_context_destroy(context);
}

/* ---- transfers: more than a backend can stage at once ------------------------------------------
 */

/* There and back, between rows that lie apart in both places. */
static void transfer(pls_device *d, int64_t rows, int64_t cols) {
    int64_t ld = cols + 3;
    size_t bytes = (size_t)(rows * ld) * sizeof(double);
    double *sent = malloc(bytes), *back = malloc(bytes);
    pls_view x = new_view(d, PLS_F64, rows, ld);
    cr_assert(sent != NULL && back != NULL);
    for (int64_t e = 0; e < rows * ld; e++) {
        sent[e] = (double)e;
        back[e] = -1.0;
    }
    x = pls_view_cols(x, 1, cols);
    SUPPORT_EXPECT_OK(d->context, pls_upload(d, sent, ld, x));
    SUPPORT_EXPECT_OK(d->context, pls_download(d, x, back, ld));
    for (int64_t e = 0; e < rows * ld; e++) {
        double expected = e % ld < cols ? (double)e : -1.0;
        cr_assert_eq(back[e], expected, "%lld x %lld: element %lld came back as %g",
                     (long long)rows, (long long)cols, (long long)e, back[e]);
    }
    free(sent);
    free(back);
    pls_buffer_release(d, x.buffer);
}

Test(transfers, of_any_size_arrive_whole) {
    pls_context *context = support_context(NULL);
    pls_device *d = open_device(context, 1);
    transfer(d, 900, 4001);  /* several times some rows */
    transfer(d, 1, 2500001); /* parts of one row */
    transfer(d, 3, 1100003); /* parts of several rows */
    pls_device_close(d);
    pls_context_destroy(context);
}

/* Host memory may be changed as soon as an upload has returned, whatever is still queued. */
Test(transfers, queue_up) {
    enum { UPLOADS = 7, N = 1000 };
    pls_context *context = support_context(NULL);
    pls_device *d = open_device(context, 1);
    pls_view x = new_view(d, PLS_F64, UPLOADS, N);
    static double host[N], back[UPLOADS * N];
    for (int i = 0; i < UPLOADS; i++) {
        for (int j = 0; j < N; j++) {
            host[j] = i * N + j;
        }
        SUPPORT_EXPECT_OK(context, pls_upload(d, host, N, pls_view_rows(x, i, 1)));
    }
    SUPPORT_EXPECT_OK(context, pls_download(d, x, back, N));
    for (int e = 0; e < UPLOADS * N; e++) {
        cr_assert_eq(back[e], e, "element %d came back as %g", e, back[e]);
    }
    pls_buffer_release(d, x.buffer);
    pls_device_close(d);
    pls_context_destroy(context);
}

/* More indices than a backend may take at a time, no two parts of them alike. */
Test(transfers, of_many_indices_arrive_whole) {
    enum { ROWS = 40000, FROM = 997 };
    pls_context *context = support_context(NULL);
    pls_device *d = open_device(context, 1);
    pls_view src = new_view(d, PLS_F64, FROM, 1), dst = new_view(d, PLS_F64, ROWS, 1);
    static double values[FROM], back[ROWS];
    static int64_t rows[ROWS];
    for (int i = 0; i < FROM; i++) {
        values[i] = i;
    }
    for (int64_t i = 0; i < ROWS; i++) {
        rows[i] = i * i % FROM;
    }
    SUPPORT_EXPECT_OK(context, pls_upload(d, values, 1, src));
    SUPPORT_EXPECT_OK(context, pls_gather_rows(d, src, rows, dst));
    SUPPORT_EXPECT_OK(context, pls_download(d, dst, back, 1));
    for (int64_t i = 0; i < ROWS; i++) {
        cr_assert_eq(back[i], (double)(i * i % FROM), "row %lld", (long long)i);
    }
    pls_buffer_release(d, src.buffer);
    pls_buffer_release(d, dst.buffer);
    pls_device_close(d);
    pls_context_destroy(context);
}

/* ---- factorisations that fail -----------------------------------------------------------------
 */

/* The identity but for one element; what potrf says about it. */
static int64_t failed_minor_of(pls_device *d, int64_t n, int64_t row, int64_t col, double value) {
    pls_view a = new_view(d, PLS_F64, n, n);
    int64_t failed = -1;
    pls_fill(d, 0.0, a);
    pls_add_diagonal(d, 1.0, a);
    pls_fill(d, value, pls_view_cols(pls_view_rows(a, row, 1), col, 1));
    SUPPORT_EXPECT_OK(d->context, pls_potrf(d, a, &failed));
    pls_buffer_release(d, a.buffer);
    return failed;
}

Test(factor, reports_the_first_minor_that_fails) {
    pls_context *context = support_context(NULL);
    pls_device *d = open_device(context, 2);
    static const int64_t at[] = {0, 1, 63, 127, 128, 129, 255, 256, 299};
    for (int i = 0; i < 9; i++) {
        cr_assert_eq(failed_minor_of(d, 300, at[i], at[i], -1.0), at[i] + 1);
        cr_assert_eq(failed_minor_of(d, 300, at[i], at[i], 0.0), at[i] + 1);
        cr_assert_eq(failed_minor_of(d, 300, at[i], at[i], (double)NAN), at[i] + 1);
        cr_assert_eq(failed_minor_of(d, 300, at[i], at[i], (double)INFINITY), at[i] + 1);
        cr_assert_eq(failed_minor_of(d, 300, 299, at[i], (double)NAN), 300);
    }
    cr_assert_eq(failed_minor_of(d, 300, 299, 10, 0.5), 0);
    cr_assert_eq(failed_minor_of(d, 300, 200, 10, 1.0), 201); /* singular */
    pls_device_close(d);
    pls_context_destroy(context);
}

Test(factor, eigenvalues_of_what_is_not_finite_are_refused) {
    pls_context *context = support_context(NULL);
    pls_device *d = open_device(context, 1);
    pls_view a = new_view(d, PLS_F64, 5, 5), values = new_view(d, PLS_F64, 1, 5);
    pls_fill(d, 1.0, a);
    pls_fill(d, (double)NAN, pls_view_cols(pls_view_rows(a, 3, 1), 2, 1));
    SUPPORT_EXPECT_ERROR(context, pls_syevd(d, false, a, values), PLS_ERROR_NUMERIC, "(3, 2)");
    pls_buffer_release(d, a.buffer);
    pls_buffer_release(d, values.buffer);
    pls_device_close(d);
    pls_context_destroy(context);
}

/* Opens a device, factors and finds eigenvalues. */
static pls_status use_device(pls_context *context, void *user) {
    pls_device_options options = support_device(2);
    pls_device *d = NULL;
    pls_buffer *buffer = NULL;
    pls_event *event = NULL;
    int64_t failed = 0;
    pls_status status = PLS_OK;
    (void)user;
    PLS_TRY(context, pls_device_open(context, &options, &d));
    PLS_TRY(context, pls_buffer_allocate(d, 200 * 200 * 8, &buffer));
    PLS_TRY(context, pls_event_create(d, &event));
    pls_view a = {buffer, 0, 199, 199, 200, PLS_F64};
    pls_view values = pls_view_rows(a, 0, 1);
    values.offset = 199 * 200;
    PLS_TRY(context, pls_fill(d, 0.0, a));
    PLS_TRY(context, pls_add_diagonal(d, 2.0, a));
    PLS_TRY(context, pls_potrf(d, a, &failed));
    PLS_TRY(context, pls_syevd(d, true, a, values));
cleanup:
    if (d != NULL) {
        pls_event_destroy(d, event);
        pls_buffer_release(d, buffer);
    }
    pls_device_close(d);
    return status;
}

Test(factor, failing_allocations_are_reported_and_nothing_leaks) {
    support_fail_each_allocation(use_device, NULL);
}

/* ---- devices ----------------------------------------------------------------------------------
 */

static pls_status open_named(pls_context *context, const char *name, int threads) {
    pls_device_options options = {name, threads};
    pls_device *device = NULL;
    pls_status status = pls_device_open(context, &options, &device);
    pls_device_close(device);
    return status;
}

Test(device, opens_by_name) {
    pls_context *context = support_context(NULL);
    pls_device *device = NULL;
    int64_t available = 0, total = 0;
    REFUSED("unknown", open_named(context, "tpu", 0));
    REFUSED("unknown", open_named(context, "cuda:", 0));
    REFUSED("unknown", open_named(context, "cuda:1x", 0));
    REFUSED("unknown", open_named(context, "", 0));
    REFUSED("threads: -1", open_named(context, "cpu", -1));
    SUPPORT_EXPECT_OK(context, open_named(context, "auto", 0));
    SUPPORT_EXPECT_OK(context, pls_device_open(context, NULL, &device));
    cr_assert(strlen(pls_device_name(device)) > 0 && strlen(pls_device_description(device)) > 0);
    SUPPORT_EXPECT_OK(context, pls_device_memory(device, &available, &total));
    cr_assert(0 < available && available <= total, "%lld of %lld", (long long)available,
              (long long)total);
    REFUSED("memory", pls_device_memory(device, NULL, &total));
    pls_device_close(device);
    pls_context_destroy(context);
}

Test(device, measures_time) {
    pls_context *context = support_context(NULL);
    pls_device *d = open_device(context, 1);
    pls_event *first = NULL, *second = NULL;
    double seconds = -1.0;
    SUPPORT_EXPECT_OK(context, pls_event_create(d, &first));
    SUPPORT_EXPECT_OK(context, pls_event_create(d, &second));
    SUPPORT_EXPECT_OK(context, pls_event_record(d, first));
    SUPPORT_EXPECT_OK(context, pls_event_record(d, second));
    SUPPORT_EXPECT_OK(context, pls_event_elapsed(d, first, second, &seconds));
    cr_assert(seconds >= 0.0 && seconds < 10.0);
    pls_event_destroy(d, first);
    pls_event_destroy(d, second);
    pls_device_close(d);
    pls_context_destroy(context);
}
