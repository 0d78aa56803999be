/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/cycle_watch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "datasets/log_rows.h"

/* The canary's tests share the chance of a false stop. */
#define STOP_CHANCE .05
/* A request that costs so many times the mean counts as the dearest. */
#define DEAREST 4.

static const char *const names[WATCH_TESTS] = {"quality", "errors", "cost"};

const char *watch_test_name(enum watch_test t)
{
    return t < WATCH_TESTS ? names[t] : "?";
}

/* One thing that was learnt at one time. */
struct event {
    int64_t ms;
    uint64_t order; /* of the row: ties keep the log's order */
    enum { EVENT_SERVED, EVENT_LABEL } kind;
    bool canary, failed;
    uint8_t arm;
    float predicted; /* P(adequate) of the arm; NAN */
    double score, cost;
};

struct reading {
    const struct cycle_config *set;
    const struct cycle_state *state;
    struct watch *w;
    struct event *at; /* (owned) */
    size_t n, cap;
    bool ring[WATCH_NEWEST];
};

static bool push(struct reading *r, struct event v, struct err *e)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 4096;
        struct event *at = realloc(r->at, cap * sizeof *at);

        if (!at)
            return err_set(e, ERR_MEMORY, "no memory for the log's rows");
        r->at = at;
        r->cap = cap;
    }
    r->at[r->n++] = v;
    return true;
}

static float predicted(const struct log_row *row)
{
    struct json list, one;
    struct json_iter it;

    if (!json_parse(row->arms, &list, NULL))
        return NAN;
    it = json_begin(&list);
    while (list.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        struct json name = json_get(&one, "arm");
        struct json quality = json_get(&one, "quality");
        double q;

        if (span_eq(json_inner(&name), row->arm))
            return json_double(&quality, &q) ? (float)q : NAN;
    }
    return NAN;
}

static int arm_of(struct watch *w, struct span name, int64_t from_ms)
{
    uint32_t i = 0;

    while (i < w->n_arms && !span_is(name, w->arms[i].name))
        i++;
    if (i < w->n_arms)
        return (int)i;
    if (i == CLASSIFIER_ARMS_MAX ||
        !span_copy(w->arms[i].name, sizeof w->arms[i].name, name))
        return -1;
    page_hinkley_reset(&w->arms[i].residuals, PAGE_HINKLEY_SLACK,
                       PAGE_HINKLEY_LIMIT);
    w->arms[i].calm_ms = from_ms;
    w->n_arms++;
    return (int)i;
}

/* The client's part is none of the classifier's errors. */
static bool is_failure(const struct log_row *r)
{
    return r->status >= 500 || (r->status == 200 && r->error.len > 0);
}

/* Whoever serves then: the reference, or the floor on predictions. */
static bool is_void(const struct log_row *r)
{
    return span_starts(r->guarantee, "void: drift") ||
           span_is(r->reason, "drifted");
}

static void count(struct reading *r, const struct log_row *row)
{
    struct watch *w = r->w;
    bool has = !isnan(row->score);

    w->first_ms = w->rows ? w->first_ms : row->time_ms;
    w->last_ms = row->time_ms;
    w->rows++;
    w->rows_since += row->time_ms >= r->state->since_ms;
    w->labels += has;
    w->labels_since_cut += has && row->time_ms >= r->state->cut_ms;
    w->new_labels += has && row->label_ms > r->state->last_ms;
}

static bool take(void *ctx, const struct log_row *row, struct err *e)
{
    struct reading *r = ctx;
    const struct cycle_state *s = r->state;
    bool mine = span_is(row->classifier, s->running);
    bool canary =
        s->stage == CYCLE_CANARY && span_is(row->classifier, s->challenger);
    struct event v = {.ms = row->time_ms,
                      .order = r->w->rows,
                      .canary = canary,
                      .failed = is_failure(row),
                      .predicted = NAN,
                      .score = row->score,
                      .cost = row->cost_usd};
    int arm;

    if (!row->arm.len || span_is(row->reason, "cache"))
        return true;
    count(r, row);
    if ((!mine && !canary) ||
        (row->time_ms < s->since_ms && row->time_ms < s->watch_ms &&
         row->label_ms < s->watch_ms))
        return true;
    if (mine)
        r->ring[r->w->served++ % WATCH_NEWEST] = is_void(row);
    if (row->time_ms >= s->since_ms && !push(r, v, e))
        return false;
    arm = arm_of(r->w, row->arm, s->watch_ms);
    if (isnan(row->score) || arm < 0)
        return true;
    v.kind = EVENT_LABEL;
    v.ms = row->label_ms > row->time_ms ? row->label_ms : row->time_ms;
    v.arm = (uint8_t)arm;
    /* What was chosen by chance is no word of the classifier's: an arm better
     * than predicted where it is not chosen must not hide one that is worse
     * where it is. */
    if (!span_is(row->reason, "explored"))
        v.predicted = predicted(row);
    return push(r, v, e);
}

