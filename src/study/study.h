/* The inside of studies: one cell in the making. */
#ifndef PLSTAR_STUDY_STUDY_H
#define PLSTAR_STUDY_STUDY_H

#include "backend/backend.h"
#include "base/error.h"
#include "plstar/plstar.h"

#include <jansson.h>

/* lambda_min(K) as it is met on path and sphere. */
typedef struct pls_minima {
    double first;       /* at w_0; NaN before */
    double least, most; /* of all */
    bool hidden;        /* one of them lay below its floor, or was not reached */
    bool cut;           /* the path diverged, and nobody knows what would have come */
} pls_minima;

/* A cell that is being measured. */
typedef struct pls_cell_run {
    pls_device *device;
    pls_context *context;
    const pls_study *study;
    pls_cell cell;
    pls_layer_spec *layers;
    pls_model model;
    pls_system *system; /* float64; stands at w_0 between the parts of the measurement */
    pls_kernel *kernel; /* NULL where none is wanted, and on the path */
    double *origin;     /* P: w_0 */
    double *outputs;    /* N: F(w_0) */
    pls_minima minima;
    pls_measured *measured; /* PLS_QUANTITY_COUNT */
} pls_cell_run;

/* Why a quantity has no value; phrases that can be found again in files. */
typedef enum pls_reason {
    PLS_REASON_NOT_FINITE,
    PLS_REASON_BELOW_FLOOR,
    PLS_REASON_NO_LIMIT,
    PLS_REASON_DIVERGED,
    PLS_REASON_NOT_REACHED,
    PLS_REASON_COUNT
} pls_reason;

extern const char *const pls_reasons[PLS_REASON_COUNT];

/* The value of a quantity, or why there is none; nothing where it was not asked for. */
void pls_cell_value(pls_cell_run *run, pls_quantity quantity, double value, double error);
void pls_cell_no_value(pls_cell_run *run, pls_quantity quantity, pls_reason reason);

static inline bool pls_cell_asks(const pls_cell_run *run, pls_quantity quantity) {
    return run->study->quantities[quantity];
}

/* Whether any quantity needs K_0, Hessians, those beside w_0, points of the sphere, kernels there
 * and on the path, or the path. */
bool pls_study_asks_kernel(const pls_study *study);
bool pls_study_asks_hessians(const pls_study *study);
bool pls_study_asks_hessians_apart(const pls_study *study);
bool pls_study_asks_sphere(const pls_study *study);
bool pls_study_asks_minima(const pls_study *study);
bool pls_study_asks_path(const pls_study *study);

/* Samples whose Hessians are measured. */
int64_t pls_study_hessian_samples(const pls_study *study);

pls_second_options pls_cell_hessian_options(const pls_cell_run *run);

/* Takes a measured lambda_min in. */
void pls_minima_add(pls_minima *minima, double lambda_min, double floor_value);

/* The parts of a measurement, in this order; the system is back at w_0 afterwards. */
pls_status pls_cell_measure_kernel(pls_cell_run *run);
pls_status pls_cell_measure_sphere(pls_cell_run *run);
pls_status pls_cell_measure_path(pls_cell_run *run);

/* ---- what the theory expects of slopes --------------------------------------------------------
 */

typedef enum pls_trend {
    PLS_TREND_NONE,    /* the theory says nothing */
    PLS_TREND_AT_MOST, /* slope <= bound */
    PLS_TREND_FLAT     /* |slope| <= bound */
} pls_trend;

typedef struct pls_expectation {
    pls_trend trend;
    double bound;
} pls_expectation;

/* Of the networks that differ from a cell along one axis. */
pls_expectation pls_study_expectation(const pls_study *study, const pls_cell *cell,
                                      pls_quantity quantity, bool divide_log,
                                      pls_axis_kind against);

typedef enum pls_slope_verdict {
    PLS_SLOPE_HOLDS,
    PLS_SLOPE_VIOLATED,
    PLS_SLOPE_UNDECIDED /* the interval is missing, or too wide to refute anything */
} pls_slope_verdict;

pls_slope_verdict pls_fit_judge(const pls_fit *fit, const pls_expectation *expectation);

/* ---- results in files ------------------------------------------------------------------------ */

/* What a cell's word on an axis is: "64", "tanh", "model". `text` holds at least 32 bytes. */
const char *pls_axis_word(pls_axis_kind axis, int64_t value, char *text);

/* All that the values of a cell depend on beside the cell itself, as a JSON object. */
pls_status pls_study_fingerprint(pls_context *context, const pls_study *study, json_t **made);

/* Reads or writes the result of a cell, folder/jobs/CELL.json. *there is false where there is no
 * result with all quantities that the study asks for; a file that is damaged is no result. Errors:
 * PLS_ERROR_CONFIG (the fingerprint differs), PLS_ERROR_FILE, PLS_ERROR_MEMORY. */
pls_status pls_result_read(pls_context *context, const char *folder, const pls_study *study,
                           const json_t *fingerprint, const pls_cell *cell, pls_measured *values,
                           bool *there);
pls_status pls_result_write(pls_context *context, const char *folder, const pls_study *study,
                            const json_t *fingerprint, const pls_cell *cell,
                            const pls_measured *values, double seconds);

/* Checks or writes jobs/study.json. */
pls_status pls_study_claim_folder(pls_context *context, const char *folder,
                                  const json_t *fingerprint);

/* values: PLS_QUANTITY_COUNT a cell; there: whether a cell has them. */
pls_status pls_study_write_tables(pls_context *context, const char *folder, const pls_study *study,
                                  const pls_measured *values, const bool *there, int64_t resamples);

#endif
