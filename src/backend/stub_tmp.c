#pragma GCC diagnostic ignored "-Wmisleading-indentation"
#include "backend/operations.h"
pls_status pls_multiply_accumulate(pls_device *device, double alpha, pls_view x, pls_view y,
                                   pls_view out);
pls_status pls_position_accumulate(pls_device *device, double alpha, pls_view g, double gamma,
                                   int64_t k, int64_t h, pls_view d, pls_view c, bool lower);
static void *at(pls_view v, int64_t i, int64_t j) {
    return (char *)v.buffer->memory + (v.offset + i * v.ld + j) * (v.dtype == PLS_F32 ? 4 : 8);
}
pls_status pls_multiply_accumulate(pls_device *device, double alpha, pls_view x, pls_view y,
                                   pls_view o) {
    (void)device;
    for (int64_t i = 0; i < x.rows; i++)
        for (int64_t j = 0; j < x.cols; j++) {
            if (x.dtype == PLS_F32)
                *(float *)at(o, i, j) +=
                    (float)alpha * *(float *)at(x, i, j) * *(float *)at(y, i, j);
            else
                *(double *)at(o, i, j) += alpha * *(double *)at(x, i, j) * *(double *)at(y, i, j);
        }
    return PLS_OK;
}
static double el(pls_view v, int64_t i, int64_t j, bool l) {
    return l && i < j ? *(double *)at(v, j, i) : *(double *)at(v, i, j);
}
pls_status pls_position_accumulate(pls_device *device, double alpha, pls_view g, double gamma,
                                   int64_t k, int64_t h, pls_view d, pls_view c, bool lower) {
    (void)device;
    for (int64_t i = 0; i < c.rows; i++)
        for (int64_t j = 0; j < (lower ? i + 1 : c.cols); j++) {
            double s = 0;
            for (int64_t p = 0; p < h; p++)
                for (int64_t q = 0; q < h; q++)
                    s += (alpha * el(g, i / k * h + p, j / k * h + q, lower) + gamma) *
                         el(d, i * h + p, j * h + q, lower);
            *(double *)at(c, i, j) += s;
        }
    return PLS_OK;
}
