/* The Hessian of the loss as an operator:
 *
 *     H_L v = J^T (l''(f) (J v)) + (sum over i and a of l'(f)_(i,a) H_(i,a)) v
 *
 * The first term is the Gauss-Newton matrix, positive semidefinite, in the kernel's row space; the
 * second is what makes the loss of an over-parameterised system not convex. */
#include "backend/phase.h"
#include "second/hessian.h"
#include "system/loss.h"

static pls_status layout(pls_loss_curvature *c) {
    pls_system *system = c->system;
    pls_context *context = system->device->context;
    pls_view *outputs[] = {&c->f, &c->residual, &c->tangent, &c->weighed};
    pls_status status = PLS_OK;
    for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
        PLS_TRY(context,
                pls_arena_take(&c->arena, PLS_F64, system->samples, system->outputs, outputs[i]));
    }
    PLS_TRY(context, pls_arena_take(&c->arena, PLS_F64, 1, system->parameters, &c->bent));
    PLS_TRY(context, pls_arena_take(&c->arena, PLS_F64, system->samples, 1, &c->losses));
    PLS_TRY(context, pls_arena_take(&c->arena, PLS_F64, 1, 1, &c->total));
    if (c->arena.buffer == NULL) { /* what a product takes beside these, after this mark */
        pls_view v = c->bent;
        int64_t mark = pls_arena_mark(&c->arena);
        PLS_TRY(context, system->kind->pushforward(system, v, &c->arena, c->tangent));
        PLS_TRY(context, system->kind->curvature(system, c->residual, v, &c->arena, c->bent));
        pls_arena_release(&c->arena, mark);
    }
cleanup:
    return status;
}

/* F(w), l'(f) and, as the check that all is finite, the gradient, which then lies in `bent`. */
static pls_status stand(pls_loss_curvature *c) {
    pls_system *system = c->system;
    pls_context *context = system->device->context;
    double value = 0.0;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_system_evaluate(system, NULL, system->samples, c->f));
    PLS_TRY(context, pls_loss_gradient(system, c->loss, c->f, system->targets, c->residual,
                                       c->losses, c->total, c->bent, &value));
cleanup:
    return status;
}

pls_status pls_loss_curvature_open(pls_system *system, pls_loss loss, bool kinks_are_zero,
                                   pls_loss_curvature *c) {
    pls_device *device = system->device;
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    *c = (pls_loss_curvature){.system = system, .loss = loss, .arena = pls_arena_measuring(device)};
    PLS_TRY(context, pls_phase_begin(device, PLS_PHASE_HESSIAN));
    PLS_TRY(context, pls_second_check(system, kinks_are_zero));
    if (system->precision != PLS_F64) {
        PLS_TRY(context, pls_system_duplicate(system, NULL, system->samples, PLS_F64, &c->copy));
        c->system = c->copy;
    }
    PLS_TRY(context, layout(c));
    PLS_TRY(context, pls_arena_reserve(&c->arena, "the Hessian of the loss"));
    PLS_TRY(context, layout(c));
    PLS_TRY(context, stand(c));
cleanup:
    return pls_phase_end(device, status);
}

void pls_loss_curvature_close(pls_loss_curvature *c) {
    pls_arena_destroy(&c->arena);
    pls_system_destroy(c->copy);
}

/* weighed = l''(f) tangent */
static pls_status weigh(pls_loss_curvature *c) {
    pls_device *device = c->system->device;
    if (c->loss == PLS_LOSS_SQUARE) {
        return pls_copy(device, c->tangent, c->weighed);
    }
    return pls_softmax_product(device, c->f, c->system->targets, c->tangent, c->weighed);
}

pls_status pls_loss_curvature_apply_row(void *user, const int64_t *problems, pls_view x,
                                        pls_view y) {
    pls_loss_curvature *c = user;
    pls_system *system = c->system;
    pls_device *device = system->device;
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    (void)problems;
    PLS_TRY(context, system->kind->pushforward(system, x, &c->arena, c->tangent));
    PLS_TRY(context, weigh(c));
    PLS_TRY(context, system->kind->pullback(system, c->weighed, y));
    PLS_TRY(context, system->kind->curvature(system, c->residual, x, &c->arena, c->bent));
    PLS_TRY(context, pls_axpby(device, 1.0, c->bent, 1.0, y));
cleanup:
    return status;
}

pls_status pls_loss_curvature_apply(void *user, pls_view x, pls_view y) {
    return pls_loss_curvature_apply_row(user, NULL, pls_view_reshape(x, 1, x.rows),
                                        pls_view_reshape(y, 1, y.rows));
}
