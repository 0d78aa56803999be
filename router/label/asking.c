/* SPDX-License-Identifier: Apache-2.0 */
#include "router/label/asking.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "router/upstream/upstream.h"

enum { REPLY_MAX = 4 << 20, CONNECT_MS = 5000, REPLY_MS = 300000, HEADERS = 5 };

struct asking {
    struct event_base *base; /* (owned) */
    struct upstream *client; /* (owned) */
    char url[512], bearer[256], budget[32];
    /* Of the call that runs. */
    struct upstream_call *call;
    struct upstream_result result;
    struct buf body; /* (owned) of the answer */
    double usd, all_usd;
};

void asking_free(struct asking *a)
{
    if (!a)
        return;
    upstream_free(a->client);
    if (a->base)
        event_base_free(a->base);
    buf_free(&a->body);
    free(a);
}

struct asking *asking_new(const struct asking_options *o, struct err *e)
{
    struct asking *a = calloc(1, sizeof *a);

    if (!a) {
        err_set(e, ERR_MEMORY, "out of memory");
        return NULL;
    }
    buf_init(&a->body, REPLY_MAX);
    snprintf(a->url, sizeof a->url, "%s/v1/chat/completions", o->url);
    snprintf(a->budget, sizeof a->budget, "%.12g", o->budget);
    if (o->key)
        snprintf(a->bearer, sizeof a->bearer, "Bearer %s", o->key);
    a->base = event_base_new();
    a->client = a->base ? upstream_new(a->base, 1, e) : NULL;
    if (a->client)
        return a;
    if (!a->base)
        err_set(e, ERR_MEMORY, "out of memory");
    asking_free(a);
    return NULL;
}

/* ---- one call ---- */

static void on_head(void *ctx, int status)
{
    struct asking *a = ctx;

    (void)status;
    if (!span_double(upstream_header(a->call, "x-weir-cost-usd"), &a->usd))
        a->usd = 0;
}

static void on_body(void *ctx, struct span bytes)
{
    struct asking *a = ctx;

    buf_span(&a->body, bytes);
}

static void on_done(void *ctx, const struct upstream_result *r)
{
    struct asking *a = ctx;

    a->result = *r;
    event_base_loopbreak(a->base);
}

/* What the answer's error says. */
static void say_error(const struct asking *a, struct span *code, struct err *e)
{
    struct json top, error, message, c;

    *code = (struct span){NULL, 0};
    err_set(e, ERR_STATE, "status %d", a->result.status);
    if (!json_parse(buf_view(&a->body), &top, NULL))
        return;
    error = json_get(&top, "error");
    message = json_get(&error, "message");
    c = json_get(&error, "code");
    if (c.type == JSON_STRING)
        *code = json_inner(&c);
    if (message.type == JSON_STRING)
        err_set(e, ERR_STATE, "%.*s", SPAN_ARGS(json_inner(&message)));
}

/* The text of the first choice. */
static bool read_said(const struct asking *a, struct buf *said)
{
    struct json top, choices, first, message, content;
    struct json_iter it;
    struct arena arena;
    struct span text;
    bool ok;

    if (!json_parse(buf_view(&a->body), &top, NULL))
        return false;
    choices = json_get(&top, "choices");
    it = json_begin(&choices);
    if (choices.type != JSON_ARRAY || !json_next(&it, NULL, &first))
        return false;
    message = json_get(&first, "message");
    content = json_get(&message, "content");
    arena_init(&arena, REPLY_MAX);
    ok = content.type == JSON_STRING && json_text(&content, &arena, &text);
    if (ok)
        buf_span(said, text);
    arena_free(&arena);
    return ok;
}

static enum asked judge_status(const struct asking *a, struct buf *said,
                               struct err *e)
{
    struct span code;
    int status = a->result.status;

    if (a->result.end != UPSTREAM_OK) {
        err_set(e, ERR_IO, "%s: %s", a->url, a->result.reason);
        return a->result.end == UPSTREAM_REFUSED ? ASKED_NEVER : ASKED_FAILED;
    }
    if (status == 200) {
        if (!read_said(a, said))
            buf_reset(said); /* nothing that parses */
        return ASKED_OK;
    }
    say_error(a, &code, e);
    if (status == 429 && span_is(code, "insufficient_quota"))
        return ASKED_BROKE;
    return status == 401 || status == 403 || status == 404 ? ASKED_NEVER
                                                           : ASKED_FAILED;
}

static size_t make_headers(const struct asking *a, struct span parent,
                           struct upstream_header h[HEADERS])
{
    size_t n = 0;

    h[n++] = (struct upstream_header){"content-type", SPAN("application/json")};
    h[n++] = (struct upstream_header){"x-weir-purpose", SPAN("judge")};
    h[n++] = (struct upstream_header){"x-weir-budget", span_of(a->budget)};
    h[n++] = (struct upstream_header){"x-weir-parent", parent};
    if (a->bearer[0])
        h[n++] = (struct upstream_header){"authorization", span_of(a->bearer)};
    return n;
}

enum asked asking_ask(struct asking *a, struct span body, struct span parent,
                      struct buf *said, struct err *e)
{
    struct upstream_header headers[HEADERS];
    struct upstream_events events = {a, on_head, on_body, on_done};
    struct upstream_request r = {.method = "POST",
                                 .url = a->url,
                                 .headers = headers,
                                 .n_headers = make_headers(a, parent, headers),
                                 .body = body,
                                 .connect_ms = CONNECT_MS,
                                 .total_ms = REPLY_MS,
                                 .max_body = REPLY_MAX};

    buf_reset(&a->body);
    buf_reset(said);
    a->usd = 0;
    a->call = upstream_start(a->client, &r, &events, e);
    if (!a->call)
        return ASKED_NEVER;
    event_base_dispatch(a->base);
    a->all_usd += a->usd;
    return judge_status(a, said, e);
}

double asking_usd(const struct asking *a)
{
    return a->all_usd;
}
