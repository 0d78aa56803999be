/* SPDX-License-Identifier: Apache-2.0 */
/* The table's storage: columns that grow together, and the index of keys. */
#include "trainer/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trainer/plan_seen.h"

enum { ROWS_FIRST = 256, TERMS_FIRST = 1 << 15 };

/* Open addressing from a row's key to the row + 1; at most half full. */
struct table_index {
    size_t size, used;
    uint64_t *key;
    uint32_t *row; /* 0: free */
};

static bool no_memory(struct err *e)
{
    return err_set(e, ERR_MEMORY, "no memory for the table of rows");
}

static bool grow(void *array, size_t n, size_t each, struct err *e)
{
    void **at = array;
    void *p;

    if (n > SIZE_MAX / each)
        return no_memory(e);
    p = realloc(*at, n * each);
    if (!p)
        return no_memory(e);
    *at = p;
    return true;
}

static void fill_nan(float *at, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        at[i] = NAN;
}

static bool arm_grow(struct table_arm *a, size_t from, size_t cap,
                     struct err *e)
{
    if (!grow(&a->score, cap, sizeof(float), e) ||
        !grow(&a->trust, cap, sizeof(float), e) ||
        !grow(&a->soft, cap, sizeof(float), e) ||
        !grow(&a->second, cap, 1, e) ||
        !grow(&a->beside, cap, sizeof(float), e) ||
        !grow(&a->cost, cap, sizeof(float), e) ||
        !grow(&a->input_tokens, cap, sizeof(float), e) ||
        !grow(&a->output_tokens, cap, sizeof(float), e) ||
        !grow(&a->propensity, cap, sizeof(float), e) ||
        !grow(&a->latency_ms, cap, sizeof(float), e) ||
        !grow(&a->answer, cap, sizeof(uint32_t), e))
        return false;
    fill_nan(a->score, from, cap);
    fill_nan(a->trust, from, cap);
    fill_nan(a->soft, from, cap);
    fill_nan(a->beside, from, cap);
    memset(a->second + from, 0, cap - from);
    fill_nan(a->cost, from, cap);
    fill_nan(a->input_tokens, from, cap);
    fill_nan(a->output_tokens, from, cap);
    fill_nan(a->propensity, from, cap);
    fill_nan(a->latency_ms, from, cap);
    memset(a->answer + from, 0, (cap - from) * sizeof(uint32_t));
    return true;
}

static bool rows_grow(struct table *t, struct err *e)
{
    size_t cap = t->cap ? t->cap * 2 : ROWS_FIRST;

    if (!grow(&t->task, cap, sizeof *t->task, e) ||
        !grow(&t->group, cap, sizeof *t->group, e) ||
        !grow(&t->session, cap, sizeof *t->session, e) ||
        !grow(&t->question, cap, sizeof *t->question * TABLE_QUESTIONS, e) ||
        !grow(&t->time_ms, cap, sizeof *t->time_ms, e) ||
        !grow(&t->start, cap + 1, sizeof *t->start, e) ||
        !grow(&t->n_words, cap, sizeof *t->n_words, e) ||
        !grow(&t->est_input, cap, sizeof *t->est_input, e) ||
        !grow(&t->mean_score, cap, sizeof *t->mean_score, e))
        return false;
    if (t->n_dense && !grow(&t->dense, cap * t->n_dense, sizeof(float), e))
        return false;
    for (uint32_t a = 0; a < t->n_arms; a++)
        if (!arm_grow(&t->arms[a], t->cap, cap, e))
            return false;
    if (t->cap == 0)
        t->start[0] = 0;
    t->cap = cap;
    return true;
}

static uint32_t *index_at(const struct table_index *x, uint64_t key)
{
    size_t i = (size_t)(key * 0x9e3779b97f4a7c15u >> 20) & (x->size - 1);

    while (x->row[i] && x->key[i] != key)
        i = (i + 1) & (x->size - 1);
    x->key[i] = key;
    return &x->row[i];
}

static bool index_grow(struct table_index *x, struct err *e)
{
    struct table_index old = *x;

    x->size = old.size ? old.size * 2 : 1024;
    x->key = calloc(x->size, sizeof *x->key);
    x->row = calloc(x->size, sizeof *x->row);
    if (!x->key || !x->row) {
        free(x->key);
        free(x->row);
        *x = old;
        return no_memory(e);
    }
    for (size_t i = 0; i < old.size; i++)
        if (old.row[i])
            *index_at(x, old.key[i]) = old.row[i];
    free(old.key);
    free(old.row);
    return true;
}

struct table *table_new(struct err *e)
{
    struct table *t = calloc(1, sizeof *t);

