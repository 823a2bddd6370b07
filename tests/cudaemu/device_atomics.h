/* Atomics on integers and fences. Threads never run at once, so plain reads and writes do. */
#ifndef CUDAEMU_DEVICE_ATOMICS_H
#define CUDAEMU_DEVICE_ATOMICS_H

#include <type_traits>

namespace cudaemu {

template <typename Integer>
constexpr bool is_atomic_integer =
    std::is_same_v<Integer, int> || std::is_same_v<Integer, unsigned> ||
    std::is_same_v<Integer, unsigned long long>;

/* A value whose type follows from the address alone. */
template <typename Value>
using same_as = std::common_type_t<Value>;

/* *address = value; returns what was there. */
template <typename Integer>
Integer replace(Integer *address, Integer value) {
    static_assert(is_atomic_integer<Integer>, "only int, unsigned and unsigned long long");
    Integer before = *address;
    *address = value;
    return before;
}

} // namespace cudaemu

template <typename Integer>
Integer atomicAdd(Integer *address, cudaemu::same_as<Integer> value) {
    /* Sums of unsigned numbers wrap, and so do atomic sums of signed ones. */
    using wrapping = std::make_unsigned_t<Integer>;
    return cudaemu::replace(address, static_cast<Integer>(static_cast<wrapping>(*address) +
                                                          static_cast<wrapping>(value)));
}

template <typename Integer>
Integer atomicMin(Integer *address, cudaemu::same_as<Integer> value) {
    return cudaemu::replace(address, value < *address ? value : *address);
}

template <typename Integer>
Integer atomicMax(Integer *address, cudaemu::same_as<Integer> value) {
    return cudaemu::replace(address, value > *address ? value : *address);
}

template <typename Integer>
Integer atomicExch(Integer *address, cudaemu::same_as<Integer> value) {
    return cudaemu::replace(address, value);
}

template <typename Integer>
Integer atomicOr(Integer *address, cudaemu::same_as<Integer> value) {
    return cudaemu::replace(address, *address | value);
}

template <typename Integer>
Integer atomicAnd(Integer *address, cudaemu::same_as<Integer> value) {
    return cudaemu::replace(address, *address & value);
}

template <typename Integer>
Integer atomicCAS(Integer *address, cudaemu::same_as<Integer> expected,
                  cudaemu::same_as<Integer> value) {
    return cudaemu::replace(address, *address == expected ? value : *address);
}

inline void __threadfence() {
}

inline void __threadfence_block() {
}

inline void __threadfence_system() {
}

#endif
