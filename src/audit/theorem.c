/* Constants over the ball that they determine; see theorem.h.
 *
 * With beta_F known, L_F(R) <= ||J_0|| + beta_F R and mu(R) >= (sigma_0 - beta_F R)^2, so
 * R -> reach(L_F(R), mu(R)) grows with R: iterated from 0 it climbs to its smallest fixed point, or
 * past sigma_0 / beta_F, where mu(R) = 0 and there is no ball. */
#include "audit/theorem.h"
#include "base/memory.h"
#include "study/direction.h"

#include <math.h>
#include <string.h>

enum { ROUNDS = 60, SAMPLED_ROUNDS = 3 };
static const double SAMPLED_SLACK =
    0.05; /* a path that reaches so much farther is not sampled again */
static const double NORM_TOLERANCE = 1e-3; /* the residual is added to the norm */
static const double SETTLED = 1e-9;        /* by which the ball is widened to contain itself */

static pls_status over_ball(pls_audit *audit, double radius, pls_theorem *t) {
    pls_ball_constants ball;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, pls_constants_in_ball(audit->system, NULL, radius, &ball));
    t->radius = t->extent = radius;
    t->mu = pls_audit_seen(audit, "mu", ball.mu);
    t->lipschitz = pls_audit_seen(audit, "L_F", ball.lipschitz);
    t->smoothness = pls_audit_seen(audit, "beta_F", ball.smoothness);
    t->mu_evidence = ball.mu_evidence;
    t->lipschitz_evidence = ball.lipschitz_evidence;
    t->smoothness_evidence = ball.smoothness_evidence;
cleanup:
    return status;
}

/* Runs gradient descent and stays at its end; an infinite distance if it diverges. */
static pls_status travel(pls_audit *audit, const pls_convergence *theorem, pls_theorem *t,
                         double *distance) {
    pls_train_options options = pls_train_options_defaults();
    pls_train_result run;
    memset(&run, 0, sizeof run);
    options.loss = theorem->loss;
    options.step_rule = PLS_STEP_FIXED;
    options.step_size = theorem->step(audit, t);
    options.steps = audit->options->steps;
    options.measure_every = 0;
    pls_status status = pls_audit_return(audit);
    if (status == PLS_OK) {
        status = pls_train(audit->system, &options, &run);
    }
    *distance = run.last.distance;
    t->end = run.last.loss;
    if (status == PLS_DIVERGED) {
        pls_error_clear(audit->context);
        *distance = INFINITY;
        status = PLS_OK;
    }
    pls_train_result_destroy(audit->context, &run);
    return status;
}

/* Steps grow smaller with the ball, so a path of the theorem's step ends no lower than the first
 * one that is followed here. */
static pls_status find_known(pls_audit *audit, const pls_convergence *theorem, pls_theorem *t,
                             bool *found) {
    pls_status status = PLS_OK;
    double radius = 0.0, distance = 0.0;
    *found = false;
    if (theorem->loss != PLS_LOSS_SQUARE) {
        PLS_TRY(audit->context, over_ball(audit, radius, t));
        if (!(t->mu > 0.0)) {
            return PLS_OK;
        }
        PLS_TRY(audit->context, travel(audit, theorem, t, &distance));
        PLS_TRY(audit->context, pls_audit_return(audit));
    }
    for (int round = 0; round < ROUNDS && !*found; round++) {
        PLS_TRY(audit->context, over_ball(audit, radius, t));
        if (!(t->mu > 0.0)) {
            return PLS_OK;
        }
        double next = theorem->reach(audit, t);
        *found = next <= radius;
        radius = *found ? radius : next * (1.0 + SETTLED);
    }
cleanup:
    return status;
}

/* ---- sampled -----------------------------------------------------------------------------------
 */

typedef struct sampler {
    pls_audit *audit;
    const pls_convergence *theorem;
    pls_theorem *t;
    pls_directions directions;
    pls_eigenvalue *norms; /* N */
} sampler;

/* Widens the constants by those at the present weights; beta_F by sqrt(sum ||H_i||^2) there. */
static pls_status widen(sampler *s) {
    pls_audit *audit = s->audit;
    pls_second_options options =
        pls_quick_second_options(audit->parameters, NORM_TOLERANCE, audit->options->seed);
    pls_spectrum spectrum = {0};
    double squares = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, pls_check_cancelled(audit->context));
    PLS_TRY(audit->context, pls_audit_spectrum(audit, &spectrum));
    PLS_TRY(audit->context, pls_output_hessian_norms(audit->system, NULL, audit->system->samples,
                                                     &options, s->norms));
    for (int64_t i = 0; i < audit->equations; i++) {
        double norm = s->norms[i].value + s->norms[i].residual;
        squares += norm * norm;
    }
    s->t->mu = fmin(s->t->mu, pls_known_minimum(&spectrum));
    s->t->lipschitz = fmax(s->t->lipschitz, sqrt(fmax(0.0, spectrum.lambda_max)));
    s->t->smoothness = fmax(s->t->smoothness, sqrt(squares));
