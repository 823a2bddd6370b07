/* Device memory: one range of addresses that the host cannot touch.
 *
 * Pages are readable and writable only while queued work runs; at all other times an access from
 * the host is a segmentation fault. New memory holds NaN. Every allocation lies between fences and
 * freed memory is not given out again for a while: AddressSanitizer reports accesses there, and
 * without it writes are found after the operation, or when the memory is needed again. */
#ifndef CUDAEMU_DEVICE_MEMORY_H
#define CUDAEMU_DEVICE_MEMORY_H

#include <cstddef>
#include <cstdint>
#include <string>

namespace cudaemu {

/* The device's memory is open to the process as long as one of these lives. */
class device_access {
  public:
    device_access();
    ~device_access();
    device_access(const device_access &) = delete;
    device_access &operator=(const device_access &) = delete;
};

/* nullptr: there is not that much left. */
void *allocate(size_t bytes);
/* False if no allocation begins there. */
bool release(void *address);

/* Whether the address is one of the device, allocated or not. */
bool is_device_address(const void *address);
/* Whether all of the range lies inside one allocation. */
bool is_allocated(const void *address, size_t bytes);
/* Faults unless is_allocated(); "NAME of FUNCTION" says what the range is. */
void require_allocated(const void *address, size_t bytes, const char *name,
                       const std::string &function);

/* Faults if something wrote beside an allocation; `operation` ran last. */
void check_fences(const std::string &operation);

size_t allocated_bytes();
int64_t live_allocations();

} // namespace cudaemu

#endif
