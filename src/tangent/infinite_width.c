/* The tangent kernel at infinite width, layer by layer.
 *
 * A chain alpha^0 = x, z = s W alpha + t b with W, b ~ N(0, 1), s = sigma_w / sqrt(fan_in),
 * t = sigma_b, alpha' = phi(z) or alpha + phi(z). What a layer hands on are averages over its units
 * p = 1 ... m, which become numbers as m grows:
 *
 *     Q_ij = lim 1/m sum of alpha_p(x_i) alpha_p(x_j),      M_i = lim 1/m sum of alpha_p(x_i),
 *     T_ij = lim 1/m sum of <grad alpha_p(x_i), grad alpha_p(x_j)>.
 *
 * The inputs are given: Q = x x^T / d, T = 0. Given alpha, the rows of W are independent, so z_p is
 * Gaussian, independently for each p, with covariance and tangent kernel
 *
 *     Sigma = sigma_w^2 Q + sigma_b^2,      Theta = Sigma + sigma_w^2 T:
 *
 * Sigma for the layer's own parameters, and for those below it s^2 sum over p, q of W_p W_q
 * <grad alpha_p, grad alpha_q>, of which the terms p = q stay. With E over (u, v) of covariance
 * Sigma,
 *
 *     dense:     Q' = E[phi(u) phi(v)],    M' = E[phi(u)],    T' = Theta E[phi'(u) phi'(v)]
 *     residual:  Q'_ij = Q_ij + M_i E[phi(u_j)] + M_j E[phi(u_i)] + E[phi(u_i) phi(u_j)]
 *                M' = M + E[phi(u)],       T' = T + Theta E[phi'(u) phi'(v)]
 *
 * In a residual layer alpha_p and z_p are independent in the limit, because z_p depends on all
 * units alike; so 1/m sum of alpha_p(x_i) phi(z_p(x_j)) is the product of the means. The cross
 * terms of T', phi'(z_p) <grad z_p, grad alpha_p>, contain s W_pq <grad alpha_q, grad alpha_p>,
 * summed over q, and vanish like m^(-1/2). The outputs are the z of a last linear layer, and Theta
 * there is the limit. */
#include "tangent/infinite_width.h"

#include "backend/arena.h"
#include "base/memory.h"
#include "tangent/gaussian_moments.h"

#include <math.h>

static const double DEFAULT_TOLERANCE = 1e-12;

/* What a layer hands on; matrices n x n, lower triangles. */
typedef struct averages {
    int64_t n;
    double *second;     /* Q */
    double *mean;       /* M, n */
    double *tangent;    /* T */
    double *covariance; /* Sigma of the layer at work */
} averages;

static void destroy_averages(pls_context *context, averages *now) {
    pls_release(context, now->second);
    pls_release(context, now->mean);
    pls_release(context, now->tangent);
    pls_release(context, now->covariance);
    *now = (averages){0};
}

static pls_status create_averages(pls_context *context, int64_t n, averages *now) {
    const char *what = "the kernel at infinite width";
    int64_t count = 0;
    pls_status status = PLS_OK;
    now->n = n;
    if (!pls_multiply(n, n, &count)) {
        return pls_fail(context, PLS_ERROR_MEMORY,
                        "%s: a matrix of order %lld does not fit in memory", what, (long long)n);
    }
    PLS_TRY(context, pls_allocate(context, count, sizeof(double), what, &now->second));
    PLS_TRY(context, pls_allocate(context, n, sizeof(double), what, &now->mean));
    PLS_TRY(context, pls_allocate(context, count, sizeof(double), what, &now->tangent));
    PLS_TRY(context, pls_allocate(context, count, sizeof(double), what, &now->covariance));
cleanup:
    return status;
}

/* Q = x x^T / d. Equal inputs get equal numbers, since every sum has the same order. */
static pls_status take_inputs(pls_context *context, int64_t d, const double *inputs,
                              averages *now) {
    int64_t n = now->n;
    pls_status status = PLS_OK;
    for (int64_t i = 0; i < n; i++) {
        PLS_TRY(context, pls_check_cancelled(context));
        for (int64_t j = 0; j <= i; j++) {
            const double *x = inputs + i * d, *y = inputs + j * d;
            double product = 0.0;
            for (int64_t c = 0; c < d; c++) {
                product += x[c] * y[c];
            }
            now->second[i * n + j] = product / (double)d;
        }
    }
cleanup:
    return status;
}

/* Q_ij and T_ij behind the layer. */
static void take_pair(const pls_chain *chain, const pls_chain_layer *layer,
                      const pls_gaussian_moments *moments, int64_t i, int64_t j, averages *now) {
    int64_t at = i * now->n + j;
    double covariance = now->covariance[at];
    double theta = covariance + chain->weight_variance * now->tangent[at];
    pls_expectations pair = pls_gaussian_moments_pair(moments, i, j, covariance);
    if (layer->residual) {
        now->second[at] += now->mean[i] * pls_gaussian_moments_mean(moments, j) +
                           now->mean[j] * pls_gaussian_moments_mean(moments, i) + pair.value;
        now->tangent[at] += theta * pair.slope;
    } else {
        now->second[at] = pair.value;
        now->tangent[at] = theta * pair.slope;
    }
}

