/* YAML (and so JSON) as a tree of values that know where they stand. */
#ifndef PLSTAR_CLI_YAML_H
#define PLSTAR_CLI_YAML_H

#include "cli/cli.h"

typedef enum value_kind { VALUE_SCALAR, VALUE_LIST, VALUE_MAP } value_kind;

typedef struct value {
    value_kind kind;
    char *text;          /* of a scalar; its bytes may not hold a zero */
    bool quoted;         /* a scalar in quotes is text, whatever it looks like */
    int line, column;    /* from 1 */
    int64_t count;       /* items of a list or map */
    struct value *items; /* count */
    struct value *keys;  /* count scalars of a map, else NULL */
} value;

/* Reads a file of one document; an empty one is an empty map. Errors: PLS_ERROR_FILE (missing,
 * unreadable), PLS_ERROR_CONFIG (not YAML, with file:line:column), PLS_ERROR_MEMORY. */
pls_status yaml_read_file(cli *program, const char *path, value *root);

/* The same for a text; `origin` stands in place of the file's name in errors. */
pls_status yaml_read_text(cli *program, const char *origin, const char *text, value *root);

/* Frees what a value owns and zeroes it. */
void yaml_release(value *root);

/* "a scalar", "a list", "a map": for error texts. */
const char *yaml_kind_name(value_kind kind);

#endif
