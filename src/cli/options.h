/* The command line after `plstar COMMAND`. */
#ifndef PLSTAR_CLI_OPTIONS_H
#define PLSTAR_CLI_OPTIONS_H

#include "cli/settings.h"

/* A setting given by an option. */
typedef struct assignment {
    const char *spelled; /* "--steps", or "--set KEY" */
    const char *key, *text;
} assignment;

typedef struct command_line {
    command command;
    const char *argument; /* CONFIG or DIR, NULL if none */
    const char *study;    /* NAME of a ready study, NULL if none */
    const char *out, *resume;
    bool overwrite, quiet, json, help, version;
    bool help_settings; /* --help settings */
    assignment *assignments;
    int assignment_count;
    char **copies; /* assignment_count, texts made for them */
} command_line;

/* Errors: PLS_ERROR_CONFIG (unknown option with the nearest one, missing argument). *given must be
 * fresh; free by options_release(). */
pls_status options_parse(cli *program, command which, int argc, char **argv, command_line *given);
void options_release(command_line *given);

/* Applies the assignments in the order of the command line. */
pls_status options_apply(cli *program, const command_line *given, settings *all);

/* The help of a command: examples, options, exit status. */
void options_help(command which, FILE *stream);

#endif
