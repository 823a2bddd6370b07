/* Training: the theorems on systems whose constants are exact, the two optimizers, what is
 * recorded and when, checkpoints that resume to the same bits, and every way to fail. */
#include "networks.h"
#include "train/monitor.h"

#include <math.h>

enum { MAX_RECORDS = 400 };

typedef struct diary {
    int64_t count;
    pls_record records[MAX_RECORDS];
    int64_t cancel_at; /* step at which the cancel hook starts to say yes; -1 = never */
    int64_t last_step;
} diary;

static pls_status write_down(void *user, const pls_record *record, const pls_progress *progress) {
    diary *d = user;
    cr_assert_lt(d->count, MAX_RECORDS);
    cr_assert_geq(progress->elapsed, 0.0);
    d->records[d->count++] = *record;
    d->last_step = record->step;
    return PLS_OK;
}

static pls_train_options options_with(diary *d, int64_t steps) {
    pls_train_options options = pls_train_options_defaults();
    d->count = 0;
    options.steps = steps;
    options.observer = write_down;
    options.observer_user = d;
    return options;
}

static const network_plan small = {.hidden = PLS_TANH, .precision = PLS_F64};

/* ---- laws on the linear system -----------------------------------------------------------------
 */

enum { EQUATIONS = 6, PARAMETERS = 15 };

static void fill_linear(double *a, double *y) {
    for (int i = 0; i < EQUATIONS * PARAMETERS; i++) {
        a[i] = sin(1.7 * i * i + 0.3 * i);
    }
    for (int i = 0; i < EQUATIONS; i++) {
        y[i] = cos(2.0 * i);
    }
}

static network_fixture linear_set_up(void) {
    network_fixture f = {0};
    double a[EQUATIONS * PARAMETERS], y[EQUATIONS];
    f.context = support_context(NULL);
    fill_linear(a, y);
    pls_device_options device = support_device(0);
    network_check(&f, pls_device_open(f.context, &device, &f.device));
    network_check(
        &f, pls_linear_system_create(f.device, PLS_F64, EQUATIONS, PARAMETERS, a, y, &f.system));
    return f;
}

/* Claim 8 with exact constants: L_F^2 = lambda_max, beta_F = 0, mu = lambda_min. */
Test(train, gradient_descent_keeps_the_theorems_promise_on_a_linear_system) {
    network_fixture f = linear_set_up();
    diary d = {0};
    pls_train_options options = options_with(&d, 200);
    pls_constants constants;
    network_check(&f, pls_constants_estimate(f.system, NULL, 0, &constants));
    cr_expect(constants.smoothness < 1e-6 * constants.lipschitz,
              "a linear system has no curvature");
    options.step_rule = PLS_STEP_FIXED;
    options.step_size = constants.step_size;
    pls_train_result result;
    network_check(&f, pls_train(f.system, &options, &result));
    double mu = result.first_spectrum.lambda_min;
    cr_expect_lt(fabs(constants.mu - mu), 1e-9 * mu);
    cr_expect_lt(fabs(constants.step_size * result.first_spectrum.lambda_max - 1.0), 1e-5);
    double rate = 1.0 - options.step_size * mu, bound = d.records[0].loss;
    for (int64_t i = 0; i < d.count; i++) {
        cr_expect_leq(d.records[i].loss, bound * (1.0 + 1e-12) + 1e-28, "step %lld", (long long)i);
        cr_expect_leq(d.records[i].distance, constants.radius);
        bound *= rate;
    }
    cr_expect_eq(result.violations, 0);
    cr_expect_lt(result.last.loss, 1e-6 * result.first.loss);
    cr_expect_lt(result.last.kernel_change, 1e-14);
    pls_train_result_destroy(f.context, &result);
    network_tear_down(&f);
}

