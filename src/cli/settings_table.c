/* The table of settings. */
#include "cli/settings_table.h"

#include <stddef.h>
#include <string.h>

static const char *const precisions[] = {[PLS_F32] = "f32", [PLS_F64] = "f64", NULL};
static const char *const parameterizations[] = {
    [PLS_PARAMETERIZATION_NTK] = "ntk", [PLS_PARAMETERIZATION_STANDARD] = "standard", NULL};
static const char *const codings[] = {[PLS_TARGETS_AUTO] = "auto",
                                      [PLS_TARGETS_ONE_HOT] = "one_hot",
                                      [PLS_TARGETS_SIGNED] = "signed",
                                      [PLS_TARGETS_REGRESSION] = "regression",
                                      NULL};
static const char *const normalizations[] = {[PLS_NORMALIZE_NONE] = "none",
                                             [PLS_NORMALIZE_UNIT_PIXELS] = "unit_pixels",
                                             [PLS_NORMALIZE_SPHERE] = "sphere",
                                             NULL};
static const char *const label_kinds[] = {
    [PLS_LABELS_TEACHER] = "teacher", [PLS_LABELS_RANDOM] = "random", NULL};
static const char *const types[] = {[PLS_PLANTED_LINEAR] = "linear",
                                    [PLS_PLANTED_QUADRATIC] = "quadratic",
                                    [PLS_PLANTED_FACTORIZATION] = "factorization",
                                    [PLS_PLANTED_CIRCLE] = "circle",
                                    [PLS_PLANTED_PHASE_RETRIEVAL] = "phase_retrieval",
                                    NULL};
static const char *const maps[] = {[PLS_IDENTITY] = "none",     [PLS_TANH] = "tanh",
                                   [PLS_SIGMOID] = "sigmoid",   [PLS_ERF] = "erf",
                                   [PLS_SOFTPLUS] = "softplus", [PLS_SWISH] = "swish",
                                   [PLS_GELU] = "gelu",         [PLS_SIN] = "sin",
                                   [PLS_RELU] = "relu",         NULL};
static const char *const optimizers[] = {
    [PLS_OPTIMIZER_GD] = "gd", [PLS_OPTIMIZER_SGD] = "sgd", [PLS_OPTIMIZER_LM] = "lm", NULL};
static const char *const losses[] = {
    [PLS_LOSS_SQUARE] = "square", [PLS_LOSS_CROSS_ENTROPY] = "cross_entropy", NULL};
static const char *const methods[] = {[PLS_KERNEL_AUTOMATIC] = "automatic",
                                      [PLS_KERNEL_STRUCTURED] = "structured",
                                      [PLS_KERNEL_EXPLICIT] = "explicit",
                                      [PLS_KERNEL_MATRIX_FREE] = "matrix_free",
                                      NULL};
static const char *const arithmetics[] = {[PLS_GRAM_F64] = "f64", [PLS_GRAM_SPLIT] = "split", NULL};
static const char *const spectra[] = {"extremes", "full", NULL};
static const char *const hessians[] = {[HESSIAN_NONE] = "none",
                                       [HESSIAN_LOSS] = "loss",
                                       [HESSIAN_OUTPUTS] = "outputs",
                                       [HESSIAN_LOSS_OUTPUTS] = "loss,outputs",
                                       [HESSIAN_OUTPUTS_LOSS] = "outputs,loss",
                                       NULL};
static const char *const kinks[] = {"refuse", "zero", NULL};
static const char *const refinements[] = {[PLS_REFINE_NEVER] = "never",
                                          [PLS_REFINE_BELOW_FLOOR] = "below_floor",
                                          [PLS_REFINE_ALWAYS] = "always",
                                          NULL};

static const char *const subjects[] = {"automatic", "network", "system", NULL};
static const char *const sizes[] = {"quick", "full", NULL};
static const char *const cell_activations[] = {"model",
                                               [1 + PLS_IDENTITY] = "identity",
                                               [1 + PLS_TANH] = "tanh",
                                               [1 + PLS_SIGMOID] = "sigmoid",
                                               [1 + PLS_ERF] = "erf",
                                               [1 + PLS_SOFTPLUS] = "softplus",
                                               [1 + PLS_SWISH] = "swish",
                                               [1 + PLS_GELU] = "gelu",
                                               [1 + PLS_SIN] = "sin",
                                               [1 + PLS_RELU] = "relu",
                                               NULL};
