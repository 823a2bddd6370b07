/* What all systems share: sizes, host copies of weights, and the numbers of a point. */
#include "system/system.h"

#include "backend/phase.h"
#include "base/memory.h"
#include "system/loss.h"

#include <math.h>

void pls_system_destroy(pls_system *system) {
    if (system != NULL) {
        system->kind->destroy(system);
    }
}

int64_t pls_system_samples(const pls_system *system) {
    return system->samples;
}

int64_t pls_system_outputs(const pls_system *system) {
    return system->outputs;
}

int64_t pls_system_equations(const pls_system *system) {
    return system->samples * system->outputs;
}

int64_t pls_system_parameters(const pls_system *system) {
    return system->parameters;
}

pls_dtype pls_system_precision(const pls_system *system) {
    return system->precision;
}

const char *pls_system_kink(const pls_system *system) {
    return system->kind->kink != NULL ? system->kind->kink(system) : NULL;
}

pls_status pls_system_smoothness(const pls_system *system, pls_smoothness *smoothness) {
    if (system->kind->smoothness == NULL) {
        return pls_fail(system->device->context, PLS_ERROR_UNSUPPORTED,
                        "the smoothness beta_F of a %s system is not known in closed form; "
                        "pls_constants_estimate() samples it",
                        system->kind->name);
    }
    return system->kind->smoothness(system, smoothness);
}

const char *pls_evidence_name(pls_evidence evidence) {
    return evidence == PLS_EVIDENCE_EXACT     ? "exact"
           : evidence == PLS_EVIDENCE_BOUNDED ? "bounded"
                                              : "sampled";
}

pls_status pls_check_finite(pls_context *context, const double *values, int64_t count,
                            const char *what) {
    for (int64_t i = 0; values != NULL && i < count; i++) {
        if (!isfinite(values[i])) {
            return pls_fail(context, PLS_ERROR_DATA,
                            "%s: entry %lld is %g; finite numbers were expected", what,
                            (long long)i, values[i]);
        }
    }
    return PLS_OK;
}

void pls_system_describe_targets(pls_system *system, const double *targets) {
    system->targets_are_probabilities = true;
    system->targets_are_one_hot = true;
    for (int64_t i = 0; i < system->samples; i++) {
        double sum = 0.0;
        int64_t ones = 0, zeros = 0;
        for (int64_t a = 0; a < system->outputs; a++) {
            double y = targets[i * system->outputs + a];
            sum += y;
            ones += y == 1.0;
            zeros += y == 0.0;
            system->targets_are_probabilities &= y >= 0.0;
        }
        system->targets_are_probabilities &= fabs(sum - 1.0) < 1e-9;
        system->targets_are_one_hot &= ones == 1 && zeros == system->outputs - 1;
    }
}

pls_status pls_system_evaluate(pls_system *system, const int64_t *samples, int64_t count,
                               pls_view out) {
    pls_device *device = system->device;
    pls_status status = PLS_OK;
    system->stands = false;
    PLS_TRY(device->context, pls_phase_begin(device, PLS_PHASE_FORWARD));
    PLS_TRY(device->context, system->kind->evaluate(system, samples, count, out));
    system->stands = samples == NULL;
cleanup:
    return pls_phase_end(device, status);
}

void pls_system_moved(pls_system *system) {
    system->stands = false;
}

pls_status pls_system_follow(const pls_system *system, pls_system *duplicate) {
    pls_system_moved(duplicate);
    return pls_copy(system->device, system->weights, duplicate->weights);
}

pls_status pls_system_duplicate(pls_system *system, const int64_t *samples, int64_t count,
                                pls_dtype precision, pls_system **out) {
    pls_context *context = system->device->context;
    pls_system *duplicate = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, system->kind->duplicate(system, samples, count, precision, &duplicate));
    PLS_TRY(context, pls_system_follow(system, duplicate));
    *out = duplicate;
    duplicate = NULL;
cleanup:
    pls_system_destroy(duplicate);
    return status;
}

pls_status pls_system_initialize(pls_system *system) {
    pls_device *device = system->device;
    pls_status status = PLS_OK;
    pls_system_moved(system);
    PLS_TRY(device->context, pls_phase_begin(device, PLS_PHASE_INITIALISATION));
    PLS_TRY(device->context, system->kind->initialize(system));
cleanup:
    return pls_phase_end(device, status);
}

