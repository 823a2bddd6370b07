/* IDX files through zlib, which reads plain files too, or from memory. */
#include "data/idx.h"

#include "base/memory.h"
#include "data/bytes.h"
#include "data/input.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

struct pls_idx_content {
    pls_context *context;
    char *name;
    gzFile stream;               /* or, where it is NULL, */
    const unsigned char *memory; /* bytes of the caller */
    int64_t size;                /* of memory or of the file as it lies on the disk */
    int64_t position;
    int64_t data_start;
    char kind; /* of elements, as in data/bytes.h */
    int element_size;
};

static pls_status read_fault(struct pls_idx_content *content) {
    int code = Z_OK;
    const char *reason = gzerror(content->stream, &code);
    if (code == Z_MEM_ERROR) {
        return pls_fail(content->context, PLS_ERROR_MEMORY, "%s: no memory to decompress it",
                        content->name);
    }
    if (code == Z_ERRNO) {
        return pls_fail(content->context, PLS_ERROR_FILE, "%s: cannot be read: %s", content->name,
                        strerror(errno));
    }
    return pls_fail(content->context, PLS_ERROR_DATA,
                    "%s: the compressed data is damaged or cut off: %s", content->name, reason);
}

/* *got = bytes read, fewer than asked for only at the end. */
static pls_status read_some(struct pls_idx_content *content, void *buffer, int bytes, int *got) {
    if (content->stream == NULL) {
        int64_t left = content->size - content->position;
        *got = left < bytes ? (int)left : bytes;
        memcpy(buffer, content->memory + content->position, (size_t)*got);
    } else {
        *got = gzread(content->stream, buffer, (unsigned)bytes);
        int code = Z_OK;
        gzerror(content->stream, &code);
        if (*got < 0 || (*got < bytes && code != Z_OK && code != Z_STREAM_END)) {
            return read_fault(content);
        }
    }
    content->position += *got;
    return PLS_OK;
}

static pls_status move_to(struct pls_idx_content *content, int64_t position) {
    if (content->stream != NULL && content->position != position &&
        gzseek(content->stream, (z_off_t)position, SEEK_SET) < 0) {
        return read_fault(content);
    }
    content->position = position;
    return PLS_OK;
}

static bool set_type(struct pls_idx_content *content, int type) {
    static const struct {
        int code;
        char kind;
        int size;
    } types[] = {{0x08, 'u', 1}, {0x09, 'i', 1}, {0x0b, 'i', 2},
                 {0x0c, 'i', 4}, {0x0d, 'f', 4}, {0x0e, 'f', 8}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].code == type) {
            content->kind = types[i].kind;
            content->element_size = types[i].size;
            return true;
        }
    }
    return false;
}

/* *promised = bytes of the whole content by its header. */
static pls_status read_header(pls_idx *idx, int64_t *promised) {
    struct pls_idx_content *content = idx->content;
    pls_context *context = content->context;
    pls_status status = PLS_OK;
    unsigned char bytes[4 + 4 * PLS_IDX_MAX_RANK];
    int got = 0;
    PLS_TRY(context, read_some(content, bytes, 4, &got));
    if (got < 4 || bytes[0] != 0 || bytes[1] != 0 || !set_type(content, bytes[2])) {
        status = pls_fail(context, PLS_ERROR_DATA,
                          "%s: is not an IDX file: it must begin with 00 00, a type (08, 09, 0B to "
                          "0E) and the number of dimensions",
                          content->name);
        goto cleanup;
    }
    idx->rank = bytes[3];
    if (idx->rank < 1 || idx->rank > PLS_IDX_MAX_RANK) {
        status = pls_fail(context, PLS_ERROR_DATA, "%s: has %d dimensions; 1 to %d are read",
                          content->name, idx->rank, PLS_IDX_MAX_RANK);
        goto cleanup;
    }
    PLS_TRY(context, read_some(content, bytes, 4 * idx->rank, &got));
    if (got < 4 * idx->rank) {
        status = pls_fail(context, PLS_ERROR_DATA, "%s: ends within its header", content->name);
        goto cleanup;
    }
    idx->row_count = 1;
    bool countable = true;
    for (int i = 0; i < idx->rank; i++) {
        idx->shape[i] = (int64_t)pls_decode_bits(bytes + 4 * i, 4, true);
        countable =
            countable && (i == 0 || pls_multiply(idx->row_count, idx->shape[i], &idx->row_count));
    }
    content->data_start = content->position;
    if (!countable || !pls_multiply(idx->row_count, idx->shape[0], promised) ||
        !pls_multiply(*promised, content->element_size, promised) ||
        !pls_add(*promised, content->data_start, promised)) {
        status =
            pls_fail(context, PLS_ERROR_DATA,
                     "%s: its dimensions make more bytes than 64 bits can count", content->name);
        goto cleanup;
    }
    idx->is_integer = content->kind != 'f';
    idx->pixel_maximum = content->kind == 'u' ? 255 : 0;
cleanup:
    return status;
}

