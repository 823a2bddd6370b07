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
    pls_layer_spec layers[] = {{.type = PLS_LAYER_DENSE, .width = 6, .activation = PLS_TANH},
                               {.type = PLS_LAYER_DENSE, .width = 2, .activation = PLS_SIN}};
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
} kinds[] = {
    {"linear", make_linear},
    {"quadratic", make_quadratic},
    {"factorization", make_factorization},
    {"whole factorization", make_whole_factorization},
    {"phase retrieval", make_phase_retrieval},
    {"circle", make_circle},
    {"elementwise", make_elementwise},
    {"output map", make_output_map},
    {"domain map", make_domain_map},
    {"network with output map", make_mapped_network},
    {"joint", make_joint},
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
        scratch s = make_scratch(&f, f.n);
        check_first_derivatives(&f, kinds[i].name, &s);
        check_second_derivatives(&f, kinds[i].name, &s);
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
        int64_t list[] = {f.n - 1, f.n - 1, 0, f.n / 2}; /* no order that is its own inverse */
        int64_t count = f.n < 4 ? f.n : 4;
        check_list(&f, kinds[i].name, list, count);
        if (count > 1) {
            check_list_curvature(&f, kinds[i].name, list, count);
        }
        tear_down(&f);
    }
}

Test(systems, duplicates_have_their_samples_and_follow) {
    for (int i = 0; i < KINDS; i++) {
        fixture f = set_up(kinds[i].make, PLS_F64);
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

/* ---- transformations (claim 15)
 * ------------------------------------------------------------------ */

/* Rows of J and outputs of a system alone, at weights w (NULL = its start). */
static void look(maker *make, const double *w, double *rows, double *values) {
    fixture f = set_up(make, PLS_F64);
    pls_point point;
    if (w != NULL) {
        expect_ok(&f, pls_system_set_weights(f.system, w));
    }
    expect_ok(&f, pls_system_measure(f.system, PLS_LOSS_SQUARE, &point, values, NULL));
    expect_ok(&f, pls_system_jacobian(f.system, 0, f.n, rows));
    tear_down(&f);
}

static void kernel_of(const fixture *f, double *found) {
    pls_kernel *kernel = NULL;
    expect_ok(f, pls_kernel_create(f->system, NULL, &kernel));
    expect_ok(f, pls_kernel_compute(kernel));
    expect_ok(f, pls_kernel_download(kernel, found));
    pls_kernel_destroy(kernel);
}

/* out (m x n) = a (m x p) b (p x n), or a bT with b: n x p */
static void multiply(int64_t m, int64_t p, int64_t n, const double *a, const double *b,
                     bool transposed, double *out) {
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            out[i * n + j] = 0.0;
            for (int64_t q = 0; q < p; q++) {
                out[i * n + j] += a[i * p + q] * (transposed ? b[j * p + q] : b[q * n + j]);
            }
        }
    }
}

/* K of Phi o F is J_Phi K_F J_PhiT with J_Phi = diag phi'. */
Test(systems, an_output_map_transforms_the_kernel) {
    double rows[ROOM], values[ROOM], kernel[ROOM], found[ROOM];
    look(make_quadratic, NULL, rows, values);
    multiply(5, 7, 5, rows, rows, true, kernel);
    fixture f = set_up(make_output_map, PLS_F64);
    kernel_of(&f, found);
    double least = 1.0;
    for (int i = 0; i < 5; i++) {
        double slope = 1.0 - tanh(values[i]) * tanh(values[i]);
        least = fmin(least, slope);
        for (int j = 0; j < 5; j++) {
            kernel[i * 5 + j] *= slope * (1.0 - tanh(values[j]) * tanh(values[j]));
        }
    }
    cr_assert_lt(least, 0.9, "the map bends nothing here");
    expect_near("K", "output map", found, kernel, 25, 1e-13);
    tear_down(&f);
}

/* K of F o Psi is DF J_Psi J_PsiT DFT, DF at Psi(w). */
Test(systems, a_map_of_the_domain_transforms_the_kernel) {
    double start[ROOM], moved_to[ROOM], rows[ROOM], values[ROOM], kernel[ROOM], found[ROOM];
    numbers(14, 7, start);
    for (int j = 0; j < 7; j++) {
        moved_to[j] = sin(start[j]);
    }
    look(make_quadratic, moved_to, rows, values);
    for (int e = 0; e < 35; e++) {
        rows[e] *= cos(start[e % 7]);
    }
    multiply(5, 7, 5, rows, rows, true, kernel);
    fixture f = set_up(make_domain_map, PLS_F64);
    kernel_of(&f, found);
    expect_near("K", "domain map", found, kernel, 25, 1e-13);
    tear_down(&f);
}

/* h(w, v) = G(F(w), v), F phase retrieval with 4 outputs, v three further weights of G. */
static pls_status make_stack(pls_device *device, pls_dtype precision, pls_system **system) {
    pls_system *f = NULL, *v = NULL, *inner = NULL, *outer = NULL;
    pls_status status = make_phase_retrieval(device, precision, &f);
    status = status == PLS_OK ? make_map(device, precision, 3, 1, PLS_IDENTITY, &v) : status;
    status = status == PLS_OK ? pls_joint_system_create(f, v, &inner) : status;
    status = status == PLS_OK ? make_quadratic(device, precision, &outer) : status;
    return compose(status, outer, inner, system);
}

