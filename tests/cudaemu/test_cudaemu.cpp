/* The emulation runs right kernels rightly, in every order, and shows what a GPU would show. */
#include "test_kernels.h"
#include "test_support.h"

#include <algorithm>
#include <cmath>
#include <numeric>

static std::vector<double> count_up(size_t n) {
    std::vector<double> values(n);
    std::iota(values.begin(), values.end(), 1.0);
    return values;
}

/* The kernels are exact on these numbers, so order cannot hide behind rounding. */
static bool sums_are_right(cudaError_t (*launch)(cudaStream_t, unsigned, const double *,
                                                 double *)) {
    constexpr unsigned blocks = 7;
    device_array<double> x(count_up(blocks * 256)), out(blocks);
    bool right = launch(nullptr, blocks, x.data(), out.data()) == cudaSuccess;
    std::vector<double> sums = out.values();
    for (unsigned b = 0; b < blocks; b++) {
        right &= sums[b] == 256 * 257 / 2 + 256.0 * 256.0 * b;
    }
    return right;
}

/* The order is drawn once a process. */
static void in_every_order(const std::function<bool()> &body) {
    for (int seed = 1; seed <= 6; seed++) {
        auto [status, text] = end_of_child([&] {
            configure("EMU_SEED", std::to_string(seed).c_str());
            _exit(body() ? 0 : 1);
        });
        cr_assert_eq(status, 0, "seed %d: %s", seed, text.c_str());
    }
}

Test(kernels, barriers) {
    in_every_order([] { return sums_are_right(launch_sum_with_barriers); });
}

Test(kernels, shuffles) {
    in_every_order([] { return sums_are_right(launch_sum_with_shuffles); });
}

Test(kernels, exchanges) {
    in_every_order([] {
        device_array<int> wrong(64);
        bool launched = launch_exchanges(nullptr, wrong.data()) == cudaSuccess;
        return launched && wrong.values() == std::vector<int>(64, 0);
    });
}

Test(kernels, indices) {
    device_array<int> out(48);
    cr_assert_eq(launch_indices(nullptr, out.data()), cudaSuccess);
    std::vector<int> values = out.values();
    for (int i = 0; i < 24; i++) {
        cr_assert_eq(values[static_cast<size_t>(i)], 1000 * (i / 12) + 100 * (i / 4 % 3) + i % 4);
        cr_assert_eq(values[static_cast<size_t>(24 + i)], i);
    }
}

Test(kernels, atomics) {
    device_array<unsigned> counters(std::vector<unsigned>{0, 0, 1000000});
    cr_assert_eq(launch_atomics(nullptr, 5, counters.data()), cudaSuccess);
    std::vector<unsigned> values = counters.values();
    cr_assert_eq(values[0], 480);
    cr_assert_eq(values[1], 479);
    cr_assert_eq(values[2], 0);
}

static std::vector<double> reversed_twice(bool with_barrier) {
    device_array<double> x(count_up(64)), out(128);
    cr_assert_eq(launch_reverse(nullptr, 64, x.data(), out.data(), with_barrier), cudaSuccess);
    return out.values();
}

Test(kernels, missing_barrier_shows) {
    in_every_order([] {
        std::vector<double> right = reversed_twice(true), wrong = reversed_twice(false);
        bool reversed = true;
        for (size_t i = 0; i < 128; i++) {
            reversed &= right[i] == 64 - double(i % 64);
        }
        auto is_nan = [](double value) { return std::isnan(value); };
        return reversed && std::any_of(wrong.begin(), wrong.begin() + 64, is_nan) &&
               std::any_of(wrong.begin() + 64, wrong.end(), is_nan);
    });
}

/* Threads come in no order before a barrier and in another one after it, and blocks in none; a
 * block is done before the next begins. */