/* Elements that travel between host and device at a time. */
enum { PIECE = 1 << 18 };

/* Rows that fit into one piece; wide rows go column range by column range. */
static pls_status transfer(pls_device *device, double *host, pls_view view, bool up) {
    pls_context *context = device->context;
    int64_t columns = view.cols < PIECE ? view.cols : PIECE;
    int64_t rows = columns > 0 && PIECE / columns > 0 ? PIECE / columns : 1;
    float *piece = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, rows * columns, sizeof *piece, "a transfer", &piece));
    for (int64_t i = 0; i < view.rows; i += rows) {
        int64_t m = i + rows < view.rows ? rows : view.rows - i;
        for (int64_t j = 0; j < view.cols; j += columns) {
            int64_t n = j + columns < view.cols ? columns : view.cols - j;
            pls_view part = pls_view_cols(pls_view_rows(view, i, m), j, n);
            double *there = host + i * view.cols + j;
            if (!up) {
                PLS_TRY(context, pls_download(device, part, piece, n));
            }
            for (int64_t r = 0; r < m; r++) {
                for (int64_t c = 0; c < n; c++) {
                    if (up) {
                        piece[r * n + c] = (float)there[r * view.cols + c];
                    } else {
                        there[r * view.cols + c] = (double)piece[r * n + c];
                    }
                }
            }
            if (up) {
                PLS_TRY(context, pls_upload(device, piece, n, part));
            }
        }
    }
cleanup:
    pls_release(context, piece);
    return status;
}

pls_status pls_upload_f64(pls_device *device, const double *host, pls_view view) {
    if (view.dtype == PLS_F64) {
        return pls_upload(device, host, view.cols, view);
    }
    return transfer(device, (double *)host, view, true);
}

pls_status pls_download_f64(pls_device *device, pls_view view, double *host) {
    if (view.dtype == PLS_F64) {
        return pls_download(device, view, host, view.cols);
    }
    return transfer(device, host, view, false);
}

pls_status pls_system_set_weights(pls_system *system, const double *weights) {
    pls_system_moved(system);
    return pls_upload_f64(system->device, weights, system->weights);
}

pls_status pls_system_get_weights(pls_system *system, double *weights) {
    return pls_download_f64(system->device, system->weights, weights);
}

/* Scratch of one measurement of a point. */
typedef struct point_views {
    pls_view f, residual, losses, total, g;
} point_views;

static pls_status point_layout(const pls_system *system, pls_arena *arena, point_views *views) {
    pls_context *context = system->device->context;
    int64_t n = system->samples, k = system->outputs;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, system->precision, n, k, &views->f));
    PLS_TRY(context, pls_arena_take(arena, system->precision, n, k, &views->residual));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, n, 1, &views->losses));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, 1, &views->total));
    PLS_TRY(context, pls_arena_take(arena, system->precision, 1, system->parameters, &views->g));
cleanup:
    return status;
}

pls_status pls_system_measure(pls_system *system, pls_loss loss, pls_point *point, double *outputs,
                              double *gradient) {
    pls_device *device = system->device;
    pls_context *context = device->context;
    pls_arena arena = pls_arena_measuring(device);
    point_views views;
    pls_status status = PLS_OK;
    PLS_TRY(context, point_layout(system, &arena, &views));
    PLS_TRY(context, pls_arena_reserve(&arena, "outputs and gradient"));
    PLS_TRY(context, point_layout(system, &arena, &views));
    PLS_TRY(context, pls_system_evaluate(system, NULL, system->samples, views.f));
    PLS_TRY(context, pls_loss_gradient(system, loss, views.f, system->targets, views.residual,
                                       views.losses, views.total, views.g, &point->loss));
    PLS_TRY(context, pls_gradient_norm(device, views.g, views.total, &point->gradient_norm));
    point->pl_ratio = pls_pl_ratio(system, loss, point->loss, point->gradient_norm);
    if (outputs != NULL) {
        PLS_TRY(context, pls_download_f64(device, views.f, outputs));
    }
    if (gradient != NULL) {
        PLS_TRY(context, pls_download_f64(device, views.g, gradient));
    }
cleanup:
    pls_arena_destroy(&arena);
    return status;
}
