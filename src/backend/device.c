/* Devices: finding a backend by name and opening an instance of it. */
#include "plstar/device.h"

#include "backend/backend.h"
#include "backend/module.h"
#include "backend/phase.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_ORDINAL = 9999 };

pls_device_options pls_device_options_defaults(void) {
    pls_device_options options = {"auto", 0};
    return options;
}

/* What a device's name asks for. */
typedef struct request {
    const char *name;
    bool cpu, cuda; /* "auto": both, CUDA first */
    int ordinal;
    int threads;
} request;

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

static pls_status read_options(pls_context *context, const pls_device_options *options,
                               request *asked) {
    pls_device_options chosen = options != NULL ? *options : pls_device_options_defaults();
    const char *name = chosen.name != NULL ? chosen.name : "auto";
    bool automatic = strcmp(name, "auto") == 0;
    int ordinal = parse_cuda_ordinal(name);
    *asked = (request){name, automatic || strcmp(name, "cpu") == 0, automatic || ordinal >= 0,
                       ordinal > 0 ? ordinal : 0, chosen.threads};
    if (chosen.threads < 0) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "threads: %d is negative; 0 takes as many as the process may use",
                        chosen.threads);
    }
    if (!asked->cpu && !asked->cuda) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "device \"%.60s\" is unknown: it is \"auto\", \"cpu\", \"cuda\" or "
                        "\"cuda:N\"",
                        name);
    }
    return PLS_OK;
}

/* Opens an instance; the device owns the module from then on. */
static pls_status open_backend(pls_context *context, const pls_backend *backend, void *module,
                               const request *asked, pls_device **device) {
    pls_device *created = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, 1, sizeof *created, "a device", &created));
    created->context = context;
    created->backend = backend;
    created->module = module;
    snprintf(created->name, sizeof created->name, "%s", backend->name);
    PLS_TRY(context, backend->open(created, asked->ordinal, asked->threads));
    *device = created;
    return PLS_OK;
cleanup:
    pls_release(context, created);
    return status;
}

static pls_status open_cuda(pls_context *context, const request *asked, pls_device **device) {
    const pls_backend *backend = NULL;
    void *module = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_module_load_cuda(context, &module, &backend));
    PLS_TRY(context, open_backend(context, backend, module, asked, device));
    return PLS_OK;
cleanup:
    pls_module_unload(module);
    return status;
}

/* Opens a CUDA device if there is one; *device stays NULL, with a note why, if there is not. A
 * build without CUDA has nothing to say. */
static pls_status open_cuda_if_there(pls_context *context, const request *asked,
                                     pls_device **device) {
    if (!pls_module_has_cuda()) {
        return PLS_OK;
    }
    if (!pls_module_has_driver()) {
        pls_log(context, PLS_LOG_INFO,
                "no CUDA device: this machine has no NVIDIA driver; the CPU is used");
        return PLS_OK;
    }
    pls_status status = open_cuda(context, asked, device);
    if (status == PLS_ERROR_DEVICE || status == PLS_ERROR_MEMORY) {
        pls_log(context, PLS_LOG_WARNING, "%s; the CPU is used", pls_error_text(context));
        pls_error_clear(context);
        status = PLS_OK;
    }
    return status;
}

pls_status pls_device_open(pls_context *context, const pls_device_options *options,
                           pls_device **device) {
    request asked;
    pls_device *opened = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, read_options(context, options, &asked));
    if (asked.cuda && !asked.cpu) {
        PLS_TRY(context, open_cuda(context, &asked, &opened));
    } else if (asked.cuda) {
        PLS_TRY(context, open_cuda_if_there(context, &asked, &opened));
    }
    if (opened == NULL) {
        PLS_TRY(context, open_backend(context, &pls_cpu_backend, NULL, &asked, &opened));
    }
    *device = opened;
cleanup:
    return status;
}

void pls_device_close(pls_device *device) {
    if (device != NULL) {
        void *module = device->module;
        pls_phases_destroy(device);
        device->backend->close(device);
        pls_release(device->context, device);
        pls_module_unload(module);
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
