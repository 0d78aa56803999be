/* SPDX-License-Identifier: Apache-2.0 */
#include "router/codec/logprobs.h"

#include "router/codec/put.h"

#include <string.h>

enum { TOKEN_MAX = 256 }; /* bytes; a longer token has no "bytes" */

static struct json object_of(struct span raw)
{
    bool is = raw.len > 1 && raw.ptr[0] == '{';

    return (struct json){is ? JSON_OBJECT : JSON_NONE, false, raw};
}

bool logprobs_in(struct span raw)
{
    struct json v = object_of(raw);
    struct json probs = json_get(&v, "logprobs"),
                result = json_get(&v, "logprobsResult");

    return probs.type == JSON_OBJECT || probs.type == JSON_ARRAY ||
           result.type == JSON_OBJECT;
}

bool logprobs_known(const struct model *of)
{
    return !of || !of->caps_known || (of->caps & CAN_LOGPROBS);
}

/* ---- reading ---- */

bool logprobs_feed(struct feed *f, unsigned choice, const struct json *value,
                   struct arena *a)
{
    static const char head[] = "{\"logprobs\":";
    size_t n = sizeof head - 1, len = n + value->raw.len + 1;
    char *raw;

    if ((value->type != JSON_OBJECT && value->type != JSON_ARRAY) ||
        json_count(value) == 0 || !f->at[choice].open ||
        f->at[choice].part != PART_TEXT)
        return true;
    raw = arena_alloc(a, len);
    if (!raw)
        return false;
    memcpy(raw, head, n);
    memcpy(raw + n, value->raw.ptr, value->raw.len);
    raw[len - 1] = '}';
    return feed_raw(f, choice, (struct span){raw, len});
}

/* ---- as OpenAI's tokens ---- */

/* -9999 is what OpenAI writes for what is as good as impossible. */
static struct span number_or_least(const struct json *v)
{
    if (v->type == JSON_NUMBER)
        return v->raw;
    return v->type == JSON_STRING ? SPAN("-9999.0") : SPAN("0");
}

static void put_bytes(const struct json *token, struct buf *out)
{
    char room[TOKEN_MAX];
    struct span inner = json_inner(token);
    size_t n = json_unescape(inner, room, sizeof room);

    if (inner.len > sizeof room) {
        put_raw(out, "bytes", SPAN("null"));
        return;
    }
    put_list(out, "bytes");
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%u", i ? "," : "", (unsigned char)room[i]);
    buf_char(out, ']');
}

/* {"token":...,"logprob":...,"bytes":[...]; the object stays open. */
static void begin_token(const struct json *token, const struct json *prob,
                        struct buf *out)
{
    put_comma(out);
    buf_char(out, '{');
    put_raw(out, "token", token->raw);
    put_raw(out, "logprob", number_or_least(prob));
    put_bytes(token, out);
}

