/* Writing of safetensors files: the header is made from a plan, then the elements follow in the
 * plan's order. The header is padded with spaces to a multiple of 8 bytes, so that the tensors are
 * aligned when the file is mapped. Little-endian hosts are assumed. */
#include "data/safetensors.h"

#include "base/memory.h"
#include "base/output.h"

#include <jansson.h>
#include <string.h>

/* What is still to be appended of each tensor. */
typedef struct remainder {
    pls_dtype dtype;
    int64_t count;
} remainder;

struct pls_safetensors_writer {
    pls_context *context;
    pls_output *output;
    remainder *remainders;
    int64_t tensor_count;
    int64_t current;
};

/* jansson gives NULL without memory and for text that is not UTF-8 alike. */
static pls_status json_fault(pls_context *context, const char *path) {
    return pls_fail(context, PLS_ERROR_MEMORY,
                    "%s: the header cannot be made: a name is not UTF-8, or memory ran out", path);
}

/* *end = begin + bytes of the planned tensor. */
static pls_status measure(pls_context *context, const char *path, const pls_tensor_plan *plan,
                          int64_t begin, int64_t *count, int64_t *end) {
    bool valid = plan->rank >= 0 && plan->rank <= PLS_TENSOR_MAX_RANK;
    *count = 1;
    for (int i = 0; valid && i < plan->rank; i++) {
        valid = plan->shape[i] >= 0 && pls_multiply(*count, plan->shape[i], count);
    }
    valid = valid && pls_multiply(*count, pls_dtype_size(plan->dtype), end) &&
            pls_add(*end, begin, end);
    if (!valid) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "%s: tensor \"%.200s\": the shape must have 0 to 8 dimensions >= 0 and "
                        "64 bits must count its bytes",
                        path, plan->name);
    }
    return PLS_OK;
}

static json_t *entry_of_plan(const pls_tensor_plan *plan, int64_t begin, int64_t end) {
    json_t *shape = json_array();
    for (int i = 0; i < plan->rank; i++) {
        if (json_array_append_new(shape, json_integer(plan->shape[i])) != 0) {
            json_decref(shape);
            return NULL;
        }
    }
    /* json_pack takes the shape over, also when it fails. */
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", plan->dtype == PLS_F32 ? "F32" : "F64",
                     "shape", shape, "data_offsets", (json_int_t)begin, (json_int_t)end);
}

static pls_status build_header(pls_safetensors_writer *writer, const char *path,
                               const pls_tensor_plan *tensors, const pls_metadata *metadata,
                               int64_t metadata_count, json_t *header) {
    pls_context *context = writer->context;
    pls_status status = PLS_OK;
    if (metadata_count > 0) {
        json_t *members = json_object();
        if (json_object_set_new(header, "__metadata__", members) != 0) {
            return json_fault(context, path);
        }
        for (int64_t i = 0; i < metadata_count; i++) {
            if (json_object_set_new(members, metadata[i].key, json_string(metadata[i].value)) !=
                0) {
                return json_fault(context, path);
            }
        }
    }
    int64_t begin = 0;
    for (int64_t i = 0; i < writer->tensor_count; i++) {
        const pls_tensor_plan *plan = &tensors[i];
        int64_t end = 0;
        PLS_TRY(context, measure(context, path, plan, begin, &writer->remainders[i].count, &end));
        writer->remainders[i].dtype = plan->dtype;
        if (strcmp(plan->name, "__metadata__") == 0 ||
            json_object_get(header, plan->name) != NULL) {
            status = pls_fail(context, PLS_ERROR_ARGUMENT,
                              "%s: tensor \"%.200s\": the name is taken; each needs its own", path,
                              plan->name);
            goto cleanup;
        }
        if (json_object_set_new(header, plan->name, entry_of_plan(plan, begin, end)) != 0) {
            return json_fault(context, path);
        }
        begin = end;
    }
cleanup:
    return status;
}

