/* Two systems beside each other: w = (w_1, w_2), F(w) = (F_1(w_1), F_2(w_2)).
 *
 *     J = diag(J_1, J_2),   K = diag(K_1, K_2),   beta_F = max(beta_1, beta_2)
 * (with |v_1|^2 + |v_2|^2 = 1: beta_1^2 |v_1|^4 + beta_2^2 |v_2|^4 <= max(beta_1, beta_2)^2).
 *
 * The samples of the first come before those of the second. Of a list of samples each part gets its
 * own, in order; their rows then lie part by part, `stacked`, and are brought into the order of the
 * list, or out of it, by gathering rows. */
#include "base/memory.h"
#include "system/system.h"

#include <math.h>
#include <stdio.h>

enum { PARTS = 2 };

typedef struct joint_part {
    pls_system *system; /* NULL: a part without samples, of which only the weights are there */
    int64_t samples, parameters;
    int64_t first_sample, first_weight; /* of the part in the whole */
    int64_t *list;                      /* n of the whole: its samples of the last list */
    int64_t first, count;               /* its rows among the stacked ones of the last evaluation */
} joint_part;

typedef struct joint_system {
    pls_system base;
    joint_part part[PARTS];
    pls_arena arena;
    pls_view stacked; /* n x k */
    bool listed;
    int64_t *stack_row; /* n: of a row of the list, its row among the stacked ones */
    int64_t *list_row;  /* n: the other way */
} joint_system;

/* ---- parts of the whole ---------------------------------------------------------------------- */

static pls_view own_weights(const joint_part *part, pls_view vector) {
    return pls_view_cols(vector, part->first_weight, part->parameters);
}

static pls_view own_rows(const joint_part *part, pls_view rows) {
    return pls_view_rows(rows, part->first, part->count);
}

static int64_t selected(const joint_system *system) {
    return system->part[0].count + system->part[1].count;
}

/* u in the order of the parts. */
static pls_status stack(joint_system *system, pls_view u, pls_view *stacked) {
    *stacked = u;
    if (!system->listed) {
        return PLS_OK;
    }
    *stacked = pls_view_rows(system->stacked, 0, selected(system));
    return pls_gather_rows(system->base.device, u, system->list_row, *stacked);
}

/* Shares a list out among the parts. */
static void share_out(joint_system *system, const int64_t *samples, int64_t count) {
    int64_t border = system->part[1].first_sample;
    system->listed = samples != NULL;
    for (int p = 0; p < PARTS; p++) {
        joint_part *part = &system->part[p];
        part->first = p == 0 ? 0 : system->part[0].count;
        part->count = 0;
        for (int64_t r = 0; r < count; r++) {
            int64_t sample = samples != NULL ? samples[r] : r;
            if ((sample >= border) == (p == 1)) {
                part->list[part->count] = sample - part->first_sample;
                system->stack_row[r] = part->first + part->count;
                system->list_row[part->first + part->count] = r;
                part->count++;
            }
        }
    }
}

/* ---- the table --------------------------------------------------------------------------------
 */

static void destroy(pls_system *base) {
    joint_system *system = (joint_system *)base;
    pls_context *context = base->device->context;
    pls_arena_destroy(&system->arena);
    for (int p = 0; p < PARTS; p++) {
        pls_release(context, system->part[p].list);
        pls_system_destroy(system->part[p].system);
    }
    pls_release(context, system->stack_row);
    pls_release(context, system->list_row);
    pls_release(context, system);
}

static pls_status initialize(pls_system *base) {
    joint_system *system = (joint_system *)base;
    pls_context *context = base->device->context;
    pls_status status = PLS_OK;
    for (int p = 0; p < PARTS; p++) {
        const joint_part *part = &system->part[p];
        pls_view own = own_weights(part, base->weights);
        if (part->system == NULL) {
            PLS_TRY(context, pls_fill(base->device, 0.0, own));
            continue;
        }
        PLS_TRY(context, pls_system_initialize(part->system));
        PLS_TRY(context, pls_copy(base->device, part->system->weights, own));
    }
cleanup:
    return status;
}

