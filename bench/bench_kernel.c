/* How fast is the structured tangent kernel, and how near to the machine?
 *
 *     bench_kernel [THREADS]
 *
 * For every shape: the time of forward pass, kernel and extreme eigenvalues (best and median of
 * several), the multiply-adds they must cost, and the share of the GEMM rate measured in the same
 * run: float32 for forward and backward products and for rows of a convolution's Jacobian, float64
 * for the Gram. Only the lower triangle of a Gram is counted. Then a product K v = J (JT v) of a
 * kernel that is not held, all in float64. */
#include "backend/arena.h"
#include "base/clock.h"
#include "plstar/plstar.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 6, REPEATS = 9 };

typedef struct shape {
    const char *name;
    int64_t samples;
    int input_rank;
    int64_t input[3];
    int64_t depth;
    pls_layer_spec layers[MAX_DEPTH];
} shape;

#define DENSE(n)                                                                                   \
    { .type = PLS_LAYER_DENSE, .width = (n), .activation = PLS_TANH }
#define LAST(n)                                                                                    \
    { .type = PLS_LAYER_DENSE, .width = (n) }
#define CONV(c)                                                                                    \
    { .type = PLS_LAYER_CONV, .channels = (c), .kernel = 3, .activation = PLS_TANH }

static const shape shapes[] = {
    {"dense [3072, 2048 x 3, 8], n = 16",
     16,
     1,
     {3072},
     4,
     {DENSE(2048), DENSE(2048), DENSE(2048), LAST(8)}},
    {"dense [784, 2048 x 3, 10], n = 64",
     64,
     1,
     {784},
     4,
     {DENSE(2048), DENSE(2048), DENSE(2048), LAST(10)}},
    {"dense [64, 4096 x 2, 10], n = 128", 128, 1, {64}, 3, {DENSE(4096), DENSE(4096), LAST(10)}},
    {"dense [784, 8192, 1], n = 2048", 2048, 1, {784}, 2, {DENSE(8192), LAST(1)}},
    {"dense [784, 16384, 1], n = 2048", 2048, 1, {784}, 2, {DENSE(16384), LAST(1)}},
    {"conv [28x28, 64 x 3, 10], n = 64",
     64,
     3,
     {1, 28, 28},
     5,
     {CONV(64), CONV(64), CONV(64), {.type = PLS_LAYER_FLATTEN}, LAST(10)}},
    {"conv [7x7, 512 x 2, 1], n = 64",
     64,
     3,
     {1, 7, 7},
     4,
     {CONV(512), CONV(512), {.type = PLS_LAYER_GLOBAL_AVERAGE_POOL}, LAST(1)}},
};

static void check(pls_context *context, pls_status status) {
    if (status != PLS_OK) {
        fprintf(stderr, "bench_kernel: %s\n%s", pls_error_text(context), pls_error_trace(context));
        exit(1);
    }
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Best rate of a square product in operations (multiply and add) a second. */
static double gemm_rate(pls_context *context, pls_device *device, pls_dtype dtype) {
    const int64_t m = 2048;
    pls_view v[3];
    pls_arena arena = pls_arena_measuring(device);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < 3; i++) {
            check(context, pls_arena_take(&arena, dtype, m, m, &v[i]));
        }
        if (pass == 0) {
            check(context, pls_arena_reserve(&arena, "the GEMM rate"));
        }
    }
    pls_random_stream stream = {1, PLS_RANDOM_TEST, 0};
    check(context, pls_random_normal(device, stream, 0, 1.0, v[0]));
    check(context, pls_random_normal(device, stream, 7, 1.0, v[1]));
    double best = INFINITY;
    for (int i = 0; i < REPEATS; i++) {
        double start = pls_clock();
        check(context, pls_gemm(device, PLS_PLAIN, PLS_TRANSPOSED, 1.0, v[0], v[1], 0.0, v[2]));
        check(context, pls_synchronize(device));
        best = fmin(best, pls_clock() - start);
    }
    pls_arena_destroy(&arena);
    return 2.0 * (double)(m * m * m) / best;
}

