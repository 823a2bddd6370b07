/* Every kind of layer with every activation, from one table: first and second derivatives of the
 * network against differences of F and of JT u in float64, transposes against one another, the
 * kernel by each way against rows of J. */
#include "support.h"
#include "system/system.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SAMPLES = 5, OUTPUTS = 2, MOST_LAYERS = 5 };

/* A chain around the layer in question; widths and channels are small and unequal. */
typedef struct chain {
    const char *name;
    int input_rank;
    int64_t input[3];
    int count;
    pls_layer_spec layers[MOST_LAYERS];
} chain;

#define DENSE(n)                                                                                   \
    { .type = PLS_LAYER_DENSE, .width = (n), .activation = PLS_SIN }
#define LAST                                                                                       \
    { .type = PLS_LAYER_DENSE, .width = OUTPUTS }
#define CONV(c, k)                                                                                 \
    { .type = PLS_LAYER_CONV, .channels = (c), .kernel = (k), .activation = PLS_SIN }
#define FLATTEN                                                                                    \
    { .type = PLS_LAYER_FLATTEN }

/* PLS_SIN stands for the activation in question. */
static const chain chains[] = {
    {"dense", 1, {4}, 3, {DENSE(5), DENSE(3), LAST}},
    {"non-linear output", 1, {4}, 2, {DENSE(5), DENSE(OUTPUTS)}},
    {"residual_dense",
     1,
     {4},
     4,
     {{.type = PLS_LAYER_RESIDUAL_DENSE, .width = 4, .activation = PLS_SIN},
      DENSE(5),
      {.type = PLS_LAYER_RESIDUAL_DENSE, .width = 5, .activation = PLS_SIN},
      LAST}},
    {"conv 1x1", 3, {2, 3, 2}, 4, {CONV(3, 1), CONV(2, 1), FLATTEN, LAST}},
    {"conv 3x3", 3, {2, 4, 3}, 4, {CONV(3, 3), CONV(4, 3), FLATTEN, LAST}},
    {"conv wider than the image", 3, {2, 3, 2}, 3, {CONV(3, 5), FLATTEN, LAST}},
    {"many channels, one pixel", 3, {9, 1, 1}, 4, {CONV(12, 3), CONV(10, 1), FLATTEN, LAST}},
    {"conv output", 3, {1, 2, 1}, 3, {CONV(4, 3), CONV(1, 3), FLATTEN}},
    {"residual_conv",
     3,
     {2, 3, 3},
     5,
     {{.type = PLS_LAYER_RESIDUAL_CONV, .channels = 2, .kernel = 3, .activation = PLS_SIN},
      CONV(4, 3),
      {.type = PLS_LAYER_RESIDUAL_CONV, .channels = 4, .kernel = 1, .activation = PLS_SIN},
      FLATTEN,
      LAST}},
    {"average_pool",
     3,
     {2, 4, 6},
     5,
     {{.type = PLS_LAYER_AVERAGE_POOL, .size = 1},
      CONV(3, 3),
      {.type = PLS_LAYER_AVERAGE_POOL, .size = 2},
      FLATTEN,
      LAST}},
    {"global_average_pool",
     3,
     {2, 3, 4},
     4,
     {CONV(4, 3), CONV(3, 3), {.type = PLS_LAYER_GLOBAL_AVERAGE_POOL}, LAST}},
};
enum { CHAINS = sizeof chains / sizeof *chains };

typedef struct layer_case {
    int chain;
    pls_activation activation;
    bool bias;
    pls_parameterization parameterization;
} layer_case;

static struct criterion_test_params all_cases(void) {
    static layer_case cases[CHAINS * PLS_ACTIVATION_COUNT];
    int count = 0;
    for (int i = 0; i < CHAINS; i++) {
        for (int phi = 0; phi < PLS_ACTIVATION_COUNT; phi++) {
            cases[count] = (layer_case){i, (pls_activation)phi, (i + phi) % 3 != 0,
                                        (i + phi / 3) % 2 == 0 ? PLS_PARAMETERIZATION_NTK
                                                               : PLS_PARAMETERIZATION_STANDARD};
            count++;
        }
    }
    return cr_make_param_array(layer_case, cases, (size_t)count);
}

