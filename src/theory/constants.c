/* The constants of the theorem on gradient descent under PL*, sampled in the ball.
 *
 *     L_F    = sup ||DF(w)||            = sup sqrt(lambda_max(K(w)))
 *     mu     = inf lambda_min(K(w))
 *     beta_F = sup over w and unit v of ||D^2 F(w)(v, v)||
 *     R      = 2 L_F ||r_0|| / mu,      eta = 1 / (L_F^2 + beta_F ||r_0||)
 *
 * beta_F is the least constant with ||F(w) - F(v) - DF(v)(w - v)|| <= beta_F/2 ||w - v||^2. At a
 * point it is found by the shifted symmetric higher-order power iteration
 *     u = D^2 F(v, v),   v <- v + H_u v / ||H_u v||, normalised,   H_u = sum_i u_i D^2 F_i
 * (without the shift v swings between the two ends of a saddle: F = w_1 w_2) and with central
 * differences in float64, h = 1e-4 rms(w):
 *     D^2 F(v, v) ~ (F(w + h v) - 2 F(w) + F(w - h v)) / h^2
 *     H_u v       ~ (J(w + h v)T u - J(w - h v)T u) / (2 h)
 * All work is done on a float64 copy, so the system itself is not moved. */
#include "plstar/theory.h"

#include "backend/phase.h"
#include "system/system.h"
#include "tangent/kernel.h"

#include <math.h>
#include <string.h>

static const double RELATIVE_STEP = 1e-4;
enum { POWER_ITERATIONS = 16, BALL_ROUNDS = 4 };

/* The float64 copy and its vectors. */
typedef struct sampler {
    pls_system *system;
    pls_kernel *kernel;
    pls_arena arena;
    pls_view origin;            /* 1 x P: w_0 */
    pls_view center;            /* 1 x P: the point that is looked at */
    pls_view direction;         /* 1 x P: v, of norm 1 */
    pls_view steepest;          /* 1 x P: grad L / ||grad L|| at w_0 */
    pls_view forward, backward; /* 1 x P */
    pls_view f, f_plus, u;      /* n x k */
    pls_view scalar;
    double h;
} sampler;

static pls_status layout(sampler *s) {
    pls_context *context = s->system->device->context;
    pls_view *vectors[] = {&s->origin,   &s->center,  &s->direction,
                           &s->steepest, &s->forward, &s->backward};
    pls_view *outputs[] = {&s->f, &s->f_plus, &s->u};
    pls_status status = PLS_OK;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        PLS_TRY(context, pls_arena_take(&s->arena, PLS_F64, 1, s->system->parameters, vectors[i]));
    }
    for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
        PLS_TRY(context, pls_arena_take(&s->arena, PLS_F64, s->system->samples, s->system->outputs,
                                        outputs[i]));
    }
    PLS_TRY(context, pls_arena_take(&s->arena, PLS_F64, 1, 1, &s->scalar));
cleanup:
    return status;
}

static pls_status norm_of(sampler *s, pls_view x, double *norm) {
    pls_device *device = s->system->device;
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_dot(device, x, x, s->scalar));
    PLS_TRY(device->context, pls_download(device, s->scalar, norm, 1));
    *norm = sqrt(*norm);
cleanup:
    return status;
}

/* weights = base + t direction, and F there. */
static pls_status move_to(sampler *s, pls_view base, double t, pls_view direction, pls_view f) {
    pls_system *system = s->system;
    pls_context *context = system->device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_copy(system->device, base, system->weights));
    PLS_TRY(context, pls_axpby(system->device, t, direction, 1.0, system->weights));
    pls_system_moved(system);
    PLS_TRY(context, pls_system_evaluate(system, NULL, system->samples, f));
cleanup:
    return status;
}

