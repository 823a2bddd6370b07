/* What every entry point begins with: one call at a time, counted, refused when the environment
 * says so.
 *
 *     cudaError_t cudaFoo(...) {
 *         entry call("cudaFoo");
 *         if (call.refused()) {
 *             return call.code();
 *         }
 *         ...
 *         return call.done(cudaSuccess);
 *     }
 *
 * Calls that give something back do their work even when they are refused. */
#ifndef CUDAEMU_ENTRY_H
#define CUDAEMU_ENTRY_H

#include <cstdint>
#include <mutex>
#include <string>

#include <cuda_runtime_api.h>

namespace cudaemu {

struct knobs {
    uint64_t seed = 1;
    size_t memory = size_t(2) << 30;
    int devices = 1;
    bool driver = true;
    bool architecture = true;
    std::string fail_function; /* empty: nothing fails */
    int64_t fail_call = 0;
    bool fail_sticky = false;
};

const knobs &knob();

class entry {
  public:
    explicit entry(const char *function);
    entry(const entry &) = delete;
    entry &operator=(const entry &) = delete;

    bool refused() const {
        return code_ != cudaSuccess;
    }
    cudaError_t code() const {
        return code_;
    }
    /* Whether this very call was made to fail by EMU_FAIL, not by the state of the device. */
    bool planned() const {
        return planned_;
    }
    /* Notes the code for cudaGetLastError; a refusal goes before it. */
    cudaError_t done(cudaError_t code);

  private:
    std::unique_lock<std::recursive_mutex> lock_;
    cudaError_t code_ = cudaSuccess;
    bool planned_ = false;
};

/* The error of the calling thread's last failed call, and then cudaSuccess again if `forget`. */
cudaError_t last_error(bool forget);

} // namespace cudaemu

#endif
