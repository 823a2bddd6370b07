/* General systems: derivatives of every kind against central differences, from one table; lists of
 * samples; kernels; transformations; exact constants; functions that fail.
 *
 * A new kind of system is one line in `kinds`. */
#include "backend/operations.h"
#include "networks.h"
#include "system/system.h"

#include <math.h>

/* ---- numbers ------------------------------------------------------------------------------- */

/* Fixed numbers of the size of 1, another sequence for each tag. */
static double number(int64_t tag, int64_t i) {
    double x = sin(12.9898 * (double)(i + 1) + 78.233 * (double)(tag + 1)) * 43758.5453;
    return 2.0 * (x - floor(x)) - 1.0;
}

enum { ROOM = 4096 };

static const double *numbers(int64_t tag, int64_t count, double *room) {
    cr_assert_leq(count, ROOM);
    for (int64_t i = 0; i < count; i++) {
        room[i] = number(tag, i);
    }
    return room;
}

/* ---- one system of each kind ------------------------------------------------------------------
 */

typedef pls_status maker(pls_device *device, pls_dtype precision, pls_system **system);

static pls_status make_linear(pls_device *device, pls_dtype precision, pls_system **system) {
    double a[ROOM], y[ROOM];
    return pls_linear_system_create(device, precision, 4, 7, numbers(1, 28, a), numbers(2, 4, y),
                                    system);
}

static pls_status make_quadratic(pls_device *device, pls_dtype precision, pls_system **system) {
    double q[ROOM], a[ROOM], y[ROOM], start[ROOM];
    return pls_quadratic_system_create(device, precision, 5, 7, numbers(3, 245, q),
                                       numbers(4, 35, a), numbers(5, 7, start), numbers(6, 5, y),
                                       system);
}

static pls_status make_factorization(pls_device *device, pls_dtype precision, pls_system **system) {
    static const int64_t observed[] = {0, 5, 3, 11, 7, 7};
    double start[ROOM], y[ROOM];
    return pls_factorization_system_create(device, precision, 3, 4, 2, 6, observed,
                                           numbers(7, 14, start), numbers(8, 6, y), system);
}

static pls_status make_whole_factorization(pls_device *device, pls_dtype precision,
                                           pls_system **system) {
    double start[ROOM], y[ROOM];
    return pls_factorization_system_create(device, precision, 2, 3, 3, 6, NULL,
                                           numbers(9, 15, start), numbers(10, 6, y), system);
}

static pls_status make_phase_retrieval(pls_device *device, pls_dtype precision,
                                       pls_system **system) {
    double a[ROOM], start[ROOM], y[ROOM];
    return pls_phase_retrieval_system_create(device, precision, 4, 6, numbers(11, 24, a),
                                             numbers(12, 6, start), numbers(13, 4, y), system);
}

static pls_status make_circle(pls_device *device, pls_dtype precision, pls_system **system) {
    static const double start[2] = {1.5, -0.25};
    return pls_circle_system_create(device, precision, start, system);
}

static pls_status make_map(pls_device *device, pls_dtype precision, int64_t samples,
                           int64_t outputs, pls_activation phi, pls_system **system) {
    double start[ROOM], y[ROOM];
    return pls_elementwise_system_create(device, precision, samples, outputs, phi,
                                         numbers(14, samples * outputs, start),
                                         numbers(15, samples * outputs, y), system);
}

static pls_status make_elementwise(pls_device *device, pls_dtype precision, pls_system **system) {
    return make_map(device, precision, 3, 2, PLS_GELU, system);
}

static pls_status make_network(pls_device *device, pls_dtype precision, pls_system **system) {
    double x[ROOM], y[ROOM];
    pls_layer_spec layers[] = {{PLS_LAYER_DENSE, 6, PLS_TANH}, {PLS_LAYER_DENSE, 2, PLS_SIN}};
    pls_model model = pls_model_defaults();
    pls_network_options options = pls_network_options_defaults();
    pls_dataset data = {.samples = 3, .dimension = 4, .outputs = 2};
    data.inputs = x, data.targets = y;
    numbers(16, 12, x), numbers(17, 6, y);
    model.input_rank = 1, model.input_shape[0] = 4, model.layer_count = 2, model.layers = layers;
    options.precision = precision, options.seed = 3;
    pls_status status = pls_network_system_create(device, &model, &data, &options, system);
    return status != PLS_OK ? status : pls_system_initialize(*system);
}

