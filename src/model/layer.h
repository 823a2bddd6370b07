/* What a layer is: a table of functions for each kind, and the numbers of one instance.
 *
 * A layer maps alpha (rows x inputs) to alpha' (rows x outputs) by parameters that lie in the
 * flat weight vector w (1 x P) at `offset`, weight before bias:
 *
 *     forward    z = affine(w, alpha),  alpha' = phi(z)
 *     backward   from D' = dF/dalpha' to D = dF/dz (in place) and dF/dalpha
 *
 * Rows of derivatives are equations: row i k + a belongs to sample i, output a; with k = 1 the
 * same functions carry one cotangent a sample, as the gradient needs. A new layer is one new file
 * and one line in the table of layer.c (docs/adding.md). */
#ifndef PLSTAR_MODEL_LAYER_H
#define PLSTAR_MODEL_LAYER_H

#include "backend/arena.h"
#include "plstar/model.h"

typedef struct pls_layer_kind pls_layer_kind;

typedef struct pls_layer {
    const pls_layer_kind *kind;
    pls_activation activation;
    int64_t index;                           /* place in the chain, from 0 */
    int64_t inputs;                          /* columns of alpha */
    int64_t outputs;                         /* columns of z and alpha' */
    double s, t;                             /* factors of weight and bias in z */
    double weight_deviation, bias_deviation; /* of the initial distribution */
    int64_t weight_rows, weight_cols;        /* the weight as a matrix */
    int64_t biases;                          /* 0 without bias */
    int64_t offset;                          /* of the first parameter in w */
} pls_layer;

/* One side of a block of the tangent kernel: what the layer saw and the derivatives by its z. */
typedef struct pls_layer_rows {
    pls_view alpha; /* n x inputs */
    pls_view d;     /* n k x outputs */
} pls_layer_rows;

struct pls_layer_kind {
    const char *name;

    /* Checks the spec against layer->inputs and fills in all but index and offset.
     * PLS_ERROR_CONFIG names the layer by its index. */
    pls_status (*resolve)(pls_context *context, const pls_model *model, const pls_layer_spec *spec,
                          pls_layer *layer);

    /* Draws the layer's parameters into w. */
    pls_status (*initialize)(pls_device *device, const pls_layer *layer, uint64_t seed, pls_view w);

    /* z, out (n x outputs) from alpha (n x inputs). */
    pls_status (*forward)(pls_device *device, const pls_layer *layer, pls_view w, pls_view alpha,
                          pls_view z, pls_view out);

    /* d (n k x outputs) turns from dF/dalpha' into dF/dz in place; d_alpha (n k x inputs) =
     * dF/dalpha unless not given. z: n x outputs. */
    pls_status (*backward)(pls_device *device, const pls_layer *layer, int64_t k, pls_view w,
                           pls_view z, pls_view d, pls_view d_alpha);

    /* The layer's part of g (1 x P) = beta times it + sum over rows of D's parameter gradient;
     * alpha: n x inputs, d: n x outputs (dF/dz, one cotangent a sample). */
    pls_status (*gradient)(pls_device *device, const pls_layer *layer, pls_view alpha, pls_view d,
                           double beta, pls_view g);

    /* Jacobian columns first .. first+count-1 of the layer's own parameters (weight rows come in
     * whole: the range starts and ends at a weight row or inside the bias):
     * out: n k x count. */
    pls_status (*jacobian)(pls_device *device, const pls_layer *layer, int64_t k,
                           pls_layer_rows rows, int64_t first, int64_t count, pls_view out);

    /* kernel (n_u k x n_v k, f64) += the layer's contribution, without Jacobian rows. v without
     * views: the block is its own partner and only its lower triangle is wanted.
     * trace: kernel is n_u x n_v, the sum over outputs.
     * Temporary views come from the arena; while that only measures, nothing is computed. */
    pls_status (*gram)(pls_device *device, const pls_layer *layer, int64_t k, bool trace,
                       pls_gram_arithmetic arithmetic, pls_layer_rows u, pls_layer_rows v,
                       pls_arena *arena, pls_view kernel);

    /* Second order (R-operator); NULL where a kind has none yet.
     * Forward tangent: z_dot, out_dot from w_dot (1 x P) and alpha_dot at (alpha, z).
     * Backward tangent: the derivative of `backward` along (w_dot, alpha_dot). */
    pls_status (*forward_tangent)(pls_device *device, const pls_layer *layer, pls_view w,
                                  pls_view w_dot, pls_view alpha, pls_view alpha_dot, pls_view z,
                                  pls_view z_dot, pls_view out_dot);
    pls_status (*backward_tangent)(pls_device *device, const pls_layer *layer, pls_view w,
                                   pls_view w_dot, pls_view alpha, pls_view alpha_dot, pls_view z,
                                   pls_view z_dot, pls_view d, pls_view d_dot, pls_view d_alpha,
                                   pls_view d_alpha_dot, pls_view g_dot);
};

/* The kind of a layer type. */
const pls_layer_kind *pls_layer_kind_of(pls_layer_type type);

extern const pls_layer_kind pls_dense_layer;

/* Number of parameters: weight and bias. */
static inline int64_t pls_layer_parameters(const pls_layer *layer) {
    return layer->weight_rows * layer->weight_cols + layer->biases;
}

/* The layer's weight (weight_rows x weight_cols) and bias (1 x biases, not given without one)
 * inside a vector of P parameters. */
pls_view pls_layer_weight(const pls_layer *layer, pls_view w);
pls_view pls_layer_bias(const pls_layer *layer, pls_view w);

#endif
