/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/cycle_gate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "datasets/log_rows.h"
#include "models/page_hinkley.h"
#include "trainer/cycle_plans.h"

static const char *const names[GATE_ENDS] = {
    "cheaper", "better", "little", "undecided", "breaks", "worse", "same"};

const char *gate_end_name(enum gate_end end)
{
    return end < GATE_ENDS ? names[end] : "?";
}

/* ---- what the router would do ---- */

static int head_of(const struct classifier *c, const struct cycle_arm *arm)
{
    const char *slash = arm->upstream ? strrchr(arm->upstream, '/') : NULL;
    const char *const list[] = {arm->name, arm->upstream,
                                slash ? slash + 1 : NULL, arm->tier};
    int head = -1;

    for (size_t i = 0; head < 0 && i < sizeof list / sizeof list[0]; i++)
        if (list[i])
            head = classifier_find_arm(c, span_of(list[i]));
    return head;
}

/* Those that it may choose of: a plan that it does not know it never does. */
static uint32_t arms_known(const struct cycle_config *set,
                           const struct classifier *c)
{
    uint32_t n = 0;

    for (uint32_t a = 0; a < set->n_arms; a++)
        n += !set->arms[a].plan || head_of(c, &set->arms[a]) >= 0;
    return n;
}

/* A level speaks of exactly these arms, so many. */
static bool level_fits(const struct cycle_config *set, uint32_t n,
                       const struct json *level)
{
    struct json arms = json_get(level, "arms");
    struct json reference = json_get(level, "reference");
    struct json_iter it = json_begin(&arms);
    struct json name;
    uint32_t found = 0;

    while (arms.type == JSON_ARRAY && json_next(&it, NULL, &name)) {
        uint32_t a = 0;

        while (a < set->n_arms && !json_is(&name, set->arms[a].name))
            a++;
        if (a == set->n_arms)
            return false;
        found++;
    }
    return found == n && json_is(&reference, set->reference);
}

static void find_level(const struct cycle_config *set, const struct json *card,
                       struct evidence_policy *out)
{
    uint32_t n = arms_known(set, out->classifier);
    struct json levels = json_get(card, "levels"), level;
    struct json_iter it = json_begin(&levels);
    double least = INFINITY;

    while (levels.type == JSON_ARRAY && json_next(&it, NULL, &level)) {
        struct json valid = json_get(&level, "valid");
        struct json quality = json_get(&level, "quality");
        struct json price = json_get(&level, "price");
        double q, p;

        if (!json_true(&valid) || !json_double(&quality, &q) ||
            !json_double(&price, &p) || q < set->quality - 1e-9 || q >= least ||
            !level_fits(set, n, &level))
            continue;
        least = q;
        out->price = p;
    }
}

/* As the router's read_prices() (router/route/levels.c): after a change of
 * prices the same requests go to the same arms. */
static void find_scale(const struct cycle_config *set, const struct json *card,
                       const struct cycle_arm *arm, double *scale, double *base)
{
    struct json basis = json_get(card, "basis");
    struct json arms = json_get(&basis, "arms");
    struct json of = json_get(&arms, arm->name);
    struct json value = json_get(&basis, "input_tokens");
    struct json tokens = json_get(&of, "output_tokens");
    struct json cost = json_get(&of, "usd");
    double input, output, usd, in, out, now = NAN;

    if (!json_double(&cost, &usd))
        return;
    if (arm->plan)
        now = cycle_plan_now(set, &basis, arm);
    else if (json_double(&value, &input) && json_double(&tokens, &output) &&
             pricebook_find(set->prices, span_of(arm->name), &in, &out))
        now = input * in + output * out;
    if (isnan(now))
        return;
    *scale = now > 0 ? usd / now : 0;
    *base = now > 0 ? 0 : usd;
}

static bool bound(const struct json *domain, const char *key, float *out)
{
    struct json v = json_get(domain, key);
    double d;

    if (!json_double(&v, &d))
        return false;
    *out = (float)d;
    return true;
}

static void find_domain(const struct json *card, struct domain *d)
{
    struct json basis = json_get(card, "basis");
    struct json of = json_get(&basis, "domain");

    d->known = bound(&of, "unseen", &d->unseen) && bound(&of, "top", &d->top) &&
               bound(&of, "far", &d->far);
}

static const struct cycle_arm *arm_named(const struct cycle_config *set,
                                         const char *name)
{
    for (uint32_t i = 0; i < set->n_arms; i++)
        if (!strcmp(set->arms[i].name, name))
            return &set->arms[i];
    return NULL;
}

