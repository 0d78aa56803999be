/* SPDX-License-Identifier: Apache-2.0 */
#include "router/chat/listing.h"

#include <string.h>

#include "router/codec/anthropic.h"
#include "router/codec/gemini.h"
#include "router/paths.h"
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

static bool is_anthropic(const struct http_exchange *x)
{
    return http_header(x, "anthropic-version").len > 0;
}

static bool is_gemini(const struct http_exchange *x)
{
    return http_header(x, "x-goog-api-key").len > 0;
}

/* The windows of a route that stands for one model. */
static struct anthropic_model anthropic_of(const struct route *r,
                                           struct span id, int64_t created_ms)
{
    struct anthropic_model m = {.id = id, .created = created_ms / 1000};

    if (r->set->pinned) {
        m.max_input = r->set->arms[0].model->model.context;
        m.max_output = r->set->arms[0].model->model.max_output;
    }
    return m;
}

static void anthropic_models(struct worker *w, struct http_exchange *x)
{
    struct snapshot *s = worker_snapshot(w);
    struct buf out = worker_buf(w, LISTING_MAX);
    size_t n = snapshot_routes(s);
    struct anthropic_model *m = arena_zalloc(http_arena(x), n + 1, sizeof *m);

    for (size_t i = 0; m && i < n; i++) {
        const struct route *r = snapshot_route_at(s, i);

        m[i] =
            anthropic_of(r, span_of(r->set->item.name), w->router->started_ms);
    }
    anthropic_write_models(m, m ? n : 0, &out);
    snapshot_unref(s);
    reply(w, x, &out);
}

static void write_gemini(const struct route *r, struct span id, struct buf *out)
{
    const struct model none = {.name = ""};

    gemini_write_model(out, id,
                       r->set->pinned ? &r->set->arms[0].model->model : &none);
}

void listing_gemini(struct worker *w, struct http_exchange *x)
{
    struct snapshot *s = worker_snapshot(w);
    struct buf out = worker_buf(w, LISTING_MAX);

    buf_str(&out, "{\"models\":[");
    for (size_t i = 0; i < snapshot_routes(s); i++) {
        const struct route *r = snapshot_route_at(s, i);

        buf_str(&out, i ? "," : "");
        write_gemini(r, span_of(r->set->item.name), &out);
    }
    buf_str(&out, "]}");
    snapshot_unref(s);
    reply(w, x, &out);
}

static void openai_models(struct worker *w, struct http_exchange *x)
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

void listing_models(struct worker *w, struct http_exchange *x)
{
    if (is_anthropic(x))
        anthropic_models(w, x);
    else if (is_gemini(x))
        listing_gemini(w, x);
    else
        openai_models(w, x);
}

/* One model in the shape of a dialect. */
static void write_one(const struct worker *w, const struct dialect_ops *d,
                      const struct route *r, struct span id, struct buf *out)
{
    struct anthropic_model m;

    if (d == &dialect_gemini) {
        write_gemini(r, id, out);
    } else if (d == &dialect_anthropic) {
        m = anthropic_of(r, id, w->router->started_ms);
        anthropic_write_model(&m, out);
    } else {
        write_model(r, id, w->router->started_ms, out);
    }
}

/* Whatever stands before it; the name may hold slashes of its own. */
static struct span behind_models(struct span path)
{
    static const char mark[] = "/models/";
    const char *at = memmem(path.ptr, path.len, mark, sizeof mark - 1);

    if (!at)
        return path;
    at += sizeof mark - 1;
    return (struct span){at, (size_t)(path.ptr + path.len - at)};
}

static void one(struct worker *w, struct http_exchange *x,
                const struct dialect_ops *d)
{
    struct span id = behind_models(http_request(x)->path);
    struct snapshot *s = worker_snapshot(w);
    const struct route *r;
    struct buf out;
    struct problem p;

    id = paths_decode(id, http_arena(x));
    r = snapshot_route(s, id);
    if (r) {
        out = worker_buf(w, LISTING_MAX);
        write_one(w, d, r, id, &out);
        reply(w, x, &out);
    } else {
        problem_set(&p, PROBLEM_NO_MODEL, http_arena(x),
                    "no route or model is called \"%.*s\"",
                    (int)(id.len < 200 ? id.len : 200), id.ptr);
        problem_reply(x, d, &p);
    }
    snapshot_unref(s);
}

void listing_model(struct worker *w, struct http_exchange *x)
{
    one(w, x,
        is_anthropic(x) ? &dialect_anthropic
        : is_gemini(x)  ? &dialect_gemini
                        : &dialect_openai);
}

void listing_gemini_model(struct worker *w, struct http_exchange *x)
{
    one(w, x, &dialect_gemini);
}
