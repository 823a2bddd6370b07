/* Studies: the networks of their cells, what is measured of them against the engine asked directly,
 * fits of known powers, and folders that survive interruptions. */
#include "base/philox.h"
#include "study/direction.h"
#include "study/study.h"

#include "networks.h"

#include <cblas.h>
#include <math.h>

typedef struct base {
    network_fixture f; /* context, device and data; no system */
    pls_layer_spec layers[4];
    pls_model model;
} base;

static base set_up_with(int64_t outputs) {
    base b;
    pls_data_options data = pls_data_options_defaults();
    pls_device_options device = support_device(1);
    memset(&b, 0, sizeof b);
    b.f.context = support_context(NULL);
    network_check(&b.f, pls_device_open(b.f.context, &device, &b.f.device));
    data.source = "sphere";
    data.samples = 5;
    data.dimension = 4;
    data.outputs = outputs;
    network_check(&b.f, pls_dataset_load(b.f.context, &data, &b.f.data));
    b.layers[0] = (pls_layer_spec){.type = PLS_LAYER_DENSE, .width = 9, .activation = PLS_TANH};
    b.layers[1] = (pls_layer_spec){.type = PLS_LAYER_DENSE, .width = 7, .activation = PLS_SIN};
    b.layers[2] = (pls_layer_spec){.type = PLS_LAYER_DENSE, .width = outputs};
    b.model = pls_model_defaults();
    b.model.input_rank = 1;
    b.model.input_shape[0] = 4;
    b.model.layer_count = 3;
    return b;
}

static base set_up(void) {
    return set_up_with(1);
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
    base b = set_up();
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
    base b = set_up();
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
    base b = set_up();
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

/* Numbers that cannot be counted, and data that the networks do not take. */
Test(study, refuses_what_does_not_fit) {
    static const int64_t abyss[] = {INT64_MAX}, deep[] = {(1 << 16) + 1};
    base b = set_up();
    pls_study study = study_of(&b);
    study.axes[PLS_AXIS_DEPTH] = (pls_axis_values){deep, 1};
    expect_refused(&b, &study, PLS_ERROR_CONFIG, "depth 65537: out of the range");
    study.axes[PLS_AXIS_DEPTH] = (pls_axis_values){abyss, 1};
    expect_refused(&b, &study, PLS_ERROR_CONFIG, "depth 9223372036854775807: out of the range");
    study = study_of(&b);
    study.axes[PLS_AXIS_WIDTH] = (pls_axis_values){abyss, 1};
    expect_refused(&b, &study, PLS_ERROR_CONFIG, "64 bits");
    study = study_of(&b);
    b.f.data.outputs = 2;
    expect_refused(&b, &study, PLS_ERROR_CONFIG,
                   "gives 1, but the data has inputs of 4 and targets of 2");
    b.f.data.outputs = 1;
    b.model.input_shape[0] = 5;
    expect_refused(&b, &study, PLS_ERROR_CONFIG, "takes 5 numbers");
    tear_down(&b);
}

/* ---- quantities ---------------------------------------------------------------------------------
 */

/* The network of the first seed at w_0, made by hand. */
static void make_system(base *b, const pls_study *study) {
    pls_network_options options = pls_network_options_defaults();
    options.precision = PLS_F64;
    options.seed = (uint64_t)study->axes[PLS_AXIS_SEED].values[0];
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
    base b = set_up_with(2);
    pls_study study = study_of(&b);
    enum { N = 10 };
    double rows[N * 128], kernel[N * N], largest = 0.0, norm = 0.0;
    pls_eigenvalue norms[4];
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
    network_check(&b.f, pls_system_jacobian(b.f.system, 0, N / 2, rows));
    for (int64_t i = 0; i < N; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < p; j++) {
            sum += rows[i * p + j] * rows[i * p + j];
        }
        largest = fmax(largest, sqrt(sum));
    }
    network_check(&b.f, pls_output_hessian_norms(b.f.system, NULL, 2, NULL, norms));
    for (int i = 0; i < 4; i++) {
        norm = fmax(norm, norms[i].value);
    }
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
                      pls_infinite_width_distance(&limit, 2, false, kernel)),
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
    base b = set_up();
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

