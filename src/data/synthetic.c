/* Synthetic samples. Inputs: x_ij standard normal, element i d + j of the stream of inputs; on the
 * sphere x_i is scaled to norm sqrt(d). Targets are the normals i k + a of the stream of targets,
 * or come from a teacher of width m = 32, with U and V standard normal:
 *     f_a(x) = m^(-1/2) sum_j U_aj tanh(d^(-1/2) sum_l V_jl x_l)
 * Labels, where they are asked for, are uniform, or the largest output of the teacher. */
#include "data/source.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>

enum { DEFAULT_SAMPLES = 64, TEACHER_WIDTH = 32 };
enum { TENSOR_VALUES = 0, TENSOR_HIDDEN = 1, TENSOR_OUTPUT = 2 };

static void make_input(const pls_source *source, const pls_data_options *options, bool sphere,
                       int64_t row, double *input) {
    const pls_random_stream stream = {options->seed, PLS_RANDOM_INPUTS, 0};
    const int64_t d = source->dimension;
    double square = 0;
    for (int64_t j = 0; j < d; j++) {
        input[j] = pls_random_normal_at(stream, (uint64_t)(row * d + j));
        square += input[j] * input[j];
    }
    for (int64_t j = 0; sphere && j < d; j++) {
        /* A zero vector has no direction (probability 2^-53 at d = 1); take any. */
        input[j] = square > 0 ? input[j] * sqrt((double)d / square) : 1;
    }
}

typedef struct synthetic {
    pls_data_options options;
    bool sphere;
} synthetic;

static pls_status read_synthetic(pls_source *source, const pls_pick *picks, int64_t count,
                                 double *inputs) {
    const synthetic *state = source->state;
    for (int64_t i = 0; i < count; i++) {
        make_input(source, &state->options, state->sphere, picks[i].row,
                   inputs + picks[i].position * source->dimension);
    }
    return PLS_OK;
}

static void close_synthetic(pls_source *source) {
    pls_release(source->context, source->state);
}

static pls_status fill_normals(pls_context *context, pls_random_stream stream, int64_t rows,
                               int64_t columns, const char *what, double **values) {
    pls_status status = pls_allocate_matrix(context, rows, columns, sizeof **values, what, values);
    for (int64_t i = 0; status == PLS_OK && i < rows * columns; i++) {
        (*values)[i] = pls_random_normal_at(stream, (uint64_t)i);
    }
    return status;
}

/* *values: samples x k */
static pls_status teach(pls_source *source, const synthetic *state, int64_t k, double **values) {
    pls_context *context = source->context;
    const int64_t d = source->dimension, m = TEACHER_WIDTH;
    const uint64_t seed = state->options.seed;
    pls_status status = PLS_OK;
    double *hidden = NULL /* m x d */, *output = NULL /* k x m */, *input = NULL;
    double activation[TEACHER_WIDTH];
    PLS_TRY(context,
            fill_normals(context, (pls_random_stream){seed, PLS_RANDOM_TARGETS, TENSOR_HIDDEN}, m,
                         d, "the teacher", &hidden));
    PLS_TRY(context,
            fill_normals(context, (pls_random_stream){seed, PLS_RANDOM_TARGETS, TENSOR_OUTPUT}, k,
                         m, "the teacher", &output));
    PLS_TRY(context, pls_allocate(context, d, sizeof *input, "an input", &input));
    PLS_TRY(context,
            pls_allocate_matrix(context, source->samples, k, sizeof **values, "targets", values));
    for (int64_t i = 0; i < source->samples; i++) {
        make_input(source, &state->options, state->sphere, i, input);
        for (int64_t j = 0; j < m; j++) {
            double z = 0;
            for (int64_t l = 0; l < d; l++) {
                z += hidden[j * d + l] * input[l];
            }
            activation[j] = tanh(z / sqrt((double)d));
        }
        for (int64_t a = 0; a < k; a++) {
            double f = 0;
            for (int64_t j = 0; j < m; j++) {
                f += output[a * m + j] * activation[j];
            }
            (*values)[i * k + a] = f / sqrt((double)m);
        }
    }
cleanup:
    pls_release(context, hidden);
    pls_release(context, output);
    pls_release(context, input);
    return status;
}

