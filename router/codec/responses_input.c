/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input of a Responses request: a list of items.  What the assistant did
 * in a row (reasoning, text, calls) becomes one message, as all other dialects
 * have it.
 */
#include "router/codec/responses.h"

#include <string.h>

/* ---- parts ---- */

#define AT(member) offsetof(struct part, member)
static const struct field text_fields[] = {
    {"text", read_text, AT(text), true},
    {NULL, NULL, 0, false},
};
static const struct field refusal_fields[] = {
    {"refusal", read_text, AT(text), true},
    {NULL, NULL, 0, false},
};
static const struct field image_fields[] = {
    {"image_url", read_str, AT(url), false},
    {"file_id", read_str, AT(id), false},
    {NULL, NULL, 0, false},
};
static const struct field file_fields[] = {
    {"file_data", read_str, AT(data), false},
    {"file_url", read_str, AT(url), false},
    {"file_id", read_str, AT(id), false},
    {"filename", read_str, AT(name), false},
    {NULL, NULL, 0, false},
};
static const struct field call_fields[] = {
    {"call_id", read_str, AT(id), true},
    {"name", read_str, AT(name), true},
    {"arguments", read_text, AT(text), false},
    {"input", read_text, AT(text), false},
    {NULL, NULL, 0, false},
};
static const struct field reasoning_fields[] = {
    {"id", read_str, AT(id), false},
    {"encrypted_content", read_str, AT(signature), false},
    {NULL, NULL, 0, false},
};
#undef AT

static const struct {
    const char *type;
    enum part_kind kind;
    const struct field *fields;
} part_rows[] = {
    {"input_text", PART_TEXT, text_fields},
    {"output_text", PART_TEXT, text_fields},
    {"text", PART_TEXT, text_fields},
    {"input_image", PART_IMAGE, image_fields},
    {"input_file", PART_FILE, file_fields},
    {"refusal", PART_REFUSAL, refusal_fields},
};

/* "data:image/png;base64,..." -> media and data. */
static void split_data(struct part *p)
{
    struct span s = p->url.len ? p->url : p->data, head;

    if (!span_starts(s, "data:"))
        return;
    p->url = s;
    s.ptr += 5;
    s.len -= 5;
    head = span_cut(&s, ',');
    p->data = s.ptr ? s : (struct span){NULL, 0};
    p->media = span_cut(&head, ';');
}

static bool read_part(struct reader *rd, const struct json *v, struct part *p)
{
    struct json type = json_get(v, "type");

    p->kind = PART_OTHER;
    p->raw = v->raw;
    if (v->type != JSON_OBJECT)
        return reader_wrong(rd, "", "an object", v->type);
    if (type.type != JSON_STRING)
        return reader_wrong(rd, "type", "a string", type.type);
    for (size_t i = 0; i < sizeof part_rows / sizeof part_rows[0]; i++) {
        if (!json_is(&type, part_rows[i].type))
            continue;
        p->kind = part_rows[i].kind;
        if (!reader_object(rd, v, part_rows[i].fields, p))
            return false;
        split_data(p);
        if (p->kind != PART_TEXT && p->kind != PART_REFUSAL && !p->url.len)
            p->url = p->id;
        return true;
    }
    return true;
}

/* A string, or a list of parts; at: where they go. */
static bool read_content(struct reader *rd, const char *name,
                         const struct json *v, struct part *at, size_t *n)
{
    struct json_iter it = json_begin(v);
    struct json one;

    if (v->type == JSON_STRING) {
        at[0].kind = PART_TEXT;
        at[0].text = (struct text){json_inner(v), v->escaped};
        at[0].raw = v->raw;
        *n = 1;
        return true;
    }
    if (v->type != JSON_ARRAY)
        return reader_wrong(rd, name, "a string or an array", v->type);
    for (*n = 0; json_next(&it, NULL, &one); ++*n) {
        reader_enter(rd, name, (int64_t)*n);
        if (!read_part(rd, &one, &at[*n]))
            return false;
        reader_leave(rd);
    }
    return true;
}

/* ---- items ---- */

