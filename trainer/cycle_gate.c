/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/cycle_gate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/log_rows.h"
#include "models/page_hinkley.h"
#include "trainer/cycle_plans.h"
#include "trainer/cycle_policy.h"

static const char *const names[GATE_ENDS] = {"cheaper", "better",    "keeps",
                                             "little",  "undecided", "breaks",
                                             "worse",   "same"};

const char *gate_end_name(enum gate_end end)
{
    return end < GATE_ENDS ? names[end] : "?";
}

/* ---- conversations that were begun before the cut ---- */

struct sessions {
    uint64_t *at; /* (owned) */
    size_t n, cap;
};

static bool note_session(void *ctx, const struct log_row *r, struct err *e)
{
    struct sessions *s = ctx;

    if (!r->session.len)
        return true;
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 1024;
        uint64_t *at = realloc(s->at, cap * sizeof *at);

        if (!at)
            return err_set(e, ERR_MEMORY, "no memory for conversations");
        s->at = at;
        s->cap = cap;
    }
    s->at[s->n++] = span_hash(r->session, 3); /* as trainer/offlog.c */
    return true;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Their rows count for nothing. */
static bool leave_out_begun(const struct gate_ask *ask, struct offlog *log,
                            struct err *e)
{
    struct log_range before = {.until_ms = ask->since_ms,
                               .route = ask->set->route};
    struct sessions s = {0};
    bool ok = !ask->since_ms ||
              log_rows_each(ask->set->log, &before, note_session, &s, e);

    if (ok && s.n) {
        qsort(s.at, s.n, sizeof *s.at, by_value);
        for (size_t i = 0; i < log->n; i++)
            if (bsearch(&log->t->session[i], s.at, s.n, sizeof *s.at, by_value))
                log->score[i] = log->spent[i] = NAN;
    }
    free(s.at);
    return ok;
}

/* ---- the verdict ---- */

/* Rows until a figure's bound leaves 0 behind, if it is what it seems. */
static double rows_wanted(const struct evidence_figure *f, bool above)
{
    double gap = above ? f->value : -f->value, reach = f->hi - f->value;

    if (!(gap > 0))
        return NAN;
    return (double)f->n * (reach / gap * (reach / gap) - 1);
}

/* Of what the figures are. */
static void say_rows(const struct gate *g, char *dst, size_t size)
{
    int n = snprintf(dst, size, "on %zu labelled requests", g->labelled);

    if (g->found.promise.learnt && n > 0 && (size_t)n < size)
        snprintf(dst + n, size - (size_t)n,
                 " (promise: %zu with all outcomes, and %zu learnt from)",
                 g->found.promise.full, g->found.promise.learnt);
}

static void say_more(struct gate *g)
{
    const struct evidence *f = &g->found;
    double promise = f->promise.lo >= 0 ? 0 : rows_wanted(&f->promise, true);
    double cost = f->cost.hi < 0 ? 0 : rows_wanted(&f->cost, false);
    char more[64] = "it does not look as if more would decide it", rows[120];

    say_rows(g, rows, sizeof rows);
    g->more = fmax(promise, cost) + 0 * (promise + cost);
    if (!isnan(g->more))
        snprintf(more, sizeof more, "some %.0f more requests would decide it",
                 ceil(g->more));
    snprintf(g->why, sizeof g->why,
             "not shown %s: quality less the promised %+.4f [%.4f, %.4f], cost "
             "%+.3g USD a request [%.3g, %.3g]; %s",
             rows, f->promise.value, f->promise.lo, f->promise.hi,
             f->cost.value, f->cost.lo, f->cost.hi, more);
}

static void say(struct gate *g, const char *what)
{
    const struct evidence *f = &g->found;
    char rows[120];

    say_rows(g, rows, sizeof rows);
    snprintf(g->why, sizeof g->why,
             "%s: %s quality %.4f (now %.4f), %+.4f [%.4f, %.4f] above the "
             "promise; cost %.3g USD a request (now %.3g)",
             what, rows, f->new_quality, f->old_quality, f->promise.value,
             f->promise.lo, f->promise.hi, f->new_cost, f->old_cost);
}

static void say_little(struct gate *g)
{
    const struct evidence_figure *p = &g->found.promise;
    size_t seen = p->matched < g->found.quality.matched
                      ? p->matched
                      : g->found.quality.matched;

    g->more =
        seen && seen < EVIDENCE_MATCHED
            ? (double)g->rows * ((double)EVIDENCE_MATCHED / (double)seen - 1)
            : NAN;
    snprintf(g->why, sizeof g->why,
             "too little to judge by: wanted %d labelled requests in which "
             "either arm answered where the two differ, or %d with the "
             "outcomes of all arms; found %zu and %zu of %zu (%zu labelled)",
             EVIDENCE_MATCHED, EVIDENCE_FULL, seen, p->full, g->rows,
             g->labelled);
}

