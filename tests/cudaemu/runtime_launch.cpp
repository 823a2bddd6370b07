/* Launches: CUDA's checks of the configuration, then a task in the stream. */
#include "device_limits.h"
#include "entry.h"
#include "fault.h"
#include "launch.h"
#include "queue.h"

#include <algorithm>
#include <map>
#include <utility>

#include <cuda_runtime_api.h>

using namespace cudaemu;

/* Kernels that may have more than limits::shared_bytes of dynamic shared memory. */
static std::map<const void *, int> &raised_limits() {
    static std::map<const void *, int> all;
    return all;
}

static size_t shared_limit(const void *kernel) {
    auto found = raised_limits().find(kernel);
    int limit = found == raised_limits().end() ? limits::shared_bytes : found->second;
    return static_cast<size_t>(limit);
}

static bool is_block(dim3 block) {
    return block.x > 0 && block.y > 0 && block.z > 0 && block.x <= limits::threads &&
           block.y <= limits::threads && block.z <= limits::block_z &&
           size_t(block.x) * block.y * block.z <= limits::threads;
}

static bool is_grid(dim3 grid) {
    return grid.x > 0 && grid.y > 0 && grid.z > 0 && grid.x <= limits::grid_x &&
           grid.y <= limits::grid_yz && grid.z <= limits::grid_yz;
}

static cudaError_t check(const cudaLaunchConfig_t &config, const void *kernel) {
    if (!knob().architecture) {
        return cudaErrorNoKernelImageForDevice;
    }
    if (!is_block(config.blockDim) || !is_grid(config.gridDim)) {
        return cudaErrorInvalidConfiguration;
    }
    if (config.dynamicSmemBytes > shared_limit(kernel)) {
        return cudaErrorInvalidValue;
    }
    return find_stream(config.stream) == nullptr ? cudaErrorInvalidResourceHandle : cudaSuccess;
}

cudaError_t cudaemu::launch(const cudaLaunchConfig_t &config, const void *kernel,
                            std::function<void()> body) {
    entry call("cudaLaunchKernelEx");
    if (call.refused()) {
        return call.code();
    }
    cudaError_t code = check(config, kernel);
    if (code != cudaSuccess) {
        return call.done(code);
    }
    dim3 grid = config.gridDim, block = config.blockDim;
    size_t shared = config.dynamicSmemBytes;
    std::string name = kernel_name(kernel);
    submit(find_stream(config.stream), name,
           [=, body = std::move(body)] { run_grid(grid, block, shared, body, name); });
    return call.done(cudaSuccess);
}

cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute attribute, int value) {
    entry call("cudaFuncSetAttribute");
    if (call.refused()) {
        return call.code();
    }
    if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) {
        return call.done(cudaSuccess);
    }
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 ||
        value > limits::raised_shared_bytes) {
        return call.done(cudaErrorInvalidValue);
    }
    raised_limits()[kernel] = value;
    return call.done(cudaSuccess);
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *attributes, const void *kernel) {
    entry call("cudaFuncGetAttributes");
    if (call.refused()) {
        return call.code();
    }
    if (!knob().architecture) {
        return call.done(cudaErrorNoKernelImageForDevice);
    }
    *attributes = {};
    attributes->maxThreadsPerBlock = limits::threads;
    attributes->numRegs = 32;
    attributes->binaryVersion = attributes->ptxVersion = 10 * limits::major + limits::minor;
    attributes->maxDynamicSharedSizeBytes = static_cast<int>(shared_limit(kernel));
    return call.done(cudaSuccess);
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, const void *,
                                                                   int block_size,
                                                                   size_t shared_bytes, unsigned) {
    entry call("cudaOccupancyMaxActiveBlocksPerMultiprocessor");
    if (call.refused()) {
        return call.code();
    }
    if (block_size <= 0) {
        return call.done(cudaErrorInvalidValue);
    }
    int by_threads = limits::threads_per_multiprocessor / block_size;
    size_t by_memory = (limits::raised_shared_bytes + 1024) / (shared_bytes + 1024);
    *blocks =
        std::min({by_threads, static_cast<int>(by_memory), limits::blocks_per_multiprocessor});
    return call.done(cudaSuccess);
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *kernel,
                                                          int block_size, size_t shared_bytes) {
    return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, kernel, block_size,
                                                                  shared_bytes, 0);
}
