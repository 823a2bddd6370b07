/* All settings of a run: one table, bound to one plain struct.
 *
 * The configuration file, --set, the other options, the config.yaml that a run leaves and the
 * help texts are all made from the table in settings_table.c. */
#ifndef PLSTAR_CLI_SETTINGS_H
#define PLSTAR_CLI_SETTINGS_H

#include "cli/yaml.h"
#include "plstar/plstar.h"

#include <stdio.h>

/* Where a setting's value comes from; a later one wins. */
typedef enum origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_OPTION } origin;

enum { SETTINGS_LIMIT = 128 };

typedef struct integer_list {
    int64_t *values;
    int64_t count;
} integer_list;

/* A width of 0 stands for the outputs of the data. */
typedef struct layer_list {
    pls_layer_spec *values;
    int64_t count;
} layer_list;

typedef enum step_rule { STEP_NUMBER, STEP_CRITICAL, STEP_THEOREM } step_rule;

typedef struct step_size {
    step_rule rule;
    double number; /* eta, or the factor C of 2 / lambda_max */
} step_size;

typedef enum hessian_choice {
    HESSIAN_NONE,
    HESSIAN_LOSS,
    HESSIAN_OUTPUTS,
    HESSIAN_LOSS_OUTPUTS,
    HESSIAN_OUTPUTS_LOSS
} hessian_choice;

/* audit.of */
enum { AUDIT_AUTOMATIC, AUDIT_NETWORK, AUDIT_SYSTEM };

typedef struct settings {
    command command;
    uint64_t seed;
    char *device;
    int precision; /* pls_dtype */
    int64_t threads;
    struct {
        integer_list input;   /* empty: the data's dimension */
        int parameterization; /* pls_parameterization */
        double sigma_w, sigma_b;
        bool bias;
        layer_list layers;
        int64_t width; /* of all hidden layers; 0 = as in `layers` */
        char *tensors; /* "" = weights from the seed */
        bool tensor_order;
    } model;
    struct {
        char *source;
        int64_t samples;
        integer_list classes;
        int targets;   /* pls_target_coding */
        int normalize; /* pls_normalization */
        bool shuffle;
        uint64_t seed;
        int64_t dimension, outputs;
        int labels; /* pls_synthetic_labels */
        int64_t target_columns;
    } data;
    struct {
        int type; /* pls_planted_type */
        int64_t equations, parameters, rows, columns, rank, observed;
        double nonlinearity;
        int map; /* pls_activation; identity = none */
        double noise;
        char *a, *y; /* "" = drawn from the seed */
    } system;
    struct {
        int optimizer; /* pls_optimizer */
        int64_t batch;
        int loss; /* pls_loss */
        step_size step_size;
        int64_t steps;
        double damping;
        double stop_at;
        int64_t record_every;
        bool linearized;
        double checkpoint_seconds;
    } train;
    struct {
        int64_t every;
        double budget;
        int method; /* pls_kernel_method */
        int gram;   /* pls_gram_arithmetic */
        bool trace;
        int64_t memory, tile;
        int full;   /* spectrum: extremes, full */
        int refine; /* pls_refine */
        int64_t floor_samples;
        int64_t products, probes; /* matrix-free */
    } monitor;
    struct {
        int of;          /* hessian_choice */
        int64_t samples; /* 0 = all */
        int kinks;       /* refuse, zero */
        double tolerance;
        int64_t probes, steps;
        int64_t memory;
    } hessian;
    struct {
        int of;       /* automatic, network, system */
        char *claims; /* "" = all */
        int64_t equations, steps, runs, batch;
        double delta, radius;
        int64_t directions;
        integer_list widths;
        int64_t seeds;
    } audit;
    struct {
        char *name;                               /* of a ready study, "" if none */
        int size;                                 /* quick, full */
        integer_list widths, depths, bottlenecks; /* empty: as in model.layers */
        integer_list activations, outputs; /* 0 = as in model.layers, else pls_activation + 1 */
        integer_list step_sizes;           /* thousandths of 2 / lambda_max */
        int64_t seeds;
        integer_list quantities; /* pls_quantity */
        double radius;
        int64_t directions, hessian_samples;
        int64_t steps, every;
        double until;
        int64_t resamples, side_by_side, memory;
    } study;
    struct {
        bool report, kernel, infinite, gradient, jacobian;
        double infinite_tolerance;
    } output;
    unsigned char origins[SETTINGS_LIMIT]; /* origin, in the table's order */
} settings;

/* The defaults of a command. *all must be fresh; free by settings_release(). */
pls_status settings_defaults(cli *program, command which, settings *all);
void settings_release(settings *all);

/* Takes a configuration file. Relative paths in it start from its folder. Errors:
 * PLS_ERROR_CONFIG with file:line:column and what was expected, PLS_ERROR_FILE. */
pls_status settings_read(cli *program, settings *all, const char *path);

/* Sets one setting (or a whole section) from an option; `spelled` is the option as the person
 * knows it, "--steps". Errors: PLS_ERROR_CONFIG. */
pls_status settings_assign(cli *program, settings *all, const char *spelled, const char *key,
                           const char *text);

/* Settles audit.of by what was given; before defaults give way to those of an audit. */
pls_status settings_settle_subject(cli *program, settings *all);

/* Settles what settings say about one another; call once after the last assignment. */
pls_status settings_settle(cli *program, settings *all);

/* Whether they describe a system of equations instead of a network with data. */
bool settings_are_of_system(const settings *all);

/* Where the value of a setting comes from. */
origin settings_origin(const settings *all, const char *key);

/* A setting that differs between two sets and may not change when a run is resumed, or NULL. */
const char *settings_fixed_difference(const settings *before, const settings *after);

/* Writes all settings as YAML that settings_read() takes. */
void settings_write(const settings *all, const char *version, FILE *stream);

/* All keys with defaults and meaning, for --help settings; and the keys alone. */
void settings_help(command which, FILE *stream);
const char *settings_key(int index); /* NULL past the last */

#endif
