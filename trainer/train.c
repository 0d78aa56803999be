/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trainer/calibrate.h"
#include "trainer/plan_seen.h"
#include "trainer/split.h"

/* Quality targets that the card holds a price for. */
static const double targets[] = {.80, .85, .90, .92, .94, .95,
                                 .96, .97, .98, .99, 1.};
enum { TARGETS = sizeof targets / sizeof *targets };

/* Where each part of the work ends, as a share of its time. */
#define FIRST_FIT .42
#define LAST_FIT .92

struct part {
    const struct train_options *o;
    double from, to;
};

static void part_done(void *ctx, double done)
{
    const struct part *p = ctx;

    p->o->progress(p->o->ctx, p->from + done * (p->to - p->from));
}

static void note(struct training *r, const char *fmt, ...) PRINTF(2, 3);

static void note(struct training *r, const char *fmt, ...)
{
    va_list ap;

    if (r->n_notes == TRAIN_NOTES_MAX)
        return;
    va_start(ap, fmt);
    if (vasprintf(&r->notes[r->n_notes], fmt, ap) >= 0)
        r->n_notes++;
    va_end(ap);
}

static struct fitted *fit_part(const struct table *t, const uint32_t *rows,
                               size_t n, struct part *p, struct err *e)
{
    struct fit_options o = {.seed = p->o->seed,
                            .threads = p->o->threads,
                            .bits = p->o->bits,
                            .min_rows = p->o->min_rows,
                            .ordered = p->o->ordered,
                            .progress = p->o->progress ? part_done : NULL,
                            .ctx = p};

    return fit_train(t, rows, n, &o, e);
}

/* The arms that may be chosen; without plans if so wanted. */
static uint64_t choices_of(const struct table *t, bool plans)
{
    uint64_t arms = 0;

    for (uint32_t a = 0; a < t->n_arms; a++)
        if (table_may_choose(t, a) && (plans || !table_plan_of(t, a)))
            arms |= UINT64_C(1) << a;
    return arms;
}

/* The wanted arm, else the best model on these rows. */
static void find_reference(struct training *r, const struct judged *j,
                           const struct train_options *o)
{
    int arm = -1;

    if (o->reference)
        arm = table_find_arm(r->t, span_of(o->reference));
    r->reference =
        arm >= 0 ? (uint32_t)arm : judged_best(j, choices_of(r->t, false));
}

static struct guarantee_ask ask_of(const struct training *r,
                                   const struct train_options *o, double q)
{
    return (struct guarantee_ask){
        .arms = r->choices,
        .reference = r->reference,
        .quality = q,
        .confidence = o->confidence,
        .seed = o->seed,
    };
}

/* How right an arm's head is about the rows kept back. */
static void judge_arm(struct training *r, const struct fitted *f, uint32_t a,
                      const uint32_t *rows, float *p)
{
    float *y = p + r->n_held;
    const struct table_arm *of = &r->t->arms[a];
    struct train_arm *arm = &r->arms[a];
    size_t n = 0, gold = 0;

    for (size_t i = 0; i < r->n_held; i++) {
        gold += !isnan(of->score[rows[i]]) && !of->second[rows[i]];
        arm->labels += !isnan(of->score[rows[i]]);
    }
    arm->gold = gold >= FIT_GOLD_MIN || gold == arm->labels;
    for (size_t i = 0; i < r->n_held; i++) {
        struct prediction out;
        float score = of->score[rows[i]];
        if (isnan(score) || (arm->gold && of->second[rows[i]]))
            continue;
        fit_predict(f, r->t, rows[i], &out);
        p[n] = out.quality[a];
        y[n++] = score;
    }
    arm->ece = calibrate_ece(p, y, n);
    arm->log_loss = calibrate_log_loss(p, y, n);
}

/* Price from the rows learnt from, figures from the rows kept back. */
static bool judge_held(struct training *r, const struct fitted *f,
                       const uint32_t *rows, const struct train_options *o,
                       struct err *e)
{
    struct judged learnt = {.gold = &r->gold}, kept = learnt;
    struct guarantee_level level;
    struct guarantee_ask ask;
    float *room = malloc((2 * r->n_held + 1) * sizeof *room);
    bool ok = room != NULL;

