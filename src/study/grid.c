/* The cells of a study, and the network of a cell.
 *
 * The number of a cell has mixed-radix digits, one an axis, that of the seed the fastest. Hidden
 * layers are those with weights but the last, which is the output. */
#include "study/study.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

enum { LEAST_HIDDEN = 3, DEEPEST = 1 << 16 };

pls_study pls_study_defaults(void) {
    static const int64_t as_it_is = 0, as_the_model = -1, half_critical = 500;
    pls_study study = {.hessian_samples = 4,
                       .radius = 1.0,
                       .directions = 4,
                       .steps = 100,
                       .measure_every = 10,
                       .until = 1e-3};
    for (int a = 0; a < PLS_AXIS_COUNT; a++) {
        study.axes[a] = (pls_axis_values){&as_it_is, 1};
    }
    study.axes[PLS_AXIS_ACTIVATION].values = &as_the_model;
    study.axes[PLS_AXIS_OUTPUT].values = &as_the_model;
    study.axes[PLS_AXIS_STEP].values = &half_critical;
    return study;
}

/* ---- cells ----------------------------------------------------------------------------------- */

int64_t pls_study_cells(const pls_study *study) {
    int64_t cells = 1;
    for (int a = 0; a < PLS_AXIS_COUNT; a++) {
        if (!pls_multiply(cells, study->axes[a].count, &cells)) {
            return INT64_MAX;
        }
    }
    return cells;
}

pls_cell pls_study_cell(const pls_study *study, int64_t index) {
    pls_cell cell;
    for (int a = PLS_AXIS_COUNT - 1; a >= 0; a--) {
        cell.at[a] = study->axes[a].values[index % study->axes[a].count];
        index /= study->axes[a].count;
    }
    return cell;
}

/* ---- the network of a cell ------------------------------------------------------------------- */

static bool has_weights(const pls_layer_spec *layer) {
    return layer->type == PLS_LAYER_DENSE || layer->type == PLS_LAYER_CONV ||
           layer->type == PLS_LAYER_RESIDUAL_DENSE || layer->type == PLS_LAYER_RESIDUAL_CONV;
}

static bool is_dense_chain(const pls_model *model) {
    for (int64_t l = 0; l < model->layer_count; l++) {
        if (model->layers[l].type != PLS_LAYER_DENSE) {
            return false;
        }
    }
    return true;
}

static int64_t deepest(const pls_study *study) {
    const pls_axis_values *depths = &study->axes[PLS_AXIS_DEPTH];
    int64_t most = 0;
    for (int64_t i = 0; i < depths->count; i++) {
        most = pls_larger(most, depths->values[i]);
    }
    return most;
}

int64_t pls_study_layers(const pls_study *study) {
    return pls_larger(study->model->layer_count, deepest(study) + 1);
}

static pls_status refuse(pls_context *context, pls_axis_kind axis, int64_t value, const char *why) {
    return pls_fail(context, PLS_ERROR_CONFIG, "study: %s %lld: %s", pls_axis_name(axis),
                    (long long)value, why);
}

/* Copies the chain, `depth` layers deep if that is not 0. */
static pls_status lay_out(pls_context *context, const pls_model *base, int64_t depth,
                          pls_layer_spec *layers, pls_model *model) {
    *model = *base;
    model->layers = layers;
    if (depth == 0) {
        memcpy(layers, base->layers, (size_t)base->layer_count * sizeof *layers);
        return PLS_OK;
    }
    if (!is_dense_chain(base) || base->layer_count < 2) {
        return refuse(context, PLS_AXIS_DEPTH, depth,
                      "only a chain of dense layers with a hidden one can be made deeper; leave "
                      "study.depths out");
    }
    for (int64_t l = 0; l < depth; l++) {
        layers[l] = base->layers[0];
    }
    layers[depth] = base->layers[base->layer_count - 1];
    model->layer_count = depth + 1;
    return PLS_OK;
}

static void widen(pls_layer_spec *layer, int64_t width) {
    bool is_image = layer->type == PLS_LAYER_CONV || layer->type == PLS_LAYER_RESIDUAL_CONV;
    *(is_image ? &layer->channels : &layer->width) = width;
}

static pls_status narrow(pls_context *context, int64_t width, pls_model *model,
                         pls_layer_spec *layers) {
    int64_t hidden = model->layer_count - 1;
    if (width == 0) {
        return PLS_OK;
    }
    if (!is_dense_chain(model) || hidden < LEAST_HIDDEN) {
        return refuse(context, PLS_AXIS_BOTTLENECK, width,
                      "a bottleneck lies between hidden layers of a chain of dense layers, which "
                      "needs at least three of them; set study.depths: [3]");
    }
    layers[hidden / 2].width = width;
    return PLS_OK;
}

