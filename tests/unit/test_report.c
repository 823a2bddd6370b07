/* Reports of small run folders. */
#include "plstar/report.h"

#include "data/npy.h"
#include "report/axis.h"
#include "report/drawing.h"
#include "report/facts.h"
#include "report/gnuplot.h"
#include "report/picture.h"
#include "report/text.h"

#include <criterion/criterion.h>

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static char folder[256];
static char last_log[1024];
static int warnings;
static int64_t allocations, failing_allocation, living;
static pls_context *context;

static void *counting_allocate(void *user, size_t bytes) {
    (void)user;
    if (++allocations == failing_allocation) {
        return NULL;
    }
    living++;
    return malloc(bytes);
}

static void counting_release(void *user, void *memory) {
    (void)user;
    living -= memory != NULL;
    free(memory);
}

static void keep_log(void *user, pls_log_level level, const char *text) {
    (void)user;
    warnings += level == PLS_LOG_WARNING;
    snprintf(last_log, sizeof last_log, "%s", text);
}

static void setup(void) {
    pls_hooks hooks = {.allocate = counting_allocate, .release = counting_release, .log = keep_log};
    /* the quotation mark tries how folders are named to gnuplot */
    snprintf(folder, sizeof folder, "/tmp/plstar-report's.XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    cr_assert_eq(pls_context_create(&hooks, &context), PLS_OK);
}

static void teardown(void) {
    pls_context_destroy(context);
    cr_assert_eq(living, 0, "%lld allocations are still there", (long long)living);
    char command[600];
    snprintf(command, sizeof command, "rm -rf \"%s\"", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(report, .init = setup, .fini = teardown);

static const char *path_of(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const char *text) {
    FILE *stream = fopen(path_of(name), "wb");
    cr_assert(stream != NULL);
    fputs(text, stream);
    fclose(stream);
}

static bool exists(const char *name) {
    return access(path_of(name), F_OK) == 0;
}

/* The content of a file, to be freed. */
static char *get(const char *name) {
    FILE *stream = fopen(path_of(name), "rb");
    cr_assert(stream != NULL, "%s is missing", name);
    fseek(stream, 0, SEEK_END);
    long size = ftell(stream);
    rewind(stream);
    char *text = calloc(1, (size_t)size + 1);
    cr_assert_eq(fread(text, 1, (size_t)size, stream), (size_t)size);
    fclose(stream);
    return text;
}

static void expect(const char *page, const char *phrase) {
    cr_expect(strstr(page, phrase) != NULL, "\"%s\" is not in the page", phrase);
}

static void expect_not(const char *page, const char *phrase) {
    cr_expect(strstr(page, phrase) == NULL, "\"%s\" is in the page", phrase);
}

static void expect_failure(pls_status wanted, const char *phrase) {
    cr_expect_eq(pls_report_write(context, folder, NULL), wanted);
    cr_expect(strstr(pls_error_text(context), phrase) != NULL, "\"%s\" does not say \"%s\"",
              pls_error_text(context), phrase);
    cr_expect(!exists("report.html"));
}

/* Writes the report and returns the page, to be freed. */
static char *page_of_report(void) {
    cr_assert_eq(pls_report_write(context, folder, NULL), PLS_OK, "%s", pls_error_text(context));
    return get("report.html");
}

/* A page must need nothing but itself. */
static void expect_self_contained(const char *page) {
    expect(page, "<!DOCTYPE html>");
    expect(page, "</html>");
    expect_not(page, "http");
    expect_not(page, "<script");
    for (const char *at = page; (at = strstr(at, "src=")) != NULL; at++) {
        cr_expect(strncmp(at, "src=\"data:image/png;base64,", 27) == 0, "%.40s", at);
    }
    expect_not(page, "@import");
    expect_not(page, "<link");
}

static const char train_summary[] =
    "{\"command\": \"train\", \"title\": \"Digits\", \"loss\": 0.01, \"initial_loss\": 120.0,"
    "\"gradient_norm\": 0.3, \"pl_ratio\": 4.5, \"lambda_min\": 3.1, \"lambda_min_lower\": 3.098,"
    "\"lambda_min_upper\": 3.102, \"lambda_max\": 800.0, \"condition_number\": 258.06,"
    "\"kernel_floor\": 1e-4, \"device\": \"cpu\", \"precision\": \"f32\", \"version\": \"0.1.0\","
    "\"seconds\": {\"load\": 0.02, \"train\": 21.4, \"why\": \"x\"}, \"notes\": [\"first note\", "
    "7],"
    "\"steps\": 40, \"step_size\": 0.05, \"optimizer\": \"gd\", \"stopped\": \"finished\","
    "\"samples\": 64, \"outputs\": 10, \"equations\": 640, \"parameters\": 303104,"
    "\"model\": \"64 -> 4096 tanh -> 10, ntk\", \"data\": \"digits\", \"mu_infimum\": 3.1,"
    "\"bottom_eigenvector\": {\"step\": 40, \"eigenvalue\": 3.1, \"gap\": 0.2, \"turn\": 0.001,"
    "\"determined\": true, \"below_floor\": false, \"samples\": [[11, 0.62], [1234, 0.3799],"
    "[5, 0.0001]], \"labels\": [1, 7, 2], \"outputs\": [0.25, 0.75], \"layers\": [{\"name\": "
    "\"layers.0\", \"share\": 0.7}, {\"name\": \"layers.1\", \"share\": 0.3}]},"
    "\"bottom_eigenvector_initial\": {\"outputs\": [0.5, 0.5], \"layers\": [{\"name\": "
    "\"layers.1\", \"share\": 0.405}]}, \"kernel_alignment\": 0.25, \"effective_rank\": 14.2,"
    "\"monitor_share\": 0.29, \"further\": {\"a\": [1, 2]}, \"flag\": true, \"nothing\": null}";

static void put_metrics(int rows, int every) {
    FILE *stream = fopen(path_of("metrics.csv"), "wb");
    cr_assert(stream != NULL);
    fputs("loss,step,gradient_norm,pl_ratio,distance,lambda_min,lambda_min_lower,"
          "lambda_min_upper,lambda_max,kernel_change,kernel_floor,condition_number,more\n",
          stream);
    for (int t = 0; t < rows; t++) {
        double mu = 3.1 + 0.2 * exp(-t / 10.0);
        fprintf(stream, "%.17g,%d,%g,%g,%g", 120.0 * pow(0.79, t) + 1e-9, t, 1.0,
                4.0 + 10.0 / (t + 1), 2.0 - 2.0 * exp(-t / 20.0));
        if (t % every == 0) {
            fprintf(stream, ",%.17g,%.17g,%.17g,800,%g,0.0001,%g,text\n", mu, mu - 0.002,
                    mu + 0.002, 0.01 * t / rows, 800.0 / mu);
        } else {
            fputs(",,,,,,,,\n", stream);
        }
    }
    fclose(stream);
}

/* lambda_i = 800 i^-1.5, moved so that the smallest is `least`. */
static void put_spectrum(const char *name, int64_t count, double least) {
    double *values = calloc((size_t)count, sizeof *values);
    for (int64_t i = 0; i < count; i++) {
        values[i] = least + 800.0 * (pow((double)(count - i), -1.5) - pow((double)count, -1.5));
    }
    cr_assert_eq(pls_npy_write(context, path_of(name), values, 1, &count), PLS_OK);
    free(values);
}

/* Three pictures of 2 x 2 with one channel, each from black to white. */
static void put_pictures(void) {
    const double values[] = {0.0, 1.0, 2.0, 4.0, -8.0, 8.0, 0.0, -8.0, 3.0, 3.0, 3.0, 3.0};
    const int64_t shape[] = {3, 1, 2, 2};
    cr_assert_eq(pls_npy_write(context, path_of("bottom_samples.npy"), values, 4, shape), PLS_OK);
}

static void put_train_run(void) {
    put("summary.json", train_summary);
    put("config.yaml", "model:\n  input: [64] # a & b < c\n");
    put_metrics(41, 2);
    put_spectrum("eigenvalues.npy", 640, 3.1);
    put_spectrum("eigenvalues_initial.npy", 640, 3.3);
    put_pictures();
}

static const char *const all_names[] = {"loss",          "mu",      "pl_ratio", "distance",
                                        "kernel_change", "spectrum"};

static bool figure_exists(const char *name, const char *ending) {
    char file[64];
    snprintf(file, sizeof file, "figures/%s.%s", name, ending);
    return exists(file);
}

Test(report, train) {
    put_train_run();
    char *page = page_of_report();
    cr_expect_eq(warnings, 0, "%s", last_log);
    expect_self_contained(page);
    expect(page, "The loss fell by a factor of 1.2×10⁴ in 40 steps; μ stayed at or above 3.1");
    expect(page, "stayed between <i>λ</i><sub>min</sub> and <i>λ</i><sub>max</sub> at all 21 "
                 "measured steps.");
    expect(page, "The loss stayed at or below it at all 41 recorded steps.");
    expect(page, "in [3.098, 3.102]");
    expect(page, "303,104");
    expect(page, "29 %");
    expect(page, "21.4 s");
    expect(page, "<li>first note</li>");
    expect(page, "<code>further</code>");
    expect(page, "a [1,2]");
    expect_not(page, "nothing</code>");
    expect(page, "# a &amp; b &lt; c");
    expect(page, "plstar train config.yaml");
    expect(page, "id=\"loss-gnuplot_canvas\"");
    expect_not(page, "id=\"gnuplot_canvas\"");
    expect_not(page, "The figures need gnuplot");
    for (size_t i = 0; i < sizeof all_names / sizeof *all_names; i++) {
        cr_expect(figure_exists(all_names[i], "dat"), "%s", all_names[i]);
        cr_expect(figure_exists(all_names[i], "gp"), "%s", all_names[i]);
        cr_expect(figure_exists(all_names[i], "svg"), "%s", all_names[i]);
        char id[64];
        snprintf(id, sizeof id, "<figure id=\"figure-%s\">", all_names[i]);
        expect(page, id);
    }
    free(page);
}

/* ---- what sets mu ---------------------------------------------------------------------------
 */

Test(report, what_sets_mu) {
    put_train_run();
    char *page = page_of_report();
    expect_self_contained(page);
    expect(page, "<h2>What sets μ</h2>");
    expect(page, "carries it at step 40:");
    expect(page, "<img alt=\"Picture of sample 11, label 1\" src=\"data:image/png;base64,iVBORw0");
    expect(page, "<b>62&nbsp;%</b> sample 11<br>label 1");
    expect(page, "sample 1,234<br>label 7");
    expect_not(page, "sample 5");
    expect(page, "<h3>Layers</h3>");
    expect(page, "<th scope=\"row\">layers.0</th><td>70&nbsp;%</td><td class=\"bar\"><i "
                 "style=\"width:100.0%\"></i></td><td>–</td>");
    expect(page, "<i style=\"width:42.9%\"></i></td><td>40.5&nbsp;%</td>");
    expect(page, "<th scope=\"row\">output 1</th><td>75&nbsp;%</td>");
    cr_expect(strstr(page, "output 1</th>") < strstr(page, "output 0</th>"), "the largest first");
    expect_not(page, "Rounding may have turned");
    expect_not(page, "bottom_eigenvector</code>");
    expect(page, "Alignment with the targets");
    free(page);

    /* without pictures bars; without labels targets */
    unlink(path_of("bottom_samples.npy"));
    put("summary.json",
        "{\"command\": \"train\", \"bottom_eigenvector\": {\"determined\": false, \"gap\": 1e-9,"
        "\"below_floor\": true, \"samples\": [[3, 0.5], [8, 0.25], [9, 0.1]], \"targets\": [[0.5],"
        "[1, 2], [1, 2, 3, 4, 5]], \"outputs\": [0.9999, 0.0001], \"layers\": [{\"name\": \"a\", "
        "\"share\": 0.5}, {\"name\": "
        "\"b\","
        "\"share\": 0.5}]}}");
    page = page_of_report();
    expect(page, "sample 3, target 0.5</th><td>50&nbsp;%</td>");
    expect(page, "sample 8, target (1, 2)</th><td>25&nbsp;%</td><td class=\"bar\"><i "
                 "style=\"width:50.0%\">");
    expect(page, "sample 9, target (1, 2, 3, 4, …)");
    expect(page, "the next eigenvalue is only 1×10⁻⁹ away");
    expect(page, "what layers contribute to it is rounding");
    expect(page, "output 1</th><td>&lt; 0.1&nbsp;%</td>");
    expect_not(page, "<h3>Layers</h3>");
    expect_not(page, "<img");
    free(page);

    put("summary.json",
        "{\"command\": \"train\", \"kernel_floor\": 1e-8, \"kernel\": \"trace, n x n\","
        "\"bottom_eigenvector\": {\"determined\": false, \"gap\": 1e-9}}");
    page = page_of_report();
    expect(page, "cannot be told from the smallest");
    expect(page, "samples by their parts of ‖<i>v</i>‖², outputs and layers by");
    free(page);
}

/* Whatever stands in the summary, the page is made. */
Test(report, what_sets_mu_from_odd_files) {
    static const char *const odd[] = {
        "3", "[]", "{}", "{\"samples\": 4, \"outputs\": {}, \"layers\": [1, {\"name\": 2}]}",
        "{\"samples\": [[1e300, 1e300], [null, 0.5], [], [3, \"x\"]], \"labels\": [\"<u>\", []],"
        "\"outputs\": [\"<u>\", null, 0.5, 0.25], \"layers\": [{\"name\": \"<script>\"}, {\"name\":"
        "\"<script>\", \"share\": 1e308}]}"};
    put_train_run();
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        char text[600];
        snprintf(text, sizeof text,
                 "{\"command\": \"train\", \"bottom_eigenvector\": %s,"
                 "\"bottom_eigenvector_initial\": %s}",
                 odd[i], odd[i]);
        put("summary.json", text);
        char *page = page_of_report();
        expect_not(page, "<script");
        expect_not(page, "<u>");
        free(page);
    }
    const double values[6] = {0.0};
    const int64_t flat[] = {2, 3}, odd_colours[] = {1, 2, 1, 3};
    cr_assert_eq(pls_npy_write(context, path_of("bottom_samples.npy"), values, 4, odd_colours),
                 PLS_OK);
    put("summary.json", train_summary);
    char *page = page_of_report();
    expect_not(page, "<img");
    free(page);
    unlink(path_of("report.html"));
    cr_assert_eq(pls_npy_write(context, path_of("bottom_samples.npy"), values, 2, flat), PLS_OK);
    expect_failure(PLS_ERROR_DATA, "2 dimensions; samples x channels x height x width");
}

/* The bytes of a data URI. */
static int64_t decode(const char *uri, unsigned char *bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = uri + strlen("data:image/png;base64,");
    int64_t size = 0;
    cr_assert_eq(strncmp(uri, "data:image/png;base64,", 22), 0);
    cr_assert_eq(strlen(at) % 4, 0);
    for (; *at != '\0'; at += 4) {
        uint32_t word = 0;
        int padding = 0;
        for (int d = 0; d < 4; d++) {
            const char *digit = strchr(digits, at[d]);
            padding += at[d] == '=';
            cr_assert(at[d] == '=' || digit != NULL);
            word = word << 6 | (at[d] == '=' ? 0U : (uint32_t)(digit - digits));
        }
        for (int b = 0; b < 3 - padding; b++) {
            bytes[size++] = (unsigned char)(word >> (16 - 8 * b));
        }
    }
    return size;
}

static uint32_t word_at(const unsigned char *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Formulas in plain letters, as signs; names of letters within other words stay. */
Test(report, formulas) {
    static const char *const cases[][2] = {
        {"||H_i|| <= -1/2", "‖H<sub>i</sub>‖ ≤ −1/2"},
        {"L_t <= (1 - eta mu)^t L_0", "L<sub>t</sub> ≤ (1 − η μ)<sup>t</sup> L<sub>0</sub>"},
        {"mu_0, lambda_min, eps / L_0", "μ<sub>0</sub>, λ<sub>min</sub>, ε / L<sub>0</sub>"},
        {"K_(Phi o F) and J_Phi^T", "K<sub>(Φ ∘ F)</sub> and J<sub>Φ</sub><sup>T</sup>"},
        {"phi = tanh, phi'_i", "φ = tanh, φ′<sub>i</sub>"},
        {"beta_F/2 |v|^2 < 3", "β<sub>F</sub>/2 |v|<sup>2</sup> &lt; 3"},
        {"much, metal, steps, P-N+1, 1e-6", "much, metal, steps, P-N+1, 1e-6"},
        {"two-layer mute theta epsilon", "two-layer mute theta epsilon"},
        {"slope >= -1/2, grad F", "slope ≥ −1/2, ∇F"},
        {"F_lin,i(w) < 1e-6", "F<sub>lin,i</sub>(w) &lt; 1e-6"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pls_text text = pls_text_start(context);
        pls_text_formula(&text, cases[i][0]);
        cr_assert_eq(pls_text_status(&text), PLS_OK);
        cr_expect_str_eq(pls_text_string(&text), cases[i][1]);
        pls_text_release(&text);
    }
}

/* A PNG file read as its standard says: signature, chunks with their sums, rows inflated. */
static void expect_png(pls_picture_shape shape, const double *values, const unsigned char *rows) {
    static const char *const types[] = {"IHDR", "IDAT", "IEND"};
    unsigned char bytes[4096], found[1024];
    pls_text text = pls_text_start(context);
    pls_picture_append(&text, shape, values);
    cr_assert_eq(pls_text_status(&text), PLS_OK);
    int64_t size = decode(pls_text_string(&text), bytes), at = 8;
    cr_expect_eq(memcmp(bytes, "\x89PNG\r\n\x1a\n", 8), 0);
    for (int c = 0; c < 3; c++) {
        uint32_t length = word_at(bytes + at);
        const unsigned char *data = bytes + at + 8;
        cr_assert_leq(at + 12 + length, size);
        cr_expect_eq(memcmp(bytes + at + 4, types[c], 4), 0);
        cr_expect_eq(word_at(data + length), crc32(0, bytes + at + 4, length + 4));
        if (c == 0) {
            cr_expect_eq(length, 13);
            cr_expect_eq(word_at(data), shape.width);
            cr_expect_eq(word_at(data + 4), shape.height);
            cr_expect(data[8] == 8 && data[9] == (shape.channels == 3 ? 2 : 0));
        } else if (c == 1) {
            uLongf count = sizeof found;
            cr_assert_eq(uncompress(found, &count, data, length), Z_OK);
            cr_assert_eq((int64_t)count, shape.height * (1 + shape.width * shape.channels));
            cr_expect_eq(memcmp(found, rows, count), 0);
        }
        at += 12 + length;
    }
    cr_expect_eq(at, size);
    pls_text_release(&text);
}

Test(report, pictures) {
    const double grey[] = {0.0, 1.0, 2.0, 4.0, 3.0, -1.0};
    const unsigned char grey_rows[] = {0, 51, 102, 153, 0, 255, 204, 0};
    expect_png((pls_picture_shape){1, 2, 3}, grey, grey_rows);
    const double coloured[] = {0.0, 5.0, 10.0, 20.0, 40.0, 51.0}; /* two pixels: r r g g b b */
    const unsigned char coloured_rows[] = {0, 0, 50, 200, 25, 100, 255};
    expect_png((pls_picture_shape){3, 1, 2}, coloured, coloured_rows);
    const double flat[] = {7.0, 7.0}, broken[] = {NAN, 1.0, 3.0};
    const unsigned char flat_rows[] = {0, 0, 0}, broken_rows[] = {0, 0, 0, 255};
    expect_png((pls_picture_shape){1, 1, 2}, flat, flat_rows);
    expect_png((pls_picture_shape){1, 1, 3}, broken, broken_rows);
    cr_expect(pls_picture_is_shown((pls_picture_shape){3, 32, 32}));
    cr_expect(!pls_picture_is_shown((pls_picture_shape){2, 8, 8}));
    cr_expect(!pls_picture_is_shown((pls_picture_shape){1, 1000, 1000}));
    cr_expect(!pls_picture_is_shown((pls_picture_shape){1, INT64_MAX, INT64_MAX}));
    cr_expect(!pls_picture_is_shown((pls_picture_shape){1, 0, 8}));
}

Test(report, the_linearised_network) {
    FILE *stream = NULL;
    put_train_run();
    put("summary.json",
        "{\"command\": \"train\", \"linear_loss\": 0.5, \"linear_distance\": 0.125}");
    stream = fopen(path_of("metrics.csv"), "wb");
    cr_assert(stream != NULL);
    fputs("step,loss,kernel_alignment,effective_rank,linear_distance,linear_loss\n", stream);
    for (int t = 0; t < 30; t++) {
        fprintf(stream, "%d,%g,%s,%s,%g,%g\n", t, exp(-t / 9.0), t % 5 == 0 ? "0.25" : "",
                t % 5 == 0 ? "3" : "", t / 240.0, exp(-t / 10.0));
    }
    fclose(stream);
    char *page = page_of_report();
    cr_expect_eq(warnings, 0, "%s", last_log);
    expect_self_contained(page);
    expect(page, "Loss of the linearised network");
    expect(page, "<td>0.5<small>at the start 1</small></td>");
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"linear_loss", "linear_distance", "kernel_alignment"};
        char id[64];
        snprintf(id, sizeof id, "<figure id=\"figure-%s\">", names[i]);
        expect(page, id);
        cr_expect(figure_exists(names[i], "svg"), "%s", names[i]);
    }
    free(page);
}

Test(report, kernel) {
    put("config.yaml", "");
    put("summary.json",
        "{\"command\": \"kernel\", \"loss\": 31.2, \"pl_ratio\": 82.6, \"lambda_min\": 3.3101234,"
        "\"lambda_min_lower\": 3.3101201, \"lambda_min_upper\": 3.310129, \"lambda_max\": 812.4,"
        "\"condition_number\": 245.4, \"kernel_floor\": 1e-9, \"samples\": 40, \"outputs\": 1}");
    put_spectrum("eigenvalues.npy", 40, 3.31);
    char *page = page_of_report();
    expect_self_contained(page);
    expect(page,
           "μ = 3.310123&nbsp;±&nbsp;5.6×10⁻⁶ with condition number 245.4, and the PL ratio lies "
           "between");
    expect(page, "in [3.3101201, 3.310129]");
    expect(page, "figure-spectrum");
    expect_not(page, "figure-loss");
    expect(page, "plstar kernel config.yaml");
    cr_expect(figure_exists("spectrum", "svg"));
    cr_expect(!figure_exists("loss", "dat"));
    free(page);
}

/* Eigenvalues that cannot be told from zero never appear as numbers. */
Test(report, below_the_floor) {
    put("config.yaml", "");
    put("summary.json",
        "{\"command\": \"kernel\", \"pl_ratio\": 2000.0, \"lambda_min\": -1.2345e-7,"
        "\"lambda_min_lower\": -2e-7, \"lambda_max\": 812.4,"
        "\"condition_number\": -6.58e9, \"kernel_floor\": 2e-4}");
    put_spectrum("eigenvalues.npy", 700, -0.01);
    char *page = page_of_report();
    expect(page, "below the floor (2×10⁻⁴)");
    expect(page, "cannot be told from a singular one, but the PL ratio lies outside");
    expect(page, "above 4.062×10⁶");
    expect(page, "of 700 eigenvalues lie below the floor (2×10⁻⁴)");
    expect_not(page, "1.234×10");
    expect_not(page, "1.235×10");
    expect_not(page, "6.58×10");
    free(page);

    put("summary.json", "{\"command\": \"kernel\", \"lambda_min\": -1, \"condition_number\": -4}");
    page = page_of_report();
    expect(page, "not above zero");
    expect(page, "<td>not known</td>");
    expect(page, "not above zero and cannot be drawn");
    free(page);
}

Test(report, training_below_the_floor) {
    put("config.yaml", "");
    put("summary.json", "{\"command\": \"train\", \"stopped\": \"interrupted\", \"step_size\": 0.1,"
                        "\"kernel_floor\": 1e-3}");
    FILE *stream = fopen(path_of("metrics.csv"), "wb");
    fputs("step,loss,pl_ratio,lambda_min,lambda_min_lower,lambda_max\n", stream);
    for (int t = 0; t < 200; t++) {
        fprintf(stream, "%d,%g,%g,%g,%g,90\n", t, 5.0 - 0.01 * t, t == 7 ? 99.0 : 3.0,
                t < 60 ? pow(0.8, t) : -1e-7, t < 60 ? 0.9 * pow(0.8, t) : -1e-6);
    }
    fclose(stream);
    char *page = page_of_report();
    expect(page, "The run was interrupted after 199 steps; until then the loss fell by a factor of "
                 "1.661; μ could not be told from zero at 169 of 200 measured steps, and the PL "
                 "ratio left the range");
    expect(page, "at 1 of 200 measured steps, which cannot be");
    expect(page, "It left the band at 1 of 200 measured steps");
    expect(page, "No rate is drawn beside it");
    cr_expect(figure_exists("mu", "svg"));
    free(page);
}

Test(report, missing_keys_and_cells) {
    put("config.yaml", "x");
    put("summary.json", "{}");
    char *page = page_of_report();
    expect(page, "measured no smallest eigenvalue");
    expect_not(page, "<h2>Figures");
    cr_expect(!exists("figures"));
    free(page);

    /* without a command, metrics.csv makes it a training run; nothing in it but losses */
    put("metrics.csv", "\xEF\xBB\xBFstep,loss,lambda_min\r\n0,2,\r\n\r\n1,nan,\r\n2,4,\r\n");
    put("summary.json", "{\"loss\": null, \"seconds\": 4, \"title\": \"\", \"notes\": \"word\","
                        "\"gradient_norm\": \"overflow\", \"samples\": 3}");
    page = page_of_report();
    expect(page, "The loss rose by a factor of 2 in 2 steps.");
    expect(page, "figure-loss");
    expect_not(page, "figure-mu");
    expect_not(page, "figure-pl_ratio");
    expect(page, "<li>word</li>");
    expect(page, "overflow");
    expect(page, "Samples");
    free(page);

    put("metrics.csv", "step,loss,pl_ratio\n0,2,1\n1,0,2\n5,0");
    page = page_of_report();
    cr_expect(strstr(last_log, "cut short") != NULL);
    expect(page, "The loss fell to exactly 0 in 1 step.");
    expect(page, "is cut short and was left out");
    expect(page, "the larger it is, the faster the loss falls");
    free(page);

    /* with no more than one row there is nothing to draw, and what was drawn before goes */
    put("metrics.csv", "step,loss,lambda_min,lambda_max,pl_ratio\n0,2,1,3,2\n");
    put("summary.json", "{\"stopped\": \"diverged\"}");
    page = page_of_report();
    expect(page, "The run diverged after 0 steps; the loss stayed where it was, at 2; μ stayed at "
                 "or above 1, and the PL ratio stayed between");
    expect(page, "at the one measured step.");
    cr_expect(!figure_exists("loss", "svg") && !figure_exists("loss", "gp"));
    free(page);

    put("metrics.csv", "step,lambda_min\n0,2\n1,1\n");
    put("summary.json", "{}");
    page = page_of_report();
    expect(page, "The loss after 1 step is not known; μ stayed at or above 1 at all 2 measured "
                 "steps.");
    free(page);
}

/* Rows are thinned for drawing, the extremes stay. */
Test(report, long_run) {
    put_train_run();
    put("summary.json", "{\"command\": \"train\", \"optimizer\": \"sgd\", \"mu_infimum\": 1e-2}");
    put_metrics(5000, 1);
    char *page = page_of_report();
    char *data = get("figures/mu.dat");
    expect(data, " of 5000 rows, the extremes among them");
    expect(data, "\n0 3.3");
    expect(data, "\n4999 3.1");
    int lines = 0;
    for (const char *c = data; *c != '\0'; c++) {
        lines += *c == '\n';
    }
    cr_expect(lines <= 1210 && lines > 600, "%d", lines);
    free(data);
    expect(page, "μ stayed at or above 0.01,"); /* of the summary, without an interval */
    expect_not(page, "rate of gradient descent under PL*");
    free(page);
}

/* A step size that is too large breaks the rate, and the page says so. */
Test(report, broken_rate) {
    put("config.yaml", "");
    put("summary.json", "{\"command\": \"train\", \"step_size\": 0.1}");
    put("metrics.csv", "step,loss,lambda_min,lambda_min_lower,lambda_min_upper\n"
                       "0,1,2,1.5,2.5\n1,0.5,3,,\n2,0.9,20,19,22\n");
    char *page = page_of_report();
    expect(page, "The loss lay above it at 1 of 3 recorded steps");
    expect(page, "The band is the interval");
    free(page);
}

/* What is true of the square loss alone is not said of cross entropy. */
Test(report, cross_entropy) {
    put("config.yaml", "");
    put("summary.json", "{\"command\": \"train\", \"step_size\": 0.1, \"violations\": 0,"
                        "\"loss_function\": \"cross_entropy\"}");
    put("metrics.csv", "step,loss,pl_ratio,lambda_min,lambda_max\n"
                       "0,1,0.1,2,3\n1,0.5,0.05,2,3\n2,0.3,0.04,2,3\n");
    char *page = page_of_report();
    expect(page, "a cross entropy");
    expect_not(page, "left the band");
    expect_not(page, "can never leave");
    expect_not(page, "rate of gradient descent under PL*");
    free(page);
}

/* The run's own count of violations is believed. */
Test(report, violations) {
    put("config.yaml", "");
    put("summary.json", "{\"command\": \"train\", \"violations\": 1}");
    put("metrics.csv", "step,loss,pl_ratio,lambda_min,lambda_max\n"
                       "0,1,2.5,2,3\n1,0.5,2.4,2,3\n2,0.3,2.3,2,3\n");
    char *page = page_of_report();
    expect(page, "It left the band at 1 of 3 measured steps");
    free(page);
}

Test(report, injection) {
    put_train_run();
    put("summary.json",
        "{\"command\": \"train\", \"title\": \"</title><script>alert(1)</script>\","
        "\"model\": \"<img src=x onerror='a'>\", \"seconds\": {\"<b>\": 1},"
        "\"notes\": [\"<script>\", \"\\u0001\"], \"<i onload=\\\"x\\\">\": \"</td><script>\","
        "\"device\": {\"<u>\": \"\\\"><script>\"}}");
    put("config.yaml", "</pre><script>alert(2)</script>\n\x01");
    char *page = page_of_report();
    expect_not(page, "<script");
    expect_not(page, "<img");
    expect_not(page, "<i onload");
    expect_not(page, "<u>");
    expect_not(page, "\x01");
    expect(page, "&lt;img src=x onerror=&#39;a&#39;&gt;");
    expect(page, "&lt;/pre&gt;&lt;script&gt;alert(2)");
    free(page);
}

static void put_program(const char *name, const char *text) {
    put(name, text);
    cr_assert_eq(chmod(path_of(name), 0755), 0);
}

static void report_with(const char *program, int timeout_seconds) {
    pls_report_options options = pls_report_options_defaults();
    options.gnuplot = program;
    options.timeout_seconds = timeout_seconds;
    warnings = 0;
    cr_assert_eq(pls_report_write(context, folder, &options), PLS_OK, "%s",
                 pls_error_text(context));
}

Test(report, without_gnuplot) {
    put_train_run();
    report_with(NULL, 0);
    cr_expect(figure_exists("loss", "svg"));
    report_with("no-such-gnuplot", 0);
    cr_expect_eq(warnings, 1);
    cr_expect(strstr(last_log, "no-such-gnuplot") != NULL, "%s", last_log);
    char *page = get("report.html");
    expect_self_contained(page);
    expect(page, "The figures need gnuplot");
    expect(page, "<code>gnuplot figures/*.gp</code>");
    expect(page, "<details open>");
    expect_not(page, "<svg");
    cr_expect(figure_exists("loss", "gp") && figure_exists("loss", "dat"));
    cr_expect(!figure_exists("loss", "svg"), "a stale figure was left");
    free(page);
}

Test(report, failing_gnuplot) {
    char program[512];
    put_train_run();
    put_program("fake", "#!/bin/sh\necho 'line 3: <no'\necho\necho ' terminal' >&2\nexit 1\n");
    snprintf(program, sizeof program, "%s", path_of("fake"));
    report_with(program, 5);
    cr_expect_eq(warnings, 6);
    char *page = get("report.html");
    expect(page, "(line 3: &lt;no terminal");
    free(page);

    put_program("fake", "#!/bin/sh\nexit 3\n");
    report_with(program, 5);
    cr_expect(strstr(last_log, "without a word") != NULL, "%s", last_log);

    put_program("fake", "#!/bin/sh\nexit 127\n");
    report_with(program, 5);
    cr_expect(strstr(last_log, "cannot be started") != NULL, "%s", last_log);

    put_program("fake", "#!/bin/sh\nexit 0\n"); /* says it is done, and nothing is there */
    report_with(program, 5);
    cr_expect(strstr(last_log, "was not made") != NULL, "%s", last_log);
}

/* A gnuplot that hangs, with its output open or closed, is ended with its children. */
Test(report, hanging_gnuplot, .timeout = 30) {
    char reason[PLS_GNUPLOT_REASON_SIZE];
    put_program("fake", "#!/bin/sh\nsleep 600\n");
    cr_expect_eq(pls_gnuplot_run(path_of("fake"), folder, "x", 1, reason), PLS_GNUPLOT_FAILED);
    cr_expect_str_eq(reason, "no end after 1 s");
    put_program("fake", "#!/bin/sh\nexec >/dev/null 2>&1\nsleep 600\n");
    cr_expect_eq(pls_gnuplot_run(path_of("fake"), folder, "x", 1, reason), PLS_GNUPLOT_FAILED);
    cr_expect_str_eq(reason, "no end after 1 s");
    cr_expect_eq(pls_gnuplot_run("true", "/no/such/folder", "x", 1, reason), PLS_GNUPLOT_FAILED);
}

Test(report, bad_files) {
    expect_failure(PLS_ERROR_FILE, "summary.json: cannot be read");
    put("summary.json", "{\"command\":\n \"train\",,}");
    expect_failure(PLS_ERROR_DATA, "summary.json:2: is not JSON");
    put("summary.json", "[1]");
    expect_failure(PLS_ERROR_DATA, "holds no object");
    put("summary.json", "{\"command\": \"plan\"}");
    expect_failure(PLS_ERROR_DATA, "command is \"plan\"");
    put("summary.json", "{\"command\": \"train\"}");
    expect_failure(PLS_ERROR_FILE, "config.yaml: cannot be read");
    put("config.yaml", "");
    expect_failure(PLS_ERROR_FILE, "metrics.csv: cannot be read");
    put("metrics.csv", "");
    expect_failure(PLS_ERROR_DATA, "metrics.csv:1: the file is empty");
    put("metrics.csv", "time,loss\n1,2\n");
    expect_failure(PLS_ERROR_DATA, "metrics.csv:1: the first line names no column \"step\"");
    put("metrics.csv", "step,loss,loss\n1,2,3\n");
    expect_failure(PLS_ERROR_DATA, "metrics.csv:1: the column \"loss\" is there twice");
    put("metrics.csv", "step,loss\n0,1\n\n1,2x\n");
    expect_failure(PLS_ERROR_DATA, "metrics.csv:4: column \"loss\" holds \"2x\"");
    put("metrics.csv", "step,loss\n0,1\n1\n2,3\n");
    expect_failure(PLS_ERROR_DATA, "metrics.csv:3: the row has 1 cells, but the header has 2");
    put("metrics.csv", "step,loss\n0,1\n1,2,3");
    expect_failure(PLS_ERROR_DATA, "metrics.csv:3: the row has 3 cells");
    put("metrics.csv", "step,loss\n0,1\n,2\n");
    expect_failure(PLS_ERROR_DATA, "metrics.csv:3: the row does not say its step");
    put("metrics.csv", "step,loss\n0,\"1\"2\n");
    expect_failure(PLS_ERROR_DATA, "metrics.csv:2: a quotation mark");
    put("metrics.csv", "step,loss\n0,1\n");
    put("eigenvalues.npy", "not an array");
    expect_failure(PLS_ERROR_DATA, "eigenvalues.npy");
    double values[] = {2.0, 1.0, 5.0, 3.0};
    int64_t shape[] = {2, 2};
    cr_assert_eq(pls_npy_write(context, path_of("eigenvalues.npy"), values, 2, shape), PLS_OK);
    expect_failure(PLS_ERROR_DATA, "2 dimensions");
    cr_assert_eq(pls_npy_write(context, path_of("eigenvalues.npy"), values, 1, shape), PLS_OK);
    expect_failure(PLS_ERROR_DATA, "element 1 is not finite or less");
    unlink(path_of("eigenvalues.npy"));
    unlink(path_of("config.yaml"));
    cr_assert_eq(mkdir(path_of("config.yaml"), 0755), 0);
    expect_failure(PLS_ERROR_FILE, "config.yaml: is not a file");
}

Test(report, bad_arguments_and_unwritable) {
    pls_report_options options = {.timeout_seconds = -1};
    cr_expect_eq(pls_report_write(context, NULL, NULL), PLS_ERROR_ARGUMENT);
    cr_expect_eq(pls_report_write(context, "", NULL), PLS_ERROR_ARGUMENT);
    cr_expect_eq(pls_report_write(context, folder, &options), PLS_ERROR_ARGUMENT);
    put_train_run();
    put("figures", "a file where the folder should be");
    expect_failure(PLS_ERROR_FILE, "figures");
}

/* Reports with the n-th allocation failing, n = 1, 2, ...: no crash, no leak, no half page. */
static void fail_every_allocation(const char *program) {
    pls_report_options options = {.gnuplot = program};
    pls_status status = PLS_ERROR_MEMORY;
    for (int64_t n = 1; status != PLS_OK; n++) {
        int64_t before = living;
        cr_assert(n < 20000);
        allocations = 0;
        failing_allocation = n;
        status = pls_report_write(context, folder, &options);
        failing_allocation = 0;
        cr_assert_eq(living, before, "allocation %lld leaks", (long long)n);
        if (status != PLS_OK) {
            cr_assert_eq(status, PLS_ERROR_MEMORY, "%lld: %s", (long long)n,
                         pls_error_text(context));
            cr_assert(!exists("report.html"));
        }
    }
    cr_expect(exists("report.html"));
}

Test(report, failing_allocations, .timeout = 300) {
    put_train_run();
    fail_every_allocation("no-such-gnuplot");
}

Test(report, failing_allocations_while_drawing, .timeout = 300) {
    char program[512];
    put("config.yaml", "");
    put("summary.json", "{\"command\": \"kernel\", \"lambda_min\": 1}");
    put_spectrum("eigenvalues.npy", 9, 1.0);
    put_program("fake", "#!/bin/sh\nprintf '<svg viewBox=\"0 0 1 1\"><g id=\"a\"/></svg>' > "
                        "\"${0%/*}\"/figures/spectrum.svg\n");
    snprintf(program, sizeof program, "%s", path_of("fake"));
    fail_every_allocation(program);
    char *page = get("report.html");
    expect(page, "<g id=\"spectrum-a\"/>");
    free(page);
}

static void expect_number(double value, int digits, pls_rounding rounding, const char *wanted) {
    char number[PLS_NUMBER_SIZE];
    cr_expect_str_eq(pls_number(value, digits, rounding, number), wanted, "%s, but not %s", number,
                     wanted);
}

Test(report, numbers) {
    expect_number(0.0, 4, PLS_ROUND_NEAREST, "0");
    expect_number(3.14159, 4, PLS_ROUND_NEAREST, "3.142");
    expect_number(3.1001, 4, PLS_ROUND_NEAREST, "3.100");
    expect_number(3.1, 4, PLS_ROUND_NEAREST, "3.1");
    expect_number(-5.0, 4, PLS_ROUND_NEAREST, "−5");
    expect_number(0.00123449, 4, PLS_ROUND_NEAREST, "0.001234");
    expect_number(1.2e-4, 4, PLS_ROUND_NEAREST, "1.2×10⁻⁴");
    expect_number(6.02214076e23, 4, PLS_ROUND_NEAREST, "6.022×10²³");
    expect_number(12345.6, 4, PLS_ROUND_NEAREST, "1.235×10⁴");
    expect_number(3.1416, 3, PLS_ROUND_DOWN, "3.14");
    expect_number(3.1486, 3, PLS_ROUND_DOWN, "3.14");
    expect_number(3.1416, 3, PLS_ROUND_UP, "3.15");
    expect_number(-3.1416, 3, PLS_ROUND_DOWN, "−3.15");
    expect_number(9.9991, 3, PLS_ROUND_UP, "10.0");
    expect_number(INFINITY, 3, PLS_ROUND_UP, "∞");
    expect_number(-INFINITY, 3, PLS_ROUND_UP, "−∞");
    expect_number(NAN, 3, PLS_ROUND_UP, "not a number");
    char number[PLS_NUMBER_SIZE];
    cr_expect_str_eq(pls_integer(1234567.0, number), "1,234,567");
    cr_expect_str_eq(pls_integer(-999.0, number), "−999");
    cr_expect_str_eq(pls_integer(1e18, number), "1×10¹⁸");
    cr_expect_str_eq(pls_number_enhanced(0.002, 3, true, number), "0.002");
    cr_expect_str_eq(pls_number_enhanced(-0.002, 3, false, number), "−2·10^{−3}");
    cr_expect_str_eq(pls_number_enhanced(1e-5, 3, false, number), "10^{−5}");
    cr_expect_str_eq(pls_number_enhanced(0.0, 3, false, number), "0");
    cr_expect_str_eq(pls_number_enhanced(20000.0, 3, true, number), "20,000");
}

/* Ranges that leave no room still make a valid axis. */
Test(report, axes) {
    const struct {
        bool logarithmic, from_zero;
        double low, high;
    } cases[] = {
        {false, false, 5.0, 5.0},   {false, true, 0.0, 0.0},      {false, true, -3.0, -1.0},
        {true, false, 2.0, 2.0},    {true, false, 1e-290, 1e295}, {false, false, 1.0, 1.5},
        {true, false, 1e-12, 3e-9}, {false, true, 0.0, 2e7},      {false, false, -1e300, 1e300}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pls_text text = pls_text_start(context);
        pls_axis axis = pls_axis_start(cases[i].logarithmic);
        cr_expect(pls_axis_is_empty(&axis));
        pls_axis_include(&axis, NAN);
        pls_axis_include(&axis, cases[i].low);
        pls_axis_include(&axis, cases[i].high);
        pls_axis_finish(&axis, cases[i].from_zero);
        cr_expect(axis.low < axis.high, "case %zu", i);
        cr_expect(axis.low <= cases[i].low && axis.high >= cases[i].high, "case %zu", i);
        pls_axis_write(&text, &axis, 'y', "y");
        cr_expect(strstr(pls_text_string(&text), "set ytics (\"") != NULL, "case %zu: %s", i,
                  pls_text_string(&text));
        pls_text_release(&text);
    }
}

Test(report, drawings) {
    static const char whole[] =
        "<?xml version='1.0'?><svg viewBox=\"0 0 9 9\" xmlns=\"http://x\"><title>t</title>"
        "<g color=\"black\" id='a'/><use xlink:href='#a'/><path stroke='rgb(  0, 114, 178)' "
        "class=\"gridline\" fill=\"gray\"/><text font-family=\"sans-serif\" >x</text></svg>";
    pls_text text = pls_text_start(context);
    cr_assert(pls_drawing_append(&text, whole, (int64_t)strlen(whole), "n", "a \"label\""));
    cr_expect_str_eq(pls_text_string(&text),
                     "<svg viewBox=\"0 0 9 9\" role=\"img\" aria-label=\"a &quot;label&quot;\">"
                     "<g color=\"currentColor\" id='n-a'/><use href='#n-a'/><path stroke='#0072B2' "
                     "class=\"gridline\" fill=\"currentColor\"/><text >x</text></svg>");
    int64_t before = text.size;
    cr_expect(!pls_drawing_append(&text, "<svg viewBox=\"0\"><g>", 20, "n", ""));
    cr_expect(!pls_drawing_append(&text, "plain", 5, "n", ""));
    cr_expect(!pls_drawing_append(&text, whole, 7, "n", ""));
    cr_expect_eq(text.size, before);
    pls_text_release(&text);
}

/* ---- the path in the plane ------------------------------------------------------------------ */

static void put_circle_run(const char *path) {
    put("summary.json", "{\"command\": \"solve\", \"system\": \"circle\", \"system_type\": "
                        "\"circle\", \"loss_function\": \"square\", \"optimizer\": \"gd\"}");
    put("config.yaml", "seed: 0\n");
    put("metrics.csv", "step,loss\n0,0.5\n1,0.25\n2,0.125\n");
    put("path.csv", path);
}

Test(report, the_path_of_a_search_in_the_plane) {
    put_circle_run("step,w0,w1\n0,1.5,0\n1,1.25,0\n2,1.125,0.5\n3,9,");
    cr_expect_eq(pls_report_write(context, folder, NULL), PLS_OK);
    char *page = get("report.html"), *data = get("figures/path.dat");
    char *script = get("figures/path.gp");
    expect(page, "plstar solve");
    expect(page, "The path in the plane");
    expect(page, "solutions are a whole circle");
    expect(data, "2 1.125 0.5\n");
    cr_expect(strstr(data, "3 9") == NULL, "a row that was cut off is drawn");
    expect(script, "cos(t), sin(t) title \"solutions\"");
    free(script);
    free(data);
    free(page);
}

Test(report, a_path_that_is_none) {
    put_circle_run("step,w0\n0,1.5\n");
    expect_failure(PLS_ERROR_DATA, "path.csv:1");
    put_circle_run("step,w0,w1\n0,1.5,1\n1,1.5\n2,1,1\n");
    expect_failure(PLS_ERROR_DATA, "path.csv:3");
    put_circle_run("step,w0,w1\n0,1.5,1\n1,nan,2\n");
    expect_failure(PLS_ERROR_DATA, "path.csv:3");
}
