#include "fence.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace cudaemu {

/* 0xfff8a5a5 from every address that is a multiple of four. */
static const unsigned char *pattern(const unsigned char *begin) {
    static const auto words = [] {
        std::array<uint32_t, 2 * fence_bytes / 4 + 1> all;
        all.fill(0xfff8a5a5u);
        return all;
    }();
    return reinterpret_cast<const unsigned char *>(words.data()) +
           reinterpret_cast<uintptr_t>(begin) % 4;
}

void build_fence(unsigned char *begin, size_t bytes) {
    std::memcpy(begin, pattern(begin), bytes);
}

bool is_fence_intact(const unsigned char *begin, size_t bytes) {
    return std::memcmp(begin, pattern(begin), bytes) == 0;
}

} // namespace cudaemu
