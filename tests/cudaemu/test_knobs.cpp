/* What the environment makes of the device, and calls that fail on purpose. */
#include "test_kernels.h"
#include "test_support.h"

#include <cstring>

#include <cublas_v2.h>
#include <cusolverDn.h>

Test(knobs, no_device) {
    configure("EMU_DEVICES", "0");
    int count = -1;
    void *memory = nullptr;
    cr_assert_eq(cudaGetDeviceCount(&count), cudaErrorNoDevice);
    cr_assert_eq(count, 0);
    cr_assert_eq(cudaMalloc(&memory, 8), cudaErrorNoDevice);
}

Test(knobs, no_driver) {
    configure("EMU_DRIVER", "none");
    int count = -1, version = -1;
    cr_assert_eq(cudaGetDeviceCount(&count), cudaErrorInsufficientDriver);
    cr_assert_eq(cudaDriverGetVersion(&version), cudaSuccess);
    cr_assert_eq(version, 0);
}

Test(knobs, two_devices) {
    configure("EMU_DEVICES", "2");
    int count = -1, device = -1;
    cudaDeviceProp properties;
    cr_assert_eq(cudaGetDeviceCount(&count), cudaSuccess);
    cr_assert_eq(count, 2);
    cr_assert_eq(cudaSetDevice(1), cudaSuccess);
    cr_assert_eq(cudaGetDevice(&device), cudaSuccess);
    cr_assert_eq(device, 1);
    cr_assert_eq(cudaSetDevice(2), cudaErrorInvalidDevice);
    cr_assert_eq(cudaGetDeviceProperties(&properties, 1), cudaSuccess);
    cr_assert_str_eq(properties.name, "Emulated GPU");
    cr_assert_eq(cudaGetDeviceProperties(&properties, 2), cudaErrorInvalidDevice);
}

Test(knobs, no_kernels_for_this_architecture) {
    configure("EMU_ARCHITECTURE", "missing");
    device_array<int> out(8);
    cudaFuncAttributes attributes;
    cr_assert_eq(launch_numbers(nullptr, 8, 8, out.data()), cudaErrorNoKernelImageForDevice);
    cr_assert_eq(cudaFuncGetAttributes(&attributes, nothing_kernel()),
                 cudaErrorNoKernelImageForDevice);
}

Test(knobs, the_third_allocation_fails) {
    configure("EMU_FAIL", "cudaMalloc:3");
    void *memory[4] = {};
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(cudaMalloc(&memory[i], 8), i == 2 ? cudaErrorMemoryAllocation : cudaSuccess);
    }
    cr_assert_eq(cudaGetLastError(), cudaErrorMemoryAllocation);
    cr_assert_null(memory[2]);
    for (void *one : memory) {
        cr_assert_eq(cudaFree(one), cudaSuccess);
    }
    cr_assert_eq(cudaemu_live_allocations(), 0);
}

Test(knobs, a_sticky_error_stays) {
    setenv("EMU_FAIL_STICKY", "1", 1);
    configure("EMU_FAIL", "cudaStreamSynchronize:1");
    cublasHandle_t blas = nullptr;
    void *memory = nullptr;
    cr_assert_eq(cublasCreate(&blas), CUBLAS_STATUS_SUCCESS);
    cr_assert_eq(cudaMalloc(&memory, 8), cudaSuccess);
    cr_assert_eq(cudaStreamSynchronize(nullptr), cudaErrorIllegalAddress);
    cr_assert_eq(cudaGetLastError(), cudaErrorIllegalAddress);
    cr_assert_eq(cudaPeekAtLastError(), cudaErrorIllegalAddress);
    cr_assert_eq(cudaMemset(memory, 0, 8), cudaErrorIllegalAddress);
    cr_assert_eq(cublasSetStream(blas, nullptr), CUBLAS_STATUS_EXECUTION_FAILED);
    cr_assert_str_eq(cudaGetErrorName(cudaErrorIllegalAddress), "cudaErrorIllegalAddress");
    cr_assert_eq(cudaFree(memory), cudaErrorIllegalAddress);
    cr_assert_eq(cublasDestroy(blas), CUBLAS_STATUS_EXECUTION_FAILED);
    cr_assert_eq(cudaemu_live_allocations() + cudaemu_live_objects(), 0);
}

/* Opens, works, closes; true if every call succeeded. Gives back what it has in any case. */
static bool use_everything() {
    cudaStream_t stream = nullptr;
    cudaEvent_t event = nullptr;
    cublasHandle_t blas = nullptr;
    cusolverDnHandle_t solver = nullptr;
    cusolverDnParams_t parameters = nullptr;
    int *device = nullptr, *host = nullptr;
    bool done = cudaSetDevice(0) == cudaSuccess &&
                cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess &&
                cudaEventCreate(&event) == cudaSuccess &&
                cublasCreate(&blas) == CUBLAS_STATUS_SUCCESS &&
                cublasSetStream(blas, stream) == CUBLAS_STATUS_SUCCESS &&
                cusolverDnCreate(&solver) == CUSOLVER_STATUS_SUCCESS &&
                cusolverDnSetStream(solver, stream) == CUSOLVER_STATUS_SUCCESS &&
                cusolverDnCreateParams(&parameters) == CUSOLVER_STATUS_SUCCESS &&
                cudaMalloc(reinterpret_cast<void **>(&device), 64) == cudaSuccess &&
                cudaMallocHost(reinterpret_cast<void **>(&host), 64) == cudaSuccess &&
                launch_numbers(stream, 8, 16, device) == cudaSuccess &&
                cudaMemcpyAsync(host, device, 64, cudaMemcpyDeviceToHost, stream) == cudaSuccess &&
                cudaEventRecord(event, stream) == cudaSuccess &&
                cudaEventSynchronize(event) == cudaSuccess && host[15] == 15;
    bool closed = cudaFreeHost(host) == cudaSuccess;
    closed &= cudaFree(device) == cudaSuccess;
    closed &=
        parameters == nullptr || cusolverDnDestroyParams(parameters) == CUSOLVER_STATUS_SUCCESS;
    closed &= solver == nullptr || cusolverDnDestroy(solver) == CUSOLVER_STATUS_SUCCESS;
    closed &= blas == nullptr || cublasDestroy(blas) == CUBLAS_STATUS_SUCCESS;
    closed &= event == nullptr || cudaEventDestroy(event) == cudaSuccess;
    closed &= stream == nullptr || cudaStreamDestroy(stream) == cudaSuccess;
    return done && closed;
}

Test(knobs, every_call_fails_once) {
    cr_assert(use_everything());
    int64_t calls = cudaemu_calls();
    cr_assert_eq(calls, 21);
    for (int64_t n = 1; n <= calls; n++) {
        configure("EMU_FAIL", ("*:" + std::to_string(n)).c_str());
        cr_assert_not(use_everything(), "call %d", static_cast<int>(n));
        cr_assert_eq(cudaemu_live_allocations() + cudaemu_live_objects(), 0);
    }
    configure("EMU_FAIL", "");
    cr_assert(use_everything());
}
