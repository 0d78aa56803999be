/* SPDX-License-Identifier: Apache-2.0 */
/* One call of a provider: which place and key, what it came to, what is told
 * of it: to health, metrics, the row and the client. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "router/attempt/backoff.h"
#include "router/chat/chat_parts.h"
#include "router/digits.h"
#include "router/route/region.h"

static const struct health_settings *health_rules(const struct chat *c)
{
    return &snapshot_settings(c->snapshot)->health;
}

static bool same_provider(const struct model_settings *a,
                          const struct model_settings *b)
{
    return a->at == b->at;
}

/* Places that the request may not go to, and places and keys of the arm that
 * it has tried in vain. */
bool chat_try_skip(const void *ctx, const struct model_settings *place,
                   const struct provider_key *key)
{
    const struct chat *c = ctx;

    if (!region_allows(c->ask.route->set, c->ask.key, place))
        return true;
    for (unsigned i = 0; i < c->attempts && !c->again; i++) {
        const struct chat_try *t = c->tries[i];

        if (t->fault == FAULT_POLICY && same_provider(t->at.place, place))
            return true;
        if (t->at.place != place)
            continue;
        if (fault_blame(t->fault) != BLAME_KEY || t->at.key == key)
            return true;
    }
    return false;
}

static void list_add(struct worker *w, struct chat_try *t)
{
    t->next = w->tries;
    if (w->tries)
        w->tries->prev = t;
    w->tries = t;
}

static void list_remove(struct worker *w, struct chat_try *t)
{
    *(t->prev ? &t->prev->next : &w->tries) = t->next;
    if (t->next)
        t->next->prev = t->prev;
    t->prev = t->next = NULL;
}

struct chat_try *chat_try_new(struct chat *c)
{
    struct pick_question q = {
        .model = c->ask.route->set->arms[c->arm].model,
        .rules = &health_rules(c)->rules,
        .now_ms = health_now(),
        .tokens = c->facts.input_tokens,
        .resting_too = true,
        .rng = &c->worker->rng,
        .skip = chat_try_skip,
        .ctx = c,
    };
    struct chat_try *t = NULL;

    if (c->attempts < TRIES_MAX)
        t = arena_zalloc(c->arena, 1, sizeof *t);
    if (!t || !chat_hold(c, t) || !pick_place(&q, &t->at))
        return NULL;
    t->chat = c;
    t->arm = c->arm;
    t->open = true;
    list_add(c->worker, t);
    t->told_ms = UINT64_MAX;
    t->start_ns = clock_ns();
    if (t->at.place->health)
        load_begin(&t->at.place->health->load);
    c->again = false;
    c->tries[c->attempts++] = t;
    return t;
}

void chat_fault(struct chat *c, enum fault f)
{
    if (c->now && c->now->fault == FAULT_NONE)
        c->now->fault = f;
}

static struct span call_header(const void *call, const char *name)
{
    return upstream_header(call, name);
}

void chat_try_head(struct chat_try *t, int status)
{
    struct allowance left;
    uint64_t ms;

    t->status = status;
    t->head_ns = clock_ns();
    if (status >= 400 &&
        backoff_told(upstream_header(t->call, "retry-after"),
                     upstream_header(t->call, "retry-after-ms"), clock_utc_ms(),
                     &ms))
        t->told_ms = ms;
    left = allowance_read(call_header, t->call, clock_utc_ms());
    health_allowance(t->at.lane, &left, t->head_ns / 1000000,
                     health_rules(t->chat)->rest_max_ms);
}

/* ---- the end ---- */

/* A key that is limited rests for this model, one that is not taken or has no
 * money for all. */
