/* SPDX-License-Identifier: Apache-2.0 */
#include "router/admin.h"

#include "base/clock.h"
#include "base/version.h"
#include "router/chat/ask.h"
#include "router/gate/purse.h"
#include "router/health/shown.h"
#include "router/route/explain.h"
#include "router/route/promise.h"

enum { ADMIN_BODY_MAX = 8 << 20 };

static void reply(struct worker *w, struct http_exchange *x, struct buf *out)
{
    http_reply(x, 200, "application/json", buf_view(out));
    worker_give_back(w, out);
}

/* ---- health and metrics ---- */

static void health_log(const struct router *r, struct buf *out)
{
    struct outlog_stats s = {.healthy = true};

    if (r->log)
        outlog_stats(r->log, &s);
    buf_printf(out, "{\"status\":\"%s\",\"version\":\"" WEIR_VERSION "\"",
               s.healthy ? "ok" : "degraded");
    if (!r->log) {
        buf_str(out, ",\"log\":null");
        return;
    }
    buf_printf(out,
               ",\"log\":{\"healthy\":%s,\"written\":%llu,\"queued\":%llu,"
               "\"spilled\":%llu,\"recovered\":%llu,\"in_spill\":%llu,"
               "\"lost\":%llu,\"pruned\":%llu,",
               s.healthy ? "true" : "false", (unsigned long long)s.written,
               (unsigned long long)s.queued, (unsigned long long)s.spilled,
               (unsigned long long)s.recovered, (unsigned long long)s.waiting,
               (unsigned long long)s.lost, (unsigned long long)s.pruned);
    if (s.killed_ms)
        buf_printf(out, "\"found_after_kill\":%llu,",
                   (unsigned long long)s.found);
    buf_str(out, "\"last_error\":");
    buf_json_str(out, span_of(s.last_error));
    buf_char(out, '}');
}

/* "drifted":["auto"]: routes whose promises are void. */
static void health_drift(const struct snapshot *s, struct buf *out)
{
    const char *comma = "";

    buf_str(out, ",\"drifted\":[");
    for (size_t i = 0; i < snapshot_routes(s); i++) {
        const struct route *r = snapshot_route_at(s, i);

        if (!drift_alarm(snapshot_drift(s, r)))
            continue;
        buf_str(out, comma);
        buf_json_str(out, span_of(r->set->item.name));
        comma = ",";
    }
    buf_char(out, ']');
}

/* "guarantee":{"auto":"holds; ..."}: of each route that promises. */
static void health_promises(const struct snapshot *s, struct buf *out)
{
    char text[PROMISE_MAX];
    const char *comma = "";

    buf_str(out, ",\"guarantee\":{");
    for (size_t i = 0; i < snapshot_routes(s); i++) {
        const struct route *r = snapshot_route_at(s, i);

        if (!promise_of(r))
            continue;
        buf_str(out, comma);
        buf_json_str(out, span_of(r->set->item.name));
        buf_char(out, ':');
        promise_route_text(r, drift_alarm(snapshot_drift(s, r)), text);
        buf_json_str(out, span_of(text));
        comma = ",";
    }
    buf_char(out, '}');
}

/* What is on trial, and what the learning cycle did last. */
static void health_trial(struct router *r, const struct snapshot *s,
                         struct buf *out)
{
    const struct canary *c = snapshot_canary(s);

    buf_str(out, ",\"canary\":");
    if (c->classifier)
        buf_printf(out, "{\"classifier\":\"%s\",\"share\":%g}",
                   classifier_id(c->classifier), c->share);
    else
        buf_str(out, "null");
    buf_str(out, ",\"journal\":");
    retrain_last(&r->retrain, out);
}

void admin_health(struct worker *w, struct http_exchange *x)
{
    const struct router *r = w->router;
    struct snapshot *s = worker_snapshot(w);
    const struct classifier *c = snapshot_classifier(s);
    struct buf out = worker_buf(w, ADMIN_BODY_MAX);

    health_log(r, &out);
    buf_str(&out, ",\"classifier\":");
    if (c)
        buf_json_str(&out, span_of(classifier_id(c)));
    else
        buf_str(&out, "null");
    health_trial(w->router, s, &out);
    health_drift(s, &out);
    health_promises(s, &out);
    buf_char(&out, ',');
    health_write(r->health, &out);
    buf_printf(&out, ",\"generation\":%u,\"uptime_seconds\":%lld}",
               w->generation,
               (long long)((clock_utc_ms() - r->started_ms) / 1000));
    snapshot_unref(s);
    reply(w, x, &out);
}

