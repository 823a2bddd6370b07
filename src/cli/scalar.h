/* Texts as numbers. Each takes the whole text or returns false. */
#ifndef PLSTAR_CLI_SCALAR_H
#define PLSTAR_CLI_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

bool scalar_integer(const char *text, int64_t *out);
bool scalar_seed(const char *text, uint64_t *out);
/* Finite. */
bool scalar_number(const char *text, double *out);
bool scalar_boolean(const char *text, bool *out);
/* "512MB", "1.5 GiB", "4096": powers of 1,000 and of 1,024. */
bool scalar_bytes(const char *text, int64_t *out);
/* "5%" or "0.05". */
bool scalar_share(const char *text, double *out);

/* The shortest decimal text that reads back as the same double. */
void scalar_write_number(double number, char text[32]);

#endif
