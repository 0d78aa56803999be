/* SPDX-License-Identifier: Apache-2.0 */
#include "router/health/allowance.h"

#include "base/clock.h"

#define RESET_MAX 864e5

static const struct {
    const char *name;
    double ms;
} unit_rows[] = {
    {"ms", 1}, {"s", 1000}, {"m", 6e4}, {"h", 36e5}, {"d", 864e5},
};

/* The unit at the beginning of *rest; 0: none. */
static double unit(struct span *rest)
{
    for (unsigned i = 0; i < sizeof unit_rows / sizeof unit_rows[0]; i++) {
        struct span name = span_of(unit_rows[i].name);

        if (!span_starts(*rest, unit_rows[i].name))
            continue;
        *rest = (struct span){rest->ptr + name.len, rest->len - name.len};
        return unit_rows[i].ms;
    }
    return 0;
}

static bool is_digit(char c)
{
    return (c >= '0' && c <= '9') || c == '.';
}

/* "6m0s": numbers with a unit each; a bare number counts seconds. */
static double duration(struct span rest)
{
    double all = 0, v, ms;

    while (rest.len) {
        size_t n = 0;

        while (n < rest.len && is_digit(rest.ptr[n]))
            n++;
        if (n == 0 || !span_double((struct span){rest.ptr, n}, &v))
            return -1;
        rest = (struct span){rest.ptr + n, rest.len - n};
        if (rest.len == 0 && all > 0)
            return -1;
        ms = rest.len ? unit(&rest) : 1000;
        if (ms == 0)
            return -1;
        all += v * ms;
    }
    return all;
}

int64_t allowance_reset(struct span text, int64_t utc_ms)
{
    int64_t at;
    double ms;

    text = span_trim(text);
    if (text.len == 0)
        return -1;
    if (clock_parse(text, &at))
        ms = at > utc_ms ? (double)at - (double)utc_ms : 0;
    else
        ms = duration(text);
    if (ms > RESET_MAX)
        ms = RESET_MAX;
    return ms < 0 ? -1 : (int64_t)ms;
}

static int64_t left(struct span text)
{
    uint64_t v;

    if (!span_u64(span_trim(text), &v))
        return -1;
    return v < INT64_MAX ? (int64_t)v : INT64_MAX;
}

/* The smaller of two that are said. */
static void lower(int64_t *left_at, int64_t *reset_at, int64_t n, int64_t reset)
{
    if (n < 0 || (*left_at >= 0 && *left_at <= n))
        return;
    *left_at = n;
    *reset_at = reset;
}

static const struct {
    bool tokens;
    const char *left, *reset;
} names[] = {
    {false, "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"},
    {true, "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"},
    {false, "anthropic-ratelimit-requests-remaining",
     "anthropic-ratelimit-requests-reset"},
    {true, "anthropic-ratelimit-tokens-remaining",
     "anthropic-ratelimit-tokens-reset"},
    {true, "anthropic-ratelimit-input-tokens-remaining",
     "anthropic-ratelimit-input-tokens-reset"},
};

struct allowance allowance_read(struct span (*header)(const void *ctx,
                                                      const char *name),
                                const void *ctx, int64_t utc_ms)
{
    struct allowance a = {-1, -1, -1, -1};

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        int64_t n = left(header(ctx, names[i].left));
        int64_t reset =
            n < 0 ? -1 : allowance_reset(header(ctx, names[i].reset), utc_ms);

        if (names[i].tokens)
            lower(&a.tokens, &a.tokens_reset_ms, n, reset);
        else
            lower(&a.requests, &a.requests_reset_ms, n, reset);
    }
    return a;
}
