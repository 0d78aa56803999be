/* SPDX-License-Identifier: Apache-2.0 */
/* The savings report for people and as JSON. */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "trainer/savings.h"

static void day(int64_t ms, char dst[32])
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;

    gmtime_r(&t, &tm);
    strftime(dst, 32, "%Y-%m-%d %H:%M", &tm);
}

static void interval(const struct estimate *x, double times, char dst[64])
{
    if (isnan(x->value))
        snprintf(dst, 64, "-");
    else
        snprintf(dst, 64, "%.1f (%.1f to %.1f)", times * x->value,
                 times * x->lo, times * x->hi);
}

/* A saving in per cent; what is much dearer, by how much. */
static void saving_text(const struct estimate *x, char dst[64])
{
    if (x->value < -1)
        snprintf(dst, 64, "costs x %.3g (%.3g to %.3g)", 1 - x->value,
                 1 - x->hi, 1 - x->lo);
    else
        interval(x, 100, dst);
}

static void score_text(const struct estimate *x, char dst[64])
{
    if (isnan(x->value))
        snprintf(dst, 64, "-");
    else
        snprintf(dst, 64, "%.3f (%.3f to %.3f)", x->value, x->lo, x->hi);
}

static void arm_line(const struct savings_route *r, unsigned a, struct buf *out)
{
    const struct savings_arm *x = &r->arms[a];
    const struct ledger_route *l = r->ledger;
    char saving[64], score[64] = "-", sure[32];
    bool solid = savings_solid(&x->cost);

    saving_text(&x->cost.less, saving);
    if (x->score.n && savings_solid(&x->score))
        score_text(&x->score.dr, score);
    snprintf(sure, sizeof sure, "%.0f / %.0f %%", x->cost.effective,
             100 * x->cost.unseen);
    buf_printf(out, "  %-20.*s %6llu %12.6f %12.6f  %-24s %-24s %s\n",
               SPAN_ARGS(l->arms[a]), (unsigned long long)l->served[a],
               l->spent[a], x->cost.ratio.value * (double)x->cost.n,
               solid ? saving : "too little to say", score, sure);
}

static void route_text(const struct savings_route *r, struct buf *out)
{
    char score[64];

    score_text(&r->score, score);
    buf_printf(out,
               "\nroute %.*s: %zu answered, %.6f USD, %llu labelled with a "
               "mean of %s",
               SPAN_ARGS(r->ledger->name), r->ledger->n, r->spent,
               (unsigned long long)r->labelled, score);
    if (r->explored)
        buf_printf(out, "; %llu explored for %.6f USD net",
                   (unsigned long long)r->explored, r->explored_usd);
    if (r->ledger->learnt_for > 0)
        buf_printf(out, "; %.6f USD for shadows and judges, off the savings",
                   r->ledger->learnt_for);
    if (!isnan(r->ece))
        buf_printf(out, "; calibration error %.3f", r->ece);
    buf_printf(out, "\n  %-20s %6s %12s %12s  %-24s %-24s %s\n",
               "for everything", "served", "its USD", "would be",
               "saving against it, %", "its quality", "sample / unseen");
    for (unsigned a = 0; a < r->ledger->n_arms; a++)
        arm_line(r, a, out);
}

static void kinds_text(const char *what, const struct ledger_kinds *k,
                       struct buf *out)
{
    if (k->n == 0 || (k->n == 1 && k->at[0].name.len == 0))
        return;
    buf_printf(out, "\n  %-24s %8s %12s %9s %7s\n", what, "requests", "USD",
               "labelled", "score");
    for (unsigned i = 0; i < k->n; i++) {
        const struct ledger_kind *x = &k->at[i];
        struct span name = x->name.len ? x->name : SPAN("-");

        buf_printf(out, "  %-24.*s %8llu %12.6f %9llu ", SPAN_ARGS(name),
                   (unsigned long long)x->n, x->cost,
                   (unsigned long long)x->labelled);
        if (x->labelled)
            buf_printf(out, "%7.3f\n", x->score / (double)x->labelled);
        else
            buf_str(out, "      -\n");
    }
}

void savings_text(const struct savings *s, struct buf *out)
{
    const struct ledger *l = s->ledger;
    char from[32], to[32];

    day(l->first_ms, from);
    day(l->last_ms, to);
    buf_printf(out,
               "%s to %s UTC: %llu requests, %.6f USD; %llu failed, %llu from "
               "the cache, %llu answered by rules\n",
               from, to, (unsigned long long)l->requests, l->spent,
               (unsigned long long)l->failed, (unsigned long long)l->cached,
               (unsigned long long)l->own);
    for (unsigned i = 0; i < l->n_routes; i++) {
        if (l->routes[i].n == 0)
            continue;
        route_text(&s->routes[i], out);
        kinds_text("task", &l->routes[i].tasks, out);
        kinds_text("key", &l->routes[i].keys, out);
    }
    kinds_text("labels from", &l->sources, out);
    kinds_text("weir's own calls", &l->learning, out);
    if (s->n_notes)
        buf_str(out, "\nWhat this says:\n");
    for (unsigned i = 0; i < s->n_notes; i++)
        buf_printf(out, "- %s\n", s->notes[i]);
}

