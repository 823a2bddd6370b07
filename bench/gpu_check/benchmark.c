/* The time of every operation at sizes that a GPU is bought for, against what it can do at all.
 *
 * Ceilings, in the same run: a large copy for bytes, the best square product for operations of
 * each precision. A case is bounded by the larger of its two times at these ceilings
 * (timing_bound()); its share is that bound over its median. Gram products say their share of both
 * GEMM rates beside that, counting only the half of c that is needed. */
#include "gpu_check.h"
#include "timing.h"

#include <stdio.h>
#include <string.h>

enum { GRAM_ROWS = 1024, QUICK_SIZE = 20 };

typedef struct measurement {
    const char *purpose; /* NULL: the operation says it */
    const char *operation;
    int variant;
    shape size;
} measurement;

/* Variants as in tests/operations/table.c: of gemm 2 is b transposed, 1 a transposed; of axpby and
 * column_sum 1 has a beta; of hadamard_accumulate 1 is the lower triangle. */
static const measurement measurements[] = {
    /* A layer: z = A WT, dF/dalpha = D W, gradient DT A. */
    {"forward", "gemm", 2, {2048, 16384, 3072}},
    {"forward", "gemm", 2, {2048, 16384, 16384}},
    {"forward", "gemm", 2, {256, 100000, 784}},
    {"forward", "gemm", 2, {16, 2048, 3072}},
    {"forward", "gemm", 2, {128, 2048, 2048}},
    {"backward", "gemm", 0, {2048, 16384, 16384}},
    {"backward", "gemm", 0, {2048, 3072, 16384}},
    {"backward", "gemm", 0, {640, 4096, 4096}},
    {"gradient", "gemm", 1, {16384, 16384, 2048}},
    {"gradient", "gemm", 1, {16384, 3072, 2048}},
    {NULL, "syrk", 0, {4096, 0, 16384}},
    {NULL, "gram", 0, {GRAM_ROWS, 0, 100000}},
    {NULL, "gram", 0, {GRAM_ROWS, 0, 300000}},
    {NULL, "gram", 0, {GRAM_ROWS, 0, 1000000}},
    {NULL, "gram", 0, {4096, 0, 16384}},
    {NULL, "gram", 2, {GRAM_ROWS, GRAM_ROWS, 100000}},
    {NULL, "gram_split", 0, {GRAM_ROWS, 0, 100000}},
    {NULL, "gram_split", 0, {GRAM_ROWS, 0, 300000}},
    {NULL, "gram_split", 0, {GRAM_ROWS, 0, 1000000}},
    {NULL, "gram_split", 0, {4096, 0, 16384}},
    {NULL, "gram_split", 2, {GRAM_ROWS, GRAM_ROWS, 100000}},
    {NULL, "copy", 0, {16384, 8192, 0}},
    {NULL, "copy", 1, {16384, 8192, 0}},
    {NULL, "fill", 0, {16384, 8192, 0}},
    {NULL, "gather_rows", 0, {4096, 16384, 16384}},
    {NULL, "axpby", 0, {16384, 8192, 0}},
    {NULL, "axpby", 1, {16384, 8192, 0}},
    {"tanh", "bias_activation", PLS_TANH, {16384, 8192, 0}},
    {"tanh, bias", "bias_activation", PLS_ACTIVATION_COUNT + PLS_TANH, {16384, 8192, 0}},
    {"gelu", "bias_activation", PLS_GELU, {16384, 8192, 0}},
    {"relu", "bias_activation", PLS_RELU, {16384, 8192, 0}},
    {"tanh'", "activation_derivative", PLS_TANH, {16384, 8192, 1}},
    {"tanh', 10 outputs", "activation_derivative", PLS_TANH, {2048, 8192, 10}},
    {"tanh''", "activation_derivative", PLS_ACTIVATION_COUNT + PLS_TANH, {16384, 8192, 1}},
    {"gelu'", "activation_derivative", PLS_GELU, {16384, 8192, 1}},
    {"relu'", "activation_derivative", PLS_RELU, {16384, 8192, 1}},
    {NULL, "hadamard_accumulate", 0, {8192, 8192, 1}},
    {NULL, "hadamard_accumulate", 1, {8192, 8192, 1}},
    {NULL, "hadamard_accumulate", 1, {820, 820, 10}},
    {NULL, "outer_rows", 0, {16, 4096, 1024}},
    {NULL, "symmetrize", 0, {16384, 0, 0}},
    {NULL, "square_loss", 0, {1048576, 10, 0}},
    {NULL, "cross_entropy_loss", 0, {1048576, 10, 0}},
    {NULL, "sum", 0, {16384, 8192, 0}},
    {NULL, "dot", 0, {16384, 8192, 0}},
    {NULL, "squared_distance", 0, {16384, 8192, 0}},
    {NULL, "max_abs", 0, {16384, 8192, 0}},
    {NULL, "column_sum", 0, {16384, 8192, 0}},
    {NULL, "random_uniform", 0, {16384, 8192, 0}},
    {NULL, "random_normal", 0, {16384, 8192, 0}},
    {NULL, "potrf", 0, {2048, 0, 0}},
    {NULL, "potrf", 0, {8192, 0, 0}},
    {NULL, "potrs", 0, {8192, 0, 1}},
    {NULL, "potrs", 0, {8192, 0, 64}},
    {NULL, "syevd", 0, {1024, 0, 0}},
    {NULL, "syevd", 0, {4096, 0, 0}},
    {NULL, "symv", 0, {16384, 0, 0}},
    {NULL, "im2col", 1, {256, 32, 32}},
    {NULL, "col2im", 1, {256, 32, 32}},
    {NULL, "average_pool", 0, {256, 64, 32}},
    {NULL, "average_pool_backward", 0, {256, 64, 32}},
};
enum { MEASUREMENTS = sizeof measurements / sizeof measurements[0] };

