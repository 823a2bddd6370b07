/* Dense networks against independent float64 values (tests/reference, by automatic
 * differentiation): outputs, loss, gradient, kernel, eigenvalues, PL ratio and a path of gradient
 * descent, in both precisions and by both ways to the kernel.
 *
 * Error of an array: largest difference over the largest magnitude of the reference. */
#include "data/safetensors.h"
#include "plstar/plstar.h"
#include "support.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LAYERS = 8 };

typedef struct network_case {
    char name[32];
    pls_dtype precision;
    pls_kernel_method method;
} network_case;

static const char *const names[] = {
    "mlp_bottleneck",   "mlp_nonlinear_output", "mlp_relu",     "mlp_sigmoid_3out_bias",
    "mlp_standard_erf", "mlp_swish_deep",       "mlp_tanh_1out"};
enum { NAMES = sizeof names / sizeof names[0] };

typedef struct fixture {
    pls_context *context;
    pls_device *device;
    pls_model model;
    pls_layer_spec layers[MAX_LAYERS];
    pls_dataset data;
    pls_system *system;
    pls_safetensors *reference;
    double tolerance;
} fixture;

static void check(const fixture *f, pls_status status) {
    cr_assert_eq(status, PLS_OK, "%s: %s\n%s", pls_status_sentence(status),
                 pls_error_text(f->context), pls_error_trace(f->context));
}

static pls_activation activation_named(const char *name) {
    for (int a = 0; a < PLS_ACTIVATION_COUNT; a++) {
        if (strcmp(name, pls_activation_name((pls_activation)a)) == 0) {
            return (pls_activation)a;
        }
    }
    cr_assert_fail("no activation is called %s", name);
    return PLS_IDENTITY;
}

static void read_model(fixture *f, const char *path) {
    json_t *root = json_load_file(path, 0, NULL);
    cr_assert_not_null(root);
    f->model = pls_model_defaults();
    f->model.input_rank = 1;
    f->model.input_shape[0] = json_integer_value(json_array_get(json_object_get(root, "input"), 0));
    f->model.parameterization =
        strcmp(json_string_value(json_object_get(root, "parameterization")), "ntk") == 0
            ? PLS_PARAMETERIZATION_NTK
            : PLS_PARAMETERIZATION_STANDARD;
    f->model.sigma_w = json_number_value(json_object_get(root, "sigma_w"));
    f->model.sigma_b = json_number_value(json_object_get(root, "sigma_b"));
    f->model.bias = json_is_true(json_object_get(root, "bias"));
    json_t *layers = json_object_get(root, "layers");
    f->model.layer_count = (int64_t)json_array_size(layers);
    for (int64_t l = 0; l < f->model.layer_count; l++) {
        json_t *layer = json_array_get(layers, (size_t)l);
        f->layers[l].type = PLS_LAYER_DENSE;
        f->layers[l].width = json_integer_value(json_object_get(layer, "width"));
        f->layers[l].activation =
            activation_named(json_string_value(json_object_get(layer, "activation")));
    }
    f->model.layers = f->layers;
    json_decref(root);
}

static double *read_array(const fixture *f, pls_safetensors *file, const char *name,
                          int64_t *count) {
    const pls_tensor *tensor = pls_safetensors_find(file, name);
    cr_assert_not_null(tensor, "no tensor %s", name);
    double *values = malloc((size_t)tensor->count * sizeof *values);
    check(f, pls_safetensors_read(file, tensor, 0, tensor->count, PLS_F64, values));
    *count = tensor->count;
    return values;
}

static void set_up(fixture *f, const network_case *c) {
    char path[512];
    int64_t count;
    memset(f, 0, sizeof *f);
    f->tolerance = c->precision == PLS_F64 ? 1e-12 : 1e-5;
    cr_assert_eq(pls_context_create(NULL, &f->context), PLS_OK);
    pls_device_options device = support_device(0);
    check(f, pls_device_open(f->context, &device, &f->device));
    snprintf(path, sizeof path, "%s/reference/%s/model.json", PLSTAR_TEST_FOLDER, c->name);
    read_model(f, path);
    snprintf(path, sizeof path, "%s/reference/%s/tensors.safetensors", PLSTAR_TEST_FOLDER, c->name);
    pls_safetensors *tensors = NULL;
    check(f, pls_safetensors_open(f->context, path, &tensors));
    double *inputs = read_array(f, tensors, "inputs", &count);
    int64_t samples = pls_safetensors_find(tensors, "inputs")->shape[0];
    double *targets = read_array(f, tensors, "targets", &count);
    check(f, pls_dataset_from_arrays(f->context, samples, f->model.input_shape[0], count / samples,
                                     inputs, targets, &f->data));
    free(inputs);
    free(targets);
    pls_safetensors_close(tensors);
    pls_network_options options = pls_network_options_defaults();
    options.precision = c->precision;
    check(f, pls_network_system_create(f->device, &f->model, &f->data, &options, &f->system));
    check(f, pls_system_load_weights(f->system, path, false));
    snprintf(path, sizeof path, "%s/reference/%s/reference.safetensors", PLSTAR_TEST_FOLDER,
             c->name);
    check(f, pls_safetensors_open(f->context, path, &f->reference));
}

static void tear_down(fixture *f) {
    pls_safetensors_close(f->reference);
    pls_system_destroy(f->system);
    pls_dataset_destroy(f->context, &f->data);
    pls_device_close(f->device);
    pls_context_destroy(f->context);
}

