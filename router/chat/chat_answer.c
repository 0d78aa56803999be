/* SPDX-License-Identifier: Apache-2.0 */
/* Whole answers, and the headers that say what was done. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "router/chat/chat_parts.h"
#include "router/codec/tap.h"
#include "router/digits.h"

static void set_number(struct chat *c, const char *name, double v,
                       unsigned decimals)
{
    char text[DIGITS_MAX];

    if (!isnan(v))
        http_set(c->x, name,
                 (struct span){text, digits_put(text, v, decimals)});
}

static void decision_headers(struct chat *c, bool with_cost)
{
    const struct verdict *v = &c->decision->arms[c->arm];
    const char *arm = c->ask.route->set->arms[c->arm].name;
    char text[DIGITS_MAX];

    http_set(c->x, "x-weir-arm", span_of(arm));
    if (!chat_plan_open(c))
        http_set(c->x, "x-weir-model", span_of(chat_model(c)->upstream));
    set_number(c, "x-weir-quality", (double)v->quality, 4);
    if (with_cost)
        http_set(c->x, "x-weir-cost-usd",
                 (struct span){text, digits_usd(text, c->cost_pico)});
    else
        set_number(c, "x-weir-expected-cost-usd", v->cost, 9);
}

static void warn_losses(struct chat *c)
{
    struct buf text;

    buf_init(&text, 4096);
    lossy_header(c->losses, &text);
    http_set(c->x, "x-weir-warnings", buf_view(&text));
    buf_free(&text);
}

struct span chat_promise(const struct chat *c, char dst[PROMISE_MAX],
                         enum promise_state *state)
{
    const struct decision *d = c->decision;
    enum promise_state s = PROMISE_NONE;

    if (!d || !promise_of(c->ask.route))
        return (struct span){NULL, 0};
    if (c->cached)
        snprintf(dst, PROMISE_MAX, "none: from the cache");
    else if (c->arm >= 0 && c->arm != d->chosen)
        snprintf(dst, PROMISE_MAX, "none: failover");
    else
        s = promise_text(c->ask.route, d, dst);
    if (state)
        *state = s;
    return span_of(dst);
}

/* How often another arm took over. */
static unsigned fallbacks(const struct chat *c)
{
    unsigned n = 0;

    for (unsigned i = 1; i < c->attempts; i++)
        n += c->tries[i]->arm != c->tries[i - 1]->arm;
    return n;
}

static void litellm_headers(struct chat *c, unsigned again, bool with_cost)
{
    const struct route_settings *set = c->ask.route ? c->ask.route->set : NULL;

    http_set(c->x, "x-litellm-call-id", (struct span){c->id, REQUEST_ID_LEN});
    if (set)
        http_set(c->x, "x-litellm-model-group", span_of(set->item.name));
    if (set && c->arm >= 0)
        http_set(c->x, "x-litellm-model-id", span_of(set->arms[c->arm].name));
    if (with_cost)
        set_number(c, "x-litellm-response-cost",
                   (double)c->cost_pico / PICO_PER_USD, 12);
    set_number(c, "x-litellm-attempted-retries", again, 0);
    set_number(c, "x-litellm-attempted-fallbacks", fallbacks(c), 0);
}

static void portkey_headers(struct chat *c, unsigned again)
{
    const struct span trace = c->ask.hints.trace;

    http_set(c->x, "x-portkey-trace-id",
             trace.len ? trace : (struct span){c->id, REQUEST_ID_LEN});
    set_number(c, "x-portkey-retry-attempt-count", again, 0);
    http_set(c->x, "x-portkey-cache-status",
             c->cached ? SPAN("HIT") : SPAN("MISS"));
    if (c->now)
        http_set(c->x, "x-portkey-provider", span_of(chat_model(c)->provider));
}

/* Under the names of the gateway whose headers the client sent. */
static void kindred_headers(struct chat *c, bool with_cost)
{
    unsigned again = c->attempts ? c->attempts - 1 : 0;

    if (c->ask.hints.families & HINTS_LITELLM)
        litellm_headers(c, again, with_cost);
    if (c->ask.hints.families & HINTS_PORTKEY)
        portkey_headers(c, again);
}

void chat_headers(struct chat *c, bool with_cost)
{
    struct span id = {c->id, REQUEST_ID_LEN};
    char text[PROMISE_MAX];
    struct span promise = chat_promise(c, text, NULL);

    if (c->member || c->shadow)
        return;
    http_set(c->x, "x-request-id", id);
    http_set(c->x, "x-weir-request-id", id);
    if (c->ask.judged)
        set_number(c, "x-weir-decision-us", (double)c->ask.decision_ns / 1e3,
                   1);
    if (c->arm >= 0 && c->decision)
        decision_headers(c, with_cost);
    if (promise.len)
        http_set(c->x, "x-weir-guarantee", promise);
    chat_plan_headers(c);
    if (c->decision && c->ask.route->classifier)
        http_set(c->x, "x-weir-classifier",
                 span_of(classifier_id(c->ask.route->classifier)));
    chat_tries_headers(c);
    kindred_headers(c, with_cost);
    if (c->losses && c->losses->n && c->ask.route &&
        c->ask.route->set->unsupported == UNSUPPORTED_WARN)
        warn_losses(c);
    for (unsigned i = 0; i < c->n_forward; i++)
        http_set(c->x, c->forward[i].name, c->forward[i].value);
}

