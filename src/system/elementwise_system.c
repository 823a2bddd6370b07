/* A map phi of every weight: F_e(w) = phi(w_e), P = N.
 *
 *     J = diag phi'(w),   (sum over e of u_e H_e) v = (u_e phi''(w_e) v_e)_e
 *     beta_F = sup |phi''|, attained at a unit vector: the sum of (phi''(w_e) v_e^2)^2 is at most
 *     sup |phi''|^2 times the sum of v_e^4 <= 1.
 *
 * Composed with another system it is an output map. Functions on the host, by the public interface
 * that users have too. */
#include "backend/activation.h"
#include "base/memory.h"
#include "system/system.h"

typedef struct elementwise {
    pls_context *context;
    pls_activation phi;
    int64_t count; /* N = P */
} elementwise;

static int apply(void *user, const double *w, double *f) {
    const elementwise *map = user;
    for (int64_t e = 0; e < map->count; e++) {
        f[e] = pls_activate_f64(map->phi, w[e]);
    }
    return 0;
}

/* J is symmetric: it serves in both directions. */
static int derive(void *user, const double *w, const double *v, double *out) {
    const elementwise *map = user;
    for (int64_t e = 0; e < map->count; e++) {
        out[e] = pls_activation_slope_f64(map->phi, w[e]) * v[e];
    }
    return 0;
}

static int curvature(void *user, const double *w, const double *u, const double *v, double *h) {
    const elementwise *map = user;
    for (int64_t e = 0; e < map->count; e++) {
        h[e] = u[e] * pls_activation_curvature_f64(map->phi, w[e]) * v[e];
    }
    return 0;
}

static void release(void *user) {
    elementwise *map = user;
    pls_release(map->context, map);
}

/* sup |phi''|; negative where there is none. */
static double largest_curvature(pls_activation phi) {
    switch (phi) {
    case PLS_IDENTITY:
        return 0.0;
    case PLS_TANH:
        return 4.0 / sqrt(27.0); /* where tanh^2 = 1/3 */
    case PLS_SIGMOID:
        return 1.0 / sqrt(108.0);
    case PLS_ERF:
        return pls_activation_curvature_f64(PLS_ERF, -sqrt(0.5));
    case PLS_SOFTPLUS:
    case PLS_SWISH:
    case PLS_GELU:
        return pls_activation_curvature_f64(phi, 0.0);
    case PLS_SIN:
        return 1.0;
    default:
        return -1.0;
    }
}

pls_status pls_elementwise_system_create(pls_device *device, pls_dtype precision, int64_t samples,
                                         int64_t outputs, pls_activation phi, const double *start,
                                         const double *y, pls_system **system) {
    pls_context *context = device->context;
    elementwise *map = NULL;
    pls_smoothness smoothness = {0.0, PLS_EVIDENCE_EXACT};
    pls_user_system functions = {.name = "elementwise",
                                 .samples = samples,
                                 .outputs = outputs,
                                 .start = start,
                                 .targets = y,
                                 .apply = apply,
                                 .pushforward = derive,
                                 .pullback = derive,
                                 .curvature = curvature,
                                 .release = release};
    pls_status status = PLS_OK;
    if ((int)phi < 0 || phi >= PLS_ACTIVATION_COUNT ||
        !pls_multiply(samples > 0 ? samples : 0, outputs > 0 ? outputs : 0,
                      &functions.parameters)) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "an elementwise system of %lld samples, %lld outputs and map number %d "
                        "cannot be; sizes of at least 1 and a map of pls_activation were expected",
                        (long long)samples, (long long)outputs, (int)phi);
    }
    smoothness.beta = largest_curvature(phi);
    functions.smoothness = smoothness.beta >= 0.0 ? &smoothness : NULL;
    functions.kink = phi == PLS_RELU ? "its map is relu, whose slope jumps at 0" : NULL;
    PLS_TRY(context, pls_allocate(context, 1, sizeof *map, "an elementwise system", &map));
    *map = (elementwise){context, phi, functions.parameters};
    functions.user = map;
    PLS_TRY(context, pls_user_system_create(device, precision, &functions, system));
    map = NULL;
cleanup:
    pls_release(context, map);
    return status;
}
