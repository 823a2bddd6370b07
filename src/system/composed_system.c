/* The composition h = G o F of an outer system G and an inner one F.
 *
 *     z = F(w),  h = G(z)             the outputs of F are the weights of G
 *     J_h v = J_G (J_F v),            J_hT u = J_FT (J_GT u)
 *     K_h = J_G K_F J_GT
 *     (sum over i of u_i H^h_i) v = J_FT (sum over i of u_i H^G_i) J_F v
 *                                   + (sum over j of (J_GT u)_j H^F_j) v
 *
 * The composition owns both. Its weights are those of F; F writes its outputs where G has its
 * weights, so nothing is copied. F is always evaluated whole, G at the samples asked for. */
#include "backend/phase.h"
#include "base/memory.h"
#include "system/system.h"

#include <math.h>

typedef struct composed_system {
    pls_system base;
    pls_system_kind kind; /* with a fast kernel if F has one */
    pls_system *outer, *inner;
    pls_arena arena;
    pls_view cotangent; /* 1 x P of G: J_GT u */
} composed_system;

/* A vector over the outputs of F as F has them: n x k. */
static pls_view as_outputs(const pls_system *inner, pls_view row) {
    return pls_view_reshape(row, inner->samples, inner->outputs);
}

static void destroy(pls_system *base) {
    composed_system *system = (composed_system *)base;
    pls_context *context = base->device->context;
    pls_arena_destroy(&system->arena);
    pls_system_destroy(system->outer);
    pls_system_destroy(system->inner);
    pls_release(context, system);
}

static pls_status initialize(pls_system *base) {
    return pls_system_initialize(((composed_system *)base)->inner);
}

static pls_status evaluate(pls_system *base, const int64_t *samples, int64_t count, pls_view out) {
    composed_system *system = (composed_system *)base;
    pls_system *inner = system->inner, *outer = system->outer;
    pls_context *context = base->device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context,
            inner->kind->evaluate(inner, NULL, inner->samples, as_outputs(inner, outer->weights)));
    PLS_TRY(context, outer->kind->evaluate(outer, samples, count, out));
cleanup:
    return status;
}

static pls_status pullback(pls_system *base, pls_view u, pls_view g) {
    composed_system *system = (composed_system *)base;
    pls_context *context = base->device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, system->outer->kind->pullback(system->outer, u, system->cotangent));
    PLS_TRY(context, system->inner->kind->pullback(
                         system->inner, as_outputs(system->inner, system->cotangent), g));
cleanup:
    return status;
}

/* Rows of J_G, each pulled back through F. */
static pls_status jacobian(pls_system *base, int64_t first, int64_t count, pls_arena *arena,
                           pls_view out) {
    composed_system *system = (composed_system *)base;
    pls_system *inner = system->inner, *outer = system->outer;
    pls_context *context = base->device->context;
    int64_t mark = pls_arena_mark(arena);
    pls_view rows = pls_no_view();
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, base->precision, count * base->outputs,
                                    outer->parameters, &rows));
    PLS_TRY(context, outer->kind->jacobian(outer, first, count, arena, rows));
    for (int64_t r = 0; arena->buffer != NULL && r < rows.rows; r++) {
        PLS_TRY(context, pls_check_cancelled(context));
        PLS_TRY(context, inner->kind->pullback(inner, as_outputs(inner, pls_view_rows(rows, r, 1)),
                                               pls_view_rows(out, r, 1)));
    }
cleanup:
    pls_arena_release(arena, mark);
    return status;
}

static pls_status pushforward(pls_system *base, pls_view v, pls_arena *arena, pls_view out) {
    composed_system *system = (composed_system *)base;
    pls_system *inner = system->inner, *outer = system->outer;
    pls_context *context = base->device->context;
    int64_t mark = pls_arena_mark(arena);
    pls_view tangent = pls_no_view();
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, base->precision, 1, outer->parameters, &tangent));
    PLS_TRY(context, inner->kind->pushforward(inner, v, arena, as_outputs(inner, tangent)));
    PLS_TRY(context, outer->kind->pushforward(outer, tangent, arena, out));
cleanup:
    pls_arena_release(arena, mark);
    return status;
}

