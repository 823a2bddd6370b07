/* plstar train and plstar solve: training with mu watched on the way, recorded row by row. */
#include "cli/bottom.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/metrics.h"
#include "cli/progress.h"
#include "cli/run.h"
#include "cli/summary.h"
#include "cli/weights_path.h"

#include <math.h>
#include <stdlib.h>

typedef struct train_run {
    cli *program;
    settings settings;
    experiment experiment;
    summary summary;
    metrics metrics;
    weights_path path;
    progress progress;
    char *folder, *checkpoint;
    bool has_constants;
    pls_constants constants; /* of the theorem, where its step size was asked for */
    pls_train_result result;
    double monitor_share;
} train_run;

static pls_status observe(void *user, const pls_record *record, const pls_progress *state) {
    train_run *run = user;
    run->monitor_share = state->monitor_share;
    pls_status status = metrics_append(run->program, &run->metrics, record);
    if (status == PLS_OK) {
        status =
            weights_path_append(run->program, &run->path, record->step, run->experiment.system);
    }
    if (status == PLS_OK) {
        progress_show(run->program, &run->progress, record, state);
    }
    return status;
}

/* eta = 1 / (L_F^2 + beta_F ||r_0||), from constants sampled around the initial weights. */
static pls_status estimate_constants(train_run *run) {
    pls_kernel_options kernel = experiment_kernel_options(&run->settings);
    pls_constants *constants = &run->constants;
    pls_status status = PLS_OK;
    double start = cli_seconds();
    CLI_TRY(pls_constants_estimate(run->experiment.system, &kernel, run->settings.seed, constants));
    run->has_constants = true;
    summary_seconds(&run->summary, "constants", cli_seconds() - start);
    cli_say(run->program,
            "theorem: mu %.4g, L_F %.4g, beta_F %.4g, R %.4g, so eta %.4g (%s at %lld points)",
            constants->mu, constants->lipschitz, constants->smoothness, constants->radius,
            constants->step_size, pls_evidence_name(constants->evidence),
            (long long)constants->points);
    if (constants->mu == 0.0) {
        cli_warn(run->program,
                 "theorem: at a sampled point of the ball mu is below its floor, so the theorem "
                 "promises nothing here; %s may help",
                 run->settings.command == COMMAND_SOLVE ? "more unknowns" : "a wider network");
        summary_note(&run->summary, "theorem_mu is 0 because at a sampled point of the ball mu is "
                                    "below its floor: the theorem promises nothing here");
    }
cleanup:
    return status;
}

static pls_train_options train_options(train_run *run, bool resume) {
    const settings *all = &run->settings;
    pls_train_options options = pls_train_options_defaults();
    options.optimizer = (pls_optimizer)all->train.optimizer;
    options.batch = all->train.batch;
    options.loss = (pls_loss)all->train.loss;
    options.step_rule =
        all->train.step_size.rule == STEP_CRITICAL ? PLS_STEP_CRITICAL : PLS_STEP_FIXED;
    options.step_size = run->has_constants ? run->constants.step_size : all->train.step_size.number;
    options.damping = all->train.damping;
    options.steps = all->train.steps;
    options.stop_at = all->train.stop_at;
    options.seed = all->seed;
    options.record_every = all->train.record_every;
    options.linearized = all->train.linearized;
    options.measure_every = all->monitor.every;
    options.measure_budget = all->monitor.budget;
    options.kernel = experiment_kernel_options(all);
    options.spectrum = experiment_spectrum_options(all);
    options.checkpoint = run->checkpoint;
    options.checkpoint_seconds = all->train.checkpoint_seconds;
    options.resume = resume;
    options.observer = observe;
    options.observer_user = run;
    return options;
}

static pls_status open_metrics(train_run *run, bool resume) {
    pls_status status = PLS_OK;
    int64_t step = 0;
    if (!resume) {
        CLI_TRY(metrics_start(run->program, run->folder, &run->metrics));
        return weights_path_start(run->program, run->folder, run->experiment.system, -1,
                                  &run->path);
    }
    CLI_TRY(pls_checkpoint_step(run->program->context, run->checkpoint, &step));
    if (step > run->settings.train.steps) {
        return cli_fail(run->program, PLS_ERROR_CONFIG,
                        "train.steps is %lld, but the run in %s has come to step %lld already",
                        (long long)run->settings.train.steps, run->folder, (long long)step);
    }
    CLI_TRY(metrics_resume(run->program, run->folder, step, &run->metrics));
    CLI_TRY(
        weights_path_start(run->program, run->folder, run->experiment.system, step, &run->path));
    summary_note(&run->summary,
                 "seconds, device_seconds and monitor_share are those since the run was resumed at "
                 "step %lld",
                 (long long)step);
    cli_say(run->program, "%s goes on at step %lld", run->folder, (long long)step);
cleanup:
    return status;
}