    if (!ok)
        err_set(e, ERR_MEMORY, "no memory to judge %zu rows", r->n_held);
    ok = ok && judge_own(&learnt, f, e) &&
         judge_rows(&kept, f, rows + r->n_train, r->n_held, e);
    if (ok)
        find_reference(r, &learnt, o);
    for (uint32_t a = 0; ok && a < r->t->n_arms; a++) {
        judge_arm(r, f, a, rows + r->n_train, room);
        r->arms[a].score = judged_score(&kept, a);
        r->arms[a].cost = judged_spent(&kept, a);
    }
    ask = ask_of(r, o, o->quality);
    ok = ok && guarantee_find(&learnt.rows, &ask, &level, e);
    if (ok && level.valid && kept.rows.n >= TRAIN_HELD_MIN) {
        ok = guarantee_measure(&kept.rows, &ask, level.price, &r->on_held, e);
        r->on_held.valid = true;
    }
    free(room);
    judged_free(&learnt);
    judged_free(&kept);
    return ok;
}

/* rows: room for all of them. */
static bool hold_and_judge(struct training *r, const struct split *s,
                           uint32_t *rows, const struct train_options *o,
                           struct err *e)
{
    struct part p = {o, 0, FIRST_FIT};
    struct fitted *f;
    bool ok;

    if (!split_holdout(s, TRAIN_HOLDOUT, rows, &r->n_train, e))
        return false;
    r->n_held = s->n - r->n_train;
    r->by_time = split_by_time(s);
    r->held = r->n_held >= TRAIN_HELD_MIN && r->n_train >= TRAIN_HELD_MIN;
    if (!r->held)
        return true;
    f = fit_part(r->t, rows, r->n_train, &p, e);
    ok = f && judge_held(r, f, rows, o, e);
    fit_free(f);
    return ok;
}

/* Levels over these arms. */
static bool levels_among(struct training *r, uint64_t arms,
                         const struct judged *j, const struct train_options *o,
                         struct err *e)
{
    bool own = true; /* the asked quality is none of the usual targets */

    for (int k = 0; k < TARGETS; k++)
        own = own && fabs(targets[k] - o->quality) > 1e-9;
    for (int k = 0; k < TARGETS + own; k++) {
        double q = k < TARGETS ? targets[k] : o->quality;
        struct guarantee_ask ask = ask_of(r, o, q);
        ask.arms = arms;
        r->qualities[r->n_levels] = q;
        r->among[r->n_levels] = arms;
        if (!guarantee_find(&j->rows, &ask, &r->levels[r->n_levels], e))
            return false;
        r->n_levels++;
    }
    return true;
}

/* Over all choices; where there are plans also over the models alone, for a
 * route without plans. */
static bool levels_find(struct training *r, const struct judged *j,
                        const struct train_options *o, struct err *e)
{
    uint64_t models = choices_of(r->t, false);

    if (!levels_among(r, r->choices, j, o, e))
        return false;
    return models == r->choices || !(models >> r->reference & 1) ||
           levels_among(r, models, j, o, e);
}

/* Where the rows that say nothing about policies, those of a log, are of
 * another mix than those that the levels were found on, the promise would be
 * about the wrong traffic. */
static void compare_mixes(struct training *r, const struct judged *j)
{
    enum mix_kind most;
    double far = mix_distance(&j->mix, &j->rest, &most);

    r->mix = j->mix;
    r->domain = j->domain;
    r->input_tokens = j->input_tokens;
    for (uint32_t a = 0; a < r->t->n_arms; a++) {
        r->output_tokens[a] = j->output_tokens[a];
        r->usd[a] = judged_cost(j, a);
        r->escalates[a] = NAN;
    }
    for (uint32_t k = 0; k < r->t->n_plans; k++)
        r->escalates[r->t->plans[k].arm] =
            judged_quality(j, r->t->plans[k].escalates);
    r->voided = far > MIX_MOST;
    if (!r->voided)
        return;
    for (uint32_t k = 0; k < r->n_levels; k++)
        r->levels[k].valid = false;
    note(
        r,
        "No promise holds: the %zu rows with the outcomes of all arms are of "
        "another mix than the %zu others (%s: PSI %.2f, at most %.2f wanted).  "
        "Have some hundred of the present requests answered by every arm and "
        "train again.",
        j->rows.n, j->left_out, mix_kind_name(most), far, MIX_MOST);
}

/* Nothing is to be added to where the promise would be about the wrong
 * traffic. */
static bool ladder_make(struct training *r, const struct judged *j,
                        const struct train_options *o, struct err *e)
{
    const struct guarantee_ask ask = ask_of(r, o, o->quality);

    return !o->ladder || r->voided ||
           guarantee_ladder_make(&j->rows, &ask, &r->ladder, e);
}

static const struct guarantee_level *level_at(const struct training *r,
                                              double q)
{
    for (uint32_t k = 0; k < r->n_levels; k++)
        if (fabs(r->qualities[k] - q) < 1e-9)
            return &r->levels[k];
    return NULL;
}

