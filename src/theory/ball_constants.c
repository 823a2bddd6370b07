/* Constants over a ball from the smoothness of F; the formulas stand in plstar/theory.h.
 *
 *     ||J(w) - J(w_0)|| <= beta_F ||w - w_0||
 * moves every singular value of J by no more than beta_F R (Weyl). */
#include "plstar/theory.h"

#include "backend/phase.h"
#include "system/system.h"
#include "tangent/kernel.h"

#include <math.h>
#include <string.h>

/* The extreme eigenvalues of K(w_0), on a float64 copy. */
static pls_status measure_kernel(pls_system *system, const pls_kernel_options *options,
                                 pls_spectrum *spectrum) {
    pls_context *context = system->device->context;
    pls_kernel_options full = options != NULL ? *options : pls_kernel_options_defaults();
    pls_system *copy = NULL;
    pls_kernel *kernel = NULL;
    pls_status status = PLS_OK;
    full.trace = false;
    full.gram = PLS_GRAM_F64;
    PLS_TRY(context, pls_phase_begin(system->device, PLS_PHASE_CONSTANTS));
    PLS_TRY(context, pls_system_duplicate(system, NULL, system->samples, PLS_F64, &copy));
    PLS_TRY(context, pls_kernel_create(copy, &full, &kernel));
    PLS_TRY(context, pls_kernel_require_matrix(kernel, "lambda_min at the center of the ball"));
    PLS_TRY(context, pls_kernel_compute(kernel));
    PLS_TRY(context, pls_kernel_spectrum(kernel, NULL, spectrum));
cleanup:
    pls_kernel_destroy(kernel);
    pls_system_destroy(copy);
    return pls_phase_end(system->device, status);
}

pls_status pls_constants_in_ball(pls_system *system, const pls_kernel_options *kernel,
                                 double radius, pls_ball_constants *constants) {
    pls_context *context = system->device->context;
    pls_smoothness smoothness = {0};
    pls_spectrum spectrum = {0};
    pls_status status = PLS_OK;
    memset(constants, 0, sizeof *constants);
    if (!(radius >= 0.0) || !isfinite(radius)) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "the radius of a ball is %g; a number of at least 0 was expected", radius);
    }
    PLS_TRY(context, pls_system_smoothness(system, &smoothness));
    PLS_TRY(context, measure_kernel(system, kernel, &spectrum));
    double reach = smoothness.beta * radius;
    double least = spectrum.below_floor ? 0.0 : sqrt(spectrum.lambda_min);
    constants->radius = radius;
    constants->smoothness = smoothness.beta;
    constants->lipschitz = sqrt(fmax(spectrum.lambda_max, 0.0)) + reach;
    constants->mu = least > reach ? (least - reach) * (least - reach) : 0.0;
    constants->smoothness_evidence = smoothness.evidence;
    constants->lipschitz_evidence = constants->mu_evidence =
        reach == 0.0 ? PLS_EVIDENCE_EXACT : PLS_EVIDENCE_BOUNDED;
cleanup:
    pls_spectrum_destroy(context, &spectrum);
    return status;
}
