/* SPDX-License-Identifier: Apache-2.0 */
/* Anthropic messages: the row, the tables, and the shapes beside messages. */
#include "router/codec/anthropic.h"

#include <string.h>
#include <time.h>

/* ---- tables ---- */

/* The first row of a finish is what it is written as. */
static const struct {
    const char *name;
    enum finish finish;
} finishes[] = {
    {"end_turn", FINISH_STOP},
    {"stop_sequence", FINISH_SEQUENCE},
    {"max_tokens", FINISH_LENGTH},
    {"model_context_window_exceeded", FINISH_CONTEXT},
    {"tool_use", FINISH_TOOLS},
    {"refusal", FINISH_REFUSAL},
    {"refusal", FINISH_FILTER},
    {"pause_turn", FINISH_PAUSE},
};

enum { FINISHES = sizeof finishes / sizeof finishes[0] };

enum finish anthropic_finish(struct span stop_reason)
{
    for (unsigned i = 0; i < FINISHES; i++) {
        if (span_is(stop_reason, finishes[i].name))
            return finishes[i].finish;
    }
    return FINISH_OTHER;
}

const char *anthropic_stop_reason(enum finish f)
{
    for (unsigned i = 0; i < FINISHES; i++) {
        if (f == finishes[i].finish)
            return finishes[i].name;
    }
    return NULL;
}

/* The first row of a type is the status that it stands for. */
static const struct {
    const char *type;
    int status;
} errors[] = {
    {"invalid_request_error", 400},
    {"authentication_error", 401},
    {"billing_error", 402},
    {"permission_error", 403},
    {"not_found_error", 404},
    {"timeout_error", 408},
    {"invalid_request_error", 409},
    {"request_too_large", 413},
    {"invalid_request_error", 422},
    {"rate_limit_error", 429},
    {"api_error", 500},
    {"overloaded_error", 529},
    {"overloaded_error", 503},
    {"timeout_error", 504},
};

enum { ERRORS = sizeof errors / sizeof errors[0] };

const char *anthropic_error_type(int status)
{
    for (unsigned i = 0; i < ERRORS; i++) {
        if (errors[i].status == status)
            return errors[i].type;
    }
    return status >= 400 && status < 500 ? "invalid_request_error"
                                         : "api_error";
}

int anthropic_error_status(struct span type)
{
    for (unsigned i = 0; i < ERRORS; i++) {
        if (span_is(type, errors[i].type))
            return errors[i].status;
    }
    return 500;
}

/* ---- raw JSON of this dialect ---- */

static bool type_of(struct span json, struct span *type)
{
    struct json obj = {JSON_OBJECT, false, json}, v;

    if (json.len == 0 || json.ptr[0] != '{')
        return false;
    v = json_get(&obj, "type");
    *type = json_inner(&v);
    return v.type == JSON_STRING;
}

static bool ends(struct span s, const char *with)
{
    size_t n = strlen(with);

    return s.len >= n && !memcmp(s.ptr + s.len - n, with, n);
}

bool anthropic_is_block(struct span json)
{
    static const char *const names[] = {
        "server_tool_use",
        "mcp_tool_use",
        "container_upload",
        "compaction",
    };
    struct span type;

    if (!type_of(json, &type))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (span_is(type, names[i]))
            return true;
    }
    return ends(type, "_tool_result");
}

bool anthropic_is_delta(struct span json)
{
    struct span type;

    return type_of(json, &type) && ends(type, "_delta");
}

bool anthropic_is_thinking(const struct part *p)
{
    return p->kind == PART_THINKING;
}

static bool foreign(const struct part *p)
{
    if (p->kind == PART_TOOL_CALL)
        return p->signature.len > 0;
    return p->kind == PART_THINKING && p->signature.len == 0;
}

bool anthropic_has_foreign(const struct request *r)
{
    for (size_t i = 0; i < r->n_messages; i++) {
        for (size_t j = 0; j < r->messages[i].n_parts; j++) {
            if (foreign(&r->messages[i].parts[j]))
                return true;
        }
    }
    return false;
}

