/* Models that are no chain of layers: each is refused in one sentence that names the layer and the
 * setting; and the shapes, parameters and names of those that are. */
#include "plstar/plstar.h"
#include "support.h"

enum { MOST = 4 };

typedef struct plan {
    int64_t input[3]; /* one number, or three */
    pls_layer_spec layers[MOST];
    int64_t count;
} plan;

static pls_model model_of(const plan *p) {
    pls_model model = pls_model_defaults();
    model.input_rank = p->input[1] == 0 ? 1 : 3;
    for (int i = 0; i < model.input_rank; i++) {
        model.input_shape[i] = p->input[i];
    }
    model.layers = p->layers;
    model.layer_count = p->count;
    return model;
}

static const struct {
    plan plan;
    const char *words[3];
} refused[] = {
    {{{4}, {{.type = PLS_LAYER_CONV, .channels = 2, .kernel = 3}}, 1},
     {"model.layers[0]", "conv layer takes images", "model.input"}},
    {{{4}, {{.type = PLS_LAYER_AVERAGE_POOL, .size = 2}, {.type = PLS_LAYER_DENSE, .width = 1}}, 2},
     {"model.layers[0]", "average_pool layer takes images"}},
    {{{4}, {{.type = PLS_LAYER_GLOBAL_AVERAGE_POOL}, {.type = PLS_LAYER_DENSE, .width = 1}}, 2},
     {"model.layers[0]", "global_average_pool layer takes images"}},
    {{{2, 6, 6},
      {{.type = PLS_LAYER_FLATTEN}, {.type = PLS_LAYER_CONV, .channels = 2, .kernel = 3}},
      2},
     {"model.layers[1]", "vector of 72 numbers", "before flatten"}},
    {{{2, 6, 6}, {{.type = PLS_LAYER_DENSE, .width = 3}}, 1}, {"model.layers[0]", "flatten"}},
    {{{2, 6, 6}, {{.type = PLS_LAYER_RESIDUAL_DENSE, .width = 72}}, 1},
     {"model.layers[0]", "flatten"}},
    {{{2, 6, 6}, {{.type = PLS_LAYER_CONV, .channels = 2, .kernel = 4}}, 1},
     {"model.layers[0].kernel: is 4", "odd"}},
    {{{2, 6, 6}, {{.type = PLS_LAYER_CONV, .channels = 2, .kernel = -3}}, 1},
     {"model.layers[0].kernel: is -3", "odd"}},
    {{{2, 6, 6}, {{.type = PLS_LAYER_CONV, .channels = 2}}, 1}, {"model.layers[0].kernel: is 0"}},
    {{{2, 6, 6}, {{.type = PLS_LAYER_CONV, .kernel = 3}}, 1}, {"model.layers[0].channels: is 0"}},
    {{{2, 6, 6}, {{.type = PLS_LAYER_RESIDUAL_CONV, .channels = 3, .kernel = 3}}, 1},
     {"model.layers[0].channels: is 3", "residual_conv", "2"}},
    {{{4}, {{.type = PLS_LAYER_RESIDUAL_DENSE, .width = 5}}, 1},
     {"model.layers[0].width: is 5", "residual_dense", "4"}},
    {{{2, 6, 9}, {{.type = PLS_LAYER_AVERAGE_POOL, .size = 2}, {.type = PLS_LAYER_FLATTEN}}, 2},
     {"model.layers[0].size: is 2", "does not divide", "6 x 9"}},
    {{{2, 6, 6}, {{.type = PLS_LAYER_AVERAGE_POOL}, {.type = PLS_LAYER_FLATTEN}}, 2},
     {"model.layers[0].size: is 0"}},
    {{{2, 6, 6},
      {{.type = PLS_LAYER_FLATTEN, .activation = PLS_TANH}, {.type = PLS_LAYER_DENSE, .width = 1}},
      2},
     {"model.layers[0].activation: is tanh", "flatten", "layer before"}},
    {{{2, 6, 6}, {{.type = PLS_LAYER_FLATTEN}}, 1}, {"none of the layers has weights"}},
    {{{2, 6, 6}, {{.type = PLS_LAYER_DENSE}}, 0}, {"model.layers: is empty"}},
    {{{4}, {{.type = PLS_LAYER_DENSE, .width = 0}}, 1}, {"model.layers[0].width: is 0"}},
    {{{0}, {{.type = PLS_LAYER_DENSE, .width = 1}}, 1}, {"model.input", "0 is not a size"}},
    {{{2, 6, -1}, {{.type = PLS_LAYER_FLATTEN}, {.type = PLS_LAYER_DENSE, .width = 1}}, 2},
     {"model.input", "-1 is not a size"}},
    {{{INT64_C(1) << 40, INT64_C(1) << 40, 2}, {{.type = PLS_LAYER_FLATTEN}}, 1},
     {"model.input", "64 bits"}},
    {{{2, INT64_C(1) << 40, 4},
      {{.type = PLS_LAYER_CONV, .channels = INT64_C(1) << 40, .kernel = 1}},
      1},
     {"model.layers[0]", "64 bits"}},
    {{{2, 4, 4}, {{.type = PLS_LAYER_CONV, .channels = 1, .kernel = (INT64_C(1) << 32) + 1}}, 1},
     {"model.layers[0]", "64 bits"}},
};

