#include "shared.h"

#include "fault.h"
#include "fence.h"
#include "sanitizer.h"

#include <cstring>

namespace cudaemu {

void shared_memory::resize(size_t bytes) {
    unpoison(storage_.data(), storage_.size());
    storage_.resize(bytes + 2 * fence_bytes);
    bytes_ = bytes;
    unsigned char *after = storage_.data() + fence_bytes + bytes;
    build_fence(storage_.data(), fence_bytes);
    build_fence(after, fence_bytes);
    poison(storage_.data(), fence_bytes);
    poison(after, fence_bytes);
}

void shared_memory::begin_block() {
    std::memset(address(), 0xff, bytes_);
}

void shared_memory::end_block(const std::string &kernel) const {
    if (accesses_are_checked) {
        return;
    }
    const unsigned char *before = storage_.data(), *after = before + fence_bytes + bytes_;
    if (!is_fence_intact(before, fence_bytes) || !is_fence_intact(after, fence_bytes)) {
        fault(kernel + " wrote beside its " + std::to_string(bytes_) +
              " bytes of dynamic shared memory");
    }
}

} // namespace cudaemu
