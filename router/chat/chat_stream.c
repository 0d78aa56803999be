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

/* The status that an error event would have had as a whole answer. */
static int status_of(enum fault f)
{
    static const struct {
        enum fault fault;
        int status;
    } rows[] = {{FAULT_RATE, 429},   {FAULT_OVERLOADED, 503},
                {FAULT_AUTH, 401},   {FAULT_QUOTA, 402},
                {FAULT_POLICY, 400}, {FAULT_CONTEXT, 400},
                {FAULT_MODEL, 404},  {FAULT_REQUEST, 400}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].fault == f)
            return rows[i].status;
    }
    return 502;
}

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

/* Nothing has reached the client: the error is an attempt's. */
static void refuse(struct chat *c, struct span data)
{
    enum fault f = fault_of_answer(200, data);
    struct json top, error, message;
    struct span text = {NULL, 0};

    if (json_parse(data, &top, NULL)) {
        error = json_get(&top, "error");
        message = json_get(&error, "message");
        if (!json_text(&message, c->arena, &text))
            text = (struct span){NULL, 0};
    }
    c->refused = status_of(f);
    c->refusal = text.len ? arena_strdup(c->arena, text) : NULL;
    chat_fault(c, f == FAULT_NONE ? FAULT_SERVER : f);
    c->stop = true;
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
    if (c->answer.is_error && c->state == CHAT_CALLING) {
        refuse(c, ev->data);
        return true;
    }
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
    chat_out_begin(c);
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

/* Nothing of an answer has been seen yet. */
static bool is_empty(const struct chat *c)
{
    return c->answer.text_bytes == 0 && c->answer.tool_calls == 0 &&
           c->answer.finish[0] == '\0';
}

/* A stream's beginning waits for its first content, so that what fails before
 * it can be tried elsewhere. */
static bool hold(struct chat *c, struct span bytes)
{
    const struct route_settings *set = c->ask.route->set;

    if (c->state != CHAT_CALLING || c->hold_over || set->hold_ms == 0 ||
        !is_empty(c) || c->held.len + bytes.len > set->hold_bytes)
        return false;
    if (c->held.len == 0) {
        c->held = worker_buf(c->worker, set->hold_bytes);
        chat_timer(c, TIMER_HOLD, set->hold_ms);
    }
    buf_span(&c->held, bytes);
    return true;
}

void chat_unhold(struct chat *c)
{
    struct buf held = c->held;

    if (c->hold_over || c->state != CHAT_CALLING)
        return;
    c->hold_over = true;
    c->held = (struct buf){.max = 0};
    if (c->timer_for == TIMER_HOLD)
        chat_timer(c, TIMER_NONE, 0);
    if (held.len) {
        open_stream(c);
        chat_out_write(c, buf_view(&held));
    }
    worker_give_back(c->worker, &held);
}

void chat_write(struct chat *c, struct span bytes)
{
    if (hold(c, bytes))
        return;
    chat_unhold(c);
    open_stream(c);
    c->sent_ns = clock_ns();
    chat_keep(c, bytes);
    chat_out_write(c, bytes);
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

void chat_broken(struct chat *c)
{
    enum fault f = fault_of_words(200, span_of(c->answer.error), SPAN(""));

    chat_fault(c, f == FAULT_NONE ? FAULT_SERVER : f);
    c->error = c->answer.error;
    c->truncated = true;
}

/* The row goes before the end mark, the last thing that a client sees. */
void chat_mark(struct chat *c, struct span bytes)
{
    chat_unhold(c);
    open_stream(c);
    if (c->answer.is_error)
        chat_broken(c);
    chat_record(c, 200);
    chat_keep(c, bytes);
    chat_keep_end(c, "text/event-stream");
    chat_set(c, CHAT_CLOSING);
    chat_out_mark(c, bytes);
}

static void send_mark(struct chat *c)
{
    struct span mark = c->mark;

    c->mark = (struct span){NULL, 0};
    chat_mark(c, mark.len ? mark : span_of(c->ask.dialect->end_mark));
}

void chat_close_stream(struct chat *c)
{
    chat_end(c, 200);
    worker_give_back(c->worker, &c->body);
    chat_out_end(c);
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
        if (c->refused) {
            chat_stream_refused(c);
            return;
        }
        if (c->stop && c->answer.done) {
            send_mark(c);
            return;
        }
        buf_drop(&c->body, used);
    } else {
        used = take_frames(c, bytes);
        buf_span(&c->body, (struct span){bytes.ptr + used, bytes.len - used});
    }
    if (c->refused)
        chat_stream_refused(c);
    else if (c->stop && c->answer.done)
        send_mark(c);
    else if (c->stop || c->body.failed)
        chat_stream_invalid(c);
}

void chat_stream_invalid(struct chat *c)
{
    static const char why[] = "not an event of a chat";
    struct upstream_call *call = c->call;

    chat_fault(c, FAULT_INVALID);
    if (c->state != CHAT_CALLING) {
        chat_fail(c, PROBLEM_INVALID, "provider %s: %s",
                  chat_model(c)->provider, why);
        return;
    }
    c->call = c->now->call = NULL;
    upstream_cancel(call);
    chat_retry_or(c, PROBLEM_INVALID, why);
}

void chat_stream_refused(struct chat *c)
{
    const char *why = c->refusal ? c->refusal : "an error";
    struct upstream_call *call = c->call;
    struct problem p;

    if (c->refusal)
        chat_hide_key(c, c->refusal);
    c->call = c->now->call = NULL;
    upstream_cancel(call);
    if (chat_retry(c))
        return;
    problem_of_status(&p, c->refused, c->arena, why);
    chat_fail_with(c, &p,
                   c->answer.error[0] ? c->answer.error : "upstream_error");
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
        chat_close_stream(c);
    else if (c->state == CHAT_CALLING) {
        chat_fault(c, r->end == UPSTREAM_TIMEOUT ? FAULT_TIMEOUT : FAULT_CUT);
        chat_retry_or(c, problem_of(r), why);
    } else
        chat_fail(c, problem_of(r),
                  "provider %s: the stream ended before its end: %s",
                  chat_model(c)->provider, why);
}
