/* The CUDA module when its calls fail: every call of a short training run in turn, once and for
 * good; machines without a driver, a device or code for it; too little memory. */
#include "networks.h"

#include "backend/operations.h"
#include "cudaemu/cudaemu.h"

#include <math.h>

static void set_knob(const char *name, const char *value) {
    cr_assert_eq(value != NULL ? setenv(name, value, 1) : unsetenv(name), 0);
    cudaemu_configure();
}

/* ---- every call in turn -----------------------------------------------------------------------
 */

/* Two steps of SGD with a full measurement before and after, and the times of phases. */
static pls_status train_shortly(network_fixture *f) {
    static const network_plan plan = {
        .samples = 3, .inputs = 2, .depth = 2, .widths = {4, 1}, .hidden = PLS_TANH, .bias = true};
    pls_train_options options = pls_train_options_defaults();
    pls_train_result result = {0};
    options.steps = 2;
    options.measure_every = 2;
    options.spectrum.full = true;
    options.optimizer = PLS_OPTIMIZER_SGD;
    options.batch = 2;
    const pls_phase_time *times = NULL;
    int count = 0;
    pls_status status = network_build(f, &plan);
    status = status != PLS_OK ? status : pls_device_measure_phases(f->device, true);
    status = status != PLS_OK ? status : pls_train(f->system, &options, &result);
    status = status != PLS_OK ? status : pls_device_phases(f->device, &times, &count);
    pls_train_result_destroy(f->context, &result);
    return status;
}

typedef struct outcome {
    pls_status status;
    int64_t calls, notes;
    bool done; /* it was only torn down when the call failed */
    char text[512];
} outcome;

typedef struct host {
    support_allocator allocator;
    int64_t notes;
} host;

static void *allocate(void *user, size_t bytes) {
    return support_allocate(&((host *)user)->allocator, bytes);
}

static void release(void *user, void *memory) {
    support_release(&((host *)user)->allocator, memory);
}

static void take_note(void *user, pls_log_level level, const char *text) {
    (void)text;
    ((host *)user)->notes += level != PLS_LOG_DEBUG;
}

/* The run with its n-th call failing; nothing may live on. n = 0: none fails. */
static outcome run_with_failure(int64_t n) {
    char failure[32];
    host here = {{0}, 0};
    pls_hooks hooks = {&here, allocate, release, take_note, NULL};
    network_fixture f = {0};
    outcome seen = {0};
    cr_assert_eq(pls_context_create(&hooks, &f.context), PLS_OK);
    snprintf(failure, sizeof failure, "*:%lld", (long long)n);
    set_knob("EMU_FAIL", failure);
    seen.status = train_shortly(&f);
    seen.done = cudaemu_calls() < n;
    snprintf(seen.text, sizeof seen.text, "%s", pls_error_text(f.context));
    network_take_down(&f);
    seen.calls = cudaemu_calls();
    seen.notes = here.notes;
    cr_assert_eq(here.allocator.live, 1, "call %lld: %lld allocations of the host live on",
                 (long long)n, (long long)here.allocator.live - 1);
    pls_context_destroy(f.context);
    return seen;
}

static bool gives_back(const char *function) {
    return strstr(function, "Free") != NULL || strstr(function, "Destroy") != NULL;
}

/* A failure is reported, unless the call only gave something back (or made the device current for
 * that), or was one for memory that the program can do without and says so. */
static void check_outcome(int64_t n, outcome seen) {
    const char *function = cudaemu_function(n);
    bool gave_back = gives_back(function) || (strcmp(function, "cudaSetDevice") == 0 &&
                                              gives_back(cudaemu_function(n + 1)));
    bool did_without = strcmp(function, "cudaMalloc") == 0 && seen.notes > 0;
    bool reported = (seen.status == PLS_ERROR_DEVICE || seen.status == PLS_ERROR_MEMORY) &&
                    strlen(seen.text) > 20;
    cr_assert(reported || (seen.status == PLS_OK && (seen.done || gave_back || did_without)),
              "call %lld, %s: status %d, \"%s\"", (long long)n, function, (int)seen.status,
              seen.text);
}

static int64_t fail_every_call(void) {
    int64_t calls = run_with_failure(0).calls, reported = 0;
    cr_assert_gt(calls, 100);
    for (int64_t n = 1; n <= calls; n++) {
        outcome seen = run_with_failure(n);
        check_outcome(n, seen);
        reported += seen.status != PLS_OK;
    }
    return reported;
}

