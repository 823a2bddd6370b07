/* The tangent kernel: structured against explicit against rows of J, the trace kernel, and that no
 * option changes a bit. The spectrum: intervals that hold, floors, shifts, and what is refused. */
#include "networks.h"

#include <math.h>

/* The kernel at the initial weights; to be freed. */
static double *kernel_of(network_fixture *f, const pls_kernel_options *options) {
    pls_kernel *kernel = NULL;
    network_check(f, pls_kernel_create(f->system, options, &kernel));
    int64_t size = pls_kernel_size(kernel);
    double *matrix = calloc((size_t)(size * size), sizeof *matrix);
    network_check(f, pls_kernel_compute(kernel));
    network_check(f, pls_kernel_download(kernel, matrix));
    pls_kernel_destroy(kernel);
    return matrix;
}

static double *kernel_of_plan(const network_plan *plan, const pls_kernel_options *options) {
    network_fixture f = network_set_up(plan);
    double *matrix = kernel_of(&f, options);
    network_tear_down(&f);
    return matrix;
}

static double relative_difference(const double *a, const double *b, int64_t count) {
    double largest = 0.0, worst = 0.0;
    for (int64_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs(b[i]));
        double difference = fabs(a[i] - b[i]);
        worst = difference > worst || isnan(difference) ? difference : worst;
    }
    return worst / largest;
}

Test(kernel, structured_is_explicit_is_rows_of_the_jacobian) {
    for (int phi = 0; phi < PLS_ACTIVATION_COUNT; phi++) {
        for (int variant = 0; variant < 8; variant++) {
            network_plan plan = {.hidden = (pls_activation)phi,
                                 .bias = variant & 1,
                                 .standard = (variant & 2) != 0,
                                 .precision = variant & 4 ? PLS_F32 : PLS_F64};
            double tolerance = plan.precision == PLS_F64 ? 1e-14 : 1e-6;
            network_fixture f = network_set_up(&plan);
            int64_t n = pls_system_equations(f.system), p = pls_system_parameters(f.system);
            pls_kernel_options options = pls_kernel_options_defaults();
            options.method = PLS_KERNEL_STRUCTURED;
            double *structured = kernel_of(&f, &options);
            options.method = PLS_KERNEL_EXPLICIT;
            double *explicit = kernel_of(&f, &options);
            double *rows = calloc((size_t)(n * p), sizeof *rows);
            double *product = calloc((size_t)(n * n), sizeof *product);
            network_check(&f, pls_system_jacobian(f.system, 0, pls_system_samples(f.system), rows));
            for (int64_t i = 0; i < n; i++) {
                for (int64_t j = 0; j < n; j++) {
                    for (int64_t q = 0; q < p; q++) {
                        product[i * n + j] += rows[i * p + q] * rows[j * p + q];
                    }
                }
            }
            cr_expect_lt(relative_difference(structured, product, n * n), tolerance);
            cr_expect_lt(relative_difference(explicit, product, n * n), tolerance);
            free(product);
            free(rows);
            free(explicit);
            free(structured);
            network_tear_down(&f);
        }
    }
}

/* J against differences of F: the one check that does not trust any derivative of ours. */
Test(kernel, jacobian_is_the_derivative) {
    for (int phi = 0; phi < PLS_ACTIVATION_COUNT; phi++) {
        network_plan plan = {.hidden = (pls_activation)phi, .bias = true, .precision = PLS_F64};
        network_fixture f = network_set_up(&plan);
        int64_t n = pls_system_equations(f.system), p = pls_system_parameters(f.system);
        double *rows = calloc((size_t)(n * p), sizeof *rows);
        double *w = calloc((size_t)p, sizeof *w);
        double *plus = calloc((size_t)n, sizeof *plus), *minus = calloc((size_t)n, sizeof *minus);
        pls_point point;
        network_check(&f, pls_system_jacobian(f.system, 0, pls_system_samples(f.system), rows));
        network_check(&f, pls_system_get_weights(f.system, w));
        for (int64_t q = 0; q < p; q += 7) {
            const double h = 1e-6;
            double kept = w[q];
            w[q] = kept + h;
            network_check(&f, pls_system_set_weights(f.system, w));
            network_check(&f, pls_system_measure(f.system, PLS_LOSS_SQUARE, &point, plus, NULL));
            w[q] = kept - h;
            network_check(&f, pls_system_set_weights(f.system, w));
            network_check(&f, pls_system_measure(f.system, PLS_LOSS_SQUARE, &point, minus, NULL));
            w[q] = kept;
            for (int64_t i = 0; i < n; i++) {
                double difference = (plus[i] - minus[i]) / (2.0 * h);
                cr_expect(fabs(difference - rows[i * p + q]) < 1e-8, "%s: J[%lld, %lld]",
                          pls_activation_name((pls_activation)phi), (long long)i, (long long)q);
            }
        }
        free(minus);
        free(plus);
        free(w);
        free(rows);
        network_tear_down(&f);
    }
}

