/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route/levels.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "router/route/plans.h"

static int find_named(const struct classifier *c, const struct arm *arm)
{
    const struct model *m = &arm->model->model;
    const char *slash = strrchr(m->upstream, '/');
    const char *const names[] = {arm->name, m->name, m->upstream,
                                 slash ? slash + 1 : m->upstream};
    int head = -1;

    for (size_t i = 0; head < 0 && i < sizeof names / sizeof names[0]; i++)
        head = classifier_find_arm(c, span_of(names[i]));
    return head;
}

/* A plan that the classifier does not know: the policy never takes it, so it
 * is none of the arms that a promise is about. */
static bool is_stranger(const struct route *r, unsigned i)
{
    return r->set->arms[i].plan && r->head[i] < 0;
}

/* A panel beside its own model, or beside another panel of it: as good, and
 * dearer, so the policy never takes it either. */
static bool is_shadowed(const struct route *r, unsigned i)
{
    const struct arm *arm = &r->set->arms[i];

    if (!arm->plan || arm->plan->kind != PLAN_PANEL)
        return false;
    for (unsigned k = 0; k < r->set->n_arms; k++) {
        const struct arm *other = &r->set->arms[k];

        if (k != i && r->head[k] == r->head[i] && (!other->plan || k < i))
            return true;
    }
    return false;
}

/* False when an arm is not known by name. */
static bool find_heads(struct route *r, const struct classifier *c)
{
    bool named = true;

    for (unsigned i = 0; i < r->set->n_all; i++) {
        const struct arm *arm = &r->set->arms[i];

        r->head[i] = c && !arm->plan ? find_named(c, arm) : -1;
    }
    for (unsigned i = 0; c && i < r->set->n_arms; i++) {
        if (r->set->arms[i].plan)
            plan_heads(r, c, i);
        named = named && (r->head[i] >= 0 || is_stranger(r, i));
    }
    for (unsigned i = 0; c && i < r->set->n_all; i++) {
        const struct arm *arm = &r->set->arms[i];

        if (r->head[i] < 0 && !arm->plan)
            r->head[i] = classifier_find_arm(
                c, span_of(tier_name(arm->model->model.tier)));
    }
    return named && c;
}

/* The heads of all arms as a bit mask; 0 when one is unknown or two share a
 * head: then no promise about the heads is one about the arms. */
static uint32_t route_mask(const struct route *r)
{
    uint32_t mask = 0;

    for (unsigned i = 0; i < r->set->n_arms; i++) {
        if (is_stranger(r, i) || is_shadowed(r, i))
            continue;
        if (r->head[i] < 0 || mask >> r->head[i] & 1)
            return 0;
        mask |= (uint32_t)1 << r->head[i];
    }
    return mask;
}

static uint32_t level_mask(const struct classifier *c, const struct json *arms)
{
    struct json_iter it = json_begin(arms);
    struct json name;
    uint32_t mask = 0;

    while (json_next(&it, NULL, &name)) {
        int head = classifier_find_arm(c, json_inner(&name));

        if (head < 0)
            return 0;
        mask |= (uint32_t)1 << head;
    }
    return mask;
}

static void insert_level(struct route *r, struct level level)
{
    unsigned i = r->n_levels;

    if (i == LEVELS_MAX)
        return;
    for (; i > 0 && r->levels[i - 1].quality > level.quality; i--)
        r->levels[i] = r->levels[i - 1];
    r->levels[i] = level;
    r->n_levels++;
}

static void read_level(struct route *r, const struct classifier *c,
                       const struct json *v)
{
    struct json arms = json_get(v, "arms");
    struct json reference = json_get(v, "reference");
    struct json quality = json_get(v, "quality");
    struct json price = json_get(v, "price");
    struct json valid = json_get(v, "valid");
    struct json confidence = json_get(v, "confidence");
    struct level level = {.confidence = 0};

    if (!json_true(&valid) || !json_double(&quality, &level.quality) ||
        !json_double(&price, &level.price))
        return;
    json_double(&confidence, &level.confidence);
    if (level_mask(c, &arms) != route_mask(r) ||
        classifier_find_arm(c, json_inner(&reference)) !=
            r->head[r->set->reference])
        return;
    insert_level(r, level);
}

static struct json basis_arm(const struct route *r, const struct classifier *c,
                             const struct json *arms, unsigned i)
{
    if (r->head[i] < 0)
        return (struct json){.type = JSON_NONE};
    return json_get(arms, classifier_arm(c, (uint32_t)r->head[i]));
}

/* USD that the arm's mean request costs at today's prices; NAN: the card does
 * not say what it is. */
static double now_usd(const struct route *r, const struct json *arm, unsigned i,
                      double input)
{
    struct json tokens = json_get(arm, "output_tokens");
    double output;

    if (!json_double(&tokens, &output))
        return NAN;
    return model_expected_usd(&r->set->arms[i].model->model, input, output);
}

