/* The tangent kernel where it is not held: K v = J (JT v); see products.c. */
#ifndef PLSTAR_TANGENT_PRODUCTS_H
#define PLSTAR_TANGENT_PRODUCTS_H

#include "plstar/tangent.h"
#include "system/system.h"
#include "tangent/lanczos.h"

enum { PLS_REASON_SIZE = 512 };

typedef struct pls_products {
    pls_system *system;           /* float64: the kernel's, or the copy */
    pls_system *copy;             /* NULL for float64 systems */
    char reason[PLS_REASON_SIZE]; /* why K is not held */
    bool asked_for;               /* as an option; else there was no room for it */
    pls_arena arena;
    pls_view f;        /* n x k */
    pls_view gradient; /* 1 x P: JT v */
    pls_view x, y;     /* 1 x N, for products on the host */
    pls_lanczos lanczos;
} pls_products;

/* Errors: PLS_ERROR_UNSUPPORTED for systems without J v, PLS_ERROR_MEMORY. */
pls_status pls_products_create(pls_system *system, const char *reason, bool asked_for,
                               pls_products **products);
void pls_products_destroy(pls_products *products); /* NULL is allowed */

/* To the present weights of `system`, the one that was given to create. */
pls_status pls_products_follow(const pls_system *system, pls_products *products);

/* y = K x; a pls_operator, user: the pls_products. x, y: N x 1 f64, contiguous. */
pls_status pls_products_apply(void *user, pls_view x, pls_view y);

/* The failure of what needs K itself: PLS_ERROR_MEMORY where there was no room for it, else
 * PLS_ERROR_UNSUPPORTED. */
pls_status pls_products_refuse(const pls_products *products, const char *what);

/* The spectrum as far as products tell it; see pls_spectrum. */
pls_status pls_products_spectrum(pls_products *products, const pls_spectrum_options *options,
                                 pls_spectrum *spectrum);

#endif
