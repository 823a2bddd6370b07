/* The alignment of a kernel with the targets; the formulas stand in plstar/tangent.h. */
#ifndef PLSTAR_TANGENT_ALIGNMENT_H
#define PLSTAR_TANGENT_ALIGNMENT_H

#include "system/system.h"

typedef struct pls_alignment_views {
    pls_view targets; /* n x k */
    pls_view product; /* n x k: K times the targets */
    pls_view inner;   /* k x k: YT Y, for a trace kernel only */
    pls_view scalar;  /* 1 x 1 */
} pls_alignment_views;

pls_status pls_alignment_take(pls_arena *arena, const pls_system *system, bool trace,
                              pls_alignment_views *views);

#endif