/* w_0 and the steepest direction there. */
static void look_around(base *b, double *origin, double *outputs, double *u) {
    pls_point at;
    network_check(&b->f, pls_system_get_weights(b->f.system, origin));
    network_check(&b->f, pls_system_measure(b->f.system, PLS_LOSS_SQUARE, &at, outputs, u));
    cr_assert(pls_normalize(u, pls_system_parameters(b->f.system)));
}

/* ||H_i|| of two samples at origin + t u. */
static void bend_at(base *b, const double *origin, double t, const double *u, double norms[2]) {
    pls_eigenvalue there[2];
    double point[128];
    network_check(&b->f, pls_move_along(b->f.system, origin, t, u, point));
    network_check(&b->f, pls_output_hessian_norms(b->f.system, NULL, 2, NULL, there));
    norms[0] = there[0].value;
    norms[1] = there[1].value;
}

/* With the steepest direction alone, from the explicit Jacobian. Between them the seeds have the
 * largest Hessian at either end of the segment, and within it. */
Test(study, taylor_by_hand) {
    static const double radius = 4.0;
    enum { N = 5, PLACES = 4 };
    base b = set_up();
    int largest[PLACES] = {0};
    for (int64_t seed = 0; seed < 12; seed++) {
        double rows[N * 128], origin[128], u[128], f[N], there[N], norms[PLACES][2];
        double gap = 0.0, ratio = 0.0, sphere = 0.0;
        pls_study study = study_of(&b);
        pls_point at;
        study.axes[PLS_AXIS_SEED] = (pls_axis_values){&seed, 1};
        study.radius = radius;
        study.directions = 1;
        study.quantities[PLS_QUANTITY_HESSIAN_SPHERE] =
            study.quantities[PLS_QUANTITY_NONLINEARITY] =
                study.quantities[PLS_QUANTITY_TAYLOR_RATIO] = true;
        pls_measured *values = measure(&b, &study, 0);
        make_system(&b, &study);
        int64_t p = pls_system_parameters(b.f.system);
        network_check(&b.f, pls_system_jacobian(b.f.system, 0, N, rows));
        look_around(&b, origin, f, u);
        for (int place = 0; place < PLACES; place++) {
            bend_at(&b, origin, radius * place / (PLACES - 1), u, norms[place]);
        }
        network_check(&b.f, pls_system_measure(b.f.system, PLS_LOSS_SQUARE, &at, there, NULL));
        for (int i = 0; i < N; i++) {
            double slope = 0.0;
            for (int64_t j = 0; j < p; j++) {
                slope += rows[i * p + j] * u[j];
            }
            double apart = fabs(there[i] - f[i] - radius * slope);
            gap = fmax(gap, apart);
            if (i < 2) {
                int most = 0;
                for (int place = 1; place < PLACES; place++) {
                    most = norms[place][i] > norms[most][i] ? place : most;
                }
                largest[most]++;
                ratio = fmax(ratio, apart / (0.5 * radius * radius * norms[most][i]));
                sphere = fmax(sphere, norms[most][i]);
            }
        }
        cr_expect_lt(fabs(values[PLS_QUANTITY_NONLINEARITY].value / gap - 1.0), 1e-9);
        cr_expect_lt(fabs(values[PLS_QUANTITY_TAYLOR_RATIO].value / ratio - 1.0), 1e-3);
        cr_expect_lt(fabs(values[PLS_QUANTITY_HESSIAN_SPHERE].value / sphere - 1.0), 1e-3);
        cr_expect_leq(values[PLS_QUANTITY_TAYLOR_RATIO].value, 1.0);
        pls_system_destroy(b.f.system);
    }
    cr_expect(largest[0] > 0 && largest[1] + largest[2] > 0 && largest[3] > 0, "%d, %d, %d, %d",
              largest[0], largest[1], largest[2], largest[3]);
    tear_down(&b);
}

/* On a path of one tiny step mu changes by what the sphere does to it: up for some seeds, down for
 * others. */
