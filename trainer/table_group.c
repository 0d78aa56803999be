/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/table_group.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "features/features.h"

enum { SHARE_MOST = 100, QUESTION_SALT = 0x7175 };

/* ---- the question of a vector ---- */

/* Where the extractor counts the user's messages; as many as there are: not
 * at all. */
static unsigned turns_at(void)
{
    unsigned i = 0;

    while (features_dense_name(i) && strcmp(features_dense_name(i), "turns"))
        i++;
    return i;
}

uint64_t table_question(const struct vec *v)
{
    unsigned turns = turns_at();
    uint64_t h;

    if (!v->n_words)
        return 0;
    h = span_hash(
        (struct span){(const char *)v->words, v->n_words * sizeof v->words[0]},
        6);
    /* log2(1 + 1); see features/dense.c */
    if (v->version == FEATURES_VERSION && turns < v->n_dense &&
        v->dense[turns] > 1.01F)
        h = span_hash((struct span){(const char *)v->dense,
                                    v->n_dense * sizeof v->dense[0]},
                      h);
    return h ? h : 1;
}

/* ---- conversations and what joins them ---- */

struct place {
    uint64_t key;
    uint32_t row;
};

/* The rows of one question: places from `first` on. */
struct run {
    size_t first, n;
};

/* Nodes are conversations, then questions that left theirs. */
struct joining {
    struct table *t;
    uint32_t *home;      /* (owned) [n] node of each row */
    uint32_t *parent;    /* (owned) [2 * n] */
    uint32_t *size;      /* (owned) [2 * n] rows of a root */
    uint64_t *label;     /* (owned) [2 * n] */
    struct place *place; /* (owned) [TABLE_QUESTIONS * n] by key, then row */
    struct run *run;     /* (owned) [TABLE_QUESTIONS * n] the rarest first */
    size_t n_places, n_runs;
    uint32_t n_nodes;
    size_t most; /* rows that conversations may join to */
};

static int by_key(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static int by_size(const void *a, const void *b)
{
    const struct run *x = a, *y = b;

    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

static uint32_t root_of(struct joining *j, uint32_t node)
{
    while (j->parent[node] != node) {
        j->parent[node] = j->parent[j->parent[node]];
        node = j->parent[node];
    }
    return node;
}

static uint32_t node_new(struct joining *j, uint64_t label)
{
    uint32_t node = j->n_nodes++;

    j->parent[node] = node;
    j->size[node] = 0;
    j->label[node] = label;
    return node;
}

static void rows_move(struct joining *j, const struct run *r, uint32_t node)
{
    for (size_t i = r->first; i < r->first + r->n; i++) {
        uint32_t row = j->place[i].row;

        j->size[root_of(j, j->home[row])]--;
        j->home[row] = node;
        j->size[node]++;
    }
}

static void conversations(struct joining *j)
{
    size_t n = j->t->n;

    for (size_t i = 0; i < n; i++)
        j->place[i] = (struct place){j->t->session[i], (uint32_t)i};
    qsort(j->place, n, sizeof *j->place, by_key);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || j->place[i].key != j->place[i - 1].key)
            node_new(j, j->place[i].key);
        j->home[j->place[i].row] = j->n_nodes - 1;
        j->size[j->n_nodes - 1]++;
    }
}

/* Questions that more than one row asks. */
static void questions(struct joining *j)
{
    const struct table *t = j->t;

    for (size_t i = 0; i < t->n * TABLE_QUESTIONS; i++)
        if (t->question[i])
            j->place[j->n_places++] =
                (struct place){t->question[i], (uint32_t)(i / TABLE_QUESTIONS)};
    qsort(j->place, j->n_places, sizeof *j->place, by_key);
    for (size_t i = 0, k; i < j->n_places; i = k) {
        for (k = i; k < j->n_places && j->place[k].key == j->place[i].key; k++)
            ;
        if (k - i > 1)
            j->run[j->n_runs++] = (struct run){i, k - i};
    }
    qsort(j->run, j->n_runs, sizeof *j->run, by_size);
}

/* Rows of all that the run would join; 0: it is one group already. */
static size_t joined_size(struct joining *j, const struct run *r)
{
    uint32_t first = root_of(j, j->home[j->place[r->first].row]);
    size_t sum = 0;
    bool several = false;

    /* A root's size is taken out while it is being counted. */
    for (size_t i = r->first; i < r->first + r->n; i++) {
        uint32_t root = root_of(j, j->home[j->place[i].row]);

        several = several || root != first;
        if (j->size[root] >> 31)
            continue;
        sum += j->size[root];
        j->size[root] |= UINT32_C(1) << 31;
    }
    for (size_t i = r->first; i < r->first + r->n; i++)
        j->size[root_of(j, j->home[j->place[i].row])] &= UINT32_MAX >> 1;
    return several ? sum : 0;
}

