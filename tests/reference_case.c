/* Reading a reference network and comparing with it. */
#include "reference_case.h"

#include "base/memory.h"
#include "base/output.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

/* ---- reading ---------------------------------------------------------------------------------
 */

static pls_status refuse(pls_context *context, const char *path, const char *what) {
    return pls_fail(context, PLS_ERROR_DATA, "%s: %s", path, what);
}

static bool find_activation(const char *name, pls_activation *activation) {
    for (int a = 0; name != NULL && a < PLS_ACTIVATION_COUNT; a++) {
        if (strcmp(name, pls_activation_name((pls_activation)a)) == 0) {
            *activation = (pls_activation)a;
            return true;
        }
    }
    return false;
}

static bool find_type(const char *name, pls_layer_type *type) {
    for (int t = 0; name != NULL && t < PLS_LAYER_TYPE_COUNT; t++) {
        if (strcmp(name, pls_layer_type_name((pls_layer_type)t)) == 0) {
            *type = (pls_layer_type)t;
            return true;
        }
    }
    return false;
}

static pls_status read_layers(reference_case *r, const char *path, const json_t *layers) {
    r->model.layer_count = (int64_t)json_array_size(layers);
    r->model.layers = r->layers;
    if (r->model.layer_count < 1 || r->model.layer_count > REFERENCE_LAYERS) {
        return refuse(r->context, path, "from 1 to 8 layers were expected");
    }
    for (int64_t l = 0; l < r->model.layer_count; l++) {
        const json_t *layer = json_array_get(layers, (size_t)l);
        pls_layer_spec *spec = &r->layers[l];
        if (!find_type(json_string_value(json_object_get(layer, "type")), &spec->type)) {
            return refuse(r->context, path, "a layer has no type that is known");
        }
        spec->width = json_integer_value(json_object_get(layer, "width"));
        spec->channels = json_integer_value(json_object_get(layer, "channels"));
        spec->kernel = json_integer_value(json_object_get(layer, "kernel"));
        spec->size = json_integer_value(json_object_get(layer, "size"));
        const json_t *activation = json_object_get(layer, "activation");
        if (activation != NULL &&
            !find_activation(json_string_value(activation), &spec->activation)) {
            return refuse(r->context, path, "a layer has no activation that is known");
        }
    }
    return PLS_OK;
}

static pls_status read_model(reference_case *r, const char *path) {
    json_error_t fault;
    json_t *root = json_load_file(path, 0, &fault);
    if (root == NULL) {
        return refuse(r->context, path, fault.text);
    }
    const char *kind = json_string_value(json_object_get(root, "parameterization"));
    r->model = pls_model_defaults();
    const json_t *input = json_object_get(root, "input");
    r->model.input_rank = (int)json_array_size(input);
    for (int i = 0; i < r->model.input_rank && i < 3; i++) {
        r->model.input_shape[i] = json_integer_value(json_array_get(input, (size_t)i));
    }
    r->model.parameterization = kind != NULL && strcmp(kind, "standard") == 0
                                    ? PLS_PARAMETERIZATION_STANDARD
                                    : PLS_PARAMETERIZATION_NTK;
    r->model.sigma_w = json_number_value(json_object_get(root, "sigma_w"));
    r->model.sigma_b = json_number_value(json_object_get(root, "sigma_b"));
    r->model.bias = json_is_true(json_object_get(root, "bias"));
    pls_status status = read_layers(r, path, json_object_get(root, "layers"));
    json_decref(root);
    return status;
}

/* *values = a tensor, owned by the caller (pls_release). */
static pls_status read_array(reference_case *r, pls_safetensors *file, const char *name,
                             double **values, int64_t *count) {
    const pls_tensor *tensor = pls_safetensors_find(file, name);
    pls_status status = PLS_OK;
    *values = NULL;
    if (tensor == NULL) {
        return refuse(r->context, name, "there is no tensor of this name");
    }
    *count = tensor->count;
    PLS_TRY(r->context,
            pls_allocate(r->context, tensor->count, sizeof **values, "a tensor", values));
    PLS_TRY(r->context, pls_safetensors_read(file, tensor, 0, tensor->count, PLS_F64, *values));
cleanup:
    if (status != PLS_OK) {
        pls_release(r->context, *values);
        *values = NULL;
    }
    return status;
}

