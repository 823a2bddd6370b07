/* Activations phi and their first two derivatives, in float32 and float64.
 *
 * Plain C, so that a CUDA kernel may include it too. All exponentials have arguments <= 0, so that
 * nothing overflows, and no derivative is a difference of two numbers near one:
 *     e = exp(-|z|):      sigmoid = 1/(1+e) or e/(1+e),   sigmoid' = e/(1+e)^2
 *     e = exp(-2|z|):     tanh' = 4e/(1+e)^2,             tanh'' = -2 tanh tanh'
 *     softplus = max(z, 0) + log1p(e)
 *     sigmoid'' = -sigmoid' tanh(z/2)                     since 1 - 2 sigmoid(z) = -tanh(z/2)
 *     swish'  = sigmoid + z sigmoid',                     swish'' = sigmoid' (2 - z tanh(z/2))
 *     erf'    = 2/sqrt(pi) exp(-z^2),                     erf''   = -2 z erf'
 *     gelu    = z Phi(z), Phi(z) = erfc(-z/sqrt 2)/2,     gelu'   = Phi + z Phi'
 *     Phi'    = exp(-z^2/2)/sqrt(2 pi),                   gelu''  = Phi' (2 - z^2)
 * The float32 forms of erf', gelu and their derivatives go through float64: rounding z^2 to
 * float32 first would cost z^2 ulp. */
#ifndef PLSTAR_BACKEND_ACTIVATION_H
#define PLSTAR_BACKEND_ACTIVATION_H

#include "plstar/types.h"

#include <math.h>

#ifndef PLS_FUNCTION
#define PLS_FUNCTION static inline
#endif

/* ---- float64 --------------------------------------------------------------------------------- */

PLS_FUNCTION double pls_sigmoid_f64(double z) {
    double e = exp(-fabs(z));
    return (z >= 0.0 ? 1.0 : e) / (1.0 + e);
}

PLS_FUNCTION double pls_sigmoid_slope_f64(double z) {
    double e = exp(-fabs(z));
    return e / ((1.0 + e) * (1.0 + e));
}

PLS_FUNCTION double pls_tanh_slope_f64(double z) {
    double e = exp(-2.0 * fabs(z));
    return 4.0 * e / ((1.0 + e) * (1.0 + e));
}

/* exp(-z^2), with z^2 = h^2 + (z - h)(z + h) and h^2 exact, so that the error does not grow as
 * z^2 ulp. */
PLS_FUNCTION double pls_gauss_f64(double z) {
    double h = (double)(float)z;
    return fabs(z) > 40.0 ? 0.0 : exp(-h * h) * exp(-(z - h) * (z + h));
}

PLS_FUNCTION double pls_normal_density_f64(double z) {
    const double one_over_sqrt_two_pi = 0.39894228040143267794;
    double h = (double)(float)z;
    return fabs(z) > 60.0
               ? 0.0
               : one_over_sqrt_two_pi * exp(-0.5 * h * h) * exp(-0.5 * (z - h) * (z + h));
}

/* erfc(x + d) = erfc(x) - 2/sqrt(pi) exp(-x^2) d, with d the rounding error of x = -z/sqrt 2:
 * without it the tail would lose z^2 ulp. */
PLS_FUNCTION double pls_normal_cumulative_f64(double z) {
    const double one_over_sqrt_two = 0.70710678118654752440, remainder = -4.833646656726457e-17;
    const double two_over_sqrt_pi = 1.12837916709551257390;
    double x = -z * one_over_sqrt_two, tail = erfc(x);
    if (z < -1.0 && z > -40.0) {
        double d = -fma(z, one_over_sqrt_two, x) - z * remainder;
        tail -= two_over_sqrt_pi * exp(-x * x) * d;
    }
    return 0.5 * tail;
}

/* phi(z) */
PLS_FUNCTION double pls_activate_f64(pls_activation phi, double z) {
    switch (phi) {
    case PLS_TANH:
        return tanh(z);
    case PLS_SIGMOID:
        return pls_sigmoid_f64(z);
    case PLS_ERF:
        return erf(z);
    case PLS_SOFTPLUS:
        return (z > 0.0 ? z : 0.0) + log1p(exp(-fabs(z)));
    case PLS_SWISH:
        return z * pls_sigmoid_f64(z);
    case PLS_GELU:
        return z * pls_normal_cumulative_f64(z);
    case PLS_SIN:
        return sin(z);
    case PLS_RELU:
        return z > 0.0 ? z : 0.0 * z; /* 0 z: a NaN stays one */
    default:
        return z;
    }
}

