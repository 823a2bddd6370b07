/* Who sets mu, and how the kernel lies to the targets: the bottom eigenvector's shares against
 * kernels made from columns of J, planted samples and layers, and what is said of vectors that
 * rounding may have turned. */
#include "networks.h"
#include "tangent/kernel.h"

#include <math.h>

static const network_plan small = {
    .depth = 3, .widths = {24, 16, 2}, .hidden = PLS_TANH, .bias = true, .precision = PLS_F64};

/* A kernel with its spectrum and what sets mu. */
typedef struct measurement {
    pls_kernel *kernel;
    pls_spectrum spectrum;
    pls_bottom bottom;
} measurement;

static measurement measure(network_fixture *f, bool trace, pls_refine refine) {
    measurement m = {0};
    pls_kernel_options kernel = pls_kernel_options_defaults();
    pls_spectrum_options spectrum = pls_spectrum_options_defaults();
    kernel.trace = trace;
    spectrum.refine = refine;
    spectrum.next = true;
    spectrum.full = true;
    network_check(f, pls_kernel_create(f->system, &kernel, &m.kernel));
    network_check(f, pls_kernel_compute(m.kernel));
    network_check(f, pls_kernel_spectrum(m.kernel, &spectrum, &m.spectrum));
    network_check(f, pls_kernel_bottom(m.kernel, &m.spectrum, &m.bottom));
    return m;
}

static void release(network_fixture *f, measurement *m) {
    pls_bottom_destroy(f->context, &m->bottom);
    pls_spectrum_destroy(f->context, &m->spectrum);
    pls_kernel_destroy(m->kernel);
}

static double sum(const double *values, int64_t count) {
    double total = 0.0;
    for (int64_t i = 0; i < count; i++) {
        cr_expect_geq(values[i], 0.0);
        total += values[i];
    }
    return total;
}

static int64_t largest(const double *values, int64_t count) {
    int64_t at = 0;
    for (int64_t i = 1; i < count; i++) {
        at = values[i] > values[at] ? i : at;
    }
    return at;
}

/* The columns of w that belong to layer l of `small`: weight, then bias. */
static void columns_of(int64_t l, int64_t *first, int64_t *count) {
    static const int64_t sizes[] = {24 * 5 + 24, 16 * 24 + 16, 2 * 16 + 2};
    *first = 0;
    for (int64_t i = 0; i < l; i++) {
        *first += sizes[i];
    }
    *count = sizes[l];
}

/* ||J[:, columns]T v||^2 by the rows of J; `output` -1 takes all rows, else those of one output,
 * with an entry of v a sample. */
static double pulled(const double *jacobian, int64_t n, int64_t k, int64_t p, const double *v,
                     int64_t output, int64_t first, int64_t count) {
    double squared = 0.0;
    for (int64_t q = first; q < first + count; q++) {
        double entry = 0.0;
        for (int64_t i = 0; i < n; i++) {
            for (int64_t a = 0; a < k; a++) {
                if (output < 0 || output == a) {
                    entry += jacobian[(i * k + a) * p + q] * (output < 0 ? v[i * k + a] : v[i]);
                }
            }
        }
        squared += entry * entry;
    }
    return squared;
}