/* K_h = K_g + J_z K_F J_zT with K_g the kernel of G's own weights: K_h - K_g is positive
 * semidefinite, so the composition is conditioned at least as well as its last part. */
Test(systems, a_composition_adds_to_the_kernel_of_its_last_part) {
    double start[ROOM], z[ROOM], inner_rows[ROOM], rows[ROOM], values[ROOM], found[ROOM];
    double own[25], difference[25], inner_kernel[ROOM], left[ROOM], wanted[ROOM], upper[20];
    look(make_phase_retrieval, NULL, inner_rows, z);
    multiply(4, 6, 4, inner_rows, inner_rows, true, inner_kernel);
    memcpy(z + 4, numbers(14, 3, start), 3 * sizeof *z);
    look(make_quadratic, z, rows, values);
    for (int i = 0; i < 5; i++) {
        memcpy(upper + 4 * i, rows + 7 * i, 4 * sizeof *rows);
        for (int j = 0; j < 5; j++) {
            own[i * 5 + j] = 0.0;
            for (int q = 4; q < 7; q++) {
                own[i * 5 + j] += rows[i * 7 + q] * rows[j * 7 + q];
            }
        }
    }
    multiply(5, 4, 4, upper, inner_kernel, false, left);
    multiply(5, 4, 5, left, upper, true, wanted);
    fixture f = set_up(make_stack, PLS_F64);
    kernel_of(&f, found);
    for (int e = 0; e < 25; e++) {
        difference[e] = found[e] - own[e];
    }
    expect_near("K_h - K_g", "composition", difference, wanted, 25, 1e-13);
    pls_arena arena = pls_arena_measuring(f.device);
    pls_view matrix = pls_no_view(), eigenvalues = pls_no_view();
    for (int pass = 0; pass < 2; pass++) {
        expect_ok(&f, pls_arena_take(&arena, PLS_F64, 5, 5, &matrix));
        expect_ok(&f, pls_arena_take(&arena, PLS_F64, 1, 5, &eigenvalues));
        if (pass == 0) {
            expect_ok(&f, pls_arena_reserve(&arena, "a test"));
        }
    }
    expect_ok(&f, pls_upload_f64(f.device, difference, matrix));
    expect_ok(&f, pls_syevd(f.device, false, matrix, eigenvalues));
    expect_ok(&f, pls_download_f64(f.device, eigenvalues, values));
    cr_assert_geq(values[0], -1e-13 * values[4]);
    cr_assert_gt(values[4], 0.1);
    pls_arena_destroy(&arena);
    tear_down(&f);
}

/* ---- constants
 * ------------------------------------------------------------------------------------ */

/* ||D^2 F(w)(v, v)|| / |v|^2 by second differences. */
static double bend(const fixture *f, const double *w, const double *v) {
    double middle[ROOM], plus[ROOM], minus[ROOM], there[ROOM], squared = 0.0, length = 0.0;
    const double h = 1e-3;
    moved(w, h, v, f->p, there), outputs_at(f, there, plus);
    moved(w, -h, v, f->p, there), outputs_at(f, there, minus);
    outputs_at(f, w, middle);
    for (int64_t i = 0; i < f->n * f->k; i++) {
        double second = (plus[i] - 2.0 * middle[i] + minus[i]) / (h * h);
        squared += second * second;
    }
    for (int64_t j = 0; j < f->p; j++) {
        length += v[j] * v[j];
    }
    return sqrt(squared) / length;
}

/* Nowhere and in no direction does F bend more than beta_F. */
Test(systems, smoothness_bounds_every_second_derivative) {
    int known = 0;
    for (int i = 0; i < KINDS; i++) {
        fixture f = set_up(kinds[i].make, PLS_F64);
        pls_smoothness smoothness;
        if (pls_system_smoothness(f.system, &smoothness) != PLS_OK) {
            cr_assert(strstr(pls_error_text(f.context), "not known in closed form") != NULL);
            tear_down(&f);
            continue;
        }
        known++;
        for (int trial = 0; trial < 40; trial++) {
            double w[ROOM], v[ROOM];
            numbers(100 + trial, f.p, w), numbers(200 + trial, f.p, v);
            cr_assert_leq(bend(&f, w, v), smoothness.beta + 1e-6, "%s", kinds[i].name);
        }
        tear_down(&f);
    }
    cr_assert_eq(known, 7);
}