Test(kernel, trace_kernel_sums_over_outputs) {
    network_plan plan = {.hidden = PLS_TANH, .bias = true, .precision = PLS_F64};
    pls_kernel_options options = pls_kernel_options_defaults();
    double *full = kernel_of_plan(&plan, &options);
    options.trace = true;
    int64_t n = 12, k = 2;
    double *sums = calloc((size_t)(n * n), sizeof *sums);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) {
            for (int64_t a = 0; a < k; a++) {
                sums[i * n + j] += full[(i * k + a) * n * k + j * k + a];
            }
        }
    }
    for (int method = PLS_KERNEL_STRUCTURED; method <= PLS_KERNEL_EXPLICIT; method++) {
        options.method = (pls_kernel_method)method;
        double *trace = kernel_of_plan(&plan, &options);
        cr_expect_lt(relative_difference(trace, sums, n * n), 1e-14);
        free(trace);
    }
    free(sums);
    free(full);
}

/* 600 samples of 7 outputs are three blocks (of 256), the last one not whole. */
static const network_plan blocks = {.samples = 600,
                                    .inputs = 9,
                                    .depth = 3,
                                    .widths = {70, 33, 7},
                                    .hidden = PLS_TANH,
                                    .bias = true};

Test(kernel, no_option_changes_a_bit, .timeout = 600) {
    for (int method = PLS_KERNEL_STRUCTURED; method <= PLS_KERNEL_EXPLICIT; method++) {
        for (int trace = 0; trace <= 1; trace++) {
            network_plan plan = blocks;
            pls_kernel_options options = pls_kernel_options_defaults();
            options.method = (pls_kernel_method)method;
            options.trace = trace;
            plan.threads = 1;
            int64_t size = trace ? 600 : 4200;
            double *expected = kernel_of_plan(&plan, &options);
            for (int variant = 0; variant < 4; variant++) {
                plan = blocks;
                plan.threads = 1 + variant % 3;
                plan.memory = variant % 2 == 1 ? 1 : 0; /* activations of one block at a time */
                options.tile = (int64_t[]){1, 300, 257, 0}[variant];
                options.memory = variant == 3 ? 500000000 : 0;
                double *matrix = kernel_of_plan(&plan, &options);
                cr_expect(memcmp(matrix, expected, (size_t)(size * size) * sizeof *matrix) == 0,
                          "method %d, trace %d, variant %d", method, trace, variant);
                free(matrix);
            }
            free(expected);
        }
    }
}

Test(kernel, the_gradient_does_not_depend_on_what_is_kept) {
    double *gradient[4];
    for (int variant = 0; variant < 4; variant++) {
        network_plan plan = blocks;
        plan.memory = variant % 2;
        plan.threads = 1 + variant / 2;
        network_fixture f = network_set_up(&plan);
        pls_point point;
        int64_t p = pls_system_parameters(f.system);
        gradient[variant] = calloc((size_t)p, sizeof(double));
        network_check(
            &f, pls_system_measure(f.system, PLS_LOSS_SQUARE, &point, NULL, gradient[variant]));
        cr_expect(memcmp(gradient[variant], gradient[0], (size_t)p * sizeof(double)) == 0,
                  "variant %d", variant);
        network_tear_down(&f);
    }
    for (int variant = 0; variant < 4; variant++) {
        free(gradient[variant]);
    }
}

