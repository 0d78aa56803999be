/* SPDX-License-Identifier: Apache-2.0 */
/* Dataset files -> table: features, keys, costs, tiers. */
#include "trainer/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "datasets/dataset.h"
#include "features/features.h"
#include "trainer/filehash.h"
#include "trainer/plan_seen.h"
#include "trainer/pricebook.h"
#include "trainer/signals.h"
#include "trainer/table_group.h"
#include "trainer/tiers.h"

enum {
    LOAD_ARENA = 64 << 20,
    SEEN_MAX = 64, /* arms' names kept for a message */
    MISSING_OUTPUT = 1,
};

struct loader {
    const struct table_options *o;
    struct table *t;
    struct features_scratch *scratch; /* (owned) */
    struct vec *vec;                  /* (owned) */
    struct arena arena;               /* of one row */
    struct table_outcome outcomes[DATASET_OUTCOMES_MAX];
    uint32_t n_outcomes;
    double mean_score; /* of all the row's labelled outcomes; NAN */
    struct span other; /* (borrowed: row) plan of other members, left out */
    uint32_t merged[DATASET_OUTCOMES_MAX][4]; /* tiers: numbers in a mean */
    char *seen[SEEN_MAX]; /* (owned) arms that were not wanted */
    unsigned n_seen;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t both[2] = {a, b};

    return span_hash((struct span){(const char *)both, sizeof both}, 1);
}

static void seen_add(struct loader *l, struct span name)
{
    for (unsigned i = 0; i < l->n_seen; i++)
        if (span_is(name, l->seen[i]))
            return;
    if (l->n_seen == SEEN_MAX)
        return;
    l->seen[l->n_seen] = strndup(name.ptr, name.len);
    if (l->seen[l->n_seen])
        l->n_seen++;
}

/* The arm an outcome counts for: a tier or the arm of its name; -1: none. */
static bool arm_of(struct loader *l, struct span name, int *arm, struct err *e)
{
    if (l->o->tiers) {
        int tier = tiers_of(l->o->tiers, name);
        if (tier >= 0)
            name = span_of(tiers_name(l->o->tiers, (uint32_t)tier));
        *arm = tier < 0 ? -1 : table_find_arm(l->t, name);
        if (*arm < 0)
            seen_add(l, name);
        return true;
    }
    *arm = table_find_arm(l->t, name);
    if (*arm >= 0)
        return true;
    if (l->o->n_arms) {
        seen_add(l, name);
        return true;
    }
    if (l->t->n_arms == CLASSIFIER_ARMS_MAX)
        return err_set(e, ERR_LIMIT,
                       "more than %d arms in the data (%.*s is one more): "
                       "choose with --arms",
                       CLASSIFIER_ARMS_MAX, SPAN_ARGS(name));
    *arm = table_add_arm(l->t, name, e);
    return *arm >= 0;
}

/* Cost as given, else tokens times price; what is missing is assumed. */
static void outcome_price(struct loader *l, const struct outcome *o,
                          double est_input, struct table_outcome *out)
{
    double in = isnan(o->input_tokens) ? est_input : o->input_tokens;
    double usd_in, usd_out;

    if (isnan(o->output_tokens) && !isnan(o->score))
        l->t->arms[out->arm].assumed_tokens++;
    if (!isnan(o->cost_usd) || !l->o->prices ||
        !pricebook_find(l->o->prices, o->arm, &usd_in, &usd_out))
        return;
    /* The token head has to learn the same number as the cost is made of. */
    if (isnan(o->output_tokens))
        out->output_tokens = MISSING_OUTPUT;
    out->cost_usd = in * usd_in + out->output_tokens * usd_out;
}

static void mean_in(double *mean, double value, uint32_t *n)
{
    if (isnan(value))
        return;
    *mean = *n ? *mean + (value - *mean) / (*n + 1) : value;
    ++*n;
}

/* A further model of a tier that the row has already. */
static void outcome_merge(struct loader *l, uint32_t at,
                          const struct table_outcome *x)
{
    struct table_outcome *o = &l->outcomes[at];
    uint32_t *n = l->merged[at];

    if (!isnan(x->score)) /* of several the one that is trusted least */
        o->confidence =
            n[0] ? fmin(o->confidence, x->confidence) : x->confidence;
    o->second = o->second || x->second;
    o->has_beside = false;
    mean_in(&o->score, x->score, &n[0]);
    mean_in(&o->cost_usd, x->cost_usd, &n[1]);
    mean_in(&o->input_tokens, x->input_tokens, &n[2]);
    mean_in(&o->output_tokens, x->output_tokens, &n[3]);
    o->answer = 0;
}

