#include "fiber.h"

#include "fault.h"
#include "sanitizer.h"

#include <sys/mman.h>

namespace cudaemu {

constexpr size_t guard_bytes = 4096;
constexpr size_t stack_bytes = size_t(128) << 10;

/* Where the scheduler stands while a fiber runs. */
struct caller {
    stack_place place;
    void *fake_stack;
    const void *stack;
    size_t bytes;
    fiber *running;
};

static caller scheduler;

fiber::fiber(function work) : work_(work) {
    void *mapping = mmap(nullptr, guard_bytes + stack_bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (mapping == MAP_FAILED || mprotect(mapping, guard_bytes, PROT_NONE) != 0) {
        fault("no memory for the stack of one more thread of a block");
    }
    mapping_ = static_cast<char *>(mapping);
    place_ = begin_at(begin, mapping_ + guard_bytes, stack_bytes);
}

fiber::~fiber() {
    unpoison(mapping_ + guard_bytes, stack_bytes); /* frames that never ended */
    munmap(mapping_, guard_bytes + stack_bytes);
}

void fiber::begin() {
    finish_switch(nullptr, &scheduler.stack, &scheduler.bytes);
    scheduler.running->work_();
    fault("a fiber ended");
}

void fiber::resume() {
    scheduler.running = this;
    start_switch(&scheduler.fake_stack, mapping_ + guard_bytes, stack_bytes);
    switch_stack(&scheduler.place, place_);
    finish_switch(scheduler.fake_stack, nullptr, nullptr);
}

void fiber::pause() {
    fiber *self = scheduler.running;
    start_switch(&self->fake_stack_, scheduler.stack, scheduler.bytes);
    switch_stack(&self->place_, scheduler.place);
    finish_switch(self->fake_stack_, &scheduler.stack, &scheduler.bytes);
}

} // namespace cudaemu