/* Over several blocks: the gradient is JT r, and K is J JT, also between blocks. */
Test(kernel, blocks_fit_together) {
    network_plan plan = blocks;
    plan.samples = 300;
    plan.precision = PLS_F64;
    for (int kept = 0; kept <= 1; kept++) {
        plan.memory = kept ? 0 : 1;
        network_fixture f = network_set_up(&plan);
        int64_t n = pls_system_equations(f.system), p = pls_system_parameters(f.system);
        double *rows = calloc((size_t)(n * p), sizeof *rows);
        double *outputs = calloc((size_t)n, sizeof *outputs);
        double *gradient = calloc((size_t)p, sizeof *gradient);
        double *expected = calloc((size_t)p, sizeof *expected);
        pls_point point;
        network_check(&f, pls_system_measure(f.system, PLS_LOSS_SQUARE, &point, outputs, gradient));
        network_check(&f, pls_system_jacobian(f.system, 0, plan.samples, rows));
        for (int64_t i = 0; i < n; i++) {
            double residual = outputs[i] - f.data.targets[i];
            for (int64_t q = 0; q < p; q++) {
                expected[q] += rows[i * p + q] * residual;
            }
        }
        cr_expect_lt(relative_difference(gradient, expected, p), 1e-12);
        double *matrix = kernel_of(&f, NULL);
        for (int64_t i = 0; i < n; i += 41) {
            for (int64_t j = 0; j < n; j += 37) {
                double product = 0.0;
                for (int64_t q = 0; q < p; q++) {
                    product += rows[i * p + q] * rows[j * p + q];
                }
                cr_expect(fabs(matrix[i * n + j] - product) < 1e-12 * fabs(matrix[0]),
                          "K[%lld, %lld]", (long long)i, (long long)j);
            }
        }
        free(matrix);
        free(expected);
        free(gradient);
        free(outputs);
        free(rows);
        network_tear_down(&f);
    }
}

/* Rows of J, whichever are asked for together and whatever is kept in memory. */
Test(kernel, rows_of_the_jacobian_do_not_depend_on_their_company) {
    enum { ROWS = 20, OUTPUTS = 7 };
    const int64_t first = 245; /* across the border of the first block */
    network_plan plan = blocks;
    network_fixture kept = network_set_up(&plan);
    plan.memory = 1;
    plan.threads = 1;
    network_fixture recomputed = network_set_up(&plan);
    int64_t p = pls_system_parameters(kept.system);
    double *all = calloc((size_t)(ROWS * OUTPUTS * p), sizeof *all);
    double *few = calloc((size_t)(ROWS * OUTPUTS * p), sizeof *few);
    network_check(&kept, pls_system_jacobian(kept.system, first, ROWS, all));
    for (int64_t count = 1; count <= 16; count += 5) {
        network_check(&recomputed, pls_system_jacobian(recomputed.system, first + 3, count, few));
        cr_expect(memcmp(few, all + 3 * OUTPUTS * p, (size_t)(count * OUTPUTS * p) * sizeof *few) ==
                  0);
    }
    free(few);
    free(all);
    network_tear_down(&recomputed);
    network_tear_down(&kept);
}

Test(kernel, too_little_memory_is_refused_with_the_bytes) {
    network_fixture f = network_set_up(&blocks);
    pls_kernel_options options = pls_kernel_options_defaults();
    pls_kernel *kernel = NULL;
    options.memory = 1000;
    SUPPORT_EXPECT_ERROR(f.context, pls_kernel_create(f.system, &options, &kernel),
                         PLS_ERROR_MEMORY, "monitor.memory: 1 kB were given");
    options.memory = -1;
    SUPPORT_EXPECT_ERROR(f.context, pls_kernel_create(f.system, &options, &kernel),
                         PLS_ERROR_ARGUMENT, "negative");
    network_tear_down(&f);
}

/* ---- spectrum ------------------------------------------------------------------------------- */

