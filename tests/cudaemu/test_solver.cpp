/* The emulated cuSOLVER: residuals, failing minors, workspaces that are needed and used. */
#include "test_support.h"

#include <cmath>

#include <cusolverDn.h>

namespace {

constexpr int64_t order = 6, ld = 9;
constexpr cublasFillMode_t lower = CUBLAS_FILL_MODE_LOWER;

struct solver {
    solver() {
        cr_assert_eq(cusolverDnCreate(&handle), CUSOLVER_STATUS_SUCCESS);
        cr_assert_eq(cusolverDnCreateParams(&parameters), CUSOLVER_STATUS_SUCCESS);
    }
    ~solver() {
        cusolverDnDestroyParams(parameters);
        cusolverDnDestroy(handle);
    }
    cusolverDnHandle_t handle = nullptr;
    cusolverDnParams_t parameters = nullptr;
};

} // namespace

/* Symmetric, 1 / (1 + i + j) and `shift` on the diagonal; -7 between the columns. */
static std::vector<double> symmetric(double shift) {
    std::vector<double> a(static_cast<size_t>(order * ld), -7);
    for (int64_t j = 0; j < order; j++) {
        for (int64_t i = 0; i < order; i++) {
            a[static_cast<size_t>(j * ld + i)] = 1.0 / double(1 + i + j) + (i == j ? shift : 0);
        }
    }
    return a;
}

static double at(const std::vector<double> &a, int64_t i, int64_t j) {
    return a[static_cast<size_t>(j * ld + i)];
}

/* `missing` bytes less than needed on the device; info as it was written. */
static cusolverStatus_t factor(solver &s, device_array<double> &a, size_t missing, int *info) {
    size_t device_bytes = 0, host_bytes = 0;
    cr_assert_eq(cusolverDnXpotrf_bufferSize(s.handle, s.parameters, lower, order, CUDA_R_64F,
                                             a.data(), ld, CUDA_R_64F, &device_bytes, &host_bytes),
                 CUSOLVER_STATUS_SUCCESS);
    cr_assert_gt(device_bytes, 0);
    cr_assert_gt(host_bytes, 0);
    device_array<unsigned char> workspace(std::vector<unsigned char>(device_bytes, 1));
    std::vector<unsigned char> host(host_bytes, 1);
    device_array<int> device_info(std::vector<int>{-99});
    cusolverStatus_t status = cusolverDnXpotrf(
        s.handle, s.parameters, lower, order, CUDA_R_64F, a.data(), ld, CUDA_R_64F,
        workspace.data(), device_bytes - missing, host.data(), host_bytes, device_info.data());
    *info = device_info.values()[0];
    if (status == CUSOLVER_STATUS_SUCCESS) {
        cr_assert_eq(workspace.values().back(), 0xff);
        cr_assert_eq(host.back(), 0xff);
    }
    return status;
}

Test(solver, factor_and_solve) {
    solver s;
    std::vector<double> a = symmetric(1), x(static_cast<size_t>(ld * 2), 0.5);
    device_array<double> da(a), dx(x);
    int info = -1;
    cr_assert_eq(factor(s, da, 0, &info), CUSOLVER_STATUS_SUCCESS);
    cr_assert_eq(info, 0);
    std::vector<double> l = da.values();
    for (int64_t j = 0; j < order; j++) {
        for (int64_t i = j; i < order; i++) {
            double sum = 0;
            for (int64_t k = 0; k <= j; k++) {
                sum += at(l, i, k) * at(l, j, k);
            }
            cr_assert_float_eq(sum, at(a, i, j), 1e-14);
        }
        for (int64_t i = 0; i < j; i++) {
            cr_assert_eq(at(l, i, j), at(a, i, j)); /* above the diagonal nothing is touched */
        }
    }
    device_array<int> device_info(1);
    cr_assert_eq(cusolverDnXpotrs(s.handle, s.parameters, lower, order, 2, CUDA_R_64F, da.data(),
                                  ld, CUDA_R_64F, dx.data(), ld, device_info.data()),
                 CUSOLVER_STATUS_SUCCESS);
    std::vector<double> solution = dx.values();
    cr_assert_eq(device_info.values()[0], 0);
    for (int64_t i = 0; i < order; i++) {
        double sum = 0;
        for (int64_t j = 0; j < order; j++) {
            sum += at(a, i, j) * at(solution, j, 1);
        }
        cr_assert_float_eq(sum, 0.5, 1e-14);
    }
}

