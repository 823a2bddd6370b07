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