/* *size = bytes of the content, or something above `promised` where there are more than that. */
static pls_status measure(struct pls_idx_content *content, int64_t promised, int64_t *size) {
    pls_status status = PLS_OK;
    if (content->stream == NULL || gzdirect(content->stream)) {
        *size = content->size;
        return PLS_OK;
    }
    unsigned char piece[PLS_PIECE_BYTES];
    for (int got = 1; got > 0 && content->position <= promised;) {
        PLS_TRY(content->context, read_some(content, piece, sizeof piece, &got));
    }
    *size = content->position;
cleanup:
    return status;
}

static pls_status open_content(pls_idx *idx) {
    struct pls_idx_content *content = idx->content;
    pls_context *context = content->context;
    pls_status status = PLS_OK;
    int64_t promised = 0, size = 0;
    PLS_TRY(context, read_header(idx, &promised));
    PLS_TRY(context, measure(content, promised, &size));
    if (size != promised) {
        status = pls_fail(context, PLS_ERROR_DATA,
                          "%s: the header promises %lld samples in %lld bytes, but there are %s "
                          "(%s%lld bytes)",
                          content->name, (long long)idx->shape[0], (long long)promised,
                          size < promised ? "fewer" : "more", size > promised ? "at least " : "",
                          (long long)size);
    }
cleanup:
    return status;
}

static pls_status create_content(pls_context *context, const char *name, pls_idx *idx) {
    pls_status status = PLS_OK;
    memset(idx, 0, sizeof *idx);
    PLS_TRY(context, pls_allocate(context, 1, sizeof *idx->content, "an IDX file", &idx->content));
    idx->content->context = context;
    PLS_TRY(context, pls_copy_string(context, name, &idx->content->name));
cleanup:
    return status;
}

pls_status pls_idx_open(pls_context *context, const char *path, pls_idx *idx) {
    pls_status status = PLS_OK;
    PLS_TRY(context, create_content(context, path, idx));
    PLS_TRY(context, pls_input_size(context, path, &idx->content->size));
    errno = 0;
    idx->content->stream = gzopen(path, "rb");
    if (idx->content->stream == NULL) {
        status = pls_fail(context, errno == ENOMEM ? PLS_ERROR_MEMORY : PLS_ERROR_FILE,
                          "%s: cannot be read: %s", path, strerror(errno));
        goto cleanup;
    }
    PLS_TRY(context, open_content(idx));
    return PLS_OK;
cleanup:
    pls_idx_close(idx);
    return status;
}

pls_status pls_idx_open_memory(pls_context *context, const char *name, const unsigned char *bytes,
                               size_t size, pls_idx *idx) {
    pls_status status = PLS_OK;
    PLS_TRY(context, create_content(context, name, idx));
    idx->content->memory = bytes;
    idx->content->size = (int64_t)size;
    PLS_TRY(context, open_content(idx));
    return PLS_OK;
cleanup:
    pls_idx_close(idx);
    return status;
}

pls_status pls_idx_read_row(pls_idx *idx, int64_t row, double *out) {
    struct pls_idx_content *content = idx->content;
    pls_context *context = content->context;
    pls_status status = PLS_OK;
    unsigned char piece[PLS_PIECE_BYTES];
    const int size = content->element_size;
    const int64_t per_piece = PLS_PIECE_BYTES / size;
    PLS_TRY(context, move_to(content, content->data_start + row * idx->row_count * size));
    for (int64_t done = 0; done < idx->row_count;) {
        int64_t left = idx->row_count - done;
        int now = (int)(left < per_piece ? left : per_piece), got = 0;
        PLS_TRY(context, read_some(content, piece, now * size, &got));
        if (got < now * size) {
            status = pls_fail(context, PLS_ERROR_FILE, "%s: ends within sample %lld", content->name,
                              (long long)row);
            goto cleanup;
        }
        for (int i = 0; i < now; i++, done++) {
            out[done] = pls_decode_number(piece + i * size, content->kind, size, true);
        }
    }
cleanup:
    return status;
}

void pls_idx_close(pls_idx *idx) {
    struct pls_idx_content *content = idx->content;
    if (content != NULL) {
        if (content->stream != NULL) {
            gzclose(content->stream);
        }
        pls_release(content->context, content->name);
        pls_release(content->context, content);
    }
    memset(idx, 0, sizeof *idx);
}
