/* Where values come from: a file, or an option that a person typed. Shared by the files that take
 * settings. */
#ifndef PLSTAR_CLI_SETTINGS_GIVER_H
#define PLSTAR_CLI_SETTINGS_GIVER_H

#include "cli/settings_table.h"

typedef struct giver {
    cli *program;
    settings *all;
    origin origin;
    const char *file;    /* NULL for options */
    const char *spelled; /* the option */
    const char *folder;  /* relative paths start here */
} giver;

enum { PLACE_SIZE = 600 };

/* "file:line:column" or the option; into `place`, which it returns. */
const char *settings_place(const giver *from, const value *given, char place[PLACE_SIZE]);

/* The list of layers of `model.layers`, which replaces *list. Errors: PLS_ERROR_CONFIG. */
pls_status settings_take_layers(const giver *from, const value *given, layer_list *list);

/* Writes it as YAML that settings_take_layers() takes. */
void settings_write_layers(const layer_list *list, FILE *stream);

#endif
