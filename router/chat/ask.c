/* SPDX-License-Identifier: Apache-2.0 */
#include "router/chat/ask.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "router/chat/ask_plain.h"
#include "router/gate/gate.h"
#include "router/gate/purse.h"
#include "router/health/pick.h"
#include "router/news.h"
#include "router/route/region.h"

static bool fail(struct ask *a, enum problem_kind kind)
{
    a->error = problem_code(kind);
    return false;
}

static struct span exchange_header(const void *ctx, const char *lower_name)
{
    const struct http_exchange *x = ctx;

    return http_header(x, lower_name);
}

/* "messages[3].role: wanted ..." names the parameter before the colon. */
static const char *param_of(const char *message, struct arena *arena)
{
    size_t n = strcspn(message, ": ");

    if (message[n] != ':' || n == 0 || span_starts(span_of(message), "JSON"))
        return NULL;
    return arena_strdup(arena, (struct span){message, n});
}

static bool bad_request(struct ask *a, struct arena *arena, const struct err *e)
{
    if (e->kind == ERR_MEMORY) {
        problem_set(&a->problem, PROBLEM_MEMORY, arena, "%s", e->msg);
        return fail(a, PROBLEM_MEMORY);
    }
    problem_set(&a->problem, PROBLEM_BAD_REQUEST, arena, "%s", e->msg);
    a->problem.param = param_of(e->msg, arena);
    return fail(a, PROBLEM_BAD_REQUEST);
}

static bool no_model(struct ask *a, const struct snapshot *s,
                     struct arena *arena)
{
    struct span asked = a->request.model;
    struct buf names;

    buf_init(&names, 600);
    for (size_t i = 0; i < snapshot_routes(s) && names.len < 400; i++)
        buf_printf(&names, "%s%s", i ? ", " : "",
                   snapshot_route_at(s, i)->set->item.name);
    problem_set(&a->problem, PROBLEM_NO_MODEL, arena,
                "no route or model is called \"%.*s\"; there are: %s",
                (int)(asked.len < 200 ? asked.len : 200), asked.ptr,
                buf_cstr(&names));
    a->problem.param = "model";
    buf_free(&names);
    return fail(a, PROBLEM_NO_MODEL);
}

/* Where the path names the model (Azure's do) the body may leave it out. */
static bool put_model(struct span *body, struct span name, struct arena *arena,
                      struct err *e)
{
    struct json top;
    struct buf b;

    if (!name.len || !json_parse(*body, &top, NULL) ||
        top.type != JSON_OBJECT || json_get(&top, "model").type != JSON_NONE)
        return true; /* what is wrong with it is said by its reader */
    buf_init(&b, top.raw.len + 6 * name.len + 64);
    buf_str(&b, "{\"model\":");
    buf_json_str(&b, name);
    buf_str(&b, json_count(&top) ? "," : "");
    buf_span(&b, (struct span){top.raw.ptr + 1, top.raw.len - 1});
    *body = b.failed ? (struct span){NULL, 0} : arena_copy(arena, buf_view(&b));
    buf_free(&b);
    return body->ptr || err_set(e, ERR_MEMORY, "out of memory");
}

bool ask_decode(struct ask *a, struct span body, struct arena *arena,
                struct err *e)
{
    const struct dialect_ops *d = a->dialect;
    const struct codec *c;
    struct span name = a->place.name;

    if (d->decode)
        return put_model(&body, name, arena, e) &&
               d->decode(body, arena, &a->request, e);
    c = codec_find(d->codec);
    if (!c)
        return err_set(e, ERR_INPUT, "this version does not serve %s", d->name);
    return c->request_read(&(struct inbound){body, name, a->place.stream},
                           arena, &a->request, e);
}

/* Bodies are taken as they are. */
static bool is_plain(struct ask *a, struct http_exchange *x)
{
    struct span coding = http_header(x, "content-encoding");

    if (!coding.len || span_is_nocase(coding, "identity"))
        return true;
    problem_set(&a->problem, PROBLEM_ENCODING, http_arena(x),
                "content-encoding: wanted a body that is not compressed, found "
                "%.*s",
                (int)(coding.len < 40 ? coding.len : 40), coding.ptr);
    return fail(a, PROBLEM_ENCODING);
}

