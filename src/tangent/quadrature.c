/* Stochastic Lanczos quadrature; the formulas stand in plstar/quadrature.h.
 *
 * The first vector of the basis is z / ||z||, ||z||^2 = size for signs. With T = S diag(theta) S^T,
 *     z^T f(B) z ~ size sum_j S(0,j)^2 f(theta_j),   z^T B z = size T(0,0). */
#include "tangent/quadrature.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

pls_quadrature_options pls_quadrature_options_defaults(void) {
    pls_quadrature_options options = {8, 32, 0};
    return options;
}

void pls_quadrature_destroy(pls_context *context, pls_quadrature *quadrature) {
    pls_release(context, quadrature->nodes);
    pls_release(context, quadrature->weights);
    memset(quadrature, 0, sizeof *quadrature);
}

void pls_quadrature_density(const pls_quadrature *quadrature, double width, int64_t points,
                            const double *grid, double *density) {
    double height = 1.0 / (width * sqrt(2.0 * M_PI) * (double)quadrature->size);
    for (int64_t i = 0; i < points; i++) {
        density[i] = 0.0;
        for (int64_t j = 0; j < quadrature->count; j++) {
            double t = (grid[i] - quadrature->nodes[j]) / width;
            density[i] += height * quadrature->weights[j] * exp(-0.5 * t * t);
        }
    }
}

pls_status pls_quadrature_take(pls_arena *arena, int64_t size,
                               const pls_quadrature_options *options, pls_quadrature_views *views) {
    return pls_lanczos_take_slots(arena, size, 1, pls_larger(options->steps, 1), &views->lanczos);
}

/* x = signs / sqrt(size): 2 step(u) - 1 with u uniform on [-1, 1), the step being relu's slope. */
static pls_status draw_probe(pls_lanczos *lanczos, uint64_t seed, int64_t probe) {
    pls_device *device = lanczos->device;
    pls_context *context = device->context;
    pls_random_stream stream = {seed, PLS_RANDOM_PROBE, (uint32_t)probe};
    pls_view u = lanczos->work, x = lanczos->x;
    double height = 1.0 / sqrt((double)lanczos->size);
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_random_uniform(device, stream, 0, -1.0, 1.0, u));
    PLS_TRY(context, pls_fill(device, 2.0 * height, x));
    PLS_TRY(context, pls_activation_derivative(device, PLS_RELU, 1, 1, u, x));
    PLS_TRY(context, pls_fill(device, -height, u));
    PLS_TRY(context, pls_axpby(device, 1.0, u, 1.0, x));
cleanup:
    return status;
}

/* Host scratch of one probe. */
typedef struct scratch {
    double *t, *values, *lapack;
} scratch;

/* Appends the nodes of a probe; *estimate = z^T B z. */
static pls_status add_probe(pls_lanczos *lanczos, pls_operator apply, void *user,
                            const scratch *host, pls_quadrature *result, double *estimate) {
    pls_context *context = lanczos->device->context;
    int64_t steps = lanczos->capacity, order = 0;
    double share = (double)lanczos->size / (double)result->probes;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_lanczos_project(lanczos, apply, user, steps, host->t, &order));
    *estimate = (double)lanczos->size * host->t[0];
    for (int64_t j = 1; j < order; j++) {
        memmove(host->t + j * order, host->t + j * steps, (size_t)(j + 1) * sizeof(double));
    }
    PLS_TRY(context, pls_ritz_values(context, order, host->t, host->values, host->lapack));
    for (int64_t j = 0; j < order; j++) {
        double first = host->t[j * order];
        result->nodes[result->count] = host->values[j];
        result->weights[result->count++] = share * first * first;
    }
cleanup:
    return status;
}

/* Mean and standard error, in two passes. */
static void average(const double *estimates, pls_quadrature *result) {
    double n = (double)result->probes, sum = 0.0, squared = 0.0;
    for (int64_t p = 0; p < result->probes; p++) {
        sum += estimates[p];
    }
    result->trace = sum / n;
    for (int64_t p = 0; p < result->probes; p++) {
        squared += (estimates[p] - result->trace) * (estimates[p] - result->trace);
    }
    result->trace_error = result->probes > 1 ? sqrt(squared / (n * (n - 1.0))) : NAN;
}

static pls_status allocate(pls_context *context, int64_t steps, int64_t probes, scratch *host,
                           double **estimates, pls_quadrature *result) {
    const char *what = "a stochastic quadrature";
    int64_t count = 0;
    pls_status status = PLS_OK;
    if (!pls_multiply(probes, steps, &count)) {
        return pls_fail(context, PLS_ERROR_MEMORY,
                        "%lld probes of %lld steps are more than 64 bits can count",
                        (long long)probes, (long long)steps);
    }
    PLS_TRY(context, pls_allocate(context, steps * steps, sizeof(double), what, &host->t));
    PLS_TRY(context, pls_allocate(context, steps, sizeof(double), what, &host->values));
    PLS_TRY(context,
            pls_allocate(context, PLS_RITZ_SCRATCH * steps, sizeof(double), what, &host->lapack));
    PLS_TRY(context, pls_allocate(context, probes, sizeof(double), what, estimates));
    PLS_TRY(context, pls_allocate(context, count, sizeof(double), what, &result->nodes));
    PLS_TRY(context, pls_allocate(context, count, sizeof(double), what, &result->weights));
cleanup:
    return status;
}

pls_status pls_quadrature_check(pls_context *context, const pls_quadrature_options *options) {
    if (options->probes >= 1 && options->steps >= 1) {
        return PLS_OK;
    }
    return pls_fail(context, PLS_ERROR_ARGUMENT,
                    "a stochastic quadrature needs at least one probe and one step, not %lld and "
                    "%lld",
                    (long long)options->probes, (long long)options->steps);
}

pls_status pls_quadrature_compute(pls_quadrature_views *views,
                                  const pls_quadrature_options *options, pls_operator apply,
                                  void *user, pls_quadrature *result) {
    pls_lanczos *lanczos = &views->lanczos;
    pls_context *context = lanczos->device->context;
    scratch host = {0};
    double *estimates = NULL;
    pls_status status = PLS_OK;
    *result = (pls_quadrature){.size = lanczos->size, .probes = options->probes};
    PLS_TRY(context, pls_quadrature_check(context, options));
    PLS_TRY(context,
            allocate(context, lanczos->capacity, options->probes, &host, &estimates, result));
    for (int64_t p = 0; p < options->probes; p++) {
        PLS_TRY(context, draw_probe(lanczos, options->seed, p));
        PLS_TRY(context, add_probe(lanczos, apply, user, &host, result, &estimates[p]));
    }
    average(estimates, result);
cleanup:
    pls_release(context, host.t);
    pls_release(context, host.values);
    pls_release(context, host.lapack);
    pls_release(context, estimates);
    if (status != PLS_OK) {
        pls_quadrature_destroy(context, result);
    }
    return status;
}
