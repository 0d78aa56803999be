/* SPDX-License-Identifier: Apache-2.0 */
#include "router/forward.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "router/chat/chat.h"
#include "router/chat/head.h"
#include "router/gate/gate.h"
#include "router/health/health.h"
#include "router/problem.h"
#include "router/router.h"

struct forward {
    struct worker *w;        /* (borrowed) */
    struct http_exchange *x; /* (borrowed) */
    struct snapshot *s;      /* (owned reference) until the end */
    struct place at;
    const struct provider_settings *to;
    struct upstream_call *call; /* running, or NULL */
    bool begun;                 /* the client has the status */
    int64_t time_ms;            /* UTC, */
    uint64_t from_ns;           /* monotonic: when it came */
    uint64_t first_us;          /* until its answer began */
    char id[REQUEST_ID_LEN + 1];
};

/* ---- where it goes ---- */

/* Dots and escaped slashes may lead out of what the list allows. */
static bool is_straight(struct span path)
{
    static const char *const marks[] = {"/.",  "//",  "\\",  "%2f", "%2F",
                                        "%5c", "%5C", "%2e", "%2E"};

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (memmem(path.ptr, path.len, marks[i], strlen(marks[i])))
            return false;
    }
    return true;
}

static bool has_path(const struct provider_settings *p, struct span path)
{
    for (unsigned i = 0; i < p->pass_through.n; i++) {
        const char *one = p->pass_through.at[i];
        bool below = one[strlen(one) - 1] == '/';

        if (below ? span_starts(path, one) : span_is(path, one))
            return true;
    }
    return false;
}

const struct provider_settings *forward_to(const struct settings *s,
                                           struct span path)
{
    const struct provider_settings *p = s->providers.at;

    for (unsigned i = 0; i < s->providers.n; i++) {
        if (has_path(&p[i], path))
            return is_straight(path) ? &p[i] : NULL;
    }
    return NULL;
}

/* "/v1", "/v2", "/v1beta" at the end of an address. */
static size_t without_version(const char *url)
{
    size_t n = strlen(url);
    const char *last = strrchr(url, '/');

    if (last && last[1] == 'v' && last[2] >= '0' && last[2] <= '9')
        n = (size_t)(last - url);
    return n;
}

static void put_query(struct buf *b, struct span query)
{
    char before = '?';

    while (query.len) {
        struct span one = span_cut(&query, '&');

        if (span_starts(one, "key=") || !one.len)
            continue;
        buf_char(b, before);
        buf_span(b, one);
        before = '&';
    }
}

const char *forward_url(const char *base_url, struct span path,
                        struct span query, struct arena *a)
{
    struct buf b;
    const char *url = NULL;

    buf_init(&b, strlen(base_url) + path.len + query.len + 8);
    buf_span(&b, (struct span){base_url, without_version(base_url)});
    buf_span(&b, path);
    put_query(&b, query);
    if (!b.failed)
        url = arena_strdup(a, buf_view(&b));
    buf_free(&b);
    return url;
}

/* ---- its end ---- */

static void count(const struct forward *f, int status,
                  const struct upstream_result *r)
{
    struct span class = metrics_status_class(status);
    struct span mine[3] = {SPAN("pass_through"), SPAN("none"), class};
    struct span theirs[2] = {span_of(f->to->item.name), SPAN("")};

    metrics_count(f->w->shard, METRIC_REQUESTS, mine, 1);
    if (!r)
        return;
    theirs[1] = metrics_status_class(r->status);
    metrics_count(f->w->shard, METRIC_UPSTREAM_CALLS, theirs, 1);
    if (!r->reused && r->connect_us)
        metrics_count(f->w->shard, METRIC_UPSTREAM_CONNECTS, theirs, 1);
    if (r->end == UPSTREAM_OK)
        return;
    theirs[1] = span_of(upstream_end_name(r->end));
    metrics_count(f->w->shard, METRIC_UPSTREAM_ERRORS, theirs, 1);
}

