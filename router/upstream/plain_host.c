/* SPDX-License-Identifier: Apache-2.0 */
#include "router/upstream/plain_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum {
    KEPT_MAX = 2048,     /* connections kept for all hosts together */
    KEPT_SECONDS = 110,  /* below what load balancers forget silently */
    LOOKUP_SECONDS = 60, /* how long a name's addresses hold */
    AUTHORITY_MAX = 255,
    URL_MAX = 8192,
};

#define SECOND ((uint64_t)1000000000)

/* ---- URLs ---- */

struct place {
    struct span authority, name, port; /* port empty: the scheme's */
    struct span path;                  /* with the query, maybe empty */
    bool secure;
};

/* host:port, [v6]:port; nothing before an '@'. */
static bool split_authority(struct span a, struct place *out)
{
    const char *colon;

    if (a.len == 0 || a.len > AUTHORITY_MAX || memchr(a.ptr, '@', a.len) ||
        memchr(a.ptr, '%', a.len))
        return false;
    out->name = a;
    if (a.ptr[0] == '[') {
        const char *end = memchr(a.ptr, ']', a.len);

        if (!end)
            return false;
        out->name = (struct span){a.ptr + 1, (size_t)(end - a.ptr - 1)};
        a.len -= (size_t)(end + 1 - a.ptr);
        a.ptr = end + 1;
        colon = a.len ? a.ptr : NULL;
        if (colon && *colon != ':')
            return false;
    } else {
        colon = memchr(a.ptr, ':', a.len);
        if (colon)
            out->name.len = (size_t)(colon - a.ptr);
    }
    out->port = (struct span){NULL, 0};
    if (colon)
        out->port =
            (struct span){colon + 1, (size_t)(a.ptr + a.len - colon - 1)};
    return out->name.len > 0;
}

static bool port_ok(struct span port)
{
    uint64_t n;

    return port.len == 0 ||
           (port.len <= 5 && span_u64(port, &n) && n > 0 && n < 65536);
}

/* Ours have a plain authority; libcurl has the rest. */
static bool split(const char *url, struct place *out)
{
    struct span all = span_of(url);
    size_t n;

    out->secure = span_starts(all, "https://");
    n = out->secure ? sizeof "https://" - 1 : sizeof "http://" - 1;
    if ((!out->secure && !span_starts(all, "http://")) || all.len > URL_MAX)
        return false;
    for (size_t i = 0; i < all.len; i++)
        if (all.ptr[i] <= ' ' || all.ptr[i] == 0x7f || all.ptr[i] == '\\')
            return false;
    all.ptr += n;
    all.len -= n;
    all = span_cut(&all, '#');
    n = strcspn(all.ptr, "/?#");
    if (n > all.len)
        n = all.len;
    out->authority = (struct span){all.ptr, n};
    out->path = (struct span){all.ptr + n, all.len - n};
    return split_authority(out->authority, out) && port_ok(out->port);
}

bool host_takes(const struct upstream_request *r)
{
    struct place at;

    /* Streams share connections and are held back; libcurl lets one that is
     * held back stop all others on its connection. */
    return !r->connect_to && split(r->url, &at) && (!at.secure || r->slow);
}

static void host_release(struct plain_host *h)
{
    if (!h)
        return;
    free(h->authority);
    free(h->ca_file);
    free(h);
}

static struct plain_host *host_new(struct plain *p, const struct place *at,
                                   const char *ca_file, struct err *e)
{
    struct span usual = at->secure ? SPAN("443") : SPAN("80");
    struct plain_host *h = calloc(1, sizeof *h);

    if (h) {
        h->authority = strndup(at->authority.ptr, at->authority.len);
        h->ca_file = ca_file ? strdup(ca_file) : NULL;
        h->secure = at->secure;
    }
    if (!h || !h->authority || (ca_file && !h->ca_file) ||
        !span_copy(h->name, sizeof h->name, at->name) ||
        !span_copy(h->port, sizeof h->port, at->port.len ? at->port : usual)) {
        host_release(h);
        err_set(e, ERR_MEMORY, "no memory for an upstream's host");
        return NULL;
    }
    h->p = p;
    h->numeric = resolve_numeric(h->name, h->port, &h->found);
    h->next = p->hosts;
    p->hosts = h;
    return h;
}

static bool is_it(const struct plain_host *h, const struct place *at,
                  const char *ca_file)
{
    return h->secure == at->secure && span_is(at->authority, h->authority) &&
           (ca_file ? h->ca_file && !strcmp(h->ca_file, ca_file) : !h->ca_file);
}

struct plain_host *host_of(struct plain *p, const struct upstream_request *r,
                           struct span *path, struct err *e)
{
    struct place at;
    const char *ca_file;

    if (!split(r->url, &at)) {
        err_set(e, ERR_INPUT, "upstream URL: wanted http://, found %.60s",
                r->url);
        return NULL;
    }
    ca_file = at.secure ? r->ca_file : NULL;
    *path = at.path;
    for (struct plain_host *h = p->hosts; h; h = h->next)
        if (is_it(h, &at, ca_file))
            return h;
    return host_new(p, &at, ca_file, e);
}

/* ---- the queue ---- */