static pls_status write_spectra(const train_run *run) {
    const pls_spectrum *first = &run->result.first_spectrum, *last = &run->result.spectrum;
    pls_status status = PLS_OK;
    if (first->eigenvalues != NULL) {
        CLI_TRY(run_write_array(run->program, run->folder, "eigenvalues_initial.npy",
                                first->eigenvalues, 1, &first->size));
    }
    if (last->eigenvalues != NULL) {
        CLI_TRY(run_write_array(run->program, run->folder, "eigenvalues.npy", last->eigenvalues, 1,
                                &last->size));
    }
cleanup:
    return status;
}

/* The vector measured last: that of the end, or of the start where the run ended early. */
static const pls_bottom *latest_bottom(const train_run *run) {
    const pls_train_result *result = &run->result;
    return result->bottom.known ? &result->bottom : &result->first_bottom;
}

static pls_status summarize_bottom(train_run *run) {
    const pls_train_result *result = &run->result;
    bool at_end = result->bottom.known;
    const char *why = run->metrics.measured.step >= 0 ? "the kernel is 0, or not held"
                                                      : "the kernel was not measured";
    pls_status status = PLS_OK;
    CLI_TRY(bottom_summarize(&run->summary, "bottom_eigenvector", at_end ? result->steps : 0,
                             latest_bottom(run), &run->experiment, why));
    if (at_end) {
        CLI_TRY(bottom_summarize(&run->summary, "bottom_eigenvector_initial", 0,
                                 &result->first_bottom, &run->experiment, why));
    }
cleanup:
    return status;
}

static pls_status write_weights(const train_run *run) {
    pls_status status = PLS_OK;
    char *path = NULL;
    CLI_TRY(file_path(run->program, run->folder, "weights.safetensors", &path));
    CLI_TRY(pls_system_save_weights(run->experiment.system, path));
cleanup:
    free(path);
    return status;
}

/* How a run ended; other failures leave no summary. */
static const char *stop_reason(const train_run *run, pls_status trained) {
    if (trained == PLS_DIVERGED) {
        return "diverged";
    }
    if (trained == PLS_CANCELLED) {
        return "interrupted";
    }
    if (run->result.stalled) {
        return "no step lowers the loss any more";
    }
    if (run->result.steps == run->settings.train.steps) {
        return "finished";
    }
    return run->result.last.loss == 0.0 ? "the loss is 0" : "stop_at reached";
}

static const char *optimizer_name(const settings *all) {
    return all->train.optimizer == PLS_OPTIMIZER_GD    ? "gd"
           : all->train.optimizer == PLS_OPTIMIZER_SGD ? "sgd"
                                                       : "lm";
}

static void summarize_constants(train_run *run) {
    summary *made = &run->summary;
    const pls_constants *constants = &run->constants;
    summary_text(made, "theorem_evidence", pls_evidence_name(constants->evidence));
    summary_integer(made, "theorem_points", constants->points);
    summary_number(made, "theorem_mu", constants->mu, "it could not be measured");
    summary_number(made, "theorem_lipschitz", constants->lipschitz, "it could not be measured");
    summary_number(made, "theorem_smoothness", constants->smoothness, "it could not be measured");
    summary_number(made, "theorem_radius", constants->radius,
                   "mu is below its floor, so no ball is promised to hold a solution");
    summary_number(made, "theorem_sampled_radius", constants->sampled_radius,
                   "it could not be measured");
    summary_number(made, "theorem_step_size", constants->step_size, "it could not be measured");
}

