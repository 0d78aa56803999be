/* SPDX-License-Identifier: Apache-2.0 */
#include "router/attempt/backoff.h"

#include <time.h>

#define DAY_MS 864e5

uint64_t backoff_ms(uint64_t first_ms, uint64_t most_ms, unsigned n,
                    uint64_t chance)
{
    uint64_t most = first_ms;

    while (n-- > 0 && most < most_ms)
        most *= 2;
    if (most > most_ms)
        most = most_ms;
    return (uint64_t)((double)(chance >> 11) * 0x1p-53 * (double)(most + 1));
}

/* At most a day: what is longer is as good as never. */
static bool amount(struct span s, double unit_ms, uint64_t *out)
{
    double v;

    if (!span_double(span_trim(s), &v) || v < 0)
        return false;
    v *= unit_ms;
    *out = (uint64_t)(v < DAY_MS ? v + 0.999 : DAY_MS);
    return true;
}

/* "Fri, 20 Nov 2026 14:07:42 GMT" (RFC 9110, 5.6.7). */
static bool date(struct span s, int64_t utc_ms, uint64_t *out)
{
    struct tm tm = {0};
    char text[40];
    const char *end;
    double ms;

    if (!span_copy(text, sizeof text, span_trim(s)))
        return false;
    end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    if (!end || *end)
        return false;
    ms = (double)timegm(&tm) * 1000 - (double)utc_ms;
    *out = ms <= 0 ? 0 : (uint64_t)(ms < DAY_MS ? ms : DAY_MS);
    return true;
}

bool backoff_told(struct span after, struct span after_ms, int64_t utc_ms,
                  uint64_t *out_ms)
{
    if (after_ms.len && amount(after_ms, 1, out_ms))
        return true;
    return after.len &&
           (amount(after, 1000, out_ms) || date(after, utc_ms, out_ms));
}
