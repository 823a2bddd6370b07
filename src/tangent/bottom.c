/* Who sets mu: what carries the unit eigenvector v of lambda_min(K).
 *
 * With K = sum over layers of J_l J_lT, lambda_min = vT K v = sum over l of ||J_lT v||^2: one
 * pullback JT v, cut where the layers' parameters begin, gives the share of every layer without a
 * kernel a layer. A trace kernel is the sum over outputs of J_a J_aT and takes a pullback an
 * output.
 *
 * JT v is small where lambda_min is, a sum of terms as large as sqrt(lambda_max) that cancel; so
 * it is formed in float64.
 *
 * How far v can be trusted: if the computed kernel is off by at most `floor` in norm, v is turned
 * by an angle with sin <= 2 floor / gap (Yu, Wang, Samworth, A useful variant of the Davis-Kahan
 * theorem for statisticians, Biometrika 102, 2015), and by residual / gap for what the iteration
 * left. A small eigenvalue alone is no obstacle: two equal inputs have an eigenvalue of 0 whose
 * vector is known well. */
#include "backend/phase.h"
#include "base/memory.h"
#include "tangent/kernel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double TURN_LIMIT = 0.1;

void pls_bottom_destroy(pls_context *context, pls_bottom *bottom) {
    pls_release(context, bottom->vector);
    pls_release(context, bottom->sample_shares);
    pls_release(context, bottom->output_shares);
    pls_release(context, bottom->layer_shares);
    memset(bottom, 0, sizeof *bottom);
}

/* Tensors of the system, at most the number of its layers. */
static int64_t count_tensors(const pls_system *system) {
    char name[64];
    int rank;
    int64_t shape[8], first, count = 0;
    while (system->kind->tensor(system, count, name, &rank, shape, &first)) {
        count++;
    }
    return count;
}

static pls_status allocate(pls_kernel *kernel, pls_bottom *bottom) {
    pls_system *system = kernel->system;
    pls_context *context = system->device->context;
    static const char what[] = "the bottom eigenvector";
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, kernel->size, sizeof(double), what, &bottom->vector));
    PLS_TRY(context,
            pls_allocate(context, system->samples, sizeof(double), what, &bottom->sample_shares));
    PLS_TRY(context,
            pls_allocate(context, system->outputs, sizeof(double), what, &bottom->output_shares));
    PLS_TRY(context, pls_allocate(context, count_tensors(system), sizeof(pls_layer_share), what,
                                  &bottom->layer_shares));
cleanup:
    return status;
}

static void share_out_entries(const pls_kernel *kernel, pls_bottom *bottom) {
    int64_t k = kernel->options.trace ? 1 : bottom->outputs;
    for (int64_t i = 0; i < bottom->samples; i++) {
        for (int64_t a = 0; a < k; a++) {
            double entry = bottom->vector[i * k + a];
            bottom->sample_shares[i] += entry * entry;
            if (!kernel->options.trace) {
                bottom->output_shares[a] += entry * entry;
            }
        }
    }
}

/* ---- layers ---------------------------------------------------------------------------------- */

typedef struct pull_views {
    pls_view outputs, cotangent; /* n x k */
    pls_view gradient;           /* 1 x P */
    pls_view scalar;             /* 1 x 1 f64 */
} pull_views;

static pls_status layout(const pls_system *system, pls_arena *arena, pull_views *views) {
    pls_context *context = system->device->context;
    int64_t n = system->samples, k = system->outputs;
    pls_dtype dtype = system->precision;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, dtype, n, k, &views->outputs));
    PLS_TRY(context, pls_arena_take(arena, dtype, n, k, &views->cotangent));
    PLS_TRY(context, pls_arena_take(arena, dtype, 1, system->parameters, &views->gradient));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, 1, &views->scalar));
cleanup:
    return status;
}

/* The place of a tensor's layer: "layers.2.weight" and "layers.2.bias" are of "layers.2". */
static double *share_of(pls_bottom *bottom, const char *tensor) {
    char name[64];
    const char *last = strrchr(tensor, '.');
    bool in_layer = strncmp(tensor, "layers.", 7) == 0 && last > tensor + 6;
    snprintf(name, sizeof name, "%.*s", (int)(in_layer ? last - tensor : 63), tensor);
    for (int64_t l = 0; l < bottom->layers; l++) {
        if (strcmp(bottom->layer_shares[l].name, name) == 0) {
            return &bottom->layer_shares[l].share;
        }
    }
    pls_layer_share *added = &bottom->layer_shares[bottom->layers++];
    memcpy(added->name, name, sizeof name);
    return &added->share;
}

/* Adds ||g_l||^2 to the layers, *total = ||g||^2. */
static pls_status add_layers(pls_system *system, const pull_views *views, pls_bottom *bottom,
                             double *total) {
    pls_device *device = system->device;
    char name[64];
    int rank;
    int64_t shape[8], first;
    pls_status status = PLS_OK;
    *total = 0.0;
    for (int64_t i = 0; system->kind->tensor(system, i, name, &rank, shape, &first); i++) {
        int64_t count = 1;
        double squared = 0.0;
        for (int d = 0; d < rank; d++) {
            count *= shape[d];
        }
        pls_view part = pls_view_cols(views->gradient, first, count);
        PLS_TRY(device->context, pls_dot(device, part, part, views->scalar));
        PLS_TRY(device->context, pls_download(device, views->scalar, &squared, 1));
        *share_of(bottom, name) += squared;
        *total += squared;
    }
cleanup:
    return status;
}

