/* The inside of a tangent kernel, shared by gram.c, spectrum.c and floor.c. */
#ifndef PLSTAR_TANGENT_KERNEL_H
#define PLSTAR_TANGENT_KERNEL_H

#include "system/system.h"
#include "tangent/alignment.h"
#include "tangent/lanczos.h"
#include "tangent/products.h"

struct pls_kernel {
    pls_system *system;
    pls_kernel_options options;
    int64_t size; /* N, or n for a trace kernel */
    pls_arena arena;
    pls_view matrix;  /* size x size, both triangles */
    pls_view factor;  /* size x size: Cholesky factor, or what syevd destroys */
    pls_view outputs; /* n x k, when the system has yet to be evaluated */
    pls_view vector;  /* 1 x size: once a spectrum is measured, the eigenvector of lambda_min */
    bool has_vector;  /* that there is one */
    pls_view values;  /* 1 x size */
    pls_alignment_views alignment;
    pls_lanczos lanczos;
    pls_products *products;          /* in the place of all these views where K is not held */
    struct pls_floor_sample *sample; /* of floor.c; NULL until the first measurement */
};

/* Sets the floor and its estimate, once lambda_max and trace are known: by how much rounding may
 * have moved the eigenvalues of the kernel.
 *     estimate  (c u + N u64) lambda_max, u that of the data, c from the system's rounding_growth;
 *               and (2 e + e^2) tr K, e = PLS_SPLIT_ERROR, where products of float32 data are split
 *     measured  rho = ||K32 - K64|| / ||K64|| on a sub-sample that is computed in both precisions,
 *               in float32: (2 max(rho, u) + N u64) lambda_max; 2 is a margin for the sub-sample
 *               in float64: the estimate, or 2 rho u64/u32 lambda_max if that is more
 * N u64 is the backward error of the eigenvalue solver. Measured anew for every kernel, since
 * weights that have been trained may magnify rounding more than those they came from. */
pls_status pls_kernel_floor(pls_kernel *kernel, const pls_spectrum_options *options,
                            pls_spectrum *spectrum);

/* Bytes on the device of a kernel of this system that is held, with the default options; the system
 * may be an outline. */
pls_status pls_kernel_bytes(pls_system *system, int64_t *bytes);

/* pls_products_refuse() where K is not held. */
pls_status pls_kernel_require_matrix(const pls_kernel *kernel, const char *what);

/* Whether the kernel may go without K if there is no room: the method is left to it, and the system
 * gives J v. */
bool pls_kernel_may_let_go(const pls_kernel *kernel);

/* Gives K's memory back and goes on with products; `reason` says why, and is logged. */
pls_status pls_kernel_let_go(pls_kernel *kernel, const char *reason);

/* Frees the sub-sample; NULL is allowed. */
void pls_floor_sample_destroy(pls_context *context, struct pls_floor_sample *sample);

#endif
