/* Spectral densities as files. */
#ifndef PLSTAR_CLI_DENSITY_H
#define PLSTAR_CLI_DENSITY_H

#include "cli/cli.h"

#include "plstar/quadrature.h"

/* Writes folder/name: 512 x 2, rows of an eigenvalue and the density there, smoothed by a hundredth
 * of the range of the nodes. */
pls_status density_write(cli *program, const char *folder, const char *name,
                         const pls_quadrature *found);

/* "trace 12.3 +- 0.4 from 8 probes", to stdout. */
void density_print(const pls_quadrature *found);

#endif
