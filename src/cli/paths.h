/* Paths inside settings: names of files, and data sources that hold some. */
#ifndef PLSTAR_CLI_PATHS_H
#define PLSTAR_CLI_PATHS_H

#include "cli/cli.h"

/* *out = a path as seen from where the program runs, if `text` was written in `folder` (NULL or
 * "" = here); absolute and empty paths stay. To be freed by free(). */
pls_status path_in_folder(cli *program, const char *folder, const char *text, char **out);

/* The same for the paths after the "kind:" of a data source. */
pls_status source_in_folder(cli *program, const char *folder, const char *text, char **out);

/* *out = the folder that a file lies in, "" for here. */
pls_status folder_of(cli *program, const char *path, char **out);

#endif