/* The same numbers by hand: w <- w - eta AT (A w - y). */
Test(train, a_step_is_what_it_says) {
    network_fixture f = linear_set_up();
    double a[EQUATIONS * PARAMETERS], y[EQUATIONS], w[PARAMETERS] = {0}, found[PARAMETERS];
    diary d = {0};
    pls_train_options options = options_with(&d, 3);
    pls_train_result result;
    fill_linear(a, y);
    options.step_rule = PLS_STEP_FIXED;
    options.step_size = 0.01;
    options.measure_every = 0;
    network_check(&f, pls_train(f.system, &options, &result));
    network_check(&f, pls_system_get_weights(f.system, found));
    for (int step = 0; step < 3; step++) {
        double r[EQUATIONS], g[PARAMETERS] = {0};
        for (int i = 0; i < EQUATIONS; i++) {
            r[i] = -y[i];
            for (int j = 0; j < PARAMETERS; j++) {
                r[i] += a[i * PARAMETERS + j] * w[j];
            }
            for (int j = 0; j < PARAMETERS; j++) {
                g[j] += a[i * PARAMETERS + j] * r[i];
            }
        }
        for (int j = 0; j < PARAMETERS; j++) {
            w[j] -= 0.01 * g[j];
        }
    }
    for (int j = 0; j < PARAMETERS; j++) {
        cr_expect(fabs(found[j] - w[j]) < 1e-15);
    }
    cr_expect_eq(result.measurements, 0);
    cr_expect(isnan(d.records[0].lambda_min));
    pls_train_result_destroy(f.context, &result);
    network_tear_down(&f);
}

/* Above the critical step the square loss of a linear system grows without bound. */
Test(train, divergence_is_reported_with_the_critical_step) {
    network_fixture f = linear_set_up();
    diary d = {0};
    pls_train_options options = options_with(&d, 300);
    pls_train_result result;
    options.step_size = 1.5;
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_DIVERGED,
                         "1.5 times the critical");
    cr_expect_gt(result.last.loss, 1e6 * result.first.loss);
    pls_train_result_destroy(f.context, &result);
    options.step_size = 0.95;
    network_check(&f, pls_system_initialize(f.system));
    network_check(&f, pls_train(f.system, &options, &result));
    cr_expect_lt(result.last.loss, result.first.loss);
    pls_train_result_destroy(f.context, &result);
    network_tear_down(&f);
}

/* ---- networks
 * ------------------------------------------------------------------------------------ */

Test(train, the_identity_of_the_pl_ratio_holds_along_the_path) {
    for (int precision = PLS_F32; precision <= PLS_F64; precision++) {
        network_plan plan = {.samples = 20,
                             .depth = 3,
                             .widths = {200, 200, 2},
                             .hidden = PLS_TANH,
                             .precision = (pls_dtype)precision};
        network_fixture f = network_set_up(&plan);
        diary d = {0};
        pls_train_options options = options_with(&d, 60);
        pls_train_result result;
        options.measure_every = 3;
        options.spectrum.full = true;
        network_check(&f, pls_train(f.system, &options, &result));
        cr_expect_eq(result.violations, 0);
        cr_expect_eq(result.measurements, 21);
        for (int64_t i = 0; i < d.count; i++) {
            const pls_record *r = &d.records[i];
            cr_expect_eq(r->measured, r->step % 3 == 0);
            if (r->measured) {
                cr_expect(r->pl_ratio >= r->lambda_min_lower &&
                          r->pl_ratio <= 1.0001 * r->lambda_max);
            }
        }
        cr_expect_eq(result.first_spectrum.eigenvalues[0] <= result.first_spectrum.eigenvalues[39],
                     true);
        cr_expect_gt(result.last.kernel_change, 0.0);
        pls_train_result_destroy(f.context, &result);
        network_tear_down(&f);
    }
}

/* Plants the fault that the identity is there to find: a gradient that is not the kernel's. */
Test(train, a_false_pl_ratio_is_counted_as_a_violation) {
    network_fixture f = linear_set_up();
    pls_train_options options = pls_train_options_defaults();
    pls_monitor monitor;
    pls_record record = {.loss = 1.0};
    network_check(&f, pls_monitor_create(f.system, &options, &monitor));
    network_check(&f, pls_monitor_measure(&monitor, false, &record)); /* rho = 0 < lambda_min */
    cr_expect_eq(monitor.violations, 1);
    record.pl_ratio = record.lambda_max * (1.0 + 1e-9);
    network_check(&f, pls_monitor_measure(&monitor, false, &record));
    cr_expect_eq(monitor.violations, 2);
    record.pl_ratio = record.lambda_min * (1.0 - 1e-9);
    network_check(&f, pls_monitor_measure(&monitor, false, &record));
    cr_expect_eq(monitor.violations, 3);
    record.pl_ratio = record.lambda_min;
    network_check(&f, pls_monitor_measure(&monitor, false, &record));
    record.pl_ratio = record.lambda_max;
    network_check(&f, pls_monitor_measure(&monitor, false, &record));
    cr_expect_eq(monitor.violations, 3);
    record.pl_ratio = NAN;
    network_check(&f, pls_monitor_measure(&monitor, false, &record));
    cr_expect_eq(monitor.violations, 4);
    record.loss = 0.0; /* where rho is not defined */
    network_check(&f, pls_monitor_measure(&monitor, false, &record));
    cr_expect_eq(monitor.violations, 4);
    pls_monitor_destroy(&monitor);
    network_tear_down(&f);
}

