#include "page_locked.h"

#include <cstdlib>
#include <cstring>
#include <map>

namespace cudaemu {

/* Begin and length. */
class page_locked_set {
  public:
    ~page_locked_set() {
        for (auto &[begin, bytes] : pieces) {
            std::free(const_cast<char *>(begin));
        }
    }
    std::map<const char *, size_t> pieces;
};

static std::map<const char *, size_t> &pieces() {
    static page_locked_set single;
    return single.pieces;
}

void *allocate_page_locked(size_t bytes) {
    void *memory = nullptr;
    if (posix_memalign(&memory, 64, bytes) != 0) {
        return nullptr;
    }
    std::memset(memory, 0xff, bytes);
    pieces()[static_cast<char *>(memory)] = bytes;
    return memory;
}

bool release_page_locked(void *address) {
    if (pieces().erase(static_cast<char *>(address)) == 0) {
        return false;
    }
    std::free(address);
    return true;
}

bool is_page_locked(const void *address, size_t bytes) {
    auto *byte = static_cast<const char *>(address);
    auto after = pieces().upper_bound(byte);
    if (after == pieces().begin()) {
        return false;
    }
    const auto &[begin, length] = *std::prev(after);
    size_t inside = static_cast<size_t>(byte - begin);
    return inside <= length && bytes <= length - inside;
}

bool begins_page_locked(const void *address) {
    return is_page_locked(address, 1);
}

int64_t live_page_locked() {
    return static_cast<int64_t>(pieces().size());
}

} // namespace cudaemu
