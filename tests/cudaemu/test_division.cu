/* Quotients of indices (cuda/division.cuh) beyond what test matrices reach: numbers of 64 bits. */
#include "division.cuh"

#include <criterion/criterion.h>

#include <initializer_list>

using namespace plstar;

static void check(int64_t n, int64_t d) {
    divided parts = divide(n, d);
    cr_assert_eq(parts.quotient, n / d, "%lld / %lld gave %lld", static_cast<long long>(n),
                 static_cast<long long>(d), static_cast<long long>(parts.quotient));
    cr_assert_eq(parts.remainder, n % d);
}

Test(division, agrees_with_the_language) {
    const int64_t two_31 = int64_t(1) << 31, two_32 = int64_t(1) << 32;
    for (int64_t n : {int64_t(0), int64_t(1), int64_t(9), two_31 - 1, two_31, two_32 - 1, two_32,
                      two_32 + 1, 3 * two_32 + 7, INT64_MAX / 3, INT64_MAX - 1, INT64_MAX}) {
        for (int64_t d : {int64_t(1), int64_t(2), int64_t(10), two_31 - 1, two_31, two_32 - 1,
                          two_32, two_32 + 5, INT64_MAX / 2}) {
            check(n, d);
        }
    }
}

Test(division, counts_up_across_the_edge_of_32_bits) {
    const int64_t start = (int64_t(1) << 32) - 5, d = 3;
    divided parts = divide(start, d);
    for (int64_t n = start; n < start + 10; n++) {
        cr_assert_eq(parts.quotient, n / d);
        cr_assert_eq(parts.remainder, n % d);
        parts.count_up(d);
    }
}
