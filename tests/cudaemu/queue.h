/* Streams hold work back until somebody waits for it.
 *
 * Nothing runs when it is submitted. A wait runs the tasks of the stream in order, up to what is
 * waited for and not further, so that a missing wait is seen as data that is not there yet. The
 * null stream and the streams that block on it wait for one another as CUDA documents. */
#ifndef CUDAEMU_QUEUE_H
#define CUDAEMU_QUEUE_H

#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include <cuda_runtime_api.h>

namespace cudaemu {

struct task {
    std::string name;
    std::function<void()> work;
};

} // namespace cudaemu

/* What a cudaStream_t points to. */
struct CUstream_st {
    bool blocking = true; /* waits for the null stream, and the null stream for it */
    uint64_t submitted = 0, done = 0;
    std::deque<cudaemu::task> pending;
};

namespace cudaemu {

/* The stream that a handle names; nullptr: there is none. */
CUstream_st *find_stream(cudaStream_t handle);
CUstream_st *create_stream(bool blocking);
/* Runs what is left in it. */
void destroy_stream(CUstream_st *stream);
int64_t live_streams();

void submit(CUstream_st *stream, std::string name, std::function<void()> work);

/* Runs tasks until `count` of those ever submitted are done. */
void run_until(CUstream_st *stream, uint64_t count);
void synchronize(CUstream_st *stream);
/* Everything, the streams in shuffled turns. */
void synchronize_device();

} // namespace cudaemu

#endif
