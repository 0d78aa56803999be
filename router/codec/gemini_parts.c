/* SPDX-License-Identifier: Apache-2.0 */
/* Gemini's contents -> messages. */
#include "router/codec/gemini_parts.h"
#include "router/codec/carry.h"

#include "router/codec/gemini.h"

#include <stdio.h>
#include <string.h>

/* ---- one part ---- */

struct written {
    struct json text, blob, file, call, result;
    bool thought;
    struct span signature;
};

#define AT(member) offsetof(struct written, member)
static const struct field part_fields[] = {
    {"text", read_json, AT(text), false},
    BOTH("inlineData", "inline_data", read_json, AT(blob), false),
    BOTH("fileData", "file_data", read_json, AT(file), false),
    BOTH("functionCall", "function_call", read_json, AT(call), false),
    BOTH("functionResponse", "function_response", read_json, AT(result), false),
    {"thought", read_bool, AT(thought), false},
    BOTH("thoughtSignature", "thought_signature", read_str, AT(signature),
         false),
    ROWS_END,
};
#undef AT

#define AT(member) offsetof(struct part, member)
static const struct field text_fields[] = {
    {"text", read_text, AT(text), false},
    ROWS_END,
};
static const struct field blob_fields[] = {
    BOTH("mimeType", "mime_type", read_str, AT(media), false),
    BOTH("displayName", "display_name", read_str, AT(name), false),
    {"data", read_str, AT(data), false},
    ROWS_END,
};
static const struct field file_fields[] = {
    BOTH("mimeType", "mime_type", read_str, AT(media), false),
    BOTH("displayName", "display_name", read_str, AT(name), false),
    BOTH("fileUri", "file_uri", read_str, AT(url), false),
    ROWS_END,
};
#undef AT

struct function {
    struct span name, id;
    struct json value, parts; /* args or response */
};

#define AT(member) offsetof(struct function, member)
static const struct field call_fields[] = {
    {"name", read_str, AT(name), false},
    {"id", read_str, AT(id), false},
    {"args", read_json, AT(value), false},
    ROWS_END,
};
static const struct field result_fields[] = {
    {"name", read_str, AT(name), false},
    {"id", read_str, AT(id), false},
    {"response", read_json, AT(value), false},
    {"parts", read_json, AT(parts), false},
    ROWS_END,
};
#undef AT

static enum part_kind media_kind(struct span media)
{
    if (span_starts(media, "image/"))
        return PART_IMAGE;
    return span_starts(media, "audio/") ? PART_AUDIO : PART_FILE;
}

static bool read_function(struct reader *rd, const char *name,
                          const struct json *v, struct function *f)
{
    bool call = name[8] == 'C';

    memset(f, 0, sizeof *f);
    reader_enter(rd, name, READER_NO_INDEX);
    if (!reader_object(rd, v, call ? call_fields : result_fields, f))
        return false;
    if (f->name.len == 0)
        return reader_wrong(rd, "name", "a function's name", JSON_NONE);
    if (f->value.type != JSON_NONE && f->value.type != JSON_OBJECT)
        return reader_wrong(rd, call ? "args" : "response", "an object",
                            f->value.type);
    if (f->parts.type != JSON_NONE && f->parts.type != JSON_ARRAY)
        return reader_wrong(rd, "parts", "an array", f->parts.type);
    reader_leave(rd);
    return true;
}

static void function_part(struct part *p, enum part_kind kind,
                          const struct function *f)
{
    p->kind = kind;
    p->name = f->name;
    p->id = f->id;
    p->text_is_json = true;
    p->text.raw = f->value.type == JSON_OBJECT ? f->value.raw : SPAN("{}");
}

/* {"output": "text"} and {"error": "text"}, by Google's convention for what
 * is no object itself, are the text. */
static void unwrap_result(struct part *p, const struct json *response)
{
    static const char *const names[] = {"output", "error"};

    for (int i = 0; i < 2; i++) {
        struct json v = json_get(response, names[i]);

        if (v.type == JSON_NONE)
            continue;
        p->is_error = i == 1;
        if (v.type == JSON_STRING && json_count(response) == 1) {
            p->text = (struct text){json_inner(&v), v.escaped};
            p->text_is_json = false;
        }
        return;
    }
}

static bool add_blob(struct reader *rd, const struct json *v, struct part *p)
{
    struct json blob = gemini_get(v, "inlineData");
    const char *name = "inlineData";
    const struct field *fields = blob_fields;

    p->raw = v->raw;
    if (blob.type == JSON_NONE) {
        blob = gemini_get(v, "fileData");
        name = "fileData";
        fields = file_fields;
    }
    p->kind = PART_OTHER;
    if (blob.type == JSON_NONE)
        return true;
    if (!carry_inside(rd, name, &blob, fields, p))
        return false;
    p->kind = media_kind(p->media);
    return true;
}

