#include "queue.h"

#include "device_memory.h"
#include "entry.h"
#include "random.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace cudaemu {

struct stream_set {
    CUstream_st null_stream;
    std::vector<std::unique_ptr<CUstream_st>> created;
    random_order random{knob().seed};
};

static stream_set &streams() {
    static stream_set single;
    return single;
}

CUstream_st *find_stream(cudaStream_t handle) {
    if (handle == nullptr || handle == cudaStreamLegacy) {
        return &streams().null_stream;
    }
    for (auto &stream : streams().created) {
        if (stream.get() == handle) {
            return handle;
        }
    }
    return nullptr;
}

CUstream_st *create_stream(bool blocking) {
    streams().created.push_back(std::make_unique<CUstream_st>());
    CUstream_st *stream = streams().created.back().get();
    stream->blocking = blocking;
    return stream;
}

void destroy_stream(CUstream_st *stream) {
    synchronize(stream);
    auto &all = streams().created;
    for (size_t i = 0; i < all.size(); i++) {
        if (all[i].get() == stream) {
            all.erase(all.begin() + static_cast<long>(i));
            return;
        }
    }
}

int64_t live_streams() {
    return static_cast<int64_t>(streams().created.size());
}

static void push(CUstream_st *stream, std::string name, std::function<void()> work) {
    stream->pending.push_back({std::move(name), std::move(work)});
    stream->submitted++;
}

static bool is_live(const CUstream_st *stream) {
    const auto &all = streams().created;
    return stream == &streams().null_stream ||
           std::any_of(all.begin(), all.end(), [&](auto &one) { return one.get() == stream; });
}

/* All that `other` has been given so far comes before what `waiting` is given next. */
static void wait_for(CUstream_st *waiting, CUstream_st *other) {
    if (!other->pending.empty()) {
        push(waiting, "wait", [other, count = other->submitted] {
            if (is_live(other)) { /* a destroyed stream has run all it had */
                run_until(other, count);
            }
        });
    }
}

void submit(CUstream_st *stream, std::string name, std::function<void()> work) {
    CUstream_st *null_stream = &streams().null_stream;
    if (stream == null_stream) {
        for (auto &other : streams().created) {
            if (other->blocking) {
                wait_for(stream, other.get());
            }
        }
    } else if (stream->blocking) {
        wait_for(stream, null_stream);
    }
    push(stream, std::move(name), std::move(work));
}

static void run_one(CUstream_st *stream) {
    task first = std::move(stream->pending.front());
    stream->pending.pop_front();
    stream->done++;
    first.work();
    check_fences(first.name);
}

void run_until(CUstream_st *stream, uint64_t count) {
    if (stream->done >= count) {
        return;
    }
    device_access access;
    while (stream->done < count && !stream->pending.empty()) {
        run_one(stream);
    }
}

void synchronize(CUstream_st *stream) {
    run_until(stream, stream->submitted);
}

void synchronize_device() {
    for (;;) {
        std::vector<CUstream_st *> busy;
        if (!streams().null_stream.pending.empty()) {
            busy.push_back(&streams().null_stream);
        }
        for (auto &stream : streams().created) {
            if (!stream->pending.empty()) {
                busy.push_back(stream.get());
            }
        }
        if (busy.empty()) {
            return;
        }
        CUstream_st *next = busy[streams().random.below(busy.size())];
        run_until(next, next->done + 1);
    }
}

} // namespace cudaemu
