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
    double start; /* L_0 */
    double end;   /* L at the end of a path; not of known constants of the square loss */
} pls_theorem;

/* What a theorem says of gradient descent, given constants: eta, and R. */
typedef double pls_theorem_formula(const pls_audit *audit, const pls_theorem *constants);
typedef struct pls_convergence {
    pls_loss loss;
    pls_theorem_formula *step, *reach;
} pls_convergence;

/* Claim 8. */
extern const pls_convergence pls_square_descent;

/* Of the square loss over the ball: beta_F sup ||r|| with ||r|| <= ||r_0|| + L_F R, by which its
 * Hessian differs from J^T J; and beta <= L_F^2 + that. */
double pls_bend_of_loss(const pls_audit *audit, const pls_theorem *constants);
double pls_smoothness_of_loss(const pls_audit *audit, const pls_theorem *constants);

/* Finds the constants over B(w_0, R), R = reach(constants) the smallest there is. *found is false
 * where mu may be 0, or where no ball contains itself; the claim is then told why. */
pls_status pls_theorem_find(pls_audit *audit, const pls_convergence *theorem,
                            pls_claim_result *result, pls_theorem *constants, bool *found);

/* Follows gradient descent with eta = theorem->step(constants), and compares at each step
 *     L_t <= (1 - eta pl)^t L_0,   ||w_t - w_0|| <= R,   1/2 ||grad L_t||^2 >= pl L_t
 * (the last for losses other than the square, whose PL* is claim 7), as long as L_t >= least. */
pls_status pls_theorem_follow(pls_audit *audit, const pls_convergence *theorem,
                              const pls_theorem *constants, double pl, double least,
                              pls_claim_result *result);

/* Records mu, L_F, beta_F, R. */
void pls_theorem_tell(const pls_theorem *constants, pls_claim_result *result);

/* "exact constants", "constants bounded over the ball", "constants sampled around the path". */
const char *pls_theorem_manner(const pls_theorem *constants);

#endif
