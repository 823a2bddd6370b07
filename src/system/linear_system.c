/* The linear system F(w) = A w, started at w = 0.
 *
 *     J = A,  K = A AT,  H_i = 0,  L_F = ||A||,  beta_F = 0,  mu = lambda_min(A AT)
 *
 * The one system whose constants are all exact, so that the theorems can be checked on it as they
 * stand. Equations are samples with one output. */
#include "backend/phase.h"
#include "base/memory.h"
#include "system/system.h"

#include <stdio.h>
#include <string.h>

typedef struct linear_system {
    pls_system base;
    pls_arena arena;
    double *a_host, *y_host; /* N x P, N */
    pls_view a;              /* N x P */
    pls_view gathered;       /* N x P: rows of listed samples */
    int64_t selected;
    bool listed;
} linear_system;

static void destroy(pls_system *base) {
    linear_system *system = (linear_system *)base;
    pls_arena_destroy(&system->arena);
    pls_release(base->device->context, system->a_host);
    pls_release(base->device->context, system->y_host);
    pls_release(base->device->context, system);
}

static pls_status initialize(pls_system *base) {
    return pls_fill(base->device, 0.0, base->weights);
}

/* The rows of A that were last evaluated. */
static pls_view current_rows(const linear_system *system) {
    return system->listed ? pls_view_rows(system->gathered, 0, system->selected) : system->a;
}

static pls_status evaluate(pls_system *base, const int64_t *samples, int64_t count, pls_view out) {
    linear_system *system = (linear_system *)base;
    pls_context *context = base->device->context;
    pls_status status = PLS_OK;
    system->listed = samples != NULL;
    system->selected = count;
    if (samples != NULL) {
        PLS_TRY(context, pls_gather_rows(base->device, system->a, samples, current_rows(system)));
    }
    PLS_TRY(context, pls_gemm(base->device, PLS_PLAIN, PLS_TRANSPOSED, 1.0, current_rows(system),
                              base->weights, 0.0, out));
cleanup:
    return status;
}

static pls_status pullback(pls_system *base, pls_view u, pls_view g) {
    return pls_gemm(base->device, PLS_TRANSPOSED, PLS_PLAIN, 1.0, u,
                    current_rows((linear_system *)base), 0.0, g);
}

static pls_status jacobian(pls_system *base, int64_t first, int64_t count, pls_arena *arena,
                           pls_view out) {
    if (arena->buffer == NULL) {
        return PLS_OK;
    }
    return pls_copy(base->device, pls_view_rows(((linear_system *)base)->a, first, count), out);
}

static pls_status pushforward(pls_system *base, pls_view v, pls_arena *arena, pls_view out) {
    if (arena->buffer == NULL) {
        return PLS_OK;
    }
    return pls_gemm(base->device, PLS_PLAIN, PLS_TRANSPOSED, 1.0,
                    current_rows((linear_system *)base), v, 0.0, out);
}

static pls_status curvature(pls_system *base, pls_view u, pls_view v, pls_arena *arena,
                            pls_view out) {
    (void)u, (void)v;
    return arena->buffer == NULL ? PLS_OK : pls_fill(base->device, 0.0, out);
}

static pls_status duplicate(pls_system *base, const int64_t *samples, int64_t count,
                            pls_dtype precision, pls_system **out) {
    linear_system *system = (linear_system *)base;
    pls_context *context = base->device->context;
    int64_t p = base->parameters;
    double *chosen = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context,
            pls_allocate(context, count * (p + 1), sizeof *chosen, "chosen equations", &chosen));
    for (int64_t i = 0; i < count; i++) {
        int64_t row = samples != NULL ? samples[i] : i;
        memcpy(chosen + i * p, system->a_host + row * p, (size_t)p * sizeof(double));
        chosen[count * p + i] = system->y_host[row];
    }
    PLS_TRY(context, pls_linear_system_create(base->device, precision, count, p, chosen,
                                              chosen + count * p, out));
cleanup:
    pls_release(context, chosen);
    return status;
}