Test(train, records_and_measurements_come_when_they_should) {
    network_fixture f = network_set_up(&small);
    diary d = {0};
    pls_train_options options = options_with(&d, 11);
    pls_train_result result;
    options.record_every = 4;
    options.measure_every = 6;
    network_check(&f, pls_train(f.system, &options, &result));
    const int64_t steps[] = {0, 4, 6, 8, 11};
    cr_assert_eq(d.count, 5);
    for (int i = 0; i < 5; i++) {
        cr_expect_eq(d.records[i].step, steps[i]);
        cr_expect_eq(d.records[i].measured, i == 0 || i == 2 || i == 4);
    }
    cr_expect_eq(result.steps, 11);
    pls_train_result_destroy(f.context, &result);

    /* a budget of everything measures always, one of nearly nothing only at both ends */
    options = options_with(&d, 20);
    options.measure_every = 0;
    options.measure_budget = 1.0;
    network_check(&f, pls_train(f.system, &options, &result));
    cr_expect_eq(result.measurements, 21);
    pls_train_result_destroy(f.context, &result);
    options = options_with(&d, 20);
    options.measure_every = 0;
    options.measure_budget = 1e-9;
    network_check(&f, pls_train(f.system, &options, &result));
    cr_expect_eq(result.measurements, 2);
    pls_train_result_destroy(f.context, &result);
    network_tear_down(&f);
}

Test(train, stops_at_the_loss_that_was_asked_for) {
    network_fixture f = network_set_up(&small);
    diary d = {0};
    pls_train_options options = options_with(&d, 300);
    pls_train_result result;
    options.stop_at = 0.5;
    network_check(&f, pls_train(f.system, &options, &result));
    cr_expect_lt(result.steps, 300);
    cr_expect_leq(result.last.loss, 0.5 * result.first.loss);
    cr_expect_gt(d.records[d.count - 2].loss, 0.5 * result.first.loss);
    cr_expect(result.last.measured);
    pls_train_result_destroy(f.context, &result);
    network_tear_down(&f);
}

/* The full batch drawn without luck: SGD with s = 1 takes n steps where GD takes one; its expected
 * step is (s/n) eta grad L. The mean over many seeds of one step must agree with it. */
Test(train, the_mean_step_of_sgd_is_the_gradient) {
    network_fixture f = linear_set_up();
    enum { SEEDS = 4000 };
    double mean[PARAMETERS] = {0}, gradient[PARAMETERS], w[PARAMETERS], square = 0.0, norm = 0.0;
    pls_point point;
    network_check(&f, pls_system_measure(f.system, PLS_LOSS_SQUARE, &point, NULL, gradient));
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        pls_train_options options = pls_train_options_defaults();
        pls_train_result result;
        options.optimizer = PLS_OPTIMIZER_SGD;
        options.batch = 2;
        options.step_rule = PLS_STEP_FIXED;
        options.step_size = 1.0;
        options.steps = 1;
        options.seed = seed;
        options.measure_every = 0;
        network_check(&f, pls_system_initialize(f.system));
        network_check(&f, pls_train(f.system, &options, &result));
        network_check(&f, pls_system_get_weights(f.system, w));
        for (int j = 0; j < PARAMETERS; j++) {
            mean[j] -= w[j] * EQUATIONS / 2.0 / SEEDS;
            square += w[j] * w[j] * 9.0;
        }
        pls_train_result_destroy(f.context, &result);
    }
    double error = 0.0;
    for (int j = 0; j < PARAMETERS; j++) {
        error += pow(mean[j] - gradient[j], 2);
        norm += gradient[j] * gradient[j];
    }
    /* standard error of the mean, five times over */
    cr_expect_lt(sqrt(error), 5.0 * sqrt(square / SEEDS / SEEDS), "error %g of %g", sqrt(error),
                 sqrt(norm));
    network_tear_down(&f);
}

