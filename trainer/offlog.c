/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/offlog.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "models/weights.h"
#include "trainer/choices.h"
#include "trainer/table_group.h"

/* One arm of one request. */
struct option {
    uint32_t row, arm;
    float propensity;
    double expected;
};

/* Arms become known row by row, so the matrices are made at the end. */
struct reading {
    struct offlog *l;
    struct option *options; /* (owned) [n] */
    size_t n, cap, rows_cap;
    struct vec vec;
};

void offlog_free(struct offlog *l)
{
    table_free(l->t);
    free(l->id);
    free(l->chosen);
    free(l->propensity);
    free(l->expected);
    free(l->score);
    free(l->spent);
    *l = (struct offlog){0};
}

static bool no_memory(struct err *e)
{
    return err_set(e, ERR_MEMORY, "no memory for the log's rows");
}

static bool grow(void *array, size_t cap, size_t size)
{
    void **at = array, *p = realloc(*at, cap * size);

    if (p)
        *at = p;
    return p != NULL;
}

static bool rows_grow(struct reading *r, struct err *e)
{
    struct offlog *l = r->l;

    if (l->n < r->rows_cap)
        return true;
    r->rows_cap = r->rows_cap ? 2 * r->rows_cap : 1024;
    return (grow(&l->id, r->rows_cap, sizeof *l->id) &&
            grow(&l->chosen, r->rows_cap, sizeof *l->chosen) &&
            grow(&l->score, r->rows_cap, sizeof *l->score) &&
            grow(&l->spent, r->rows_cap, sizeof *l->spent)) ||
           no_memory(e);
}

static bool arm_of(struct offlog *l, struct span name, uint32_t *out,
                   struct err *e)
{
    int arm = table_find_arm(l->t, name);

    if (arm < 0 && l->t->n_arms == CLASSIFIER_ARMS_MAX)
        return err_set(e, ERR_LIMIT,
                       "wanted a log of at most %d arms, found more: give "
                       "--route",
                       CLASSIFIER_ARMS_MAX);
    if (arm < 0)
        arm = table_add_arm(l->t, name, e);
    *out = (uint32_t)arm;
    return arm >= 0;
}

static bool option_add(struct reading *r, struct option o, struct err *e)
{
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 4096;
        if (!grow(&r->options, r->cap, sizeof *r->options))
            return no_memory(e);
    }
    r->options[r->n++] = o;
    return true;
}

static bool options_take(struct reading *r, struct span text, struct err *e)
{
    struct choices list;

    if (!choices_parse(text, &list, e))
        return false;
    for (unsigned i = 0; i < list.n; i++) {
        const struct choice *c = &list.at[i];
        struct option o = {.row = (uint32_t)r->l->n,
                           .propensity = (float)c->propensity,
                           .expected = c->able ? c->cost : NAN};
        if (!(c->propensity >= 0 && c->propensity <= 1))
            return err_set(e, ERR_INPUT,
                           "arms: wanted a propensity of 0 to 1 for each arm");
        if (!arm_of(r->l, c->arm, &o.arm, e) || !option_add(r, o, e))
            return false;
    }
    return true;
}

/* First that of the arm that served, behind it those of shadow answers. */
static bool outcomes_take(struct offlog *l, const struct dataset_row *row,
                          struct table_outcome *out, uint32_t *n, struct err *e)
{
    *n = 0;
    for (uint32_t i = 0; i < row->n_outcomes && *n < CLASSIFIER_ARMS_MAX; i++) {
        const struct outcome *o = &row->outcomes[i];
        struct table_outcome *x = &out[*n];

        /* A plan's "escalates" is no arm, its members' costs no outcomes. */
        if (i > 0 &&
            (isnan(o->score) || o->member || plan_form_is_escalates(o->arm)))
            continue;
        ++*n;
        *x = (struct table_outcome){.score = o->score,
                                    .input_tokens = o->input_tokens,
                                    .output_tokens = o->output_tokens,
                                    .cost_usd = o->cost_usd,
                                    .propensity = o->propensity,
                                    .latency_ms = o->latency_ms};
        if (!arm_of(l, o->arm, &x->arm, e))
            return false;
    }
    return true;
}

static bool row_take(struct reading *r, const struct dataset_row *row,
                     struct err *e)
{
    const struct outcome *o = &row->outcomes[0];
    struct offlog *l = r->l;
    struct table_outcome x[CLASSIFIER_ARMS_MAX];
    struct table_new_row add = {.vec = &r->vec,
                                .time_ms = row->time_ms,
                                .task = row->task,
                                .group = l->n,
                                .est_input = fmax(0, o->input_tokens),
                                .outcomes = x};

    if (!row->features.len || !row->choices.len) {
        l->unused++;
        return true;
    }
    if (row->session.len)
        add.group = span_hash(row->session, 3);
    if (!vec_unpack(row->features, &r->vec, e))
        return false;
    add.question[1] = table_question(&r->vec);
    if (!rows_grow(r, e) || !outcomes_take(l, row, x, &add.n_outcomes, e) ||
        !options_take(r, row->choices, e) || !table_add(l->t, &add, e))
        return false;
    l->id[l->n] = span_hash(row->id, 0);
    l->chosen[l->n] = (uint8_t)x[0].arm;
    l->score[l->n] = o->score;
    l->spent[l->n++] = o->cost_usd;
    return true;
}

static bool matrices(struct reading *r, struct err *e)
{
    struct offlog *l = r->l;
    size_t cells;

    l->n_arms = l->t->n_arms;
    cells = l->n * l->n_arms;
    l->propensity = calloc(cells + 1, sizeof *l->propensity);
    l->expected = malloc((cells + 1) * sizeof *l->expected);
    if (!l->propensity || !l->expected)
        return no_memory(e);
    for (size_t i = 0; i < cells; i++)
        l->expected[i] = NAN;
    for (size_t i = 0; i < r->n; i++) {
        const struct option *o = &r->options[i];
        size_t at = (size_t)o->row * l->n_arms + o->arm;
        l->propensity[at] = o->propensity;
        l->expected[at] = o->expected;
    }
    return true;
}

bool offlog_load(struct offlog *l, const char *path,
                 const struct dataset_options *o, struct err *e)
{
    struct reading *r = calloc(1, sizeof *r);
    struct dataset_row *row = malloc(sizeof *row);
    struct dataset *d = NULL;
    int got = -1;

    *l = (struct offlog){0};
    if (r && row) {
        r->l = l;
        l->t = table_new(e);
        d = l->t ? dataset_open(path, *o, e) : NULL;
    } else {
        no_memory(e);
    }
    while (d && (got = dataset_next(d, row, e)) > 0)
        if (!row_take(r, row, e)) {
            err_wrap(e, "%s: row %llu", path, (unsigned long long)row->line);
            got = -1;
            break;
        }
    if (got == 0 && !l->n) {
        err_set(e, ERR_INPUT,
                "%s: wanted requests with features and the arms they could "
                "have had, found none (%llu without)",
                path, (unsigned long long)l->unused);
        got = -1;
    }
    if (got == 0 && (!table_group(l->t, e) || !matrices(r, e)))
        got = -1;
    dataset_close(d);
    if (r)
        free(r->options);
    free(r);
    free(row);
    if (got != 0)
        offlog_free(l);
    return got == 0;
}
