/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers in another dialect than the client's: the provider's bytes become
 * chunks by its codec's reader, and each chunk the client's bytes by its
 * codec's writer, at once.  What is kept is the two states and an incomplete
 * event.
 */
#include <stdio.h>
#include <string.h>

#include "router/chat/chat_parts.h"
#include "router/codec/tap.h"

bool chat_relay_begin(struct chat *c)
{
    if (!c->ask.request.params.stream)
        return true;
    chat_relay_free(c);
    c->reader = arena_zalloc(c->arena, 1, c->from->reader_size);
    c->writer = c->to ? arena_zalloc(c->arena, 1, c->to->writer_size) : NULL;
    if (c->writer && c->to->writer_start)
        c->to->writer_start(c->writer, c->arena);
    if (c->sse_ready)
        sse_reset(&c->sse);
    return c->reader && (c->writer || !c->to);
}

void chat_relay_free(struct chat *c)
{
    if (c->writer && c->to && c->to->stream_free)
        c->to->stream_free(c->writer);
    c->writer = NULL;
    if (c->aws_ready)
        aws_stream_free(&c->aws);
    c->aws_ready = false;
    worker_give_back(c->worker, &c->out);
}

/* ---- chunks ---- */

/* An error before the client has seen anything: another arm may be asked. */
static void refuse(struct chat *c, const struct chunk *k)
{
    enum fault f = fault_of_words(k->status, k->name, k->text);

    c->refused = k->status >= 400 ? k->status : 502;
    c->refusal = arena_strdup(c->arena, k->text);
    chat_fault(c, f == FAULT_NONE ? FAULT_SERVER : f);
}

bool chat_take(void *ctx, const struct chunk *k)
{
    struct chat *c = ctx;

    if (k->kind == CHUNK_ERROR && c->ending)
        return true; /* cut: the end of the call says why */
    chat_tap(c, k);
    if (k->kind == CHUNK_ERROR && c->state == CHAT_CALLING)
        refuse(c, k);
    else if (c->to)
        c->to->stream_write(c->writer, &c->ask.request, k, c->losses, &c->out);
    return !c->out.failed;
}

static void read_event(struct chat *c, struct span name, struct span data)
{
    struct chunk_sink sink = {c, chat_take};
    struct err e = {0};

    if (!c->from->stream_read(c->reader, &(struct framed){name, data},
                              &c->worker->work, &sink, &e) &&
        !c->answer.is_error)
        c->error = "upstream_invalid";
    arena_reset(&c->worker->work);
    c->stop = c->answer.done || c->answer.is_error || c->error;
}

static bool on_sse(void *ctx, const struct sse_event *ev)
{
    struct chat *c = ctx;

    if (ev->data.len)
        read_event(c, ev->name, ev->data);
    return !c->stop;
}

static bool on_aws(void *ctx, const struct aws_event *ev)
{
    struct chat *c = ctx;

    read_event(c, ev->name, ev->data);
    return !c->stop;
}

static bool feed(struct chat *c, struct span bytes)
{
    size_t max = chat_limits(c)->answer_bytes;
    struct err e = {0};

    if (c->from->framing == FRAMING_AWS) {
        if (!c->aws_ready)
            aws_stream_init(&c->aws, max, on_aws, c);
        c->aws_ready = true;
        return aws_stream_feed(&c->aws, bytes, &e);
    }
    if (!c->sse_ready)
        sse_init(&c->sse, max, on_sse, c);
    c->sse_ready = true;
    return sse_feed(&c->sse, bytes, &e);
}

/* ---- what comes of them ---- */

/* The error is in the client's hands; nothing more is wanted. */
static void end_with(struct chat *c, struct buf out)
{
    struct worker *w = c->worker;

    chat_hide_key_in(c, &out);
    chat_broken(c);
    chat_end(c, 200);
    worker_give_back(w, &c->body);
    chat_out_write(c, buf_view(&out));
    worker_give_back(w, &out);
    chat_out_end(c);
}

static void deliver(struct chat *c)
{
    struct worker *w = c->worker;
    struct buf out = c->out;

    c->out = (struct buf){.max = 0};
    if (c->refused) {
        worker_give_back(w, &out);
        chat_stream_refused(c);
        return;
    }
    if (c->answer.is_error) {
        end_with(c, out);
        return;
    }
    if (c->answer.done)
        chat_mark(c, buf_view(&out));
    else if (out.len)
        chat_write(c, buf_view(&out));
    worker_give_back(w, &out);
}

