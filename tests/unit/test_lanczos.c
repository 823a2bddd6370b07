/* The Lanczos method on operators whose spectra are known, and stochastic quadrature: both ends,
 * clusters, small bases, zero, what is not finite; and that no problem feels the others.
 *
 * The operators are B = Q D Q, D diagonal, Q = I - 2 q q^T a reflection, so that eigenvectors fill
 * the space and the largest eigenvalue is any entry of D. */
#include "support.h"

#include "base/memory.h"
#include "tangent/quadrature.h"

#include <float.h>
#include <math.h>

typedef struct fixture {
    pls_context *context;
    pls_device *device;
    pls_arena arena;
} fixture;

static fixture set_up(void) {
    fixture f = {0};
    pls_device_options options = support_device(1);
    f.context = support_context(NULL);
    SUPPORT_EXPECT_OK(f.context, pls_device_open(f.context, &options, &f.device));
    return f;
}

static void tear_down(fixture *f) {
    pls_device_close(f->device);
    pls_context_destroy(f->context);
}

/* ---- operators that the tests know ----------------------------------------------------------- */

/* Problem p is shift[p] I + factor[p] Q D Q. */
typedef struct family {
    pls_device *device;
    int64_t size;
    const double *diagonal; /* size */
    const double *factors;  /* of the problems */
    int64_t calls, rows;    /* of the operator */
    double *x;              /* host scratch, 2 size */
    bool spoil;             /* the first product is NaN */
    int64_t fail_after;     /* calls, 0 = never */
} family;

static void reflect(int64_t n, double *x) {
    double component = 0.0, norm = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double q = 1.0 + 0.5 * sin((double)i);
        component += q * x[i];
        norm += q * q;
    }
    for (int64_t i = 0; i < n; i++) {
        x[i] -= 2.0 * component / norm * (1.0 + 0.5 * sin((double)i));
    }
}

static pls_status apply_family(void *user, const int64_t *problems, pls_view x, pls_view y) {
    family *f = user;
    f->calls++;
    for (int64_t i = 0; i < x.rows; i++) {
        if (problems[i] < 0) {
            continue;
        }
        f->rows++;
        pls_status status = pls_download(f->device, pls_view_rows(x, i, 1), f->x, f->size);
        reflect(f->size, f->x);
        for (int64_t j = 0; j < f->size; j++) {
            f->x[j] *= f->factors[problems[i]] * f->diagonal[j];
        }
        reflect(f->size, f->x);
        if (f->spoil && f->calls == 3) {
            f->x[f->size / 2] = NAN;
        }
        status = status == PLS_OK ? pls_upload(f->device, f->x, f->size, pls_view_rows(y, i, 1))
                                  : status;
        if (status != PLS_OK) {
            return status;
        }
    }
    return PLS_OK;
}

static pls_status apply_one(void *user, pls_view x, pls_view y) {
    const int64_t problem = 0;
    return apply_family(user, &problem, pls_view_reshape(x, 1, x.rows),
                        pls_view_reshape(y, 1, y.rows));
}

enum { LARGEST_SIZE = 400 };

typedef struct run {
    int64_t size, slots, basis, count;
    const double *diagonal, *factors;
    pls_lanczos_end end;
    double tolerance;
    int64_t products; /* [20,000] */
    bool spoil;
} run;

static pls_status solve(fixture *f, const run *r, pls_ritz *ritz, family *operators) {
    static const double one = 1.0;
    double x[LARGEST_SIZE];
    pls_lanczos lanczos;
    pls_status status = PLS_OK;
    pls_lanczos_options options = {
        r->end, r->tolerance, r->products > 0 ? r->products : 20000, {1, PLS_RANDOM_TEST, 0}};
    *operators = (family){.device = f->device,
                          .size = r->size,
                          .diagonal = r->diagonal,
                          .factors = r->factors != NULL ? r->factors : &one,
                          .x = x,
                          .spoil = r->spoil};
    f->arena = pls_arena_measuring(f->device);
    PLS_TRY(f->context, pls_lanczos_take_slots(&f->arena, r->size, r->slots, r->basis, &lanczos));
    PLS_TRY(f->context, pls_arena_reserve(&f->arena, "a test"));
    PLS_TRY(f->context, pls_lanczos_take_slots(&f->arena, r->size, r->slots, r->basis, &lanczos));
    PLS_TRY(f->context, pls_lanczos_solve(&lanczos, &options, r->count, apply_family, operators,
                                          ritz, pls_no_view()));
cleanup:
    pls_arena_destroy(&f->arena);
    return status;
}

