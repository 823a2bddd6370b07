/* Phases: what is measured, what is not, and that nothing stays open when something fails.
 *
 * A CPU device whose table is replaced by one that watches: its clock ticks once an event, so that
 * a phase that is measured once takes exactly one second. */
#include "networks.h"
#include "support.h"

#include "backend/operations.h"
#include "backend/phase.h"

#include <math.h>

struct pls_event {
    double time;
};

/* What the watching backend saw; each test is a process of its own. */
static struct {
    double now;    /* seconds */
    double passed; /* until when the queue is known to be empty */
    int recorded, waits, live_events;
    int ranges, open_ranges, deepest;
    int calls, fail_at; /* of the operations that may fail */
} seen;

static pls_status planted(pls_device *device) {
    return ++seen.calls == seen.fail_at
               ? pls_fail(device->context, PLS_ERROR_DEVICE, "planted at call %d", seen.calls)
               : PLS_OK;
}

static pls_status watch_create(pls_device *device, pls_event **event) {
    pls_status status = planted(device);
    *event = status == PLS_OK ? calloc(1, sizeof **event) : NULL;
    seen.live_events += status == PLS_OK;
    return status;
}

static void watch_destroy(pls_device *device, pls_event *event) {
    (void)device;
    seen.live_events--;
    free(event);
}

static pls_status watch_record(pls_device *device, pls_event *event) {
    event->time = ++seen.now;
    seen.recorded++;
    return planted(device);
}

static pls_status watch_elapsed(pls_device *device, pls_event *first, pls_event *second,
                                double *seconds) {
    seen.waits += second->time > seen.passed;
    seen.passed = fmax(seen.passed, second->time);
    *seconds = second->time - first->time;
    return planted(device);
}

static void watch_range_begin(pls_device *device, const char *name) {
    (void)device;
    cr_assert_gt(strlen(name), 0);
    seen.ranges++;
    seen.open_ranges++;
    seen.deepest = seen.open_ranges > seen.deepest ? seen.open_ranges : seen.deepest;
}

static void watch_range_end(pls_device *device) {
    (void)device;
    cr_assert_gt(seen.open_ranges, 0, "a range ends that did not begin");
    seen.open_ranges--;
}

static pls_status watch_download(pls_device *device, pls_view src, void *host, int64_t host_ld) {
    pls_status status = planted(device);
    seen.passed = seen.now;
    return status != PLS_OK ? status : pls_cpu_backend.download(device, src, host, host_ld);
}

static pls_status watch_gemm(pls_device *device, pls_transpose ta, pls_transpose tb, double alpha,
                             pls_view a, pls_view b, double beta, pls_view c) {
    pls_status status = planted(device);
    return status != PLS_OK ? status : pls_cpu_backend.gemm(device, ta, tb, alpha, a, b, beta, c);
}

static pls_status watch_gram(pls_device *device, pls_gram_arithmetic arithmetic, pls_view a,
                             pls_view b, double beta, pls_view c, pls_view workspace) {
    pls_status status = planted(device);
    return status != PLS_OK ? status
                            : pls_cpu_backend.gram(device, arithmetic, a, b, beta, c, workspace);
}

static pls_status watch_axpby(pls_device *device, double alpha, pls_view x, double beta,
                              pls_view y) {
    pls_status status = planted(device);
    return status != PLS_OK ? status : pls_cpu_backend.axpby(device, alpha, x, beta, y);
}

static pls_status watch_copy(pls_device *device, pls_view src, pls_view dst) {
    pls_status status = planted(device);
    return status != PLS_OK ? status : pls_cpu_backend.copy(device, src, dst);
}

static pls_status watch_potrf(pls_device *device, pls_view a, int64_t *failed_minor) {
    pls_status status = planted(device);
    return status != PLS_OK ? status : pls_cpu_backend.potrf(device, a, failed_minor);
}

static pls_status watch_syevd(pls_device *device, bool vectors, pls_view a, pls_view values) {
    pls_status status = planted(device);
    return status != PLS_OK ? status : pls_cpu_backend.syevd(device, vectors, a, values);
}

static pls_status watch_symmetrize(pls_device *device, pls_view a) {
    pls_status status = planted(device);
    return status != PLS_OK ? status : pls_cpu_backend.symmetrize(device, a);
}

static pls_status watch_upload(pls_device *device, const void *host, int64_t host_ld,
                               pls_view dst) {
    pls_status status = planted(device);
    return status != PLS_OK ? status : pls_cpu_backend.upload(device, host, host_ld, dst);
}

static pls_backend watching;

