#include "device_memory.h"

#include "cudaemu.h"
#include "entry.h"
#include "fault.h"
#include "fence.h"
#include "sanitizer.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <map>

#include <sys/mman.h>

namespace cudaemu {

constexpr size_t granule = fence_bytes; /* alignment of allocations too */
constexpr size_t page = size_t(64) << 10;
constexpr size_t quarantine_limit = size_t(16) << 20;
constexpr unsigned char empty_byte = 0xff; /* NaN as float and as double */

static size_t round_up(size_t bytes, size_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

static bool all_are(const unsigned char *bytes, size_t count, unsigned char value) {
    return count == 0 || (bytes[0] == value && std::memcmp(bytes, bytes + 1, count - 1) == 0);
}

/* Fence, memory, fence: offsets from the arena's base. */
struct block {
    size_t begin, end; /* with fences */
    size_t bytes;      /* that were asked for, from begin + granule */
};

class arena {
  public:
    arena();
    ~arena() {
        munmap(base_, reserved_);
    }
    arena(const arena &) = delete;
    arena &operator=(const arena &) = delete;

    void open();
    void close();
    void *allocate(size_t bytes);
    bool release(void *address);
    bool reserves(const void *address) const;
    bool is_allocated(const void *address, size_t bytes) const;
    void check_fences(const std::string &operation) const;

    size_t bytes = 0;
    std::map<size_t, block> blocks; /* by the offset of the memory */

  private:
    bool take(size_t length, size_t &begin);
    bool take_free(size_t length, size_t &begin);
    void give_back(size_t begin, size_t end);
    void retire_oldest();
    void protect(size_t begin, size_t end, int protection) const;
    void write(const block &one, const std::function<void()> &work) const;

    unsigned char *base_;
    size_t reserved_;
    size_t used_ = 0; /* no allocation ever lay beyond this */
    int opened_ = 0;
    std::map<size_t, size_t> free_; /* begin, end of what is to be given out again */
    std::deque<block> quarantine_;
    size_t quarantined_ = 0;
};

static arena &memory() {
    static arena single;
    return single;
}

arena::arena() : reserved_(round_up(4 * knob().memory, page) + (size_t(1) << 30)) {
    void *mapping =
        mmap(nullptr, reserved_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) {
        fault("no addresses for " + std::to_string(reserved_) + " bytes of device memory");
    }
    base_ = static_cast<unsigned char *>(mapping);
}

void arena::protect(size_t begin, size_t end, int protection) const {
    if (begin < end && mprotect(base_ + begin, end - begin, protection) != 0) {
        fault("the protection of device memory cannot be changed");
    }
}

void arena::open() {
    if (opened_++ == 0) {
        protect(0, used_, PROT_READ | PROT_WRITE);
    }
}

void arena::close() {
    if (--opened_ == 0) {
        protect(0, used_, PROT_NONE);
    }
}

/* The emulation's own writes around one allocation; the rest stays closed if it is. */
void arena::write(const block &one, const std::function<void()> &work) const {
    size_t begin = one.begin / page * page, end = round_up(one.end, page);
    protect(begin, end, PROT_READ | PROT_WRITE);
    work();
    if (opened_ == 0) {
        protect(begin, end, PROT_NONE);
    }
}

bool arena::take_free(size_t length, size_t &begin) {
    for (auto range = free_.begin(); range != free_.end(); ++range) {
        if (range->second - range->first >= length) {
            begin = range->first;
            size_t end = range->second;
            free_.erase(range);
            if (begin + length < end) {
                free_[begin + length] = end;
            }
            return true;
        }
    }
    return false;
}

bool arena::take(size_t length, size_t &begin) {
    if (take_free(length, begin)) {
        return true;
    }
    while (used_ + length > reserved_) {
        if (quarantine_.empty()) {
            return false;
        }
        retire_oldest();
        if (take_free(length, begin)) {
            return true;
        }
    }
    begin = used_;
    size_t before = used_;
    used_ = round_up(used_ + length, page);
    if (opened_ > 0) {
        protect(before, used_, PROT_READ | PROT_WRITE);
    }
    poison(base_ + before, used_ - before);
    if (begin + length < used_) {
        free_[begin + length] = used_;
    }
    return true;
}

/* Neighbouring ranges become one. */
void arena::give_back(size_t begin, size_t end) {
    auto after = free_.lower_bound(begin);
    if (after != free_.end() && after->first == end) {
        end = after->second;
        after = free_.erase(after);
    }
    if (after != free_.begin()) {
        auto before = std::prev(after);
        if (before->second == begin) {
            before->second = end;
            return;
        }
    }
    free_[begin] = end;
}

void *arena::allocate(size_t wanted) {
    if (wanted > knob().memory || bytes > knob().memory - wanted) {
        return nullptr;
    }
    block added = {0, 0, wanted};
    size_t length = granule + round_up(wanted + granule, granule);
    if (!take(length, added.begin)) {
        return nullptr;
    }
    added.end = added.begin + length;
    size_t offset = added.begin + granule;
    unpoison(base_ + added.begin, length);
    write(added, [&] {
        build_fence(base_ + added.begin, granule);
        std::memset(base_ + offset, empty_byte, wanted);
        build_fence(base_ + offset + wanted, added.end - offset - wanted);
    });
    poison(base_ + added.begin, granule);
    poison(base_ + offset + wanted, added.end - offset - wanted);
    blocks[offset] = added;
    bytes += wanted;
    return base_ + offset;
}

bool arena::release(void *address) {
    if (!reserves(address)) {
        return false;
    }
    auto found = blocks.find(static_cast<size_t>(static_cast<unsigned char *>(address) - base_));
    if (found == blocks.end()) {
        return false;
    }
    block freed = found->second;
    blocks.erase(found);
    bytes -= freed.bytes;
    unpoison(base_ + freed.begin, freed.end - freed.begin);
    write(freed, [&] { std::memset(base_ + freed.begin, empty_byte, freed.end - freed.begin); });
    poison(base_ + freed.begin, freed.end - freed.begin);
    quarantine_.push_back(freed);
    quarantined_ += freed.end - freed.begin;
    while (quarantined_ > quarantine_limit) {
        retire_oldest();
    }
    return true;
}

void arena::retire_oldest() {
    block oldest = quarantine_.front();
    quarantine_.pop_front();
    quarantined_ -= oldest.end - oldest.begin;
    if (!accesses_are_checked) {
        write(oldest, [&] {
            if (!all_are(base_ + oldest.begin, oldest.end - oldest.begin, empty_byte)) {
                fault("device memory was written after it was freed: an allocation of " +
                      std::to_string(oldest.bytes) + " bytes");
            }
        });
    }
    give_back(oldest.begin, oldest.end);
}

bool arena::reserves(const void *address) const {
    auto *byte = static_cast<const unsigned char *>(address);
    return byte >= base_ && byte < base_ + reserved_;
}

bool arena::is_allocated(const void *address, size_t length) const {
    if (!reserves(address)) {
        return false;
    }
    size_t offset = static_cast<size_t>(static_cast<const unsigned char *>(address) - base_);
    auto after = blocks.upper_bound(offset);
    if (after == blocks.begin()) {
        return false;
    }
    const auto &[begin, found] = *std::prev(after);
    size_t inside = offset - begin;
    return inside <= found.bytes && length <= found.bytes - inside;
}

void arena::check_fences(const std::string &operation) const {
    for (const auto &[offset, one] : blocks) {
        size_t end = offset + one.bytes;
        if (!is_fence_intact(base_ + one.begin, granule) ||
            !is_fence_intact(base_ + end, one.end - end)) {
            fault(operation + " wrote beside an allocation of " + std::to_string(one.bytes) +
                  " bytes of device memory");
        }
    }
    /* The last ones now, all of them when they leave the quarantine. */
    size_t recent = std::min(quarantine_.size(), size_t(4));
    for (auto one = quarantine_.rbegin(); one != quarantine_.rbegin() + long(recent); ++one) {
        size_t length = std::min(one->end - one->begin, size_t(4096));
        if (!all_are(base_ + one->begin, length, empty_byte)) {
            fault(operation + " wrote into device memory that had been freed");
        }
    }
}

device_access::device_access() {
    memory().open();
}

device_access::~device_access() {
    memory().close();
}

void *allocate(size_t bytes) {
    return memory().allocate(bytes);
}

bool release(void *address) {
    return memory().release(address);
}

bool is_device_address(const void *address) {
    return memory().reserves(address);
}

bool is_allocated(const void *address, size_t bytes) {
    return memory().is_allocated(address, bytes);
}

void require_allocated(const void *address, size_t bytes, const char *name,
                       const std::string &function) {
    if (bytes > 0 && !is_allocated(address, bytes)) {
        fault(std::string(name) + " of " + function + ": its " + std::to_string(bytes) +
              " bytes do not lie inside one allocation of device memory");
    }
}

void check_fences(const std::string &operation) {
    if (!accesses_are_checked) {
        memory().check_fences(operation);
    }
}

size_t allocated_bytes() {
    return memory().bytes;
}

int64_t live_allocations() {
    return static_cast<int64_t>(memory().blocks.size());
}

} // namespace cudaemu

int64_t cudaemu_live_allocations(void) {
    return cudaemu::live_allocations();
}
