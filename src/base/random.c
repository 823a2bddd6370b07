/* Box-Muller: for u, v uniform on [0, 1), sqrt(-2 log(1 - u)) times the cosine and the sine of
 * 2 pi v are two independent standard normals. */
#include "base/random.h"

#include <math.h>

double pls_random_normal_at(pls_random_stream stream, uint64_t element) {
    static const double two_pi = 6.283185307179586476925286766559;
    philox4x32_ctr_t w = pls_philox_block(stream, element / 2);
    double radius = sqrt(-2.0 * log(1.0 - pls_philox_unit(w.v[1], w.v[0])));
    double angle = two_pi * pls_philox_unit(w.v[3], w.v[2]);
    return radius * (element % 2 == 0 ? cos(angle) : sin(angle));
}
