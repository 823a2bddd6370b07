/* The kernel at infinite width: expectations against a rule of another kind, against known values
 * and against Price's theorem; the recursion against its formulas, exact cases and networks of
 * finite width; what is refused. */
#include "backend/activation.h"
#include "networks.h"
#include "tangent/gaussian_moments.h"
#include "tangent/hermite.h"
#include "tangent/infinite_width.h"

#include <math.h>

static const double PI = 3.14159265358979323846;

/* ---- expectations ---------------------------------------------------------------------------- */

/* By the trapezoidal rule in x and y, u = s_1 x, v = s_2 (rho x + sqrt(1 - rho^2) y): for smooth
 * functions its error falls exponentially in 1 / step. */
static pls_expectations by_trapezoid(pls_activation phi, double s1, double s2, double rho) {
    const double step = 0.08, half = 8.8;
    int count = (int)(half / step);
    double across = sqrt((1.0 - rho) * (1.0 + rho));
    pls_expectations sum = {0.0, 0.0};
    for (int i = -count; i <= count; i++) {
        double x = step * i, weight = step * step / (2.0 * PI) * exp(-0.5 * x * x);
        double value = pls_activate_f64(phi, s1 * x), slope = pls_activation_slope_f64(phi, s1 * x);
        for (int j = -count; j <= count; j++) {
            double y = step * j, v = s2 * (rho * x + across * y), w = weight * exp(-0.5 * y * y);
            sum.value += w * value * pls_activate_f64(phi, v);
            sum.slope += w * slope * pls_activation_slope_f64(phi, v);
        }
    }
    return sum;
}

/* Two variables with everything that is known about them. */
typedef struct pair {
    pls_context *context;
    pls_gaussian_moments moments;
    double covariance;
} pair;

static pair pair_set_up(pls_activation phi, double s1, double s2, double rho) {
    pair p = {.context = support_context(NULL), .covariance = rho * s1 * s2};
    if (s1 == s2 && fabs(rho) == 1.0) {
        p.covariance = rho * s1 * s1; /* equal to the variances in every bit */
    }
    double covariance[4] = {s1 * s1, NAN, p.covariance, s2 * s2}; /* above: not to be read */
    SUPPORT_EXPECT_OK(
        p.context, pls_gaussian_moments_create(p.context, phi, 2, covariance, 1e-12, &p.moments));
    return p;
}

static void pair_tear_down(pair *p) {
    pls_gaussian_moments_destroy(p->context, &p->moments);
    pls_context_destroy(p->context);
}

static pls_expectations expectations(pls_activation phi, double s1, double s2, double rho) {
    pair p = pair_set_up(phi, s1, s2, rho);
    pls_expectations found = pls_gaussian_moments_pair(&p.moments, 1, 0, p.covariance);
    pair_tear_down(&p);
    return found;
}

static void expect_near(double found, double expected, double tolerance, const char *what,
                        pls_activation phi, double s1, double s2, double rho) {
    cr_expect(fabs(found - expected) <= tolerance,
              "%s of %s, s %g %g, rho %.12g: %.17g, expected %.17g", what, pls_activation_name(phi),
              s1, s2, rho, found, expected);
}

static const double correlations[] = {-1.0, -0.999, -0.5, 0.0, 0.3, 0.95, 1.0 - 1e-9, 1.0};
static const double deviations[] = {0.3, 1.0, 2.5};
enum { CORRELATIONS = 8, DEVIATIONS = 3 };

Test(infinite, smooth_expectations_agree_with_another_rule) {
    for (int phi = 0; phi < PLS_RELU; phi++) {
        for (int a = 0; a < DEVIATIONS; a++) {
            for (int b = 0; b <= a; b++) {
                for (int r = 0; r < CORRELATIONS; r++) {
                    pls_activation f = (pls_activation)phi;
                    double s1 = deviations[a], s2 = deviations[b], rho = correlations[r];
                    pls_expectations expected = by_trapezoid(f, s1, s2, rho);
                    pls_expectations found = expectations(f, s1, s2, rho);
                    double size = 1.0 + s1 * s2;
                    expect_near(found.value, expected.value, 1e-12 * size, "E[ff]", f, s1, s2, rho);
                    expect_near(found.slope, expected.slope, 1e-12, "E[f'f']", f, s1, s2, rho);
                }
            }
        }
    }
}

/* E = s_1 s_2 / pi times the integral of cos t cos(t - a) over a - pi/2 < t < pi/2, in polar
 * coordinates, a the angle between u and v; by Simpson's rule. */
