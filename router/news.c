/* SPDX-License-Identifier: Apache-2.0 */
#include "router/news.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/log.h"
#include "router/outlog/label_feed.h"

enum { EVERY_MS = 1000 };

struct news {
    struct label_feed *feed;   /* (owned) */
    struct drift_book *drifts; /* (borrowed: router) */
    struct event *timer;       /* (owned) */
    unsigned seen;             /* labels of the last look */
    bool away;                 /* it failed, and that was said */
};

void news_say_drift(const char *route, const struct drift *d)
{
    log_event(LOG_WARN, "drift",
              "route=%s cause=%s psi=%.3f wanted=%.2f unseen=%.3f "
              "outcomes=%.2f promises=void remedy=\"have some hundred present "
              "requests answered by every arm, train, reload\"",
              route, drift_cause_name(drift_alarm(d)), drift_distance(d),
              MIX_MOST, drift_unseen(d), drift_outcomes(d));
}

static void on_label(void *ctx, const struct fed_label *l)
{
    struct news *n = ctx;
    struct drift *d = drift_find(n->drifts, l->route, l->classifier);
    char route[128];

    n->seen++;
    if (!d || !drift_label(d, &(struct drift_answer){l->arm, l->shadow,
                                                     l->predicted, l->score}))
        return;
    (void)span_copy(route, sizeof route, l->route);
    news_say_drift(route, d);
}

static void on_void(void *ctx, struct span route, struct span classifier,
                    struct span cause)
{
    struct news *n = ctx;
    struct drift *d = drift_find(n->drifts, route, classifier);

    if (d)
        drift_restore(d, cause);
}

static void look(struct news *n)
{
    struct err e = {0};
    bool ok;

    n->seen = 0;
    ok = label_feed_look(n->feed, on_label, n, &e);
    if (!ok && !n->away)
        log_event(LOG_WARN, "labels",
                  "reason=\"%s\" effect=\"looked for later\"", e.msg);
    n->away = !ok;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    look(ctx);
}

struct news *news_start(struct event_base *base, const char *log_path,
                        struct drift_book *drifts)
{
    struct timeval every = {EVERY_MS / 1000, EVERY_MS % 1000 * 1000};
    struct news *n = calloc(1, sizeof *n);
    struct err ignored;

    if (!n)
        return NULL;
    n->drifts = drifts;
    n->feed = label_feed_new(log_path);
    n->timer = event_new(base, -1, EV_PERSIST, on_timer, n);
    if (!n->feed || !n->timer || event_add(n->timer, &every) != 0) {
        news_stop(n);
        return NULL;
    }
    if (!label_feed_void(n->feed, on_void, n, &ignored))
        return n; /* the database is away: said by the log itself */
    for (int i = 0; i <= LABEL_FEED_BEFORE / LABEL_FEED_BATCH; i++)
        look(n);
    return n;
}

void news_stop(struct news *n)
{
    if (!n)
        return;
    if (n->timer)
        event_free(n->timer);
    label_feed_free(n->feed);
    free(n);
}
