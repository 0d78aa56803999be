/* SPDX-License-Identifier: Apache-2.0 */
#include "features/messages.h"

#include <string.h>

/* What a message's members say, before it is put together. */
struct written {
    struct span role, name, call_id;
    struct json content, thinking, reasoning, details, refusal, audio, calls,
        call;
};

#define AT(member) offsetof(struct written, member)
static const struct field message_fields[] = {
    {"role", read_str, AT(role), true},
    {"name", read_str, AT(name), false},
    {"tool_call_id", read_str, AT(call_id), false},
    {"content", read_json, AT(content), true},
    {"reasoning_content", read_json, AT(thinking), false},
    {"reasoning", read_json, AT(reasoning), false},
    {"reasoning_details", read_json, AT(details), false},
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
    {"data", read_str, AT(data), false},
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

/* Raw texts put one behind the other: what stands between quotes may. */
static bool add_text(struct reader *rd, const struct json *v, struct part *p)
{
    struct span in = json_inner(v);
    char *both;

    p->text.escaped = p->text.escaped || v->escaped;
    if (p->text.raw.len == 0) {
        p->text.raw = in;
        return true;
    }
    both = arena_alloc(rd->a, p->text.raw.len + in.len);
    if (!both)
        return reader_no_memory(rd);
    memcpy(both, p->text.raw.ptr, p->text.raw.len);
    memcpy(both + p->text.raw.len, in.ptr, in.len);
    p->text.raw = (struct span){both, p->text.raw.len + in.len};
    return true;
}

/* A text, or a list of text parts. */
static bool read_thinking(struct reader *rd, const struct field *f,
                          const struct json *v, void *target)
{
    struct json_iter it = json_begin(v);
    struct json one, text;

    if (v->type == JSON_STRING)
        return add_text(rd, v, target);
    if (v->type != JSON_ARRAY)
        return reader_wrong(rd, f->name, "a string or an array", v->type);
    while (json_next(&it, NULL, &one)) {
        text = json_get(&one, "text");
        if (text.type == JSON_STRING && !add_text(rd, &text, target))
            return false;
    }
    return true;
}

/* {"google": {"thought_signature"}}: how Google's OpenAI endpoint gives a
 * call's signature.  Other content is nobody's: no error. */
static bool read_extra(struct reader *rd, const struct field *f,
                       const struct json *v, void *target)
{
    struct json in = json_get(v, "google");

    in = json_get(&in, "thought_signature");
    return in.type != JSON_STRING || read_str(rd, f, &in, target);
}

static const struct field text_part[] = {
    {"text", read_text, AT(text), true},
    {"cache_control", read_raw_object, AT(cache), false},
    {NULL, NULL, 0, false},
};
static const struct field refusal_part[] = {
    {"refusal", read_text, AT(text), true},
    {NULL, NULL, 0, false},
};
static const struct field image_part[] = {
    {"image_url", read_image, 0, true},
    {"cache_control", read_raw_object, AT(cache), false},
    {NULL, NULL, 0, false},
};
static const struct field audio_part[] = {
    {"input_audio", read_audio, 0, true},
    {"cache_control", read_raw_object, AT(cache), false},
    {NULL, NULL, 0, false},
};
static const struct field file_part[] = {
    {"file", read_file, 0, true},
    {"cache_control", read_raw_object, AT(cache), false},
    {NULL, NULL, 0, false},
};
static const struct field document_part[] = {
    /* Mistral */
    {"document_url", read_image, 0, true},
    {"document_name", read_str, AT(name), false},
    {NULL, NULL, 0, false},
};
static const struct field file_url_part[] = {
    /* Perplexity */
    {"file_url", read_image, 0, true},
    {"file_name", read_str, AT(name), false},
    {NULL, NULL, 0, false},
};
static const struct field thinking_part[] = {
    /* Mistral; proxies' blocks */
    {"thinking", read_thinking, 0, true},
    {"signature", read_str, AT(signature), false},
    {NULL, NULL, 0, false},
};
/* OpenRouter's reasoning_details: text, a summary, or only its provider's. */
static const struct field detail_part[] = {
    {"text", read_text, AT(text), false},
    {"summary", read_text, AT(text), false},
    {"signature", read_str, AT(signature), false},
    {"data", read_str, AT(signature), false},
    {"id", read_str, AT(id), false},
    {NULL, NULL, 0, false},
};
/* {"google": {"thought_signature"}}: a call's, that must come back with it. */
static bool read_signature(struct reader *rd, const struct field *f,
                           const struct json *v, void *target)
{
    struct json in = json_get(v, "google");
    struct part *p = target;

    (void)f;
    in = json_get(&in, "thought_signature");
    return in.type != JSON_STRING || json_text(&in, rd->a, &p->signature) ||
           reader_no_memory(rd);
}

static const struct field call_part[] = {
    {"id", read_str, AT(id), false},
    {"function", read_function, 0, true},
    {"custom", read_custom, 0, true},
    {"extra_content", read_signature, 0, false},
    {"extra_content", read_extra, AT(signature), false},
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
    {"document_url", PART_FILE, document_part},
    {"file_url", PART_FILE, file_url_part},
    {"thinking", PART_THINKING, thinking_part},
};

/* "data:image/png;base64,...": its type and its data, where they stand. */
static void split_data(struct part *p)
{
    static const char mark[] = ";base64";
    enum { HEAD = 160, MARK = sizeof mark - 1 };
    struct span u = p->url, head;
    const char *comma;

    if (!span_starts(u, "data:"))
        return;
    comma = memchr(u.ptr, ',', u.len < HEAD ? u.len : HEAD);
    head = (struct span){u.ptr + 5, comma ? (size_t)(comma - u.ptr - 5) : 0};
    if (head.len < MARK || memcmp(head.ptr + head.len - MARK, mark, MARK) != 0)
        return;
    head.len -= MARK;
    p->media = span_cut(&head, ';');
    p->data = (struct span){comma + 1, u.len - (size_t)(comma + 1 - u.ptr)};
}

/* Formats as OpenAI names them. */
static struct span audio_type(struct span format)
{
    static const struct {
        const char *format, *type;
    } known[] = {
        {"wav", "audio/wav"},   {"mp3", "audio/mpeg"},  {"flac", "audio/flac"},
        {"opus", "audio/opus"}, {"pcm16", "audio/pcm"}, {"ogg", "audio/ogg"},
        {"m4a", "audio/mp4"},   {"aac", "audio/aac"},   {"webm", "audio/webm"},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (span_is(format, known[i].format))
            return span_of(known[i].type);
    }
    return (struct span){NULL, 0};
}

static void complete_media(struct part *p)
{
    if (p->kind == PART_AUDIO)
        p->media = audio_type(p->name);
    else if (p->kind == PART_IMAGE || p->kind == PART_FILE)
        split_data(p);
    if (p->kind == PART_FILE && !p->url.len)
        p->url = p->id;
}

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
        if (!reader_object(rd, v, row->fields, p))
            return false;
        complete_media(p);
        return true;
    }
    return true;
}

