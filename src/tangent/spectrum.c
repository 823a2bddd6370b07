/* The extreme eigenvalues of a tangent kernel with their errors, or all of them.
 *
 *   large end   Lanczos on K
 *   small end   K + sigma I = L LT (sigma = 0 unless the factorisation fails), Lanczos on
 *               (L LT)^-1, one step of inverse iteration to clean the vector, then in float64
 *                   lambda = vT K v >= lambda_min(K),   residual = ||K v - lambda v||
 *               An eigenvalue lies within the residual of lambda (K symmetric, ||v|| = 1); that
 *               it is the smallest one is known to the accuracy of the Lanczos method.
 *   all         dense symmetric eigenvalue solver
 *
 * What rounding of the data did to K itself is the floor (floor.c). lower and upper contain
 * lambda_min provided that the floor holds and the vector belongs to the smallest eigenvalue; the
 * proof by a completed Cholesky factorisation (S. M. Rump, BIT 46, 2006) has its place here. */
#include "backend/phase.h"
#include "base/memory.h"
#include "tangent/kernel.h"

#include <math.h>
#include <string.h>

static const double LANCZOS_TOLERANCE = 1e-12;

/* Of the second smallest eigenvalue, which only a gap is made of. */
static const double NEXT_TOLERANCE = 1e-8;

/* Shifts that are tried when K is not numerically positive definite: each ten times the last,
 * from the solver's own rounding up. */
enum { SHIFT_TRIALS = 18 };

pls_spectrum_options pls_spectrum_options_defaults(void) {
    pls_spectrum_options options = {false, PLS_REFINE_BELOW_FLOOR, 16, 0, false, 500};
    return options;
}

void pls_spectrum_destroy(pls_context *context, pls_spectrum *spectrum) {
    pls_release(context, spectrum->eigenvalues);
    memset(spectrum, 0, sizeof *spectrum);
}

static pls_status apply_kernel(void *user, pls_view x, pls_view y) {
    pls_kernel *kernel = user;
    return pls_symv(kernel->system->device, 1.0, kernel->matrix, x, 0.0, y);
}

static pls_status apply_inverse(void *user, pls_view x, pls_view y) {
    pls_kernel *kernel = user;
    pls_device *device = kernel->system->device;
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_copy(device, x, y));
    PLS_TRY(device->context, pls_potrs(device, kernel->factor, y));
cleanup:
    return status;
}

static pls_view column(pls_view row) {
    return pls_view_reshape(row, row.cols, 1);
}

/* x := x - <v, x> v for kernel->vector; x: size x 1. */
static pls_status deflate(pls_kernel *kernel, pls_view x) {
    pls_device *device = kernel->system->device;
    pls_view row = pls_view_reshape(x, 1, kernel->size), component = kernel->lanczos.scalar;
    pls_status status = PLS_OK;
    PLS_TRY(device->context,
            pls_gemm(device, PLS_PLAIN, PLS_TRANSPOSED, 1.0, row, kernel->vector, 0.0, component));
    PLS_TRY(device->context,
            pls_gemm(device, PLS_PLAIN, PLS_PLAIN, -1.0, component, kernel->vector, 1.0, row));
cleanup:
    return status;
}

/* The inverse on the complement of kernel->vector, and 0 along it. */
static pls_status apply_deflated(void *user, pls_view x, pls_view y) {
    pls_kernel *kernel = user;
    pls_device *device = kernel->system->device;
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_copy(device, x, y));
    PLS_TRY(device->context, deflate(kernel, y));
    PLS_TRY(device->context, pls_potrs(device, kernel->factor, y));
    PLS_TRY(device->context, deflate(kernel, y));
cleanup:
    return status;
}

/* lambda = vT K v and ||K v - lambda v|| for kernel->vector. */
static pls_status rayleigh(pls_kernel *kernel, double *lambda, double *residual) {
    pls_device *device = kernel->system->device;
    pls_context *context = device->context;
    pls_view work = kernel->lanczos.work, scalar = kernel->lanczos.scalar;
    pls_status status = PLS_OK;
    PLS_TRY(context, apply_kernel(kernel, column(kernel->vector), column(work)));
    PLS_TRY(context, pls_dot(device, kernel->vector, work, scalar));
    PLS_TRY(context, pls_download(device, scalar, lambda, 1));
    PLS_TRY(context, pls_axpby(device, -*lambda, kernel->vector, 1.0, work));
    PLS_TRY(context, pls_vector_norm(device, work, scalar, residual));
cleanup:
    return status;
}

static pls_status check_finite(pls_kernel *kernel) {
    pls_device *device = kernel->system->device;
    double largest = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_max_abs(device, kernel->matrix, kernel->lanczos.scalar));
    PLS_TRY(device->context, pls_download(device, kernel->lanczos.scalar, &largest, 1));
    if (!isfinite(largest)) {
        status = pls_fail(device->context, PLS_ERROR_NUMERIC,
                          "the tangent kernel has entries that are not finite; the weights have "
                          "grown too large for the precision");
    }
