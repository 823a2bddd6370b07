/* What a run works on: device, data, network and weights, or a system of equations, made from the
 * settings. */
#ifndef PLSTAR_CLI_EXPERIMENT_H
#define PLSTAR_CLI_EXPERIMENT_H

#include "cli/settings.h"

enum { MODEL_TEXT_SIZE = 256 };

typedef struct experiment {
    pls_device *device;
    pls_dataset data; /* description NULL: there is none, a system of equations is solved */
    pls_model model;  /* its layers are those of the settings */
    pls_system *system;
    char model_text[MODEL_TEXT_SIZE];     /* the network or the system, in a line */
    double seconds_data, seconds_network; /* reading; making and initialising */
} experiment;

/* Builds all of it and stands at the initial weights. Settings that depend on the data (source,
 * samples, input, widths) are resolved in place. *built must be fresh; destroy it even on error. */
pls_status experiment_create(cli *program, settings *all, experiment *built);

/* Data and model alone, without system and weights, and a device of one thread as every network of
 * a study has; the same manners. */
pls_status experiment_create_plan(cli *program, settings *all, experiment *built);
void experiment_destroy(cli *program, experiment *built);

/* Options of the library, from settings. */
pls_kernel_options experiment_kernel_options(const settings *all);
pls_spectrum_options experiment_spectrum_options(const settings *all);

#endif
