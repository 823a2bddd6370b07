/* Studies: the networks of their cells, what is measured of them against the engine asked directly,
 * fits of known powers, and folders that survive interruptions. */
#include "base/philox.h"
#include "study/study.h"

#include "networks.h"

#include <cblas.h>
#include <math.h>

typedef struct base {
    network_fixture f; /* context, device and data; no system */
    pls_layer_spec layers[4];
    pls_model model;
} base;

static base set_up(support_allocator *allocator) {
    base b;
    pls_data_options data = pls_data_options_defaults();
    pls_device_options device = support_device(1);
    memset(&b, 0, sizeof b);
    b.f.context = support_context(allocator);
    network_check(&b.f, pls_device_open(b.f.context, &device, &b.f.device));
    data.source = "sphere";
    data.samples = 5;
    data.dimension = 4;
    network_check(&b.f, pls_dataset_load(b.f.context, &data, &b.f.data));
    b.layers[0] = (pls_layer_spec){.type = PLS_LAYER_DENSE, .width = 9, .activation = PLS_TANH};
    b.layers[1] = (pls_layer_spec){.type = PLS_LAYER_DENSE, .width = 7, .activation = PLS_SIN};
    b.layers[2] = (pls_layer_spec){.type = PLS_LAYER_DENSE, .width = 1};
    b.model = pls_model_defaults();
    b.model.input_rank = 1;
    b.model.input_shape[0] = 4;
    b.model.layer_count = 3;
    return b;
}

static void tear_down(base *b) {
    pls_dataset_destroy(b->f.context, &b->f.data);
    pls_device_close(b->f.device);
    pls_context_destroy(b->f.context);
}

static pls_study study_of(base *b) {
    pls_study study = pls_study_defaults();
    b->model.layers = b->layers;
    study.model = &b->model;
    study.data = &b->f.data;
    study.steps = 20;
    study.measure_every = 5;
    study.hessian_samples = 2;
    return study;
}

/* ---- cells --------------------------------------------------------------------------------------
 */

Test(study, cells_count_seeds_first) {
    static const int64_t widths[] = {8, 16}, seeds[] = {3, 4, 5};
    base b = set_up(NULL);
    pls_study study = study_of(&b);
    study.axes[PLS_AXIS_WIDTH] = (pls_axis_values){widths, 2};
    study.axes[PLS_AXIS_SEED] = (pls_axis_values){seeds, 3};
    cr_assert_eq(pls_study_cells(&study), 6);
    for (int64_t c = 0; c < 6; c++) {
        pls_cell cell = pls_study_cell(&study, c);
        cr_expect_eq(cell.at[PLS_AXIS_WIDTH], widths[c / 3]);
        cr_expect_eq(cell.at[PLS_AXIS_SEED], seeds[c % 3]);
        cr_expect_eq(cell.at[PLS_AXIS_ACTIVATION], -1);
        cr_expect_eq(cell.at[PLS_AXIS_STEP], 500);
    }
    tear_down(&b);
}

/* What "9 tanh, 7 sin, 1" becomes. */
static void expect_model(base *b, const int64_t at[PLS_AXIS_COUNT], int64_t count,
                         const int64_t *widths, const pls_activation *activations) {
    pls_study study = study_of(b);
    pls_layer_spec layers[8];
    pls_model model;
    pls_cell cell;
    memcpy(cell.at, at, sizeof cell.at);
    network_check(&b->f, pls_study_model(b->f.context, &study, &cell, layers, &model));
    cr_assert_eq(model.layer_count, count);
    for (int64_t l = 0; l < count; l++) {
        cr_expect_eq(model.layers[l].width, widths[l]);
        cr_expect_eq(model.layers[l].activation, activations[l]);
    }
}

Test(study, the_network_of_a_cell) {
    base b = set_up(NULL);
    const pls_activation plain[] = {PLS_TANH, PLS_SIN, PLS_IDENTITY};
    const pls_activation deep[] = {PLS_TANH, PLS_TANH, PLS_TANH, PLS_IDENTITY};
    const pls_activation other[] = {PLS_ERF, PLS_ERF, PLS_SWISH};
    expect_model(&b, (int64_t[]){0, 0, -1, -1, 0, 500, 0}, 3, (int64_t[]){9, 7, 1}, plain);
    expect_model(&b, (int64_t[]){20, 0, -1, -1, 0, 500, 0}, 3, (int64_t[]){20, 20, 1}, plain);
    expect_model(&b, (int64_t[]){0, 3, -1, -1, 0, 500, 0}, 4, (int64_t[]){9, 9, 9, 1}, deep);
    expect_model(&b, (int64_t[]){20, 3, -1, -1, 2, 500, 0}, 4, (int64_t[]){20, 2, 20, 1}, deep);
    expect_model(&b, (int64_t[]){0, 0, PLS_ERF, PLS_SWISH, 0, 500, 0}, 3, (int64_t[]){9, 7, 1},
                 other);
    tear_down(&b);
}

