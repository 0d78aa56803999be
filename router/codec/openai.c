/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAI chat completions: the dialect's row.  Requests are read by
 * features/request.h; answers by openai_answer.c. */
#include "router/codec/openai.h"

#include <string.h>

/* One place of the body and what stands there instead. */
struct edit {
    struct span old; /* inside the body; len 0: an insertion */
    struct span new;
};

enum { EDITS_MAX = 2 };

struct edits {
    struct edit at[EDITS_MAX];
    unsigned n;
};

static void add_edit(struct edits *e, struct span old, struct span new)
{
    unsigned i = e->n++;

    for (; i > 0 && e->at[i - 1].old.ptr > old.ptr; i--)
        e->at[i] = e->at[i - 1];
    e->at[i] = (struct edit){old, new};
}

static struct span apply(struct span body, const struct edits *e,
                         struct arena *a)
{
    size_t len = body.len;
    const char *from = body.ptr;
    char *out, *p;

    for (unsigned i = 0; i < e->n; i++)
        len += e->at[i].new.len - e->at[i].old.len;
    out = p = arena_alloc(a, len);
    if (!out)
        return (struct span){NULL, 0};
    for (unsigned i = 0; i < e->n; i++) {
        const struct edit *at = &e->at[i];

        p = (char *)mempcpy(p, from, (size_t)(at->old.ptr - from));
        p = (char *)mempcpy(p, at->new.ptr, at->new.len);
        from = at->old.ptr + at->old.len;
    }
    memcpy(p, from, (size_t)(body.ptr + body.len - from));
    return (struct span){out, len};
}

/* Right behind the opening brace of an object. */
static struct span behind_brace(struct span object)
{
    return (struct span){object.ptr + 1, 0};
}

/* What to change so that a stream says its usage. */
static void edit_usage(struct span body, struct edits *e)
{
    struct json top = {JSON_OBJECT, false, span_trim(body)};
    struct json options = json_get(&top, "stream_options");
    struct json asked = json_get(&options, "include_usage");

    if (options.type == JSON_NONE)
        add_edit(e, behind_brace(top.raw),
                 SPAN("\"stream_options\":{\"include_usage\":true},"));
    else if (options.type == JSON_OBJECT && asked.type != JSON_NONE)
        add_edit(e, asked.raw, SPAN("true"));
    else if (options.type == JSON_OBJECT && json_count(&options) == 0)
        add_edit(e, behind_brace(options.raw), SPAN("\"include_usage\":true"));
    else if (options.type == JSON_OBJECT)
        add_edit(e, behind_brace(options.raw), SPAN("\"include_usage\":true,"));
    else
        add_edit(e, options.raw, SPAN("{\"include_usage\":true}"));
}

static bool splice(const struct request *r, const struct splice *s,
                   struct arena *a, struct span *out, struct err *e)
{
    struct edits edits = {.n = 0};

    add_edit(&edits, r->model_raw, s->model);
    if (r->params.stream && s->ask_usage && !r->params.stream_usage)
        edit_usage(r->body, &edits);
    *out = apply(r->body, &edits, a);
    return out->ptr || err_set(e, ERR_MEMORY, "request too large to pass on");
}

static void put_text(struct buf *out, const char *text)
{
    if (text)
        buf_json_str(out, span_of(text));
    else
        buf_str(out, "null");
}

bool dialect_rename(const struct request *r, struct span model, struct arena *a,
                    struct span *out, struct err *e)
{
    struct edits edits = {.n = 0};

    *out = r->body;
    if (r->model_raw.len == 0)
        return true;
    add_edit(&edits, r->model_raw, model);
    *out = apply(r->body, &edits, a);
    return out->ptr || err_set(e, ERR_MEMORY, "request too large to pass on");
}

void openai_write_error(const struct problem *p, struct buf *out)
{
    buf_str(out, "{\"error\":{\"message\":");
    put_text(out, p->message);
    buf_str(out, ",\"type\":");
    put_text(out, p->kind);
    buf_str(out, ",\"param\":");
    put_text(out, p->param);
    buf_str(out, ",\"code\":");
    put_text(out, p->code);
    buf_str(out, "}}");
}

void openai_write_stream_error(const struct problem *p, struct buf *out)
{
    buf_str(out, "data: ");
    openai_write_error(p, out);
    buf_str(out, "\n\ndata: [DONE]\n\n");
}

const struct dialect_ops dialect_openai = {
    .name = "openai",
    .codec = "openai",
    .decode = request_from_openai,
    .splice = splice,
    .read = openai_read,
    .event = openai_event,
    .is_error = openai_is_error,
    .write_error = openai_write_error,
    .write_stream_error = openai_write_stream_error,
    .end_mark = "data: [DONE]\n\n",
    .ping = ": waiting\n\n",
};
