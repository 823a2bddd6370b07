/* The inside of a tangent kernel, shared by gram.c, spectrum.c and floor.c. */
#ifndef PLSTAR_TANGENT_KERNEL_H
#define PLSTAR_TANGENT_KERNEL_H

#include "system/system.h"
#include "tangent/lanczos.h"

struct pls_kernel {
    pls_system *system;
    pls_kernel_options options;
    int64_t size; /* N, or n for a trace kernel */
    pls_arena arena;
    pls_view matrix;  /* size x size, both triangles */
    pls_view factor;  /* size x size: Cholesky factor, or what syevd destroys */
    pls_view outputs; /* n x k, when the system has yet to be evaluated */
    pls_view vector;  /* 1 x size */
    pls_view values;  /* 1 x size */
    pls_lanczos lanczos;
    bool rounding_measured;
    double rounding; /* relative: ||K32 - K64|| / ||K64|| on the sub-sample */
};

/* The floor: by how much rounding may have moved the eigenvalues of the kernel.
 *     bound     (c u + N u64) lambda_max, c from the system's rounding_growth
 *     measured  (2 ||K32 - K64|| / ||K64|| + N u64) lambda_max, the norms on a sub-sample that is
 *               also computed in float64, once for a kernel; 2 is a margin for the sub-sample
 * N u64 is the backward error of the eigenvalue solver. */
pls_status pls_kernel_floor(pls_kernel *kernel, const pls_spectrum_options *options,
                            double lambda_max, double *floor, double *bound);

#endif
