/* SPDX-License-Identifier: Apache-2.0 */
/* Routes: names of arms become models, references are found. */
#include "router/settings/settings_parts.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "features/language.h"

static bool add_arms(const struct settings *s, struct route_settings *r,
                     struct err *e)
{
    const struct text_list *names = &r->arm_names;

    if (names->n == 0 || names->n > ARMS_MAX)
        return conf_failf(settings_at(&r->item, "arms"), e,
                          "wanted 1 to %d arms, found %u", ARMS_MAX, names->n);
    for (unsigned i = 0; i < names->n; i++) {
        for (unsigned j = 0; j < i; j++) {
            if (!strcmp(names->at[i], names->at[j]))
                return conf_failf(names->why[i], e, "%s stands twice",
                                  names->at[i]);
        }
        if (!settings_add_arm(s, r, (struct item){names->at[i], names->why[i]},
                              e))
            return false;
    }
    if (r->n_arms == 0)
        return conf_failf(settings_at(&r->item, "arms"), e,
                          "wanted an enabled arm, found none");
    return settings_add_members(s, r, e);
}

/* Of two arms, whether b rather is the reference: the higher tier, among
 * equals the later; a plan only where there is no model. */
static bool is_rather(const struct arm *a, const struct arm *b)
{
    if ((a->plan != NULL) != (b->plan != NULL))
        return a->plan != NULL;
    return b->model->model.tier >= a->model->model.tier;
}

static bool find_reference(struct route_settings *r, struct err *e)
{
    if (r->reference_name) {
        r->reference = settings_find_arm(r, r->reference_name);
        if (r->reference < 0)
            return conf_failf(settings_at(&r->item, "reference"), e,
                              "wanted one of the route's arms, found %s",
                              r->reference_name);
        return true;
    }
    for (unsigned i = 1; i < r->n_arms; i++) {
        if (is_rather(&r->arms[r->reference], &r->arms[i]))
            r->reference = (int)i;
    }
    return true;
}

static bool check_languages(const struct text_list *list, struct err *e)
{
    for (unsigned i = 0; i < list->n; i++) {
        unsigned k = 0;

        while (language_names[k] && strcmp(language_names[k], list->at[i]) != 0)
            k++;
        if (!language_names[k])
            return conf_failf(list->why[i], e,
                              "wanted a language that is told apart, such as "
                              "de, found %s",
                              list->at[i]);
    }
    return true;
}

static bool check_rules(struct route_settings *r, struct err *e)
{
    struct rule_settings *rule = r->rules.at;

    if (r->rules.n > RULES_MAX)
        return conf_failf(settings_at(&r->item, "rules"), e,
                          "wanted at most %d rules, found %u", RULES_MAX,
                          r->rules.n);
    for (unsigned i = 0; i < r->rules.n; i++) {
        rule[i].index = rule[i].arm ? settings_find_arm(r, rule[i].arm) : -1;
        if (!check_languages(&rule[i].when.language, e))
            return false;
        if ((rule[i].arm != NULL) == (rule[i].answer != NULL))
            return conf_fail(rule[i].item.why, e, "either an arm or an answer");
        if (rule[i].arm && rule[i].index < 0)
            return conf_failf(settings_at(&rule[i].item, "arm"), e,
                              "wanted one of the route's arms, found %s",
                              rule[i].arm);
    }
    return true;
}

static bool check_tasks(struct route_settings *r, struct err *e)
{
    const struct conf *why = settings_at(&r->item, "tasks");

    if (r->tasks.n > TASKS_MAX)
        return conf_failf(why, e, "wanted at most %d tasks, found %u",
                          TASKS_MAX, r->tasks.n);
    for (unsigned i = 0; i < r->tasks.n; i++) {
        int arm = settings_find_arm(r, r->tasks.at[i].value);

        if (arm < 0)
            return conf_failf(why, e,
                              "wanted one of the route's arms for %s, found %s",
                              r->tasks.at[i].name, r->tasks.at[i].value);
        r->task_arms[i] = (uint8_t)arm;
    }
    return true;
}

/* Which arms shadow answers are drawn from. */
static bool check_shadow(struct route_settings *r, struct err *e)
{
    struct shadow_settings *s = &r->shadow;

    if (isnan(s->unproven))
        s->unproven = s->rate;
    if (fmax(s->rate, s->unproven) > 0 && isnan(s->budget))
        return conf_failf(settings_at(&r->item, "shadow"), e,
                          "wanted a budget with the rate, found none");
    for (unsigned i = 0; i < s->arms.n; i++) {
        int arm = settings_find_arm(r, s->arms.at[i]);

        if (arm < 0)
            return conf_failf(s->arms.why[i], e,
                              "wanted one of the route's arms, found %s",
                              s->arms.at[i]);
        s->mask |= (uint32_t)1 << arm;
    }
    if (s->arms.n == 0)
        s->mask = UINT32_MAX >> (ARMS_MAX - r->n_arms);
    return true;
}

