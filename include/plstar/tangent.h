/* The tangent kernel K(w) = J(w) J(w)^T of a system at its weights, and its spectrum.
 *
 * K is N x N with rows in sample-major order (row = i k + a), not divided by anything; always
 * accumulated and stored in float64. mu = lambda_min(K). (arXiv 2003.00307, section 2.) */
#ifndef PLSTAR_TANGENT_H
#define PLSTAR_TANGENT_H

#include "plstar/quadrature.h"
#include "plstar/system.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* ---- kernel ---------------------------------------------------------------------------------- */

/* structured: layer by layer, no row as long as P is formed.
 * explicit:   from rows of the per-sample Jacobian; the check of the former.
 * matrix-free: K is not formed; K v = J (J^T v), in float64, in memory that grows like N.
 * automatic:  structured where the system has it; matrix-free where K does not fit in memory. */
typedef enum pls_kernel_method {
    PLS_KERNEL_AUTOMATIC,
    PLS_KERNEL_STRUCTURED,
    PLS_KERNEL_EXPLICIT,
    PLS_KERNEL_MATRIX_FREE
} pls_kernel_method;

typedef struct pls_kernel_options {
    pls_kernel_method method;
    bool trace;     /* the n x n kernel sum_a K[(i,a),(j,a)] instead of the N x N one */
    int64_t memory; /* bytes for tiles beside weights, activations and K itself; 0 = as needed */
    int64_t tile;   /* samples a tile; 0 = as many as the memory allows. Rounded up to whole
                       blocks; never changes a bit of the result */
    pls_gram_arithmetic gram; /* of inner products of float32 data; float64 data, and the copies
                                 that floors and refinements are made of, have those of float64 */
} pls_kernel_options;

/* automatic, N x N, no limits, products in float64. */
pls_kernel_options pls_kernel_options_defaults(void);

typedef struct pls_kernel pls_kernel;

/* Reserves device memory for the kernel of a system, its tiles and its spectrum. Errors:
 * PLS_ERROR_MEMORY (with the bytes needed), PLS_ERROR_UNSUPPORTED, PLS_ERROR_ARGUMENT. */
pls_status pls_kernel_create(pls_system *system, const pls_kernel_options *options,
                             pls_kernel **kernel);
void pls_kernel_destroy(pls_kernel *kernel);

/* NULL where K itself is held; else why it is not, a sentence that lives as long as the kernel. */
const char *pls_kernel_is_matrix_free(const pls_kernel *kernel);

/* What the inner products of such a kernel are computed in on the system's device, for people:
 * "products and sums in f64". A static string. options may be NULL. */
const char *pls_kernel_arithmetic(const pls_system *system, const pls_kernel_options *options);

/* How one layer's contribution to the kernel is computed: by the cheaper of two ways, or by rows if
 * the explicit method is asked for. */
typedef struct pls_kernel_way {
    int64_t layer;   /* its index in the model */
    bool by_rows;    /* from rows of the layer's Jacobian; else structured, without them */
    int64_t samples; /* of a block; the kernel is made of pairs of blocks */
    double structured_operations; /* floating-point operations of either way, for a block with */
    double rows_operations;       /* itself; both 0 where rows never pay (dense) */
} pls_kernel_way;

/* The i-th layer with parameters, from 0; false past the last one, and for systems that have no
 * structured kernel. */
bool pls_kernel_way_of(const pls_kernel *kernel, int64_t i, pls_kernel_way *way);

/* Rows of the kernel: N, or n for a trace kernel. */
int64_t pls_kernel_size(const pls_kernel *kernel);

/* Computes the kernel at the system's weights. Errors: PLS_CANCELLED, PLS_ERROR_DEVICE. */
pls_status pls_kernel_compute(pls_kernel *kernel);

/* product = K v on the host, after pls_kernel_compute(); v, product: pls_kernel_size() numbers. */
pls_status pls_kernel_product(pls_kernel *kernel, const double *v, double *product);

