/* Gradient descent from w_0, and what happens on its way.
 *
 * The path ends after T steps, or at the first loss of at most `until` L_0. The rate is the slope
 * of the least-squares line through -log L_t. Of a path that diverges only the peak of the loss up
 * to there is known: other suprema may have been yet to come. */
#include "study/study.h"

#include <math.h>
#include <string.h>

static const double THOUSANDTH = 1e-3;

typedef struct path {
    pls_cell_run *run;
    double start; /* L_0 */
    double peak, change;
    double count, t, z, tt, tz; /* sums over steps with a loss: 1, t, -log L, t^2, -t log L */
} path;

static pls_status watch(void *user, const pls_record *record, const pls_progress *progress) {
    path *p = user;
    double t = (double)record->step;
    (void)progress;
    if (record->step == 0) {
        p->start = record->loss;
    }
    double share = record->loss / p->start;
    p->peak = isnan(share) ? INFINITY : fmax(p->peak, share);
    if (record->loss > 0.0 && isfinite(record->loss)) {
        double z = -log(record->loss / p->start);
        p->count += 1.0;
        p->t += t;
        p->z += z;
        p->tt += t * t;
        p->tz += t * z;
    }
    if (record->measured) {
        p->change = fmax(p->change, record->kernel_change);
        pls_minima_add(&p->run->minima, record->lambda_min, record->kernel_floor);
    }
    return PLS_OK;
}

static double slope_of(const path *p) {
    double spread = p->tt - p->t * p->t / p->count;
    return spread > 0.0 ? (p->tz - p->t * p->z / p->count) / spread : NAN;
}

static pls_train_options options_for(const pls_cell_run *run, path *p) {
    pls_train_options options = pls_train_options_defaults();
    options.step_rule = PLS_STEP_CRITICAL;
    options.step_size = THOUSANDTH * (double)run->cell.at[PLS_AXIS_STEP];
    options.steps = run->study->steps;
    options.stop_at = run->study->until;
    if (pls_cell_asks(run, PLS_QUANTITY_KERNEL_CHANGE) || pls_study_asks_minima(run->study)) {
        options.measure_every = run->study->measure_every;
    } else { /* at both ends, or at the first alone for the step size */
        options.measure_every = pls_cell_asks(run, PLS_QUANTITY_FLATNESS) ? options.steps : 0;
    }
    options.kernel.method = PLS_KERNEL_STRUCTURED;
    options.observer = watch;
    options.observer_user = p;
    return options;
}

static void take_values(pls_cell_run *run, const path *p, const pls_train_result *result,
                        bool diverged) {
    static const pls_quantity of_the_whole[] = {
        PLS_QUANTITY_KERNEL_CHANGE, PLS_QUANTITY_DISTANCE, PLS_QUANTITY_FINAL_LOSS,
        PLS_QUANTITY_STEPS,         PLS_QUANTITY_RATE,     PLS_QUANTITY_PL_RATIO_END,
        PLS_QUANTITY_FLATNESS,
    };
    double final = result->last.loss / p->start;
    pls_cell_value(run, PLS_QUANTITY_LOSS_PEAK, p->peak, 0.0);
    if (diverged) {
        run->minima.cut = true;
        for (size_t i = 0; i < sizeof of_the_whole / sizeof of_the_whole[0]; i++) {
            pls_cell_no_value(run, of_the_whole[i], PLS_REASON_DIVERGED);
        }
        return;
    }
    pls_cell_value(run, PLS_QUANTITY_KERNEL_CHANGE, p->change, 0.0);
    pls_cell_value(run, PLS_QUANTITY_DISTANCE, result->last.distance, 0.0);
    pls_cell_value(run, PLS_QUANTITY_FINAL_LOSS, final, 0.0);
    pls_cell_value(run, PLS_QUANTITY_RATE, slope_of(p), 0.0);
    pls_cell_value(run, PLS_QUANTITY_PL_RATIO_END, result->last.pl_ratio, 0.0);
    pls_cell_value(run, PLS_QUANTITY_FLATNESS,
                   result->spectrum.lambda_max / result->first_spectrum.lambda_max, 0.0);
    if (final <= run->study->until) {
        pls_cell_value(run, PLS_QUANTITY_STEPS, (double)result->steps, 0.0);
    } else {
        pls_cell_no_value(run, PLS_QUANTITY_STEPS, PLS_REASON_NOT_REACHED);
    }
}

pls_status pls_cell_measure_path(pls_cell_run *run) {
    pls_context *context = run->context;
    path p = {.run = run};
    pls_train_options options = options_for(run, &p);
    pls_train_result result;
    memset(&result, 0, sizeof result);
    pls_status status = pls_train(run->system, &options, &result);
    bool diverged = status == PLS_DIVERGED;
    if (diverged) {
        pls_error_clear(context);
    } else {
        PLS_TRY(context, status);
    }
    status = PLS_OK;
    take_values(run, &p, &result, diverged);
    PLS_TRY(context, pls_system_set_weights(run->system, run->origin));
cleanup:
    pls_train_result_destroy(context, &result);
    return status;
}
