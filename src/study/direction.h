/* Directions in which the neighbourhood of a point is looked at: the steepest one, the two most
 * curved ones of the first output of the first sample, then random ones. */
#ifndef PLSTAR_STUDY_DIRECTION_H
#define PLSTAR_STUDY_DIRECTION_H

#include "base/error.h"
#include "plstar/second.h"

typedef struct pls_directions {
    pls_context *context;
    pls_system *system;
    pls_second_options second;
    uint64_t seed;
    int64_t parameters;
    double *direction;      /* P: the chosen one, of norm 1 */
    double *curved, *image; /* P: v and H v */
} pls_directions;

/* second may be NULL. *directions must be zeroed; destroy it even on error. */
pls_status pls_directions_create(pls_context *context, pls_system *system, uint64_t seed,
                                 const pls_second_options *second, pls_directions *directions);
void pls_directions_destroy(pls_directions *directions);

/* Chooses direction 0, 1, ... at the system's present weights. Number 2 belongs to the curved
 * direction that number 1 found. */
pls_status pls_directions_choose(pls_directions *directions, int64_t number);

/* Options for norms of Hessians to a relative residual of `tolerance`: one problem at a time, with
 * a basis of the Lanczos method that stays in the cache where it can, since orthogonalising against
 * a longer one would cost more than the products. A function of P alone, since it may change bits.
 */
pls_second_options pls_quick_second_options(int64_t parameters, double tolerance, uint64_t seed);

/* v / ||v||; false for v = 0. */
bool pls_normalize(double *v, int64_t count);
double pls_host_norm(const double *v, int64_t count);

/* The system's weights = origin + distance v; point: P numbers of scratch. */
pls_status pls_move_along(pls_system *system, const double *origin, double distance,
                          const double *v, double *point);

#endif
