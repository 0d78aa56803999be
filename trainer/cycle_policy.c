/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/cycle_policy.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "trainer/cycle_plans.h"

static int head_of(const struct classifier *c, const struct cycle_arm *arm)
{
    const char *slash = arm->upstream ? strrchr(arm->upstream, '/') : NULL;
    const char *const list[] = {cycle_arm_learnt(arm), arm->upstream,
                                slash ? slash + 1 : NULL, arm->tier};
    int head = -1;

    for (size_t i = 0; head < 0 && i < sizeof list / sizeof list[0]; i++)
        if (list[i])
            head = classifier_find_arm(c, span_of(list[i]));
    return head;
}

/* Those that it may choose of: a plan that it does not know it never does,
 * nor a panel beside its model. */
static uint32_t arms_known(const struct cycle_config *set,
                           const struct classifier *c)
{
    uint32_t n = 0;

    for (uint32_t a = 0; a < set->n_arms; a++)
        n += !cycle_panel_hidden(set, &set->arms[a]) &&
             (!set->arms[a].plan || head_of(c, &set->arms[a]) >= 0);
    return n;
}

/* A level speaks of exactly these arms, so many. */
static bool level_fits(const struct cycle_config *set, uint32_t n,
                       const struct json *level)
{
    struct json arms = json_get(level, "arms");
    struct json reference = json_get(level, "reference");
    struct json_iter it = json_begin(&arms);
    struct json name;
    uint32_t found = 0;

    while (arms.type == JSON_ARRAY && json_next(&it, NULL, &name)) {
        uint32_t a = 0;

        while (a < set->n_arms &&
               !json_is(&name, cycle_arm_learnt(&set->arms[a])))
            a++;
        if (a == set->n_arms)
            return false;
        found++;
    }
    return found == n && json_is(&reference, cycle_learnt(set, set->reference));
}

static void find_level(const struct cycle_config *set, const struct json *card,
                       struct evidence_policy *out)
{
    uint32_t n = arms_known(set, out->classifier);
    struct json levels = json_get(card, "levels"), level;
    struct json_iter it = json_begin(&levels);
    double least = INFINITY;

    while (levels.type == JSON_ARRAY && json_next(&it, NULL, &level)) {
        struct json valid = json_get(&level, "valid");
        struct json quality = json_get(&level, "quality");
        struct json price = json_get(&level, "price");
        double q, p;

        if (!json_true(&valid) || !json_double(&quality, &q) ||
            !json_double(&price, &p) || q < set->quality - 1e-9 || q >= least ||
            !level_fits(set, n, &level))
            continue;
        least = q;
        out->price = p;
    }
}

/* As the router's read_prices() (router/route/levels.c): after a change of
 * prices the same requests go to the same arms. */
static void find_scale(const struct cycle_config *set, const struct json *card,
                       const struct cycle_arm *arm, double *scale, double *base)
{
    struct json basis = json_get(card, "basis");
    struct json arms = json_get(&basis, "arms");
    struct json of = json_get(&arms, cycle_arm_learnt(arm));
    struct json value = json_get(&basis, "input_tokens");
    struct json tokens = json_get(&of, "output_tokens");
    struct json cost = json_get(&of, "usd");
    double input = 0, output = 0, usd, in, out, now = NAN;

    if (!json_double(&cost, &usd))
        return;
    if (arm->plan)
        now = cycle_plan_now(set, &basis, arm);
    else if (json_double(&value, &input) && json_double(&tokens, &output) &&
             pricebook_find(set->prices, span_of(cycle_arm_learnt(arm)), &in,
                            &out))
        now = input * in + output * out;
    if (!cycle_panel_hidden(set, arm))
        now += cycle_review_usd(set, arm, input, output);
    if (isnan(now))
        return;
    *scale = now > 0 ? usd / now : 0;
    *base = now > 0 ? 0 : usd;
}

