/* A power law fitted to a few seeds at each x.
 *
 * With z = log y, group g of n_g values at x_g has mean m_g and variance s_g^2. Few seeds know
 * their variance badly, so it is shrunk towards the pooled s^2 with the weight of PRIOR
 * observations, v_g = ((n_g - 1) s_g^2 + PRIOR s^2) / (n_g - 1 + PRIOR),     weight n_g / v_g, and
 * m_g = intercept + slope log x_g is fitted by weighted least squares. The bootstrap draws n_g
 * values of m_g + sqrt(n_g/(n_g-1)) (z - m_g) again for every group; a group of one, which does not
 * know how it scatters, takes one such deviation from the others. It takes the variances for known;
 * that they are estimated with nu degrees of freedom widens a normal interval by
 *
 *     t_nu / z = 1 + (z^2 + 1) / (4 nu) + (5 z^4 + 16 z^2 + 3) / (96 nu^2) + ...
 *
 * (Fisher and Cornish 1960), z the normal and t_nu Student's quantile, and so this one, too. For nu
 * = 1 and 2, where the series is too short, t_nu has a closed form. */
#include "base/memory.h"
#include "base/philox.h"
#include "plstar/study.h"

#include <math.h>
#include <stdlib.h>

static const double PRIOR = 4.0;
static const double TAIL = 0.025;
static const double PI = 3.14159265358979323846;
static const double NORMAL_QUANTILE = 1.959963984540054; /* of 1 - TAIL */
enum { LEAST_RESAMPLES = 100 };

typedef struct point {
    double x, z; /* log x, log y */
} point;

typedef struct group {
    double x, mean, weight;
    int64_t first, count; /* of the sorted points */
} group;

typedef struct fitter {
    point *points;
    group *groups;
    double *means, *slopes; /* of a resample; of all resamples */
    double *deviations;     /* sqrt(n_g/(n_g-1)) (z - m_g) of all groups but those of one */
    int64_t point_count, group_count, deviation_count;
} fitter;

static int by_x(const void *a, const void *b) {
    const point *p = a, *q = b;
    int order = (p->x > q->x) - (p->x < q->x);
    return order != 0 ? order : (p->z > q->z) - (p->z < q->z);
}

static int ascending(const void *a, const void *b) {
    const double *p = a, *q = b;
    return (*p > *q) - (*p < *q);
}

/* ---- groups ---------------------------------------------------------------------------------- */

static void take_points(fitter *f, const double *x, const double *y, int64_t count,
                        bool divide_log) {
    for (int64_t i = 0; i < count; i++) {
        if (y[i] > 0.0 && isfinite(y[i])) {
            double at = log(x[i]);
            f->points[f->point_count++] =
                (point){at, log(y[i]) - (divide_log ? 0.5 * log(at) : 0.0)};
        }
    }
    qsort(f->points, (size_t)f->point_count, sizeof *f->points, by_x);
}

static double squares_of(const fitter *f, const group *g) {
    double sum = 0.0;
    for (int64_t i = g->first; i < g->first + g->count; i++) {
        double off = f->points[i].z - g->mean;
        sum += off * off;
    }
    return sum;
}

static void form_groups(fitter *f) {
    double squares = 0.0;
    for (int64_t i = 0; i < f->point_count; i++) {
        if (i == 0 || f->points[i].x != f->points[i - 1].x) {
            f->groups[f->group_count++] = (group){.x = f->points[i].x, .first = i};
        }
        group *g = &f->groups[f->group_count - 1];
        g->count++;
        g->mean += (f->points[i].z - g->mean) / (double)g->count;
    }
    for (int64_t i = 0; i < f->group_count; i++) {
        squares += squares_of(f, &f->groups[i]);
    }
    int64_t freedom = f->point_count - f->group_count;
    double pooled = freedom > 0 ? squares / (double)freedom : 0.0;
    for (int64_t i = 0; i < f->group_count; i++) {
        group *g = &f->groups[i];
        double own = (double)(g->count - 1);
        double variance = (squares_of(f, g) + PRIOR * pooled) / (own + PRIOR);
        g->weight = (double)g->count / (pooled > 0.0 ? variance : 1.0);
    }
}

/* ---- the line -------------------------------------------------------------------------------- */

static double fit_line(const fitter *f, const double *means, double *intercept) {
    double weight = 0.0, x = 0.0, z = 0.0, xx = 0.0, xz = 0.0;
    for (int64_t i = 0; i < f->group_count; i++) {
        const group *g = &f->groups[i];
        weight += g->weight;
        x += g->weight * g->x;
        z += g->weight * means[i];
    }
    x /= weight;
    z /= weight;
    for (int64_t i = 0; i < f->group_count; i++) {
        const group *g = &f->groups[i];
        xx += g->weight * (g->x - x) * (g->x - x);
        xz += g->weight * (g->x - x) * (means[i] - z);
    }
    double slope = xz / xx;
    if (intercept != NULL) {
        *intercept = z - slope * x;
    }
    return slope;
}

/* As the seeds' variance explains residuals of mean weighted square 1, what is more is curvature,
 * or a variance that the groups do not share. */
static double misfit_of(const fitter *f, const pls_fit *fit) {
    double sum = 0.0;
    if (f->group_count < 3 || f->point_count == f->group_count) {
        return 1.0;
    }
    for (int64_t i = 0; i < f->group_count; i++) {
        const group *g = &f->groups[i];
        double off = g->mean - fit->intercept - fit->slope * g->x;
        sum += g->weight * off * off;
    }
    return fmax(1.0, sqrt(sum / (double)(f->group_count - 2)));
}