/* A linear system whose kernel A AT has the given eigenvalues: A = Q sqrt(D) with Q a product of
 * Householder reflections. Its eigenvalues are known up to rounding of the kernel. */
static pls_system *system_of_spectrum(network_fixture *f, int64_t n, const double *eigenvalues,
                                      pls_dtype precision) {
    double *a = calloc((size_t)(n * n), sizeof *a);
    double *y = calloc((size_t)n, sizeof *y);
    pls_system *system = NULL;
    for (int64_t i = 0; i < n; i++) {
        a[i * n + i] = sqrt(eigenvalues[i]);
    }
    for (int reflection = 1; reflection <= 3; reflection++) {
        double norm = 0.0;
        double *v = calloc((size_t)n, sizeof *v);
        for (int64_t i = 0; i < n; i++) {
            v[i] = sin((double)(reflection * (i + 1) * (i + 3)));
            norm += v[i] * v[i];
        }
        for (int64_t j = 0; j < n; j++) {
            double along = 0.0;
            for (int64_t i = 0; i < n; i++) {
                along += v[i] * a[i * n + j];
            }
            for (int64_t i = 0; i < n; i++) {
                a[i * n + j] -= 2.0 / norm * along * v[i];
            }
        }
        free(v);
    }
    network_check(f, pls_linear_system_create(f->device, precision, n, n, a, y, &system));
    free(y);
    free(a);
    return system;
}

static pls_spectrum spectrum_of(network_fixture *f, pls_system *system,
                                const pls_spectrum_options *options) {
    pls_kernel *kernel = NULL;
    pls_spectrum spectrum = {0};
    network_check(f, pls_kernel_create(system, NULL, &kernel));
    network_check(f, pls_kernel_compute(kernel));
    network_check(f, pls_kernel_spectrum(kernel, options, &spectrum));
    pls_kernel_destroy(kernel);
    return spectrum;
}

static network_fixture device_only(void) {
    network_fixture f = {0};
    f.context = support_context(NULL);
    pls_device_options device = support_device(0);
    network_check(&f, pls_device_open(f.context, &device, &f.device));
    return f;
}

static double graded(int64_t i, int64_t n) {
    return pow(10.0, -8.0 * (double)i / (double)(n - 1));
}

static double clustered(int64_t i, int64_t n) {
    return i < n / 2 ? 1.0 + 1e-9 * (double)i : 1e-3 * (1.0 + 1e-9 * (double)i);
}

static double gap_at_the_end(int64_t i, int64_t n) {
    return i + 1 == n ? 1e-6 : 100.0 / (1.0 + (double)i);
}

/* Closer together than the Lanczos method tells apart. */
static double tight(int64_t i, int64_t n, double width) {
    double place = 2.0 * (double)i / (double)n;
    return 2 * i < n ? 1.0 + width * place : 1.0 + place;
}

static double tight_12(int64_t i, int64_t n) {
    return tight(i, n, 1e-12);
}

static double tight_10(int64_t i, int64_t n) {
    return tight(i, n, 1e-10);
}

static double all_equal(int64_t i, int64_t n) {
    (void)i;
    (void)n;
    return 3.0;
}