static pls_status evaluate(pls_system *base, const int64_t *samples, int64_t count, pls_view out) {
    joint_system *system = (joint_system *)base;
    pls_device *device = base->device;
    pls_context *context = device->context;
    pls_status status = PLS_OK;
    share_out(system, samples, count);
    pls_view stacked = system->listed ? pls_view_rows(system->stacked, 0, count) : out;
    for (int p = 0; p < PARTS; p++) {
        const joint_part *part = &system->part[p];
        pls_system *one = part->system;
        if (part->count > 0) {
            PLS_TRY(context, pls_copy(device, own_weights(part, base->weights), one->weights));
            PLS_TRY(context, one->kind->evaluate(one, system->listed ? part->list : NULL,
                                                 part->count, own_rows(part, stacked)));
        }
    }
    if (system->listed) {
        PLS_TRY(context, pls_gather_rows(device, stacked, system->stack_row, out));
    }
cleanup:
    return status;
}

static pls_status pullback(pls_system *base, pls_view u, pls_view g) {
    joint_system *system = (joint_system *)base;
    pls_context *context = base->device->context;
    pls_view stacked = pls_no_view();
    pls_status status = PLS_OK;
    PLS_TRY(context, stack(system, u, &stacked));
    for (int p = 0; p < PARTS; p++) {
        const joint_part *part = &system->part[p];
        pls_view own = own_weights(part, g);
        PLS_TRY(context, part->count > 0 ? part->system->kind->pullback(
                                               part->system, own_rows(part, stacked), own)
                                         : pls_fill(base->device, 0.0, own));
    }
cleanup:
    return status;
}

/* Of the samples first .. first+count-1 a part has its own, and zeros for the other's weights. */
static pls_status jacobian(pls_system *base, int64_t first, int64_t count, pls_arena *arena,
                           pls_view out) {
    joint_system *system = (joint_system *)base;
    pls_context *context = base->device->context;
    int64_t k = base->outputs;
    pls_status status = PLS_OK;
    if (arena->buffer != NULL) {
        PLS_TRY(context, pls_fill(base->device, 0.0, out));
    }
    for (int p = 0; p < PARTS; p++) {
        const joint_part *part = &system->part[p];
        int64_t mark = pls_arena_mark(arena);
        int64_t from = pls_larger(first, part->first_sample);
        int64_t to = pls_smaller(first + count, part->first_sample + part->samples);
        pls_view rows = pls_no_view();
        if (arena->buffer == NULL) { /* any range of so many samples may be asked for */
            from = part->first_sample;
            to = from + pls_smaller(count, part->samples);
        }
        if (to <= from) {
            continue; /* also a part without samples */
        }
        PLS_TRY(context,
                pls_arena_take(arena, base->precision, (to - from) * k, part->parameters, &rows));
        PLS_TRY(context, part->system->kind->jacobian(part->system, from - part->first_sample,
                                                      to - from, arena, rows));
        if (arena->buffer != NULL) {
            pls_view place = pls_view_rows(out, (from - first) * k, (to - from) * k);
            PLS_TRY(context, pls_copy(base->device, rows, own_weights(part, place)));
        }
        pls_arena_release(arena, mark);
    }
cleanup:
    return status;
}

static pls_status pushforward(pls_system *base, pls_view v, pls_arena *arena, pls_view out) {
    joint_system *system = (joint_system *)base;
    pls_context *context = base->device->context;
    pls_view stacked = system->listed && arena->buffer != NULL
                           ? pls_view_rows(system->stacked, 0, selected(system))
                           : out;
    pls_status status = PLS_OK;
    for (int p = 0; p < PARTS; p++) {
        const joint_part *part = &system->part[p];
        if (part->system != NULL && (part->count > 0 || arena->buffer == NULL)) {
            PLS_TRY(context, part->system->kind->pushforward(part->system, own_weights(part, v),
                                                             arena, own_rows(part, stacked)));
        }
    }
    if (system->listed && arena->buffer != NULL) {
        PLS_TRY(context, pls_gather_rows(base->device, stacked, system->stack_row, out));
    }
cleanup:
    return status;
}

