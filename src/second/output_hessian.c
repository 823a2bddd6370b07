/* The Hessians of single outputs as operators, many at once.
 *
 * A copy of the system holds the samples that are looked at. For every slot it evaluates the sample
 * of the slot's problem, whatever the repetitions, and the system's `curvature` is given a
 * direction a sample and the unit cotangents of the outputs: one pass for all slots. */
#include "backend/phase.h"
#include "base/memory.h"
#include "second/hessian.h"

#include <string.h>

static pls_status layout(pls_output_curvature *c) {
    pls_system *copy = c->copy;
    pls_context *context = copy->device->context;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(&c->arena, PLS_F64, c->slots, copy->outputs, &c->f));
    PLS_TRY(context, pls_arena_take(&c->arena, PLS_F64, c->slots, copy->outputs, &c->cotangents));
    if (c->arena.buffer == NULL) { /* what a product takes beside these, after this mark */
        int64_t mark = pls_arena_mark(&c->arena);
        pls_view v = {NULL, 0, c->slots, copy->parameters, copy->parameters, PLS_F64};
        PLS_TRY(context, copy->kind->curvature(copy, c->cotangents, v, &c->arena, v));
        pls_arena_release(&c->arena, mark);
    }
cleanup:
    return status;
}

/* A float64 copy with the listed samples, the first of them again up to `slots`. */
static pls_status copy_system(pls_system *system, const int64_t *samples, int64_t count,
                              int64_t slots, pls_system **copy) {
    pls_context *context = system->device->context;
    int64_t *chosen = NULL, total = pls_larger(count, slots);
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, total, sizeof *chosen, "a list of samples", &chosen));
    for (int64_t i = 0; i < total; i++) {
        chosen[i] = samples != NULL ? samples[i < count ? i : 0] : i < count ? i : 0;
    }
    PLS_TRY(context, pls_system_duplicate(system, chosen, total, PLS_F64, copy));
cleanup:
    pls_release(context, chosen);
    return status;
}

static pls_status allocate(pls_output_curvature *c) {
    pls_context *context = c->copy->device->context;
    int64_t slots = c->slots;
    const char *what = "Hessians of outputs";
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, slots, sizeof(int64_t), what, &c->problems));
    PLS_TRY(context, pls_allocate(context, slots, sizeof(int64_t), what, &c->samples));
    PLS_TRY(context, pls_allocate(context, slots * c->copy->outputs, sizeof(double), what,
                                  &c->cotangents_host));
    memset(c->problems, 0xff, (size_t)slots * sizeof *c->problems); /* -1: nothing evaluated */
cleanup:
    return status;
}

pls_status pls_output_curvature_open(pls_system *system, const int64_t *samples, int64_t count,
                                     int64_t slots, bool kinks_are_zero, pls_output_curvature *c) {
    pls_device *device = system->device;
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    *c = (pls_output_curvature){
        .context = context, .slots = slots, .arena = pls_arena_measuring(device)};
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_HESSIAN));
    PLS_TRY(context, pls_second_check(system, kinks_are_zero));
    PLS_TRY(context, copy_system(system, samples, count, slots, &c->copy));
    PLS_TRY(context, allocate(c));
    PLS_TRY(context, layout(c));
    PLS_TRY(context, pls_arena_reserve(&c->arena, "Hessians of outputs"));
    PLS_TRY(context, layout(c));
cleanup:
    return pls_phase_end(device, status);
}

void pls_output_curvature_close(pls_output_curvature *c) {
    pls_arena_destroy(&c->arena);
    pls_system_destroy(c->copy);
    pls_release(c->context, c->problems);
    pls_release(c->context, c->samples);
    pls_release(c->context, c->cotangents_host);
}

/* Evaluates the samples of the problems. Idle slots evaluate the first with a cotangent of 0. */
static pls_status take_up(pls_output_curvature *c, const int64_t *problems) {
    pls_device *device = c->copy->device;
    int64_t k = c->copy->outputs;
    pls_status status = PLS_OK;
    memset(c->cotangents_host, 0, (size_t)(c->slots * k) * sizeof(double));
    for (int64_t i = 0; i < c->slots; i++) {
        c->samples[i] = problems[i] >= 0 ? problems[i] / k : 0;
        if (problems[i] >= 0) {
            c->cotangents_host[i * k + problems[i] % k] = 1.0;
        }
    }
    PLS_TRY(device->context, pls_upload(device, c->cotangents_host, k, c->cotangents));
    PLS_TRY(device->context, pls_system_evaluate(c->copy, c->samples, c->slots, c->f));
    memcpy(c->problems, problems, (size_t)c->slots * sizeof *problems);
cleanup:
    return status;
}

pls_status pls_output_curvature_apply(void *user, const int64_t *problems, pls_view x, pls_view y) {
    pls_output_curvature *c = user;
    pls_context *context = c->copy->device->context;
    pls_status status = PLS_OK;
    if (memcmp(c->problems, problems, (size_t)c->slots * sizeof *problems) != 0) {
        PLS_TRY(context, take_up(c, problems));
    }
    PLS_TRY(context, c->copy->kind->curvature(c->copy, c->cotangents, x, &c->arena, y));
cleanup:
    return status;
}
