/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shadow answers: a share of a route's requests is asked of another arm too,
 * or of each, for the log only.
 *
 *   client's chat, recorded --copy--> shadow, next turn of the loop --> row
 *
 * Nothing of it is the exchange's: the request is copied when the client's
 * row is written and read again when the loop has nothing better to do, so
 * that the client neither waits for it nor ends it by leaving.  It is an inner
 * chat without an exchange: whole, asked of its arm alone (a plan's members
 * are), paid for by the route's purse, with a row of its own.
 */
#include "router/chat/chat_shadow.h"

#include <event2/event.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "router/chat/chat_parts.h"
#include "router/gate/purse.h"
#include "router/route/promise.h"

enum {
    SHADOWS_MAX = 32, /* of a worker, at once */
    SHADOW_BODY = 256 << 10,
    ARENA_MAX = 64 << 20,
};

struct shadow {
    struct shadow *next, *prev; /* in the worker's list */
    struct arena arena;         /* (owned) all that it reads */
    struct event *turn;         /* (owned) begins it, then frees it */
    struct chat chat;
    struct span body; /* (arena) */
    bool begun;
};

/* ---- which ---- */

static void count(const struct chat *c, const char *result)
{
    struct span labels[2] = {span_of(c->ask.route->set->item.name),
                             span_of(result)};

    metrics_count(c->worker->shard, METRIC_SHADOWS, labels, 1);
}

/* The arms that may answer it; how many. */
static unsigned fit_arms(const struct chat *c, int fits[ARMS_MAX])
{
    const struct route_settings *set = c->ask.route->set;
    unsigned n = 0;

    for (unsigned i = 0; i < c->decision->n; i++) {
        if ((int)i == c->arm || !(set->shadow.mask >> i & 1) ||
            c->decision->arms[i].drop.kind != DROP_NONE)
            continue;
        fits[n++] = (int)i;
    }
    return n;
}

static bool has_money(const struct chat *c)
{
    const struct route_settings *set = c->ask.route->set;
    struct purse *p = purse_of(c->worker->router->purses, PURSE_SHADOW,
                               span_of(set->item.name));
    struct purse_state s;

    if (!p)
        return false;
    s = purse_look(p, c->time_ms);
    return s.spent + s.held < purse_limit(set->shadow.budget);
}

/* An answer that a model gave to a client. */
static bool is_fit(const struct chat *c, int status)
{
    return status == 200 && !c->purpose && !c->member && !c->cached &&
           c->arm >= 0 && c->decision && !c->decision->answer &&
           !c->ask.request.embeds && c->answer.choices > 0;
}

/* ---- its request ---- */

/* The body without what asks for a stream. */
static struct span unstreamed(struct span body, struct arena *a)
{
    struct json top = {JSON_OBJECT, false, span_trim(body)};
    struct json_iter it = json_begin(&top);
    char *out = arena_alloc(a, top.raw.len + 2), *p = out;
    struct json key, value;

    if (!out)
        return (struct span){NULL, 0};
    *p++ = '{';
    while (json_next(&it, &key, &value)) {
        if (json_is(&key, "stream") || json_is(&key, "stream_options"))
            continue;
        if (p > out + 1)
            *p++ = ',';
        p = (char *)mempcpy(p, key.raw.ptr, key.raw.len);
        *p++ = ':';
        p = (char *)mempcpy(p, value.raw.ptr, value.raw.len);
    }
    *p++ = '}';
    return (struct span){out, (size_t)(p - out)};
}

static bool copy_decision(struct chat *c, const struct chat *of)
{
    size_t n = offsetof(struct decision, arms) +
               of->decision->n * sizeof of->decision->arms[0];

    c->decision = arena_alloc(c->arena, n);
    if (!c->decision)
        return false;
    memcpy(c->decision, of->decision, n);
    c->decision->task = (struct span){NULL, 0}; /* of another's memory */
    return true;
}

/* ---- beginning and end ---- */

static void release(struct shadow *s)
{
    struct worker *w = s->chat.worker;

    if (s->prev)
        s->prev->next = s->next;
    else
        w->shadows = s->next;
    if (s->next)
        s->next->prev = s->prev;
    w->n_shadows--;
    snapshot_unref(s->chat.snapshot); /* of one that never began */
    if (s->turn)
        event_free(s->turn);
    arena_free(&s->arena);
    free(s);
}

static bool read_request(struct shadow *s)
{
    struct chat *c = &s->chat;
    struct err ignored;
    struct span body = unstreamed(s->body, c->arena);

    return body.ptr && ask_decode(&c->ask, body, c->arena, &ignored);
}

