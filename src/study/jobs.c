/* A study in a folder: cells that have no result yet are measured side by side.
 *
 * A worker is a thread with a context and a device of its own, which takes the largest pending cell
 * that fits beside what is being measured. One mutex guards the list, and the hooks of the caller's
 * context, which workers reach through it. What a cell's values are does not depend on any of
 * this: a device of the caller's thread stays open as long as there are workers, so that none of
 * them gives the BLAS its threads back while another one uses it. */
#include "study/study.h"

#include "base/clock.h"
#include "base/context_internal.h"
#include "base/memory.h"
#include "base/output.h"

#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <string.h>

enum { DEFAULT_RESAMPLES = 1000 };

typedef enum job_state { JOB_DONE, JOB_PENDING, JOB_TAKEN } job_state;

typedef struct job {
    job_state state;
    int64_t bytes;
} job;

typedef struct run {
    pls_context *context; /* of the caller */
    const pls_study *study;
    const pls_study_run_options *options;
    json_t *fingerprint;
    int64_t cells, budget, workers;
    pls_device *device; /* keeps the BLAS at one thread; nothing is made on it */
    job *jobs;
    pls_measured *values;
    bool *there;
    double start;

    pthread_mutex_t mutex; /* guards what follows, the jobs, and the caller's hooks */
    pthread_cond_t changed;
    int64_t running, used; /* cells being measured, and their bytes */
    bool stop;
    pls_status failure; /* of the first worker that failed */
    char failure_text[PLS_ERROR_TEXT_SIZE];
    pls_study_progress progress;
    double measured_bytes; /* of the cells that this call has measured */
} run;

pls_study_run_options pls_study_run_options_defaults(void) {
    return (pls_study_run_options){.device = "cpu", .resamples = DEFAULT_RESAMPLES};
}

/* ---- what there is ------------------------------------------------------------------------------
 */

static pls_status allocate(run *r) {
    pls_context *context = r->context;
    const char *what = "the cells of a study";
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, r->cells, sizeof *r->jobs, what, &r->jobs));
    PLS_TRY(context, pls_allocate(context, r->cells, sizeof *r->there, what, &r->there));
    PLS_TRY(context, pls_allocate(context, r->cells, PLS_QUANTITY_COUNT * sizeof *r->values, what,
                                  &r->values));
cleanup:
    return status;
}

static pls_status find_results(run *r) {
    pls_context *context = r->context;
    pls_status status = PLS_OK;
    for (int64_t c = 0; c < r->cells; c++) {
        pls_cell cell = pls_study_cell(r->study, c);
        job *at = &r->jobs[c];
        PLS_TRY(context, pls_result_read(context, r->options->folder, r->study, r->fingerprint,
                                         &cell, r->values + c * PLS_QUANTITY_COUNT, &r->there[c]));
        PLS_TRY(context, pls_study_bytes(context, r->study, &cell, &at->bytes));
        at->state = r->there[c] ? JOB_DONE : JOB_PENDING;
        r->progress.found += r->there[c];
    }
cleanup:
    return status;
}

/* How many at a time, and the bytes they may take. */
static pls_status plan(run *r) {
    pls_device_options options = {r->options->device, 1};
    int64_t available = 0, total = 0, pending = r->cells - r->progress.found;
    pls_status status = PLS_OK;
    PLS_TRY(r->context, pls_device_open(r->context, &options, &r->device));
    PLS_TRY(r->context, pls_device_memory(r->device, &available, &total));
    bool is_cpu = strcmp(pls_device_name(r->device), "cpu") == 0;
    int64_t processors = omp_get_num_procs(); /* that this process may use */
    int64_t wanted = r->options->side_by_side > 0 ? r->options->side_by_side : processors;
    r->budget = r->options->memory > 0 ? r->options->memory : available / 2;
    r->workers = pls_smaller(is_cpu ? wanted : 1, pending);
cleanup:
    return status;
}

/* ---- hooks of workers
 * ---------------------------------------------------------------------------- */

static void *allocate_for(void *user, size_t bytes) {
    run *r = user;
    pls_hooks *hooks = &r->context->hooks;
    pthread_mutex_lock(&r->mutex);
    void *memory = hooks->allocate(hooks->user, bytes);
    pthread_mutex_unlock(&r->mutex);
    return memory;
}