static int by_arrival(const void *a, const void *b)
{
    const struct event *x = a, *y = b;

    if (x->ms != y->ms)
        return x->ms < y->ms ? -1 : 1;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return (int)x->kind - (int)y->kind;
}

static void test(struct watch *w, enum watch_test t, bool canary, double value)
{
    if (sequential_note(&w->tests[t], canary, value) && w->stopped < 0)
        w->stopped = (int)t;
}

/* Costs are bounded by the mean of what served before them. */
static void served(struct reading *r, const struct event *v, double *spent,
                   uint64_t *known)
{
    struct watch *w = r->w;
    double most = *known ? DEAREST * *spent / (double)*known : 0;

    w->served += !v->canary;
    w->canary_served += v->canary;
    test(w, WATCH_ERRORS, v->canary, !v->failed);
    if (isnan(v->cost) || v->failed)
        return;
    if (most > 0)
        test(w, WATCH_COST, v->canary, 1 - v->cost / most);
    if (!v->canary) {
        *spent += v->cost;
        ++*known;
    }
}

static void labelled(struct reading *r, const struct event *v)
{
    struct watch *w = r->w;
    struct watch_arm *arm = &w->arms[v->arm];

    if (v->ms >= r->state->since_ms) {
        test(w, WATCH_QUALITY, v->canary, v->score);
        w->labelled += !v->canary;
        w->score += v->canary ? 0 : v->score;
    }
    if (v->canary || v->ms < r->state->watch_ms || isnan(v->predicted))
        return;
    if (page_hinkley_note(&arm->residuals, (double)v->predicted - v->score))
        arm->alarm_ms = v->ms;
    if (arm->residuals.excess <= 0 && !arm->residuals.alarm)
        arm->calm_ms = v->ms;
}

static void walk(struct reading *r)
{
    double spent = 0;
    uint64_t known = 0;

    if (r->n)
        qsort(r->at, r->n, sizeof *r->at, by_arrival);
    for (size_t i = 0; i < r->n; i++) {
        if (r->at[i].kind == EVENT_SERVED)
            served(r, &r->at[i], &spent, &known);
        else
            labelled(r, &r->at[i]);
    }
}

static void begin(struct reading *r)
{
    /* A canary that is meant to be dearer, being better, is stopped only by
     * costs that are half as high again as the other's. */
    const double margin[WATCH_TESTS] = {[WATCH_QUALITY] = r->set->margin,
                                        [WATCH_ERRORS] = r->set->margin,
                                        [WATCH_COST] = .5 / DEAREST};

    for (int t = 0; t < WATCH_TESTS; t++)
        sequential_begin(&r->w->tests[t], margin[t], STOP_CHANCE / WATCH_TESTS);
}

bool watch_read(const struct cycle_config *set, const struct cycle_state *state,
                struct watch *out, struct err *e)
{
    struct log_range all = {.route = set->route};
    struct reading r = {.set = set, .state = state, .w = out};
    bool ok;

    *out = (struct watch){.stopped = -1};
    begin(&r);
    ok = log_rows_each(set->log, &all, take, &r, e);
    out->newest = out->served < WATCH_NEWEST ? (unsigned)out->served
                                             : (unsigned)WATCH_NEWEST;
    for (unsigned i = 0; i < out->newest; i++)
        out->drifted += r.ring[i];
    out->served = 0;
    if (ok)
        walk(&r);
    free(r.at);
    return ok;
}

const struct watch_arm *watch_alarm(const struct watch *w)
{
    for (uint32_t i = 0; i < w->n_arms; i++)
        if (w->arms[i].residuals.alarm)
            return &w->arms[i];
    return NULL;
}

bool watch_drifted(const struct watch *w)
{
    return w->newest == WATCH_NEWEST && w->drifted > WATCH_NEWEST / 2;
}

/* ---- the cut ---- */

struct times {
    int64_t *at; /* (owned) */
    size_t n, cap;
};

static bool note_time(void *ctx, const struct log_row *row, struct err *e)
{
    struct times *t = ctx;

    if (!row->arm.len || isnan(row->score))
        return true;
    if (t->n == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 4096;
        int64_t *at = realloc(t->at, cap * sizeof *at);

        if (!at)
            return err_set(e, ERR_MEMORY, "no memory for the log's rows");
        t->at = at;
        t->cap = cap;
    }
    t->at[t->n++] = row->time_ms; /* the log is read by time */
    return true;
}

bool watch_cut(const struct cycle_config *set, int64_t since_ms, size_t *n,
               int64_t *cut_ms, struct err *e)
{
    struct log_range range = {.since_ms = since_ms, .route = set->route};
    struct times t = {0};
    bool ok = log_rows_each(set->log, &range, note_time, &t, e);

    *n = t.n;
    *cut_ms = t.n ? t.at[(size_t)((1 - set->held) * (double)(t.n - 1))] : 0;
    free(t.at);
    return ok;
}
