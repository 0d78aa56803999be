/* SPDX-License-Identifier: Apache-2.0 */
/* A request for a provider of the Responses API: copied where it came in this
 * dialect, else put together. */
#include "router/codec/carry.h"
#include "router/codec/effort.h"
#include "router/codec/logprobs.h"
#include "router/codec/put.h"
#include "router/codec/quirks.h"
#include "router/codec/responses.h"
#include "router/codec/state.h"

#include <math.h>

struct writing {
    const struct request *r;
    const struct target *t;
    struct losses *l;
    struct buf *out;
    size_t i;     /* the message's place */
    bool reasons; /* reasoning is to come back encrypted */
};

/* The items but for reasoning, which is another model's. */
static void copy_input(struct writing *w, const struct json *input)
{
    struct json_iter it = json_begin(input);
    struct json item, type;
    size_t i = 0;

    buf_char(w->out, '[');
    for (; json_next(&it, NULL, &item); i++) {
        type = json_get(&item, "type");
        if (json_is(&type, "reasoning")) {
            lossy_add(w->l, LOSSY_THINKING, "input[%zu]", i);
            continue;
        }
        put_comma(w->out);
        buf_span(w->out, item.raw);
    }
    buf_char(w->out, ']');
}

static void copy_body(struct writing *w)
{
    struct json top = {JSON_OBJECT, false, span_trim(w->r->body)};
    struct json_iter it = json_begin(&top);
    struct json key, v;
    bool streamed = false;

    while (json_next(&it, &key, &v)) {
        put_comma(w->out);
        buf_span(w->out, key.raw);
        buf_char(w->out, ':');
        if (json_is(&key, "model"))
            buf_json_str(w->out, w->t->model);
        else if (json_is(&key, "stream"))
            buf_str(w->out, w->t->stream ? "true" : "false");
        else if (json_is(&key, "input") && v.type == JSON_ARRAY &&
                 !w->t->same_model)
            copy_input(w, &v);
        else
            buf_span(w->out, v.raw);
        streamed = streamed || json_is(&key, "stream");
    }
    if (w->t->stream && !streamed)
        put_bool(w->out, "stream", true);
}

/* ---- content ---- */

static void open_part(struct writing *w, const char *type)
{
    put_comma(w->out);
    buf_char(w->out, '{');
    put_cstr(w->out, "type", type);
}

static void put_data(struct writing *w, const char *name, const struct part *p,
                     const char *media)
{
    put_key(w->out, name);
    buf_str(w->out, "\"data:");
    put_plain(w->out, p->media.len ? p->media : span_of(media));
    buf_str(w->out, ";base64,");
    put_plain(w->out, p->data);
    buf_char(w->out, '"');
}

static void put_image(struct writing *w, const struct part *p)
{
    if (!p->data.len && !span_starts(p->url, "http")) {
        lossy_add(w->l, LOSSY_IMAGE, "messages[%zu]", w->i);
        return;
    }
    open_part(w, "input_image");
    put_cstr(w->out, "detail", "auto");
    if (p->data.len)
        put_data(w, "image_url", p, "image/png");
    else
        put_str(w->out, "image_url", p->url);
    buf_char(w->out, '}');
}

static void put_text_part(struct writing *w, const char *type,
                          const struct part *p)
{
    open_part(w, type);
    put_text(w->out, "text", p->text);
    buf_char(w->out, '}');
    if (p->cache.len)
        lossy_add(w->l, LOSSY_CACHE_CONTROL, "messages[%zu]", w->i);
}

static void put_file(struct writing *w, const struct part *p)
{
    if (p->text.raw.len) {
        put_text_part(w, "input_text", p);
        return;
    }
    for (size_t i = 0; i < p->n_parts; i++) {
        if (p->parts[i].kind == PART_TEXT)
            put_text_part(w, "input_text", &p->parts[i]);
    }
    if (p->n_parts)
        return;
    if (!p->data.len && !span_starts(p->url, "http")) {
        lossy_add(w->l, LOSSY_FILE, "messages[%zu]", w->i);
        return;
    }
    open_part(w, "input_file");
    if (p->data.len) {
        put_str(w->out, "filename",
                p->name.len ? p->name : SPAN("document.pdf"));
        put_data(w, "file_data", p, "application/pdf");
    } else {
        put_str(w->out, "file_url", p->url);
    }
    buf_char(w->out, '}');
}

