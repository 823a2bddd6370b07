/* The table of layer kinds, and where a layer's parameters lie. */
#include "model/layer.h"

static const pls_layer_kind *const kinds[PLS_LAYER_TYPE_COUNT] = {
    [PLS_LAYER_DENSE] = &pls_dense_layer,
};

const pls_layer_kind *pls_layer_kind_of(pls_layer_type type) {
    return kinds[type];
}

const char *pls_layer_type_name(pls_layer_type type) {
    return kinds[type]->name;
}

pls_view pls_layer_weight(const pls_layer *layer, pls_view w) {
    return pls_view_slice(w, layer->offset, layer->weight_rows, layer->weight_cols);
}

pls_view pls_layer_bias(const pls_layer *layer, pls_view w) {
    if (layer->biases == 0) {
        return pls_no_view();
    }
    int64_t first = layer->offset + layer->weight_rows * layer->weight_cols;
    return pls_view_slice(w, first, 1, layer->biases);
}
