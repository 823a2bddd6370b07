/* Whether a safetensors file brings data beside weights. */
#include "data/safetensors.h"
#include "plstar/dataset.h"

pls_status pls_tensors_have_data(pls_context *context, const char *path, bool *have) {
    pls_safetensors *file = NULL;
    pls_status status = PLS_OK;
    PLS_TRY(context, pls_safetensors_open(context, path, &file));
    *have = pls_safetensors_find(file, "inputs") != NULL &&
            pls_safetensors_find(file, "targets") != NULL;
cleanup:
    pls_safetensors_close(file);
    return status;
}