/* ---- JSON ---- */

static void key(struct buf *b, const char *name)
{
    char last = b->len ? b->ptr[b->len - 1] : '{';

    buf_printf(b, "%s\"%s\":", last == '{' || last == '[' ? "" : ",", name);
}

static void number(struct buf *b, const char *name, double v)
{
    key(b, name);
    buf_json_num(b, v);
}

static void figure(struct buf *b, const char *name, const struct estimate *x)
{
    key(b, name);
    buf_char(b, '{');
    number(b, "value", x->value);
    number(b, "lo", x->lo);
    number(b, "hi", x->hi);
    buf_char(b, '}');
}

static void estimate_json(struct buf *b, const char *name,
                          const struct off_policy *o)
{
    key(b, name);
    buf_char(b, '{');
    number(b, "n", (double)o->n);
    number(b, "matched", (double)o->matched);
    number(b, "effective", o->effective);
    number(b, "most_weight", o->most);
    number(b, "unseen", o->unseen);
    key(b, "solid");
    buf_str(b, savings_solid(o) ? "true" : "false");
    figure(b, "ips", &o->ips);
    figure(b, "snips", &o->snips);
    figure(b, "dr", &o->dr);
    figure(b, "ratio", &o->ratio);
    figure(b, "less", &o->less);
    buf_char(b, '}');
}

static void arm_json(struct buf *b, const struct savings_route *r, unsigned a)
{
    const struct ledger_route *l = r->ledger;

    buf_str(b, a ? ",{" : "{");
    key(b, "name");
    buf_json_str(b, l->arms[a]);
    number(b, "served", (double)l->served[a]);
    number(b, "spent_usd", l->spent[a]);
    number(b, "unable", (double)r->arms[a].unable);
    estimate_json(b, "cost", &r->arms[a].cost);
    if (r->arms[a].score.n)
        estimate_json(b, "score", &r->arms[a].score);
    buf_char(b, '}');
}

static void kinds_json(struct buf *b, const char *name,
                       const struct ledger_kinds *k)
{
    key(b, name);
    buf_char(b, '[');
    for (unsigned i = 0; i < k->n; i++) {
        const struct ledger_kind *x = &k->at[i];

        buf_str(b, i ? ",{" : "{");
        key(b, "name");
        buf_json_str(b, x->name);
        number(b, "requests", (double)x->n);
        number(b, "cost_usd", x->cost);
        number(b, "labelled", (double)x->labelled);
        number(b, "score", x->labelled ? x->score / (double)x->labelled : NAN);
        buf_char(b, '}');
    }
    buf_char(b, ']');
}

static void route_json(struct buf *b, const struct savings_route *r)
{
    const struct ledger_route *l = r->ledger;

    buf_char(b, '{');
    key(b, "name");
    buf_json_str(b, l->name);
    number(b, "answered", (double)l->n);
    number(b, "spent_usd", r->spent);
    number(b, "labelled", (double)r->labelled);
    number(b, "explored", (double)r->explored);
    number(b, "explored_usd", r->explored_usd);
    number(b, "learning_usd", l->learnt_for);
    number(b, "calibration_error", r->ece);
    figure(b, "score", &r->score);
    key(b, "arms");
    buf_char(b, '[');
    for (unsigned a = 0; a < l->n_arms; a++)
        arm_json(b, r, a);
    buf_char(b, ']');
    kinds_json(b, "tasks", &l->tasks);
    kinds_json(b, "keys", &l->keys);
    buf_char(b, '}');
}

void savings_json(const struct savings *s, struct buf *out)
{
    const struct ledger *l = s->ledger;
    bool first = true;

    buf_char(out, '{');
    number(out, "from_ms", (double)l->first_ms);
    number(out, "to_ms", (double)l->last_ms);
    number(out, "requests", (double)l->requests);
    number(out, "failed", (double)l->failed);
    number(out, "cached", (double)l->cached);
    number(out, "spent_usd", l->spent);
    number(out, "learning_usd", l->learnt_for);
    key(out, "routes");
    buf_char(out, '[');
    for (unsigned i = 0; i < l->n_routes; i++) {
        if (l->routes[i].n == 0)
            continue;
        buf_str(out, first ? "" : ",");
        first = false;
        route_json(out, &s->routes[i]);
    }
    buf_char(out, ']');
    kinds_json(out, "labels", &l->sources);
    kinds_json(out, "reasons", &l->reasons);
    kinds_json(out, "learning", &l->learning);
    key(out, "notes");
    buf_char(out, '[');
    for (unsigned i = 0; i < s->n_notes; i++) {
        buf_str(out, i ? "," : "");
        buf_json_str(out, span_of(s->notes[i]));
    }
    buf_str(out, "]}\n");
}
