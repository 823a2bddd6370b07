/* Loaded before the BLAS: products A A^T are a thousandth of what they are, and with them the
 * tangent kernel, for tests that must see the program notice. */
#define _GNU_SOURCE
#include <cblas.h>
#include <dlfcn.h>

void cblas_dsyrk(enum CBLAS_ORDER order, enum CBLAS_UPLO triangle, enum CBLAS_TRANSPOSE transpose,
                 blasint n, blasint k, double alpha, const double *a, blasint lda, double beta,
                 double *c, blasint ldc) {
    __typeof__(cblas_dsyrk) *right = (__typeof__(cblas_dsyrk) *)dlsym(RTLD_NEXT, "cblas_dsyrk");
    right(order, triangle, transpose, n, k, 1e-3 * alpha, a, lda, beta, c, ldc);
}