void host_enqueue(struct plain_call *c, bool front)
{
    struct plain_host *h = c->host;
    struct plain_call *next = front ? h->queue : NULL;
    struct plain_call *prev = front ? NULL : h->queue_last;

    c->state = PLAIN_QUEUED;
    c->queue_prev = prev;
    c->queue_next = next;
    *(prev ? &prev->queue_next : &h->queue) = c;
    *(next ? &next->queue_prev : &h->queue_last) = c;
}

void host_dequeue(struct plain_call *c)
{
    struct plain_host *h = c->host;

    *(c->queue_prev ? &c->queue_prev->queue_next : &h->queue) = c->queue_next;
    *(c->queue_next ? &c->queue_next->queue_prev : &h->queue_last) =
        c->queue_prev;
    c->queue_prev = c->queue_next = NULL;
}

/* Those that wait for an address end; they hear of it later. */
static void fail_queue(struct plain_host *h, const char *why)
{
    while (h->queue) {
        struct plain_call *c = h->queue;

        host_dequeue(c);
        c->state = PLAIN_BOUND; /* to nothing, until the turn ends */
        plain_fail(c, UPSTREAM_REFUSED, why);
    }
}

static void on_found(void *ctx, const struct addresses *found,
                     const char *error)
{
    struct plain_host *h = ctx;

    h->lookup = NULL;
    if (error) {
        fail_queue(h, "the host's name does not resolve");
        return;
    }
    h->found = *found;
    h->found_at = clock_ns();
    host_pump(h);
}

/* True when there are addresses; else they are being looked up, or the
 * queue has failed. */
static bool have_addresses(struct plain_host *h)
{
    if (h->numeric ||
        (h->found_at && clock_ns() - h->found_at < LOOKUP_SECONDS * SECOND))
        return true;
    if (!h->lookup)
        h->lookup = resolve_start(h->p->base, h->name, h->port, on_found, h);
    if (!h->lookup)
        fail_queue(h, "no thread to resolve the host's name in");
    return false;
}

/* Onto a connection that has room for one more. */
static bool join(struct plain_host *h, struct plain_call *c)
{
    struct plain_conn *conn = h->multi;

    while (conn && !h2_has_room(conn))
        conn = conn->next;
    if (!conn)
        return false;
    host_dequeue(c);
    c->reused = true;
    if (!h2_send(conn, c)) {
        c->state = PLAIN_BOUND;
        plain_fail(c, UPSTREAM_OTHER, "no memory for a stream");
    }
    return true;
}

/* True when one more call has left the queue. */
static bool pump_one(struct plain_host *h)
{
    struct plain_call *c = h->queue;
    struct plain_conn *conn = h->kept;

    if (h->multi && join(h, c))
        return true;
    if (h->secure && h->dialling && h->speaks != SPEECH_HTTP1)
        return false; /* it will be known soon, or there will be room */
    if (conn && !c->fresh) {
        host_unkeep(conn);
        host_dequeue(c);
        plain_send(conn, c);
        return true;
    }
    if (h->p->per_host && h->n_conns >= h->p->per_host) {
        if (!conn)
            return false;
        plain_close(h->kept_last); /* room for a fresh one */
    }
    if (!have_addresses(h))
        return false;
    host_dequeue(c);
    c->state = PLAIN_BOUND;
    if (!plain_dial(h, c))
        plain_fail(c, UPSTREAM_REFUSED, "the connection was refused");
    return true;
}

void host_pump(struct plain_host *h)
{
    while (h->queue && pump_one(h))
        continue;
}

/* ---- kept connections ---- */

void host_keep(struct plain_conn *conn)
{
    struct plain_host *h = conn->host;

    conn->since = clock_ns();
    conn->prev = NULL;
    conn->next = h->kept;
    *(h->kept ? &h->kept->prev : &h->kept_last) = conn;
    h->kept = conn;
    if (++h->p->n_kept > KEPT_MAX)
        plain_close(h->kept_last);
}

void host_share(struct plain_conn *conn)
{
    struct plain_host *h = conn->host;

    conn->since = clock_ns();
    conn->prev = NULL;
    conn->next = h->multi;
    if (h->multi)
        h->multi->prev = conn;
    h->multi = conn;
    h->p->n_shared++;
}

void host_unkeep(struct plain_conn *conn)
{
    struct plain_host *h = conn->host;

    if (conn->h2) {
        *(conn->prev ? &conn->prev->next : &h->multi) = conn->next;
        if (conn->next)
            conn->next->prev = conn->prev;
        conn->prev = conn->next = NULL;
        h->p->n_shared--;
        return;
    }
    *(conn->prev ? &conn->prev->next : &h->kept) = conn->next;
    *(conn->next ? &conn->next->prev : &h->kept_last) = conn->prev;
    conn->prev = conn->next = NULL;
    h->p->n_kept--;
}

static bool is_old(const struct plain_conn *conn, uint64_t now)
{
    return now > conn->since && now - conn->since > KEPT_SECONDS * SECOND;
}

void host_age(struct plain_host *h, uint64_t now)
{
    struct plain_conn *next;

    while (h->kept_last && is_old(h->kept_last, now))
        plain_close(h->kept_last);
    for (struct plain_conn *conn = h->multi; conn; conn = next) {
        next = conn->next;
        if (conn->n_calls == 0 && is_old(conn, now))
            plain_close(conn);
    }
}

void host_free(struct plain_host *h)
{
    resolve_cancel(h->lookup);
    while (h->kept)
        plain_close(h->kept);
    while (h->multi)
        plain_close(h->multi);
    host_release(h);
}