static void release_for(void *user, void *memory) {
    run *r = user;
    pls_hooks *hooks = &r->context->hooks;
    pthread_mutex_lock(&r->mutex);
    hooks->release(hooks->user, memory);
    pthread_mutex_unlock(&r->mutex);
}

static void log_for(void *user, pls_log_level level, const char *text) {
    run *r = user;
    pthread_mutex_lock(&r->mutex);
    pls_log(r->context, level, "%s", text);
    pthread_mutex_unlock(&r->mutex);
}

static bool cancelled_for(void *user) {
    run *r = user;
    pls_hooks *hooks = &r->context->hooks;
    pthread_mutex_lock(&r->mutex);
    bool stop = r->stop || (hooks->cancelled != NULL && hooks->cancelled(hooks->user));
    pthread_mutex_unlock(&r->mutex);
    return stop;
}

/* ---- workers
 * -------------------------------------------------------------------------------------- */

/* The largest pending cell that fits; alone, any fits. -1: none now. The mutex is held. */
static int64_t choose(const run *r) {
    int64_t best = -1;
    for (int64_t c = 0; c < r->cells; c++) {
        const job *at = &r->jobs[c];
        bool fits = r->running == 0 || at->bytes <= r->budget - r->used;
        if (at->state == JOB_PENDING && fits && (best < 0 || at->bytes > r->jobs[best].bytes)) {
            best = c;
        }
    }
    return best;
}

static bool has_pending(const run *r) {
    for (int64_t c = 0; c < r->cells; c++) {
        if (r->jobs[c].state == JOB_PENDING) {
            return true;
        }
    }
    return false;
}

/* Waits for a cell to measure; -1 when there is nothing left to do. */
static int64_t take_job(run *r) {
    int64_t taken = -1;
    pthread_mutex_lock(&r->mutex);
    while (!r->stop && has_pending(r) && (taken = choose(r)) < 0) {
        pthread_cond_wait(&r->changed, &r->mutex);
    }
    if (r->stop) {
        taken = -1;
    }
    if (taken >= 0) {
        r->jobs[taken].state = JOB_TAKEN;
        r->running++;
        r->used += r->jobs[taken].bytes;
    }
    pthread_mutex_unlock(&r->mutex);
    return taken;
}

static void fail(run *r, pls_status status, const char *text) {
    if (!r->stop) {
        r->failure = status;
        strncpy(r->failure_text, text, sizeof r->failure_text - 1);
    }
    r->stop = true;
}

static void end_job(run *r, int64_t taken, pls_status status, const char *text) {
    pthread_mutex_lock(&r->mutex);
    r->running--;
    r->used -= r->jobs[taken].bytes;
    if (status == PLS_OK) {
        r->jobs[taken].state = JOB_DONE;
        r->there[taken] = true;
        r->progress.measured++;
        r->measured_bytes += (double)r->jobs[taken].bytes;
    } else {
        fail(r, status, text);
    }
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
}

static pls_status measure(run *r, pls_context *context, pls_device *device, int64_t taken) {
    pls_cell cell = pls_study_cell(r->study, taken);
    pls_measured *values = r->values + taken * PLS_QUANTITY_COUNT;
    double start = pls_clock();
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_study_measure(device, r->study, &cell, values));
    PLS_TRY(context, pls_result_write(context, r->options->folder, r->study, r->fingerprint, &cell,
                                      values, pls_clock() - start));
cleanup:
    return status;
}

static void *work(void *user) {
    run *r = user;
    bool own = r->context->hooks.allocate != NULL;
    pls_hooks hooks = {.user = r,
                       .allocate = own ? allocate_for : NULL,
                       .release = own ? release_for : NULL,
                       .log = log_for,
                       .cancelled = cancelled_for};
    pls_device_options options = {r->options->device, 1};
    pls_context *context = NULL;
    pls_device *device = NULL;
    pls_status status = pls_context_create(&hooks, &context);
    if (status == PLS_OK) {
        status = pls_device_open(context, &options, &device);
    }
    if (status != PLS_OK) {
        pthread_mutex_lock(&r->mutex);
        fail(r, status, context != NULL ? pls_error_text(context) : "there is not enough memory");
        pthread_cond_broadcast(&r->changed);
        pthread_mutex_unlock(&r->mutex);
    }
    for (int64_t taken; status == PLS_OK && (taken = take_job(r)) >= 0;) {
        status = measure(r, context, device, taken);
        end_job(r, taken, status, pls_error_text(context));
    }
    pls_device_close(device);
    pls_context_destroy(context);
    return NULL;
}

