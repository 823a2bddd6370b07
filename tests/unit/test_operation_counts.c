/* The operation counts by which a layer chooses its way to the tangent kernel, held against what
 * the backend is asked for: its table is replaced by one that counts.
 *
 * A multiply-add is two operations, of a symmetric product the lower triangle counts, and a sum
 * over pairs of positions takes four a pair. */
#include "networks.h"

#include "model/layer.h"
#include "model/network.h"

static struct {
    double operations;
    int64_t position_sums;
} counted; /* each test is a process of its own */

static double product(pls_view c, double length) {
    return 2.0 * (double)c.rows * (double)c.cols * length;
}

static pls_status count_gemm(pls_device *device, pls_transpose ta, pls_transpose tb, double alpha,
                             pls_view a, pls_view b, double beta, pls_view c) {
    counted.operations += product(c, (double)(ta == PLS_PLAIN ? a.cols : a.rows));
    return pls_cpu_backend.gemm(device, ta, tb, alpha, a, b, beta, c);
}

static pls_status count_batched(pls_device *device, pls_transpose ta, pls_transpose tb,
                                double alpha, pls_view a, int64_t stride_a, pls_view b,
                                int64_t stride_b, double beta, pls_view c, int64_t stride_c,
                                int64_t count) {
    counted.operations += (double)count * product(c, (double)(ta == PLS_PLAIN ? a.cols : a.rows));
    return pls_cpu_backend.gemm_batched(device, ta, tb, alpha, a, stride_a, b, stride_b, beta, c,
                                        stride_c, count);
}

static pls_status count_gram(pls_device *device, pls_gram_arithmetic arithmetic, pls_view a,
                             pls_view b, double beta, pls_view c, pls_view workspace) {
    counted.operations += pls_view_is_none(b)
                              ? (double)a.rows * (double)(a.rows + 1) * (double)a.cols
                              : product(c, (double)a.cols);
    return pls_cpu_backend.gram(device, arithmetic, a, b, beta, c, workspace);
}

static pls_status count_positions(pls_device *device, double alpha, pls_view g, double gamma,
                                  int64_t k, int64_t h, pls_view d, pls_view c, bool lower) {
    double elements =
        lower ? (double)c.rows * (double)(c.rows + 1) / 2.0 : (double)c.rows * (double)c.cols;
    counted.operations += 4.0 * elements * (double)h * (double)h;
    counted.position_sums++;
    return pls_cpu_backend.position_accumulate(device, alpha, g, gamma, k, h, d, c, lower);
}

static pls_backend counting_backend(void) {
    pls_backend counting = pls_cpu_backend;
    counting.gemm = count_gemm;
    counting.gemm_batched = count_batched;
    counting.gram = count_gram;
    counting.position_accumulate = count_positions;
    return counting;
}

/* ---- one layer -------------------------------------------------------------------------------
 */

static const struct {
    int64_t channels_in, channels_out, size, kernel; /* of a convolution on size x size images */
    int64_t outputs, n_u, n_v;                       /* k; samples of either side (0: its own) */
    bool bias;
} plans[] = {
    {1, 1, 1, 1, 1, 1, 0, false},  {2, 3, 4, 3, 1, 1, 0, true},    {2, 3, 4, 3, 3, 5, 0, false},
    {4, 16, 2, 3, 2, 7, 0, true},  {16, 32, 2, 3, 1, 6, 4, true},  {3, 2, 9, 5, 2, 4, 3, false},
    {1, 4, 12, 3, 10, 3, 0, true}, {5, 70, 3, 1, 2, 40, 0, false}, {2, 2, 8, 3, 4, 17, 9, true},
};

typedef struct sides {
    pls_layer_rows u, v;
} sides;

static pls_layer_rows take_side(pls_arena *arena, const pls_layer *layer, int64_t n, int64_t k) {
    pls_layer_rows rows = {pls_no_view(), pls_no_view()};
    if (n > 0) {
        cr_assert_eq(pls_arena_take(arena, PLS_F64, n, layer->inputs, &rows.alpha), PLS_OK);
        cr_assert_eq(pls_arena_take(arena, PLS_F64, n * k, layer->outputs, &rows.d), PLS_OK);
    }
    return rows;
}

/* Operations of one way, as counted. */
static double count_way(pls_device *device, const pls_layer *layer, int64_t k, bool trace,
                        int64_t n_u, int64_t n_v, bool by_rows) {
    int64_t entries = trace ? 1 : k, partner = n_v == 0 ? n_u : n_v;
    pls_arena arena = pls_arena_measuring(device);
    for (int pass = 0; pass < 2; pass++) {
        pls_view kernel;
        pls_layer_rows u = take_side(&arena, layer, n_u, k), v = take_side(&arena, layer, n_v, k);
        cr_assert_eq(pls_arena_take(&arena, PLS_F64, n_u * entries, partner * entries, &kernel),
                     PLS_OK);
        if (pass == 1) {
            pls_view all[] = {u.alpha, u.d, v.alpha, v.d, kernel};
            for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
                cr_assert(pls_view_is_none(all[i]) || pls_fill(device, 1.0, all[i]) == PLS_OK);
            }
        }
        counted.operations = 0.0;
        SUPPORT_EXPECT_OK(device->context, pls_layer_gram(device, layer, k, trace, PLS_GRAM_F64,
                                                          by_rows, u, v, &arena, kernel));
        if (pass == 0) {
            cr_expect_eq(counted.operations, 0.0, "computed while the arena only measured");
            SUPPORT_EXPECT_OK(device->context, pls_arena_reserve(&arena, "the test"));
        }
    }
    pls_arena_destroy(&arena);
    return counted.operations;
}

