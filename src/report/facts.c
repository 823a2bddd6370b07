/* What a run showed.
 *
 * PL ratio:   rho(w) = 1/2 ||grad L||^2 / L = r^T K r / ||r||^2, so lambda_min <= rho <= lambda_max
 * exactly. A failure counts only beyond the floor of the eigenvalues and a relative rounding of
 * 1e-6.
 * Guarantee:  with mu <= lambda_min(K) all along and a small enough step size eta, gradient
 * descent has L_t <= (1 - eta mu)^t L_0. */
#include "report/facts.h"

#include <math.h>
#include <string.h>

static const double rounding = 1e-6;

double pls_report_floor_at(const pls_report_run *run, int64_t row) {
    double own = run->metrics.column[PLS_METRIC_KERNEL_FLOOR][row];
    return isnan(own) ? pls_report_number(run, "kernel_floor") : own;
}

static bool ratio_is_inside(double ratio, double low, double high, double floor_value) {
    double slack = isnan(floor_value) ? 0.0 : floor_value;
    return ratio * (1.0 + rounding) + slack >= low && ratio <= high * (1.0 + rounding) + slack;
}

static void count_ratio(pls_report_facts *facts, double ratio, double low, double high,
                        double floor_value) {
    if (facts->identity && !isnan(ratio) && !isnan(low) && !isnan(high)) {
        facts->ratio_checked++;
        facts->ratio_outside += !ratio_is_inside(ratio, low, high, floor_value);
    }
}

static void take_smallest(pls_report_facts *facts, double mu, double lower, double upper,
                          double floor_value) {
    facts->mu = mu;
    facts->mu_lower = lower;
    facts->mu_upper = upper;
    facts->mu_floor = floor_value;
}

static void find_along_the_way(const pls_report_run *run, pls_report_facts *facts) {
    const pls_metrics *metrics = &run->metrics;
    double *const *column = metrics->column;
    for (int64_t i = 0; i < metrics->rows; i++) {
        double loss = column[PLS_METRIC_LOSS][i], mu = column[PLS_METRIC_LAMBDA_MIN][i];
        double floor_value = pls_report_floor_at(run, i);
        facts->steps = fmax(facts->steps, column[PLS_METRIC_STEP][i]);
        if (!isnan(loss)) {
            facts->loss = loss;
            if (column[PLS_METRIC_STEP][i] == 0.0) {
                facts->initial_loss = loss;
            }
        }
        if (!isnan(mu)) {
            facts->mu_measured++;
            facts->mu_below_floor += pls_below_floor(mu, floor_value);
            if (!(mu >= facts->mu)) {
                take_smallest(facts, mu, column[PLS_METRIC_LAMBDA_MIN_LOWER][i],
                              column[PLS_METRIC_LAMBDA_MIN_UPPER][i], floor_value);
            }
        }
        count_ratio(facts, column[PLS_METRIC_PL_RATIO][i], mu, column[PLS_METRIC_LAMBDA_MAX][i],
                    floor_value);
    }
}

static void check_rate(const pls_report_run *run, pls_report_facts *facts) {
    const char *optimizer = pls_report_string(run, "optimizer");
    double contraction = 1.0 - pls_report_number(run, "step_size") * facts->mu;
    if (!facts->square || (optimizer != NULL && strcmp(optimizer, "gd") != 0) ||
        !(facts->initial_loss > 0.0) || !(contraction >= 0.0 && contraction < 1.0) ||
        pls_below_floor(facts->mu, facts->mu_floor)) {
        return;
    }
    facts->has_rate = true;
    facts->contraction = contraction;
    for (int64_t i = 0; i < run->metrics.rows; i++) {
        double loss = run->metrics.column[PLS_METRIC_LOSS][i];
        if (!isnan(loss)) {
            double bound = pls_report_rate(facts, run->metrics.column[PLS_METRIC_STEP][i]);
            facts->rate_rows++;
            facts->rate_broken += loss > bound * (1.0 + rounding);
        }
    }
}

double pls_report_rate(const pls_report_facts *facts, double step) {
    return pow(facts->contraction, step) * facts->initial_loss;
}

pls_report_facts pls_report_find_facts(const pls_report_run *run) {
    pls_report_facts facts = {
        .initial_loss = NAN, .loss = NAN, .mu = NAN, .mu_lower = NAN, .mu_upper = NAN};
    const char *loss_name = pls_report_string(run, "loss_function");
    const char *kernel = pls_report_string(run, "kernel");
    facts.square = loss_name == NULL || strcmp(loss_name, "square") == 0;
    facts.identity = facts.square && (kernel == NULL || strcmp(kernel, "N x N") == 0);
    facts.mu_floor = pls_report_number(run, "kernel_floor");
    if (!run->is_train) {
        facts.loss = pls_report_number(run, "loss");
        take_smallest(&facts, pls_report_number(run, "lambda_min"),
                      pls_report_number(run, "lambda_min_lower"),
                      pls_report_number(run, "lambda_min_upper"), facts.mu_floor);
        facts.mu_measured = !isnan(facts.mu);
        facts.mu_below_floor = pls_below_floor(facts.mu, facts.mu_floor);
        count_ratio(&facts, pls_report_number(run, "pl_ratio"), facts.mu,
                    pls_report_number(run, "lambda_max"), facts.mu_floor);
        return facts;
    }
    find_along_the_way(run, &facts);
    double steps = pls_report_number(run, "steps");
    double loss = pls_report_number(run, "loss");
    double initial_loss = pls_report_number(run, "initial_loss");
    double mu = pls_report_number(run, "mu_infimum");
    facts.steps = isnan(steps) ? facts.steps : steps;
    facts.loss = isnan(loss) ? facts.loss : loss;
    facts.initial_loss = isnan(initial_loss) ? facts.initial_loss : initial_loss;
    if (isnan(mu) && isnan(facts.mu)) {
        mu = pls_report_number(run, "lambda_min");
    }
    /* One that the table does not hold comes without its interval. */
    if (!isnan(mu) && !(facts.mu <= mu * (1.0 + rounding))) {
        double floor = pls_report_number(run, "mu_infimum_floor");
        take_smallest(&facts, mu, NAN, NAN,
                      isnan(floor) ? pls_report_number(run, "kernel_floor") : floor);
    }
    /* The run itself knows better what rounding allowed at each step. */
    double violations = pls_report_number(run, "violations");
    if (facts.identity && !isnan(violations)) {
        facts.ratio_outside = (int64_t)violations;
    }
    check_rate(run, &facts);
    return facts;
}