/* Is there one arm that does as well as routing? */
static void advise(struct training *r, const struct judged *j,
                   const struct train_options *o)
{
    const struct guarantee_level *level = level_at(r, o->quality);
    struct guarantee_ask ask;
    uint32_t fixed;
    double saving, whole = judged_spent(j, r->reference);
    const char *name;

    r->use_fixed = -1;
    ask = ask_of(r, o, o->quality);
    if (!j->rows.n || r->t->n_arms < 2 || r->voided)
        return;
    fixed = judged_fixed(j, &ask);
    name = r->t->arms[fixed].name;
    saving = whole > 0 ? 1 - judged_spent(j, fixed) / whole : 0;
    if (level && level->valid && level->lo > saving)
        return;
    r->use_fixed = (int)fixed;
    if (fixed == r->reference)
        note(r,
             "No price was found that saves money at %.0f %% of %s's quality "
             "with %.0f %% confidence: use %s for everything, or accept less "
             "quality.",
             100 * o->quality, name, 100 * o->confidence, name);
    else
        note(r,
             "Routing does not beat the fixed arm %s with confidence: it "
             "keeps %.0f %% of %s's quality and saves %.1f %%.  Use %s for "
             "everything.",
             name, 100 * o->quality, r->t->arms[r->reference].name,
             100 * saving, name);
}

static void notes_on_arms(struct training *r)
{
    for (uint32_t a = 0; a < r->t->n_arms; a++) {
        const struct table_arm *arm = &r->t->arms[a];
        const struct fit_arm *f = fit_arm(r->fit, a);
        size_t priced = 0;
        if (arm->role == TABLE_ESCALATES)
            continue;
        for (size_t i = 0; i < r->t->n; i++)
            priced += !isnan(arm->cost[i]);
        if (!f->labels)
            note(r, "%s has no label: it is taken for average.", arm->name);
        else if (f->constant)
            note(r,
                 "%s has too few or too equal labels (%zu) for a head: its "
                 "quality is that of its tasks' means.",
                 arm->name, f->labels);
        if (!priced)
            note(r,
                 "%s has neither costs nor a known price: name its price "
                 "with --prices to get levels.",
                 arm->name);
        else if (arm->assumed_tokens)
            note(r,
                 "%s: %zu rows do not say their output tokens; 1 was assumed, "
                 "so costs are lower bounds.",
                 arm->name, arm->assumed_tokens);
    }
}

/* Whose labels promises rest on. */
static void notes_on_labels(struct training *r)
{
    const struct gold *g = &r->gold;

    if (g->golden == g->complete || r->t->n_arms < 2)
        return;
    if (g->kind == GOLD_ALONE)
        note(r,
             "Promises rest on the %zu rows with feedback or benchmarks on all "
             "arms alone; %zu others, with a judge's labels, teach heads.",
             g->golden, g->complete - g->golden);
    else if (g->kind == GOLD_MEASURED)
        note(r,
             "Promises rest on a judge's labels in %zu of %zu rows, each taken "
             "for as wrong as feedback on the same answers leaves possible.",
             g->complete - g->golden, g->complete);
    else
        note(r,
             "Promises rest on a judge's labels as they stand in %zu of %zu "
             "rows: too few answers have feedback too, %d of each arm would "
             "say what such a label is worth.",
             g->complete - g->golden, g->complete, GOLD_PAIRS);
}

static void notes_on_rows(struct training *r, const struct judged *j)
{
    const struct table *t = r->t;

    if (t->bad_rows)
        note(r, "%llu malformed rows were left out; the first: %s",
             (unsigned long long)t->bad_rows, t->first_bad);
    if (t->duplicates)
        note(r, "%llu rows ask what an earlier row asks and were merged.",
             (unsigned long long)t->duplicates);
    if (t->again)
        note(r,
             "%llu rows ask what an earlier one of another conversation asks: "
             "each question counts once in promises.",
             (unsigned long long)t->again);
    if (t->contradictory)
        note(r,
             "%llu labels contradict each other: of one request in a log the "
             "newest counts, of rows that ask the same the first.",
             (unsigned long long)t->contradictory);
    if (j->left_out && t->n_arms > 1)
        note(r,
             "%zu rows lack a score or cost of some arm and say nothing about "
             "policies.",
             j->left_out);
    if (r->n_levels && r->levels[0].groups < GUARANTEE_MIN)
        note(r,
             "%zu conversations with the outcomes of all arms; a promise "
             "takes %d.  Until then the server should use the reference arm "
             "or an explicit floor.",
             r->levels[0].groups, GUARANTEE_MIN);
    if (!r->held)
        note(r, "Too few rows to keep some back: nothing here is measured on "
                "unseen rows but by cross-fitting.");
    if (!fit_held_out(r->fit))
        note(r, "All rows are one conversation: predictions could not be "
                "checked on rows that were not learnt from.");
}

