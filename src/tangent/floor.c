/* The floor of a kernel's eigenvalues; see kernel.h for the two formulas. */
#include "base/memory.h"
#include "tangent/kernel.h"

#include <lapacke.h>
#include <math.h>

/* Rows of the sub-sample at most: its norms come from a dense eigenvalue solver. */
enum { SUBSAMPLE_ROWS = 256 };

/* Largest absolute eigenvalue of a symmetric matrix on the host, which is destroyed. */
static pls_status symmetric_norm(pls_context *context, int64_t size, double *matrix, double *values,
                                 double *norm) {
    lapack_int order = (lapack_int)size;
    lapack_int info = LAPACKE_dsyev(LAPACK_ROW_MAJOR, 'N', 'L', order, matrix, order, values);
    if (info != 0) {
        return pls_fail(context, PLS_ERROR_NUMERIC,
                        "the eigenvalues of the sub-sample's kernel were not found (LAPACK dsyev: "
                        "%d)",
                        (int)info);
    }
    *norm = fmax(fabs(values[0]), fabs(values[size - 1]));
    return PLS_OK;
}

/* The kernel's rows and columns of the listed samples, to the host. */
static pls_status download_subsample(pls_kernel *kernel, const int64_t *samples, int64_t count,
                                     double *host) {
    int64_t k = kernel->options.trace ? 1 : kernel->system->outputs;
    pls_device *device = kernel->system->device;
    pls_status status = PLS_OK;
    for (int64_t i = 0; i < count; i++) {
        for (int64_t j = 0; j < count; j++) {
            pls_view part =
                pls_view_cols(pls_view_rows(kernel->matrix, samples[i] * k, k), samples[j] * k, k);
            PLS_TRY(device->context,
                    pls_download(device, part, host + (i * k) * (count * k) + j * k, count * k));
        }
    }
cleanup:
    return status;
}

/* kernel->rounding = ||K32 - K64|| / ||K64|| on a sub-sample. */
static pls_status measure_rounding(pls_kernel *kernel, int64_t wanted) {
    pls_system *system = kernel->system;
    pls_context *context = system->device->context;
    int64_t k = kernel->options.trace ? 1 : system->outputs;
    int64_t count = wanted < system->samples ? wanted : system->samples;
    int64_t samples[SUBSAMPLE_ROWS];
    pls_system *promoted = NULL;
    pls_kernel *exact = NULL;
    double *rounded = NULL, *reference = NULL, *values = NULL;
    double error = 0.0, norm = 0.0;
    pls_status status = PLS_OK;
    while (count > 1 && count * k > SUBSAMPLE_ROWS) {
        count--;
    }
    int64_t size = count * k;
    for (int64_t i = 0; i < count; i++) {
        samples[i] = i * system->samples / count;
    }
    PLS_TRY(context, pls_allocate(context, size * size, sizeof *rounded, "a sub-sample", &rounded));
    PLS_TRY(context,
            pls_allocate(context, size * size, sizeof *reference, "a sub-sample", &reference));
    PLS_TRY(context, pls_allocate(context, size, sizeof *values, "a sub-sample", &values));
    PLS_TRY(context, system->kind->promote(system, samples, count, &promoted));
    PLS_TRY(context, pls_kernel_create(promoted, &kernel->options, &exact));
    PLS_TRY(context, pls_kernel_compute(exact));
    PLS_TRY(context, pls_kernel_download(exact, reference));
    PLS_TRY(context, download_subsample(kernel, samples, count, rounded));
    for (int64_t i = 0; i < size * size; i++) {
        rounded[i] -= reference[i];
    }
    PLS_TRY(context, symmetric_norm(context, size, rounded, values, &error));
    PLS_TRY(context, symmetric_norm(context, size, reference, values, &norm));
    kernel->rounding = norm > 0.0 ? error / norm : 0.0;
    kernel->rounding_measured = true;
cleanup:
    pls_kernel_destroy(exact);
    pls_system_destroy(promoted);
    pls_release(context, values);
    pls_release(context, reference);
    pls_release(context, rounded);
    return status;
}

pls_status pls_kernel_floor(pls_kernel *kernel, const pls_spectrum_options *options,
                            double lambda_max, double *floor, double *bound) {
    pls_system *system = kernel->system;
    pls_context *context = system->device->context;
    double solver = (double)kernel->size * pls_dtype_roundoff(PLS_F64);
    double growth = system->kind->rounding_growth(system);
    pls_status status = PLS_OK;
    *bound = (growth * pls_dtype_roundoff(system->precision) + solver) * lambda_max;
    *floor = *bound;
    if (system->precision == PLS_F64 || options->floor_samples == 0) {
        return PLS_OK;
    }
    if (!kernel->rounding_measured) {
        status = measure_rounding(kernel, options->floor_samples);
        if (status == PLS_ERROR_MEMORY) {
            pls_log(context, PLS_LOG_WARNING,
                    "the rounding error of the kernel is bounded, not measured: %s",
                    pls_error_text(context));
            return PLS_OK;
        }
        PLS_TRY(context, status);
    }
    *floor = (2.0 * kernel->rounding + solver) * lambda_max;
cleanup:
    return status;
}
