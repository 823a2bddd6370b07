/* Second derivatives: against an independent automatic differentiation (tests/reference), finite
 * differences and dense eigenvalues; what is refused; and that no company changes a bit. */
#include "networks.h"
#include "reference_case.h"

#include "second/hessian.h"

#include <criterion/parameterized.h>
#include <lapacke.h>
#include <math.h>

static double difference(const double *a, const double *b, int64_t count) {
    double largest = 0.0, worst = 0.0;
    for (int64_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs(b[i]));
        double distance = fabs(a[i] - b[i]);
        worst = distance <= worst ? worst : distance; /* NaN is worst */
    }
    return worst / largest;
}

static double *numbers(int64_t count) {
    double *values = calloc((size_t)count, sizeof *values);
    cr_assert(values != NULL);
    return values;
}

/* A direction without symmetries. */
static double *direction(int64_t count) {
    double *v = numbers(count);
    for (int64_t i = 0; i < count; i++) {
        v[i] = sin(1.0 + 0.7 * (double)i) + 0.1 * cos((double)(i * i % 101));
    }
    return v;
}

/* Outputs of which each sample has one class: targets of cross entropy. */
static void set_one_hot(network_fixture *f) {
    pls_system *system = f->system;
    int64_t k = system->outputs;
    double *targets = numbers(system->samples * k);
    for (int64_t i = 0; i < system->samples; i++) {
        targets[i * k + i % k] = 1.0;
    }
    network_check(f, pls_upload_f64(f->device, targets, system->targets));
    pls_system_describe_targets(system, targets);
    free(targets);
}

/* P = 54, P^2 products in no time. */
static const network_plan small = {.samples = 6,
                                   .inputs = 4,
                                   .depth = 3,
                                   .widths = {5, 4, 3},
                                   .hidden = PLS_TANH,
                                   .bias = true,
                                   .precision = PLS_F64,
                                   .threads = 1};

static void prepare(network_fixture *f, pls_loss loss) {
    if (loss == PLS_LOSS_CROSS_ENTROPY) {
        set_one_hot(f);
    }
}

/* ---- against automatic differentiation ------------------------------------------------------- */

static double *read_tensor(const reference_case *r, const char *name) {
    const pls_tensor *tensor = pls_safetensors_find(r->values, name);
    cr_assert(tensor != NULL, "%s", name);
    double *values = numbers(tensor->count);
    SUPPORT_EXPECT_OK(r->context,
                      pls_safetensors_read(r->values, tensor, 0, tensor->count, PLS_F64, values));
    return values;
}

static void compare_product(const reference_case *r, const pls_second_options *options) {
    int64_t p = pls_system_parameters(r->system);
    double *probe = read_tensor(r, "probe"), *expected = read_tensor(r, "loss_hvp");
    double *product = numbers(p);
    SUPPORT_EXPECT_OK(
        r->context, pls_loss_hessian_product(r->system, PLS_LOSS_SQUARE, options, probe, product));
    cr_expect_leq(difference(product, expected, p), 1e-12);
    free(probe);
    free(expected);
    free(product);
}

static void compare_norms(const reference_case *r, const pls_second_options *options) {
    int64_t k = pls_system_outputs(r->system);
    double *loss = read_tensor(r, "loss_hessian_norm");
    double *outputs = read_tensor(r, "output_hessian_norm");
    pls_loss_hessian found = {0};
    pls_eigenvalue *norms = calloc((size_t)(3 * k), sizeof *norms);
    SUPPORT_EXPECT_OK(r->context,
                      pls_loss_hessian_norm(r->system, PLS_LOSS_SQUARE, options, &found));
    cr_expect(found.largest.converged && found.smallest.converged);
    cr_expect_leq(fabs(found.norm - loss[0]), 1e-9 * loss[0], "%.17g, expected %.17g", found.norm,
                  loss[0]);
    cr_expect_leq(found.norm_residual, 2e-10 * found.norm);
    SUPPORT_EXPECT_OK(r->context, pls_output_hessian_norms(r->system, NULL, 3, options, norms));
    for (int64_t i = 0; i < 3 * k; i++) {
        cr_expect(norms[i].converged);
        cr_expect_leq(fabs(norms[i].value - outputs[i]), 1e-9 * outputs[i],
                      "pair %lld: %.17g, expected %.17g", (long long)i, norms[i].value, outputs[i]);
    }
    free(loss);
    free(outputs);
    free(norms);
}