static bool read_body(struct ask *a, struct http_exchange *x)
{
    struct span body = a->body.len ? a->body : http_request(x)->body;
    struct arena *arena = http_arena(x);
    struct err e = {0};

    if (!is_plain(a, x))
        return false;
    if (body.len == 0) {
        err_set(&e, ERR_INPUT, "wanted a JSON body, found none");
        return bad_request(a, arena, &e);
    }
    if (!ask_decode(a, body, arena, &e)) {
        a->request.body = (struct span){NULL, 0};
        return bad_request(a, arena, &e);
    }
    if (!wish_read(&a->wish, exchange_header, x, &e) ||
        !hints_read(http_request(x), a->request.params.stream, &a->hints, &e))
        return bad_request(a, arena, &e);
    a->request.task = a->wish.task;
    if (a->place.pass)
        a->request.key_name = a->place.pass->key;
    return true;
}

static bool key_may(const struct key_settings *k, const char *route)
{
    for (unsigned i = 0; i < k->routes.n; i++) {
        if (!strcmp(k->routes.at[i], route))
            return true;
    }
    return k->routes.n == 0;
}

/* A reload may have taken the key, or its routes, away. */
static bool check_key(struct ask *a, const struct snapshot *s,
                      struct arena *arena)
{
    const struct settings *set = snapshot_settings(s);
    const char *route = a->route->set->item.name;
    const struct key_settings *k;

    if (!a->place.pass)
        return true;
    k = settings_key(set, a->place.pass->key);
    a->key = k;
    if (k && key_may(k, route))
        return true;
    problem_set(&a->problem, PROBLEM_KEY_ROUTE, arena,
                "this key may not ask for %s", route);
    a->problem.param = "model";
    return fail(a, PROBLEM_KEY_ROUTE);
}

/* What the route's budget allows now; b NULL: it has none. */
static void ask_budget(struct brief *brief, const struct budget *b,
                       const struct route *r)
{
    if (!b)
        return;
    brief->price = budget_price(b);
    brief->bounded = true;
    brief->room = budget_room(b, r->set->budget);
}

/* ---- what exploring may cost ---- */

struct exploring {
    struct purse *purse; /* (borrowed: router) */
    int64_t limit, now_ms;
    struct hold hold;
};

static bool afford(void *ctx, double usd)
{
    struct exploring *x = ctx;

    return purse_take(x->purse, (int64_t)ceil(usd * PICO_PER_USD), x->limit,
                      x->now_ms, &x->hold);
}

/* A route with such a budget asks its purse. */
static void ask_explore(struct exploring *x, const struct worker *w,
                        const struct route *r, struct brief *brief)
{
    double usd = r->set->explore_budget;

    *x = (struct exploring){.limit = purse_limit(usd), .now_ms = brief->now_ms};
    if (isnan(usd) || r->set->explore <= 0)
        return;
    x->purse =
        purse_of(w->router->purses, PURSE_EXPLORE, span_of(r->set->item.name));
    if (!x->purse)
        return;
    brief->afford = afford;
    brief->afford_ctx = x;
}

/* The judge's decision; what was explored for is spent. */
static void decide_now(struct ask *a, struct worker *w,
                       const struct snapshot *s, struct brief *brief)
{
    struct exploring x;
    uint64_t from;

    ask_explore(&x, w, a->route, brief);
    from = clock_ns();
    judge_decide(w->judge, s, a->route, &a->request, brief);
    a->decision_ns = clock_ns() - from;
    if (w->judge->decision.explored_usd <= 0 || !a->spends)
        purse_settle(&x.hold, 0);
    else
        purse_settle(&x.hold, x.hold.pico);
}

/* Vectors are not what promises are about. */
static void note_mix(const struct ask *a, const struct worker *w,
                     struct drift *drift)
{
    if (drift && !a->request.embeds &&
        drift_note(drift, &w->judge->prediction,
                   (double)w->judge->facts.input_tokens))
        news_say_drift(a->route->set->item.name, drift);
}

