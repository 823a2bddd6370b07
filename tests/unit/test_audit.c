/* The audit: every claim holds where the theory says so, and is found violated where a falsehood is
 * planted. */
#include "audit/audit.h"

#include "networks.h"

#include <math.h>

static const network_plan plan = {
    .depth = 3, .widths = {24, 16, 2}, .hidden = PLS_TANH, .samples = 8, .precision = PLS_F64};

static int index_of(const char *claim) {
    int index = 0;
    while (pls_audit_claim(index) != NULL && strcmp(pls_audit_claim(index), claim) != 0) {
        index++;
    }
    cr_assert(pls_audit_claim(index) != NULL, "claim %s", claim);
    return index;
}

static pls_claim_result check(network_fixture *f, const char *claim, const char *planted,
                              double factor) {
    pls_audit_subject subject = {.system = f->system};
    pls_audit_options options = pls_audit_options_defaults();
    pls_audit_plant plant = {planted, factor};
    pls_claim_result result;
    options.steps = 20;
    network_check(f, pls_audit_check_planted(&subject, &options, index_of(claim),
                                             planted == NULL ? NULL : &plant, &result));
    return result;
}

Test(audit, pl_identity) {
    network_fixture f = network_set_up(&plan);
    pls_claim_result result = check(&f, "7", NULL, 1.0);
    cr_expect_eq(result.verdict, PLS_VERDICT_HOLDS);
    cr_expect_eq(result.instances, 42);
    cr_expect_gt(result.margin, 0.0);
    cr_expect_str_eq(result.claim, "7");
    result = check(&f, "7", "kernel", 100.0);
    cr_expect_eq(result.verdict, PLS_VERDICT_VIOLATED);
    cr_expect_lt(result.margin, -result.error);
    network_tear_down(&f);
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
    pls_claim_does_not_apply(&result, "because of %d", 1);
    cr_expect_eq(result.verdict, PLS_VERDICT_NOT_APPLICABLE);
    cr_expect_str_eq(result.detail, "because of 1");
}
