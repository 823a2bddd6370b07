/* Hessians as operators, in float64: products with H_L and, for many pairs at once, with H_(i,a).
 * The formulas stand in plstar/second.h. */
#ifndef PLSTAR_SECOND_HESSIAN_H
#define PLSTAR_SECOND_HESSIAN_H

#include "plstar/second.h"
#include "system/system.h"
#include "tangent/lanczos.h"

/* PLS_ERROR_UNSUPPORTED where the system has no second derivatives, or kinks that are not to be
 * passed over. */
pls_status pls_second_check(const pls_system *system, bool kinks_are_zero);

/* PLS_ERROR_NUMERIC if a view of a result has an element that is not finite; scalar: 1 x 1 f64. */
pls_status pls_second_check_finite(pls_device *device, pls_view x, pls_view scalar);

/* ---- H_L ------------------------------------------------------------------------------------- */

/* Stands at the weights that the system had when it was opened. */
typedef struct pls_loss_curvature {
    pls_system *system; /* float64: the caller's, or the copy */
    pls_system *copy;   /* NULL for float64 systems */
    pls_loss loss;
    pls_arena arena;
    pls_view f, residual;      /* n x k: F(w), l'(f) */
    pls_view tangent, weighed; /* n x k: J v, l''(f) J v */
    pls_view bent;             /* 1 x P: (sum of l' H) v */
    pls_view losses, total;    /* n x 1, 1 x 1 */
} pls_loss_curvature;

/* Close it in any case. */
pls_status pls_loss_curvature_open(pls_system *system, pls_loss loss, bool kinks_are_zero,
                                   pls_loss_curvature *curvature);
void pls_loss_curvature_close(pls_loss_curvature *curvature);

/* y = H_L x; a pls_operator, user: the pls_loss_curvature. x, y: P x 1 f64. */
pls_status pls_loss_curvature_apply(void *user, pls_view x, pls_view y);

/* The same as a pls_operators with one slot: x, y: 1 x P. */
pls_status pls_loss_curvature_apply_row(void *user, const int64_t *problems, pls_view x,
                                        pls_view y);

/* ---- H_(i,a) --------------------------------------------------------------------------------- */

/* Problem p is output p mod k of the (p/k)-th listed sample. */
typedef struct pls_output_curvature {
    pls_context *context;
    pls_system *copy; /* float64, with the listed samples and no less than `slots` of them */
    int64_t slots;
    pls_arena arena;
    pls_view f, cotangents; /* slots x k */
    int64_t *problems;      /* of the slots, as last evaluated */
    int64_t *samples;       /* of the slots, numbered in the copy */
    double *cotangents_host;
} pls_output_curvature;

/* Close it in any case. */
pls_status pls_output_curvature_open(pls_system *system, const int64_t *samples, int64_t count,
                                     int64_t slots, bool kinks_are_zero,
                                     pls_output_curvature *curvature);
void pls_output_curvature_close(pls_output_curvature *curvature);

/* Row i of y = H of problems[i] times row i of x; a pls_operators, user: the pls_output_curvature.
 * Idle rows (problems[i] < 0) are carried along, so that products have one shape whatever the
 * company, and with it the same bits. */
pls_status pls_output_curvature_apply(void *user, const int64_t *problems, pls_view x, pls_view y);

#endif