static const char *const references[] = {
    "cnn_flatten",   "cnn_pool_bias",         "mlp_bottleneck",   "mlp_nonlinear_output",
    "mlp_relu",      "mlp_sigmoid_3out_bias", "mlp_standard_erf", "mlp_swish_deep",
    "mlp_tanh_1out", "resnet_conv",           "resnet_dense"};
enum { REFERENCES = sizeof references / sizeof references[0] };

typedef struct reference_name {
    char name[32];
} reference_name;

ParameterizedTestParameters(second, reference) {
    static reference_name names[REFERENCES];
    for (int i = 0; i < REFERENCES; i++) {
        snprintf(names[i].name, sizeof names[i].name, "%s", references[i]);
    }
    return cr_make_param_array(reference_name, names, REFERENCES);
}

ParameterizedTest(reference_name *name, second, reference) {
    char folder[512];
    pls_context *context = support_context(NULL);
    pls_device *device = NULL;
    pls_device_options how = support_device(1);
    reference_case reference;
    pls_second_options options = pls_second_options_defaults();
    options.kinks_are_zero = strstr(name->name, "relu") != NULL;
    snprintf(folder, sizeof folder, "%s/reference/%s", PLSTAR_TEST_FOLDER, name->name);
    SUPPORT_EXPECT_OK(context, pls_device_open(context, &how, &device));
    SUPPORT_EXPECT_OK(context, reference_open(context, device, folder, PLS_F64, &reference));
    compare_product(&reference, &options);
    compare_norms(&reference, &options);
    reference_close(&reference);
    pls_device_close(device);
    pls_context_destroy(context);
}

/* ---- against differences of the gradient ------------------------------------------------------
 */

static void gradient_at(network_fixture *f, pls_loss loss, const double *w, double h,
                        const double *v, double *gradient) {
    int64_t p = pls_system_parameters(f->system);
    double *moved = numbers(p);
    pls_point point;
    for (int64_t i = 0; i < p; i++) {
        moved[i] = w[i] + h * v[i];
    }
    network_check(f, pls_system_set_weights(f->system, moved));
    network_check(f, pls_system_measure(f->system, loss, &point, NULL, gradient));
    free(moved);
}

static void compare_with_differences(pls_loss loss) {
    const double h = 1e-5;
    network_fixture f = network_set_up(&small);
    int64_t p = pls_system_parameters(f.system);
    double *w = numbers(p), *v = direction(p), *product = numbers(p);
    double *ahead = numbers(p), *behind = numbers(p);
    prepare(&f, loss);
    network_check(&f, pls_system_get_weights(f.system, w));
    network_check(&f, pls_loss_hessian_product(f.system, loss, NULL, v, product));
    gradient_at(&f, loss, w, h, v, ahead);
    gradient_at(&f, loss, w, -h, v, behind);
    for (int64_t i = 0; i < p; i++) {
        ahead[i] = (ahead[i] - behind[i]) / (2.0 * h);
    }
    cr_expect_leq(difference(product, ahead, p), 1e-7);
    free(w);
    free(v);
    free(product);
    free(ahead);
    free(behind);
    network_tear_down(&f);
}

Test(second, square_loss_against_differences) {
    compare_with_differences(PLS_LOSS_SQUARE);
}