/* The node that was there first stays the root. */
static void join(struct joining *j, const struct run *r)
{
    uint32_t to = root_of(j, j->home[j->place[r->first].row]);

    for (size_t i = r->first + 1; i < r->first + r->n; i++) {
        uint32_t of = root_of(j, j->home[j->place[i].row]);
        uint32_t low = of < to ? of : to, high = of < to ? to : of;

        if (of == to)
            continue;
        j->parent[high] = low;
        j->size[low] += j->size[high];
        to = low;
    }
}

static void join_all(struct joining *j)
{
    for (size_t k = 0; k < j->n_runs; k++) {
        const struct run *r = &j->run[k];
        size_t sum = joined_size(j, r);

        if (sum == 0)
            continue;
        if (sum <= j->most)
            join(j, r);
        else
            rows_move(
                j, r,
                node_new(j, rng_mix(QUESTION_SALT, j->place[r->first].key)));
    }
}

/* Before anything is joined: rows whose question came in another
 * conversation before. */
static uint64_t count_again(struct joining *j)
{
    uint8_t *again = calloc(j->t->n + 1, 1);
    uint64_t n = 0;

    for (size_t k = 0; again && k < j->n_runs; k++) {
        const struct place *at = &j->place[j->run[k].first];

        for (size_t i = 1; i < j->run[k].n; i++)
            again[at[i].row] |= j->home[at[i].row] != j->home[at[0].row];
    }
    for (size_t i = 0; again && i < j->t->n; i++)
        n += again[i];
    free(again);
    return n;
}

static bool joining_new(struct joining *j, struct table *t)
{
    size_t n = t->n, most = n / SHARE_MOST;

    *j = (struct joining){
        .t = t,
        .home = malloc((n + 1) * sizeof *j->home),
        .parent = malloc((2 * n + 1) * sizeof *j->parent),
        .size = malloc((2 * n + 1) * sizeof *j->size),
        .label = malloc((2 * n + 1) * sizeof *j->label),
        .place = malloc((TABLE_QUESTIONS * n + 1) * sizeof *j->place),
        .run = malloc((TABLE_QUESTIONS * n + 1) * sizeof *j->run),
        .most = most > TABLE_GROUP_LEAST ? most : TABLE_GROUP_LEAST,
    };
    return j->home && j->parent && j->size && j->label && j->place && j->run;
}

bool table_group(struct table *t, struct err *e)
{
    struct joining j;
    bool ok = joining_new(&j, t);

    if (!ok) {
        err_set(e, ERR_MEMORY, "no memory to group %zu rows", t->n);
    } else {
        conversations(&j);
        questions(&j);
        t->again = count_again(&j);
        join_all(&j);
    }
    for (size_t i = 0; ok && i < t->n; i++)
        t->group[i] = j.label[root_of(&j, j.home[i])];
    free(j.home);
    free(j.parent);
    free(j.size);
    free(j.label);
    free(j.place);
    free(j.run);
    return ok;
}

/* ---- between two tables ---- */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

bool table_seen_of(const struct table *t, struct table_seen *seen,
                   struct err *e)
{
    size_t n = t->n;

    *seen = (struct table_seen){
        .key = malloc(((TABLE_QUESTIONS + 1) * n + 1) * sizeof *seen->key)};
    if (!seen->key)
        return err_set(e, ERR_MEMORY, "no memory for %zu questions", n);
    for (size_t i = 0; i < n; i++)
        seen->key[seen->n++] = t->session[i];
    for (size_t i = 0; i < n * TABLE_QUESTIONS; i++)
        if (t->question[i])
            seen->key[seen->n++] = t->question[i];
    qsort(seen->key, seen->n, sizeof *seen->key, by_value);
    return true;
}

static bool has(const struct table_seen *seen, uint64_t key)
{
    return bsearch(&key, seen->key, seen->n, sizeof key, by_value) != NULL;
}

bool table_seen_has(const struct table_seen *seen, const struct table *t,
                    size_t row)
{
    if (has(seen, t->session[row]))
        return true;
    for (unsigned k = 0; k < TABLE_QUESTIONS; k++) {
        uint64_t key = t->question[row * TABLE_QUESTIONS + k];

        if (key && has(seen, key))
            return true;
    }
    return false;
}

void table_seen_free(struct table_seen *seen)
{
    free(seen->key);
    *seen = (struct table_seen){0};
}
