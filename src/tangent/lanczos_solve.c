/* Many symmetric eigenvalue problems at once by the Lanczos method; see lanczos.h.
 *
 * A step makes one product for every slot together. A slot then either grows its T by a column, or,
 * once a Ritz pair is good enough, has been given the product with the Ritz vector: with theta its
 * value, r = B x - theta x and delta = <x, r>,
 *     value = theta + delta,   ||B x - value x||^2 = ||r||^2 - delta^2. */
#include "tangent/lanczos.h"

#include <math.h>
#include <string.h>

/* T is looked at every so many columns, and less often where it is large. */
enum { CHECK_EVERY = 4, CHECK_FRACTION = 8 };

/* Products that the largest eigenvalue of one operator may take, in bases of the full length. */
enum { RESTARTS = 20 };

typedef struct slot {
    int64_t problem; /* -1: idle */
    int64_t order;   /* columns of T */
    int64_t first;   /* the first vector that the next product has a component along */
    int64_t check;   /* the order at which T is next looked at */
    double *t;       /* capacity x capacity, column-major; the upper triangle */
    double beta;     /* ||r|| */
    bool measuring;  /* x is the Ritz vector */
    pls_ritz ritz;
} slot;

typedef struct solver {
    pls_lanczos *lanczos;
    const pls_lanczos_options *options;
    int64_t count, next; /* problems, and the first that nobody has taken up */
    slot *slots;
    int64_t *problems; /* of the slots */
    double *matrices;  /* T of the slots */
    double *coefficients, *squares;
    double *vectors, *values, *scratch; /* of one T */
    int64_t *ranks;                     /* its eigenvalues, the wanted ones first */
    double *chosen;                     /* eigenvectors as rows, for the device */
    pls_ritz *ritz;
    pls_view found; /* count x size, or not given */
} solver;

static pls_view row(pls_view rows, int64_t i) {
    return pls_view_rows(rows, i, 1);
}

static pls_status check_finite(const solver *s, const slot *at, double value) {
    if (isfinite(value)) {
        return PLS_OK;
    }
    return pls_fail(s->lanczos->device->context, PLS_ERROR_NUMERIC,
                    "the Lanczos method met a number that is not finite (problem %lld of %lld, "
                    "product %lld)",
                    (long long)at->problem, (long long)s->count, (long long)at->ritz.products);
}

/* ---- beginning ------------------------------------------------------------------------------- */

/* x and the next vector of the basis = work / norm. */
static pls_status append(solver *s, int64_t i, double norm) {
    pls_lanczos *lanczos = s->lanczos;
    pls_device *device = lanczos->device;
    pls_view next = pls_lanczos_basis(lanczos, i, s->slots[i].order, 1);
    pls_status status = PLS_OK;
    PLS_TRY(device->context, pls_axpby(device, 1.0 / norm, row(lanczos->work, i), 0.0, next));
    PLS_TRY(device->context, pls_copy(device, next, row(lanczos->x, i)));
cleanup:
    return status;
}

/* Takes up the next problem, if there is one. */
static pls_status begin(solver *s, int64_t i) {
    pls_lanczos *lanczos = s->lanczos;
    pls_device *device = lanczos->device;
    pls_context *context = device->context;
    slot *at = &s->slots[i];
    double norm = 0.0;
    pls_status status = PLS_OK;
    *at = (slot){.problem = -1, .check = CHECK_EVERY, .t = at->t};
    if (s->next < s->count) {
        at->problem = s->next++;
        PLS_TRY(context,
                pls_random_normal(device, s->options->start, 0, 1.0, row(lanczos->work, i)));
        PLS_TRY(context, pls_vector_norm(device, row(lanczos->work, i), lanczos->scalar, &norm));
        PLS_TRY(context, append(s, i, norm));
    } else {
        PLS_TRY(context, pls_fill(device, 0.0, row(lanczos->x, i)));
    }
    s->problems[i] = at->problem;
cleanup:
    return status;
}

/* ---- the projected problem ------------------------------------------------------------------- */

/* ranks = 0 .. order-1 of ascending values, from the wanted end on. */
static void rank(solver *s, int64_t order) {
    int64_t low = 0, high = order - 1;
    for (int64_t i = 0; i < order; i++) {
        bool from_below = s->options->end == PLS_LANCZOS_SMALLEST ||
                          (s->options->end == PLS_LANCZOS_MAGNITUDE &&
                           fabs(s->values[low]) > fabs(s->values[high]));
        s->ranks[i] = from_below ? low++ : high--;
    }
}

