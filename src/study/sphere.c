/* Points w_0 + R u at distance R, and on the segments to them.
 *
 *     |F_i(w_0 + R u) - F_i(w_0) - R (J u)_i| <= 1/2 R^2 sup ||H_i|| over the segment
 * Directions u: the steepest one, the two most curved ones of the first output of the first sample,
 * then random ones. Power iteration with H leads into the eigenspaces of the eigenvalues theta of
 * largest magnitude, which are often close to a pair +-theta; for such a v, H v + theta v and
 * H v - theta v are the most curved directions up and down. */
#include "study/study.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <string.h>

/* Where on the segment the sup of ||H_i|| is sampled. */
static const double PLACES[] = {1.0 / 3.0, 2.0 / 3.0, 1.0};
enum { PLACE_COUNT = sizeof PLACES / sizeof PLACES[0], POWER_ITERATIONS = 24 };

/* Directions before the random ones. */
enum { STEEPEST, CURVED_UP, CURVED_DOWN };

typedef struct sphere {
    pls_cell_run *run;
    int64_t parameters, equations, hessians; /* hessians: norms that are measured */
    double *direction, *point;               /* P */
    double *curved, *image;                  /* P: v, H v */
    double *slope, *outputs;                 /* N: J u, F there */
    pls_eigenvalue *norms;                   /* hessians */
    double *start, *largest;                 /* hessians: ||H_i(w_0)||, sup over a segment */
    double norm, gap, ratio;                 /* the worst of all */
} sphere;

static double norm_of(const double *v, int64_t count) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        sum += v[i] * v[i];
    }
    return sqrt(sum);
}

/* v / ||v||; false for v = 0. */
static bool normalize(double *v, int64_t count) {
    double norm = norm_of(v, count);
    for (int64_t i = 0; norm > 0.0 && i < count; i++) {
        v[i] /= norm;
    }
    return norm > 0.0;
}

static void draw(sphere *s, int64_t number) {
    pls_random_stream stream = {(uint64_t)s->run->cell.at[PLS_AXIS_SEED], PLS_RANDOM_DIRECTION,
                                (uint32_t)number};
    for (int64_t i = 0; i < s->parameters; i++) {
        s->direction[i] = pls_random_normal_at(stream, (uint64_t)i);
    }
    normalize(s->direction, s->parameters);
}

/* ---- directions ------------------------------------------------------------------------------ */

/* v and H v, of norm 1 and theta. */
static pls_status find_curved(sphere *s) {
    pls_cell_run *run = s->run;
    pls_second_options options = pls_cell_hessian_options(run);
    pls_status status = PLS_OK;
    draw(s, 0);
    memcpy(s->image, s->direction, (size_t)s->parameters * sizeof *s->image);
    for (int i = 0; i < POWER_ITERATIONS; i++) {
        PLS_TRY(run->context, pls_check_cancelled(run->context));
        memcpy(s->curved, s->image, (size_t)s->parameters * sizeof *s->curved);
        if (!normalize(s->curved, s->parameters)) {
            break; /* no curvature at all */
        }
        PLS_TRY(run->context,
                pls_output_hessian_product(run->system, 0, 0, &options, s->curved, s->image));
    }
cleanup:
    return status;
}

/* direction = H v +- theta v; false where that is 0. */
static bool bend(sphere *s, double sign) {
    double theta = sign * norm_of(s->image, s->parameters);
    for (int64_t i = 0; i < s->parameters; i++) {
        s->direction[i] = s->image[i] + theta * s->curved[i];
    }
    return normalize(s->direction, s->parameters);
}

/* direction = the number-th one; random where there is none. */
static pls_status choose(sphere *s, int64_t number) {
    pls_cell_run *run = s->run;
    bool smooth = pls_second_supported(run->system, NULL) == PLS_OK, found = false;
    pls_point at;
    pls_status status = PLS_OK;
    pls_error_clear(run->context);
    if (number == STEEPEST) {
        PLS_TRY(run->context,
                pls_system_measure(run->system, PLS_LOSS_SQUARE, &at, NULL, s->direction));
        found = normalize(s->direction, s->parameters);
    } else if (number <= CURVED_DOWN && smooth) {
        if (number == CURVED_UP) {
            PLS_TRY(run->context, find_curved(s));
        }
        found = bend(s, number == CURVED_UP ? 1.0 : -1.0);
    }
    if (!found) {
        draw(s, number + 1);
    }
cleanup:
    return status;
}

/* ---- points ---------------------------------------------------------------------------------- */

static pls_status move_to(sphere *s, double distance) {
    for (int64_t i = 0; i < s->parameters; i++) {
        s->point[i] = s->run->origin[i] + distance * s->direction[i];
    }
    return pls_system_set_weights(s->run->system, s->point);
}

/* largest = max(largest, norms at the present weights) */
static pls_status widen_norms(sphere *s, double *largest) {
    pls_cell_run *run = s->run;
    pls_second_options options = pls_cell_hessian_options(run);
    int64_t samples = pls_study_hessian_samples(run->study);
    pls_status status = PLS_OK;
    PLS_TRY(run->context, pls_output_hessian_norms(run->system, NULL, samples, &options, s->norms));
    for (int64_t h = 0; h < s->hessians; h++) {
        largest[h] = fmax(largest[h], s->norms[h].value);
    }
cleanup:
    return status;
}