Test(train, sgd_trains_a_network) {
    network_fixture f = network_set_up(&small);
    diary d = {0};
    pls_train_options options = options_with(&d, 120);
    pls_train_result result;
    options.optimizer = PLS_OPTIMIZER_SGD;
    options.batch = 4;
    options.record_every = 10;
    options.measure_every = 40;
    network_check(&f, pls_train(f.system, &options, &result));
    cr_expect_lt(result.last.loss, 0.5 * result.first.loss);
    cr_expect_eq(result.violations, 0);
    pls_train_result_destroy(f.context, &result);
    options.batch = 13;
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_ERROR_CONFIG,
                         "between 1 and the number of samples, 12");
    network_tear_down(&f);
}

static network_fixture digits_set_up(pls_target_coding coding, pls_dtype precision) {
    network_fixture f = {0};
    f.context = support_context(NULL);
    pls_device_options device = support_device(0);
    network_check(&f, pls_device_open(f.context, &device, &f.device));
    pls_data_options data = pls_data_options_defaults();
    data.samples = 30;
    data.targets = coding;
    network_check(&f, pls_dataset_load(f.context, &data, &f.data));
    pls_layer_spec layers[] = {{.width = 60, .activation = PLS_GELU}, {.width = f.data.outputs}};
    pls_model model = pls_model_defaults();
    model.input_rank = 1;
    model.input_shape[0] = 64;
    model.layer_count = 2;
    model.layers = layers;
    pls_network_options options = pls_network_options_defaults();
    options.precision = precision;
    network_check(&f, pls_network_system_create(f.device, &model, &f.data, &options, &f.system));
    network_check(&f, pls_system_initialize(f.system));
    return f;
}

/* The gradient of both losses against differences of the loss. */
Test(train, gradients_are_the_derivatives_of_their_losses) {
    network_fixture f = digits_set_up(PLS_TARGETS_ONE_HOT, PLS_F64);
    int64_t p = pls_system_parameters(f.system);
    double *w = calloc((size_t)p, sizeof *w), *gradient = calloc((size_t)p, sizeof *gradient);
    network_check(&f, pls_system_get_weights(f.system, w));
    for (int loss = PLS_LOSS_SQUARE; loss <= PLS_LOSS_CROSS_ENTROPY; loss++) {
        const double h = 1e-5;
        pls_point here, plus, minus;
        network_check(&f, pls_system_set_weights(f.system, w));
        network_check(&f, pls_system_measure(f.system, (pls_loss)loss, &here, NULL, gradient));
        cr_expect_lt(
            fabs(here.pl_ratio * here.loss - 0.5 * here.gradient_norm * here.gradient_norm),
            1e-12 * here.gradient_norm * here.gradient_norm);
        for (int64_t q = 0; q < p; q += 97) {
            double kept = w[q];
            w[q] = kept + h;
            network_check(&f, pls_system_set_weights(f.system, w));
            network_check(&f, pls_system_measure(f.system, (pls_loss)loss, &plus, NULL, NULL));
            w[q] = kept - h;
            network_check(&f, pls_system_set_weights(f.system, w));
            network_check(&f, pls_system_measure(f.system, (pls_loss)loss, &minus, NULL, NULL));
            w[q] = kept;
            cr_expect(fabs((plus.loss - minus.loss) / (2.0 * h) - gradient[q]) <
                          1e-8 * here.gradient_norm,
                      "%s, weight %lld", pls_loss_name((pls_loss)loss), (long long)q);
        }
    }
    free(gradient);
    free(w);
    network_tear_down(&f);
}

Test(train, cross_entropy_needs_probabilities) {
    network_fixture f = digits_set_up(PLS_TARGETS_ONE_HOT, PLS_F32);
    diary d = {0};
    pls_train_options options = options_with(&d, 30);
    pls_train_result result;
    options.loss = PLS_LOSS_CROSS_ENTROPY;
    network_check(&f, pls_train(f.system, &options, &result));
    cr_expect_lt(result.last.loss, result.first.loss);
    cr_expect(isfinite(result.last.pl_ratio));
    pls_train_result_destroy(f.context, &result);
    network_tear_down(&f);
    f = digits_set_up(PLS_TARGETS_SIGNED, PLS_F32);
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_ERROR_CONFIG,
                         "targets that are probabilities");
    network_tear_down(&f);
}