/* Each part bends its own half of the one direction. */
static pls_status curvature_along(joint_system *system, pls_view u, pls_view v, pls_arena *arena,
                                  pls_view out) {
    pls_device *device = system->base.device;
    pls_context *context = device->context;
    pls_view stacked = u;
    pls_status status = PLS_OK;
    if (arena->buffer != NULL) {
        PLS_TRY(context, stack(system, u, &stacked));
        PLS_TRY(context, pls_fill(device, 0.0, out));
    }
    for (int p = 0; p < PARTS; p++) {
        const joint_part *part = &system->part[p];
        if (part->system != NULL && (part->count > 0 || arena->buffer == NULL)) {
            PLS_TRY(context, part->system->kind->curvature(part->system, own_rows(part, stacked),
                                                           own_weights(part, v), arena,
                                                           own_weights(part, out)));
        }
    }
cleanup:
    return status;
}

/* The rows of a part: taken out of the list, bent, and put back there. */
static pls_status bend_rows(joint_system *system, const joint_part *part, pls_view u, pls_view v,
                            pls_arena *arena, pls_view out) {
    pls_device *device = system->base.device;
    pls_context *context = device->context;
    bool measures = arena->buffer == NULL;
    int64_t rows = measures ? pls_smaller(v.rows, part->samples) : part->count;
    const int64_t *places = system->list_row + part->first;
    int64_t mark = pls_arena_mark(arena);
    pls_view direction, result;
    pls_status status = PLS_OK;
    PLS_TRY(context,
            pls_arena_take(arena, system->base.precision, rows, part->parameters, &direction));
    PLS_TRY(context,
            pls_arena_take(arena, system->base.precision, rows, part->parameters, &result));
    if (!measures) {
        PLS_TRY(context, pls_gather_rows(device, own_weights(part, v), places, direction));
    }
    PLS_TRY(context, part->system->kind->curvature(part->system, u, direction, arena, result));
    for (int64_t r = 0; !measures && r < rows; r++) {
        pls_view place = own_weights(part, pls_view_rows(out, places[r], 1));
        PLS_TRY(context, pls_copy(device, pls_view_rows(result, r, 1), place));
    }
cleanup:
    pls_arena_release(arena, mark);
    return status;
}

static pls_status curvature(pls_system *base, pls_view u, pls_view v, pls_arena *arena,
                            pls_view out) {
    joint_system *system = (joint_system *)base;
    pls_device *device = base->device;
    pls_context *context = device->context;
    bool measures = arena->buffer == NULL;
    pls_view stacked = u;
    pls_status status = PLS_OK;
    if (v.rows == 1) {
        return curvature_along(system, u, v, arena, out);
    }
    if (!measures) {
        PLS_TRY(context, stack(system, u, &stacked));
        PLS_TRY(context, pls_fill(device, 0.0, out));
    }
    for (int p = 0; p < PARTS; p++) {
        const joint_part *part = &system->part[p];
        if (part->system != NULL && (part->count > 0 || measures)) {
            pls_view own = measures ? pls_view_rows(u, 0, pls_smaller(u.rows, part->samples))
                                    : own_rows(part, stacked);
            PLS_TRY(context, bend_rows(system, part, own, v, arena, out));
        }
    }
cleanup:
    return status;
}

static const char *kink(const pls_system *base) {
    const joint_system *system = (const joint_system *)base;
    const char *found = NULL;
    for (int p = 0; p < PARTS && found == NULL; p++) {
        const pls_system *one = system->part[p].system;
        found = one != NULL ? pls_system_kink(one) : NULL;
    }
    return found;
}

static double rounding_growth(const pls_system *base) {
    const joint_system *system = (const joint_system *)base;
    double growth = 0.0;
    for (int p = 0; p < PARTS; p++) {
        const pls_system *one = system->part[p].system;
        growth = fmax(growth, one != NULL ? one->kind->rounding_growth(one) : 0.0);
    }
    return growth;
}

static pls_status smoothness(const pls_system *base, pls_smoothness *found) {
    const joint_system *system = (const joint_system *)base;
    pls_context *context = base->device->context;
    pls_status status = PLS_OK;
    *found = (pls_smoothness){0.0, PLS_EVIDENCE_EXACT};
    for (int p = 0; p < PARTS; p++) {
        const pls_system *one = system->part[p].system;
        pls_smoothness own = {0.0, PLS_EVIDENCE_EXACT};
        if (one != NULL) {
            PLS_TRY(context, pls_system_smoothness(one, &own));
        }
        if (own.beta > found->beta) {
            *found = own;
        }
    }
cleanup:
    return status;
}