/* Where the items go: parts lie one behind the other, so that a message
 * grows while nothing else does. */
struct items {
    struct request *r;
    struct part *parts; /* (arena) next free one */
};

static struct message *new_message(struct items *to, enum role role,
                                   struct span raw)
{
    struct message *m = &to->r->messages[to->r->n_messages++];

    *m = (struct message){.role = role, .parts = to->parts, .raw = raw};
    return m;
}

static struct message *assistant(struct items *to, struct span raw)
{
    size_t n = to->r->n_messages;

    if (n && to->r->messages[n - 1].role == ROLE_ASSISTANT)
        return &to->r->messages[n - 1];
    return new_message(to, ROLE_ASSISTANT, raw);
}

static struct part *add_part(struct items *to, struct message *m,
                             enum part_kind kind, struct span raw)
{
    struct part *p = to->parts++;

    p->kind = kind;
    p->raw = raw;
    m->n_parts++;
    return p;
}

static bool item_message(struct reader *rd, struct items *to,
                         const struct json *v)
{
    static const struct {
        const char *name;
        enum role role;
    } roles[] = {
        {"user", ROLE_USER},
        {"assistant", ROLE_ASSISTANT},
        {"system", ROLE_SYSTEM},
        {"developer", ROLE_SYSTEM},
    };
    struct json role = json_get(v, "role"), content = json_get(v, "content");
    size_t i = 0, n = sizeof roles / sizeof roles[0], made;
    struct message *m;

    while (i < n && !json_is(&role, roles[i].name))
        i++;
    if (i == n)
        return reader_wrong(
            rd, "role", "one of user, assistant, system, developer", role.type);
    m = roles[i].role == ROLE_ASSISTANT
            ? assistant(to, v->raw)
            : new_message(to, roles[i].role, v->raw);
    if (!read_content(rd, "content", &content, to->parts, &made))
        return false;
    to->parts += made;
    m->n_parts += made;
    return true;
}

static bool item_call(struct reader *rd, struct items *to, const struct json *v)
{
    struct part *p =
        add_part(to, assistant(to, v->raw), PART_TOOL_CALL, v->raw);

    if (!reader_object(rd, v, call_fields, p))
        return false;
    if (!p->name.len || !p->id.len)
        return reader_wrong(rd, p->name.len ? "call_id" : "name", "a string",
                            JSON_NONE);
    return true;
}

static bool item_result(struct reader *rd, struct items *to,
                        const struct json *v)
{
    struct message *m = new_message(to, ROLE_TOOL, v->raw);
    struct part *p = add_part(to, m, PART_TOOL_RESULT, v->raw);
    struct json id = json_get(v, "call_id"), output = json_get(v, "output");

    if (id.type != JSON_STRING)
        return reader_wrong(rd, "call_id", "a string", id.type);
    if (!json_text(&id, rd->a, &p->id))
        return reader_no_memory(rd);
    if (output.type == JSON_STRING) {
        p->text = (struct text){json_inner(&output), output.escaped};
        return true;
    }
    p->parts = to->parts;
    if (!read_content(rd, "output", &output, to->parts, &p->n_parts))
        return false;
    to->parts += p->n_parts;
    for (size_t i = 0; i < p->n_parts && !p->text.raw.len; i++)
        p->text = p->parts[i].text;
    return true;
}

/* Texts of a summary or of the reasoning itself, as one. */
static bool join_texts(struct reader *rd, const struct json *list,
                       struct text *out)
{
    struct json_iter it = json_begin(list);
    struct json one, text;
    size_t room = list->raw.len;
    char *dst;

    if (list->type != JSON_ARRAY || json_count(list) == 0)
        return true;
    dst = arena_alloc(rd->a, room + 1);
    if (!dst)
        return reader_no_memory(rd);
    *out = (struct text){{dst, 0}, true};
    while (json_next(&it, NULL, &one)) {
        struct span s;

        text = json_get(&one, "text");
        s = json_inner(&text);
        if (text.type != JSON_STRING)
            continue;
        if (out->raw.len) {
            memcpy(dst + out->raw.len, "\\n\\n", 4);
            out->raw.len += 4;
        }
        memcpy(dst + out->raw.len, s.ptr, s.len);
        out->raw.len += s.len;
    }
    return true;
}

