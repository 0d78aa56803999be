/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/eval_report.h"

#include <math.h>
#include <stdio.h>

#include "base/units.h"

void eval_report_answer(const struct evaluation *v, struct buf *out)
{
    const struct eval_arm *fixed = &v->arms[v->fixed];
    if (!v->priced) {
        buf_str(out, "The arms' costs are not all known, so nothing can be "
                     "said of savings: give --prices.");
        return;
    }
    if (v->winner < 0) {
        buf_printf(out, "No router beats a fixed arm with confidence: use %s.",
                   fixed->name);
        return;
    }
    const struct eval_router *r = &v->routers[v->winner];
    const struct eval_saving *s = &r->at[v->winner_target];
    buf_printf(out,
               "Routing by '%s' beats every fixed arm and every mix of them: "
               "at %.3f of %s's quality it saves %.1f %% [%.1f, %.1f] of its "
               "cost, and scores %.4f [%.4f, %.4f] above the best mix for the "
               "same money.",
               r->name, s->quality.value, v->arms[v->reference].name,
               100 * s->saving.value, 100 * s->saving.lo, 100 * s->saving.hi,
               s->edge.value, s->edge.lo, s->edge.hi);
}

/* ---- JSON */

static void key(struct buf *b, const char *name)
{
    if (b->len && b->ptr[b->len - 1] != '{' && b->ptr[b->len - 1] != '[')
        buf_char(b, ',');
    buf_json_str(b, span_of(name));
    buf_char(b, ':');
}

static void number(struct buf *b, const char *name, double x)
{
    char text[40];
    double rounded = x;
    snprintf(text, sizeof text, "%.6g", x); /* no digits that mean nothing */
    if (isfinite(x) && !span_double(span_of(text), &rounded))
        rounded = x;
    key(b, name);
    buf_json_num(b, rounded);
}

static void count(struct buf *b, const char *name, uint64_t n)
{
    key(b, name);
    buf_printf(b, "%llu", (unsigned long long)n);
}

static void text(struct buf *b, const char *name, const char *value)
{
    key(b, name);
    if (value)
        buf_json_str(b, span_of(value));
    else
        buf_str(b, "null");
}

/* "name":value,"name_lo":..,"name_hi":.. */
static void figure(struct buf *b, const char *name, struct figure f)
{
    char part[64];
    number(b, name, f.value);
    snprintf(part, sizeof part, "%s_lo", name);
    number(b, part, f.lo);
    snprintf(part, sizeof part, "%s_hi", name);
    number(b, part, f.hi);
}

static void open(struct buf *b, const char *name, char bracket)
{
    if (name)
        key(b, name);
    else if (b->len && b->ptr[b->len - 1] == '}')
        buf_char(b, ',');
    buf_char(b, bracket);
}

static void json_arm(struct buf *b, const struct eval_arm *a)
{
    open(b, NULL, '{');
    text(b, "name", a->name);
    figure(b, "score", a->score);
    figure(b, "cost_usd", a->cost);
    figure(b, "quality", a->quality);
    figure(b, "saving", a->saving);
    number(b, "latency_ms", a->latency_ms);
    number(b, "ece", a->ece);
    buf_char(b, '}');
}

static void json_saving(struct buf *b, double target,
                        const struct eval_saving *s)
{
    open(b, NULL, '{');
    number(b, "target", target);
    number(b, "saving", s->saving.value);
    number(b, "lo", s->saving.lo);
    number(b, "hi", s->saving.hi);
    figure(b, "quality", s->quality);
    figure(b, "edge", s->edge);
    figure(b, "regret", s->regret);
    buf_char(b, '}');
}

static void json_router(struct buf *b, const struct eval_router *r, bool priced)
{
    open(b, NULL, '{');
    text(b, "name", r->name);
    figure(b, "apgr", r->apgr);
    figure(b, "cpt50", r->cpt50);
    figure(b, "cpt80", r->cpt80);
    figure(b, "aiq", r->aiq);
    open(b, "savings", '[');
    for (unsigned k = 0; priced && k < EVAL_TARGETS; k++)
        json_saving(b, eval_targets[k], &r->at[k]);
    buf_str(b, "]}");
}

static void json_stand_ins(struct buf *b, const struct contest_set *s)
{
    open(b, "stand_ins", '[');
    for (uint32_t i = 0; i < s->n_stand_ins; i++) {
        open(b, NULL, '{');
        text(b, "arm", s->stand_in[i].arm);
        text(b, "by", s->stand_in[i].by);
        buf_char(b, '}');
    }
    buf_char(b, ']');
}

