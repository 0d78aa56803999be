/* SPDX-License-Identifier: Apache-2.0 */
/* Streams that wait: each worker keeps a list of them and looks at it once a
 * second while there are any.  A ping sends the stream's head where it had
 * not gone out: from then on errors are events. */
#include <event2/event.h>

#include "base/clock.h"
#include "router/chat/chat.h"
#include "router/chat/chat_parts.h"

void chat_wait(struct chat *c)
{
    static const struct timeval second = {1, 0};
    struct worker *w = c->worker;

    if (!w->waiting)
        event_add(w->ping, &second);
    c->next_waiting = w->waiting;
    if (w->waiting)
        w->waiting->prev_waiting = c;
    w->waiting = c;
    c->waiting = true;
}

void chat_wait_end(struct chat *c)
{
    struct worker *w = c->worker;

    if (!c->waiting)
        return;
    c->waiting = false;
    if (c->prev_waiting)
        c->prev_waiting->next_waiting = c->next_waiting;
    else
        w->waiting = c->next_waiting;
    if (c->next_waiting)
        c->next_waiting->prev_waiting = c->prev_waiting;
    c->next_waiting = c->prev_waiting = NULL;
    if (!w->waiting)
        event_del(w->ping);
}

/* A client that is behind with reading knows that the stream is alive. */
static bool is_due(const struct chat *c, uint64_t now)
{
    return (c->state == CHAT_PLANNING || c->state == CHAT_CALLING ||
            c->state == CHAT_STREAMING) &&
           now - c->sent_ns >= chat_limits(c)->ping_ms * 1000000 &&
           http_unsent(c->x) == 0;
}

void chat_ping(struct worker *w)
{
    uint64_t now = clock_ns();
    struct chat *next;

    for (struct chat *c = w->waiting; c; c = next) {
        next = c->next_waiting;
        if (!is_due(c, now))
            continue;
        chat_open_stream(c);
        c->sent_ns = now;
        http_write(c->x, span_of(c->ask.dialect->ping));
    }
}