static pls_status look_at(solver *s, slot *at) {
    pls_context *context = s->lanczos->device->context;
    int64_t order = at->order;
    pls_status status = PLS_OK;
    for (int64_t j = 0; j < order; j++) {
        memcpy(s->vectors + j * order, at->t + j * s->lanczos->capacity,
               (size_t)(j + 1) * sizeof(double));
    }
    PLS_TRY(context, pls_ritz_values(context, order, s->vectors, s->values, s->scratch));
    rank(s, order);
    int64_t wanted = s->ranks[0];
    at->ritz.value = s->values[wanted];
    at->ritz.estimate = at->beta * fabs(s->vectors[wanted * order + order - 1]);
    at->ritz.scale = fmax(at->ritz.scale, fmax(fabs(s->values[0]), fabs(s->values[order - 1])));
    at->ritz.converged =
        at->ritz.estimate <= s->options->tolerance * at->ritz.scale || order == s->lanczos->size;
    at->check = order + pls_larger(CHECK_EVERY, order / CHECK_FRACTION);
cleanup:
    return status;
}

/* Eigenvectors of the first `count` ranks, as rows, to the device. */
static pls_status upload_ritz(solver *s, int64_t order, int64_t count, pls_view *rows) {
    for (int64_t i = 0; i < count; i++) {
        memcpy(s->chosen + i * order, s->vectors + s->ranks[i] * order,
               (size_t)order * sizeof(double));
    }
    *rows = pls_view_slice(pls_view_reshape(s->lanczos->ritz, 1, pls_view_count(s->lanczos->ritz)),
                           0, count, order);
    return pls_upload(s->lanczos->device, s->chosen, order, *rows);
}

/* ---- restarting and measuring ---------------------------------------------------------------- */

/* Vectors 0 .. rows-1 of the basis = the Ritz vectors. */
static pls_status rotate(solver *s, int64_t i, pls_view ritz) {
    pls_lanczos *lanczos = s->lanczos;
    pls_device *device = lanczos->device;
    pls_view old = pls_lanczos_basis(lanczos, i, 0, ritz.cols);
    pls_view new = pls_lanczos_basis(lanczos, i, 0, ritz.rows);
    int64_t columns = lanczos->rotated.cols;
    pls_status status = PLS_OK;
    for (int64_t first = 0; first < lanczos->size; first += columns) {
        int64_t count = pls_smaller(columns, lanczos->size - first);
        pls_view piece = pls_view_cols(pls_view_rows(lanczos->rotated, 0, ritz.rows), 0, count);
        PLS_TRY(device->context, pls_gemm(device, PLS_PLAIN, PLS_PLAIN, 1.0, ritz,
                                          pls_view_cols(old, first, count), 0.0, piece));
        PLS_TRY(device->context, pls_copy(device, piece, pls_view_cols(new, first, count)));
    }
cleanup:
    return status;
}

/* V = the best Ritz vectors, T = their values; r stays. */
static pls_status restart(solver *s, int64_t i) {
    pls_context *context = s->lanczos->device->context;
    int64_t capacity = s->lanczos->capacity;
    slot *at = &s->slots[i];
    int64_t kept = pls_smaller(pls_larger(1, 2 * capacity / 5), capacity - 1);
    pls_view ritz;
    pls_status status = PLS_OK;
    PLS_TRY(context, upload_ritz(s, at->order, kept, &ritz));
    PLS_TRY(context, rotate(s, i, ritz));
    memset(at->t, 0, (size_t)(capacity * capacity) * sizeof(double));
    for (int64_t j = 0; j < kept; j++) {
        at->t[j * capacity + j] = s->values[s->ranks[j]];
    }
    at->order = kept;
    at->first = 0;
    at->check = kept + CHECK_EVERY;
cleanup:
    return status;
}

/* x = the Ritz vector. */
static pls_status begin_measuring(solver *s, int64_t i) {
    pls_lanczos *lanczos = s->lanczos;
    slot *at = &s->slots[i];
    pls_view ritz;
    pls_status status = PLS_OK;
    at->measuring = true;
    PLS_TRY(lanczos->device->context, upload_ritz(s, at->order, 1, &ritz));
    PLS_TRY(lanczos->device->context,
            pls_gemm(lanczos->device, PLS_PLAIN, PLS_PLAIN, 1.0, ritz,
                     pls_lanczos_basis(lanczos, i, 0, at->order), 0.0, row(lanczos->x, i)));
cleanup:
    return status;
}