Test(second, cross_entropy_against_differences) {
    compare_with_differences(PLS_LOSS_CROSS_ENTROPY);
}

/* ---- against the matrix -----------------------------------------------------------------------
 */

/* H_L, P x P, from products with unit vectors. */
static double *loss_matrix(network_fixture *f, pls_loss loss) {
    int64_t p = pls_system_parameters(f->system);
    double *matrix = numbers(p * p), *unit = numbers(p);
    for (int64_t i = 0; i < p; i++) {
        unit[i] = 1.0;
        network_check(f, pls_loss_hessian_product(f->system, loss, NULL, unit, matrix + i * p));
        unit[i] = 0.0;
    }
    free(unit);
    return matrix;
}

/* Eigenvalues, ascending; the matrix is destroyed. */
static double *eigenvalues(int64_t p, double *matrix) {
    double *values = numbers(p);
    cr_assert_eq(
        LAPACKE_dsyev(LAPACK_ROW_MAJOR, 'N', 'U', (lapack_int)p, matrix, (lapack_int)p, values), 0);
    return values;
}

static void compare_with_matrix(pls_loss loss) {
    network_fixture f = network_set_up(&small);
    int64_t p = pls_system_parameters(f.system);
    pls_loss_hessian found = {0};
    prepare(&f, loss);
    double *matrix = loss_matrix(&f, loss);
    for (int64_t i = 0; i < p; i++) {
        for (int64_t j = 0; j < i; j++) {
            cr_expect_float_eq(matrix[i * p + j], matrix[j * p + i], 1e-12);
        }
    }
    double *values = eigenvalues(p, matrix);
    network_check(&f, pls_loss_hessian_norm(f.system, loss, NULL, &found));
    cr_expect_lt(values[0], -1e-3, "the smallest eigenvalue is to be negative here");
    cr_expect_float_eq(found.largest.value, values[p - 1], 1e-10);
    cr_expect_float_eq(found.smallest.value, values[0], 1e-10);
    cr_expect_float_eq(found.norm, fmax(-values[0], values[p - 1]), 1e-10);
    cr_expect(found.largest.converged && found.smallest.converged);
    cr_expect_leq(found.norm_residual, 2e-10 * found.norm);
    free(matrix);
    free(values);
    network_tear_down(&f);
}

Test(second, square_loss_against_its_matrix) {
    compare_with_matrix(PLS_LOSS_SQUARE);
}

Test(second, cross_entropy_against_its_matrix) {
    compare_with_matrix(PLS_LOSS_CROSS_ENTROPY);
}

/* sum_a u_a H_a over single outputs makes up the part of H_L beside the Gauss-Newton matrix:
 * H_L v = J^T J v + sum of r H v, here by products of each kind. */
Test(second, the_loss_is_made_of_its_outputs) {
    network_fixture f = network_set_up(&small);
    int64_t p = pls_system_parameters(f.system), n = pls_system_equations(f.system);
    int64_t k = pls_system_outputs(f.system);
    double *v = direction(p), *jacobian = numbers(n * p), *outputs = numbers(n);
    double *product = numbers(p), *sum = numbers(p), *part = numbers(p);
    pls_point point;
    network_check(&f, pls_system_measure(f.system, PLS_LOSS_SQUARE, &point, outputs, NULL));
    network_check(&f, pls_system_jacobian(f.system, 0, n / k, jacobian));
    network_check(&f, pls_loss_hessian_product(f.system, PLS_LOSS_SQUARE, NULL, v, product));
    for (int64_t r = 0; r < n; r++) {
        double along = 0.0;
        network_check(&f, pls_output_hessian_product(f.system, r / k, r % k, NULL, v, part));
        for (int64_t i = 0; i < p; i++) {
            along += jacobian[r * p + i] * v[i];
        }
        for (int64_t i = 0; i < p; i++) {
            sum[i] += jacobian[r * p + i] * along + (outputs[r] - f.data.targets[r]) * part[i];
        }
    }
    cr_expect_leq(difference(product, sum, p), 1e-12);
    free(v);
    free(jacobian);
    free(outputs);
    free(product);
    free(sum);
    free(part);
    network_tear_down(&f);
}