/* Composes, or destroys both parts. */
static pls_status compose(pls_status status, pls_system *outer, pls_system *inner,
                          pls_system **system) {
    status = status == PLS_OK ? pls_composed_system_create(outer, inner, system) : status;
    if (status != PLS_OK) {
        pls_system_destroy(outer);
        pls_system_destroy(inner);
    }
    return status;
}

/* tanh(F(w)), F quadratic: an output map. */
static pls_status make_output_map(pls_device *device, pls_dtype precision, pls_system **system) {
    pls_system *outer = NULL, *inner = NULL;
    pls_status status = make_quadratic(device, precision, &inner);
    status = status == PLS_OK ? make_map(device, precision, 5, 1, PLS_TANH, &outer) : status;
    return compose(status, outer, inner, system);
}

/* F(sin(w)): a map of the domain. */
static pls_status make_domain_map(pls_device *device, pls_dtype precision, pls_system **system) {
    pls_system *outer = NULL, *inner = NULL;
    pls_status status = make_map(device, precision, 7, 1, PLS_SIN, &inner);
    status = status == PLS_OK ? make_quadratic(device, precision, &outer) : status;
    return compose(status, outer, inner, system);
}

/* A map of a network's outputs, whose kernel is fast. */
static pls_status make_mapped_network(pls_device *device, pls_dtype precision,
                                      pls_system **system) {
    pls_system *outer = NULL, *inner = NULL;
    pls_status status = make_network(device, precision, &inner);
    status = status == PLS_OK ? make_map(device, precision, 3, 2, PLS_SWISH, &outer) : status;
    return compose(status, outer, inner, system);
}

static pls_status make_joint(pls_device *device, pls_dtype precision, pls_system **system) {
    pls_system *first = NULL, *second = NULL;
    pls_status status = make_phase_retrieval(device, precision, &first);
    status = status == PLS_OK ? make_output_map(device, precision, &second) : status;
    status = status == PLS_OK ? pls_joint_system_create(first, second, system) : status;
    if (status != PLS_OK) {
        pls_system_destroy(first);
        pls_system_destroy(second);
    }
    return status;
}