/* One problem: its value to `accuracy` of the norm, a residual that is true, and what it took. */
static pls_ritz expect(const run *given, double value, double accuracy) {
    fixture f = set_up();
    family operators;
    pls_ritz ritz = {0};
    run r = *given;
    r.slots = r.slots > 0 ? r.slots : 1;
    r.count = 1;
    SUPPORT_EXPECT_OK(f.context, solve(&f, &r, &ritz, &operators));
    cr_expect(ritz.converged, "residual %.1e, scale %.1e after %lld products", ritz.estimate,
              ritz.scale, (long long)ritz.products);
    cr_expect_float_eq(ritz.value, value, accuracy * ritz.scale, "%.17g, expected %.17g",
                       ritz.value, value);
    cr_expect_leq(ritz.residual, r.tolerance * ritz.scale + 100.0 * DBL_EPSILON * ritz.scale);
    cr_expect_leq(fabs(ritz.value - value), ritz.residual + 100.0 * DBL_EPSILON * ritz.scale);
    cr_expect_eq(operators.calls, ritz.products);
    tear_down(&f);
    return ritz;
}

/* -1, ..., 2 evenly. */
static void spread(int64_t size, double *d) {
    for (int64_t i = 0; i < size; i++) {
        d[i] = -1.0 + 3.0 * (double)i / (double)(size - 1);
    }
}

/* ---- one problem ----------------------------------------------------------------------------- */

Test(lanczos, both_ends_and_the_norm) {
    double d[200];
    spread(200, d);
    run r = {.size = 200, .basis = 60, .diagonal = d, .tolerance = 1e-11};
    expect(&r, 2.0, 1e-12);
    r.end = PLS_LANCZOS_SMALLEST;
    expect(&r, -1.0, 1e-12);
    r.end = PLS_LANCZOS_MAGNITUDE;
    expect(&r, 2.0, 1e-12);
    for (int i = 0; i < 200; i++) {
        d[i] = -d[i];
    }
    expect(&r, -2.0, 1e-12);
}

Test(lanczos, a_small_basis_does) {
    double d[300];
    spread(300, d);
    for (int64_t basis = 3; basis <= 24; basis += 7) {
        run r = {.size = 300, .basis = basis, .diagonal = d, .tolerance = 1e-10};
        expect(&r, 2.0, 1e-12);
        r.end = PLS_LANCZOS_SMALLEST;
        expect(&r, -1.0, 1e-12);
    }
}

/* The upper `count` of 400 eigenvalues close together. */
static int64_t products_of_cluster(int64_t count, int64_t basis) {
    double d[400];
    spread(400, d);
    for (int64_t i = 0; i < count; i++) {
        d[400 - count + i] = 3.0 + 1e-4 * (double)i;
    }
    run r = {.size = 400, .basis = basis, .diagonal = d, .tolerance = 1e-10};
    return expect(&r, 3.0 + 1e-4 * (double)(count - 1), 1e-12).products;
}

/* Restarted from one vector, these take 434 and 355. */
Test(lanczos, restarts_keep_what_was_learnt) {
    cr_expect_lt(products_of_cluster(6, 16), 150);
    cr_expect_lt(products_of_cluster(12, 32), 200);
}

Test(lanczos, multiple_eigenvalues) {
    double d[100];
    spread(100, d);
    d[97] = d[98] = d[99] = 5.0;
    d[0] = d[1] = d[2] = -4.0;
    run r = {.size = 100, .basis = 20, .diagonal = d, .tolerance = 1e-12};
    expect(&r, 5.0, 1e-13);
    r.end = PLS_LANCZOS_SMALLEST;
    expect(&r, -4.0, 1e-13);
}

