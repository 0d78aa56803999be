/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to providers: one at a time, the next allowed arm when one fails
 * before its answer began. */
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

static void count_call(struct chat *c, const struct upstream_result *r)
{
    struct span labels[2] = {span_of(chat_model(c)->provider),
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
    struct chat *c = ctx;

    c->upstream_status = status;
    c->is_stream = is_event_stream(c, status);
    keep_headers(c);
    if (!c->is_stream)
        chat_set(c, CHAT_READING);
}

static void on_body(void *ctx, struct span bytes)
{
    struct chat *c = ctx;

    if (c->is_stream)
        chat_stream_bytes(c, bytes);
    else
        buf_span(&c->body, bytes);
}

static const struct {
    enum problem_kind kind;
    bool before_answer; /* happens only where no answer has begun */
} ends[] = {
    [UPSTREAM_REFUSED] = {PROBLEM_UNREACHABLE, true},
    [UPSTREAM_TIMEOUT] = {PROBLEM_TIMEOUT, false},
    [UPSTREAM_CUT] = {PROBLEM_CUT, false},
    [UPSTREAM_TOO_LARGE] = {PROBLEM_INVALID, false},
    [UPSTREAM_TLS] = {PROBLEM_UNREACHABLE, true},
    [UPSTREAM_OTHER] = {PROBLEM_UNREACHABLE, false},
};

static void call_failed(struct chat *c, const struct upstream_result *r)
{
    bool begun = c->body.len > 0 || r->end == UPSTREAM_TOO_LARGE;

    log_event(LOG_WARN, "upstream failed",
              "id=%s provider=%s arm=%s end=%s reason=\"%s\"", c->id,
              chat_model(c)->provider, c->ask.route->set->arms[c->arm].name,
              upstream_end_name(r->end), r->reason);
    if (begun && !ends[r->end].before_answer)
        chat_fail(c, ends[r->end].kind, "provider %s: %s",
                  chat_model(c)->provider, r->reason);
    else
        chat_retry(c, ends[r->end].kind, r->reason);
}

static bool is_transient(int status)
{
    return status == 408 || status == 429 || status >= 500;
}

static void on_done(void *ctx, const struct upstream_result *r)
{
    struct chat *c = ctx;

    c->call = NULL;
    count_call(c, r);
    if (c->is_stream)
        chat_stream_ended(c, r);
    else if (r->end != UPSTREAM_OK)
        call_failed(c, r);
    else if (is_transient(r->status) && chat_may_retry(c))
        chat_retry(c, PROBLEM_REFUSED, "a transient error");
    else
        chat_answer_whole(c);
}

static bool start_call(struct chat *c, struct err *e)
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
    struct upstream_events events = {c, on_head, on_body, on_done};

    if (!chat_make_body(c, &r.body, e) || !chat_make_head(c, &r, headers, e))
        return false;
    c->call = upstream_start(c->worker->upstream, &r, &events, e);
    return c->call != NULL;
}

/* ---- accounts that sign in ---- */

static void call(struct chat *c);

static void on_token(void *ctx, const char *why)
{
    struct chat *c = ctx;

    if (why)
        chat_retry(c, PROBLEM_UNREACHABLE, why);
    else
        call(c);
}

static enum token_state sign_in(struct chat *c, struct err *e)
{
    const struct sign_in how = {c->worker->tokens, chat_model(c)->at, &c->token,
                                c->arena};

    c->token.ctx = c;
    c->token.ready = on_token;
    return head_sign_in(&how, &c->bearer, e);
}

static void call(struct chat *c)
{
    struct err e = {0};
    enum token_state has = sign_in(c, &e);

    if (has == TOKEN_WAIT || (has == TOKEN_READY && start_call(c, &e)))
        return;
    if (c->refused)
        chat_retry(c, PROBLEM_UNSUPPORTED, e.msg);
    else if (has == TOKEN_FAILED)
        chat_retry(c, PROBLEM_UNREACHABLE, e.msg);
    else
        chat_fail(c, PROBLEM_UNREACHABLE, "provider %s: %s",
                  chat_model(c)->provider, e.msg);
}

void chat_attempt(struct chat *c)
{
    chat_set(c, CHAT_CALLING);
    c->tried |= (uint32_t)1 << c->arm;
    c->attempts++;
    c->upstream_status = 0;
    c->is_stream = false;
    c->n_forward = 0;
    buf_reset(&c->body);
    buf_reset(&c->text);
    c->answer = (struct answer){.text = c->text.max ? &c->text : NULL};
    c->refused = 0;
    c->stop = c->ending = false;
    c->events = 0;
    c->error = NULL;
    call(c);
}

bool chat_may_retry(const struct chat *c)
{
    return c->attempts < c->ask.route->set->attempts &&
           decide_next(c->ask.route, c->decision, c->tried) >= 0;
}

void chat_retry(struct chat *c, enum problem_kind kind, const char *why)
{
    if (!chat_may_retry(c)) {
        chat_fail(c, kind, "provider %s: %s", chat_model(c)->provider, why);
        return;
    }
    c->arm = decide_next(c->ask.route, c->decision, c->tried);
    chat_attempt(c);
}
