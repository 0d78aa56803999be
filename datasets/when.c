/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/when.h"

#include "base/clock.h"
#include "base/units.h"

#include <stdio.h>

bool when_parse(const char *name, const char *text, int64_t *ms, struct err *e)
{
    char day[32];
    uint64_t ago;
    struct span s = span_of(text);

    *ms = 0;
    if (!text || clock_parse(s, ms))
        return true;
    snprintf(day, sizeof day, "%.10sT00:00:00Z", text);
    if (s.len == 10 && clock_parse(span_of(day), ms))
        return true;
    if (units_parse(s, UNIT_MS, &ago) && ago < (uint64_t)clock_utc_ms()) {
        *ms = clock_utc_ms() - (int64_t)ago;
        return true;
    }
    return err_set(e, ERR_USAGE,
                   "--%s: wanted a time such as 2026-05-01, "
                   "2026-05-01T12:00:00Z or 7d (ago), found '%s'",
                   name, text);
}
