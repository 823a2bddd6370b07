/* Small types shared by all headers. */
#ifndef PLSTAR_TYPES_H
#define PLSTAR_TYPES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Precision of weights, activations and derivatives. Gram matrices, losses and spectra are
 * always float64. */
typedef enum pls_dtype { PLS_F32, PLS_F64 } pls_dtype;

/* Bytes of one element: 4 or 8. */
int64_t pls_dtype_size(pls_dtype dtype);

/* "f32" or "f64". */
const char *pls_dtype_name(pls_dtype dtype);

/* Unit roundoff u of the format: 2^-24 or 2^-53. */
double pls_dtype_roundoff(pls_dtype dtype);

/* How the inner products of float32 data in a Gram matrix are computed; sums over chunks of the
 * inner dimension, and all of it for float64 data, are float64 in any case.
 *   PLS_GRAM_F64    products in float64
 *   PLS_GRAM_SPLIT  each number as the sum of two of half the length, whose products run on matrix
 *                   units where a device has them: faster, with an error as of float32 products */
typedef enum pls_gram_arithmetic { PLS_GRAM_F64, PLS_GRAM_SPLIT } pls_gram_arithmetic;

/* phi of theory: what follows z = s W a + t b. All but relu are twice differentiable. */
typedef enum pls_activation {
    PLS_IDENTITY,
    PLS_TANH,
    PLS_SIGMOID,
    PLS_ERF,
    PLS_SOFTPLUS,
    PLS_SWISH, /* z sigmoid(z) */
    PLS_GELU,  /* z Phi(z), the erf form */
    PLS_SIN,
    PLS_RELU,
    PLS_ACTIVATION_COUNT
} pls_activation;

/* The name in configurations ("tanh", ...). */
const char *pls_activation_name(pls_activation activation);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