Test(spectrum, intervals_hold_the_true_extremes) {
    double (*const spectra[])(int64_t, int64_t) = {graded,   clustered, gap_at_the_end,
                                                   tight_10, tight_12,  all_equal};
    network_fixture f = device_only();
    for (size_t s = 0; s < sizeof spectra / sizeof spectra[0]; s++) {
        for (int64_t n = 2; n <= 402; n += 100) {
            double *eigenvalues = calloc((size_t)n, sizeof *eigenvalues);
            double smallest = INFINITY, largest = 0.0;
            for (int64_t i = 0; i < n; i++) {
                eigenvalues[i] = spectra[s](i, n);
                smallest = fmin(smallest, eigenvalues[i]);
                largest = fmax(largest, eigenvalues[i]);
            }
            pls_system *system = system_of_spectrum(&f, n, eigenvalues, PLS_F64);
            pls_spectrum_options options = pls_spectrum_options_defaults();
            options.full = true;
            pls_spectrum found = spectrum_of(&f, system, &options);
            cr_expect(found.lambda_min_lower <= smallest && smallest <= found.lambda_min_upper,
                      "spectrum %zu, n = %lld: %.17g is not in [%.17g, %.17g]", s, (long long)n,
                      smallest, found.lambda_min_lower, found.lambda_min_upper);
            cr_expect(fabs(found.lambda_max - largest) <= 1e-12 * largest);
            cr_expect(fabs(found.eigenvalues[0] - smallest) <= found.floor);
            cr_expect(found.eigenvalues[0] >= found.lambda_min_lower - found.floor &&
                      found.eigenvalues[0] <= found.lambda_min_upper + found.floor);
            cr_expect_leq(found.lambda_min_upper - found.lambda_min_lower,
                          1e-12 * largest + 3e-12 * smallest,
                          "spectrum %zu, n = %lld: the interval is %g wide", s, (long long)n,
                          found.lambda_min_upper - found.lambda_min_lower);
            cr_expect_not(found.below_floor);
            cr_expect_eq(found.shift, 0.0);
            pls_spectrum_destroy(f.context, &found);
            pls_system_destroy(system);
            free(eigenvalues);
        }
    }
    network_tear_down(&f);
}

Test(spectrum, a_singular_kernel_is_below_its_floor) {
    network_fixture f = device_only();
    enum { N = 150 };
    double eigenvalues[N];
    for (int i = 0; i < N; i++) {
        eigenvalues[i] = i < 5 ? 0.0 : 2.0 + i;
    }
    pls_system *system = system_of_spectrum(&f, N, eigenvalues, PLS_F64);
    pls_spectrum found = spectrum_of(&f, system, NULL);
    cr_expect(found.below_floor);
    cr_expect(isnan(found.condition_number));
    cr_expect(found.lambda_min_lower <= 0.0 && 0.0 <= found.lambda_min_upper);
    cr_expect_lt(fabs(found.lambda_min), found.floor);
    pls_spectrum_destroy(f.context, &found);
    pls_system_destroy(system);
    network_tear_down(&f);
}

Test(spectrum, the_zero_kernel_has_zero_eigenvalues) {
    network_fixture f = device_only();
    double eigenvalues[3] = {0.0, 0.0, 0.0};
    pls_system *system = system_of_spectrum(&f, 3, eigenvalues, PLS_F32);
    pls_spectrum_options options = pls_spectrum_options_defaults();
    options.full = true;
    pls_spectrum found = spectrum_of(&f, system, &options);
    cr_expect_eq(found.lambda_min, 0.0);
    cr_expect_eq(found.lambda_max, 0.0);
    cr_expect(found.below_floor);
    pls_spectrum_destroy(f.context, &found);
    pls_system_destroy(system);
    network_tear_down(&f);
}

/* In float32 the floor covers what rounding did, and below it the measurement moves to float64. */
Test(spectrum, float32_floors_cover_float64_values) {
    for (uint64_t seed = 0; seed < 6; seed++) {
        network_plan plan = {.samples = 40,
                             .depth = 3,
                             .widths = {300, 200, 3},
                             .hidden = PLS_TANH,
                             .precision = PLS_F64,
                             .seed = seed};
        network_fixture exact = network_set_up(&plan);
        pls_spectrum truth = spectrum_of(&exact, exact.system, NULL);
        plan.precision = PLS_F32;
        network_fixture f = network_set_up(&plan);
        pls_spectrum_options options = pls_spectrum_options_defaults();
        options.refine = PLS_REFINE_NEVER;
        pls_spectrum rounded = spectrum_of(&f, f.system, &options);
        cr_expect_lt(fabs(rounded.lambda_min - truth.lambda_min), rounded.floor);
        cr_expect(rounded.lambda_min_lower <= truth.lambda_min &&
                  truth.lambda_min <= rounded.lambda_min_upper);
        cr_expect_lt(rounded.floor, 1e-5 * rounded.lambda_max, "a useless floor");
        cr_expect_lt(rounded.floor, rounded.floor_estimate);
        cr_expect_not(rounded.refined);
        options.refine = PLS_REFINE_ALWAYS;
        pls_spectrum refined = spectrum_of(&f, f.system, &options);
        cr_expect(refined.refined);
        cr_expect_lt(refined.floor, 1e-9 * refined.lambda_max);
        pls_spectrum_destroy(f.context, &refined);
        pls_spectrum_destroy(f.context, &rounded);
        pls_spectrum_destroy(exact.context, &truth);
        network_tear_down(&f);
        network_tear_down(&exact);
    }
}