static void expect_refused(base *b, const pls_study *study, pls_status status, const char *part) {
    SUPPORT_EXPECT_ERROR(b->f.context, pls_study_check(b->f.context, study), status, part);
}

Test(study, refuses_what_makes_no_sense) {
    static const int64_t narrow = 2, deep = 3, twice[] = {8, 8}, relu = PLS_RELU, wrong = 99;
    base b = set_up(NULL);
    pls_study study = study_of(&b);
    network_check(&b.f, pls_study_check(b.f.context, &study));
    study.axes[PLS_AXIS_BOTTLENECK] = (pls_axis_values){&narrow, 1};
    expect_refused(&b, &study, PLS_ERROR_CONFIG, "at least three");
    study = study_of(&b);
    study.axes[PLS_AXIS_WIDTH] = (pls_axis_values){twice, 2};
    expect_refused(&b, &study, PLS_ERROR_CONFIG, "width 8: is there twice");
    study.axes[PLS_AXIS_WIDTH].count = 0;
    expect_refused(&b, &study, PLS_ERROR_CONFIG, "width has no values");
    study = study_of(&b);
    study.axes[PLS_AXIS_ACTIVATION] = (pls_axis_values){&wrong, 1};
    expect_refused(&b, &study, PLS_ERROR_CONFIG, "activation 99");
    study.axes[PLS_AXIS_ACTIVATION].values = &relu;
    study.quantities[PLS_QUANTITY_HESSIAN_NORM] = true;
    expect_refused(&b, &study, PLS_ERROR_UNSUPPORTED, "relu");
    study = study_of(&b);
    study.radius = 0.0;
    expect_refused(&b, &study, PLS_ERROR_CONFIG, "radius");
    study = study_of(&b);
    study.until = 1.0;
    expect_refused(&b, &study, PLS_ERROR_CONFIG, "until");
    study = study_of(&b);
    b.layers[1].type = PLS_LAYER_RESIDUAL_DENSE;
    b.layers[0].width = b.layers[1].width = 7;
    study.axes[PLS_AXIS_DEPTH] = (pls_axis_values){&deep, 1};
    expect_refused(&b, &study, PLS_ERROR_CONFIG, "chain of dense layers");
    tear_down(&b);
}

/* ---- quantities ---------------------------------------------------------------------------------
 */

/* The network of cell 0 at w_0, made by hand. */
static void make_system(base *b, const pls_study *study) {
    pls_network_options options = pls_network_options_defaults();
    options.precision = PLS_F64;
    options.seed = 0;
    network_check(&b->f, pls_network_system_create(b->f.device, study->model, study->data, &options,
                                                   &b->f.system));
    network_check(&b->f, pls_system_initialize(b->f.system));
}

static pls_measured *measure(base *b, const pls_study *study, int64_t cell) {
    static pls_measured values[PLS_QUANTITY_COUNT];
    pls_cell at = pls_study_cell(study, cell);
    network_check(&b->f, pls_study_measure(b->f.device, study, &at, values));
    return values;
}

