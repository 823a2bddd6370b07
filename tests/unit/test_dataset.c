/* Data sets: what each source gives, selection, coding, normalisation, duplicates and faults. */
#include "support.h"

#include "base/random.h"
#include "data/digits.h"
#include "data/npy.h"
#include "data/safetensors.h"
#include "plstar/dataset.h"

#include <math.h>
#include <zlib.h>

static support_folder folder;

static void make_folder(void) {
    folder = support_folder_create();
}

static void remove_folder(void) {
    support_folder_destroy(&folder);
}

TestSuite(dataset, .init = make_folder, .fini = remove_folder);

static pls_data_options options_of(const char *source) {
    pls_data_options options = pls_data_options_defaults();
    options.source = source;
    options.normalize = PLS_NORMALIZE_NONE;
    return options;
}

/* "kind:folder/name" */
static const char *source_in_folder(const char *kind, const char *name) {
    static char text[512];
    snprintf(text, sizeof text, "%s:%s/%s", kind, folder.path, name);
    return text;
}

static void expect_fault(const pls_data_options *options, pls_status expected,
                         const char *sentence) {
    pls_context *context = support_context(NULL);
    pls_dataset dataset;
    SUPPORT_EXPECT_ERROR(context, pls_dataset_load(context, options, &dataset), expected, sentence);
    cr_assert(dataset.inputs == NULL && dataset.targets == NULL && dataset.labels == NULL &&
              dataset.description == NULL);
    pls_context_destroy(context);
}

static double norm(const double *x, int64_t d) {
    double square = 0;
    for (int64_t j = 0; j < d; j++) {
        square += x[j] * x[j];
    }
    return sqrt(square);
}

Test(dataset, digits_are_what_they_should_be) {
    static const int64_t counts[] = {178, 182, 177, 183, 181, 182, 181, 179, 174, 180};
    pls_context *context = support_context(NULL);
    pls_data_options options = options_of("digits");
    pls_dataset digits;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &digits));
    cr_assert_eq(digits.samples, 1797);
    cr_assert_eq(digits.dimension, 64);
    cr_assert_eq(digits.outputs, 10);
    cr_assert_eq(digits.input_rank, 3);
    cr_assert_eq(digits.input_shape[0], 1);
    cr_assert_eq(digits.input_shape[1], 8);
    cr_assert_eq(digits.input_shape[2], 8);
    int64_t found[10] = {0};
    double sum = 0, largest = 0;
    for (int64_t i = 0; i < 1797; i++) {
        found[digits.labels[i]]++;
        for (int a = 0; a < 10; a++) {
            cr_assert_eq(digits.targets[i * 10 + a], a == digits.labels[i] ? 1 : 0);
        }
        for (int j = 0; j < 64; j++) {
            double pixel = digits.inputs[i * 64 + j];
            cr_assert_eq(pixel, pls_digits_images[16 + i * 64 + j]);
            sum += pixel;
            largest = fmax(largest, pixel);
        }
    }
    cr_assert_eq(largest, 16);
    cr_assert_eq(sum, 561718);
    cr_assert_eq(digits.labels[0], 0);
    cr_assert_eq(digits.labels[1], 1);
    cr_assert_eq(digits.labels[1796], 8);
    cr_assert(memcmp(found, counts, sizeof counts) == 0);
    cr_assert_eq(digits.duplicates, 0);
    cr_assert_str_eq(digits.description,
                     "all 1,797 built-in digits, classes 0-9, one-hot targets, inputs as they are");
    pls_dataset_destroy(context, &digits);
    pls_dataset_destroy(context, NULL);
    pls_context_destroy(context);
}

Test(dataset, defaults_and_normalisation) {
    pls_context *context = support_context(NULL);
    pls_data_options options = pls_data_options_defaults();
    cr_assert_str_eq(options.source, "digits");
    options.samples = 64;
    pls_dataset sphere, plain, unit;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &sphere));
    cr_assert_str_eq(
        sphere.description,
        "64 of 1,797 built-in digits, classes 0-9, one-hot targets, inputs on the sphere");
    options.normalize = PLS_NORMALIZE_NONE;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &plain));
    options.normalize = PLS_NORMALIZE_UNIT_PIXELS;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &unit));
    for (int i = 0; i < 64; i++) {
        double length = norm(plain.inputs + i * 64, 64);
        cr_assert_float_eq(norm(sphere.inputs + i * 64, 64), 8, 1e-14 * 8);
        for (int j = i * 64; j < i * 64 + 64; j++) {
            cr_assert_eq(unit.inputs[j], plain.inputs[j] / 16);
            cr_assert_float_eq(sphere.inputs[j], plain.inputs[j] * 8 / length, 1e-14);
        }
    }
    pls_dataset_destroy(context, &sphere);
    pls_dataset_destroy(context, &plain);
    pls_dataset_destroy(context, &unit);
    pls_context_destroy(context);
}

