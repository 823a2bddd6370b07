#include "fault.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cxxabi.h>
#include <dlfcn.h>
#include <memory>

namespace cudaemu {

void fault(const std::string &sentence) {
    std::fprintf(stderr, "cudaemu: %s\n", sentence.c_str());
    std::fflush(stderr);
    std::abort();
}

static std::string demangled(const char *symbol) {
    int status = 0;
    std::unique_ptr<char, void (*)(void *)> text(
        abi::__cxa_demangle(symbol, nullptr, nullptr, &status), std::free);
    return status == 0 ? text.get() : symbol;
}

std::string kernel_name(const void *kernel) {
    Dl_info info = {};
    if (dladdr(kernel, &info) == 0) {
        return "a kernel";
    }
    if (info.dli_sname != nullptr && info.dli_saddr == kernel) {
        return demangled(info.dli_sname);
    }
    char text[32];
    std::snprintf(text, sizeof text, "+0x%zx",
                  static_cast<size_t>(reinterpret_cast<uintptr_t>(kernel) -
                                      reinterpret_cast<uintptr_t>(info.dli_fbase)));
    return std::string("the kernel at ") + info.dli_fname + text;
}

} // namespace cudaemu
