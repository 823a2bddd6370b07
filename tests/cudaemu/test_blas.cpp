/* The emulated cuBLAS against loops in long double: products and solves of matrices. */
#include "test_matrix.h"

#include <cuda_fp16.h>

static cublasStatus_t gemm(cublasHandle_t blas, cublasOperation_t ta, cublasOperation_t tb,
                           int64_t k, double alpha, const matrix<double> &a, const double *da,
                           const matrix<double> &b, const double *db, double beta,
                           const matrix<double> &c, double *dc) {
    return cublasDgemm_64(blas, ta, tb, c.rows, c.cols, k, &alpha, da, a.ld, db, b.ld, &beta, dc,
                          c.ld);
}

static cublasStatus_t gemm(cublasHandle_t blas, cublasOperation_t ta, cublasOperation_t tb,
                           int64_t k, float alpha, const matrix<float> &a, const float *da,
                           const matrix<float> &b, const float *db, float beta,
                           const matrix<float> &c, float *dc) {
    return cublasSgemm(blas, ta, tb, int(c.rows), int(c.cols), int(k), &alpha, da, int(a.ld), db,
                       int(b.ld), &beta, dc, int(c.ld));
}

template <typename T>
static void check_gemm(cublasOperation_t ta, cublasOperation_t tb, T beta) {
    handle blas;
    int64_t m = 5, n = 4, k = 9;
    matrix<T> a(ta == plain ? m : k, ta == plain ? k : m, 1);
    matrix<T> b(tb == plain ? k : n, tb == plain ? n : k, 2), c(m, n, 3);
    if (beta == 0) {
        c.fill(NAN); /* must not be read */
    }
    device_array<T> da(a.values), db(b.values), dc(c.values);
    cr_assert_eq(gemm(blas, ta, tb, k, T(0.5), a, da.data(), b, db.data(), beta, c, dc.data()),
                 CUBLAS_STATUS_SUCCESS);
    matrix<T> expected = c;
    for (int64_t j = 0; j < n; j++) {
        for (int64_t i = 0; i < m; i++) {
            long double sum = 0;
            for (int64_t l = 0; l < k; l++) {
                sum += a.get(ta, i, l) * b.get(tb, l, j);
            }
            long double old = beta == 0 ? 0 : static_cast<long double>(beta) * c.get(i, j);
            expected.at(i, j) = static_cast<T>(0.5L * sum + old);
        }
    }
    c.values = dc.values();
    check_close(c, expected);
}

Test(blas, gemm) {
    for (cublasOperation_t ta : {plain, transposed}) {
        for (cublasOperation_t tb : {plain, transposed}) {
            check_gemm<double>(ta, tb, 0);
            check_gemm<double>(ta, tb, -2);
            check_gemm<float>(ta, tb, 0);
            check_gemm<float>(ta, tb, 1);
        }
    }
}

Test(blas, batched_gemm) {
    handle blas;
    matrix<double> a(3, 8, 1), b(4, 6, 2), c(3, 6, 3); /* two of 3 x 4, 4 x 3 and 3 x 3 */
    device_array<double> da(a.values), db(b.values), dc(c.values);
    double one = 1, zero = 0;
    cr_assert_eq(cublasDgemmStridedBatched_64(blas, plain, plain, 3, 3, 4, &one, da.data(), a.ld,
                                              4 * a.ld, db.data(), b.ld, 3 * b.ld, &zero, dc.data(),
                                              c.ld, 3 * c.ld, 2),
                 CUBLAS_STATUS_SUCCESS);
    matrix<double> expected = c;
    for (int64_t j = 0; j < 6; j++) {
        for (int64_t i = 0; i < 3; i++) {
            long double sum = 0;
            for (int64_t l = 0; l < 4; l++) {
                sum += a.get(i, 4 * (j / 3) + l) * b.get(l, j);
            }
            expected.at(i, j) = static_cast<double>(sum);
        }
    }
    c.values = dc.values();
    check_close(c, expected);
}

/* A 1 x 2 product that shows what the inputs were rounded to. */
template <typename T>
static float product(cudaDataType type, cublasComputeType_t compute, T x, T y) {
    handle blas;
    device_array<T> a(std::vector<T>{x, x}), b(std::vector<T>{y, y});
    device_array<float> c(1);
    float one = 1, zero = 0;
    cr_assert_eq(cublasGemmEx_64(blas, plain, plain, 1, 1, 2, &one, a.data(), type, 1, b.data(),
                                 type, 2, &zero, c.data(), CUDA_R_32F, 1, compute,
                                 CUBLAS_GEMM_DEFAULT),
                 CUBLAS_STATUS_SUCCESS);
    return c.values()[0];
}

Test(blas, mixed_precision) {
    float x = 1.0f + std::ldexp(1.0f, -12), y = 1.0f + std::ldexp(1.0f, -11);
    cr_assert_eq(product(CUDA_R_32F, CUBLAS_COMPUTE_32F, x, 1.0f), 2 * x);
    cr_assert_eq(product(CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32, x, 1.0f), 2.0f);
    cr_assert_eq(product(CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32, y, 1.0f),
                 2.0f * (1.0f + std::ldexp(1.0f, -10)));
    __half z = __float2half_rn(1.0f + std::ldexp(1.0f, -10));
    float exact = __half2float(z) * __half2float(z);
    cr_assert_eq(product(CUDA_R_16F, CUBLAS_COMPUTE_32F, z, z), 2 * exact);
}

