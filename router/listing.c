/* SPDX-License-Identifier: Apache-2.0 */
#include "router/listing.h"

#include <string.h>

#include "router/problem.h"
#include "router/router.h"

enum { LISTING_MAX = 8 << 20 };

/* id as a client wrote it; routes are owned by weir, models by their
 * provider. */
static void write_model(const struct route *r, struct span id,
                        int64_t created_ms, struct buf *out)
{
    const struct route_settings *set = r->set;

    buf_str(out, "{\"id\":");
    buf_json_str(out, id);
    buf_printf(out, ",\"object\":\"model\",\"created\":%lld,\"owned_by\":",
               (long long)(created_ms / 1000));
    buf_json_str(out,
                 span_of(set->pinned ? set->arms[0].model->provider : "weir"));
    buf_char(out, '}');
}

static void reply(struct worker *w, struct http_exchange *x, struct buf *out)
{
    http_reply(x, 200, "application/json", buf_view(out));
    worker_give_back(w, out);
}

void listing_models(struct worker *w, struct http_exchange *x)
{
    struct snapshot *s = worker_snapshot(w);
    struct buf out = worker_buf(w, LISTING_MAX);

    buf_str(&out, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < snapshot_routes(s); i++) {
        const struct route *r = snapshot_route_at(s, i);

        buf_str(&out, i ? "," : "");
        write_model(r, span_of(r->set->item.name), w->router->started_ms, &out);
    }
    buf_str(&out, "]}");
    snapshot_unref(s);
    reply(w, x, &out);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes into the arena; what is no escape stays. */
static struct span decode(struct span s, struct arena *a)
{
    char *out = arena_alloc(a, s.len + 1);
    size_t n = 0;

    if (!out)
        return (struct span){NULL, 0};
    for (size_t i = 0; i < s.len; i++) {
        bool escape = s.ptr[i] == '%' && i + 2 < s.len &&
                      hex_value(s.ptr[i + 1]) >= 0 &&
                      hex_value(s.ptr[i + 2]) >= 0;

        out[n++] =
            escape
                ? (char)(hex_value(s.ptr[i + 1]) * 16 + hex_value(s.ptr[i + 2]))
                : s.ptr[i];
        i += escape ? 2 : 0;
    }
    return (struct span){out, n};
}

void listing_model(struct worker *w, struct http_exchange *x)
{
    struct span id = http_request(x)->path;
    struct snapshot *s = worker_snapshot(w);
    const struct route *r;
    struct buf out;
    struct problem p;

    id.ptr += strlen("/v1/models/");
    id.len -= strlen("/v1/models/");
    id = decode(id, http_arena(x));
    r = snapshot_route(s, id);
    if (r) {
        out = worker_buf(w, LISTING_MAX);
        write_model(r, id, w->router->started_ms, &out);
        reply(w, x, &out);
    } else {
        problem_set(&p, PROBLEM_NO_MODEL, http_arena(x),
                    "no route or model is called \"%.*s\"",
                    (int)(id.len < 200 ? id.len : 200), id.ptr);
        problem_reply(x, &dialect_openai, &p);
    }
    snapshot_unref(s);
}
