/* Networks against independent float64 values (tests/reference, by automatic
 * differentiation): outputs, loss, gradient, kernel, eigenvalues, PL ratio and a path of gradient
 * descent, in both precisions and by both ways to the kernel. */
#include "reference_case.h"
#include "support.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>

typedef struct network_case {
    char name[32];
    pls_dtype precision;
    pls_kernel_method method;
} network_case;

static const char *const names[] = {
    "cnn_flatten",   "cnn_pool_bias",         "mlp_bottleneck",   "mlp_nonlinear_output",
    "mlp_relu",      "mlp_sigmoid_3out_bias", "mlp_standard_erf", "mlp_swish_deep",
    "mlp_tanh_1out", "resnet_conv",           "resnet_dense"};
enum { NAMES = sizeof names / sizeof names[0] };

static struct criterion_test_params all_cases(void) {
    static network_case cases[NAMES * 4];
    for (int i = 0; i < NAMES; i++) {
        for (int j = 0; j < 4; j++) {
            network_case *c = &cases[4 * i + j];
            snprintf(c->name, sizeof c->name, "%s", names[i]);
            c->precision = j < 2 ? PLS_F64 : PLS_F32;
            c->method = j % 2 == 0 ? PLS_KERNEL_STRUCTURED : PLS_KERNEL_EXPLICIT;
        }
    }
    return cr_make_param_array(network_case, cases, NAMES * 4);
}

static void expect(void *user, const char *what, double error, double tolerance) {
    int *comparisons = user;
    (*comparisons)++;
    cr_expect(error <= tolerance, "%s: error %.2e, tolerance %.0e", what, error, tolerance);
}

typedef pls_status reference_check(reference_case *reference, pls_kernel_method method,
                                   reference_visitor *visit, void *user);

static void run(const network_case *c, reference_check *check, int expected_comparisons) {
    char folder[512];
    pls_context *context = NULL;
    pls_device *device = NULL;
    pls_device_options options = support_device(0);
    reference_case reference;
    int comparisons = 0;
    snprintf(folder, sizeof folder, "%s/reference/%s", PLSTAR_TEST_FOLDER, c->name);
    cr_assert_eq(pls_context_create(NULL, &context), PLS_OK);
    cr_assert_eq(pls_device_open(context, &options, &device), PLS_OK);
    pls_status status = reference_open(context, device, folder, c->precision, &reference);
    if (status == PLS_OK) {
        status = check(&reference, c->method, expect, &comparisons);
    }
    cr_expect_eq(status, PLS_OK, "%s\n%s", pls_error_text(context), pls_error_trace(context));
    cr_expect_eq(comparisons, expected_comparisons);
    reference_close(&reference);
    pls_device_close(device);
    pls_context_destroy(context);
}

ParameterizedTestParameters(reference, point_and_kernel) {
    return all_cases();
}

ParameterizedTest(network_case *c, reference, point_and_kernel) {
    run(c, reference_check_kernel, 11);
}

ParameterizedTestParameters(reference, gradient_descent) {
    return all_cases();
}

ParameterizedTest(network_case *c, reference, gradient_descent) {
    run(c, reference_check_descent, 5);
}
