/* The linearised twin: against a linear model with its Jacobian on the host, against a system that
 * is linear, across interruptions, and where there can be none. */
#include "base/philox.h"
#include "networks.h"

#include <math.h>

enum { MOST = 64, STEPS = 30 };

typedef struct diary {
    int64_t count;
    pls_record records[MOST];
    int64_t cancel_at; /* step at whose record the cancel hook starts to say yes; -1 = never */
} diary;

static pls_status write_down(void *user, const pls_record *record, const pls_progress *progress) {
    diary *d = user;
    (void)progress;
    cr_assert_lt(d->count, MOST);
    d->records[d->count++] = *record;
    return PLS_OK;
}

static pls_train_options options_with(diary *d) {
    pls_train_options options = pls_train_options_defaults();
    d->count = 0;
    options.steps = STEPS;
    options.linearized = true;
    options.step_rule = PLS_STEP_FIXED;
    options.step_size = 0.02;
    options.measure_every = 0; /* K_0 is measured all the same */
    options.batch = 5;
    options.seed = 3;
    options.observer = write_down;
    options.observer_user = d;
    return options;
}

static const network_plan plan = {
    .depth = 3, .widths = {24, 16, 3}, .hidden = PLS_TANH, .bias = true, .precision = PLS_F64};

/* One-hot targets in place of the sphere's real ones, so that both losses apply. */
static network_fixture set_up(void) {
    network_fixture f = network_set_up(&plan);
    pls_layer_spec layers[] = {{.type = PLS_LAYER_DENSE, .width = 24, .activation = PLS_TANH},
                               {.type = PLS_LAYER_DENSE, .width = 16, .activation = PLS_TANH},
                               {.type = PLS_LAYER_DENSE, .width = 3, .activation = PLS_IDENTITY}};
    pls_model model = pls_model_defaults();
    pls_network_options options = pls_network_options_defaults();
    options.precision = PLS_F64;
    model.layer_count = 3;
    model.layers = layers;
    model.input_rank = 1;
    model.input_shape[0] = 5;
    model.bias = true;
    model.sigma_b = 0.2;
    for (int64_t i = 0; i < f.data.samples * 3; i++) {
        f.data.targets[i] = i % 3 == i / 3 % 3;
    }
    pls_system_destroy(f.system);
    network_check(&f, pls_network_system_create(f.device, &model, &f.data, &options, &f.system));
    network_check(&f, pls_system_initialize(f.system));
    return f;
}

/* ---- the linear model by hand ------------------------------------------------------------------
 */

/* f_lin(w) = f_0 + J (w - w_0), with v = w - w_0 carried as such: no kernel takes part. */
typedef struct linear_model {
    int64_t n, k, p;
    double *jacobian; /* n k x p */
    double *start;    /* n k: f(w_0) */
    double *moved;    /* p: w - w_0 */
    double *outputs;  /* n k */
} linear_model;

static linear_model model_create(network_fixture *f) {
    linear_model m = {.n = pls_system_samples(f->system),
                      .k = pls_system_outputs(f->system),
                      .p = pls_system_parameters(f->system)};
    pls_point point;
    m.jacobian = calloc((size_t)(m.n * m.k * m.p), sizeof(double));
    m.start = calloc((size_t)(m.n * m.k), sizeof(double));
    m.outputs = calloc((size_t)(m.n * m.k), sizeof(double));
    m.moved = calloc((size_t)m.p, sizeof(double));
    network_check(f, pls_system_jacobian(f->system, 0, m.n, m.jacobian));
    network_check(f, pls_system_measure(f->system, PLS_LOSS_SQUARE, &point, m.start, NULL));
    return m;
}

static void model_destroy(linear_model *m) {
    free(m->jacobian);
    free(m->start);
    free(m->outputs);
    free(m->moved);
}

static void model_evaluate(linear_model *m) {
    for (int64_t r = 0; r < m->n * m->k; r++) {
        m->outputs[r] = m->start[r];
        for (int64_t q = 0; q < m->p; q++) {
            m->outputs[r] += m->jacobian[r * m->p + q] * m->moved[q];
        }
    }
}

/* dL/df of sample i, and its loss. */
static double model_derive(const linear_model *m, pls_loss loss, const double *targets, int64_t i,
                           double *u) {
    const double *f = m->outputs + i * m->k, *y = targets + i * m->k;
    double value = 0.0, sum = 0.0;
    for (int64_t a = 0; a < m->k; a++) {
        sum += exp(f[a]);
    }
    for (int64_t a = 0; a < m->k; a++) {
        u[a] = loss == PLS_LOSS_SQUARE ? f[a] - y[a] : exp(f[a]) / sum - y[a];
        value += loss == PLS_LOSS_SQUARE ? 0.5 * u[a] * u[a] : y[a] * (log(sum) - f[a]);
    }
    return value;
}

