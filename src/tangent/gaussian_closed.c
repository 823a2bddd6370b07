/* Closed forms, written with the determinant g = a b - c^2 of the covariance, so that nothing is
 * lost where u and v are nearly parallel:
 *
 *     identity  E[u v] = c,                                E[1] = 1
 *     erf       2/pi arcsin(2c / sqrt((1 + 2a)(1 + 2b))) = 2/pi atan2(2c, r),   slope 4/(pi r),
 *               r = sqrt((1 + 2a)(1 + 2b) - 4c^2) = sqrt(1 + 2a + 2b + 4g)
 *               (C. K. I. Williams, Computing with infinite networks, 1997)
 *     relu      sqrt(a b)/(2 pi) (sin t - t cos t),        slope t/(2 pi),
 *               t = pi - angle(u, v) = atan2(sqrt(g), -c)
 *               (Y. Cho, L. K. Saul, Kernel methods for deep learning, 2009)
 *     sin       exp(-(a + b)/2) sinh c = e^-m (1 - e^(-2|c|))/2 sign c,
 *     (cos)     exp(-(a + b)/2) cosh c = e^-m (1 + e^(-2|c|))/2,     m = (a + b)/2 - |c| >= 0,
 *               from cos(u - v) -+ cos(u + v) and E[cos w] = exp(-Var(w)/2) */
#include "tangent/gaussian_closed.h"

#include <math.h>

static const double PI = 3.14159265358979323846;

bool pls_gaussian_is_closed(pls_activation phi) {
    return phi == PLS_IDENTITY || phi == PLS_ERF || phi == PLS_SIN || phi == PLS_RELU;
}

/* a b - c^2 with the rounding error of c^2 put back (Kahan); >= 0. */
static double determinant(double a, double b, double c) {
    double square = c * c;
    return fmax(fma(a, b, -square) - fma(c, c, -square), 0.0);
}

/* sin t - t cos t for 0 <= t <= pi: t^3/3 - t^5/30 + ... where the terms nearly cancel. */
static double sine_less_cosine(double t) {
    if (t > 1.0) {
        return sin(t) - t * cos(t);
    }
    double term = t * t * t, sum = 0.0; /* term = +-t^(2k+1) / (2k-1)! */
    for (int k = 1; k <= 10; k++) {
        sum += term / (2 * k + 1);
        term *= -t * t / ((2 * k) * (2 * k + 1));
    }
    return sum;
}

static pls_expectations of_erf(double a, double b, double c) {
    double r = sqrt(1.0 + 2.0 * a + 2.0 * b + 4.0 * determinant(a, b, c));
    return (pls_expectations){2.0 / PI * atan2(2.0 * c, r), 4.0 / (PI * r)};
}

static pls_expectations of_relu(double a, double b, double c) {
    if (a == 0.0 || b == 0.0) {
        return (pls_expectations){0.0, 0.0}; /* as everywhere, relu'(0) = 0 */
    }
    double t = atan2(sqrt(determinant(a, b, c)), -c);
    double scale = sqrt(a) * sqrt(b) / (2.0 * PI);
    return (pls_expectations){scale * sine_less_cosine(t), t / (2.0 * PI)};
}

static pls_expectations of_sin(double a, double b, double c) {
    double size = fabs(c), part = exp(-fmax(0.5 * a + 0.5 * b - size, 0.0));
    double odd = -0.5 * expm1(-2.0 * size);
    return (pls_expectations){copysign(part * odd, c), part * (1.0 - odd)};
}

pls_expectations pls_gaussian_closed(pls_activation phi, double a, double b, double c) {
    switch (phi) {
    case PLS_ERF:
        return of_erf(a, b, c);
    case PLS_RELU:
        return of_relu(a, b, c);
    case PLS_SIN:
        return of_sin(a, b, c);
    default:
        return (pls_expectations){c, 1.0};
    }
}

double pls_gaussian_closed_mean(pls_activation phi, double a) {
    return phi == PLS_RELU ? sqrt(a / (2.0 * PI)) : 0.0; /* the others are odd */
}
