/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/tiers.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/conf.h"

enum { TIERS_MAX = 16, TIERS_ARENA = 4 << 20 };

struct tiers {
    struct arena arena;
    const char *name[TIERS_MAX];           /* (arena) */
    const struct conf *members[TIERS_MAX]; /* (arena) lists of names */
    uint32_t n;
};

static bool tier_add(struct tiers *t, const struct conf *list, struct err *e)
{
    struct span name;

    if (t->n == TIERS_MAX)
        return conf_failf(list, e, "wanted at most %d tiers", TIERS_MAX);
    if (list->type != CONF_LIST || !list->kids)
        return conf_fail(list, e, "a list of models");
    for (const struct conf *m = list->kids; m; m = m->next) {
        if (!conf_str(m, &name, e))
            return false;
        if (tiers_of(t, name) >= 0)
            return conf_failf(m, e, "%.*s is in tier %s already",
                              SPAN_ARGS(name), t->name[tiers_of(t, name)]);
    }
    t->name[t->n] = arena_strdup(&t->arena, list->key);
    if (!t->name[t->n])
        return err_set(e, ERR_MEMORY, "no memory for tiers");
    t->members[t->n++] = list;
    return true;
}

struct tiers *tiers_read(const char *path, struct err *e)
{
    struct tiers *t = calloc(1, sizeof *t);
    const struct conf *root;

    if (!t) {
        err_set(e, ERR_MEMORY, "no memory for tiers");
        return NULL;
    }
    arena_init(&t->arena, TIERS_ARENA);
    root = conf_load(path, &t->arena, e);
    if (!root)
        goto fail;
    if (root->type != CONF_MAP || !root->kids) {
        (void)conf_fail(root, e, "tiers: `name: [model, model]`");
        goto fail;
    }
    for (const struct conf *c = root->kids; c; c = c->next)
        if (!tier_add(t, c, e))
            goto fail;
    return t;
fail:
    tiers_free(t);
    return NULL;
}

void tiers_free(struct tiers *t)
{
    if (!t)
        return;
    arena_free(&t->arena);
    free(t);
}

uint32_t tiers_count(const struct tiers *t)
{
    return t->n;
}

const char *tiers_name(const struct tiers *t, uint32_t i)
{
    return t->name[i];
}

int tiers_of(const struct tiers *t, struct span model)
{
    for (uint32_t i = 0; i < t->n; i++)
        for (const struct conf *m = t->members[i]->kids; m; m = m->next)
            if (span_eq(model, m->value))
                return (int)i;
    return -1;
}