cleanup:
    pls_spectrum_destroy(audit->context, &spectrum);
    return status;
}

/* Both ways along every direction, at that distance. */
static pls_status look_around(sampler *s, double distance) {
    pls_audit *audit = s->audit;
    pls_status status = PLS_OK;
    for (int64_t d = 0; d < audit->options->directions; d++) {
        PLS_TRY(audit->context, pls_audit_return(audit));
        PLS_TRY(audit->context, pls_directions_choose(&s->directions, d));
        for (int side = -1; side <= 1; side += 2) {
            PLS_TRY(audit->context, pls_move_along(audit->system, audit->origin, side * distance,
                                                   s->directions.direction, audit->point));
            PLS_TRY(audit->context, widen(s));
        }
    }
cleanup:
    return status;
}

static pls_status sample(sampler *s) {
    pls_audit *audit = s->audit;
    double distance = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, pls_audit_return(audit));
    PLS_TRY(audit->context, widen(s));
    for (int round = 0; round < SAMPLED_ROUNDS; round++) {
        PLS_TRY(audit->context, travel(audit, s->theorem, s->t, &distance));
        if (isinf(distance)) {
            s->t->extent = INFINITY;
            s->t->mu = 0.0;
            break;
        }
        if (distance <= s->t->extent * (1.0 + SAMPLED_SLACK)) {
            break;
        }
        PLS_TRY(audit->context, widen(s));
        PLS_TRY(audit->context, look_around(s, distance));
        s->t->extent = distance;
    }
    PLS_TRY(audit->context, pls_audit_return(audit));
cleanup:
    return status;
}

static pls_status find_sampled(pls_audit *audit, const pls_convergence *theorem, pls_theorem *t,
                               bool *found) {
    sampler s = {.audit = audit, .theorem = theorem, .t = t};
    pls_status status = PLS_OK;
    t->mu = INFINITY;
    PLS_TRY(audit->context, pls_directions_create(audit->context, audit->system,
                                                  audit->options->seed, NULL, &s.directions));
    PLS_TRY(audit->context, pls_allocate(audit->context, audit->equations, sizeof *s.norms,
                                         "sampling constants", &s.norms));
    PLS_TRY(audit->context, sample(&s));
    t->mu = pls_audit_seen(audit, "mu", t->mu);
    t->lipschitz = pls_audit_seen(audit, "L_F", t->lipschitz);
    t->smoothness = pls_audit_seen(audit, "beta_F", t->smoothness);
    t->mu_evidence = t->lipschitz_evidence = t->smoothness_evidence = PLS_EVIDENCE_SAMPLED;
    t->radius = t->mu > 0.0 ? theorem->reach(audit, t) : INFINITY;
    *found = t->mu > 0.0;
cleanup:
    pls_directions_destroy(&s.directions);
    pls_release(audit->context, s.norms);
    return status;
}

/* ---- either ------------------------------------------------------------------------------------
 */

static pls_status tell_why_not(pls_audit *audit, const pls_theorem *t, bool known,
                               pls_claim_result *result) {
    pls_spectrum spectrum = {0};
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, pls_audit_return(audit));
    PLS_TRY(audit->context, pls_audit_spectrum(audit, &spectrum));
    if (spectrum.below_floor) {
        status = pls_claim_does_not_apply(
            result, "lambda_min(K_0) lies below its floor of %.3g: mu > 0 is not given",
            spectrum.floor);
    } else if (known) {
        status = pls_claim_does_not_apply(
            result,
            "no ball contains itself: with beta_F = %.3g, mu = %.3g at w_0 may fall to 0 within "
            "the distance that the theorem allows (||r_0|| = %.3g); start closer to a solution, "
            "or with a less curved system",
            t->smoothness, spectrum.lambda_min, audit->residual);
    } else if (isinf(t->extent)) {
        status = pls_claim_does_not_apply(
            result,
            "gradient descent with the step that the constants at w_0 allow diverges: there "
            "is no path around which they could be sampled");
    } else {
        status = pls_claim_does_not_apply(
            result,
            "mu falls below its floor around the path of gradient descent (mu = %.3g at w_0); "
            "take a wider network, or fewer samples",
            spectrum.lambda_min);
    }
cleanup:
    pls_spectrum_destroy(audit->context, &spectrum);
    return status;
}

pls_status pls_theorem_find(pls_audit *audit, const pls_convergence *theorem,
                            pls_claim_result *result, pls_theorem *constants, bool *found) {
    pls_smoothness smoothness;
    pls_point at;
    bool known = false, smooth = true;
    pls_status status = PLS_OK;
    *constants = (pls_theorem){0};
    *found = false;
    if (!isfinite(audit->residual)) {
        return pls_claim_does_not_apply(result, "the loss at w_0 is not finite");
    }
    PLS_TRY(audit->context, pls_system_measure(audit->system, theorem->loss, &at, NULL, NULL));
    constants->start = at.loss;
    if (at.loss == 0.0) {
        return pls_claim_does_not_apply(result, "w_0 is a solution already");
    }
    PLS_TRY(audit->context, pls_audit_smoothness(audit, &smoothness, &known));
    if (!known) {
        PLS_TRY(audit->context, pls_audit_require_smooth(audit, result, &smooth));
    }
    if (!smooth) {
        goto cleanup;
    }
    PLS_TRY(audit->context, known ? find_known(audit, theorem, constants, found)
                                  : find_sampled(audit, theorem, constants, found));
    if (!*found) {
        PLS_TRY(audit->context, tell_why_not(audit, constants, known, result));
    }
cleanup:
    return status;
}