/* ---- the interval ---------------------------------------------------------------------------- */

static void take_deviations(fitter *f) {
    for (int64_t i = 0; i < f->group_count; i++) {
        const group *g = &f->groups[i];
        double n = (double)g->count;
        for (int64_t j = g->first; g->count > 1 && j < g->first + g->count; j++) {
            f->deviations[f->deviation_count++] = sqrt(n / (n - 1.0)) * (f->points[j].z - g->mean);
        }
    }
}

static double resample(fitter *f, uint64_t seed, int64_t number) {
    pls_random_stream stream = {seed, PLS_RANDOM_BOOTSTRAP, (uint32_t)number};
    uint64_t element = 0;
    int64_t own = 0; /* the first of a group's deviations */
    for (int64_t i = 0; i < f->group_count; i++) {
        const group *g = &f->groups[i];
        bool alone = g->count == 1;
        double off = 0.0;
        for (int64_t j = 0; j < g->count; j++) {
            int64_t drawn =
                pls_random_integer_at(stream, element++, alone ? f->deviation_count : g->count);
            off += f->deviations[alone ? drawn : own + drawn];
        }
        f->means[i] = g->mean + off / (double)g->count;
        own += alone ? 0 : g->count;
    }
    return fit_line(f, f->means, NULL);
}

/* The quantile of sorted values, between neighbours. */
static double quantile(const double *sorted, int64_t count, double share) {
    double at = share * (double)(count - 1);
    int64_t below = (int64_t)at, above = pls_smaller(below + 1, count - 1);
    return sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
}

/* t_nu / z */
static double student_factor(int64_t freedom) {
    double inside = 1.0 - 2.0 * TAIL;
    if (freedom == 1) {
        return tan(0.5 * PI * inside) / NORMAL_QUANTILE;
    }
    if (freedom == 2) {
        return inside * sqrt(2.0 / (1.0 - inside * inside)) / NORMAL_QUANTILE;
    }
    double nu = (double)freedom, z2 = NORMAL_QUANTILE * NORMAL_QUANTILE;
    double first = (z2 + 1.0) / 4.0, second = ((5.0 * z2 + 16.0) * z2 + 3.0) / 96.0;
    double third = (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) / 384.0;
    return 1.0 + (first + (second + third / nu) / nu) / nu;
}

static void find_interval(fitter *f, int64_t resamples, uint64_t seed, pls_fit *fit) {
    take_deviations(f);
    for (int64_t b = 0; b < resamples; b++) {
        f->slopes[b] = resample(f, seed, b);
    }
    qsort(f->slopes, (size_t)resamples, sizeof *f->slopes, ascending);
    double low = quantile(f->slopes, resamples, TAIL);
    double high = quantile(f->slopes, resamples, 1.0 - TAIL);
    double widened = fit->misfit * student_factor(f->point_count - f->group_count);
    fit->low = fit->slope - widened * fmax(0.0, fit->slope - low);
    fit->high = fit->slope + widened * fmax(0.0, high - fit->slope);
}

static pls_status check(pls_context *context, const double *x, int64_t count, bool divide_log,
                        int64_t resamples) {
    for (int64_t i = 0; i < count; i++) {
        if (!(x[i] > (divide_log ? 1.0 : 0.0)) || !isfinite(x[i])) {
            return pls_fail(context, PLS_ERROR_ARGUMENT,
                            "a power of x cannot be fitted at x = %g; numbers above %d were "
                            "expected",
                            x[i], divide_log ? 1 : 0);
        }
    }
    if (resamples < LEAST_RESAMPLES || resamples > UINT32_MAX) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "%lld resamples of a fit; at least %d were expected", (long long)resamples,
                        LEAST_RESAMPLES);
    }
    return PLS_OK;
}

pls_status pls_fit_power(pls_context *context, const double *x, const double *y, int64_t count,
                         bool divide_log, int64_t resamples, uint64_t seed, pls_fit *fit) {
    fitter f = {0};
    const char *what = "a fit";
    pls_status status = PLS_OK;
    *fit = (pls_fit){.slope = NAN, .low = NAN, .high = NAN, .intercept = NAN, .misfit = 1.0};
    PLS_TRY(context, check(context, x, count, divide_log, resamples));
    PLS_TRY(context, pls_allocate(context, count, sizeof *f.points, what, &f.points));
    PLS_TRY(context, pls_allocate(context, count, sizeof *f.groups, what, &f.groups));
    PLS_TRY(context, pls_allocate(context, count, sizeof *f.means, what, &f.means));
    PLS_TRY(context, pls_allocate(context, count, sizeof *f.deviations, what, &f.deviations));
    PLS_TRY(context, pls_allocate(context, resamples, sizeof *f.slopes, what, &f.slopes));
    take_points(&f, x, y, count, divide_log);
    form_groups(&f);
    fit->groups = f.group_count;
    fit->points = f.point_count;
    fit->left_out = count - f.point_count;
    if (f.group_count < 2) {
        goto cleanup;
    }
    for (int64_t i = 0; i < f.group_count; i++) {
        f.means[i] = f.groups[i].mean;
    }
    fit->slope = fit_line(&f, f.means, &fit->intercept);
    fit->misfit = misfit_of(&f, fit);
    if (f.point_count > f.group_count) {
        find_interval(&f, resamples, seed, fit);
    }
cleanup:
    pls_release(context, f.points);
    pls_release(context, f.groups);
    pls_release(context, f.means);
    pls_release(context, f.slopes);
    pls_release(context, f.deviations);
    return status;
}