static int64_t at_most(int64_t size, int64_t limit) {
    return size < limit ? size : limit;
}

static bool is_gram(operation_case given) {
    return strncmp(given.operation->name, "gram", 4) == 0;
}

static operation_case case_of(const check_run *run, const measurement *m, pls_dtype dtype) {
    int64_t limit = run->options->quick ? QUICK_SIZE : INT64_MAX;
    operation_case given = {operation_named(m->operation),
                            dtype,
                            at_most(m->size.m, limit),
                            at_most(m->size.n, limit),
                            at_most(m->size.p, limit),
                            0,
                            m->variant};
    return given;
}

static json_t *describe_case(const check_run *run, const measurement *m, operation_case given) {
    json_t *entry = json_object();
    json_object_set_new(entry, "operation", json_string(m->operation));
    json_object_set_new(entry, "dtype", json_string(pls_dtype_name(given.dtype)));
    if (m->purpose != NULL) {
        json_object_set_new(entry, "purpose", json_string(m->purpose));
    }
    json_object_set_new(entry, "m", json_integer(given.m));
    json_object_set_new(entry, "n", json_integer(given.n));
    json_object_set_new(entry, "p", json_integer(given.p));
    json_object_set_new(entry, "variant", json_integer(given.variant));
    if (is_gram(given)) {
        pls_gram_arithmetic arithmetic =
            strcmp(m->operation, "gram_split") == 0 ? PLS_GRAM_SPLIT : PLS_GRAM_F64;
        json_object_set_new(
            entry, "arithmetic",
            json_string(run->device->backend->gram_description(arithmetic, given.dtype)));
    }
    return entry;
}