static const char *const quantities[] = {[PLS_QUANTITY_GRADIENT_NORM] = "gradient_norm",
                                         [PLS_QUANTITY_HESSIAN_NORM] = "hessian_norm",
                                         [PLS_QUANTITY_HESSIAN_SPHERE] = "hessian_sphere",
                                         [PLS_QUANTITY_NONLINEARITY] = "nonlinearity",
                                         [PLS_QUANTITY_TAYLOR_RATIO] = "taylor_ratio",
                                         [PLS_QUANTITY_LAMBDA_MIN] = "lambda_min",
                                         [PLS_QUANTITY_LAMBDA_MAX] = "lambda_max",
                                         [PLS_QUANTITY_KERNEL_CHANGE] = "kernel_change",
                                         [PLS_QUANTITY_MU_LOSS] = "mu_loss",
                                         [PLS_QUANTITY_MU_CHANGE] = "mu_change",
                                         [PLS_QUANTITY_DISTANCE] = "distance",
                                         [PLS_QUANTITY_STEPS] = "steps",
                                         [PLS_QUANTITY_FINAL_LOSS] = "final_loss",
                                         [PLS_QUANTITY_LOSS_PEAK] = "loss_peak",
                                         [PLS_QUANTITY_RATE] = "rate",
                                         [PLS_QUANTITY_PL_RATIO_END] = "pl_ratio_end",
                                         [PLS_QUANTITY_FLATNESS] = "flatness",
                                         [PLS_QUANTITY_INFINITE_DISTANCE] = "infinite_distance",
                                         [PLS_QUANTITY_FILLING] = "filling",
                                         NULL};

/* Integers are held in doubles where their range is checked. */
#define MOST 9007199254740992.0
#define ANY 1.7976931348623157e308
#define FIELD(name) offsetof(settings, name)