/* ---- the system under test ---------------------------------------------------------------------
 */

typedef struct fixture {
    pls_context *context;
    pls_device *device;
    pls_dataset data;
    pls_system *system;
    pls_arena arena; /* everything that a call needs */
    pls_view f, u, v, each_v, g, each_g;
    int64_t p;
} fixture;

static void check(const fixture *f, pls_status status) {
    cr_assert_eq(status, PLS_OK, "%s\n%s", pls_error_text(f->context), pls_error_trace(f->context));
}

static void take(fixture *f) {
    pls_arena *arena = &f->arena;
    pls_dtype dtype = f->system->precision;
    check(f, pls_arena_take(arena, dtype, SAMPLES, OUTPUTS, &f->f));
    check(f, pls_arena_take(arena, dtype, SAMPLES, OUTPUTS, &f->u));
    check(f, pls_arena_take(arena, dtype, 1, f->p, &f->v));
    check(f, pls_arena_take(arena, dtype, SAMPLES, f->p, &f->each_v));
    check(f, pls_arena_take(arena, dtype, 1, f->p, &f->g));
    check(f, pls_arena_take(arena, dtype, SAMPLES, f->p, &f->each_g));
    if (arena->buffer == NULL) {
        const pls_system_kind *kind = f->system->kind;
        check(f, kind->pushforward(f->system, f->v, arena, f->f));
        check(f, kind->curvature(f->system, f->u, f->v, arena, f->g));
        check(f, kind->curvature(f->system, f->u, f->each_v, arena, f->each_g));
    }
}

static fixture set_up(const layer_case *c, pls_dtype precision) {
    fixture f = {.context = support_context(NULL)};
    const chain *shape = &chains[c->chain];
    pls_layer_spec layers[MOST_LAYERS];
    pls_model model = pls_model_defaults();
    pls_device_options device = support_device(0);
    pls_data_options data = pls_data_options_defaults();
    pls_network_options options = pls_network_options_defaults();
    model.input_rank = shape->input_rank;
    data.dimension = 1;
    for (int i = 0; i < shape->input_rank; i++) {
        model.input_shape[i] = shape->input[i];
        data.dimension *= shape->input[i];
    }
    for (int l = 0; l < shape->count; l++) {
        layers[l] = shape->layers[l];
        layers[l].activation = layers[l].activation == PLS_SIN ? c->activation : PLS_IDENTITY;
    }
    model.layers = layers;
    model.layer_count = shape->count;
    model.parameterization = c->parameterization;
    model.bias = c->bias;
    model.sigma_w = 1.4;
    model.sigma_b = c->bias ? 0.3 : 0.0;
    data.source = "gaussian";
    data.samples = SAMPLES;
    data.outputs = OUTPUTS;
    options.precision = precision;
    options.seed = 7;
    check(&f, pls_device_open(f.context, &device, &f.device));
    check(&f, pls_dataset_load(f.context, &data, &f.data));
    check(&f, pls_network_system_create(f.device, &model, &f.data, &options, &f.system));
    check(&f, pls_system_initialize(f.system));
    f.p = pls_system_parameters(f.system);
    f.arena = pls_arena_measuring(f.device);
    take(&f);
    check(&f, pls_arena_reserve(&f.arena, "the test"));
    take(&f);
    return f;
}

static void tear_down(fixture *f) {
    pls_arena_destroy(&f->arena);
    pls_system_destroy(f->system);
    pls_dataset_destroy(f->context, &f->data);
    pls_device_close(f->device);
    pls_context_destroy(f->context);
}

/* Numbers in [-1, 1) that differ from call to call by `which`. */
static double *numbers(int64_t count, uint64_t which) {
    double *made = malloc((size_t)count * sizeof *made);
    cr_assert_not_null(made);
    for (int64_t i = 0; i < count; i++) {
        made[i] = sin(12.9898 * (double)(i + 1) + 78.233 * (double)which) * 0.99;
    }
    return made;
}

