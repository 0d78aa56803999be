/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/ledger_shadows.h"

#include <math.h>
#include <stdlib.h>

#include "trainer/stretch.h"

struct ledger_shadow {
    uint64_t parent; /* hash of its id */
    double cost, score;
    char arm[64];
};

struct ledger_parent {
    uint64_t id;
    unsigned route;
    size_t row;
};

static bool grow(void *array, size_t *cap, size_t size, struct err *e)
{
    size_t more = *cap ? 2 * *cap : 1024;
    void **at = array, *p = realloc(*at, more * size);

    if (!p)
        return err_set(e, ERR_MEMORY, "no memory for shadow answers");
    *at = p;
    *cap = more;
    return true;
}

static uint64_t hash(struct span id)
{
    return span_hash(id, 5);
}

bool ledger_shadows_note(struct ledger_shadows *s, const struct log_row *row,
                         struct err *e)
{
    struct ledger_shadow x = {hash(row->parent), row->cost_usd, row->score, ""};

    if (row->status != 200 || isnan(row->cost_usd) ||
        !span_copy(x.arm, sizeof x.arm, row->arm))
        return true;
    if (s->n == s->cap && !grow(&s->at, &s->cap, sizeof *s->at, e))
        return false;
    s->at[s->n++] = x;
    return true;
}

bool ledger_shadows_parent(struct ledger_shadows *s, struct span id,
                           const struct ledger *l, unsigned route,
                           struct err *e)
{
    if (s->n_parents == s->cap_parents &&
        !grow(&s->parents, &s->cap_parents, sizeof *s->parents, e))
        return false;
    s->parents[s->n_parents++] =
        (struct ledger_parent){hash(id), route, l->routes[route].n - 1};
    return true;
}

/* ---- outcomes ---- */

static int by_id(const void *a, const void *b)
{
    const struct ledger_parent *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

static void begin(struct ledger_told *t, const struct ledger_route *r,
                  const double *own)
{
    for (size_t i = 0; i < r->n * r->n_arms; i++)
        t->outcome[i] = NAN;
    for (size_t i = 0; i < r->n; i++)
        t->outcome[i * r->n_arms + r->chosen[i]] = own[i];
}

static void put(const struct ledger_shadow *x, struct ledger_route *r,
                size_t row)
{
    size_t at = row * r->n_arms;

    for (unsigned a = 0; a < r->n_arms; a++) {
        if (a == r->chosen[row] || !span_is(r->arms[a], x->arm))
            continue;
        r->told_cost.outcome[at + a] = x->cost;
        r->told_score.outcome[at + a] = x->score;
    }
}

/* ---- chances ---- */

static void give(const struct ledger_route *r, struct ledger_told *t,
                 unsigned a, const struct stretch *s, size_t end)
{
    double rate = stretch_rate(s);

    for (size_t i = s->from; i < end; i++) {
        size_t at = i * r->n_arms + a;
        double p = (double)r->propensity[at];

        t->chance[at] = p + (1 - p) * (r->able[at] ? rate : 0);
    }
}

/* own: [n] of the arm that answered; NAN: a row that does not count. */
static void find_chances(const struct ledger_route *r, struct ledger_told *t,
                         const double *own, unsigned a)
{
    struct stretches s = {0};
    struct stretch rest;

    for (size_t i = 0; i < r->n; i++) {
        size_t at = i * r->n_arms + a;

        if (r->chosen[i] == a || !r->able[at] || isnan(own[i]))
            continue;
        if (stretch_note(&s, i, !isnan(t->outcome[at])))
            give(r, t, a, &s.last, i + 1);
    }
    rest = stretch_rest(&s);
    give(r, t, a, &rest, r->n);
}

void ledger_shadows_tell(struct ledger_shadows *s, struct ledger *l)
{
    for (unsigned k = 0; k < l->n_routes; k++) {
        begin(&l->routes[k].told_cost, &l->routes[k], l->routes[k].cost);
        begin(&l->routes[k].told_score, &l->routes[k], l->routes[k].score);
    }
    if (s->n_parents)
        qsort(s->parents, s->n_parents, sizeof *s->parents, by_id);
    for (size_t i = 0; i < s->n; i++) {
        const struct ledger_parent key = {.id = s->at[i].parent};
        const struct ledger_parent *p =
            s->n_parents ? bsearch(&key, s->parents, s->n_parents,
                                   sizeof *s->parents, by_id)
                         : NULL;

        if (p)
            put(&s->at[i], &l->routes[p->route], p->row);
    }
    for (unsigned k = 0; k < l->n_routes; k++) {
        struct ledger_route *r = &l->routes[k];

        for (unsigned a = 0; a < r->n_arms; a++) {
            find_chances(r, &r->told_cost, r->cost, a);
            find_chances(r, &r->told_score, r->score, a);
        }
    }
}

void ledger_shadows_free(struct ledger_shadows *s)
{
    free(s->at);
    free(s->parents);
    *s = (struct ledger_shadows){0};
}