Test(dataset, sphere_of_extreme_numbers) {
    pls_context *context = support_context(NULL);
    const double inputs[] = {3e300, 4e300, 3e-320, 4e-320}, targets[] = {0, 1};
    const int64_t shape[] = {2, 2}, target_shape[] = {2};
    SUPPORT_EXPECT_OK(context,
                      pls_npy_write(context, support_path(&folder, "x.npy"), inputs, 2, shape));
    SUPPORT_EXPECT_OK(
        context, pls_npy_write(context, support_path(&folder, "y.npy"), targets, 1, target_shape));
    char source[256];
    snprintf(source, sizeof source, "npy:%s/x.npy,%s/y.npy", folder.path, folder.path);
    pls_data_options options = options_of(source);
    options.normalize = PLS_NORMALIZE_SPHERE;
    pls_dataset dataset;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &dataset));
    for (int i = 0; i < 2; i++) {
        cr_assert_float_eq(dataset.inputs[2 * i], 0.6 * sqrt(2), 1e-3);
        cr_assert_float_eq(norm(dataset.inputs + 2 * i, 2), sqrt(2), 1e-15);
    }
    cr_assert_eq(dataset.outputs, 1);
    cr_assert_null(dataset.labels, "real targets became labels");
    pls_dataset_destroy(context, &dataset);
    pls_context_destroy(context);
}

/* Classes keep the source's order of samples; their own order is that of the columns. */
Test(dataset, classes_choose_samples_and_columns) {
    static const int64_t classes[] = {8, 3, 5};
    pls_context *context = support_context(NULL);
    pls_data_options options = options_of("digits");
    options.samples = 50;
    options.classes = classes;
    for (int count = 1; count <= 3; count++) {
        for (int coding = PLS_TARGETS_ONE_HOT; coding <= PLS_TARGETS_REGRESSION; coding++) {
            options.class_count = count;
            options.targets = (pls_target_coding)coding;
            pls_dataset dataset;
            if (coding == PLS_TARGETS_SIGNED && count == 1) {
                expect_fault(&options, PLS_ERROR_ARGUMENT, "signed needs at least two classes");
                continue;
            }
            SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &dataset));
            bool single =
                coding == PLS_TARGETS_REGRESSION || (coding == PLS_TARGETS_SIGNED && count == 2);
            cr_assert_eq(dataset.outputs, single ? 1 : count);
            cr_assert_eq(dataset.samples, 50);
            int64_t row = 0;
            for (int i = 0; i < 50; i++, row++) {
                int column = -1;
                for (; column < 0; row += column < 0) {
                    for (int c = 0; c < count; c++) {
                        column = classes[c] == pls_digits_labels[8 + row] ? c : column;
                    }
                }
                cr_assert_eq(dataset.labels[i], classes[column]);
                cr_assert_eq(dataset.inputs[i * 64 + 20], pls_digits_images[16 + row * 64 + 20]);
                const double *target = dataset.targets + i * dataset.outputs;
                if (coding == PLS_TARGETS_REGRESSION) {
                    cr_assert_eq(target[0], (double)classes[column]);
                } else if (single) {
                    cr_assert_eq(target[0], column == 0 ? -1 : 1);
                } else {
                    for (int c = 0; c < count; c++) {
                        double other = coding == PLS_TARGETS_SIGNED ? -1 : 0;
                        cr_assert_eq(target[c], c == column ? 1 : other);
                    }
                }
            }
            pls_dataset_destroy(context, &dataset);
        }
    }
    options.targets = PLS_TARGETS_SIGNED;
    options.class_count = 2;
    pls_dataset dataset;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &dataset));
    cr_assert_str_eq(dataset.description, "50 of 1,797 built-in digits, classes 8, 3, signed "
                                          "targets, inputs as they are");
    pls_dataset_destroy(context, &dataset);
    pls_context_destroy(context);
}

Test(dataset, shuffle_is_a_draw_without_replacement) {
    pls_context *context = support_context(NULL);
    pls_data_options options = options_of("digits");
    options.shuffle = true;
    options.seed = 7;
    pls_dataset all, again, few, other;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &all));
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &again));
    size_t bytes = (size_t)(all.samples * all.dimension) * sizeof(double);
    cr_assert(memcmp(all.inputs, again.inputs, bytes) == 0);
    /* The digits are all different, so a permutation has no duplicates and the same sum. */
    cr_assert_eq(all.samples, 1797);
    cr_assert_eq(all.duplicates, 0);
    int moved = 0;
    for (int64_t i = 0; i < 1797; i++) {
        moved += all.labels[i] != pls_digits_labels[8 + i];
    }
    cr_assert_gt(moved, 1200);
    /* Fewer samples are the first ones of the same draw. */
    options.samples = 100;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &few));
    cr_assert(memcmp(all.inputs, few.inputs, 100 * 64 * sizeof(double)) == 0);
    cr_assert(memcmp(all.labels, few.labels, 100 * sizeof(int64_t)) == 0);
    cr_assert(strstr(few.description, "100 of 1,797 built-in digits drawn at random (seed 7)") !=
              NULL);
    options.seed = 8;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &other));
    cr_assert(memcmp(other.inputs, few.inputs, 100 * 64 * sizeof(double)) != 0);
    pls_dataset_destroy(context, &all);
    pls_dataset_destroy(context, &again);
    pls_dataset_destroy(context, &few);
    pls_dataset_destroy(context, &other);
    pls_context_destroy(context);
}

