/* Memory of the CPU backend: aligned blocks, copies, how much is left, and the clock.
 *
 *     available = min(MemAvailable,
 *                     memory.max - memory.current + inactive_file of each control group above us,
 *                     RLIMIT_AS - address space in use)
 *                 - buffers that were given out but not yet written to: the system counts memory
 *                   only once it is touched, and two reservations must not both be promised it */
#include "base/memory.h"
#include "backend/cpu/cpu.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { ALIGNMENT = 256 };

/* One block of the context's memory: this header, a gap, and aligned bytes. */
pls_status pls_cpu_allocate(pls_device *device, int64_t bytes, pls_buffer **buffer) {
    int64_t request = 0;
    pls_buffer *block = NULL;
    if (!pls_add(bytes, (int64_t)sizeof *block + ALIGNMENT, &request)) {
        request = INT64_MAX;
    }
    pls_status status =
        pls_allocate_raw(device->context, request, 1, "a buffer of the CPU", &block);
    if (status == PLS_OK) {
        uintptr_t first = (uintptr_t)(block + 1);
        block->bytes = bytes;
        block->memory = (char *)(block + 1) + (ALIGNMENT - first % ALIGNMENT) % ALIGNMENT;
        *buffer = block;
        pls_cpu(device)->reserved += bytes;
    }
    return status;
}

void pls_cpu_release(pls_device *device, pls_buffer *buffer) {
    pls_cpu(device)->reserved -= buffer->bytes;
    pls_release(device->context, buffer);
}

/* ---- how much is left ------------------------------------------------------------------------ */

/* The number after `key` at the start of a line of a file, or of the whole file where key is "";
 * -1 where there is none. */
