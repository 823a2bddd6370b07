/* Scalar functions of device code that a host compiler lacks. */
#ifndef CUDAEMU_DEVICE_MATH_H
#define CUDAEMU_DEVICE_MATH_H

#include <cmath>
#include <cstring>
#include <type_traits>

namespace cudaemu {

template <typename To, typename From>
To bits_as(From from) {
    static_assert(sizeof(To) == sizeof(From), "another size");
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

template <typename A, typename B>
using both_arithmetic =
    std::enable_if_t<std::is_arithmetic_v<A> && std::is_arithmetic_v<B>, std::common_type_t<A, B>>;

} // namespace cudaemu

/* ---- bits ------------------------------------------------------------------------------- */

inline long long __double_as_longlong(double x) {
    return cudaemu::bits_as<long long>(x);
}
inline double __longlong_as_double(long long x) {
    return cudaemu::bits_as<double>(x);
}
inline int __float_as_int(float x) {
    return cudaemu::bits_as<int>(x);
}
inline unsigned __float_as_uint(float x) {
    return cudaemu::bits_as<unsigned>(x);
}
inline float __int_as_float(int x) {
    return cudaemu::bits_as<float>(x);
}
inline float __uint_as_float(unsigned x) {
    return cudaemu::bits_as<float>(x);
}
inline int __double2hiint(double x) {
    return static_cast<int>(cudaemu::bits_as<unsigned long long>(x) >> 32);
}
inline int __double2loint(double x) {
    return static_cast<int>(cudaemu::bits_as<unsigned long long>(x) & 0xffffffffu);
}
inline double __hiloint2double(int high, int low) {
    return cudaemu::bits_as<double>(static_cast<unsigned long long>(static_cast<unsigned>(high))
                                        << 32 |
                                    static_cast<unsigned>(low));
}
inline int __popc(unsigned x) {
    return __builtin_popcount(x);
}
inline int __popcll(unsigned long long x) {
    return __builtin_popcountll(x);
}
inline int __ffs(int x) {
    return __builtin_ffs(x);
}
inline int __ffsll(long long x) {
    return __builtin_ffsll(x);
}
inline int __clz(int x) {
    return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x));
}
inline int __clzll(long long x) {
    return x == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(x));
}
inline unsigned __umulhi(unsigned a, unsigned b) {
    return static_cast<unsigned>((static_cast<unsigned long long>(a) * b) >> 32);
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return static_cast<unsigned long long>((static_cast<unsigned __int128>(a) * b) >> 64);
}

template <typename Value>
Value __ldg(const Value *address) {
    return *address;
}

/* ---- arithmetic rounded to nearest -------------------------------------------------------- */

inline double __fma_rn(double a, double b, double c) {
    return std::fma(a, b, c);
}
inline double __dadd_rn(double a, double b) {
    return a + b;
}
inline double __dsub_rn(double a, double b) {
    return a - b;
}
inline double __dmul_rn(double a, double b) {
    return a * b;
}
inline double __ddiv_rn(double a, double b) {
    return a / b;
}
inline double __dsqrt_rn(double a) {
    return std::sqrt(a);
}
inline float __fmaf_rn(float a, float b, float c) {
    return std::fma(a, b, c);
}
inline float __fadd_rn(float a, float b) {
    return a + b;
}
inline float __fsub_rn(float a, float b) {
    return a - b;
}
inline float __fmul_rn(float a, float b) {
    return a * b;
}
inline float __fdiv_rn(float a, float b) {
    return a / b;
}
inline float __fsqrt_rn(float a) {
    return std::sqrt(a);
}
inline float __double2float_rn(double x) {
    return static_cast<float>(x);
}
inline int __double2int_rn(double x) {
    return static_cast<int>(std::nearbyint(x));
}
inline long long __double2ll_rn(double x) {
    return static_cast<long long>(std::nearbyint(x));
}
inline double __ll2double_rn(long long x) {
    return static_cast<double>(x);
}
inline double __ull2double_rn(unsigned long long x) {
    return static_cast<double>(x);
}
inline double __uint2double_rn(unsigned x) {
    return static_cast<double>(x);
}

/* ---- functions ---------------------------------------------------------------------------- */

inline double rsqrt(double x) {
    return 1.0 / std::sqrt(x);
}
inline float rsqrtf(float x) {
    return static_cast<float>(1.0 / std::sqrt(static_cast<double>(x)));
}

/* sin and cos of pi x: the argument is reduced before it is multiplied. */
inline double sinpi(double x) {
    double r = std::remainder(x, 2.0); /* exact, in [-1, 1] */
    if (std::fabs(r) > 0.5) {
        r = std::copysign(1.0, r) - r;
    }
    return std::sin(M_PI * r);
}
inline double cospi(double x) {
    return sinpi(0.5 - std::fabs(std::remainder(x, 2.0)));
}
inline void sincospi(double x, double *sine, double *cosine) {
    *sine = sinpi(x);
    *cosine = cospi(x);
}
inline float sinpif(float x) {
    return static_cast<float>(sinpi(static_cast<double>(x)));
}
inline float cospif(float x) {
    return static_cast<float>(cospi(static_cast<double>(x)));
}
inline void sincospif(float x, float *sine, float *cosine) {
    *sine = sinpif(x);
    *cosine = cospif(x);
}
inline double normcdf(double x) {
    return 0.5 * std::erfc(-x * M_SQRT1_2);
}

template <typename A, typename B>
constexpr cudaemu::both_arithmetic<A, B> min(A a, B b) {
    using Common = std::common_type_t<A, B>;
    if constexpr (std::is_floating_point_v<Common>) {
        return std::fmin(static_cast<Common>(a), static_cast<Common>(b));
    } else {
        return static_cast<Common>(b) < static_cast<Common>(a) ? static_cast<Common>(b)
                                                               : static_cast<Common>(a);
    }
}

template <typename A, typename B>
constexpr cudaemu::both_arithmetic<A, B> max(A a, B b) {
    using Common = std::common_type_t<A, B>;
    if constexpr (std::is_floating_point_v<Common>) {
        return std::fmax(static_cast<Common>(a), static_cast<Common>(b));
    } else {
        return static_cast<Common>(a) < static_cast<Common>(b) ? static_cast<Common>(b)
                                                               : static_cast<Common>(a);
    }
}

/* Device code calls these without a namespace, whichever headers came before. */
using std::isfinite;
using std::isinf;
using std::isnan;
using std::signbit;

#endif
