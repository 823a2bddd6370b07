#include "block.h"

#include "device_index.h"
#include "entry.h"
#include "fault.h"
#include "fiber.h"
#include "random.h"
#include "shared.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace cudaemu {

constexpr size_t warp_threads = 32;

enum class status { ready, waiting, ended };

struct thread {
    uint3 index;
    status now;
    fiber *stack; /* while it waits */
    meeting request;
    uint64_t result;
};

/* The block that runs; the storage is kept from launch to launch. */
class scheduler {
  public:
    scheduler() : random_(knob().seed) {
    }

    void run(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()> &body,
             const std::string &name);
    uint64_t meet(const meeting &request);

    size_t current = 0;
    shared_memory shared;

  private:
    [[noreturn]] void work();
    void prepare(dim3 block);
    void run_block();
    void start_threads();
    void resume_threads();
    bool hold_meetings();
    bool hold_barrier();
    void hold_in_warp(size_t start, meeting request);
    uint64_t shuffled(size_t start, size_t index) const;
    void release(size_t index, uint64_t result);
    bool waits_with(const thread &one, const meeting &request) const;
    [[noreturn]] void report_divergence() const;
    std::string describe(size_t index) const;

    random_order random_;
    const std::function<void()> *body_ = nullptr;
    std::string name_;
    std::vector<thread> threads_;
    std::vector<size_t> order_; /* threads to start or to resume */
    size_t next_ = 0;           /* first of order_ that was not started */
    std::vector<size_t> ready_; /* threads whose meeting took place */
    std::vector<std::unique_ptr<fiber>> fibers_;
    std::vector<fiber *> idle_;
    fiber *running_ = nullptr;
};

static scheduler &blocks() {
    static scheduler single;
    return single;
}

/* The life of a fiber: threads to their end, as long as there are any. */
void scheduler::work() {
    for (;;) {
        while (next_ < order_.size()) {
            current = order_[next_++];
            threadIdx = threads_[current].index;
            (*body_)();
            threads_[current].now = status::ended;
        }
        idle_.push_back(running_);
        fiber::pause();
    }
}

uint64_t scheduler::meet(const meeting &request) {
    size_t self = current;
    thread &mine = threads_[self];
    mine.request = request;
    mine.stack = running_;
    mine.now = status::waiting;
    fiber::pause();
    return threads_[self].result;
}

void scheduler::start_threads() {
    next_ = 0;
    while (next_ < order_.size()) {
        if (idle_.empty()) {
            fibers_.push_back(std::make_unique<fiber>([] { blocks().work(); }));
            idle_.push_back(fibers_.back().get());
        }
        running_ = idle_.back();
        idle_.pop_back();
        running_->resume();
    }
}

void scheduler::resume_threads() {
    random_.shuffle(ready_.data(), ready_.size());
    next_ = order_.size(); /* a thread that ends leaves its fiber idle */
    for (size_t index : ready_) {
        current = index;
        threadIdx = threads_[index].index;
        running_ = threads_[index].stack;
        running_->resume();
    }
}

static bool is_barrier(meeting::kind what) {
    return what <= meeting::barrier_count;
}

static bool same_place(const meeting &a, const meeting &b) {
    return a.what == b.what && a.line == b.line &&
           (a.file == b.file || std::string_view(a.file) == b.file);
}

bool scheduler::waits_with(const thread &one, const meeting &request) const {
    return one.now == status::waiting && same_place(one.request, request) &&
           one.request.mask == request.mask;
}

/* __syncthreads and its kin: every thread of the block has to be there. */
bool scheduler::hold_barrier() {
    const meeting request = threads_[0].request;
    size_t true_ones = 0;
    for (const thread &one : threads_) {
        if (!waits_with(one, request)) {
            return false;
        }
        true_ones += one.request.value != 0;
    }
    uint64_t result = request.what == meeting::barrier_or    ? true_ones > 0
                      : request.what == meeting::barrier_and ? true_ones == threads_.size()
                                                             : true_ones;
    for (size_t index = 0; index < threads_.size(); index++) {
        release(index, result);
    }
    return true;
}

/* The lanes that a mask names have to be there; `start` is the first thread of the warp. */
void scheduler::hold_in_warp(size_t start, const meeting request) {
    std::vector<size_t> present;
    uint64_t ballot = 0;
    for (size_t i = 0; i < warp_threads; i++) {
        if ((request.mask >> i & 1) == 0) {
            continue;
        }
        if (start + i >= threads_.size() || !waits_with(threads_[start + i], request)) {
            return;
        }
        ballot |= uint64_t(threads_[start + i].request.value != 0) << i;
        present.push_back(start + i);
    }
    for (size_t index : present) {
        release(index, request.what == meeting::shuffle ? shuffled(start, index) : ballot);
    }
}

/* Values of a meeting stay where they are until its threads go on. */
uint64_t scheduler::shuffled(size_t start, size_t index) const {
    const meeting &request = threads_[index].request;
    size_t source = static_cast<size_t>(request.source_lane);
    if ((request.mask >> source & 1) == 0) {
        fault(describe(index) + " and asks for the value of lane " + std::to_string(source) +
              ", which its mask does not name");
    }
    return threads_[start + source].request.value;
}

