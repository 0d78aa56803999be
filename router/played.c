/* SPDX-License-Identifier: Apache-2.0 */
#include "router/played.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "router/outlog/outlog_read.h"
#include "router/route/judge.h"
#include "router/route/region.h"

enum { LINE_MAX = 1 << 16, ROW_BYTES = 256 << 20 };

struct playing {
    const struct played *p;
    const struct snapshot *s;
    const struct route *route;
    const struct settings *set;
    struct judge *judge;         /* (owned), and so below */
    struct budget_book *budgets; /* NULL: the route has none */
    struct budget *budget;       /* (borrowed: budgets) */
    struct buf line;
    struct arena arena;    /* of one row */
    uint64_t told, untold; /* requests */
    char why[256];         /* of the first untold one; "" */
    struct err *e;
};

/* What is known of one request. */
struct replica {
    const struct logged *row;
    struct record record;
    struct recorded made;
    struct request texts; /* where the log kept them */
    bool has_texts;
    char arms[ARMS_MAX * 70];
};

static bool refuse(struct playing *g, const struct logged *row,
                   const char *what, unsigned rule, const char *why)
{
    return err_set(g->e, ERR_INPUT,
                   "routes.%s.rules[%u].when.%s: %s, so request %.*s cannot be "
                   "played through",
                   g->route->set->item.name, rule, what, why,
                   SPAN_ARGS(row->id));
}

/* The rule or setting whose header the row does not say; it is counted. */
static bool untold(struct playing *g, const struct replica *r, int rule,
                   const char *name)
{
    const char *route = g->route->set->item.name;

    if (record_knows_header(&r->record, name))
        return false;
    if (*g->why)
        return true;
    if (rule >= 0)
        snprintf(g->why, sizeof g->why,
                 "routes.%s.rules[%d].when.headers: what %s was is not in "
                 "their rows, since no rule of the route named it then",
                 route, rule, name);
    else
        snprintf(g->why, sizeof g->why,
                 "routes.%s.high_risk.header: whether %s was there is not in "
                 "their rows, since the route did not name it then",
                 route, name);
    return true;
}

/* False: it is left out. */
static bool headers_told(struct playing *g, const struct replica *r)
{
    const struct route_settings *set = g->route->set;
    const struct rule_settings *rules = set->rules.at;

    for (unsigned i = 0; i < set->rules.n; i++) {
        const struct pair_list *named = &rules[i].when.headers;

        for (unsigned k = 0; k < named->n; k++)
            if (untold(g, r, (int)i, named->at[k].name))
                return false;
    }
    return !set->high_risk.header || set->explore <= 0 ||
           !untold(g, r, -1, set->high_risk.header);
}

/* Whether each rule's condition can be told of this request. */
static bool rules_told(struct playing *g, const struct replica *r)
{
    static const char no_texts[] = "the log keeps no texts (log.prompts)";
    const struct route_settings *set = g->route->set;
    const struct rule_settings *rules = set->rules.at;

    for (unsigned i = 0; i < set->rules.n; i++) {
        const struct when_settings *w = &rules[i].when;
        const char *what = w->metadata.n                ? "metadata"
                           : w->language.n              ? "language"
                           : w->min_turns > 1           ? "min_turns"
                           : w->tool && r->record.tools ? "tool"
                                                        : NULL;

        if (what && !r->has_texts)
            return refuse(g, r->row, what, i, no_texts);
    }
    return true;
}

/* ---- from the row ---- */

static int arm_find(const struct route_settings *set, struct span name)
{
    for (unsigned i = 0; i < set->n_all; i++) {
        if (span_is(name, set->arms[i].name))
            return (int)i;
    }
    return -1;
}

/* Masks of the arms that there were then, as ones of those there are now. */
static void move_masks(const struct route_settings *set,
                       const struct json *arms, struct record *r)
{
    const struct record was = *r;
    struct json_iter it = json_begin(arms);
    struct json one;

    r->asked = r->down = r->resting = 0;
    for (unsigned i = 0; i < ARMS_MAX && json_next(&it, NULL, &one); i++) {
        struct json name = json_get(&one, "arm");
        int now = arm_find(set, json_inner(&name));

        if (now < 0)
            continue;
        r->asked |= (was.asked >> i & 1) << now;
        r->down |= (was.down >> i & 1) << now;
        r->resting |= (was.resting >> i & 1) << now;
    }
}

/* Tools, metadata and the user's words. */
static bool read_texts(struct playing *g, struct replica *r)
{
    const struct logged *row = r->row;
    const struct request_pieces pieces = {row->messages, row->tools,
                                          row->params};
    struct err ignored = {0};

    r->has_texts = row->messages.len &&
                   request_from_parts(pieces, &g->arena, &r->texts, &ignored);
    return r->has_texts;
}

/* False: it cannot be decided again, and is left out. */
static bool read_row(struct playing *g, struct replica *r)
{
    const struct logged *row = r->row;
    struct json arms;
    struct err ignored = {0};

    if (!row->question.len ||
        !record_read(row->question, &r->record, &ignored) || r->record.embeds ||
        !json_parse(row->arms, &arms, &ignored))
        return false;
    move_masks(g->route->set, &arms, &r->record);
    (void)read_texts(g, r);
    if (!g->route->classifier)
        return true;
    return row->features.len &&
           vec_unpack(row->features, &g->judge->vec, &ignored);
}

