/* The floor of a kernel's eigenvalues; see kernel.h for the formulas. */
#include "backend/phase.h"
#include "base/memory.h"
#include "tangent/kernel.h"

#include <lapacke.h>
#include <math.h>

/* Rows of the sub-sample at most: its norms come from a dense eigenvalue solver. */
enum { SUBSAMPLE_ROWS = 256 };

/* What a split product may be wrong by, in units of the norms of its two rows (backend.h). */
static const double SPLIT_ERROR = 0x1p-20;

/* A few samples of the system in the other precision, kept from one measurement to the next. The
 * products of their kernel are not split: what those of `own` lost is to show. */
struct pls_floor_sample {
    int64_t count, size; /* samples, and rows of their kernel */
    int64_t samples[SUBSAMPLE_ROWS];
    pls_system *system;
    pls_kernel *kernel;
    double *own, *other, *values; /* size x size in the two precisions, and scratch */
};

void pls_floor_sample_destroy(pls_context *context, struct pls_floor_sample *sample) {
    if (sample != NULL) {
        pls_kernel_destroy(sample->kernel);
        pls_system_destroy(sample->system);
        pls_release(context, sample->own);
        pls_release(context, sample->other);
        pls_release(context, sample->values);
        pls_release(context, sample);
    }
}

static pls_status create_sample(pls_kernel *kernel, int64_t wanted, struct pls_floor_sample **out) {
    pls_system *system = kernel->system;
    pls_context *context = system->device->context;
    int64_t k = kernel->options.trace ? 1 : system->outputs;
    int64_t most = k < SUBSAMPLE_ROWS ? SUBSAMPLE_ROWS / k : 1;
    pls_dtype other = system->precision == PLS_F32 ? PLS_F64 : PLS_F32;
    pls_kernel_options unsplit = kernel->options;
    struct pls_floor_sample *sample = NULL;
    pls_status status = PLS_OK;
    unsplit.gram = PLS_GRAM_F64;
    PLS_TRY(context, pls_allocate(context, 1, sizeof *sample, "a sub-sample", &sample));
    sample->count = wanted < system->samples ? wanted : system->samples;
    sample->count = sample->count < most ? sample->count : most;
    sample->size = sample->count * k;
    for (int64_t i = 0; i < sample->count; i++) {
        sample->samples[i] = i * system->samples / sample->count;
    }
    int64_t entries = sample->size * sample->size;
    PLS_TRY(context, pls_allocate(context, entries, sizeof(double), "a sub-sample", &sample->own));
    PLS_TRY(context,
            pls_allocate(context, entries, sizeof(double), "a sub-sample", &sample->other));
    PLS_TRY(context,
            pls_allocate(context, sample->size, sizeof(double), "a sub-sample", &sample->values));
    PLS_TRY(context, system->kind->duplicate(system, sample->samples, sample->count, other,
                                             &sample->system));
    PLS_TRY(context, pls_kernel_create(sample->system, &unsplit, &sample->kernel));
    *out = sample;
    sample = NULL;
cleanup:
    pls_floor_sample_destroy(context, sample);
    return status;
}

/* Largest absolute eigenvalue of a symmetric matrix on the host, which is destroyed. */
static pls_status symmetric_norm(pls_context *context, int64_t size, double *matrix, double *values,
                                 double *norm) {
    lapack_int order = (lapack_int)size;
    for (int64_t i = 0; i < size * size; i++) {
        if (!isfinite(matrix[i])) {
            *norm = INFINITY;
            return PLS_OK;
        }
    }
    lapack_int info = LAPACKE_dsyev(LAPACK_ROW_MAJOR, 'N', 'L', order, matrix, order, values);
    if (info != 0) {
        return pls_fail(context,
                        info == LAPACK_WORK_MEMORY_ERROR ? PLS_ERROR_MEMORY : PLS_ERROR_NUMERIC,
                        "the eigenvalues of the sub-sample's kernel were not found (LAPACK dsyev: "
                        "%d)",
                        (int)info);
    }
    *norm = fmax(fabs(values[0]), fabs(values[size - 1]));
    return PLS_OK;
}

