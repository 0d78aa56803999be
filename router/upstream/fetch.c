/* SPDX-License-Identifier: Apache-2.0 */
#include "router/upstream/fetch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/version.h"
#include "router/upstream/resolve.h"
#include "router/upstream/upstream.h"
#include "router/upstream/url.h"

enum { LOCATION_MAX = 8192, PLACE_MAX = 80 };

struct fetch {
    struct fetch_rules rules;
    struct fetch_events ev;
    unsigned hops; /* redirects so far */
    char *url;     /* (owned) */
    struct url_place at;
    struct event *timer;        /* (owned) of all hops, names too */
    struct resolve *lookup;     /* (owned) while it runs */
    struct upstream_call *call; /* while it runs */
    struct addresses found;     /* all of them were looked at */
    unsigned tried;             /* of them */
    char place[PLACE_MAX];      /* where it connects to */
    int status;
    char *location; /* (owned) of a redirect, or NULL */
    bool over;      /* more than there is room for */
    struct buf body;
};

static void release(struct fetch *f)
{
    if (f->timer)
        event_free(f->timer);
    free(f->url);
    free(f->location);
    buf_free(&f->body);
    free(f);
}

void fetch_cancel(struct fetch *f)
{
    if (!f)
        return;
    resolve_cancel(f->lookup);
    upstream_cancel(f->call);
    release(f);
}

static void end(struct fetch *f, const char *why)
{
    resolve_cancel(f->lookup);
    upstream_cancel(f->call);
    f->ev.done(f->ev.ctx, why ? SPAN("") : buf_view(&f->body), why);
    release(f);
}

static void on_late(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    end(ctx, "no answer in time");
}

/* ---- the call ---- */

static void on_head(void *ctx, int status)
{
    struct fetch *f = ctx;
    struct span to = upstream_header(f->call, "location");

    f->status = status;
    if (status / 100 == 3 && to.len && to.len < LOCATION_MAX && !f->location)
        f->location = strndup(to.ptr, to.len);
}

static void on_body(void *ctx, struct span bytes)
{
    struct fetch *f = ctx;

    if (f->status != 200 || f->over)
        return;
    f->over = bytes.len > *f->rules.room;
    if (f->over)
        return;
    *f->rules.room -= bytes.len;
    buf_span(&f->body, bytes);
}

static bool go(struct fetch *f, struct err *e);
static bool connect_next(struct fetch *f, struct err *e);

/* The next hop; false: e says why not. */
static bool follow(struct fetch *f, struct err *e)
{
    char *next = url_join(f->url, f->location);

    free(f->location);
    f->location = NULL;
    if (!next)
        return err_set(e, ERR_INPUT, "it leads to no address");
    free(f->url);
    f->url = next;
    if (f->hops++ >= f->rules.redirects)
        return err_set(e, ERR_LIMIT, "more than %u redirects",
                       f->rules.redirects);
    return go(f, e);
}

/* True: it goes on. */
static bool settle(struct fetch *f, const struct upstream_result *r,
                   struct err *e)
{
    if (r->end == UPSTREAM_TOO_LARGE || f->over || f->body.failed)
        return err_set(e, ERR_LIMIT, "it is too large");
    if (r->end == UPSTREAM_REFUSED && f->tried < f->found.n)
        return connect_next(f, e);
    if (r->end != UPSTREAM_OK)
        return err_set(e, ERR_IO, "no answer (%s)", upstream_end_name(r->end));
    if (f->location)
        return follow(f, e);
    if (f->status != 200)
        return err_set(e, ERR_IO, "status %d", f->status);
    return false;
}

static void on_done(void *ctx, const struct upstream_result *r)
{
    struct fetch *f = ctx;
    struct err e = {0};

    f->call = NULL;
    if (!settle(f, r, &e))
        end(f, e.msg[0] ? e.msg : NULL);
}

static bool call(struct fetch *f, struct err *e)
{
    const struct upstream_header headers[] = {
        {"accept", SPAN("image/*, application/pdf")},
        {"user-agent", SPAN("weir/" WEIR_VERSION)}};
    struct upstream_request r = {.method = "GET",
                                 .url = f->url,
                                 .connect_to = f->place,
                                 .headers = headers,
                                 .n_headers = 2,
                                 .connect_ms = f->rules.connect_ms,
                                 .max_body = *f->rules.room + 1};
    struct upstream_events events = {f, on_head, on_body, on_done};

    f->status = 0;
    f->call = upstream_start(f->rules.upstream, &r, &events, e);
    return f->call != NULL;
}

