/* Kernels that are not held, K v = J (JT v): their products and spectra against those of kernels
 * that are, what they leave open, and when they are taken. */
#include "networks.h"

#include "backend/backend.h"

#include <math.h>

enum { MOST = 256 };

static void check(const pls_system *system, pls_context *context, pls_status status) {
    (void)system;
    cr_assert_eq(status, PLS_OK, "%s\n%s", pls_error_text(context), pls_error_trace(context));
}

static pls_kernel *kernel_of(pls_context *context, pls_system *system, pls_kernel_method method) {
    pls_kernel_options options = pls_kernel_options_defaults();
    pls_kernel *kernel = NULL;
    options.method = method;
    check(system, context, pls_kernel_create(system, &options, &kernel));
    check(system, context, pls_kernel_compute(kernel));
    return kernel;
}

/* K v of both ways, within `tolerance` of the largest element. */
static void compare_products(const char *name, pls_context *context, pls_system *system,
                             double tolerance) {
    pls_kernel *held = kernel_of(context, system, PLS_KERNEL_STRUCTURED);
    pls_kernel *products = kernel_of(context, system, PLS_KERNEL_MATRIX_FREE);
    int64_t size = pls_kernel_size(held);
    double v[MOST], expected[MOST], found[MOST], largest = 0.0, error = 0.0;
    cr_assert_leq(size, (int64_t)MOST);
    cr_expect(pls_kernel_is_matrix_free(held) == NULL);
    cr_expect_str_eq(pls_kernel_is_matrix_free(products), "monitor.method is matrix_free");
    for (int64_t i = 0; i < size; i++) {
        v[i] = sin(1.0 + 2.7 * (double)i);
    }
    check(system, context, pls_kernel_product(held, v, expected));
    check(system, context, pls_kernel_product(products, v, found));
    for (int64_t i = 0; i < size; i++) {
        largest = fmax(largest, fabs(expected[i]));
        error = fmax(error, fabs(found[i] - expected[i]));
    }
    cr_expect_gt(largest, 0.0);
    cr_expect_leq(error, tolerance * largest, "%s: %g of the largest element", name,
                  error / largest);
    pls_kernel_destroy(products);
    pls_kernel_destroy(held);
}

static const network_plan dense = {
    .hidden = PLS_TANH, .bias = true, .precision = PLS_F64, .threads = 1};

Test(products, are_those_of_the_kernel_for_dense_networks) {
    for (int blocks = 0; blocks < 2; blocks++) {
        network_plan plan = dense;
        plan.memory = blocks ? 1 : 0; /* one block of activations at a time */
        network_fixture f = network_set_up(&plan);
        compare_products("dense", f.context, f.system, 1e-13);
        network_tear_down(&f);
        plan.precision = PLS_F32; /* the kernel is of f32 data, the products are not */
        f = network_set_up(&plan);
        compare_products("dense f32", f.context, f.system, 1e-5);
        network_tear_down(&f);
    }
}

Test(products, are_those_of_the_kernel_for_convolutions) {
    const pls_layer_spec layers[] = {
        {.type = PLS_LAYER_CONV, .channels = 3, .kernel = 3, .activation = PLS_GELU},
        {.type = PLS_LAYER_RESIDUAL_CONV, .channels = 3, .kernel = 3, .activation = PLS_TANH},
        {.type = PLS_LAYER_GLOBAL_AVERAGE_POOL},
        {.type = PLS_LAYER_DENSE, .width = 2}};
    network_fixture f = {.context = support_context(NULL)};
    pls_device_options device = support_device(1);
    pls_data_options data = pls_data_options_defaults();
    pls_network_options options = pls_network_options_defaults();
    pls_model model = pls_model_defaults();
    model.input_rank = 3;
    model.input_shape[0] = 2;
    model.input_shape[1] = model.input_shape[2] = 4;
    model.layers = layers;
    model.layer_count = 4;
    data.source = "sphere";
    data.samples = 7;
    data.dimension = 32;
    data.outputs = 2;
    options.precision = PLS_F64;
    network_check(&f, pls_device_open(f.context, &device, &f.device));
    network_check(&f, pls_dataset_load(f.context, &data, &f.data));
    network_check(&f, pls_network_system_create(f.device, &model, &f.data, &options, &f.system));
    network_check(&f, pls_system_initialize(f.system));
    compare_products("convolutions", f.context, f.system, 1e-13);
    network_tear_down(&f);
}