/* A linear system has no curvature at all, and H_L = A^T A. */
Test(second, linear_systems) {
    const double a[6] = {3.0, 0.0, 0.0, 0.0, -5.0, 0.0}, y[2] = {1.0, 2.0};
    network_fixture f = network_set_up(&small);
    pls_system *system = NULL;
    pls_eigenvalue norms[2];
    pls_loss_hessian found;
    network_check(&f, pls_linear_system_create(f.device, PLS_F32, 2, 3, a, y, &system));
    network_check(&f, pls_output_hessian_norms(system, NULL, 2, NULL, norms));
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(norms[i].value, 0.0);
        cr_expect_eq(norms[i].residual, 0.0);
        cr_expect(norms[i].converged);
    }
    network_check(&f, pls_loss_hessian_norm(system, PLS_LOSS_SQUARE, NULL, &found));
    cr_expect_float_eq(found.norm, 25.0, 1e-12);
    cr_expect_float_eq(found.smallest.value, 0.0, 1e-12);
    pls_system_destroy(system);
    network_tear_down(&f);
}

/* ---- trace and density ------------------------------------------------------------------------
 */

static void compare_quadrature(pls_loss loss) {
    network_fixture f = network_set_up(&small);
    int64_t p = pls_system_parameters(f.system);
    pls_quadrature q = {0};
    pls_quadrature_options how = {200, 20, 7};
    double trace = 0.0, squared = 0.0, diagonal = 0.0, found = 0.0;
    prepare(&f, loss);
    double *matrix = loss_matrix(&f, loss);
    for (int64_t i = 0; i < p * p; i++) {
        double on_diagonal = i % (p + 1) == 0 ? matrix[i] : 0.0;
        trace += on_diagonal;
        diagonal += on_diagonal * on_diagonal;
        squared += matrix[i] * matrix[i];
    }
    double *values = eigenvalues(p, matrix);
    network_check(&f, pls_loss_hessian_quadrature(f.system, loss, &how, NULL, &q));
    cr_expect_eq(q.size, p);
    cr_expect_leq(fabs(q.trace - trace), 4.0 * q.trace_error, "%g, exactly %g, error %g", q.trace,
                  trace, q.trace_error);
    /* Signs: the variance of z^T H z is twice the squares off the diagonal. */
    cr_expect_float_eq(q.trace_error / sqrt(2.0 * (squared - diagonal) / 200.0), 1.0, 0.2);
    for (int64_t j = 0; j < q.count; j++) {
        found += q.weights[j] * q.nodes[j] * q.nodes[j];
        cr_expect_geq(q.nodes[j], values[0] - 1e-10);
        cr_expect_leq(q.nodes[j], values[p - 1] + 1e-10);
    }
    cr_expect_float_eq(found / squared, 1.0, 0.1);
    pls_quadrature_destroy(f.context, &q);
    free(matrix);
    free(values);
    network_tear_down(&f);
}

Test(second, trace_of_the_square_loss) {
    compare_quadrature(PLS_LOSS_SQUARE);
}

Test(second, trace_of_the_cross_entropy) {
    compare_quadrature(PLS_LOSS_CROSS_ENTROPY);
}

/* ---- bits --------------------------------------------------------------------------------------
 */

static void expect_same(const pls_eigenvalue *a, const pls_eigenvalue *b, const char *where) {
    cr_expect_eq(memcmp(&a->value, &b->value, sizeof(double)), 0, "%s: %.17g and %.17g", where,
                 a->value, b->value);
    cr_expect_eq(memcmp(&a->residual, &b->residual, sizeof(double)), 0, "%s", where);
    cr_expect_eq(a->iterations, b->iterations, "%s", where);
}

