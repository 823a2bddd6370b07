/* The arithmetic of Gram products: where split products are asked for and where not, and that
 * bounds, floors and refinements know what they may have lost.
 *
 * A CPU gains nothing from splitting and computes in float64. Here its table is replaced by one
 * whose split products are as wrong as the contract allows: every <a_i, b_j> of float32 data by
 * PLS_SPLIT_ERROR |a_i| |b_j|, up or down. */
#include "networks.h"

#include "backend/backend.h"

#include <math.h>

typedef enum errors { ERRORS_NONE, ERRORS_UPWARDS, ERRORS_MIXED } errors;

/* What the products were asked for; each test is a process of its own. */
static struct {
    errors errors;
    int split[2], exact[2]; /* calls by dtype of the data */
} seen;

static double element(pls_view view, int64_t i, int64_t j) {
    int64_t index = view.offset + i * view.ld + j;
    return view.dtype == PLS_F32 ? (double)((const float *)view.buffer->memory)[index]
                                 : ((const double *)view.buffer->memory)[index];
}

static double row_norm(pls_view view, int64_t i) {
    double sum = 0.0;
    for (int64_t j = 0; j < view.cols; j++) {
        sum += element(view, i, j) * element(view, i, j);
    }
    return sqrt(sum);
}

static void spoil(pls_view a, pls_view b, pls_view c) {
    bool lower = pls_view_is_none(b);
    double *first = (double *)c.buffer->memory + c.offset;
    for (int64_t i = 0; i < c.rows; i++) {
        for (int64_t j = 0; j < (lower ? i + 1 : c.cols); j++) {
            bool up = seen.errors == ERRORS_UPWARDS || (i * i + 3 * j * i + j * j) % 7 < 3;
            double error = PLS_SPLIT_ERROR * row_norm(a, i) * row_norm(lower ? a : b, j);
            first[i * c.ld + j] += up ? error : -error;
        }
    }
}

static pls_status split_gram(pls_device *device, pls_gram_arithmetic arithmetic, pls_view a,
                             pls_view b, double beta, pls_view c, pls_view workspace) {
    bool split = arithmetic == PLS_GRAM_SPLIT;
    (split ? seen.split : seen.exact)[a.dtype]++;
    pls_status status = pls_cpu_backend.gram(device, PLS_GRAM_F64, a, b, beta, c, workspace);
    if (status == PLS_OK && split && a.dtype == PLS_F32 && seen.errors != ERRORS_NONE) {
        spoil(a, b, c);
    }
    return status;
}

static const char *split_description(pls_gram_arithmetic arithmetic, pls_dtype dtype) {
    return arithmetic == PLS_GRAM_SPLIT && dtype == PLS_F32 ? "split" : "f64";
}

static pls_backend splitting;

static network_fixture splitting_network(const network_plan *plan, errors wrong) {
    network_fixture f = network_set_up(plan);
    splitting = pls_cpu_backend;
    splitting.gram = split_gram;
    splitting.gram_description = split_description;
    f.device->backend = &splitting;
    seen.errors = wrong;
    return f;
}

static const network_plan narrow = {.hidden = PLS_TANH, .precision = PLS_F32, .bias = true};
/* Wide enough for lambda_min to stand out of the errors. */
static const network_plan wide = {.samples = 12,
                                  .inputs = 8,
                                  .depth = 3,
                                  .widths = {96, 96, 2},
                                  .hidden = PLS_TANH,
                                  .precision = PLS_F32};

static pls_kernel_options options_of(pls_gram_arithmetic gram) {
    pls_kernel_options options = pls_kernel_options_defaults();
    options.gram = gram;
    return options;
}

static pls_spectrum measure(network_fixture *f, const pls_kernel_options *options,
                            const pls_spectrum_options *how, double *matrix) {
    pls_kernel *kernel = NULL;
    pls_spectrum spectrum = {0};
    network_check(f, pls_kernel_create(f->system, options, &kernel));
    network_check(f, pls_kernel_compute(kernel));
    network_check(f, pls_kernel_spectrum(kernel, how, &spectrum));
    if (matrix != NULL) {
        network_check(f, pls_kernel_download(kernel, matrix));
    }
    pls_kernel_destroy(kernel);
    return spectrum;
}

Test(arithmetic, split_products_are_for_float32_alone) {
    network_fixture f = splitting_network(&narrow, ERRORS_NONE);
    pls_kernel_options options = options_of(PLS_GRAM_SPLIT);
    pls_spectrum_options how = pls_spectrum_options_defaults();
    for (int method = PLS_KERNEL_STRUCTURED; method <= PLS_KERNEL_EXPLICIT; method++) {
        memset(&seen, 0, sizeof seen);
        options.method = (pls_kernel_method)method;
        how.refine = PLS_REFINE_NEVER;
        measure(&f, &options, &how, NULL);
        cr_expect_gt(seen.split[PLS_F32], 0);
        cr_expect_eq(seen.exact[PLS_F32], 0, "float32 data of the kernel were not split");
        cr_expect_eq(seen.split[PLS_F64], 0, "the sub-sample is to show what splitting lost");
        int sub_sample = seen.exact[PLS_F64];
        cr_expect_gt(sub_sample, 0);
        how.refine = PLS_REFINE_ALWAYS;
        measure(&f, &options, &how, NULL);
        cr_expect_gt(seen.exact[PLS_F64], 2 * sub_sample);
        cr_expect_eq(seen.split[PLS_F64], 0, "a refinement is float64 throughout");
    }
    memset(&seen, 0, sizeof seen);
    options.gram = PLS_GRAM_F64;
    measure(&f, &options, &how, NULL);
    cr_expect_eq(seen.split[PLS_F32], 0);
    network_tear_down(&f);
}

