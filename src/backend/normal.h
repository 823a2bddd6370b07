/* Box-Muller without a branch and without the mathematical library: a compiler can vectorise it,
 * and every machine with IEEE arithmetic gives the same bits.
 *
 *     even = sqrt(-2 log(1 - u)) cos(2 pi v),   odd = sqrt(-2 log(1 - u)) sin(2 pi v),
 *     u, v in [0, 1), multiples of 2^-53
 *
 * Within 4 ulp of the exact value: 1 - u is exact; the angle is reduced in turns, 4 v = q + f with
 * |f| <= 1/2 exact, so that only (pi/2) f is rounded and the zeros of sine and cosine are kept.
 *     log:  1 - u = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt 2, s = f / (2 + f),
 *           log(1 + f) = 2 artanh(s) = f - (f^2/2 - s (f^2/2 + R)),  R = s^2 P(s^2)
 *     sin:  x + x^3 S(x^2),  cos: 1 - x^2/2 + x^4 C(x^2),  |x| <= pi/4
 * P, S and C are Chebyshev interpolants of errors below 2^-56 of the result. */
#ifndef PLSTAR_BACKEND_NORMAL_H
#define PLSTAR_BACKEND_NORMAL_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifndef PLS_FUNCTION
#define PLS_FUNCTION static inline
#endif

PLS_FUNCTION uint64_t pls_bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

PLS_FUNCTION double pls_double_of(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* log(x), x normal and positive. */
PLS_FUNCTION double pls_log_positive(double x) {
    const uint64_t sqrt_half = 0x3fe6a09e00000000u, one = 0x3ff0000000000000u;
    const uint64_t mantissa = 0x000fffffffffffffu, two_to_52 = 0x4330000000000000u;
    const double ln2_high = 0x1.62e42p-1, ln2_low = 4.7493250390316723212e-7;
    uint64_t shifted = pls_bits_of(x) + (one - sqrt_half);
    double k = pls_double_of((shifted >> 52) | two_to_52) - (0x1p52 + 1023.0);
    double f = pls_double_of((shifted & mantissa) + sqrt_half) - 1.0;
    double s = f / (2.0 + f), z = s * s, half_square = 0.5 * f * f;
    double p = 0.14617807153417324815;
    p = p * z + 0.15331611722055007897;
    p = p * z + 0.181828924325368712;
    p = p * z + 0.22222211089379496214;
    p = p * z + 0.28571428626253837606;
    p = p * z + 0.39999999999898890514;
    p = p * z + 0.66666666666666697077;
    return k * ln2_high + (f - (half_square - (s * (half_square + z * p) + k * ln2_low)));
}

/* *even and *odd from u and v. */
PLS_FUNCTION void pls_box_muller(double u, double v, double *even, double *odd) {
    const double half_pi = 1.57079632679489661923, round_to_integer = 0x1.8p52;
    double radius = sqrt(-2.0 * pls_log_positive(1.0 - u));
    double quarters = 4.0 * v, shifted = quarters + round_to_integer;
    uint64_t quadrant = pls_bits_of(shifted); /* its low bits are q */
    double x = half_pi * (quarters - (shifted - round_to_integer)), z = x * x;
    double s = 1.5918115263265975195e-10;
    s = s * z - 2.505113165023518147e-8;
    s = s * z + 2.7557316101617874437e-6;
    s = s * z - 0.00019841269836756772528;
    s = s * z + 0.0083333333333309472945;
    s = s * z - 0.16666666666666664622;
    double sine = x + x * z * s;
    double c = -1.138262364747460463e-11;
    c = c * z + 2.0876146146558611582e-9;
    c = c * z - 2.7557317271145145962e-7;
    c = c * z + 2.4801587298764560771e-5;
    c = c * z - 0.0013888888888887396492;
    c = c * z + 0.041666666666666665388;
    double half_square = 0.5 * z, head = 1.0 - half_square;
    double cosine = head + (((1.0 - head) - half_square) + z * z * c);
    uint64_t swap = 0 - (quadrant & 1); /* all ones in the odd quadrants */
    uint64_t sine_bits = pls_bits_of(sine), cosine_bits = pls_bits_of(cosine);
    uint64_t changed = (sine_bits ^ cosine_bits) & swap;
    uint64_t cosine_sign = ((quadrant + 1) & 2) << 62, sine_sign = (quadrant & 2) << 62;
    *even = radius * pls_double_of((cosine_bits ^ changed) ^ cosine_sign);
    *odd = radius * pls_double_of((sine_bits ^ changed) ^ sine_sign);
}

#endif