static int64_t number_in_file(const char *path, const char *key) {
    char line[256];
    int64_t number = -1;
    size_t length = strlen(key);
    FILE *file = fopen(path, "r");
    while (file != NULL && number < 0 && fgets(line, sizeof line, file) != NULL) {
        long long value = 0;
        if (strncmp(line, key, length) == 0 && sscanf(line + length, "%lld", &value) == 1) {
            number = value;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return number;
}

static void lower_to(int64_t *value, int64_t bound) {
    if (bound < *value) {
        *value = bound > 0 ? bound : 0;
    }
}

/* The limits of the control group in `folder` (version 2), if it sets any. */
static void apply_group_limit(const char *folder, int64_t *available, int64_t *total) {
    char path[640];
    snprintf(path, sizeof path, "%s/memory.max", folder);
    int64_t limit = number_in_file(path, ""); /* -1 for "max" */
    snprintf(path, sizeof path, "%s/memory.current", folder);
    int64_t used = number_in_file(path, "");
    if (limit >= 0 && used >= 0) {
        snprintf(path, sizeof path, "%s/memory.stat", folder);
        int64_t reclaimable = number_in_file(path, "inactive_file ");
        lower_to(available, limit - used + (reclaimable > 0 ? reclaimable : 0));
        lower_to(total, limit);
    }
}

/* Of the process's own group and of all groups above it. */
static void apply_group_limits(int64_t *available, int64_t *total) {
    char line[512] = "", folder[576];
    FILE *file = fopen("/proc/self/cgroup", "r");
    while (file != NULL && strncmp(line, "0::/", 4) != 0 &&
           fgets(line, sizeof line, file) != NULL) {
    }
    if (file != NULL) {
        fclose(file);
    }
    if (strncmp(line, "0::/", 4) != 0) {
        return;
    }
    line[strcspn(line, "\n")] = '\0';
    int root = snprintf(folder, sizeof folder, "/sys/fs/cgroup");
    snprintf(folder + root, sizeof folder - (size_t)root, "%s", line + 3);
    for (;;) {
        apply_group_limit(folder, available, total);
        char *slash = strrchr(folder, '/');
        if (slash == NULL || slash < folder + root) {
            return;
        }
        *slash = '\0';
    }
}

static void apply_address_limit(int64_t *available, int64_t *total) {
    struct rlimit limit;
    int64_t pages = number_in_file("/proc/self/statm", "");
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && pages >= 0 &&
        limit.rlim_cur < (rlim_t)INT64_MAX) {
        lower_to(available, (int64_t)limit.rlim_cur - pages * sysconf(_SC_PAGESIZE));
        lower_to(total, (int64_t)limit.rlim_cur);
    }
}

int64_t pls_cpu_resident_bytes(void) {
    long long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lld %lld", &size, &resident) != 2) {
        resident = 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

/* Bytes of buffers that the system has not counted yet. */
static int64_t untouched_bytes(const pls_cpu_state *state) {
    int64_t touched = pls_cpu_resident_bytes() - state->resident;
    int64_t untouched = state->reserved - (touched > 0 ? touched : 0);
    return untouched > 0 ? untouched : 0;
}

pls_status pls_cpu_memory_info(pls_device *device, int64_t *available, int64_t *total) {
    int64_t free_kilobytes = number_in_file("/proc/meminfo", "MemAvailable:");
    int64_t all_kilobytes = number_in_file("/proc/meminfo", "MemTotal:");
    if (free_kilobytes < 0 || all_kilobytes < 0) {
        return pls_fail(
            device->context, PLS_ERROR_DEVICE,
            "the free memory is unknown: /proc/meminfo has no MemAvailable or MemTotal");
    }
    *available = free_kilobytes * 1024;
    *total = all_kilobytes * 1024;
    apply_group_limits(available, total);
    lower_to(available, *available - untouched_bytes(pls_cpu(device)));
    apply_address_limit(available, total); /* this one counts what was given out */
    return PLS_OK;
}

/* ---- copies ---------------------------------------------------------------------------------- */

typedef struct copy_arguments {
    pls_view src, dst;
    double value;
    const int64_t *rows;
} copy_arguments;

static void copy_piece(const void *arguments, int64_t row, int64_t col, int64_t count) {
    const copy_arguments *given = arguments;
    int64_t from = given->rows != NULL ? given->rows[row] : row;
    if (given->src.dtype == PLS_F32 && given->dst.dtype == PLS_F64) {
        const float *src = pls_f32_at(given->src, from, col);
        double *dst = pls_f64_at(given->dst, row, col);
        for (int64_t j = 0; j < count; j++) {
            dst[j] = (double)src[j];
        }
    } else if (given->src.dtype == PLS_F64 && given->dst.dtype == PLS_F32) {
        const double *src = pls_f64_at(given->src, from, col);
        float *dst = pls_f32_at(given->dst, row, col);
        for (int64_t j = 0; j < count; j++) {
            dst[j] = (float)src[j];
        }
    } else if (given->dst.dtype == PLS_F32) {
        memcpy(pls_f32_at(given->dst, row, col), pls_f32_at(given->src, from, col),
               (size_t)count * sizeof(float));
    } else {
        memcpy(pls_f64_at(given->dst, row, col), pls_f64_at(given->src, from, col),
               (size_t)count * sizeof(double));
    }
}

pls_status pls_cpu_copy(pls_device *device, pls_view src, pls_view dst) {
    pls_cpu_flatten(&src, &dst);
    copy_arguments given = {src, dst, 0.0, NULL};
    pls_cpu_for_elements(device, dst.rows, dst.cols, copy_piece, &given);
    return PLS_OK;
}

pls_status pls_cpu_gather_rows(pls_device *device, pls_view src, const int64_t *rows,
                               pls_view dst) {
    copy_arguments given = {src, dst, 0.0, rows};
    pls_cpu_for_elements(device, dst.rows, dst.cols, copy_piece, &given);
    return PLS_OK;
}

/* Host memory as a view; the buffer lives as long as the caller's variable. */
static pls_view host_view(pls_buffer *buffer, pls_view like, int64_t ld) {
    pls_view view = {buffer, 0, like.rows, like.cols, ld, like.dtype};
    return view;
}

pls_status pls_cpu_upload(pls_device *device, const void *host, int64_t host_ld, pls_view dst) {
    pls_buffer buffer = {0, (void *)(uintptr_t)host}; /* read only */
    return pls_cpu_copy(device, host_view(&buffer, dst, host_ld), dst);
}

pls_status pls_cpu_download(pls_device *device, pls_view src, void *host, int64_t host_ld) {
    pls_buffer buffer = {0, host};
    return pls_cpu_copy(device, src, host_view(&buffer, src, host_ld));
}

static void fill_piece(const void *arguments, int64_t row, int64_t col, int64_t count) {
    const copy_arguments *given = arguments;
    if (given->dst.dtype == PLS_F32) {
        float *dst = pls_f32_at(given->dst, row, col), value = (float)given->value;
        for (int64_t j = 0; j < count; j++) {
            dst[j] = value;
        }
    } else {
        double *dst = pls_f64_at(given->dst, row, col);
        for (int64_t j = 0; j < count; j++) {
            dst[j] = given->value;
        }
    }
}

pls_status pls_cpu_fill(pls_device *device, double value, pls_view dst) {
    pls_view same = dst;
    pls_cpu_flatten(&dst, &same);
    copy_arguments given = {dst, dst, value, NULL};
    pls_cpu_for_elements(device, dst.rows, dst.cols, fill_piece, &given);
    return PLS_OK;
}

/* ---- the clock ------------------------------------------------------------------------------- */

struct pls_event {
    struct timespec time;
};

pls_status pls_cpu_event_create(pls_device *device, pls_event **event) {
    return pls_allocate(device->context, 1, sizeof **event, "an event", event);
}

void pls_cpu_event_destroy(pls_device *device, pls_event *event) {
    pls_release(device->context, event);
}

pls_status pls_cpu_event_record(pls_device *device, pls_event *event) {
    (void)device;
    clock_gettime(CLOCK_MONOTONIC, &event->time);
    return PLS_OK;
}

pls_status pls_cpu_event_elapsed(pls_device *device, pls_event *first, pls_event *second,
                                 double *seconds) {
    (void)device;
    *seconds = (double)(second->time.tv_sec - first->time.tv_sec) +
               1e-9 * (double)(second->time.tv_nsec - first->time.tv_nsec);
    return PLS_OK;
}