void gate_judge(struct gate *g)
{
    const struct evidence *f = &g->found;
    bool keeps = f->promise.lo >= 0, cheaper = f->cost.hi < 0;

    g->more = NAN;
    if (!f->promise.solid || !f->quality.solid || !f->cost.solid) {
        g->end = GATE_LITTLE;
        say_little(g);
    } else if (!f->cost.differ) {
        g->end = GATE_SAME;
        say(g, "it would choose the same arms");
    } else if (f->promise.hi < 0 && !(f->quality.lo > 0)) {
        g->end = GATE_BREAKS;
        say(g, "it breaks the promise");
    } else if (keeps && cheaper) {
        g->end = GATE_CHEAPER;
        say(g, "it keeps the promise and costs less");
    } else if (keeps && f->kept.solid && f->kept.hi < 0) {
        g->end = GATE_KEEPS;
        say(g, "it keeps the promise, which what runs does not seem to");
    } else if (f->quality.lo > 0) {
        g->end = GATE_BETTER;
        say(g, "its quality is higher");
    } else if (f->cost.lo > 0 && f->quality.value <= 0) {
        g->end = GATE_WORSE;
        say(g, "it costs more and is no better");
    } else {
        g->end = GATE_UNDECIDED;
        say_more(g);
    }
}

/* The log's rows come by time. */
static bool has_fallen(const struct offlog *log, const double *expect,
                       uint32_t a, struct gate_change *c)
{
    const struct table_arm *arm = &log->t->arms[a];
    struct page_hinkley test;

    page_hinkley_reset(&test, PAGE_HINKLEY_SLACK, PAGE_HINKLEY_LIMIT);
    c->ms = log->n ? log->t->time_ms[0] : 0;
    for (size_t i = 0; i < log->n; i++) {
        if (isnan(arm->score[i]))
            continue;
        (void)page_hinkley_note(&test, expect[i * log->n_arms + a] -
                                           (double)arm->score[i]);
        if (test.excess <= 0 && !test.alarm)
            c->ms = log->t->time_ms[i];
    }
    c->by = page_hinkley_mean(&test);
    c->n = test.n;
    return test.alarm;
}

/* Outcomes of an arm, shadow answers too, that fall short of what the
 * challenger expects: it learnt from what the arm was before. */
static bool find_changed(const struct evidence_policy *p,
                         const struct offlog *log, struct gate *g,
                         struct err *e)
{
    double *expect = calloc(log->n * log->n_arms + 1, sizeof *expect);

    if (!expect)
        return err_set(e, ERR_MEMORY, "no memory for %zu rows", log->n);
    if (!evidence_expect(log, p, expect, e)) {
        free(expect);
        return false;
    }
    for (uint32_t a = 0; a < log->n_arms && !g->changed.arm[0]; a++) {
        const char *name = log->t->arms[a].name;

        if (p->head[a] >= 0 && has_fallen(log, expect, a, &g->changed))
            (void)span_copy(g->changed.arm, sizeof g->changed.arm,
                            span_of(name));
    }
    free(expect);
    return true;
}

/* Alone, the newer rows show it at a lower price only: is that worth having? */
static bool is_worth(const struct gate_ask *ask, const struct gate *g)
{
    return g->given >= GATE_PART * g->price || ask->look >= GATE_PATIENT ||
           ask->look == 0;
}

/* At the price at which it is shown to keep the promise, or as it stands. */
static bool weigh(const struct gate_ask *ask, struct evidence_ask *found,
                  struct gate *g, struct err *e)
{
    double price;

    found->climb = true;
    if (!evidence_compare(found, &g->found, e))
        return false;
    gate_judge(g);
    price = g->found.price;
    if (g->found.pooled && isnan(price)) {
        g->end = GATE_BREAKS;
        say(g, "no price is shown to keep the promise");
        return true;
    }
    if (isnan(price) || fabs(price - g->price) <= 1e-9 * fabs(price))
        return true;
    g->given = price;
    if (g->found.pooled || (gate_passes(g) && is_worth(ask, g)))
        return true;
    g->given = NAN;
    found->climb = false;
    if (!evidence_compare(found, &g->found, e))
        return false;
    gate_judge(g);
    return true;
}

