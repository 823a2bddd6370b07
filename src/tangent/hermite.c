/* Nodes and vectors by LAPACK's relatively robust representations, which give also the tiny first
 * elements of outer vectors, the roots of their weights, to many digits. Nothing here calls a BLAS
 * that would share its work among threads. */
#include "tangent/hermite.h"

#include "base/memory.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>

enum { WORK = 20, INTEGER_WORK = 10, SUPPORT = 2 }; /* numbers a row that dstevr wants */

static pls_status solve(pls_context *context, pls_hermite_rule *rule) {
    int64_t order = rule->order, integers = (INTEGER_WORK + SUPPORT) * order;
    double *numbers = NULL;   /* diagonal, side diagonal, workspace */
    lapack_int *whole = NULL; /* workspace, support */
    lapack_int found = 0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, (WORK + 2) * order, sizeof *numbers,
                                  "the workspace of a Gauss-Hermite rule", &numbers));
    PLS_TRY(context, pls_allocate(context, integers, sizeof *whole,
                                  "the workspace of a Gauss-Hermite rule", &whole));
    double *beside = numbers + order;
    for (int64_t k = 0; k + 1 < order; k++) {
        beside[k] = sqrt((double)(k + 1));
    }
    lapack_int info = LAPACKE_dstevr_work(
        LAPACK_COL_MAJOR, 'V', 'A', (lapack_int)order, numbers, beside, 0.0, 0.0, 0, 0, 0.0, &found,
        rule->nodes, rule->vectors, (lapack_int)order, whole + INTEGER_WORK * order, beside + order,
        (lapack_int)(WORK * order), whole, (lapack_int)(INTEGER_WORK * order));
    if (info != 0 || found != order) {
        status = pls_fail(context, PLS_ERROR_NUMERIC,
                          "the nodes of the Gauss-Hermite rule of order %lld did not converge "
                          "(LAPACK's dstevr returned %d)",
                          (long long)order, (int)info);
    }
cleanup:
    pls_release(context, whole);
    pls_release(context, numbers);
    return status;
}

pls_status pls_hermite_rule_create(pls_context *context, int64_t order, pls_hermite_rule *rule) {
    pls_status status = PLS_OK;
    *rule = (pls_hermite_rule){.order = order};
    PLS_TRY(context, pls_allocate(context, order, sizeof *rule->nodes,
                                  "the nodes of a Gauss-Hermite rule", &rule->nodes));
    PLS_TRY(context, pls_allocate(context, order, (size_t)order * sizeof *rule->vectors,
                                  "the vectors of a Gauss-Hermite rule", &rule->vectors));
    PLS_TRY(context, solve(context, rule));
cleanup:
    if (status != PLS_OK) {
        pls_hermite_rule_destroy(context, rule);
    }
    return status;
}

void pls_hermite_rule_destroy(pls_context *context, pls_hermite_rule *rule) {
    pls_release(context, rule->nodes);
    pls_release(context, rule->vectors);
    *rule = (pls_hermite_rule){0};
}

void pls_hermite_transform(const pls_hermite_rule *rule, const double *values,
                           double *coefficients) {
    memset(coefficients, 0, (size_t)rule->order * sizeof *coefficients);
    for (int64_t q = 0; q < rule->order; q++) {
        const double *vector = rule->vectors + q * rule->order;
        double factor = vector[0] * values[q];
        for (int64_t k = 0; factor != 0.0 && k < rule->order; k++) {
            coefficients[k] += vector[k] * factor;
        }
    }
}

int64_t pls_hermite_length(double rho, int64_t order) {
    const double sixty_bits = 41.588830833596718565; /* log 2^60 */
    if (fabs(rho) >= 1.0) {
        return order;
    }
    double wanted = 1.0 + sixty_bits / -log(fabs(rho)); /* 1 for rho = 0 */
    return wanted < (double)order ? (int64_t)wanted : order;
}

double pls_hermite_series(int64_t length, const double *f, const double *g, double rho) {
    double sum = 0.0;
    for (int64_t k = length - 1; k >= 0; k--) {
        sum = f[k] * g[k] + rho * sum;
    }
    return sum;
}