void pls_theorem_tell(const pls_theorem *constants, pls_claim_result *result) {
    pls_claim_constant_is(result, "mu", constants->mu, constants->mu_evidence);
    pls_claim_constant_is(result, "L_F", constants->lipschitz, constants->lipschitz_evidence);
    pls_claim_constant_is(result, "beta_F", constants->smoothness, constants->smoothness_evidence);
    pls_claim_constant_is(result, "R", constants->radius, constants->mu_evidence);
}

const char *pls_theorem_manner(const pls_theorem *constants) {
    static const char *const manners[] = {"exact constants", "constants bounded over the ball",
                                          "constants sampled around the path"};
    return manners[constants->mu_evidence];
}

/* ---- following ---------------------------------------------------------------------------------
 */

typedef struct descent {
    pls_audit *audit;
    pls_claim_result *result;
    const pls_theorem *constants;
    pls_loss loss;
    double pl, rate, least; /* PL constant; eta pl; loss down to which it is one */
    bool below;
} descent;

/* grad L = J^T l' with ||l'||^2 <= 2 L for both losses; l' is off by what F is, at most. */
static double gradient_error(const descent *d, double loss) {
    double l = d->constants->lipschitz;
    return l * (d->audit->rounding * sqrt(2.0 * loss) + pls_output_error(d->audit));
}

/* The logarithm of a sum of exponentials has an error of its own, however small it is. */
static double loss_error(const descent *d, double loss) {
    double equations = d->loss == PLS_LOSS_SQUARE ? 0.0 : (double)d->audit->equations;
    return pls_loss_error(d->audit, loss) + 4.0 * pls_dtype_roundoff(PLS_F64) * equations;
}

static void compare_slope(const descent *d, const pls_record *record) {
    double norm = record->gradient_norm, error = gradient_error(d, record->loss);
    pls_claim_at_least(d->result, "1/2 ||grad L_t||^2 >= mu_eps L_t", 0.5 * norm * norm,
                       d->pl * record->loss,
                       norm * error + 0.5 * error * error + d->pl * loss_error(d, record->loss));
}

static pls_status compare(void *user, const pls_record *record, const pls_progress *progress) {
    descent *d = user;
    double t = (double)record->step;
    double slip = pls_dtype_roundoff(PLS_F64) * (1.0 + t);
    double radius = d->constants->radius;
    (void)progress;
    if (record->step > 0 && !d->below) { /* at 0 both sides are the same */
        double bound = pow(1.0 - d->rate, t) * d->constants->start;
        pls_claim_at_most(d->result, "L_t <= (1 - eta mu)^t L_0", record->loss, bound,
                          loss_error(d, fmax(bound, record->loss)) + slip * bound);
        pls_claim_at_most(d->result, "||w_t - w_0|| <= R", record->distance, radius,
                          4.0 * slip * radius);
    }
    d->below = d->below || record->loss < d->least;
    if (d->loss != PLS_LOSS_SQUARE && !d->below) {
        compare_slope(d, record);
    }
    return PLS_OK;
}

pls_status pls_theorem_follow(pls_audit *audit, const pls_convergence *theorem,
                              const pls_theorem *constants, double pl, double least,
                              pls_claim_result *result) {
    pls_context *context = audit->context;
    pls_train_options options = pls_train_options_defaults();
    pls_train_result trained;
    double eta = theorem->step(audit, constants);
    descent d = {.audit = audit,
                 .result = result,
                 .constants = constants,
                 .loss = theorem->loss,
                 .pl = pl,
                 .rate = eta * pl,
                 .least = least};
    memset(&trained, 0, sizeof trained);
    options.loss = theorem->loss;
    options.step_rule = PLS_STEP_FIXED;
    options.step_size = pls_audit_seen(audit, "step", eta);
    options.steps = audit->options->steps;
    options.measure_every = 0;
    options.observer = compare;
    options.observer_user = &d;
    pls_status status = pls_audit_return(audit);
    if (status == PLS_OK) {
        status = pls_train(audit->system, &options, &trained);
    }
    if (status == PLS_DIVERGED) {
        pls_error_clear(context);
        pls_claim_at_most(result, "L_t <= (1 - eta mu)^t L_0", INFINITY, constants->start, 0.0);
        status = PLS_OK;
    }
    pls_claim_constant_is(result, "eta", eta, constants->mu_evidence);
    pls_claim_describe(result, "%lld steps of eta = %.4g; %s", (long long)trained.steps,
                       options.step_size, pls_theorem_manner(constants));
    pls_train_result_destroy(context, &trained);
    return status;
}
