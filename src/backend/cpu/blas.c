/* Manners of the BLAS: one thread a call, and its buffers taken while there is room for them.
 *
 * OpenBLAS keeps a buffer of some 128 MB of address space for every thread that calls it, taken at
 * the first call; when it cannot have one it asks for ever. So a device is opened only if the room
 * is there, and every thread makes its first call then. Little of the buffers is ever touched. */
#include "backend/cpu/cpu.h"
#include "base/memory.h"

#include <cblas.h>
#include <stdio.h>
#include <sys/mman.h>

/* Address space a thread: the buffer (OpenBLAS 0.3: at most 128 MiB and a page), and its stack. */
static const int64_t THREAD_SPACE = (int64_t)144 << 20;

/* Edge of a product that is large enough for OpenBLAS to use its buffer. */
enum { EDGE = 144 };

void pls_cpu_own_threads(void) {
    if (openblas_get_num_threads() != 1) {
        openblas_set_num_threads(1);
    }
}

/* Whether so much address space can be had, by having it for a moment. */
static bool has_room(int64_t bytes) {
    void *room = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return room != MAP_FAILED && munmap(room, (size_t)bytes) == 0;
}

pls_status pls_cpu_reserve_blas(pls_device *device) {
    pls_context *context = device->context;
    int threads = pls_cpu(device)->threads;
    int64_t needed = threads * THREAD_SPACE;
    double *matrices = NULL;
    pls_status status = PLS_OK;
    pls_cpu_own_threads();
    if (!has_room(needed)) {
        char text[32];
        return pls_fail(
            context, PLS_ERROR_MEMORY,
            "%d thread%s of the CPU need %s (%lld bytes) of address space for the BLAS, "
            "and less is left; raise the limit (ulimit -v) or take fewer threads",
            threads, threads == 1 ? "" : "s", pls_format_bytes(needed, text), (long long)needed);
    }
    PLS_TRY(context, pls_allocate(context, (int64_t)(threads + 1) * EDGE * EDGE, sizeof *matrices,
                                  "the first call of the BLAS", &matrices));
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int thread = 0; thread < threads; thread++) {
        double *product = matrices + (int64_t)(thread + 1) * EDGE * EDGE;
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, EDGE, EDGE, EDGE, 1.0, matrices,
                    EDGE, matrices, EDGE, 0.0, product, EDGE);
    }
cleanup:
    pls_release(context, matrices);
    return status;
}
