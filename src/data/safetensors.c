/* safetensors files: header length (8 bytes, little-endian), JSON header, tensors.
 *
 *     {"__metadata__": {"key": "value"},
 *      "name": {"dtype": "F64", "shape": [2, 3], "data_offsets": [0, 48]}, ...}
 *
 * Offsets count from the end of the header. jansson keeps the members of an object in the order of
 * the text, and so does this reader. Elements are copied as the host holds them: little-endian
 * hosts are assumed. */
#include "data/safetensors.h"

#include "base/memory.h"
#include "base/output.h"
#include "data/bytes.h"
#include "data/input.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER_BYTES = 100000000 }; /* the format's own limit */

static const char metadata_key[] = "__metadata__";

struct pls_safetensors {
    pls_context *context;
    char *path;
    FILE *stream;
    json_t *header; /* owns names, dtypes and metadata */
    pls_tensor *tensors;
    int64_t count;
};

/* Bytes of an element, 0 for an unknown dtype. */
static int64_t element_size(const char *dtype) {
    static const struct {
        const char *name;
        int64_t size;
    } known[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1},
                 {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
                 {"U32", 4},  {"F32", 4}, {"F64", 8}, {"I64", 8},     {"U64", 8}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(dtype, known[i].name) == 0) {
            return known[i].size;
        }
    }
    return 0;
}

/* A whole number >= 0, else false (1.0 and "1" are not whole numbers in JSON). */
static bool size_of_json(const json_t *value, int64_t *size) {
    *size = json_integer_value(value);
    return json_is_integer(value) && *size >= 0;
}

static pls_status tensor_fault(const pls_safetensors *file, const pls_tensor *tensor,
                               const char *fault) {
    return pls_fail(file->context, PLS_ERROR_DATA, "%s: tensor \"%.200s\": %s", file->path,
                    tensor->name, fault);
}

/* The shape and, in *bytes, the size that it asks for. */
static pls_status parse_shape(const pls_safetensors *file, const json_t *shape, pls_tensor *tensor,
                              int64_t *bytes) {
    if (!json_is_array(shape) || json_array_size(shape) > PLS_TENSOR_MAX_RANK) {
        return tensor_fault(file, tensor, "\"shape\" must be a list of at most 8 sizes");
    }
    tensor->rank = (int)json_array_size(shape);
    tensor->count = 1;
    for (int i = 0; i < tensor->rank; i++) {
        if (!size_of_json(json_array_get(shape, (size_t)i), &tensor->shape[i])) {
            return tensor_fault(file, tensor, "\"shape\" must hold whole numbers >= 0");
        }
        if (!pls_multiply(tensor->count, tensor->shape[i], &tensor->count)) {
            return tensor_fault(file, tensor,
                                "\"shape\" makes more elements than 64 bits can count");
        }
    }
    if (!pls_multiply(tensor->count, element_size(tensor->dtype), bytes)) {
        return tensor_fault(file, tensor, "\"shape\" makes more bytes than 64 bits can count");
    }
    return PLS_OK;
}

static pls_status parse_tensor(const pls_safetensors *file, const json_t *entry, int64_t data_start,
                               int64_t data_bytes, pls_tensor *tensor) {
    if (!json_is_object(entry)) {
        return tensor_fault(file, tensor,
                            "must be an object with \"dtype\", \"shape\" and \"data_offsets\"");
    }
    tensor->dtype = json_string_value(json_object_get(entry, "dtype"));
    if (tensor->dtype == NULL || element_size(tensor->dtype) == 0) {
        return tensor_fault(file, tensor, "\"dtype\" must be one of the format's, such as \"F32\"");
    }
    int64_t bytes = 0;
    pls_status status = parse_shape(file, json_object_get(entry, "shape"), tensor, &bytes);
    if (status != PLS_OK) {
        return status;
    }
    const json_t *offsets = json_object_get(entry, "data_offsets");
    int64_t begin = 0, end = 0;
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 ||
        !size_of_json(json_array_get(offsets, 0), &begin) ||
        !size_of_json(json_array_get(offsets, 1), &end)) {
        return tensor_fault(file, tensor, "\"data_offsets\" must be two whole numbers >= 0");
    }
    if (begin > end || end > data_bytes) {
        return pls_fail(file->context, PLS_ERROR_DATA,
                        "%s: tensor \"%.200s\": \"data_offsets\" are %lld and %lld, but must rise "
                        "and lie within the %lld bytes of data (is the file cut off?)",
                        file->path, tensor->name, (long long)begin, (long long)end,
                        (long long)data_bytes);
    }
    if (end - begin != bytes) {
        return pls_fail(file->context, PLS_ERROR_DATA,
                        "%s: tensor \"%.200s\": has %lld bytes by its \"data_offsets\", but its "
                        "\"shape\" and \"dtype\" need %lld",
                        file->path, tensor->name, (long long)(end - begin), (long long)bytes);
    }
    tensor->offset = data_start + begin;
    return PLS_OK;
}

