#include "entry.h"

#include "cudaemu.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

namespace cudaemu {

struct accounts {
    knobs environment;
    bool read = false;
    int64_t calls = 0;
    std::map<std::string, int64_t> calls_of;
    bool lost = false;                  /* a sticky error was raised */
    std::vector<std::string> functions; /* in the order of calls */
    std::recursive_mutex mutex;
};

static accounts &account() {
    static accounts single;
    return single;
}

static thread_local cudaError_t thread_error = cudaSuccess;

static bool environment_is(const char *name, const char *value) {
    const char *text = std::getenv(name);
    return text != nullptr && std::strcmp(text, value) == 0;
}

static void read_failure(knobs &read) {
    const char *text = std::getenv("EMU_FAIL");
    const char *colon = text == nullptr ? nullptr : std::strrchr(text, ':');
    if (colon != nullptr) {
        read.fail_function.assign(text, static_cast<size_t>(colon - text));
        read.fail_call = std::atoll(colon + 1);
    }
    read.fail_sticky = environment_is("EMU_FAIL_STICKY", "1");
}

static knobs read_environment() {
    knobs read;
    if (const char *seed = std::getenv("EMU_SEED")) {
        read.seed = std::strtoull(seed, nullptr, 10);
    }
    if (const char *memory = std::getenv("EMU_MEMORY")) {
        read.memory = std::strtoull(memory, nullptr, 10);
    }
    if (const char *devices = std::getenv("EMU_DEVICES")) {
        read.devices = std::atoi(devices);
    }
    read.driver = !environment_is("EMU_DRIVER", "none");
    read.architecture = !environment_is("EMU_ARCHITECTURE", "missing");
    read_failure(read);
    return read;
}

const knobs &knob() {
    accounts &all = account();
    if (!all.read) {
        all.environment = read_environment();
        all.read = true;
    }
    return all.environment;
}

/* The error that the function can be expected to give when its resources run out. */
static cudaError_t fitting_error(const std::string &function) {
    if (function.find("Malloc") != std::string::npos || function == "cudaHostAlloc" ||
        function.find("Create") != std::string::npos) {
        return cudaErrorMemoryAllocation;
    }
    if (function.find("Launch") != std::string::npos) {
        return cudaErrorLaunchOutOfResources;
    }
    if (function.find("Synchronize") != std::string::npos) {
        return cudaErrorLaunchFailure;
    }
    return cudaErrorUnknown;
}

static bool is_planned(accounts &all, const char *function) {
    const knobs &read = knob();
    all.calls++;
    all.functions.emplace_back(function);
    int64_t of_function = ++all.calls_of[function];
    if (read.fail_function == "*") {
        return all.calls == read.fail_call;
    }
    return read.fail_function == function && of_function == read.fail_call;
}

entry::entry(const char *function) : lock_(account().mutex) {
    accounts &all = account();
    planned_ = is_planned(all, function);
    if (planned_ && knob().fail_sticky) {
        all.lost = true;
    }
    if (all.lost) {
        code_ = cudaErrorIllegalAddress;
    } else if (planned_) {
        code_ = fitting_error(function);
    } else if (!knob().driver) {
        code_ = cudaErrorInsufficientDriver;
    } else if (knob().devices <= 0) {
        code_ = cudaErrorNoDevice;
    }
    if (refused()) {
        thread_error = code_;
    }
}

cudaError_t entry::done(cudaError_t code) {
    if (!refused()) {
        code_ = code;
    }
    if (refused() && code_ != cudaErrorNotReady) {
        thread_error = code_;
    }
    return code_;
}

cudaError_t last_error(bool forget) {
    cudaError_t code = account().lost ? cudaErrorIllegalAddress : thread_error;
    if (forget) {
        thread_error = cudaSuccess;
    }
    return code;
}

} // namespace cudaemu

void cudaemu_configure(void) {
    cudaemu::accounts &all = cudaemu::account();
    all.environment = cudaemu::read_environment();
    all.read = true;
    all.calls = 0;
    all.calls_of.clear();
    all.functions.clear();
    all.lost = false;
    cudaemu::thread_error = cudaSuccess;
}

const char *cudaemu_function(int64_t n) {
    const std::vector<std::string> &functions = cudaemu::account().functions;
    bool there = n >= 1 && n <= static_cast<int64_t>(functions.size());
    return there ? functions[static_cast<size_t>(n - 1)].c_str() : "";
}

int64_t cudaemu_calls(void) {
    return cudaemu::account().calls;
}
