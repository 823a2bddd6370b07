/* Phases and their device time; see phase.h.
 *
 * The pairs of events form a ring and are made once. The oldest pair is read when the ring is full:
 * its work has then long been passed, so that the host is held back without draining the queue. */
#include "backend/phase.h"

#include "backend/operations.h"
#include "base/memory.h"

enum { PAIRS = 16 };

typedef struct event_pair {
    pls_event *first, *last;
    pls_phase phase;
} event_pair;

struct pls_phases {
    bool measuring;
    bool started; /* the outermost phase has put its first event into the queue */
    int depth;
    event_pair pairs[PAIRS];
    int oldest, waiting; /* pairs that have yet to be read */
    pls_phase_time times[PLS_PHASE_COUNT];
};

static const char *const names[PLS_PHASE_COUNT] = {
    [PLS_PHASE_INITIALISATION] = "initialisation",
    [PLS_PHASE_CONSTANTS] = "constants",
    [PLS_PHASE_FORWARD] = "forward",
    [PLS_PHASE_GRADIENT] = "gradient",
    [PLS_PHASE_NORMS] = "norms",
    [PLS_PHASE_UPDATE] = "update",
    [PLS_PHASE_JACOBIAN] = "jacobian",
    [PLS_PHASE_DERIVATIVES] = "derivatives",
    [PLS_PHASE_GRAM] = "gram",
    [PLS_PHASE_FACTOR] = "factor",
    [PLS_PHASE_EXTREMES] = "extremes",
    [PLS_PHASE_SPECTRUM] = "spectrum",
    [PLS_PHASE_FLOOR] = "floor",
    [PLS_PHASE_REFINEMENT] = "refinement",
    [PLS_PHASE_CHANGE] = "change",
    [PLS_PHASE_HESSIAN] = "hessian",
    [PLS_PHASE_BOTTOM] = "bottom",
    [PLS_PHASE_TWIN] = "twin",
};

/* ---- the ring -------------------------------------------------------------------------------- */

static pls_status read_oldest(pls_device *device) {
    struct pls_phases *phases = device->phases;
    const event_pair *pair = &phases->pairs[phases->oldest];
    double seconds = 0.0;
    pls_status status = pls_event_elapsed(device, pair->first, pair->last, &seconds);
    if (status == PLS_OK) {
        phases->times[pair->phase].seconds += seconds;
        phases->times[pair->phase].count++;
    }
    phases->oldest = (phases->oldest + 1) % PAIRS;
    phases->waiting--;
    return status;
}

static pls_status collect(pls_device *device) {
    pls_status status = PLS_OK;
    while (status == PLS_OK && device->phases != NULL && device->phases->waiting > 0) {
        status = read_oldest(device);
    }
    return status;
}

static event_pair *next_pair(struct pls_phases *phases) {
    return &phases->pairs[(phases->oldest + phases->waiting) % PAIRS];
}

/* ---- phases ---------------------------------------------------------------------------------- */

static pls_status start(pls_device *device, pls_phase phase) {
    struct pls_phases *phases = device->phases;
    pls_status status = PLS_OK;
    if (phases->waiting == PAIRS) {
        PLS_TRY(device->context, read_oldest(device));
    }
    next_pair(phases)->phase = phase;
    PLS_TRY(device->context, pls_event_record(device, next_pair(phases)->first));
    phases->started = true;
cleanup:
    return status;
}

static pls_status stop(pls_device *device) {
    struct pls_phases *phases = device->phases;
    pls_status status = pls_event_record(device, next_pair(phases)->last);
    phases->waiting += status == PLS_OK;
    return status;
}

pls_status pls_phase_begin(pls_device *device, pls_phase phase) {
    struct pls_phases *phases = device->phases;
    pls_range_begin(device, names[phase]);
    if (phases == NULL || phases->depth++ > 0 || !phases->measuring) {
        return PLS_OK;
    }
    return start(device, phase);
}

pls_status pls_phase_end(pls_device *device, pls_status status) {
    struct pls_phases *phases = device->phases;
    if (phases != NULL && --phases->depth == 0 && phases->started) {
        phases->started = false;
        status = status == PLS_OK ? stop(device) : status;
    }
    pls_range_end(device);
    return status;
}

/* ---- measuring ------------------------------------------------------------------------------- */

void pls_phases_destroy(pls_device *device) {
    struct pls_phases *phases = device->phases;
    for (int i = 0; phases != NULL && i < PAIRS; i++) {
        pls_event_destroy(device, phases->pairs[i].first);
        pls_event_destroy(device, phases->pairs[i].last);
    }
    pls_release(device->context, phases);
    device->phases = NULL;
}

static pls_status create(pls_device *device) {
    pls_context *context = device->context;
    struct pls_phases *phases = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, 1, sizeof *phases, "the times of phases", &phases));
    device->phases = phases;
    for (int i = 0; i < PAIRS; i++) {
        PLS_TRY(context, pls_event_create(device, &phases->pairs[i].first));
        PLS_TRY(context, pls_event_create(device, &phases->pairs[i].last));
    }
cleanup:
    if (status != PLS_OK) {
        pls_phases_destroy(device);
    }
    return status;
}

pls_status pls_device_measure_phases(pls_device *device, bool measure) {
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    if (device->phases == NULL && !measure) {
        return PLS_OK;
    }
    if (device->phases == NULL) {
        PLS_TRY(context, create(device));
    }
    PLS_TRY(context, collect(device));
    for (int i = 0; measure && i < PLS_PHASE_COUNT; i++) {
        device->phases->times[i] = (pls_phase_time){names[i], 0.0, 0};
    }
    device->phases->measuring = measure;
cleanup:
    return status;
}

pls_status pls_device_phases(pls_device *device, const pls_phase_time **times, int *count) {
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    if (times == NULL || count == NULL) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "phases of the device: both results must be given a place");
    }
    *times = NULL;
    *count = 0;
    PLS_TRY(context, collect(device));
    if (device->phases != NULL) {
        *times = device->phases->times;
        *count = PLS_PHASE_COUNT;
    }
cleanup:
    return status;
}