static pls_status check_metadata(const pls_safetensors *file, json_t *metadata) {
    if (!json_is_object(metadata)) {
        return pls_fail(file->context, PLS_ERROR_DATA,
                        "%s: \"__metadata__\" must be an object of strings", file->path);
    }
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(metadata, key, value) {
        if (!json_is_string(value)) {
            return pls_fail(file->context, PLS_ERROR_DATA,
                            "%s: \"__metadata__\": the value of \"%.200s\" must be a string",
                            file->path, key);
        }
    }
    return PLS_OK;
}

static int64_t tensor_bytes(const pls_tensor *tensor) {
    return tensor->count * element_size(tensor->dtype);
}

static int compare_offsets(const void *a, const void *b) {
    const pls_tensor *s = *(const pls_tensor *const *)a, *t = *(const pls_tensor *const *)b;
    if (s->offset != t->offset) {
        return s->offset < t->offset ? -1 : 1;
    }
    int64_t difference = tensor_bytes(s) - tensor_bytes(t); /* empty tensors come first */
    return (difference > 0) - (difference < 0);
}

/* Every byte after the header belongs to exactly one tensor. */
static pls_status check_cover(const pls_safetensors *file, int64_t data_start, int64_t file_size) {
    pls_context *context = file->context;
    pls_status status = PLS_OK;
    const pls_tensor **sorted = NULL;
    PLS_TRY(context,
            pls_allocate(context, file->count, sizeof *sorted, "the order of tensors", &sorted));
    for (int64_t i = 0; i < file->count; i++) {
        sorted[i] = &file->tensors[i];
    }
    qsort(sorted, (size_t)file->count, sizeof *sorted, compare_offsets);
    int64_t covered = data_start;
    for (int64_t i = 0; i < file->count; i++) {
        if (sorted[i]->offset != covered) {
            status = tensor_fault(file, sorted[i],
                                  sorted[i]->offset < covered
                                      ? "overlaps another tensor; they must follow one another"
                                      : "leaves a hole before it; tensors must follow one another");
            goto cleanup;
        }
        covered += tensor_bytes(sorted[i]);
    }
    if (covered != file_size) {
        status = pls_fail(context, PLS_ERROR_DATA,
                          "%s: %lld bytes follow the last tensor; the file must end with it",
                          file->path, (long long)(file_size - covered));
    }
cleanup:
    pls_release(context, (void *)sorted);
    return status;
}

/* Reads header length and header. *data_start: where the tensors begin. */
static pls_status load_header(pls_safetensors *file, int64_t file_size, int64_t *data_start) {
    pls_context *context = file->context;
    pls_status status = PLS_OK;
    char *text = NULL;
    unsigned char start[8];
    if (file_size < 8) {
        return pls_fail(context, PLS_ERROR_DATA,
                        "%s: is not a safetensors file: it has %lld bytes, but at least 8 belong "
                        "to the length of the header",
                        file->path, (long long)file_size);
    }
    PLS_TRY(context, pls_input_read(context, file->path, file->stream, start, sizeof start));
    uint64_t length = pls_decode_bits(start, 8, false);
    if (length == 0 || length > (uint64_t)(file_size - 8) || length > MAX_HEADER_BYTES) {
        status = pls_fail(context, PLS_ERROR_DATA,
                          "%s: the header is said to have %llu bytes, but it must have 1 to 100 MB "
                          "and the file has only %lld more bytes (is it a safetensors file?)",
                          file->path, (unsigned long long)length, (long long)(file_size - 8));
        goto cleanup;
    }
    PLS_TRY(context, pls_allocate(context, (int64_t)length, 1, "a safetensors header", &text));
    PLS_TRY(context, pls_input_read(context, file->path, file->stream, text, (int64_t)length));
    json_error_t fault;
    file->header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &fault);
    if (file->header == NULL) {
        bool memory = json_error_code(&fault) == json_error_out_of_memory;
        status = pls_fail(context, memory ? PLS_ERROR_MEMORY : PLS_ERROR_DATA,
                          "%s: the header is not valid JSON: %s at byte %d", file->path, fault.text,
                          8 + fault.position);
    } else if (!json_is_object(file->header)) {
        status = pls_fail(context, PLS_ERROR_DATA,
                          "%s: the header must be a JSON object, one member a tensor", file->path);
    }
    *data_start = 8 + (int64_t)length;