/* What it was: its method and path, nothing of what was in it. */
static void put_about(const struct forward *f, struct buf *b)
{
    buf_str(b, "{\"method\":");
    buf_json_str(b, http_request(f->x)->method);
    buf_str(b, ",\"path\":");
    buf_json_str(b, f->at.path);
    buf_char(b, '}');
}

static void write_row(struct forward *f, int status, const char *error)
{
    struct outlog_row row;
    struct buf about;

    if (!f->w->router->log)
        return;
    buf_init(&about, 4096);
    put_about(f, &about);
    outlog_row_init(&row);
    row.id = (struct span){f->id, REQUEST_ID_LEN};
    row.time_ms = f->time_ms;
    row.dialect = SPAN("pass_through");
    row.reason = SPAN("passed_through");
    row.provider = span_of(f->to->item.name);
    if (f->at.pass)
        row.key_name = f->at.pass->key;
    row.status = status;
    row.error = span_of(error ? error : "");
    row.attempts = 1;
    row.latency_us = (int64_t)((clock_ns() - f->from_ns) / 1000);
    row.ttft_us = (int64_t)f->first_us;
    row.queue_us = (int64_t)(f->at.waited_ns / 1000);
    row.about = about.failed ? SPAN("{}") : buf_view(&about);
    (void)outlog_push(f->w->router->log, &row);
    buf_free(&about);
}

/* No function may be called with it again. */
static void finish(struct forward *f, int status, const char *error,
                   const struct upstream_result *r)
{
    count(f, status, r);
    write_row(f, status, error);
    upstream_cancel(f->call);
    f->call = NULL;
    snapshot_unref(f->s);
    gate_leave(f->w, &f->at, f->at.reserved);
}

static void refuse(struct forward *f, struct problem *p,
                   const struct upstream_result *r)
{
    int status = p->status;
    const char *code = p->code;

    problem_reply(f->x, f->at.dialect, p);
    finish(f, status, code, r);
}

/* ---- the answer ---- */

static void on_gone(void *ctx)
{
    finish(ctx, 499, "client_gone", NULL);
}

static void on_full(void *ctx)
{
    struct forward *f = ctx;

    if (f->call)
        upstream_pause(f->call);
}

static void on_drain(void *ctx)
{
    struct forward *f = ctx;

    if (f->call)
        upstream_resume(f->call);
}

static void on_head(void *ctx, int status)
{
    static const char *const names[] = {"content-disposition", "location",
                                        "retry-after", "x-request-id",
                                        "request-id"};
    struct forward *f = ctx;
    struct span type = upstream_header(f->call, "content-type");
    const char *text = arena_strdup(http_arena(f->x), type);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct span v = upstream_header(f->call, names[i]);

        if (v.len)
            http_set(f->x, names[i], v);
    }
    f->first_us = (clock_ns() - f->from_ns) / 1000;
    f->begun = true;
    http_begin(f->x, status,
               type.len && text ? text : "application/octet-stream");
}

static void on_body(void *ctx, struct span bytes)
{
    struct forward *f = ctx;

    http_write(f->x, bytes);
}

static void failed(struct forward *f, const struct upstream_result *r)
{
    struct problem p;

    problem_set(&p,
                r->end == UPSTREAM_TIMEOUT ? PROBLEM_TIMEOUT
                : r->end == UPSTREAM_CUT   ? PROBLEM_CUT
                                           : PROBLEM_UNREACHABLE,
                http_arena(f->x), "%s: %s", f->to->item.name, r->reason);
    refuse(f, &p, r);
}

static void on_done(void *ctx, const struct upstream_result *r)
{
    struct forward *f = ctx;

    f->call = NULL;
    if (!f->begun) {
        failed(f, r);
    } else if (r->end == UPSTREAM_OK) {
        http_end(f->x);
        finish(f, r->status, NULL, r);
    } else {
        http_abort(f->x);
        finish(f, r->status, upstream_end_name(r->end), r);
    }
}

/* ---- the call ---- */

/* Of its keys the first that does not rest. */
static const struct provider_key *key_of(const struct provider_settings *p)
{
    uint64_t now_ms = health_now();

    for (unsigned i = 0; i < p->n_keys; i++) {
        if (!health_resting(p->keys[i].health, now_ms))
            return &p->keys[i];
    }
    return &p->keys[0];
}