static void put_part(struct writing *w, const struct part *p, bool said)
{
    switch (p->kind) {
    case PART_TEXT:
        put_text_part(w, said ? "output_text" : "input_text", p);
        break;
    case PART_REFUSAL:
        open_part(w, "refusal");
        put_text(w->out, "refusal", p->text);
        buf_char(w->out, '}');
        break;
    case PART_IMAGE:
        put_image(w, p);
        break;
    case PART_FILE:
        put_file(w, p);
        break;
    case PART_AUDIO:
        lossy_add(w->l, LOSSY_AUDIO, "messages[%zu]", w->i);
        break;
    default:
        lossy_add(w->l, LOSSY_OTHER, "messages[%zu]", w->i);
    }
}

static bool is_content(const struct part *p)
{
    return p->kind == PART_TEXT || p->kind == PART_REFUSAL ||
           p->kind == PART_IMAGE || p->kind == PART_FILE ||
           p->kind == PART_AUDIO;
}

/* A run of content as one message item; returns how many parts it took. */
static size_t put_run(struct writing *w, const struct message *m, size_t from,
                      const char *role)
{
    size_t n = 0;
    bool said = m->role == ROLE_ASSISTANT;

    put_comma(w->out);
    buf_char(w->out, '{');
    put_cstr(w->out, "type", "message");
    put_cstr(w->out, "role", role);
    put_list(w->out, "content");
    while (from + n < m->n_parts && is_content(&m->parts[from + n]))
        put_part(w, &m->parts[from + n++], said);
    buf_str(w->out, "]}");
    return n;
}

/* ---- items ---- */

static void put_call(struct writing *w, const struct part *p)
{
    open_part(w, "function_call");
    put_str(w->out, "call_id", p->id);
    put_str(w->out, "name", p->name);
    put_arguments(w->out, "arguments", p->text, p->text_is_json);
    buf_char(w->out, '}');
    if (p->signature.len)
        lossy_add(w->l, LOSSY_SIGNATURE, "messages[%zu]", w->i);
}

static void put_output_text(struct writing *w, const struct part *p)
{
    put_key(w->out, "output");
    if (p->text_is_json) {
        buf_json_str(w->out, p->text.raw);
        return;
    }
    buf_char(w->out, '"');
    buf_str(w->out, p->is_error ? "Error: " : "");
    buf_span(w->out, p->text.raw);
    buf_char(w->out, '"');
}

static void put_result(struct writing *w, const struct part *p)
{
    open_part(w, "function_call_output");
    put_str(w->out, "call_id", p->id);
    if (p->n_parts) {
        put_list(w->out, "output");
        for (size_t i = 0; i < p->n_parts; i++)
            put_part(w, &p->parts[i], false);
        buf_char(w->out, ']');
    } else {
        put_output_text(w, p);
    }
    buf_char(w->out, '}');
    if (p->is_error)
        lossy_add(w->l, LOSSY_ERROR_FLAG, "messages[%zu]", w->i);
    if (p->cache.len)
        lossy_add(w->l, LOSSY_CACHE_CONTROL, "messages[%zu]", w->i);
}

/* Reasoning goes back only whole: with what its provider encrypted. */
static void put_thinking(struct writing *w, const struct part *p)
{
    bool item = p->raw.len && p->raw.ptr[0] == '{';

    if (w->t->same_dialect && w->t->same_model && item) {
        put_comma(w->out);
        buf_span(w->out, p->raw);
        return;
    }
    lossy_add(w->l, LOSSY_THINKING, "messages[%zu]", w->i);
}

static void put_other(struct writing *w, const struct part *p)
{
    if (w->t->same_dialect && p->raw.len) {
        put_comma(w->out);
        buf_span(w->out, p->raw);
        return;
    }
    lossy_add(w->l, LOSSY_BUILTIN_TOOL, "messages[%zu]", w->i);
}

static void put_message(struct writing *w, const struct message *m)
{
    static const char *const roles[] = {
        [ROLE_SYSTEM] = "system",
        [ROLE_USER] = "user",
        [ROLE_ASSISTANT] = "assistant",
        [ROLE_TOOL] = "user",
    };

    for (size_t i = 0; i < m->n_parts;) {
        const struct part *p = &m->parts[i];

        if (is_content(p)) {
            i += put_run(w, m, i, roles[m->role]);
            continue;
        }
        if (p->kind == PART_TOOL_CALL)
            put_call(w, p);
        else if (p->kind == PART_TOOL_RESULT)
            put_result(w, p);
        else if (p->kind == PART_THINKING)
            put_thinking(w, p);
        else
            put_other(w, p);
        i++;
    }
}

