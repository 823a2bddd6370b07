/* Tables of numbers, and where their faults are reported. */
#include "support.h"

#include "base/memory.h"
#include "data/csv.h"

static support_folder folder;

static void make_folder(void) {
    folder = support_folder_create();
}

static void remove_folder(void) {
    support_folder_destroy(&folder);
}

TestSuite(csv, .init = make_folder, .fini = remove_folder);

static pls_status read_text(pls_context *context, const char *text, pls_csv_table *table) {
    return pls_csv_read(context, support_write(&folder, "some.csv", text, strlen(text)), table);
}

Test(csv, tables_are_read) {
    static const char *const texts[] = {
        "1,2.5\n-3e2,+.5\n",      "1,2.5\r\n-3e2,+.5\r\n",        "1,2.5\r-3e2,+.5",
        "a,b\n1,2.5\n-3e2,+.5",   "\357\273\2771,2.5\n-300,0.5",  " 1 , 2.5 \n\n\n-300,\t.5\n\n",
        "\"1\",\"2.5\"\n-300,.5", "\"a\nb\",c\n1,2.5\n-300,.5\n", "\n\n,\n1,2.5\n-300,.5\n"};
    pls_context *context = support_context(NULL);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        pls_csv_table table;
        SUPPORT_EXPECT_OK(context, read_text(context, texts[i], &table));
        cr_assert_eq(table.rows, 2, "%s", texts[i]);
        cr_assert_eq(table.columns, 2, "%s", texts[i]);
        const double expected[] = {1, 2.5, -300, 0.5};
        cr_assert(memcmp(table.values, expected, sizeof expected) == 0, "%s", texts[i]);
        pls_release(context, table.values);
    }
    pls_context_destroy(context);
}

Test(csv, a_large_table) {
    enum { ROWS = 20000 };
    pls_context *context = support_context(NULL);
    char *text = malloc(ROWS * 16), *end = text;
    for (int i = 0; i < ROWS; i++) {
        end += sprintf(end, "%d,%d\n", i, -i);
    }
    pls_csv_table table;
    SUPPORT_EXPECT_OK(context, read_text(context, text, &table));
    cr_assert_eq(table.rows, ROWS);
    for (int i = 0; i < ROWS; i++) {
        cr_assert_eq(table.values[2 * i], i);
        cr_assert_eq(table.values[2 * i + 1], -i);
    }
    pls_release(context, table.values);
    strcpy(end - 3, "x\n"); /* in the last line, in another piece of the file */
    SUPPORT_EXPECT_ERROR(context, read_text(context, text, &table), PLS_ERROR_DATA,
                         "some.csv:20000:2: ");
    free(text);
    pls_context_destroy(context);
}

Test(csv, faults_have_their_place) {
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"", "some.csv: has no line of numbers"},
        {"\n\n", "some.csv: has no line of numbers"},
        {"a,b\n", "some.csv: has no line of numbers"},
        {"1,2\n3\n", "some.csv:2: has 1 cells, but the first line has 2"},
        {"a,b\r\n1,2\r\n\r\n3,4,5\r\n", "some.csv:4: has 3 cells, but the first line has 2"},
        {"1,2\n3,4x\n", "some.csv:2:2: \"4x\" is not a number"},
        {"1,2\n,4\n", "some.csv:2:1: \"\" is not a number"},
        {"1,2\r3,four\r", "some.csv:2:2: \"four\" is not a number"},
        {"a,b\nc,d\n1,2\n", "some.csv:2:1: \"c\" is not a number"},
        {"1,b\n1,2\n", "some.csv:1:2: \"b\" is not a number (a header line has no numbers"},
        {"1,2\n3,0x10\n", "some.csv:2:2: \"0x10\" is not a number"},
        {"1,2\n3,nan\n", "some.csv:2:2: \"nan\" is not a finite number"},
        {"nan,2\n3,4\n", "some.csv:1:1: \"nan\" is not a finite number"},
        {"1,2\n-inf,4\n", "some.csv:2:1: \"-inf\" is not a finite number"},
        {"1,2\n1e999,4\n", "some.csv:2:1: \"1e999\" is not a finite number"},
        {"1;2\n3;4\n", "some.csv:2:1: \"3;4\" is not a number"},
        {"1,2\n3,\"4\"5\n", "some.csv:2:2: quotation marks"},
        {"1,2\n3,4\"\n", "some.csv:2:2: quotation marks"},
        {"1,2\n3,\"4\n", "ends within quotation marks"},
    };
    pls_context *context = support_context(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pls_csv_table table;
        SUPPORT_EXPECT_ERROR(context, read_text(context, cases[i].text, &table), PLS_ERROR_DATA,
                             cases[i].sentence);
        cr_assert_null(table.values);
    }
    pls_csv_table table;
    SUPPORT_EXPECT_ERROR(
        context, pls_csv_read(context, support_write(&folder, "some.csv", "1\0002,3", 5), &table),
        PLS_ERROR_DATA, "some.csv");
    SUPPORT_EXPECT_ERROR(context, pls_csv_read(context, "/nowhere/x.csv", &table), PLS_ERROR_FILE,
                         "/nowhere/x.csv");
    pls_context_destroy(context);
}

Test(csv, endless_cells_are_refused) {
    enum { LENGTH = 3 << 20 };
    pls_context *context = support_context(NULL);
    char *text = malloc(LENGTH + 1);
    memset(text, '1', LENGTH);
    text[LENGTH] = '\0';
    pls_csv_table table;
    SUPPORT_EXPECT_ERROR(context, read_text(context, text, &table), PLS_ERROR_DATA,
                         "more than a million characters");
    free(text);
    pls_context_destroy(context);
}

static pls_status read_only(pls_context *context, const char *path) {
    pls_csv_table table;
    pls_status status = pls_csv_read(context, path, &table);
    pls_release(context, table.values);
    return status;
}

static pls_status read_long(pls_context *context, void *user) {
    return read_only(context, user);
}

Test(csv, every_allocation_may_fail) {
    char text[4096] = "", path[192];
    for (int i = 0; i < 1500; i++) {
        strcat(text, "1\n");
    }
    strcpy(path, support_write(&folder, "some.csv", text, strlen(text)));
    support_fail_each_allocation(read_long, path);
}

Test(csv, mutated_files_are_read_or_refused) {
    static const char text[] = "a,\"b\"\n1,2.5e1\r\n\"-3\",0x4\n5,6\n";
    support_mutate(&folder, "some.csv", (const unsigned char *)text, sizeof text - 1, read_only);
    static const char numbers[] = "1,2\n3,4\n";
    support_mutate(&folder, "some.csv", (const unsigned char *)numbers, sizeof numbers - 1,
                   read_only);
}
