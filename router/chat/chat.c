/* SPDX-License-Identifier: Apache-2.0 */
#include "router/chat/chat.h"

#include <event2/event.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "router/chat/chat_parts.h"
#include "router/chat/chat_shadow.h"
#include "router/gate/gate.h"

enum { BODY_END = 4096 };

const struct model_settings *chat_model(const struct chat *c)
{
    return c->now ? c->now->at.place : c->ask.route->set->arms[c->arm].model;
}

const struct limit_settings *chat_limits(const struct chat *c)
{
    return &snapshot_settings(c->snapshot)->limits;
}

void chat_set(struct chat *c, enum chat_state next)
{
    static const uint8_t may[CHAT_STATES] = {
        [CHAT_DECIDING] =
            1 << CHAT_PLANNING | 1 << CHAT_CALLING | 1 << CHAT_ENDED,
        [CHAT_PLANNING] =
            1 << CHAT_CALLING | 1 << CHAT_STREAMING | 1 << CHAT_ENDED,
        [CHAT_CALLING] = 1 << CHAT_CALLING | 1 << CHAT_READING |
                         1 << CHAT_STREAMING | 1 << CHAT_ENDED,
        [CHAT_READING] = 1 << CHAT_CALLING | 1 << CHAT_ENDED,
        [CHAT_STREAMING] = 1 << CHAT_CLOSING | 1 << CHAT_ENDED,
        [CHAT_CLOSING] = 1 << CHAT_ENDED,
    };

    if (!(may[c->state] >> next & 1))
        log_event(LOG_ERROR, "chat state", "id=%s from=%d to=%d", c->id,
                  (int)c->state, (int)next);
    c->state = next;
}

static void log_end(const struct chat *c, int status)
{
    if (!log_wants(LOG_INFO))
        return;
    log_event(LOG_INFO, "request",
              "id=%s route=%s arm=%s status=%d attempts=%u ms=%.1f error=%s",
              c->id, c->ask.route ? c->ask.route->set->item.name : "-",
              c->arm >= 0 ? c->ask.route->set->arms[c->arm].name : "-", status,
              c->attempts, (double)(clock_ns() - c->start_ns) / 1e6,
              c->error ? c->error : "-");
}

/* The bytes that clients send again, by both ends and their number. */
uint64_t chat_body_hash(const struct chat *c)
{
    struct span b = c->ask.request.body;
    size_t n = b.len < BODY_END ? b.len : BODY_END;
    uint64_t h = b.len;

    if (b.len > BODY_END)
        h = span_print((struct span){b.ptr + b.len - n, n}, h);
    return span_print((struct span){b.ptr, n}, h) | 1;
}

/* What the next request of the conversation should know. */
static void note_session(const struct chat *c, int status)
{
    const struct usage *u = &c->answer.usage;
    struct sessions *all = c->worker->router->sessions;
    struct session_note n;

    if (c->arm < 0 || c->purpose || !c->ask.request.body.ptr)
        return;
    n = (struct session_note){
        .arm = session_arm(chat_answerer(c)),
        .time_ms = clock_utc_ms(),
        .input = (uint32_t)u->input,
        .read = (uint32_t)u->cached,
        .written = (uint32_t)(u->cache_write + u->cache_write_1h),
        .messages = (uint32_t)c->ask.request.n_messages,
        .turns = c->facts.turns,
        .stem = c->facts.stem_hash,
        .body = chat_body_hash(c),
        .sketch = c->facts.stem_sketch};
    memcpy(n.id, c->id, sizeof n.id);
    if (status < 400 && c->answer.has_usage)
        session_note(all, c->ask.session, &n);
    else if (status == STATUS_CLIENT_GONE)
        session_left(all, c->ask.session, &n);
}

