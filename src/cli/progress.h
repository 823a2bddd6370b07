/* The line that says how far training has come. */
#ifndef PLSTAR_CLI_PROGRESS_H
#define PLSTAR_CLI_PROGRESS_H

#include "cli/cli.h"
#include "plstar/train.h"

typedef struct progress {
    bool terminal;       /* one line that is written again and again */
    double shown;        /* when the last one was, in seconds */
    pls_record measured; /* the last measurement */
} progress;

progress progress_start(void);
void progress_show(cli *program, progress *line, const pls_record *record,
                   const pls_progress *state);

/* The same of things that are counted: "17/90 networks  3:20 left". */
void progress_count(cli *program, progress *line, const char *what, int64_t done, int64_t all,
                    double remaining);

#endif
