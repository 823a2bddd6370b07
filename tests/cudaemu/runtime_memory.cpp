/* Allocation: device memory, and page-locked memory of the host. */
#include "cudaemu.h"
#include "device_memory.h"
#include "entry.h"
#include "page_locked.h"
#include "queue.h"

#include <cuda_runtime_api.h>

using namespace cudaemu;

static cudaError_t allocate_device(void **address, size_t bytes) {
    if (address == nullptr) {
        return cudaErrorInvalidValue;
    }
    *address = nullptr;
    if (bytes == 0) {
        return cudaSuccess;
    }
    *address = allocate(bytes);
    return *address == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}

cudaError_t cudaMalloc(void **address, size_t bytes) {
    entry call("cudaMalloc");
    return call.refused() ? call.code() : call.done(allocate_device(address, bytes));
}

cudaError_t cudaMallocAsync(void **address, size_t bytes, cudaStream_t handle) {
    entry call("cudaMallocAsync");
    if (call.refused()) {
        return call.code();
    }
    if (find_stream(handle) == nullptr) {
        return call.done(cudaErrorInvalidResourceHandle);
    }
    return call.done(allocate_device(address, bytes));
}

cudaError_t cudaFree(void *address) {
    entry call("cudaFree");
    synchronize_device();
    bool freed = address == nullptr || release(address);
    return call.done(freed ? cudaSuccess : cudaErrorInvalidValue);
}

cudaError_t cudaFreeAsync(void *address, cudaStream_t handle) {
    entry call("cudaFreeAsync");
    CUstream_st *stream = find_stream(handle);
    if (stream == nullptr) {
        return call.done(cudaErrorInvalidResourceHandle);
    }
    if (address != nullptr && !is_allocated(address, 1)) {
        return call.done(cudaErrorInvalidValue);
    }
    submit(stream, "cudaFreeAsync", [address] { release(address); });
    return call.done(cudaSuccess);
}

static cudaError_t allocate_host(entry &call, void **address, size_t bytes) {
    if (call.refused()) {
        return call.code();
    }
    if (address == nullptr) {
        return call.done(cudaErrorInvalidValue);
    }
    *address = bytes == 0 ? nullptr : allocate_page_locked(bytes);
    return call.done(bytes > 0 && *address == nullptr ? cudaErrorMemoryAllocation : cudaSuccess);
}

cudaError_t cudaMallocHost(void **address, size_t bytes) {
    entry call("cudaMallocHost");
    return allocate_host(call, address, bytes);
}

cudaError_t cudaHostAlloc(void **address, size_t bytes, unsigned) {
    entry call("cudaHostAlloc");
    return allocate_host(call, address, bytes);
}

cudaError_t cudaFreeHost(void *address) {
    entry call("cudaFreeHost");
    synchronize_device();
    bool freed = address == nullptr || release_page_locked(address);
    return call.done(freed ? cudaSuccess : cudaErrorInvalidValue);
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total) {
    entry call("cudaMemGetInfo");
    if (call.refused()) {
        return call.code();
    }
    *available = knob().memory - allocated_bytes();
    *total = knob().memory;
    return call.done(cudaSuccess);
}