static void ask(struct playing *g, struct replica *r, struct question *q)
{
    const struct classifier *c = g->route->classifier;
    struct judge *j = g->judge;

    *q = (struct question){.route = g->route,
                           .classifier = c,
                           .prediction = c ? &j->prediction : NULL};
    if (r->row->task_given)
        q->wish.task = r->row->task;
    if (c)
        classifier_predict(c, &j->vec, classifier_find_task(c, q->wish.task),
                           &j->prediction);
    record_ask(&r->record, &r->made, q);
    if (r->has_texts) {
        r->made.request.messages = r->texts.messages;
        r->made.request.n_messages = r->texts.n_messages;
        r->made.request.tools = r->texts.tools;
        r->made.request.n_tools = r->texts.n_tools;
        r->made.request.params.metadata = r->texts.params.metadata;
        for (size_t i = 0; i < r->texts.n_messages; i++)
            r->made.facts.turns += r->texts.messages[i].role == ROLE_USER;
    }
    r->made.request.key_name = r->row->key;
    /* Of the configuration, not of the day. */
    q->again = false;
    q->stay = NULL;
    q->drifted = DRIFT_NONE;
    q->afford = NULL;
    q->abroad = region_mask(g->route->set, settings_key(g->set, r->row->key));
    if (isnan(q->wish.quality))
        q->wish.quality = g->p->quality;
    q->price = g->budget ? budget_price(g->budget) : 0;
    q->bounded = g->budget != NULL;
    q->room = g->budget ? budget_room(g->budget, g->route->set->budget) : 0;
}

/* As if the answer had cost what was expected. */
static void pay(struct playing *g, const struct decision *d)
{
    double usd = d->arms[d->chosen].cost;
    const struct budget_item item = {usd, d->wanted, usd};

    if (!g->budget)
        return;
    budget_reserve(g->budget, usd, g->route->set->budget);
    budget_settle(g->budget, &item, g->route->set->budget);
}

static bool say(struct playing *g, const struct replica *r,
                const struct decision *d)
{
    const char *comma = "";

    buf_reset(&g->line);
    buf_str(&g->line, "{\"id\":");
    buf_json_str(&g->line, r->row->id);
    buf_str(&g->line, ",\"arms\":{");
    for (unsigned i = 0; i < d->n; i++) {
        if (!(d->arms[i].propensity > 0))
            continue;
        buf_str(&g->line, comma);
        buf_json_str(&g->line, span_of(g->route->set->arms[i].name));
        buf_printf(&g->line, ":%.6g", (double)d->arms[i].propensity);
        comma = ",";
    }
    buf_str(&g->line, "}}\n");
    return g->p->say(g->p->ctx, buf_view(&g->line), g->e);
}

static bool play(struct playing *g, struct replica *r)
{
    struct decision *d = &g->judge->decision;
    struct question q;

    if (!rules_told(g, r))
        return false;
    ask(g, r, &q);
    decide(&q, d);
    if (d->answer)
        return err_set(g->e, ERR_INPUT,
                       "routes.%s.rules[%d].answer: what an answer of the "
                       "route's own is worth to request %.*s is not in the "
                       "log",
                       g->route->set->item.name, d->rule,
                       SPAN_ARGS(r->row->id));
    if (d->chosen < 0)
        return true;
    pay(g, d);
    return say(g, r, d);
}

static bool play_row(void *ctx, const struct logged *row)
{
    struct playing *g = ctx;
    struct replica *r = arena_zalloc(&g->arena, 1, sizeof *r);
    bool ok = true;

    if (!r)
        return err_set(g->e, ERR_MEMORY, "no memory for a row");
    r->row = row;
    if (read_row(g, r)) {
        bool told = headers_told(g, r);

        g->told += told;
        g->untold += !told;
        ok = !told || play(g, r);
    }
    arena_reset(&g->arena);
    return ok;
}

/* Who is left out is left out by the day, not by what was asked: from when
 * on the route named the header. */
static bool say_untold(struct playing *g)
{
    if (!g->untold)
        return true;
    if (!g->told)
        return err_set(g->e, ERR_INPUT,
                       "none of the %llu requests can be played through: %s",
                       (unsigned long long)g->untold, g->why);
    buf_reset(&g->line);
    buf_printf(&g->line,
               "{\"left_out\":%llu,\"why\":", (unsigned long long)g->untold);
    buf_json_str(&g->line, span_of(g->why));
    buf_str(&g->line, "}\n");
    return g->p->say(g->p->ctx, buf_view(&g->line), g->e);
}

static bool ready(struct playing *g)
{
    const struct route_settings *set;

    g->route = snapshot_route(g->s, span_of(g->p->route));
    if (!g->route)
        return err_set(g->e, ERR_INPUT, "no route %s is configured",
                       g->p->route);
    set = g->route->set;
    g->judge = judge_new();
    if (set->policy == POLICY_BUDGET) {
        g->budgets = budget_book_new();
        g->budget = g->budgets
                        ? budget_of(g->budgets, set->item.name, set->budget)
                        : NULL;
    }
    return (g->judge && (set->policy != POLICY_BUDGET || g->budget)) ||
           err_set(g->e, ERR_MEMORY, "out of memory");
}

bool played_run(const struct played *p, const struct snapshot *s, struct err *e)
{
    struct playing g = {.p = p, .s = s, .set = snapshot_settings(s), .e = e};
    const struct outlog_part part = {p->route, p->since_ms, p->until_ms};
    bool ok;

    arena_init(&g.arena, ROW_BYTES);
    buf_init(&g.line, LINE_MAX);
    ok = ready(&g) && outlog_each(p->log, &part, play_row, &g, e) &&
         say_untold(&g);
    budget_book_free(g.budgets);
    judge_free(g.judge);
    buf_free(&g.line);
    arena_free(&g.arena);
    return ok;
}