void chat_relay_bytes(struct chat *c, struct span bytes)
{
    bool ok;

    c->out = worker_buf(c->worker, chat_limits(c)->answer_bytes);
    ok = feed(c, bytes) && !c->error && !c->out.failed;
    if (!ok)
        c->stop = true;
    deliver(c);
    if (!ok && (c->state == CHAT_CALLING || c->state == CHAT_STREAMING) &&
        c->stop && c->call)
        chat_stream_invalid(c);
}

bool chat_relay_end(struct chat *c)
{
    struct chunk_sink sink = {c, chat_take};
    struct err e = {0};
    bool ok;

    if (!c->reader)
        return true;
    if (c->to)
        c->out = worker_buf(c->worker, chat_limits(c)->answer_bytes);
    c->ending = true;
    ok = c->from->stream_end(c->reader, &sink, &e);
    c->stop = true;
    /* A cut stream's open blocks are closed before the error is told. */
    if (c->to && ok && (c->answer.done || c->state == CHAT_STREAMING))
        deliver(c);
    else
        worker_give_back(c->worker, &c->out);
    return c->state != CHAT_ENDED;
}

void chat_relay_error(struct chat *c, const struct problem *p, struct buf *out)
{
    struct chunk k = {.kind = CHUNK_ERROR,
                      .name = span_of(p->code ? p->code : p->kind),
                      .text = span_of(p->message),
                      .status = p->status};

    c->to->stream_write(c->writer, &c->ask.request, &k, c->losses, out);
}

/* ---- whole answers ---- */

struct both {
    struct chat *c;
    struct chunk_sink gather;
};

static bool take_both(void *ctx, const struct chunk *k)
{
    struct both *b = ctx;

    chat_tap(b->c, k);
    return b->gather.take(b->gather.ctx, k);
}

static void whole_error(struct chat *c, const struct gathered *g)
{
    char why[256], *told = NULL;
    struct problem p;

    snprintf(why, sizeof why, "provider %s answered %d without a usable error",
             chat_model(c)->provider, c->upstream_status);
    problem_of_status(&p,
                      c->upstream_status >= 400 ? c->upstream_status
                      : g->error_status         ? g->error_status
                                                : 502,
                      c->arena, why);
    if (g->error_message.len)
        told = arena_strdup(c->arena, g->error_message);
    if (told) {
        chat_hide_key(c, told);
        p.message = told;
    }
    chat_fail_with(c, &p,
                   c->answer.error[0] ? c->answer.error : "upstream_error");
}

static void write_whole(struct chat *c, const struct gathered *g)
{
    struct buf out = worker_buf(c->worker, 4 * chat_limits(c)->answer_bytes);

    c->to->answer_write(g, &c->ask.request, c->losses, &out);
    if (!out.failed) {
        chat_reply(c, 200, out);
        return;
    }
    worker_give_back(c->worker, &out);
    chat_fail(c, PROBLEM_MEMORY, "the answer needs too much memory");
}

/* NULL: a good answer, else what is wrong with one of status 2xx; another
 * attempt may make it good. */
static const char *wrong(struct chat *c, const struct gathered *g, bool read,
                         const struct err *e)
{
    enum fault f = FAULT_INVALID;
    const char *why = NULL;

    if (!read) {
        why = e->msg;
    } else if (g->error_status) {
        f = fault_of_words(g->error_status, g->error_type, g->error_message);
        if (g->error_status == 502) /* as readers say that it is no answer */
            f = FAULT_INVALID;
        why = "an error with status 200";
    } else if (c->ask.request.params.stream) {
        why = "a whole answer to a stream's request";
    }
    if (why)
        chat_fault(c, f == FAULT_NONE ? FAULT_SERVER : f);
    return why;
}

static void checked(struct chat *c, const struct gathered *g)
{
    chat_check(c, g);
    write_whole(c, g);
}

void chat_relay_whole(struct chat *c)
{
    struct arena *a = &c->worker->work;
    struct gathered g;
    struct both both = {c, gather_sink(&g)};
    struct chunk_sink sink = {&both, take_both};
    const char *why = NULL;
    struct err e = {0};
    bool read;

    gather_init(&g, a);
    read = c->from->answer_read(buf_view(&c->body), c->upstream_status, a,
                                &sink, &e);
    if (c->upstream_status < 200 || c->upstream_status > 299)
        whole_error(c, &g);
    else if (!(why = wrong(c, &g, read, &e)))
        checked(c, &g);
    else if (!g.error_status)
        chat_retry_or(c, PROBLEM_INVALID, why);
    else if (!chat_retry(c))
        whole_error(c, &g);
    arena_reset(a);
}