/* Where it is called exact there is a direction that attains it. */
Test(systems, exact_smoothness_is_attained) {
    static const double along[3][14] = {
        {1.0, 2.0},                 /* the circle: any direction */
        {[2] = 1.0, [6 + 2] = 1.0}, /* factorization: rows 1 and 1 of entry 5 */
        {1.0}};                     /* a map: its one weight */
    double w[14] = {0.0};
    fixture circle = set_up(make_circle, PLS_F64), factors = set_up(make_factorization, PLS_F64);
    pls_smoothness found;
    expect_ok(&circle, pls_system_smoothness(circle.system, &found));
    cr_assert_eq(found.evidence, PLS_EVIDENCE_EXACT);
    cr_assert_float_eq(bend(&circle, w, along[0]), found.beta, 1e-7);
    expect_ok(&factors, pls_system_smoothness(factors.system, &found));
    cr_assert_eq(found.evidence, PLS_EVIDENCE_EXACT);
    cr_assert_float_eq(bend(&factors, w, along[1]), found.beta, 1e-7);
    for (int phi = 0; phi < PLS_RELU; phi++) {
        fixture f = circle;
        double y[1] = {0.0}, largest_bend = 0.0;
        expect_ok(&f, pls_elementwise_system_create(circle.device, PLS_F64, 1, 1,
                                                    (pls_activation)phi, NULL, y, &f.system));
        f.n = f.k = f.p = 1;
        expect_ok(&f, pls_system_smoothness(f.system, &found));
        double best = 0.0, reach = 4.0;
        for (int round = 0; round < 3; round++, reach /= 20.0) { /* closer and closer */
            double middle = best;
            for (int i = -20; i <= 20; i++) {
                w[0] = middle + i * reach / 20.0;
                double here = bend(&f, w, along[2]);
                best = here > largest_bend ? w[0] : best;
                largest_bend = fmax(largest_bend, here);
            }
        }
        cr_assert_float_eq(largest_bend, found.beta, 1e-5, "%s",
                           pls_activation_name((pls_activation)phi));
        pls_system_destroy(f.system);
    }
    tear_down(&factors);
    tear_down(&circle);
}

/* A form diag(3, -5) has norm 5; two forms are bounded, and from the closer side. */
Test(systems, smoothness_of_quadratic_forms) {
    static const double one[] = {3.0, 1.0, -1.0, -5.0}, y[2] = {0.0};
    static const double two[] = {3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 4.0};
    fixture f = set_up(make_circle, PLS_F64);
    pls_system *system = NULL;
    pls_smoothness found;
    expect_ok(&f,
              pls_quadratic_system_create(f.device, PLS_F64, 1, 2, one, NULL, NULL, y, &system));
    expect_ok(&f, pls_system_smoothness(system, &found));
    cr_assert_float_eq(found.beta, 5.0, 1e-12);
    cr_assert_eq(found.evidence, PLS_EVIDENCE_EXACT);
    pls_system_destroy(system);
    expect_ok(&f,
              pls_quadratic_system_create(f.device, PLS_F64, 2, 2, two, NULL, NULL, y, &system));
    expect_ok(&f, pls_system_smoothness(system, &found));
    cr_assert_float_eq(found.beta, 4.0, 1e-12, "the forms are orthogonal: not 5");
    cr_assert_eq(found.evidence, PLS_EVIDENCE_BOUNDED);
    pls_system_destroy(system);
    tear_down(&f);
}

static void extremes(const fixture *f, double *least, double *most) {
    pls_kernel *kernel = NULL;
    pls_spectrum spectrum;
    expect_ok(f, pls_kernel_create(f->system, NULL, &kernel));
    expect_ok(f, pls_kernel_compute(kernel));
    expect_ok(f, pls_kernel_spectrum(kernel, NULL, &spectrum));
    *least = spectrum.lambda_min, *most = spectrum.lambda_max;
    pls_spectrum_destroy(f->context, &spectrum);
    pls_kernel_destroy(kernel);
}

Test(systems, constants_hold_in_the_whole_ball) {
    for (int i = 0; i < 3; i++) {
        static maker *const makers[] = {make_linear, make_quadratic, make_circle};
        static const double radii[] = {100.0, 0.005, 0.5};
        fixture f = set_up(makers[i], PLS_F64);
        pls_ball_constants constants;
        double w[ROOM], v[ROOM], there[ROOM], least, most;
        expect_ok(&f, pls_system_get_weights(f.system, w));
        expect_ok(&f, pls_constants_in_ball(f.system, NULL, radii[i], &constants));
        cr_assert_gt(constants.mu, 0.0);
        for (int trial = 0; trial < 20; trial++) {
            double length = 0.0;
            numbers(300 + trial, f.p, v);
            for (int64_t j = 0; j < f.p; j++) {
                length += v[j] * v[j];
            }
            moved(w, radii[i] / sqrt(length), v, f.p, there);
            expect_ok(&f, pls_system_set_weights(f.system, there));
            extremes(&f, &least, &most);
            cr_assert_geq(least, constants.mu * (1.0 - 1e-12));
            cr_assert_leq(sqrt(most), constants.lipschitz * (1.0 + 1e-12));
        }
        cr_assert_eq(constants.mu_evidence, i == 0 ? PLS_EVIDENCE_EXACT : PLS_EVIDENCE_BOUNDED);
        if (i == 0) {
            cr_assert_float_eq(least, constants.mu, 1e-12);
        }
        tear_down(&f);
    }
    fixture f = set_up(make_circle, PLS_F64);
    pls_ball_constants constants;
    expect_ok(&f, pls_constants_in_ball(f.system, NULL, 2.0, &constants));
    cr_assert_eq(constants.mu, 0.0, "the ball holds the singular origin");
    SUPPORT_EXPECT_ERROR(f.context, pls_constants_in_ball(f.system, NULL, -1.0, &constants),
                         PLS_ERROR_ARGUMENT, "radius");
    tear_down(&f);
}

