/* How fast is every operation of the table, held against what the machine can do at all?
 *
 *     bench_operations [device [threads [operation]]]
 *
 * The bound of a case is the larger of two times, its flops at the GEMM rate of its precision (the
 * Gram product's is float64) and its bytes at the copy bandwidth, both measured in the same run;
 * the share is the bound over the median. */
#include "timing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CEILING_COPY = 8192 };

static const int64_t ceiling_products[] = {4096};

static void report(pls_device *device, operation_case given, const ceilings *ceiling) {
    timing_plan plan = timing_plan_defaults();
    timing taken;
    if (time_case(device, given, &plan, &taken) != PLS_OK) {
        fprintf(stderr, "%s\n", pls_error_text(device->context));
        exit(EXIT_FAILURE);
    }
    bound found = timing_bound(given, &taken, ceiling);
    printf("%-22s %s %8lld %8lld %6lld #%-2d %10.1f us [%.1f, %.1f] %10.2f MB %9.3f Gflop "
           "%5.0f %% of %s\n",
           given.operation->name, pls_dtype_name(given.dtype), (long long)given.m,
           (long long)given.n, (long long)given.p, given.variant, 1e6 * taken.median,
           1e6 * taken.p10, 1e6 * taken.p90, 1e-6 * taken.bytes, 1e-9 * taken.flops,
           100.0 * found.share, found.name);
}

/* Activations differ in cost, so each of them is a line. */
static int variants_to_time(const operation *o) {
    return strstr(o->name, "activation") != NULL ? PLS_ACTIVATION_COUNT : 1;
}

static void report_operation(pls_device *device, const operation *o, const ceilings *ceiling) {
    for (int s = 0; s < o->bench_count; s++) {
        for (int dtype = o->f64_only ? PLS_F64 : PLS_F32; dtype <= PLS_F64; dtype++) {
            for (int variant = 0; variant < variants_to_time(o); variant++) {
                shape size = o->bench_shapes[s];
                operation_case given = {o, (pls_dtype)dtype, size.m, size.n, size.p, 0, variant};
                report(device, given, ceiling);
            }
        }
    }
}

int main(int argument_count, char **arguments) {
    pls_context *context = NULL;
    pls_device *device = NULL;
    pls_device_options options = pls_device_options_defaults();
    const char *only = argument_count > 3 ? arguments[3] : NULL;
    timing_plan plan = timing_plan_defaults();
    ceilings ceiling;
    setvbuf(stdout, NULL, _IOLBF, 0); /* a benchmark that is stopped has shown what it had */
    options.name = argument_count > 1 ? arguments[1] : "auto";
    options.threads = argument_count > 2 ? atoi(arguments[2]) : 0;
    if (pls_context_create(NULL, &context) != PLS_OK ||
        pls_device_open(context, &options, &device) != PLS_OK ||
        measure_ceilings(device, &plan, CEILING_COPY, ceiling_products, 1, &ceiling) != PLS_OK) {
        fprintf(stderr, "%s\n", context != NULL ? pls_error_text(context) : "no memory");
        pls_device_close(device);
        pls_context_destroy(context);
        return EXIT_FAILURE;
    }
    printf("%s: %s\nGEMM f32 %.1f Gflop/s, GEMM f64 %.1f Gflop/s, copy %.1f GB/s\n",
           pls_device_name(device), pls_device_description(device), 1e-9 * ceiling.gemm[PLS_F32],
           1e-9 * ceiling.gemm[PLS_F64], 1e-9 * ceiling.copy);
    for (int i = 0; i < operation_count; i++) {
        if (only == NULL || strcmp(only, operations[i].name) == 0) {
            report_operation(device, &operations[i], &ceiling);
        }
    }
    pls_device_close(device);
    pls_context_destroy(context);
    return EXIT_SUCCESS;
}
