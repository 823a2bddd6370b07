/* Hessians in plstar kernel: norms, trace and density of the loss's, norms of single outputs'. */
#ifndef PLSTAR_CLI_HESSIAN_H
#define PLSTAR_CLI_HESSIAN_H

#include "cli/experiment.h"
#include "cli/summary.h"

#include "plstar/second.h"

typedef struct hessian_norms {
    bool of_loss, of_outputs;
    pls_loss_hessian loss;
    bool has_density;
    pls_quadrature density; /* of the loss's */
    int64_t samples, outputs;
    pls_eigenvalue *norms; /* samples x outputs */
} hessian_norms;

/* Whether what is asked for can be measured, before anything is. */
pls_status hessian_check(cli *program, const settings *all, const experiment *built);

/* Measures; hessian_density.npy goes to the folder. Destroy *found even on error. */
pls_status hessian_measure(cli *program, const settings *all, const experiment *built,
                           const char *folder, summary *made, hessian_norms *found);
void hessian_destroy(cli *program, hessian_norms *found);

pls_status hessian_summarize(summary *made, const hessian_norms *found);
void hessian_print(const hessian_norms *found);

#endif
