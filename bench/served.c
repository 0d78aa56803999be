/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/served.h"

#include "base/clock.h"
#include "features/features.h"
#include "router/gate/purse.h"
#include "router/route/judge.h"
#include "router/route/promise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ROW_MAX = 1 << 20,
    FILE_MAX = 256 << 20,
    CONVERSATIONS = 100000, /* as a server's by default */
    BETWEEN_MS = 20,        /* two requests, by a made-up clock */
};

struct served {
    struct snapshot *snapshot; /* (owned), and so below */
    struct judge *judge;
    struct sessions *sessions;
    struct purse_book *purses;
    struct purse *purse; /* (borrowed: purses) */
    struct hold hold;
    struct buf row;
    const struct route *route; /* (borrowed: snapshot) */
    char path[64];             /* of the classifier; "": none is left */
    char packed[1 << 16];
    int64_t now_ms;
    struct served_counts counts;
};

/* ---- the configuration ---- */

static const char *const heads[] = {
    "m0",
    "m1",
    "m2",
    "m3",
    "m4",
    "m5",
    "pair",
    "draft",
    "escalates pair",
    "escalates draft",
};

enum { HEADS = sizeof heads / sizeof heads[0] };

static const char card[] =
    "{\"notes\":[\"made up for benchmarks\"],"
    "\"plans\":{\"pair\":\"verify(m0,m1,m5)\",\"draft\":\"cascade(m2,m5)\"},"
    "\"levels\":[{\"quality\":0.9,\"price\":300,\"confidence\":0.95,"
    "\"valid\":true,\"reference\":\"m5\",\"arms\":[\"m0\",\"m1\",\"m2\",\"m3\","
    "\"m4\",\"m5\",\"pair\",\"draft\"]}],"
    "\"basis\":{\"domain\":{\"unseen\":1,\"top\":-1e30,\"far\":1e30}}}";

static const char config[] =
    "providers: {p: {dialect: openai, base_url: http://127.0.0.1:1/v1}}\n"
    "models:\n"
    "  m0: {provider: p, price: {input: 0.1, output: 0.4}}\n"
    "  m1: {provider: p, price: {input: 0.2, output: 0.8}}\n"
    "  m2: {provider: p, price: {input: 0.4, output: 1.6}}\n"
    "  m3: {provider: p, price: {input: 1, output: 4}}\n"
    "  m4: {provider: p, price: {input: 2, output: 8}}\n"
    "  m5: {provider: p, price: {input: 5, output: 20}}\n"
    "plans:\n"
    "  pair: {kind: verify, draft: m0, check: m1, else: m5}\n"
    "  draft: {kind: cascade, draft: m2, else: m5}\n"
    "routes:\n"
    "  auto:\n"
    "    arms: [m0, m1, m2, m3, m4, m5, pair, draft]\n"
    "    reference: m5\n"
    "    quality: 0.9\n"
    "    explore: 0.02\n"
    "    explore_budget: 1000000\n"
    "    high_risk: {tasks: [task11]}\n"
    "    tasks: {task12: m4, task13: m3}\n"
    "    rules:\n"
    "      - {when: {headers: {x-team: legal}}, arm: m5}\n"
    "      - {when: {metadata: {tier: free}}, arm: m0}\n"
    "      - {when: {language: [de, fr, ja]}, arm: m4}\n"
    "      - {when: {tool: search, min_tokens: 4000}, arm: m5}\n"
    "      - {when: {task: task14}, arm: pair}\n";

/* What a client sends besides its body. */
static const struct {
    const char *name, *value;
} headers[] = {
    {"host", "127.0.0.1:8080"},      {"accept", "application/json"},
    {"authorization", "Bearer k"},   {"content-type", "application/json"},
    {"user-agent", "some-client"},   {"x-stainless-lang", "python"},
    {"content-length", "2311"},      {"x-team", "research"},
    {"accept-encoding", "gzip, br"},
};

static struct span header(const void *ctx, const char *lower_name)
{
    (void)ctx;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        if (!strcmp(headers[i].name, lower_name))
            return span_of(headers[i].value);
    }
    return (struct span){NULL, 0};
}

static bool write_classifier(struct served *s, const struct made_size *like,
                             struct err *e)
{
    struct made_size size = *like;
    struct buf file;
    int fd = -1;
    bool ok;

    size.arms = HEADS;
    size.names = heads;
    size.card = SPAN(card);
    buf_init(&file, FILE_MAX);
    ok = made_classifier(&size, FEATURES_VERSION, &file, e);
    if (ok) {
        snprintf(s->path, sizeof s->path, "/tmp/weir-bench-XXXXXX");
        fd = mkstemp(s->path);
        ok = (fd >= 0 && write(fd, file.ptr, file.len) == (ssize_t)file.len) ||
             err_sys(e, "%s", s->path);
    }
    if (fd >= 0)
        close(fd);
    buf_free(&file);
    return ok;
}

