/* safetensors files: round trips, order, and everything that can be wrong with one. */
#include "support.h"

#include "data/safetensors.h"

#include <math.h>

static support_folder folder;

static void make_folder(void) {
    folder = support_folder_create();
}

static void remove_folder(void) {
    support_folder_destroy(&folder);
}

TestSuite(safetensors, .init = make_folder, .fini = remove_folder);

/* A file with this header and these bytes of data. */
static size_t make(unsigned char *file, const char *header, const void *data, size_t bytes) {
    size_t length = strlen(header);
    memset(file, 0, 8);
    file[0] = (unsigned char)(length & 0xff);
    file[1] = (unsigned char)(length >> 8);
    memcpy(file + 8, header, length);
    memcpy(file + 8 + length, data, bytes);
    return 8 + length + bytes;
}

static pls_status open_made(pls_context *context, const char *header, size_t bytes,
                            pls_safetensors **opened) {
    static const unsigned char zeros[256];
    unsigned char file[4096];
    size_t size = make(file, header, zeros, bytes);
    *opened = NULL;
    return pls_safetensors_open(context, support_write(&folder, "some.safetensors", file, size),
                                opened);
}

static const pls_tensor_plan plans[] = {
    {"second", PLS_F64, 2, {2, 3}},
    {"empty", PLS_F32, 2, {0, 4}},
    {"a \"first\" \n name", PLS_F32, 1, {3}},
    {"scalar", PLS_F64, 0, {0}},
};
static const pls_metadata metadata[] = {{"format", "plstar"}, {"note", "x"}};
static const double doubles[] = {1, 2, 3, 4, 5, 1.0 / 3}, scalar[] = {-7};
static const float floats[] = {0.5f, 0.25f, 1.0f / 3};

static pls_status write_sample(pls_context *context, const char *path) {
    pls_safetensors_writer *writer = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_safetensors_create(context, path, plans, 4, metadata, 2, &writer));
    PLS_TRY(context, pls_safetensors_append(writer, doubles, 2));
    PLS_TRY(context, pls_safetensors_append(writer, doubles + 2, 4));
    PLS_TRY(context, pls_safetensors_append(writer, floats, 3));
    PLS_TRY(context, pls_safetensors_append(writer, scalar, 1));
    pls_safetensors_writer *complete = writer;
    writer = NULL;
    PLS_TRY(context, pls_safetensors_commit(complete));
cleanup:
    pls_safetensors_discard(writer);
    return status;
}

Test(safetensors, round_trip) {
    pls_context *context = support_context(NULL);
    const char *path = support_path(&folder, "some.safetensors");
    SUPPORT_EXPECT_OK(context, write_sample(context, path));
    pls_safetensors *file = NULL;
    SUPPORT_EXPECT_OK(context, pls_safetensors_open(context, path, &file));
    cr_assert_eq(pls_safetensors_count(file), 4);
    for (int i = 0; i < 4; i++) {
        const pls_tensor *tensor = pls_safetensors_at(file, i);
        cr_assert_str_eq(tensor->name, plans[i].name);
        cr_assert_str_eq(tensor->dtype, plans[i].dtype == PLS_F32 ? "F32" : "F64");
        cr_assert_eq(tensor->rank, plans[i].rank);
        cr_assert(memcmp(tensor->shape, plans[i].shape, sizeof(int64_t) * (size_t)tensor->rank) ==
                  0);
        cr_assert_eq(pls_safetensors_find(file, plans[i].name), tensor);
    }
    cr_assert_eq(pls_safetensors_at(file, 0)->offset % 8, 0);
    cr_assert_null(pls_safetensors_find(file, "third"));
    cr_assert_str_eq(pls_safetensors_metadata(file, "format"), "plstar");
    cr_assert_str_eq(pls_safetensors_metadata(file, "note"), "x");
    cr_assert_null(pls_safetensors_metadata(file, "other"));

    double as_double[6];
    float as_float[6];
    const pls_tensor *second = pls_safetensors_at(file, 0), *first = pls_safetensors_at(file, 2);
    SUPPORT_EXPECT_OK(context, pls_safetensors_read(file, second, 0, 6, PLS_F64, as_double));
    cr_assert(memcmp(as_double, doubles, sizeof doubles) == 0);
    SUPPORT_EXPECT_OK(context, pls_safetensors_read(file, second, 4, 2, PLS_F32, as_float));
    cr_assert_eq(as_float[0], 5.0f);
    cr_assert_eq(as_float[1], 1.0f / 3);
    SUPPORT_EXPECT_OK(context, pls_safetensors_read(file, first, 0, 3, PLS_F32, as_float));
    cr_assert(memcmp(as_float, floats, sizeof floats) == 0);
    SUPPORT_EXPECT_OK(context, pls_safetensors_read(file, first, 1, 2, PLS_F64, as_double));
    cr_assert_eq(as_double[1], (double)(1.0f / 3));
    SUPPORT_EXPECT_OK(context, pls_safetensors_read(file, first, 3, 0, PLS_F64, as_double));

    SUPPORT_EXPECT_ERROR(context, pls_safetensors_read(file, second, 4, 3, PLS_F64, as_double),
                         PLS_ERROR_ARGUMENT, "tensor \"second\"");
    SUPPORT_EXPECT_ERROR(context, pls_safetensors_read(file, second, -1, 1, PLS_F64, as_double),
                         PLS_ERROR_ARGUMENT, "from -1 on");
    pls_safetensors_close(file);
    pls_safetensors_close(NULL);
    pls_context_destroy(context);
}