cleanup:
    return status;
}

static pls_status trace_of(pls_kernel *kernel, double *trace) {
    pls_device *device = kernel->system->device;
    pls_view diagonal = kernel->matrix;
    pls_status status = PLS_OK;
    diagonal.cols = 1;
    diagonal.ld += 1;
    PLS_TRY(device->context, pls_sum(device, diagonal, kernel->lanczos.scalar));
    PLS_TRY(device->context, pls_download(device, kernel->lanczos.scalar, trace, 1));
cleanup:
    return status;
}

/* factor = Cholesky factor of K + *shift I for the smallest shift tried that lets it through. */
static pls_status factorize(pls_kernel *kernel, double lambda_max, double *shift) {
    pls_device *device = kernel->system->device;
    pls_context *context = device->context;
    double first = (double)kernel->size * pls_dtype_roundoff(PLS_F64) * lambda_max;
    int64_t failed_minor = 1;
    pls_status status = PLS_OK;
    *shift = 0.0;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_FACTOR));
    for (int i = 0; i < SHIFT_TRIALS && failed_minor != 0; i++) {
        *shift = i == 0 ? 0.0 : first * pow(10.0, i - 1);
        PLS_TRY(context, pls_check_cancelled(context));
        PLS_TRY(context, pls_copy(device, kernel->matrix, kernel->factor));
        PLS_TRY(context, pls_add_diagonal(device, *shift, kernel->factor));
        PLS_TRY(context, pls_potrf(device, kernel->factor, &failed_minor));
    }
    if (failed_minor != 0) {
        status = pls_fail(context, PLS_ERROR_NUMERIC,
                          "the tangent kernel is not positive definite even with %g added to its "
                          "diagonal (minor %lld)",
                          *shift, (long long)failed_minor);
    }
cleanup:
    return pls_phase_end(device, status);
}

/* From the factor. *blur: how far apart two of the smallest eigenvalues may lie and still be taken
 * for one, since Lanczos finds 1/(lambda + shift) to a relative accuracy only. */
static pls_status smallest(pls_kernel *kernel, const pls_spectrum_options *options,
                           pls_spectrum *spectrum, double *blur) {
    pls_device *device = kernel->system->device;
    pls_context *context = device->context;
    pls_random_stream stream = {options->seed, PLS_RANDOM_LANCZOS, 1};
    double inverse = 0.0, accuracy = 0.0, norm = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_EXTREMES));
    PLS_TRY(context, pls_lanczos_largest(&kernel->lanczos, apply_inverse, kernel, stream,
                                         LANCZOS_TOLERANCE, &inverse, kernel->vector, &accuracy));
    PLS_TRY(context, apply_inverse(kernel, column(kernel->vector), column(kernel->lanczos.work)));
    PLS_TRY(context, pls_vector_norm(device, kernel->lanczos.work, kernel->lanczos.scalar, &norm));
    PLS_TRY(context, pls_axpby(device, 1.0 / norm, kernel->lanczos.work, 0.0, kernel->vector));
    PLS_TRY(context, rayleigh(kernel, &spectrum->lambda_min, &spectrum->lambda_min_residual));
    *blur = 2.0 * accuracy * fabs(spectrum->lambda_min + spectrum->shift);
cleanup:
    return pls_phase_end(device, status);
}

/* From the factor and the eigenvector of the smallest. */
static pls_status second_smallest(pls_kernel *kernel, const pls_spectrum_options *options,
                                  pls_spectrum *spectrum) {
    pls_random_stream stream = {options->seed, PLS_RANDOM_LANCZOS, 2};
    pls_device *device = kernel->system->device;
    double inverse = 0.0, accuracy = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_phase_begin(device, PLS_PHASE_EXTREMES));
    PLS_TRY(device->context,
            pls_lanczos_largest(&kernel->lanczos, apply_deflated, kernel, stream, NEXT_TOLERANCE,
                                &inverse, kernel->values, &accuracy));
    spectrum->lambda_next = 1.0 / inverse - spectrum->shift;
cleanup:
    return pls_phase_end(device, status);
}

static pls_status largest(pls_kernel *kernel, const pls_spectrum_options *options,
                          pls_spectrum *spectrum) {
    pls_random_stream stream = {options->seed, PLS_RANDOM_LANCZOS, 0};
    pls_device *device = kernel->system->device;
    pls_context *context = device->context;
    double theta = 0.0, accuracy = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_EXTREMES));
    PLS_TRY(context, pls_lanczos_largest(&kernel->lanczos, apply_kernel, kernel, stream,
                                         LANCZOS_TOLERANCE, &theta, kernel->vector, &accuracy));
    PLS_TRY(context, rayleigh(kernel, &spectrum->lambda_max, &spectrum->lambda_max_residual));
cleanup:
    return pls_phase_end(device, status);
}