/* The Krylov space ends before the basis is full. */
Test(lanczos, few_distinct_eigenvalues) {
    double d[50];
    for (int i = 0; i < 50; i++) {
        d[i] = i % 3 == 0 ? 1.0 : i % 3 == 1 ? -2.0 : 0.5;
    }
    run r = {.size = 50, .basis = 30, .diagonal = d, .tolerance = 1e-12};
    cr_expect_leq(expect(&r, 1.0, 1e-14).products, 5);
    r.end = PLS_LANCZOS_MAGNITUDE;
    expect(&r, -2.0, 1e-14);
}

Test(lanczos, small_sizes) {
    double d[5] = {3.0, -7.0, 2.0, 1.0, 0.0};
    for (int64_t size = 1; size <= 5; size++) {
        run r = {.size = size, .basis = 40, .diagonal = d, .tolerance = 1e-12};
        expect(&r, 3.0, 1e-14);
        r.end = PLS_LANCZOS_MAGNITUDE;
        expect(&r, size == 1 ? 3.0 : -7.0, 1e-14);
    }
}

Test(lanczos, zero_is_found_exactly) {
    double d[30] = {0.0};
    run r = {.size = 30, .basis = 10, .diagonal = d, .tolerance = 1e-10};
    for (int end = PLS_LANCZOS_LARGEST; end <= PLS_LANCZOS_MAGNITUDE; end++) {
        r.end = (pls_lanczos_end)end;
        pls_ritz ritz = expect(&r, 0.0, 0.0);
        cr_expect_eq(ritz.value, 0.0);
        cr_expect_eq(ritz.residual, 0.0);
        cr_expect_eq(ritz.products, 2);
    }
}

Test(lanczos, the_residual_that_was_asked_for) {
    double d[300];
    spread(300, d);
    int64_t products = 0;
    for (double tolerance = 1e-2; tolerance > 1e-13; tolerance *= 1e-5) {
        run r = {.size = 300, .basis = 40, .diagonal = d, .tolerance = tolerance};
        pls_ritz ritz = expect(&r, 2.0, 2.0 * tolerance);
        cr_expect_gt(ritz.products, products);
        products = ritz.products;
    }
}

/* Out of products: the best so far, and a residual that says how good that is. */
Test(lanczos, too_few_products_are_said) {
    fixture f = set_up();
    family operators;
    pls_ritz ritz = {0};
    double d[300];
    spread(300, d);
    run r = {.size = 300,
             .slots = 1,
             .basis = 20,
             .count = 1,
             .diagonal = d,
             .tolerance = 1e-10,
             .products = 12};
    SUPPORT_EXPECT_OK(f.context, solve(&f, &r, &ritz, &operators));
    cr_expect_not(ritz.converged);
    cr_expect_eq(ritz.products, 12);
    cr_expect_gt(ritz.residual, 1e-4);
    cr_expect_float_eq(ritz.residual, ritz.estimate, 1e-10);
    cr_expect_leq(2.0 - ritz.value, ritz.residual);
    tear_down(&f);
}

Test(lanczos, what_is_not_finite_is_refused) {
    fixture f = set_up();
    family operators;
    pls_ritz ritz = {0};
    double d[40];
    spread(40, d);
    run r = {.size = 40,
             .slots = 2,
             .basis = 20,
             .count = 2,
             .diagonal = d,
             .factors = (double[]){1.0, 2.0},
             .tolerance = 1e-10,
             .spoil = true};
    SUPPORT_EXPECT_ERROR(f.context, solve(&f, &r, &ritz, &operators), PLS_ERROR_NUMERIC,
                         "not finite (problem 0 of 2, product 3)");
    tear_down(&f);
}

/* ---- many problems --------------------------------------------------------------------------- */

enum { MANY = 11 };