Test(model, layers_that_do_not_fit_are_refused) {
    pls_context *context = support_context(NULL);
    for (size_t c = 0; c < sizeof refused / sizeof *refused; c++) {
        pls_model model = model_of(&refused[c].plan);
        pls_status status = pls_model_check(context, &model, NULL, NULL);
        cr_expect_eq(status, PLS_ERROR_CONFIG, "case %zu: status %d", c, (int)status);
        for (int w = 0; w < 3 && refused[c].words[w] != NULL; w++) {
            cr_expect(strstr(pls_error_text(context), refused[c].words[w]) != NULL,
                      "case %zu: \"%s\" is not in \"%s\"", c, refused[c].words[w],
                      pls_error_text(context));
        }
    }
    pls_context_destroy(context);
}

static const struct {
    plan plan;
    bool bias;
    int64_t parameters, outputs;
    const char *description;
} accepted[] = {
    {{{4}, {{.type = PLS_LAYER_DENSE, .width = 3}}, 1}, true, 15, 3, "4 -> 3"},
    {{{1, 1, 4}, {{.type = PLS_LAYER_FLATTEN}, {.type = PLS_LAYER_DENSE, .width = 3}}, 2},
     false,
     12,
     3,
     "1x1x4 -> flatten -> 3"},
    {{{2, 6, 4},
      {{.type = PLS_LAYER_CONV, .channels = 5, .kernel = 3, .activation = PLS_GELU},
       {.type = PLS_LAYER_AVERAGE_POOL, .size = 2},
       {.type = PLS_LAYER_RESIDUAL_CONV, .channels = 5, .kernel = 1},
       {.type = PLS_LAYER_FLATTEN}},
      4},
     true,
     5 * 18 + 5 + 5 * 5 + 5,
     5 * 3 * 2,
     "2x6x4 -> conv 5 3x3 gelu -> average_pool 2 -> residual conv 5 1x1 -> flatten"},
    {{{3, 5, 5},
      {{.type = PLS_LAYER_GLOBAL_AVERAGE_POOL},
       {.type = PLS_LAYER_RESIDUAL_DENSE, .width = 3, .activation = PLS_SIN},
       {.type = PLS_LAYER_DENSE, .width = 2}},
      3},
     false,
     9 + 6,
     2,
     "3x5x5 -> global_average_pool -> residual 3 sin -> 2"},
};

Test(model, chains_are_counted_and_described) {
    pls_context *context = support_context(NULL);
    for (size_t c = 0; c < sizeof accepted / sizeof *accepted; c++) {
        pls_model model = model_of(&accepted[c].plan);
        int64_t parameters = 0, outputs = 0;
        char text[512];
        model.bias = accepted[c].bias;
        SUPPORT_EXPECT_OK(context, pls_model_check(context, &model, &parameters, &outputs));
        cr_expect_eq(parameters, accepted[c].parameters, "case %zu: %lld parameters", c,
                     (long long)parameters);
        cr_expect_eq(outputs, accepted[c].outputs, "case %zu: %lld outputs", c, (long long)outputs);
        pls_model_describe(&model, text, sizeof text);
        cr_expect(strstr(text, accepted[c].description) == text, "case %zu: \"%s\"", c, text);
    }
    pls_context_destroy(context);
}