pls_status pls_study_model(pls_context *context, const pls_study *study, const pls_cell *cell,
                           pls_layer_spec *layers, pls_model *model) {
    const int64_t *at = cell->at;
    int64_t output = 0;
    pls_status status = PLS_OK;
    PLS_TRY(context, lay_out(context, study->model, at[PLS_AXIS_DEPTH], layers, model));
    for (int64_t l = 0; l < model->layer_count; l++) {
        output = has_weights(&layers[l]) ? l : output;
    }
    bool is_widened = false;
    for (int64_t l = 0; l < output; l++) {
        if (has_weights(&layers[l]) && at[PLS_AXIS_WIDTH] > 0) {
            widen(&layers[l], at[PLS_AXIS_WIDTH]);
            is_widened = true;
        }
        if (has_weights(&layers[l]) && at[PLS_AXIS_ACTIVATION] >= 0) {
            layers[l].activation = (pls_activation)at[PLS_AXIS_ACTIVATION];
        }
    }
    if (at[PLS_AXIS_WIDTH] > 0 && !is_widened) {
        return refuse(context, PLS_AXIS_WIDTH, at[PLS_AXIS_WIDTH],
                      "the network has no hidden layer that could be made wider; give it one in "
                      "model.layers");
    }
    if (at[PLS_AXIS_OUTPUT] >= 0) {
        layers[output].activation = (pls_activation)at[PLS_AXIS_OUTPUT];
    }
    PLS_TRY(context, narrow(context, at[PLS_AXIS_BOTTLENECK], model, layers));
    PLS_TRY(context, pls_model_check(context, model, NULL, NULL));
cleanup:
    return status;
}

/* ---- checks ---------------------------------------------------------------------------------- */

bool pls_study_asks_kernel(const pls_study *study) {
    return study->quantities[PLS_QUANTITY_GRADIENT_NORM] ||
           study->quantities[PLS_QUANTITY_LAMBDA_MIN] ||
           study->quantities[PLS_QUANTITY_LAMBDA_MAX] ||
           study->quantities[PLS_QUANTITY_INFINITE_DISTANCE] || pls_study_asks_minima(study);
}

bool pls_study_asks_hessians_apart(const pls_study *study) {
    return study->quantities[PLS_QUANTITY_HESSIAN_SPHERE] ||
           study->quantities[PLS_QUANTITY_TAYLOR_RATIO];
}

bool pls_study_asks_hessians(const pls_study *study) {
    return study->quantities[PLS_QUANTITY_HESSIAN_NORM] || pls_study_asks_hessians_apart(study);
}

bool pls_study_asks_sphere(const pls_study *study) {
    return study->quantities[PLS_QUANTITY_HESSIAN_SPHERE] ||
           study->quantities[PLS_QUANTITY_NONLINEARITY] ||
           study->quantities[PLS_QUANTITY_TAYLOR_RATIO] || pls_study_asks_minima(study);
}

bool pls_study_asks_minima(const pls_study *study) {
    return study->quantities[PLS_QUANTITY_MU_LOSS] || study->quantities[PLS_QUANTITY_MU_CHANGE];
}

bool pls_study_asks_path(const pls_study *study) {
    static const pls_quantity along[] = {
        PLS_QUANTITY_KERNEL_CHANGE, PLS_QUANTITY_MU_LOSS, PLS_QUANTITY_MU_CHANGE,
        PLS_QUANTITY_DISTANCE,      PLS_QUANTITY_STEPS,   PLS_QUANTITY_FINAL_LOSS,
        PLS_QUANTITY_LOSS_PEAK,     PLS_QUANTITY_RATE,    PLS_QUANTITY_PL_RATIO_END,
        PLS_QUANTITY_FLATNESS,
    };
    for (size_t i = 0; i < sizeof along / sizeof along[0]; i++) {
        if (study->quantities[along[i]]) {
            return true;
        }
    }
    return false;
}

int64_t pls_study_hessian_samples(const pls_study *study) {
    int64_t all = study->data->samples;
    return study->hessian_samples > 0 ? pls_smaller(study->hessian_samples, all) : all;
}