Test(dataset, faulty_options_are_explained) {
    static const int64_t classes[] = {3, 11}, twice[] = {3, 3}, three[] = {3};
    pls_data_options options = options_of("digits");
    options.samples = 5000;
    expect_fault(&options, PLS_ERROR_ARGUMENT,
                 "data.samples: 5,000 were asked for, but the source has 1,797");
    options.classes = three;
    options.class_count = 1;
    expect_fault(&options, PLS_ERROR_ARGUMENT, "only 183 are of the class 3");
    options.samples = -1;
    expect_fault(&options, PLS_ERROR_ARGUMENT, "-1");
    options.samples = 0;
    options.classes = classes;
    options.class_count = 2;
    expect_fault(&options, PLS_ERROR_ARGUMENT,
                 "class 11 does not occur in the built-in digits; there are classes 0-9");
    options.classes = twice;
    expect_fault(&options, PLS_ERROR_ARGUMENT, "class 3 is listed twice");
    options.classes = NULL;
    expect_fault(&options, PLS_ERROR_ARGUMENT, "no list was given");
    options.class_count = -1;
    expect_fault(&options, PLS_ERROR_ARGUMENT, "data.classes");
    options.class_count = 0;
    options.targets = (pls_target_coding)9;
    expect_fault(&options, PLS_ERROR_ARGUMENT, "data.targets");

    static const struct {
        const char *source, *sentence;
    } sources[] = {
        {NULL, "no source was given"},
        {"digit", "did you mean \"digits\"?"},
        {"cifar:x", "did you mean \"cifar10\"?"},
        {"spere", "did you mean \"sphere\"?"},
        {"mnist", "\"mnist\" is not known; there are digits"},
        {"", "is not known; there are digits"},
        {"a name that is longer than any of the known ones can be", "is not known; there are"},
        {"idx", "must be written \"idx:PREFIX\""},
        {"idx:", "must be written \"idx:PREFIX\""},
        {"digits:3", "must be written \"digits\""},
        {"npy:x.npy", "must name two files"},
        {"npy:x.npy,y.npy,z.npy", "must name two files"},
    };
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        options = options_of(sources[i].source);
        expect_fault(&options, PLS_ERROR_ARGUMENT, sources[i].sentence);
    }
    static const char *const missing[] = {"npy:/nowhere/x.npy,y.npy", "idx:/nowhere/train",
                                          "cifar10:/nowhere", "safetensors:/nowhere/x",
                                          "csv:/nowhere/x.csv"};
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        options = options_of(missing[i]);
        expect_fault(&options, PLS_ERROR_FILE, "/nowhere");
    }
}

static void write_idx(const char *name, bool compressed, const void *bytes, size_t size) {
    if (!compressed) {
        support_write(&folder, name, bytes, size);
        return;
    }
    gzFile stream = gzopen(support_path(&folder, name), "wb");
    cr_assert_eq(gzwrite(stream, bytes, (unsigned)size), (int)size);
    gzclose(stream);
}

