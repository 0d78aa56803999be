/* SPDX-License-Identifier: Apache-2.0 */
/* Money: what a call may cost at the most is set aside in the purses of those
 * who pay for it before it is made, and settled when the chat is over. */
#include <math.h>

#include "router/chat/chat_parts.h"
#include "router/gate/gate.h"
#include "router/gate/purse.h"

enum {
    TEMPLATE_TOKENS = 1024,  /* what a provider may write around a request */
    UNKNOWN_OUTPUT = 131072, /* tokens, where neither limit nor window are */
    MEDIA_TIMES = 2,         /* the estimate, for what bytes do not tell */
};

static void add_payer(struct chat *c, struct purse *purse, int64_t limit,
                      const char *whose)
{
    if (purse && c->n_payers < PAYERS_MAX)
        c->payers[c->n_payers++] =
            (struct payer){.purse = purse, .limit = limit, .whose = whose};
}

void chat_pays(struct chat *c, enum purse_kind kind, struct span name,
               double usd)
{
    struct purse *p = purse_of(c->worker->router->purses, kind, name);

    add_payer(c, p, purse_limit(usd), purse_kind_name(kind));
}

void chat_key_pays(struct chat *c)
{
    const struct gate_pass *pass = c->ask.place.pass;

    if (pass)
        add_payer(c, pass->purse, pass->budget, "this key");
}

/* ---- the most that a call of the arm can cost ---- */

/* A token is at least one byte of the body. */
static int64_t most_input(const struct chat *c)
{
    const struct facts *f = &c->facts;
    int64_t n = (int64_t)c->ask.request.body.len + TEMPLATE_TOKENS;

    if (f->images || f->files || f->audios)
        n += (int64_t)f->input_tokens * MEDIA_TIMES;
    return n;
}

static int64_t most_output(const struct chat *c, const struct model *m)
{
    const struct params *p = &c->ask.request.params;
    int64_t n = m->max_output > 0 ? m->max_output
                : m->context > 0  ? m->context
                                  : UNKNOWN_OUTPUT;
    int64_t all;

    if (c->ask.request.embeds)
        return 0;
    if (p->max_tokens >= 0 && p->max_tokens < n)
        n = p->max_tokens;
    if (p->n <= 1)
        return n;
    return __builtin_mul_overflow(n, p->n, &all) ? INT64_MAX : all;
}

static int64_t most_of(const struct chat *c, int arm)
{
    const struct model *m = &c->ask.route->set->arms[arm].model->model;
    enum service s = c->ask.request.params.service_tier.len ? SERVICE_PRIORITY
                                                            : SERVICE_STANDARD;

    int64_t most = model_most(m, most_input(c), most_output(c, m), s);

    /* Sums of some of them stay numbers; no budget reaches so far. */
    return most < INT64_MAX / 64 ? most : INT64_MAX / 64;
}

int64_t chat_held(const struct chat *c)
{
    int64_t all = c->spent_pico;

    for (unsigned i = 0; i < c->attempts; i++)
        all += c->tries[i]->open ? c->tries[i]->most : 0;
    return all;
}

/* All that `pays` holds shall be so much; false: c->broke. */
static bool take(struct chat *c, struct chat *pays, int64_t all)
{
    c->broke = NULL;
    for (unsigned i = 0; i < pays->n_payers; i++) {
        struct payer *p = &pays->payers[i];

        if (!purse_take(p->purse, all, p->limit, c->time_ms, &p->hold)) {
            c->broke = p;
            c->wanted_pico = all;
            return false;
        }
    }
    return true;
}

/* A plan's member is paid for by those who pay for the client's chat. */
bool chat_hold(struct chat *c, struct chat_try *t)
{
    struct chat *pays = chat_payer(c);
    int64_t all;

    c->broke = NULL;
    if (pays->n_payers == 0)
        return true;
    t->most = most_of(c, c->arm);
    all = chat_held(pays) + chat_plan_held(pays) + t->most;
    return take(c, pays, all > pays->ahead_pico ? all : pays->ahead_pico);
}

bool chat_hold_plan(struct chat *c)
{
    const struct arm *arm = &c->ask.route->set->arms[c->arm];
    int64_t all = 0;

    for (unsigned k = 0; k < PLAN_ROLES; k++)
        all += arm->member[k] >= 0 ? most_of(c, arm->member[k]) : 0;
    c->ahead_pico = all;
    return take(c, c, all);
}

void chat_settle(struct chat *c)
{
    for (unsigned i = 0; i < c->n_payers; i++)
        purse_settle(&c->payers[i].hold, c->cost_pico);
}

void chat_broke(struct chat *c)
{
    const struct payer *p = c->broke;
    struct purse_state s = purse_look(p->purse, c->time_ms);
    struct span reason = SPAN("insufficient_quota");
    double left = (double)(p->limit - s.spent - s.held) / PICO_PER_USD;

    metrics_count(c->worker->shard, METRIC_REFUSED, &reason, 1);
    c->ask.retry_after = (unsigned)(purse_day_left_ms(c->time_ms) / 1000 + 1);
    chat_out_set(c, "x-should-retry", SPAN("false"));
    chat_fail(c, PROBLEM_QUOTA,
              "%s has $%.6f left of $%.6f a day (UTC), and this request may "
              "cost up to $%.6f (a smaller max_tokens needs less)",
              p->whose, left > 0 ? left : 0, (double)p->limit / PICO_PER_USD,
              (double)c->wanted_pico / PICO_PER_USD);
}

/* ---- weir's own calls ---- */

const char *chat_purpose_name(enum purpose p)
{
    static const char *const names[] = {
        [PURPOSE_NONE] = NULL,
        [PURPOSE_SHADOW] = "shadow",
        [PURPOSE_JUDGE] = "judge",
    };

    return names[p];
}

static bool refuse(struct chat *c, enum problem_kind kind, const char *why)
{
    chat_fail(c, kind, "%s", why);
    return false;
}

/* Only `weir label` on this machine: a client that marked its requests so
 * would hide them from reports. */
bool chat_read_purpose(struct chat *c)
{
    struct span purpose = http_header(c->x, "x-weir-purpose");
    struct span budget = http_header(c->x, "x-weir-budget");
    double usd = NAN;

    if (purpose.len == 0)
        return true;
    if (!span_is(purpose, "judge"))
        return refuse(c, PROBLEM_BAD_REQUEST, "x-weir-purpose: wanted judge");
    if (!paths_from_loopback(c->x))
        return refuse(c, PROBLEM_FORBIDDEN,
                      "x-weir-purpose is taken from this machine only");
    if (budget.len && !(span_double(budget, &usd) && usd >= 0 && usd <= 1e6))
        return refuse(c, PROBLEM_BAD_REQUEST,
                      "x-weir-budget: wanted USD a day, from 0 to 1000000");
    c->purpose = PURPOSE_JUDGE;
    c->parent = arena_copy(c->arena, http_header(c->x, "x-weir-parent"));
    chat_pays(c, PURSE_JUDGE, SPAN(""), usd);
    return true;
}