/* *beta = max over unit v of ||D^2 F(v, v)|| at s->center, started from s->direction. */
static pls_status curvature(sampler *s, double *beta) {
    pls_system *system = s->system;
    pls_device *device = system->device;
    pls_context *context = device->context;
    double h = s->h, norm = 0.0;
    pls_status status = PLS_OK;
    *beta = 0.0;
    for (int i = 0; i < POWER_ITERATIONS; i++) {
        PLS_TRY(context, pls_check_cancelled(context));
        PLS_TRY(context, move_to(s, s->center, 0.0, s->direction, s->f));
        PLS_TRY(context, move_to(s, s->center, h, s->direction, s->f_plus));
        PLS_TRY(context, move_to(s, s->center, -h, s->direction, s->u));
        PLS_TRY(context, pls_axpby(device, 1.0, s->f_plus, 1.0, s->u));
        PLS_TRY(context, pls_axpby(device, -2.0 / (h * h), s->f, 1.0 / (h * h), s->u));
        PLS_TRY(context, norm_of(s, s->u, &norm));
        *beta = fmax(*beta, norm);
        /* the weights are at -h: J there first, then at +h */
        PLS_TRY(context, system->kind->pullback(system, s->u, s->backward));
        PLS_TRY(context, move_to(s, s->center, h, s->direction, s->f_plus));
        PLS_TRY(context, system->kind->pullback(system, s->u, s->forward));
        PLS_TRY(context, pls_axpby(device, -1.0, s->backward, 1.0, s->forward));
        PLS_TRY(context, norm_of(s, s->forward, &norm));
        if (!(norm > 0.0)) {
            break; /* no curvature along v: a linear system */
        }
        PLS_TRY(context, pls_axpby(device, 1.0 / norm, s->forward, 1.0, s->direction));
        PLS_TRY(context, norm_of(s, s->direction, &norm));
        PLS_TRY(context, pls_axpby(device, 0.0, s->forward, 1.0 / norm, s->direction));
    }
cleanup:
    return status;
}

/* Widens the constants by what is found at origin + t along. */
static pls_status sample_point(sampler *s, double t, pls_view along, uint64_t seed,
                               pls_constants *constants) {
    pls_system *system = s->system;
    pls_context *context = system->device->context;
    pls_spectrum_options options = pls_spectrum_options_defaults();
    pls_spectrum spectrum = {0};
    double beta = 0.0, norm = 0.0;
    pls_status status = PLS_OK;
    options.seed = seed;
    PLS_TRY(context, move_to(s, s->origin, t, along, s->f));
    PLS_TRY(context, pls_copy(system->device, system->weights, s->center));
    PLS_TRY(context, norm_of(s, s->center, &norm));
    s->h = RELATIVE_STEP * (norm > 0.0 ? norm / sqrt((double)system->parameters) : 1.0);
    PLS_TRY(context, pls_kernel_compute(s->kernel));
    PLS_TRY(context, pls_kernel_spectrum(s->kernel, &options, &spectrum));
    PLS_TRY(context, curvature(s, &beta));
    constants->mu = fmin(constants->mu, spectrum.below_floor ? 0.0 : spectrum.lambda_min);
    constants->lipschitz = fmax(constants->lipschitz, sqrt(fmax(spectrum.lambda_max, 0.0)));
    constants->smoothness = fmax(constants->smoothness, beta);
    constants->points++;
cleanup:
    pls_spectrum_destroy(context, &spectrum);
    return status;
}

