/* SPDX-License-Identifier: Apache-2.0 */
#include "router/upstream/upstream_client.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The first that takes a URL gets it; the last takes all. */
static const struct upstream_client *const CLIENTS[] = {&upstream_plain,
                                                        &upstream_curl};

enum { N_CLIENTS = sizeof CLIENTS / sizeof *CLIENTS };

struct upstream {
    void *self[N_CLIENTS]; /* (owned) NULL: not in use */
};

const char *upstream_end_name(enum upstream_end end)
{
    static const char *const names[] = {
        [UPSTREAM_OK] = "ok",
        [UPSTREAM_REFUSED] = "refused",
        [UPSTREAM_TIMEOUT] = "timeout",
        [UPSTREAM_CUT] = "cut",
        [UPSTREAM_TOO_LARGE] = "too_large",
        [UPSTREAM_TLS] = "tls",
        [UPSTREAM_OTHER] = "other",
    };

    return names[end];
}

struct upstream *upstream_new_of(const struct upstream_client *only,
                                 struct event_base *base,
                                 unsigned max_connections_per_host,
                                 struct err *e)
{
    struct upstream *u = calloc(1, sizeof *u);

    if (!u) {
        err_set(e, ERR_MEMORY, "no memory for upstream connections");
        return NULL;
    }
    for (int i = 0; i < N_CLIENTS; i++) {
        if (only && only != CLIENTS[i])
            continue;
        u->self[i] = CLIENTS[i]->make(base, max_connections_per_host, e);
        if (!u->self[i]) {
            upstream_free(u);
            return NULL;
        }
    }
    return u;
}

struct upstream *upstream_new(struct event_base *base,
                              unsigned max_connections_per_host, struct err *e)
{
    return upstream_new_of(NULL, base, max_connections_per_host, e);
}

void upstream_free(struct upstream *u)
{
    if (!u)
        return;
    for (int i = 0; i < N_CLIENTS; i++)
        CLIENTS[i]->destroy(u->self[i]);
    free(u);
}

void upstream_share(struct upstream *u, struct tls_trusts *trusts)
{
    for (int i = 0; i < N_CLIENTS; i++)
        if (u->self[i] && CLIENTS[i]->share)
            CLIENTS[i]->share(u->self[i], trusts);
}

/* No byte of a header may end its line, and none may frame the message. */
static bool check_header(const struct upstream_header *h, struct err *e)
{
    static const char *const framing[] = {"content-length",
                                          "transfer-encoding"};
    bool clean = h->name[0] && !strpbrk(h->name, "\r\n: \t");

    for (size_t i = 0; i < h->value.len; i++) {
        char c = h->value.ptr[i];

        clean = clean && c != '\r' && c != '\n' && c != '\0';
    }
    if (!clean)
        return err_set(e, ERR_INPUT, "header %s has bytes that end a line",
                       h->name);
    for (int i = 0; i < 2; i++)
        if (strcasecmp(h->name, framing[i]) == 0)
            return err_set(e, ERR_INPUT, "header %s is not the caller's to set",
                           h->name);
    return true;
}

struct upstream_call *upstream_start(struct upstream *u,
                                     const struct upstream_request *r,
                                     const struct upstream_events *ev,
                                     struct err *e)
{
    for (size_t i = 0; i < r->n_headers; i++)
        if (!check_header(&r->headers[i], e))
            return NULL;
    for (int i = 0; i < N_CLIENTS; i++)
        if (u->self[i] && CLIENTS[i]->takes(r))
            return CLIENTS[i]->start(u->self[i], r, ev, e);
    err_set(e, ERR_INPUT, "upstream URL: wanted http://, found %.60s", r->url);
    return NULL;
}

struct span upstream_header(const struct upstream_call *c, const char *name)
{
    return c->client->header(c, name);
}

bool upstream_connecting(const struct upstream_call *c)
{
    return c->client->connecting(c);
}

void upstream_pause(struct upstream_call *c)
{
    c->client->pause(c);
}

void upstream_resume(struct upstream_call *c)
{
    c->client->resume(c);
}

void upstream_cancel(struct upstream_call *c)
{
    if (c)
        c->client->cancel(c);
}