static const struct {
    const char *name;
    maker *make;
    bool tangents;
} kinds[] = {
    {"linear", make_linear, true},
    {"quadratic", make_quadratic, true},
    {"factorization", make_factorization, true},
    {"whole factorization", make_whole_factorization, true},
    {"phase retrieval", make_phase_retrieval, true},
    {"circle", make_circle, true},
    {"elementwise", make_elementwise, true},
    {"output map", make_output_map, true},
    {"domain map", make_domain_map, true},
    {"network with output map", make_mapped_network, false},
    {"joint", make_joint, true},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* ---- a system with its context, and its derivatives on the host --------------------------------
 */

typedef struct fixture {
    pls_context *context;
    pls_device *device;
    pls_system *system;
    int64_t n, k, p; /* samples, outputs, parameters */
    bool tangents;   /* J v and second derivatives are there */
} fixture;

static void expect_ok(const fixture *f, pls_status status) {
    cr_assert_eq(status, PLS_OK, "%s\n%s", pls_error_text(f->context), pls_error_trace(f->context));
}

static fixture set_up(maker *make, pls_dtype precision) {
    fixture f = {.context = support_context(NULL)};
    pls_device_options device = support_device(0);
    expect_ok(&f, pls_device_open(f.context, &device, &f.device));
    expect_ok(&f, make(f.device, precision, &f.system));
    f.tangents = true;
    f.n = f.system->samples, f.k = f.system->outputs, f.p = f.system->parameters;
    return f;
}

static void tear_down(fixture *f) {
    pls_system_destroy(f->system);
    pls_device_close(f->device);
    pls_context_destroy(f->context);
}

/* Device memory for a few matrices of the test. */
typedef struct scratch {
    pls_arena arena;
    pls_view rows, v, u, out, wide_v, wide_out;
} scratch;

static pls_status layout(const fixture *f, int64_t count, scratch *s) {
    pls_arena *arena = &s->arena;
    pls_system *system = f->system;
    const struct {
        pls_view *view;
        int64_t rows, cols;
    } views[] = {{&s->rows, count * f->k, f->p}, {&s->v, 1, f->p},
                 {&s->u, count, f->k},           {&s->out, 1, f->p},
                 {&s->wide_v, count, f->p},      {&s->wide_out, count, f->p}};
    pls_status status = PLS_OK;
    for (size_t i = 0; status == PLS_OK && i < sizeof views / sizeof *views; i++) {
        status =
            pls_arena_take(arena, system->precision, views[i].rows, views[i].cols, views[i].view);
    }
    if (arena->buffer == NULL && status == PLS_OK) { /* as much as each of them needs */
        status = system->kind->jacobian(system, 0, count, arena, s->rows);
        if (status == PLS_OK && f->tangents) {
            status = system->kind->pushforward(system, s->v, arena, s->u);
            status = status == PLS_OK ? system->kind->curvature(system, s->u, s->v, arena, s->out)
                                      : status;
            status = status == PLS_OK
                         ? system->kind->curvature(system, s->u, s->wide_v, arena, s->wide_out)
                         : status;
        }
    }
    return status;
}

static scratch make_scratch(const fixture *f, int64_t count) {
    scratch s = {.arena = pls_arena_measuring(f->device)};
    expect_ok(f, layout(f, count, &s));
    expect_ok(f, pls_arena_reserve(&s.arena, "a test"));
    expect_ok(f, layout(f, count, &s));
    return s;
}

/* f (N) at w on the host. */
static void outputs_at(const fixture *f, const double *w, double *out) {
    pls_point point;
    expect_ok(f, pls_system_set_weights(f->system, w));
    expect_ok(f, pls_system_measure(f->system, PLS_LOSS_SQUARE, &point, out, NULL));
}

/* g (P) = J(w)T u over all samples. */
static void pullback_at(const fixture *f, const double *w, scratch *s, const double *u, double *g) {
    double values[ROOM];
    outputs_at(f, w, values);
    pls_view all = pls_view_rows(s->u, 0, f->n);
    expect_ok(f, pls_system_evaluate(f->system, NULL, f->n, all));
    expect_ok(f, pls_upload_f64(f->device, u, all));
    expect_ok(f, f->system->kind->pullback(f->system, all, s->out));
    expect_ok(f, pls_download_f64(f->device, s->out, g));
}

static void moved(const double *w, double h, const double *v, int64_t p, double *out) {
    for (int64_t i = 0; i < p; i++) {
        out[i] = w[i] + h * v[i];
    }
}

static double largest(const double *x, int64_t count) {
    double most = 0.0;
    for (int64_t i = 0; i < count; i++) {
        most = fmax(most, fabs(x[i]));
    }
    return most;
}

/* Central differences with step h of numbers of size F and third derivatives of the size of 1 err
 * by h^2/6 + u F / h, at h = 1e-5 about 1e-10; a factor of 50 for larger third derivatives. */
static const double H = 1e-5, DIFFERENCE = 5e-9;

static void expect_near(const char *what, const char *name, const double *found,
                        const double *wanted, int64_t count, double tolerance) {
    double scale = 1.0 + largest(wanted, count);
    for (int64_t i = 0; i < count; i++) {
        cr_assert(fabs(found[i] - wanted[i]) <= tolerance * scale, "%s, %s %lld: %.17g, not %.17g",
                  name, what, (long long)i, found[i], wanted[i]);
    }
}

/* ---- derivatives --------------------------------------------------------------------------------
 */

static void check_first_derivatives(const fixture *f, const char *name, scratch *s) {
    double w[ROOM], v[ROOM], plus[ROOM], minus[ROOM], there[ROOM], rows[ROOM], product[ROOM];
    double u[ROOM], g[ROOM];
    expect_ok(f, pls_system_get_weights(f->system, w));
    numbers(20, f->p, v), numbers(21, f->n * f->k, u);
    moved(w, H, v, f->p, there), outputs_at(f, there, plus);
    moved(w, -H, v, f->p, there), outputs_at(f, there, minus);
    for (int64_t i = 0; i < f->n * f->k; i++) {
        plus[i] = (plus[i] - minus[i]) / (2.0 * H);
    }
    pullback_at(f, w, s, u, g);
    expect_ok(f, pls_system_jacobian(f->system, 0, f->n, rows));
    for (int64_t i = 0; i < f->n * f->k; i++) {
        product[i] = 0.0;
        for (int64_t j = 0; j < f->p; j++) {
            product[i] += rows[i * f->p + j] * v[j];
        }
    }
    expect_near("J v by differences", name, product, plus, f->n * f->k, DIFFERENCE);
    for (int64_t j = 0; j < f->p; j++) {
        there[j] = 0.0;
        for (int64_t i = 0; i < f->n * f->k; i++) {
            there[j] += rows[i * f->p + j] * u[i];
        }
    }
    expect_near("JT u by rows", name, g, there, f->p, 1e-14 * (double)(f->n * f->k));
    if (f->tangents) {
        pls_view all = pls_view_rows(s->u, 0, f->n);
        expect_ok(f, pls_upload_f64(f->device, v, s->v));
        expect_ok(f, f->system->kind->pushforward(f->system, s->v, &s->arena, all));
        expect_ok(f, pls_download_f64(f->device, all, there));
        expect_near("J v by rows", name, there, product, f->n * f->k, 1e-14 * (double)f->p);
    }
}

/* (sum u H) v against differences of JT u; and a direction a sample against one after another. */
static void check_second_derivatives(const fixture *f, const char *name, scratch *s) {
    double w[ROOM], v[ROOM], u[ROOM], plus[ROOM], minus[ROOM], there[ROOM], found[ROOM];
    double wide[ROOM], alone[ROOM], wide_found[ROOM];
    pls_system *system = f->system;
    pls_view all = pls_view_rows(s->u, 0, f->n);
    expect_ok(f, pls_system_initialize(system));
    expect_ok(f, pls_system_get_weights(system, w));
    numbers(22, f->p, v), numbers(23, f->n * f->k, u), numbers(24, f->n * f->p, wide);
    moved(w, H, v, f->p, there), pullback_at(f, there, s, u, plus);
    moved(w, -H, v, f->p, there), pullback_at(f, there, s, u, minus);
    for (int64_t j = 0; j < f->p; j++) {
        plus[j] = (plus[j] - minus[j]) / (2.0 * H);
    }
    pullback_at(f, w, s, u, minus);
    expect_ok(f, pls_upload_f64(f->device, v, s->v));
    expect_ok(f, pls_upload_f64(f->device, u, all));
    expect_ok(f, system->kind->curvature(system, all, s->v, &s->arena, s->out));
    expect_ok(f, pls_download_f64(f->device, s->out, found));
    expect_near("(sum u H) v", name, found, plus, f->p, DIFFERENCE);
    if (f->n == 1) {
        return;
    }
    pls_view wide_v = pls_view_rows(s->wide_v, 0, f->n), out = pls_view_rows(s->wide_out, 0, f->n);
    expect_ok(f, pls_upload_f64(f->device, wide, wide_v));
    expect_ok(f, system->kind->curvature(system, all, wide_v, &s->arena, out));
    expect_ok(f, pls_download_f64(f->device, out, wide_found));
    for (int64_t r = 0; r < f->n; r++) {
        memset(alone, 0, sizeof alone);
        memcpy(alone + r * f->k, u + r * f->k, (size_t)f->k * sizeof *u);
        expect_ok(f, pls_upload_f64(f->device, alone, all));
        expect_ok(f, pls_upload_f64(f->device, wide + r * f->p, s->v));
        expect_ok(f, system->kind->curvature(system, all, s->v, &s->arena, s->out));
        expect_ok(f, pls_download_f64(f->device, s->out, found));
        expect_near("a direction a sample", name, wide_found + r * f->p, found, f->p, 1e-13);
    }
}

Test(systems, derivatives_are_those_of_central_differences) {
    for (int i = 0; i < KINDS; i++) {
        fixture f = set_up(kinds[i].make, PLS_F64);
        f.tangents = kinds[i].tangents;
        scratch s = make_scratch(&f, f.n);
        check_first_derivatives(&f, kinds[i].name, &s);
        if (kinds[i].tangents) {
            check_second_derivatives(&f, kinds[i].name, &s);
        }
        pls_arena_destroy(&s.arena);
        tear_down(&f);
    }
}

/* ---- lists of samples ---------------------------------------------------------------------------
 */

/* Everything about a list is what the whole says about its samples, repetitions counted. */
static void check_list(const fixture *f, const char *name, const int64_t *list, int64_t count) {
    scratch s = make_scratch(f, count);
    double values[ROOM], rows[ROOM], found[ROOM], u[ROOM], wanted[ROOM], v[ROOM];
    int64_t k = f->k, p = f->p;
    double w[ROOM];
    expect_ok(f, pls_system_get_weights(f->system, w));
    outputs_at(f, w, values);
    expect_ok(f, pls_system_jacobian(f->system, 0, f->n, rows));
    expect_ok(f, pls_system_evaluate(f->system, list, count, s.u));
    expect_ok(f, pls_download_f64(f->device, s.u, found));
    for (int64_t r = 0; r < count; r++) {
        expect_near("F of a list", name, found + r * k, values + list[r] * k, k, 1e-14);
    }
    numbers(25, count * k, u), numbers(26, p, v);
    expect_ok(f, pls_upload_f64(f->device, u, s.u));
    expect_ok(f, f->system->kind->pullback(f->system, s.u, s.out));
    expect_ok(f, pls_download_f64(f->device, s.out, found));
    memset(wanted, 0, sizeof wanted);
    for (int64_t e = 0; e < count * k; e++) {
        for (int64_t j = 0; j < p; j++) {
            wanted[j] += u[e] * rows[(list[e / k] * k + e % k) * p + j];
        }
    }
    expect_near("JT u of a list", name, found, wanted, p, 1e-13);
    if (f->tangents) {
        expect_ok(f, pls_upload_f64(f->device, v, s.v));
        expect_ok(f, f->system->kind->pushforward(f->system, s.v, &s.arena, s.u));
        expect_ok(f, pls_download_f64(f->device, s.u, found));
        for (int64_t e = 0; e < count * k; e++) {
            wanted[e] = 0.0;
            for (int64_t j = 0; j < p; j++) {
                wanted[e] += rows[(list[e / k] * k + e % k) * p + j] * v[j];
            }
        }
        expect_near("J v of a list", name, found, wanted, count * k, 1e-13);
    }
    pls_arena_destroy(&s.arena);
}

/* The same list, repetitions and all, of second derivatives: one direction, then one a sample. */
static void check_list_curvature(const fixture *f, const char *name, const int64_t *list,
                                 int64_t count) {
    scratch s = make_scratch(f, f->n > count ? f->n : count);
    double u[ROOM], v[ROOM], whole[ROOM], found[ROOM], wanted[ROOM], wide[ROOM];
    int64_t k = f->k, p = f->p;
    pls_system *system = f->system;
    pls_view all = pls_view_rows(s.u, 0, f->n), part = pls_view_rows(s.u, 0, count);
    pls_view wide_v = pls_view_rows(s.wide_v, 0, count), out = pls_view_rows(s.wide_out, 0, count);
    numbers(27, count * k, u), numbers(28, p, v), memset(whole, 0, sizeof whole);
    for (int64_t e = 0; e < count * k; e++) {
        whole[list[e / k] * k + e % k] += u[e];
    }
    expect_ok(f, pls_system_evaluate(system, NULL, f->n, all));
    expect_ok(f, pls_upload_f64(f->device, whole, all));
    expect_ok(f, pls_upload_f64(f->device, v, s.v));
    expect_ok(f, system->kind->curvature(system, all, s.v, &s.arena, s.out));
    expect_ok(f, pls_download_f64(f->device, s.out, wanted));
    expect_ok(f, pls_system_evaluate(system, list, count, part));
    expect_ok(f, pls_upload_f64(f->device, u, part));
    expect_ok(f, system->kind->curvature(system, part, s.v, &s.arena, s.out));
    expect_ok(f, pls_download_f64(f->device, s.out, found));
    expect_near("(sum u H) v of a list", name, found, wanted, p, 1e-13);
    for (int64_t e = 0; e < count * p; e++) {
        wide[e] = v[e % p];
    }
    expect_ok(f, pls_upload_f64(f->device, wide, wide_v));
    expect_ok(f, system->kind->curvature(system, part, wide_v, &s.arena, out));
    expect_ok(f, pls_download_f64(f->device, out, wide));
    memset(found, 0, sizeof found);
    for (int64_t e = 0; e < count * p; e++) {
        found[e % p] += wide[e];
    }
    expect_near("directions of a list", name, found, wanted, p, 1e-13);
    pls_arena_destroy(&s.arena);
}

Test(systems, a_list_of_samples_is_that_part_of_the_whole) {
    for (int i = 0; i < KINDS; i++) {
        fixture f = set_up(kinds[i].make, PLS_F64);
        f.tangents = kinds[i].tangents;
        int64_t list[] = {f.n - 1, 0, f.n / 2, f.n - 1};
        int64_t count = f.n < 4 ? f.n : 4;
        check_list(&f, kinds[i].name, list, count);
        if (kinds[i].tangents && count > 1) {
            check_list_curvature(&f, kinds[i].name, list, count);
        }
        tear_down(&f);
    }
}

Test(systems, duplicates_have_their_samples_and_follow) {
    for (int i = 0; i < KINDS; i++) {
        fixture f = set_up(kinds[i].make, PLS_F64);
        f.tangents = kinds[i].tangents;
        int64_t list[] = {0, f.n - 1};
        int64_t count = f.n > 1 ? 2 : 1;
        double values[ROOM], found[ROOM], w[ROOM], rows[ROOM], found_rows[ROOM];
        pls_point point;
        expect_ok(&f, pls_system_get_weights(f.system, w));
        w[0] += 0.25;
        outputs_at(&f, w, values);
        expect_ok(&f, pls_system_jacobian(f.system, 0, f.n, rows));
        for (int precision = PLS_F32; precision <= PLS_F64; precision++) {
            double tolerance = precision == PLS_F64 ? 1e-14 : 1e-5;
            pls_system *copy = NULL, *copy_of_copy = NULL;
            expect_ok(&f, pls_system_duplicate(f.system, list, count, (pls_dtype)precision, &copy));
            expect_ok(&f, pls_system_duplicate(copy, NULL, count, PLS_F64, &copy_of_copy));
            pls_system_destroy(copy);
            expect_ok(&f, pls_system_measure(copy_of_copy, PLS_LOSS_SQUARE, &point, found, NULL));
            expect_ok(&f, pls_system_jacobian(copy_of_copy, 0, count, found_rows));
            for (int64_t r = 0; r < count; r++) {
                expect_near("F of a copy", kinds[i].name, found + r * f.k, values + list[r] * f.k,
                            f.k, tolerance);
                expect_near("J of a copy", kinds[i].name, found_rows + r * f.k * f.p,
                            rows + list[r] * f.k * f.p, f.k * f.p, tolerance);
            }
            pls_system_destroy(copy_of_copy);
        }
        tear_down(&f);
    }
}

/* ---- kernels
 * ------------------------------------------------------------------------------------- */

static double *product_of_rows(const fixture *f, const double *rows, bool trace) {
    int64_t equations = f->n * f->k, size = trace ? f->n : equations;
    double *kernel = calloc((size_t)(size * size), sizeof *kernel);
    for (int64_t i = 0; i < equations; i++) {
        for (int64_t j = 0; j < equations; j++) {
            double sum = 0.0;
            for (int64_t q = 0; q < f->p; q++) {
                sum += rows[i * f->p + q] * rows[j * f->p + q];
            }
            if (!trace) {
                kernel[i * size + j] = sum;
            } else if (i % f->k == j % f->k) {
                kernel[i / f->k * size + j / f->k] += sum;
            }
        }
    }
    return kernel;
}

Test(systems, the_kernel_is_the_product_of_rows) {
    for (int i = 0; i < 2 * KINDS * 2; i++) {
        pls_dtype precision = i % 2 == 0 ? PLS_F64 : PLS_F32;
        const char *name = kinds[i / 4].name;
        fixture f = set_up(kinds[i / 4].make, precision);
        pls_kernel_options options = pls_kernel_options_defaults();
        pls_kernel *kernel = NULL;
        double rows[ROOM], found[ROOM];
        options.trace = i / 2 % 2 == 1;
        expect_ok(&f, pls_kernel_create(f.system, &options, &kernel));
        expect_ok(&f, pls_kernel_compute(kernel));
        expect_ok(&f, pls_kernel_download(kernel, found));
        expect_ok(&f, pls_system_jacobian(f.system, 0, f.n, rows));
        double *wanted = product_of_rows(&f, rows, options.trace);
        int64_t size = pls_kernel_size(kernel);
        expect_near("K", name, found, wanted, size * size, precision == PLS_F64 ? 1e-13 : 1e-5);
        free(wanted);
        pls_kernel_destroy(kernel);
        tear_down(&f);
    }
}
