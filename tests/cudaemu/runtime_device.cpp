/* The device that is told to be there: a GPU of architecture 9.0 with few multiprocessors. */
#include "device_limits.h"
#include "entry.h"

#include <cstdio>

#include <cuda_runtime_api.h>

using namespace cudaemu;

static thread_local int chosen_device = 0;

cudaError_t cudaDriverGetVersion(int *version) {
    *version = knob().driver ? CUDART_VERSION : 0;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count) {
    entry call("cudaGetDeviceCount");
    *count = call.refused() ? 0 : knob().devices;
    return call.code();
}

static bool is_device(int device) {
    return device >= 0 && device < knob().devices;
}

cudaError_t cudaSetDevice(int device) {
    entry call("cudaSetDevice");
    if (call.refused()) {
        return call.code();
    }
    if (!is_device(device)) {
        return call.done(cudaErrorInvalidDevice);
    }
    chosen_device = device;
    return call.done(cudaSuccess);
}

cudaError_t cudaGetDevice(int *device) {
    entry call("cudaGetDevice");
    if (!call.refused()) {
        *device = chosen_device;
    }
    return call.code();
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device) {
    entry call("cudaGetDeviceProperties");
    if (call.refused()) {
        return call.code();
    }
    if (!is_device(device)) {
        return call.done(cudaErrorInvalidDevice);
    }
    *properties = {};
    std::snprintf(properties->name, sizeof properties->name, "Emulated GPU");
    properties->totalGlobalMem = knob().memory;
    properties->sharedMemPerBlock = limits::shared_bytes;
    properties->sharedMemPerBlockOptin = limits::raised_shared_bytes;
    properties->sharedMemPerMultiprocessor = limits::raised_shared_bytes + 1024;
    properties->reservedSharedMemPerBlock = 1024;
    properties->regsPerBlock = properties->regsPerMultiprocessor = limits::registers;
    properties->warpSize = 32;
    properties->maxThreadsPerBlock = limits::threads;
    properties->maxThreadsPerMultiProcessor = limits::threads_per_multiprocessor;
    properties->maxBlocksPerMultiProcessor = limits::blocks_per_multiprocessor;
    for (int i = 0; i < 3; i++) {
        properties->maxThreadsDim[i] = i < 2 ? limits::threads : limits::block_z;
        properties->maxGridSize[i] = i == 0 ? limits::grid_x : limits::grid_yz;
    }
    properties->major = limits::major;
    properties->minor = limits::minor;
    properties->multiProcessorCount = limits::multiprocessors;
    properties->l2CacheSize = 1 << 20;
    properties->memoryBusWidth = 64;
    properties->asyncEngineCount = 1;
    properties->concurrentKernels = properties->unifiedAddressing = 1;
    properties->memoryPoolsSupported = properties->streamPrioritiesSupported = 1;
    return call.done(cudaSuccess);
}

/* False: an attribute that nobody asked for so far. */
static bool find_attribute(cudaDeviceAttr attribute, int *value) {
    switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY:
        *value = limits::threads;
        return true;
    case cudaDevAttrMaxBlockDimZ:
        *value = limits::block_z;
        return true;
    case cudaDevAttrMaxGridDimX:
        *value = limits::grid_x;
        return true;
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ:
        *value = limits::grid_yz;
        return true;
    case cudaDevAttrMaxSharedMemoryPerBlock:
        *value = limits::shared_bytes;
        return true;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = limits::raised_shared_bytes;
        return true;
    case cudaDevAttrWarpSize:
        *value = 32;
        return true;
    case cudaDevAttrMultiProcessorCount:
        *value = limits::multiprocessors;
        return true;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
        *value = limits::threads_per_multiprocessor;
        return true;
    case cudaDevAttrMaxRegistersPerBlock:
        *value = limits::registers;
        return true;
    case cudaDevAttrComputeCapabilityMajor:
        *value = limits::major;
        return true;
    case cudaDevAttrComputeCapabilityMinor:
        *value = limits::minor;
        return true;
    case cudaDevAttrClockRate:
    case cudaDevAttrMemoryClockRate:
        *value = 1000000;
        return true;
    case cudaDevAttrGlobalMemoryBusWidth:
        *value = 64;
        return true;
    case cudaDevAttrL2CacheSize:
        *value = 1 << 20;
        return true;
    case cudaDevAttrUnifiedAddressing:
    case cudaDevAttrConcurrentKernels:
    case cudaDevAttrMemoryPoolsSupported:
        *value = 1;
        return true;
    case cudaDevAttrIntegrated:
    case cudaDevAttrComputeMode:
    case cudaDevAttrManagedMemory:
        *value = 0;
        return true;
    default:
        return false;
    }
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device) {
    entry call("cudaDeviceGetAttribute");
    if (call.refused()) {
        return call.code();
    }
    if (!is_device(device)) {
        return call.done(cudaErrorInvalidDevice);
    }
    return call.done(find_attribute(attribute, value) ? cudaSuccess : cudaErrorInvalidValue);
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
    entry call("cudaDeviceGetStreamPriorityRange");
    if (!call.refused()) {
        *least = 0;
        *greatest = 0;
    }
    return call.code();
}
