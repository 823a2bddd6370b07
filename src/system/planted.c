/* Systems with a planted solution: what is drawn stands in plstar/planted.h. The system is made
 * twice: once in float64 with targets 0, to see F(w*), and once with y = F(w*) + noise. */
#include "plstar/planted.h"

#include "backend/activation.h"
#include "base/memory.h"
#include "base/random.h"
#include "system/system.h"

#include <stdio.h>

/* Streams of the random numbers, the `tensor` of base/philox.h. */
typedef enum drawn {
    DRAWN_MATRIX,
    DRAWN_FORMS,
    DRAWN_SOLUTION,
    DRAWN_START,
    DRAWN_NOISE,
    DRAWN_ENTRIES
} drawn;

/* Where the circle is started from. */
static const double CIRCLE_START = 1.5;

/* All numbers of a system, on the host. */
typedef struct plant {
    const pls_planted_options *options;
    pls_context *context;
    int64_t equations, parameters;
    double *matrix;               /* N x P */
    double *forms;                /* N x P x P */
    int64_t *observed;            /* N of the rows x columns entries, and the rest behind them */
    double *start, *solution, *y; /* P, P, N */
} plant;

const char *pls_planted_type_name(pls_planted_type type) {
    static const char *const names[PLS_PLANTED_TYPE_COUNT] = {
        [PLS_PLANTED_LINEAR] = "linear",
        [PLS_PLANTED_QUADRATIC] = "quadratic",
        [PLS_PLANTED_FACTORIZATION] = "factorization",
        [PLS_PLANTED_CIRCLE] = "circle",
        [PLS_PLANTED_PHASE_RETRIEVAL] = "phase_retrieval",
    };
    return names[type];
}

pls_planted_options pls_planted_options_defaults(void) {
    pls_planted_options options = {.type = PLS_PLANTED_QUADRATIC,
                                   .precision = PLS_F64,
                                   .equations = 40,
                                   .parameters = 200,
                                   .rows = 20,
                                   .columns = 20,
                                   .rank = 5,
                                   .observed = 100,
                                   .nonlinearity = 1.0,
                                   .map = PLS_IDENTITY};
    return options;
}

/* ---- numbers -------------------------------------------------------------------------------- */

static pls_random_stream stream_of(const plant *p, drawn what) {
    pls_random_stream stream = {p->options->seed, PLS_RANDOM_SYSTEM, (uint32_t)what};
    return stream;
}

/* *out = `count` numbers N(0, deviation^2). */
static pls_status draw(const plant *p, drawn what, int64_t count, double deviation, double **out) {
    pls_status status = pls_allocate(p->context, count, sizeof **out, "a planted system", out);
    for (int64_t i = 0; status == PLS_OK && i < count; i++) {
        (*out)[i] = deviation * pls_random_normal_at(stream_of(p, what), (uint64_t)i);
    }
    return status;
}

/* A random order of all entries, of which the first are observed (Fisher and Yates). */
static pls_status draw_entries(plant *p) {
    int64_t all = p->options->rows * p->options->columns;
    pls_status status =
        pls_allocate(p->context, all, sizeof *p->observed, "observed entries", &p->observed);
    for (int64_t i = 0; status == PLS_OK && i < all; i++) {
        p->observed[i] = i;
    }
    for (int64_t i = 0; status == PLS_OK && i < p->equations; i++) {
        int64_t j = i + pls_random_integer_at(stream_of(p, DRAWN_ENTRIES), (uint64_t)i, all - i);
        int64_t entry = p->observed[i];
        p->observed[i] = p->observed[j];
        p->observed[j] = entry;
    }
    return status;
}

static pls_status draw_matrix(plant *p) {
    return draw(p, DRAWN_MATRIX, p->equations * p->parameters, 1.0 / sqrt((double)p->parameters),
                &p->matrix);
}

/* The circle has its solutions everywhere around; w* is one of them. */
static pls_status draw_circle(plant *p) {
    pls_context *context = p->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, draw(p, DRAWN_START, 2, 1.0, &p->start));
    PLS_TRY(context, draw(p, DRAWN_SOLUTION, 2, 0.0, &p->solution));
    double norm = hypot(p->start[0], p->start[1]);
    for (int j = 0; j < 2; j++) {
        p->solution[j] = p->start[j] / norm;
        p->start[j] = CIRCLE_START * p->solution[j];
    }
cleanup:
    return status;
}

