/* Times the table of operations on one device, beside what the machine can do at all in the same
 * run: copy bandwidth and GEMM rates.
 *
 *     bench_operations [device [threads [operation]]]
 *
 * An operation with a count of flops is set against the GEMM rate of its precision (the Gram
 * product against that of float64), any other against the copy bandwidth. */
#include "operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CEILING_GEMM = 4096, CEILING_COPY = 8192 };

static const double least_seconds = 0.3;

typedef struct ceilings {
    double bandwidth, gemm[2]; /* by dtype */
} ceilings;

/* The least time of one call, repeated for a while. */
static double time_case(pls_device *device, operation_case given, double *bytes, double *flops) {
    trial t;
    double least = 1e30, spent = 0.0;
    pls_event *first = NULL, *second = NULL;
    if (!trial_open(&t, device, given) || pls_event_create(device, &first) != PLS_OK ||
        pls_event_create(device, &second) != PLS_OK) {
        fprintf(stderr, "%s\n", pls_error_text(device->context));
        exit(EXIT_FAILURE);
    }
    *bytes = trial_bytes(&t);
    *flops = given.operation->flops != NULL ? given.operation->flops(&t) : 0.0;
    for (int round = 0; round < 3 || (spent < least_seconds && round < 1000); round++) {
        double seconds = 0.0;
        for (int i = 0; i < t.count; i++) { /* potrf and syevd destroy what they are given */
            operand *o = &t.operands[i];
            if (o->role == OPERAND_INOUT) {
                int64_t count = o->raw_bytes / pls_dtype_size(o->view.dtype);
                pls_view whole = {o->buffer, 0, 1, count, count, o->view.dtype};
                pls_upload(device, o->raw, count, whole);
            }
        }
        pls_event_record(device, first);
        pls_status status = given.operation->call(&t);
        pls_event_record(device, second);
        pls_event_elapsed(device, first, second, &seconds);
        if (status != PLS_OK) {
            fprintf(stderr, "%s\n", pls_error_text(device->context));
            exit(EXIT_FAILURE);
        }
        least = seconds < least ? seconds : least;
        spent += seconds;
    }
    pls_event_destroy(device, first);
    pls_event_destroy(device, second);
    trial_close(&t);
    return least;
}

static const operation *find(const char *name) {
    for (int i = 0; i < operation_count; i++) {
        if (strcmp(operations[i].name, name) == 0) {
            return &operations[i];
        }
    }
    return NULL;
}

static ceilings measure_ceilings(pls_device *device) {
    ceilings found = {0.0, {0.0, 0.0}};
    double bytes = 0.0, flops = 0.0;
    for (int dtype = PLS_F32; dtype <= PLS_F64; dtype++) {
        operation_case gemm = {
            find("gemm"), (pls_dtype)dtype, CEILING_GEMM, CEILING_GEMM, CEILING_GEMM, 0, 0};
        double seconds = time_case(device, gemm, &bytes, &flops);
        found.gemm[dtype] = flops / seconds;
    }
    operation_case copy = {find("copy"), PLS_F32, CEILING_COPY, CEILING_COPY, 0, 0, 0};
    double seconds = time_case(device, copy, &bytes, &flops);
    found.bandwidth = bytes / seconds;
    return found;
}

static void report(pls_device *device, operation_case given, const ceilings *ceiling) {
    double bytes = 0.0, flops = 0.0;
    double seconds = time_case(device, given, &bytes, &flops);
    bool gram = strcmp(given.operation->name, "gram") == 0;
    double rate = flops > 0.0 ? flops / seconds : bytes / seconds;
    double limit = flops > 0.0 ? ceiling->gemm[gram ? PLS_F64 : given.dtype] : ceiling->bandwidth;
    printf("%-22s %s %8lld %8lld %6lld #%-2d %10.1f us %10.2f MB %9.3f Gflop %8.1f %s %5.0f %%\n",
           given.operation->name, pls_dtype_name(given.dtype), (long long)given.m,
           (long long)given.n, (long long)given.p, given.variant, 1e6 * seconds, 1e-6 * bytes,
           1e-9 * flops, 1e-9 * rate, flops > 0.0 ? "Gflop/s" : "GB/s   ", 100.0 * rate / limit);
    fflush(stdout);
}

/* Activations differ in cost, so each of them is a line. */
static int variants_to_time(const operation *o) {
    return strstr(o->name, "activation") != NULL ? PLS_ACTIVATION_COUNT : 1;
}

int main(int argument_count, char **arguments) {
    pls_context *context = NULL;
    pls_device *device = NULL;
    pls_device_options options = pls_device_options_defaults();
    const char *only = argument_count > 3 ? arguments[3] : NULL;
    options.name = argument_count > 1 ? arguments[1] : "auto";
    options.threads = argument_count > 2 ? atoi(arguments[2]) : 0;
    if (pls_context_create(NULL, &context) != PLS_OK ||
        pls_device_open(context, &options, &device) != PLS_OK) {
        fprintf(stderr, "%s\n", context != NULL ? pls_error_text(context) : "no memory");
        pls_context_destroy(context);
        return EXIT_FAILURE;
    }
    ceilings ceiling = measure_ceilings(device);
    printf("%s: %s\nGEMM f32 %.1f Gflop/s, GEMM f64 %.1f Gflop/s, copy %.1f GB/s\n",
           pls_device_name(device), pls_device_description(device), 1e-9 * ceiling.gemm[PLS_F32],
           1e-9 * ceiling.gemm[PLS_F64], 1e-9 * ceiling.bandwidth);
    for (int i = 0; i < operation_count; i++) {
        const operation *o = &operations[i];
        for (int s = 0; (only == NULL || strcmp(only, o->name) == 0) && s < o->bench_count; s++) {
            for (int dtype = o->f64_only ? PLS_F64 : PLS_F32; dtype <= PLS_F64; dtype++) {
                for (int variant = 0; variant < variants_to_time(o); variant++) {
                    operation_case given = {o,
                                            (pls_dtype)dtype,
                                            o->bench_shapes[s].m,
                                            o->bench_shapes[s].n,
                                            o->bench_shapes[s].p,
                                            0,
                                            variant};
                    report(device, given, &ceiling);
                }
            }
        }
    }
    pls_device_close(device);
    pls_context_destroy(context);
    return EXIT_SUCCESS;
}
