/* Dense products by cuBLAS.
 *
 * cuBLAS counts elements by columns, the seam by rows: what is stored as C (m x n) by rows is CT
 * (n x m) by columns. So C = op(A) op(B) is asked for as CT = op(B)T op(A)T with the operands
 * exchanged, and a lower triangle by rows is an upper one by columns.
 *
 * float32 products run in float32: TF32 and half-precision reductions stay off (module.c). */
#include "cuda.h"

static cublasOperation_t blas_operation(pls_transpose transpose) {
    return transpose == PLS_PLAIN ? CUBLAS_OP_N : CUBLAS_OP_T;
}

pls_status pls_cuda_gemm(pls_device *device, pls_transpose ta, pls_transpose tb, double alpha,
                         pls_view a, pls_view b, double beta, pls_view c) {
    cublasHandle_t blas = pls_cuda_blas(device);
    cublasOperation_t op_a = blas_operation(ta), op_b = blas_operation(tb);
    int64_t inner = ta == PLS_PLAIN ? a.cols : a.rows;
    if (c.dtype == PLS_F32) {
        float alpha_f32 = (float)alpha, beta_f32 = (float)beta;
        cublasStatus_t code =
            cublasSgemm_64(blas, op_b, op_a, c.cols, c.rows, inner, &alpha_f32, pls_cuda_address(b),
                           b.ld, pls_cuda_address(a), a.ld, &beta_f32, pls_cuda_address(c), c.ld);
        return pls_cuda_check_blas(device, code,
                                   (pls_cuda_call){"cublasSgemm", "gemm", c.rows, c.cols});
    }
    cublasStatus_t code =
        cublasDgemm_64(blas, op_b, op_a, c.cols, c.rows, inner, &alpha, pls_cuda_address(b), b.ld,
                       pls_cuda_address(a), a.ld, &beta, pls_cuda_address(c), c.ld);
    return pls_cuda_check_blas(device, code,
                               (pls_cuda_call){"cublasDgemm", "gemm", c.rows, c.cols});
}

pls_status pls_cuda_gemm_batched(pls_device *device, pls_transpose ta, pls_transpose tb,
                                 double alpha, pls_view a, int64_t stride_a, pls_view b,
                                 int64_t stride_b, double beta, pls_view c, int64_t stride_c,
                                 int64_t count) {
    cublasHandle_t blas = pls_cuda_blas(device);
    cublasOperation_t op_a = blas_operation(ta), op_b = blas_operation(tb);
    int64_t inner = ta == PLS_PLAIN ? a.cols : a.rows;
    if (c.dtype == PLS_F32) {
        float alpha_f32 = (float)alpha, beta_f32 = (float)beta;
        cublasStatus_t code = cublasSgemmStridedBatched_64(
            blas, op_b, op_a, c.cols, c.rows, inner, &alpha_f32, pls_cuda_address(b), b.ld,
            stride_b, pls_cuda_address(a), a.ld, stride_a, &beta_f32, pls_cuda_address(c), c.ld,
            stride_c, count);
        return pls_cuda_check_blas(
            device, code,
            (pls_cuda_call){"cublasSgemmStridedBatched", "gemm_batched", c.rows, c.cols});
    }
    cublasStatus_t code = cublasDgemmStridedBatched_64(
        blas, op_b, op_a, c.cols, c.rows, inner, &alpha, pls_cuda_address(b), b.ld, stride_b,
        pls_cuda_address(a), a.ld, stride_a, &beta, pls_cuda_address(c), c.ld, stride_c, count);
    return pls_cuda_check_blas(
        device, code, (pls_cuda_call){"cublasDgemmStridedBatched", "gemm_batched", c.rows, c.cols});
}

pls_status pls_cuda_syrk(pls_device *device, double alpha, pls_view a, double beta, pls_view c) {
    cublasHandle_t blas = pls_cuda_blas(device);
    if (c.dtype == PLS_F32) {
        float alpha_f32 = (float)alpha, beta_f32 = (float)beta;
        cublasStatus_t code =
            cublasSsyrk_64(blas, CUBLAS_FILL_MODE_UPPER, CUBLAS_OP_T, c.rows, a.cols, &alpha_f32,
                           pls_cuda_address(a), a.ld, &beta_f32, pls_cuda_address(c), c.ld);
        return pls_cuda_check_blas(device, code,
                                   (pls_cuda_call){"cublasSsyrk", "syrk", c.rows, c.cols});
    }
    cublasStatus_t code =
        cublasDsyrk_64(blas, CUBLAS_FILL_MODE_UPPER, CUBLAS_OP_T, c.rows, a.cols, &alpha,
                       pls_cuda_address(a), a.ld, &beta, pls_cuda_address(c), c.ld);
    return pls_cuda_check_blas(device, code,
                               (pls_cuda_call){"cublasDsyrk", "syrk", c.rows, c.cols});
}

/* As a general product: both triangles are there, so every row is one inner product over adjacent
 * numbers, and the time goes into reading the matrix once. */
pls_status pls_cuda_symv(pls_device *device, double alpha, pls_view a, pls_view x, double beta,
                         pls_view y) {
    cublasStatus_t code = cublasDgemv_64(pls_cuda_blas(device), CUBLAS_OP_T, a.cols, a.rows, &alpha,
                                         pls_cuda_address(a), a.ld, pls_cuda_address(x), x.ld,
                                         &beta, pls_cuda_address(y), y.ld);
    return pls_cuda_check_blas(device, code,
                               (pls_cuda_call){"cublasDgemv", "symv", a.rows, a.cols});
}