/* Where the search begins, and what it looks for. */
static pls_status draw_weights(plant *p, double start, double solution) {
    pls_context *context = p->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, draw(p, DRAWN_START, p->parameters, start, &p->start));
    PLS_TRY(context, draw(p, DRAWN_SOLUTION, p->parameters, solution, &p->solution));
cleanup:
    return status;
}

static pls_status draw_all(plant *p) {
    pls_context *context = p->context;
    const pls_planted_options *o = p->options;
    double scale = 1.0;
    pls_status status = PLS_OK;
    switch (o->type) {
    case PLS_PLANTED_CIRCLE:
        PLS_TRY(context, draw_circle(p));
        break;
    case PLS_PLANTED_FACTORIZATION:
        scale = pow((double)o->rank, -0.25);
        PLS_TRY(context, draw_entries(p));
        PLS_TRY(context, draw_weights(p, scale, scale));
        break;
    case PLS_PLANTED_PHASE_RETRIEVAL:
        PLS_TRY(context, draw_matrix(p));
        PLS_TRY(context, draw_weights(p, 1.0, 1.0));
        break;
    case PLS_PLANTED_QUADRATIC:
        scale = o->nonlinearity / (double)p->parameters;
        PLS_TRY(context, draw(p, DRAWN_FORMS, p->equations * p->parameters * p->parameters, scale,
                              &p->forms));
        PLS_TRY(context, draw_matrix(p));
        PLS_TRY(context, draw_weights(p, 0.0, 1.0));
        break;
    default:
        PLS_TRY(context, draw_matrix(p));
        PLS_TRY(context, draw_weights(p, 0.0, 1.0));
    }
    PLS_TRY(context, draw(p, DRAWN_NOISE, p->equations, 0.0, &p->y));
cleanup:
    return status;
}

static void release_plant(plant *p) {
    pls_release(p->context, p->matrix);
    pls_release(p->context, p->forms);
    pls_release(p->context, p->observed);
    pls_release(p->context, p->start);
    pls_release(p->context, p->solution);
    pls_release(p->context, p->y);
}

/* ---- systems -------------------------------------------------------------------------------- */

/* F with targets p->y, without the map. */
static pls_status make_plain(pls_device *device, const plant *p, pls_dtype precision,
                             pls_system **system) {
    const pls_planted_options *o = p->options;
    switch (o->type) {
    case PLS_PLANTED_QUADRATIC:
        return pls_quadratic_system_create(device, precision, p->equations, p->parameters, p->forms,
                                           p->matrix, p->start, p->y, system);
    case PLS_PLANTED_FACTORIZATION:
        return pls_factorization_system_create(device, precision, o->rows, o->columns, o->rank,
                                               p->equations, p->observed, p->start, p->y, system);
    case PLS_PLANTED_CIRCLE:
        return pls_circle_system_create(device, precision, p->start, system);
    case PLS_PLANTED_PHASE_RETRIEVAL:
        return pls_phase_retrieval_system_create(device, precision, p->equations, p->parameters,
                                                 p->matrix, p->start, p->y, system);
    default:
        return pls_linear_system_create(device, precision, p->equations, p->parameters, p->matrix,
                                        p->y, system);
    }
}

/* y = map(F(w*)) + noise */
static pls_status look_at_solution(pls_device *device, plant *p) {
    pls_context *context = device->context;
    const pls_planted_options *o = p->options;
    pls_system *system = NULL;
    pls_point point;
    pls_status status = PLS_OK;
    PLS_TRY(context, make_plain(device, p, PLS_F64, &system));
    PLS_TRY(context, pls_system_set_weights(system, p->solution));
    PLS_TRY(context, pls_system_measure(system, PLS_LOSS_SQUARE, &point, p->y, NULL));
    for (int64_t i = 0; i < p->equations; i++) {
        p->y[i] = pls_activate_f64(o->map, p->y[i]) +
                  o->noise * pls_random_normal_at(stream_of(p, DRAWN_NOISE), (uint64_t)i);
    }
cleanup:
    pls_system_destroy(system);
    return status;
}

pls_status pls_system_put_map(pls_system **system, pls_activation map, const double *y) {
    pls_system *inner = *system, *outer = NULL;
    pls_context *context = inner->device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_elementwise_system_create(inner->device, inner->precision, inner->samples,
                                                   inner->outputs, map, NULL, y, &outer));
    PLS_TRY(context, pls_composed_system_create(outer, inner, system));
    outer = NULL;
cleanup:
    pls_system_destroy(outer);
    return status;
}

/* ---- options -------------------------------------------------------------------------------- */