static double relu_by_angle(double s1, double s2, double rho) {
    enum { INTERVALS = 2000 };
    double angle = acos(rho), low = angle - 0.5 * PI, step = (PI - angle) / INTERVALS, sum = 0.0;
    for (int i = 0; i <= INTERVALS; i++) {
        double t = low + i * step, weight = i == 0 || i == INTERVALS ? 1.0 : i % 2 ? 4.0 : 2.0;
        sum += weight * cos(t) * cos(t - angle);
    }
    return s1 * s2 / PI * sum * step / 3.0;
}

Test(infinite, relu_has_its_known_values) {
    for (int a = 0; a < DEVIATIONS; a++) {
        for (int r = 0; r < CORRELATIONS; r++) {
            double s1 = deviations[a], s2 = 0.7, rho = correlations[r];
            pls_expectations found = expectations(PLS_RELU, s1, s2, rho);
            expect_near(found.value, relu_by_angle(s1, s2, rho), 1e-12, "E[ff]", PLS_RELU, s1, s2,
                        rho);
            /* acos and the root of 1 - rho^2 lose digits near 1, so 1e-7 there */
            double tolerance = fabs(rho) > 0.9999 ? 1e-7 : 1e-14;
            expect_near(found.slope, (PI - acos(rho)) / (2.0 * PI), tolerance, "E[f'f']", PLS_RELU,
                        s1, s2, rho);
        }
    }
    pls_expectations apart = expectations(PLS_RELU, 2.0, 3.0, 0.0);
    cr_expect_float_eq(apart.value, 6.0 / (2.0 * PI), 1e-15);
    cr_expect_float_eq(apart.slope, 0.25, 1e-16);
    pls_expectations same = expectations(PLS_RELU, 1.5, 1.5, 1.0);
    cr_expect_float_eq(same.value, 1.125, 1e-15);
    cr_expect_float_eq(same.slope, 0.5, 1e-16);
}

/* c = -(1 - 2^-30): 1 - c^2 is a double, though c^2 is none, and so the angle t to the opposite
 * direction is known to the last digits; E = (t^3/3 - t^5/30 + ...) / (2 pi). */
Test(infinite, relu_keeps_its_digits_where_variables_are_opposite) {
    double c = -(1.0 - 0x1p-30), t = atan2(sqrt(0x1p-29 - 0x1p-60), -c);
    double expected = (pow(t, 3) / 3.0 - pow(t, 5) / 30.0 + pow(t, 7) / 840.0) / (2.0 * PI);
    double found = pls_gaussian_closed(PLS_RELU, 1.0, 1.0, c).value;
    cr_expect(fabs(found / expected - 1.0) < 1e-14, "%.17g, expected %.17g", found, expected);
}

Test(infinite, known_values_of_erf_and_sin) {
    pls_expectations same = pls_gaussian_closed(PLS_ERF, 0.5, 0.5, 0.5);
    cr_expect_float_eq(same.value, 1.0 / 3.0, 1e-15); /* 2/pi asin(1/2) */
    cr_expect_float_eq(same.slope, 4.0 / (PI * sqrt(3.0)), 1e-15);
    cr_expect_float_eq(pls_gaussian_closed(PLS_SIN, 1.0, 1.0, 1.0).value, 0.5 * (1.0 - exp(-2.0)),
                       1e-15);
    cr_expect_float_eq(pls_gaussian_closed(PLS_SIN, 1.0, 1.0, 1.0).slope, 0.5 * (1.0 + exp(-2.0)),
                       1e-15);
    /* no overflow of sinh, no arcsine of more than 1 */
    cr_expect_float_eq(pls_gaussian_closed(PLS_SIN, 1e4, 1e4, 1e4).value, 0.5, 1e-15);
    cr_expect_float_eq(pls_gaussian_closed(PLS_SIN, 1e4, 1e4, -1e4).value, -0.5, 1e-15);
    cr_expect_float_eq(pls_gaussian_closed(PLS_ERF, 1e30, 1e30, 1e30).value, 1.0, 1e-14);
}

/* Price's theorem: d/dc E[phi(u) phi(v)] = E[phi'(u) phi'(v)], c the covariance. The derivative is
 * a difference of fourth order. */
