/* SPDX-License-Identifier: Apache-2.0 */
/* The dialects that clients speak, but for OpenAI chat's row (openai.c): what
 * is not translation. */
#include "router/codec/dialect.h"

#include <string.h>

#include "router/codec/anthropic.h"
#include "router/codec/embeddings.h"
#include "router/codec/openai.h"

static const struct dialect_ops *const rows[] = {
    &dialect_openai,     &dialect_responses, &dialect_completions,
    &dialect_embeddings, &dialect_anthropic, &dialect_gemini,
};

enum { ROWS = sizeof rows / sizeof rows[0] };

const struct dialect_ops *dialect_at(unsigned i)
{
    return i < ROWS ? rows[i] : NULL;
}

const struct dialect_ops *dialect_find(const char *name)
{
    for (unsigned i = 0; i < ROWS; i++) {
        if (!strcmp(rows[i]->name, name))
            return rows[i];
    }
    return NULL;
}

static bool rename_model(const struct request *r, const struct splice *s,
                         struct arena *a, struct span *out, struct err *e)
{
    return dialect_rename(r, s->model, a, out, e);
}

/* Anthropic, Gemini and OpenAI agree on where an error stands. */
static bool has_error(struct span body)
{
    struct json top, error;

    if (!json_parse(body, &top, NULL))
        return false;
    error = json_get(&top, "error");
    return error.type == JSON_OBJECT;
}

/* ---- Responses ---- */

static void responses_stream_error(const struct problem *p, struct buf *out)
{
    buf_str(out, "event: error\ndata: {\"type\":\"error\",\"code\":");
    buf_json_str(out, span_of(p->code ? p->code : p->kind));
    buf_str(out, ",\"message\":");
    buf_json_str(out, span_of(p->message));
    buf_printf(out, ",\"param\":null,\"sequence_number\":%llu}\n\n",
               (unsigned long long)p->sequence);
}

const struct dialect_ops dialect_responses = {
    .name = "responses",
    .codec = "responses",
    .splice = rename_model,
    .is_error = has_error,
    .write_error = openai_write_error,
    .write_stream_error = responses_stream_error,
    .end_mark = "",
    .ping = ": waiting\n\n",
};

/* ---- OpenAI's older completions, and embeddings ---- */

const struct dialect_ops dialect_completions = {
    .name = "completions",
    .codec = "completions",
    .kin = "openai",
    .is_error = has_error,
    .write_error = openai_write_error,
    .write_stream_error = openai_write_stream_error,
    .end_mark = "data: [DONE]\n\n",
    .ping = ": waiting\n\n",
};

/* Passed on as they came: nothing is translated, nothing streamed. */
const struct dialect_ops dialect_embeddings = {
    .name = "embeddings",
    .codec = "openai",
    .decode = embeddings_decode,
    .splice = rename_model,
    .read = embeddings_look,
    .is_error = openai_is_error,
    .write_error = openai_write_error,
    .write_stream_error = openai_write_stream_error,
    .end_mark = "",
    .ping = "",
};

/* ---- Anthropic ---- */

static struct anthropic_error anthropic_of(const struct problem *p)
{
    return (struct anthropic_error){.status = p->status,
                                    .message = span_of(p->message)};
}

static void anthropic_error(const struct problem *p, struct buf *out)
{
    struct anthropic_error error = anthropic_of(p);

    anthropic_write_error(&error, out);
}

static void anthropic_stream_error(const struct problem *p, struct buf *out)
{
    struct anthropic_error error = anthropic_of(p);

    anthropic_write_stream_error(&error, out);
}

const struct dialect_ops dialect_anthropic = {
    .name = "anthropic",
    .codec = "anthropic",
    .splice = rename_model,
    .is_error = has_error,
    .write_error = anthropic_error,
    .write_stream_error = anthropic_stream_error,
    .end_mark = "",
    .ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n",
};

/* ---- Gemini ---- */

static const struct {
    int status;
    const char *name;
} gemini_names[] = {
    {400, "INVALID_ARGUMENT"},
    {401, "UNAUTHENTICATED"},
    {403, "PERMISSION_DENIED"},
    {404, "NOT_FOUND"},
    {405, "INVALID_ARGUMENT"},
    {408, "DEADLINE_EXCEEDED"},
    {409, "ABORTED"},
    {413, "INVALID_ARGUMENT"},
    {429, "RESOURCE_EXHAUSTED"},
    {499, "CANCELLED"},
    {500, "INTERNAL"},
    {501, "UNIMPLEMENTED"},
    {503, "UNAVAILABLE"},
    {504, "DEADLINE_EXCEEDED"},
};

static const char *gemini_name(int status)
{
    for (unsigned i = 0; i < sizeof gemini_names / sizeof *gemini_names; i++) {
        if (gemini_names[i].status == status)
            return gemini_names[i].name;
    }
    return status < 500 ? "INVALID_ARGUMENT" : "UNAVAILABLE";
}

static void gemini_error(const struct problem *p, struct buf *out)
{
    buf_printf(out, "{\"error\":{\"code\":%d,\"message\":", p->status);
    buf_json_str(out, span_of(p->message));
    buf_printf(out, ",\"status\":\"%s\"}}", gemini_name(p->status));
}

static void gemini_stream_error(const struct problem *p, struct buf *out)
{
    buf_str(out, "data: ");
    gemini_error(p, out);
    buf_str(out, "\n\n");
}

const struct dialect_ops dialect_gemini = {
    .name = "gemini",
    .codec = "gemini",
    .splice = rename_model,
    .is_error = has_error,
    .write_error = gemini_error,
    .write_stream_error = gemini_stream_error,
    .end_mark = "",
    .ping = ": waiting\n\n",
};
