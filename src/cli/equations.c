/* Systems of equations from settings: planted ones from the seed, linear ones also from files. */
#include "cli/equations.h"

#include <stdlib.h>

static pls_planted_options planted_options(const settings *all) {
    pls_planted_options options = pls_planted_options_defaults();
    options.type = (pls_planted_type)all->system.type;
    options.precision = (pls_dtype)all->precision;
    options.seed = all->seed;
    options.equations = all->system.equations;
    options.parameters = all->system.parameters;
    options.rows = all->system.rows;
    options.columns = all->system.columns;
    options.rank = all->system.rank;
    options.observed = all->system.observed;
    options.nonlinearity = all->system.nonlinearity;
    options.map = (pls_activation)all->system.map;
    options.noise = all->system.noise;
    return options;
}

/* A w = y from two files, which are what a data set of N inputs with a target each is. */
static pls_status make_from_files(cli *program, settings *all, experiment *built) {
    pls_data_options options = pls_data_options_defaults();
    pls_dataset rows = {0};
    char *source = NULL;
    pls_status status = PLS_OK;
    CLI_TRY(cli_format(program, &source, "npy:%s,%s", all->system.a, all->system.y));
    options.source = source;
    options.targets = PLS_TARGETS_REGRESSION;
    options.normalize = PLS_NORMALIZE_NONE;
    CLI_TRY(pls_dataset_load(program->context, &options, &rows));
    if (rows.outputs != 1) {
        status = cli_fail(program, PLS_ERROR_DATA,
                          "%s: holds %lld numbers for each row of A; one was expected",
                          all->system.y, (long long)rows.outputs);
        goto cleanup;
    }
    all->system.equations = rows.samples;
    all->system.parameters = rows.dimension;
    CLI_TRY(pls_linear_system_create(built->device, (pls_dtype)all->precision, rows.samples,
                                     rows.dimension, rows.inputs, rows.targets, &built->system));
    if (all->system.map != PLS_IDENTITY) {
        CLI_TRY(pls_system_put_map(&built->system, (pls_activation)all->system.map, rows.targets));
    }
cleanup:
    pls_dataset_destroy(program->context, &rows);
    free(source);
    return status;
}

pls_status equations_create(cli *program, settings *all, experiment *built) {
    pls_planted_options options = planted_options(all);
    pls_status status = PLS_OK;
    if (all->system.a[0] != '\0') {
        CLI_TRY(make_from_files(program, all, built));
    } else {
        CLI_TRY(pls_planted_system_create(built->device, &options, &built->system));
    }
    options = planted_options(all);
    pls_planted_describe(&options, built->model_text, sizeof built->model_text);
cleanup:
    return status;
}
