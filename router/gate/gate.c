/* SPDX-License-Identifier: Apache-2.0 */
#include "router/gate/gate.h"

#include <event2/event.h>
#include <math.h>
#include <strings.h>

#include "base/clock.h"
#include "router/chat/chat.h"
#include "router/gate/purse.h"
#include "router/gate/rate.h"
#include "router/problem.h"
#include "router/router.h"

struct gate_wait {
    struct gate_wait *prev, *next;
    struct gate *gate;
    struct http_exchange *x;
    struct place at;
    uint64_t since_ns; /* monotonic */
};

/* ---- keys ---- */

static struct span bearer(struct span value)
{
    static const size_t n = sizeof "Bearer " - 1;

    if (value.len < n || strncasecmp(value.ptr, "Bearer ", n) != 0)
        return (struct span){NULL, 0};
    return (struct span){value.ptr + n, value.len - n};
}

/* Wherever the SDKs of the dialects put it, and clients of Bifrost. */
static struct span shown_key(struct http_exchange *x)
{
    static const char *const headers[] = {"x-api-key", "x-goog-api-key",
                                          "api-key", "x-bf-vk"};
    struct span key = bearer(http_header(x, "authorization"));

    for (size_t i = 0; !key.len && i < sizeof headers / sizeof *headers; i++)
        key = http_header(x, headers[i]);
    return key.len ? key : http_query(x, "key");
}

static const struct key_settings *find_key(const struct settings *s,
                                           struct span shown)
{
    const struct key_settings *k;
    char id[KEY_ID];

    if (!key_id(shown, id))
        return NULL;
    k = settings_key_by_id(s, id);
    return k && key_matches(&k->parsed, shown) ? k : NULL;
}

static void count(struct worker *w, const char *reason)
{
    struct span label = span_of(reason);

    metrics_count(w->shard, METRIC_REFUSED, &label, 1);
}

static bool answer(struct worker *w, struct http_exchange *x,
                   const struct place *at, struct problem *p, uint64_t wait_ms)
{
    if (wait_ms)
        http_setf(x, "retry-after", "%llu",
                  (unsigned long long)((wait_ms + 999) / 1000));
    count(w, p->code);
    problem_reply(x, at->dialect ? at->dialect : &dialect_openai, p);
    return false;
}

/* No row: who has no key cannot fill the log. */
static bool no_key(struct worker *w, struct http_exchange *x,
                   const struct place *at, bool shown)
{
    struct problem p;

    problem_set(&p, PROBLEM_NO_KEY, http_arena(x),
                shown ? "wanted a key of this server, found one that is not "
                        "known here"
                      : "wanted a key of this server (authorization: Bearer "
                        "..., x-api-key or x-goog-api-key), found none");
    if (!shown)
        http_set(x, "www-authenticate", SPAN("Bearer"));
    return answer(w, x, at, &p, 0);
}

static bool too_fast(struct worker *w, struct http_exchange *x,
                     const struct place *at, const char *what, uint64_t wait_ms)
{
    struct problem p;

    problem_set(&p, PROBLEM_KEY_RATE, http_arena(x),
                "this key has used its %s a minute; come again in %llu ms",
                what, (unsigned long long)wait_ms);
    chat_refused(w, at, p.status, p.code);
    return answer(w, x, at, &p, wait_ms);
}

static bool check_rates(struct worker *w, struct http_exchange *x,
                        const struct place *at, const struct key_settings *k)
{
    uint64_t now = clock_ns(), wait;

    wait = rate_tokens_wait(at->pass->rate, k->tokens_per_minute, now);
    if (wait)
        return too_fast(w, x, at, "tokens", wait);
    wait = rate_take_request(at->pass->rate, k->requests_per_minute, now);
    return !wait || too_fast(w, x, at, "requests", wait);
}

/* False: no memory. */
static bool fill_pass(struct worker *w, struct gate_pass *pass,
                      const char *name, const struct key_settings *k)
{
    bool rated = k->requests_per_minute || k->tokens_per_minute;
    bool budgeted = !isnan(k->budget);

    pass->key = span_of(name);
    pass->tokens_per_minute = k->tokens_per_minute;
    pass->budget = purse_limit(k->budget);
    pass->labels_all = k->feedback == FEEDBACK_ANY;
    if (rated)
        pass->rate = rate_of(w->router->rates, name);
    if (budgeted)
        pass->purse = purse_of(w->router->purses, PURSE_KEY, pass->key);
    return (!rated || pass->rate) && (!budgeted || pass->purse);
}

static bool let_in(struct worker *w, struct http_exchange *x, struct place *at,
                   const struct key_settings *k)
{
    struct gate_pass *pass = arena_zalloc(http_arena(x), 1, sizeof *pass);
    const char *name = arena_strdup(http_arena(x), span_of(k->item.name));
    struct problem p;

    at->pass = pass;
    if (!pass || !name || !fill_pass(w, pass, name, k)) {
        problem_set(&p, PROBLEM_MEMORY, http_arena(x), "out of memory");
        return answer(w, x, at, &p, 0);
    }
    return !at->dialect || !pass->rate || check_rates(w, x, at, k);
}