/* The range of an axis, and a word for it. */
static pls_status check_axis(pls_context *context, const pls_study *study, pls_axis_kind axis) {
    static const int64_t least[PLS_AXIS_COUNT] = {0, 0, -1, -1, 0, 1, 0};
    const pls_axis_values *values = &study->axes[axis];
    bool is_activation = axis == PLS_AXIS_ACTIVATION || axis == PLS_AXIS_OUTPUT;
    int64_t most = is_activation            ? PLS_ACTIVATION_COUNT - 1
                   : axis == PLS_AXIS_DEPTH ? DEEPEST
                                            : INT64_MAX;
    if (values->count < 1) {
        return pls_fail(context, PLS_ERROR_CONFIG,
                        "study: axis %s has no values; at least one was "
                        "expected",
                        pls_axis_name(axis));
    }
    for (int64_t i = 0; i < values->count; i++) {
        if (values->values[i] < least[axis] || values->values[i] > most) {
            return refuse(context, axis, values->values[i], "out of the range of this axis");
        }
        for (int64_t j = 0; j < i; j++) {
            if (values->values[j] == values->values[i]) {
                return refuse(context, axis, values->values[i], "is there twice");
            }
        }
    }
    return PLS_OK;
}

static pls_status check_numbers(pls_context *context, const pls_study *study) {
    const char *what =
        study->hessian_samples < 0 ? "hessian_samples must not be negative"
        : study->directions < 1    ? "directions must be at least 1"
        : study->steps < 1         ? "steps must be at least 1"
        : study->measure_every < 1 ? "measure_every must be at least 1"
        : !(study->radius > 0.0) || !isfinite(study->radius) ? "radius must be a positive number"
        : !(study->until >= 0.0 && study->until < 1.0)       ? "until must lie between 0 and 1"
                                                             : NULL;
    return what == NULL ? PLS_OK : pls_fail(context, PLS_ERROR_CONFIG, "study: %s", what);
}

static pls_status check_fit(pls_context *context, const pls_study *study, const pls_model *model) {
    int64_t inputs = 1, outputs = 0;
    pls_status status = pls_model_check(context, model, NULL, &outputs);
    for (int i = 0; status == PLS_OK && i < model->input_rank; i++) {
        inputs *= model->input_shape[i];
    }
    if (status == PLS_OK && (inputs != study->data->dimension || outputs != study->data->outputs)) {
        return pls_fail(context, PLS_ERROR_CONFIG,
                        "study: the network takes %lld numbers and gives %lld, but the data has "
                        "inputs of %lld and targets of %lld; make model.input and the last of "
                        "model.layers fit the data",
                        (long long)inputs, (long long)outputs, (long long)study->data->dimension,
                        (long long)study->data->outputs);
    }
    return status;
}

/* Networks that need second derivatives and have none. */
static pls_status check_smooth(pls_context *context, const pls_study *study,
                               const pls_model *model) {
    for (int64_t l = 0; pls_study_asks_hessians(study) && l < model->layer_count; l++) {
        if (has_weights(&model->layers[l]) && model->layers[l].activation == PLS_RELU) {
            return pls_fail(context, PLS_ERROR_UNSUPPORTED,
                            "study: layer %lld is relu, which has no second derivative at 0; take "
                            "another activation, or leave the quantities hessian_norm, "
                            "hessian_sphere and taylor_ratio out",
                            (long long)l);
        }
    }
    return PLS_OK;
}

pls_status pls_study_check(pls_context *context, const pls_study *study) {
    pls_layer_spec *layers = NULL;
    pls_model model;
    pls_status status = PLS_OK;
    PLS_TRY(context, check_numbers(context, study));
    for (int a = 0; a < PLS_AXIS_COUNT; a++) {
        PLS_TRY(context, check_axis(context, study, (pls_axis_kind)a));
    }
    if (pls_study_cells(study) == INT64_MAX) {
        return pls_fail(
            context, PLS_ERROR_CONFIG,
            "study: its axes make more cells than 64 bits can count; take fewer values");
    }
    PLS_TRY(context,
            pls_allocate(context, pls_study_layers(study), sizeof *layers, "a study", &layers));
    int64_t seeds = study->axes[PLS_AXIS_SEED].count;
    for (int64_t c = 0; c < pls_study_cells(study); c += seeds) {
        pls_cell cell = pls_study_cell(study, c);
        PLS_TRY(context, pls_study_model(context, study, &cell, layers, &model));
        PLS_TRY(context, check_fit(context, study, &model));
        PLS_TRY(context, check_smooth(context, study, &model));
    }
cleanup:
    pls_release(context, layers);
    return status;
}
