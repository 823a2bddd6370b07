/* Claim 14: for a Gaussian N x P matrix J with N <= P and K = J J^T,
 *     mean log kappa(K) < 2 log(P/(P-N+1)) + 5
 * (a bound on E log of the condition number of Gaussian matrices: Z. Chen, J. Dongarra, SIAM J.
 * Matrix Anal. Appl. 27, 2005, doubled since kappa(K) = kappa(J)^2). It speaks of no system: how
 * well conditioned a kernel is when nothing but size is known. Singular values come from LAPACK. */
#include "audit/audit.h"
#include "base/memory.h"
#include "base/random.h"

#include <lapacke.h>
#include <math.h>

static const struct {
    int n, p;
} shapes[] = {{10, 10}, {10, 12}, {10, 40}, {40, 40}, {40, 50}, {40, 200}};

enum { SHAPES = sizeof shapes / sizeof shapes[0], MOST_N = 40, MOST_P = 200 };
enum { WORK = 5 * MOST_P + 3 * MOST_N };
static const double MEAN_ERRORS = 4.0;

typedef struct scratch {
    double matrix[MOST_N * MOST_P];
    double values[MOST_N], work[WORK];
} scratch;

/* log kappa(K) of one matrix. */
static pls_status draw(const pls_audit *audit, int shape, int64_t number, scratch *s,
                       double *log_kappa) {
    pls_random_stream stream = {audit->options->seed, PLS_RANDOM_SYSTEM,
                                (uint32_t)(number * SHAPES + shape)};
    int n = shapes[shape].n, p = shapes[shape].p;
    for (int64_t i = 0; i < (int64_t)n * p; i++) {
        s->matrix[i] = pls_random_normal_at(stream, (uint64_t)i);
    }
    double none;
    lapack_int info = LAPACKE_dgesvd_work(LAPACK_COL_MAJOR, 'N', 'N', p, n, s->matrix, p, s->values,
                                          &none, 1, &none, 1, s->work, WORK);
    if (info != 0) {
        return pls_fail(audit->context, PLS_ERROR_NUMERIC,
                        "the singular values of a Gaussian matrix were not found (LAPACK dgesvd: "
                        "%d)",
                        (int)info);
    }
    *log_kappa = pls_audit_seen(audit, "kernel", 2.0 * log(s->values[0] / s->values[n - 1]));
    return PLS_OK;
}

static pls_status look(pls_audit *audit, int shape, scratch *s, pls_claim_result *result) {
    double runs = (double)audit->options->runs, sum = 0.0, squares = 0.0;
    double n = shapes[shape].n, p = shapes[shape].p;
    pls_status status = PLS_OK;
    for (int64_t r = 0; r < audit->options->runs; r++) {
        double value = 0.0;
        PLS_TRY(audit->context, pls_check_cancelled(audit->context));
        PLS_TRY(audit->context, draw(audit, shape, r, s, &value));
        sum += value;
        squares += value * value;
    }
    double mean = sum / runs, variance = fmax(0.0, squares / runs - mean * mean);
    pls_claim_at_most(result, "mean log kappa(K) < 2 log(P/(P-N+1)) + 5", mean,
                      2.0 * log(p / (p - n + 1.0)) + 5.0,
                      MEAN_ERRORS * sqrt(variance / (runs - 1.0)));
cleanup:
    return status;
}

pls_status pls_check_generic_conditioning(pls_audit *audit, pls_claim_result *result) {
    scratch *s = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, pls_allocate(audit->context, 1, sizeof *s, "claim 14", &s));
    for (int shape = 0; shape < SHAPES; shape++) {
        PLS_TRY(audit->context, look(audit, shape, s, result));
    }
    pls_claim_describe(
        result,
        "%lld Gaussian matrices of each of %d shapes, 10 x 10 to 40 x 200; an "
        "example of its own, whatever is audited; the error is four standard errors of the mean",
        (long long)audit->options->runs, (int)SHAPES);
cleanup:
    pls_release(audit->context, s);
    return status;
}