/* The result's JSON as a text part, then its media. */
static bool result_parts(struct reader *rd, struct part *p,
                         const struct json *list)
{
    struct json_iter it = json_begin(list);
    struct json v;
    struct buf b;

    p->parts = arena_zalloc(rd->a, 1 + json_count(list), sizeof *p->parts);
    if (!p->parts)
        return reader_no_memory(rd);
    p->parts[0].kind = PART_TEXT;
    p->parts[0].text = p->text;
    p->n_parts = 1;
    if (p->text_is_json) {
        buf_init(&b, p->text.raw.len * 6 + 8);
        buf_json_str(&b, p->text.raw);
        p->parts[0].text.escaped = true;
        p->parts[0].text.raw = arena_copy(rd->a, buf_view(&b));
        buf_free(&b);
        if (!p->parts[0].text.raw.ptr)
            return reader_no_memory(rd);
        p->parts[0].text.raw.ptr++; /* without its quotes */
        p->parts[0].text.raw.len -= 2;
    }
    for (int64_t i = 0; json_next(&it, NULL, &v); i++) {
        reader_enter(rd, "functionResponse.parts", i);
        if (v.type != JSON_OBJECT)
            return reader_wrong(rd, "", "an object", v.type);
        if (!add_blob(rd, &v, &p->parts[p->n_parts++]))
            return false;
        reader_leave(rd);
    }
    return true;
}

static bool read_result(struct reader *rd, const struct json *v, struct part *p)
{
    struct function f;

    if (!read_function(rd, "functionResponse", v, &f))
        return false;
    function_part(p, PART_TOOL_RESULT, &f);
    unwrap_result(p, &f.value);
    return f.parts.type == JSON_NONE || result_parts(rd, p, &f.parts);
}

static bool read_part(struct reader *rd, const struct json *v, struct part *p)
{
    struct function f;
    struct written w;

    memset(&w, 0, sizeof w);
    p->kind = PART_OTHER;
    p->raw = v->raw;
    if (!reader_object(rd, v, part_fields, &w))
        return false;
    p->signature = w.signature;
    if (w.call.type != JSON_NONE) {
        if (!read_function(rd, "functionCall", &w.call, &f))
            return false;
        function_part(p, PART_TOOL_CALL, &f);
        return true;
    }
    if (w.result.type != JSON_NONE)
        return read_result(rd, &w.result, p);
    if (w.blob.type != JSON_NONE || w.file.type != JSON_NONE)
        return add_blob(rd, v, p);
    if (w.text.type != JSON_NONE || w.thought || json_count(v) == 0) {
        p->kind = w.thought ? PART_THINKING : PART_TEXT;
        p->redacted = w.thought && w.text.type == JSON_NONE;
        return reader_object(rd, v, text_fields, p);
    }
    return true;
}

/* ---- ids where there are none ---- */

/* How many calls a result without an id may look past. */
enum { LOOK_MAX = 256 };

/* The calls of the model's last turn and which of them were answered. */
struct pending {
    struct part *parts;
    size_t n, from;
    bool *answered; /* (arena) [n] */
};

static bool make_ids(struct reader *rd, struct message *m, size_t at,
                     struct pending *left)
{
    unsigned n = 0;

    for (size_t i = 0; i < m->n_parts; i++) {
        struct part *p = &m->parts[i];
        char id[48];

        if (p->kind != PART_TOOL_CALL)
            continue;
        snprintf(id, sizeof id, GEMINI_MADE_ID "m%zu_%u", at, n++);
        if (p->id.len == 0)
            p->id = arena_copy(rd->a, span_of(id));
        if (p->id.len == 0)
            return reader_no_memory(rd);
    }
    *left = (struct pending){m->parts, m->n_parts, 0, NULL};
    left->answered = arena_zalloc(rd->a, left->n + 1, sizeof(bool));
    return left->answered || reader_no_memory(rd);
}

/* The result belongs to the first call of its name that has none. */
static void answer(struct pending *left, struct part *p)
{
    while (left->from < left->n &&
           (left->answered[left->from] ||
            left->parts[left->from].kind != PART_TOOL_CALL))
        left->from++;
    for (size_t i = left->from; i < left->n && i < left->from + LOOK_MAX; i++) {
        const struct part *c = &left->parts[i];

        if (c->kind != PART_TOOL_CALL || left->answered[i] ||
            !span_eq(p->id.len ? c->id : c->name, p->id.len ? p->id : p->name))
            continue;
        left->answered[i] = true;
        p->id = c->id;
        return;
    }
    if (p->id.len == 0)
        p->id = p->name; /* nobody called: at least not empty */
}

/* ---- messages ---- */

struct content {
    struct span role;
    struct json parts;
};

static const struct field content_fields[] = {
    {"role", read_str, offsetof(struct content, role), false},
    {"parts", read_json, offsetof(struct content, parts), false},
    ROWS_END,
};

static bool read_parts(struct reader *rd, const struct json *list,
                       struct message *m)
{
    struct json_iter it = json_begin(list);
    struct json one;

