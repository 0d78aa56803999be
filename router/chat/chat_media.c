/* SPDX-License-Identifier: Apache-2.0 */
/* Images and documents by address, where the provider about to be called
 * takes data only: fetched before the call, kept for the attempts after it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/log.h"
#include "router/chat/chat_parts.h"
#include "router/upstream/fetch.h"
#include "router/upstream/public_address.h"

enum { AT_ONCE = 4, SHOWN_URL = 100 };

struct fetched {
    struct media *all;
    struct part *part; /* (borrowed: the request) gets data and its type */
    size_t message;
    struct span media;   /* the part's type as the client said it */
    struct fetch *fetch; /* while it runs */
    char *data;          /* (owned) base64, or NULL */
};

struct media {
    struct chat *chat;    /* (borrowed) */
    struct media *before; /* of earlier attempts, or NULL */
    size_t n, begun, running;
    size_t room; /* bytes that may yet come */
    char why[256];
    struct fetched at[];
};

/* ---- which ---- */

struct search {
    const struct codec *codec;
    struct target target;
    struct media *to; /* takes them; NULL: they are counted only */
    size_t n;
};

static void look_at(struct search *s, size_t message, struct part *p)
{
    if (p->data.len == 0 && s->codec->wants_data(p, &s->target)) {
        if (s->to)
            s->to->at[s->n] =
                (struct fetched){.all = s->to, .part = p, .message = message};
        s->n++;
    }
    for (size_t i = 0; i < p->n_parts; i++)
        look_at(s, message, &p->parts[i]);
}

static size_t look(struct chat *c, struct search *s)
{
    const struct request *r = &c->ask.request;

    s->n = 0;
    for (size_t i = 0; i < r->n_messages; i++) {
        for (size_t j = 0; j < r->messages[i].n_parts; j++)
            look_at(s, i, &r->messages[i].parts[j]);
    }
    return s->n;
}

/* What the present attempt cannot be made without. */
static size_t count_wanted(struct chat *c, struct search *s)
{
    *s = (struct search){.codec = chat_spoken(c)};
    if (snapshot_settings(c->snapshot)->fetch.images == FETCH_OFF ||
        !s->codec->wants_data || !chat_translates(c, &s->target))
        return 0;
    return look(c, s);
}

bool chat_media_wanted(struct chat *c)
{
    struct search s;

    return count_wanted(c, &s) > 0;
}

/* ---- one of them ---- */

static const char *what_is(const struct fetched *it)
{
    return it->part->kind == PART_FILE ? "document" : "image";
}

static void fail(struct fetched *it, const char *why)
{
    struct media *m = it->all;
    struct span url = it->part->url;

    if (m->why[0])
        return;
    snprintf(m->why, sizeof m->why,
             "messages[%zu]: the %s at %.*s%s cannot be fetched: %s",
             it->message, what_is(it),
             url.len < SHOWN_URL ? (int)url.len : SHOWN_URL, url.ptr,
             url.len < SHOWN_URL ? "" : "...", why);
}

static bool is_wanted_kind(const struct fetched *it, const char *kind)
{
    return kind && (it->part->kind == PART_FILE) ==
                       span_is(SPAN("application/pdf"), kind);
}

static void take(struct fetched *it, struct span bytes)
{
    const char *kind = fetch_kind(bytes);

    if (!is_wanted_kind(it, kind)) {
        fail(it, it->part->kind == PART_FILE
                     ? "it is no PDF"
                     : "it is no PNG, JPEG, GIF or WebP");
        return;
    }
    it->data = malloc(BASE64_SIZE(bytes.len));
    if (!it->data) {
        fail(it, "out of memory");
        return;
    }
    it->media = it->part->media;
    it->part->data = (struct span){it->data, base64_encode(bytes, it->data)};
    it->part->media = span_of(kind);
}

static void count_fetch(struct chat *c, bool well)
{
    const struct span label = well ? SPAN("ok") : SPAN("failed");

    metrics_count(c->worker->shard, METRIC_FETCHES, &label, 1);
}