/* The digits written as files are the digits; their pixels count as bytes. */
Test(dataset, idx_files) {
    pls_context *context = support_context(NULL);
    pls_dataset digits, loaded;
    pls_data_options options = options_of("digits");
    options.shuffle = true;
    options.samples = 30;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &digits));
    write_idx("plain-images-idx3-ubyte", false, pls_digits_images, pls_digits_images_size);
    write_idx("plain-labels-idx1-ubyte.gz", true, pls_digits_labels, pls_digits_labels_size);
    write_idx("gz-images-idx3-ubyte.gz", true, pls_digits_images, pls_digits_images_size);
    write_idx("gz-labels-idx1-ubyte", false, pls_digits_labels, pls_digits_labels_size);
    for (int i = 0; i < 2; i++) {
        options.source = source_in_folder("idx", i == 0 ? "plain" : "gz");
        SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &loaded));
        cr_assert(memcmp(loaded.inputs, digits.inputs, 30 * 64 * sizeof(double)) == 0);
        cr_assert(memcmp(loaded.labels, digits.labels, 30 * sizeof(int64_t)) == 0);
        cr_assert_eq(loaded.input_shape[2], 8);
        pls_dataset_destroy(context, &loaded);
    }
    options.normalize = PLS_NORMALIZE_UNIT_PIXELS;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &loaded));
    cr_assert_eq(loaded.inputs[100], digits.inputs[100] / 255);
    pls_dataset_destroy(context, &loaded);
    pls_dataset_destroy(context, &digits);
    pls_context_destroy(context);

    unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 1, 3};
    write_idx("bad-images-idx3-ubyte", false, pls_digits_images, pls_digits_images_size);
    options.source = source_in_folder("idx", "bad");
    expect_fault(&options, PLS_ERROR_FILE, "labels-idx1-ubyte");
    write_idx("bad-labels-idx1-ubyte", false, labels, sizeof labels);
    expect_fault(&options, PLS_ERROR_DATA, "labels-idx1-ubyte: holds 1 labels");
    write_idx("bad-images-idx3-ubyte", false, labels, sizeof labels);
    expect_fault(&options, PLS_ERROR_DATA, "the inputs have 1 dimensions");
    const unsigned char empty[] = {0, 0, 8, 2, 0, 0, 0, 0, 0, 0, 0, 5};
    write_idx("bad-images-idx3-ubyte", false, empty, sizeof empty);
    expect_fault(&options, PLS_ERROR_DATA, "at least 1");
}

static void write_cifar(const char *name, int records, int first_label) {
    unsigned char *bytes = calloc((size_t)records, 3073);
    for (int i = 0; i < records; i++) {
        bytes[i * 3073] = (unsigned char)(first_label + i);
        bytes[i * 3073 + 1] = (unsigned char)(10 * (first_label + i));
        bytes[i * 3073 + 3072] = 255;
    }
    support_write(&folder, name, bytes, (size_t)records * 3073);
    free(bytes);
}

Test(dataset, cifar10_files) {
    pls_context *context = support_context(NULL);
    pls_dataset dataset;
    pls_data_options options = options_of(source_in_folder("cifar10", ""));
    expect_fault(&options, PLS_ERROR_FILE, "has neither data_batch_1.bin");
    write_cifar("test_batch.bin", 2, 4);
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &dataset));
    cr_assert_eq(dataset.samples, 2);
    cr_assert_eq(dataset.labels[1], 5);
    pls_dataset_destroy(context, &dataset);

    write_cifar("data_batch_1.bin", 3, 0);
    write_cifar("data_batch_3.bin", 2, 7);
    options.normalize = PLS_NORMALIZE_UNIT_PIXELS;
    options.shuffle = true;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &dataset));
    cr_assert_eq(dataset.samples, 5);
    cr_assert_eq(dataset.outputs, 5);
    cr_assert_eq(dataset.input_shape[0], 3);
    cr_assert_eq(dataset.input_shape[1], 32);
    cr_assert_eq(dataset.input_shape[2], 32);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(dataset.inputs[i * 3072], (double)(10 * dataset.labels[i]) / 255);
        cr_assert_eq(dataset.inputs[i * 3072 + 3071], 1);
    }
    pls_dataset_destroy(context, &dataset);
    pls_context_destroy(context);

    write_cifar("data_batch_1.bin", 3, 9);
    expect_fault(&options, PLS_ERROR_DATA, "data_batch_1.bin: record 1 has the label 10");
    support_write(&folder, "data_batch_1.bin", "123", 3);
    expect_fault(&options, PLS_ERROR_DATA, "data_batch_1.bin: has 3 bytes");
    support_write(&folder, "data_batch_1.bin", "", 0);
    expect_fault(&options, PLS_ERROR_DATA, "data_batch_1.bin: has 0 bytes");
}

/* An .npy file of unsigned bytes. */
static void write_bytes_npy(const char *name, const char *shape, const void *bytes, size_t count) {
    char file[512];
    int length = snprintf(file + 10, sizeof file - 10,
                          "{'descr': '|u1', 'fortran_order': False, 'shape': %s}", shape);
    memcpy(file, "\x93NUMPY\x01\x00", 8);
    file[8] = (char)length;
    file[9] = 0;
    memcpy(file + 10 + length, bytes, count);
    support_write(&folder, name, file, (size_t)(10 + length) + count);
}