/* out (1 x P) = (sum over r and a of u(r,a) H_(r,a)) v */
static pls_status curvature_along(composed_system *system, pls_view u, pls_view v, pls_arena *arena,
                                  pls_view out) {
    pls_system *inner = system->inner, *outer = system->outer;
    pls_device *device = system->base.device;
    pls_context *context = device->context;
    pls_dtype dtype = system->base.precision;
    int64_t mark = pls_arena_mark(arena);
    pls_view tangent, bent, pulled;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, dtype, 1, outer->parameters, &tangent));
    PLS_TRY(context, pls_arena_take(arena, dtype, 1, outer->parameters, &bent));
    PLS_TRY(context, pls_arena_take(arena, dtype, 1, inner->parameters, &pulled));
    PLS_TRY(context, inner->kind->pushforward(inner, v, arena, as_outputs(inner, tangent)));
    PLS_TRY(context, outer->kind->curvature(outer, u, tangent, arena, bent));
    if (arena->buffer != NULL) {
        PLS_TRY(context, inner->kind->pullback(inner, as_outputs(inner, bent), pulled));
        PLS_TRY(context, outer->kind->pullback(outer, u, system->cotangent));
    }
    PLS_TRY(context,
            inner->kind->curvature(inner, as_outputs(inner, system->cotangent), v, arena, out));
    if (arena->buffer != NULL) {
        PLS_TRY(context, pls_axpby(device, 1.0, pulled, 1.0, out));
    }
cleanup:
    pls_arena_release(arena, mark);
    return status;
}

/* A direction a sample: u of the other samples is taken as 0. */
static pls_status curvature(pls_system *base, pls_view u, pls_view v, pls_arena *arena,
                            pls_view out) {
    composed_system *system = (composed_system *)base;
    pls_device *device = base->device;
    pls_context *context = device->context;
    int64_t mark = pls_arena_mark(arena);
    pls_view alone = pls_no_view();
    pls_status status = PLS_OK;
    if (v.rows == 1) {
        return curvature_along(system, u, v, arena, out);
    }
    PLS_TRY(context, pls_arena_take(arena, base->precision, u.rows, u.cols, &alone));
    for (int64_t r = 0; r < v.rows; r++) {
        if (arena->buffer != NULL) {
            PLS_TRY(context, pls_check_cancelled(context));
            PLS_TRY(context, pls_fill(device, 0.0, alone));
            PLS_TRY(context, pls_copy(device, pls_view_rows(u, r, 1), pls_view_rows(alone, r, 1)));
        }
        PLS_TRY(context, curvature_along(system, alone, pls_view_rows(v, r, 1), arena,
                                         pls_view_rows(out, r, 1)));
        if (arena->buffer == NULL) {
            break; /* the next rows need the same */
        }
    }
cleanup:
    pls_arena_release(arena, mark);
    return status;
}

static const char *kink(const pls_system *base) {
    const composed_system *system = (const composed_system *)base;
    const char *outer = pls_system_kink(system->outer);
    return outer != NULL ? outer : pls_system_kink(system->inner);
}

/* ---- the kernel -------------------------------------------------------------------------------
 */

/* kernel = J K_F JT in float64; summed over outputs, a sample is one long row of J. */
static pls_status multiply(pls_device *device, bool trace, int64_t samples, pls_view inner_kernel,
                           pls_view rows, pls_view products, pls_view kernel) {
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_GRAM));
    PLS_TRY(context, pls_symmetrize(device, inner_kernel));
    PLS_TRY(context,
            pls_gemm(device, PLS_PLAIN, PLS_PLAIN, 1.0, rows, inner_kernel, 0.0, products));
    if (trace) {
        int64_t length = pls_view_count(rows) / samples;
        rows = pls_view_reshape(rows, samples, length);
        products = pls_view_reshape(products, samples, length);
    }
    PLS_TRY(context, pls_gemm(device, PLS_PLAIN, PLS_TRANSPOSED, 1.0, products, rows, 0.0, kernel));
cleanup:
    return pls_phase_end(device, status);
}

