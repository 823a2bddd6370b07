/* How fast does the tangent kernel approach its limit as the width grows?
 *
 *     bench_infinite [SEEDS [LARGEST-WIDTH [DEVICE]]]
 *
 * Networks of two hidden layers of m units, for several activations, on the same inputs: the
 * relative distance ||K(w_0) - Theta||_F / ||Theta||_F of the kernel at random weights from the one
 * at infinite width. The theory says m^(-1/2). For each seed a line is fitted to log distance over
 * log width; the table shows the mean slope over seeds and its standard error. */
#include "plstar/plstar.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAMPLES = 16, INPUTS = 64, FIRST_WIDTH = 64, MOST_WIDTHS = 16, MOST_SEEDS = 64 };

static const pls_activation activations[] = {PLS_ERF, PLS_RELU, PLS_TANH, PLS_SOFTPLUS};

typedef struct study {
    pls_context *context;
    pls_device *device;
    pls_dataset data;
    int seeds, widths;
} study;

static void check(pls_context *context, pls_status status) {
    if (status != PLS_OK) {
        fprintf(stderr, "bench_infinite: %s\n%s", pls_error_text(context),
                pls_error_trace(context));
        exit(1);
    }
}

static int64_t width_at(int index) {
    return (int64_t)FIRST_WIDTH << index;
}

/* The distance at one width and seed. */
static double distance(const study *s, const pls_model *model, const pls_infinite_width *limit,
                       uint64_t seed) {
    pls_network_options options = pls_network_options_defaults();
    pls_system *system = NULL;
    pls_kernel *kernel = NULL;
    double matrix[SAMPLES * SAMPLES];
    options.seed = seed;
    check(s->context, pls_network_system_create(s->device, model, &s->data, &options, &system));
    check(s->context, pls_system_initialize(system));
    check(s->context, pls_kernel_create(system, NULL, &kernel));
    check(s->context, pls_kernel_compute(kernel));
    check(s->context, pls_kernel_download(kernel, matrix));
    pls_kernel_destroy(kernel);
    pls_system_destroy(system);
    return pls_infinite_width_distance(limit, 1, false, matrix);
}

/* Slope of the line fitted to log distance over log width by least squares. */
static double slope_of(const double *distances, int widths) {
    double mean_x = 0.0, mean_y = 0.0, above = 0.0, below = 0.0;
    for (int i = 0; i < widths; i++) {
        mean_x += log((double)width_at(i)) / widths;
        mean_y += log(distances[i]) / widths;
    }
    for (int i = 0; i < widths; i++) {
        double x = log((double)width_at(i)) - mean_x;
        above += x * (log(distances[i]) - mean_y);
        below += x * x;
    }
    return above / below;
}

/* Mean of count > 1 numbers, and the standard error of that mean. */
static double mean_of(const double *values, int count, double *standard_error) {
    double mean = 0.0, square = 0.0;
    for (int i = 0; i < count; i++) {
        mean += values[i] / count;
    }
    for (int i = 0; i < count; i++) {
        square += (values[i] - mean) * (values[i] - mean);
    }
    *standard_error = sqrt(square / (count - 1) / count);
    return mean;
}

/* One row of the table. */
static void run(const study *s, pls_activation phi) {
    double distances[MOST_SEEDS][MOST_WIDTHS], slopes[MOST_SEEDS], column[MOST_SEEDS], error;
    for (int w = 0; w < s->widths; w++) {
        pls_layer_spec hidden = {.type = PLS_LAYER_DENSE, .width = width_at(w), .activation = phi};
        pls_layer_spec output = {.type = PLS_LAYER_DENSE, .width = 1, .activation = PLS_IDENTITY};
        pls_layer_spec layers[] = {hidden, hidden, output};
        pls_model model = pls_model_defaults();
        pls_infinite_width limit = {0};
        model.input_rank = 1;
        model.input_shape[0] = INPUTS;
        model.layer_count = 3;
        model.layers = layers;
        check(s->context, pls_infinite_width_compute(s->device, &model, &s->data, 0.0, &limit));
        for (int seed = 0; seed < s->seeds; seed++) {
            distances[seed][w] = distance(s, &model, &limit, (uint64_t)seed);
            column[seed] = distances[seed][w];
        }
        pls_infinite_width_destroy(s->context, &limit);
        printf("%-9s %8lld  %.6f", pls_activation_name(phi), (long long)width_at(w),
               mean_of(column, s->seeds, &error));
        printf(" +- %.6f\n", error);
    }
    for (int seed = 0; seed < s->seeds; seed++) {
        slopes[seed] = slope_of(distances[seed], s->widths);
    }
    double mean = mean_of(slopes, s->seeds, &error);
    printf("%-9s    slope %.4f +- %.4f\n\n", pls_activation_name(phi), mean, error);
}

static int bounded(const char *text, int least, int most) {
    int number = atoi(text);
    return number < least ? least : number > most ? most : number;
}

int main(int argc, char **argv) {
    study s = {.seeds = argc > 1 ? bounded(argv[1], 2, MOST_SEEDS) : 10};
    int largest = argc > 2 ? bounded(argv[2], 2 * FIRST_WIDTH, 1 << 20) : 8192;
    pls_device_options device = pls_device_options_defaults();
    pls_data_options data = pls_data_options_defaults();
    setvbuf(stdout, NULL, _IOLBF, 0); /* a benchmark that is stopped has shown what it had */
    device.name = argc > 3 ? argv[3] : "cpu";
    data.source = "sphere";
    data.samples = SAMPLES;
    data.dimension = INPUTS;
    while (s.widths < MOST_WIDTHS && width_at(s.widths) <= largest) {
        s.widths++;
    }
    if (pls_context_create(NULL, &s.context) != PLS_OK) {
        return 1;
    }
    check(s.context, pls_device_open(s.context, &device, &s.device));
    check(s.context, pls_dataset_load(s.context, &data, &s.data));
    printf(
        "%s\n%d inputs on the sphere in %d dimensions, one output, two hidden layers, sigma_w 1, "
        "no biases, float32\nmean over %d seeds +- standard error of the mean\n\n"
        "phi          width  ||K - Theta|| / ||Theta||\n",
        pls_device_description(s.device), SAMPLES, INPUTS, s.seeds);
    for (size_t a = 0; a < sizeof activations / sizeof *activations; a++) {
        run(&s, activations[a]);
    }
    pls_dataset_destroy(s.context, &s.data);
    pls_device_close(s.device);
    pls_context_destroy(s.context);
    return 0;
}