Test(blas, gemm_refused) {
    handle blas;
    device_array<double> a(16), c(16);
    double one = 1;
    double *p = a.data();
    cr_assert_eq(cublasDgemm(nullptr, plain, plain, 4, 4, 4, &one, p, 4, p, 4, &one, c.data(), 4),
                 CUBLAS_STATUS_NOT_INITIALIZED);
    cr_assert_eq(cublasDgemm(blas, plain, plain, 4, 4, 4, &one, p, 3, p, 4, &one, c.data(), 4),
                 CUBLAS_STATUS_INVALID_VALUE);
    cr_assert_eq(cublasDgemm(blas, plain, plain, 4, 4, -1, &one, p, 4, p, 4, &one, c.data(), 4),
                 CUBLAS_STATUS_INVALID_VALUE);
    cr_assert_eq(cublasGemmEx(blas, plain, plain, 4, 4, 4, &one, p, CUDA_R_64F, 4, p, CUDA_R_64F, 4,
                              &one, c.data(), CUDA_R_32F, 4, CUBLAS_COMPUTE_64F,
                              CUBLAS_GEMM_DEFAULT),
                 CUBLAS_STATUS_NOT_SUPPORTED);
    expect_fault("C of cublasDgemm", nullptr, [&] {
        cublasDgemm(blas, plain, plain, 4, 4, 4, &one, p, 4, p, 4, &one, c.data() + 1, 4);
    });
}

Test(blas, work_is_deferred_and_host_scalars_are_not) {
    handle blas;
    cudaStream_t stream;
    cr_assert_eq(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
    cr_assert_eq(cublasSetStream(blas, stream), CUBLAS_STATUS_SUCCESS);
    device_array<double> x(std::vector<double>{1, 2});
    double alpha = 3;
    cr_assert_eq(cublasDscal(blas, 2, &alpha, x.data(), 1), CUBLAS_STATUS_SUCCESS);
    alpha = 5;
    cr_assert_eq(x.values()[1], 2);
    cr_assert_eq(cudaStreamSynchronize(stream), cudaSuccess);
    cr_assert_eq(x.values()[1], 6);
    cr_assert_eq(cudaStreamDestroy(stream), cudaSuccess);
}

Test(blas, syrk) {
    for (cublasFillMode_t uplo : {lower, upper}) {
        for (cublasOperation_t op : {plain, transposed}) {
            handle blas;
            int64_t n = 5, k = 7;
            matrix<double> a(op == plain ? n : k, op == plain ? k : n, 1), c(n, n, 2);
            for (int64_t j = 0; j < n; j++) {
                for (int64_t i = 0; i < n; i++) {
                    if (uplo == lower ? i >= j : i <= j) {
                        c.at(i, j) = NAN;
                    }
                }
            }
            device_array<double> da(a.values), dc(c.values);
            double one = 1, zero = 0;
            cr_assert_eq(
                cublasDsyrk_64(blas, uplo, op, n, k, &one, da.data(), a.ld, &zero, dc.data(), c.ld),
                CUBLAS_STATUS_SUCCESS);
            matrix<double> expected = c;
            for (int64_t j = 0; j < n; j++) {
                for (int64_t i = 0; i < n; i++) {
                    long double sum = 0;
                    for (int64_t l = 0; l < k; l++) {
                        sum += a.get(op, i, l) * a.get(op, j, l);
                    }
                    if (uplo == lower ? i >= j : i <= j) {
                        expected.at(i, j) = static_cast<double>(sum);
                    }
                }
            }
            c.values = dc.values();
            check_close(c, expected);
        }
    }
}

/* L has 4 + sin(...) on its diagonal; its other triangle is NaN and must not be read. */
static matrix<double> lower_triangle(int64_t n) {
    matrix<double> l(n, n, 1);
    for (int64_t j = 0; j < n; j++) {
        l.at(j, j) += 4;
        for (int64_t i = 0; i < j; i++) {
            l.at(i, j) = NAN;
        }
    }
    return l;
}

Test(blas, trsm_and_trsv) {
    handle blas;
    int64_t n = 6, m = 3;
    for (cublasOperation_t op : {plain, transposed}) {
        matrix<double> l = lower_triangle(n), x(n, m, 2), b(n, m, 0);
        for (int64_t j = 0; j < m; j++) {
            for (int64_t i = 0; i < n; i++) {
                long double sum = 0;
                for (int64_t k = op == plain ? 0 : i; k < (op == plain ? i + 1 : n); k++) {
                    sum += l.get(op, i, k) * x.get(k, j);
                }
                b.at(i, j) = static_cast<double>(sum);
            }
        }
        device_array<double> dl(l.values), db(b.values);
        std::vector<double> first(b.values.begin(), b.values.begin() + n);
        device_array<double> dv(first);
        double one = 1;
        cr_assert_eq(cublasDtrsm_64(blas, CUBLAS_SIDE_LEFT, lower, op, CUBLAS_DIAG_NON_UNIT, n, m,
                                    &one, dl.data(), l.ld, db.data(), b.ld),
                     CUBLAS_STATUS_SUCCESS);
        cr_assert_eq(cublasDtrsv(blas, lower, op, CUBLAS_DIAG_NON_UNIT, int(n), dl.data(),
                                 int(l.ld), dv.data(), 1),
                     CUBLAS_STATUS_SUCCESS);
        b.values = db.values();
        check_close(b, x);
        std::vector<double> v = dv.values();
        for (int64_t i = 0; i < n; i++) {
            cr_assert_float_eq(v[static_cast<size_t>(i)], x.at(i, 0), 1e-14);
        }
    }
}