Test(study, mu_on_the_sphere_by_hand) {
    static const int64_t tiny = 1;
    base b = set_up();
    int risen = 0, fallen = 0;
    for (int64_t seed = 0; seed < 8; seed++) {
        double origin[128], u[128], f[5], point[128], mu[2];
        pls_study study = study_of(&b);
        pls_kernel *kernel = NULL;
        study.axes[PLS_AXIS_SEED] = (pls_axis_values){&seed, 1};
        study.axes[PLS_AXIS_STEP] = (pls_axis_values){&tiny, 1};
        study.steps = study.directions = 1;
        study.quantities[PLS_QUANTITY_MU_LOSS] = study.quantities[PLS_QUANTITY_MU_CHANGE] = true;
        pls_measured *values = measure(&b, &study, 0);
        make_system(&b, &study);
        look_around(&b, origin, f, u);
        network_check(&b.f, pls_kernel_create(b.f.system, NULL, &kernel));
        for (int i = 0; i < 2; i++) {
            pls_spectrum spectrum = {0};
            network_check(&b.f, pls_move_along(b.f.system, origin, i, u, point));
            network_check(&b.f, pls_kernel_compute(kernel));
            network_check(&b.f, pls_kernel_spectrum(kernel, NULL, &spectrum));
            mu[i] = spectrum.lambda_min;
            pls_spectrum_destroy(b.f.context, &spectrum);
        }
        double change = mu[1] / mu[0] - 1.0;
        cr_expect_lt(fabs(values[PLS_QUANTITY_MU_CHANGE].value - fabs(change)), 0.02);
        cr_expect_lt(fabs(values[PLS_QUANTITY_MU_LOSS].value - fmax(0.0, -change)), 0.02);
        risen += change > 0.1;
        fallen += change < -0.1;
        pls_kernel_destroy(kernel);
        pls_system_destroy(b.f.system);
    }
    cr_expect(risen > 0 && fallen > 0, "%d and %d", risen, fallen);
    tear_down(&b);
}

/* The curved directions bend up and down nearly as much as any; all have norm 1, none is twice. */
Test(study, directions) {
    base b = set_up();
    pls_study study = study_of(&b);
    pls_directions d = {0};
    enum { COUNT = 5 };
    double seen[COUNT][128], bent[128], norm = 0.0;
    pls_eigenvalue largest;
    make_system(&b, &study);
    network_check(&b.f, pls_directions_create(b.f.context, b.f.system, 3, NULL, &d));
    network_check(&b.f, pls_output_hessian_norms(b.f.system, NULL, 1, NULL, &largest));
    for (int i = 0; i < COUNT; i++) {
        network_check(&b.f, pls_directions_choose(&d, i));
        memcpy(seen[i], d.direction, (size_t)d.parameters * sizeof(double));
        cr_expect_float_eq(pls_host_norm(seen[i], d.parameters), 1.0, 1e-12);
        for (int j = 0; j < i; j++) {
            double inner = 0.0;
            for (int64_t e = 0; e < d.parameters; e++) {
                inner += seen[i][e] * seen[j][e];
            }
            cr_expect_lt(fabs(inner), 0.9, "%d, %d: %g", i, j, inner);
        }
        if (i == 1 || i == 2) {
            double curvature = 0.0;
            network_check(&b.f, pls_output_hessian_product(b.f.system, 0, 0, NULL, seen[i], bent));
            for (int64_t e = 0; e < d.parameters; e++) {
                curvature += seen[i][e] * bent[e];
            }
            cr_expect_gt(i == 1 ? curvature : -curvature, 0.5 * largest.value, "%d: %g", i,
                         curvature);
            norm = fmax(norm, fabs(curvature));
        }
    }
    cr_expect_gt(norm, 0.98 * largest.value, "%g of %g", norm, largest.value);
    cr_expect_leq(norm, largest.value * (1.0 + 1e-9));
    pls_directions_destroy(&d);
    pls_system_destroy(b.f.system);
    tear_down(&b);
}

/* A linear network in fewer dimensions than samples has a singular kernel. */
/* Numbers whose squares leave the range have a direction all the same. */
Test(study, directions_of_any_size) {
    double huge[] = {3e200, -4e200}, tiny[] = {3e-200, 4e-200}, none[] = {0.0, 0.0},
           endless[] = {1.0, INFINITY};
    cr_expect(pls_normalize(huge, 2));
    cr_expect_float_eq(huge[0], 0.6, 1e-15);
    cr_expect_float_eq(huge[1], -0.8, 1e-15);
    cr_expect(pls_normalize(tiny, 2));
    cr_expect_float_eq(tiny[1], 0.8, 1e-15);
    cr_expect_not(pls_normalize(none, 2));
    cr_expect_not(pls_normalize(endless, 2));
}

