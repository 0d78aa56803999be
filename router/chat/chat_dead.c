/* SPDX-License-Identifier: Apache-2.0 */
/* When a place is left alone: calls that were begun before and still wait for
 * a connection there would each wait out their connect timeout. */
#include "router/chat/chat.h"
#include "router/chat/chat_parts.h"

static bool is_stuck(const struct chat_try *t, uint64_t now_ms)
{
    const struct health *h = t->at.place->health;

    return t->call && h && breaker_look(&h->breaker, now_ms) == BREAKER_OPEN &&
           upstream_connecting(t->call);
}

/* Each goes on elsewhere.  New calls come at the head of the list; one that
 * has ended meanwhile stays readable until the turn ends. */
void chat_leave_dead(struct worker *w)
{
    uint64_t now_ms = health_now();
    struct chat_try *t = w->tries, *next;

    for (; t; t = next) {
        next = t->next;
        if (!is_stuck(t, now_ms))
            continue;
        chat_try_abandon(t);
        if (next && !next->open) /* it was the same chat's */
            next = w->tries;
    }
}