/* One sample alone, among others, in another place, more than once. */
Test(second, the_company_changes_no_bit) {
    enum { OUTPUTS = 3, MANY = 9 };
    const int64_t lists[][MANY] = {{2}, {0, 1, 2}, {5, 2, 2, 2, 0, 1, 3, 4, 2}};
    const int64_t counts[] = {1, 3, MANY}, places[] = {0, 2, 8};
    network_fixture f = network_set_up(&small);
    pls_eigenvalue norms[3][MANY * OUTPUTS];
    for (int i = 0; i < 3; i++) {
        network_check(&f, pls_output_hessian_norms(f.system, lists[i], counts[i], NULL, norms[i]));
    }
    for (int a = 0; a < OUTPUTS; a++) {
        expect_same(&norms[1][places[1] * OUTPUTS + a], &norms[0][a], "of three");
        expect_same(&norms[2][places[2] * OUTPUTS + a], &norms[0][a], "of nine");
        expect_same(&norms[2][OUTPUTS + a], &norms[0][a], "of nine, repeated");
    }
    network_tear_down(&f);
}

/* A network whose copies write down how many samples each evaluation has. */
static struct {
    const pls_system_kind *whole;
    pls_system_kind watched;
    int64_t least, most, evaluations;
} watch;

static pls_status watched_evaluate(pls_system *system, const int64_t *samples, int64_t count,
                                   pls_view out) {
    watch.least = pls_smaller(watch.least, count);
    watch.most = pls_larger(watch.most, count);
    watch.evaluations++;
    return watch.whole->evaluate(system, samples, count, out);
}

static pls_status watched_duplicate(pls_system *system, const int64_t *samples, int64_t count,
                                    pls_dtype precision, pls_system **duplicate) {
    pls_status status = watch.whole->duplicate(system, samples, count, precision, duplicate);
    if (status == PLS_OK) {
        (*duplicate)->kind = &watch.watched;
    }
    return status;
}

/* Why the bits are the same: a matrix product of another shape may add up in another order. */
Test(second, the_company_changes_no_shape) {
    network_fixture f = network_set_up(&small);
    pls_eigenvalue norms[18];
    watch.whole = f.system->kind;
    watch.watched = *watch.whole;
    watch.watched.evaluate = watched_evaluate;
    watch.watched.duplicate = watched_duplicate;
    watch.least = INT64_MAX;
    f.system->kind = &watch.watched;
    network_check(&f, pls_output_hessian_norms(f.system, NULL, 1, NULL, norms));
    network_check(&f, pls_output_hessian_norms(f.system, NULL, 6, NULL, norms));
    cr_expect_gt(watch.evaluations, 2);
    cr_expect_eq(watch.least, watch.most, "%lld to %lld", (long long)watch.least,
                 (long long)watch.most);
    f.system->kind = watch.whole;
    network_tear_down(&f);
}

Test(second, threads_change_no_bit) {
    pls_eigenvalue norms[2][3];
    pls_loss_hessian losses[2];
    for (int i = 0; i < 2; i++) {
        network_plan plan = small;
        plan.threads = 1 + 2 * i;
        network_fixture f = network_set_up(&plan);
        network_check(&f, pls_output_hessian_norms(f.system, NULL, 1, NULL, norms[i]));
        network_check(&f, pls_loss_hessian_norm(f.system, PLS_LOSS_SQUARE, NULL, &losses[i]));
        network_tear_down(&f);
    }
    for (int a = 0; a < 3; a++) {
        expect_same(&norms[0][a], &norms[1][a], "outputs");
    }
    expect_same(&losses[0].largest, &losses[1].largest, "largest");
    expect_same(&losses[0].smallest, &losses[1].smallest, "smallest");
}

