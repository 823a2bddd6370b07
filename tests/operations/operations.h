/* One table of operations with their operands, references and costs. The same entries serve as
 * conformance test on every backend and as benchmark.
 *
 * An operation declares its operands for a case; the harness fills them with numbers, puts them
 * into buffers of their own with a margin and padding of sentinels, calls, and compares with the
 * reference in units of roundoff times the size of the terms:
 *     residual = max |got - expected| / (u scale),   ok <= ok_limit < suspect <= failed_limit */
#ifndef PLSTAR_TESTS_OPERATIONS_H
#define PLSTAR_TESTS_OPERATIONS_H

#include "backend/operations.h"

enum { TRIAL_OPERANDS = 5, TRIAL_MESSAGE = 512 };

typedef enum operand_role {
    OPERAND_INPUT,   /* must come back unchanged */
    OPERAND_OUTPUT,  /* starts as NaN */
    OPERAND_INOUT,   /* starts as numbers */
    OPERAND_SCRATCH, /* starts as NaN, ends as anything */
} operand_role;

typedef struct operand {
    const char *name;
    operand_role role;
    int64_t rows, cols, size;
    double *before, *after, *expected, *scale; /* rows x cols, without padding */
    bool *keep;                                /* elements of an output that must not change */
    unsigned char *raw;                        /* the whole buffer as uploaded */
    unsigned char *raw_after;                  /* and as downloaded */
    int64_t raw_bytes;
    pls_buffer *buffer;
    pls_view view;
} operand;

typedef struct operation operation;

typedef struct operation_case {
    const operation *operation;
    pls_dtype dtype;
    int64_t m, n, p;
    int64_t padding; /* ld - cols */
    int variant;
} operation_case;

typedef struct trial {
    pls_device *device;
    operation_case given;
    operand operands[TRIAL_OPERANDS];
    int count;
    bool outline; /* shapes alone, no numbers */
    double residual;
    char message[TRIAL_MESSAGE]; /* "" while all is well */
} trial;

typedef struct shape {
    int64_t m, n, p;
} shape;

struct operation {
    const char *name;
    void (*declare)(trial *t);
    void (*prepare)(trial *t); /* optional: replaces the random numbers of the operands */
    pls_status (*call)(trial *t);
    void (*reference)(trial *t); /* by trial_expect() ... */
    double (*verify)(trial *t);  /* ... or the residual directly */
    double (*flops)(const trial *t);
    double (*bytes)(const trial *t); /* optional: where not all of every operand moves */
    const shape *shapes;
    int shape_count;
    int variants;
    bool f64_only;
    bool dominant; /* operand 0 must have a dominant diagonal */
    double ok_limit, failed_limit;
    const shape *bench_shapes;
    int bench_count;
};

extern const operation operations[];
extern const int operation_count;

/* Adds an operand; to be called by `declare` in a fixed order. */
void trial_operand(trial *t, const char *name, operand_role role, pls_dtype dtype, int64_t rows,
                   int64_t cols);
double trial_before(const trial *t, int operand, int64_t i, int64_t j);
double trial_after(const trial *t, int operand, int64_t i, int64_t j);
/* Sets a number that the operand starts with (rounded to its dtype). */
void trial_set(trial *t, int operand, int64_t i, int64_t j, double value);
/* The element must be within roundoff * scale of value. */
void trial_expect(trial *t, int operand, int64_t i, int64_t j, long double value,
                  long double scale);
/* The element must keep its bits; it starts as NaN if asked. */
void trial_keep(trial *t, int operand, int64_t i, int64_t j, bool as_nan);
/* A number in [-1, 1) that depends on `index` alone. */
double trial_number(uint64_t index);

/* Makes operands and buffers. */
bool trial_open(trial *t, pls_device *device, operation_case given);
/* Uploads, calls once and downloads; checks sentinels, inputs and results. */
bool trial_run(trial *t);
void trial_close(trial *t);
/* The operands of a case with their shapes, but without numbers and buffers: for those who bring
 * their own. Nothing is to be closed. */
void trial_outline(trial *t, pls_device *device, operation_case given);
/* Bytes that must move: inputs once, outputs once, what is updated twice; of all or of one. */
double trial_bytes(const trial *t);
double trial_operand_bytes(const trial *t, int operand);

/* Calls for every shape, dtype, variant and padding of the table. */
typedef void operation_action(pls_device *device, operation_case given, void *user);
void operations_each_case(pls_device *device, operation_action *action, void *user);
/* NULL if there is none of that name. */
const operation *operation_named(const char *name);

#endif