static void go_on(struct media *m);

static void on_fetched(void *ctx, struct span bytes, const char *why)
{
    struct fetched *it = ctx;
    struct media *m = it->all;

    it->fetch = NULL;
    m->running--;
    if (why)
        fail(it, why);
    else
        take(it, bytes);
    count_fetch(m->chat, it->data != NULL);
    go_on(m);
}

static bool begin(struct media *m, struct fetched *it)
{
    struct chat *c = m->chat;
    const struct fetch_settings *set = &snapshot_settings(c->snapshot)->fetch;
    struct upstream_request bounds = {.total_ms = (unsigned)set->timeout_ms};
    struct fetch_rules rules = {.upstream = c->worker->upstream,
                                .base = c->worker->base,
                                .may = set->allow_private ? NULL
                                                          : address_is_public,
                                .redirects = (unsigned)set->redirects,
                                .room = &m->room};
    struct fetch_events ev = {it, on_fetched};
    struct err e = {0};
    char *url = arena_strdup(c->arena, it->part->url);

    chat_bounds(c, &bounds);
    rules.total_ms = bounds.total_ms;
    rules.connect_ms = bounds.connect_ms;
    if (url)
        it->fetch = fetch_start(url, &rules, &ev, &e);
    if (it->fetch) {
        m->running++;
        return true;
    }
    fail(it, url ? e.msg : "out of memory");
    count_fetch(c, false);
    return false;
}

/* ---- all of them ---- */

static void stop(struct media *m)
{
    for (size_t i = 0; i < m->n; i++) {
        fetch_cancel(m->at[i].fetch);
        m->at[i].fetch = NULL;
    }
    m->running = 0;
}

/* False: one of them is not to be had, m->why says so. */
static bool begin_next(struct media *m)
{
    while (!m->why[0] && m->begun < m->n && m->running < AT_ONCE) {
        if (!begin(m, &m->at[m->begun++]))
            break;
    }
    return !m->why[0];
}

static void go_on(struct media *m)
{
    if (!begin_next(m))
        stop(m);
    if (m->running == 0)
        chat_go(m->chat);
}

static struct media *media_new(struct chat *c, struct search *s)
{
    const struct fetch_settings *set = &snapshot_settings(c->snapshot)->fetch;
    struct media *m =
        arena_zalloc(c->arena, 1, sizeof *m + s->n * sizeof m->at[0]);

    if (!m)
        return NULL;
    m->chat = c;
    m->before = c->media;
    m->room = set->max_bytes;
    m->n = s->n;
    if (s->n > set->most)
        snprintf(m->why, sizeof m->why,
                 "%zu images and documents by address, at most %llu are "
                 "fetched",
                 s->n, (unsigned long long)set->most);
    s->to = m;
    return m;
}

enum token_state chat_media(struct chat *c, struct err *e)
{
    struct media *m = c->media;
    struct search s;

    if (count_wanted(c, &s) == 0)
        return TOKEN_READY;
    if (!m || !m->why[0]) {
        m = media_new(c, &s);
        if (!m) {
            err_set(e, ERR_MEMORY, "out of memory");
            return TOKEN_FAILED;
        }
        c->media = m;
        (void)look(c, &s);
    }
    if (begin_next(m))
        return TOKEN_WAIT;
    stop(m);
    c->refused = 400;
    err_set(e, ERR_INPUT, "%s", m->why);
    return TOKEN_FAILED;
}

static void forget(struct fetched *it)
{
    if (!it->data)
        return;
    it->part->data = (struct span){NULL, 0};
    it->part->media = it->media;
    free(it->data);
    it->data = NULL;
}

void chat_media_end(struct chat *c)
{
    for (struct media *m = c->media; m; m = m->before) {
        stop(m);
        for (size_t i = 0; i < m->n; i++)
            forget(&m->at[i]);
    }
    c->media = NULL;
}
