/* NumPy's .npy files: the magic bytes "\x93NUMPY", a version, the length of the header, the header
 * (a Python dictionary with the keys descr, fortran_order and shape), then the elements.
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#include "data/npy.h"

#include "base/memory.h"
#include "base/output.h"
#include "data/bytes.h"
#include "data/input.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_HEADER_BYTES = 1 << 20, DESCR_SIZE = 16 };

typedef struct npy_header {
    bool has_descr, has_order, has_shape;
    char descr[DESCR_SIZE];
    bool fortran_order;
    int rank;
    int64_t shape[PLS_NPY_MAX_RANK];
} npy_header;

typedef struct npy_type {
    char kind; /* 'f', 'i', 'u'; a boolean is an 'u' */
    int size;
    bool big_endian;
} npy_type;

/* What is left of the header's text. */
typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_space(cursor *text) {
    while (text->at < text->end && isspace((unsigned char)*text->at)) {
        text->at++;
    }
}

static bool take(cursor *text, const char *word) {
    skip_space(text);
    size_t length = strlen(word);
    if ((size_t)(text->end - text->at) < length || memcmp(text->at, word, length) != 0) {
        return false;
    }
    text->at += length;
    return true;
}

/* A string in either kind of quotes, without escapes. */
static bool take_string(cursor *text, char *out, size_t size) {
    skip_space(text);
    const char quote = text->at < text->end ? *text->at : '\0';
    if (quote != '\'' && quote != '"') {
        return false;
    }
    const char *start = text->at + 1;
    const char *close = memchr(start, quote, (size_t)(text->end - start));
    if (close == NULL || (size_t)(close - start) >= size) {
        return false;
    }
    memcpy(out, start, (size_t)(close - start));
    out[close - start] = '\0';
    text->at = close + 1;
    return true;
}

static bool take_size(cursor *text, int64_t *size) {
    skip_space(text);
    const char *start = text->at;
    *size = 0;
    while (text->at < text->end && isdigit((unsigned char)*text->at)) {
        if (!pls_multiply(*size, 10, size) || !pls_add(*size, *text->at - '0', size)) {
            return false;
        }
        text->at++;
    }
    return text->at > start;
}

/* The parsers return NULL, or what they find wrong. */
static const char *parse_shape(cursor *text, npy_header *header) {
    static const char *const expected = "its 'shape' is not a tuple of sizes like (100, 8, 8)";
    if (!take(text, "(")) {
        return expected;
    }
    bool comma = true;
    while (!take(text, ")")) {
        if (!comma) {
            return expected;
        }
        if (header->rank == PLS_NPY_MAX_RANK) {
            return "its 'shape' has more than 8 dimensions";
        }
        if (!take_size(text, &header->shape[header->rank])) {
            return expected;
        }
        header->rank++;
        comma = take(text, ",");
    }
    return header->rank == 1 && !comma ? expected : NULL;
}

static const char *parse_entry(cursor *text, npy_header *header) {
    char key[32];
    if (!take_string(text, key, sizeof key) || !take(text, ":")) {
        return "its header is not a dictionary";
    }
    if (strcmp(key, "descr") == 0 && !header->has_descr) {
        header->has_descr = true;
        return take_string(text, header->descr, DESCR_SIZE)
                   ? NULL
                   : "its 'descr' is not the name of one type (structured arrays are not read)";
    }
    if (strcmp(key, "fortran_order") == 0 && !header->has_order) {
        header->has_order = true;
        header->fortran_order = take(text, "True");
        return header->fortran_order || take(text, "False")
                   ? NULL
                   : "its 'fortran_order' is neither True nor False";
    }
    if (strcmp(key, "shape") == 0 && !header->has_shape) {
        header->has_shape = true;
        return parse_shape(text, header);
    }
    return "its header has a key twice or one other than 'descr', 'fortran_order' and 'shape'";
}

static const char *parse_header(cursor text, npy_header *header) {
    if (!take(&text, "{")) {
        return "its header is not a dictionary";
    }
    bool comma = true;
    while (!take(&text, "}")) {
        const char *fault = comma ? parse_entry(&text, header) : "its header is not a dictionary";
        if (fault != NULL) {
            return fault;
        }
        comma = take(&text, ",");
    }
    skip_space(&text);
    if (text.at != text.end) {
        return "something follows the dictionary in its header";
    }
    if (!header->has_descr || !header->has_order || !header->has_shape) {
        return "its header lacks 'descr', 'fortran_order' or 'shape'";
    }
    return NULL;
}

static bool parse_type(const char *descr, npy_type *type) {
    if (strlen(descr) != 3 || strchr("<>|=", descr[0]) == NULL) {
        return false;
    }
    type->kind = descr[1];
    type->size = descr[2] - '0';
    type->big_endian = descr[0] == '>';
    switch (type->kind) {
    case 'f':
        return type->size == 4 || type->size == 8;
    case 'i':
    case 'u':
        return type->size == 1 || type->size == 2 || type->size == 4 || type->size == 8;
    case 'b':
        type->kind = 'u';
        return type->size == 1;
    default:
        return false;
    }
}