static void rest_key(const struct chat_try *t, const struct health_settings *h,
                     uint64_t now_ms)
{
    bool whole = t->fault == FAULT_QUOTA || t->status == 401;
    uint64_t ms = t->fault == FAULT_RATE ? h->rest_ms : h->rest_max_ms;

    if (t->told_ms != UINT64_MAX)
        ms = t->told_ms < h->rest_max_ms ? t->told_ms : h->rest_max_ms;
    health_rest(whole ? t->at.key->health : t->at.lane, now_ms + ms);
}

static double latency_ms(const struct chat_try *t)
{
    if (t->head_ns)
        return (double)(t->head_ns - t->start_ns) / 1e6;
    if (fault_blame(t->fault) == BLAME_NONE)
        return -1;
    return (double)(t->end_ns - t->start_ns) / 1e6;
}

/* Who still waits for a connection there need not wait to the end. */
static void left_alone(const struct chat_try *t, const struct health *place,
                       uint64_t now_ms)
{
    log_event(LOG_ERROR, "left alone", "place=%s after=%s ms=%llu", place->name,
              fault_name(t->fault),
              (unsigned long long)breaker_wait(&place->breaker, now_ms));
    worker_opened(t->chat->worker);
}

/* Nobody takes connections at this provider: that holds for each of its
 * models, and each would cost a connect timeout to find out. */
static void tell_others(const struct chat_try *t, uint64_t now_ms)
{
    const struct settings *s = snapshot_settings(t->chat->snapshot);
    const struct breaker_rules *rules = &health_rules(t->chat)->rules;
    const struct breaker_end end = {.news = BREAKER_DEAD};
    struct model_settings *m = s->models.at;

    for (unsigned i = 0; i < s->models.n; i++) {
        for (unsigned j = 0; j < m[i].n_places; j++) {
            struct health *h = m[i].places[j].health;

            if (same_provider(&m[i].places[j], t->at.place) && h &&
                breaker_look(&h->breaker, now_ms) == BREAKER_CLOSED &&
                breaker_tell(&h->breaker, rules, now_ms, &end))
                left_alone(t, h, now_ms);
        }
    }
}

static void tell_place(struct chat *c, const struct chat_try *t)
{
    static const enum breaker_news news[] = {
        [BLAME_NONE] = BREAKER_NOTHING, [BLAME_WELL] = BREAKER_GOOD,
        [BLAME_ILL] = BREAKER_BAD,      [BLAME_DEAD] = BREAKER_DEAD,
        [BLAME_KEY] = BREAKER_GOOD,
    };
    const struct health_settings *h = health_rules(c);
    struct health *place = t->at.place->health;
    uint64_t now_ms = t->end_ns / 1000000;
    double latency = latency_ms(t);
    struct breaker_end end = {
        .was = t->at.was,
        .news = news[fault_blame(t->fault)],
        .latency_ms = latency > 0 ? (uint64_t)latency : 0,
    };

    if (!place)
        return;
    load_end(&place->load, now_ms, latency);
    if (breaker_tell(&place->breaker, &h->rules, now_ms, &end))
        left_alone(t, place, now_ms);
    if (fault_blame(t->fault) == BLAME_DEAD)
        tell_others(t, now_ms);
    if (fault_blame(t->fault) == BLAME_KEY)
        rest_key(t, h, now_ms);
}

void chat_try_end(struct chat *c, struct chat_try *t)
{
    struct span labels[2];

    if (!t || !t->open)
        return;
    t->open = false;
    list_remove(c->worker, t);
    t->end_ns = clock_ns();
    tell_place(c, t);
    labels[0] = span_of(c->ask.route->set->arms[t->arm].name);
    labels[1] = span_of(fault_name(t->fault));
    metrics_count(c->worker->shard, METRIC_ATTEMPTS, labels, 1);
}

/* Bytes from where the text begins; none of them where it has not. */
static size_t text_of_cut(struct span body)
{
    static const char *const names[] = {"\"content\":", "\"text\":"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n = strlen(names[i]);
        const char *at = memmem(body.ptr, body.len, names[i], n);

        if (at)
            return body.len - (size_t)(at - body.ptr) - n;
    }
    return 0;
}

