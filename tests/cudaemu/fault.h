/* A fault of the code under test that CUDA would leave undefined: said once, then the end. */
#ifndef CUDAEMU_FAULT_H
#define CUDAEMU_FAULT_H

#include <string>

namespace cudaemu {

/* Prints "cudaemu: SENTENCE" and aborts. */
[[noreturn]] void fault(const std::string &sentence);

/* What the dynamic linker knows of a kernel: its name, or module and offset. */
std::string kernel_name(const void *kernel);

} // namespace cudaemu

#endif
