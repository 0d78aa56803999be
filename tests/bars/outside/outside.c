/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `make bench-outside`: what share of requests a classifier abstains on, on
 * rows of its own training's families that it has not seen (bar: at most
 * 2 %), and on other families.  Learnt from seven tenths of a set.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "trainer/bounds.h"
#include "trainer/split.h"
#include "trainer/table.h"

#define HELD .3
#define BAR .02

static const char *const sets[] = {
    "tasks14-train", "mmlu-pro",       "routellm-mmlu",   "zeroeval-crux",
    "zeroeval-math", "routellm-gsm8k", "routellm-mtbench"};
/* The first LEARNT are learnt from. */
enum { SETS = sizeof sets / sizeof sets[0], LEARNT = 3 };

struct lab {
    struct table *table[SETS];
    int failed;
};

static struct table *load(const char *dir, const char *set, struct err *e)
{
    char path[512];
    const char *file = path;
    struct table_options o = {.files = &file, .n_files = 1};

    snprintf(path, sizeof path, "%s/%s.jsonl.gz", dir, set);
    return table_load(&o, e);
}

/* rows NULL: all. */
static double share(const struct fitted *f, const struct domain *d,
                    const struct table *t, const uint32_t *rows, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        struct prediction p;
        fit_predict(f, t, rows ? rows[i] : (uint32_t)i, &p);
        count += domain_outside(d, &p);
    }
    return (double)count / (double)n;
}

static void show(const char *set, double is, size_t n, const char *verdict)
{
    double half = 1.96 * sqrt(is * (1 - is) / (double)n);

    printf("  %-26s %6.2f %% +- %.2f  n=%zu  %s\n", set, 100 * is, 100 * half,
           n, verdict);
}

static bool judge(struct lab *l, int own, const uint32_t *order, size_t before,
                  struct err *e)
{
    const struct table *t = l->table[own];
    struct fit_options o = {.seed = 1};
    struct fitted *f = fit_train(t, order, before, &o, e);
    struct domain d;
    bool ok = f && bounds_find(f, &d, e);
    double in;

    if (ok) {
        in = share(f, &d, t, order + before, t->n - before);
        l->failed += in > BAR;
        printf("learnt from %zu rows of %s (bounds: unseen %.3f, task %.3f, "
               "dense %.3f)\n",
               before, sets[own], (double)d.unseen, (double)d.top,
               (double)d.far);
        show("its own, unseen rows", in, t->n - before,
             in > BAR ? "FAIL (at most 2 %)" : "pass (at most 2 %)");
    }
    for (int k = 0; ok && k < SETS; k++)
        if (k != own)
            show(sets[k], share(f, &d, l->table[k], NULL, l->table[k]->n),
                 l->table[k]->n, "");
    fit_free(f);
    return ok;
}

static bool learn_one(struct lab *l, int own, struct err *e)
{
    const struct table *t = l->table[own];
    uint32_t *rows = malloc((t->n + 1) * sizeof *rows);
    uint32_t *order = malloc((t->n + 1) * sizeof *order);
    const struct split s = {t, rows, t->n, 1};
    size_t before;
    bool ok = rows && order;

    if (!ok)
        err_set(e, ERR_MEMORY, "no memory");
    for (size_t i = 0; ok && i < t->n; i++)
        rows[i] = (uint32_t)i;
    ok = ok && split_holdout(&s, HELD, order, &before, e) &&
         judge(l, own, order, before, e);
    free(rows);
    free(order);
    return ok;
}

static bool run_all(struct lab *l, const char *dir, struct err *e)
{
    bool ok = true;

    for (int k = 0; ok && k < SETS; k++) {
        l->table[k] = load(dir, sets[k], e);
        ok = l->table[k] != NULL;
    }
    for (int k = 0; ok && k < LEARNT; k++)
        ok = learn_one(l, k, e);
    for (int k = 0; k < SETS; k++)
        table_free(l->table[k]);
    return ok;
}

int main(void)
{
    const char *dir = getenv("WEIR_DATA");
    struct lab l = {.failed = 0};
    struct err e = {0};

    if (!dir)
        dir = "../shared/data";
    if (access(dir, R_OK) != 0) {
        printf("skipped: the labelled sets are not in %s (WEIR_DATA names "
               "another folder)\n",
               dir);
        return 0;
    }
    if (!run_all(&l, dir, &e)) {
        fprintf(stderr, "outside: %s\n", e.msg);
        return 1;
    }
    return l.failed ? 1 : 0;
}
