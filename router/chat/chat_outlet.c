/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a chat's answer goes.  Of a client's own chat: to its exchange.  Of a
 * plan's member: into the member's buffer, as the very bytes that the client
 * would get, so that an answer that stands is passed on as it came.  Of a
 * shadow: nowhere, its row is all there is (it is whole, no stream).  All but
 * chat_out_set, _begin and _write may come behind chat_end().
 */
#include "router/chat/chat_parts.h"
#include "router/chat/chat_plan.h"
#include "router/chat/chat_shadow.h"

void chat_out_set(struct chat *c, const char *name, struct span value)
{
    if (!c->member && !c->shadow)
        http_set(c->x, name, value);
}

void chat_out_reply(struct chat *c, int status, const char *type,
                    struct span body)
{
    if (c->shadow) {
        chat_shadow_over(c, status);
        return;
    }
    if (!c->member) {
        http_reply(c->x, status, type, body);
        return;
    }
    buf_span(&c->member->sent, body);
    chat_member_over(c, status);
}

void chat_out_problem(struct chat *c, const struct problem *p)
{
    if (c->shadow) {
        chat_shadow_over(c, p->status);
        return;
    }
    if (c->member) {
        c->member->problem = *p;
        chat_member_over(c, p->status);
        return;
    }
    if (c->ask.retry_after)
        http_setf(c->x, "retry-after", "%u", c->ask.retry_after);
    problem_reply(c->x, c->ask.dialect, p);
}

void chat_out_begin(struct chat *c)
{
    if (c->member)
        return;
    http_set(c->x, "cache-control", SPAN("no-cache"));
    http_begin(c->x, 200, "text/event-stream");
}

void chat_out_write(struct chat *c, struct span bytes)
{
    if (c->member)
        buf_span(&c->member->sent, bytes);
    else
        http_write(c->x, bytes);
}

void chat_out_mark(struct chat *c, struct span bytes)
{
    chat_out_write(c, bytes);
    if (c->member)
        chat_member_marked(c);
}

void chat_out_end(struct chat *c)
{
    if (c->member)
        chat_member_over(c, 200);
    else
        http_end(c->x);
}
