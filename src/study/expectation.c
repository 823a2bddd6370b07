/* What the theory says of the power of the width m that a quantity follows (arXiv 2003.00307,
 * sections 3 and 5), in the ntk parameterization:
 *     ||H||, |F - F_lin|                      O~(m^-1/2): at most -1/2, but for a factor sqrt(log
 * m) changes of K and of mu, ||K_0 - Theta|| O(m^-1/2):  at most -1/2
 *     ||grad F||                              Theta(1):   flat, here within 0.1
 * With a non-linear output or a bottleneck ||H|| and the change of K are Theta(1), here flat within
 * 0.2, and fall with the width of the bottleneck.
 *
 * A slope is judged within its interval. One that reaches what is expected, but also what would
 * refute it (0 where it should fall, 1/2 where it should be flat), decides nothing. */
#include "study/study.h"

#include <math.h>

static const double ROOT = -0.5, FLAT_GRADIENT = 0.1, FLAT = 0.2, STEEP = 0.5;

static bool output_is_linear(const pls_study *study, const pls_cell *cell) {
    const pls_model *model = study->model;
    int64_t output = cell->at[PLS_AXIS_OUTPUT];
    if (output < 0 && model->layer_count > 0) {
        output = (int64_t)model->layers[model->layer_count - 1].activation;
    }
    return output == PLS_IDENTITY;
}

static pls_expectation of_wide(pls_quantity quantity, bool divide_log) {
    switch (quantity) {
    case PLS_QUANTITY_GRADIENT_NORM:
        return (pls_expectation){PLS_TREND_FLAT, FLAT_GRADIENT};
    case PLS_QUANTITY_HESSIAN_NORM:
    case PLS_QUANTITY_HESSIAN_SPHERE:
    case PLS_QUANTITY_NONLINEARITY:
        return (pls_expectation){divide_log ? PLS_TREND_AT_MOST : PLS_TREND_NONE, ROOT};
    case PLS_QUANTITY_KERNEL_CHANGE:
    case PLS_QUANTITY_MU_LOSS:
    case PLS_QUANTITY_MU_CHANGE:
    case PLS_QUANTITY_INFINITE_DISTANCE:
        return (pls_expectation){PLS_TREND_AT_MOST, ROOT};
    default:
        return (pls_expectation){PLS_TREND_NONE, 0.0};
    }
}

pls_expectation pls_study_expectation(const pls_study *study, const pls_cell *cell,
                                      pls_quantity quantity, bool divide_log,
                                      pls_axis_kind against) {
    bool straight = output_is_linear(study, cell);
    bool narrow = against == PLS_AXIS_BOTTLENECK || cell->at[PLS_AXIS_BOTTLENECK] > 0;
    bool stays = !divide_log &&
                 (quantity == PLS_QUANTITY_HESSIAN_NORM || quantity == PLS_QUANTITY_KERNEL_CHANGE);
    pls_expectation nothing = {PLS_TREND_NONE, 0.0};
    if (study->model->parameterization != PLS_PARAMETERIZATION_NTK) {
        return nothing;
    }
    if (against == PLS_AXIS_BOTTLENECK) {
        return stays && straight ? (pls_expectation){PLS_TREND_AT_MOST, 0.0} : nothing;
    }
    if (against != PLS_AXIS_WIDTH) {
        return nothing;
    }
    if (narrow || !straight) {
        return stays ? (pls_expectation){PLS_TREND_FLAT, FLAT} : nothing;
    }
    return of_wide(quantity, divide_log);
}

pls_slope_verdict pls_fit_judge(const pls_fit *fit, const pls_expectation *expectation) {
    bool flat = expectation->trend == PLS_TREND_FLAT;
    double half = 0.5 * (fit->high - fit->low), size = fabs(fit->slope);
    bool meets = flat ? size <= expectation->bound + half : fit->low <= expectation->bound;
    bool refutable = flat ? size + half < STEEP : fit->high < 0.0;
    if (expectation->trend == PLS_TREND_NONE || !isfinite(fit->low) || !isfinite(fit->high)) {
        return PLS_SLOPE_UNDECIDED;
    }
    return !meets ? PLS_SLOPE_VIOLATED : refutable ? PLS_SLOPE_HOLDS : PLS_SLOPE_UNDECIDED;
}
