/* Claim 5': a network whose last layer is phi(z) instead of z, with the same weights, has
 *     Khat_(i,a),(j,b) = phi'(z_(i,a)) phi'(z_(j,b)) K_(i,a),(j,b),
 * entry by entry, since its Jacobian is diag(phi'(z)) J. The two kernels are computed from two
 * networks. Rounding may change an entry by the error of K's diagonal, sqrt(K_ii K_jj). */
#include "audit/audit.h"
#include "base/memory.h"

#include <math.h>
#include <string.h>

typedef struct pair {
    pls_audit *audit;
    pls_layer_spec *layers;
    pls_model model;
    pls_system *plain, *bent;           /* z, tanh(z) */
    double *outputs;                    /* N: z */
    double *plain_kernel, *bent_kernel; /* N x N */
} pair;

static pls_status make(pair *p, pls_activation last, pls_system **system, double **kernel) {
    pls_audit *audit = p->audit;
    pls_context *context = audit->context;
    pls_network_options options = pls_network_options_defaults();
    pls_kernel *made = NULL;
    int64_t size = audit->equations;
    pls_status status = PLS_OK;
    options.precision = PLS_F64;
    p->layers[p->model.layer_count - 1].activation = last;
    PLS_TRY(context, pls_network_system_create(audit->system->device, &p->model, &audit->data,
                                               &options, system));
    PLS_TRY(context, pls_system_set_weights(*system, audit->origin));
    PLS_TRY(context, pls_kernel_create(*system, NULL, &made));
    PLS_TRY(context, pls_kernel_compute(made));
    PLS_TRY(context,
            pls_allocate(context, size, (size_t)size * sizeof(double), "claim 5'", kernel));
    PLS_TRY(context, pls_kernel_download(made, *kernel));
cleanup:
    pls_kernel_destroy(made);
    return status;
}

static void compare(const pair *p, pls_claim_result *result) {
    const pls_audit *audit = p->audit;
    int64_t size = audit->equations;
    for (int64_t i = 0; i < size; i++) {
        for (int64_t j = 0; j < size; j++) {
            double k = pls_audit_seen(audit, "kernel", p->plain_kernel[i * size + j]);
            double scale = sqrt(p->plain_kernel[i * size + i] * p->plain_kernel[j * size + j]);
            pls_compare_mapped_entry(
                audit, result, "|Khat_ij - phi'_i phi'_j K_ij| / (phi'_i phi'_j sqrt(K_ii K_jj))",
                p->bent_kernel[i * size + j], k, scale, p->outputs[i], p->outputs[j]);
        }
    }
}

pls_status pls_check_output_map(pls_audit *audit, pls_claim_result *result) {
    pair p = {.audit = audit};
    pls_context *context = audit->context;
    pls_point at;
    pls_status status = PLS_OK;
    if (audit->subject->model == NULL) {
        return pls_claim_does_not_apply(result, "the system is not a network; see claim 15");
    }
    p.model = *audit->subject->model;
    PLS_TRY(context,
            pls_allocate(context, p.model.layer_count, sizeof *p.layers, "claim 5'", &p.layers));
    memcpy(p.layers, p.model.layers, (size_t)p.model.layer_count * sizeof *p.layers);
    p.model.layers = p.layers;
    if (p.layers[p.model.layer_count - 1].type != PLS_LAYER_DENSE) {
        status = pls_claim_does_not_apply(result, "the last layer is not a dense one");
        goto cleanup;
    }
    PLS_TRY(context, make(&p, PLS_IDENTITY, &p.plain, &p.plain_kernel));
    PLS_TRY(context, make(&p, PLS_TANH, &p.bent, &p.bent_kernel));
    PLS_TRY(context,
            pls_allocate(context, audit->equations, sizeof(double), "claim 5'", &p.outputs));
    PLS_TRY(context, pls_system_measure(p.plain, PLS_LOSS_SQUARE, &at, p.outputs, NULL));
    compare(&p, result);
    if (result->instances == 0) {
        status = pls_claim_does_not_apply(
            result, "the outputs are so large that tanh is saturated: phi' has no digits");
        goto cleanup;
    }
    pls_claim_describe(result, "phi = tanh on the last layer, the network's own weights");
cleanup:
    pls_system_destroy(p.plain);
    pls_system_destroy(p.bent);
    pls_release(context, p.layers);
    pls_release(context, p.outputs);
    pls_release(context, p.plain_kernel);
    pls_release(context, p.bent_kernel);
    return status;
}
