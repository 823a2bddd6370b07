#include "shared.h"

#include "fault.h"
#include "sanitizer.h"

#include <algorithm>
#include <cstring>

namespace cudaemu {

constexpr unsigned char canary = 0xa5;

void shared_memory::resize(size_t bytes) {
    unpoison(storage_.data(), storage_.size());
    storage_.assign(bytes + 2 * fence_bytes, canary);
    bytes_ = bytes;
    poison(storage_.data(), fence_bytes);
    poison(storage_.data() + fence_bytes + bytes, fence_bytes);
}

void shared_memory::begin_block() {
    std::memset(address(), 0xff, bytes_);
}

void shared_memory::end_block(const std::string &kernel) const {
    if (accesses_are_checked) {
        return;
    }
    auto intact = [](unsigned char byte) { return byte == canary; };
    auto before = storage_.begin(), after = before + static_cast<long>(fence_bytes + bytes_);
    if (!std::all_of(before, before + fence_bytes, intact) ||
        !std::all_of(after, after + fence_bytes, intact)) {
        fault(kernel + " wrote beside its " + std::to_string(bytes_) +
              " bytes of dynamic shared memory");
    }
}

} // namespace cudaemu