/* *count = product of the shape. */
static pls_status count_elements(pls_context *context, const char *path, int rank,
                                 const int64_t *shape, pls_status fault, int64_t *count) {
    *count = 1;
    for (int i = 0; i < rank; i++) {
        if (shape[i] < 0 || !pls_multiply(*count, shape[i], count)) {
            return pls_fail(context, fault,
                            "%s: dimension %d of the shape, %lld, is negative or makes more "
                            "elements than 64 bits can count",
                            path, i, (long long)shape[i]);
        }
    }
    return PLS_OK;
}

/* Reads the preamble and the header; the stream then stands on the first element. */
static pls_status read_header(pls_context *context, const char *path, FILE *stream,
                              int64_t file_size, npy_header *header, int64_t *data_offset) {
    pls_status status = PLS_OK;
    char *text = NULL;
    unsigned char start[12];
    if (file_size < 10) {
        return pls_fail(context, PLS_ERROR_DATA,
                        "%s: is not an .npy file: it has %lld bytes, too few for the preamble",
                        path, (long long)file_size);
    }
    PLS_TRY(context, pls_input_read(context, path, stream, start, 10));
    if (memcmp(start, "\x93NUMPY", 6) != 0) {
        status = pls_fail(context, PLS_ERROR_DATA,
                          "%s: is not an .npy file: it does not begin with \\x93NUMPY", path);
        goto cleanup;
    }
    int version = start[6];
    if (version < 1 || version > 3) {
        status =
            pls_fail(context, PLS_ERROR_DATA,
                     "%s: has .npy format version %d; versions 1, 2 and 3 are read", path, version);
        goto cleanup;
    }
    int length_size = version == 1 ? 2 : 4;
    if (version > 1 && file_size >= 12) {
        PLS_TRY(context, pls_input_read(context, path, stream, start + 10, 2));
    }
    int64_t length = (int64_t)pls_decode_bits(start + 8, length_size, false);
    *data_offset = 8 + length_size + length;
    if (*data_offset > file_size || length > MAX_HEADER_BYTES) {
        status = pls_fail(context, PLS_ERROR_DATA,
                          "%s: the header is said to have %lld bytes, but the file has %lld and a "
                          "header at most %d",
                          path, (long long)length, (long long)file_size, MAX_HEADER_BYTES);
        goto cleanup;
    }
    PLS_TRY(context, pls_allocate(context, length, 1, "the header of an .npy file", &text));
    PLS_TRY(context, pls_input_read(context, path, stream, text, length));
    const char *fault = parse_header((cursor){text, text + length}, header);
    if (fault != NULL) {
        status = pls_fail(context, PLS_ERROR_DATA, "%s: %s", path, fault);
    }
cleanup:
    pls_release(context, text);
    return status;
}

static pls_status read_values(pls_context *context, const char *path, FILE *stream, npy_type type,
                              int64_t count, double *values) {
    unsigned char piece[PLS_PIECE_BYTES];
    const int64_t per_piece = PLS_PIECE_BYTES / type.size;
    pls_status status = PLS_OK;
    for (int64_t done = 0; done < count;) {
        int64_t now = count - done < per_piece ? count - done : per_piece;
        PLS_TRY(context, pls_input_read(context, path, stream, piece, now * type.size));
        for (int64_t i = 0; i < now; i++, done++) {
            double value =
                pls_decode_number(piece + i * type.size, type.kind, type.size, type.big_endian);
            if (type.kind != 'f' && fabs(value) >= PLS_EXACT_INTEGERS) {
                status = pls_fail(context, PLS_ERROR_DATA,
                                  "%s: element %lld is a whole number beyond 2^53, which float64 "
                                  "cannot hold exactly",
                                  path, (long long)done);
                goto cleanup;
            }
            values[done] = value;
        }
    }
cleanup:
    return status;
}

pls_status pls_npy_read(pls_context *context, const char *path, pls_npy_array *array) {
    pls_status status = PLS_OK;
    FILE *stream = NULL;
    double *values = NULL;
    int64_t file_size = 0, offset = 0, count = 0, bytes = 0, end = 0;
    npy_header header = {0};
    npy_type type = {0};
    memset(array, 0, sizeof *array);
    PLS_TRY(context, pls_input_open(context, path, &stream, &file_size));
    PLS_TRY(context, read_header(context, path, stream, file_size, &header, &offset));
    if (!parse_type(header.descr, &type)) {
        status = pls_fail(context, PLS_ERROR_DATA,
                          "%s: holds elements of type '%s'; read are f4, f8, i1 to i8, u1 to u8 "
                          "and b1; convert with array.astype('float64')",
                          path, header.descr);
        goto cleanup;
    }
    if (header.fortran_order && header.rank > 1) {
        status = pls_fail(context, PLS_ERROR_DATA,
                          "%s: is stored column by column (fortran_order: True); save it again "
                          "with numpy.save(file, numpy.ascontiguousarray(array))",
                          path);
        goto cleanup;
    }
    PLS_TRY(context,
            count_elements(context, path, header.rank, header.shape, PLS_ERROR_DATA, &count));
    if (!pls_multiply(count, type.size, &bytes) || !pls_add(bytes, offset, &end) ||
        end != file_size) {
        status = pls_fail(context, PLS_ERROR_DATA,
                          "%s: the file is %s than its shape promises: %lld elements of %d bytes "
                          "after a header of %lld bytes, but the file has %lld bytes",
                          path, end > 0 && end < file_size ? "longer" : "shorter", (long long)count,
                          type.size, (long long)offset, (long long)file_size);
        goto cleanup;
    }
    PLS_TRY(context, pls_allocate(context, count, sizeof *values, path, &values));
    PLS_TRY(context, read_values(context, path, stream, type, count, values));
    array->rank = header.rank;
    memcpy(array->shape, header.shape, sizeof array->shape);
    array->count = count;
    array->is_integer = type.kind != 'f';
    array->pixel_maximum = strcmp(header.descr + 1, "u1") == 0 ? 255 : 0;
    array->values = values;
    values = NULL;
cleanup:
    pls_release(context, values);
    if (stream != NULL) {
        fclose(stream);
    }
    return status;
}

