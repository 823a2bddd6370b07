/* Device memory: buffers, copies between them, and rows gathered by index.
 *
 * A buffer is one plain allocation; whoever computes takes a single one and cuts it up
 * (backend/arena.h), so allocation is rare. */
#include "cuda.h"

#include "base/memory.h"

#include <string.h>

pls_status pls_cuda_take(pls_device *device, const char *what, int64_t bytes, void **memory) {
    void *taken = NULL;
    pls_status status = PLS_OK;
    pls_cuda_make_current(device);
    cudaError_t code = cudaMalloc(&taken, (size_t)bytes);
    *memory = NULL;
    if (code == cudaErrorMemoryAllocation) {
        return pls_cuda_fail_memory(device, what, bytes);
    }
    PLS_TRY(device->context,
            pls_cuda_check(device, code, (pls_cuda_call){"cudaMalloc", what, 0, 0}));
    *memory = taken;
    taken = NULL;
cleanup:
    (void)cudaFree(taken);
    return status;
}

pls_status pls_cuda_grow(pls_device *device, const char *what, int64_t bytes,
                         pls_workspace *workspace) {
    if (bytes <= workspace->bytes) {
        return PLS_OK;
    }
    (void)cudaFree(workspace->memory); /* waits for work that uses it */
    workspace->bytes = 0;
    pls_status status = pls_cuda_take(device, what, bytes, &workspace->memory);
    if (status == PLS_OK) {
        workspace->bytes = bytes;
    }
    return status;
}

pls_status pls_cuda_allocate(pls_device *device, int64_t bytes, pls_buffer **buffer) {
    pls_buffer *created = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(device->context,
            pls_allocate(device->context, 1, sizeof *created, "a buffer", &created));
    PLS_TRY(device->context, pls_cuda_take(device, "a buffer", bytes, &created->memory));
    created->bytes = bytes;
    *buffer = created;
    return PLS_OK;
cleanup:
    pls_release(device->context, created);
    return status;
}

void pls_cuda_release(pls_device *device, pls_buffer *buffer) {
    (void)cudaSetDevice(pls_cuda(device)->ordinal);
    (void)cudaFree(buffer->memory);
    pls_release(device->context, buffer);
}

pls_status pls_cuda_memory_info(pls_device *device, int64_t *available, int64_t *total) {
    size_t free_bytes = 0, all_bytes = 0;
    pls_cuda_make_current(device);
    pls_status status =
        pls_cuda_check(device, cudaMemGetInfo(&free_bytes, &all_bytes),
                       (pls_cuda_call){"cudaMemGetInfo", "the amount of memory", 0, 0});
    *available = (int64_t)free_bytes;
    *total = (int64_t)all_bytes;
    return status;
}

pls_status pls_cuda_copy(pls_device *device, pls_view src, pls_view dst) {
    if (src.dtype != dst.dtype) {
        return pls_cuda_launched(
            device,
            pls_launch_convert(pls_cuda_stream(device), pls_cuda_matrix(src), pls_cuda_matrix(dst)),
            "copy", dst);
    }
    int64_t size = pls_dtype_size(dst.dtype);
    return pls_cuda_move(device, "copy", pls_cuda_address(src), src.ld * size,
                         pls_cuda_address(dst), dst.ld * size, dst.cols * size, dst.rows,
                         cudaMemcpyDeviceToDevice);
}

/* The indices travel in parts that fit their place on the device. */
pls_status pls_cuda_gather_rows(pls_device *device, pls_view src, const int64_t *rows,
                                pls_view dst) {
    pls_context *context = device->context;
    int64_t *indices = pls_cuda(device)->indices;
    pls_status status = PLS_OK;
    for (int64_t first = 0; first < dst.rows; first += PLS_GATHER_ROWS) {
        int64_t count = pls_smaller(PLS_GATHER_ROWS, dst.rows - first);
        pls_view part = pls_view_rows(dst, first, count);
        PLS_TRY(context, pls_cuda_write(device, "gather_rows", rows + first,
                                        count * (int64_t)sizeof *rows, indices));
        PLS_TRY(context, pls_cuda_launched(device,
                                           pls_launch_gather_rows(pls_cuda_stream(device),
                                                                  pls_cuda_matrix(src), indices,
                                                                  pls_cuda_matrix(part)),
                                           "gather_rows", part));
    }
cleanup:
    return status;
}
