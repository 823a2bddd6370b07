/* Studies: how the quantities of the theory change from network to network.
 *
 * A study is a grid of cells. A cell is one network, made from a base model by a width, a depth,
 * an activation, an output activation and a bottleneck, with the weights of one seed and one step
 * size; all cells see the same data. A job measures a cell: the quantities that were asked for. A
 * power of the width (or of another axis) is then fitted to each quantity.
 *
 * Everything is measured in float64 and by one thread a job, so that a value depends on the study
 * and the cell alone, not on what ran beside it. */
#ifndef PLSTAR_STUDY_H
#define PLSTAR_STUDY_H

#include "plstar/dataset.h"
#include "plstar/device.h"
#include "plstar/model.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* ---- what is measured ---------------------------------------------------------------------- */

/* S: w_0 + R u for the study's number of directions u of norm 1: the steepest one, the two most
 * curved of the first sample (+ and -), then random ones. Path: gradient descent from w_0. Hessians
 * are those of the outputs of the first `hessian_samples` samples. */
typedef enum pls_quantity {
    PLS_QUANTITY_GRADIENT_NORM,  /* max over i, a of ||grad F_(i,a)(w_0)||, the root of K_ii */
    PLS_QUANTITY_HESSIAN_NORM,   /* max over i, a of ||H_(i,a)(w_0)|| */
    PLS_QUANTITY_HESSIAN_SPHERE, /* the same, and max over w_0 and S */
    PLS_QUANTITY_NONLINEARITY,   /* max over S, i, a of |F_(i,a) - its linearisation at w_0| */
    PLS_QUANTITY_TAYLOR_RATIO,   /* max over S, i, a of the same over 1/2 R^2 sup ||H_(i,a)||, the
                                    sup sampled on the segment from w_0; at most 1, but
                                    for what the sampling has missed */
    PLS_QUANTITY_LAMBDA_MIN,     /* lambda_min(K(w_0)) */
    PLS_QUANTITY_LAMBDA_MAX,     /* lambda_max(K(w_0)) */
    PLS_QUANTITY_KERNEL_CHANGE,  /* max over the path of ||K_t - K_0||_F / ||K_0||_F */
    PLS_QUANTITY_MU_LOSS,        /* 1 - inf over path and S of lambda_min(K) / lambda_min(K_0) */
    PLS_QUANTITY_MU_CHANGE,      /* max over path and S of |lambda_min(K) / lambda_min(K_0) - 1| */
    PLS_QUANTITY_DISTANCE,       /* ||w_T - w_0|| at the end of the path */
    PLS_QUANTITY_STEPS,          /* the first t with L_t <= `until` L_0 */
    PLS_QUANTITY_FINAL_LOSS,     /* L_T / L_0 */
    PLS_QUANTITY_LOSS_PEAK,    /* max over the path of L_t / L_0; where it diverges, up to there */
    PLS_QUANTITY_RATE,         /* least-squares slope of -log L_t over t, down to `until` */
    PLS_QUANTITY_PL_RATIO_END, /* rho(w_T) */
    PLS_QUANTITY_FLATNESS,     /* lambda_max(K_T) / lambda_max(K_0) */
    PLS_QUANTITY_INFINITE_DISTANCE, /* ||K_0 - Theta||_F / ||Theta||_F */
    PLS_QUANTITY_FILLING,           /* P / N */
    PLS_QUANTITY_COUNT
} pls_quantity;

/* "hessian_norm", and what it is in a line for people, "max ||H|| at w_0". */
const char *pls_quantity_name(pls_quantity quantity);
const char *pls_quantity_meaning(pls_quantity quantity);

typedef struct pls_measured {
    double value;       /* NaN where there is none, then: */
    const char *reason; /* why, a static phrase; NULL where there is a value */
    double error;       /* of eigenvalues: the floor; else 0 */
} pls_measured;

/* ---- a grid of networks --------------------------------------------------------------------- */

typedef enum pls_axis_kind {
    PLS_AXIS_WIDTH,      /* of all hidden layers (channels of convolutions) but the bottleneck;
                            0 = as the model has it */
    PLS_AXIS_DEPTH,      /* number of hidden layers, all like the first; 0 = as the model has it */
    PLS_AXIS_ACTIVATION, /* of all hidden layers, a pls_activation; -1 = as the model has it */
    PLS_AXIS_OUTPUT,     /* of the last layer, a pls_activation; -1 = as the model has it */
    PLS_AXIS_BOTTLENECK, /* width of the middle one of at least three hidden layers; 0 = none */
    PLS_AXIS_STEP,       /* step size in 1/1000 of 2/lambda_max(K_0) */
    PLS_AXIS_SEED,       /* of the weights */
    PLS_AXIS_COUNT
} pls_axis_kind;

/* "width", ... */
const char *pls_axis_name(pls_axis_kind axis);

typedef struct pls_cell {
    int64_t at[PLS_AXIS_COUNT]; /* the cell's place on every axis */
} pls_cell;

typedef struct pls_axis_values {
    const int64_t *values; /* of the caller; all different */
    int64_t count;         /* at least 1 */
} pls_axis_values;

typedef struct pls_study {
    const pls_model *model; /* base model; dense layers for depth and bottleneck */
    const pls_dataset *data;
    pls_axis_values axes[PLS_AXIS_COUNT];
    bool quantities[PLS_QUANTITY_COUNT]; /* which are measured */
    int64_t hessian_samples;             /* 0 = all */
    double radius;                       /* R */
    int64_t directions;                  /* of S */
    int64_t steps;                       /* T of the path */
    int64_t measure_every;               /* steps between kernels on the path */
    double until;                        /* share of L_0; the path ends there too; 0 = T alone */
} pls_study;