/* The class of each sample, 0 .. class_count-1, or the label that the options give it. */
static pls_status make_labels(pls_source *source, const synthetic *state) {
    pls_context *context = source->context;
    const pls_data_options *options = &state->options;
    const pls_random_stream stream = {options->seed, PLS_RANDOM_TARGETS, TENSOR_VALUES};
    const int64_t c = source->class_count;
    pls_status status = PLS_OK;
    double *values = NULL;
    PLS_TRY(context,
            pls_allocate(context, source->samples, sizeof(int64_t), "labels", &source->labels));
    if (options->labels == PLS_LABELS_TEACHER) {
        PLS_TRY(context, teach(source, state, c, &values));
    }
    for (int64_t i = 0; i < source->samples; i++) {
        int64_t class = 0;
        if (values == NULL) {
            class = pls_random_integer_at(stream, (uint64_t)i, c);
        }
        for (int64_t a = 1; values != NULL && a < c; a++) {
            class = values[i * c + a] > values[i * c + class] ? a : class;
        }
        source->labels[i] = options->class_count > 0 ? options->classes[class] : class;
    }
cleanup:
    pls_release(context, values);
    return status;
}

static pls_status open_synthetic(pls_source *source, const pls_data_options *options, bool sphere) {
    pls_context *context = source->context;
    pls_status status = PLS_OK;
    synthetic *state = NULL;
    int64_t elements = 0;
    source->samples = options->samples > 0 ? options->samples : DEFAULT_SAMPLES;
    if (options->dimension < 1 || options->outputs < 1 || options->outputs > UINT32_MAX ||
        !pls_multiply(source->samples, options->dimension, &elements) ||
        !pls_multiply(source->samples, options->outputs, &elements)) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "data.dimension and data.outputs: %lld and %lld were asked for; both must "
                        "be at least 1 and 64 bits must count all numbers",
                        (long long)options->dimension, (long long)options->outputs);
    }
    PLS_TRY(context, pls_copy_string(context,
                                     sphere ? "random points on the sphere"
                                            : "random points of normal distribution",
                                     &source->noun));
    PLS_TRY(context, pls_allocate(context, 1, sizeof *state, "a synthetic source", &state));
    *state = (synthetic){*options, sphere};
    source->state = state;
    source->read = read_synthetic;
    source->close = close_synthetic;
    source->made_to_order = true;
    source->input_rank = 1;
    source->dimension = source->input_shape[0] = options->dimension;
    if (options->targets == PLS_TARGETS_ONE_HOT || options->targets == PLS_TARGETS_SIGNED) {
        const int64_t least = options->outputs > 2 ? options->outputs : 2;
        source->class_count = options->class_count > 0 ? options->class_count : least;
        PLS_TRY(context, make_labels(source, state));
    } else if (options->labels == PLS_LABELS_TEACHER) {
        source->outputs = options->outputs;
        PLS_TRY(context, teach(source, state, options->outputs, &source->targets));
    } else {
        const pls_random_stream stream = {options->seed, PLS_RANDOM_TARGETS, TENSOR_VALUES};
        source->outputs = options->outputs;
        PLS_TRY(context, fill_normals(context, stream, source->samples, options->outputs, "targets",
                                      &source->targets));
    }
cleanup:
    return status;
}

pls_status pls_open_sphere(pls_source *source, const pls_data_options *options,
                           const char *argument) {
    (void)argument;
    return open_synthetic(source, options, true);
}

pls_status pls_open_gaussian(pls_source *source, const pls_data_options *options,
                             const char *argument) {
    (void)argument;
    return open_synthetic(source, options, false);
}