/* Of a panel's mean request; of other arms 0. */
static double review_usd(const struct route *r, const struct json *arm,
                         unsigned i, double input)
{
    struct json tokens = json_get(arm, "output_tokens");
    double output;

    return json_double(&tokens, &output) ? plan_review_usd(r, i, input, output)
                                         : 0;
}

/* A level's price is quality per USD of the day it was found on.  The same
 * requests must go to the same arms after a change of list prices, or the
 * promise would be another: each arm's costs are brought back to what its
 * mean request cost then. */
static void read_prices(struct route *r, const struct classifier *c,
                        const struct json *basis)
{
    struct json arms = json_get(basis, "arms");
    struct json value = json_get(basis, "input_tokens");
    double now[ARMS_MAX], input, usd, escalates;

    if (!json_double(&value, &input))
        return;
    for (unsigned i = 0; i < r->set->n_all; i++) {
        struct json arm = basis_arm(r, c, &arms, i);

        now[i] = now_usd(r, &arm, i, input);
        if (!is_shadowed(r, i))
            now[i] += review_usd(r, &arm, i, input);
    }
    for (unsigned i = 0; i < r->set->n_arms; i++) {
        struct json arm = basis_arm(r, c, &arms, i);
        struct json cost = json_get(&arm, "usd");
        struct json share = json_get(&arm, "escalates");

        if (r->set->arms[i].plan && json_double(&share, &escalates))
            now[i] = plan_usd(&r->set->arms[i], now, escalates);
        if (isnan(now[i]) || !json_double(&cost, &usd))
            continue;
        r->scale[i] = now[i] > 0 ? usd / now[i] : 0;
        r->base[i] = now[i] > 0 ? 0 : usd;
    }
}

static void read_mix(struct route *r, const struct classifier *c,
                     const struct json *basis)
{
    struct json requests = json_get(basis, "requests");
    struct json all = json_get(basis, "mix");
    int64_t n;

    r->mix.n_tasks = classifier_n_tasks(c);
    if (!json_i64(&requests, &n) || n < 0 || n > UINT32_MAX)
        return;
    for (unsigned k = 0; k < MIX_KINDS; k++) {
        struct json list = json_get(&all, mix_kind_name((enum mix_kind)k));
        struct json_iter it = json_begin(&list);
        struct json v;
        int64_t count;

        if (list.type != JSON_ARRAY)
            return;
        for (uint32_t i = 0;
             i < CLASSIFIER_TASKS_MAX && json_next(&it, NULL, &v); i++)
            r->mix.count[k][i] =
                json_i64(&v, &count) && count >= 0 && count <= n
                    ? (uint32_t)count
                    : 0;
    }
    r->mix.n = (uint32_t)n;
}

static bool read_float(const struct json *from, const char *key, float *out)
{
    struct json v = json_get(from, key);
    double d;

    if (!json_double(&v, &d))
        return false;
    *out = (float)d;
    return true;
}

/* Cards before these bounds have none: then nothing is outside. */
static void read_domain(struct route *r, const struct classifier *c)
{
    struct json card, basis, d;

    if (!json_parse(classifier_card(c), &card, NULL))
        return;
    basis = json_get(&card, "basis");
    d = json_get(&basis, "domain");
    r->domain.known = read_float(&d, "unseen", &r->domain.unseen) &&
                      read_float(&d, "top", &r->domain.top) &&
                      read_float(&d, "far", &r->domain.far);
}

/* trainer/gold.h.  Cards from before do not say. */
static void read_labels(struct route *r, const struct json *basis)
{
    struct json labels = json_get(basis, "labels");

    if (json_is(&labels, "measured"))
        r->labels = "measured";
    else if (json_is(&labels, "second-hand"))
        r->labels = "second-hand";
}

static void read_card(struct route *r, const struct classifier *c)
{
    struct json card, levels, level, basis;
    struct json_iter it;

    if (route_mask(r) == 0 || !json_parse(classifier_card(c), &card, NULL))
        return;
    basis = json_get(&card, "basis");
    if (basis.type == JSON_OBJECT) {
        read_prices(r, c, &basis);
        read_mix(r, c, &basis);
        read_labels(r, &basis);
    }
    levels = json_get(&card, "levels");
    it = json_begin(&levels);
    while (levels.type == JSON_ARRAY && json_next(&it, NULL, &level))
        read_level(r, c, &level);
}

void levels_bind(struct route *r, const struct classifier *c, bool foreign)
{
    bool named = find_heads(r, c);

    r->classifier = c;
    r->labels = NULL;
    for (unsigned i = 0; i < r->set->n_arms; i++)
        r->scale[i] = 1;
    if (c && !foreign)
        read_domain(r, c);
    if (named && c && !foreign)
        read_card(r, c);
    r->fall_to_reference = r->set->unproven == UNPROVEN_REFERENCE;
}