/* phi'(z) */
PLS_FUNCTION double pls_activation_slope_f64(pls_activation phi, double z) {
    const double two_over_sqrt_pi = 1.12837916709551257390;
    switch (phi) {
    case PLS_TANH:
        return pls_tanh_slope_f64(z);
    case PLS_SIGMOID:
        return pls_sigmoid_slope_f64(z);
    case PLS_ERF:
        return two_over_sqrt_pi * pls_gauss_f64(z);
    case PLS_SOFTPLUS:
        return pls_sigmoid_f64(z);
    case PLS_SWISH:
        return pls_sigmoid_f64(z) + z * pls_sigmoid_slope_f64(z);
    case PLS_GELU:
        return pls_normal_cumulative_f64(z) + z * pls_normal_density_f64(z);
    case PLS_SIN:
        return cos(z);
    case PLS_RELU:
        return z > 0.0 ? 1.0 : 0.0;
    default:
        return 1.0;
    }
}

/* phi''(z) */
PLS_FUNCTION double pls_activation_curvature_f64(pls_activation phi, double z) {
    const double four_over_sqrt_pi = 2.25675833419102514779;
    switch (phi) {
    case PLS_TANH:
        return -2.0 * tanh(z) * pls_tanh_slope_f64(z);
    case PLS_SIGMOID:
        return -tanh(0.5 * z) * pls_sigmoid_slope_f64(z);
    case PLS_ERF:
        return -four_over_sqrt_pi * z * pls_gauss_f64(z);
    case PLS_SOFTPLUS:
        return pls_sigmoid_slope_f64(z);
    case PLS_SWISH:
        return pls_sigmoid_slope_f64(z) * (2.0 - z * tanh(0.5 * z));
    case PLS_GELU:
        return pls_normal_density_f64(z) * (2.0 - z * z);
    case PLS_SIN:
        return -sin(z);
    default:
        return 0.0;
    }
}

/* ---- float32 --------------------------------------------------------------------------------- */

PLS_FUNCTION float pls_sigmoid_f32(float z) {
    float e = expf(-fabsf(z));
    return (z >= 0.0f ? 1.0f : e) / (1.0f + e);
}

PLS_FUNCTION float pls_sigmoid_slope_f32(float z) {
    float e = expf(-fabsf(z));
    return e / ((1.0f + e) * (1.0f + e));
}

PLS_FUNCTION float pls_tanh_slope_f32(float z) {
    float e = expf(-2.0f * fabsf(z));
    return 4.0f * e / ((1.0f + e) * (1.0f + e));
}

/* phi(z) */
PLS_FUNCTION float pls_activate_f32(pls_activation phi, float z) {
    switch (phi) {
    case PLS_TANH:
        return tanhf(z);
    case PLS_SIGMOID:
        return pls_sigmoid_f32(z);
    case PLS_ERF:
        return erff(z);
    case PLS_SOFTPLUS:
        return (z > 0.0f ? z : 0.0f) + log1pf(expf(-fabsf(z)));
    case PLS_SWISH:
        return z * pls_sigmoid_f32(z);
    case PLS_SIN:
        return sinf(z);
    case PLS_RELU:
        return z > 0.0f ? z : 0.0f * z;
    default:
        return (float)pls_activate_f64(phi, (double)z);
    }
}

/* phi'(z) */
PLS_FUNCTION float pls_activation_slope_f32(pls_activation phi, float z) {
    switch (phi) {
    case PLS_TANH:
        return pls_tanh_slope_f32(z);
    case PLS_SIGMOID:
        return pls_sigmoid_slope_f32(z);
    case PLS_SOFTPLUS:
        return pls_sigmoid_f32(z);
    case PLS_SWISH:
        return pls_sigmoid_f32(z) + z * pls_sigmoid_slope_f32(z);
    case PLS_SIN:
        return cosf(z);
    default:
        return (float)pls_activation_slope_f64(phi, (double)z);
    }
}

/* phi''(z) */
PLS_FUNCTION float pls_activation_curvature_f32(pls_activation phi, float z) {
    switch (phi) {
    case PLS_TANH:
        return -2.0f * tanhf(z) * pls_tanh_slope_f32(z);
    case PLS_SIGMOID:
        return -tanhf(0.5f * z) * pls_sigmoid_slope_f32(z);
    case PLS_SOFTPLUS:
        return pls_sigmoid_slope_f32(z);
    case PLS_SIN:
        return -sinf(z);
    default:
        return (float)pls_activation_curvature_f64(phi, (double)z);
    }
}

#endif
