/* Extreme eigenvalues of symmetric operators by the Lanczos method with thick restarts.
 *
 *     B V = V T + r e^T,   V orthonormal, T = V^T B V of order j, e the last unit vector,
 *
 * grows by a column a product with B. T = S diag(theta) S^T gives the Ritz pairs x = V s, theta,
 * and
 *
 *     ||B x - theta x|| = ||r|| |s_j|
 *
 * without a further product. When V is full it is replaced by the best Ritz vectors and r / ||r||,
 * which keep what has been learnt (K. Wu, H. Simon, SIAM J. Matrix Anal. Appl. 22, 2000): so a
 * small basis does for clustered spectra, too. B v_j lies in the span of v_(j-1), v_j and r, but
 * behind a restart, where it may lie along all of V. So r is orthogonalised against these, which
 * takes away all but rounding, and then against all of V, which takes away the rounding: no ghost
 * copies appear. T is taken from the components found in this.
 *
 * Many problems of one size are solved at once. Each has a slot with a basis and a T of its own
 * and goes at its own pace; only the products with the operators are made together. A slot whose
 * problem is solved takes up the next one. So nothing that a problem computes depends on others.
 *
 * Vectors are float64 whatever the operator computes in: the residuals that stop the iteration lie
 * far below the rounding of float32, and converting a vector costs little beside a product. */
#ifndef PLSTAR_TANGENT_LANCZOS_H
#define PLSTAR_TANGENT_LANCZOS_H

#include "backend/arena.h"
#include "base/memory.h"

enum { PLS_LANCZOS_BASIS = 128 };

/* y = B x; x, y: size x 1, f64. */
typedef pls_status (*pls_operator)(void *user, pls_view x, pls_view y);

/* Row i of y = B_(problems[i]) times row i of x; x, y: slots x size, f64. Rows with problems[i] < 0
 * are idle: x is 0 there, and what y becomes is not looked at. */
typedef pls_status (*pls_operators)(void *user, const int64_t *problems, pls_view x, pls_view y);

/* Device views of one solver, reusable. All f64. */
typedef struct pls_lanczos {
    pls_device *device;
    int64_t size, slots, capacity;
    pls_view basis;        /* (slots capacity) x size; vector j of slot i is row i capacity + j */
    pls_view x;            /* slots x size: what the operators are applied to */
    pls_view work;         /* slots x size: products, then residuals */
    pls_view coefficients; /* slots x (2 capacity): components along V, of two passes */
    pls_view squares;      /* slots x 2: squared norms, inner products */
    pls_view ritz;         /* 1 x (capacity capacity): eigenvectors of T */
    pls_view rotated;      /* 1 x (capacity columns at a time): Ritz vectors on their way to V */
    pls_view scalar;       /* 1 x 1 */
} pls_lanczos;

/* One slot with a basis of PLS_LANCZOS_BASIS vectors. */
pls_status pls_lanczos_take(pls_arena *arena, int64_t size, pls_lanczos *lanczos);

/* So many slots with bases of `capacity` vectors, at least 3; never more than the size. About
 * 8 slots size (capacity + 2) bytes. */
pls_status pls_lanczos_take_slots(pls_arena *arena, int64_t size, int64_t slots, int64_t capacity,
                                  pls_lanczos *lanczos);

typedef enum pls_lanczos_end {
    PLS_LANCZOS_LARGEST,
    PLS_LANCZOS_SMALLEST,
    PLS_LANCZOS_MAGNITUDE /* the eigenvalue of largest magnitude, which is the norm */
} pls_lanczos_end;

typedef struct pls_lanczos_options {
    pls_lanczos_end end;
    double tolerance;        /* stop at a residual of at most tolerance * scale */
    int64_t products;        /* with its operator that a problem may take */
    pls_random_stream start; /* of the start vector, the same for all problems */
} pls_lanczos_options;

typedef struct pls_ritz {
    double value;    /* Rayleigh quotient of the Ritz vector */
    double residual; /* ||B x - value x||, by a product of its own */
    double estimate; /* the residual by the formula above, which stopped the iteration */
    double scale;    /* largest |theta|, a lower bound of ||B|| */
    int64_t products;
    bool converged; /* estimate <= tolerance scale, or V spans the whole space */
} pls_ritz;

/* ritz[p], and row p of vectors (count x size, norm 1; may be not given): an extreme eigenpair of
 * problem p, 0 <= p < count. Not to converge is no error: see `converged`. An operator that is 0
 * has value and residual 0. Errors: PLS_CANCELLED, PLS_ERROR_NUMERIC (numbers that are not
 * finite), PLS_ERROR_MEMORY. */
pls_status pls_lanczos_solve(pls_lanczos *lanczos, const pls_lanczos_options *options,
                             int64_t count, pls_operators apply, void *user, pls_ritz *ritz,
                             pls_view vectors);

/* One problem in the first of one slots: *value and vector (1 x size, norm 1) of the largest
 * eigenvalue of a positive semidefinite operator, to a residual of tolerance times the value.
 * *accuracy: the relative residual reached (its estimate), at most the tolerance unless the method
 * ran out of products, of which it warns; eigenvalues closer together than that are not told
 * apart. */
pls_status pls_lanczos_largest(pls_lanczos *lanczos, pls_operator apply, void *user,
                               pls_random_stream start, double tolerance, double *value,
                               pls_view vector, double *accuracy);

/* At most `steps` <= capacity steps of one slot from the vector in lanczos->x, of norm 1. *order:
 * the steps taken, fewer where the Krylov space ended. projected, on the host: column j at
 * projected + j steps; the upper triangle of that order is T. */
pls_status pls_lanczos_project(pls_lanczos *lanczos, pls_operator apply, void *user, int64_t steps,
                               double *projected, int64_t *order);

/* Norm of a contiguous vector, waiting for it. */
pls_status pls_vector_norm(pls_device *device, pls_view x, pls_view scalar, double *norm);

/* ---- what lanczos.c and lanczos_solve.c share ------------------------------------------------ */

/* Row j of a slot's basis, or rows 0 .. count-1. */
static inline pls_view pls_lanczos_basis(const pls_lanczos *lanczos, int64_t slot, int64_t first,
                                         int64_t count) {
    return pls_view_rows(lanczos->basis, slot * lanczos->capacity + first, count);
}

/* Enqueues work -= its components along vectors first .. count-1 of the slot, then along vectors
 * 0 .. count-1; the components go to its row of coefficients, those of the second pass from column
 * `capacity` on (pls_lanczos_components), and what is left of ||work||^2 to squares. */
pls_status pls_lanczos_orthogonalize(pls_lanczos *lanczos, int64_t slot, int64_t first,
                                     int64_t count);

/* column = the sum of both passes, from a row of coefficients on the host. */
void pls_lanczos_components(int64_t capacity, const double *coefficients, int64_t first,
                            int64_t count, double *column);

/* The first vector that B v_j may have a component along, but for rounding. */
static inline int64_t pls_lanczos_neighbour(int64_t j) {
    return pls_larger(j - 1, 0);
}

/* Eigenvalues, ascending, and eigenvectors of the symmetric matrix in the upper triangle of a
 * (column-major, leading dimension `order`), which the vectors replace column by column. scratch:
 * PLS_RITZ_SCRATCH * order numbers. */
enum { PLS_RITZ_SCRATCH = 34 };
pls_status pls_ritz_values(pls_context *context, int64_t order, double *a, double *values,
                           double *scratch);

#endif