/* A float32 system is measured in float64, at its own weights, and is left as it was. */
Test(second, float32_systems_are_measured_in_float64) {
    network_plan plan = small;
    network_fixture exact = network_set_up(&plan);
    plan.precision = PLS_F32;
    network_fixture f = network_set_up(&plan);
    int64_t p = pls_system_parameters(f.system);
    double *w = numbers(p), *again = numbers(p);
    pls_loss_hessian found, expected;
    network_check(&f, pls_system_get_weights(f.system, w));
    network_check(&exact, pls_system_set_weights(exact.system, w));
    network_check(&f, pls_loss_hessian_norm(f.system, PLS_LOSS_SQUARE, NULL, &found));
    network_check(&exact, pls_loss_hessian_norm(exact.system, PLS_LOSS_SQUARE, NULL, &expected));
    expect_same(&found.largest, &expected.largest, "largest");
    expect_same(&found.smallest, &expected.smallest, "smallest");
    network_check(&f, pls_system_get_weights(f.system, again));
    cr_expect_eq(memcmp(w, again, (size_t)p * sizeof *w), 0);
    free(w);
    free(again);
    network_tear_down(&f);
    network_tear_down(&exact);
}

/* ---- options -----------------------------------------------------------------------------------
 */

Test(second, less_memory_takes_longer) {
    network_fixture f = network_set_up(&small);
    int64_t vector = 8 * pls_system_parameters(f.system);
    pls_second_options options = pls_second_options_defaults();
    pls_eigenvalue norms[18], fewer[18];
    pls_loss_hessian loss, slower;
    network_check(&f, pls_output_hessian_norms(f.system, NULL, 6, &options, norms));
    network_check(&f, pls_loss_hessian_norm(f.system, PLS_LOSS_SQUARE, &options, &loss));
    options.memory = 14 * vector; /* one problem at a time, twelve vectors each */
    network_check(&f, pls_output_hessian_norms(f.system, NULL, 6, &options, fewer));
    for (int i = 0; i < 18; i++) {
        cr_expect_float_eq(fewer[i].value, norms[i].value, 1e-12 * norms[i].value);
        cr_expect(fewer[i].converged);
    }
    network_check(&f, pls_loss_hessian_norm(f.system, PLS_LOSS_SQUARE, &options, &slower));
    cr_expect_float_eq(slower.norm, loss.norm, 1e-12 * loss.norm);
    cr_expect_gt(slower.largest.iterations + slower.smallest.iterations,
                 loss.largest.iterations + loss.smallest.iterations);
    options.memory = vector;
    SUPPORT_EXPECT_ERROR(f.context,
                         pls_loss_hessian_norm(f.system, PLS_LOSS_SQUARE, &options, &loss),
                         PLS_ERROR_MEMORY, "bytes for Lanczos vectors, and the memory option");
    pls_quadrature q = {0};
    SUPPORT_EXPECT_ERROR(f.context,
                         pls_loss_hessian_quadrature(f.system, PLS_LOSS_SQUARE, NULL, &options, &q),
                         PLS_ERROR_MEMORY, "take fewer steps");
    network_tear_down(&f);
}

Test(second, a_looser_tolerance_is_cheaper) {
    network_fixture f = network_set_up(&small);
    pls_second_options options = pls_second_options_defaults();
    pls_loss_hessian fine, coarse;
    network_check(&f, pls_loss_hessian_norm(f.system, PLS_LOSS_SQUARE, &options, &fine));
    options.tolerance = 1e-2;
    network_check(&f, pls_loss_hessian_norm(f.system, PLS_LOSS_SQUARE, &options, &coarse));
    cr_expect_lt(coarse.smallest.iterations, fine.smallest.iterations);
    cr_expect_leq(coarse.largest.residual, 2e-2 * fine.norm);
    cr_expect_gt(coarse.smallest.residual, 1e-8 * fine.norm);
    network_tear_down(&f);
}

/* ---- what is refused ---------------------------------------------------------------------------
 */

