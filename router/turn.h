/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A turn of a worker's loop: the events that one look at the poller found.
 * Requests and replies of a turn leave when it ends, one behind the other, so
 * that who sleeps at the other end is woken once for them; the only one of a
 * turn need not wait for its end.
 */
#ifndef WEIR_ROUTER_TURN_H
#define WEIR_ROUTER_TURN_H

#include <stdbool.h>

#include <event2/event.h>

/* From inside an event: no other waits in this turn. */
static inline bool turn_is_over(struct event_base *base)
{
    return event_base_get_num_events(base, EVENT_BASE_COUNT_ACTIVE) == 0;
}

#endif
