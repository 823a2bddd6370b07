/* Every network of a folder of reference networks, in both precisions and by both ways to the
 * kernel. */
#include "reference_case.h"

#include "gpu_check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One network in one precision by one method. */
typedef struct inspection {
    json_t *errors;
    bool passed;
    char worst[128];
} inspection;

static void inspect(void *user, const char *what, double error, double tolerance) {
    inspection *found = user;
    json_t *entry = json_object();
    json_object_set_new(entry, "error", json_number(error));
    json_object_set_new(entry, "tolerance", json_number(tolerance));
    json_object_set_new(found->errors, what, entry);
    if (!(error <= tolerance) && found->passed) {
        found->passed = false;
        snprintf(found->worst, sizeof found->worst, "%s: error %.3g, tolerance %.3g", what, error,
                 tolerance);
    }
}

static void check_network(check_run *run, const char *network, pls_dtype precision,
                          pls_kernel_method method) {
    char folder[1024], name[256];
    reference_case reference;
    inspection found = {json_object(), true, ""};
    snprintf(folder, sizeof folder, "%s/%s", run->options->reference, network);
    snprintf(name, sizeof name, "%s %s %s", network, pls_dtype_name(precision),
             method == PLS_KERNEL_STRUCTURED ? "structured" : "explicit");
    pls_status status = reference_open(run->context, run->device, folder, precision, &reference);
    if (status == PLS_OK) {
        status = reference_check_kernel(&reference, method, inspect, &found);
    }
    if (status == PLS_OK) {
        status = reference_check_descent(&reference, method, inspect, &found);
    }
    json_t *details = json_pack("{s:o}", "errors", found.errors);
    bool passed = status == PLS_OK && found.passed;
    record_check(run, "reference", name, passed, details,
                 status != PLS_OK ? pls_error_text(run->context)
                 : passed         ? NULL
                                  : found.worst);
    reference_close(&reference);
}

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

void check_reference(check_run *run) {
    struct dirent **networks = NULL;
    int made = run->made, failed = run->failed;
    int count = scandir(run->options->reference, &networks, visible, alphasort);
    if (count <= 0) {
        record_check(run, "reference", "folder", false, NULL,
                     "there are no reference networks in the folder of --reference");
    }
    for (int i = 0; i < count; i++) {
        for (int dtype = PLS_F32; dtype <= PLS_F64; dtype++) {
            check_network(run, networks[i]->d_name, (pls_dtype)dtype, PLS_KERNEL_STRUCTURED);
            if (!run->options->quick) {
                check_network(run, networks[i]->d_name, (pls_dtype)dtype, PLS_KERNEL_EXPLICIT);
            }
        }
        free(networks[i]);
    }
    free(networks);
    printf("reference: %d networks, precisions and methods, %d failed\n", run->made - made,
           run->failed - failed);
}