/* Trace and spectral density from products, after pls_kernel_compute(). *density must be zeroed or
 * fresh; free it by pls_quadrature_destroy(). options may be NULL: the defaults. Errors:
 * PLS_ERROR_ARGUMENT, PLS_ERROR_NUMERIC, PLS_ERROR_MEMORY, PLS_CANCELLED. */
pls_status pls_kernel_density(pls_kernel *kernel, const pls_quadrature_options *options,
                              pls_quadrature *density);

/* Copies it to the host: size x size, both triangles. Errors: of a kernel that is not held,
 * PLS_ERROR_MEMORY if there was no room for it, else PLS_ERROR_UNSUPPORTED. */
pls_status pls_kernel_download(pls_kernel *kernel, double *host);

/* Rows of J, f64 on the host: samples first .. first+count-1, so count k x P numbers. */
pls_status pls_system_jacobian(pls_system *system, int64_t first, int64_t count, double *host);

/* product = J v, N numbers in the order of rows of K, for v of P numbers; and product = J^T u, P
 * numbers for u of N. On the host, in the system's precision between. Errors:
 * PLS_ERROR_UNSUPPORTED for systems without J v, PLS_ERROR_MEMORY. */
pls_status pls_system_jacobian_product(pls_system *system, const double *v, double *product);
pls_status pls_system_transposed_product(pls_system *system, const double *u, double *product);

/* ---- spectrum -------------------------------------------------------------------------------- */

/* When a float32 measurement is repeated on a float64 copy of the system. */
typedef enum pls_refine {
    PLS_REFINE_NEVER,
    PLS_REFINE_BELOW_FLOOR, /* when lambda_min falls under the floor */
    PLS_REFINE_ALWAYS
} pls_refine;

typedef struct pls_spectrum_options {
    bool full; /* all eigenvalues, not only the extreme ones */
    pls_refine refine;
    int64_t floor_samples; /* sub-sample on which f32 is measured against f64; 0 = the a-priori
                              estimate of rounding alone */
    uint64_t seed;         /* of the Lanczos start vectors */
    bool next;             /* the second smallest eigenvalue too, which says how well the bottom
                              eigenvector is determined; one more run of the Lanczos method */
    int64_t products;      /* matrix-free: with K, that the search for lambda_min may take */
} pls_spectrum_options;

/* extremes, below_floor, 16 samples, seed 0, not the second smallest, 500 products. */
pls_spectrum_options pls_spectrum_options_defaults(void);

/* Every eigenvalue comes with its floor: what rounding of data of the system's precision may have
 * moved it by. An eigenvalue below the floor is not known, not even its sign.
 *
 * Of a matrix-free kernel lambda_min may not be found within the products allowed: lambda_min is
 * NaN then, while lambda_min_upper (a Rayleigh quotient and the floor) bounds it all the same and
 * lambda_min_lower is 0, as K = J J^T. Its trace is NaN; pls_kernel_density() estimates it. */
typedef struct pls_spectrum {
    int64_t size;
    double lambda_min;       /* Rayleigh quotient of the last vector */
    double lambda_min_lower; /* lambda_min - residual - floor - accuracy of the Lanczos method (an
                                estimate, not yet a proof) */
    double lambda_min_upper; /* lambda_min + floor */
    double lambda_min_residual; /* ||K v - lambda v||, ||v|| = 1 */
    double lambda_next;         /* the second smallest eigenvalue; NaN unless asked for, or N = 1 */
    double lambda_max;
    double lambda_max_residual;
    double condition_number; /* lambda_max / lambda_min; NaN below the floor */
    double floor;
    double floor_estimate; /* the a-priori estimate; `floor` is measured where it can be */
    bool below_floor;      /* lambda_min < floor */
    bool refined;          /* measured on the float64 copy */
    double shift;          /* added to the diagonal to let the Cholesky factorisation through */
    double trace;          /* of K */
    double *eigenvalues;   /* ascending, `size` of them; NULL unless full */
} pls_spectrum;