static bool bound(const struct json *domain, const char *key, float *out)
{
    struct json v = json_get(domain, key);
    double d;

    if (!json_double(&v, &d))
        return false;
    *out = (float)d;
    return true;
}

static void find_domain(const struct json *card, struct domain *d)
{
    struct json basis = json_get(card, "basis");
    struct json of = json_get(&basis, "domain");

    d->known = bound(&of, "unseen", &d->unseen) && bound(&of, "top", &d->top) &&
               bound(&of, "far", &d->far);
}

static const struct cycle_arm *arm_named(const struct cycle_config *set,
                                         const char *name)
{
    for (uint32_t i = 0; i < set->n_arms; i++)
        if (!strcmp(set->arms[i].name, name))
            return &set->arms[i];
    return NULL;
}

void cycle_policy(const struct cycle_config *set, const struct classifier *c,
                  const struct offlog *log, struct evidence_policy *out)
{
    struct json card;

    *out = (struct evidence_policy){.classifier = c,
                                    .reference = set->reference,
                                    .quality = set->quality,
                                    .floor = set->unproven == CYCLE_FLOOR,
                                    .price = NAN};
    for (uint32_t a = 0; a < log->n_arms; a++) {
        const struct cycle_arm *arm = arm_named(set, log->t->arms[a].name);

        out->head[a] = c && arm ? head_of(c, arm) : -1;
        out->scale[a] = 1;
        out->price_in[a] = out->price_out[a] = NAN;
        if (arm && !arm->plan)
            (void)pricebook_find(set->prices, span_of(arm->name),
                                 &out->price_in[a], &out->price_out[a]);
    }
    if (!c || !json_parse(classifier_card(c), &card, NULL))
        return;
    find_level(set, &card, out);
    find_domain(&card, &out->domain);
    for (uint32_t a = 0; a < log->n_arms; a++) {
        const struct cycle_arm *arm = arm_named(set, log->t->arms[a].name);

        if (arm)
            find_scale(set, &card, arm, &out->scale[a], &out->base[a]);
    }
}

/* ---- the ladder ---- */

static bool read_rung(const struct json *four, struct guarantee_rung *out)
{
    double *const to[] = {&out->price, &out->mean, &out->error, &out->share};
    struct json_iter it = json_begin(four);
    struct json v;
    size_t n = 0;

    while (four->type == JSON_ARRAY && json_next(&it, NULL, &v))
        if (n == 4 || !json_double(&v, to[n++]))
            return false;
    return n == 4 && out->error >= 0;
}

static bool read_count(const struct json *from, const char *key, size_t *out)
{
    struct json v = json_get(from, key);
    int64_t n;

    if (!json_i64(&v, &n) || n <= 0)
        return false;
    *out = (size_t)n;
    return true;
}

static bool read_rungs(const struct json *list, struct guarantee_ladder *out)
{
    struct json_iter it = json_begin(list);
    struct json four;

    while (list->type == JSON_ARRAY && json_next(&it, NULL, &four)) {
        struct guarantee_rung *r = &out->rung[out->n_rungs];

        if (out->n_rungs == GUARANTEE_RUNGS || !read_rung(&four, r) ||
            (out->n_rungs && r->price <= r[-1].price))
            return false;
        out->n_rungs++;
    }
    return out->n_rungs > 0;
}

bool cycle_ladder(const struct cycle_config *set, const struct classifier *c,
                  struct guarantee_ladder *out)
{
    struct json card, all, quality, prices;
    double q;

    *out = (struct guarantee_ladder){0};
    if (!json_parse(classifier_card(c), &card, NULL))
        return false;
    all = json_get(&card, "ladder");
    quality = json_get(&all, "quality");
    prices = json_get(&all, "prices");
    return json_double(&quality, &q) && fabs(q - set->quality) < 1e-9 &&
           level_fits(set, arms_known(set, c), &all) &&
           read_count(&all, "n", &out->n) &&
           read_count(&all, "conversations", &out->groups) &&
           read_rungs(&prices, out);
}
