/* Claim 10: Hessians bound how fast mu can fall.
 *
 *     lambda_min(K(w)) >= lambda_min(K(w_0)) - 2 L_F sqrt(N) R sup max_i ||H_i||,  |w - w_0| <= R
 * since ||J(w) - J_0|| <= sqrt(sum_i sup ||H_i||^2) R <= sqrt(N) R sup max_i ||H_i|| and
 * ||K(w) - K_0|| <= (||J(w)|| + ||J_0||) ||J(w) - J_0||. L_F and the sup are sampled on the
 * segment. At R* = lambda_min(K_0) / (2 L_F sqrt(N) sup) the bound is 0; distances below it are
 * looked at, and directions both ways. Where beta_F is known, the bound of Weyl is used:
 *     sqrt(lambda_min(K(w))) >= sqrt(lambda_min(K_0)) - beta_F R. */
#include "audit/audit.h"
#include "base/memory.h"
#include "study/direction.h"

#include <math.h>

static const double SHARES[] = {0.25, 0.9};
static const double NORM_TOLERANCE = 1e-3; /* the residual is added to the norm */
enum { SHARE_COUNT = 2 };

typedef struct neighbourhood {
    pls_audit *audit;
    pls_claim_result *result;
    pls_directions directions;
    pls_spectrum first;
    bool exact;
    double hessian;   /* sup max_i ||H_i|| as far as it was sampled, or beta_F */
    double lipschitz; /* L_F */
    pls_eigenvalue *norms;
} neighbourhood;

/* Takes what is found at the present weights into L_F and the sup. */
static pls_status widen(neighbourhood *n, double *lambda_min, double *floor_value) {
    pls_audit *audit = n->audit;
    pls_second_options options =
        pls_quick_second_options(audit->parameters, NORM_TOLERANCE, audit->options->seed);
    pls_spectrum spectrum = {0};
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, pls_audit_spectrum(audit, &spectrum));
    *lambda_min = spectrum.lambda_min;
    *floor_value = spectrum.floor + spectrum.lambda_min_residual;
    n->lipschitz = fmax(n->lipschitz, sqrt(fmax(0.0, spectrum.lambda_max)));
    if (!n->exact) {
        PLS_TRY(audit->context,
                pls_output_hessian_norms(audit->system, NULL, audit->system->samples, &options,
                                         n->norms));
        for (int64_t i = 0; i < audit->equations; i++) {
            n->hessian = fmax(n->hessian, n->norms[i].value + n->norms[i].residual);
        }
    }
cleanup:
    pls_spectrum_destroy(audit->context, &spectrum);
    return status;
}

/* The distance at which the bound reaches 0. */
static double reach(const neighbourhood *n) {
    double root = sqrt((double)n->audit->equations), least = n->first.lambda_min;
    return n->exact ? sqrt(least) / n->hessian : least / (2.0 * n->lipschitz * root * n->hessian);
}

static void compare(neighbourhood *n, double radius, double lambda_min, double error) {
    double hessian = pls_audit_seen(n->audit, "hessian", n->hessian);
    double least = n->first.lambda_min, all = error + n->first.floor;
    if (n->exact) {
        double left = fmax(0.0, sqrt(least) - hessian * radius);
        pls_claim_at_least(n->result, "lambda_min(K(w)) >= (sqrt(lambda_min(K_0)) - beta_F R)^2",
                           lambda_min, left * left, all);
    } else {
        double root = sqrt((double)n->audit->equations);
        pls_claim_at_least(n->result,
                           "lambda_min(K(w)) >= lambda_min(K_0) - 2 L_F sqrt(N) R sup max ||H_i||",
                           lambda_min, least - 2.0 * n->lipschitz * root * radius * hessian, all);
    }
}

static pls_status look(neighbourhood *n, int64_t number) {
    pls_audit *audit = n->audit;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, pls_audit_return(audit));
    PLS_TRY(audit->context, pls_directions_choose(&n->directions, number));
    for (int s = 0; s < 2 * SHARE_COUNT; s++) {
        double radius = SHARES[s / 2] * reach(n), lambda_min = 0.0, error = 0.0;
        PLS_TRY(audit->context, pls_check_cancelled(audit->context));
        PLS_TRY(audit->context,
                pls_move_along(audit->system, audit->origin, s % 2 == 0 ? radius : -radius,
                               n->directions.direction, audit->point));
        PLS_TRY(audit->context, widen(n, &lambda_min, &error));
        compare(n, radius, lambda_min, error);
    }
cleanup:
    return status;
}

static pls_status look_around(neighbourhood *n) {
    pls_audit *audit = n->audit;
    double lambda_min = 0.0, error = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, pls_directions_create(audit->context, audit->system,
                                                  audit->options->seed, NULL, &n->directions));
    PLS_TRY(audit->context, pls_allocate(audit->context, audit->equations, sizeof *n->norms,
                                         "claim 10", &n->norms));
    PLS_TRY(audit->context, widen(n, &lambda_min, &error));
    if (n->hessian == 0.0) {
        return pls_claim_does_not_apply(n->result, "F is linear, and K constant");
    }
    for (int64_t d = 0; d < audit->options->directions; d++) {
        PLS_TRY(audit->context, look(n, d));
    }
    pls_claim_constant_is(n->result, "lambda_min(K_0)", n->first.lambda_min, PLS_EVIDENCE_EXACT);
    pls_claim_constant_is(n->result, "R*", reach(n), PLS_EVIDENCE_SAMPLED);
    pls_claim_describe(n->result, "%lld directions, both ways, to 0.9 R*%s",
                       (long long)audit->options->directions,
                       n->exact ? "" : "; L_F and ||H_i|| sampled at these points");
cleanup:
    return status;
}

pls_status pls_check_conditioning(pls_audit *audit, pls_claim_result *result) {
    neighbourhood n = {.audit = audit, .result = result};
    pls_smoothness smoothness;
    bool smooth = false;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, pls_audit_require_smooth(audit, result, &smooth));
    if (!smooth) {
        goto cleanup;
    }
    PLS_TRY(audit->context, pls_audit_spectrum(audit, &n.first));
    if (n.first.below_floor) {
        status = pls_claim_does_not_apply(result, "lambda_min(K_0) lies below its floor of %.3g",
                                          n.first.floor);
        goto cleanup;
    }
    PLS_TRY(audit->context, pls_audit_smoothness(audit, &smoothness, &n.exact));
    if (n.exact) {
        n.hessian = smoothness.beta;
        pls_claim_constant_is(result, "beta_F", smoothness.beta, smoothness.evidence);
    }
    PLS_TRY(audit->context, look_around(&n));
    if (!n.exact && result->verdict != PLS_VERDICT_NOT_APPLICABLE) {
        pls_claim_constant_is(result, "L_F", n.lipschitz, PLS_EVIDENCE_SAMPLED);
        pls_claim_constant_is(result, "sup ||H_i||", n.hessian, PLS_EVIDENCE_SAMPLED);
    }
cleanup:
    pls_spectrum_destroy(audit->context, &n.first);
    pls_directions_destroy(&n.directions);
    pls_release(audit->context, n.norms);
    return status;
}