bool gate_check(struct worker *w, struct http_exchange *x, struct place *at)
{
    struct snapshot *s = worker_snapshot(w);
    const struct settings *set = snapshot_settings(s);
    const struct key_settings *k = NULL;
    struct span shown;
    bool in = true;

    at->pass = NULL;
    if (settings_have_keys(set)) {
        shown = shown_key(x);
        k = find_key(set, shown);
        in = k ? let_in(w, x, at, k) : no_key(w, x, at, shown.len > 0);
    }
    snapshot_unref(s);
    return in;
}

/* ---- turns ---- */

static const struct limit_settings *limits(const struct gate *g)
{
    return &snapshot_settings(g->worker->snapshot)->limits;
}

static void unlink_wait(struct gate_wait *q)
{
    struct gate *g = q->gate;

    *(q->prev ? &q->prev->next : &g->first) = q->next;
    *(q->next ? &q->next->prev : &g->last) = q->prev;
    g->queued--;
}

static void on_gone(void *ctx)
{
    struct gate_wait *q = ctx;

    unlink_wait(q);
    chat_refused(q->gate->worker, &q->at, 499, "client_gone");
}

static void turn_away(struct gate *g, struct http_exchange *x,
                      const struct place *at)
{
    struct problem p;

    problem_set(&p, PROBLEM_BUSY, http_arena(x),
                "%u requests are being served and %u wait: come again soon",
                g->running, g->queued);
    chat_refused(g->worker, at, p.status, "overloaded");
    (void)answer(g->worker, x, at, &p, 1000);
}

/* Tokens of a request that is under way are guessed from its bytes, so that
 * many at once do not each find the minute unused. */
enum { BYTES_A_TOKEN = 4 };

static void start(struct gate *g, struct http_exchange *x,
                  const struct place *at)
{
    struct place mine = *at;

    g->running++;
    if (at->pass && at->pass->rate) {
        mine.reserved = http_request(x)->body.len / BYTES_A_TOKEN + 1;
        rate_use_tokens(at->pass->rate, mine.reserved,
                        at->pass->tokens_per_minute, clock_ns());
    }
    (at->begin ? at->begin : chat_start)(g->worker, x, &mine);
}

/* When the first of those that wait has waited for too long. */
static void arm_timer(struct gate *g)
{
    uint64_t now = clock_ns(), until;
    struct timeval tv;

    if (!g->first) {
        event_del(g->timer);
        return;
    }
    until = g->first->since_ns + limits(g)->queue_ms * 1000000;
    until = until > now ? until - now : 0;
    tv.tv_sec = (time_t)(until / 1000000000);
    tv.tv_usec = (suseconds_t)(until % 1000000000 / 1000) + 1;
    event_add(g->timer, &tv);
}

static void wait_turn(struct gate *g, struct http_exchange *x,
                      const struct place *at)
{
    struct gate_wait *q = arena_zalloc(http_arena(x), 1, sizeof *q);

    if (!q) {
        turn_away(g, x, at);
        return;
    }
    *q = (struct gate_wait){
        .prev = g->last, .gate = g, .x = x, .at = *at, .since_ns = clock_ns()};
    *(g->last ? &g->last->next : &g->first) = q;
    g->last = q;
    g->queued++;
    http_watch(x, (struct http_watch){.ctx = q, .on_gone = on_gone});
    if (g->first == q)
        arm_timer(g);
}

void gate_enter(struct worker *w, struct http_exchange *x,
                const struct place *at)
{
    struct gate *g = &w->gate;
    const struct limit_settings *l = limits(g);

    if (g->running < l->requests && !g->first)
        start(g, x, at);
    else if (g->queued < l->queue)
        wait_turn(g, x, at);
    else
        turn_away(g, x, at);
}

static bool is_late(const struct gate_wait *q, uint64_t now, uint64_t ms)
{
    return now - q->since_ns >= ms * 1000000;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct gate *g = ctx;
    const struct limit_settings *l = limits(g);
    uint64_t now = clock_ns();
    struct gate_wait *q;

    (void)fd;
    (void)what;
    while ((q = g->first) && is_late(q, now, l->queue_ms)) {
        unlink_wait(q);
        turn_away(g, q->x, &q->at);
    }
    while ((q = g->first) && g->running < l->requests) {
        unlink_wait(q);
        q->at.waited_ns = now - q->since_ns;
        start(g, q->x, &q->at);
    }
    arm_timer(g);
}

void gate_leave(struct worker *w, const struct place *at, uint64_t tokens)
{
    struct gate *g = &w->gate;

    g->running--;
    if (at->pass && at->pass->rate)
        rate_settle_tokens(at->pass->rate, at->reserved, tokens,
                           at->pass->tokens_per_minute, clock_ns());
    if (g->first) /* not from here: a chat is ending */
        event_active(g->timer, EV_TIMEOUT, 0);
}

bool gate_init(struct gate *g, struct worker *w, struct event_base *base,
               struct err *e)
{
    *g = (struct gate){.worker = w};
    g->timer = evtimer_new(base, on_timer, g);
    return g->timer || err_set(e, ERR_MEMORY, "worker: out of memory");
}

void gate_free(struct gate *g)
{
    if (g->timer)
        event_free(g->timer);
}
