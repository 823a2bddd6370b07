/* .npy files: round trips, what NumPy writes, and everything that can be wrong with one. */
#include "support.h"

#include "base/memory.h"
#include "data/npy.h"

static support_folder folder;

static void make_folder(void) {
    folder = support_folder_create();
}

static void remove_folder(void) {
    support_folder_destroy(&folder);
}

TestSuite(npy, .init = make_folder, .fini = remove_folder);

/* A file of version 1, 2 or 3 with this header and these elements. */
static size_t make(unsigned char *file, int version, const char *header, const void *elements,
                   size_t bytes) {
    size_t length = strlen(header), preamble = version == 1 ? 10 : 12;
    memset(file, 0, preamble);
    memcpy(file, "\x93NUMPY", 6);
    file[6] = (unsigned char)version;
    file[8] = (unsigned char)(length & 0xff);
    file[9] = (unsigned char)(length >> 8);
    memcpy(file + preamble, header, length);
    memcpy(file + preamble + length, elements, bytes);
    return preamble + length + bytes;
}

static pls_status read_made(pls_context *context, int version, const char *header,
                            const void *elements, size_t bytes, pls_npy_array *array) {
    unsigned char file[4096];
    size_t size = make(file, version, header, elements, bytes);
    return pls_npy_read(context, support_write(&folder, "array.npy", file, size), array);
}

Test(npy, round_trip_of_every_rank) {
    pls_context *context = support_context(NULL);
    const int64_t shape[] = {2, 3, 1, 2, 1, 1, 1, 2};
    double values[24];
    for (int i = 0; i < 24; i++) {
        values[i] = i / 7.0 - 1;
    }
    for (int rank = 0; rank <= 8; rank++) {
        const char *path = support_path(&folder, "array.npy");
        pls_npy_array array;
        SUPPORT_EXPECT_OK(context, pls_npy_write(context, path, values, rank, shape));
        SUPPORT_EXPECT_OK(context, pls_npy_read(context, path, &array));
        cr_assert_eq(array.rank, rank);
        cr_assert(memcmp(array.shape, shape, (size_t)rank * sizeof *shape) == 0);
        cr_assert(memcmp(array.values, values, (size_t)array.count * sizeof *values) == 0);
        cr_assert(!array.is_integer);
        pls_release(context, array.values);
    }
    size_t size = 0;
    unsigned char *bytes = support_read(folder.file, &size);
    size_t data = 10 + (size_t)bytes[8] + 256 * (size_t)bytes[9];
    cr_assert_eq(data % 64, 0, "the elements begin at byte %zu", data);
    cr_assert_eq(bytes[data - 1], '\n');
    cr_assert(strstr((char *)bytes + 10, "'shape': (2, 3, 1, 2, 1, 1, 1, 2), }") != NULL);
    free(bytes);
    pls_context_destroy(context);
}

Test(npy, a_large_array_passes_in_pieces) {
    pls_context *context = support_context(NULL);
    const int64_t count = 10001, shape[] = {count};
    double *values = malloc(sizeof *values * (size_t)count);
    for (int64_t i = 0; i < count; i++) {
        values[i] = (double)i;
    }
    pls_npy_writer *writer = NULL;
    const char *path = support_path(&folder, "array.npy");
    SUPPORT_EXPECT_OK(context, pls_npy_create(context, path, 1, shape, &writer));
    SUPPORT_EXPECT_OK(context, pls_npy_append(writer, values, 1));
    SUPPORT_EXPECT_OK(context, pls_npy_append(writer, values + 1, count - 1));
    SUPPORT_EXPECT_OK(context, pls_npy_commit(writer));
    pls_npy_array array;
    SUPPORT_EXPECT_OK(context, pls_npy_read(context, path, &array));
    cr_assert(memcmp(array.values, values, sizeof *values * (size_t)count) == 0);
    pls_release(context, array.values);
    free(values);
    pls_context_destroy(context);
}

