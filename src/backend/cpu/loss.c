/* Losses, one row a sample, in float64.
 *
 *     square:         l = 1/2 |f - y|^2,                           residual = f - y
 *     cross entropy:  l = sum_a y_a (log sum_b exp f_b - f_a),     residual = softmax(f) sum y - y
 *     and its Hessian in f:        out = sum y (p * v - p <p, v>),  p = softmax(f)
 * With m = max f and S = sum_b exp(f_b - m): log sum exp = m + log S, and the term of class a is
 * y_a (log S + (m - f_a)), where nothing overflows and nothing large cancels. */
#include "backend/cpu/cpu.h"

#include <math.h>

pls_status pls_cpu_square_loss(pls_device *device, pls_view f, pls_view y, pls_view residual,
                               pls_view losses) {
#pragma omp parallel for schedule(static) num_threads(pls_cpu(device)->threads) if (f.rows > 256)
    for (int64_t i = 0; i < f.rows; i++) {
        double sum = 0.0;
        for (int64_t a = 0; a < f.cols; a++) {
            double difference = pls_load(f, i, a) - pls_load(y, i, a);
            pls_store(residual, i, a, difference);
            sum += difference * difference;
        }
        pls_store(losses, i, 0, 0.5 * sum);
    }
    return PLS_OK;
}

static void cross_entropy_row(pls_view f, pls_view y, pls_view residual, pls_view losses,
                              int64_t i) {
    double largest = pls_load(f, i, 0), sum = 0.0, mass = 0.0, loss = 0.0;
    for (int64_t a = 1; a < f.cols; a++) {
        largest = fmax(largest, pls_load(f, i, a));
    }
    for (int64_t a = 0; a < f.cols; a++) {
        sum += exp(pls_load(f, i, a) - largest);
        mass += pls_load(y, i, a);
    }
    double log_sum = log(sum);
    for (int64_t a = 0; a < f.cols; a++) {
        double output = pls_load(f, i, a), target = pls_load(y, i, a);
        loss += target * (log_sum + (largest - output));
        pls_store(residual, i, a, exp(output - largest) / sum * mass - target);
    }
    pls_store(losses, i, 0, loss);
}

pls_status pls_cpu_cross_entropy_loss(pls_device *device, pls_view f, pls_view y, pls_view residual,
                                      pls_view losses) {
#pragma omp parallel for schedule(static) num_threads(pls_cpu(device)->threads) if (f.rows > 64)
    for (int64_t i = 0; i < f.rows; i++) {
        cross_entropy_row(f, y, residual, losses, i);
    }
    return PLS_OK;
}

static void softmax_row(pls_view f, pls_view y, pls_view v, pls_view out, int64_t i) {
    double largest = pls_load(f, i, 0), sum = 0.0, mass = 0.0, mean = 0.0;
    for (int64_t a = 1; a < f.cols; a++) {
        largest = fmax(largest, pls_load(f, i, a));
    }
    for (int64_t a = 0; a < f.cols; a++) {
        double weight = exp(pls_load(f, i, a) - largest);
        sum += weight;
        mean += weight * pls_load(v, i, a);
        mass += pls_load(y, i, a);
    }
    mean /= sum;
    for (int64_t a = 0; a < f.cols; a++) {
        double probability = exp(pls_load(f, i, a) - largest) / sum;
        pls_store(out, i, a, mass * probability * (pls_load(v, i, a) - mean));
    }
}

pls_status pls_cpu_softmax_product(pls_device *device, pls_view f, pls_view y, pls_view v,
                                   pls_view out) {
#pragma omp parallel for schedule(static) num_threads(pls_cpu(device)->threads) if (f.rows > 64)
    for (int64_t i = 0; i < f.rows; i++) {
        softmax_row(f, y, v, out, i);
    }
    return PLS_OK;
}