/* ---- functions of a user that fail
 * --------------------------------------------------------------- */

/* F(w) = (w_0 w_1, w_0 + w_2^2): a function fails, or gives no number, at one of its calls. */
typedef struct fragile {
    int calls[4];   /* of apply, pushforward, pullback, curvature */
    int fail, at;   /* which of them, at which call; 0 = never */
    bool gives_nan; /* instead of failing */
    int released;
} fragile;

static int call(fragile *user, int which, double *out) {
    bool now = ++user->calls[which] == user->at && which == user->fail;
    if (now && user->gives_nan) {
        out[1] = NAN;
        return 0;
    }
    return now ? 17 : 0;
}

static int fragile_apply(void *user, const double *w, double *f) {
    f[0] = w[0] * w[1], f[1] = w[0] + w[2] * w[2];
    return call(user, 0, f);
}

static int fragile_pushforward(void *user, const double *w, const double *v, double *f) {
    f[0] = v[0] * w[1] + w[0] * v[1], f[1] = v[0] + 2.0 * w[2] * v[2];
    return call(user, 1, f);
}

static int fragile_pullback(void *user, const double *w, const double *u, double *g) {
    g[0] = u[0] * w[1] + u[1], g[1] = u[0] * w[0], g[2] = 2.0 * w[2] * u[1];
    return call(user, 2, g);
}

static int fragile_curvature(void *user, const double *w, const double *u, const double *v,
                             double *h) {
    (void)w;
    h[0] = u[0] * v[1], h[1] = u[0] * v[0], h[2] = 2.0 * u[1] * v[2];
    return call(user, 3, h);
}

static void fragile_release(void *user) {
    ((fragile *)user)->released++;
}

static pls_user_system fragile_functions(fragile *user) {
    static const double start[3] = {1.0, 0.5, 0.25}, targets[2] = {2.0, 3.0};
    pls_user_system functions = {.name = "fragile",
                                 .samples = 2,
                                 .outputs = 1,
                                 .parameters = 3,
                                 .start = start,
                                 .targets = targets,
                                 .user = user,
                                 .apply = fragile_apply,
                                 .pushforward = fragile_pushforward,
                                 .pullback = fragile_pullback,
                                 .curvature = fragile_curvature,
                                 .release = fragile_release};
    return functions;
}

static pls_status train_fragile(fixture *f, fragile *user, pls_optimizer optimizer,
                                const char *folder, bool resume, double *w) {
    pls_user_system functions = fragile_functions(user);
    pls_train_options options = pls_train_options_defaults();
    pls_train_result result;
    options.optimizer = optimizer;
    options.step_rule = PLS_STEP_FIXED;
    options.step_size = 0.05;
    options.steps = 12;
    options.measure_every = 5;
    options.checkpoint = folder;
    options.resume = resume;
    expect_ok(f, pls_user_system_create(f->device, PLS_F64, &functions, &f->system));
    pls_status status = pls_train(f->system, &options, &result);
    expect_ok(f, pls_system_get_weights(f->system, w));
    pls_train_result_destroy(f->context, &result);
    pls_system_destroy(f->system);
    return status;
}

/* A run whose function fails once, whenever that is, goes on from its checkpoint to the weights of
 * one that never failed, bit for bit. */
static void check_fragile(pls_optimizer optimizer, int which) {
    static const char *const names[] = {"apply", "pushforward", "pullback"};
    fixture f = {.context = support_context(NULL)};
    pls_device_options device = support_device(0);
    fragile sound = {0};
    double wanted[3], w[3];
    int failures = 0, saved = 0;
    expect_ok(&f, pls_device_open(f.context, &device, &f.device));
    expect_ok(&f, train_fragile(&f, &sound, optimizer, NULL, false, wanted));
    cr_assert_eq(sound.released, 1);
    for (int at = 1; at <= sound.calls[which]; at++) {
        for (int nan = 0; nan <= 1; nan++) {
            support_folder folder = support_folder_create();
            fragile user = {.fail = which, .at = at, .gives_nan = nan == 1}, again = {0};
            pls_status status = train_fragile(&f, &user, optimizer, folder.path, false, w);
            cr_assert_eq(user.released, 1);
            if (status != PLS_OK) { /* a trial of LM without a value is put back, no more */
                SUPPORT_EXPECT_ERROR(
                    f.context, status, nan == 1 ? PLS_ERROR_NUMERIC : PLS_ERROR_CALLBACK,
                    nan == 1 ? (which == 2 ? "weight 1" : "equation 1") : "failed with 17");
                cr_assert(strstr(pls_error_text(f.context), names[which]) != NULL);
                failures++;
                if (support_count_files(&folder) > 0) { /* else it was before the first step */
                    saved++;
                    expect_ok(&f, train_fragile(&f, &again, optimizer, folder.path, true, w));
                    cr_assert_eq(memcmp(w, wanted, sizeof w), 0, "%s, call %d", names[which], at);
                }
            } else {
                cr_assert(nan == 1 && optimizer == PLS_OPTIMIZER_LM);
            }
            support_folder_destroy(&folder);
        }
    }
    cr_assert_gt(failures, sound.calls[which]);
    cr_assert_gt(2 * saved, failures);
    pls_device_close(f.device);
    pls_context_destroy(f.context);
}