Test(npy, every_type_in_both_byte_orders) {
    static const struct {
        const char *descr;
        unsigned char bytes[16];
        size_t size;
        double expected[2];
        bool is_integer;
    } cases[] = {
        {"|b1", {0, 1}, 2, {0, 1}, true},
        {"|u1", {3, 255}, 2, {3, 255}, true},
        {"|i1", {3, 255}, 2, {3, -1}, true},
        {"<u2", {1, 2, 255, 255}, 4, {513, 65535}, true},
        {">u2", {1, 2, 255, 255}, 4, {258, 65535}, true},
        {"<i2", {1, 2, 254, 255}, 4, {513, -2}, true},
        {">i2", {1, 2, 255, 254}, 4, {258, -2}, true},
        {"<i4", {1, 0, 0, 0, 255, 255, 255, 255}, 8, {1, -1}, true},
        {">i4", {0, 0, 0, 1, 255, 255, 255, 253}, 8, {1, -3}, true},
        {"<u4", {1, 0, 0, 0, 255, 255, 255, 255}, 8, {1, 4294967295.0}, true},
        {"<i8", {5, [8] = 255, 255, 255, 255, 255, 255, 255, 255}, 16, {5, -1}, true},
        {">u8", {[7] = 5, [15] = 9}, 16, {5, 9}, true},
        {"<f4", {0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0}, 8, {1.5, -2}, false},
        {">f4", {0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0}, 8, {1.5, -2}, false},
        {"<f8", {[6] = 0xf8, 0x3f, [15] = 0xc0}, 16, {1.5, -2}, false},
        {">f8", {0x3f, 0xf8, [8] = 0xc0}, 16, {1.5, -2}, false},
    };
    pls_context *context = support_context(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char header[128];
        snprintf(header, sizeof header,
                 "{'descr': '%s', 'fortran_order': False, 'shape': (2,), }\n", cases[i].descr);
        pls_npy_array array;
        SUPPORT_EXPECT_OK(context,
                          read_made(context, 1, header, cases[i].bytes, cases[i].size, &array));
        cr_assert_eq(array.values[0], cases[i].expected[0], "%s", cases[i].descr);
        cr_assert_eq(array.values[1], cases[i].expected[1], "%s", cases[i].descr);
        cr_assert_eq(array.is_integer, cases[i].is_integer, "%s", cases[i].descr);
        cr_assert_eq(array.pixel_maximum, strcmp(cases[i].descr, "|u1") == 0 ? 255 : 0);
        pls_release(context, array.values);
    }
    pls_context_destroy(context);
}

Test(npy, header_variants_are_read) {
    static const struct {
        int version;
        const char *header;
    } cases[] = {
        {1, "{'descr': '<u2', 'fortran_order': False, 'shape': (2, 1)}"},
        {2, "{'descr': '<u2', 'fortran_order': False, 'shape': (2, 1), }   \n"},
        {3, "{ \"shape\" :( 2 ,1, ) ,'fortran_order':False,\t'descr':'<u2'}\n"},
        {1, "{'descr': '<u2', 'fortran_order': True, 'shape': (2,)}"},
    };
    pls_context *context = support_context(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pls_npy_array array;
        SUPPORT_EXPECT_OK(context, read_made(context, cases[i].version, cases[i].header,
                                             "\x01\x00\x02\x00", 4, &array));
        cr_assert_eq(array.shape[0], 2);
        cr_assert_eq(array.values[1], 2);
        pls_release(context, array.values);
    }
    pls_context_destroy(context);
}

