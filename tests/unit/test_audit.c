/* The audit: every claim holds where the theory says so, and is found violated where a falsehood is
 * planted. */
#include "audit/audit.h"

#include "networks.h"

#include <math.h>

static const network_plan plan = {
    .depth = 3, .widths = {24, 16, 2}, .hidden = PLS_TANH, .samples = 6, .precision = PLS_F64};

/* ---- subjects ---------------------------------------------------------------------------------
 */

/* A network with its model, or a planted system, on a fixture that owns it. */
typedef struct subject {
    network_fixture f;
    pls_layer_spec layers[8];
    pls_model model;
    bool is_network;
} subject;

static void build_network(subject *s, const pls_layer_spec *layers, int64_t count, int64_t channels,
                          int64_t edge, uint64_t seed, pls_target_coding targets) {
    pls_data_options data = pls_data_options_defaults();
    pls_network_options options = pls_network_options_defaults();
    pls_device_options device = support_device(1);
    memset(s, 0, sizeof *s);
    cr_assert_eq(pls_context_create(NULL, &s->f.context), PLS_OK);
    network_check(&s->f, pls_device_open(s->f.context, &device, &s->f.device));
    data.source = "sphere";
    data.samples = 6;
    data.dimension = channels * edge * edge;
    data.outputs = 2;
    data.targets = targets;
    data.seed = seed;
    network_check(&s->f, pls_dataset_load(s->f.context, &data, &s->f.data));
    s->model = pls_model_defaults();
    s->model.input_rank = edge > 1 ? 3 : 1;
    s->model.input_shape[0] = channels;
    s->model.input_shape[1] = s->model.input_shape[2] = edge;
    s->model.layer_count = count;
    memcpy(s->layers, layers, (size_t)count * sizeof *layers);
    s->model.layers = s->layers;
    options.precision = PLS_F64;
    options.seed = seed;
    s->is_network = true;
    network_check(&s->f, pls_network_system_create(s->f.device, &s->model, &s->f.data, &options,
                                                   &s->f.system));
    network_check(&s->f, pls_system_initialize(s->f.system));
}

static void build_dense_with(subject *s, uint64_t seed, pls_target_coding targets) {
    const pls_layer_spec layers[] = {
        {.type = PLS_LAYER_DENSE, .width = 32, .activation = PLS_TANH},
        {.type = PLS_LAYER_DENSE, .width = 32, .activation = PLS_TANH},
        {.type = PLS_LAYER_DENSE, .width = 2},
    };
    build_network(s, layers, 3, 5, 1, seed, targets);
}

static void build_dense(subject *s, uint64_t seed) {
    build_dense_with(s, seed, PLS_TARGETS_AUTO);
}

static void build_classes(subject *s, uint64_t seed) {
    build_dense_with(s, seed, PLS_TARGETS_ONE_HOT);
}

static void build_convolution(subject *s, uint64_t seed) {
    const pls_layer_spec layers[] = {
        {.type = PLS_LAYER_CONV, .channels = 6, .kernel = 3, .activation = PLS_SWISH},
        {.type = PLS_LAYER_RESIDUAL_CONV, .channels = 6, .kernel = 3, .activation = PLS_TANH},
        {.type = PLS_LAYER_AVERAGE_POOL, .size = 2},
        {.type = PLS_LAYER_FLATTEN},
        {.type = PLS_LAYER_DENSE, .width = 2},
    };
    build_network(s, layers, 5, 2, 4, seed, PLS_TARGETS_ONE_HOT);
}

static void build_relu(subject *s, uint64_t seed) {
    const pls_layer_spec layers[] = {
        {.type = PLS_LAYER_DENSE, .width = 32, .activation = PLS_RELU},
        {.type = PLS_LAYER_DENSE, .width = 2},
    };
    build_network(s, layers, 2, 5, 1, seed, PLS_TARGETS_ONE_HOT);
}

static void build_planted(subject *s, pls_planted_type type, uint64_t seed) {
    pls_planted_options options = pls_planted_options_defaults();
    pls_device_options device = support_device(1);
    memset(s, 0, sizeof *s);
    cr_assert_eq(pls_context_create(NULL, &s->f.context), PLS_OK);
    network_check(&s->f, pls_device_open(s->f.context, &device, &s->f.device));
    options.type = type;
    options.seed = seed;
    options.equations = 10;
    options.parameters = 60;
    options.nonlinearity = 0.0005;
    options.rows = options.columns = 6;
    options.rank = 3;
    options.observed = 10;
    network_check(&s->f, pls_planted_system_create(s->f.device, &options, &s->f.system));
}

