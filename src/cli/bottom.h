/* Who sets mu, told: in summary.json, as pictures for the report, and in a line for people. */
#ifndef PLSTAR_CLI_BOTTOM_H
#define PLSTAR_CLI_BOTTOM_H

#include "cli/summary.h"

/* Samples that are told, and pictures that are kept. */
enum { BOTTOM_SAMPLES = 10 };

/* The object KEY with shares of samples (the largest), outputs and layers, and notes where rounding
 * may have turned the vector; `step` -1 leaves the step out. Where `bottom` is not known it is
 * null, and a note says why_missing. */
pls_status bottom_summarize(summary *made, const char *key, int64_t step, const pls_bottom *bottom,
                            const experiment *built, const char *why_missing);

/* Writes the inputs of the samples told as bottom_samples.npy, m x channels x height x width, in
 * the same order; nothing where inputs are no pictures. */
pls_status bottom_write_samples(cli *program, const char *folder, const pls_bottom *bottom,
                                const experiment *built);

/* "mu set by   samples 3 (41%) and 17 (38%), layers.1 (62%)" */
void bottom_print(const pls_bottom *bottom);

#endif
