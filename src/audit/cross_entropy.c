/* Claim 8'': the theorem of a smooth loss (8') for the cross entropy L = sum_i l_i, l_i = -log p_i
 * with p_i the softmax of the outputs of sample i at its class c, k classes, n samples.
 *
 * No weights have L = 0, and near L = 0 there is no PL* constant; but there is one where L >= eps
 * (PL*_eps). Derived: l'_i = p - y has the entry p_c - 1 = e^(-l_i) - 1, and k - 1 others that make
 * its sum 0, so
 *     ||l'_i||^2 >= k/(k-1) (1 - e^(-l_i))^2,
 * and one l_i is at least L/n. With lambda_min(K) >= lambda around the path,
 *     1/2 ||grad L||^2 = 1/2 l'^T K l' >= mu L,
 *     mu = lambda k / (2 (k-1)) min over eps <= L <= L_0 of (1 - e^(-L/n))^2 / L.
 * (1 - e^(-u))^2 / u rises and then falls, so the minimum is at an end.
 *     Smoothness: diag(p) - p p^T <= 1/2, and ||l'_i||^2 <= 2 (1 - e^(-l_i))^2 <= 2 min(1, l_i), so
 *     beta = L_F^2 / 2 + beta_F sqrt(2 min(n, L_0)).
 * As in 8', eta = 1/beta: L_t <= (1 - mu/beta)^t L_0 and ||w_t - w_0|| <= R = 2 sqrt(2 beta
 * L_0)/mu, for as long as L_t >= eps. eps is the loss at the end of a path of gradient descent. */
#include "audit/theorem.h"

#include <math.h>

static double smoothness_of_loss(const pls_audit *audit, const pls_theorem *t) {
    double samples = (double)audit->system->samples;
    double slope = sqrt(2.0 * fmin(samples, t->start));
    return 0.5 * t->lipschitz * t->lipschitz + t->smoothness * slope;
}

/* (1 - e^(-L/n))^2 / L, which goes to 0 with L. */
static double share(const pls_audit *audit, double loss) {
    double certain = -expm1(-loss / (double)audit->system->samples);
    return loss > 0.0 ? certain * certain / loss : 0.0;
}

static double pl_constant(const pls_audit *audit, const pls_theorem *t) {
    double classes = (double)audit->system->outputs;
    double least = fmin(share(audit, t->end), share(audit, t->start));
    return t->mu * classes / (2.0 * (classes - 1.0)) * least;
}

static double step(const pls_audit *audit, const pls_theorem *t) {
    return 1.0 / smoothness_of_loss(audit, t);
}

static double reach(const pls_audit *audit, const pls_theorem *t) {
    return 2.0 * sqrt(2.0 * smoothness_of_loss(audit, t) * t->start) / pl_constant(audit, t);
}

static const pls_convergence theorem = {PLS_LOSS_CROSS_ENTROPY, step, reach};

pls_status pls_check_cross_entropy(pls_audit *audit, pls_claim_result *result) {
    pls_theorem constants;
    bool found = false;
    pls_status status = PLS_OK;
    if (!audit->system->targets_are_one_hot || audit->system->outputs < 2) {
        return pls_claim_does_not_apply(
            result, "cross entropy needs targets that name a class: one_hot, with at least two "
                    "classes");
    }
    PLS_TRY(audit->context, pls_theorem_find(audit, &theorem, result, &constants, &found));
    if (found) {
        double mu = pl_constant(audit, &constants);
        pls_theorem_tell(&constants, result);
        pls_claim_constant_is(result, "eps", constants.end, PLS_EVIDENCE_EXACT);
        pls_claim_constant_is(result, "mu_eps", mu, constants.mu_evidence);
        PLS_TRY(audit->context,
                pls_theorem_follow(audit, &theorem, &constants, mu, constants.end, result));
    }
cleanup:
    return status;
}
