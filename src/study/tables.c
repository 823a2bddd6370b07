/* The two tables of a study: study.csv, tidy, and fits.csv.
 *
 * A fit goes along one axis with several values (width, bottleneck or depth) over the cells that
 * agree on all other axes but the seed. */
#include "study/study.h"

#include "base/memory.h"
#include "base/output.h"

#include <math.h>

typedef struct tables {
    pls_context *context;
    const pls_study *study;
    const pls_measured *values; /* PLS_QUANTITY_COUNT a cell */
    const bool *there;
    int64_t cells, resamples;
    pls_axis_kind against;
    double *x, *y; /* of a fit */
    FILE *stream;
} tables;

static void write_cell(const tables *t, const pls_cell *cell, int last) {
    char word[32];
    for (int a = 0; a <= last; a++) {
        fprintf(t->stream, "%s%s", a == 0 ? "" : ",",
                a == (int)t->against && last < PLS_AXIS_SEED
                    ? ""
                    : pls_axis_word((pls_axis_kind)a, cell->at[a], word));
    }
}

static void write_values(const tables *t) {
    for (int a = 0; a < PLS_AXIS_COUNT; a++) {
        fprintf(t->stream, "%s,", pls_axis_name((pls_axis_kind)a));
    }
    fprintf(t->stream, "quantity,value,error,reason\n");
    for (int64_t c = 0; c < t->cells; c++) {
        pls_cell cell = pls_study_cell(t->study, c);
        for (int q = 0; t->there[c] && q < PLS_QUANTITY_COUNT; q++) {
            const pls_measured *value = &t->values[c * PLS_QUANTITY_COUNT + q];
            if (!t->study->quantities[q]) {
                continue;
            }
            write_cell(t, &cell, PLS_AXIS_SEED);
            if (value->reason != NULL) {
                fprintf(t->stream, ",%s,,,%s\n", pls_quantity_name((pls_quantity)q), value->reason);
            } else {
                fprintf(t->stream, ",%s,%.17g,%.17g,\n", pls_quantity_name((pls_quantity)q),
                        value->value, value->error);
            }
        }
    }
}

/* ---- fits
 * ---------------------------------------------------------------------------------------- */

/* Whether two cells differ at most along the axis of the fit and in the seed. */
static bool is_alike(const tables *t, const pls_cell *a, const pls_cell *b) {
    for (int i = 0; i < PLS_AXIS_SEED; i++) {
        if (i != (int)t->against && a->at[i] != b->at[i]) {
            return false;
        }
    }
    return true;
}

/* Whether no earlier cell belongs to the same fit. */
static bool is_first(const tables *t, int64_t index, const pls_cell *cell) {
    for (int64_t c = 0; c < index; c++) {
        pls_cell other = pls_study_cell(t->study, c);
        if (is_alike(t, cell, &other)) {
            return false;
        }
    }
    return true;
}

static void write_number(const tables *t, double value) {
    if (isnan(value)) {
        fprintf(t->stream, ",");
    } else {
        fprintf(t->stream, ",%.17g", value);
    }
}

/* "<= -0.5,holds": what the theory expects, and whether the slope meets it; both may be empty. */
static void write_verdict(const tables *t, const pls_cell *cell, pls_quantity quantity, bool divide,
                          const pls_fit *fit) {
    pls_expectation expected = pls_study_expectation(t->study, cell, quantity, divide, t->against);
    if (expected.trend == PLS_TREND_NONE) {
        fprintf(t->stream, ",,");
        return;
    }
    fprintf(t->stream, expected.trend == PLS_TREND_FLAT ? ",|slope| <= %g" : ",<= %g",
            expected.bound);
    static const char *const verdicts[] = {"holds", "violated", "undecided"};
    fprintf(t->stream, ",%s", verdicts[pls_fit_judge(fit, &expected)]);
}

