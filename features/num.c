/* SPDX-License-Identifier: Apache-2.0 */
#include "features/num.h"

/* log2(1 + i/64) in units of 2^-16, rounded. */
static const uint32_t steps[65] = {
    0,     1466,  2909,  4331,  5732,  7112,  8473,  9814,  11136, 12440, 13727,
    14996, 16248, 17484, 18704, 19909, 21098, 22272, 23433, 24579, 25711, 26830,
    27936, 29029, 30109, 31178, 32234, 33279, 34312, 35334, 36346, 37346, 38336,
    39316, 40286, 41246, 42196, 43137, 44068, 44990, 45904, 46809, 47705, 48593,
    49472, 50344, 51207, 52063, 52911, 53751, 54584, 55410, 56229, 57040, 57845,
    58643, 59434, 60219, 60997, 61769, 62534, 63294, 64047, 64794, 65536,
};

float num_log2p1(uint64_t n)
{
    uint64_t x = n + (n < UINT64_MAX), frac, part;
    int top = 63 - __builtin_clzll(x);

    /* The 32 bits behind the leading one: 6 choose the step, the rest the
     * place between two of them. */
    frac = (top > 32 ? x >> (top - 32) : x << (32 - top)) & 0xffffffff;
    part = frac & 0x3ffffff;
    frac >>= 26;
    part = steps[frac] + ((steps[frac + 1] - steps[frac]) * part >> 26);
    return (float)(((uint64_t)top << 16) + part) / 65536.0F;
}

float num_ratio(uint64_t part, uint64_t whole)
{
    return whole ? (float)part / (float)whole : 0.0F;
}