static void shares_are_those_of_the_kernels_parts(bool trace) {
    network_fixture f = network_set_up(&small);
    measurement m = measure(&f, trace, PLS_REFINE_NEVER);
    const pls_bottom *b = &m.bottom;
    int64_t n = 12, k = 2, p = pls_system_parameters(f.system), size = trace ? n : n * k;
    double *jacobian = calloc((size_t)(n * k * p), sizeof *jacobian);
    network_check(&f, pls_system_jacobian(f.system, 0, n, jacobian));
    cr_assert(b->known && b->determined && !b->below_floor);
    cr_assert_eq(b->layers, 3);
    cr_expect(fabs(sum(b->vector, 0) + sum(b->sample_shares, n) - 1.0) < 1e-14);
    cr_expect(fabs(sum(b->output_shares, k) - 1.0) < 1e-12);
    double total = 0.0, layer_total = 0.0;
    for (int64_t a = trace ? 0 : -1; a < (trace ? k : 0); a++) {
        total += pulled(jacobian, n, k, p, b->vector, a, 0, p);
    }
    cr_expect(fabs(total - m.spectrum.lambda_min) < 1e-10 * m.spectrum.lambda_max);
    for (int64_t l = 0; l < 3; l++) {
        char name[64];
        int64_t first, count;
        double expected = 0.0;
        columns_of(l, &first, &count);
        for (int64_t a = trace ? 0 : -1; a < (trace ? k : 0); a++) {
            expected += pulled(jacobian, n, k, p, b->vector, a, first, count);
        }
        snprintf(name, sizeof name, "layers.%d", (int)l);
        cr_expect_str_eq(b->layer_shares[l].name, name);
        cr_expect(fabs(b->layer_shares[l].share - expected / total) < 1e-10, "%s: %g, %g", name,
                  b->layer_shares[l].share, expected / total);
        layer_total += b->layer_shares[l].share;
    }
    cr_expect(fabs(layer_total - 1.0) < 1e-12);
    for (int64_t a = 0; a < k; a++) {
        double expected = 0.0;
        for (int64_t i = 0; i < n && !trace; i++) {
            expected += b->vector[i * k + a] * b->vector[i * k + a];
        }
        if (trace) {
            expected = pulled(jacobian, n, k, p, b->vector, a, 0, p) / total;
        }
        cr_expect(fabs(b->output_shares[a] - expected) < 1e-10);
    }
    /* the vector is one, and the next eigenvalue the second of all of them */
    double *matrix = calloc((size_t)(size * size), sizeof *matrix);
    network_check(&f, pls_kernel_download(m.kernel, matrix));
    for (int64_t i = 0; i < size; i++) {
        double entry = 0.0;
        for (int64_t j = 0; j < size; j++) {
            entry += matrix[i * size + j] * b->vector[j];
        }
        cr_expect_lt(fabs(entry - m.spectrum.lambda_min * b->vector[i]),
                     1e-11 * m.spectrum.lambda_max);
    }
    cr_expect(fabs(m.spectrum.lambda_next - m.spectrum.eigenvalues[1]) <
                  1e-9 * m.spectrum.eigenvalues[1],
              "%.15g, %.15g", m.spectrum.lambda_next, m.spectrum.eigenvalues[1]);
    cr_expect(fabs(b->gap - (m.spectrum.eigenvalues[1] - m.spectrum.eigenvalues[0])) <
              1e-9 * m.spectrum.eigenvalues[1]);
    free(matrix);
    free(jacobian);
    release(&f, &m);
    network_tear_down(&f);
}

Test(bottom, shares_are_those_of_the_kernels_parts) {
    shares_are_those_of_the_kernels_parts(false);
    shares_are_those_of_the_kernels_parts(true);
}

/* ---- planted ----------------------------------------------------------------------------------
 */

/* Inputs 3 and 8 as nearly parallel as `angle` says. */
static network_fixture with_a_pair(const network_plan *plan, double angle) {
    network_fixture f = network_set_up(plan);
    double *x = f.data.inputs;
    pls_dataset changed = {0};
    for (int64_t j = 0; j < 5; j++) {
        x[8 * 5 + j] = x[3 * 5 + j] * (1.0 + (j == 2 ? angle : 0.0));
    }
    pls_layer_spec layers[] = {{.type = PLS_LAYER_DENSE, .width = 400, .activation = PLS_TANH},
                               {.type = PLS_LAYER_DENSE, .width = 1, .activation = PLS_IDENTITY}};
    pls_model model = pls_model_defaults();
    pls_network_options options = pls_network_options_defaults();
    options.precision = plan->precision;
    model.layer_count = 2;
    model.layers = layers;
    model.input_rank = 1;
    model.input_shape[0] = 5;
    network_check(&f, pls_dataset_from_arrays(f.context, 12, 5, 1, x, f.data.targets, &changed));
    pls_system_destroy(f.system);
    pls_dataset_destroy(f.context, &f.data);
    f.data = changed;
    network_check(&f, pls_network_system_create(f.device, &model, &f.data, &options, &f.system));
    network_check(&f, pls_system_initialize(f.system));
    return f;
}

