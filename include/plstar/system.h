/* Systems of equations F: R^P -> R^N, F(w) = y (Liu, Zhu, Belkin, arXiv 2003.00307, section 2).
 *
 * The N equations come as n samples of k outputs, N = n k, row i k + a. A network with data is
 * one system; others have k = 1. Trainer, tangent kernel, spectrum and report speak of systems.
 *
 * A system stands at a point: pls_system_evaluate() takes it there and keeps what derivatives
 * need; gradient, Jacobian and kernel then refer to that point. */
#ifndef PLSTAR_SYSTEM_H
#define PLSTAR_SYSTEM_H

#include "plstar/dataset.h"
#include "plstar/device.h"
#include "plstar/model.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct pls_system pls_system;

/* ---- making systems ----------------------------------------------------------------------- */

typedef struct pls_network_options {
    pls_dtype precision;
    uint64_t seed;  /* of the weights */
    int64_t memory; /* bytes that activations and derivatives may take beside weights and kernel;
                       0 = as needed. More memory saves recomputation, never changes a bit. */
} pls_network_options;

/* f32, seed 0, memory 0. */
pls_network_options pls_network_options_defaults(void);

/* The system F_(i,a)(w) = f_a(w; x_i) of a network with a data set's inputs and targets; P
 * weights in layer order, weight before bias, row-major. Copies what it needs of both.
 * Errors: PLS_ERROR_CONFIG (model), PLS_ERROR_DATA (the data's shape does not fit the model's
 * input or output), PLS_ERROR_MEMORY (refused before any work, with the bytes needed). */
pls_status pls_network_system_create(pls_device *device, const pls_model *model,
                                     const pls_dataset *data, const pls_network_options *options,
                                     pls_system **system);

/* The linear system F(w) = A w, started at w = 0; a: n x p, y: n, row-major on the host. Its
 * constants are exact: L_F = ||A||, beta_F = 0, mu = lambda_min(A A^T). */
pls_status pls_linear_system_create(pls_device *device, pls_dtype precision, int64_t equations,
                                    int64_t parameters, const double *a, const double *y,
                                    pls_system **system);

/* NULL is allowed. */
void pls_system_destroy(pls_system *system);

/* ---- what a system is ---------------------------------------------------------------------- */

int64_t pls_system_samples(const pls_system *system);    /* n */
int64_t pls_system_outputs(const pls_system *system);    /* k */
int64_t pls_system_equations(const pls_system *system);  /* N = n k */
int64_t pls_system_parameters(const pls_system *system); /* P */
pls_dtype pls_system_precision(const pls_system *system);

/* ---- weights ------------------------------------------------------------------------------- */

/* Draws the weights from the seed (or what the system starts from). */
pls_status pls_system_initialize(pls_system *system);

/* Weights from a safetensors file: `layers.<i>.weight` (out x in) and `layers.<i>.bias`, F32 or
 * F64; tensors `inputs` and `targets` may be there too. in_order: take all other tensors in order
 * of appearance whatever their names. Errors: PLS_ERROR_FILE, PLS_ERROR_DATA (with tensor, shape
 * found and shape expected). */
pls_status pls_system_load_weights(pls_system *system, const char *path, bool in_order);

/* Writes the weights as safetensors, in the system's precision, atomically. */
pls_status pls_system_save_weights(pls_system *system, const char *path);

/* Copies P weights (f64 on the host) to or from the system. */
pls_status pls_system_set_weights(pls_system *system, const double *weights);
pls_status pls_system_get_weights(pls_system *system, double *weights);

/* ---- at a point ----------------------------------------------------------------------------- */

/* The loss of a system's outputs against its targets; always a sum over samples.
 *   square         L = 1/2 ||F(w) - y||^2
 *   cross_entropy  L = sum_i H(y_i, softmax f_i); targets must be probabilities */
typedef enum pls_loss { PLS_LOSS_SQUARE, PLS_LOSS_CROSS_ENTROPY } pls_loss;

/* "square", "cross_entropy". */
const char *pls_loss_name(pls_loss loss);

/* Numbers of a point, on the host. */
typedef struct pls_point {
    double loss;          /* L */
    double gradient_norm; /* ||grad L|| */
    double pl_ratio;      /* 1/2 ||grad L||^2 / L; NaN where L = 0, or where the infimum of the
                             loss is not 0 (cross entropy with targets that are not one-hot) */
} pls_point;

/* Evaluates F, loss and gradient at the system's weights; each of outputs (n x k) and gradient
 * (P), f64 on the host, may be NULL. */
pls_status pls_system_measure(pls_system *system, pls_loss loss, pls_point *point, double *outputs,
                              double *gradient);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
