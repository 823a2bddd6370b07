/* Claim 9: SGD with replacement, batches of s of n samples, w+ = w - eta sum over the batch of
 * grad l_i. With beta the smoothness of every l_i, beta_L that of L, and L mu-PL*,
 *     eta <= n mu / (beta_L (n beta + mu (s-1))):   E L_t <= (1 - mu s eta/n)^t L_0,
 * and a run leaves B(w_0, R), R = 2 n sqrt(2 beta L_0) / (mu delta), with probability of at most
 * delta.
 *
 * Derived: with g the sum over the batch, E g = (s/n) grad L and, as the samples are independent
 * and
 * ||grad l_i||^2 <= 2 beta l_i,
 *     E |g|^2 = (s/n) sum |grad l_i|^2 + s(s-1)/n^2 |grad L|^2 <= (s/n) 2 beta L + s(s-1)/n^2 |grad
 * L|^2 E L+ <= L - eta (s/n) |grad L|^2 + beta_L eta^2/2 E |g|^2
 *          <= L - (eta s/n) |grad L|^2 (1 - eta beta_L (s-1)/(2n)) + (s/n) beta_L beta eta^2 L
 *          <= L (1 - (mu s eta/n) (2 - eta beta_L ((s-1)/n + beta/mu)))       by |grad L|^2 >= 2 mu
 * L where the last bracket is at least 1 for such eta.
 *
 * The mean over runs is compared with four times its standard error; the share of runs that left,
 * with twice that of a share delta. */
#include "audit/theorem.h"
#include "base/memory.h"

#include <math.h>
#include <string.h>

static const double MEAN_ERRORS = 4.0, SHARE_ERRORS = 2.0;

typedef struct ensemble {
    pls_audit *audit;
    pls_claim_result *result;
    double eta, radius, contraction; /* 1 - mu s eta / n */
    double *sums, *squares;          /* steps + 1: of L_t / L_0 over runs */
    double start;
    bool outside; /* the present run has left the ball */
    int64_t left;
} ensemble;

static pls_status record(void *user, const pls_record *at, const pls_progress *progress) {
    ensemble *e = user;
    double share = at->loss / e->start;
    (void)progress;
    e->sums[at->step] += share;
    e->squares[at->step] += share * share;
    e->outside = e->outside || at->distance > e->radius;
    return PLS_OK;
}

static pls_status run(ensemble *e, int64_t number) {
    pls_audit *audit = e->audit;
    pls_train_options options = pls_train_options_defaults();
    pls_train_result trained;
    memset(&trained, 0, sizeof trained);
    options.optimizer = PLS_OPTIMIZER_SGD;
    options.batch = pls_smaller(audit->options->batch, audit->system->samples);
    options.step_rule = PLS_STEP_FIXED;
    options.step_size = e->eta;
    options.steps = audit->options->steps;
    options.measure_every = 0;
    options.seed = audit->options->seed + (uint64_t)number;
    options.observer = record;
    options.observer_user = e;
    e->outside = false;
    pls_status status = pls_audit_return(audit);
    if (status == PLS_OK) {
        status = pls_train(audit->system, &options, &trained);
    }
    if (status == PLS_DIVERGED) {
        pls_error_clear(audit->context);
        e->sums[options.steps] = INFINITY;
        e->outside = true;
        status = PLS_OK;
    }
    e->left += e->outside;
    pls_train_result_destroy(audit->context, &trained);
    return status;
}

static void compare(const ensemble *e) {
    const pls_audit_options *options = e->audit->options;
    double runs = (double)options->runs, delta = options->delta;
    for (int64_t t = 1; t <= options->steps; t++) {
        double mean = e->sums[t] / runs, bound = pow(e->contraction, (double)t);
        double variance = fmax(0.0, e->squares[t] / runs - mean * mean) * runs / (runs - 1.0);
        double error = MEAN_ERRORS * sqrt(variance / runs) +
                       pls_loss_error(e->audit, bound * e->start) / e->start;
        pls_claim_at_most(e->result, "mean L_t / L_0 <= (1 - mu s eta/n)^t", mean, bound,
                          isfinite(mean) ? error + 1e-12 * bound : 0.0);
    }
    pls_claim_at_most(e->result, "share of runs that left B(w_0, R) <= delta",
                      (double)e->left / runs, delta,
                      SHARE_ERRORS * sqrt(delta * (1.0 - delta) / runs));
}

