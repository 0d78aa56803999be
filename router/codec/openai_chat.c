/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAI chat completions: the codec's row. */
#include "router/codec/openai_chat.h"

static bool request_read(const struct inbound *in, struct arena *a,
                         struct request *r, struct err *e)
{
    struct span body = in->body;

    return request_from_openai(body, a, r, e);
}

const struct codec codec_openai = {
    .name = "openai",
    .framing = FRAMING_SSE,
    .request_read = request_read,
    .request_write = chat_request_write,
    .wants_data = chat_wants_data,
    .answer_read = chat_answer_read,
    .reader_size = sizeof(struct chat_reader),
    .stream_read = chat_stream_read,
    .stream_end = chat_stream_end,
    .writer_size = sizeof(struct chat_writer),
    .stream_write = chat_stream_write,
    .answer_write = chat_answer_write,
    .stream_type = "text/event-stream; charset=utf-8",
};