static int index_of(const char *claim) {
    int index = 0;
    while (pls_audit_claim(index) != NULL && strcmp(pls_audit_claim(index), claim) != 0) {
        index++;
    }
    cr_assert(pls_audit_claim(index) != NULL, "claim %s", claim);
    return index;
}

/* Small, so that a claim takes a moment. */
static pls_audit_options quick_options(void) {
    static const int64_t widths[] = {16, 32, 64};
    pls_audit_options options = pls_audit_options_defaults();
    options.steps = 20;
    options.runs = 12;
    options.batch = 2;
    options.directions = 3;
    options.widths = widths;
    options.width_count = 3;
    options.seeds = 2;
    return options;
}

static pls_claim_result check(subject *s, const char *claim, const char *planted, double factor) {
    pls_audit_subject audited = {.system = s->f.system};
    pls_audit_options options = quick_options();
    pls_audit_plant plant = {planted, factor};
    pls_claim_result result;
    if (s->is_network) {
        audited.model = &s->model;
        audited.data = &s->f.data;
    }
    network_check(&s->f, pls_audit_check_planted(&audited, &options, index_of(claim),
                                                 planted == NULL ? NULL : &plant, &result));
    return result;
}

static void expect(subject *s, const char *claim, pls_verdict verdict) {
    pls_claim_result result = check(s, claim, NULL, 1.0);
    cr_expect_eq(result.verdict, verdict,
                 "claim %s: %s, %s: %g against %g, margin %g, error %g, %s", claim,
                 pls_verdict_name(result.verdict), result.formula, result.measured, result.bound,
                 result.margin, result.error, result.detail);
    cr_expect_str_eq(result.claim, claim);
    cr_expect(verdict != PLS_VERDICT_HOLDS || result.instances > 0);
    cr_expect(verdict == PLS_VERDICT_HOLDS || result.detail[0] != '\0');
}

static void expect_caught(subject *s, const char *claim, const char *planted, double factor) {
    pls_claim_result result = check(s, claim, planted, factor);
    cr_expect_eq(result.verdict, PLS_VERDICT_VIOLATED,
                 "claim %s with %s x %g: %s, %s: %g against %g", claim, planted, factor,
                 pls_verdict_name(result.verdict), result.formula, result.measured, result.bound);
    cr_expect_lt(result.margin, -result.error);
}

static double constant_of(const pls_claim_result *result, const char *name) {
    for (int c = 0; c < result->constant_count; c++) {
        if (strcmp(result->constants[c].name, name) == 0) {
            return result->constants[c].value;
        }
    }
    cr_assert(false, "there is no %s", name);
    return NAN;
}

/* ---- laws --------------------------------------------------------------------------------------
 */

static const char *const laws[] = {"3", "5'", "7", "8", "8'", "9", "10", "14", "15"};

enum { LAWS = sizeof laws / sizeof laws[0] };

Test(audit, laws_hold_on_a_dense_network) {
    for (uint64_t seed = 0; seed < 3; seed++) {
        subject s;
        build_dense(&s, seed);
        for (int l = 0; l < LAWS; l++) {
            expect(&s, laws[l], PLS_VERDICT_HOLDS);
        }
        network_tear_down(&s.f);
    }
}

Test(audit, laws_hold_on_a_convolutional_network) {
    subject s;
    build_convolution(&s, 4);
    for (int l = 0; l < LAWS; l++) {
        expect(&s, laws[l], PLS_VERDICT_HOLDS);
    }
    network_tear_down(&s.f);
}

static const char *const laws_of_systems[] = {"3", "7", "8", "8'", "9", "10", "15"};

Test(audit, laws_hold_on_quadratic_systems_with_known_constants) {
    for (uint64_t seed = 0; seed < 3; seed++) {
        subject s;
        build_planted(&s, PLS_PLANTED_QUADRATIC, seed);
        for (int l = 0; l < 7; l++) {
            expect(&s, laws_of_systems[l], PLS_VERDICT_HOLDS);
        }
        pls_claim_result result = check(&s, "8", NULL, 1.0);
        for (int c = 0; c < result.constant_count; c++) {
            cr_expect_neq(result.constants[c].evidence, PLS_EVIDENCE_SAMPLED);
        }
        network_tear_down(&s.f);
    }
}

