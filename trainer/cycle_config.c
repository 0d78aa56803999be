/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/cycle_config.h"

#include <stddef.h>
#include <string.h>

#include "base/conf.h"
#include "base/units.h"
#include "models/registry.h"
#include "models/retrain.h"
#include "trainer/cycle_plans.h"

enum { ARENA_MAX = 16 << 20 };

/* ---- the numbers ---- */

enum knob_kind { KNOB_MS, KNOB_COUNT, KNOB_REAL };

struct knob {
    const char *key;
    enum knob_kind kind;
    size_t offset;
    const char *initial;
    double min, max;
};

#define AT(field) offsetof(struct cycle_config, field)

static const struct knob knobs[] = {
    {"every", KNOB_MS, AT(every_ms), RETRAIN_EVERY, 0, 9e15},
    {"min_new_labels", KNOB_COUNT, AT(min_new_labels), RETRAIN_MIN_NEW_LABELS,
     0, 1e12},
    {"held", KNOB_REAL, AT(held), RETRAIN_HELD, .05, .9},
    {"shadow_requests", KNOB_COUNT, AT(shadow), RETRAIN_SHADOW, 0, 1e12},
    {"canary_requests", KNOB_COUNT, AT(canary), RETRAIN_CANARY, 0, 1e12},
    {"canary_share", KNOB_REAL, AT(share), RETRAIN_SHARE, 0, 1},
    {"watch_requests", KNOB_COUNT, AT(watch), RETRAIN_WATCH, 0, 1e12},
    {"confidence", KNOB_REAL, AT(confidence), RETRAIN_CONFIDENCE, .5, .9999},
    {"margin", KNOB_REAL, AT(margin), RETRAIN_MARGIN, 0, .5},
};

enum { KNOBS = sizeof knobs / sizeof knobs[0] };

static void knob_default(struct cycle_config *c, const struct knob *k)
{
    char *at = (char *)c + k->offset;

    if (k->kind == KNOB_REAL)
        (void)span_double(span_of(k->initial), (double *)(void *)at);
    else
        (void)units_parse(span_of(k->initial),
                          k->kind == KNOB_MS ? UNIT_MS : UNIT_COUNT,
                          (uint64_t *)(void *)at);
}

static bool knob_read(struct cycle_config *c, const struct knob *k,
                      const struct conf *v, struct err *e)
{
    char *at = (char *)c + k->offset;

    if (k->kind == KNOB_REAL)
        return conf_double(v, k->min, k->max, (double *)(void *)at, e);
    return conf_amount(v, k->kind == KNOB_MS ? UNIT_MS : UNIT_COUNT,
                       (uint64_t *)(void *)at, e);
}

bool cycle_config_new(struct cycle_config *c, struct err *e)
{
    *c = (struct cycle_config){.quality = .98, .seed = 1};
    arena_init(&c->arena, ARENA_MAX);
    for (size_t i = 0; i < KNOBS; i++)
        knob_default(c, &knobs[i]);
    c->shipped = catalogue_shipped(e);
    c->prices = c->shipped ? pricebook_new(c->shipped) : NULL;
    return c->prices || err_set(e, ERR_MEMORY, "no memory for the prices");
}

void cycle_config_free(struct cycle_config *c)
{
    pricebook_free(c->prices);
    catalogue_free(c->shipped);
    arena_free(&c->arena);
    *c = (struct cycle_config){0};
}

/* ---- weir.yaml ---- */

static bool text(struct cycle_config *c, const struct conf *v, const char **out,
                 struct err *e)
{
    struct span s;

    if (!v)
        return true;
    if (!conf_str(v, &s, e))
        return false;
    *out = arena_strdup(&c->arena, s);
    return *out || err_set(e, ERR_MEMORY, "no memory for the configuration");
}

static bool read_file(struct cycle_config *c, const struct conf *v,
                      struct err *e)
{
    if (c->n_data == CYCLE_FILES_MAX)
        return conf_failf(v, e, "wanted at most %d files", CYCLE_FILES_MAX);
    return text(c, v, &c->data[c->n_data++], e);
}

