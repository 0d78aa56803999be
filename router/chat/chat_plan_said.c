/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a plan: to the client in headers or a comment, to the log
 * as the column `plan`, to metrics. */
#include <math.h>

#include "router/chat/chat_plan.h"
#include "router/digits.h"

static const char *const kinds[] = {"single", "cascade", "verify", "panel"};
static const char *const roles[] = {"draft", "check", "else", "review"};
static const char *const verdicts[] = {"pending", "accepted", "escalated",
                                       "deadline", "failed"};
static const char *const reviews[] = {"none", "pass", "fail", "unavailable"};

/* ---- who answered, and what was called ---- */

bool chat_plan_open(const struct chat *c)
{
    return c->plan && c->arm == c->plan->at &&
           (c->plan->verdict == PLAN_PENDING ||
            (c->plan->verdict == PLAN_FAILED && !c->now));
}

static bool draft_answers(const struct plan_run *p)
{
    return p->verdict == PLAN_ACCEPTED || p->verdict == PLAN_DEADLINE ||
           p->arm->member[PLAN_ELSE] < 0;
}

const char *chat_answerer(const struct chat *c)
{
    const struct arm *arms = c->ask.route->set->arms;
    const struct plan_run *p = c->plan;

    if (!p || c->arm != p->at)
        return arms[c->arm].name;
    return arms[p->arm->member[draft_answers(p) ? PLAN_DRAFT : PLAN_ELSE]].name;
}

unsigned chat_calls(const struct chat *c)
{
    unsigned n = c->attempts;

    for (unsigned i = 0; c->plan && i < c->plan->n; i++)
        n += c->plan->members[i].chat->attempts;
    return n;
}

const struct chat_try *chat_call_at(const struct chat *c, unsigned i)
{
    for (unsigned k = 0; c->plan && k < c->plan->n; k++) {
        const struct chat *inner = c->plan->members[k].chat;

        if (i < inner->attempts)
            return inner->tries[i];
        i -= inner->attempts;
    }
    return c->tries[i];
}

struct chat *chat_payer(struct chat *c)
{
    return c->member ? c->member->plan->chat : c;
}

int64_t chat_plan_held(const struct chat *c)
{
    const struct plan_run *p = c->plan;
    int64_t all = 0;

    for (unsigned i = 0; p && p->verdict == PLAN_PENDING && i < p->n; i++) {
        const struct chat *inner = p->members[i].chat;

        all += inner->state == CHAT_CLOSING || inner->state == CHAT_ENDED
                   ? inner->cost_pico
                   : chat_held(inner);
    }
    return all;
}

uint64_t chat_plan_tokens(const struct chat *c)
{
    int64_t n = 0;

    for (unsigned i = 0; c->plan && i < c->plan->n; i++) {
        const struct chat *inner = c->plan->members[i].chat;

        if (inner->now != c->now)
            n += inner->answer.usage.input + inner->answer.usage.output;
    }
    return (uint64_t)n;
}

/* ---- to the client ---- */

static void summary(const struct chat *c, struct buf *out)
{
    const struct plan_run *p = c->plan;
    const struct arm *arms = c->ask.route->set->arms;

    buf_printf(out, "%s; verdict=%s", kinds[p->arm->plan->kind],
               verdicts[p->verdict]);
    for (unsigned k = 0; k < PLAN_ROLES; k++) {
        bool asked = k != PLAN_ELSE || p->verdict == PLAN_ESCALATED;

        if (p->arm->member[k] >= 0 && asked)
            buf_printf(out, "; %s=%s", roles[k], arms[p->arm->member[k]].name);
    }
    if (p->why)
        buf_printf(out, "; why=\"%s\"", p->why);
}

static void review(const struct chat *c, struct buf *out)
{
    const struct plan_run *p = c->plan;

    buf_printf(out, "%s; by=%s", reviews[p->review],
               c->ask.route->set->arms[p->arm->member[PLAN_REVIEW]].name);
    if (p->review_why[0])
        buf_printf(out, "; why=\"%s\"", p->review_why);
}

static bool is_reviewed(const struct chat *c)
{
    return c->plan->review != REVIEW_NONE &&
           c->plan->arm->member[PLAN_REVIEW] >= 0;
}

void chat_plan_headers(struct chat *c)
{
    struct buf b;

    if (!c->plan || c->plan->verdict == PLAN_PENDING)
        return;
    buf_init(&b, 2048);
    summary(c, &b);
    http_set(c->x, "x-weir-plan", buf_view(&b));
    buf_reset(&b);
    if (is_reviewed(c)) {
        review(c, &b);
        http_set(c->x, "x-weir-review", buf_view(&b));
    }
    buf_free(&b);
}

void plan_comment(struct chat *c)
{
    struct buf b;

    buf_init(&b, 2048);
    buf_str(&b, ": x-weir-plan: ");
    summary(c, &b);
    buf_str(&b, "\n\n");
    if (is_reviewed(c)) {
        buf_str(&b, ": x-weir-review: ");
        review(c, &b);
        buf_str(&b, "\n\n");
    }
    http_write(c->x, buf_view(&b));
    buf_free(&b);
}