Test(systems, a_function_that_fails_loses_nothing) {
    check_fragile(PLS_OPTIMIZER_GD, 0);
    check_fragile(PLS_OPTIMIZER_GD, 2);
    check_fragile(PLS_OPTIMIZER_LM, 0);
    check_fragile(PLS_OPTIMIZER_LM, 2);
}

Test(systems, what_a_user_must_bring) {
    fixture f = set_up(make_circle, PLS_F64);
    fragile user = {0};
    pls_system *system = NULL;
    scratch s;
    pls_user_system functions = fragile_functions(&user);
    functions.pullback = NULL;
    SUPPORT_EXPECT_ERROR(f.context, pls_user_system_create(f.device, PLS_F64, &functions, &system),
                         PLS_ERROR_ARGUMENT, "pullback");
    functions = fragile_functions(&user);
    functions.parameters = 0;
    SUPPORT_EXPECT_ERROR(f.context, pls_user_system_create(f.device, PLS_F64, &functions, &system),
                         PLS_ERROR_ARGUMENT, "0 parameters");
    functions = fragile_functions(&user);
    double bad[2] = {1.0, INFINITY};
    functions.targets = bad;
    SUPPORT_EXPECT_ERROR(f.context, pls_user_system_create(f.device, PLS_F64, &functions, &system),
                         PLS_ERROR_DATA, "targets: entry 1");
    cr_assert_eq(user.released, 0);
    functions = fragile_functions(&user);
    functions.curvature = NULL;
    fixture g = f;
    expect_ok(&f, pls_user_system_create(f.device, PLS_F64, &functions, &g.system));
    g.n = 2, g.k = 1, g.p = 3, g.tangents = false;
    s = make_scratch(&g, 2);
    SUPPORT_EXPECT_ERROR(f.context, g.system->kind->curvature(g.system, s.u, s.v, &s.arena, s.out),
                         PLS_ERROR_UNSUPPORTED, "curvature");
    cr_assert(strstr(pls_system_kink(g.system), "curvature") != NULL);
    pls_arena_destroy(&s.arena);
    pls_system_destroy(g.system);
    cr_assert_eq(user.released, 1);
    expect_ok(&f, make_map(f.device, PLS_F64, 2, 1, PLS_RELU, &system));
    cr_assert(strstr(pls_system_kink(system), "relu") != NULL);
    pls_system_destroy(system);
    tear_down(&f);
}

/* Weights that have run away are divergence, not a fault of the function. */
Test(systems, runaway_weights_are_divergence) {
    fixture f = set_up(make_phase_retrieval, PLS_F64);
    double w[6] = {1e200, 0.0, 0.0, 0.0, 0.0, 0.0}, out[4];
    pls_point point;
    expect_ok(&f, pls_system_set_weights(f.system, w));
    SUPPORT_EXPECT_ERROR(f.context,
                         pls_system_measure(f.system, PLS_LOSS_SQUARE, &point, out, NULL),
                         PLS_DIVERGED, "1e+200");
    tear_down(&f);
}

/* ---- making
 * ---------------------------------------------------------------------------------------- */

