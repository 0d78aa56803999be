/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to providers and what comes back of them; what is done when one fails
 * is chat_retry.c's. */
#include <string.h>

#include "base/log.h"
#include "router/chat/chat_parts.h"

/* Headers of a provider's answer that clients act on. */
static const char *const forwarded_names[] = {
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "openai-processing-ms",
};

static const char *const anthropic_names[] = {
    "request-id",
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-tokens-limit",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-tokens-reset",
    "anthropic-ratelimit-input-tokens-limit",
    "anthropic-ratelimit-input-tokens-remaining",
    "anthropic-ratelimit-input-tokens-reset",
    "anthropic-ratelimit-output-tokens-limit",
    "anthropic-ratelimit-output-tokens-remaining",
    "anthropic-ratelimit-output-tokens-reset",
};

enum {
    NAMES = sizeof forwarded_names / sizeof *forwarded_names,
    ANTHROPIC_NAMES = sizeof anthropic_names / sizeof *anthropic_names,
};

_Static_assert(NAMES + ANTHROPIC_NAMES <= FORWARD_MAX,
               "room for each forwarded header");

static size_t keep(struct chat *c, const char *const *names, size_t n,
                   struct forwarded *to)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        struct span v = upstream_header(c->call, names[i]);

        if (v.len)
            to[kept++] = (struct forwarded){names[i], arena_copy(c->arena, v)};
    }
    return kept;
}

static void keep_headers(struct chat *c)
{
    struct forwarded all[FORWARD_MAX];
    size_t n = keep(c, forwarded_names, NAMES, all);

    if (chat_model(c)->at->ops == &dialect_anthropic &&
        c->ask.dialect == &dialect_anthropic)
        n += keep(c, anthropic_names, ANTHROPIC_NAMES, all + n);
    c->forward = arena_alloc(c->arena, n * sizeof *all);
    c->n_forward = c->forward ? (unsigned)n : 0;
    if (c->n_forward)
        memcpy(c->forward, all, n * sizeof *all);
}

static void count_call(struct chat *c, const struct chat_try *t,
                       const struct upstream_result *r)
{
    struct span labels[2] = {span_of(t->at.place->provider),
                             metrics_status_class(r->status)};

    metrics_count(c->worker->shard, METRIC_UPSTREAM_CALLS, labels, 1);
    if (!r->reused && r->connect_us)
        metrics_count(c->worker->shard, METRIC_UPSTREAM_CONNECTS, labels, 1);
    if (r->end == UPSTREAM_OK)
        return;
    labels[1] = span_of(upstream_end_name(r->end));
    metrics_count(c->worker->shard, METRIC_UPSTREAM_ERRORS, labels, 1);
}

/* ---- what comes back ---- */

static bool is_event_stream(struct chat *c, int status)
{
    struct span type = upstream_header(c->call, "content-type");

    return status == 200 && c->ask.request.params.stream &&
           (span_starts(type, "text/event-stream") ||
            (chat_model(c)->at->codec->framing == FRAMING_AWS &&
             span_starts(type, "application/vnd.amazon.eventstream")));
}

static void on_head(void *ctx, int status)
{
    struct chat_try *t = ctx;
    struct chat *c = t->chat;

    chat_try_head(t, status);
    if (c->rival && !chat_hedge_head(c, t))
        return;
    if (c->timer_for == TIMER_HEDGE)
        chat_timer(c, TIMER_NONE, 0);
    c->upstream_status = status;
    c->is_stream = is_event_stream(c, status);
    keep_headers(c);
    if (!c->is_stream)
        chat_set(c, CHAT_READING);
}

static void on_body(void *ctx, struct span bytes)
{
    struct chat_try *t = ctx;
    struct chat *c = t->chat;

    if (c->is_stream)
        chat_stream_bytes(c, bytes);
    else
        buf_span(&c->body, bytes);
}

static const struct {
    enum problem_kind kind;
    enum fault fault;
} ends[] = {
    [UPSTREAM_REFUSED] = {PROBLEM_UNREACHABLE, FAULT_CONNECT},
    [UPSTREAM_TIMEOUT] = {PROBLEM_TIMEOUT, FAULT_TIMEOUT},
    [UPSTREAM_CUT] = {PROBLEM_CUT, FAULT_CUT},
    [UPSTREAM_TOO_LARGE] = {PROBLEM_INVALID, FAULT_REQUEST},
    [UPSTREAM_TLS] = {PROBLEM_UNREACHABLE, FAULT_CONNECT},
    [UPSTREAM_OTHER] = {PROBLEM_UNREACHABLE, FAULT_CUT},
};

/* Nobody took the connection: that is told apart from a slow answer. */
static enum fault fault_of_end(const struct upstream_result *r)
{
    if (r->end == UPSTREAM_TIMEOUT && !r->connected)
        return FAULT_DEAD;
    return ends[r->end].fault;
}

static void call_failed(struct chat *c, const struct upstream_result *r)
{
    log_event(LOG_WARN, "upstream failed",
              "id=%s provider=%s arm=%s end=%s reason=\"%s\"", c->id,
              chat_model(c)->provider, c->ask.route->set->arms[c->arm].name,
              upstream_end_name(r->end), r->reason);
    chat_retry_or(c, ends[r->end].kind, r->reason);
}

