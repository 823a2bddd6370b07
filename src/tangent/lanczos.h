/* The largest eigenvalue of a symmetric operator by the Lanczos method.
 *
 *     B v_j = beta_(j-1) v_(j-1) + alpha_j v_j + beta_j v_(j+1)
 * with full reorthogonalisation (twice, against the whole basis), so that no ghost copies appear;
 * the largest eigenvalue theta of the tridiagonal matrix, with eigenvector s, has the residual
 * ||B x - theta x|| = |beta_j s_j|. Restarted from the Ritz vector when the basis is full. */
#ifndef PLSTAR_TANGENT_LANCZOS_H
#define PLSTAR_TANGENT_LANCZOS_H

#include "backend/arena.h"

enum { PLS_LANCZOS_BASIS = 128 };

/* y = B x; x, y: size x 1. */
typedef pls_status (*pls_operator)(void *user, pls_view x, pls_view y);

/* Device views of one solver, reusable. */
typedef struct pls_lanczos {
    pls_device *device;
    int64_t size, capacity;
    pls_view basis;        /* capacity x size, row j = v_j */
    pls_view work;         /* 1 x size */
    pls_view coefficients; /* 1 x capacity */
    pls_view scalar;       /* 1 x 1 */
} pls_lanczos;

pls_status pls_lanczos_take(pls_arena *arena, int64_t size, pls_lanczos *lanczos);

/* *value and vector (1 x size, norm 1): the largest eigenpair, to a residual of tolerance times
 * the value. *accuracy: the relative residual reached, at most the tolerance unless the method ran
 * out of restarts; eigenvalues closer together than that are not told apart. Errors:
 * PLS_CANCELLED, PLS_ERROR_NUMERIC. */
pls_status pls_lanczos_largest(pls_lanczos *lanczos, pls_operator apply, void *user,
                               pls_random_stream start, double tolerance, double *value,
                               pls_view vector, double *accuracy);

/* Norm of a contiguous vector, waiting for it. */
pls_status pls_vector_norm(pls_device *device, pls_view x, pls_view scalar, double *norm);

#endif
