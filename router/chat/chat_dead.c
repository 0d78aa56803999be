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

/* Each goes on elsewhere, which may change the list anywhere; it is then in
 * the list no more, and new calls are not made where a breaker is open. */
void chat_leave_dead(struct worker *w)
{
    uint64_t now_ms = health_now();
    struct chat_try *t = w->tries;

    while (t) {
        if (!is_stuck(t, now_ms)) {
            t = t->next;
            continue;
        }
        chat_try_abandon(t);
        t = w->tries;
    }
}