void chat_record(struct chat *c, int status)
{
    chat_try_end(c, c->now);
    chat_media_end(c); /* the row shows addresses */
    chat_count_cost(c);
    if (c->member) {
        if (!chat_payer(c)->shadow)
            chat_count_tokens(c);
        return;
    }
    note_session(c, status);
    chat_write_row(c, status);
    chat_count_metrics(c, status);
    log_end(c, status);
    chat_shadow(c, status);
}

void chat_end(struct chat *c, int status)
{
    struct upstream_call *call = c->call;
    bool recorded = c->state == CHAT_CLOSING;

    chat_set(c, CHAT_ENDED);
    c->call = NULL;
    upstream_cancel(call);
    tokens_forget(&c->token);
    chat_hedge_end(c, FAULT_GONE);
    chat_plan_stop(c);
    if (!recorded)
        chat_record(c, status);
    if (!c->member)
        chat_settle(c);
    if (!c->member && !c->shadow) {
        gate_leave(c->worker, &c->ask.place,
                   (uint64_t)(c->answer.usage.input + c->answer.usage.output) +
                       chat_plan_tokens(c));
    }
    if (c->timer)
        event_free(c->timer);
    c->timer = NULL;
    chat_wait_end(c);
    chat_keep_end(c, NULL);
    if (c->sse_ready)
        sse_free(&c->sse);
    chat_relay_free(c);
    if (!c->member) /* the plan may yet want it */
        worker_give_back(c->worker, &c->text);
    worker_give_back(c->worker, &c->held);
    chat_plan_free(c);
    snapshot_unref(c->snapshot);
    c->snapshot = NULL;
}

void chat_fail_with(struct chat *c, const struct problem *p, const char *error)
{
    bool begun = c->head_sent;
    const struct dialect_ops *dialect = c->ask.dialect;
    struct problem told = *p;
    struct buf tail;

    told.sequence = c->events;
    c->error = error;
    c->truncated = c->state == CHAT_STREAMING;
    buf_init(&tail, 16384);
    if (!begun)
        chat_headers(c, false);
    else if (c->to && c->writer)
        chat_relay_error(c, p, &tail);
    else
        dialect->write_stream_error(&told, &tail);
    chat_end(c, begun ? 200 : p->status);
    worker_give_back(c->worker, &c->body);
    if (!begun) {
        chat_out_problem(c, p);
        return;
    }
    chat_out_write(c, buf_view(&tail));
    buf_free(&tail);
    chat_out_end(c);
}

static enum fault fault_of_problem(enum problem_kind kind)
{
    switch (kind) {
    case PROBLEM_INVALID:
        return FAULT_INVALID;
    case PROBLEM_CUT:
        return FAULT_CUT;
    case PROBLEM_TIMEOUT:
        return FAULT_TIMEOUT;
    default:
        return FAULT_NONE;
    }
}

void chat_fail(struct chat *c, enum problem_kind kind, const char *fmt, ...)
{
    struct problem p;
    char text[600];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    problem_set(&p, kind, c->arena, "%s", text);
    chat_fault(c, fault_of_problem(kind));
    chat_fail_with(c, &p, problem_code(kind));
}

/* ---- the client ---- */

void chat_cancel(struct chat *c, enum fault f)
{
    if (c->state == CHAT_ENDED)
        return;
    if (c->state != CHAT_CLOSING) {
        c->error = "client_gone";
        c->truncated = c->state == CHAT_STREAMING;
        c->charged = c->call && c->upstream_status < 400;
        chat_fault(c, f);
    }
    chat_end(c, STATUS_CLIENT_GONE);
    worker_give_back(c->worker, &c->body);
}

static void on_gone(void *ctx)
{
    chat_cancel(ctx, FAULT_GONE);
}

static void on_full(void *ctx)
{
    struct chat *c = ctx;

    if (c->call)
        upstream_pause(c->call);
}

static void on_drain(void *ctx)
{
    struct chat *c = ctx;

    if (c->call)
        upstream_resume(c->call);
}

/* ---- the beginning ---- */

