/* Expectations over a pair of Gaussian variables that have closed forms.
 *
 * u, v: Gaussian of mean 0, variances a, b and covariance c, c^2 <= a b. */
#ifndef PLSTAR_TANGENT_GAUSSIAN_CLOSED_H
#define PLSTAR_TANGENT_GAUSSIAN_CLOSED_H

#include "plstar/types.h"

#include <stdbool.h>

typedef struct pls_expectations {
    double value; /* E[phi(u) phi(v)] */
    double slope; /* E[phi'(u) phi'(v)] */
} pls_expectations;

/* Whether phi is one of identity, erf, sin, relu. */
bool pls_gaussian_is_closed(pls_activation phi);

pls_expectations pls_gaussian_closed(pls_activation phi, double a, double b, double c);

/* E[phi(u)] */
double pls_gaussian_closed_mean(pls_activation phi, double a);

#endif