/* clang-format off */
static const setting table[] = {
    {.key = "seed", .type = SETTING_SEED, .offset = FIELD(seed), .text = "0",
     .help = "of weights, batches, Lanczos start vectors, and of the data unless data.seed is given"},
    {.key = "device", .type = SETTING_TEXT, .flags = SETTING_RESUMABLE, .offset = FIELD(device),
     .text = "auto", .help = "auto, cpu, cuda or cuda:N"},
    {.key = "precision", .type = SETTING_CHOICE, .offset = FIELD(precision), .text = "f32",
     .solve_text = "f64", .names = precisions, .help = "of weights and derivatives; kernels and spectra are always f64"},
    {.key = "threads", .type = SETTING_INTEGER, .flags = SETTING_RESUMABLE,
     .offset = FIELD(threads), .text = "auto", .most = 65536, .zero = "auto",
     .help = "of the CPU; results do not depend on it"},

    {.key = "model.input", .type = SETTING_INTEGERS, .offset = FIELD(model.input), .text = "[]",
     .least = 1, .most = MOST,
     .help = "shape of an input, [d] or [channels, height, width]; [] = that of the data"},
    {.key = "model.parameterization", .type = SETTING_CHOICE,
     .offset = FIELD(model.parameterization), .text = "ntk", .names = parameterizations,
     .help = "ntk: W ~ N(0,1), scaled by sigma_w/sqrt(fan_in); standard: W ~ N(0, sigma_w^2/fan_in)"},
    {.key = "model.sigma_w", .type = SETTING_NUMBER, .flags = SETTING_POSITIVE,
     .offset = FIELD(model.sigma_w), .text = "1", .most = ANY, .help = "scale of the weights"},
    {.key = "model.sigma_b", .type = SETTING_NUMBER, .offset = FIELD(model.sigma_b), .text = "0",
     .most = ANY, .help = "scale of the biases, where bias is on"},
    {.key = "model.bias", .type = SETTING_BOOLEAN, .offset = FIELD(model.bias), .text = "false",
     .help = "whether layers have biases"},
    {.key = "model.layers", .type = SETTING_LAYERS, .offset = FIELD(model.layers),
     .text = "[{width: 4096, activation: tanh}, {width: outputs}]",
     .kernel_text = "[{width: 1024, activation: tanh}, {width: 1024, activation: tanh}, "
                    "{width: outputs}]",
     .help = "list of {type: dense, width: N, activation: NAME}, {type: conv, channels: N, "
             "kernel: ODD, activation: NAME}, residual_dense, residual_conv (the same, added to "
             "their input), {type: average_pool, size: N}, {type: global_average_pool}, {type: "
             "flatten}; `width: outputs` is the data's number of outputs; activations: identity, "
             "tanh, sigmoid, erf, softplus, swish, gelu, sin, relu"},
    {.key = "model.width", .type = SETTING_INTEGER, .flags = SETTING_UNWRITTEN,
     .offset = FIELD(model.width), .text = "as in model.layers", .least = 1, .most = MOST,
     .zero = "as in model.layers", .help = "sets the width (or channels) of all hidden layers at once"},
    {.key = "model.tensors", .type = SETTING_PATH, .offset = FIELD(model.tensors), .text = "",
     .help = "safetensors file with weights layers.<i>.weight, layers.<i>.bias to start from; its "
             "tensors inputs and targets, if there, replace the data"},
    {.key = "model.tensor_order", .type = SETTING_BOOLEAN, .offset = FIELD(model.tensor_order),
     .text = "false", .help = "take that file's tensors in order of appearance whatever their names"},

    {.key = "data.source", .type = SETTING_SOURCE, .offset = FIELD(data.source), .text = "digits",
     .help = "digits (built in), sphere, gaussian (synthetic), idx:PREFIX, cifar10:DIR, "
             "npy:X.npy,Y.npy, safetensors:FILE or csv:FILE"},
    {.key = "data.samples", .type = SETTING_INTEGER, .offset = FIELD(data.samples), .text = "64",
     .least = 1, .most = MOST, .zero = "all",
     .help = "how many samples to take; by default 64 of the digits, all of any other source"},
    {.key = "data.classes", .type = SETTING_INTEGERS, .offset = FIELD(data.classes), .text = "[]",
     .least = -MOST, .most = MOST,
     .help = "labels to keep, in the order of their outputs; [] = all that occur"},
    {.key = "data.targets", .type = SETTING_CHOICE, .offset = FIELD(data.targets), .text = "auto",
     .names = codings,
     .help = "how labels become targets; auto: one_hot where there are labels, else regression"},
    {.key = "data.normalize", .type = SETTING_CHOICE, .offset = FIELD(data.normalize),
     .text = "sphere", .names = normalizations,
     .help = "sphere: each input to norm sqrt(d); unit_pixels: divided by the largest pixel value"},
    {.key = "data.shuffle", .type = SETTING_BOOLEAN, .offset = FIELD(data.shuffle),
     .text = "false", .help = "take samples at random instead of the first ones"},
    {.key = "data.seed", .type = SETTING_SEED, .offset = FIELD(data.seed), .text = "0",
     .help = "of shuffle and of synthetic data; by default as `seed`"},
    {.key = "data.dimension", .type = SETTING_INTEGER, .offset = FIELD(data.dimension),
     .text = "10", .least = 1, .most = MOST, .help = "synthetic data: dimension of an input"},
    {.key = "data.outputs", .type = SETTING_INTEGER, .offset = FIELD(data.outputs), .text = "1",
     .least = 1, .most = MOST, .help = "synthetic data: number of outputs"},
    {.key = "data.labels", .type = SETTING_CHOICE, .offset = FIELD(data.labels),
     .text = "teacher", .names = label_kinds,
     .help = "synthetic data: targets of a random two-layer network, or random"},
    {.key = "data.target_columns", .type = SETTING_INTEGER, .offset = FIELD(data.target_columns),
     .text = "1", .least = 1, .most = MOST, .help = "csv: last columns that are the target"},

    {.key = "system.type", .type = SETTING_CHOICE, .offset = FIELD(system.type),
     .text = "quadratic", .names = types,
     .help = "plstar solve: F(w) = A w; wT Q_i w / 2 + a_iT w; (U VT) at observed entries; |w|^2 in "
             "the plane; (a_iT w)^2; with y = F(w*), all drawn from the seed"},
    {.key = "system.equations", .type = SETTING_INTEGER, .offset = FIELD(system.equations),
     .text = "40", .least = 1, .most = MOST, .help = "of linear, quadratic and phase_retrieval"},
    {.key = "system.parameters", .type = SETTING_INTEGER, .offset = FIELD(system.parameters),
     .text = "200", .least = 1, .most = MOST,
     .help = "unknowns of linear, quadratic and phase_retrieval"},
    {.key = "system.rows", .type = SETTING_INTEGER, .offset = FIELD(system.rows), .text = "20",
     .least = 1, .most = MOST, .help = "of the matrix of factorization"},
    {.key = "system.columns", .type = SETTING_INTEGER, .offset = FIELD(system.columns),
     .text = "20", .least = 1, .most = MOST, .help = "of the matrix of factorization"},
    {.key = "system.rank", .type = SETTING_INTEGER, .offset = FIELD(system.rank), .text = "5",
     .least = 1, .most = MOST,
     .help = "of factorization; its unknowns are (rows + columns) rank"},
    {.key = "system.observed", .type = SETTING_INTEGER, .offset = FIELD(system.observed),
     .text = "100", .least = 1, .most = MOST,
     .help = "entries of the matrix of factorization that are equations"},
    {.key = "system.nonlinearity", .type = SETTING_NUMBER, .offset = FIELD(system.nonlinearity),
     .text = "1", .most = ANY, .help = "of quadratic: scale of the Q_i; 0 is a linear system"},
    {.key = "system.map", .type = SETTING_CHOICE, .offset = FIELD(system.map), .text = "none",
     .names = maps, .help = "applied to every output, so that map(F(w)) = y is solved"},
    {.key = "system.noise", .type = SETTING_NUMBER, .offset = FIELD(system.noise), .text = "0",
     .most = ANY, .help = "standard deviation of what is added to y = map(F(w*))"},
    {.key = "system.a", .type = SETTING_PATH, .offset = FIELD(system.a), .text = "",
     .help = "of linear: A from a .npy file, N x P, with system.y; sizes come from it"},
    {.key = "system.y", .type = SETTING_PATH, .offset = FIELD(system.y), .text = "",
     .help = "of linear: y from a .npy file, N numbers"},

    {.key = "train.optimizer", .type = SETTING_CHOICE, .offset = FIELD(train.optimizer),
     .text = "gd", .names = optimizers, .help = "gradient descent, its stochastic form, or Levenberg-Marquardt: "
             "w - JT (K + lambda I)^-1 r, square loss only"},
    {.key = "train.batch", .type = SETTING_INTEGER, .offset = FIELD(train.batch), .text = "1",
     .least = 1, .most = MOST, .help = "sgd: samples a step, drawn with replacement"},
    {.key = "train.loss", .type = SETTING_CHOICE, .offset = FIELD(train.loss), .text = "square",
     .names = losses, .help = "a sum over samples; square: L = 1/2 ||F(w) - y||^2"},
    {.key = "train.step_size", .type = SETTING_STEP, .offset = FIELD(train.step_size),
     .text = "critical:0.5",
     .help = "a number; critical:C = C times 2/lambda_max(K) at the start; theorem = "
             "1/(L_F^2 + beta_F ||r_0||) from sampled constants; lm takes none"},
    {.key = "train.damping", .type = SETTING_NUMBER, .flags = SETTING_POSITIVE,
     .offset = FIELD(train.damping), .text = "0.001", .most = ANY,
     .help = "lm: lambda at the start, in mean eigenvalues tr K / N; then it follows the gain"},
    {.key = "train.steps", .type = SETTING_INTEGER, .flags = SETTING_RESUMABLE,
     .offset = FIELD(train.steps), .text = "200", .most = MOST, .help = "where training ends"},
    {.key = "train.stop_at", .type = SETTING_NUMBER, .flags = SETTING_RESUMABLE,
     .offset = FIELD(train.stop_at), .text = "never", .most = 1, .zero = "never",
     .help = "stop once the loss is this share of its start"},
    {.key = "train.record_every", .type = SETTING_INTEGER, .offset = FIELD(train.record_every),
     .text = "1", .least = 1, .most = MOST, .help = "steps between rows of metrics.csv"},
    {.key = "train.linearized", .type = SETTING_BOOLEAN, .offset = FIELD(train.linearized),
     .text = "false",
     .help = "carry the network linearised at the start along, exactly: gd or sgd, N x N kernel"},
    {.key = "train.checkpoint_seconds", .type = SETTING_NUMBER, .flags = SETTING_RESUMABLE,
     .offset = FIELD(train.checkpoint_seconds), .text = "60", .most = ANY,
     .help = "least time between two checkpoints"},

    {.key = "monitor.every", .type = SETTING_INTEGER, .offset = FIELD(monitor.every),
     .text = "10", .most = MOST, .zero = "never",
     .help = "steps between measurements of the tangent kernel"},
    {.key = "monitor.budget", .type = SETTING_SHARE, .offset = FIELD(monitor.budget),
     .text = "none", .most = 1, .zero = "none",
     .help = "instead of every: share of the run time that measuring may take, 5% or 0.05"},
    {.key = "monitor.method", .type = SETTING_CHOICE, .offset = FIELD(monitor.method),
     .text = "automatic", .names = methods,
     .help = "structured: layer by layer; explicit: from Jacobian rows, the check of the former; "
             "matrix_free: K v = J (J^T v), taken by automatic where K does not fit in memory"},
    {.key = "monitor.products", .type = SETTING_INTEGER, .offset = FIELD(monitor.products),
     .text = "500", .least = 1, .most = MOST,
     .help = "matrix_free: products with K that the search for lambda_min may take"},
    {.key = "monitor.probes", .type = SETTING_INTEGER, .flags = SETTING_RESUMABLE,
     .offset = FIELD(monitor.probes), .text = "8", .most = MOST, .zero = "none",
     .help = "matrix_free: random vectors for trace and density of K (plstar kernel)"},
    {.key = "monitor.gram", .type = SETTING_CHOICE, .offset = FIELD(monitor.gram), .text = "f64",
     .names = arithmetics,
     .help = "products of f32 data in the kernel; split: on matrix units where the device has "
             "them, faster and less exact"},
    {.key = "monitor.trace", .type = SETTING_BOOLEAN, .offset = FIELD(monitor.trace),
     .text = "false", .help = "the n x n kernel summed over outputs instead of the N x N one"},
    {.key = "monitor.memory", .type = SETTING_BYTES, .flags = SETTING_RESUMABLE,
     .offset = FIELD(monitor.memory), .text = "as needed", .zero = "as needed",
     .help = "bytes that activations and derivatives may take, and the kernel's tiles, each; "
             "512MB, 1GiB; never changes a result"},
    {.key = "monitor.tile", .type = SETTING_INTEGER, .flags = SETTING_RESUMABLE,
     .offset = FIELD(monitor.tile), .text = "automatic", .most = MOST, .zero = "automatic",
     .help = "samples a tile of the kernel; never changes a result"},
    {.key = "monitor.spectrum", .type = SETTING_CHOICE, .offset = FIELD(monitor.full),
     .text = "extremes", .names = spectra, .help = "extreme eigenvalues, or all of them"},
    {.key = "monitor.refine", .type = SETTING_CHOICE, .offset = FIELD(monitor.refine),
     .text = "below_floor", .names = refinements,
     .help = "when an f32 measurement is repeated in f64"},
    {.key = "monitor.floor_samples", .type = SETTING_INTEGER,
     .offset = FIELD(monitor.floor_samples), .text = "16", .most = MOST, .zero = "estimate",
     .help = "samples computed in both precisions to measure rounding; estimate = a-priori, unmeasured"},

    {.key = "hessian.of", .type = SETTING_CHOICE, .flags = SETTING_RESUMABLE,
     .offset = FIELD(hessian.of), .text = "none", .names = hessians,
     .help = "whose Hessian norms plstar kernel measures: of the loss, of single outputs, of both"},
    {.key = "hessian.samples", .type = SETTING_INTEGER, .flags = SETTING_RESUMABLE,
     .offset = FIELD(hessian.samples), .text = "all", .most = MOST, .zero = "all",
     .help = "the first so many samples, where it is of outputs"},
    {.key = "hessian.kinks", .type = SETTING_CHOICE, .flags = SETTING_RESUMABLE,
     .offset = FIELD(hessian.kinks), .text = "refuse", .names = kinks,
     .help = "relu has no second derivative at 0; zero: go on with that of the pieces, 0"},
    {.key = "hessian.tolerance", .type = SETTING_NUMBER,
     .flags = SETTING_RESUMABLE | SETTING_POSITIVE, .offset = FIELD(hessian.tolerance),
     .text = "1e-10", .most = 0.5, .help = "residual of an eigenvalue over the norm, at most"},
    {.key = "hessian.probes", .type = SETTING_INTEGER, .flags = SETTING_RESUMABLE,
     .offset = FIELD(hessian.probes), .text = "none", .most = MOST, .zero = "none",
     .help = "random vectors for trace and spectral density of the loss's Hessian"},
    {.key = "hessian.steps", .type = SETTING_INTEGER, .flags = SETTING_RESUMABLE,
     .offset = FIELD(hessian.steps), .text = "32", .least = 1, .most = MOST,
     .help = "Lanczos steps a probe"},
    {.key = "hessian.memory", .type = SETTING_BYTES, .flags = SETTING_RESUMABLE,
     .offset = FIELD(hessian.memory), .text = "4GiB", .zero = "4GiB",
     .help = "bytes that Lanczos vectors may take; may change the last digits of norms"},

    {.key = "audit.of", .type = SETTING_CHOICE, .offset = FIELD(audit.of), .text = "automatic",
     .names = subjects,
     .help = "plstar audit: of a network with data, or of a system of equations; automatic: of a "
             "system if a setting of it is given"},
    {.key = "audit.claims", .type = SETTING_TEXT, .offset = FIELD(audit.claims), .text = "",
     .help = "numbers, such as \"7,8\"; empty: all"},
    {.key = "audit.equations", .type = SETTING_INTEGER, .offset = FIELD(audit.equations),
     .text = "64", .most = MOST, .zero = "all",
     .help = "most rows of the kernels that are looked at; samples beyond are left out"},
    {.key = "audit.steps", .type = SETTING_INTEGER, .offset = FIELD(audit.steps), .text = "100",
     .least = 1, .most = MOST, .help = "of runs"},
    {.key = "audit.runs", .type = SETTING_INTEGER, .offset = FIELD(audit.runs), .text = "40",
     .least = 2, .most = 1e6, .help = "of stochastic gradient descent, and Gaussian matrices"},
    {.key = "audit.batch", .type = SETTING_INTEGER, .offset = FIELD(audit.batch), .text = "4",
     .least = 1, .most = MOST, .help = "samples a step of stochastic gradient descent"},
    {.key = "audit.delta", .type = SETTING_NUMBER, .flags = SETTING_POSITIVE,
     .offset = FIELD(audit.delta), .text = "0.1", .most = 0.999,
     .help = "share of its runs that may leave the ball"},
    {.key = "audit.radius", .type = SETTING_NUMBER, .flags = SETTING_POSITIVE,
     .offset = FIELD(audit.radius), .text = "1", .most = ANY,
     .help = "of balls around w_0, where no theorem sets it"},
    {.key = "audit.directions", .type = SETTING_INTEGER, .offset = FIELD(audit.directions),
     .text = "4", .least = 1, .most = MOST, .help = "in which balls are sampled"},
    {.key = "audit.widths", .type = SETTING_INTEGERS, .offset = FIELD(audit.widths),
     .text = "[64, 128, 256, 512]", .least = 1, .most = MOST, .help = "of scaling claims; an eighth of these where there are convolutions"},
    {.key = "audit.seeds", .type = SETTING_INTEGER, .offset = FIELD(audit.seeds), .text = "3",
     .least = 2, .most = 1e6, .help = "networks a width"},

    {.key = "study.name", .type = SETTING_TEXT, .offset = FIELD(study.name), .text = "",
     .help = "plstar study: a ready study: transition, nonlinear-output, bottleneck, threshold, "
             "almost or critical-step"},
    {.key = "study.size", .type = SETTING_CHOICE, .offset = FIELD(study.size), .text = "quick",
     .names = sizes, .help = "of a ready study"},
    {.key = "study.widths", .type = SETTING_INTEGERS, .offset = FIELD(study.widths), .text = "[]",
     .least = 1, .most = MOST,
     .help = "of all hidden layers, one after the other; [] = as in model.layers"},
    {.key = "study.depths", .type = SETTING_INTEGERS, .offset = FIELD(study.depths), .text = "[]",
     .least = 1, .most = 1000, .help = "numbers of hidden layers, all like the first"},
    {.key = "study.bottlenecks", .type = SETTING_INTEGERS, .offset = FIELD(study.bottlenecks),
     .text = "[]", .most = MOST,
     .help = "widths of the middle one of at least three hidden layers; 0 = no bottleneck"},
    {.key = "study.activations", .type = SETTING_NAMES, .offset = FIELD(study.activations),
     .text = "[]", .names = cell_activations, .help = "of all hidden layers; model = as it is there"},
    {.key = "study.outputs", .type = SETTING_NAMES, .offset = FIELD(study.outputs), .text = "[]",
     .names = cell_activations, .help = "activations of the last layer; model = as it is there"},
    {.key = "study.step_sizes", .type = SETTING_FACTORS, .offset = FIELD(study.step_sizes),
     .text = "[0.5]", .help = "of gradient descent, in units of 2/lambda_max(K_0)"},
    {.key = "study.seeds", .type = SETTING_INTEGER, .offset = FIELD(study.seeds), .text = "3",
     .least = 1, .most = 1e6, .help = "networks of each kind: seeds seed, seed + 1, ..."},
    {.key = "study.quantities", .type = SETTING_NAMES, .offset = FIELD(study.quantities),
     .text = "[gradient_norm, lambda_min, lambda_max, kernel_change, mu_change, distance]",
     .names = quantities, .help = "what is measured"},
    {.key = "study.radius", .type = SETTING_NUMBER, .flags = SETTING_POSITIVE,
     .offset = FIELD(study.radius), .text = "1", .most = ANY,
     .help = "R, of the sphere around w_0 on which points are sampled"},
    {.key = "study.directions", .type = SETTING_INTEGER, .offset = FIELD(study.directions),
     .text = "4", .least = 1, .most = MOST,
     .help = "points on it: the steepest, the two most curved, random ones"},
    {.key = "study.hessian_samples", .type = SETTING_INTEGER,
     .offset = FIELD(study.hessian_samples), .text = "4", .most = MOST, .zero = "all",
     .help = "the first so many samples, whose Hessians are measured"},
    {.key = "study.steps", .type = SETTING_INTEGER, .offset = FIELD(study.steps), .text = "100",
     .least = 1, .most = MOST, .help = "of gradient descent from w_0"},
    {.key = "study.every", .type = SETTING_INTEGER, .offset = FIELD(study.every), .text = "10",
     .least = 1, .most = MOST, .help = "steps between kernels on its path"},
    {.key = "study.until", .type = SETTING_NUMBER, .offset = FIELD(study.until), .text = "0.001",
     .most = 0.999999, .help = "share of the loss at which the path ends"},
    {.key = "study.resamples", .type = SETTING_INTEGER, .offset = FIELD(study.resamples),
     .text = "1000", .least = 100, .most = 1e6, .zero = "no_fits",
     .help = "of the bootstrap, for intervals of fits; no_fits: no slopes"},
    {.key = "study.side_by_side", .type = SETTING_INTEGER, .offset = FIELD(study.side_by_side),
     .text = "auto", .most = 4096, .zero = "auto",
     .help = "networks measured at a time; never changes a result"},
    {.key = "study.memory", .type = SETTING_BYTES, .offset = FIELD(study.memory),
     .text = "half of what is free", .zero = "half of what is free",
     .help = "bytes that they may take together; never changes a result"},

    {.key = "output.report", .type = SETTING_BOOLEAN, .flags = SETTING_RESUMABLE,
     .offset = FIELD(output.report), .text = "true", .help = "write report.html"},
    {.key = "output.kernel", .type = SETTING_BOOLEAN, .flags = SETTING_RESUMABLE,
     .offset = FIELD(output.kernel), .text = "true",
     .help = "write kernel.npy (plstar kernel), 8 N^2 bytes"},
    {.key = "output.infinite", .type = SETTING_BOOLEAN, .flags = SETTING_RESUMABLE,
     .offset = FIELD(output.infinite), .text = "false",
     .help = "write kernel_infinite.npy (plstar kernel), the limit at infinite width, 8 n^2 bytes, "
             "and measure the kernel's distance from it"},
    {.key = "output.infinite_tolerance", .type = SETTING_NUMBER,
     .flags = SETTING_RESUMABLE | SETTING_POSITIVE, .offset = FIELD(output.infinite_tolerance),
     .text = "1e-12", .most = 1,
     .help = "how exact its expectations without a closed form must be, relative"},
    {.key = "output.gradient", .type = SETTING_BOOLEAN, .flags = SETTING_RESUMABLE,
     .offset = FIELD(output.gradient), .text = "false",
     .help = "write gradient.npy (plstar kernel), 8 P bytes"},
    {.key = "output.jacobian", .type = SETTING_BOOLEAN, .flags = SETTING_RESUMABLE,
     .offset = FIELD(output.jacobian), .text = "false",
     .help = "write jacobian.npy (plstar kernel), 8 N P bytes"},
};
/* clang-format on */