/* Soft targets have a loss whose infimum is not 0, so there is no PL ratio to speak of. */
Test(train, no_pl_ratio_where_it_is_not_defined) {
    network_fixture f = network_set_up(&small);
    pls_dataset soft = {0};
    double targets[12 * 2];
    for (int i = 0; i < 12; i++) {
        targets[2 * i] = 0.25;
        targets[2 * i + 1] = 0.75;
    }
    network_check(&f, pls_dataset_from_arrays(f.context, 12, 5, 2, f.data.inputs, targets, &soft));
    pls_layer_spec layers[] = {{.width = 2}};
    pls_model model = pls_model_defaults();
    model.input_rank = 1;
    model.input_shape[0] = 5;
    model.layer_count = 1;
    model.layers = layers;
    pls_system *system = NULL;
    pls_point point;
    network_check(&f, pls_network_system_create(f.device, &model, &soft, NULL, &system));
    network_check(&f, pls_system_initialize(system));
    network_check(&f, pls_system_measure(system, PLS_LOSS_CROSS_ENTROPY, &point, NULL, NULL));
    cr_expect(isnan(point.pl_ratio));
    network_check(&f, pls_system_measure(system, PLS_LOSS_SQUARE, &point, NULL, NULL));
    cr_expect(isfinite(point.pl_ratio));
    pls_system_destroy(system);
    pls_dataset_destroy(f.context, &soft);
    network_tear_down(&f);
}

/* ---- the step size of the theorem -------------------------------------------------------------
 */

/* For f = tanh(w x) with one weight, one sample: D^2 F(v, v) = phi''(z) s^2 x^2 exactly. */
Test(theory, curvature_is_that_of_the_closed_form) {
    network_fixture f = {0};
    f.context = support_context(NULL);
    pls_device_options device = support_device(0);
    network_check(&f, pls_device_open(f.context, &device, &f.device));
    double x = 1.0, y = 0.8;
    network_check(&f, pls_dataset_from_arrays(f.context, 1, 1, 1, &x, &y, &f.data));
    pls_layer_spec layers[] = {{.width = 1, .activation = PLS_TANH}};
    pls_model model = pls_model_defaults();
    model.input_rank = 1;
    model.input_shape[0] = 1;
    model.layer_count = 1;
    model.layers = layers;
    pls_network_options options = pls_network_options_defaults();
    options.precision = PLS_F64;
    network_check(&f, pls_network_system_create(f.device, &model, &f.data, &options, &f.system));
    double w = 0.5;
    network_check(&f, pls_system_set_weights(f.system, &w));
    pls_constants constants;
    network_check(&f, pls_constants_estimate(f.system, NULL, 0, &constants));
    double t = tanh(0.5), slope = 1.0 - t * t;
    cr_expect_geq(constants.smoothness, 2.0 * t * slope * (1.0 - 1e-5));
    cr_expect_leq(constants.smoothness, 4.0 / (3.0 * sqrt(3.0)) * (1.0 + 1e-5), "max |tanh''|");
    cr_expect_geq(constants.lipschitz, slope * (1.0 - 1e-12));
    cr_expect_leq(constants.lipschitz, 1.0);
    cr_expect_eq(constants.points % 4, 1);
    cr_expect_leq(constants.sampled_radius, constants.radius);
    cr_expect(fabs(constants.residual_norm - fabs(t - y)) < 1e-15);
    network_tear_down(&f);
}

/* f = w_2 w_1 x has D^2 F(v, v) = 2 v_1 v_2 x everywhere: beta_F = |x|, in a direction that is no
 * coordinate's. */
Test(theory, curvature_is_found_in_a_mixed_direction) {
    network_fixture f = {0};
    f.context = support_context(NULL);
    pls_device_options device = support_device(0);
    network_check(&f, pls_device_open(f.context, &device, &f.device));
    double x = 1.7, y = 0.4, w[2] = {0.9, -1.4};
    network_check(&f, pls_dataset_from_arrays(f.context, 1, 1, 1, &x, &y, &f.data));
    pls_layer_spec layers[] = {{.width = 1}, {.width = 1}};
    pls_model model = pls_model_defaults();
    model.input_rank = 1;
    model.input_shape[0] = 1;
    model.layer_count = 2;
    model.layers = layers;
    network_check(&f, pls_network_system_create(f.device, &model, &f.data, NULL, &f.system));
    network_check(&f, pls_system_set_weights(f.system, w));
    pls_constants constants;
    network_check(&f, pls_constants_estimate(f.system, NULL, 1, &constants));
    cr_expect(fabs(constants.smoothness - x) < 1e-5, "beta_F = %g", constants.smoothness);
    cr_expect_geq(constants.lipschitz, x * hypot(w[0], w[1]) * (1.0 - 1e-6));
    network_tear_down(&f);
}

