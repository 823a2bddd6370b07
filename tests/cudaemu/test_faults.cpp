/* Planted faults: each has to be noticed. */
#include "test_kernels.h"
#include "test_support.h"

#include <cmath>
#include <cstdio>

static void run(cudaError_t code) {
    if (code == cudaSuccess) {
        cudaDeviceSynchronize();
    }
}

Test(faults, barrier_of_some_threads) {
    expect_fault("__syncthreads in barrier_of_some()", nullptr,
                 [] { run(launch_barrier_of_some(nullptr)); });
}

Test(faults, two_barriers) {
    expect_fault("all threads of the block are expected, but thread", nullptr,
                 [] { run(launch_two_barriers(nullptr)); });
}

Test(faults, shuffle_with_threads_that_ended) {
    expect_fault("but thread (16,0,0) has ended", nullptr,
                 [] { run(launch_shuffle_of_some(nullptr)); });
}

Test(faults, masks_that_differ) {
    expect_fault("with another mask", nullptr, [] { run(launch_unlike_masks(nullptr)); });
}

Test(faults, write_beside_shared_memory) {
    for (int offset : {1, -1}) {
        expect_fault("wrote beside its 128 bytes of dynamic shared memory", "use-after-poison",
                     [&] { run(launch_shared_overrun(nullptr, offset)); });
    }
}

Test(faults, write_beside_device_memory) {
    expect_fault("wrote beside an allocation of 32 bytes", "use-after-poison", [] {
        device_array<int> out(8);
        run(launch_numbers(nullptr, 32, 9, out.data()));
    });
}

/* Where nothing watches reads, they give NaN. */
Test(faults, read_beside_device_memory) {
    expect_fault("NaN", "use-after-poison", [] {
        device_array<double> x(std::vector<double>(63, 1)), out(128);
        run(launch_reverse(nullptr, 64, x.data(), out.data(), true));
        std::vector<double> values = out.values();
        if (std::isnan(values[0]) && values[1] == 1) {
            fputs("NaN", stderr);
            _exit(1);
        }
    });
}

Test(faults, write_to_freed_device_memory) {
    expect_fault("wrote into device memory that had been freed", "use-after-poison", [] {
        int *out = nullptr;
        cudaMalloc(reinterpret_cast<void **>(&out), 32);
        cudaFree(out);
        run(launch_numbers(nullptr, 32, 8, out));
    });
}

/* Freed in one stream before the copy in another ran. */
Test(faults, copy_from_freed_memory) {
    expect_fault("memory was freed before the copy ran", nullptr, [] {
        double *host = nullptr, *x = nullptr;
        cudaStream_t other = nullptr;
        cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking);
        cudaMallocHost(reinterpret_cast<void **>(&host), 8);
        cudaMallocAsync(reinterpret_cast<void **>(&x), 8, other);
        cudaMemcpyAsync(host, x, 8, cudaMemcpyDeviceToHost, nullptr);
        cudaFreeAsync(x, other);
        cudaStreamSynchronize(other);
        cudaStreamSynchronize(nullptr);
    });
}

Test(faults, host_reads_device_memory) {
    device_array<double> x(std::vector<double>{1});
    auto [status, text] = end_of_child([&] {
        volatile double value = *x.data();
        (void)value;
    });
    bool stopped = text.find("SEGV") != std::string::npos;
    cr_assert(stopped || (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV), "%s", text.c_str());
}

/* The same access is fine for a kernel: nothing but the host is locked out. */
Test(faults, host_writes_device_memory) {
    device_array<double> x(1);
    auto [status, text] = end_of_child([&] { *x.data() = 1; });
    bool stopped = text.find("SEGV") != std::string::npos;
    cr_assert(stopped || (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV), "%s", text.c_str());
}