void chat_reply(struct chat *c, int status, struct buf b)
{
    struct worker *w = c->worker;

    c->first_ns = clock_ns();
    chat_count_cost(c);
    chat_headers(c, status < 400);
    chat_keep(c, buf_view(&b));
    chat_keep_end(c, status == 200 ? "application/json" : NULL);
    chat_end(c, status);
    chat_out_reply(c, status, "application/json", buf_view(&b));
    worker_give_back(w, &b);
    worker_give_back(w, &c->body);
}

/* The bytes go out as they came; the row is written before them. */
static void reply(struct chat *c, int status)
{
    struct buf body = c->body;

    c->body = (struct buf){.max = 0};
    chat_reply(c, status, body);
}

static void hide_one(const char *key, char *at, size_t len)
{
    size_t n = key ? strlen(key) : 0;
    char *found = at;

    while (n >= 8 && found &&
           (found = memmem(found, len - (size_t)(found - at), key, n)))
        memset(found, '*', n);
}

static void hide(const struct chat *c, char *at, size_t len)
{
    const struct provider_settings *p = chat_model(c)->at;

    for (unsigned i = 0; i < p->n_keys; i++) {
        hide_one(p->keys[i].api_key, at, len);
        hide_one(p->keys[i].secret_key, at, len);
        hide_one(p->keys[i].session_token, at, len);
    }
}

void chat_hide_key_in(const struct chat *c, struct buf *b)
{
    if (b->ptr)
        hide(c, b->ptr, b->len);
}

void chat_hide_key(const struct chat *c, char *text)
{
    hide(c, text, strlen(text));
}

void chat_tap(struct chat *c, const struct chunk *k)
{
    tap_chunk(&c->answer, k);
    if (c->member)
        chat_member_take(c, k);
    if (k->signature.len)
        makers_note(c->worker->router->makers, k->signature,
                    chat_model(c)->model.origin);
}

static bool tap(void *ctx, const struct chunk *k)
{
    chat_tap(ctx, k);
    return true;
}

/* What the body says of itself. */
static bool look(struct chat *c, struct err *e)
{
    struct chunk_sink sink = {c, tap};
    bool ok;

    if (!c->from)
        return c->ask.dialect->read(buf_view(&c->body), &c->answer, e);
    ok = c->from->answer_read(buf_view(&c->body), c->upstream_status,
                              &c->worker->work, &sink, e);
    arena_reset(&c->worker->work);
    return ok;
}

bool chat_read_cut(struct chat *c)
{
    struct err ignored;

    return look(c, &ignored) && c->answer.has_usage;
}

static void pass_error(struct chat *c)
{
    struct problem p;
    char error[16];

    chat_hide_key_in(c, &c->body);
    if (!c->head_sent && c->ask.dialect->is_error(buf_view(&c->body))) {
        struct err ignored;

        if (!look(c, &ignored))
            c->answer.error[0] = '\0';
        c->error = c->answer.error[0] ? c->answer.error : "upstream_error";
        reply(c, c->upstream_status);
        return;
    }
    snprintf(error, sizeof error, "%d", c->upstream_status);
    problem_set(&p, PROBLEM_REFUSED, c->arena,
                "provider %s answered %s without a usable error",
                chat_model(c)->provider, error);
    if (c->upstream_status >= 400)
        p.status = c->upstream_status;
    chat_fail_with(c, &p, problem_code(PROBLEM_REFUSED));
}

/* NULL: a good answer, else what is wrong with it. */
static const char *wrong(struct chat *c, struct err *e)
{
    const char *why = NULL;
    enum fault f = FAULT_INVALID;

    if (!look(c, e)) {
        why = e->msg;
    } else if (c->answer.is_error) {
        f = fault_of_answer(200, buf_view(&c->body));
        why = "an error with status 200";
    } else if (c->ask.request.params.stream) {
        why = "a whole answer to a stream's request";
    }
    if (why)
        chat_fault(c, f == FAULT_NONE ? FAULT_SERVER : f);
    return why;
}

void chat_answer_whole(struct chat *c)
{
    const char *why;
    struct err e = {0};

    if (c->body.failed) {
        chat_fail(c, PROBLEM_INVALID, "provider %s: the answer is too large",
                  chat_model(c)->provider);
        return;
    }
    if (c->to) {
        chat_relay_whole(c);
        return;
    }
    if (c->upstream_status < 200 || c->upstream_status > 299) {
        pass_error(c);
        return;
    }
    why = wrong(c, &e);
    if (why) {
        chat_hide_key_in(c, &c->body);
        chat_retry_or(c, PROBLEM_INVALID, why);
        return;
    }
    chat_check_body(c);
    reply(c, c->upstream_status);
}
