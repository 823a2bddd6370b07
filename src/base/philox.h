/* Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random
 * numbers: as easy as 1, 2, 3", SC 2011) by the Random123 library, which compiles for the host
 * and for CUDA alike.
 *
 *     key = seed (64 bits), counter = (block (64 bits), tensor (32 bits), purpose (32 bits))
 *
 * One block of four 32-bit words gives two elements: element e of a tensor comes from block e/2.
 *     u(hi, lo) = ((hi:lo) >> 11) 2^-53                    in [0, 1), the same bits everywhere
 *     uniform   e even: u(w1, w0), e odd: u(w3, w2)
 *     normal    Box-Muller in float64: r = sqrt(-2 log(1 - u(w1, w0))), a = 2 pi u(w3, w2);
 *               e even: r cos a, e odd: r sin a
 * A float32 tensor holds the float64 numbers rounded, so that the same seed is the same network
 * in both precisions. */
#ifndef PLSTAR_BASE_PHILOX_H
#define PLSTAR_BASE_PHILOX_H

#include <Random123/philox.h>

#include <stdint.h>

#ifndef PLS_FUNCTION
#define PLS_FUNCTION static inline
#endif

/* What a stream of numbers is for; part of the counter, so never renumber. */
typedef enum pls_random_purpose {
    PLS_RANDOM_WEIGHTS = 1,
    PLS_RANDOM_BATCH = 2,
    PLS_RANDOM_INPUTS = 3,
    PLS_RANDOM_TARGETS = 4,
    PLS_RANDOM_LANCZOS = 5,
    PLS_RANDOM_DIRECTION = 6,
    PLS_RANDOM_SELECTION = 7,
    PLS_RANDOM_TEST = 8,
    PLS_RANDOM_SYSTEM = 9,
    PLS_RANDOM_PROBE = 10,
    PLS_RANDOM_BOOTSTRAP = 11
} pls_random_purpose;

/* One stream: fixes all of key and counter but the block. */
typedef struct pls_random_stream {
    uint64_t seed;
    uint32_t purpose;
    uint32_t tensor;
} pls_random_stream;

PLS_FUNCTION philox4x32_ctr_t pls_philox_block(pls_random_stream stream, uint64_t block) {
    philox4x32_ctr_t counter = {
        {(uint32_t)block, (uint32_t)(block >> 32), stream.tensor, stream.purpose}};
    philox4x32_key_t key = {{(uint32_t)stream.seed, (uint32_t)(stream.seed >> 32)}};
    return philox4x32(counter, key);
}

/* 53 bits in [0, 1). */
PLS_FUNCTION double pls_philox_unit(uint32_t high, uint32_t low) {
    return (double)((((uint64_t)high << 32) | low) >> 11) * 0x1p-53;
}

/* Uniform of element e in [0, 1). */
PLS_FUNCTION double pls_random_uniform_at(pls_random_stream stream, uint64_t element) {
    philox4x32_ctr_t w = pls_philox_block(stream, element / 2);
    return element % 2 == 0 ? pls_philox_unit(w.v[1], w.v[0]) : pls_philox_unit(w.v[3], w.v[2]);
}

/* Integer of element e, uniform on 0 .. bound-1 (bound < 2^32: bias below 2^-21). */
PLS_FUNCTION int64_t pls_random_integer_at(pls_random_stream stream, uint64_t element,
                                           int64_t bound) {
    return (int64_t)(pls_random_uniform_at(stream, element) * (double)bound);
}

#endif