Test(dataset, npy_files) {
    static const unsigned char pixels[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 51},
                               labels[] = {7, 2};
    char source[256];
    snprintf(source, sizeof source, "npy:%s/x.npy,%s/y.npy", folder.path, folder.path);
    pls_context *context = support_context(NULL);
    pls_data_options options = options_of(source);
    pls_dataset dataset;
    write_bytes_npy("x.npy", "(2, 3, 2)", pixels, 12);
    write_bytes_npy("y.npy", "(2, 1)", labels, 2);
    options.normalize = PLS_NORMALIZE_UNIT_PIXELS;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &dataset));
    cr_assert_eq(dataset.input_rank, 3);
    cr_assert_eq(dataset.input_shape[0], 1);
    cr_assert_eq(dataset.input_shape[1], 3);
    cr_assert_eq(dataset.input_shape[2], 2);
    cr_assert_eq(dataset.inputs[11], 0.2);
    cr_assert_eq(dataset.labels[0], 7);
    cr_assert_eq(dataset.targets[1], 1, "label 7 is the second class");
    pls_dataset_destroy(context, &dataset);

    write_bytes_npy("x.npy", "(2, 3, 1, 2)", pixels, 12);
    write_bytes_npy("y.npy", "(2, 2)", pixels, 4);
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &dataset));
    cr_assert_eq(dataset.input_shape[0], 3);
    cr_assert_eq(dataset.input_shape[2], 2);
    cr_assert_eq(dataset.outputs, 2, "two integers a sample are no label");
    cr_assert_null(dataset.labels);
    cr_assert_eq(dataset.targets[3], 4);
    cr_assert(strstr(dataset.description, "2 real targets") != NULL);
    pls_dataset_destroy(context, &dataset);
    pls_context_destroy(context);

    options.targets = PLS_TARGETS_ONE_HOT;
    expect_fault(&options, PLS_ERROR_ARGUMENT, "one_hot needs labels");
    options.targets = PLS_TARGETS_SIGNED;
    expect_fault(&options, PLS_ERROR_ARGUMENT, "use regression");
    static const int64_t classes[] = {1};
    options.classes = classes;
    options.class_count = 1;
    expect_fault(&options, PLS_ERROR_ARGUMENT, "real targets, no classes");
    options = options_of(source);
    write_bytes_npy("y.npy", "(3,)", pixels, 3);
    expect_fault(&options, PLS_ERROR_DATA, "y.npy: the targets must be");
    write_bytes_npy("y.npy", "()", pixels, 1);
    expect_fault(&options, PLS_ERROR_DATA, "y.npy: the targets must be");
    write_bytes_npy("y.npy", "(2, 0)", pixels, 0);
    expect_fault(&options, PLS_ERROR_DATA, "y.npy: the targets must be");
    write_bytes_npy("x.npy", "(12,)", pixels, 12);
    expect_fault(&options, PLS_ERROR_DATA, "x.npy: the inputs have 1 dimensions");
    write_bytes_npy("x.npy", "(0, 9223372036854775807, 9223372036854775807)", pixels, 0);
    expect_fault(&options, PLS_ERROR_DATA, "64 bits");
}

static const char *write_tensors(const char *first_name, const double *inputs,
                                 const double *targets, int64_t target_count) {
    pls_context *context = support_context(NULL);
    const pls_tensor_plan plans[] = {{first_name, PLS_F64, 2, {3, 2}},
                                     {"targets", PLS_F64, 2, {target_count, 1}}};
    pls_safetensors_writer *writer = NULL;
    SUPPORT_EXPECT_OK(context,
                      pls_safetensors_create(context, support_path(&folder, "some.safetensors"),
                                             plans, 2, NULL, 0, &writer));
    SUPPORT_EXPECT_OK(context, pls_safetensors_append(writer, inputs, 6));
    SUPPORT_EXPECT_OK(context, pls_safetensors_append(writer, targets, target_count));
    SUPPORT_EXPECT_OK(context, pls_safetensors_commit(writer));
    pls_context_destroy(context);
    return source_in_folder("safetensors", "some.safetensors");
}

Test(dataset, safetensors_files) {
    static const double inputs[] = {1, 2, 3, 4, 5, 6}, targets[] = {1, -2, 3}, zero[6] = {1, 2};
    pls_context *context = support_context(NULL);
    pls_data_options options = options_of(write_tensors("inputs", inputs, targets, 3));
    pls_dataset dataset;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &dataset));
    cr_assert_eq(dataset.samples, 3);
    cr_assert_eq(dataset.input_rank, 1);
    cr_assert_eq(dataset.input_shape[0], 2);
    cr_assert(memcmp(dataset.inputs, inputs, sizeof inputs) == 0);
    cr_assert(memcmp(dataset.targets, targets, sizeof targets) == 0);
    cr_assert_null(dataset.labels);
    pls_dataset_destroy(context, &dataset);
    pls_context_destroy(context);

    options.normalize = PLS_NORMALIZE_UNIT_PIXELS;
    expect_fault(&options, PLS_ERROR_ARGUMENT, "unit_pixels needs pixels");
    options.normalize = PLS_NORMALIZE_SPHERE;
    write_tensors("inputs", zero, targets, 3);
    expect_fault(&options, PLS_ERROR_DATA, "sample 1 (from 0) of the samples of safetensors:");
    write_tensors("inputs", inputs, targets, 2);
    expect_fault(&options, PLS_ERROR_DATA, "\"targets\" must be");
    write_tensors("others", inputs, targets, 3);
    expect_fault(&options, PLS_ERROR_DATA, "has no tensor \"inputs\"");
}

