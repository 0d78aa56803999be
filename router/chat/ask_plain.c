/* SPDX-License-Identifier: Apache-2.0 */
#include "router/chat/ask_plain.h"

#include "base/json.h"

bool ask_may_be_plain(const struct route *r, const struct decision *d)
{
    if (d->chosen >= 0 || r->set->unsupported == UNSUPPORTED_REJECT)
        return false;
    for (unsigned i = 0; i < d->n; i++) {
        if (d->arms[i].drop.kind == DROP_LOGPROBS)
            return true;
    }
    return false;
}

/* Chat, completions and Responses have them on top, Gemini in its
 * generationConfig. */
static bool asks_for_them(const struct json *key, bool in_config)
{
    return json_is(key, "logprobs") ||
           (in_config ? json_is(key, "responseLogprobs") ||
                            json_is(key, "response_logprobs")
                      : json_is(key, "top_logprobs"));
}

static bool is_config(const struct json *key, const struct json *v)
{
    return v->type == JSON_OBJECT && (json_is(key, "generationConfig") ||
                                      json_is(key, "generation_config"));
}

/* Responses' list of what an answer is to hold besides. */
static void put_include(const struct json *list, struct buf *out)
{
    struct json_iter it = json_begin(list);
    const char *comma = "";
    struct json one;

    buf_char(out, '[');
    while (json_next(&it, NULL, &one)) {
        if (json_is(&one, "message.output_text.logprobs"))
            continue;
        buf_str(out, comma);
        buf_span(out, one.raw);
        comma = ",";
    }
    buf_char(out, ']');
}

static void put_object(const struct json *of, bool in_config, struct buf *out)
{
    struct json_iter it = json_begin(of);
    const char *comma = "";
    struct json key, v;

    buf_char(out, '{');
    while (json_next(&it, &key, &v)) {
        if (asks_for_them(&key, in_config))
            continue;
        buf_str(out, comma);
        buf_span(out, key.raw);
        buf_char(out, ':');
        if (!in_config && is_config(&key, &v))
            put_object(&v, true, out);
        else if (!in_config && v.type == JSON_ARRAY && json_is(&key, "include"))
            put_include(&v, out);
        else
            buf_span(out, v.raw);
        comma = ",";
    }
    buf_char(out, '}');
}

struct span ask_plain_body(struct span body, struct arena *a)
{
    struct json top = {JSON_OBJECT, false, span_trim(body)};
    struct span made = {NULL, 0};
    struct buf out;

    buf_init(&out, body.len + 64);
    put_object(&top, false, &out);
    if (!out.failed)
        made = arena_copy(a, buf_view(&out));
    buf_free(&out);
    return made;
}