static pls_status read_data(reference_case *r, const char *path) {
    pls_status status = PLS_OK;
    pls_safetensors *file = NULL;
    double *inputs = NULL, *targets = NULL;
    int64_t input_count = 0, target_count = 0, width = 1;
    for (int i = 0; i < r->model.input_rank; i++) {
        width *= r->model.input_shape[i];
    }
    PLS_TRY(r->context, pls_safetensors_open(r->context, path, &file));
    PLS_TRY(r->context, read_array(r, file, "inputs", &inputs, &input_count));
    PLS_TRY(r->context, read_array(r, file, "targets", &targets, &target_count));
    int64_t samples = width > 0 ? input_count / width : 0;
    if (samples < 1 || input_count % width != 0 || target_count % samples != 0) {
        PLS_TRY(r->context, refuse(r->context, path, "inputs or targets do not fit the model"));
    }
    PLS_TRY(r->context, pls_dataset_from_arrays(r->context, samples, width, target_count / samples,
                                                inputs, targets, &r->data));
cleanup:
    pls_release(r->context, inputs);
    pls_release(r->context, targets);
    pls_safetensors_close(file);
    return status;
}

pls_status reference_open(pls_context *context, pls_device *device, const char *folder,
                          pls_dtype precision, reference_case *reference) {
    pls_status status = PLS_OK;
    char *model = NULL, *tensors = NULL, *values = NULL;
    pls_network_options options = pls_network_options_defaults();
    memset(reference, 0, sizeof *reference);
    reference->context = context;
    reference->tolerance = precision == PLS_F64 ? 1e-12 : 1e-5;
    options.precision = precision;
    PLS_TRY(context, pls_join_path(context, folder, "model.json", &model));
    PLS_TRY(context, pls_join_path(context, folder, "tensors.safetensors", &tensors));
    PLS_TRY(context, pls_join_path(context, folder, "reference.safetensors", &values));
    PLS_TRY(context, read_model(reference, model));
    PLS_TRY(context, read_data(reference, tensors));
    PLS_TRY(context, pls_network_system_create(device, &reference->model, &reference->data,
                                               &options, &reference->system));
    PLS_TRY(context, pls_system_load_weights(reference->system, tensors, false));
    PLS_TRY(context, pls_safetensors_open(context, values, &reference->values));
cleanup:
    pls_release(context, model);
    pls_release(context, tensors);
    pls_release(context, values);
    return status;
}

void reference_close(reference_case *reference) {
    pls_safetensors_close(reference->values);
    pls_system_destroy(reference->system);
    pls_dataset_destroy(reference->context, &reference->data);
}

/* ---- comparing -------------------------------------------------------------------------------
 */

typedef struct comparison {
    reference_case *reference;
    reference_visitor *visit;
    void *user;
} comparison;

/* Infinite where an array has another length than its reference. */
static pls_status compare(const comparison *c, const char *name, const double *found,
                          int64_t count) {
    double *expected = NULL, largest = 0.0, worst = 0.0;
    int64_t expected_count = 0;
    pls_status status =
        read_array(c->reference, c->reference->values, name, &expected, &expected_count);
    if (status != PLS_OK) {
        return status;
    }
    for (int64_t i = 0; i < expected_count; i++) {
        largest = fmax(largest, fabs(expected[i]));
    }
    for (int64_t i = 0; i < count && i < expected_count; i++) {
        double error = fabs(found[i] - expected[i]) / largest;
        worst = error > worst || isnan(error) ? error : worst;
    }
    pls_release(c->reference->context, expected);
    c->visit(c->user, name, count == expected_count ? worst : (double)INFINITY,
             c->reference->tolerance);
    return PLS_OK;
}

