/* SPDX-License-Identifier: Apache-2.0 */
#include "router/snapshot.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "router/health/health.h"
#include "router/http/tls.h"
#include "router/model_names.h"
#include "router/route/levels.h"
#include "router/route/plans.h"
#include "router/route/record.h"
#include "router/upstream/tls_link.h"

struct snapshot {
    _Atomic unsigned refs;
    struct settings *settings;     /* (owned) */
    struct classifier *classifier; /* (owned) or NULL */
    struct canary canary;
    struct tls *tls; /* (owned) or NULL */
    char unclassified[300];
    /* (owned) [n_routes]; where there is a canary as many of it behind */
    struct route *routes;
    struct budget **budgets; /* (owned array; borrowed: book) [n_routes] */
    struct drift **drifts;   /* likewise */
    size_t n_routes;
    struct model_names *names; /* (owned) */
};

/* ---- the classifier ---- */

/* The one that comes with weir: beside the program or in its share. */
static bool default_path(char *dst, size_t size)
{
    static const char *const places[] = {"models/default.weir",
                                         "../share/weir/default.weir"};
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    char *slash;

    if (n <= 0)
        return false;
    exe[n] = '\0';
    slash = strrchr(exe, '/');
    if (!slash)
        return false;
    slash[1] = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        snprintf(dst, size, "%s%s", exe, places[i]);
        if (access(dst, R_OK) == 0)
            return true;
    }
    return false;
}

/* The learning cycle has not made the first one yet. */
static bool is_awaited(const struct settings *set)
{
    return settings_retrain(set) && access(set->classifier, F_OK) != 0;
}

/* Which classifier is wanted instead of the configured one. */
struct sought {
    const char *file; /* NULL: the configured one's */
    struct span id;   /* empty: none */
};

/* The file itself, or one that was kept beside it. */
static bool seek(struct snapshot *s, const char *path, struct span id,
                 struct err *e)
{
    static const char *const ends[] = {"",   ".1", ".2",     ".3",
                                       ".4", ".5", ".canary"};
    struct classifier *c;
    struct err ignored;
    struct buf name;

    buf_init(&name, PATH_MAX + 64);
    for (size_t i = 0; !s->classifier && i < sizeof ends / sizeof *ends; i++) {
        buf_reset(&name);
        buf_printf(&name, "%s%s", path, ends[i]);
        c = classifier_open(buf_cstr(&name), FEATURES_VERSION, &ignored);
        if (c && span_is(id, classifier_id(c)))
            s->classifier = c;
        else
            classifier_close(c);
    }
    buf_free(&name);
    return s->classifier ||
           err_set(e, ERR_INPUT,
                   "the classifier %.*s is neither %s nor one kept beside it "
                   "(.1 ... .5, .canary)",
                   SPAN_ARGS(id), path);
}

/* sought NULL: as configured. */
static bool load_classifier(struct snapshot *s, const struct sought *sought,
                            struct err *e)
{
    const char *path =
        sought && sought->file ? sought->file : s->settings->classifier;
    char found[PATH_MAX + 64];

    if (sought && !sought->id.len) {
        snprintf(s->unclassified, sizeof s->unclassified,
                 "classifier: there was none");
        return true;
    }
    if (!*path || !strcmp(path, "none")) {
        snprintf(s->unclassified, sizeof s->unclassified,
                 "classifier: none is configured");
        return true;
    }
    if (!strcmp(path, "default")) {
        if (!default_path(found, sizeof found)) {
            snprintf(s->unclassified, sizeof s->unclassified,
                     "the default classifier is not installed");
            return true;
        }
        path = found;
    }
    if (sought)
        return seek(s, path, sought->id, e);
    if (is_awaited(s->settings)) {
        snprintf(s->unclassified, sizeof s->unclassified,
                 "%.250s is not trained yet", path);
        return true;
    }
    if (path == s->settings->classifier)
        canary_load(&s->canary, path);
    s->classifier = classifier_open(path, FEATURES_VERSION, e);
    return s->classifier || err_wrap(e, "classifier");
}

static bool load_tls(struct snapshot *s, struct err *e)
{
    const struct tls_settings *t = &s->settings->tls;

    if (!t->cert && !t->key)
        return true;
    if (!t->cert || !t->key)
        return err_set(e, ERR_INPUT, "%s: tls: wanted cert and key, found %s",
                       s->settings->file, t->cert ? "cert" : "key");
    s->tls = tls_load(t->cert, t->key, e);
    return s->tls || err_wrap(e, "tls");
}

static bool check_authorities(const struct settings *set, struct err *e)
{
    const struct provider_settings *p = set->providers.at;

    for (size_t i = 0; i < set->providers.n; i++) {
        if (p[i].ca_file && !tls_trust_check(p[i].ca_file, e))
            return err_wrap(e, "%s: providers.%s.ca_file", set->file,
                            p[i].item.name);
    }
    return true;
}

/* ---- building ---- */