struct pls_npy_writer {
    pls_context *context;
    pls_output *output;
    int64_t promised, appended; /* elements */
};

/* Version 1.0: the preamble and the header fill a multiple of 64 bytes, so that the elements are
 * aligned when the file is mapped. */
static void write_header(FILE *stream, int rank, const int64_t *shape) {
    char text[512];
    int used = snprintf(text, sizeof text, "{'descr': '<f8', 'fortran_order': False, 'shape': (");
    for (int i = 0; i < rank; i++) {
        used += snprintf(text + used, sizeof text - (size_t)used, "%s%lld%s", i > 0 ? " " : "",
                         (long long)shape[i], i + 1 < rank || rank == 1 ? "," : "");
    }
    used += snprintf(text + used, sizeof text - (size_t)used, "), }");
    int length = (10 + used + 1 + 63) / 64 * 64 - 10;
    fwrite("\x93NUMPY\x01\x00", 1, 8, stream);
    fputc(length & 0xff, stream);
    fputc(length >> 8, stream);
    fprintf(stream, "%-*s\n", length - 1, text);
}

pls_status pls_npy_create(pls_context *context, const char *path, int rank, const int64_t *shape,
                          pls_npy_writer **out) {
    pls_status status = PLS_OK;
    pls_npy_writer *writer = NULL;
    if (rank < 0 || rank > PLS_NPY_MAX_RANK) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "%s: an array of %d dimensions; 0 to %d can be"
                        " written",
                        path, rank, PLS_NPY_MAX_RANK);
    }
    PLS_TRY(context, pls_allocate(context, 1, sizeof *writer, "an .npy writer", &writer));
    writer->context = context;
    PLS_TRY(context,
            count_elements(context, path, rank, shape, PLS_ERROR_ARGUMENT, &writer->promised));
    PLS_TRY(context, pls_output_open(context, path, &writer->output));
    write_header(pls_output_stream(writer->output), rank, shape);
    *out = writer;
    return PLS_OK;
cleanup:
    pls_npy_discard(writer);
    return status;
}

/* The elements are written as the host holds them: little-endian hosts are assumed. */
pls_status pls_npy_append(pls_npy_writer *writer, const double *values, int64_t count) {
    if (count < 0 || count > writer->promised - writer->appended) {
        return pls_fail(writer->context, PLS_ERROR_ARGUMENT,
                        "%lld elements were appended to an .npy file that lacks %lld",
                        (long long)count, (long long)(writer->promised - writer->appended));
    }
    pls_output_write(writer->output, values, (size_t)count * sizeof *values);
    writer->appended += count;
    return PLS_OK;
}

pls_status pls_npy_commit(pls_npy_writer *writer) {
    pls_context *context = writer->context;
    pls_status status = PLS_OK;
    if (writer->appended != writer->promised) {
        status = pls_fail(context, PLS_ERROR_ARGUMENT,
                          "an .npy file of %lld elements was closed after %lld",
                          (long long)writer->promised, (long long)writer->appended);
        goto cleanup;
    }
    pls_output *output = writer->output;
    writer->output = NULL;
    PLS_TRY(context, pls_output_commit(output));
cleanup:
    pls_npy_discard(writer);
    return status;
}

void pls_npy_discard(pls_npy_writer *writer) {
    if (writer != NULL) {
        pls_output_discard(writer->output);
        pls_release(writer->context, writer);
    }
}

pls_status pls_npy_write(pls_context *context, const char *path, const double *values, int rank,
                         const int64_t *shape) {
    pls_status status = PLS_OK;
    pls_npy_writer *writer = NULL;
    PLS_TRY(context, pls_npy_create(context, path, rank, shape, &writer));
    PLS_TRY(context, pls_npy_append(writer, values, writer->promised));
    pls_npy_writer *complete = writer;
    writer = NULL;
    PLS_TRY(context, pls_npy_commit(complete));
cleanup:
    pls_npy_discard(writer);
    return status;
}
