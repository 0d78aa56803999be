/* SPDX-License-Identifier: Apache-2.0 */
#include "router/model_names.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_EACH = 4, MATCHED_MAX = 256 };

struct name {
    struct span text; /* (arena) */
    uint32_t route;   /* index in routes */
    bool implied;     /* by a model's name at its provider */
};

struct model_names {
    const struct route *routes; /* (borrowed) [n] */
    size_t n;
    struct name *at; /* (owned) [mask + 1] open addressing */
    size_t mask;
};

static struct name *find(const struct model_names *names, struct span text)
{
    size_t i = span_hash(text, 0) & names->mask;

    while (names->at[i].text.ptr && !span_eq(names->at[i].text, text))
        i = (i + 1) & names->mask;
    return &names->at[i];
}

/* Who came first keeps the name. */
static void add(struct model_names *names, const char *text, size_t route,
                bool implied)
{
    struct name *at = find(names, span_of(text));

    if (!at->text.ptr)
        *at = (struct name){span_of(text), (uint32_t)route, implied};
}

static char *join(const char *before, const char *behind, struct arena *arena)
{
    size_t n = strlen(before) + strlen(behind) + 2;
    char *text = arena_alloc(arena, n);

    if (text)
        snprintf(text, n, "%s/%s", before, behind);
    return text;
}

static bool add_all(struct model_names *names, struct arena *arena)
{
    for (size_t i = 0; i < names->n; i++)
        add(names, names->routes[i].set->item.name, i, false);
    for (size_t i = 0; i < names->n; i++) {
        const struct route_settings *set = names->routes[i].set;
        const struct model *m = &set->arms[0].model->model;
        const char *own, *full;

        if (!set->pinned || set->arms[0].plan)
            continue;
        own = join("weir", set->item.name, arena);
        full = join(m->provider, m->upstream, arena);
        if (!own || !full)
            return false;
        add(names, own, i, false);
        add(names, full, i, true);
        add(names, m->upstream, i, true);
    }
    return true;
}

struct model_names *model_names_new(const struct route *routes, size_t n,
                                    struct arena *arena)
{
    struct model_names *names = calloc(1, sizeof *names);
    size_t cap = 16;

    while (cap < n * NAMES_EACH * 2)
        cap *= 2;
    if (!names)
        return NULL;
    names->routes = routes;
    names->n = n;
    names->mask = cap - 1;
    names->at = calloc(cap, sizeof *names->at);
    if (names->at && add_all(names, arena))
        return names;
    model_names_free(names);
    return NULL;
}

void model_names_free(struct model_names *names)
{
    if (!names)
        return;
    free(names->at);
    free(names);
}

static bool fits(const struct route_settings *set, const char *name)
{
    for (unsigned i = 0; i < set->match.n; i++) {
        if (fnmatch(set->match.at[i], name, FNM_NOESCAPE) == 0)
            return true;
    }
    return false;
}

/* By the patterns of routes; NULL: none fits. */
static const struct route *matched(const struct model_names *names,
                                   struct span name)
{
    char text[MATCHED_MAX];

    if (name.len >= sizeof text)
        return NULL;
    (void)span_copy(text, sizeof text, name);
    for (size_t i = 0; i < names->n; i++) {
        if (fits(names->routes[i].set, text))
            return &names->routes[i];
    }
    return NULL;
}

const struct route *model_names_find(const struct model_names *names,
                                     struct span name)
{
    const struct name *at = name.len ? find(names, name) : NULL;
    const struct route *route;

    if (!at)
        return NULL;
    if (at->text.ptr && !at->implied)
        return &names->routes[at->route];
    route = matched(names, name);
    if (route)
        return route;
    return at->text.ptr ? &names->routes[at->route] : NULL;
}