Test(systems, what_cannot_be_made_is_refused) {
    fixture f = set_up(make_circle, PLS_F64);
    double x[64] = {0.0};
    int64_t entry = 12;
    pls_system *system = NULL, *other = NULL;
    const struct {
        pls_status status, expected;
        const char *part;
    } cases[] = {
        {pls_quadratic_system_create(f.device, PLS_F64, 0, 2, x, NULL, NULL, x, &system),
         PLS_ERROR_ARGUMENT, "at least one equation"},
        {pls_quadratic_system_create(f.device, PLS_F64, 1, INT64_C(1) << 32, x, NULL, NULL, x,
                                     &system),
         PLS_ERROR_ARGUMENT, "64"},
        {pls_factorization_system_create(f.device, PLS_F64, 3, 4, 2, 13, NULL, NULL, x, &system),
         PLS_ERROR_ARGUMENT, "13 entries of a 3 x 4"},
        {pls_factorization_system_create(f.device, PLS_F64, 3, 4, 2, 5, NULL, NULL, x, &system),
         PLS_ERROR_ARGUMENT, "without a list"},
        {pls_factorization_system_create(f.device, PLS_F64, 3, 4, 2, 1, &entry, NULL, x, &system),
         PLS_ERROR_ARGUMENT, "number 12"},
        {pls_phase_retrieval_system_create(f.device, PLS_F64, 2, 0, x, NULL, x, &system),
         PLS_ERROR_ARGUMENT, "2 x 0"},
        {pls_elementwise_system_create(f.device, PLS_F64, 2, 1, PLS_ACTIVATION_COUNT, NULL, x,
                                       &system),
         PLS_ERROR_ARGUMENT, "map number"},
        {pls_composed_system_create(f.system, f.system, &system), PLS_ERROR_ARGUMENT,
         "two systems"},
        {pls_joint_system_create(f.system, f.system, &system), PLS_ERROR_ARGUMENT, "two systems"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert_eq(cases[i].status, cases[i].expected, "case %zu", i);
    }
    cr_assert(strstr(pls_error_text(f.context), cases[8].part) != NULL);
    SUPPORT_EXPECT_ERROR(
        f.context,
        pls_factorization_system_create(f.device, PLS_F64, 3, 4, 2, 1, &entry, NULL, x, &system),
        PLS_ERROR_ARGUMENT, cases[4].part);
    expect_ok(&f, make_map(f.device, PLS_F64, 3, 2, PLS_TANH, &other));
    SUPPORT_EXPECT_ERROR(f.context, pls_composed_system_create(other, f.system, &system),
                         PLS_ERROR_ARGUMENT, "6 weights, but the inner one has 1 outputs");
    SUPPORT_EXPECT_ERROR(f.context, pls_joint_system_create(other, f.system, &system),
                         PLS_ERROR_ARGUMENT, "2 and 1 outputs");
    pls_system_destroy(other);
    tear_down(&f);
}

/* A copy of a joint system has its samples part by part. */
Test(systems, a_copy_of_a_joint_system_keeps_the_order_of_its_parts) {
    fixture f = set_up(make_joint, PLS_F64);
    int64_t mixed[] = {5, 0}, first[] = {1, 1};
    pls_system *copy = NULL;
    double rows[ROOM], found[ROOM];
    SUPPORT_EXPECT_ERROR(f.context, pls_system_duplicate(f.system, mixed, 2, PLS_F64, &copy),
                         PLS_ERROR_UNSUPPORTED, "sample 0 cannot follow 5");
    expect_ok(&f, pls_system_duplicate(f.system, first, 2, PLS_F64, &copy));
    expect_ok(&f, pls_system_jacobian(f.system, 1, 1, rows));
    expect_ok(&f, pls_system_jacobian(copy, 1, 1, found));
    expect_near("J", "a copy without the second part", found, rows, f.p, 1e-15);
    expect_ok(&f, pls_system_initialize(copy));
    pls_system_destroy(copy);
    tear_down(&f);
}

static pls_status make_and_measure(pls_context *context, void *user) {
    maker *const *make = user;
    pls_device_options options = support_device(1);
    pls_device *device = NULL;
    pls_system *system = NULL, *copy = NULL;
    pls_point point;
    pls_status status = pls_device_open(context, &options, &device);
    status = status == PLS_OK ? (*make)(device, PLS_F32, &system) : status;
    status = status == PLS_OK ? pls_system_duplicate(system, NULL, system->samples, PLS_F64, &copy)
                              : status;
    status =
        status == PLS_OK ? pls_system_measure(copy, PLS_LOSS_SQUARE, &point, NULL, NULL) : status;
    pls_system_destroy(copy);
    pls_system_destroy(system);
    pls_device_close(device);
    return status;
}

static maker *planted_now;
static pls_planted_options planted_options;

static pls_status make_planted(pls_device *device, pls_dtype precision, pls_system **system) {
    planted_options.precision = precision;
    return pls_planted_system_create(device, &planted_options, system);
}

Test(systems, every_allocation_may_fail) {
    for (int i = 0; i < KINDS; i++) {
        maker *make = kinds[i].make;
        support_fail_each_allocation(make_and_measure, &make);
    }
    planted_options = pls_planted_options_defaults();
    planted_options.equations = 3, planted_options.parameters = 4;
    planted_options.map = PLS_TANH;
    planted_now = make_planted;
    support_fail_each_allocation(make_and_measure, &planted_now);
}

/* ---- planted solutions and Levenberg-Marquardt
 * ----------------------------------------------------- */

static pls_status note_loss(void *user, const pls_record *record, const pls_progress *progress) {
    double *losses = user;
    (void)progress;
    losses[record->step] = record->loss;
    return PLS_OK;
}

static pls_train_options lm_options(double *losses, int64_t steps) {
    pls_train_options options = pls_train_options_defaults();
    options.optimizer = PLS_OPTIMIZER_LM;
    options.steps = steps;
    options.observer = note_loss;
    options.observer_user = losses;
    return options;
}

/* All planted systems are solved to rounding, in both precisions, and the steps become faster than
 * any geometric sequence of gradient descent: from a loss below 1e-4 three steps gain six digits.
 */
Test(systems, levenberg_marquardt_solves_planted_systems) {
    for (int type = 0; type < 2 * PLS_PLANTED_TYPE_COUNT; type++) {
        planted_options = pls_planted_options_defaults();
        planted_options.type = (pls_planted_type)(type / 2);
        planted_options.equations = 12, planted_options.parameters = 40;
        planted_options.rows = planted_options.columns = 6, planted_options.observed = 16;
        planted_options.seed = 5;
        pls_dtype precision = type % 2 == 0 ? PLS_F64 : PLS_F32;
        const char *name = pls_planted_type_name(planted_options.type);
        fixture f = set_up(make_planted, precision);
        double losses[ROOM] = {0.0};
        pls_train_options options = lm_options(losses, 100);
        pls_train_result result;
        expect_ok(&f, pls_train(f.system, &options, &result));
        cr_assert(result.stalled || result.last.loss == 0.0, "%s: %lld steps, loss %g", name,
                  (long long)result.steps, result.last.loss);
        cr_assert_lt(result.last.loss, precision == PLS_F64 ? 1e-26 : 1e-9, "%s", name);
        cr_assert_eq(result.violations, 0);
        int64_t t = 0;
        while (losses[t] > 1e-4) {
            t++;
        }
        cr_assert_leq(losses[t + 3], precision == PLS_F64 ? 1e-6 * losses[t] : 1e-9, "%s", name);
        pls_train_result_destroy(f.context, &result);
        tear_down(&f);
    }
}

/* The loss never rises, rejected steps leave it where it was, and a run that is resumed at any step
 * gives the same bits. */
Test(systems, levenberg_marquardt_resumes_to_the_same_bits) {
    planted_options = pls_planted_options_defaults();
    planted_options.type = PLS_PLANTED_PHASE_RETRIEVAL;
    planted_options.equations = 12, planted_options.parameters = 14;
    double whole[ROOM], again[ROOM], w[14], found[14];
    fixture f = set_up(make_planted, PLS_F64);
    pls_train_options options = lm_options(whole, 30);
    pls_train_result result;
    options.damping = 1e-6; /* too bold at first */
    options.record_every = 3;
    expect_ok(&f, pls_train(f.system, &options, &result));
    int64_t rejected = result.rejected;
    double damping = result.damping;
    cr_assert_gt(rejected, 2);
    for (int64_t t = 3; t <= 30; t += 3) {
        cr_assert_leq(whole[t], whole[t - 3]);
    }
    expect_ok(&f, pls_system_get_weights(f.system, w));
    pls_train_result_destroy(f.context, &result);
    for (int64_t stop = 1; stop < 30; stop += 4) {
        support_folder folder = support_folder_create();
        options.checkpoint = folder.path;
        options.observer_user = again;
        options.resume = false, options.steps = stop;
        expect_ok(&f, pls_system_initialize(f.system));
        expect_ok(&f, pls_train(f.system, &options, &result));
        pls_train_result_destroy(f.context, &result);
        options.resume = true, options.steps = 30;
        expect_ok(&f, pls_system_initialize(f.system));
        expect_ok(&f, pls_train(f.system, &options, &result));
        expect_ok(&f, pls_system_get_weights(f.system, found));
        cr_assert_eq(memcmp(w, found, sizeof w), 0, "stopped at %lld", (long long)stop);
        cr_assert_eq(again[30], whole[30]);
        cr_assert_eq(result.rejected, rejected);
        cr_assert_eq(result.damping, damping);
        pls_train_result_destroy(f.context, &result);
        support_folder_destroy(&folder);
    }
    tear_down(&f);
}

/* Networks too; a kernel summed over outputs is not the one that the step needs. */
Test(systems, levenberg_marquardt_trains_networks) {
    for (int trace = 0; trace <= 1; trace++) {
        fixture f = set_up(make_network, PLS_F64);
        double losses[ROOM];
        pls_train_options options = lm_options(losses, 40);
        pls_train_result result;
        options.kernel.trace = trace == 1;
        options.measure_every = trace == 1 ? 4 : 0;
        expect_ok(&f, pls_train(f.system, &options, &result));
        cr_assert_lt(result.last.loss, 1e-20 * result.first.loss);
        pls_train_result_destroy(f.context, &result);
        tear_down(&f);
    }
}

/* More equations than unknowns: K is singular, and the damping sees to it. Without any slope, or
 * where the least squares are found, there is nothing to do. */
Test(systems, levenberg_marquardt_and_singular_kernels) {
    planted_options = pls_planted_options_defaults();
    planted_options.equations = 20, planted_options.parameters = 6, planted_options.noise = 0.1;
    fixture f = set_up(make_planted, PLS_F64);
    double losses[ROOM], zero[2] = {0.0};
    pls_train_options options = lm_options(losses, 200);
    pls_train_result result;
    expect_ok(&f, pls_train(f.system, &options, &result));
    cr_assert(result.stalled);
    cr_assert_lt(result.last.gradient_norm, 1e-6);
    cr_assert_gt(result.last.loss, 1e-3);
    pls_train_result_destroy(f.context, &result);
    options.loss = PLS_LOSS_CROSS_ENTROPY;
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_ERROR_CONFIG,
                         "train.loss: square");
    options.loss = PLS_LOSS_SQUARE, options.damping = 0.0;
    SUPPORT_EXPECT_ERROR(f.context, pls_train(f.system, &options, &result), PLS_ERROR_CONFIG,
                         "train.damping");
    options.damping = 1e-3;
    pls_system_destroy(f.system);
    expect_ok(&f, pls_circle_system_create(f.device, PLS_F64, zero, &f.system));
    expect_ok(&f, pls_train(f.system, &options, &result));
    cr_assert(result.stalled);
    cr_assert_eq(result.last.loss, 0.5);
    pls_train_result_destroy(f.context, &result);
    tear_down(&f);
}

