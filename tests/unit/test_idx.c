/* IDX files, plain, compressed and in memory, and everything that can be wrong with one. */
#include "support.h"

#include "data/digits.h"
#include "data/idx.h"

#include <zlib.h>

static support_folder folder;

static void make_folder(void) {
    folder = support_folder_create();
}

static void remove_folder(void) {
    support_folder_destroy(&folder);
}

TestSuite(idx, .init = make_folder, .fini = remove_folder);

static const char *write_gz(const char *name, const void *bytes, size_t size) {
    const char *path = support_path(&folder, name);
    gzFile stream = gzopen(path, "wb");
    cr_assert_eq(gzwrite(stream, bytes, (unsigned)size), (int)size);
    gzclose(stream);
    return path;
}

/* Three samples of 2 x 2 unsigned bytes. */
static const unsigned char sample[] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0,   2, 0, 0,
                                       0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 255, 0, 9, 10};

static void expect_sample(pls_context *context, pls_idx *idx) {
    double row[4];
    cr_assert_eq(idx->rank, 3);
    cr_assert_eq(idx->shape[0], 3);
    cr_assert_eq(idx->shape[2], 2);
    cr_assert_eq(idx->row_count, 4);
    cr_assert_eq(idx->pixel_maximum, 255);
    cr_assert(idx->is_integer);
    static const int rows[] = {0, 2, 1, 1};
    for (int i = 0; i < 4; i++) {
        SUPPORT_EXPECT_OK(context, pls_idx_read_row(idx, rows[i], row));
        for (int j = 0; j < 4; j++) {
            cr_assert_eq(row[j], sample[16 + 4 * rows[i] + j]);
        }
    }
    pls_idx_close(idx);
}

Test(idx, plain_compressed_and_memory_are_the_same) {
    pls_context *context = support_context(NULL);
    pls_idx idx;
    const char *path = support_write(&folder, "x.idx", sample, sizeof sample);
    SUPPORT_EXPECT_OK(context, pls_idx_open(context, path, &idx));
    expect_sample(context, &idx);
    path = write_gz("x.idx.gz", sample, sizeof sample);
    SUPPORT_EXPECT_OK(context, pls_idx_open(context, path, &idx));
    expect_sample(context, &idx);
    SUPPORT_EXPECT_OK(context, pls_idx_open_memory(context, "memory", sample, sizeof sample, &idx));
    expect_sample(context, &idx);
    pls_idx_close(&idx); /* again does nothing */
    pls_context_destroy(context);
}

Test(idx, every_type) {
    static const struct {
        unsigned char bytes[24];
        size_t size;
        double expected[2];
        bool is_integer;
    } cases[] = {
        {{0, 0, 0x08, 1, 0, 0, 0, 2, 1, 255}, 10, {1, 255}, true},
        {{0, 0, 0x09, 1, 0, 0, 0, 2, 1, 255}, 10, {1, -1}, true},
        {{0, 0, 0x0b, 1, 0, 0, 0, 2, 1, 0, 255, 254}, 12, {256, -2}, true},
        {{0, 0, 0x0c, 1, 0, 0, 0, 2, 0, 1, 0, 0, 255, 255, 255, 253}, 16, {65536, -3}, true},
        {{0, 0, 0x0d, 1, 0, 0, 0, 2, 0x3f, 0xc0, 0, 0, 0xc0}, 16, {1.5, -2}, false},
        {{0, 0, 0x0e, 1, 0, 0, 0, 2, 0x3f, 0xf8, [16] = 0xc0}, 24, {1.5, -2}, false},
    };
    pls_context *context = support_context(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pls_idx idx;
        SUPPORT_EXPECT_OK(
            context, pls_idx_open_memory(context, "memory", cases[i].bytes, cases[i].size, &idx));
        for (int row = 0; row < 2; row++) {
            double value = 0;
            SUPPORT_EXPECT_OK(context, pls_idx_read_row(&idx, row, &value));
            cr_assert_eq(value, cases[i].expected[row], "case %zu", i);
        }
        cr_assert_eq(idx.is_integer, cases[i].is_integer);
        cr_assert_eq(idx.pixel_maximum, i == 0 ? 255 : 0);
        pls_idx_close(&idx);
    }
    pls_context_destroy(context);
}

Test(idx, a_long_row_passes_in_pieces) {
    enum { COUNT = 100000 };
    pls_context *context = support_context(NULL);
    unsigned char *bytes = calloc(1, 12 + COUNT);
    double *row = calloc(COUNT, sizeof *row);
    memcpy(bytes, "\0\0\x08\x02\0\0\0\x01\0\x01\x86\xa0", 12);
    for (int i = 0; i < COUNT; i++) {
        bytes[12 + i] = (unsigned char)(i % 251);
    }
    pls_idx idx;
    SUPPORT_EXPECT_OK(context, pls_idx_open(context, write_gz("x.gz", bytes, 12 + COUNT), &idx));
    SUPPORT_EXPECT_OK(context, pls_idx_read_row(&idx, 0, row));
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(row[i], i % 251);
    }
    pls_idx_close(&idx);
    free(bytes);
    free(row);
    pls_context_destroy(context);
}