static void expect_the_pair(const pls_bottom *b) {
    int64_t top = largest(b->sample_shares, 12);
    cr_expect(top == 3 || top == 8, "sample %lld", (long long)top);
    cr_expect(fabs(b->sample_shares[3] - 0.5) < 0.02 && fabs(b->sample_shares[8] - 0.5) < 0.02,
              "%g, %g", b->sample_shares[3], b->sample_shares[8]);
}

Test(bottom, two_nearly_parallel_inputs_are_named) {
    for (int precision = PLS_F32; precision <= PLS_F64; precision++) {
        network_plan plan = {
            .depth = 2, .widths = {4, 1}, .hidden = PLS_TANH, .precision = (pls_dtype)precision};
        network_fixture f = with_a_pair(&plan, 1e-2);
        measurement m = measure(&f, false, PLS_REFINE_NEVER);
        cr_expect(m.bottom.determined && !m.bottom.below_floor);
        expect_the_pair(&m.bottom);
        release(&f, &m);
        network_tear_down(&f);
    }
}

/* Equal inputs: lambda_min is 0 and never known, its vector is. */
Test(bottom, equal_inputs_are_named_below_the_floor) {
    network_plan plan = {.depth = 2, .widths = {4, 1}, .hidden = PLS_TANH, .precision = PLS_F64};
    network_fixture f = with_a_pair(&plan, 0.0);
    measurement m = measure(&f, false, PLS_REFINE_NEVER);
    cr_expect(m.bottom.below_floor);
    cr_expect(m.bottom.determined);
    expect_the_pair(&m.bottom);
    release(&f, &m);
    network_tear_down(&f);
}

/* Of two unit vectors of 12 entries, whatever their signs. */
static double difference(const double *u, const double *v) {
    double plus = 0.0, minus = 0.0;
    for (int64_t i = 0; i < 12; i++) {
        plus = fmax(plus, fabs(u[i] + v[i]));
        minus = fmax(minus, fabs(u[i] - v[i]));
    }
    return fmin(plus, minus);
}

/* Inputs closer than float32 can tell apart: the vector must have the digits of float64. */
Test(bottom, a_refined_measurement_gives_its_own_vector) {
    network_plan plan = {.depth = 2, .widths = {4, 1}, .hidden = PLS_TANH, .precision = PLS_F32};
    network_fixture f = with_a_pair(&plan, 1e-5);
    measurement rough = measure(&f, false, PLS_REFINE_NEVER);
    measurement fine = measure(&f, false, PLS_REFINE_BELOW_FLOOR);
    cr_assert(rough.spectrum.below_floor && fine.spectrum.refined);
    cr_expect(!fine.bottom.below_floor && fine.bottom.determined);
    expect_the_pair(&fine.bottom);
    /* the vector of the kernel in float64, to more digits than float32 has */
    network_fixture exact = {.context = f.context, .device = f.device, .data = f.data};
    network_check(&exact, pls_system_duplicate(f.system, NULL, 12, PLS_F64, &exact.system));
    measurement m = measure(&exact, false, PLS_REFINE_NEVER);
    cr_expect_lt(difference(m.bottom.vector, fine.bottom.vector), 1e-10);
    cr_expect_gt(difference(m.bottom.vector, rough.bottom.vector), 1e-9, "float32 would have done");
    for (int64_t l = 0; l < 2; l++) {
        cr_expect(fabs(m.bottom.layer_shares[l].share - fine.bottom.layer_shares[l].share) < 1e-6);
    }
    release(&exact, &m);
    pls_system_destroy(exact.system);
    release(&f, &fine);
    release(&f, &rough);
    network_tear_down(&f);
}

static network_fixture linear(int64_t equations, int64_t parameters, const double *a,
                              const double *y) {
    network_fixture f = {.context = support_context(NULL)};
    pls_device_options device = support_device(0);
    network_check(&f, pls_device_open(f.context, &device, &f.device));
    network_check(
        &f, pls_linear_system_create(f.device, PLS_F64, equations, parameters, a, y, &f.system));
    return f;
}

