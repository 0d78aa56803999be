/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/pool.h"

#include "base/conf.h"
#include "trainer/pricebook.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ARENA_MAX = 16 << 20 };

static bool add(struct pool *p, struct span key, struct span name,
                struct err *e)
{
    struct pool_model *m = &p->model[p->n];

    if (p->n == TALLY_MODELS_MAX)
        return err_set(e, ERR_LIMIT, "wanted at most %d models, found more",
                       TALLY_MODELS_MAX);
    m->key = arena_strdup(&p->arena, key);
    m->name = arena_strdup(&p->arena, name);
    m->usd_in = m->usd_out = NAN;
    if (!m->key || !m->name)
        return err_set(e, ERR_MEMORY, "no memory for the models");
    p->n++;
    return true;
}

static void price_from_book(struct pool_model *m, const struct pricebook *book)
{
    double in, out;

    if (book && pricebook_find(book, span_of(m->name), &in, &out)) {
        m->usd_in = in;
        m->usd_out = out;
    }
}

static bool price_of(const struct conf *price, const char *key, double *usd,
                     struct err *e)
{
    const struct conf *c = price ? conf_get(price, key) : NULL;
    double v;

    if (!c)
        return true;
    if (!conf_double(c, 0, 1e6, &v, e))
        return false;
    *usd = v / 1e6;
    return true;
}

static bool add_model(struct pool *p, const struct conf *model,
                      const struct pricebook *book, struct err *e)
{
    const struct conf *name = conf_get(model, "name");
    const struct conf *price = conf_get(model, "price");
    struct pool_model *m = &p->model[p->n];

    if (!add(p, model->key, name ? name->value : model->key, e))
        return false;
    price_from_book(m, book);
    return price_of(price, "input", &m->usd_in, e) &&
           price_of(price, "output", &m->usd_out, e);
}

/* A plan of kind single stands for its model. */
static const struct conf *model_of(const struct conf *root, struct span arm)
{
    const struct conf *models = conf_get(root, "models");
    const struct conf *plans = conf_get(root, "plans");
    char name[256];
    const struct conf *plan;

    if (!models || !span_copy(name, sizeof name, arm))
        return NULL;
    plan = plans ? conf_get(plans, name) : NULL;
    if (plan && (plan = conf_get(plan, "model")) &&
        !span_copy(name, sizeof name, plan->value))
        return NULL;
    return conf_get(models, name);
}

static bool add_route(struct pool *p, const struct conf *root,
                      const char *route, const struct pricebook *book,
                      struct err *e)
{
    const struct conf *routes = conf_get(root, "routes");
    const struct conf *it = routes ? conf_get(routes, route) : NULL;

    it = it ? conf_get(it, "arms") : NULL;
    if (!it || it->type != CONF_LIST)
        return err_set(e, ERR_USAGE,
                       "%s: wanted a route '%s' with arms, "
                       "found none",
                       root->file, route);
    for (it = it->kids; it; it = it->next) {
        const struct conf *m = model_of(root, it->value);

        if (!m)
            return conf_failf(it, e, "wanted one of the models, found %.*s",
                              SPAN_ARGS(it->value));
        if (!add_model(p, m, book, e))
            return false;
    }
    return true;
}

static bool add_all(struct pool *p, const struct conf *root,
                    const struct pricebook *book, struct err *e)
{
    const struct conf *it = conf_get(root, "models");

    for (it = it ? it->kids : NULL; it; it = it->next) {
        if (!add_model(p, it, book, e))
            return false;
    }
    return p->n ||
           err_set(e, ERR_INPUT, "%s: wanted models, found none", root->file);
}

/* Nothing where the port is left to the system. */
static void find_url(struct pool *p, const struct conf *root)
{
    const struct conf *listen = conf_get(root, "listen");
    struct span at = listen ? listen->value : SPAN("127.0.0.1:8080");
    char *url = arena_alloc(&p->arena, at.len + 16);

    if (!url || (at.len > 2 && !memcmp(at.ptr + at.len - 2, ":0", 2)))
        return;
    snprintf(url, at.len + 16, "http://%.*s/v1", SPAN_ARGS(at));
    p->url = url;
}

bool pool_from_config(struct pool *p, const char *path, const char *route,
                      const struct pricebook *book, struct err *e)
{
    const struct conf *root;

    memset(p, 0, sizeof *p);
    arena_init(&p->arena, ARENA_MAX);
    root = conf_load(path, &p->arena, e);
    if (!root)
        return false;
    find_url(p, root);
    return route ? add_route(p, root, route, book, e)
                 : add_all(p, root, book, e);
}

bool pool_from_names(struct pool *p, const char *names,
                     const struct pricebook *book, struct err *e)
{
    struct span rest = span_of(names);

    memset(p, 0, sizeof *p);
    arena_init(&p->arena, ARENA_MAX);
    while (rest.ptr) {
        struct span name = span_trim(span_cut(&rest, ','));

        if (name.len == 0)
            continue;
        if (!add(p, name, name, e))
            return false;
        price_from_book(&p->model[p->n - 1], book);
    }
    return p->n || err_set(e, ERR_USAGE, "wanted models, found '%s'", names);
}

void pool_free(struct pool *p)
{
    arena_free(&p->arena);
}

static int find_exact(const struct pool *p, struct span name)
{
    for (unsigned i = 0; i < p->n; i++) {
        if (span_is(name, p->model[i].key) || span_is(name, p->model[i].name))
            return (int)i;
    }
    return -1;
}

int pool_find(const struct pool *p, struct span name)
{
    int at = find_exact(p, name);

    while (at < 0 && name.len) {
        span_cut(&name, '/');
        if (!name.ptr)
            break;
        at = find_exact(p, name);
    }
    return at;
}