Test(safetensors, a_large_tensor_passes_in_pieces) {
    enum { COUNT = 9001 };
    pls_context *context = support_context(NULL);
    const pls_tensor_plan plan = {"w", PLS_F64, 1, {COUNT}};
    double *values = malloc(COUNT * sizeof *values), *back = malloc(COUNT * sizeof *values);
    for (int i = 0; i < COUNT; i++) {
        values[i] = i;
    }
    const char *path = support_path(&folder, "some.safetensors");
    pls_safetensors_writer *writer = NULL;
    SUPPORT_EXPECT_OK(context, pls_safetensors_create(context, path, &plan, 1, NULL, 0, &writer));
    SUPPORT_EXPECT_OK(context, pls_safetensors_append(writer, values, COUNT));
    SUPPORT_EXPECT_OK(context, pls_safetensors_commit(writer));
    pls_safetensors *file = NULL;
    SUPPORT_EXPECT_OK(context, pls_safetensors_open(context, path, &file));
    const pls_tensor *tensor = pls_safetensors_at(file, 0);
    SUPPORT_EXPECT_OK(context, pls_safetensors_read(file, tensor, 1, COUNT - 1, PLS_F64, back));
    cr_assert(memcmp(back, values + 1, (COUNT - 1) * sizeof *values) == 0);
    cr_assert_null(pls_safetensors_metadata(file, "format"));
    /* A file that shrinks while it is open. */
    SUPPORT_EXPECT_OK(context, pls_safetensors_read(file, tensor, 0, 1, PLS_F64, back));
    cr_assert_eq(truncate(path, 60000), 0);
    SUPPORT_EXPECT_ERROR(context, pls_safetensors_read(file, tensor, COUNT - 1, 1, PLS_F64, back),
                         PLS_ERROR_FILE, "ended too early");
    pls_safetensors_close(file);
    free(values);
    free(back);
    pls_context_destroy(context);
}

/* The order of the text, neither that of the names nor that of the offsets. */
Test(safetensors, order_of_appearance) {
    pls_context *context = support_context(NULL);
    char header[4096] = "{", member[96];
    enum { COUNT = 32 };
    for (int i = 0; i < COUNT; i++) {
        int name = i * 13 % COUNT, slot = i * 7 % COUNT;
        snprintf(member, sizeof member,
                 "%s\"t%d\": {\"dtype\": \"U8\", \"shape\": [1], \"data_offsets\": [%d, %d]}",
                 i > 0 ? ", " : "", name, slot, slot + 1);
        strcat(header, member);
    }
    strcat(header, "}  ");
    pls_safetensors *file = NULL;
    SUPPORT_EXPECT_OK(context, open_made(context, header, COUNT, &file));
    int64_t start = 8 + (int64_t)strlen(header);
    for (int i = 0; i < COUNT; i++) {
        snprintf(member, sizeof member, "t%d", i * 13 % COUNT);
        cr_assert_str_eq(pls_safetensors_at(file, i)->name, member);
        cr_assert_eq(pls_safetensors_at(file, i)->offset, start + i * 7 % COUNT);
    }
    double value = 0;
    SUPPORT_EXPECT_ERROR(
        context, pls_safetensors_read(file, pls_safetensors_at(file, 0), 0, 1, PLS_F64, &value),
        PLS_ERROR_DATA, "tensor \"t0\": has dtype U8");
    pls_safetensors_close(file);
    pls_context_destroy(context);
}