/* K_h = J_G K_F J_GT, where F has a fast K_F; K_F is whole even if a trace kernel is wanted. */
static pls_status gram(pls_system *base, const pls_kernel_options *options, pls_arena *arena,
                       pls_view kernel) {
    composed_system *system = (composed_system *)base;
    pls_system *inner = system->inner, *outer = system->outer;
    pls_device *device = base->device;
    pls_context *context = device->context;
    pls_kernel_options whole = *options;
    int64_t equations = base->samples * base->outputs, p = outer->parameters;
    int64_t mark = pls_arena_mark(arena);
    pls_view inner_kernel, own, rows, products;
    pls_status status = PLS_OK;
    whole.trace = false;
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, p, p, &inner_kernel));
    PLS_TRY(context, pls_arena_take(arena, base->precision, equations, p, &own));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, equations, p, &rows));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, equations, p, &products));
    PLS_TRY(context, inner->kind->gram(inner, &whole, arena, inner_kernel));
    PLS_TRY(context, outer->kind->jacobian(outer, 0, base->samples, arena, own));
    if (arena->buffer != NULL) {
        PLS_TRY(context, pls_copy(device, own, rows));
        PLS_TRY(context, multiply(device, options->trace, base->samples, inner_kernel, rows,
                                  products, kernel));
    }
cleanup:
    pls_arena_release(arena, mark);
    return status;
}

/* ---- the rest of the table --------------------------------------------------------------------
 */

/* Of both, and of the sums over the outputs of F that a row of J_h is made of. */
static double rounding_growth(const pls_system *base) {
    const composed_system *system = (const composed_system *)base;
    return system->outer->kind->rounding_growth(system->outer) +
           system->inner->kind->rounding_growth(system->inner) +
           2.0 * sqrt((double)system->outer->parameters);
}

static bool tensor(const pls_system *base, int64_t i, char name[64], int *rank, int64_t shape[8],
                   int64_t *first) {
    const pls_system *inner = ((const composed_system *)base)->inner;
    return inner->kind->tensor(inner, i, name, rank, shape, first);
}

static pls_status duplicate(pls_system *base, const int64_t *samples, int64_t count,
                            pls_dtype precision, pls_system **out) {
    const composed_system *system = (const composed_system *)base;
    pls_context *context = base->device->context;
    pls_system *outer = NULL, *inner = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context,
            system->outer->kind->duplicate(system->outer, samples, count, precision, &outer));
    PLS_TRY(context, system->inner->kind->duplicate(system->inner, NULL, system->inner->samples,
                                                    precision, &inner));
    PLS_TRY(context, pls_composed_system_create(outer, inner, out));
    outer = inner = NULL;
cleanup:
    pls_system_destroy(outer);
    pls_system_destroy(inner);
    return status;
}

static const pls_system_kind composed_kind = {
    .name = "composed",
    .destroy = destroy,
    .initialize = initialize,
    .evaluate = evaluate,
    .pullback = pullback,
    .jacobian = jacobian,
    .pushforward = pushforward,
    .curvature = curvature,
    .kink = kink,
    .gram = gram,
    .duplicate = duplicate,
    .rounding_growth = rounding_growth,
    .tensor = tensor,
};

static pls_status check(pls_context *context, const pls_system *outer, const pls_system *inner) {
    int64_t given = inner->samples * inner->outputs;
    if (outer == inner || outer->device != inner->device || outer->precision != inner->precision) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "a composition needs two systems on one device and in one precision");
    }
    if (outer->parameters != given) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "the outer system has %lld weights, but the inner one has %lld outputs to "
                        "be them",
                        (long long)outer->parameters, (long long)given);
    }
    return PLS_OK;
}

pls_status pls_composed_system_create(pls_system *outer, pls_system *inner, pls_system **out) {
    pls_context *context = outer->device->context;
    composed_system *system = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, check(context, outer, inner));
    PLS_TRY(context, pls_allocate(context, 1, sizeof *system, "a composed system", &system));
    system->base = *outer;
    system->kind = composed_kind;
    system->kind.gram = inner->kind->gram != NULL ? gram : NULL;
    system->base.kind = &system->kind;
    system->base.parameters = inner->parameters;
    system->base.weights = inner->weights;
    system->base.stands = false;
    system->arena = pls_arena_measuring(outer->device);
    for (int pass = 0; pass < 2; pass++) {
        PLS_TRY(context, pls_arena_take(&system->arena, outer->precision, 1, outer->parameters,
                                        &system->cotangent));
        if (pass == 0) {
            PLS_TRY(context, pls_arena_reserve(&system->arena, "the composed system"));
        }
    }
    system->outer = outer;
    system->inner = inner;
    *out = &system->base;
    return PLS_OK;
cleanup:
    if (system != NULL) {
        pls_arena_destroy(&system->arena);
        pls_release(context, system);
    }
    return status;
}