/* Only the rounding of A itself. */
static double rounding_growth(const pls_system *base) {
    (void)base;
    return 2.0;
}

static pls_status smoothness(const pls_system *base, pls_smoothness *found) {
    (void)base;
    *found = (pls_smoothness){0.0, PLS_EVIDENCE_EXACT};
    return PLS_OK;
}

static bool tensor(const pls_system *base, int64_t i, char name[64], int *rank, int64_t shape[8],
                   int64_t *first) {
    snprintf(name, 64, "weights");
    *rank = 1;
    shape[0] = base->parameters;
    *first = 0;
    return i == 0;
}

static const pls_system_kind linear_kind = {
    .name = "linear",
    .destroy = destroy,
    .initialize = initialize,
    .evaluate = evaluate,
    .pullback = pullback,
    .jacobian = jacobian,
    .pushforward = pushforward,
    .curvature = curvature,
    .duplicate = duplicate,
    .rounding_growth = rounding_growth,
    .smoothness = smoothness,
    .tensor = tensor,
};

static pls_status layout(linear_system *system, pls_arena *arena) {
    pls_system *base = &system->base;
    pls_context *context = base->device->context;
    pls_dtype dtype = base->precision;
    int64_t n = base->samples, p = base->parameters;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, dtype, 1, p, &base->weights));
    PLS_TRY(context, pls_arena_take(arena, dtype, n, 1, &base->targets));
    PLS_TRY(context, pls_arena_take(arena, dtype, n, p, &system->a));
    PLS_TRY(context, pls_arena_take(arena, dtype, n, p, &system->gathered));
cleanup:
    return status;
}

/* A and y to the device, and w = 0. */
static pls_status set_up(linear_system *system) {
    pls_device *device = system->base.device;
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_INITIALISATION));
    PLS_TRY(context, pls_upload_f64(device, system->a_host, system->a));
    PLS_TRY(context, pls_upload_f64(device, system->y_host, system->base.targets));
    PLS_TRY(context, initialize(&system->base));
cleanup:
    return pls_phase_end(device, status);
}

pls_status pls_linear_system_create(pls_device *device, pls_dtype precision, int64_t equations,
                                    int64_t parameters, const double *a, const double *y,
                                    pls_system **out) {
    pls_context *context = device->context;
    linear_system *system = NULL;
    int64_t count = 0;
    pls_status status = PLS_OK;
    if (equations < 1 || parameters < 1 || !pls_multiply(equations, parameters, &count)) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "a linear system needs at least one equation and one parameter, not "
                        "%lld x %lld",
                        (long long)equations, (long long)parameters);
    }
    PLS_TRY(context, pls_check_finite(context, a, count, "the matrix A of a linear system"));
    PLS_TRY(context, pls_check_finite(context, y, equations, "the targets of a linear system"));
    PLS_TRY(context, pls_allocate(context, 1, sizeof *system, "a linear system", &system));
    system->base.kind = &linear_kind;
    system->base.device = device;
    system->base.precision = precision;
    system->base.samples = equations;
    system->base.outputs = 1;
    system->base.parameters = parameters;
    system->arena = pls_arena_measuring(device);
    PLS_TRY(context,
            pls_allocate(context, count, sizeof(double), "a linear system", &system->a_host));
    PLS_TRY(context,
            pls_allocate(context, equations, sizeof(double), "a linear system", &system->y_host));
    memcpy(system->a_host, a, (size_t)count * sizeof(double));
    memcpy(system->y_host, y, (size_t)equations * sizeof(double));
    PLS_TRY(context, layout(system, &system->arena));
    PLS_TRY(context, pls_arena_reserve(&system->arena, "the linear system"));
    PLS_TRY(context, layout(system, &system->arena));
    pls_system_describe_targets(&system->base, y);
    PLS_TRY(context, set_up(system));
    *out = &system->base;
    return PLS_OK;
cleanup:
    if (system != NULL) {
        destroy(&system->base);
    }
    return status;
}