static void answered(struct chat *c, const struct upstream_result *r)
{
    if (r->status >= 400)
        chat_fault(c, fault_of_answer(r->status, buf_view(&c->body)));
    if (r->status < 400 || !chat_retry(c))
        chat_answer_whole(c);
}

static void on_done(void *ctx, const struct upstream_result *r)
{
    struct chat_try *t = ctx;
    struct chat *c = t->chat;

    t->call = NULL;
    count_call(c, t, r);
    if (r->end != UPSTREAM_OK && t->fault == FAULT_NONE)
        t->fault = fault_of_end(r);
    if (c->rival && !chat_hedge_head(c, t))
        return;
    c->call = NULL;
    if (c->is_stream)
        chat_stream_ended(c, r);
    else if (r->end != UPSTREAM_OK)
        call_failed(c, r);
    else
        answered(c, r);
}

void chat_try_abandon(struct chat_try *t)
{
    struct upstream_result r = {.end = UPSTREAM_TIMEOUT};

    span_copy(r.reason, sizeof r.reason,
              SPAN("no connection: another call waited for one in vain"));
    upstream_cancel(t->call);
    on_done(t, &r);
}

bool chat_call(struct chat *c, struct chat_try *t, struct err *e)
{
    const struct limit_settings *l = chat_limits(c);
    struct upstream_header headers[SENT_HEADERS_MAX];
    struct upstream_request r = {
        .method = "POST",
        .connect_ms = (unsigned)l->connect_ms,
        .first_byte_ms = (unsigned)l->first_byte_ms,
        .stall_ms = (unsigned)l->stall_ms,
        .total_ms = (unsigned)l->total_ms,
        .max_body = c->ask.request.params.stream ? 0 : l->answer_bytes,
        .slow = c->ask.request.params.stream,
    };
    struct upstream_events events = {t, on_head, on_body, on_done};

    chat_bounds(c, &r);
    if (!chat_make_body(c, &r.body, e) || !chat_make_head(c, &r, headers, e))
        return false;
    t->call = c->call = upstream_start(c->worker->upstream, &r, &events, e);
    return t->call != NULL;
}

/* What the last attempt left behind. */
static void clear(struct chat *c)
{
    chat_relay_free(c);
    if (c->sse_ready)
        sse_free(&c->sse);
    worker_give_back(c->worker, &c->held);
    buf_reset(&c->body);
    buf_reset(&c->text);
    c->sse_ready = c->hold_over = c->estimated = false;
    c->upstream_status = 0;
    c->is_stream = false;
    c->n_forward = 0;
    c->answer = (struct answer){.text = c->text.max ? &c->text : NULL};
    c->mark = (struct span){NULL, 0};
    c->refused = 0;
    c->refusal = NULL;
    c->stop = c->ending = false;
    c->events = 0;
    c->error = NULL;
    if (c->member)
        chat_member_again(c);
}

/* The arm's providers are all left alone at present: another arm, else that
 * is the answer. */
static void nobody(struct chat *c)
{
    const struct arm *a = &c->ask.route->set->arms[c->arm];
    uint64_t ms = pick_wait(a->model, health_now());
    int arm;

    if (c->broke) {
        chat_broke(c);
        return;
    }
    c->tried |= (uint32_t)1 << c->arm;
    arm = chat_other_arm(c);
    if (arm >= 0) {
        c->arm = arm;
        chat_attempt(c);
        return;
    }
    c->ask.retry_after = (unsigned)(ms / 1000 + 1);
    if (c->now)
        c->arm = c->now->arm;
    chat_fail(c, PROBLEM_UNHEALTHY,
              "%s: its provider fails at present and is left alone", a->name);
}

/* ---- accounts that sign in ---- */

static void on_token(void *ctx, const char *why)
{
    struct chat *c = ctx;

    if (!why) {
        chat_go(c);
        return;
    }
    chat_fault(c, FAULT_AUTH);
    chat_retry_or(c, PROBLEM_UNREACHABLE, why);
}

static enum token_state sign_in(struct chat *c, struct err *e)
{
    const struct sign_in how = {c->worker->tokens, chat_model(c)->at, &c->token,
                                c->arena};

    c->token.ctx = c;
    c->token.ready = on_token;
    return head_sign_in(&how, &c->bearer, e);
}

void chat_go(struct chat *c)
{
    const struct route_settings *set = c->ask.route->set;
    struct err e = {0};
    enum token_state has = sign_in(c, &e);

    if (has == TOKEN_READY)
        has = chat_media(c, &e);
    if (has == TOKEN_WAIT)
        return;
    if (has == TOKEN_READY && chat_call(c, c->now, &e)) {
        if (!set->hedge_ms || c->attempts > 1 || c->shadow)
            return;
        health_earn(set->health, set->hedge_share);
        chat_timer(c, TIMER_HEDGE, set->hedge_ms);
        return;
    }
    chat_fault(c, c->refused            ? FAULT_UNSUPPORTED
                  : has == TOKEN_FAILED ? FAULT_AUTH
                                        : FAULT_CONNECT);
    chat_retry_or(c, c->refused ? PROBLEM_UNSUPPORTED : PROBLEM_UNREACHABLE,
                  e.msg);
}

void chat_attempt(struct chat *c)
{
    struct chat_try *t = chat_try_new(c);

    if (!t) {
        nobody(c);
        return;
    }
    clear(c);
    c->now = t;
    chat_set(c, CHAT_CALLING);
    chat_go(c);
}