static double model_loss(const linear_model *m, pls_loss loss, const double *targets) {
    double total = 0.0, u[8];
    for (int64_t i = 0; i < m->n; i++) {
        total += model_derive(m, loss, targets, i, u);
    }
    return total;
}

/* w -= eta sum over the listed samples of J_iT u_i, one after the other. */
static void model_step(linear_model *m, const pls_train_options *o, const double *targets,
                       int64_t step) {
    pls_random_stream stream = {o->seed, PLS_RANDOM_BATCH, 0};
    bool all = o->optimizer == PLS_OPTIMIZER_GD;
    for (int64_t s = 0; s < (all ? m->n : o->batch); s++) {
        int64_t i = all ? s : pls_random_integer_at(stream, (uint64_t)(step * o->batch + s), m->n);
        double u[8];
        model_derive(m, o->loss, targets, i, u);
        for (int64_t a = 0; a < m->k; a++) {
            const double *row = m->jacobian + (i * m->k + a) * m->p;
            for (int64_t q = 0; q < m->p; q++) {
                m->moved[q] -= o->step_size * u[a] * row[q];
            }
        }
    }
}

static void compare_with_model(pls_optimizer optimizer, pls_loss loss) {
    network_fixture f = set_up();
    diary d = {.cancel_at = -1};
    pls_train_options options = options_with(&d);
    pls_train_result result;
    options.optimizer = optimizer;
    options.loss = loss;
    linear_model m = model_create(&f);
    double *outputs = calloc((size_t)(m.n * m.k), sizeof *outputs);
    network_check(&f, pls_train(f.system, &options, &result));
    cr_assert_eq(d.count, STEPS + 1);
    cr_expect_eq(d.records[0].linear_distance, 0.0);
    cr_expect_eq(result.measurements, 1);
    for (int64_t step = 0; step <= STEPS; step++) {
        model_evaluate(&m);
        double expected = model_loss(&m, loss, f.data.targets);
        cr_expect(fabs(d.records[step].linear_loss - expected) <= 1e-12 * expected,
                  "%s, step %lld: %.17g, expected %.17g", pls_loss_name(loss), (long long)step,
                  d.records[step].linear_loss, expected);
        model_step(&m, &options, f.data.targets, step);
    }
    /* the distance, at the end, where the network's outputs can be had */
    pls_point point;
    double squared = 0.0;
    network_check(&f, pls_system_measure(f.system, loss, &point, outputs, NULL));
    for (int64_t r = 0; r < m.n * m.k; r++) {
        squared += pow(outputs[r] - m.outputs[r], 2);
    }
    cr_expect_gt(squared, 1e-6, "the network is too linear to tell the two apart");
    cr_expect(fabs(result.last.linear_distance - sqrt(squared)) <= 1e-12 * sqrt(squared));
    cr_expect_lt(result.last.linear_loss, 0.9 * result.first.linear_loss);
    free(outputs);
    model_destroy(&m);
    pls_train_result_destroy(f.context, &result);
    network_tear_down(&f);
}

Test(twin, gradient_descent_is_that_of_the_linear_model) {
    compare_with_model(PLS_OPTIMIZER_GD, PLS_LOSS_SQUARE);
    compare_with_model(PLS_OPTIMIZER_GD, PLS_LOSS_CROSS_ENTROPY);
}

Test(twin, stochastic_descent_takes_the_networks_batches) {
    compare_with_model(PLS_OPTIMIZER_SGD, PLS_LOSS_SQUARE);
    compare_with_model(PLS_OPTIMIZER_SGD, PLS_LOSS_CROSS_ENTROPY);
}

/* ---- systems that are linear -------------------------------------------------------------------
 */

Test(twin, is_the_system_itself_where_that_is_linear) {
    enum { EQUATIONS = 6, PARAMETERS = 15 };
    double a[EQUATIONS * PARAMETERS], y[EQUATIONS];
    for (int i = 0; i < EQUATIONS * PARAMETERS; i++) {
        a[i] = sin(1.7 * i * i + 0.3 * i);
    }
    for (int i = 0; i < EQUATIONS; i++) {
        y[i] = cos(2.0 * i);
    }
    for (int optimizer = PLS_OPTIMIZER_GD; optimizer <= PLS_OPTIMIZER_SGD; optimizer++) {
        network_fixture f = {.context = support_context(NULL)};
        pls_device_options device = support_device(0);
        network_check(&f, pls_device_open(f.context, &device, &f.device));
        network_check(&f, pls_linear_system_create(f.device, PLS_F64, EQUATIONS, PARAMETERS, a, y,
                                                   &f.system));
        diary d = {.cancel_at = -1};
        pls_train_options options = options_with(&d);
        pls_train_result result;
        options.optimizer = (pls_optimizer)optimizer;
        network_check(&f, pls_train(f.system, &options, &result));
        for (int64_t i = 0; i < d.count; i++) {
            cr_expect_lt(d.records[i].linear_distance, 1e-13);
            cr_expect(fabs(d.records[i].linear_loss - d.records[i].loss) <=
                      1e-12 * d.records[i].loss);
        }
        cr_expect_lt(result.last.loss, 0.9 * result.first.loss);
        pls_train_result_destroy(f.context, &result);
        network_tear_down(&f);
    }
}