Test(solver, failing_minor) {
    solver s;
    std::vector<double> a = symmetric(1);
    a[static_cast<size_t>(3 * ld + 3)] = -5;
    device_array<double> da(a);
    int info = -1;
    cr_assert_eq(factor(s, da, 0, &info), CUSOLVER_STATUS_SUCCESS);
    cr_assert_eq(info, 4);
}

Test(solver, workspace_too_small) {
    solver s;
    device_array<double> da(symmetric(1));
    int info = -1;
    cr_assert_eq(factor(s, da, 1, &info), CUSOLVER_STATUS_INVALID_VALUE);
    cr_assert_eq(info, -99);
}

static std::vector<double> eigenvalues(device_array<double> &a, cusolverEigMode_t job) {
    solver s;
    size_t device_bytes = 0, host_bytes = 0;
    device_array<double> values(order);
    cr_assert_eq(cusolverDnXsyevd_bufferSize(s.handle, s.parameters, job, lower, order, CUDA_R_64F,
                                             a.data(), ld, CUDA_R_64F, values.data(), CUDA_R_64F,
                                             &device_bytes, &host_bytes),
                 CUSOLVER_STATUS_SUCCESS);
    device_array<unsigned char> workspace(device_bytes);
    std::vector<unsigned char> host(host_bytes);
    device_array<int> info(1);
    auto solve = [&](size_t device, size_t on_host) {
        return cusolverDnXsyevd(s.handle, s.parameters, job, lower, order, CUDA_R_64F, a.data(), ld,
                                CUDA_R_64F, values.data(), CUDA_R_64F, workspace.data(), device,
                                host.data(), on_host, info.data());
    };
    cr_assert_eq(solve(device_bytes - 1, host_bytes), CUSOLVER_STATUS_INVALID_VALUE);
    cr_assert_eq(solve(device_bytes, host_bytes - 1), CUSOLVER_STATUS_INVALID_VALUE);
    cr_assert_eq(solve(device_bytes, host_bytes), CUSOLVER_STATUS_SUCCESS);
    cr_assert_eq(info.values()[0], 0);
    return values.values();
}

Test(solver, eigenvectors) {
    std::vector<double> a = symmetric(0.5);
    device_array<double> da(a);
    std::vector<double> values = eigenvalues(da, CUSOLVER_EIG_MODE_VECTOR), v = da.values();
    for (int64_t k = 0; k < order; k++) {
        cr_assert(k == 0 || values[static_cast<size_t>(k)] >= values[static_cast<size_t>(k - 1)]);
        for (int64_t i = 0; i < order; i++) {
            double sum = 0;
            for (int64_t j = 0; j < order; j++) {
                sum += at(a, i, j) * at(v, j, k);
            }
            cr_assert_float_eq(sum, values[static_cast<size_t>(k)] * at(v, i, k), 1e-14);
        }
        cr_assert_eq(v[static_cast<size_t>(k * ld + order)], -7);
    }
}

Test(solver, eigenvalues_alone_destroy_the_matrix) {
    device_array<double> with(symmetric(0.5)), without(symmetric(0.5));
    std::vector<double> expected = eigenvalues(with, CUSOLVER_EIG_MODE_VECTOR);
    std::vector<double> values = eigenvalues(without, CUSOLVER_EIG_MODE_NOVECTOR);
    for (size_t i = 0; i < expected.size(); i++) {
        cr_assert_float_eq(values[i], expected[i], 1e-14);
    }
    cr_assert(std::isnan(without.values()[0]));
}

Test(solver, refused) {
    solver s;
    device_array<double> a(36);
    device_array<int> info(1);
    cr_assert_eq(cusolverDnXpotrs(nullptr, s.parameters, lower, 6, 1, CUDA_R_64F, a.data(), 6,
                                  CUDA_R_64F, a.data(), 6, info.data()),
                 CUSOLVER_STATUS_NOT_INITIALIZED);
    cr_assert_eq(cusolverDnXpotrs(s.handle, s.parameters, lower, 6, 1, CUDA_R_64F, a.data(), 5,
                                  CUDA_R_64F, a.data(), 6, info.data()),
                 CUSOLVER_STATUS_INVALID_VALUE);
    expect_fault("A of cusolverDnXpotrs", nullptr, [&] {
        cusolverDnXpotrs(s.handle, s.parameters, lower, 7, 1, CUDA_R_64F, a.data(), 7, CUDA_R_64F,
                         a.data(), 7, info.data());
    });
}