static pls_status measure_kernel(pls_cell_run *run) {
    pls_spectrum spectrum = {0};
    pls_status status = PLS_OK;
    PLS_TRY(run->context, pls_kernel_compute(run->kernel));
    PLS_TRY(run->context, pls_kernel_spectrum(run->kernel, NULL, &spectrum));
    pls_minima_add(&run->minima, spectrum.lambda_min, spectrum.floor);
cleanup:
    pls_spectrum_destroy(run->context, &spectrum);
    return status;
}

/* Takes |F - F_lin| of all outputs in, and its ratio to the bound where Hessians are known. */
static void compare(sphere *s) {
    double radius = s->run->study->radius;
    for (int64_t i = 0; i < s->equations; i++) {
        double gap = fabs(s->outputs[i] - s->run->outputs[i] - radius * s->slope[i]);
        s->gap = gap >= s->gap || isnan(gap) ? gap : s->gap;
        if (i < s->hessians && s->largest[i] > 0.0) {
            s->ratio = fmax(s->ratio, gap / (0.5 * radius * radius * s->largest[i]));
        }
    }
}

static pls_status visit(sphere *s, int64_t number) {
    pls_cell_run *run = s->run;
    pls_context *context = run->context;
    double radius = run->study->radius;
    bool segment = pls_cell_asks(run, PLS_QUANTITY_TAYLOR_RATIO);
    pls_point at;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_check_cancelled(context));
    PLS_TRY(context, choose(s, number));
    PLS_TRY(context, pls_system_jacobian_product(run->system, s->direction, s->slope));
    for (int64_t h = 0; h < s->hessians; h++) {
        s->largest[h] = s->start[h];
    }
    for (int p = segment ? 0 : PLACE_COUNT - 1; p < PLACE_COUNT; p++) {
        PLS_TRY(context, move_to(s, PLACES[p] * radius));
        if (s->hessians > 0) {
            PLS_TRY(context, widen_norms(s, s->largest));
        }
    }
    for (int64_t h = 0; h < s->hessians; h++) {
        s->norm = fmax(s->norm, s->largest[h]);
    }
    PLS_TRY(context, pls_system_measure(run->system, PLS_LOSS_SQUARE, &at, s->outputs, NULL));
    compare(s);
    if (pls_study_asks_minima(run->study)) {
        PLS_TRY(context, measure_kernel(run));
    }
cleanup:;
    pls_status back = pls_system_set_weights(run->system, run->origin);
    return status != PLS_OK ? status : back;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static pls_status allocate(sphere *s) {
    pls_context *context = s->run->context;
    const char *what = "points at a distance";
    double **const vectors[] = {&s->direction, &s->point, &s->curved, &s->image};
    double **const outputs[] = {&s->slope, &s->outputs};
    pls_status status = PLS_OK;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        PLS_TRY(context, pls_allocate(context, s->parameters, sizeof(double), what, vectors[i]));
    }
    for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
        PLS_TRY(context, pls_allocate(context, s->equations, sizeof(double), what, outputs[i]));
    }
    PLS_TRY(context, pls_allocate(context, s->hessians, sizeof *s->norms, what, &s->norms));
    PLS_TRY(context, pls_allocate(context, s->hessians, sizeof(double), what, &s->start));
    PLS_TRY(context, pls_allocate(context, s->hessians, sizeof(double), what, &s->largest));
cleanup:
    return status;
}

static void release(sphere *s) {
    void *const memory[] = {s->direction, s->point, s->curved, s->image,  s->slope,
                            s->outputs,   s->norms, s->start,  s->largest};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) {
        pls_release(s->run->context, memory[i]);
    }
}

pls_status pls_cell_measure_sphere(pls_cell_run *run) {
    pls_context *context = run->context;
    int64_t samples =
        pls_study_asks_hessians(run->study) ? pls_study_hessian_samples(run->study) : 0;
    sphere s = {.run = run,
                .parameters = pls_system_parameters(run->system),
                .equations = pls_system_equations(run->system),
                .hessians = samples * pls_system_outputs(run->system)};
    pls_status status = PLS_OK;
    PLS_TRY(context, allocate(&s));
    if (s.hessians > 0) {
        PLS_TRY(context, widen_norms(&s, s.start));
    }
    for (int64_t h = 0; h < s.hessians; h++) {
        s.norm = fmax(s.norm, s.start[h]);
    }
    pls_cell_value(run, PLS_QUANTITY_HESSIAN_NORM, s.norm, 0.0);
    for (int64_t d = 0; pls_study_asks_sphere(run->study) && d < run->study->directions; d++) {
        PLS_TRY(context, visit(&s, d));
    }
    pls_cell_value(run, PLS_QUANTITY_HESSIAN_SPHERE, s.norm, 0.0);
    pls_cell_value(run, PLS_QUANTITY_NONLINEARITY, s.gap, 0.0);
    pls_cell_value(run, PLS_QUANTITY_TAYLOR_RATIO, s.ratio, 0.0);
cleanup:
    release(&s);
    return status;
}
