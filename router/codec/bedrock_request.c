/* SPDX-License-Identifier: Apache-2.0 */
/* A Converse request -> struct request. */
#include "router/codec/bedrock.h"
#include "router/codec/carry.h"
#include "router/codec/ids.h"

#include <string.h>

#define AT(type, member) offsetof(struct type, member)
#define END                                                                    \
    {                                                                          \
        NULL, NULL, 0, false                                                   \
    }

/* The member of a union: the first one that is there. */
static bool member(const struct json *v, struct json *key, struct json *value)
{
    struct json_iter it = json_begin(v);

    while (json_next(&it, key, value)) {
        if (value->type != JSON_NULL)
            return true;
    }
    return false;
}

/* ---- images, documents, audio ---- */

static const struct field place_fields[] = {
    {"uri", read_str, AT(part, url), true},
    END,
};

static bool read_place(struct reader *rd, const struct field *f,
                       const struct json *v, void *target)
{
    return carry_inside(rd, f->name, v, place_fields, target);
}

static bool read_pages(struct reader *rd, const struct field *f,
                       const struct json *v, void *target);

static const struct field source_fields[] = {
    {"bytes", read_str, AT(part, data), true},
    {"text", read_text, AT(part, text), true},
    {"content", read_pages, 0, true},
    {"s3Location", read_place, 0, true},
    END,
};

static bool read_source(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    return carry_inside(rd, f->name, v, source_fields, target);
}

static const struct field blob_fields[] = {
    {"format", read_str, AT(part, media), false},
    {"name", read_str, AT(part, name), false},
    {"source", read_source, 0, true},
    END,
};

static bool read_blob(struct reader *rd, const char *name, const struct json *v,
                      struct part *p)
{
    if (!carry_inside(rd, name, v, blob_fields, p))
        return false;
    p->media = bedrock_media(p->kind, p->media);
    return true;
}

static bool read_image(struct reader *rd, const struct json *v, struct part *p)
{
    p->kind = PART_IMAGE;
    return read_blob(rd, "image", v, p);
}

static bool read_document(struct reader *rd, const struct json *v,
                          struct part *p)
{
    p->kind = PART_FILE;
    return read_blob(rd, "document", v, p);
}

static bool read_audio(struct reader *rd, const struct json *v, struct part *p)
{
    p->kind = PART_AUDIO;
    return read_blob(rd, "audio", v, p);
}

/* ---- text, thinking, tools ---- */

static bool read_words(struct reader *rd, const struct json *v, struct part *p)
{
    static const struct field f = {"text", NULL, AT(part, text), true};

    p->kind = PART_TEXT;
    return read_text(rd, &f, v, p);
}

static const struct field reasoning_text[] = {
    {"text", read_text, AT(part, text), true},
    {"signature", read_str, AT(part, signature), false},
    END,
};

static bool read_reasoning_text(struct reader *rd, const struct field *f,
                                const struct json *v, void *target)
{
    return carry_inside(rd, f->name, v, reasoning_text, target);
}

static bool read_redacted(struct reader *rd, const struct field *f,
                          const struct json *v, void *target)
{
    struct part *p = target;

    p->redacted = true;
    return read_str(rd, f, v, target);
}

static const struct field reasoning_fields[] = {
    {"reasoningText", read_reasoning_text, 0, true},
    {"redactedContent", read_redacted, AT(part, signature), true},
    END,
};

static bool read_reasoning(struct reader *rd, const struct json *v,
                           struct part *p)
{
    p->kind = PART_THINKING;
    return carry_inside(rd, "reasoningContent", v, reasoning_fields, p);
}

/* Ids and names are as the client knows them again. */
static bool read_id(struct reader *rd, const struct field *f,
                    const struct json *v, void *target)
{
    struct span *s = (struct span *)(void *)((char *)target + f->at);

    if (!read_str(rd, f, v, target))
        return false;
    return id_read(*s, rd->a, s) || reader_no_memory(rd);
}

static const struct field use_fields[] = {
    {"toolUseId", read_id, AT(part, id), true},
    {"name", read_id, AT(part, name), true},
    {"input", read_raw, AT(part, text.raw), true},
    END,
};

static bool read_use(struct reader *rd, const struct json *v, struct part *p)
{
    struct json type = json_get(v, "type");

    p->kind = json_is(&type, "server_tool_use") ? PART_OTHER : PART_TOOL_CALL;
    p->text_is_json = true;
    if (!carry_inside(rd, "toolUse", v, use_fields, p))
        return false;
    if (!p->name.ptr)
        return reader_wrong(rd, "toolUse.name", "a string", JSON_NONE);
    return true;
}