static bool read_retrain(struct cycle_config *c, const struct conf *map,
                         const char **route, struct err *e)
{
    const struct conf *files = map ? conf_get(map, "data") : NULL;

    for (size_t i = 0; map && i < KNOBS; i++) {
        const struct conf *v = conf_get(map, knobs[i].key);

        if (v && !knob_read(c, &knobs[i], v, e))
            return false;
    }
    for (const struct conf *v = files ? files->kids : NULL; v; v = v->next)
        if (!read_file(c, v, e))
            return false;
    return !map || *route || text(c, conf_get(map, "route"), route, e);
}

static bool real(const struct conf *map, const char *key, double *out,
                 struct err *e)
{
    const struct conf *v = map ? conf_get(map, key) : NULL;

    return !v || conf_double(v, 0, 1e9, out, e);
}

/* Prices and other names of one arm. */
static bool read_model(struct cycle_config *c, const struct conf *models,
                       struct cycle_arm *arm, struct err *e)
{
    const struct conf *m = models ? conf_get(models, arm->name) : NULL;
    const struct conf *price = m ? conf_get(m, "price") : NULL;
    const struct model *known;
    double usd[2] = {0, 0};

    if (!m || m->type != CONF_MAP)
        return true; /* it has no price of its own */
    if (!text(c, conf_get(m, "name"), &arm->upstream, e) ||
        !text(c, conf_get(m, "tier"), &arm->tier, e))
        return false;
    known = catalogue_find(c->shipped,
                           span_of(arm->upstream ? arm->upstream : arm->name));
    if (known && !arm->tier)
        arm->tier = tier_name(known->tier);
    if (known && known->priced) {
        usd[0] = (double)known->prices.input / PICO_PER_USD * 1e6;
        usd[1] = (double)known->prices.output / PICO_PER_USD * 1e6;
    }
    if (!real(price, "input", &usd[0], e) || !real(price, "output", &usd[1], e))
        return false;
    if (!price && !(known && known->priced))
        return true;
    return pricebook_add(c->prices, span_of(arm->name), usd, e);
}

static bool read_member(struct cycle_config *c, const struct conf *models,
                        struct span name, struct cycle_arm *out, struct err *e)
{
    *out = (struct cycle_arm){.name = arena_strdup(&c->arena, name)};
    return out->name
               ? read_model(c, models, out, e)
               : err_set(e, ERR_MEMORY, "no memory for the configuration");
}

/* A panel answers as its model does, `single` is its model. */
static bool read_stand_in(struct cycle_config *c, const struct conf *models,
                          const struct conf *plan, struct cycle_arm *arm,
                          struct err *e)
{
    const struct conf *kind = conf_get(plan, "kind");
    const struct conf *model = conf_get(plan, "model");
    const struct conf *review = conf_get(plan, "review");
    struct cycle_arm of, by;
    double usd[2];

    if (!model)
        return true;
    if (!read_member(c, models, model->value, &of, e))
        return false;
    arm->upstream = of.upstream;
    arm->tier = of.tier;
    if (kind && span_is(kind->value, "panel") && review) {
        arm->panel = of.name;
        arm->review = arena_strdup(&c->arena, review->value);
        return read_member(c, models, review->value, &by, e);
    }
    if (!pricebook_find(c->prices, model->value, &usd[0], &usd[1]))
        return true;
    usd[0] *= 1e6;
    usd[1] *= 1e6;
    return pricebook_add(c->prices, span_of(arm->name), usd, e);
}

/* Its members' prices, and what it is made of. */
static bool read_plan(struct cycle_config *c, const struct conf *root,
                      struct cycle_arm *arm, struct err *e)
{
    const struct conf *plans = conf_get(root, "plans");
    const struct conf *models = conf_get(root, "models");
    const struct conf *plan = plans ? conf_get(plans, arm->name) : NULL;
    struct cycle_arm member;
    char form[1024];
    struct plan_form p;

