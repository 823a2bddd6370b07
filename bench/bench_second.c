/* What do products with Hessians cost, in units of a gradient?
 *
 *     bench_second [WIDTH [SAMPLES [THREADS]]]
 *
 * One float64 network [64, WIDTH, WIDTH, 4]: times, best of several, of a gradient, of H_L v, of
 * H_(i,a) v for one pair and for a batch of them, and of the norms ||H_(i,a)|| of 8 samples. */
#include "base/clock.h"
#include "second/hessian.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { REPEATS = 5, OUTPUTS = 4, BATCH = 8, NORM_SAMPLES = 8 };

typedef struct bench {
    pls_context *context;
    pls_device *device;
    pls_dataset data;
    pls_system *system;
    pls_arena arena;
    pls_view x, y; /* BATCH x P */
} bench;

static void check(const bench *b, pls_status status) {
    if (status != PLS_OK) {
        fprintf(stderr, "bench_second: %s\n%s", pls_error_text(b->context),
                pls_error_trace(b->context));
        exit(1);
    }
}

static void set_up(bench *b, int64_t width, int64_t samples, int threads) {
    const pls_layer_spec layers[] = {
        {.type = PLS_LAYER_DENSE, .width = width, .activation = PLS_TANH},
        {.type = PLS_LAYER_DENSE, .width = width, .activation = PLS_TANH},
        {.type = PLS_LAYER_DENSE, .width = OUTPUTS}};
    pls_model model = pls_model_defaults();
    pls_data_options data = pls_data_options_defaults();
    pls_network_options options = pls_network_options_defaults();
    pls_device_options device = pls_device_options_defaults();
    model.input_rank = 1;
    model.input_shape[0] = data.dimension = 64;
    model.layer_count = sizeof layers / sizeof layers[0];
    model.layers = layers;
    data.source = "sphere";
    data.samples = samples;
    data.outputs = OUTPUTS;
    options.precision = PLS_F64;
    device.name = "cpu";
    device.threads = threads;
    if (pls_context_create(NULL, &b->context) != PLS_OK) {
        exit(1);
    }
    check(b, pls_device_open(b->context, &device, &b->device));
    check(b, pls_dataset_load(b->context, &data, &b->data));
    check(b, pls_network_system_create(b->device, &model, &b->data, &options, &b->system));
    check(b, pls_system_initialize(b->system));
    b->arena = pls_arena_measuring(b->device);
    for (int pass = 0; pass < 2; pass++) {
        int64_t p = pls_system_parameters(b->system);
        check(b, pls_arena_take(&b->arena, PLS_F64, BATCH, p, &b->x));
        check(b, pls_arena_take(&b->arena, PLS_F64, BATCH, p, &b->y));
        if (pass == 0) {
            check(b, pls_arena_reserve(&b->arena, "directions"));
        }
    }
    pls_random_stream stream = {1, PLS_RANDOM_TEST, 0};
    check(b, pls_random_normal(b->device, stream, 0, 1.0, b->x));
}

static void tear_down(bench *b) {
    pls_arena_destroy(&b->arena);
    pls_system_destroy(b->system);
    pls_dataset_destroy(b->context, &b->data);
    pls_device_close(b->device);
    pls_context_destroy(b->context);
}

static pls_view column(pls_view rows) {
    return pls_view_reshape(pls_view_rows(rows, 0, 1), rows.cols, 1);
}

static double gradient_seconds(bench *b) {
    pls_point point;
    double best = INFINITY;
    for (int i = 0; i < REPEATS; i++) {
        double start = pls_clock();
        check(b, pls_system_measure(b->system, PLS_LOSS_SQUARE, &point, NULL, NULL));
        best = fmin(best, pls_clock() - start);
    }
    return best;
}

static double loss_seconds(bench *b) {
    pls_loss_curvature curvature;
    double best = INFINITY;
    check(b, pls_loss_curvature_open(b->system, PLS_LOSS_SQUARE, false, &curvature));
    for (int i = 0; i < REPEATS; i++) {
        double start = pls_clock();
        check(b, pls_loss_curvature_apply(&curvature, column(b->x), column(b->y)));
        check(b, pls_synchronize(b->device));
        best = fmin(best, pls_clock() - start);
    }
    pls_loss_curvature_close(&curvature);
    return best;
}

/* `pairs` products at once. */
static double output_seconds(bench *b, int64_t pairs) {
    const int64_t problems[BATCH] = {0, 1, 2, 3, 4, 5, 6, 7};
    pls_output_curvature curvature;
    double best = INFINITY;
    check(b, pls_output_curvature_open(b->system, NULL, 2, pairs, false, &curvature));
    for (int i = 0; i < REPEATS; i++) {
        double start = pls_clock();
        check(b, pls_output_curvature_apply(&curvature, problems, pls_view_rows(b->x, 0, pairs),
                                            pls_view_rows(b->y, 0, pairs)));
        check(b, pls_synchronize(b->device));
        best = fmin(best, pls_clock() - start);
    }
    pls_output_curvature_close(&curvature);
    return best;
}

static double norm_seconds(bench *b, int64_t *products) {
    pls_eigenvalue norms[NORM_SAMPLES * OUTPUTS];
    double start = pls_clock();
    check(b, pls_output_hessian_norms(b->system, NULL, NORM_SAMPLES, NULL, norms));
    double seconds = pls_clock() - start;
    *products = 0;
    for (int i = 0; i < NORM_SAMPLES * OUTPUTS; i++) {
        *products += norms[i].iterations;
    }
    return seconds;
}

static void show(const char *what, double seconds, double gradient) {
    printf("%-44s %10.3f ms  %8.2f gradients\n", what, 1e3 * seconds, seconds / gradient);
}

int main(int argc, char **argv) {
    int64_t width = argc > 1 ? atoll(argv[1]) : 256, samples = argc > 2 ? atoll(argv[2]) : 64;
    bench b = {0};
    int64_t products = 0;
    if (width < 1 || samples < NORM_SAMPLES) {
        fprintf(stderr, "bench_second: a width of at least 1 and at least %d samples, please\n",
                NORM_SAMPLES);
        return 2;
    }
    set_up(&b, width, samples, argc > 3 ? atoi(argv[3]) : 0);
    printf("%s\n[64, %lld, %lld, %d], n = %lld, P = %lld, float64\n\n",
           pls_device_description(b.device), (long long)width, (long long)width, OUTPUTS,
           (long long)samples, (long long)pls_system_parameters(b.system));
    double gradient = gradient_seconds(&b), norms = norm_seconds(&b, &products);
    show("gradient, all samples", gradient, gradient);
    show("H_L v", loss_seconds(&b), gradient);
    show("H_(i,a) v, one pair", output_seconds(&b, 1), gradient);
    show("H_(i,a) v, 8 pairs at once", output_seconds(&b, BATCH), gradient);
    show("||H_(i,a)||, 32 pairs", norms, gradient);
    printf("%-44s %10lld\n", "products that the norms took", (long long)products);
    show("a product of a norm, with its Lanczos step", norms / (double)products, gradient);
    tear_down(&b);
    return 0;
}