/* r_0, the steepest direction and the scale of the differences at the origin. */
static pls_status look_around(sampler *s, uint64_t seed, pls_constants *constants) {
    pls_system *system = s->system;
    pls_device *device = system->device;
    pls_context *context = device->context;
    pls_random_stream stream = {seed, PLS_RANDOM_DIRECTION, 0};
    double norm = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_copy(device, system->weights, s->origin));
    PLS_TRY(context, pls_system_evaluate(system, NULL, system->samples, s->u));
    PLS_TRY(context, pls_axpby(device, -1.0, system->targets, 1.0, s->u));
    PLS_TRY(context, norm_of(s, s->u, &constants->residual_norm));
    PLS_TRY(context, system->kind->pullback(system, s->u, s->forward));
    PLS_TRY(context, norm_of(s, s->forward, &norm));
    if (norm > 0.0) {
        PLS_TRY(context, pls_axpby(device, 1.0 / norm, s->forward, 0.0, s->steepest));
    } else {
        PLS_TRY(context, pls_fill(device, 0.0, s->steepest));
    }
    PLS_TRY(context, pls_random_normal(device, stream, 0, 1.0, s->forward));
    PLS_TRY(context, norm_of(s, s->forward, &norm));
    PLS_TRY(context, pls_axpby(device, 1.0 / norm, s->forward, 0.0, s->direction));
cleanup:
    return status;
}

static double radius_of(const pls_constants *constants) {
    double reach = 2.0 * constants->lipschitz * constants->residual_norm;
    return constants->mu > 0.0 ? reach / constants->mu : INFINITY;
}

/* Both ends of the ball along the steepest and the most curved direction. */
static pls_status sample_ends(sampler *s, double radius, uint64_t seed, pls_constants *constants) {
    pls_context *context = s->system->device->context;
    pls_status status = PLS_OK;
    for (int side = -1; side <= 1; side += 2) {
        PLS_TRY(context, sample_point(s, side * radius, s->steepest, seed, constants));
        PLS_TRY(context, pls_copy(s->system->device, s->direction, s->forward));
        PLS_TRY(context, sample_point(s, side * radius, s->forward, seed, constants));
    }
    constants->sampled_radius = radius;
cleanup:
    return status;
}

/* The constants belong to a ball whose radius they determine: it is sampled again as long as what
 * was found makes it larger. */
static pls_status sample_ball(sampler *s, uint64_t seed, pls_constants *constants) {
    pls_context *context = s->system->device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, look_around(s, seed, constants));
    PLS_TRY(context, sample_point(s, 0.0, s->steepest, seed, constants));
    for (int round = 0; round < BALL_ROUNDS; round++) {
        double radius = radius_of(constants);
        if (!isfinite(radius) || radius <= constants->sampled_radius * (1.0 + 1e-3)) {
            break;
        }
        PLS_TRY(context, sample_ends(s, radius, seed, constants));
    }
cleanup:
    return status;
}

pls_status pls_constants_estimate(pls_system *system, const pls_kernel_options *kernel,
                                  uint64_t seed, pls_constants *constants) {
    pls_context *context = system->device->context;
    sampler s = {0};
    pls_status status = PLS_OK;
    memset(constants, 0, sizeof *constants);
    constants->evidence = PLS_EVIDENCE_SAMPLED;
    constants->mu = INFINITY;
    pls_kernel_options full = kernel != NULL ? *kernel : pls_kernel_options_defaults();
    full.trace = false;
    PLS_TRY(context, pls_phase_begin(system->device, PLS_PHASE_CONSTANTS));
    PLS_TRY(context, pls_system_duplicate(system, NULL, system->samples, PLS_F64, &s.system));
    s.arena = pls_arena_measuring(system->device);
    PLS_TRY(context, layout(&s));
    PLS_TRY(context, pls_arena_reserve(&s.arena, "sampling the constants of the theorem"));
    PLS_TRY(context, layout(&s));
    PLS_TRY(context, pls_kernel_create(s.system, &full, &s.kernel));
    PLS_TRY(context, pls_kernel_require_matrix(s.kernel, "train.step_size: theorem"));
    PLS_TRY(context, sample_ball(&s, seed, constants));
    double l = constants->lipschitz, r = constants->residual_norm;
    constants->radius = radius_of(constants);
    constants->step_size = 1.0 / (l * l + constants->smoothness * r);
cleanup:
    pls_kernel_destroy(s.kernel);
    if (s.system != NULL) {
        pls_arena_destroy(&s.arena);
    }
    pls_system_destroy(s.system);
    return pls_phase_end(system->device, status);
}
