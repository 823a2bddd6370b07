/* Claim 7: rho(w) = 1/2 ||grad L||^2 / L = rT K r / ||r||^2 is a Rayleigh quotient of K, so
 *     lambda_min(K(w_t)) <= rho(w_t) <= lambda_max(K(w_t))
 * at every step of gradient descent. rho comes from the gradient, the eigenvalues from the kernel:
 * two computations that share no product. */
#include "audit/audit.h"

#include "plstar/train.h"

#include <math.h>
#include <string.h>

typedef struct watch {
    const pls_audit *audit;
    pls_claim_result *result;
} watch;

static pls_status compare(void *user, const pls_record *record, const pls_progress *progress) {
    const watch *w = user;
    (void)progress;
    if (!record->measured || record->loss == 0.0) {
        return PLS_OK;
    }
    const pls_system *system = w->audit->system;
    double rounding = system->kind->rounding_growth(system) * pls_dtype_roundoff(PLS_F64);
    double error = record->kernel_floor + rounding * record->lambda_max;
    double factor = pls_audit_seen(w->audit, "kernel", 1.0);
    pls_claim_at_least(w->result, "rho >= lambda_min(K)", record->pl_ratio,
                       factor * record->lambda_min, error);
    pls_claim_at_most(w->result, "rho <= lambda_max(K)", record->pl_ratio,
                      record->lambda_max / factor, error);
    return PLS_OK;
}

/* The identity does not ask that gradient descent converges: one that diverges is compared as far
 * as it went. */
static void describe(const watch *w, const pls_train_result *run, bool diverged) {
    if (w->result->instances == 0) {
        pls_claim_does_not_apply(w->result, diverged ? "the loss at w_0 is not finite"
                                                     : "w_0 is a solution: rho is 0/0");
        return;
    }
    pls_claim_describe(w->result,
                       "at every step of %lld of gradient descent with half the critical step%s",
                       (long long)run->steps, diverged ? ", which diverged there" : "");
}

pls_status pls_check_pl_identity(pls_audit *audit, pls_claim_result *result) {
    pls_context *context = audit->system->device->context;
    pls_train_options options = pls_train_options_defaults();
    pls_train_result run;
    watch w = {audit, result};
    memset(&run, 0, sizeof run);
    options.steps = audit->options->steps;
    options.measure_every = 1;
    options.seed = audit->options->seed;
    options.observer = compare;
    options.observer_user = &w;
    pls_status status = pls_train(audit->system, &options, &run);
    bool diverged = status == PLS_DIVERGED;
    if (diverged) {
        pls_error_clear(context);
        status = PLS_OK;
    }
    if (status == PLS_OK) {
        describe(&w, &run, diverged);
    }
    pls_train_result_destroy(context, &run);
    return status;
}
