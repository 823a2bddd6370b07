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
 * The constants have to hold in all of B(w_0, R). Where they are known and no such ball contains
 * itself, they are those of the ball of claim 8, and a run counts as 0 once it has left that one:
 * as the quadratic upper bound above is nowhere negative (|grad L|^2 <= 2 beta_L L), the mean of
 * what is left falls as fast, and nothing is said of the share that leaves.
 *
 * The mean over runs is compared with four times its standard error; the share of runs that left,
 * with twice that of a share delta. A few runs that explode make the standard error explode, too;
 * so the share of runs in which L_t ever exceeds ten times the bound is counted as well: L_t over
 * its bound is a supermartingale that starts at 1, which reaches a with probability of at most 1/a
 * (Ville). */
#include "audit/theorem.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double MEAN_ERRORS = 4.0, SHARE_ERRORS = 2.0, FAR_ABOVE = 10.0;

typedef struct ensemble {
    pls_audit *audit;
    pls_claim_result *result;
    double eta, radius, contraction; /* 1 - mu s eta / n */
    bool stops;                      /* runs that have left the ball count as 0 */
    double *sums, *squares;          /* steps + 1: of L_t / L_0 over runs */
    double start;
    bool outside, above; /* the present run has left the ball; its loss was far above the bound */
    int64_t left, exploded;
} ensemble;

/* (1 - mu s eta/n)^t, and what rounding may have changed L_t / L_0 by there. */
static double bound_of(const ensemble *e, int64_t t, double *error) {
    double bound = pow(e->contraction, (double)t);
    *error = pls_loss_error(e->audit, bound * e->start) / e->start + 1e-12 * bound;
    return bound;
}

static pls_status record(void *user, const pls_record *at, const pls_progress *progress) {
    ensemble *e = user;
    double error = 0.0, bound = bound_of(e, at->step, &error);
    (void)progress;
    e->outside = e->outside || !(at->distance <= e->radius);
    double share = e->stops && e->outside ? 0.0 : at->loss / e->start;
    e->above = e->above || !(share <= FAR_ABOVE * (bound + error));
    e->sums[at->step] += share;
    e->squares[at->step] += share * share;
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
    e->outside = e->above = false;
    pls_status status = pls_audit_return(audit);
    if (status == PLS_OK) {
        status = pls_train(audit->system, &options, &trained);
    }
    if (status == PLS_DIVERGED) {
        pls_error_clear(audit->context);
        e->sums[options.steps] += e->stops && e->outside ? 0.0 : INFINITY;
        e->outside = true;
        status = PLS_OK;
    }
    e->left += e->outside;
    e->exploded += e->above;
    pls_train_result_destroy(audit->context, &trained);
    return status;
}

/* How often something happened whose probability is at most `probability`. */
static void compare_share(const ensemble *e, const char *formula, int64_t count,
                          double probability) {
    double runs = (double)e->audit->options->runs;
    pls_claim_at_most(e->result, formula, (double)count / runs, probability,
                      SHARE_ERRORS * sqrt(probability * (1.0 - probability) / runs));
}

static void compare(const ensemble *e) {
    const pls_audit_options *options = e->audit->options;
    double runs = (double)options->runs, delta = options->delta;
    for (int64_t t = 1; t <= options->steps; t++) {
        double rounding = 0.0, bound = bound_of(e, t, &rounding), mean = e->sums[t] / runs;
        double variance = fmax(0.0, e->squares[t] / runs - mean * mean) * runs / (runs - 1.0);
        double error = MEAN_ERRORS * sqrt(variance / runs) + rounding;
        pls_claim_at_most(e->result, "mean L_t / L_0 <= (1 - mu s eta/n)^t", mean, bound,
                          isfinite(mean) ? error : 0.0);
    }
    compare_share(e, "share of runs with an L_t above 10 times that bound <= 1/10", e->exploded,
                  1.0 / FAR_ABOVE);
    if (!e->stops) {
        compare_share(e, "share of runs that left B(w_0, R) <= delta", e->left, delta);
    }
}

/* At least max over i of lambda_max(J_i J_i^T), the largest trace of a sample's block of K; equal
 * to it for one output. */
