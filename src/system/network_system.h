/* The inside of a network system, shared by network_system.c (points and gradients),
 * network_tangent.c (forward tangents and second derivatives) and network_kernel.c (Jacobian rows
 * and the tangent kernel).
 *
 * All passes work on blocks of U consecutive samples, U a function of the architecture alone, and
 * every product is formed block by block. So what is kept in memory, how large a tile is and how
 * many threads run can change the speed but no bit of a result. */
#ifndef PLSTAR_SYSTEM_NETWORK_SYSTEM_H
#define PLSTAR_SYSTEM_NETWORK_SYSTEM_H

#include "base/memory.h"
#include "model/network.h"
#include "system/system.h"

typedef struct pls_network_system {
    pls_system base;
    pls_network network;
    pls_model model; /* layers owned */
    uint64_t seed;
    double *inputs_host;  /* n x d */
    double *targets_host; /* n x k */
    pls_arena arena;
    pls_view inputs;   /* n x d */
    pls_view gathered; /* U x d: inputs of a block of listed samples */
    int64_t block;     /* U */

    /* The point: activations of all samples last evaluated, or of one block at a time. */
    pls_activations point;
    bool keeps_all;
    int64_t present;    /* the block whose activations are there if only one is kept */
    int64_t *selection; /* n: the samples last evaluated, if they were listed */
    int64_t selected;   /* how many */
    bool listed;
    pls_view d[2];    /* 1 x U widest: derivatives of the pullback, in turn */
    pls_view scratch; /* of the layers */

    pls_activations tile_u, tile_v; /* views of kernel tiles, when not everything is kept */
    pls_activations tangent;        /* views of forward tangents */

    char kink[96]; /* why F is not twice differentiable; "" if it is */
} pls_network_system;

/* Blocks that so many samples make. */
static inline int64_t pls_block_count(const pls_network_system *system, int64_t samples) {
    return (samples + system->block - 1) / system->block;
}

/* Samples of a block of the last evaluation, and where its rows start in `point`. */
int64_t pls_network_block_rows(const pls_network_system *system, int64_t block);
int64_t pls_network_point_row(const pls_network_system *system, int64_t block);

/* The inputs of a block of the last evaluation, its activations being in `point`: computed anew if
 * they have been given up. */
pls_status pls_network_block(pls_network_system *system, int64_t block, pls_view *x);

/* A network system that has no memory of the device and no data: for functions that take views from
 * an arena that only measures. *bytes: what the system would take on the device, at most. Of the
 * device nothing but its context is used. */
pls_status pls_network_system_outline(pls_device *device, const pls_model *model, int64_t samples,
                                      pls_dtype precision, pls_system **outline, int64_t *bytes);

/* The table's functions of a network (system.h). */
pls_status pls_network_pushforward(pls_system *base, pls_view v, pls_arena *arena, pls_view out);
pls_status pls_network_curvature(pls_system *base, pls_view u, pls_view v, pls_arena *arena,
                                 pls_view out);
const char *pls_network_kink(const pls_system *base);
bool pls_network_gram_way(const pls_system *base, const pls_kernel_options *options, int64_t i,
                          pls_kernel_way *way);
pls_status pls_network_jacobian(pls_system *base, int64_t first, int64_t count, pls_arena *arena,
                                pls_view out);
pls_status pls_network_gram(pls_system *base, const pls_kernel_options *options, pls_arena *arena,
                            pls_view kernel);

#endif
