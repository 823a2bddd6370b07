/* The system of equations of `plstar solve`. */
#ifndef PLSTAR_CLI_EQUATIONS_H
#define PLSTAR_CLI_EQUATIONS_H

#include "cli/experiment.h"

/* Makes the system on the open device and describes it. Sizes that come from files are set. */
pls_status equations_create(cli *program, settings *all, experiment *built);

#endif
