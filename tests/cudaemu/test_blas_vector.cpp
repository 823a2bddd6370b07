/* The emulated cuBLAS against loops in long double: what has vectors in it, and the workspace. */
#include "test_matrix.h"

Test(blas, matrix_times_vector) {
    handle blas;
    int64_t m = 5, n = 4;
    matrix<double> a(m, n, 1), s(n, n, 2), x(1, m, 3), nan(1, m, 0);
    nan.fill(NAN);
    double two = 2, zero = 0;
    device_array<double> da(a.values), ds(s.values), dx(x.values), dy(nan.values), dz(nan.values);
    int step = int(x.ld);
    cr_assert_eq(cublasDgemv(blas, transposed, int(m), int(n), &two, da.data(), int(a.ld),
                             dx.data(), step, &zero, dy.data(), step),
                 CUBLAS_STATUS_SUCCESS);
    cr_assert_eq(cublasDsymv(blas, lower, int(n), &two, ds.data(), int(s.ld), dx.data(), step,
                             &zero, dz.data(), step),
                 CUBLAS_STATUS_SUCCESS);
    matrix<double> y = nan, z = nan;
    for (int64_t i = 0; i < n; i++) {
        long double full = 0, symmetric = 0;
        for (int64_t j = 0; j < m; j++) {
            full += a.get(j, i) * x.get(0, j);
        }
        for (int64_t j = 0; j < n; j++) {
            symmetric += s.get(std::max(i, j), std::min(i, j)) * x.get(0, j);
        }
        y.at(0, i) = static_cast<double>(2 * full);
        z.at(0, i) = static_cast<double>(2 * symmetric);
    }
    y.at(0, n) = z.at(0, n) = nan.at(0, n) = 0; /* one longer than the results */
    std::vector<double> got_y = dy.values(), got_z = dz.values();
    cr_assert(std::isnan(got_y[static_cast<size_t>(n * x.ld)]));
    got_y[static_cast<size_t>(n * x.ld)] = got_z[static_cast<size_t>(n * x.ld)] = 0;
    nan.values = got_y;
    check_close(nan, y);
    nan.values = got_z;
    check_close(nan, z);
}

Test(blas, geam_transposes) {
    handle blas;
    matrix<double> a(3, 5, 1), b(5, 3, 2), c(5, 3, 3);
    c.fill(NAN);
    device_array<double> da(a.values), db(b.values), dc(c.values);
    double one = 1, minus = -1;
    cr_assert_eq(cublasDgeam(blas, transposed, plain, 5, 3, &one, da.data(), int(a.ld), &minus,
                             db.data(), int(b.ld), dc.data(), int(c.ld)),
                 CUBLAS_STATUS_SUCCESS);
    matrix<double> expected = c;
    for (int64_t j = 0; j < 3; j++) {
        for (int64_t i = 0; i < 5; i++) {
            expected.at(i, j) = a.at(j, i) - b.at(i, j);
        }
    }
    c.values = dc.values();
    check_close(c, expected);
}

Test(blas, vectors) {
    handle blas;
    device_array<double> x(std::vector<double>{3, 0, 4, 0}), y(std::vector<double>{1, 2, 3, 4});
    double result = 0, two = 2;
    cr_assert_eq(cublasDdot(blas, 2, x.data(), 2, y.data(), 1, &result), CUBLAS_STATUS_SUCCESS);
    cr_assert_eq(result, 11);
    cr_assert_eq(cublasDnrm2(blas, 2, x.data(), 2, &result), CUBLAS_STATUS_SUCCESS);
    cr_assert_float_eq(result, 5, 1e-14);
    cr_assert_eq(cublasDaxpy(blas, 4, &two, x.data(), 1, y.data(), 1), CUBLAS_STATUS_SUCCESS);
    cr_assert(y.values() == std::vector<double>({7, 2, 11, 4}));
    device_array<double> on_device(1);
    cr_assert_eq(cublasSetPointerMode(blas, CUBLAS_POINTER_MODE_DEVICE), CUBLAS_STATUS_SUCCESS);
    cr_assert_eq(cublasDdot(blas, 4, x.data(), 1, x.data(), 1, on_device.data()),
                 CUBLAS_STATUS_SUCCESS);
    cr_assert_eq(on_device.values()[0], 25);
}

Test(blas, workspace_is_overwritten) {
    handle blas;
    device_array<double> workspace(std::vector<double>{1, 2, 3, 4});
    cr_assert_eq(cublasSetWorkspace(blas, workspace.data(), 32), CUBLAS_STATUS_SUCCESS);
    cr_assert(std::isnan(workspace.values()[3]));
    cr_assert_eq(cublasSetWorkspace(blas, workspace.data() + 1, 8), CUBLAS_STATUS_INVALID_VALUE);
}
