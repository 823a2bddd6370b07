/* Stochastic Lanczos quadrature of an operator; the formulas stand in plstar/quadrature.h. */
#ifndef PLSTAR_TANGENT_QUADRATURE_H
#define PLSTAR_TANGENT_QUADRATURE_H

#include "plstar/quadrature.h"
#include "tangent/lanczos.h"

/* Device views of one quadrature, reusable: one slot with a basis of `steps` vectors. */
typedef struct pls_quadrature_views {
    pls_lanczos lanczos;
} pls_quadrature_views;

/* PLS_ERROR_ARGUMENT for numbers of probes or steps below 1. */
pls_status pls_quadrature_check(pls_context *context, const pls_quadrature_options *options);

/* With options that have been checked. */
pls_status pls_quadrature_take(pls_arena *arena, int64_t size,
                               const pls_quadrature_options *options, pls_quadrature_views *views);

/* Probe p is the same signs whatever the number of probes, steps and threads. What *result held is
 * lost; on failure it is empty. Errors: PLS_ERROR_ARGUMENT, PLS_ERROR_NUMERIC, PLS_ERROR_MEMORY,
 * PLS_CANCELLED, and the operator's. */
pls_status pls_quadrature_compute(pls_quadrature_views *views,
                                  const pls_quadrature_options *options, pls_operator apply,
                                  void *user, pls_quadrature *result);

#endif