/* The extreme eigenvalues are those of the whole spectrum, and the interval of the smallest one
 * holds the reference. */
static pls_status compare_interval(const comparison *c, const pls_spectrum *spectrum) {
    double *expected = NULL, top = spectrum->eigenvalues[spectrum->size - 1];
    int64_t count = 0;
    pls_status status =
        read_array(c->reference, c->reference->values, "eigenvalues", &expected, &count);
    if (status != PLS_OK) {
        return status;
    }
    c->visit(c->user, "lambda_min", fabs(spectrum->lambda_min - spectrum->eigenvalues[0]),
             spectrum->floor);
    c->visit(c->user, "lambda_max", fabs(spectrum->lambda_max - top), spectrum->floor);
    bool inside =
        spectrum->lambda_min_lower <= expected[0] && expected[0] <= spectrum->lambda_min_upper;
    c->visit(c->user, "intervals that miss lambda_min", inside ? 0.0 : 1.0, 0.0);
    pls_release(c->reference->context, expected);
    return PLS_OK;
}

static pls_status compare_point(const comparison *c) {
    pls_system *system = c->reference->system;
    pls_context *context = c->reference->context;
    pls_status status = PLS_OK;
    int64_t n = pls_system_equations(system), p = pls_system_parameters(system);
    double *outputs = NULL, *gradient = NULL;
    pls_point point;
    PLS_TRY(context, pls_allocate(context, n, sizeof *outputs, "outputs", &outputs));
    PLS_TRY(context, pls_allocate(context, p, sizeof *gradient, "a gradient", &gradient));
    PLS_TRY(context, pls_system_measure(system, PLS_LOSS_SQUARE, &point, outputs, gradient));
    PLS_TRY(context, compare(c, "outputs", outputs, n));
    PLS_TRY(context, compare(c, "loss", &point.loss, 1));
    PLS_TRY(context, compare(c, "gradient", gradient, p));
    PLS_TRY(context, compare(c, "pl_ratio", &point.pl_ratio, 1));
cleanup:
    pls_release(context, outputs);
    pls_release(context, gradient);
    return status;
}

/* J v for the probe, and JT (f - y), which is the gradient again. */
static pls_status compare_products(const comparison *c) {
    const reference_case *r = c->reference;
    pls_context *context = r->context;
    int64_t n = pls_system_equations(r->system), p = pls_system_parameters(r->system), count;
    double *probe = NULL, *residual = NULL, *product = NULL;
    pls_point point;
    pls_status status = PLS_OK;
    PLS_TRY(context, read_array(c->reference, r->values, "probe", &probe, &count));
    PLS_TRY(context, pls_allocate(context, n, sizeof *residual, "residuals", &residual));
    PLS_TRY(context, pls_allocate(context, n > p ? n : p, sizeof *product, "a product", &product));
    PLS_TRY(context, pls_system_jacobian_product(r->system, probe, product));
    PLS_TRY(context, compare(c, "jvp", product, n));
    PLS_TRY(context, pls_system_measure(r->system, PLS_LOSS_SQUARE, &point, residual, NULL));
    for (int64_t i = 0; i < n; i++) {
        residual[i] -= r->data.targets[i];
    }
    PLS_TRY(context, pls_system_transposed_product(r->system, residual, product));
    PLS_TRY(context, compare(c, "gradient", product, p));
cleanup:
    pls_release(context, probe);
    pls_release(context, residual);
    pls_release(context, product);
    return status;
}

