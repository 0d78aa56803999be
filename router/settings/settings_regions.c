/* SPDX-License-Identifier: Apache-2.0 */
/* Names of regions: those that providers have. */
#include "router/settings/settings_parts.h"

#include <string.h>

static bool covers(const char *name, const char *region)
{
    size_t n = strlen(name);

    return !strncmp(name, region, n) && (region[n] == '\0' || region[n] == '-');
}

bool settings_in_region(const struct text_list *regions,
                        const struct provider_settings *p)
{
    for (unsigned i = 0; p->region && i < regions->n; i++) {
        if (covers(regions->at[i], p->region))
            return true;
    }
    return false;
}

bool settings_regions(const struct settings *s, const struct text_list *list,
                      struct err *e)
{
    const struct provider_settings *p = s->providers.at;

    for (unsigned i = 0; i < list->n; i++) {
        bool known = false;

        for (unsigned k = 0; k < s->providers.n; k++)
            known = known || (p[k].region && covers(list->at[i], p[k].region));
        if (!known)
            return conf_failf(list->why[i], e,
                              "wanted the region of a provider, found %s",
                              list->at[i]);
    }
    return true;
}

static bool has_place(const struct text_list *regions,
                      const struct model_settings *m)
{
    for (unsigned i = 0; i < m->n_places; i++) {
        if (settings_in_region(regions, m->places[i].at))
            return true;
    }
    return false;
}

bool settings_route_regions(const struct settings *s,
                            const struct route_settings *r, struct err *e)
{
    bool some = r->regions.n == 0;

    if (!settings_regions(s, &r->regions, e))
        return false;
    for (unsigned i = 0; !some && i < r->n_all; i++)
        some = has_place(&r->regions, r->arms[i].model);
    return some || conf_failf(r->regions.why[0], e,
                              "wanted regions with an arm of the route, found "
                              "none there");
}