Test(infinite, slopes_are_derivatives_of_values) {
    static const double at[] = {-0.8, -0.1, 0.0, 0.6, 0.9};
    for (int phi = 0; phi < PLS_ACTIVATION_COUNT; phi++) {
        for (size_t r = 0; r < sizeof at / sizeof *at; r++) {
            double s1 = 0.8, s2 = 1.4, h = 1e-3;
            pair p = pair_set_up((pls_activation)phi, s1, s2, at[r]);
            double f[5];
            for (int k = -2; k <= 2; k++) {
                f[k + 2] = pls_gaussian_moments_pair(&p.moments, 1, 0, p.covariance + k * h).value;
            }
            double derivative = (8.0 * (f[3] - f[1]) - (f[4] - f[0])) / (12.0 * h);
            double slope = pls_gaussian_moments_pair(&p.moments, 1, 0, p.covariance).slope;
            expect_near(slope, derivative, 1e-9, "dE/dc", (pls_activation)phi, s1, s2, at[r]);
            pair_tear_down(&p);
        }
    }
}

Test(infinite, means_agree_with_another_rule) {
    for (int phi = 0; phi < PLS_ACTIVATION_COUNT; phi++) {
        pair p = pair_set_up((pls_activation)phi, 1.3, 0.4, 0.2);
        for (int i = 0; i < 2; i++) {
            double s = i == 0 ? 1.3 : 0.4, step = 0.01, expected = 0.0;
            for (int k = -1000; k <= 1000; k++) {
                double x = step * k;
                expected += step / sqrt(2.0 * PI) * exp(-0.5 * x * x) *
                            pls_activate_f64((pls_activation)phi, s * x);
            }
            /* relu's kink costs step^2 / 12 s / sqrt(2 pi) */
            double tolerance = phi == PLS_RELU ? 1e-5 : 1e-13;
            expect_near(pls_gaussian_moments_mean(&p.moments, i), expected, tolerance, "E[f]",
                        (pls_activation)phi, s, s, 1.0);
        }
        pair_tear_down(&p);
    }
    cr_expect_float_eq(pls_gaussian_closed_mean(PLS_RELU, 4.0), 2.0 / sqrt(2.0 * PI), 1e-15);
}

/* Orthogonal vectors, and the moments 1, 1, 3, 15 of N(0, 1). */
Test(infinite, rules_are_rules) {
    static const int64_t orders[] = {1, 2, 5, 64, 333};
    pls_context *context = support_context(NULL);
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
        int64_t order = orders[o];
        pls_hermite_rule rule = {0};
        SUPPORT_EXPECT_OK(context, pls_hermite_rule_create(context, order, &rule));
        double moment[4] = {0.0}, exact[4] = {1.0, 1.0, 3.0, 15.0};
        for (int64_t q = 0; q < order; q++) {
            double square = rule.nodes[q] * rule.nodes[q], weight = pow(rule.vectors[q * order], 2);
            for (int k = 0; k < 4; k++) {
                moment[k] += weight * pow(square, k);
            }
        }
        for (int k = 0; k < 4 && k < order; k++) {
            cr_expect(fabs(moment[k] / exact[k] - 1.0) < 1e-13, "order %lld, moment %d: %.17g",
                      (long long)order, 2 * k, moment[k]);
        }
        pls_hermite_rule_destroy(context, &rule);
    }
    pls_context_destroy(context);
}

/* The series is cut where it cannot matter. */
Test(infinite, short_series_lose_nothing) {
    enum { TERMS = 4096 };
    double ones[TERMS];
    for (int k = 0; k < TERMS; k++) {
        ones[k] = 1.0;
    }
    cr_expect_eq(pls_hermite_length(1.0, TERMS), TERMS);
    cr_expect_eq(pls_hermite_length(-1.0, TERMS), TERMS);
    cr_expect_eq(pls_hermite_length(0.0, TERMS), 1);
    for (double rho = -0.95; rho < 0.96; rho += 0.1) {
        int64_t length = pls_hermite_length(rho, TERMS);
        cr_expect_lt(length, TERMS);
        cr_expect(fabs(pls_hermite_series(length, ones, ones, rho) * (1.0 - rho) - 1.0) < 1e-14);
    }
}

/* ---- kernels --------------------------------------------------------------------------------- */

enum { MOST_LAYERS = 4, INPUTS = 6 };

typedef struct fixture {
    pls_context *context;
    pls_device *device;
    pls_dataset data;
    pls_layer_spec layers[MOST_LAYERS];
    pls_model model;
    pls_infinite_width limit;
} fixture;

