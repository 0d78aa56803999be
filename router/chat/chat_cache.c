/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers from the cache, and into it: what the client got, byte for byte,
 * for a request of the same bytes by the same key on the same route.
 */
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "router/chat/chat_parts.h"

enum { KEEP_MAX = 8 << 20 };

/* What besides the body decides about the answer. */
static const char *const told_by[] = {
    "anthropic-version", "anthropic-beta", "openai-beta",     "x-weir-arm",
    "x-weir-quality",    "x-weir-task",    "x-weir-max-cost",
};

static void add(struct digest *d, struct span s, bool *ok)
{
    uint64_t n = s.len;

    /* The length goes before, so that no two requests run together. */
    *ok = *ok && digest_add(d, (struct span){(const char *)&n, sizeof n}) &&
          digest_add(d, s);
}

static bool make_key(struct chat *c)
{
    const struct route_settings *set = c->ask.route->set;
    struct digest *d = digest_new();
    bool ok = d != NULL;

    if (!d)
        return false;
    add(d, set->cache.shared ? SPAN("") : c->ask.request.key_name, &ok);
    add(d, span_of(set->item.name), &ok);
    add(d, span_of(c->ask.dialect->name), &ok);
    add(d, http_request(c->x)->path, &ok);
    for (size_t i = 0; i < sizeof told_by / sizeof told_by[0]; i++)
        add(d, http_header(c->x, told_by[i]), &ok);
    add(d, http_request(c->x)->body, &ok);
    ok = ok && digest_finish(d, c->cache_key);
    digest_free(d);
    return ok;
}

static int arm_named(const struct route_settings *set, struct span name)
{
    for (unsigned i = 0; i < set->n_arms; i++)
        if (span_is(name, set->arms[i].name))
            return (int)i;
    return -1;
}

static void count(const struct chat *c, const char *result)
{
    struct span labels[2] = {span_of(c->ask.route->set->item.name),
                             span_of(result)};

    metrics_count(c->worker->shard, METRIC_CACHE, labels, 1);
}

static void answer(struct chat *c, const struct cached *hit)
{
    struct http_exchange *x = c->x;
    struct worker *w = c->worker;
    char type[64];

    c->cached = true;
    c->arm = arm_named(c->ask.route->set, hit->arm);
    c->first_ns = clock_ns();
    chat_headers(c, !hit->stream);
    http_set(x, "x-weir-cache", SPAN("hit"));
    (void)span_copy(type, sizeof type, hit->type);
    chat_end(c, 200);
    worker_give_back(w, &c->body);
    if (hit->stream) {
        http_set(x, "cache-control", SPAN("no-cache"));
        http_begin(x, 200, type);
        http_write(x, hit->body);
        http_end(x);
    } else {
        http_reply(x, 200, type, hit->body);
    }
}

bool chat_from_cache(struct chat *c)
{
    const struct route_settings *set = c->ask.route->set;
    struct cache *cache = c->worker->router->cache;
    const struct cached *hit = NULL;

    if (!cache || set->cache.ttl_ms == 0 || !make_key(c))
        return false;
    if (!span_is_nocase(http_header(c->x, "cache-control"), "no-cache") &&
        !span_is_nocase(http_header(c->x, "cf-aig-skip-cache"), "true"))
        hit = cache_get(cache, c->cache_key, c->time_ms, set->cache.ttl_ms);
    count(c, hit ? "hit" : "miss");
    if (hit) {
        answer(c, hit);
        cached_release(hit);
        return true;
    }
    c->keeping = true;
    c->keep = worker_buf(c->worker, KEEP_MAX);
    return false;
}

void chat_keep(struct chat *c, struct span bytes)
{
    if (!c->keeping)
        return;
    buf_span(&c->keep, bytes);
    if (c->keep.failed)
        chat_keep_end(c, NULL);
}

void chat_keep_end(struct chat *c, const char *type)
{
    if (!c->keeping)
        return;
    c->keeping = false;
    if (type && !c->error && c->arm >= 0 && !c->answer.is_error) {
        struct cached is = {.type = span_of(type),
                            .body = buf_view(&c->keep),
                            .model = span_of(chat_model(c)->upstream),
                            .arm =
                                span_of(c->ask.route->set->arms[c->arm].name),
                            .time_ms = clock_utc_ms(),
                            .cost_pico = c->cost_pico,
                            .stream = c->head_sent};

        if (cache_put(c->worker->router->cache, c->cache_key, &is))
            count(c, "stored");
    }
    worker_give_back(c->worker, &c->keep);
}
