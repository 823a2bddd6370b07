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

/* The quadratic system F_i(w) = wT Q_i w / 2 + a_iT w. q: n x p x p (each Q_i enters by its
 * symmetric part, which is all that F sees), a: n x p or NULL for 0, start: p or NULL for 0, y: n;
 * row-major on the host, copied. Takes n p^2 numbers of device memory.
 * Errors of this and the constructors below: PLS_ERROR_ARGUMENT (sizes), PLS_ERROR_DATA (entries
 * that are not finite), PLS_ERROR_MEMORY. */
pls_status pls_quadratic_system_create(pls_device *device, pls_dtype precision, int64_t equations,
                                       int64_t parameters, const double *q, const double *a,
                                       const double *start, const double *y, pls_system **system);

/* Low-rank matrix factorisation, or completion: F_e = (U V^T)_(i_e, j_e) for the observed entries
 * e; w = U (rows x rank), then V (columns x rank). observed: `count` numbers i columns + j; NULL =
 * all entries in order (then count = rows columns). start: P, y: count. beta_F = 1. */
pls_status pls_factorization_system_create(pls_device *device, pls_dtype precision, int64_t rows,
                                           int64_t columns, int64_t rank, int64_t count,
                                           const int64_t *observed, const double *start,
                                           const double *y, pls_system **system);

/* Phase retrieval: F_i(w) = (a_iT w)^2; a: n x p, start: p, y: n. */
pls_status pls_phase_retrieval_system_create(pls_device *device, pls_dtype precision,
                                             int64_t equations, int64_t parameters, const double *a,
                                             const double *start, const double *y,
                                             pls_system **system);

/* The one equation |w|^2 = 1 in two unknowns: its solutions are a circle. beta_F = 2. */
pls_status pls_circle_system_create(pls_device *device, pls_dtype precision, const double start[2],
                                    pls_system **system);

/* A map phi applied to every weight: F_(i,a)(w) = phi(w_(i,a)), n samples of k outputs, P = n k.
 * Composed with another system it is an output map. start and y: n k, start may be NULL for 0. */
pls_status pls_elementwise_system_create(pls_device *device, pls_dtype precision, int64_t samples,
                                         int64_t outputs, pls_activation phi, const double *start,
                                         const double *y, pls_system **system);

/* The composition h(w) = G(F(w)) of `outer` G and `inner` F: weights and start are those of F;
 * samples, outputs and targets those of G, whose weights are the outputs of F. So an output map is
 * put on F by an outer system and a map of the domain by an inner one. Its kernel is
 * K_h = J_G K_F J_GT. On success the composition owns both systems, which are not to be used any
 * more; on failure they remain the caller's. Errors: PLS_ERROR_ARGUMENT (P of G is not N of F;
 * different devices or precisions), PLS_ERROR_MEMORY. */
pls_status pls_composed_system_create(pls_system *outer, pls_system *inner, pls_system **system);

/* The two systems beside each other: w = (w_1, w_2), F(w) = (F_1(w_1), F_2(w_2)). Both must have
 * the same number of outputs a sample. Samples of the first come before those of the second, in
 * copies with chosen samples too. Ownership and errors as for the composition. */
pls_status pls_joint_system_create(pls_system *first, pls_system *second, pls_system **system);

/* ---- systems of one's own ------------------------------------------------------------------- */

/* How a constant is known.
 *   exact    in closed form, up to rounding
 *   bounded  the true value is at least as good: a proved bound, from above of L_F and beta_F,
 *            from below of mu
 *   sampled  the worst value found at some points; the true one may be worse */
typedef enum pls_evidence {
    PLS_EVIDENCE_EXACT,
    PLS_EVIDENCE_BOUNDED,
    PLS_EVIDENCE_SAMPLED
} pls_evidence;

/* "exact", "bounded", "sampled". */
const char *pls_evidence_name(pls_evidence evidence);

/* beta_F = sup over all w and unit v of ||D^2 F(w)(v, v)||. It is also the Lipschitz constant of
 * J: D^2 F(w) is symmetric, so its norm is attained at two equal arguments (Banach). */
typedef struct pls_smoothness {
    double beta;
    pls_evidence evidence; /* exact or bounded */
} pls_smoothness;

/* A system as functions in float64 on the host; it works on every device and in both precisions,
 * weights and results are carried to and fro. N = samples x outputs.
 *
 * A function returns 0, or any other number when it fails: the call in progress ends with
 * PLS_ERROR_CALLBACK and a sentence that names the function and quotes the number. A result that
 * is not finite ends it with PLS_ERROR_NUMERIC and names the function and the entry, or with
 * PLS_DIVERGED where the weights have grown beyond 1e75. After the first two pls_train() leaves the
 * weights where they were and, with a checkpoint folder, saves them.
 *
 * Functions are called by the thread that uses the context, one at a time, and must be functions of
 * their arguments alone: they also serve copies of the system that stand at other weights. */
typedef struct pls_user_system {
    const char *name;                 /* in texts, to outlive the system; NULL = "user's" */
    int64_t samples;                  /* n */
    int64_t outputs;                  /* k */
    int64_t parameters;               /* P */
    const double *start;              /* P, copied; NULL = 0 */
    const double *targets;            /* N, copied */
    const pls_smoothness *smoothness; /* copied; NULL = not known */
    const char *kink; /* why F is not twice differentiable, as a part of a sentence, to
                         outlive the system; NULL = it is */
    void *user;       /* handed to every function */
    /* f (N) = F(w) */
    int (*apply)(void *user, const double *w, double *f);
    /* f (N) = J(w) v */
    int (*pushforward)(void *user, const double *w, const double *v, double *f);
    /* g (P) = J(w)^T u */
    int (*pullback)(void *user, const double *w, const double *u, double *g);
    /* Optional: h (P) = (sum over i of u_i H_i(w)) v. Without it what asks for second derivatives
     * is refused. */
    int (*curvature)(void *user, const double *w, const double *u, const double *v, double *h);
    /* Optional: called once, when the last system that uses `user` is gone. Not called when the
     * constructor fails. */
    void (*release)(void *user);
} pls_user_system;

/* Errors: PLS_ERROR_ARGUMENT (sizes, a function that is missing), PLS_ERROR_DATA (start or targets
 * not finite), PLS_ERROR_MEMORY. */
pls_status pls_user_system_create(pls_device *device, pls_dtype precision,
                                  const pls_user_system *functions, pls_system **system);

/* NULL is allowed. */
void pls_system_destroy(pls_system *system);

/* ---- what a system is ---------------------------------------------------------------------- */

int64_t pls_system_samples(const pls_system *system);    /* n */
int64_t pls_system_outputs(const pls_system *system);    /* k */
int64_t pls_system_equations(const pls_system *system);  /* N = n k */
int64_t pls_system_parameters(const pls_system *system); /* P */
pls_dtype pls_system_precision(const pls_system *system);

/* beta_F where it is known: of linear, quadratic, factorisation, phase retrieval, circle and
 * elementwise systems, of joint ones of these, and of a user's that brings it.
 * Errors: PLS_ERROR_UNSUPPORTED where it is not known; PLS_ERROR_MEMORY, PLS_ERROR_NUMERIC. */
pls_status pls_system_smoothness(const pls_system *system, pls_smoothness *smoothness);

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
