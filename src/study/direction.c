/* Directions; see direction.h.
 *
 * Power iteration with H leads into the eigenspaces of the eigenvalues theta of largest magnitude,
 * which are often close to a pair +-theta; for such a v, H v + theta v and H v - theta v are the
 * most curved directions up and down. */
#include "study/direction.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <string.h>

enum { POWER_ITERATIONS = 24 };

/* Vectors of a basis and what goes with it. */
static const int64_t CACHED_BYTES = (int64_t)32 << 20;
enum { LONG_BASIS = 48 + 2, SHORT_BASIS = 12 + 2 };

/* Directions before the random ones. */
enum { STEEPEST, CURVED_UP, CURVED_DOWN };

pls_second_options pls_quick_second_options(int64_t parameters, double tolerance, uint64_t seed) {
    pls_second_options options = pls_second_options_defaults();
    int64_t vector = (int64_t)sizeof(double) * parameters;
    options.tolerance = tolerance;
    options.seed = seed;
    options.memory = vector * (LONG_BASIS * vector <= CACHED_BYTES ? LONG_BASIS : SHORT_BASIS);
    return options;
}

double pls_host_norm(const double *v, int64_t count) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        sum += v[i] * v[i];
    }
    return sqrt(sum);
}

bool pls_normalize(double *v, int64_t count) {
    double norm = pls_host_norm(v, count), largest = 0.0;
    if (norm == 0.0 || isinf(norm)) { /* its squares may have left the range of numbers */
        for (int64_t i = 0; i < count; i++) {
            largest = fmax(largest, fabs(v[i]));
        }
        for (int64_t i = 0; largest > 0.0 && isfinite(largest) && i < count; i++) {
            v[i] /= largest;
        }
        norm = pls_host_norm(v, count);
    }
    for (int64_t i = 0; norm > 0.0 && i < count; i++) {
        v[i] /= norm;
    }
    return norm > 0.0 && isfinite(norm);
}

pls_status pls_move_along(pls_system *system, const double *origin, double distance,
                          const double *v, double *point) {
    for (int64_t i = 0; i < pls_system_parameters(system); i++) {
        point[i] = origin[i] + distance * v[i];
    }
    return pls_system_set_weights(system, point);
}

pls_status pls_directions_create(pls_context *context, pls_system *system, uint64_t seed,
                                 const pls_second_options *second, pls_directions *directions) {
    pls_directions *d = directions;
    double **const vectors[] = {&d->direction, &d->curved, &d->image};
    pls_status status = PLS_OK;
    d->context = context;
    d->system = system;
    d->seed = seed;
    d->second = second != NULL ? *second : pls_second_options_defaults();
    d->parameters = pls_system_parameters(system);
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        PLS_TRY(context,
                pls_allocate(context, d->parameters, sizeof(double), "directions", vectors[i]));
    }
cleanup:
    return status;
}

void pls_directions_destroy(pls_directions *directions) {
    if (directions->context != NULL) {
        pls_release(directions->context, directions->direction);
        pls_release(directions->context, directions->curved);
        pls_release(directions->context, directions->image);
    }
    memset(directions, 0, sizeof *directions);
}

static void draw(pls_directions *d, int64_t number) {
    pls_random_stream stream = {d->seed, PLS_RANDOM_DIRECTION, (uint32_t)number};
    for (int64_t i = 0; i < d->parameters; i++) {
        d->direction[i] = pls_random_normal_at(stream, (uint64_t)i);
    }
    pls_normalize(d->direction, d->parameters);
}

/* v and H v, of norm 1 and theta. */
static pls_status find_curved(pls_directions *d) {
    pls_status status = PLS_OK;
    draw(d, 0);
    memcpy(d->image, d->direction, (size_t)d->parameters * sizeof *d->image);
    for (int i = 0; i < POWER_ITERATIONS; i++) {
        PLS_TRY(d->context, pls_check_cancelled(d->context));
        memcpy(d->curved, d->image, (size_t)d->parameters * sizeof *d->curved);
        if (!pls_normalize(d->curved, d->parameters)) {
            break; /* no curvature at all */
        }
        PLS_TRY(d->context,
                pls_output_hessian_product(d->system, 0, 0, &d->second, d->curved, d->image));
    }
cleanup:
    return status;
}

/* direction = H v +- theta v; false where that is 0. */
static bool bend(pls_directions *d, double sign) {
    double theta = sign * pls_host_norm(d->image, d->parameters);
    for (int64_t i = 0; i < d->parameters; i++) {
        d->direction[i] = d->image[i] + theta * d->curved[i];
    }
    return pls_normalize(d->direction, d->parameters);
}

/* Whether the system has second derivatives. */
static pls_status find_out(pls_directions *d, bool *smooth) {
    pls_status status = pls_second_supported(d->system, NULL);
    *smooth = status == PLS_OK;
    if (status == PLS_ERROR_UNSUPPORTED) {
        pls_error_clear(d->context);
        status = PLS_OK;
    }
    return status;
}

pls_status pls_directions_choose(pls_directions *d, int64_t number) {
    bool smooth = false, found = false;
    pls_point at;
    pls_status status = PLS_OK;
    PLS_TRY(d->context, find_out(d, &smooth));
    if (number == STEEPEST) {
        PLS_TRY(d->context,
                pls_system_measure(d->system, PLS_LOSS_SQUARE, &at, NULL, d->direction));
        found = pls_normalize(d->direction, d->parameters);
    } else if (number <= CURVED_DOWN && smooth) {
        if (number == CURVED_UP) {
            PLS_TRY(d->context, find_curved(d));
        }
        found = bend(d, number == CURVED_UP ? 1.0 : -1.0);
    }
    if (!found) {
        draw(d, number + 1);
    }
cleanup:
    return status;
}
