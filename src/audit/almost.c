/* Claim 16, PL* down to a loss: of a linear system with slightly fewer unknowns than equations and
 * a little noise, which has no solution. With mu the least PL ratio met while L_t >= eps, eta <=
 * 1/lambda_max(K):   L_t <= (1 - eta mu)^t L_0 as long as L_t >= eps, and below eps, near the
 * infimum of the loss, the PL ratio collapses. */
#include "audit/audit.h"
#include "base/memory.h"

#include <math.h>
#include <string.h>

enum { EQUATIONS = 40, PARAMETERS = 35, STEPS = 20000 };
static const double NOISE = 0.02, COLLAPSE = 0.1;

typedef struct course {
    int64_t count;
    double losses[STEPS + 1], ratios[STEPS + 1];
} course;

static pls_status watch(void *user, const pls_record *record, const pls_progress *progress) {
    course *c = user;
    (void)progress;
    c->losses[c->count] = record->loss;
    c->ratios[c->count++] = record->pl_ratio;
    return PLS_OK;
}

static void compare_course(pls_audit *audit, const course *c, double eta,
                           pls_claim_result *result) {
    double eps = 2.0 * c->losses[c->count - 1], mu = INFINITY;
    int64_t last = 0;
    while (last < c->count && c->losses[last] >= eps) {
        mu = fmin(mu, c->ratios[last++]);
    }
    mu = pls_audit_seen(audit, "mu", mu);
    for (int64_t t = 1; t < last; t++) {
        double bound = pow(1.0 - eta * mu, (double)t) * c->losses[0];
        pls_claim_at_most(result, "L_t <= (1 - eta mu)^t L_0 while L_t >= eps", c->losses[t], bound,
                          1e-9 * c->losses[0]);
    }
    pls_claim_at_most(result, "PL ratio at the end over the least one above eps <= 0.1",
                      c->ratios[c->count - 1] / mu, COLLAPSE, 0.0);
    pls_claim_constant_is(result, "eps / L_0", eps / c->losses[0], PLS_EVIDENCE_SAMPLED);
    pls_claim_constant_is(result, "mu above eps", mu, PLS_EVIDENCE_SAMPLED);
    pls_claim_constant_is(result, "PL ratio at the end", c->ratios[c->count - 1],
                          PLS_EVIDENCE_SAMPLED);
}

pls_status pls_check_almost(pls_audit *audit, pls_claim_result *result) {
    pls_planted_options options = pls_planted_options_defaults();
    pls_train_options train = pls_train_options_defaults();
    pls_train_result run;
    pls_system *system = NULL;
    course *c = NULL;
    pls_status status = PLS_OK;
    memset(&run, 0, sizeof run);
    options.type = PLS_PLANTED_LINEAR;
    options.equations = EQUATIONS;
    options.parameters = PARAMETERS;
    options.noise = NOISE;
    options.seed = audit->options->seed;
    PLS_TRY(audit->context, pls_planted_system_create(audit->system->device, &options, &system));
    PLS_TRY(audit->context, pls_allocate(audit->context, 1, sizeof *c, "claim 16", &c));
    train.step_rule = PLS_STEP_CRITICAL;
    train.step_size = 0.5; /* 1 / lambda_max */
    train.steps = STEPS;
    train.measure_every = 0;
    train.observer = watch;
    train.observer_user = c;
    PLS_TRY(audit->context, pls_train(system, &train, &run));
    compare_course(audit, c, run.step_size, result);
    pls_claim_describe(result,
                       "a linear system of %d equations in %d unknowns with noise, %d steps; "
                       "eps is twice the loss at their end; an example of its own, whatever "
                       "is audited",
                       (int)EQUATIONS, (int)PARAMETERS, (int)STEPS);
cleanup:
    pls_train_result_destroy(audit->context, &run);
    pls_system_destroy(system);
    pls_release(audit->context, c);
    return status;
}