Test(safetensors, every_dtype_has_its_size) {
    static const struct {
        const char *dtype;
        int size;
    } cases[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1},
                 {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
                 {"U32", 4},  {"F32", 4}, {"F64", 8}, {"I64", 8},     {"U64", 8}};
    pls_context *context = support_context(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char header[128];
        snprintf(header, sizeof header,
                 "{\"t\": {\"dtype\": \"%s\", \"shape\": [3], \"data_offsets\": [0, %d]}}",
                 cases[i].dtype, 3 * cases[i].size);
        pls_safetensors *file = NULL;
        SUPPORT_EXPECT_OK(context, open_made(context, header, 3 * (size_t)cases[i].size, &file));
        pls_safetensors_close(file);
    }
    pls_context_destroy(context);
}

#define TENSOR(dtype, shape, offsets)                                                              \
    "{\"w\": {\"dtype\": " dtype ", \"shape\": " shape ", \"data_offsets\": " offsets "}}"

Test(safetensors, malformed_headers_are_refused) {
#define U8(begin, end, size)                                                                       \
    "{\"dtype\": \"U8\", \"shape\": [" size "], \"data_offsets\": [" begin ", " end "]}"
    static const struct {
        const char *header;
        size_t bytes;
        const char *sentence;
    } cases[] = {
        {"nonsense", 0, "not valid JSON"},
        {"{\"w\": ", 0, "not valid JSON"},
        {"{} {}", 0, "not valid JSON"},
        {"{\"w\": {\"dtype\": \"\xff\"}}", 0, "not valid JSON"},
        {"[]", 0, "must be a JSON object"},
        {"{\"w\": " U8("0", "2", "2") ", \"w\": " U8("2", "4", "2") "}", 4, "duplicate"},
        {"{\"__metadata__\": 3}", 0, "must be an object of strings"},
        {"{\"__metadata__\": {\"a\": 3}}", 0, "value of \"a\" must be a string"},
        {"{\"w\": 3}", 0, "\"w\": must be an object"},
        {"{\"w\": {}}", 0, "\"w\": \"dtype\""},
        {TENSOR("3", "[1]", "[0, 4]"), 4, "\"w\": \"dtype\""},
        {TENSOR("\"F31\"", "[1]", "[0, 4]"), 4, "\"w\": \"dtype\""},
        {TENSOR("\"F32\"", "1", "[0, 4]"), 4, "\"w\": \"shape\" must be a list"},
        {TENSOR("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0, 4]"), 4, "at most 8"},
        {TENSOR("\"F32\"", "[-1]", "[0, 4]"), 4, "\"w\": \"shape\" must hold"},
        {TENSOR("\"F32\"", "[1.0]", "[0, 4]"), 4, "\"w\": \"shape\" must hold"},
        {TENSOR("\"F32\"", "[\"1\"]", "[0, 4]"), 4, "\"w\": \"shape\" must hold"},
        {TENSOR("\"F32\"", "[99999999999999999999]", "[0, 4]"), 4, "not valid JSON"},
        {TENSOR("\"F32\"", "[4611686018427387904, 4]", "[0, 4]"), 4, "more elements"},
        {TENSOR("\"F32\"", "[4611686018427387904]", "[0, 4]"), 4, "more bytes"},
        {TENSOR("\"F32\"", "[1]", "4"), 4, "\"w\": \"data_offsets\" must be two"},
        {TENSOR("\"F32\"", "[1]", "[0]"), 4, "\"w\": \"data_offsets\" must be two"},
        {TENSOR("\"F32\"", "[1]", "[0, 4, 8]"), 8, "\"w\": \"data_offsets\" must be two"},
        {TENSOR("\"F32\"", "[1]", "[-4, 0]"), 4, "\"w\": \"data_offsets\" must be two"},
        {TENSOR("\"F32\"", "[1]", "[0, null]"), 4, "\"w\": \"data_offsets\" must be two"},
        {TENSOR("\"F32\"", "[1]", "[4, 0]"), 4, "must rise"},
        {TENSOR("\"F32\"", "[2]", "[0, 8]"), 4, "within the 4 bytes"},
        {TENSOR("\"F32\"", "[1]", "[0, 9223372036854775807]"), 4, "within the 4 bytes"},
        {TENSOR("\"F32\"", "[1]", "[0, 8]"), 8, "has 8 bytes by its"},
        {TENSOR("\"F32\"", "[1]", "[0, 4]"), 5, "1 bytes follow the last tensor"},
        {TENSOR("\"F32\"", "[1]", "[1, 5]"), 5, "\"w\": leaves a hole"},
        {"{\"v\": " U8("0", "2", "2") ", \"w\": " U8("1", "4", "3") "}", 4, "\"w\": overlaps"},
        {"{\"v\": " U8("3", "4", "1") ", \"w\": " U8("0", "2", "2") "}", 4, "\"v\": leaves a hole"},
        {"{\"v\": " U8("0", "2", "2") ", \"w\": " U8("0", "2", "2") "}", 2, "overlaps"},
        {"{}", 1, "1 bytes follow"},
    };
    pls_context *context = support_context(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pls_safetensors *file = NULL;
        pls_status status = open_made(context, cases[i].header, cases[i].bytes, &file);
        SUPPORT_EXPECT_ERROR(context, status, PLS_ERROR_DATA, cases[i].sentence);
        SUPPORT_EXPECT_ERROR(context, status, PLS_ERROR_DATA, "some.safetensors: ");
        cr_assert_null(file);
    }
    pls_context_destroy(context);
}

