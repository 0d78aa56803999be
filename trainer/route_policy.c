/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/route_policy.h"

#include <string.h>

#include "base/conf.h"

enum { CONF_BYTES = 8 << 20 };

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

bool route_policy_find(const char *path, const char *asked,
                       char name[ROUTE_POLICY_NAME], struct err *e)
{
    const struct conf *root, *route;
    struct arena a;
    bool ok;

    arena_init(&a, CONF_BYTES);
    root = conf_load(path, &a, e);
    route = root ? route_find(root, asked, e) : NULL;
    ok = route && (span_copy(name, ROUTE_POLICY_NAME, route->key) ||
                   conf_failf(route, e, "wanted a name of at most %d bytes",
                              ROUTE_POLICY_NAME - 1));
    arena_free(&a);
    return ok;
}