    if (t)
        t->index = calloc(1, sizeof *t->index);
    if (!t || !t->index) {
        free(t);
        no_memory(e);
        return NULL;
    }
    return t;
}

static void arm_free(struct table_arm *arm)
{
    free(arm->name);
    free(arm->score);
    free(arm->trust);
    free(arm->soft);
    free(arm->second);
    free(arm->beside);
    free(arm->cost);
    free(arm->input_tokens);
    free(arm->output_tokens);
    free(arm->propensity);
    free(arm->latency_ms);
    free(arm->answer);
}

void table_free(struct table *t)
{
    if (!t)
        return;
    for (uint32_t a = 0; a < t->n_arms; a++)
        arm_free(&t->arms[a]);
    for (uint32_t i = 0; i < t->n_tasks; i++)
        free(t->tasks[i]);
    for (uint32_t i = 0; i < t->n_files; i++)
        free(t->files[i].path);
    free(t->index->key);
    free(t->index->row);
    free(t->index);
    free(t->arms);
    free(t->plans);
    plan_seen_free(t);
    free(t->tasks);
    free(t->files);
    free(t->task);
    free(t->group);
    free(t->session);
    free(t->question);
    free(t->time_ms);
    free(t->start);
    free(t->n_words);
    free(t->terms);
    free(t->dense);
    free(t->est_input);
    free(t->mean_score);
    free(t);
}

int table_find_arm(const struct table *t, struct span name)
{
    for (uint32_t a = 0; a < t->n_arms; a++)
        if (span_is(name, t->arms[a].name))
            return (int)a;
    return -1;
}

const struct table_plan *table_plan_of(const struct table *t, uint32_t arm)
{
    for (uint32_t i = 0; i < t->n_plans; i++)
        if (t->plans[i].arm == arm)
            return &t->plans[i];
    return NULL;
}

float table_trust(const struct table *t, uint32_t arm, size_t row)
{
    float trust = t->arms[arm].trust[row];

    return isnan(trust) ? 1 : trust;
}

bool table_may_choose(const struct table *t, uint32_t arm)
{
    return t->arms[arm].role == TABLE_CHOICE;
}

int table_add_arm(struct table *t, struct span name, struct err *e)
{
    struct table_arm *arm;

    if (!grow(&t->arms, t->n_arms + 1, sizeof *t->arms, e))
        return -1;
    arm = &t->arms[t->n_arms];
    *arm = (struct table_arm){.price_in = NAN, .price_out = NAN};
    if (plan_form_is_escalates(name))
        arm->role = TABLE_ESCALATES;
    t->n_arms++;
    arm->name = strndup(name.ptr ? name.ptr : "", name.len);
    if (!arm->name || (t->cap && !arm_grow(arm, 0, t->cap, e))) {
        no_memory(e);
        return -1;
    }
    return (int)t->n_arms - 1;
}

static bool task_of(struct table *t, struct span name, uint32_t *out,
                    struct err *e)
{
    *out = TABLE_NO_TASK;
    if (!name.len)
        return true;
    for (uint32_t i = 0; i < t->n_tasks; i++)
        if (span_is(name, t->tasks[i])) {
            *out = i;
            return true;
        }
    if (!grow(&t->tasks, t->n_tasks + 1, sizeof *t->tasks, e))
        return false;
    t->tasks[t->n_tasks] = strndup(name.ptr, name.len);
    if (!t->tasks[t->n_tasks])
        return no_memory(e);
    *out = t->n_tasks++;
    return true;
}

static bool vec_store(struct table *t, const struct vec *v, struct err *e)
{
    size_t at = t->start[t->n], n = (size_t)v->n_words + v->n_marks;

    if (t->n == 0 && t->n_dense == 0 && v->n_dense) {
        t->n_dense = v->n_dense;
        t->features_version = v->version;
        if (!grow(&t->dense, t->cap * t->n_dense, sizeof(float), e))
            return false;
    }
    if (v->n_dense != t->n_dense ||
        (t->n > 0 && v->version != t->features_version))
        return err_set(e, ERR_INPUT,
                       "features of version %u with %u numbers among rows of "
                       "version %u with %u: extract them anew from the text",
                       (unsigned)v->version, (unsigned)v->n_dense,
                       (unsigned)t->features_version, (unsigned)t->n_dense);
    t->features_version = v->version;
    if (at + n > t->terms_cap) {
        size_t cap = t->terms_cap ? t->terms_cap : TERMS_FIRST;
        while (cap < at + n)
            cap += cap / 2;
        if (!grow(&t->terms, cap, sizeof *t->terms, e))
            return false;
        t->terms_cap = cap;
    }
    if (v->n_words)
        memcpy(t->terms + at, v->words, v->n_words * sizeof(struct term));
    if (v->n_marks)
        memcpy(t->terms + at + v->n_words, v->marks,
               v->n_marks * sizeof(struct term));
    if (t->n_dense)
        memcpy(t->dense + t->n * t->n_dense, v->dense,
               t->n_dense * sizeof(float));
    t->n_words[t->n] = v->n_words;
    t->start[t->n + 1] = at + n;
    return true;
}