Test(safetensors, malformed_lengths_are_refused) {
    static const struct {
        const char *bytes;
        size_t size;
        const char *sentence;
    } cases[] = {
        {"", 0, "0 bytes"},
        {"\x02\0\0\0\0\0\0", 7, "7 bytes"},
        {"\0\0\0\0\0\0\0\0", 8, "to have 0 bytes"},
        {"\0\0\0\0\0\0\0\0{}", 10, "to have 0 bytes"},
        {"\x03\0\0\0\0\0\0\0{}", 10, "to have 3 bytes"},
        {"\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, "1 to 100 MB"},
    };
    pls_context *context = support_context(NULL);
    pls_safetensors *file = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *path =
            support_write(&folder, "some.safetensors", cases[i].bytes, cases[i].size);
        SUPPORT_EXPECT_ERROR(context, pls_safetensors_open(context, path, &file), PLS_ERROR_DATA,
                             cases[i].sentence);
    }
    /* A header within the file, but beyond the format's limit; the file is sparse. */
    const char *path = support_write(&folder, "some.safetensors", "\x01\xe1\xf5\x05\0\0\0\0{}",
                                     10); /* 100,000,001 */
    cr_assert_eq(truncate(path, 100000100), 0);
    SUPPORT_EXPECT_ERROR(context, pls_safetensors_open(context, path, &file), PLS_ERROR_DATA,
                         "100 MB");
    SUPPORT_EXPECT_ERROR(context, pls_safetensors_open(context, "/nowhere/x.safetensors", &file),
                         PLS_ERROR_FILE, "/nowhere/x.safetensors");
    pls_context_destroy(context);
}

Test(safetensors, values_must_be_finite) {
    pls_context *context = support_context(NULL);
    const double values[] = {1, 1e300, NAN, -INFINITY};
    unsigned char bytes[256];
    size_t size = make(bytes, TENSOR("\"F64\"", "[4]", "[0, 32]"), values, sizeof values);
    const char *path = support_write(&folder, "some.safetensors", bytes, size);
    pls_safetensors *file = NULL;
    double out[4];
    float narrow[4];
    SUPPORT_EXPECT_OK(context, pls_safetensors_open(context, path, &file));
    const pls_tensor *tensor = pls_safetensors_at(file, 0);
    SUPPORT_EXPECT_OK(context, pls_safetensors_read(file, tensor, 0, 2, PLS_F64, out));
    SUPPORT_EXPECT_ERROR(context, pls_safetensors_read(file, tensor, 1, 2, PLS_F64, out),
                         PLS_ERROR_DATA, "tensor \"w\": element 2 is nan");
    SUPPORT_EXPECT_ERROR(context, pls_safetensors_read(file, tensor, 3, 1, PLS_F64, out),
                         PLS_ERROR_DATA, "element 3 is -inf");
    SUPPORT_EXPECT_ERROR(context, pls_safetensors_read(file, tensor, 0, 2, PLS_F32, narrow),
                         PLS_ERROR_DATA, "a finite f32 number");
    pls_safetensors_close(file);
    pls_context_destroy(context);
}