static void set_log_metrics(const struct router *r)
{
    static const char *const states[] = {"written", "spilled", "recovered",
                                         "lost", "pruned"};
    struct outlog_stats s;
    uint64_t counts[5];

    if (!r->log)
        return;
    outlog_stats(r->log, &s);
    counts[0] = s.written;
    counts[1] = s.spilled;
    counts[2] = s.recovered;
    counts[3] = s.lost;
    counts[4] = s.pruned;
    for (size_t i = 0; i < 5; i++) {
        struct span label = span_of(states[i]);

        metrics_set(r->metrics, METRIC_LOG_ROWS, &label, counts[i]);
    }
    metrics_set(r->metrics, METRIC_LOG_ERRORS, NULL, s.errors);
    metrics_set(r->metrics, METRIC_LOG_QUEUED, NULL, s.queued);
    metrics_set(r->metrics, METRIC_LOG_WAITING, NULL, s.waiting);
    metrics_set(r->metrics, METRIC_LOG_HEALTHY, NULL, s.healthy);
}

static void set_route_metrics(struct metrics *m, const struct route *r,
                              const struct drift *d)
{
    struct span label = span_of(r->set->item.name);
    char text[PROMISE_MAX];

    if (promise_of(r))
        metrics_set(m, METRIC_PROMISE, &label,
                    promise_route_text(r, drift_alarm(d), text) ==
                        PROMISE_HOLDS);
    if (!d)
        return;
    metrics_set(m, METRIC_DRIFT, &label, (uint64_t)(drift_distance(d) * 1e6));
    metrics_set(m, METRIC_UNSEEN, &label, (uint64_t)(drift_unseen(d) * 1e6));
    metrics_set(m, METRIC_OUTCOMES, &label,
                (uint64_t)(drift_outcomes(d) * 1e6));
    metrics_set(m, METRIC_DRIFTED, &label, drift_alarm(d) != DRIFT_NONE);
}

static void set_drift_metrics(struct worker *w)
{
    struct snapshot *s = worker_snapshot(w);

    for (size_t i = 0; i < snapshot_routes(s); i++) {
        const struct route *r = snapshot_route_at(s, i);

        set_route_metrics(w->router->metrics, r, snapshot_drift(s, r));
    }
    snapshot_unref(s);
}

static void set_purse(void *ctx, enum purse_kind kind, struct span name,
                      struct purse_state s)
{
    struct span labels[2] = {span_of(purse_kind_name(kind)), name};

    metrics_set(ctx, METRIC_BUDGET_SPENT, labels,
                (uint64_t)(s.spent / 1000000));
}

void admin_metrics(struct worker *w, struct http_exchange *x)
{
    const struct router *r = w->router;
    struct buf out = worker_buf(w, ADMIN_BODY_MAX);
    struct span version = SPAN(WEIR_VERSION);
    uint64_t open = 0, busy = 0, waiting = 0;

    for (unsigned i = 0; i < r->n_workers; i++) {
        open += http_server_open(r->workers[i].http);
        busy += http_server_busy(r->workers[i].http);
        waiting += r->workers[i].gate.queued;
    }
    set_log_metrics(r);
    set_drift_metrics(w);
    purse_each(r->purses, set_purse, r->metrics, clock_utc_ms());
    health_measure(r->health, r->metrics);
    metrics_set(r->metrics, METRIC_CONNECTIONS, NULL, open);
    metrics_set(r->metrics, METRIC_IN_FLIGHT, NULL, busy);
    metrics_set(r->metrics, METRIC_WAITING, NULL, waiting);
    metrics_set(r->metrics, METRIC_WORKERS, NULL, r->n_workers);
    metrics_set(r->metrics, METRIC_START_TIME, NULL,
                (uint64_t)(r->started_ms / 1000));
    metrics_set(r->metrics, METRIC_BUILD, &version, 1);
    metrics_render(r->metrics, &out);
    http_reply(x, 200, METRICS_TYPE, buf_view(&out));
    worker_give_back(w, &out);
}

/* ---- explain ---- */

void admin_explain(struct worker *w, struct http_exchange *x)
{
    struct snapshot *s = worker_snapshot(w);
    char id[REQUEST_ID_LEN + 1];
    struct ask a = {.place = {.dialect = &dialect_openai}};
    struct buf out;

    request_id_make(&w->ids, clock_utc_ms(), id);
    if (ask_read(&a, w, s, x,
                 span_hash((struct span){id, REQUEST_ID_LEN}, 0))) {
        out = worker_buf(w, ADMIN_BODY_MAX);
        explain_json(&(struct explained){w->judge, s, a.route, &a.request},
                     &out);
        reply(w, x, &out);
    } else {
        problem_reply(x, a.dialect, &a.problem);
    }
    snapshot_unref(s);
}

/* ---- feedback ---- */

struct feedback {
    struct worker *worker;
    struct http_exchange *x;
    struct outlog_ticket *ticket;
    double score;
    bool owned; /* the key may label its own requests only */
};

static void fail(struct http_exchange *x, enum problem_kind kind,
                 const char *message, const char *param)
{
    struct problem p;

    problem_set(&p, kind, http_arena(x), "%s", message);
    p.param = param;
    problem_reply(x, &dialect_openai, &p);
}

static void count_feedback(struct worker *w, enum outlog_label_end end)
{
    struct span result = span_of(outlog_label_end_name(end));

    metrics_count(w->shard, METRIC_FEEDBACK, &result, 1);
}