static void set_covariance(const pls_chain *chain, averages *now) {
    for (int64_t i = 0; i < now->n; i++) {
        for (int64_t j = 0; j <= i; j++) {
            int64_t at = i * now->n + j;
            now->covariance[at] = chain->weight_variance * now->second[at] + chain->bias_variance;
        }
    }
}

static pls_status pass_layer(pls_context *context, const pls_chain *chain,
                             const pls_chain_layer *layer, double tolerance, averages *now,
                             pls_infinite_width *limit) {
    pls_gaussian_moments moments = {0};
    pls_status status = PLS_OK;
    set_covariance(chain, now);
    PLS_TRY(context, pls_gaussian_moments_create(context, layer->activation, now->n,
                                                 now->covariance, tolerance, &moments));
    for (int64_t i = 0; i < now->n; i++) {
        PLS_TRY(context, pls_check_cancelled(context));
        for (int64_t j = 0; j <= i; j++) {
            take_pair(chain, layer, &moments, i, j, now);
        }
    }
    for (int64_t i = 0; i < now->n; i++) {
        double mean = pls_gaussian_moments_mean(&moments, i);
        now->mean[i] = layer->residual ? now->mean[i] + mean : mean;
    }
    limit->order = pls_larger(limit->order, moments.order);
    limit->error += moments.error;
cleanup:
    pls_gaussian_moments_destroy(context, &moments);
    return status;
}

/* The kernel is the matrix T behind the linear output layer: both triangles, all finite. */
static pls_status take_kernel(pls_context *context, averages *now, pls_infinite_width *limit) {
    int64_t n = now->n;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j <= i; j++) {
            double element = now->tangent[i * n + j];
            if (!isfinite(element)) {
                return pls_fail(context, PLS_ERROR_NUMERIC,
                                "infinite width: element (%lld, %lld) of the kernel is %g; scale "
                                "the inputs (data.normalize) or model.sigma_w down",
                                (long long)i, (long long)j, element);
            }
            now->tangent[j * n + i] = element;
        }
    }
    limit->samples = n;
    limit->kernel = now->tangent;
    now->tangent = NULL;
    return PLS_OK;
}

static pls_status check_chain(pls_context *context, const pls_chain *chain) {
    const pls_chain_layer *last = &chain->layers[chain->depth - 1];
    if (last->residual || last->activation != PLS_IDENTITY) {
        return pls_fail(context, PLS_ERROR_UNSUPPORTED,
                        "infinite width: the last layer is %s%s, but only behind a linear dense "
                        "layer does the tangent kernel have a limit that is not random; end "
                        "model.layers with {type: dense, activation: identity}",
                        last->residual ? "residual, " : "", pls_activation_name(last->activation));
    }
    if (chain->layers[0].residual) {
        return pls_fail(context, PLS_ERROR_UNSUPPORTED,
                        "infinite width: the first layer is residual, so its width is that of the "
                        "inputs and cannot grow; put a dense layer before it");
    }
    return PLS_OK;
}

pls_status pls_chain_infinite_width(pls_context *context, const pls_chain *chain, int64_t n,
                                    int64_t d, const double *inputs, double tolerance,
                                    pls_infinite_width *limit) {
    averages now = {0};
    pls_status status = PLS_OK;
    *limit = (pls_infinite_width){0};
    PLS_TRY(context, check_chain(context, chain));
    PLS_TRY(context, create_averages(context, n, &now));
    PLS_TRY(context, take_inputs(context, d, inputs, &now));
    for (int64_t l = 0; l < chain->depth; l++) {
        PLS_TRY(context, pass_layer(context, chain, &chain->layers[l], tolerance, &now, limit));
    }
    PLS_TRY(context, take_kernel(context, &now, limit));
cleanup:
    destroy_averages(context, &now);
    return status;
}

/* ---- models ---------------------------------------------------------------------------------- */

static pls_status check_model(pls_context *context, const pls_model *model,
                              const pls_dataset *data) {
    int64_t inputs = 1;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_model_check(context, model, NULL, NULL));
    for (int i = 0; i < model->input_rank; i++) {
        inputs *= model->input_shape[i];
    }
    if (inputs != data->dimension) {
        status = pls_fail(context, PLS_ERROR_DATA,
                          "infinite width: the data has %lld features a sample, but model.input "
                          "expects %lld",
                          (long long)data->dimension, (long long)inputs);
    } else if (model->parameterization != PLS_PARAMETERIZATION_NTK) {
        status = pls_fail(context, PLS_ERROR_UNSUPPORTED,
                          "infinite width: in the standard parameterization the tangent kernel "
                          "grows with the width and has no limit; use model.parameterization: ntk");
    }
cleanup:
    return status;
}

