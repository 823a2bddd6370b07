/* Synthetic systems with a planted solution: y = map(F(w*)) + noise for a w* drawn from the seed,
 * so that F(w) = y can be solved when there is no noise. */
#ifndef PLSTAR_PLANTED_H
#define PLSTAR_PLANTED_H

#include "plstar/system.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Entries of A are N(0, 1/P), of w* N(0, 1) unless said otherwise, so that outputs are of size 1.
 *   linear           F(w) = A w, from w = 0
 *   quadratic        F_i(w) = wT Q_i w / 2 + a_iT w, from w = 0; Q_i symmetrised from entries
 *                    N(0, c^2/P^2) with c = nonlinearity
 *   factorization    F = (U VT) at `observed` entries drawn without repetition; U, V of w* and of
 *                    the start N(0, 1/sqrt(rank))
 *   circle           |w|^2 = 1 in the plane, from a random direction at distance 1.5
 *   phase_retrieval  F_i(w) = (a_iT w)^2, from N(0, 1) */
typedef enum pls_planted_type {
    PLS_PLANTED_LINEAR,
    PLS_PLANTED_QUADRATIC,
    PLS_PLANTED_FACTORIZATION,
    PLS_PLANTED_CIRCLE,
    PLS_PLANTED_PHASE_RETRIEVAL,
    PLS_PLANTED_TYPE_COUNT
} pls_planted_type;

/* The name in configurations ("phase_retrieval"). */
const char *pls_planted_type_name(pls_planted_type type);

typedef struct pls_planted_options {
    pls_planted_type type;
    pls_dtype precision;
    uint64_t seed;
    int64_t equations, parameters;         /* linear, quadratic, phase_retrieval */
    int64_t rows, columns, rank, observed; /* factorization: P = (rows + columns) rank */
    double nonlinearity;                   /* quadratic */
    pls_activation map;                    /* of every output; identity = none */
    double noise;                          /* standard deviation of what is added to y */
} pls_planted_options;

/* quadratic, f64, seed 0, 40 equations in 200 unknowns, 20 x 20 of rank 5 with 100 entries
 * observed, nonlinearity 1, no map, no noise. */
pls_planted_options pls_planted_options_defaults(void);

/* Makes the system, standing at its start. Errors: PLS_ERROR_ARGUMENT (sizes), PLS_ERROR_MEMORY. */
pls_status pls_planted_system_create(pls_device *device, const pls_planted_options *options,
                                     pls_system **system);

/* One line for people, "quadratic, 40 equations in 200 unknowns"; cut off if `size` is too small.
 */
void pls_planted_describe(const pls_planted_options *options, char *text, size_t size);

/* Puts a map on the outputs of a system: map(F(w)) with targets y (N, f64 on the host). On success
 * *system is the composition, which owns the former one; on failure it stays as it was. */
pls_status pls_system_put_map(pls_system **system, pls_activation map, const double *y);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
