/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/contest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/dataset.h"
#include "trainer/plan.h"
#include "trainer/plan_seen.h"
#include "trainer/pricebook.h"
#include "trainer/wanted.h"

static bool no_memory(struct err *e)
{
    return err_set(e, ERR_MEMORY, "no memory for the arms");
}

/* The names of all arms in some files. */
static bool names_in(const char *const *files, uint32_t n, bool skip_bad,
                     struct names *out, struct err *e)
{
    struct dataset_options opt = {.skip_bad = skip_bad};
    struct dataset_row *row = malloc(sizeof *row);
    int got = row ? 0 : -1;
    if (!row)
        no_memory(e);
    for (uint32_t f = 0; f < n && got == 0; f++) {
        struct dataset *d = dataset_open(files[f], opt, e);
        got = d ? 1 : -1;
        while (got > 0 && (got = dataset_next(d, row, e)) > 0) {
            for (uint32_t i = 0; i < row->n_outcomes && got > 0; i++)
                got = names_add(out, row->outcomes[i].arm, e) ? 1 : -1;
        }
        dataset_close(d);
    }
    free(row);
    return got == 0;
}

/* Mean USD of a token where three of four are input. */
static bool blended_price(const struct pricebook *p, const char *model,
                          double *usd)
{
    double in, out;
    if (!p || !pricebook_find(p, span_of(model), &in, &out))
        return false;
    *usd = .75 * in + .25 * out;
    return *usd > 0;
}

/* The known model of the nearest price that is not an arm itself; -1. */
static int nearest(const struct pricebook *p, const char *model,
                   const struct names *known, const struct names *arms)
{
    double want, usd, least = INFINITY;
    int best = -1;
    if (!blended_price(p, model, &want))
        return -1;
    for (uint32_t i = 0; i < known->n; i++) {
        if (names_have(arms, span_of(known->at[i])) ||
            !blended_price(p, known->at[i], &usd))
            continue;
        if (fabs(log(usd / want)) < least) {
            least = fabs(log(usd / want));
            best = (int)i;
        }
    }
    return best;
}

static bool stand_in_add(struct contest_set *s, const char *arm, const char *by,
                         struct err *e)
{
    struct stand_in *p = realloc(s->stand_in, (s->n_stand_ins + 1) * sizeof *p);
    if (!p)
        return no_memory(e);
    s->stand_in = p;
    p[s->n_stand_ins] = (struct stand_in){strdup(arm), strdup(by)};
    s->n_stand_ins++;
    return (p[s->n_stand_ins - 1].arm && p[s->n_stand_ins - 1].by) ||
           no_memory(e);
}

/* Replaces each model that the training files lack by its stand-in. */
static bool stand_ins_find(struct contest_set *s,
                           const struct contest_options *o,
                           struct names *models, struct err *e)
{
    struct names known = {0};
    bool ok = names_in(o->train, o->n_train, o->skip_bad, &known, e);
    for (uint32_t i = 0; ok && i < models->n; i++) {
        if (names_have(&known, span_of(models->at[i])))
            continue;
        int by = nearest(o->prices, models->at[i], &known, models);
        if (by < 0)
            ok = err_set(e, ERR_INPUT,
                         "no training row has an outcome of %s, nor of a "
                         "model whose price is known to be near",
                         models->at[i]);
        ok = ok && stand_in_add(s, models->at[i], known.at[by], e);
        if (ok) {
            free(models->at[i]);
            models->at[i] = strdup(known.at[by]);
            ok = models->at[i] || no_memory(e);
        }
    }
    names_free(&known);
    return ok;
}

static struct table *load(const struct contest_options *o,
                          const char *const *files, uint32_t n_files,
                          const struct wanted *w, struct err *e)
{
    struct table_options t = {.files = files,
                              .n_files = n_files,
                              .tiers = o->tiers,
                              .prices = o->prices,
                              .skip_bad = o->skip_bad,
                              .task_hint = o->task_hint,
                              .keep_duplicates = o->keep_duplicates,
                              .progress = o->progress,
                              .ctx = o->ctx};
    wanted_options(w, &t);
    return table_load(&t, e);
}

/* A stand-in's rows under the name and at the price of the arm. */
static bool stand_in_rename(struct table *train, const struct table *test,
                            const struct stand_in *s, struct err *e)
{
    int from = table_find_arm(train, span_of(s->by));
    int to = table_find_arm(test, span_of(s->arm));
    if (from < 0 || to < 0)
        return err_set(e, ERR_INPUT, "no rows of %s for %s", s->by, s->arm);
    struct table_arm *a = &train->arms[from];
    free(a->name);
    a->name = strdup(s->arm);
    a->price_in = test->arms[to].price_in;
    a->price_out = test->arms[to].price_out;
    for (size_t i = 0; i < train->n; i++) {
        double in = isnan(a->input_tokens[i]) ? (double)train->est_input[i]
                                              : (double)a->input_tokens[i];
        if (!isnan(a->cost[i]))
            a->cost[i] = (float)(in * a->price_in +
                                 (double)a->output_tokens[i] * a->price_out);
    }
    return a->name || no_memory(e);
}