/* `hidden` layers of phi and one linear layer of k outputs, n inputs on the sphere. */
static fixture set_up(pls_activation phi, int64_t hidden, int64_t n, int64_t k) {
    fixture f = {.context = support_context(NULL), .model = pls_model_defaults()};
    pls_device_options device = support_device(1);
    pls_data_options data = pls_data_options_defaults();
    data.source = "sphere";
    data.samples = n;
    data.dimension = INPUTS;
    data.outputs = k;
    SUPPORT_EXPECT_OK(f.context, pls_device_open(f.context, &device, &f.device));
    SUPPORT_EXPECT_OK(f.context, pls_dataset_load(f.context, &data, &f.data));
    for (int64_t l = 0; l <= hidden; l++) {
        f.layers[l].type = PLS_LAYER_DENSE;
        f.layers[l].width = l < hidden ? 32 : k;
        f.layers[l].activation = l < hidden ? phi : PLS_IDENTITY;
    }
    f.model.input_rank = 1;
    f.model.input_shape[0] = INPUTS;
    f.model.layer_count = hidden + 1;
    f.model.sigma_w = 1.2;
    return f;
}

static pls_status compute(fixture *f) {
    f->model.layers = f->layers;
    pls_infinite_width_destroy(f->context, &f->limit);
    return pls_infinite_width_compute(f->device, &f->model, &f->data, 0.0, &f->limit);
}

static void tear_down(fixture *f) {
    pls_infinite_width_destroy(f->context, &f->limit);
    pls_dataset_destroy(f->context, &f->data);
    pls_device_close(f->device);
    pls_context_destroy(f->context);
}

static void give_biases(fixture *f) {
    f->model.bias = true;
    f->model.sigma_b = 0.4;
}

static double product_of_inputs(const fixture *f, int64_t i, int64_t j) {
    double sum = 0.0;
    for (int64_t c = 0; c < INPUTS; c++) {
        sum += f->data.inputs[i * INPUTS + c] * f->data.inputs[j * INPUTS + c];
    }
    return sum / INPUTS;
}

/* The recursion for one element as theory.md states it, with expectations of the trapezoidal rule:
 * covariances of (i, i), (j, j), (i, j) and the kernel, layer by layer. */
static double by_hand(const fixture *f, pls_activation phi, int hidden, int64_t i, int64_t j) {
    double w = f->model.sigma_w * f->model.sigma_w;
    double b = f->model.bias ? f->model.sigma_b * f->model.sigma_b : 0.0;
    double ii = w * product_of_inputs(f, i, i) + b, jj = w * product_of_inputs(f, j, j) + b;
    double ij = w * product_of_inputs(f, i, j) + b, theta = ij;
    for (int l = 0; l < hidden; l++) {
        double s1 = sqrt(ii), s2 = sqrt(jj);
        double rho = i == j ? 1.0 : ij / (s1 * s2);
        pls_expectations mixed = by_trapezoid(phi, s1, s2, rho);
        ii = w * by_trapezoid(phi, s1, s1, 1.0).value + b;
        jj = w * by_trapezoid(phi, s2, s2, 1.0).value + b;
        ij = w * mixed.value + b;
        theta = ij + w * theta * mixed.slope;
    }
    return theta;
}

Test(infinite, recursion_is_that_of_the_theory) {
    static const pls_activation smooth[] = {PLS_TANH, PLS_ERF, PLS_SOFTPLUS, PLS_GELU, PLS_SIN};
    for (size_t a = 0; a < sizeof smooth / sizeof *smooth; a++) {
        for (int bias = 0; bias < 2; bias++) {
            fixture f = set_up(smooth[a], 2, 4, 1);
            if (bias) {
                give_biases(&f);
            }
            SUPPORT_EXPECT_OK(f.context, compute(&f));
            for (int64_t i = 0; i < 4; i++) {
                for (int64_t j = 0; j < 4; j++) {
                    double expected = by_hand(&f, smooth[a], 2, i, j);
                    cr_expect(fabs(f.limit.kernel[i * 4 + j] / expected - 1.0) < 1e-11,
                              "%s (%d, %d): %.15g, expected %.15g", pls_activation_name(smooth[a]),
                              (int)i, (int)j, f.limit.kernel[i * 4 + j], expected);
                }
            }
            tear_down(&f);
        }
    }
}

/* A linear network of L layers without biases: Theta = L sigma_w^(2L) x x^T / d. */
Test(infinite, linear_networks_are_known) {
    fixture f = set_up(PLS_IDENTITY, 3, 5, 1);
    SUPPORT_EXPECT_OK(f.context, compute(&f));
    for (int64_t i = 0; i < 5; i++) {
        for (int64_t j = 0; j < 5; j++) {
            double expected = 4.0 * pow(1.2, 8) * product_of_inputs(&f, i, j);
            cr_expect_float_eq(f.limit.kernel[i * 5 + j], expected, 1e-13);
        }
    }
    cr_expect_eq(f.limit.order, 0);
    cr_expect_eq(f.limit.error, 0.0);
    tear_down(&f);
}