/* Training can make a network magnify rounding: the floor has to follow. */
Test(spectrum, the_floor_of_float32_follows_the_weights) {
    network_plan plan = {.samples = 40,
                         .depth = 4,
                         .widths = {60, 60, 60, 1},
                         .hidden = PLS_SIN,
                         .precision = PLS_F32};
    network_fixture f = network_set_up(&plan);
    pls_train_options options = pls_train_options_defaults();
    pls_train_result trained;
    options.step_size = 0.4;
    options.steps = 400;
    options.measure_every = 100;
    options.spectrum.refine = PLS_REFINE_NEVER;
    network_check(&f, pls_train(f.system, &options, &trained));
    double *w = calloc((size_t)pls_system_parameters(f.system), sizeof *w);
    network_check(&f, pls_system_get_weights(f.system, w));
    plan.precision = PLS_F64;
    network_fixture exact = network_set_up(&plan);
    network_check(&exact, pls_system_set_weights(exact.system, w));
    pls_spectrum truth = spectrum_of(&exact, exact.system, NULL);
    cr_expect_lt(fabs(trained.spectrum.lambda_min - truth.lambda_min), trained.spectrum.floor);
    pls_spectrum_options fresh = pls_spectrum_options_defaults();
    fresh.refine = PLS_REFINE_NEVER;
    pls_spectrum again = spectrum_of(&f, f.system, &fresh);
    cr_expect_eq(again.floor, trained.spectrum.floor, "a floor from another point");
    cr_expect_eq(again.lambda_min, trained.spectrum.lambda_min);
    pls_spectrum_destroy(f.context, &again);
    pls_spectrum_destroy(exact.context, &truth);
    pls_train_result_destroy(f.context, &trained);
    free(w);
    network_tear_down(&exact);
    network_tear_down(&f);
}

/* Equations of the sub-sample that float32 holds exactly say nothing about the others. */
Test(spectrum, a_sub_sample_without_rounding_does_not_lower_the_floor) {
    network_fixture f = device_only();
    enum { N = 64, P = 200, SAMPLED = 16 };
    static double a[N * P], y[N];
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < P; j++) {
            a[i * P + j] = i % (N / SAMPLED) == 0 ? (double)((i * 7 + j * j * 3) % 11 - 5)
                                                  : sin((double)(i * P + j) * 1.1);
        }
    }
    pls_spectrum found[2];
    for (int precision = PLS_F32; precision <= PLS_F64; precision++) {
        pls_system *system = NULL;
        pls_spectrum_options options = pls_spectrum_options_defaults();
        options.refine = PLS_REFINE_NEVER;
        network_check(
            &f, pls_linear_system_create(f.device, (pls_dtype)precision, N, P, a, y, &system));
        found[precision] = spectrum_of(&f, system, &options);
        pls_system_destroy(system);
    }
    cr_expect_lt(fabs(found[PLS_F32].lambda_min - found[PLS_F64].lambda_min), found[PLS_F32].floor);
    network_tear_down(&f);
}

