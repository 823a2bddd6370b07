/* The alignment of a kernel with the targets.
 *
 *     <K, y yT>_F = yT K y,          ||y yT||_F = ||y||^2
 *     <K, Y YT>_F = tr YT K Y,       ||Y YT||_F = ||YT Y||_F       (k x k)
 *
 * so that no second matrix as large as K is formed. */
#include "tangent/alignment.h"

#include "backend/phase.h"
#include "tangent/kernel.h"

#include <math.h>

pls_status pls_alignment_take(pls_arena *arena, const pls_system *system, bool trace,
                              pls_alignment_views *views) {
    pls_context *context = system->device->context;
    int64_t n = system->samples, k = system->outputs, inner = trace ? k : 0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, n, k, &views->targets));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, n, k, &views->product));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, inner, inner, &views->inner));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, 1, &views->scalar));
cleanup:
    return status;
}

/* *value = <x, y>, waiting for it. */
static pls_status inner_product(pls_kernel *kernel, pls_view x, pls_view y, double *value) {
    pls_device *device = kernel->system->device;
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_dot(device, x, y, kernel->alignment.scalar));
    PLS_TRY(device->context, pls_download(device, kernel->alignment.scalar, value, 1));
cleanup:
    return status;
}

/* product = K times the targets; *norm = ||y||^2, or ||YT Y||_F. */
static pls_status apply_to_targets(pls_kernel *kernel, double *norm) {
    const pls_alignment_views *views = &kernel->alignment;
    pls_device *device = kernel->system->device;
    pls_context *context = device->context;
    pls_view y = pls_view_reshape(views->targets, pls_view_count(views->targets), 1);
    pls_view product = pls_view_reshape(views->product, y.rows, 1);
    pls_status status = PLS_OK;
    if (!kernel->options.trace) {
        PLS_TRY(context, pls_symv(device, 1.0, kernel->matrix, y, 0.0, product));
        PLS_TRY(context, inner_product(kernel, y, y, norm));
        goto cleanup;
    }
    PLS_TRY(context, pls_gemm(device, PLS_PLAIN, PLS_PLAIN, 1.0, kernel->matrix, views->targets,
                              0.0, views->product));
    PLS_TRY(context, pls_gemm(device, PLS_TRANSPOSED, PLS_PLAIN, 1.0, views->targets,
                              views->targets, 0.0, views->inner));
    PLS_TRY(context, inner_product(kernel, views->inner, views->inner, norm));
    *norm = sqrt(*norm);
cleanup:
    return status;
}

pls_status pls_kernel_alignment(pls_kernel *kernel, double *alignment) {
    const pls_alignment_views *views = &kernel->alignment;
    pls_device *device = kernel->system->device;
    pls_context *context = device->context;
    double along = 0.0, kernel_norm = 0.0, target_norm = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_CHANGE));
    PLS_TRY(context, pls_kernel_require_matrix(kernel, "the alignment with the targets"));
    PLS_TRY(context, pls_copy(device, kernel->system->targets, views->targets));
    PLS_TRY(context, apply_to_targets(kernel, &target_norm));
    PLS_TRY(context, inner_product(kernel, views->targets, views->product, &along));
    PLS_TRY(context, inner_product(kernel, kernel->matrix, kernel->matrix, &kernel_norm));
    double scale = sqrt(kernel_norm) * target_norm;
    *alignment = scale > 0.0 ? along / scale : NAN;
cleanup:
    return pls_phase_end(device, status);
}