static pls_status find_block(pls_audit *audit) {
    int64_t size = audit->equations, k = audit->system->outputs;
    double *kernel = NULL;
    pls_status status = PLS_OK;
    audit->block = 0.0;
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
        audit->block = fmax(audit->block, trace);
    }
cleanup:
    pls_release(audit->context, kernel);
    return status;
}

/* beta: ||J_i|| <= its value at w_0 + beta_F R. */
static double smoothness_of_sample(const pls_audit *audit, const pls_theorem *t) {
    double edge = sqrt(audit->block) + t->smoothness * t->extent;
    return edge * edge + pls_bend_of_loss(audit, t);
}

static double reach_of_runs(const pls_audit *audit, const pls_theorem *t) {
    double n = (double)audit->system->samples;
    return 2.0 * n * sqrt(smoothness_of_sample(audit, t)) * audit->residual /
           (t->mu * audit->options->delta);
}

/* The constants, over the ball of the theorem or, where they are known but not so far, over that of
 * claim 8. */
static pls_status find_constants(ensemble *e, pls_theorem *t, bool *found) {
    pls_audit *audit = e->audit;
    pls_claim_result before = *e->result;
    pls_convergence runs =
        pls_square_descent; /* along the path of descent, whose steps are longer */
    pls_smoothness smoothness;
    bool known = false;
    pls_status status = PLS_OK;
    runs.reach = reach_of_runs;
    PLS_TRY(audit->context, pls_theorem_find(audit, &runs, e->result, t, found));
    PLS_TRY(audit->context, pls_audit_smoothness(audit, &smoothness, &known));
    if (!*found && known) {
        *e->result = before;
        e->stops = true;
        PLS_TRY(audit->context, pls_theorem_find(audit, &pls_square_descent, e->result, t, found));
    }
cleanup:
    return status;
}

static void set_up(ensemble *e, const pls_theorem *t) {
    const pls_audit *audit = e->audit;
    double n = (double)audit->system->samples;
    double s = (double)pls_smaller(audit->options->batch, audit->system->samples);
    double beta = smoothness_of_sample(audit, t), beta_loss = pls_smoothness_of_loss(audit, t);
    double eta = n * t->mu / (beta_loss * (n * beta + t->mu * (s - 1.0)));
    e->start = 0.5 * audit->residual * audit->residual;
    e->eta = pls_audit_seen(audit, "step", eta);
    e->contraction = 1.0 - t->mu * s * eta / n;
    e->radius = t->radius;
    pls_theorem_tell(t, e->result);
    pls_claim_constant_is(e->result, "beta", beta, t->smoothness_evidence);
    pls_claim_constant_is(e->result, "beta_L", beta_loss, t->smoothness_evidence);
    pls_claim_constant_is(e->result, "eta", eta, t->mu_evidence);
}

static void describe(const ensemble *e, const pls_theorem *t) {
    const pls_audit_options *options = e->audit->options;
    char ball[96] = "";
    if (e->stops) {
        snprintf(ball, sizeof ball, " of claim 8, outside of which runs count as 0 (%lld left)",
                 (long long)e->left);
    }
    pls_claim_describe(e->result,
                       "%lld runs of %lld steps with batches of %lld; the error of a mean is four "
                       "standard errors; %s%s",
                       (long long)options->runs, (long long)options->steps,
                       (long long)pls_smaller(options->batch, e->audit->system->samples),
                       pls_theorem_manner(t), ball);
}

pls_status pls_check_stochastic_descent(pls_audit *audit, pls_claim_result *result) {
    ensemble e = {.audit = audit, .result = result};
    int64_t rows = audit->options->steps + 1;
    pls_theorem constants;
    bool found = false;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, find_block(audit));
    PLS_TRY(audit->context, find_constants(&e, &constants, &found));
    if (!found) {
        goto cleanup;
    }
    PLS_TRY(audit->context, pls_allocate(audit->context, rows, sizeof(double), "claim 9", &e.sums));
    PLS_TRY(audit->context,
            pls_allocate(audit->context, rows, sizeof(double), "claim 9", &e.squares));
    set_up(&e, &constants);
    for (int64_t r = 0; r < audit->options->runs; r++) {
        PLS_TRY(audit->context, run(&e, r));
    }
    compare(&e);
    describe(&e, &constants);
cleanup:
    pls_release(audit->context, e.sums);
    pls_release(audit->context, e.squares);
    return status;
}
