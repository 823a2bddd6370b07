/* Claim 3: how far F is from linear.
 *
 *     |F_i(w_0 + v) - F_i(w_0) - (J v)_i| <= 1/2 |v|^2 sup ||H_i|| over the segment
 * by Taylor's formula, F_i(w_0 + v) = F_i + (J v)_i + int_0^1 (1-s) v^T H_i(w_0 + s v) v ds. The
 * sup is sampled at thirds of the segment to each v; where ||H_i|| along it is a parabola, a
 * largest value between them cannot turn the inequality over, since the integral is an average: its
 * weights 2(1-s) have variance 1/18, and between places that are 1/3 apart the sampled largest
 * value misses less than (1/6)^2. It may be no parabola. A sampled sup is never above the true one,
 * so where the inequality seems to fail the segment is sampled three times as densely before that
 * is believed; and where the sup still grows at the densest, nothing is said. Where beta_F is
 * known, it is the exact constant:
 *     ||F(w_0 + v) - F(w_0) - J v|| <= beta_F/2 |v|^2. */
#include "audit/audit.h"
#include "base/memory.h"
#include "study/direction.h"

#include <math.h>
#include <string.h>

static const double RADII[] = {0.25, 1.0}; /* ascending: a sup serves the longer segments, too */
static const double NORM_TOLERANCE = 1e-4; /* the residual is added to the norm */
static const double SETTLED = 0.01;        /* a sup that grows by less is known */
enum { THIRDS = 3, MOST_PIECES = 81, RADIUS_COUNT = 2, MOST_SAMPLES = 2 };

typedef struct taylor {
    pls_audit *audit;
    pls_claim_result *result;
    pls_directions directions;
    bool exact;
    pls_smoothness smoothness;
    int64_t samples, hessians; /* whose Hessians are looked at */
    double *slope, *outputs;   /* N: J u, F there */
    pls_eigenvalue *norms;
    double *start, *largest; /* hessians: ||H_i(w_0)||, and its sup over a segment */
    double *before;          /* hessians: that sup, less densely sampled */
    bool unsettled;          /* a sup was not found */
} taylor;

static pls_second_options second_options(const pls_audit *audit) {
    return pls_quick_second_options(audit->parameters, NORM_TOLERANCE, audit->options->seed);
}

/* largest = max(largest, ||H_i||) at the present weights. */
static pls_status widen(taylor *t, double *largest) {
    pls_audit *audit = t->audit;
    pls_second_options options = second_options(audit);
    pls_status status = PLS_OK;
    PLS_TRY(audit->context,
            pls_output_hessian_norms(audit->system, NULL, t->samples, &options, t->norms));
    for (int64_t h = 0; h < t->hessians; h++) {
        largest[h] = fmax(largest[h], t->norms[h].value + t->norms[h].residual);
    }
cleanup:
    return status;
}

/* Takes ||H_i|| at the places between `pieces` pieces of the segment in, but for those that a third
 * as many pieces have. */
static pls_status sample_segment(taylor *t, double radius, int pieces) {
    pls_audit *audit = t->audit;
    pls_status status = PLS_OK;
    for (int p = 1; p <= pieces; p++) {
        double distance = radius * (double)p / (double)pieces;
        if (pieces > THIRDS && p % THIRDS == 0) {
            continue;
        }
        PLS_TRY(audit->context, pls_check_cancelled(audit->context));
        PLS_TRY(audit->context, pls_move_along(audit->system, audit->origin, distance,
                                               t->directions.direction, audit->point));
        PLS_TRY(audit->context, widen(t, t->largest));
    }
cleanup:
    return status;
}

/* F - F_lin of equation i, and what rounding may have changed it by. */
static double gap(const taylor *t, int64_t i, double radius, double *error) {
    double here = t->outputs[i], start = t->audit->outputs[i], slope = radius * t->slope[i];
    *error += 4.0 * t->audit->rounding * (fabs(here) + fabs(start) + fabs(slope));
    return here - start - slope;
}

/* 1/2 |v|^2 sup ||H_i||, as far as it is known. */
static double bound_of(const taylor *t, int64_t i, double radius) {
    return 0.5 * radius * radius * pls_audit_seen(t->audit, "hessian", t->largest[i]);
}

static bool seems_to_fail(const taylor *t, int64_t i, double radius) {
    double error = 0.0, off = fabs(gap(t, i, radius, &error));
    return off > bound_of(t, i, radius) + error;
}

/* sup ||H_i|| over the segment of that length. */
static pls_status find_norms(taylor *t, double radius) {
    pls_audit *audit = t->audit;
    bool fails = true;
    pls_status status = PLS_OK;
    for (int pieces = THIRDS; fails && pieces <= MOST_PIECES; pieces *= THIRDS) {
        memcpy(t->before, t->largest, (size_t)t->hessians * sizeof *t->before);
        PLS_TRY(audit->context, sample_segment(t, radius, pieces));
        fails = false;
        for (int64_t i = 0; i < t->hessians; i++) {
            fails = fails || seems_to_fail(t, i, radius);
        }
    }
cleanup:
    return status;
}