static const char *write_csv(const char *text) {
    support_write(&folder, "some.csv", text, strlen(text));
    return source_in_folder("csv", "some.csv");
}

Test(dataset, csv_files) {
    pls_context *context = support_context(NULL);
    pls_dataset dataset;
    pls_data_options options = options_of(write_csv("a,b,label\n1,2,-3\n4,5,6\n7,8,-3\n"));
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &dataset));
    cr_assert_eq(dataset.dimension, 2);
    cr_assert_eq(dataset.outputs, 2);
    cr_assert_eq(dataset.labels[2], -3);
    cr_assert_eq(dataset.inputs[2], 4);
    cr_assert_eq(dataset.targets[3], 1);
    cr_assert(strstr(dataset.description, "classes -3, 6, one-hot") != NULL);
    pls_dataset_destroy(context, &dataset);
    options.target_columns = 2;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &dataset));
    cr_assert_eq(dataset.dimension, 1);
    cr_assert_eq(dataset.outputs, 2);
    cr_assert_null(dataset.labels);
    cr_assert_eq(dataset.inputs[1], 4);
    cr_assert_eq(dataset.targets[2], 5);
    pls_dataset_destroy(context, &dataset);
    options.target_columns = 3;
    expect_fault(&options, PLS_ERROR_ARGUMENT, "some.csv has 3 columns");
    options.target_columns = 0;
    expect_fault(&options, PLS_ERROR_ARGUMENT, "data.target_columns: 0");
    options.target_columns = 1;
    options.source = write_csv("1,2,0.5\n4,5,6\n");
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &dataset));
    cr_assert_null(dataset.labels, "0.5 became a label");
    cr_assert(strstr(dataset.description, "1 real target,") != NULL);
    pls_dataset_destroy(context, &dataset);
    options.source = write_csv("1,9007199254740992\n4,5\n");
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &dataset));
    cr_assert_null(dataset.labels, "a number that is not exact became a label");
    pls_dataset_destroy(context, &dataset);
    pls_context_destroy(context);
}

Test(dataset, real_data_must_be_finite) {
    pls_context *context = support_context(NULL);
    const int64_t shape[] = {2, 2};
    double values[] = {1, 2, 3, NAN};
    char source[256];
    snprintf(source, sizeof source, "npy:%s/x.npy,%s/y.npy", folder.path, folder.path);
    SUPPORT_EXPECT_OK(context,
                      pls_npy_write(context, support_path(&folder, "x.npy"), values, 2, shape));
    values[3] = 0;
    SUPPORT_EXPECT_OK(context,
                      pls_npy_write(context, support_path(&folder, "y.npy"), values, 2, shape));
    pls_data_options options = options_of(source);
    expect_fault(&options, PLS_ERROR_DATA, "x.npy,");
    expect_fault(&options, PLS_ERROR_DATA, "input 1 of sample 1 (both from 0) is nan");
    snprintf(source, sizeof source, "npy:%s/y.npy,%s/x.npy", folder.path, folder.path);
    expect_fault(&options, PLS_ERROR_DATA, "target 1 of sample 1");
    pls_context_destroy(context);
}

Test(dataset, duplicates_are_counted) {
    pls_context *context = support_context(NULL);
    pls_dataset dataset;
    pls_data_options options =
        options_of(write_csv("5,5,0\n1,2,0\n3,4,1\n0,0,1\n3,4,0\n1,2,1\n3,4,1\n-0,0,1\n"));
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &dataset));
    cr_assert_eq(dataset.duplicates, 4);
    cr_assert_eq(dataset.duplicate_pair[0], 2);
    cr_assert_eq(dataset.duplicate_pair[1], 4);
    pls_dataset_destroy(context, &dataset);
    pls_context_destroy(context);
}

Test(dataset, from_arrays) {
    pls_context *context = support_context(NULL);
    const double inputs[] = {1, 2, 1, 2}, targets[] = {5, 6}, bad[] = {1, INFINITY};
    pls_dataset dataset;
    SUPPORT_EXPECT_OK(context,
                      pls_dataset_from_arrays(context, 2, 2, 1, inputs, targets, &dataset));
    cr_assert_neq(dataset.inputs, inputs);
    cr_assert(memcmp(dataset.inputs, inputs, sizeof inputs) == 0);
    cr_assert(memcmp(dataset.targets, targets, sizeof targets) == 0);
    cr_assert_eq(dataset.duplicates, 1);
    cr_assert_eq(dataset.duplicate_pair[1], 1);
    cr_assert_eq(dataset.input_shape[0], 2);
    cr_assert_str_eq(dataset.description, "2 samples given as arrays");
    pls_dataset_destroy(context, &dataset);
    SUPPORT_EXPECT_ERROR(context, pls_dataset_from_arrays(context, 2, 2, 1, inputs, bad, &dataset),
                         PLS_ERROR_DATA, "target 0 of sample 1 (both from 0) is inf");
    SUPPORT_EXPECT_ERROR(context, pls_dataset_from_arrays(context, 2, 1, 2, bad, inputs, &dataset),
                         PLS_ERROR_DATA, "input 0 of sample 1");
    SUPPORT_EXPECT_ERROR(context,
                         pls_dataset_from_arrays(context, 0, 2, 1, inputs, targets, &dataset),
                         PLS_ERROR_ARGUMENT, "0 samples");
    SUPPORT_EXPECT_ERROR(
        context, pls_dataset_from_arrays(context, INT64_MAX, 2, 1, inputs, targets, &dataset),
        PLS_ERROR_MEMORY, "64 bits");
    pls_context_destroy(context);
}

