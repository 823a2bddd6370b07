/* Between host and device: two page-locked buffers, the stages, used in turn.
 *
 * Only copies from and to page-locked memory run beside the host, and a caller's memory is rarely
 * that. A row-major matrix is cut into pieces that fit a stage; while the device copies one piece,
 * the host packs or unpacks the other. A stage is taken again once the event behind its last copy
 * has passed; uploads wait for nothing else. */
#include "cuda.h"

#include <limits.h>
#include <string.h>

pls_status pls_cuda_open_stages(pls_device *device) {
    pls_context *context = device->context;
    pls_cuda_state *state = pls_cuda(device);
    pls_status status = PLS_OK;
    for (int i = 0; i < PLS_STAGES; i++) {
        pls_stage *stage = &state->stages[i];
        PLS_TRY(context, pls_cuda_check(device, cudaMallocHost(&stage->memory, PLS_STAGE_BYTES),
                                        (pls_cuda_call){"cudaMallocHost", "a stage", 0, 0}));
        PLS_TRY(context,
                pls_cuda_check(device,
                               cudaEventCreateWithFlags(&stage->copied, cudaEventDisableTiming),
                               (pls_cuda_call){"cudaEventCreate", "a stage", 0, 0}));
    }
cleanup:
    return status;
}

void pls_cuda_close_stages(pls_device *device) {
    for (int i = 0; i < PLS_STAGES; i++) {
        pls_stage *stage = &pls_cuda(device)->stages[i];
        if (stage->copied != NULL) {
            (void)cudaEventDestroy(stage->copied);
        }
        (void)cudaFreeHost(stage->memory);
    }
}

/* The next stage, once the last copy that used it is over. */
static pls_status take_stage(pls_device *device, const char *operation, pls_stage **stage) {
    pls_cuda_state *state = pls_cuda(device);
    *stage = &state->stages[state->next_stage];
    state->next_stage = (state->next_stage + 1) % PLS_STAGES;
    return pls_cuda_check(device, cudaEventSynchronize((*stage)->copied),
                          (pls_cuda_call){"cudaEventSynchronize", operation, 0, 0});
}

static pls_status mark_stage(pls_device *device, const char *operation, pls_stage *stage) {
    return pls_cuda_check(device, cudaEventRecord(stage->copied, pls_cuda_stream(device)),
                          (pls_cuda_call){"cudaEventRecord", operation, 0, 0});
}

/* A two-dimensional copy has 32-bit distances between rows; longer rows go one by one. */
pls_status pls_cuda_move(pls_device *device, const char *operation, const void *src,
                         int64_t src_pitch, void *dst, int64_t dst_pitch, int64_t width,
                         int64_t rows, enum cudaMemcpyKind kind) {
    cudaStream_t stream = pls_cuda_stream(device);
    cudaError_t code = cudaSuccess;
    if (src_pitch == width && dst_pitch == width) {
        width *= rows;
        rows = 1;
    }
    if (rows > 1 && src_pitch <= INT_MAX && dst_pitch <= INT_MAX) {
        code = cudaMemcpy2DAsync(dst, (size_t)dst_pitch, src, (size_t)src_pitch, (size_t)width,
                                 (size_t)rows, kind, stream);
        return pls_cuda_check(device, code, (pls_cuda_call){"cudaMemcpy2DAsync", operation, 0, 0});
    }
    for (int64_t i = 0; code == cudaSuccess && i < rows; i++) {
        code = cudaMemcpyAsync((char *)dst + i * dst_pitch, (const char *)src + i * src_pitch,
                               (size_t)width, kind, stream);
    }
    return pls_cuda_check(device, code, (pls_cuda_call){"cudaMemcpyAsync", operation, 0, 0});
}

static void pack(const void *src, int64_t src_pitch, void *dst, int64_t dst_pitch, int64_t width,
                 int64_t rows) {
    for (int64_t i = 0; i < rows; i++) {
        memcpy((char *)dst + i * dst_pitch, (const char *)src + i * src_pitch, (size_t)width);
    }
}

/* A part of a matrix that fits a stage: whole rows, or a part of one row. Bytes. */
typedef struct piece {
    int64_t row, rows, start, width;
} piece;

/* The piece after *p (the first one after {0}) of a matrix; false when there is none. */
static bool next_piece(int64_t rows, int64_t width, piece *p) {
    p->start += p->width;
    if (p->start >= width || p->width == 0) {
        p->start = 0;
        p->row += p->rows;
    }
    p->width = pls_smaller(width - p->start, PLS_STAGE_BYTES);
    p->rows = width > PLS_STAGE_BYTES ? 1 : pls_smaller(rows - p->row, PLS_STAGE_BYTES / width);
    return p->row < rows;
}

