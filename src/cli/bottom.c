/* Who sets mu, told; what the shares are stands in plstar/tangent.h. */
#include "cli/bottom.h"

#include "cli/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The samples with the largest shares, the largest first, equal ones in their own order; returns
 * how many. */
static int64_t top_samples(const pls_bottom *bottom, int64_t top[BOTTOM_SAMPLES]) {
    int64_t count = 0;
    for (int64_t i = 0; i < bottom->samples; i++) {
        const double *shares = bottom->sample_shares;
        int64_t place = count;
        while (place > 0 && shares[top[place - 1]] < shares[i]) {
            place--;
        }
        if (place == BOTTOM_SAMPLES) {
            continue;
        }
        count += count < BOTTOM_SAMPLES;
        for (int64_t j = count - 1; j > place; j--) {
            top[j] = top[j - 1];
        }
        top[place] = i;
    }
    return count;
}

/* ---- summary.json -------------------------------------------------------------------------- */

/* What cannot be added for want of memory makes the summary incomplete. */
static void append(summary *made, json_t *list, json_t *item) {
    made->incomplete = json_array_append_new(list, item) != 0 || made->incomplete;
}

static void set(summary *made, json_t *object, const char *key, json_t *item) {
    made->incomplete = json_object_set_new(object, key, item) != 0 || made->incomplete;
}

static json_t *number_or_null(double number) {
    return isfinite(number) ? json_real(number) : json_null();
}

static json_t *row_of(summary *made, const double *numbers, int64_t count) {
    json_t *list = json_array();
    for (int64_t i = 0; i < count; i++) {
        append(made, list, number_or_null(numbers[i]));
    }
    return list;
}

/* Labels where the data has them, else rows of targets. */
static json_t *targets_of(summary *made, const pls_dataset *data, const int64_t *top,
                          int64_t count) {
    json_t *list = json_array();
    for (int64_t s = 0; s < count; s++) {
        append(made, list,
               data->labels != NULL
                   ? json_integer(data->labels[top[s]])
                   : row_of(made, data->targets + top[s] * data->outputs, data->outputs));
    }
    return list;
}

static json_t *samples_of(summary *made, const pls_bottom *bottom, const int64_t *top,
                          int64_t count) {
    json_t *list = json_array();
    for (int64_t s = 0; s < count; s++) {
        append(made, list, json_pack("[If]", (json_int_t)top[s], bottom->sample_shares[top[s]]));
    }
    return list;
}

static json_t *layers_of(summary *made, const pls_bottom *bottom) {
    json_t *list = json_array();
    for (int64_t l = 0; l < bottom->layers; l++) {
        append(made, list,
               json_pack("{s:s, s:f}", "name", bottom->layer_shares[l].name, "share",
                         bottom->layer_shares[l].share));
    }
    return list;
}

static void note_doubts(summary *made, const char *key, const pls_bottom *bottom) {
    if (!bottom->determined) {
        summary_note(made,
                     "%s is not determined: the next eigenvalue is only %.3g away, which rounding "
                     "or the solver may have mixed with the smallest",
                     key, fmax(bottom->gap, 0.0));
    }
    if (bottom->below_floor) {
        summary_note(made,
                     "%s: lambda_min is below its floor, so the shares of layers are those "
                     "of rounding",
                     key);
    }
}

pls_status bottom_summarize(summary *made, const char *key, int64_t step, const pls_bottom *bottom,
                            const experiment *built, const char *why_missing) {
    int64_t top[BOTTOM_SAMPLES], count = 0;
    json_t *object = NULL;
    if (!bottom->known) {
        summary_note(made, "%s is null because %s", key, why_missing);
        return summary_object(made, key, json_null());
    }
    count = top_samples(bottom, top);
    object = json_object();
    if (step >= 0) {
        set(made, object, "step", json_integer(step));
    }
    set(made, object, "eigenvalue", number_or_null(bottom->eigenvalue));
    set(made, object, "gap", number_or_null(bottom->gap));
    set(made, object, "turn", number_or_null(bottom->turn));
    set(made, object, "determined", json_boolean(bottom->determined));
    set(made, object, "below_floor", json_boolean(bottom->below_floor));
    set(made, object, "samples", samples_of(made, bottom, top, count));
    set(made, object, built->data.labels != NULL ? "labels" : "targets",
        targets_of(made, &built->data, top, count));
    set(made, object, "outputs", row_of(made, bottom->output_shares, bottom->outputs));
    set(made, object, "layers", layers_of(made, bottom));
    note_doubts(made, key, bottom);
    return summary_object(made, key, object);
}

/* ---- pictures ------------------------------------------------------------------------------ */

/* The shape of an input, if it is a picture: what the model or else the data says. */
static const int64_t *picture_shape(const experiment *built) {
    const int64_t *shape = built->model.input_rank == 3  ? built->model.input_shape
                           : built->data.input_rank == 3 ? built->data.input_shape
                                                         : NULL;
    bool has_colours = shape != NULL && (shape[0] == 1 || shape[0] == 3);
    return has_colours ? shape : NULL;
}

pls_status bottom_write_samples(cli *program, const char *folder, const pls_bottom *bottom,
                                const experiment *built) {
    const pls_dataset *data = &built->data;
    const int64_t *shape = picture_shape(built);
    int64_t top[BOTTOM_SAMPLES], d = data->dimension;
    double *inputs = NULL; /* count x d */
    pls_status status = PLS_OK;
    if (!bottom->known || shape == NULL) {
        return PLS_OK;
    }
    const int64_t count = top_samples(bottom, top);
    const int64_t whole[] = {count, shape[0], shape[1], shape[2]};
    CLI_TRY(cli_allocate(program, count * d, sizeof *inputs, "pictures of samples", &inputs));
    for (int64_t s = 0; s < count; s++) {
        memcpy(inputs + s * d, data->inputs + top[s] * d, (size_t)d * sizeof *inputs);
    }
    CLI_TRY(run_write_array(program, folder, "bottom_samples.npy", inputs, 4, whole));
cleanup:
    free(inputs);
    return status;
}

/* ---- for people ---------------------------------------------------------------------------- */

void bottom_print(const pls_bottom *bottom) {
    int64_t top[BOTTOM_SAMPLES];
    if (!bottom->known) {
        return;
    }
    int64_t count = top_samples(bottom, top);
    const pls_layer_share *layer = bottom->layer_shares;
    printf("mu set by   sample%s %lld (%.0f%%)", count > 1 ? "s" : "", (long long)top[0],
           100.0 * bottom->sample_shares[top[0]]);
    if (count > 1) {
        printf(" and %lld (%.0f%%)", (long long)top[1], 100.0 * bottom->sample_shares[top[1]]);
    }
    for (int64_t l = 1; l < bottom->layers; l++) {
        layer = bottom->layer_shares[l].share > layer->share ? &bottom->layer_shares[l] : layer;
    }
    if (bottom->layers > 1 && !bottom->below_floor) {
        printf(", %s (%.0f%%)", layer->name, 100.0 * layer->share);
    }
    printf("%s\n", bottom->determined ? "" : "; uncertain, the next eigenvalue is too close");
}
