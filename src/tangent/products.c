/* Products with a tangent kernel that is too large to hold, and what they tell of its spectrum.
 *
 *     K v = J (JT v):  a pullback of v over all samples, and the forward tangent along it
 *
 * in memory that grows like N and P, block by block of samples, in float64 whatever the system's
 * precision: a float32 one is measured on a float64 copy of its weights and data.
 *
 *   large end   the Lanczos method, to a residual of 1e-12 lambda_max
 *   small end   the same, as far as a number of products goes. The Rayleigh quotient of the last
 *               vector is no less than lambda_min in any case; as K = J JT, lambda_min >= 0.
 *
 * Without a factorisation the small end is reached only where eigenvalues are few or apart. */
#include "tangent/products.h"

#include "backend/phase.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>

static const double TOLERANCE = 1e-12;

/* At the large end, which is reached in far fewer. */
enum { MOST_PRODUCTS = 2000 };

static pls_status layout(pls_products *products) {
    pls_system *system = products->system;
    pls_context *context = system->device->context;
    pls_arena *arena = &products->arena;
    int64_t size = system->samples * system->outputs;
    pls_status status = PLS_OK;
    PLS_TRY(context,
            pls_arena_take(arena, PLS_F64, system->samples, system->outputs, &products->f));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, system->parameters, &products->gradient));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, size, &products->x));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, size, &products->y));
    PLS_TRY(context, pls_lanczos_take(arena, size, &products->lanczos));
    if (arena->buffer == NULL) { /* what a product takes beside these, after this mark */
        int64_t mark = pls_arena_mark(arena);
        PLS_TRY(context, system->kind->pushforward(system, products->gradient, arena, products->f));
        pls_arena_release(arena, mark);
    }
cleanup:
    return status;
}

pls_status pls_products_create(pls_system *system, const char *reason, bool asked_for,
                               pls_products **out) {
    pls_context *context = system->device->context;
    pls_products *products = NULL;
    pls_status status = PLS_OK;
    if (system->kind->pushforward == NULL) {
        return pls_fail(context, PLS_ERROR_UNSUPPORTED,
                        "monitor.method: matrix_free needs J v, which a %s system does not give; "
                        "choose explicit or automatic",
                        system->kind->name);
    }
    PLS_TRY(context,
            pls_allocate(context, 1, sizeof *products, "products with a kernel", &products));
    products->system = system;
    products->arena = pls_arena_measuring(system->device);
    products->asked_for = asked_for;
    snprintf(products->reason, sizeof products->reason, "%s", reason);
    if (system->precision != PLS_F64) {
        PLS_TRY(context,
                pls_system_duplicate(system, NULL, system->samples, PLS_F64, &products->copy));
        products->system = products->copy;
    }
    PLS_TRY(context, layout(products));
    PLS_TRY(context, pls_arena_reserve(&products->arena, "products with the tangent kernel"));
    PLS_TRY(context, layout(products));
    *out = products;
    products = NULL;
cleanup:
    pls_products_destroy(products);
    return status;
}

void pls_products_destroy(pls_products *products) {
    if (products != NULL) {
        pls_context *context = products->system->device->context;
        pls_arena_destroy(&products->arena);
        pls_system_destroy(products->copy);
        pls_release(context, products);
    }
}

pls_status pls_products_follow(const pls_system *system, pls_products *products) {
    pls_context *context = system->device->context;
    pls_status status = PLS_OK;
    if (products->copy != NULL) {
        PLS_TRY(context, pls_system_follow(system, products->copy));
    }
    if (!products->system->stands) {
        PLS_TRY(context, pls_system_evaluate(products->system, NULL, products->system->samples,
                                             products->f));
    }
cleanup:
    return status;
}

pls_status pls_products_apply(void *user, pls_view x, pls_view y) {
    pls_products *products = user;
    pls_system *system = products->system;
    pls_context *context = system->device->context;
    int64_t n = system->samples, k = system->outputs;
    pls_status status = PLS_OK;
    PLS_TRY(context, system->kind->pullback(system, pls_view_reshape(x, n, k), products->gradient));
    PLS_TRY(context, system->kind->pushforward(system, products->gradient, &products->arena,
                                               pls_view_reshape(y, n, k)));
cleanup:
    return status;
}

pls_status pls_products_refuse(const pls_products *products, const char *what) {
    return pls_fail(products->system->device->context,
                    products->asked_for ? PLS_ERROR_UNSUPPORTED : PLS_ERROR_MEMORY,
                    "%s: needs the tangent kernel itself, which is not held (%s)", what,
                    products->reason);
}

/* ---- spectrum -------------------------------------------------------------------------------- */

static pls_status apply_one(void *user, const int64_t *problems, pls_view x, pls_view y) {
    (void)problems;
    return pls_products_apply(user, pls_view_reshape(x, x.cols, 1), pls_view_reshape(y, y.cols, 1));
}

static pls_status find_end(pls_products *products, pls_lanczos_end end, int64_t most, uint64_t seed,
                           pls_ritz *ritz) {
    pls_lanczos_options options = {
        end, TOLERANCE, most, {seed, PLS_RANDOM_LANCZOS, end == PLS_LANCZOS_LARGEST ? 0 : 1}};
    return pls_lanczos_solve(&products->lanczos, &options, 1, apply_one, products, ritz,
                             pls_no_view());
}

/* Of float64 data: growth of rounding in K, in the sum over samples in JT v and in v itself, and
 * the backward error of the method. */
static double floor_of(const pls_products *products, double lambda_max) {
    const pls_system *system = products->system;
    double size = (double)system->samples * (double)system->outputs;
    double passing = sqrt((double)system->samples) + 4.0;
    return (system->kind->rounding_growth(system) + passing + size) * pls_dtype_roundoff(PLS_F64) *
           lambda_max;
}

static void take_small_end(const pls_ritz *ritz, pls_spectrum *spectrum) {
    spectrum->lambda_min_upper = ritz->value + spectrum->floor;
    spectrum->lambda_min_lower = 0.0;
    spectrum->lambda_min = spectrum->condition_number = NAN;
    spectrum->lambda_min_residual = ritz->residual;
    if (ritz->converged || ritz->value <= spectrum->floor) { /* no less than lambda_min itself */
        spectrum->lambda_min = ritz->value;
        spectrum->lambda_min_lower = fmax(0.0, ritz->value - ritz->residual - spectrum->floor);
        spectrum->below_floor = !(ritz->value > spectrum->floor + ritz->residual);
        spectrum->condition_number =
            spectrum->below_floor ? NAN : spectrum->lambda_max / spectrum->lambda_min;
    }
}

pls_status pls_products_spectrum(pls_products *products, const pls_spectrum_options *options,
                                 pls_spectrum *spectrum) {
    pls_device *device = products->system->device;
    pls_context *context = device->context;
    pls_ritz large, small;
    pls_status status = PLS_OK;
    if (options->full) {
        return pls_products_refuse(products, "monitor.spectrum: full");
    }
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_EXTREMES));
    PLS_TRY(context, find_end(products, PLS_LANCZOS_LARGEST, MOST_PRODUCTS, options->seed, &large));
    PLS_TRY(context,
            find_end(products, PLS_LANCZOS_SMALLEST, options->products, options->seed, &small));
    spectrum->lambda_max = large.value;
    spectrum->lambda_max_residual = large.residual;
    spectrum->floor = spectrum->floor_estimate = floor_of(products, large.value);
    spectrum->trace = NAN;
    spectrum->refined = products->copy != NULL;
    take_small_end(&small, spectrum);
cleanup:
    return pls_phase_end(device, status);
}