static void summarize(train_run *run, const char *stopped) {
    summary *made = &run->summary;
    const settings *all = &run->settings;
    const pls_train_result *result = &run->result;
    const pls_record *last = &run->metrics.last, *measured = &run->metrics.measured;
    bool recorded = run->metrics.rows > 0, has_kernel = measured->step >= 0;
    const char *missing = recorded ? "it is not finite" : "no step was recorded";
    const char *unmeasured = "the kernel was not measured";
    summary_describe(made, all, &run->experiment);
    summary_text(made, "optimizer", optimizer_name(all));
    summary_text(made, "loss_function", pls_loss_name((pls_loss)all->train.loss));
    summary_text(made, "stopped", stopped);
    summary_integer(made, "steps", result->steps);
    if (all->train.optimizer == PLS_OPTIMIZER_LM) {
        summary_number(made, "damping", result->damping, "it has outgrown all numbers");
        summary_integer(made, "rejected_steps", result->rejected);
    } else {
        summary_number(made, "step_size", result->step_size > 0.0 ? result->step_size : NAN,
                       "training did not begin");
    }
    summary_number(made, "initial_loss", recorded ? run->metrics.first.loss : NAN, missing);
    summary_number(made, "loss", recorded ? last->loss : NAN, missing);
    summary_number(made, "gradient_norm", recorded ? last->gradient_norm : NAN, missing);
    summary_number(made, "pl_ratio", recorded ? last->pl_ratio : NAN,
                   recorded && last->loss == 0.0      ? "the loss is 0"
                   : recorded && isfinite(last->loss) ? "the infimum of the loss is not 0"
                                                      : missing);
    summary_number(made, "distance", recorded ? last->distance : NAN, missing);
    summary_spectrum(
        made, has_kernel ? measured->lambda_min : NAN,
        has_kernel ? measured->lambda_min_lower : NAN,
        has_kernel ? measured->lambda_min_upper : NAN, has_kernel ? measured->lambda_max : NAN,
        has_kernel ? measured->condition_number : NAN, has_kernel ? measured->kernel_floor : NAN,
        has_kernel ? "products with the kernel did not reach it" : unmeasured);
    if (result->matrix_free[0] != '\0') {
        summary_text(made, "kernel_matrix_free", result->matrix_free);
    }
    summary_number(made, "kernel_change", has_kernel ? measured->kernel_change : NAN,
                   has_kernel ? "the kernel is not held" : unmeasured);
    summary_number(made, "kernel_alignment", has_kernel ? measured->kernel_alignment : NAN,
                   has_kernel ? "the kernel or the targets are 0, or the kernel is not held"
                              : unmeasured);
    summary_number(made, "effective_rank", has_kernel ? measured->effective_rank : NAN,
                   has_kernel ? "the kernel is 0, or not held" : unmeasured);
    summary_number(made, "mu_infimum", has_kernel ? result->lambda_min_infimum : NAN,
                   has_kernel ? "lambda_min was not known at every measured step" : unmeasured);
    summary_number(made, "mu_infimum_floor", has_kernel ? result->infimum_floor : NAN, unmeasured);
    if (has_kernel && measured->step != last->step) {
        summary_note(made, "the spectrum is that of step %lld, the last one measured",
                     (long long)measured->step);
    }
    if (all->train.linearized) {
        const char *why =
            recorded ? "descent of the linearised network left the range of numbers" : missing;
        summary_number(made, "linear_loss", recorded ? last->linear_loss : NAN, why);
        summary_number(made, "linear_distance", recorded ? last->linear_distance : NAN, why);
    }
    summary_integer(made, "measurements", result->measurements);
    summary_integer(made, "violations", result->violations);
    summary_number(made, "monitor_share", run->monitor_share, "no time passed");
    if (run->has_constants) {
        summarize_constants(run);
    }
    summary_seconds(made, "steps", result->seconds_steps);
    summary_seconds(made, "measuring", result->seconds_measuring);
    summary_seconds(made, "checkpoints", result->seconds_checkpoints);
}

static void print_summary(const train_run *run, const char *stopped, double seconds,
                          const char *report) {
    const pls_train_result *result = &run->result;
    const pls_record *last = &run->metrics.last, *measured = &run->metrics.measured;
    run_print_head(&run->experiment);
    if (run->settings.train.optimizer == PLS_OPTIMIZER_LM) {
        printf("steps       %lld, %lld of them put back, damping %.3g: %s\n",
               (long long)result->steps, (long long)result->rejected, result->damping, stopped);
    } else {
        printf("steps       %lld, eta %.6g: %s\n", (long long)result->steps, result->step_size,
               stopped);
    }
    printf("loss        %.6g -> %.6g\n", run->metrics.first.loss, last->loss);
    if (measured->step >= 0) {
        run_print_mu(measured->lambda_min, measured->lambda_min_lower, measured->lambda_min_upper,
                     measured->kernel_floor);
        printf("lambda_max  %.6g; smallest mu on the way ", measured->lambda_max);
        if (isnan(result->lambda_min_infimum)) {
            printf("not known\n");
        } else if (result->lambda_min_infimum > result->infimum_floor) {
            printf("%.6g\n", result->lambda_min_infimum);
        } else {
            printf("below its floor of %.3g\n", result->infimum_floor);
        }
        bottom_print(latest_bottom(run));
        if (!isnan(measured->kernel_change)) {
            printf("kernel      moved by %.3g of its norm\n", measured->kernel_change);
        }
        if (run->settings.train.loss == PLS_LOSS_SQUARE && !run->settings.monitor.trace) {
            printf("PL ratio    %s <= rho <= lambda_max held at %lld of %lld measured steps\n",
                   isnan(result->lambda_min_infimum) ? "0" : "lambda_min",
                   (long long)(result->measurements - result->violations),
                   (long long)result->measurements);
        }
    }
    printf("distance    %.6g from the start\n", last->distance);
    if (run->settings.train.linearized) {
        printf("linearised  loss %.6g, its outputs %.6g from the network's\n", last->linear_loss,
               last->linear_distance);
    }
    printf("time        %.3g s, %.0f%% of it measuring the kernel\n", seconds,
           100.0 * run->monitor_share);
    printf("folder      %s\n", run->folder);
    if (report != NULL) {
        printf("report      %s\n", report);
    }
}