static bool read_detail(struct reader *rd, const struct json *v, struct part *p)
{
    struct json type = json_get(v, "type");

    p->kind = PART_THINKING;
    p->raw = v->raw;
    p->redacted = json_is(&type, "reasoning.encrypted");
    return reader_object(rd, v, detail_part, p);
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

/* The details say all that the plain text says, and more. */
static bool add_thinking(struct reader *rd, struct message *m,
                         const struct written *w)
{
    if (w->details.type == JSON_ARRAY && json_count(&w->details) > 0)
        return add_list(rd, m, &w->details, "reasoning_details", read_detail);
    if (w->thinking.type == JSON_STRING)
        return add_string(rd, m, &w->thinking, "reasoning_content",
                          PART_THINKING);
    if (w->thinking.type == JSON_NONE || w->thinking.type == JSON_NULL)
        return add_string(rd, m, &w->reasoning, "reasoning", PART_THINKING);
    return reader_wrong(rd, "reasoning_content", "a string", w->thinking.type);
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

/* A tool message is the result of the call that it names: its one text, or
 * its parts within a result. */
static bool make_result(struct reader *rd, struct message *m,
                        const struct written *w)
{
    struct part *p = m->parts, *all;

    if (m->role != ROLE_TOOL)
        return true;
    if (m->n_parts != 1 || p->kind != PART_TEXT) {
        all = arena_zalloc(rd->a, 1, sizeof *all);
        if (!all)
            return reader_no_memory(rd);
        *all = (struct part){.parts = m->parts, .n_parts = m->n_parts};
        for (size_t i = 0; i < m->n_parts && !all->text.raw.len; i++)
            all->text = m->parts[i].text;
        all->raw = w->content.raw;
        m->parts = p = all;
        m->n_parts = 1;
    }
    p->kind = PART_TOOL_RESULT;
    p->id = w->call_id;
    p->name = w->name;
    return true;
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
    most = 6 + json_count(&w.details) +
           (w.content.type == JSON_ARRAY ? json_count(&w.content) : 0) +
           json_count(&w.calls);
    m->parts = arena_zalloc(rd->a, most, sizeof *m->parts);
    if (!m->parts)
        return reader_no_memory(rd);
    if (!add_thinking(rd, m, &w) || !add_content(rd, m, &w) ||
        !add_string(rd, m, &w.refusal, "refusal", PART_REFUSAL) ||
        !add_audio(m, &w.audio) || !add_calls(rd, m, &w))
        return false;
    return make_result(rd, m, &w);
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