Test(products, are_those_of_the_kernel_for_other_systems) {
    for (int type = 0; type < PLS_PLANTED_TYPE_COUNT; type++) {
        network_fixture f = {.context = support_context(NULL)};
        pls_device_options device = support_device(1);
        pls_planted_options options = pls_planted_options_defaults();
        double v[MOST], expected[MOST], found[MOST];
        options.type = (pls_planted_type)type;
        network_check(&f, pls_device_open(f.context, &device, &f.device));
        network_check(&f, pls_planted_system_create(f.device, &options, &f.system));
        pls_kernel *held = kernel_of(f.context, f.system, PLS_KERNEL_EXPLICIT);
        pls_kernel *products = kernel_of(f.context, f.system, PLS_KERNEL_MATRIX_FREE);
        for (int64_t i = 0; i < pls_kernel_size(held); i++) {
            v[i] = cos(1.3 * (double)i);
        }
        network_check(&f, pls_kernel_product(held, v, expected));
        network_check(&f, pls_kernel_product(products, v, found));
        for (int64_t i = 0; i < pls_kernel_size(held); i++) {
            cr_expect(fabs(found[i] - expected[i]) <= 1e-12 * (1.0 + fabs(expected[i])),
                      "%s: %g, expected %g", pls_planted_type_name(options.type), found[i],
                      expected[i]);
        }
        pls_kernel_destroy(products);
        pls_kernel_destroy(held);
        network_tear_down(&f);
    }
}

/* ---- spectra --------------------------------------------------------------------------------- */

Test(products, tell_the_spectrum) {
    network_fixture f = network_set_up(&dense);
    pls_kernel *held = kernel_of(f.context, f.system, PLS_KERNEL_STRUCTURED);
    pls_kernel *products = kernel_of(f.context, f.system, PLS_KERNEL_MATRIX_FREE);
    pls_spectrum_options options = pls_spectrum_options_defaults();
    pls_spectrum truth = {0}, found = {0};
    network_check(&f, pls_kernel_spectrum(held, &options, &truth));
    network_check(&f, pls_kernel_spectrum(products, &options, &found));
    cr_expect_lt(fabs(found.lambda_max / truth.lambda_max - 1.0), 1e-12);
    cr_expect_leq(fabs(found.lambda_min - truth.lambda_min),
                  found.lambda_min_residual + found.floor + truth.floor);
    cr_expect_lt(found.lambda_min_lower, truth.lambda_min);
    cr_expect_gt(found.lambda_min_upper, truth.lambda_min);
    cr_expect(isfinite(found.condition_number) && !found.refined && isnan(found.trace));
    cr_expect_leq(found.lambda_max_residual, 1e-11 * found.lambda_max);
    /* Too few products: an upper bound, and no value. */
    options.products = 5;
    network_check(&f, pls_kernel_spectrum(products, &options, &found));
    cr_expect(isnan(found.lambda_min) && isnan(found.condition_number));
    cr_expect_gt(found.lambda_min_upper, truth.lambda_min);
    cr_expect_lt(found.lambda_min_upper, truth.lambda_max);
    cr_expect_eq(found.lambda_min_lower, 0.0);
    cr_expect(!found.below_floor);
    cr_expect_lt(fabs(found.lambda_max / truth.lambda_max - 1.0), 1e-12);
    options.full = true;
    SUPPORT_EXPECT_ERROR(f.context, pls_kernel_spectrum(products, &options, &found),
                         PLS_ERROR_UNSUPPORTED, "monitor.spectrum: full");
    pls_kernel_destroy(products);
    pls_kernel_destroy(held);
    network_tear_down(&f);
}

