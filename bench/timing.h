/* How long one call of an operation takes: the one way of timing of all benchmarks.
 *
 * The operands of a case lie in several sets of buffers, together larger than any cache, and a
 * round calls the operation once on every set, so that inputs come from memory. Inputs are random
 * numbers; what an operation changes is put back before every round. After warming up, rounds are
 * timed between two events of the device's queue; a round's time over its calls is one sample. */
#ifndef PLSTAR_BENCH_TIMING_H
#define PLSTAR_BENCH_TIMING_H

#include "operations.h"

typedef struct timing_plan {
    double seconds;  /* timed at least, unless most_rounds end it */
    double patience; /* after so many seconds few_rounds are enough */
    int least_rounds, few_rounds, most_rounds;
    int64_t beyond; /* bytes that all sets of operands should take together */
    int least_sets; /* of operands of less than 1 GiB */
} timing_plan;

/* 0.3 s, at least 11 rounds (3 after 5 s), 512 MiB, 4 sets. */
timing_plan timing_plan_defaults(void);
/* As short as can be: for trying the benchmark itself. */
timing_plan timing_plan_quick(void);

typedef struct timing {
    double median, p10, p90; /* seconds of a call */
    int rounds, calls;       /* calls of a round */
    double bytes, flops;     /* of a call: bytes that must move, operations that must be done */
} timing;

/* Times a case. Errors: those of the operation, PLS_ERROR_MEMORY where its operands do not fit. */
pls_status time_case(pls_device *device, operation_case given, const timing_plan *plan,
                     timing *result);

/* What the device can do at all, measured by the same operations. */
typedef struct ceilings {
    double copy;    /* bytes read and written a second by a large copy */
    double gemm[2]; /* operations a second of large matrix products, by dtype */
} ceilings;

/* The best median of copies of copy x copy float32 numbers, and of square products of the sizes. */
pls_status measure_ceilings(pls_device *device, const timing_plan *plan, int64_t copy,
                            const int64_t *products, int product_count, ceilings *result);

/* What bounds a case, and how near to the bound it came:
 *     share = max(flops / GEMM rate, bytes / copy bandwidth) / median */
typedef struct bound {
    const char *name; /* "gemm_f32", "gemm_f64", "copy" */
    double share;
} bound;

bound timing_bound(operation_case given, const timing *taken, const ceilings *ceiling);

#endif