Test(npy, malformed_headers_are_refused) {
#define WITH_SHAPE(shape) "{'descr': '<u2', 'fortran_order': False, 'shape': " shape "}"
    static const struct {
        const char *header, *sentence;
    } cases[] = {
        {"", "not a dictionary"},
        {"[1]", "not a dictionary"},
        {"{'descr' '<u2'}", "not a dictionary"},
        {"{'descr", "not a dictionary"},
        {"{'descr': '<u2' 'shape': (2,)}", "not a dictionary"},
        {"{'descr': '<u2', 'shape': (2,)}", "lacks"},
        {"{}", "lacks"},
        {"{'descr': '<u2', 'descr': '<u2'}", "key twice"},
        {"{'other': 1}", "key twice or one other"},
        {"{'descr': [('a', '<u2')], 'fortran_order': False, 'shape': (2,)}", "structured"},
        {"{'descr': 'a very long name of a type', 'fortran_order': False}", "structured"},
        {"{'descr': '<u2', 'fortran_order': 0, 'shape': (2,)}", "neither True nor False"},
        {"{'descr': '<f2', 'fortran_order': False, 'shape': (2,)}", "'<f2'; read are"},
        {"{'descr': '<i3', 'fortran_order': False, 'shape': (2,)}", "'<i3'; read are"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (2,)}", "'<c8'; read are"},
        {"{'descr': '<U8', 'fortran_order': False, 'shape': (2,)}", "'<U8'; read are"},
        {"{'descr': '|b2', 'fortran_order': False, 'shape': (2,)}", "'|b2'; read are"},
        {"{'descr': '<u22', 'fortran_order': False, 'shape': (2,)}", "'<u22'; read are"},
        {"{'descr': '?u2', 'fortran_order': False, 'shape': (2,)}", "'?u2'; read are"},
        {"{'descr': '<u2', 'fortran_order': True, 'shape': (2, 1)}", "ascontiguousarray"},
        {WITH_SHAPE("2"), "not a tuple"},
        {WITH_SHAPE("(2)"), "not a tuple"},
        {WITH_SHAPE("(2 1)"), "not a tuple"},
        {WITH_SHAPE("(-2,)"), "not a tuple"},
        {WITH_SHAPE("(2,,)"), "not a tuple"},
        {WITH_SHAPE("(2,"), "not a tuple"},
        {WITH_SHAPE("(99999999999999999999,)"), "not a tuple"},
        {WITH_SHAPE("(1,1,1,1,1,1,1,1,2)"), "more than 8"},
        {WITH_SHAPE("(4611686018427387904, 4)"), "64 bits"},
        {WITH_SHAPE("(9223372036854775807,)"), "shorter"},
        {WITH_SHAPE("(3,)"), "shorter"},
        {WITH_SHAPE("(1,)"), "longer"},
        {WITH_SHAPE("(0,)"), "longer"},
        {WITH_SHAPE("(2,)") " x", "follows the dictionary"},
    };
    pls_context *context = support_context(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pls_npy_array array;
        pls_status status = read_made(context, 1, cases[i].header, "\x01\x00\x02\x00", 4, &array);
        SUPPORT_EXPECT_ERROR(context, status, PLS_ERROR_DATA, cases[i].sentence);
        SUPPORT_EXPECT_ERROR(context, status, PLS_ERROR_DATA, "array.npy: ");
        cr_assert_null(array.values);
    }
    pls_context_destroy(context);
}

Test(npy, malformed_preambles_are_refused) {
    static const struct {
        const char *bytes;
        size_t size;
        const char *sentence;
    } cases[] = {
        {"", 0, "too few"},
        {"\x93NUMPY\x01\x00\x02", 9, "too few"},
        {"\x93NUMPX\x01\x00\x02\x00{}", 12, "does not begin with"},
        {"\x93NUMPY\x00\x00\x02\x00{}", 12, "version 0"},
        {"\x93NUMPY\x04\x00\x02\x00{}", 12, "version 4"},
        {"\x93NUMPY\x01\x00\x03\x00{}", 12, "3 bytes"},
        {"\x93NUMPY\x02\x00\x02\x00{}", 12, "bytes"},
        {"\x93NUMPY\x02\x00\x02\x00", 10, "bytes"},
    };
    pls_context *context = support_context(NULL);
    pls_npy_array array;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *path = support_write(&folder, "array.npy", cases[i].bytes, cases[i].size);
        SUPPORT_EXPECT_ERROR(context, pls_npy_read(context, path, &array), PLS_ERROR_DATA,
                             cases[i].sentence);
    }
    SUPPORT_EXPECT_ERROR(context, pls_npy_read(context, "/nowhere/x.npy", &array), PLS_ERROR_FILE,
                         "/nowhere/x.npy");
    SUPPORT_EXPECT_ERROR(context, pls_npy_read(context, folder.path, &array), PLS_ERROR_FILE,
                         "not a regular file");
    pls_context_destroy(context);
}

