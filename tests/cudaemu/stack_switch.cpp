#include "stack_switch.h"

#include <cstdint>

extern "C" void cudaemu_switch_stack(void **left, void *other);

#if defined(__x86_64__)

/* Below the place: six registers, the return address. */
asm(R"(
.text
.hidden cudaemu_switch_stack
.globl cudaemu_switch_stack
.type cudaemu_switch_stack, @function
cudaemu_switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size cudaemu_switch_stack, . - cudaemu_switch_stack
)");

constexpr size_t saved_words = 8, return_word = 6;

#elif defined(__aarch64__)

/* Below the place: x19 to x30, of which x30 is the return address, and d8 to d15. */
asm(R"(
.text
.hidden cudaemu_switch_stack
.globl cudaemu_switch_stack
.type cudaemu_switch_stack, %function
cudaemu_switch_stack:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
.size cudaemu_switch_stack, . - cudaemu_switch_stack
)");

constexpr size_t saved_words = 20, return_word = 11;

#else
#error "the emulation of CUDA knows x86-64 and AArch64: add the switch of stacks of this processor"
#endif

namespace cudaemu {

/* A function finds its stack aligned to 16 bytes but for the return address, if that lies there;
 * the words beyond the saved ones stay zero and end every backtrace. */
stack_place begin_at(void (*function)(), void *stack, size_t bytes) {
    uintptr_t top = (reinterpret_cast<uintptr_t>(stack) + bytes) & ~uintptr_t(15);
    auto *place = reinterpret_cast<uintptr_t *>(top) - saved_words - saved_words % 2;
    place[return_word] = reinterpret_cast<uintptr_t>(function);
    return place;
}

void switch_stack(stack_place *left, stack_place other) {
    cudaemu_switch_stack(left, other);
}

} // namespace cudaemu