/* Measures the spectrum of a computed kernel. *spectrum must be zeroed or fresh; free it by
 * pls_spectrum_destroy(). Errors: PLS_ERROR_NUMERIC (K not finite, no convergence),
 * PLS_ERROR_MEMORY, PLS_CANCELLED. */
pls_status pls_kernel_spectrum(pls_kernel *kernel, const pls_spectrum_options *options,
                               pls_spectrum *spectrum);

void pls_spectrum_destroy(pls_context *context, pls_spectrum *spectrum);

/* tr K / lambda_max, the effective rank r_0 of Bartlett, Long, Lugosi, Tsigler, Benign overfitting
 * in linear regression, PNAS 117, 2020: between 1 and N, N for a multiple of the identity. NaN for
 * K = 0. */
double pls_effective_rank(const pls_spectrum *spectrum);

/* ---- kernel and targets -----------------------------------------------------------------------
 */

/* The alignment of a computed kernel with the targets (Cristianini and others, On kernel-target
 * alignment, NIPS 14, 2001):
 *     <K, y yT>_F / (||K||_F ||y||^2)               y the targets as N numbers
 *     <K, Y YT>_F / (||K||_F ||Y YT||_F)            trace kernel; Y the targets, n x k
 * between 0 and 1; 1 where K is a multiple of y yT. NaN where K or the targets are 0. */
pls_status pls_kernel_alignment(pls_kernel *kernel, double *alignment);

/* ---- who sets mu ------------------------------------------------------------------------------
 */

/* A part of w, "layers.0" (weight and bias), or the tensor's name in a system without layers. */
typedef struct pls_layer_share {
    char name[64];
    double share;
} pls_layer_share;

/* The unit eigenvector v of lambda_min(K), and what carries it:
 *     sample i   sum over a of v_(i,a)^2
 *     output a   sum over i of v_(i,a)^2
 *     layer l    ||(JT v)_l||^2 / ||JT v||^2 = vT K_l v / vT K v
 * Shares are not negative and sum to 1. Of a trace kernel, v has an entry a sample; with J_a the
 * rows of output a,
 *     output a   ||J_aT v||^2 / vT K v,    layer l   sum over a of ||(J_aT v)_l||^2 / vT K v. */
typedef struct pls_bottom {
    bool known; /* false where there is no v, as for K = 0; nothing below is then set */
    int64_t samples, outputs, layers;
    double *vector;                /* N, or n for a trace kernel */
    double *sample_shares;         /* n */
    double *output_shares;         /* k; NaN for a trace kernel with JT v = 0 */
    pls_layer_share *layer_shares; /* layers of them; none where JT v = 0 */
    double eigenvalue;             /* vT K v */
    double gap;  /* to the next eigenvalue; NaN if the spectrum was measured without it, infinite
                    if there is no other */
    double turn; /* estimate of the sine of the angle by which rounding may have turned v:
                    (2 floor + residual) / gap, at most 1 */
    bool determined;  /* turn <= 0.1: v is that of the exact kernel, about */
    bool below_floor; /* vT K v is not known, and so are the shares of layers not */
} pls_bottom;

/* Who carries the bottom eigenvector of the kernel whose spectrum was just measured, best with
 * options.next; where that was refined, of the refined kernel. Layers are measured on a float64
 * copy of the system where memory allows. *bottom must be zeroed or fresh; free it by
 * pls_bottom_destroy(). Errors: PLS_ERROR_MEMORY, PLS_ERROR_DEVICE, PLS_CANCELLED. */
pls_status pls_kernel_bottom(pls_kernel *kernel, const pls_spectrum *spectrum, pls_bottom *bottom);

void pls_bottom_destroy(pls_context *context, pls_bottom *bottom);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
