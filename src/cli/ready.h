/* Ready studies: settings under a name, which give way to what a person asks for. */
#ifndef PLSTAR_CLI_READY_H
#define PLSTAR_CLI_READY_H

#include "cli/settings.h"

/* Whether there is a ready study of that name, or it is "all". */
bool ready_is_name(const char *name);

/* Name and purpose of the i-th; NULL past the last. */
const char *ready_name(int index);
const char *ready_purpose(const char *name);

/* Gives settings of defaults the values of the study `all->study.name` ("" = those of any study).
 * Where a setting of the model is given, none of the model is touched; the same of the data.
 * Errors: PLS_ERROR_CONFIG (no such study). */
pls_status ready_apply(cli *program, settings *all);

/* The same for an audit: small enough for every claim to take less than a minute. */
pls_status ready_audit_apply(cli *program, settings *all);

#endif