Test(kernels, the_order_is_shuffled) {
    std::vector<std::vector<int>> orders;
    for (int launch = 0; launch < 2; launch++) {
        device_array<int> counters(std::vector<int>{0, 0}), before(128), after(128);
        cr_assert_eq(launch_order(nullptr, counters.data(), before.data(), after.data()),
                     cudaSuccess);
        orders.push_back(before.values());
        orders.push_back(after.values());
    }
    for (const std::vector<int> &order : orders) {
        for (auto block = order.begin(); block != order.end(); block += 32) {
            cr_assert_not(std::is_sorted(block, block + 32));
        }
        for (size_t i = 1; i < 128; i++) {
            cr_assert(i % 32 == 0 || order[i] / 32 == order[i - 1] / 32);
        }
    }
    cr_assert(orders[0] != orders[1]);
    cr_assert(orders[0] != orders[2]);
    bool blocks_in_order = true;
    for (const std::vector<int> &order : orders) {
        blocks_in_order &= order[0] < order[32] && order[32] < order[64] && order[64] < order[96];
    }
    cr_assert_not(blocks_in_order);
}

Test(memory, new_memory_is_nan) {
    device_array<double> x(3);
    for (double value : x.values()) {
        cr_assert(std::isnan(value));
    }
}

Test(memory, limit) {
    configure("EMU_MEMORY", "1000000");
    void *first = nullptr, *second = nullptr;
    size_t available = 0, total = 0;
    cr_assert_eq(cudaMalloc(&first, 700000), cudaSuccess);
    cr_assert_eq(cudaMalloc(&second, 700000), cudaErrorMemoryAllocation);
    cr_assert_null(second);
    cr_assert_eq(cudaMemGetInfo(&available, &total), cudaSuccess);
    cr_assert_eq(available, 300000);
    cr_assert_eq(total, 1000000);
    cr_assert_eq(cudaFree(first), cudaSuccess);
    cr_assert_eq(cudaMalloc(&second, 700000), cudaSuccess);
    cr_assert_eq(cudaFree(second), cudaSuccess);
    cr_assert_eq(cudaFree(second), cudaErrorInvalidValue);
    cr_assert_eq(cudaemu_live_allocations(), 0);
}

Test(memory, much_coming_and_going) {
    configure("EMU_MEMORY", "4000000");
    std::vector<void *> held(8);
    for (size_t i = 0; i < 8000; i++) {
        void *&one = held[i * 5 % held.size()];
        cr_assert_eq(cudaFree(one), cudaSuccess);
        cr_assert_eq(cudaMalloc(&one, 1 + i * 7919 % 400000), cudaSuccess);
        cr_assert_eq(reinterpret_cast<uintptr_t>(one) % 256, 0);
    }
    for (void *one : held) {
        cr_assert_eq(cudaFree(one), cudaSuccess);
    }
    cr_assert_eq(cudaemu_live_allocations(), 0);
}

