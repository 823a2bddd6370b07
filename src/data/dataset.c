/* Data sets: read, select, code the targets, normalise.
 *     unit pixels  x := x / (largest value of a pixel)
 *     sphere       x := sqrt(d) x / ||x|| */
#include "plstar/dataset.h"

#include "base/memory.h"
#include "data/duplicates.h"
#include "data/selection.h"
#include "data/source.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

pls_data_options pls_data_options_defaults(void) {
    return (pls_data_options){.source = "digits",
                              .targets = PLS_TARGETS_AUTO,
                              .normalize = PLS_NORMALIZE_SPHERE,
                              .dimension = 10,
                              .outputs = 1,
                              .labels = PLS_LABELS_TEACHER,
                              .target_columns = 1};
}

static pls_status check_options(pls_context *context, const pls_data_options *options) {
    if (options->source == NULL) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "data.source: no source was given; \"digits\" needs no file");
    }
    if (options->samples < 0 || options->class_count < 0) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "data.samples and the number of data.classes must be 0 (all) or more; "
                        "%lld and %lld were given",
                        (long long)options->samples, (long long)options->class_count);
    }
    if (options->class_count > 0 && options->classes == NULL) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "data.classes: %lld classes were announced, but no list was given",
                        (long long)options->class_count);
    }
    if ((unsigned)options->targets > PLS_TARGETS_REGRESSION ||
        (unsigned)options->normalize > PLS_NORMALIZE_SPHERE ||
        (unsigned)options->labels > PLS_LABELS_RANDOM) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "data.targets, data.normalize or data.labels has a value that is not "
                        "listed in dataset.h");
    }
    return PLS_OK;
}

/* *coding = what the options ask for, with `auto` decided. */
static pls_status decide_coding(pls_context *context, const pls_data_options *options,
                                const pls_source *source, const pls_selection *selection,
                                pls_target_coding *coding) {
    *coding = options->targets;
    if (*coding == PLS_TARGETS_AUTO) {
        *coding = source->labels != NULL ? PLS_TARGETS_ONE_HOT : PLS_TARGETS_REGRESSION;
    }
    if (*coding != PLS_TARGETS_REGRESSION && source->labels == NULL) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "data.targets: %s needs labels, but the %s have real targets; use "
                        "regression",
                        *coding == PLS_TARGETS_ONE_HOT ? "one_hot" : "signed", source->noun);
    }
    if (*coding == PLS_TARGETS_SIGNED && selection->class_count < 2) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "data.targets: signed needs at least two classes, but only one was "
                        "selected (%lld)",
                        (long long)selection->classes[0]);
    }
    return PLS_OK;
}

static int64_t count_outputs(const pls_source *source, const pls_selection *selection,
                             pls_target_coding coding) {
    if (coding == PLS_TARGETS_REGRESSION) {
        return source->labels != NULL ? 1 : source->outputs;
    }
    return coding == PLS_TARGETS_SIGNED && selection->class_count == 2 ? 1 : selection->class_count;
}

/* target: 1 x k */
static void code_target(const pls_source *source, const pls_pick *pick, pls_target_coding coding,
                        int64_t k, double *target) {
    if (coding == PLS_TARGETS_REGRESSION && source->labels != NULL) {
        target[0] = (double)source->labels[pick->row];
    } else if (coding == PLS_TARGETS_REGRESSION) {
        memcpy(target, source->targets + pick->row * k, (size_t)k * sizeof *target);
    } else if (coding == PLS_TARGETS_SIGNED && k == 1) {
        target[0] = pick->column == 0 ? -1 : 1;
    } else {
        for (int64_t a = 0; a < k; a++) {
            target[a] = coding == PLS_TARGETS_SIGNED ? -1 : 0;
        }
        target[pick->column] = 1;
    }
}

static pls_status code_targets(pls_context *context, const pls_source *source,
                               const pls_selection *selection, pls_target_coding coding,
                               pls_dataset *dataset) {
    pls_status status = PLS_OK;
    dataset->outputs = count_outputs(source, selection, coding);
    PLS_TRY(context, pls_allocate_matrix(context, dataset->samples, dataset->outputs,
                                         sizeof *dataset->targets, "targets", &dataset->targets));
    if (source->labels != NULL) {
        PLS_TRY(context, pls_allocate(context, dataset->samples, sizeof *dataset->labels, "labels",
                                      &dataset->labels));
    }
    for (int64_t i = 0; i < selection->count; i++) {
        const pls_pick *pick = &selection->picks[i];
        code_target(source, pick, coding, dataset->outputs,
                    dataset->targets + pick->position * dataset->outputs);
        if (source->labels != NULL) {
            dataset->labels[pick->position] = source->labels[pick->row];
        }
    }
cleanup:
    return status;
}