Test(study, quantities_at_the_start) {
    base b = set_up(NULL);
    pls_study study = study_of(&b);
    enum { N = 5 };
    double rows[N * 128], kernel[N * N], largest = 0.0, norm = 0.0;
    pls_eigenvalue norms[2];
    pls_spectrum spectrum = {0};
    pls_infinite_width limit = {0};
    pls_kernel *made = NULL;
    for (int q = 0; q <= PLS_QUANTITY_LAMBDA_MAX; q++) {
        study.quantities[q] = true;
    }
    study.quantities[PLS_QUANTITY_INFINITE_DISTANCE] = study.quantities[PLS_QUANTITY_FILLING] =
        true;
    pls_measured *values = measure(&b, &study, 0);
    make_system(&b, &study);
    int64_t p = pls_system_parameters(b.f.system);
    cr_assert_leq(p, 128);
    network_check(&b.f, pls_system_jacobian(b.f.system, 0, N, rows));
    for (int64_t i = 0; i < N; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < p; j++) {
            sum += rows[i * p + j] * rows[i * p + j];
        }
        largest = fmax(largest, sqrt(sum));
    }
    network_check(&b.f, pls_output_hessian_norms(b.f.system, NULL, 2, NULL, norms));
    norm = fmax(norms[0].value, norms[1].value);
    network_check(&b.f, pls_kernel_create(b.f.system, NULL, &made));
    network_check(&b.f, pls_kernel_compute(made));
    network_check(&b.f, pls_kernel_download(made, kernel));
    network_check(&b.f, pls_kernel_spectrum(made, NULL, &spectrum));
    network_check(&b.f,
                  pls_infinite_width_compute(b.f.device, study.model, study.data, 0.0, &limit));
    cr_expect_lt(fabs(values[PLS_QUANTITY_GRADIENT_NORM].value / largest - 1.0), 1e-12);
    cr_expect_lt(fabs(values[PLS_QUANTITY_HESSIAN_NORM].value / norm - 1.0), 1e-3);
    cr_expect_lt(fabs(values[PLS_QUANTITY_LAMBDA_MIN].value / spectrum.lambda_min - 1.0), 1e-9);
    cr_expect_lt(fabs(values[PLS_QUANTITY_LAMBDA_MAX].value / spectrum.lambda_max - 1.0), 1e-9);
    cr_expect_lt(fabs(values[PLS_QUANTITY_INFINITE_DISTANCE].value -
                      pls_infinite_width_distance(&limit, 1, false, kernel)),
                 1e-12);
    cr_expect_float_eq(values[PLS_QUANTITY_FILLING].value, (double)p / N, 1e-12);
    /* Points farther away bend at least as much; Taylor's bound holds and is nearly attained. */
    cr_expect_geq(values[PLS_QUANTITY_HESSIAN_SPHERE].value, norm * (1.0 - 1e-3));
    cr_expect_leq(values[PLS_QUANTITY_TAYLOR_RATIO].value, 1.0);
    cr_expect_gt(values[PLS_QUANTITY_TAYLOR_RATIO].value, 0.3);
    cr_expect_gt(values[PLS_QUANTITY_NONLINEARITY].value, 0.0);
    pls_infinite_width_destroy(b.f.context, &limit);
    pls_spectrum_destroy(b.f.context, &spectrum);
    pls_kernel_destroy(made);
    pls_system_destroy(b.f.system);
    tear_down(&b);
}

/* Close to w_0, |F - F_lin| is half the quadratic form of the most curved direction. */
Test(study, nonlinearity_is_that_of_the_hessian) {
    base b = set_up(NULL);
    pls_study study = study_of(&b);
    study.radius = 1e-3;
    study.directions = 3;
    study.hessian_samples = 1;
    study.quantities[PLS_QUANTITY_NONLINEARITY] = study.quantities[PLS_QUANTITY_HESSIAN_NORM] =
        true;
    b.f.data.samples = 1;
    pls_measured *values = measure(&b, &study, 0);
    double expected = 0.5e-6 * values[PLS_QUANTITY_HESSIAN_NORM].value;
    cr_expect_lt(fabs(values[PLS_QUANTITY_NONLINEARITY].value / expected - 1.0), 0.05);
    b.f.data.samples = 5;
    tear_down(&b);
}

typedef struct seen {
    double change, least, most, first;
} seen;

static pls_status see(void *user, const pls_record *record, const pls_progress *progress) {
    seen *s = user;
    (void)progress;
    if (record->measured) {
        s->first = record->step == 0 ? record->lambda_min : s->first;
        s->change = fmax(s->change, record->kernel_change);
        s->least = fmin(s->least, record->lambda_min);
        s->most = fmax(s->most, record->lambda_min);
    }
    return PLS_OK;
}