/* What of the judge's work must outlive its next use. */
static bool keep_judgement(struct chat *c)
{
    const struct judge *j = c->worker->judge;
    unsigned prompts = snapshot_settings(c->snapshot)->log.prompts;
    size_t n = offsetof(struct decision, arms) +
               j->decision.n * sizeof j->decision.arms[0];
    struct record *record = arena_alloc(c->arena, sizeof *record);
    struct decision *decision = arena_alloc(c->arena, n);
    char *bytes;

    if (!decision || !record)
        return false; /* the row knows of no judgement */
    c->facts = j->facts;
    c->unseen = c->ask.request.embeds ? NAN : j->prediction.unseen;
    *record = j->record;
    c->record = record;
    memcpy(decision, &j->decision, n);
    c->decision = decision;
    c->judged = true;
    if (prompts == PROMPTS_NONE || !c->worker->router->log ||
        c->ask.request.embeds)
        return true;
    n = vec_pack_most(&j->vec);
    bytes = arena_alloc(c->arena, n);
    if (!bytes)
        return false;
    c->features = (struct span){bytes, n};
    return true;
}

static void reserve(struct chat *c)
{
    struct budget *budget = snapshot_budget(c->snapshot, c->ask.route);

    if (!budget)
        return;
    c->reserved = c->decision->arms[c->decision->chosen].cost;
    budget_reserve(budget, c->reserved, c->ask.route->set->budget);
}

static void begin(struct chat *c)
{
    uint64_t seed = span_hash((struct span){c->id, REQUEST_ID_LEN}, 0);

    if (!chat_read_purpose(c))
        return;
    c->ask.spends = c->purpose == PURPOSE_NONE;
    if (!ask_read(&c->ask, c->worker, c->snapshot, c->x, seed)) {
        chat_fail_with(c, &c->ask.problem, c->ask.error);
        return;
    }
    chat_key_pays(c);
    if (!keep_judgement(c)) {
        chat_fail(c, PROBLEM_MEMORY, "the request needs too much memory");
        return;
    }
    if (c->purpose == PURPOSE_NONE)
        chat_label_last(c);
    if (c->decision->answer) {
        chat_static(c);
        return;
    }
    if (chat_from_cache(c))
        return;
    if (!ask_has_arm(&c->ask, c->decision, c->arena)) {
        chat_fail_with(c, &c->ask.problem, c->ask.error);
        return;
    }
    c->strip_usage =
        c->ask.request.params.stream && !c->ask.request.params.stream_usage;
    c->arm = c->decision->chosen;
    reserve(c);
    c->sent_ns = c->start_ns;
    if (c->ask.request.params.stream)
        chat_wait(c);
    if (!chat_plan(c))
        chat_attempt(c);
}

void chat_start(struct worker *w, struct http_exchange *x,
                const struct place *at)
{
    struct chat *c = arena_zalloc(http_arena(x), 1, sizeof *c);
    struct problem p;

    if (!c) {
        problem_set(&p, PROBLEM_MEMORY, http_arena(x), "out of memory");
        problem_reply(x, at->dialect, &p);
        gate_leave(w, at, 0);
        return;
    }
    c->ask.place = *at;
    c->ask.dialect = at->dialect;
    c->worker = w;
    c->x = x;
    c->arena = http_arena(x);
    c->arm = -1;
    c->reserved = NAN;
    c->start_ns = clock_ns() - at->waited_ns;
    c->time_ms = clock_utc_ms();
    request_id_make(&w->ids, c->time_ms, c->id);
    c->snapshot = worker_snapshot(w);
    c->body = worker_buf(w, chat_limits(c)->answer_bytes);
    if (snapshot_settings(c->snapshot)->log.prompts == PROMPTS_FULL)
        c->text = worker_buf(w, chat_limits(c)->answer_bytes);
    http_watch(x, (struct http_watch){c, on_gone, on_full, on_drain});
    begin(c);
    chat_row_ahead(c);
}