static pls_status write_fit(tables *t, const pls_cell *cell, pls_quantity quantity, bool divide) {
    pls_fit fit;
    int64_t count = 0;
    pls_status status = PLS_OK;
    for (int64_t c = 0; c < t->cells; c++) {
        pls_cell other = pls_study_cell(t->study, c);
        double x = (double)other.at[t->against];
        if (t->there[c] && is_alike(t, cell, &other) && x > (divide ? 1.0 : 0.0)) {
            t->x[count] = x;
            t->y[count++] = t->values[c * PLS_QUANTITY_COUNT + quantity].value;
        }
    }
    PLS_TRY(t->context,
            pls_fit_power(t->context, t->x, t->y, count, divide, t->resamples, 0, &fit));
    fprintf(t->stream, "%s%s", pls_quantity_name(quantity), divide ? "_log" : "");
    write_number(t, fit.slope);
    write_number(t, fit.low);
    write_number(t, fit.high);
    fprintf(t->stream, ",%s,", pls_axis_name(t->against));
    write_cell(t, cell, PLS_AXIS_SEED - 1);
    write_number(t, fit.intercept);
    write_number(t, fit.misfit);
    fprintf(t->stream, ",%lld,%lld,%lld", (long long)fit.groups, (long long)fit.points,
            (long long)fit.left_out);
    write_verdict(t, cell, quantity, divide, &fit);
    fprintf(t->stream, "\n");
cleanup:
    return status;
}

static bool has_log_factor(pls_quantity quantity) {
    return quantity == PLS_QUANTITY_HESSIAN_NORM || quantity == PLS_QUANTITY_HESSIAN_SPHERE ||
           quantity == PLS_QUANTITY_NONLINEARITY;
}

/* All fits along t->against. */
static pls_status write_fits_along(tables *t) {
    pls_status status = PLS_OK;
    for (int64_t c = 0; c < t->cells; c++) {
        pls_cell cell = pls_study_cell(t->study, c);
        bool first = is_first(t, c, &cell);
        for (int q = 0; first && q < PLS_QUANTITY_COUNT; q++) {
            pls_quantity quantity = (pls_quantity)q;
            if (!t->study->quantities[q] || quantity == PLS_QUANTITY_FILLING) {
                continue;
            }
            PLS_TRY(t->context, write_fit(t, &cell, quantity, false));
            if (t->against == PLS_AXIS_WIDTH && has_log_factor(quantity)) {
                PLS_TRY(t->context, write_fit(t, &cell, quantity, true));
            }
        }
    }
cleanup:
    return status;
}

static pls_status write_fits(tables *t) {
    static const pls_axis_kind along[] = {PLS_AXIS_WIDTH, PLS_AXIS_BOTTLENECK, PLS_AXIS_DEPTH};
    pls_status status = PLS_OK;
    fprintf(t->stream, "quantity,slope,low,high,against");
    for (int a = 0; a < PLS_AXIS_SEED; a++) {
        fprintf(t->stream, ",%s", pls_axis_name((pls_axis_kind)a));
    }
    fprintf(t->stream, ",intercept,misfit,groups,points,left_out,expected,verdict\n");
    for (size_t i = 0; i < sizeof along / sizeof along[0]; i++) {
        t->against = along[i];
        if (t->resamples > 0 && t->study->axes[along[i]].count > 1) {
            PLS_TRY(t->context, write_fits_along(t));
        }
    }
cleanup:
    return status;
}

/* ---- files
 * ---------------------------------------------------------------------------------------- */

static pls_status write_table(tables *t, const char *folder, const char *name, bool fits) {
    pls_output *output = NULL;
    char *path = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(t->context, pls_join_path(t->context, folder, name, &path));
    PLS_TRY(t->context, pls_output_open(t->context, path, &output));
    t->stream = pls_output_stream(output);
    if (fits) {
        PLS_TRY(t->context, write_fits(t));
    } else {
        write_values(t);
    }
    status = pls_output_commit(output);
    output = NULL;
cleanup:
    pls_output_discard(output);
    pls_release(t->context, path);
    return status;
}

pls_status pls_study_write_tables(pls_context *context, const char *folder, const pls_study *study,
                                  const pls_measured *values, const bool *there,
                                  int64_t resamples) {
    tables t = {.context = context,
                .study = study,
                .values = values,
                .there = there,
                .cells = pls_study_cells(study),
                .resamples = resamples,
                .against = PLS_AXIS_COUNT};
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, t.cells, sizeof *t.x, "fits", &t.x));
    PLS_TRY(context, pls_allocate(context, t.cells, sizeof *t.y, "fits", &t.y));
    PLS_TRY(context, write_table(&t, folder, "study.csv", false));
    PLS_TRY(context, write_table(&t, folder, "fits.csv", true));
cleanup:
    pls_release(context, t.x);
    pls_release(context, t.y);
    return status;
}
