/* The table of ready studies. Quick sizes take minutes on two cores; full ones are for a GPU. */
#include "cli/ready.h"

#include <string.h>

enum { QUICK, FULL, SIZES, MOST_SETTINGS = 16 };

typedef struct ready_setting {
    const char *key;
    const char *text[SIZES]; /* the second NULL: as the first */
} ready_setting;

typedef struct ready_study {
    const char *name, *purpose;
    ready_setting settings[MOST_SETTINGS];
} ready_study;

/* Where there is nothing else: two kinds of digits, and one output. */
static const ready_setting any[] = {
    {"precision", {"f64"}},
    {"data.classes", {"[0, 1]"}},
    {"data.targets", {"signed"}},
    {"data.samples", {"16"}},
    {"model.layers",
     {"[{width: 256, activation: tanh}, {width: 256, activation: tanh}, {width: outputs}]"}},
    {NULL, {NULL}},
};

/* An audit of a network, and of a system, whose quadratic part is small enough for a ball that
 * contains itself. */
static const ready_setting audit[] = {
    {"precision", {"f64"}},
    {"model.layers",
     {"[{width: 256, activation: tanh}, {width: 256, activation: tanh}, {width: outputs}]"}},
    {"system.equations", {"20"}},
    {"system.parameters", {"200"}},
    {"system.nonlinearity", {"0.005"}},
    {NULL, {NULL}},
};

/* Widths of convolutional networks in an audit: a channel costs as much as it has pixels. */
static const char CHANNELS[] = "[8, 16, 32, 64]";

static const ready_study studies[] = {
    {"transition",
     "the transition to linearity: Hessians and kernel changes fall with the width, gradients stay",
     {{"study.widths",
       {"[64, 128, 256, 512, 1024, 2048]", "[64, 128, 256, 512, 1024, 2048, 4096, 8192]"}},
      {"study.seeds", {"3", "10"}},
      {"study.hessian_samples", {"2", "8"}},
      {"study.quantities",
       {"[gradient_norm, hessian_norm, hessian_sphere, nonlinearity, lambda_min, kernel_change, "
        "mu_loss, mu_change, distance, infinite_distance]"}}}},
    {"nonlinear-output",
     "a non-linear output: Hessian and kernel change do not fall with the width",
     {{"study.widths", {"[64, 128, 256, 512]", "[64, 128, 256, 512, 1024, 2048, 4096]"}},
      {"study.outputs", {"[model, swish]"}},
      {"study.seeds", {"5", "10"}},
      {"study.hessian_samples", {"2", "8"}},
      {"data.targets", {"regression"}},
      {"data.classes", {"[0, 1]"}},
      {"data.samples", {"16"}},
      {"study.steps", {"200"}},
      {"study.quantities",
       {"[gradient_norm, hessian_norm, kernel_change, mu_change, rate, final_loss]"}}}},
    {"bottleneck",
     "a bottleneck: Hessian and kernel change fall only with the bottleneck's own width",
     {{"study.widths", {"[64, 128, 256, 512]", "[64, 128, 256, 512, 1024, 2048]"}},
      {"study.depths", {"[3]"}},
      {"study.bottlenecks", {"[1, 4, 16]", "[1, 4, 16, 64]"}},
      {"study.seeds", {"5", "10"}},
      {"study.hessian_samples", {"2", "8"}},
      {"study.steps", {"200"}},
      {"study.quantities",
       {"[gradient_norm, hessian_norm, kernel_change, mu_change, rate, final_loss]"}}}},
    {"threshold",
     "the interpolation threshold: lambda_min(K) and the final loss on both sides of P = N",
     {{"data.source", {"gaussian"}},
      {"data.dimension", {"4"}},
      {"data.samples", {"40"}},
      {"data.labels", {"random"}},
      {"model.layers", {"[{width: 8, activation: tanh}, {width: outputs}]"}},
      {"study.widths",
       {"[2, 4, 6, 7, 8, 9, 10, 12, 16, 24, 32]",
        "[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 20, 24, 32, 48, 64]"}},
      {"study.seeds", {"5", "40"}},
      {"study.steps", {"20000", "200000"}},
      {"study.every", {"20000", "200000"}},
      {"study.step_sizes", {"[0.9]"}},
      {"study.until", {"1e-10"}},
      {"study.resamples", {"no_fits"}},
      {"study.quantities", {"[filling, lambda_min, final_loss, pl_ratio_end]"}}}},
    {"almost",
     "PL* down to a loss: a linear rate although P is slightly below N",
     {{"data.source", {"gaussian"}},
      {"data.dimension", {"4"}},
      {"data.samples", {"40"}},
      {"model.layers", {"[{width: 8, activation: tanh}, {width: outputs}]"}},
      {"study.widths", {"[5, 6, 7, 8, 16]"}},
      {"study.seeds", {"5", "40"}},
      {"study.steps", {"5000", "50000"}},
      {"study.every", {"5000", "50000"}},
      {"study.step_sizes", {"[0.9]"}},
      {"study.until", {"1e-10"}},
      {"study.resamples", {"no_fits"}},
      {"study.quantities", {"[filling, rate, final_loss, pl_ratio_end]"}}}},
    {"critical-step",
     "steps below, between and above the critical ones: converges, catapults, diverges",
     {{"model.layers", {"[{width: 512, activation: relu}, {width: outputs}]"}},
      {"study.widths", {"[512]", "[512, 2048, 8192]"}},
      {"study.step_sizes", {"[0.5, 0.9, 1.1, 1.5, 1.9, 2.1, 3, 4, 5, 6, 7, 8]"}},
      {"study.seeds", {"5", "20"}},
      {"study.steps", {"300", "1000"}},
      {"study.quantities", {"[final_loss, loss_peak, flatness, kernel_change, distance]"}}}},
};