static void compare_norms(taylor *t, double radius) {
    double squares = 0.0, all = 0.0;
    for (int64_t i = 0; i < t->audit->equations; i++) {
        double error = 0.0, off = gap(t, i, radius, &error);
        squares += off * off;
        all += error;
    }
    double beta = pls_audit_seen(t->audit, "hessian", t->smoothness.beta);
    pls_claim_at_most(t->result, "||F - F_lin|| <= beta_F/2 |v|^2", sqrt(squares),
                      0.5 * radius * radius * beta, all);
}

static void compare_each(taylor *t, double radius) {
    for (int64_t i = 0; i < t->hessians; i++) {
        double error = 0.0, off = gap(t, i, radius, &error);
        if (seems_to_fail(t, i, radius) && t->largest[i] > (1.0 + SETTLED) * t->before[i]) {
            t->unsettled = true;
            continue;
        }
        pls_claim_at_most(t->result, "|F_i - F_lin,i| <= 1/2 |v|^2 sup ||H_i||", fabs(off),
                          bound_of(t, i, radius), error);
    }
}

static pls_status look(taylor *t, int64_t number) {
    pls_audit *audit = t->audit;
    pls_context *context = audit->context;
    pls_point at;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_audit_return(audit));
    PLS_TRY(context, pls_directions_choose(&t->directions, number));
    PLS_TRY(context, pls_system_jacobian_product(audit->system, t->directions.direction, t->slope));
    memcpy(t->largest, t->start, (size_t)t->hessians * sizeof *t->largest);
    for (int r = 0; r < RADIUS_COUNT; r++) {
        double radius = RADII[r] * audit->options->radius;
        PLS_TRY(context, pls_move_along(audit->system, audit->origin, radius,
                                        t->directions.direction, audit->point));
        PLS_TRY(context, pls_system_measure(audit->system, PLS_LOSS_SQUARE, &at, t->outputs, NULL));
        if (t->exact) {
            compare_norms(t, radius);
        } else {
            PLS_TRY(context, find_norms(t, radius));
            compare_each(t, radius);
        }
    }
cleanup:
    return status;
}

static pls_status allocate(taylor *t) {
    pls_context *context = t->audit->context;
    const char *what = "claim 3";
    pls_second_options second = second_options(t->audit);
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_directions_create(context, t->audit->system, t->audit->options->seed,
                                           &second, &t->directions));
    PLS_TRY(context, pls_allocate(context, t->audit->equations, sizeof(double), what, &t->slope));
    PLS_TRY(context, pls_allocate(context, t->audit->equations, sizeof(double), what, &t->outputs));
    PLS_TRY(context, pls_allocate(context, t->hessians, sizeof *t->norms, what, &t->norms));
    PLS_TRY(context, pls_allocate(context, t->hessians, sizeof(double), what, &t->start));
    PLS_TRY(context, pls_allocate(context, t->hessians, sizeof(double), what, &t->largest));
    PLS_TRY(context, pls_allocate(context, t->hessians, sizeof(double), what, &t->before));
cleanup:
    return status;
}

pls_status pls_check_taylor(pls_audit *audit, pls_claim_result *result) {
    taylor t = {.audit = audit, .result = result};
    bool smooth = false;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, pls_audit_require_smooth(audit, result, &smooth));
    if (!smooth) {
        goto cleanup;
    }
    PLS_TRY(audit->context, pls_audit_smoothness(audit, &t.smoothness, &t.exact));
    t.samples = pls_smaller(audit->system->samples, MOST_SAMPLES);
    t.hessians = t.samples * audit->system->outputs;
    PLS_TRY(audit->context, allocate(&t));
    if (!t.exact) {
        PLS_TRY(audit->context, widen(&t, t.start));
    }
    for (int64_t d = 0; d < audit->options->directions; d++) {
        PLS_TRY(audit->context, look(&t, d));
    }
    if (t.unsettled && result->verdict == PLS_VERDICT_HOLDS) {
        status = pls_claim_does_not_apply(
            result,
            "||H_i|| changes too fast along a segment of length %g for its sup to be sampled at %d "
            "points; take a smaller audit.radius",
            audit->options->radius, (int)MOST_PIECES);
    } else if (t.exact) {
        pls_claim_constant_is(result, "beta_F", t.smoothness.beta, t.smoothness.evidence);
        pls_claim_describe(result, "%lld directions, to distance %g",
                           (long long)audit->options->directions, audit->options->radius);
    } else {
        pls_claim_describe(result,
                           "%lld directions, to distance %g; ||H_i|| of %lld samples, sampled at "
                           "the thirds of each segment, and more densely where needed",
                           (long long)audit->options->directions, audit->options->radius,
                           (long long)t.samples);
    }
cleanup:
    pls_directions_destroy(&t.directions);
    pls_release(audit->context, t.slope);
    pls_release(audit->context, t.outputs);
    pls_release(audit->context, t.norms);
    pls_release(audit->context, t.start);
    pls_release(audit->context, t.largest);
    pls_release(audit->context, t.before);
    return status;
}
