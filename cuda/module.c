/* The CUDA backend: its table, the entry of the module, and opening and closing an instance. */
#include "cuda.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

/* What cuBLAS asks for on its largest devices; one fixed workspace also keeps its choices, and so
 * the bits, the same from call to call. */
static const int64_t BLAS_WORKSPACE = (int64_t)32 << 20;

/* It costs nothing when the device is current already. */
void pls_cuda_make_current(pls_device *device) {
    cudaError_t code = cudaSetDevice(pls_cuda(device)->ordinal);
    if (code != cudaSuccess) {
        pls_cuda(device)->current = code;
    }
}

cudaStream_t pls_cuda_stream(pls_device *device) {
    pls_cuda_make_current(device);
    return pls_cuda(device)->stream;
}

cublasHandle_t pls_cuda_blas(pls_device *device) {
    pls_cuda_make_current(device);
    return pls_cuda(device)->blas;
}

cusolverDnHandle_t pls_cuda_solver(pls_device *device) {
    pls_cuda_make_current(device);
    return pls_cuda(device)->solver;
}

static pls_cuda_call opening(const char *name) {
    pls_cuda_call call = {name, "opening the device", 0, 0};
    return call;
}

static pls_status find_gpu(pls_device *device) {
    pls_cuda_state *state = pls_cuda(device);
    int count = 0;
    cudaError_t code = cudaGetDeviceCount(&count);
    if (code != cudaSuccess || count == 0) {
        return pls_cuda_fail_start(device, code != cudaSuccess ? code : cudaErrorNoDevice);
    }
    if (state->ordinal >= count) {
        return pls_fail(device->context, PLS_ERROR_DEVICE,
                        "device \"%s\" was asked for, and this machine has %d CUDA device%s "
                        "(cuda:0%s)",
                        device->name, count, count == 1 ? "" : "s", count == 1 ? "" : ", ...");
    }
    struct cudaDeviceProp properties;
    pls_status status = PLS_OK;
    PLS_TRY(device->context,
            pls_cuda_check(device, cudaSetDevice(state->ordinal), opening("cudaSetDevice")));
    PLS_TRY(device->context,
            pls_cuda_check(device, cudaGetDeviceProperties(&properties, state->ordinal),
                           opening("cudaGetDeviceProperties")));
    int driver = 0;
    PLS_TRY(device->context,
            pls_cuda_check(device, cudaDriverGetVersion(&driver), opening("cudaDriverGetVersion")));
    snprintf(state->gpu, sizeof state->gpu, "%.60s", properties.name);
    snprintf(state->capability, sizeof state->capability, "%d.%d", properties.major,
             properties.minor);
    snprintf(device->description, sizeof device->description,
             "%s, compute capability %s, %d multiprocessors, driver for CUDA %d.%d", state->gpu,
             state->capability, properties.multiProcessorCount, driver / 1000, driver % 1000 / 10);
cleanup:
    return status;
}

static pls_status open_memory(pls_device *device) {
    pls_context *context = device->context;
    pls_cuda_state *state = pls_cuda(device);
    int64_t scratch = PLS_REDUCE_BLOCKS * (int64_t)sizeof *state->scratch;
    int64_t indices = PLS_GATHER_ROWS * (int64_t)sizeof *state->indices;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_cuda_open_stages(device));
    PLS_TRY(context, pls_cuda_take(device, "the workspace of cuBLAS", BLAS_WORKSPACE,
                                   &state->blas_workspace));
    PLS_TRY(context,
            pls_cuda_take(device, "the places of reductions",
                          scratch + indices + (int64_t)sizeof *state->info, &state->small));
    state->scratch = state->small;
    state->indices = (int64_t *)((char *)state->small + scratch);
    state->info = (int *)((char *)state->indices + indices);
cleanup:
    return status;
}

static pls_status open_libraries(pls_device *device) {
    pls_context *context = device->context;
    pls_cuda_state *state = pls_cuda(device);
    cublasMath_t math = CUBLAS_DEFAULT_MATH | CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
    pls_status status = PLS_OK;
    PLS_TRY(context,
            pls_cuda_check_blas(device, cublasCreate(&state->blas), opening("cublasCreate")));
    PLS_TRY(context, pls_cuda_check_blas(device, cublasSetStream(state->blas, state->stream),
                                         opening("cublasSetStream")));
    PLS_TRY(context, pls_cuda_check_blas(device,
                                         cublasSetWorkspace(state->blas, state->blas_workspace,
                                                            (size_t)BLAS_WORKSPACE),
                                         opening("cublasSetWorkspace")));
    PLS_TRY(context, pls_cuda_check_blas(device, cublasSetMathMode(state->blas, math),
                                         opening("cublasSetMathMode")));
    PLS_TRY(context, pls_cuda_check_solver(device, cusolverDnCreate(&state->solver),
                                           opening("cusolverDnCreate")));
    PLS_TRY(context,
            pls_cuda_check_solver(device, cusolverDnSetStream(state->solver, state->stream),
                                  opening("cusolverDnSetStream")));
    PLS_TRY(context,
            pls_cuda_check_solver(device, cusolverDnCreateParams(&state->solver_parameters),
                                  opening("cusolverDnCreateParams")));
cleanup:
    return status;
}