static void outcome_store(struct table *t, size_t row,
                          const struct table_outcome *o)
{
    struct table_arm *arm = &t->arms[o->arm];
    bool known = !isnan(arm->score[row]);

    if (known && fabs(o->score - (double)arm->score[row]) > .5)
        t->contradictory++;
    if (known || (isnan(o->score) && !isnan(arm->cost[row])))
        return;
    if (!isnan(o->score))
        arm->n_scores++;
    if (o->has_soft && isnan(o->score)) {
        t->soft++;
        arm->soft[row] = (float)o->soft;
    }
    arm->score[row] = (float)o->score;
    arm->second[row] = o->second && !isnan(o->score);
    if (o->has_beside)
        arm->beside[row] = (float)o->beside;
    arm->trust[row] = o->confidence > 0 ? (float)o->confidence : NAN;
    arm->cost[row] = (float)o->cost_usd;
    arm->input_tokens[row] = (float)o->input_tokens;
    arm->output_tokens[row] = (float)o->output_tokens;
    arm->propensity[row] = (float)o->propensity;
    arm->latency_ms[row] = o->latency_ms > 0 ? (float)o->latency_ms : NAN;
    arm->answer[row] = o->answer;
}

static double mean_score(const struct table_new_row *r)
{
    double sum = 0, n = 0;

    if (r->mean_score)
        return *r->mean_score;
    for (uint32_t i = 0; i < r->n_outcomes; i++)
        if (!isnan(r->outcomes[i].score)) {
            sum += r->outcomes[i].score;
            n++;
        }
    return n > 0 ? sum / n : NAN;
}

bool table_add(struct table *t, const struct table_new_row *r, struct err *e)
{
    uint32_t *slot = NULL;
    size_t row = t->n;

    if (t->n == UINT32_MAX / 2 - 1) /* groups take two numbers for each */
        return err_set(e, ERR_LIMIT, "more than 2 billion rows");
    if (t->index->used * 2 >= t->index->size && !index_grow(t->index, e))
        return false;
    if (t->n == t->cap && !rows_grow(t, e))
        return false;
    if (r->key)
        slot = index_at(t->index, r->key);
    if (slot && *slot) {
        row = *slot - 1;
        t->duplicates++;
    } else {
        if (!task_of(t, r->task, &t->task[row], e) || !vec_store(t, r->vec, e))
            return false;
        t->group[row] = t->session[row] = r->group;
        memcpy(t->question + row * TABLE_QUESTIONS, r->question,
               sizeof r->question);
        t->time_ms[row] = r->time_ms;
        t->est_input[row] = (float)r->est_input;
        t->mean_score[row] = (float)mean_score(r);
        t->n++;
        t->index->used++;
        if (slot)
            *slot = (uint32_t)t->n;
    }
    for (uint32_t i = 0; i < r->n_outcomes; i++)
        outcome_store(t, row, &r->outcomes[i]);
    return true;
}

struct weights_input table_row(const struct table *t, size_t row)
{
    /* Without a single term in all rows there is no array. */
    const struct term *at = t->terms ? t->terms + t->start[row] : NULL;

    return (struct weights_input){
        .words = at,
        .marks = at ? at + t->n_words[row] : NULL,
        .dense = t->n_dense ? t->dense + row * t->n_dense : NULL,
        .n_words = t->n_words[row],
        .n_marks =
            (uint32_t)(t->start[row + 1] - t->start[row]) - t->n_words[row],
        .n_dense = t->n_dense,
    };
}

size_t table_bytes(const struct table *t)
{
    size_t row = sizeof *t->task + (2 + TABLE_QUESTIONS) * sizeof *t->group +
                 sizeof *t->time_ms + sizeof *t->start + sizeof *t->n_words +
                 2 * sizeof *t->est_input + t->n_dense * sizeof(float);
    size_t arm = 9 * sizeof(float) + sizeof(uint32_t) + 1;

    return t->cap * (row + t->n_arms * arm) + t->terms_cap * sizeof *t->terms +
           t->index->size * (sizeof(uint64_t) + sizeof(uint32_t));
}
