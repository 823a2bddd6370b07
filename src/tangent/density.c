/* What products with a tangent kernel give, whether it is held or not: K v on the host, trace and
 * spectral density (plstar/quadrature.h). */
#include "backend/phase.h"
#include "tangent/kernel.h"
#include "tangent/quadrature.h"

static pls_status apply(void *user, pls_view x, pls_view y) {
    pls_kernel *kernel = user;
    return kernel->products != NULL
               ? pls_products_apply(kernel->products, x, y)
               : pls_symv(kernel->system->device, 1.0, kernel->matrix, x, 0.0, y);
}

pls_status pls_kernel_product(pls_kernel *kernel, const double *v, double *product) {
    pls_device *device = kernel->system->device;
    pls_context *context = device->context;
    bool held = kernel->products == NULL;
    pls_view x = held ? kernel->lanczos.x : kernel->products->x;
    pls_view y = held ? kernel->lanczos.work : kernel->products->y;
    int64_t size = kernel->size;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_upload(device, v, size, x));
    PLS_TRY(context, apply(kernel, pls_view_reshape(x, size, 1), pls_view_reshape(y, size, 1)));
    PLS_TRY(context, pls_download(device, y, product, size));
cleanup:
    return status;
}

pls_status pls_kernel_density(pls_kernel *kernel, const pls_quadrature_options *options,
                              pls_quadrature *density) {
    pls_quadrature_options resolved =
        options != NULL ? *options : pls_quadrature_options_defaults();
    pls_device *device = kernel->system->device;
    pls_context *context = device->context;
    pls_arena arena = pls_arena_measuring(device);
    pls_quadrature_views views;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_SPECTRUM));
    PLS_TRY(context, pls_quadrature_check(context, &resolved));
    PLS_TRY(context, pls_quadrature_take(&arena, kernel->size, &resolved, &views));
    PLS_TRY(context, pls_arena_reserve(&arena, "the spectral density of the kernel"));
    PLS_TRY(context, pls_quadrature_take(&arena, kernel->size, &resolved, &views));
    PLS_TRY(context, pls_quadrature_compute(&views, &resolved, apply, kernel, density));
cleanup:
    pls_arena_destroy(&arena);
    return pls_phase_end(device, status);
}
