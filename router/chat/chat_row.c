/* SPDX-License-Identifier: Apache-2.0 */
/* What a chat cost and its row in the outcome log. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "router/chat/chat.h"
#include "router/chat/chat_parts.h"
#include "router/codec/quirks.h"
#include "router/digits.h"

static const char *const policy_names[] = {"cheapest_adequate", "budget",
                                           "fixed", "rules"};

/* Bytes of text that one output token makes, where nothing was told. */
enum { BYTES_PER_TOKEN = 4 };

/* Something was received that a provider charges for. */
static bool was_answered(const struct chat *c)
{
    return c->answer.choices > 0 || c->answer.has_usage;
}

void chat_count_cost(struct chat *c)
{
    struct usage *u = &c->answer.usage;
    const struct quirks *quirks;

    c->cost_pico = c->spent_pico;
    if (c->arm < 0 || !c->decision || !(was_answered(c) || c->charged))
        return;
    if (!c->answer.has_usage) {
        c->estimated = true;
        if (u->input == 0) /* else the beginning of the stream told it */
            u->input = c->facts.input_tokens;
        u->output = (int64_t)((c->answer.text_bytes + BYTES_PER_TOKEN - 1) /
                              BYTES_PER_TOKEN);
        u->reasoning = 0;
    }
    quirks = chat_model(c)->at->quirks;
    /* Another server's `cost` may be of any currency. */
    if (!quirks || !(quirks->bits & QUIRK_TELLS_COST))
        u->told = false;
    c->cost_pico += model_cost(&chat_model(c)->model, u);
}

/* ---- pieces of the row ---- */

/* The request as OpenAI chat has it, whatever dialect it came in: what
 * training and reports read.  Written into b where it came in another. */
static struct span chat_body(const struct chat *c, struct buf *b)
{
    const struct codec *openai = codec_find("openai");
    const struct request *r = &c->ask.request;
    const char *kin = c->ask.dialect->kin;
    const struct target t = {.model = r->model};
    struct losses ignored = {0};
    struct err e = {0};

    if (c->ask.dialect == &dialect_openai || (kin && !strcmp(kin, "openai")))
        return span_trim(r->body);
    if (!openai->request_write(r, &t, &ignored, b, &e) || b->failed)
        buf_reset(b);
    return buf_view(b);
}

/* What of the body is neither messages nor tools nor the model's name. */
static void params_json(struct span chat, struct buf *b)
{
    struct json body = {JSON_OBJECT, false, chat};
    struct json_iter it = json_begin(&body);
    struct json key, value;
    bool first = true;

    buf_char(b, '{');
    while (json_next(&it, &key, &value)) {
        if (json_is(&key, "messages") || json_is(&key, "tools") ||
            json_is(&key, "model"))
            continue;
        buf_str(b, first ? "" : ",");
        buf_span(b, key.raw);
        buf_char(b, ':');
        buf_span(b, value.raw);
        first = false;
    }
    buf_char(b, '}');
}

static struct span body_member(struct span chat, const char *key)
{
    struct json body = {JSON_OBJECT, false, chat};

    return json_get(&body, key).raw;
}

void chat_row_ahead(struct chat *c)
{
    struct buf *b = &c->worker->scratch;
    size_t arms;

    if (!c->judged || !c->worker->router->log)
        return;
    c->judged = false;
    if (c->features.len)
        c->features.len =
            vec_pack(&c->worker->judge->vec, (char *)(uintptr_t)c->features.ptr,
                     c->features.len);
    buf_reset(b);
    record_arms(c->ask.route->set, c->decision, b);
    arms = b->len;
    if (snapshot_settings(c->snapshot)->log.prompts == PROMPTS_NONE)
        c->record->n_headers = 0; /* hashes are not nothing */
    record_write(c->record, b);
    if (b->failed)
        return;
    c->arms_json = arena_copy(c->arena, (struct span){b->ptr, arms});
    c->question_json =
        arena_copy(c->arena, (struct span){b->ptr + arms, b->len - arms});
}

/* Offsets into the worker's scratch, for it may move while it grows. */
struct pieces {
    size_t session, arms, losses, signals, tries, plan, about, question;
    size_t params, end;
};

static struct pieces write_pieces(struct chat *c, int status, struct buf *b,
                                  struct span chat)
{
    struct pieces p = {0};
    char hex[HEX_MAX];
    struct span given =
        http_header(c->x, snapshot_settings(c->snapshot)->sessions.header);