/* values: samples x columns; `rows` says where each sample comes from, NULL for itself. */
static pls_status check_finite(pls_context *context, const char *noun, const char *what,
                               const double *values, const pls_pick *picks, int64_t samples,
                               int64_t columns) {
    for (int64_t i = 0; i < samples; i++) {
        const double *row = values + (picks != NULL ? picks[i].position : i) * columns;
        for (int64_t j = 0; j < columns; j++) {
            if (!isfinite(row[j])) {
                return pls_fail(context, PLS_ERROR_DATA,
                                "%s: %s %lld of sample %lld (both from 0) is %g, but finite "
                                "numbers are needed",
                                noun, what, (long long)j,
                                (long long)(picks != NULL ? picks[i].row : i), row[j]);
            }
        }
    }
    return PLS_OK;
}

/* Scales to norm sqrt(d); false for zero. Goes by the largest entry first, so that no square
 * overflows or vanishes. */
static bool scale_to_sphere(double *input, int64_t d) {
    double largest = 0, square = 0;
    for (int64_t j = 0; j < d; j++) {
        largest = fmax(largest, fabs(input[j]));
    }
    if (largest == 0) {
        return false;
    }
    for (int64_t j = 0; j < d; j++) {
        input[j] /= largest;
        square += input[j] * input[j];
    }
    for (int64_t j = 0; j < d; j++) {
        input[j] *= sqrt((double)d / square);
    }
    return true;
}

static pls_status normalize(pls_context *context, const pls_source *source,
                            const pls_selection *selection, pls_normalization normalization,
                            pls_dataset *dataset) {
    const int64_t d = dataset->dimension;
    if (normalization == PLS_NORMALIZE_UNIT_PIXELS) {
        if (source->pixel_maximum == 0) {
            return pls_fail(context, PLS_ERROR_ARGUMENT,
                            "data.normalize: unit_pixels needs pixels, unsigned bytes or the "
                            "built-in digits, but the %s are not; use sphere or none",
                            source->noun);
        }
        for (int64_t i = 0; i < dataset->samples * d; i++) {
            dataset->inputs[i] /= source->pixel_maximum;
        }
    }
    if (normalization == PLS_NORMALIZE_SPHERE) {
        for (int64_t i = 0; i < selection->count; i++) {
            const pls_pick *pick = &selection->picks[i];
            if (!scale_to_sphere(dataset->inputs + pick->position * d, d)) {
                return pls_fail(context, PLS_ERROR_DATA,
                                "data.normalize: sample %lld (from 0) of the %s is zero, which has "
                                "no direction on the sphere; use unit_pixels or none, or leave it "
                                "out",
                                (long long)pick->row, source->noun);
            }
        }
    }
    return PLS_OK;
}

/* "64 of 1,797 built-in digits drawn at random (seed 0)" */
static void describe_samples(const pls_data_options *options, const pls_source *source,
                             int64_t samples, char *text, size_t size) {
    char taken[32], all[32], drawn[64] = "";
    pls_format_count(samples, taken);
    pls_format_count(source->samples, all);
    if (options->shuffle || source->made_to_order) {
        snprintf(drawn, sizeof drawn, "%s (seed %llu)",
                 source->made_to_order ? "" : " drawn at random",
                 (unsigned long long)options->seed);
    }
    if (source->made_to_order) {
        snprintf(text, size, "%s %s in %lld dimensions%s", taken, source->noun,
                 (long long)source->dimension, drawn);
    } else if (samples == source->samples) {
        snprintf(text, size, "all %s %.400s%s", all, source->noun,
                 options->shuffle ? " in random order" : "");
    } else {
        snprintf(text, size, "%s of %s %.400s%s", taken, all, source->noun, drawn);
    }
}

static void describe_targets(const pls_data_options *options, const pls_source *source,
                             const pls_selection *selection, pls_target_coding coding,
                             int64_t outputs, char *text, size_t size) {
    char classes[128];
    if (source->labels != NULL) {
        static const char *const codings[] = {[PLS_TARGETS_ONE_HOT] = "one-hot targets",
                                              [PLS_TARGETS_SIGNED] = "signed targets",
                                              [PLS_TARGETS_REGRESSION] = "labels as targets"};
        snprintf(
            text, size, "%s, %s",
            pls_format_classes(selection->classes, selection->class_count, classes, sizeof classes),
            codings[coding]);
    } else {
        const char *origin = options->labels == PLS_LABELS_TEACHER ? " of a teacher" : " at random";
        snprintf(text, size, "%lld real target%s%s", (long long)outputs, outputs == 1 ? "" : "s",
                 source->made_to_order ? origin : "");
    }
}

