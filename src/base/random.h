/* Normal numbers on the host, by the formula in philox.h. */
#ifndef PLSTAR_BASE_RANDOM_H
#define PLSTAR_BASE_RANDOM_H

#include "base/philox.h"

/* Standard normal of element e of a stream. */
double pls_random_normal_at(pls_random_stream stream, uint64_t element);

#endif