/* The kernel at random weights. */
static void kernel_of_network(fixture *f, pls_dtype precision, uint64_t seed, bool trace,
                              double *matrix) {
    pls_network_options options = pls_network_options_defaults();
    pls_kernel_options how = pls_kernel_options_defaults();
    pls_system *system = NULL;
    pls_kernel *kernel = NULL;
    options.precision = precision;
    options.seed = seed;
    how.trace = trace;
    SUPPORT_EXPECT_OK(f->context,
                      pls_network_system_create(f->device, &f->model, &f->data, &options, &system));
    SUPPORT_EXPECT_OK(f->context, pls_system_initialize(system));
    SUPPORT_EXPECT_OK(f->context, pls_kernel_create(system, &how, &kernel));
    SUPPORT_EXPECT_OK(f->context, pls_kernel_compute(kernel));
    SUPPORT_EXPECT_OK(f->context, pls_kernel_download(kernel, matrix));
    pls_kernel_destroy(kernel);
    pls_system_destroy(system);
}

/* Its distance from f->limit. */
static double distance_of_network(fixture *f, pls_dtype precision, uint64_t seed, bool trace) {
    int64_t size = f->data.samples * (trace ? 1 : f->data.outputs);
    double *matrix = calloc((size_t)(size * size), sizeof *matrix);
    kernel_of_network(f, precision, seed, trace, matrix);
    double distance = pls_infinite_width_distance(&f->limit, f->data.outputs, trace, matrix);
    free(matrix);
    return distance;
}

/* Without hidden layers nothing is random: the kernel is the limit. */
Test(infinite, one_layer_is_its_own_limit) {
    for (int trace = 0; trace < 2; trace++) {
        fixture f = set_up(PLS_IDENTITY, 0, 5, 3);
        give_biases(&f);
        SUPPORT_EXPECT_OK(f.context, compute(&f));
        cr_expect_lt(distance_of_network(&f, PLS_F64, 1, trace != 0), 1e-15);
        tear_down(&f);
    }
}

Test(infinite, distances_count_every_element) {
    double theta[4] = {2.0, 1.0, 1.0, 3.0};
    pls_infinite_width limit = {.samples = 2, .kernel = theta};
    double trace[4] = {4.0, 2.0, 2.0, 6.5}; /* 2 Theta, and 0.5 */
    cr_expect_float_eq(pls_infinite_width_distance(&limit, 2, true, trace), 0.5 / sqrt(60.0),
                       1e-15);
    double full[16] = {2, 0, 1, 0, 0, 2, 0.5, 1, 1, 0.5, 3, 0, 0, 1, 0, 3};
    cr_expect_float_eq(pls_infinite_width_distance(&limit, 2, false, full), sqrt(0.5 / 30.0),
                       1e-15);
    double zero[4] = {0.0};
    limit.kernel = zero;
    cr_expect(isnan(pls_infinite_width_distance(&limit, 2, true, trace)));
}

/* Slope of the line fitted to log distance over log width, widths doubling. */
static double slope_of(const double *distances, int widths) {
    double mean = 0.0, above = 0.0, below = 0.0;
    for (int w = 0; w < widths; w++) {
        mean += log(distances[w]) / widths;
    }
    for (int w = 0; w < widths; w++) {
        double x = log(2.0) * (w - 0.5 * (widths - 1));
        above += x * (log(distances[w]) - mean);
        below += x * x;
    }
    return above / below;
}

Test(infinite, wide_networks_approach_the_limit) {
    static const pls_activation phi[] = {PLS_ERF, PLS_RELU, PLS_TANH};
    enum { WIDTHS = 5, SEEDS = 8 };
    for (size_t a = 0; a < sizeof phi / sizeof *phi; a++) {
        fixture f = set_up(phi[a], 2, 8, 1);
        double distances[WIDTHS];
        SUPPORT_EXPECT_OK(f.context, compute(&f));
        for (int w = 0; w < WIDTHS; w++) {
            double square = 0.0;
            f.layers[0].width = f.layers[1].width = (int64_t)64 << w;
            for (uint64_t seed = 0; seed < SEEDS; seed++) {
                square += pow(distance_of_network(&f, PLS_F32, seed, false), 2);
            }
            distances[w] = sqrt(square / SEEDS);
        }
        double slope = slope_of(distances, WIDTHS);
        cr_expect(slope > -0.7 && slope < -0.3, "%s: slope %g", pls_activation_name(phi[a]), slope);
        cr_expect_lt(distances[WIDTHS - 1], 0.15, "%s: distance %g", pls_activation_name(phi[a]),
                     distances[WIDTHS - 1]);
        tear_down(&f);
    }
}