/* The wider the network, the closer it stays to its linearisation: ||f - f_lin|| falls like one
 * over the root of the width, in f32 as well. */
Test(twin, wide_networks_stay_closer) {
    double distance[2];
    for (int wide = 0; wide < 2; wide++) {
        network_plan of_width = {.samples = 10,
                                 .depth = 2,
                                 .widths = {wide ? 4096 : 64, 1},
                                 .hidden = PLS_TANH,
                                 .precision = PLS_F32};
        network_fixture f = network_set_up(&of_width);
        diary d = {.cancel_at = -1};
        pls_train_options options = options_with(&d);
        pls_train_result result;
        options.step_rule = PLS_STEP_CRITICAL;
        options.step_size = 0.5;
        network_check(&f, pls_train(f.system, &options, &result));
        distance[wide] = result.last.linear_distance;
        pls_train_result_destroy(f.context, &result);
        network_tear_down(&f);
    }
    cr_expect_lt(distance[1], 0.4 * distance[0], "%g, %g", distance[0], distance[1]);
    cr_expect_gt(distance[1], 0.0);
}

/* ---- checkpoints --------------------------------------------------------------------------------
 */

static bool cancel_after(void *user) {
    diary *d = user;
    return d->cancel_at >= 0 && d->count > 0 && d->records[d->count - 1].step >= d->cancel_at;
}

static pls_status run_once(pls_train_options options, diary *d) {
    pls_hooks hooks = {.user = d, .cancelled = cancel_after};
    network_fixture f = {0};
    network_plan single = plan;
    pls_train_result result;
    single.precision = PLS_F32;
    cr_assert_eq(pls_context_create(&hooks, &f.context), PLS_OK);
    network_check(&f, network_build(&f, &single));
    options.observer_user = d;
    pls_status status = pls_train(f.system, &options, &result);
    cr_expect(status == PLS_OK || status == PLS_CANCELLED, "%s", pls_error_text(f.context));
    pls_train_result_destroy(f.context, &result);
    network_tear_down(&f);
    return status;
}

/* Removes the folder with the checkpoint in it. */
static void remove_checkpoint(support_folder *folder) {
    char path[256];
    snprintf(path, sizeof path, "%s/checkpoint/state.safetensors", folder->path);
    unlink(path);
    snprintf(path, sizeof path, "%s/checkpoint", folder->path);
    rmdir(path);
    support_folder_destroy(folder);
}

/* With a step of `rate` times the critical one. */
static void compare_with_uninterrupted(pls_optimizer optimizer, double rate) {
    static diary whole, pieces;
    support_folder folder = support_folder_create();
    char checkpoint[128];
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", folder.path);
    whole = pieces = (diary){.cancel_at = -1};
    pls_train_options options = options_with(&whole);
    options.optimizer = optimizer;
    options.step_rule = PLS_STEP_CRITICAL;
    options.step_size = rate;
    cr_assert_eq(run_once(options, &whole), PLS_OK);
    options.checkpoint = checkpoint;
    for (int64_t stop = 7; stop <= 27; stop += 10) {
        pieces.cancel_at = stop;
        cr_assert_eq(run_once(options, &pieces), PLS_CANCELLED);
        while (pieces.count > 0 && pieces.records[pieces.count - 1].step > stop) {
            pieces.count--;
        }
        options.resume = true;
    }
    pieces.cancel_at = -1;
    cr_assert_eq(run_once(options, &pieces), PLS_OK);
    int64_t found = 0;
    for (int64_t i = 0; i < pieces.count; i++) {
        const pls_record *a = &pieces.records[i], *b = &whole.records[a->step];
        found += a->step > 0;
        cr_expect(memcmp(&a->linear_distance, &b->linear_distance, sizeof(double)) == 0 &&
                      memcmp(&a->linear_loss, &b->linear_loss, sizeof(double)) == 0,
                  "step %lld: %.17g, %.17g", (long long)a->step, a->linear_loss, b->linear_loss);
    }
    cr_expect_geq(found, STEPS);
    remove_checkpoint(&folder);
}