static void json_answer(struct buf *b, const struct evaluation *v)
{
    struct buf words;
    buf_init(&words, 1 << 12);
    eval_report_answer(v, &words);
    open(b, "recommendation", '{');
    text(b, "router", v->winner < 0 ? NULL : v->routers[v->winner].name);
    text(b, "arm", v->winner < 0 ? v->arms[v->fixed].name : NULL);
    text(b, "text", buf_cstr(&words));
    buf_char(b, '}');
    buf_free(&words);
}

void eval_report_json(const struct evaluation *v, const struct contest_set *s,
                      struct buf *b)
{
    open(b, NULL, '{');
    count(b, "n", v->n);
    count(b, "groups", v->n_groups);
    count(b, "left_out", v->n_left_out);
    count(b, "train_rows", v->n_train);
    count(b, "folds", v->folds);
    count(b, "resamples", v->resamples);
    number(b, "confidence", .95);
    count(b, "seed", v->seed);
    text(b, "reference", v->arms[v->reference].name);
    open(b, "arms", '[');
    for (uint32_t a = 0; a < v->n_arms; a++)
        json_arm(b, &v->arms[a]);
    buf_char(b, ']');
    open(b, "routers", '[');
    for (uint32_t r = 0; r < v->n_routers; r++)
        json_router(b, &v->routers[r], v->priced);
    buf_char(b, ']');
    json_stand_ins(b, s);
    json_answer(b, v);
    buf_str(b, "}\n");
}

/* ---- tables */

static void cell(struct buf *b, struct figure f, double scale)
{
    if (isnan(f.value))
        buf_printf(b, "  %-22s", "-");
    else
        buf_printf(b, "  %6.3f [%6.3f,%6.3f]", scale * f.value, scale * f.lo,
                   scale * f.hi);
}

static void table_arms(struct buf *b, const struct evaluation *v)
{
    buf_printf(b, "%-28s  %-22s  %-22s  %-22s  %6s\n", "arm", "score",
               "USD per 1000 requests", "saving", "ece");
    for (uint32_t a = 0; a < v->n_arms; a++) {
        const struct eval_arm *x = &v->arms[a];
        buf_printf(b, "%-28s", x->name);
        cell(b, x->score, 1);
        cell(b, v->priced ? x->cost : (struct figure){NAN, NAN, NAN}, 1000);
        cell(b, v->priced ? x->saving : (struct figure){NAN, NAN, NAN}, 1);
        buf_printf(b, "  %6.3f\n", x->ece);
    }
}

static void table_rankings(struct buf *b, const struct evaluation *v)
{
    buf_printf(b, "\n%-12s  %-22s  %-22s  %-22s  %s\n", "router", "apgr",
               "cpt50", "cpt80", "aiq");
    for (uint32_t r = 0; r < v->n_routers; r++) {
        const struct eval_router *x = &v->routers[r];
        buf_printf(b, "%-12s", x->name);
        cell(b, x->apgr, 1);
        cell(b, x->cpt50, 1);
        cell(b, x->cpt80, 1);
        cell(b, x->aiq, 1);
        buf_char(b, '\n');
    }
}

static void table_savings(struct buf *b, const struct evaluation *v)
{
    buf_printf(b, "\n%-12s  %6s  %-22s  %-22s  %s\n", "router", "target",
               "saving", "quality", "score above any mix");
    for (uint32_t r = 0; r < v->n_routers; r++) {
        /* The oracle does the same whatever the target. */
        unsigned n = v->routers[r].is_router ? EVAL_TARGETS : 1;
        for (unsigned k = 0; k < n; k++) {
            const struct eval_saving *s = &v->routers[r].at[k];
            if (n == 1)
                buf_printf(b, "%-12s  %6s", v->routers[r].name, "best");
            else
                buf_printf(b, "%-12s  %6.2f", v->routers[r].name,
                           eval_targets[k]);
            cell(b, s->saving, 1);
            cell(b, s->quality, 1);
            cell(b, s->edge, 1);
            buf_char(b, '\n');
        }
    }
}

void eval_report_table(const struct evaluation *v, const struct contest_set *s,
                       struct buf *b)
{
    buf_printf(b,
               "%zu requests with an outcome of every arm (%zu without); "
               "%u fold%s, %zu rows to learn from in each.\n"
               "In brackets: 95 %% intervals, %u resamples of %zu groups. "
               "Quality and saving are against %s.\n\n",
               v->n, v->n_left_out, v->folds, v->folds == 1 ? "" : "s",
               v->n_train, v->resamples, v->n_groups,
               v->arms[v->reference].name);
    for (uint32_t i = 0; i < s->n_stand_ins; i++)
        buf_printf(b,
                   "No training row knows %s: learned from %s's outcomes, "
                   "the nearest in price.\n\n",
                   s->stand_in[i].arm, s->stand_in[i].by);
    table_arms(b, v);
    table_rankings(b, v);
    if (v->priced)
        table_savings(b, v);
    buf_char(b, '\n');
    eval_report_answer(v, b);
    buf_char(b, '\n');
}
