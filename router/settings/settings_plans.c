/* SPDX-License-Identifier: Apache-2.0 */
/* Plans of several models: their members' names become models, and plans
 * become arms of routes. */
#include "router/settings/settings_parts.h"

#include <stddef.h>
#include <string.h>

#define AT(s, m) offsetof(struct s, m)
#define LEN(a) (sizeof(a) / sizeof *(a))

static const char *const plan_words[] = {"single", "cascade", "verify", "panel",
                                         NULL};

#define PLAN_TEXT(name, field_, text)                                          \
    {                                                                          \
        .key = name, .kind = SETTING_TEXT,                                     \
        .offset = AT(plan_settings, field_), .help = text                      \
    }

static const struct setting plan_rows[] = {
    {.key = "kind",
     .kind = SETTING_WORD,
     .offset = AT(plan_settings, kind),
     .initial = "single",
     .words = plan_words,
     .help = "single: one model under another name.  cascade: a draft that "
             "stands when nothing is wrong with it.  verify: a draft that "
             "stands when another model says the same.  panel: an answer "
             "that another model reviews."},
    PLAN_TEXT("model", model, "single, panel: the model that answers."),
    PLAN_TEXT("draft", draft, "cascade, verify: the model that drafts."),
    PLAN_TEXT("check", check, "verify: the model whose agreement is asked."),
    PLAN_TEXT("else", otherwise,
              "cascade, verify: the model that answers when the draft does "
              "not stand."),
    PLAN_TEXT("review", review, "panel: the model that reviews."),
    {.key = "deadline",
     .kind = SETTING_MS,
     .offset = AT(plan_settings, deadline_ms),
     .initial = "30s",
     .min = 1,
     .max = 36e5,
     .help = "From then on nothing more is waited for: a draft that is whole "
             "and without a flaw is the answer, else `else` is asked; panel: "
             "the answer goes out without its review."},
    {.key = "agreement",
     .kind = SETTING_REAL,
     .offset = AT(plan_settings, agreement),
     .initial = "0.6",
     .max = 1,
     .help = "verify: share of words and pairs of words that two long "
             "answers must have in common, where the classifier has learned "
             "nothing better."},
    {.key = "accept",
     .kind = SETTING_REAL,
     .offset = AT(plan_settings, accept),
     .initial = "0.5",
     .max = 1,
     .help = "Probability of being adequate from which a draft stands: as "
             "the classifier's acceptance head says; without one, cascade: "
             "the mean probability of its tokens, where the answer tells "
             "it."},
};

const struct section settings_plan_section = {
    "plans.NAME", sizeof(struct plan_settings), plan_rows, LEN(plan_rows)};

const struct conf *settings_at(const struct item *item, const char *key)
{
    const struct conf *c = conf_get(item->why, key);

    return c ? c : item->why;
}

const struct plan_settings *settings_plan(const struct settings *s,
                                          const char *name)
{
    const struct plan_settings *p = s->plans.at;

    for (unsigned i = 0; i < s->plans.n; i++) {
        if (!strcmp(p[i].item.name, name))
            return &p[i];
    }
    return NULL;
}

/* ---- what each kind is made of ---- */

/* The names that a kind has, by role; a plan's own model first. */
static const struct plan_part {
    enum plan_role role;
    unsigned kinds; /* bit mask of enum plan_kind that need it */
    const char *key;
    size_t offset;
} parts[] = {
    {PLAN_DRAFT, 1 << PLAN_SINGLE | 1 << PLAN_PANEL, "model",
     offsetof(struct plan_settings, model)},
    {PLAN_DRAFT, 1 << PLAN_CASCADE | 1 << PLAN_VERIFY, "draft",
     offsetof(struct plan_settings, draft)},
    {PLAN_CHECK, 1 << PLAN_VERIFY, "check",
     offsetof(struct plan_settings, check)},
    {PLAN_ELSE, 1 << PLAN_CASCADE | 1 << PLAN_VERIFY, "else",
     offsetof(struct plan_settings, otherwise)},
    {PLAN_REVIEW, 1 << PLAN_PANEL, "review",
     offsetof(struct plan_settings, review)},
};

enum { PARTS = sizeof parts / sizeof parts[0] };

static const char *part_name(const struct plan_settings *p,
                             const struct plan_part *part)
{
    const char *name;

    memcpy(&name, (const char *)p + part->offset, sizeof name);
    return name;
}

static bool check_part(const struct settings *s, const struct plan_settings *p,
                       const struct plan_part *part, struct err *e)
{
    const char *name = part_name(p, part);

    if (!(part->kinds >> p->kind & 1))
        return !name || conf_failf(settings_at(&p->item, part->key), e,
                                   "a plan of this kind has none");
    if (!name)
        return conf_failf(p->item.why, e, "wanted %s here, found none",
                          part->key);
    if (!settings_model(s, name))
        return conf_failf(settings_at(&p->item, part->key), e,
                          "wanted one of the models, found %s", name);
    return true;
}

