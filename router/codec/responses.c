/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAI's Responses API: the codec's row. */
#include "router/codec/responses.h"

const struct codec codec_responses = {
    .name = "responses",
    .framing = FRAMING_SSE,
    .request_read = responses_request_read,
    .request_write = responses_request_write,
    .answer_read = responses_answer_read,
    .reader_size = sizeof(struct responses_reader),
    .stream_read = responses_stream_read,
    .stream_end = responses_stream_end,
    .writer_size = sizeof(struct responses_writer),
    .writer_start = responses_writer_start,
    .stream_write = responses_stream_write,
    .answer_write = responses_answer_write,
    .stream_type = "text/event-stream; charset=utf-8",
};
