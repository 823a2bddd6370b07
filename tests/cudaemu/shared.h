/* Dynamic shared memory of the running block: exactly as long as asked for, full of NaN at the
 * start, and fenced. */
#ifndef CUDAEMU_SHARED_H
#define CUDAEMU_SHARED_H

#include "fence.h"

#include <cstddef>
#include <string>
#include <vector>

namespace cudaemu {

class shared_memory {
  public:
    void resize(size_t bytes);
    void begin_block();
    /* Faults if the block wrote beside its shared memory. */
    void end_block(const std::string &kernel) const;

    void *address() {
        return storage_.data() + fence_bytes;
    }

  private:
    std::vector<unsigned char> storage_; /* fence, bytes_, fence */
    size_t bytes_ = 0;
};

} // namespace cudaemu

#endif