/* Operations in the data's precision (passes, and rows of the Jacobian where the kernel is made
 * from them) and of the Gram in float64. */
static void count(const shape *s, const pls_kernel *kernel, double *passes, double *gram) {
    double n = (double)s->samples, k = (double)s->layers[s->depth - 1].width;
    double channels = (double)s->input[0], positions = 1.0;
    int64_t part = 0;
    pls_kernel_way way;
    for (int i = 1; i < s->input_rank; i++) {
        positions *= (double)s->input[i];
    }
    *passes = *gram = 0.0;
    for (int64_t l = 0; l < s->depth; l++) {
        const pls_layer_spec *layer = &s->layers[l];
        bool dense = layer->type == PLS_LAYER_DENSE;
        if (!dense && layer->type != PLS_LAYER_CONV) {
            channels *= layer->type == PLS_LAYER_FLATTEN ? positions : 1.0;
            positions = 1.0;
            continue;
        }
        double window = dense ? 1.0 : (double)(layer->kernel * layer->kernel);
        double width = (double)(dense ? layer->width : layer->channels);
        double weights = width * channels * window, rows = 2.0 * n * k * positions * weights;
        *passes += 2.0 * n * weights * positions * (l > 0 ? 1.0 + k : 1.0);
        pls_kernel_way_of(kernel, part++, &way);
        double pairs = n * n / (double)(way.samples * way.samples); /* of blocks, whole and part */
        if (dense) {
            *gram += n * n * channels + n * k * n * k * width; /* half of 2 n^2 p */
        } else {
            *passes += way.by_rows ? rows : 0.0;
            double block = rows * (double)way.samples / n; /* to form a block's rows */
            *gram +=
                pairs * (way.by_rows ? way.rows_operations - block : way.structured_operations);
        }
        channels = width;
    }
}

typedef struct timing {
    double best, median;
} timing;

static timing summarize(double *seconds) {
    qsort(seconds, REPEATS, sizeof *seconds, ascending);
    timing t = {seconds[0], seconds[REPEATS / 2]};
    return t;
}

/* Operations of K v = J (JT v), all in float64: the gradient of every layer and the pass back to
 * it, and the forward tangent, which takes two products a layer behind the first. */
static double count_product(const shape *s) {
    double n = (double)s->samples, channels = (double)s->input[0], positions = 1.0, sum = 0.0;
    for (int i = 1; i < s->input_rank; i++) {
        positions *= (double)s->input[i];
    }
    for (int64_t l = 0; l < s->depth; l++) {
        const pls_layer_spec *layer = &s->layers[l];
        bool dense = layer->type == PLS_LAYER_DENSE;
        if (!dense && layer->type != PLS_LAYER_CONV) {
            channels *= layer->type == PLS_LAYER_FLATTEN ? positions : 1.0;
            positions = 1.0;
            continue;
        }
        double window = dense ? 1.0 : (double)(layer->kernel * layer->kernel);
        double width = (double)(dense ? layer->width : layer->channels);
        sum += (l > 0 ? 4.0 : 2.0) * 2.0 * n * positions * width * channels * window;
        channels = width;
    }
    return sum;
}

/* One product with the kernel, without it. */
static timing time_products(pls_context *context, pls_system *system) {
    pls_kernel_options options = pls_kernel_options_defaults();
    pls_kernel *kernel = NULL;
    double seconds[REPEATS];
    options.method = PLS_KERNEL_MATRIX_FREE;
    check(context, pls_kernel_create(system, &options, &kernel));
    check(context, pls_kernel_compute(kernel));
    int64_t size = pls_kernel_size(kernel);
    double *v = calloc((size_t)size, sizeof *v), *product = calloc((size_t)size, sizeof *v);
    for (int64_t i = 0; i < size; i++) {
        v[i] = sin((double)i);
    }
    for (int i = 0; i < REPEATS; i++) {
        double start = pls_clock();
        check(context, pls_kernel_product(kernel, v, product));
        seconds[i] = pls_clock() - start;
    }
    free(product);
    free(v);
    pls_kernel_destroy(kernel);
    return summarize(seconds);
}

