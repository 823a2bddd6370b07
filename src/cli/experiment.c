/* Data -> model -> system -> weights; or, of `plstar solve`, a system of equations. */
#include "cli/experiment.h"

#include "cli/equations.h"

#include <stdlib.h>
#include <string.h>

/* Weights from a file bring their data along, unless a source was asked for on a later word. */
static pls_status take_data_of_tensors(cli *program, settings *all) {
    pls_status status = PLS_OK;
    char *source = NULL;
    bool have = false;
    if (all->model.tensors[0] == '\0' ||
        settings_origin(all, "data.source") > settings_origin(all, "model.tensors")) {
        return PLS_OK;
    }
    CLI_TRY(pls_tensors_have_data(program->context, all->model.tensors, &have));
    if (!have) {
        return PLS_OK;
    }
    CLI_TRY(cli_format(program, &source, "safetensors:%s", all->model.tensors));
    free(all->data.source);
    all->data.source = source;
    if (settings_origin(all, "data.targets") == ORIGIN_DEFAULT) {
        all->data.targets = PLS_TARGETS_REGRESSION;
    }
    if (settings_origin(all, "data.normalize") == ORIGIN_DEFAULT) {
        all->data.normalize = PLS_NORMALIZE_NONE;
    }
    if (settings_origin(all, "data.samples") == ORIGIN_DEFAULT) {
        all->data.samples = 0;
    }
cleanup:
    return status;
}

static pls_status load_data(cli *program, settings *all, pls_dataset *data) {
    pls_data_options options = pls_data_options_defaults();
    pls_status status = PLS_OK;
    CLI_TRY(take_data_of_tensors(program, all));
    options.source = all->data.source;
    options.samples = all->data.samples;
    options.classes = all->data.classes.values;
    options.class_count = all->data.classes.count;
    options.targets = (pls_target_coding)all->data.targets;
    options.normalize = (pls_normalization)all->data.normalize;
    options.shuffle = all->data.shuffle;
    options.seed = all->data.seed;
    options.dimension = all->data.dimension;
    options.outputs = all->data.outputs;
    options.labels = (pls_synthetic_labels)all->data.labels;
    options.target_columns = all->data.target_columns;
    CLI_TRY(pls_dataset_load(program->context, &options, data));
    all->data.samples = data->samples;
cleanup:
    return status;
}

/* model.input, where it is not given: the images of the data if the first layer takes images, else
 * vectors. */
static pls_status take_input_of_data(cli *program, settings *all, const pls_dataset *data) {
    const layer_list *layers = &all->model.layers;
    pls_layer_type first = layers->count > 0 ? layers->values[0].type : PLS_LAYER_DENSE;
    bool takes_vectors = first == PLS_LAYER_DENSE || first == PLS_LAYER_RESIDUAL_DENSE;
    bool images = data->input_rank == 3 && !takes_vectors;
    integer_list *input = &all->model.input;
    pls_status status = PLS_OK;
    free(input->values);
    *input = (integer_list){0};
    CLI_TRY(cli_allocate(program, 3, sizeof *input->values, "model.input", &input->values));
    input->count = images ? 3 : 1;
    if (images) {
        memcpy(input->values, data->input_shape, 3 * sizeof *input->values);
    } else {
        input->values[0] = data->dimension;
    }
cleanup:
    return status;
}

static pls_status resolve_model(cli *program, settings *all, experiment *built) {
    const pls_dataset *data = &built->data;
    pls_model *model = &built->model;
    pls_status status = PLS_OK;
    if (all->model.input.count == 0) {
        CLI_TRY(take_input_of_data(program, all, data));
    }
    for (int64_t i = 0; i < all->model.layers.count; i++) {
        pls_layer_spec *layer = &all->model.layers.values[i];
        layer->width = layer->width == 0 ? data->outputs : layer->width;
    }
    *model = pls_model_defaults();
    model->input_rank = (int)all->model.input.count;
    memcpy(model->input_shape, all->model.input.values,
           (size_t)all->model.input.count * sizeof *model->input_shape);
    model->parameterization = (pls_parameterization)all->model.parameterization;
    model->sigma_w = all->model.sigma_w;
    model->sigma_b = all->model.sigma_b;
    model->bias = all->model.bias;
    model->layer_count = all->model.layers.count;
    model->layers = all->model.layers.values;
    CLI_TRY(pls_model_check(program->context, model, NULL, NULL));
    pls_model_describe(model, built->model_text, sizeof built->model_text);
cleanup:
    return status;
}

static pls_status make_network(const settings *all, experiment *built) {
    pls_network_options options = pls_network_options_defaults();
    pls_status status = PLS_OK;
    options.precision = (pls_dtype)all->precision;
    options.seed = all->seed;
    options.memory = all->monitor.memory;
    CLI_TRY(pls_network_system_create(built->device, &built->model, &built->data, &options,
                                      &built->system));
    if (all->model.tensors[0] != '\0') {
        CLI_TRY(
            pls_system_load_weights(built->system, all->model.tensors, all->model.tensor_order));
    } else {
        CLI_TRY(pls_system_initialize(built->system));
    }
cleanup:
    return status;
}

pls_status experiment_create(cli *program, settings *all, experiment *built) {
    pls_device_options device = {all->device, (int)all->threads};
    pls_status status = PLS_OK;
    double start = cli_seconds();
    *built = (experiment){0};
    CLI_TRY(pls_device_open(program->context, &device, &built->device));
    CLI_TRY(pls_device_measure_phases(built->device, true));
    if (settings_are_of_system(all)) {
        CLI_TRY(equations_create(program, all, built));
        built->seconds_network = cli_seconds() - start;
        return PLS_OK;
    }
    CLI_TRY(load_data(program, all, &built->data));
    built->seconds_data = cli_seconds() - start;
    start = cli_seconds();
    CLI_TRY(resolve_model(program, all, built));
    CLI_TRY(make_network(all, built));
    built->seconds_network = cli_seconds() - start;
cleanup:
    return status;
}

pls_status experiment_create_plan(cli *program, settings *all, experiment *built) {
    pls_status status = PLS_OK;
    pls_device_options device = {all->device, 1};
    double start = cli_seconds();
    *built = (experiment){0};
    CLI_TRY(pls_device_open(program->context, &device, &built->device));
    CLI_TRY(load_data(program, all, &built->data));
    CLI_TRY(resolve_model(program, all, built));
    built->seconds_data = cli_seconds() - start;
cleanup:
    return status;
}

void experiment_destroy(cli *program, experiment *built) {
    pls_system_destroy(built->system);
    pls_dataset_destroy(program->context, &built->data);
    pls_device_close(built->device);
    *built = (experiment){0};
}

pls_kernel_options experiment_kernel_options(const settings *all) {
    pls_kernel_options options = pls_kernel_options_defaults();
    options.method = (pls_kernel_method)all->monitor.method;
    options.trace = all->monitor.trace;
    options.memory = all->monitor.memory;
    options.tile = all->monitor.tile;
    options.gram = (pls_gram_arithmetic)all->monitor.gram;
    return options;
}

pls_spectrum_options experiment_spectrum_options(const settings *all) {
    pls_spectrum_options options = pls_spectrum_options_defaults();
    options.full = all->monitor.full != 0;
    options.refine = (pls_refine)all->monitor.refine;
    options.products = all->monitor.products;
    options.floor_samples = all->monitor.floor_samples;
    options.seed = all->seed;
    return options;
}
