/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/signals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trainer/fit.h"

/* Labelled answers, all columns side by side. */
struct gold {
    struct signals *s;
    size_t cap;
    double *x, *y;   /* (owned) [cap * LOGIT_MAX], [cap] */
    double *weight;  /* (owned) [cap] confidence in the label */
    uint64_t *group; /* (owned) [cap] */
};

static bool is_gold(const struct outcome *o)
{
    return !isnan(o->score) &&
           (span_is(o->source, "feedback") || span_is(o->source, "judge") ||
            span_is(o->source, "benchmark"));
}

/* A name's place in a list of n; n: it is not there. */
static unsigned place_of(const char *list, unsigned n, struct span name)
{
    for (unsigned i = 0; i < n; i++)
        if (span_is(name, list + (size_t)i * SIGNALS_NAME_MAX))
            return i;
    return n;
}

/* The same, made where it is new; max: there is no room. */
static unsigned place_made(char (*list)[SIGNALS_NAME_MAX], unsigned *n,
                           unsigned max, struct span name)
{
    unsigned at = place_of(list[0], *n, name);

    if (at < *n)
        return at;
    if (*n == max || name.len == 0 || name.len >= SIGNALS_NAME_MAX)
        return max;
    span_copy(list[*n], SIGNALS_NAME_MAX, name);
    return (*n)++;
}

/* Signals stand behind all arms there may be, so columns never move. */
static double *shown_at(double *x, unsigned signal)
{
    return x + SIGNALS_ARMS_MAX + signal;
}

static bool gold_grow(struct gold *g, struct err *e)
{
    size_t cap = g->cap ? 2 * g->cap : 256;
    double *x, *y, *weight;
    uint64_t *group;

    if (g->s->gold < g->cap)
        return true;
    x = realloc(g->x, cap * LOGIT_MAX * sizeof *x);
    g->x = x ? x : g->x;
    y = realloc(g->y, cap * sizeof *y);
    g->y = y ? y : g->y;
    weight = realloc(g->weight, cap * sizeof *weight);
    g->weight = weight ? weight : g->weight;
    group = realloc(g->group, cap * sizeof *group);
    g->group = group ? group : g->group;
    if (!x || !y || !weight || !group)
        return err_set(e, ERR_MEMORY, "no memory for labelled signals");
    g->cap = cap;
    return true;
}

static bool gold_take(struct gold *g, const struct dataset_row *row,
                      const struct outcome *o, struct err *e)
{
    struct signals *s = g->s;
    struct span rest = o->signals;
    unsigned arm;
    double *x;

    if (!o->signals_known || !is_gold(o))
        return true;
    if (!gold_grow(g, e))
        return false;
    x = g->x + s->gold * LOGIT_MAX;
    memset(x, 0, LOGIT_MAX * sizeof *x);
    arm = place_made(s->arm, &s->n_arms, SIGNALS_ARMS_MAX, o->arm);
    if (arm < SIGNALS_ARMS_MAX)
        x[arm] = 1;
    while (rest.len) {
        unsigned at = place_made(s->name, &s->n_names, SIGNALS_NAMES_MAX,
                                 span_trim(span_cut(&rest, ',')));
        if (at < SIGNALS_NAMES_MAX)
            *shown_at(x, at) = 1;
    }
    s->shown += o->signals.len > 0;
    g->y[s->gold] = o->score;
    g->weight[s->gold] = isnan(o->confidence) ? 1 : o->confidence;
    g->group[s->gold++] =
        span_hash(row->session.len ? row->session : row->id, 3);
    return true;
}

static bool file_take(struct gold *g, const char *path, struct err *e)
{
    struct dataset_options opt = {.skip_bad = true}; /* counted elsewhere */
    struct dataset_row *row = malloc(sizeof *row);
    struct dataset *d = row ? dataset_open(path, opt, e) : NULL;
    int got = -1;

    if (!row)
        err_set(e, ERR_MEMORY, "no memory for a row");
    while (d && (got = dataset_next(d, row, e)) > 0)
        for (uint32_t i = 0; i < row->n_outcomes && got > 0; i++)
            if (!gold_take(g, row, &row->outcomes[i], e))
                got = -1;
    dataset_close(d);
    free(row);
    return got == 0;
}