/* The constants of claim 9 hold in a ball of R = 2 n sqrt(2 beta L_0) / (mu delta) where that is
 * said, and else a run counts while it stays where they do. */
Test(audit, stochastic_constants_hold_where_they_are_used) {
    subject s;
    pls_smoothness smoothness;
    build_planted(&s, PLS_PLANTED_QUADRATIC, 0);
    pls_claim_result result = check(&s, "9", NULL, 1.0);
    cr_expect(strstr(result.detail, "ball of claim 8") != NULL, "%s", result.detail);
    network_check(&s.f, pls_system_smoothness(s.f.system, &smoothness));
    double radius = constant_of(&result, "R"), mu = constant_of(&result, "mu");
    pls_ball_constants ball;
    network_check(&s.f, pls_constants_in_ball(s.f.system, NULL, radius, &ball));
    cr_expect_float_eq(ball.mu / mu, 1.0, 1e-9);
    network_tear_down(&s.f);
    build_planted(&s, PLS_PLANTED_LINEAR, 1);
    result = check(&s, "9", NULL, 1.0);
    cr_expect(strstr(result.detail, "ball of claim 8") == NULL, "%s", result.detail);
    pls_audit_options options = quick_options();
    double beta = constant_of(&result, "beta"), eta = constant_of(&result, "eta");
    double beta_l = constant_of(&result, "beta_L"), loss = 0.0;
    pls_point at;
    mu = constant_of(&result, "mu");
    network_check(&s.f, pls_system_measure(s.f.system, PLS_LOSS_SQUARE, &at, NULL, NULL));
    loss = at.loss;
    radius = 2.0 * 10.0 * sqrt(2.0 * beta * loss) / (mu * options.delta);
    cr_expect_float_eq(constant_of(&result, "R") / radius, 1.0, 1e-8);
    cr_expect_float_eq(eta * beta_l * (10.0 * beta + mu) / (10.0 * mu), 1.0, 1e-12); /* s = 2 */
    network_tear_down(&s.f);
}

/* beta_F = 0: all constants are exact, and the kernel never moves. */
Test(audit, laws_are_exact_on_linear_systems) {
    subject s;
    build_planted(&s, PLS_PLANTED_LINEAR, 1);
    pls_claim_result result = check(&s, "8", NULL, 1.0);
    cr_expect_eq(result.verdict, PLS_VERDICT_HOLDS);
    for (int c = 0; c < result.constant_count; c++) {
        cr_expect_eq(result.constants[c].evidence, PLS_EVIDENCE_EXACT);
    }
    expect(&s, "8'", PLS_VERDICT_HOLDS);
    expect(&s, "9", PLS_VERDICT_HOLDS);
    expect(&s, "10", PLS_VERDICT_NOT_APPLICABLE);
    expect(&s, "12", PLS_VERDICT_NOT_APPLICABLE);
    expect(&s, "5'", PLS_VERDICT_NOT_APPLICABLE);
    expect(&s, "1", PLS_VERDICT_NOT_APPLICABLE);
    network_tear_down(&s.f);
}

/* Taylor's bound is attained by the circle and by a product of two weights. */
Test(audit, the_bound_on_linearity_is_attained) {
    subject s;
    build_planted(&s, PLS_PLANTED_CIRCLE, 1);
    pls_claim_result result = check(&s, "3", NULL, 1.0);
    cr_expect_eq(result.verdict, PLS_VERDICT_HOLDS);
    cr_expect_lt(fabs(result.measured / result.bound - 1.0), 1e-12);
    expect_caught(&s, "3", "hessian", 0.999);
    network_tear_down(&s.f);
}

/* F'' = sech^2((w - at) / width), a bump that points far apart do not see. */
typedef struct bump {
    double at, width;
} bump;

static int bump_apply(void *user, const double *w, double *f) {
    const bump *b = user;
    double at = fabs((w[0] - b->at) / b->width);
    f[0] = b->width * b->width * (at + log1p(exp(-2.0 * at))); /* log(2 cosh) */
    return 0;
}

static int bump_product(void *user, const double *w, const double *v, double *f) {
    const bump *b = user;
    f[0] = b->width * tanh((w[0] - b->at) / b->width) * v[0];
    return 0;
}

static int bump_curvature(void *user, const double *w, const double *u, const double *v,
                          double *h) {
    const bump *b = user;
    double cosine = cosh((w[0] - b->at) / b->width);
    h[0] = u[0] * v[0] / (cosine * cosine);
    return 0;
}