/* Divides by the total; a total of 0 leaves nothing to share. */
static void normalize(const pls_kernel *kernel, double total, pls_bottom *bottom) {
    if (!(total > 0.0) || !isfinite(total)) {
        bottom->layers = 0;
        total = NAN;
    }
    for (int64_t l = 0; l < bottom->layers; l++) {
        bottom->layer_shares[l].share /= total;
    }
    for (int64_t a = 0; kernel->options.trace && a < bottom->outputs; a++) {
        bottom->output_shares[a] /= total;
    }
}

/* `point` is the kernel's system, or its copy in float64. */
static pls_status share_out_layers(pls_kernel *kernel, pls_system *point, pls_bottom *bottom) {
    pls_device *device = point->device;
    pls_context *context = device->context;
    pls_arena arena = pls_arena_measuring(device);
    int64_t n = bottom->samples, passes = kernel->options.trace ? bottom->outputs : 1;
    double total = 0.0, part = 0.0;
    pull_views views;
    pls_status status = PLS_OK;
    PLS_TRY(context, layout(point, &arena, &views));
    PLS_TRY(context, pls_arena_reserve(&arena, "the pullback of the bottom eigenvector"));
    PLS_TRY(context, layout(point, &arena, &views));
    if (!point->stands) {
        PLS_TRY(context, pls_system_evaluate(point, NULL, n, views.outputs));
    }
    for (int64_t a = 0; a < passes; a++) {
        pls_view column = pls_view_cols(views.cotangent, a, 1);
        pls_view into = kernel->options.trace ? column : views.cotangent;
        PLS_TRY(context, pls_check_cancelled(context));
        PLS_TRY(context, pls_fill(device, 0.0, views.cotangent));
        PLS_TRY(context,
                pls_copy(device, pls_view_reshape(kernel->vector, into.rows, into.cols), into));
        PLS_TRY(context, point->kind->pullback(point, views.cotangent, views.gradient));
        PLS_TRY(context, add_layers(point, &views, bottom, &part));
        if (kernel->options.trace) {
            bottom->output_shares[a] = part;
        }
        total += part;
    }
    normalize(kernel, total, bottom);
cleanup:
    pls_arena_destroy(&arena);
    return status;
}

/* On a float64 copy; without the memory for one on the system itself. */
static pls_status measure_layers(pls_kernel *kernel, pls_bottom *bottom) {
    pls_system *system = kernel->system;
    pls_context *context = system->device->context;
    pls_system *copy = NULL;
    pls_status status = PLS_OK;
    if (system->precision == PLS_F64) {
        return share_out_layers(kernel, system, bottom);
    }
    status = pls_system_duplicate(system, NULL, system->samples, PLS_F64, &copy);
    if (status == PLS_ERROR_MEMORY) {
        pls_log(context, PLS_LOG_WARNING, "the layers' shares of mu are measured in float32: %s",
                pls_error_text(context));
        pls_error_clear(context);
        status = PLS_OK;
    }
    PLS_TRY(context, status);
    PLS_TRY(context, share_out_layers(kernel, copy != NULL ? copy : system, bottom));
cleanup:
    pls_system_destroy(copy);
    return status;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void judge(const pls_kernel *kernel, const pls_spectrum *spectrum, pls_bottom *bottom) {
    double doubt = 2.0 * spectrum->floor + spectrum->lambda_min_residual;
    bottom->eigenvalue = spectrum->lambda_min;
    bottom->below_floor = spectrum->below_floor;
    bottom->gap =
        kernel->size > 1 ? spectrum->lambda_next - spectrum->lambda_min : (double)INFINITY;
    bottom->turn = bottom->gap > doubt ? doubt / bottom->gap : 1.0;
    bottom->determined = bottom->turn <= TURN_LIMIT;
}

pls_status pls_kernel_bottom(pls_kernel *kernel, const pls_spectrum *spectrum, pls_bottom *bottom) {
    pls_device *device = kernel->system->device;
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    memset(bottom, 0, sizeof *bottom);
    if (!kernel->has_vector) {
        return PLS_OK;
    }
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_BOTTOM));
    bottom->known = true;
    bottom->samples = kernel->system->samples;
    bottom->outputs = kernel->system->outputs;
    judge(kernel, spectrum, bottom);
    PLS_TRY(context, allocate(kernel, bottom));
    PLS_TRY(context, pls_download(device, kernel->vector, bottom->vector, kernel->size));
    share_out_entries(kernel, bottom);
    PLS_TRY(context, measure_layers(kernel, bottom));
cleanup:
    if (status != PLS_OK) {
        pls_bottom_destroy(context, bottom);
    }
    return pls_phase_end(device, status);
}
