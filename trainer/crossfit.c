/* SPDX-License-Identifier: Apache-2.0 */
/* Whole fits on folds: the evaluation's inner loop. */
#include <stdlib.h>

#include "trainer/fit.h"
#include "trainer/split.h"

struct slice {
    struct fit_options o; /* as given, progress through part_done */
    const struct fit_options *given;
    unsigned k, folds;
    const uint32_t *rows; /* (borrowed) [n] */
    const uint8_t *fold;  /* (borrowed) [n] */
    size_t n;
};

static void part_done(void *ctx, double done)
{
    const struct slice *s = ctx;

    s->given->progress(s->given->ctx, (s->k + done) / s->folds);
}

/* Fits on the rows outside fold s->k and predicts those inside. */
static bool one_fold(struct slice *s, const struct table *t,
                     struct prediction *out, struct err *e)
{
    uint32_t *train = malloc((s->n + 1) * sizeof *train);
    struct fitted *f = NULL;
    size_t n = 0;

    if (!train)
        return err_set(e, ERR_MEMORY, "no memory for a fold");
    for (size_t i = 0; i < s->n; i++)
        if (s->fold[i] != s->k)
            train[n++] = s->rows[i];
    f = fit_train(t, train, n, &s->o, e);
    for (size_t i = 0; f && i < s->n; i++)
        if (s->fold[i] == s->k)
            fit_predict(f, t, s->rows[i], &out[i]);
    free(train);
    if (!f)
        return false;
    fit_free(f);
    return true;
}

bool fit_crossfit(const struct table *t, const uint32_t *rows, size_t n_rows,
                  unsigned folds, const struct fit_options *o,
                  struct prediction *out, struct err *e)
{
    uint8_t *fold = malloc(n_rows + 1);
    struct slice s = {.o = *o,
                      .given = o,
                      .folds = folds,
                      .rows = rows,
                      .fold = fold,
                      .n = n_rows};
    bool ok;

    if (!fold)
        return err_set(e, ERR_MEMORY, "no memory for folds");
    if (o->progress)
        s.o.progress = part_done;
    s.o.ctx = &s;
    ok = split_folds(t, rows, n_rows, folds, o->seed, fold, e);
    for (; ok && s.k < folds; s.k++)
        ok = one_fold(&s, t, out, e);
    free(fold);
    return ok;
}