Test(dataset, normals_follow_the_formula) {
    const pls_random_stream stream = {5, PLS_RANDOM_TEST, 3};
    double sum = 0, squares = 0, cubes = 0;
    enum { COUNT = 100000 };
    for (uint64_t e = 0; e < COUNT; e++) {
        double value = pls_random_normal_at(stream, e);
        sum += value;
        squares += value * value;
        cubes += value * value * value;
    }
    cr_assert_lt(fabs(sum / COUNT), 0.015);
    cr_assert_lt(fabs(squares / COUNT - 1), 0.02);
    cr_assert_lt(fabs(cubes / COUNT), 0.05);
    for (uint64_t e = 0; e < 100; e += 2) {
        double u = pls_random_uniform_at(stream, e), v = pls_random_uniform_at(stream, e + 1);
        double radius = sqrt(-2 * log(1 - u));
        cr_assert_float_eq(pls_random_normal_at(stream, e), radius * cos(2 * M_PI * v), 1e-14);
        cr_assert_float_eq(pls_random_normal_at(stream, e + 1), radius * sin(2 * M_PI * v), 1e-14);
    }
}

Test(dataset, synthetic_inputs) {
    pls_context *context = support_context(NULL);
    pls_dataset normal, sphere, other;
    pls_data_options options = options_of("gaussian");
    options.dimension = 5;
    options.seed = 11;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &normal));
    cr_assert_eq(normal.samples, 64);
    cr_assert_eq(normal.input_rank, 1);
    cr_assert_eq(normal.input_shape[0], 5);
    const pls_random_stream stream = {11, PLS_RANDOM_INPUTS, 0};
    for (int e = 0; e < 64 * 5; e++) {
        cr_assert_eq(normal.inputs[e], pls_random_normal_at(stream, (uint64_t)e));
    }
    options.source = "sphere";
    options.samples = 1000;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &sphere));
    for (int i = 0; i < 1000; i++) {
        cr_assert_float_eq(norm(sphere.inputs + i * 5, 5), sqrt(5), 1e-14);
    }
    for (int i = 0; i < 64; i++) {
        double scale = sqrt(5) / norm(normal.inputs + i * 5, 5);
        cr_assert_float_eq(sphere.inputs[i * 5], normal.inputs[i * 5] * scale, 1e-14);
    }
    cr_assert_str_eq(sphere.description, "1,000 random points on the sphere in 5 dimensions (seed "
                                         "11), 1 real target of a teacher, inputs as they are");
    options.seed = 12;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &other));
    cr_assert_neq(other.inputs[0], sphere.inputs[0]);
    cr_assert_neq(other.targets[0], sphere.targets[0]);
    pls_dataset_destroy(context, &normal);
    pls_dataset_destroy(context, &sphere);
    pls_dataset_destroy(context, &other);
    options.dimension = 0;
    expect_fault(&options, PLS_ERROR_ARGUMENT, "data.dimension and data.outputs");
    options.dimension = INT64_MAX;
    expect_fault(&options, PLS_ERROR_ARGUMENT, "64 bits");
    pls_context_destroy(context);
}