Test(systems, planted_sizes_are_checked) {
    fixture f = set_up(make_circle, PLS_F64);
    pls_system *system = NULL;
    pls_planted_options options = pls_planted_options_defaults();
    char text[200];
    options.equations = 0;
    SUPPORT_EXPECT_ERROR(f.context, pls_planted_system_create(f.device, &options, &system),
                         PLS_ERROR_ARGUMENT, "system.equations is 0");
    options.type = PLS_PLANTED_FACTORIZATION;
    options.observed = 401;
    SUPPORT_EXPECT_ERROR(f.context, pls_planted_system_create(f.device, &options, &system),
                         PLS_ERROR_ARGUMENT, "401 entries cannot be observed of the 400");
    options.rank = 0;
    SUPPORT_EXPECT_ERROR(f.context, pls_planted_system_create(f.device, &options, &system),
                         PLS_ERROR_ARGUMENT, "rank");
    options.type = PLS_PLANTED_CIRCLE, options.map = PLS_TANH;
    SUPPORT_EXPECT_ERROR(f.context, pls_planted_system_create(f.device, &options, &system),
                         PLS_ERROR_ARGUMENT, "the circle has neither");
    options = pls_planted_options_defaults();
    options.noise = NAN;
    SUPPORT_EXPECT_ERROR(f.context, pls_planted_system_create(f.device, &options, &system),
                         PLS_ERROR_ARGUMENT, "noise nan");
    pls_planted_describe(&options, text, sizeof text);
    cr_assert_str_eq(text, "quadratic, 40 equations in 200 unknowns");
    tear_down(&f);
}