/* What keeps it from beginning; NULL: nothing. */
static const char *prepare(struct shadow *s)
{
    struct chat *c = &s->chat;
    const struct route_settings *set = c->ask.route->set;

    if (!read_request(s))
        return "unreadable";
    c->start_ns = c->sent_ns = clock_ns();
    c->time_ms = clock_utc_ms();
    request_id_make(&c->worker->ids, c->time_ms, c->id);
    chat_pays(c, PURSE_SHADOW, span_of(set->item.name), set->shadow.budget);
    return set->arms[c->arm].plan && !chat_hold_plan(c) ? "no_money" : NULL;
}

static void begin(struct shadow *s)
{
    struct chat *c = &s->chat;
    const struct settings *set = snapshot_settings(c->snapshot);
    const char *why = prepare(s);

    s->begun = true;
    if (why) {
        count(c, why);
        release(s);
        return;
    }
    c->body = worker_buf(c->worker, set->limits.answer_bytes);
    if (set->log.prompts == PROMPTS_FULL)
        c->text = worker_buf(c->worker, set->limits.answer_bytes);
    if (!chat_plan(c))
        chat_attempt(c);
}

static void on_turn(evutil_socket_t fd, short what, void *ctx)
{
    struct shadow *s = ctx;

    (void)fd;
    (void)what;
    if (s->begun)
        release(s);
    else
        begin(s);
}

void chat_shadow_over(struct chat *c, int status)
{
    struct shadow *s = c->shadow;

    count(c, c->broke ? "no_money" : status == 200 ? "answered" : "failed");
    event_active(s->turn, EV_TIMEOUT, 0);
}

static void fill(struct shadow *s, const struct chat *of, int arm)
{
    struct chat *c = &s->chat;

    c->worker = of->worker;
    c->arena = &s->arena;
    c->shadow = s;
    c->purpose = PURPOSE_SHADOW;
    c->snapshot = snapshot_ref(of->snapshot);
    c->reserved = NAN;
    c->arm = arm;
    c->facts = of->facts;
    c->ask = (struct ask){.dialect = of->ask.dialect,
                          .route = of->ask.route,
                          .key = of->ask.key, /* its regions hold here too */
                          .wish = wish_none()};
    c->ask.place.dialect = of->ask.dialect;
}

static bool copy(struct shadow *s, const struct chat *of)
{
    struct chat *c = &s->chat;

    s->body = arena_copy(&s->arena, of->ask.request.body);
    c->parent = arena_copy(&s->arena, (struct span){of->id, REQUEST_ID_LEN});
    c->ask.place.name = arena_copy(&s->arena, of->ask.place.name);
    return s->body.ptr && c->parent.ptr && copy_decision(c, of);
}

static void start(const struct chat *of, int arm)
{
    struct worker *w = of->worker;
    struct shadow *s = calloc(1, sizeof *s);

    if (!s)
        return;
    arena_init(&s->arena, ARENA_MAX);
    fill(s, of, arm);
    s->next = w->shadows;
    if (s->next)
        s->next->prev = s;
    w->shadows = s;
    w->n_shadows++;
    s->turn = event_new(w->base, -1, 0, on_turn, s);
    if (!s->turn || !copy(s, of)) {
        release(s);
        return;
    }
    event_active(s->turn, EV_TIMEOUT, 0);
}

static void try_arm(const struct chat *c, int arm)
{
    if (c->worker->n_shadows >= SHADOWS_MAX)
        count(c, "no_room");
    else if (c->ask.request.body.len > SHADOW_BODY)
        count(c, "too_large");
    else if (!has_money(c))
        count(c, "no_money");
    else
        start(c, arm);
}

/* What the route promises does not hang on the request, so the share is that of
 * all its requests of a time. */
static double share_of(const struct chat *c)
{
    const struct route *r = c->ask.route;

    if (!promise_of(r) ||
        promise_route(r, c->decision->drifted) == PROMISE_HOLDS)
        return r->set->shadow.rate;
    return r->set->shadow.unproven;
}

void chat_shadow(struct chat *c, int status)
{
    int fits[ARMS_MAX];
    unsigned n;
    uint64_t h;

    if (!c->ask.route || !is_fit(c, status))
        return;
    h = span_hash((struct span){c->id, REQUEST_ID_LEN}, 23);
    if ((double)(h >> 11) * 0x1p-53 >= share_of(c))
        return;
    n = fit_arms(c, fits);
    if (n && !c->ask.route->set->shadow.each)
        try_arm(c, fits[rng_mix(h, 1) % n]);
    for (unsigned i = 0; i < n && c->ask.route->set->shadow.each; i++)
        try_arm(c, fits[i]);
}

void chat_shadows_end(struct worker *w)
{
    while (w->shadows) {
        struct shadow *s = w->shadows;

        if (s->begun)
            chat_cancel(&s->chat, FAULT_GONE);
        release(s);
    }
}