Test(operation_counts, are_those_of_the_backend) {
    pls_context *context = support_context(NULL);
    pls_device_options options = {"cpu", 1};
    pls_device *device = NULL;
    pls_backend counting = counting_backend();
    SUPPORT_EXPECT_OK(context, pls_device_open(context, &options, &device));
    device->backend = &counting;
    for (size_t p = 0; p < sizeof plans / sizeof *plans; p++) {
        int64_t size = plans[p].size, k = plans[p].outputs;
        pls_layer_spec layers[] = {
            {.type = PLS_LAYER_CONV, .channels = plans[p].channels_out, .kernel = plans[p].kernel}};
        pls_model model = pls_model_defaults();
        pls_network network;
        model.bias = plans[p].bias;
        model.sigma_b = 0.5;
        model.input_rank = 3;
        model.input_shape[0] = plans[p].channels_in;
        model.input_shape[1] = model.input_shape[2] = size;
        model.layers = layers;
        model.layer_count = 1;
        SUPPORT_EXPECT_OK(context, pls_network_create(context, &model, &network));
        for (int trace = 0; trace < 2; trace++) {
            int64_t n_u = plans[p].n_u, n_v = plans[p].n_v;
            pls_gram_way way = pls_layer_gram_way(network.layers, k, trace != 0, n_u, n_v);
            for (int by_rows = 0; by_rows < 2; by_rows++) {
                double expected = by_rows ? way.rows : way.structured;
                double found =
                    count_way(device, network.layers, k, trace != 0, n_u, n_v, by_rows != 0);
                cr_expect_eq(found, expected, "plan %zu, trace %d, %s: %.17g, expected %.17g", p,
                             trace, by_rows ? "rows" : "positions", found, expected);
            }
            cr_expect_eq(way.by_rows, way.rows < way.structured);
        }
        pls_network_destroy(context, &network);
    }
    device->backend = &pls_cpu_backend;
    pls_device_close(device);
    pls_context_destroy(context);
}

/* ---- networks: the way that is reported is the one that is taken ------------------------------
 */

/* A first convolution on large images, a second one on a single pixel. */
Test(operation_counts, the_cheaper_way_is_taken) {
    static const pls_layer_spec layers[] = {
        {.type = PLS_LAYER_CONV, .channels = 2, .kernel = 3, .activation = PLS_TANH},
        {.type = PLS_LAYER_AVERAGE_POOL, .size = 8},
        {.type = PLS_LAYER_CONV, .channels = 64, .kernel = 3, .activation = PLS_TANH},
        {.type = PLS_LAYER_FLATTEN},
        {.type = PLS_LAYER_DENSE, .width = 1}};
    static const bool by_rows[] = {true, false, false};
    pls_context *context = support_context(NULL);
    pls_device_options device_options = {"cpu", 1};
    pls_network_options options = pls_network_options_defaults();
    pls_data_options data_options = pls_data_options_defaults();
    pls_backend counting = counting_backend();
    pls_device *device = NULL;
    pls_dataset data = {0};
    pls_system *system = NULL;
    pls_model model = pls_model_defaults();
    model.input_rank = 3;
    model.input_shape[0] = 1;
    model.input_shape[1] = model.input_shape[2] = 8;
    model.layers = layers;
    model.layer_count = 5;
    data_options.source = "sphere";
    data_options.samples = 6;
    data_options.dimension = 64;
    data_options.outputs = 1;
    SUPPORT_EXPECT_OK(context, pls_device_open(context, &device_options, &device));
    device->backend = &counting;
    SUPPORT_EXPECT_OK(context, pls_dataset_load(context, &data_options, &data));
    SUPPORT_EXPECT_OK(context, pls_network_system_create(device, &model, &data, &options, &system));
    SUPPORT_EXPECT_OK(context, pls_system_initialize(system));
    for (int explicit_way = 0; explicit_way < 2; explicit_way++) {
        pls_kernel_options how = pls_kernel_options_defaults();
        pls_kernel *kernel = NULL;
        pls_kernel_way way;
        how.method = explicit_way ? PLS_KERNEL_EXPLICIT : PLS_KERNEL_STRUCTURED;
        SUPPORT_EXPECT_OK(context, pls_kernel_create(system, &how, &kernel));
        counted.position_sums = 0;
        SUPPORT_EXPECT_OK(context, pls_kernel_compute(kernel));
        cr_expect_eq(counted.position_sums, explicit_way ? 0 : 1, "%lld sums over positions",
                     (long long)counted.position_sums);
        for (int64_t l = 0; l < 3; l++) {
            cr_assert(pls_kernel_way_of(kernel, l, &way));
            cr_expect_eq(way.layer, 2 * l);
            cr_expect_eq(way.samples, 6);
            cr_expect_eq(way.by_rows, by_rows[l] || explicit_way, "layer %lld",
                         (long long)way.layer);
        }
        cr_expect(!pls_kernel_way_of(kernel, 3, &way));
        pls_kernel_destroy(kernel);
    }
    pls_system_destroy(system);
    pls_dataset_destroy(context, &data);
    device->backend = &pls_cpu_backend;
    pls_device_close(device);
    pls_context_destroy(context);
}
