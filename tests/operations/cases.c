/* The cases of the table: every operation in its shapes, dtypes, variants and paddings. */
#include "operations.h"

#include <string.h>

enum { PADDINGS = 3 };

static const int64_t paddings[PADDINGS] = {0, 5, 8};

static void each_case_of(const operation *o, pls_dtype dtype, pls_device *device,
                         operation_action *action, void *user) {
    for (int s = 0; s < o->shape_count; s++) {
        for (int variant = 0; variant < o->variants; variant++) {
            for (int padding = 0; padding < PADDINGS; padding++) {
                shape size = o->shapes[s];
                operation_case given = {o,      dtype, size.m, size.n, size.p, paddings[padding],
                                        variant};
                action(device, given, user);
            }
        }
    }
}

void operations_each_case(pls_device *device, operation_action *action, void *user) {
    for (int index = 0; index < operation_count; index++) {
        const operation *o = &operations[index];
        for (int dtype = o->f64_only ? PLS_F64 : PLS_F32; dtype <= PLS_F64; dtype++) {
            each_case_of(o, (pls_dtype)dtype, device, action, user);
        }
    }
}

const operation *operation_named(const char *name) {
    for (int index = 0; index < operation_count; index++) {
        if (strcmp(operations[index].name, name) == 0) {
            return &operations[index];
        }
    }
    return NULL;
}