static bool fit(struct gold *g, uint32_t seed, struct err *e)
{
    struct signals *s = g->s;
    struct logit_rows rows = {.n = s->gold,
                              .k = LOGIT_MAX,
                              .base_k = SIGNALS_ARMS_MAX,
                              .x = g->x,
                              .y = g->y,
                              .weight = g->weight,
                              .group = g->group};

    if (s->gold < SIGNALS_GOLD_MIN || s->n_names == 0)
        return true;
    logit_fit(&rows, &s->fit);
    if (!logit_check(&rows, seed, &s->check, e))
        return false;
    s->good = s->check.base - s->check.loss > s->check.error;
    return true;
}

bool signals_learn(struct signals *s, const char *const *files,
                   uint32_t n_files, uint32_t seed, struct err *e)
{
    struct gold g = {.s = s};
    bool ok = true;

    *s = (struct signals){0};
    for (uint32_t i = 0; ok && i < n_files; i++)
        if (dataset_is_log(files[i]))
            ok = file_take(&g, files[i], e);
    ok = ok && fit(&g, seed, e);
    free(g.x);
    free(g.y);
    free(g.weight);
    free(g.group);
    return ok;
}

double signals_score(const struct signals *s, const struct outcome *o)
{
    struct span rest = o->signals;
    double x[LOGIT_MAX] = {0};
    unsigned at;

    if (!s->good || !o->signals_known || !isnan(o->score))
        return NAN;
    at = place_of(s->arm[0], s->n_arms, o->arm);
    if (at < s->n_arms)
        x[at] = 1;
    while (rest.len) {
        at = place_of(s->name[0], s->n_names, span_trim(span_cut(&rest, ',')));
        if (at < s->n_names)
            *shown_at(x, at) = 1;
    }
    return logit_p(&s->fit, x);
}

static double logit_of(double p)
{
    p = fmax(.01, fmin(p, .99));
    return log(p / (1 - p));
}

static double mean_score(const struct table_arm *a, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += isnan(a->score[i]) ? 0 : (double)a->score[i];
    return a->n_scores ? sum / (double)a->n_scores : .5;
}

static void join_arm(struct table *t, uint32_t arm, const struct fitted *f)
{
    struct table_arm *a = &t->arms[arm];
    double mean = logit_of(mean_score(a, t->n));
    struct prediction p;

    for (size_t i = 0; i < t->n; i++) {
        double at;
        if (isnan(a->soft[i]))
            continue;
        fit_predict(f, t, (uint32_t)i, &p);
        at = logit_of((double)a->soft[i]) - mean +
             logit_of((double)p.quality[arm]);
        a->soft[i] = (float)(1 / (1 + exp(-at)));
    }
}

bool signals_join(struct table *t, uint32_t seed, unsigned threads,
                  struct err *e)
{
    const struct fit_options how = {.seed = seed, .threads = threads};
    uint32_t *rows = malloc((t->n + 1) * sizeof *rows);
    uint64_t soft = t->soft;
    struct fitted *f;

    if (!rows)
        return err_set(e, ERR_MEMORY, "no memory for %zu rows", t->n);
    for (size_t i = 0; i < t->n; i++)
        rows[i] = (uint32_t)i;
    t->soft = 0; /* the fit is to know scores alone */
    f = fit_train(t, rows, t->n, &how, e);
    t->soft = soft;
    for (uint32_t a = 0; f && a < t->n_arms; a++)
        join_arm(t, a, f);
    fit_free(f);
    free(rows);
    return f != NULL;
}

void signals_text(const struct signals *s, struct buf *out)
{
    if (s->shown == 0)
        return;
    buf_printf(out, "Signals: %zu labelled answers, %zu of them with one",
               s->gold, s->shown);
    if (s->gold < SIGNALS_GOLD_MIN)
        buf_printf(out, "; weights take %d.  They are evidence only.\n",
                   SIGNALS_GOLD_MIN);
    else
        buf_printf(out,
                   "; cross-validated log loss %.4f, by the arms' means "
                   "%.4f: %s.\n",
                   s->check.loss, s->check.base,
                   s->good ? "answers without a label get soft scores"
                           : "no better, they are evidence only");
}
