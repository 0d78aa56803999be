/* SPDX-License-Identifier: Apache-2.0 */
#include "router/chat/count.h"

#include <string.h>

#include "router/chat/ask.h"
#include "router/codec/anthropic.h"
#include "router/codec/gemini.h"

enum { COUNT_MAX = 4096 };

/* Gemini clients may wrap what they would send. */
static struct span unwrap(struct span body)
{
    struct json top, inner;

    if (!json_parse(body, &top, NULL) || top.type != JSON_OBJECT)
        return body;
    inner = json_get(&top, "generateContentRequest");
    return inner.type == JSON_OBJECT ? inner.raw : body;
}

static void answer(struct http_exchange *x, const struct dialect_ops *d,
                   int64_t tokens)
{
    struct buf out;

    buf_init(&out, COUNT_MAX);
    if (d == &dialect_gemini)
        gemini_write_count(&out, tokens);
    else
        anthropic_write_count(tokens, &out);
    http_reply(x, 200, "application/json", buf_view(&out));
    buf_free(&out);
}

void count_start(struct worker *w, struct http_exchange *x,
                 const struct place *at)
{
    struct snapshot *s = worker_snapshot(w);
    struct ask a = {.place = *at, .body = unwrap(http_request(x)->body)};

    if (ask_read(&a, w, s, x, 0))
        answer(x, a.dialect, w->judge->facts.input_tokens);
    else
        problem_reply(x, a.dialect, &a.problem);
    snapshot_unref(s);
}
