/* SPDX-License-Identifier: Apache-2.0 */
/* The mock's answers in the dialect of OpenAI chat completions. */
#include "bench/mock_openai.h"

#include <stdio.h>
#include <string.h>

enum { CHOICES_MAX = 16 };

static void head(const struct request *r, const struct mock_reply *m,
                 const char *object, struct buf *out)
{
    buf_printf(out,
               "{\"id\":\"%s\",\"object\":\"%s\",\"created\":%lld,"
               "\"model\":",
               m->id, object, (long long)m->created);
    buf_json_str(out, r->model);
    buf_str(out, ",\"system_fingerprint\":\"fp_mock\"");
}

static void write_usage(const struct mock_reply *m, struct buf *out)
{
    buf_printf(out,
               "{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,"
               "\"total_tokens\":%lld,\"prompt_tokens_details\":{"
               "\"cached_tokens\":%lld,\"audio_tokens\":0},"
               "\"completion_tokens_details\":{\"reasoning_tokens\":%lld,"
               "\"audio_tokens\":0,\"accepted_prediction_tokens\":0,"
               "\"rejected_prediction_tokens\":0}}",
               (long long)m->input_tokens, (long long)m->output_tokens,
               (long long)(m->input_tokens + m->output_tokens),
               (long long)m->cached_tokens, (long long)m->reasoning_tokens);
}

static void write_call(const struct mock_call *c, struct span arguments,
                       struct buf *out)
{
    buf_str(out, "\"id\":");
    buf_json_str(out, c->id);
    buf_str(out, ",\"type\":\"function\",\"function\":{\"name\":");
    buf_json_str(out, c->name);
    buf_str(out, ",\"arguments\":");
    buf_json_str(out, arguments);
    buf_str(out, "}");
}

static void write_message(const struct mock_reply *m, struct buf *out)
{
    buf_str(out, "{\"role\":\"assistant\",\"content\":");
    if (m->n_calls)
        buf_str(out, "null");
    else
        buf_json_str(out, m->text);
    if (m->thinking.len) {
        buf_str(out, ",\"reasoning_content\":");
        buf_json_str(out, m->thinking);
    }
    buf_str(out, ",\"refusal\":null");
    for (unsigned i = 0; i < m->n_calls; i++) {
        buf_str(out, i ? ",{" : ",\"tool_calls\":[{");
        write_call(&m->calls[i], m->calls[i].arguments, out);
        buf_char(out, '}');
    }
    buf_str(out, m->n_calls ? "]}" : "}");
}

/* A token as logprobs write it; the object stays open. */
static void write_token(struct span token, double p, struct buf *out)
{
    buf_str(out, "{\"token\":");
    buf_json_str(out, token);
    buf_printf(out, ",\"logprob\":%g,\"bytes\":[", p);
    for (size_t i = 0; i < token.len; i++)
        buf_printf(out, "%s%u", i ? "," : "", (unsigned char)token.ptr[i]);
    buf_char(out, ']');
}

void mock_logprob(const struct request *r, struct span piece, struct buf *out)
{
    double p = mock_likely(piece);
    struct span other;
    char text[32];

    write_token(piece, p, out);
    buf_str(out, ",\"top_logprobs\":[");
    for (int64_t i = 0; i < r->params.top_logprobs; i++) {
        other = piece;
        if (i) {
            buf_char(out, ',');
            other.ptr = text;
            other.len =
                (size_t)snprintf(text, sizeof text, " other%lld", (long long)i);
        }
        write_token(other, p - (double)i, out);
        buf_char(out, '}');
    }
    buf_str(out, "]}");
}

double mock_likely(struct span piece)
{
    return -(double)(span_hash(piece, 7) % 1000) / 500;
}

/* ,"logprobs":... of a whole text, null where none were asked for. */
static void write_logprobs(const struct request *r, struct span text,
                           struct buf *out)
{
    struct span piece;
    bool first = true;

    if (!r->params.logprobs || text.len == 0) {
        buf_str(out, ",\"logprobs\":null");
        return;
    }
    buf_str(out, ",\"logprobs\":{\"content\":[");
    while ((piece = mock_piece(text)).len) {
        if (!first)
            buf_char(out, ',');
        first = false;
        mock_logprob(r, piece, out);
        text.ptr += piece.len;
        text.len -= piece.len;
    }
    buf_str(out, "],\"refusal\":null}");
}

static int64_t choices(const struct request *r)
{
    return r->params.n < 1             ? 1
           : r->params.n < CHOICES_MAX ? r->params.n
                                       : CHOICES_MAX;
}

void mock_openai_whole(const struct request *r, const struct mock_reply *m,
                       struct buf *out)
{
    head(r, m, "chat.completion", out);
    buf_str(out, ",\"choices\":[");
    for (int64_t i = 0; i < choices(r); i++) {
        buf_printf(out, "%s{\"index\":%lld,\"message\":", i ? "," : "",
                   (long long)i);
        write_message(m, out);
        write_logprobs(r, m->n_calls ? SPAN("") : m->text, out);
        buf_printf(out, ",\"finish_reason\":\"%s\"}", m->finish);
    }
    buf_str(out, "]");
    if (m->fault.no_usage < 1) {
        buf_str(out, ",\"usage\":");
        write_usage(m, out);
    }
    buf_str(out, ",\"service_tier\":\"default\"}");
}

