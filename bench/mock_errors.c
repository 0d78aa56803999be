/* SPDX-License-Identifier: Apache-2.0 */
/* The dialects' rows, and errors in each one's own shape.  Written here and
 * not by the codecs: the router reads them. */
#include "bench/mock_openai.h"

#include "router/codec/aws_stream.h"
#include "router/codec/put.h"

#include <string.h>

struct error_row {
    int status;
    const char *openai, *code, *anthropic, *google, *amazon;
};

static const struct error_row rows[] = {
    {400, "invalid_request_error", NULL, "invalid_request_error",
     "INVALID_ARGUMENT", "ValidationException"},
    {401, "invalid_request_error", "invalid_api_key", "authentication_error",
     "UNAUTHENTICATED", "UnrecognizedClientException"},
    {402, "insufficient_quota", "insufficient_quota", "billing_error",
     "FAILED_PRECONDITION", "AccessDeniedException"},
    {403, "permission_error", NULL, "permission_error", "PERMISSION_DENIED",
     "AccessDeniedException"},
    {404, "invalid_request_error", "model_not_found", "not_found_error",
     "NOT_FOUND", "ResourceNotFoundException"},
    {408, "server_error", NULL, "timeout_error", "DEADLINE_EXCEEDED",
     "ModelTimeoutException"},
    {413, "invalid_request_error", NULL, "request_too_large",
     "INVALID_ARGUMENT", "ValidationException"},
    {422, "invalid_request_error", NULL, "invalid_request_error",
     "INVALID_ARGUMENT", "ValidationException"},
    {424, "server_error", NULL, "api_error", "INTERNAL", "ModelErrorException"},
    {429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error",
     "RESOURCE_EXHAUSTED", "ThrottlingException"},
    {500, "server_error", NULL, "api_error", "INTERNAL",
     "InternalServerException"},
    {503, "server_error", NULL, "api_error", "UNAVAILABLE",
     "ServiceUnavailableException"},
    {504, "server_error", NULL, "timeout_error", "DEADLINE_EXCEEDED",
     "ModelTimeoutException"},
    {529, "server_error", NULL, "overloaded_error", "UNAVAILABLE",
     "ServiceUnavailableException"},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

/* The status's own row; else that of its hundred. */
static const struct error_row *row_of(int status)
{
    int near = status >= 500 ? 500 : 400;
    const struct error_row *found = NULL;

    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].status == status || (!found && rows[i].status == near))
            found = &rows[i];
    }
    return found;
}

const char *mock_amazon_error(int status)
{
    return row_of(status)->amazon;
}

static void put_or_null(struct buf *out, const char *name, const char *value)
{
    if (value)
        put_cstr(out, name, value);
    else
        put_raw(out, name, SPAN("null"));
}

/* ---- OpenAI ---- */

static void openai_inner(const struct mock_error *p, struct buf *out)
{
    const struct error_row *row = row_of(p->status);

    put_cstr(out, "message", p->message);
    put_cstr(out, "type", p->type ? p->type : row->openai);
    put_or_null(out, "param", p->param);
    put_or_null(out, "code", p->code ? p->code : row->code);
}

static void openai_error(const struct mock_error *p, struct buf *out)
{
    buf_str(out, "{\"error\":{");
    openai_inner(p, out);
    buf_str(out, "}}");
}

static void openai_stream_error(const struct mock_error *p, struct buf *out)
{
    buf_str(out, "data: ");
    openai_error(p, out);
    buf_str(out, "\n\n");
}

static void responses_stream_error(const struct mock_error *p, struct buf *out)
{
    const struct error_row *row = row_of(p->status);

    buf_str(out, "event: error\ndata: {\"type\":\"error\"");
    put_cstr(out, "code", row->code ? row->code : row->openai);
    put_cstr(out, "message", p->message);
    put_raw(out, "param", SPAN("null"));
    put_int(out, "sequence_number", p->events);
    buf_str(out, "}\n\n");
}

/* ---- Anthropic ---- */

static void anthropic_error(const struct mock_error *p, struct buf *out)
{
    buf_str(out, "{\"type\":\"error\",\"error\":{");
    put_cstr(out, "type", p->type ? p->type : row_of(p->status)->anthropic);
    put_cstr(out, "message", p->message);
    buf_str(out, "},\"request_id\":\"req_mock\"}");
}