/* The weights move: the float64 copy must follow. */
Test(products, follow_the_weights) {
    network_plan plan = dense;
    plan.precision = PLS_F32;
    network_fixture f = network_set_up(&plan);
    pls_kernel *products = kernel_of(f.context, f.system, PLS_KERNEL_MATRIX_FREE);
    pls_spectrum before = {0}, after = {0}, truth = {0};
    int64_t p = pls_system_parameters(f.system);
    double *w = malloc((size_t)p * sizeof *w);
    network_check(&f, pls_kernel_spectrum(products, NULL, &before));
    cr_expect(before.refined);
    network_check(&f, pls_system_get_weights(f.system, w));
    for (int64_t i = 0; i < p; i++) {
        w[i] *= 1.5;
    }
    network_check(&f, pls_system_set_weights(f.system, w));
    network_check(&f, pls_kernel_compute(products));
    network_check(&f, pls_kernel_spectrum(products, NULL, &after));
    pls_kernel *held = kernel_of(f.context, f.system, PLS_KERNEL_STRUCTURED);
    network_check(&f, pls_kernel_spectrum(held, NULL, &truth));
    cr_expect_lt(fabs(after.lambda_max / truth.lambda_max - 1.0), 1e-5);
    cr_expect_gt(fabs(after.lambda_max / before.lambda_max - 1.0), 0.1);
    pls_kernel_destroy(held);
    pls_kernel_destroy(products);
    free(w);
    network_tear_down(&f);
}

/* The same probes see the same operator, held or not; with as many steps as there are rows, the
 * nodes are the eigenvalues, and the weights add up to the size. */
Test(products, tell_the_density) {
    network_fixture f = network_set_up(&dense);
    pls_quadrature_options options = {200, 24, 7};
    pls_quadrature density[2] = {{0}, {0}};
    pls_spectrum truth = {0};
    pls_kernel_method methods[] = {PLS_KERNEL_STRUCTURED, PLS_KERNEL_MATRIX_FREE};
    for (int m = 0; m < 2; m++) {
        pls_kernel *kernel = kernel_of(f.context, f.system, methods[m]);
        double sum = 0.0;
        network_check(&f, pls_kernel_density(kernel, &options, &density[m]));
        for (int64_t j = 0; j < density[m].count; j++) {
            sum += density[m].weights[j];
        }
        cr_expect_float_eq(sum, 24.0, 1e-9);
        if (m == 0) {
            network_check(&f, pls_kernel_spectrum(kernel, NULL, &truth));
        }
        options.probes = m == 0 ? 200 : options.probes;
        pls_kernel_destroy(kernel);
    }
    cr_expect_lt(fabs(density[1].trace / density[0].trace - 1.0), 1e-12);
    cr_expect_lt(fabs(density[0].trace - truth.trace), 5.0 * density[0].trace_error);
    cr_expect_lt(density[0].trace_error, 0.1 * truth.trace);
    pls_quadrature_destroy(f.context, &density[0]);
    pls_quadrature_destroy(f.context, &density[1]);
    network_tear_down(&f);
}

/* ---- when they are taken ---------------------------------------------------------------------
 */

static const pls_backend *real_backend;
static int64_t free_bytes;
static int64_t questions, refuse_at; /* the one question that is told of no memory; 0 = none */

static pls_status little_memory(pls_device *device, int64_t *available, int64_t *total) {
    pls_status status = real_backend->memory_info(device, available, total);
    *available = free_bytes;
    questions++;
    if (refuse_at > 0) {
        *available = questions == refuse_at ? 0 : (int64_t)1 << 40;
    }
    return status;
}

static char last_log[1024];

static void *plain_allocate(void *user, size_t bytes) {
    (void)user;
    return malloc(bytes);
}

static void plain_release(void *user, void *memory) {
    (void)user;
    free(memory);
}

static void keep_log(void *user, pls_log_level level, const char *text) {
    (void)user, (void)level;
    snprintf(last_log, sizeof last_log, "%s", text);
}