/* Enqueues r = B x - theta x, <x, r> and ||r||^2. */
static pls_status measure(solver *s, int64_t i) {
    pls_lanczos *lanczos = s->lanczos;
    pls_device *device = lanczos->device;
    pls_context *context = device->context;
    pls_view x = row(lanczos->x, i), r = row(lanczos->work, i);
    pls_view squares = row(lanczos->squares, i);
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_axpby(device, -s->slots[i].ritz.value, x, 1.0, r));
    PLS_TRY(context, pls_dot(device, x, r, pls_view_cols(squares, 0, 1)));
    PLS_TRY(context, pls_dot(device, r, r, pls_view_cols(squares, 1, 1)));
cleanup:
    return status;
}

static pls_status finish(solver *s, int64_t i) {
    pls_context *context = s->lanczos->device->context;
    slot *at = &s->slots[i];
    double delta = s->squares[2 * i], squared = s->squares[2 * i + 1];
    pls_status status = PLS_OK;
    PLS_TRY(context, check_finite(s, at, squared));
    at->ritz.value += delta;
    at->ritz.residual = sqrt(fmax(0.0, squared - delta * delta));
    s->ritz[at->problem] = at->ritz;
    if (!pls_view_is_none(s->found)) {
        PLS_TRY(context,
                pls_copy(s->lanczos->device, row(s->lanczos->x, i), row(s->found, at->problem)));
    }
    PLS_TRY(context, begin(s, i));
cleanup:
    return status;
}

/* ---- a step ---------------------------------------------------------------------------------- */

/* The column of T that has come down; then on, round again, or to the end. */
static pls_status grow(solver *s, int64_t i) {
    pls_context *context = s->lanczos->device->context;
    int64_t capacity = s->lanczos->capacity;
    slot *at = &s->slots[i];
    double *column = at->t + at->order * capacity, largest = 0.0;
    const double *h = s->coefficients + 2 * i * capacity;
    pls_status status = PLS_OK;
    pls_lanczos_components(capacity, h, at->first, at->order + 1, column);
    for (int64_t j = 0; j <= at->order; j++) {
        largest = fmax(largest, fabs(column[j]));
        PLS_TRY(context, check_finite(s, at, column[j]));
    }
    PLS_TRY(context, check_finite(s, at, s->squares[2 * i]));
    at->beta = sqrt(s->squares[2 * i]);
    at->order++;
    at->first = pls_lanczos_neighbour(at->order);
    bool full = at->order == capacity;
    bool spent = at->ritz.products + 1 >= s->options->products;
    bool ended = at->beta <= s->options->tolerance * largest;
    if (full || spent || ended || at->order == at->check) {
        PLS_TRY(context, look_at(s, at));
        if (at->ritz.converged || spent) {
            return begin_measuring(s, i);
        }
        if (full) {
            PLS_TRY(context, restart(s, i));
        }
    }
    PLS_TRY(context, append(s, i, at->beta));
cleanup:
    return status;
}

/* What follows a product: all that can be enqueued, then what the host has to see of it. */
static pls_status advance(solver *s) {
    pls_lanczos *lanczos = s->lanczos;
    pls_device *device = lanczos->device;
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    for (int64_t i = 0; i < lanczos->slots; i++) {
        slot *at = &s->slots[i];
        if (at->problem < 0) {
            continue;
        }
        at->ritz.products++;
        PLS_TRY(context, at->measuring
                             ? measure(s, i)
                             : pls_lanczos_orthogonalize(lanczos, i, at->first, at->order + 1));
    }
    PLS_TRY(context,
            pls_download(device, lanczos->coefficients, s->coefficients, 2 * lanczos->capacity));
    PLS_TRY(context, pls_download(device, lanczos->squares, s->squares, 2));
    for (int64_t i = 0; i < lanczos->slots; i++) {
        if (s->slots[i].problem >= 0) {
            PLS_TRY(context, s->slots[i].measuring ? finish(s, i) : grow(s, i));
        }
    }
cleanup:
    return status;
}

