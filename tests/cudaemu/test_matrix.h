/* Matrices for the tests of the emulated cuBLAS, with gaps below every column. */
#ifndef CUDAEMU_TEST_MATRIX_H
#define CUDAEMU_TEST_MATRIX_H

#include "test_support.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <cublas_v2.h>

constexpr cublasOperation_t plain = CUBLAS_OP_N, transposed = CUBLAS_OP_T;
constexpr cublasFillMode_t lower = CUBLAS_FILL_MODE_LOWER, upper = CUBLAS_FILL_MODE_UPPER;

struct handle {
    handle() {
        cr_assert_eq(cublasCreate(&blas), CUBLAS_STATUS_SUCCESS);
    }
    ~handle() {
        cublasDestroy(blas);
    }
    operator cublasHandle_t() const {
        return blas;
    }
    cublasHandle_t blas = nullptr;
};

/* Column-major with ld = rows + 3; the gap holds -7. */
template <typename T>
struct matrix {
    matrix(int64_t row_count, int64_t col_count, double first)
        : rows(row_count), cols(col_count), ld(row_count + 3),
          values(static_cast<size_t>(ld * cols), T(-7)) {
        for (int64_t j = 0; j < cols; j++) {
            for (int64_t i = 0; i < rows; i++) {
                at(i, j) = T(static_cast<float>(std::sin(first + double(7 * i + 13 * j))));
            }
        }
    }
    T &at(int64_t i, int64_t j) {
        return values[static_cast<size_t>(j * ld + i)];
    }
    long double get(int64_t i, int64_t j) const {
        return static_cast<long double>(
            static_cast<double>(values[static_cast<size_t>(j * ld + i)]));
    }
    long double get(cublasOperation_t op, int64_t i, int64_t j) const {
        return op == plain ? get(i, j) : get(j, i);
    }
    void fill(double value) {
        for (int64_t j = 0; j < cols; j++) {
            std::fill(&at(0, j), &at(0, j) + rows, T(value));
        }
    }
    int64_t rows, cols, ld;
    std::vector<T> values;
};

template <typename T>
void check_close(const matrix<T> &got, const matrix<T> &expected) {
    long double tolerance = 64 * std::numeric_limits<T>::epsilon();
    for (size_t i = 0; i < got.values.size(); i++) {
        cr_assert(std::fabs(static_cast<long double>(got.values[i] - expected.values[i])) <=
                      tolerance * (1 + std::fabs(static_cast<long double>(expected.values[i]))),
                  "element %zu: %g instead of %g", i, double(got.values[i]),
                  double(expected.values[i]));
    }
}

#endif