/* The float32 sub-sample that a float64 floor is made of shows the rounding of data, no more. */
Test(arithmetic, the_floor_of_float64_is_not_split) {
    network_plan plan = narrow;
    plan.precision = PLS_F64;
    network_fixture f = splitting_network(&plan, ERRORS_MIXED);
    pls_kernel_options split = options_of(PLS_GRAM_SPLIT), exact = options_of(PLS_GRAM_F64);
    pls_spectrum one = measure(&f, &split, NULL, NULL), other = measure(&f, &exact, NULL, NULL);
    cr_expect_eq(seen.split[PLS_F32], 0);
    cr_expect_eq(one.floor, other.floor);
    cr_expect_eq(one.floor_estimate, other.floor_estimate);
    network_tear_down(&f);
}

/* tr K (2 e + e^2) holds for errors that all point upwards, and is not much too large for them. */
Test(arithmetic, the_estimate_bounds_what_split_products_lose) {
    enum { N = 24 };
    for (int variant = 0; variant < 4; variant++) {
        network_fixture f = splitting_network(variant & 1 ? &wide : &narrow, ERRORS_NONE);
        pls_kernel_options exact = options_of(PLS_GRAM_F64), split = options_of(PLS_GRAM_SPLIT);
        pls_spectrum_options how = pls_spectrum_options_defaults();
        static double truth[N * N], found[N * N];
        how.floor_samples = 0;
        how.refine = PLS_REFINE_NEVER;
        exact.method = split.method = variant & 2 ? PLS_KERNEL_EXPLICIT : PLS_KERNEL_STRUCTURED;
        pls_spectrum before = measure(&f, &exact, &how, truth);
        pls_spectrum same = measure(&f, &split, &how, NULL);
        double bound = same.floor_estimate - before.floor_estimate;
        cr_expect_float_eq(bound, (2.0 + PLS_SPLIT_ERROR) * PLS_SPLIT_ERROR * before.trace,
                           1e-9 * bound);
        cr_expect_eq(same.floor, same.floor_estimate);
        seen.errors = ERRORS_UPWARDS;
        pls_spectrum after = measure(&f, &split, &how, found);
        double squared = 0.0;
        for (int i = 0; i < N * N; i++) {
            squared += (found[i] - truth[i]) * (found[i] - truth[i]);
        }
        cr_expect_leq(sqrt(squared), bound, "variant %d", variant);
        cr_expect_gt(sqrt(squared), 0.1 * bound, "variant %d: %g of %g", variant, sqrt(squared),
                     bound);
        cr_expect_leq(fabs(after.lambda_min - before.lambda_min), after.floor);
        network_tear_down(&f);
    }
}

/* What the sub-sample lost by splitting is seen, because the kernel's own entries are looked at. */
Test(arithmetic, the_measured_floor_sees_split_products) {
    network_fixture f = splitting_network(&wide, ERRORS_UPWARDS);
    network_plan plan = wide;
    plan.precision = PLS_F64;
    network_fixture exactly = network_set_up(&plan);
    double *w = calloc((size_t)pls_system_parameters(f.system), sizeof *w);
    network_check(&f, pls_system_get_weights(f.system, w));
    network_check(&exactly, pls_system_set_weights(exactly.system, w));
    pls_kernel_options split = options_of(PLS_GRAM_SPLIT), exact = options_of(PLS_GRAM_F64);
    pls_spectrum_options how = pls_spectrum_options_defaults();
    how.refine = PLS_REFINE_NEVER;
    pls_spectrum truth = measure(&exactly, &exact, NULL, NULL);
    pls_spectrum fine = measure(&f, &exact, &how, NULL);
    pls_spectrum coarse = measure(&f, &split, &how, NULL);
    cr_expect_gt(coarse.floor, 2.0 * fine.floor);
    cr_expect_leq(fabs(coarse.lambda_min - truth.lambda_min), coarse.floor);
    cr_expect_leq(fabs(coarse.lambda_max - truth.lambda_max), coarse.floor);
    cr_expect_gt(fabs(coarse.lambda_max - truth.lambda_max), fine.floor, "the errors are felt");
    cr_expect(coarse.lambda_min_lower <= truth.lambda_min &&
              truth.lambda_min <= coarse.lambda_min_upper);
    how.refine = PLS_REFINE_ALWAYS;
    pls_spectrum refined = measure(&f, &split, &how, NULL);
    cr_expect_float_eq(refined.lambda_min, truth.lambda_min, 1e-9 * truth.lambda_max);
    free(w);
    network_tear_down(&exactly);
    network_tear_down(&f);
}

Test(arithmetic, says_what_it_is) {
    network_fixture f = splitting_network(&narrow, ERRORS_NONE);
    pls_kernel_options split = options_of(PLS_GRAM_SPLIT);
    pls_kernel *kernel = NULL;
    cr_expect_str_eq(pls_kernel_arithmetic(f.system, &split), "split");
    cr_expect_str_eq(pls_kernel_arithmetic(f.system, NULL), "f64");
    split.gram = (pls_gram_arithmetic)2;
    SUPPORT_EXPECT_ERROR(f.context, pls_kernel_create(f.system, &split, &kernel),
                         PLS_ERROR_ARGUMENT, "monitor.gram: 2 is no arithmetic");
    network_tear_down(&f);
}