static void outcome_put(struct loader *l, const struct table_outcome *x)
{
    uint32_t i = 0;

    while (i < l->n_outcomes && l->outcomes[i].arm != x->arm)
        i++;
    if (i < l->n_outcomes) {
        if (l->o->tiers)
            outcome_merge(l, i, x);
        return;
    }
    l->outcomes[i] = *x;
    l->merged[i][0] = !isnan(x->score);
    l->merged[i][1] = !isnan(x->cost_usd);
    l->merged[i][2] = !isnan(x->input_tokens);
    l->merged[i][3] = !isnan(x->output_tokens);
    l->n_outcomes++;
}

/* Is this the "escalates" of a plan whose outcome was left out? */
static bool left_out(const struct loader *l, struct span arm)
{
    size_t mark = sizeof PLAN_FORM_ESCALATES - 1;

    return l->other.len && plan_form_is_escalates(arm) &&
           span_eq(l->other, (struct span){arm.ptr + mark, arm.len - mark});
}

/* *arm: where the outcome counts; -1: nowhere. */
static bool outcome_place(struct loader *l, const struct outcome *o, int *arm,
                          struct err *e)
{
    bool other = false;

    *arm = -1;
    if (o->plan.len && !plan_seen_note(l->t, o->arm, o->plan, &other, e))
        return false;
    if (other)
        l->other = o->arm;
    return other || left_out(l, o->arm) || arm_of(l, o->arm, arm, e);
}

static void soft_score(const struct loader *l, const struct outcome *o,
                       struct table_outcome *x)
{
    double soft = l->o->signals ? signals_score(l->o->signals, o) : NAN;

    x->has_soft = !isnan(soft);
    x->soft = soft;
}

static bool outcomes_take(struct loader *l, const struct dataset_row *row,
                          double est_input, struct err *e)
{
    uint32_t labelled = 0;

    l->n_outcomes = 0;
    l->mean_score = NAN;
    l->other = (struct span){NULL, 0};
    for (uint32_t i = 0; i < row->n_outcomes; i++) {
        const struct outcome *o = &row->outcomes[i];
        struct table_outcome x = {
            .score = o->score,
            /* 0 is a word too */
            .confidence = o->confidence == 0 ? 1e-9 : o->confidence,
            .input_tokens = o->input_tokens,
            .output_tokens = o->output_tokens,
            .cost_usd = o->cost_usd,
            .propensity = o->propensity,
            .latency_ms = o->latency_ms,
            .second = !outcome_is_gold(o),
            .has_beside = !isnan(o->beside),
            .beside = o->beside,
        };
        int arm;
        if (!plan_form_is_escalates(o->arm))
            mean_in(&l->mean_score, o->score, &labelled);
        if (!outcome_place(l, o, &arm, e))
            return false;
        if (arm < 0)
            continue;
        x.arm = (uint32_t)arm;
        if (o->answer.len && !row->from_log)
            x.answer = (uint32_t)span_hash(o->answer, 2) | 1;
        soft_score(l, o, &x);
        outcome_price(l, o, est_input, &x);
        outcome_put(l, &x);
    }
    return true;
}

/* Key and group of a row with text; see the head of table.h. */
static void keys_of(const struct dataset_row *row, const struct facts *f,
                    size_t n_messages, struct table_new_row *out)
{
    uint64_t session = f->session_hash;

    if (row->session.len)
        session = span_hash(row->session, 3);
    out->key = mix(f->stem_hash, f->system_hash);
    if (f->turns > 1 || row->session.len)
        out->key = mix(mix(out->key, session), n_messages);
    out->group = f->stem_hash;
    if (f->turns <= 1)
        out->question[0] = f->stem_hash;
    if (f->turns > 1 || row->session.len)
        out->group = session;
}

static void keys_of_features(const struct dataset_row *row,
                             struct table_new_row *out)
{
    out->key = span_hash(row->features, 4);
    out->group = out->key;
    if (row->session.len)
        out->group = span_hash(row->session, 3);
}

static bool row_features(struct loader *l, const struct dataset_row *row,
                         struct table_new_row *out, struct err *e)
{
    struct request r;
    struct facts f;