/* A page-locked buffer of n numbers and a stream that does not wait for the null stream. */
struct transfer {
    explicit transfer(size_t n) : bytes(n * sizeof(double)) {
        cr_assert_eq(cudaMallocHost(reinterpret_cast<void **>(&host), bytes), cudaSuccess);
        cr_assert_eq(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
    }
    ~transfer() {
        cudaStreamDestroy(stream);
        cudaFreeHost(host);
    }
    size_t bytes;
    double *host = nullptr;
    cudaStream_t stream = nullptr;
};

Test(streams, missing_wait_shows) {
    transfer t(4);
    device_array<double> x(std::vector<double>{1, 2, 3, 4});
    cr_assert_eq(cudaMemcpyAsync(t.host, x.data(), t.bytes, cudaMemcpyDeviceToHost, t.stream),
                 cudaSuccess);
    cr_assert(std::isnan(t.host[0]));
    cr_assert_eq(cudaStreamSynchronize(t.stream), cudaSuccess);
    cr_assert_eq(t.host[3], 4);
}

Test(streams, early_reuse_of_a_stage_shows) {
    transfer t(1);
    device_array<double> first(1), second(1);
    for (double value : {1.0, 2.0}) {
        *t.host = value;
        double *to = value == 1 ? first.data() : second.data();
        cr_assert_eq(cudaMemcpyAsync(to, t.host, t.bytes, cudaMemcpyHostToDevice, t.stream),
                     cudaSuccess);
    }
    cr_assert_eq(cudaStreamSynchronize(t.stream), cudaSuccess);
    cr_assert_eq(first.values()[0], 2); /* the first value was overwritten before it was read */
}

Test(streams, pageable_memory_is_read_at_the_call) {
    transfer t(1);
    device_array<double> x(1);
    double value = 1;
    cr_assert_eq(cudaMemcpyAsync(x.data(), &value, 8, cudaMemcpyHostToDevice, t.stream),
                 cudaSuccess);
    value = 2;
    double back = 0;
    cr_assert_eq(cudaMemcpyAsync(&back, x.data(), 8, cudaMemcpyDeviceToHost, t.stream),
                 cudaSuccess);
    cr_assert_eq(back, 1); /* and written when the call returns */
}

Test(streams, the_null_stream_does_not_wait_for_others) {
    transfer t(1);
    device_array<double> x(1);
    *t.host = 5;
    cr_assert_eq(cudaMemcpyAsync(x.data(), t.host, 8, cudaMemcpyHostToDevice, t.stream),
                 cudaSuccess);
    cr_assert(std::isnan(x.values()[0]));
    cr_assert_eq(cudaDeviceSynchronize(), cudaSuccess);
    cr_assert_eq(x.values()[0], 5);
}

Test(streams, the_null_stream_waits_for_blocking_ones) {
    cudaStream_t stream;
    cr_assert_eq(cudaStreamCreate(&stream), cudaSuccess);
    device_array<int> out(100);
    cr_assert_eq(launch_numbers(stream, 32, 100, out.data()), cudaSuccess);
    cr_assert_eq(out.values()[99], 99);
    cr_assert_eq(cudaStreamDestroy(stream), cudaSuccess);
    cr_assert_eq(cudaStreamSynchronize(stream), cudaErrorInvalidResourceHandle);
}

Test(streams, freeing_waits) {
    transfer t(1), other(1);
    double *x = nullptr;
    cr_assert_eq(cudaMalloc(reinterpret_cast<void **>(&x), 8), cudaSuccess);
    cr_assert_eq(cudaMemsetAsync(x, 0, 8, t.stream), cudaSuccess);
    cr_assert_eq(cudaMemcpyAsync(t.host, x, 8, cudaMemcpyDeviceToHost, t.stream), cudaSuccess);
    cr_assert_eq(cudaFree(x), cudaSuccess);
    cr_assert_eq(*t.host, 0);
    device_array<double> y(1);
    cr_assert_eq(cudaMemsetAsync(y.data(), 0, 8, t.stream), cudaSuccess);
    cr_assert_eq(cudaMemcpyAsync(other.host, y.data(), 8, cudaMemcpyDeviceToHost, t.stream),
                 cudaSuccess);
    cr_assert(std::isnan(*other.host));
    cr_assert_eq(cudaFreeHost(nullptr), cudaSuccess);
    cr_assert_eq(*other.host, 0);
}

Test(streams, events) {
    transfer t(1), other(1);
    cudaEvent_t begin, end;
    cr_assert_eq(cudaEventCreate(&begin), cudaSuccess);
    cr_assert_eq(cudaEventCreateWithFlags(&end, cudaEventDefault), cudaSuccess);
    device_array<int> out(100);
    cr_assert_eq(cudaEventRecord(begin, t.stream), cudaSuccess);
    cr_assert_eq(launch_numbers(t.stream, 32, 100, out.data()), cudaSuccess);
    cr_assert_eq(cudaEventRecord(end, t.stream), cudaSuccess);
    cr_assert_eq(cudaEventQuery(begin), cudaErrorNotReady);
    cr_assert_eq(cudaStreamWaitEvent(other.stream, end, 0), cudaSuccess);
    int last = 0;
    cr_assert_eq(
        cudaMemcpyAsync(&last, out.data() + 99, sizeof last, cudaMemcpyDeviceToHost, other.stream),
        cudaSuccess);
    cr_assert_eq(last, 99);
    float milliseconds = -1;
    cr_assert_eq(cudaEventSynchronize(end), cudaSuccess);
    cr_assert_eq(cudaEventElapsedTime(&milliseconds, begin, end), cudaSuccess);
    cr_assert_geq(milliseconds, 0);
    cr_assert_eq(cudaEventDestroy(begin), cudaSuccess);
    cr_assert_eq(cudaEventDestroy(end), cudaSuccess);
    cr_assert_eq(cudaEventDestroy(end), cudaErrorInvalidResourceHandle);
}

Test(copies, rows) {
    std::vector<double> host = count_up(12); /* 3 x 4 */
    device_array<double> x(15);              /* 3 x 4, ld 5 */
    cr_assert_eq(cudaMemset(x.data(), 0, x.bytes()), cudaSuccess);
    cr_assert_eq(cudaMemcpy2D(x.data(), 40, host.data(), 32, 32, 3, cudaMemcpyHostToDevice),
                 cudaSuccess);
    cr_assert_eq(cudaMemset2DAsync(x.data() + 1, 40, 0, 8, 3, nullptr), cudaSuccess);
    std::vector<double> values = x.values();
    std::vector<double> expected = {1, 0, 3, 4, 0, 5, 0, 7, 8, 0, 9, 0, 11, 12, 0};
    cr_assert(values == expected);
}

Test(copies, refused) {
    device_array<double> x(4);
    double host[8] = {};
    cr_assert_eq(cudaMemcpy(x.data(), host, 40, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    cr_assert_eq(cudaMemcpy(x.data() + 1, host, 32, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    cr_assert_eq(cudaMemcpy(x.data(), host, 32, cudaMemcpyDeviceToHost),
                 cudaErrorInvalidMemcpyDirection);
    cr_assert_eq(cudaMemcpy2D(x.data(), 8, host, 16, 16, 2, cudaMemcpyHostToDevice),
                 cudaErrorInvalidPitchValue);
    cr_assert_eq(cudaMemset(host, 0, 8), cudaErrorInvalidValue);
    cr_assert_eq(cudaGetLastError(), cudaErrorInvalidValue);
    cr_assert_eq(cudaGetLastError(), cudaSuccess);
}

Test(launches, refused) {
    cudaStream_t none = nullptr;
    cr_assert_eq(launch_nothing(none, 1, 1025, 0), cudaErrorInvalidConfiguration);
    cr_assert_eq(launch_nothing(none, 1, dim3(32, 33), 0), cudaErrorInvalidConfiguration);
    cr_assert_eq(launch_nothing(none, 1, dim3(1, 1, 65), 0), cudaErrorInvalidConfiguration);
    cr_assert_eq(launch_nothing(none, 1, 0, 0), cudaErrorInvalidConfiguration);
    cr_assert_eq(launch_nothing(none, 0, 1, 0), cudaErrorInvalidConfiguration);
    cr_assert_eq(launch_nothing(none, 1u << 31, 1, 0), cudaErrorInvalidConfiguration);
    cr_assert_eq(launch_nothing(none, dim3(1, 65536), 1, 0), cudaErrorInvalidConfiguration);
    cr_assert_eq(launch_nothing(none, dim3(1, 1, 65536), 1, 0), cudaErrorInvalidConfiguration);
    cr_assert_eq(launch_nothing(none, dim3(2, 3, 4), dim3(16, 16, 4), 0), cudaSuccess);
}

Test(launches, shared_memory) {
    cr_assert_eq(launch_nothing(nullptr, 1, 8, 48 << 10), cudaSuccess);
    cr_assert_eq(launch_nothing(nullptr, 1, 8, (48 << 10) + 1), cudaErrorInvalidValue);
    cr_assert_eq(
        cudaFuncSetAttribute(nothing_kernel(), cudaFuncAttributeMaxDynamicSharedMemorySize, 50000),
        cudaSuccess);
    cr_assert_eq(launch_nothing(nullptr, 1, 8, 50000), cudaSuccess);
    cr_assert_eq(launch_nothing(nullptr, 1, 8, 50001), cudaErrorInvalidValue);
    cr_assert_eq(cudaDeviceSynchronize(), cudaSuccess);
}