static bool is_busy(const solver *s) {
    for (int64_t i = 0; i < s->lanczos->slots; i++) {
        if (s->slots[i].problem >= 0) {
            return true;
        }
    }
    return false;
}

/* ---- making ---------------------------------------------------------------------------------- */

static pls_status set_up(solver *s) {
    pls_context *context = s->lanczos->device->context;
    int64_t slots = s->lanczos->slots, capacity = s->lanczos->capacity;
    int64_t square = capacity * capacity;
    const char *what = "the Lanczos method";
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, slots, sizeof *s->slots, what, &s->slots));
    PLS_TRY(context, pls_allocate(context, slots, sizeof(int64_t), what, &s->problems));
    PLS_TRY(context, pls_allocate(context, slots * square, sizeof(double), what, &s->matrices));
    PLS_TRY(context,
            pls_allocate(context, slots * 2 * capacity, sizeof(double), what, &s->coefficients));
    PLS_TRY(context, pls_allocate(context, slots * 2, sizeof(double), what, &s->squares));
    PLS_TRY(context, pls_allocate(context, square, sizeof(double), what, &s->vectors));
    PLS_TRY(context, pls_allocate(context, capacity, sizeof(double), what, &s->values));
    PLS_TRY(context,
            pls_allocate(context, PLS_RITZ_SCRATCH * capacity, sizeof(double), what, &s->scratch));
    PLS_TRY(context, pls_allocate(context, capacity, sizeof(int64_t), what, &s->ranks));
    PLS_TRY(context, pls_allocate(context, square, sizeof(double), what, &s->chosen));
    for (int64_t i = 0; i < slots; i++) {
        s->slots[i].t = s->matrices + i * square;
        PLS_TRY(context, begin(s, i));
    }
cleanup:
    return status;
}

static void take_down(solver *s) {
    void *const memory[] = {s->slots,   s->problems, s->matrices, s->coefficients, s->squares,
                            s->vectors, s->values,   s->scratch,  s->ranks,        s->chosen};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) {
        pls_release(s->lanczos->device->context, memory[i]);
    }
}

pls_status pls_lanczos_solve(pls_lanczos *lanczos, const pls_lanczos_options *options,
                             int64_t count, pls_operators apply, void *user, pls_ritz *ritz,
                             pls_view vectors) {
    pls_context *context = lanczos->device->context;
    solver s = {
        .lanczos = lanczos, .options = options, .count = count, .ritz = ritz, .found = vectors};
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_fill(lanczos->device, 0.0, lanczos->coefficients));
    PLS_TRY(context, pls_fill(lanczos->device, 0.0, lanczos->squares));
    PLS_TRY(context, set_up(&s));
    while (is_busy(&s)) {
        PLS_TRY(context, pls_check_cancelled(context));
        PLS_TRY(context, apply(user, s.problems, lanczos->x, lanczos->work));
        PLS_TRY(context, advance(&s));
    }
cleanup:
    take_down(&s);
    return status;
}

/* ---- one problem ----------------------------------------------------------------------------- */

typedef struct single {
    pls_operator apply;
    void *user;
} single;

static pls_status apply_single(void *user, const int64_t *problems, pls_view x, pls_view y) {
    const single *one = user;
    (void)problems;
    return one->apply(one->user, pls_view_reshape(x, x.cols, 1), pls_view_reshape(y, y.cols, 1));
}

pls_status pls_lanczos_largest(pls_lanczos *lanczos, pls_operator apply, void *user,
                               pls_random_stream start, double tolerance, double *value,
                               pls_view vector, double *accuracy) {
    pls_context *context = lanczos->device->context;
    single one = {apply, user};
    pls_lanczos_options options = {PLS_LANCZOS_LARGEST, tolerance,
                                   (int64_t)RESTARTS * PLS_LANCZOS_BASIS, start};
    pls_ritz ritz = {0};
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_lanczos_solve(lanczos, &options, 1, apply_single, &one, &ritz, vector));
    *value = ritz.value;
    *accuracy = ritz.estimate / fabs(ritz.value);
    if (!(*accuracy <= tolerance)) {
        pls_log(context, PLS_LOG_WARNING,
                "the Lanczos method reached a relative residual of %.1e, not %.1e, in %lld "
                "products; the interval of the eigenvalue is the wider for it",
                *accuracy, tolerance, (long long)ritz.products);
    }
cleanup:
    return status;
}
