/* Hermite series of functions of a Gaussian variable, by Gauss-Hermite quadrature.
 *
 * With h_0, h_1, ... the Hermite polynomials that are orthonormal under N(0, 1), and (x, y)
 * Gaussian of variances 1 and correlation rho (Mehler's formula),
 *
 *     E[h_k(x) h_l(y)] = rho^k [k = l],   so   E[f(x) g(y)] = sum over k of f_k g_k rho^k,
 *     f_k = E[f(x) h_k(x)].
 *
 * The rule of order Q has the eigenvalues x_q of the tridiagonal matrix with sqrt(1), ...,
 * sqrt(Q - 1) beside a diagonal of zeros as its nodes (Golub, Welsch, 1969). The eigenvector of
 * x_q is sqrt(w_q) (h_0(x_q), ..., h_(Q-1)(x_q)), so that with V_kq its elements
 *
 *     f_k = sum over q of V_kq V_0q f(x_q),   k < Q.
 *
 * V is orthogonal. Therefore the series at rho = 1 is the rule itself, sum over q of w_q f(x_q)
 * g(x_q); at |rho| < 1 it is nearer to its limit; and the matrix of a function's expectations over
 * several variables is positive semidefinite at every order. */
#ifndef PLSTAR_TANGENT_HERMITE_H
#define PLSTAR_TANGENT_HERMITE_H

#include "plstar/context.h"

#include <stdint.h>

typedef struct pls_hermite_rule {
    int64_t order;   /* Q */
    double *nodes;   /* Q: x_q, ascending */
    double *vectors; /* Q x Q: V_kq in row q, column k */
} pls_hermite_rule;

/* *rule must be fresh. Errors: PLS_ERROR_MEMORY, PLS_ERROR_NUMERIC. */
pls_status pls_hermite_rule_create(pls_context *context, int64_t order, pls_hermite_rule *rule);
void pls_hermite_rule_destroy(pls_context *context, pls_hermite_rule *rule);

/* coefficients (Q) = f_k of the function with these values (Q) at the nodes. */
void pls_hermite_transform(const pls_hermite_rule *rule, const double *values,
                           double *coefficients);

/* Terms beyond which |rho|^k is below 2^-60, at most `order`, at least 1. */
int64_t pls_hermite_length(double rho, int64_t order);

/* sum over k < length of f_k g_k rho^k */
double pls_hermite_series(int64_t length, const double *f, const double *g, double rho);

#endif