/* Several outputs: Theta (x) I, and k Theta for the trace kernel. */
Test(infinite, outputs_become_independent) {
    fixture f = set_up(PLS_TANH, 1, 6, 3);
    f.layers[0].width = 4096;
    SUPPORT_EXPECT_OK(f.context, compute(&f));
    double full = distance_of_network(&f, PLS_F32, 3, false);
    double trace = distance_of_network(&f, PLS_F32, 3, true);
    cr_expect_lt(full, 0.1);
    cr_expect_lt(trace, 0.1);
    tear_down(&f);
}

/* A dense layer, two residual ones and a linear one: the root mean square distance falls like
 * m^(-1/2), and the mean over seeds, in which what is random cancels, is near the limit. */
Test(infinite, residual_networks_approach_the_limit) {
    static const pls_activation phi[] = {PLS_TANH, PLS_SOFTPLUS, PLS_SIGMOID, PLS_RELU, PLS_GELU};
    enum { POINTS = 3, WIDTHS = 4, SEEDS = 64 };
    for (size_t a = 0; a < sizeof phi / sizeof *phi; a++) {
        fixture f = set_up(phi[a], 3, POINTS, 1);
        double distances[WIDTHS], kernel[POINTS * POINTS], mean[POINTS * POINTS];
        f.layers[1].type = f.layers[2].type = PLS_LAYER_RESIDUAL_DENSE;
        f.model.sigma_w = 1.05;
        give_biases(&f);
        SUPPORT_EXPECT_OK(f.context, compute(&f));
        for (int w = 0; w < WIDTHS; w++) {
            double square = 0.0;
            f.layers[0].width = f.layers[1].width = f.layers[2].width = (int64_t)32 << w;
            memset(mean, 0, sizeof mean);
            for (uint64_t seed = 0; seed < SEEDS; seed++) {
                kernel_of_network(&f, PLS_F64, seed, false, kernel);
                square += pow(pls_infinite_width_distance(&f.limit, 1, false, kernel), 2);
                for (int e = 0; e < POINTS * POINTS; e++) {
                    mean[e] += kernel[e] / SEEDS;
                }
            }
            distances[w] = sqrt(square / SEEDS);
        }
        double slope = slope_of(distances, WIDTHS);
        double bias = pls_infinite_width_distance(&f.limit, 1, false, mean);
        cr_expect(slope > -0.7 && slope < -0.3, "%s: slope %g", pls_activation_name(phi[a]), slope);
        cr_expect_lt(bias, 0.05, "%s: the mean is %g away", pls_activation_name(phi[a]), bias);
        tear_down(&f);
    }
}

/* ---- properties -------------------------------------------------------------------------------
 */

Test(infinite, kernels_are_symmetric_and_semidefinite) {
    for (int phi = 0; phi < PLS_ACTIVATION_COUNT; phi++) {
        enum { N = 40 };
        fixture f = set_up((pls_activation)phi, 2, N, 1);
        SUPPORT_EXPECT_OK(f.context, compute(&f));
        for (int64_t i = 0; i < N; i++) {
            for (int64_t j = 0; j < i; j++) {
                cr_expect_eq(f.limit.kernel[i * N + j], f.limit.kernel[j * N + i]);
            }
        }
        cr_expect_gt(f.limit.lambda_min, -f.limit.floor, "%s: %g",
                     pls_activation_name((pls_activation)phi), f.limit.lambda_min);
        cr_expect_gt(f.limit.lambda_max, 1.0);
        cr_expect(f.limit.floor > 0.0 && f.limit.floor < 1e-9 * f.limit.lambda_max);
        cr_expect_leq(f.limit.error, 2e-12);
        cr_expect_eq(f.limit.order == 0, pls_gaussian_is_closed((pls_activation)phi));
        tear_down(&f);
    }
}

Test(infinite, equal_inputs_have_equal_rows) {
    static const pls_activation phi[] = {PLS_TANH, PLS_RELU, PLS_ERF, PLS_SWISH, PLS_SIN};
    for (size_t a = 0; a < sizeof phi / sizeof *phi; a++) {
        enum { N = 5 };
        fixture f = set_up(phi[a], 2, N, 1);
        give_biases(&f);
        memcpy(f.data.inputs + 3 * INPUTS, f.data.inputs + INPUTS, INPUTS * sizeof(double));
        SUPPORT_EXPECT_OK(f.context, compute(&f));
        for (int64_t j = 0; j < N; j++) {
            cr_expect_eq(f.limit.kernel[3 * N + j], f.limit.kernel[1 * N + j]);
        }
        cr_expect_leq(fabs(f.limit.lambda_min), f.limit.floor);
        tear_down(&f);
    }
}