/* Runs one kernel, so that a GPU without code in this build is refused now. */
static pls_status try_kernel(pls_device *device) {
    pls_cuda_state *state = pls_cuda(device);
    pls_matrix scratch = {state->scratch, 1, PLS_REDUCE_BLOCKS, PLS_REDUCE_BLOCKS, PLS_F64};
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_cuda_check(device, pls_launch_fill(state->stream, 0.0, scratch),
                                            opening("cudaLaunchKernelExC")));
    PLS_TRY(device->context, pls_cuda_check(device, cudaStreamSynchronize(state->stream),
                                            opening("cudaStreamSynchronize")));
cleanup:
    return status;
}

static void cuda_close(pls_device *device) {
    pls_cuda_state *state = pls_cuda(device);
    (void)cudaSetDevice(state->ordinal);
    if (state->solver_parameters != NULL) {
        (void)cusolverDnDestroyParams(state->solver_parameters);
    }
    if (state->solver != NULL) {
        (void)cusolverDnDestroy(state->solver);
    }
    if (state->blas != NULL) {
        (void)cublasDestroy(state->blas);
    }
    if (state->stream != NULL) {
        (void)cudaStreamSynchronize(state->stream);
    }
    (void)cudaFree(state->solver_workspace.memory);
    (void)cudaFree(state->small);
    (void)cudaFree(state->blas_workspace);
    pls_cuda_close_stages(device);
    if (state->stream != NULL) {
        (void)cudaStreamDestroy(state->stream);
    }
    pls_release(device->context, state);
    device->state = NULL;
}

static pls_status cuda_open(pls_device *device, int ordinal, int threads) {
    pls_context *context = device->context;
    pls_cuda_state *state = NULL;
    pls_status status = PLS_OK;
    (void)threads; /* of the CPU */
    PLS_TRY(context, pls_allocate(context, 1, sizeof *state, "the CUDA device", &state));
    state->ordinal = ordinal;
    device->state = state;
    snprintf(device->name, sizeof device->name, "cuda:%d", ordinal);
    PLS_TRY(context, find_gpu(device));
    PLS_TRY(context,
            pls_cuda_check(device, cudaStreamCreateWithFlags(&state->stream, cudaStreamNonBlocking),
                           opening("cudaStreamCreateWithFlags")));
    PLS_TRY(context, open_memory(device));
    PLS_TRY(context, open_libraries(device));
    PLS_TRY(context, try_kernel(device));
cleanup:
    if (status != PLS_OK && device->state != NULL) {
        cuda_close(device);
    }
    return status;
}

static pls_status cuda_synchronize(pls_device *device) {
    return pls_cuda_check(device, cudaStreamSynchronize(pls_cuda_stream(device)),
                          (pls_cuda_call){"cudaStreamSynchronize", "waiting for the queue", 0, 0});
}

static const pls_backend cuda_backend = {
    .version = PLS_BACKEND_VERSION,
    .build = PLSTAR_VERSION,
    .name = "cuda",
    .open = cuda_open,
    .close = cuda_close,
    .allocate = pls_cuda_allocate,
    .release = pls_cuda_release,
    .memory_info = pls_cuda_memory_info,
    .upload = pls_cuda_upload,
    .download = pls_cuda_download,
    .copy = pls_cuda_copy,
    .fill = pls_cuda_fill,
    .synchronize = cuda_synchronize,
    .event_create = pls_cuda_event_create,
    .event_destroy = pls_cuda_event_destroy,
    .event_record = pls_cuda_event_record,
    .event_elapsed = pls_cuda_event_elapsed,
    .range_begin = pls_cuda_range_begin,
    .range_end = pls_cuda_range_end,
    .gemm = pls_cuda_gemm,
    .gemm_batched = pls_cuda_gemm_batched,
    .syrk = pls_cuda_syrk,
    .gram = pls_cuda_gram,
    .gram_description = pls_cuda_gram_description,
    .axpby = pls_cuda_axpby,
    .multiply_accumulate = pls_cuda_multiply_accumulate,
    .bias_activation = pls_cuda_bias_activation,
    .activation_derivative = pls_cuda_activation_derivative,
    .hadamard_accumulate = pls_cuda_hadamard_accumulate,
    .position_accumulate = pls_cuda_position_accumulate,
    .outer_rows = pls_cuda_outer_rows,
    .unit_rows = pls_cuda_unit_rows,
    .add_diagonal = pls_cuda_add_diagonal,
    .symmetrize = pls_cuda_symmetrize,
    .gather_rows = pls_cuda_gather_rows,
    .square_loss = pls_cuda_square_loss,
    .cross_entropy_loss = pls_cuda_cross_entropy_loss,
    .softmax_product = pls_cuda_softmax_product,
    .sum = pls_cuda_sum,
    .dot = pls_cuda_dot,
    .squared_distance = pls_cuda_squared_distance,
    .max_abs = pls_cuda_max_abs,
    .column_sum = pls_cuda_column_sum,
    .random_uniform = pls_cuda_random_uniform,
    .random_normal = pls_cuda_random_normal,
    .potrf = pls_cuda_potrf,
    .potrs = pls_cuda_potrs,
    .syevd = pls_cuda_syevd,
    .symv = pls_cuda_symv,
    .im2col = pls_cuda_im2col,
    .col2im = pls_cuda_col2im,
    .average_pool = pls_cuda_average_pool,
    .average_pool_backward = pls_cuda_average_pool_backward,
};

/* The only symbol of the module. */
__attribute__((visibility("default"))) const pls_backend *pls_backend_entry(void);

const pls_backend *pls_backend_entry(void) {
    return &cuda_backend;
}
