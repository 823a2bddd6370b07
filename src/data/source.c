/* The table of sources, and what they have in common. */
#include "data/source.h"

#include "base/memory.h"
#include "data/bytes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct source_kind {
    const char *name;
    const char *argument; /* what follows the colon, NULL for nothing */
    pls_source_opener *open;
} source_kind;

static const source_kind kinds[] = {
    {"digits", NULL, pls_open_digits},
    {"sphere", NULL, pls_open_sphere},
    {"gaussian", NULL, pls_open_gaussian},
    {"idx", "PREFIX", pls_open_idx},
    {"cifar10", "DIR", pls_open_cifar10},
    {"npy", "X.npy,Y.npy", pls_open_npy},
    {"safetensors", "FILE", pls_open_safetensors},
    {"csv", "FILE", pls_open_csv},
};
enum { KINDS = sizeof kinds / sizeof kinds[0], LONGEST_NAME = 32 };

static int smaller(int a, int b) {
    return a < b ? a : b;
}

/* Levenshtein's distance of a known name to the first `length` characters of `given`. */
static int edit_distance(const char *known, const char *given, int length) {
    int row[LONGEST_NAME + 1];
    for (int j = 0; j <= length; j++) {
        row[j] = j;
    }
    for (int i = 1; known[i - 1] != '\0'; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= length; j++) {
            int replaced = diagonal + (known[i - 1] != given[j - 1]);
            diagonal = row[j];
            row[j] = smaller(replaced, smaller(row[j], row[j - 1]) + 1);
        }
    }
    return row[length];
}

static pls_status unknown_source(pls_context *context, const char *given, size_t length) {
    const char *nearest = NULL;
    int least = 3; /* farther away it is no misspelling */
    for (size_t i = 0; i < KINDS && length <= LONGEST_NAME; i++) {
        int distance = edit_distance(kinds[i].name, given, (int)length);
        if (distance < least) {
            least = distance;
            nearest = kinds[i].name;
        }
    }
    return pls_fail(context, PLS_ERROR_ARGUMENT,
                    "data.source: \"%.200s\" is not known%s%s%s; there are digits, sphere, "
                    "gaussian, idx:PREFIX, cifar10:DIR, npy:X.npy,Y.npy, safetensors:FILE and "
                    "csv:FILE",
                    given, nearest != NULL ? "; did you mean \"" : "",
                    nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
}

static pls_status find_kind(pls_context *context, const char *given, const source_kind **found,
                            const char **argument) {
    size_t length = strcspn(given, ":");
    for (size_t i = 0; i < KINDS; i++) {
        if (strlen(kinds[i].name) != length || memcmp(kinds[i].name, given, length) != 0) {
            continue;
        }
        bool has_argument = given[length] == ':' && given[length + 1] != '\0';
        if (has_argument != (kinds[i].argument != NULL)) {
            return pls_fail(context, PLS_ERROR_ARGUMENT,
                            "data.source: \"%.200s\" must be written \"%s%s%s\"", given,
                            kinds[i].name, kinds[i].argument != NULL ? ":" : "",
                            kinds[i].argument != NULL ? kinds[i].argument : "");
        }
        *found = &kinds[i];
        *argument = has_argument ? given + length + 1 : NULL;
        return PLS_OK;
    }
    return unknown_source(context, given, length);
}

pls_status pls_source_open(pls_context *context, const pls_data_options *options,
                           pls_source *source) {
    pls_status status = PLS_OK;
    const source_kind *kind = NULL;
    const char *argument = NULL;
    memset(source, 0, sizeof *source);
    source->context = context;
    PLS_TRY(context, find_kind(context, options->source, &kind, &argument));
    if (argument != NULL) {
        const size_t size = strlen(options->source) + sizeof "samples of ";
        PLS_TRY(context, pls_allocate(context, (int64_t)size, 1, "a name", &source->noun));
        snprintf(source->noun, size, "samples of %s", options->source);
    }
    PLS_TRY(context, kind->open(source, options, argument));
    return PLS_OK;
cleanup:
    pls_source_close(source);
    return status;
}

void pls_source_close(pls_source *source) {
    if (source->close != NULL) {
        source->close(source);
    }
    pls_release(source->context, source->noun);
    pls_release(source->context, source->labels);
    pls_release(source->context, source->targets);
    memset(source, 0, sizeof *source);
}

pls_status pls_source_shape(pls_source *source, const char *path, int rank, const int64_t *shape) {
    if (rank < 2 || rank > 4) {
        return pls_fail(source->context, PLS_ERROR_DATA,
                        "%s: the inputs have %d dimensions; expected are samples x d, samples x "
                        "height x width or samples x channels x height x width",
                        path, rank);
    }
    source->samples = shape[0];
    source->input_rank = rank == 2 ? 1 : 3;
    source->input_shape[0] = 1; /* images of one channel may leave the channel out */
    source->dimension = 1;
    const int first = rank == 3 ? 1 : 0;
    for (int i = 1; i < rank; i++) {
        source->input_shape[first + i - 1] = shape[i];
        if (!pls_multiply(source->dimension, shape[i], &source->dimension)) {
            source->dimension = 0;
        }
    }
    if (source->samples < 1 || source->dimension < 1) {
        return pls_fail(source->context, PLS_ERROR_DATA,
                        "%s: every dimension of the inputs must be at least 1 and 64 bits must "
                        "count their product",
                        path);
    }
    return PLS_OK;
}

static bool all_whole(const double *values, int64_t count, int64_t stride) {
    for (int64_t i = 0; i < count; i++) {
        double value = values[i * stride];
        if (value != floor(value) || fabs(value) >= PLS_EXACT_INTEGERS) {
            return false;
        }
    }
    return true;
}

pls_status pls_source_take_targets(pls_source *source, const double *values, int64_t columns,
                                   int64_t stride, bool whole) {
    pls_context *context = source->context;
    const int64_t n = source->samples;
    pls_status status = PLS_OK;
    if (whole && columns == 1 && all_whole(values, n, stride)) {
        PLS_TRY(context, pls_allocate(context, n, sizeof(int64_t), "labels", &source->labels));
        for (int64_t i = 0; i < n; i++) {
            source->labels[i] = (int64_t)values[i * stride];
        }
    } else {
        source->outputs = columns;
        PLS_TRY(context, pls_allocate_matrix(context, n, columns, sizeof(double), "targets",
                                             &source->targets));
        for (int64_t i = 0; i < n; i++) {
            memcpy(source->targets + i * columns, values + i * stride,
                   (size_t)columns * sizeof(double));
        }
    }
cleanup:
    return status;
}

pls_status pls_allocate_matrix(pls_context *context, int64_t rows, int64_t columns, size_t size,
                               const char *what, void *out) {
    int64_t count = 0;
    if (!pls_multiply(rows, columns, &count)) {
        return pls_fail(context, PLS_ERROR_MEMORY,
                        "%s: %lld x %lld numbers are more than 64 bits can count", what,
                        (long long)rows, (long long)columns);
    }
    return pls_allocate(context, count, size, what, out);
}

const char *pls_format_count(int64_t count, char *text) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)count), used = 0;
    for (int i = 0; i < length; i++) {
        text[used++] = digits[i];
        if (digits[i] != '-' && i + 1 < length && (length - i - 1) % 3 == 0) {
            text[used++] = ',';
        }
    }
    text[used] = '\0';
    return text;
}
