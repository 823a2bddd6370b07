/* Quotients of indices. A division of 64-bit numbers costs a GPU some hundred instructions, one of
 * 32-bit numbers about twenty; and indices that count up need none at all. */
#ifndef PLSTAR_CUDA_DIVISION_CUH
#define PLSTAR_CUDA_DIVISION_CUH

#include "launch.cuh"

namespace plstar {

/* n = quotient d + remainder, 0 <= remainder < d */
struct divided {
    int64_t quotient, remainder;

    /* On to n + 1. */
    __device__ void count_up(int64_t d) {
        if (++remainder == d) {
            remainder = 0;
            ++quotient;
        }
    }
};

/* Bit by bit: rare, and without the call of `/`, for which a kernel would have to save registers.
 */
__device__ inline int64_t wide_quotient(int64_t n, int64_t d) {
    int64_t quotient = 0, rest = 0;
    for (int bit = 62; bit >= 0; bit--) {
        int64_t doubled = rest << 1 | (n >> bit & 1);
        bool fits = doubled >= d;
        rest = fits ? doubled - d : doubled;
        quotient = quotient << 1 | static_cast<int64_t>(fits);
    }
    return quotient;
}

/* n >= 0, 0 < d < 2^62 */
__device__ inline int64_t quotient_of(int64_t n, int64_t d) {
    bool narrow = ((n | d) >> 32) == 0;
    return narrow ? static_cast<int64_t>(static_cast<uint32_t>(n) / static_cast<uint32_t>(d))
                  : wide_quotient(n, d);
}

__device__ inline divided divide(int64_t n, int64_t d) {
    int64_t quotient = quotient_of(n, d);
    return {quotient, n - quotient * d};
}

} // namespace plstar

#endif
