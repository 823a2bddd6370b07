/* Cholesky factorisation and eigenvalues by cuSOLVER, solves by cuBLAS.
 *
 * The lower triangle by rows is the upper one by columns: L is found as U = LT with A = UT U, and
 * L LT X = B is solved as XT UT U = BT, first Z U = BT, then XT UT = Z. */
#include "cuda.h"

#include "base/memory.h"

#include <inttypes.h>
#include <math.h>

/* What one solver call needs besides its matrix. */
typedef struct solver_memory {
    size_t device_bytes, host_bytes;
    void *host;
} solver_memory;

static pls_status take_memory(pls_device *device, const char *what, solver_memory *needed) {
    pls_status status = PLS_OK;
    PLS_TRY(device->context,
            pls_cuda_grow(device, what, (int64_t)needed->device_bytes, /* may be 0 */
                          &pls_cuda(device)->solver_workspace));
    PLS_TRY(device->context,
            pls_allocate_raw(device->context, (int64_t)needed->host_bytes, 1, what, &needed->host));
cleanup:
    return status;
}

/* The position i n + j of the first element in the lower triangle that is not finite; INT64_MAX if
 * there is none. */
static pls_status find_not_finite(pls_device *device, const char *operation, pls_view a,
                                  int64_t *position) {
    int64_t *found = pls_cuda(device)->indices;
    pls_status status = PLS_OK;
    PLS_TRY(device->context,
            pls_cuda_launched(
                device,
                pls_launch_first_not_finite(pls_cuda_stream(device), pls_cuda_matrix(a), found),
                operation, a));
    PLS_TRY(device->context, pls_cuda_read(device, operation, found, sizeof *position, position));
cleanup:
    return status;
}

/* devInfo of the call before; negative values name an argument that the library refused. */
static pls_status read_info(pls_device *device, const char *name, const char *operation, pls_view a,
                            int *info) {
    pls_status status = PLS_OK;
    PLS_TRY(device->context,
            pls_cuda_read(device, operation, pls_cuda(device)->info, sizeof *info, info));
    if (*info < 0) {
        status = pls_fail(device->context, PLS_ERROR_DEVICE,
                          "%s: %s of %lld x %lld: %s refused its argument %d", device->name,
                          operation, (long long)a.rows, (long long)a.cols, name, -*info);
    }
cleanup:
    return status;
}

pls_status pls_cuda_potrf(pls_device *device, pls_view a, int64_t *failed_minor) {
    pls_context *context = device->context;
    pls_cuda_state *state = pls_cuda(device);
    cusolverDnHandle_t solver = pls_cuda_solver(device);
    solver_memory needed = {0, 0, NULL};
    int64_t position = 0;
    int info = 0;
    pls_status status = PLS_OK;
    pls_cuda_call call = {"cusolverDnXpotrf", "potrf", a.rows, a.cols};
    PLS_TRY(context,
            pls_cuda_check_solver(device,
                                  cusolverDnXpotrf_bufferSize(
                                      solver, state->solver_parameters, CUBLAS_FILL_MODE_UPPER,
                                      a.rows, CUDA_R_64F, pls_cuda_address(a), a.ld, CUDA_R_64F,
                                      &needed.device_bytes, &needed.host_bytes),
                                  call));
    PLS_TRY(context, take_memory(device, "the workspace of the Cholesky factorisation", &needed));
    PLS_TRY(context, pls_cuda_check_solver(
                         device,
                         cusolverDnXpotrf(solver, state->solver_parameters, CUBLAS_FILL_MODE_UPPER,
                                          a.rows, CUDA_R_64F, pls_cuda_address(a), a.ld, CUDA_R_64F,
                                          state->solver_workspace.memory, needed.device_bytes,
                                          needed.host, needed.host_bytes, state->info),
                         call));
    PLS_TRY(context, read_info(device, call.name, call.operation, a, &info));
    *failed_minor = info;
    if (info == 0) {
        /* A NaN passes the library's test of pivots and spreads along its row to the diagonal. */
        PLS_TRY(context, find_not_finite(device, "potrf", a, &position));
        *failed_minor = position == INT64_MAX ? 0 : position / a.rows + 1;
    }
cleanup:
    pls_release(context, needed.host);
    return status;
}

