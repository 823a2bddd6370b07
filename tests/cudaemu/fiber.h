/* A stack of its own that one can leave in the middle and come back to. All fibers are resumed
 * from one place, the scheduler, and pause to it. */
#ifndef CUDAEMU_FIBER_H
#define CUDAEMU_FIBER_H

#include "stack_switch.h"

namespace cudaemu {

class fiber {
  public:
    using function = void (*)(); /* must never return */

    explicit fiber(function work);
    ~fiber();
    fiber(const fiber &) = delete;
    fiber &operator=(const fiber &) = delete;

    /* Runs the fiber until it pauses. */
    void resume();
    /* Called inside a fiber: back to whoever resumed it. */
    static void pause();

  private:
    static void begin();

    function work_;
    char *mapping_; /* a guard page, then the stack */
    stack_place place_;
    void *fake_stack_ = nullptr; /* AddressSanitizer's */
};

} // namespace cudaemu

#endif