/* Different problems need different numbers of products: 0 two, the others more. */
static const double many_factors[MANY] = {1.0, 0.0, -3.0, 1e-8, 2.0, 0.5, 0.0, -1.0, 7.0, 1e6, 0.1};

/* Alone, in whatever company, and in any number of slots: the same bits. */
Test(lanczos, problems_do_not_feel_one_another) {
    fixture f = set_up();
    family operators;
    pls_ritz alone[MANY], together[MANY];
    double d[120];
    spread(120, d);
    run r = {
        .size = 120, .basis = 16, .diagonal = d, .tolerance = 1e-10, .end = PLS_LANCZOS_MAGNITUDE};
    for (int p = 0; p < MANY; p++) {
        r.slots = r.count = 1;
        r.factors = &many_factors[p];
        SUPPORT_EXPECT_OK(f.context, solve(&f, &r, &alone[p], &operators));
        cr_expect_float_eq(alone[p].value, 2.0 * many_factors[p], 1e-11 * fabs(many_factors[p]));
    }
    r.factors = many_factors;
    r.count = MANY;
    for (r.slots = 1; r.slots <= MANY + 2; r.slots += 3) {
        memset(together, 0xff, sizeof together);
        SUPPORT_EXPECT_OK(f.context, solve(&f, &r, together, &operators));
        for (int p = 0; p < MANY; p++) {
            cr_expect_eq(memcmp(&together[p].value, &alone[p].value, sizeof(double)), 0);
            cr_expect_eq(memcmp(&together[p].residual, &alone[p].residual, sizeof(double)), 0);
            cr_expect_eq(together[p].products, alone[p].products);
        }
    }
    tear_down(&f);
}

/* A product is made for all slots at once, and only for problems that are not solved. */
Test(lanczos, slots_share_products) {
    fixture f = set_up();
    family operators;
    pls_ritz ritz[MANY];
    double d[120];
    spread(120, d);
    run r = {.size = 120,
             .slots = 4,
             .basis = 16,
             .count = MANY,
             .diagonal = d,
             .factors = many_factors,
             .tolerance = 1e-10};
    int64_t products = 0, most = 0;
    SUPPORT_EXPECT_OK(f.context, solve(&f, &r, ritz, &operators));
    for (int p = 0; p < MANY; p++) {
        products += ritz[p].products;
        most = pls_larger(most, ritz[p].products);
    }
    cr_expect_eq(operators.rows, products);
    cr_expect_leq(operators.calls, products / 4 + most);
    tear_down(&f);
}

static bool count_calls(void *user) {
    int *left = user;
    return --*left < 0;
}

Test(lanczos, stops_when_asked_to) {
    int left = 7;
    pls_hooks hooks = {.user = &left, .cancelled = count_calls};
    fixture f = {0};
    family operators;
    pls_ritz ritz;
    double d[100];
    pls_device_options options = support_device(1);
    spread(100, d);
    cr_assert_eq(pls_context_create(&hooks, &f.context), PLS_OK);
    SUPPORT_EXPECT_OK(f.context, pls_device_open(f.context, &options, &f.device));
    left = 7;
    run r = {.size = 100, .slots = 1, .basis = 20, .count = 1, .diagonal = d, .tolerance = 1e-10};
    cr_expect_eq(solve(&f, &r, &ritz, &operators), PLS_CANCELLED);
    cr_expect_eq(operators.calls, 7);
    tear_down(&f);
}

static pls_status solve_small(pls_context *context, void *user) {
    fixture f = {.context = context};
    family operators;
    pls_ritz ritz;
    pls_device_options options = support_device(1);
    const run *r = user;
    pls_status status = pls_device_open(context, &options, &f.device);
    status = status != PLS_OK ? status : solve(&f, r, &ritz, &operators);
    pls_device_close(f.device);
    return status;
}

Test(lanczos, every_allocation_may_fail) {
    double d[20];
    spread(20, d);
    run r = {.size = 20, .slots = 1, .basis = 8, .count = 1, .diagonal = d, .tolerance = 1e-8};
    support_fail_each_allocation(solve_small, &r);
}

/* ---- quadrature ------------------------------------------------------------------------------ */

