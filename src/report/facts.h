/* What a run showed: the few numbers that verdict, table and captions agree on. */
#ifndef PLSTAR_REPORT_FACTS_H
#define PLSTAR_REPORT_FACTS_H

#include "report/run.h"

typedef struct pls_report_facts {
    double initial_loss, loss; /* NaN where not known */
    double steps;

    double mu, mu_lower, mu_upper; /* the smallest measured; NaN where not known */
    double mu_floor;               /* of that measurement */
    int64_t mu_measured;           /* steps at which it was measured */
    int64_t mu_below_floor;        /* of these */

    int64_t ratio_checked; /* steps where rho and both ends were measured */
    int64_t ratio_outside; /* of these, lambda_min <= rho <= lambda_max failed */

    bool square;   /* L = 1/2 ||F(w) - y||^2 */
    bool identity; /* lambda_min <= rho <= lambda_max is to hold: square loss, N x N kernel */

    /* L_t <= (1 - eta mu)^t L_0, for the square loss */
    bool has_rate;
    double contraction; /* 1 - eta mu */
    int64_t rate_rows, rate_broken;
} pls_report_facts;

pls_report_facts pls_report_find_facts(const pls_report_run *run);

/* The floor of a row of metrics.csv: the row's own or else the summary's; NaN if there is none. */
double pls_report_floor_at(const pls_report_run *run, int64_t row);

/* (1 - eta mu)^t L_0, the loss at a step by the rate of PL*. */
double pls_report_rate(const pls_report_facts *facts, double step);

#endif
