/* Claim 18: steps around the critical one, in the quadratic model of a two-layer relu network.
 *
 * With the gates of relu held as they are at w_0 = (v, U),
 *     f(x) = 1/sqrt(m d) sum_j v_j [u_j(0).x > 0] u_j.x
 * is quadratic in the weights. On one point with target 0, and up to terms of 1/m,
 *     lambda' = lambda + (eta f^2/m) (eta lambda - 4),   f' = f (1 - eta lambda + O(f^2/m)).
 * For eta lambda_max(K_0) below 2 gradient descent converges; between
 * 2 and 4 the loss rises first and then falls, to a point where lambda_max(K) is smaller (a
 * catapult, A. Lewkowycz and others, arXiv 2003.02218; L. Zhu and others, arXiv 2205.11787); above
 * 4 it diverges. */
#include "audit/audit.h"
#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 256, DIMENSION = 16, SAMPLES = 1, STEPS = 400 };
enum { PARAMETERS = WIDTH + WIDTH * DIMENSION }; /* v, then U row by row */

typedef struct gated {
    double inputs[SAMPLES][DIMENSION];
    double gates[SAMPLES][WIDTH]; /* [u_j(0).x > 0] / sqrt(m d) */
    double start[PARAMETERS], targets[SAMPLES];
} gated;

/* u_j.x of every unit. */
static double product(const gated *g, const double *w, int64_t i, int64_t j) {
    const double *row = w + WIDTH + j * DIMENSION;
    double sum = 0.0;
    for (int64_t e = 0; e < DIMENSION; e++) {
        sum += row[e] * g->inputs[i][e];
    }
    return sum;
}

static int apply(void *user, const double *w, double *f) {
    const gated *g = user;
    for (int64_t i = 0; i < SAMPLES; i++) {
        f[i] = 0.0;
        for (int64_t j = 0; j < WIDTH; j++) {
            f[i] += w[j] * g->gates[i][j] * product(g, w, i, j);
        }
    }
    return 0;
}

static int pushforward(void *user, const double *w, const double *v, double *f) {
    const gated *g = user;
    for (int64_t i = 0; i < SAMPLES; i++) {
        f[i] = 0.0;
        for (int64_t j = 0; j < WIDTH; j++) {
            f[i] += g->gates[i][j] * (v[j] * product(g, w, i, j) + w[j] * product(g, v, i, j));
        }
    }
    return 0;
}

static int pullback(void *user, const double *w, const double *u, double *out) {
    const gated *g = user;
    memset(out, 0, PARAMETERS * sizeof *out);
    for (int64_t i = 0; i < SAMPLES; i++) {
        for (int64_t j = 0; j < WIDTH; j++) {
            double scale = u[i] * g->gates[i][j];
            out[j] += scale * product(g, w, i, j);
            for (int64_t e = 0; e < DIMENSION; e++) {
                out[WIDTH + j * DIMENSION + e] += scale * w[j] * g->inputs[i][e];
            }
        }
    }
    return 0;
}

static void draw(gated *g, uint64_t seed) {
    pls_random_stream weights = {seed, PLS_RANDOM_SYSTEM, 100},
                      inputs = {seed, PLS_RANDOM_SYSTEM, 101};
    double scale = 1.0 / sqrt((double)WIDTH * DIMENSION);
    for (int64_t p = 0; p < PARAMETERS; p++) {
        g->start[p] = pls_random_normal_at(weights, (uint64_t)p);
    }
    for (int64_t i = 0; i < SAMPLES; i++) {
        for (int64_t e = 0; e < DIMENSION; e++) {
            g->inputs[i][e] = pls_random_normal_at(inputs, (uint64_t)(i * DIMENSION + e));
        }
        g->targets[i] = 0.0;
        for (int64_t j = 0; j < WIDTH; j++) {
            g->gates[i][j] = product(g, g->start, i, j) > 0.0 ? scale : 0.0;
        }
    }
}

