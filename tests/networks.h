/* A small network system with its context, device and data, for tests of what lies above. */
#ifndef PLSTAR_TESTS_NETWORKS_H
#define PLSTAR_TESTS_NETWORKS_H

#include "plstar/plstar.h"
#include "support.h"

enum { NETWORK_MAX_LAYERS = 6 };

/* What to build; zeros stand for the defaults in brackets. */
typedef struct network_plan {
    int64_t samples;                    /* [12] */
    int64_t inputs;                     /* [5] */
    int64_t depth;                      /* [3] */
    int64_t widths[NETWORK_MAX_LAYERS]; /* [24, 16, 2] */
    pls_activation hidden;              /* [identity] */
    bool bias;
    bool standard;       /* parameterization */
    pls_dtype precision; /* [f32] */
    int64_t memory;      /* of the network's activations */
    int threads;
    uint64_t seed;
} network_plan;

typedef struct network_fixture {
    pls_context *context;
    pls_device *device;
    pls_dataset data;
    pls_system *system;
} network_fixture;

/* Builds on a context of the caller, passing every failure on. */
static inline pls_status network_build(network_fixture *f, const network_plan *plan) {
    static const int64_t default_widths[] = {24, 16, 2};
    pls_layer_spec layers[NETWORK_MAX_LAYERS] = {0};
    pls_model model = pls_model_defaults();
    model.layer_count = plan->depth > 0 ? plan->depth : 3;
    for (int64_t l = 0; l < model.layer_count; l++) {
        layers[l].type = PLS_LAYER_DENSE;
        layers[l].width = plan->depth > 0 ? plan->widths[l] : default_widths[l];
        layers[l].activation = l + 1 < model.layer_count ? plan->hidden : PLS_IDENTITY;
    }
    model.layers = layers;
    model.input_rank = 1;
    model.input_shape[0] = plan->inputs > 0 ? plan->inputs : 5;
    model.bias = plan->bias;
    model.sigma_w = 1.3;
    model.sigma_b = plan->bias ? 0.2 : 0.0;
    model.parameterization =
        plan->standard ? PLS_PARAMETERIZATION_STANDARD : PLS_PARAMETERIZATION_NTK;
    pls_device_options device = support_device(plan->threads);
    pls_data_options data = pls_data_options_defaults();
    data.source = "sphere";
    data.samples = plan->samples > 0 ? plan->samples : 12;
    data.dimension = model.input_shape[0];
    data.outputs = layers[model.layer_count - 1].width;
    pls_network_options options = pls_network_options_defaults();
    options.precision = plan->precision;
    options.seed = plan->seed;
    options.memory = plan->memory;
    pls_status status = pls_device_open(f->context, &device, &f->device);
    status = status != PLS_OK ? status : pls_dataset_load(f->context, &data, &f->data);
    status = status != PLS_OK
                 ? status
                 : pls_network_system_create(f->device, &model, &f->data, &options, &f->system);
    return status != PLS_OK ? status : pls_system_initialize(f->system);
}

static inline void network_take_down(network_fixture *f) {
    pls_system_destroy(f->system);
    pls_dataset_destroy(f->context, &f->data);
    pls_device_close(f->device);
}

static inline void network_check(const network_fixture *f, pls_status status) {
    cr_assert_eq(status, PLS_OK, "%s\n%s", pls_error_text(f->context), pls_error_trace(f->context));
}

static inline network_fixture network_set_up(const network_plan *plan) {
    network_fixture f = {0};
    f.context = support_context(NULL);
    network_check(&f, network_build(&f, plan));
    return f;
}

static inline void network_tear_down(network_fixture *f) {
    network_take_down(f);
    pls_context_destroy(f->context);
}

#endif