static bool call(struct forward *f, struct err *e)
{
    const struct limit_settings *l = &snapshot_settings(f->s)->limits;
    const struct http_request *in = http_request(f->x);
    struct arena *a = http_arena(f->x);
    struct upstream_header headers[SENT_HEADERS_MAX];
    struct span accept = http_header(f->x, "accept");
    const struct head head = {.at = f->to,
                              .key = key_of(f->to),
                              .x = f->x,
                              .client = f->to->ops,
                              .type = http_header(f->x, "content-type"),
                              .accept = accept.len ? accept : SPAN("*/*"),
                              .arena = a};
    struct upstream_request r = {
        .method = arena_strdup(a, in->method),
        .url = forward_url(f->to->base_url, f->at.path, in->query, a),
        .body = in->body,
        .connect_ms = (unsigned)l->connect_ms,
        .first_byte_ms = (unsigned)l->first_byte_ms,
        .stall_ms = (unsigned)l->stall_ms,
        .total_ms = (unsigned)l->total_ms,
        .slow = true};
    struct upstream_events events = {f, on_head, on_body, on_done};

    if (!r.method || !r.url)
        return err_set(e, ERR_MEMORY, "out of memory");
    if (!head_make(&head, &r, headers, e))
        return false;
    f->call = upstream_start(f->w->upstream, &r, &events, e);
    return f->call != NULL;
}

/* What such a request costs is not known, so a key that is held to something
 * may not make it. */
static const char *held(const struct settings *s, const struct forward *f)
{
    const struct key_settings *k;

    if (!f->at.pass)
        return NULL;
    k = settings_key(s, f->at.pass->key);
    if (!k)
        return "this key is no longer known";
    if (k->routes.n)
        return "this key is held to routes";
    if (!isnan(k->budget))
        return "this key has a budget, and what this costs is not known";
    if (k->regions.n && !settings_in_region(&k->regions, f->to))
        return "this key is held to other regions";
    return NULL;
}

static void begin(struct forward *f)
{
    const char *why = held(snapshot_settings(f->s), f);
    struct problem p;
    struct err e = {0};

    if (why)
        problem_set(&p, PROBLEM_KEY_ROUTE, http_arena(f->x), "%s", why);
    else if (call(f, &e))
        return;
    else
        problem_set(&p,
                    e.kind == ERR_MEMORY ? PROBLEM_MEMORY : PROBLEM_UNREACHABLE,
                    http_arena(f->x), "%s", e.msg);
    refuse(f, &p, NULL);
}

/* Reloads may have taken it away while it waited. */
static void gone_meanwhile(struct worker *w, struct http_exchange *x,
                           const struct place *at, struct snapshot *s)
{
    struct problem p;

    snapshot_unref(s);
    problem_set(&p, PROBLEM_MEMORY, http_arena(x),
                "out of memory, or nobody "
                "takes this path any more");
    chat_refused(w, at, p.status, p.code);
    problem_reply(x, at->dialect, &p);
    gate_leave(w, at, at->reserved);
}

void forward_start(struct worker *w, struct http_exchange *x,
                   const struct place *at)
{
    struct forward *f = arena_zalloc(http_arena(x), 1, sizeof *f);
    struct snapshot *s = worker_snapshot(w);
    const struct provider_settings *to =
        forward_to(snapshot_settings(s), at->path);

    if (!f || !to) {
        gone_meanwhile(w, x, at, s);
        return;
    }
    *f = (struct forward){.w = w,
                          .x = x,
                          .s = s,
                          .at = *at,
                          .to = to,
                          .time_ms = clock_utc_ms(),
                          .from_ns = clock_ns()};
    request_id_make(&w->ids, f->time_ms, f->id);
    http_set(x, "x-weir-request-id", (struct span){f->id, REQUEST_ID_LEN});
    http_watch(x, (struct http_watch){.ctx = f,
                                      .on_gone = on_gone,
                                      .on_full = on_full,
                                      .on_drain = on_drain});
    begin(f);
}