/* ---- the rest of the body ---- */

static void put_tool(struct writing *w, const struct tool *t, size_t i)
{
    if (t->builtin) {
        lossy_add(w->l, LOSSY_BUILTIN_TOOL, "tools[%zu]", i);
        return;
    }
    open_part(w, "function");
    put_str(w->out, "name", t->name);
    if (t->description.raw.len)
        put_text(w->out, "description", t->description);
    put_raw(w->out, "parameters",
            t->schema.len ? t->schema
                          : SPAN("{\"type\":\"object\",\"properties\":{}}"));
    put_bool(w->out, "strict", t->strict); /* unsaid it would be true */
    buf_char(w->out, '}');
    if (t->cache.len)
        lossy_add(w->l, LOSSY_CACHE_CONTROL, "tools[%zu]", i);
}

static void put_choice(struct writing *w)
{
    const struct params *p = &w->r->params;

    if (p->tool_choice == CHOICE_NONE)
        put_cstr(w->out, "tool_choice", "none");
    if (p->tool_choice == CHOICE_REQUIRED)
        put_cstr(w->out, "tool_choice", "required");
    if (p->tool_choice != CHOICE_NAMED)
        return;
    put_open(w->out, "tool_choice");
    put_cstr(w->out, "type", "function");
    put_str(w->out, "name", p->tool_name);
    buf_char(w->out, '}');
}

static void put_tools(struct writing *w)
{
    if (!w->r->n_tools)
        return;
    put_list(w->out, "tools");
    for (size_t i = 0; i < w->r->n_tools; i++)
        put_tool(w, &w->r->tools[i], i);
    buf_char(w->out, ']');
    put_choice(w);
    if (w->r->params.parallel_tool_calls >= 0)
        put_bool(w->out, "parallel_tool_calls",
                 w->r->params.parallel_tool_calls);
}

static void put_format(struct writing *w)
{
    const struct params *p = &w->r->params;
    struct span verbosity = {NULL, 0};

    for (size_t i = 0; i < w->r->n_extras; i++) {
        if (span_is(w->r->extras[i].name, "verbosity"))
            verbosity = w->r->extras[i].value;
    }
    if (p->format == FORMAT_TEXT && !verbosity.len)
        return;
    put_open(w->out, "text");
    if (verbosity.len)
        put_raw(w->out, "verbosity", verbosity);
    if (p->format == FORMAT_JSON)
        put_raw(w->out, "format", SPAN("{\"type\":\"json_object\"}"));
    if (p->format == FORMAT_JSON_SCHEMA) {
        put_open(w->out, "format");
        put_cstr(w->out, "type", "json_schema");
        put_str(w->out, "name",
                p->schema_name.len ? p->schema_name : SPAN("response"));
        if (p->schema.len)
            put_raw(w->out, "schema", p->schema);
        if (p->schema_strict >= 0)
            put_bool(w->out, "strict", p->schema_strict);
        buf_char(w->out, '}');
    }
    buf_char(w->out, '}');
}

static void put_number(struct writing *w, const char *name, double v)
{
    uint32_t rules =
        quirks_of_model(quirks_find(SPAN("openai"), SPAN("")), w->t->model);

    if (isnan(v) || (rules & RULE_NO_SAMPLING && v > 1 - 1e-9 && v < 1 + 1e-9))
        return;
    if (rules & RULE_NO_SAMPLING)
        lossy_add(w->l, LOSSY_PARAMETER, "%s", name);
    else
        put_num(w->out, name, v);
}

static void put_effort(struct writing *w)
{
    bool rounded;
    struct span effort = effort_of(&w->r->params, &rounded);

    if (!effort.len || effort_refused(w->t)) {
        if (effort.len && !span_is(effort, "none"))
            lossy_add(w->l, LOSSY_REASONING, "reasoning");
        return;
    }
    put_open(w->out, "reasoning");
    put_str(w->out, "effort", effort);
    if (w->r->params.show_thinking)
        put_cstr(w->out, "summary", "auto");
    buf_char(w->out, '}');
    if (rounded)
        lossy_add(w->l, LOSSY_REASONING, "reasoning.effort=%.*s",
                  SPAN_ARGS(effort));
    w->reasons = true;
}