/* Axes of one value each: as the model has it, step 500 (half critical), seed 0; 4 samples, R = 1,
 * 4 directions, 100 steps, a kernel every 10, until 1e-3. No quantities. The axes point to static
 * values; model and data are to be given. */
pls_study pls_study_defaults(void);

/* Checks all of it, and that every cell has a network. Errors: PLS_ERROR_CONFIG, PLS_ERROR_ARGUMENT
 * (which axis or option, what was expected), PLS_ERROR_UNSUPPORTED (Hessians of relu). */
pls_status pls_study_check(pls_context *context, const pls_study *study);

/* Number of cells, and cell `index`: seeds vary fastest, then steps, bottlenecks, ..., widths. */
int64_t pls_study_cells(const pls_study *study);
pls_cell pls_study_cell(const pls_study *study, int64_t index);

/* The network of a cell. layers: room for pls_study_layers() of them, which *model refers to. */
int64_t pls_study_layers(const pls_study *study);
pls_status pls_study_model(pls_context *context, const pls_study *study, const pls_cell *cell,
                           pls_layer_spec *layers, pls_model *model);

/* Bytes that measuring a cell takes, at most. */
pls_status pls_study_bytes(pls_context *context, const pls_study *study, const pls_cell *cell,
                           int64_t *bytes);

/* values[q] for every quantity that was asked for, of one cell; PLS_QUANTITY_COUNT of them. A value
 * does not depend on what else is asked for. That the path diverges is no error but the reason why
 * its quantities have no value. Errors: those of networks, kernels and Hessians. */
pls_status pls_study_measure(pls_device *device, const pls_study *study, const pls_cell *cell,
                             pls_measured *values);

/* ---- fits ------------------------------------------------------------------------------------ */

/* A power x^slope fitted to values y > 0 in groups, the seeds at one x, by weighted least squares
 * of log y on log x. The weight of a group is 1 over the variance of its mean; variances of few
 * seeds are shrunk towards the pooled one. The interval is that of a bootstrap of seeds within
 * groups (percentiles; deviations widened by sqrt(n/(n-1)), which a resample of n narrows; a group
 * of one borrows those of the others). It is widened as Student's interval is for few seeds, and by
 * `misfit` where groups lie farther from the line than their seeds explain. */
typedef struct pls_fit {
    double slope, low, high; /* 95 % interval; slope NaN with fewer than two groups, the interval
                                NaN where no group has two values */
    double intercept;        /* log y at x = 1 */
    double misfit;           /* root of the mean weighted square of the residuals, at least 1 */
    int64_t groups, points;  /* that were used */
    int64_t left_out;        /* values that are NaN, infinite or not positive */
} pls_fit;

/* x, y: count of each; equal x are a group. divide_log: fits y / sqrt(log x) instead, for norms of
 * Hessians, since the largest of x Gaussian output weights is of order sqrt(log x). Errors:
 * PLS_ERROR_ARGUMENT (an x that is not positive, or with divide_log not above 1; fewer than 100
 * resamples), PLS_ERROR_MEMORY. */
pls_status pls_fit_power(pls_context *context, const double *x, const double *y, int64_t count,
                         bool divide_log, int64_t resamples, uint64_t seed, pls_fit *fit);

/* ---- a study in a folder --------------------------------------------------------------------- */

typedef struct pls_study_progress {
    int64_t cells, found, measured; /* all; with a result before; measured by this call */
    double elapsed, remaining;      /* seconds; remaining is NaN before the first one is measured */
} pls_study_progress;

/* Called after every cell, by the thread that called pls_study_run(). */
typedef void (*pls_study_observer)(void *user, const pls_study_progress *progress);

typedef struct pls_study_run_options {
    const char *folder;   /* exists */
    const char *device;   /* as for pls_device_open(); a GPU measures one cell at a time */
    int64_t side_by_side; /* cells measured at a time; 0 = as many as there are processors */
    int64_t memory;    /* bytes that they may take together; 0 = half of what is free. A cell that
                          takes more is measured alone */
    int64_t resamples; /* of the intervals of fits; 0 = nothing is fitted */
    pls_study_observer observer; /* may be NULL */
    void *observer_user;
} pls_study_run_options;

/* cpu, as many as processors, half of the memory, 1,000 resamples. */
pls_study_run_options pls_study_run_options_defaults(void);

/* Whether the results in a folder, if there are any, belong to this study, so that it can go on
 * there. Errors: PLS_ERROR_CONFIG (they were measured by another one: which setting differs),
 * PLS_ERROR_FILE, PLS_ERROR_MEMORY. */
pls_status pls_study_fits_folder(pls_context *context, const pls_study *study, const char *folder);

/* Measures every cell that has no result yet, and writes
 *     jobs/study.json  what all results depend on beside the cell
 *     jobs/CELL.json   a result, whole and durable once it is there
 *     study.csv        width,...,seed,quantity,value,error,reason: a row a cell and quantity
 *     fits.csv         quantity,slope,low,high,against,...: powers of width, bottleneck and depth,
 *                      where they vary (with _log: of a quantity divided by sqrt(log width))
 *
 * The tables depend on the results alone, not on how often the study was interrupted, and hold
 * those that are there also after an error. *progress may be NULL. Where side_by_side is not 1, the
 * hooks of the context are called by several threads, one at a time.
 *
 * Errors: those of pls_study_check(), pls_study_measure() and pls_study_fits_folder();
 * PLS_ERROR_FILE; PLS_CANCELLED. */
pls_status pls_study_run(pls_context *context, const pls_study *study,
                         const pls_study_run_options *options, pls_study_progress *progress);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