static void watch(pls_device *device) {
    watching = pls_cpu_backend;
    watching.event_create = watch_create;
    watching.event_destroy = watch_destroy;
    watching.event_record = watch_record;
    watching.event_elapsed = watch_elapsed;
    watching.range_begin = watch_range_begin;
    watching.range_end = watch_range_end;
    watching.download = watch_download;
    watching.upload = watch_upload;
    watching.gemm = watch_gemm;
    watching.gram = watch_gram;
    watching.axpby = watch_axpby;
    watching.copy = watch_copy;
    watching.potrf = watch_potrf;
    watching.syevd = watch_syevd;
    watching.symmetrize = watch_symmetrize;
    device->backend = &watching;
}

static const network_plan plan = {.hidden = PLS_TANH, .precision = PLS_F32};

static network_fixture watched_network(bool measure) {
    network_fixture f = network_set_up(&plan);
    watch(f.device);
    network_check(&f, pls_device_measure_phases(f.device, measure));
    return f;
}

/* The time of a phase by its name. */
static pls_phase_time time_of(const network_fixture *f, const char *name) {
    const pls_phase_time *times = NULL;
    int count = 0;
    network_check(f, pls_device_phases(f->device, &times, &count));
    for (int i = 0; i < count; i++) {
        if (strcmp(times[i].name, name) == 0) {
            return times[i];
        }
    }
    cr_assert_fail("there is no phase %s", name);
    return times[0];
}

static void pass_phase(const network_fixture *f, pls_phase phase) {
    network_check(f, pls_phase_begin(f->device, phase));
    network_check(f, pls_phase_end(f->device, PLS_OK));
}

Test(phases, times_of_nested_phases_count_once) {
    network_fixture f = watched_network(true);
    network_check(&f, pls_phase_begin(f.device, PLS_PHASE_FLOOR));
    seen.now += 3.0;
    network_check(&f, pls_phase_begin(f.device, PLS_PHASE_GRAM));
    seen.now += 4.0;
    network_check(&f, pls_phase_end(f.device, PLS_OK));
    network_check(&f, pls_phase_end(f.device, PLS_OK));
    seen.now += 100.0; /* between phases */
    pass_phase(&f, PLS_PHASE_GRAM);
    cr_expect_eq(time_of(&f, "floor").seconds, 8.0);
    cr_expect_eq(time_of(&f, "floor").count, 1);
    cr_expect_eq(time_of(&f, "gram").seconds, 1.0);
    cr_expect_eq(time_of(&f, "gram").count, 1);
    cr_expect_eq(seen.deepest, 2, "ranges nest");
    network_tear_down(&f);
    cr_expect_eq(seen.live_events, 0);
}

Test(phases, more_of_them_than_the_ring_holds) {
    enum { MANY = 100 };
    static const char *const names[] = {"forward", "update", "gram"};
    static const pls_phase phases[] = {PLS_PHASE_FORWARD, PLS_PHASE_UPDATE, PLS_PHASE_GRAM};
    network_fixture f = watched_network(true);
    int events = seen.live_events;
    double seconds[3] = {0.0, 0.0, 0.0};
    for (int i = 0; i < 3 * MANY; i++) {
        double start = seen.now;
        network_check(&f, pls_phase_begin(f.device, phases[i % 3]));
        seen.now += i;
        network_check(&f, pls_phase_end(f.device, PLS_OK));
        seconds[i % 3] += i + 1;
        cr_assert(i < 10 || seen.passed < start, "the queue was drained");
    }
    cr_expect_eq(seen.live_events, events, "events are made once");
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(time_of(&f, names[i]).seconds, seconds[i]);
        cr_expect_eq(time_of(&f, names[i]).count, MANY);
    }
    network_tear_down(&f);
}

Test(phases, cost_no_event_unless_they_are_measured) {
    network_fixture f = watched_network(false);
    const pls_phase_time *times = NULL;
    int count = 1;
    pls_point point;
    network_check(&f, pls_system_measure(f.system, PLS_LOSS_SQUARE, &point, NULL, NULL));
    network_check(&f, pls_device_phases(f.device, &times, &count));
    cr_expect_eq(count, 0);
    cr_expect_eq(seen.recorded + seen.live_events, 0);
    cr_expect_eq(seen.ranges, 3, "forward, gradient, norms");
    network_check(&f, pls_device_measure_phases(f.device, true));
    network_check(&f, pls_system_measure(f.system, PLS_LOSS_SQUARE, &point, NULL, NULL));
    int recorded = seen.recorded;
    cr_expect_eq(recorded, 6);
    network_check(&f, pls_device_measure_phases(f.device, false));
    network_check(&f, pls_system_measure(f.system, PLS_LOSS_SQUARE, &point, NULL, NULL));
    cr_expect_eq(seen.recorded, recorded);
    cr_expect_eq(time_of(&f, "forward").count, 1, "what was measured is still there");
    network_check(&f, pls_device_measure_phases(f.device, true));
    cr_expect_eq(time_of(&f, "forward").count, 0, "from zero");
    SUPPORT_EXPECT_ERROR(f.context, pls_device_phases(f.device, NULL, &count), PLS_ERROR_ARGUMENT,
                         "must be given a place");
    network_tear_down(&f);
}