/* Headers are looked up in lower case. */
static bool lower_header(struct arena *a, const char **name, struct err *e)
{
    char *lower = *name ? arena_strdup(a, span_of(*name)) : NULL;

    if (*name && !lower)
        return err_set(e, ERR_MEMORY, "configuration: out of memory");
    for (char *p = lower; p && *p; p++)
        *p = (char)tolower((unsigned char)*p);
    *name = lower;
    return true;
}

static bool lower_headers(struct arena *a, struct route_settings *r,
                          struct err *e)
{
    struct rule_settings *rule = r->rules.at;

    for (unsigned i = 0; i < r->rules.n; i++) {
        struct pair_list *named = &rule[i].when.headers;

        for (unsigned k = 0; k < named->n; k++)
            if (!lower_header(a, &named->at[k].name, e))
                return false;
    }
    return lower_header(a, &r->high_risk.header, e);
}

static bool check_prices(const struct route_settings *r, struct err *e)
{
    for (unsigned i = 0; i < r->n_all; i++) {
        const struct model_settings *m = r->arms[i].model;

        if (r->n_arms > 1 && !m->model.priced)
            return conf_failf(
                m->item.why, e,
                "wanted a price, for example price: {input: 0.1, output: "
                "0.4}: the catalogue has none for %s, and the route %s "
                "compares costs",
                m->upstream, r->item.name);
    }
    return true;
}

static bool check_policy(const struct route_settings *r, struct err *e)
{
    bool compares = r->policy == POLICY_CHEAPEST || r->policy == POLICY_BUDGET;

    if (compares && !check_prices(r, e))
        return false;
    if (r->policy == POLICY_BUDGET && !(r->budget > 0))
        return conf_failf(r->item.why, e,
                          "wanted a budget above 0 for the policy budget");
    if (r->policy == POLICY_RULES && r->rules.n == 0)
        return conf_failf(r->item.why, e,
                          "wanted rules for the policy rules, found none");
    return true;
}

static bool resolve_route(struct settings *s, struct route_settings *r,
                          struct err *e)
{
    if (!strncmp(r->item.name, "weir/", 5) || !*r->item.name)
        return conf_failf(r->item.why, e,
                          "wanted a name that does not begin with weir/");
    if (r->attempts == 0)
        r->attempts = s->limits.attempts;
    return add_arms(s, r, e) && settings_route_regions(s, r, e) &&
           find_reference(r, e) && check_rules(r, e) && check_tasks(r, e) &&
           check_policy(r, e) && check_shadow(r, e) &&
           lower_headers(&s->arena, r, e);
}

/* A route for one model or plan, as a route of the file would be that says
 * nothing but its arm. */
static bool add_direct(struct settings *s, struct item item, struct err *e)
{
    struct route_settings *r = &s->direct[s->n_direct];

    if (!schema_load(&settings_route_section, NULL, r, &s->arena, e))
        return false;
    r->item = item;
    r->policy = POLICY_FIXED;
    r->quality = r->budget = r->max_cost = r->explore_budget = NAN;
    r->attempts = s->limits.attempts;
    r->pinned = true;
    if (!settings_add_arm(s, r, item, e) || !settings_add_members(s, r, e))
        return false;
    s->n_direct += r->n_arms > 0;
    return true;
}

/* Each enabled model and plan can be asked for by its own name. */
static bool add_directs(struct settings *s, struct err *e)
{
    const struct model_settings *m = s->models.at;
    const struct plan_settings *p = s->plans.at;

    s->direct = arena_zalloc(&s->arena, s->models.n + s->plans.n + 1,
                             sizeof *s->direct);
    if (!s->direct)
        return err_set(e, ERR_MEMORY, "configuration: out of memory");
    for (unsigned i = 0; i < s->models.n; i++) {
        if (!add_direct(s, m[i].item, e))
            return false;
    }
    for (unsigned i = 0; i < s->plans.n; i++) {
        if (!add_direct(s, p[i].item, e))
            return false;
    }
    return true;
}

bool settings_routes(struct settings *s, struct err *e)
{
    struct route_settings *r = s->routes.at;

    if (!settings_plans(s, e))
        return false;
    for (unsigned i = 0; i < s->routes.n; i++) {
        if (!resolve_route(s, &r[i], e))
            return false;
    }
    return add_directs(s, e);
}

bool settings_risks(const struct settings *s, struct err *e)
{
    const struct route_settings *r = s->routes.at;

    for (unsigned i = 0; i < s->routes.n; i++) {
        const struct text_list *keys = &r[i].high_risk.keys;

        for (unsigned k = 0; k < keys->n; k++) {
            if (!settings_key(s, span_of(keys->at[k])))
                return conf_failf(keys->why[k], e,
                                  "wanted the name of a key, found %s",
                                  keys->at[k]);
        }
    }
    return true;
}

void settings_show_route(const struct settings *s,
                         const struct route_settings *r, struct buf *out)
{
    const char *plans = s->plans.at;

    schema_show(&settings_route_section, r, 0, out);
    for (unsigned k = 0; k < settings_schema.n; k++) {
        const struct setting *row = &settings_schema.rows[k];

        if (strcmp(row->key, "plans") != 0)
            continue;
        for (unsigned i = 0; i < s->plans.n; i++)
            schema_show(row->section, plans + i * row->section->size, 0, out);
    }
}