static void notes_on_plans(struct training *r)
{
    for (uint32_t i = 0; i < r->t->n_seen; i++) {
        const struct plan_seen *p = &r->t->seen[i];
        if (table_find_arm(r->t, span_of(p->name)) < 0)
            continue;
        if (plan_seen_incomplete(p))
            note(r,
                 "%s was never seen to ask its last member, so it has no "
                 "expected cost: name its members with --arms.",
                 p->name);
        if (p->others)
            note(r,
                 "%s: %llu outcomes were left out, by other members than it "
                 "has now.",
                 p->name, (unsigned long long)p->others);
    }
}

static bool fit_all(struct training *r, const uint32_t *rows, size_t n,
                    const struct train_options *o, struct err *e)
{
    struct part p = {o, r->held ? FIRST_FIT : 0, LAST_FIT};
    struct judged j = {.gold = &r->gold};
    bool ok;

    r->fit = fit_part(r->t, rows, n, &p, e);
    ok = r->fit && judge_own(&j, r->fit, e);
    if (ok && !r->held)
        find_reference(r, &j, o);
    ok = ok && levels_find(r, &j, o, e);
    if (ok)
        compare_mixes(r, &j);
    ok = ok && ladder_make(r, &j, o, e);
    if (ok) {
        r->n_judged = j.rows.n;
        notes_on_rows(r, &j);
        notes_on_labels(r);
        notes_on_arms(r);
        notes_on_plans(r);
        advise(r, &j, o);
    }
    judged_free(&j);
    return ok;
}

/* Is there anything to tell arms or requests apart by? */
static bool worth_learning(const struct table *t, struct err *e)
{
    float low = INFINITY, high = -INFINITY;

    if (t->n < 2)
        return err_set(e, ERR_INPUT,
                       "wanted at least two different requests, found %zu "
                       "(%llu others ask the same)",
                       t->n, (unsigned long long)t->duplicates);
    for (uint32_t a = 0; a < t->n_arms; a++)
        for (size_t i = 0; t->arms[a].role != TABLE_ESCALATES && i < t->n; i++)
            if (!isnan(t->arms[a].score[i])) {
                low = fminf(low, t->arms[a].score[i]);
                high = fmaxf(high, t->arms[a].score[i]);
            }
    if (low > high)
        return err_set(e, ERR_INPUT,
                       "wanted labels, found none: nothing says which answers "
                       "were adequate");
    return low < high ||
           err_set(e, ERR_INPUT,
                   "wanted labels of two classes, found %g for every answer "
                   "of every arm: nothing can be learnt from that",
                   (double)low);
}

static bool reference_check(const struct table *t,
                            const struct train_options *o, struct err *e)
{
    int arm = o->reference ? table_find_arm(t, span_of(o->reference)) : 0;

    return !o->reference || (arm >= 0 && table_may_choose(t, (uint32_t)arm)) ||
           err_set(e, ERR_USAGE,
                   "--reference: wanted one of the arms, found '%s'",
                   o->reference);
}

bool train_run(struct training *r, const struct table *t,
               const struct train_options *o, struct err *e)
{
    uint32_t *rows = malloc((t->n + 1) * sizeof *rows);
    uint32_t *order = malloc((t->n + 1) * sizeof *order);
    const struct split s = {t, rows, t->n, o->seed};
    bool ok = rows && order;

    *r = (struct training){
        .t = t, .use_fixed = -1, .choices = choices_of(t, true)};
    for (uint32_t a = 0; a < CLASSIFIER_ARMS_MAX; a++)
        r->arms[a] = (struct train_arm){NAN, NAN, NAN, NAN, 0, true};
    if (!ok)
        err_set(e, ERR_MEMORY, "no memory for %zu rows", t->n);
    ok = ok && worth_learning(t, e) && reference_check(t, o, e) &&
         gold_find(t, o->confidence, &r->gold, e);
    for (size_t i = 0; ok && i < t->n; i++)
        rows[i] = (uint32_t)i;
    ok = ok && hold_and_judge(r, &s, order, o, e) &&
         fit_all(r, rows, t->n, o, e);
    free(rows);
    free(order);
    if (!ok)
        training_free(r);
    return ok;
}

void training_free(struct training *r)
{
    fit_free(r->fit);
    acceptance_free(&r->acceptance);
    for (uint32_t i = 0; i < r->n_notes; i++)
        free(r->notes[i]);
    *r = (struct training){0};
}
