/* What the tests of the emulation share: device arrays, and children that are to die. */
#ifndef CUDAEMU_TEST_SUPPORT_H
#define CUDAEMU_TEST_SUPPORT_H

#include "cudaemu.h"

#include <cstdlib>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <criterion/criterion.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cuda_runtime_api.h>

/* Sets one variable of the environment, and has the emulation read it. */
inline void configure(const char *name, const char *value) {
    setenv(name, value, 1);
    cudaemu_configure();
}

/* Numbers in device memory; uploads and downloads wait. */
template <typename T>
class device_array {
  public:
    explicit device_array(size_t count) : count_(count) {
        cr_assert_eq(cudaMalloc(reinterpret_cast<void **>(&data_), count * sizeof(T)), cudaSuccess);
    }
    explicit device_array(const std::vector<T> &values) : device_array(values.size()) {
        cr_assert_eq(cudaMemcpy(data_, values.data(), bytes(), cudaMemcpyHostToDevice),
                     cudaSuccess);
    }
    ~device_array() {
        cudaFree(data_);
    }
    device_array(const device_array &) = delete;
    device_array &operator=(const device_array &) = delete;

    std::vector<T> values() const {
        std::vector<T> host(count_);
        cr_assert_eq(cudaMemcpy(host.data(), data_, bytes(), cudaMemcpyDeviceToHost), cudaSuccess);
        return host;
    }
    T *data() const {
        return data_;
    }
    size_t bytes() const {
        return count_ * sizeof(T);
    }

  private:
    size_t count_;
    T *data_ = nullptr;
};

/* How a child ended that ran `body`, and what it printed to stderr. */
inline std::pair<int, std::string> end_of_child(const std::function<void()> &body) {
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        body();
        _exit(0);
    }
    close(ends[1]);
    std::string text;
    char buffer[4096];
    for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;) {
        text.append(buffer, static_cast<size_t>(got));
    }
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return {status, text};
}

/* The child must die and say `sentence`, or be stopped by AddressSanitizer with `sanitizer`. */
inline void expect_fault(const char *sentence, const char *sanitizer,
                         const std::function<void()> &body) {
    auto [status, text] = end_of_child(body);
    bool said = text.find(sentence) != std::string::npos ||
                (sanitizer != nullptr && text.find(sanitizer) != std::string::npos);
    cr_assert(status != 0, "the fault was not noticed");
    cr_assert(said, "\"%s\" was expected, but there was: %s", sentence,
              text.substr(0, 300).c_str());
}

#endif
