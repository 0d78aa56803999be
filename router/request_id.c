/* SPDX-License-Identifier: Apache-2.0 */
#include "router/request_id.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { TIME_CHARS = 10, CHANCE_CHARS = 14, FIRST_HALF = 12 };

void id_source_seed(struct id_source *s)
{
    struct timespec t;

    if (getrandom(s, sizeof *s, GRND_NONBLOCK) == (ssize_t)sizeof *s &&
        (s->state[0] | s->state[1]))
        return;
    clock_gettime(CLOCK_MONOTONIC, &t);
    s->state[0] = (uint64_t)t.tv_nsec * 0x9e3779b97f4a7c15ULL + 1;
    s->state[1] = (uint64_t)t.tv_sec ^ (uintptr_t)s;
}

/* xoroshiro128++ (public domain, David Blackman and Sebastiano Vigna). */
static uint64_t next(struct id_source *s)
{
    uint64_t a = s->state[0], b = s->state[1], sum = a + b;
    uint64_t out = (sum << 17 | sum >> 47) + a;

    b ^= a;
    s->state[0] = (a << 49 | a >> 15) ^ b ^ (b << 21);
    s->state[1] = b << 28 | b >> 36;
    return out;
}

static void put(char *dst, unsigned n, uint64_t bits)
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

    for (unsigned i = n; i-- > 0; bits >>= 5)
        dst[i] = digits[bits & 31];
}

void request_id_make(struct id_source *s, int64_t utc_ms,
                     char dst[REQUEST_ID_LEN + 1])
{
    memcpy(dst, "req_", 4);
    put(dst + 4, TIME_CHARS, (uint64_t)utc_ms);
    put(dst + 14, FIRST_HALF, next(s));
    put(dst + 14 + FIRST_HALF, CHANCE_CHARS - FIRST_HALF, next(s));
    dst[REQUEST_ID_LEN] = '\0';
}