static void run(pls_context *context, pls_device *device, const shape *s, double rate32,
                double rate64) {
    pls_model model = pls_model_defaults();
    int64_t dimension = 1;
    model.input_rank = s->input_rank;
    for (int i = 0; i < s->input_rank; i++) {
        model.input_shape[i] = s->input[i];
        dimension *= s->input[i];
    }
    model.layer_count = s->depth;
    model.layers = s->layers;
    pls_data_options how = pls_data_options_defaults();
    how.source = "sphere";
    how.samples = s->samples;
    how.dimension = dimension;
    how.outputs = s->layers[s->depth - 1].width;
    pls_dataset data = {0};
    pls_system *system = NULL;
    pls_kernel *kernel = NULL;
    pls_point point;
    check(context, pls_dataset_load(context, &how, &data));
    check(context, pls_network_system_create(device, &model, &data, NULL, &system));
    double start = pls_clock();
    check(context, pls_system_initialize(system));
    double seconds_init = pls_clock() - start;
    check(context, pls_kernel_create(system, NULL, &kernel));
    check(context, pls_system_measure(system, PLS_LOSS_SQUARE, &point, NULL, NULL));
    double *weights = calloc((size_t)pls_system_parameters(system), sizeof *weights);
    check(context, pls_system_get_weights(system, weights));
    double whole[REPEATS], extremes[REPEATS];
    for (int i = 0; i < REPEATS; i++) {
        pls_spectrum_options options = pls_spectrum_options_defaults();
        pls_spectrum spectrum = {0};
        check(context, pls_system_set_weights(system, weights)); /* forget the forward pass */
        start = pls_clock();
        check(context, pls_kernel_compute(kernel));
        check(context, pls_synchronize(device));
        whole[i] = pls_clock() - start;
        options.floor_samples = 0;
        options.refine = PLS_REFINE_NEVER;
        start = pls_clock();
        check(context, pls_kernel_spectrum(kernel, &options, &spectrum));
        extremes[i] = pls_clock() - start;
        pls_spectrum_destroy(context, &spectrum);
    }
    timing k = summarize(whole), e = summarize(extremes);
    double passes, gram;
    count(s, kernel, &passes, &gram);
    double floor = passes / rate32 + gram / rate64;
    printf("%-36s  N %5lld  init %.3f s  kernel %.4f s (median %.4f)  extremes %.4f s\n", s->name,
           (long long)pls_kernel_size(kernel), seconds_init, k.best, k.median, e.best);
    printf("%-36s  passes %.2f Gflop f32, Gram %.2f Gflop f64: at the GEMM rates %.4f s, share "
           "%.0f%%\n",
           "", passes * 1e-9, gram * 1e-9, floor, 100.0 * floor / k.best);
    timing product = time_products(context, system);
    double product_floor = count_product(s) / rate64;
    printf("%-36s  K v without K: %.4f s (median %.4f), %.2f Gflop f64: share %.0f%%\n", "",
           product.best, product.median, count_product(s) * 1e-9,
           100.0 * product_floor / product.best);
    free(weights);
    pls_kernel_destroy(kernel);
    pls_system_destroy(system);
    pls_dataset_destroy(context, &data);
}

int main(int argc, char **argv) {
    pls_context *context = NULL;
    pls_device *device = NULL;
    pls_device_options options = pls_device_options_defaults();
    options.name = "cpu";
    options.threads = argc > 1 ? atoi(argv[1]) : 0;
    setvbuf(stdout, NULL, _IOLBF, 0); /* a benchmark that is stopped has shown what it had */
    if (pls_context_create(NULL, &context) != PLS_OK) {
        return 1;
    }
    check(context, pls_device_open(context, &options, &device));
    double rate32 = gemm_rate(context, device, PLS_F32);
    double rate64 = gemm_rate(context, device, PLS_F64);
    printf("%s\nGEMM 2048^3: f32 %.1f Gflop/s, f64 %.1f Gflop/s\n\n",
           pls_device_description(device), rate32 * 1e-9, rate64 * 1e-9);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        run(context, device, &shapes[i], rate32, rate64);
    }
    pls_device_close(device);
    pls_context_destroy(context);
    return 0;
}