static bool write_place(const struct sockaddr_storage *a, char dst[PLACE_MAX])
{
    char text[INET6_ADDRSTRLEN];
    const void *bytes;
    unsigned port;
    bool six = a->ss_family == AF_INET6;

    if (six) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;

        bytes = &v6->sin6_addr;
        port = ntohs(v6->sin6_port);
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;

        bytes = &v4->sin_addr;
        port = ntohs(v4->sin_port);
    }
    if (!inet_ntop(a->ss_family, bytes, text, sizeof text))
        return false;
    snprintf(dst, PLACE_MAX, six ? "[%s]:%u" : "%s:%u", text, port);
    return true;
}

static bool connect_next(struct fetch *f, struct err *e)
{
    if (!write_place(&f->found.list[f->tried++].at, f->place))
        return err_set(e, ERR_INPUT, "its host has no address");
    return call(f, e);
}

/* ---- where it is ---- */

/* One address that is not public spoils all: a name that has both is not
 * there for images. */
static bool may_connect(const struct fetch *f, struct err *e)
{
    for (unsigned i = 0; f->rules.may && i < f->found.n; i++) {
        if (!f->rules.may((const struct sockaddr *)&f->found.list[i].at))
            return err_set(e, ERR_INPUT,
                           "its host is not on the public Internet");
    }
    return f->found.n > 0 || err_set(e, ERR_INPUT, "its host has no address");
}

static void on_found(void *ctx, const struct addresses *found,
                     const char *error)
{
    struct fetch *f = ctx;
    struct err e = {0};

    f->lookup = NULL;
    f->found = *found;
    f->tried = 0;
    if (error)
        end(f, "its host is not known");
    else if (!may_connect(f, &e) || !connect_next(f, &e))
        end(f, e.msg);
}

/* f->url from its beginning. */
static bool go(struct fetch *f, struct err *e)
{
    char *whole;

    if (!url_read(f->url, &whole, &f->at, e))
        return false;
    free(f->url);
    f->url = whole;
    f->tried = 0;
    if (resolve_numeric(f->at.host, f->at.port, &f->found))
        return may_connect(f, e) && connect_next(f, e);
    f->lookup =
        resolve_start(f->rules.base, f->at.host, f->at.port, on_found, f);
    return f->lookup || err_set(e, ERR_IO, "its host cannot be looked up");
}

struct fetch *fetch_start(const char *url, const struct fetch_rules *r,
                          const struct fetch_events *ev, struct err *e)
{
    struct timeval tv = {(time_t)(r->total_ms / 1000),
                         (suseconds_t)(r->total_ms % 1000 * 1000)};
    struct fetch *f = calloc(1, sizeof *f);

    if (!f) {
        err_set(e, ERR_MEMORY, "out of memory");
        return NULL;
    }
    f->rules = *r;
    f->ev = *ev;
    buf_init(&f->body, *r->room + 1);
    f->url = strdup(url);
    f->timer = event_new(r->base, -1, 0, on_late, f);
    if (!f->url || !f->timer || event_add(f->timer, &tv) != 0)
        err_set(e, ERR_MEMORY, "out of memory");
    else if (go(f, e))
        return f;
    release(f);
    return NULL;
}

/* ---- what it is ---- */

static const struct {
    struct span mark;
    size_t at;
    const char *kind;
} kinds[] = {
    {SPAN_INIT("\x89PNG\r\n\x1a\n"), 0, "image/png"},
    {SPAN_INIT("\xff\xd8\xff"), 0, "image/jpeg"},
    {SPAN_INIT("GIF87a"), 0, "image/gif"},
    {SPAN_INIT("GIF89a"), 0, "image/gif"},
    {SPAN_INIT("WEBP"), 8, "image/webp"}, /* within RIFF */
    {SPAN_INIT("%PDF-"), 0, "application/pdf"},
};

const char *fetch_kind(struct span bytes)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct span m = kinds[i].mark;

        if (bytes.len >= kinds[i].at + m.len &&
            memcmp(bytes.ptr + kinds[i].at, m.ptr, m.len) == 0)
            return kinds[i].kind;
    }
    return NULL;
}