static bool is_priced(const struct table *t, uint32_t arm)
{
    for (size_t i = 0; i < t->n; i++) {
        if (!isnan(t->arms[arm].cost[i]))
            return true;
    }
    return false;
}

static bool contender_set(struct contest_set *s, struct span name,
                          struct contender *k, struct err *e)
{
    struct table *train = s->train ? s->train : s->test;
    const struct table_plan *plan;
    uint32_t index;
    if (plan_form_is(name)) {
        k->is_plan = true;
        if (!plan_add(s->test, name, &index, e) ||
            (s->train && !plan_add(s->train, name, &index, e)))
            return false;
        k->plan = train->plans[index];
        k->arm = k->plan.arm;
    } else {
        int at = table_find_arm(s->test, name);
        if (at < 0)
            return err_set(e, ERR_INPUT, "no row has an outcome of arm %.*s",
                           SPAN_ARGS(name));
        k->arm = (uint32_t)at;
        plan = table_plan_of(train, k->arm);
        k->is_plan = plan != NULL;
        if (plan)
            k->plan = *plan;
    }
    s->contest.priced = s->contest.priced && is_priced(s->test, k->arm) &&
                        is_priced(train, k->arm);
    return true;
}

/* All models of the table as a list; (owned: caller). */
static char *all_arms(const struct table *t)
{
    size_t n = 1, at = 0;
    for (uint32_t a = 0; a < t->n_arms; a++)
        n += strlen(t->arms[a].name) + 1;
    char *list = calloc(n, 1);
    for (uint32_t a = 0; list && a < t->n_arms; a++) {
        if (!table_may_choose(t, a))
            continue;
        at += (size_t)snprintf(list + at, n - at, "%s%s", at ? "," : "",
                               t->arms[a].name);
    }
    return list;
}

static bool contenders_set(struct contest_set *s, const char *arms,
                           struct err *e)
{
    struct span list;
    s->names = arms ? strdup(arms) : all_arms(s->test);
    if (!s->names)
        return no_memory(e);
    for (list = span_of(s->names); list.ptr; s->contest.n_arms++)
        plan_form_cut(&list);
    if (2 * s->contest.n_arms > CLASSIFIER_ARMS_MAX)
        return err_set(e, ERR_LIMIT, "wanted at most %d arms, found %u",
                       CLASSIFIER_ARMS_MAX / 2, s->contest.n_arms);
    s->arm = calloc(s->contest.n_arms, sizeof *s->arm);
    if (!s->arm)
        return no_memory(e);
    s->contest.priced = true;
    s->contest.arm = s->arm;
    list = span_of(s->names);
    for (uint32_t a = 0; a < s->contest.n_arms; a++) {
        if (!contender_set(s, plan_form_cut(&list), &s->arm[a], e))
            return false;
    }
    /* Only now do the tables' arms stay where they are. */
    for (uint32_t a = 0; a < s->contest.n_arms; a++)
        s->arm[a].name = s->test->arms[s->arm[a].arm].name;
    s->contest.test = s->test;
    s->contest.train = s->train ? s->train : s->test;
    return true;
}

bool contest_over(struct contest_set *s, struct table *train,
                  struct table *test, const char *arms, struct err *e)
{
    *s = (struct contest_set){.test = test,
                              .train = train == test ? NULL : train};
    if (contenders_set(s, arms, e))
        return true;
    s->test = s->train = NULL; /* the caller's still */
    contest_free(s);
    return false;
}

static bool tables_load(struct contest_set *s, const struct contest_options *o,
                        struct wanted *w, struct err *e)
{
    bool ok;

    s->test = load(o, o->data, o->n_data, w, e);
    ok = s->test != NULL;
    for (uint32_t a = 0; ok && !w->models.n && a < s->test->n_arms; a++)
        if (table_may_choose(s->test, a))
            ok = names_add(&w->models, span_of(s->test->arms[a].name), e);
    if (!ok || !o->n_train)
        return ok && (w->plans.n || plan_seen_add(s->test, e));
    ok = o->tiers || stand_ins_find(s, o, &w->models, e);
    if (ok)
        s->train = load(o, o->train, o->n_train, w, e);
    ok = ok && s->train;
    for (uint32_t i = 0; ok && i < s->n_stand_ins; i++)
        ok = stand_in_rename(s->train, s->test, &s->stand_in[i], e);
    return ok;
}

bool contest_load(struct contest_set *s, const struct contest_options *o,
                  struct err *e)
{
    struct wanted w;
    *s = (struct contest_set){0};
    bool ok = wanted_parse(&w, o->arms, e) && tables_load(s, o, &w, e) &&
              contenders_set(s, o->arms, e);
    wanted_free(&w);
    if (!ok)
        contest_free(s);
    return ok;
}

void contest_free(struct contest_set *s)
{
    for (uint32_t i = 0; i < s->n_stand_ins; i++) {
        free(s->stand_in[i].arm);
        free(s->stand_in[i].by);
    }
    free(s->stand_in);
    free(s->arm);
    free(s->names);
    table_free(s->train);
    table_free(s->test);
    *s = (struct contest_set){0};
}
