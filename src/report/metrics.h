/* metrics.csv: a row a recorded step of a training run, columns found by their names. */
#ifndef PLSTAR_REPORT_METRICS_H
#define PLSTAR_REPORT_METRICS_H

#include "base/error.h"

#include <stdint.h>

/* X(enumerator, column name) */
#define PLS_METRIC_TABLE(X)                                                                        \
    X(PLS_METRIC_STEP, "step")                                                                     \
    X(PLS_METRIC_LOSS, "loss")                                                                     \
    X(PLS_METRIC_GRADIENT_NORM, "gradient_norm")                                                   \
    X(PLS_METRIC_PL_RATIO, "pl_ratio")                                                             \
    X(PLS_METRIC_DISTANCE, "distance")                                                             \
    X(PLS_METRIC_LAMBDA_MIN, "lambda_min")                                                         \
    X(PLS_METRIC_LAMBDA_MIN_LOWER, "lambda_min_lower")                                             \
    X(PLS_METRIC_LAMBDA_MIN_UPPER, "lambda_min_upper")                                             \
    X(PLS_METRIC_LAMBDA_MAX, "lambda_max")                                                         \
    X(PLS_METRIC_KERNEL_CHANGE, "kernel_change")                                                   \
    X(PLS_METRIC_KERNEL_FLOOR, "kernel_floor")                                                     \
    X(PLS_METRIC_CONDITION_NUMBER, "condition_number")                                             \
    X(PLS_METRIC_KERNEL_ALIGNMENT, "kernel_alignment")                                             \
    X(PLS_METRIC_EFFECTIVE_RANK, "effective_rank")                                                 \
    X(PLS_METRIC_LINEAR_DISTANCE, "linear_distance")                                               \
    X(PLS_METRIC_LINEAR_LOSS, "linear_loss")

typedef enum pls_metric {
#define PLS_METRIC_ENUMERATOR(enumerator, name) enumerator,
    PLS_METRIC_TABLE(PLS_METRIC_ENUMERATOR)
#undef PLS_METRIC_ENUMERATOR
        PLS_METRIC_COUNT
} pls_metric;

typedef struct pls_metrics {
    int64_t rows;
    double *column[PLS_METRIC_COUNT]; /* rows each; NaN where not measured or not finite */
    bool cut_short;                   /* an unfinished last line was left out */
} pls_metrics;

/* Reads `text`, the content of the file `path` (for error texts). *metrics must be zeroed. Other
 * columns are passed over. Errors: PLS_ERROR_DATA with file and line, PLS_ERROR_MEMORY. */
pls_status pls_metrics_read(pls_context *context, const char *path, const char *text, int64_t size,
                            pls_metrics *metrics);
void pls_metrics_release(pls_context *context, pls_metrics *metrics);

#endif