Test(second, kinks_are_refused_unless_asked_for) {
    network_plan plan = small;
    plan.hidden = PLS_RELU;
    network_fixture f = network_set_up(&plan);
    int64_t p = pls_system_parameters(f.system);
    double *v = direction(p), *product = numbers(p);
    pls_second_options options = pls_second_options_defaults();
    pls_eigenvalue norms[3];
    SUPPORT_EXPECT_ERROR(f.context,
                         pls_loss_hessian_product(f.system, PLS_LOSS_SQUARE, NULL, v, product),
                         PLS_ERROR_UNSUPPORTED,
                         "model.layers[0] is relu, whose slope jumps at 0; take another "
                         "activation, or let second derivatives be 0 there by "
                         "hessian.kinks: zero");
    SUPPORT_EXPECT_ERROR(f.context, pls_output_hessian_norms(f.system, NULL, 1, &options, norms),
                         PLS_ERROR_UNSUPPORTED, "hessian.kinks: zero");
    options.kinks_are_zero = true;
    network_check(&f, pls_output_hessian_norms(f.system, NULL, 1, &options, norms));
    cr_expect_gt(norms[0].value, 0.0);
    free(v);
    free(product);
    network_tear_down(&f);
}

Test(second, systems_without_second_derivatives_are_refused) {
    network_fixture f = network_set_up(&small);
    pls_system_kind kind = *f.system->kind;
    const pls_system_kind *whole = f.system->kind;
    pls_loss_hessian loss;
    pls_eigenvalue norms[3];
    kind.curvature = NULL;
    f.system->kind = &kind;
    SUPPORT_EXPECT_ERROR(f.context, pls_loss_hessian_norm(f.system, PLS_LOSS_SQUARE, NULL, &loss),
                         PLS_ERROR_UNSUPPORTED,
                         "the network system has no second derivatives: its kind gives no "
                         "`curvature`");
    kind = *whole;
    kind.pushforward = NULL;
    SUPPORT_EXPECT_ERROR(f.context, pls_output_hessian_norms(f.system, NULL, 1, NULL, norms),
                         PLS_ERROR_UNSUPPORTED, "gives no `pushforward`");
    f.system->kind = whole;
    network_tear_down(&f);
}

Test(second, arguments_that_make_no_sense) {
    network_fixture f = network_set_up(&small);
    int64_t p = pls_system_parameters(f.system);
    double *v = direction(p);
    pls_eigenvalue norms[18];
    pls_loss_hessian loss;
    pls_quadrature q = {0};
    const int64_t samples[2] = {0, 6};
    pls_second_options options = pls_second_options_defaults();
    pls_quadrature_options how = {0, 3, 0};
    SUPPORT_EXPECT_ERROR(f.context, pls_output_hessian_norms(f.system, samples, 2, NULL, norms),
                         PLS_ERROR_ARGUMENT, "sample 6 were asked for");
    SUPPORT_EXPECT_ERROR(f.context, pls_output_hessian_norms(f.system, NULL, 7, NULL, norms),
                         PLS_ERROR_ARGUMENT, "has 6 samples");
    SUPPORT_EXPECT_ERROR(f.context, pls_output_hessian_product(f.system, 0, 3, NULL, v, v),
                         PLS_ERROR_ARGUMENT, "output 3 of sample 0");
    SUPPORT_EXPECT_ERROR(f.context, pls_output_hessian_product(f.system, -1, 0, NULL, v, v),
                         PLS_ERROR_ARGUMENT, "sample -1");
    options.tolerance = 0.0;
    SUPPORT_EXPECT_ERROR(f.context,
                         pls_loss_hessian_norm(f.system, PLS_LOSS_SQUARE, &options, &loss),
                         PLS_ERROR_ARGUMENT, "a tolerance between 0 and 1");
    SUPPORT_EXPECT_ERROR(f.context,
                         pls_loss_hessian_quadrature(f.system, PLS_LOSS_SQUARE, &how, NULL, &q),
                         PLS_ERROR_ARGUMENT, "at least one probe");
    SUPPORT_EXPECT_ERROR(f.context,
                         pls_loss_hessian_norm(f.system, PLS_LOSS_CROSS_ENTROPY, NULL, &loss),
                         PLS_ERROR_CONFIG, "targets that are probabilities");
    network_check(&f, pls_output_hessian_norms(f.system, NULL, 0, NULL, norms));
    free(v);
    network_tear_down(&f);
}