Test(safetensors, writer_refuses_what_does_not_fit) {
    pls_context *context = support_context(NULL);
    const char *path = support_path(&folder, "some.safetensors");
    static const struct {
        pls_tensor_plan plans[2];
        int64_t count;
        pls_status status;
        const char *sentence;
    } cases[] = {
        {{{"w", PLS_F32, 9, {1}}}, 1, PLS_ERROR_ARGUMENT, "tensor \"w\": the shape"},
        {{{"w", PLS_F32, -1, {1}}}, 1, PLS_ERROR_ARGUMENT, "tensor \"w\": the shape"},
        {{{"w", PLS_F32, 1, {-1}}}, 1, PLS_ERROR_ARGUMENT, "tensor \"w\": the shape"},
        {{{"w", PLS_F32, 2, {INT64_MAX, 2}}}, 1, PLS_ERROR_ARGUMENT, "tensor \"w\": the shape"},
        {{{"w", PLS_F32, 1, {INT64_MAX}}}, 1, PLS_ERROR_ARGUMENT, "tensor \"w\": the shape"},
        {{{"w", PLS_F32, 0, {0}}, {"w", PLS_F32, 0, {0}}}, 2, PLS_ERROR_ARGUMENT, "taken"},
        {{{"__metadata__", PLS_F32, 0, {0}}}, 1, PLS_ERROR_ARGUMENT, "taken"},
        {{{"\xff", PLS_F32, 0, {0}}}, 1, PLS_ERROR_MEMORY, "not UTF-8"},
    };
    pls_safetensors_writer *writer = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pls_status status =
            pls_safetensors_create(context, path, cases[i].plans, cases[i].count, NULL, 0, &writer);
        SUPPORT_EXPECT_ERROR(context, status, cases[i].status, cases[i].sentence);
    }
    const pls_metadata bad = {"key", "\xff"};
    SUPPORT_EXPECT_ERROR(context, pls_safetensors_create(context, path, NULL, 0, &bad, 1, &writer),
                         PLS_ERROR_MEMORY, "not UTF-8");
    SUPPORT_EXPECT_ERROR(context,
                         pls_safetensors_create(context, "/nowhere/x", plans, 4, NULL, 0, &writer),
                         PLS_ERROR_FILE, "/nowhere/x");
    SUPPORT_EXPECT_OK(context, pls_safetensors_create(context, path, plans, 4, NULL, 0, &writer));
    SUPPORT_EXPECT_ERROR(context, pls_safetensors_append(writer, doubles, 7), PLS_ERROR_ARGUMENT,
                         "lacks 6");
    SUPPORT_EXPECT_ERROR(context, pls_safetensors_append(writer, doubles, -1), PLS_ERROR_ARGUMENT,
                         "-1 elements");
    SUPPORT_EXPECT_OK(context, pls_safetensors_append(writer, doubles, 6));
    SUPPORT_EXPECT_OK(context, pls_safetensors_append(writer, floats, 0));
    SUPPORT_EXPECT_ERROR(context, pls_safetensors_commit(writer), PLS_ERROR_ARGUMENT,
                         "tensor 2 lacks 3");
    cr_assert_eq(support_count_files(&folder), 0, "an unfinished file was left behind");
    pls_context_destroy(context);
}

static pls_status write_and_open(pls_context *context, void *user) {
    (void)user;
    const char *path = support_path(&folder, "some.safetensors");
    pls_safetensors *file = NULL;
    pls_status status = PLS_OK;
    double values[6];
    PLS_TRY(context, write_sample(context, path));
    PLS_TRY(context, pls_safetensors_open(context, path, &file));
    PLS_TRY(context,
            pls_safetensors_read(file, pls_safetensors_at(file, 0), 0, 6, PLS_F64, values));
cleanup:
    pls_safetensors_close(file);
    return status;
}

Test(safetensors, every_allocation_may_fail) {
    support_fail_each_allocation(write_and_open, NULL);
    cr_assert_eq(support_count_files(&folder), 1);
}

static pls_status open_and_read(pls_context *context, const char *path) {
    pls_safetensors *file = NULL;
    pls_status status = PLS_OK;
    double values[64];
    PLS_TRY(context, pls_safetensors_open(context, path, &file));
    for (int64_t i = 0; i < pls_safetensors_count(file); i++) {
        const pls_tensor *tensor = pls_safetensors_at(file, i);
        cr_assert_leq(tensor->count, 64);
        PLS_TRY(context, pls_safetensors_read(file, tensor, 0, tensor->count, PLS_F64, values));
    }
cleanup:
    pls_safetensors_close(file);
    return status;
}

Test(safetensors, mutated_files_are_read_or_refused) {
    static const double values[] = {1, 2};
    unsigned char file[512];
    size_t size = make(file,
                       "{\"__metadata__\":{\"a\":\"b\"},\"w\":{\"dtype\":\"F64\",\"shape\":[1],"
                       "\"data_offsets\":[8,16]},\"v\":{\"dtype\":\"F32\",\"shape\":[2,1],"
                       "\"data_offsets\":[0,8]}}",
                       values, sizeof values);
    support_mutate(&folder, "some.safetensors", file, size, open_and_read);
}
