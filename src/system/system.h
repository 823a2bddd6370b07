/* F: R^P -> R^N as the paper has it: the table of functions that a kind of system fills in.
 *
 * A system owns its weights w (1 x P) and its targets (n x k) and stands at a point: `evaluate`
 * takes it to the current weights and keeps what the derivatives there need. Whoever changes the
 * weights evaluates again before asking for derivatives. */
#ifndef PLSTAR_SYSTEM_SYSTEM_H
#define PLSTAR_SYSTEM_SYSTEM_H

#include "backend/arena.h"
#include "plstar/system.h"
#include "plstar/tangent.h"

typedef struct pls_system_kind {
    const char *name;

    void (*destroy)(pls_system *system);

    /* Sets the weights to where the system starts. */
    pls_status (*initialize)(pls_system *system);

    /* out (count x k) = F of the listed samples (host indices, repetitions allowed; NULL = all,
     * in order) at the system's weights. */
    pls_status (*evaluate)(pls_system *system, const int64_t *samples, int64_t count, pls_view out);

    /* g (1 x P) = JT u for the samples of the last evaluation; u: count x k. */
    pls_status (*pullback)(pls_system *system, pls_view u, pls_view g);

    /* out (count k x P) = rows of J of samples first .. first+count-1 after an evaluation of all
     * samples. Temporary views come from the arena; while that only measures, nothing is
     * computed. */
    pls_status (*jacobian)(pls_system *system, int64_t first, int64_t count, pls_arena *arena,
                           pls_view out);

    /* out (count x k) = J v for the samples of the last evaluation; v: 1 x P. Same manners as
     * `jacobian`. */
    pls_status (*pushforward)(pls_system *system, pls_view v, pls_arena *arena, pls_view out);

    /* Second derivatives, H_(r,a) the Hessian of output a of sample r of the last evaluation;
     * u: count x k. Same manners as `jacobian`.
     *   v, out: 1 x P       out = (sum over r and a of u(r,a) H_(r,a)) v
     *   v, out: count x P   out_r = (sum over a of u(r,a) H_(r,a)) v_r, a direction a sample
     * Where F has kinks, the second derivative there counts as 0. */
    pls_status (*curvature)(pls_system *system, pls_view u, pls_view v, pls_arena *arena,
                            pls_view out);

    /* Why F is not twice differentiable, as a part of a sentence ("model.layers[1] is relu, whose
     * slope jumps at 0"); NULL where it is. The slot is optional: NULL = it is. */
    const char *(*kink)(const pls_system *system);

    /* Optional, a fast way: the lower triangle of the tangent kernel (N x N, or n x n for the
     * trace kernel; f64) after an evaluation of all samples. Same manners as `jacobian`. */
    pls_status (*gram)(pls_system *system, const pls_kernel_options *options, pls_arena *arena,
                       pls_view kernel);

    /* Optional, beside `gram`: how the i-th part of the kernel is computed and what the ways cost;
     * false past the last part. */
    bool (*gram_way)(const pls_system *system, const pls_kernel_options *options, int64_t i,
                     pls_kernel_way *way);

    /* A system in another precision with only the listed samples (NULL = all); its weights are
     * still to be copied, from `system` to it (pls_copy rounds them to its precision). */
    pls_status (*duplicate)(pls_system *system, const int64_t *samples, int64_t count,
                            pls_dtype precision, pls_system **duplicate);

    /* c such that rounding moves K by about c u ||K|| when the data has unit roundoff u. An
     * estimate: sqrt(p) u for an inner product of length p (the probabilistic bound of Higham and
     * Mary, SIAM J. Sci. Comput. 41, 2019), added over all products that enter K, forwards and
     * backwards, twice because K is quadratic in J. That layers may magnify the errors of those
     * before them is left out; for that the rounding is measured (tangent/floor.c). */
    double (*rounding_growth)(const pls_system *system);

    /* Optional: beta_F (plstar/system.h). */
    pls_status (*smoothness)(const pls_system *system, pls_smoothness *smoothness);

    /* Name, rank and shape of weight tensor i, and its first element in w; false past the last. */
    bool (*tensor)(const pls_system *system, int64_t i, char name[64], int *rank, int64_t shape[8],
                   int64_t *first);
} pls_system_kind;

struct pls_system {
    const pls_system_kind *kind;
    pls_device *device;
    pls_dtype precision;
    int64_t samples, outputs, parameters;
    pls_view weights;               /* 1 x P */
    pls_view targets;               /* n x k */
    bool targets_are_probabilities; /* rows >= 0 that sum to 1 */
    bool targets_are_one_hot;       /* and have a single 1 */
    bool stands;                    /* all samples are evaluated at the present weights */
};

/* NULL where F is twice differentiable, else why not (kind->kink). */
const char *pls_system_kink(const pls_system *system);

/* Takes the system to its present weights: kind->evaluate, and remembers whether it stands. */
pls_status pls_system_evaluate(pls_system *system, const int64_t *samples, int64_t count,
                               pls_view out);

/* To be called by whoever changes the weights. */
void pls_system_moved(pls_system *system);

/* A copy in another precision, weights and all, with only the listed samples (NULL = all). */
pls_status pls_system_duplicate(pls_system *system, const int64_t *samples, int64_t count,
                                pls_dtype precision, pls_system **duplicate);

/* Gives the duplicate the system's present weights. */
pls_status pls_system_follow(const pls_system *system, pls_system *duplicate);

/* Sets the two flags from the targets on the host (n x k). */
void pls_system_describe_targets(pls_system *system, const double *targets);

/* PLS_ERROR_DATA unless all numbers are finite; `what` they are, "the starting weights". values may
 * be NULL. */
pls_status pls_check_finite(pls_context *context, const double *values, int64_t count,
                            const char *what);

/* Uploads f64 host data to a view of any dtype, in pieces through a small buffer. */
pls_status pls_upload_f64(pls_device *device, const double *host, pls_view view);
pls_status pls_download_f64(pls_device *device, pls_view view, double *host);

#endif
