/* A network of tests/reference: its folder opened as a system, and what is computed there held
 * against the values of an independent automatic differentiation.
 *
 * Error of an array: largest difference over the largest magnitude of the reference. */
#ifndef PLSTAR_TESTS_REFERENCE_CASE_H
#define PLSTAR_TESTS_REFERENCE_CASE_H

#include "data/safetensors.h"
#include "plstar/plstar.h"

enum { REFERENCE_LAYERS = 8 };

typedef struct reference_case {
    pls_context *context;
    pls_model model;
    pls_layer_spec layers[REFERENCE_LAYERS];
    pls_dataset data;
    pls_system *system;
    pls_safetensors *values;
    double tolerance; /* of errors of arrays: 1e-12 in f64, 1e-5 in f32 */
} reference_case;

/* Folder with model.json, tensors.safetensors and reference.safetensors; the system is made on the
 * device and stands at the weights of the file. Close it in any case. */
pls_status reference_open(pls_context *context, pls_device *device, const char *folder,
                          pls_dtype precision, reference_case *reference);
void reference_close(reference_case *reference);

/* One comparison: good if error <= tolerance. */
typedef void reference_visitor(void *user, const char *what, double error, double tolerance);

/* Outputs, loss, gradient, PL ratio, J v, JT r; kernel by the method, eigenvalues and the interval
 * of the smallest one. */
pls_status reference_check_kernel(reference_case *reference, pls_kernel_method method,
                                  reference_visitor *visit, void *user);

/* The path of gradient descent: losses, extreme eigenvalues on the way, final weights. The system
 * has moved afterwards. */
pls_status reference_check_descent(reference_case *reference, pls_kernel_method method,
                                   reference_visitor *visit, void *user);

#endif