/* What the answer is to hold beside its text. */
static void put_include(struct writing *w)
{
    const struct params *p = &w->r->params;
    bool probs = p->logprobs && logprobs_known(w->t->of);

    if (p->logprobs && !probs)
        lossy_add(w->l, LOSSY_LOGPROBS, "logprobs");
    if (!probs && !w->reasons)
        return;
    put_list(w->out, "include");
    if (w->reasons)
        buf_str(w->out, "\"reasoning.encrypted_content\"");
    if (probs) {
        put_comma(w->out);
        buf_str(w->out, "\"message.output_text.logprobs\"");
    }
    buf_char(w->out, ']');
    if (probs && p->top_logprobs > 0)
        put_int(w->out, "top_logprobs", p->top_logprobs);
}

/* What chat has and this API has not. */
static void lose_params(struct writing *w)
{
    const struct params *p = &w->r->params;

    if (p->n > 1)
        lossy_add(w->l, LOSSY_N, "n");
    if (p->stop.len && !span_is(p->stop, "null"))
        lossy_add(w->l, LOSSY_STOP, "stop");
    if (p->seed != INT64_MIN)
        lossy_add(w->l, LOSSY_PARAMETER, "seed");
    if (p->top_k >= 0)
        lossy_add(w->l, LOSSY_PARAMETER, "top_k");
    if (!isnan(p->frequency_penalty))
        lossy_add(w->l, LOSSY_PARAMETER, "frequency_penalty");
    if (!isnan(p->presence_penalty))
        lossy_add(w->l, LOSSY_PARAMETER, "presence_penalty");
}

static void put_rest(struct writing *w)
{
    const struct params *p = &w->r->params;
    bool store = false;

    for (size_t i = 0; i < w->r->n_extras; i++) {
        const struct extra *x = &w->r->extras[i];

        if (!extra_is_shared(x->name)) {
            lossy_add(w->l, LOSSY_PARAMETER, "%.*s", SPAN_ARGS(x->name));
            continue;
        }
        store = store || span_is(x->name, "store");
        if (span_is(x->name, "verbosity"))
            continue;
        put_comma(w->out);
        buf_json_str(w->out, x->name);
        buf_char(w->out, ':');
        buf_span(w->out, x->value);
    }
    if (!store) /* nobody asked the provider to keep it */
        put_bool(w->out, "store", false);
    if (p->metadata.len)
        put_raw(w->out, "metadata", p->metadata);
    if (p->user.len)
        put_str(w->out, "user", p->user);
    if (span_is(p->service_tier, "standard_only"))
        lossy_add(w->l, LOSSY_PARAMETER, "service_tier");
    else if (p->service_tier.len)
        put_str(w->out, "service_tier", p->service_tier);
}

static void put_body(struct writing *w)
{
    put_str(w->out, "model", w->t->model);
    put_list(w->out, "input");
    for (w->i = 0; w->i < w->r->n_messages; w->i++)
        put_message(w, &w->r->messages[w->i]);
    buf_char(w->out, ']');
    put_tools(w);
    if (w->r->params.max_tokens >= 0) /* 16 at the least */
        put_int(w->out, "max_output_tokens",
                w->r->params.max_tokens < 16 ? 16 : w->r->params.max_tokens);
    if (w->r->params.max_tokens >= 0 && w->r->params.max_tokens < 16)
        lossy_add(w->l, LOSSY_CLAMPED, "max_output_tokens");
    put_number(w, "temperature", w->r->params.temperature);
    put_number(w, "top_p", w->r->params.top_p);
    put_format(w);
    put_effort(w);
    put_include(w);
    lose_params(w);
    put_rest(w);
    if (w->t->stream)
        put_bool(w->out, "stream", true);
}

bool responses_request_write(const struct request *r, const struct target *t,
                             struct losses *l, struct buf *out, struct err *e)
{
    struct writing w = {r, t, l, out, 0, false};

    buf_char(out, '{');
    if (t->same_dialect && r->body.len)
        copy_body(&w);
    else if (!state_portable(r, e))
        return false;
    else
        put_body(&w);
    if (!t->same_dialect)
        carry_no_signatures(r, l);
    buf_char(out, '}');
    return !out->failed ||
           err_set(e, ERR_MEMORY, "request too large to pass on");
}
