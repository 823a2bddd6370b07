/* What a layer is.
 *
 *     z = s W . alpha + t b        affine in the weights, linear in alpha
 *     alpha' = phi(z)              or alpha + phi(z) in a residual layer
 *
 * A kind of layer is the product W . alpha alone: a table of what it and its transposes do. What
 * follows from it is the same for all kinds and is written once: bias (bias.c), phi, the residual
 * branch and rows of the Jacobian (layer.c), derivatives of second order (layer_tangent.c),
 * contributions to the tangent kernel (layer_gram.c). A new kind is one new file and one line in
 * the table of layer.c (docs/adding.md).
 *
 * Parameters lie in the flat weight vector w (1 x P) at `offset`, weight before bias. Rows of
 * derivatives are equations: row i k + a belongs to sample i, output a; with k = 1 the same
 * functions carry one cotangent a sample, as the gradient needs.
 *
 * Scratch is a contiguous view of at least layer->scratch elements of the data's dtype (not given
 * where that is 0); whatever it held is lost. Images go through it a few samples at a time; how
 * many is a function of the architecture alone. */
#ifndef PLSTAR_MODEL_LAYER_H
#define PLSTAR_MODEL_LAYER_H

#include "backend/arena.h"
#include "base/memory.h"
#include "plstar/model.h"

typedef struct pls_layer_kind pls_layer_kind;

/* A vector of `channels` numbers, or an image. */
typedef struct pls_shape {
    pls_image image; /* height = width = 1 for a vector */
    bool is_vector;
} pls_shape;

typedef struct pls_layer {
    const pls_layer_kind *kind;
    pls_layer_type type;
    pls_activation activation;
    bool residual;
    int64_t index; /* place in the chain, from 0 */
    pls_shape in, out;
    int64_t inputs, outputs;                 /* columns of alpha; of z and alpha' */
    int64_t edge;                            /* of the kernel or of the pooling window */
    double s, t;                             /* factors of weight and bias in z */
    double weight_deviation, bias_deviation; /* of the initial distribution */
    int64_t weight_rows, weight_cols;        /* the weight as a matrix; 0 where there is none */
    int64_t biases;                          /* one for each channel of z; 0 without bias */
    int64_t offset;                          /* of the first parameter in w */
    int64_t scratch;                         /* elements */
} pls_layer;

/* One side of a block of the tangent kernel: what the layer saw and the derivatives by its z. */
typedef struct pls_layer_rows {
    pls_view alpha; /* n x inputs */
    pls_view d;     /* n k x outputs */
} pls_layer_rows;

/* Wherever weights w come in, one row of them is shared by all rows of alpha; as many rows as alpha
 * has are one set of weights for each. The same holds for gradients g: one row is the sum over all
 * rows, as many rows are one gradient for each. Views w and g are whole vectors of P columns. */
struct pls_layer_kind {
    /* Checks the spec against layer->in and sets out, edge, the sizes of weight and bias, and
     * scratch. PLS_ERROR_CONFIG names the layer by its index. */
    pls_status (*resolve)(pls_context *context, const pls_layer_spec *spec, pls_layer *layer);

    /* z (n x outputs) = s W . alpha + beta z */
    pls_status (*apply)(pls_device *device, const pls_layer *layer, pls_view w, pls_view alpha,
                        pls_view scratch, double beta, pls_view z);

    /* d_alpha (n x inputs) = s WT . d + beta d_alpha, the transpose of `apply`; d: n x outputs */
    pls_status (*apply_transposed)(pls_device *device, const pls_layer *layer, pls_view w,
                                   pls_view d, pls_view scratch, double beta, pls_view d_alpha);

    /* The weight's part of g = beta times it + s (derivative of <d, W . alpha> by W). NULL for a
     * kind without weights, as are the next two. */
    pls_status (*weight_gradient)(pls_device *device, const pls_layer *layer, pls_view alpha,
                                  pls_view d, pls_view scratch, double beta, pls_view g);

    /* out (n k x count) = s (derivative of <d_row, W . alpha_(row/k)> by elements
     * first .. first+count-1 of W), which are whole rows of the weight. */
    pls_status (*weight_jacobian)(pls_device *device, const pls_layer *layer, int64_t k,
                                  pls_layer_rows rows, int64_t first, int64_t count,
                                  pls_view scratch, pls_view out);

    /* kernel (n_u k x n_v k, f64) += the contribution of weight and bias without forming rows of
     * the Jacobian. v without views: the block is its own partner and only its lower triangle is
     * wanted. trace: kernel is n_u x n_v, the sum over outputs. Temporary views come from the
     * arena; while that only measures, nothing is computed. */
    pls_status (*gram)(pls_device *device, const pls_layer *layer, int64_t k, bool trace,
                       pls_gram_arithmetic arithmetic, pls_layer_rows u, pls_layer_rows v,
                       pls_arena *arena, pls_view kernel);

    /* Floating-point operations of `gram` for so many samples (n_v = 0: its own partner). NULL
     * where `gram` never costs more than rows of the Jacobian would. */
    double (*gram_operations)(const pls_layer *layer, int64_t k, bool trace, int64_t n_u,
                              int64_t n_v);
};

extern const pls_layer_kind pls_dense_kind, pls_convolution_kind, pls_average_pool_kind,
    pls_global_average_pool_kind, pls_flatten_kind;

/* ---- one layer --------------------------------------------------------------------------------
 */

