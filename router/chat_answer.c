/* SPDX-License-Identifier: Apache-2.0 */
/* Whole answers, and the headers that say what was done. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "router/chat_parts.h"
#include "router/digits.h"

static void set_number(struct http_exchange *x, const char *name, double v,
                       unsigned decimals)
{
    char text[DIGITS_MAX];

    if (!isnan(v))
        http_set(x, name, (struct span){text, digits_put(text, v, decimals)});
}

static void decision_headers(struct chat *c, bool with_cost)
{
    const struct verdict *v = &c->decision->arms[c->arm];
    const char *arm = c->ask.route->set->arms[c->arm].name;
    char text[DIGITS_MAX];

    http_set(c->x, "x-weir-arm", span_of(arm));
    http_set(c->x, "x-weir-model", span_of(chat_model(c)->upstream));
    set_number(c->x, "x-weir-quality", (double)v->quality, 4);
    if (with_cost)
        http_set(c->x, "x-weir-cost-usd",
                 (struct span){text, digits_usd(text, c->cost_pico)});
    else
        set_number(c->x, "x-weir-expected-cost-usd", v->cost, 9);
}

void chat_headers(struct chat *c, bool with_cost)
{
    struct span id = {c->id, REQUEST_ID_LEN};

    http_set(c->x, "x-request-id", id);
    http_set(c->x, "x-weir-request-id", id);
    if (c->ask.judged)
        set_number(c->x, "x-weir-decision-us", (double)c->ask.decision_ns / 1e3,
                   1);
    if (c->arm >= 0 && c->decision)
        decision_headers(c, with_cost);
    for (unsigned i = 0; i < c->n_forward; i++)
        http_set(c->x, c->forward[i].name, c->forward[i].value);
}

/* The bytes go out as they came; the row is written before them. */
static void reply(struct chat *c, int status)
{
    struct http_exchange *x = c->x;
    struct worker *w = c->worker;
    struct buf body = c->body;

    c->first_ns = clock_ns();
    c->body = (struct buf){.max = 0};
    chat_count_cost(c);
    chat_headers(c, status < 400);
    chat_end(c, status);
    http_reply(x, status, "application/json", buf_view(&body));
    worker_give_back(w, &body);
}

/* A provider must not hand its key back to the client in an error. */
static void hide_key(struct chat *c)
{
    const char *key = chat_model(c)->at->api_key;
    size_t n = key ? strlen(key) : 0;
    char *at = c->body.ptr;

    while (n >= 8 && at &&
           (at = memmem(at, c->body.len - (size_t)(at - c->body.ptr), key, n)))
        memset(at, '*', n);
}

static void pass_error(struct chat *c)
{
    struct problem p;
    char error[16];

    hide_key(c);
    if (c->ask.dialect->is_error(buf_view(&c->body))) {
        struct err ignored;

        if (!c->ask.dialect->read(buf_view(&c->body), &c->answer, &ignored))
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

void chat_answer_whole(struct chat *c)
{
    struct err e = {0};

    if (c->body.failed) {
        chat_fail(c, PROBLEM_INVALID, "provider %s: the answer is too large",
                  chat_model(c)->provider);
        return;
    }
    if (c->upstream_status < 200 || c->upstream_status > 299) {
        pass_error(c);
        return;
    }
    if (!c->ask.dialect->read(buf_view(&c->body), &c->answer, &e)) {
        chat_fail(c, PROBLEM_INVALID, "provider %s: not a chat completion: %s",
                  chat_model(c)->provider, e.msg);
        return;
    }
    if (c->answer.is_error || c->ask.request.params.stream) {
        hide_key(c);
        chat_fail(c, PROBLEM_INVALID, "provider %s: %s",
                  chat_model(c)->provider,
                  c->answer.is_error ? "an error with status 200"
                                     : "a whole answer to a stream's request");
        return;
    }
    reply(c, c->upstream_status);
}