/* The kernel's rows and columns of the sub-sample, to the host. */
static pls_status download_own(pls_kernel *kernel, const struct pls_floor_sample *sample) {
    int64_t k = sample->size / sample->count;
    pls_device *device = kernel->system->device;
    pls_status status = PLS_OK;
    for (int64_t i = 0; i < sample->count; i++) {
        for (int64_t j = 0; j < sample->count; j++) {
            pls_view rows = pls_view_rows(kernel->matrix, sample->samples[i] * k, k);
            PLS_TRY(device->context,
                    pls_download(device, pls_view_cols(rows, sample->samples[j] * k, k),
                                 sample->own + i * k * sample->size + j * k, sample->size));
        }
    }
cleanup:
    return status;
}

/* *rho = ||K32 - K64|| / ||K64|| on the sub-sample; not finite where it says nothing, because
 * K64 is zero or K32 has overflowed. */
static pls_status measure_rounding(pls_kernel *kernel, int64_t wanted, double *rho) {
    pls_system *system = kernel->system;
    pls_context *context = system->device->context;
    double error = 0.0, norm = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(system->device, PLS_PHASE_FLOOR));
    if (kernel->sample == NULL) {
        PLS_TRY(context, create_sample(kernel, wanted, &kernel->sample));
    }
    const struct pls_floor_sample *sample = kernel->sample;
    PLS_TRY(context, pls_system_follow(system, sample->system));
    PLS_TRY(context, pls_kernel_compute(sample->kernel));
    PLS_TRY(context, pls_kernel_download(sample->kernel, sample->other));
    PLS_TRY(context, download_own(kernel, sample));
    double *exact = system->precision == PLS_F64 ? sample->own : sample->other;
    double *rounded = system->precision == PLS_F64 ? sample->other : sample->own;
    for (int64_t i = 0; i < sample->size * sample->size; i++) {
        rounded[i] -= exact[i];
    }
    PLS_TRY(context, symmetric_norm(context, sample->size, rounded, sample->values, &error));
    PLS_TRY(context, symmetric_norm(context, sample->size, exact, sample->values, &norm));
    *rho = error / norm;
cleanup:
    return pls_phase_end(system->device, status);
}

/* ||error of K||: every layer's <A_i, A_j> <D_i, D_j> errs by (2 e + e^2) |A_i| |A_j| |D_i| |D_j|
 * at most, all of K(i,j) so by (2 e + e^2) sqrt(K_ii K_jj), a matrix of rank one with norm tr K. */
static double split_bound(const pls_kernel *kernel, double trace) {
    bool split = kernel->options.gram == PLS_GRAM_SPLIT && kernel->system->precision == PLS_F32;
    return split ? (2.0 + SPLIT_ERROR) * SPLIT_ERROR * trace : 0.0;
}

pls_status pls_kernel_floor(pls_kernel *kernel, const pls_spectrum_options *options,
                            pls_spectrum *spectrum) {
    pls_system *system = kernel->system;
    pls_context *context = system->device->context;
    double lambda_max = spectrum->lambda_max;
    double u32 = pls_dtype_roundoff(PLS_F32), u64 = pls_dtype_roundoff(PLS_F64);
    double solver = (double)kernel->size * u64 * lambda_max;
    double growth = system->kind->rounding_growth(system);
    double rho = NAN;
    pls_status status = PLS_OK;
    spectrum->floor_estimate = growth * pls_dtype_roundoff(system->precision) * lambda_max +
                               split_bound(kernel, spectrum->trace) + solver;
    spectrum->floor = spectrum->floor_estimate;
    if (options->floor_samples == 0) {
        return PLS_OK;
    }
    status = measure_rounding(kernel, options->floor_samples, &rho);
    if (status == PLS_ERROR_MEMORY) {
        pls_log(context, PLS_LOG_WARNING,
                "the rounding error of the kernel is estimated, not measured: %s",
                pls_error_text(context));
        return PLS_OK;
    }
    PLS_TRY(context, status);
    if (!isfinite(rho)) {
        goto cleanup;
    }
    if (system->precision == PLS_F32) {
        spectrum->floor = 2.0 * fmax(rho, u32) * lambda_max + solver;
    } else {
        spectrum->floor = fmax(spectrum->floor_estimate, 2.0 * rho * (u64 / u32) * lambda_max);
    }
cleanup:
    return status;
}
