/* Devices: finding a backend by name and opening an instance of it. */
#include "plstar/device.h"

#include "backend/backend.h"
#include "backend/phase.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every backend of this build. "auto" takes the first. */
static const pls_backend *const backends[] = {&pls_cpu_backend};

enum { BACKEND_COUNT = sizeof backends / sizeof backends[0], LARGEST_ORDINAL = 9999 };

pls_device_options pls_device_options_defaults(void) {
    pls_device_options options = {"auto", 0};
    return options;
}

static const pls_backend *find_backend(const char *name, size_t length) {
    for (int i = 0; i < BACKEND_COUNT; i++) {
        if (strlen(backends[i]->name) == length && strncmp(backends[i]->name, name, length) == 0) {
            return backends[i];
        }
    }
    return NULL;
}

/* "cuda:12" -> 12, "cuda" -> 0, anything else -> -1. */
static int parse_cuda_ordinal(const char *name) {
    if (strncmp(name, "cuda", 4) != 0) {
        return -1;
    }
    if (name[4] == '\0') {
        return 0;
    }
    if (name[4] != ':' || name[5] < '0' || name[5] > '9') {
        return -1;
    }
    char *end = NULL;
    long ordinal = strtol(name + 5, &end, 10);
    return *end == '\0' && ordinal <= LARGEST_ORDINAL ? (int)ordinal : -1;
}

/* The backend and its ordinal for a device name. */
static pls_status select_backend(pls_context *context, const char *name,
                                 const pls_backend **backend, int *ordinal) {
    *ordinal = 0;
    if (strcmp(name, "auto") == 0) {
        *backend = backends[0];
        return PLS_OK;
    }
    int cuda = parse_cuda_ordinal(name);
    if (cuda >= 0) {
        *ordinal = cuda;
        *backend = find_backend("cuda", 4);
        if (*backend == NULL) {
            return pls_fail(context, PLS_ERROR_DEVICE,
                            "device \"%s\" was asked for, but this build has no CUDA module; use "
                            "\"cpu\" or \"auto\"",
                            name);
        }
        return PLS_OK;
    }
    *backend = find_backend(name, strlen(name));
    if (*backend == NULL) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "device \"%.60s\" is unknown: it is \"auto\", \"cpu\", \"cuda\" or "
                        "\"cuda:N\"",
                        name);
    }
    return PLS_OK;
}

pls_status pls_device_open(pls_context *context, const pls_device_options *options,
                           pls_device **device) {
    pls_status status = PLS_OK;
    pls_device *created = NULL;
    const pls_backend *backend = NULL;
    int ordinal = 0;
    pls_device_options chosen = options != NULL ? *options : pls_device_options_defaults();
    const char *name = chosen.name != NULL ? chosen.name : "auto";
    if (chosen.threads < 0) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "threads: %d is negative; 0 takes as many as the process may use",
                        chosen.threads);
    }
    PLS_TRY(context, select_backend(context, name, &backend, &ordinal));
    if (backend->version != PLS_BACKEND_VERSION) {
        return pls_fail(context, PLS_ERROR_DEVICE,
                        "the %s backend was built for version %d of the operations, this program "
                        "has version %d; install both from the same release",
                        backend->name, backend->version, PLS_BACKEND_VERSION);
    }
    PLS_TRY(context, pls_allocate(context, 1, sizeof *created, "a device", &created));
    created->context = context;
    created->backend = backend;
    snprintf(created->name, sizeof created->name, "%s", backend->name);
    PLS_TRY(context, backend->open(created, ordinal, chosen.threads));
    *device = created;
    created = NULL;
cleanup:
    pls_release(context, created);
    return status;
}

void pls_device_close(pls_device *device) {
    if (device != NULL) {
        pls_phases_destroy(device);
        device->backend->close(device);
        pls_release(device->context, device);
    }
}

const char *pls_device_name(const pls_device *device) {
    return device->name;
}

const char *pls_device_description(const pls_device *device) {
    return device->description;
}

pls_status pls_device_memory(pls_device *device, int64_t *available, int64_t *total) {
    if (available == NULL || total == NULL) {
        return pls_fail(device->context, PLS_ERROR_ARGUMENT,
                        "device memory: both results must be given a place");
    }
    return device->backend->memory_info(device, available, total);
}