/* What the route keeps across snapshots. */
static bool bind_books(struct snapshot *s, size_t i, const struct books *b)
{
    const struct route *r = &s->routes[i];
    const char *name = r->set->item.name;

    if (!b)
        return true;
    if (r->set->policy == POLICY_BUDGET) {
        s->budgets[i] = budget_of(b->budgets, name, r->set->budget);
        return s->budgets[i] != NULL;
    }
    if (r->set->policy != POLICY_CHEAPEST || !r->n_levels)
        return true;
    s->drifts[i] =
        drift_of(b->drifts, name, classifier_id(r->classifier), &r->mix);
    return s->drifts[i] != NULL;
}

static bool bind_routes(struct snapshot *s, const struct books *books)
{
    const struct settings *set = s->settings;
    const struct route_settings *own = set->routes.at;
    bool foreign = !strcmp(set->classifier, "default");
    size_t n = set->routes.n + set->n_direct;
    size_t all = s->canary.classifier ? 2 * n : n;

    s->n_routes = n;
    s->routes = calloc(all + 1, sizeof *s->routes);
    s->budgets = calloc(all + 1, sizeof(struct budget *));
    s->drifts = calloc(all + 1, sizeof(struct drift *));
    if (!s->routes || !s->budgets || !s->drifts)
        return false;
    for (size_t i = 0; i < all; i++) {
        struct route *r = &s->routes[i];
        size_t k = i % n;

        r->set = k < set->routes.n ? &own[k] : &set->direct[k - set->routes.n];
        levels_bind(r, i < n ? s->classifier : s->canary.classifier, foreign);
        r->mark = record_settings(set, r->set);
        if (!plan_accepts(r, r->classifier, &s->settings->arena) ||
            !bind_books(s, i, books))
            return false;
    }
    s->names = model_names_new(s->routes, s->n_routes, &s->settings->arena);
    return s->names != NULL;
}

static struct snapshot *snapshot_build(struct settings *settings,
                                       const struct sought *sought,
                                       const struct books *books, struct err *e)
{
    struct snapshot *s = settings ? calloc(1, sizeof *s) : NULL;

    if (!s) {
        if (settings)
            err_set(e, ERR_MEMORY, "snapshot: out of memory");
        settings_free(settings);
        return NULL;
    }
    atomic_init(&s->refs, 1);
    s->settings = settings;
    if (load_classifier(s, sought, e) && load_tls(s, e) &&
        (sought || check_authorities(settings, e))) {
        if (bind_routes(s, books))
            return s;
        err_set(e, ERR_MEMORY, "snapshot: out of memory");
    }
    snapshot_unref(s);
    return NULL;
}

struct snapshot *snapshot_load(const char *path, const struct books *books,
                               struct err *e)
{
    return snapshot_build(settings_load(path, e), NULL, books, e);
}

struct snapshot *snapshot_load_then(const char *path, const char *file,
                                    struct span id, struct err *e)
{
    const struct sought sought = {file, id};

    return snapshot_build(settings_load(path, e), &sought, NULL, e);
}

struct snapshot *snapshot_parse(struct span text, const char *file,
                                const struct books *books, struct err *e)
{
    return snapshot_build(settings_parse(text, file, e), NULL, books, e);
}

bool snapshot_bind(struct snapshot *s, struct health_book *book, struct err *e)
{
    return health_bind(book, s->settings, e);
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void snapshot_unref(struct snapshot *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
        return;
    model_names_free(s->names);
    free(s->budgets);
    free(s->drifts);
    free(s->routes);
    classifier_close(s->classifier);
    canary_free(&s->canary);
    tls_free(s->tls);
    settings_free(s->settings);
    free(s);
}

const struct settings *snapshot_settings(const struct snapshot *s)
{
    return s->settings;
}

const struct tls *snapshot_tls(const struct snapshot *s)
{
    return s->tls;
}

const struct classifier *snapshot_classifier(const struct snapshot *s)
{
    return s->classifier;
}

const struct canary *snapshot_canary(const struct snapshot *s)
{
    return &s->canary;
}

const struct route *snapshot_pick(const struct snapshot *s,
                                  const struct route *r, uint64_t key)
{
    bool own = r >= s->routes && r < s->routes + s->n_routes;

    return own && canary_takes(&s->canary, key) ? r + s->n_routes : r;
}

const char *snapshot_unclassified(const struct snapshot *s)
{
    return s->unclassified;
}

const struct route *snapshot_route(const struct snapshot *s, struct span name)
{
    return model_names_find(s->names, name);
}

size_t snapshot_routes(const struct snapshot *s)
{
    return s->n_routes;
}

const struct route *snapshot_route_at(const struct snapshot *s, size_t i)
{
    return &s->routes[i];
}

struct budget *snapshot_budget(const struct snapshot *s, const struct route *r)
{
    return s->budgets[r - s->routes];
}

struct drift *snapshot_drift(const struct snapshot *s, const struct route *r)
{
    return s->drifts[r - s->routes];
}