Test(idx, malformed_files_are_refused) {
    static const struct {
        const char *bytes;
        size_t size;
        const char *sentence;
    } cases[] = {
        {"", 0, "not an IDX file"},
        {"\0\0\x08", 3, "not an IDX file"},
        {"\x01\0\x08\x01\0\0\0\x01x", 9, "not an IDX file"},
        {"\0\x01\x08\x01\0\0\0\x01x", 9, "not an IDX file"},
        {"\0\0\x0a\x01\0\0\0\x01x", 9, "not an IDX file"},
        {"\0\0\x08\x00", 4, "0 dimensions"},
        {"\0\0\x08\x09", 4, "9 dimensions"},
        {"\0\0\x08\x02\0\0\0\x01\0\0\0", 11, "within its header"},
        {"\0\0\x08\x01\0\0\0\x02x", 9, "promises 2 samples in 10 bytes, but there are fewer"},
        {"\0\0\x08\x01\0\0\0\x02xyz", 11, "promises 2 samples in 10 bytes, but there are more"},
        {"\0\0\x08\x01\xff\xff\xff\xffx", 9, "promises 4294967295 samples"},
        {"\0\0\x0e\x02\xff\xff\xff\xff\xff\xff\xff\xffx", 13, "64 bits"},
        {"\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffx", 17, "64 bits"},
        {"\0\0\x08\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffx", 21,
         "64 bits"},
    };
    pls_context *context = support_context(NULL);
    pls_idx idx;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *path = support_write(&folder, "bad.idx", cases[i].bytes, cases[i].size);
        SUPPORT_EXPECT_ERROR(context, pls_idx_open(context, path, &idx), PLS_ERROR_DATA,
                             cases[i].sentence);
        SUPPORT_EXPECT_ERROR(context, pls_idx_open(context, path, &idx), PLS_ERROR_DATA,
                             "bad.idx: ");
        if (cases[i].size > 0) {
            path = write_gz("bad.gz", cases[i].bytes, cases[i].size);
            SUPPORT_EXPECT_ERROR(context, pls_idx_open(context, path, &idx), PLS_ERROR_DATA,
                                 cases[i].sentence);
        }
    }
    SUPPORT_EXPECT_ERROR(context, pls_idx_open(context, "/nowhere/x", &idx), PLS_ERROR_FILE,
                         "/nowhere/x");
    SUPPORT_EXPECT_ERROR(context, pls_idx_open(context, folder.path, &idx), PLS_ERROR_FILE,
                         "not a regular file");
    pls_context_destroy(context);
}

Test(idx, damaged_compression_is_refused) {
    pls_context *context = support_context(NULL);
    pls_idx idx;
    size_t size = 0;
    unsigned char *bytes =
        support_read(write_gz("x.gz", pls_digits_images, pls_digits_images_size), &size);
    const char *path = support_write(&folder, "cut.gz", bytes, size - 100);
    SUPPORT_EXPECT_ERROR(context, pls_idx_open(context, path, &idx), PLS_ERROR_DATA,
                         "cut.gz: the compressed data is damaged or cut off");
    bytes[size / 2] ^= 0x55;
    path = support_write(&folder, "cut.gz", bytes, size);
    SUPPORT_EXPECT_ERROR(context, pls_idx_open(context, path, &idx), PLS_ERROR_DATA, "cut.gz: ");
    free(bytes);
    pls_context_destroy(context);
}

/* A file that shrinks between opening and reading. */
Test(idx, a_shrinking_file_is_noticed) {
    pls_context *context = support_context(NULL);
    const char *path = support_write(&folder, "x.idx", pls_digits_images, pls_digits_images_size);
    pls_idx idx;
    double row[64];
    SUPPORT_EXPECT_OK(context, pls_idx_open(context, path, &idx));
    cr_assert_eq(truncate(path, 100000), 0);
    SUPPORT_EXPECT_ERROR(context, pls_idx_read_row(&idx, 1796, row), PLS_ERROR_FILE,
                         "ends within sample 1796");
    pls_idx_close(&idx);
    pls_context_destroy(context);
}

static pls_status open_and_read(pls_context *context, const char *path) {
    pls_idx idx = {0};
    pls_status status = pls_idx_open(context, path, &idx);
    double row[64];
    if (status == PLS_OK && idx.row_count <= 64 && idx.shape[0] > 0) {
        status = pls_idx_read_row(&idx, idx.shape[0] - 1, row);
    }
    pls_idx_close(&idx);
    return status;
}

static pls_status open_sample(pls_context *context, void *user) {
    return open_and_read(context, user);
}

Test(idx, every_allocation_may_fail) {
    char path[192];
    strcpy(path, support_write(&folder, "x.idx", sample, sizeof sample));
    support_fail_each_allocation(open_sample, path);
}

Test(idx, mutated_files_are_read_or_refused) {
    support_mutate(&folder, "x.idx", sample, sizeof sample, open_and_read);
    size_t size = 0;
    unsigned char *bytes = support_read(write_gz("x.gz", sample, sizeof sample), &size);
    support_mutate(&folder, "x.gz", bytes, size, open_and_read);
    free(bytes);
}
