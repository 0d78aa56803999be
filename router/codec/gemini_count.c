/* SPDX-License-Identifier: Apache-2.0 */
/* countTokens: a conversation as the Gemini API and as Vertex AI want it
 * counted (ai.google.dev/api/tokens; cloud.google.com/vertex-ai, reference
 * of countTokens), and what they answer. */
#include "router/codec/gemini.h"

#include "router/codec/put.h"

/* What both can count; Vertex has no place for anything else. */
static const char *const counted[] = {"contents", "systemInstruction", "tools",
                                      "generationConfig", NULL};

static bool is_counted(const struct json *key)
{
    for (const char *const *name = counted; *name; name++) {
        if (gemini_is(key, *name))
            return true;
    }
    return false;
}

static bool write_members(const struct request *r, const struct target *t,
                          struct losses *l, struct buf *out, struct err *e)
{
    struct json top, key, v;
    struct json_iter it;
    struct buf body;
    bool ok;

    buf_init(&body, out->max);
    ok = gemini_request_write(r, t, l, &body, e) &&
         json_parse(buf_view(&body), &top, e);
    it = ok ? json_begin(&top) : (struct json_iter){0};
    while (ok && json_next(&it, &key, &v)) {
        if (!is_counted(&key))
            continue;
        put_comma(out);
        buf_span(out, key.raw);
        buf_char(out, ':');
        buf_span(out, v.raw);
    }
    buf_free(&body);
    return ok;
}

bool gemini_count_write(const struct request *r, const struct target *t,
                        struct losses *l, struct buf *out, struct err *e)
{
    struct buf name;
    bool ok;

    buf_init(&name, t->model.len + 16);
    buf_str(&name, "models/");
    buf_span(&name, t->model);
    buf_str(out, "{\"generateContentRequest\":{");
    put_str(out, "model", buf_view(&name));
    buf_free(&name);
    ok = write_members(r, t, l, out, e);
    buf_str(out, "}}");
    return ok;
}

bool vertex_count_write(const struct request *r, const struct target *t,
                        struct losses *l, struct buf *out, struct err *e)
{
    bool ok;

    buf_char(out, '{');
    ok = write_members(r, t, l, out, e);
    buf_char(out, '}');
    return ok;
}

bool gemini_read_count(struct span body, int64_t *tokens, struct err *e)
{
    struct json top, v;

    if (!json_parse(body, &top, e))
        return false;
    v = json_get(&top, "totalTokens");
    return (json_i64(&v, tokens) && *tokens >= 0) ||
           err_set(e, ERR_INPUT, "totalTokens: wanted a count, found %s",
                   json_type_name(v.type));
}