static double *zeros(int64_t count) {
    double *made = calloc((size_t)count, sizeof *made);
    cr_assert_not_null(made);
    return made;
}

static double largest(const double *a, int64_t count) {
    double most = 0.0;
    for (int64_t i = 0; i < count; i++) {
        most = fmax(most, fabs(a[i]));
    }
    return most;
}

/* max |a - b| / max |b|, or max |a| where b is 0. */
static double error_of(const double *a, const double *b, int64_t count) {
    double worst = 0.0, scale = largest(b, count);
    for (int64_t i = 0; i < count; i++) {
        worst = fmax(worst, fabs(a[i] - b[i]));
        cr_assert(isfinite(a[i]), "not finite");
    }
    return scale > 0.0 ? worst / scale : worst;
}

static double inner(const double *a, const double *b, int64_t count) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* ---- what the system gives ----------------------------------------------------------------------
 */

static void move_to(fixture *f, const double *w, const double *v, double h) {
    double *moved = zeros(f->p);
    for (int64_t i = 0; i < f->p; i++) {
        moved[i] = w[i] + h * v[i];
    }
    check(f, pls_system_set_weights(f->system, moved));
    check(f, pls_system_evaluate(f->system, NULL, SAMPLES, f->f));
    free(moved);
}

static void outputs_at(fixture *f, const double *w, const double *v, double h, double *out) {
    move_to(f, w, v, h);
    check(f, pls_download_f64(f->device, f->f, out));
}

static void pullback_at(fixture *f, const double *w, const double *v, double h, double *out) {
    move_to(f, w, v, h);
    check(f, f->system->kind->pullback(f->system, f->u, f->g));
    check(f, pls_download_f64(f->device, f->g, out));
}

typedef void quantity(fixture *f, const double *w, const double *v, double h, double *out);

/* The derivative of a quantity along v by differences of fourth order; relu, which is a polynomial
 * almost everywhere, by small steps that stay on one side of its kinks. */
static void difference(fixture *f, quantity *of, bool kinked, const double *w, const double *v,
                       int64_t count, double *out) {
    double h = kinked ? 1e-6 : 4e-4;
    double *at = zeros(count);
    static const double weights[] = {1.0, -8.0, 8.0, -1.0};
    static const double places[] = {-2.0, -1.0, 1.0, 2.0};
    memset(out, 0, (size_t)count * sizeof *out);
    for (int i = 0; i < 4; i++) {
        of(f, w, v, places[i] * h, at);
        for (int64_t j = 0; j < count; j++) {
            out[j] += weights[i] * at[j] / (12.0 * h);
        }
    }
    free(at);
}

/* ---- tests -------------------------------------------------------------------------------------
 */

ParameterizedTestParameters(layers, derivatives_agree_with_differences) {
    return all_cases();
}