Test(study, what_lies_below_the_floor_has_no_value) {
    base b = set_up();
    pls_study study = study_of(&b);
    b.layers[0].activation = b.layers[1].activation = PLS_IDENTITY;
    static const pls_quantity hidden[] = {PLS_QUANTITY_LAMBDA_MIN, PLS_QUANTITY_MU_LOSS,
                                          PLS_QUANTITY_MU_CHANGE};
    for (int i = 0; i < 3; i++) {
        study.quantities[hidden[i]] = true;
    }
    study.quantities[PLS_QUANTITY_LAMBDA_MAX] = true;
    pls_measured *values = measure(&b, &study, 0);
    for (int i = 0; i < 3; i++) {
        cr_expect(isnan(values[hidden[i]].value));
        cr_assert(values[hidden[i]].reason != NULL);
        cr_expect_str_eq(values[hidden[i]].reason, "lambda_min lies below its floor");
    }
    cr_expect_gt(values[PLS_QUANTITY_LAMBDA_MAX].value, 0.0);
    cr_expect_gt(values[PLS_QUANTITY_LAMBDA_MAX].error, 0.0);
    tear_down(&b);
}

typedef struct seen {
    double change, least, most, first;
    double losses[64];
    int64_t count;
} seen;

static pls_status see(void *user, const pls_record *record, const pls_progress *progress) {
    seen *s = user;
    (void)progress;
    s->losses[s->count++] = record->loss;
    if (record->measured) {
        s->first = record->step == 0 ? record->lambda_min : s->first;
        s->change = fmax(s->change, record->kernel_change);
        s->least = fmin(s->least, record->lambda_min);
        s->most = fmax(s->most, record->lambda_min);
    }
    return PLS_OK;
}

/* sum (t - mean t) (-log L_t) / sum (t - mean t)^2 */
static double rate_of(const seen *s) {
    double middle = 0.5 * (double)(s->count - 1), above = 0.0, below = 0.0;
    for (int64_t t = 0; t < s->count; t++) {
        above -= ((double)t - middle) * log(s->losses[t]);
        below += ((double)t - middle) * ((double)t - middle);
    }
    return above / below;
}

Test(study, quantities_along_the_path) {
    static const int64_t step = 800;
    base b = set_up();
    pls_study study = study_of(&b);
    seen s = {.least = INFINITY};
    pls_train_options options = pls_train_options_defaults();
    pls_train_result result;
    for (int q = PLS_QUANTITY_KERNEL_CHANGE; q <= PLS_QUANTITY_FLATNESS; q++) {
        study.quantities[q] = true;
    }
    study.radius = 1e-9; /* the sphere adds nothing to what is met on the path */
    study.until = 0.0;
    study.axes[PLS_AXIS_STEP] = (pls_axis_values){&step, 1};
    pls_measured *values = measure(&b, &study, 0);
    make_system(&b, &study);
    options.step_size = 0.8;
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
    cr_expect_float_eq(values[PLS_QUANTITY_FLATNESS].value,
                       result.spectrum.lambda_max / result.first_spectrum.lambda_max, 1e-12);
    cr_expect_float_eq(values[PLS_QUANTITY_RATE].value, rate_of(&s), 1e-10);
    cr_expect(isnan(values[PLS_QUANTITY_STEPS].value));
    cr_expect_str_eq(values[PLS_QUANTITY_STEPS].reason, "the loss asked for was not reached");
    pls_train_result_destroy(b.f.context, &result);
    pls_system_destroy(b.f.system);
    tear_down(&b);
}

