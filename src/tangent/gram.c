/* The tangent kernel K = J JT of a system: by the system's own fast way, or from rows of J.
 *
 *     K[(i,a), (j,b)] = <dF_(i,a)/dw, dF_(j,b)/dw>,   trace kernel: sum over a of K[(i,a), (j,a)]
 *
 * From rows: blocks of equations J_u, J_v of all P columns, K[u, v] = J_u J_vT. */
#include "backend/phase.h"
#include "base/memory.h"
#include "tangent/kernel.h"

#include <stdio.h>
#include <string.h>

/* Equations of a block of Jacobian rows. */
enum { BLOCK_EQUATIONS = 256 };

pls_kernel_options pls_kernel_options_defaults(void) {
    pls_kernel_options options = {0};
    return options;
}

/* Rows of J as the kernel sees them: summed over outputs, a sample is one long row. */
static pls_view kernel_rows(pls_view rows, int64_t samples) {
    return pls_view_reshape(rows, samples, rows.rows / samples * rows.cols);
}

/* rows = the Jacobian rows of some samples. */
static pls_status derive_rows(pls_system *system, int64_t first, int64_t count, pls_arena *arena,
                              pls_view rows) {
    pls_device *device = system->device;
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_phase_begin(device, PLS_PHASE_DERIVATIVES));
    PLS_TRY(device->context, system->kind->jacobian(system, first, count, arena, rows));
cleanup:
    return pls_phase_end(device, status);
}

/* part = u vT (v not given: u uT). */
static pls_status multiply_rows(pls_device *device, pls_gram_arithmetic arithmetic, pls_view u,
                                pls_view v, pls_view part, pls_view workspace) {
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_phase_begin(device, PLS_PHASE_GRAM));
    PLS_TRY(device->context, pls_gram(device, arithmetic, u, v, 0.0, part, workspace));
cleanup:
    return pls_phase_end(device, status);
}

static pls_status gram_from_jacobian(pls_system *system, const pls_kernel_options *options,
                                     pls_arena *arena, pls_view kernel) {
    pls_context *context = system->device->context;
    int64_t n = system->samples, k = system->outputs, p = system->parameters;
    int64_t block = pls_smaller(n, k < BLOCK_EQUATIONS ? BLOCK_EQUATIONS / k : 1);
    int64_t entries = options->trace ? 1 : k;
    int64_t mark = pls_arena_mark(arena);
    int64_t length = options->trace ? p * k : p;
    int64_t needed = pls_gram_workspace(options->gram, system->precision, block * entries,
                                        block * entries, length);
    pls_view flat[2], workspace = pls_no_view();
    pls_status status = PLS_OK;
    for (int i = 0; i < 2; i++) {
        PLS_TRY(context, pls_arena_take(arena, system->precision, block * k, p, &flat[i]));
    }
    if (needed > 0) {
        PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, needed, &workspace));
    }
    if (arena->buffer == NULL) {
        PLS_TRY(context, system->kind->jacobian(system, 0, block, arena, flat[0]));
        goto cleanup;
    }
    for (int64_t u = 0; u < n; u += block) {
        int64_t count_u = pls_smaller(block, n - u);
        pls_view rows_u = pls_view_rows(flat[0], 0, count_u * k);
        PLS_TRY(context, derive_rows(system, u, count_u, arena, rows_u));
        for (int64_t v = 0; v <= u; v += block) {
            int64_t count_v = pls_smaller(block, n - v);
            pls_view rows_v = pls_view_rows(flat[1], 0, count_v * k);
            pls_view part = pls_view_cols(pls_view_rows(kernel, u * entries, count_u * entries),
                                          v * entries, count_v * entries);
            pls_view right = pls_no_view();
            PLS_TRY(context, pls_check_cancelled(context));
            if (v < u) {
                PLS_TRY(context, derive_rows(system, v, count_v, arena, rows_v));
                right = options->trace ? kernel_rows(rows_v, count_v) : rows_v;
            }
            PLS_TRY(context, multiply_rows(system->device, options->gram,
                                           options->trace ? kernel_rows(rows_u, count_u) : rows_u,
                                           right, part, workspace));
        }
    }
