/* SPDX-License-Identifier: Apache-2.0 */
/* The dialect's row and its tables. */
#include "router/codec/cohere.h"

/* The first row of a finish is how it is written. */
static const struct {
    const char *reason;
    enum finish finish;
    int failure; /* HTTP status, where it is one */
} reasons[] = {
    {"COMPLETE", FINISH_STOP, 0},       {"STOP_SEQUENCE", FINISH_SEQUENCE, 0},
    {"MAX_TOKENS", FINISH_LENGTH, 0},   {"MAX_TOKENS", FINISH_CONTEXT, 0},
    {"TOOL_CALL", FINISH_TOOLS, 0},     {"ERROR_TOXIC", FINISH_FILTER, 0},
    {"ERROR_TOXIC", FINISH_REFUSAL, 0}, {"ERROR_LIMIT", FINISH_CONTEXT, 0},
    {"ERROR", FINISH_OTHER, 500},       {"TIMEOUT", FINISH_OTHER, 504},
};
enum { REASONS = sizeof reasons / sizeof reasons[0] };

enum finish cohere_finish(struct span reason)
{
    for (int i = 0; i < REASONS; i++) {
        if (span_is(reason, reasons[i].reason))
            return reasons[i].finish;
    }
    return FINISH_OTHER;
}

const char *cohere_finish_reason(enum finish f)
{
    for (int i = 0; i < REASONS; i++) {
        if (reasons[i].finish == f && !reasons[i].failure)
            return reasons[i].reason;
    }
    return "COMPLETE";
}

int cohere_failure(struct span reason)
{
    for (int i = 0; i < REASONS; i++) {
        if (span_is(reason, reasons[i].reason))
            return reasons[i].failure;
    }
    return 0;
}

const struct codec codec_cohere = {
    .name = "cohere",
    .framing = FRAMING_SSE,
    .request_read = cohere_request_read,
    .request_write = cohere_request_write,
    .answer_read = cohere_answer_read,
    .reader_size = COHERE_READER_SIZE,
    .stream_read = cohere_stream_read,
    .stream_end = cohere_stream_end,
    .writer_size = COHERE_WRITER_SIZE,
    .stream_write = cohere_stream_write,
    .answer_write = cohere_answer_write,
    .stream_type = "text/event-stream",
};