static pls_status all_eigenvalues(pls_kernel *kernel, pls_spectrum *spectrum) {
    pls_device *device = kernel->system->device;
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_SPECTRUM));
    PLS_TRY(context, pls_allocate(context, kernel->size, sizeof(double), "the eigenvalues",
                                  &spectrum->eigenvalues));
    PLS_TRY(context, pls_copy(device, kernel->matrix, kernel->factor));
    PLS_TRY(context, pls_syevd(device, false, kernel->factor, kernel->values));
    PLS_TRY(context, pls_download(device, kernel->values, spectrum->eigenvalues, kernel->size));
cleanup:
    return pls_phase_end(device, status);
}

double pls_effective_rank(const pls_spectrum *spectrum) {
    return spectrum->lambda_max > 0.0 ? spectrum->trace / spectrum->lambda_max : NAN;
}

static void bracket(pls_spectrum *spectrum, double blur) {
    spectrum->below_floor = !(spectrum->lambda_min > spectrum->floor);
    spectrum->lambda_min_lower =
        spectrum->lambda_min - spectrum->lambda_min_residual - blur - spectrum->floor;
    spectrum->lambda_min_upper = spectrum->lambda_min + spectrum->floor;
    spectrum->condition_number =
        spectrum->below_floor ? NAN : spectrum->lambda_max / spectrum->lambda_min;
}

/* The same measurement on a float64 copy of the system. */
static pls_status refine(pls_kernel *kernel, const pls_spectrum_options *options,
                         pls_spectrum *spectrum) {
    pls_device *device = kernel->system->device;
    pls_context *context = device->context;
    pls_kernel_options exactly = kernel->options;
    pls_system *copy = NULL;
    pls_kernel *exact = NULL;
    pls_spectrum better = {0};
    pls_status status = PLS_OK;
    exactly.gram = PLS_GRAM_F64;
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_REFINEMENT));
    PLS_TRY(context,
            pls_system_duplicate(kernel->system, NULL, kernel->system->samples, PLS_F64, &copy));
    PLS_TRY(context, pls_kernel_create(copy, &exactly, &exact));
    PLS_TRY(context, pls_kernel_compute(exact));
    PLS_TRY(context, pls_kernel_spectrum(exact, options, &better));
    PLS_TRY(context, pls_copy(device, exact->vector, kernel->vector));
    pls_spectrum_destroy(context, spectrum);
    *spectrum = better;
    spectrum->refined = true;
    better.eigenvalues = NULL;
cleanup:
    pls_spectrum_destroy(context, &better);
    pls_kernel_destroy(exact);
    pls_system_destroy(copy);
    return pls_phase_end(device, status);
}

pls_status pls_kernel_spectrum(pls_kernel *kernel, const pls_spectrum_options *options,
                               pls_spectrum *spectrum) {
    pls_spectrum_options resolved = options != NULL ? *options : pls_spectrum_options_defaults();
    pls_context *context = kernel->system->device->context;
    pls_status status = PLS_OK;
    memset(spectrum, 0, sizeof *spectrum);
    spectrum->size = kernel->size;
    spectrum->lambda_next = NAN;
    kernel->has_vector = false;
    if (kernel->products != NULL) {
        PLS_TRY(context, pls_products_spectrum(kernel->products, &resolved, spectrum));
        goto cleanup;
    }
    PLS_TRY(context, check_finite(kernel));
    double blur = 0.0;
    PLS_TRY(context, trace_of(kernel, &spectrum->trace));
    if (spectrum->trace > 0.0) {
        PLS_TRY(context, largest(kernel, &resolved, spectrum));
        PLS_TRY(context, factorize(kernel, spectrum->lambda_max, &spectrum->shift));
        PLS_TRY(context, smallest(kernel, &resolved, spectrum, &blur));
        if (resolved.next && kernel->size > 1) {
            PLS_TRY(context, second_smallest(kernel, &resolved, spectrum));
        }
        kernel->has_vector = true;
    } /* else K = 0, and so are its eigenvalues */
    if (resolved.full) {
        PLS_TRY(context, all_eigenvalues(kernel, spectrum));
    }
    PLS_TRY(context, pls_kernel_floor(kernel, &resolved, spectrum));
    bracket(spectrum, blur);
    bool wanted = resolved.refine == PLS_REFINE_ALWAYS ||
                  (resolved.refine == PLS_REFINE_BELOW_FLOOR && spectrum->below_floor);
    if (kernel->system->precision == PLS_F32 && wanted) {
        status = refine(kernel, &resolved, spectrum);
        if (status == PLS_ERROR_MEMORY) {
            pls_log(context, PLS_LOG_WARNING, "mu stays in float32: %s", pls_error_text(context));
            status = PLS_OK;
        }
    }
cleanup:
    if (status != PLS_OK) {
        pls_spectrum_destroy(context, spectrum);
    }
    return status;
}