static bool item_reasoning(struct reader *rd, struct items *to,
                           const struct json *v)
{
    struct part *p = add_part(to, assistant(to, v->raw), PART_THINKING, v->raw);
    struct json summary = json_get(v, "summary"),
                content = json_get(v, "content");

    if (!reader_object(rd, v, reasoning_fields, p) ||
        !join_texts(rd, &summary, &p->text) ||
        (!p->text.raw.len && !join_texts(rd, &content, &p->text)))
        return false;
    if (span_starts(p->signature, RESPONSES_REDACTED)) {
        p->redacted = true;
        p->signature.ptr += sizeof RESPONSES_REDACTED - 1;
        p->signature.len -= sizeof RESPONSES_REDACTED - 1;
    }
    return true;
}

static const struct {
    const char *type;
    bool (*read)(struct reader *rd, struct items *to, const struct json *v);
} item_rows[] = {
    {"message", item_message},
    {"function_call", item_call},
    {"custom_tool_call", item_call},
    {"function_call_output", item_result},
    {"custom_tool_call_output", item_result},
    {"reasoning", item_reasoning},
};

static bool read_item(struct reader *rd, struct items *to, const struct json *v)
{
    struct json type = json_get(v, "type");

    if (v->type != JSON_OBJECT)
        return reader_wrong(rd, "", "an object", v->type);
    if (type.type == JSON_NONE)
        return item_message(rd, to, v);
    for (size_t i = 0; i < sizeof item_rows / sizeof item_rows[0]; i++) {
        if (json_is(&type, item_rows[i].type))
            return item_rows[i].read(rd, to, v);
    }
    if (type.type != JSON_STRING)
        return reader_wrong(rd, "type", "a string", type.type);
    add_part(to, assistant(to, v->raw), PART_OTHER, v->raw);
    return true;
}

/* Parts that an item can become, at the most. */
static size_t parts_of(const struct json *item)
{
    struct json content = json_get(item, "content"),
                output = json_get(item, "output");

    return 2 + (content.type == JSON_ARRAY ? json_count(&content) : 0) +
           (output.type == JSON_ARRAY ? json_count(&output) : 0);
}

static bool read_items(struct reader *rd, struct items *to,
                       const struct json *list)
{
    struct json_iter it = json_begin(list);
    struct json one;

    for (int64_t i = 0; json_next(&it, NULL, &one); i++) {
        reader_enter(rd, "input", i);
        if (!read_item(rd, to, &one))
            return false;
        reader_leave(rd);
    }
    return true;
}

/* The instructions are a system message, the input the rest. */
bool responses_input_read(struct reader *rd, const struct responses_input *b,
                          struct request *r)
{
    struct json_iter it = json_begin(&b->input);
    struct items to = {r, NULL};
    struct json one;
    size_t n = 2, parts = 2, made;

    while (b->input.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        n++;
        parts += one.type == JSON_OBJECT ? parts_of(&one) : 1;
    }
    r->messages = arena_zalloc(rd->a, n, sizeof *r->messages);
    to.parts = arena_zalloc(rd->a, parts, sizeof *to.parts);
    if (!r->messages || !to.parts)
        return reader_no_memory(rd);
    if (b->instructions.type == JSON_STRING) {
        struct message *m = new_message(&to, ROLE_SYSTEM, b->instructions.raw);

        if (!read_content(rd, "instructions", &b->instructions, to.parts,
                          &made))
            return false;
        m->n_parts = made;
        to.parts += made;
    }
    if (b->input.type == JSON_ARRAY)
        return read_items(rd, &to, &b->input);
    if (b->input.type == JSON_STRING) {
        new_message(&to, ROLE_USER, b->input.raw)->n_parts = 1;
        return read_content(rd, "input", &b->input, to.parts, &made);
    }
    return b->held ||
           reader_wrong(rd, "input", "a string or an array", b->input.type);
}