static pls_status quadrature_of(fixture *f, int64_t size, const double *diagonal,
                                const pls_quadrature_options *options, pls_quadrature *result) {
    static const double one = 1.0;
    double x[LARGEST_SIZE];
    pls_quadrature_views views;
    family operators = {
        .device = f->device, .size = size, .diagonal = diagonal, .factors = &one, .x = x};
    pls_status status = PLS_OK;
    f->arena = pls_arena_measuring(f->device);
    PLS_TRY(f->context, pls_quadrature_take(&f->arena, size, options, &views));
    PLS_TRY(f->context, pls_arena_reserve(&f->arena, "a test"));
    PLS_TRY(f->context, pls_quadrature_take(&f->arena, size, options, &views));
    PLS_TRY(f->context, pls_quadrature_compute(&views, options, apply_one, &operators, result));
cleanup:
    pls_arena_destroy(&f->arena);
    return status;
}

static double moment(const pls_quadrature *q, int power) {
    double sum = 0.0;
    for (int64_t j = 0; j < q->count; j++) {
        sum += q->weights[j] * pow(q->nodes[j], power);
    }
    return sum;
}

/* Moment 0 is exact, moment 1 is the trace estimate itself; all within a few standard errors. */
Test(quadrature, trace_and_moments) {
    fixture f = set_up();
    pls_quadrature q = {0};
    double d[200], exact[5] = {0.0};
    pls_quadrature_options options = {40, 12, 3};
    spread(200, d);
    for (int i = 0; i < 200; i++) {
        for (int power = 0; power < 5; power++) {
            exact[power] += pow(d[i], power);
        }
    }
    SUPPORT_EXPECT_OK(f.context, quadrature_of(&f, 200, d, &options, &q));
    cr_expect_eq(q.count, 40 * 12);
    cr_expect_eq(q.probes, 40);
    cr_expect_float_eq(moment(&q, 0), 200.0, 1e-10);
    cr_expect_float_eq(moment(&q, 1), q.trace, 1e-9);
    cr_expect_gt(q.trace_error, 0.0);
    cr_expect_lt(q.trace_error, 0.05 * exact[1]);
    cr_expect_leq(fabs(q.trace - exact[1]), 4.0 * q.trace_error, "%g, exactly %g, error %g",
                  q.trace, exact[1], q.trace_error);
    for (int power = 2; power < 5; power++) {
        cr_expect_float_eq(moment(&q, power) / exact[power], 1.0, 0.1);
    }
    pls_quadrature_destroy(f.context, &q);
    tear_down(&f);
}

/* Probes of signs find the trace of a diagonal operator exactly: with q = e_0 the reflection only
 * turns a sign, so take B = c I, whose Krylov spaces also end at once. */
Test(quadrature, a_multiple_of_the_identity_is_exact) {
    fixture f = set_up();
    pls_quadrature q = {0};
    double d[64];
    pls_quadrature_options options = {3, 10, 0};
    for (int i = 0; i < 64; i++) {
        d[i] = -2.5;
    }
    SUPPORT_EXPECT_OK(f.context, quadrature_of(&f, 64, d, &options, &q));
    cr_expect_float_eq(q.trace, -160.0, 1e-11);
    cr_expect_lt(q.trace_error, 1e-12);
    cr_expect_float_eq(moment(&q, 0), 64.0, 1e-11);
    cr_expect_float_eq(moment(&q, 3), -1000.0, 1e-9);
    pls_quadrature_destroy(f.context, &q);
    tear_down(&f);
}

/* With as many steps as the size, every probe's quadrature is exact: z^T f(B) z. */
Test(quadrature, more_steps_than_the_size) {
    fixture f = set_up();
    pls_quadrature q = {0};
    const double d[4] = {1.0, 2.0, 4.0, 8.0};
    pls_quadrature_options options = {1, 100, 5};
    SUPPORT_EXPECT_OK(f.context, quadrature_of(&f, 4, d, &options, &q));
    cr_expect_eq(q.count, 4);
    for (int j = 0; j < 4; j++) {
        cr_expect_float_eq(q.nodes[j], d[j], 1e-12);
    }
    cr_expect(isnan(q.trace_error));
    pls_quadrature_destroy(f.context, &q);
    tear_down(&f);
}