static pls_status check_sizes(pls_context *context, const pls_planted_options *o) {
    int64_t all = 0, sum = 0;
    if (o->type == PLS_PLANTED_CIRCLE) {
        return PLS_OK;
    }
    if (o->type != PLS_PLANTED_FACTORIZATION) {
        bool counted = o->equations > 0 && o->parameters > 0 &&
                       pls_multiply(o->equations, o->parameters, &all) &&
                       (o->type != PLS_PLANTED_QUADRATIC || pls_multiply(all, o->parameters, &sum));
        return counted ? PLS_OK
                       : pls_fail(context, PLS_ERROR_ARGUMENT,
                                  "system.equations is %lld and system.parameters %lld; at least 1 "
                                  "was expected, and a product that 64 bits can count",
                                  (long long)o->equations, (long long)o->parameters);
    }
    if (o->rows < 1 || o->columns < 1 || o->rank < 1 || !pls_multiply(o->rows, o->columns, &all) ||
        !pls_add(o->rows, o->columns, &sum) || !pls_multiply(sum, o->rank, &sum)) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "system.rows, columns and rank are %lld, %lld and %lld; at least 1 was "
                        "expected, and products that 64 bits can count",
                        (long long)o->rows, (long long)o->columns, (long long)o->rank);
    }
    if (o->observed < 1 || o->observed > all || all > UINT32_MAX) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "system.observed: %lld entries cannot be observed of the %lld of a %lld x "
                        "%lld matrix (2^32 at most)",
                        (long long)o->observed, (long long)all, (long long)o->rows,
                        (long long)o->columns);
    }
    return PLS_OK;
}

static pls_status check(pls_context *context, const pls_planted_options *o) {
    bool known = (int)o->type >= 0 && o->type < PLS_PLANTED_TYPE_COUNT && (int)o->map >= 0 &&
                 o->map < PLS_ACTIVATION_COUNT;
    if (!known || !isfinite(o->nonlinearity) || !(o->noise >= 0.0) || !isfinite(o->noise)) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "a planted system of type %d with map %d, nonlinearity %g and noise %g "
                        "cannot be; finite numbers and a type that there is were expected",
                        (int)o->type, (int)o->map, o->nonlinearity, o->noise);
    }
    if (o->type == PLS_PLANTED_CIRCLE && (o->map != PLS_IDENTITY || o->noise != 0.0)) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "system.map and system.noise: the circle has neither");
    }
    return check_sizes(context, o);
}

pls_status pls_planted_system_create(pls_device *device, const pls_planted_options *options,
                                     pls_system **system) {
    pls_context *context = device->context;
    bool factors = options->type == PLS_PLANTED_FACTORIZATION;
    bool circle = options->type == PLS_PLANTED_CIRCLE;
    plant p = {.options = options, .context = context};
    pls_system *made = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, check(context, options));
    p.equations = circle ? 1 : factors ? options->observed : options->equations;
    p.parameters = circle    ? 2
                   : factors ? (options->rows + options->columns) * options->rank
                             : options->parameters;
    PLS_TRY(context, draw_all(&p));
    PLS_TRY(context, look_at_solution(device, &p));
    PLS_TRY(context, make_plain(device, &p, options->precision, &made));
    if (options->map != PLS_IDENTITY) {
        PLS_TRY(context, pls_system_put_map(&made, options->map, p.y));
    }
    *system = made;
    made = NULL;
cleanup:
    pls_system_destroy(made);
    release_plant(&p);
    return status;
}

void pls_planted_describe(const pls_planted_options *o, char *text, size_t size) {
    const char *map = o->map != PLS_IDENTITY ? pls_activation_name(o->map) : "";
    const char *of = map[0] != '\0' ? " of " : "";
    if (o->type == PLS_PLANTED_CIRCLE) {
        snprintf(text, size, "circle, |w|^2 = 1 in the plane");
    } else if (o->type == PLS_PLANTED_FACTORIZATION) {
        snprintf(text, size, "%s%s%lld observed entries of a %lld x %lld matrix of rank %lld", map,
                 of, (long long)o->observed, (long long)o->rows, (long long)o->columns,
                 (long long)o->rank);
    } else {
        snprintf(text, size, "%s%s%s, %lld equations in %lld unknowns", map, of,
                 o->type == PLS_PLANTED_PHASE_RETRIEVAL ? "phase retrieval"
                                                        : pls_planted_type_name(o->type),
                 (long long)o->equations, (long long)o->parameters);
    }
}