Test(npy, integers_that_float64_cannot_hold_are_refused) {
    pls_context *context = support_context(NULL);
    pls_npy_array array;
    const int64_t values[] = {(INT64_C(1) << 53) - 1, INT64_C(1) << 53};
    const char *header = "{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}";
    SUPPORT_EXPECT_ERROR(context, read_made(context, 1, header, values, sizeof values, &array),
                         PLS_ERROR_DATA, "element 1");
    pls_context_destroy(context);
}

Test(npy, writer_refuses_what_does_not_fit) {
    pls_context *context = support_context(NULL);
    const int64_t shape[] = {2, 2}, negative[] = {-1}, huge[] = {INT64_MAX, 2};
    const double values[5] = {0};
    pls_npy_writer *writer = NULL;
    const char *path = support_path(&folder, "array.npy");
    SUPPORT_EXPECT_ERROR(context, pls_npy_create(context, path, 9, shape, &writer),
                         PLS_ERROR_ARGUMENT, "9 dimensions");
    SUPPORT_EXPECT_ERROR(context, pls_npy_create(context, path, 1, negative, &writer),
                         PLS_ERROR_ARGUMENT, "negative");
    SUPPORT_EXPECT_ERROR(context, pls_npy_create(context, path, 2, huge, &writer),
                         PLS_ERROR_ARGUMENT, "64 bits");
    SUPPORT_EXPECT_ERROR(context, pls_npy_write(context, "/nowhere/x.npy", values, 2, shape),
                         PLS_ERROR_FILE, "/nowhere/x.npy");
    SUPPORT_EXPECT_OK(context, pls_npy_create(context, path, 2, shape, &writer));
    SUPPORT_EXPECT_ERROR(context, pls_npy_append(writer, values, 5), PLS_ERROR_ARGUMENT, "lacks 4");
    SUPPORT_EXPECT_ERROR(context, pls_npy_append(writer, values, -1), PLS_ERROR_ARGUMENT, "-1");
    SUPPORT_EXPECT_OK(context, pls_npy_append(writer, values, 3));
    SUPPORT_EXPECT_ERROR(context, pls_npy_commit(writer), PLS_ERROR_ARGUMENT, "after 3");
    pls_npy_discard(NULL);
    cr_assert_eq(support_count_files(&folder), 0, "an unfinished file was left behind");
    pls_context_destroy(context);
}

static pls_status write_and_read(pls_context *context, void *user) {
    (void)user;
    const int64_t shape[] = {2, 2};
    const double values[] = {1, 2, 3, 4};
    const char *path = support_path(&folder, "array.npy");
    pls_npy_array array;
    pls_status status = pls_npy_write(context, path, values, 2, shape);
    if (status == PLS_OK) {
        status = pls_npy_read(context, path, &array);
    }
    if (status == PLS_OK) {
        pls_release(context, array.values);
    }
    return status;
}

Test(npy, every_allocation_may_fail) {
    support_fail_each_allocation(write_and_read, NULL);
    cr_assert_eq(support_count_files(&folder), 1);
}

static pls_status read_only(pls_context *context, const char *path) {
    pls_npy_array array;
    pls_status status = pls_npy_read(context, path, &array);
    pls_release(context, array.values);
    return status;
}

Test(npy, mutated_files_are_read_or_refused) {
    unsigned char file[256];
    size_t size = make(file, 1, "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 1), }\n",
                       "\x01\x00\x02\x00", 4);
    support_mutate(&folder, "array.npy", file, size, read_only);
    size = make(file, 2, "{'descr': '>f8', 'fortran_order': False, 'shape': (1,)}",
                "\x3f\xf8\x00\x00\x00\x00\x00\x00", 8);
    support_mutate(&folder, "array.npy", file, size, read_only);
}
