/* One training run, twice on the device and once on the CPU: same data, same seed, same steps.
 *
 * On the device the two runs must be equal bit for bit. Between device and CPU, whose sums have
 * other orders, the difference of a series (losses, lambda_min, lambda_max, weights) is measured
 * against the largest magnitude of the series on the CPU, that of lambda_min against lambda_max:
 * rounding moves every eigenvalue of K by a share of its norm. Gradient descent below the edge of
 * stability does not let rounding errors grow, so a few digits are allowed for all steps. */
#include "gpu_check.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_RECORDS = 128 };

/* Differences allowed by precision; of initial weights one unit in the last place of float32, or
 * the 4 ulp of normal numbers in float64. */
static const double bound_path[] = {[PLS_F32] = 4e-6, [PLS_F64] = 1e-12};
static const double bound_start[] = {[PLS_F32] = 0x1p-23, [PLS_F64] = 4 * 0x1p-52};

typedef struct experiment {
    int64_t samples, width, steps, measure_every;
} experiment;

static const experiment full_experiment = {64, 1024, 50, 10};
static const experiment quick_experiment = {12, 24, 10, 5};

typedef struct path {
    int64_t records, parameters;
    double loss[MOST_RECORDS], gradient_norm[MOST_RECORDS];
    double lambda_min[MOST_RECORDS], lambda_max[MOST_RECORDS];
    double *start, *end; /* weights */
} path;

static pls_status write_down(void *user, const pls_record *record, const pls_progress *progress) {
    path *p = user;
    (void)progress;
    if (p->records < MOST_RECORDS) {
        p->loss[p->records] = record->loss;
        p->gradient_norm[p->records] = record->gradient_norm;
        p->lambda_min[p->records] = record->measured ? record->lambda_min : 0.0;
        p->lambda_max[p->records] = record->measured ? record->lambda_max : 0.0;
        p->records++;
    }
    return PLS_OK;
}

static void free_path(pls_context *context, path *p) {
    pls_release(context, p->start);
    pls_release(context, p->end);
}

/* 8 x 8 digits -> width tanh -> width tanh -> 10 outputs. */
static pls_status make_system(pls_device *device, pls_context *context, pls_dtype precision,
                              const experiment *what, pls_system **system) {
    pls_status status = PLS_OK;
    pls_dataset data = {0};
    pls_data_options from = pls_data_options_defaults();
    pls_network_options options = pls_network_options_defaults();
    pls_layer_spec layers[] = {{.width = what->width, .activation = PLS_TANH},
                               {.width = what->width, .activation = PLS_TANH},
                               {.width = 10}};
    pls_model model = pls_model_defaults();
    from.samples = what->samples;
    from.class_count = 0;
    options.precision = precision;
    options.seed = 1;
    PLS_TRY(context, pls_dataset_load(context, &from, &data));
    layers[2].width = data.outputs;
    model.input_rank = 1;
    model.input_shape[0] = data.dimension;
    model.layer_count = 3;
    model.layers = layers;
    data.input_rank = 1;
    data.input_shape[0] = data.dimension;
    PLS_TRY(context, pls_network_system_create(device, &model, &data, &options, system));
cleanup:
    pls_dataset_destroy(context, &data);
    return status;
}

static pls_status train(pls_device *device, pls_context *context, pls_dtype precision,
                        const experiment *what, path *taken) {
    pls_status status = PLS_OK;
    pls_system *system = NULL;
    pls_train_result result = {0};
    pls_train_options options = pls_train_options_defaults();
    options.steps = what->steps;
    options.measure_every = what->measure_every;
    options.spectrum.refine = PLS_REFINE_NEVER;
    options.observer = write_down;
    options.observer_user = taken;
    PLS_TRY(context, make_system(device, context, precision, what, &system));
    taken->parameters = pls_system_parameters(system);
    PLS_TRY(context,
            pls_allocate(context, taken->parameters, sizeof(double), "weights", &taken->start));
    PLS_TRY(context,
            pls_allocate(context, taken->parameters, sizeof(double), "weights", &taken->end));
    PLS_TRY(context, pls_system_initialize(system));
    PLS_TRY(context, pls_system_get_weights(system, taken->start));
    PLS_TRY(context, pls_train(system, &options, &result));
    PLS_TRY(context, pls_system_get_weights(system, taken->end));
cleanup:
    pls_train_result_destroy(context, &result);
    pls_system_destroy(system);
    return status;
}

/* ---- comparisons ------------------------------------------------------------------------------
 */

static double largest_of(const double *values, int64_t count) {
    double largest = 0.0;
    for (int64_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs(values[i]));
    }
    return largest;
}

