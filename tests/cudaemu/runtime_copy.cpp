/* Copies and fills.
 *
 * When the host's side is read or written follows from what it is, as CUDA documents: a copy from
 * pageable memory has read it when the call returns, a copy into pageable memory has completed,
 * and page-locked memory is read and written when the stream gets there. */
#include "device_memory.h"
#include "entry.h"
#include "fault.h"
#include "page_locked.h"
#include "queue.h"

#include <cstring>
#include <memory>
#include <vector>

#include <cuda_runtime_api.h>

using namespace cudaemu;

namespace {

/* `height` rows of `width` bytes. */
struct rectangle {
    char *begin;
    size_t pitch, width, height;

    size_t extent() const {
        return width == 0 || height == 0 ? 0 : (height - 1) * pitch + width;
    }
    char *row(size_t i) const {
        return begin + i * pitch;
    }
};

enum class side { device, page_locked, pageable };

} // namespace

static void copy_rows(rectangle dst, rectangle src) {
    for (size_t i = 0; i < dst.height; i++) {
        std::memcpy(dst.row(i), src.row(i), dst.width);
    }
}

static side side_of(const rectangle &range) {
    return is_device_address(range.begin)    ? side::device
           : begins_page_locked(range.begin) ? side::page_locked
                                             : side::pageable;
}

static bool is_whole(const rectangle &range, side where) {
    return where == side::device        ? is_allocated(range.begin, range.extent())
           : where == side::page_locked ? is_page_locked(range.begin, range.extent())
                                        : range.begin != nullptr;
}

static bool fits_kind(side dst, side src, cudaMemcpyKind kind) {
    bool from_device = src == side::device, to_device = dst == side::device;
    switch (kind) {
    case cudaMemcpyHostToDevice:
        return !from_device && to_device;
    case cudaMemcpyDeviceToHost:
        return from_device && !to_device;
    case cudaMemcpyDeviceToDevice:
        return from_device && to_device;
    case cudaMemcpyHostToHost:
        return !from_device && !to_device;
    default:
        return kind == cudaMemcpyDefault;
    }
}

/* The rows as they are now. */
static std::shared_ptr<std::vector<char>> snapshot(const rectangle &src) {
    auto bytes = std::make_shared<std::vector<char>>(src.width * src.height);
    copy_rows({bytes->data(), src.width, src.width, src.height}, src);
    return bytes;
}

/* What was valid at the call may have been freed before the stream got there. */
static void require_still_whole(const rectangle &range, side where, const char *function) {
    if (where != side::pageable && !is_whole(range, where)) {
        fault(std::string(function) + ": memory was freed before the copy ran");
    }
}

static void submit_copy(CUstream_st *stream, const char *function, rectangle dst, side dst_side,
                        rectangle src, side src_side) {
    std::shared_ptr<std::vector<char>> taken;
    if (src_side == side::pageable) {
        taken = snapshot(src);
        src = {taken->data(), src.width, src.width, src.height};
    }
    submit(stream, function, [=] {
        require_still_whole(dst, dst_side, function);
        require_still_whole(src, taken ? side::pageable : src_side, function);
        copy_rows(dst, src);
    });
    if (dst_side == side::pageable) {
        synchronize(stream);
    }
}

static cudaError_t copy(const char *function, rectangle dst, rectangle src, cudaMemcpyKind kind,
                        cudaStream_t handle) {
    CUstream_st *stream = find_stream(handle);
    if (stream == nullptr) {
        return cudaErrorInvalidResourceHandle;
    }
    if (dst.height > 1 && (dst.pitch < dst.width || src.pitch < src.width)) {
        return cudaErrorInvalidPitchValue;
    }
    if (dst.extent() == 0) {
        return cudaSuccess;
    }
    side dst_side = side_of(dst), src_side = side_of(src);
    if (!fits_kind(dst_side, src_side, kind)) {
        return cudaErrorInvalidMemcpyDirection;
    }
    if (!is_whole(dst, dst_side) || !is_whole(src, src_side)) {
        return cudaErrorInvalidValue;
    }
    submit_copy(stream, function, dst, dst_side, src, src_side);
    return cudaSuccess;
}

