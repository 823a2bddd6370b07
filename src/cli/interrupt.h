/* Ctrl-C: the first asks the work to stop at the next safe point, the second ends the program. */
#ifndef PLSTAR_CLI_INTERRUPT_H
#define PLSTAR_CLI_INTERRUPT_H

#include <stdbool.h>

/* Listens to SIGINT and SIGTERM; lets writes over a file size limit fail instead of killing. */
void interrupt_listen(void);

/* Whether a signal has come. */
bool interrupt_came(void);

#endif