static pls_claim_result check_bump(double at, double width, const char *planted, double factor) {
    bump b = {at, width};
    const double target = 1.0; /* above F: the steepest direction leads to the bump */
    const pls_user_system functions = {.samples = 1,
                                       .outputs = 1,
                                       .parameters = 1,
                                       .targets = &target,
                                       .user = &b,
                                       .apply = bump_apply,
                                       .pushforward = bump_product,
                                       .pullback = bump_product,
                                       .curvature = bump_curvature};
    pls_device_options device = support_device(1);
    subject s = {.is_network = false};
    cr_assert_eq(pls_context_create(NULL, &s.f.context), PLS_OK);
    network_check(&s.f, pls_device_open(s.f.context, &device, &s.f.device));
    network_check(&s.f, pls_user_system_create(s.f.device, PLS_F64, &functions, &s.f.system));
    network_check(&s.f, pls_system_initialize(s.f.system));
    pls_claim_result result = check(&s, "3", planted, factor);
    network_tear_down(&s.f);
    return result;
}

/* What the sampling of a sup has missed is no violation of a law: a bump on the shorter segment, a
 * narrow one, and one that the densest sampling has only begun to find. */
Test(audit, a_missed_supremum_is_no_violation) {
    cr_expect_eq(check_bump(0.125, 0.05, NULL, 1.0).verdict, PLS_VERDICT_HOLDS);
    cr_expect_eq(check_bump(0.125, 0.01, NULL, 1.0).verdict, PLS_VERDICT_HOLDS);
    cr_expect_eq(check_bump(0.125, 0.05, "hessian", 0.1).verdict, PLS_VERDICT_VIOLATED);
    pls_claim_result result = check_bump(0.1154, 3e-4, NULL, 1.0);
    cr_expect_eq(result.verdict, PLS_VERDICT_NOT_APPLICABLE, "%g against %g, %g", result.measured,
                 result.bound, result.error);
    cr_expect(strstr(result.detail, "too fast") != NULL, "%s", result.detail);
}

Test(audit, says_why_a_claim_does_not_apply) {
    subject s;
    build_relu(&s, 0);
    const char *const smooth[] = {"1", "3", "8", "10", "12"};
    for (int i = 0; i < 5; i++) {
        pls_claim_result result = check(&s, smooth[i], NULL, 1.0);
        cr_expect_eq(result.verdict, PLS_VERDICT_NOT_APPLICABLE, "claim %s", smooth[i]);
        cr_expect(strstr(result.detail, "relu") != NULL, "claim %s: %s", smooth[i], result.detail);
        cr_expect(isnan(result.measured) && isnan(result.bound));
    }
    expect(&s, "7", PLS_VERDICT_HOLDS);
    expect(&s, "2", PLS_VERDICT_HOLDS);
    network_tear_down(&s.f);
    build_planted(&s, PLS_PLANTED_PHASE_RETRIEVAL, 0);
    pls_claim_result result = check(&s, "8", NULL, 1.0);
    cr_expect_eq(result.verdict, PLS_VERDICT_NOT_APPLICABLE);
    cr_expect(strstr(result.detail, "no ball contains itself") != NULL, "%s", result.detail);
    network_tear_down(&s.f);
    build_convolution(&s, 0);
    result = check(&s, "6", NULL, 1.0);
    cr_expect_eq(result.verdict, PLS_VERDICT_NOT_APPLICABLE);
    cr_expect(strstr(result.detail, "dense") != NULL, "%s", result.detail);
    network_tear_down(&s.f);
}

/* A check that cannot fail checks nothing. */
Test(audit, falsehoods_are_found) {
    subject s;
    build_dense(&s, 1);
    expect_caught(&s, "3", "hessian", 0.3);
    expect_caught(&s, "5'", "kernel", 1.0 + 1e-9);
    expect_caught(&s, "7", "kernel", 100.0);
    expect_caught(&s, "8", "step", 200.0);
    expect_caught(&s, "8'", "step", 2000.0);
    expect_caught(&s, "9", "step", 1e7);
    expect_caught(&s, "10", "hessian", 0.0);
    expect_caught(&s, "14", "kernel", 3.0);
    expect_caught(&s, "15", "kernel", 1.0 + 1e-9);
    expect_caught(&s, "15", "domain", 1.0 + 1e-9);
    network_tear_down(&s.f);
    build_planted(&s, PLS_PLANTED_QUADRATIC, 1);
    expect_caught(&s, "3", "hessian", 0.01);
    expect_caught(&s, "8", "step", 10.0);
    expect_caught(&s, "8", "L_F", 0.05);
    expect_caught(&s, "9", "step", 100.0);
    expect_caught(&s, "10", "hessian", 0.0);
    expect_caught(&s, "15", "mu", 10.0);
    expect_caught(&s, "15", "domain", 1.0 + 1e-9);
    network_tear_down(&s.f);
    build_planted(&s, PLS_PLANTED_LINEAR, 1);
    expect_caught(&s, "8", "mu", 30.0); /* (1 - eta mu) becomes faster than any descent */
    expect_caught(&s, "9", "mu", 1000.0);
    network_tear_down(&s.f);
    build_classes(&s, 2);
    expect_caught(&s, "8''", "step", 200.0);
    expect_caught(&s, "8''", "mu", 600.0);
    network_tear_down(&s.f);
}

