/* What `plstar train` and `plstar kernel` do alike around their work. */
#ifndef PLSTAR_CLI_RUN_H
#define PLSTAR_CLI_RUN_H

#include "cli/experiment.h"
#include "cli/options.h"

/* Settings from defaults, CONFIG (or the config.yaml of the run to resume) and options. */
pls_status run_settings(cli *program, const command_line *given, settings *all);

/* The folder for results, with config.yaml in it. *folder is to be freed by free(). */
pls_status run_folder(cli *program, const command_line *given, const settings *all, char **folder);

/* Writes an array as folder/name. */
pls_status run_write_array(cli *program, const char *folder, const char *name, const double *values,
                           int rank, const int64_t *shape);

/* Writes report.html when it is asked for; *path = its name or NULL, to be freed by free(). A
 * report that fails is a warning. */
void run_report(cli *program, const settings *all, const char *folder, char **path);

/* The first lines of the summary for people. */
void run_print_head(const experiment *built);

/* "mu  1.2e-3 in [1.1e-3, 1.3e-3]", or that it is below the floor. */
void run_print_mu(double lambda_min, double lower, double upper, double floor_value);

#endif