/* With equal inputs mu is rounding and nothing else: no ball is promised. */
Test(theory, a_mu_below_its_floor_promises_no_ball) {
    network_fixture f = network_set_up(&small);
    pls_layer_spec layers[] = {{.width = 50, .activation = PLS_TANH}, {.width = 2}};
    pls_model model = pls_model_defaults();
    pls_dataset twice = {0};
    pls_system *system = NULL;
    model.input_rank = 1;
    model.input_shape[0] = 5;
    model.layer_count = 2;
    model.layers = layers;
    memcpy(f.data.inputs + 5, f.data.inputs, 5 * sizeof(double));
    network_check(
        &f, pls_dataset_from_arrays(f.context, 12, 5, 2, f.data.inputs, f.data.targets, &twice));
    network_check(&f, pls_network_system_create(f.device, &model, &twice, NULL, &system));
    network_check(&f, pls_system_initialize(system));
    for (uint64_t seed = 0; seed < 4; seed++) {
        pls_constants constants;
        network_check(&f, pls_constants_estimate(system, NULL, seed, &constants));
        cr_expect_eq(constants.mu, 0.0);
        cr_expect(isinf(constants.radius));
        cr_expect(isfinite(constants.step_size) && constants.step_size > 0.0);
    }
    pls_system_destroy(system);
    pls_dataset_destroy(f.context, &twice);
    network_tear_down(&f);
}

Test(theory, the_step_of_the_theorem_converges_on_a_network) {
    network_plan plan = {
        .samples = 10, .depth = 2, .widths = {400, 1}, .hidden = PLS_TANH, .precision = PLS_F32};
    network_fixture f = network_set_up(&plan);
    diary d = {0};
    pls_train_options options = options_with(&d, 300);
    pls_train_result result;
    pls_constants constants;
    network_check(&f, pls_constants_estimate(f.system, NULL, 3, &constants));
    cr_expect_gt(constants.smoothness, 0.0);
    cr_expect_gt(constants.mu, 0.0);
    options.step_rule = PLS_STEP_FIXED;
    options.step_size = constants.step_size;
    network_check(&f, pls_train(f.system, &options, &result));
    cr_expect_leq(result.last.loss,
                  result.first.loss *
                      pow(1.0 - constants.step_size * result.lambda_min_infimum, 300.0));
    cr_expect_leq(result.last.distance, constants.radius);
    pls_train_result_destroy(f.context, &result);
    network_tear_down(&f);
}

/* ---- checkpoints
 * --------------------------------------------------------------------------------- */

static bool cancel_after(void *user) {
    diary *d = user;
    return d->cancel_at >= 0 && d->last_step >= d->cancel_at;
}

/* A run of `plan` in its own context, cancelled once the record of step `cancel_at` is out. */
static pls_status run_once(const network_plan *plan, pls_train_options options, diary *d,
                           double *weights, pls_train_result *result) {
    pls_hooks hooks = {.user = d, .cancelled = cancel_after};
    network_fixture f = {0};
    cr_assert_eq(pls_context_create(&hooks, &f.context), PLS_OK);
    network_check(&f, network_build(&f, plan));
    options.observer = write_down;
    options.observer_user = d;
    pls_status status = pls_train(f.system, &options, result);
    network_check(&f, pls_system_get_weights(f.system, weights));
    pls_train_result kept = *result;
    pls_train_result_destroy(f.context, result);
    *result = kept; /* for its numbers */
    network_tear_down(&f);
    return status;
}

static void remove_checkpoint(support_folder *folder) {
    char path[256];
    snprintf(path, sizeof path, "%s/checkpoint/state.safetensors", folder->path);
    unlink(path);
    snprintf(path, sizeof path, "%s/checkpoint", folder->path);
    rmdir(path);
    support_folder_destroy(folder);
}

