/* Spectral densities as files; see density.h. */
#include "cli/density.h"

#include "cli/run.h"

#include <math.h>
#include <stdio.h>

/* Points of the density's grid, how many widths of the smoothing it reaches beyond the outermost
 * nodes, and that width as a share of their range. */
enum { GRID_POINTS = 512, GRID_MARGIN = 4 };
static const double GRID_WIDTH = 0.01;

pls_status density_write(cli *program, const char *folder, const char *name,
                         const pls_quadrature *found) {
    const int64_t shape[2] = {GRID_POINTS, 2};
    double grid[GRID_POINTS], density[GRID_POINTS], rows[2 * GRID_POINTS];
    double low = found->nodes[0], high = found->nodes[0];
    for (int64_t j = 1; j < found->count; j++) {
        low = fmin(low, found->nodes[j]);
        high = fmax(high, found->nodes[j]);
    }
    double width = GRID_WIDTH * (high > low ? high - low : fmax(fabs(high), 1.0));
    double start = low - GRID_MARGIN * width, end = high + GRID_MARGIN * width;
    for (int i = 0; i < GRID_POINTS; i++) {
        grid[i] = start + (end - start) * i / (GRID_POINTS - 1);
    }
    pls_quadrature_density(found, width, GRID_POINTS, grid, density);
    for (int i = 0; i < GRID_POINTS; i++) {
        rows[2 * i] = grid[i];
        rows[2 * i + 1] = density[i];
    }
    return run_write_array(program, folder, name, rows, 2, shape);
}

void density_print(const pls_quadrature *found) {
    printf("trace %.6g", found->trace);
    if (isfinite(found->trace_error)) {
        printf(" +- %.2g", found->trace_error);
    }
    printf(" from %lld probe%s\n", (long long)found->probes, found->probes == 1 ? "" : "s");
}
