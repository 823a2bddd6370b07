/* The constants of the convergence theorems.
 *
 * Where beta_F is known: over the ball B(w_0, R) whose radius they determine, exact or bounded. Of
 * networks that ball is far larger than anything gradient descent visits, and constants over it say
 * nothing; there the constants are sampled around the path of gradient descent, of which alone the
 * proofs speak, within the distance that it travels. */
#ifndef PLSTAR_AUDIT_THEOREM_H
#define PLSTAR_AUDIT_THEOREM_H

#include "audit/audit.h"

typedef struct pls_theorem {
    double mu, lipschitz, smoothness; /* over the ball: of lambda_min(K), L_F, beta_F */
    double radius;                    /* R, which the theorem promises not to be left */
    double
        extent; /* distance from w_0 within which the constants were taken; R if they are known */
    pls_evidence mu_evidence, lipschitz_evidence, smoothness_evidence;
    double least; /* lambda_min(K(w_0)), 0 where it is below its floor */
} pls_theorem;

/* R = reach(constants over B(w_0, R)), the smallest there is. */
typedef double pls_reach(const pls_audit *audit, const pls_theorem *constants);

/* Finds the constants, and R = reach(constants). *found is false where mu may be 0, or where no
 * ball contains itself; the claim is then told why. */
pls_status pls_theorem_find(pls_audit *audit, pls_reach *reach, pls_claim_result *result,
                            pls_theorem *constants, bool *found);

/* Records mu, L_F, beta_F, R. */
void pls_theorem_tell(const pls_theorem *constants, pls_claim_result *result);

/* "exact constants", "constants bounded over the ball", "constants sampled around the path". */
const char *pls_theorem_manner(const pls_theorem *constants);

#endif
