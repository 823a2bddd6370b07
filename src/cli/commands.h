/* The commands, one file each. */
#ifndef PLSTAR_CLI_COMMANDS_H
#define PLSTAR_CLI_COMMANDS_H

#include "cli/options.h"

/* `train` and `solve`: what is trained is made by experiment.c. */
pls_status command_train(cli *program, const command_line *given);
pls_status command_kernel(cli *program, const command_line *given);
pls_status command_audit(cli *program, const command_line *given);
pls_status command_study(cli *program, const command_line *given);
pls_status command_report(cli *program, const command_line *given);
pls_status command_info(cli *program, const command_line *given);

#endif
