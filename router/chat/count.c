/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asked of the provider of the arm that the conversation would get, where it
 * counts; whatever goes wrong, the own estimate is the answer: clients give
 * up on a count that fails.  The header x-weir-count says which it is.
 */
#include "router/chat/count.h"

#include <string.h>

#include "base/log.h"
#include "router/chat/ask.h"
#include "router/chat/head.h"
#include "router/codec/anthropic.h"
#include "router/codec/gemini.h"
#include "router/route/region.h"

/* Whoever counts waits for nothing else; its own estimate is there. */
enum { COUNT_MAX = 64 << 10, TOTAL_MS = 10000 };

struct count {
    struct worker *w;        /* (borrowed) */
    struct http_exchange *x; /* (borrowed) */
    struct snapshot *s;      /* (owned reference) until the answer */
    struct ask ask;
    const struct model_settings *m; /* that is asked */
    int64_t estimate;
    struct upstream_call *call; /* running, or NULL */
    struct token_waiter token;
    struct buf got; /* (owned) */
};

/* Gemini clients may wrap what they would send. */
static struct span unwrap(struct span body)
{
    struct json top, inner;

    if (!json_parse(body, &top, NULL) || top.type != JSON_OBJECT)
        return body;
    inner = json_get(&top, "generateContentRequest");
    return inner.type == JSON_OBJECT ? inner.raw : body;
}

static void release(struct count *c)
{
    upstream_cancel(c->call);
    c->call = NULL;
    tokens_forget(&c->token);
    snapshot_unref(c->s);
    c->s = NULL;
    buf_free(&c->got);
}

static void answer(struct count *c, int64_t tokens, const char *by)
{
    struct http_exchange *x = c->x;
    const struct dialect_ops *d = c->ask.dialect;
    struct buf out;

    http_set(x, "x-weir-count", span_of(by));
    if (c->m)
        http_set(x, "x-weir-model", span_of(c->m->upstream));
    release(c);
    buf_init(&out, COUNT_MAX);
    if (d == &dialect_gemini)
        gemini_write_count(&out, tokens);
    else
        anthropic_write_count(tokens, &out);
    http_reply(x, 200, "application/json", buf_view(&out));
    buf_free(&out);
}

static void estimate(struct count *c, const char *why)
{
    if (why)
        log_event(LOG_INFO, "count estimated", "provider=%s reason=\"%s\"",
                  c->m->provider, why);
    answer(c, c->estimate, "estimate");
}

/* ---- the provider ---- */

static void on_gone(void *ctx)
{
    release(ctx);
}

static void on_head(void *ctx, int status)
{
    (void)ctx;
    (void)status;
}

static void on_body(void *ctx, struct span bytes)
{
    struct count *c = ctx;

    buf_span(&c->got, bytes);
}

static void on_done(void *ctx, const struct upstream_result *r)
{
    struct count *c = ctx;
    struct err e = {0};
    int64_t tokens;

    c->call = NULL;
    if (r->end != UPSTREAM_OK)
        estimate(c, r->reason);
    else if (r->status != 200)
        estimate(c, "it refused to count");
    else if (!c->m->at->form->count_read(buf_view(&c->got), &tokens, &e))
        estimate(c, e.msg);
    else
        answer(c, tokens, "provider");
}

static bool make_body(struct count *c, struct span *body, struct err *e)
{
    const struct provider_settings *p = c->m->at;
    bool same = c->ask.dialect == p->ops;
    const struct target t = {.model = span_of(c->m->upstream),
                             .of = &c->m->model,
                             .quirks = p->quirks,
                             .same_dialect = same,
                             .same_model = same};
    const struct limit_settings *l = &snapshot_settings(c->s)->limits;
    struct buf out = worker_buf(c->w, 2 * l->body_bytes + (1 << 20));
    struct losses ignored = {0};
    bool ok;

    ok = p->form->count_write(&c->ask.request, &t, &ignored, &out, e);
    if (ok)
        *body = arena_copy(http_arena(c->x), buf_view(&out));
    ok = ok && !out.failed &&
         (body->ptr || err_set(e, ERR_MEMORY, "out of memory"));
    worker_give_back(c->w, &out);
    return ok;
}

static bool start(struct count *c, struct span bearer, struct err *e)
{
    const struct limit_settings *l = &snapshot_settings(c->s)->limits;
    struct upstream_header headers[SENT_HEADERS_MAX];
    const struct head head = {.at = c->m->at,
                              .key = &c->m->at->keys[0],
                              .x = c->x,
                              .client = c->ask.dialect,
                              .bearer = bearer,
                              .arena = http_arena(c->x)};
    struct upstream_request r = {.method = "POST",
                                 .url = c->m->count_url,
                                 .connect_ms = (unsigned)l->connect_ms,
                                 .total_ms = TOTAL_MS,
                                 .max_body = COUNT_MAX};
    struct upstream_events events = {c, on_head, on_body, on_done};

    if (!make_body(c, &r.body, e) || !head_make(&head, &r, headers, e))
        return false;
    c->call = upstream_start(c->w->upstream, &r, &events, e);
    return c->call != NULL;
}

static void ask_provider(struct count *c);

static void on_token(void *ctx, const char *why)
{
    struct count *c = ctx;

    if (why)
        estimate(c, why);
    else
        ask_provider(c);
}

static void ask_provider(struct count *c)
{
    const struct sign_in how = {c->w->tokens, c->m->at, &c->token,
                                http_arena(c->x)};
    struct err e = {0};
    struct span bearer;
    enum token_state has;

    c->token.ctx = c;
    c->token.ready = on_token;
    has = head_sign_in(&how, &bearer, &e);
    if (has == TOKEN_WAIT || (has == TOKEN_READY && start(c, bearer, &e)))
        return;
    estimate(c, e.msg);
}

void count_start(struct worker *w, struct http_exchange *x,
                 const struct place *at)
{
    struct count *c = arena_zalloc(http_arena(x), 1, sizeof *c);
    struct problem p;
    int arm;

    if (!c) {
        problem_set(&p, PROBLEM_MEMORY, http_arena(x), "out of memory");
        problem_reply(x, at->dialect, &p);
        return;
    }
    c->w = w;
    c->x = x;
    c->s = worker_snapshot(w);
    c->ask = (struct ask){.place = *at, .body = unwrap(http_request(x)->body)};
    buf_init(&c->got, COUNT_MAX);
    if (!ask_read(&c->ask, w, c->s, x, 0)) {
        release(c);
        problem_reply(x, c->ask.dialect, &c->ask.problem);
        return;
    }
    c->estimate = w->judge->facts.input_tokens;
    arm = w->judge->decision.chosen;
    c->m = arm >= 0 ? c->ask.route->set->arms[arm].model : NULL;
    http_watch(x, (struct http_watch){.ctx = c, .on_gone = on_gone});
    if (c->m && c->m->count_url &&
        region_allows(c->ask.route->set, c->ask.key, c->m))
        ask_provider(c);
    else
        estimate(c, NULL);
}
