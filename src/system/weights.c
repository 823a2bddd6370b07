/* Weights of a system as safetensors files: tensor i of the system is a run of elements of w. */
#include "system/weights.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

/* Elements that travel between file and device at a time. */
enum { PIECE = 1 << 20 };

static int64_t count_tensors(const pls_system *system) {
    char name[64];
    int rank;
    int64_t shape[PLS_TENSOR_MAX_RANK], first, count = 0;
    while (system->kind->tensor(system, count, name, &rank, shape, &first)) {
        count++;
    }
    return count;
}

static int64_t elements(int rank, const int64_t *shape) {
    int64_t count = 1;
    for (int i = 0; i < rank; i++) {
        count *= shape[i];
    }
    return count;
}

static const char *shape_text(int rank, const int64_t *shape, char *text, size_t size) {
    size_t used = 0;
    snprintf(text, size, "a scalar");
    for (int i = 0; i < rank && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, i == 0 ? "%lld" : " x %lld",
                                 (long long)shape[i]);
    }
    return text;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static pls_status append_tensor(pls_system *system, int64_t first, int64_t count, void *piece,
                                pls_safetensors_writer *writer) {
    pls_context *context = system->device->context;
    pls_status status = PLS_OK;
    for (int64_t done = 0; done < count; done += PIECE) {
        int64_t n = count - done < PIECE ? count - done : PIECE;
        PLS_TRY(context,
                pls_download(system->device, pls_view_slice(system->weights, first + done, 1, n),
                             piece, n));
        PLS_TRY(context, pls_safetensors_append(writer, piece, n));
    }
cleanup:
    return status;
}

pls_status pls_weights_write(pls_system *system, const char *path, const pls_metadata *metadata,
                             int64_t metadata_count, const pls_beside_weights *beside) {
    pls_context *context = system->device->context;
    int64_t tensors = count_tensors(system);
    bool more = beside != NULL && beside->values != NULL;
    pls_tensor_plan *plans = NULL;
    char(*names)[64] = NULL;
    void *piece = NULL;
    pls_safetensors_writer *writer = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context,
            pls_allocate(context, tensors + 1, sizeof *plans, "a list of tensors", &plans));
    PLS_TRY(context, pls_allocate(context, tensors, sizeof *names, "names of tensors", &names));
    PLS_TRY(context, pls_allocate(context, PIECE, (size_t)pls_dtype_size(system->precision),
                                  "weights on their way to a file", &piece));
    for (int64_t i = 0; i < tensors; i++) {
        int64_t first;
        system->kind->tensor(system, i, names[i], &plans[i].rank, plans[i].shape, &first);
        plans[i].name = names[i];
        plans[i].dtype = system->precision;
    }
    if (more) {
        plans[tensors] =
            (pls_tensor_plan){beside->name, PLS_F64, 2, {beside->rows, beside->columns}};
    }
    PLS_TRY(context, pls_safetensors_create(context, path, plans, tensors + more, metadata,
                                            metadata_count, &writer));
    for (int64_t i = 0; i < tensors; i++) {
        int64_t first;
        system->kind->tensor(system, i, names[i], &plans[i].rank, plans[i].shape, &first);
        PLS_TRY(context, append_tensor(system, first, elements(plans[i].rank, plans[i].shape),
                                       piece, writer));
    }
    if (more) {
        PLS_TRY(context,
                pls_safetensors_append(writer, beside->values, beside->rows * beside->columns));
    }
    status = pls_safetensors_commit(writer);
    writer = NULL;
    PLS_TRY(context, status);
cleanup:
    pls_safetensors_discard(writer);
    pls_release(context, piece);
    pls_release(context, names);
    pls_release(context, plans);
    return status;
}