Test(twin, a_resumed_run_equals_one_that_was_not_interrupted) {
    compare_with_uninterrupted(PLS_OPTIMIZER_GD, 0.5);
    compare_with_uninterrupted(PLS_OPTIMIZER_SGD, 0.1);
}

Test(twin, a_checkpoint_without_one_is_refused) {
    support_folder folder = support_folder_create();
    char checkpoint[128];
    diary d = {.cancel_at = -1};
    network_fixture f = network_set_up(&plan);
    pls_train_result result;
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", folder.path);
    pls_train_options options = options_with(&d);
    options.steps = 3;
    options.checkpoint = checkpoint;
    options.linearized = false;
    network_check(&f, pls_train(f.system, &options, &result));
    cr_expect(isnan(result.last.linear_loss) && isnan(result.last.linear_distance));
    pls_train_result_destroy(f.context, &result);
    network_check(&f, pls_system_initialize(f.system));
    options.resume = options.linearized = true;
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_ERROR_DATA,
                         "carried no linearised network along");
    pls_train_result_destroy(f.context, &result);
    /* and the weights of one with it can be taken alone */
    options.resume = false;
    network_check(&f, pls_system_initialize(f.system));
    network_check(&f, pls_train(f.system, &options, &result));
    pls_train_result_destroy(f.context, &result);
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint/state.safetensors", folder.path);
    for (int in_order = 0; in_order <= 1; in_order++) {
        network_check(&f, pls_system_load_weights(f.system, checkpoint, in_order == 1));
    }
    network_tear_down(&f);
    remove_checkpoint(&folder);
}

/* A network with bounded outputs survives any step, its linearisation does not: once its numbers
 * end, the run goes on without it, and so does one that is resumed. */
Test(twin, one_that_diverges_is_let_go) {
    static diary d;
    support_folder folder = support_folder_create();
    char checkpoint[128];
    network_fixture f = network_set_up(&plan);
    pls_layer_spec layer = {.type = PLS_LAYER_DENSE, .width = 3, .activation = PLS_TANH};
    pls_model model = pls_model_defaults();
    pls_network_options network = pls_network_options_defaults();
    pls_train_result result;
    model.layer_count = 1;
    model.layers = &layer;
    model.input_rank = 1;
    model.input_shape[0] = 5;
    network.precision = PLS_F64;
    pls_system_destroy(f.system);
    network_check(&f, pls_network_system_create(f.device, &model, &f.data, &network, &f.system));
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", folder.path);
    pls_train_options options = options_with(&d);
    options.step_size = 1e150; /* beyond numbers in three steps */
    options.checkpoint = checkpoint;
    for (int part = 0; part < 2; part++) {
        options.resume = part == 1;
        options.steps = part == 0 ? 4 : 6;
        network_check(&f, pls_system_initialize(f.system));
        network_check(&f, pls_train(f.system, &options, &result));
        cr_expect(isfinite(result.first.linear_loss));
        cr_expect(isfinite(result.last.loss));
        cr_expect(isnan(result.last.linear_loss) && isnan(result.last.linear_distance));
        pls_train_result_destroy(f.context, &result);
    }
    cr_expect_eq(d.records[d.count - 1].step, 6);
    network_tear_down(&f);
    remove_checkpoint(&folder);
}

/* ---- where there is none -----------------------------------------------------------------------
 */

Test(twin, is_refused_where_it_cannot_be) {
    network_fixture f = network_set_up(&plan);
    diary d = {.cancel_at = -1};
    pls_train_result result;
    pls_train_options options = options_with(&d);
    options.kernel.trace = true;
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_ERROR_CONFIG,
                         "train.linearized: the linearised network moves by the N x N kernel");
    options = options_with(&d);
    options.optimizer = (pls_optimizer)77;
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_ERROR_CONFIG,
                         "choose train.optimizer: gd or sgd");
    network_tear_down(&f);
}

static pls_status train_a_little(pls_context *context, void *user) {
    network_fixture f = {.context = context};
    support_folder *folder = user;
    char checkpoint[128];
    pls_train_result result = {0};
    diary d = {.cancel_at = -1};
    pls_train_options options = options_with(&d);
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", folder->path);
    options.steps = 3;
    options.optimizer = PLS_OPTIMIZER_SGD;
    options.spectrum.floor_samples = 0;
    options.checkpoint = checkpoint;
    options.checkpoint_seconds = 0.0;
    pls_status status = network_build(&f, &plan);
    status = status != PLS_OK ? status : pls_train(f.system, &options, &result);
    pls_train_result_destroy(context, &result);
    network_take_down(&f);
    return status;
}

Test(twin, survives_the_failure_of_any_allocation, .timeout = 600) {
    support_folder folder = support_folder_create();
    support_fail_each_allocation(train_a_little, &folder);
    remove_checkpoint(&folder);
}