Test(study, quantities_along_the_path) {
    base b = set_up(NULL);
    pls_study study = study_of(&b);
    seen s = {.least = INFINITY};
    pls_train_options options = pls_train_options_defaults();
    pls_train_result result;
    for (int q = PLS_QUANTITY_KERNEL_CHANGE; q <= PLS_QUANTITY_FLATNESS; q++) {
        study.quantities[q] = true;
    }
    study.radius = 1e-9; /* the sphere adds nothing to what is met on the path */
    study.until = 0.0;
    pls_measured *values = measure(&b, &study, 0);
    make_system(&b, &study);
    options.steps = 20;
    options.measure_every = 5;
    options.observer = see;
    options.observer_user = &s;
    memset(&result, 0, sizeof result);
    network_check(&b.f, pls_train(b.f.system, &options, &result));
    cr_expect_float_eq(values[PLS_QUANTITY_KERNEL_CHANGE].value, s.change, 1e-12);
    cr_expect_float_eq(values[PLS_QUANTITY_DISTANCE].value, result.last.distance, 1e-12);
    cr_expect_float_eq(values[PLS_QUANTITY_FINAL_LOSS].value, result.last.loss / result.first.loss,
                       1e-12);
    cr_expect_float_eq(values[PLS_QUANTITY_LOSS_PEAK].value, 1.0, 1e-12);
    cr_expect_float_eq(values[PLS_QUANTITY_MU_LOSS].value, 1.0 - s.least / s.first, 1e-6);
    cr_expect_float_eq(values[PLS_QUANTITY_MU_CHANGE].value,
                       fmax(1.0 - s.least / s.first, s.most / s.first - 1.0), 1e-6);
    cr_expect_float_eq(values[PLS_QUANTITY_PL_RATIO_END].value, result.last.pl_ratio, 1e-12);
    cr_expect_gt(values[PLS_QUANTITY_RATE].value, 0.0);
    cr_expect(isnan(values[PLS_QUANTITY_STEPS].value));
    cr_expect_str_eq(values[PLS_QUANTITY_STEPS].reason, "the loss asked for was not reached");
    pls_train_result_destroy(b.f.context, &result);
    pls_system_destroy(b.f.system);
    tear_down(&b);
}

/* A path that diverges has the values that it had. */
Test(study, divergence_is_a_value) {
    static const int64_t step = 20000;
    base b = set_up(NULL);
    pls_study study = study_of(&b);
    b.layers[0].activation = b.layers[1].activation = PLS_IDENTITY;
    study.steps = 500;
    study.axes[PLS_AXIS_STEP] = (pls_axis_values){&step, 1};
    study.quantities[PLS_QUANTITY_FINAL_LOSS] = study.quantities[PLS_QUANTITY_LOSS_PEAK] = true;
    pls_measured *values = measure(&b, &study, 0);
    cr_expect_str_eq(values[PLS_QUANTITY_FINAL_LOSS].reason, "gradient descent diverged");
    cr_expect(values[PLS_QUANTITY_LOSS_PEAK].reason != NULL ||
              values[PLS_QUANTITY_LOSS_PEAK].value > 10.0);
    tear_down(&b);
}

/* ---- fits
 * ---------------------------------------------------------------------------------------- */

/* count seeds at each of 5 widths, y = 3 x^-1/2 exp(noise). */
static void draw(double *x, double *y, int64_t seeds, double noise, uint64_t seed) {
    for (int64_t i = 0; i < 5 * seeds; i++) {
        pls_random_stream stream = {seed, PLS_RANDOM_TEST, 0};
        double u = pls_random_uniform_at(stream, (uint64_t)(2 * i)),
               v = pls_random_uniform_at(stream, (uint64_t)(2 * i + 1));
        x[i] = (double)(64 << (i / seeds));
        y[i] = 3.0 / sqrt(x[i]) * exp(noise * sqrt(-2.0 * log(1.0 - u)) * cos(6.283185307 * v));
    }
}

Test(study, fits_recover_a_power) {
    pls_context *context = support_context(NULL);
    double x[50], y[50];
    pls_fit fit, again;
    draw(x, y, 4, 0.0, 1);
    cr_assert_eq(pls_fit_power(context, x, y, 20, false, 200, 7, &fit), PLS_OK);
    cr_expect_float_eq(fit.slope, -0.5, 1e-12);
    cr_expect_float_eq(exp(fit.intercept), 3.0, 1e-10);
    cr_expect_float_eq(fit.low, -0.5, 1e-12);
    cr_expect_eq(fit.groups, 5);
    for (int i = 0; i < 20; i++) {
        y[i] *= sqrt(log(x[i]));
    }
    cr_assert_eq(pls_fit_power(context, x, y, 20, true, 200, 7, &fit), PLS_OK);
    cr_expect_float_eq(fit.slope, -0.5, 1e-12);
    int inside = 0;
    for (uint64_t trial = 0; trial < 300; trial++) {
        draw(x, y, 6, 0.2, trial);
        cr_assert_eq(pls_fit_power(context, x, y, 30, false, 300, 7, &fit), PLS_OK);
        inside += fit.low <= -0.5 && -0.5 <= fit.high;
    }
    cr_expect_geq(inside, 270, "%d of 300 intervals held the truth", inside);
    cr_expect_lt(inside, 300);
    cr_assert_eq(pls_fit_power(context, x, y, 30, false, 300, 7, &again), PLS_OK);
    cr_expect_eq(memcmp(&fit, &again, sizeof fit), 0);
    pls_context_destroy(context);
}

