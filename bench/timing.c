/* Medians of rounds over rotated operands. */
#include "timing.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_SETS = 64, MOST_SAMPLES = 256, WARM_UP = 2 };

static const int64_t small_bytes = (int64_t)1 << 30;
static const double long_call = 0.02;

typedef struct workbench {
    pls_device *device;
    trial sets[MOST_SETS];
    int count;
    pls_buffer *pristine[TRIAL_OPERANDS]; /* of operands that the operation changes */
    pls_event *first, *second;
} workbench;

timing_plan timing_plan_defaults(void) {
    timing_plan plan = {.seconds = 0.3,
                        .patience = 5.0,
                        .least_rounds = 11,
                        .few_rounds = 3,
                        .most_rounds = MOST_SAMPLES,
                        .beyond = (int64_t)512 << 20,
                        .least_sets = 4};
    return plan;
}

timing_plan timing_plan_quick(void) {
    timing_plan plan = {.seconds = 0.0,
                        .patience = 0.0,
                        .least_rounds = 3,
                        .few_rounds = 3,
                        .most_rounds = 3,
                        .beyond = (int64_t)1 << 16,
                        .least_sets = 2};
    return plan;
}

/* ---- operands --------------------------------------------------------------------------------
 */

static int64_t bytes_of_set(const trial *t) {
    int64_t bytes = 0;
    for (int i = 0; i < t->count; i++) {
        bytes += t->operands[i].raw_bytes;
    }
    return bytes > 0 ? bytes : 1;
}

static int sets_needed(const trial *t, const timing_plan *plan) {
    int64_t bytes = bytes_of_set(t), sets = (plan->beyond + bytes - 1) / bytes;
    if (bytes <= small_bytes && sets < plan->least_sets) {
        sets = plan->least_sets;
    }
    return sets < 1 ? 1 : sets > MOST_SETS ? MOST_SETS : (int)sets;
}

/* Random numbers in [-2, 2), other ones in every set. Outputs are written too, so that their
 * memory is really there. */
static pls_status fill_operand(trial *t, int index, uint32_t tensor) {
    pls_status status = PLS_OK;
    pls_context *context = t->device->context;
    pls_view view = t->operands[index].view;
    operand_role role = t->operands[index].role;
    pls_random_stream stream = {1, PLS_RANDOM_TEST, tensor};
    if (role == OPERAND_OUTPUT || role == OPERAND_SCRATCH) {
        PLS_TRY(context, pls_fill(t->device, 0.0, view));
        goto cleanup;
    }
    PLS_TRY(context, pls_random_uniform(t->device, stream, 0, -2.0, 2.0, view));
    if (index == 0 && t->given.operation->dominant) {
        PLS_TRY(context, pls_add_diagonal(t->device, 4.0 * (double)view.rows, view));
    }
cleanup:
    return status;
}

static pls_status make_set(workbench *bench, operation_case given) {
    pls_status status = PLS_OK;
    pls_context *context = bench->device->context;
    trial *t = &bench->sets[bench->count];
    trial_outline(t, bench->device, given);
    bench->count++;
    for (int i = 0; i < t->count; i++) {
        operand *o = &t->operands[i];
        if (o->size > 0) { /* a workspace of which nothing is needed has no buffer */
            PLS_TRY(context, pls_buffer_allocate(bench->device, o->raw_bytes, &o->buffer));
            o->view.buffer = o->buffer;
            PLS_TRY(context, fill_operand(t, i, (uint32_t)(bench->count * TRIAL_OPERANDS + i)));
        }
    }
cleanup:
    return status;
}

static pls_status keep_pristine(workbench *bench) {
    pls_status status = PLS_OK;
    pls_context *context = bench->device->context;
    const trial *t = &bench->sets[0];
    for (int i = 0; i < t->count; i++) {
        const operand *o = &t->operands[i];
        if (o->role == OPERAND_INOUT) {
            pls_view kept = o->view;
            PLS_TRY(context, pls_buffer_allocate(bench->device, o->raw_bytes, &bench->pristine[i]));
            kept.buffer = bench->pristine[i];
            PLS_TRY(context, pls_copy(bench->device, o->view, kept));
        }
    }
cleanup:
    return status;
}

static void destroy_workbench(workbench *bench) {
    for (int s = 0; s < bench->count; s++) {
        for (int i = 0; i < bench->sets[s].count; i++) {
            pls_buffer_release(bench->device, bench->sets[s].operands[i].buffer);
        }
    }
    for (int i = 0; i < TRIAL_OPERANDS; i++) {
        pls_buffer_release(bench->device, bench->pristine[i]);
    }
    pls_event_destroy(bench->device, bench->first);
    pls_event_destroy(bench->device, bench->second);
}

/* ---- rounds ----------------------------------------------------------------------------------
 */

static pls_status put_back(workbench *bench) {
    pls_status status = PLS_OK;
    for (int s = 0; s < bench->count; s++) {
        for (int i = 0; i < bench->sets[s].count; i++) {
            pls_view view = bench->sets[s].operands[i].view, kept = view;
            if (bench->pristine[i] != NULL) {
                kept.buffer = bench->pristine[i];
                PLS_TRY(bench->device->context, pls_copy(bench->device, kept, view));
            }
        }
    }
cleanup:
    return status;
}

