/* SPDX-License-Identifier: Apache-2.0 */
#include "features/messages.h"

#include <string.h>

/* What a message's members say, before it is put together. */
struct written {
    struct span role, name, call_id;
    struct json role_json, content, thinking, refusal, audio, calls, call;
};

#define AT(member) offsetof(struct written, member)
static const struct field message_fields[] = {
    {"role", read_str, AT(role), true},
    {"name", read_str, AT(name), false},
    {"tool_call_id", read_str, AT(call_id), false},
    {"content", read_json, AT(content), true},
    {"reasoning_content", read_json, AT(thinking), false},
    {"refusal", read_json, AT(refusal), false},
    {"audio", read_json, AT(audio), false},
    {"tool_calls", read_json, AT(calls), false},
    {"function_call", read_json, AT(call), false},
    {NULL, NULL, 0, false},
};
#undef AT

static const struct {
    const char *name;
    enum role role;
} roles[] = {
    {"system", ROLE_SYSTEM}, {"developer", ROLE_SYSTEM},
    {"user", ROLE_USER},     {"assistant", ROLE_ASSISTANT},
    {"tool", ROLE_TOOL},     {"function", ROLE_TOOL},
};

/* ---- parts ---- */

#define AT(member) offsetof(struct part, member)
static const struct field url_fields[] = {
    {"url", read_str, AT(url), true},
    {NULL, NULL, 0, false},
};
static const struct field file_fields[] = {
    {"file_data", read_str, AT(url), false},
    {"file_id", read_str, AT(id), false},
    {"filename", read_str, AT(name), false},
    {NULL, NULL, 0, false},
};
static const struct field audio_fields[] = {
    {"format", read_str, AT(name), false},
    {NULL, NULL, 0, false},
};
static const struct field function_fields[] = {
    {"name", read_str, AT(name), true},
    {"arguments", read_text, AT(text), false},
    {NULL, NULL, 0, false},
};
static const struct field custom_fields[] = {
    {"name", read_str, AT(name), true},
    {"input", read_text, AT(text), false},
    {NULL, NULL, 0, false},
};

static bool read_inside(struct reader *rd, const struct field *f,
                        const struct field *fields, const struct json *v,
                        void *target)
{
    reader_enter(rd, f->name, READER_NO_INDEX);
    if (!reader_object(rd, v, fields, target))
        return false;
    reader_leave(rd);
    return true;
}

/* An object with the address, or (as some servers have it) the address. */
static bool read_image(struct reader *rd, const struct field *f,
                       const struct json *v, void *target)
{
    struct part *p = target;

    if (v->type == JSON_STRING)
        return json_text(v, rd->a, &p->url) || reader_no_memory(rd);
    return read_inside(rd, f, url_fields, v, target);
}

static bool read_file(struct reader *rd, const struct field *f,
                      const struct json *v, void *target)
{
    return read_inside(rd, f, file_fields, v, target);
}

static bool read_audio(struct reader *rd, const struct field *f,
                       const struct json *v, void *target)
{
    return read_inside(rd, f, audio_fields, v, target);
}

static bool read_function(struct reader *rd, const struct field *f,
                          const struct json *v, void *target)
{
    return read_inside(rd, f, function_fields, v, target);
}

static bool read_custom(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    return read_inside(rd, f, custom_fields, v, target);
}

static const struct field text_part[] = {
    {"text", read_text, AT(text), true},
    {NULL, NULL, 0, false},
};
static const struct field refusal_part[] = {
    {"refusal", read_text, AT(text), true},
    {NULL, NULL, 0, false},
};
static const struct field image_part[] = {
    {"image_url", read_image, 0, true},
    {NULL, NULL, 0, false},
};
static const struct field audio_part[] = {
    {"input_audio", read_audio, 0, true},
    {NULL, NULL, 0, false},
};
static const struct field file_part[] = {
    {"file", read_file, 0, true},
    {NULL, NULL, 0, false},
};
static const struct field call_part[] = {
    {"id", read_str, AT(id), false},
    {"function", read_function, 0, true},
    {"custom", read_custom, 0, true},
    {NULL, NULL, 0, false},
};
#undef AT

static const struct part_row {
    const char *type;
    enum part_kind kind;
    const struct field *fields;
} part_rows[] = {
    {"text", PART_TEXT, text_part},
    {"image_url", PART_IMAGE, image_part},
    {"input_audio", PART_AUDIO, audio_part},
    {"file", PART_FILE, file_part},
    {"refusal", PART_REFUSAL, refusal_part},
};

static bool read_part(struct reader *rd, const struct json *v, struct part *p)
{
    struct json type = json_get(v, "type"), given;

    p->kind = PART_OTHER;
    p->raw = v->raw;
    if (v->type != JSON_OBJECT)
        return reader_wrong(rd, "", "an object", v->type);
    if (type.type != JSON_STRING)
        return reader_wrong(rd, "type", "a string", type.type);
    for (size_t i = 0; i < sizeof part_rows / sizeof part_rows[0]; i++) {
        const struct part_row *row = &part_rows[i];

        if (!json_is(&type, row->type))
            continue;
        p->kind = row->kind;
        given = json_get(v, row->fields[0].name);
        if (given.type == JSON_NONE)
            return reader_wrong(rd, row->fields[0].name, "a value", JSON_NONE);
        return reader_object(rd, v, row->fields, p);
    }
    return true;
}