static void expect(const fixture *f, const char *name, const double *values, int64_t count) {
    int64_t expected_count;
    double *expected = read_array(f, f->reference, name, &expected_count);
    cr_assert_eq(count, expected_count);
    double largest = 0.0, worst = 0.0;
    for (int64_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs(expected[i]));
    }
    for (int64_t i = 0; i < count; i++) {
        double error = fabs(values[i] - expected[i]) / largest;
        worst = error > worst || isnan(error) ? error : worst;
    }
    cr_expect(worst <= f->tolerance, "%s: error %.2e, tolerance %.0e", name, worst, f->tolerance);
    free(expected);
}

static struct criterion_test_params all_cases(void) {
    static network_case cases[NAMES * 4];
    for (int i = 0; i < NAMES; i++) {
        for (int j = 0; j < 4; j++) {
            network_case *c = &cases[4 * i + j];
            snprintf(c->name, sizeof c->name, "%s", names[i]);
            c->precision = j < 2 ? PLS_F64 : PLS_F32;
            c->method = j % 2 == 0 ? PLS_KERNEL_STRUCTURED : PLS_KERNEL_EXPLICIT;
        }
    }
    return cr_make_param_array(network_case, cases, NAMES * 4);
}

ParameterizedTestParameters(reference, point_and_kernel) {
    return all_cases();
}

ParameterizedTest(network_case *c, reference, point_and_kernel) {
    fixture f;
    set_up(&f, c);
    int64_t n = pls_system_equations(f.system), p = pls_system_parameters(f.system);
    double *outputs = calloc((size_t)n, sizeof *outputs);
    double *gradient = calloc((size_t)p, sizeof *gradient);
    double *matrix = calloc((size_t)(n * n), sizeof *matrix);
    pls_point point;
    check(&f, pls_system_measure(f.system, PLS_LOSS_SQUARE, &point, outputs, gradient));
    expect(&f, "outputs", outputs, n);
    expect(&f, "loss", &point.loss, 1);
    expect(&f, "gradient", gradient, p);
    expect(&f, "pl_ratio", &point.pl_ratio, 1);

    pls_kernel_options options = pls_kernel_options_defaults();
    options.method = c->method;
    pls_kernel *kernel = NULL;
    check(&f, pls_kernel_create(f.system, &options, &kernel));
    check(&f, pls_kernel_compute(kernel));
    check(&f, pls_kernel_download(kernel, matrix));
    expect(&f, "kernel", matrix, n * n);
    pls_spectrum_options how = pls_spectrum_options_defaults();
    how.full = true;
    how.refine = PLS_REFINE_NEVER;
    pls_spectrum spectrum = {0};
    check(&f, pls_kernel_spectrum(kernel, &how, &spectrum));
    expect(&f, "eigenvalues", spectrum.eigenvalues, n);
    cr_expect(fabs(spectrum.lambda_min - spectrum.eigenvalues[0]) <= spectrum.floor);
    cr_expect(fabs(spectrum.lambda_max - spectrum.eigenvalues[n - 1]) <= spectrum.floor);
    int64_t count;
    double *eigenvalues = read_array(&f, f.reference, "eigenvalues", &count);
    cr_expect(spectrum.lambda_min_lower <= eigenvalues[0] &&
                  eigenvalues[0] <= spectrum.lambda_min_upper,
              "lambda_min %.17g is not in [%.17g, %.17g]", eigenvalues[0],
              spectrum.lambda_min_lower, spectrum.lambda_min_upper);
    free(eigenvalues);
    pls_spectrum_destroy(f.context, &spectrum);
    pls_kernel_destroy(kernel);
    free(matrix);
    free(gradient);
    free(outputs);
    tear_down(&f);
}

/* What an observer writes down. */
typedef struct path {
    double loss[21];
    double extremes[3][2];
} path;

static pls_status write_down(void *user, const pls_record *record, const pls_progress *progress) {
    path *p = user;
    (void)progress;
    if (record->step <= 20) {
        p->loss[record->step] = record->loss;
    }
    if (record->step % 10 == 0) {
        p->extremes[record->step / 10][0] = record->lambda_min;
        p->extremes[record->step / 10][1] = record->lambda_max;
    }
    return PLS_OK;
}

ParameterizedTestParameters(reference, gradient_descent) {
    return all_cases();
}

ParameterizedTest(network_case *c, reference, gradient_descent) {
    fixture f;
    set_up(&f, c);
    int64_t p = pls_system_parameters(f.system), one;
    double *step_size = read_array(&f, f.reference, "gd_step_size", &one);
    double *weights = calloc((size_t)p, sizeof *weights);
    path taken;
    pls_train_options options = pls_train_options_defaults();
    options.step_rule = PLS_STEP_FIXED;
    options.step_size = step_size[0];
    options.steps = 21; /* the reference's final weights are those after the loss of step 20 */
    options.kernel.method = c->method;
    options.spectrum.refine = PLS_REFINE_NEVER;
    options.observer = write_down;
    options.observer_user = &taken;
    pls_train_result result;
    check(&f, pls_train(f.system, &options, &result));
    cr_expect_eq(result.violations, 0);
    cr_expect_eq(result.measurements, 4);
    expect(&f, "gd_loss", taken.loss, 21);
    expect(&f, "gd_extreme_eigenvalues_at_0_10_20", taken.extremes[0], 6);
    check(&f, pls_system_get_weights(f.system, weights));
    expect(&f, "gd_final_weights", weights, p);
    pls_train_result_destroy(f.context, &result);
    free(step_size);
    free(weights);
    tear_down(&f);
}
