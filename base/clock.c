/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t monotonic(clockid_t which)
{
    struct timespec t;

    clock_gettime(which, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static int64_t utc(clockid_t which)
{
    struct timespec t;

    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint64_t clock_ns(void)
{
    return monotonic(CLOCK_MONOTONIC);
}

int64_t clock_utc_ms(void)
{
    return utc(CLOCK_REALTIME);
}

uint64_t clock_tick_ns(void)
{
    return monotonic(CLOCK_MONOTONIC_COARSE);
}

int64_t clock_tick_utc_ms(void)
{
    return utc(CLOCK_REALTIME_COARSE);
}

/* Days since 1970-01-01 of a proleptic Gregorian date and back; source:
 * H. Hinnant, "chrono-compatible low-level date algorithms". */
static int64_t days_of(int64_t y, unsigned m, unsigned d)
{
    int64_t era;
    unsigned yoe, doy;

    y -= m <= 2;
    era = (y >= 0 ? y : y - 399) / 400;
    yoe = (unsigned)(y - era * 400);
    doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    return era * 146097 + (int64_t)(yoe * 365 + yoe / 4 - yoe / 100 + doy) -
           719468;
}

static void date_of(int64_t days, int64_t *y, unsigned *m, unsigned *d)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned doe = (unsigned)(z - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;

    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = (int64_t)yoe + era * 400 + (*m <= 2);
}

void clock_format(int64_t utc_ms, char dst[32])
{
    int64_t days = utc_ms / 86400000, year;
    int64_t ms = utc_ms % 86400000;
    unsigned month, day;

    if (ms < 0) {
        ms += 86400000;
        days--;
    }
    date_of(days, &year, &month, &day);
    /* The remainders tell the compiler what the calendar already says. */
    snprintf(dst, 32, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
             (unsigned)year % 10000, month % 100, day % 100,
             (unsigned)(ms / 3600000) % 24, (unsigned)(ms / 60000) % 60,
             (unsigned)(ms / 1000) % 60, (unsigned)ms % 1000);
}

/* Reads exactly n digits at *s; false when they are not there. */
static bool digits(struct span *s, size_t n, unsigned *out)
{
    uint64_t v;

    if (s->len < n || !span_u64((struct span){s->ptr, n}, &v))
        return false;
    *out = (unsigned)v;
    s->ptr += n;
    s->len -= n;
    return true;
}

static bool one_of(struct span *s, const char *set, char *found)
{
    for (; s->len && *set; set++) {
        if (s->ptr[0] == *set) {
            *found = *set;
            s->ptr++;
            s->len--;
            return true;
        }
    }
    return false;
}

static bool parse_date(struct span *s, int64_t *days)
{
    static const unsigned char lengths[] = {31, 29, 31, 30, 31, 30,
                                            31, 31, 30, 31, 30, 31};
    unsigned y, m, d;
    char c;

    if (!digits(s, 4, &y) || !one_of(s, "-", &c) || !digits(s, 2, &m) ||
        !one_of(s, "-", &c) || !digits(s, 2, &d) || m < 1 || m > 12 || d < 1 ||
        d > lengths[m - 1])
        return false;
    if (m == 2 && d == 29 && (y % 4 || (y % 100 == 0 && y % 400)))
        return false;
    *days = days_of(y, m, d);
    return true;
}

static bool parse_time(struct span *s, int64_t *ms)
{
    unsigned h, m, sec, digit, scale = 100;
    char c;

    if (!digits(s, 2, &h) || !one_of(s, ":", &c) || !digits(s, 2, &m) ||
        !one_of(s, ":", &c) || !digits(s, 2, &sec) || h > 23 || m > 59 ||
        sec > 60)
        return false;
    *ms = ((int64_t)h * 60 + m) * 60000 + (int64_t)sec * 1000;
    if (!one_of(s, ".", &c))
        return true;
    if (!digits(s, 1, &digit))
        return false;
    do {
        *ms += digit * scale;
        scale /= 10;
    } while (digits(s, 1, &digit));
    return true;
}

static bool parse_offset(struct span *s, int64_t *minutes)
{
    unsigned h, m;
    char sign;

    *minutes = 0;
    if (one_of(s, "Zz", &sign))
        return s->len == 0;
    if (!one_of(s, "+-", &sign) || !digits(s, 2, &h))
        return false;
    if (s->len && s->ptr[0] == ':') {
        s->ptr++;
        s->len--;
    }
    if (!digits(s, 2, &m) || h > 23 || m > 59 || s->len)
        return false;
    *minutes = (sign == '-' ? -1 : 1) * (int64_t)(h * 60 + m);
    return true;
}

bool clock_parse(struct span s, int64_t *utc_ms)
{
    int64_t days, ms, offset;
    char c;

    if (!parse_date(&s, &days) || !one_of(&s, "Tt ", &c) ||
        !parse_time(&s, &ms) || !parse_offset(&s, &offset))
        return false;
    *utc_ms = days * 86400000 + ms - offset * 60000;
    return true;
}