/* The same request as if it had not asked for log-probabilities. */
static bool make_plain(struct ask *a, struct arena *arena)
{
    struct span task = a->request.task, key = a->request.key_name;
    struct span body = ask_plain_body(a->request.body, arena);
    struct err e = {0};

    if (!body.ptr)
        err_set(&e, ERR_MEMORY, "out of memory");
    if (!body.ptr || !ask_decode(a, body, arena, &e)) {
        a->request.body = (struct span){NULL, 0};
        return bad_request(a, arena, &e);
    }
    a->request.task = task;
    a->request.key_name = key;
    a->plain = true;
    return true;
}

static bool decide_or_plain(struct ask *a, struct worker *w,
                            const struct snapshot *s, struct brief *brief,
                            struct arena *arena)
{
    decide_now(a, w, s, brief);
    if (!ask_may_be_plain(w->judge->route, &w->judge->decision))
        return true;
    if (!make_plain(a, arena))
        return false;
    decide_now(a, w, s, brief);
    return true;
}

bool ask_read(struct ask *a, struct worker *w, const struct snapshot *s,
              struct http_exchange *x, uint64_t seed)
{
    struct brief brief = {
        .seed = seed, .header = exchange_header, .header_ctx = x};
    struct drift *drift;

    *a = (struct ask){.place = a->place,
                      .body = a->body,
                      .spends = a->spends,
                      .dialect =
                          a->place.dialect ? a->place.dialect : &dialect_openai,
                      .wish = wish_none()};
    if (!read_body(a, x))
        return false;
    a->route = snapshot_route(s, a->request.model);
    if (!a->route)
        return no_model(a, s, http_arena(x));
    if (!check_key(a, s, http_arena(x)))
        return false;
    brief.wish = a->wish;
    brief.sessions = w->router->sessions;
    brief.now_ms = clock_utc_ms();
    pick_masks(a->route->set, health_now(), &brief.down, &brief.resting);
    brief.abroad = region_mask(a->route->set, a->key);
    drift = snapshot_drift(s, a->route);
    brief.drifted = drift_alarm(drift);
    ask_budget(&brief, snapshot_budget(s, a->route), a->route);
    if (!decide_or_plain(a, w, s, &brief, http_arena(x)))
        return false;
    if (a->route != w->judge->route) {
        a->route = w->judge->route;
        drift = snapshot_drift(s, a->route);
    }
    note_mix(a, w, drift);
    a->session = w->judge->session;
    a->last = w->judge->last;
    a->stay = w->judge->stay;
    a->judged = true;
    return true;
}

/* Every arm's reason, "nano: cannot see images; ..." */
static void all_drops(const struct route *r, const struct decision *d,
                      struct buf *out)
{
    char why[160];

    for (unsigned i = 0; i < d->n && out->len < 600; i++) {
        drop_text(&d->arms[i].drop, why, sizeof why);
        buf_printf(out, "%s%s: %s", i ? "; " : "", r->set->arms[i].name, why);
    }
}

static bool all_too_small(const struct decision *d)
{
    bool context = false;

    for (unsigned i = 0; i < d->n; i++) {
        if (d->arms[i].drop.kind == DROP_CONTEXT)
            context = true;
        else if (d->arms[i].drop.kind != DROP_NOT_ASKED)
            return false;
    }
    return context;
}

/* Until the first of the arms that are only unhealthy may be called; 0: none
 * is dropped for that. */
static unsigned healthy_in(const struct route *r, const struct decision *d)
{
    uint64_t least = UINT64_MAX, now = health_now();

    for (unsigned i = 0; i < d->n; i++) {
        uint64_t ms = pick_wait(r->set->arms[i].model, now);

        if (d->arms[i].drop.kind == DROP_UNHEALTHY && ms < least)
            least = ms;
    }
    return least == UINT64_MAX ? 0 : (unsigned)(least / 1000 + 1);
}

bool ask_has_arm(struct ask *a, const struct decision *d, struct arena *arena)
{
    enum problem_kind kind =
        all_too_small(d) ? PROBLEM_CONTEXT : PROBLEM_NO_ARM;
    struct buf why;

    if (d->chosen >= 0)
        return true;
    a->retry_after = healthy_in(a->route, d);
    if (a->retry_after)
        kind = PROBLEM_UNHEALTHY;
    buf_init(&why, 1000);
    all_drops(a->route, d, &why);
    problem_set(&a->problem, kind, arena, "no arm of %s can serve this: %s",
                a->route->set->item.name, buf_cstr(&why));
    buf_free(&why);
    return fail(a, kind);
}
