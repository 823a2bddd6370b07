/* The parts of the Lanczos method, and its plain run; see lanczos.h. */
#include "tangent/lanczos.h"

#include <float.h>
#include <lapacke.h>
#include <math.h>

/* Columns of the basis that are replaced by those of Ritz vectors at a time. */
enum { ROTATED_COLUMNS = 1 << 14 };

/* Numbers, 256 bytes. */
enum { ROW_ALIGNMENT = 32 };

/* Rows whose starts are aligned like that of the first, so that products with them are computed in
 * the same way in every slot. */
static pls_status take_rows(pls_arena *arena, int64_t rows, int64_t size, pls_view *view) {
    int64_t padded = 0;
    pls_status status = PLS_OK;
    if (!pls_add(size, ROW_ALIGNMENT - 1, &padded)) {
        padded = INT64_MAX; /* which the arena refuses */
    }
    padded -= padded % ROW_ALIGNMENT;
    PLS_TRY(arena->device->context, pls_arena_take(arena, PLS_F64, rows, padded, view));
    *view = pls_view_cols(*view, 0, size);
cleanup:
    return status;
}

pls_status pls_lanczos_take_slots(pls_arena *arena, int64_t size, int64_t slots, int64_t capacity,
                                  pls_lanczos *lanczos) {
    pls_context *context = arena->device->context;
    int64_t vectors = pls_smaller(size, capacity), rows = 0;
    pls_status status = PLS_OK;
    lanczos->device = arena->device;
    lanczos->size = size;
    lanczos->slots = slots;
    lanczos->capacity = vectors;
    if (!pls_multiply(slots, vectors, &rows)) {
        rows = INT64_MAX; /* which the arena refuses */
    }
    PLS_TRY(context, take_rows(arena, rows, size, &lanczos->basis));
    PLS_TRY(context, take_rows(arena, slots, size, &lanczos->x));
    PLS_TRY(context, take_rows(arena, slots, size, &lanczos->work));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, slots, 2 * vectors, &lanczos->coefficients));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, slots, 2, &lanczos->squares));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, vectors, vectors, &lanczos->ritz));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, vectors, pls_smaller(size, ROTATED_COLUMNS),
                                    &lanczos->rotated));
    PLS_TRY(context, pls_arena_take(arena, PLS_F64, 1, 1, &lanczos->scalar));
cleanup:
    return status;
}

pls_status pls_lanczos_take(pls_arena *arena, int64_t size, pls_lanczos *lanczos) {
    return pls_lanczos_take_slots(arena, size, 1, PLS_LANCZOS_BASIS, lanczos);
}

pls_status pls_vector_norm(pls_device *device, pls_view x, pls_view scalar, double *norm) {
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_dot(device, x, x, scalar));
    PLS_TRY(device->context, pls_download(device, scalar, norm, 1));
    *norm = sqrt(*norm);
cleanup:
    return status;
}

/* work -= its components along vectors first .. first+count-1; h: 1 x count, the components. */
static pls_status subtract(pls_lanczos *lanczos, int64_t slot, int64_t first, int64_t count,
                           pls_view h) {
    pls_device *device = lanczos->device;
    pls_view basis = pls_lanczos_basis(lanczos, slot, first, count);
    pls_view work = pls_view_rows(lanczos->work, slot, 1);
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_gemm(device, PLS_PLAIN, PLS_TRANSPOSED, 1.0, work, basis, 0.0, h));
    PLS_TRY(device->context, pls_gemm(device, PLS_PLAIN, PLS_PLAIN, -1.0, h, basis, 1.0, work));
cleanup:
    return status;
}

pls_status pls_lanczos_orthogonalize(pls_lanczos *lanczos, int64_t slot, int64_t first,
                                     int64_t count) {
    pls_context *context = lanczos->device->context;
    pls_view work = pls_view_rows(lanczos->work, slot, 1);
    pls_view coefficients = pls_view_rows(lanczos->coefficients, slot, 1);
    pls_view square = pls_view_cols(pls_view_rows(lanczos->squares, slot, 1), 0, 1);
    pls_status status = PLS_OK;
    PLS_TRY(context, subtract(lanczos, slot, first, count - first,
                              pls_view_cols(coefficients, first, count - first)));
    PLS_TRY(context, subtract(lanczos, slot, 0, count,
                              pls_view_cols(coefficients, lanczos->capacity, count)));
    PLS_TRY(context, pls_dot(lanczos->device, work, work, square));
cleanup:
    return status;
}

