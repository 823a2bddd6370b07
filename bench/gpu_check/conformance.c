/* Every operation in every case of the table: the result against the naive reference, sentinels
 * and inputs untouched, and a second call on the same inputs giving the same bits. */
#include "gpu_check.h"
#include "operations.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { QUICK_ELEMENTS = 50000 };

/* Cases of one operation in one precision. */
typedef struct tally {
    check_run *run;
    operation_case present;
    int cases, suspect, failed;
    double residual;
    char reason[TRIAL_MESSAGE];
} tally;

static void finish(tally *t) {
    char name[64];
    const operation *o = t->present.operation;
    if (t->cases == 0) {
        return;
    }
    snprintf(name, sizeof name, "%s %s", o->name, pls_dtype_name(t->present.dtype));
    json_t *details = json_object();
    json_object_set_new(details, "cases", json_integer(t->cases));
    json_object_set_new(details, "suspect", json_integer(t->suspect));
    json_object_set_new(details, "failed", json_integer(t->failed));
    json_object_set_new(details, "residual", json_number(t->residual));
    json_object_set_new(details, "ok_limit", json_number(o->ok_limit));
    json_object_set_new(details, "failed_limit", json_number(o->failed_limit));
    record_check(t->run, "conformance", name, t->failed == 0, details,
                 t->failed > 0 ? t->reason : NULL);
    *t = (tally){.run = t->run};
}

/* The operand of the second trial as the call left it. */
static bool download(trial *t, operand *o) {
    int64_t count = o->raw_bytes / pls_dtype_size(o->view.dtype);
    pls_view all = {o->buffer, 0, 1, count, count, o->view.dtype};
    return pls_download(t->device, all, o->raw_after, count) == PLS_OK;
}

/* Whether a second call leaves the same bytes in all buffers as the first one did. */
static bool repeats(trial *first) {
    trial second;
    const char *different = NULL;
    bool same = trial_open(&second, first->device, first->given) &&
                first->given.operation->call(&second) == PLS_OK;
    for (int i = 0; same && i < first->count; i++) {
        const operand *a = &first->operands[i];
        operand *b = &second.operands[i];
        same =
            a->role == OPERAND_SCRATCH ||
            (download(&second, b) && memcmp(a->raw_after, b->raw_after, (size_t)a->raw_bytes) == 0);
        different = same ? NULL : a->name;
    }
    if (!same) {
        snprintf(first->message, sizeof first->message,
                 "m=%lld n=%lld p=%lld +%lld #%d: %s: other bits after a second call",
                 (long long)first->given.m, (long long)first->given.n, (long long)first->given.p,
                 (long long)first->given.padding, first->given.variant,
                 different != NULL ? different : "the call");
    }
    trial_close(&second);
    return same;
}

/* Quick: small cases with rows longer than their columns. */
static bool is_left_out(const check_run *run, operation_case given) {
    int64_t size = given.m * (given.n > 0 ? given.n : 1) * (given.p > 0 ? given.p : 1);
    return run->options->quick && (given.padding == 0 || size > QUICK_ELEMENTS);
}

static void check_case(pls_device *device, operation_case given, void *user) {
    tally *t = user;
    trial tried;
    if (is_left_out(t->run, given)) {
        return;
    }
    if (given.operation != t->present.operation || given.dtype != t->present.dtype) {
        finish(t);
        t->present = given;
    }
    bool good = trial_open(&tried, device, given) && trial_run(&tried) && repeats(&tried);
    t->cases++;
    if (!good && t->failed++ == 0) {
        snprintf(t->reason, sizeof t->reason, "%s", tried.message);
    }
    t->suspect += good && tried.residual > given.operation->ok_limit;
    if (!(tried.residual <= t->residual)) {
        t->residual = tried.residual;
    }
    trial_close(&tried);
}

void check_conformance(check_run *run) {
    tally t = {.run = run};
    int made = run->made, failed = run->failed;
    operations_each_case(run->device, check_case, &t);
    finish(&t);
    printf("conformance: %d operations and precisions, %d failed\n", run->made - made,
           run->failed - failed);
}
