/* SPDX-License-Identifier: Apache-2.0 */
#include "router/paths.h"

#include <string.h>

#include "router/admin.h"
#include "router/chat.h"
#include "router/listing.h"
#include "router/problem.h"
#include "router/router.h"

enum access { ACCESS_ALL, ACCESS_METRICS, ACCESS_EXPLAIN, ACCESS_RELOAD };

struct path {
    const char *method, *path; /* a path that ends in / also leads longer
                                  ones */
    void (*serve)(struct worker *w, struct http_exchange *x);
    enum access access;
};

static const struct path rows[] = {
    {"POST", "/v1/chat/completions", chat_start, ACCESS_ALL},
    {"GET", "/v1/models", listing_models, ACCESS_ALL},
    {"GET", "/v1/models/", listing_model, ACCESS_ALL},
    {"POST", "/v1/feedback", admin_feedback, ACCESS_ALL},
    {"POST", "/v1/weir/explain", admin_explain, ACCESS_EXPLAIN},
    {"POST", "/v1/weir/reload", admin_reload, ACCESS_RELOAD},
    {"GET", "/healthz", admin_health, ACCESS_ALL},
    {"GET", "/metrics", admin_metrics, ACCESS_METRICS},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static bool path_is(const struct path *p, struct span path)
{
    size_t n = strlen(p->path);

    if (p->path[n - 1] == '/')
        return path.len > n && span_starts(path, p->path);
    return span_is(path, p->path);
}

static bool method_is(const struct path *p, struct span method)
{
    return span_is(method, p->method) ||
           (span_is(method, "HEAD") && !strcmp(p->method, "GET"));
}

static unsigned access_of(const struct worker *w, const struct path *p)
{
    const struct admin_settings *a = &snapshot_settings(w->snapshot)->admin;

    switch (p->access) {
    case ACCESS_METRICS:
        return a->metrics;
    case ACCESS_EXPLAIN:
        return a->explain;
    case ACCESS_RELOAD:
        return a->reload == WHENCE_NOWHERE ? WHENCE_NOWHERE : WHENCE_LOOPBACK;
    default:
        return WHENCE_ANYWHERE;
    }
}

/* A web page in a browser on this machine is no operator: it names its
 * origin. */
static bool from_loopback(const struct http_exchange *x)
{
    char peer[64];

    span_copy(peer, sizeof peer, http_request(x)->peer);
    return settings_loopback(peer) && http_header(x, "origin").len == 0;
}

static bool may(const struct worker *w, const struct path *p,
                const struct http_exchange *x)
{
    unsigned whence = access_of(w, p);

    return whence == WHENCE_ANYWHERE ||
           (whence == WHENCE_LOOPBACK && from_loopback(x));
}

static void refuse(struct http_exchange *x, bool known)
{
    const struct http_request *r = http_request(x);
    size_t n = r->path.len < 200 ? r->path.len : 200;
    struct problem p;

    if (known)
        problem_set(&p, PROBLEM_METHOD, http_arena(x),
                    "%.*s is not answered here with this method", (int)n,
                    r->path.ptr);
    else
        problem_set(&p, PROBLEM_NOT_FOUND, http_arena(x), "nothing is at %.*s",
                    (int)n, r->path.ptr);
    problem_reply(x, &dialect_openai, &p);
}

void paths_serve(struct worker *w, struct http_exchange *x)
{
    const struct http_request *r = http_request(x);
    bool known = false;
    struct problem p;

    for (size_t i = 0; i < ROWS; i++) {
        if (!path_is(&rows[i], r->path))
            continue;
        known = true;
        if (!method_is(&rows[i], r->method))
            continue;
        if (may(w, &rows[i], x)) {
            rows[i].serve(w, x);
            return;
        }
        problem_set(&p, PROBLEM_FORBIDDEN, http_arena(x),
                    "%s is not answered to this address (admin settings)",
                    rows[i].path);
        problem_reply(x, &dialect_openai, &p);
        return;
    }
    refuse(x, known);
}

void paths_refused(struct worker *w, struct span path, int status,
                   const char *why)
{
    if (span_is(path, "/v1/chat/completions"))
        chat_refused(w, status, why);
}
