/* Streams and events. */
#include "cudaemu.h"
#include "entry.h"
#include "library_handles.h"
#include "page_locked.h"
#include "queue.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include <cuda_runtime_api.h>

using namespace cudaemu;
using wall_clock = std::chrono::steady_clock;

/* One recording of an event: the place in a stream, and when that was reached. */
struct recording {
    CUstream_st *stream;
    uint64_t count;
    bool done;
    wall_clock::time_point time;
};

/* What a cudaEvent_t points to. */
struct CUevent_st {
    bool timed;
    std::shared_ptr<recording> last;
};

static std::vector<std::unique_ptr<CUevent_st>> &events() {
    static std::vector<std::unique_ptr<CUevent_st>> all;
    return all;
}

static CUevent_st *find_event(cudaEvent_t handle) {
    auto &all = events();
    auto found =
        std::find_if(all.begin(), all.end(), [&](auto &one) { return one.get() == handle; });
    return found == all.end() ? nullptr : handle;
}

static void reach(const std::shared_ptr<recording> &recorded) {
    if (recorded && !recorded->done) { /* then its stream is still there */
        run_until(recorded->stream, recorded->count);
    }
}

/* ---- streams -------------------------------------------------------------------------------- */

static cudaError_t create_stream_into(entry &call, cudaStream_t *stream, unsigned flags) {
    if (call.refused()) {
        return call.code();
    }
    if (stream == nullptr || flags > cudaStreamNonBlocking) {
        return call.done(cudaErrorInvalidValue);
    }
    *stream = create_stream(flags != cudaStreamNonBlocking);
    return call.done(cudaSuccess);
}

cudaError_t cudaStreamCreate(cudaStream_t *stream) {
    entry call("cudaStreamCreate");
    return create_stream_into(call, stream, cudaStreamDefault);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags) {
    entry call("cudaStreamCreateWithFlags");
    return create_stream_into(call, stream, flags);
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned flags, int) {
    entry call("cudaStreamCreateWithPriority");
    return create_stream_into(call, stream, flags);
}

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
    entry call("cudaStreamDestroy");
    CUstream_st *stream = find_stream(handle);
    if (stream == nullptr || stream != handle) {
        return call.done(cudaErrorInvalidResourceHandle);
    }
    destroy_stream(stream);
    return call.done(cudaSuccess);
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
    entry call("cudaStreamSynchronize");
    if (call.refused()) {
        return call.code();
    }
    CUstream_st *stream = find_stream(handle);
    if (stream == nullptr) {
        return call.done(cudaErrorInvalidResourceHandle);
    }
    synchronize(stream);
    return call.done(cudaSuccess);
}

/* Each question takes the stream one task further, so that asking again and again ends. */
cudaError_t cudaStreamQuery(cudaStream_t handle) {
    entry call("cudaStreamQuery");
    if (call.refused()) {
        return call.code();
    }
    CUstream_st *stream = find_stream(handle);
    if (stream == nullptr) {
        return call.done(cudaErrorInvalidResourceHandle);
    }
    bool idle = stream->pending.empty();
    run_until(stream, stream->done + 1);
    return call.done(idle ? cudaSuccess : cudaErrorNotReady);
}

cudaError_t cudaDeviceSynchronize(void) {
    entry call("cudaDeviceSynchronize");
    if (call.refused()) {
        return call.code();
    }
    synchronize_device();
    return call.done(cudaSuccess);
}

/* ---- events --------------------------------------------------------------------------------- */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags) {
    entry call("cudaEventCreateWithFlags");
    if (call.refused()) {
        return call.code();
    }
    if (event == nullptr) {
        return call.done(cudaErrorInvalidValue);
    }
    auto created = std::make_unique<CUevent_st>();
    created->timed = (flags & cudaEventDisableTiming) == 0;
    *event = created.get();
    events().push_back(std::move(created));
    return call.done(cudaSuccess);
}

cudaError_t cudaEventCreate(cudaEvent_t *event) {
    return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
    entry call("cudaEventDestroy");
    if (find_event(handle) == nullptr) {
        return call.done(cudaErrorInvalidResourceHandle);
    }
    auto &all = events();
    all.erase(std::find_if(all.begin(), all.end(), [&](auto &one) { return one.get() == handle; }));
    return call.done(cudaSuccess);
}

cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t stream_handle) {
    entry call("cudaEventRecord");
    if (call.refused()) {
        return call.code();
    }
    CUevent_st *event = find_event(handle);
    CUstream_st *stream = find_stream(stream_handle);
    if (event == nullptr || stream == nullptr) {
        return call.done(cudaErrorInvalidResourceHandle);
    }
    auto recorded = std::make_shared<recording>();
    submit(stream, "cudaEventRecord", [recorded] {
        recorded->done = true;
        recorded->time = wall_clock::now();
    });
    recorded->stream = stream;
    recorded->count = stream->submitted;
    event->last = recorded;
    return call.done(cudaSuccess);
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
    entry call("cudaEventSynchronize");
    if (call.refused()) {
        return call.code();
    }
    CUevent_st *event = find_event(handle);
    if (event == nullptr) {
        return call.done(cudaErrorInvalidResourceHandle);
    }
    reach(event->last);
    return call.done(cudaSuccess);
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
    entry call("cudaEventQuery");
    if (call.refused()) {
        return call.code();
    }
    CUevent_st *event = find_event(handle);
    if (event == nullptr) {
        return call.done(cudaErrorInvalidResourceHandle);
    }
    if (event->last == nullptr || event->last->done) {
        return call.done(cudaSuccess);
    }
    run_until(event->last->stream, event->last->stream->done + 1);
    return call.done(cudaErrorNotReady);
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t first, cudaEvent_t second) {
    entry call("cudaEventElapsedTime");
    if (call.refused()) {
        return call.code();
    }
    CUevent_st *begin = find_event(first), *end = find_event(second);
    if (begin == nullptr || end == nullptr || !begin->timed || !end->timed || !begin->last ||
        !end->last) {
        return call.done(cudaErrorInvalidResourceHandle);
    }
    if (!begin->last->done || !end->last->done) {
        return call.done(cudaErrorNotReady);
    }
    std::chrono::duration<float, std::milli> elapsed = end->last->time - begin->last->time;
    *milliseconds = elapsed.count();
    return call.done(cudaSuccess);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream_handle, cudaEvent_t handle, unsigned) {
    entry call("cudaStreamWaitEvent");
    if (call.refused()) {
        return call.code();
    }
    CUevent_st *event = find_event(handle);
    CUstream_st *stream = find_stream(stream_handle);
    if (event == nullptr || stream == nullptr) {
        return call.done(cudaErrorInvalidResourceHandle);
    }
    submit(stream, "cudaStreamWaitEvent", [recorded = event->last] { reach(recorded); });
    return call.done(cudaSuccess);
}

int64_t cudaemu_live_objects(void) {
    return live_page_locked() + live_streams() + static_cast<int64_t>(events().size()) +
           library_handles().count();
}