/* What is left to do once training has ended, well or not. */
static pls_status finish(train_run *run, pls_status trained, double start) {
    cli *program = run->program;
    pls_status status = PLS_OK;
    char *report = NULL;
    const char *stopped = stop_reason(run, trained);
    cli_clear_line(program);
    CLI_TRY(metrics_close(program, &run->metrics));
    CLI_TRY(weights_path_close(program, &run->path));
    if (trained == PLS_OK) {
        CLI_TRY(write_weights(run));
    }
    CLI_TRY(write_spectra(run));
    summarize(run, stopped);
    CLI_TRY(summarize_bottom(run));
    CLI_TRY(bottom_write_samples(program, run->folder, latest_bottom(run), &run->experiment));
    CLI_TRY(summary_device_seconds(&run->summary, run->experiment.device));
    CLI_TRY(summary_write(&run->summary, run->folder));
    if (run->metrics.rows > 0) {
        run_report(program, &run->settings, run->folder, &report);
        if (!program->quiet && !program->json) {
            print_summary(run, stopped, cli_seconds() - start, report);
        }
    }
cleanup:
    free(report);
    return status;
}

/* The sentence for a run that was stopped; what was saved is found by looking. */
static pls_status say_interrupted(train_run *run) {
    int64_t step = 0;
    if (pls_checkpoint_step(run->program->context, run->checkpoint, &step) != PLS_OK) {
        return cli_fail(run->program, PLS_CANCELLED,
                        "interrupted before the first step; nothing was saved yet");
    }
    return cli_fail(run->program, PLS_CANCELLED,
                    "interrupted at step %lld of %lld; the state is saved, go on by: plstar %s "
                    "--resume %s",
                    (long long)step, (long long)run->settings.train.steps,
                    cli_command_name(run->settings.command), run->folder);
}

static pls_status train(train_run *run, bool resume, double start) {
    cli *program = run->program;
    pls_train_options options = train_options(run, resume);
    char error[CLI_ERROR_SIZE];
    run->progress = progress_start();
    pls_status trained = pls_train(run->experiment.system, &options, &run->result);
    program->listening = false; /* what follows is short and must not be cut off */
    if (trained != PLS_OK && trained != PLS_DIVERGED && trained != PLS_CANCELLED) {
        return trained;
    }
    snprintf(error, sizeof error, "%s", cli_error_text(program, trained));
    pls_status status = finish(run, trained, start);
    if (status != PLS_OK || trained == PLS_OK) {
        return status;
    }
    return trained == PLS_CANCELLED ? say_interrupted(run)
                                    : cli_fail(program, trained, "%s", error);
}

pls_status command_train(cli *program, const command_line *given) {
    train_run run = {.program = program, .monitor_share = 0.0};
    bool resume = given->resume != NULL;
    pls_status status = PLS_OK;
    double start = cli_seconds();
    CLI_TRY(run_settings(program, given, &run.settings));
    CLI_TRY(summary_create(program, &run.summary));
    CLI_TRY(experiment_create(program, &run.settings, &run.experiment));
    CLI_TRY(run_folder(program, given, &run.settings, &run.folder));
    CLI_TRY(file_path(program, run.folder, "checkpoint", &run.checkpoint));
    if (run.settings.train.step_size.rule == STEP_THEOREM) {
        CLI_TRY(estimate_constants(&run));
    }
    CLI_TRY(open_metrics(&run, resume));
    CLI_TRY(train(&run, resume, start));
cleanup:
    cli_clear_line(program);
    pls_train_result_destroy(program->context, &run.result);
    if (metrics_close(program, &run.metrics) != PLS_OK && status == PLS_OK) {
        status = PLS_ERROR_FILE;
    }
    if (weights_path_close(program, &run.path) != PLS_OK && status == PLS_OK) {
        status = PLS_ERROR_FILE;
    }
    experiment_destroy(program, &run.experiment);
    summary_destroy(&run.summary);
    settings_release(&run.settings);
    free(run.checkpoint);
    free(run.folder);
    return status;
}