static pls_status write_header(pls_safetensors_writer *writer, const char *path,
                               const json_t *header) {
    pls_context *context = writer->context;
    char *text = NULL;
    pls_status status = PLS_OK;
    size_t length = json_dumpb(header, NULL, 0, JSON_COMPACT);
    if (length == 0) {
        return json_fault(context, path);
    }
    const size_t padded = (length + 7) / 8 * 8;
    PLS_TRY(context, pls_allocate(context, (int64_t)padded, 1, "a safetensors header", &text));
    memset(text, ' ', padded);
    if (json_dumpb(header, text, padded, JSON_COMPACT) != length) {
        status = json_fault(context, path);
        goto cleanup;
    }
    FILE *stream = pls_output_stream(writer->output);
    for (int i = 0; i < 8; i++) {
        fputc((int)((uint64_t)padded >> (8 * i) & 0xff), stream);
    }
    fwrite(text, 1, padded, stream);
cleanup:
    pls_release(context, text);
    return status;
}

pls_status pls_safetensors_create(pls_context *context, const char *path,
                                  const pls_tensor_plan *tensors, int64_t tensor_count,
                                  const pls_metadata *metadata, int64_t metadata_count,
                                  pls_safetensors_writer **out) {
    pls_status status = PLS_OK;
    pls_safetensors_writer *writer = NULL;
    json_t *header = json_object();
    if (header == NULL) {
        return json_fault(context, path);
    }
    PLS_TRY(context, pls_allocate(context, 1, sizeof *writer, "a safetensors writer", &writer));
    writer->context = context;
    writer->tensor_count = tensor_count;
    PLS_TRY(context, pls_allocate(context, tensor_count, sizeof *writer->remainders,
                                  "a list of tensors", &writer->remainders));
    PLS_TRY(context, build_header(writer, path, tensors, metadata, metadata_count, header));
    PLS_TRY(context, pls_output_open(context, path, &writer->output));
    PLS_TRY(context, write_header(writer, path, header));
    *out = writer;
    writer = NULL;
cleanup:
    json_decref(header);
    pls_safetensors_discard(writer);
    return status;
}

/* Goes to the first tensor that lacks elements; false behind the last. */
static bool find_current(pls_safetensors_writer *writer) {
    while (writer->current < writer->tensor_count &&
           writer->remainders[writer->current].count == 0) {
        writer->current++;
    }
    return writer->current < writer->tensor_count;
}

pls_status pls_safetensors_append(pls_safetensors_writer *writer, const void *data, int64_t count) {
    remainder *rest = find_current(writer) ? &writer->remainders[writer->current] : NULL;
    int64_t missing = rest != NULL ? rest->count : 0;
    if (count < 0 || count > missing) {
        return pls_fail(writer->context, PLS_ERROR_ARGUMENT,
                        "%lld elements were appended to tensor %lld of a safetensors file, which "
                        "lacks %lld",
                        (long long)count, (long long)writer->current, (long long)missing);
    }
    if (count > 0) {
        pls_output_write(writer->output, data, (size_t)(pls_dtype_size(rest->dtype) * count));
        rest->count -= count;
    }
    return PLS_OK;
}

pls_status pls_safetensors_commit(pls_safetensors_writer *writer) {
    pls_context *context = writer->context;
    pls_status status = PLS_OK;
    if (find_current(writer)) {
        status = pls_fail(context, PLS_ERROR_ARGUMENT,
                          "a safetensors file was closed while tensor %lld lacks %lld elements",
                          (long long)writer->current,
                          (long long)writer->remainders[writer->current].count);
        goto cleanup;
    }
    pls_output *output = writer->output;
    writer->output = NULL;
    PLS_TRY(context, pls_output_commit(output));
cleanup:
    pls_safetensors_discard(writer);
    return status;
}

void pls_safetensors_discard(pls_safetensors_writer *writer) {
    if (writer != NULL) {
        pls_output_discard(writer->output);
        pls_release(writer->context, writer->remainders);
        pls_release(writer->context, writer);
    }
}