/* ---- cross entropy -----------------------------------------------------------------------------
 */

/* F = A w, n = 3 samples of k = 3 classes, 12 weights; A has orthogonal rows of norms 1 to 3. */
enum { CLASSES = 3, CLASS_EQUATIONS = 9, CLASS_PARAMETERS = 12 };

static double class_scale(int i) {
    return 1.0 + i * 0.25;
}

static int apply_classes(void *user, const double *w, double *f) {
    (void)user;
    for (int i = 0; i < CLASS_EQUATIONS; i++) {
        f[i] = class_scale(i) * w[i];
    }
    return 0;
}

static int push_classes(void *user, const double *w, const double *v, double *f) {
    (void)w;
    return apply_classes(user, v, f);
}

static int pull_classes(void *user, const double *w, const double *u, double *g) {
    (void)user;
    (void)w;
    for (int i = 0; i < CLASS_PARAMETERS; i++) {
        g[i] = i < CLASS_EQUATIONS ? class_scale(i) * u[i] : 0.0;
    }
    return 0;
}

static void build_linear_classes(subject *s, const double *targets) {
    static const pls_smoothness smoothness = {0.0, PLS_EVIDENCE_EXACT};
    pls_device_options device = support_device(1);
    pls_user_system functions = {.samples = CLASSES,
                                 .outputs = CLASSES,
                                 .parameters = CLASS_PARAMETERS,
                                 .targets = targets,
                                 .smoothness = &smoothness,
                                 .apply = apply_classes,
                                 .pushforward = push_classes,
                                 .pullback = pull_classes};
    memset(s, 0, sizeof *s);
    cr_assert_eq(pls_context_create(NULL, &s->f.context), PLS_OK);
    network_check(&s->f, pls_device_open(s->f.context, &device, &s->f.device));
    network_check(&s->f, pls_user_system_create(s->f.device, PLS_F64, &functions, &s->f.system));
}

/* From w = 0 every p is 1/3 and L_0 = 3 log 3. All is exact: beta_F = 0, lambda_min(K) = 1,
 * L_F = 3, so beta = 9/2. */
Test(audit, cross_entropy_is_exact_on_a_linear_system) {
    const double targets[] = {1, 0, 0, 0, 0, 1, 0, 1, 0};
    const double soft[] = {0.5, 0.5, 0, 0, 0, 1, 0, 1, 0};
    subject s;
    build_linear_classes(&s, targets);
    pls_claim_result result = check(&s, "8''", NULL, 1.0);
    double eps = constant_of(&result, "eps"), start = 3.0 * log(3.0);
    double at_start = pow(1.0 - 1.0 / 3.0, 2.0) / start;
    double at_end = pow(1.0 - exp(-eps / 3.0), 2.0) / eps;
    double mu = 3.0 / 4.0 * fmin(at_start, at_end);
    cr_expect_eq(result.verdict, PLS_VERDICT_HOLDS);
    cr_expect(eps > 0.0 && eps < start);
    cr_expect_float_eq(constant_of(&result, "mu_eps"), mu, 1e-12 * mu);
    cr_expect_float_eq(constant_of(&result, "eta"), 2.0 / 9.0, 1e-12);
    cr_expect_float_eq(constant_of(&result, "R"), 2.0 * sqrt(9.0 * start) / mu, 1e-7 / mu);
    for (int c = 0; c < result.constant_count; c++) {
        cr_expect_eq(result.constants[c].evidence, PLS_EVIDENCE_EXACT);
    }
    expect_caught(&s, "8''", "mu", 20.0);
    network_tear_down(&s.f);
    build_linear_classes(&s, soft);
    result = check(&s, "8''", NULL, 1.0);
    cr_expect_eq(result.verdict, PLS_VERDICT_NOT_APPLICABLE);
    cr_expect(strstr(result.detail, "one_hot") != NULL, "%s", result.detail);
    network_tear_down(&s.f);
}

