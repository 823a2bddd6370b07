/* A system of one's own: where are the points, if only some distances between them are known?
 *
 *     F_e(w) = |x_i - x_j|^2 for the pairs e = (i, j),   w = (x_0, x_1, ...) in the plane
 *
 * Such a system is four functions: F, J v, J^T u and, where second derivatives are wanted,
 * (sum over e of u_e H_e) v. It is solved by Levenberg-Marquardt steps with mu = lambda_min(J J^T)
 * in view; more unknowns than equations, so that there are many solutions.
 *
 *     cc solve_own_system.c $(pkg-config --cflags --libs plstar) -lm -o solve_own_system */
#include <plstar/plstar.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS = 12, PAIRS = 17 };

/* What the functions need beside w: the pairs, in `user`. */
typedef struct pairs {
    int from[PAIRS], to[PAIRS];
} pairs;

/* d = x_i - x_j of a vector of points. */
static void difference(const pairs *p, int e, const double *x, double d[2]) {
    for (int c = 0; c < 2; c++) {
        d[c] = x[2 * p->from[e] + c] - x[2 * p->to[e] + c];
    }
}

static int apply(void *user, const double *w, double *f) {
    for (int e = 0; e < PAIRS; e++) {
        double d[2];
        difference(user, e, w, d);
        f[e] = d[0] * d[0] + d[1] * d[1];
    }
    return 0; /* anything else ends the training, with a sentence that quotes it */
}

static int pushforward(void *user, const double *w, const double *v, double *f) {
    for (int e = 0; e < PAIRS; e++) {
        double d[2], moved[2];
        difference(user, e, w, d);
        difference(user, e, v, moved);
        f[e] = 2.0 * (d[0] * moved[0] + d[1] * moved[1]);
    }
    return 0;
}

/* g_i += 2 u_e d_e, g_j -= 2 u_e d_e: the gradient for d_e of w, the curvature for d_e of v. */
static int spread(const pairs *p, const double *x, const double *u, double *g) {
    memset(g, 0, 2 * POINTS * sizeof *g);
    for (int e = 0; e < PAIRS; e++) {
        double d[2];
        difference(p, e, x, d);
        for (int c = 0; c < 2; c++) {
            g[2 * p->from[e] + c] += 2.0 * u[e] * d[c];
            g[2 * p->to[e] + c] -= 2.0 * u[e] * d[c];
        }
    }
    return 0;
}

static int pullback(void *user, const double *w, const double *u, double *g) {
    return spread(user, w, u, g);
}

static int curvature(void *user, const double *w, const double *u, const double *v, double *h) {
    (void)w; /* squares of distances bend alike everywhere */
    return spread(user, v, u, h);
}

static void check(pls_context *context, pls_status status) {
    if (status != PLS_OK) {
        fprintf(stderr, "%s: %s\n", pls_status_sentence(status),
                context != NULL ? pls_error_text(context) : "");
        exit(EXIT_FAILURE);
    }
}

static pls_status print_record(void *user, const pls_record *record, const pls_progress *progress) {
    (void)user;
    (void)progress;
    printf("step %3lld  loss %.6g  mu %.6g in [%.6g, %.6g]\n", (long long)record->step,
           record->loss, record->lambda_min, record->lambda_min_lower, record->lambda_min_upper);
    return PLS_OK;
}

int main(void) {
    pairs known;
    double there[2 * POINTS], start[2 * POINTS], distances[PAIRS];
    for (int i = 0; i < POINTS; i++) { /* points on a spiral, and a guess that is not far */
        there[2 * i] = (1.0 + 0.1 * i) * cos(1.1 * i);
        there[2 * i + 1] = (1.0 + 0.1 * i) * sin(1.1 * i);
        start[2 * i] = there[2 * i] + 0.3 * sin(3.0 * i);
        start[2 * i + 1] = there[2 * i + 1] + 0.3 * cos(5.0 * i);
    }
    for (int e = 0; e < PAIRS; e++) { /* each to the next one, some to the next but two */
        known.from[e] = e < POINTS - 1 ? e : e - POINTS + 1;
        known.to[e] = e < POINTS - 1 ? e + 1 : known.from[e] + 3;
    }
    apply(&known, there, distances);

    pls_context *context = NULL;
    pls_device *device = NULL;
    pls_system *system = NULL;
    check(NULL, pls_context_create(NULL, &context));
    check(context, pls_device_open(context, NULL, &device));
    pls_user_system functions = {.name = "distances",
                                 .samples = PAIRS,
                                 .outputs = 1,
                                 .parameters = 2 * POINTS,
                                 .start = start,
                                 .targets = distances,
                                 .user = &known,
                                 .apply = apply,
                                 .pushforward = pushforward,
                                 .pullback = pullback,
                                 .curvature = curvature};
    check(context, pls_user_system_create(device, PLS_F64, &functions, &system));

    pls_train_options options = pls_train_options_defaults();
    pls_train_result result = {0};
    options.optimizer = PLS_OPTIMIZER_LM;
    options.steps = 50;
    options.stop_at = 1e-20;
    options.measure_every = 1;
    options.observer = print_record;
    check(context, pls_train(system, &options, &result));

    pls_train_result_destroy(context, &result);
    pls_system_destroy(system);
    pls_device_close(device);
    pls_context_destroy(context);
    return EXIT_SUCCESS;
}