Test(second, what_is_not_finite_is_refused) {
    network_fixture f = network_set_up(&small);
    int64_t p = pls_system_parameters(f.system);
    double *v = direction(p), *w = numbers(p);
    pls_eigenvalue norms[3];
    pls_loss_hessian loss;
    v[3] = NAN;
    SUPPORT_EXPECT_ERROR(f.context, pls_loss_hessian_product(f.system, PLS_LOSS_SQUARE, NULL, v, v),
                         PLS_ERROR_NUMERIC, "product with a Hessian is not finite");
    network_check(&f, pls_system_get_weights(f.system, w));
    w[0] = INFINITY;
    w[1] = NAN;
    network_check(&f, pls_system_set_weights(f.system, w));
    SUPPORT_EXPECT_ERROR(f.context, pls_output_hessian_norms(f.system, NULL, 1, NULL, norms),
                         PLS_ERROR_NUMERIC, "not finite");
    SUPPORT_EXPECT_ERROR(f.context, pls_loss_hessian_norm(f.system, PLS_LOSS_SQUARE, NULL, &loss),
                         PLS_ERROR_NUMERIC, "not finite");
    free(v);
    free(w);
    network_tear_down(&f);
}

/* ---- failing and stopping ----------------------------------------------------------------------
 */

static pls_status measure_everything(network_fixture *f) {
    pls_loss_hessian loss;
    pls_eigenvalue norms[3];
    pls_quadrature q = {0};
    pls_quadrature_options how = {2, 3, 0};
    pls_second_options options = pls_second_options_defaults();
    options.tolerance = 1e-2;
    pls_status status = pls_loss_hessian_norm(f->system, PLS_LOSS_SQUARE, &options, &loss);
    status =
        status != PLS_OK ? status : pls_output_hessian_norms(f->system, NULL, 1, &options, norms);
    status = status != PLS_OK
                 ? status
                 : pls_loss_hessian_quadrature(f->system, PLS_LOSS_SQUARE, &how, &options, &q);
    pls_quadrature_destroy(f->context, &q);
    return status;
}

static pls_status build_and_measure(pls_context *context, void *user) {
    network_fixture f = {.context = context};
    pls_status status = network_build(&f, user);
    status = status != PLS_OK ? status : measure_everything(&f);
    network_take_down(&f);
    return status;
}

Test(second, every_allocation_may_fail) {
    network_plan plan = small;
    plan.precision = PLS_F32;
    support_fail_each_allocation(build_and_measure, &plan);
}

static bool count_down(void *user) {
    int *left = user;
    return --*left < 0;
}

/* Wherever it is asked to stop it stops, at once. */
Test(second, stops_when_asked_to) {
    int left = 1 << 30;
    pls_hooks hooks = {.user = &left, .cancelled = count_down};
    network_fixture f = {0};
    cr_assert_eq(pls_context_create(&hooks, &f.context), PLS_OK);
    network_check(&f, network_build(&f, &small));
    network_check(&f, measure_everything(&f));
    int asked = (1 << 30) - left;
    cr_expect_gt(asked, 50);
    for (int stop = 0; stop < asked; stop += 7) {
        left = stop;
        cr_expect_eq(measure_everything(&f), PLS_CANCELLED);
        cr_expect_eq(left, -1);
    }
    network_tear_down(&f);
}