static void put_top(const struct json *step, struct buf *out)
{
    struct json list = json_get(step, "candidates"), one;
    struct json_iter it = json_begin(&list);

    put_list(out, "top_logprobs");
    while (list.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        struct json token = json_get(&one, "token"),
                    prob = json_get(&one, "logProbability");

        if (token.type != JSON_STRING)
            continue;
        begin_token(&token, &prob, out);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

static bool put_googles(const struct json *result, struct buf *out)
{
    struct json list = json_get(result, "chosenCandidates"),
                tops = json_get(result, "topCandidates"), one;
    struct json_iter it = json_begin(&list), top = json_begin(&tops);

    if (list.type != JSON_ARRAY || json_count(&list) == 0)
        return false;
    while (json_next(&it, NULL, &one)) {
        struct json token = json_get(&one, "token"),
                    prob = json_get(&one, "logProbability"), step = {0};

        if (tops.type == JSON_ARRAY && !json_next(&top, NULL, &step))
            step.type = JSON_NONE;
        if (token.type != JSON_STRING)
            continue;
        begin_token(&token, &prob, out);
        put_top(&step, out);
        buf_char(out, '}');
    }
    return true;
}

/* A piece is a token where it has one number. */
static bool put_coheres(const struct json *v, const struct json *probs,
                        struct buf *out)
{
    struct json text = json_get(v, "text"), prob;
    struct json_iter it = json_begin(probs);

    if (text.type != JSON_STRING || json_count(probs) != 1 ||
        !json_next(&it, NULL, &prob))
        return false;
    begin_token(&text, &prob, out);
    put_raw(out, "top_logprobs", SPAN("[]"));
    buf_char(out, '}');
    return true;
}

static bool copy_tokens(const struct json *list, struct buf *out)
{
    struct json_iter it = json_begin(list);
    struct json one;

    if (list->type != JSON_ARRAY)
        return false;
    while (json_next(&it, NULL, &one)) {
        put_comma(out);
        buf_span(out, one.raw);
    }
    return true;
}

bool logprobs_put(struct span raw, struct buf *out)
{
    struct json v = object_of(raw), probs = json_get(&v, "logprobs"),
                result = json_get(&v, "logprobsResult"), content;

    if (result.type == JSON_OBJECT)
        return put_googles(&result, out);
    if (json_get(&v, "token_ids").type == JSON_ARRAY)
        return put_coheres(&v, &probs, out);
    content = json_get(&probs, "content");
    return copy_tokens(probs.type == JSON_ARRAY ? &probs : &content, out);
}

/* What a text's raw JSON is made of. */
static struct json_iter items_of(const struct gathered_block *b)
{
    bool is = b->part == PART_TEXT && b->raw.len > 1 && b->raw.ptr[0] == '[';
    struct json list = {is ? JSON_ARRAY : JSON_NONE, false, b->raw};

    return json_begin(&list);
}

bool logprobs_put_block(const struct gathered_block *b, struct losses *l,
                        struct buf *out)
{
    struct json_iter it = items_of(b);
    struct json one;
    bool any = false;

    while (json_next(&it, NULL, &one)) {
        if (!logprobs_in(one.raw))
            continue;
        if (logprobs_put(one.raw, out))
            any = true;
        else
            lossy_add(l, LOSSY_LOGPROBS, "logprobs");
    }
    return any;
}

bool logprobs_put_choice(const struct gathered_choice *ch, struct losses *l,
                         struct buf *out)
{
    bool any = false;

    for (const struct gathered_block *b = ch->first; b; b = b->next)
        any |= logprobs_put_block(b, l, out);
    return any;
}

struct span logprobs_only(const struct gathered_choice *ch)
{
    struct span found = {NULL, 0};
    unsigned n = 0;

    for (const struct gathered_block *b = ch->first; b; b = b->next) {
        struct json one;
        struct json_iter it = items_of(b);

        while (json_next(&it, NULL, &one)) {
            if (!logprobs_in(one.raw))
                continue;
            n++;
            found = one.raw;
        }
    }
    return n == 1 ? found : SPAN("");
}

/* ---- as Gemini's object ---- */

static void put_candidate(const struct json *token, struct buf *out)
{
    struct json text = json_get(token, "token"),
                prob = json_get(token, "logprob");

    put_comma(out);
    buf_char(out, '{');
    if (text.type == JSON_STRING)
        put_raw(out, "token", text.raw);
    put_raw(out, "logProbability", number_or_least(&prob));
    buf_char(out, '}');
}

static void put_step(const struct json *token, struct buf *out)
{
    struct json tops = json_get(token, "top_logprobs"), one;
    struct json_iter it = json_begin(&tops);

    put_comma(out);
    buf_str(out, "{\"candidates\":[");
    while (tops.type == JSON_ARRAY && json_next(&it, NULL, &one))
        put_candidate(&one, out);
    buf_str(out, "]}");
}

void logprobs_put_gemini(struct span tokens, struct buf *out)
{
    struct json list = {JSON_ARRAY, false, tokens}, one;
    struct json_iter it = json_begin(&list);
    bool tops = false;

    buf_char(out, '{');
    put_list(out, "chosenCandidates");
    while (json_next(&it, NULL, &one)) {
        struct json top = json_get(&one, "top_logprobs");

        put_candidate(&one, out);
        tops |= top.type == JSON_ARRAY && json_count(&top) > 0;
    }
    buf_char(out, ']');
    if (tops)
        put_list(out, "topCandidates");
    it = json_begin(&list);
    while (tops && json_next(&it, NULL, &one))
        put_step(&one, out);
    buf_str(out, tops ? "]}" : "}");
}