cleanup:
    pls_arena_release(arena, mark);
    return status;
}

static pls_status compute(pls_kernel *kernel) {
    pls_system *system = kernel->system;
    if (system->kind->gram != NULL) {
        return system->kind->gram(system, &kernel->options, &kernel->arena, kernel->matrix);
    }
    return gram_from_jacobian(system, &kernel->options, &kernel->arena, kernel->matrix);
}

static pls_status layout(pls_kernel *kernel) {
    pls_context *context = kernel->system->device->context;
    pls_arena *arena = &kernel->arena;
    int64_t size = kernel->size;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, size, size, &kernel->matrix));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, size, size, &kernel->factor));
    PLS_TRY(context, pls_arena_take(arena, kernel->system->precision, kernel->system->samples,
                                    kernel->system->outputs, &kernel->outputs));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, size, &kernel->vector));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, size, &kernel->values));
    PLS_TRY(context, pls_lanczos_take(arena, size, &kernel->lanczos));
    PLS_TRY(context,
            pls_alignment_take(arena, kernel->system, kernel->options.trace, &kernel->alignment));
    if (arena->buffer == NULL) {
        PLS_TRY(context, compute(kernel)); /* only measures */
    }
cleanup:
    return status;
}

pls_status pls_kernel_bytes(pls_system *system, int64_t *bytes) {
    pls_kernel kernel = {.system = system,
                         .options = pls_kernel_options_defaults(),
                         .size = pls_system_equations(system),
                         .arena = pls_arena_measuring(system->device)};
    pls_status status = layout(&kernel);
    *bytes = kernel.arena.peak;
    return status;
}

bool pls_kernel_may_let_go(const pls_kernel *kernel) {
    return kernel->options.method == PLS_KERNEL_AUTOMATIC && !kernel->options.trace &&
           kernel->system->kind->pushforward != NULL;
}

pls_status pls_kernel_let_go(pls_kernel *kernel, const char *reason) {
    pls_device *device = kernel->system->device;
    bool asked_for = kernel->options.method == PLS_KERNEL_MATRIX_FREE;
    pls_status status = PLS_OK;
    pls_arena_destroy(&kernel->arena);
    kernel->arena = pls_arena_measuring(device);
    PLS_TRY(device->context,
            pls_products_create(kernel->system, reason, asked_for, &kernel->products));
    pls_log(device->context, PLS_LOG_INFO,
            "the tangent kernel is not held, K v = J (J^T v) is used: %s", reason);
cleanup:
    return status;
}

/* Holds K, or goes without it where that is asked for or there is no room for it. */
static pls_status settle(pls_kernel *kernel) {
    pls_context *context = kernel->system->device->context;
    char reason[PLS_REASON_SIZE];
    pls_status status = PLS_OK;
    if (kernel->options.method == PLS_KERNEL_MATRIX_FREE) {
        return pls_kernel_let_go(kernel, "monitor.method is matrix_free");
    }
    PLS_TRY(context, layout(kernel));
    status = pls_arena_reserve(&kernel->arena, "the tangent kernel with its spectrum");
    if (status == PLS_ERROR_MEMORY && pls_kernel_may_let_go(kernel)) {
        snprintf(reason, sizeof reason, "%s", pls_error_text(context));
        return pls_kernel_let_go(kernel, reason);
    }
    PLS_TRY(context, status);
    PLS_TRY(context, layout(kernel));
cleanup:
    return status;
}

static pls_status check_options(const pls_kernel *kernel) {
    const pls_kernel_options *options = &kernel->options;
    const pls_system *system = kernel->system;
    pls_context *context = system->device->context;
    if (options->memory < 0 || options->tile < 0) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "monitor.memory and monitor.tile must not be negative");
    }
    if (options->gram != PLS_GRAM_F64 && options->gram != PLS_GRAM_SPLIT) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "monitor.gram: %d is no arithmetic; f64 or split was expected",
                        (int)options->gram);
    }
    if (options->method == PLS_KERNEL_STRUCTURED && system->kind->gram == NULL) {
        return pls_fail(context, PLS_ERROR_UNSUPPORTED,
                        "monitor.method: a %s system has no structured kernel; choose explicit "
                        "or automatic",
                        system->kind->name);
    }
    if (options->method == PLS_KERNEL_MATRIX_FREE && options->trace) {
        return pls_fail(context, PLS_ERROR_UNSUPPORTED,
                        "monitor.method: matrix_free has no trace kernel; choose one of "
                        "monitor.trace and monitor.method");
    }
    return PLS_OK;
}

