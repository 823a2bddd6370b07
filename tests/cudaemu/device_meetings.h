/* Barriers, shuffles and votes. Default arguments note the place of the call. */
#ifndef CUDAEMU_DEVICE_MEETINGS_H
#define CUDAEMU_DEVICE_MEETINGS_H

#include "block.h"

#include <cstring>
#include <type_traits>

namespace cudaemu {

/* Where a meeting stands in the source. */
struct place {
    const char *file;
    int line;
    const char *function;
};

constexpr uint32_t whole_block = 0xffffffffu;

inline uint64_t meet_at(meeting::kind what, uint32_t mask, uint64_t value, int source, place at) {
    return meet({what, mask, value, source, at.file, at.line, at.function});
}

template <typename Value>
Value shuffle(uint32_t mask, Value value, int source, place at) {
    static_assert(std::is_arithmetic_v<Value> && (sizeof(Value) == 4 || sizeof(Value) == 8),
                  "shuffles exchange numbers of 4 or 8 bytes");
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    bits = meet_at(meeting::shuffle, mask, bits, source, at);
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

/* First lane of the calling lane's segment of `width` lanes. */
inline int segment(int width) {
    return lane() & ~(width - 1);
}

} // namespace cudaemu

#define CUDAEMU_PLACE cudaemu::place at = {__builtin_FILE(), __builtin_LINE(), __builtin_FUNCTION()}

inline void __syncthreads(CUDAEMU_PLACE) {
    cudaemu::meet_at(cudaemu::meeting::barrier, cudaemu::whole_block, 0, 0, at);
}

inline int __syncthreads_or(int predicate, CUDAEMU_PLACE) {
    return static_cast<int>(cudaemu::meet_at(cudaemu::meeting::barrier_or, cudaemu::whole_block,
                                             predicate != 0, 0, at));
}

inline int __syncthreads_and(int predicate, CUDAEMU_PLACE) {
    return static_cast<int>(cudaemu::meet_at(cudaemu::meeting::barrier_and, cudaemu::whole_block,
                                             predicate != 0, 0, at));
}

inline int __syncthreads_count(int predicate, CUDAEMU_PLACE) {
    return static_cast<int>(cudaemu::meet_at(cudaemu::meeting::barrier_count, cudaemu::whole_block,
                                             predicate != 0, 0, at));
}

inline void __syncwarp(unsigned mask = 0xffffffffu, CUDAEMU_PLACE) {
    cudaemu::meet_at(cudaemu::meeting::warp, mask, 0, 0, at);
}

template <typename Value>
Value __shfl_sync(unsigned mask, Value value, int source, int width = warpSize, CUDAEMU_PLACE) {
    int lane = cudaemu::segment(width) + (source & (width - 1));
    return cudaemu::shuffle(mask, value, lane, at);
}

/* A lane that would reach beyond its segment gets its own value back. */
template <typename Value>
Value __shfl_up_sync(unsigned mask, Value value, unsigned delta, int width = warpSize,
                     CUDAEMU_PLACE) {
    int lane = cudaemu::lane(), source = lane - static_cast<int>(delta);
    return cudaemu::shuffle(mask, value, source < cudaemu::segment(width) ? lane : source, at);
}

template <typename Value>
Value __shfl_down_sync(unsigned mask, Value value, unsigned delta, int width = warpSize,
                       CUDAEMU_PLACE) {
    int lane = cudaemu::lane(), source = lane + static_cast<int>(delta);
    bool inside = source < cudaemu::segment(width) + width;
    return cudaemu::shuffle(mask, value, inside ? source : lane, at);
}

template <typename Value>
Value __shfl_xor_sync(unsigned mask, Value value, int lane_mask, int width = warpSize,
                      CUDAEMU_PLACE) {
    int lane = cudaemu::lane(), source = lane ^ lane_mask;
    bool inside = source < cudaemu::segment(width) + width;
    return cudaemu::shuffle(mask, value, inside ? source : lane, at);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, CUDAEMU_PLACE) {
    return static_cast<unsigned>(
        cudaemu::meet_at(cudaemu::meeting::ballot, mask, predicate != 0, 0, at));
}

inline int __any_sync(unsigned mask, int predicate, CUDAEMU_PLACE) {
    return cudaemu::meet_at(cudaemu::meeting::ballot, mask, predicate != 0, 0, at) != 0;
}

inline int __all_sync(unsigned mask, int predicate, CUDAEMU_PLACE) {
    return cudaemu::meet_at(cudaemu::meeting::ballot, mask, predicate == 0, 0, at) == 0;
}

#undef CUDAEMU_PLACE

#endif
