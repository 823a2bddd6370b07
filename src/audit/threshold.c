/* Claim 13, of a small two-layer network on random points: below P = N the kernel J J^T is singular
 * and the loss stays; above, lambda_min(K) > 0 and the loss goes to 0. Half the critical step: with
 * nearly all of it gradient descent diverges from some starts, which says nothing of thresholds. */
#include "audit/audit.h"

#include <math.h>
#include <string.h>

enum { SAMPLES = 40, DIMENSION = 4 };
enum { STEPS_BELOW = 20000, STEPS_ABOVE = 60000 }; /* P = N; at most */
static const int64_t WIDTHS[] = {4, 6, 16, 32};    /* P / N = 0.5, 0.75, 2, 4 */
static const double STAYS = 1e-3, GOES = 1e-6;

typedef struct small {
    pls_audit *audit;
    pls_layer_spec layers[2];
    pls_model model;
    pls_dataset data;
} small;

static pls_status make(pls_audit *audit, small *s) {
    pls_data_options data = pls_data_options_defaults();
    memset(s, 0, sizeof *s);
    s->audit = audit;
    s->layers[0] = (pls_layer_spec){.type = PLS_LAYER_DENSE, .width = 8, .activation = PLS_TANH};
    s->layers[1] = (pls_layer_spec){.type = PLS_LAYER_DENSE, .width = 1};
    s->model = pls_model_defaults();
    s->model.input_rank = 1;
    s->model.input_shape[0] = DIMENSION;
    s->model.layer_count = 2;
    s->model.layers = s->layers;
    data.source = "gaussian";
    data.samples = SAMPLES;
    data.dimension = DIMENSION;
    data.labels = PLS_LABELS_RANDOM;
    data.seed = audit->options->seed;
    data.normalize = PLS_NORMALIZE_SPHERE;
    return pls_dataset_load(audit->context, &data, &s->data);
}

/* ---- 13
 * ------------------------------------------------------------------------------------------ */

static void compare(const small *s, pls_claim_result *result, const pls_measured *values) {
    double filling = values[PLS_QUANTITY_FILLING].value;
    double loss = pls_audit_seen(s->audit, "loss", values[PLS_QUANTITY_FINAL_LOSS].value);
    const pls_measured *least = &values[PLS_QUANTITY_LAMBDA_MIN];
    bool singular = least->reason != NULL;
    if (filling < 1.0) {
        if (!singular) { /* else there is no number to show */
            pls_claim_at_most(result, "lambda_min(K) below its floor with P < N", least->value,
                              least->error, 0.0);
        }
        pls_claim_at_least(result, "L_T / L_0 stays above 0.001 with P < N", loss, STAYS, 0.0);
    } else {
        pls_claim_at_least(result, "lambda_min(K) above its floor with P > N",
                           singular ? 0.0 : least->value, least->error, 0.0);
        if (filling >= 4.0) {
            pls_claim_at_most(result, "L_T / L_0 below 1e-6 with P = 4 N", loss, GOES, 0.0);
        }
    }
}

pls_status pls_check_threshold(pls_audit *audit, pls_claim_result *result) {
    static const int64_t step = 500;
    small s;
    pls_measured values[PLS_QUANTITY_COUNT];
    int64_t seed = (int64_t)(audit->options->seed % 1000000007);
    pls_status status = PLS_OK;
    PLS_TRY(audit->context, make(audit, &s));
    pls_study study = pls_study_defaults();
    study.model = &s.model;
    study.data = &s.data;
    study.axes[PLS_AXIS_WIDTH] = (pls_axis_values){WIDTHS, sizeof WIDTHS / sizeof WIDTHS[0]};
    study.axes[PLS_AXIS_STEP] = (pls_axis_values){&step, 1};
    study.axes[PLS_AXIS_SEED] = (pls_axis_values){&seed, 1};
    study.until = 0.1 * GOES;
    study.quantities[PLS_QUANTITY_FILLING] = study.quantities[PLS_QUANTITY_LAMBDA_MIN] =
        study.quantities[PLS_QUANTITY_FINAL_LOSS] = true;
    for (int64_t c = 0; c < pls_study_cells(&study); c++) {
        pls_cell cell = pls_study_cell(&study, c);
        bool above = WIDTHS[c] * (DIMENSION + 1) > SAMPLES;
        study.steps = study.measure_every = above ? STEPS_ABOVE : STEPS_BELOW;
        PLS_TRY(audit->context, pls_study_measure(audit->system->device, &study, &cell, values));
        compare(&s, result, values);
    }
    pls_claim_describe(result,
                       "a two-layer tanh network on %d random points with random targets, "
                       "P/N = 0.5, 0.75, 2 and 4; it does not depend on the system",
                       (int)SAMPLES);
cleanup:
    pls_dataset_destroy(audit->context, &s.data);
    return status;
}
