/* Claim 12: beside a solution w* of an over-parameterised system the loss is not convex.
 *
 * H_L = J^T J + sum_i r_i H_i. At w* the second term is 0, and J^T J is 0 on the kernel of J, which
 * is not {0} for P > N. At w* + t d with d = J^T u / ||J^T u|| the residual is t K u / ||J^T u|| +
 * O(t^2), so on that kernel H_L is t times a fixed form to first order, and lambda_min(H_L) is
 * about linear in |t| and negative on the side where that form has a negative eigenvalue (Liu, Zhu,
 * Belkin, arXiv 2003.00307, section 3). For P < N, J^T J is positive definite at a solution in
 * general. */
#include "audit/audit.h"
#include "base/memory.h"
#include "study/direction.h"

#include <math.h>
#include <string.h>

static const double SOLVED = 1e-18, REACH = 1e-3, LINEARITY = 0.1;
enum { LM_STEPS = 200, SMALL_EQUATIONS = 30, SMALL_PARAMETERS = 10 };

/* w* by Levenberg-Marquardt; *solved tells whether the loss came down. */
static pls_status solve(pls_system *system, bool *solved) {
    pls_train_options options = pls_train_options_defaults();
    pls_train_result run;
    memset(&run, 0, sizeof run);
    options.optimizer = PLS_OPTIMIZER_LM;
    options.steps = LM_STEPS;
    options.stop_at = SOLVED;
    options.measure_every = 0;
    pls_status status = pls_train(system, &options, &run);
    *solved = status == PLS_OK && run.last.loss <= SOLVED * run.first.loss;
    if (status == PLS_DIVERGED) { /* as from a loss that is not finite */
        pls_error_clear(system->device->context);
        status = PLS_OK;
    }
    pls_train_result_destroy(system->device->context, &run);
    return status;
}

static pls_status smallest(pls_system *system, pls_loss_hessian *found) {
    return pls_loss_hessian_norm(system, PLS_LOSS_SQUARE, NULL, found);
}

/* u: +-1, as good as any; d = J^T u / ||J^T u||. */
static pls_status find_direction(pls_audit *audit, double *direction) {
    double *u = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context,
            pls_allocate(audit->context, audit->equations, sizeof *u, "claim 12", &u));
    for (int64_t i = 0; i < audit->equations; i++) {
        u[i] = i % 2 == 0 ? 1.0 : -1.0;
    }
    PLS_TRY(audit->context, pls_system_transposed_product(audit->system, u, direction));
    pls_normalize(direction, audit->parameters);
cleanup:
    pls_release(audit->context, u);
    return status;
}

/* lambda_min(H_L) on the more negative side, at distance t and t/2. */
static pls_status look(pls_audit *audit, const double *solution, const double *direction,
                       pls_claim_result *result) {
    pls_loss_hessian at[2][2]; /* side, distance */
    pls_status status = PLS_OK;
    for (int side = 0; side < 2; side++) {
        for (int half = 0; half < 2; half++) {
            double t = (side == 0 ? REACH : -REACH) * (half == 0 ? 1.0 : 0.5);
            PLS_TRY(audit->context,
                    pls_move_along(audit->system, solution, t, direction, audit->point));
            PLS_TRY(audit->context, smallest(audit->system, &at[side][half]));
        }
    }
    int side = at[0][0].smallest.value <= at[1][0].smallest.value ? 0 : 1;
    const pls_eigenvalue *whole = &at[side][0].smallest, *half = &at[side][1].smallest;
    double value = pls_audit_seen(audit, "hessian", whole->value);
    pls_claim_at_most(result, "lambda_min(H_L(w* + t d)) < 0 on a side", value, -whole->residual,
                      0.0);
    pls_claim_at_most(result, "|lambda_min(t/2) / lambda_min(t) - 1/2| <= 0.1",
                      fabs(half->value / value - 0.5), LINEARITY,
                      (whole->residual + half->residual) / fabs(value));
    pls_claim_constant_is(result, "lambda_min(H_L) at t", whole->value, PLS_EVIDENCE_SAMPLED);
    pls_claim_constant_is(result, "at t/2", half->value, PLS_EVIDENCE_SAMPLED);
    pls_claim_constant_is(result, "on the other side", at[1 - side][0].smallest.value,
                          PLS_EVIDENCE_SAMPLED);
cleanup:
    return status;
}

/* More equations than unknowns, with a solution. */
static pls_status contrast(pls_audit *audit, pls_claim_result *result, bool *found_one) {
    pls_planted_options options = pls_planted_options_defaults();
    pls_system *system = NULL;
    pls_loss_hessian found;
    bool solved = false;
    pls_status status = PLS_OK;
    options.equations = SMALL_EQUATIONS;
    options.parameters = SMALL_PARAMETERS;
    options.seed = audit->options->seed;
    PLS_TRY(audit->context, pls_planted_system_create(audit->system->device, &options, &system));
    PLS_TRY(audit->context, solve(system, &solved));
    *found_one = solved;
    if (solved) {
        PLS_TRY(audit->context, smallest(system, &found));
        pls_claim_at_least(result, "lambda_min(H_L(w*)) > 0 with P < N", found.smallest.value,
                           found.smallest.residual, 0.0);
        pls_claim_constant_is(result, "with P < N, lambda_min(H_L(w*))", found.smallest.value,
                              PLS_EVIDENCE_SAMPLED);
    }
cleanup:
    pls_system_destroy(system);
    return status;
}

pls_status pls_check_nonconvexity(pls_audit *audit, pls_claim_result *result) {
    pls_context *context = audit->context;
    pls_smoothness smoothness;
    double *solution = NULL, *direction = NULL;
    bool solved = false, smooth = false, known = false, contrasted = false;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, pls_audit_require_smooth(audit, result, &smooth));
    if (!smooth) {
        goto cleanup;
    }
    PLS_TRY(context, pls_audit_smoothness(audit, &smoothness, &known));
    if (known && smoothness.beta == 0.0) {
        return pls_claim_does_not_apply(result, "F is linear, and its loss convex");
    }
    if (audit->parameters <= audit->equations) {
        return pls_claim_does_not_apply(result, "P = %lld is not above N = %lld",
                                        (long long)audit->parameters, (long long)audit->equations);
    }
    PLS_TRY(context, solve(audit->system, &solved));
    if (!solved) {
        return pls_claim_does_not_apply(result,
                                        "no solution was found in %d steps of "
                                        "Levenberg-Marquardt",
                                        (int)LM_STEPS);
    }
    PLS_TRY(context,
            pls_allocate(context, audit->parameters, sizeof(double), "claim 12", &solution));
    PLS_TRY(context,
            pls_allocate(context, audit->parameters, sizeof(double), "claim 12", &direction));
    PLS_TRY(context, pls_system_get_weights(audit->system, solution));
    PLS_TRY(context, find_direction(audit, direction));
    PLS_TRY(context, look(audit, solution, direction, result));
    PLS_TRY(context, contrast(audit, result, &contrasted));
    pls_claim_describe(result,
                       "at a solution w* found by Levenberg-Marquardt, along d = J^T u, t = "
                       "0.001; %s a planted system with P < N",
                       contrasted ? "and at a solution of" : "no solution was found of");
cleanup:
    pls_release(context, solution);
    pls_release(context, direction);
    return status;
}
