/* Orders that a seed decides (xorshift64*). */
#ifndef CUDAEMU_RANDOM_H
#define CUDAEMU_RANDOM_H

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>

namespace cudaemu {

class random_order {
  public:
    explicit random_order(uint64_t seed) : state_((seed + 1) * 0x9e3779b97f4a7c15u | 1) {
    }

    /* Uniform enough in 0..limit-1; limit >= 1. */
    uint64_t below(uint64_t limit) {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return ((state_ * 0x2545f4914f6cdd1du) >> 16) % limit;
    }

    template <typename Item>
    void shuffle(Item *items, size_t count) {
        for (size_t i = count; i > 1; i--) {
            std::swap(items[i - 1], items[below(i)]);
        }
    }

  private:
    uint64_t state_;
};

/* 0..count-1 each once, (start + i stride) mod count, without a table. */
class random_stride {
  public:
    random_stride(uint64_t count, random_order &random)
        : count_(count), start_(random.below(count)), stride_(1 + random.below(count)) {
        while (std::gcd(stride_, count) != 1) {
            stride_++;
        }
    }

    uint64_t operator()(uint64_t i) const {
        return static_cast<uint64_t>((start_ + static_cast<unsigned __int128>(i) * stride_) %
                                     count_);
    }

  private:
    uint64_t count_, start_, stride_;
};

} // namespace cudaemu

#endif