/* A whole answer that was cut was made, and is charged for: by its usage
 * where that is there, else its tokens are estimated by its bytes. */
static bool was_cut_short(const struct chat *c)
{
    return !c->is_stream && c->upstream_status / 100 == 2 && c->body.len > 0 &&
           (c->now->fault == FAULT_CUT || c->now->fault == FAULT_TIMEOUT);
}

void chat_try_spent(struct chat *c)
{
    struct chat_try *t = c->now;
    int64_t before = c->spent_pico;

    if (was_cut_short(c)) {
        if (!chat_read_cut(c))
            c->answer.text_bytes = text_of_cut(buf_view(&c->body));
        c->charged = true;
    } else if (!c->answer.has_usage && c->answer.text_bytes == 0) {
        return; /* nothing shows that it worked on it */
    }
    chat_count_cost(c);
    t->cost_pico = c->cost_pico - before;
    c->spent_pico = c->cost_pico;
    c->charged = false;
    /* Where no other call follows it must not be counted a second time. */
    c->answer = (struct answer){.text = c->answer.text};
}

/* ---- what is said of them ---- */

static int64_t ms_of(const struct chat_try *t)
{
    uint64_t end = t->end_ns ? t->end_ns : clock_ns();

    return (int64_t)((end - t->start_ns) / 1000000);
}

static void one_json(const struct chat *c, const struct chat_try *t,
                     struct buf *b)
{
    buf_str(b, "{\"arm\":");
    buf_json_str(b, span_of(c->ask.route->set->arms[t->arm].name));
    buf_str(b, ",\"provider\":");
    buf_json_str(b, span_of(t->at.place->provider));
    buf_str(b, ",\"model\":");
    buf_json_str(b, span_of(t->at.place->upstream));
    buf_str(b, ",\"key\":");
    buf_json_str(b, span_of(t->at.key->item.name));
    buf_str(b, ",\"status\":");
    buf_digits(b, t->status, 0);
    buf_str(b, ",\"error\":");
    if (t->fault)
        buf_json_str(b, span_of(fault_name(t->fault)));
    else
        buf_str(b, "null");
    buf_str(b, ",\"ms\":");
    buf_digits(b, (double)ms_of(t), 0);
    if (t->hedge)
        buf_str(b, ",\"hedge\":true");
    if (t->cost_pico) {
        buf_str(b, ",\"cost_usd\":");
        buf_digits(b, (double)t->cost_pico / PICO_PER_USD, 12);
    }
    buf_char(b, '}');
}

void chat_tries_json(const struct chat *c, struct buf *b)
{
    buf_char(b, '[');
    for (unsigned i = 0; i < chat_calls(c); i++) {
        if (i)
            buf_char(b, ',');
        one_json(c, chat_call_at(c, i), b);
    }
    buf_char(b, ']');
}

void chat_tries_headers(struct chat *c)
{
    char text[DIGITS_MAX];
    struct buf b;

    if (!c->now)
        return;
    http_set(c->x, "x-weir-attempts",
             (struct span){text, digits_put(text, chat_calls(c), 0)});
    http_set(c->x, "x-weir-provider", span_of(chat_model(c)->provider));
    http_set(c->x, "x-weir-key", span_of(c->now->at.key->item.name));
    buf_init(&b, 4096);
    for (unsigned i = 0; i < chat_calls(c); i++) {
        const struct chat_try *t = chat_call_at(c, i);

        if (t->fault)
            buf_printf(&b, "%s%s; provider=%s; key=%s; error=%s; ms=%lld",
                       b.len ? ", " : "", c->ask.route->set->arms[t->arm].name,
                       t->at.place->provider, t->at.key->item.name,
                       fault_name(t->fault), (long long)ms_of(t));
    }
    if (b.len)
        http_set(c->x, "x-weir-failed", buf_view(&b));
    buf_free(&b);
}