static bool read_part(struct reader *rd, const struct json *v, struct part *p);

/* One text or one JSON value is the result itself, other things its parts. */
static bool read_results(struct reader *rd, const struct field *f,
                         const struct json *v, void *target)
{
    struct part *p = target;
    struct json_iter it = json_begin(v);
    struct json one, key, in;

    if (v->type != JSON_ARRAY)
        return reader_wrong(rd, f->name, "an array", v->type);
    if (json_count(v) == 1 && json_next(&it, NULL, &one) &&
        member(&one, &key, &in)) {
        if (json_is(&key, "text"))
            return read_text(
                rd, &(struct field){"text", NULL, AT(part, text), true}, &in,
                p);
        p->text_is_json = json_is(&key, "json");
        if (p->text_is_json) {
            p->text.raw = in.raw;
            return true;
        }
    }
    return read_pages(rd, f, v, target);
}

static bool read_pages(struct reader *rd, const struct field *f,
                       const struct json *v, void *target)
{
    struct part *p = target;
    struct json_iter it = json_begin(v);
    struct json one;

    if (v->type != JSON_ARRAY)
        return reader_wrong(rd, f->name, "an array", v->type);
    p->parts = arena_zalloc(rd->a, json_count(v) + 1, sizeof *p->parts);
    if (!p->parts)
        return reader_no_memory(rd);
    for (int64_t i = 0; json_next(&it, NULL, &one); i++) {
        reader_enter(rd, f->name, i);
        if (!read_part(rd, &one, &p->parts[p->n_parts++]))
            return false;
        reader_leave(rd);
    }
    return true;
}

static bool read_status(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    struct part *p = target;

    if (v->type != JSON_STRING)
        return reader_wrong(rd, f->name, "a string", v->type);
    p->is_error = json_is(v, "error");
    return true;
}

static const struct field result_fields[] = {
    {"toolUseId", read_id, AT(part, id), true},
    {"content", read_results, 0, true},
    {"status", read_status, 0, false},
    END,
};

static bool read_result(struct reader *rd, const struct json *v, struct part *p)
{
    p->kind = PART_TOOL_RESULT;
    if (!carry_inside(rd, "toolResult", v, result_fields, p))
        return false;
    if (!p->id.ptr)
        return reader_wrong(rd, "toolResult.toolUseId", "a string", JSON_NONE);
    return true;
}

/* Texts with citations: one text, as written, since the insides of JSON
 * strings may stand one behind the other. */
static bool read_cited(struct reader *rd, const struct json *v, struct part *p)
{
    struct json content = json_get(v, "content"), one, text;
    struct json_iter it = json_begin(&content);
    char *dst = arena_alloc(rd->a, v->raw.len + 1);
    size_t n = 0;

    if (!dst)
        return reader_no_memory(rd);
    p->kind = PART_TEXT;
    while (json_next(&it, NULL, &one)) {
        text = json_get(&one, "text");
        if (text.type != JSON_STRING)
            continue;
        memcpy(dst + n, text.raw.ptr + 1, text.raw.len - 2);
        n += text.raw.len - 2;
        p->text.escaped = p->text.escaped || text.escaped;
    }
    p->text.raw = (struct span){dst, n};
    return true;
}

static const struct {
    const char *name;
    bool (*read)(struct reader *rd, const struct json *v, struct part *p);
} blocks[] = {
    {"text", read_words},
    {"image", read_image},
    {"document", read_document},
    {"audio", read_audio},
    {"toolUse", read_use},
    {"toolResult", read_result},
    {"reasoningContent", read_reasoning},
    {"citationsContent", read_cited},
};

static bool read_part(struct reader *rd, const struct json *v, struct part *p)
{
    struct json key, in;

    p->kind = PART_OTHER;
    p->raw = v->raw;
    if (v->type != JSON_OBJECT)
        return reader_wrong(rd, "", "an object", v->type);
    if (!member(v, &key, &in))
        return true;
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        if (json_is(&key, blocks[i].name))
            return blocks[i].read(rd, &in, p);
    }
    return true;
}

/* ---- cache points ---- */

/* {"cachePoint":{"type":"default","ttl":"1h"}}: it marks what stands before
 * it, in the words of cache_control.  Empty: none. */
static struct span cache_of(const struct json *v)
{
    struct json point = json_get(v, "cachePoint"), ttl;

    if (point.type != JSON_OBJECT)
        return (struct span){NULL, 0};
    ttl = json_get(&point, "ttl");
    return json_is(&ttl, "1h") ? SPAN("{\"type\":\"ephemeral\",\"ttl\":\"1h\"}")
                               : SPAN("{\"type\":\"ephemeral\"}");
}

