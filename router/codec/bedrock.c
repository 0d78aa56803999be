/* SPDX-License-Identifier: Apache-2.0 */
/* The dialect's row and its tables. */
#include "router/codec/bedrock.h"

#include <string.h>

static const struct {
    enum part_kind kind;
    const char *format, *media;
} formats[] = {
    {PART_IMAGE, "png", "image/png"},
    {PART_IMAGE, "jpeg", "image/jpeg"},
    {PART_IMAGE, "jpeg", "image/jpg"},
    {PART_IMAGE, "gif", "image/gif"},
    {PART_IMAGE, "webp", "image/webp"},
    {PART_FILE, "pdf", "application/pdf"},
    {PART_FILE, "txt", "text/plain"},
    {PART_FILE, "md", "text/markdown"},
    {PART_FILE, "html", "text/html"},
    {PART_FILE, "csv", "text/csv"},
    {PART_FILE, "doc", "application/msword"},
    {PART_FILE, "docx",
     "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {PART_FILE, "xls", "application/vnd.ms-excel"},
    {PART_FILE, "xlsx",
     "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {PART_AUDIO, "wav", "audio/wav"},
    {PART_AUDIO, "wav", "audio/x-wav"},
    {PART_AUDIO, "mp3", "audio/mp3"},
    {PART_AUDIO, "mp3", "audio/mpeg"},
    {PART_AUDIO, "flac", "audio/flac"},
    {PART_AUDIO, "ogg", "audio/ogg"},
    {PART_AUDIO, "opus", "audio/opus"},
    {PART_AUDIO, "aac", "audio/aac"},
    {PART_AUDIO, "m4a", "audio/m4a"},
    {PART_AUDIO, "webm", "audio/webm"},
};
enum { FORMATS = sizeof formats / sizeof formats[0] };

struct span bedrock_format(enum part_kind kind, struct span media)
{
    struct span type = span_trim(span_cut(&media, ';'));

    for (size_t i = 0; i < FORMATS; i++) {
        if (formats[i].kind == kind && span_is_nocase(type, formats[i].media))
            return span_of(formats[i].format);
    }
    return (struct span){NULL, 0};
}

struct span bedrock_media(enum part_kind kind, struct span format)
{
    for (size_t i = 0; i < FORMATS; i++) {
        if (formats[i].kind == kind && span_is(format, formats[i].format))
            return span_of(formats[i].media);
    }
    return (struct span){NULL, 0};
}

/* The first row of a reason is how it is written. */
static const struct {
    const char *reason;
    enum finish finish;
} reasons[] = {
    {"end_turn", FINISH_STOP},
    {"stop_sequence", FINISH_SEQUENCE},
    {"max_tokens", FINISH_LENGTH},
    {"model_context_window_exceeded", FINISH_CONTEXT},
    {"tool_use", FINISH_TOOLS},
    {"content_filtered", FINISH_FILTER},
    {"guardrail_intervened", FINISH_FILTER},
    {"content_filtered", FINISH_REFUSAL},
    {"malformed_model_output", FINISH_OTHER},
    {"malformed_tool_use", FINISH_OTHER},
    {"refusal", FINISH_REFUSAL},  /* as Claude itself says these two, */
    {"pause_turn", FINISH_PAUSE}, /* where Bedrock passes them on */
};
enum { REASONS = sizeof reasons / sizeof reasons[0] };

enum finish bedrock_finish(struct span stop_reason)
{
    for (size_t i = 0; i < REASONS; i++) {
        if (span_is(stop_reason, reasons[i].reason))
            return reasons[i].finish;
    }
    return FINISH_OTHER;
}

const char *bedrock_stop_reason(enum finish f)
{
    for (size_t i = 0; i < REASONS; i++) {
        if (reasons[i].finish == f)
            return reasons[i].reason;
    }
    return "end_turn";
}

/* As in the SDK's types; the first of a status is how it is written. */
static const struct {
    const char *name;
    int status;
} exceptions[] = {
    {"validationException", 400},       {"accessDeniedException", 403},
    {"resourceNotFoundException", 404}, {"modelTimeoutException", 408},
    {"conflictException", 409},         {"modelErrorException", 424},
    {"modelStreamErrorException", 424}, {"throttlingException", 429},
    {"modelNotReadyException", 429},    {"serviceQuotaExceededException", 400},
    {"internalServerException", 500},   {"serviceUnavailableException", 503},
};
enum { EXCEPTIONS = sizeof exceptions / sizeof exceptions[0] };

int bedrock_error_status(struct span exception)
{
    for (size_t i = 0; i < EXCEPTIONS; i++) {
        if (span_is_nocase(exception, exceptions[i].name))
            return exceptions[i].status;
    }
    return 500;
}

const char *bedrock_exception(int status)
{
    for (size_t i = 0; i < EXCEPTIONS; i++) {
        if (exceptions[i].status == status)
            return exceptions[i].name;
    }
    return status < 500 ? "validationException" : "internalServerException";
}

const struct codec codec_bedrock = {
    .name = "bedrock",
    .framing = FRAMING_AWS,
    .request_read = bedrock_request_read,
    .request_write = bedrock_request_write,
    .wants_data = bedrock_wants_data,
    .answer_read = bedrock_answer_read,
    .reader_size = BEDROCK_READER_SIZE,
    .stream_read = bedrock_stream_read,
    .stream_end = bedrock_stream_end,
    .writer_size = BEDROCK_WRITER_SIZE,
    .stream_write = bedrock_stream_write,
    .answer_write = bedrock_answer_write,
    .stream_type = "application/vnd.amazon.eventstream",
};