enum { COUNT = sizeof studies / sizeof studies[0] };

static const ready_study *find(const char *name) {
    for (int i = 0; i < COUNT; i++) {
        if (strcmp(studies[i].name, name) == 0) {
            return &studies[i];
        }
    }
    return NULL;
}

bool ready_is_name(const char *name) {
    return strcmp(name, "all") == 0 || find(name) != NULL;
}

const char *ready_name(int index) {
    return index >= 0 && index < COUNT ? studies[index].name : NULL;
}

const char *ready_purpose(const char *name) {
    const ready_study *study = find(name);
    return study != NULL ? study->purpose : NULL;
}

/* Whether a setting of that section was given. */
static bool section_is_given(const settings *all, const char *section) {
    for (int i = 0; settings_key(i) != NULL; i++) {
        const char *key = settings_key(i);
        if (strncmp(key, section, strlen(section)) == 0 &&
            settings_origin(all, key) != ORIGIN_DEFAULT) {
            return true;
        }
    }
    return false;
}

static bool layers_are_given(const settings *all) {
    return settings_origin(all, "model.layers") != ORIGIN_DEFAULT;
}

static pls_status apply(cli *program, settings *all, const ready_setting *list, int size,
                        bool model, bool data) {
    pls_status status = PLS_OK;
    for (int i = 0; list[i].key != NULL; i++) {
        const ready_setting *one = &list[i];
        const char *text = one->text[size] != NULL ? one->text[size] : one->text[QUICK];
        bool closed = (strncmp(one->key, "model.", 6) == 0 && model) ||
                      (strncmp(one->key, "data.", 5) == 0 && data);
        if (!closed && settings_origin(all, one->key) == ORIGIN_DEFAULT) {
            CLI_TRY(settings_assign(program, all, one->key, one->key, text));
        }
    }
cleanup:
    return status;
}

pls_status ready_apply(cli *program, settings *all) {
    const ready_study *study = find(all->study.name);
    bool model = layers_are_given(all), data = section_is_given(all, "data.");
    pls_status status = PLS_OK;
    if (study == NULL && all->study.name[0] != '\0') {
        return cli_fail(program, PLS_ERROR_CONFIG,
                        "study.name: there is no ready study %s; transition, nonlinear-output, "
                        "bottleneck, threshold, almost or critical-step was expected",
                        all->study.name);
    }
    if (study != NULL) {
        bool own_data = study->settings[0].key != NULL &&
                        strncmp(study->settings[0].key, "data.source", 11) == 0;
        CLI_TRY(apply(program, all, study->settings, all->study.size, model, data));
        data = data || own_data;
    }
    CLI_TRY(apply(program, all, any, all->study.size, model, data));
cleanup:
    return status;
}

static bool has_convolutions(const settings *all) {
    for (int64_t l = 0; l < all->model.layers.count; l++) {
        pls_layer_type type = all->model.layers.values[l].type;
        if (type == PLS_LAYER_CONV || type == PLS_LAYER_RESIDUAL_CONV) {
            return true;
        }
    }
    return false;
}

pls_status ready_audit_apply(cli *program, settings *all) {
    bool of_system = settings_are_of_system(all), model = layers_are_given(all);
    pls_status status = PLS_OK;
    for (int i = 0; audit[i].key != NULL; i++) {
        const ready_setting *one = &audit[i];
        bool wanted = strncmp(one->key, "system.", 7) == 0  ? of_system
                      : strncmp(one->key, "model.", 6) == 0 ? !of_system && !model
                                                            : true;
        if (wanted && settings_origin(all, one->key) == ORIGIN_DEFAULT) {
            CLI_TRY(settings_assign(program, all, one->key, one->key, one->text[QUICK]));
        }
    }
    if (has_convolutions(all) && settings_origin(all, "audit.widths") == ORIGIN_DEFAULT) {
        CLI_TRY(settings_assign(program, all, "audit.widths", "audit.widths", CHANNELS));
    }
cleanup:
    return status;
}
