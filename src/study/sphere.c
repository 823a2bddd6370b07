/* Points w_0 + R u at distance R, and on the segments to them.
 *
 *     |F_i(w_0 + R u) - F_i(w_0) - R (J u)_i| <= 1/2 R^2 sup ||H_i|| over the segment */
#include "study/direction.h"
#include "study/study.h"

#include "base/memory.h"

#include <math.h>

/* Where on the segment the sup of ||H_i|| is sampled. */
static const double PLACES[] = {1.0 / 3.0, 2.0 / 3.0, 1.0};
enum { PLACE_COUNT = sizeof PLACES / sizeof PLACES[0] };

typedef struct sphere {
    pls_cell_run *run;
    int64_t parameters, equations, hessians; /* hessians: norms that are measured */
    pls_directions directions;
    double *point;           /* P */
    double *slope, *outputs; /* N: J u, F there */
    pls_eigenvalue *norms;   /* hessians */
    double *start, *largest; /* hessians: ||H_i(w_0)||, sup over a segment */
    double norm, gap, ratio; /* the worst of all */
} sphere;

/* ---- points ---------------------------------------------------------------------------------- */

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
            double ratio = gap / (0.5 * radius * radius * s->largest[i]);
            s->ratio = ratio >= s->ratio || isnan(ratio) ? ratio : s->ratio;
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
    PLS_TRY(context, pls_directions_choose(&s->directions, number));
    PLS_TRY(context, pls_system_jacobian_product(run->system, s->directions.direction, s->slope));
    for (int64_t h = 0; h < s->hessians; h++) {
        s->largest[h] = s->start[h];
    }
    for (int p = segment ? 0 : PLACE_COUNT - 1; p < PLACE_COUNT; p++) {
        PLS_TRY(context, pls_move_along(run->system, run->origin, PLACES[p] * radius,
                                        s->directions.direction, s->point));
        if (pls_study_asks_hessians_apart(run->study)) {
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
    pls_second_options second = pls_cell_hessian_options(s->run);
    double **const outputs[] = {&s->slope, &s->outputs};
    pls_status status = PLS_OK;
    PLS_TRY(context,
            pls_directions_create(context, s->run->system, (uint64_t)s->run->cell.at[PLS_AXIS_SEED],
                                  &second, &s->directions));
    PLS_TRY(context, pls_allocate(context, s->parameters, sizeof(double), what, &s->point));
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
    void *const memory[] = {s->point, s->slope, s->outputs, s->norms, s->start, s->largest};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) {
        pls_release(s->run->context, memory[i]);
    }
    pls_directions_destroy(&s->directions);
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
