/* How a compiled kernel gets into a stream: as a closure that runs it for one thread. */
#ifndef CUDAEMU_LAUNCH_H
#define CUDAEMU_LAUNCH_H

#include "block.h"

#include <functional>
#include <tuple>
#include <utility>

#include <cuda_runtime_api.h>

namespace cudaemu {

cudaError_t launch(const cudaLaunchConfig_t &config, const void *kernel,
                   std::function<void()> body);

/* cudaLaunchKernelEx. The arguments are copied, as a launch copies them. */
template <typename... Parameters, typename... Arguments>
cudaError_t launch_kernel(const cudaLaunchConfig_t *config, void (*kernel)(Parameters...),
                          Arguments &&...arguments) {
    std::tuple<Parameters...> values(std::forward<Arguments>(arguments)...);
    return launch(*config, reinterpret_cast<const void *>(kernel),
                  [kernel, values] { std::apply(kernel, values); });
}

} // namespace cudaemu

#endif