/* *seconds of a call. */
static pls_status run_round(workbench *bench, double *seconds) {
    pls_status status = PLS_OK;
    pls_context *context = bench->device->context;
    PLS_TRY(context, put_back(bench));
    PLS_TRY(context, pls_event_record(bench->device, bench->first));
    for (int s = 0; s < bench->count; s++) {
        PLS_TRY(context, bench->sets[s].given.operation->call(&bench->sets[s]));
    }
    PLS_TRY(context, pls_event_record(bench->device, bench->second));
    PLS_TRY(context, pls_event_elapsed(bench->device, bench->first, bench->second, seconds));
    *seconds /= bench->count;
cleanup:
    return status;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool enough(const timing_plan *plan, int rounds, double spent) {
    if (rounds >= plan->most_rounds || rounds >= MOST_SAMPLES) {
        return true;
    }
    return spent >= plan->patience ? rounds >= plan->few_rounds
                                   : spent >= plan->seconds && rounds >= plan->least_rounds;
}

static pls_status run_rounds(workbench *bench, const timing_plan *plan, timing *result) {
    pls_status status = PLS_OK;
    double samples[MOST_SAMPLES], spent = 0.0;
    int rounds = 0;
    while (!enough(plan, rounds, spent)) {
        PLS_TRY(bench->device->context, run_round(bench, &samples[rounds]));
        spent += samples[rounds++] * bench->count;
    }
    qsort(samples, (size_t)rounds, sizeof *samples, ascending);
    result->rounds = rounds;
    result->calls = bench->count;
    result->median = samples[rounds / 2];
    result->p10 = samples[rounds / 10];
    result->p90 = samples[rounds - 1 - rounds / 10];
cleanup:
    return status;
}

/* ---- a case ----------------------------------------------------------------------------------
 */

/* Warms up with one set, and adds the others unless a call takes so long that it has no use for
 * them: it then computes, or moves more than caches hold. */
static pls_status make_workbench(pls_device *device, operation_case given, const timing_plan *plan,
                                 workbench *bench) {
    pls_status status = PLS_OK;
    double seconds = 0.0;
    bench->device = device;
    PLS_TRY(device->context, pls_event_create(device, &bench->first));
    PLS_TRY(device->context, pls_event_create(device, &bench->second));
    PLS_TRY(device->context, make_set(bench, given));
    PLS_TRY(device->context, keep_pristine(bench));
    for (int i = 0; i < WARM_UP; i++) { /* the first call also loads what the library needs */
        PLS_TRY(device->context, run_round(bench, &seconds));
    }
    if (seconds < long_call) {
        for (int sets = sets_needed(&bench->sets[0], plan); bench->count < sets;) {
            PLS_TRY(device->context, make_set(bench, given));
        }
        PLS_TRY(device->context, run_round(bench, &seconds));
    }
cleanup:
    return status;
}

pls_status time_case(pls_device *device, operation_case given, const timing_plan *plan,
                     timing *result) {
    pls_status status = PLS_OK;
    workbench *bench = NULL;
    *result = (timing){0};
    PLS_TRY(device->context, pls_allocate(device->context, 1, sizeof *bench, "timing", &bench));
    PLS_TRY(device->context, make_workbench(device, given, plan, bench));
    result->bytes = trial_bytes(&bench->sets[0]);
    result->flops = given.operation->flops != NULL ? given.operation->flops(&bench->sets[0]) : 0.0;
    PLS_TRY(device->context, run_rounds(bench, plan, result));
cleanup:
    if (bench != NULL) {
        destroy_workbench(bench);
    }
    pls_release(device->context, bench);
    return status;
}

/* ---- ceilings --------------------------------------------------------------------------------
 */

pls_status measure_ceilings(pls_device *device, const timing_plan *plan, int64_t copy,
                            const int64_t *products, int product_count, ceilings *result) {
    pls_status status = PLS_OK;
    timing taken;
    operation_case copies = {operation_named("copy"), PLS_F32, copy, copy, 0, 0, 0};
    *result = (ceilings){0};
    PLS_TRY(device->context, time_case(device, copies, plan, &taken));
    result->copy = taken.bytes / taken.median;
    for (int i = 0; i < product_count; i++) {
        for (int dtype = PLS_F32; dtype <= PLS_F64; dtype++) {
            operation_case product = {operation_named("gemm"),
                                      (pls_dtype)dtype,
                                      products[i],
                                      products[i],
                                      products[i],
                                      0,
                                      0};
            PLS_TRY(device->context, time_case(device, product, plan, &taken));
            result->gemm[dtype] = fmax(result->gemm[dtype], taken.flops / taken.median);
        }
    }
cleanup:
    return status;
}

/* The Gram product of float32 data is accumulated in float64. */
static pls_dtype arithmetic_of(operation_case given) {
    return given.operation == operation_named("gram") ? PLS_F64 : given.dtype;
}

bound timing_bound(operation_case given, const timing *taken, const ceilings *ceiling) {
    static const char *const names[] = {"gemm_f32", "gemm_f64"};
    pls_dtype arithmetic = arithmetic_of(given);
    double computing = taken->flops / ceiling->gemm[arithmetic];
    double moving = taken->bytes / ceiling->copy;
    bound found = {computing > moving ? names[arithmetic] : "copy",
                   fmax(computing, moving) / taken->median};
    return found;
}
