/* SPDX-License-Identifier: Apache-2.0 */
#include "router/health/shown.h"

struct shown {
    struct buf *out;
    struct metrics *metrics;
    uint64_t now_ms;
    unsigned n;
};

static void write_place(void *ctx, const struct health *h)
{
    struct shown *s = ctx;

    if (h->kind != HEALTH_PLACE)
        return;
    buf_str(s->out, s->n++ ? ",{\"place\":" : "{\"place\":");
    buf_json_str(s->out, span_of(h->name));
    buf_printf(s->out,
               ",\"state\":\"%s\",\"opened\":%llu,\"wait_ms\":%llu,"
               "\"in_flight\":%u,\"latency_ms\":%.1f}",
               breaker_state_name(breaker_look(&h->breaker, s->now_ms)),
               (unsigned long long)atomic_load(&h->breaker.times),
               (unsigned long long)breaker_wait(&h->breaker, s->now_ms),
               atomic_load(&h->load.in_flight),
               load_latency(&h->load, s->now_ms));
}

static void write_rest(void *ctx, const struct health *h)
{
    struct shown *s = ctx;
    uint64_t ms = health_resting(h, s->now_ms);

    if (ms == 0)
        return;
    buf_str(s->out, s->n++ ? ",{\"key\":" : "{\"key\":");
    buf_json_str(s->out, span_of(h->name));
    buf_printf(s->out, ",\"ms\":%llu}", (unsigned long long)ms);
}

void health_write(struct health_book *b, struct buf *out)
{
    struct shown s = {.out = out, .now_ms = health_now()};

    buf_str(out, "\"places\":[");
    health_each(b, write_place, &s);
    buf_str(out, "],\"resting\":[");
    s.n = 0;
    health_each(b, write_rest, &s);
    buf_char(out, ']');
}

static void measure(void *ctx, const struct health *h)
{
    const struct shown *s = ctx;
    struct span name = span_of(h->name);

    if (h->kind == HEALTH_KEY || h->kind == HEALTH_LANE)
        metrics_set(s->metrics, METRIC_KEY_RESTS, &name,
                    health_resting(h, s->now_ms));
    if (h->kind != HEALTH_PLACE)
        return;
    metrics_set(s->metrics, METRIC_BREAKER_OPENED, &name,
                atomic_load(&h->breaker.times));
    metrics_set(s->metrics, METRIC_PLACE_STATE, &name,
                breaker_look(&h->breaker, s->now_ms));
    metrics_set(s->metrics, METRIC_PLACE_CALLS, &name,
                atomic_load(&h->load.in_flight));
    metrics_set(s->metrics, METRIC_PLACE_LATENCY, &name,
                (uint64_t)(load_latency(&h->load, s->now_ms) * 1000));
}

void health_measure(struct health_book *b, struct metrics *m)
{
    struct shown s = {.metrics = m, .now_ms = health_now()};

    health_each(b, measure, &s);
}
