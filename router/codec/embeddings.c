/* SPDX-License-Identifier: Apache-2.0 */
#include "router/codec/embeddings.h"

#include "features/reader.h"
#include "router/codec/openai.h"

#include <string.h>

struct body {
    struct json model, input;
    int64_t dimensions;
};

static bool read_model(struct reader *rd, const struct field *f,
                       const struct json *v, void *target)
{
    struct body *b = target;

    if (v->type != JSON_STRING)
        return reader_wrong(rd, f->name, "a string", v->type);
    b->model = *v;
    return true;
}

static const struct field body_fields[] = {
    {"model", read_model, 0, true},
    {"input", read_json, offsetof(struct body, input), true},
    {"dimensions", read_i64, offsetof(struct body, dimensions), false},
    {NULL, NULL, 0, false},
};

/* A text, or a list of token ids. */
static bool count_input(struct reader *rd, const struct json *v,
                        struct embeddings *out)
{
    out->n_inputs++;
    if (v->type == JSON_STRING)
        out->input_bytes += json_inner(v).len;
    else if (v->type == JSON_ARRAY)
        out->input_tokens += json_count(v);
    else
        return reader_wrong(rd, "input", "texts or lists of token ids",
                            v->type);
    return true;
}

static bool count_inputs(struct reader *rd, const struct json *v,
                         struct embeddings *out)
{
    struct json_iter it = json_begin(v);
    struct json one;

    if (v->type != JSON_ARRAY)
        return count_input(rd, v, out);
    if (!json_next(&it, NULL, &one))
        return err_set(rd->e, ERR_INPUT, "input: wanted a text, found none");
    if (one.type == JSON_NUMBER) /* one input, as token ids */
        return count_input(rd, v, out);
    do {
        if (!count_input(rd, &one, out))
            return false;
    } while (json_next(&it, NULL, &one));
    return true;
}

bool embeddings_read(struct span body, struct arena *a, struct embeddings *out,
                     struct err *e)
{
    struct reader rd = {.a = a, .e = e};
    struct json top;
    struct body b;

    memset(&b, 0, sizeof b);
    b.dimensions = -1;
    *out = (struct embeddings){.body = body};
    if (!json_parse(body, &top, e) ||
        !reader_object(&rd, &top, body_fields, &b))
        return false;
    if (b.model.type != JSON_STRING)
        return reader_wrong(&rd, "model", "a string", b.model.type);
    if (!json_text(&b.model, a, &out->model))
        return reader_no_memory(&rd);
    out->model_raw = b.model.raw;
    out->dimensions = b.dimensions;
    return count_inputs(&rd, &b.input, out);
}

void embeddings_write(const struct embeddings *r, struct span model,
                      struct buf *out)
{
    const char *behind = r->model_raw.ptr + r->model_raw.len;

    buf_put(out, r->body.ptr, (size_t)(r->model_raw.ptr - r->body.ptr));
    buf_json_str(out, model);
    buf_put(out, behind, (size_t)(r->body.ptr + r->body.len - behind));
}

bool embeddings_answer(struct span body, struct usage *out, struct err *e)
{
    struct json top, data, usage;

    *out = (struct usage){0};
    if (!json_parse(body, &top, e))
        return false;
    data = json_get(&top, "data");
    if (data.type != JSON_ARRAY)
        return err_set(e, ERR_INPUT, "data: wanted an array, found %s",
                       json_type_name(data.type));
    usage = json_get(&top, "usage");
    openai_usage(&usage, out);
    out->output = out->reasoning = 0; /* nothing is written */
    return true;
}

/* ---- the dialect's row ---- */

/* Each text as a part of the message; token ids leave none. */
static void put_inputs(struct span body, struct message *m)
{
    struct json top = {JSON_OBJECT, false, span_trim(body)};
    struct json input = json_get(&top, "input"), one;
    struct json_iter it = json_begin(&input);

    if (input.type == JSON_STRING) {
        m->parts[m->n_parts++] = (struct part){
            .kind = PART_TEXT, .text = {json_inner(&input), input.escaped}};
        return;
    }
    while (json_next(&it, NULL, &one)) {
        if (one.type == JSON_STRING)
            m->parts[m->n_parts++] = (struct part){
                .kind = PART_TEXT, .text = {json_inner(&one), one.escaped}};
    }
}

bool embeddings_decode(struct span body, struct arena *a, struct request *r,
                       struct err *e)
{
    struct message *m = arena_zalloc(a, 1, sizeof *m);
    struct embeddings got;

    if (!embeddings_read(body, a, &got, e))
        return false;
    *r = (struct request){.body = body,
                          .model = got.model,
                          .model_raw = got.model_raw,
                          .messages = m,
                          .n_messages = 1,
                          .params = params_unsaid(),
                          .embeds = true};
    if (m)
        m->parts = arena_zalloc(a, got.n_inputs + 1, sizeof *m->parts);
    if (!m || !m->parts)
        return err_set(e, ERR_MEMORY, "request too large to be read");
    m->role = ROLE_USER;
    put_inputs(body, m);
    return true;
}

bool embeddings_look(struct span body, struct answer *out, struct err *e)
{
    if (!embeddings_answer(body, &out->usage, e))
        return false;
    out->has_usage = out->usage.input > 0;
    out->choices = 1;
    return true;
}