Test(study, fits_weigh_and_leave_out) {
    pls_context *context = support_context(NULL);
    double x[50], y[50];
    pls_fit fit;
    draw(x, y, 4, 1e-3, 2);
    for (int i = 16; i < 20; i++) {
        y[i] *= i % 2 == 0 ? 1.0 : 20.0; /* a group that knows nothing */
    }
    cr_assert_eq(pls_fit_power(context, x, y, 20, false, 200, 7, &fit), PLS_OK);
    double widest = fabs(fit.slope + 0.5);
    cr_expect_lt(widest, 0.25, "%g", widest); /* 0.43 if it weighed as much as the others */
    draw(x, y, 4, 0.1, 3);
    y[0] = NAN;
    y[1] = -1.0;
    y[5] = 0.0;
    y[9] = INFINITY;
    cr_assert_eq(pls_fit_power(context, x, y, 20, false, 200, 7, &fit), PLS_OK);
    cr_expect_eq(fit.left_out, 4);
    cr_expect_eq(fit.points, 16);
    cr_assert_eq(pls_fit_power(context, x, y, 4, false, 200, 7, &fit), PLS_OK);
    cr_expect(isnan(fit.slope) && isnan(fit.low));
    x[0] = 0.0;
    SUPPORT_EXPECT_ERROR(context, pls_fit_power(context, x, y, 20, false, 200, 7, &fit),
                         PLS_ERROR_ARGUMENT, "x = 0");
    x[0] = 64.0;
    SUPPORT_EXPECT_ERROR(context, pls_fit_power(context, x, y, 20, false, 99, 7, &fit),
                         PLS_ERROR_ARGUMENT, "resamples");
    /* A curve is no power: the groups lie off the line, and the interval says so. */
    for (int i = 0; i < 20; i++) {
        double at = log(x[i] / 64.0);
        y[i] = exp(-at * at + 1e-3 * (i % 4));
    }
    cr_assert_eq(pls_fit_power(context, x, y, 20, false, 200, 7, &fit), PLS_OK);
    cr_expect_gt(fit.misfit, 10.0);
    pls_context_destroy(context);
}

/* ---- in a folder
 * ---------------------------------------------------------------------------------- */

static char *read_all(const char *folder, const char *name) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "rb");
    cr_assert(stream != NULL, "%s", path);
    char *text = calloc(1, 1 << 20);
    size_t size = fread(text, 1, (1 << 20) - 1, stream);
    cr_assert_gt(size, 0);
    fclose(stream);
    return text;
}

static pls_study growing_study(base *b, const int64_t *widths, int64_t count) {
    static const int64_t seeds[] = {0, 1};
    pls_study study = study_of(b);
    study.axes[PLS_AXIS_WIDTH] = (pls_axis_values){widths, count};
    study.axes[PLS_AXIS_SEED] = (pls_axis_values){seeds, 2};
    study.steps = 5;
    for (int q = 0; q < PLS_QUANTITY_COUNT; q++) {
        study.quantities[q] = true;
    }
    return study;
}

static pls_study_run_options run_options(const support_folder *folder, int64_t side_by_side) {
    pls_study_run_options options = pls_study_run_options_defaults();
    const char *device = support_device(1).name;
    options.folder = folder->path;
    options.device = device;
    options.side_by_side = side_by_side;
    options.resamples = 100;
    return options;
}

/* The folder jobs of a folder, and what is in it. */
static void remove_jobs(const support_folder *folder) {
    support_folder jobs;
    snprintf(jobs.path, sizeof jobs.path, "%.50s/jobs", folder->path);
    support_folder_destroy(&jobs);
}

static void remove_study(support_folder *folder) {
    remove_jobs(folder);
    support_folder_destroy(folder);
}