static int64_t piece_offset(const piece *p, int64_t pitch) {
    return p->row * pitch + p->start;
}

pls_status pls_cuda_upload(pls_device *device, const void *host, int64_t host_ld, pls_view dst) {
    pls_context *context = device->context;
    int64_t size = pls_dtype_size(dst.dtype);
    int64_t width = dst.cols * size, host_pitch = host_ld * size, dst_pitch = dst.ld * size;
    char *memory = pls_cuda_address(dst);
    pls_status status = PLS_OK;
    for (piece p = {0}; next_piece(dst.rows, width, &p);) {
        pls_stage *stage = NULL;
        PLS_TRY(context, take_stage(device, "upload", &stage));
        pack((const char *)host + piece_offset(&p, host_pitch), host_pitch, stage->memory, p.width,
             p.width, p.rows);
        PLS_TRY(context, pls_cuda_move(device, "upload", stage->memory, p.width,
                                       memory + piece_offset(&p, dst_pitch), dst_pitch, p.width,
                                       p.rows, cudaMemcpyHostToDevice));
        PLS_TRY(context, mark_stage(device, "upload", stage));
    }
cleanup:
    return status;
}

/* A piece on its way to the host. */
typedef struct arrival {
    pls_stage *stage; /* NULL: none */
    piece part;
} arrival;

static pls_status unpack(pls_device *device, arrival *arrived, char *host, int64_t host_pitch) {
    const piece *p = &arrived->part;
    pls_status status = PLS_OK;
    if (arrived->stage == NULL) {
        return PLS_OK;
    }
    PLS_TRY(device->context,
            pls_cuda_check(device, cudaEventSynchronize(arrived->stage->copied),
                           (pls_cuda_call){"cudaEventSynchronize", "download", 0, 0}));
    pack(arrived->stage->memory, p->width, host + piece_offset(p, host_pitch), host_pitch, p->width,
         p->rows);
cleanup:
    return status;
}

pls_status pls_cuda_download(pls_device *device, pls_view src, void *host, int64_t host_ld) {
    pls_context *context = device->context;
    int64_t size = pls_dtype_size(src.dtype);
    int64_t width = src.cols * size, host_pitch = host_ld * size, src_pitch = src.ld * size;
    const char *memory = pls_cuda_address(src);
    arrival before = {NULL, {0}};
    pls_status status = PLS_OK;
    for (piece p = {0}; next_piece(src.rows, width, &p);) {
        arrival now = {NULL, p};
        PLS_TRY(context, take_stage(device, "download", &now.stage));
        PLS_TRY(context,
                pls_cuda_move(device, "download", memory + piece_offset(&p, src_pitch), src_pitch,
                              now.stage->memory, p.width, p.width, p.rows, cudaMemcpyDeviceToHost));
        PLS_TRY(context, mark_stage(device, "download", now.stage));
        PLS_TRY(context, unpack(device, &before, host, host_pitch));
        before = now;
    }
    PLS_TRY(context, unpack(device, &before, host, host_pitch));
cleanup:
    return status;
}

pls_status pls_cuda_read(pls_device *device, const char *operation, const void *memory,
                         int64_t bytes, void *host) {
    pls_context *context = device->context;
    pls_stage *stage = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, take_stage(device, operation, &stage));
    PLS_TRY(context, pls_cuda_move(device, operation, memory, bytes, stage->memory, bytes, bytes, 1,
                                   cudaMemcpyDeviceToHost));
    PLS_TRY(context, pls_cuda_check(device, cudaStreamSynchronize(pls_cuda_stream(device)),
                                    (pls_cuda_call){"cudaStreamSynchronize", operation, 0, 0}));
    memcpy(host, stage->memory, (size_t)bytes);
cleanup:
    return status;
}

pls_status pls_cuda_write(pls_device *device, const char *operation, const void *host,
                          int64_t bytes, void *memory) {
    pls_context *context = device->context;
    pls_stage *stage = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, take_stage(device, operation, &stage));
    memcpy(stage->memory, host, (size_t)bytes);
    PLS_TRY(context, pls_cuda_move(device, operation, stage->memory, bytes, memory, bytes, bytes, 1,
                                   cudaMemcpyHostToDevice));
    PLS_TRY(context, mark_stage(device, operation, stage));
cleanup:
    return status;
}
