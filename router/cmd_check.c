/* SPDX-License-Identifier: Apache-2.0 */
#include "router/cmd_check.h"

#include <stdio.h>
#include <string.h>

#include "base/args.h"
#include "router/settings/reference.h"
#include "router/snapshot.h"

enum { OUT_MAX = 16 << 20 };

struct options {
    const char *config;
    bool show, settings, man, json;
};

static void print(struct buf *b)
{
    fwrite(buf_cstr(b), 1, b->len, stdout);
    buf_free(b);
}

/* ---- what is right but perhaps not meant ---- */

static void warn(struct buf *out, bool json, const char *fmt, ...) PRINTF(3, 4);

static void warn(struct buf *out, bool json, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!json) {
        buf_printf(out, "note: %s\n", text);
        return;
    }
    buf_str(out, out->len ? "," : "");
    buf_json_str(out, span_of(text));
}

static void warn_route(const struct snapshot *s, const struct route *r,
                       bool json, struct buf *out)
{
    const char *name = r->set->item.name;

    if (r->set->pinned || !snapshot_classifier(s) ||
        r->set->policy == POLICY_FIXED || r->set->policy == POLICY_RULES)
        return;
    for (unsigned i = 0; i < r->set->n_arms; i++) {
        if (r->head[i] < 0)
            warn(out, json, "route %s: the classifier does not know the arm %s",
                 name, r->set->arms[i].name);
    }
    if (r->set->policy == POLICY_CHEAPEST && r->n_levels == 0)
        warn(out, json,
             "route %s: the classifier's card proves no quality for these "
             "arms; %s",
             name,
             r->fall_to_reference ? "the reference is taken"
                                  : "a floor below the reference's predicted "
                                    "quality is used");
}

/* Relatives make the same mistakes: their agreement says less. */
static void warn_plan(const struct arm *arms, bool json, struct buf *out)
{
    const struct arm *plan = &arms[0];
    int draft = plan->member[PLAN_DRAFT];
    int judge = plan->member[PLAN_CHECK] >= 0 ? plan->member[PLAN_CHECK]
                                              : plan->member[PLAN_REVIEW];
    const char *family;

    if (judge < 0)
        return;
    family = arms[draft].model->model.family;
    if (family && *family && arms[judge].model->model.family &&
        !strcmp(family, arms[judge].model->model.family))
        warn(out, json,
             "plan %s: %s and %s are both of the family %s, which makes the "
             "same mistakes",
             plan->name, arms[draft].name, arms[judge].name, family);
}

static void warn_provider(const struct provider_settings *p, bool json,
                          struct buf *out)
{
    if (!p->keys[0].authorization && strncmp(p->base_url, "https://", 8) == 0)
        warn(out, json, "provider %s: no api_key", p->item.name);
    if (p->keys[0].authorization && strncmp(p->base_url, "http://", 7) == 0 &&
        !settings_loopback(p->base_url + 7))
        warn(out, json, "provider %s: its key is sent without TLS",
             p->item.name);
}

static void warn_all(const struct snapshot *s, bool json, struct buf *out)
{
    const struct settings *set = snapshot_settings(s);
    const struct provider_settings *p = set->providers.at;

    for (unsigned i = 0; i < set->providers.n; i++)
        warn_provider(&p[i], json, out);
    if (!snapshot_classifier(s))
        warn(out, json, "%s: reference arms are taken",
             snapshot_unclassified(s));
    for (size_t i = 0; i < snapshot_routes(s); i++) {
        const struct route_settings *r = snapshot_route_at(s, i)->set;

        warn_route(s, snapshot_route_at(s, i), json, out);
        if (r->pinned && r->arms[0].plan)
            warn_plan(r->arms, json, out);
    }
}

static void print_right(const struct options *o, const struct snapshot *s)
{
    const struct settings *set = snapshot_settings(s);
    const struct classifier *c = snapshot_classifier(s);
    struct buf notes;

    buf_init(&notes, OUT_MAX);
    warn_all(s, o->json, &notes);
    if (o->json)
        printf("{\"ok\":true,\"providers\":%u,\"models\":%u,\"routes\":%u,"
               "\"classifier\":\"%s\",\"notes\":[%s]}\n",
               set->providers.n, set->models.n, set->routes.n,
               c ? classifier_id(c) : "none", buf_cstr(&notes));
    else
        printf("%s: right: %u providers, %u models, %u routes, classifier "
               "%s\n%s",
               o->config, set->providers.n, set->models.n, set->routes.n,
               c ? classifier_id(c) : "none", buf_cstr(&notes));
    buf_free(&notes);
}

static void print_wrong(const struct options *o, const struct err *e)
{
    struct buf b;

    if (!o->json) {
        fprintf(stderr, "weir check: %s\n", e->msg);
        return;
    }
    buf_init(&b, OUT_MAX);
    buf_str(&b, "{\"ok\":false,\"error\":");
    buf_json_str(&b, span_of(e->msg));
    buf_str(&b, "}\n");
    print(&b);
}

static int check(const struct options *o)
{
    struct err e = {0};
    struct snapshot *s = snapshot_load(o->config, NULL, &e);
    struct buf b;

    if (!s) {
        print_wrong(o, &e);
        return 1;
    }
    if (o->show) {
        buf_init(&b, OUT_MAX);
        schema_show(&settings_schema, snapshot_settings(s), 0, &b);
        print(&b);
    } else {
        print_right(o, s);
    }
    snapshot_unref(s);
    return 0;
}

static int document(const struct options *o)
{
    struct buf b;

    buf_init(&b, OUT_MAX);
    if (o->man)
        reference_man(&b);
    else
        reference_markdown(&b);
    print(&b);
    return 0;
}

int cmd_check(int argc, char **argv)
{
    struct options o = {.config = "weir.yaml"};
    const struct arg list[] = {
        {"config", ARG_TEXT, &o.config, "F", "configuration [weir.yaml]"},
        {"show", ARG_FLAG, &o.show, NULL,
         "print all settings as they hold, secrets masked"},
        {"settings", ARG_FLAG, &o.settings, NULL,
         "print the reference of all settings as Markdown"},
        {"man", ARG_FLAG, &o.man, NULL, "the same as a man page"},
        {"json", ARG_FLAG, &o.json, NULL, "print the result as JSON"},
    };
    const struct args args = {
        "check", "[options]",
        "Loads a configuration as weir serve would and says what is wrong "
        "with it, or what may not be meant.",
        list, sizeof list / sizeof list[0]};
    struct err e = {0};
    int first;

    switch (args_parse(&args, argc, argv, &first, &e)) {
    case ARGS_HELP:
        return 0;
    case ARGS_OK:
        return o.settings || o.man ? document(&o) : check(&o);
    case ARGS_BAD:
        break;
    }
    fprintf(stderr, "weir check: %s\n", e.msg);
    return 2;
}
