/* Which handles of cuBLAS and cuSOLVER live: calls with another one are refused. */
#ifndef CUDAEMU_LIBRARY_HANDLES_H
#define CUDAEMU_LIBRARY_HANDLES_H

#include <cstdint>
#include <set>

namespace cudaemu {

class handle_set {
  public:
    void add(const void *handle) {
        all_.insert(handle);
    }
    bool remove(const void *handle) {
        return all_.erase(handle) > 0;
    }
    bool holds(const void *handle) const {
        return all_.count(handle) > 0;
    }
    int64_t count() const {
        return static_cast<int64_t>(all_.size());
    }

  private:
    std::set<const void *> all_;
};

inline handle_set &library_handles() {
    static handle_set all;
    return all;
}

} // namespace cudaemu

#endif