Test(products, are_taken_where_the_kernel_does_not_fit) {
    network_plan plan = dense;
    plan.samples = 200; /* 400 rows: 2.6 MB for K and its factor */
    pls_hooks hooks = {.allocate = plain_allocate, .release = plain_release, .log = keep_log};
    network_fixture f = {0};
    cr_assert_eq(pls_context_create(&hooks, &f.context), PLS_OK);
    network_check(&f, network_build(&f, &plan));
    pls_kernel_options options = pls_kernel_options_defaults();
    pls_kernel *kernel = NULL;
    pls_backend little = *f.device->backend;
    real_backend = f.device->backend;
    little.memory_info = little_memory;
    f.device->backend = &little;
    free_bytes = 2 << 20;
    network_check(&f, pls_kernel_create(f.system, &options, &kernel));
    cr_assert(pls_kernel_is_matrix_free(kernel) != NULL);
    cr_expect(strstr(pls_kernel_is_matrix_free(kernel), "the tangent kernel with its spectrum") !=
              NULL);
    cr_expect(strstr(pls_kernel_is_matrix_free(kernel), "bytes") != NULL);
    cr_expect(strstr(last_log, "K v = J (J^T v)") != NULL, "%s", last_log);
    double host[1];
    SUPPORT_EXPECT_ERROR(f.context, pls_kernel_download(kernel, host), PLS_ERROR_MEMORY,
                         "not held");
    pls_kernel_destroy(kernel);
    /* Who asks for a method gets it, or the reason why not. */
    for (int method = PLS_KERNEL_STRUCTURED; method <= PLS_KERNEL_EXPLICIT; method++) {
        options.method = (pls_kernel_method)method;
        SUPPORT_EXPECT_ERROR(f.context, pls_kernel_create(f.system, &options, &kernel),
                             PLS_ERROR_MEMORY, "the tangent kernel with its spectrum");
    }
    options.method = PLS_KERNEL_AUTOMATIC;
    options.trace = true;
    free_bytes = 1 << 16;
    SUPPORT_EXPECT_ERROR(f.context, pls_kernel_create(f.system, &options, &kernel),
                         PLS_ERROR_MEMORY, "the tangent kernel with its spectrum");
    /* A limit on tiles is one on tiles: it never changes a result. */
    options.trace = false;
    options.memory = 1;
    free_bytes = (int64_t)1 << 30;
    SUPPORT_EXPECT_ERROR(f.context, pls_kernel_create(f.system, &options, &kernel),
                         PLS_ERROR_MEMORY, "monitor.memory");
    /* Whatever does not fit in training, there is a reason, and K_0 is one of them. */
    bool first_kernel = false;
    refuse_at = 1;
    do {
        pls_train_options train = pls_train_options_defaults();
        pls_train_result result;
        memset(&result, 0, sizeof result);
        train.steps = 1;
        train.spectrum.products = 3;
        questions = 0;
        pls_status status = pls_train(f.system, &train, &result);
        cr_expect(status == PLS_OK || status == PLS_ERROR_MEMORY, "question %lld: %s",
                  (long long)refuse_at, pls_error_text(f.context));
        first_kernel |= strstr(result.matrix_free, "the kernel at the start") != NULL;
        pls_train_result_destroy(f.context, &result);
    } while (questions >= refuse_at++); /* until the run asks less often */
    cr_expect(first_kernel, "no run went without K for want of room for K_0");
    f.device->backend = real_backend;
    network_tear_down(&f);
}

static pls_status measure_once(pls_context *context, void *user) {
    network_fixture f = {.context = context};
    pls_kernel_options options = pls_kernel_options_defaults();
    pls_quadrature_options few = {2, 3, 0};
    pls_quadrature density = {0};
    pls_spectrum spectrum = {0};
    pls_kernel *kernel = NULL;
    options.method = PLS_KERNEL_MATRIX_FREE;
    pls_status status = network_build(&f, user);
    status = status == PLS_OK ? pls_kernel_create(f.system, &options, &kernel) : status;
    status = status == PLS_OK ? pls_kernel_compute(kernel) : status;
    status = status == PLS_OK ? pls_kernel_spectrum(kernel, NULL, &spectrum) : status;
    status = status == PLS_OK ? pls_kernel_density(kernel, &few, &density) : status;
    if (status == PLS_OK) { /* J JT u by its two halves */
        static double u[MOST], through[4096], whole[MOST], found[MOST];
        cr_assert_leq(pls_system_parameters(f.system), 4096);
        for (int64_t i = 0; i < pls_kernel_size(kernel); i++) {
            u[i] = cos((double)i);
        }
        status = pls_system_transposed_product(f.system, u, through);
        status = status == PLS_OK ? pls_system_jacobian_product(f.system, through, found) : status;
        status = status == PLS_OK ? pls_kernel_product(kernel, u, whole) : status;
        for (int64_t i = 0; status == PLS_OK && i < pls_kernel_size(kernel); i++) {
            cr_expect_lt(fabs(found[i] - whole[i]), 1e-4 * (1.0 + fabs(whole[i])));
        }
    }
    pls_quadrature_destroy(context, &density);
    pls_spectrum_destroy(context, &spectrum);
    pls_kernel_destroy(kernel);
    network_take_down(&f);
    return status;
}

