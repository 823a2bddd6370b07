/* Threads of a block, one after another on as few stacks as their meetings demand.
 *
 * A fiber takes threads in shuffled order and runs each to its end. Only a thread that has to wait
 * for others (a barrier, an exchange within its warp) keeps its fiber, and the remaining threads
 * get another one. When every thread has ended or waits, the meetings whose threads have all
 * arrived take place, and their threads go on, again in shuffled order. If none can take place,
 * the threads have diverged, which is a fault. */
#ifndef CUDAEMU_BLOCK_H
#define CUDAEMU_BLOCK_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include <vector_types.h>

namespace cudaemu {

/* Where a thread waits, for whom, and what it brings. */
struct meeting {
    enum kind { barrier, barrier_or, barrier_and, barrier_count, warp, shuffle, ballot };

    kind what;
    uint32_t mask;   /* lanes that take part; barriers: all threads of the block */
    uint64_t value;  /* bits of the value, or the predicate */
    int source_lane; /* shuffle: whose value is wanted */
    const char *file;
    int line;
    const char *function;
};

/* Called by a thread of a running block: waits for the others and returns what the meeting gives
 * it: the combined predicates, the value of source_lane, or the lanes whose value is not zero. */
uint64_t meet(const meeting &request);

/* Lane of the running thread within its warp. */
int lane();

/* The block's dynamic shared memory. */
void *dynamic_shared();

/* Runs `body` once for every thread of every block; blocks come in shuffled order. */
void run_grid(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()> &body,
              const std::string &name);

} // namespace cudaemu

#endif