Test(audit, cross_entropy_on_networks) {
    subject s;
    for (uint64_t seed = 0; seed < 3; seed++) {
        build_classes(&s, seed);
        expect(&s, "8''", PLS_VERDICT_HOLDS);
        network_tear_down(&s.f);
    }
    build_convolution(&s, 4);
    expect(&s, "8''", PLS_VERDICT_HOLDS);
    network_tear_down(&s.f);
    build_dense(&s, 1);
    expect(&s, "8''", PLS_VERDICT_NOT_APPLICABLE);
    network_tear_down(&s.f);
}

/* ---- scaling and pictures ----------------------------------------------------------------------
 */

static pls_claim_result check_widths(subject *s, const char *claim,
                                     const pls_audit_options *options, const char *planted,
                                     double factor) {
    pls_audit_subject audited = {.system = s->f.system, .model = &s->model, .data = &s->f.data};
    pls_audit_plant plant = {planted, factor};
    pls_claim_result result;
    network_check(&s->f, pls_audit_check_planted(&audited, options, index_of(claim),
                                                 planted == NULL ? NULL : &plant, &result));
    return result;
}

/* Seeds and widths enough for slopes to be told. */
static pls_audit_options patient_options(void) {
    static const int64_t widths[] = {16, 32, 64, 128};
    pls_audit_options options = quick_options();
    options.widths = widths;
    options.width_count = 4;
    options.seeds = 8;
    return options;
}

Test(audit, exponents_over_widths) {
    const char *const scalings[] = {"1", "2", "3'", "4", "5", "6", "6'", "11"};
    pls_audit_options options = patient_options();
    subject s;
    build_dense(&s, 2);
    for (int i = 0; i < 8; i++) {
        pls_claim_result result = check_widths(&s, scalings[i], &options, NULL, 1.0);
        cr_expect_neq(result.verdict, PLS_VERDICT_NOT_APPLICABLE, "claim %s: %s", scalings[i],
                      result.detail);
        cr_expect(isfinite(result.measured) && isfinite(result.bound), "claim %s", scalings[i]);
        cr_expect_eq(result.kind, PLS_CLAIM_SCALING);
    }
    const char *const falling[] = {"1", "3'", "4", "6'", "11"};
    for (int i = 0; i < 5; i++) {
        pls_claim_result result = check_widths(&s, falling[i], &options, "slope", -1.0);
        cr_expect_eq(result.verdict, PLS_VERDICT_VIOLATED, "claim %s: %s", falling[i],
                     result.detail);
        cr_expect_lt(result.margin, -result.error);
    }
    cr_expect_eq(check_widths(&s, "2", &options, "slope", 1e3).verdict, PLS_VERDICT_VIOLATED);
    network_tear_down(&s.f);
}

/* Two seeds and widths do not tell a slope: an interval that holds everything is no confirmation.
 */
Test(audit, a_wide_interval_decides_nothing) {
    static const int64_t widths[] = {16, 32};
    const char *const scalings[] = {"4", "5", "6", "11"};
    pls_audit_options options = quick_options();
    subject s;
    build_dense(&s, 2);
    options.widths = widths;
    options.width_count = 2;
    for (int i = 0; i < 4; i++) {
        pls_claim_result result = check_widths(&s, scalings[i], &options, NULL, 1.0);
        cr_expect_eq(result.verdict, PLS_VERDICT_NOT_APPLICABLE, "claim %s: %g, %g", scalings[i],
                     result.measured, result.error);
        cr_expect(strstr(result.detail, "undecided") != NULL, "%s", result.detail);
    }
    network_tear_down(&s.f);
}

/* Samples that are equal have mu = 0, which has no slope and violates none. */
Test(audit, no_value_is_no_violation) {
    subject s;
    build_dense(&s, 0);
    int64_t d = s.f.data.dimension;
    memcpy(s.f.data.inputs + d, s.f.data.inputs, (size_t)d * sizeof *s.f.data.inputs);
    pls_claim_result result = check(&s, "11", NULL, 1.0);
    cr_expect_eq(result.verdict, PLS_VERDICT_NOT_APPLICABLE, "%s", result.detail);
    cr_expect(strstr(result.detail, "below its floor") != NULL, "%s", result.detail);
    network_tear_down(&s.f);
}