Test(infinite, one_sample_will_do) {
    fixture f = set_up(PLS_TANH, 2, 1, 1);
    SUPPORT_EXPECT_OK(f.context, compute(&f));
    cr_expect(fabs(f.limit.kernel[0] / by_hand(&f, PLS_TANH, 2, 0, 0) - 1.0) < 1e-11);
    cr_expect_float_eq(f.limit.lambda_min, f.limit.kernel[0], 1e-13);
    cr_expect_float_eq(f.limit.lambda_max, f.limit.kernel[0], 1e-13);
    tear_down(&f);
}

static void scale_inputs(fixture *f, double factor) {
    for (int64_t e = 0; e < f->data.samples * INPUTS; e++) {
        f->data.inputs[e] *= factor;
    }
}

/* Near 0 tanh is the identity; relu is homogeneous of degree 1 at every scale. */
Test(infinite, scales_at_the_ends_of_the_range) {
    enum { N = 4 };
    fixture linear = set_up(PLS_IDENTITY, 2, N, 1), f = set_up(PLS_TANH, 2, N, 1);
    SUPPORT_EXPECT_OK(f.context, compute(&linear));
    scale_inputs(&f, 1e-70);
    SUPPORT_EXPECT_OK(f.context, compute(&f));
    for (int e = 0; e < N * N; e++) {
        cr_expect(fabs(f.limit.kernel[e] - 1e-140 * linear.limit.kernel[e]) < 1e-151);
    }
    scale_inputs(&f, 0.0);
    SUPPORT_EXPECT_OK(f.context, compute(&f));
    cr_expect_eq(f.limit.lambda_max, 0.0);
    tear_down(&linear);
    tear_down(&f);
    static const double factors[] = {1e-70, 1e70};
    for (int s = 0; s < 2; s++) {
        fixture unit = set_up(PLS_RELU, 2, N, 1), scaled = set_up(PLS_RELU, 2, N, 1);
        scale_inputs(&scaled, factors[s]);
        SUPPORT_EXPECT_OK(unit.context, compute(&unit));
        SUPPORT_EXPECT_OK(scaled.context, compute(&scaled));
        for (int e = 0; e < N * N; e++) {
            double expected = factors[s] * factors[s] * unit.limit.kernel[e];
            cr_expect(fabs(scaled.limit.kernel[e] / expected - 1.0) < 1e-13);
        }
        tear_down(&unit);
        tear_down(&scaled);
    }
}

/* Widths of hidden layers do not enter, not even one that no network could have. */
Test(infinite, widths_do_not_matter) {
    fixture f = set_up(PLS_TANH, 2, 3, 1);
    SUPPORT_EXPECT_OK(f.context, compute(&f));
    double before = f.limit.kernel[1];
    f.layers[0].width = 1;
    f.layers[1].width = 1000000;
    SUPPORT_EXPECT_OK(f.context, compute(&f));
    cr_expect_eq(f.limit.kernel[1], before);
    tear_down(&f);
}

/* ---- what is refused --------------------------------------------------------------------------
 */

Test(infinite, models_without_a_limit_are_refused) {
    fixture f = set_up(PLS_TANH, 1, 3, 1);
    f.model.parameterization = PLS_PARAMETERIZATION_STANDARD;
    SUPPORT_EXPECT_ERROR(f.context, compute(&f), PLS_ERROR_UNSUPPORTED, "parameterization: ntk");
    f.model.parameterization = PLS_PARAMETERIZATION_NTK;
    f.layers[1].activation = PLS_TANH;
    SUPPORT_EXPECT_ERROR(f.context, compute(&f), PLS_ERROR_UNSUPPORTED, "the last layer is tanh");
    f.layers[1].activation = PLS_IDENTITY;
    f.model.input_shape[0] = INPUTS + 1;
    SUPPORT_EXPECT_ERROR(f.context, compute(&f), PLS_ERROR_DATA, "model.input expects 7");
    f.model.input_shape[0] = INPUTS;
    f.layers[0].width = 0;
    SUPPORT_EXPECT_ERROR(f.context, compute(&f), PLS_ERROR_CONFIG, "model.layers[0].width");
    cr_expect(f.limit.kernel == NULL);
    tear_down(&f);
}