void pls_lanczos_components(int64_t capacity, const double *coefficients, int64_t first,
                            int64_t count, double *column) {
    for (int64_t i = 0; i < count; i++) {
        column[i] = coefficients[capacity + i] + (i >= first ? coefficients[i] : 0.0);
    }
}

pls_status pls_ritz_values(pls_context *context, int64_t order, double *a, double *values,
                           double *scratch) {
    lapack_int n = (lapack_int)order;
    lapack_int info = LAPACKE_dsyev_work(LAPACK_COL_MAJOR, 'V', 'U', n, a, n, values, scratch,
                                         PLS_RITZ_SCRATCH * n);
    if (info != 0) {
        return pls_fail(context, PLS_ERROR_NUMERIC,
                        "the projected eigenvalue problem of order %d failed (LAPACK dsyev: %d)",
                        (int)n, (int)info);
    }
    return PLS_OK;
}

/* ---- the plain run --------------------------------------------------------------------------- */

/* Column j of T, and ||r||; coefficients: 2 capacity numbers of scratch. */
static pls_status project_step(pls_lanczos *lanczos, int64_t j, double *coefficients,
                               double *column, double *beta) {
    pls_device *device = lanczos->device;
    pls_context *context = device->context;
    int64_t first = pls_lanczos_neighbour(j);
    pls_view square = pls_view_cols(pls_view_rows(lanczos->squares, 0, 1), 0, 1);
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_lanczos_orthogonalize(lanczos, 0, first, j + 1));
    PLS_TRY(context, pls_download(device, pls_view_rows(lanczos->coefficients, 0, 1), coefficients,
                                  2 * lanczos->capacity));
    PLS_TRY(context, pls_download(device, square, beta, 1));
    *beta = sqrt(*beta);
    pls_lanczos_components(lanczos->capacity, coefficients, first, j + 1, column);
    if (!isfinite(column[j]) || !isfinite(*beta)) {
        status = pls_fail(context, PLS_ERROR_NUMERIC,
                          "the Lanczos method met a number that is not finite");
    }
cleanup:
    return status;
}

pls_status pls_lanczos_project(pls_lanczos *lanczos, pls_operator apply, void *user, int64_t steps,
                               double *projected, int64_t *order) {
    pls_device *device = lanczos->device;
    pls_context *context = device->context;
    pls_view x = pls_view_reshape(lanczos->x, lanczos->size, 1);
    pls_view work = pls_view_reshape(lanczos->work, lanczos->size, 1);
    double *coefficients = NULL, beta = INFINITY, scale = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, 2 * lanczos->capacity, sizeof *coefficients,
                                  "Lanczos steps", &coefficients));
    PLS_TRY(context, pls_fill(device, 0.0, lanczos->coefficients)); /* all of it is downloaded */
    PLS_TRY(context, pls_copy(device, lanczos->x, pls_lanczos_basis(lanczos, 0, 0, 1)));
    for (*order = 0; *order < steps && beta > DBL_EPSILON * scale; ++*order) {
        int64_t j = *order;
        if (j > 0) {
            pls_view next = pls_lanczos_basis(lanczos, 0, j, 1);
            PLS_TRY(context, pls_axpby(device, 1.0 / beta, lanczos->work, 0.0, next));
            PLS_TRY(context, pls_copy(device, next, lanczos->x));
        }
        PLS_TRY(context, pls_check_cancelled(context));
        PLS_TRY(context, apply(user, x, work));
        PLS_TRY(context, project_step(lanczos, j, coefficients, projected + j * steps, &beta));
        scale = fmax(scale, fmax(fabs(projected[j * steps + j]), beta));
    }
cleanup:
    pls_release(context, coefficients);
    return status;
}
