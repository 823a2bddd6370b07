/* Page-locked memory of the host: ordinary memory that is remembered, because copies from and to
 * it are not finished when the call returns. */
#ifndef CUDAEMU_PAGE_LOCKED_H
#define CUDAEMU_PAGE_LOCKED_H

#include <cstddef>
#include <cstdint>

namespace cudaemu {

void *allocate_page_locked(size_t bytes);
/* False if no page-locked memory begins there. */
bool release_page_locked(void *address);
/* Whether the first byte is page-locked. */
bool begins_page_locked(const void *address);
/* Whether all of the range lies in one piece of page-locked memory. */
bool is_page_locked(const void *address, size_t bytes);
int64_t live_page_locked();

} // namespace cudaemu

#endif
