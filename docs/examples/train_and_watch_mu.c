/* Trains a wide network on the built-in digits and prints loss and mu = lambda_min(K), with the
 * interval in which it lies, every tenth step.
 *
 *     cc train_and_watch_mu.c $(pkg-config --cflags --libs plstar) -o train_and_watch_mu */
#include <plstar/plstar.h>

#include <stdio.h>
#include <stdlib.h>

static void check(pls_context *context, pls_status status) {
    if (status != PLS_OK) {
        fprintf(stderr, "%s: %s\n", pls_status_sentence(status),
                context != NULL ? pls_error_text(context) : "");
        exit(EXIT_FAILURE);
    }
}

static pls_status print_record(void *user, const pls_record *record, const pls_progress *progress) {
    (void)user;
    (void)progress;
    if (record->measured) {
        printf("step %3lld  loss %.6g  mu %.6g in [%.6g, %.6g]\n", (long long)record->step,
               record->loss, record->lambda_min, record->lambda_min_lower,
               record->lambda_min_upper);
    }
    return PLS_OK;
}

int main(void) {
    pls_context *context = NULL;
    pls_device *device = NULL;
    pls_system *system = NULL;
    pls_dataset data = {0};
    pls_train_result result = {0};
    check(NULL, pls_context_create(NULL, &context));
    check(context, pls_device_open(context, NULL, &device));

    pls_data_options digits = pls_data_options_defaults();
    digits.samples = 32;
    check(context, pls_dataset_load(context, &digits, &data));

    pls_layer_spec layers[] = {{.width = 1024, .activation = PLS_TANH}, {.width = data.outputs}};
    pls_model model = pls_model_defaults();
    model.input_rank = 1;
    model.input_shape[0] = data.dimension;
    model.layer_count = 2;
    model.layers = layers;
    check(context, pls_network_system_create(device, &model, &data, NULL, &system));
    check(context, pls_system_initialize(system));

    pls_train_options options = pls_train_options_defaults();
    options.steps = 30;
    options.observer = print_record;
    check(context, pls_train(system, &options, &result));

    pls_train_result_destroy(context, &result);
    pls_system_destroy(system);
    pls_dataset_destroy(context, &data);
    pls_device_close(device);
    pls_context_destroy(context);
    return EXIT_SUCCESS;
}