Test(audit, pictures) {
    const char *const pictures[] = {"12", "13", "16", "17", "18"};
    for (uint64_t seed = 0; seed < 2; seed++) {
        subject s;
        build_dense(&s, seed);
        for (int i = 0; i < 5; i++) {
            expect(&s, pictures[i], PLS_VERDICT_HOLDS);
        }
        network_tear_down(&s.f);
    }
    subject s;
    build_dense(&s, 0);
    expect_caught(&s, "12", "hessian", -1.0);
    expect_caught(&s, "13", "loss", 1e9);
    expect_caught(&s, "16", "mu", 100.0);
    expect_caught(&s, "17", "kernel", 0.01);
    expect_caught(&s, "18", "step", 0.5);
    network_tear_down(&s.f);
}

/* ---- what all share
 * ------------------------------------------------------------------------------ */

Test(audit, lists_its_claims) {
    int count = pls_audit_claims(), numbers = 0;
    for (int i = 0; i < count; i++) {
        char number[16];
        cr_assert(pls_audit_claim(i) != NULL && pls_audit_claim_title(i) != NULL);
        numbers += strchr(pls_audit_claim(i), '\'') == NULL;
        snprintf(number, sizeof number, "%d", numbers);
        cr_expect_eq(strncmp(pls_audit_claim(i), number, strlen(number)), 0, "%s",
                     pls_audit_claim(i));
    }
    cr_expect_eq(numbers, 18);
    cr_expect(pls_audit_claim(count) == NULL && pls_audit_claim(-1) == NULL);
}

/* The system stands where it stood, and samples beyond the limit are left out. */
Test(audit, leaves_its_subject_alone) {
    subject s;
    build_dense(&s, 3);
    pls_audit_subject audited = {.system = s.f.system, .model = &s.model, .data = &s.f.data};
    pls_audit_options options = quick_options();
    pls_claim_result result;
    int64_t parameters = pls_system_parameters(s.f.system);
    double *before = calloc((size_t)parameters, sizeof *before);
    double *after = calloc((size_t)parameters, sizeof *after);
    network_check(&s.f, pls_system_get_weights(s.f.system, before));
    options.equations = 4;
    network_check(&s.f, pls_audit_check(&audited, &options, index_of("5'"), &result));
    cr_expect_eq(result.instances, 16);
    network_check(&s.f, pls_audit_check(&audited, &options, index_of("8"), &result));
    network_check(&s.f, pls_system_get_weights(s.f.system, after));
    cr_expect_eq(memcmp(before, after, (size_t)parameters * sizeof *before), 0);
    options.steps = 0;
    SUPPORT_EXPECT_ERROR(s.f.context, pls_audit_check(&audited, &options, 0, &result),
                         PLS_ERROR_ARGUMENT, "steps");
    options.steps = 1;
    SUPPORT_EXPECT_ERROR(s.f.context, pls_audit_check(&audited, &options, 99, &result),
                         PLS_ERROR_ARGUMENT, "claim 99");
    free(before);
    free(after);
    network_tear_down(&s.f);
}

Test(audit, pl_identity) {
    network_fixture f = network_set_up(&plan);
    pls_audit_subject audited = {.system = f.system};
    pls_audit_options options = quick_options();
    pls_claim_result result;
    network_check(&f, pls_audit_check(&audited, &options, index_of("7"), &result));
    cr_expect_eq(result.verdict, PLS_VERDICT_HOLDS);
    cr_expect_eq(result.instances, 42);
    cr_expect_gt(result.margin, 0.0);
    network_tear_down(&f);
}

/* The subject's weights times `factor`. */
static void scale_weights(subject *s, double factor) {
    int64_t parameters = pls_system_parameters(s->f.system);
    double *weights = calloc((size_t)parameters, sizeof *weights);
    network_check(&s->f, pls_system_get_weights(s->f.system, weights));
    for (int64_t i = 0; i < parameters; i++) {
        weights[i] *= factor;
    }
    network_check(&s->f, pls_system_set_weights(s->f.system, weights));
    free(weights);
}