/* "first", "second": the weights of a part in one piece. */
static bool tensor(const pls_system *base, int64_t i, char name[64], int *rank, int64_t shape[8],
                   int64_t *first) {
    const joint_system *system = (const joint_system *)base;
    if (i < 0 || i >= PARTS) {
        return false;
    }
    snprintf(name, 64, "%s", i == 0 ? "first" : "second");
    *rank = 1;
    shape[0] = system->part[i].parameters;
    *first = system->part[i].first_weight;
    return true;
}

static pls_status duplicate(pls_system *base, const int64_t *samples, int64_t count,
                            pls_dtype precision, pls_system **out);

static const pls_system_kind joint_kind = {
    .name = "joint",
    .destroy = destroy,
    .initialize = initialize,
    .evaluate = evaluate,
    .pullback = pullback,
    .jacobian = jacobian,
    .pushforward = pushforward,
    .curvature = curvature,
    .kink = kink,
    .duplicate = duplicate,
    .rounding_growth = rounding_growth,
    .smoothness = smoothness,
    .tensor = tensor,
};

/* ---- making -----------------------------------------------------------------------------------
 */

static pls_status layout(joint_system *system, pls_arena *arena) {
    pls_system *base = &system->base;
    pls_context *context = base->device->context;
    pls_dtype dtype = base->precision;
    int64_t n = base->samples, k = base->outputs;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_arena_take(arena, dtype, 1, base->parameters, &base->weights));
    PLS_TRY(context, pls_arena_take(arena, dtype, n, k, &base->targets));
    PLS_TRY(context, pls_arena_take(arena, dtype, n, k, &system->stacked));
cleanup:
    return status;
}

static pls_status allocate_lists(joint_system *system) {
    pls_context *context = system->base.device->context;
    int64_t n = system->base.samples;
    size_t size = sizeof(int64_t);
    const char *what = "lists of samples";
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, n, size, what, &system->part[0].list));
    PLS_TRY(context, pls_allocate(context, n, size, what, &system->part[1].list));
    PLS_TRY(context, pls_allocate(context, n, size, what, &system->stack_row));
    PLS_TRY(context, pls_allocate(context, n, size, what, &system->list_row));
cleanup:
    return status;
}

/* Weights and targets of the parts, side by side and one above the other. */
static pls_status set_up(joint_system *system) {
    pls_system *base = &system->base;
    pls_context *context = base->device->context;
    pls_status status = PLS_OK;
    base->targets_are_probabilities = base->targets_are_one_hot = true;
    for (int p = 0; p < PARTS; p++) {
        const joint_part *part = &system->part[p];
        pls_view own = own_weights(part, base->weights);
        pls_view rows = pls_view_rows(base->targets, part->first_sample, part->samples);
        if (part->system == NULL) {
            PLS_TRY(context, pls_fill(base->device, 0.0, own));
            continue;
        }
        PLS_TRY(context, pls_copy(base->device, part->system->weights, own));
        PLS_TRY(context, pls_copy(base->device, part->system->targets, rows));
        base->targets_are_probabilities &= part->system->targets_are_probabilities;
        base->targets_are_one_hot &= part->system->targets_are_one_hot;
    }
cleanup:
    return status;
}

