/* SPDX-License-Identifier: Apache-2.0 */
#include "router/health/check.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "router/router.h"
#include "router/upstream/upstream.h"

enum { LOOK_MS = 50, RUNNING_MAX = 64, URL_BYTES = 1024 };

/* One provider being asked. */
struct check {
    struct checks *all;        /* (borrowed) */
    struct snapshot *snapshot; /* (owned reference) */
    const struct provider_settings *at;
    struct upstream_call *call;
    char url[URL_BYTES];
};

/* When a provider was asked last, by its name's hash; across reloads. */
struct asked {
    uint64_t name, at_ms;
};

struct checks {
    struct worker *w;   /* (borrowed) */
    struct event *look; /* (owned) */
    struct check running[RUNNING_MAX];
    struct asked asked[RUNNING_MAX];
};

static void tell(const struct check *c, struct model_settings *place, bool well)
{
    const struct health_settings *h = &snapshot_settings(c->snapshot)->health;
    uint64_t now = health_now();
    enum breaker_state s;
    struct breaker_end end = {.news = well ? BREAKER_GOOD : BREAKER_BAD};

    if (place->at != c->at || !place->health)
        return;
    s = breaker_look(&place->health->breaker, now);
    if (well && s != BREAKER_CLOSED)
        breaker_reset(&place->health->breaker);
    if (!well && s == BREAKER_CLOSED &&
        breaker_tell(&place->health->breaker, &h->rules, now, &end))
        worker_opened(c->all->w);
}

static void over(struct check *c, bool well)
{
    const struct settings *s = snapshot_settings(c->snapshot);
    struct model_settings *m = s->models.at;

    for (unsigned i = 0; i < s->models.n; i++) {
        for (unsigned j = 0; j < m[i].n_places; j++)
            tell(c, &m[i].places[j], well);
    }
    snapshot_unref(c->snapshot);
    *c = (struct check){0};
}

static void on_done(void *ctx, const struct upstream_result *r)
{
    struct check *c = ctx;
    bool well = r->end == UPSTREAM_OK && r->status < 500;

    if (!well)
        log_event(LOG_WARN, "check", "provider=%s end=%s status=%d",
                  c->at->item.name, upstream_end_name(r->end), r->status);
    over(c, well);
}

static void start(struct checks *all, struct check *c)
{
    const struct limit_settings *l = &snapshot_settings(c->snapshot)->limits;
    const struct upstream_events events = {.ctx = c, .on_done = on_done};
    struct upstream_request r = {
        .method = "GET",
        .url = c->url,
        .ca_file = c->at->ca_file,
        .connect_ms = (unsigned)l->connect_ms,
        .first_byte_ms = (unsigned)l->connect_ms,
        .stall_ms = (unsigned)l->connect_ms,
        .total_ms = 2 * (unsigned)l->connect_ms,
        .max_body = 1 << 20,
    };
    struct err e;

    c->call = upstream_start(all->w->upstream, &r, &events, &e);
    if (!c->call)
        over(c, false);
}

/* The entry of a provider; a stranger takes the oldest. */
static struct asked *entry(struct checks *all, const char *name)
{
    uint64_t hash = span_hash(span_of(name), 0);
    struct asked *oldest = &all->asked[0];

    for (unsigned i = 0; i < RUNNING_MAX; i++) {
        struct asked *a = &all->asked[i];

        if (a->name == hash)
            return a;
        if (a->at_ms < oldest->at_ms)
            oldest = a;
    }
    *oldest = (struct asked){hash, health_now()};
    return oldest;
}

static bool is_due(struct checks *all, const struct provider_settings *p)
{
    struct asked *a;

    if (!p->check_ms)
        return false;
    a = entry(all, p->item.name);
    if (health_now() - a->at_ms < p->check_ms)
        return false;
    for (unsigned i = 0; i < RUNNING_MAX; i++) {
        const struct check *c = &all->running[i];

        if (c->at && !strcmp(c->at->item.name, p->item.name))
            return false;
    }
    a->at_ms = health_now();
    return true;
}

static void ask(struct checks *all, struct snapshot *s,
                const struct provider_settings *p)
{
    for (unsigned i = 0; i < RUNNING_MAX; i++) {
        struct check *c = &all->running[i];

        if (c->snapshot)
            continue;
        *c = (struct check){.all = all, .snapshot = snapshot_ref(s), .at = p};
        snprintf(c->url, sizeof c->url, "%s/models", p->base_url);
        start(all, c);
        return;
    }
}

static void on_look(evutil_socket_t fd, short what, void *ctx)
{
    struct checks *all = ctx;
    struct snapshot *s = worker_snapshot(all->w);
    const struct settings *set = snapshot_settings(s);
    const struct provider_settings *p = set->providers.at;

    (void)fd;
    (void)what;
    for (unsigned i = 0; i < set->providers.n; i++) {
        if (is_due(all, &p[i]))
            ask(all, s, &p[i]);
    }
    snapshot_unref(s);
}

struct checks *checks_new(struct worker *w, struct err *e)
{
    static const struct timeval often = {0, LOOK_MS * 1000};
    struct checks *c = calloc(1, sizeof *c);

    if (c) {
        c->w = w;
        c->look = event_new(w->base, -1, EV_PERSIST, on_look, c);
    }
    if (c && c->look && event_add(c->look, &often) == 0)
        return c;
    checks_free(c);
    err_set(e, ERR_MEMORY, "checks: out of memory");
    return NULL;
}

void checks_free(struct checks *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < RUNNING_MAX; i++) {
        if (!c->running[i].snapshot)
            continue;
        upstream_cancel(c->running[i].call);
        snapshot_unref(c->running[i].snapshot);
    }
    if (c->look)
        event_free(c->look);
    free(c);
}
