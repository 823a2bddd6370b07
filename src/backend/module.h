/* Backends in modules of their own, loaded at run time. */
#ifndef PLSTAR_BACKEND_MODULE_H
#define PLSTAR_BACKEND_MODULE_H

#include "backend/backend.h"

/* *module, *backend: the CUDA module and its table. The module is the file that the environment
 * variable PLSTAR_CUDA_MODULE names, else plstar-cuda.so beside the program or library that holds
 * this code, in a folder plstar there, or in the folder that installation puts it in.
 * Errors: PLS_ERROR_DEVICE. */
pls_status pls_module_load_cuda(pls_context *context, void **module, const pls_backend **backend);

/* Whether there is such a file. */
bool pls_module_has_cuda(void);

/* Whether an NVIDIA driver is installed: a look that costs nothing, where loading the module brings
 * in libraries of hundreds of megabytes. */
bool pls_module_has_driver(void);

/* Gives the module back; NULL is allowed. */
void pls_module_unload(void *module);

#endif