enum { COUNT = sizeof table / sizeof *table };
_Static_assert((int)COUNT <= (int)SETTINGS_LIMIT,
               "settings.origins holds an entry for each setting");

const setting *settings_at(int index) {
    return index >= 0 && index < COUNT ? &table[index] : NULL;
}

const char *settings_key(int index) {
    return index >= 0 && index < COUNT ? table[index].key : NULL;
}

int settings_find(const char *key) {
    for (int i = 0; i < COUNT; i++) {
        if (strcmp(table[i].key, key) == 0) {
            return i;
        }
    }
    return -1;
}

bool settings_is_section(const char *name) {
    size_t length = strlen(name);
    for (int i = 0; i < COUNT; i++) {
        if (strncmp(table[i].key, name, length) == 0 && table[i].key[length] == '.') {
            return true;
        }
    }
    return false;
}

const char *settings_default(const setting *entry, command which) {
    return which == COMMAND_KERNEL && entry->kernel_text != NULL ? entry->kernel_text
           : which == COMMAND_SOLVE && entry->solve_text != NULL ? entry->solve_text
                                                                 : entry->text;
}

bool settings_applies(const char *key, command which) {
    bool system = strncmp(key, "system.", 7) == 0;
    bool network = strncmp(key, "model.", 6) == 0 || strncmp(key, "data.", 5) == 0;
    return which == COMMAND_AUDIT ? true : which == COMMAND_SOLVE ? !network : !system;
}