/* The path ends where the loss has fallen far enough. */
Test(study, the_path_ends_where_it_was_asked_to) {
    base b = set_up();
    pls_study study = study_of(&b);
    seen s = {.least = INFINITY};
    pls_train_options options = pls_train_options_defaults();
    pls_train_result result;
    study.until = 0.25;
    study.quantities[PLS_QUANTITY_STEPS] = study.quantities[PLS_QUANTITY_FINAL_LOSS] =
        study.quantities[PLS_QUANTITY_RATE] = true;
    pls_measured *values = measure(&b, &study, 0);
    make_system(&b, &study);
    options.steps = 20;
    options.observer = see;
    options.observer_user = &s;
    memset(&result, 0, sizeof result);
    network_check(&b.f, pls_train(b.f.system, &options, &result));
    int64_t reached = 0;
    while (reached < s.count - 1 && s.losses[reached] > 0.25 * s.losses[0]) {
        reached++;
    }
    cr_assert(reached > 1 && reached < 19, "%lld", (long long)reached);
    s.count = reached + 1;
    cr_expect_eq(values[PLS_QUANTITY_STEPS].value, (double)reached);
    cr_expect_float_eq(values[PLS_QUANTITY_FINAL_LOSS].value, s.losses[reached] / s.losses[0],
                       1e-12);
    cr_expect_float_eq(values[PLS_QUANTITY_RATE].value, rate_of(&s), 1e-10);
    pls_train_result_destroy(b.f.context, &result);
    pls_system_destroy(b.f.system);
    tear_down(&b);
}

/* A path that diverges has a peak, and a reason for all the rest. Three samples, for a kernel that
 * is not singular. */
Test(study, divergence_is_a_value) {
    static const int64_t step = 20000;
    base b = set_up();
    pls_study study = study_of(&b);
    b.layers[0].activation = b.layers[1].activation = PLS_IDENTITY;
    b.f.data.samples = 3;
    study.steps = 500;
    study.axes[PLS_AXIS_STEP] = (pls_axis_values){&step, 1};
    for (int q = PLS_QUANTITY_KERNEL_CHANGE; q <= PLS_QUANTITY_FLATNESS; q++) {
        study.quantities[q] = true;
    }
    pls_measured *values = measure(&b, &study, 0);
    for (int q = PLS_QUANTITY_KERNEL_CHANGE; q <= PLS_QUANTITY_FLATNESS; q++) {
        if (q != PLS_QUANTITY_LOSS_PEAK) {
            cr_expect(isnan(values[q].value));
            cr_assert(values[q].reason != NULL, "%s", pls_quantity_name((pls_quantity)q));
            cr_expect_str_eq(values[q].reason, "gradient descent diverged");
        }
    }
    cr_expect(values[PLS_QUANTITY_LOSS_PEAK].reason != NULL ||
              values[PLS_QUANTITY_LOSS_PEAK].value >= 1e6);
    tear_down(&b);
}

/* The bits of a value depend neither on what else is asked for nor on threads. */
Test(study, values_do_not_depend_on_their_company) {
    base b = set_up();
    pls_study study = study_of(&b);
    pls_device_options options = support_device(3);
    pls_measured all[PLS_QUANTITY_COUNT];
    for (int q = 0; q < PLS_QUANTITY_COUNT; q++) {
        study.quantities[q] = true;
    }
    memcpy(all, measure(&b, &study, 0), sizeof all);
    pls_device_close(b.f.device);
    network_check(&b.f, pls_device_open(b.f.context, &options, &b.f.device));
    for (int asked = 0; asked < PLS_QUANTITY_COUNT; asked++) {
        for (int q = 0; q < PLS_QUANTITY_COUNT; q++) {
            study.quantities[q] = q == asked;
        }
        pls_measured *values = measure(&b, &study, 0);
        for (int q = 0; q < PLS_QUANTITY_COUNT; q++) {
            pls_measured expected = q == asked ? all[q] : (pls_measured){0};
            cr_expect_eq(memcmp(&values[q].value, &expected.value, sizeof(double)), 0,
                         "%s alone: %s is %.17g, not %.17g", pls_quantity_name((pls_quantity)asked),
                         pls_quantity_name((pls_quantity)q), values[q].value, expected.value);
            cr_expect_eq(values[q].reason, expected.reason);
            cr_expect_eq(values[q].error, expected.error);
        }
    }
    tear_down(&b);
}

/* ---- memory ------------------------------------------------------------------------------------
 */

typedef struct meter {
    int64_t live, most;
} meter;

static void *meter_allocate(void *user, size_t bytes) {
    meter *m = user;
    size_t *memory = malloc(bytes + 2 * sizeof *memory);
    if (memory == NULL) {
        return NULL;
    }
    *memory = bytes;
    m->live += (int64_t)bytes;
    m->most = m->live > m->most ? m->live : m->most;
    return memory + 2;
}

