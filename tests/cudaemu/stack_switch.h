/* From one stack to another: the registers that a call preserves go onto the stack that is left,
 * and those of the other come back. No system call is made, and AddressSanitizer sees no jump. */
#ifndef CUDAEMU_STACK_SWITCH_H
#define CUDAEMU_STACK_SWITCH_H

#include <cstddef>

namespace cudaemu {

/* A stack pointer, everything else lies where it points. */
using stack_place = void *;

/* A place at which `function` begins on the given, unused stack. It must never return. */
stack_place begin_at(void (*function)(), void *stack, size_t bytes);

/* Leaves the running stack, notes its place, and goes on at the other. */
void switch_stack(stack_place *left, stack_place other);

} // namespace cudaemu

#endif