/* ---- the study
 * ------------------------------------------------------------------------------------ */

/* What is left takes as long for its bytes as what this call has measured took; cells of one size
 * differ little, and time grows faster than memory, which the largest coming first makes up for. */
static void tell(run *r) {
    double left = 0.0;
    pls_study_progress *progress = &r->progress;
    for (int64_t c = 0; c < r->cells; c++) {
        left += r->jobs[c].state == JOB_DONE ? 0.0 : (double)r->jobs[c].bytes;
    }
    progress->elapsed = pls_clock() - r->start;
    progress->remaining =
        progress->measured > 0 ? progress->elapsed * left / r->measured_bytes : NAN;
    if (r->options->observer != NULL) {
        r->options->observer(r->options->observer_user, progress);
    }
}

/* Tells of every cell until all are done or workers have stopped. */
static void watch(run *r) {
    int64_t told = -1;
    pthread_mutex_lock(&r->mutex);
    while (!r->stop && r->progress.found + r->progress.measured < r->cells) {
        if (told != r->progress.measured) {
            told = r->progress.measured;
            tell(r);
        }
        pthread_cond_wait(&r->changed, &r->mutex);
    }
    pthread_mutex_unlock(&r->mutex);
}

static pls_status measure_all(run *r) {
    pthread_t *threads = NULL;
    int64_t started = 0;
    pls_status status = PLS_OK;
    PLS_TRY(r->context, pls_allocate(r->context, r->workers, sizeof *threads,
                                     "the threads of a "
                                     "study",
                                     &threads));
    while (started < r->workers && pthread_create(&threads[started], NULL, work, r) == 0) {
        started++;
    }
    if (started > 0) {
        watch(r);
    }
    for (int64_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    if (r->workers > 0 && started == 0) {
        status = pls_fail(r->context, PLS_ERROR_MEMORY, "the system starts no thread for a study");
    } else if (r->failure != PLS_OK) {
        status = pls_fail(r->context, r->failure, "%s", r->failure_text);
    }
    tell(r);
cleanup:
    pls_release(r->context, threads);
    return status;
}

static pls_status make_folder(const run *r) {
    char *path = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(r->context, pls_join_path(r->context, r->options->folder, "jobs", &path));
    PLS_TRY(r->context, pls_make_directory(r->context, path));
cleanup:
    pls_release(r->context, path);
    return status;
}

/* The tables are written after an error, too, whose text is then kept. */
static pls_status write_tables(const run *r, pls_status so_far) {
    char text[PLS_ERROR_TEXT_SIZE];
    strncpy(text, pls_error_text(r->context), sizeof text - 1);
    text[sizeof text - 1] = '\0';
    pls_status status = pls_study_write_tables(r->context, r->options->folder, r->study, r->values,
                                               r->there, r->options->resamples);
    return so_far == PLS_OK ? status : pls_fail(r->context, so_far, "%s", text);
}

pls_status pls_study_run(pls_context *context, const pls_study *study,
                         const pls_study_run_options *options, pls_study_progress *progress) {
    run r = {.context = context, .study = study, .options = options, .start = pls_clock()};
    pls_status status = PLS_OK;
    pthread_mutex_init(&r.mutex, NULL);
    pthread_cond_init(&r.changed, NULL);
    PLS_TRY(context, pls_study_check(context, study));
    r.cells = r.progress.cells = pls_study_cells(study);
    PLS_TRY(context, make_folder(&r));
    PLS_TRY(context, allocate(&r));
    PLS_TRY(context, pls_study_fingerprint(context, study, &r.fingerprint));
    PLS_TRY(context, pls_study_claim_folder(context, options->folder, r.fingerprint));
    PLS_TRY(context, find_results(&r));
    PLS_TRY(context, plan(&r));
    status = write_tables(&r, measure_all(&r));
    if (progress != NULL) {
        *progress = r.progress;
    }
cleanup:
    pls_device_close(r.device);
    pthread_cond_destroy(&r.changed);
    pthread_mutex_destroy(&r.mutex);
    json_decref(r.fingerprint);
    pls_release(context, r.jobs);
    pls_release(context, r.there);
    pls_release(context, r.values);
    return status;
}
