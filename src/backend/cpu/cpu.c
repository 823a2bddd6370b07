/* The CPU backend: its table, and opening and closing an instance. */
#include "backend/cpu/cpu.h"

#include "base/memory.h"

#include <cblas.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

enum { PIECE = 8192 }; /* elements that a thread takes at a time */

/* An element of an activation costs about as much as so many multiply-adds. */
enum { ELEMENT_WORK = 4 };

void pls_cpu_for_elements(pls_device *device, int64_t rows, int64_t cols, pls_cpu_kernel *kernel,
                          const void *arguments) {
    int64_t count = rows * cols, pieces = (count + PIECE - 1) / PIECE;
    int threads = pls_cpu_threads(device, ELEMENT_WORK * (double)count);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t piece = 0; piece < pieces; piece++) {
        int64_t end = pls_least((piece + 1) * PIECE, count);
        for (int64_t e = piece * PIECE; e < end;) {
            int64_t row = e / cols, col = e % cols;
            int64_t length = pls_least(cols - col, end - e);
            kernel(arguments, row, col, length);
            e += length;
        }
    }
}

void pls_cpu_flatten(pls_view *x, pls_view *y) {
    if (pls_view_is_contiguous(*x) && pls_view_is_contiguous(*y)) {
        *x = pls_view_reshape(*x, 1, pls_view_count(*x));
        *y = pls_view_reshape(*y, 1, pls_view_count(*y));
    }
}

/* The processor's name as the system reports it, "" where it does not. */
static void processor_name(char *name, size_t size) {
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    name[0] = '\0';
    while (file != NULL && name[0] == '\0' && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            snprintf(name, size, "%.60s", colon + 2);
            name[strcspn(name, "\n")] = '\0';
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

/* "OpenBLAS 0.3.21 NO_LAPACKE ..." -> "OpenBLAS 0.3.21" */
static int library_name_length(const char *config) {
    size_t first = strcspn(config, " ");
    return (int)(config[first] == '\0' ? first : first + 1 + strcspn(config + first + 1, " "));
}

static pls_status cpu_open(pls_device *device, int ordinal, int threads) {
    (void)ordinal;
    pls_cpu_state *state = NULL;
    pls_status status = pls_allocate(device->context, 1, sizeof *state, "the CPU device", &state);
    if (status != PLS_OK) {
        return status;
    }
    state->threads = threads > 0 ? threads : omp_get_max_threads();
    state->blas_threads = openblas_get_num_threads();
    device->state = state;
    PLS_TRY(device->context, pls_cpu_reserve_blas(device));
    state->resident = pls_cpu_resident_bytes();
    char processor[64];
    processor_name(processor, sizeof processor);
    const char *config = openblas_get_config();
    snprintf(device->description, sizeof device->description, "%s%s%d thread%s, %.*s (%s)",
             processor, processor[0] != '\0' ? ", " : "", state->threads,
             state->threads == 1 ? "" : "s", library_name_length(config), config,
             openblas_get_corename());
cleanup:
    if (status != PLS_OK) {
        openblas_set_num_threads(state->blas_threads);
        pls_release(device->context, state);
        device->state = NULL;
    }
    return status;
}

static void cpu_close(pls_device *device) {
    openblas_set_num_threads(pls_cpu(device)->blas_threads);
    pls_release(device->context, device->state);
}

/* Every operation has finished when its call returns. */
static pls_status cpu_synchronize(pls_device *device) {
    (void)device;
    return PLS_OK;
}

const pls_backend pls_cpu_backend = {
    .version = PLS_BACKEND_VERSION,
    .build = PLSTAR_VERSION,
    .name = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .allocate = pls_cpu_allocate,
    .release = pls_cpu_release,
    .memory_info = pls_cpu_memory_info,
    .upload = pls_cpu_upload,
    .download = pls_cpu_download,
    .copy = pls_cpu_copy,
    .fill = pls_cpu_fill,
    .synchronize = cpu_synchronize,
    .event_create = pls_cpu_event_create,
    .event_destroy = pls_cpu_event_destroy,
    .event_record = pls_cpu_event_record,
    .event_elapsed = pls_cpu_event_elapsed,
    .gemm = pls_cpu_gemm,
    .gemm_batched = pls_cpu_gemm_batched,
    .syrk = pls_cpu_syrk,
    .gram = pls_cpu_gram,
    .gram_description = pls_cpu_gram_description,
    .axpby = pls_cpu_axpby,
    .multiply_accumulate = pls_cpu_multiply_accumulate,
    .bias_activation = pls_cpu_bias_activation,
    .activation_derivative = pls_cpu_activation_derivative,
    .hadamard_accumulate = pls_cpu_hadamard_accumulate,
    .position_accumulate = pls_cpu_position_accumulate,
    .outer_rows = pls_cpu_outer_rows,
    .unit_rows = pls_cpu_unit_rows,
    .add_diagonal = pls_cpu_add_diagonal,
    .symmetrize = pls_cpu_symmetrize,
    .gather_rows = pls_cpu_gather_rows,
    .square_loss = pls_cpu_square_loss,
    .cross_entropy_loss = pls_cpu_cross_entropy_loss,
    .softmax_product = pls_cpu_softmax_product,
    .sum = pls_cpu_sum,
    .dot = pls_cpu_dot,
    .squared_distance = pls_cpu_squared_distance,
    .max_abs = pls_cpu_max_abs,
    .column_sum = pls_cpu_column_sum,
    .random_uniform = pls_cpu_random_uniform,
    .random_normal = pls_cpu_random_normal,
    .potrf = pls_cpu_potrf,
    .potrs = pls_cpu_potrs,
    .syevd = pls_cpu_syevd,
    .symv = pls_cpu_symv,
    .im2col = pls_cpu_im2col,
    .col2im = pls_cpu_col2im,
    .average_pool = pls_cpu_average_pool,
    .average_pool_backward = pls_cpu_average_pool_backward,
};