/* Has a value at its start alone: whatever LM tries, it is put back. */
static int only_at_start(void *user, const double *w, double *f) {
    (void)user;
    f[0] = w[0] == 1.0 ? 1.0 : NAN;
    return 0;
}

static int same(void *user, const double *w, const double *v, double *out) {
    (void)user, (void)w;
    out[0] = v[0];
    return 0;
}

/* lambda grows by 2, 4, 8, ... and the weights stay to the bit. */
Test(systems, levenberg_marquardt_puts_weights_back_and_damps) {
    static const double start[1] = {1.0}, targets[1] = {3.0};
    fixture f = set_up(make_circle, PLS_F64);
    pls_user_system functions = {.samples = 1,
                                 .outputs = 1,
                                 .parameters = 1,
                                 .start = start,
                                 .targets = targets,
                                 .apply = only_at_start,
                                 .pushforward = same,
                                 .pullback = same};
    double losses[ROOM], w[1];
    pls_train_options options = lm_options(losses, 5);
    pls_train_result result;
    pls_system_destroy(f.system);
    expect_ok(&f, pls_user_system_create(f.device, PLS_F64, &functions, &f.system));
    options.damping = 0.25;
    expect_ok(&f, pls_train(f.system, &options, &result));
    cr_assert_eq(result.rejected, 5);
    cr_assert_eq(result.damping, 0.25 * 0x1p15);
    expect_ok(&f, pls_system_get_weights(f.system, w));
    cr_assert_eq(w[0], 1.0);
    cr_assert_eq(losses[5], 2.0);
    pls_train_result_destroy(f.context, &result);
    tear_down(&f);
}

/* Every weight goes into a file and comes back to its place. */
Test(systems, weights_are_kept_in_files) {
    support_folder folder = support_folder_create();
    for (int i = 0; i < KINDS; i++) {
        fixture f = set_up(kinds[i].make, PLS_F64);
        double w[ROOM], found[ROOM];
        numbers(40, f.p, w);
        expect_ok(&f, pls_system_set_weights(f.system, w));
        expect_ok(&f, pls_system_save_weights(f.system, support_path(&folder, "w.safetensors")));
        expect_ok(&f, pls_system_initialize(f.system));
        expect_ok(&f,
                  pls_system_load_weights(f.system, support_path(&folder, "w.safetensors"), false));
        expect_ok(&f, pls_system_get_weights(f.system, found));
        cr_assert_eq(memcmp(w, found, (size_t)f.p * sizeof *w), 0, "%s", kinds[i].name);
        tear_down(&f);
    }
    support_folder_destroy(&folder);
}

/* An entry that was drawn twice would make two rows of J equal and K singular. */
Test(systems, entries_are_observed_once) {
    planted_options = pls_planted_options_defaults();
    planted_options.type = PLS_PLANTED_FACTORIZATION;
    planted_options.rows = planted_options.columns = planted_options.rank = 3;
    planted_options.observed = 9;
    for (planted_options.seed = 0; planted_options.seed < 5; planted_options.seed++) {
        fixture f = set_up(make_planted, PLS_F64);
        double least, most;
        extremes(&f, &least, &most);
        cr_assert_gt(least, 1e-6 * most);
        tear_down(&f);
    }
}
