/* Architectures: a chain of layers, as plain data.
 *
 *     alpha^0 = x,   z^l = s_l W^l alpha^(l-1) + t_l b^l,   alpha^l = phi_l(z^l),   f = alpha^L
 *
 * where W^l alpha is a matrix product, or a convolution with stride 1 and zero padding that keeps
 * the size of the image (fan_in = channels kernel^2, a bias for each channel). Residual layers add
 * their input, alpha^l = alpha^(l-1) + phi_l(z^l); pooling takes averages; flatten takes an image
 * as a vector in the order channel, row, column. Parameterizations:
 *
 *   ntk       W_ij ~ N(0,1), s = sigma_w / sqrt(fan_in);  b ~ N(0,1), t = sigma_b
 *   standard  W_ij ~ N(0, sigma_w^2 / fan_in), s = 1;     b ~ N(0, sigma_b^2), t = 1
 * (Liu, Zhu, Belkin, arXiv 2003.00307, section 4; Jacot et al., arXiv 1806.07572, for `ntk`.) */
#ifndef PLSTAR_MODEL_H
#define PLSTAR_MODEL_H

#include "plstar/context.h"
#include "plstar/types.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef enum pls_parameterization {
    PLS_PARAMETERIZATION_NTK,
    PLS_PARAMETERIZATION_STANDARD
} pls_parameterization;

typedef enum pls_layer_type {
    PLS_LAYER_DENSE,
    PLS_LAYER_CONV,
    PLS_LAYER_RESIDUAL_DENSE, /* width = that of its input */
    PLS_LAYER_RESIDUAL_CONV,  /* channels = those of its input */
    PLS_LAYER_AVERAGE_POOL,
    PLS_LAYER_GLOBAL_AVERAGE_POOL,
    PLS_LAYER_FLATTEN,
    PLS_LAYER_TYPE_COUNT
} pls_layer_type;

/* The name in configurations ("dense", "residual_conv", ...). */
const char *pls_layer_type_name(pls_layer_type type);

typedef struct pls_layer_spec {
    pls_layer_type type;
    int64_t width;             /* dense: outputs of the layer, > 0 */
    pls_activation activation; /* dense, conv */
    int64_t channels;          /* conv: output channels, > 0 */
    int64_t kernel;            /* conv: edge of the kernel, odd */
    int64_t size;              /* average_pool: edge of a window, divides height and width */
} pls_layer_spec;

typedef struct pls_model {
    int input_rank;         /* 1 or 3 */
    int64_t input_shape[3]; /* (d) or (channels, height, width) */
    pls_parameterization parameterization;
    double sigma_w; /* > 0 */
    double sigma_b; /* >= 0; used where bias is on */
    bool bias;
    int64_t layer_count;          /* >= 1 */
    const pls_layer_spec *layers; /* owned by the caller */
} pls_model;

/* ntk, sigma_w 1, sigma_b 0, no bias, no layers. */
pls_model pls_model_defaults(void);

/* Checks every field; *parameters = P, *outputs = k (either may be NULL).
 * Errors: PLS_ERROR_CONFIG, naming the layer and what was expected (widths > 0, odd kernels,
 * windows that divide, images where images are needed, P countable in 64 bits). */
pls_status pls_model_check(pls_context *context, const pls_model *model, int64_t *parameters,
                           int64_t *outputs);

/* One line for people, "64 -> 4096 tanh -> 10, ntk" or "1x28x28 -> conv 64 3x3 relu -> flatten ->
 * 10, ntk"; cut off if `size` is too small. */
void pls_model_describe(const pls_model *model, char *text, size_t size);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
