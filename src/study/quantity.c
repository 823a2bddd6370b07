/* Names of what studies measure, and of the axes along which cells differ. */
#include "plstar/study.h"

#include <stddef.h>

static const struct {
    const char *name, *meaning;
} quantities[PLS_QUANTITY_COUNT] = {
    [PLS_QUANTITY_GRADIENT_NORM] = {"gradient_norm", "largest ||grad F_i|| at w_0"},
    [PLS_QUANTITY_HESSIAN_NORM] = {"hessian_norm", "largest ||H_i|| at w_0"},
    [PLS_QUANTITY_HESSIAN_SPHERE] = {"hessian_sphere",
                                     "largest ||H_i|| at w_0 and at distance R from it"},
    [PLS_QUANTITY_NONLINEARITY] = {"nonlinearity", "largest |F_i - F_lin,i| at distance R"},
    [PLS_QUANTITY_TAYLOR_RATIO] = {"taylor_ratio",
                                   "largest |F_i - F_lin,i| over 1/2 R^2 sup ||H_i||"},
    [PLS_QUANTITY_LAMBDA_MIN] = {"lambda_min", "smallest eigenvalue of K_0"},
    [PLS_QUANTITY_LAMBDA_MAX] = {"lambda_max", "largest eigenvalue of K_0"},
    [PLS_QUANTITY_KERNEL_CHANGE] = {"kernel_change",
                                    "change of the kernel, largest ||K_t - K_0||_F / ||K_0||_F"},
    [PLS_QUANTITY_MU_LOSS] = {"mu_loss", "loss of mu, 1 - inf mu / mu_0 on path and sphere"},
    [PLS_QUANTITY_MU_CHANGE] = {"mu_change",
                                "change of mu, largest |mu / mu_0 - 1| on path and sphere"},
    [PLS_QUANTITY_DISTANCE] = {"distance", "distance travelled, ||w_T - w_0||"},
    [PLS_QUANTITY_STEPS] = {"steps", "steps to the loss asked for"},
    [PLS_QUANTITY_FINAL_LOSS] = {"final_loss", "loss at the end, L_T / L_0"},
    [PLS_QUANTITY_LOSS_PEAK] = {"loss_peak", "largest L_t / L_0 on the path"},
    [PLS_QUANTITY_RATE] = {"rate", "decrease of log L a step"},
    [PLS_QUANTITY_PL_RATIO_END] = {"pl_ratio_end", "PL ratio at the end of the path"},
    [PLS_QUANTITY_FLATNESS] = {"flatness", "largest eigenvalue of K_T over that of K_0"},
    [PLS_QUANTITY_INFINITE_DISTANCE] =
        {"infinite_distance", "distance from infinite width, ||K_0 - Theta||_F / ||Theta||_F"},
    [PLS_QUANTITY_FILLING] = {"filling", "number of weights an equation, P / N"},
};

const char *pls_quantity_name(pls_quantity quantity) {
    return quantity < PLS_QUANTITY_COUNT ? quantities[quantity].name : NULL;
}

const char *pls_quantity_meaning(pls_quantity quantity) {
    return quantity < PLS_QUANTITY_COUNT ? quantities[quantity].meaning : NULL;
}

const char *pls_axis_name(pls_axis_kind axis) {
    static const char *const names[PLS_AXIS_COUNT] = {"width",      "depth", "activation", "output",
                                                      "bottleneck", "step",  "seed"};
    return axis < PLS_AXIS_COUNT ? names[axis] : NULL;
}