pls_status reference_check_kernel(reference_case *reference, pls_kernel_method method,
                                  reference_visitor *visit, void *user) {
    comparison c = {reference, visit, user};
    pls_context *context = reference->context;
    pls_status status = PLS_OK;
    int64_t n = pls_system_equations(reference->system);
    double *matrix = NULL;
    pls_kernel *kernel = NULL;
    pls_spectrum spectrum = {0};
    pls_kernel_options options = pls_kernel_options_defaults();
    pls_spectrum_options how = pls_spectrum_options_defaults();
    options.method = method;
    how.full = true;
    how.refine = PLS_REFINE_NEVER;
    PLS_TRY(context, compare_point(&c));
    PLS_TRY(context, compare_products(&c));
    PLS_TRY(context, pls_allocate(context, n * n, sizeof *matrix, "a kernel", &matrix));
    PLS_TRY(context, pls_kernel_create(reference->system, &options, &kernel));
    PLS_TRY(context, pls_kernel_compute(kernel));
    PLS_TRY(context, pls_kernel_download(kernel, matrix));
    PLS_TRY(context, compare(&c, "kernel", matrix, n * n));
    PLS_TRY(context, pls_kernel_spectrum(kernel, &how, &spectrum));
    PLS_TRY(context, compare(&c, "eigenvalues", spectrum.eigenvalues, n));
    PLS_TRY(context, compare_interval(&c, &spectrum));
cleanup:
    pls_spectrum_destroy(context, &spectrum);
    pls_kernel_destroy(kernel);
    pls_release(context, matrix);
    return status;
}

/* ---- gradient descent ------------------------------------------------------------------------
 */

enum { LAST_LOSS = 20, MEASURE_EVERY = 10, MEASURED = 3 };

typedef struct path {
    double loss[LAST_LOSS + 1];
    double extremes[MEASURED][2];
} path;

static pls_status write_down(void *user, const pls_record *record, const pls_progress *progress) {
    path *taken = user;
    (void)progress;
    if (record->step <= LAST_LOSS) {
        taken->loss[record->step] = record->loss;
    }
    if (record->step <= LAST_LOSS && record->step % MEASURE_EVERY == 0) {
        taken->extremes[record->step / MEASURE_EVERY][0] = record->lambda_min;
        taken->extremes[record->step / MEASURE_EVERY][1] = record->lambda_max;
    }
    return PLS_OK;
}

pls_status reference_check_descent(reference_case *reference, pls_kernel_method method,
                                   reference_visitor *visit, void *user) {
    comparison c = {reference, visit, user};
    pls_context *context = reference->context;
    pls_status status = PLS_OK;
    int64_t p = pls_system_parameters(reference->system), one;
    double *step_size = NULL, *weights = NULL;
    path taken = {{0.0}, {{0.0}}};
    pls_train_options options = pls_train_options_defaults();
    pls_train_result result = {0};
    PLS_TRY(context, read_array(reference, reference->values, "gd_step_size", &step_size, &one));
    PLS_TRY(context, pls_allocate(context, p, sizeof *weights, "weights", &weights));
    options.step_rule = PLS_STEP_FIXED;
    options.step_size = step_size[0];
    options.steps = LAST_LOSS + 1; /* the final weights are those after the last loss */
    options.measure_every = MEASURE_EVERY;
    options.kernel.method = method;
    options.spectrum.refine = PLS_REFINE_NEVER;
    options.observer = write_down;
    options.observer_user = &taken;
    PLS_TRY(context, pls_train(reference->system, &options, &result));
    visit(user, "violations", (double)result.violations, 0.0);
    visit(user, "measurements", fabs((double)(result.measurements - MEASURED - 1)), 0.0);
    PLS_TRY(context, compare(&c, "gd_loss", taken.loss, LAST_LOSS + 1));
    PLS_TRY(context,
            compare(&c, "gd_extreme_eigenvalues_at_0_10_20", taken.extremes[0], 2 * MEASURED));
    PLS_TRY(context, pls_system_get_weights(reference->system, weights));
    PLS_TRY(context, compare(&c, "gd_final_weights", weights, p));
cleanup:
    pls_train_result_destroy(context, &result);
    pls_release(context, step_size);
    pls_release(context, weights);
    return status;
}