Test(dataset, synthetic_targets) {
    pls_context *context = support_context(NULL);
    pls_dataset dataset;
    pls_data_options options = options_of("gaussian");
    options.samples = 200;
    options.dimension = 4;
    options.outputs = 3;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &dataset));
    cr_assert_eq(dataset.outputs, 3);
    const pls_random_stream hidden = {0, PLS_RANDOM_TARGETS, 1},
                            output = {0, PLS_RANDOM_TARGETS, 2};
    for (int i = 0; i < 200; i++) {
        for (int a = 0; a < 3; a++) {
            double f = 0;
            for (int j = 0; j < 32; j++) {
                double z = 0;
                for (int l = 0; l < 4; l++) {
                    z += pls_random_normal_at(hidden, (uint64_t)(j * 4 + l)) *
                         dataset.inputs[i * 4 + l] / 2;
                }
                f += pls_random_normal_at(output, (uint64_t)(a * 32 + j)) * tanh(z) / sqrt(32);
            }
            cr_assert_float_eq(dataset.targets[i * 3 + a], f, 1e-13);
        }
    }
    double *taught = dataset.targets;
    dataset.targets = NULL;
    pls_dataset_destroy(context, &dataset);

    /* The same teacher decides on classes by its largest output. */
    options.targets = PLS_TARGETS_SIGNED;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &dataset));
    cr_assert_eq(dataset.outputs, 3);
    for (int i = 0; i < 200; i++) {
        for (int a = 0; a < 3; a++) {
            cr_assert_leq(taught[i * 3 + a], taught[i * 3 + dataset.labels[i]]);
            cr_assert_eq(dataset.targets[i * 3 + a], a == dataset.labels[i] ? 1 : -1);
        }
    }
    free(taught);
    pls_dataset_destroy(context, &dataset);

    options.labels = PLS_LABELS_RANDOM;
    options.targets = PLS_TARGETS_AUTO;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &dataset));
    const pls_random_stream values = {0, PLS_RANDOM_TARGETS, 0};
    cr_assert_eq(dataset.targets[7], pls_random_normal_at(values, 7));
    cr_assert(strstr(dataset.description, "3 real targets at random") != NULL);
    pls_dataset_destroy(context, &dataset);

    static const int64_t classes[] = {40, -2, 7};
    options.targets = PLS_TARGETS_ONE_HOT;
    options.classes = classes;
    options.class_count = 3;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &dataset));
    int counts[3] = {0};
    for (int i = 0; i < 200; i++) {
        for (int a = 0; a < 3; a++) {
            cr_assert_eq(dataset.targets[i * 3 + a], classes[a] == dataset.labels[i] ? 1 : 0);
            counts[a] += classes[a] == dataset.labels[i];
        }
    }
    cr_assert(counts[0] > 40 && counts[1] > 40 && counts[2] > 40);
    pls_dataset_destroy(context, &dataset);

    /* A single output asked for still makes two classes, which may have no samples. */
    options.class_count = 0;
    options.outputs = 1;
    options.samples = 1;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &options, &dataset));
    cr_assert_eq(dataset.outputs, 2);
    cr_assert(strstr(dataset.description, "1 random points of normal distribution in 4") != NULL);
    pls_dataset_destroy(context, &dataset);
    pls_context_destroy(context);
}

static pls_status load(pls_context *context, void *user) {
    pls_dataset dataset;
    pls_status status = pls_dataset_load(context, user, &dataset);
    pls_dataset_destroy(context, &dataset);
    return status;
}

static pls_status copy_arrays(pls_context *context, void *user) {
    (void)user;
    const double values[] = {1, 2};
    pls_dataset dataset;
    pls_status status = pls_dataset_from_arrays(context, 2, 1, 1, values, values, &dataset);
    pls_dataset_destroy(context, &dataset);
    return status;
}

Test(dataset, every_allocation_may_fail) {
    static const double inputs[] = {1, 2, 3, 4, 5, 6}, targets[] = {1, -2, 3};
    static const unsigned char pixels[] = {1, 2, 3, 4};
    static const int64_t classes[] = {1, 2};
    char npy[256];
    pls_data_options options = options_of("digits");
    options.classes = classes;
    options.class_count = 2;
    support_fail_each_allocation(load, &options);
    options = options_of(write_tensors("inputs", inputs, targets, 3));
    support_fail_each_allocation(load, &options);
    options = options_of(write_csv("1,2\n3,4\n"));
    support_fail_each_allocation(load, &options);
    write_cifar("data_batch_2.bin", 2, 1);
    options = options_of(source_in_folder("cifar10", ""));
    support_fail_each_allocation(load, &options);
    write_idx("d-images-idx3-ubyte.gz", true, pls_digits_images, pls_digits_images_size);
    write_idx("d-labels-idx1-ubyte.gz", true, pls_digits_labels, pls_digits_labels_size);
    options = options_of(source_in_folder("idx", "d"));
    options.samples = 5;
    support_fail_each_allocation(load, &options);
    write_bytes_npy("x.npy", "(2, 2)", pixels, 4);
    write_bytes_npy("y.npy", "(2,)", pixels, 2);
    snprintf(npy, sizeof npy, "npy:%s/x.npy,%s/y.npy", folder.path, folder.path);
    options = options_of(npy);
    support_fail_each_allocation(load, &options);
    options = options_of("sphere");
    support_fail_each_allocation(load, &options);
    options.labels = PLS_LABELS_RANDOM;
    support_fail_each_allocation(load, &options);
    options.targets = PLS_TARGETS_ONE_HOT;
    options.labels = PLS_LABELS_TEACHER;
    support_fail_each_allocation(load, &options);
    support_fail_each_allocation(copy_arrays, NULL);
}
