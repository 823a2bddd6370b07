/* Marks in the queue with their times, and named ranges for profilers (NVTX, which costs one test
 * of a pointer while no profiler is attached). */
#include "cuda.h"

#include "base/memory.h"

#include <nvtx3/nvToolsExt.h>

struct pls_event {
    cudaEvent_t event;
};

pls_status pls_cuda_event_create(pls_device *device, pls_event **event) {
    pls_event *created = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(device->context,
            pls_allocate(device->context, 1, sizeof *created, "an event", &created));
    pls_cuda_make_current(device);
    PLS_TRY(device->context, pls_cuda_check(device, cudaEventCreate(&created->event),
                                            (pls_cuda_call){"cudaEventCreate", "an event", 0, 0}));
    *event = created;
    return PLS_OK;
cleanup:
    if (created != NULL && created->event != NULL) {
        (void)cudaEventDestroy(created->event);
    }
    pls_release(device->context, created);
    return status;
}

void pls_cuda_event_destroy(pls_device *device, pls_event *event) {
    (void)cudaEventDestroy(event->event);
    pls_release(device->context, event);
}

pls_status pls_cuda_event_record(pls_device *device, pls_event *event) {
    return pls_cuda_check(device, cudaEventRecord(event->event, pls_cuda_stream(device)),
                          (pls_cuda_call){"cudaEventRecord", "a mark in the queue", 0, 0});
}

pls_status pls_cuda_event_elapsed(pls_device *device, pls_event *first, pls_event *second,
                                  double *seconds) {
    float milliseconds = 0.0f;
    pls_cuda_make_current(device);
    cudaError_t code = cudaEventSynchronize(second->event);
    if (code == cudaSuccess) {
        code = cudaEventElapsedTime(&milliseconds, first->event, second->event);
    }
    *seconds = 1e-3 * (double)milliseconds;
    return pls_cuda_check(device, code,
                          (pls_cuda_call){"cudaEventElapsedTime", "the time between marks", 0, 0});
}

void pls_cuda_range_begin(pls_device *device, const char *name) {
    (void)device;
    (void)nvtxRangePushA(name);
}

void pls_cuda_range_end(pls_device *device) {
    (void)device;
    (void)nvtxRangePop();
}