static bool load(struct served *s, struct err *e)
{
    struct buf text;

    buf_init(&text, sizeof config + 200);
    buf_printf(&text, "classifier: %s\n%s", s->path, config);
    s->snapshot = snapshot_parse(buf_view(&text), "bench.yaml", NULL, e);
    buf_free(&text);
    if (!s->snapshot)
        return false;
    s->route = snapshot_route(s->snapshot, SPAN("auto"));
    s->judge = judge_new();
    s->sessions = sessions_new(CONVERSATIONS, e);
    s->purses = purse_book_new();
    s->purse =
        s->purses ? purse_of(s->purses, PURSE_EXPLORE, SPAN("auto")) : NULL;
    return (s->route && s->judge && s->sessions && s->purse) ||
           err_set(e, ERR_MEMORY, "no memory");
}

struct served *served_new(const struct made_size *like, struct err *e)
{
    struct served *s = calloc(1, sizeof *s);
    bool ok;

    if (!s) {
        err_set(e, ERR_MEMORY, "no memory");
        return NULL;
    }
    buf_init(&s->row, ROW_MAX);
    s->now_ms = clock_utc_ms();
    ok = write_classifier(s, like, e) && load(s, e);
    if (*s->path)
        unlink(s->path); /* it is mapped by now */
    if (ok)
        return s;
    served_free(s);
    return NULL;
}

void served_free(struct served *s)
{
    if (!s)
        return;
    snapshot_unref(s->snapshot);
    judge_free(s->judge);
    sessions_free(s->sessions);
    purse_book_free(s->purses);
    buf_free(&s->row);
    free(s);
}

/* ---- one request ---- */

static bool afford(void *ctx, double usd)
{
    struct served *s = ctx;

    return purse_take(s->purse, (int64_t)ceil(usd * PICO_PER_USD), INT64_MAX,
                      s->now_ms, &s->hold);
}

static void write_row(struct served *s)
{
    const struct judge *j = s->judge;
    char promise[PROMISE_MAX];
    size_t most = vec_pack_most(&j->vec);

    buf_reset(&s->row);
    s->counts.held +=
        promise_text(j->route, &j->decision, promise) == PROMISE_HOLDS;
    buf_str(&s->row, promise);
    record_arms(j->route->set, &j->decision, &s->row);
    record_write(&j->record, &s->row);
    if (most <= sizeof s->packed)
        s->counts.bytes =
            s->row.len + vec_pack(&j->vec, s->packed, sizeof s->packed);
}

/* As if the arm had answered at once. */
static void note(struct served *s, const struct request *r)
{
    const struct judge *j = s->judge;
    const struct session_note n = {
        .arm = session_arm(s->route->set->arms[j->decision.chosen].name),
        .time_ms = s->now_ms,
        .input = j->facts.input_tokens,
        .read = j->facts.input_tokens / 2,
        .messages = (uint32_t)r->n_messages,
        .turns = j->facts.turns,
        .stem = j->facts.stem_hash,
        .sketch = j->facts.stem_sketch};

    session_note(s->sessions, j->session, &n);
}

static void count(struct served *s)
{
    const struct decision *d = &s->judge->decision;

    s->counts.asked++;
    s->counts.explored += d->reason == REASON_EXPLORED;
    s->counts.by_level += d->reason == REASON_LEVEL;
    s->counts.by_rule += d->reason == REASON_RULE;
    s->counts.known += s->judge->stay.arm >= 0;
    s->counts.plans += s->route->set->arms[d->chosen].plan != NULL;
}

void served_ask(struct served *s, const struct request *r,
                struct served_moments *at)
{
    const struct span id = {(const char *)&s->counts.asked,
                            sizeof s->counts.asked};
    struct brief b = {.wish = wish_none(),
                      .seed = span_hash(id, 0),
                      .sessions = s->sessions,
                      .now_ms = s->now_ms += BETWEEN_MS,
                      .header = header,
                      .afford = afford,
                      .afford_ctx = s};

    at->begin = clock_ns();
    judge_decide(s->judge, s->snapshot, s->route, r, &b);
    purse_settle(&s->hold, s->hold.pico);
    at->decided = clock_ns();
    write_row(s);
    at->written = clock_ns();
    note(s, r);
    at->end = clock_ns();
    count(s);
}

struct served_counts served_counts(const struct served *s)
{
    return s->counts;
}