Test(quadrature, density_is_one_and_lies_where_eigenvalues_are) {
    fixture f = set_up();
    pls_quadrature q = {0};
    double d[100], grid[601], density[601], mass = 0.0, mean = 0.0, left = 0.0;
    pls_quadrature_options options = {30, 20, 1};
    for (int i = 0; i < 100; i++) {
        d[i] = i < 25 ? -1.0 : 2.0;
    }
    SUPPORT_EXPECT_OK(f.context, quadrature_of(&f, 100, d, &options, &q));
    for (int i = 0; i < 601; i++) {
        grid[i] = -3.0 + 0.01 * i;
    }
    pls_quadrature_density(&q, 0.1, 601, grid, density);
    for (int i = 0; i < 601; i++) {
        mass += 0.01 * density[i];
        mean += 0.01 * density[i] * grid[i];
        left += grid[i] < 0.5 ? 0.01 * density[i] : 0.0;
    }
    cr_expect_float_eq(mass, 1.0, 1e-6);
    cr_expect_float_eq(mean, q.trace / 100.0, 1e-6);
    cr_expect_float_eq(left, 0.25, 0.05);
    /* The peak of a normal density of width 0.1 with three quarters of the mass. */
    cr_expect_float_eq(density[500], 0.75 / (0.1 * sqrt(2.0 * M_PI)), 0.25);
    pls_quadrature_destroy(f.context, &q);
    tear_down(&f);
}

/* Probe p does not depend on how many there are. */
Test(quadrature, probes_are_numbered) {
    fixture f = set_up();
    pls_quadrature few = {0}, many = {0};
    double d[50];
    pls_quadrature_options options = {2, 8, 9};
    spread(50, d);
    SUPPORT_EXPECT_OK(f.context, quadrature_of(&f, 50, d, &options, &few));
    options.probes = 4;
    SUPPORT_EXPECT_OK(f.context, quadrature_of(&f, 50, d, &options, &many));
    cr_expect_eq(memcmp(few.nodes, many.nodes, 16 * sizeof(double)), 0);
    cr_expect_neq(many.nodes[0], many.nodes[8]);
    cr_expect_eq(many.weights[0], 0.5 * few.weights[0]);
    pls_quadrature_destroy(f.context, &few);
    pls_quadrature_destroy(f.context, &many);
    tear_down(&f);
}

Test(quadrature, no_probes_are_refused) {
    fixture f = set_up();
    pls_quadrature q = {0};
    const double d[4] = {1.0, 2.0, 4.0, 8.0};
    pls_quadrature_options options = {0, 4, 0};
    SUPPORT_EXPECT_ERROR(f.context, quadrature_of(&f, 4, d, &options, &q), PLS_ERROR_ARGUMENT,
                         "at least one probe and one step, not 0 and 4");
    options = (pls_quadrature_options){2, 0, 0};
    SUPPORT_EXPECT_ERROR(f.context, quadrature_of(&f, 4, d, &options, &q), PLS_ERROR_ARGUMENT,
                         "not 2 and 0");
    tear_down(&f);
}

static pls_status small_quadrature(pls_context *context, void *user) {
    fixture f = {.context = context};
    pls_quadrature q = {0};
    const double d[4] = {1.0, 2.0, 4.0, 8.0};
    pls_device_options device = support_device(1);
    pls_status status = pls_device_open(context, &device, &f.device);
    status = status != PLS_OK ? status : quadrature_of(&f, 4, d, user, &q);
    cr_expect(status == PLS_OK || q.nodes == NULL);
    pls_quadrature_destroy(context, &q);
    pls_device_close(f.device);
    return status;
}

Test(quadrature, every_allocation_may_fail) {
    pls_quadrature_options options = {2, 3, 0};
    support_fail_each_allocation(small_quadrature, &options);
}