ParameterizedTest(layer_case *c, layers, derivatives_agree_with_differences) {
    fixture f = set_up(c, PLS_F64);
    const pls_system_kind *kind = f.system->kind;
    const char *name = chains[c->chain].name, *phi = pls_activation_name(c->activation);
    bool kinked = c->activation == PLS_RELU;
    int64_t n = SAMPLES * OUTPUTS;
    double tolerance = kinked ? 2e-8 : 2e-9;
    double *w = zeros(f.p), *v = numbers(f.p, 1), *u = numbers(n, 2);
    double *jv = zeros(n), *jtu = zeros(f.p), *hv = zeros(f.p), *expected = zeros(f.p + n);
    check(&f, pls_system_get_weights(f.system, w));
    check(&f, pls_upload_f64(f.device, u, f.u));
    check(&f, pls_upload_f64(f.device, v, f.v));
    move_to(&f, w, v, 0.0);
    check(&f, kind->pushforward(f.system, f.v, &f.arena, f.f));
    check(&f, pls_download_f64(f.device, f.f, jv));
    check(&f, kind->pullback(f.system, f.u, f.g));
    check(&f, pls_download_f64(f.device, f.g, jtu));
    check(&f, kind->curvature(f.system, f.u, f.v, &f.arena, f.g));
    check(&f, pls_download_f64(f.device, f.g, hv));
    double left = inner(u, jv, n), right = inner(jtu, v, f.p);
    cr_expect(fabs(left - right) <= 1e-13 * (double)f.p * largest(jtu, f.p),
              "%s, %s: <u, J v> = %.17g, <JT u, v> = %.17g", name, phi, left, right);
    difference(&f, outputs_at, kinked, w, v, n, expected);
    cr_expect_leq(error_of(jv, expected, n), tolerance, "%s, %s: J v is wrong by %.2e", name, phi,
                  error_of(jv, expected, n));
    difference(&f, pullback_at, kinked, w, v, f.p, expected);
    cr_expect_leq(error_of(hv, expected, f.p), tolerance, "%s, %s: H v is wrong by %.2e", name, phi,
                  error_of(hv, expected, f.p));
    free(expected), free(hv), free(jtu), free(jv), free(u), free(v), free(w);
    tear_down(&f);
}

ParameterizedTestParameters(layers, a_direction_for_each_sample) {
    return all_cases();
}

/* One direction a sample gives what the sample alone gives with that direction. */
ParameterizedTest(layer_case *c, layers, a_direction_for_each_sample) {
    fixture f = set_up(c, PLS_F64);
    const pls_system_kind *kind = f.system->kind;
    static const int64_t order[SAMPLES] = {3, 0, 3, 4, 1};
    double *v = numbers(SAMPLES * f.p, 3), *u = numbers(SAMPLES * OUTPUTS, 4);
    double *each = zeros(SAMPLES * f.p), *alone = zeros(f.p);
    check(&f, pls_upload_f64(f.device, u, f.u));
    check(&f, pls_upload_f64(f.device, v, f.each_v));
    check(&f, pls_system_evaluate(f.system, order, SAMPLES, f.f));
    check(&f, kind->curvature(f.system, f.u, f.each_v, &f.arena, f.each_g));
    check(&f, pls_download_f64(f.device, f.each_g, each));
    for (int64_t i = 0; i < SAMPLES; i++) {
        check(&f, pls_system_evaluate(f.system, order + i, 1, pls_view_rows(f.f, 0, 1)));
        check(&f, kind->curvature(f.system, pls_view_rows(f.u, i, 1), pls_view_rows(f.each_v, i, 1),
                                  &f.arena, f.g));
        check(&f, pls_download_f64(f.device, f.g, alone));
        cr_expect_leq(error_of(each + i * f.p, alone, f.p), 1e-13, "%s, %s: sample %d",
                      chains[c->chain].name, pls_activation_name(c->activation), (int)i);
    }
    free(alone), free(each), free(u), free(v);
    tear_down(&f);
}

static double *kernel_by(fixture *f, pls_kernel_method method, bool trace, int64_t *size) {
    pls_kernel_options options = pls_kernel_options_defaults();
    pls_kernel *kernel = NULL;
    options.method = method;
    options.trace = trace;
    check(f, pls_kernel_create(f->system, &options, &kernel));
    check(f, pls_kernel_compute(kernel));
    *size = pls_kernel_size(kernel);
    double *matrix = zeros(*size * *size);
    check(f, pls_kernel_download(kernel, matrix));
    pls_kernel_destroy(kernel);
    return matrix;
}

/* J JT from rows of J, summed over outputs for the trace kernel. */
static double *kernel_from_rows(fixture *f, bool trace) {
    int64_t n = SAMPLES * OUTPUTS, size = trace ? SAMPLES : n;
    int64_t length = trace ? f->p * OUTPUTS : f->p;
    double *rows = zeros(n * f->p), *matrix = zeros(size * size);
    check(f, pls_system_jacobian(f->system, 0, SAMPLES, rows));
    for (int64_t i = 0; i < size; i++) {
        for (int64_t j = 0; j < size; j++) {
            matrix[i * size + j] = inner(rows + i * length, rows + j * length, length);
        }
    }
    free(rows);
    return matrix;
}

