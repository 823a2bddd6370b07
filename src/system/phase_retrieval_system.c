/* Phase retrieval: F_i(w) = (a_iT w)^2. With z = A w,
 *
 *     J v = 2 z * (A v),   JT u = 2 AT (u * z),   (sum over i of u_i H_i) v = 2 AT (u * (A v))
 *     beta_F = sup over unit v of 2 sqrt(sum of (a_iT v)^4), which nobody can compute in general;
 *     the sum is at most max |a_i|^2 ||A||_F^2, and exactly |a_1|^4 for one equation.
 *
 * Functions on the host, by the public interface that users have too. */
#include "base/memory.h"
#include "system/system.h"

#include <math.h>
#include <string.h>

typedef struct phase_retrieval {
    pls_context *context;
    int64_t equations, parameters;
    double *a; /* N x P */
} phase_retrieval;

static double measure(const phase_retrieval *p, int64_t i, const double *w) {
    const double *row = p->a + i * p->parameters;
    double sum = 0.0;
    for (int64_t j = 0; j < p->parameters; j++) {
        sum += row[j] * w[j];
    }
    return sum;
}

static int apply(void *user, const double *w, double *f) {
    const phase_retrieval *p = user;
    for (int64_t i = 0; i < p->equations; i++) {
        double z = measure(p, i, w);
        f[i] = z * z;
    }
    return 0;
}

static int pushforward(void *user, const double *w, const double *v, double *f) {
    const phase_retrieval *p = user;
    for (int64_t i = 0; i < p->equations; i++) {
        f[i] = 2.0 * measure(p, i, w) * measure(p, i, v);
    }
    return 0;
}

/* out = 2 AT (u * (A v)): the second derivative, and with v = w the pullback. */
static int curvature(void *user, const double *w, const double *u, const double *v, double *out) {
    const phase_retrieval *p = user;
    (void)w;
    memset(out, 0, (size_t)p->parameters * sizeof *out);
    for (int64_t i = 0; i < p->equations; i++) {
        const double *row = p->a + i * p->parameters;
        double factor = u[i] != 0.0 ? 2.0 * u[i] * measure(p, i, v) : 0.0;
        for (int64_t j = 0; factor != 0.0 && j < p->parameters; j++) {
            out[j] += factor * row[j];
        }
    }
    return 0;
}

static int pullback(void *user, const double *w, const double *u, double *g) {
    return curvature(user, w, u, w, g);
}

static void release(void *user) {
    phase_retrieval *p = user;
    pls_release(p->context, p->a);
    pls_release(p->context, p);
}

static pls_smoothness bound_smoothness(const phase_retrieval *p) {
    double all = 0.0, largest = 0.0;
    for (int64_t i = 0; i < p->equations; i++) {
        double squared = measure(p, i, p->a + i * p->parameters);
        all += squared;
        largest = fmax(largest, squared);
    }
    pls_smoothness smoothness = {2.0 * sqrt(largest * all),
                                 p->equations == 1 ? PLS_EVIDENCE_EXACT : PLS_EVIDENCE_BOUNDED};
    return smoothness;
}

pls_status pls_phase_retrieval_system_create(pls_device *device, pls_dtype precision,
                                             int64_t equations, int64_t parameters, const double *a,
                                             const double *start, const double *y,
                                             pls_system **system) {
    pls_context *context = device->context;
    phase_retrieval *p = NULL;
    int64_t count = 0;
    pls_status status = PLS_OK;
    if (equations < 1 || parameters < 1 || !pls_multiply(equations, parameters, &count)) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "phase retrieval needs at least one equation and one parameter, not "
                        "%lld x %lld",
                        (long long)equations, (long long)parameters);
    }
    PLS_TRY(context, pls_check_finite(context, a, count, "the matrix A of phase retrieval"));
    PLS_TRY(context, pls_allocate(context, 1, sizeof *p, "phase retrieval", &p));
    *p = (phase_retrieval){context, equations, parameters, NULL};
    PLS_TRY(context, pls_allocate(context, count, sizeof(double), "phase retrieval", &p->a));
    memcpy(p->a, a, (size_t)count * sizeof(double));
    pls_smoothness smoothness = bound_smoothness(p);
    pls_user_system functions = {.name = "phase retrieval",
                                 .samples = equations,
                                 .outputs = 1,
                                 .parameters = parameters,
                                 .start = start,
                                 .targets = y,
                                 .smoothness = &smoothness,
                                 .user = p,
                                 .apply = apply,
                                 .pushforward = pushforward,
                                 .pullback = pullback,
                                 .curvature = curvature,
                                 .release = release};
    PLS_TRY(context, pls_user_system_create(device, precision, &functions, system));
    p = NULL;
cleanup:
    if (p != NULL) {
        release(p);
    }
    return status;
}
