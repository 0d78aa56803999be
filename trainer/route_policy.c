/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/route_policy.h"

#include <string.h>

#include "base/conf.h"

enum { CONF_BYTES = 8 << 20 };

/* What of a route decides before or in place of its level. */
static const char *const beyond[] = {"rules", "tasks", "budget", "max_cost"};
static const char *const policies[] = {"cheapest_adequate", "fixed", "budget",
                                       "rules", NULL};
enum { ADEQUATE, FIXED };

bool route_policy_is(const char *path)
{
    const char *end = strrchr(path, '.');

    return end && (strcmp(end, ".yaml") == 0 || strcmp(end, ".yml") == 0);
}

static const struct conf *route_find(const struct conf *root, const char *name,
                                     struct err *e)
{
    const struct conf *routes = conf_get(root, "routes"), *one;

    if (!routes || routes->type != CONF_MAP || !routes->kids) {
        conf_failf(root, e, "wanted routes, found none");
        return NULL;
    }
    one = name ? conf_get(routes, name) : routes->kids;
    if (!one)
        conf_failf(routes, e, "wanted a route %s, found none", name);
    else if (!name && one->next)
        conf_failf(routes, e, "wanted --route, found several routes");
    else
        return one;
    return NULL;
}

static bool text(const struct conf *at, char *dst, size_t size, struct err *e)
{
    struct span value;

    return conf_str(at, &value, e) &&
           (span_copy(dst, size, value) ||
            conf_failf(at, e, "wanted at most %zu bytes", size - 1));
}

static bool policy_read(const struct conf *route, struct route_policy *out,
                        struct err *e)
{
    const struct conf *policy = conf_get(route, "policy");
    const struct conf *quality = conf_get(route, "quality");
    const struct conf *unproven = conf_get(route, "unproven");
    const struct conf *reference = conf_get(route, "reference");
    unsigned which = ADEQUATE;

    if (policy && !conf_word(policy, policies, &which, e))
        return false;
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++)
        if (conf_get(route, beyond[i]))
            return conf_failf(conf_get(route, beyond[i]), e,
                              "%s are not played through on a log: judge the "
                              "classifier (--policy F.weir) or an arm",
                              beyond[i]);
    if (which > FIXED)
        return conf_failf(policy, e,
                          "wanted cheapest_adequate or fixed: others are not "
                          "played through on a log");
    if (unproven && span_is(unproven->value, "floor"))
        return conf_failf(unproven, e,
                          "a floor is not played through on a log");
    if (!reference)
        return conf_failf(route, e, "wanted a reference to be named");
    if (which == FIXED)
        out->classifier[0] = '\0';
    return text(reference, out->reference, sizeof out->reference, e) &&
           (!quality || conf_double(quality, 0, 1.5, &out->quality, e));
}

static bool read_all(const struct conf *root, const char *name,
                     struct route_policy *out, struct err *e)
{
    const struct conf *route = route_find(root, name, e);
    const struct conf *file = conf_get(root, "classifier");

    if (!route || !span_copy(out->route, sizeof out->route, route->key))
        return false;
    /* The one that comes with weir promises nothing: the reference. */
    if (file && !span_is(file->value, "default") &&
        !span_is(file->value, "none") &&
        !text(file, out->classifier, sizeof out->classifier, e))
        return false;
    return policy_read(route, out, e);
}

bool route_policy_read(const char *path, const char *route,
                       struct route_policy *out, struct err *e)
{
    const struct conf *root;
    struct arena a;
    bool ok;

    *out = (struct route_policy){.quality = .98};
    arena_init(&a, CONF_BYTES);
    root = conf_load(path, &a, e);
    ok = root && read_all(root, route, out, e);
    arena_free(&a);
    return ok;
}