    if (!row->messages.len) {
        keys_of_features(row, out);
        out->est_input = row->est_input;
        for (uint32_t i = 0; isnan(row->est_input) && i < row->n_outcomes; i++)
            out->est_input = fmax(out->est_input, /* NAN gives way */
                                  row->outcomes[i].input_tokens);
        if (isnan(out->est_input))
            out->est_input = 0;
        if (!vec_unpack(row->features, l->vec, e))
            return false;
        out->question[1] = table_question(l->vec);
        return true;
    }
    arena_reset(&l->arena);
    if (!request_from_parts(
            (struct request_pieces){row->messages, row->tools, row->params},
            &l->arena, &r, e))
        return false;
    if (l->o->task_hint)
        r.task = row->task;
    features_extract(&r, l->scratch, l->vec, &f);
    keys_of(row, &f, r.n_messages, out);
    out->question[1] = table_question(l->vec);
    out->est_input = f.input_tokens;
    return true;
}

static bool row_take(struct loader *l, const struct dataset_row *row,
                     struct err *e)
{
    struct table_new_row x = {.vec = l->vec,
                              .time_ms = row->time_ms,
                              .task = row->task,
                              .mean_score = &l->mean_score,
                              .outcomes = l->outcomes};

    if (!row_features(l, row, &x, e)) {
        if (e->kind == ERR_MEMORY || !l->o->skip_bad)
            return false;
        if (!l->t->bad_rows++)
            span_copy(l->t->first_bad, sizeof l->t->first_bad, span_of(e->msg));
        return true;
    }
    if (l->o->keep_duplicates) {
        x.key = 0;
        x.group = mix(l->t->n, 5);
        memset(x.question, 0, sizeof x.question);
    }
    if (!outcomes_take(l, row, x.est_input, e))
        return false;
    x.n_outcomes = l->n_outcomes;
    if (!x.n_outcomes) {
        l->t->unused++;
        return true;
    }
    l->t->files[l->t->n_files - 1].rows++;
    l->t->files[l->t->n_files - 1].is_log = row->from_log;
    return table_add(l->t, &x, e);
}

static void progress_say(struct loader *l, const struct dataset *d)
{
    uint64_t read, size;

    if (!l->o->progress)
        return;
    dataset_progress(d, &read, &size);
    if (size)
        l->o->progress(l->o->ctx,
                       (l->t->n_files - 1 + (double)read / (double)size) /
                           l->o->n_files);
}

static void read_count(struct table *t, const struct dataset *d)
{
    const char *first;
    uint64_t n = dataset_bad(d, &first);

    if (n && !t->bad_rows)
        span_copy(t->first_bad, sizeof t->first_bad, span_of(first));
    t->bad_rows += n;
    t->contradictory += dataset_contradictory(d);
}

/* Reads all rows of one file. */
static bool file_rows(struct loader *l, const char *path, struct err *e)
{
    struct dataset_options opt = {.skip_bad = l->o->skip_bad,
                                  .until_ms = l->o->until_ms};
    struct dataset *d = dataset_open(path, opt, e);
    struct dataset_row *row = malloc(sizeof *row);
    uint64_t n = 0;
    int got = -1;

    if (!d || !row)
        goto out;
    while ((got = dataset_next(d, row, e)) > 0) {
        if (!row_take(l, row, e)) {
            err_wrap(e, "%s: row %llu", path, (unsigned long long)row->line);
            got = -1;
            break;
        }
        if (n++ % 256 == 0)
            progress_say(l, d);
    }
    read_count(l->t, d);
out:
    free(row);
    dataset_close(d);
    return got == 0;
}

static bool file_take(struct loader *l, const char *path, struct err *e)
{
    struct table *t = l->t;
    struct table_file *files =
        realloc(t->files, (t->n_files + 1) * sizeof *files);

    if (!files)
        return err_set(e, ERR_MEMORY, "no memory");
    t->files = files;
    files[t->n_files] = (struct table_file){.path = strdup(path)};
    if (!files[t->n_files].path)
        return err_set(e, ERR_MEMORY, "no memory");
    t->n_files++;
    if (strcmp(path, "-") != 0 && !filehash(path, files[t->n_files - 1].sha256))
        return err_sys(e, "%s", path);
    return file_rows(l, path, e);
}