/* Rows 1 and 2 have the same norm and are orthogonal: any unit vector of their plane will do. */
Test(bottom, a_multiple_eigenvalue_has_no_vector_of_its_own) {
    const double a[] = {2.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0}, y[] = {1.0, 1.0, 1.0};
    network_fixture f = linear(3, 3, a, y);
    measurement m = measure(&f, false, PLS_REFINE_NEVER);
    cr_expect(m.bottom.known && !m.bottom.determined && !m.bottom.below_floor);
    cr_expect_lt(fabs(m.bottom.gap), 1e-12);
    cr_expect_eq(m.bottom.turn, 1.0);
    cr_expect_lt(m.bottom.sample_shares[0], 1e-12);
    cr_expect_str_eq(m.bottom.layer_shares[0].name, "weights");
    cr_expect(fabs(m.bottom.layer_shares[0].share - 1.0) < 1e-14);
    release(&f, &m);
    network_tear_down(&f);
}

/* No vector for K = 0; no other eigenvalue for N = 1; no gap where it was not asked for. */
Test(bottom, at_the_edges) {
    const double zero[] = {0.0, 0.0}, one[] = {3.0, 4.0}, y[] = {1.0, 1.0};
    network_fixture f = linear(2, 1, zero, y);
    measurement m = measure(&f, false, PLS_REFINE_NEVER);
    double alignment = 0.0;
    cr_expect(!m.bottom.known && m.bottom.vector == NULL);
    cr_expect(isnan(pls_effective_rank(&m.spectrum)));
    network_check(&f, pls_kernel_alignment(m.kernel, &alignment));
    cr_expect(isnan(alignment));
    release(&f, &m);
    network_tear_down(&f);

    f = linear(1, 2, one, y);
    m = measure(&f, false, PLS_REFINE_NEVER);
    cr_expect(m.bottom.known && m.bottom.determined && isinf(m.bottom.gap));
    cr_expect(isnan(m.spectrum.lambda_next));
    cr_expect_eq(m.bottom.sample_shares[0], 1.0);
    release(&f, &m);
    network_tear_down(&f);

    f = network_set_up(&small);
    pls_spectrum spectrum = {0};
    pls_kernel *kernel = NULL;
    pls_bottom bottom;
    network_check(&f, pls_kernel_create(f.system, NULL, &kernel));
    network_check(&f, pls_kernel_compute(kernel));
    network_check(&f, pls_kernel_spectrum(kernel, NULL, &spectrum));
    network_check(&f, pls_kernel_bottom(kernel, &spectrum, &bottom));
    cr_expect(isnan(spectrum.lambda_next) && isnan(bottom.gap) && !bottom.determined);
    pls_bottom_destroy(f.context, &bottom);
    pls_spectrum_destroy(f.context, &spectrum);
    pls_kernel_destroy(kernel);
    network_tear_down(&f);
}

/* ---- alignment and effective rank ---------------------------------------------------------------
 */

static void alignment_is_the_cosine(bool trace) {
    network_fixture f = network_set_up(&small);
    measurement m = measure(&f, trace, PLS_REFINE_NEVER);
    int64_t n = 12, k = 2, size = trace ? n : n * k;
    double *matrix = calloc((size_t)(size * size), sizeof *matrix), found = 0.0;
    double product = 0.0, kernel_norm = 0.0, target_norm = 0.0, diagonal = 0.0;
    network_check(&f, pls_kernel_download(m.kernel, matrix));
    network_check(&f, pls_kernel_alignment(m.kernel, &found));
    for (int64_t r = 0; r < size; r++) {
        for (int64_t c = 0; c < size; c++) {
            const double *y = f.data.targets;
            double target = y[r] * y[c], entry = matrix[r * size + c];
            if (trace) {
                target = y[r * 2] * y[c * 2] + y[r * 2 + 1] * y[c * 2 + 1];
            }
            product += entry * target;
            kernel_norm += entry * entry;
            target_norm += target * target;
        }
        diagonal += matrix[r * size + r];
    }
    cr_expect(fabs(found - product / sqrt(kernel_norm * target_norm)) < 1e-13, "%g", found);
    cr_expect(found > 0.0 && found < 1.0);
    double rank = pls_effective_rank(&m.spectrum);
    cr_expect(fabs(rank - diagonal / m.spectrum.eigenvalues[size - 1]) < 1e-10 * rank);
    cr_expect(rank >= 1.0 && rank <= (double)size);
    free(matrix);
    release(&f, &m);
    network_tear_down(&f);
}

Test(bottom, alignment_is_the_cosine) {
    alignment_is_the_cosine(false);
    alignment_is_the_cosine(true);
}

