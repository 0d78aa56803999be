/* SPDX-License-Identifier: Apache-2.0 */
#include "router/health/breaker.h"

enum { FIELD = 16, FIELD_MAX = 0xffff };

struct counts {
    uint32_t calls, bad, slow;
};

static uint64_t load(const _Atomic uint64_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

static uint64_t bucket_ms(const struct breaker_rules *r)
{
    uint64_t ms = r->window_ms / BREAKER_BUCKETS;

    return ms ? ms : 1;
}

static struct counts unpack(uint64_t v)
{
    return (struct counts){(uint32_t)(v >> 2 * FIELD & FIELD_MAX),
                           (uint32_t)(v >> FIELD & FIELD_MAX),
                           (uint32_t)(v & FIELD_MAX)};
}

static uint64_t pack(uint64_t when, struct counts c)
{
    return (when & FIELD_MAX) << 3 * FIELD | (uint64_t)c.calls << 2 * FIELD |
           (uint64_t)c.bad << FIELD | c.slow;
}

/* One more in the bucket of now; a full bucket stays as it is. */
static void count(struct breaker *b, uint64_t when, bool bad, bool slow)
{
    _Atomic uint64_t *at = &b->buckets[when % BREAKER_BUCKETS];
    uint64_t was = load(at), next;

    do {
        struct counts c = {0};

        if (was >> 3 * FIELD == (when & FIELD_MAX))
            c = unpack(was);
        if (c.calls == FIELD_MAX)
            return;
        c.calls++;
        c.bad += bad;
        c.slow += slow;
        next = pack(when, c);
    } while (!atomic_compare_exchange_weak_explicit(
        at, &was, next, memory_order_relaxed, memory_order_relaxed));
}

static struct counts sum(const struct breaker *b, uint64_t when)
{
    struct counts all = {0};

    for (unsigned i = 0; i < BREAKER_BUCKETS; i++) {
        uint64_t v = load(&b->buckets[i]);
        uint64_t age = ((when & FIELD_MAX) - (v >> 3 * FIELD)) & FIELD_MAX;
        struct counts c = unpack(v);

        if (age >= BREAKER_BUCKETS)
            continue;
        all.calls += c.calls;
        all.bad += c.bad;
        all.slow += c.slow;
    }
    return all;
}

enum breaker_state breaker_look(const struct breaker *b, uint64_t now_ms)
{
    uint64_t until = load(&b->until_ms);

    if (until == 0)
        return BREAKER_CLOSED;
    return now_ms < until ? BREAKER_OPEN : BREAKER_HALF;
}

enum breaker_state breaker_ask(struct breaker *b, const struct breaker_rules *r,
                               uint64_t now_ms)
{
    enum breaker_state s = breaker_look(b, now_ms);

    if (s != BREAKER_HALF)
        return s;
    if (atomic_fetch_add(&b->probing, 1) < r->probes)
        return BREAKER_HALF;
    atomic_fetch_sub(&b->probing, 1);
    return BREAKER_OPEN;
}

uint64_t breaker_wait(const struct breaker *b, uint64_t now_ms)
{
    uint64_t until = load(&b->until_ms);

    return until > now_ms ? until - now_ms : 0;
}

/* Doubled with each failed probe. */
static uint64_t pause_of(const struct breaker_rules *r, uint32_t opened)
{
    uint64_t ms = r->pause_ms;

    while (opened-- > 0 && ms < r->pause_max_ms)
        ms *= 2;
    return ms < r->pause_max_ms ? ms : r->pause_max_ms;
}

/* From the state `was` (its until_ms) to open; false: another was faster. */
static bool open_from(struct breaker *b, const struct breaker_rules *r,
                      uint64_t was, uint64_t now_ms)
{
    uint64_t pause = pause_of(r, atomic_load(&b->opened));

    if (!atomic_compare_exchange_strong(&b->until_ms, &was, now_ms + pause))
        return false;
    atomic_fetch_add(&b->opened, 1);
    atomic_fetch_add(&b->times, 1);
    return true;
}

void breaker_reset(struct breaker *b)
{
    for (unsigned i = 0; i < BREAKER_BUCKETS; i++)
        atomic_store(&b->buckets[i], 0);
    atomic_store(&b->run, 0);
    atomic_store(&b->opened, 0);
    atomic_store(&b->until_ms, 0);
}

static bool tell_probe(struct breaker *b, const struct breaker_rules *r,
                       uint64_t now_ms, enum breaker_news news)
{
    uint64_t until = load(&b->until_ms);

    atomic_fetch_sub(&b->probing, 1);
    if (news == BREAKER_NOTHING || until == 0 || now_ms < until)
        return false; /* another probe has decided */
    if (news != BREAKER_GOOD)
        return open_from(b, r, until, now_ms);
    breaker_reset(b);
    return false;
}

static bool too_many(const struct breaker_rules *r, struct counts c)
{
    return c.calls >= r->min_calls &&
           (c.bad >= r->error_share * c.calls ||
            (r->slow_ms && c.slow >= r->slow_share * c.calls));
}

bool breaker_tell(struct breaker *b, const struct breaker_rules *r,
                  uint64_t now_ms, const struct breaker_end *end)
{
    uint64_t when = now_ms / bucket_ms(r);
    bool bad = end->news == BREAKER_BAD || end->news == BREAKER_DEAD;
    uint32_t run = 0;

    if (end->was == BREAKER_HALF)
        return tell_probe(b, r, now_ms, end->news);
    if (end->news == BREAKER_NOTHING)
        return false;
    if (bad)
        run = atomic_fetch_add(&b->run, 1) + 1;
    else if (atomic_load_explicit(&b->run, memory_order_relaxed))
        atomic_store(&b->run, 0);
    count(b, when, bad, r->slow_ms && end->latency_ms >= r->slow_ms);
    if (load(&b->until_ms) != 0)
        return false; /* began before it opened */
    if (end->news != BREAKER_DEAD && run < r->failures &&
        !too_many(r, sum(b, when)))
        return false;
    if (!bad && !r->slow_ms)
        return false;
    return open_from(b, r, 0, now_ms);
}

const char *breaker_state_name(enum breaker_state s)
{
    static const char *const names[] = {
        [BREAKER_CLOSED] = "closed",
        [BREAKER_OPEN] = "open",
        [BREAKER_HALF] = "half_open",
    };

    return names[s];
}