Test(train, a_resumed_run_equals_one_that_was_not_interrupted) {
    for (int variant = 0; variant < 4; variant++) {
        network_plan plan = small;
        plan.precision = variant % 2 == 0 ? PLS_F64 : PLS_F32;
        pls_train_options options = pls_train_options_defaults();
        options.steps = 40;
        options.measure_every = 7;
        options.optimizer = variant < 2 ? PLS_OPTIMIZER_GD : PLS_OPTIMIZER_SGD;
        options.batch = 5;
        options.record_every = variant < 2 ? 1 : 3;
        static double whole[2000], pieces[2000];
        pls_train_result expected, found;
        diary uninterrupted = {.cancel_at = -1};
        cr_assert_eq(run_once(&plan, options, &uninterrupted, whole, &expected), PLS_OK);

        support_folder folder = support_folder_create();
        char checkpoint[128];
        snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", folder.path);
        options.checkpoint = checkpoint;
        diary all = {.cancel_at = 0}; /* within the measurement of step 0 */
        cr_assert_eq(run_once(&plan, options, &all, pieces, &found), PLS_CANCELLED);
        cr_assert_eq(all.count, 0);
        options.resume = true;
        for (int64_t stop = 5; stop <= 50; stop += 9) { /* 5, 14, 23, 32, 41: that runs through */
            int64_t at = -1;
            pls_context *context = support_context(NULL);
            cr_assert_eq(pls_checkpoint_step(context, checkpoint, &at), PLS_OK);
            pls_context_destroy(context);
            while (all.count > 0 && all.records[all.count - 1].step >= at) {
                all.count--; /* a checkpoint at step t says that t is recorded again */
            }
            all.cancel_at = stop <= 40 ? stop : -1;
            all.last_step = -1;
            pls_status status = run_once(&plan, options, &all, pieces, &found);
            cr_assert_eq(status, stop <= 40 ? PLS_CANCELLED : PLS_OK);
        }
        cr_expect_eq(found.measurements, expected.measurements);
        cr_expect_eq(found.violations, expected.violations);
        cr_expect_eq(found.lambda_min_infimum, expected.lambda_min_infimum);
        cr_expect_eq(found.infimum_floor, expected.infimum_floor);
        cr_expect_eq(found.step_size, expected.step_size);
        cr_assert_eq(all.count, uninterrupted.count);
        for (int64_t i = 0; i < all.count; i++) {
            const pls_record *a = &all.records[i], *b = &uninterrupted.records[i];
            cr_expect(memcmp(&a->loss, &b->loss,
                             offsetof(pls_record, measured) - offsetof(pls_record, loss)) == 0);
            cr_expect(a->step == b->step && a->measured == b->measured);
            cr_expect(memcmp(&a->lambda_min, &b->lambda_min,
                             sizeof *a - offsetof(pls_record, lambda_min)) == 0,
                      "variant %d, step %lld", variant, (long long)a->step);
        }
        cr_expect(memcmp(whole, pieces, sizeof whole) == 0, "variant %d", variant);
        remove_checkpoint(&folder);
    }
}

Test(train, a_finished_run_can_go_on) {
    support_folder folder = support_folder_create();
    char checkpoint[128];
    static double longer[2000], extended[2000];
    pls_train_result result;
    diary d = {.cancel_at = -1};
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", folder.path);
    pls_train_options options = pls_train_options_defaults();
    options.steps = 30;
    cr_assert_eq(run_once(&small, options, &d, longer, &result), PLS_OK);
    options.steps = 10;
    options.checkpoint = checkpoint;
    cr_assert_eq(run_once(&small, options, &d, extended, &result), PLS_OK);
    options.steps = 30;
    options.resume = true;
    cr_assert_eq(run_once(&small, options, &d, extended, &result), PLS_OK);
    cr_expect(memcmp(longer, extended, sizeof longer) == 0);
    remove_checkpoint(&folder);
}

Test(train, another_runs_checkpoint_is_refused) {
    support_folder folder = support_folder_create();
    char checkpoint[128];
    static double weights[2000];
    pls_train_result result;
    diary d = {.cancel_at = -1};
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", folder.path);
    pls_train_options options = pls_train_options_defaults();
    options.steps = 3;
    options.checkpoint = checkpoint;
    cr_assert_eq(run_once(&small, options, &d, weights, &result), PLS_OK);
    options.resume = true;
    network_plan other = small;
    other.seed = 1;
    network_fixture f = network_set_up(&other);
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_ERROR_DATA,
                         "started from other weights or data");
    pls_train_result_destroy(f.context, &result);
    network_tear_down(&f);
    other = (network_plan){.hidden = PLS_TANH, .bias = true, .precision = PLS_F64};
    f = network_set_up(&other);
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_ERROR_DATA, "");
    pls_train_result_destroy(f.context, &result);
    options.checkpoint = "/nowhere/at/all";
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_ERROR_FILE,
                         "/nowhere/at/all");
    pls_train_result_destroy(f.context, &result);
    options.checkpoint = NULL;
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_ERROR_ARGUMENT,
                         "checkpoint folder");
    network_tear_down(&f);
    remove_checkpoint(&folder);
}