Test(infinite, residual_layers_need_dense_ones_around_them) {
    fixture f = set_up(PLS_TANH, 0, 3, 1);
    pls_chain_layer first[] = {{true, PLS_TANH}, {false, PLS_IDENTITY}};
    pls_chain_layer last[] = {{false, PLS_TANH}, {true, PLS_IDENTITY}};
    pls_chain chain = {.weight_variance = 1.0, .depth = 2, .layers = first};
    SUPPORT_EXPECT_ERROR(
        f.context,
        pls_chain_infinite_width(f.context, &chain, 3, INPUTS, f.data.inputs, 1e-12, &f.limit),
        PLS_ERROR_UNSUPPORTED, "the first layer is residual");
    chain.layers = last;
    SUPPORT_EXPECT_ERROR(
        f.context,
        pls_chain_infinite_width(f.context, &chain, 3, INPUTS, f.data.inputs, 1e-12, &f.limit),
        PLS_ERROR_UNSUPPORTED, "the last layer is residual");
    tear_down(&f);
}

/* tanh of a wide Gaussian is nearly a step, and no rule is good at steps. */
Test(infinite, orders_have_an_end) {
    fixture f = set_up(PLS_TANH, 1, 2, 1);
    f.model.sigma_w = 10.0;
    SUPPORT_EXPECT_ERROR(f.context, compute(&f), PLS_ERROR_NUMERIC, "4096 nodes");
    cr_expect(f.limit.kernel == NULL);
    pls_infinite_width rough = {0}; /* what a larger tolerance allows */
    SUPPORT_EXPECT_OK(f.context,
                      pls_infinite_width_compute(f.device, &f.model, &f.data, 1e-3, &rough));
    cr_expect(rough.error > 1e-12 && rough.error <= 1e-3);
    cr_expect_gt(rough.floor, rough.error * rough.kernel[0]);
    pls_infinite_width_destroy(f.context, &rough);
    tear_down(&f);
}

Test(infinite, overflow_is_told) {
    fixture f = set_up(PLS_RELU, 1, 2, 1);
    scale_inputs(&f, 1e160);
    SUPPORT_EXPECT_ERROR(f.context, compute(&f), PLS_ERROR_NUMERIC, "scale the inputs");
    tear_down(&f);
}

static bool cancel(void *user) {
    return --*(int *)user < 0;
}

/* Wherever the work is stopped, it says so. */
Test(infinite, cancelling_ends_the_work) {
    for (int after = 0;; after++) {
        int left = after;
        pls_hooks hooks = {.user = &left, .cancelled = cancel};
        pls_context *context = NULL;
        cr_assert_eq(pls_context_create(&hooks, &context), PLS_OK);
        pls_chain_layer layers[] = {{false, PLS_TANH}, {false, PLS_IDENTITY}};
        pls_chain chain = {.weight_variance = 1.0, .depth = 2, .layers = layers};
        double inputs[4] = {1.0, 0.5, -0.3, 1.0};
        pls_infinite_width limit = {0};
        pls_status status = pls_chain_infinite_width(context, &chain, 2, 2, inputs, 1e-12, &limit);
        bool stopped = left < 0;
        cr_expect_eq(status, stopped ? PLS_CANCELLED : PLS_OK, "after %d: %d", after, (int)status);
        pls_infinite_width_destroy(context, &limit);
        pls_context_destroy(context);
        if (!stopped) {
            cr_expect_gt(after, 8);
            return;
        }
    }
}

static pls_status whole_use(pls_context *context, void *user) {
    (void)user;
    fixture f = {.context = context, .model = pls_model_defaults()};
    pls_device_options device = support_device(1);
    double inputs[4] = {1.0, 0.5, -0.3, 1.0}, targets[2] = {0.0};
    f.layers[0] = (pls_layer_spec){.type = PLS_LAYER_DENSE, .width = 4, .activation = PLS_TANH};
    f.layers[1] = (pls_layer_spec){.type = PLS_LAYER_DENSE, .width = 1};
    f.model.input_rank = 1;
    f.model.input_shape[0] = 2;
    f.model.layer_count = 2;
    pls_status status = pls_device_open(context, &device, &f.device);
    if (status == PLS_OK) {
        status = pls_dataset_from_arrays(context, 2, 2, 1, inputs, targets, &f.data);
    }
    if (status == PLS_OK) {
        status = compute(&f);
    }
    pls_infinite_width_destroy(context, &f.limit);
    pls_dataset_destroy(context, &f.data);
    pls_device_close(f.device);
    return status;
}

Test(infinite, memory_may_run_out_anywhere) {
    support_fail_each_allocation(whole_use, NULL);
}
