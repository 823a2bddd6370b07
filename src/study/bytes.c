/* How much memory a cell takes, before anything is reserved.
 *
 * What architecture decides (activations, tiles of the kernel, scratch of layers) is measured by
 * running the layouts of outlines; vectors as long as w and matrices as large as K are counted. The
 * parts of a measurement follow each other, so that the largest of them counts:
 *
 *     a cell   the system and w_0, and the largest of
 *     kernel   K with its solvers and its rounding, a copy of K, its limit at infinite width
 *     sphere   that kernel if it is wanted there, directions, a copy of the system for H_i
 *     path     a kernel of its own, K_0, what the trainer keeps */
#include "study/direction.h"
#include "study/study.h"

#include "base/memory.h"
#include "system/network_system.h"
#include "tangent/kernel.h"

/* Samples of the float32 copy by which rounding is measured (pls_spectrum_options), and rows. */
enum { ROUNDING_SAMPLES = 16, ROUNDING_ROWS = 256 };

/* Samples of a copy for Hessians: those that are measured, or the slots of the Lanczos method. */
enum { LEAST_SAMPLES = 8 };

/* Vectors of P numbers on the sphere, on the host: direction, curved, image, point; on the device
 * in a product: two and a gradient. Of the trainer: gradient, w_0, a pullback. */
enum { SPHERE_VECTORS = 4, PRODUCT_VECTORS = 3, PATH_VECTORS = 3 };

/* Numbers of N, of n (d + k): sums, outputs, losses and copies of inputs that none of the above
 * counts. */
enum { OUTPUT_VECTORS = 16, DATA_COPIES = 3 };

/* Orders of the largest rule of infinite_width.h, and the matrices of order n there. */
enum { LIMIT_ORDER = 4096, LIMIT_MATRICES = 8, LIMIT_SERIES = 4 };

/* What does not grow: pieces that travel between host and device, workspaces, small objects. */
static const double CONSTANT = (double)(4 << 20);

typedef struct sizes {
    pls_device device; /* has a context and nothing else, which is all that layouts ask for */
    pls_model model;
    double n, k, d, vector, matrix; /* bytes of w and of K */
} sizes;

static pls_status curvature_bytes(pls_system *outline, double *bytes) {
    pls_arena arena = pls_arena_measuring(outline->device);
    pls_view none = pls_no_view();
    pls_status status = outline->kind->curvature(outline, none, none, &arena, none);
    *bytes = (double)arena.peak;
    return status;
}

/* Of a system of so many samples: itself, its kernel, a second derivative. */
typedef struct parts {
    double system, kernel, curvature;
} parts;

static pls_status measure_parts(sizes *s, int64_t samples, pls_dtype precision, parts *found) {
    pls_system *outline = NULL;
    int64_t system = 0, kernel = 0;
    pls_status status = PLS_OK;
    PLS_TRY(s->device.context, pls_network_system_outline(&s->device, &s->model, samples, precision,
                                                          &outline, &system));
    PLS_TRY(s->device.context, pls_kernel_bytes(outline, &kernel));
    PLS_TRY(s->device.context, curvature_bytes(outline, &found->curvature));
    found->system = (double)system + 8.0 * (double)samples * (s->d + s->k + 1.0);
    found->kernel = (double)kernel;
cleanup:
    pls_system_destroy(outline);
    return status;
}

/* A kernel and the copy that tells its rounding. */
static pls_status kernel_bytes(sizes *s, const parts *whole, double *bytes) {
    int64_t samples = pls_smaller(ROUNDING_SAMPLES, (int64_t)s->n);
    parts copy;
    pls_status status = PLS_OK;
    PLS_TRY(s->device.context, measure_parts(s, samples, PLS_F32, &copy));
    double rows = (double)pls_larger(ROUNDING_ROWS, (int64_t)s->k);
    *bytes = whole->kernel + copy.system + copy.kernel + 8.0 * 4.0 * rows * rows;
cleanup:
    return status;
}

static double limit_bytes(const sizes *s) {
    double order = LIMIT_ORDER;
    return 8.0 * (order * order + LIMIT_MATRICES * s->n * s->n + LIMIT_SERIES * s->n * order);
}

static pls_status sphere_bytes(sizes *s, const pls_study *study, double kernel, double *bytes) {
    pls_context *context = s->device.context;
    int64_t parameters = (int64_t)(s->vector / 8.0);
    int64_t samples = pls_larger(LEAST_SAMPLES, pls_study_hessian_samples(study));
    parts copy;
    pls_status status = PLS_OK;
    PLS_TRY(context, measure_parts(s, samples, PLS_F64, &copy));
    pls_second_options second = pls_quick_second_options(parameters, 1.0, 0);
    double hessians = copy.system + copy.curvature;
    hessians += pls_study_asks_hessians(study) ? 2.0 * (double)second.memory : 0.0;
    *bytes = hessians + (SPHERE_VECTORS + PRODUCT_VECTORS) * s->vector;
    *bytes += pls_study_asks_minima(study) ? kernel : 0.0;
cleanup:
    return status;
}

static pls_status count(sizes *s, const pls_study *study, double *bytes) {
    pls_context *context = s->device.context;
    double most = 0.0, kernel = 0.0, sphere = 0.0;
    parts whole;
    pls_status status = PLS_OK;
    PLS_TRY(context, measure_parts(s, (int64_t)s->n, PLS_F64, &whole));
    PLS_TRY(context, kernel_bytes(s, &whole, &kernel));
    PLS_TRY(context, sphere_bytes(s, study, kernel, &sphere));
    if (pls_study_asks_kernel(study)) {
        bool limit = study->quantities[PLS_QUANTITY_INFINITE_DISTANCE];
        most = kernel + s->matrix + (limit ? limit_bytes(s) : 0.0);
    }
    if (pls_study_asks_sphere(study) || pls_study_asks_hessians(study)) {
        most = most > sphere ? most : sphere;
    }
    if (pls_study_asks_path(study)) {
        double path = kernel + s->matrix + PATH_VECTORS * s->vector + whole.curvature;
        most = most > path ? most : path;
    }
    *bytes = whole.system + 2.0 * s->vector + most + CONSTANT +
             8.0 * s->n * (OUTPUT_VECTORS * s->k + DATA_COPIES * (s->d + s->k));
cleanup:
    return status;
}

pls_status pls_study_bytes(pls_context *context, const pls_study *study, const pls_cell *cell,
                           int64_t *bytes) {
    pls_layer_spec *layers = NULL;
    sizes s = {.device = {.context = context}};
    int64_t parameters = 0, outputs = 0;
    double total = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(context,
            pls_allocate(context, pls_study_layers(study), sizeof *layers, "a study", &layers));
    PLS_TRY(context, pls_study_model(context, study, cell, layers, &s.model));
    PLS_TRY(context, pls_model_check(context, &s.model, &parameters, &outputs));
    s.n = (double)study->data->samples;
    s.k = (double)outputs;
    s.d = (double)study->data->dimension;
    s.vector = 8.0 * (double)parameters;
    s.matrix = 8.0 * s.n * s.k * s.n * s.k;
    PLS_TRY(context, count(&s, study, &total));
    *bytes = total < 9e18 ? (int64_t)total : INT64_MAX;
cleanup:
    pls_release(context, layers);
    return status;
}
