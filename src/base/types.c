/* Names and sizes of the small types. */
#include "plstar/types.h"

int64_t pls_dtype_size(pls_dtype dtype) {
    return dtype == PLS_F32 ? 4 : 8;
}

const char *pls_dtype_name(pls_dtype dtype) {
    return dtype == PLS_F32 ? "f32" : "f64";
}

double pls_dtype_roundoff(pls_dtype dtype) {
    return dtype == PLS_F32 ? 0x1p-24 : 0x1p-53;
}

const char *pls_activation_name(pls_activation activation) {
    static const char *const names[PLS_ACTIVATION_COUNT] = {
        [PLS_IDENTITY] = "identity", [PLS_TANH] = "tanh",         [PLS_SIGMOID] = "sigmoid",
        [PLS_ERF] = "erf",           [PLS_SOFTPLUS] = "softplus", [PLS_SWISH] = "swish",
        [PLS_GELU] = "gelu",         [PLS_SIN] = "sin",           [PLS_RELU] = "relu",
    };
    return names[activation];
}