static bool arms_name(struct table *t, const char *const *arms, uint32_t n,
                      struct err *e)
{
    for (uint32_t i = 0; i < n; i++) {
        if (table_find_arm(t, span_of(arms[i])) >= 0)
            return err_set(e, ERR_USAGE, "arm %s is named twice", arms[i]);
        if (table_add_arm(t, span_of(arms[i]), e) < 0)
            return false;
    }
    return true;
}

static bool arms_set(struct loader *l, struct err *e)
{
    const struct table_options *o = l->o;

    if (!arms_name(l->t, o->arms, o->n_arms, e) ||
        !arms_name(l->t, o->welcome, o->n_welcome, e))
        return false;
    for (uint32_t i = 0; i < o->n_plans; i++)
        if (!plan_seen_fix(l->t, span_of(o->plans[i]), e))
            return false;
    for (uint32_t i = 0; o->tiers && !o->n_arms && i < tiers_count(o->tiers);
         i++)
        if (table_add_arm(l->t, span_of(tiers_name(o->tiers, i)), e) < 0)
            return false;
    if (l->t->n_arms > CLASSIFIER_ARMS_MAX)
        return err_set(e, ERR_LIMIT, "wanted at most %d arms, found %u",
                       CLASSIFIER_ARMS_MAX, l->t->n_arms);
    return true;
}

/* What the files hold instead. */
static void others_text(const struct loader *l, char *dst, size_t size)
{
    size_t at = 0;

    for (unsigned i = 0; i < l->n_seen && at < size / 2; i++)
        at += (size_t)snprintf(dst + at, size - at, "%s%s",
                               i ? ", " : "; others there: ", l->seen[i]);
    if (l->t->bad_rows && at < size)
        snprintf(dst + at, size - at,
                 "; %llu malformed rows were left out, the first: %s",
                 (unsigned long long)l->t->bad_rows, l->t->first_bad);
}

/* Every wanted arm must have been seen; else say what the files hold. */
static bool arms_check(struct loader *l, struct err *e)
{
    char have[600] = "";

    for (uint32_t a = 0; a < l->t->n_arms; a++) {
        const struct table_arm *arm = &l->t->arms[a];
        bool may_lack = a >= l->o->n_arms && a < l->o->n_arms + l->o->n_welcome;
        size_t row = 0;
        while (!may_lack && row < l->t->n && isnan(arm->score[row]) &&
               isnan(arm->cost[row]) && isnan(arm->output_tokens[row]))
            row++;
        if (may_lack || row < l->t->n)
            continue;
        others_text(l, have, sizeof have);
        return err_set(e, ERR_INPUT, "no row has an outcome of arm %s%s",
                       arm->name, have);
    }
    others_text(l, have, sizeof have);
    if (!l->t->n_arms || !l->t->n)
        return err_set(e, ERR_INPUT, "no row with an outcome in the data%s",
                       have);
    return true;
}

static void prices_note(struct loader *l)
{
    for (uint32_t a = 0; l->o->prices && a < l->t->n_arms; a++) {
        struct table_arm *arm = &l->t->arms[a];
        if (!pricebook_find(l->o->prices, span_of(arm->name), &arm->price_in,
                            &arm->price_out))
            arm->price_in = arm->price_out = NAN;
    }
}

struct table *table_load(const struct table_options *o, struct err *e)
{
    struct loader *l = calloc(1, sizeof *l);
    struct table *t = NULL;
    bool ok = false;

    if (!l) {
        err_set(e, ERR_MEMORY, "no memory for reading data");
        return NULL;
    }
    l->o = o;
    arena_init(&l->arena, LOAD_ARENA);
    l->t = table_new(e);
    l->scratch = features_scratch_new();
    l->vec = malloc(sizeof *l->vec);
    if (!l->t || !l->scratch || !l->vec) {
        err_set(e, ERR_MEMORY, "no memory for reading data");
        goto out;
    }
    ok = arms_set(l, e);
    for (uint32_t i = 0; ok && i < o->n_files; i++)
        ok = file_take(l, o->files[i], e);
    ok = ok && arms_check(l, e) && table_group(l->t, e);
    if (ok)
        prices_note(l);
out:
    t = l->t;
    for (unsigned i = 0; i < l->n_seen; i++)
        free(l->seen[i]);
    features_scratch_free(l->scratch);
    free(l->vec);
    arena_free(&l->arena);
    free(l);
    if (!ok) {
        table_free(t);
        return NULL;
    }
    return t;
}