/* Outputs beyond the digits of tanh: identities that rounding has emptied are not said to hold. */
Test(audit, saturated_outputs_are_not_compared) {
    subject s;
    build_dense(&s, 0);
    scale_weights(&s, 1e4);
    pls_claim_result result = check(&s, "5'", NULL, 1.0);
    cr_expect_eq(result.verdict, PLS_VERDICT_NOT_APPLICABLE, "%g, %g", result.measured,
                 result.error);
    cr_expect(strstr(result.detail, "saturated") != NULL, "%s", result.detail);
    network_tear_down(&s.f);
}

/* A start that gradient descent cannot leave, or leaves for good, refutes nothing. */
Test(audit, a_path_that_is_none_is_no_violation) {
    subject s;
    build_dense(&s, 0);
    scale_weights(&s, 1e-9); /* half the critical step is 1e17 */
    expect(&s, "7", PLS_VERDICT_HOLDS);
    network_tear_down(&s.f);
    build_planted(&s, PLS_PLANTED_LINEAR, 0);
    double far[60];
    for (int i = 0; i < 60; i++) {
        far[i] = 1e160; /* the loss is infinite */
    }
    network_check(&s.f, pls_system_set_weights(s.f.system, far));
    const char *const paths[] = {"7", "8", "8'", "9"};
    for (int i = 0; i < 4; i++) {
        pls_claim_result result = check(&s, paths[i], NULL, 1.0);
        cr_expect_eq(result.verdict, PLS_VERDICT_NOT_APPLICABLE, "claim %s", paths[i]);
        cr_expect(strstr(result.detail, "not finite") != NULL, "%s", result.detail);
    }
    network_tear_down(&s.f);
}

/* The worst of several comparisons is kept, whatever their order and units. */
Test(audit, keeps_the_worst_comparison) {
    pls_claim_result result = {.formula = ""};
    pls_claim_at_most(&result, "a", 1.0, 2.0, 0.0);
    pls_claim_at_least(&result, "b", 1.0e6, 0.9e6, 0.0);
    pls_claim_at_most(&result, "c", 1.0, INFINITY, 0.0);
    cr_expect_str_eq(result.formula, "b");
    cr_expect_eq(result.verdict, PLS_VERDICT_HOLDS);
    pls_claim_at_most(&result, "d", 1.0 + 1e-9, 1.0, 1e-8);
    cr_expect_str_eq(result.formula, "d");
    cr_expect_eq(result.verdict, PLS_VERDICT_HOLDS);
    pls_claim_at_most(&result, "e", 1.1, 1.0, 1e-8);
    cr_expect_eq(result.verdict, PLS_VERDICT_VIOLATED);
    pls_claim_at_most(&result, "f", 1.0 + 1e-9, 1.0, 1e-8);
    cr_expect_str_eq(result.formula, "e");
    cr_expect_eq(result.instances, 6);
    pls_claim_at_least(&result, "g", NAN, 0.0, 1.0);
    cr_expect_eq(result.verdict, PLS_VERDICT_VIOLATED);
    pls_claim_result endless = {.formula = ""};
    pls_claim_at_most(&endless, "h", 1.0, 2.0, INFINITY);
    cr_expect_eq(endless.verdict, PLS_VERDICT_VIOLATED);
    pls_claim_does_not_apply(&result, "because of %d", 1);
    cr_expect_eq(result.verdict, PLS_VERDICT_NOT_APPLICABLE);
    cr_expect_str_eq(result.detail, "because of 1");
}

/* ---- failures
 * ------------------------------------------------------------------------------------ */

static pls_status check_once(pls_context *context, void *user) {
    pls_device_options device = support_device(1);
    pls_planted_options planted = pls_planted_options_defaults();
    pls_audit_options options = quick_options();
    pls_audit_subject audited = {0};
    pls_claim_result result;
    pls_device *opened = NULL;
    pls_system *system = NULL;
    planted.equations = 3;
    planted.parameters = 8;
    planted.nonlinearity = 0.005;
    options.steps = 2;
    options.runs = 2;
    options.directions = 2;
    pls_status status = pls_device_open(context, &device, &opened);
    if (status == PLS_OK) {
        status = pls_planted_system_create(opened, &planted, &system);
    }
    audited.system = system;
    if (status == PLS_OK) {
        status = pls_audit_check(&audited, &options, *(const int *)user, &result);
    }
    pls_system_destroy(system);
    pls_device_close(opened);
    return status;
}

Test(audit, survives_the_failure_of_any_allocation) {
    const char *const some[] = {"3", "8", "9", "10", "15"};
    for (int i = 0; i < 5; i++) {
        int index = index_of(some[i]);
        support_survive_each_allocation(check_once, &index); /* kernels can do without K */
    }
}