/* A model that is to judge an answer must not have made it. */
static bool check_judges(const struct plan_settings *p, struct err *e)
{
    const char *draft = p->kind == PLAN_PANEL ? p->model : p->draft;
    const char *judge = p->kind == PLAN_PANEL ? p->review : p->check;

    if (p->kind == PLAN_SINGLE)
        return true;
    if (judge && !strcmp(draft, judge))
        return conf_failf(
            settings_at(&p->item, p->kind == PLAN_PANEL ? "review" : "check"),
            e, "wanted another model than the one it judges, found %s", judge);
    if (p->otherwise && !strcmp(draft, p->otherwise))
        return conf_failf(settings_at(&p->item, "else"), e,
                          "wanted another model than the draft's, found %s",
                          draft);
    return true;
}

static bool check_plan(const struct settings *s, const struct plan_settings *p,
                       struct err *e)
{
    if (settings_model(s, p->item.name))
        return conf_failf(p->item.why, e,
                          "wanted a name of its own, found a model's");
    for (size_t i = 0; i < PARTS; i++) {
        if (!check_part(s, p, &parts[i], e))
            return false;
    }
    return check_judges(p, e);
}

bool settings_plans(const struct settings *s, struct err *e)
{
    const struct plan_settings *p = s->plans.at;

    for (unsigned i = 0; i < s->plans.n; i++) {
        if (!check_plan(s, &p[i], e))
            return false;
    }
    return true;
}

/* ---- arms ---- */

int settings_find_arm(const struct route_settings *r, const char *name)
{
    for (unsigned i = 0; i < r->n_arms; i++) {
        if (!strcmp(r->arms[i].name, name))
            return (int)i;
    }
    return -1;
}

static bool is_enabled(const struct settings *s, const struct plan_settings *p)
{
    for (size_t i = 0; i < PARTS; i++) {
        if (parts[i].kinds >> p->kind & 1 &&
            !settings_model(s, part_name(p, &parts[i]))->enabled)
            return false;
    }
    return true;
}

static void add_plan(const struct settings *s, struct route_settings *r,
                     const char *name, const struct plan_settings *p)
{
    const char *answers = p->otherwise ? p->otherwise : p->model;
    struct arm *arm = &r->arms[r->n_arms++];

    *arm = (struct arm){.name = name, .model = settings_model(s, answers)};
    if (p->kind != PLAN_SINGLE)
        arm->plan = p;
}

bool settings_add_arm(const struct settings *s, struct route_settings *r,
                      struct item item, struct err *e)
{
    const struct model_settings *m = settings_model(s, item.name);
    const struct plan_settings *p = m ? NULL : settings_plan(s, item.name);

    if (!m && !p)
        return conf_failf(item.why, e,
                          "wanted one of the models or plans, found %s",
                          item.name);
    if (p && is_enabled(s, p))
        add_plan(s, r, item.name, p);
    else if (m && m->enabled)
        r->arms[r->n_arms++] = (struct arm){.name = item.name, .model = m};
    r->n_all = r->n_arms;
    return true;
}

/* The arm that stands for a member; it may have been added already. */
static int member_arm(struct route_settings *r, const struct model_settings *m)
{
    for (unsigned i = 0; i < r->n_all; i++) {
        if (!strcmp(r->arms[i].name, m->item.name))
            return (int)i;
    }
    if (r->n_all == ARMS_MAX)
        return -1;
    r->arms[r->n_all] = (struct arm){.name = m->item.name, .model = m};
    return (int)r->n_all++;
}

static bool add_members(const struct settings *s, struct route_settings *r,
                        struct arm *arm, struct err *e)
{
    const struct plan_settings *p = arm->plan;

    memset(arm->member, -1, sizeof arm->member);
    for (size_t i = 0; p && i < PARTS; i++) {
        int at;

        if (!(parts[i].kinds >> p->kind & 1))
            continue;
        at = member_arm(r, settings_model(s, part_name(p, &parts[i])));
        if (at < 0)
            return conf_failf(r->item.why, e,
                              "wanted at most %d arms and members of plans, "
                              "found more",
                              ARMS_MAX);
        arm->member[parts[i].role] = (int8_t)at;
    }
    return true;
}

bool settings_add_members(const struct settings *s, struct route_settings *r,
                          struct err *e)
{
    for (unsigned i = 0; i < r->n_arms; i++) {
        if (!add_members(s, r, &r->arms[i], e))
            return false;
    }
    return true;
}