ParameterizedTestParameters(layers, kernels_agree_with_rows) {
    return all_cases();
}

ParameterizedTest(layer_case *c, layers, kernels_agree_with_rows) {
    for (int precision = PLS_F32; precision <= PLS_F64; precision++) {
        fixture f = set_up(c, (pls_dtype)precision);
        double tolerance = precision == PLS_F32 ? 3e-6 : 1e-13;
        for (int trace = 0; trace < 2; trace++) {
            double *expected = kernel_from_rows(&f, trace == 1);
            for (int method = PLS_KERNEL_STRUCTURED; method <= PLS_KERNEL_EXPLICIT; method++) {
                int64_t size = 0;
                double *found = kernel_by(&f, (pls_kernel_method)method, trace == 1, &size);
                cr_expect_leq(error_of(found, expected, size * size), tolerance,
                              "%s, %s, trace %d, method %d: wrong by %.2e", chains[c->chain].name,
                              pls_activation_name(c->activation), trace, method,
                              error_of(found, expected, size * size));
                free(found);
            }
            free(expected);
        }
        tear_down(&f);
    }
}

/* K v without K. */
ParameterizedTestParameters(layers, products_agree_with_rows) {
    return all_cases();
}

ParameterizedTest(layer_case *c, layers, products_agree_with_rows) {
    for (int trial = 0; trial < 2; trial++) {
        pls_dtype precision = trial == 0 ? PLS_F64 : PLS_F32;
        fixture f = set_up(c, precision);
        pls_kernel_options options = pls_kernel_options_defaults();
        pls_kernel *kernel = NULL;
        options.method = PLS_KERNEL_MATRIX_FREE;
        check(&f, pls_kernel_create(f.system, &options, &kernel));
        check(&f, pls_kernel_compute(kernel));
        int64_t size = pls_kernel_size(kernel);
        double *rows = kernel_from_rows(&f, false), *v = zeros(size), *found = zeros(size),
               *expected = zeros(size);
        for (int64_t i = 0; i < size; i++) {
            v[i] = cos(1.7 * (double)i + 0.3);
        }
        for (int64_t i = 0; i < size; i++) {
            expected[i] = inner(rows + i * size, v, size);
        }
        check(&f, pls_kernel_product(kernel, v, found));
        cr_expect_leq(error_of(found, expected, size), precision == PLS_F64 ? 1e-12 : 1e-5,
                      "%s, %s: wrong by %.2e", chains[c->chain].name,
                      pls_activation_name(c->activation), error_of(found, expected, size));
        free(expected), free(found), free(v), free(rows);
        pls_kernel_destroy(kernel);
        tear_down(&f);
    }
}

/* Rows of J are the pullbacks of unit vectors. */
ParameterizedTestParameters(layers, rows_are_pullbacks) {
    return all_cases();
}

ParameterizedTest(layer_case *c, layers, rows_are_pullbacks) {
    fixture f = set_up(c, PLS_F64);
    int64_t n = SAMPLES * OUTPUTS;
    double *rows = zeros(n * f.p), *unit = zeros(n), *one = zeros(f.p);
    check(&f, pls_system_jacobian(f.system, 0, SAMPLES, rows));
    for (int64_t i = 0; i < n; i++) {
        unit[i] = 1.0;
        check(&f, pls_upload_f64(f.device, unit, f.u));
        check(&f, f.system->kind->pullback(f.system, f.u, f.g));
        check(&f, pls_download_f64(f.device, f.g, one));
        cr_expect_leq(error_of(rows + i * f.p, one, f.p), 1e-13, "%s, %s: row %d",
                      chains[c->chain].name, pls_activation_name(c->activation), (int)i);
        unit[i] = 0.0;
    }
    free(one), free(unit), free(rows);
    tear_down(&f);
}