/* Deep and steep networks magnify rounding from layer to layer; in float64 the floor must know. */
Test(spectrum, the_floor_of_float64_knows_of_magnified_rounding) {
    network_plan plan = {.samples = 30,
                         .depth = 6,
                         .widths = {64, 64, 64, 64, 64, 1},
                         .hidden = PLS_SIN,
                         .precision = PLS_F64};
    network_fixture f = network_set_up(&plan);
    int64_t p = pls_system_parameters(f.system);
    double *w = calloc((size_t)p, sizeof *w);
    network_check(&f, pls_system_get_weights(f.system, w));
    for (int64_t i = 0; i < p; i++) {
        w[i] *= 2.5;
    }
    network_check(&f, pls_system_set_weights(f.system, w));
    pls_spectrum found = spectrum_of(&f, f.system, NULL);
    /* the same function with the hidden units of the first layer in reverse order */
    for (int64_t u = 0; u < 32; u++) {
        for (int64_t j = 0; j < 5; j++) {
            double kept = w[u * 5 + j];
            w[u * 5 + j] = w[(63 - u) * 5 + j];
            w[(63 - u) * 5 + j] = kept;
        }
        for (int64_t v = 0; v < 64; v++) {
            double *row = w + 64 * 5 + v * 64, kept = row[u];
            row[u] = row[63 - u];
            row[63 - u] = kept;
        }
    }
    network_check(&f, pls_system_set_weights(f.system, w));
    pls_spectrum reversed = spectrum_of(&f, f.system, NULL);
    cr_expect_leq(fabs(found.lambda_max - reversed.lambda_max), found.floor);
    cr_expect_leq(fabs(found.lambda_min - reversed.lambda_min), found.floor);
    cr_expect_neq(found.lambda_max, reversed.lambda_max, "rounding makes some difference");
    cr_expect_gt(found.floor, found.floor_estimate);
    pls_spectrum_destroy(f.context, &reversed);
    pls_spectrum_destroy(f.context, &found);
    free(w);
    network_tear_down(&f);
}

Test(spectrum, below_the_floor_float32_is_measured_again_in_float64) {
    network_fixture f = device_only();
    enum { N = 60 };
    double eigenvalues[N];
    for (int i = 0; i < N; i++) {
        eigenvalues[i] = i == 0 ? 1e-13 : 1.0 + i;
    }
    pls_system *system = system_of_spectrum(&f, N, eigenvalues, PLS_F32);
    pls_spectrum_options options = pls_spectrum_options_defaults();
    options.refine = PLS_REFINE_NEVER;
    pls_spectrum once = spectrum_of(&f, system, &options);
    cr_expect(once.below_floor);
    options.refine = PLS_REFINE_BELOW_FLOOR;
    pls_spectrum again = spectrum_of(&f, system, &options);
    cr_expect(again.refined);
    cr_expect_lt(again.floor, once.floor);
    pls_spectrum_destroy(f.context, &again);
    pls_spectrum_destroy(f.context, &once);
    pls_system_destroy(system);
    network_tear_down(&f);
}

/* Equal inputs make equal rows of J, and lambda_min = 0. */
Test(spectrum, equal_inputs_give_an_eigenvalue_below_the_floor) {
    network_plan plan = {.hidden = PLS_TANH, .precision = PLS_F64};
    network_fixture f = network_set_up(&plan);
    pls_dataset twice = {0};
    pls_layer_spec layers[] = {{.width = 50, .activation = PLS_TANH}, {.width = 2}};
    pls_model model = pls_model_defaults();
    model.input_rank = 1;
    model.input_shape[0] = 5;
    model.layer_count = 2;
    model.layers = layers;
    memcpy(f.data.inputs + 5, f.data.inputs, 5 * sizeof(double));
    network_check(
        &f, pls_dataset_from_arrays(f.context, 12, 5, 2, f.data.inputs, f.data.targets, &twice));
    cr_expect_eq(twice.duplicates, 1);
    pls_network_options options = pls_network_options_defaults();
    pls_system *system = NULL;
    network_check(&f, pls_network_system_create(f.device, &model, &twice, &options, &system));
    network_check(&f, pls_system_initialize(system));
    pls_spectrum found = spectrum_of(&f, system, NULL);
    cr_expect(found.below_floor);
    cr_expect(found.refined);
    pls_spectrum_destroy(f.context, &found);
    pls_system_destroy(system);
    pls_dataset_destroy(f.context, &twice);
    network_tear_down(&f);
}