void scheduler::release(size_t index, uint64_t result) {
    threads_[index].now = status::ready;
    threads_[index].result = result;
    ready_.push_back(index);
}

/* False if no thread can go on. */
bool scheduler::hold_meetings() {
    ready_.clear();
    if (threads_[0].now == status::waiting && is_barrier(threads_[0].request.what) &&
        hold_barrier()) {
        return true;
    }
    for (size_t i = 0; i < threads_.size(); i++) {
        if (threads_[i].now == status::waiting && !is_barrier(threads_[i].request.what)) {
            hold_in_warp(i - i % warp_threads, threads_[i].request);
        }
    }
    return !ready_.empty();
}

static const char *meeting_name(meeting::kind what) {
    switch (what) {
    case meeting::barrier:
        return "__syncthreads";
    case meeting::barrier_or:
        return "__syncthreads_or";
    case meeting::barrier_and:
        return "__syncthreads_and";
    case meeting::barrier_count:
        return "__syncthreads_count";
    case meeting::warp:
        return "__syncwarp";
    case meeting::shuffle:
        return "a shuffle";
    default:
        return "a vote";
    }
}

static std::string triple(unsigned x, unsigned y, unsigned z) {
    return "(" + std::to_string(x) + "," + std::to_string(y) + "," + std::to_string(z) + ")";
}

std::string scheduler::describe(size_t index) const {
    const thread &one = threads_[index];
    std::string text = "thread " + triple(one.index.x, one.index.y, one.index.z);
    if (one.now == status::ended) {
        return text + " has ended";
    }
    const meeting &at = one.request;
    return text + " is at " + meeting_name(at.what) + " in " + at.function + "(), " + at.file +
           ":" + std::to_string(at.line);
}

/* Nobody can go on: one waiting thread, and one that it waits for. */
void scheduler::report_divergence() const {
    size_t first = 0;
    while (threads_[first].now != status::waiting) {
        first++;
    }
    const meeting &request = threads_[first].request;
    bool whole_block = is_barrier(request.what);
    size_t begin = whole_block ? 0 : first - first % warp_threads;
    size_t end = whole_block ? threads_.size() : begin + warp_threads;
    std::string missing;
    for (size_t i = begin; i < end && missing.empty(); i++) {
        if (!whole_block && (request.mask >> (i - begin) & 1) == 0) {
            continue;
        }
        if (i >= threads_.size()) {
            missing = "lane " + std::to_string(i - begin) + " of its mask is not in the block";
        } else if (!waits_with(threads_[i], request)) {
            missing = describe(i);
            if (threads_[i].now == status::waiting && same_place(threads_[i].request, request)) {
                missing += " with another mask";
            }
        }
    }
    fault("divergence in block " + triple(blockIdx.x, blockIdx.y, blockIdx.z) + " of " + name_ +
          ": " + describe(first) + ", where all threads of the " +
          (whole_block ? "block" : "mask") + " are expected, but " + missing);
}

void scheduler::run_block() {
    for (thread &one : threads_) {
        one.now = status::ready;
    }
    random_.shuffle(order_.data(), order_.size());
    shared.begin_block();
    start_threads();
    auto waits = [](const thread &one) { return one.now == status::waiting; };
    while (std::any_of(threads_.begin(), threads_.end(), waits)) {
        if (!hold_meetings()) {
            report_divergence();
        }
        resume_threads();
    }
    shared.end_block(name_);
}

void scheduler::prepare(dim3 block) {
    threads_.resize(size_t(block.x) * block.y * block.z);
    order_.resize(threads_.size());
    for (size_t i = 0; i < threads_.size(); i++) {
        unsigned rest = static_cast<unsigned>(i) / block.x;
        threads_[i].index = {static_cast<unsigned>(i) % block.x, rest % block.y, rest / block.y};
        order_[i] = i;
    }
}

void scheduler::run(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()> &body,
                    const std::string &name) {
    body_ = &body;
    name_ = name;
    gridDim = grid;
    blockDim = block;
    prepare(block);
    shared.resize(shared_bytes);
    uint64_t count = uint64_t(grid.x) * grid.y * grid.z;
    random_stride order(count, random_);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t index = order(i), rest = index / grid.x;
        blockIdx = {static_cast<unsigned>(index % grid.x), static_cast<unsigned>(rest % grid.y),
                    static_cast<unsigned>(rest / grid.y)};
        run_block();
    }
    body_ = nullptr;
}

uint64_t meet(const meeting &request) {
    return blocks().meet(request);
}

int lane() {
    return static_cast<int>(blocks().current % warp_threads);
}

void *dynamic_shared() {
    return blocks().shared.address();
}

void run_grid(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()> &body,
              const std::string &name) {
    blocks().run(grid, block, shared_bytes, body, name);
}

} // namespace cudaemu