static pls_status describe(pls_context *context, const pls_data_options *options,
                           const pls_source *source, const pls_selection *selection,
                           pls_target_coding coding, pls_dataset *dataset) {
    static const char *const normalizations[] = {[PLS_NORMALIZE_NONE] = "inputs as they are",
                                                 [PLS_NORMALIZE_UNIT_PIXELS] =
                                                     "pixels scaled to [0, 1]",
                                                 [PLS_NORMALIZE_SPHERE] = "inputs on the sphere"};
    char samples[640], targets[256], text[1024];
    describe_samples(options, source, dataset->samples, samples, sizeof samples);
    describe_targets(options, source, selection, coding, dataset->outputs, targets, sizeof targets);
    snprintf(text, sizeof text, "%s, %s, %s", samples, targets, normalizations[options->normalize]);
    return pls_copy_string(context, text, &dataset->description);
}

pls_status pls_dataset_load(pls_context *context, const pls_data_options *options,
                            pls_dataset *dataset) {
    pls_status status = PLS_OK;
    pls_source source = {.context = context};
    pls_selection selection = {0};
    pls_target_coding coding = PLS_TARGETS_AUTO;
    memset(dataset, 0, sizeof *dataset);
    PLS_TRY(context, check_options(context, options));
    PLS_TRY(context, pls_source_open(context, options, &source));
    PLS_TRY(context, pls_select(context, options, &source, &selection));
    PLS_TRY(context, decide_coding(context, options, &source, &selection, &coding));
    dataset->samples = selection.count;
    dataset->dimension = source.dimension;
    dataset->input_rank = source.input_rank;
    memcpy(dataset->input_shape, source.input_shape, sizeof dataset->input_shape);
    PLS_TRY(context, pls_allocate_matrix(context, dataset->samples, dataset->dimension,
                                         sizeof *dataset->inputs, "inputs", &dataset->inputs));
    PLS_TRY(context, source.read(&source, selection.picks, selection.count, dataset->inputs));
    PLS_TRY(context, code_targets(context, &source, &selection, coding, dataset));
    PLS_TRY(context, check_finite(context, source.noun, "input", dataset->inputs, selection.picks,
                                  dataset->samples, dataset->dimension));
    PLS_TRY(context, check_finite(context, source.noun, "target", dataset->targets, selection.picks,
                                  dataset->samples, dataset->outputs));
    PLS_TRY(context, normalize(context, &source, &selection, options->normalize, dataset));
    PLS_TRY(context,
            pls_find_duplicates(context, dataset->inputs, dataset->samples, dataset->dimension,
                                &dataset->duplicates, dataset->duplicate_pair));
    PLS_TRY(context, describe(context, options, &source, &selection, coding, dataset));
cleanup:
    pls_selection_release(context, &selection);
    pls_source_close(&source);
    if (status != PLS_OK) {
        pls_dataset_destroy(context, dataset);
    }
    return status;
}

pls_status pls_dataset_from_arrays(pls_context *context, int64_t samples, int64_t dimension,
                                   int64_t outputs, const double *inputs, const double *targets,
                                   pls_dataset *dataset) {
    pls_status status = PLS_OK;
    char text[64], count[32];
    memset(dataset, 0, sizeof *dataset);
    if (samples < 1 || dimension < 1 || outputs < 1) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "%lld samples of dimension %lld with %lld outputs; each must be at least 1",
                        (long long)samples, (long long)dimension, (long long)outputs);
    }
    dataset->samples = samples;
    dataset->dimension = dataset->input_shape[0] = dimension;
    dataset->outputs = outputs;
    dataset->input_rank = 1;
    PLS_TRY(context, pls_allocate_matrix(context, samples, dimension, sizeof *inputs, "inputs",
                                         &dataset->inputs));
    PLS_TRY(context, pls_allocate_matrix(context, samples, outputs, sizeof *targets, "targets",
                                         &dataset->targets));
    memcpy(dataset->inputs, inputs, (size_t)(samples * dimension) * sizeof *inputs);
    memcpy(dataset->targets, targets, (size_t)(samples * outputs) * sizeof *targets);
    PLS_TRY(context, check_finite(context, "the arrays", "input", dataset->inputs, NULL, samples,
                                  dimension));
    PLS_TRY(context, check_finite(context, "the arrays", "target", dataset->targets, NULL, samples,
                                  outputs));
    PLS_TRY(context, pls_find_duplicates(context, dataset->inputs, samples, dimension,
                                         &dataset->duplicates, dataset->duplicate_pair));
    snprintf(text, sizeof text, "%s samples given as arrays", pls_format_count(samples, count));
    PLS_TRY(context, pls_copy_string(context, text, &dataset->description));
cleanup:
    if (status != PLS_OK) {
        pls_dataset_destroy(context, dataset);
    }
    return status;
}

void pls_dataset_destroy(pls_context *context, pls_dataset *dataset) {
    if (dataset != NULL) {
        pls_release(context, dataset->inputs);
        pls_release(context, dataset->targets);
        pls_release(context, dataset->labels);
        pls_release(context, dataset->description);
        memset(dataset, 0, sizeof *dataset);
    }
}