static void meter_release(void *user, void *memory) {
    meter *m = user;
    size_t *block = (size_t *)memory - 2;
    m->live -= (int64_t)*block;
    free(block);
}

/* Each quantity alone, and all of them, must stay below what was said before, which where a cell is
 * not small must not be far too much. */
static void expect_bound(const pls_model *model, const pls_data_options *data, const char *what) {
    meter m = {0};
    pls_hooks hooks = {.user = &m, .allocate = meter_allocate, .release = meter_release};
    network_fixture f = {0};
    pls_device_options options = support_device(1);
    pls_study study = pls_study_defaults();
    cr_assert_eq(pls_context_create(&hooks, &f.context), PLS_OK);
    network_check(&f, pls_device_open(f.context, &options, &f.device));
    network_check(&f, pls_dataset_load(f.context, data, &f.data));
    study.model = model;
    study.data = &f.data;
    study.steps = study.hessian_samples = 1;
    study.directions = 2;
    pls_cell cell = pls_study_cell(&study, 0);
    for (int asked = 0; asked <= PLS_QUANTITY_COUNT; asked++) {
        pls_measured values[PLS_QUANTITY_COUNT];
        int64_t bound = 0, before = m.live;
        for (int q = 0; q < PLS_QUANTITY_COUNT; q++) {
            study.quantities[q] = q == asked || asked == PLS_QUANTITY_COUNT;
        }
        network_check(&f, pls_study_bytes(f.context, &study, &cell, &bound));
        m.most = before;
        network_check(&f, pls_study_measure(f.device, &study, &cell, values));
        int64_t used = m.most - before;
        const char *name =
            asked == PLS_QUANTITY_COUNT ? "all" : pls_quantity_name((pls_quantity)asked);
        cr_expect_leq(used, bound, "%s, %s: %lld bytes, not %lld", what, name, (long long)used,
                      (long long)bound);
        if (strcmp(options.name, "cpu") == 0 && asked != PLS_QUANTITY_INFINITE_DISTANCE &&
            asked != PLS_QUANTITY_COUNT && used > (8 << 20)) {
            cr_expect_leq(bound, 4 * used, "%s, %s: %lld bytes, not %lld", what, name,
                          (long long)used, (long long)bound);
        }
        cr_expect_eq(m.live, before);
    }
    network_take_down(&f);
    pls_context_destroy(f.context);
}

Test(study, bytes_are_an_upper_bound) {
    pls_layer_spec dense[] = {{PLS_LAYER_DENSE, 300, PLS_TANH, 0, 0, 0},
                              {PLS_LAYER_DENSE, 300, PLS_TANH, 0, 0, 0},
                              {PLS_LAYER_DENSE, 1, PLS_IDENTITY, 0, 0, 0}};
    pls_layer_spec images[] = {{PLS_LAYER_CONV, 0, PLS_TANH, 3, 3, 0},
                               {PLS_LAYER_RESIDUAL_CONV, 0, PLS_TANH, 3, 5, 0},
                               {PLS_LAYER_AVERAGE_POOL, 0, PLS_IDENTITY, 0, 0, 4},
                               {PLS_LAYER_FLATTEN, 0, PLS_IDENTITY, 0, 0, 0},
                               {PLS_LAYER_DENSE, 10, PLS_IDENTITY, 0, 0, 0}};
    pls_model model = pls_model_defaults();
    pls_data_options data = pls_data_options_defaults();
    model.bias = true;
    model.sigma_b = 0.1;
    model.layers = dense;
    model.layer_count = 3;
    model.input_rank = 1;
    model.input_shape[0] = 6;
    data.source = "gaussian";
    data.dimension = 6;
    data.samples = 6;
    expect_bound(&model, &data, "wide");
    dense[0].width = dense[1].width = 3;
    expect_bound(&model, &data, "narrow");
    data.samples = 200;
    expect_bound(&model, &data, "many samples");
    data = pls_data_options_defaults();
    data.samples = 6;
    model.layers = images;
    model.layer_count = 5;
    model.input_rank = 3;
    model.input_shape[0] = 1;
    model.input_shape[1] = model.input_shape[2] = 8;
    expect_bound(&model, &data, "images");
}

/* ---- what the theory expects -------------------------------------------------------------------
 */