typedef struct outcome {
    double peak, end, flatness; /* over the start; end infinite where it diverged */
} outcome;

static pls_status watch(void *user, const pls_record *record, const pls_progress *progress) {
    outcome *o = user;
    (void)progress;
    o->end = record->step == 0 ? record->loss : o->end;
    o->peak = fmax(o->peak, record->loss / o->end);
    return PLS_OK;
}

/* Gradient descent with `factor` times 2/lambda_max(K_0). */
static pls_status descend(pls_audit *audit, gated *g, double factor, outcome *o) {
    const pls_user_system functions = {.name = "gated linear",
                                       .samples = SAMPLES,
                                       .outputs = 1,
                                       .parameters = PARAMETERS,
                                       .start = g->start,
                                       .targets = g->targets,
                                       .user = g,
                                       .apply = apply,
                                       .pushforward = pushforward,
                                       .pullback = pullback};
    pls_train_options options = pls_train_options_defaults();
    pls_train_result run;
    pls_system *system = NULL;
    pls_context *context = audit->context;
    pls_status status = PLS_OK;
    memset(&run, 0, sizeof run);
    *o = (outcome){0};
    PLS_TRY(context, pls_user_system_create(audit->system->device, PLS_F64, &functions, &system));
    PLS_TRY(context, pls_system_initialize(system));
    options.step_rule = PLS_STEP_CRITICAL;
    options.step_size = pls_audit_seen(audit, "step", factor);
    options.steps = STEPS;
    options.measure_every = STEPS;
    options.observer = watch;
    options.observer_user = o;
    status = pls_train(system, &options, &run);
    if (status == PLS_DIVERGED) {
        pls_error_clear(context);
        o->end = o->flatness = INFINITY;
        status = PLS_OK;
        goto cleanup;
    }
    PLS_TRY(context, status);
    o->end = run.last.loss / run.first.loss;
    o->flatness = run.spectrum.lambda_max / run.first_spectrum.lambda_max;
cleanup:
    pls_train_result_destroy(context, &run);
    pls_system_destroy(system);
    return status;
}

pls_status pls_check_critical_step(pls_audit *audit, pls_claim_result *result) {
    gated *g = NULL;
    outcome below, between, above;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, pls_allocate(audit->context, 1, sizeof *g, "claim 18", &g));
    draw(g, audit->options->seed);
    PLS_TRY(audit->context, descend(audit, g, 0.9, &below));
    PLS_TRY(audit->context, descend(audit, g, 1.5, &between));
    PLS_TRY(audit->context, descend(audit, g, 2.5, &above));
    pls_claim_at_most(result, "eta lambda_max = 1.8: L_T / L_0 <= 0.01", below.end, 0.01, 0.0);
    pls_claim_at_most(result, "eta lambda_max = 1.8: the loss never rises above its start",
                      below.peak, 1.0, 1e-9);
    pls_claim_at_least(result, "eta lambda_max = 3: the loss rises", between.peak, 1.0, 0.0);
    pls_claim_at_most(result, "eta lambda_max = 3: L_T / L_0 <= 0.01", between.end, 0.01, 0.0);
    pls_claim_at_most(result, "eta lambda_max = 3: lambda_max falls", between.flatness, 1.0, 0.0);
    pls_claim_at_least(result, "eta lambda_max = 5: diverges", above.end, 1e6, 0.0);
    pls_claim_constant_is(result, "largest L_t / L_0 at 3", between.peak, PLS_EVIDENCE_SAMPLED);
    pls_claim_constant_is(result, "lambda_max(K_T) / lambda_max(K_0) at 3", between.flatness,
                          PLS_EVIDENCE_SAMPLED);
    pls_claim_describe(result,
                       "the quadratic model of a two-layer relu network of width %d on one "
                       "point with target 0; an example of its own, whatever is audited",
                       (int)WIDTH);
cleanup:
    pls_release(audit->context, g);
    return status;
}
