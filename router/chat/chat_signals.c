/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals: what an answer shows of its own quality, for its row, and what the
 * conversation's next request shows of it, as a label of the answer before.
 * Evidence, not verdicts: training reads scores from other labels.
 */
#include <string.h>

#include "base/clock.h"

#include "router/chat/chat_parts.h"
#include "router/plan/flaws.h"

enum {
    CHECK_MAX = 256 * 1024, /* bytes of an answer that is looked into */
    RESULT_READ = 200,
    SKETCH_LEAST = 8, /* filled bins: of fewer words nothing can be said */
};

/* ---- the answer itself ---- */

/* Finish reasons as providers write them. */
static const struct {
    const char *name;
    enum flaw flaw;
} finishes[] = {
    {"length", FLAW_TRUNCATED},
    {"max_tokens", FLAW_TRUNCATED},
    {"MAX_TOKENS", FLAW_TRUNCATED},
    {"max_output_tokens", FLAW_TRUNCATED},
    {"incomplete", FLAW_TRUNCATED},
    {"model_context_window_e", FLAW_TRUNCATED},
    {"content_filter", FLAW_FILTERED},
    {"content_filtered", FLAW_FILTERED},
    {"guardrail_intervened", FLAW_FILTERED},
    {"SAFETY", FLAW_FILTERED},
    {"RECITATION", FLAW_FILTERED},
    {"BLOCKLIST", FLAW_FILTERED},
    {"PROHIBITED_CONTENT", FLAW_FILTERED},
    {"SPII", FLAW_FILTERED},
    {"refusal", FLAW_REFUSED},
};

static uint32_t by_finish(const struct chat *c)
{
    for (size_t i = 0; i < sizeof finishes / sizeof finishes[0]; i++) {
        if (strncmp(c->answer.finish, finishes[i].name,
                    strlen(finishes[i].name)) != 0)
            continue;
        if (finishes[i].flaw == FLAW_TRUNCATED &&
            c->ask.request.params.max_tokens >= 0)
            return FLAW_LENGTH;
        return finishes[i].flaw;
    }
    return 0;
}

/* Worth looking into: what was asked for has a form. */
static bool has_form(const struct chat *c)
{
    const struct params *p = &c->ask.request.params;

    return p->format != FORMAT_TEXT || c->ask.request.n_tools > 0;
}

void chat_check(struct chat *c, const struct gathered *g)
{
    c->flaws = answer_flaws(&c->ask.request, g, &c->worker->work, NULL);
}

void chat_check_body(struct chat *c)
{
    const struct codec *codec = c->from ? c->from : &codec_openai;
    struct chunk_sink sink;
    struct gathered g;
    struct err e;

    if (!has_form(c) || c->ask.request.embeds || c->body.len > CHECK_MAX)
        return;
    gather_init(&g, &c->worker->work);
    sink = gather_sink(&g);
    if (codec->answer_read(buf_view(&c->body), 200, &c->worker->work, &sink,
                           &e))
        chat_check(c, &g);
    arena_reset(&c->worker->work);
}

uint32_t chat_flaws(const struct chat *c)
{
    uint32_t found = c->flaws;

    if (c->cached || c->ask.request.embeds || c->answer.choices == 0)
        return 0;
    found |= by_finish(c);
    if (c->answer.text_bytes == 0 && c->answer.tool_calls == 0 &&
        !(found & (FLAW_REFUSED | FLAW_FILTERED)))
        found |= FLAW_EMPTY;
    if (c->truncated)
        found |= FLAW_TRUNCATED;
    return found;
}

void chat_flaws_text(uint32_t flaws, struct buf *out)
{
    const char *before = "";

    for (unsigned i = 0; i < FLAWS; i++) {
        if (!(flaws >> i & 1))
            continue;
        buf_printf(out, "%s%s", before, flaw_name((enum flaw)(1u << i)));
        before = ",";
    }
}

/* SDKs count their own retries. */
static bool says_retry(const struct chat *c)
{
    double n;

    return span_double(http_header(c->x, "x-stainless-retry-count"), &n) &&
           n >= 1;
}

static bool was_abandoned(const struct chat *c, int status)
{
    uint64_t most = snapshot_settings(c->snapshot)->sessions.abandoned_ms;

    return status == STATUS_CLIENT_GONE && c->first_ns == 0 &&
           clock_ns() - c->start_ns >= most * 1000000;
}

void chat_signals_text(const struct chat *c, int status, struct buf *out)
{
    size_t from = out->len;

    chat_flaws_text(chat_flaws(c), out);
    if (was_abandoned(c, status))
        buf_str(out, out->len > from ? ",abandoned" : "abandoned");
    if (c->ask.route && says_retry(c))
        buf_str(out, out->len > from ? ",client_retry" : "client_retry");
}

/* ---- the answer before, by what follows it ---- */

/* How sure each is that the answer was not adequate: of our own judgement,
 * until labels say better. */