static void expect_trend(const pls_study *study, const pls_cell *cell, pls_quantity quantity,
                         bool divide_log, pls_axis_kind against, pls_trend trend, double bound) {
    pls_expectation found = pls_study_expectation(study, cell, quantity, divide_log, against);
    cr_expect_eq(found.trend, trend, "%s: %d", pls_quantity_name(quantity), (int)found.trend);
    cr_expect(trend == PLS_TREND_NONE || found.bound == bound, "%s: %g",
              pls_quantity_name(quantity), found.bound);
}

Test(study, expects_what_the_theory_says) {
    const pls_axis_kind width = PLS_AXIS_WIDTH, neck = PLS_AXIS_BOTTLENECK;
    base b = set_up();
    pls_study study = study_of(&b);
    pls_cell cell = pls_study_cell(&study, 0);
    expect_trend(&study, &cell, PLS_QUANTITY_GRADIENT_NORM, false, width, PLS_TREND_FLAT, 0.1);
    expect_trend(&study, &cell, PLS_QUANTITY_HESSIAN_NORM, true, width, PLS_TREND_AT_MOST, -0.5);
    expect_trend(&study, &cell, PLS_QUANTITY_HESSIAN_NORM, false, width, PLS_TREND_NONE, 0.0);
    expect_trend(&study, &cell, PLS_QUANTITY_KERNEL_CHANGE, false, width, PLS_TREND_AT_MOST, -0.5);
    expect_trend(&study, &cell, PLS_QUANTITY_DISTANCE, false, width, PLS_TREND_NONE, 0.0);
    expect_trend(&study, &cell, PLS_QUANTITY_HESSIAN_NORM, false, neck, PLS_TREND_AT_MOST, 0.0);
    expect_trend(&study, &cell, PLS_QUANTITY_KERNEL_CHANGE, false, PLS_AXIS_DEPTH, PLS_TREND_NONE,
                 0.0);
    cell.at[neck] = 4;
    expect_trend(&study, &cell, PLS_QUANTITY_HESSIAN_NORM, false, width, PLS_TREND_FLAT, 0.2);
    expect_trend(&study, &cell, PLS_QUANTITY_HESSIAN_NORM, true, width, PLS_TREND_NONE, 0.0);
    expect_trend(&study, &cell, PLS_QUANTITY_GRADIENT_NORM, false, width, PLS_TREND_NONE, 0.0);
    cell.at[neck] = 0;
    cell.at[PLS_AXIS_OUTPUT] = PLS_SWISH;
    expect_trend(&study, &cell, PLS_QUANTITY_KERNEL_CHANGE, false, width, PLS_TREND_FLAT, 0.2);
    expect_trend(&study, &cell, PLS_QUANTITY_MU_CHANGE, false, width, PLS_TREND_NONE, 0.0);
    cell.at[PLS_AXIS_OUTPUT] = -1;
    b.layers[2].activation = PLS_TANH; /* the model's own output */
    expect_trend(&study, &cell, PLS_QUANTITY_KERNEL_CHANGE, false, width, PLS_TREND_FLAT, 0.2);
    cell.at[PLS_AXIS_OUTPUT] = PLS_IDENTITY;
    expect_trend(&study, &cell, PLS_QUANTITY_KERNEL_CHANGE, false, width, PLS_TREND_AT_MOST, -0.5);
    b.model.parameterization = PLS_PARAMETERIZATION_STANDARD;
    expect_trend(&study, &cell, PLS_QUANTITY_KERNEL_CHANGE, false, width, PLS_TREND_NONE, 0.0);
    tear_down(&b);
}