/* The newest label counts: what it stands against is said. */
static void label_written(const struct feedback *f, int status,
                          const struct outlog_earlier *earlier)
{
    struct buf out;

    if (earlier->n == 0) {
        http_reply(f->x, status, "application/json",
                   SPAN("{\"status\":\"ok\"}"));
        return;
    }
    buf_init(&out, 1024);
    buf_printf(&out,
               "{\"status\":\"ok\",\"earlier_labels\":%lld,"
               "\"earlier_score\":",
               (long long)earlier->n);
    buf_json_num(&out, earlier->score);
    buf_printf(&out, ",\"contradicts\":%s,\"counts\":\"the newest\"}",
               (earlier->score >= 0.5) != (f->score >= 0.5) ? "true" : "false");
    http_reply(f->x, status, "application/json", buf_view(&out));
    buf_free(&out);
}

static void on_labelled(void *ctx, enum outlog_label_end end,
                        const struct outlog_earlier *earlier)
{
    struct feedback *f = ctx;

    count_feedback(f->worker, end);
    switch (end) {
    case OUTLOG_LABEL_WRITTEN:
        label_written(f, 200, earlier);
        return;
    case OUTLOG_LABEL_LATER:
        label_written(f, 202, earlier);
        return;
    case OUTLOG_LABEL_UNKNOWN:
        fail(f->x, PROBLEM_NOT_FOUND,
             f->owned ? "no request of this id came with this key"
                      : "no request of this id is in the log",
             "request_id");
        return;
    case OUTLOG_LABEL_LOST:
        fail(f->x, PROBLEM_BUSY, "the log has no room", NULL);
        return;
    case OUTLOG_LABEL_AWAY:
        fail(f->x, PROBLEM_BUSY,
             "the log is away and cannot say whose request this is: come "
             "again",
             NULL);
        return;
    }
}

static void on_feedback_gone(void *ctx)
{
    struct feedback *f = ctx;

    outlog_forget(f->ticket);
}

/* NULL, or what is wrong and with which member. */
static const char *read_score(const struct json *score, double *out)
{
    switch (score->type) {
    case JSON_NONE:
        return "score: wanted a number from 0 to 1, found none";
    case JSON_NUMBER:
        if (json_double(score, out) && *out >= 0 && *out <= 1)
            return NULL;
        return "score: wanted a number from 0 to 1, found one beyond";
    case JSON_STRING:
        return "score: wanted a number from 0 to 1, found a string";
    default:
        return "score: wanted a number from 0 to 1, found something else";
    }
}

static const char *read_label(struct http_exchange *x,
                              struct outlog_label *label, const char **param)
{
    struct json body, id, score, comment;
    struct err e;

    if (!json_parse(http_request(x)->body, &body, &e) ||
        body.type != JSON_OBJECT)
        return "wanted a JSON object with request_id and score (a number; "
               "NaN is none)";
    id = json_get(&body, "request_id");
    score = json_get(&body, "score");
    comment = json_get(&body, "comment");
    *param = "request_id";
    if (id.type != JSON_STRING || json_inner(&id).len == 0 || id.escaped)
        return "request_id: wanted the x-weir-request-id of an answer";
    *param = "score";
    if (read_score(&score, &label->score))
        return read_score(&score, &label->score);
    *param = "comment";
    if (comment.type != JSON_NONE && comment.type != JSON_NULL &&
        !json_text(&comment, http_arena(x), &label->comment))
        return "comment: wanted a string";
    label->request_id = json_inner(&id);
    return NULL;
}

/* Whose requests the asking key may label. */
static struct span owner_of(const struct place *at)
{
    return at->pass && !at->pass->labels_all ? at->pass->key
                                             : (struct span){NULL, 0};
}

void admin_feedback(struct worker *w, struct http_exchange *x,
                    const struct place *at)
{
    struct outlog_label label = {
        .source = SPAN("feedback"), .confidence = 1, .owner = owner_of(at)};
    const char *param = NULL;
    const char *wrong = read_label(x, &label, &param);
    struct feedback *f = arena_zalloc(http_arena(x), 1, sizeof *f);

    if (wrong) {
        fail(x, PROBLEM_BAD_REQUEST, wrong, param);
        return;
    }
    if (!w->port) {
        fail(x, PROBLEM_NOT_FOUND, "this server keeps no log", NULL);
        return;
    }
    label.time_ms = clock_utc_ms();
    if (f) {
        *f = (struct feedback){w, x, NULL, label.score, label.owner.len > 0};
        f->ticket = outlog_label(w->port, &label, on_labelled, f);
    }
    if (!f || !f->ticket) {
        count_feedback(w, OUTLOG_LABEL_LOST);
        fail(x, PROBLEM_BUSY, "the log has no room", NULL);
        return;
    }
    http_watch(x, (struct http_watch){.ctx = f, .on_gone = on_feedback_gone});
}
