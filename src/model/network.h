/* A network: a chain of resolved layers, with forward and backward passes over a few samples. */
#ifndef PLSTAR_MODEL_NETWORK_H
#define PLSTAR_MODEL_NETWORK_H

#include "model/layer.h"

typedef struct pls_network {
    int64_t depth;      /* L */
    pls_layer *layers;  /* L */
    int64_t inputs;     /* d */
    int64_t outputs;    /* k */
    int64_t parameters; /* P */
    int64_t widest;     /* largest number of outputs of a layer */
    int64_t scratch;    /* elements that the layers need beside their views; may be 0 */
} pls_network;

/* z^l and alpha^l of some samples, l = 1 .. L; views of rows x outputs of the layer, the same one
 * twice where alpha^l is z^l. */
typedef struct pls_activations {
    pls_view *z;     /* L */
    pls_view *alpha; /* L */
} pls_activations;

/* Resolves a model. Errors: PLS_ERROR_CONFIG, PLS_ERROR_MEMORY. */
pls_status pls_network_create(pls_context *context, const pls_model *model, pls_network *network);
void pls_network_destroy(pls_context *context, pls_network *network);

/* Room for the views of one set of activations (host memory). */
pls_status pls_activations_create(pls_context *context, const pls_network *network,
                                  pls_activations *activations);
void pls_activations_destroy(pls_context *context, pls_activations *activations);

/* Takes device memory for `rows` samples. */
pls_status pls_activations_take(const pls_network *network, pls_arena *arena, pls_dtype dtype,
                                int64_t rows, pls_activations *activations);

/* Takes the scratch that the layers share; not given where none needs any. */
pls_status pls_network_take_scratch(const pls_network *network, pls_arena *arena, pls_dtype dtype,
                                    pls_view *scratch);

pls_status pls_network_initialize(pls_device *device, const pls_network *network, uint64_t seed,
                                  pls_view w);

/* Fills rows first .. first+x.rows-1 of the activations from inputs x (rows x d). */
pls_status pls_network_forward(pls_device *device, const pls_network *network, pls_view w,
                               pls_view x, pls_view scratch, pls_activations activations,
                               int64_t first);

#endif
