/* Ctrl-C. The flag is the program's only global: a handler can reach nothing else. */
#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t came;

static void handle(int number) {
    if (came != 0) {
        signal(number, SIG_DFL);
        raise(number);
    }
    came = 1;
}

void interrupt_listen(void) {
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGXFSZ, SIG_IGN);
}

bool interrupt_came(void) {
    return came != 0;
}