/* Layers without parameters leave no trace in the chain. */
static pls_status take_layers(pls_context *context, const pls_model *model, pls_chain_layer *layers,
                              int64_t *depth) {
    *depth = 0;
    for (int64_t l = 0; l < model->layer_count; l++) {
        const pls_layer_spec *spec = &model->layers[l];
        switch (spec->type) {
        case PLS_LAYER_DENSE:
            layers[(*depth)++] = (pls_chain_layer){false, spec->activation};
            break;
        case PLS_LAYER_RESIDUAL_DENSE:
            layers[(*depth)++] = (pls_chain_layer){true, spec->activation};
            break;
        case PLS_LAYER_FLATTEN:
            break;
        default:
            return pls_fail(context, PLS_ERROR_UNSUPPORTED,
                            "infinite width: model.layers[%lld] is of type %s, for which the limit "
                            "is not known here; only chains of dense and residual_dense layers "
                            "have it",
                            (long long)l, pls_layer_type_name(spec->type));
        }
    }
    return PLS_OK;
}

/* Extreme eigenvalues, and the floor: an element's relative error e, in units of the roots of the
 * diagonal elements beside it, moves an eigenvalue by at most e times the trace. */
static pls_status measure_spectrum(pls_device *device, int64_t d, int64_t depth,
                                   pls_infinite_width *limit) {
    pls_context *context = device->context;
    int64_t n = limit->samples;
    double *values = NULL, trace = 0.0, roundoff = pls_dtype_roundoff(PLS_F64);
    pls_view matrix, eigenvalues;
    pls_arena arena = pls_arena_measuring(device);
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, n, sizeof *values, "eigenvalues", &values));
    for (int pass = 0; pass < 2; pass++) {
        PLS_TRY(context, pls_arena_take(&arena, PLS_F64, n, n, &matrix));
        PLS_TRY(context, pls_arena_take(&arena, PLS_F64, 1, n, &eigenvalues));
        if (pass == 0) {
            PLS_TRY(context, pls_arena_reserve(&arena, "eigenvalues at infinite width"));
        }
    }
    PLS_TRY(context, pls_upload(device, limit->kernel, n, matrix));
    PLS_TRY(context, pls_syevd(device, false, matrix, eigenvalues));
    PLS_TRY(context, pls_download(device, eigenvalues, values, n));
    for (int64_t i = 0; i < n; i++) {
        trace += limit->kernel[i * n + i];
    }
    limit->lambda_min = values[0];
    limit->lambda_max = values[n - 1];
    limit->floor = (limit->error + (double)(d + 16 * depth) * roundoff) * trace;
cleanup:
    pls_arena_destroy(&arena);
    pls_release(context, values);
    return status;
}

pls_status pls_infinite_width_compute(pls_device *device, const pls_model *model,
                                      const pls_dataset *data, double tolerance,
                                      pls_infinite_width *limit) {
    pls_context *context = device->context;
    pls_chain_layer *layers = NULL;
    pls_chain chain = {.weight_variance = model->sigma_w * model->sigma_w,
                       .bias_variance = model->bias ? model->sigma_b * model->sigma_b : 0.0};
    pls_status status = PLS_OK;
    *limit = (pls_infinite_width){0};
    PLS_TRY(context, check_model(context, model, data));
    PLS_TRY(context, pls_allocate(context, model->layer_count, sizeof *layers,
                                  "the layers at infinite width", &layers));
    PLS_TRY(context, take_layers(context, model, layers, &chain.depth));
    chain.layers = layers;
    PLS_TRY(context,
            pls_chain_infinite_width(context, &chain, data->samples, data->dimension, data->inputs,
                                     tolerance > 0.0 ? tolerance : DEFAULT_TOLERANCE, limit));
    PLS_TRY(context, measure_spectrum(device, data->dimension, chain.depth, limit));
cleanup:
    pls_release(context, layers);
    if (status != PLS_OK) {
        pls_infinite_width_destroy(context, limit);
    }
    return status;
}

void pls_infinite_width_destroy(pls_context *context, pls_infinite_width *limit) {
    pls_release(context, limit->kernel);
    *limit = (pls_infinite_width){0};
}

/* ---- distance -------------------------------------------------------------------------------- */

double pls_infinite_width_distance(const pls_infinite_width *limit, int64_t outputs, bool trace,
                                   const double *kernel) {
    int64_t k = trace ? 1 : outputs, size = limit->samples * k;
    double factor = trace ? (double)outputs : 1.0, apart = 0.0, whole = 0.0;
    for (int64_t i = 0; i < size; i++) {
        for (int64_t j = 0; j < size; j++) {
            double theta = limit->kernel[i / k * limit->samples + j / k];
            double expected = i % k == j % k ? factor * theta : 0.0;
            double difference = kernel[i * size + j] - expected;
            apart += difference * difference;
            whole += expected * expected;
        }
    }
    return whole > 0.0 ? sqrt(apart / whole) : NAN;
}