static bool read_call(struct reader *rd, const struct json *v, struct part *p)
{
    p->kind = PART_TOOL_CALL;
    p->raw = v->raw;
    if (!reader_object(rd, v, call_part, p))
        return false;
    if (!p->name.ptr)
        return reader_wrong(rd, "function.name", "a string", JSON_NONE);
    return true;
}

/* ---- putting a message together ---- */

static struct part *next_part(struct message *m)
{
    return &m->parts[m->n_parts++];
}

/* A member that is one string, as a part of the given kind. */
static bool add_string(struct reader *rd, struct message *m,
                       const struct json *v, const char *name,
                       enum part_kind kind)
{
    struct part *p;

    if (v->type == JSON_NONE || v->type == JSON_NULL)
        return true;
    if (v->type != JSON_STRING)
        return reader_wrong(rd, name, "a string", v->type);
    p = next_part(m);
    p->kind = kind;
    p->text = (struct text){json_inner(v), v->escaped};
    p->raw = v->raw;
    return true;
}

static bool add_list(struct reader *rd, struct message *m, const struct json *v,
                     const char *name,
                     bool (*read)(struct reader *, const struct json *,
                                  struct part *))
{
    struct json_iter it = json_begin(v);
    struct json one;

    for (int64_t i = 0; json_next(&it, NULL, &one); i++) {
        reader_enter(rd, name, i);
        if (!read(rd, &one, next_part(m)))
            return false;
        reader_leave(rd);
    }
    return true;
}

static bool add_content(struct reader *rd, struct message *m,
                        const struct written *w)
{
    const struct json *v = &w->content;
    bool may_lack = m->role == ROLE_ASSISTANT || m->role == ROLE_TOOL;

    if (v->type == JSON_ARRAY)
        return add_list(rd, m, v, "content", read_part);
    if (v->type == JSON_STRING)
        return add_string(rd, m, v, "content", PART_TEXT);
    if (may_lack && (v->type == JSON_NONE || v->type == JSON_NULL))
        return true;
    return reader_wrong(rd, "content", "a string or an array of parts",
                        v->type);
}

/* A tool message's texts are the result of the call that it names. */
static void mark_results(struct message *m, const struct written *w)
{
    for (size_t i = 0; m->role == ROLE_TOOL && i < m->n_parts; i++) {
        struct part *p = &m->parts[i];

        if (p->kind != PART_TEXT)
            continue;
        p->kind = PART_TOOL_RESULT;
        p->id = w->call_id;
        p->name = w->name;
    }
}

static bool add_calls(struct reader *rd, struct message *m,
                      const struct written *w)
{
    struct part *p;

    if (w->calls.type != JSON_NONE && w->calls.type != JSON_ARRAY)
        return reader_wrong(rd, "tool_calls", "an array", w->calls.type);
    if (!add_list(rd, m, &w->calls, "tool_calls", read_call))
        return false;
    if (w->call.type == JSON_NONE)
        return true;
    p = next_part(m);
    p->kind = PART_TOOL_CALL;
    p->raw = w->call.raw;
    reader_enter(rd, "function_call", READER_NO_INDEX);
    if (!reader_object(rd, &w->call, function_fields, p))
        return false;
    reader_leave(rd);
    return true;
}

static bool add_audio(struct message *m, const struct json *v)
{
    if (v->type == JSON_OBJECT) {
        struct part *p = next_part(m);

        p->kind = PART_AUDIO;
        p->raw = v->raw;
    }
    return true;
}

static bool read_role(struct reader *rd, const struct written *w,
                      struct message *m)
{
    if (!w->role.ptr)
        return reader_wrong(rd, "role", "a string", JSON_NONE);
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (span_is(w->role, roles[i].name)) {
            m->role = roles[i].role;
            return true;
        }
    }
    return reader_wrong(rd, "role",
                        "one of system, developer, user, assistant, tool, "
                        "function",
                        JSON_STRING);
}

static bool read_message(struct reader *rd, const struct json *v,
                         struct message *m)
{
    struct written w;
    size_t most;

    memset(&w, 0, sizeof w);
    m->raw = v->raw;
    if (!reader_object(rd, v, message_fields, &w) || !read_role(rd, &w, m))
        return false;
    m->name = w.name;
    most = 5 + (w.content.type == JSON_ARRAY ? json_count(&w.content) : 0) +
           json_count(&w.calls);
    m->parts = arena_zalloc(rd->a, most, sizeof *m->parts);
    if (!m->parts)
        return reader_no_memory(rd);
    if (!add_string(rd, m, &w.thinking, "reasoning_content", PART_THINKING) ||
        !add_content(rd, m, &w) ||
        !add_string(rd, m, &w.refusal, "refusal", PART_REFUSAL) ||
        !add_audio(m, &w.audio) || !add_calls(rd, m, &w))
        return false;
    mark_results(m, &w);
    return true;
}

bool messages_read(struct reader *rd, const struct json *v, struct request *r)
{
    struct json_iter it = json_begin(v);
    struct json one;
    size_t n;

    if (v->type != JSON_ARRAY)
        return reader_wrong(rd, "messages", "an array", v->type);
    n = json_count(v);
    if (n == 0)
        return err_set(rd->e, ERR_INPUT,
                       "messages: wanted at least one message, found none");
    r->messages = arena_zalloc(rd->a, n, sizeof *r->messages);
    if (!r->messages)
        return reader_no_memory(rd);
    for (int64_t i = 0; json_next(&it, NULL, &one); i++) {
        reader_enter(rd, "messages", i);
        if (!read_message(rd, &one, &r->messages[i]))
            return false;
        reader_leave(rd);
        r->n_messages++;
    }
    return true;
}