bool settings_is_used(const char *key, command which) {
    static const char *const runs[] = {"train.", "monitor.", "hessian."};
    bool checks = which == COMMAND_STUDY || which == COMMAND_AUDIT;
    for (size_t i = 0; checks && i < sizeof runs / sizeof runs[0]; i++) {
        if (strncmp(key, runs[i], strlen(runs[i])) == 0) {
            return false;
        }
    }
    bool of_studies = strncmp(key, "study.", 6) == 0, of_audits = strncmp(key, "audit.", 6) == 0;
    return settings_applies(key, which) && (which == COMMAND_STUDY || !of_studies) &&
           (which == COMMAND_AUDIT || !of_audits);
}

static const char *last_part(const char *key) {
    const char *dot = strrchr(key, '.');
    return dot != NULL ? dot + 1 : key;
}

/* A key that only stands in the wrong section is closer than one that looks alike. */
static int distance_to_key(const char *written, const char *key) {
    int whole = cli_edit_distance(written, key);
    int part = cli_edit_distance(last_part(written), last_part(key)) + 1;
    return whole < part ? whole : part;
}

pls_status settings_unknown(cli *program, const char *place, const char *spelled) {
    static const char *const sections[] = {"model",   "data",  "system", "train", "monitor",
                                           "hessian", "audit", "study",  "output"};
    if (settings_find(spelled) >= 0) {
        const char *dot = strchr(spelled, '.');
        return cli_fail(program, PLS_ERROR_CONFIG,
                        "%s: %s: the form with a dot is for --set; in a file write %.*s: {%s: ...}",
                        place, spelled, dot != NULL ? (int)(dot - spelled) : 0, spelled,
                        dot != NULL ? dot + 1 : spelled);
    }
    const char *nearest = table[0].key;
    int least = distance_to_key(spelled, nearest);
    for (int i = 1; i < COUNT; i++) {
        int distance = distance_to_key(spelled, table[i].key);
        if (distance < least) {
            least = distance;
            nearest = table[i].key;
        }
    }
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        int distance = cli_edit_distance(spelled, sections[i]);
        if (distance <= least && strchr(spelled, '.') == NULL) {
            least = distance;
            nearest = sections[i];
        }
    }
    return cli_fail(program, PLS_ERROR_CONFIG,
                    "%s: %s is not a known key; the nearest is %s (`plstar train --help settings` "
                    "lists all)",
                    place, spelled, nearest);
}