/* Joins two parts, at most one of them without a system; owns them once it has succeeded. */
static pls_status join(const joint_part parts[PARTS], pls_system **out) {
    const pls_system *example = parts[parts[0].system == NULL].system;
    pls_context *context = example->device->context;
    joint_system *system = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_allocate(context, 1, sizeof *system, "a joint system", &system));
    system->base.kind = &joint_kind;
    system->base.device = example->device;
    system->base.precision = example->precision;
    system->base.samples = parts[0].samples + parts[1].samples;
    system->base.outputs = example->outputs;
    system->base.parameters = parts[0].parameters + parts[1].parameters;
    system->arena = pls_arena_measuring(example->device);
    for (int p = 0; p < PARTS; p++) {
        system->part[p].samples = parts[p].samples;
        system->part[p].parameters = parts[p].parameters;
    }
    system->part[1].first_sample = parts[0].samples;
    system->part[1].first_weight = parts[0].parameters;
    PLS_TRY(context, allocate_lists(system));
    PLS_TRY(context, layout(system, &system->arena));
    PLS_TRY(context, pls_arena_reserve(&system->arena, "the joint system"));
    PLS_TRY(context, layout(system, &system->arena));
    for (int p = 0; p < PARTS; p++) {
        system->part[p].system = parts[p].system;
    }
    status = set_up(system);
    for (int p = 0; p < PARTS && status != PLS_OK; p++) {
        system->part[p].system = NULL; /* they stay the caller's */
    }
    PLS_TRY(context, status);
    *out = &system->base;
    return PLS_OK;
cleanup:
    if (system != NULL) {
        destroy(&system->base);
    }
    return status;
}

pls_status pls_joint_system_create(pls_system *first, pls_system *second, pls_system **system) {
    pls_context *context = first->device->context;
    int64_t sum = 0;
    joint_part parts[PARTS] = {{.system = first}, {.system = second}};
    if (first == second || first->device != second->device ||
        first->precision != second->precision) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "a joint system needs two systems on one device and in one precision");
    }
    if (first->outputs != second->outputs || !pls_add(first->samples, second->samples, &sum) ||
        !pls_add(first->parameters, second->parameters, &sum)) {
        return pls_fail(context, PLS_ERROR_ARGUMENT,
                        "the parts of a joint system have %lld and %lld outputs a sample; the same "
                        "number was expected",
                        (long long)first->outputs, (long long)second->outputs);
    }
    for (int p = 0; p < PARTS; p++) {
        parts[p].samples = parts[p].system->samples;
        parts[p].parameters = parts[p].system->parameters;
    }
    return join(parts, system);
}

/* The samples of a duplicate stand part by part; so a list that goes back and forth is refused. */
static pls_status check_order(const joint_system *system, const int64_t *samples, int64_t count) {
    int64_t border = system->part[1].first_sample;
    for (int64_t r = 1; samples != NULL && r < count; r++) {
        if (samples[r] < border && samples[r - 1] >= border) {
            return pls_fail(system->base.device->context, PLS_ERROR_UNSUPPORTED,
                            "a copy of a joint system with chosen samples has those of the first "
                            "system before those of the second: sample %lld cannot follow %lld",
                            (long long)samples[r], (long long)samples[r - 1]);
        }
    }
    return PLS_OK;
}

static pls_status duplicate_part(joint_system *system, int p, const int64_t *samples, int64_t count,
                                 pls_dtype precision, joint_part *copy) {
    const joint_part *part = &system->part[p];
    pls_context *context = system->base.device->context;
    int64_t *list = NULL;
    pls_status status = PLS_OK;
    *copy = (joint_part){.parameters = part->parameters};
    PLS_TRY(context, pls_allocate(context, count, sizeof *list, "chosen samples", &list));
    for (int64_t r = 0; r < count; r++) {
        int64_t own = (samples != NULL ? samples[r] : r) - part->first_sample;
        if (own >= 0 && own < part->samples) {
            list[copy->samples++] = own;
        }
    }
    if (copy->samples > 0) {
        PLS_TRY(context, part->system->kind->duplicate(part->system, list, copy->samples, precision,
                                                       &copy->system));
    }
cleanup:
    pls_release(context, list);
    return status;
}

static pls_status duplicate(pls_system *base, const int64_t *samples, int64_t count,
                            pls_dtype precision, pls_system **out) {
    joint_system *system = (joint_system *)base;
    pls_context *context = base->device->context;
    joint_part parts[PARTS] = {{0}};
    pls_status status = PLS_OK;
    PLS_TRY(context, check_order(system, samples, count));
    for (int p = 0; p < PARTS; p++) {
        PLS_TRY(context, duplicate_part(system, p, samples, count, precision, &parts[p]));
    }
    PLS_TRY(context, join(parts, out));
    parts[0].system = parts[1].system = NULL;
cleanup:
    pls_system_destroy(parts[0].system);
    pls_system_destroy(parts[1].system);
    return status;
}