Test(products, survive_any_failing_allocation) {
    network_plan plan = {.samples = 3, .hidden = PLS_TANH, .precision = PLS_F32, .threads = 1};
    support_fail_each_allocation(measure_once, &plan);
}

/* ---- training -------------------------------------------------------------------------------- */

Test(products, watch_training) {
    network_plan plan = dense;
    pls_train_result results[2];
    pls_context *contexts[2];
    memset(results, 0, sizeof results);
    for (int free_of_matrix = 0; free_of_matrix < 2; free_of_matrix++) {
        network_fixture f = network_set_up(&plan);
        pls_train_options options = pls_train_options_defaults();
        options.steps = 6;
        options.measure_every = 3;
        options.kernel.method = free_of_matrix ? PLS_KERNEL_MATRIX_FREE : PLS_KERNEL_AUTOMATIC;
        network_check(&f, pls_train(f.system, &options, &results[free_of_matrix]));
        network_take_down(&f);
        contexts[free_of_matrix] = f.context;
    }
    const pls_record *held = &results[0].last, *found = &results[1].last;
    cr_expect_lt(fabs(found->loss / held->loss - 1.0), 1e-9); /* by way of 2/lambda_max */
    cr_expect_lt(fabs(found->lambda_max / held->lambda_max - 1.0), 1e-9);
    cr_expect_lt(fabs(found->lambda_min / held->lambda_min - 1.0), 1e-6);
    cr_expect(isnan(found->kernel_change) && isnan(found->kernel_alignment));
    cr_expect_eq(results[1].violations, 0);
    cr_expect_eq(results[1].measurements, 3);
    cr_expect(!results[1].bottom.known);
    cr_expect_str_eq(results[0].matrix_free, "");
    cr_expect_str_eq(results[1].matrix_free, "monitor.method is matrix_free");
    for (int r = 0; r < 2; r++) {
        pls_train_result_destroy(contexts[r], &results[r]);
        pls_context_destroy(contexts[r]);
    }
    /* Where mu is not reached once, no infimum of it is claimed. */
    network_fixture f = network_set_up(&plan);
    pls_train_options options = pls_train_options_defaults();
    pls_train_result result;
    memset(&result, 0, sizeof result);
    options.steps = 6;
    options.measure_every = 3;
    options.kernel.method = PLS_KERNEL_MATRIX_FREE;
    options.spectrum.products = 4;
    network_check(&f, pls_train(f.system, &options, &result));
    cr_expect(isnan(result.lambda_min_infimum));
    cr_expect_eq(result.violations, 0);
    pls_train_result_destroy(f.context, &result);
    options.linearized = true;
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_ERROR_UNSUPPORTED,
                         "train.linearized");
    options.linearized = false;
    options.optimizer = PLS_OPTIMIZER_LM;
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_ERROR_UNSUPPORTED,
                         "train.optimizer: lm");
    network_tear_down(&f);
}

/* F_i = w_i + w_i^2 / 2 from w = 0: K_0 = I, whose mu one product tells, and K_t = diag((1 +
 * w_i)^2) has more eigenvalues than products are allowed. */
Test(products, an_infimum_once_unknown_stays_so) {
    enum { N = 24 };
    static double q[N * N * N], a[N * N], y[N];
    network_plan plan = dense;
    network_fixture f = network_set_up(&plan);
    pls_train_options options = pls_train_options_defaults();
    pls_train_result result;
    pls_system *system = NULL;
    for (int i = 0; i < N; i++) {
        q[(i * N + i) * N + i] = a[i * N + i] = 1.0;
        y[i] = 0.1 * (i + 1);
    }
    network_check(&f, pls_quadratic_system_create(f.device, PLS_F64, N, N, q, a, NULL, y, &system));
    memset(&result, 0, sizeof result);
    options.step_size = 0.1;
    options.steps = 3;
    options.measure_every = 3;
    options.kernel.method = PLS_KERNEL_MATRIX_FREE;
    options.spectrum.products = 4;
    network_check(&f, pls_train(system, &options, &result));
    cr_expect_float_eq(result.first.lambda_min, 1.0, 1e-12);
    cr_expect(isnan(result.last.lambda_min));
    cr_expect(isnan(result.lambda_min_infimum));
    pls_train_result_destroy(f.context, &result);
    pls_system_destroy(system);
    network_tear_down(&f);
}
