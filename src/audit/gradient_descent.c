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

static pls_status check(pls_audit *audit, const pls_convergence *theorem,
                        pls_claim_result *result) {
    pls_theorem constants;
    bool found = false;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, pls_theorem_find(audit, theorem, result, &constants, &found));
    if (found) {
        pls_theorem_tell(&constants, result);
        PLS_TRY(audit->context,
                pls_theorem_follow(audit, theorem, &constants, constants.mu, 0.0, result));
    }
cleanup:
    return status;
}

static double step_square(const pls_audit *audit, const pls_theorem *t) {
    return 1.0 / (t->lipschitz * t->lipschitz + t->smoothness * audit->residual);
}

static double reach_square(const pls_audit *audit, const pls_theorem *t) {
    return 2.0 * t->lipschitz * audit->residual / t->mu;
}

const pls_convergence pls_square_descent = {PLS_LOSS_SQUARE, step_square, reach_square};

pls_status pls_check_gradient_descent(pls_audit *audit, pls_claim_result *result) {
    return check(audit, &pls_square_descent, result);
}

double pls_bend_of_loss(const pls_audit *audit, const pls_theorem *t) {
    return t->smoothness * (audit->residual + t->lipschitz * t->extent);
}

double pls_smoothness_of_loss(const pls_audit *audit, const pls_theorem *t) {
    return t->lipschitz * t->lipschitz + pls_bend_of_loss(audit, t);
}

static double step_smooth(const pls_audit *audit, const pls_theorem *t) {
    return 1.0 / pls_smoothness_of_loss(audit, t);
}

static double reach_smooth(const pls_audit *audit, const pls_theorem *t) {
    return 2.0 * sqrt(pls_smoothness_of_loss(audit, t)) * audit->residual / t->mu;
}

pls_status pls_check_smooth_loss(pls_audit *audit, pls_claim_result *result) {
    static const pls_convergence theorem = {PLS_LOSS_SQUARE, step_smooth, reach_smooth};
    return check(audit, &theorem, result);
}