/* Resolves layer number `index` of a model from the shape of its input; all but the offset. */
pls_status pls_layer_resolve(pls_context *context, const pls_model *model, int64_t index,
                             pls_shape in, pls_layer *layer);

/* Number of parameters: weight and bias. */
static inline int64_t pls_layer_parameters(const pls_layer *layer) {
    return layer->weight_rows * layer->weight_cols + layer->biases;
}

/* Positions that share a bias and a weight: pixels of an output channel. */
static inline int64_t pls_layer_positions(const pls_layer *layer) {
    return layer->out.image.height * layer->out.image.width;
}

/* Whether alpha' is z, so that one view serves for both. */
static inline bool pls_layer_is_linear(const pls_layer *layer) {
    return layer->activation == PLS_IDENTITY && !layer->residual && layer->biases == 0;
}

/* The layer's weight (weight_rows x weight_cols) and bias (1 x biases, not given without one)
 * inside a row of P parameters. */
pls_view pls_layer_weight(const pls_layer *layer, pls_view w);
pls_view pls_layer_bias(const pls_layer *layer, pls_view w);

/* Elements from one set of weights to the next: 0 if all rows share them. */
static inline int64_t pls_weights_stride(pls_view w) {
    return w.rows == 1 ? 0 : w.ld;
}

/* Where the bias begins in w. */
static inline int64_t pls_layer_bias_offset(const pls_layer *layer) {
    return layer->offset + layer->weight_rows * layer->weight_cols;
}

/* Draws the layer's parameters into w: tensor 2 index for the weight, 2 index + 1 for the bias. */
pls_status pls_layer_initialize(pls_device *device, const pls_layer *layer, uint64_t seed,
                                pls_view w);

/* z, out (n x outputs) from alpha (n x inputs); out is z if the layer is linear. */
pls_status pls_layer_forward(pls_device *device, const pls_layer *layer, pls_view w, pls_view alpha,
                             pls_view scratch, pls_view z, pls_view out);

/* d (n k x outputs) turns from dF/dalpha' into dF/dz in place; d_alpha (n k x inputs) =
 * dF/dalpha unless not given. z: n x outputs. */
pls_status pls_layer_backward(pls_device *device, const pls_layer *layer, int64_t k, pls_view w,
                              pls_view z, pls_view d, pls_view scratch, pls_view d_alpha);

/* The layer's part of g = beta times it + the parameter gradient; alpha: n x inputs, d: n x outputs
 * (dF/dz, one cotangent a sample). */
pls_status pls_layer_gradient(pls_device *device, const pls_layer *layer, pls_view alpha,
                              pls_view d, pls_view scratch, double beta, pls_view g);

/* Jacobian columns first .. first+count-1 of the layer's own parameters (weight rows come in
 * whole: the range starts and ends at a weight row or inside the bias): out: n k x count. */
pls_status pls_layer_jacobian(pls_device *device, const pls_layer *layer, int64_t k,
                              pls_layer_rows rows, int64_t first, int64_t count, pls_view scratch,
                              pls_view out);

/* ---- second order, layer_tangent.c (B. A. Pearlmutter, Neural Computation 6, 1994) -----------
 *
 * x_dot is the derivative of x along a direction (w_dot, alpha_dot); alpha_dot is not given where
 * the layer's input does not depend on the weights. w is shared by all rows; w_dot may be one
 * direction for all rows or one for each. */

/* z_dot, out_dot at (alpha, z); out_dot is z_dot if the layer is linear. */
pls_status pls_layer_forward_tangent(pls_device *device, const pls_layer *layer, pls_view w,
                                     pls_view w_dot, pls_view alpha, pls_view alpha_dot, pls_view z,
                                     pls_view scratch, pls_view z_dot, pls_view out_dot);

typedef struct pls_layer_tangent {
    pls_view alpha, alpha_dot;     /* n x inputs */
    pls_view z, z_dot;             /* n x outputs; z_dot is destroyed */
    pls_view d, d_dot;             /* n x outputs: from dF/dalpha' to dF/dz, and its derivative */
    pls_view d_alpha, d_alpha_dot; /* n x inputs: dF/dalpha and its derivative, unless not given */
} pls_layer_tangent;

/* The derivative of backward and gradient: besides d and d_alpha, the layer's part of
 * g_dot = beta times it + the derivative of the parameter gradient. */
pls_status pls_layer_backward_tangent(pls_device *device, const pls_layer *layer, pls_view w,
                                      pls_view w_dot, const pls_layer_tangent *at, pls_view scratch,
                                      double beta, pls_view g_dot);

/* ---- tangent kernel, layer_gram.c -------------------------------------------------------------
 */

/* How a layer's contribution is computed, and what the ways cost in floating-point operations. */
typedef struct pls_gram_way {
    bool by_rows;      /* from rows of the Jacobian; else the kind's own */
    double structured; /* operations of the kind's own way */
    double rows;       /* operations by rows */
} pls_gram_way;

/* The cheaper way for blocks of n_u and n_v samples (n_v = 0: a block with itself). */
pls_gram_way pls_layer_gram_way(const pls_layer *layer, int64_t k, bool trace, int64_t n_u,
                                int64_t n_v);

/* kernel += the contribution of weight and bias, as `gram` of a kind, by rows or not. */
pls_status pls_layer_gram(pls_device *device, const pls_layer *layer, int64_t k, bool trace,
                          pls_gram_arithmetic arithmetic, bool by_rows, pls_layer_rows u,
                          pls_layer_rows v, pls_arena *arena, pls_view kernel);

#endif