/* However it came about, a study has the same tables. */
Test(study, tables_do_not_depend_on_the_course) {
    static const int64_t widths[] = {4, 6, 8};
    base b = set_up(NULL);
    support_folder at_once = support_folder_create(), grown = support_folder_create();
    pls_study study = growing_study(&b, widths, 3);
    pls_study_run_options options = run_options(&at_once, 2);
    pls_study_progress progress;
    network_check(&b.f, pls_study_run(b.f.context, &study, &options, &progress));
    cr_expect_eq(progress.measured, 6);
    options = run_options(&grown, 1);
    pls_study small = growing_study(&b, widths + 1, 1);
    network_check(&b.f, pls_study_run(b.f.context, &small, &options, &progress));
    cr_expect_eq(progress.measured, 2);
    options.memory = 1; /* nothing fits, so one is measured at a time */
    options.side_by_side = 3;
    network_check(&b.f, pls_study_run(b.f.context, &study, &options, &progress));
    cr_expect_eq(progress.found, 2);
    cr_expect_eq(progress.measured, 4);
    const char *const names[] = {"study.csv", "fits.csv"};
    for (int i = 0; i < 2; i++) {
        char *first = read_all(at_once.path, names[i]), *second = read_all(grown.path, names[i]);
        cr_expect_str_eq(first, second, "%s", names[i]);
        free(first);
        free(second);
    }
    /* Another study does not mix with this one. */
    study.radius = 2.0;
    SUPPORT_EXPECT_ERROR(b.f.context, pls_study_run(b.f.context, &study, &options, NULL),
                         PLS_ERROR_CONFIG, "another radius");
    study.radius = 1.0;
    b.f.data.targets[0] += 1.0;
    SUPPORT_EXPECT_ERROR(b.f.context, pls_study_run(b.f.context, &study, &options, NULL),
                         PLS_ERROR_CONFIG, "another data");
    remove_study(&at_once);
    remove_study(&grown);
    tear_down(&b);
}

/* The most threads that the BLAS had whenever the study told of itself. */
static void watch_blas(void *user, const pls_study_progress *progress) {
    int *most = user, now = openblas_get_num_threads();
    (void)progress;
    *most = now > *most ? now : *most;
}

/* A worker that is done must not give the BLAS its threads back while others use it. */
Test(study, workers_leave_the_blas_alone) {
    static const int64_t widths[] = {4, 6, 8};
    int most = 0;
    base b = set_up(NULL);
    support_folder folder = support_folder_create();
    pls_study study = growing_study(&b, widths, 3);
    pls_study_run_options options = run_options(&folder, 2);
    options.observer = watch_blas;
    options.observer_user = &most;
    openblas_set_num_threads(2);
    network_check(&b.f, pls_study_run(b.f.context, &study, &options, NULL));
    cr_expect_eq(openblas_get_num_threads(), 2);
    if (strcmp(options.device, "cpu") == 0) {
        cr_expect_eq(most, 1);
    }
    remove_study(&folder);
    tear_down(&b);
}

static bool stop_now(void *user) {
    int *questions = user;
    return ++*questions > 40;
}

Test(study, stops_when_asked) {
    static const int64_t widths[] = {4, 6, 8};
    int questions = 0;
    pls_hooks hooks = {.user = &questions, .cancelled = stop_now};
    base b = set_up(NULL);
    support_folder folder = support_folder_create();
    pls_context *context = NULL;
    cr_assert_eq(pls_context_create(&hooks, &context), PLS_OK);
    pls_study study = growing_study(&b, widths, 3);
    pls_study_run_options options = run_options(&folder, 2);
    SUPPORT_EXPECT_ERROR(context, pls_study_run(context, &study, &options, NULL), PLS_CANCELLED,
                         "asked to");
    free(read_all(folder.path, "study.csv"));
    pls_context_destroy(context);
    remove_study(&folder);
    tear_down(&b);
}

static pls_status run_once(pls_context *context, void *user) {
    static const int64_t widths[] = {3};
    support_folder *folder = user;
    static base b;
    remove_jobs(folder);
    if (b.f.context == NULL) {
        b = set_up(NULL);
    }
    pls_study study = growing_study(&b, widths, 1);
    for (int q = 0; q < PLS_QUANTITY_COUNT; q++) {
        study.quantities[q] = q == PLS_QUANTITY_NONLINEARITY || q == PLS_QUANTITY_RATE;
    }
    study.steps = 2;
    study.directions = 2;
    pls_study_run_options options = run_options(folder, 2);
    return pls_study_run(context, &study, &options, NULL);
}

Test(study, survives_the_failure_of_any_allocation) {
    support_folder folder = support_folder_create();
    support_survive_each_allocation(run_once, &folder);
    remove_study(&folder);
}