void gate_policy(const struct cycle_config *set, const struct classifier *c,
                 const struct offlog *log, struct evidence_policy *out)
{
    struct json card;

    *out = (struct evidence_policy){.classifier = c,
                                    .reference = set->reference,
                                    .quality = set->quality,
                                    .floor = set->unproven == CYCLE_FLOOR,
                                    .price = NAN};
    for (uint32_t a = 0; a < log->n_arms; a++) {
        const struct cycle_arm *arm = arm_named(set, log->t->arms[a].name);

        out->head[a] = c && arm ? head_of(c, arm) : -1;
        out->scale[a] = 1;
    }
    if (!c || !json_parse(classifier_card(c), &card, NULL))
        return;
    find_level(set, &card, out);
    find_domain(&card, &out->domain);
    for (uint32_t a = 0; !isnan(out->price) && a < log->n_arms; a++) {
        const struct cycle_arm *arm = arm_named(set, log->t->arms[a].name);

        if (arm)
            find_scale(set, &card, arm, &out->scale[a], &out->base[a]);
    }
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

static void say_more(struct gate *g)
{
    const struct evidence *f = &g->found;
    double promise = f->promise.lo >= 0 ? 0 : rows_wanted(&f->promise, true);
    double cost = f->cost.hi < 0 ? 0 : rows_wanted(&f->cost, false);
    char more[64] = "it does not look as if more would decide it";

    g->more = fmax(promise, cost) + 0 * (promise + cost);
    if (!isnan(g->more))
        snprintf(more, sizeof more, "some %.0f more requests would decide it",
                 ceil(g->more));
    snprintf(g->why, sizeof g->why,
             "not shown on %zu labelled requests: quality less the promised "
             "%+.4f [%.4f, %.4f], cost %+.3g USD a request [%.3g, %.3g]; %s",
             g->labelled, f->promise.value, f->promise.lo, f->promise.hi,
             f->cost.value, f->cost.lo, f->cost.hi, more);
}

static void say(struct gate *g, const char *what)
{
    const struct evidence *f = &g->found;

    snprintf(g->why, sizeof g->why,
             "%s: on %zu labelled requests quality %.4f (now %.4f), %+.4f "
             "[%.4f, %.4f] above the promise; cost %.3g USD a request (now "
             "%.3g)",
             what, g->labelled, f->new_quality, f->old_quality,
             f->promise.value, f->promise.lo, f->promise.hi, f->new_cost,
             f->old_cost);
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

/* As it stands, or at a lower price: what is not shown to keep the promise
 * yet may be worth having in part. */
static bool weigh(const struct gate_ask *ask, struct evidence_ask *found,
                  struct gate *g, struct err *e)
{
    double part;

    found->climb = true;
    if (!evidence_compare(found, &g->found, e))
        return false;
    gate_judge(g);
    part = g->found.part;
    if (part >= 1 || !(part > 0))
        return true;
    g->lowered = part * found->fresh->price;
    if (gate_passes(g) &&
        (part >= GATE_PART || ask->look >= GATE_PATIENT || ask->look == 0))
        return true;
    g->lowered = NAN;
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
    double k = look;

    return look ? 1 - (1 - confidence) / (k * (k + 1)) : confidence;
}

static bool judge_rows(const struct gate_ask *ask, struct offlog *log,
                       struct gate *out, struct err *e)
{
    struct evidence_policy old, fresh;
    struct evidence_ask found = {
        .log = log,
        .old = &old,
        .fresh = &fresh,
        .confidence = gate_confidence(ask->set->confidence, ask->look)};

    cycle_plans_expect(ask->set, ask->fresh, log);
    gate_policy(ask->set, ask->old, log, &old);
    gate_policy(ask->set, ask->fresh, log, &fresh);
    if (ask->old_void)
        old.price = NAN;
    out->price = fresh.price;
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

    *out = (struct gate){.more = NAN, .price = NAN, .lowered = NAN};
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
    buf_printf(b, ",\"n\":%zu,\"full\":%zu,\"differ\":%zu,\"matched\":%zu}",
               f->n, f->full, f->differ, f->matched);
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
                 {"lowered", g->lowered}};

    buf_printf(out, ",\"verdict\":\"%s\",\"rows\":%zu,\"labelled\":%zu",
               names[g->end], g->rows, g->labelled);
    if (!f->promise.n && !f->cost.n)
        return;
    figure_json(out, "promise", &f->promise);
    figure_json(out, "quality", &f->quality);
    figure_json(out, "cost_usd", &f->cost);
    for (size_t i = 0; i < sizeof means / sizeof means[0]; i++) {
        buf_printf(out, ",\"%s\":", means[i].name);
        buf_json_num(out, means[i].value);
    }
}