static pls_train_options training(void) {
    pls_train_options options = pls_train_options_defaults();
    options.steps = 20;
    options.measure_every = 10;
    options.spectrum.full = true;
    options.spectrum.refine = PLS_REFINE_ALWAYS;
    return options;
}

static void expect_count(const network_fixture *f, const char *name, int64_t count) {
    pls_phase_time time = time_of(f, name);
    cr_expect_eq(time.count, count, "%s: passed %lld times, not %lld", name, (long long)time.count,
                 (long long)count);
    cr_expect_eq(time.seconds, (double)count, "%s: %g s", name, time.seconds);
}

Test(phases, of_a_training_run) {
    network_fixture f = watched_network(true);
    pls_train_options options = training();
    pls_train_result result;
    network_check(&f, pls_train(f.system, &options, &result));
    cr_expect_eq(seen.waits, 0, "training waited %d times for its clock", seen.waits);
    cr_expect_eq(seen.open_ranges, 0);
    expect_count(&f, "initialisation", 0);
    expect_count(&f, "forward", 21);
    expect_count(&f, "gradient", 21);
    expect_count(&f, "norms", 42);
    expect_count(&f, "update", 20);
    expect_count(&f, "derivatives", 3 * 3);  /* layers */
    expect_count(&f, "gram", 3 * (3 + 1));   /* layers, and the other triangle */
    expect_count(&f, "extremes", 3 * 2 + 2); /* and the second smallest, at both ends */
    expect_count(&f, "factor", 3);
    expect_count(&f, "spectrum", 2); /* the first and the last */
    expect_count(&f, "floor", 3);
    expect_count(&f, "refinement", 3);
    expect_count(&f, "change", 3 * 2); /* and the alignment */
    expect_count(&f, "bottom", 2);     /* the first and the last */
    expect_count(&f, "twin", 0);
    cr_expect_eq(result.spectrum.refined, true);
    network_check(&f, pls_system_initialize(f.system));
    expect_count(&f, "initialisation", 1);
    pls_train_result_destroy(f.context, &result);
    network_tear_down(&f);
}

Test(phases, of_constants_and_rows) {
    network_fixture f = watched_network(true);
    pls_constants constants;
    double *row = calloc((size_t)(2 * pls_system_parameters(f.system)), sizeof *row);
    network_check(&f, pls_constants_estimate(f.system, NULL, 0, &constants));
    network_check(&f, pls_system_jacobian(f.system, 2, 1, row));
    expect_count(&f, "constants", 1);
    expect_count(&f, "jacobian", 1);
    expect_count(&f, "forward", 1);
    expect_count(&f, "extremes", 0);
    free(row);
    network_tear_down(&f);
}

/* Its kernel comes from rows of J. */
Test(phases, of_a_linear_system) {
    network_fixture f = {0};
    f.context = support_context(NULL);
    network_check(&f, pls_device_open(f.context, NULL, &f.device));
    watch(f.device);
    network_check(&f, pls_device_measure_phases(f.device, true));
    const double a[] = {1.0, 2.0, 0.5, -1.0, 0.0, 3.0}, y[] = {1.0, 2.0};
    pls_kernel *kernel = NULL;
    network_check(&f, pls_linear_system_create(f.device, PLS_F64, 2, 3, a, y, &f.system));
    network_check(&f, pls_kernel_create(f.system, NULL, &kernel));
    network_check(&f, pls_kernel_compute(kernel));
    expect_count(&f, "initialisation", 1);
    expect_count(&f, "forward", 1);
    expect_count(&f, "derivatives", 1);
    expect_count(&f, "gram", 2);
    pls_kernel_destroy(kernel);
    network_tear_down(&f);
}