/* ---- to the log ---- */

static void checks_json(const struct plan_run *p, struct buf *b)
{
    buf_str(b, ",\"checks\":{");
    for (unsigned i = 0; p->compared && i < checks_count(); i++) {
        buf_str(b, i ? ",\"" : "\"");
        buf_str(b, checks_name(i));
        buf_str(b, "\":");
        buf_digits(b, p->checks[i], 6);
    }
    buf_char(b, '}');
}

/* One of those that answered, or should have. */
struct said {
    const char *role, *arm;
    const struct chat *chat;
    int64_t cost_pico;
    int status;
    uint64_t end_ns;
    const struct answered *got; /* or NULL */
};

static void usage_json(const struct said *s, struct buf *b)
{
    const struct usage *u = &s->chat->answer.usage;

    buf_printf(b, ",\"status\":%d,\"input_tokens\":%lld,\"output_tokens\":%lld",
               s->status, (long long)u->input, (long long)u->output);
    buf_str(b, ",\"cost_usd\":");
    buf_digits(b, (double)s->cost_pico / PICO_PER_USD, 12);
}

static void said_json(const struct said *s, struct buf *b)
{
    const struct chat_try *t = s->chat->now;
    uint64_t from = s->chat->attempts ? s->chat->tries[0]->start_ns : 0;

    buf_printf(b, "{\"role\":\"%s\",\"arm\":", s->role);
    buf_json_str(b, span_of(s->arm));
    buf_str(b, ",\"model\":");
    buf_json_str(b, span_of(t ? t->at.place->upstream : ""));
    buf_str(b, ",\"provider\":");
    buf_json_str(b, span_of(t ? t->at.place->provider : ""));
    usage_json(s, b);
    buf_printf(b, ",\"ms\":%llu",
               (unsigned long long)(from && s->end_ns > from
                                        ? (s->end_ns - from) / 1000000
                                        : 0));
    buf_str(b, ",\"flaws\":\"");
    chat_flaws_text(chat_flaws(s->chat), b);
    buf_char(b, '"');
    if (s->got)
        buf_printf(b, ",\"answer\":\"%s\"",
                   final_kind_name(s->got->final.kind));
    buf_char(b, '}');
}

static void member_json(const struct chat *c, const struct plan_member *m,
                        struct buf *b)
{
    const struct arm *arms = c->ask.route->set->arms;
    struct said s = {
        .role = roles[m->role],
        .arm = arms[c->plan->arm->member[m->role]].name,
        .chat = m->chat,
        .cost_pico = m->chat->cost_pico,
        .status = m->chat->now ? m->chat->now->status : 0,
        .end_ns = m->end_ns,
        .got = m->looked ? &m->got : NULL,
    };

    said_json(&s, b);
}

static void else_json(const struct chat *c, int status, struct buf *b)
{
    const struct chat_try *last =
        c->attempts ? c->tries[c->attempts - 1] : NULL;
    struct said s = {
        .role = roles[PLAN_ELSE],
        .arm = chat_answerer(c),
        .chat = c,
        .cost_pico = c->cost_pico - c->plan->cost_pico,
        .status = status,
        .end_ns = last ? last->end_ns : 0,
    };

    said_json(&s, b);
}

/* "failed" also where what it escalated to did not answer. */
static const char *verdict_of(const struct plan_run *p, int status)
{
    return verdicts[status >= 400 ? PLAN_FAILED : p->verdict];
}

void chat_plan_json(const struct chat *c, int status, struct buf *b)
{
    const struct plan_run *p = c->plan;

    buf_printf(b, "{\"kind\":\"%s\",\"verdict\":\"%s\",\"why\":\"%s\"",
               kinds[p->arm->plan->kind], verdict_of(p, status),
               p->why ? p->why : "");
    checks_json(p, b);
    if (!isnan(p->accepts)) {
        buf_str(b, ",\"accepts\":");
        buf_digits(b, p->accepts, 6);
    }
    if (is_reviewed(c))
        buf_printf(b, ",\"review\":\"%s\"", reviews[p->review]);
    buf_printf(b, ",\"decided_ms\":%llu,\"members\":[",
               (unsigned long long)((p->end_ns - p->start_ns) / 1000000));
    for (unsigned i = 0; i < p->n; i++) {
        buf_str(b, i ? "," : "");
        member_json(c, &p->members[i], b);
    }
    if (c->attempts) {
        buf_str(b, p->n ? "," : "");
        else_json(c, status, b);
    }
    buf_str(b, "]}");
}

void chat_plan_count(struct chat *c, int status)
{
    const struct plan_run *p = c->plan;
    struct span labels[3];

    if (!p)
        return;
    labels[0] = span_of(c->ask.route->set->item.name);
    labels[1] = span_of(p->arm->name);
    labels[2] = span_of(verdict_of(p, status));
    metrics_count(c->worker->shard, METRIC_PLANS, labels, 1);
}