Test(spectrum, a_kernel_that_is_not_finite_is_refused) {
    network_plan plan = {.precision = PLS_F32, .hidden = PLS_IDENTITY};
    network_fixture f = network_set_up(&plan);
    int64_t p = pls_system_parameters(f.system);
    double *w = calloc((size_t)p, sizeof *w);
    for (int64_t i = 0; i < p; i++) {
        w[i] = 1e30;
    }
    network_check(&f, pls_system_set_weights(f.system, w));
    pls_kernel *kernel = NULL;
    pls_spectrum spectrum = {0};
    network_check(&f, pls_kernel_create(f.system, NULL, &kernel));
    network_check(&f, pls_kernel_compute(kernel));
    SUPPORT_EXPECT_ERROR(f.context, pls_kernel_spectrum(kernel, NULL, &spectrum), PLS_ERROR_NUMERIC,
                         "not finite");
    pls_kernel_destroy(kernel);
    free(w);
    network_tear_down(&f);
}

Test(spectrum, a_system_without_a_structured_kernel_says_so) {
    network_fixture f = device_only();
    double eigenvalues[2] = {1.0, 2.0};
    pls_system *system = system_of_spectrum(&f, 2, eigenvalues, PLS_F64);
    pls_kernel_options options = pls_kernel_options_defaults();
    pls_kernel *kernel = NULL;
    options.method = PLS_KERNEL_STRUCTURED;
    SUPPORT_EXPECT_ERROR(f.context, pls_kernel_create(system, &options, &kernel),
                         PLS_ERROR_UNSUPPORTED, "linear system has no structured kernel");
    SUPPORT_EXPECT_ERROR(f.context, pls_system_jacobian(system, 1, 2, NULL), PLS_ERROR_ARGUMENT,
                         "the system has 2");
    pls_system_destroy(system);
    network_tear_down(&f);
}

/* ---- failures -------------------------------------------------------------------------------- */

typedef struct measurement_plan {
    network_plan network;
    int64_t floor_samples;
} measurement_plan;

static pls_status measure_everything(pls_context *context, void *user) {
    const measurement_plan *plan = user;
    network_fixture f = {.context = context};
    pls_kernel *kernel = NULL;
    pls_spectrum spectrum = {0};
    pls_spectrum_options options = pls_spectrum_options_defaults();
    double row[2 * 2000];
    options.full = true;
    options.floor_samples = plan->floor_samples;
    pls_status status = network_build(&f, &plan->network);
    status = status != PLS_OK ? status : pls_kernel_create(f.system, NULL, &kernel);
    status = status != PLS_OK ? status : pls_kernel_compute(kernel);
    status = status != PLS_OK ? status : pls_kernel_spectrum(kernel, &options, &spectrum);
    status = status != PLS_OK ? status : pls_system_jacobian(f.system, 3, 1, row);
    pls_spectrum_destroy(context, &spectrum);
    pls_kernel_destroy(kernel);
    network_take_down(&f);
    return status;
}

Test(kernel, survives_the_failure_of_any_allocation) {
    measurement_plan plan = {{.hidden = PLS_TANH, .precision = PLS_F64}, 0};
    support_fail_each_allocation(measure_everything, &plan);
}

/* Too little memory for the copy in the other precision costs the measured floor, not the run. */
Test(kernel, falls_back_to_the_estimated_floor) {
    for (int precision = PLS_F32; precision <= PLS_F64; precision++) {
        measurement_plan plan = {{.hidden = PLS_TANH, .precision = (pls_dtype)precision}, 16};
        support_survive_each_allocation(measure_everything, &plan);
    }
}

static bool stop_at_once(void *user) {
    return ++*(int *)user > 2;
}

Test(kernel, stops_when_the_caller_asks) {
    int asked = 0;
    pls_hooks hooks = {.user = &asked, .cancelled = stop_at_once};
    network_fixture f = {0};
    pls_kernel *kernel = NULL;
    cr_assert_eq(pls_context_create(&hooks, &f.context), PLS_OK);
    network_check(&f, network_build(&f, &blocks));
    network_check(&f, pls_kernel_create(f.system, NULL, &kernel));
    cr_expect_eq(pls_kernel_compute(kernel), PLS_CANCELLED);
    pls_kernel_destroy(kernel);
    network_tear_down(&f);
}