/* ---- messages ---- */

static bool read_content(struct reader *rd, const struct json *list,
                         const char *name, struct message *m)
{
    struct json_iter it = json_begin(list);
    struct json one;

    if (list->type != JSON_ARRAY)
        return reader_wrong(rd, name, "an array", list->type);
    m->parts = arena_zalloc(rd->a, json_count(list) + 1, sizeof *m->parts);
    if (!m->parts)
        return reader_no_memory(rd);
    for (int64_t i = 0; json_next(&it, NULL, &one); i++) {
        struct span cache = cache_of(&one);

        if (cache.len && m->n_parts) {
            m->parts[m->n_parts - 1].cache = cache;
            continue;
        }
        reader_enter(rd, name, i);
        if (!read_part(rd, &one, &m->parts[m->n_parts++]))
            return false;
        reader_leave(rd);
    }
    return true;
}

/* Results become a message of their own in front of what the user said. */
static bool split_results(struct reader *rd, struct request *r)
{
    struct message *m = &r->messages[r->n_messages - 1], *rest = m + 1;
    size_t n = 0;

    for (size_t i = 0; i < m->n_parts; i++)
        n += m->parts[i].kind == PART_TOOL_RESULT;
    if (n == 0 || m->role != ROLE_USER)
        return true;
    m->role = ROLE_TOOL;
    if (n == m->n_parts)
        return true; /* the next place stays clean for the next message */
    *rest = *m;
    rest->role = ROLE_USER;
    m->parts = arena_zalloc(rd->a, n, sizeof *m->parts);
    if (!m->parts)
        return reader_no_memory(rd);
    n = rest->n_parts;
    m->n_parts = rest->n_parts = 0;
    for (size_t i = 0; i < n; i++) {
        struct message *to = rest->parts[i].kind == PART_TOOL_RESULT ? m : rest;

        to->parts[to->n_parts++] = rest->parts[i];
    }
    r->n_messages++;
    return true;
}

static bool read_message(struct reader *rd, const struct json *v,
                         struct request *r)
{
    struct message *m = &r->messages[r->n_messages++];
    struct json role = json_get(v, "role"), content;

    m->raw = v->raw;
    if (v->type != JSON_OBJECT)
        return reader_wrong(rd, "", "an object", v->type);
    if (!json_is(&role, "user") && !json_is(&role, "assistant"))
        return reader_wrong(rd, "role", "user or assistant", role.type);
    m->role = json_is(&role, "user") ? ROLE_USER : ROLE_ASSISTANT;
    content = json_get(v, "content");
    return read_content(rd, &content, "content", m) && split_results(rd, r);
}

static bool read_messages(struct reader *rd, const struct json *system,
                          const struct json *messages, struct request *r)
{
    struct json_iter it = json_begin(messages);
    struct json one;

    if (messages->type != JSON_ARRAY)
        return reader_wrong(rd, "messages", "an array", messages->type);
    r->messages =
        arena_zalloc(rd->a, 2 * json_count(messages) + 2, sizeof *r->messages);
    if (!r->messages)
        return reader_no_memory(rd);
    if (system->type != JSON_NONE && system->type != JSON_NULL) {
        struct message *m = &r->messages[r->n_messages++];

        m->role = ROLE_SYSTEM;
        m->raw = system->raw;
        if (!read_content(rd, system, "system", m))
            return false;
    }
    for (int64_t i = 0; json_next(&it, NULL, &one); i++) {
        reader_enter(rd, "messages", i);
        if (!read_message(rd, &one, r))
            return false;
        reader_leave(rd);
    }
    return true;
}

/* ---- the body; parameters are in bedrock_params.c ---- */

struct body {
    struct json system, messages;
};

static const struct field body_fields[] = {
    {"system", read_json, AT(body, system), false},
    {"messages", read_json, AT(body, messages), false},
    END,
};

bool bedrock_request_read(const struct inbound *in, struct arena *a,
                          struct request *r, struct err *e)
{
    struct span body = in->body;
    struct span model = in->model;
    bool stream = in->stream;
    struct reader rd = {.a = a, .e = e};
    struct json top;
    struct body b;

    memset(&b, 0, sizeof b);
    *r = (struct request){
        .body = body, .model = model, .params = params_unsaid()};
    r->params.stream = stream;
    return json_parse(body, &top, e) &&
           reader_object(&rd, &top, body_fields, &b) &&
           read_messages(&rd, &b.system, &b.messages, r) &&
           bedrock_read_params(&rd, &top, r);
}
