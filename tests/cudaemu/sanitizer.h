/* AddressSanitizer, as far as the emulation speaks to it; without it all this does nothing. */
#ifndef CUDAEMU_SANITIZER_H
#define CUDAEMU_SANITIZER_H

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CUDAEMU_ADDRESS_SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define CUDAEMU_ADDRESS_SANITIZER
#endif

#ifdef CUDAEMU_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace cudaemu {

#ifdef CUDAEMU_ADDRESS_SANITIZER

constexpr bool accesses_are_checked = true;

inline void poison(const void *address, size_t bytes) {
    __asan_poison_memory_region(address, bytes);
}

inline void unpoison(const void *address, size_t bytes) {
    __asan_unpoison_memory_region(address, bytes);
}

inline void start_switch(void **fake_stack, const void *stack, size_t bytes) {
    __sanitizer_start_switch_fiber(fake_stack, stack, bytes);
}

inline void finish_switch(void *fake_stack, const void **from, size_t *bytes) {
    __sanitizer_finish_switch_fiber(fake_stack, from, bytes);
}

#else

constexpr bool accesses_are_checked = false;

inline void poison(const void *, size_t) {
}

inline void unpoison(const void *, size_t) {
}

inline void start_switch(void **, const void *, size_t) {
}

inline void finish_switch(void *, const void **, size_t *) {
}

#endif

} // namespace cudaemu

#endif
