/* Extreme eigenvalues of symmetric operators by the Lanczos method with thick restarts.
 *
 *     B V = V T + r e^T,   V orthonormal, T = VT B V of order j
 * grows by a column a product with B. T = S diag(theta) ST gives Ritz pairs x = V s, theta with
 *     ||B x - theta x|| = ||r|| |s_last|
 * known without a product. When V is full it is replaced by the best Ritz vectors and r / ||r||,
 * which keep what has been learnt (K. Wu, H. Simon, SIAM J. Matrix Anal. Appl. 22, 2000): so a
 * small basis does for clustered spectra, too. Every new column is orthogonalised against all of
 * V, twice, so that no ghost copies appear and T need not be tridiagonal.
 *
 * Many problems of one size are solved at once. Each has a slot with a basis and a T of its own
 * and goes at its own pace; only the products with the operators are made together. A slot whose
 * problem is solved takes up the next one. So nothing a problem computes depends on the others.
 *
 * Vectors are float64 whatever the operator computes in: the residuals that stop the iteration lie
 * far below the rounding of float32, and converting a vector costs little beside a product. */
#ifndef PLSTAR_TANGENT_LANCZOS_H
#define PLSTAR_TANGENT_LANCZOS_H

#include "backend/arena.h"

enum { PLS_LANCZOS_BASIS = 128 };

/* y = B x; x, y: size x 1, f64, y not to be read. */
typedef pls_status (*pls_operator)(void *user, pls_view x, pls_view y);

/* Row i of y = B_(problems[i]) times row i of x; x, y: slots x size, f64. Rows with problems[i] < 0
 * are idle: x is 0 or finite there, and y is not looked at. */
typedef pls_status (*pls_operators)(void *user, const int64_t *problems, pls_view x, pls_view y);

/* Device views of one solver, reusable. */
typedef struct pls_lanczos {
    pls_device *device;
    int64_t size, slots, capacity;
    pls_view basis;        /* (slots capacity) x size; row j of slot i is i capacity + j */
    pls_view x;            /* slots x size: what the operators are applied to */
    pls_view work;         /* slots x size: products, then residuals */
    pls_view coefficients; /* slots x (2 capacity): components along the basis, of two passes */
    pls_view squares;      /* slots x 2: squared norms, inner products */
    pls_view rotation;     /* 1 x (capacity chunk): Ritz vectors on their way into the basis */
    pls_view scalar;       /* 1 x 1 */
} pls_lanczos;

/* One slot with a basis of PLS_LANCZOS_BASIS vectors. */
pls_status pls_lanczos_take(pls_arena *arena, int64_t size, pls_lanczos *lanczos);

/* So many slots with bases of `capacity` vectors, at least 2 unless the size is 1; never more than
 * the size. Takes about 8 slots size (capacity + 2) bytes. */
pls_status pls_lanczos_take_slots(pls_arena *arena, int64_t size, int64_t slots, int64_t capacity,
                                  pls_lanczos *lanczos);

typedef enum pls_lanczos_end {
    PLS_LANCZOS_LARGEST,
    PLS_LANCZOS_SMALLEST,
    PLS_LANCZOS_MAGNITUDE /* the eigenvalue of largest magnitude: its magnitude is the norm */
} pls_lanczos_end;

typedef struct pls_lanczos_options {
    pls_lanczos_end end;
    double tolerance;        /* stop: residual <= tolerance * scale */
    int64_t products;        /* with the operator, at most, for one problem */
    pls_random_stream start; /* of start vectors, the same for all problems */
} pls_lanczos_options;

typedef struct pls_ritz {
    double value;    /* Rayleigh quotient of the Ritz vector */
    double residual; /* ||B x - value x|| by a product of its own */
    double estimate; /* the residual by the formula above, which stopped the iteration */
    double scale;    /* largest |theta|, a lower bound of ||B|| */
    int64_t products;
    bool converged; /* estimate <= tolerance scale */
} pls_ritz;

/* ritz[p], and row p of vectors (count x size, norm 1; may be not given): an extreme eigenpair of
 * problem p, 0 <= p < count. What has not converged is no error: see `converged`. An operator that
 * is 0 has value and residual 0. Errors: PLS_CANCELLED, PLS_ERROR_NUMERIC, PLS_ERROR_MEMORY. */
pls_status pls_lanczos_solve(pls_lanczos *lanczos, const pls_lanczos_options *options,
                             int64_t count, pls_operators apply, void *user, pls_ritz *ritz,
                             pls_view vectors);

/* One problem in the first slot: *value and vector (1 x size, norm 1) of the largest eigenvalue of
 * a positive semidefinite operator, to a residual of tolerance times the value. *accuracy: the
 * relative residual reached (its estimate), at most the tolerance unless the method ran out of
 * restarts, of which it warns; eigenvalues closer together than that are not told apart. */
pls_status pls_lanczos_largest(pls_lanczos *lanczos, pls_operator apply, void *user,
                               pls_random_stream start, double tolerance, double *value,
                               pls_view vector, double *accuracy);

/* At most `steps` <= capacity steps in the first slot from the vector in row 0 of lanczos->x, which
 * has norm 1. *order: the steps taken, fewer where the Krylov space ended. projected: steps x steps
 * on the host, column j at projected + j steps; its upper triangle of that order is T. */
pls_status pls_lanczos_project(pls_lanczos *lanczos, pls_operator apply, void *user, int64_t steps,
                               double *projected, int64_t *order);

/* Norm of a contiguous vector, waiting for it. */
pls_status pls_vector_norm(pls_device *device, pls_view x, pls_view scalar, double *norm);

#endif