static void describe_timing(json_t *entry, operation_case given, const timing *taken,
                            const ceilings *ceiling) {
    bound found = timing_bound(given, taken, ceiling);
    json_object_set_new(entry, "median", json_number(taken->median));
    json_object_set_new(entry, "p10", json_number(taken->p10));
    json_object_set_new(entry, "p90", json_number(taken->p90));
    json_object_set_new(entry, "rounds", json_integer(taken->rounds));
    json_object_set_new(entry, "calls_a_round", json_integer(taken->calls));
    json_object_set_new(entry, "bytes", json_number(taken->bytes));
    json_object_set_new(entry, "flops", json_number(taken->flops));
    json_object_set_new(entry, "bound", json_string(found.name));
    json_object_set_new(entry, "share", json_number(found.share));
    if (is_gram(given)) {
        double rate = taken->flops / taken->median;
        json_object_set_new(entry, "share_of_gemm_f32", json_number(rate / ceiling->gemm[PLS_F32]));
        json_object_set_new(entry, "share_of_gemm_f64", json_number(rate / ceiling->gemm[PLS_F64]));
    }
    printf("%-22s %s %8lld %8lld %8lld #%-2d %11.1f us  %5.1f %% of %s\n", given.operation->name,
           pls_dtype_name(given.dtype), (long long)given.m, (long long)given.n, (long long)given.p,
           given.variant, 1e6 * taken->median, 100.0 * found.share, found.name);
}

/* A case that does not fit is said to be left out; any other error is a failed check. */
static void measure(check_run *run, const timing_plan *plan, const measurement *m, pls_dtype dtype,
                    const ceilings *ceiling) {
    char name[96];
    timing taken;
    operation_case given = case_of(run, m, dtype);
    pls_status status = time_case(run->device, given, plan, &taken);
    json_t *entry = describe_case(run, m, given);
    if (status == PLS_OK) {
        describe_timing(entry, given, &taken, ceiling);
    } else if (status == PLS_ERROR_MEMORY) {
        json_object_set_new(entry, "left_out", json_string(pls_error_text(run->context)));
        printf("%-22s %s left out: %s\n", m->operation, pls_dtype_name(dtype),
               pls_error_text(run->context));
    } else {
        snprintf(name, sizeof name, "%s %s %lld %lld %lld", m->operation, pls_dtype_name(dtype),
                 (long long)given.m, (long long)given.n, (long long)given.p);
        record_error(run, "benchmark", name);
    }
    json_array_append_new(run->timings, entry);
}

static bool find_ceilings(check_run *run, const timing_plan *plan, ceilings *found) {
    static const int64_t full[] = {4096, 8192}, quick[] = {64, 96};
    const int64_t *products = run->options->quick ? quick : full;
    int64_t copy = run->options->quick ? 128 : 16384;
    if (measure_ceilings(run->device, plan, copy, products, 2, found) != PLS_OK) {
        record_error(run, "benchmark", "ceilings");
        return false;
    }
    json_object_set_new(run->ceilings, "copy_bytes_per_second", json_number(found->copy));
    json_object_set_new(run->ceilings, "gemm_f32_flops_per_second",
                        json_number(found->gemm[PLS_F32]));
    json_object_set_new(run->ceilings, "gemm_f64_flops_per_second",
                        json_number(found->gemm[PLS_F64]));
    printf("copy %.1f GB/s, GEMM f32 %.1f Gflop/s, GEMM f64 %.1f Gflop/s\n", 1e-9 * found->copy,
           1e-9 * found->gemm[PLS_F32], 1e-9 * found->gemm[PLS_F64]);
    return true;
}

void check_benchmark(check_run *run) {
    timing_plan plan = run->options->quick ? timing_plan_quick() : timing_plan_defaults();
    ceilings ceiling;
    int failed = run->failed;
    if (!find_ceilings(run, &plan, &ceiling)) {
        return;
    }
    for (int i = 0; i < MEASUREMENTS; i++) {
        const measurement *m = &measurements[i];
        int first = operation_named(m->operation)->f64_only ? PLS_F64 : PLS_F32;
        for (int dtype = first; dtype <= PLS_F64; dtype++) {
            measure(run, &plan, m, (pls_dtype)dtype, &ceiling);
        }
    }
    char name[64];
    snprintf(name, sizeof name, "%d timings", (int)json_array_size(run->timings));
    if (run->failed == failed) {
        record_check(run, "benchmark", name, true, NULL, NULL);
    }
    printf("benchmark: %s, %d failed\n", name, run->failed - failed);
}