/* A file with more layers than the model is not the model's. */
Test(train, weights_of_another_depth_are_refused) {
    support_folder folder = support_folder_create();
    network_plan deep = {.depth = 3, .widths = {7, 6, 2}}, shallow = {.depth = 2, .widths = {7, 6}};
    network_fixture f = network_set_up(&deep);
    network_check(&f, pls_system_save_weights(f.system, support_path(&folder, "deep")));
    network_check(&f, pls_system_load_weights(f.system, support_path(&folder, "deep"), true));
    network_tear_down(&f);
    f = network_set_up(&shallow);
    for (int in_order = 0; in_order <= 1; in_order++) {
        SUPPORT_EXPECT_ERROR(
            f.context,
            pls_system_load_weights(f.system, support_path(&folder, "deep"), in_order == 1),
            PLS_ERROR_DATA, "'layers.2.weight' is left over");
    }
    network_tear_down(&f);
    support_folder_destroy(&folder);
}

/* A checkpoint is whole or not there: a failing write leaves the former one as it was. */
Test(train, a_failed_checkpoint_leaves_the_former_one) {
    support_folder folder = support_folder_create();
    char checkpoint[128];
    pls_train_result result;
    network_fixture f = network_set_up(&small);
    snprintf(checkpoint, sizeof checkpoint, "%s/file", folder.path);
    support_write(&folder, "file", "x", 1);
    pls_train_options options = pls_train_options_defaults();
    options.steps = 3;
    options.checkpoint = checkpoint;
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_ERROR_FILE,
                         "is not a folder");
    pls_train_result_destroy(f.context, &result);
    network_tear_down(&f);
    support_folder_destroy(&folder);
}

/* ---- failures
 * ------------------------------------------------------------------------------------- */

Test(train, options_are_checked) {
    network_fixture f = network_set_up(&small);
    pls_train_result result;
    pls_train_options options = pls_train_options_defaults();
    options.step_size = -1.0;
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_ERROR_CONFIG,
                         "train.step_size");
    options = pls_train_options_defaults();
    options.kernel.trace = true;
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_ERROR_CONFIG,
                         "critical");
    options = pls_train_options_defaults();
    options.steps = -1;
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_ERROR_CONFIG,
                         "train.steps");
    options = pls_train_options_defaults();
    options.measure_budget = 1.5;
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_ERROR_CONFIG,
                         "monitor.budget");
    options = pls_train_options_defaults();
    options.stop_at = NAN;
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_ERROR_CONFIG,
                         "train.stop_at");
    network_tear_down(&f);
}

static pls_status refuse(void *user, const pls_record *record, const pls_progress *progress) {
    (void)user;
    (void)progress;
    return record->step == 2 ? PLS_ERROR_FILE : PLS_OK;
}

Test(train, an_observer_can_end_the_run) {
    network_fixture f = network_set_up(&small);
    pls_train_result result;
    pls_train_options options = pls_train_options_defaults();
    options.observer = refuse;
    cr_expect_eq(pls_train(f.system, &options, &result), PLS_ERROR_FILE);
    cr_expect_eq(result.steps, 2);
    pls_train_result_destroy(f.context, &result);
    network_tear_down(&f);
}

static pls_status train_a_little(pls_context *context, void *user) {
    network_fixture f = {.context = context};
    support_folder *folder = user;
    char checkpoint[128];
    network_plan plan = small;
    pls_train_result result = {0};
    pls_train_options options = pls_train_options_defaults();
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", folder->path);
    options.steps = 4;
    options.measure_every = 2;
    options.optimizer = PLS_OPTIMIZER_SGD;
    options.batch = 3;
    options.spectrum.full = true;
    options.spectrum.floor_samples = 0;
    options.checkpoint = checkpoint;
    options.checkpoint_seconds = 0.0;
    pls_status status = network_build(&f, &plan);
    status = status != PLS_OK ? status : pls_train(f.system, &options, &result);
    pls_train_result_destroy(context, &result);
    network_take_down(&f);
    return status;
}

Test(train, survives_the_failure_of_any_allocation, .timeout = 600) {
    support_folder folder = support_folder_create();
    support_fail_each_allocation(train_a_little, &folder);
    remove_checkpoint(&folder);
}

static pls_status estimate(pls_context *context, void *user) {
    network_fixture f = {.context = context};
    network_plan plan = small;
    pls_constants constants;
    (void)user;
    pls_status status = network_build(&f, &plan);
    status = status != PLS_OK ? status : pls_constants_estimate(f.system, NULL, 0, &constants);
    network_take_down(&f);
    return status;
}

Test(theory, survives_the_failure_of_any_allocation, .timeout = 600) {
    support_survive_each_allocation(estimate, NULL);
}