    if (!plan || plan->type != CONF_MAP)
        return true;
    cycle_plan_text(plan, form, sizeof form);
    if (!*form)
        return read_stand_in(c, models, plan, arm, e);
    if (!plan_form_parse(span_of(form), &p, e))
        return false;
    for (unsigned m = 0; m < p.n_members; m++)
        if (!read_member(c, models, p.member[m], &member, e))
            return false;
    arm->plan = arena_strdup(&c->arena, span_of(form));
    return arm->plan ||
           err_set(e, ERR_MEMORY, "no memory for the configuration");
}

static bool read_arms(struct cycle_config *c, const struct conf *root,
                      const struct conf *route, struct err *e)
{
    const struct conf *arms = conf_get(route, "arms");

    for (const struct conf *v = arms ? arms->kids : NULL; v; v = v->next) {
        struct cycle_arm *arm = &c->arms[c->n_arms];

        if (c->n_arms == CLASSIFIER_ARMS_MAX)
            return conf_failf(v, e, "wanted at most %d arms",
                              CLASSIFIER_ARMS_MAX);
        if (!text(c, v, &arm->name, e) ||
            !read_model(c, conf_get(root, "models"), arm, e) ||
            !read_plan(c, root, arm, e))
            return false;
        c->n_arms++;
    }
    return c->n_arms || conf_failf(route, e, "wanted a route with arms");
}

static bool read_route(struct cycle_config *c, const struct conf *root,
                       const struct conf *route, struct err *e)
{
    static const char *const words[] = {"reference", "floor", NULL};
    const struct conf *unproven = conf_get(route, "unproven");
    const struct conf *quality = conf_get(route, "quality");

    if (!read_arms(c, root, route, e) ||
        !text(c, conf_get(route, "reference"), &c->reference, e))
        return false;
    if (!c->reference)
        return conf_failf(route, e,
                          "the cycle wants a reference: the arm against which "
                          "quality is promised");
    c->route = arena_strdup(&c->arena, route->key);
    return c->route &&
           (!quality || conf_double(quality, .01, 1, &c->quality, e)) &&
           (!unproven || conf_word(unproven, words, &c->unproven, e));
}

/* The named route, else the first whose policy goes by quality. */
static const struct conf *find_route(const struct conf *root, const char *name)
{
    const struct conf *routes = conf_get(root, "routes");

    if (!routes || routes->type != CONF_MAP)
        return NULL;
    if (name)
        return conf_get(routes, name);
    for (const struct conf *r = routes->kids; r; r = r->next) {
        const struct conf *policy =
            r->type == CONF_MAP ? conf_get(r, "policy") : NULL;

        if (r->type == CONF_MAP &&
            (!policy || span_is(policy->value, "cheapest_adequate")))
            return r;
    }
    return NULL;
}

static bool read_all(struct cycle_config *c, const struct conf *root,
                     const char *route, struct err *e)
{
    const struct conf *log, *chosen;

    if (root->type != CONF_MAP)
        return conf_fail(root, e, "a mapping");
    log = conf_get(root, "log");
    if (!read_retrain(c, conf_get(root, "retrain"), &route, e) ||
        !text(c, conf_get(root, "classifier"), &c->model, e) ||
        !text(c, log ? conf_get(log, "path") : NULL, &c->log, e))
        return false;
    if (!c->model || !strcmp(c->model, "default") || !strcmp(c->model, "none"))
        return conf_failf(root, e,
                          "classifier: the cycle wants the path of a file that "
                          "it may replace, found %s",
                          c->model ? c->model : "none");
    if (!c->log)
        return conf_failf(root, e, "log.path: wanted a log to learn from");
    chosen = find_route(root, route);
    if (!chosen)
        return conf_failf(root, e, "routes: wanted %s%s, found none",
                          route ? "" : "one that goes by quality",
                          route ? route : "");
    return read_route(c, root, chosen, e);
}

bool cycle_config_load(struct cycle_config *c, const char *path,
                       const char *route, struct err *e)
{
    const struct conf *root;

    if (!cycle_config_new(c, e))
        return false;
    root = conf_load(path, &c->arena, e);
    return root && read_all(c, root, route, e);
}