    if (list->type != JSON_ARRAY && list->type != JSON_NONE)
        return reader_wrong(rd, "parts", "an array", list->type);
    m->parts = arena_zalloc(rd->a, json_count(list) + 1, sizeof *m->parts);
    if (!m->parts)
        return reader_no_memory(rd);
    for (int64_t i = 0; json_next(&it, NULL, &one); i++) {
        reader_enter(rd, "parts", i);
        if (!read_part(rd, &one, &m->parts[m->n_parts++]))
            return false;
        reader_leave(rd);
    }
    return true;
}

/* Results first, as a message of their own; what else the user said after
 * them.  Keeps the order within both. */
static bool split(struct reader *rd, struct request *r, struct message *m)
{
    struct message *rest;
    struct part *all;
    size_t results = 0, n = 0;

    for (size_t i = 0; i < m->n_parts; i++)
        results += m->parts[i].kind == PART_TOOL_RESULT;
    if (results == 0)
        return true;
    m->role = ROLE_TOOL;
    if (results == m->n_parts)
        return true;
    all = arena_zalloc(rd->a, m->n_parts, sizeof *all);
    if (!all)
        return reader_no_memory(rd);
    for (int other = 0; other < 2; other++) {
        for (size_t i = 0; i < m->n_parts; i++) {
            if ((m->parts[i].kind != PART_TOOL_RESULT) == other)
                all[n++] = m->parts[i];
        }
    }
    rest = &r->messages[r->n_messages++];
    *rest = *m;
    rest->role = ROLE_USER;
    rest->parts = all + results;
    rest->n_parts = m->n_parts - results;
    m->parts = all;
    m->n_parts = results;
    return true;
}

static bool read_role(struct reader *rd, struct span role, struct message *m)
{
    static const struct {
        const char *name;
        enum role role;
    } roles[] = {
        {"", ROLE_USER},           {"user", ROLE_USER},
        {"model", ROLE_ASSISTANT}, {"assistant", ROLE_ASSISTANT},
        {"function", ROLE_USER},   {"tool", ROLE_USER},
        {"system", ROLE_SYSTEM},
    };

    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (span_is(role, roles[i].name)) {
            m->role = roles[i].role;
            return true;
        }
    }
    return reader_wrong(rd, "role", "user or model", JSON_STRING);
}

static bool read_content(struct reader *rd, const struct json *v, size_t at,
                         struct request *r, struct pending *left)
{
    struct message *m = &r->messages[r->n_messages++];
    struct content c;

    memset(&c, 0, sizeof c);
    m->raw = v->raw;
    if (!reader_object(rd, v, content_fields, &c) ||
        !read_role(rd, c.role, m) || !read_parts(rd, &c.parts, m))
        return false;
    if (m->role == ROLE_ASSISTANT)
        return make_ids(rd, m, at, left);
    for (size_t i = 0; i < m->n_parts; i++) {
        if (m->parts[i].kind == PART_TOOL_RESULT)
            answer(left, &m->parts[i]);
    }
    return split(rd, r, m);
}

/* An object with parts; or, as SDKs' helpers have it, a string. */
static bool read_system(struct reader *rd, const struct json *v,
                        struct request *r)
{
    struct message *m = &r->messages[r->n_messages++];
    struct content c;

    memset(&c, 0, sizeof c);
    m->role = ROLE_SYSTEM;
    m->raw = v->raw;
    reader_enter(rd, "systemInstruction", READER_NO_INDEX);
    if (v->type == JSON_STRING) {
        m->parts = arena_zalloc(rd->a, 1, sizeof *m->parts);
        if (!m->parts)
            return reader_no_memory(rd);
        m->parts[m->n_parts++].text = (struct text){json_inner(v), v->escaped};
    } else if (!reader_object(rd, v, content_fields, &c) ||
               !read_parts(rd, &c.parts, m)) {
        return false;
    }
    reader_leave(rd);
    return true;
}

bool gemini_read_contents(struct reader *rd, const struct json *system,
                          const struct json *contents, struct request *r)
{
    struct json_iter it = json_begin(contents);
    struct pending left = {NULL, 0, 0, NULL};
    struct json one;
    size_t n;

    if (contents->type != JSON_ARRAY)
        return reader_wrong(rd, "contents", "an array", contents->type);
    n = json_count(contents);
    if (n == 0)
        return err_set(rd->e, ERR_INPUT,
                       "contents: wanted at least one, found none");
    r->messages = arena_zalloc(rd->a, 2 * n + 1, sizeof *r->messages);
    if (!r->messages)
        return reader_no_memory(rd);
    if (system->type != JSON_NONE && !read_system(rd, system, r))
        return false;
    for (size_t i = 0; json_next(&it, NULL, &one); i++) {
        reader_enter(rd, "contents", (int64_t)i);
        if (!read_content(rd, &one, i, r, &left))
            return false;
        reader_leave(rd);
    }
    return true;
}
