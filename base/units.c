/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct unit {
    enum unit_kind kind;
    const char *name;
    double factor;
};

static const struct unit table[] = {
    {UNIT_BYTES, "", 1},        {UNIT_BYTES, "B", 1},
    {UNIT_BYTES, "k", 1e3},     {UNIT_BYTES, "kB", 1e3},
    {UNIT_BYTES, "K", 1e3},     {UNIT_BYTES, "KB", 1e3},
    {UNIT_BYTES, "M", 1e6},     {UNIT_BYTES, "MB", 1e6},
    {UNIT_BYTES, "G", 1e9},     {UNIT_BYTES, "GB", 1e9},
    {UNIT_BYTES, "Ki", 0x1p10}, {UNIT_BYTES, "KiB", 0x1p10},
    {UNIT_BYTES, "Mi", 0x1p20}, {UNIT_BYTES, "MiB", 0x1p20},
    {UNIT_BYTES, "Gi", 0x1p30}, {UNIT_BYTES, "GiB", 0x1p30},
    {UNIT_MS, "", 1},           {UNIT_MS, "ms", 1},
    {UNIT_MS, "s", 1e3},        {UNIT_MS, "m", 60e3},
    {UNIT_MS, "min", 60e3},     {UNIT_MS, "h", 3600e3},
    {UNIT_MS, "d", 86400e3},    {UNIT_US, "", 1},
    {UNIT_US, "us", 1},         {UNIT_US, "ms", 1e3},
    {UNIT_COUNT, "", 1},        {UNIT_COUNT, "k", 1e3},
    {UNIT_COUNT, "M", 1e6},     {UNIT_COUNT, "G", 1e9},
};

static size_t number_length(struct span s)
{
    size_t i = 0;

    while (i < s.len &&
           ((s.ptr[i] >= '0' && s.ptr[i] <= '9') || s.ptr[i] == '.'))
        i++;
    return i;
}

bool units_parse(struct span s, enum unit_kind kind, uint64_t *out)
{
    struct span text = span_trim(s);
    size_t n = number_length(text);
    struct span name;
    double value;

    if (n == 0)
        return false;
    name = span_trim((struct span){text.ptr + n, text.len - n});
    if (!span_double((struct span){text.ptr, n}, &value))
        return false;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].kind != kind || !span_is(name, table[i].name))
            continue;
        value = nearbyint(value * table[i].factor);
        if (value > 9007199254740992.0)
            return false;
        *out = (uint64_t)value;
        return true;
    }
    return false;
}

const char *units_wanted(enum unit_kind kind)
{
    static const char *const names[] = {
        [UNIT_BYTES] = "a size such as 64k, 32MB or 1GiB",
        [UNIT_MS] = "a time such as 200ms, 5s, 2m, 1h or 7d",
        [UNIT_US] = "a time such as 50us or 1ms",
        [UNIT_COUNT] = "a count such as 250 or 10k",
    };

    return names[kind];
}

const char *units_count(double n, char dst[32])
{
    static const char *const names[] = {"", "k", "M", "G", "T"};
    unsigned i = 0;

    while (fabs(n) >= 999.5 && i < 4) {
        n /= 1000;
        i++;
    }
    snprintf(dst, 32, i == 0 ? "%.0f%s" : "%.3g%s", n, names[i]);
    return dst;
}

const char *units_time(double seconds, char dst[32])
{
    if (seconds < 1e-3)
        snprintf(dst, 32, "%.3g us", seconds * 1e6);
    else if (seconds < 1)
        snprintf(dst, 32, "%.3g ms", seconds * 1e3);
    else if (seconds < 120)
        snprintf(dst, 32, "%.3g s", seconds);
    else
        snprintf(dst, 32, "%.1f min", seconds / 60);
    return dst;
}

const char *units_usd(double usd, char dst[32])
{
    double a = fabs(usd);

    if (a == 0 || a >= 1)
        snprintf(dst, 32, "$%.2f", usd);
    else if (a >= 0.01)
        snprintf(dst, 32, "$%.4f", usd);
    else
        snprintf(dst, 32, "$%.*f", a < 1e-6 ? 10 : 7, usd);
    return dst;
}