static void anthropic_stream_error(const struct mock_error *p, struct buf *out)
{
    buf_str(out, "event: error\ndata: ");
    anthropic_error(p, out);
    buf_str(out, "\n\n");
}

/* ---- Gemini ---- */

static void gemini_error(const struct mock_error *p, struct buf *out)
{
    buf_str(out, "{\"error\":{");
    put_int(out, "code", p->status);
    put_cstr(out, "message", p->message);
    put_cstr(out, "status", p->type ? p->type : row_of(p->status)->google);
    buf_str(out, "}}");
}

static void gemini_stream_error(const struct mock_error *p, struct buf *out)
{
    buf_str(out, "data: ");
    gemini_error(p, out);
    buf_str(out, "\n\n");
}

/* ---- Bedrock: the type is in a header ---- */

static void bedrock_error(const struct mock_error *p, struct buf *out)
{
    buf_char(out, '{');
    put_cstr(out, "message", p->message);
    buf_char(out, '}');
}

static void bedrock_stream_error(const struct mock_error *p, struct buf *out)
{
    struct buf data;
    char name[64];

    buf_init(&data, 1 << 16);
    bedrock_error(p, &data);
    /* Events begin with a small letter, the header with a capital. */
    span_copy(name, sizeof name, span_of(row_of(p->status)->amazon));
    name[0] = (char)(name[0] | 32);
    aws_stream_write(out, "exception", span_of(name), buf_view(&data));
    buf_free(&data);
}

/* ---- Cohere ---- */

static void cohere_error(const struct mock_error *p, struct buf *out)
{
    buf_char(out, '{');
    put_cstr(out, "id", "00000000-0000-4000-8000-000000000000");
    put_cstr(out, "message", p->message);
    buf_char(out, '}');
}

static void cohere_stream_error(const struct mock_error *p, struct buf *out)
{
    buf_str(out, "event: message-end\ndata: {\"type\":\"message-end\","
                 "\"delta\":{");
    put_cstr(out, "error", p->message);
    buf_str(out, ",\"finish_reason\":\"ERROR\"}}\n\n");
}

/* ---- the rows ---- */

const struct mock_dialect mock_openai = {
    .name = "openai",
    .codec = &codec_openai,
    .id = "chatcmpl-",
    .call = "call_",
    .whole = mock_openai_whole,
    .frame = mock_openai_frame,
    .error = openai_error,
    .stream_error = openai_stream_error,
    .request_id = "x-request-id",
    .limits = "x-ratelimit-",
};

const struct mock_dialect mock_responses = {
    .name = "responses",
    .codec = &codec_responses,
    .id = "resp_",
    .call = "call_",
    .error = openai_error,
    .stream_error = responses_stream_error,
    .request_id = "x-request-id",
    .limits = "x-ratelimit-",
};

const struct mock_dialect mock_anthropic = {
    .name = "anthropic",
    .codec = &codec_anthropic,
    .id = "msg_",
    .call = "toolu_",
    .error = anthropic_error,
    .stream_error = anthropic_stream_error,
    .request_id = "request-id",
    .limits = "anthropic-ratelimit-",
};

const struct mock_dialect mock_gemini = {
    .name = "gemini",
    .codec = &codec_gemini,
    .id = "",
    .error = gemini_error,
    .stream_error = gemini_stream_error,
};

const struct mock_dialect mock_bedrock = {
    .name = "bedrock",
    .codec = &codec_bedrock,
    .id = "",
    .call = "tooluse_",
    .error = bedrock_error,
    .stream_error = bedrock_stream_error,
    .request_id = "x-amzn-requestid",
};

const struct mock_dialect mock_cohere = {
    .name = "cohere",
    .codec = &codec_cohere,
    .id = "",
    .call = "call_",
    .error = cohere_error,
    .stream_error = cohere_stream_error,
    .request_id = "x-debug-trace-id",
};

const struct mock_dialect *mock_dialect_find(const char *name)
{
    static const struct mock_dialect *const all[] = {
        &mock_openai, &mock_responses, &mock_anthropic,
        &mock_gemini, &mock_bedrock,   &mock_cohere,
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (!strcmp(all[i]->name, name))
            return all[i];
    }
    return NULL;
}