pls_status pls_cuda_potrs(pls_device *device, pls_view l, pls_view x) {
    pls_context *context = device->context;
    cublasHandle_t blas = pls_cuda_blas(device);
    const double one = 1.0;
    pls_status status = PLS_OK;
    pls_cuda_call call = {x.cols == 1 ? "cublasDtrsv" : "cublasDtrsm", "potrs", x.rows, x.cols};
    for (int pass = 0; pass < 2; pass++) {
        cublasStatus_t code;
        if (x.cols == 1) { /* L y = b is UT y = b */
            code = cublasDtrsv_64(blas, CUBLAS_FILL_MODE_UPPER,
                                  pass == 0 ? CUBLAS_OP_T : CUBLAS_OP_N, CUBLAS_DIAG_NON_UNIT,
                                  l.rows, pls_cuda_address(l), l.ld, pls_cuda_address(x), x.ld);
        } else {
            code =
                cublasDtrsm_64(blas, CUBLAS_SIDE_RIGHT, CUBLAS_FILL_MODE_UPPER,
                               pass == 0 ? CUBLAS_OP_N : CUBLAS_OP_T, CUBLAS_DIAG_NON_UNIT, x.cols,
                               l.rows, &one, pls_cuda_address(l), l.ld, pls_cuda_address(x), x.ld);
        }
        PLS_TRY(context, pls_cuda_check_blas(device, code, call));
    }
cleanup:
    return status;
}

/* Solvers may loop or return nonsense on infinities and NaN. */
static pls_status check_finite(pls_device *device, pls_view a) {
    int64_t position = 0;
    double value = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(device->context, find_not_finite(device, "syevd", a, &position));
    if (position != INT64_MAX) {
        int64_t i = position / a.rows, j = position % a.rows;
        const double *element = (const double *)pls_cuda_address(a) + i * a.ld + j;
        PLS_TRY(device->context, pls_cuda_read(device, "syevd", element, sizeof value, &value));
        status = pls_fail(device->context, PLS_ERROR_NUMERIC,
                          "eigenvalues: element (%lld, %lld) of the matrix is %g, so it has "
                          "none; look for the first step at which the kernel is not finite",
                          (long long)i, (long long)j, value);
    }
cleanup:
    return status;
}

pls_status pls_cuda_syevd(pls_device *device, bool vectors, pls_view a, pls_view values) {
    pls_context *context = device->context;
    pls_cuda_state *state = pls_cuda(device);
    cusolverDnHandle_t solver = pls_cuda_solver(device);
    cusolverEigMode_t mode = vectors ? CUSOLVER_EIG_MODE_VECTOR : CUSOLVER_EIG_MODE_NOVECTOR;
    solver_memory needed = {0, 0, NULL};
    int info = 0;
    pls_status status = PLS_OK;
    pls_cuda_call call = {"cusolverDnXsyevd", "syevd", a.rows, a.cols};
    PLS_TRY(context, check_finite(device, a));
    PLS_TRY(context, pls_cuda_check_solver(
                         device,
                         cusolverDnXsyevd_bufferSize(solver, state->solver_parameters, mode,
                                                     CUBLAS_FILL_MODE_UPPER, a.rows, CUDA_R_64F,
                                                     pls_cuda_address(a), a.ld, CUDA_R_64F,
                                                     pls_cuda_address(values), CUDA_R_64F,
                                                     &needed.device_bytes, &needed.host_bytes),
                         call));
    PLS_TRY(context, take_memory(device, "the workspace of the eigenvalues", &needed));
    PLS_TRY(context, pls_cuda_check_solver(
                         device,
                         cusolverDnXsyevd(
                             solver, state->solver_parameters, mode, CUBLAS_FILL_MODE_UPPER, a.rows,
                             CUDA_R_64F, pls_cuda_address(a), a.ld, CUDA_R_64F,
                             pls_cuda_address(values), CUDA_R_64F, state->solver_workspace.memory,
                             needed.device_bytes, needed.host, needed.host_bytes, state->info),
                         call));
    PLS_TRY(context, read_info(device, call.name, call.operation, a, &info));
    if (info > 0) {
        status = pls_fail(context, PLS_ERROR_NUMERIC,
                          "the eigenvalues of a matrix of order %lld did not converge (%s returned "
                          "%d); ask for the extremes only",
                          (long long)a.rows, call.name, info);
    }
cleanup:
    pls_release(context, needed.host);
    return status;
}