pls_status pls_kernel_create(pls_system *system, const pls_kernel_options *options,
                             pls_kernel **out) {
    pls_context *context = system->device->context;
    pls_kernel *kernel = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, 1, sizeof *kernel, "a kernel", &kernel));
    kernel->system = system;
    kernel->options = options != NULL ? *options : pls_kernel_options_defaults();
    kernel->arena = pls_arena_measuring(system->device);
    PLS_TRY(context, check_options(kernel));
    if (!pls_multiply(system->samples, kernel->options.trace ? 1 : system->outputs,
                      &kernel->size)) {
        status = pls_fail(context, PLS_ERROR_MEMORY,
                          "%lld samples of %lld outputs are more equations than 64 bits can count",
                          (long long)system->samples, (long long)system->outputs);
        goto cleanup;
    }
    PLS_TRY(context, settle(kernel));
    *out = kernel;
    return PLS_OK;
cleanup:
    pls_kernel_destroy(kernel);
    return status;
}

void pls_kernel_destroy(pls_kernel *kernel) {
    if (kernel != NULL) {
        pls_context *context = kernel->system->device->context;
        pls_floor_sample_destroy(context, kernel->sample);
        pls_products_destroy(kernel->products);
        pls_arena_destroy(&kernel->arena);
        pls_release(context, kernel);
    }
}

const char *pls_kernel_arithmetic(const pls_system *system, const pls_kernel_options *options) {
    pls_gram_arithmetic gram = options != NULL ? options->gram : PLS_GRAM_F64;
    return pls_gram_description(system->device, gram, system->precision);
}

bool pls_kernel_way_of(const pls_kernel *kernel, int64_t i, pls_kernel_way *way) {
    const pls_system *system = kernel->system;
    return kernel->products == NULL && system->kind->gram_way != NULL &&
           system->kind->gram_way(system, &kernel->options, i, way);
}

int64_t pls_kernel_size(const pls_kernel *kernel) {
    return kernel->size;
}

/* K is computed in its lower triangle and wanted in both. */
static pls_status mirror(pls_kernel *kernel) {
    pls_device *device = kernel->system->device;
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_phase_begin(device, PLS_PHASE_GRAM));
    PLS_TRY(device->context, pls_symmetrize(device, kernel->matrix));
cleanup:
    return pls_phase_end(device, status);
}

pls_status pls_kernel_compute(pls_kernel *kernel) {
    pls_system *system = kernel->system;
    pls_context *context = system->device->context;
    pls_status status = PLS_OK;
    kernel->has_vector = false;
    if (kernel->products != NULL) {
        return pls_products_follow(system, kernel->products);
    }
    if (!system->stands) {
        PLS_TRY(context, pls_system_evaluate(system, NULL, system->samples, kernel->outputs));
    }
    PLS_TRY(context, compute(kernel));
    PLS_TRY(context, mirror(kernel));
cleanup:
    return status;
}

pls_status pls_kernel_require_matrix(const pls_kernel *kernel, const char *what) {
    return kernel->products == NULL ? PLS_OK : pls_products_refuse(kernel->products, what);
}

const char *pls_kernel_is_matrix_free(const pls_kernel *kernel) {
    return kernel->products != NULL ? kernel->products->reason : NULL;
}

pls_status pls_kernel_download(pls_kernel *kernel, double *host) {
    pls_context *context = kernel->system->device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_kernel_require_matrix(kernel, "the elements of the kernel"));
    PLS_TRY(context, pls_download(kernel->system->device, kernel->matrix, host, kernel->size));
cleanup:
    return status;
}