/* A chunk up to its delta. */
static void chunk(const struct request *r, const struct mock_reply *m,
                  int64_t choice, struct buf *out)
{
    buf_str(out, "data: ");
    head(r, m, "chat.completion.chunk", out);
    buf_printf(out,
               ",\"choices\":[{\"index\":%lld,\"delta\":", (long long)choice);
}

/* Behind the delta. */
static void tail(const struct request *r, const struct mock_reply *m,
                 struct span said, const char *finish, struct buf *out)
{
    write_logprobs(r, said, out);
    buf_printf(out, ",\"finish_reason\":%s%s%s}]", finish ? "\"" : "",
               finish ? finish : "null", finish ? "\"" : "");
    buf_str(out, r->params.stream_usage && m->fault.no_usage < 1
                     ? ",\"usage\":null}\n\n"
                     : "}\n\n");
}

static void first_event(const struct request *r, const struct mock_reply *m,
                        int64_t choice, struct buf *out)
{
    chunk(r, m, choice, out);
    buf_printf(out, "{\"role\":\"assistant\",\"content\":%s,\"refusal\":null}",
               m->n_calls ? "null" : "\"\"");
    tail(r, m, SPAN(""), NULL, out);
}

static void text_event(const struct request *r, const struct mock_reply *m,
                       int64_t choice, struct span piece, struct buf *out)
{
    chunk(r, m, choice, out);
    buf_str(out, "{\"content\":");
    buf_json_str(out, piece);
    buf_str(out, "}");
    tail(r, m, piece, NULL, out);
}

/* A call goes out in three events: id and name, then the arguments in two
 * halves that cut wherever they cut. */
static void call_event(const struct request *r, const struct mock_reply *m,
                       int64_t choice, size_t i, struct buf *out)
{
    const struct mock_call *c = &m->calls[i / 3];
    size_t half = c->arguments.len / 2;
    struct span piece = {c->arguments.ptr, half};

    chunk(r, m, choice, out);
    buf_printf(out, "{\"tool_calls\":[{\"index\":%zu,", i / 3);
    if (i % 3 == 0) {
        write_call(c, SPAN(""), out);
    } else {
        if (i % 3 == 2)
            piece =
                (struct span){c->arguments.ptr + half, c->arguments.len - half};
        buf_str(out, "\"function\":{\"arguments\":");
        buf_json_str(out, piece);
        buf_str(out, "}");
    }
    buf_str(out, "}]}");
    tail(r, m, SPAN(""), NULL, out);
}

static void finish_event(const struct request *r, const struct mock_reply *m,
                         int64_t choice, struct buf *out)
{
    chunk(r, m, choice, out);
    buf_str(out, "{}");
    tail(r, m, SPAN(""), m->finish, out);
}

static void usage_event(const struct request *r, const struct mock_reply *m,
                        struct buf *out)
{
    buf_str(out, "data: ");
    head(r, m, "chat.completion.chunk", out);
    buf_str(out, ",\"choices\":[],\"usage\":");
    write_usage(m, out);
    buf_str(out, "}\n\n");
}

/* One event of each choice; false when the content has been said. */
static bool content_frame(const struct request *r, const struct mock_reply *m,
                          struct mock_cursor *c, struct buf *out)
{
    size_t i = c->frame++;
    struct span left = {m->text.len ? m->text.ptr + c->at : NULL,
                        m->text.len - c->at};
    struct span piece = mock_piece(left);
    bool call = i > 0 && i - 1 < (size_t)m->n_calls * 3;
    bool text = i > 0 && m->n_calls == 0 && piece.len > 0;

    if (i > 0 && !call && !text)
        return false;
    c->at += text ? piece.len : 0;
    for (int64_t k = 0; k < choices(r); k++) {
        if (i == 0)
            first_event(r, m, k, out);
        else if (call)
            call_event(r, m, k, i - 1, out);
        else
            text_event(r, m, k, piece, out);
    }
    return true;
}

/* Behind the content: the finish, the usage where asked for, [DONE]. */
static bool last_frame(const struct request *r, const struct mock_reply *m,
                       size_t i, struct buf *out)
{
    bool with_usage = r->params.stream_usage && m->fault.no_usage < 1;

    if (i == 0) {
        for (int64_t k = 0; k < choices(r); k++)
            finish_event(r, m, k, out);
        return true;
    }
    if (i == 1 && with_usage) {
        usage_event(r, m, out);
        return true;
    }
    if (i != (with_usage ? 2U : 1U) || m->fault.no_done > 0)
        return false;
    buf_str(out, "data: [DONE]\n\n");
    return true;
}

bool mock_openai_frame(const struct request *r, const struct mock_reply *m,
                       struct mock_cursor *c, struct buf *out)
{
    return content_frame(r, m, c, out) ||
           (m->fault.no_finish < 1 && last_frame(r, m, c->tail++, out));
}
