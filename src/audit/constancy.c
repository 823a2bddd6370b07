/* Claim 17: a kernel that changes is no obstacle. Networks with a non-linear output, and with a
 * bottleneck, whose kernels do not become constant with the width, converge all the same: the loss
 * falls to a thousandth, as it would under PL*, while the kernel changes by a tenth of its size or
 * more. That it falls at a linear rate is not held against anything here. The output is softplus,
 * whose slope vanishes nowhere, and the targets are 1 and 2, which it reaches; the slope of swish
 * vanishes, and gradient descent loses the samples that start beyond that point. */
#include "audit/audit.h"
#include "base/memory.h"

#include <math.h>

static const double UNTIL = 1e-3, CHANGES = 0.1;
enum { SAMPLES = 16, STEPS = 4000, EVERY = 100 };

static pls_status look(pls_audit *audit, const pls_dataset *data, const pls_model *model,
                       pls_axis_kind axis, int64_t value, int64_t depth, const char *converges,
                       const char *changes, pls_claim_result *result) {
    pls_measured values[PLS_QUANTITY_COUNT];
    pls_study study = pls_study_defaults();
    int64_t seed = (int64_t)(audit->options->seed % 1000000007), step = 300;
    pls_status status = PLS_OK;
    study.model = model;
    study.data = data;
    study.axes[axis] = (pls_axis_values){&value, 1};
    study.axes[PLS_AXIS_DEPTH] = (pls_axis_values){&depth, 1};
    study.axes[PLS_AXIS_STEP] = (pls_axis_values){&step, 1};
    study.axes[PLS_AXIS_SEED] = (pls_axis_values){&seed, 1};
    study.steps = STEPS;
    study.measure_every = EVERY;
    study.until = UNTIL;
    study.quantities[PLS_QUANTITY_KERNEL_CHANGE] = study.quantities[PLS_QUANTITY_FINAL_LOSS] = true;
    pls_cell cell = pls_study_cell(&study, 0);
    PLS_TRY(audit->context, pls_study_measure(audit->system->device, &study, &cell, values));
    pls_claim_at_most(result, converges,
                      pls_audit_seen(audit, "loss", values[PLS_QUANTITY_FINAL_LOSS].value), UNTIL,
                      0.0);
    pls_claim_at_least(result, changes,
                       pls_audit_seen(audit, "kernel", values[PLS_QUANTITY_KERNEL_CHANGE].value),
                       CHANGES, 0.0);
cleanup:
    return status;
}

pls_status pls_check_constancy(pls_audit *audit, pls_claim_result *result) {
    static const int64_t classes[] = {1, 2};
    pls_layer_spec layers[] = {
        {.type = PLS_LAYER_DENSE, .width = 512, .activation = PLS_TANH},
        {.type = PLS_LAYER_DENSE, .width = 512, .activation = PLS_TANH},
        {.type = PLS_LAYER_DENSE, .width = 1},
    };
    pls_data_options options = pls_data_options_defaults();
    pls_model model = pls_model_defaults();
    pls_dataset data = {0};
    pls_status status = PLS_OK;
    options.source = "digits";
    options.samples = SAMPLES;
    options.classes = classes;
    options.class_count = 2;
    options.targets = PLS_TARGETS_REGRESSION;
    options.normalize = PLS_NORMALIZE_SPHERE;
    PLS_TRY(audit->context, pls_dataset_load(audit->context, &options, &data));
    model.input_rank = 1;
    model.input_shape[0] = data.dimension;
    model.layer_count = 3;
    model.layers = layers;
    PLS_TRY(audit->context, look(audit, &data, &model, PLS_AXIS_OUTPUT, PLS_SOFTPLUS, 2,
                                 "non-linear output: L_T / L_0 <= 0.001",
                                 "non-linear output: kernel change >= 0.1", result));
    PLS_TRY(audit->context, look(audit, &data, &model, PLS_AXIS_BOTTLENECK, 4, 3,
                                 "bottleneck of 4: L_T / L_0 <= 0.001",
                                 "bottleneck of 4: kernel change >= 0.1", result));
    pls_claim_describe(result,
                       "networks of width 512 on %d digits of two kinds, with softplus as output "
                       "and with a bottleneck; an example of its own, whatever is audited",
                       (int)SAMPLES);
cleanup:
    pls_dataset_destroy(audit->context, &data);
    return status;
}
