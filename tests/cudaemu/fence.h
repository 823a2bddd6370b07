/* What lies around memory where AddressSanitizer does not watch it: NaN for whoever reads it as
 * float or double, and a pattern that shows whether it was written. */
#ifndef CUDAEMU_FENCE_H
#define CUDAEMU_FENCE_H

#include <cstddef>

namespace cudaemu {

constexpr size_t fence_bytes = 256; /* at least; at most twice that */

void build_fence(unsigned char *begin, size_t bytes);
bool is_fence_intact(const unsigned char *begin, size_t bytes);

} // namespace cudaemu

#endif