Test(bottom, alignment_and_rank_of_known_kernels) {
    const double a[] = {1.0, 2.0, 3.0}, unit[] = {1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0};
    network_fixture f = linear(3, 1, a, a); /* K = y yT */
    measurement m = measure(&f, false, PLS_REFINE_NEVER);
    double alignment = 0.0;
    network_check(&f, pls_kernel_alignment(m.kernel, &alignment));
    cr_expect(fabs(alignment - 1.0) < 1e-14);
    cr_expect(fabs(pls_effective_rank(&m.spectrum) - 1.0) < 1e-12);
    release(&f, &m);
    network_tear_down(&f);
    f = linear(3, 3, unit, a); /* K = I */
    m = measure(&f, false, PLS_REFINE_NEVER);
    network_check(&f, pls_kernel_alignment(m.kernel, &alignment));
    cr_expect(fabs(alignment - 1.0 / sqrt(3.0)) < 1e-14);
    cr_expect(fabs(pls_effective_rank(&m.spectrum) - 3.0) < 1e-12);
    release(&f, &m);
    network_tear_down(&f);
}

/* ---- along training ----------------------------------------------------------------------------
 */

Test(bottom, is_measured_at_both_ends_of_training) {
    network_fixture f = network_set_up(&small);
    pls_train_options options = pls_train_options_defaults();
    pls_train_result result;
    options.steps = 20;
    options.measure_every = 7;
    measurement m = measure(&f, false, PLS_REFINE_BELOW_FLOOR);
    network_check(&f, pls_train(f.system, &options, &result));
    cr_assert(result.first_bottom.known && result.bottom.known);
    cr_expect_eq(
        memcmp(m.bottom.sample_shares, result.first_bottom.sample_shares, 12 * sizeof(double)), 0);
    release(&f, &m);
    m = measure(&f, false, PLS_REFINE_BELOW_FLOOR);
    cr_expect_eq(memcmp(m.bottom.sample_shares, result.bottom.sample_shares, 12 * sizeof(double)),
                 0);
    cr_expect_eq(result.last.effective_rank, pls_effective_rank(&m.spectrum));
    double alignment = 0.0;
    network_check(&f, pls_kernel_alignment(m.kernel, &alignment));
    cr_expect_eq(result.last.kernel_alignment, alignment);
    release(&f, &m);
    pls_train_result_destroy(f.context, &result);
    options.measure_every = 0; /* critical: K_0 alone */
    network_check(&f, pls_train(f.system, &options, &result));
    cr_expect(result.first_bottom.known && !result.bottom.known);
    pls_train_result_destroy(f.context, &result);
    network_tear_down(&f);
}

/* ---- failures -----------------------------------------------------------------------------------
 */

static pls_status look(pls_context *context, void *user) {
    network_fixture f = {.context = context};
    network_plan plan = small;
    pls_kernel *kernel = NULL;
    pls_spectrum spectrum = {0};
    pls_bottom bottom = {0};
    pls_kernel_options held = pls_kernel_options_defaults();
    pls_spectrum_options options = pls_spectrum_options_defaults();
    held.method = PLS_KERNEL_STRUCTURED; /* an automatic one would do without K */
    plan.precision = *(pls_dtype *)user;
    options.floor_samples = 0;
    options.next = true;
    pls_status status = network_build(&f, &plan);
    status = status != PLS_OK ? status : pls_kernel_create(f.system, &held, &kernel);
    status = status != PLS_OK ? status : pls_kernel_compute(kernel);
    status = status != PLS_OK ? status : pls_kernel_spectrum(kernel, &options, &spectrum);
    status = status != PLS_OK ? status : pls_kernel_bottom(kernel, &spectrum, &bottom);
    pls_bottom_destroy(context, &bottom);
    pls_spectrum_destroy(context, &spectrum);
    pls_kernel_destroy(kernel);
    network_take_down(&f);
    return status;
}

Test(bottom, survives_the_failure_of_any_allocation, .timeout = 600) {
    pls_dtype precision = PLS_F64;
    support_fail_each_allocation(look, &precision);
    precision = PLS_F32; /* does without a copy in float64 */
    support_survive_each_allocation(look, &precision);
}