    buf_reset(b);
    if (given.len)
        buf_span(b, given);
    hex_put(hex, c->ask.session);
    if (!given.len && c->ask.session)
        buf_put(b, hex, sizeof hex);
    p.arms = b->len;
    buf_span(b, c->arms_json);
    p.losses = b->len;
    if (c->losses && c->losses->n)
        lossy_header(c->losses, b);
    p.signals = b->len;
    chat_signals_text(c, status, b);
    p.tries = b->len;
    if (chat_calls(c))
        chat_tries_json(c, b);
    p.plan = b->len;
    if (c->plan)
        chat_plan_json(c, status, b);
    p.about = b->len;
    hints_json(&c->ask.hints, b);
    p.question = b->len;
    buf_span(b, c->question_json);
    p.params = b->len;
    if (chat.len)
        params_json(chat, b);
    p.end = b->len;
    return p;
}

static struct span piece(const struct buf *b, size_t from, size_t to)
{
    if (b->failed || from == to)
        return (struct span){NULL, 0};
    return (struct span){b->ptr + from, to - from};
}

static void fill_decision(const struct chat *c, struct outlog_row *row)
{
    const struct decision *d = c->decision;
    const struct classifier *cl = c->ask.route->classifier;

    row->task = d->task;
    row->task_given = d->task_given;
    row->classifier = span_of(cl ? classifier_id(cl) : NULL);
    row->policy = span_of(policy_names[c->ask.route->set->policy]);
    row->quality_target = d->quality_target;
    row->price = d->price;
    row->reason = span_of(reason_name(d->reason));
    row->est_input = c->facts.input_tokens;
    row->features = c->features;
    row->decision_us = (int64_t)(c->ask.decision_ns / 1000);
    if (c->arm < 0)
        return;
    row->arm = span_of(c->ask.route->set->arms[c->arm].name);
    if (!chat_plan_open(c)) {
        row->model = span_of(chat_model(c)->upstream);
        row->provider = span_of(chat_model(c)->provider);
    }
    row->propensity = (double)d->arms[c->arm].propensity;
    if (c->cached) {
        row->reason = SPAN("cache");
        row->propensity = NAN;
    } else if (c->shadow) {
        row->reason = SPAN("shadow");
        row->propensity = NAN;
        row->quality_target = row->price = NAN;
    } else if (c->arm != d->chosen) {
        row->reason = SPAN("failover");
    }
}

/* text: room for the promise's words. */
static void fill_promise(const struct chat *c, char text[PROMISE_MAX],
                         struct outlog_row *row)
{
    if (c->shadow)
        return;
    row->guarantee = chat_promise(c, text, NULL);
    if (c->decision && c->ask.route->classifier)
        row->unseen = (double)c->unseen;
}

static void fill_usage(const struct chat *c, struct outlog_row *row)
{
    const struct usage *u = &c->answer.usage;

    row->cost_pico = c->cost_pico;
    if (!was_answered(c) && !c->charged)
        return;
    row->input_tokens = u->input;
    row->cached_tokens = u->cached;
    row->cache_write_tokens = u->cache_write + u->cache_write_1h;
    row->output_tokens = u->output;
    row->reasoning_tokens = u->reasoning;
    row->usage_estimated = c->estimated;
    row->finish = span_of(c->answer.finish[0] ? c->answer.finish
                          : c->truncated      ? "truncated"
                                              : NULL);
}

static void fill_request(const struct chat *c, struct outlog_row *row)
{
    const struct ask *a = &c->ask;

    row->id = (struct span){c->id, REQUEST_ID_LEN};
    row->time_ms = c->time_ms;
    row->route =
        a->route ? span_of(a->route->set->item.name) : a->request.model;
    row->dialect = span_of(a->dialect->name);
    row->key_name = c->purpose ? SPAN("weir") : a->request.key_name;
    row->purpose = span_of(chat_purpose_name(c->purpose));
    row->parent = c->parent;
    if (a->place.waited_ns)
        row->queue_us = (int64_t)(a->place.waited_ns / 1000);
    row->stream = a->request.params.stream;
    row->error = span_of(c->error);
    row->attempts = chat_calls(c);
    row->latency_us = (int64_t)((clock_ns() - c->start_ns) / 1000);
    if (c->first_ns)
        row->ttft_us = (int64_t)((c->first_ns - c->start_ns) / 1000);
}

static void fill_pieces(const struct buf *b, const struct pieces *at,
                        struct outlog_row *row)
{
    row->session = piece(b, 0, at->arms);
    row->arms = piece(b, at->arms, at->losses);
    row->losses = piece(b, at->losses, at->signals);
    row->signals = piece(b, at->signals, at->tries);
    row->tries = piece(b, at->tries, at->plan);
    row->plan = piece(b, at->plan, at->about);
    row->about = piece(b, at->about, at->question);
    row->question = piece(b, at->question, at->params);
}