Test(study, slopes_are_judged_within_their_interval) {
    const pls_expectation falls = {PLS_TREND_AT_MOST, -0.5}, flat = {PLS_TREND_FLAT, 0.1};
    pls_fit fit = {.slope = -0.48, .low = -0.51, .high = -0.45};
    cr_expect_eq(pls_fit_judge(&fit, &falls), PLS_SLOPE_HOLDS);
    cr_expect_eq(pls_fit_judge(&fit, &flat), PLS_SLOPE_VIOLATED);
    fit.low = -0.49;
    cr_expect_eq(pls_fit_judge(&fit, &falls), PLS_SLOPE_VIOLATED);
    fit = (pls_fit){.slope = 0.12, .low = 0.08, .high = 0.16};
    cr_expect_eq(pls_fit_judge(&fit, &flat), PLS_SLOPE_HOLDS);
    fit.slope = -0.2;
    cr_expect_eq(pls_fit_judge(&fit, &flat), PLS_SLOPE_VIOLATED);
    fit = (pls_fit){.slope = -0.3, .low = -0.7, .high = 0.1};
    cr_expect_eq(pls_fit_judge(&fit, &falls), PLS_SLOPE_UNDECIDED);
    cr_expect_eq(pls_fit_judge(&fit, &flat), PLS_SLOPE_UNDECIDED);
    fit = (pls_fit){.slope = 0.05, .low = NAN, .high = NAN};
    cr_expect_eq(pls_fit_judge(&fit, &flat), PLS_SLOPE_UNDECIDED);
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
    inside = 0; /* few seeds do not know how much they scatter */
    for (uint64_t trial = 0; trial < 1000; trial++) {
        draw(x, y, 3, 0.2, trial);
        cr_assert_eq(pls_fit_power(context, x, y, 15, false, 300, 7, &fit), PLS_OK);
        inside += fit.low <= -0.5 && -0.5 <= fit.high;
    }
    cr_expect(inside >= 925 && inside <= 975, "%d of 1000 intervals held the truth", inside);
    inside = 0; /* nor does a width of which one seed has a value */
    for (uint64_t trial = 0; trial < 1000; trial++) {
        draw(x, y, 3, 0.2, trial);
        cr_assert_eq(pls_fit_power(context, x, y, 13, false, 300, 7, &fit), PLS_OK);
        inside += fit.low <= -0.5 && -0.5 <= fit.high;
    }
    cr_expect(inside >= 925 && inside <= 975, "%d of 1000 intervals held the truth", inside);
    draw(x, y, 6, 0.2, 299);
    cr_assert_eq(pls_fit_power(context, x, y, 30, false, 300, 7, &fit), PLS_OK);
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
    base b = set_up();
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
                         PLS_ERROR_CONFIG, "another choice of radius");
    study.radius = 1.0;
    b.f.data.targets[0] += 1.0;
    SUPPORT_EXPECT_ERROR(b.f.context, pls_study_run(b.f.context, &study, &options, NULL),
                         PLS_ERROR_CONFIG, "another choice of data");
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
    base b = set_up();
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
    base b = set_up();
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
        b = set_up();
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

/* All of a cell, without a folder. */
static pls_status measure_once(pls_context *context, void *user) {
    base *b = user;
    pls_study study = study_of(b);
    pls_device_options options = support_device(1);
    pls_device *device = NULL;
    pls_measured values[PLS_QUANTITY_COUNT];
    pls_cell cell = pls_study_cell(&study, 0);
    study.steps = 1;
    study.directions = 2;
    study.hessian_samples = 1;
    for (int q = 0; q < PLS_QUANTITY_COUNT; q++) {
        study.quantities[q] = q != PLS_QUANTITY_INFINITE_DISTANCE; /* slow */
    }
    pls_status status = pls_device_open(context, &options, &device);
    status = status != PLS_OK ? status : pls_study_measure(device, &study, &cell, values);
    pls_device_close(device);
    return status;
}

/* What can be done without any memory but its own. */
static pls_status count_and_fit(pls_context *context, void *user) {
    static const double x[] = {1.0, 2.0, 2.0, 4.0}, y[] = {4.0, 2.0, 3.0, 1.0};
    pls_study study = study_of(user);
    pls_cell cell = pls_study_cell(&study, 0);
    pls_fit fit;
    int64_t bytes = 0;
    pls_status status = pls_study_check(context, &study);
    status = status != PLS_OK ? status : pls_study_bytes(context, &study, &cell, &bytes);
    return status != PLS_OK ? status : pls_fit_power(context, x, y, 4, false, 100, 0, &fit);
}

Test(study, measuring_survives_the_failure_of_any_allocation) {
    base b = set_up();
    support_survive_each_allocation(measure_once, &b);
    support_fail_each_allocation(count_and_fit, &b);
    tear_down(&b);
}

Test(study, survives_the_failure_of_any_allocation) {
    support_folder folder = support_folder_create();
    support_survive_each_allocation(run_once, &folder);
    remove_study(&folder);
}
