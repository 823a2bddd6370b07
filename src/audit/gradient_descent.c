/* Claims 8 and 8': gradient descent stays in a ball and converges at an exponential rate.
 *
 * 8, the square loss (Liu, Zhu, Belkin, arXiv 2003.00307, section 4): with mu, L_F, beta_F over the
 * ball of radius R = 2 L_F ||r_0|| / mu,
 *     eta <= 1/(L_F^2 + beta_F ||r_0||):   ||w_t - w_0|| <= R,   L_t <= (1 - eta mu)^t L_0.
 * 8', a smooth loss under PL*: with beta the smoothness of L over the ball of radius
 * R = 2 sqrt(2 beta L_0) / mu,
 *     eta = 1/beta:   the same with mu/beta for eta mu.
 * For the square loss grad^2 L = J^T J + sum r_i H_i, so beta <= L_F^2 + beta_F sup ||r||, with
 * ||r|| <= ||r_0|| + L_F R over the ball. */
#include "audit/theorem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct descent {
    pls_audit *audit;
    pls_claim_result *result;
    double radius, rate, start; /* R, eta mu, L_0 */
} descent;

static pls_status compare(void *user, const pls_record *record, const pls_progress *progress) {
    const descent *d = user;
    double t = (double)record->step;
    double slip = pls_dtype_roundoff(PLS_F64) * (1.0 + t);
    (void)progress;
    if (record->step == 0) {
        return PLS_OK; /* both sides are the same */
    }
    double bound = pow(1.0 - d->rate, t) * d->start;
    pls_claim_at_most(d->result, "L_t <= (1 - eta mu)^t L_0", record->loss, bound,
                      pls_loss_error(d->audit, fmax(bound, record->loss)) + slip * bound);
    pls_claim_at_most(d->result, "||w_t - w_0|| <= R", record->distance, d->radius,
                      4.0 * slip * d->radius);
    return PLS_OK;
}

static pls_status run(descent *d, double eta) {
    pls_context *context = d->audit->context;
    pls_train_options options = pls_train_options_defaults();
    pls_train_result trained;
    memset(&trained, 0, sizeof trained);
    options.step_rule = PLS_STEP_FIXED;
    options.step_size = pls_audit_seen(d->audit, "step", eta);
    options.steps = d->audit->options->steps;
    options.measure_every = 0;
    options.observer = compare;
    options.observer_user = d;
    pls_status status = pls_audit_return(d->audit);
    if (status == PLS_OK) {
        status = pls_train(d->audit->system, &options, &trained);
    }
    if (status == PLS_DIVERGED) {
        pls_error_clear(context);
        pls_claim_at_most(d->result, "L_t <= (1 - eta mu)^t L_0", INFINITY, d->start, 0.0);
        status = PLS_OK;
    }
    pls_claim_describe(d->result, "%lld steps of eta = %.4g", (long long)trained.steps,
                       options.step_size);
    pls_train_result_destroy(context, &trained);
    return status;
}

static pls_status follow(pls_audit *audit, pls_claim_result *result, const pls_theorem *constants,
                         double eta) {
    descent d = {audit, result, constants->radius, eta * constants->mu,
                 0.5 * audit->residual * audit->residual};
    char how[PLS_CLAIM_TEXT];
    pls_status status = PLS_OK;
    pls_theorem_tell(constants, result);
    pls_claim_constant_is(result, "eta", eta, constants->mu_evidence);
    PLS_TRY(audit->context, run(&d, eta));
    snprintf(how, sizeof how, "%s", result->detail);
    pls_claim_describe(result, "%s; %s", how, pls_theorem_manner(constants));
cleanup:
    return status;
}

static double reach_square(const pls_audit *audit, const pls_theorem *t) {
    return 2.0 * t->lipschitz * audit->residual / t->mu;
}

pls_status pls_check_gradient_descent(pls_audit *audit, pls_claim_result *result) {
    pls_theorem constants;
    bool found = false;
    pls_status status = PLS_OK;
    if (audit->residual == 0.0) {
        return pls_claim_does_not_apply(result, "w_0 is a solution already");
    }
    PLS_TRY(audit->context, pls_theorem_find(audit, reach_square, result, &constants, &found));
    if (found) {
        double l = constants.lipschitz;
        PLS_TRY(audit->context, follow(audit, result, &constants,
                                       1.0 / (l * l + constants.smoothness * audit->residual)));
    }
cleanup:
    return status;
}

/* beta over the ball. */
static double smoothness_of_loss(const pls_audit *audit, const pls_theorem *t) {
    double l = t->lipschitz;
    return l * l + t->smoothness * (audit->residual + l * t->extent);
}

static double reach_smooth(const pls_audit *audit, const pls_theorem *t) {
    return 2.0 * sqrt(smoothness_of_loss(audit, t)) * audit->residual / t->mu;
}

pls_status pls_check_smooth_loss(pls_audit *audit, pls_claim_result *result) {
    pls_theorem constants;
    bool found = false;
    pls_status status = PLS_OK;
    if (audit->residual == 0.0) {
        return pls_claim_does_not_apply(result, "w_0 is a solution already");
    }
    PLS_TRY(audit->context, pls_theorem_find(audit, reach_smooth, result, &constants, &found));
    if (found) {
        double beta = smoothness_of_loss(audit, &constants);
        pls_claim_constant_is(result, "beta", beta, constants.smoothness_evidence);
        PLS_TRY(audit->context, follow(audit, result, &constants, 1.0 / beta));
    }
cleanup:
    return status;
}