Test(failures, of_every_call_are_reported_and_nothing_leaks) {
    int64_t allocations = cudaemu_live_allocations(), objects = cudaemu_live_objects();
    cr_assert_gt(fail_every_call(), 100);
    cr_assert_eq(cudaemu_live_allocations(), allocations);
    cr_assert_eq(cudaemu_live_objects(), objects);
}

/* After a sticky error nothing of the device works, not even giving back. */
Test(failures, that_stay_are_reported_as_a_lost_device) {
    int64_t calls = run_with_failure(0).calls, lost = 0;
    set_knob("EMU_FAIL_STICKY", "1");
    for (int64_t n = 1; n <= calls; n += n < 60 ? 1 : 7) {
        outcome seen = run_with_failure(n);
        check_outcome(n, seen);
        lost += strstr(seen.text, "is lost") != NULL;
    }
    cr_assert_gt(lost, 10);
}

/* ---- machines without a device ----------------------------------------------------------------
 */

static void refuse_to_open(const char *name, const char *part) {
    pls_context *context = support_context(NULL);
    pls_device_options options = {name, 0};
    pls_device *device = NULL;
    SUPPORT_EXPECT_ERROR(context, pls_device_open(context, &options, &device), PLS_ERROR_DEVICE,
                         part);
    cr_assert_null(device);
    pls_context_destroy(context);
}

Test(start, says_what_is_missing) {
    refuse_to_open("cuda:1", "this machine has 1 CUDA device");
    set_knob("EMU_DRIVER", "none");
    refuse_to_open("cuda", "no NVIDIA driver");
    set_knob("EMU_DRIVER", NULL);
    set_knob("EMU_DEVICES", "0");
    refuse_to_open("cuda", "shows no GPU");
    set_knob("EMU_DEVICES", NULL);
    set_knob("EMU_ARCHITECTURE", "missing");
    refuse_to_open("cuda:0", "no code for a GPU of compute capability 9.0");
    set_knob("EMU_ARCHITECTURE", NULL);
}

/* A GPU that is held by another process, say: nothing was computed that could be lost. */
Test(start, that_fails_for_good_is_no_lost_device) {
    set_knob("EMU_FAIL", "cudaSetDevice:1");
    set_knob("EMU_FAIL_STICKY", "1");
    refuse_to_open("cuda", "opening the device (cudaSetDevice) failed");
}

Test(start, refuses_what_is_no_module) {
    cr_assert_eq(setenv("PLSTAR_CUDA_MODULE", "/nowhere/plstar-cuda.so", 1), 0);
    refuse_to_open("cuda", "/nowhere/plstar-cuda.so");
    cr_assert_eq(setenv("PLSTAR_CUDA_MODULE", "libm.so.6", 1), 0);
    refuse_to_open("cuda", "libm.so.6 is no plstar module");
}

/* ---- too little memory ------------------------------------------------------------------------
 */

Test(memory, says_how_much_there_was_and_leaves_the_device_usable) {
    pls_context *context = support_context(NULL);
    pls_device_options options = support_device(0);
    pls_device *device = NULL;
    pls_buffer *buffer = NULL;
    int64_t available = 0, total = 0;
    double back = 0.0;
    set_knob("EMU_MEMORY", "67108864");
    SUPPORT_EXPECT_OK(context, pls_device_open(context, &options, &device));
    SUPPORT_EXPECT_OK(context, pls_device_memory(device, &available, &total));
    cr_assert_eq(total, 67108864);
    SUPPORT_EXPECT_ERROR(context, pls_buffer_allocate(device, 100000000, &buffer), PLS_ERROR_MEMORY,
                         "100 MB (100000000 bytes) were asked for");
    cr_assert(strstr(pls_error_text(context), "of 67.1 MB are free") != NULL, "%s",
              pls_error_text(context));
    SUPPORT_EXPECT_OK(context, pls_buffer_allocate(device, 8, &buffer));
    pls_view one = {buffer, 0, 1, 1, 1, PLS_F64};
    SUPPORT_EXPECT_OK(context, pls_fill(device, 3.5, one));
    SUPPORT_EXPECT_OK(context, pls_download(device, one, &back, 1));
    cr_assert_eq(back, 3.5);
    pls_buffer_release(device, buffer);
    pls_device_close(device);
    pls_context_destroy(context);
}