/* ---- errors ---- */

void anthropic_write_error(const struct anthropic_error *p, struct buf *out)
{
    buf_str(out, "{\"type\":\"error\",\"error\":{\"type\":");
    buf_json_str(out, p->type.len ? p->type
                                  : span_of(anthropic_error_type(p->status)));
    buf_str(out, ",\"message\":");
    buf_json_str(out, p->message);
    buf_str(out, "},\"request_id\":");
    if (p->request_id.len)
        buf_json_str(out, p->request_id);
    else
        buf_str(out, "null");
    buf_char(out, '}');
}

void anthropic_write_stream_error(const struct anthropic_error *p,
                                  struct buf *out)
{
    buf_str(out, "event: error\ndata: ");
    anthropic_write_error(p, out);
    buf_str(out, "\n\n");
}

/* ---- token counts ---- */

void anthropic_write_count(int64_t input_tokens, struct buf *out)
{
    buf_printf(out, "{\"input_tokens\":%lld}", (long long)input_tokens);
}

bool anthropic_read_count(struct span body, int64_t *input_tokens,
                          struct err *e)
{
    struct json top, n;

    if (!json_parse(body, &top, e))
        return err_wrap(e, "count");
    n = json_get(&top, "input_tokens");
    return json_i64(&n, input_tokens) ||
           err_set(e, ERR_INPUT,
                   "count: wanted input_tokens as a number, found %s",
                   json_type_name(n.type));
}

/* ---- models ---- */

static void write_date(int64_t seconds, struct buf *out)
{
    time_t t = (time_t)seconds;
    char text[32];
    struct tm tm;

    if (!gmtime_r(&t, &tm) ||
        !strftime(text, sizeof text, "\"%Y-%m-%dT%H:%M:%SZ\"", &tm))
        buf_str(out, "\"1970-01-01T00:00:00Z\"");
    else
        buf_str(out, text);
}

static void write_limit(const char *name, int64_t n, struct buf *out)
{
    if (n > 0)
        buf_printf(out, ",\"%s\":%lld", name, (long long)n);
    else
        buf_printf(out, ",\"%s\":null", name);
}

void anthropic_write_model(const struct anthropic_model *m, struct buf *out)
{
    buf_str(out, "{\"type\":\"model\",\"id\":");
    buf_json_str(out, m->id);
    buf_str(out, ",\"display_name\":");
    buf_json_str(out, m->display_name.len ? m->display_name : m->id);
    buf_str(out, ",\"created_at\":");
    write_date(m->created, out);
    write_limit("max_input_tokens", m->max_input, out);
    write_limit("max_tokens", m->max_output, out);
    buf_char(out, '}');
}

static void write_id(const struct anthropic_model *m, struct buf *out)
{
    if (m)
        buf_json_str(out, m->id);
    else
        buf_str(out, "null");
}

void anthropic_write_models(const struct anthropic_model *m, size_t n,
                            struct buf *out)
{
    buf_str(out, "{\"data\":[");
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(out, ',');
        anthropic_write_model(&m[i], out);
    }
    buf_str(out, "],\"has_more\":false,\"first_id\":");
    write_id(n ? m : NULL, out);
    buf_str(out, ",\"last_id\":");
    write_id(n ? &m[n - 1] : NULL, out);
    buf_char(out, '}');
}

/* ---- the row ---- */

const struct codec codec_anthropic = {
    .name = "anthropic",
    .framing = FRAMING_SSE,
    .request_read = anthropic_request_read,
    .request_write = anthropic_request_write,
    .wants_data = anthropic_wants_data,
    .answer_read = anthropic_answer_read,
    .reader_size = ANTHROPIC_READER_SIZE,
    .stream_read = anthropic_stream_read,
    .stream_end = anthropic_stream_end,
    .writer_size = ANTHROPIC_WRITER_SIZE,
    .stream_write = anthropic_stream_write,
    .answer_write = anthropic_answer_write,
    .stream_type = "text/event-stream; charset=utf-8",
};