static const struct {
    const char *name;
    double confidence;
} kinds[] = {
    [FOLLOW_NONE] = {NULL, 0},
    [FOLLOW_REGENERATED] = {"regenerated", 0.6},
    [FOLLOW_ASKED_AGAIN] = {"asked_again", 0.5},
    [FOLLOW_UPGRADED] = {"upgraded", 0.8},
    [FOLLOW_TOOL_ERROR] = {"tool_error", 0.4},
    [FOLLOW_RETRIED] = {"retried", 0.2},
    [FOLLOW_REPHRASED] = {"rephrased", 0.4},
};

static bool result_failed(const struct part *p)
{
    static const char *const marks[] = {"error",     "Error",     "ERROR",
                                        "Traceback", "exception", "Exception"};
    char text[RESULT_READ];
    struct span head;

    if (p->kind != PART_TOOL_RESULT)
        return false;
    if (p->is_error)
        return true;
    head = (struct span){text, text_head(p->text, text, sizeof text)};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (span_starts(span_trim(head), marks[i]))
            return true;
    return false;
}

/* The results at the end of the conversation say that a call was wrong. */
static bool tool_failed(const struct request *r)
{
    for (size_t i = r->n_messages; i-- > 0;) {
        const struct message *m = &r->messages[i];

        if (m->role != ROLE_TOOL && m->role != ROLE_USER)
            break;
        for (size_t k = 0; k < m->n_parts; k++)
            if (result_failed(&m->parts[k]))
                return true;
    }
    return false;
}

/* A dearer arm is asked for by name than the one that answered. */
static bool upgraded(const struct chat *c)
{
    const struct route_settings *set = c->ask.route->set;
    int was = c->ask.stay.arm;
    struct span want = c->ask.wish.arms;

    if (was < 0 || want.len == 0)
        return false;
    for (unsigned i = 0; i < set->n_arms; i++)
        if (span_is(want, set->arms[i].name))
            return (int)i != was &&
                   set->arms[i].model->model.prices.output >
                       set->arms[was].model->model.prices.output;
    return false;
}

static bool retried(const struct chat *c, int64_t since_ms)
{
    const struct session_settings *s =
        &snapshot_settings(c->snapshot)->sessions;

    return c->ask.last.body == chat_body_hash(c) &&
           (since_ms <= (int64_t)s->retry_ms || says_retry(c));
}

/* The user's next words.  In a tool loop the last ones stay the same by
 * themselves. */
static bool is_next_turn(const struct chat *c)
{
    const struct session_note *last = &c->ask.last;
    const struct request *r = &c->ask.request;

    return r->n_messages > last->messages &&
           r->messages[r->n_messages - 1].role == ROLE_USER &&
           c->facts.turns > last->turns;
}

/* Single requests under one session's name are often of one template: only
 * within a conversation is a question like the last one the same question. */
static bool rephrased(const struct chat *c)
{
    const struct session_note *last = &c->ask.last;
    bool edited = c->ask.request.n_messages == last->messages &&
                  last->messages > 1 && c->facts.turns > 1 &&
                  c->facts.turns == last->turns;

    return (edited || is_next_turn(c)) &&
           sketch_filled(&last->sketch) >= SKETCH_LEAST &&
           sketch_filled(&c->facts.stem_sketch) >= SKETCH_LEAST &&
           sketch_likeness(&last->sketch, &c->facts.stem_sketch) >=
               snapshot_settings(c->snapshot)->sessions.alike;
}

enum follow chat_follow(const struct chat *c)
{
    const struct session_note *last = &c->ask.last;
    const struct request *r = &c->ask.request;
    int64_t since = c->time_ms - last->time_ms;
    uint64_t most = snapshot_settings(c->snapshot)->sessions.again_ms;

    if (!last->id[0] || since > (int64_t)most || most == 0)
        return FOLLOW_NONE;
    if (upgraded(c))
        return FOLLOW_UPGRADED;
    if (retried(c, since))
        return FOLLOW_RETRIED;
    if (r->n_messages > last->messages && tool_failed(r))
        return FOLLOW_TOOL_ERROR;
    if (last->stem == 0 || last->stem != c->facts.stem_hash)
        return rephrased(c) ? FOLLOW_REPHRASED : FOLLOW_NONE;
    if (r->n_messages == last->messages)
        return FOLLOW_REGENERATED;
    return is_next_turn(c) ? FOLLOW_ASKED_AGAIN : FOLLOW_NONE;
}

void chat_label_last(struct chat *c)
{
    enum follow f = chat_follow(c);
    struct outlog_label label = {
        .source = SPAN("signal"), .time_ms = c->time_ms, .score = 0};
    struct span name;

    if (f == FOLLOW_NONE || !c->worker->router->log)
        return;
    name = span_of(kinds[f].name);
    label.request_id = span_of(c->ask.last.id);
    label.confidence = kinds[f].confidence;
    label.comment = name;
    metrics_count(c->worker->shard, METRIC_SIGNALS, &name, 1);
    (void)outlog_push_label(c->worker->router->log, &label);
}