/* Without a price it gives everything to the reference: who waits for that to
 * look better meanwhile tries no other. */
static void give_up_reference(const struct evidence_policy *fresh,
                              struct gate *g)
{
    if (g->end != GATE_UNDECIDED || !isnan(fresh->price) || fresh->floor)
        return;
    g->end = GATE_WORSE;
    say(g, "it promises nothing yet, and the reference alone is not shown to "
           "be better than what runs");
}

double gate_confidence(double confidence, unsigned look)
{
    double chance = 1 - confidence;

    if (look == 0)
        return confidence;
    if (look == 1)
        return 1 - GATE_FIRST * chance;
    return 1 - ldexp((1 - GATE_FIRST) * chance, 1 - (int)look);
}

static bool judge_rows(const struct gate_ask *ask, struct offlog *log,
                       struct gate *out, struct err *e)
{
    struct evidence_policy old, fresh;
    struct guarantee_ladder ladder;
    struct evidence_ask found = {
        .log = log,
        .old = &old,
        .fresh = &fresh,
        .confidence = gate_confidence(ask->set->confidence, ask->look),
        .cost_confidence = GATE_COST};

    cycle_plans_expect(ask->set, ask->fresh, log);
    cycle_policy(ask->set, ask->old, log, &old);
    cycle_policy(ask->set, ask->fresh, log, &fresh);
    if (ask->old_void)
        old.price = NAN;
    out->price = fresh.price;
    found.ladder = cycle_ladder(ask->set, ask->fresh, &ladder) ? &ladder : NULL;
    found.most = ask->look ? INFINITY : fresh.price;
    if (!leave_out_begun(ask, log, e))
        return false;
    for (size_t i = 0; i < log->n; i++) {
        out->rows += !isnan(log->spent[i]);
        out->labelled += !isnan(log->score[i]);
    }
    if (!weigh(ask, &found, out, e) || !find_changed(&fresh, log, out, e))
        return false;
    give_up_reference(&fresh, out);
    return true;
}

bool gate_run(const struct gate_ask *ask, struct gate *out, struct err *e)
{
    struct dataset_options rows = {.since_ms = ask->since_ms,
                                   .until_ms = ask->until_ms,
                                   .route = ask->set->route,
                                   .skip_bad = true};
    struct offlog log;
    struct err little;
    bool ok;

    *out = (struct gate){.more = NAN, .price = NAN, .given = NAN};
    if (!offlog_load(&log, ask->set->log, &rows, &little)) {
        if (little.kind != ERR_INPUT) {
            *e = little;
            return false;
        }
        out->end = GATE_LITTLE;
        snprintf(out->why, sizeof out->why, "too little to judge by: %.300s",
                 little.msg);
        return true;
    }
    ok = judge_rows(ask, &log, out, e);
    offlog_free(&log);
    return ok;
}

static void figure_json(struct buf *b, const char *name,
                        const struct evidence_figure *f)
{
    buf_printf(b, ",\"%s\":{\"value\":", name);
    buf_json_num(b, f->value);
    buf_str(b, ",\"lo\":");
    buf_json_num(b, f->lo);
    buf_str(b, ",\"hi\":");
    buf_json_num(b, f->hi);
    buf_printf(b,
               ",\"n\":%zu,\"full\":%zu,\"learnt\":%zu,\"differ\":%zu,"
               "\"matched\":%zu}",
               f->n, f->full, f->learnt, f->differ, f->matched);
}

void gate_json(const struct gate *g, struct buf *out)
{
    const struct evidence *f = &g->found;
    const struct {
        const char *name;
        double value;
    } means[] = {{"old_quality", f->old_quality},
                 {"new_quality", f->new_quality},
                 {"old_cost", f->old_cost},
                 {"new_cost", f->new_cost},
                 {"more", g->more},
                 {"price", g->price},
                 {"given", g->given}};

    buf_printf(out, ",\"verdict\":\"%s\",\"rows\":%zu,\"labelled\":%zu",
               names[g->end], g->rows, g->labelled);
    if (!f->promise.n && !f->cost.n)
        return;
    figure_json(out, "promise", &f->promise);
    figure_json(out, "kept", &f->kept);
    figure_json(out, "quality", &f->quality);
    figure_json(out, "cost_usd", &f->cost);
    for (size_t i = 0; i < sizeof means / sizeof means[0]; i++) {
        buf_printf(out, ",\"%s\":", means[i].name);
        buf_json_num(out, means[i].value);
    }
}