void chat_write_row(struct chat *c, int status)
{
    const struct settings *set = snapshot_settings(c->snapshot);
    struct buf *b = &c->worker->scratch;
    bool full = set->log.prompts == PROMPTS_FULL && c->ask.request.body.ptr &&
                !c->ask.request.embeds;
    struct span texts = {NULL, 0};
    struct pieces at;
    struct outlog_row row;
    struct buf chat;
    char promise[PROMISE_MAX];

    if (!c->worker->router->log || (c->shadow && chat_calls(c) == 0))
        return;
    chat_row_ahead(c);
    chat = worker_buf(c->worker, set->limits.body_bytes + (1 << 20));
    if (full)
        texts = chat_body(c, &chat);
    at = write_pieces(c, status, b, texts);
    outlog_row_init(&row);
    fill_request(c, &row);
    row.status = status;
    fill_pieces(b, &at, &row);
    if (c->decision)
        fill_decision(c, &row);
    fill_promise(c, promise, &row);
    fill_usage(c, &row);
    if (texts.len) {
        row.messages = body_member(texts, "messages");
        row.tools = body_member(texts, "tools");
        row.params = piece(b, at.params, at.end);
    }
    if (full)
        row.answer = buf_view(&c->text);
    (void)outlog_push(c->worker->router->log, &row);
    worker_give_back(c->worker, &chat);
}

void chat_refused(struct worker *w, const struct place *at, int status,
                  const char *why)
{
    struct span labels[3] = {SPAN("none"), SPAN("none"),
                             metrics_status_class(status)};
    char id[REQUEST_ID_LEN + 1];
    struct outlog_row row;

    metrics_count(w->shard, METRIC_REQUESTS, labels, 1);
    if (!w->router->log)
        return;
    outlog_row_init(&row);
    row.time_ms = clock_utc_ms();
    request_id_make(&w->ids, row.time_ms, id);
    row.id = (struct span){id, REQUEST_ID_LEN};
    row.dialect = span_of(at->dialect->name);
    if (at->pass)
        row.key_name = at->pass->key;
    row.status = status;
    row.error = span_of(why);
    (void)outlog_push(w->router->log, &row);
}

static void count_promise(const struct chat *c)
{
    char text[PROMISE_MAX];
    enum promise_state state;
    struct span labels[2];

    if (!chat_promise(c, text, &state).len)
        return;
    labels[0] = span_of(c->ask.route->set->item.name);
    labels[1] = span_of(promise_state_name(state));
    metrics_count(c->worker->shard, METRIC_PROMISES, labels, 1);
}

static void count_tokens(struct metrics_shard *s, struct span arm,
                         const char *kind, int64_t n)
{
    struct span labels[2] = {arm, span_of(kind)};

    if (n > 0)
        metrics_count(s, METRIC_TOKENS, labels, (uint64_t)n);
}

static void settle(struct chat *c)
{
    struct budget *budget;
    struct budget_item item;

    if (isnan(c->reserved))
        return;
    budget = snapshot_budget(c->snapshot, c->ask.route);
    item = (struct budget_item){c->reserved, c->decision->wanted,
                                (double)c->cost_pico / PICO_PER_USD};
    budget_settle(budget, &item, c->ask.route->set->budget);
    c->reserved = NAN;
}

void chat_count_tokens(const struct chat *c)
{
    struct metrics_shard *s = c->worker->shard;
    const struct usage *u = &c->answer.usage;
    struct span arm;

    /* as in the row; a member's are counted with its own chat */
    if (c->arm < 0 || (!was_answered(c) && !c->charged) ||
        (c->plan && c->attempts == 0))
        return;
    arm = span_of(chat_answerer(c));
    count_tokens(s, arm, "input", u->input);
    count_tokens(s, arm, "cached", u->cached);
    count_tokens(s, arm, "output", u->output);
    count_tokens(s, arm, "reasoning", u->reasoning);
}

static void count_request(struct chat *c, int status)
{
    struct metrics_shard *s = c->worker->shard;
    const struct route_settings *set = c->ask.route ? c->ask.route->set : NULL;
    uint64_t now = clock_ns();
    struct span labels[3];

    labels[0] = set ? span_of(set->item.name) : SPAN("none");
    labels[1] = c->arm >= 0 ? span_of(set->arms[c->arm].name) : SPAN("none");
    labels[2] = metrics_status_class(status);
    metrics_count(s, METRIC_REQUESTS, labels, 1);
    metrics_observe(s, METRIC_REQUEST_SECONDS, labels,
                    (now - c->start_ns) / 1000);
    if (c->first_ns)
        metrics_observe(s, METRIC_TTFT_SECONDS, labels,
                        (c->first_ns - c->start_ns) / 1000);
    if (c->ask.judged)
        metrics_observe(s, METRIC_DECISION_SECONDS, NULL, c->ask.decision_ns);
    settle(c);
    count_promise(c);
    chat_plan_count(c, status);
    if (c->arm < 0 || (!was_answered(c) && c->cost_pico == 0))
        return;
    metrics_count(s, METRIC_COST, labels, (uint64_t)c->cost_pico);
    chat_count_tokens(c);
}

void chat_count_metrics(struct chat *c, int status)
{
    if (!c->shadow) /* no client's request */
        count_request(c, status);
}