/* max |a - b| / scale; NaN if there is one. */
static double difference(const double *a, const double *b, int64_t count, double scale) {
    double worst = 0.0;
    for (int64_t i = 0; i < count; i++) {
        double error = fabs(a[i] - b[i]) / scale;
        worst = error > worst || isnan(error) ? error : worst;
    }
    return worst;
}

/* The first series that differs by more than its bound is the reason. */
typedef struct verdict {
    json_t *differences;
    char reason[128];
} verdict;

static void compare(verdict *v, const char *series, const double *found, const double *expected,
                    int64_t count, double scale, double bound) {
    double worst = difference(found, expected, count, scale);
    json_t *entry = json_object();
    json_object_set_new(entry, "difference", json_number(worst));
    json_object_set_new(entry, "bound", json_number(bound));
    json_object_set_new(v->differences, series, entry);
    if (!(worst <= bound) && v->reason[0] == '\0') {
        snprintf(v->reason, sizeof v->reason, "%s: difference %.3g, bound %.3g", series, worst,
                 bound);
    }
}

static void compare_with_cpu(check_run *run, pls_dtype precision, const char *name,
                             const path *device, const path *cpu) {
    verdict v = {json_object(), ""};
    double bound = bound_path[precision];
    int64_t n = cpu->records, p = cpu->parameters;
    double norm = largest_of(cpu->lambda_max, n);
    if (device->records != n) {
        snprintf(v.reason, sizeof v.reason, "the runs have different numbers of steps");
    }
    compare(&v, "initial weights", device->start, cpu->start, p, largest_of(cpu->start, p),
            bound_start[precision]);
    compare(&v, "loss", device->loss, cpu->loss, n, largest_of(cpu->loss, n), bound);
    compare(&v, "gradient_norm", device->gradient_norm, cpu->gradient_norm, n,
            largest_of(cpu->gradient_norm, n), bound);
    compare(&v, "lambda_min", device->lambda_min, cpu->lambda_min, n, norm, bound);
    compare(&v, "lambda_max", device->lambda_max, cpu->lambda_max, n, norm, bound);
    compare(&v, "final weights", device->end, cpu->end, p, largest_of(cpu->end, p), bound);
    record_check(run, "agreement", name, v.reason[0] == '\0',
                 json_pack("{s:o}", "differences", v.differences),
                 v.reason[0] != '\0' ? v.reason : NULL);
}

static bool same_bits(const path *a, const path *b) {
    size_t records = (size_t)a->records * sizeof(double);
    size_t weights = (size_t)a->parameters * sizeof(double);
    return a->records == b->records && memcmp(a->loss, b->loss, records) == 0 &&
           memcmp(a->gradient_norm, b->gradient_norm, records) == 0 &&
           memcmp(a->lambda_min, b->lambda_min, records) == 0 &&
           memcmp(a->lambda_max, b->lambda_max, records) == 0 &&
           memcmp(a->start, b->start, weights) == 0 && memcmp(a->end, b->end, weights) == 0;
}

static void check_precision(check_run *run, pls_device *cpu, pls_dtype precision) {
    const experiment *what = run->options->quick ? &quick_experiment : &full_experiment;
    pls_context *context = run->context;
    pls_status status = PLS_OK;
    path paths[3] = {{0}, {0}, {0}};
    char with_cpu[64], with_itself[64];
    snprintf(with_cpu, sizeof with_cpu, "%s with the CPU", pls_dtype_name(precision));
    snprintf(with_itself, sizeof with_itself, "%s with itself", pls_dtype_name(precision));
    PLS_TRY(context, train(run->device, context, precision, what, &paths[0]));
    PLS_TRY(context, train(run->device, context, precision, what, &paths[1]));
    PLS_TRY(context, train(cpu, context, precision, what, &paths[2]));
    compare_with_cpu(run, precision, with_cpu, &paths[0], &paths[2]);
    record_check(run, "agreement", with_itself, same_bits(&paths[0], &paths[1]), NULL,
                 same_bits(&paths[0], &paths[1]) ? NULL : "two equal runs differ");
cleanup:
    if (status != PLS_OK) {
        record_error(run, "agreement", with_cpu);
    }
    for (int i = 0; i < 3; i++) {
        free_path(context, &paths[i]);
    }
}

void check_agreement(check_run *run) {
    pls_device_options options = {"cpu", 0};
    pls_device *cpu = NULL;
    int made = run->made, failed = run->failed;
    if (pls_device_open(run->context, &options, &cpu) != PLS_OK) {
        record_error(run, "agreement", "the CPU");
        return;
    }
    for (int dtype = PLS_F32; dtype <= PLS_F64; dtype++) {
        check_precision(run, cpu, (pls_dtype)dtype);
    }
    pls_device_close(cpu);
    printf("agreement: %d comparisons of training runs, %d failed\n", run->made - made,
           run->failed - failed);
}