cleanup:
    pls_release(context, text);
    return status;
}

pls_status pls_safetensors_open(pls_context *context, const char *path, pls_safetensors **out) {
    pls_status status = PLS_OK;
    pls_safetensors *file = NULL;
    int64_t file_size = 0, data_start = 0;
    PLS_TRY(context, pls_allocate(context, 1, sizeof *file, "a safetensors file", &file));
    file->context = context;
    PLS_TRY(context, pls_copy_string(context, path, &file->path));
    PLS_TRY(context, pls_input_open(context, path, &file->stream, &file_size));
    PLS_TRY(context, load_header(file, file_size, &data_start));
    PLS_TRY(context, pls_allocate(context, (int64_t)json_object_size(file->header),
                                  sizeof *file->tensors, "a list of tensors", &file->tensors));
    const char *name = NULL;
    json_t *entry = NULL;
    json_object_foreach(file->header, name, entry) {
        if (strcmp(name, metadata_key) == 0) {
            PLS_TRY(context, check_metadata(file, entry));
            continue;
        }
        pls_tensor *tensor = &file->tensors[file->count];
        tensor->name = name;
        PLS_TRY(context, parse_tensor(file, entry, data_start, file_size - data_start, tensor));
        file->count++;
    }
    PLS_TRY(context, check_cover(file, data_start, file_size));
    *out = file;
    return PLS_OK;
cleanup:
    pls_safetensors_close(file);
    return status;
}

void pls_safetensors_close(pls_safetensors *file) {
    if (file == NULL) {
        return;
    }
    pls_context *context = file->context;
    if (file->stream != NULL) {
        fclose(file->stream);
    }
    json_decref(file->header);
    pls_release(context, file->tensors);
    pls_release(context, file->path);
    pls_release(context, file);
}

int64_t pls_safetensors_count(const pls_safetensors *file) {
    return file->count;
}

const pls_tensor *pls_safetensors_at(const pls_safetensors *file, int64_t index) {
    return &file->tensors[index];
}

const pls_tensor *pls_safetensors_find(const pls_safetensors *file, const char *name) {
    for (int64_t i = 0; i < file->count; i++) {
        if (strcmp(file->tensors[i].name, name) == 0) {
            return &file->tensors[i];
        }
    }
    return NULL;
}

const char *pls_safetensors_metadata(const pls_safetensors *file, const char *key) {
    return json_string_value(json_object_get(json_object_get(file->header, metadata_key), key));
}

pls_status pls_safetensors_read(pls_safetensors *file, const pls_tensor *tensor, int64_t first,
                                int64_t count, pls_dtype dtype, void *out) {
    pls_context *context = file->context;
    pls_status status = PLS_OK;
    unsigned char piece[PLS_PIECE_BYTES];
    const bool is_float = strcmp(tensor->dtype, "F32") == 0;
    if (!is_float && strcmp(tensor->dtype, "F64") != 0) {
        return pls_fail(context, PLS_ERROR_DATA,
                        "%s: tensor \"%.200s\": has dtype %s, but F32 or F64 is needed", file->path,
                        tensor->name, tensor->dtype);
    }
    if (first < 0 || count < 0 || count > tensor->count - first) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "%s: tensor \"%.200s\": %lld elements from %lld on were asked for, but it "
                        "has %lld",
                        file->path, tensor->name, (long long)count, (long long)first,
                        (long long)tensor->count);
    }
    const int size = is_float ? 4 : 8;
    const int64_t per_piece = PLS_PIECE_BYTES / size;
    if (fseeko(file->stream, (off_t)(tensor->offset + first * size), SEEK_SET) != 0) {
        return pls_fail(context, PLS_ERROR_FILE, "%s: tensor \"%.200s\": cannot be reached",
                        file->path, tensor->name);
    }
    for (int64_t done = 0; done < count;) {
        int64_t now = count - done < per_piece ? count - done : per_piece;
        PLS_TRY(context, pls_input_read(context, file->path, file->stream, piece, now * size));
        for (int64_t i = 0; i < now; i++, done++) {
            double value = pls_decode_number(piece + i * size, 'f', size, false);
            if (!isfinite(dtype == PLS_F32 ? (float)value : value)) {
                status = pls_fail(context, PLS_ERROR_DATA,
                                  "%s: tensor \"%.200s\": element %lld is %g, but a finite %s "
                                  "number was expected",
                                  file->path, tensor->name, (long long)(first + done), value,
                                  pls_dtype_name(dtype));
                goto cleanup;
            }
            if (dtype == PLS_F32) {
                ((float *)out)[done] = (float)value;
            } else {
                ((double *)out)[done] = value;
            }
        }
    }
cleanup:
    return status;
}