/* max over i of lambda_max(J_i J_i^T), the largest over samples of a diagonal block of K. */
static pls_status largest_block(pls_audit *audit, double *largest) {
    int64_t size = audit->equations, k = audit->system->outputs;
    double *kernel = NULL;
    pls_status status = PLS_OK;
    *largest = 0.0;
    PLS_TRY(audit->context, pls_audit_return(audit));
    PLS_TRY(audit->context,
            pls_allocate(audit->context, size, (size_t)size * sizeof *kernel, "claim 9", &kernel));
    PLS_TRY(audit->context, pls_kernel_compute(audit->kernel));
    PLS_TRY(audit->context, pls_kernel_download(audit->kernel, kernel));
    for (int64_t i = 0; i < audit->system->samples; i++) {
        double trace = 0.0;
        for (int64_t a = 0; a < k; a++) {
            trace += kernel[(i * k + a) * size + i * k + a];
        }
        *largest = fmax(*largest, trace); /* at least the eigenvalue; equal for k = 1 */
    }
cleanup:
    pls_release(audit->context, kernel);
    return status;
}

/* ||J_i|| <= its value at w_0 + beta_F R over the ball, and ||r_i|| <= ||r_0|| + L_F R. */
static void set_up(ensemble *e, const pls_theorem *t, double block) {
    const pls_audit *audit = e->audit;
    double n = (double)audit->system->samples;
    double s = (double)pls_smaller(audit->options->batch, audit->system->samples);
    double bent = t->smoothness * (audit->residual + t->lipschitz * t->extent);
    double edge = sqrt(block) + t->smoothness * t->extent;
    double beta = edge * edge + bent, beta_loss = t->lipschitz * t->lipschitz + bent;
    double eta = n * t->mu / (beta_loss * (n * beta + t->mu * (s - 1.0)));
    e->start = 0.5 * audit->residual * audit->residual;
    e->eta = pls_audit_seen(audit, "step", eta);
    e->contraction = 1.0 - t->mu * s * eta / n;
    e->radius = 2.0 * n * sqrt(2.0 * beta * e->start) / (t->mu * audit->options->delta);
    pls_theorem_tell(t, e->result);
    pls_claim_constant_is(e->result, "R", e->radius, t->mu_evidence);
    pls_claim_constant_is(e->result, "beta", beta, t->smoothness_evidence);
    pls_claim_constant_is(e->result, "beta_L", beta_loss, t->smoothness_evidence);
    pls_claim_constant_is(e->result, "eta", eta, t->mu_evidence);
}

pls_status pls_check_stochastic_descent(pls_audit *audit, pls_claim_result *result) {
    ensemble e = {.audit = audit, .result = result};
    int64_t rows = audit->options->steps + 1;
    pls_theorem constants;
    bool found = false;
    double block = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context,
            pls_theorem_find(audit, &pls_square_descent, result, &constants, &found));
    if (!found) {
        goto cleanup;
    }
    PLS_TRY(audit->context, pls_allocate(audit->context, rows, sizeof(double), "claim 9", &e.sums));
    PLS_TRY(audit->context,
            pls_allocate(audit->context, rows, sizeof(double), "claim 9", &e.squares));
    PLS_TRY(audit->context, largest_block(audit, &block));
    set_up(&e, &constants, block);
    for (int64_t r = 0; r < audit->options->runs; r++) {
        PLS_TRY(audit->context, run(&e, r));
    }
    compare(&e);
    pls_claim_describe(result,
                       "%lld runs of %lld steps with batches of %lld; the error of a mean is four "
                       "standard errors; %s",
                       (long long)audit->options->runs, (long long)audit->options->steps,
                       (long long)pls_smaller(audit->options->batch, audit->system->samples),
                       pls_theorem_manner(&constants));
cleanup:
    pls_release(audit->context, e.sums);
    pls_release(audit->context, e.squares);
    return status;
}