pls_status pls_system_save_weights(pls_system *system, const char *path) {
    pls_metadata metadata = {"format", "pt"};
    return pls_weights_write(system, path, &metadata, 1, NULL);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

/* Data, and what a checkpoint holds beside the weights. */
static bool is_no_weight(const pls_tensor *tensor) {
    return strcmp(tensor->name, "inputs") == 0 || strcmp(tensor->name, "targets") == 0 ||
           strncmp(tensor->name, "checkpoint.", 11) == 0;
}

/* The next tensor from *cursor on that is a weight; NULL past the end. */
static const pls_tensor *next_in_order(const pls_safetensors *file, int64_t *cursor) {
    while (*cursor < pls_safetensors_count(file)) {
        const pls_tensor *tensor = pls_safetensors_at(file, (*cursor)++);
        if (!is_no_weight(tensor)) {
            return tensor;
        }
    }
    return NULL;
}

static pls_status check_shape(pls_context *context, const char *path, const pls_tensor *tensor,
                              const char *name, int rank, const int64_t *shape) {
    if (tensor->rank == rank && memcmp(tensor->shape, shape, (size_t)rank * sizeof *shape) == 0) {
        return PLS_OK;
    }
    char found[128], expected[128];
    return pls_fail(context, PLS_ERROR_DATA,
                    "%s: tensor '%s' has the shape %s, but the model's %s is %s", path,
                    tensor->name, shape_text(tensor->rank, tensor->shape, found, sizeof found),
                    name, shape_text(rank, shape, expected, sizeof expected));
}

static pls_status read_tensor(pls_system *system, pls_safetensors *file, const pls_tensor *tensor,
                              int64_t first, void *piece) {
    pls_context *context = system->device->context;
    pls_status status = PLS_OK;
    for (int64_t done = 0; done < tensor->count; done += PIECE) {
        int64_t n = tensor->count - done < PIECE ? tensor->count - done : PIECE;
        PLS_TRY(context, pls_safetensors_read(file, tensor, done, n, system->precision, piece));
        PLS_TRY(context, pls_upload(system->device, piece, n,
                                    pls_view_slice(system->weights, first + done, 1, n)));
    }
cleanup:
    return status;
}

static bool is_expected(const pls_system *system, const char *name) {
    char expected[64];
    int rank;
    int64_t shape[PLS_TENSOR_MAX_RANK], first;
    for (int64_t i = 0; system->kind->tensor(system, i, expected, &rank, shape, &first); i++) {
        if (strcmp(name, expected) == 0) {
            return true;
        }
    }
    return false;
}

/* Weights of layers that the model does not have say that it is not the model of this file. */
static pls_status check_none_left(const pls_system *system, const pls_safetensors *file,
                                  const char *path) {
    pls_context *context = system->device->context;
    for (int64_t i = 0; i < pls_safetensors_count(file); i++) {
        const pls_tensor *tensor = pls_safetensors_at(file, i);
        if (is_no_weight(tensor) || is_expected(system, tensor->name)) {
            continue;
        }
        if (strncmp(tensor->name, "layers.", 7) == 0) {
            return pls_fail(context, PLS_ERROR_DATA,
                            "%s: tensor '%s' is left over; the model has no place for it", path,
                            tensor->name);
        }
        pls_log(context, PLS_LOG_WARNING, "%s: tensor '%s' is passed over", path, tensor->name);
    }
    return PLS_OK;
}

/* Finds every tensor and checks its shape; with a piece of memory also reads it. */
static pls_status walk(pls_system *system, pls_safetensors *file, const char *path, bool in_order,
                       void *piece) {
    pls_context *context = system->device->context;
    char name[64];
    int rank;
    int64_t shape[PLS_TENSOR_MAX_RANK], first, cursor = 0;
    pls_status status = PLS_OK;
    for (int64_t i = 0; system->kind->tensor(system, i, name, &rank, shape, &first); i++) {
        const pls_tensor *tensor =
            in_order ? next_in_order(file, &cursor) : pls_safetensors_find(file, name);
        if (tensor == NULL) {
            status = pls_fail(context, PLS_ERROR_DATA, "%s: there is no tensor %s%s%s", path,
                              in_order ? "left for " : "", name,
                              in_order ? "" : "; for files with other names use --tensor-order");
            goto cleanup;
        }
        PLS_TRY(context, check_shape(context, path, tensor, name, rank, shape));
        if (piece != NULL) {
            PLS_TRY(context, read_tensor(system, file, tensor, first, piece));
        }
    }
    const pls_tensor *extra = in_order ? next_in_order(file, &cursor) : NULL;
    if (extra != NULL) {
        status = pls_fail(context, PLS_ERROR_DATA,
                          "%s: tensor '%s' is left over; the model has no place for it", path,
                          extra->name);
    }
cleanup:
    return status;
}

pls_status pls_weights_read(pls_system *system, pls_safetensors *file, const char *path,
                            bool in_order) {
    pls_context *context = system->device->context;
    void *piece = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, walk(system, file, path, in_order, NULL)); /* all or nothing */
    if (!in_order) {
        PLS_TRY(context, check_none_left(system, file, path));
    }
    PLS_TRY(context, pls_allocate(context, PIECE, (size_t)pls_dtype_size(system->precision),
                                  "weights on their way from a file", &piece));
    pls_system_moved(system);
    PLS_TRY(context, walk(system, file, path, in_order, piece));
cleanup:
    pls_release(context, piece);
    return status;
}

pls_status pls_system_load_weights(pls_system *system, const char *path, bool in_order) {
    pls_context *context = system->device->context;
    pls_safetensors *file = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_safetensors_open(context, path, &file));
    PLS_TRY(context, pls_weights_read(system, file, path, in_order));
cleanup:
    pls_safetensors_close(file);
    return status;
}