Test(phases, of_a_network_that_keeps_no_activations) {
    network_plan frugal = plan;
    frugal.memory = 1;
    network_fixture f = network_set_up(&frugal);
    watch(f.device);
    network_check(&f, pls_device_measure_phases(f.device, true));
    pls_kernel *kernel = NULL;
    network_check(&f, pls_kernel_create(f.system, NULL, &kernel));
    network_check(&f, pls_kernel_compute(kernel));
    expect_count(&f, "forward", 2); /* the point, and the tile */
    expect_count(&f, "derivatives", 3);
    expect_count(&f, "gram", 4);
    pls_kernel_destroy(kernel);
    network_tear_down(&f);
}

/* The sum of the phases of real work, by a real clock, is no more than the time that passed. */
Test(phases, add_up_to_no_more_than_the_time) {
    network_fixture f = network_set_up(&plan);
    pls_train_options options = training();
    pls_train_result result;
    const pls_phase_time *times = NULL;
    pls_event *ends[2];
    int count = 0;
    double sum = 0.0, whole = 0.0;
    for (int i = 0; i < 2; i++) {
        network_check(&f, pls_event_create(f.device, &ends[i]));
    }
    network_check(&f, pls_device_measure_phases(f.device, true));
    network_check(&f, pls_event_record(f.device, ends[0]));
    network_check(&f, pls_train(f.system, &options, &result));
    network_check(&f, pls_event_record(f.device, ends[1]));
    network_check(&f, pls_event_elapsed(f.device, ends[0], ends[1], &whole));
    network_check(&f, pls_device_phases(f.device, &times, &count));
    for (int i = 0; i < count; i++) {
        cr_expect(times[i].seconds > 0.0 || times[i].count == 0, "%s", times[i].name);
        sum += times[i].seconds;
    }
    cr_expect_gt(count, 0);
    cr_expect_leq(sum, whole);
    for (int i = 0; i < 2; i++) {
        pls_event_destroy(f.device, ends[i]);
    }
    pls_train_result_destroy(f.context, &result);
    network_tear_down(&f);
}

/* Every operation and every event fails once: the run says so, and no phase stays open. */
Test(phases, are_closed_when_something_fails, .timeout = 600) {
    for (int n = 1;; n++) {
        network_fixture f = watched_network(true);
        pls_train_options options = training();
        pls_train_result result;
        options.steps = 2;
        options.measure_every = 2;
        seen.calls = 0;
        seen.fail_at = n;
        pls_status status = pls_train(f.system, &options, &result);
        bool reached = seen.calls >= n;
        seen.fail_at = 0;
        cr_assert_eq(seen.open_ranges, 0, "call %d", n);
        if (reached) {
            SUPPORT_EXPECT_ERROR(f.context, status, PLS_ERROR_DEVICE, "planted");
        }
        network_check(&f, reached ? PLS_OK : status);
        int64_t before = time_of(&f, "update").count;
        pass_phase(&f, PLS_PHASE_UPDATE);
        cr_assert_eq(time_of(&f, "update").count, before + 1, "call %d left a phase open", n);
        pls_train_result_destroy(f.context, &result);
        network_tear_down(&f);
        cr_assert_eq(seen.live_events, 0);
        if (!reached) {
            cr_assert_gt(n, 300);
            return;
        }
    }
}

Test(phases, events_that_cannot_be_made_are_given_back) {
    network_fixture f = network_set_up(&plan);
    watch(f.device);
    for (int n = 1;; n++) {
        seen.calls = 0;
        seen.fail_at = n;
        pls_status status = pls_device_measure_phases(f.device, true);
        if (seen.calls < n) {
            network_check(&f, status);
            break;
        }
        SUPPORT_EXPECT_ERROR(f.context, status, PLS_ERROR_DEVICE, "planted");
        cr_assert_eq(seen.live_events, 0, "after the failure of event %d", n);
    }
    seen.fail_at = 0;
    cr_expect_gt(seen.live_events, 0);
    pass_phase(&f, PLS_PHASE_GRAM);
    expect_count(&f, "gram", 1);
    network_tear_down(&f);
    cr_expect_eq(seen.live_events, 0);
}

static pls_status measure_a_little(pls_context *context, void *user) {
    network_fixture f = {.context = context};
    pls_point point;
    (void)user;
    pls_status status = network_build(&f, &plan);
    status = status != PLS_OK ? status : pls_device_measure_phases(f.device, true);
    status = status != PLS_OK ? status
                              : pls_system_measure(f.system, PLS_LOSS_SQUARE, &point, NULL, NULL);
    network_take_down(&f);
    return status;
}

Test(phases, survive_the_failure_of_any_allocation) {
    support_fail_each_allocation(measure_a_little, NULL);
}