/* The source is only read; one type of rectangle serves both. */
static rectangle source(const void *begin, size_t pitch, size_t width, size_t height) {
    return {static_cast<char *>(const_cast<void *>(begin)), pitch, width, height};
}

static rectangle target(void *begin, size_t pitch, size_t width, size_t height) {
    return {static_cast<char *>(begin), pitch, width, height};
}

static cudaError_t copy_and_wait(entry &call, const char *function, rectangle dst, rectangle src,
                                 cudaMemcpyKind kind) {
    if (call.refused()) {
        return call.code();
    }
    cudaError_t code = copy(function, dst, src, kind, nullptr);
    if (code == cudaSuccess) {
        synchronize(find_stream(nullptr));
    }
    return call.done(code);
}

cudaError_t cudaMemcpy(void *dst, const void *src, size_t bytes, cudaMemcpyKind kind) {
    entry call("cudaMemcpy");
    return copy_and_wait(call, "cudaMemcpy", target(dst, bytes, bytes, 1),
                         source(src, bytes, bytes, 1), kind);
}

cudaError_t cudaMemcpy2D(void *dst, size_t dst_pitch, const void *src, size_t src_pitch,
                         size_t width, size_t height, cudaMemcpyKind kind) {
    entry call("cudaMemcpy2D");
    return copy_and_wait(call, "cudaMemcpy2D", target(dst, dst_pitch, width, height),
                         source(src, src_pitch, width, height), kind);
}

cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
    entry call("cudaMemcpyAsync");
    if (call.refused()) {
        return call.code();
    }
    return call.done(copy("cudaMemcpyAsync", target(dst, bytes, bytes, 1),
                          source(src, bytes, bytes, 1), kind, stream));
}

cudaError_t cudaMemcpy2DAsync(void *dst, size_t dst_pitch, const void *src, size_t src_pitch,
                              size_t width, size_t height, cudaMemcpyKind kind,
                              cudaStream_t stream) {
    entry call("cudaMemcpy2DAsync");
    if (call.refused()) {
        return call.code();
    }
    return call.done(copy("cudaMemcpy2DAsync", target(dst, dst_pitch, width, height),
                          source(src, src_pitch, width, height), kind, stream));
}

static cudaError_t fill(const char *function, rectangle dst, int value, cudaStream_t handle) {
    CUstream_st *stream = find_stream(handle);
    if (stream == nullptr) {
        return cudaErrorInvalidResourceHandle;
    }
    if (dst.height > 1 && dst.pitch < dst.width) {
        return cudaErrorInvalidPitchValue;
    }
    if (dst.extent() == 0) {
        return cudaSuccess;
    }
    if (!is_allocated(dst.begin, dst.extent())) {
        return cudaErrorInvalidValue;
    }
    submit(stream, function, [=] {
        require_still_whole(dst, side::device, function);
        for (size_t i = 0; i < dst.height; i++) {
            std::memset(dst.row(i), value, dst.width);
        }
    });
    return cudaSuccess;
}

cudaError_t cudaMemset(void *dst, int value, size_t bytes) {
    entry call("cudaMemset");
    if (call.refused()) {
        return call.code();
    }
    return call.done(fill("cudaMemset", target(dst, bytes, bytes, 1), value, nullptr));
}

cudaError_t cudaMemsetAsync(void *dst, int value, size_t bytes, cudaStream_t stream) {
    entry call("cudaMemsetAsync");
    if (call.refused()) {
        return call.code();
    }
    return call.done(fill("cudaMemsetAsync", target(dst, bytes, bytes, 1), value, stream));
}

cudaError_t cudaMemset2DAsync(void *dst, size_t pitch, int value, size_t width, size_t height,
                              cudaStream_t stream) {
    entry call("cudaMemset2DAsync");
    if (call.refused()) {
        return call.code();
    }
    return call.done(fill("cudaMemset2DAsync", target(dst, pitch, width, height), value, stream));
}
