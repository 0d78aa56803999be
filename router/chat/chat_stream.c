/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams, event by event: each leaves when it came, byte for byte, except
 * the usage chunk that weir alone had asked for.  An incomplete event waits
 * in c->body.  What goes wrong before the first event is an attempt that
 * failed; later it is an error frame and the end mark.
 */
#include <string.h>

#include "base/clock.h"
#include "router/chat/chat_parts.h"
#include "router/http/frames.h"

/* The same dialect on both sides, but not OpenAI's chat. */
static bool look_by_codec(struct chat *c, const struct sse_event *ev)
{
    struct chunk_sink sink = {c, chat_take};
    bool ok;

    c->events++;
    ok = c->from->stream_read(c->reader, &(struct framed){ev->name, ev->data},
                              &c->worker->work, &sink, NULL);

    arena_reset(&c->worker->work);
    if (!ok && !c->answer.is_error)
        c->error = "upstream_invalid";
    c->stop = c->answer.done || (!ok && !c->answer.is_error);
    return true;
}

static bool on_event(void *ctx, const struct sse_event *ev)
{
    struct chat *c = ctx;
    enum event_view view;

    if (ev->data.len == 0)
        return true;
    if (c->from)
        return look_by_codec(c, ev);
    view = c->ask.dialect->event(ev->data, c->strip_usage, &c->answer);
    c->whole_event = view != EVENT_DROP && view != EVENT_BAD;
    if (view == EVENT_BAD)
        c->error = "upstream_invalid";
    c->stop = view == EVENT_LAST || view == EVENT_BAD;
    return true;
}

void chat_open_stream(struct chat *c)
{
    if (c->head_sent)
        return;
    c->head_sent = true;
    chat_headers(c, false);
    http_set(c->x, "cache-control", SPAN("no-cache"));
    http_begin(c->x, 200, "text/event-stream");
}

/* The head goes out with the first event. */
static void open_stream(struct chat *c)
{
    if (c->state == CHAT_STREAMING)
        return;
    c->first_ns = clock_ns();
    if (c->to) /* events in pieces wait in the framing */
        worker_give_back(c->worker, &c->body);
    chat_set(c, CHAT_STREAMING);
    chat_open_stream(c);
}

void chat_write(struct chat *c, struct span bytes)
{
    open_stream(c);
    c->sent_ns = clock_ns();
    chat_keep(c, bytes);
    http_write(c->x, bytes);
}

/* A frame is looked at; false when it stays away from the client. */
static bool look(struct chat *c, struct span frame)
{
    struct err e;

    c->whole_event = true;
    if (!sse_feed(&c->sse, frame, &e)) {
        c->error = "upstream_invalid";
        c->stop = true;
        return false;
    }
    return c->whole_event && !c->stop;
}

static void flush(struct chat *c, struct span run)
{
    if (run.len == 0)
        return;
    chat_write(c, run);
}

/* An error of the provider, with which it might give back its key. */
static void write_masked(struct chat *c, struct span frame)
{
    struct buf b = worker_buf(c->worker, frame.len);

    buf_span(&b, frame);
    chat_hide_key_in(c, &b);
    if (!b.failed)
        flush(c, buf_view(&b));
    worker_give_back(c->worker, &b);
}

/* Passes on the whole frames at the beginning of `bytes`, in runs; returns
 * the bytes used. */
static size_t take_frames(struct chat *c, struct span bytes)
{
    struct span run = {bytes.ptr, 0};
    size_t at = 0, n;

    while (!c->stop &&
           (n = frame_length((struct span){bytes.ptr + at, bytes.len - at}))) {
        bool pass = look(c, (struct span){bytes.ptr + at, n});

        if (pass && !c->answer.is_error) {
            run.len += n;
        } else {
            flush(c, run);
            if (pass)
                write_masked(c, (struct span){bytes.ptr + at, n});
            if (c->from && c->answer.done)
                c->mark = (struct span){bytes.ptr + at, n};
            run = (struct span){bytes.ptr + at + n, 0};
        }
        at += n;
    }
    flush(c, run);
    return at;
}

/* The row goes before the end mark, the last thing that a client sees. */
void chat_mark(struct chat *c, struct span bytes)
{
    open_stream(c);
    if (c->answer.is_error)
        c->error = c->answer.error;
    chat_record(c, 200);
    chat_keep(c, bytes);
    chat_keep_end(c, "text/event-stream");
    chat_set(c, CHAT_CLOSING);
    http_write(c->x, bytes);
}

static void send_mark(struct chat *c)
{
    struct span mark = c->mark;

    c->mark = (struct span){NULL, 0};
    chat_mark(c, mark.len ? mark : span_of(c->ask.dialect->end_mark));
}

static void close_stream(struct chat *c)
{
    struct http_exchange *x = c->x;

    chat_end(c, 200);
    worker_give_back(c->worker, &c->body);
    http_end(x);
}

void chat_stream_bytes(struct chat *c, struct span bytes)
{
    size_t used;

    if (c->stop)
        return;
    if (c->to) {
        chat_relay_bytes(c, bytes);
        return;
    }
    if (!c->sse_ready) {
        sse_init(&c->sse, chat_limits(c)->answer_bytes, on_event, c);
        c->sse_ready = true;
    }
    if (c->body.len > 0) {
        buf_span(&c->body, bytes);
        bytes = buf_view(&c->body);
        used = take_frames(c, bytes);
        if (c->stop && c->answer.done) {
            send_mark(c);
            return;
        }
        buf_drop(&c->body, used);
    } else {
        used = take_frames(c, bytes);
        buf_span(&c->body, (struct span){bytes.ptr + used, bytes.len - used});
    }
    if (c->stop && c->answer.done)
        send_mark(c);
    else if (c->stop || c->body.failed)
        chat_fail(c, PROBLEM_INVALID, "provider %s: not an event of a chat",
                  chat_model(c)->provider);
}

static enum problem_kind problem_of(const struct upstream_result *r)
{
    return r->end == UPSTREAM_TIMEOUT ? PROBLEM_TIMEOUT : PROBLEM_CUT;
}

void chat_stream_ended(struct chat *c, const struct upstream_result *r)
{
    const char *why = r->end == UPSTREAM_OK ? "no more events" : r->reason;
    bool whole = r->end == UPSTREAM_OK && c->body.len == 0;

    if (c->state == CHAT_ENDED)
        return;
    if (whole && c->from && !c->stop && !chat_relay_end(c))
        return;
    whole = whole || (r->end == UPSTREAM_OK && c->answer.done);
    if (c->state == CHAT_STREAMING &&
        ((whole && (c->from ? c->answer.done : c->answer.finish[0] != '\0')) ||
         c->answer.is_error))
        send_mark(c);
    if (c->state == CHAT_CLOSING)
        close_stream(c);
    else if (c->state == CHAT_CALLING)
        chat_retry(c, problem_of(r), why);
    else
        chat_fail(c, problem_of(r),
                  "provider %s: the stream ended before its end: %s",
                  chat_model(c)->provider, why);
}
