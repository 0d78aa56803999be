/* SPDX-License-Identifier: Apache-2.0 */
/* A call's answer on its way to the owner, who may pause it, cancel it or
 * start others meanwhile. */
#include "router/upstream/plain_parts.h"

#include "base/clock.h"

static void hear_head(struct plain_call *c)
{
    if (c->ev.on_head)
        c->ev.on_head(c->ev.ctx, c->answer.status);
}

static void hear_data(struct plain_call *c, struct span data)
{
    c->bytes += data.len;
    if (c->max_body && c->bytes > c->max_body)
        c->end = UPSTREAM_TOO_LARGE;
    else if (c->ev.on_body)
        c->ev.on_body(c->ev.ctx, data);
}

/* A piece from the front of *in; a stream's owner may pause after each. */
static struct span slice(const struct plain_call *c, struct span *in)
{
    size_t n = c->slow && in->len > PLAIN_SLICE ? PLAIN_SLICE : in->len;
    struct span piece = {in->ptr, n};

    in->ptr += n;
    in->len -= n;
    return piece;
}

/* One step after the other until more bytes are needed, the answer has ended
 * or the owner cancels or pauses; what has been read stays behind a pause. */
static enum http_answer_step hear(struct plain_call *c, struct span *in)
{
    enum http_answer_step step = HTTP_ANSWER_MORE;
    struct span data, piece;

    do {
        piece = slice(c, in);
        step = http_answer_next(&c->answer, &piece, &data);
        in->ptr -= piece.len; /* the next piece begins with what it left */
        in->len += piece.len;
        if (step == HTTP_ANSWER_HEAD)
            hear_head(c);
        else if (step == HTTP_ANSWER_DATA)
            hear_data(c, data);
        else if (step != HTTP_ANSWER_MORE || in->len == 0)
            return step;
    } while (c->state == PLAIN_BOUND && !c->end && (!c->paused || !in->len));
    return step;
}

static void hold_back(struct plain_call *c, struct span in)
{
    c->held = true;
    plain_read(c->conn, false);
    buf_span(&c->rest, in);
    if (c->rest.failed)
        plain_finish(c, UPSTREAM_OTHER, "no memory for the answer");
}

static void begin_take(struct plain_call *c)
{
    c->last = clock_ns();
    if (!c->first)
        c->first = c->last - c->began;
    c->in_take = true;
}

/* Behind the owner's callbacks; true when the call has ended by them. */
static bool end_take(struct plain_call *c)
{
    c->in_take = false;
    if (c->state == PLAIN_ENDED) /* cancelled */
        plain_release(c);
    else if (c->end)
        plain_finish(c, c->end, NULL);
    else
        return false;
    return true;
}

void plain_take(struct plain_call *c, struct span in)
{
    enum http_answer_step step;

    begin_take(c);
    step = hear(c, &in);
    if (end_take(c))
        return;
    if (step == HTTP_ANSWER_DONE) {
        c->answer.keep = c->answer.keep && in.len == 0;
        plain_finish(c, UPSTREAM_OK, NULL);
    } else if (step == HTTP_ANSWER_BAD) {
        plain_finish(c,
                     c->answer.state == ANSWER_IN_HEAD ? UPSTREAM_OTHER
                                                       : UPSTREAM_CUT,
                     c->answer.wrong);
    } else if (step == HTTP_ANSWER_LARGE) {
        plain_finish(c, UPSTREAM_TOO_LARGE,
                     "the answer's headers are larger than 65536 bytes");
    } else if (c->paused) {
        hold_back(c, in);
    }
}

/* ---- ... by HTTP/2 ---- */

void plain_head(struct plain_call *c, struct span text, bool too_large)
{
    enum http_answer_step step = HTTP_ANSWER_LARGE;
    struct span data;

    begin_take(c);
    if (!too_large)
        step = http_answer_next(&c->answer, &text, &data);
    c->has_head = step == HTTP_ANSWER_HEAD;
    if (c->has_head)
        hear_head(c);
    if (end_take(c))
        return;
    if (step == HTTP_ANSWER_BAD)
        plain_finish(c, UPSTREAM_OTHER, c->answer.wrong);
    else if (step == HTTP_ANSWER_LARGE)
        plain_finish(c, UPSTREAM_TOO_LARGE,
                     "the answer's headers are larger than 65536 bytes");
}

bool plain_data(struct plain_call *c, struct span in, size_t *used)
{
    size_t n = in.len;

    begin_take(c);
    while (in.len && c->state == PLAIN_BOUND && !c->end && !c->paused &&
           !c->rest.len)
        hear_data(c, slice(c, &in));
    if (end_take(c))
        return false;
    *used = n - in.len;
    if (in.len) {
        c->held = true;
        buf_span(&c->rest, in);
    }
    if (!c->rest.failed)
        return true;
    plain_finish(c, UPSTREAM_OTHER, "no memory for the answer");
    return false;
}

void plain_whole(struct plain_call *c)
{
    if (c->rest.len) /* behind a pause */
        return;
    if (c->has_head)
        plain_finish(c, UPSTREAM_OK, NULL);
    else
        plain_finish(c, UPSTREAM_CUT, "the answer ended before its headers");
}

void plain_again(struct plain_call *c)
{
    c->fresh = true;
    c->reused = c->unsent = c->has_head = c->whole = false;
    c->stream = 0;
    c->sent = 0;
    host_enqueue(c, true);
}

static void resume_shared(struct plain_call *c, struct span rest)
{
    size_t used;

    if (!plain_data(c, rest, &used))
        return;
    if (c->conn)
        h2_credit(c, used);
    else
        plain_whole(c);
}

void plain_read_on(struct plain_call *c)
{
    struct buf rest = c->rest;

    c->resume = false;
    if (c->paused || !c->held)
        return;
    c->held = false;
    buf_init(&c->rest, PLAIN_READ_MAX);
    if (!c->stream)
        plain_read(c->conn, true);
    if (c->stream)
        resume_shared(c, buf_view(&rest));
    else if (rest.len)
        plain_take(c, buf_view(&rest));
    else
        c->last = clock_ns();
    buf_free(&rest);
}
